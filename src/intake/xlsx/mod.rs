//! An XLSX workbook as a stream: the rows of its first sheet that is shown and holds any, as
//! texts, in little memory. One thread unfolds the sheet, the other takes it apart.
//!
//! A sheet of millions of cells is one long file of a few tags (ECMA-376 part 1, 18.3), and
//! most of the time goes into finding where they begin and end; so this scans bytes for them
//! and makes no tree, event or string of what it passes over. Smaller workbooks, in which
//! more than one table may matter, are read by the library (`open`), which tests compare
//! this with.

mod scanner;
mod sheet;

use super::open::{broken, refused};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use calamine::ExcelDateTimeType;
use scanner::{Scanner, Token, text_of, unescaped};
use sheet::Sheet;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use zip::ZipArchive;

/// Bytes that go from one thread to the other together, and how many such wait.
const BLOCK: usize = 256 << 10;
const WAIT: usize = 4;
/// Bytes of small parts: the workbook, its relations, its styles.
const MAX_PART: u64 = 64 << 20;
/// A part that unfolds to more than this and so many times the file was made to fill a disk.
const MAX_UNFOLDED: u64 = 1 << 30;
const MAX_RATIO: u64 = 300;
/// Bytes of the texts that cells name by number, and of where they end: these are kept.
const MAX_TEXTS: usize = 384 << 20;
/// Bytes of the part with these texts where the library keeps each for itself.
const MAX_LIBRARY_TEXTS: u64 = 128 << 20;

type Book = ZipArchive<BufReader<File>>;

/// The rows of a workbook; blank ones between them are told too.
///
/// # Errors
/// It is no workbook (FIL-04), it holds nothing (FIL-01), or what `row` gives.
pub fn stream(name: &str, path: &Path, row: &mut dyn FnMut(&[Vec<u8>]) -> Outcome<()>) -> Outcome<()> {
    let about = Workbook::read(name, path)?;
    for sheet in &about.sheets {
        let mut any = false;
        about.part(name, path, sheet, &mut |unfolded| {
            any = Sheet::new(&about).read(name, unfolded, row)?;
            Ok(())
        })?;
        if any {
            return Ok(());
        }
    }
    Err(refused("FIL-01", format!("{name} has no rows"), "Check that the report was exported with its data"))
}

/// What a sheet is read with.
struct Workbook {
    /// Parts of the sheets that are shown, in order.
    sheets: Vec<String>,
    /// Texts that cells name by number.
    strings: Strings,
    /// Style → whether its numbers are days, or lengths of time.
    styles: Vec<Option<ExcelDateTimeType>>,
    is_1904: bool,
    /// Bytes of the file.
    size: u64,
}

#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Strings {
    fn get(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)?;
        let from = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[from as usize..end as usize])
    }

    fn end(&mut self) {
        self.ends.push(self.bytes.len() as u32);
    }

    fn len(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice())
    }
}

fn opened(name: &str, path: &Path) -> Outcome<Book> {
    let file =
        File::open(path).map_err(|e| Failure::invalid(format!("{name} cannot be read: {}", said(&e))))?;
    ZipArchive::new(BufReader::with_capacity(BLOCK, file)).map_err(|e| broken(name, &e.to_string()))
}

/// A part's own name in the archive: writers differ in case and slashes.
fn named(book: &Book, part: &str) -> Option<String> {
    let plain = |name: &str| name.replace('\\', "/").trim_start_matches('/').to_lowercase();
    let wanted = plain(part);
    let names = book.file_names().filter_map(Result::ok);
    names.map(Cow::into_owned).find(|name| plain(name) == wanted)
}

impl Workbook {
    fn read(name: &str, path: &Path) -> Outcome<Workbook> {
        let size = std::fs::metadata(path).map_or(0, |about| about.len());
        let mut book = opened(name, path)?;
        let mut small = |part: &str| -> Outcome<Option<Vec<u8>>> {
            let Some(part) = named(&book, part) else { return Ok(None) };
            let file = book.by_name(&part).map_err(|e| broken(name, &e.to_string()))?;
            let mut bytes = Vec::new();
            file.take(MAX_PART).read_to_end(&mut bytes).map_err(|e| broken(name, &said(&e)))?;
            Ok(Some(bytes))
        };
        let targets =
            |bytes: &[u8], of: &str| relations(bytes, of).into_iter().next().map(|(_, target)| target);
        let root = small("_rels/.rels")?.and_then(|bytes| targets(&bytes, "/officeDocument"));
        let workbook = root.unwrap_or_else(|| "xl/workbook.xml".into());
        let (folder, file) = workbook.rsplit_once('/').unwrap_or(("", &workbook));
        let within = |target: &str| match target.strip_prefix('/') {
            Some(whole) => whole.to_owned(),
            None => format!("{folder}/{target}"),
        };
        let rels = small(&format!("{folder}/_rels/{file}.rels"))?.unwrap_or_default();
        let Some(text) = small(&workbook)? else { return Err(broken(name, "it has no workbook in it")) };
        let sheets = relations(&rels, "/worksheet");
        let styles = relations(&rels, "/styles").first().map(|(_, target)| within(target));
        let styles = styles.map(|part| small(&part)).transpose()?.flatten().unwrap_or_default();
        let mut made = Workbook {
            sheets: vec![],
            strings: Strings::default(),
            styles: date_styles(&styles),
            is_1904: false,
            size,
        };
        let mut scanner = Scanner::new(text.as_slice());
        while let Some(token) = scanner.next().map_err(|why| broken(name, &why))? {
            match token {
                Token::Open { name, attributes, .. } if scanner.is(&name, b"workbookPr") => {
                    let on = scanner.attribute(&attributes, b"date1904");
                    made.is_1904 = on.is_some_and(|v| matches!(&*v, b"1" | b"true" | b"on"));
                }
                Token::Open { name, attributes, .. } if scanner.is(&name, b"sheet") => {
                    let shown = scanner.attribute(&attributes, b"state").is_none_or(|s| *s == *b"visible");
                    let id = scanner.attribute(&attributes, b"id").map(|id| text_of(&id));
                    let part = sheets.iter().find(|(of, _)| Some(of) == id.as_ref());
                    made.sheets.extend(part.filter(|_| shown).map(|(_, target)| within(target)));
                }
                _ => {}
            }
        }
        if let Some((_, target)) = relations(&rels, "/sharedStrings").first() {
            let mut strings = Strings::default();
            made.part(name, path, &within(target), &mut |unfolded| {
                strings = shared(name, unfolded)?;
                Ok(())
            })?;
            made.strings = strings;
        }
        Ok(made)
    }

    /// Gives a part, unfolded by another thread, to be read.
    fn part(
        &self,
        name: &str,
        path: &Path,
        part: &str,
        read: &mut dyn FnMut(Unfolded) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut book = opened(name, path)?;
        let part = named(&book, part).ok_or_else(|| broken(name, &format!("it has no {part} in it")))?;
        std::thread::scope(|scope| {
            let (to, from) = sync_channel(WAIT);
            let thread = scope.spawn(move || self.unfold(name, &mut book, &part, &to));
            let read = read(Unfolded { from, block: vec![], at: 0 });
            // What stopped the unfolding explains why the reading ended early.
            let unfolded = thread.join().unwrap_or_else(|_| Err(broken(name, "its structure is damaged")));
            unfolded.and(read)
        })
    }

    fn unfold(&self, name: &str, book: &mut Book, part: &str, to: &SyncSender<Vec<u8>>) -> Outcome<()> {
        let mut file = book.by_name(part).map_err(|e| broken(name, &e.to_string()))?;
        let mut all = 0u64;
        loop {
            let mut block = vec![0; BLOCK];
            let mut filled = 0;
            while filled < BLOCK {
                match file.read(&mut block[filled..]).map_err(|e| broken(name, &said(&e)))? {
                    0 => break,
                    got => filled += got,
                }
            }
            block.truncate(filled);
            all += filled as u64;
            if all > MAX_UNFOLDED && all > self.size.saturating_mul(MAX_RATIO) {
                return Err(refused(
                    "FIL-04",
                    format!("{name} unfolds to more than {MAX_RATIO} times its size"),
                    "Open it in the spreadsheet and save it again",
                ));
            }
            // Nobody reads on: it is through, or something else was wrong.
            if filled == 0 || to.send(block).is_err() {
                return Ok(());
            }
        }
    }
}

/// Blocks as they come from the thread that unfolds them.
struct Unfolded {
    from: Receiver<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

impl Read for Unfolded {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.block.len() {
            match self.from.recv() {
                Ok(block) => (self.block, self.at) = (block, 0),
                Err(_) => return Ok(0),
            }
        }
        let some = into.len().min(self.block.len() - self.at);
        into[..some].copy_from_slice(&self.block[self.at..self.at + some]);
        self.at += some;
        Ok(some)
    }
}

fn too_large(name: &str) -> Failure {
    refused("FIL-08", format!("{name} unfolds to more than can be kept in memory"), "Save it as .csv")
}

/// Looks whether the parts of a workbook unfold to what the library can keep in memory: it
/// keeps all texts, one by one, and rows as they come. What is no archive it tells itself.
///
/// # Errors
/// It unfolds to too much (FIL-08).
pub fn bounded(name: &str, bytes: &[u8]) -> Outcome<()> {
    let Ok(mut book) = ZipArchive::new(std::io::Cursor::new(bytes)) else { return Ok(()) };
    let mut left = MAX_UNFOLDED;
    for number in 0..book.len() {
        let Ok(part) = book.by_index(number) else { continue };
        let texts = part.name().is_ok_and(|name| name.to_lowercase().contains("sharedstrings"));
        let most = if texts { left.min(MAX_LIBRARY_TEXTS) } else { left };
        let unfolded = std::io::copy(&mut part.take(most + 1), &mut std::io::sink()).unwrap_or(0);
        if unfolded > most {
            return Err(too_large(name));
        }
        left -= unfolded;
    }
    Ok(())
}

/// Id and target of the relations of a type.
fn relations(bytes: &[u8], of: &str) -> Vec<(String, String)> {
    let mut scanner = Scanner::new(bytes);
    let mut found = Vec::new();
    while let Ok(Some(token)) = scanner.next() {
        let Token::Open { name, attributes, .. } = token else { continue };
        let get = |name: &[u8]| scanner.attribute(&attributes, name).map(|v| text_of(&v)).unwrap_or_default();
        if scanner.is(&name, b"Relationship") && get(b"Type").ends_with(of) {
            found.push((get(b"Id"), get(b"Target")));
        }
    }
    found
}

/// Which styles of cells show days, by their number formats.
fn date_styles(bytes: &[u8]) -> Vec<Option<ExcelDateTimeType>> {
    let mut scanner = Scanner::new(bytes);
    let (mut own, mut styles, mut within) = (std::collections::HashMap::new(), Vec::new(), false);
    while let Ok(Some(token)) = scanner.next() {
        match token {
            Token::Open { name, attributes, .. } if scanner.is(&name, b"numFmt") => {
                let get =
                    |of: &[u8]| scanner.attribute(&attributes, of).map(|v| text_of(&v)).unwrap_or_default();
                own.insert(get(b"numFmtId"), date_format(&get(b"formatCode")));
            }
            Token::Open { name, .. } if scanner.is(&name, b"cellXfs") => within = true,
            Token::Close { name } if scanner.is(&name, b"cellXfs") => within = false,
            Token::Open { name, attributes, .. } if within && scanner.is(&name, b"xf") => {
                let id = scanner.attribute(&attributes, b"numFmtId").map(|v| text_of(&v)).unwrap_or_default();
                let own = own.get(&id).copied();
                styles.push(own.unwrap_or_else(|| match id.parse::<u32>().unwrap_or(0) {
                    // ECMA-376 part 1, 18.8.30.
                    14..=22 | 27..=36 | 45 | 47 | 50..=58 => Some(ExcelDateTimeType::DateTime),
                    46 => Some(ExcelDateTimeType::TimeDelta),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    styles
}

/// What a number format shows: its letters for days and times count outside of quotes,
/// escapes and colours, in its first section.
fn date_format(format: &str) -> Option<ExcelDateTimeType> {
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter.to_ascii_lowercase() {
            '\\' | '_' | '*' => drop(letters.next()),
            '"' => drop(letters.by_ref().find(|c| *c == '"')),
            ';' => return None,
            '[' => {
                let inner: String = letters.by_ref().take_while(|c| *c != ']').collect();
                let inner = inner.to_ascii_lowercase();
                let is_length = |of: char| !inner.is_empty() && inner.chars().all(|c| c == of);
                if ['h', 'm', 's'].into_iter().any(is_length) {
                    return Some(ExcelDateTimeType::TimeDelta);
                }
            }
            'd' | 'm' | 'y' | 'h' | 's' => return Some(ExcelDateTimeType::DateTime),
            // "A/P" and "AM/PM" belong to times; a lone A does not.
            'a' if letters.peek().is_some_and(|c| matches!(c, '/' | 'm' | 'M' | 'p' | 'P')) => {
                return Some(ExcelDateTimeType::DateTime);
            }
            // "General" and "E+00" have letters too.
            'g' | 'e' if letter == 'G' || letter == 'E' => {
                while letters.peek().is_some_and(char::is_ascii_alphabetic) {
                    letters.next();
                }
            }
            _ => {}
        }
    }
    None
}

/// The table of texts, without how they are to be spoken.
fn shared(name: &str, from: Unfolded) -> Outcome<Strings> {
    let mut scanner = Scanner::new(from);
    let (mut strings, mut within, mut spoken) = (Strings::default(), false, false);
    while let Some(token) = scanner.next().map_err(|why| broken(name, &why))? {
        if strings.len() > MAX_TEXTS {
            return Err(too_large(name));
        }
        match token {
            Token::Open { name, empty, .. } if scanner.is(&name, b"si") && empty => strings.end(),
            Token::Close { name } if scanner.is(&name, b"si") => strings.end(),
            Token::Open { name, empty, .. } if scanner.is(&name, b"rPh") => spoken = !empty,
            Token::Close { name } if scanner.is(&name, b"rPh") => spoken = false,
            Token::Open { name, empty, .. } if scanner.is(&name, b"t") => within = !empty,
            Token::Close { name } if scanner.is(&name, b"t") => within = false,
            Token::Text(text) if within && !spoken => {
                let text = unescaped(&scanner.buffer[text]);
                strings.bytes.extend_from_slice(&text);
            }
            _ => {}
        }
    }
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_days_are_told_from_others() {
        use ExcelDateTimeType::{DateTime, TimeDelta};
        let day = Some(DateTime);
        for (format, is) in [
            ("yyyy-mm-dd", day),
            ("dd/mm/yyyy;@", day),
            ("[$-409]d-mmm-yy;@", day),
            ("h:mm AM/PM", day),
            ("[h]:mm:ss", Some(TimeDelta)),
            ("General", None),
            ("0.00E+00", None),
            ("#,##0.00 \"days\"", None),
            ("[Red]0.00", None),
            ("\\d0", None),
            ("0;yyyy", None),
            ("_-* #,##0_-", None),
        ] {
            assert_eq!(date_format(format), is, "{format}");
        }
    }
}
