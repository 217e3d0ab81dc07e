//! Opening what people send: delimited text in any encoding, workbooks of four kinds.
//! What is not a table gets a sentence that says what it is.

use crate::domain::{Failure, Outcome, Problem};
use crate::intake::dialect::{self, Dialect};
use crate::intake::quotes;
use crate::intake::xlsx;
use calamine::{Data, DataType, Reader, Xlsx};
use chrono::NaiveDate;
use std::collections::HashSet;
use std::io::Cursor;

/// Largest file taken.
pub const MAX_BYTES: usize = 25 << 20;
/// Cells kept of one sheet; more is a mistake or an attack.
const MAX_CELLS: usize = 20_000_000;
/// Columns kept of one sheet.
const MAX_COLUMNS: usize = 1_000;
/// What a cell holds whose formula was saved without its value.
pub const UNREAD_FORMULA: &str = "a formula without its value";

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Empty,
    Text(String),
    Number(f64),
    Date(NaiveDate),
    Bool(bool),
    /// `#N/A` and its kin.
    Error(String),
}

/// A sheet, or a text file as one.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub name: String,
    pub hidden: bool,
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug)]
pub struct Opened {
    /// What it was taken for: `csv, utf-8, ;` or `xlsx`.
    pub dialect: String,
    pub sheets: Vec<Sheet>,
}

impl Cell {
    pub fn text(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) => crate::domain::text::clean(text),
            Cell::Number(n) if n.fract() == 0.0 && n.abs() < 1e15 => format!("{n:.0}"),
            Cell::Number(n) => n.to_string(),
            Cell::Date(date) => date.to_string(),
            Cell::Bool(yes) => (if *yes { "true" } else { "false" }).into(),
            Cell::Error(code) => code.clone(),
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Cell::Empty => true,
            Cell::Text(text) => crate::domain::text::clean(text).is_empty(),
            _ => false,
        }
    }
}

/// A refusal with its code, so that scripts can tell them apart.
pub fn refused(code: &str, message: impl Into<String>, hint: &str) -> Failure {
    let message = message.into();
    let problem = Problem::error("file", code, message.clone());
    Failure { problems: vec![problem], ..Failure::invalid(message) }.hint(hint)
}

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Xlsx,
    Xlsb,
    Xls,
    Ods,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Text => "csv",
            Form::Xlsx => "xlsx",
            Form::Xlsb => "xlsb",
            Form::Xls => "xls",
            Form::Ods => "ods",
        }
    }
}

const EXCEL: &str = "Save it from the spreadsheet as .xlsx or .csv and try again";
const UNPACK: &str = "Unpack it and give the file inside";
/// What files begin with that hold no table, or none that is read.
const NO_TABLES: [(&[u8], &str, &str); 7] = [
    (b"%PDF", "a PDF", EXCEL),
    (b"\x1f\x8b", "a gzip file", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd file", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file", UNPACK),
    (b"PAR1", "a Parquet file", "Write it out as CSV"),
    (b"SQLite format 3", "a SQLite database", "Write the table out as CSV"),
    (b"<?xml", "XML", "Save it as .xlsx or .csv"),
];

/// Tells a table from what is none by its bytes, or by the first ones of a large file.
pub fn form(name: &str, bytes: &[u8]) -> Outcome<Form> {
    if bytes.is_empty() {
        return Err(refused("FIL-01", format!("{name} is empty"), EXCEL));
    }
    let starts = |with: &[u8]| bytes.starts_with(with);
    let contains = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
    if starts(b"version https://git-lfs") {
        return Err(refused(
            "FIL-02",
            format!("{name} is a pointer to a file that was not fetched"),
            "Fetch the file itself",
        ));
    }
    for (first, what, hint) in NO_TABLES {
        if starts(first) {
            return Err(refused("FIL-02", format!("{name} is {what}"), hint));
        }
    }
    if starts(&[0xd0, 0xcf, 0x11, 0xe0]) {
        // "EncryptedPackage" in UTF-16: a new workbook inside an encrypted container.
        let wide: Vec<u8> = "EncryptedPackage".bytes().flat_map(|b| [b, 0]).collect();
        if contains(&wide) {
            return Err(refused(
                "FIL-03",
                format!("{name} is protected by a password"),
                "Take the password off and save it again",
            ));
        }
        return Ok(Form::Xls);
    }
    if starts(b"PK\x03\x04") {
        return match () {
            () if contains(b"xl/workbook.bin") => Ok(Form::Xlsb),
            () if contains(b"opendocument.spreadsheet") => Ok(Form::Ods),
            // The parts of a workbook may lie anywhere; its types are listed in one place.
            () if contains(b"[Content_Types].xml") || contains(b"xl/") => Ok(Form::Xlsx),
            () => Err(refused("FIL-02", format!("{name} is a zip file, not a workbook"), UNPACK)),
        };
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_lowercase();
    if head.trim_start().starts_with("<!doctype") || head.contains("<html") {
        return Err(refused(
            "FIL-02",
            format!("{name} is a web page, perhaps a log-in page"),
            "Download the report again as a file",
        ));
    }
    if ["{\"", "[{", "[["].iter().any(|json| head.split_whitespace().collect::<String>().starts_with(json)) {
        return Err(refused("FIL-02", format!("{name} is JSON"), "Write it out as CSV"));
    }
    Ok(Form::Text)
}

pub fn open(name: &str, bytes: &[u8], dialect: &Dialect) -> Outcome<Opened> {
    if bytes.len() > MAX_BYTES {
        let size = bytes.len() >> 20;
        return Err(refused(
            "FIL-08",
            format!("{name} has {size} MB; {} are the most", MAX_BYTES >> 20),
            "Split the file by months",
        ));
    }
    match form(name, bytes)? {
        Form::Text => delimited(name, bytes, dialect),
        form => workbook(name, form, bytes),
    }
}

/// Reads a workbook; a reader that panics on a broken file is an error here.
fn workbook(name: &str, form: Form, bytes: &[u8]) -> Outcome<Opened> {
    xlsx::bounded(name, bytes)?;
    let read = std::panic::catch_unwind(|| match form {
        Form::Xlsx => xlsx(bytes),
        Form::Xlsb => whole(calamine::Xlsb::new(Cursor::new(bytes)).map_err(|e| e.to_string())?),
        Form::Ods => whole(calamine::Ods::new(Cursor::new(bytes)).map_err(|e| e.to_string())?),
        _ => whole(calamine::Xls::new(Cursor::new(bytes)).map_err(|e| e.to_string())?),
    });
    let sheets = match read {
        Ok(Ok(sheets)) => sheets,
        Ok(Err(why)) => return Err(broken(name, &why)),
        Err(_) => return Err(broken(name, "its structure is damaged")),
    };
    if sheets.iter().all(|s| s.rows.is_empty()) {
        return Err(refused(
            "FIL-01",
            format!("{name} has no rows"),
            "Check that the report was exported with its data",
        ));
    }
    Ok(Opened { dialect: form.name().to_owned(), sheets })
}

pub(super) fn broken(name: &str, why: &str) -> Failure {
    let lower = why.to_lowercase();
    if lower.contains("password") || lower.contains("encrypt") {
        return refused(
            "FIL-03",
            format!("{name} is protected by a password"),
            "Take the password off and save it again",
        );
    }
    refused(
        "FIL-04",
        format!("{name} is not a workbook that can be read: {why}"),
        "Open it in the spreadsheet and save it again",
    )
}

/// Cell by cell: a sheet with one value in its last corner must not fill memory.
fn xlsx(bytes: &[u8]) -> Result<Vec<Sheet>, String> {
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let about: Vec<(String, bool)> = book
        .sheets_metadata()
        .iter()
        .filter(|s| s.typ == calamine::SheetType::WorkSheet)
        .map(|s| (s.name.clone(), s.visible != calamine::SheetVisible::Visible))
        .collect();
    let mut sheets = Vec::new();
    for (name, hidden) in about {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut cells = book.worksheet_cells_reader(&name).map_err(|e| e.to_string())?;
        let mut kept = 0usize;
        // Texts that are empty on purpose, such as the value of `=""`.
        let mut blank: HashSet<(u32, u32)> = HashSet::new();
        while let Some(cell) = cells.next_cell().map_err(|e| e.to_string())? {
            let (row, column) = cell.get_position();
            let data = Data::from(cell.get_value().clone());
            if matches!(data, Data::String(_)) && translate(&data) == Cell::Empty {
                blank.insert((row, column));
            }
            let value = translate(&data);
            if value == Cell::Empty || column as usize >= MAX_COLUMNS {
                continue;
            }
            kept += 1 + (row as usize).saturating_sub(rows.len());
            if kept > MAX_CELLS {
                return Err(format!("sheet {name} has more than {MAX_CELLS} cells"));
            }
            put(&mut rows, row as usize, column as usize, value);
        }
        drop(cells);
        let mut formulas = book.worksheet_cells_reader(&name).map_err(|e| e.to_string())?;
        while let Some(cell) = formulas.next_formula().map_err(|e| e.to_string())? {
            if !cell.get_value().is_empty() && !blank.contains(&cell.get_position()) {
                note_formula(&mut rows, cell.get_position());
            }
        }
        sheets.push(Sheet { name, hidden, rows });
    }
    Ok(sheets)
}

/// A formula that left no value is told, never taken for a blank. Beyond the last row
/// that holds anything it can be of no row.
fn note_formula(rows: &mut [Vec<Cell>], (row, column): (u32, u32)) {
    let column = column as usize;
    if let Some(cells) = rows.get_mut(row as usize)
        && cells.get(column).is_none_or(|c| *c == Cell::Empty)
        && column < MAX_COLUMNS
    {
        if cells.len() <= column {
            cells.resize(column + 1, Cell::Empty);
        }
        cells[column] = Cell::Error(UNREAD_FORMULA.into());
    }
}

fn put(rows: &mut Vec<Vec<Cell>>, row: usize, column: usize, value: Cell) {
    if rows.len() <= row {
        rows.resize(row + 1, vec![]);
    }
    if rows[row].len() <= column {
        rows[row].resize(column + 1, Cell::Empty);
    }
    rows[row][column] = value;
}

/// The other formats are read sheet by sheet.
fn whole<'a, B: Reader<Cursor<&'a [u8]>>>(mut book: B) -> Result<Vec<Sheet>, String>
where
    B::Error: std::fmt::Display,
{
    let mut sheets = Vec::new();
    for about in book.sheets_metadata().to_vec() {
        if about.typ != calamine::SheetType::WorkSheet {
            continue;
        }
        let range = book.worksheet_range(&about.name).map_err(|e| e.to_string())?;
        let (first_row, first_column) = range.start().unwrap_or((0, 0));
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut blank: HashSet<(u32, u32)> = HashSet::new();
        for (row, column, value) in range.used_cells() {
            let (row, column) = (row + first_row as usize, column + first_column as usize);
            if column < MAX_COLUMNS && row < MAX_CELLS {
                let cell = translate(value);
                if cell == Cell::Empty {
                    blank.insert((row as u32, column as u32));
                } else {
                    put(&mut rows, row, column, cell);
                }
            }
        }
        // A file whose formulas cannot be read still has its values.
        if let Ok(formulas) = book.worksheet_formula(&about.name) {
            let (first_row, first_column) = formulas.start().unwrap_or((0, 0));
            for (row, column, text) in formulas.used_cells() {
                let at = (row as u32 + first_row, column as u32 + first_column);
                if !text.is_empty() && !blank.contains(&at) {
                    note_formula(&mut rows, at);
                }
            }
        }
        sheets.push(Sheet {
            name: about.name,
            hidden: about.visible != calamine::SheetVisible::Visible,
            rows,
        });
    }
    Ok(sheets)
}

/// Dates only through the datetime interface, which knows the 1904 system.
pub(super) fn translate(value: &Data) -> Cell {
    match value {
        Data::Empty => Cell::Empty,
        Data::String(text) if text.trim().is_empty() => Cell::Empty,
        Data::String(text) => Cell::Text(text.clone()),
        Data::Float(number) => Cell::Number(*number),
        Data::Int(number) => Cell::Number(*number as f64),
        Data::Bool(yes) => Cell::Bool(*yes),
        Data::DateTime(stamp) if stamp.is_datetime() => {
            value.as_datetime().map_or(Cell::Number(stamp.as_f64()), |t| Cell::Date(t.date()))
        }
        Data::DateTime(stamp) => Cell::Number(stamp.as_f64()),
        Data::DateTimeIso(text) => {
            let date = text.get(..10).and_then(|t| t.parse().ok());
            date.map_or_else(|| Cell::Text(text.clone()), Cell::Date)
        }
        Data::DurationIso(text) => Cell::Text(text.clone()),
        Data::Error(code) => Cell::Error(code.to_string()),
    }
}

fn delimited(name: &str, bytes: &[u8], dialect: &Dialect) -> Outcome<Opened> {
    let (text, encoding) = dialect.decode(bytes);
    // Control characters are no part of a text, whatever its encoding.
    let head = || text.chars().take(4096);
    let odd = head().filter(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')).count();
    if odd * 50 > head().count() {
        return Err(refused(
            "FIL-02",
            format!("{name} is not text and no known workbook"),
            "Give a .csv, .xlsx, .xls, .xlsb or .ods file",
        ));
    }
    let (delimiter, quote) = (dialect.delimiter(&text), dialect.quote());
    let text = quotes::tidied(name, &text, delimiter, quote)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut line = 1;
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                return Err(refused(
                    "FIL-05",
                    format!("{name}, line {line}: {error}"),
                    "Check the quotes around there",
                ));
            }
        }
        // The reader leaves blank lines out; the file's numbering keeps them.
        let at = record.position().map_or(line, |p| p.line()) as usize;
        while rows.len() + 1 < at && rows.len() < MAX_CELLS && !text_has_breaks(&rows) {
            rows.push(vec![]);
        }
        line = at as u64;
        let cells = record.iter().take(MAX_COLUMNS);
        rows.push(
            cells.map(|c| if c.trim().is_empty() { Cell::Empty } else { Cell::Text(c.to_owned()) }).collect(),
        );
    }
    if rows.iter().all(|r| r.iter().all(Cell::is_empty)) {
        return Err(refused(
            "FIL-01",
            format!("{name} has no rows"),
            "Check that the report was exported with its data",
        ));
    }
    let sheet = Sheet { name: String::new(), hidden: false, rows };
    Ok(Opened { dialect: dialect::shown(encoding, delimiter, quote), sheets: vec![sheet] })
}

/// Cells with line breaks make line numbers and row numbers differ; then rows count.
fn text_has_breaks(rows: &[Vec<Cell>]) -> bool {
    rows.iter().flatten().any(|c| matches!(c, Cell::Text(t) if t.contains('\n')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(name: &str, bytes: &[u8]) -> Outcome<Opened> {
        open(name, bytes, &Dialect::default())
    }

    #[test]
    fn dialects_and_encodings_are_guessed() {
        let opened = read("f.csv", b"\xef\xbb\xbfa;b\n1,5;2\n").unwrap();
        assert_eq!(opened.dialect, "csv, utf-8, ;");
        assert_eq!(opened.sheets[0].rows[1][0].text(), "1,5");
        let opened = read(
            "f.csv",
            "name;ort\nMüller;Köln\nSöhne;Düren\n".chars().map(|c| c as u8).collect::<Vec<u8>>().as_slice(),
        )
        .unwrap();
        assert_eq!(opened.sheets[0].rows[1][0].text(), "Müller");
    }

    #[test]
    fn what_is_no_table_says_what_it_is() {
        let rule = |name: &str, bytes: &[u8]| read(name, bytes).unwrap_err().problems[0].rule.clone();
        assert_eq!(rule("a", b""), "FIL-01");
        assert_eq!(rule("a.html", b"<!DOCTYPE html><html>"), "FIL-02");
        assert_eq!(rule("a.pdf", b"%PDF-1.7"), "FIL-02");
        assert_eq!(rule("a.json", b"[\n  {\"code\": 1}]"), "FIL-02");
        assert_eq!(rule("a.csv.gz", b"\x1f\x8b\x08\0"), "FIL-02");
        assert_eq!(rule("a.zip", b"PK\x03\x04 something else"), "FIL-02");
        assert_eq!(rule("a.xlsx", b"PK\x03\x04 xl/ broken"), "FIL-04");
        assert_eq!(rule("a.csv", b"\n\n , \n"), "FIL-01");
        assert_eq!(rule("a.csv", b"a,b\n\"1,2\n3,4\n"), "FIL-05");
        assert_eq!(rule("a.xlsx", &(0..=255).cycle().take(3000).collect::<Vec<u8>>()), "FIL-02");
        assert!(read("a.csv", b"a,b\n\"say \"\"hi\"\"\",\"two\nlines\"\n5\" disk,2\n").is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read("f", &bytes);
        }
    }
}
