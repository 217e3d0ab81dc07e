//! Activities in date order: pages, counts, sums over all that match.

use super::{BY_ACCOUNT, BY_DATE, BY_OWNER, BY_PROJECT};
use crate::changes::Head;
use crate::changes::codec;
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome};
use crate::services::names;
use crate::services::records::{MAX_LIMIT, MAX_PAGE_BYTES, Page};
use crate::services::search::Search;
use crate::services::show::Shower;
use crate::services::{Query, ReadCx, Settings};
use crate::store::{IndexKey, Reads, StoreError};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Index entries whose records are looked up together: the first few fill a screen,
/// the later ones are many, so that neighbours in the store are read in one walk.
const FIRST_STRETCH: usize = 256;
const STRETCH: usize = 16_384;

/// Which activities, in date order: date, then created, then id (P-002).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListActivities {
    pub month: Option<Month>,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    /// `me`, `all`, or whoever it names.
    pub owner: String,
    pub account: Option<String>,
    pub project: Option<String>,
    /// What is looked for, see [`Search`].
    pub filter: Option<String>,
    pub oldest_first: bool,
    pub limit: usize,
    /// Where the page starts: `next` of the page before, or a row's id. That row is in.
    pub cursor: Option<String>,
    /// Entries looked at before the page ends short, its `next` telling where; 0: all.
    #[serde(default)]
    pub scan: usize,
    /// The state as it was at the end of that day.
    pub at: Option<NaiveDate>,
}

impl Query for ListActivities {
    const NAME: &'static str = "activity.list";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let limit = self.limit.clamp(1, MAX_LIMIT);
        let (rows, mut next) = match self.at {
            Some(day) => (self.as_of(cx.reads, &settings, day, limit + 1)?, None),
            None => self.rows(cx.reads, &settings, limit + 1)?,
        };
        let mut shower = Shower::new(cx.reads);
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
/// Gets key, id and, where it was read, the stored head of a row.
type Visit<'a> = &'a mut dyn FnMut(&[u8], Id, Option<&[u8]>) -> Outcome<ControlFlow<()>>;

/// A list made ready: its stretch of an index, and what each row must be.
struct Prepared {
    from: IndexKey,
    to: IndexKey,
    dates: std::ops::RangeInclusive<NaiveDate>,
    search: Search,
    /// Owner, account and project.
    wanted: [Option<Id>; 3],
    /// The stretch holds what is wanted and nothing else.
    exact: bool,
}

impl ListActivities {
    /// Owner, account and project asked for.
    fn wanted(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<[Option<Id>; 3]> {
        let named = |kind, text: &Option<String>, within| match text {
            Some(text) => names::resolve(reads, kind, text, within).map(Some),
            None => Ok(None),
        };
        let owner = match self.owner.as_str() {
            "" | "all" => None,
            "me" => Some(settings.me),
            name => Some(names::resolve(reads, Kind::User, name, None)?),
        };
        let account = named(Kind::Account, &self.account, None)?;
        let project = named(Kind::Project, &self.project, account)?;
        Ok([owner, account, project])
    }

    fn prepare(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<Prepared> {
        let mut search = Search::parse(reads, settings, self.filter.as_deref().unwrap_or_default())?;
        let [owner, account, project] = self.wanted(reads, settings)?;
        let month = self.month.map(|m| (m.first(), m.last()));
        let first = [month.map(|m| m.0), self.from, search.from].into_iter().flatten().max();
        let last = [month.map(|m| m.1), self.to, search.to].into_iter().flatten().min();
        let (first, last) = (first.unwrap_or(NaiveDate::MIN), last.unwrap_or(NaiveDate::MAX));
        let (of_project, of_account) = (project.or(search.only(6)), account.or(search.only(5)));
        let of_owner = owner.or(search.only(4));
        // The narrowest stretch of an index that holds the list.
        let prefix = match (of_project, of_account, of_owner) {
            (Some(id), _, _) => IndexKey::new(BY_PROJECT).id(id),
            (None, Some(id), _) => IndexKey::new(BY_ACCOUNT).id(id),
            (None, None, Some(id)) => IndexKey::new(BY_OWNER).id(id),
            _ => IndexKey::new(BY_DATE),
        };
        let mut range = (prefix.clone().date(first), prefix.clone().date(last).after());
        if first > last {
            range.1 = range.0.clone();
        }
        if let Some(cursor) = &self.cursor {
            let key = match cursor.parse::<Id>() {
                Ok(id) => {
                    let head = reads.head(Kind::Activity, id)?.unwrap_or_default();
                    let Some(Value::Date(date)) = head.fields.get(&2) else {
                        return Err(Failure::not_found(format!("There is no activity {}", id.short())));
                    };
                    prefix.date(*date).id(id).0
                }
                Err(_) => {
                    unhex(cursor).ok_or_else(|| Failure::usage("That cursor is not one of this list"))?
                }
            };
            match self.oldest_first {
                true => range.0 = IndexKey(key),
                false => range.1 = IndexKey([key, vec![0]].concat()),
            }
        }
        let told = usize::from(of_project.is_some()) + usize::from(of_account.is_some());
        let one = told + usize::from(of_owner.is_some()) <= 1;
        if one && self.filter.as_deref().is_none_or(|f| f.trim().is_empty()) {
            search = Search::default();
        }
        let exact = one && search.is_open();
        let wanted = [owner, account, project];
        Ok(Prepared { from: range.0, to: range.1, dates: first..=last, search, wanted, exact })
    }

    /// Visits the rows that fit, as key, id and stored head, in order, until `visit`
    /// stops or the scan is used up; the key where the next one starts, if there is one.
    fn walk(&self, reads: &dyn Reads, mut list: Prepared, visit: Visit) -> Outcome<Option<Vec<u8>>> {
        let mut looked = 0;
        let mut stretch = FIRST_STRETCH;
        loop {
            let mut entries: Vec<(Vec<u8>, Id)> = Vec::with_capacity(stretch.min(1_024));
            let mut next = None;
            reads.index(&list.from, &list.to, !self.oldest_first, &mut |id, key| {
                if entries.len() == stretch {
                    next = Some(key.to_vec());
                    return ControlFlow::Break(());
                }
                entries.push((key.to_vec(), id));
                ControlFlow::Continue(())
            })?;
            looked += entries.len();
            let kept = if list.exact { None } else { Some(fitting(reads, &mut list, &entries)?) };
            for (key, id) in &entries {
                let head = match &kept {
                    None => None,
                    Some(kept) => match kept.get(id) {
                        Some(head) => Some(head.as_slice()),
                        None => continue,
                    },
                };
                if visit(key, *id, head)?.is_break() {
                    return Ok(None);
                }
            }
            let Some(next) = next else { return Ok(None) };
            if self.scan > 0 && looked >= self.scan {
                return Ok(Some(next));
            }
            match self.oldest_first {
                true => list.from = IndexKey(next),
                false => list.to = IndexKey([next, vec![0]].concat()),
            }
            stretch = STRETCH;
        }
    }

    fn rows(
        &self,
        reads: &dyn Reads,
        settings: &Settings,
        most: usize,
    ) -> Outcome<(Vec<Row>, Option<String>)> {
        let list = self.prepare(reads, settings)?;
        let mut rows = Vec::new();
        let next = self.walk(reads, list, &mut |key, id, head| {
            let head = match head {
                Some(bytes) => codec::decode_head(bytes).map_err(StoreError::from)?,
                None => reads.head(Kind::Activity, id)?.unwrap_or_default(),
            };
            rows.push((key.to_vec(), id, head));
            Ok(if rows.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok((rows, next.map(|key| hex(&key))))
    }

    /// The ids of all that match.
    pub(super) fn ids(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<Vec<Id>> {
        let list = self.prepare(reads, settings)?;
        let mut ids = Vec::new();
        self.walk(reads, list, &mut |_, id, _| {
            ids.push(id);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(ids)
    }

    /// The first rows of the list, decoded.
    pub fn first_rows(
        &self,
        reads: &dyn Reads,
        settings: &Settings,
        most: usize,
    ) -> Outcome<Vec<(Id, Head)>> {
        let (rows, _) = self.rows(reads, settings, most)?;
        Ok(rows.into_iter().map(|(_, id, head)| (id, head)).collect())
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
        let mut list = ListActivities { cursor: None, ..self.clone() }.prepare(reads, settings)?;
        let mut rows: Vec<Row> = Vec::new();
        for (id, head) in heads.into_iter().filter(|(_, h)| !h.deleted) {
            let Some(Value::Date(date)) = head.fields.get(&2) else { continue };
            if list.dates.contains(date) && list.fits(reads, id, &codec::encode_head(&head))? {
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

impl Prepared {
    fn fits(&mut self, reads: &dyn Reads, id: Id, head: &[u8]) -> Outcome<bool> {
        let picked = codec::pick(head, [4, 5, 6]).map_err(StoreError::from)?;
        let wanted = self.wanted.iter().zip(picked);
        let named = wanted.into_iter().all(|(wanted, value)| {
            wanted.is_none_or(|wanted| value.and_then(codec::picked_id) == Some(wanted))
        });
        Ok(named && (self.search.is_open() || self.search.matches(reads, id, head)?))
    }
}

/// The stored heads of the entries that fit, by id. They are read in the order they
/// are stored in, which is far cheaper than one by one.
fn fitting(
    reads: &dyn Reads,
    list: &mut Prepared,
    entries: &[(Vec<u8>, Id)],
) -> Outcome<HashMap<Id, Vec<u8>>> {
    let mut ids: Vec<Id> = entries.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    let (mut kept, mut failed) = (HashMap::new(), None);
    reads.heads_of(Kind::Activity, &ids, &mut |id, bytes| {
        match list.fits(reads, id, bytes) {
            Ok(true) => drop(kept.insert(id, bytes.to_vec())),
            Ok(false) => {}
            Err(failure) => failed = Some(failure),
        }
        if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match failed {
        Some(failure) => Err(failure),
        None => Ok(kept),
    }
}

/// How many match, a stretch at a time: `list.cursor` and `list.scan` say which.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CountActivities {
    pub list: ListActivities,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityCount {
    pub count: u64,
    /// Effort in minutes; of a list without any condition it is not summed.
    pub minutes: Option<i64>,
    pub next: Option<String>,
}

impl Query for CountActivities {
    const NAME: &'static str = "activity.count";
    type Reply = ActivityCount;

    fn run(&self, cx: &ReadCx) -> Outcome<ActivityCount> {
        let settings = cx.settings()?;
        let list = self.list.prepare(cx.reads, &settings)?;
        let (mut count, mut minutes) = (0, if list.exact { None } else { Some(0) });
        let next = self.list.walk(cx.reads, list, &mut |_, _, head| {
            count += 1;
            if let (Some(minutes), Some(head)) = (&mut minutes, head) {
                let [effort] = codec::pick(head, [3]).map_err(StoreError::from)?;
                *minutes += effort.and_then(codec::picked_int).unwrap_or(0);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(ActivityCount { count, minutes, next: next.map(|key| hex(&key)) })
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
