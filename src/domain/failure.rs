//! The one error that reaches a person: what failed, in their words, and what to
//! do next. Each face maps the kind: exit code (cli), colour and place (tui),
//! RFC 9457 problem (server).

use crate::domain::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Result of everything a face asks for.
pub type Outcome<T> = Result<T, Failure>;

/// Why a request failed; the exit codes are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureKind {
    /// The words of the call are off.
    Usage,
    /// The values break a rule; `problems` says which.
    Invalid,
    NotFound,
    /// Somebody changed the same thing, or the name is ambiguous.
    Conflict,
    Denied,
    Offline,
    /// Part of the work was done; the rest is listed.
    Partial,
    /// Stored data fails its checks.
    Corrupt,
    Interrupted,
    /// The disk is full: nothing was saved.
    Full,
    Internal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
    /// What the person can do next.
    pub hint: Option<String>,
    /// Field by field, for forms and `--json`.
    pub problems: Vec<Problem>,
    /// Candidates when a name fits several things.
    pub candidates: Vec<String>,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), hint: None, problems: vec![], candidates: vec![] }
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Usage, message)
    }

    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Invalid, message)
    }

    pub fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::NotFound, message)
    }

    pub fn conflict(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Conflict, message)
    }

    pub fn internal(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Internal, message)
    }

    /// The field problems as one failure; the message names the first.
    pub fn from_problems(problems: Vec<Problem>) -> Failure {
        let message = match problems.as_slice() {
            [] => "The entry breaks a rule".to_owned(),
            [one] => one.message.clone(),
            [first, rest @ ..] => format!("{} ({} more)", first.message, rest.len()),
        };
        let hint = problems.iter().find_map(|p| p.fix.clone());
        Failure { problems, hint, ..Failure::invalid(message) }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    pub fn exit_code(&self) -> i32 {
        match self.kind {
            FailureKind::Internal | FailureKind::Full => 1,
            FailureKind::Usage => 2,
            FailureKind::Invalid => 3,
            FailureKind::NotFound => 4,
            FailureKind::Conflict => 5,
            FailureKind::Denied => 6,
            FailureKind::Offline => 7,
            FailureKind::Partial => 8,
            FailureKind::Corrupt => 9,
            FailureKind::Interrupted => 130,
        }
    }
}

/// An error of the operating system in words, without its number.
pub fn said(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
