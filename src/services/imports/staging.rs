//! A file's cells, staged: a worker opens the file, the host keeps its rows in pieces,
//! and a review reads them from there as often as it likes.

use crate::changes::codec::{Damaged, Reader, Writer};
use crate::domain::{Failure, Id, Outcome};
use crate::frames::{self, Bytes};
use crate::intake::dialect::Dialect;
use crate::intake::open::{Cell, Opened, Sheet, open, refused};
use crate::jobs::{self, Control, Emit, Out, Workers};
use crate::services::WriteCx;
use crate::store::Reads;
use chrono::{Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// The work's name.
pub const KIND: &str = "import";
/// Bytes of rows in one piece, and so in one commit.
const PIECE_BYTES: usize = 512 << 10;
/// Bytes of a row at most: with a piece it goes between processes in one frame.
const MAX_ROW: usize = 512 << 10;

/// What the worker gets.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Input {
    pub name: String,
    pub bytes: Bytes,
    pub dialect: Dialect,
    /// Rows that are staged already.
    pub skip: u32,
}

/// What is known of a file besides its cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outline {
    pub dialect: String,
    pub sheets: Vec<SheetOutline>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SheetOutline {
    pub name: String,
    pub hidden: bool,
    /// Rows up to the last one that holds anything.
    pub rows: usize,
}

/// Rows of a piece: the number of the first, and each with its sheet and row.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Piece {
    first: u32,
    rows: Vec<Bytes>,
}

/// In the worker: opens the file and sends its rows; the outline is the summary. Blank
/// rows are not sent, the outline's counts stand for them.
pub fn work(input: &[u8], emit: Emit) -> Outcome<Vec<u8>> {
    let input: Input = frames::decode(input)?;
    let opened = open(&input.name, &input.bytes.0, &input.dialect)?;
    let total: u64 = opened.sheets.iter().map(|s| s.rows.len() as u64).sum();
    let (mut number, mut piece, mut held) = (0u32, Piece { first: input.skip, rows: vec![] }, 0usize);
    let mut done = 0u64;
    for (place, sheet) in opened.sheets.iter().enumerate() {
        for (row, cells) in sheet.rows.iter().enumerate() {
            done += 1;
            if cells.iter().all(|c| *c == Cell::Empty) {
                continue;
            }
            number += 1;
            if number <= input.skip {
                continue;
            }
            let bytes = encode(place, row, cells);
            if bytes.len() > MAX_ROW {
                let message = format!("{}, row {}: more than {} KB", input.name, row + 1, MAX_ROW >> 10);
                return Err(refused("FIL-14", message, "Leave the long text out, or look for a quote"));
            }
            held += bytes.len() + 8;
            piece.rows.push(Bytes(bytes));
            if held >= PIECE_BYTES {
                emit(Out::Piece(Bytes(frames::encode(&piece)?)))?;
                emit(Out::Progress { done, total })?;
                (piece, held) = (Piece { first: number, rows: vec![] }, 0);
            }
        }
    }
    if !piece.rows.is_empty() {
        emit(Out::Piece(Bytes(frames::encode(&piece)?)))?;
    }
    emit(Out::Progress { done, total })?;
    let outline = |s: &Sheet| SheetOutline { name: s.name.clone(), hidden: s.hidden, rows: s.rows.len() };
    let sheets = opened.sheets.iter().map(outline).collect();
    frames::encode(&Outline { dialect: opened.dialect, sheets })
}

/// Keeps a piece; returns how many rows are staged now. A piece that came before is
/// written over itself.
pub fn keep(cx: &mut WriteCx, review: Id, piece: &[u8]) -> Outcome<u32> {
    let piece: Piece = frames::decode(piece)?;
    let mut number = piece.first;
    for row in &piece.rows {
        cx.batch.put_staged(review, number, &row.0)?;
        number += 1;
    }
    Ok(number)
}

/// The file as it was opened.
pub fn staged(reads: &dyn Reads, review: Id, outline: &Outline) -> Outcome<Opened> {
    let mut sheets = outline.blank();
    let mut failed = None;
    reads.staged(review, 0, &mut |_, bytes| {
        failed = fill(&mut sheets, bytes).err();
        if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match failed {
        Some(failure) => Err(failure),
        None => Ok(Opened { dialect: outline.dialect.clone(), sheets }),
    }
}

/// Columns of a sheet, by its longest row.
pub fn width(reads: &dyn Reads, review: Id, sheet: usize) -> Outcome<usize> {
    let mut widest = 0;
    reads.staged(review, 0, &mut |_, bytes| {
        if let Ok((of, _, cells)) = decode(bytes)
            && of == sheet
        {
            widest = widest.max(cells.len());
        }
        ControlFlow::Continue(())
    })?;
    Ok(widest)
}

/// A file opened by a worker and handed back whole, for those who need no store.
pub fn open_apart(workers: &Workers, name: &str, bytes: &[u8]) -> Outcome<Opened> {
    let (bytes, dialect) = (Bytes(bytes.to_vec()), Dialect::default());
    let input = Input { name: name.to_owned(), bytes, dialect, skip: 0 };
    let mut rows: Vec<Bytes> = Vec::new();
    let mut keep = |out: Out| {
        if let Out::Piece(piece) = out {
            rows.extend(frames::decode::<Piece>(&piece.0)?.rows);
        }
        Ok(())
    };
    let input = frames::encode(&input)?;
    let summary =
        jobs::run(workers, crate::services::jobs::work, KIND, &input, &Control::default(), &mut keep)?;
    let outline: Outline = frames::decode(&summary)?;
    let mut sheets = outline.blank();
    for row in rows {
        fill(&mut sheets, &row.0)?;
    }
    Ok(Opened { dialect: outline.dialect, sheets })
}

impl Outline {
    fn blank(&self) -> Vec<Sheet> {
        let sheet =
            |s: &SheetOutline| Sheet { name: s.name.clone(), hidden: s.hidden, rows: vec![vec![]; s.rows] };
        self.sheets.iter().map(sheet).collect()
    }
}

/// Puts a staged row where it belongs.
fn fill(sheets: &mut [Sheet], bytes: &[u8]) -> Outcome<()> {
    let damaged = |why| Failure::internal(format!("A staged row cannot be read: {why}"));
    let (place, row, cells) = decode(bytes).map_err(damaged)?;
    if let Some(slot) = sheets.get_mut(place).and_then(|s| s.rows.get_mut(row)) {
        *slot = cells;
    }
    Ok(())
}

fn encode(sheet: usize, row: usize, cells: &[Cell]) -> Vec<u8> {
    let mut to = Writer::default();
    to.number(sheet as u64);
    to.number(row as u64);
    for cell in cells {
        match cell {
            Cell::Empty => to.byte(0),
            Cell::Text(text) => {
                to.byte(1);
                to.sized(text.as_bytes());
            }
            Cell::Number(number) => {
                to.byte(2);
                to.raw(&number.to_le_bytes());
            }
            Cell::Date(date) => {
                to.byte(3);
                to.signed(i64::from(date.num_days_from_ce()));
            }
            Cell::Bool(yes) => to.byte(4 + u8::from(*yes)),
            Cell::Error(code) => {
                to.byte(6);
                to.sized(code.as_bytes());
            }
        }
    }
    to.bytes
}

fn decode(bytes: &[u8]) -> Result<(usize, usize, Vec<Cell>), Damaged> {
    let mut from = Reader::new(bytes);
    let (sheet, row) = (from.number()? as usize, from.number()? as usize);
    let mut cells = Vec::new();
    while !from.is_done() {
        cells.push(match from.byte()? {
            0 => Cell::Empty,
            1 => Cell::Text(from.text()?.to_owned()),
            2 => Cell::Number(f64::from_le_bytes(from.array()?)),
            3 => {
                let days = from.signed()?;
                let date = i32::try_from(days).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
                Cell::Date(date.ok_or_else(|| from.damaged("date"))?)
            }
            4 => Cell::Bool(false),
            5 => Cell::Bool(true),
            6 => Cell::Error(from.text()?.to_owned()),
            _ => return Err(from.damaged("cell")),
        });
    }
    Ok((sheet, row, cells))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Empty),
            "\\PC{0,12}".prop_map(Cell::Text),
            (-1e9f64..1e9).prop_map(Cell::Number),
            (0i32..800_000).prop_map(|d| Cell::Date(NaiveDate::from_num_days_from_ce_opt(d).unwrap())),
            any::<bool>().prop_map(Cell::Bool),
            Just(Cell::Error("#N/A".into())),
        ]
    }

    proptest! {
        /// Law: what is staged is read back; no bytes make the reader panic.
        #[test]
        fn staged_rows_come_back(sheet in 0usize..9, row in 0usize..1_000_000, cells in prop::collection::vec(cell(), 0..20)) {
            prop_assert_eq!(decode(&encode(sheet, row, &cells)).unwrap(), (sheet, row, cells));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
