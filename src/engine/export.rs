//! Lists on their way out, as tables that spreadsheets open.

use crate::domain::failure::said;
use crate::domain::text::harmless;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::services::activities::ListActivities;
use crate::services::records::MAX_LIMIT;
use std::io::Write;
use std::path::Path;

/// Columns of an export of activities, in the order of the file.
const ACTIVITIES: [&str; 14] = [
    "id",
    "date",
    "owner",
    "type",
    "account",
    "project",
    "hours",
    "use_cases",
    "participants",
    "summary",
    "details",
    "outcome",
    "next_step",
    "next_due",
];

/// Tabs for a file called `.tsv`, else commas.
pub fn delimiter(path: &Path) -> u8 {
    let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
    if tabs { b'\t' } else { b',' }
}

/// Writes every activity of the list; returns how many.
pub fn write(engine: &Engine, list: &ListActivities, delimiter: u8, out: impl Write) -> Outcome<usize> {
    let mut table = csv::WriterBuilder::new().delimiter(delimiter).from_writer(std::io::BufWriter::new(out));
    let wrong = |e: csv::Error| Failure::internal(format!("The file cannot be written: {e}"));
    table.write_record(ACTIVITIES).map_err(wrong)?;
    let (mut rows, mut cursor) = (0usize, None);
    loop {
        let page = ListActivities { limit: MAX_LIMIT, cursor: cursor.take(), ..list.clone() };
        let page = engine.ask(&page)?;
        for item in &page.items {
            let cells = ACTIVITIES.iter().map(|name| match *name {
                "id" => item.id.to_string(),
                name => harmless(item.text(name)),
            });
            table.write_record(cells).map_err(wrong)?;
            rows += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let failed = |e: std::io::Error| Failure::internal(format!("The file cannot be written: {}", said(&e)));
    table.flush().map_err(failed)?;
    Ok(rows)
}

/// The same into a file that must not be there yet.
pub fn write_new(engine: &Engine, list: &ListActivities, path: &str) -> Outcome<usize> {
    let kind = Path::new(path).extension().map(|e| e.to_ascii_lowercase());
    if !kind.is_some_and(|e| e == "csv" || e == "tsv") {
        return Err(Failure::invalid(format!("\"{path}\" is not a .csv or .tsv file")));
    }
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::conflict(format!("There is a file {path} already")).hint("Give another name")
        }
        _ => Failure::invalid(format!("{path} cannot be written: {}", said(&e))),
    };
    let file = std::fs::File::create_new(path).map_err(failed)?;
    write(engine, list, delimiter(Path::new(path)), file)
}
