//! The dashboard: how many rows of each month are where, of whom, of what type, and why they
//! wait. rows read = promoted + kept as draft + merged + rejected.

use super::choices::{Fate, Rules, Standing};
use super::judged::{Judge, Judged, Verdict};
use super::meanings::lack;
use super::staged::{Staged, batches};
use crate::changes::codec;
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Id, Outcome};
use crate::intake::bulk::legacy::flag;
use crate::services::{Query, ReadCx, Settings, names};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A batch of legacy activities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loaded {
    pub id: Id,
    pub file: String,
    pub by: String,
    pub at: String,
    /// "draft", or "finished"
    pub state: String,
    pub rows: usize,
}

/// What was loaded, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListMigrations {
    /// With those that are finished.
    pub all: bool,
}

impl Query for ListMigrations {
    const NAME: &'static str = "migration.list";
    type Reply = Vec<Loaded>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Loaded>> {
        let settings = cx.settings()?;
        let mut found = Vec::new();
        for (id, batch) in batches(cx.reads)?.into_iter().rev() {
            if self.all || batch.state == "draft" {
                let counts: serde_json::Value = serde_json::from_slice(&batch.counts).unwrap_or_default();
                let rows = counts["rows"].as_u64().unwrap_or(0) as usize;
                found.push(loaded(cx.reads, &settings, id, &batch, rows)?);
            }
        }
        Ok(found)
    }
}

fn loaded(
    reads: &dyn Reads,
    settings: &Settings,
    id: Id,
    batch: &crate::domain::schema::Batch,
    rows: usize,
) -> Outcome<Loaded> {
    let by = batch.by.map(|by| names::name(reads, Kind::User, by)).transpose()?.unwrap_or_default();
    let at = settings.zone.stamp(id.unix_ms() as i64);
    Ok(Loaded { id, file: batch.file.clone(), by, at, state: batch.state.clone(), rows })
}

/// Where the rows of a month are: rows = drafts + promoted + merged + rejected; drafts =
/// ready + waits + near + same + repeats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MonthTally {
    pub month: String,
    /// "draft", "confirmed", "promoted" or "rolled back"
    pub state: String,
    pub rows: usize,
    pub drafts: usize,
    pub ready: usize,
    pub waits: usize,
    /// Like a live activity: somebody has to choose.
    pub near: usize,
    /// Live already, or said by another row: a promotion merges them.
    pub same: usize,
    pub repeats: usize,
    pub promoted: usize,
    pub merged: usize,
    pub rejected: usize,
    /// Why rows wait → rows; a row may lack several things.
    pub lacks: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    pub loaded: Loaded,
    pub rules: Rules,
    /// Rows of the file that are no activity: no day, blank, a header, a total.
    pub unread: usize,
    /// Code → rows, of what the reading found.
    pub faults: BTreeMap<String, usize>,
    pub months: Vec<MonthTally>,
    pub total: MonthTally,
    /// Drafts by owner and by type, the most first.
    pub owners: Vec<(String, usize)>,
    pub types: Vec<(String, usize)>,
    /// Live activities were looked at for duplicates.
    pub compared: bool,
    pub equation: String,
}

/// How far a migration is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CountMigration {
    pub which: String,
    /// Look at live activities for duplicates too, which takes longer where there are many.
    pub compare: bool,
    /// Only this month.
    #[serde(default)]
    pub month: Option<Month>,
}

/// Owners and types that are listed.
const LISTED: usize = 200;

impl Query for CountMigration {
    const NAME: &'static str = "migration.counts";
    type Reply = Counted;

    fn run(&self, cx: &ReadCx) -> Outcome<Counted> {
        let judge = Judge::open(cx.reads, cx.settings()?, &self.which)?;
        count(&judge, self.compare, self.month)
    }
}

pub fn count(judge: &Judge, compare: bool, only: Option<Month>) -> Outcome<Counted> {
    let staged = &judge.staged;
    let mut months: BTreeMap<Month, (Standing, MonthTally)> = BTreeMap::new();
    for month in staged.months().into_keys().filter(|month| only.is_none_or(|only| only == *month)) {
        let standing = Standing::load(staged.reads, staged.id, month)?;
        let tally = MonthTally { month: month.to_string(), ..MonthTally::default() };
        months.insert(month, (standing, tally));
    }
    let mut counted = Counted { rules: judge.rules.clone(), compared: compare, ..Counted::default() };
    let (owners, types) = estimate(judge, &mut months)?;
    counted.owners = listed(judge, 0, owners)?;
    counted.types = listed(judge, 3, types)?;
    for (month, (standing, mut tally)) in months {
        let decided = !standing.fates.is_empty() || !standing.choices.is_empty();
        if decided || compare && tally.ready > 0 && judge.has_live(month)? {
            tally = judged(judge, month, &standing, compare)?;
        }
        add(&mut counted.total, &tally);
        counted.months.push(MonthTally { month: month.to_string(), state: standing.state, ..tally });
    }
    let tally = &staged.manifest.tally;
    // What has no day is of no month.
    if only.is_none() {
        counted.unread = (tally.held + tally.blank + tally.headers + tally.totals) as usize;
        counted.faults = tally.faults.iter().map(|(code, rows)| (code.clone(), *rows as usize)).collect();
    }
    let total = &mut counted.total;
    total.rejected += counted.unread;
    total.rows += counted.unread;
    counted.equation = format!(
        "{} rows = {} promoted + {} drafts + {} merged + {} rejected",
        total.rows, total.promoted, total.drafts, total.merged, total.rejected
    );
    let rows = total.rows;
    counted.loaded = loaded(staged.reads, &judge.settings, staged.id, &staged.batch, rows)?;
    Ok(counted)
}

/// Names of what was counted by text, the most first; what nobody knows is told as it is
/// written.
fn listed(judge: &Judge, scope: usize, counted: Vec<usize>) -> Outcome<Vec<(String, usize)>> {
    let kind = if scope == 0 { Kind::User } else { Kind::ActivityType };
    let mut rows: BTreeMap<(Option<Id>, &str), usize> = BTreeMap::new();
    for (number, count) in counted.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        let known = judge.meanings.known(scope, number);
        let raw = if known.is_some() { "" } else { judge.meanings.texts(scope)[number].as_str() };
        *rows.entry((known, raw)).or_default() += count;
    }
    let mut all = Vec::with_capacity(rows.len());
    for ((id, raw), rows) in rows {
        let name = match id {
            Some(id) => names::name(judge.staged.reads, kind, id)?,
            None if raw.is_empty() => super::meanings::BLANK.to_owned(),
            None => format!("{raw} ?"),
        };
        all.push((name, rows));
    }
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(LISTED);
    Ok(all)
}

/// Counts all months without a look at what is live or decided, by keys alone; returns the
/// rows by owner's and by type's text.
fn estimate(
    judge: &Judge,
    months: &mut BTreeMap<Month, (Standing, MonthTally)>,
) -> Outcome<(Vec<usize>, Vec<usize>)> {
    let tables = judge.meanings.lacks();
    let mut owners = vec![0; judge.meanings.texts(0).len()];
    let mut types = vec![0; judge.meanings.texts(3).len()];
    judge.staged.keys(&mut |month, [owner, account, project, kind, uses, flags]| {
        let Some((standing, tally)) = months.get_mut(&month) else { return };
        let open = standing.fates.is_empty();
        // Rows by what they lack, told in words once.
        let mut lacking = [0usize; 256];
        for row in 0..owner.len() {
            let flags = flags[row] as u8;
            if open {
                owners.get_mut(owner[row] as usize).into_iter().for_each(|n| *n += 1);
                types.get_mut(kind[row] as usize).into_iter().for_each(|n| *n += 1);
            }
            if flags & flag::REPEATS != 0 {
                tally.repeats += 1;
                continue;
            }
            let keys = [owner[row], account[row], project[row], kind[row], uses[row]];
            let more = if flags == 0 { 0 } else { judge.lacks(kind[row], flags) };
            lacking[usize::from(tables.of(keys) | more)] += 1;
        }
        tally.rows += owner.len();
        tally.drafts = tally.rows;
        tally.ready += lacking[0];
        for (lacks, rows) in lacking.into_iter().enumerate().skip(1).filter(|(_, rows)| *rows > 0) {
            tally.waits += rows;
            lack::names(lacks as u8).for_each(|name| *tally.lacks.entry(name.into()).or_default() += rows);
        }
    })?;
    Ok((owners, types))
}

/// A month row by row.
fn judged(judge: &Judge, month: Month, standing: &Standing, compare: bool) -> Outcome<MonthTally> {
    let mut tally = MonthTally { month: month.to_string(), ..MonthTally::default() };
    if !standing.fates.is_empty() && !standing.fates.contains(&Fate::Draft) {
        // Nothing is left to be judged.
        tally.rows = standing.fates.len();
        tally.promoted = standing.count(Fate::Promoted);
        tally.merged = standing.count(Fate::Merged);
        tally.rejected = standing.count(Fate::Rejected);
        return Ok(tally);
    }
    Ok(tallied(&judge.month(month, standing, compare)?))
}

/// Rows by what each would become.
pub(super) fn tallied(judged: &[Judged]) -> MonthTally {
    let mut tally = MonthTally { rows: judged.len(), ..MonthTally::default() };
    for judged in judged {
        match &judged.verdict {
            Verdict::Ready | Verdict::Merges(..) => tally.ready += 1,
            Verdict::Near(_) => tally.near += 1,
            Verdict::Same(_) => tally.same += 1,
            Verdict::Repeats(_) => tally.repeats += 1,
            Verdict::Waits(lacks, _) => {
                tally.waits += 1;
                lack::names(*lacks).for_each(|name| *tally.lacks.entry(name.into()).or_default() += 1);
            }
            Verdict::Rejected | Verdict::Done(Fate::Rejected) => tally.rejected += 1,
            Verdict::Done(Fate::Promoted) => tally.promoted += 1,
            Verdict::Done(Fate::Merged) => tally.merged += 1,
            Verdict::Done(Fate::Draft) => tally.waits += 1,
        }
    }
    tally.drafts = tally.ready + tally.waits + tally.near + tally.same + tally.repeats;
    tally
}

fn add(total: &mut MonthTally, more: &MonthTally) {
    total.rows += more.rows;
    total.drafts += more.drafts;
    total.ready += more.ready;
    total.waits += more.waits;
    total.near += more.near;
    total.same += more.same;
    total.repeats += more.repeats;
    total.promoted += more.promoted;
    total.merged += more.merged;
    total.rejected += more.rejected;
    for (name, rows) in &more.lacks {
        *total.lacks.entry(name.clone()).or_default() += rows;
    }
}

/// Batches that have drafts, and how many rows wait in each; a quick look for Home and
/// Drafts.
pub fn waiting(reads: &dyn Reads) -> Outcome<Vec<(Id, String, usize)>> {
    let mut found = Vec::new();
    for (id, batch) in batches(reads)?.into_iter().filter(|(_, batch)| batch.state == "draft") {
        let Ok(staged) = Staged::of(reads, id, batch) else { continue };
        let mut drafts = 0;
        for (month, rows) in staged.months() {
            let standing = Standing::load(reads, id, month)?;
            drafts += rows - standing.fates.iter().filter(|fate| **fate != Fate::Draft).count().min(rows);
        }
        if drafts > 0 {
            found.push((id, staged.batch.file, drafts));
        }
    }
    Ok(found)
}

/// What live records say, as one hash: of two stores, or of one before and after.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HashLive {}

impl Query for HashLive {
    const NAME: &'static str = "migration.hash_live";
    /// BLAKE3 over kind, id and fields of all that people work with, in hexadecimal.
    type Reply = String;

    fn run(&self, cx: &ReadCx) -> Outcome<String> {
        let (mut hasher, mut failed) = (blake3::Hasher::new(), None);
        let kinds = [Kind::Activity, Kind::Win, Kind::Account, Kind::Project, Kind::User, Kind::Team];
        for kind in kinds.into_iter().chain([Kind::ActivityType, Kind::UseCase, Kind::Industry, Kind::Reason])
        {
            cx.reads.heads(kind, Id::default(), &mut |id, bytes| {
                match codec::decode_head(bytes) {
                    Ok(head) if !head.deleted => {
                        hasher.update(&[kind as u8]).update(&id.0).update(&codec::content_hash(&head.fields));
                    }
                    Ok(_) => {}
                    Err(error) => failed = Some(error),
                }
                if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        match failed {
            Some(error) => Err(crate::store::StoreError::from(error).into()),
            None => Ok(hasher.finalize().to_hex().to_string()),
        }
    }
}
