//! The steps of a migration: confirmed by the month, promoted in one transaction, rolled
//! back, finished. A step that is done already changes nothing when it is done again.

use super::choices::{Choice, DUPLICATES, Fate, Rules, Standing, What};
use super::counts::{MonthTally, tallied};
use super::ids;
use super::judged::{Judge, Verdict, check_sides, promoted};
use super::meanings::lack;
use super::staged::Staged;
use crate::changes::{Cause, Verdict as Ordered};
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind, Id, Outcome, text};
use crate::services::input::Input;
use crate::services::{Command, WriteCx, undo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Fields of a batch's record.
const STATE: u16 = 5;
const PLAN: u16 = 8;

/// What a step did to a month.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stepped {
    pub month: String,
    pub state: String,
    pub promoted: usize,
    pub merged: usize,
    /// Rows that stay drafts.
    pub kept: usize,
    pub rejected: usize,
    /// Records changed since, whose change waits in Drafts instead of being taken away.
    pub drafted: usize,
    /// Whether anything was done.
    pub changed: bool,
}

fn judge<'a>(cx: &'a WriteCx, which: &str) -> Outcome<Judge<'a>> {
    Judge::open(cx.reads(), cx.settings()?, which)
}

/// The months that are meant: those said, or all that have rows.
fn months(staged: &Staged, said: &[Month]) -> Outcome<Vec<Month>> {
    let all = staged.months();
    if let Some(none) = said.iter().find(|month| !all.contains_key(month)) {
        let known: Vec<String> = all.keys().map(Month::to_string).collect();
        return Err(Failure::not_found(format!("{} has no rows of {none}", staged.batch.file))
            .hint(format!("It has {}", known.join(", "))));
    }
    Ok(if said.is_empty() { all.into_keys().collect() } else { said.to_vec() })
}

fn refuse_finished(staged: &Staged) -> Outcome<()> {
    match staged.batch.state.as_str() {
        "finished" => Err(Failure::conflict(format!("The migration of {} is finished", staged.batch.file))
            .hint("`pams undo` of that step opens it again")),
        _ => Ok(()),
    }
}

/// Agrees to months: what is ready in them may be promoted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmMonths {
    pub which: String,
    /// None for all that are not confirmed or promoted.
    pub months: Vec<Month>,
    /// The person knows that some rows wait and stay drafts.
    pub agreed: bool,
}

impl Command for ConfirmMonths {
    const NAME: &'static str = "migration.confirm";
    type Reply = Vec<Stepped>;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Vec<Stepped>> {
        cx.set_cause(Cause::Migration, None);
        let (mut done, mut asks) = (Vec::new(), Vec::new());
        let mut saves = Vec::new();
        let batch = {
            let judge = judge(cx, &self.which)?;
            refuse_finished(&judge.staged)?;
            for month in months(&judge.staged, &self.months)? {
                let standing = Standing::load(cx.reads(), judge.staged.id, month)?;
                let judged = judge.month(month, &standing, true)?;
                let tally = tallied(&judged);
                let mut step =
                    Stepped { month: month.to_string(), state: standing.state.clone(), ..told(&tally) };
                let open = tally.drafts > 0 && standing.state != "confirmed";
                if open {
                    if tally.ready + tally.same + tally.repeats == 0 && !self.months.is_empty() {
                        return Err(Failure::conflict(format!("No row of {} is ready", month.long()))
                            .hint(waits(&tally)));
                    }
                    if tally.waits + tally.near > 0 {
                        asks.push(format!(
                            "{}: {} of {} rows wait and stay drafts ({})",
                            month.long(),
                            tally.waits + tally.near,
                            tally.rows,
                            waits(&tally)
                        ));
                    }
                    (step.state, step.changed) = ("confirmed".into(), true);
                    saves.push((month, Standing { state: "confirmed".into(), ..standing }));
                }
                done.push(step);
            }
            judge.staged.id
        };
        if !asks.is_empty() && !self.agreed {
            let more = asks.len().saturating_sub(3);
            let mut said = asks.into_iter().take(3).collect::<Vec<_>>().join("; ");
            if more > 0 {
                said.push_str(&format!("; {} more months", more));
            }
            return Err(Failure::conflict(said)
                .hint("Nothing was changed. Settle them, or say with --yes that they wait"));
        }
        for (month, standing) in saves {
            standing.save(cx, batch, month)?;
        }
        Ok(done)
    }
}

fn told(tally: &MonthTally) -> Stepped {
    Stepped {
        promoted: tally.promoted,
        merged: tally.merged,
        kept: tally.drafts,
        rejected: tally.rejected,
        ..Stepped::default()
    }
}

/// Why rows wait, in words.
fn waits(tally: &MonthTally) -> String {
    let mut why: Vec<String> = tally.lacks.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
    if tally.near > 0 {
        why.push(format!("like live ones {}", tally.near));
    }
    why.join(", ")
}

/// Takes the confirmation of months back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReopenMonths {
    pub which: String,
    pub months: Vec<Month>,
}

impl Command for ReopenMonths {
    const NAME: &'static str = "migration.reopen";
    type Reply = Vec<Stepped>;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Vec<Stepped>> {
        cx.set_cause(Cause::Migration, None);
        let (batch, months) = {
            let staged = Staged::open(cx.reads(), &self.which)?;
            refuse_finished(&staged)?;
            (staged.id, months(&staged, &self.months)?)
        };
        let mut done = Vec::new();
        for month in months {
            let mut standing = Standing::load(cx.reads(), batch, month)?;
            let changed = standing.state == "confirmed";
            if changed {
                // Rows of an earlier promotion stay promoted.
                standing.state = if standing.txns.is_empty() { "draft" } else { "promoted" }.into();
                standing.save(cx, batch, month)?;
            }
            let (month, state) = (month.to_string(), standing.state);
            done.push(Stepped { month, state, changed, ..Stepped::default() });
        }
        Ok(done)
    }
}

/// Makes activities of a confirmed month's rows, in one transaction. What waits stays a
/// draft.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PromoteMonth {
    pub which: String,
    pub month: Month,
}

impl Command for PromoteMonth {
    const NAME: &'static str = "migration.promote";
    type Reply = Stepped;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Stepped> {
        cx.set_cause(Cause::Migration, None);
        let month = self.month;
        if let Some(done) = self.done_already(cx)? {
            return Ok(done);
        }
        let (batch, mut standing, judged) = {
            let judge = judge(cx, &self.which)?;
            refuse_finished(&judge.staged)?;
            months(&judge.staged, &[month])?;
            let standing = Standing::load(cx.reads(), judge.staged.id, month)?;
            if standing.state != "confirmed" {
                return Err(Failure::conflict(format!("{} is not confirmed", month.long()))
                    .hint(format!("`pams migration confirm {month}` first")));
            }
            (judge.staged.id, standing.clone(), judge.month(month, &standing, true)?)
        };
        cx.batch.defer_indexes();
        let mut fates = Vec::with_capacity(judged.len());
        let mut drafted = 0;
        for judged in judged {
            fates.push(match judged.verdict {
                Verdict::Ready => {
                    let id = ids::activity(batch, month, judged.row.record);
                    let ordered = match cx.reads().head(Kind::Activity, id)? {
                        None => cx.create_as(Kind::Activity, id, &judged.fields)?,
                        // It was promoted and rolled back before: the same record again.
                        Some(head) => {
                            let restored =
                                if head.deleted { Some(cx.restore(Kind::Activity, id)?) } else { None };
                            match restored {
                                Some(restored) if head.fields == judged.fields => restored,
                                _ => cx.set(Kind::Activity, id, head.rev, &head.fields, &judged.fields)?,
                            }
                        }
                    };
                    drafted += usize::from(ordered.has_draft());
                    Fate::Promoted
                }
                Verdict::Merges(live, fields) => {
                    let ordered = cx.update(Kind::Activity, live, |now| *now = fields)?;
                    drafted += usize::from(ordered.verdict == Ordered::Drafted);
                    Fate::Merged
                }
                Verdict::Same(_) | Verdict::Repeats(_) => Fate::Merged,
                Verdict::Rejected => Fate::Rejected,
                Verdict::Near(_) | Verdict::Waits(..) => Fate::Draft,
                Verdict::Done(fate) => fate,
            });
        }
        standing.fates = fates;
        standing.state = "promoted".into();
        standing.txns.push(cx.caller.txn);
        standing.save(cx, batch, month)?;
        let count = |fate| standing.count(fate);
        Ok(Stepped {
            month: month.to_string(),
            state: "promoted".into(),
            promoted: count(Fate::Promoted),
            merged: count(Fate::Merged),
            kept: count(Fate::Draft),
            rejected: count(Fate::Rejected),
            drafted,
            changed: true,
        })
    }
}

impl PromoteMonth {
    /// What became of the rows of a month that is promoted.
    fn done_already(&self, cx: &WriteCx) -> Outcome<Option<Stepped>> {
        let staged = Staged::open(cx.reads(), &self.which)?;
        refuse_finished(&staged)?;
        months(&staged, &[self.month])?;
        let standing = Standing::load(cx.reads(), staged.id, self.month)?;
        if standing.state != "promoted" {
            return Ok(None);
        }
        Ok(Some(Stepped {
            month: self.month.to_string(),
            promoted: standing.count(Fate::Promoted),
            merged: standing.count(Fate::Merged),
            kept: standing.count(Fate::Draft),
            rejected: standing.count(Fate::Rejected),
            state: standing.state,
            ..Stepped::default()
        }))
    }
}

/// Takes a month's promotion back. Activities that somebody changed since stay, and wait in
/// Drafts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RollBackMonth {
    pub which: String,
    pub month: Month,
}

impl Command for RollBackMonth {
    const NAME: &'static str = "migration.rollback";
    type Reply = Stepped;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Stepped> {
        let month = self.month;
        let (batch, of) = {
            let staged = Staged::open(cx.reads(), &self.which)?;
            refuse_finished(&staged)?;
            months(&staged, &[month])?;
            (staged.id, staged.months().get(&month).copied().unwrap_or(0))
        };
        let mut standing = Standing::load(cx.reads(), batch, month)?;
        let mut done = Stepped { month: month.to_string(), ..Stepped::default() };
        if standing.txns.is_empty() {
            done.state = standing.state;
            return Ok(done);
        }
        for txn in std::mem::take(&mut standing.txns).into_iter().rev() {
            match undo::compensate(cx, txn, Cause::Undo, Some(Kind::MigrationMonth)) {
                Ok(undone) => done.drafted += undone.drafted,
                // Somebody promoted the same apart: one of the two changed nothing.
                Err(failure)
                    if failure.kind == FailureKind::NotFound && !cx.reads().txn_rows(txn)?.is_empty() => {}
                Err(failure) => return Err(failure),
            }
        }
        // What stayed because it was changed is still that row's activity.
        let mut stayed: BTreeSet<u32> = BTreeSet::new();
        if done.drafted > 0 {
            promoted(cx.reads(), batch, &mut |id, head| {
                stayed.extend(ids::record(batch, id).filter(|_| !head.deleted));
                Ok(ControlFlow::Continue(()))
            })?;
        }
        standing.fates = match stayed.is_empty() {
            true => vec![],
            false => {
                let rows = { Staged::open(cx.reads(), &self.which)?.rows(month)? };
                let stayed = |row: &super::staged::Row| stayed.contains(&row.record);
                rows.iter().map(|row| if stayed(row) { Fate::Promoted } else { Fate::Draft }).collect()
            }
        };
        standing.state = "rolled back".into();
        cx.set_cause(Cause::Migration, None);
        standing.save(cx, batch, month)?;
        done.promoted = standing.count(Fate::Promoted);
        done.kept = of - done.promoted;
        (done.state, done.changed) = (standing.state, true);
        Ok(done)
    }
}

/// Says how drafts of a batch are read and what counts where they are like live ones.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SetRules {
    pub which: String,
    pub rules: Rules,
}

impl Command for SetRules {
    const NAME: &'static str = "migration.set_rules";
    type Reply = Rules;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Rules> {
        cx.set_cause(Cause::Migration, None);
        if !DUPLICATES.contains(&self.rules.duplicates.as_str()) {
            let known = DUPLICATES.join(", ");
            return Err(Failure::usage(format!("\"{}\" is not one of {known}", self.rules.duplicates)));
        }
        let batch = {
            let staged = Staged::open(cx.reads(), &self.which)?;
            refuse_finished(&staged)?;
            for month in staged.months().into_keys() {
                Standing::load(cx.reads(), staged.id, month)?.open(month)?;
            }
            staged.id
        };
        let said = serde_json::to_vec(&self.rules).unwrap_or_default();
        cx.update(Kind::Batch, batch, |fields| drop(fields.insert(PLAN, Value::Bytes(said))))?;
        Ok(self.rules.clone())
    }
}

/// Chooses what becomes of rows of a month: those said, or all that wait for one reason.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChooseRows {
    pub which: String,
    pub month: Month,
    /// Rows as the file counts them, from 1.
    pub rows: Vec<usize>,
    /// Instead of rows: "near", "repeats", or what rows lack, such as "owner".
    pub issue: String,
    pub what: What,
    /// Field → which side counts, where a row is merged.
    pub sides: BTreeMap<String, String>,
    /// Fields typed anew.
    pub input: Input,
}

impl Command for ChooseRows {
    const NAME: &'static str = "migration.choose";
    /// Rows that were chosen for.
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        cx.set_cause(Cause::Migration, None);
        check_sides(&self.sides)?;
        let month = self.month;
        let (batch, mut standing, chosen) = {
            let judge = judge(cx, &self.which)?;
            refuse_finished(&judge.staged)?;
            months(&judge.staged, &[month])?;
            let standing = Standing::load(cx.reads(), judge.staged.id, month)?;
            standing.open(month)?;
            let judged = judge.month(month, &standing, true)?;
            let mut chosen = Vec::new();
            let meant: BTreeSet<u32> = self.rows.iter().map(|row| row.saturating_sub(1) as u32).collect();
            for judged in &judged {
                let fits = match self.issue.is_empty() {
                    true => meant.contains(&judged.row.record),
                    false => fits(&judged.verdict, &self.issue),
                };
                if !fits {
                    continue;
                }
                if matches!(judged.verdict, Verdict::Done(_)) {
                    return Err(Failure::conflict(format!(
                        "Row {} is promoted or merged already",
                        judged.row.record + 1
                    ))
                    .hint("Roll the month back first"));
                }
                if !self.input.is_empty() {
                    judge.typed(&judged.fields, &self.input)?;
                }
                chosen.push(judged.row.record);
            }
            if let Some(row) = meant.iter().find(|row| self.issue.is_empty() && !chosen.contains(row)) {
                return Err(Failure::not_found(format!("{} has no row {}", month.long(), row + 1)));
            }
            (judge.staged.id, standing.clone(), chosen)
        };
        for record in &chosen {
            let choice = standing.choices.entry(*record).or_default();
            choice.what = self.what;
            choice.sides.extend(self.sides.clone());
            choice.input.extend(self.input.clone());
            if *choice == Choice::default() {
                standing.choices.remove(record);
            }
        }
        if !chosen.is_empty() {
            standing.save(cx, batch, month)?;
        }
        Ok(chosen.len())
    }
}

/// Whether a verdict is of an issue.
pub(super) fn fits(verdict: &Verdict, issue: &str) -> bool {
    match (verdict, issue) {
        (_, "" | "all") => true,
        (Verdict::Ready | Verdict::Merges(..), "ready") => true,
        (Verdict::Waits(..), "waits") => true,
        (Verdict::Near(_), "near") => true,
        (Verdict::Same(_), "same") => true,
        (Verdict::Repeats(_), "repeats") => true,
        (Verdict::Rejected | Verdict::Done(Fate::Rejected), "rejected") => true,
        (Verdict::Done(Fate::Promoted), "promoted") => true,
        (Verdict::Done(Fate::Merged), "merged") => true,
        (Verdict::Waits(lacks, _), issue) => {
            lack::names(*lacks).any(|name| text::fold(name) == text::fold(issue))
        }
        _ => false,
    }
}

/// What can be asked for as an issue.
pub fn issues() -> Vec<&'static str> {
    let states = ["ready", "waits", "near", "same", "repeats", "rejected", "promoted", "merged"];
    states.into_iter().chain(lack::NAMES).collect()
}

/// Ends a migration: its rows are put away, its activities stay.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FinishMigration {
    pub which: String,
    /// The person knows that drafts are left.
    pub agreed: bool,
}

impl Command for FinishMigration {
    const NAME: &'static str = "migration.finish";
    type Reply = Id;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Id> {
        cx.set_cause(Cause::Migration, None);
        let (batch, drafts, file) = {
            let staged = Staged::open(cx.reads(), &self.which)?;
            refuse_finished(&staged)?;
            let mut drafts = 0;
            for (month, rows) in staged.months() {
                let standing = Standing::load(cx.reads(), staged.id, month)?;
                drafts += rows.saturating_sub(standing.fates.iter().filter(|f| **f != Fate::Draft).count());
            }
            (staged.id, drafts, staged.batch.file.clone())
        };
        if drafts > 0 && !self.agreed {
            return Err(Failure::conflict(format!("{file}: {drafts} rows are drafts yet")).hint(
                "Nothing was changed. Say with --yes that they are not wanted; the file's rows are kept",
            ));
        }
        cx.update(Kind::Batch, batch, |fields| drop(fields.insert(STATE, Value::Text("finished".into()))))?;
        Ok(batch)
    }
}
