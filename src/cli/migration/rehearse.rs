//! `pams migration rehearse`: the whole migration on a copy of the store, step by step, with
//! counts and times; the store itself is only read.

use super::source;

use crate::cli::{Context, output};
use crate::config::{self, Folders, Scratch};
use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::services::backups::WriteBackup;
use crate::services::imports::{CommitReview, DropReview, Options, ShowReview, StartReview, Target};
use crate::services::migration::{
    ConfirmMonths, CountMigration, DropStubs, HashLive, ListLegacyNames, MakeStubs, PromoteMonth,
    RollBackMonth,
};
use clap::ArgMatches;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Serialize)]
struct Step {
    step: &'static str,
    ms: u64,
    said: String,
}

#[derive(Default, Serialize)]
struct Rehearsed {
    steps: Vec<Step>,
    rows: usize,
    promoted: usize,
    drafts: usize,
    merged: usize,
    rejected: usize,
    unknown_names: usize,
    /// A second promotion changed nothing.
    promoted_twice: usize,
    /// The copy's live records after the rollback are those from before, to the byte.
    rolled_back_alike: bool,
    equation: String,
    gaps: Vec<String>,
}

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let source = source(&file, matches)?;
    let kept = matches.get_one::<PathBuf>("keep").cloned();
    let scratch = if kept.is_none() { Some(Scratch::new()?) } else { None };
    let home = match (&kept, &scratch) {
        (Some(kept), _) if kept.exists() => {
            return Err(Failure::conflict(format!("{} is there already", kept.display())));
        }
        (Some(kept), _) => std::path::absolute(kept).map_err(|e| Failure::usage(said(&e)))?,
        (None, Some(scratch)) => scratch.0.clone(),
        (None, None) => return Err(Failure::internal("There is no place for the copy")),
    };
    let folders = Folders::find(Some(&home), None)?;
    let store = folders.places().store;
    let folder = store.parent().map(std::path::Path::to_owned).unwrap_or_default();
    std::fs::create_dir_all(&folder)
        .map_err(|e| Failure::invalid(format!("{}: {}", folder.display(), said(&e))))?;
    let mut done = Rehearsed::default();
    let start = Instant::now();
    context.cli()?.ask(&WriteBackup { path: store })?;
    let engine = Engine::open(folders.places(), crate::changes::Via::Cli, config::now_ms, false)?;
    note(&mut done, "copy", start, String::new());
    rehearse(&engine, source, matches.get_flag("stubs"), &mut done)?;
    drop(engine);
    let sound = crate::cli::db::report(&folders)?.wrong;
    done.gaps.extend(sound);
    tell(context, &done);
    match done.gaps.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(FailureKind::Conflict, format!("{} gaps", done.gaps.len()))
            .hint("The store itself is as it was")),
    }
}

fn note(done: &mut Rehearsed, step: &'static str, start: Instant, said: String) {
    done.steps.push(Step { step, ms: start.elapsed().as_millis() as u64, said });
}

fn rehearse(
    engine: &Engine,
    source: crate::services::imports::uploads::Source,
    stubs: bool,
    done: &mut Rehearsed,
) -> Outcome<()> {
    let before = engine.ask(&HashLive {})?;
    let start = Instant::now();
    let begin = StartReview { target: Target::Activities, source, options: Options::default() };
    let started = engine.run(&begin)?.reply;
    engine.wait_for(started.job, |_| {})?;
    let shown = engine.ask(&ShowReview { review: started.review })?;
    if let Some(failure) = shown.failure {
        engine.run(&DropReview { review: started.review })?;
        return Err(failure);
    }
    let report = engine.run(&CommitReview { review: started.review, agreed: true })?.reply;
    note(done, "load", start, report.equation());
    let which = report.batch.map(|id| id.to_string()).unwrap_or_default();
    if stubs {
        let start = Instant::now();
        let scopes = ["owner", "account", "project", "type", "usecase"].map(str::to_owned).to_vec();
        let made = engine.run(&MakeStubs { which: which.clone(), scopes })?.reply;
        note(done, "stubs", start, format!("{} made", made.len()));
    }
    done.unknown_names = engine.ask(&ListLegacyNames { which: which.clone() })?.len();
    let start = Instant::now();
    let counted = engine.ask(&CountMigration { which: which.clone(), compare: true, month: None })?;
    note(done, "counts", start, counted.equation.clone());
    let start = Instant::now();
    let confirmed = engine.run(&ConfirmMonths { which: which.clone(), months: vec![], agreed: true })?.reply;
    let months: Vec<_> = confirmed
        .iter()
        .filter(|s| s.state == "confirmed")
        .filter_map(|s| crate::domain::when::Month::parse(&s.month).ok())
        .collect();
    note(done, "confirm", start, format!("{} months", months.len()));
    let start = Instant::now();
    for month in &months {
        engine.run(&PromoteMonth { which: which.clone(), month: *month })?;
    }
    let after = engine.ask(&CountMigration { which: which.clone(), compare: true, month: None })?;
    note(done, "promote", start, after.equation.clone());
    let seq = engine.ask(&HashLive {})?;
    for month in &months {
        let again = engine.run(&PromoteMonth { which: which.clone(), month: *month })?.reply;
        done.promoted_twice += usize::from(again.changed);
    }
    if done.promoted_twice > 0 || engine.ask(&HashLive {})? != seq {
        done.gaps.push("A second promotion changed something".into());
    }
    let t = &after.total;
    (done.rows, done.promoted, done.drafts) = (t.rows, t.promoted, t.drafts);
    (done.merged, done.rejected, done.equation) = (t.merged, t.rejected, after.equation.clone());
    if t.rows != t.promoted + t.drafts + t.merged + t.rejected || t.rows != report.rows {
        done.gaps.push(format!("The rows do not add up: {}", after.equation));
    }
    let start = Instant::now();
    for month in &months {
        engine.run(&RollBackMonth { which: which.clone(), month: *month })?;
    }
    engine.run(&DropStubs { which })?;
    note(done, "rollback", start, String::new());
    done.rolled_back_alike = engine.ask(&HashLive {})? == before;
    if !done.rolled_back_alike {
        done.gaps.push("The rollback left something behind".into());
    }
    Ok(())
}

fn tell(context: &Context, done: &Rehearsed) {
    if context.json {
        output::json(done);
        return;
    }
    let row = |s: &Step| vec![s.step.into(), format!("{} ms", s.ms), s.said.clone()];
    output::table(&["step", "took", ""], &done.steps.iter().map(row).collect::<Vec<_>>());
    if done.unknown_names > 0 {
        output::note(&format!(
            "{} texts nobody knows: their rows stay drafts; name them, or --stubs",
            done.unknown_names
        ));
    }
    for gap in &done.gaps {
        output::note(&format!("gap: {gap}"));
    }
    output::line(&format!("{}; gaps: {}", done.equation, done.gaps.len()));
}
