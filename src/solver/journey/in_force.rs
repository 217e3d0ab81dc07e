//! A plan in force: read as it is, and what of it can be begun with.

use super::{Beat, InForce, Task, weekday};
use crate::solver::check::broken_rule;
use crate::solver::problem::{Plan, Problem, Route};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A plan in force as routes; what it names that is not there is noted.
pub fn routes_in_force(
    task: &Task,
    plan: &InForce,
    places: &HashMap<&str, u32>,
    reps: &HashMap<&str, u32>,
    notes: &mut Vec<String>,
) -> Plan {
    let mut days = BTreeMap::<(u32, u32), Vec<(f64, u32)>>::new();
    let (mut gone, mut nobody) = (HashSet::new(), HashSet::new());
    let mut visit = |rep: &str, outlet: &str, day: Option<u32>, order: f64| match (
        reps.get(rep),
        places.get(outlet),
        day,
    ) {
        (_, None, _) => _ = gone.insert(outlet.to_owned()),
        (Some(rep), Some(place), Some(day)) => days.entry((*rep, day)).or_default().push((order, *place)),
        _ => _ = nobody.insert(rep.to_owned()),
    };
    let number = |week: u32, day: &str| {
        let day = weekday(day).ok().filter(|d| *d < task.days_per_week)?;
        (1..=task.weeks).contains(&week).then_some((week - 1) * task.days_per_week + day)
    };
    for route in &plan.routes {
        for (order, outlet) in route.outlets.iter().enumerate() {
            visit(&route.rep, outlet, number(route.week, &route.day), order as f64);
        }
    }
    for beat in &plan.beats {
        let visits = places.get(beat.outlet.as_str()).map_or(1, |p| task.outlets[*p as usize].visits);
        for week in weeks_of(beat, visits, task.weeks) {
            visit(&beat.rep, &beat.outlet, number(week, &beat.weekday), beat.order);
        }
    }
    if !gone.is_empty() {
        notes.push(format!("{} outlets of the plan in force are not in the task any more", gone.len()));
    }
    if !nobody.is_empty() {
        notes
            .push(format!("{} reps or days of the plan in force are not in the task any more", nobody.len()));
    }
    let mut routes = Vec::new();
    for ((vehicle, day), mut stops) in days {
        stops.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut seen = HashSet::new();
        let stops = stops.into_iter().map(|(_, place)| place).filter(|place| seen.insert(*place)).collect();
        routes.push(Route { vehicle, day, stops });
    }
    let mut served = vec![false; task.outlets.len()];
    routes.iter().flat_map(|r| &r.stops).for_each(|s| served[*s as usize] = true);
    Plan { routes, unserved: (0..served.len() as u32).filter(|n| !served[*n as usize]).collect() }
}

/// Weeks of an outlet on a beat: those that it says, else as many as its visits, evenly.
fn weeks_of(beat: &Beat, visits: u32, weeks: u32) -> Vec<u32> {
    match beat.weeks.is_empty() {
        false => beat.weeks.clone(),
        true => {
            let count = visits.clamp(1, weeks);
            (0..count).map(|n| 1 + n * weeks / count).collect()
        }
    }
}

/// Vehicle and days of each customer.
pub fn current(plan: &Plan, customers: usize) -> Vec<Option<(u32, u32)>> {
    let mut current: Vec<Option<(u32, u32)>> = vec![None; customers];
    for route in &plan.routes {
        for stop in &route.stops {
            let (_, days) = current[*stop as usize].get_or_insert((route.vehicle, 0));
            *days |= 1 << route.day;
        }
    }
    current
}

/// What of a plan keeps every rule: customers whose vehicle or days are not allowed are
/// taken out, and those farthest out of the way of routes that are too long.
pub fn drivable(problem: &Problem, plan: &Plan) -> Plan {
    let mut out = vec![false; problem.customers.len()];
    let given = current(plan, problem.customers.len());
    let mut vehicles = vec![0; problem.customers.len()];
    for route in &plan.routes {
        for stop in &route.stops {
            let one = given[*stop as usize].is_some_and(|(vehicle, _)| vehicle == route.vehicle);
            vehicles[*stop as usize] = route.vehicle;
            let day_off = problem.vehicles[route.vehicle as usize].days & 1 << route.day == 0;
            if !one || day_off {
                out[*stop as usize] = true;
            }
        }
    }
    for (n, given) in given.iter().enumerate() {
        let customer = &problem.customers[n];
        let allowed = |(vehicle, days): (u32, u32)| {
            problem.may_visit(vehicle, n) && problem.patterns[customer.patterns as usize].contains(&days)
        };
        out[n] = out[n] || !given.is_some_and(allowed);
    }
    let mut routes = plan.routes.clone();
    loop {
        let mut more = false;
        for route in &mut routes {
            route.stops.retain(|s| !out[*s as usize]);
            while !route.stops.is_empty() && broken_rule(problem, route).is_some() {
                let worst = farthest_out_of_the_way(problem, route);
                out[route.stops.remove(worst) as usize] = true;
                more = true;
            }
        }
        if !more {
            break;
        }
    }
    routes.retain(|r| !r.stops.is_empty());
    Plan { routes, unserved: (0..out.len() as u32).filter(|n| out[*n as usize]).collect() }
}

/// The place of the stop without which a route is the most shorter.
fn farthest_out_of_the_way(problem: &Problem, route: &Route) -> usize {
    let home = problem.depot_place(problem.vehicles[route.vehicle as usize].depot);
    let place = |n: Option<usize>| n.and_then(|n| route.stops.get(n)).map_or(home, |s| *s as usize);
    let detour = |n: usize| {
        let (before, here, behind) = (place(n.checked_sub(1)), place(Some(n)), place(Some(n + 1)));
        let stay = problem.customers[here].service;
        problem.travel(before, here) + stay + problem.travel(here, behind) - problem.travel(before, behind)
    };
    (0..route.stops.len()).max_by_key(|n| detour(*n)).unwrap_or(0)
}
