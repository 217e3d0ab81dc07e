//! Edits of the plan as it stands: outlets moved to another rep or day, put elsewhere in a
//! day, pinned. What an edit does to the whole is told before it is made, and after.

use super::drive::{Drive, NOBODY, RepSum};
use super::journeys::{self, Days, Journeys, Slot};
use super::rules::a_week;
use super::source::Source;
use crate::domain::text::count;
use crate::domain::{Failure, Outcome};
use crate::services::{Command, WriteCx};
use crate::solver::journey::{Quality, weekday};
use crate::solver::problem::{Plan, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Outlets of one edit.
const MOST: usize = 5_000;

/// What is done to outlets of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    /// To another rep, another weekday, or both. Of an outlet that is visited on several
    /// weekdays `from` says which of them goes.
    Move { rep: Option<String>, from: Option<String>, to: Option<String> },
    /// To a place in the order of a day, from 1.
    Place { day: String, place: usize },
    /// It stays with its rep and on its days when the plan is optimised.
    Pin(bool),
}

/// Edits outlets of a unit's plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EditPlan {
    pub unit: String,
    /// Codes.
    pub outlets: Vec<String>,
    pub edit: Edit,
    /// Only says what it would do.
    pub dry_run: bool,
}

/// What an edit does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    pub outlets: usize,
    pub before: Quality,
    pub after: Quality,
    /// Reps whose work changes, before and after.
    pub reps: Vec<(RepSum, RepSum)>,
    /// Days that break a rule now and did not before.
    pub broken: Vec<String>,
    /// "+3.2 km, +14 min of travel a week, breaks a rule on 1 day"
    pub word: String,
}

impl Command for EditPlan {
    const NAME: &'static str = "plans.edit";
    type Reply = Impact;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Impact> {
        let source = Source::load(cx.reads(), &self.unit)?;
        if source.journeys.is_empty() {
            return Err(Failure::not_found(format!("{} has no plan yet", source.unit.name))
                .hint("`pams plan create` takes today's beats, `pams plan optimise` makes one"));
        }
        if self.outlets.len() > MOST {
            return Err(Failure::invalid(format!("One edit is of at most {MOST} outlets")));
        }
        let drive = Drive::of(&source)?;
        // Of reps whom nothing befalls the very same days stay.
        let mut journeys = source.journeys.clone();
        let wanted: BTreeSet<&String> = self.outlets.iter().collect();
        for code in &wanted {
            self.one(&drive, &mut journeys, code)?;
        }
        let impact = impact(&drive, &journeys, wanted.len());
        if !self.dry_run {
            journeys::save(cx, &source, &journeys)?;
        }
        Ok(impact)
    }
}

/// The rep who has an outlet in the plan as it stands, one that is not reckoned with too.
fn rep_of(drive: &Drive, code: &str, number: u32) -> Option<String> {
    let rep = drive.standing().rep_of[number as usize];
    if rep != NOBODY {
        return Some(drive.reps[rep as usize].id.clone());
    }
    let mut others = drive.source.journeys.iter().filter(|(rep, _)| drive.vehicle(rep).is_none());
    others.find(|(_, days)| days.outlets().contains(code)).map(|(rep, _)| rep.clone())
}

/// A rep's days, to be changed.
fn days_of<'a>(journeys: &'a mut Journeys, rep: &str) -> Option<&'a mut Days> {
    journeys.get_mut(rep).map(Arc::make_mut)
}

fn slots_of(days: &Days, code: &str) -> Vec<Slot> {
    days.days.iter().filter(|(_, stops)| stops.iter().any(|s| s == code)).map(|(slot, _)| *slot).collect()
}

impl EditPlan {
    fn one(&self, drive: &Drive, journeys: &mut Journeys, code: &String) -> Outcome<()> {
        let number = drive.source.number.get(code).copied().ok_or_else(|| {
            Failure::not_found(format!("{code} is no outlet of {}", drive.source.unit.name))
        })?;
        let has = rep_of(drive, code, number);
        let nobody = || Failure::conflict(format!("{code} is not visited: move it to a rep first"));
        match &self.edit {
            Edit::Pin(pinned) => {
                let days = has.and_then(|rep| days_of(journeys, &rep)).ok_or_else(nobody)?;
                days.pinned.retain(|c| c != code);
                if *pinned {
                    days.pinned.push(code.clone());
                    days.pinned.sort();
                }
                Ok(())
            }
            Edit::Place { day, place } => {
                let slot = Slot::parse(day).map_err(Failure::invalid)?;
                let days = has.and_then(|rep| days_of(journeys, &rep)).ok_or_else(nobody)?;
                let stops = days.days.get_mut(&slot).filter(|stops| stops.contains(code));
                let stops =
                    stops.ok_or_else(|| Failure::not_found(format!("{code} is not visited on {slot}")))?;
                stops.retain(|c| c != code);
                stops.insert(place.saturating_sub(1).min(stops.len()), code.clone());
                Ok(())
            }
            Edit::Move { rep, from, to } => {
                self.movable(journeys, has.as_deref(), code)?;
                let to = to.as_deref().map(weekday).transpose().map_err(Failure::invalid)?;
                let from = from.as_deref().map(weekday).transpose().map_err(Failure::invalid)?;
                let before = has.as_ref().map_or(vec![], |rep| slots_of(&journeys[rep], code));
                let after = slots(&before, from, to, code, drive, number)?;
                let rep = rep.clone().or(has.clone()).ok_or_else(nobody)?;
                if drive.vehicle(&rep).is_none() {
                    let known: Vec<&str> = drive.reps.iter().take(8).map(|r| r.id.as_str()).collect();
                    return Err(Failure::not_found(format!("There is no rep \"{rep}\" here"))
                        .hint(format!("There are {}", known.join(", "))));
                }
                if let Some(slot) = after.iter().find(|slot| drive.day(**slot).is_none()) {
                    return Err(Failure::invalid(format!("{} is no working day here", slot.day())));
                }
                if let Some(days) = has.and_then(|rep| days_of(journeys, &rep)) {
                    days.days.values_mut().for_each(|stops| stops.retain(|c| c != code));
                }
                let distributor = drive.source.distributor_of(&rep);
                let fresh = || Arc::new(Days { distributor, ..Days::default() });
                let days = Arc::make_mut(journeys.entry(rep.clone()).or_insert_with(fresh));
                for slot in after {
                    let stops = days.days.entry(slot).or_default();
                    let place =
                        drive.route(&rep, slot, stops).map_or(stops.len(), |r| drive.best_place(&r, number));
                    stops.insert(place.min(stops.len()), code.clone());
                }
                Ok(())
            }
        }
    }

    fn movable(&self, journeys: &Journeys, has: Option<&str>, code: &String) -> Outcome<()> {
        match has.and_then(|rep| journeys.get(rep)).is_some_and(|days| days.pinned.contains(code)) {
            true => Err(Failure::conflict(format!("{code} is pinned"))
                .hint("`pams plan pin --off`, or p in Routes, frees it")),
            false => Ok(()),
        }
    }
}

/// The days that an outlet is visited on after a move.
fn slots(
    before: &[Slot],
    from: Option<u32>,
    to: Option<u32>,
    code: &str,
    drive: &Drive,
    number: u32,
) -> Outcome<Vec<Slot>> {
    if before.is_empty() {
        // Not visited so far: on one weekday, in as many weeks as it wants.
        let visits = drive.source.task.outlets[number as usize].visits;
        let weeks = super::rules::WEEKS;
        let Some(weekday) = to else {
            return Err(Failure::invalid(format!(
                "{code} is not visited yet: on which weekday shall it be?"
            )));
        };
        let step = weeks / visits.clamp(1, weeks);
        return Ok((0..visits.min(weeks)).map(|n| Slot { week: n * step + 1, weekday }).collect());
    }
    let Some(to) = to else { return Ok(before.to_vec()) };
    let weekdays: BTreeSet<u32> = before.iter().map(|s| s.weekday).collect();
    let from = match (from, weekdays.len()) {
        (Some(from), _) if !weekdays.contains(&from) => {
            return Err(Failure::not_found(format!("{code} is not visited on that weekday")));
        }
        (Some(from), _) => from,
        (None, 1) => before[0].weekday,
        (None, n) => {
            return Err(Failure::invalid(format!("{code} is visited on {n} weekdays: from which of them?"))
                .hint("Say it with --from, or move it from its day in Routes"));
        }
    };
    if from != to && weekdays.contains(&to) {
        return Err(Failure::conflict(format!("{code} is visited on that weekday already")));
    }
    let moved = |slot: &Slot| Slot { weekday: if slot.weekday == from { to } else { slot.weekday }, ..*slot };
    Ok(before.iter().map(moved).collect())
}

/// What becomes of the plan as it stands: the whole measured before and after, by the same
/// measure.
fn impact(drive: &Drive, after: &Journeys, outlets: usize) -> Impact {
    let was = drive.standing();
    let is = drive.measured(after, was);
    let (q_was, q_is) = (drive.quality(was), drive.quality(&is));
    let mut reps: Vec<(RepSum, RepSum)> = drive.sums(was).into_iter().zip(drive.sums(&is)).collect();
    reps.retain(|(a, b)| {
        a != b && (a.visits, a.minutes, a.broken_days) != (b.visits, b.minutes, b.broken_days)
    });
    let broken_in = |plan: &Plan, other: &Plan| -> BTreeSet<String> {
        let there: BTreeSet<&Route> = other.routes.iter().collect();
        let changed = plan.routes.iter().filter(|r| !there.contains(r) && drive.broken(r).is_some());
        changed
            .map(|r| {
                let driven = drive.driven(r, &[]);
                format!("{} {}: {}", driven.rep_name, driven.day, driven.broken)
            })
            .collect()
    };
    let new = broken_in(&is.plan, &was.plan);
    let broken: Vec<String> = new.difference(&broken_in(&was.plan, &is.plan)).cloned().collect();
    let km = a_week(q_is.km - q_was.km);
    let minutes = a_week(q_is.travel_minutes - q_was.travel_minutes);
    let mut word = match (km.abs() < 0.05, minutes.abs() < 0.5) {
        (true, true) => "no more and no less to drive".to_owned(),
        _ => format!("{km:+.1} km, {minutes:+.0} min of travel a week"),
    };
    let visits = |plan: &Plan| plan.routes.iter().map(|r| r.stops.len()).sum::<usize>() as i64;
    let more = visits(&is.plan) - visits(&was.plan);
    if more != 0 {
        word.push_str(&format!(", {more:+} visits"));
    }
    if !broken.is_empty() {
        word.push_str(&format!(", breaks a rule on {}", count(broken.len(), "day")));
    }
    Impact { outlets, before: q_was, after: q_is, reps, broken, word }
}
