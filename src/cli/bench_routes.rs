//! `pams dev bench-routes`: what planning a unit takes, on a store of its own, and
//! `pams dev torture-routes`, which kills the run's processes at random moments.

use crate::cli::bench_home::{Bench, middle};
use crate::cli::{Context, gen_unit, output};
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::random::Random;
use crate::services::plans::{
    CreatePlan, Edit, EditPlan, From, KeepPlan, ListPlans, OpenPlan, OptimisePlan, ShowOffer,
};
use crate::services::undo::Undo;
use clap::ArgMatches;
use serde_json::json;
use std::time::{Duration, Instant};

/// Openings of a unit that is not in memory; the middle one is told.
const FIRST: usize = 5;
/// Rest before and between kills, in milliseconds, and how long a run may take to go on.
const REST: (usize, usize) = (400, 2_600);
const GOES_ON: Duration = Duration::from_secs(20);

fn number(matches: &ArgMatches, name: &str) -> u64 {
    matches.get_one::<u64>(name).copied().unwrap_or(1)
}

/// A store with a made unit, and a small one beside it.
fn fill(bench: &Bench, outlets: usize, seed: u64) -> Outcome<()> {
    gen_unit::write(&bench.scratch.0, outlets, seed)?;
    for noun in gen_unit::FILES {
        let file = bench.scratch.0.join(format!("{noun}.csv"));
        bench.run(&[noun, "import", &file.to_string_lossy(), "--yes", "--json"])?;
    }
    bench.run(&["territory", "split", "--levels", "territory", "--level", "territory", "--yes"])?;
    Ok(())
}

fn timed<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<(T, f64)> {
    let start = Instant::now();
    let done = run()?;
    Ok((done, start.elapsed().as_secs_f64() * 1e3))
}

pub fn bench(_: &Context, matches: &ArgMatches) -> Outcome<()> {
    let (outlets, seconds) = (number(matches, "outlets") as usize, number(matches, "time-limit"));
    let bench = Bench::new()?;
    fill(&bench, outlets, number(matches, "seed"))?;
    let engine = bench.engine()?;
    let unit = || gen_unit::UNIT.to_owned();
    // As the pane does it.
    let open_one = |engine: &Engine, unit: &str| {
        engine.ask(&OpenPlan { unit: unit.to_owned(), version: String::new(), at_once: true })
    };
    let open = |engine: &Engine| open_one(engine, gen_unit::UNIT);
    let (_, look) = timed(|| open(&engine)?.outlets().map(drop))?;
    let (_, beats) = timed(|| engine.ask(&OpenPlan { unit: unit(), ..OpenPlan::default() }))?;
    let (_, create) =
        timed(|| engine.run(&CreatePlan { unit: unit(), from: From::Beats, reason: String::new() }))?;
    let opened = open(&engine)?;
    let all = opened.outlets()?;
    // One unit is kept in memory: another one drives it out.
    let mut first = Vec::new();
    for _ in 0..FIRST {
        open_one(&engine, gen_unit::BESIDE)?;
        first.push(timed(|| open(&engine)?.outlets().map(drop))?.1);
    }
    first.sort_by(f64::total_cmp);
    let first_map = first[FIRST / 2];
    let again = middle(|| open(&engine)?.outlets().map(drop))?;
    let rep = |n: usize| opened.reps.get(n).map(|r| r.rep.clone());
    let codes = |count: usize| -> Vec<String> {
        all.codes.iter().zip(&all.rep).filter(|(_, r)| **r < 4).take(count).map(|(c, _)| c.clone()).collect()
    };
    let dry = |count: usize| {
        let edit = Edit::Move { rep: rep(5.min(opened.reps.len() - 1)), from: None, to: None };
        let ask = EditPlan { unit: unit(), outlets: codes(count), edit, dry_run: true };
        middle(|| engine.run(&ask).map(drop))
    };
    let (one, many) = (dry(1)?, dry(500)?);
    let edit = Edit::Move { rep: rep(5.min(opened.reps.len() - 1)), from: None, to: None };
    let (_, moved) =
        timed(|| engine.run(&EditPlan { unit: unit(), outlets: codes(1), edit, dry_run: false }))?;
    let (_, around) = timed(|| {
        let ask = OptimisePlan { unit: unit(), edited: codes(1), ..OptimisePlan::default() };
        engine.wait_for(engine.run(&ask)?.reply.job, |_| {})
    })?;
    engine.run(&Undo { txn: None })?;
    let ask = OptimisePlan { unit: unit(), seconds, ..OptimisePlan::default() };
    let (_, ran) = timed(|| engine.wait_for(engine.run(&ask)?.reply.job, |_| {}))?;
    let offer = engine.ask(&ShowOffer { unit: unit() })?;
    let (_, kept) = timed(|| engine.run(&KeepPlan { unit: unit(), ..KeepPlan::default() }))?;
    let before = offer.best.before.clone().unwrap_or_default();
    output::json(&json!({
        "outlets": opened.count, "reps": opened.reps.len(),
        "first_look_ms": look, "beats_open_ms": beats, "create_ms": create, "first_map_ms": first_map,
        "open_again_ms": again,
        "impact_1_ms": one, "impact_500_ms": many, "move_ms": moved, "around_an_edit_ms": around,
        "run_s": ran / 1e3, "iterations": offer.best.iterations, "keep_ms": kept,
        "km": [before.km, offer.best.figures.km],
        "travel_minutes": [before.travel_minutes, offer.best.figures.travel_minutes],
        "broken_days": [before.broken_days, offer.best.figures.broken_days],
        "unserved": offer.best.unserved.len(),
        "curve": offer.best.curve.iter().step_by(20).collect::<Vec<_>>(),
    }));
    Ok(())
}

/// Processes whose command line has a text, but this one.
fn processes(with: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid != std::process::id() as i32 && String::from_utf8_lossy(&line).contains(with) {
            found.push(pid);
        }
    }
    found
}

fn children(of: i32) -> Vec<i32> {
    let path = format!("/proc/{of}/task/{of}/children");
    let all = std::fs::read_to_string(path).unwrap_or_default();
    // Other threads of a process start children too.
    let mut found: Vec<i32> = all.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    for task in std::fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(text.split_whitespace().filter_map(|n| n.parse::<i32>().ok()));
    }
    found
}

fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Kills the process that stays, its worker, or both at random moments of a run; what was
/// kept stays, and the run goes on.
pub fn torture(_: &Context, matches: &ArgMatches) -> Outcome<()> {
    let (kills, seed) = (number(matches, "kills"), number(matches, "seed"));
    let mut random = Random::new(seed);
    let bench = Bench::new()?;
    fill(&bench, number(matches, "outlets") as usize, seed)?;
    bench.run(&["plan", "create", "--unit", gen_unit::UNIT])?;
    let store = bench.folders.places().store.display().to_string();
    let (mut faults, mut by) = (Vec::new(), [0u64; 3]);
    // Long enough for all kills.
    let seconds = (kills * REST.1 as u64 / 1_000 * 2).max(20).to_string();
    bench.run(&["plan", "optimise", "--unit", gen_unit::UNIT, "--time-limit", &seconds, "--no-wait"])?;
    let spent =
        |engine: &Engine| engine.ask(&ShowOffer { unit: gen_unit::UNIT.into() }).map(|o| o.best.spent_ms);
    for n in 0..kills {
        std::thread::sleep(Duration::from_millis((REST.0 + random.below(REST.1 - REST.0)) as u64));
        let stay = processes(&store);
        let workers: Vec<i32> = stay.iter().flat_map(|pid| children(*pid)).collect();
        let before = spent(&bench.engine()?)?;
        let what = random.below(3);
        by[what] += 1;
        if what != 1 {
            stay.iter().for_each(|pid| kill(*pid));
        }
        if what != 0 {
            workers.iter().for_each(|pid| kill(*pid));
        }
        if what != 1 {
            // Somebody comes back: what was begun goes on with the next process that stays.
            bench.run(&["plan", "pause", "--unit", gen_unit::UNIT])?;
            bench.run(&["plan", "resume", "--unit", gen_unit::UNIT])?;
        }
        let engine = bench.engine()?;
        let after = spent(&engine)?;
        if after < before {
            faults.push(format!("kill {n}: {before} ms of the run were kept, then {after}"));
        }
        let versions = engine.ask(&ListPlans { unit: gen_unit::UNIT.into() })?;
        if versions.len() != 1 || !versions[0].stands {
            faults.push(format!("kill {n}: the plan that stands was touched"));
        }
        drop(engine);
        let start = Instant::now();
        loop {
            let offer = bench.engine()?.ask(&ShowOffer { unit: gen_unit::UNIT.into() })?;
            if offer.best.spent_ms > after || offer.state == "ended" && offer.failure.is_empty() {
                break;
            }
            if start.elapsed() > GOES_ON {
                faults.push(format!("kill {n}: the run did not go on ({}, {})", offer.state, offer.failure));
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    bench.run(&["plan", "stop", "--unit", gen_unit::UNIT])?;
    bench.run(&["plan", "keep", "--unit", gen_unit::UNIT])?;
    // Who stayed goes when there is no run any more; the check wants the store for itself.
    let start = Instant::now();
    while !processes(&store).is_empty() && start.elapsed() < GOES_ON {
        std::thread::sleep(Duration::from_millis(100));
    }
    if bench.run(&["db", "check"]).is_err() {
        faults.push("the store is not sound, or somebody stays with it".into());
    }
    let report = json!({ "kills": kills, "host": by[0], "worker": by[1], "both": by[2], "faults": faults });
    output::json(&report);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Failure::internal(format!("{} faults", faults.len()))),
    }
}
