//! `pams dev torture`: real processes killed with SIGKILL at random moments. Every
//! acknowledged activity must be there once, whoever was killed.

use crate::changes::Via;
use crate::cli::{Context, output};
use crate::config::{Folders, Scratch};
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::random::Random;
use crate::services::activities::ListActivities;
use crate::services::input::Input;
use crate::services::records::{MAX_LIMIT, Save};
use crate::services::wins::ListWins;
use crate::store;
use clap::ArgMatches;
use serde::Serialize;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A writer killed later than this has met every phase of a commit many times.
const LONGEST_MS: usize = 60;

#[derive(Debug, Default, Serialize)]
struct Tally {
    kills: u64,
    acknowledged: u64,
    lost: u64,
    doubled: u64,
    /// Longest time from a host's death to the next acknowledgement, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_gap_ms: Option<u64>,
    /// Longest opening after a kill, milliseconds.
    longest_open_ms: u64,
    faults: Vec<String>,
}

/// Holds the store as host until standard input ends.
pub fn hold(context: &Context) -> Outcome<()> {
    let engine = context.engine(Via::Job)?;
    output::line(if engine.is_host() { "host" } else { "guest" });
    let mut sink = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut sink);
    Ok(())
}

/// Logs activities, each acknowledged by a line once it is durable.
pub fn write(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let count = matches.get_one::<u64>("count").copied().unwrap_or(1000);
    let tag = matches.get_one::<String>("tag").cloned().unwrap_or_default();
    let engine = context.engine(Via::Job)?;
    for n in 0..count {
        let summary = format!("{tag}-{n}");
        let fields = [("type", "Demo"), ("effort", "1h"), ("summary", summary.as_str())];
        let input: Input = fields.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        engine.run(&Save { kind: Kind::Activity, id: None, input, seen_rev: None, ack: vec![] })?;
        output::line(&summary);
    }
    Ok(())
}

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let kills = matches.get_one::<u64>("kills").copied().unwrap_or(200);
    let seed = crate::config::now_ms() as u64;
    let commit = torture(kills, seed, commit_path)?;
    let handover = torture(kills, seed, handover_path)?;
    let import = torture(kills, seed, import_path)?;
    let bad = [&commit, &handover, &import].iter().any(|t| t.lost + t.doubled > 0 || !t.faults.is_empty());
    let value =
        serde_json::json!({ "seed": seed, "commit": commit, "hand_over": handover, "import": import });
    output::json(&value);
    let _ = context;
    match bad {
        false => Ok(()),
        true => Err(Failure::new(FailureKind::Corrupt, "Something acknowledged was lost or doubled")),
    }
}

type Path = fn(&Folders, &std::path::Path, u64, &mut Random, &mut Tally) -> Outcome<Vec<String>>;

fn torture(kills: u64, seed: u64, path: Path) -> Outcome<Tally> {
    let scratch = Scratch::new()?;
    let folders = Folders::find(Some(&scratch.0), None)?;
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let mut acknowledged = Vec::new();
    drop(open(&folders)?);
    for round in 0..kills {
        acknowledged.extend(path(&folders, &scratch.0, round, &mut random, &mut tally)?);
        tally.kills += 1;
        let start = Instant::now();
        drop(open(&folders)?);
        tally.longest_open_ms = tally.longest_open_ms.max(start.elapsed().as_millis() as u64);
    }
    count(&folders, &acknowledged, &mut tally)?;
    Ok(tally)
}

fn open(folders: &Folders) -> Outcome<Engine> {
    let context = Context { folders: folders.clone(), json: true, yes: true, read_only: false, plain: false };
    context.engine(Via::Job)
}

/// This program once more, with these words.
pub(super) fn child(home: &std::path::Path, words: &[&str]) -> Outcome<Child> {
    let failed = |e: std::io::Error| Failure::internal(format!("A child process cannot be started: {e}"));
    let program = std::env::current_exe().map_err(failed)?;
    Command::new(program)
        .arg("--home")
        .arg(home)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)
}

/// Lines the child had printed when it ended.
fn said(mut child: Child) -> Vec<String> {
    let lines = child.stdout.take().map(|out| BufReader::new(out).lines().map_while(Result::ok).collect());
    let _ = child.wait();
    lines.unwrap_or_default()
}

/// A lone writer is killed inside a burst of commits.
fn commit_path(
    _: &Folders,
    home: &std::path::Path,
    round: u64,
    random: &mut Random,
    _: &mut Tally,
) -> Outcome<Vec<String>> {
    let tag = format!("c{round}");
    let mut writer = child(home, &["dev", "write", "--tag", &tag])?;
    std::thread::sleep(Duration::from_millis(random.below(LONGEST_MS) as u64));
    let _ = writer.kill();
    Ok(said(writer))
}

/// The host is killed under a writing guest, which must go on by itself.
fn handover_path(
    _: &Folders,
    home: &std::path::Path,
    round: u64,
    random: &mut Random,
    tally: &mut Tally,
) -> Outcome<Vec<String>> {
    let mut host = child(home, &["dev", "hold"])?;
    let mut first = String::new();
    if let Some(out) = &mut host.stdout {
        let _ = BufReader::new(out).read_line(&mut first);
    }
    let tag = format!("h{round}");
    let mut writer = child(home, &["dev", "write", "--count", "60", "--tag", &tag])?;
    let Some(out) = writer.stdout.take() else { return Ok(vec![]) };
    let mut lines = BufReader::new(out).lines();
    let mut acknowledged = Vec::new();
    for _ in 0..1 + random.below(20) {
        acknowledged.extend(lines.next().and_then(Result::ok));
    }
    let _ = host.kill();
    let died = Instant::now();
    let _ = host.wait();
    // What was answered before the death may still be in the pipe; the gap is the
    // longest silence after it.
    let (mut last, mut longest) = (died, Duration::ZERO);
    for line in lines.map_while(Result::ok) {
        longest = longest.max(last.elapsed());
        last = Instant::now();
        acknowledged.push(line);
    }
    tally.longest_gap_ms = tally.longest_gap_ms.max(Some(longest.as_millis() as u64));
    let status = writer.wait().map(|s| s.success()).unwrap_or(false);
    if !status || acknowledged.len() != 60 {
        let mut why = String::new();
        if let Some(err) = &mut writer.stderr {
            let _ = err.read_to_string(&mut why);
        }
        tally.faults.push(format!(
            "round {round}: the guest wrote {} of 60; {}",
            acknowledged.len(),
            why.trim()
        ));
    }
    Ok(acknowledged)
}

/// Rows of each workbook that is imported under fire.
const IMPORTED: usize = 400;

/// An import is killed: its month is as before or as after, never between.
fn import_path(
    folders: &Folders,
    home: &std::path::Path,
    round: u64,
    random: &mut Random,
    tally: &mut Tally,
) -> Outcome<Vec<String>> {
    let month = Month { year: 1990, month: 1 }.plus(round as i32);
    let mut text = String::from("Opportunity ID,Account Name,Stage,Amount,Close Date\n");
    for n in 0..IMPORTED {
        text.push_str(&format!("r{round}-{n},Customer {n},Closed Won,{n},{month}-01\n"));
    }
    let file = home.join("torture.csv");
    let failed = |e: std::io::Error| Failure::internal(format!("{} cannot be written: {e}", file.display()));
    std::fs::write(&file, text).map_err(failed)?;
    let mut importer = child(home, &["wins", "import", &file.to_string_lossy(), "--yes", "--json"])?;
    std::thread::sleep(Duration::from_millis(random.below(LONGEST_MS) as u64));
    let _ = importer.kill();
    let acknowledged = said(importer).iter().any(|line| line.contains("\"batch\""));
    let engine = open(folders)?;
    let list = ListWins { month: Some(month), limit: MAX_LIMIT, ..ListWins::default() };
    match (engine.ask(&list)?.items.len(), acknowledged) {
        (IMPORTED, said) => tally.acknowledged += u64::from(said),
        (0, false) => {}
        (0, true) => tally.lost += 1,
        (n, _) => tally.faults.push(format!("round {round}: {n} of {IMPORTED} rows are there")),
    }
    Ok(vec![])
}

/// Looks for every acknowledged activity, and checks the store against its log.
fn count(folders: &Folders, acknowledged: &[String], tally: &mut Tally) -> Outcome<()> {
    let engine = open(folders)?;
    let mut found: HashMap<String, u64> = HashMap::new();
    let mut cursor = None;
    loop {
        let list =
            ListActivities { owner: "all".into(), limit: MAX_LIMIT, cursor, ..ListActivities::default() };
        let page = engine.ask(&list)?;
        for item in &page.items {
            *found.entry(item.text("summary")).or_default() += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    drop(engine);
    tally.acknowledged += acknowledged.len() as u64;
    tally.lost += acknowledged.iter().filter(|a| !found.contains_key(*a)).count() as u64;
    tally.doubled = found.values().filter(|n| **n > 1).count() as u64;
    let mut file = store::Store::open(&folders.places().store)?;
    if !file.verify_file()? {
        tally.faults.push("the file's checksums did not hold".into());
    }
    tally.faults.extend(store::check(&file.view()?)?.wrong);
    Ok(())
}
