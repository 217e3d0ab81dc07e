//! `pams dev bench`: the figures of docs/performance.md, on the current store. Prints
//! the disk's own fsync time beside every durable figure.

use crate::changes::Via;
use crate::cli::{Context, output};
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Outcome};
use crate::services::activities::{ListActivities, LogLine, SumMonth};
use crate::services::records::Suggest;
use crate::services::setup::WhoAmI;
use clap::ArgMatches;
use std::io::Write;
use std::time::Instant;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let rounds = matches.get_one::<u64>("rounds").copied().unwrap_or(50) as usize;
    let fsync = median(rounds, || fsync_once(&context.folders.state))?;
    let engine = context.engine(Via::Cli)?;
    let today = engine.ask(&WhoAmI {})?.today;
    let month = Month::of(today).plus(-1);
    let activities = engine.ask(&SumMonth { month, owner: "all".into() })?.activities;
    let account =
        engine.ask(&Suggest { kind: Kind::Account, text: String::new(), account: None, limit: 1 })?;
    let sum = median(rounds.min(20), || engine.ask(&SumMonth { month, owner: "all".into() }).map(drop))?;
    let page = median(rounds, || {
        let list = ListActivities {
            month: Some(month),
            owner: "all".into(),
            limit: 200,
            ..ListActivities::default()
        };
        engine.ask(&list).map(drop)
    })?;
    let mut value = serde_json::json!({
        "fsync_ms": fsync,
        "month_activities": activities,
        "month_sum_ms": sum,
        "month_page_200_ms": page,
    });
    if let (Some((_, name)), Some(object)) = (account.first(), value.as_object_mut()) {
        let line = format!("demo {} 1h : measured", name);
        let log = median(rounds, || engine.run(&LogLine { line: line.clone(), ack: vec![] }).map(drop))?;
        object.insert("log_durable_ms".into(), log.into());
    }
    output::json(&value);
    Ok(())
}

/// Median milliseconds of some runs.
fn median(rounds: usize, mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..rounds.max(1) {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2] * 100.0).round() / 100.0)
}

fn fsync_once(folder: &std::path::Path) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::internal(format!("The disk cannot be measured: {e}"));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let path = folder.join("fsync.tmp");
    let mut file = std::fs::File::create(&path).map_err(failed)?;
    file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).map_err(failed)?;
    std::fs::remove_file(&path).map_err(failed)
}
