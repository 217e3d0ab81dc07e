//! Files on their way in: read where the person is, sent to the host in pieces.

use crate::domain::failure::said;
use crate::domain::note::MOST;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Door, Engine};
use crate::frames::Bytes;
use crate::intake::bulk::source::unreadable;
use crate::intake::open::{MAX_BYTES, decode};
use crate::services::imports::uploads::{DropPieces, PIECE_BYTES, PutPiece, Source};
use crate::services::imports::{Line, ListLines, Options, StartReview, Started, Target};
use crate::services::new_id;
use crate::services::outlets::ExportOutlets;
use std::io::{Read, Write};
use std::path::Path;

/// Rows asked for at one time.
const PAGE: usize = 500;

/// The bytes of a path with its name; one byte more than is taken tells that the file
/// is too large.
pub fn read_path(path: &str) -> Outcome<(String, Vec<u8>)> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format!("There is no file {path}")),
        _ => Failure::invalid(format!("{path} cannot be read: {}", said(&e))),
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(Failure::usage(format!("{path} is a folder")));
    }
    let name = Path::new(path).file_name().map_or(path.to_owned(), |n| n.to_string_lossy().into_owned());
    Ok((name, read_all(file)?))
}

/// A text file in whatever encoding it is.
pub fn read_text(path: &str) -> Outcome<String> {
    as_text(&read_path(path)?.1)
}

/// Bytes as a text that a person wrote.
pub fn as_text(bytes: &[u8]) -> Outcome<String> {
    match bytes.len() > MOST || bytes.contains(&0) {
        true => Err(Failure::invalid(format!("That is no note: a text of at most {} KiB is", MOST >> 10))),
        false => Ok(decode(bytes).0),
    }
}

pub fn read_all(from: impl Read) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let failed = |e: std::io::Error| Failure::invalid(format!("The file cannot be read: {}", said(&e)));
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Sends a file to the host, piece by piece.
fn upload(engine: &impl Door, name: String, bytes: &[u8]) -> Outcome<Source> {
    let upload = new_id(engine.now_ms());
    if bytes.is_empty() {
        engine.run(&PutPiece { upload, part: 0, bytes: Bytes(vec![]) })?;
    }
    for (part, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        engine.run(&PutPiece { upload, part: part as u32, bytes: Bytes(piece.to_vec()) })?;
    }
    Ok(Source::Upload { upload, name })
}

/// Starts the review of a file of any size: it is read where it lies.
pub fn review_in_place(engine: &Engine, target: Target, path: &str) -> Outcome<Started> {
    let path = std::fs::canonicalize(path).map_err(unreadable(Path::new(path)))?;
    let source = Source::Path { path, said: Default::default() };
    Ok(engine.run(&StartReview { target, source, options: Options::default() })?.reply)
}

/// Outlets that match as a CSV file; returns how many.
pub fn export_outlets(engine: &Engine, path: &str, filter: &str, rule: &str) -> Outcome<usize> {
    let failed = |e: std::io::Error| Failure::invalid(format!("{path} cannot be written: {}", said(&e)));
    let mut to = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    let rows = write_outlets(engine, &mut to, filter, rule)?;
    to.flush().map_err(failed)?;
    Ok(rows)
}

/// The same to anything that takes bytes.
pub fn write_outlets(engine: &Engine, to: &mut dyn Write, filter: &str, rule: &str) -> Outcome<usize> {
    let (mut chunk, mut rows) = (Some(0), 0);
    while let Some(number) = chunk {
        let ask = ExportOutlets { chunk: number, filter: filter.to_owned(), rule: rule.to_owned() };
        let piece = engine.ask(&ask)?;
        to.write_all(piece.text.as_bytes())
            .map_err(|e| Failure::invalid(format!("The file cannot be written: {}", said(&e))))?;
        rows += piece.rows;
        chunk = piece.next;
    }
    Ok(rows)
}

/// Sends a file and starts its review; a job reads it from here on.
pub fn review(
    engine: &impl Door,
    target: Target,
    name: String,
    bytes: &[u8],
    options: Options,
) -> Outcome<Started> {
    let source = upload(engine, name, bytes)?;
    let start = StartReview { target, source, options };
    let started = engine.run(&start).inspect_err(|_| forget(engine, &start.source))?;
    Ok(started.reply)
}

/// Writes the rows that a review holds back as CSV, with their codes; returns how many.
/// A file that is there already is not touched.
pub fn write_waiting(engine: &Engine, review: Id, codes: &[String], path: &str) -> Outcome<usize> {
    let mut rows: Vec<Line> = Vec::new();
    for code in codes {
        for decided in [false, true] {
            let (code, mut from) = (code.clone(), 0);
            loop {
                let ask = ListLines { review, code: code.clone(), decided, from, limit: PAGE };
                let page = engine.ask(&ask)?;
                from += page.len();
                let last = page.len() < PAGE;
                rows.extend(page);
                if last {
                    break;
                }
            }
        }
    }
    rows.sort_by_key(|line| line.place);
    let mut fields: Vec<&str> = Vec::new();
    for (field, _) in rows.iter().flat_map(|r| &r.cells) {
        if !fields.contains(&field.as_str()) {
            fields.push(field);
        }
    }
    let failed = |e: csv::Error| Failure::internal(format!("{path} cannot be written: {e}"));
    let mut csv = csv::Writer::from_writer(new_file(path)?);
    csv.write_record(fields.iter().copied().chain(["PAMS row", "PAMS code", "PAMS why"])).map_err(failed)?;
    for line in &rows {
        let text = |field: &&str| line.cells.iter().find(|(f, _)| f == field).map_or("", |(_, t)| t.as_str());
        let number = line.place.1.to_string();
        let tail = [number.as_str(), &line.code, &line.message];
        csv.write_record(fields.iter().map(text).chain(tail)).map_err(failed)?;
    }
    csv.flush().map_err(|e| Failure::internal(format!("{path} cannot be written: {e}")))?;
    Ok(rows.len())
}

/// A file that was not there before.
pub fn new_file(path: &str) -> Outcome<std::fs::File> {
    std::fs::File::create_new(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::conflict(format!("There is a file {path} already")).hint("Give another name")
        }
        _ => Failure::invalid(format!("{path} cannot be written: {}", said(&e))),
    })
}

fn forget(engine: &impl Door, source: &Source) {
    if let Source::Upload { upload, .. } = source {
        // What stays is taken away a day later.
        let _ = engine.run(&DropPieces { upload: *upload });
    }
}
