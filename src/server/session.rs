//! Signing in and out, and the sessions that last.

use crate::domain::{Failure, Id};
use crate::engine::Door;
use crate::server::Problem;
use crate::server::guard::{Who, clear_cookie, cookie, set_cookie};
use crate::server::state::{App, blocking};
use crate::services::permissions::ShowRights;
use crate::services::sessions::{
    BeginSession, Begun, EndSession, FindLogin, ListSessions, NoteFailure, ProveAgain, SetPassword, password,
    random, session_id,
};
use crate::services::sync::PullChanges;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

#[derive(Deserialize)]
pub struct SignIn {
    #[serde(default)]
    tenant: String,
    user: String,
    password: String,
    #[serde(default)]
    code: String,
    /// A device keeps the session for months.
    #[serde(default)]
    device: bool,
    #[serde(default)]
    label: String,
}

/// Who is signed in where: what a device needs to begin, and `GET /api/v1/session`.
#[derive(Serialize, Deserialize)]
pub struct SignedIn {
    pub user: Id,
    pub name: String,
    pub tenant: Id,
    pub tenant_name: String,
    pub session: String,
    pub epoch: u64,
    pub last_seq: u64,
    pub version: String,
    pub schema: u32,
}

fn wrong() -> Problem {
    Problem::new("login_wrong", "User, password or code is wrong")
}

fn signed_in(
    tenant: &super::state::Tenant,
    user: Id,
    name: String,
    session: &str,
) -> Result<SignedIn, Failure> {
    let log = tenant.engine.ask(&PullChanges { from: u64::MAX - 1, most: 0 })?;
    Ok(SignedIn {
        user,
        name,
        tenant: tenant.id,
        tenant_name: tenant.name.clone(),
        session: session.chars().take(12).collect(),
        epoch: log.epoch,
        last_seq: log.last_seq,
        version: env!("CARGO_PKG_VERSION").into(),
        schema: crate::domain::schema::SCHEMA_VERSION,
    })
}

pub async fn sign_in(
    State(app): State<App>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, Problem> {
    app.limits.sign_in(from.ip())?;
    let Json(ask) = body.map_err(super::api::unreadable)?;
    // An unknown organisation is answered like a wrong password, and takes as long.
    let tenant = app.tenant_named(&ask.tenant).cloned();
    let login = match &tenant {
        Some(tenant) => {
            let (tenant, user) = (tenant.clone(), ask.user.clone());
            blocking(move || tenant.engine.ask(&FindLogin { user })).await?
        }
        None => Default::default(),
    };
    if login.wait_ms > 0 {
        app.metrics.login_failures.inc();
        return Err(Problem::new("too_many", "Too many attempts; wait a moment").after(login.wait_ms));
    }
    let fits = {
        let _one_a_core = app.hashing.acquire().await;
        let (given, hash) = (ask.password, login.password);
        blocking(move || Ok(password::fits(&given, &hash))).await?
    };
    let (Some(tenant), Some(user)) = (tenant, login.user) else {
        app.metrics.login_failures.inc();
        return Err(wrong());
    };
    if !fits {
        app.metrics.login_failures.inc();
        let run = move || tenant.engine.run(&NoteFailure { user }).map(drop);
        blocking(run).await?;
        return Err(wrong());
    }
    // A new secret with each sign-in: one that was planted before is worth nothing.
    let secret = random::<32>()?;
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let begin = BeginSession {
        user,
        id: session_id(&secret),
        code: ask.code,
        device: ask.device,
        label: if ask.label.is_empty() { agent.to_owned() } else { ask.label },
        address: from.ip().to_string(),
    };
    let (begun, shown) = blocking({
        let tenant = tenant.clone();
        move || {
            let begun = tenant.engine.run(&begin)?.reply;
            let shown = match &begun {
                Begun::Session(s) => Some(signed_in(&tenant, s.user, s.name.clone(), &s.id)?),
                _ => None,
            };
            Ok((begun, shown))
        }
    })
    .await?;
    match (begun, shown) {
        (Begun::Session(_), Some(shown)) => {
            let set = [(header::SET_COOKIE, set_cookie(tenant.id, &secret))];
            Ok((StatusCode::CREATED, set, Json(shown)).into_response())
        }
        (Begun::CodeWanted, _) => Err(Problem::new("code_wanted", "A one-time code is wanted")),
        _ => {
            app.metrics.login_failures.inc();
            Err(wrong())
        }
    }
}

pub async fn show(who: axum::Extension<Who>) -> Result<Json<SignedIn>, Problem> {
    let who = who.0;
    blocking(move || signed_in(&who.tenant, who.user(), who.session.name.clone(), &who.session.id))
        .await
        .map(Json)
}

pub async fn sign_out(who: axum::Extension<Who>, headers: HeaderMap) -> Result<Response, Problem> {
    let who = who.0;
    let secret = cookie(&headers).map(|c| c.1).unwrap_or_default();
    let which = session_id(&secret);
    blocking(move || who.engine().run(&EndSession { which })).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, clear_cookie())]).into_response())
}

pub async fn list(who: axum::Extension<Who>) -> Result<Response, Problem> {
    let who = who.0;
    let all = blocking(move || who.engine().ask(&ListSessions {})).await?;
    Ok(Json(all).into_response())
}

pub async fn end(who: axum::Extension<Who>, Path(which): Path<String>) -> Result<Response, Problem> {
    let who = who.0;
    blocking(move || who.engine().run(&EndSession { which })).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
pub struct Proof {
    password: String,
    #[serde(default)]
    code: String,
}

/// Asks for password and code again, as signing in does, within the session that there is.
pub async fn step_up(
    State(app): State<App>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    who: axum::Extension<Who>,
    body: Result<Json<Proof>, JsonRejection>,
) -> Result<Response, Problem> {
    app.limits.sign_in(from.ip())?;
    let Json(ask) = body.map_err(super::api::unreadable)?;
    let who = who.0;
    let user = who.user();
    let tenant = who.tenant.clone();
    let login = blocking(move || tenant.engine.ask(&FindLogin { user: user.to_string() })).await?;
    if login.wait_ms > 0 {
        return Err(Problem::new("too_many", "Too many attempts; wait a moment").after(login.wait_ms));
    }
    let fits = {
        let _one_a_core = app.hashing.acquire().await;
        let (given, kept) = (ask.password, login.password);
        blocking(move || Ok(login.user == Some(user) && password::fits(&given, &kept))).await?
    };
    let engine = who.tenant.clone();
    if !fits {
        app.metrics.login_failures.inc();
        blocking(move || engine.engine.run(&NoteFailure { user }).map(drop)).await?;
        return Err(wrong());
    }
    let prove = ProveAgain { id: who.session.id.clone(), code: ask.code };
    match blocking(move || Ok(engine.engine.run(&prove)?.reply)).await? {
        Begun::Session(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Begun::CodeWanted => Err(Problem::new("code_wanted", "A one-time code is wanted")),
        Begun::CodeWrong => Err(wrong()),
    }
}

#[derive(Deserialize)]
pub struct NewPassword {
    old: String,
    new: String,
}

/// A person's own password: the old one is asked for again.
pub async fn set_password(
    State(app): State<App>,
    who: axum::Extension<Who>,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(ask) = body.map_err(super::api::unreadable)?;
    let who = who.0;
    let _one_a_core = app.hashing.acquire().await;
    blocking(move || {
        let user = who.user();
        let login = who.tenant.engine.ask(&FindLogin { user: user.to_string() })?;
        let kept = if login.user == Some(user) { login.password } else { String::new() };
        if !password::fits(&ask.old, &kept) {
            return Err(crate::services::permissions::denied("The old password is another one"));
        }
        let hash = password::hash(&ask.new)?;
        who.engine().run(&SetPassword { user: user.to_string(), hash }).map(drop)
    })
    .await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, clear_cookie())]).into_response())
}

/// What a person may do, for menus and scripts.
pub async fn rights(who: axum::Extension<Who>) -> Result<Response, Problem> {
    let who = who.0;
    let rights = blocking(move || who.engine().ask(&ShowRights {})).await?;
    Ok(Json(rights).into_response())
}
