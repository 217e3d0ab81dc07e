//! Snapshots: the core columns of a unit's outlets as one compressed piece, known by its
//! hash, so that planning opens a unit without looking through all outlets. Derived: cut
//! again whenever what they were cut from has changed; the old one stays until then.

use super::units::{find, places, units};
use super::{Weighed, outlets};
use crate::columns::{self, Chunk, Column, Numbers, Texts};
use crate::domain::schema::{Kind, Type, Unit};
use crate::domain::{Failure, Id, Outcome};
use crate::frames;
use crate::services::datasets::{self, Hash, Rows};
use crate::services::outlets::filter::Filter;
use crate::services::{Command, Query, ReadCx, WriteCx};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Local state: one row a unit. The number goes up with the columns: what was cut before
/// counts as missing.
const SNAPSHOT: &str = "snapshot/3/";
/// What planning needs of each outlet before it asks for more.
const CORE: [&str; 15] = [
    "code",
    "latitude",
    "longitude",
    "visit_frequency",
    "avg_sales",
    "channel",
    "class",
    "beat",
    "distributor_code",
    "salesperson_code",
    "name",
    "status",
    "opening_hours",
    "visit_day",
    "visit_order",
];

/// A snapshot that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Its pieces, each of at most [`columns::MAX_ROWS`] outlets.
    pieces: Vec<Hash>,
    pub outlets: u64,
    pub bytes: u64,
    /// The places it was cut from, and the log's end then.
    from: Vec<String>,
    seq: u64,
    pub version: u32,
}

/// Texts, then numbers: a column each, over all outlets.
pub type Columns = (Vec<Vec<String>>, Vec<Vec<Option<i64>>>);

/// The snapshot of a unit, an old one where there is no newer.
pub fn current(reads: &dyn Reads, id: Id, unit: &Unit) -> Outcome<Snapshot> {
    kept(reads, id)?.ok_or_else(|| {
        Failure::not_found(format!("{} has no snapshot yet", unit.name)).hint("`pams snapshot cut` makes it")
    })
}

fn damaged(e: impl std::fmt::Display) -> Failure {
    Failure::internal(format!("A snapshot is damaged: {e}")).hint("`pams snapshot cut` makes it anew")
}

impl Snapshot {
    /// Its pieces, one after the other.
    fn each(&self, reads: &dyn Reads, visit: &mut dyn FnMut(&Chunk) -> Outcome<()>) -> Outcome<()> {
        for piece in &self.pieces {
            let bytes = datasets::piece(reads, piece)?;
            visit(&Chunk::read(&bytes).map_err(damaged)?)?;
        }
        Ok(())
    }

    /// What tells whether it was cut anew.
    pub fn mark(&self) -> Outcome<Vec<u8>> {
        frames::encode(&self.pieces)
    }

    /// The codes of the outlets that a filter lets through.
    ///
    /// # Errors
    /// The filter names a field that snapshots do not have.
    pub fn fitting(&self, reads: &dyn Reads, filter: &Filter) -> Outcome<Vec<String>> {
        let schema = Kind::Outlet.schema();
        let core: Vec<u16> = CORE.iter().filter_map(|name| schema.field_named(name)).map(|f| f.id).collect();
        if let Some(field) = filter.beyond(&core).and_then(|number| schema.field(number)) {
            return Err(Failure::usage(format!("Planning does not read the {} of outlets", field.label()))
                .hint(format!("It reads {}", CORE.join(", "))));
        }
        let (code, mut columns) = (core[0], filter.columns());
        columns.push(code);
        let mut codes = Vec::new();
        self.each(reads, &mut |chunk| {
            let rows = Rows::of(Kind::Outlet, chunk, &columns)?;
            let fits = filter.fits(&rows);
            let through = (0..rows.count).filter(|row| fits[*row]);
            codes.extend(through.map(|row| rows.text(code, row).to_owned()));
            Ok(())
        })?;
        Ok(codes)
    }

    /// Some of its columns: texts, then numbers, each over all outlets.
    pub fn columns(&self, reads: &dyn Reads, texts: &[&str], numbers: &[&str]) -> Outcome<Columns> {
        let number = |name: &&str| Kind::Outlet.schema().field_named(name).map_or(0, |f| f.id);
        let mut all = (vec![Vec::new(); texts.len()], vec![Vec::new(); numbers.len()]);
        self.each(reads, &mut |chunk| {
            for (name, into) in texts.iter().zip(&mut all.0) {
                let column = chunk.texts(number(name)).map_err(damaged)?;
                into.extend(column.iter().map(str::to_owned));
            }
            for (name, into) in numbers.iter().zip(&mut all.1) {
                into.extend(chunk.numbers(number(name)).map_err(damaged)?.0);
            }
            Ok(())
        })?;
        Ok(all)
    }
}

pub(super) fn kept(reads: &dyn Reads, unit: Id) -> Outcome<Option<Snapshot>> {
    reads.local(&format!("{SNAPSHOT}{unit}"))?.map(|bytes| frames::decode(&bytes)).transpose()
}

/// The log's place of the last change of an outlet, by a person or a file.
fn last_edit(reads: &dyn Reads) -> Outcome<u64> {
    let mut last = 0;
    for kind in [Kind::Outlet, Kind::Dataset] {
        reads.heads(kind, Id::default(), &mut |_, bytes| {
            if let Ok(head) = crate::changes::codec::decode_head(bytes) {
                last = last.max(head.rev);
            }
            std::ops::ControlFlow::Continue(())
        })?;
    }
    Ok(last)
}

fn is_current(snapshot: &Snapshot, unit: &Unit, last_edit: u64) -> bool {
    snapshot.from == unit.places && snapshot.seq >= last_edit
}

/// Cuts the snapshots that are missing or old, up to so many outlets.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct CutSnapshots {
    /// Only this unit.
    pub unit: Option<String>,
    pub outlets: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    pub cut: usize,
    pub outlets: u64,
    pub bytes: u64,
    /// Units that still wait.
    pub left: usize,
}

impl Command for CutSnapshots {
    const NAME: &'static str = "territories.cut";
    type Reply = Cut;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Cut> {
        let last_edit = last_edit(cx.reads())?;
        let dataset = datasets::rows_named(cx.reads(), Kind::Outlet)?;
        let wanted = match &self.unit {
            Some(which) => vec![find(cx.reads(), which)?],
            None => units(cx.reads())?.into_iter().map(|(id, unit, _)| (id, unit)).collect(),
        };
        let mut done = Cut::default();
        for (id, unit) in wanted {
            let before = kept(cx.reads(), id)?;
            if before.as_ref().is_some_and(|s| is_current(s, &unit, last_edit)) {
                continue;
            }
            if unit.dataset != dataset {
                return Err(Failure::conflict("The outlets were imported anew since the units were made")
                    .hint("`pams territory split` makes them anew"));
            }
            if done.outlets >= self.outlets.max(1) {
                done.left += 1;
                continue;
            }
            let pieces = encode(cx.reads(), &unit)?;
            let bytes = pieces.iter().map(|p| p.len() as u64).sum();
            let pieces = pieces.iter().map(|p| Ok(cx.batch.put_blob(p)?)).collect::<Outcome<Vec<Hash>>>()?;
            let outlets = unit.outlets.unwrap_or(0) as u64;
            let seq = cx.reads().last_seq()?;
            let version = before.map_or(1, |s| s.version + 1);
            let snapshot = Snapshot { pieces, outlets, bytes, from: unit.places.clone(), seq, version };
            cx.batch.set_local(&format!("{SNAPSHOT}{id}"), Some(&frames::encode(&snapshot)?))?;
            (done.cut, done.outlets, done.bytes) = (done.cut + 1, done.outlets + outlets, done.bytes + bytes);
        }
        Ok(done)
    }
}

fn core() -> impl Iterator<Item = (u16, bool)> {
    let fields = CORE.iter().filter_map(|n| Kind::Outlet.schema().field_named(n));
    fields.map(|f| (f.id, f.kind == Type::Decimal))
}

/// The core columns of a unit's outlets.
fn encode(reads: &dyn Reads, unit: &Unit) -> Outcome<Vec<Vec<u8>>> {
    let table = outlets(reads)?;
    let by = Weighed::of(&table)?;
    let mut wanted: Vec<u16> = core().map(|(number, _)| number).collect();
    wanted.sort_unstable();
    let places = places(&table, unit)?;
    let mut pieces = Vec::new();
    for part in places.chunks(columns::MAX_ROWS) {
        let mut made: Vec<(u16, Column)> = core()
            .map(|(number, decimal)| match decimal {
                true => (number, Column::Numbers(Numbers::default())),
                false => (number, Column::Texts(Texts::default())),
            })
            .collect();
        let mut open: Option<(usize, datasets::Rows)> = None;
        for place in part {
            let (chunk, row) = table
                .place(u64::from(*place))
                .ok_or_else(|| Failure::internal("A unit names an outlet that is not there"))?;
            if open.as_ref().is_none_or(|(n, _)| *n != chunk) {
                open = Some((chunk, table.rows(chunk, Some(&wanted))?));
            }
            let Some((_, rows)) = &open else { continue };
            // A position that cannot be right is none.
            let at = by.position(rows, row, u64::from(*place));
            for (number, column) in &mut made {
                match column {
                    Column::Texts(texts) => texts.push(rows.text(*number, row)),
                    Column::Numbers(numbers) if *number == by.lat => {
                        numbers.0.push(at.map(|(lat, _)| i64::from(lat)));
                    }
                    Column::Numbers(numbers) if *number == by.lon => {
                        numbers.0.push(at.map(|(_, lon)| i64::from(lon)));
                    }
                    Column::Numbers(numbers) => numbers.0.push(rows.number(*number, row)),
                }
            }
        }
        pieces.push(columns::encode(made.iter().map(|(n, c)| (*n, c))));
    }
    Ok(pieces)
}

/// The snapshots that are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListSnapshots {}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotShown {
    pub unit: String,
    pub outlets: u64,
    pub bytes: u64,
    pub bytes_each: f64,
    pub version: u32,
    /// BLAKE3 of its first piece, in hexadecimal.
    pub hash: String,
    /// "current", "old" or "missing"
    pub state: String,
}

impl Query for ListSnapshots {
    const NAME: &'static str = "territories.snapshots";
    type Reply = Vec<SnapshotShown>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<SnapshotShown>> {
        let last_edit = last_edit(cx.reads)?;
        let mut all = Vec::new();
        for (id, unit, _) in units(cx.reads)? {
            let snapshot = kept(cx.reads, id)?;
            let state = match &snapshot {
                None => "missing",
                Some(s) if is_current(s, &unit, last_edit) => "current",
                Some(_) => "old",
            };
            let (outlets, bytes) = snapshot.as_ref().map_or((0, 0), |s| (s.outlets, s.bytes));
            all.push(SnapshotShown {
                unit: unit.name,
                outlets,
                bytes,
                bytes_each: bytes as f64 / outlets.max(1) as f64,
                version: snapshot.as_ref().map_or(0, |s| s.version),
                hash: snapshot
                    .and_then(|s| s.pieces.first().map(crate::services::imports::hex))
                    .unwrap_or_default(),
                state: state.into(),
            });
        }
        Ok(all)
    }
}

/// Opens a unit's snapshot: what planning does first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct OpenUnit {
    pub unit: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct OpenedUnit {
    pub unit: String,
    pub outlets: u64,
    pub bytes: u64,
    /// Milliseconds from the stored bytes to columns in memory, reading included.
    pub opened_ms: f64,
    /// Outlets with a position, and the box they are in, in millionths of a degree.
    pub placed: u64,
    pub area: [i32; 4],
    /// Positions to draw, some of them where there are many.
    pub points: Vec<(i32, i32)>,
}

/// Points that a map shows.
const DRAWN: usize = 4_000;

impl Query for OpenUnit {
    const NAME: &'static str = "territories.open";
    type Reply = OpenedUnit;

    fn run(&self, cx: &ReadCx) -> Outcome<OpenedUnit> {
        let (id, unit) = find(cx.reads, &self.unit)?;
        let snapshot = current(cx.reads, id, &unit)?;
        // A stopwatch for people, not a decision.
        let start = Instant::now();
        let number = |name: &str| Kind::Outlet.schema().field_named(name).map_or(0, |f| f.id);
        let mut sum = super::Sum::default();
        let mut opened = OpenedUnit {
            unit: unit.name,
            outlets: snapshot.outlets,
            bytes: snapshot.bytes,
            ..OpenedUnit::default()
        };
        let step = (snapshot.outlets as usize / DRAWN).max(1);
        snapshot.each(cx.reads, &mut |chunk| {
            let mut texts = Vec::new();
            for (number, decimal) in core() {
                if !decimal {
                    texts.push(chunk.texts(number).map_err(damaged)?);
                }
            }
            let (Numbers(lats), Numbers(lons)) = (
                chunk.numbers(number("latitude")).map_err(damaged)?,
                chunk.numbers(number("longitude")).map_err(damaged)?,
            );
            for name in ["visit_frequency", "avg_sales", "visit_order"] {
                chunk.numbers(number(name)).map_err(damaged)?;
            }
            for (n, (lat, lon)) in lats.iter().zip(&lons).enumerate() {
                if let (Some(lat), Some(lon)) = (lat, lon) {
                    sum.place(*lat as i32, *lon as i32);
                    if n % step == 0 {
                        opened.points.push((*lat as i32, *lon as i32));
                    }
                }
            }
            Ok(())
        })?;
        (opened.placed, opened.area) = (sum.placed, sum.area);
        opened.opened_ms = start.elapsed().as_secs_f64() * 1e3;
        Ok(opened)
    }
}
