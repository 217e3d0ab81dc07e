//! Imports of rows by the million: a worker reads the file where it lies and sends columnar
//! chunks, the host keeps them by their hashes, and a commit points the dataset at them.
//! The same file read with the same answers gives the same pieces in the same order, so a
//! job that was cut off is run again and what is kept already is not sent.

use super::batches::Rejects;
use super::staging::{Outline, SheetOutline};
use super::{Answer, Column, Line, Prepared, Report, Review, SAMPLES, Target};
use crate::domain::schema::{Dataset, Field, Kind, Record};
use crate::domain::value::Value;
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::frames::{self, Bytes};
use crate::intake::bulk::codes::{self, Faults};
use crate::intake::bulk::mend::MENDED;
use crate::intake::bulk::{self, EXTRA, Held, Made, Said, Tally};
use crate::intake::fixes::Place;
use crate::intake::rules::Weight;
use crate::intake::wins::Aside;
use crate::jobs::{Emit, Out};
use crate::services::datasets::{self, ChunkRef, Difference, Hash, Manifest, Table};
use crate::services::imports::remembered::{self, Remembered};
use crate::services::imports::requests::hex;
use crate::services::{WriteCx, outlets};
use crate::store::Reads;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// The work's name.
pub const KIND: &str = "bulk";
/// Bytes that go between processes, and into one commit, together.
const PIECE_BYTES: usize = 256 << 10;
/// Share of the stored rows that may be missing from a file before it is asked about.
const MANY_REMOVED: f64 = 0.2;
/// Rows of a rule that a review shows.
const MAX_LINES: usize = 10_000;

/// What the worker gets.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Input {
    pub path: PathBuf,
    /// Where it may write what it has to write out anew.
    pub spool: PathBuf,
    pub kind: Kind,
    pub said: Said,
    pub today: NaiveDate,
    /// Pieces that are kept already.
    pub skip: u32,
    /// Of the organisation.
    pub day_minutes: i64,
    /// Fingerprint of columns → what was said of such files before.
    pub remembered: BTreeMap<String, Remembered>,
}

/// A part of a dataset on its way to the host.
#[derive(Serialize, Deserialize, JsonSchema)]
enum Part {
    Chunk { first: String, rows: u32, bytes: Bytes },
    Held { rows: u32, bytes: Bytes },
    Marks { code: String, rows: u32, bytes: Bytes },
    Twins { rows: u32, bytes: Bytes },
    Piece { name: String, rows: u32, bytes: Bytes },
}

/// The same, once its bytes are kept under their hash.
#[derive(Serialize, Deserialize, JsonSchema)]
enum Kept {
    Chunk(ChunkRef),
    Held(u32, Hash),
    Marks(String, u32, Hash),
    Twins(u32, Hash),
    Piece(String, u32, Hash),
}

impl Kept {
    fn hash(&self) -> Hash {
        match self {
            Kept::Chunk(chunk) => chunk.hash,
            Kept::Held(_, hash) | Kept::Marks(_, _, hash) => *hash,
            Kept::Twins(_, hash) | Kept::Piece(_, _, hash) => *hash,
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Piece {
    number: u32,
    parts: Vec<Part>,
}

/// What the worker says at its end.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Summary {
    dialect: String,
    hash: Hash,
    header: usize,
    titles: Vec<String>,
    /// Column → its field, empty for none.
    fields: Vec<String>,
    samples: Vec<Vec<String>>,
    tally: Tally,
}

/// What a review keeps of a file of this kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Staged {
    pub path: PathBuf,
    pub said: Said,
    /// Known once the worker is through.
    pub manifest: Option<Hash>,
    pub columns: Vec<Column>,
    pub header: usize,
    /// What was said when it was started.
    pub began: Said,
}

/// In the worker.
pub fn work(input: &[u8], emit: Emit) -> Outcome<Vec<u8>> {
    let input: Input = frames::decode(input)?;
    emit(Out::Progress { done: 0, total: 1 })?;
    let mut opened = bulk::open(&input.path, &input.spool, input.kind, &input.said)?;
    if let Some(before) = input.remembered.get(&remembered::fingerprint(&opened.layout.titles)) {
        opened.tell(&before.under(&input.said, &opened.layout.titles))?;
    }
    opened.complete()?;
    let hash = opened.source.hash()?;
    let emit = std::cell::RefCell::new(emit);
    let (mut piece, mut held) = (Piece { number: 0, parts: vec![] }, 0);
    let mut send = |part: Option<Part>| -> Outcome<()> {
        let last = part.is_none();
        if let Some(part) = part {
            held += match &part {
                Part::Chunk { bytes, .. } | Part::Held { bytes, .. } => bytes.0.len(),
                Part::Marks { bytes, .. } | Part::Twins { bytes, .. } | Part::Piece { bytes, .. } => {
                    bytes.0.len()
                }
            };
            piece.parts.push(part);
        }
        if held >= PIECE_BYTES || last && !piece.parts.is_empty() {
            let number = piece.number;
            if number >= input.skip {
                (emit.borrow_mut())(Out::Piece(Bytes(frames::encode(&piece)?)))?;
            }
            (piece, held) = (Piece { number: number + 1, parts: vec![] }, 0);
        }
        Ok(())
    };
    let tally = opened.run(
        (input.today, input.day_minutes),
        &mut |made| {
            send(Some(match made {
                Made::Chunk { first, rows, bytes } => Part::Chunk { first, rows, bytes: Bytes(bytes) },
                Made::Held(rows) => {
                    Part::Held { rows: rows.len() as u32, bytes: Bytes(frames::encode(&rows)?) }
                }
                Made::Marks { code, rows } => Part::Marks {
                    code,
                    rows: rows.len() as u32,
                    bytes: Bytes({
                        let (places, records) = rows.into_iter().unzip();
                        datasets::encode_places(&[places, records])
                    }),
                },
                Made::Twins(pairs) => {
                    let (rows, firsts): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
                    let count = rows.len() as u32;
                    Part::Twins { rows: count, bytes: Bytes(datasets::encode_places(&[rows, firsts])) }
                }
                Made::Piece { name, rows, bytes } => {
                    Part::Piece { name: name.into(), rows, bytes: Bytes(bytes) }
                }
            }))
        },
        &mut |done, total| (emit.borrow_mut())(Out::Progress { done, total }),
    )?;
    send(None)?;
    let layout = &opened.layout;
    let sample = |column: usize| -> Vec<String> {
        let below = opened.source.head.iter().skip(layout.header + 1);
        let mut found: Vec<String> = Vec::new();
        for text in below.filter_map(|r| r.get(column)).map(|t| text::clean(t)).filter(|t| !t.is_empty()) {
            if found.len() < SAMPLES && !found.contains(&text) {
                found.push(text);
            }
        }
        found
    };
    frames::encode(&Summary {
        dialect: opened.source.dialect.clone(),
        hash,
        header: layout.header,
        titles: layout.titles.clone(),
        fields: layout.fields.iter().map(|f| f.map(|f| f.name.to_owned()).unwrap_or_default()).collect(),
        samples: (0..layout.titles.len()).map(sample).collect(),
        tally,
    })
}

/// What the worker of a review's job gets.
pub fn job_input(
    reads: &dyn Reads,
    staged: &Staged,
    target: Target,
    (today, day_minutes): (NaiveDate, i64),
    skip: u32,
) -> Outcome<Vec<u8>> {
    let (path, said) = (staged.path.clone(), staged.said.clone());
    let spool = std::env::temp_dir().join(format!("pams-{}", std::process::id()));
    let kind = target.kind();
    let remembered = remembered::remembered(reads, kind)?;
    frames::encode(&Input { path, spool, kind, said, today, skip, day_minutes, remembered })
}

/// Keeps a piece; returns how many are kept now.
pub fn keep(cx: &mut WriteCx, review: Id, piece: &[u8]) -> Outcome<u32> {
    let piece: Piece = frames::decode(piece)?;
    let mut kept = Vec::new();
    for part in piece.parts {
        kept.push(match part {
            Part::Chunk { first, rows, bytes } => {
                Kept::Chunk(ChunkRef { first, rows, hash: cx.batch.put_blob(&bytes.0)? })
            }
            Part::Held { rows, bytes } => Kept::Held(rows, cx.batch.put_blob(&bytes.0)?),
            Part::Marks { code, rows, bytes } => Kept::Marks(code, rows, cx.batch.put_blob(&bytes.0)?),
            Part::Twins { rows, bytes } => Kept::Twins(rows, cx.batch.put_blob(&bytes.0)?),
            Part::Piece { name, rows, bytes } => Kept::Piece(name, rows, cx.batch.put_blob(&bytes.0)?),
        });
    }
    cx.batch.put_staged(review, piece.number, &frames::encode(&kept)?)?;
    Ok(piece.number + 1)
}

/// What is kept of a review, in order.
fn kept(reads: &dyn Reads, review: Id) -> Outcome<Vec<Kept>> {
    let (mut all, mut failed) = (Vec::new(), None);
    reads.staged(review, 0, &mut |_, bytes| match frames::decode::<Vec<Kept>>(bytes) {
        Ok(some) => {
            all.extend(some);
            ControlFlow::Continue(())
        }
        Err(failure) => {
            failed = Some(failure);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(all), Err)
}

/// The worker is through: what it sent becomes a manifest.
pub(super) fn ended(cx: &mut WriteCx, review: &mut Review, summary: &[u8]) -> Outcome<()> {
    let summary: Summary = frames::decode(summary)?;
    let mut manifest = Manifest {
        rows: summary.tally.taken,
        tally: summary.tally,
        fields: summary.fields.clone(),
        ..Manifest::default()
    };
    for (column, title) in summary.titles.iter().enumerate() {
        if summary.fields[column].is_empty() {
            manifest.extras.insert(EXTRA | column as u16, title.clone());
        }
    }
    for part in kept(cx.reads(), review.id)? {
        match part {
            Kept::Chunk(chunk) => manifest.chunks.push(chunk),
            Kept::Held(rows, hash) => manifest.held.push((rows, hash)),
            Kept::Marks(code, rows, hash) => manifest.marks.entry(code).or_default().push((rows, hash)),
            Kept::Twins(rows, hash) => manifest.twins.push((rows, hash)),
            Kept::Piece(name, rows, hash) => manifest.pieces.entry(name).or_default().push((rows, hash)),
        }
    }
    let counted: u64 = manifest.chunks.iter().map(|c| u64::from(c.rows)).sum();
    if counted != manifest.rows {
        return Err(Failure::internal(format!("{counted} of {} rows arrived", manifest.rows)));
    }
    review.hash = summary.hash;
    let rows = summary.header + 1 + manifest.tally.records as usize;
    let sheet = SheetOutline { name: String::new(), hidden: false, rows };
    review.outline = Some(Outline { dialect: summary.dialect, sheets: vec![sheet] });
    let hash = cx.batch.put_blob(&frames::encode(&manifest)?)?;
    if let Some(staged) = &mut review.bulk {
        staged.manifest = Some(hash);
        staged.header = summary.header;
        let column = |(column, header): (usize, &String)| Column {
            sheet: 0,
            column,
            header: header.clone(),
            samples: summary.samples[column].clone(),
            field: summary.fields[column].clone(),
        };
        staged.columns = summary.titles.iter().enumerate().map(column).collect();
    }
    Ok(())
}

/// The bytes that only a review given up had.
pub(super) fn forget(cx: &mut WriteCx, review: &Review) -> Outcome<()> {
    let mut hashes: Vec<Hash> = kept(cx.reads(), review.id)?.iter().map(Kept::hash).collect();
    hashes.extend(review.bulk.as_ref().and_then(|b| b.manifest));
    for hash in in_use(cx.reads(), review)? {
        hashes.retain(|h| *h != hash);
    }
    for hash in hashes {
        cx.batch.drop_blob(&hash)?;
    }
    Ok(())
}

/// Pieces that datasets, their earlier versions and other reviews are made of.
fn in_use(reads: &dyn Reads, but: &Review) -> Outcome<std::collections::BTreeSet<Hash>> {
    let mut manifests = std::collections::BTreeSet::new();
    reads.heads(Kind::Batch, Id::default(), &mut |_, bytes| {
        if let Ok(head) = crate::changes::codec::decode_head(bytes) {
            let batch = crate::domain::schema::Batch::from_fields(&head.fields);
            manifests.extend(super::uploads::unhex(&batch.mapping));
        }
        ControlFlow::Continue(())
    })?;
    let mut used = std::collections::BTreeSet::new();
    for other in super::requests::reviews(reads)?.iter().filter(|r| r.id != but.id && r.bulk.is_some()) {
        used.extend(kept(reads, other.id)?.iter().map(Kept::hash));
        used.extend(other.bulk.as_ref().and_then(|b| b.manifest));
    }
    for hash in manifests {
        let Ok(manifest) = datasets::manifest(reads, &hash) else { continue };
        used.insert(hash);
        used.extend(manifest.hashes());
    }
    Ok(used)
}

/// What a commit would write.
pub struct Plan {
    kind: Kind,
    hash: Hash,
    manifest: Manifest,
    columns: Vec<Column>,
    difference: Difference,
    held: Vec<Held>,
    edits: Edits,
    /// Rules whose rows a person set aside.
    aside: BTreeSet<String>,
}

/// What becomes of people's edits when the rows below them change.
#[derive(Default)]
struct Edits {
    /// Key → what is left of the edit, of those that do not stay as they are.
    rebased: Vec<(String, Fields)>,
    /// Keys of edits that the file contradicts: they stay.
    differ: Vec<String>,
}

impl Edits {
    /// Three-way: the imported row is the base, the edit is mine, the file's row theirs.
    fn of(old: &Table, new: &Table) -> Outcome<Edits> {
        let (mut edits, kind) = (Edits::default(), new.kind);
        let mut columns: Vec<u16> = old.overlay.values().flat_map(|edit| edit.keys().copied()).collect();
        let schema = kind.schema();
        let cleared = |f: &&Field| old.overlay.values().any(|e| datasets::is_cleared(kind, e, f.id));
        columns.extend(schema.fields.iter().filter(cleared).map(|f| f.id));
        columns.push(new.key());
        columns.sort_unstable();
        columns.dedup();
        let raw = Table::of(old.reads(), kind, old.manifest.clone());
        let (mut below, mut above) = (Cursor::new(&raw, &columns), Cursor::new(new, &columns));
        for (key, edit) in &old.overlay {
            let Some(now) = above.fields(key)? else {
                // The outlet is not in the file: its edit goes with it.
                edits.rebased.push((key.clone(), [(1, Value::Text(key.clone()))].into()));
                continue;
            };
            let base = below.fields(key)?.unwrap_or_default();
            let (left, differ) = outlets::rebased(kind, edit, &base, &now);
            if differ > 0 {
                edits.differ.push(key.clone());
            }
            if left != *edit {
                edits.rebased.push((key.clone(), left));
            }
        }
        Ok(edits)
    }
}

/// Looks rows up in the order of their keys.
struct Cursor<'a> {
    table: &'a Table<'a>,
    columns: &'a [u16],
    open: Option<(usize, datasets::Rows)>,
}

impl<'a> Cursor<'a> {
    fn new(table: &'a Table<'a>, columns: &'a [u16]) -> Cursor<'a> {
        Cursor { table, columns, open: None }
    }

    fn fields(&mut self, key: &str) -> Outcome<Option<Fields>> {
        let Some(chunk) = self.table.chunk_of(key) else { return Ok(None) };
        if self.open.as_ref().is_none_or(|(n, _)| *n != chunk) {
            self.open = Some((chunk, self.table.rows(chunk, Some(self.columns))?));
        }
        let rows = self.open.as_ref().map(|(_, rows)| rows);
        Ok(rows.and_then(|r| r.find(self.table.key(), key).map(|row| r.fields(self.table.kind, row))))
    }
}

pub(super) fn prepare(reads: &dyn Reads, review: &Review, staged: &Staged) -> Outcome<Prepared> {
    let hash =
        staged.manifest.ok_or_else(|| Failure::conflict(format!("{} is still being read", review.file)))?;
    let new = Table::of(reads, review.target.kind(), datasets::manifest(reads, &hash)?);
    let old = datasets::imported(reads, new.kind)?;
    let edits = match datasets::table(reads, new.kind)? {
        Some(laid) if !laid.overlay.is_empty() => Edits::of(&laid, &new)?,
        _ => Edits::default(),
    };
    let difference = match &old {
        Some(old) => datasets::difference(old, &new)?,
        None => Difference { added: new.manifest.rows as usize, ..Difference::default() },
    };
    let tally = &new.manifest.tally;
    let mut held: Vec<Held> = Vec::new();
    for (_, hash) in &new.manifest.held {
        held.extend(frames::decode::<Vec<Held>>(&datasets::piece(reads, hash)?)?);
    }
    held.sort_by_key(|h| h.record);
    let mut report = Report {
        rows: tally.records as usize,
        rejected: tally.held as usize,
        merged: tally.merged as usize,
        skipped: (tally.blank + tally.headers + tally.totals) as usize,
        added: difference.added,
        changed: difference.changed,
        removed: difference.removed,
        same: difference.same,
        columns: staged.columns.clone(),
        unmapped: staged.columns.iter().filter(|c| c.field.is_empty()).map(|c| c.header.clone()).collect(),
        sheets: vec![String::new()],
        reasons: tally.faults.iter().map(|(code, rows)| (code.clone(), *rows as usize)).collect(),
        ..Report::default()
    };
    for (code, rows) in [("FIL-06", tally.blank), ("FIL-07", tally.headers), ("FIL-13", tally.totals)] {
        if rows > 0 {
            report.reasons.insert(code.into(), rows as usize);
        }
    }
    if !edits.differ.is_empty() {
        report.reasons.insert("OUT-08".into(), edits.differ.len());
    }
    let stored = old.map_or(0, |t| t.manifest.rows as usize);
    if stored > 0 && difference.removed as f64 > stored as f64 * MANY_REMOVED {
        let (removed, plural) = (difference.removed, new.kind.schema().plural);
        report.asks.push(format!("{removed} of {stored} {plural} are not in this file and would be removed"));
    }
    let plan = Plan {
        kind: new.kind,
        hash,
        columns: staged.columns.clone(),
        difference,
        held,
        manifest: new.manifest,
        edits,
        aside: staged.said.aside.clone(),
    };
    report.aside = plan.rejects().rows.into_iter().take(super::MAX_SHOWN).collect();
    Ok(Prepared { report, plan: super::Plan::Bulk(Box::new(plan)) })
}

impl Plan {
    /// Points the dataset at the new chunks; false when nothing changes. Legacy activities
    /// are no dataset: their batch alone names the chunks.
    pub fn commit(&self, cx: &mut WriteCx, batch: Id) -> Outcome<bool> {
        if self.kind == Kind::Activity {
            return Ok(true);
        }
        let name = self.kind.schema().plural;
        let new = Dataset {
            name: name.into(),
            manifest: hex(&self.hash),
            rows: Some(self.manifest.rows as i64),
            batch: Some(batch),
        };
        match datasets::record(cx.reads(), self.kind)? {
            None => drop(cx.create(Kind::Dataset, &new.to_fields())?),
            Some((_, old)) if self.is_same(&old) => return Ok(false),
            Some((id, _)) => drop(cx.update(Kind::Dataset, id, |fields| *fields = new.to_fields())?),
        }
        outlets::rebase(cx, &self.edits.rebased)?;
        Ok(true)
    }

    fn is_same(&self, old: &Dataset) -> bool {
        let Difference { added, changed, removed, .. } = self.difference;
        old.manifest == hex(&self.hash) || !old.manifest.is_empty() && added + changed + removed == 0
    }

    pub fn manifest(&self) -> String {
        hex(&self.hash)
    }

    /// (code, decided) → rows.
    pub fn counts(&self) -> BTreeMap<(String, bool), usize> {
        let tally = &self.manifest.tally;
        let skipped = [("FIL-06", tally.blank), ("FIL-07", tally.headers), ("FIL-13", tally.totals)];
        let edits = [("OUT-08", self.edits.differ.len() as u64)];
        let decided = |code: &str| code == "REV-01" || self.aside.contains(code);
        let all = tally.faults.iter().map(|(code, rows)| (code.as_str(), *rows)).chain(skipped).chain(edits);
        all.filter(|(_, rows)| *rows > 0)
            .map(|(code, rows)| ((code.to_owned(), decided(code)), rows as usize))
            .collect()
    }

    pub fn rejects(&self) -> Rejects {
        let header = self.columns.iter().map(|c| c.header.clone()).collect();
        let aside = |held: &Held| {
            let first = Faults(held.faults).iter().find(|f| codes::rule(*f).weight == Weight::Fix);
            let code = first.map_or("REV-01", |f| f.code());
            Aside {
                sheet: 0,
                row: held.record as usize + 1,
                code: code.into(),
                message: first.map_or("", |f| codes::rule(f).label).into(),
                field: field_of(code).into(),
                raw: self.cell(held, field_of(code)),
                decided: false,
                cells: held.cells.clone(),
            }
        };
        Rejects { header, rows: self.held.iter().map(aside).collect(), next: None }
    }

    fn cell(&self, held: &Held, field: &str) -> String {
        let column = self.columns.iter().find(|c| c.field == field).map(|c| c.column);
        column.and_then(|c| held.cells.get(c)).cloned().unwrap_or_default()
    }

    /// Rows of a rule: those held back, and of the others the first ones.
    pub fn lines(&self, reads: &dyn Reads, code: &str) -> Outcome<Vec<Line>> {
        let has = |h: &&Held| Faults(h.faults).iter().any(|f| f.code() == code);
        let label = crate::intake::rules::find(code).map_or("", |r| r.label);
        let mut lines: Vec<Line> = Vec::new();
        for held in self.held.iter().filter(has).take(MAX_LINES) {
            let named = self.columns.iter().filter(|c| !c.field.is_empty());
            let cells = named.filter_map(|c| Some((c.field.clone(), held.cells.get(c.column)?.clone())));
            lines.push(Line {
                place: (0, held.record as usize + 1),
                code: code.into(),
                message: label.into(),
                field: field_of(code).into(),
                raw: self.cell(held, field_of(code)),
                cells: cells.filter(|(_, t)| !t.is_empty()).collect(),
                ..Line::default()
            });
        }
        let table = Table::of(reads, self.kind, self.manifest.clone());
        let mut rows: Option<(usize, datasets::Rows)> = None;
        let mut places = table.marked_records(code)?;
        if code == "OUT-08" {
            for key in &self.edits.differ {
                places.push((table.seek(key)? as u32, 0));
            }
        }
        for (place, record) in places.into_iter().take(MAX_LINES - lines.len()) {
            let Some((chunk, row)) = table.place(u64::from(place)) else { continue };
            if rows.as_ref().is_none_or(|(n, _)| *n != chunk) {
                rows = Some((chunk, table.rows(chunk, None)?));
            }
            let Some((_, of)) = &rows else { continue };
            let fields = self.kind.schema().fields.iter();
            let cells: Vec<(String, String)> = fields
                .map(|f| (f.name.to_owned(), of.shown(self.kind, f.id, row)))
                .filter(|(_, t)| !t.is_empty())
                .collect();
            let raw = cells.iter().find(|(f, _)| f == field_of(code)).map(|(_, t)| t.clone());
            lines.push(Line {
                place: (0, record as usize + 1),
                code: code.into(),
                message: label.into(),
                field: field_of(code).into(),
                raw: raw.unwrap_or_default(),
                cells,
                ..Line::default()
            });
        }
        Ok(lines)
    }
}

/// The field that a rule is about.
fn field_of(code: &str) -> &'static str {
    codes::fields_of(code)[0]
}

/// An answer that changes how the file is read: it is read again. Others have no meaning
/// for rows by the million yet.
pub(super) fn answer(staged: &mut Staged, answer: &Answer) -> Outcome<()> {
    match answer {
        Answer::Table { header: Some(header), .. } => staged.said.header = Some(*header),
        Answer::Dates(order) => staged.said.dates = order.clone(),
        Answer::Column { field, column: Some(column), .. } => {
            drop(staged.said.columns.insert(*column, Some(field.clone())));
        }
        Answer::Column { field, column: None, .. } => {
            let column = staged.columns.iter().find(|c| c.field == *field).map(|c| c.column);
            column.map(|c| staged.said.columns.insert(c, None));
        }
        Answer::Value { field, raw, value } => {
            staged.said.values.insert((field.clone(), text::fold(raw)), value.clone());
        }
        Answer::Cell { place, field, value } => {
            staged.said.cells.insert((record(place), field.clone()), value.clone());
        }
        Answer::Prefer(place) => drop(staged.said.prefer.insert(record(place))),
        Answer::Aside(places) => staged.said.aside_rows.extend(places.iter().map(record)),
        Answer::AsideAlike { code, raw: None } => drop(staged.said.aside.insert(code.clone())),
        Answer::Mend(code) if MENDED.iter().any(|(of, _)| of == code) => {
            staged.said.mend.insert(code.clone());
        }
        Answer::Mend(code) => {
            return Err(Failure::usage(format!("{code} needs a person for each row"))
                .hint(format!("What is mended for all rows alike: {}", MENDED.map(|m| m.0).join(", "))));
        }
        _ => return Err(Failure::usage("That is not said of such files")),
    }
    Ok(())
}

/// The record in the file, from 0, of a row that people count from 1.
fn record(place: &Place) -> u32 {
    place.1.saturating_sub(1) as u32
}
