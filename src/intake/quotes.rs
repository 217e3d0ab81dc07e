//! Quotes of delimited text (RFC 4180): one opens at the beginning of a cell and closes at its
//! end, a doubled one stands for itself. Readers for speed take any quote for one that opens or
//! closes, so a text that does not keep to that is written anew before it is read.

use super::dialect::Quote;
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::intake::open::refused;
use std::borrow::Cow;
use std::io::BufRead;

/// Bytes of one cell at most: an unclosed quote makes one of the rest of the file.
const MAX_CELL: usize = 32 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Inside,
    /// Behind a quote that closes a cell, or is the first of two.
    Behind,
}

/// Follows the quotes of a text from block to block.
pub struct Quotes {
    delimiter: u8,
    place: Place,
    last: u8,
}

impl Quotes {
    pub fn new(delimiter: u8) -> Quotes {
        Quotes { delimiter, place: Place::Outside, last: b'\n' }
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }

    /// Whether all quotes of the next block stand where they should.
    pub fn are_regular(&mut self, block: &[u8]) -> bool {
        let mut at = 0;
        while at < block.len() {
            if self.place == Place::Behind {
                self.place = match block[at] {
                    b'"' => Place::Inside,
                    byte if self.ends_cell(byte) => Place::Outside,
                    _ => return false,
                };
                at += usize::from(self.place == Place::Inside);
                continue;
            }
            let Some(quote) = memchr::memchr(b'"', &block[at..]).map(|n| at + n) else { break };
            at = quote + 1;
            if self.place == Place::Inside {
                self.place = Place::Behind;
                continue;
            }
            let before = if quote == 0 { self.last } else { block[quote - 1] };
            if !self.ends_cell(before) {
                return false;
            }
            self.place = Place::Inside;
        }
        self.last = block.last().copied().unwrap_or(self.last);
        true
    }

    /// Whether the text may end here.
    pub fn are_closed(&self) -> bool {
        self.place != Place::Inside
    }
}

/// A text as it stands where its quotes are regular, or written anew.
pub fn tidied<'a>(name: &str, text: &'a str, delimiter: u8, quote: Quote) -> Outcome<Cow<'a, str>> {
    let mut quotes = Quotes::new(delimiter);
    if quote == Quote::Double && quotes.are_regular(text.as_bytes()) && quotes.are_closed() {
        return Ok(Cow::Borrowed(text));
    }
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .delimiter(delimiter)
        .from_writer(Vec::with_capacity(text.len()));
    each_record(name, text.as_bytes(), (delimiter, quote), &mut |cells| {
        // Into memory nothing fails.
        let _ = writer.write_record(cells);
        Ok(())
    })?;
    let bytes = writer.into_inner().unwrap_or_default();
    Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Every record of a text whose quotes may stand anywhere: a cell that does not begin with one,
/// or goes on behind the one that closes it, is taken as it stands. Line ends of every system
/// are read.
///
/// # Errors
///
/// FIL-05 with the line where a quote opens that is never closed: at the end of the text, or
/// where a cell that went on over lines would go on behind its quote.
pub fn each_record(
    name: &str,
    mut from: impl BufRead,
    (delimiter, quote): (u8, Quote),
    visit: &mut dyn FnMut(&[Vec<u8>]) -> Outcome<()>,
) -> Outcome<()> {
    let unclosed = |line: u64| {
        let message = format!("{name}, line {line}: a quote that is never closed");
        refused("FIL-05", message, "Look for a lone quote there, or for an end that is missing")
    };
    let (quote, sign) = (quote.byte(), quote.byte().unwrap_or_default());
    let (mut cells, mut cell): (Vec<Vec<u8>>, Vec<u8>) = (vec![], vec![]);
    let (mut place, mut quoted, mut line, mut opened, mut last) = (Place::Outside, false, 1u64, 0u64, b'\n');
    loop {
        let block =
            from.fill_buf().map_err(|e| Failure::invalid(format!("{name} cannot be read: {}", said(&e))))?;
        if block.is_empty() {
            break;
        }
        let read = block.len();
        for byte in block.iter().copied() {
            let follows_return = last == b'\r' && byte == b'\n';
            last = byte;
            line += u64::from(byte == b'\n' && !follows_return || byte == b'\r');
            if place == Place::Inside {
                match byte {
                    byte if byte == sign => place = Place::Behind,
                    _ => cell.push(byte),
                }
                if cell.len() > MAX_CELL {
                    return Err(unclosed(opened));
                }
                continue;
            }
            match byte {
                _ if place == Place::Behind && byte == sign => {
                    cell.push(sign);
                    place = Place::Inside;
                }
                _ if Some(byte) == quote && cell.is_empty() && !quoted => {
                    (place, quoted, opened) = (Place::Inside, true, line);
                }
                b'\n' | b'\r' => {
                    if !cells.is_empty() || !cell.is_empty() || quoted {
                        cells.push(std::mem::take(&mut cell));
                        visit(&cells)?;
                        cells.clear();
                    }
                    (place, quoted) = (Place::Outside, false);
                }
                _ if byte == delimiter => {
                    cells.push(std::mem::take(&mut cell));
                    (place, quoted) = (Place::Outside, false);
                }
                _ => {
                    if place == Place::Behind {
                        if cell.contains(&b'\n') || cell.contains(&b'\r') {
                            return Err(unclosed(opened));
                        }
                        cell.insert(0, sign);
                        cell.push(sign);
                        place = Place::Outside;
                    }
                    cell.push(byte);
                }
            }
        }
        from.consume(read);
    }
    if place == Place::Inside {
        return Err(unclosed(opened));
    }
    if !cells.is_empty() || !cell.is_empty() || quoted {
        cells.push(cell);
        visit(&cells)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Vec<String>>, String> {
        let mut all = vec![];
        let done = each_record("f", text.as_bytes(), (b',', Quote::Double), &mut |cells| {
            all.push(cells.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect());
            Ok(())
        });
        done.map(|()| all).map_err(|e| e.message)
    }

    #[test]
    fn quotes_within_a_cell_are_letters() {
        let read = |text: &str| read(text).unwrap();
        assert_eq!(
            read("1,TV 42\" stand,x\n2,LED 32\",y\n"),
            [["1", "TV 42\" stand", "x"], ["2", "LED 32\"", "y"]]
        );
        assert_eq!(read("\"Shop\" Mama,2\n"), [["\"Shop\" Mama", "2"]]);
        assert_eq!(read("\"a\"\"b\",\"two\nlines\",\"\"\n"), [["a\"b", "two\nlines", ""]]);
        assert_eq!(read("a,b\rc,d\r\r\ne,f"), [["a", "b"], ["c", "d"], ["e", "f"]]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_with_its_line() {
        assert_eq!(read("a,b\n1,\"x\n2,y\n").unwrap_err(), "f, line 2: a quote that is never closed");
        // The next one in the file opens a cell: what lies between is no cell.
        let text = "a,b\n1,2\n3,\"x\n4,\"main st, 5\"\n6,7\n";
        assert_eq!(read(text).unwrap_err(), "f, line 3: a quote that is never closed");
    }

    proptest! {
        /// Law: what a writer of the format writes is regular however it is cut, and read as
        /// it was.
        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec(prop::collection::vec("[ab\",\n ]{0,6}", 2..5), 1..8),
            cut in 1usize..9,
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(vec![]);
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let bytes = writer.into_inner().unwrap();
            let mut quotes = Quotes::new(b',');
            prop_assert!(bytes.chunks(cut).all(|block| quotes.are_regular(block)) && quotes.are_closed());
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(&*tidied("f", &text, b',', Quote::Double).unwrap(), &*text);
            prop_assert_eq!(read(&text).unwrap(), rows);
        }

        /// Law: whatever it is, it is regular, written so that it is, or refused.
        #[test]
        fn what_is_tidied_is_regular(
            text in "[ab\"',\r\n]{0,30}",
            cut in 1usize..9,
            quote in prop::sample::select(vec![Quote::Double, Quote::Single, Quote::None]),
        ) {
            if let Ok(tidy) = tidied("f", &text, b',', quote) {
                let mut quotes = Quotes::new(b',');
                prop_assert!(tidy.as_bytes().chunks(cut).all(|block| quotes.are_regular(block)));
                prop_assert!(quotes.are_closed());
            }
        }
    }
}
