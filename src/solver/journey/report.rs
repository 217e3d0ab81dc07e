//! A plan in planners' terms: routes by rep, week and weekday, its figures beside those of
//! the plan in force, who changes, who is not visited and why.

use super::build::Built;
use super::explain::Tried;
use super::quality::{Quality, quality};
use super::{Day, DayRoute, Task, WEEKDAYS};
use crate::solver::problem::{Plan, Problem};
use crate::solver::soft;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub journey: String,
    pub outlets: usize,
    pub reps: usize,
    pub visits: usize,
    pub days: usize,
    /// Minutes of travel, and no plan needs fewer.
    pub cost: f64,
    pub lower_bound: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_pct: Option<f64>,
    /// Every outlet is visited as often as it wants.
    pub feasible: bool,
    pub quality: Quality,
    /// The plan in force by the same figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Quality>,
    pub changed: Vec<Changed>,
    pub unserved: Vec<Unserved>,
    pub notes: Vec<String>,
    pub routes: Vec<Planned>,
}

/// A rep's day of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    #[serde(flatten)]
    pub route: DayRoute,
    /// Travel and visits.
    pub minutes: f64,
    pub travel_minutes: f64,
}

/// An outlet whose rep or days are others than in the plan in force.
#[derive(Clone, Debug, Serialize)]
pub struct Changed {
    pub outlet: String,
    pub from: Visits,
    pub to: Visits,
}

/// Who visits an outlet, and when.
#[derive(Clone, Debug, Serialize)]
pub struct Visits {
    pub rep: String,
    pub days: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Unserved {
    pub outlet: String,
    pub why: String,
}

/// Tells a plan that the checker has passed.
pub fn report(task: &Task, built: &Built, plan: &Plan) -> Outcome {
    let problem = &built.problem;
    let quality_of = |plan: &Plan| quality(built, &task.travel, plan);
    let tried = Tried::new(problem, plan);
    let name = |customer: u32| task.outlets[customer as usize].id.clone();
    // Beside each other: somebody waits for an edit.
    let (now, before, lower) = std::thread::scope(|scope| {
        let before = built.before.as_ref().map(|plan| scope.spawn(|| quality_of(plan)));
        let (now, lower) = (quality_of(plan), lower_bound(problem) / 60.0);
        (now, before.and_then(|before| before.join().ok()), lower)
    });
    let gap = task.known_minutes.map(|known| (now.travel_minutes / known - 1.0) * 100.0);
    Outcome {
        journey: task.name.clone(),
        outlets: task.outlets.len(),
        reps: built.reps.len(),
        visits: plan.routes.iter().map(|r| r.stops.len()).sum(),
        days: plan.routes.len(),
        cost: now.travel_minutes,
        lower_bound: lower,
        known: task.known_minutes,
        gap_pct: gap,
        feasible: plan.unserved.is_empty(),
        before,
        quality: now,
        changed: changed(task, built, plan),
        unserved: plan
            .unserved
            .iter()
            .map(|c| Unserved { outlet: name(*c), why: tried.why_unserved(*c).to_owned() })
            .collect(),
        notes: built.notes.clone(),
        routes: plan.routes.iter().map(|r| planned(task, built, r)).collect(),
    }
}

fn planned(task: &Task, built: &Built, route: &crate::solver::problem::Route) -> Planned {
    let problem = &built.problem;
    let length = soft::length(problem, route) as f64 / 60.0;
    let stay: f64 =
        route.stops.iter().map(|s| f64::from(problem.customers[*s as usize].service) / 60.0).sum();
    let Day { rep, week, day } = day_of(task, built, route.vehicle, route.day);
    let outlets = route.stops.iter().map(|s| task.outlets[*s as usize].id.clone()).collect();
    Planned { route: DayRoute { rep, week, day, outlets }, minutes: length, travel_minutes: length - stay }
}

/// A vehicle's day in planners' terms.
pub fn day_of(task: &Task, built: &Built, vehicle: u32, day: u32) -> Day {
    Day {
        rep: built.reps[vehicle as usize].id.clone(),
        week: day / task.days_per_week + 1,
        day: WEEKDAYS[(day % task.days_per_week) as usize].to_owned(),
    }
}

/// Days of the cycle as people say them: "Tue 1".
pub fn days_of(task: &Task, days: u32) -> Vec<String> {
    let one =
        |d: u32| format!("{} {}", WEEKDAYS[(d % task.days_per_week) as usize], d / task.days_per_week + 1);
    (0..task.weeks * task.days_per_week).filter(|d| days & 1 << d != 0).map(one).collect()
}

fn changed(task: &Task, built: &Built, plan: &Plan) -> Vec<Changed> {
    let problem = &built.problem;
    let mut now = vec![(0, 0u32); problem.customers.len()];
    for route in &plan.routes {
        for stop in &route.stops {
            let (vehicle, days) = &mut now[*stop as usize];
            (*vehicle, *days) = (route.vehicle, *days | 1 << route.day);
        }
    }
    let visits = |(vehicle, days): (u32, u32)| Visits {
        rep: built.reps[vehicle as usize].id.clone(),
        days: days_of(task, days),
    };
    let mut all = Vec::new();
    for (customer, before) in problem.current.iter().enumerate() {
        let Some(before) = before else { continue };
        if now[customer].1 != 0 && now[customer] != *before {
            let outlet = task.outlets[customer].id.clone();
            all.push(Changed { outlet, from: visits(*before), to: visits(now[customer]) });
        }
    }
    all
}

/// Travel that no plan is below, in seconds: the larger of two bounds. Each visit is left
/// and reached, at best along the two shortest ways there are from it; and each day's route
/// goes as far as its farthest outlet, of which there are at most `max_stops` (the radial
/// bound of Haimovich and Rinnooy Kan, 1985).
pub fn lower_bound(problem: &Problem) -> f64 {
    let points: Vec<(f64, f64)> = (0..problem.customers.len()).map(|c| problem.position(c)).collect();
    let near = crate::solver::geometry::nearest(&points, 2);
    let (mut ways, mut radial) = (0.0, 0.0);
    for (n, row) in near.chunks_exact(2).enumerate() {
        let set = &problem.patterns[problem.customers[n].patterns as usize];
        let visits = f64::from(set.iter().map(|p| p.count_ones()).min().unwrap_or(0));
        let fleet = || problem.fleet(n).map(|v| &problem.vehicles[v as usize]);
        let home = fleet().map(|v| problem.travel(problem.depot_place(v.depot), n)).min().unwrap_or(0);
        let mut two: Vec<i32> =
            row.iter().filter(|o| **o != u32::MAX).map(|o| problem.travel(n, *o as usize)).collect();
        two.extend([home, home]);
        two.sort_unstable();
        ways += visits * f64::from(two[0] + two[1]) / 2.0;
        let most = fleet().map(|v| v.max_stops).max().unwrap_or(1);
        radial += visits * 2.0 * f64::from(home) / f64::from(most.max(1));
    }
    f64::max(ways, radial)
}
