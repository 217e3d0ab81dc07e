//! Files of millions of rows: one look for keys, places and duplicates, one that writes
//! columnar chunks in the order of keys. Pure but for the file it reads: the same file and
//! the same answers give the same chunks, so work that was cut off is done again and what
//! came out before is known by its number.

pub(super) mod cells;
pub mod codes;
mod facts;
mod groups;
pub mod layout;
pub mod legacy;
pub mod mend;
mod near;
mod places;
mod sales;
mod served;
pub mod source;
mod statuses;
mod write;

pub use cells::{is_email, is_phone};
pub use layout::{Layout, Rows, Said};
pub use places::{km, with_sign};
pub use sales::{Months, joined};
pub use served::Known;
pub use statuses::STATUSES;
pub use write::EXTRA;

use crate::columns;
use crate::domain::Outcome;
use crate::domain::schema::Kind;
use crate::intake::open::refused;
use chrono::NaiveDate;
use codes::Fault;
use mend::Mender;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What comes out, piece by piece.
pub enum Made {
    /// Rows in the order of their keys, as `columns` writes them.
    Chunk { first: String, rows: u32, bytes: Vec<u8> },
    /// Rows that wait.
    Held(Vec<Held>),
    /// Rows that went in with a fault, a part of them: their places in the order of keys,
    /// and their records in the file.
    Marks { code: String, rows: Vec<(u32, u32)> },
    /// Places of rows that double another's, and of that other.
    Twins(Vec<(u32, u32)>),
    /// Anything else, as columns under a name.
    Piece { name: &'static str, rows: u32, bytes: Vec<u8> },
}

/// A row that is held back, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Its record in the file, from 0.
    pub record: u32,
    pub faults: u64,
    pub cells: Vec<String>,
}

/// Bytes of a row held back that are kept: beyond that the file itself has to be looked at.
const MAX_HELD: usize = 64 << 10;

impl Held {
    fn of(record: u32, faults: codes::Faults, from: &source::Cells) -> Held {
        let mut left = MAX_HELD;
        let mut cells: Vec<String> = Vec::with_capacity(from.len());
        for cell in from.iter() {
            let kept = &cell[..cell.len().min(left)];
            left -= kept.len();
            cells.push(String::from_utf8_lossy(kept).into_owned());
        }
        Held { record, faults: faults.0, cells }
    }

    fn bytes(&self) -> usize {
        self.cells.iter().map(|c| c.len() + 16).sum()
    }
}

/// Where the rows went: records = taken + held + merged + blank + headers + totals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    pub records: u64,
    pub taken: u64,
    pub held: u64,
    /// Rows that say again what another one does.
    pub merged: u64,
    pub blank: u64,
    pub headers: u64,
    pub totals: u64,
    /// Code → rows.
    pub faults: BTreeMap<String, u64>,
    /// Filled cells a column, of the rows taken.
    pub filled: Vec<usize>,
}

/// How far it is: bytes of both looks together.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> Outcome<()>;

/// A file opened, its table found.
pub struct Opened {
    pub source: source::Source,
    pub layout: Layout,
    pub(super) mender: Mender,
    /// Whom rows may name.
    pub known: Known,
}

pub fn open(path: &Path, spool: &Path, kind: Kind, said: &Said) -> Outcome<Opened> {
    let source = source::open(path, spool, &said.dialect)?;
    let layout = Layout::of(&source, kind, said)?;
    let mender = Mender::of(&layout, said);
    Ok(Opened { source, layout, mender, known: Known::default() })
}

impl Opened {
    /// Takes what a person said of the file instead of what was said before.
    pub fn tell(&mut self, said: &Said) -> Outcome<()> {
        self.layout = Layout::of(&self.source, self.layout.kind, said)?;
        self.mender = Mender::of(&self.layout, said);
        Ok(())
    }

    /// Refuses a table that lacks what each row must have; where nothing is known yet that is
    /// more than where rows are known by their keys.
    pub fn complete(&self, known: bool) -> Outcome<()> {
        let mut missing = self.layout.missing();
        if !known && self.layout.is_partial() {
            missing.push("name");
        }
        if missing.is_empty() {
            return Ok(());
        }
        let none = self.layout.fields.iter().all(Option::is_none);
        let code = if none { "MAP-02" } else { "MAP-01" };
        let message = match none {
            true => format!(
                "No row of {} looks like the header of {}",
                self.source.name,
                self.layout.kind.schema().plural
            ),
            false => format!("{}: no column was found for: {}", self.source.name, missing.join(", ")),
        };
        let hint = "`pams import map FILE` shows what each column is taken for; say which it is with --column FIELD=HEADER";
        Err(refused(code, message, hint))
    }

    /// Reads every row and sends out what it makes of them.
    pub fn run(
        &self,
        (today, day_minutes): (NaiveDate, i64),
        emit: &mut dyn FnMut(Made) -> Outcome<()>,
        progress: Progress,
    ) -> Outcome<Tally> {
        self.complete(true)?;
        if self.layout.kind == Kind::Activity {
            return legacy::run(self, today, day_minutes, emit, progress);
        }
        let bytes = self.source.bytes;
        let mut facts = facts::gather(&self.source, &self.layout, &self.mender, &mut |read| {
            progress(read.min(bytes), 2 * bytes)
        })?;
        if facts.records == facts.blank + facts.headers + facts.totals {
            let hint = "Check that the report was exported with its data";
            return Err(refused(
                "FIL-01",
                format!("{} has no rows below its header", self.source.name),
                hint,
            ));
        }
        let towns = places::judge(&mut facts, &self.mender);
        let odd = served::judge(&facts, &towns, &self.known);
        let mut twins = near::twins(&mut facts);
        self.settle(&mut facts, &odd, &mut twins);
        let tally = write::write(
            &self.source,
            &self.layout,
            &self.mender,
            &mut facts,
            today,
            emit,
            &mut |written| progress(bytes + written.min(bytes), 2 * bytes),
        )?;
        marks(&facts, &twins, emit)?;
        if self.layout.is_partial() {
            records(&facts, emit)?;
        }
        progress(2 * bytes, 2 * bytes)?;
        Ok(Tally {
            records: facts.records,
            blank: facts.blank,
            headers: facts.headers,
            totals: facts.totals,
            ..tally
        })
    }

    /// Lays on rows what is odd of those they are served with; rows that a person set aside, or
    /// merges with those they repeat.
    fn settle(&self, facts: &mut facts::Facts, odd: &[codes::Faults], twins: &mut Vec<(u32, u32)>) {
        for fact in &mut facts.rows {
            fact.faults = fact.faults.with(odd[fact.served as usize]);
            if self.mender.mends(Fault::CodeRepeated) && fact.faults.has(Fault::CodeRepeated) {
                fact.faults.remove(Fault::CodeRepeated);
                fact.faults.add(Fault::Merged);
            }
            if self.mender.sets_aside(fact.record, fact.faults) {
                fact.faults.add(Fault::Aside);
            }
        }
        if self.mender.mends(Fault::NearDuplicate) {
            for (row, _) in twins.drain(..) {
                let faults = &mut facts.rows[row as usize].faults;
                faults.remove(Fault::NearDuplicate);
                faults.add(Fault::Merged);
            }
        }
    }
}

/// The name of the piece with the box of each chunk: south, west, north, east, in millionths of a
/// degree; none where no row of it has a position.
pub const BOXES: &str = "boxes";

/// Boxes of chunks: each side of all of them in a column.
pub type Boxes = [Vec<Option<i64>>; 4];

/// Where the rows of a chunk are, put beside those of the chunks before.
pub fn push_box(boxes: &mut Boxes, places: impl Iterator<Item = (i32, i32)>) {
    let around = |of: Option<[i32; 4]>, (lat, lon): (i32, i32)| {
        let [south, west, north, east] = of.unwrap_or([lat, lon, lat, lon]);
        Some([south.min(lat), west.min(lon), north.max(lat), east.max(lon)])
    };
    let of = places.fold(None, around);
    for (side, values) in boxes.iter_mut().enumerate() {
        values.push(of.map(|of| i64::from(of[side])));
    }
}

pub fn encode_boxes(boxes: Boxes) -> (u32, Vec<u8>) {
    let rows = boxes[0].len() as u32;
    let columns = boxes.map(|values| columns::Column::Numbers(columns::Numbers(values)));
    (rows, columns::encode(columns.iter().enumerate().map(|(n, column)| (n as u16, column))))
}

/// The name of the piece that says which record of the file each row was.
pub const RECORDS: &str = "records";

fn records(facts: &facts::Facts, emit: &mut dyn FnMut(Made) -> Outcome<()>) -> Outcome<()> {
    let taken = facts.order.iter().map(|row| &facts.rows[*row as usize]).filter(|f| !f.faults.is_out());
    let all: Vec<Option<i64>> = taken.map(|fact| Some(i64::from(fact.record))).collect();
    for part in all.chunks(columns::MAX_ROWS) {
        let column = columns::Column::Numbers(columns::Numbers(part.to_vec()));
        let bytes = columns::encode([(0, &column)]);
        emit(Made::Piece { name: RECORDS, rows: part.len() as u32, bytes })?;
    }
    Ok(())
}

/// The places of rows with a fault, of those that went in.
fn marks(
    facts: &facts::Facts,
    twins: &[(u32, u32)],
    emit: &mut dyn FnMut(Made) -> Outcome<()>,
) -> Outcome<()> {
    let mut places = vec![u32::MAX; facts.rows.len()];
    let mut of: Vec<Vec<(u32, u32)>> = vec![vec![]; codes::Fault::ALL.len()];
    let mut place = 0;
    for row in &facts.order {
        let faults = facts.rows[*row as usize].faults;
        if faults.is_out() {
            continue;
        }
        places[*row as usize] = place;
        for fault in faults.iter() {
            of[fault as usize].push((place, facts.rows[*row as usize].record));
        }
        place += 1;
    }
    for (fault, rows) in codes::Fault::ALL.iter().zip(of) {
        for part in rows.chunks(columns::MAX_ROWS) {
            emit(Made::Marks { code: fault.code().into(), rows: part.to_vec() })?;
        }
    }
    let placed = |(row, first): &(u32, u32)| {
        let pair = (places[*row as usize], places[*first as usize]);
        (pair.0 != u32::MAX && pair.1 != u32::MAX).then_some(pair)
    };
    let mut placed: Vec<(u32, u32)> = twins.iter().filter_map(placed).collect();
    placed.sort_unstable();
    placed.chunks(columns::MAX_ROWS).try_for_each(|part| emit(Made::Twins(part.to_vec())))
}
