//! `pams backup now|list|verify|restore|prune`: the store in files of their own.

use crate::cli::{Context, confirm, output};
use crate::config::Folders;
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::services::backups::{self, Checked, Retention, WriteBackup};
use crate::services::records::purge::{ListPurged, PurgeAgain};
use crate::services::sync::{BeginEpoch, CoverBackup};
use chrono::{NaiveDate, NaiveDateTime};
use clap::ArgMatches;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How the name of a backup tells its time, in UTC.
const STAMP: &str = "pams-%Y%m%d-%H%M%S%3f.redb";

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "now" => {
            let engine = context.cli()?;
            let made = make(&engine, &context.folders)?;
            if context.json {
                output::json(&made);
            } else {
                let Made { path, checked } = made;
                output::line(&format!(
                    "{}  {} changes, {} MB, checked",
                    path.display(),
                    checked.seq,
                    checked.bytes >> 20
                ));
            }
            Ok(())
        }
        "list" => list(context),
        "verify" => {
            let checked = backups::check(&file(context, matches)?)?;
            if context.json {
                output::json(&checked)
            } else {
                output::line(&format!("sound: {} changes, {} records", checked.seq, checked.records));
            }
            Ok(())
        }
        "restore" => restore(context, &file(context, matches)?),
        _ => prune(context, matches.get_flag("dry-run")),
    }
}

fn folder(folders: &Folders) -> PathBuf {
    folders.data.join("backups")
}

/// A backup by its path, or by its name in the profile's folder.
fn file(context: &Context, matches: &ArgMatches) -> Outcome<PathBuf> {
    let given = PathBuf::from(matches.get_one::<String>("file").cloned().unwrap_or_default());
    let inside = folder(&context.folders).join(&given);
    let path = if given.exists() { given } else { inside };
    std::path::absolute(&path).map_err(|e| Failure::usage(said(&e)))
}

#[derive(Serialize)]
pub struct Made {
    pub path: PathBuf,
    pub checked: Checked,
}

/// Makes a backup, opens and checks it, and tells the store how far it is covered:
/// devices may then forget what they kept against its loss.
pub fn make(engine: &Engine, folders: &Folders) -> Outcome<Made> {
    let folder = folder(folders);
    std::fs::create_dir_all(&folder)
        .map_err(|e| Failure::invalid(format!("{} cannot be made: {}", folder.display(), said(&e))))?;
    let path = folder.join(chrono::Utc::now().format(STAMP).to_string());
    engine.ask(&WriteBackup { path: path.clone() })?;
    let checked = backups::check(&path)?;
    engine.run(&CoverBackup { through: checked.seq })?;
    Ok(Made { path, checked })
}

/// Backups of a profile, newest first, with their days.
fn all(folders: &Folders) -> Vec<(NaiveDate, PathBuf)> {
    let entries = std::fs::read_dir(folder(folders)).into_iter().flatten().flatten();
    let mut found: Vec<(NaiveDateTime, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((NaiveDateTime::parse_from_str(&name, STAMP).ok()?, entry.path()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(at, path)| (at.date(), path)).collect()
}

fn list(context: &Context) -> Outcome<()> {
    let found = all(&context.folders);
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    if context.json {
        let rows: Vec<_> =
            found.iter().map(|(_, path)| serde_json::json!({ "path": path, "bytes": bytes(path) })).collect();
        output::json(&rows);
        return Ok(());
    }
    if found.is_empty() {
        output::note("No backups yet; `pams backup now` makes one");
        return Ok(());
    }
    let rows: Vec<Vec<String>> =
        found.iter().map(|(_, path)| vec![name(path), format!("{} MB", bytes(path) >> 20)]).collect();
    output::table(&["backup", "size"], &rows);
    Ok(())
}

/// Puts a backup in the store's place, which is kept. The log begins another life, so
/// that devices send again what the backup does not have.
fn restore(context: &Context, path: &Path) -> Outcome<()> {
    let checked = backups::check(path)?;
    confirm(context, &format!("Put {} with {} changes in the store's place?", path.display(), checked.seq))?;
    let store = context.folders.places().store;
    let engine = context.cli()?;
    if !engine.is_host() {
        return Err(Failure::conflict("Another PAMS has the store open").hint("Stop it, then restore"));
    }
    // What was erased stays erased, whatever the backup holds.
    let erased = engine.ask(&ListPurged {})?;
    engine.leave();
    let aside = store
        .with_file_name(chrono::Utc::now().format("pams-before-restore-%Y%m%d-%H%M%S%3f.redb").to_string());
    let part = store.with_extension("restoring");
    let failed =
        |e: std::io::Error| Failure::invalid(format!("The backup cannot be put in place: {}", said(&e)));
    let swapped = (|| {
        std::fs::copy(path, &part)?;
        std::fs::File::open(&part)?.sync_all()?;
        if store.exists() {
            std::fs::rename(&store, &aside)?;
        }
        std::fs::rename(&part, &store)
    })();
    engine.resume()?;
    swapped.map_err(failed)?;
    let epoch = engine.run(&BeginEpoch {})?.reply;
    engine.run(&CoverBackup { through: checked.seq })?;
    engine.run(&PurgeAgain { erased })?;
    if context.json {
        output::json(
            &serde_json::json!({ "restored": path, "seq": checked.seq, "epoch": epoch, "kept": aside }),
        );
    } else {
        output::line(&format!(
            "restored {} changes; what was here is kept in {}",
            checked.seq,
            aside.display()
        ));
    }
    Ok(())
}

fn prune(context: &Context, dry_run: bool) -> Outcome<()> {
    let gone = pruned(&context.folders, dry_run)?;
    if context.json {
        output::json(&gone);
        return Ok(());
    }
    let word = if dry_run { "would go" } else { "went" };
    for path in &gone {
        output::line(&format!("{} {word}", path.display()));
    }
    if gone.is_empty() {
        output::note("All backups are among those to keep: the last of 7 days, 4 weeks, 12 months");
    }
    Ok(())
}

/// Takes away what the retention does not keep.
pub fn pruned(folders: &Folders, dry_run: bool) -> Outcome<Vec<PathBuf>> {
    let found = all(folders);
    let days: Vec<NaiveDate> = found.iter().map(|(day, _)| *day).collect();
    let keeps = Retention::default().keeps(&days);
    let gone: Vec<PathBuf> = found.into_iter().zip(keeps).filter(|(_, k)| !k).map(|((_, p), _)| p).collect();
    for path in gone.iter().filter(|_| !dry_run) {
        std::fs::remove_file(path).map_err(|e| {
            Failure::invalid(format!("{} cannot be taken away: {}", path.display(), said(&e)))
        })?;
    }
    Ok(gone)
}
