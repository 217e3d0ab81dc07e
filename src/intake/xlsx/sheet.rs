//! The rows of one sheet: what each cell says, as text.

use super::scanner::{Scanner, Token, text_of, unescaped};
use super::{Unfolded, Workbook};
use crate::domain::Outcome;
use crate::intake::open::{Cell, UNREAD_FORMULA, broken, translate};
use calamine::{Data, ExcelDateTime};
use std::io::Read;
use std::ops::Range;

/// Columns of a sheet (ECMA-376 part 1, annex on limits of applications).
const MAX_COLUMNS: usize = 16_384;
/// Rows between two that hold something that are told as blank, not a million of them.
const MAX_GAP: u32 = 1_000;

/// What a cell is said to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Number,
    Shared,
    Text,
    Flag,
    Error,
    Day,
}

/// A sheet on its way: the row that is being read.
pub(super) struct Sheet<'a> {
    of: &'a Workbook,
    cells: Vec<Vec<u8>>,
    used: usize,
    /// Its number from 0, and whether a row was given out.
    number: u32,
    any: bool,
    column: usize,
    holds: Holds,
    style: usize,
    value: Vec<u8>,
    /// It has a formula; it has a value, be it empty.
    formula: bool,
    valued: bool,
}

impl<'a> Sheet<'a> {
    pub fn new(of: &'a Workbook) -> Sheet<'a> {
        Sheet {
            of,
            cells: vec![],
            used: 0,
            number: 0,
            any: false,
            column: 0,
            holds: Holds::Number,
            style: 0,
            value: vec![],
            formula: false,
            valued: false,
        }
    }

    /// Whether the sheet held anything.
    pub fn read(
        mut self,
        name: &str,
        from: Unfolded,
        row: &mut dyn FnMut(&[Vec<u8>]) -> Outcome<()>,
    ) -> Outcome<bool> {
        let mut scanner = Scanner::new(from);
        let (mut next_row, mut next_column, mut in_cell, mut takes, mut spoken) =
            (0u32, 0, false, false, false);
        while let Some(token) = scanner.next().map_err(|why| broken(name, &why))? {
            match token {
                Token::Text(text) if takes && !spoken => {
                    let text = unescaped(&scanner.buffer[text]);
                    self.value.extend_from_slice(&text);
                }
                Token::Text(_) => {}
                Token::Open { name: tag, attributes, empty } => match scanner.get(&tag) {
                    b"c" => {
                        let (at, column) =
                            self.begin(&scanner, &attributes).unwrap_or((next_row, next_column));
                        self.column = column;
                        next_column = column + 1;
                        in_cell = !empty;
                        if in_cell {
                            self.turn_to(at, row)?;
                        }
                    }
                    b"v" if in_cell => {
                        self.valued = true;
                        takes = !empty && (self.holds != Holds::Text || self.value.is_empty());
                    }
                    b"t" if in_cell => takes = !empty,
                    b"rPh" => spoken = !empty,
                    b"f" if in_cell => self.formula = true,
                    b"row" => {
                        let number = scanner.attribute(&attributes, b"r").and_then(|r| number(&r));
                        next_row = number.map_or(next_row, |n| n.saturating_sub(1));
                        next_column = 0;
                        if empty {
                            next_row += 1;
                        }
                    }
                    _ => {}
                },
                Token::Close { name: tag } => match scanner.get(&tag) {
                    b"c" if in_cell => {
                        in_cell = false;
                        self.end().map_err(|why| broken(name, why))?;
                    }
                    b"v" | b"t" => takes = false,
                    b"rPh" => spoken = false,
                    b"row" => next_row = next_row.saturating_add(1),
                    b"sheetData" => break,
                    _ => {}
                },
            }
        }
        if self.used > 0 {
            row(&self.cells[..self.used])?;
            self.any = true;
        }
        Ok(self.any)
    }

    /// Takes what a cell's tag says; returns where it is, if it says so.
    fn begin<R: Read>(&mut self, scanner: &Scanner<R>, attributes: &Range<usize>) -> Option<(u32, usize)> {
        let mut place = None;
        (self.holds, self.style) = (Holds::Number, 0);
        scanner.attributes(attributes, &mut |name, value| match (name, value) {
            (b"r", value) => place = position(value),
            (b"s", value) => self.style = number(value).unwrap_or(0) as usize,
            (b"t", b"s") => self.holds = Holds::Shared,
            (b"t", b"str" | b"inlineStr" | b"is") => self.holds = Holds::Text,
            (b"t", b"b") => self.holds = Holds::Flag,
            (b"t", b"e") => self.holds = Holds::Error,
            (b"t", b"d") => self.holds = Holds::Day,
            _ => {}
        });
        self.value.clear();
        (self.formula, self.valued) = (false, false);
        place
    }

    /// Gives out the row before where a cell is of another one.
    fn turn_to(&mut self, at: u32, row: &mut dyn FnMut(&[Vec<u8>]) -> Outcome<()>) -> Outcome<()> {
        if at > self.number {
            if self.used > 0 || self.any {
                row(&self.cells[..self.used])?;
                self.any = true;
                for _ in self.number + 1..at.min(self.number + MAX_GAP) {
                    row(&[])?;
                }
            }
            self.cells[..self.used].iter_mut().for_each(Vec::clear);
            self.used = 0;
            self.number = at;
        }
        Ok(())
    }

    /// The cell is through: what it says goes into its row.
    fn end(&mut self) -> Result<(), &'static str> {
        let shared;
        let text: &[u8] = match self.holds {
            Holds::Shared if !self.value.is_empty() => {
                let text = number(&self.value).and_then(|n| self.of.strings.get(n as usize));
                shared = text.ok_or("a cell names a text that is not there")?;
                shared
            }
            Holds::Number => {
                if !is_plain(&self.value) || self.of.styles.get(self.style).is_some_and(Option::is_some) {
                    self.number();
                }
                &self.value
            }
            Holds::Flag => match self.value.trim_ascii() {
                b"1" | b"true" => b"true",
                b"" => b"",
                _ => b"false",
            },
            Holds::Day => {
                let day = Data::DateTimeIso(text_of(&self.value));
                self.value = translate(&day).text().into_bytes();
                &self.value
            }
            _ => &self.value,
        };
        let meant = self.holds == Holds::Text && self.valued;
        let text = match text.trim_ascii() {
            b"" if self.formula && !meant => UNREAD_FORMULA.as_bytes(),
            b"" => return Ok(()),
            _ => text,
        };
        if self.column >= MAX_COLUMNS {
            return Ok(());
        }
        if self.cells.len() <= self.column {
            self.cells.resize(self.column + 1, vec![]);
        }
        self.cells[self.column].clear();
        self.cells[self.column].extend_from_slice(text);
        self.used = self.used.max(self.column + 1);
        Ok(())
    }

    /// A number as people write it, or the day that it stands for.
    fn number(&mut self) {
        let Some(read) = std::str::from_utf8(&self.value).ok().and_then(|t| t.trim().parse::<f64>().ok())
        else {
            return;
        };
        let cell = match self.of.styles.get(self.style).copied().flatten() {
            Some(of) => translate(&Data::DateTime(ExcelDateTime::new(read, of, self.of.is_1904))),
            None => Cell::Number(read),
        };
        self.value = cell.text().into_bytes();
    }
}

/// A number that is written as [`Cell::text`] would write it.
fn is_plain(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, part) = match memchr::memchr(b'.', digits) {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &b"1"[..]),
    };
    let shortest = (whole == b"0" || whole.first().is_some_and(|d| *d != b'0'))
        && part.last().is_some_and(|d| *d != b'0');
    shortest && text != b"-0" && digits.len() <= 15 && whole.iter().chain(part).all(u8::is_ascii_digit)
}

fn number(text: &[u8]) -> Option<u32> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |n, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Row and column, from 0, of a name such as `AB12`.
fn position(name: &[u8]) -> Option<(u32, usize)> {
    let letters = name.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if letters == 0 || letters > 4 {
        return None;
    }
    let column =
        name[..letters].iter().fold(0usize, |n, b| n * 26 + usize::from(b.to_ascii_uppercase() - b'A') + 1);
    Some((number(&name[letters..])?.checked_sub(1)?, column - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_those_that_stay_as_they_are() {
        for text in ["0", "7", "-12", "18.5538", "0.5", "123456789012345", "-0.25"] {
            assert!(is_plain(text.as_bytes()), "{text}");
            assert_eq!(Cell::Number(text.parse().unwrap()).text(), text);
        }
        for text in ["", "-", "-0", "007", "1.50", "1.", ".5", "1e5", "18.553800000000003", "1 2", "+1"] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn cells_are_found_by_their_names() {
        assert_eq!(position(b"A1"), Some((0, 0)));
        assert_eq!(position(b"XFD1048576"), Some((1_048_575, 16_383)));
        assert_eq!(position(b"AB12"), Some((11, 27)));
        for bad in ["", "A", "12", "A0", "ABCDE1", "A-1"] {
            assert_eq!(position(bad.as_bytes()), None, "{bad}");
        }
    }
}
