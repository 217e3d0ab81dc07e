//! Tables of rows by the million: a manifest names the chunks, a record of the log names the
//! manifest. Rows lie in the order of their keys.

mod difference;
mod merge;
mod rows;
mod spots;

pub use difference::{Difference, difference};
pub use merge::{Merged, merge};
pub use rows::{Gathered, Rows};
pub use spots::Area;

use crate::columns::{Chunk, Column, Numbers};
use crate::domain::schema::{Dataset, Kind, Record};
use crate::domain::value::FieldId;
use crate::domain::{Failure, Fields, Id, Outcome, Value};
use crate::frames;
use crate::intake::bulk::{Tally, codes};
use crate::services::each_live;
use crate::services::imports::uploads::unhex;
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};

/// Columns to read, each once, in order.
pub fn sorted(columns: impl IntoIterator<Item = FieldId>) -> Vec<FieldId> {
    let mut columns: Vec<FieldId> = columns.into_iter().collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// A chunk, or another piece of a dataset, by the hash of its bytes.
pub type Hash = [u8; 32];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkRef {
    /// Key of its first row.
    pub first: String,
    pub rows: u32,
    pub hash: Hash,
    /// A piece with some columns of the same rows, in place of the chunk's own: what a file
    /// changed that named only those.
    #[serde(default)]
    pub patch: Option<Hash>,
}

/// What a dataset is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    pub rows: u64,
    pub chunks: Vec<ChunkRef>,
    /// Column of the file → its field, empty for none.
    pub fields: Vec<String>,
    /// Columns of the file that are no field, by their numbers: their titles.
    pub extras: BTreeMap<u16, String>,
    /// Code of a rule → pieces with the places of its rows.
    pub marks: BTreeMap<String, Vec<(u32, Hash)>>,
    /// Pieces with places of rows and of those they double.
    pub twins: Vec<(u32, Hash)>,
    /// Pieces with rows that are held back.
    pub held: Vec<(u32, Hash)>,
    pub tally: Tally,
    /// Pieces of another meaning, by its name.
    #[serde(default)]
    pub pieces: BTreeMap<String, Vec<(u32, Hash)>>,
    /// The manifest whose rows these are, in hex, where a file changed columns of them and
    /// nothing else: what was cut from that one is right for this one.
    #[serde(default)]
    pub rows_of: Option<String>,
}

impl Manifest {
    /// Every piece that it names.
    pub fn hashes(&self) -> impl Iterator<Item = Hash> {
        let lists = self.marks.values().chain(self.pieces.values()).flatten();
        let lists = lists.chain(&self.twins).chain(&self.held).map(|(_, hash)| *hash);
        self.chunks.iter().flat_map(|chunk| [Some(chunk.hash), chunk.patch]).flatten().chain(lists)
    }
}

/// A manifest and where to read what it names.
pub struct Table<'a> {
    reads: &'a dyn Reads,
    pub kind: Kind,
    pub manifest: Manifest,
    /// What people changed of rows, by key; empty for the rows as they were imported.
    pub overlay: BTreeMap<String, Fields>,
    /// Chunk → the place of its first row; one more at the end.
    places: Vec<u64>,
    edited: OnceCell<Vec<Option<u32>>>,
}

/// The record of a kind's dataset.
pub fn record(reads: &dyn Reads, kind: Kind) -> Outcome<Option<(Id, Dataset)>> {
    let name = kind.schema().plural;
    for id in reads.index_ids(IndexKey::new(120).text(name), 1)? {
        if let Some(fields) = reads.fields(Kind::Dataset, id)? {
            return Ok(Some((id, Dataset::from_fields(&fields))));
        }
    }
    Ok(None)
}

/// What names the rows of a kind's dataset and their order, whatever their columns say; empty
/// before the first import.
pub fn rows_named(reads: &dyn Reads, kind: Kind) -> Outcome<String> {
    let name = record(reads, kind)?.map(|(_, dataset)| dataset.manifest).unwrap_or_default();
    // On a device its manifest may still be on its way.
    let bytes = unhex(&name).map(|hash| reads.blob(&hash)).transpose()?.flatten();
    let manifest = bytes.map(|bytes| frames::decode::<Manifest>(&bytes)).transpose()?;
    Ok(manifest.and_then(|m| m.rows_of).unwrap_or(name))
}

/// Its table as it was imported; none before the first import.
pub fn imported(reads: &dyn Reads, kind: Kind) -> Outcome<Option<Table<'_>>> {
    let Some((_, dataset)) = record(reads, kind)? else { return Ok(None) };
    match unhex(&dataset.manifest) {
        Some(hash) => Ok(Some(Table::of(reads, kind, manifest(reads, &hash)?))),
        None => Ok(None),
    }
}

/// Its table with what people changed of it.
pub fn table(reads: &dyn Reads, kind: Kind) -> Outcome<Option<Table<'_>>> {
    let Some(mut table) = imported(reads, kind)? else { return Ok(None) };
    table.overlay = overlay(reads, kind)?;
    Ok(Some(table))
}

/// Key → fields that people changed. A field that is emptied is named under `cleared`.
pub fn overlay(reads: &dyn Reads, kind: Kind) -> Outcome<BTreeMap<String, Fields>> {
    let mut all = BTreeMap::new();
    each_live(reads, kind, &mut |_, head| {
        if let Some(Value::Text(key)) = head.fields.get(&1) {
            all.insert(key.clone(), head.fields);
        }
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

pub fn manifest(reads: &dyn Reads, hash: &Hash) -> Outcome<Manifest> {
    frames::decode(&piece(reads, hash)?)
}

pub fn piece(reads: &dyn Reads, hash: &Hash) -> Outcome<Vec<u8>> {
    let lost = || Failure::internal("A part of a dataset is missing").hint("`pams db check` says more");
    reads.blob(hash)?.ok_or_else(lost)
}

pub fn damaged(what: impl std::fmt::Display) -> Failure {
    Failure::internal(format!("A part of a dataset is damaged: {what}")).hint("`pams db check` says more")
}

impl<'a> Table<'a> {
    pub fn of(reads: &'a dyn Reads, kind: Kind, manifest: Manifest) -> Table<'a> {
        let mut places = vec![0];
        for chunk in &manifest.chunks {
            places.push(places.last().copied().unwrap_or(0) + u64::from(chunk.rows));
        }
        Table { reads, kind, manifest, overlay: BTreeMap::new(), places, edited: OnceCell::new() }
    }

    /// Some columns of a chunk, or all of them.
    pub fn rows(&self, chunk: usize, some: Option<&[u16]>) -> Outcome<Rows> {
        let of = &self.manifest.chunks[chunk];
        let bytes = piece(self.reads, &of.hash)?;
        let read = Chunk::read(&bytes).map_err(damaged)?;
        let patch = of.patch.map(|hash| piece(self.reads, &hash)).transpose()?;
        let patch = patch.as_deref().map(Chunk::read).transpose().map_err(damaged)?;
        let rows = [Some(&read), patch.as_ref()].into_iter().flatten();
        let mut rows = Rows::over(self.kind, rows, some)?;
        let mut edits = self.edits(chunk).peekable();
        if edits.peek().is_some() {
            let keys = read.texts(self.key()).map_err(damaged)?;
            for (key, fields) in edits {
                if let Some(row) = keys.find(key) {
                    rows.lay(self.kind, row, fields, some);
                }
            }
        }
        Ok(rows)
    }

    /// What people changed of the rows of a chunk.
    fn edits(&self, chunk: usize) -> impl Iterator<Item = (&String, &Fields)> {
        let (first, next) = (&self.manifest.chunks[chunk].first, self.manifest.chunks.get(chunk + 1));
        let from = if chunk == 0 { Bound::Unbounded } else { Bound::Included(first) };
        let to = next.map_or(Bound::Unbounded, |n| Bound::Excluded(&n.first));
        self.overlay.range::<String, _>((from, to))
    }

    pub fn is_number(&self, number: u16) -> bool {
        rows::is_number(self.kind, number)
    }

    pub fn reads(&self) -> &'a dyn Reads {
        self.reads
    }

    /// The chunk that would hold a key.
    pub fn chunk_of(&self, key: &str) -> Option<usize> {
        self.manifest.chunks.partition_point(|c| c.first.as_str() <= key).checked_sub(1)
    }

    /// The chunk and the row in it that a key has.
    pub fn find(&self, key: &str) -> Outcome<Option<(usize, usize)>> {
        let Some(chunk) = self.chunk_of(key) else { return Ok(None) };
        let rows = self.rows(chunk, Some(&[self.key()]))?;
        Ok(rows.find(self.key(), key).map(|row| (chunk, row)))
    }

    /// The column of the key: the first field of the kind.
    pub fn key(&self) -> FieldId {
        self.kind.schema().fields.first().map_or(1, |f| f.id)
    }

    /// The chunk that holds the row at a place, and the row in it.
    pub fn place(&self, place: u64) -> Option<(usize, usize)> {
        let chunk = self.places.partition_point(|first| *first <= place).checked_sub(1)?;
        (chunk < self.manifest.chunks.len()).then(|| (chunk, (place - self.places[chunk]) as usize))
    }

    /// The place of a chunk's first row.
    pub fn first(&self, chunk: usize) -> u64 {
        self.places.get(chunk).copied().unwrap_or(self.manifest.rows)
    }

    /// The place of the first row whose key is not below this one.
    pub fn seek(&self, key: &str) -> Outcome<u64> {
        let Some(chunk) = self.chunk_of(key) else { return Ok(0) };
        let code = self.key();
        let rows = self.rows(chunk, Some(&[code]))?;
        Ok(self.first(chunk) + rows.texts(code).map_or(0, |t| t.seek(key)) as u64)
    }

    /// Field → how many rows have it, of the fields that the file had.
    pub fn filled(&self) -> Vec<(String, u64)> {
        let fields = self.manifest.fields.iter().zip(&self.manifest.tally.filled);
        fields.filter(|(name, _)| !name.is_empty()).map(|(name, rows)| (name.clone(), *rows as u64)).collect()
    }

    /// Places of the rows that a rule points at. A row whose fields of that rule were
    /// changed since counts as mended.
    pub fn marked(&self, code: &str) -> Outcome<Vec<u32>> {
        let mut places = Vec::new();
        for (_, hash) in self.manifest.marks.get(code).into_iter().flatten() {
            places.extend(numbers(self.reads, hash, 0)?);
        }
        if !self.overlay.is_empty() {
            let mended = self.mended(codes::fields_of(code))?;
            places.retain(|place| !mended.contains(place));
        }
        Ok(places)
    }

    /// Places of the rows that a rule points at, and their records in the imported file.
    pub fn marked_records(&self, code: &str) -> Outcome<Vec<(u32, u32)>> {
        let mut all = Vec::new();
        for (_, hash) in self.manifest.marks.get(code).into_iter().flatten() {
            all.extend(numbers(self.reads, hash, 0)?.into_iter().zip(numbers(self.reads, hash, 1)?));
        }
        Ok(all)
    }

    /// Places of the rows of which one of these fields was changed.
    fn mended(&self, fields: &[&str]) -> Outcome<BTreeSet<u32>> {
        let numbers: Vec<FieldId> =
            fields.iter().filter_map(|name| self.kind.schema().field_named(name)).map(|f| f.id).collect();
        let touched =
            |edit: &Fields| numbers.iter().any(|n| edit.contains_key(n) || is_cleared(self.kind, edit, *n));
        let edits = self.edited()?.iter().zip(self.overlay.values());
        Ok(edits.filter_map(|(place, edit)| place.filter(|_| touched(edit))).collect())
    }

    /// The places of the rows that the overlay is laid over, in its order.
    fn edited(&self) -> Outcome<&[Option<u32>]> {
        if self.edited.get().is_none() {
            let mut found = Vec::with_capacity(self.overlay.len());
            for chunk in 0..self.manifest.chunks.len() {
                let mut edits = self.edits(chunk).peekable();
                if edits.peek().is_none() {
                    continue;
                }
                let bytes = piece(self.reads, &self.manifest.chunks[chunk].hash)?;
                let keys = Chunk::read(&bytes).and_then(|c| c.texts(self.key())).map_err(damaged)?;
                let place = |row: usize| (self.first(chunk) + row as u64) as u32;
                found.extend(edits.map(|(key, _)| keys.find(key).map(place)));
            }
            let _ = self.edited.set(found);
        }
        Ok(self.edited.get().map_or(&[], Vec::as_slice))
    }

    /// (place of a row, place of the row it doubles)
    pub fn twins(&self) -> Outcome<Vec<(u32, u32)>> {
        let mut pairs = Vec::new();
        for (_, hash) in &self.manifest.twins {
            let (rows, firsts) = (numbers(self.reads, hash, 0)?, numbers(self.reads, hash, 1)?);
            pairs.extend(rows.into_iter().zip(firsts));
        }
        Ok(pairs)
    }
}

/// A column of whole numbers of a piece.
pub fn numbers(reads: &dyn Reads, hash: &Hash, column: u16) -> Outcome<Vec<u32>> {
    Ok(numbers_or_none(reads, hash, column)?.into_iter().flatten().map(|n| n as u32).collect())
}

fn numbers_or_none(reads: &dyn Reads, hash: &Hash, column: u16) -> Outcome<Vec<Option<i64>>> {
    let bytes = piece(reads, hash)?;
    let Numbers(all) = Chunk::read(&bytes).and_then(|c| c.numbers(column)).map_err(damaged)?;
    Ok(all)
}

/// Places as a piece, to be read by [`numbers`].
pub fn encode_places(columns: &[Vec<u32>]) -> Vec<u8> {
    let column =
        |places: &Vec<u32>| Column::Numbers(Numbers(places.iter().map(|p| Some(i64::from(*p))).collect()));
    let made: Vec<Column> = columns.iter().map(column).collect();
    crate::columns::encode(made.iter().enumerate().map(|(n, c)| (n as u16, c)))
}

/// Whether an overlay empties a field.
pub fn is_cleared(kind: Kind, edit: &Fields, number: FieldId) -> bool {
    let schema = kind.schema();
    let (Some(field), Some(cleared)) = (schema.field(number), schema.field_named("cleared")) else {
        return false;
    };
    matches!(edit.get(&cleared.id), Some(Value::Texts(names)) if names.iter().any(|n| n == field.name))
}
