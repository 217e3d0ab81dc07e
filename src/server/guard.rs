//! What stands before every route: who asks, whether they may, and the line in the log.
//! A route declares what it needs; nothing is open by silence.

use crate::changes::Via;
use crate::domain::Id;
use crate::engine::{Door, OnBehalf};
use crate::server::Problem;
use crate::server::metrics::{Served, status_class};
use crate::server::problem::{CODES, CONTENT_TYPE};
use crate::server::routes::{Former, Needs, Route};
use crate::server::state::{App, Tenant, blocking};
use crate::services::permissions::ShowRights;
use crate::services::sessions::{FindSession, NoteUse, Session, session_id};
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const COOKIE: &str = "__Host-pams";
const REQUEST_ID: &str = "x-request-id";
/// Longest that a request may take to be answered; listening is not one.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much of a body that is too large is read, so that its sender hears that it is.
const MAX_DRAIN: usize = 64 << 20;
/// Answers from this size on are packed.
const MIN_PACKED: usize = 1_024;
const DRAIN: Duration = Duration::from_secs(5);

/// Who asks.
#[derive(Clone)]
pub struct Who {
    pub tenant: Arc<Tenant>,
    pub session: Session,
}

impl Who {
    pub fn user(&self) -> Id {
        self.session.user
    }

    /// The organisation's engine, on behalf of who asks.
    pub fn engine(&self) -> OnBehalf<'_> {
        OnBehalf { engine: &self.tenant.engine, actor: self.session.user, via: Via::Api }
    }
}

pub async fn guard(
    State((app, route)): State<(App, &'static Route)>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let (mut tenant, mut actor) = (String::new(), String::new());
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let admitted = match address.map_or(Ok(()), |address| app.limits.address(address)) {
        Ok(()) => admit(&app, route, &method, &headers).await,
        Err(problem) => Err(problem),
    };
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|l| l.to_str().ok()).and_then(|l| l.parse().ok());
    let response = match admitted {
        Err(problem) => problem.into_response(),
        Ok(_) if length.is_some_and(|length: usize| length > route.max_body()) => {
            // A client that is cut off while it sends does not hear why.
            drain(request.into_body()).await;
            let most = route.max_body() >> 20;
            Problem::new("too_large", format!("A body may have {most} MB here")).into_response()
        }
        Ok(who) => {
            if let Some(who) = who {
                (tenant, actor) = (who.tenant.name.clone(), who.session.name.clone());
                request.extensions_mut().insert(who);
            }
            match tokio::time::timeout(PATIENCE, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Problem::new("timeout", "The request took too long").into_response(),
            }
        }
    };
    let mut response = packed(stamped(told(response).await, &id).await, &headers).await;
    if let Some(former) = route.former() {
        going(response.headers_mut(), former);
    }
    let took = started.elapsed();
    let status = response.status().as_u16();
    let served = Served { route: route.path, method: route.method, status_class: status_class(status) };
    app.metrics.requests.get_or_create(&served).observe(took.as_secs_f64());
    let line = serde_json::json!({
        "ts": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "level": if status >= 500 { "error" } else { "info" },
        "target": "http",
        "request_id": id,
        "tenant": tenant,
        "actor": actor,
        "address": address.map(|a| a.to_string()),
        "traceparent": headers.get("traceparent").and_then(|t| t.to_str().ok()),
        "method": route.method,
        "route": route.path,
        "status": status,
        "ms": took.as_secs_f64() * 1e3,
    });
    super::log(&line);
    response
}

/// Says of a path that it is on its way out, and what to use instead.
fn going(headers: &mut HeaderMap, former: &Former) {
    let told = [
        ("deprecation", format!("@{}", former.since)),
        ("sunset", former.sunset.to_owned()),
        ("link", format!("<{}>; rel=\"successor-version\"", former.successor)),
    ];
    for (name, value) in told {
        headers.extend(HeaderValue::try_from(value).ok().map(|value| (HeaderName::from_static(name), value)));
    }
}

/// A refusal of the router's own, such as of a parameter that is no number, as a problem
/// like every other.
async fn told(response: Response) -> Response {
    let status = response.status();
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t == CONTENT_TYPE);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let bytes = axum::body::to_bytes(response.into_body(), 4 << 10).await.unwrap_or_default();
    let code = CODES.iter().find(|(_, of, _)| *of == status.as_u16()).map_or("usage", |(code, ..)| *code);
    Problem::new(code, String::from_utf8_lossy(&bytes).into_owned()).into_response()
}

/// JSON that is worth it, in zstd for who reads that.
async fn packed(response: Response, asked: &HeaderMap) -> Response {
    let takes = asked.get(header::ACCEPT_ENCODING).and_then(|e| e.to_str().ok()).unwrap_or_default();
    let takes = takes.split(',').any(|e| e.split(';').next().unwrap_or_default().trim() == "zstd");
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t == "application/json");
    if !takes || !is_json {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return Problem::new("internal", "The answer was lost").into_response();
    };
    head.headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    match zstd::bulk::compress(&bytes, 1) {
        Ok(small) if bytes.len() >= MIN_PACKED && small.len() < bytes.len() => {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
            head.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(head, Body::from(small))
        }
        _ => Response::from_parts(head, Body::from(bytes)),
    }
}

/// Reads and forgets, within bounds.
async fn drain(body: Body) {
    let mut pieces = body.into_data_stream();
    let mut left = MAX_DRAIN;
    let reading = async {
        while let Some(Ok(piece)) = pieces.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN, reading).await;
}

/// The session that a route needs, or the problem.
async fn admit(
    app: &App,
    route: &'static Route,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Who>, Problem> {
    if *method != Method::GET && *method != Method::HEAD {
        same_site(headers)?;
    }
    let verb = match route.needs {
        Needs::Nobody => return Ok(None),
        Needs::SignedIn => "",
        Needs::Verb(verb) => verb,
    };
    let none = || Problem::new("session_needed", "There is no session, or it has ended");
    let (tenant, secret) = cookie(headers).ok_or_else(none)?;
    let tenant = app.tenant(tenant).ok_or_else(none)?.clone();
    blocking(move || {
        let id = session_id(&secret);
        let Some(found) = tenant.engine.ask(&FindSession { id: id.clone() })? else { return Ok(None) };
        if found.stale {
            tenant.engine.run(&NoteUse { id })?;
        }
        if !verb.is_empty() {
            // Looked up with each request: a right that is taken away is gone at once.
            OnBehalf { engine: &tenant.engine, actor: found.session.user, via: Via::Api }
                .ask(&ShowRights {})?
                .require(verb)?;
        }
        Ok(Some(Who { tenant, session: found.session }))
    })
    .await?
    .map(|who| app.limits.person(who.user()).map(|()| Some(who)))
    .ok_or_else(none)?
}

/// A browser says where a request comes from; our own programs say so with a header that
/// a form cannot send.
fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key("x-pams") {
        return Ok(());
    }
    let origin = headers.get(header::ORIGIN).and_then(|o| o.to_str().ok());
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    match (origin, host) {
        (Some(origin), Some(host)) if origin == format!("https://{host}") => Ok(()),
        _ => Err(Problem::new("cross_site", "Say with the header X-PAMS: 1 that this is no form of a page")),
    }
}

/// Organisation and secret of the session's cookie.
pub fn cookie(headers: &HeaderMap) -> Option<(Id, Vec<u8>)> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';'));
    let value = pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE)?.1;
    let (tenant, secret) = value.split_once('.')?;
    Some((tenant.parse().ok()?, BASE64_URL_SAFE_NO_PAD.decode(secret).ok()?))
}

/// What sets the cookie; it ends with the session, which the server knows.
pub fn set_cookie(tenant: Id, secret: &[u8]) -> String {
    let secret = BASE64_URL_SAFE_NO_PAD.encode(secret);
    format!("{COOKIE}={tenant}.{secret}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

pub fn clear_cookie() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// The caller's id for the request, if it looks like one, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
    let good = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    given.filter(good).map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// Every answer says which request it is to, and what a browser may do with it; a problem
/// says it in its body too.
pub async fn stamped(response: Response, id: &str) -> Response {
    let (mut head, mut body) = response.into_parts();
    let is_problem = head.headers.get(header::CONTENT_TYPE).is_some_and(|t| t == CONTENT_TYPE);
    if is_problem && let Ok(bytes) = axum::body::to_bytes(std::mem::take(&mut body), 64 << 10).await {
        let mut problem: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(object) = problem.as_object_mut() {
            object.insert("trace_id".into(), id.into());
        }
        body = Body::from(problem.to_string());
        head.headers.remove(header::CONTENT_LENGTH);
    }
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            head.headers.insert(name, value);
        }
    };
    set(REQUEST_ID, id);
    set("strict-transport-security", "max-age=31536000");
    set("x-content-type-options", "nosniff");
    set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    set("referrer-policy", "no-referrer");
    if !head.headers.contains_key(header::CACHE_CONTROL) {
        head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Response::from_parts(head, body)
}
