//! Requests as JSON: all of the engine's table, and the paths that have a name of their own.

use crate::changes::Via;
use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind, Id};
use crate::engine::{COMMANDS, Door, INTERNAL, QUERIES, Row};
use crate::server::Problem;
use crate::server::guard::Who;
use crate::server::state::{App, blocking};
use crate::services::outlets::ExportOutlets;
use crate::services::permissions::ShowRights;
use crate::services::records::purge::Purge;
use crate::services::records::{Archive, Counts, Delete, Merge, Save};
use crate::services::setup::WhoAmI;
use crate::services::wins::ShowCallout;
use crate::services::{Caller, Command, Query, new_id};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{Path, Query as Params, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows of a page where nothing is said, and at the most.
const PAGE: usize = 200;
const MAX_PAGE: usize = 1_000;

pub fn unreadable(rejection: JsonRejection) -> Problem {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            Problem::new("media_type", "The body should be application/json")
        }
        JsonRejection::JsonDataError(e) => Problem::new("invalid", e.body_text()),
        JsonRejection::JsonSyntaxError(e) => Problem::new("usage", e.body_text()),
        other if other.status() == 413 => Problem::new("too_large", "The body is too large"),
        other => Problem::new("usage", other.body_text()),
    }
}

/// A body that did not come whole.
pub fn cut_off(rejection: BytesRejection) -> Problem {
    match rejection.status().as_u16() {
        413 => Problem::new("too_large", "The body is too large"),
        _ => Problem::new("usage", rejection.body_text()),
    }
}

fn json_bytes(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

fn absent(name: &str) -> Problem {
    Problem::new("not_found", format!("There is no request \"{name}\""))
}

/// What wants that its person proved lately who they are: erasing, taking much away,
/// saying who may what.
fn is_sensitive(name: &str, body: &[u8]) -> bool {
    if [Purge::NAME, ExportOutlets::NAME].contains(&name) {
        return true;
    }
    let kind = || {
        serde_json::from_slice::<Value>(body).ok()?.get("kind").and_then(|k| k.as_str()).map(str::to_owned)
    };
    [Save::NAME, Archive::NAME, Delete::NAME, Merge::NAME].contains(&name)
        && kind().is_some_and(|kind| kind == "User" || kind == "Role")
}

/// A request of the table on behalf of who asks, its verb checked.
async fn run<F: Sync + 'static>(
    who: Who,
    row: &'static Row<F>,
    body: Vec<u8>,
    txn: Id,
) -> Result<Vec<u8>, Problem> {
    if is_sensitive(row.name, &body) && !who.session.is_fresh(who.tenant.engine.now_ms()) {
        let mut problem = Problem::new("step_up_needed", "Prove again who you are for this");
        problem.hint = Some("POST /api/v1/session/step-up with password and code, then send it again".into());
        return Err(problem);
    }
    blocking(move || {
        let user = who.session.user;
        who.engine().ask(&ShowRights {})?.require(row.verb)?;
        let frame = (row.read_json)(&body)?;
        let caller = Caller { via: Via::Api, txn, now_ms: who.tenant.engine.now_ms(), actor: Some(user) };
        let answer = who.tenant.engine.call_for(row.name, &frame, &caller).map_err(of_values)?;
        (row.write_json)(&answer)
    })
    .await
}

/// Words that are off on a command line are values here: the request's form was right.
fn of_values(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Usage => Failure { kind: FailureKind::Invalid, ..failure },
        _ => failure,
    }
}

/// `GET /api/v1/query/{request}?request={…}`
pub async fn query(
    who: axum::Extension<Who>,
    Path(name): Path<String>,
    Params(params): Params<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let row = QUERIES.iter().find(|r| r.name == name && r.verb != INTERNAL).ok_or_else(|| absent(&name))?;
    let params = once(params)?;
    let body = params.get("request").cloned().unwrap_or_else(|| "{}".into());
    let txn = new_id(who.tenant.engine.now_ms());
    Ok(json_bytes(run(who.0, row, body.into_bytes(), txn).await?))
}

/// `POST /api/v1/do/{request}`. The same Idempotency-Key is the same transaction: what
/// was done under it is answered again, not done again.
pub async fn command(
    State(app): State<App>,
    who: axum::Extension<Who>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(cut_off)?;
    let row = COMMANDS.iter().find(|r| r.name == name && r.verb != INTERNAL).ok_or_else(|| absent(&name))?;
    let is_json = headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok());
    let kind = is_json.and_then(|t| t.split(';').next()).unwrap_or_default();
    if kind.trim() != "application/json" {
        return Err(Problem::new("media_type", "The body should be application/json"));
    }
    let body = with_seen(row.name, &headers, body)?;
    let txn = match headers.get("idempotency-key").map(|k| k.to_str()) {
        None => new_id(who.tenant.engine.now_ms()),
        Some(Ok(key)) if is_key(key) => {
            let whole = format!("{}\n{name}\n{key}", who.session.user);
            let mut id = [0; 16];
            id.copy_from_slice(&blake3::hash(whole.as_bytes()).as_bytes()[..16]);
            Id(id)
        }
        Some(_) => {
            return Err(Problem::new("usage", "An Idempotency-Key has 1 to 64 letters, digits, - or _"));
        }
    };
    let begun = app.replays.begin(txn, &body)?;
    match run(who.0, row, body, txn).await {
        Ok(answer) if begun.again => {
            Ok(([("idempotency-replayed", "true")], json_bytes(answer)).into_response())
        }
        Ok(answer) => Ok(json_bytes(answer)),
        Err(problem) => {
            begun.failed();
            Err(problem)
        }
    }
}

fn is_key(key: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&key.len()) && key.bytes().all(plain)
}

/// `If-Match` says which rev of a record its author saw (RFC 9110, section 13.1.1): what
/// somebody changed since is a conflict, not written over.
fn with_seen(name: &str, headers: &HeaderMap, body: Bytes) -> Result<Vec<u8>, Problem> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(body.to_vec()) };
    let bad = |what: &str| Problem::new("usage", what.to_owned());
    if name != Save::NAME {
        return Err(bad("If-Match is for record.save"));
    }
    let rev = tag.to_str().ok().and_then(|tag| tag.trim().trim_matches('"').parse::<u64>().ok());
    let rev = rev.ok_or_else(|| bad("If-Match is the rev of a record, such as \"42\""))?;
    let mut whole: Value = serde_json::from_slice(&body).map_err(|e| bad(&e.to_string()))?;
    match whole.as_object_mut() {
        Some(object) => drop(object.insert("seen_rev".into(), json!(rev))),
        None => return Err(bad("The body should be an object")),
    }
    Ok(whole.to_string().into_bytes())
}

/// A query with a path of its own, its parameters by name.
async fn named<Q: Query>(who: Who, ask: Q) -> Result<Response, Problem> {
    let reply = blocking(move || who.engine().ask(&ask).map_err(of_values)).await?;
    Ok(axum::Json(reply).into_response())
}

/// Parameters by their names; of one that is given twice nobody knows which is meant.
fn once(params: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Problem> {
    let mut all = BTreeMap::new();
    for (name, value) in params {
        if all.insert(name.clone(), value).is_some() {
            return Err(Problem::new("usage", format!("The parameter {name} is given twice")));
        }
    }
    Ok(all)
}

/// The fields of a request from a query string, each as the request has it.
fn asked<Q: Query>(base: Value, params: &BTreeMap<String, String>, known: &[&str]) -> Result<Q, Problem> {
    let mut whole = base;
    for (name, text) in params {
        if !known.contains(&name.as_str()) {
            let known = known.join(", ");
            return Err(Problem::new("usage", format!("There is no parameter {name}; there are {known}")));
        }
        let value = match name.as_str() {
            "limit" => match text.parse::<usize>() {
                Ok(n) if (1..=MAX_PAGE).contains(&n) => json!(n),
                _ => return Err(Problem::new("usage", format!("limit is 1 to {MAX_PAGE}"))),
            },
            _ => json!(text),
        };
        if let Some(object) = whole.as_object_mut() {
            object.insert(name.clone(), value);
        }
    }
    serde_json::from_value(whole).map_err(|e| Problem::new("usage", format!("The parameters are off: {e}")))
}

/// `GET /api/v1/activities?month=2026-02&owner=me&limit=200&cursor=…`
pub async fn activities(
    who: axum::Extension<Who>,
    Params(params): Params<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let base = json!({
        "month": null, "from": null, "to": null, "owner": "all", "account": null, "project": null,
        "filter": null, "oldest_first": false, "limit": PAGE, "cursor": null, "at": null,
    });
    let ask = asked::<crate::services::activities::ListActivities>(
        base,
        &once(params)?,
        &["month", "owner", "account", "project", "limit", "cursor"],
    )?;
    named(who.0, ask).await
}

/// `GET /api/v1/wins?month=2026-02&type=loss`
pub async fn wins(
    who: axum::Extension<Who>,
    Params(params): Params<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut params = once(params)?;
    // The catalogue's word for it.
    if let Some(outcome) = params.remove("type") {
        params.insert("outcome".into(), outcome);
    }
    let base = json!({
        "month": null, "owner": "all", "outcome": "", "source": "", "limit": PAGE, "cursor": null,
    });
    let ask = asked::<crate::services::wins::ListWins>(
        base,
        &params,
        &["month", "owner", "outcome", "source", "limit", "cursor"],
    )?;
    named(who.0, ask).await
}

/// Session, settings, counts and the month in one call, for a first screen.
pub async fn bootstrap(who: axum::Extension<Who>) -> Result<Response, Problem> {
    let who = who.0;
    let all = blocking(move || {
        let engine = who.engine();
        let me = engine.ask(&WhoAmI {})?;
        let rights = engine.ask(&ShowRights {})?;
        let month = Month::of(me.today);
        let wins = match rights.may("wins.read") {
            true => Some(engine.ask(&ShowCallout { month: Some(month) })?),
            false => None,
        };
        let counts = engine.ask(&Counts {})?;
        Ok(json!({ "me": me, "rights": rights, "counts": counts, "month": month, "callout": wins }))
    })
    .await?;
    Ok(axum::Json(all).into_response())
}
