//! What a person said of rows, made ready to be done to millions of them: cells and values
//! that read otherwise, rules that are mended, rows that are set aside or merged.

use super::codes::{Fault, Faults};
use super::layout::{Layout, Said};
use super::source::Cells;
use crate::columns::FastMap;
use crate::domain::text::fold;
use crate::intake::garbled;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Rules that are mended for all rows alike, and what that does.
pub const MENDED: [(&str, &str); 6] = [
    ("COORD-04", "swap latitude and longitude"),
    ("COORD-05", "put the minus back"),
    ("OUT-02", "keep the first row of each code, leave the others out"),
    ("OUT-07", "keep the first by code, leave the others out"),
    ("TXT-01", "take the letters as they were meant"),
    ("TXT-02", "take the letters as they were meant"),
];

#[derive(Default)]
pub struct Mender {
    /// Record → columns and what they should say.
    cells: FastMap<u32, Vec<(usize, String)>>,
    /// Column → folded text → what it stands for.
    values: Vec<(usize, FastMap<String, String>)>,
    /// Faults that set their rows aside.
    aside: u64,
    aside_rows: BTreeSet<u32>,
    prefer: BTreeSet<u32>,
    mended: Faults,
}

impl Mender {
    pub fn of(layout: &Layout, said: &Said) -> Mender {
        let mut mender =
            Mender { aside_rows: said.aside_rows.clone(), prefer: said.prefer.clone(), ..Mender::default() };
        for ((record, field), text) in &said.cells {
            if let Some(column) = layout.column(field) {
                mender.cells.entry(*record).or_default().push((column, text.clone()));
            }
        }
        for ((field, raw), value) in &said.values {
            let Some(column) = layout.column(field) else { continue };
            let at = mender.values.iter().position(|(c, _)| *c == column).unwrap_or_else(|| {
                mender.values.push((column, FastMap::default()));
                mender.values.len() - 1
            });
            mender.values[at].1.insert(fold(raw), value.clone());
        }
        for fault in Fault::ALL {
            if said.aside.contains(fault.code()) {
                mender.aside |= 1 << *fault as u8;
            }
            if said.mend.contains(fault.code()) {
                mender.mended.add(*fault);
            }
        }
        mender
    }

    /// The record as it should read.
    pub fn apply(&self, record: u32, cells: &mut Cells) {
        for (column, texts) in &self.values {
            let read = std::str::from_utf8(cells.get(*column)).map(fold);
            if let Some(value) = read.ok().and_then(|text| texts.get(&text)) {
                cells.set(*column, value.as_bytes());
            }
        }
        for (column, text) in self.cells.get(&record).into_iter().flatten() {
            cells.set(*column, text.as_bytes());
        }
    }

    /// Whether a row with these faults is set aside.
    pub fn sets_aside(&self, record: u32, faults: Faults) -> bool {
        faults.0 & self.aside != 0 || !self.aside_rows.is_empty() && self.aside_rows.contains(&record)
    }

    /// Of rows under one code, this one counts.
    pub fn prefers(&self, record: u32) -> bool {
        !self.prefer.is_empty() && self.prefer.contains(&record)
    }

    /// Whether a fault is mended where it is found.
    pub fn mends(&self, fault: Fault) -> bool {
        self.mended.has(fault)
    }

    /// A text as it was meant, where that was wished; its fault goes.
    pub fn letters<'a>(&self, text: Cow<'a, str>, faults: &mut Faults, before: Faults) -> Cow<'a, str> {
        if faults.0 & self.mended.0 == 0 {
            return text;
        }
        for fault in [Fault::Garbled, Fault::Entities] {
            if self.mends(fault)
                && faults.has(fault)
                && let Some((code, read)) = garbled::mended(&text)
                && code == fault.code()
            {
                if !before.has(fault) {
                    faults.remove(fault);
                }
                return Cow::Owned(read);
            }
        }
        text
    }
}
