//! Whether the server lives, can write, and how it does.

use crate::engine::Door;
use crate::server::Problem;
use crate::server::guard::Who;
use crate::server::state::{App, blocking};
use crate::services::jobs::{JobState, ListJobs};
use crate::services::sessions::ListSessions;
use crate::services::sync::PullChanges;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub async fn live() -> Response {
    Json(json!({ "status": "live" })).into_response()
}

/// Ready means that every store answers and is open for writing.
pub async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    for tenant in app.tenants.clone() {
        blocking(move || tenant.engine.ask(&PullChanges { from: 0, most: 0 })).await?;
    }
    Ok(Json(json!({ "status": "ready" })).into_response())
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

pub async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let mut waiting = 0;
    for tenant in app.tenants.clone() {
        let jobs = blocking(move || tenant.engine.ask(&ListJobs {})).await?;
        waiting += jobs.iter().filter(|j| j.state == JobState::Waiting).count();
    }
    app.metrics.jobs.set(waiting as i64);
    app.metrics.uptime.set(app.began.elapsed().as_secs() as i64);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], app.metrics.text()).into_response())
}
