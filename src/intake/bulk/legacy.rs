//! Activities of an earlier system, by the million: one look at every row, which sorts them
//! into their months. Owners, accounts, projects, types and use cases are numbered texts: what
//! they stand for here is said once a text, not once a row. Nothing is left out: what has no
//! field stands beside the row as it was written.

use super::cells::{self, Dates};
use super::codes::{Fault, Faults};
use super::facts::{is_total, ragged};
use super::source::Cells;
use super::{EXTRA, Held, Made, Opened, Progress, Tally};
use crate::columns::{self, Column, FastMap, Numbers, Texts, hash};
use crate::domain::schema::Kind;
use crate::domain::text::fold;
use crate::domain::value::FieldId;
use crate::domain::{Outcome, effort};
use chrono::{Datelike, NaiveDate};
use std::collections::BTreeMap;

/// Columns of a month's chunk that are no field of an activity.
pub mod column {
    /// The row in the file, from 0.
    pub const RECORD: u16 = 200;
    /// The day on which the earlier system was told, where it says so.
    pub const LOGGED: u16 = 203;
    /// The row that says the same, of a row that says it again.
    pub const FIRST: u16 = 204;
    /// Cells that could not be read, as they stood.
    pub const UNREAD: u16 = 205;
}

/// What a row lacks or has too much.
pub mod flag {
    pub const NO_EFFORT: u8 = 1;
    pub const REPEATS: u8 = 2;
    pub const FUTURE: u8 = 4;
}

/// The texts that are numbered, in the order in which a row's keys have them. 0 is the empty
/// text. A project is known within its account: its key is the number of a pair.
pub const NAMED: [&str; 5] = ["owner", "account", "project", "type", "use_cases"];
/// Name of the pieces with the keys of each chunk's rows, and their flags behind them.
pub const KEYS: &str = "keys";
/// Name of the pieces with pairs: numbers of an account and of a project's text.
pub const PAIRS: &str = "pairs";

/// Rows of a chunk, and bytes of its texts, at the most.
const ROWS: usize = 4_096;
const TEXT: usize = 512 << 10;
/// Bytes that wait in unfinished chunks together.
const WAITING: usize = 96 << 20;
/// Bytes of rows held back that go out together.
const HELD: usize = 256 << 10;
/// Efforts that are no mistake, in minutes.
const EFFORT: std::ops::RangeInclusive<i64> = 1..=31 * 24 * 60;
/// What earlier systems call the day on which a row was written down.
const LOGGED: [&str; 10] = [
    "created at",
    "created on",
    "created date",
    "created",
    "logged at",
    "logged on",
    "last modified",
    "last modified date",
    "updated at",
    "modified on",
];

/// Texts, each under a number; 0 is the empty one.
struct Named {
    numbers: FastMap<u64, u32>,
    texts: Texts,
}

impl Named {
    fn new() -> Named {
        let mut texts = Texts::default();
        texts.push("");
        Named { numbers: FastMap::default(), texts }
    }

    fn number(&mut self, cell: &[u8], faults: &mut Faults) -> u32 {
        let cell = cell.trim_ascii();
        if cell.is_empty() {
            return 0;
        }
        let next = self.texts.len() as u32;
        let number = *self.numbers.entry(hash(cell)).or_insert(next);
        if number != next {
            return number;
        }
        match cells::words(cell, faults) {
            text if text.is_empty() => {
                self.numbers.insert(hash(cell), 0);
                0
            }
            text => {
                self.texts.push(&text);
                next
            }
        }
    }
}

/// Rows of a month on their way into a chunk.
struct Month {
    rows: usize,
    bytes: usize,
    record: Numbers,
    keys: [Vec<u32>; 6],
    logged: Numbers,
    first: Numbers,
    date: Numbers,
    effort: Numbers,
    due: Numbers,
    unread: Texts,
    texts: Vec<Texts>,
}

impl Month {
    fn new(texts: usize) -> Month {
        let empty = Numbers::default;
        Month {
            rows: 0,
            bytes: 0,
            record: empty(),
            keys: Default::default(),
            logged: empty(),
            first: empty(),
            date: empty(),
            effort: empty(),
            due: empty(),
            unread: Texts::default(),
            texts: vec![Texts::default(); texts],
        }
    }
}

/// A text column of the file: its number in the chunk and its place.
type TextColumn = (u16, usize);

struct Look<'a> {
    opened: &'a Opened,
    day_minutes: i64,
    named: [Named; 5],
    columns: [Option<usize>; 5],
    texts: Vec<TextColumn>,
    date: Option<usize>,
    effort: Option<usize>,
    due: Option<usize>,
    logged: Option<usize>,
    /// Minutes that a bare number of the effort's column stands for.
    unit: f64,
    efforts: FastMap<u64, Option<i64>>,
    dates: Dates,
    pairs: FastMap<[u32; 2], u32>,
    seen: FastMap<u64, u32>,
    months: BTreeMap<i32, Month>,
    waiting: usize,
    held: Vec<Held>,
    held_bytes: usize,
    tally: Tally,
}

/// A month as a number that counts up without gaps.
pub fn month_number(date: NaiveDate) -> i32 {
    date.year() * 12 + date.month0() as i32
}

pub(super) fn run(
    opened: &Opened,
    today: NaiveDate,
    day_minutes: i64,
    emit: &mut dyn FnMut(Made) -> Outcome<()>,
    progress: Progress,
) -> Outcome<Tally> {
    let mut look = Look::of(opened, today, day_minutes);
    let (bytes, header) = (opened.source.bytes, opened.layout.header);
    let mut record = 0u32;
    opened.source.records(&mut |_, end, cells| {
        let number = record;
        record += 1;
        if number as usize <= header {
            return Ok(true);
        }
        if number.is_multiple_of(8_192) {
            progress(end.min(bytes), bytes)?;
        }
        look.row(number, cells, emit)?;
        Ok(true)
    })?;
    let tally = look.finish(emit)?;
    progress(bytes, bytes)?;
    Ok(tally)
}

impl<'a> Look<'a> {
    fn of(opened: &'a Opened, today: NaiveDate, day_minutes: i64) -> Look<'a> {
        let layout = &opened.layout;
        let column = |name: &str| layout.column(name);
        let columns = NAMED.map(column);
        let (date, effort, due) = (column("date"), column("effort"), column("next_due"));
        let plain = |c: &usize| !columns.contains(&Some(*c)) && ![date, effort, due].contains(&Some(*c));
        let number = |c: usize| layout.fields[c].map_or(EXTRA | c as u16, |f| f.id);
        let texts = (0..layout.titles.len()).filter(plain).map(|c| (number(c), c)).collect();
        let logged = layout.titles.iter().position(|t| LOGGED.contains(&fold(t).as_str()));
        let title = effort.map(|c| fold(&layout.titles[c])).unwrap_or_default();
        Look {
            opened,
            day_minutes,
            named: std::array::from_fn(|_| Named::new()),
            columns,
            texts,
            date,
            effort,
            due,
            logged: logged.filter(|c| Some(*c) != date),
            unit: unit(&title, day_minutes),
            efforts: FastMap::default(),
            dates: Dates::new(today),
            pairs: FastMap::default(),
            seen: FastMap::default(),
            months: BTreeMap::new(),
            waiting: 0,
            held: vec![],
            held_bytes: 0,
            tally: Tally { filled: vec![0; layout.fields.len()], ..Tally::default() },
        }
    }

    fn row(
        &mut self,
        record: u32,
        cells: &mut Cells,
        emit: &mut dyn FnMut(Made) -> Outcome<()>,
    ) -> Outcome<()> {
        let layout = &self.opened.layout;
        self.tally.records += 1;
        if cells.is_blank() {
            self.tally.blank += 1;
            return Ok(());
        }
        if layout.is_header(cells) {
            self.tally.headers += 1;
            return Ok(());
        }
        if is_total(cells, self.date) {
            self.tally.totals += 1;
            return Ok(());
        }
        self.opened.mender.apply(record, cells);
        let mut faults = Faults::default();
        if cells.len() != layout.titles.len() && ragged(cells, layout.titles.len()) {
            faults.add(Fault::Ragged);
        }
        let day = self.day(cells, self.date, &mut faults);
        if day.is_none() {
            let twice = faults.has(Fault::TwoDates);
            faults.remove(Fault::TwoDates);
            faults.remove(Fault::BadDate);
            faults.add(if twice { Fault::TwoDays } else { Fault::NoDay });
        }
        if self.opened.mender.sets_aside(record, faults) {
            faults.add(Fault::Aside);
        }
        let day = match day.filter(|_| !faults.holds_back()) {
            Some(day) => day,
            None => return self.hold(record, cells, faults, emit),
        };
        let date = NaiveDate::from_num_days_from_ce_opt(day as i32).unwrap_or_default();
        let mut flags = 0;
        if day > self.dates.today {
            faults.add(Fault::Future);
            flags |= flag::FUTURE;
        }
        let mut keys = [0; 5];
        for (n, column) in self.columns.iter().enumerate() {
            if let Some(column) = column {
                keys[n] = self.named[n].number(cells.get(*column), &mut faults);
            }
        }
        if keys[2] != 0 {
            let next = self.pairs.len() as u32 + 1;
            keys[2] = *self.pairs.entry([keys[1], keys[2]]).or_insert(next);
        }
        let mut unread = String::new();
        let effort = self.effort(cells, &mut faults, &mut unread);
        if effort.is_none() {
            flags |= flag::NO_EFFORT;
        }
        let before = faults;
        let due = self.day(cells, self.due, &mut faults);
        if due.is_none() && before != faults {
            faults.remove(Fault::BadDate);
            unread.push_str(&format!("next due={} ", said(cells, self.due)));
        }
        let logged =
            self.logged.and_then(|c| self.dates.read(cells.get(c), layout.dates[c], &mut Faults::default()));
        let month = month_number(date);
        let into = self.months.entry(month).or_insert_with(|| Month::new(self.texts.len()));
        let mut print = 0u64;
        for ((number, column), texts) in self.texts.iter().zip(&mut into.texts) {
            let cell = cells.get(*column);
            let own = faults;
            let text = cells::words(cell, &mut faults);
            let text = self.opened.mender.letters(text, &mut faults, own);
            into.bytes += text.len();
            self.waiting += text.len();
            self.tally.filled[*column] += usize::from(!text.is_empty());
            if number & EXTRA == 0 && !text.is_empty() {
                print = print.rotate_left(9) ^ hash(text.as_bytes());
            }
            texts.push(&text);
        }
        let numbers = keys.iter().map(|key| u64::from(*key)).chain([day as u64, effort.unwrap_or(0) as u64]);
        let packed =
            numbers.fold(print, |sum, n| (sum ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        let first = *self.seen.entry(packed).or_insert(record);
        if first != record {
            faults.add(Fault::Repeats);
            flags |= flag::REPEATS;
        }
        into.record.0.push(Some(i64::from(record)));
        for (into, key) in into.keys.iter_mut().zip(keys.into_iter().chain([u32::from(flags)])) {
            into.push(key);
        }
        into.logged.0.push(logged);
        into.first.0.push((first != record).then_some(i64::from(first)));
        into.date.0.push(Some(day));
        into.effort.0.push(effort);
        into.due.0.push(due);
        into.unread.push(unread.trim_end());
        into.rows += 1;
        let full = into.rows >= ROWS || into.bytes >= TEXT;
        self.waiting += 64;
        let filled = self.columns.iter().chain([&self.date, &self.effort, &self.due]).flatten();
        for column in filled {
            self.tally.filled[*column] += usize::from(!cells.get(*column).trim_ascii().is_empty());
        }
        self.tally.taken += 1;
        self.note(faults);
        if full {
            self.seal(month, emit)?;
        } else if self.waiting > WAITING {
            let months: Vec<i32> = self.months.keys().copied().collect();
            months.into_iter().try_for_each(|month| self.seal(month, emit))?;
        }
        Ok(())
    }

    fn day(&mut self, cells: &Cells, column: Option<usize>, faults: &mut Faults) -> Option<i64> {
        let column = column?;
        self.dates.read(cells.get(column), self.opened.layout.dates[column], faults)
    }

    fn effort(&mut self, cells: &Cells, faults: &mut Faults, unread: &mut String) -> Option<i64> {
        let cell = cells.get(self.effort?).trim_ascii();
        if cell.is_empty() {
            return None;
        }
        let (unit, day_minutes) = (self.unit, self.day_minutes);
        let read = || minutes(&String::from_utf8_lossy(cell), unit, day_minutes);
        let minutes = *self.efforts.entry(hash(cell)).or_insert_with(read);
        if minutes.is_none() {
            faults.add(Fault::BadEffort);
            unread.push_str(&format!("effort={} ", String::from_utf8_lossy(cell)));
        }
        minutes
    }

    fn hold(
        &mut self,
        record: u32,
        cells: &Cells,
        faults: Faults,
        emit: &mut dyn FnMut(Made) -> Outcome<()>,
    ) -> Outcome<()> {
        self.tally.held += 1;
        self.note(faults);
        let held = Held::of(record, faults, cells);
        self.held_bytes += held.bytes();
        self.held.push(held);
        if self.held_bytes >= HELD {
            self.held_bytes = 0;
            emit(Made::Held(std::mem::take(&mut self.held)))?;
        }
        Ok(())
    }

    fn note(&mut self, faults: Faults) {
        for fault in faults.iter() {
            *self.tally.faults.entry(fault.code().into()).or_default() += 1;
        }
    }

    /// Sends the rows of a month that wait.
    fn seal(&mut self, month: i32, emit: &mut dyn FnMut(Made) -> Outcome<()>) -> Outcome<()> {
        let Some(made) = self.months.remove(&month).filter(|m| m.rows > 0) else { return Ok(()) };
        self.waiting = self.waiting.saturating_sub(made.bytes + 64 * made.rows);
        let id =
            |name: &str| -> FieldId { Kind::Activity.schema().field_named(name).map_or(EXTRA - 1, |f| f.id) };
        let numbers = [
            (column::RECORD, made.record),
            (column::LOGGED, made.logged),
            (column::FIRST, made.first),
            (id("date"), made.date),
            (id("effort"), made.effort),
            (id("next_due"), made.due),
        ];
        let mut all: Vec<(u16, Column)> = numbers.map(|(n, c)| (n, Column::Numbers(c))).into();
        all.push((column::UNREAD, Column::Texts(made.unread)));
        let texts = self.texts.iter().zip(made.texts);
        all.extend(texts.map(|((number, _), texts)| (*number, Column::Texts(texts))));
        let bytes = columns::encode(all.iter().map(|(n, c)| (*n, c)));
        let first = format!("{}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1);
        let rows = made.rows as u32;
        emit(Made::Chunk { first, rows, bytes })?;
        emit(Made::Piece { name: KEYS, rows, bytes: columns::encode_codes(&made.keys) })
    }

    fn finish(mut self, emit: &mut dyn FnMut(Made) -> Outcome<()>) -> Outcome<Tally> {
        let months: Vec<i32> = self.months.keys().copied().collect();
        months.into_iter().try_for_each(|month| self.seal(month, emit))?;
        if !self.held.is_empty() {
            emit(Made::Held(std::mem::take(&mut self.held)))?;
        }
        for (name, named) in NAMED.iter().zip(&self.named) {
            let all: Vec<&str> = named.texts.iter().collect();
            for part in all.chunks(columns::MAX_ROWS / 2) {
                let mut texts = Texts::default();
                part.iter().for_each(|text| texts.push(text));
                let bytes = columns::encode([(0, &Column::Texts(texts))]);
                emit(Made::Piece { name, rows: part.len() as u32, bytes })?;
            }
        }
        let mut pairs: Vec<([u32; 2], u32)> = self.pairs.into_iter().collect();
        pairs.sort_unstable_by_key(|(_, number)| *number);
        for part in pairs.chunks(columns::MAX_ROWS / 2) {
            let column = |n: usize| part.iter().map(|(pair, _)| pair[n]).collect::<Vec<u32>>();
            let bytes = columns::encode_codes(&[column(0), column(1)]);
            emit(Made::Piece { name: PAIRS, rows: part.len() as u32, bytes })?;
        }
        Ok(self.tally)
    }
}

fn said(cells: &Cells, column: Option<usize>) -> String {
    column.map(|c| String::from_utf8_lossy(cells.get(c).trim_ascii()).into_owned()).unwrap_or_default()
}

/// Minutes of a bare number under this title; hours where it does not say.
fn unit(title: &str, day_minutes: i64) -> f64 {
    let has = |words: &[&str]| title.split(' ').any(|w| words.contains(&w));
    match () {
        () if has(&["day", "days", "tage", "dias", "jours", "pt", "md", "mandays", "giorni"]) => {
            day_minutes as f64
        }
        () if has(&["min", "mins", "minutes", "minuten", "minutos", "duration"])
            && !has(&["h", "hours", "hrs"]) =>
        {
            1.0
        }
        () => 60.0,
    }
}

/// `1.5`, `1,5`, `2h`, `1:30`, `half` as minutes.
fn minutes(text: &str, unit: f64, day_minutes: i64) -> Option<i64> {
    let text = text.trim();
    let minutes = if let Some((hours, rest)) = text.split_once(':') {
        let rest = rest.split(':').next().unwrap_or_default();
        hours.parse::<i64>().ok()? * 60 + rest.parse::<i64>().ok().filter(|m| (0..60).contains(m))?
    } else if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')) {
        (text.replace(',', ".").parse::<f64>().ok()? * unit).round() as i64
    } else {
        effort::parse_effort(text, day_minutes).ok()?
    };
    EFFORT.contains(&minutes).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_as_earlier_systems_write_them() {
        for (title, text, is) in [
            ("hours", "1.5", Some(90)),
            ("aufwand std", "0,5", Some(30)),
            ("days", "2", Some(960)),
            ("duration", "45", Some(45)),
            ("effort", "3", Some(180)),
            ("effort", "1:30", Some(90)),
            ("days", "2h", Some(120)),
            ("effort", "0", None),
            ("effort", "a while", None),
            ("effort", "9999", None),
        ] {
            assert_eq!(minutes(text, unit(title, 480), 480), is, "{title} {text}");
        }
    }
}
