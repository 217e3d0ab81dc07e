//! What each row of a month would become: an activity, part of one that is there, or a draft
//! that waits, and why.

use super::choices::{Choice, Fate, Rules, SIDES, Standing, What};
use super::ids;
use super::meanings::{Combination, Meanings, lack};
use super::staged::{Row, Staged};
use crate::changes::{codec, hlc};
use crate::domain::check::{Facts, MAX_LINE, check};
use crate::domain::problem::Severity;
use crate::domain::schema::{Activity, Kind, Record, Type};
use crate::domain::text::{fold, folded_likeness};
use crate::domain::value::{FieldId, Value};
use crate::domain::when::Month;
use crate::domain::{Failure, Fields, Id, Outcome};
use crate::intake::bulk::legacy::flag;
use crate::services::{Settings, input};
use crate::store::{IndexKey, Reads};
use chrono::{Datelike, NaiveDate};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

const BY_DATE: u8 = 110;
/// Two texts from here on say the same in other words; of another type they must be more
/// alike.
const LIKE: f64 = 0.75;
const ALIKE: f64 = 0.92;

/// Fields by their numbers in the schema.
mod field {
    pub const TYPE: u16 = 1;
    pub const DATE: u16 = 2;
    pub const EFFORT: u16 = 3;
    pub const OWNER: u16 = 4;
    pub const ACCOUNT: u16 = 5;
    pub const PROJECT: u16 = 6;
    pub const SUMMARY: u16 = 9;
    pub const DETAILS: u16 = 10;
    pub const PARTICIPANTS: u16 = 11;
    pub const NEXT_STEP: u16 = 12;
    pub const OUTCOME: u16 = 14;
    pub const ACK: u16 = 15;
    pub const SOURCE: u16 = 16;
    pub const NEXT_OWNER: u16 = 17;
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It becomes an activity.
    Ready,
    /// Bits of [`lack`], and what a rule says.
    Waits(u8, String),
    /// Like a live activity, which differs: somebody has to choose.
    Near(Id),
    /// The live activity takes these fields.
    Merges(Id, Fields),
    /// The live activity says all of it already.
    Same(Id),
    /// Another row of the file says it.
    Repeats(u32),
    Rejected,
    Done(Fate),
}

pub struct Judged {
    pub row: Row,
    /// The activity it would be.
    pub fields: Fields,
    pub verdict: Verdict,
}

/// An activity that is there.
pub struct Live {
    pub id: Id,
    pub rev: u64,
    pub fields: Fields,
    said: String,
}

/// A batch with all that is needed to judge its rows.
pub struct Judge<'a> {
    pub staged: Staged<'a>,
    pub meanings: Meanings,
    pub rules: Rules,
    pub settings: Settings,
}

impl<'a> Judge<'a> {
    pub fn open(reads: &'a dyn Reads, settings: Settings, which: &str) -> Outcome<Judge<'a>> {
        let staged = Staged::open(reads, which)?;
        let (meanings, rules) = (Meanings::of(&staged)?, Rules::of(&staged));
        Ok(Judge { staged, meanings, rules, settings })
    }

    /// What a row lacks besides what its texts stand for.
    pub fn lacks(&self, kind: u32, flags: u8) -> u8 {
        let mut lacks = 0;
        if flags & flag::NO_EFFORT != 0 && self.rules.effort.is_none() && !self.meanings.is_effort_free(kind)
        {
            lacks |= lack::EFFORT;
        }
        if flags & flag::FUTURE != 0 {
            lacks |= lack::FUTURE;
        }
        lacks
    }

    /// The rows of a month with what each would become, in the file's order; `compare`: live
    /// activities are looked at, too.
    pub fn month(&self, month: Month, standing: &Standing, compare: bool) -> Outcome<Vec<Judged>> {
        let rows = self.staged.rows(month)?;
        let mut judged = Vec::with_capacity(rows.len());
        let mut wanted: HashSet<(Id, i32)> = HashSet::new();
        let tables = self.meanings.lacks();
        for (place, row) in rows.into_iter().enumerate() {
            let choice = standing.choices.get(&row.record);
            let made = self.meanings.combination(&row.keys);
            let mut fields = self.fields(&row, &made);
            let mut lacks = tables.of(row.keys) | self.lacks(row.keys[3], row.flags);
            let mut rule = String::new();
            if let Some(choice) = choice.filter(|c| !c.input.is_empty()) {
                match self.typed(&fields, &choice.input) {
                    Ok(typed) => {
                        lacks &= !settled(&choice.input, &typed);
                        fields = typed;
                    }
                    Err(failure) => rule = failure.message,
                }
            }
            if rule.is_empty() && lacks == 0 {
                rule = self.refused(&fields, &made);
            }
            if !rule.is_empty() {
                lacks |= lack::RULE;
            }
            let fate = standing.fate(place);
            let what = choice.map_or(What::Rules, |c| c.what);
            if what == What::New {
                lacks &= !lack::FUTURE;
            }
            let verdict = match row.first {
                _ if fate != Fate::Draft => Verdict::Done(fate),
                _ if what == What::Reject => Verdict::Rejected,
                Some(first) if what != What::New => Verdict::Repeats(first),
                _ if lacks != 0 => Verdict::Waits(lacks, rule),
                _ => Verdict::Ready,
            };
            if let (Verdict::Ready, true, Some(Value::Id(owner))) =
                (&verdict, what != What::New && self.rules.duplicates != "new", fields.get(&field::OWNER))
            {
                wanted.insert((*owner, row.date.num_days_from_ce()));
            }
            judged.push(Judged { row, fields, verdict });
        }
        if compare && !wanted.is_empty() {
            self.compare(month, standing, &wanted, &mut judged)?;
        }
        Ok(judged)
    }

    /// Compares rows that are ready with what is live on their days.
    fn compare(
        &self,
        month: Month,
        standing: &Standing,
        wanted: &HashSet<(Id, i32)>,
        judged: &mut [Judged],
    ) -> Outcome<()> {
        let mut live = self.live(month, wanted)?;
        if live.is_empty() {
            return Ok(());
        }
        for judged in judged.iter_mut().filter(|j| j.verdict == Verdict::Ready) {
            let choice = standing.choices.get(&judged.row.record);
            if choice.is_some_and(|c| c.what == What::New) || self.rules.duplicates == "new" {
                continue;
            }
            let Some(Value::Id(owner)) = judged.fields.get(&field::OWNER) else { continue };
            let key = (*owner, judged.row.date.num_days_from_ce());
            let Some(found) = live.get_mut(&key) else { continue };
            let said = said(&judged.fields);
            let fits: Vec<f64> = found.iter().map(|l| likeness(&judged.fields, &said, l)).collect();
            let best =
                (0..fits.len()).filter(|n| fits[*n] > 0.0).max_by(|a, b| fits[*a].total_cmp(&fits[*b]));
            let Some(best) = best else { continue };
            // One live activity is that of one row.
            let live = found.swap_remove(best);
            judged.verdict = self.against(&judged.row, &judged.fields, &live, choice)?;
        }
        Ok(())
    }

    /// Whether a month has live activities that are not of this batch.
    pub fn has_live(&self, month: Month) -> Outcome<bool> {
        let from = IndexKey::new(BY_DATE).date(month.first());
        let to = IndexKey::new(BY_DATE).date(month.last()).after();
        let (batch, mut found) = (self.staged.id, false);
        self.staged.reads.index(&from, &to, false, &mut |id, _| {
            found = ids::record(batch, id).is_none();
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }

    /// Live activities of the owners and days, but for those of this batch.
    fn live(&self, month: Month, wanted: &HashSet<(Id, i32)>) -> Outcome<HashMap<(Id, i32), Vec<Live>>> {
        let (reads, batch) = (self.staged.reads, self.staged.id);
        let from = IndexKey::new(BY_DATE).date(month.first());
        let to = IndexKey::new(BY_DATE).date(month.last()).after();
        let (mut found, mut ids) = (HashMap::new(), Vec::new());
        reads.index(&from, &to, false, &mut |id, _| {
            if ids::record(batch, id).is_none() {
                ids.push(id);
            }
            ControlFlow::Continue(())
        })?;
        ids.sort_unstable();
        reads.heads_of(Kind::Activity, &ids, &mut |id, bytes| {
            if let Ok(head) = codec::decode_head(bytes)
                && !head.deleted
                && let (Some(Value::Id(owner)), Some(Value::Date(day))) =
                    (head.fields.get(&field::OWNER), head.fields.get(&field::DATE))
            {
                let key = (*owner, day.num_days_from_ce());
                if wanted.contains(&key) {
                    let said = said(&head.fields);
                    let live = Live { id, rev: head.rev, fields: head.fields, said };
                    found.entry(key).or_insert_with(Vec::new).push(live);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// What becomes of a row that a live activity is like.
    fn against(&self, row: &Row, fields: &Fields, live: &Live, choice: Option<&Choice>) -> Outcome<Verdict> {
        let differing = differing(fields, &live.fields);
        if differing.is_empty() {
            return Ok(Verdict::Same(live.id));
        }
        let sides = choice.filter(|c| c.what == What::Merge).map(|c| &c.sides);
        let rule = match (sides, self.rules.duplicates.as_str()) {
            (None, "ask") => return Ok(Verdict::Near(live.id)),
            (Some(_), "ask") => "live",
            (_, rule) => rule,
        };
        let mut taken = live.fields.clone();
        for id in differing {
            let name = Kind::Activity.schema().field(id).map_or("", |f| f.name);
            let side = sides.and_then(|s| s.get(name)).map_or(rule, String::as_str);
            let here = live.fields.get(&id);
            let newer = side == "newer" && self.is_newer(row, live)?;
            let value = match (side, here) {
                // What is empty is filled, whoever counts.
                (_, None) => fields.get(&id).cloned(),
                ("legacy", _) => fields.get(&id).cloned(),
                ("newer", _) if newer => fields.get(&id).cloned(),
                ("both", Some(Value::Text(here))) => match fields.get(&id) {
                    Some(Value::Text(legacy)) => Some(Value::Text(both(id, here, legacy))),
                    _ => None,
                },
                _ => None,
            };
            let Some(value) = value else { continue };
            // Said field by field it was looked at; a rule for all has to allow it.
            let overwrites = here.is_some() && side != "both";
            if overwrites && sides.is_none() && !self.rules.overwrite {
                return Ok(Verdict::Near(live.id));
            }
            taken.insert(id, value);
        }
        match taken == live.fields {
            true => Ok(Verdict::Same(live.id)),
            false => Ok(Verdict::Merges(live.id, taken)),
        }
    }

    /// Whether the earlier system was told after the live activity was last changed.
    fn is_newer(&self, row: &Row, live: &Live) -> Outcome<bool> {
        let changed = self.staged.reads.record(live.rev)?.map(|r| hlc::unix_ms(r.change.hlc));
        let changed = changed.map(|ms| self.settings.zone.date(ms));
        Ok(row.logged.zip(changed).is_some_and(|(logged, changed)| logged > changed))
    }

    /// A row as an activity.
    fn fields(&self, row: &Row, made: &Combination) -> Fields {
        let mut details = row.text(field::DETAILS).to_owned();
        let mut add = |line: String| {
            if !details.is_empty() {
                details.push('\n');
            }
            details.push_str(&line);
        };
        // What is too long for a line stands whole in the details.
        let mut line = |text: &str, what: &str| -> String {
            if text.chars().count() <= MAX_LINE {
                return text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            add(format!("{what}: {text}"));
            text.chars().take(MAX_LINE - 1).chain(['…']).collect()
        };
        let summary = line(row.text(field::SUMMARY), "summary");
        let next_step = line(row.text(field::NEXT_STEP), "next step");
        let outcome = line(row.text(field::OUTCOME), "outcome");
        let raw = row.text(field::NEXT_OWNER);
        let next_owner = if raw.is_empty() { None } else { self.meanings.user(raw) };
        if next_owner.is_none() && !raw.is_empty() {
            add(format!("next owner: {raw}"));
        }
        if let (Some(due), true) = (row.due, next_step.is_empty()) {
            add(format!("next due: {due}"));
        }
        if !row.unread.is_empty() {
            add(row.unread.clone());
        }
        made.left.iter().for_each(|left| add(left.clone()));
        let people = row.text(field::PARTICIPANTS).split([',', ';']).map(str::trim);
        let effort = row.effort.or(self.rules.effort);
        let mut fields = Activity {
            activity_type: made.kind,
            account: made.account,
            project: made.project,
            date: Some(row.date),
            effort,
            summary,
            use_cases: made.uses.clone(),
            next_due: row.due.filter(|_| !next_step.is_empty()),
            next_step,
            next_owner,
            participants: people.filter(|p| !p.is_empty()).map(str::to_owned).collect(),
            details,
            outcome,
            owner: made.owner,
            empty_effort_ack: effort.is_none() && made.no_effort,
            source: "migration".into(),
        }
        .to_fields();
        if let (None, Some(project)) = (made.account, made.project)
            && let Some(account) = self.account_of(project)
        {
            fields.insert(field::ACCOUNT, Value::Id(account));
        }
        fields
    }

    fn account_of(&self, project: Id) -> Option<Id> {
        match self.staged.reads.fields(Kind::Project, project).ok()??.get(&2) {
            Some(Value::Id(account)) => Some(*account),
            _ => None,
        }
    }

    /// A row's activity with what somebody typed over it. The month stays what it is.
    pub fn typed(&self, fields: &Fields, typed: &input::Input) -> Outcome<Fields> {
        let made = input::read(self.staged.reads, &self.settings, Kind::Activity, fields, typed)?;
        match (fields.get(&field::DATE), made.get(&field::DATE)) {
            (Some(Value::Date(was)), Some(Value::Date(is))) if Month::of(*was) != Month::of(*is) => {
                Err(Failure::invalid(format!("{is} is not in {}", Month::of(*was).long()))
                    .hint("Set the row aside and log it in its month"))
            }
            _ => Ok(made),
        }
    }

    /// What the rules of an activity say; empty when nothing. Warnings are those of typing.
    fn refused(&self, fields: &Fields, made: &Combination) -> String {
        let facts = Facts {
            today: NaiveDate::MAX,
            day_minutes: self.settings.day_minutes,
            effort_may_be_empty: made.no_effort,
        };
        let problems = check(Kind::Activity, fields, &facts);
        let found = problems.into_iter().find(|p| p.severity == Severity::Error);
        found.map(|p| p.message).unwrap_or_default()
    }
}

/// What typed fields settle of what a row lacks.
fn settled(typed: &input::Input, fields: &Fields) -> u8 {
    let has = |name: &str, id: FieldId| typed.contains_key(name) && fields.contains_key(&id);
    let given = |name: &str| typed.contains_key(name);
    let mut bits = 0;
    for (is, bit) in [
        (has("owner", field::OWNER), lack::OWNER),
        (has("type", field::TYPE), lack::TYPE),
        (has("effort", field::EFFORT), lack::EFFORT),
        (given("account"), lack::ACCOUNT),
        (given("project"), lack::PROJECT),
        (given("use_cases"), lack::USE_CASE),
        (has("date", field::DATE), lack::FUTURE),
    ] {
        bits |= if is { bit } else { 0 };
    }
    bits
}

fn said(fields: &Fields) -> String {
    match fields.get(&field::SUMMARY) {
        Some(Value::Text(text)) => fold(text),
        _ => String::new(),
    }
}

/// How like a row is to a live activity of its owner and day: 0 for not at all.
fn likeness(fields: &Fields, text: &str, live: &Live) -> f64 {
    let equal = |id: FieldId| fields.get(&id) == live.fields.get(&id);
    if !equal(field::ACCOUNT) {
        return 0.0;
    }
    let differ = |id: FieldId| {
        fields.contains_key(&id) && live.fields.contains_key(&id) && fields.get(&id) != live.fields.get(&id)
    };
    if differ(field::PROJECT) {
        return 0.0;
    }
    let words = match (text.is_empty(), live.said.is_empty()) {
        (true, true) => 1.0,
        (true, false) | (false, true) => LIKE,
        _ if text == live.said => 1.0,
        _ => folded_likeness(text, &live.said),
    };
    match equal(field::TYPE) {
        true if words >= LIKE => 1.0 + words + f64::from(u8::from(equal(field::EFFORT))),
        false if words >= ALIKE && !text.is_empty() && !live.said.is_empty() => words,
        _ => 0.0,
    }
}

/// Fields that the row has and the live activity has otherwise or not at all.
pub fn differing(fields: &Fields, live: &Fields) -> Vec<FieldId> {
    let own = |id: &FieldId| !matches!(*id, field::SOURCE | field::ACK);
    fields.iter().filter(|(id, value)| own(id) && live.get(id) != Some(value)).map(|(id, _)| *id).collect()
}

fn both(id: FieldId, live: &str, legacy: &str) -> String {
    let long = Kind::Activity.schema().field(id).is_some_and(|f| f.kind == Type::Long);
    if fold(live).contains(&fold(legacy)) {
        return live.to_owned();
    }
    let joined = if long { format!("{live}\n{legacy}") } else { format!("{live}; {legacy}") };
    match long || joined.chars().count() <= MAX_LINE {
        true => joined,
        false => live.to_owned(),
    }
}

/// Refuses sides that nobody knows.
pub fn check_sides(sides: &BTreeMap<String, String>) -> Outcome<()> {
    for (name, side) in sides {
        if Kind::Activity.schema().field_named(name).is_none() {
            return Err(Failure::usage(format!("An activity has no field \"{name}\"")));
        }
        if !SIDES.contains(&side.as_str()) {
            return Err(Failure::usage(format!("\"{side}\" is not one of {}", SIDES.join(", "))));
        }
    }
    Ok(())
}

/// Live activities that a batch made, in the order of its rows' ids, behind one of them.
pub fn promoted(
    reads: &dyn Reads,
    batch: Id,
    visit: &mut dyn FnMut(Id, crate::changes::Head) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let mut failed = None;
    reads.heads(Kind::Activity, ids::first(batch), &mut |id, bytes| {
        if id.unix_ms() != batch.unix_ms() {
            return ControlFlow::Break(());
        }
        let head = codec::decode_head(bytes).ok().filter(|_| ids::record(batch, id).is_some());
        match head.map(|head| visit(id, head)) {
            Some(Ok(next)) => next,
            Some(Err(failure)) => {
                failed = Some(failure);
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    })?;
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_texts_stand_behind_each_other_once() {
        assert_eq!(both(field::SUMMARY, "first talk", "pricing"), "first talk; pricing");
        assert_eq!(both(field::DETAILS, "one", "two"), "one\ntwo");
        assert_eq!(both(field::SUMMARY, "First talk with Acme", "first talk"), "First talk with Acme");
        let long = "x".repeat(MAX_LINE);
        assert_eq!(both(field::SUMMARY, &long, "pricing"), long, "a line stays one");
    }

    #[test]
    fn what_is_like_what() {
        let day = NaiveDate::from_ymd_opt(2025, 3, 4);
        let made = |kind: u128, account: u128, effort: i64, summary: &str| {
            let id = |n: u128| Some(Id::from_parts(1, n));
            Activity {
                activity_type: id(kind),
                account: id(account),
                date: day,
                effort: Some(effort),
                summary: summary.into(),
                ..Activity::default()
            }
            .to_fields()
        };
        let like = |row: Fields, live: Fields| {
            let live = Live { id: Id::default(), rev: 1, said: said(&live), fields: live };
            likeness(&row, &said(&row), &live)
        };
        let row = || made(1, 7, 60, "first talk");
        assert!(like(row(), row()) > like(row(), made(1, 7, 90, "first talk")));
        assert!(like(row(), made(1, 7, 90, "first talk")) > like(row(), made(1, 7, 60, "First talks")) - 1.0);
        assert!(like(row(), made(1, 7, 60, "")) > 0.0, "one of them says nothing");
        assert_eq!(like(row(), made(1, 8, 60, "first talk")), 0.0, "another account");
        assert_eq!(like(row(), made(1, 7, 60, "load test of the winter release")), 0.0, "something else");
        assert!(like(row(), made(2, 7, 60, "First talk")) > 0.0, "another type, the same words");
        assert_eq!(like(row(), made(2, 7, 60, "")), 0.0);
    }
}
