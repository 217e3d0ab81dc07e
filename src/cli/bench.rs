//! `pams dev bench`: the figures of docs/performance.md, on the current store. Prints
//! the disk's own fsync time beside every durable figure; with --home the figures of
//! whole processes too. It logs activities: give it a store that was filled to be measured.

use crate::changes::Via;
use crate::cli::torture::child;
use crate::cli::{Context, output};
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Outcome};
use crate::random::Random;
use crate::services::activities::{CountActivities, ListActivities, LogLine, SumMonth};
use crate::services::records::Suggest;
use crate::services::setup::WhoAmI;
use clap::ArgMatches;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    // As it is typed: a common word, then one that is rare, over all that is stored.
    let search = |filter: &str| ListActivities {
        owner: "all".into(),
        filter: Some(filter.into()),
        limit: 50,
        scan: 50_000,
        ..ListActivities::default()
    };
    let common = median(rounds.min(20), || engine.ask(&search("demo")).map(drop))?;
    let rare = median(rounds.min(20), || engine.ask(&search("nosuchword")).map(drop))?;
    let (mut found, mut longest) = (0, 0.0_f64);
    let counted = median(rounds.min(5), || {
        let mut list = search("demo -poc");
        found = 0;
        loop {
            let start = Instant::now();
            let part = engine.ask(&CountActivities { list: list.clone() })?;
            longest = longest.max(start.elapsed().as_secs_f64() * 1e3);
            found += part.count;
            list.cursor = part.next;
            if list.cursor.is_none() {
                break Ok(());
            }
        }
    })?;
    let mut value = serde_json::json!({
        "search_first_rows_ms": common,
        "search_stretch_without_a_hit_ms": rare,
        "search_count_all_ms": counted,
        "search_count_longest_stretch_ms": longest,
        "search_found": found,
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
    drop(engine);
    if let (Some(home), Some(object)) = (matches.get_one::<PathBuf>("home"), value.as_object_mut()) {
        object.extend(processes(home, rounds, month, account.first().map(|(_, name)| name.as_str()))?);
    }
    output::json(&value);
    Ok(())
}

/// Whole processes, from their start to their end: a log beside a host, a page of a
/// month alone, a listing after a writer was killed inside a burst of commits.
fn processes(
    home: &Path,
    rounds: usize,
    month: Month,
    account: Option<&str>,
) -> Outcome<serde_json::Map<String, serde_json::Value>> {
    let mut found = serde_json::Map::new();
    let run = |words: &[&str]| -> Outcome<()> {
        let failed = |e: std::io::Error| Failure::internal(format!("A child process was lost: {e}"));
        let done = child(home, words)?.wait_with_output().map_err(failed)?;
        match done.status.success() {
            true => Ok(()),
            false => Err(Failure::internal(String::from_utf8_lossy(&done.stderr).trim().to_owned())),
        }
    };
    if let Some(account) = account {
        let mut host = child(home, &["dev", "hold"])?;
        let mut first = String::new();
        if let Some(out) = &mut host.stdout {
            let _ = BufReader::new(out).read_line(&mut first);
        }
        let line = format!("demo \"{account}\" 1h : measured");
        found.insert("process_log_with_host_ms".into(), median(rounds, || run(&["log", &line]))?.into());
        drop(host.stdin.take());
        let _ = host.wait();
    }
    let month = month.to_string();
    let page = ["activity", "list", "--month", &month, "--owner", "all", "--limit", "200", "--json"];
    found.insert("process_month_page_ms".into(), median(rounds, || run(&page))?.into());
    let mut random = Random::new(1);
    let mut times = Vec::new();
    for _ in 0..rounds.min(15) {
        let mut writer = child(home, &["dev", "write", "--count", "100000"])?;
        std::thread::sleep(Duration::from_millis(300 + random.below(300) as u64));
        let _ = writer.kill();
        let _ = writer.wait();
        times.push(timed(|| run(&["activity", "list", "--limit", "1", "--json"]))?);
    }
    times.sort_by(f64::total_cmp);
    found.insert("process_list_after_kill_ms".into(), times[times.len() / 2].into());
    found.insert("process_list_after_kill_worst_ms".into(), times[times.len() - 1].into());
    Ok(found)
}

/// Median milliseconds of some runs.
fn median(rounds: usize, mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut times = (0..rounds.max(1)).map(|_| timed(&mut work)).collect::<Outcome<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Milliseconds of one run, to the hundredth.
fn timed(mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    work()?;
    Ok((start.elapsed().as_secs_f64() * 1e5).round() / 100.0)
}

fn fsync_once(folder: &std::path::Path) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::internal(format!("The disk cannot be measured: {e}"));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let path = folder.join("fsync.tmp");
    let mut file = std::fs::File::create(&path).map_err(failed)?;
    file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).map_err(failed)?;
    std::fs::remove_file(&path).map_err(failed)
}
