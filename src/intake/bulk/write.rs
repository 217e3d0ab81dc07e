//! The second look: rows in the order of their keys, cell by cell, into columnar chunks. A
//! row that a rule holds back goes out as it stands in the file, with its faults.

use super::cells::{self, Dates};
use super::codes::{Fault, Faults};
use super::facts::{Fact, Facts, NOWHERE};
use super::layout::Layout;
use super::mend::Mender;
use super::source::{Cells, Source};
use super::{Held, Made, Tally, statuses};
use crate::columns::{self, Column, Numbers, Texts, hash};
use crate::domain::schema::{Field, Type};
use crate::domain::{Failure, Outcome};
use chrono::NaiveDate;
use simd_csv::ZeroCopyReaderBuilder;
use std::os::unix::fs::FileExt;

/// Rows of a chunk: cut where the hash of a key says so, so that a file with a few rows more
/// makes the same chunks but for one.
const LEAST: usize = 1_024;
const MOST: usize = 8_192;
const CUT: u64 = 0x7ff;
/// Bytes of rows held back that go out together.
const HELD: usize = 256 << 10;
/// Bytes of text that make one chunk: it goes between processes in one frame.
const MAX_TEXT: usize = 640 << 10;
/// Columns that are no field: their number is this and the file's column.
pub const EXTRA: u16 = 0x8000;

pub fn write(
    source: &Source,
    layout: &Layout,
    mender: &Mender,
    facts: &mut Facts,
    today: NaiveDate,
    emit: &mut dyn FnMut(Made) -> Outcome<()>,
    progress: &mut dyn FnMut(u64) -> Outcome<()>,
) -> Outcome<Tally> {
    let mut writer = Writer::new(layout, mender, today);
    let order = std::mem::take(&mut facts.order);
    let file = source.file()?;
    let (mut from, mut text, mut done) = (0, Vec::new(), 0u64);
    while from < order.len() {
        // Rows of one chunk, as far as they are known before they are read.
        let mut to = from;
        let mut bytes = 0usize;
        while to < order.len() && bytes < MAX_TEXT {
            let row = order[to] as usize;
            bytes += facts.rows[row].length as usize;
            to += 1;
            let rows = to - from;
            if rows >= MOST || rows >= LEAST && hash(facts.code(row)) & CUT == 0 {
                break;
            }
        }
        let rows = &order[from..to];
        fetch(&file, facts, rows, &mut text).map_err(|e| lost(source, &e.to_string()))?;
        let mut reader = ZeroCopyReaderBuilder::new();
        reader.delimiter(source.delimiter).flexible(true).has_headers(false);
        let mut reader = reader.from_reader(text.as_slice());
        let mut record = Cells::default();
        for row in rows {
            match reader.read_byte_record() {
                Ok(Some(found)) => record.take(&found),
                _ => return Err(lost(source, "a record is not where it was")),
            }
            let row = *row as usize;
            mender.apply(facts.rows[row].record, &mut record);
            let found = writer.row(&record, &facts.rows[row], facts.code(row));
            facts.rows[row].faults = found;
            if writer.waits >= HELD {
                emit(Made::Held(writer.take_held()))?;
            }
        }
        writer.seal(emit)?;
        done += bytes as u64;
        progress(done)?;
        from = to;
    }
    if !writer.held.is_empty() {
        emit(Made::Held(writer.take_held()))?;
    }
    facts.order = order;
    Ok(writer.tally)
}

fn lost(source: &Source, why: &str) -> Failure {
    Failure::conflict(format!("{} changed while it was read: {why}", source.name))
        .hint("Import it again when nobody writes to it any more")
}

/// The bytes of rows one after the other; those that are neighbours in the file together.
fn fetch(file: &std::fs::File, facts: &Facts, rows: &[u32], text: &mut Vec<u8>) -> std::io::Result<()> {
    text.clear();
    let mut rows = rows.iter().map(|r| &facts.rows[*r as usize]).peekable();
    while let Some(first) = rows.next() {
        let (at, mut end) = (first.at, first.at + u64::from(first.length));
        while let Some(next) = rows.next_if(|n| n.at == end) {
            end += u64::from(next.length);
        }
        let begun = text.len();
        text.resize(begun + (end - at) as usize, 0);
        file.read_exact_at(&mut text[begun..], at)?;
        if text.last() != Some(&b'\n') {
            text.push(b'\n');
        }
    }
    Ok(())
}

/// A column of the file and what its cells become.
struct Into {
    column: usize,
    number: u16,
    field: Option<&'static Field>,
    made: Column,
}

struct Writer<'a> {
    layout: &'a Layout,
    mender: &'a Mender,
    columns: Vec<Into>,
    /// Cells that could not be read, as they stood.
    unread: Texts,
    rows: usize,
    first: Vec<u8>,
    held: Vec<Held>,
    /// Their bytes.
    waits: usize,
    dates: Dates,
    pub tally: Tally,
}

impl<'a> Writer<'a> {
    fn new(layout: &'a Layout, mender: &'a Mender, today: NaiveDate) -> Writer<'a> {
        let into = |(column, field): (usize, &Option<&'static Field>)| {
            let made = match field.map(|f| f.kind) {
                Some(Type::Decimal | Type::Date) => Column::Numbers(Numbers::default()),
                _ => Column::Texts(Texts::default()),
            };
            let number = field.map_or(EXTRA | column as u16, |f| f.id);
            Into { column, number, field: *field, made }
        };
        let columns = layout.fields.iter().enumerate().map(into).collect();
        let tally = Tally { filled: vec![0; layout.fields.len()], ..Tally::default() };
        Writer {
            layout,
            mender,
            columns,
            unread: Texts::default(),
            rows: 0,
            first: vec![],
            held: vec![],
            waits: 0,
            dates: Dates::new(today),
            tally,
        }
    }

    /// Takes a row in, or holds it back; returns all that is wrong with it.
    fn row(&mut self, record: &Cells, fact: &Fact, code: &[u8]) -> Faults {
        let mut faults = fact.faults;
        if faults.is_merged() {
            self.tally.merged += 1;
            *self.tally.faults.entry(Fault::Merged.code().into()).or_default() += 1;
            return faults;
        }
        let mut back = faults.holds_back();
        if !back {
            // What holds a row back besides its key is known from one cell.
            let name = self.layout.column("name").map(|c| record.get(c));
            let empty = name.is_some_and(|n| cells::words(n, &mut Faults::default()).is_empty());
            if empty {
                faults.add(Fault::NoName);
                back = true;
            }
        }
        let mut unread = String::new();
        let (mut opened, mut closed) = (None, None);
        for to in &mut self.columns {
            let cell = record.get(to.column);
            let own = faults;
            match (to.field, &mut to.made) {
                (None, Column::Texts(texts)) => {
                    let text = cells::words(cell, &mut faults);
                    if !back {
                        texts.push(&text);
                        self.tally.filled[to.column] += usize::from(!text.is_empty());
                    }
                }
                (Some(field), Column::Texts(texts)) => {
                    let text = cells::words(cell, &mut faults);
                    let text = self.mender.letters(text, &mut faults, own);
                    let text = match field.name {
                        "status" => statuses::read(text, &mut faults),
                        _ => text,
                    };
                    judge_text(field, &text, &mut faults);
                    if !back {
                        texts.push(&text);
                        self.tally.filled[to.column] += usize::from(!text.is_empty());
                    }
                }
                (field, Column::Numbers(numbers)) => {
                    let field_name = field.map_or("", |f| f.name);
                    let number = match field.map(|f| f.kind) {
                        Some(Type::Date) => {
                            let day = self.dates.read(cell, self.layout.dates[to.column], &mut faults);
                            match field_name {
                                "opened_on" => opened = day,
                                "closed_on" => closed = day,
                                "created_on" if day.is_some_and(|d| d > self.dates.today) => {
                                    faults.add(Fault::Future)
                                }
                                _ => {}
                            }
                            day
                        }
                        _ => match field_name {
                            "latitude" | "longitude" if fact.lat == NOWHERE => None,
                            "latitude" => Some(i64::from(fact.lat)),
                            "longitude" => Some(i64::from(fact.lon)),
                            _ => {
                                let number = cells::number(cell, self.layout.comma, &mut faults);
                                if number.is_some_and(|n| n < 0) && field_name != "balance" {
                                    faults.add(Fault::Negative);
                                }
                                number
                            }
                        },
                    };
                    if !back {
                        numbers.0.push(number);
                        self.tally.filled[to.column] += usize::from(number.is_some());
                        if number.is_none()
                            && !cell.trim_ascii().is_empty()
                            && (own != faults || fact.lat == NOWHERE)
                        {
                            let kept = String::from_utf8_lossy(cell.trim_ascii());
                            let gap = if unread.is_empty() { "" } else { "; " };
                            unread.push_str(&format!("{gap}{field_name}={kept}"));
                        }
                    }
                }
            }
        }
        if let (Some(opened), Some(closed)) = (opened, closed)
            && closed < opened
        {
            faults.add(Fault::ClosedFirst);
        }
        if !back && self.mender.sets_aside(fact.record, faults) {
            // Only its cells told that it waits: what they gave is taken back.
            faults.add(Fault::Aside);
            back = true;
            for to in &mut self.columns {
                self.tally.filled[to.column] -= usize::from(to.made.pop());
            }
        }
        for fault in faults.iter() {
            *self.tally.faults.entry(fault.code().into()).or_default() += 1;
        }
        if back {
            self.hold(record, fact, faults);
            self.tally.held += 1;
            return faults;
        }
        self.unread.push(&unread);
        if self.rows == 0 {
            self.first = code.to_vec();
        }
        self.rows += 1;
        self.tally.taken += 1;
        faults
    }

    fn hold(&mut self, record: &Cells, fact: &Fact, faults: Faults) {
        let held = Held::of(fact.record, faults, record);
        self.waits += held.bytes();
        self.held.push(held);
    }

    fn take_held(&mut self) -> Vec<Held> {
        self.waits = 0;
        std::mem::take(&mut self.held)
    }

    fn seal(&mut self, emit: &mut dyn FnMut(Made) -> Outcome<()>) -> Outcome<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let unread = Column::Texts(std::mem::take(&mut self.unread));
        let number = self.layout.kind.schema().field_named("unread").map_or(EXTRA - 1, |f| f.id);
        let all = self.columns.iter().map(|c| (c.number, &c.made)).chain([(number, &unread)]);
        let bytes = columns::encode(all);
        self.columns.iter_mut().for_each(|c| c.made.clear());
        let first = String::from_utf8_lossy(&self.first).into_owned();
        let rows = std::mem::take(&mut self.rows) as u32;
        emit(Made::Chunk { first, rows, bytes })
    }
}

fn judge_text(field: &Field, text: &str, faults: &mut Faults) {
    match field.name {
        "name" if cells::is_placeholder(text) && !text.is_empty() => faults.add(Fault::Placeholder),
        "email" if !text.is_empty() && !cells::is_email(text) => faults.add(Fault::BadEmail),
        "phone" if !text.is_empty() && !cells::is_phone(text) => faults.add(Fault::BadPhone),
        "territory" if text.is_empty() => faults.add(Fault::NoTerritory),
        "distributor_code" if text.is_empty() => faults.add(Fault::NoDistributor),
        _ => {}
    }
}
