//! The faults of a load: the server is killed with -9 again and again and started where it
//! was, while a probe asks it once a second. Whatever was acknowledged has to be there once.

use super::{Measured, Served, percentile};
use crate::changes::codec;
use crate::cli::Context;
use crate::domain::{Failure, Id, Outcome};
use crate::remote::Client;
use crate::remote::trust::Verifier;
use crate::services::sync::PullChanges;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What a probe waits for an answer, and until it asks once more.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_secs(1);

/// What the one who kills saw.
#[derive(Default)]
pub struct Killed {
    pub kills: usize,
    /// From the kill to the first answer of the next process.
    pub restarts_ms: Vec<f64>,
}

/// Kills the server every so often until the load ends, and starts it again.
pub fn supervise(
    context: &Context,
    mut served: Served,
    every: Duration,
    measured: &Measured,
) -> Outcome<Killed> {
    let mut killed = Killed::default();
    let listen = served.url.trim_start_matches("https://").to_owned();
    let mut due = Instant::now() + every;
    while !measured.stop.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(50));
        if Instant::now() < due {
            continue;
        }
        due += every;
        let begun = Instant::now();
        drop(served); // SIGKILL
        served = Served::start(context, &listen)?;
        killed.kills += 1;
        killed.restarts_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(killed)
}

/// Probes of a second each, and those that had no answer at the second try either.
#[derive(Default)]
pub struct Probed {
    pub asked: usize,
    pub retried: usize,
    pub failed: usize,
}

pub fn probe(url: &str, trust: Arc<Verifier>, measured: &Measured) -> Outcome<Probed> {
    let mut probed = Probed::default();
    let once = || {
        // A line of its own each time, as a probe from outside has.
        let client = Client::new(url, trust.clone(), "")?.patient(PATIENCE);
        client.json::<Value>(reqwest::Method::GET, "/health/ready", None)
    };
    let mut due = Instant::now();
    while !measured.stop.load(Ordering::Acquire) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due = (due + Duration::from_secs(1)).max(Instant::now());
        probed.asked += 1;
        if once().is_err() {
            probed.retried += 1;
            std::thread::sleep(RETRY);
            probed.failed += usize::from(once().is_err());
        }
    }
    Ok(probed)
}

/// Looks in the store itself for everything that was acknowledged.
pub fn verify(context: &Context, from: u64, acknowledged: &[Id]) -> Outcome<Value> {
    let engine = context.cli()?;
    let (mut times, mut cursor) = (HashMap::<Id, usize>::new(), from);
    loop {
        let page = engine.ask(&PullChanges { from: cursor, most: usize::MAX })?;
        for record in &page.records {
            let record = codec::decode_record(&record.0)
                .map_err(|e| Failure::internal(format!("A record cannot be read: {e}")))?;
            *times.entry(record.change.change_id).or_default() += 1;
        }
        if page.through >= page.last_seq {
            break;
        }
        cursor = page.through;
    }
    let lost = acknowledged.iter().filter(|id| !times.contains_key(id)).count();
    let doubled = times.values().filter(|n| **n > 1).count();
    Ok(json!({ "acknowledged": acknowledged.len(), "lost": lost, "doubled": doubled }))
}

pub fn report(killed: &mut Killed, probed: &Probed) -> Value {
    let answered = (probed.asked - probed.failed) as f64 / probed.asked.max(1) as f64;
    json!({
        "kills": killed.kills,
        "restart_ms": { "p50": percentile(&mut killed.restarts_ms, 0.5), "max": percentile(&mut killed.restarts_ms, 1.0) },
        "probes": probed.asked, "retried": probed.retried, "failed": probed.failed,
        "availability": answered,
    })
}
