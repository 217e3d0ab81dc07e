//! Files on their way in: read where the person is, sent to the host in pieces.

use crate::domain::failure::said;
use crate::domain::note::MOST;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Door, Engine};
use crate::frames::Bytes;
use crate::intake::bulk::source::unreadable;
use crate::intake::dialect::Dialect;
use crate::intake::open::MAX_BYTES;
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

/// The files that somebody names: one, several with spaces between, or those of a folder that
/// fit a pattern with `*` and `?`; of a pattern in the order of their names.
pub fn named(typed: &str) -> Outcome<Vec<String>> {
    let typed = typed.trim();
    let words: Vec<&str> = match Path::new(typed).exists() || !typed.contains([' ', '*', '?']) {
        true => vec![typed],
        false => typed.split_whitespace().collect(),
    };
    let mut all = Vec::new();
    for word in words {
        if !word.contains(['*', '?']) || Path::new(word).exists() {
            all.push(word.to_owned());
            continue;
        }
        let (folder, pattern) = word.rsplit_once('/').map_or((".", word), |(folder, name)| (folder, name));
        let folder = if folder.is_empty() { "/" } else { folder };
        let entries = std::fs::read_dir(folder).map_err(unreadable(Path::new(folder)))?;
        let names = entries.flatten().filter(|e| e.path().is_file()).map(|e| e.file_name());
        let mut fitting: Vec<String> = names
            .filter_map(|name| name.into_string().ok())
            .filter(|name| !name.starts_with('.') && fits(name, pattern))
            .map(|name| if word.contains('/') { format!("{folder}/{name}") } else { name })
            .collect();
        if fitting.is_empty() {
            return Err(Failure::not_found(format!("There is no file {word}")));
        }
        fitting.sort();
        all.append(&mut fitting);
    }
    Ok(all)
}

/// Whether a name fits a pattern: `*` stands for any letters, `?` for one.
fn fits(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) = (name.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last `*` stood, and the letter that it was tried up to.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[at] => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((back, tried)) => {
                    (at, of) = (tried + 1, back + 1);
                    star = Some((back, tried + 1));
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|letter| *letter == '*')
}

/// A text file in whatever encoding it is.
pub fn read_text(path: &str) -> Outcome<String> {
    as_text(&read_path(path)?.1)
}

/// Bytes as a text that a person wrote.
pub fn as_text(bytes: &[u8]) -> Outcome<String> {
    match bytes.len() > MOST || bytes.contains(&0) {
        true => Err(Failure::invalid(format!("That is no note: a text of at most {} KiB is", MOST >> 10))),
        false => Ok(Dialect::default().decode(bytes).0.into_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_shells_have_it() {
        for (name, pattern, is) in [
            ("a.csv", "*.csv", true),
            ("a.csv.gz", "*.csv", false),
            ("beats-02.csv", "beats-??.csv", true),
            ("beats-2.csv", "beats-??.csv", false),
            ("abcabd", "*ab?", true),
            ("abcabd", "a*c*d", true),
            ("abc", "", false),
            ("", "**", true),
        ] {
            assert_eq!(fits(name, pattern), is, "{name} {pattern}");
        }
    }

    #[test]
    fn files_are_named_one_by_one_or_by_a_pattern() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", "c d.csv", "e.txt", ".hidden.csv"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        assert_eq!(named(&path("*.csv")).unwrap(), [path("a.csv"), path("b.csv"), path("c d.csv")]);
        assert_eq!(named(&path("c d.csv")).unwrap(), [path("c d.csv")]);
        let two = format!("{} {}", path("b.csv"), path("gone.csv"));
        assert_eq!(named(&two).unwrap(), [path("b.csv"), path("gone.csv")]);
        assert!(named(&path("*.xlsx")).unwrap_err().message.contains("no file"));
    }
}
