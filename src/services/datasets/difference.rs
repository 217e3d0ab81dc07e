//! What one dataset has that another has not.

use super::{ChunkRef, Rows, Table};
use crate::domain::Outcome;

/// What one dataset has that another has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub same: usize,
}

/// Compares two datasets; chunks they share are not read. `old` may lack chunks that `new`
/// has and the other way round: both are walked in the order of keys.
pub fn difference(old: &Table, new: &Table) -> Outcome<Difference> {
    let mut found = Difference::default();
    let same_titles = old.manifest.extras == new.manifest.extras;
    let (mut left, mut right) = (Walk::new(old), Walk::new(new));
    loop {
        if same_titles
            && left.row == 0
            && right.row == 0
            && let (Some(a), Some(b)) = (left.chunk(), right.chunk())
            && (a.hash, a.patch) == (b.hash, b.patch)
        {
            found.same += a.rows as usize;
            left.skip();
            right.skip();
            continue;
        }
        let order = match (left.key()?, right.key()?) {
            (None, None) => return Ok(found),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b),
        };
        match order {
            std::cmp::Ordering::Less => found.removed += 1,
            std::cmp::Ordering::Greater => found.added += 1,
            std::cmp::Ordering::Equal => match (&left.rows, &right.rows) {
                (Some(a), Some(b)) if a.same(left.row, b, right.row) => found.same += 1,
                _ => found.changed += 1,
            },
        }
        if order.is_le() {
            left.next();
        }
        if order.is_ge() {
            right.next();
        }
    }
}

/// Goes through a table row by row.
struct Walk<'a> {
    table: &'a Table<'a>,
    number: usize,
    row: usize,
    rows: Option<Rows>,
}

impl<'a> Walk<'a> {
    fn new(table: &'a Table<'a>) -> Walk<'a> {
        Walk { table, number: 0, row: 0, rows: None }
    }

    fn chunk(&self) -> Option<&'a ChunkRef> {
        self.table.manifest.chunks.get(self.number)
    }

    fn key(&mut self) -> Outcome<Option<&str>> {
        if self.chunk().is_none() {
            return Ok(None);
        }
        if self.rows.is_none() {
            self.rows = Some(self.table.rows(self.number, None)?);
        }
        Ok(self.rows.as_ref().map(|r| r.text(self.table.key(), self.row)))
    }

    fn next(&mut self) {
        self.row += 1;
        if self.rows.as_ref().is_none_or(|r| self.row >= r.count) {
            self.skip();
        }
    }

    fn skip(&mut self) {
        self.number += 1;
        self.row = 0;
        self.rows = None;
    }
}
