//! Tables of rows by the million: a manifest names the chunks, a record of the log names the
//! manifest. Rows lie in the order of their keys.

use crate::columns::{Chunk, Column, Numbers, Texts};
use crate::domain::schema::{Dataset, Kind, Record, Type};
use crate::domain::value::FieldId;
use crate::domain::{Failure, Fields, Id, Outcome, Value, decimal};
use crate::frames;
use crate::intake::bulk::{EXTRA, Tally, codes};
use crate::services::each_live;
use crate::services::imports::uploads::unhex;
use crate::store::{IndexKey, Reads};
use chrono::{Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};

/// A chunk, or another piece of a dataset, by the hash of its bytes.
pub type Hash = [u8; 32];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkRef {
    /// Key of its first row.
    pub first: String,
    pub rows: u32,
    pub hash: Hash,
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
}

impl Manifest {
    /// Every piece that it names.
    pub fn hashes(&self) -> impl Iterator<Item = Hash> {
        let lists = self.marks.values().chain(self.pieces.values()).flatten();
        let lists = lists.chain(&self.twins).chain(&self.held).map(|(_, hash)| *hash);
        self.chunks.iter().map(|chunk| chunk.hash).chain(lists)
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

/// Columns of one chunk, read as they are asked for.
pub struct Rows {
    pub count: usize,
    columns: Vec<(u16, Column)>,
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
        let bytes = piece(self.reads, &self.manifest.chunks[chunk].hash)?;
        let read = Chunk::read(&bytes).map_err(damaged)?;
        let all: Vec<u16> = read.columns().collect();
        let mut rows = Rows::of(self.kind, &read, some.unwrap_or(&all))?;
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
        is_number(self.kind, number)
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
    let bytes = piece(reads, hash)?;
    let Numbers(all) = Chunk::read(&bytes).and_then(|c| c.numbers(column)).map_err(damaged)?;
    Ok(all.into_iter().flatten().map(|n| n as u32).collect())
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

/// Whether a column holds numbers; else it holds texts.
fn is_number(kind: Kind, number: u16) -> bool {
    kind.schema().field(number).is_some_and(|f| matches!(f.kind, Type::Decimal | Type::Date))
}

impl Rows {
    /// Some columns of a chunk, those that it has.
    pub fn of(kind: Kind, chunk: &Chunk, some: &[u16]) -> Outcome<Rows> {
        let there: Vec<u16> = chunk.columns().collect();
        let mut columns = Vec::new();
        for number in some.iter().filter(|number| there.contains(number)) {
            let column = match is_number(kind, *number) {
                true => Column::Numbers(chunk.numbers(*number).map_err(damaged)?),
                false => Column::Texts(chunk.texts(*number).map_err(damaged)?),
            };
            columns.push((*number, column));
        }
        Ok(Rows { count: chunk.rows, columns })
    }

    /// Lays what people changed over a row.
    fn lay(&mut self, kind: Kind, row: usize, edit: &Fields, some: Option<&[u16]>) {
        for field in kind.schema().fields.iter().filter(|f| !f.system) {
            let value = edit.get(&field.id);
            if value.is_none() && !is_cleared(kind, edit, field.id) {
                continue;
            }
            let number = matches!(field.kind, Type::Decimal | Type::Date);
            let at = match self.columns.iter().position(|(n, _)| *n == field.id) {
                Some(at) => at,
                None if some.is_some() => continue,
                None => {
                    let empty = if number { Column::numbers(self.count) } else { Column::texts(self.count) };
                    self.columns.push((field.id, empty));
                    self.columns.len() - 1
                }
            };
            match (&mut self.columns[at].1, value) {
                (Column::Texts(texts), value) => {
                    let text = if let Some(Value::Text(text)) = value { text.as_str() } else { "" };
                    texts.set(row, text);
                }
                (Column::Numbers(numbers), value) => {
                    numbers.0[row] = match value {
                        Some(Value::Int(n)) => Some(*n),
                        Some(Value::Date(day)) => Some(i64::from(day.num_days_from_ce())),
                        _ => None,
                    };
                }
            }
        }
    }

    fn texts(&self, number: u16) -> Option<&Texts> {
        self.columns.iter().find_map(|(n, c)| match c {
            Column::Texts(texts) if *n == number => Some(texts),
            _ => None,
        })
    }

    /// The row that has this text in a column in order, as the keys are.
    pub fn find(&self, number: u16, text: &str) -> Option<usize> {
        self.texts(number)?.find(text)
    }

    /// A text; empty where there is none.
    pub fn text(&self, number: u16, row: usize) -> &str {
        self.texts(number).map_or("", |t| t.get(row))
    }

    pub fn number(&self, number: u16, row: usize) -> Option<i64> {
        self.columns.iter().find_map(|(n, c)| match c {
            Column::Numbers(numbers) if *n == number => Some(numbers.0.get(row).copied().flatten()),
            _ => None,
        })?
    }

    /// A value as people read it.
    pub fn shown(&self, kind: Kind, number: u16, row: usize) -> String {
        match kind.schema().field(number).map(|f| f.kind) {
            Some(Type::Decimal) => self.number(number, row).map(decimal::show).unwrap_or_default(),
            Some(Type::Date) => {
                self.number(number, row).and_then(day).map(|d| d.to_string()).unwrap_or_default()
            }
            _ => self.text(number, row).to_owned(),
        }
    }

    /// The row as fields of a record.
    pub fn fields(&self, kind: Kind, row: usize) -> Fields {
        let mut fields = Fields::new();
        for field in kind.schema().fields {
            let value = match field.kind {
                Type::Decimal => self.number(field.id, row).map(Value::Int),
                Type::Date => self.number(field.id, row).and_then(day).map(Value::Date),
                _ => Some(self.text(field.id, row))
                    .filter(|t| !t.is_empty())
                    .map(|t| Value::Text(t.to_owned())),
            };
            if let Some(value) = value {
                fields.insert(field.id, value);
            }
        }
        fields
    }

    /// Columns of the file that are no field: number and text, where there is one.
    pub fn extras(&self, row: usize) -> impl Iterator<Item = (u16, &str)> {
        self.columns.iter().filter_map(move |(n, c)| match c {
            Column::Texts(texts) if n & EXTRA != 0 => {
                Some((*n, texts.get(row))).filter(|(_, t)| !t.is_empty())
            }
            _ => None,
        })
    }

    /// Whether two rows say the same.
    pub fn same(&self, row: usize, other: &Rows, of: usize) -> bool {
        let absent =
            |rows: &Rows, number: u16, row: usize| match rows.columns.iter().find(|(n, _)| *n == number) {
                None => true,
                Some((_, Column::Texts(t))) => t.get(row).is_empty(),
                Some((_, Column::Numbers(n))) => n.0.get(row).copied().flatten().is_none(),
            };
        self.columns.iter().all(|(n, column)| match (column, other.columns.iter().find(|(m, _)| m == n)) {
            (Column::Texts(a), Some((_, Column::Texts(b)))) => a.get(row) == b.get(of),
            (Column::Numbers(a), Some((_, Column::Numbers(b)))) => a.0.get(row) == b.0.get(of),
            _ => absent(self, *n, row),
        }) && other
            .columns
            .iter()
            .all(|(n, _)| self.columns.iter().any(|(m, _)| m == n) || absent(other, *n, of))
    }
}

fn day(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()?)
}

/// Rows taken out of chunks to make another one.
#[derive(Default)]
pub struct Gathered {
    count: usize,
    columns: BTreeMap<u16, Column>,
}

impl Gathered {
    pub fn push(&mut self, rows: &Rows, row: usize) {
        for (number, column) in &rows.columns {
            let empty = || match column {
                Column::Texts(_) => Column::texts(self.count),
                Column::Numbers(_) => Column::numbers(self.count),
            };
            match (self.columns.entry(*number).or_insert_with(empty), column) {
                (Column::Texts(to), Column::Texts(from)) => to.push(from.get(row)),
                (Column::Numbers(to), Column::Numbers(from)) => to.0.push(from.0.get(row).copied().flatten()),
                _ => {}
            }
        }
        self.count += 1;
        // Chunks of several imports may differ in their columns.
        for column in self.columns.values_mut().filter(|column| column.len() < self.count) {
            match column {
                Column::Texts(texts) => texts.push(""),
                Column::Numbers(numbers) => numbers.0.push(None),
            }
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Rows that have a value in a column.
    pub fn filled(&self, number: u16) -> usize {
        match self.columns.get(&number) {
            Some(Column::Texts(texts)) => texts.iter().filter(|text| !text.is_empty()).count(),
            Some(Column::Numbers(numbers)) => numbers.0.iter().flatten().count(),
            None => 0,
        }
    }

    /// The text of its first row.
    pub fn first(&self, number: u16) -> &str {
        match self.columns.get(&number) {
            Some(Column::Texts(texts)) if !texts.is_empty() => texts.get(0),
            _ => "",
        }
    }

    /// How many rows it has, and the chunk that they make.
    pub fn encode(&self) -> (u32, Vec<u8>) {
        (
            self.count as u32,
            crate::columns::encode(self.columns.iter().map(|(number, column)| (*number, column))),
        )
    }
}

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
            && a.hash == b.hash
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
