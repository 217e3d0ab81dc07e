//! Tables of rows by the million: a manifest names the chunks, a record of the log names the
//! manifest. Rows lie in the order of their keys.

use crate::columns::{Chunk, Column, Numbers, Texts};
use crate::domain::schema::{Dataset, Kind, Record, Type};
use crate::domain::value::FieldId;
use crate::domain::{Failure, Fields, Id, Outcome, Value, decimal};
use crate::frames;
use crate::intake::bulk::{EXTRA, Tally};
use crate::services::imports::uploads::unhex;
use crate::store::{IndexKey, Reads};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A chunk, or another piece of a dataset, by the hash of its bytes.
pub type Hash = [u8; 32];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkRef {
    /// Key of its first row.
    pub first: String,
    pub rows: u32,
    pub hash: Hash,
}

/// What a dataset is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
}

/// A manifest and where to read what it names.
pub struct Table<'a> {
    reads: &'a dyn Reads,
    pub kind: Kind,
    pub manifest: Manifest,
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

/// Its table; none before the first import.
pub fn table(reads: &dyn Reads, kind: Kind) -> Outcome<Option<Table<'_>>> {
    let Some((_, dataset)) = record(reads, kind)? else { return Ok(None) };
    match unhex(&dataset.manifest) {
        Some(hash) => Ok(Some(Table { reads, kind, manifest: manifest(reads, &hash)? })),
        None => Ok(None),
    }
}

pub fn manifest(reads: &dyn Reads, hash: &Hash) -> Outcome<Manifest> {
    frames::decode(&piece(reads, hash)?)
}

pub fn piece(reads: &dyn Reads, hash: &Hash) -> Outcome<Vec<u8>> {
    let lost = || Failure::internal("A part of a dataset is missing").hint("`pams db check` says more");
    reads.blob(hash)?.ok_or_else(lost)
}

fn damaged(what: impl std::fmt::Display) -> Failure {
    Failure::internal(format!("A part of a dataset is damaged: {what}")).hint("`pams db check` says more")
}

/// Columns of one chunk, read as they are asked for.
pub struct Rows {
    pub count: usize,
    columns: Vec<(u16, Column)>,
}

impl<'a> Table<'a> {
    pub fn of(reads: &'a dyn Reads, kind: Kind, manifest: Manifest) -> Table<'a> {
        Table { reads, kind, manifest }
    }

    /// Some columns of a chunk, or all of them.
    pub fn rows(&self, chunk: usize, some: Option<&[u16]>) -> Outcome<Rows> {
        let bytes = piece(self.reads, &self.manifest.chunks[chunk].hash)?;
        let read = Chunk::read(&bytes).map_err(damaged)?;
        let all: Vec<u16> = read.columns().collect();
        let mut columns = Vec::new();
        for number in some.unwrap_or(&all) {
            let column = match self.is_number(*number) {
                true => Column::Numbers(read.numbers(*number).map_err(damaged)?),
                false => Column::Texts(read.texts(*number).map_err(damaged)?),
            };
            columns.push((*number, column));
        }
        Ok(Rows { count: read.rows, columns })
    }

    fn is_number(&self, number: u16) -> bool {
        let field = self.kind.schema().field(number);
        field.is_some_and(|f| matches!(f.kind, Type::Decimal | Type::Date))
    }

    /// The chunk and the row in it that a key has.
    pub fn find(&self, key: &str) -> Outcome<Option<(usize, usize)>> {
        let after = self.manifest.chunks.partition_point(|c| c.first.as_str() <= key);
        let Some(chunk) = after.checked_sub(1) else { return Ok(None) };
        let code = self.key();
        let rows = self.rows(chunk, Some(&[code]))?;
        let at = (0..rows.count).position(|row| rows.text(code, row) == key);
        Ok(at.map(|row| (chunk, row)))
    }

    /// The column of the key: the first field of the kind.
    pub fn key(&self) -> FieldId {
        self.kind.schema().fields.first().map_or(1, |f| f.id)
    }

    /// The chunk that holds the row at a place, and the row in it.
    pub fn place(&self, place: u64) -> Option<(usize, usize)> {
        let mut before = 0u64;
        for (number, chunk) in self.manifest.chunks.iter().enumerate() {
            if place < before + u64::from(chunk.rows) {
                return Some((number, (place - before) as usize));
            }
            before += u64::from(chunk.rows);
        }
        None
    }

    /// Field → how many rows have it, of the fields that the file had.
    pub fn filled(&self) -> Vec<(String, u64)> {
        let fields = self.manifest.fields.iter().zip(&self.manifest.tally.filled);
        fields.filter(|(name, _)| !name.is_empty()).map(|(name, rows)| (name.clone(), *rows as u64)).collect()
    }

    /// Places of the rows that a rule points at.
    pub fn marked(&self, code: &str) -> Outcome<Vec<u32>> {
        let mut places = Vec::new();
        for (_, hash) in self.manifest.marks.get(code).into_iter().flatten() {
            places.extend(numbers(self.reads, hash, 0)?);
        }
        Ok(places)
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
fn numbers(reads: &dyn Reads, hash: &Hash, column: u16) -> Outcome<Vec<u32>> {
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

impl Rows {
    fn texts(&self, number: u16) -> Option<&Texts> {
        self.columns.iter().find_map(|(n, c)| match c {
            Column::Texts(texts) if *n == number => Some(texts),
            _ => None,
        })
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
