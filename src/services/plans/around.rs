//! A run around an edit: it gets the reps near what was edited and nothing else, and what it
//! finds takes the place of their days in the plan. So it is as quick in a unit of 50,000
//! outlets as in a small one.

use super::drive::Drive;
use super::journeys::Journeys;
use super::run::Best;
use super::source::Source;
use crate::domain::Outcome;
use crate::solver::journey::{Outlet, Task};
use crate::solver::problem::distance;
use std::collections::{BTreeMap, BTreeSet};

/// Outlets around each that was edited, whose reps take part.
const NEAR: usize = 60;
/// Edited outlets that are looked around of: those of one edit lie together.
const LOOKED: usize = 40;

/// The reps near edited outlets, by the plan that the run begins with.
fn reps<'a>(source: &'a Source, plan: &'a Journeys, edited: &[String]) -> Outcome<BTreeSet<&'a String>> {
    let mut rep_of = BTreeMap::new();
    for (rep, days) in plan {
        rep_of.extend(days.days.values().flatten().map(|code| (code.as_str(), rep)));
    }
    let at = &source.ground()?.0.at;
    let mut found: BTreeSet<&String> =
        edited.iter().filter_map(|c| rep_of.get(c.as_str()).copied()).collect();
    for code in edited.iter().step_by(edited.len().div_ceil(LOOKED).max(1)) {
        let Some(here) = source.number.get(code).map(|n| at[*n as usize]) else { continue };
        let mut all: Vec<(f64, u32)> = (0..).zip(at).map(|(n, there)| (distance(here, *there), n)).collect();
        let near = NEAR.min(all.len());
        all.select_nth_unstable_by(near - 1, |a, b| a.0.total_cmp(&b.0));
        let codes = all[..near].iter().map(|(_, n)| source.task.outlets[*n as usize].id.as_str());
        found.extend(codes.filter_map(|code| rep_of.get(code).copied()));
    }
    // Nobody visits anything near: everybody could.
    if found.is_empty() {
        found.extend(plan.keys());
    }
    // An outlet that a rep of another distributor has can go back to those of its own: they
    // take part too, or nobody could visit it.
    let edited: BTreeSet<&String> = edited.iter().collect();
    loop {
        let takes_part = |o: &&Outlet| {
            edited.contains(&o.id) || rep_of.get(o.id.as_str()).is_some_and(|rep| found.contains(rep))
        };
        let outlets = source.task.outlets.iter().filter(takes_part);
        let wanted: BTreeSet<&str> = outlets.map(|o| o.distributor.as_str()).collect();
        let reps = source.task.reps.iter().filter(|rep| found.contains(&rep.id));
        let known: BTreeSet<&str> = reps.map(|rep| rep.distributor.as_str()).collect();
        let is_missing = |of: &str| wanted.contains(of) && !known.contains(of);
        let more = source.task.reps.iter().filter(|rep| is_missing(&rep.distributor));
        let more: Vec<&String> = more.map(|rep| &rep.id).collect();
        if more.is_empty() {
            return Ok(found);
        }
        found.extend(more);
    }
}

/// The part of a unit that a run around edited outlets gets: near reps with what they have,
/// and what was edited.
pub fn part(source: &Source, plan: &Journeys, edited: &[String]) -> Outcome<(Task, Journeys)> {
    let near = reps(source, plan, edited)?;
    let plan: Journeys =
        plan.iter().filter(|(rep, _)| near.contains(rep)).map(|(r, d)| (r.clone(), d.clone())).collect();
    let reps = source.task.reps.iter().filter(|rep| near.contains(&rep.id));
    let mut task = Task { reps: reps.cloned().collect(), ..source.held.task(&source.unit.name) };
    let mut codes: BTreeSet<&str> = plan.values().flat_map(|days| days.outlets()).collect();
    codes.extend(edited.iter().map(String::as_str));
    let outlets = source.task.outlets.iter().filter(|o| codes.contains(o.id.as_str()));
    task.outlets = outlets.cloned().collect();
    // Those without a rep too: as many as the work takes are reckoned with.
    let mut of: BTreeSet<&str> = task.reps.iter().map(|rep| rep.distributor.as_str()).collect();
    of.extend(task.outlets.iter().map(|o| o.distributor.as_str()));
    let distributors = source.task.distributors.iter().filter(|d| of.contains(d.id.as_str()));
    task.distributors = distributors.cloned().collect();
    Ok((task, plan))
}

/// The whole plan with what a run around edited outlets has found in it.
pub fn whole(source: &Source, edited: &[String], mut best: Best) -> Outcome<Best> {
    let before = source.begins_with()?;
    let near = reps(source, before, edited)?;
    let mut after: Journeys =
        before.iter().filter(|(rep, _)| !near.contains(rep)).map(|(r, d)| (r.clone(), d.clone())).collect();
    after.extend(best.journeys()?);
    let drive = Drive::of(source)?;
    let was = drive.measured(before, drive.standing());
    best.before = Some(drive.quality(&was));
    best.figures = drive.quality(&drive.measured(&after, &was));
    best.set_journeys(&after)?;
    Ok(best)
}
