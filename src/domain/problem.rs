//! A rule that a value breaks, told at the field it concerns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Not saved while it stands.
    Error,
    /// Saved once the person says yes (`ack` names the switch that says it).
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Name of the field in the schema.
    pub field: String,
    /// Stable code of the rule, such as `required` or `ACT-02`.
    pub rule: String,
    pub severity: Severity,
    pub message: String,
    pub fix: Option<String>,
    /// Of a conflict: what its author saw, what they want, what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<Sides>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sides {
    pub base: String,
    pub mine: String,
    pub theirs: String,
}

impl Problem {
    pub fn error(field: &str, rule: &str, message: impl Into<String>) -> Problem {
        Problem {
            field: field.to_owned(),
            rule: rule.to_owned(),
            severity: Severity::Error,
            message: message.into(),
            fix: None,
            sides: None,
        }
    }

    pub fn warning(field: &str, rule: &str, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(field, rule, message) }
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Problem {
        self.fix = Some(fix.into());
        self
    }
}
