//! `pams dev bench-migration`: what each step of a migration takes, on a store of its own,
//! and `pams dev torture-migration`, which kills each step at random moments.

use crate::cli::bench_home::{Bench, middle};
use crate::cli::legacy::{Size, write};
use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::random::Random;
use crate::services::migration::{
    ConfirmMonths, CountMigration, Counted, HashLive, MakeStubs, PromoteMonth, RollBackMonth, Rules,
    SetRules, ShowMonth,
};
use crate::store;
use clap::ArgMatches;
use std::time::{Duration, Instant};

fn number(matches: &ArgMatches, name: &str) -> u64 {
    matches.get_one::<u64>(name).copied().unwrap_or(1)
}

fn counted(engine: &Engine) -> Outcome<Counted> {
    engine.ask(&CountMigration { which: "last".into(), compare: false, month: None })
}

/// Makes records of all texts and gives an effort to rows without one: all are ready.
fn ready(engine: &Engine) -> Outcome<()> {
    let scopes = ["owner", "account", "project", "type", "usecase"].map(str::to_owned).to_vec();
    engine.run(&MakeStubs { which: "last".into(), scopes })?;
    let rules = Rules { effort: Some(60), ..Rules::default() };
    engine.run(&SetRules { which: "last".into(), rules })?;
    Ok(())
}

pub fn bench(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let (rows, months) = (number(matches, "rows") as usize, number(matches, "months") as usize);
    let bench = Bench::new()?;
    let file = bench.scratch.0.join("legacy.csv");
    let truth = write(&file, Size::of(rows, months), number(matches, "seed"))?;
    let bytes = std::fs::metadata(&file).map_or(0, |m| m.len());
    let cpu = crate::cli::bench_outlets::ticks(15);
    let load = bench.run(&["migration", "load", &file.to_string_lossy(), "--yes", "--json"])?;
    let load_cpu = crate::cli::bench_outlets::ticks(15) - cpu;
    let process = bench.run(&["migration", "counts", "--fast", "--json"])?;
    let engine = bench.engine()?;
    let count = middle(|| counted(&engine).map(drop))?;
    let start = Instant::now();
    ready(&engine)?;
    let stubs = start.elapsed().as_secs_f64();
    let count_named = middle(|| counted(&engine).map(drop))?;
    let compared = middle(|| {
        engine.ask(&CountMigration { which: "last".into(), compare: true, month: None }).map(drop)
    })?;
    let before = engine.ask(&HashLive {})?;
    let all = counted(&engine)?;
    let largest = all.months.iter().max_by_key(|m| m.ready).map(|m| m.month.clone()).unwrap_or_default();
    let month = Month::parse(&largest).map_err(Failure::internal)?;
    let show = ShowMonth { which: "last".into(), month: largest, limit: 200, ..ShowMonth::default() };
    let opened = middle(|| engine.ask(&show).map(drop))?;
    let which = || "last".to_owned();
    let confirm = |engine: &Engine| {
        engine.run(&ConfirmMonths { which: which(), months: vec![month], agreed: true }).map(drop)
    };
    let (mut promotes, mut rollbacks, mut again, mut of) = (vec![], vec![], vec![], 0);
    for _ in 0..3 {
        confirm(&engine)?;
        let start = Instant::now();
        of = engine.run(&PromoteMonth { which: which(), month })?.reply.promoted;
        promotes.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let twice = engine.run(&PromoteMonth { which: which(), month })?.reply;
        again.push(start.elapsed().as_secs_f64());
        if twice.changed {
            return Err(Failure::internal("A second promotion changed something"));
        }
        let start = Instant::now();
        engine.run(&RollBackMonth { which: which(), month })?;
        rollbacks.push(start.elapsed().as_secs_f64());
    }
    let alike = engine.ask(&HashLive {})? == before;
    let report = serde_json::json!({
        "truth": truth, "bytes": bytes, "equation": all.equation,
        "load_s": load, "load_cpu_s": load_cpu,
        "counts_ms": count, "counts_named_ms": count_named, "counts_compared_ms": compared,
        "counts_process_ms": process * 1e3,
        "records_of_texts_s": stubs,
        "open_month_ms": opened, "month_rows": of,
        "promote_s": promotes, "promote_again_s": again, "rollback_s": rollbacks,
        "rolled_back_alike": alike,
    });
    let _ = context;
    output::json(&report);
    Ok(())
}

/// Kills each step at random moments: what is there then is as before or as after.
pub fn torture(_context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let kills = number(matches, "kills");
    let mut random = Random::new(number(matches, "seed"));
    let bench = Bench::new()?;
    let file = bench.scratch.0.join("legacy.csv");
    let truth = write(&file, Size::of(number(matches, "rows") as usize, 6), 1)?;
    let path = file.to_string_lossy().into_owned();
    let (mut faults, mut steps) = (Vec::new(), serde_json::Map::new());
    // A load that was killed leaves no batch, or a whole one.
    let (mut old, mut new) = (0, 0);
    for round in 0..kills {
        let least = bench.run(&["migration", "load", &path, "--yes", "--json", "--dry-run"])?;
        kill(&bench, &["migration", "load", &path, "--yes", "--json"], least * 1.3, &mut random)?;
        let engine = bench.engine()?;
        let loads = engine.ask(&crate::services::migration::ListMigrations { all: false })?;
        for review in engine.ask(&crate::services::imports::ListReviews {})? {
            engine.run(&crate::services::imports::DropReview { review: review.id })?;
        }
        match loads.as_slice() {
            [] => old += 1,
            [one] => {
                new += 1;
                let c = counted(&engine)?;
                if c.total.rows != truth.rows {
                    faults.push(format!(
                        "round {round}: {} of {} rows in {}",
                        c.total.rows, truth.rows, one.file
                    ));
                }
                engine.run(&crate::services::undo::Undo { txn: None })?;
            }
            more => faults.push(format!("round {round}: {} loads", more.len())),
        }
    }
    steps.insert("load".into(), serde_json::json!({ "old": old, "new": new }));
    bench.run(&["migration", "load", &path, "--yes", "--json"])?;
    ready(&bench.engine()?)?;
    let engine = bench.engine()?;
    let before = engine.ask(&HashLive {})?;
    let month = counted(&engine)?.months.iter().max_by_key(|m| m.rows).map(|m| m.month.clone());
    let month = month.unwrap_or_default();
    drop(engine);
    let mut after = String::new();
    for (step, words, done) in [
        ("confirm", ["migration", "confirm", &month, "--yes"], "confirmed"),
        ("promote", ["migration", "promote", &month, "--yes"], "promoted"),
        ("rollback", ["migration", "rollback", &month, "--yes"], "rolled back"),
    ] {
        let (mut old, mut new) = (0, 0);
        // How long it takes when nothing interrupts it.
        let whole = bench.run(&words)?;
        if step == "promote" {
            after = bench.engine()?.ask(&HashLive {})?;
        }
        back(&bench, step, &month)?;
        for round in 0..kills {
            kill(&bench, &words, whole * 1.2, &mut random)?;
            let engine = bench.engine()?;
            let c = counted(&engine)?;
            let state = c.months.iter().find(|m| m.month == month).map_or("", |m| m.state.as_str());
            let hash = engine.ask(&HashLive {})?;
            let is_done = state == done;
            let right = match (step, is_done) {
                ("promote", true) | ("rollback", false) => hash == after,
                _ => hash == before,
            };
            if !right || c.total.rows != truth.rows {
                faults.push(format!("{step}, round {round}: between old and new ({state})"));
            }
            drop(engine);
            (old, new) = (old + u64::from(!is_done), new + u64::from(is_done));
            if is_done {
                back(&bench, step, &month)?;
            }
        }
        // The next step goes on from this one.
        bench.run(&words)?;
        steps.insert(step.into(), serde_json::json!({ "old": old, "new": new }));
    }
    let mut file = store::Store::open(&bench.folders.places().store)?;
    if !file.verify_file()? {
        faults.push("the file's checksums did not hold".into());
    }
    faults.extend(store::check(&file.view()?)?.wrong);
    output::json(&serde_json::json!({ "kills": kills, "steps": steps, "faults": faults }));
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(FailureKind::Corrupt, "A step was found between old and new")),
    }
}

/// Takes a step back, so that it can be killed again.
fn back(bench: &Bench, step: &str, month: &str) -> Outcome<()> {
    match step {
        "confirm" => bench.run(&["migration", "reopen", month])?,
        "promote" => {
            bench.run(&["migration", "rollback", month, "--yes"])?;
            bench.run(&["migration", "confirm", month, "--yes"])?
        }
        _ => {
            bench.run(&["migration", "confirm", month, "--yes"])?;
            bench.run(&["migration", "promote", month, "--yes"])?
        }
    };
    Ok(())
}

fn kill(bench: &Bench, words: &[&str], within: f64, random: &mut Random) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::internal(said(&e));
    let mut child = bench.pams(words)?.spawn().map_err(failed)?;
    let micros = (within * 1e6) as usize;
    std::thread::sleep(Duration::from_micros(random.below(micros.max(1)) as u64));
    let _ = child.kill();
    child.wait().map_err(failed).map(drop)
}
