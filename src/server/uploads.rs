//! Imports over HTTP, of any size: a file comes in parts that may be sent again and in any
//! order, over as many lines as it takes; then it is read as one from here would be, and a
//! person, or a script, commits what it would do.

use crate::changes::Via;
use crate::domain::failure::said;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Door, Event, OnBehalf, files};
use crate::intake::open::MAX_BYTES;
use crate::server::Problem;
use crate::server::api::{cut_off, unreadable};
use crate::server::guard::Who;
use crate::server::state::{Tenant, blocking};
use crate::services::imports::uploads::Source;
use crate::services::imports::{CommitReview, DropReview, Options, ShowReview, StartReview, Target};
use crate::services::new_id;
use crate::services::permissions::ShowRights;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::sse::{Event as Line, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of a part, but for the last one.
pub const PART_BYTES: usize = 8 << 20;
/// Bytes of a file of rows by the million; others are as large as a workbook may be.
const MAX_ROWS_FILE: u64 = 4 << 30;
/// A file whose parts nobody finished is forgotten after so long.
const MAX_AGE: Duration = Duration::from_secs(24 * 3_600);
/// The least time between two words on how far it is.
const PACE: Duration = Duration::from_millis(200);

/// What somebody is about to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Announced {
    pub target: Target,
    pub name: String,
    pub bytes: u64,
    /// BLAKE3 of the whole file in hexadecimal; what comes has to be that.
    #[serde(default)]
    pub hash: String,
}

/// An announced file, as it is kept beside its parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    id: Id,
    by: Id,
    file: Announced,
    /// Known once it is read.
    review: Option<(Id, Id)>,
}

impl Kept {
    fn folder(tenant: &Tenant, id: Id) -> PathBuf {
        tenant.uploads.join(id.to_string())
    }

    fn part(&self, tenant: &Tenant, number: u64) -> PathBuf {
        Kept::folder(tenant, self.id).join(format!("{number:06}"))
    }

    fn parts(&self) -> u64 {
        self.file.bytes.div_ceil(PART_BYTES as u64).max(1)
    }

    /// Bytes that a part has to have.
    fn length(&self, number: u64) -> u64 {
        self.file.bytes.saturating_sub(number.saturating_mul(PART_BYTES as u64)).min(PART_BYTES as u64)
    }

    fn missing(&self, tenant: &Tenant) -> Vec<u64> {
        (0..self.parts()).filter(|n| !self.part(tenant, *n).exists()).collect()
    }

    /// What is not of who asks is not there.
    fn find(who: &Who, id: &str) -> Outcome<Kept> {
        let absent = || Failure::not_found("There is no such import");
        let id: Id = id.parse().map_err(|_| absent())?;
        let text = std::fs::read(Kept::folder(&who.tenant, id).join("file.json")).map_err(|_| absent())?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|_| absent())?;
        if kept.by == who.user() { Ok(kept) } else { Err(absent()) }
    }

    fn save(&self, tenant: &Tenant) -> Outcome<()> {
        let path = Kept::folder(tenant, self.id).join("file.json");
        write_whole(&path, &serde_json::to_vec(self).unwrap_or_default())
    }

    fn forget(&self, tenant: &Tenant) {
        let _ = std::fs::remove_dir_all(Kept::folder(tenant, self.id));
    }
}

/// Whole or not at all, over a crash too.
fn write_whole(path: &std::path::Path, bytes: &[u8]) -> Outcome<()> {
    let part = path.with_extension("part");
    let written = std::fs::write(&part, bytes)
        .and_then(|()| std::fs::File::open(&part)?.sync_all())
        .and_then(|()| std::fs::rename(&part, path));
    written.map_err(|e| Failure::internal(format!("The part cannot be kept: {}", said(&e))))
}

fn verb(target: Target) -> &'static str {
    match target {
        Target::Wins => "wins.import",
        Target::Outlets => "outlets.import",
        Target::Activities => "migration.write",
        Target::Accounts | Target::Projects => "account.write",
        Target::Distributors | Target::Chains | Target::Reps => "territory.write",
    }
}

/// `POST /api/v1/imports`
pub async fn announce(
    who: axum::Extension<Who>,
    body: Result<Json<Announced>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(file) = body.map_err(unreadable)?;
    let who = who.0;
    let kept = blocking(move || {
        who.engine().ask(&ShowRights {})?.require(verb(file.target))?;
        let most = if file.target.is_bulk() { MAX_ROWS_FILE } else { MAX_BYTES as u64 };
        let name = file.name.trim();
        if name.is_empty() || name.len() > 200 || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(Failure::invalid("The name should be that of a file, without folders"));
        }
        if file.bytes == 0 || file.bytes > most {
            return Err(Failure::invalid(format!(
                "A file of {} has 1 to {most} bytes",
                file.target.plural()
            )));
        }
        sweep(&who.tenant);
        let kept = Kept { id: new_id(who.tenant.engine.now_ms()), by: who.user(), file, review: None };
        let folder = Kept::folder(&who.tenant, kept.id);
        std::fs::create_dir_all(&folder)
            .map_err(|e| Failure::internal(format!("The file cannot be kept: {}", said(&e))))?;
        kept.save(&who.tenant)?;
        Ok(kept)
    })
    .await?;
    let shown = json!({ "id": kept.id, "part_bytes": PART_BYTES, "parts": kept.parts() });
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Files whose senders went away for good.
fn sweep(tenant: &Tenant) {
    for entry in std::fs::read_dir(&tenant.uploads).into_iter().flatten().flatten() {
        let touched = entry.metadata().and_then(|m| m.modified()).ok();
        if touched.and_then(|t| t.elapsed().ok()).is_some_and(|age| age > MAX_AGE) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[derive(Deserialize)]
pub struct OfPart {
    /// BLAKE3 of the part in hexadecimal.
    #[serde(default)]
    hash: String,
}

/// `PUT /api/v1/imports/{id}/parts/{number}`: the same again is the same.
pub async fn part(
    who: axum::Extension<Who>,
    Path((id, number)): Path<(String, u64)>,
    Query(said): Query<OfPart>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let (who, bytes) = (who.0, body.map_err(cut_off)?);
    blocking(move || {
        let kept = Kept::find(&who, &id)?;
        if kept.review.is_some() {
            return Err(Failure::conflict("The file is complete and being read"));
        }
        if number >= kept.parts() || bytes.len() as u64 != kept.length(number) {
            let (parts, length) = (kept.parts(), kept.length(number));
            return Err(Failure::invalid(format!(
                "There are {parts} parts, from 0; part {number} has {length} bytes, not {}",
                bytes.len()
            )));
        }
        if !said.hash.is_empty() && blake3::hash(&bytes).to_hex().as_str() != said.hash {
            return Err(Failure::invalid("The part is not what its hash says").hint("Send it again"));
        }
        write_whole(&kept.part(&who.tenant, number), &bytes)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/v1/imports/{id}/start`
pub async fn start(
    who: axum::Extension<Who>,
    Path(id): Path<String>,
    body: Result<Json<Options>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(options) = body.map_err(unreadable)?;
    let who = who.0;
    let shown = blocking(move || {
        let mut kept = Kept::find(&who, &id)?;
        if kept.review.is_none() {
            let engine = OnBehalf { via: Via::Import, ..who.engine() };
            engine.ask(&ShowRights {})?.require(verb(kept.file.target))?;
            let path = whole(&who.tenant, &kept)?;
            let started = if kept.file.target.is_bulk() {
                let source = Source::Path { path, said: Default::default() };
                engine.run(&StartReview { target: kept.file.target, source, options })?.reply
            } else {
                let bytes = std::fs::read(&path).map_err(|e| lost(&e))?;
                files::review(&engine, kept.file.target, kept.file.name.clone(), &bytes, options)?
            };
            kept.review = Some((started.review, started.job));
            kept.save(&who.tenant)?;
            for number in 0..kept.parts() {
                let _ = std::fs::remove_file(kept.part(&who.tenant, number));
            }
        }
        status_of(&who, &kept)
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::internal(format!("A part cannot be read: {}", said(error)))
}

/// The parts as one file under the name that was announced.
fn whole(tenant: &Tenant, kept: &Kept) -> Outcome<PathBuf> {
    let missing = kept.missing(tenant);
    if !missing.is_empty() {
        let some: Vec<String> = missing.iter().take(20).map(u64::to_string).collect();
        return Err(Failure::conflict(format!("{} parts are missing: {}", missing.len(), some.join(", "))));
    }
    let folder = Kept::folder(tenant, kept.id).join("whole");
    let path = folder.join(&kept.file.name);
    let failed =
        |e: std::io::Error| Failure::internal(format!("The file cannot be put together: {}", said(&e)));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let mut to = std::fs::File::create(&path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    for number in 0..kept.parts() {
        let bytes = std::fs::read(kept.part(tenant, number)).map_err(|e| lost(&e))?;
        hasher.update(&bytes);
        std::io::Write::write_all(&mut to, &bytes).map_err(failed)?;
    }
    if !kept.file.hash.is_empty() && hasher.finalize().to_hex().as_str() != kept.file.hash {
        return Err(Failure::invalid("The file is not what its hash says").hint("Announce and send it anew"));
    }
    Ok(path)
}

/// `GET /api/v1/imports/{id}`
pub async fn status(who: axum::Extension<Who>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let who = who.0;
    blocking(move || status_of(&who, &Kept::find(&who, &id)?)).await.map(Json)
}

fn status_of(who: &Who, kept: &Kept) -> Outcome<Value> {
    let file = json!({ "target": kept.file.target, "name": kept.file.name, "bytes": kept.file.bytes });
    let Some((review, job)) = kept.review else {
        let missing = kept.missing(&who.tenant);
        return Ok(json!({ "id": kept.id, "file": file, "step": "receiving", "missing": missing }));
    };
    match who.engine().ask(&ShowReview { review }) {
        Ok(shown) => Ok(json!({
            "id": kept.id, "file": file, "step": shown.open.step, "review": review, "job": job,
            "report": shown.report, "failure": shown.failure,
        })),
        // It was committed or dropped, here or by somebody at a terminal.
        Err(_) => Ok(json!({ "id": kept.id, "file": file, "step": "ended", "review": review, "job": job })),
    }
}

/// `GET /api/v1/imports/{id}/events`: how far reading is, until it has ended.
pub async fn events(who: axum::Extension<Who>, Path(id): Path<String>) -> Result<Response, Problem> {
    let who = who.0;
    let (sender, heard) = tokio::sync::mpsc::channel::<Value>(64);
    let first = blocking({
        let who = who.clone();
        move || {
            let kept = Kept::find(&who, &id)?;
            if let Some((_, job)) = kept.review {
                let sender = sender.clone();
                let spoke = std::sync::Mutex::new(None::<std::time::Instant>);
                who.tenant.engine.subscribe(move |event| {
                    let Event::Job(at) = event else { return !sender.is_closed() };
                    if at.job != job {
                        return !sender.is_closed();
                    }
                    let mut spoke = spoke.lock().unwrap_or_else(|e| e.into_inner());
                    if at.ended || spoke.is_none_or(|then| then.elapsed() >= PACE) {
                        *spoke = Some(std::time::Instant::now());
                        // Whoever reads slowly misses a word on the way, never the end.
                        let told = json!({ "done": at.done, "total": at.total, "ended": at.ended });
                        if sender.try_send(told).is_err() && at.ended {
                            return false;
                        }
                    }
                    !at.ended
                });
            }
            status_of(&who, &kept)
        }
    })
    .await?;
    let over = first["step"] != "reading";
    let begin = json!({ "step": first["step"] });
    let told = stream::unfold((Some(begin), heard, over), |(begin, mut heard, over)| async move {
        let told = match begin {
            Some(begin) => begin,
            None if over => return None,
            None => heard.recv().await?,
        };
        let last = over || told["ended"] == true;
        let line = Line::default().data(told.to_string());
        Some((Ok::<_, Infallible>(line), (None, heard, last)))
    });
    Ok(Sse::new(told).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

#[derive(Deserialize)]
pub struct Agreed {
    /// What it asks is answered with yes.
    #[serde(default)]
    agreed: bool,
}

/// `POST /api/v1/imports/{id}/commit`
pub async fn commit(
    who: axum::Extension<Who>,
    Path(id): Path<String>,
    body: Result<Json<Agreed>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(Agreed { agreed }) = body.map_err(unreadable)?;
    let who = who.0;
    blocking(move || {
        let kept = Kept::find(&who, &id)?;
        let (review, _) = kept.review.ok_or_else(|| Failure::conflict("The file has not been read yet"))?;
        let done = who.engine().run(&CommitReview { review, agreed })?;
        kept.forget(&who.tenant);
        Ok(json!({ "report": done.reply, "seq": done.seq }))
    })
    .await
    .map(Json)
}

/// `DELETE /api/v1/imports/{id}`
pub async fn give_up(who: axum::Extension<Who>, Path(id): Path<String>) -> Result<Response, Problem> {
    let who = who.0;
    blocking(move || {
        let kept = Kept::find(&who, &id)?;
        if let Some((review, _)) = kept.review {
            // What was committed stays; there is no review of it any more.
            let _ = who.engine().run(&DropReview { review });
        }
        kept.forget(&who.tenant);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
