//! What activities add up to: months, steps that are due, accounts touched.

use super::{BY_DUE, BY_DUE_GIVEN, ListActivities};
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
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

/// Activities looked through for the accounts touched last and steps without a date.
const RECENT: usize = 500;
/// Types or accounts of a month that are named.
const MAX_SUMS: usize = 100;

/// A month at a glance: sums by type, days, accounts, and working days without entry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SumMonth {
    pub month: Month,
    pub owner: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct MonthSum {
    pub activities: u64,
    pub minutes: i64,
    pub accounts: usize,
    /// (type, minutes, count), most first.
    pub by_type: Vec<(String, i64, u64)>,
    /// The accounts with the most effort, in the same form.
    pub by_account: Vec<(String, i64, u64)>,
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
        let mut accounts: HashMap<Option<Id>, (i64, u64)> = HashMap::new();
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
            for of in [types.entry(id(kind)).or_default(), accounts.entry(id(account)).or_default()] {
                (of.0, of.1) = (of.0 + minutes, of.1 + 1);
            }
            if let Some(date) = date.and_then(codec::picked_date) {
                *days.entry(date).or_default() += minutes;
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(StoreError::from(error).into());
        }
        sum.by_day = days.into_iter().collect();
        sum.accounts = accounts.keys().flatten().count();
        sum.by_type = most(cx, Kind::ActivityType, types)?;
        sum.by_account = most(cx, Kind::Account, accounts)?;
        let end = self.month.last().min(settings.today);
        let days = self.month.first().iter_days().take_while(|d| *d <= end);
        let missing = days.filter(|d| d.weekday().number_from_monday() <= 5 && !sum.by_day.contains_key(d));
        sum.not_logged = missing.collect();
        Ok(sum)
    }
}

/// Named, the most effort first.
fn most(cx: &ReadCx, kind: Kind, sums: HashMap<Option<Id>, (i64, u64)>) -> Outcome<Vec<(String, i64, u64)>> {
    let mut sums: Vec<(Option<Id>, (i64, u64))> = sums.into_iter().collect();
    sums.sort_by_key(|(id, (minutes, count))| (std::cmp::Reverse((*minutes, *count)), *id));
    sums.truncate(MAX_SUMS);
    let name = |id: Option<Id>| match id {
        Some(id) => names::name(cx.reads, kind, id),
        None => Ok("none".into()),
    };
    sums.into_iter().map(|(id, (minutes, count))| Ok((name(id)?, minutes, count))).collect()
}

/// The next steps that are mine up to a day, oldest first: those of my activities that
/// I did not give away, and those given to me.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DueSteps {
    pub until: NaiveDate,
    /// Those of lately that nobody dated, too: at the end.
    #[serde(default)]
    pub undated: bool,
    pub limit: usize,
}

impl Query for DueSteps {
    const NAME: &'static str = "activity.due_steps";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let mut due: Vec<(NaiveDate, Id, crate::changes::Head)> = Vec::new();
        for index in [BY_DUE, BY_DUE_GIVEN] {
            let prefix = IndexKey::new(index).id(settings.me);
            let to = prefix.clone().date(self.until).after();
            let mut ids = Vec::new();
            cx.reads.index(&prefix, &to, false, &mut |id, _| {
                ids.push(id);
                match ids.len() < MAX_LIMIT {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })?;
            for id in ids {
                let Some(head) = cx.reads.head(Kind::Activity, id)? else { continue };
                let given = head.fields.get(&17).is_some_and(|to| *to != Value::Id(settings.me));
                if let (false, Some(Value::Date(date))) = (given, head.fields.get(&13)) {
                    due.push((*date, id, head));
                }
            }
        }
        due.sort_by_key(|(date, id, _)| (*date, *id));
        due.dedup_by_key(|(_, id, _)| *id);
        if self.undated {
            let mine = ListActivities { owner: "me".into(), ..ListActivities::default() };
            for (id, head) in mine.first_rows(cx.reads, &settings, RECENT)? {
                let open = head.fields.contains_key(&12) && !head.fields.contains_key(&13);
                let given = head.fields.get(&17).is_some_and(|to| *to != Value::Id(settings.me));
                if open && !given {
                    due.push((NaiveDate::MAX, id, head));
                }
            }
        }
        due.truncate(self.limit.clamp(1, MAX_LIMIT));
        let mut shower = Shower::new(cx.reads);
        let items = due.iter().map(|(_, id, head)| shower.item(Kind::Activity, *id, head));
        Ok(Page { items: items.collect::<Outcome<Vec<_>>>()?, next: None })
    }
}

/// The accounts I touched last, each with its last activity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
        for (id, head) in list.first_rows(cx.reads, &settings, RECENT)? {
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
