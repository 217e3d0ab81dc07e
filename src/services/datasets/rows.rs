//! Some columns of some rows, in memory: of a chunk as it is read, or gathered to make one.

use super::{damaged, is_cleared};
use crate::columns::{Chunk, Column, Texts};
use crate::domain::schema::{Kind, Type};
use crate::domain::{Fields, Outcome, Value, decimal};
use crate::intake::bulk::EXTRA;
use chrono::{Datelike, NaiveDate};
use std::collections::BTreeMap;

/// Columns of one chunk, read as they are asked for.
pub struct Rows {
    pub count: usize,
    pub(super) columns: Vec<(u16, Column)>,
}

/// Whether a column holds numbers; else it holds texts.
pub(super) fn is_number(kind: Kind, number: u16) -> bool {
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

    /// Columns of pieces of the same rows: a later one stands before those below it.
    pub(super) fn over<'a, 'b: 'a>(
        kind: Kind,
        pieces: impl DoubleEndedIterator<Item = &'a Chunk<'b>>,
        some: Option<&[u16]>,
    ) -> Outcome<Rows> {
        let mut found = Rows { count: 0, columns: vec![] };
        for piece in pieces.rev() {
            let there: Vec<u16> = piece.columns().filter(|n| !found.has(*n)).collect();
            let wanted: Vec<u16> = match some {
                Some(some) => some.iter().copied().filter(|n| there.contains(n)).collect(),
                None => there,
            };
            let rows = Rows::of(kind, piece, &wanted)?;
            found.count = rows.count;
            found.columns.extend(rows.columns);
        }
        Ok(found)
    }

    fn has(&self, number: u16) -> bool {
        self.columns.iter().any(|(n, _)| *n == number)
    }

    /// Lays what people changed over a row.
    pub(super) fn lay(&mut self, kind: Kind, row: usize, edit: &Fields, some: Option<&[u16]>) {
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

    pub(super) fn texts(&self, number: u16) -> Option<&Texts> {
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

    /// Bits of the fields, by their ids, that a row has a value of.
    pub(super) fn fields_said(&self, row: usize) -> u64 {
        let there = |column: &Column| match column {
            Column::Texts(texts) => !texts.get(row).is_empty(),
            Column::Numbers(numbers) => numbers.0.get(row).copied().flatten().is_some(),
        };
        let said = self.columns.iter().filter(|(number, column)| *number < 63 && there(column));
        said.fold(0, |bits, (number, _)| bits | 1 << number)
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

    pub(super) fn rows(self) -> Rows {
        Rows { count: self.count, columns: self.columns.into_iter().collect() }
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
