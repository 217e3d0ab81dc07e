//! `pams dev load`: many people at one remote instance, on this machine. It starts a server
//! on the given home, signs sessions in, has each save once a second and read the month,
//! and ends by itself. Nothing but loopback is reached. With `--kill-every` the server is
//! killed again and again meanwhile ([`kills`]).

mod kills;
pub mod offline;

use crate::changes::{Cause, Change, Op, Via, codec, hlc};
use crate::cli::{Context, output};
use crate::config;
use crate::domain::schema::{Activity, Kind, Record, SCHEMA_VERSION};
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::frames::Bytes;
use crate::remote::Client;
use crate::remote::trust::Verifier;
use crate::services::new_id;
use crate::services::records::{List, Save};
use crate::services::sessions::{SetPassword, password};
use crate::services::sync::{PullChanges, PushChanges, Pushed, Taken};
use clap::ArgMatches;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Sessions of one user: fewer than one may have.
const SESSIONS_EACH: usize = 25;
const PASSWORD: &str = "only for this measurement";
/// Sessions that listen for hints.
const LISTENERS: usize = 10;
/// A session reads the month once in so many saves.
const READ_EVERY: usize = 5;

/// Between two tries at a server that was killed.
const RETRY: Duration = Duration::from_millis(200);

/// What all sessions write into.
#[derive(Default)]
struct Measured {
    saves: Mutex<Vec<f64>>,
    reads: Mutex<Vec<f64>>,
    /// When a save was sent, and the place it got.
    sent: Mutex<Vec<(u64, Instant)>>,
    /// When each listener heard of a place.
    heard: Mutex<Vec<(u64, Instant)>>,
    failures: Mutex<Vec<String>>,
    /// Changes that the server said it has, and calls that a killed server cut off.
    acknowledged: Mutex<Vec<Id>>,
    cut_off: AtomicUsize,
    /// Whether the server is killed meanwhile: a save is then sent until it is answered.
    killing: bool,
    stop: AtomicBool,
    ready: AtomicUsize,
}

impl Measured {
    /// Sends the same again while the server is away, as a device does.
    fn until_answered<T>(&self, call: impl Fn() -> Outcome<T>) -> Outcome<T> {
        loop {
            match call() {
                Err(failure) if self.killing && failure.kind == FailureKind::Offline => {
                    self.cut_off.fetch_add(1, Ordering::AcqRel);
                    std::thread::sleep(RETRY);
                }
                done => return done,
            }
        }
    }
}

/// A server process of this program; killed when it is dropped.
struct Served {
    child: Child,
    url: String,
    key: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(1).max(1);
    let (sessions, seconds) = (number("sessions") as usize, number("seconds"));
    let kill_every =
        matches.get_one::<u64>("kill-every").copied().filter(|s| *s > 0).map(Duration::from_secs);
    let users = prepare(context, sessions.div_ceil(SESSIONS_EACH))?;
    let from = context.cli()?.ask(&PullChanges { from: u64::MAX - 1, most: 0 })?.last_seq;
    let served = Served::start(context, "127.0.0.1:0")?;
    let (url, key) = (served.url.clone(), served.key.clone());
    let floor_ms = fsync_floor(context)?;
    let measured = Arc::new(Measured { killing: kill_every.is_some(), ..Measured::default() });
    let trust = || Verifier::new(Some(key.clone()), None);
    let mut threads = Vec::new();
    for n in 0..sessions {
        let (user, activity_type) = users[n % users.len()];
        let client = signed_in(&url, trust()?, &user.to_string())?;
        let listener = if n < LISTENERS { Some(client.another()?) } else { None };
        if let Some(listener) = listener {
            let measured = measured.clone();
            std::thread::spawn(move || listen(&listener, &measured));
        }
        let measured = measured.clone();
        threads.push(std::thread::spawn(move || work(&client, n, user, activity_type, seconds, &measured)));
    }
    measured.ready.store(1, Ordering::Release);
    let finish = |threads: Vec<std::thread::JoinHandle<()>>| {
        for thread in threads {
            let _ = thread.join();
        }
        measured.stop.store(true, Ordering::Release);
    };
    let faults = match kill_every {
        None => {
            finish(threads);
            drop(served);
            Value::Null
        }
        Some(every) => std::thread::scope(|scope| {
            let probe = scope.spawn(|| kills::probe(&url, trust()?, &measured));
            let supervisor = scope.spawn(|| kills::supervise(context, served, every, &measured));
            finish(threads);
            let panicked = |_| Failure::internal("A thread of the measurement failed");
            let probed = probe.join().map_err(panicked)??;
            let mut killed = supervisor.join().map_err(panicked)??;
            Ok::<_, Failure>(kills::report(&mut killed, &probed))
        })?,
    };
    let acknowledged = std::mem::take(&mut *measured.acknowledged.lock().unwrap_or_else(|e| e.into_inner()));
    let kept = kills::verify(context, from, &acknowledged)?;
    report(&measured, sessions, seconds, floor_ms, faults, kept)
}

/// Users who may save and read, with a password; and an activity type to save with.
fn prepare(context: &Context, count: usize) -> Outcome<Vec<(Id, Id)>> {
    let engine = context.cli()?;
    let list = |kind| {
        let all = List { kind, filter: None, archived: false, account: None, limit: 1_000, cursor: None };
        engine.ask(&all).map(|page| page.items)
    };
    let activity_type = list(Kind::ActivityType)?.first().map(|i| i.id).unwrap_or_default();
    let hash = password::hash(PASSWORD)?;
    let mut users = Vec::new();
    for n in 0..count {
        let name = format!("Load {n}");
        let found = list(Kind::User)?.into_iter().find(|i| i.text("name") == name).map(|i| i.id);
        let id = match found {
            Some(id) => id,
            None => {
                let input = BTreeMap::from([("name".into(), name), ("roles".into(), "presales".into())]);
                let save = Save { kind: Kind::User, id: None, input, seen_rev: None, ack: vec![] };
                engine.run(&save)?.reply.item.id
            }
        };
        engine.run(&SetPassword { user: id.to_string(), hash: hash.clone() })?;
        users.push((id, activity_type));
    }
    Ok(users)
}

impl Served {
    fn start(context: &Context, listen: &str) -> Outcome<Served> {
        let failed =
            |e: &dyn std::fmt::Display| Failure::internal(format!("The server cannot be started: {e}"));
        let program = std::env::current_exe().map_err(|e| failed(&e))?;
        let home = context.folders.data.parent().ok_or_else(|| failed(&"no home"))?;
        let mut child = std::process::Command::new(program)
            .arg("--home")
            .arg(home)
            .args(["serve", "--listen", listen, "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(&e))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line).map_err(|e| failed(&e))?;
        }
        let told: Value = serde_json::from_str(&line).map_err(|e| failed(&e))?;
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        Ok(Served { child, url: text("url"), key: text("fingerprint") })
    }
}

/// What a durable write costs here at the least: the median of a hundred.
fn fsync_floor(context: &Context) -> Outcome<f64> {
    use std::io::Write;
    let path = context.folders.data.join("fsync.probe");
    let failed = |e: std::io::Error| Failure::internal(format!("{}: {e}", path.display()));
    let mut file = std::fs::File::create(&path).map_err(failed)?;
    let mut took = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        file.write_all(&[0; 4_096]).and_then(|()| file.sync_data()).map_err(failed)?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let _ = std::fs::remove_file(&path);
    Ok(percentile(&mut took, 0.5))
}

fn signed_in(url: &str, trust: Arc<Verifier>, user: &str) -> Outcome<Client> {
    let client = Client::new(url, trust.clone(), "")?;
    let body = json!({ "user": user, "password": PASSWORD, "device": true, "label": "dev load" });
    let (_, cookie) = client.sign_in(&body)?;
    Client::new(url, trust, &cookie)
}

fn listen(client: &Client, measured: &Measured) {
    while !measured.stop.load(Ordering::Acquire) {
        let heard = client.hear(|seq| {
            let now = Instant::now();
            measured.heard.lock().unwrap_or_else(|e| e.into_inner()).push((seq, now));
            !measured.stop.load(Ordering::Acquire)
        });
        match heard {
            Err(failure) if !measured.killing && !measured.stop.load(Ordering::Acquire) => {
                measured.failures.lock().unwrap_or_else(|e| e.into_inner()).push(failure.message);
                return;
            }
            _ => std::thread::sleep(RETRY),
        }
    }
}

fn work(client: &Client, n: usize, user: Id, activity_type: Id, seconds: u64, measured: &Measured) {
    while measured.ready.load(Ordering::Acquire) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let device = new_id(config::now_ms());
    let begun = Instant::now();
    // Spread over the second, as people are.
    let first = begun + Duration::from_millis((n as u64 * 997) % 1_000);
    let fail =
        |failure: Failure| measured.failures.lock().unwrap_or_else(|e| e.into_inner()).push(failure.message);
    for round in 0..seconds {
        let due = first + Duration::from_secs(round);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let push = PushChanges {
            epoch: 0,
            device,
            changes: vec![Bytes(save(device, round + 1, user, activity_type))],
        };
        let change_id =
            push.changes.first().and_then(|c| codec::decode_change(&c.0).ok()).map(|c| c.change_id);
        let sent = Instant::now();
        let answer = measured.until_answered(|| client.frame::<_, Pushed>("/api/v1/sync/push", &push));
        match answer {
            Ok(pushed) if pushed.taken == Taken::Taken && pushed.drafted == 0 => {
                measured.acknowledged.lock().unwrap_or_else(|e| e.into_inner()).extend(change_id);
                let took = sent.elapsed().as_secs_f64() * 1e3;
                measured.saves.lock().unwrap_or_else(|e| e.into_inner()).push(took);
                measured.sent.lock().unwrap_or_else(|e| e.into_inner()).push((pushed.last_seq, sent));
            }
            Ok(pushed) => fail(Failure::internal(format!("{pushed:?}"))),
            Err(failure) => fail(failure),
        }
        if (round as usize + n).is_multiple_of(READ_EVERY) {
            let sent = Instant::now();
            let path = "/api/v1/activities?owner=me&limit=200";
            match measured.until_answered(|| client.json::<Value>(reqwest::Method::GET, path, None)) {
                Ok(_) => {
                    let took = sent.elapsed().as_secs_f64() * 1e3;
                    measured.reads.lock().unwrap_or_else(|e| e.into_inner()).push(took);
                }
                Err(failure) => fail(failure),
            }
        }
    }
}

/// A new activity, as a device sends it.
fn save(device: Id, dseq: u64, user: Id, activity_type: Id) -> Vec<u8> {
    let now_ms = config::now_ms();
    let activity = Activity {
        activity_type: Some(activity_type),
        date: chrono::DateTime::from_timestamp_millis(now_ms).map(|at| at.date_naive()),
        effort: Some(60),
        summary: "saved under load".into(),
        owner: Some(user),
        ..Activity::default()
    };
    codec::encode_change(&Change {
        change_id: new_id(now_ms),
        txn_id: new_id(now_ms),
        device,
        dseq,
        actor: user,
        via: Via::Tui,
        hlc: hlc::next(0, now_ms.max(0) as u64),
        kind: Kind::Activity,
        entity: new_id(now_ms),
        op: Op::Create,
        base_rev: 0,
        fields: Change::creating(&activity.to_fields()),
        seen_hash: None,
        cause: Cause::Edit,
        undoes: None,
        why: String::new(),
        schema: SCHEMA_VERSION,
    })
}

fn percentile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = ((values.len() as f64 - 1.0) * at).round().max(0.0) as usize;
    values.get(place).copied().unwrap_or(0.0)
}

fn report(
    measured: &Measured,
    sessions: usize,
    seconds: u64,
    floor_ms: f64,
    faults: Value,
    kept: Value,
) -> Outcome<()> {
    let take =
        |values: &Mutex<Vec<f64>>| std::mem::take(&mut *values.lock().unwrap_or_else(|e| e.into_inner()));
    let (mut saves, mut reads) = (take(&measured.saves), take(&measured.reads));
    let mut heard = measured.heard.lock().unwrap_or_else(|e| e.into_inner()).clone();
    heard.sort_unstable_by_key(|(seq, at)| (*seq, *at));
    let sent = measured.sent.lock().unwrap_or_else(|e| e.into_inner()).clone();
    let mut hints: Vec<f64> = sent
        .iter()
        .filter_map(|(seq, at)| {
            let from = heard.partition_point(|(s, _)| s < seq);
            let first = heard[from..].iter().take(2 * LISTENERS).map(|(_, heard)| heard).min()?;
            Some(first.saturating_duration_since(*at).as_secs_f64() * 1e3)
        })
        .collect();
    let failures = measured.failures.lock().unwrap_or_else(|e| e.into_inner()).clone();
    let three = |values: &mut Vec<f64>| {
        json!({ "count": values.len(), "p50_ms": percentile(values, 0.5), "p95_ms": percentile(values, 0.95),
            "p99_ms": percentile(values, 0.99), "max_ms": percentile(values, 1.0) })
    };
    output::json(&json!({
        "sessions": sessions, "seconds": seconds, "fsync_floor_ms": floor_ms,
        "saves": three(&mut saves), "hints": three(&mut hints), "reads": three(&mut reads),
        "failures": failures.len(), "first_failure": failures.first(),
        "cut_off": measured.cut_off.load(Ordering::Acquire), "faults": faults, "kept": kept,
    }));
    if kept["lost"] != 0 || kept["doubled"] != 0 {
        return Err(Failure::internal("What was acknowledged is not there once"));
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Failure::internal(format!("{} requests failed", failures.len())))
    }
}
