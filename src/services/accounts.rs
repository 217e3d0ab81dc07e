//! An account at a glance: its projects, what was done for it, what was won and lost.

use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Outcome, text};
use crate::services::activities::ListActivities;
use crate::services::records::{MAX_LIMIT, live};
use crate::services::show::{Item, Shower};
use crate::services::{Query, ReadCx, each_record, names};
use crate::store::IndexKey;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

const PROJECTS: u8 = 21;
const ACTIVITIES: u8 = 101;
const WINS: u8 = 60;
/// Activities shown, the newest first.
const RECENT: usize = 12;
/// Wins and losses shown, the newest first, and how many months back they are looked for.
const MAX_WINS: usize = 20;
const MONTHS: i32 = 24;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowAccount {
    pub which: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct AccountShown {
    pub item: Item,
    pub projects: Vec<Item>,
    pub recent: Vec<Item>,
    /// Of the last two years.
    pub wins: Vec<Item>,
    /// All activities ever.
    pub activities: u64,
    pub last: Option<NaiveDate>,
    /// Days since the last activity.
    pub quiet_days: Option<i64>,
}

impl Query for ShowAccount {
    const NAME: &'static str = "account.show";
    type Reply = AccountShown;

    fn run(&self, cx: &ReadCx) -> Outcome<AccountShown> {
        let settings = cx.settings()?;
        let id = names::resolve(cx.reads, Kind::Account, &self.which, None)?;
        let head = live(cx.reads, Kind::Account, id)?;
        let mut shower = Shower::new(cx.reads);
        let mut shown =
            AccountShown { item: shower.item(Kind::Account, id, &head)?, ..AccountShown::default() };
        for project in cx.reads.index_ids(IndexKey::new(PROJECTS).id(id), MAX_LIMIT)? {
            if let Some(head) = cx.reads.head(Kind::Project, project)?.filter(|h| !h.deleted) {
                shown.projects.push(shower.item(Kind::Project, project, &head)?);
            }
        }
        shown.projects.sort_by_key(|p| (p.flag("archived"), text::fold(&p.text("name"))));
        let recent = ListActivities { account: Some(id.to_string()), ..ListActivities::default() };
        for (activity, head) in recent.first_rows(cx.reads, &settings, RECENT)? {
            shown.recent.push(shower.item(Kind::Activity, activity, &head)?);
        }
        let prefix = IndexKey::new(ACTIVITIES).id(id);
        cx.reads.index(&prefix, &prefix.clone().after(), false, &mut |_, _| {
            shown.activities += 1;
            ControlFlow::Continue(())
        })?;
        shown.last = shown.recent.first().and_then(|item| item.text("date").parse().ok());
        shown.quiet_days = shown.last.map(|last| (settings.today - last).num_days()).filter(|n| *n > 0);
        let month = Month::of(settings.today);
        let (from, of) = (month.plus(-MONTHS), IndexKey::new(WINS));
        let range = (of.clone().int(from.number()), of.after());
        each_record(cx.reads, Kind::Win, (&range.0, &range.1), true, &mut |win, head| {
            if head.fields.get(&2) == Some(&Value::Id(id)) {
                shown.wins.push(shower.item(Kind::Win, win, &head)?);
            }
            let more = shown.wins.len() < MAX_WINS;
            Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(shown)
    }
}
