//! Tags and texts of XML, found by their signs: no tree, no events, no strings of what is passed
//! over.

use super::BLOCK;
use crate::domain::failure::said;
use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

/// Bytes of one tag or text: more is no sheet.
const MAX_TOKEN: usize = 64 << 20;

pub(super) enum Token {
    Open { name: Range<usize>, attributes: Range<usize>, empty: bool },
    Close { name: Range<usize> },
    Text(Range<usize>),
}

/// Tags and texts of XML, one after the other; ranges hold until the next one.
pub(super) struct Scanner<R> {
    from: R,
    pub buffer: Vec<u8>,
    at: usize,
    end: usize,
    is_done: bool,
}

impl<R: Read> Scanner<R> {
    pub fn new(from: R) -> Scanner<R> {
        Scanner { from, buffer: vec![0; 2 * BLOCK], at: 0, end: 0, is_done: false }
    }

    /// Reads on, keeping what is not consumed; false at the end.
    fn more(&mut self) -> Result<bool, String> {
        if self.is_done {
            return Ok(false);
        }
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        if self.end == self.buffer.len() {
            if self.end >= MAX_TOKEN {
                return Err("a text without an end".into());
            }
            self.buffer.resize(2 * self.end, 0);
        }
        let got = self.from.read(&mut self.buffer[self.end..]).map_err(|e| said(&e))?;
        self.end += got;
        self.is_done = got == 0;
        Ok(got > 0)
    }

    /// Where a byte stands, counted from what is not consumed.
    fn find(&mut self, byte: u8, from: usize) -> Result<Option<usize>, String> {
        let mut looked = from;
        loop {
            if let Some(found) = memchr::memchr(byte, &self.buffer[self.at + looked..self.end]) {
                return Ok(Some(looked + found));
            }
            looked = looked.max(self.end - self.at);
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Where a tag ends. What an attribute says may have the sign too; then no quote stands
    /// before it.
    fn close(&mut self) -> Result<Option<usize>, String> {
        let mut from = 0;
        loop {
            let Some(found) = self.find(b'>', from)? else { return Ok(None) };
            let tag = &self.buffer[self.at..self.at + found];
            let tag = tag.strip_suffix(b"/").unwrap_or(tag).trim_ascii_end();
            if matches!(tag.last(), Some(b'"' | b'\'' | b'?' | b'-'))
                || memchr::memchr2(b'"', b'\'', tag).is_none()
            {
                return Ok(Some(found));
            }
            from = found + 1;
        }
    }

    pub fn next(&mut self) -> Result<Option<Token>, String> {
        loop {
            if self.at == self.end && !self.more()? {
                return Ok(None);
            }
            if self.buffer[self.at] != b'<' {
                let length = self.find(b'<', 0)?.unwrap_or(self.end - self.at);
                let text = self.at..self.at + length;
                self.at = text.end;
                return Ok(Some(Token::Text(text)));
            }
            let Some(close) = self.close()? else { return Err("a tag without an end".into()) };
            let (from, to) = (self.at + 1, self.at + close);
            let tag = &self.buffer[from..to];
            if tag.starts_with(b"!--") && !(tag.len() >= 5 && tag.ends_with(b"--")) {
                return Err("a remark within a sheet".into());
            }
            if tag.starts_with(b"![CDATA[") {
                return Err("marked text within a sheet".into());
            }
            self.at = to + 1;
            match tag.first() {
                Some(b'!' | b'?') => {}
                Some(b'/') => return Ok(Some(Token::Close { name: local(&self.buffer, from + 1..to) })),
                _ => {
                    let empty = tag.last() == Some(&b'/');
                    let end = if empty { to - 1 } else { to };
                    let name = tag.iter().position(u8::is_ascii_whitespace).map_or(end, |n| from + n);
                    let (name, attributes) = (local(&self.buffer, from..name.min(end)), name.min(end)..end);
                    return Ok(Some(Token::Open { name, attributes, empty }));
                }
            }
        }
    }

    pub fn is(&self, range: &Range<usize>, name: &[u8]) -> bool {
        self.buffer[range.clone()] == *name
    }

    pub fn get(&self, range: &Range<usize>) -> &[u8] {
        &self.buffer[range.clone()]
    }

    /// The attributes of a tag: local name, and the value as it is written. They are short: bytes
    /// are looked at one by one.
    pub fn attributes(&self, range: &Range<usize>, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let mut rest = &self.buffer[range.clone()];
        let find = |text: &[u8], byte: u8| text.iter().position(|b| *b == byte);
        while let Some(equals) = find(rest, b'=') {
            let key = rest[..equals].trim_ascii();
            let value = rest[equals + 1..].trim_ascii_start();
            let Some(quote) = value.first().copied().filter(|q| matches!(q, b'"' | b'\'')) else { return };
            let Some(end) = find(&value[1..], quote) else { return };
            let local = key.iter().rposition(|b| *b == b':').map_or(key, |colon| &key[colon + 1..]);
            visit(local, &value[1..=end]);
            rest = &value[end + 2..];
        }
    }

    /// The value of an attribute by its local name; of several the first.
    pub fn attribute(&self, range: &Range<usize>, name: &[u8]) -> Option<Vec<u8>> {
        let mut found = None;
        self.attributes(range, &mut |key, value| {
            if key == name && found.is_none() {
                found = Some(unescaped(value).into_owned());
            }
        });
        found
    }
}

/// A name without the prefix of its namespace.
fn local(buffer: &[u8], range: Range<usize>) -> Range<usize> {
    let name = buffer[range.clone()].trim_ascii_end();
    let colon = memchr::memchr(b':', name).map_or(0, |colon| colon + 1);
    range.start + colon..range.start + name.len()
}

pub(super) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A text as it is meant: the entities of XML, and `_x000D_`, the way that sheets write what
/// XML cannot hold (ECMA-376 part 1, 22.9.2.19).
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'&', b'_', text) else { return Cow::Borrowed(text) };
    let mut made = text[..first].to_vec();
    let mut rest = &text[first..];
    while let [byte, ..] = rest {
        let found = match byte {
            b'&' => entity(rest),
            b'_' => hexadecimal(rest),
            _ => None,
        };
        let Some((letter, length)) = found else {
            made.push(*byte);
            rest = &rest[1..];
            continue;
        };
        made.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[length..];
    }
    Cow::Owned(made)
}

fn entity(text: &[u8]) -> Option<(char, usize)> {
    let end = text.iter().take(12).position(|b| *b == b';')?;
    let letter = match &text[1..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => code(digits, 16)?,
        [b'#', digits @ ..] => code(digits, 10)?,
        _ => return None,
    };
    Some((letter, end + 1))
}

fn hexadecimal(text: &[u8]) -> Option<(char, usize)> {
    match text {
        [b'_', b'x', digits @ ..] if digits.get(4) == Some(&b'_') => Some((code(&digits[..4], 16)?, 7)),
        _ => None,
    }
}

fn code(digits: &[u8], base: u32) -> Option<char> {
    let text = std::str::from_utf8(digits).ok()?;
    char::from_u32(u32::from_str_radix(text, base).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_sheets_write_them() {
        let read = |text: &str| text_of(&unescaped(text.as_bytes()));
        assert_eq!(
            read("a &amp; b &lt;c&gt; &#65;&#x42; &nope; _x0041_ _x41_ A_B"),
            "a & b <c> AB &nope; A _x41_ A_B"
        );
    }
}
