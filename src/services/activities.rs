//! Activities: lists by month and owner, sums, the quick line, default dates.

use crate::changes::codec;
use crate::changes::{Head, hlc};
use crate::domain::quick::{self, QuickLine};
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::services::input::Input;
use crate::services::names::{self, Names};
use crate::services::records::{self, MAX_LIMIT, MAX_PAGE_BYTES, Page, Save, Saved};
use crate::services::show::Shower;
use crate::services::{Command, Query, ReadCx, Settings, WriteCx};
use crate::store::{IndexKey, Reads, StoreError};
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

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

/// Which activities, in date order: date, then created, then id (P-002).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListActivities {
    pub month: Option<Month>,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    /// `me`, `all`, or whoever it names.
    pub owner: String,
    pub account: Option<String>,
    pub project: Option<String>,
    /// Only those with these words in summary, account, project or type.
    pub filter: Option<String>,
    pub oldest_first: bool,
    pub limit: usize,
    pub cursor: Option<String>,
    /// The state as it was at the end of that day.
    pub at: Option<NaiveDate>,
}

impl Query for ListActivities {
    const NAME: &'static str = "activity.list";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let limit = self.limit.clamp(1, MAX_LIMIT);
        let rows = match self.at {
            Some(day) => self.as_of(cx.reads, &settings, day, limit + 1)?,
            None => self.rows(cx.reads, &settings, limit + 1)?,
        };
        let mut shower = Shower::new(cx.reads);
        let mut next = None;
        let mut weight = 0;
        let mut items = Vec::with_capacity(rows.len().min(limit));
        for (place, (key, id, head)) in rows.iter().enumerate() {
            if place == limit || weight > MAX_PAGE_BYTES {
                // The next page starts at this row, included.
                next = Some(hex(key));
                break;
            }
            let mut item = shower.item(Kind::Activity, *id, head)?;
            if let Some(minutes) = item.int("effort_minutes") {
                item.values.insert("hours".into(), serde_json::json!(minutes as f64 / 60.0));
            }
            weight += item.weight();
            items.push(item);
        }
        Ok(Page { items, next })
    }
}

type Row = (Vec<u8>, Id, Head);

impl ListActivities {
    fn bounds(&self) -> (NaiveDate, NaiveDate) {
        let (mut from, mut to) = match self.month {
            Some(month) => (month.first(), month.last()),
            None => (NaiveDate::MIN, NaiveDate::MAX),
        };
        from = self.from.map_or(from, |d| d.max(from));
        to = self.to.map_or(to, |d| d.min(to));
        (from, to)
    }

    fn owner(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<Option<Id>> {
        match self.owner.as_str() {
            "" | "all" => Ok(None),
            "me" => Ok(Some(settings.me)),
            name => names::resolve(reads, Kind::User, name, None).map(Some),
        }
    }

    /// Owner, account and project asked for.
    fn wanted(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<[Option<Id>; 3]> {
        let named = |kind, text: &Option<String>, within| match text {
            Some(text) => names::resolve(reads, kind, text, within).map(Some),
            None => Ok(None),
        };
        let account = named(Kind::Account, &self.account, None)?;
        let project = named(Kind::Project, &self.project, account)?;
        Ok([self.owner(reads, settings)?, account, project])
    }

    /// The narrowest stretch of an index that holds the list.
    fn range(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<(IndexKey, IndexKey)> {
        let [owner, account, project] = self.wanted(reads, settings)?;
        let prefix = match (project, account, owner) {
            (Some(id), _, _) => IndexKey::new(BY_PROJECT).id(id),
            (None, Some(id), _) => IndexKey::new(BY_ACCOUNT).id(id),
            (None, None, Some(id)) => IndexKey::new(BY_OWNER).id(id),
            _ => IndexKey::new(BY_DATE),
        };
        let (first, last) = self.bounds();
        Ok((prefix.clone().date(first), prefix.date(last).after()))
    }

    fn rows(&self, reads: &dyn Reads, settings: &Settings, most: usize) -> Outcome<Vec<Row>> {
        let [owner, account, project] = self.wanted(reads, settings)?;
        let (mut from, mut to) = self.range(reads, settings)?;
        if let Some(cursor) = &self.cursor {
            let key = unhex(cursor).ok_or_else(|| Failure::usage("That cursor is not one of this list"))?;
            if self.oldest_first {
                from = IndexKey(key);
            } else {
                to = IndexKey([key, vec![0]].concat());
            }
        }
        let filter = self.filter.as_deref().map(Filter::new);
        let mut rows = Vec::new();
        let mut failed = None;
        let mut known = HashMap::new();
        reads.index(&from, &to, !self.oldest_first, &mut |id, key| {
            let found = reads.head(Kind::Activity, id).map(Option::unwrap_or_default);
            match found {
                Ok(head) => {
                    let fits = |field, wanted: Option<Id>| {
                        wanted.is_none_or(|w| head.fields.get(&field) == Some(&Value::Id(w)))
                    };
                    let text = filter.as_ref().is_none_or(|f| f.matches(reads, &head.fields, &mut known));
                    if fits(4, owner) && fits(5, account) && fits(6, project) && text {
                        rows.push((key.to_vec(), id, head));
                    }
                }
                Err(error) => failed = Some(error),
            }
            if rows.len() < most && failed.is_none() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(rows),
        }
    }

    /// The same list as it was at the end of a day, replayed from the log.
    fn as_of(
        &self,
        reads: &dyn Reads,
        settings: &Settings,
        day: NaiveDate,
        most: usize,
    ) -> Outcome<Vec<Row>> {
        let end = settings.zone.end_of_day(day);
        let mut seqs = Vec::new();
        let mut failed = None;
        reads.headers(1, false, &mut |seq, bytes| {
            match codec::decode_header(seq, bytes) {
                Ok((record, ..)) if record.received_ms > end => {}
                Ok((record, ..)) if record.change.kind == Kind::Activity => seqs.push(seq),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
            if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if let Some(error) = failed {
            return Err(StoreError::from(error).into());
        }
        let mut heads: HashMap<Id, Head> = HashMap::new();
        for seq in seqs {
            let Some(record) = reads.record(seq)? else { continue };
            let id = record.change.entity;
            for (kind, entity, head) in crate::changes::merge::heads_after(heads.get(&id).cloned(), &record) {
                if kind == Kind::Activity {
                    heads.insert(entity, head);
                }
            }
        }
        let wanted = self.wanted(reads, settings)?;
        let (first, last) = self.bounds();
        let filter = self.filter.as_deref().map(Filter::new);
        let mut known = HashMap::new();
        let mut rows: Vec<Row> = Vec::new();
        for (id, head) in heads.into_iter().filter(|(_, h)| !h.deleted) {
            let Some(Value::Date(date)) = head.fields.get(&2) else { continue };
            let mine = wanted
                .iter()
                .zip([4u16, 5, 6])
                .all(|(id, field)| id.is_none_or(|id| head.fields.get(&field) == Some(&Value::Id(id))));
            if (first..=last).contains(date)
                && mine
                && filter.as_ref().is_none_or(|f| f.matches(reads, &head.fields, &mut known))
            {
                rows.push((IndexKey::new(BY_DATE).date(*date).id(id).0, id, head));
            }
        }
        rows.sort_by(|a, b| if self.oldest_first { a.0.cmp(&b.0) } else { b.0.cmp(&a.0) });
        if let Some(cursor) = self.cursor.as_deref().and_then(unhex) {
            rows.retain(|(key, ..)| if self.oldest_first { *key >= cursor } else { *key <= cursor });
        }
        rows.truncate(most);
        Ok(rows)
    }
}

/// Words that must all be in a row, `-word` ones must not.
struct Filter {
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

impl Filter {
    fn new(text: &str) -> Filter {
        let (mut wanted, mut unwanted) = (vec![], vec![]);
        for word in text.split_whitespace() {
            match word.strip_prefix('-').filter(|w| !w.is_empty()) {
                Some(word) => unwanted.push(text::fold(word)),
                None => wanted.push(text::fold(word)),
            }
        }
        Filter { wanted, unwanted }
    }

    fn matches(&self, reads: &dyn Reads, fields: &Fields, known: &mut HashMap<Id, String>) -> bool {
        let mut whole = String::new();
        for (field, kind) in
            [(1u16, Some(Kind::ActivityType)), (5, Some(Kind::Account)), (6, Some(Kind::Project)), (9, None)]
        {
            match (fields.get(&field), kind) {
                (Some(Value::Text(text)), _) => whole.push_str(&text::fold(text)),
                (Some(Value::Id(id)), Some(kind)) => {
                    let name = known
                        .entry(*id)
                        .or_insert_with(|| text::fold(&names::name(reads, kind, *id).unwrap_or_default()));
                    whole.push_str(name);
                }
                _ => {}
            }
            whole.push('\n');
        }
        self.wanted.iter().all(|w| whole.contains(w)) && !self.unwanted.iter().any(|w| whole.contains(w))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (text.len().is_multiple_of(2) && text.is_ascii())
        .then(|| (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect())
        .flatten()
}

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
        let (from, to) = list.range(cx.reads, &settings)?;
        let mut ids = Vec::new();
        cx.reads.index(&from, &to, false, &mut |id, _| {
            ids.push(id);
            ControlFlow::Continue(())
        })?;
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

/// Reads a quick line without saving anything: the echo under it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadLine {
    pub line: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LineRead {
    pub quick: QuickLine,
    pub echo: Vec<String>,
    /// The date that applies when the line has none, and why.
    pub default_date: NaiveDate,
    pub default_source: String,
}

impl Query for ReadLine {
    const NAME: &'static str = "activity.read_line";
    type Reply = LineRead;

    fn run(&self, cx: &ReadCx) -> Outcome<LineRead> {
        let settings = cx.settings()?;
        let quick = quick::parse(&self.line, settings.today, settings.day_minutes, &Names(cx.reads));
        let project = quick.project.as_ref().map(|p| p.id);
        let (default_date, source) = default_date(cx.reads, &settings, project)?;
        Ok(LineRead { echo: quick::echo(&quick), quick, default_date, default_source: source.to_owned() })
    }
}

/// Logs a quick line; a range logs one activity a day, all or none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogLine {
    pub line: String,
    pub ack: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logged {
    pub saved: Vec<Saved>,
    pub echo: Vec<String>,
}

/// Local state: the last line, for `=`.
const LAST_LINE: &str = "quick/last";

impl Command for LogLine {
    const NAME: &'static str = "activity.log_line";
    type Reply = Logged;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Logged> {
        let settings = cx.settings()?;
        let parse = |line: &str| quick::parse(line, settings.today, settings.day_minutes, &Names(cx.reads()));
        let mut quick = parse(&self.line);
        let mut line = self.line.clone();
        if quick.repeat_last {
            let last = cx.reads().local(LAST_LINE)?.map(|b| String::from_utf8_lossy(&b).into_owned());
            line = last.ok_or_else(|| Failure::invalid("There is no earlier line to repeat"))?;
            quick = quick.over(parse(&line));
        }
        refuse_unclear(&quick)?;
        let mut input = input_of(&quick);
        let mut ack = self.ack.clone();
        if quick.allow_future {
            ack.push("ACT-01".into());
        }
        let mut saved = Vec::new();
        let dates: Vec<Option<NaiveDate>> = match quick.dates.is_empty() {
            true => vec![None],
            false => quick.dates.iter().copied().map(Some).collect(),
        };
        for date in dates {
            if let Some(date) = date {
                input.insert("date".into(), date.to_string());
            }
            let save = Save {
                kind: Kind::Activity,
                id: None,
                input: input.clone(),
                seen_rev: None,
                ack: ack.clone(),
            };
            saved.push(save.run(cx).map_err(|failure| explain(failure, &quick))?);
        }
        cx.batch.set_local(LAST_LINE, Some(line.as_bytes()))?;
        Ok(Logged { saved, echo: quick::echo(&quick) })
    }
}

/// A part is missing because a word before it meant nothing: say which.
fn explain(failure: Failure, quick: &QuickLine) -> Failure {
    let missing = failure.problems.iter().any(|p| p.rule == "ACT-03");
    match quick.summary.split_whitespace().next().filter(|_| missing) {
        Some(word) => {
            failure.hint(format!("\"{word}\" names nothing known, so the line is the summary from there on"))
        }
        None if missing => failure.hint("Write the effort, such as 3h or half"),
        None => failure,
    }
}

fn refuse_unclear(quick: &QuickLine) -> Outcome<()> {
    if let Some(ambiguous) = quick.ambiguous.first() {
        let count = ambiguous.candidates.len();
        let mut failure =
            Failure::invalid(format!("\"{}\" fits {count} {}s", ambiguous.text, ambiguous.part));
        failure.candidates =
            ambiguous.candidates.iter().map(|(id, n)| format!("{n} ({})", id.short())).collect();
        return Err(failure.hint("Write more of the name"));
    }
    if let Some(unknown) = quick.unknown.first() {
        return Err(Failure::not_found(format!(
            "{unknown} is not understood: no such use case, project, date or effort"
        ))
        .hint("Put a : before the summary if it belongs there"));
    }
    if quick.activity_type.is_none() {
        return Err(Failure::invalid("The line does not say what kind of work it was")
            .hint("Begin with a type: `demo acme 3h yesterday`; `pams type list` shows them"));
    }
    Ok(())
}

/// The line as the input of the form.
pub fn input_of(quick: &QuickLine) -> Input {
    let mut input = Input::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            input.insert(name.to_owned(), value);
        }
    };
    let id = |named: &Option<quick::Named>| named.as_ref().map(|n| n.id.to_string()).unwrap_or_default();
    put("type", id(&quick.activity_type));
    put("account", id(&quick.account));
    put("project", id(&quick.project));
    put("effort", quick.effort.map(|m| format!("{m}m")).unwrap_or_default());
    put("use_cases", quick.use_cases.iter().map(|u| u.id.to_string()).collect::<Vec<_>>().join(","));
    put("participants", quick.participants.join(","));
    put("next_step", quick.next_step.clone());
    put("next_due", quick.next_due.map(|d| d.to_string()).unwrap_or_default());
    put("summary", quick.summary.clone());
    input
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
        for (_, id, head) in list.rows(cx.reads, &settings, 500)? {
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

/// When an activity was logged, for notices.
pub fn logged_at(reads: &dyn Reads, id: Id) -> Outcome<Option<i64>> {
    let first = reads.history(Kind::Activity, id)?.first().copied();
    Ok(match first {
        Some(seq) => reads.record(seq)?.map(|r| hlc::unix_ms(r.change.hlc)),
        None => None,
    })
}

/// Sets one field of many activities in one step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaveMany {
    pub ids: Vec<Id>,
    pub input: Input,
    pub ack: Vec<String>,
}

impl Command for SaveMany {
    const NAME: &'static str = "activity.save_many";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        for id in &self.ids {
            let save = Save {
                kind: Kind::Activity,
                id: Some(*id),
                input: self.input.clone(),
                seen_rev: None,
                ack: self.ack.clone(),
            };
            save.run(cx)?;
        }
        Ok(self.ids.len())
    }
}

/// Deletes activities in one step; undo brings them back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeleteMany {
    pub which: Vec<String>,
}

impl Command for DeleteMany {
    const NAME: &'static str = "activity.delete";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        for which in &self.which {
            let id = names::resolve(cx.reads(), Kind::Activity, which, None)?;
            let head = records::live(cx.reads(), Kind::Activity, id)?;
            cx.delete(Kind::Activity, id, &head.fields)?;
        }
        Ok(self.which.len())
    }
}
