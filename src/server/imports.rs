//! A workbook of wins over HTTP: one request that uploads, reads, checks and commits, or
//! with `dry_run` says what it would do.

use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind};
use crate::engine::{Door, files};
use crate::server::Problem;
use crate::server::guard::Who;
use crate::server::routes::MAX_FILE;
use crate::server::state::blocking;
use crate::services::imports::{CommitReview, DropReview, Options, ShowReview, Target};
use axum::Json;
use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;
use axum::response::{IntoResponse, Response};
use serde_json::json;

fn unreadable(error: MultipartError) -> Problem {
    match error.status().as_u16() {
        413 => Problem::new("too_large", format!("A file may have {} MB", MAX_FILE >> 20)),
        _ => Problem::new("usage", error.body_text()),
    }
}

#[derive(Default)]
struct Upload {
    file: Option<(String, Vec<u8>)>,
    month: Option<Month>,
    dry_run: bool,
    append: bool,
}

async fn read(mut parts: Multipart) -> Result<Upload, Problem> {
    let mut upload = Upload::default();
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let flag = |text: &str| matches!(text, "true" | "1" | "yes" | "on");
        match name.as_str() {
            "file" => {
                let file = part.file_name().unwrap_or("upload.xlsx").to_owned();
                upload.file = Some((file, part.bytes().await.map_err(unreadable)?.to_vec()));
            }
            "dry_run" => upload.dry_run = flag(&part.text().await.map_err(unreadable)?),
            "append" => upload.append = flag(&part.text().await.map_err(unreadable)?),
            "month" => {
                let text = part.text().await.map_err(unreadable)?;
                let month = Month::parse(&text).map_err(|e| Problem::new("invalid", e))?;
                upload.month = Some(month);
            }
            other => return Err(Problem::new("invalid", format!("There is no field {other}"))),
        }
    }
    Ok(upload)
}

pub async fn wins(
    who: axum::Extension<Who>,
    parts: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<Response, Problem> {
    let parts = parts.map_err(|e| Problem::new("media_type", e.body_text()))?;
    let upload = read(parts).await?;
    let (name, bytes) = upload.file.ok_or_else(|| Problem::new("usage", "The field \"file\" is missing"))?;
    let who = who.0;
    let answer = blocking(move || {
        let engine = who.engine();
        // Who uploads over HTTP has nobody to answer questions: what replaces is agreed.
        let options =
            Options { month: upload.month, append: upload.append, agreed: true, ..Options::default() };
        let started = files::review(&engine, Target::Wins, name, &bytes, options)?;
        let done = (|| {
            who.tenant.engine.wait_for(started.job, |_| {})?;
            let shown = engine.ask(&ShowReview { review: started.review })?;
            let report = match (shown.report, shown.failure) {
                (Some(report), _) => report,
                (None, Some(failure)) => return Err(failure),
                (None, None) => return Err(Failure::internal("The file was not read")),
            };
            if let Some(refusal) = report.refusal() {
                return Err(refusal);
            }
            if upload.dry_run {
                return Ok(json!({ "dry_run": true, "report": report }));
            }
            let committed = engine.run(&CommitReview { review: started.review, agreed: false })?;
            Ok(json!({
                "dry_run": false, "import": started.review, "report": report, "committed": committed.reply,
            }))
        })();
        // What somebody else imported meanwhile is left for a person to look at.
        let overtaken = matches!(&done, Err(failure) if failure.kind == FailureKind::Conflict);
        if upload.dry_run || done.is_err() && !overtaken {
            let _ = engine.run(&DropReview { review: started.review });
        }
        done
    });
    Ok(Json(answer.await?).into_response())
}
