//! The dashboard: how many rows of each month are where, of whom, of what type, and why they
//! wait. rows read = promoted + kept as draft + merged + rejected.

use super::choices::{Fate, Rules, Standing};
use super::judged::{Judge, Judged, Verdict};
use super::meanings::lack;
use super::staged::{Alike, Staged, batches};
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
}

/// Owners and types that are listed.
const LISTED: usize = 200;

impl Query for CountMigration {
    const NAME: &'static str = "migration.counts";
    type Reply = Counted;

    fn run(&self, cx: &ReadCx) -> Outcome<Counted> {
        let judge = Judge::open(cx.reads, cx.settings()?, &self.which)?;
        count(&judge, self.compare)
    }
}

pub fn count(judge: &Judge, compare: bool) -> Outcome<Counted> {
    let staged = &judge.staged;
    let mut alike: BTreeMap<Month, Vec<Alike>> = BTreeMap::new();
    for some in staged.alike()? {
        alike.entry(some.month).or_default().push(some);
    }
    let mut counted = Counted { rules: judge.rules.clone(), compared: compare, ..Counted::default() };
    let mut owners: BTreeMap<(Option<Id>, String), usize> = BTreeMap::new();
    let mut types: BTreeMap<(Option<Id>, String), usize> = BTreeMap::new();
    for (month, some) in alike {
        let standing = Standing::load(staged.reads, staged.id, month)?;
        let tally = match compare || !standing.fates.is_empty() || !standing.choices.is_empty() {
            true => judged(judge, month, &standing, compare)?,
            false => estimated(judge, month, &some),
        };
        if tally.drafts > 0 {
            for some in &some {
                let made = judge.meanings.combinations.get(some.combination as usize);
                let (owner, kind) = made.map_or((None, None), |m| (m.owner, m.kind));
                let raw = |id: Option<Id>, scope| match id {
                    Some(_) => String::new(),
                    None => judge.meanings.raw(some.combination, scope).to_owned(),
                };
                *owners.entry((owner, raw(owner, 0))).or_default() += some.rows;
                *types.entry((kind, raw(kind, 3))).or_default() += some.rows;
            }
        }
        add(&mut counted.total, &tally);
        counted.months.push(MonthTally { month: month.to_string(), state: standing.state, ..tally });
    }
    counted.owners = listed(staged.reads, Kind::User, owners)?;
    counted.types = listed(staged.reads, Kind::ActivityType, types)?;
    let tally = &staged.manifest.tally;
    counted.unread = (tally.held + tally.blank + tally.headers + tally.totals) as usize;
    counted.faults = tally.faults.iter().map(|(code, rows)| (code.clone(), *rows as usize)).collect();
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

/// Names of what was counted, the most first; what nobody knows is told as it is written.
fn listed(
    reads: &dyn Reads,
    kind: Kind,
    counted: BTreeMap<(Option<Id>, String), usize>,
) -> Outcome<Vec<(String, usize)>> {
    let mut all = Vec::with_capacity(counted.len());
    for ((id, raw), rows) in counted {
        let name = match id {
            Some(id) => names::name(reads, kind, id)?,
            None if raw.is_empty() => super::meanings::BLANK.to_owned(),
            None => format!("{raw} ?"),
        };
        all.push((name, rows));
    }
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(LISTED);
    Ok(all)
}

/// A month of which nothing is decided, without a look at its rows.
fn estimated(judge: &Judge, month: Month, some: &[Alike]) -> MonthTally {
    let mut tally = MonthTally { month: month.to_string(), ..MonthTally::default() };
    for some in some {
        tally.rows += some.rows;
        if some.flags & flag::REPEATS != 0 {
            tally.repeats += some.rows;
            continue;
        }
        let lacks = judge
            .meanings
            .combinations
            .get(some.combination as usize)
            .map_or(0, |made| judge.lacks(made, some.flags));
        match lacks {
            0 => tally.ready += some.rows,
            lacks => {
                tally.waits += some.rows;
                lack::names(lacks).for_each(|name| *tally.lacks.entry(name.into()).or_default() += some.rows);
            }
        }
    }
    tally.drafts = tally.rows;
    tally
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
