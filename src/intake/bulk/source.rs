//! A file of any size as delimited UTF-8 text on disk. What is something else (another
//! encoding, a workbook) is first written out as that, into a file of ours.

use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::intake::dialect::{self, Dialect, Quote};
use crate::intake::open::{self, Form, refused};
use crate::intake::quotes::{self, Quotes};
use crate::intake::xlsx;
use simd_csv::ZeroCopyReaderBuilder;
use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes looked at to tell what a file is.
const HEAD: usize = 1 << 20;
/// Records kept of its beginning: enough for the header and what its columns hold.
const SAMPLE: usize = 400;
/// Bytes of one record at most.
const MAX_RECORD: u64 = 32 << 20;
/// Columns at most.
pub const MAX_COLUMNS: usize = 16_384;
/// Bytes read at a time: what is read is looked at while it is still near.
const BLOCK: usize = 128 << 10;

pub struct Source {
    pub name: String,
    /// `csv, utf-8, ;` or `xlsx`
    pub dialect: String,
    pub delimiter: u8,
    /// Where the text begins, behind a byte order mark.
    pub start: u64,
    pub bytes: u64,
    /// The first records.
    pub head: Vec<Vec<String>>,
    /// BLAKE3 of the text as it is read.
    pub hash: [u8; 32],
    path: PathBuf,
    /// Ours, to be taken away again.
    spool: Option<PathBuf>,
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(spool) = &self.spool {
            let _ = std::fs::remove_file(spool);
        }
    }
}

pub fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    move |e| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format!("There is no file {}", path.display())),
        _ => Failure::invalid(format!("{} cannot be read: {}", path.display(), said(&e))),
    }
}

/// Opens a file; `spool` is a folder for what has to be written out anew.
pub fn open(path: &Path, spool: &Path, dialect: &Dialect) -> Outcome<Source> {
    let name = path.file_name().map_or(path.display().to_string(), |n| n.to_string_lossy().into_owned());
    let about = std::fs::metadata(path).map_err(unreadable(path))?;
    if about.is_dir() {
        return Err(Failure::usage(format!("{} is a folder", path.display())));
    }
    if !about.is_file() {
        return Err(Failure::usage(format!("{} is a pipe or a device", path.display()))
            .hint("A file is read more than once: save it as one first"));
    }
    let mut file = File::open(path).map_err(unreadable(path))?;
    let mut head = Vec::new();
    (&mut file).take(HEAD as u64).read_to_end(&mut head).map_err(unreadable(path))?;
    let mut source = Source {
        name: name.clone(),
        dialect: String::new(),
        delimiter: b',',
        start: 0,
        bytes: about.len(),
        head: vec![],
        hash: [0; 32],
        path: path.to_owned(),
        spool: None,
    };
    let (encoding, mark) = match open::form(&name, &head)? {
        Form::Text => dialect.encoding(&head, head.len() < HEAD),
        form => {
            source.spooled(spool, |to| workbook(&name, form, path, to))?;
            source.dialect = form.name().into();
            source.look_through()?;
            source.sample()?;
            return Ok(source);
        }
    };
    match encoding == encoding_rs::UTF_8 {
        true => source.start = mark as u64,
        false => {
            file.seek(SeekFrom::Start(mark as u64)).map_err(unreadable(path))?;
            source.spooled(spool, |to| transcode(file, encoding, to).map_err(unreadable(path)))?;
        }
    }
    source.delimiter = match &source.spool {
        None => dialect.delimiter(&text_of(&head[source.start as usize..])),
        Some(spool) => {
            let mut text = Vec::new();
            let file = File::open(spool).map_err(unreadable(spool))?;
            file.take(HEAD as u64).read_to_end(&mut text).map_err(unreadable(spool))?;
            dialect.delimiter(&text_of(&text))
        }
    };
    let quote = dialect.quote();
    source.dialect = dialect::shown(encoding, source.delimiter, quote);
    // The reader knows lines by their line feeds.
    let has_lines = memchr::memchr(b'\r', &head).is_none() || memchr::memchr(b'\n', &head).is_some();
    if !source.look_through()? || !has_lines || quote != Quote::Double {
        let (mut file, delimiter) = (source.file()?, source.delimiter);
        file.seek(SeekFrom::Start(source.start)).map_err(unreadable(path))?;
        source.spooled(spool, |to| tidied(&name, file, (delimiter, quote), to))?;
        source.start = 0;
        source.look_through()?;
    }
    source.sample()?;
    Ok(source)
}

/// Whole lines of the beginning.
fn text_of(head: &[u8]) -> String {
    let end =
        if head.len() < HEAD / 2 { head.len() } else { memchr::memrchr(b'\n', head).unwrap_or(head.len()) };
    String::from_utf8_lossy(&head[..end]).into_owned()
}

fn transcode(
    mut from: File,
    encoding: &'static encoding_rs::Encoding,
    to: &mut dyn Write,
) -> std::io::Result<()> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut block, mut text) = (vec![0; BLOCK], String::new());
    loop {
        let got = from.read(&mut block)?;
        text.clear();
        text.reserve(decoder.max_utf8_buffer_length(got).unwrap_or(4 * BLOCK));
        let (_, _, _) = decoder.decode_to_string(&block[..got], &mut text, got == 0);
        to.write_all(text.as_bytes())?;
        if got == 0 {
            return Ok(());
        }
    }
}

/// The same text, its quotes and line ends where they should be.
fn tidied(name: &str, from: File, (delimiter, quote): (u8, Quote), to: &mut dyn Write) -> Outcome<()> {
    let mut writer = csv::WriterBuilder::new().flexible(true).delimiter(delimiter).from_writer(to);
    let failed = |why: String| Failure::internal(format!("The rows of {name} cannot be kept: {why}"));
    quotes::each_record(name, BufReader::with_capacity(BLOCK, from), (delimiter, quote), &mut |cells| {
        writer.write_record(cells).map_err(|e| failed(e.to_string()))
    })?;
    writer.flush().map_err(|e| failed(said(&e)))
}

/// A workbook's table as delimited text.
fn workbook(name: &str, form: Form, path: &Path, to: &mut dyn Write) -> Outcome<()> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(to);
    let failed = |e: csv::Error| Failure::internal(format!("The rows of {name} cannot be kept: {e}"));
    let mut row = |cells: &[Vec<u8>]| match cells {
        [] => writer.write_record([""]).map_err(failed),
        cells => writer.write_record(cells).map_err(failed),
    };
    match form {
        Form::Xlsx => xlsx::stream(name, path, &mut row)?,
        _ => {
            let bytes = std::fs::read(path).map_err(unreadable(path))?;
            let opened = open::open(name, &bytes, &Dialect::default())?;
            let shown = opened.sheets.iter().filter(|s| !s.hidden).max_by_key(|s| s.rows.len());
            for cells in shown.or(opened.sheets.first()).map_or(&[][..], |s| &s.rows) {
                let texts: Vec<Vec<u8>> = cells.iter().map(|cell| cell.text().into_bytes()).collect();
                row(&texts)?;
            }
        }
    }
    writer.flush().map_err(|e| Failure::internal(format!("The rows of {name} cannot be kept: {}", said(&e))))
}

impl Source {
    /// Writes the text into a file of ours and goes on with that.
    fn spooled(&mut self, folder: &Path, write: impl FnOnce(&mut dyn Write) -> Outcome<()>) -> Outcome<()> {
        std::fs::create_dir_all(folder).map_err(unreadable(folder))?;
        // What is written anew may be ours already; who reads it has it open.
        let before = self.spool.take();
        before.iter().for_each(|before| drop(std::fs::remove_file(before)));
        let path = folder.join(format!("{}-{}.spool", std::process::id(), u8::from(before.is_some())));
        let file = File::create(&path).map_err(unreadable(&path))?;
        self.spool = Some(path.clone());
        let mut to = BufWriter::with_capacity(BLOCK, file);
        write(&mut to)?;
        to.flush().map_err(unreadable(&path))?;
        self.bytes = std::fs::metadata(&path).map_err(unreadable(&path))?.len();
        self.path = path;
        Ok(())
    }

    /// Reads all of the text once for its hash; whether its quotes are regular.
    fn look_through(&mut self) -> Outcome<bool> {
        let (mut file, mut block) = (self.file()?, vec![0; BLOCK]);
        let (mut hasher, mut quotes) = (blake3::Hasher::new(), Quotes::new(self.delimiter));
        let (mut read, mut regular, mut skip) = (0, true, self.start as usize);
        loop {
            let got = file.read(&mut block).map_err(unreadable(&self.path))?;
            if got == 0 {
                break;
            }
            hasher.update(&block[..got]);
            // A mark is three bytes at the beginning.
            regular = regular && quotes.are_regular(&block[skip.min(got)..got]);
            (read, skip) = (read + got as u64, 0);
        }
        (self.hash, self.bytes) = (hasher.finalize().into(), read);
        Ok(regular && quotes.are_closed())
    }

    fn sample(&mut self) -> Outcome<()> {
        let mut head = Vec::new();
        self.records(&mut |_, _, cells| {
            head.push(cells.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect());
            Ok(head.len() < SAMPLE)
        })?;
        if head.iter().all(|r: &Vec<String>| r.iter().all(|c| c.trim().is_empty())) {
            let hint = "Check that the report was exported with its data";
            return Err(refused("FIL-01", format!("{} has no rows", self.name), hint));
        }
        self.head = head;
        Ok(())
    }

    pub fn file(&self) -> Outcome<File> {
        File::open(&self.path).map_err(unreadable(&self.path))
    }

    /// Every record with the place of its first byte and of the one behind its last; false
    /// ends it.
    pub fn records(&self, visit: &mut dyn FnMut(u64, u64, &mut Cells) -> Outcome<bool>) -> Outcome<()> {
        let mut file = self.file()?;
        file.seek(SeekFrom::Start(self.start)).map_err(unreadable(&self.path))?;
        let (read, done) = (Cell::new(0u64), Cell::new(0u64));
        let bounded = Bounded { from: file, read: &read, done: &done };
        let mut reader = ZeroCopyReaderBuilder::with_capacity(BLOCK);
        reader.delimiter(self.delimiter).flexible(true).has_headers(false);
        let mut reader = reader.from_reader(bounded);
        let (mut number, mut at) = (0u64, 0u64);
        let mut cells = Cells::default();
        loop {
            let more = match reader.read_byte_record() {
                Ok(None) => false,
                Ok(Some(record)) => {
                    cells.take(&record);
                    true
                }
                Err(error) => return Err(self.broken(number + 1, &error.to_string())),
            };
            if !more {
                return match self.start + read.get() == self.bytes {
                    true => Ok(()),
                    false => Err(self.changed("it is not as long as it was")),
                };
            }
            number += 1;
            let end = reader.position();
            done.set(end);
            if cells.len() > MAX_COLUMNS {
                let message = format!(
                    "{}, record {number}: {} columns; {MAX_COLUMNS} are the most",
                    self.name,
                    cells.len()
                );
                return Err(refused("FIL-12", message, "Check the delimiter and the quotes around there"));
            }
            if !visit(self.start + at, self.start + end, &mut cells)? {
                return Ok(());
            }
            at = end;
        }
    }

    /// Somebody writes to the file.
    pub fn changed(&self, why: &str) -> Failure {
        Failure::conflict(format!("{} changed while it was read: {why}", self.name))
            .hint("Import it again when nobody writes to it any more")
    }

    fn broken(&self, number: u64, why: &str) -> Failure {
        match why.contains(UNCLOSED) {
            true => refused(
                "FIL-05",
                format!("{}, record {number}: more than {} MB in one row", self.name, MAX_RECORD >> 20),
                "Look for a \" around there that is closed too late, or for a cell that is no text",
            ),
            false => Failure::invalid(format!("{}, record {number}: {why}", self.name)),
        }
    }
}

const UNCLOSED: &str = "a record without an end";

/// A reader that ends a record which does not end.
struct Bounded<'a> {
    from: File,
    read: &'a Cell<u64>,
    done: &'a Cell<u64>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.read.get() > self.done.get() + MAX_RECORD {
            return Err(std::io::Error::other(UNCLOSED));
        }
        let got = self.from.read(into)?;
        self.read.set(self.read.get() + got as u64);
        Ok(got)
    }
}

/// The cells of one record, quotes taken off.
#[derive(Default)]
pub struct Cells {
    bytes: Vec<u8>,
    /// Where each cell begins and ends in them.
    spans: Vec<(u32, u32)>,
}

impl Cells {
    pub fn take(&mut self, record: &simd_csv::ZeroCopyByteRecord) {
        self.bytes.clear();
        self.bytes.extend_from_slice(record.as_slice());
        self.spans.clear();
        // A record has at most some megabytes.
        let (mut from, mut escaped) = (0u32, false);
        if memchr::memchr(b'"', &self.bytes).is_none() {
            self.spans.extend(record.iter().map(|cell| {
                let to = from + cell.len() as u32;
                (std::mem::replace(&mut from, to + 1), to)
            }));
            return;
        }
        for cell in record.iter() {
            let to = from + cell.len() as u32;
            self.spans.push(match cell {
                [b'"', quoted @ .., b'"'] if memchr::memchr(b'"', quoted).is_none() => (from + 1, to - 1),
                _ => (from, to),
            });
            escaped |= self.spans.last() == Some(&(from, to)) && cell.first() == Some(&b'"');
            from = to + 1;
        }
        // Few cells have quotes within: what they say is put behind the record.
        for column in 0..if escaped { self.len() } else { 0 } {
            if let Some(Cow::Owned(text)) = record.unescape(column) {
                self.set(column, &text);
            }
        }
    }
    pub fn len(&self) -> usize {
        self.spans.len()
    }
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
    /// A cell; empty where the record is shorter.
    #[inline]
    pub fn get(&self, column: usize) -> &[u8] {
        self.spans.get(column).map_or(&[], |(from, to)| &self.bytes[*from as usize..*to as usize])
    }
    /// Puts another text in place of a cell; a shorter record grows.
    pub fn set(&mut self, column: usize, text: &[u8]) {
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(text);
        self.spans.resize(self.spans.len().max(column + 1), (0, 0));
        self.spans[column] = (from, self.bytes.len() as u32);
    }
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|column| self.get(column))
    }
    pub fn is_blank(&self) -> bool {
        self.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace))
    }
}
