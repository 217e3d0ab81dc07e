//! `pams db …` and `pams doctor`: the store's file, and what is around it.

use crate::changes::Via;
use crate::cli::{Context, output};
use crate::config::{self, Folders};
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::services::jobs::{JobState, ListJobs};
use crate::services::records::Counts;
use crate::services::setup::WhoAmI;
use crate::services::state::GetState;
use crate::store;
use crate::tui::PREFETCH;

/// The check needs the file itself, so no host may run.
pub fn report(folders: &Folders) -> Outcome<store::Report> {
    let mut store = existing(&folders.places().store)?;
    let sound = store.verify_file()?;
    let mut report = store::check(&store.view()?)?;
    if !sound {
        report.wrong.insert(0, "the file's own checksums did not hold and were repaired".into());
    }
    Ok(report)
}

pub fn check(context: &Context) -> Outcome<()> {
    let report = report(&context.folders)?;
    if context.json {
        output::json(&report);
    } else {
        output::line(&format!(
            "{} changes, {} records, {} index entries",
            report.changes, report.records, report.index_entries
        ));
        report.wrong.iter().for_each(|w| output::line(&format!("wrong: {w}")));
    }
    match report.wrong.len() {
        0 => {
            output::note("The store is sound.");
            Ok(())
        }
        n => Err(Failure::new(FailureKind::Corrupt, format!("{n} things are wrong with the store"))
            .hint("Keep a copy of the file; then restore a backup")),
    }
}

/// As the check, it needs the file itself.
pub fn compact(context: &Context) -> Outcome<()> {
    let path = context.folders.places().store;
    let mut store = existing(&path)?;
    let before = store.size_bytes();
    store.compact()?;
    let after = store.size_bytes();
    match context.json {
        true => output::json(&serde_json::json!({ "before": before, "after": after })),
        false => output::line(&format!("{before} bytes before, {after} now")),
    }
    Ok(())
}

fn existing(path: &std::path::Path) -> Outcome<store::Store> {
    if !path.exists() {
        return Err(
            Failure::not_found(format!("There is no store at {}", path.display())).hint("`pams` makes one")
        );
    }
    Ok(store::Store::open(path)?)
}

/// What is in the store, asked as anybody asks; a store that cannot be opened says why.
fn inside(context: &Context) -> Vec<(&'static str, String)> {
    let asked = Engine::open(context.folders.places(), Via::Cli, config::now_ms, true).and_then(|engine| {
        let counts = engine.ask(&Counts {})?;
        let jobs = engine.ask(&ListJobs {})?.into_iter().filter(|j| j.state == JobState::Waiting).count();
        Ok((counts, jobs, engine.ask(&WhoAmI {})?.clock))
    });
    match asked {
        Ok((counts, jobs, clock)) => {
            let n = |kind: &str| counts.get(kind).copied().unwrap_or(0);
            let total: u64 = counts.values().sum();
            let records = format!(
                "{total}: {} activities, {} accounts, {} wins and losses",
                n("activities"),
                n("accounts"),
                n("wins")
            );
            let sound = "opens and answers; `pams db check` reads all of it".to_owned();
            let mut rows = vec![("state", sound), ("records", records), ("jobs", format!("{jobs} waiting"))];
            rows.extend(Some(("warning", clock)).filter(|(_, text)| !text.is_empty()));
            rows
        }
        Err(failure) => {
            let hint = failure.hint.map(|h| format!(". {h}")).unwrap_or_default();
            vec![("warning", format!("{}{hint}", failure.message))]
        }
    }
}

pub fn doctor(context: &Context) -> Outcome<()> {
    let places = context.folders.places();
    let mut rows: Vec<(&str, String)> = vec![
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("store", places.store.display().to_string()),
        (
            "size",
            std::fs::metadata(&places.store).map_or("none yet".into(), |m| format!("{} bytes", m.len())),
        ),
        ("config", context.folders.config.display().to_string()),
        ("logs", context.folders.state.display().to_string()),
        ("socket", places.socket.display().to_string()),
    ];
    let host = std::fs::read_to_string(places.socket.with_extension("pid")).ok();
    rows.push(("host", host.map_or("none".into(), |pid| format!("process {}", pid.trim()))));
    if places.store.exists() {
        rows.extend(inside(context));
    }
    rows.push(("terminal", std::env::var("TERM").unwrap_or_else(|_| "not set".into())));
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let locale = locale.unwrap_or_else(|| "not set".into());
    let utf8 = locale.to_lowercase().replace('-', "").contains("utf8");
    rows.push(("locale", if utf8 { locale } else { format!("{locale}: not UTF-8, borders are ASCII") }));
    rows.push(("zone", config::system_zone()));
    rows.push(("clock", crate::domain::when::Zone::UTC.stamp(config::now_ms()) + " UTC"));
    if let Some(path) = config::crash::last(&context.folders.state) {
        rows.push(("crash", path.display().to_string()));
    }
    if let Some(kind) = config::network_file_system(&places.store) {
        rows.push(("warning", format!("the store is on {kind}: keep it on a local disk")));
    }
    if context.json {
        let map: serde_json::Map<String, serde_json::Value> =
            rows.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
        output::json(&map);
    } else {
        for (name, value) in rows {
            output::line(&format!("{name:<9} {value}"));
        }
    }
    Ok(())
}

/// `pams doctor prefetch`: of the last session that ended.
pub fn prefetch(context: &Context) -> Outcome<()> {
    let kept = context.cli()?.ask(&GetState { prefix: PREFETCH.into() })?;
    let kept = kept.first().and_then(|(_, text)| serde_json::from_str::<serde_json::Value>(text).ok());
    let count = |name: &str| kept.as_ref().and_then(|k| k[name].as_u64()).unwrap_or(0);
    let (hits, misses) = (count("hits"), count("misses"));
    if context.json {
        output::json(&serde_json::json!({ "accounts": { "hits": hits, "misses": misses } }));
    } else if (hits, misses) == (0, 0) {
        output::line("No account was looked at in the last session of the interface");
    } else {
        let share = (hits * 100).checked_div(hits + misses).unwrap_or(0);
        output::line(&format!(
            "accounts: {hits} of {} had been read ahead in the last session, {share} %",
            hits + misses
        ));
    }
    Ok(())
}
