//! The first look at every row: where it stands, its key, its position, and hashes of what
//! duplicates share. Some fifty bytes a row; the rows themselves stay in the file.

use super::codes::{Fault, Faults};
use super::layout::{Layout, Rows};
use super::mend::Mender;
use super::served::{self, Served};
use super::source::{Cells, Source};
use crate::columns::{FastMap, hash};
use crate::domain::{Failure, Outcome, decimal, text};
use crate::intake::garbled;

/// Bytes of a key at most.
const MAX_CODE: usize = 120;
/// Bytes of a row at most.
const MAX_ROW: u64 = 256 << 10;
/// Rows at most: row numbers are of 32 bits, and some are left for marks.
const MAX_ROWS: usize = 200_000_000;
/// Names remembered by their bytes, so that the same one is folded once.
const RECENT: usize = 1 << 14;
/// First words of rows that sum up a table.
const TOTALS: [&str; 8] =
    ["total", "totals", "grand total", "subtotal", "sum", "summe", "gesamt", "gesamtsumme"];

/// No position.
pub const NOWHERE: i32 = i32::MIN;

/// What is known of a row. 0 stands for "empty" in every hash.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// Place of its first byte in the text.
    pub at: u64,
    pub length: u32,
    /// Its record in the file, from 0.
    pub record: u32,
    /// Where its key begins in the arena; the next row's begins where it ends.
    code: u32,
    /// Millionths of a degree, as the file has them.
    pub lat: i32,
    pub lon: i32,
    /// Number of those it is served with, in one town, and of its folded name.
    pub served: u32,
    pub name: u32,
    /// The address, and its digits alone, which tell two houses of a street apart.
    pub address: u32,
    pub digits: u32,
    pub phone: u32,
    pub tax: u32,
    pub faults: Faults,
}

#[derive(Default)]
pub struct Facts {
    pub rows: Vec<Fact>,
    /// Rows in the order of their keys.
    pub order: Vec<u32>,
    codes: Vec<u8>,
    pub names: Names,
    pub countries: Vec<String>,
    pub served: Served,
    /// Records below the header.
    pub records: u64,
    pub blank: u64,
    pub headers: u64,
    pub totals: u64,
    /// Keys in the order of the file already.
    pub sorted: bool,
}

/// Folded names, each once.
#[derive(Default)]
pub struct Names {
    numbers: FastMap<u64, u32>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    recent: Vec<(u64, u32)>,
}

impl Names {
    fn number(&mut self, raw: &[u8]) -> u32 {
        if raw.is_empty() {
            return 0;
        }
        let (key, slot) = (hash(raw), hash(raw) as usize % RECENT);
        if self.recent.is_empty() {
            self.recent = vec![(0, 0); RECENT];
            self.ends.push(0);
        }
        if self.recent[slot].0 == key {
            return self.recent[slot].1;
        }
        let folded = text::fold(&String::from_utf8_lossy(raw));
        let next = self.ends.len() as u32;
        let number = *self.numbers.entry(hash(folded.as_bytes())).or_insert(next);
        if number == next {
            self.bytes.extend_from_slice(folded.as_bytes());
            self.ends.push(self.bytes.len() as u32);
        }
        self.recent[slot] = (key, number);
        number
    }

    pub fn get(&self, number: u32) -> &str {
        if number == 0 {
            return "";
        }
        let from = self.ends[number as usize - 1] as usize;
        std::str::from_utf8(&self.bytes[from..self.ends[number as usize] as usize]).unwrap_or_default()
    }
}

/// Looks at every record; `progress` is told how many bytes are read.
pub fn gather(
    source: &Source,
    layout: &Layout,
    mender: &Mender,
    progress: &mut dyn FnMut(u64) -> Outcome<()>,
) -> Outcome<Facts> {
    let mut facts = Facts { sorted: true, ..Facts::default() };
    let column = |name: &str| layout.column(name);
    let (code, name) = (column("code"), column("name"));
    let (lat, lon) = (column("latitude"), column("longitude"));
    let places = [column("country"), column("state"), column("region"), column("city")];
    let (address, phone, tax) = (column("address"), column("phone"), column("tax_id"));
    let mut towns: FastMap<u64, u32> = FastMap::default();
    let mut countries: FastMap<u64, u16> = FastMap::default();
    let has_towns = places[1..].iter().any(Option::is_some);
    let by = served::FIELDS.map(column);
    let mut before = Before::default();
    let mut group = 0;
    let mut record = 0u32;
    source.records(&mut |at, end, cells| {
        let number = record;
        record += 1;
        if (number as usize) <= layout.header {
            return Ok(true);
        }
        if number.is_multiple_of(8_192) {
            progress(end)?;
        }
        facts.records += 1;
        if facts.rows.len() >= MAX_ROWS || facts.codes.len() > (u32::MAX - 1_000) as usize {
            return Err(Failure::invalid(format!("{} has more than {MAX_ROWS} rows", source.name))
                .hint("Split the file"));
        }
        if cells.is_blank() {
            facts.blank += 1;
            return Ok(true);
        }
        if layout.is_header(cells) {
            facts.headers += 1;
            return Ok(true);
        }
        if is_total(cells, code) {
            facts.totals += 1;
            return Ok(true);
        }
        mender.apply(number, cells);
        let cell = |column: Option<usize>| column.map_or(&[][..], |c| cells.get(c).trim_ascii());
        let mut faults = Faults::default();
        if cells.len() != layout.titles.len() && ragged(cells, layout.titles.len()) {
            faults.add(Fault::Ragged);
        }
        if end - at > MAX_ROW {
            faults.add(Fault::RowTooLong);
        }
        let key = cell(code);
        let from = facts.codes.len() as u32;
        match key {
            [] => faults.add(Fault::NoCode),
            key if key.len() > MAX_CODE => faults.add(Fault::CodeTooLong),
            key => {
                if key[0].is_ascii_digit() && std::str::from_utf8(key).is_ok_and(garbled::is_scientific) {
                    faults.add(Fault::CodeScientific);
                }
                facts.codes.extend_from_slice(key);
            }
        }
        let last = facts.rows.last().map(|f| f.code as usize);
        if let Some(last) = last
            && facts.codes[last..from as usize] > facts.codes[from as usize..]
        {
            facts.sorted = false;
        }
        let mut position = (NOWHERE, NOWHERE);
        if lat.is_some() && lon.is_some() {
            position = degrees(cell(lat), cell(lon), layout, &mut faults);
            if layout.is_partial() {
                // What a file of some columns leaves empty stays as it is.
                faults.remove(Fault::NoPosition);
            }
        }
        // Neighbours in a file mostly are neighbours in a town; its region is among its places.
        if !before.is(places.iter().chain(&by[1..]).map(|column| cell(*column))) {
            before.take(places.iter().chain(&by[1..]).map(|column| cell(*column)));
            let mut town = 0;
            if has_towns {
                let key = places.iter().fold(0u64, |key, place| key.rotate_left(7) ^ hash(cell(*place)));
                let next = towns.len() as u32;
                town = *towns.entry(key).or_insert(next);
            }
            let land = cell(places[0]);
            let next = countries.len() as u16;
            let country = *countries.entry(hash(land)).or_insert(next);
            if country == next && facts.countries.len() == next as usize {
                facts.countries.push(String::from_utf8_lossy(land).into_owned());
            }
            group = facts.served.number(town, country, by.map(cell));
        }
        facts.served.count(group);
        let (address, digits) = houses(cell(address));
        facts.rows.push(Fact {
            at,
            length: (end - at) as u32,
            record: number,
            code: from,
            lat: position.0,
            lon: position.1,
            served: group,
            name: facts.names.number(cell(name)),
            address,
            digits,
            phone: number_of(cell(phone)),
            tax: short(cell(tax)),
            faults,
        });
        Ok(true)
    })?;
    facts.sort(mender, layout.rows != Rows::Months);
    Ok(facts)
}

/// Cells of the row before, as they stood.
#[derive(Default)]
struct Before {
    bytes: Vec<u8>,
    /// Where each ends in them; none before the first row.
    ends: Vec<usize>,
}

impl Before {
    fn is<'a>(&self, cells: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut from = 0;
        let same = |(end, cell): (&usize, &[u8])| {
            let before = &self.bytes[std::mem::replace(&mut from, *end)..*end];
            // Some letters each: less than a call takes.
            before.len() == cell.len() && before.iter().zip(cell).all(|(a, b)| a == b)
        };
        !self.ends.is_empty() && self.ends.iter().zip(cells).all(same)
    }

    fn take<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>) {
        self.bytes.clear();
        self.ends.clear();
        for cell in cells {
            self.bytes.extend_from_slice(cell);
            self.ends.push(self.bytes.len());
        }
    }
}

impl Facts {
    pub fn code(&self, row: usize) -> &[u8] {
        let end = self.rows.get(row + 1).map_or(self.codes.len(), |f| f.code as usize);
        &self.codes[self.rows[row].code as usize..end]
    }

    /// Orders rows by key, and those of one key by their place in the file; all but the
    /// first of a key repeat it, where each row is an outlet's own.
    fn sort(&mut self, mender: &Mender, own: bool) {
        self.order = (0..self.rows.len() as u32).collect();
        if !self.sorted {
            // Keys that begin alike, as most do, are told apart behind what they share.
            let shared = self.shared_prefix();
            let prefix = |row: u32| {
                let tail = self.code(row as usize).get(shared..).unwrap_or_default();
                let mut eight = [0; 8];
                let n = tail.len().min(8);
                eight[..n].copy_from_slice(&tail[..n]);
                u64::from_be_bytes(eight)
            };
            let mut keyed: Vec<(u64, u32)> = self.order.iter().map(|r| (prefix(*r), *r)).collect();
            // Rows of one key stay in order; and most files have long runs in order already.
            keyed.sort_by(|a, b| {
                a.0.cmp(&b.0).then_with(|| self.code(a.1 as usize).cmp(self.code(b.1 as usize)))
            });
            self.order = keyed.into_iter().map(|(_, row)| row).collect();
        }
        self.prefer(mender);
        for pair in 1..self.order.len() {
            let (a, b) = (self.order[pair - 1] as usize, self.order[pair] as usize);
            let repeats = own && self.code(a) == self.code(b) && !self.code(b).is_empty();
            if repeats {
                self.rows[b].faults.add(Fault::CodeRepeated);
            }
        }
    }

    /// Of rows under one key, the one that a person prefers comes first.
    fn prefer(&mut self, mender: &Mender) {
        let mut from = 0;
        for place in 0..self.order.len() {
            let row = self.order[place] as usize;
            if self.code(self.order[from] as usize) != self.code(row) {
                from = place;
            }
            if mender.prefers(self.rows[row].record) {
                self.order[from..=place].rotate_right(1);
            }
        }
    }

    fn shared_prefix(&self) -> usize {
        let mut keys = (0..self.rows.len()).map(|row| self.code(row)).filter(|k| !k.is_empty());
        let Some(first) = keys.next() else { return 0 };
        keys.fold(first.len(), |n, key| first[..n].iter().zip(key).take_while(|(a, b)| a == b).count())
    }
}

/// Cells beyond the header's that hold something, or fewer than half of it.
pub(super) fn ragged(cells: &Cells, width: usize) -> bool {
    match cells.len() > width {
        true => (width..cells.len()).any(|c| !cells.get(c).trim_ascii().is_empty()),
        false => true,
    }
}

/// "Total" where the key stands, or in the first cell, and little else.
pub(super) fn is_total(cells: &Cells, code: Option<usize>) -> bool {
    let word = |cell: &[u8]| {
        let cell = cell.trim_ascii();
        (3..=14).contains(&cell.len())
            && cell[0].is_ascii_alphabetic()
            && TOTALS
                .iter()
                .any(|t| t.as_bytes().eq_ignore_ascii_case(cell.strip_suffix(b":").unwrap_or(cell)))
    };
    let named = word(cells.get(0)) || code.is_some_and(|c| word(cells.get(c)));
    named && cells.iter().filter(|c| !c.trim_ascii().is_empty()).count() * 2 <= cells.len().max(4)
}

/// A position in millionths of a degree.
fn degrees(lat: &[u8], lon: &[u8], layout: &Layout, faults: &mut Faults) -> (i32, i32) {
    if lat.is_empty() && lon.is_empty() {
        faults.add(Fault::NoPosition);
        return (NOWHERE, NOWHERE);
    }
    let read = |cell: &[u8]| decimal::parse_bytes(cell, layout.comma);
    let (Some(y), Some(x)) = (read(lat), read(lon)) else {
        faults.add(if lat.is_empty() || lon.is_empty() { Fault::NoPosition } else { Fault::NotANumber });
        return (NOWHERE, NOWHERE);
    };
    if y == 0 && x == 0 {
        faults.add(Fault::NullIsland);
        return (NOWHERE, NOWHERE);
    }
    let fits = |degrees: i64, most: i64| degrees.abs() <= most * decimal::ONE;
    match (fits(y, 90) && fits(x, 180), fits(x, 90) && fits(y, 180)) {
        (true, _) => {
            if y % 10_000 == 0 && x % 10_000 == 0 {
                faults.add(Fault::Coarse);
            }
        }
        (false, true) => faults.add(Fault::Swapped),
        (false, false) => {
            faults.add(Fault::OutOfRange);
            return (NOWHERE, NOWHERE);
        }
    }
    (y as i32, x as i32)
}

/// Bytes of letters and digits, small; 0 for all between them.
static LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut b = 0;
    while b < 256 {
        if b >= 128 || (b as u8).is_ascii_alphanumeric() {
            letters[b] = (b as u8).to_ascii_lowercase();
        }
        b += 1;
    }
    letters
};

/// Hashes of an address: of its letters and digits, and of its digits alone.
fn houses(address: &[u8]) -> (u32, u32) {
    let (mut all, mut digits) = (0u32, 0u32);
    for b in address.iter().map(|b| LETTERS[usize::from(*b)]).filter(|b| *b != 0) {
        all = (all ^ u32::from(b)).wrapping_mul(0x0100_0193);
        if b.is_ascii_digit() {
            digits = (digits ^ u32::from(b)).wrapping_mul(0x0100_0193);
        }
    }
    (all, digits)
}

/// The last nine digits of a phone number: countries write the rest in many ways. 0 for
/// fewer than seven, and for one digit all along.
fn number_of(phone: &[u8]) -> u32 {
    const NINE: u64 = 1_000_000_000;
    let (mut number, mut count, mut differ, mut last) = (0u64, 0, false, 0);
    for d in phone.iter().filter(|b| b.is_ascii_digit()).map(|b| u64::from(b - b'0')) {
        differ |= count > 0 && last != d;
        last = d;
        number = if number < u64::MAX / NINE { number } else { number % NINE } * 10 + d;
        count += 1;
    }
    if count < 7 || !differ { 0 } else { (number % NINE) as u32 }
}

fn short(cell: &[u8]) -> u32 {
    if cell.len() < 6 { 0 } else { hash(cell) as u32 | 1 }
}
