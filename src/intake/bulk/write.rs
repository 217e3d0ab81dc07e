//! The second look: rows in the order of their keys, cell by cell, into columnar chunks. A
//! row that a rule holds back goes out as it stands in the file, with its faults.

use super::cells::{self, Dates};
use super::codes::{Fault, Faults};
use super::facts::{Fact, Facts, NOWHERE};
use super::layout::{Layout, Rows};
use super::mend::Mender;
use super::sales::Sum;
use super::source::{Cells, Source};
use super::{BOXES, Boxes, Held, Made, Tally, encode_boxes, push_box, statuses};
use crate::columns::{self, Column, Numbers, Texts, hash};
use crate::domain::Outcome;
use crate::domain::schema::{Field, Type};
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
/// Bytes that the reader of a chunk's text takes at a time.
const BUFFER: usize = 64 << 10;
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
    let (mut from, mut buffer, mut done) = (0, Vec::new(), 0u64);
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
        // What is added up is not torn apart.
        while writer.layout.rows == Rows::Months
            && to < order.len()
            && facts.code(order[to] as usize) == facts.code(order[to - 1] as usize)
        {
            bytes += facts.rows[order[to] as usize].length as usize;
            to += 1;
        }
        let rows = &order[from..to];
        let text = fetch(&file, facts, rows, &mut buffer).map_err(|e| source.changed(&e.to_string()))?;
        let mut reader = ZeroCopyReaderBuilder::with_capacity(BUFFER);
        reader.delimiter(source.delimiter).flexible(true).has_headers(false);
        let mut reader = reader.from_reader(text);
        let mut record = Cells::default();
        for row in rows {
            match reader.read_byte_record() {
                Ok(Some(found)) => record.take(&found),
                _ => return Err(source.changed("a record is not where it was")),
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
    // A part of known rows says nothing of where the others are.
    if !layout.is_partial() {
        let (rows, bytes) = encode_boxes(std::mem::take(&mut writer.boxes));
        emit(Made::Piece { name: BOXES, rows, bytes })?;
    }
    facts.order = order;
    Ok(writer.tally())
}

/// The bytes of rows one after the other; those that are neighbours in the file together.
fn fetch<'a>(
    file: &std::fs::File,
    facts: &Facts,
    rows: &[u32],
    buffer: &'a mut Vec<u8>,
) -> std::io::Result<&'a [u8]> {
    let mut used = 0;
    let mut rows = rows.iter().map(|r| &facts.rows[*r as usize]).peekable();
    while let Some(first) = rows.next() {
        let (at, mut end) = (first.at, first.at + u64::from(first.length));
        while let Some(next) = rows.next_if(|n| n.at == end) {
            end += u64::from(next.length);
        }
        let begun = used;
        used += (end - at) as usize;
        // It is as long as the longest so far: what lies there is written over.
        buffer.resize(buffer.len().max(used + 1), 0);
        file.read_exact_at(&mut buffer[begun..used], at)?;
        if buffer[begun..used].last() != Some(&b'\n') {
            buffer[used] = b'\n';
            used += 1;
        }
    }
    Ok(&buffer[..used])
}

/// A column of the file and what its cells become.
struct Into {
    column: usize,
    number: u16,
    field: Option<&'static Field>,
    made: Column,
    /// Bytes from which on a cell is looked at as plain text.
    plain_from: usize,
    /// What such a text has to be.
    fits: Option<Fits>,
    texts: Reader,
}

/// Reads texts of a column, and remembers them: in the order of keys the next rows often say
/// the same.
struct Reader {
    field: Option<&'static Field>,
    known: Vec<Option<Known>>,
}

/// A text, as it stood and as it was read.
#[derive(Default)]
struct Known {
    cell: Vec<u8>,
    text: String,
    faults: Faults,
}

/// Texts of a column that are remembered.
const KNOWN: usize = 64;
/// Bytes of a long one.
const LONG: usize = 200;

impl Into {
    /// A text that is read as it stands: nothing in it says otherwise, and no rule asks more of
    /// its field than is asked of it here.
    fn plain<'c>(&self, cell: &'c [u8]) -> Option<&'c [u8]> {
        if cell.len() < self.plain_from {
            return None;
        }
        cells::plain(cell)
    }
}

impl Reader {
    /// Reads a text, or knows it already.
    fn read(&mut self, cell: &[u8], layout: &Layout, mender: &Mender) -> &Known {
        let mark = |b: Option<&u8>| b.copied().map_or(0, usize::from);
        // One place is for all long ones: they are not worth the room.
        let short = (cell.len() * 31 + mark(cell.first()) + 7 * mark(cell.last())) % KNOWN;
        let slot = if cell.len() > LONG { KNOWN } else { short };
        if self.known[slot].as_ref().is_none_or(|known| known.cell != cell) {
            self.learn(slot, cell, layout, mender);
        }
        self.known[slot].get_or_insert_default()
    }

    fn learn(&mut self, slot: usize, cell: &[u8], layout: &Layout, mender: &Mender) {
        let mut faults = Faults::default();
        let mut text = cells::words(cell, &mut faults);
        if let Some(field) = self.field {
            text = mender.letters(text, &mut faults, Faults::default());
            if field.name == "status" {
                text = statuses::read(text, &mut faults);
            }
            if !text.is_empty() || !layout.is_partial() {
                judge_text(field, &text, &mut faults);
            }
        }
        let known = self.known[slot].get_or_insert_default();
        known.faults = faults;
        known.text.clear();
        known.text.push_str(&text);
        known.cell.clear();
        known.cell.extend_from_slice(cell);
    }
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
    /// Of a file of months.
    sum: Option<Sum>,
    /// The column of the name.
    name: Option<usize>,
    /// Rows a fault.
    faults: Vec<u64>,
    /// Where the rows of this chunk are, and the boxes of those before.
    places: Vec<(i32, i32)>,
    boxes: Boxes,
    tally: Tally,
}

impl<'a> Writer<'a> {
    fn new(layout: &'a Layout, mender: &'a Mender, today: NaiveDate) -> Writer<'a> {
        let into = |(column, field): (usize, &Option<&'static Field>)| {
            let made = match field.map(|f| f.kind) {
                Some(Type::Decimal | Type::Date) => Column::Numbers(Numbers::default()),
                _ => Column::Texts(Texts::default()),
            };
            let number = field.map_or(EXTRA | column as u16, |f| f.id);
            let plain_from = match (&made, field.map_or("", |f| f.name)) {
                (Column::Numbers(_), _) | (_, "status" | "email") => usize::MAX,
                // Shorter ones may stand for "we did not know".
                (_, "name") => cells::PLACEHOLDER + 1,
                _ => 0,
            };
            let texts = Reader { field: *field, known: (0..=KNOWN).map(|_| None).collect() };
            let fits = fits(field.map_or("", |f| f.name));
            Into { column, number, field: *field, made, plain_from, fits, texts }
        };
        // What stands beside the sales of one month is none of the outlet's.
        let taken = |of: &(usize, &Option<&'static Field>)| layout.rows != Rows::Months || of.1.is_some();
        let columns: Vec<Into> = layout.fields.iter().enumerate().filter(taken).map(into).collect();
        let name = columns.iter().position(|to| to.field.is_some_and(|f| f.name == "name"));
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
            sum: None,
            name,
            faults: vec![0; Fault::ALL.len()],
            places: vec![],
            boxes: Default::default(),
            tally,
        }
    }

    /// Takes a row in, or holds it back; returns all that is wrong with it.
    fn row(&mut self, record: &Cells, fact: &Fact, code: &[u8]) -> Faults {
        let mut faults = fact.faults;
        if faults.is_merged() {
            self.tally.merged += 1;
            self.faults[Fault::Merged as usize] += 1;
            return faults;
        }
        let mut back = faults.holds_back();
        if self.layout.rows == Rows::Months {
            return self.month(record, fact, code, back);
        }
        if !back {
            // What holds a row back besides its key is known from one cell.
            let name = self.name.map(|at| &mut self.columns[at]);
            let empty = name.is_some_and(|to| {
                let cell = record.get(to.column);
                if to.plain(cell).is_some() {
                    return false;
                }
                to.texts.read(cell, self.layout, self.mender).text.is_empty()
            });
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
            let plain = to.plain(cell);
            match (to.field, &mut to.made) {
                (_, Column::Texts(texts)) if let Some(text) = plain => {
                    if let Some((fits, fault)) = to.fits
                        && !fits(text)
                    {
                        faults.add(fault);
                    }
                    if !back {
                        texts.push_ascii(text);
                        self.tally.filled[to.column] += 1;
                    }
                }
                (_, Column::Texts(texts)) => {
                    let known = to.texts.read(cell, self.layout, self.mender);
                    faults = faults.with(known.faults);
                    if !back {
                        texts.push(&known.text);
                        self.tally.filled[to.column] += usize::from(!known.text.is_empty());
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
        faults.iter().for_each(|fault| self.faults[fault as usize] += 1);
        if back {
            self.hold(record, fact, faults);
            self.tally.held += 1;
            return faults;
        }
        if fact.lat != NOWHERE {
            self.places.push((fact.lat, fact.lon));
        }
        self.taken(&unread, code);
        faults
    }

    /// Adds the sales of a month to those of its outlet, or holds the row back.
    fn month(&mut self, record: &Cells, fact: &Fact, code: &[u8], back: bool) -> Faults {
        let mut faults = fact.faults;
        if self.sum.as_ref().is_none_or(|sum| sum.code != code) {
            self.end_sum();
            self.sum = Some(Sum::new(code));
        }
        let layout = self.layout;
        let aside = self.mender.sets_aside(fact.record, faults);
        let fault = match &mut self.sum {
            Some(sum) if !back && !aside => sum.add(layout, record),
            _ => aside.then_some(Fault::Aside),
        };
        fault.into_iter().for_each(|fault| faults.add(fault));
        faults.iter().for_each(|fault| self.faults[fault as usize] += 1);
        if back || fault.is_some() {
            self.hold(record, fact, faults);
            self.tally.held += 1;
        } else if self.sum.as_ref().is_some_and(|sum| sum.rows > 1) {
            // One row stands for all of them.
            faults.add(Fault::Merged);
            self.tally.merged += 1;
        }
        faults
    }

    /// Writes the row of an outlet whose months are through.
    fn end_sum(&mut self) {
        let Some(sum) = self.sum.take().filter(|sum| sum.rows > 0) else { return };
        for to in &mut self.columns {
            let name = to.field.map_or("", |f| f.name);
            let there = match &mut to.made {
                Column::Texts(texts) if name == "code" => {
                    texts.push(&String::from_utf8_lossy(&sum.code));
                    true
                }
                Column::Texts(texts) => {
                    texts.push(&sum.text());
                    true
                }
                Column::Numbers(numbers) => {
                    numbers.0.push(sum.mean(name));
                    sum.mean(name).is_some()
                }
            };
            self.tally.filled[to.column] += usize::from(there);
        }
        self.taken("", &sum.code);
    }

    /// A row is in.
    fn taken(&mut self, unread: &str, code: &[u8]) {
        self.unread.push(unread);
        if self.rows == 0 {
            self.first = code.to_vec();
        }
        self.rows += 1;
        self.tally.taken += 1;
    }

    fn tally(mut self) -> Tally {
        for (fault, rows) in Fault::ALL.iter().zip(self.faults).filter(|(_, rows)| *rows > 0) {
            self.tally.faults.insert(fault.code().into(), rows);
        }
        self.tally
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
        self.end_sum();
        if self.rows == 0 {
            return Ok(());
        }
        let unread = Column::Texts(std::mem::take(&mut self.unread));
        let number = self.layout.kind.schema().field_named("unread").map_or(EXTRA - 1, |f| f.id);
        let all = self.columns.iter().map(|c| (c.number, &c.made)).chain([(number, &unread)]);
        let bytes = columns::encode(all);
        self.columns.iter_mut().for_each(|c| c.made.clear());
        push_box(&mut self.boxes, self.places.drain(..));
        let first = String::from_utf8_lossy(&self.first).into_owned();
        let rows = std::mem::take(&mut self.rows) as u32;
        emit(Made::Chunk { first, rows, bytes })
    }
}

/// Whether a text is one of its field, and the fault of one that is not.
type Fits = (fn(&[u8]) -> bool, Fault);

/// What a text of a field has to be, where it is one.
fn fits(field: &str) -> Option<Fits> {
    match field {
        "phone" => Some((cells::are_phone, Fault::BadPhone)),
        "postal_code" => Some((cells::is_postal_code, Fault::BadPostalCode)),
        _ => None,
    }
}

fn judge_text(field: &Field, text: &str, faults: &mut Faults) {
    if let Some((fits, fault)) = fits(field.name)
        && !text.is_empty()
        && !fits(text.as_bytes())
    {
        faults.add(fault);
    }
    match field.name {
        "name" if cells::is_placeholder(text) && !text.is_empty() => faults.add(Fault::Placeholder),
        "email" if !text.is_empty() && !cells::is_email(text) => faults.add(Fault::BadEmail),
        "address" if text.is_empty() => faults.add(Fault::NoAddress),
        "salesperson_code" if text.is_empty() => faults.add(Fault::NoRep),
        "beat" if text.is_empty() => faults.add(Fault::NoRoute),
        "territory" if text.is_empty() => faults.add(Fault::NoTerritory),
        "distributor_code" if text.is_empty() => faults.add(Fault::NoDistributor),
        _ => {}
    }
}
