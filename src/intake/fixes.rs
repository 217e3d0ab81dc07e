//! What people said about a file during its review. Reading the file again with them
//! gives the verdicts anew; the file itself is never changed.

use crate::domain::text::fold;
use crate::intake::open::Cell;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A row of a file: sheet from 0, row from 1 as the spreadsheet counts.
pub type Place = (usize, usize);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fixes {
    /// Sheet → its header row from 0, or none to leave the sheet out. A sheet that is
    /// chosen here makes the choice: others count only when chosen too.
    pub tables: BTreeMap<usize, Option<usize>>,
    /// Sheet and field → column, or none to leave the field out.
    pub columns: BTreeMap<(usize, String), Option<usize>>,
    /// "dmy", "mdy", or empty for what the mapping says.
    pub dates: String,
    /// Field and raw text, folded → what it stands for, in every row.
    pub values: BTreeMap<(String, String), String>,
    /// One cell of one row.
    pub cells: BTreeMap<(Place, String), String>,
    /// Of rows that repeat an id, the ones that count.
    pub prefer: BTreeSet<Place>,
    /// Rows that a person set aside.
    pub aside: BTreeSet<Place>,
}

impl Fixes {
    /// A cell with what was said about it: about this row first, then about its text.
    pub fn cell<'a>(&self, at: Place, field: &str, raw: &'a Cell) -> Cow<'a, Cell> {
        if self.cells.is_empty() && self.values.is_empty() {
            return Cow::Borrowed(raw);
        }
        let said = self.said(at, field, || raw.text());
        match said {
            Some("") => Cow::Owned(Cell::Empty),
            Some(text) => Cow::Owned(Cell::Text(text.to_owned())),
            None => Cow::Borrowed(raw),
        }
    }

    pub fn said(&self, at: Place, field: &str, raw: impl FnOnce() -> String) -> Option<&str> {
        if let Some(text) = self.cells.get(&(at, field.to_owned())) {
            return Some(text);
        }
        if self.values.is_empty() {
            return None;
        }
        self.values.get(&(field.to_owned(), fold(&raw()))).map(String::as_str)
    }
}
