//! What activities add up to: months, steps that are due, accounts touched.

use super::{BY_DUE, ListActivities};
use crate::changes::codec;
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Id, Outcome};
use crate::services::names;
use crate::services::records::{MAX_LIMIT, Page};
use crate::services::show::Shower;
use crate::services::{Query, ReadCx};
use crate::store::{IndexKey, StoreError};
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

/// Activities looked through for the accounts touched last.
const RECENT: usize = 500;

/// A month at a glance: sums by type, days, accounts, and working days without entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SumMonth {
    pub month: Month,
    pub owner: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MonthSum {
    pub activities: u64,
    pub minutes: i64,
    pub accounts: usize,
    /// (type, minutes, count), most first.
    pub by_type: Vec<(String, i64, u64)>,
    /// Working days up to today without an activity.
    pub not_logged: Vec<NaiveDate>,
    /// Minutes a day.
    pub by_day: BTreeMap<NaiveDate, i64>,
}

impl Query for SumMonth {
    const NAME: &'static str = "activity.sum_month";
    type Reply = MonthSum;

    fn run(&self, cx: &ReadCx) -> Outcome<MonthSum> {
        let settings = cx.settings()?;
        let list = ListActivities {
            month: Some(self.month),
            owner: self.owner.clone(),
            ..ListActivities::default()
        };
        let mut ids = list.ids(cx.reads, &settings)?;
        let mut sum = MonthSum { activities: ids.len() as u64, ..MonthSum::default() };
        ids.sort_unstable();
        let mut accounts = HashSet::new();
        let mut types: HashMap<Option<Id>, (i64, u64)> = HashMap::new();
        let mut days: HashMap<NaiveDate, i64> = HashMap::new();
        let mut failed = None;
        // A month may hold 50,000: only the four fields that count are read.
        cx.reads.heads_of(Kind::Activity, &ids, &mut |_, bytes| {
            let [kind, date, effort, account] = match codec::pick(bytes, [1, 2, 3, 5]) {
                Ok(values) => values,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let id = |value: Option<&[u8]>| value.and_then(codec::picked_id);
            let minutes = effort.and_then(codec::picked_int).unwrap_or(0);
            sum.minutes += minutes;
            accounts.extend(id(account));
            let of_type = types.entry(id(kind)).or_default();
            (of_type.0, of_type.1) = (of_type.0 + minutes, of_type.1 + 1);
            if let Some(date) = date.and_then(codec::picked_date) {
                *days.entry(date).or_default() += minutes;
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(StoreError::from(error).into());
        }
        sum.by_day = days.into_iter().collect();
        sum.accounts = accounts.len();
        for (id, (minutes, count)) in types {
            let name = match id {
                Some(id) => names::name(cx.reads, Kind::ActivityType, id)?,
                None => "none".into(),
            };
            sum.by_type.push((name, minutes, count));
        }
        sum.by_type.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        let end = self.month.last().min(settings.today);
        let days = self.month.first().iter_days().take_while(|d| *d <= end);
        let missing = days.filter(|d| d.weekday().number_from_monday() <= 5 && !sum.by_day.contains_key(d));
        sum.not_logged = missing.collect();
        Ok(sum)
    }
}

/// My next steps that are due up to a day, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DueSteps {
    pub until: NaiveDate,
    pub limit: usize,
}

impl Query for DueSteps {
    const NAME: &'static str = "activity.due_steps";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let prefix = IndexKey::new(BY_DUE).id(settings.me);
        let to = prefix.clone().date(self.until).after();
        let mut ids = Vec::new();
        cx.reads.index(&prefix, &to, false, &mut |id, _| {
            ids.push(id);
            if ids.len() < self.limit.clamp(1, MAX_LIMIT) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        let mut shower = Shower::new(cx.reads);
        let mut items = Vec::new();
        for id in ids {
            if let Some(head) = cx.reads.head(Kind::Activity, id)? {
                items.push(shower.item(Kind::Activity, id, &head)?);
            }
        }
        Ok(Page { items, next: None })
    }
}

/// The accounts I touched last, each with its last activity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastTouched {
    pub limit: usize,
}

impl Query for LastTouched {
    const NAME: &'static str = "activity.last_touched";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let list = ListActivities { owner: "me".into(), ..ListActivities::default() };
        let mut seen = BTreeSet::new();
        let mut shower = Shower::new(cx.reads);
        let mut items = Vec::new();
        for (id, head) in list.first(cx.reads, &settings, RECENT)? {
            if let Some(Value::Id(account)) = head.fields.get(&5)
                && seen.insert(*account)
                && items.len() < self.limit
            {
                items.push(shower.item(Kind::Activity, id, &head)?);
            }
        }
        Ok(Page { items, next: None })
    }
}
