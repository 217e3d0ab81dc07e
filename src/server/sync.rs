//! The sync protocol over HTTP: MessagePack inside zstd, both ways; hints as server-sent
//! events.

use crate::domain::{Failure, Outcome};
use crate::engine::Door;
use crate::frames;
use crate::server::Problem;
use crate::server::api::cut_off;
use crate::server::guard::Who;
use crate::server::state::{App, blocking};
use crate::services::permissions::ShowRights;
use crate::services::sessions::FindSession;
use crate::services::sync::blobs::{GetBlobs, KeepBlobs, MissingBlobs};
use crate::services::sync::reconcile::DigestRecords;
use crate::services::sync::{PullChanges, PushChanges, RecoverDevice, Taken};
use crate::services::{Command, Query};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// What both sides call a body of this kind.
pub const FRAME: &str = "application/vnd.pams.frame+zstd";
/// Most bytes that a body may unfold to.
const MAX_BODY: usize = 64 << 20;
const LEVEL: i32 = 1;
/// A line that carries nothing for so long is kept open by a comment.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a stream looks whether its session still lasts.
const SESSION_LOOKS: Duration = Duration::from_secs(3);

pub fn unfold<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    if headers.get(header::CONTENT_TYPE) != Some(&HeaderValue::from_static(FRAME)) {
        return Err(Problem::new("media_type", format!("The body should be {FRAME}")));
    }
    let damaged = |_| Problem::new("usage", "The body cannot be read");
    let bytes = zstd::bulk::decompress(body, MAX_BODY).map_err(damaged)?;
    frames::decode(&bytes).map_err(|_| Problem::new("usage", "The body is not what this route takes"))
}

pub fn fold<T: Serialize>(value: &T) -> Outcome<Response> {
    let bytes = frames::encode(value)?;
    let bytes = zstd::bulk::compress(&bytes, LEVEL)
        .map_err(|e| Failure::internal(format!("The answer cannot be packed: {e}")))?;
    Ok(([(header::CONTENT_TYPE, FRAME)], bytes).into_response())
}

type Body = Result<Bytes, BytesRejection>;

async fn command<C: Command>(who: Who, command: C) -> Result<C::Reply, Problem> {
    blocking(move || who.engine().run(&command).map(|r| r.reply)).await
}

async fn query<Q: Query>(who: Who, query: Q) -> Result<Q::Reply, Problem> {
    blocking(move || who.engine().ask(&query)).await
}

pub async fn push(
    State(app): State<App>,
    who: axum::Extension<Who>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let push: PushChanges = unfold(&headers, &body.map_err(cut_off)?)?;
    let sent = push.changes.len() as u64;
    let pushed = command(who.0, push).await?;
    if pushed.taken == Taken::Taken {
        app.metrics.sync_changes.inc_by(sent);
        app.metrics.sync_conflicts.inc_by(pushed.drafted as u64);
    }
    Ok(fold(&pushed)?)
}

pub async fn pull(who: axum::Extension<Who>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let pull: PullChanges = unfold(&headers, &body.map_err(cut_off)?)?;
    Ok(fold(&query(who.0, pull).await?)?)
}

pub async fn digests(who: axum::Extension<Who>) -> Result<Response, Problem> {
    Ok(fold(&query(who.0, DigestRecords {}).await?)?)
}

pub async fn recover(who: axum::Extension<Who>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let recover: RecoverDevice = unfold(&headers, &body.map_err(cut_off)?)?;
    Ok(fold(&command(who.0, recover).await?)?)
}

pub async fn get_blobs(
    who: axum::Extension<Who>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let get: GetBlobs = unfold(&headers, &body.map_err(cut_off)?)?;
    Ok(fold(&query(who.0, get).await?)?)
}

pub async fn missing_blobs(who: axum::Extension<Who>) -> Result<Response, Problem> {
    Ok(fold(&query(who.0, MissingBlobs {}).await?)?)
}

pub async fn keep_blobs(
    who: axum::Extension<Who>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let keep: KeepBlobs = unfold(&headers, &body.map_err(cut_off)?)?;
    Ok(fold(&command(who.0, keep).await?)?)
}

/// The manifest of what somebody may see; 404 for whom the log has to be read.
pub async fn first_copy(who: axum::Extension<Who>) -> Result<Response, Problem> {
    let who = who.0;
    let seen = blocking(move || {
        let rights = who.engine().ask(&ShowRights {})?;
        Ok(who.tenant.manifest()?.seen_by(&rights))
    })
    .await?;
    let seen = seen.ok_or_else(|| Problem::new("not_found", "There is no copy for you: read the log"))?;
    Ok(fold(&seen)?)
}

/// A chunk never changes: it may be kept for ever, and gone on with where a line broke.
pub async fn chunk(
    who: axum::Extension<Who>,
    Path(hash): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let absent = || Problem::new("not_found", "There is no such chunk");
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(absent());
    }
    let who = who.0;
    let tag = format!("\"{hash}\"");
    let of = blocking(move || {
        let rights = who.engine().ask(&ShowRights {})?;
        let seen = who.tenant.manifest()?.seen_by(&rights);
        let listed = seen.is_some_and(|m| m.chunks.iter().any(|c| c.hash == hash));
        Ok(if listed { std::fs::read(who.tenant.chunks.join(hash)).ok() } else { None })
    });
    let bytes = of.await?.ok_or_else(absent)?;
    let kept = [
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable".to_owned()),
        (header::ETAG, tag.clone()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let from = headers.get(header::RANGE).and_then(|r| r.to_str().ok());
    let from = from.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match from {
        Some(from) if from < bytes.len() => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            let rest = bytes.get(from..).unwrap_or_default().to_vec();
            Ok((StatusCode::PARTIAL_CONTENT, kept, [(header::CONTENT_RANGE, range)], rest).into_response())
        }
        _ => Ok((kept, bytes).into_response()),
    }
}

/// Tells the end of the log after each change, and nothing else: who hears it pulls. It
/// ends with its session.
pub async fn live(State(app): State<App>, who: axum::Extension<Who>) -> Response {
    let who = who.0;
    let mut stopping = app.stopping.clone();
    let mut hints = who.tenant.hints.subscribe();
    app.metrics.listeners.inc();
    let counted = Counted(app.clone());
    let mut looks = tokio::time::interval(SESSION_LOOKS);
    let (sender, events) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _counted = counted;
        loop {
            let seq = tokio::select! {
                _ = stopping.changed() => return,
                () = sender.closed() => return,
                _ = looks.tick() => match has_session(&who).await {
                    true => continue,
                    false => return,
                },
                heard = hints.recv() => match heard {
                    Ok(seq) => seq,
                    // Behind by more than is kept: it looks anyway.
                    Err(RecvError::Lagged(_)) => 0,
                    Err(RecvError::Closed) => return,
                },
            };
            let event = Event::default().data(format!("{{\"seq\":{seq}}}"));
            if sender.send(Ok::<_, Infallible>(event)).await.is_err() {
                return;
            }
        }
    });
    let events = stream::unfold(events, async |mut events| Some((events.recv().await?, events)));
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

/// Whether the session that listens still lasts. A look that fails is none.
async fn has_session(who: &Who) -> bool {
    let (tenant, id) = (who.tenant.clone(), who.session.id.clone());
    blocking(move || tenant.engine.ask(&FindSession { id })).await.is_ok_and(|found| found.is_some())
}

/// One listener less when it goes, however it goes.
struct Counted(App);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.listeners.dec();
    }
}
