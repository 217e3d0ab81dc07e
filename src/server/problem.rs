//! What an HTTP client is told when something fails: RFC 9457, with codes that stay.

use crate::domain::problem::Problem as Rule;
use crate::domain::{Failure, FailureKind};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub const CONTENT_TYPE: &str = "application/problem+json";

/// A failure on its way out. The request's id is laid in by the guard.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Never used again for anything else; docs/api.md lists them.
    pub code: &'static str,
    pub detail: String,
    pub hint: Option<String>,
    pub errors: Vec<Rule>,
    pub retry_after_s: Option<u64>,
}

/// All codes, with status and what they mean.
pub const CODES: &[(&str, u16, &str)] = &[
    ("usage", 400, "The request's form is off"),
    ("session_needed", 401, "Sign in first"),
    ("login_wrong", 401, "User, password or code is wrong"),
    ("code_wanted", 401, "A one-time code is wanted"),
    ("step_up_needed", 401, "Prove again who you are"),
    ("denied", 403, "The permission is missing"),
    ("cross_site", 403, "The request came from another site"),
    ("not_found", 404, "There is no such thing, or it is not yours"),
    ("method", 405, "This path does not take that method"),
    ("conflict", 409, "Somebody changed the same thing"),
    ("too_large", 413, "The body is too large"),
    ("media_type", 415, "The body is of another type"),
    ("invalid", 422, "The values break a rule"),
    ("too_many", 429, "Too many attempts or requests; wait"),
    ("internal", 500, "The server failed inside"),
    ("unavailable", 503, "The store cannot be reached right now"),
    ("timeout", 504, "The request took too long"),
    ("disk_full", 507, "The server's disk is full: nothing was saved"),
];

impl Problem {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { code, detail: detail.into(), hint: None, errors: vec![], retry_after_s: None }
    }

    pub fn after(mut self, wait_ms: i64) -> Problem {
        self.retry_after_s = Some((wait_ms.max(0) as u64).div_ceil(1_000));
        self
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        let code = match failure.kind {
            FailureKind::Usage => "usage",
            FailureKind::Invalid | FailureKind::Partial => "invalid",
            FailureKind::NotFound => "not_found",
            FailureKind::Conflict => "conflict",
            FailureKind::Denied => "denied",
            FailureKind::Offline | FailureKind::Interrupted => "unavailable",
            FailureKind::Full => "disk_full",
            FailureKind::Corrupt | FailureKind::Internal => "internal",
        };
        Problem { hint: failure.hint, errors: failure.problems, ..Problem::new(code, failure.message) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let known = CODES.iter().find(|(code, ..)| *code == self.code);
        let (status, title) = known.map_or((500, "The server failed inside"), |(_, s, t)| (*s, *t));
        let mut body = json!({
            "type": format!("/problems/{}", self.code),
            "title": title,
            "status": status,
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(hint) = self.hint {
            body["hint"] = hint.into();
        }
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body.to_string()).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
