//! Activities: lists by month and owner, sums, the quick line, default dates.

mod bulk;
mod line;
mod list;
mod note;
mod sums;

pub use bulk::*;
pub use line::*;
pub use list::*;
pub use note::*;
pub use sums::*;

use crate::domain::effort::show_effort;
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::when::show_day;
use crate::domain::{Fields, Id, Outcome};
use crate::services::Settings;
use crate::store::{IndexKey, Reads};
use chrono::NaiveDate;

const BY_OWNER: u8 = 100;
const BY_DATE: u8 = 110;
const BY_ACCOUNT: u8 = 101;
const BY_PROJECT: u8 = 102;
const BY_DUE: u8 = 103;
const BY_DUE_GIVEN: u8 = 104;
/// Activities of one day and person that are added up.
const MAX_OF_DAY: usize = 200;

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

/// What to say of a day that has more in it than a day holds.
pub fn long_day(reads: &dyn Reads, settings: &Settings, fields: &Fields) -> Outcome<Option<String>> {
    let (Some(Value::Date(date)), Some(Value::Id(owner)), Some(Value::Int(_))) =
        (fields.get(&2), fields.get(&4), fields.get(&3))
    else {
        return Ok(None);
    };
    let prefix = IndexKey::new(BY_OWNER).id(*owner).date(*date);
    let mut minutes = 0;
    for id in reads.index_ids(prefix, MAX_OF_DAY)? {
        if let Some(Value::Int(effort)) = reads.fields(Kind::Activity, id)?.and_then(|f| f.get(&3).cloned()) {
            minutes += effort;
        }
    }
    let (day, holds) = (show_day(*date), show_effort(settings.day_minutes));
    Ok((minutes > settings.day_minutes)
        .then(|| format!("{day} now has {}, a day holds {holds}", show_effort(minutes))))
}
