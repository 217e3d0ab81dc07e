//! Imports of rows by the million: a worker reads the file where it lies and sends columnar
//! chunks, the host keeps them by their hashes, and a commit points the dataset at them.
//! The same file read with the same answers gives the same pieces in the same order, so a
//! job that was cut off is run again and what is kept already is not sent.

use super::batches::Rejects;
use super::edits::Edits;
use super::staging::{Outline, SheetOutline};
use super::{Answer, Column, Line, Prepared, Report, Review, SAMPLES, Target, sampled};
use crate::domain::schema::{Dataset, Kind, Record};
use crate::domain::value::Value;
use crate::domain::{Failure, Id, Outcome, text};
use crate::frames::{self, Bytes};
use crate::intake::bulk::codes::{self, Fault, Faults};
use crate::intake::bulk::mend::MENDED;
use crate::intake::bulk::{self, EXTRA, Held, Made, RECORDS, Rows, Said, Tally};
use crate::intake::fixes::Place;
use crate::intake::rules::Weight;
use crate::intake::wins::Aside;
use crate::jobs::{Emit, Out};
use crate::services::datasets::{self, ChunkRef, Difference, Hash, Manifest, Table};
use crate::services::imports::remembered::{self, Remembered};
use crate::services::imports::requests::hex;
use crate::services::{WriteCx, each_live, outlets};
use crate::store::Reads;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
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
    /// Rows of this kind are known already.
    #[serde(default)]
    pub known: bool,
    /// Whom they may name.
    #[serde(default)]
    pub served: bulk::Known,
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
    /// Column → how sure its field was guessed; none where somebody said it.
    confidence: Vec<Option<f64>>,
    samples: Vec<Vec<String>>,
    tally: Tally,
    rows: Rows,
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
    /// What its rows are; known once the worker is through.
    #[serde(default)]
    pub rows: Rows,
}

/// In the worker.
pub fn work(input: &[u8], emit: Emit) -> Outcome<Vec<u8>> {
    let input: Input = frames::decode(input)?;
    emit(Out::Progress { done: 0, total: 1 })?;
    let mut opened = bulk::open(&input.path, &input.spool, input.kind, &input.said)?;
    if let Some(before) = input.remembered.get(&remembered::fingerprint(&opened.layout.titles)) {
        opened.tell(&before.under(&input.said, &opened.layout.titles))?;
    }
    opened.complete(input.known)?;
    opened.known = input.served;
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
        let shown = |cell: &String| sampled(&text::clean(cell), layout.titles.len());
        for text in below.filter_map(|r| r.get(column)).map(shown).filter(|t| !t.is_empty()) {
            if found.len() < SAMPLES && !found.contains(&text) {
                found.push(text);
            }
        }
        found
    };
    frames::encode(&Summary {
        dialect: opened.source.dialect.clone(),
        hash: opened.source.hash,
        header: layout.header,
        titles: layout.titles.clone(),
        fields: layout.fields.iter().map(|f| f.map(|f| f.name.to_owned()).unwrap_or_default()).collect(),
        confidence: (0..layout.titles.len()).map(|column| layout.confidence(column)).collect(),
        samples: (0..layout.titles.len()).map(sample).collect(),
        tally,
        rows: layout.rows,
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
    let known = datasets::record(reads, kind)?.is_some_and(|(_, dataset)| dataset.rows > Some(0));
    let served = match target {
        Target::Outlets => {
            bulk::Known { distributors: called(reads, Kind::Distributor)?, reps: called(reads, Kind::Rep)? }
        }
        _ => bulk::Known::default(),
    };
    frames::encode(&Input { path, spool, kind, said, today, skip, day_minutes, known, served, remembered })
}

/// The codes and names of all of a kind, and its other ones, folded.
fn called(reads: &dyn Reads, kind: Kind) -> Outcome<BTreeSet<String>> {
    let fields = ["external_id", "name", "aliases"].map(|name| kind.schema().field_named(name));
    let mut all = BTreeSet::new();
    each_live(reads, kind, &mut |_, head| {
        for value in fields.iter().flatten().filter_map(|field| head.fields.get(&field.id)) {
            match value {
                Value::Text(name) => all.extend([text::fold(name)]),
                Value::Texts(names) => all.extend(names.iter().map(|name| text::fold(name))),
                _ => {}
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

/// Keeps a piece; returns how many are kept now.
pub fn keep(cx: &mut WriteCx, review: Id, piece: &[u8]) -> Outcome<u32> {
    let piece: Piece = frames::decode(piece)?;
    let mut kept = Vec::new();
    for part in piece.parts {
        kept.push(match part {
            Part::Chunk { first, rows, bytes } => {
                Kept::Chunk(ChunkRef { first, rows, hash: cx.batch.put_blob(&bytes.0)?, patch: None })
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
        (staged.header, staged.rows) = (summary.header, summary.rows);
        let column = |(column, header): (usize, &String)| Column {
            sheet: 0,
            column,
            header: header.clone(),
            samples: summary.samples[column].clone(),
            field: summary.fields[column].clone(),
            confidence: summary.confidence[column],
        };
        staged.columns = summary.titles.iter().enumerate().map(column).collect();
    }
    Ok(())
}

/// The bytes that only a review given up had; `but` are those that this very change keeps.
pub(super) fn forget(cx: &mut WriteCx, review: &Review, but: &HashSet<Hash>) -> Outcome<()> {
    let mut hashes: Vec<Hash> = kept(cx.reads(), review.id)?.iter().map(Kept::hash).collect();
    hashes.extend(review.bulk.as_ref().and_then(|b| b.manifest));
    let used = in_use(cx.reads(), review)?;
    for hash in hashes.iter().filter(|hash| !used.contains(*hash) && !but.contains(*hash)) {
        cx.batch.drop_blob(hash)?;
    }
    Ok(())
}

/// Pieces that datasets, their earlier versions and other reviews are made of.
fn in_use(reads: &dyn Reads, but: &Review) -> Outcome<HashSet<Hash>> {
    let mut manifests = HashSet::new();
    reads.heads(Kind::Batch, Id::default(), &mut |_, bytes| {
        if let Ok(head) = crate::changes::codec::decode_head(bytes) {
            let batch = crate::domain::schema::Batch::from_fields(&head.fields);
            manifests.extend(super::uploads::unhex(&batch.mapping));
        }
        ControlFlow::Continue(())
    })?;
    let mut used = HashSet::new();
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
    /// The manifest that the dataset would have, and its rows.
    hash: Hash,
    rows: u64,
    /// What the file itself gave.
    manifest: Manifest,
    /// Of a file that says a part: what has to be kept, and all that the dataset relies on.
    laid: Option<(Vec<Vec<u8>>, HashSet<Hash>)>,
    columns: Vec<Column>,
    difference: Difference,
    held: Vec<Held>,
    edits: Edits,
    /// Rules whose rows a person set aside.
    aside: BTreeSet<String>,
}

pub(super) fn prepare(
    reads: &dyn Reads,
    review: &Review,
    staged: &Staged,
    append: bool,
) -> Outcome<Prepared> {
    let hash =
        staged.manifest.ok_or_else(|| Failure::conflict(format!("{} is still being read", review.file)))?;
    let mut new = Table::of(reads, review.target.kind(), datasets::manifest(reads, &hash)?);
    let old = datasets::imported(reads, new.kind)?.filter(|old| old.manifest.rows > 0);
    let partial = staged.rows != Rows::Whole;
    let laid = match &old {
        Some(old) if partial || append => {
            let named = datasets::rows_named(reads, new.kind)?;
            Some(datasets::merge(old, &new, &named, append && !partial)?)
        }
        None if partial => {
            return Err(Failure::conflict(format!("{} changes outlets, and there are none", review.file))
                .hint("Import the outlets with their names first"));
        }
        _ => None,
    };
    let edits = match datasets::table(reads, new.kind)? {
        Some(edited) if !edited.overlay.is_empty() => Edits::of(&edited, &new, laid.is_none())?,
        _ => Edits::default(),
    };
    let mut held: Vec<Held> = Vec::new();
    for (_, hash) in &new.manifest.held {
        held.extend(frames::decode::<Vec<Held>>(&datasets::piece(reads, hash)?)?);
    }
    let mut difference = match (&laid, &old) {
        (Some(laid), _) => laid.difference,
        (None, Some(old)) => datasets::difference(old, &new)?,
        (None, None) => Difference { added: new.manifest.rows as usize, ..Difference::default() },
    };
    let (mut hash, mut rows, mut kept) = (hash, new.manifest.rows, None);
    if let Some(mut laid) = laid {
        let unknown = unknown(&new, &laid.unknown, staged)?;
        let merged = &mut new.manifest.tally;
        if !unknown.is_empty() {
            merged.faults.insert(Fault::Unknown.code().into(), unknown.len() as u64);
        }
        merged.held += unknown.len() as u64;
        held.extend(unknown);
        rows = laid.manifest.rows;
        let bytes = frames::encode(&laid.manifest)?;
        hash = blake3::hash(&bytes).into();
        laid.pieces.push(bytes);
        let relied: HashSet<Hash> = laid.manifest.hashes().chain([hash]).collect();
        kept = Some((laid.pieces, relied));
        difference.removed = 0;
    }
    held.sort_by_key(|h| h.record);
    let tally = &new.manifest.tally;
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
    if partial {
        let key = new.kind.schema().fields.first().map_or("", |f| f.name);
        let fields = staged.columns.iter().map(|c| c.field.as_str());
        report.only = fields.filter(|f| !f.is_empty() && *f != key).map(str::to_owned).collect();
    }
    let stored = old.map_or(0, |t| t.manifest.rows as usize);
    if kept.is_none() && stored > 0 && difference.removed as f64 > stored as f64 * MANY_REMOVED {
        let (removed, plural) = (difference.removed, new.kind.schema().plural);
        report.asks.push(format!("{removed} of {stored} {plural} are not in this file and would be removed"));
    }
    let plan = Plan {
        kind: new.kind,
        hash,
        rows,
        laid: kept,
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

/// Rows under keys that nobody has, as they were read; what could not be is not there.
fn unknown(file: &Table, places: &[u32], staged: &Staged) -> Outcome<Vec<Held>> {
    let mut records = Vec::new();
    if !places.is_empty() {
        for (_, hash) in file.manifest.pieces.get(RECORDS).into_iter().flatten() {
            records.extend(datasets::numbers(file.reads(), hash, 0)?);
        }
    }
    let mut fault = Faults::default();
    fault.add(Fault::Unknown);
    let schema = file.kind.schema();
    let number = |c: &Column| schema.field_named(&c.field).map_or(EXTRA | c.column as u16, |f| f.id);
    let mut open: Option<(usize, datasets::Rows)> = None;
    let mut held = Vec::with_capacity(places.len());
    for place in places {
        let Some((chunk, row)) = file.place(u64::from(*place)) else { continue };
        if open.as_ref().is_none_or(|(at, _)| *at != chunk) {
            open = Some((chunk, file.rows(chunk, None)?));
        }
        let Some((_, rows)) = &open else { continue };
        let cells = staged.columns.iter().map(|c| rows.shown(file.kind, number(c), row)).collect();
        let record = records.get(*place as usize).copied().unwrap_or_default();
        held.push(Held { record, faults: fault.0, cells });
    }
    Ok(held)
}

impl Plan {
    /// Points the dataset at the new chunks; false when nothing changes. Legacy activities
    /// are no dataset: their batch alone names the chunks.
    pub fn commit(&self, cx: &mut WriteCx, review: &Review, batch: Id) -> Outcome<bool> {
        if self.kind == Kind::Activity {
            return Ok(true);
        }
        let same = matches!(self.difference, Difference { added: 0, changed: 0, removed: 0, .. });
        if let (Some((pieces, relied)), false) = (&self.laid, same) {
            // What the file gave is laid in and no longer wanted by itself.
            forget(cx, review, relied)?;
            pieces.iter().try_for_each(|piece| cx.batch.put_blob(piece).map(drop))?;
        }
        let name = self.kind.schema().plural;
        let new = Dataset {
            name: name.into(),
            manifest: hex(&self.hash),
            rows: Some(self.rows as i64),
            batch: Some(batch),
        };
        match datasets::record(cx.reads(), self.kind)? {
            None => drop(cx.create(Kind::Dataset, &new.to_fields())?),
            Some((_, old)) if old.manifest == hex(&self.hash) => return Ok(false),
            Some((_, old)) if same && !old.manifest.is_empty() => return Ok(false),
            Some((id, _)) => drop(cx.update(Kind::Dataset, id, |fields| *fields = new.to_fields())?),
        }
        outlets::rebase(cx, &self.edits.rebased)?;
        Ok(true)
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
        // It is said of what is written, not of how the file is read.
        Answer::Append(_) if staged.rows == Rows::Whole => {}
        Answer::Dialect(dialect) => staged.said.dialect = dialect.clone(),
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
