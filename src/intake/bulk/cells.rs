//! One cell as a value: cleaned, and told of when something is wrong with it.

use super::codes::{Fault, Faults};
use crate::columns::hash;
use crate::domain::{decimal, text};
use crate::intake::garbled;
use crate::intake::notation::{DateOrder, Misread};
use crate::intake::open::UNREAD_FORMULA;
use chrono::{Datelike, Days, NaiveDate};
use std::borrow::Cow;

/// Bytes of one cell that are kept.
const MAX_CELL: usize = 32_000;
/// Bytes of a cell that is plain.
const SHORT: usize = 1_000;
/// Bytes of the longest name that stands for none.
pub const PLACEHOLDER: usize = 12;
/// Days remembered by their text.
const RECENT: usize = 1 << 13;
/// What systems write for "nothing".
const NOTHING: [&str; 9] = ["null", "#n/a", "n/a", "na", "nan", "none", "#ref!", "nil", "\\n"];

/// What a byte may mean for the text it stands in.
const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut b = 0;
    while b < 256 {
        kinds[b] = match b {
            9 | 10 | 13 => BREAK,
            0..=31 | 127 => CONTROL,
            38 => AMPERSAND,
            128.. => WIDE,
            _ => 0,
        };
        b += 1;
    }
    kinds
}
const BREAK: u8 = 1;
const CONTROL: u8 = 2;
const AMPERSAND: u8 = 4;
const WIDE: u8 = 8;
static KINDS: [u8; 256] = kinds();

pub fn is_nothing(cell: &str) -> bool {
    cell.len() <= 6 && NOTHING.iter().any(|n| n.eq_ignore_ascii_case(cell))
}

/// A cell that is text as it stands, trimmed: ASCII in which nothing could be mended, meant
/// otherwise, or stand for nothing. Most cells are.
#[inline]
pub fn plain(cell: &[u8]) -> Option<&[u8]> {
    let cell = cell.trim_ascii();
    // What stands for nothing is short and has no digits.
    let says = cell.len() > 6 || cell.iter().any(u8::is_ascii_digit);
    let read = says && cell.len() <= SHORT && !is_formula(cell) && cell != UNREAD_FORMULA.as_bytes();
    (read && !is_odd(cell)).then_some(cell)
}

/// Whether a byte is no printable ASCII, or an ampersand: eight at once (Warren, Hacker's
/// Delight, 6-1).
fn is_odd(cell: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let odd = |eight: [u8; 8]| {
        let bytes = u64::from_le_bytes(eight);
        let and = bytes ^ (ONES * b'&' as u64);
        let below = |bytes: u64, n: u64| bytes.wrapping_sub(ONES * n) & !bytes;
        (bytes | bytes.wrapping_add(ONES) | below(bytes, 32) | below(and, 1)) & TOPS
    };
    match cell.last_chunk::<8>() {
        // The last eight may be looked at twice.
        Some(last) => cell.as_chunks().0.iter().fold(odd(*last), |seen, eight| seen | odd(*eight)) != 0,
        None => cell.iter().any(|b| !(32..127).contains(b) || *b == b'&'),
    }
}

/// A cell as text: trimmed, without what moves a cursor. What could be mended but may be
/// meant is left and told of.
pub fn words<'a>(cell: &'a [u8], faults: &mut Faults) -> Cow<'a, str> {
    let cell = cell.trim_ascii();
    let seen = cell.iter().fold(0, |seen, b| seen | KINDS[*b as usize]);
    let mut whole = match std::str::from_utf8(cell) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            // A cell of another encoding among the others: Windows-1252 reads any byte.
            faults.add(Fault::NotText);
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(cell).0
        }
    };
    if seen & (CONTROL | WIDE | BREAK) != 0 {
        let odd = |c: char| matches!(c, '\u{a0}' | '\u{200b}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if seen & CONTROL != 0 {
            faults.add(Fault::Controls);
        }
        if seen & (CONTROL | BREAK) != 0 || whole.contains(odd) {
            whole = Cow::Owned(text::clean(&whole).replace('\r', ""));
        }
    }
    if seen & AMPERSAND != 0 && whole.contains(';') || seen & WIDE != 0 && is_suspect(&whole) {
        match garbled::mended(&whole) {
            Some(("TXT-01", _)) => faults.add(Fault::Garbled),
            Some(_) => faults.add(Fault::Entities),
            None => {}
        }
    }
    if is_formula(whole.as_bytes()) {
        faults.add(Fault::Formula);
    }
    if whole == UNREAD_FORMULA {
        faults.add(Fault::Formula);
        return Cow::Borrowed("");
    }
    if whole.len() > MAX_CELL {
        faults.add(Fault::TooLong);
        return Cow::Owned(whole[..whole.floor_char_boundary(MAX_CELL)].to_owned());
    }
    if is_nothing(&whole) { Cow::Borrowed("") } else { whole }
}

/// What a spreadsheet would run.
fn is_formula(text: &[u8]) -> bool {
    matches!(text, [b'=' | b'@', ..] | [b'+' | b'-', b'A'..=b'Z' | b'a'..=b'z', ..])
}

/// Letters that UTF-8 read as another encoding leaves behind.
fn is_suspect(text: &str) -> bool {
    text.contains(['Ã', 'Â', 'â', '\u{fffd}'])
}

/// A number in millionths.
pub fn number(cell: &[u8], comma: bool, faults: &mut Faults) -> Option<i64> {
    let cell = cell.trim_ascii();
    if cell.is_empty() {
        return None;
    }
    let read = decimal::parse_bytes(cell, comma);
    if read.is_none() {
        faults.add(Fault::BadNumber);
    }
    read
}

/// Days by their texts: the same few thousand come again and again.
pub struct Dates {
    recent: Vec<(u64, Option<i64>, Option<Fault>)>,
    /// Days since 1 January of year 1.
    pub today: i64,
}

impl Dates {
    pub fn new(today: NaiveDate) -> Dates {
        Dates { recent: vec![(0, None, None); RECENT], today: i64::from(today.num_days_from_ce()) }
    }

    pub fn read(&mut self, cell: &[u8], order: DateOrder, faults: &mut Faults) -> Option<i64> {
        let cell = cell.trim_ascii();
        if cell.is_empty() {
            return None;
        }
        let key = hash(cell) ^ order as u64;
        let slot = &mut self.recent[key as usize % RECENT];
        if slot.0 != key {
            let (day, fault) = day(&String::from_utf8_lossy(cell), order);
            *slot = (key, day, fault);
        }
        if let Some(fault) = slot.2 {
            faults.add(fault);
        }
        slot.1
    }
}

fn day(text: &str, order: DateOrder) -> (Option<i64>, Option<Fault>) {
    if is_nothing(text) || matches!(text, "0000-00-00" | "00/00/0000") {
        return (None, None);
    }
    // A serial day of the 1900 system whose cell lost its format.
    if text.len() == 5
        && let Ok(serial) = text.parse::<u64>()
        && (20_000..80_000).contains(&serial)
        && let Some(date) =
            NaiveDate::from_ymd_opt(1899, 12, 30).and_then(|d| d.checked_add_days(Days::new(serial)))
    {
        return (Some(i64::from(date.num_days_from_ce())), None);
    }
    match order.read(text) {
        Ok(date) => (Some(i64::from(date.num_days_from_ce())), None),
        Err(Misread::No) => (None, Some(Fault::BadDate)),
        Err(Misread::TwoWays) => (None, Some(Fault::TwoDates)),
    }
}

/// Names that stand for "we did not know".
pub fn is_placeholder(name: &str) -> bool {
    let folded_short = name.len() <= PLACEHOLDER;
    folded_short
        && matches!(
            text::fold(name).as_str(),
            "" | "test"
                | "tests"
                | "dummy"
                | "unknown"
                | "no name"
                | "noname"
                | "xxx"
                | "xx"
                | "x"
                | "abc"
                | "asdf"
                | "tbd"
                | "tba"
                | "new outlet"
                | "outlet"
                | "shop"
                | "store"
                | "name"
                | "sample"
        )
}

pub fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else { return false };
    !user.is_empty() && host.len() > 3 && host.contains('.') && !host.contains('@') && !text.contains(' ')
}

/// Between six and fifteen digits (E.164), and nothing but what people put between them.
pub fn is_phone(text: &str) -> bool {
    are_phone(text.as_bytes())
}

/// Letters, digits, blanks and dashes, as all countries write them (UPU S42), one digit at
/// least. Which digits a country has is not looked at.
pub(super) fn is_postal_code(bytes: &[u8]) -> bool {
    let (mut signs, mut digits) = (0, 0);
    for b in bytes {
        match b {
            b'0'..=b'9' => (signs, digits) = (signs + 1, digits + 1),
            b'A'..=b'Z' | b'a'..=b'z' => signs += 1,
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    (3..=10).contains(&signs) && digits > 0
}

pub(super) fn are_phone(bytes: &[u8]) -> bool {
    let mut digits = 0;
    for b in bytes.iter().copied() {
        match b {
            b'0'..=b'9' => digits += 1,
            b'+' | b'-' | b' ' | b'(' | b')' | b'.' | b'/' => {}
            b'x' | b'e' | b't' if digits >= 6 => break,
            _ => return false,
        }
    }
    (6..=15).contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: eight bytes at once say what each says alone.
        #[test]
        fn odd_bytes_are_found_wherever_they_stand(
            mut cell in prop::collection::vec(0x20u8..0x7f, 0..40),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            cell.push(b'-');
            let at = at.index(cell.len());
            cell[at] = byte;
            let each = |b: &u8| !(0x20..0x7f).contains(b) || *b == b'&';
            prop_assert_eq!(is_odd(&cell), cell.iter().any(each));
        }

        /// Law: what is plain is read as it stands.
        #[test]
        fn a_plain_cell_is_its_own_text(cell in "[ -~]{0,24}") {
            if let Some(text) = plain(cell.as_bytes()) {
                let mut faults = Faults::default();
                let read = words(cell.as_bytes(), &mut faults);
                prop_assert_eq!(read.as_bytes(), text);
                prop_assert_eq!(faults, Faults::default());
            }
        }
    }
}
