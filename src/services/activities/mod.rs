//! Activities: lists by month and owner, sums, the quick line, default dates.

mod bulk;
mod line;
mod list;
mod sums;

pub use bulk::*;
pub use line::*;
pub use list::*;
pub use sums::*;

use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::{Id, Outcome};
use crate::services::Settings;
use crate::store::Reads;
use chrono::NaiveDate;

const BY_OWNER: u8 = 100;
const BY_DATE: u8 = 110;
const BY_ACCOUNT: u8 = 101;
const BY_PROJECT: u8 = 102;
const BY_DUE: u8 = 103;

/// The date a new activity starts with (P-001): my last on this project, else my last,
/// else today; never a future one.
pub fn default_date(
    reads: &dyn Reads,
    settings: &Settings,
    project: Option<Id>,
) -> Outcome<(NaiveDate, &'static str)> {
    let past = |value: Option<Value>| match value {
        Some(Value::Date(date)) if date <= settings.today => Some(date),
        _ => None,
    };
    if let Some(project) = project
        && let Some(date) = past(reads.latest(Kind::Activity, 1, &[settings.me, project])?)
    {
        return Ok((date, "last logged on this project"));
    }
    if let Some(date) = past(reads.latest(Kind::Activity, 0, &[settings.me])?) {
        return Ok((date, "last logged"));
    }
    Ok((settings.today, "today"))
}
