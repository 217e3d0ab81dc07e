//! The checker: recomputes a plan's cost and every hard rule from the problem and the plan
//! alone. It shares nothing with the engine but the types.

use super::problem::{Pin, Plan, Problem, Route, Why};

/// What a plan is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worth {
    /// Whole units: divided by [`Problem::unit`] it is the instance's own.
    pub cost: i64,
    pub routes: usize,
    pub visits: usize,
    pub unserved: usize,
}

/// Recomputes a plan.
///
/// # Errors
/// Every rule that is broken, in words: the first 20.
pub fn check(problem: &Problem, plan: &Plan) -> Result<Worth, Vec<String>> {
    let mut wrong = Vec::new();
    let mut worth = Worth { unserved: plan.unserved.len(), ..Worth::default() };
    let mut days = vec![0u32; problem.customers.len()];
    let mut by: Vec<Option<u32>> = vec![None; problem.customers.len()];
    let mut used = std::collections::HashMap::<(u32, u32), u32>::new();
    for (number, route) in plan.routes.iter().enumerate() {
        let name = format!("Route {}", number + 1);
        if route.stops.is_empty() {
            wrong.push(format!("{name} visits nobody"));
            continue;
        }
        if route.day >= problem.days || route.vehicle as usize >= problem.vehicles.len() {
            wrong.push(format!("{name} is of a day or a vehicle that is not there"));
            continue;
        }
        *used.entry((route.vehicle, route.day)).or_default() += 1;
        if problem.vehicles[route.vehicle as usize].days & 1 << route.day == 0 {
            wrong.push(format!("{name} is on a day on which its vehicle does not drive"));
        }
        for stop in &route.stops {
            let Some(seen) = days.get_mut(*stop as usize) else {
                wrong.push(format!("{name} visits a customer that is not there"));
                return Err(wrong);
            };
            if *seen & 1 << route.day != 0 {
                wrong.push(format!(
                    "Customer {} is visited twice on day {}",
                    problem.customers[*stop as usize].label,
                    route.day + 1
                ));
            }
            *seen |= 1 << route.day;
            if !problem.may_visit(route.vehicle, *stop as usize) {
                wrong.push(format!(
                    "{name} visits customer {}, which its vehicle may not",
                    problem.customers[*stop as usize].label
                ));
            }
            match &mut by[*stop as usize] {
                Some(other) if problem.consistent && *other != route.vehicle => wrong.push(format!(
                    "Customer {} is visited by two vehicles",
                    problem.customers[*stop as usize].label
                )),
                of => *of = Some(route.vehicle),
            }
        }
        worth.routes += 1;
        worth.visits += route.stops.len();
        worth.cost += drive(problem, route, &name, &mut |_, text| wrong.push(text));
    }
    for ((vehicle, day), count) in used {
        let most = problem.vehicles[vehicle as usize].count;
        if count > most {
            wrong.push(format!("Day {} has {count} routes of a vehicle of which there are {most}", day + 1));
        }
    }
    pins(problem, plan, &mut wrong);
    let changed = problem.current.iter().zip(&by).zip(&days);
    let changed = changed
        .filter(|((now, by), days)| matches!((now, by), (Some(now), Some(by)) if *now != (*by, **days)));
    let changed = changed.count();
    if changed > problem.most_changed as usize {
        wrong.push(format!("{changed} customers are changed, at most {} may be", problem.most_changed));
    }
    let mut left = vec![false; problem.customers.len()];
    for customer in &plan.unserved {
        match left.get_mut(*customer as usize) {
            Some(left) if !*left => *left = true,
            _ => wrong.push("A customer is unserved twice, or is not there".into()),
        }
    }
    for ((customer, days), left) in problem.customers.iter().zip(&days).zip(&left) {
        let allowed = &problem.patterns[customer.patterns as usize];
        match (left, days) {
            (true, 0) => {}
            (true, _) => wrong.push(format!("Customer {} is visited and called unserved", customer.label)),
            (false, 0) => wrong.push(format!("Customer {} is missing", customer.label)),
            (false, days) if !allowed.contains(days) => {
                wrong.push(format!("The days of customer {} are none of its combinations", customer.label));
            }
            _ => {}
        }
    }
    wrong.truncate(20);
    if wrong.is_empty() { Ok(worth) } else { Err(wrong) }
}

/// What pins hold is where they hold it.
fn pins(problem: &Problem, plan: &Plan, wrong: &mut Vec<String>) {
    for Pin { route, closed } in &problem.pins {
        let same = |r: &&Route| (r.vehicle, r.day) == (route.vehicle, route.day);
        let stops = plan.routes.iter().find(same).map_or(&[][..], |r| &r.stops);
        if !stops.starts_with(&route.stops) || *closed && stops.len() != route.stops.len() {
            wrong.push(format!(
                "The route of vehicle {} on day {} is not as it is pinned",
                route.vehicle + 1,
                route.day + 1
            ));
        }
    }
}

/// The first rule that a route breaks, of those that it alone can break.
pub fn broken_rule(problem: &Problem, route: &Route) -> Option<Why> {
    let mut broken = None;
    drive(problem, route, "", &mut |why, _| broken = broken.or(Some(why)));
    broken
}

/// Drives a route; its cost.
fn drive(problem: &Problem, route: &Route, name: &str, wrong: &mut dyn FnMut(Why, String)) -> i64 {
    let vehicle = &problem.vehicles[route.vehicle as usize];
    let depot = &problem.depots[vehicle.depot as usize];
    let home = problem.depot_place(vehicle.depot);
    let load: i64 = route.stops.iter().map(|s| i64::from(problem.customers[*s as usize].demand)).sum();
    if load > i64::from(vehicle.capacity) {
        wrong(Why::Capacity, format!("{name} carries {load}, its vehicle {}", vehicle.capacity));
    }
    if route.stops.len() > vehicle.max_stops as usize {
        wrong(
            Why::Stops,
            format!("{name} visits {}, at most {} are allowed", route.stops.len(), vehicle.max_stops),
        );
    }
    let arcs = || {
        let from = std::iter::once(home).chain(route.stops.iter().map(|s| *s as usize));
        from.zip(route.stops.iter().map(|s| *s as usize).chain([home]))
    };
    let travel: i64 = arcs().map(|(a, b)| i64::from(problem.travel(a, b))).sum();
    let service: i64 = route.stops.iter().map(|s| i64::from(problem.customers[*s as usize].service)).sum();
    // Forward as early as can be, for the windows.
    let mut now = i64::from(depot.window.0);
    for (from, to) in arcs() {
        now += i64::from(problem.travel(from, to));
        let (early, late, stay) = match problem.customers.get(to) {
            Some(c) => (c.window.0, c.window.1, c.service),
            None => (depot.window.0, depot.window.1, 0),
        };
        now = now.max(i64::from(early));
        if now > i64::from(late) {
            wrong(
                Why::Window,
                match problem.customers.get(to) {
                    Some(c) => format!("{name} comes to customer {} at {now}, later than {late}", c.label),
                    None => format!("{name} is back at {now}, later than {late}"),
                },
            );
            break;
        }
        now += i64::from(stay);
    }
    // The longest way round cannot be shortened by leaving later than what the last
    // window allows: backwards as late as can be, then forward from there.
    let mut latest = i64::from(depot.window.1);
    for (from, to) in arcs().collect::<Vec<_>>().into_iter().rev() {
        let late = match problem.customers.get(to) {
            Some(c) => latest.min(i64::from(c.window.1)),
            None => latest,
        };
        let stay = problem.customers.get(from).map_or(0, |c| i64::from(c.service));
        latest = late - i64::from(problem.travel(from, to)) - stay;
    }
    let mut now = latest.max(i64::from(depot.window.0));
    let begin = now;
    for (from, to) in arcs() {
        now += i64::from(problem.travel(from, to));
        if let Some(c) = problem.customers.get(to) {
            now = now.max(i64::from(c.window.0)) + i64::from(c.service);
        }
    }
    let lasts = (now - begin).max(travel + service);
    if lasts > i64::from(vehicle.max_duration) {
        wrong(Why::Duration, format!("{name} lasts {lasts}, at most {} is allowed", vehicle.max_duration));
    }
    travel + i64::from(vehicle.fixed_cost)
}
