//! `pams dev torture --outlets FILE`: an import of outlets is killed or its line dropped at
//! random moments and gone on with; what is stored then is what an import left in peace
//! stores, to the last byte, and one import tells of it what that one tells.

use super::torture::child;
use crate::cli::{Context, output};
use crate::config::Folders;
use crate::domain::schema::Kind;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::random::Random;
use crate::services::imports::ListReviews;
use crate::services::imports::batches::{ListBatches, ListRejects};
use crate::services::records::List;
use crate::store;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Sums of a report that are compared.
const REPORTED: [&str; 6] = ["rows", "rejected", "skipped", "added", "changed", "removed"];
/// Times an import is gone on with before it counts as stuck.
const MOST_TRIES: u32 = 5;

#[derive(Serialize, Default)]
struct Tally {
    file: String,
    rows: i64,
    kills: u64,
    dropped_lines: u64,
    /// Imports that had to be gone on with, and those that were through before the blow.
    resumed: u64,
    through: u64,
    /// Rounds after which something else was stored than without a blow.
    differ: u64,
    longest_open_ms: u64,
    faults: Vec<String>,
}

pub fn run(context: &Context, file: &Path, kills: u64, drops: u64, seed: u64) -> Outcome<()> {
    let mut random = Random::new(seed);
    let mut tally = Tally { file: file.display().to_string(), ..Tally::default() };
    // What it comes to in peace, and how long that takes.
    let start = Instant::now();
    let peace = scratch("peace")?;
    finish(&peace, file)?;
    let took = start.elapsed();
    let truth = stored(&peace)?.ok_or_else(|| Failure::internal("Nothing was imported"))?;
    tally.rows = truth.rows;
    let _ = std::fs::remove_dir_all(&peace);
    for round in 0..kills + drops {
        let home = scratch(&round.to_string())?;
        let mut importer =
            child(&home, &["outlets", "import", &file.display().to_string(), "--yes", "--json"])?;
        std::thread::sleep(took.mul_f64(random.below(1_000) as f64 / 1_000.0));
        if round < kills {
            let _ = importer.kill();
            tally.kills += 1;
        } else {
            hang_up(importer.id());
            tally.dropped_lines += 1;
        }
        let _ = importer.wait();
        let open = Instant::now();
        drop(engine(&home)?);
        tally.longest_open_ms = tally.longest_open_ms.max(open.elapsed().as_millis() as u64);
        match stored(&home)? {
            Some(_) => tally.through += 1,
            None => {
                tally.resumed += 1;
                finish(&home, file)?;
            }
        }
        match stored(&home)? {
            Some(found) if found == truth => {}
            other => {
                tally.differ += 1;
                tally.faults.push(format!("round {round}: {other:?} is stored"));
            }
        }
        let mut all = store::Store::open(&Folders::find(Some(&home), None)?.places().store)?;
        if !all.verify_file()? {
            tally.faults.push(format!("round {round}: the file's checksums did not hold"));
        }
        tally.faults.extend(store::check(&all.view()?)?.wrong);
        drop(all);
        let _ = std::fs::remove_dir_all(&home);
    }
    let bad = tally.differ > 0 || !tally.faults.is_empty();
    match context.json {
        true => output::json(&tally),
        false => output::line(&format!(
            "{} rows: {} kills and {} dropped lines, {} gone on with, {} through before; {} stored something else; opened in at most {} ms",
            tally.rows,
            tally.kills,
            tally.dropped_lines,
            tally.resumed,
            tally.through,
            tally.differ,
            tally.longest_open_ms
        )),
    }
    match bad {
        false => Ok(()),
        true => Err(Failure::new(FailureKind::Corrupt, tally.faults.join("; "))),
    }
}

fn scratch(name: &str) -> Outcome<std::path::PathBuf> {
    let path = std::env::temp_dir().join(format!("pams-torture-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).map_err(|e| Failure::internal(e.to_string()))?;
    Ok(path)
}

/// SIGHUP: what a program gets whose terminal is gone.
fn hang_up(process: u32) {
    let _ = std::process::Command::new("kill").args(["-HUP", &process.to_string()]).status();
}

fn engine(home: &Path) -> Outcome<Engine> {
    let folders = Folders::find(Some(home), None)?;
    let context = Context { folders, json: true, yes: true, read_only: false, plain: false };
    context.engine(crate::changes::Via::Job)
}

/// Goes on with what is open, or imports from the start, until something is stored.
fn finish(home: &Path, file: &Path) -> Outcome<()> {
    for _ in 0..MOST_TRIES {
        let open = engine(home)?.ask(&ListReviews {})?;
        let shown = file.display().to_string();
        let resume = open.first().map(|o| o.id.to_string());
        let words = match &resume {
            Some(id) => vec!["outlets", "import", "--resume", id, "--yes", "--json"],
            None => vec!["outlets", "import", &shown, "--yes", "--json"],
        };
        let _ = child(home, &words)?.wait_with_output();
        if stored(home)?.is_some() {
            return Ok(());
        }
    }
    Err(Failure::internal(format!("The import in {} does not come to an end", home.display())))
}

/// What is stored, and what is told of it.
#[derive(Debug, PartialEq)]
struct Stored {
    /// BLAKE3 of what the rows, the marks on them and the sums are.
    manifest: String,
    rows: i64,
    /// Of each import its report.
    reports: Vec<serde_json::Value>,
    /// BLAKE3 of the rows that wait, with their reasons.
    rejects: String,
}

fn stored(home: &Path) -> Outcome<Option<Stored>> {
    let list =
        List { kind: Kind::Dataset, filter: None, archived: true, account: None, limit: 1, cursor: None };
    let engine = engine(home)?;
    let Some(dataset) = engine.ask(&list)?.items.into_iter().find(|i| !i.text("manifest").is_empty()) else {
        return Ok(None);
    };
    let (mut reports, mut waiting) = (Vec::new(), blake3::Hasher::new());
    for batch in engine.ask(&ListBatches { month: None })? {
        reports.push(REPORTED.iter().map(|name| batch.values[*name].clone()).collect());
        let mut from = Some(0);
        while let Some(next) = from {
            let rejects = engine.ask(&ListRejects { which: batch.id.to_string(), from: next })?;
            waiting.update(&crate::frames::encode(&rejects.rows)?);
            from = rejects.next;
        }
    }
    let (manifest, rows) = (dataset.text("manifest"), dataset.int("rows").unwrap_or(0));
    Ok(Some(Stored { manifest, rows, reports, rejects: waiting.finalize().to_string() }))
}
