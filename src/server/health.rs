//! Whether the server lives, can write, and how it does.

use crate::changes::codec;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Door;
use crate::server::Problem;
use crate::server::guard::Who;
use crate::server::state::{App, Tenant, blocking};
use crate::services::jobs::{JobState, ListJobs};
use crate::services::sessions::ListSessions;
use crate::services::sync::PullChanges;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::path::Path;

pub async fn live() -> Response {
    Json(json!({ "status": "live" })).into_response()
}

/// Bytes that are free where a store can still be written to for a while.
const MIN_FREE: u64 = 16 << 20;
/// What a clock may be behind the newest change before it is wrong.
const MAX_BEHIND_MS: i64 = 5 * 60 * 1_000;

/// Ready means that every store answers, has room to be written to, and that the clock goes
/// on from where it was.
pub async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    for tenant in app.tenants.clone() {
        blocking(move || is_ready(&tenant)).await?;
    }
    Ok(Json(json!({ "status": "ready" })).into_response())
}

fn is_ready(tenant: &Tenant) -> Outcome<()> {
    let log = tenant.engine.ask(&PullChanges { from: u64::MAX - 1, most: 0 })?;
    let newest = tenant.engine.ask(&PullChanges { from: log.last_seq.saturating_sub(1), most: 1 })?;
    let newest = newest.records.first().and_then(|record| codec::decode_record(&record.0).ok());
    if newest.is_some_and(|record| record.received_ms > tenant.engine.now_ms() + MAX_BEHIND_MS) {
        return Err(Failure::new(FailureKind::Offline, "The clock is behind the newest change")
            .hint("Set the clock of the server"));
    }
    let free = rustix::fs::statvfs(&tenant.data);
    match free {
        Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < MIN_FREE => {
            Err(Failure::new(FailureKind::Full, "The disk is nearly full").hint("Free some space"))
        }
        _ => Ok(()),
    }
}

pub async fn details(State(app): State<App>, who: axum::Extension<Who>) -> Result<Response, Problem> {
    let who = who.0;
    let tenants = app.tenants.len();
    let details = blocking(move || {
        let log = who.tenant.engine.ask(&PullChanges { from: u64::MAX - 1, most: 0 })?;
        let jobs = who.tenant.engine.ask(&ListJobs {})?;
        let sessions = who.engine().ask(&ListSessions {})?;
        Ok(json!({
            "status": "ready",
            "version": env!("CARGO_PKG_VERSION"),
            "organisation": who.tenant.name,
            "organisations": tenants,
            "epoch": log.epoch,
            "last_seq": log.last_seq,
            "verified_backup_seq": log.verified_backup_seq,
            "sessions": sessions.len(),
            "jobs_waiting": jobs.iter().filter(|j| j.state == JobState::Waiting).count(),
            "is_host": who.tenant.engine.is_host(),
        }))
    })
    .await?;
    Ok(Json(details).into_response())
}

/// Seconds since the newest file of a folder was written; none where there is none.
fn backup_age(folder: &Path) -> Option<i64> {
    let written = |entry: std::fs::DirEntry| entry.metadata().ok()?.modified().ok();
    let newest = std::fs::read_dir(folder).ok()?.flatten().filter_map(written).max()?;
    Some(newest.elapsed().unwrap_or_default().as_secs() as i64)
}

pub async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let (mut waiting, mut oldest, mut backup) = (0, 0, 0);
    for tenant in app.tenants.clone() {
        let (jobs, age, now_ms) = blocking(move || {
            let jobs = tenant.engine.ask(&ListJobs {})?;
            Ok((jobs, backup_age(&tenant.data.join("backups")), tenant.engine.now_ms()))
        })
        .await?;
        let open = jobs.iter().filter(|j| j.is_open());
        oldest = open.map(|j| (now_ms - j.id.unix_ms() as i64) / 1_000).fold(oldest, i64::max);
        waiting += jobs.iter().filter(|j| j.state == JobState::Waiting).count();
        backup = age.map_or(-1, |age| if backup < 0 { backup } else { age.max(backup) });
    }
    app.metrics.jobs.set(waiting as i64);
    app.metrics.job_age.set(oldest);
    app.metrics.backup_age.set(backup);
    app.metrics.uptime.set(app.began.elapsed().as_secs() as i64);
    let text = app.metrics.text();
    let takes = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (kind, text) = match takes.contains("application/openmetrics-text") {
        true => ("application/openmetrics-text; version=1.0.0; charset=utf-8", text),
        false => ("text/plain; version=0.0.4; charset=utf-8", before_openmetrics(&text)),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// The same counters in the text format of Prometheus, which OpenMetrics came from: a
/// counter is described under the name that its value has.
fn before_openmetrics(text: &str) -> String {
    let counter = |line: &&str| line.strip_prefix("# TYPE ")?.strip_suffix(" counter").map(str::to_owned);
    let counters: Vec<String> = text.lines().filter_map(|line| counter(&line)).collect();
    let mut out = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.starts_with("# UNIT") && *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), rest) if counters.iter().any(|c| c == name) => {
                out.push_str(&format!("# {what} {name}_total {}", rest.unwrap_or_default()));
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}
