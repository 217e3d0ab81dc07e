//! Parts of a plan that can be worked on beside each other: routes that share customers
//! stay together, and near ones with them; the cut turns so that seams move.

use super::engine::Working;
use super::problem::{Problem, Route};
use super::soft;
use super::state::{Field, NONE};

pub struct Part {
    /// Its customers as places of the whole field, in order.
    pub members: Vec<u32>,
    pub field: Field,
    /// In its own customers.
    pub routes: Vec<Route>,
    /// How many routes it may have of each vehicle on each day.
    pub quota: Vec<u32>,
    /// How many of its customers may be changed.
    pub most_changed: u32,
}

impl Part {
    /// All of it as one part.
    pub fn whole(problem: &Problem, field: &Field, plan: &Working) -> Part {
        Part {
            quota: problem.quota(),
            most_changed: problem.most_changed,
            members: (0..field.ids.len() as u32).collect(),
            field: field.clone(),
            routes: plan.routes.clone(),
        }
    }
}

/// Routes that share a customer, and where they lie.
struct Group {
    routes: Vec<u32>,
    customers: usize,
    at: (f64, f64),
}

/// Cuts a plan into `count` parts of about as many customers.
pub fn split(
    field: &Field,
    problem: &Problem,
    plan: &Working,
    count: usize,
    round: u64,
    seed: u64,
) -> Vec<Part> {
    let mut rng = fastrand::Rng::with_seed(seed ^ round.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut groups = groups(field, problem, plan);
    let mut owner = vec![NONE; field.ids.len()];
    let angle = rng.f64() * std::f64::consts::TAU;
    let mut number = 0;
    cut(&mut groups, count, angle, &mut |groups| {
        for route in groups.iter().flat_map(|g| &g.routes) {
            plan.routes[*route as usize].stops.iter().for_each(|s| owner[*s as usize] = number);
        }
        number += 1;
    });
    // Who is unserved goes with somebody near.
    for customer in &plan.unserved {
        let near = field.near(*customer).iter().take_while(|n| **n != NONE);
        let of = near.map(|n| owner[*n as usize]).find(|o| *o != NONE).unwrap_or(0);
        owner[*customer as usize] = of;
    }
    let mut members = vec![Vec::new(); (number as usize).max(1)];
    let mut place = vec![NONE; field.ids.len()];
    for (customer, owner) in owner.iter().enumerate() {
        let list = &mut members[*owner as usize];
        place[customer] = list.len() as u32;
        list.push(customer as u32);
    }
    let mut routes = vec![Vec::new(); members.len()];
    for route in &plan.routes {
        let Some(first) = route.stops.first() else { continue };
        let stops = route.stops.iter().map(|s| place[*s as usize]).collect();
        routes[owner[*first as usize] as usize].push(Route { stops, ..*route });
    }
    let quotas = quotas(problem, &routes);
    let most_changed = shares_of_changes(field, problem, plan, &members);
    let mut scratch = Vec::new();
    let parts = members.into_iter().zip(routes).zip(quotas.into_iter().zip(most_changed));
    parts
        .filter(|((members, _), _)| !members.is_empty())
        .map(|((members, routes), (quota, most_changed))| Part {
            field: field.part(&members, &mut scratch),
            members,
            routes,
            quota,
            most_changed,
        })
        .collect()
}

/// What each part may have of the vehicles: those that it uses, and a share of the others.
/// A vehicle that alone visits its customers is all in one part.
fn quotas(problem: &Problem, parts: &[Vec<Route>]) -> Vec<Vec<u32>> {
    let days = problem.days as usize;
    let mut free = problem.quota();
    let mut quotas = vec![vec![0; free.len()]; parts.len()];
    let mut part_of = vec![NONE; problem.vehicles.len()];
    for (number, routes) in parts.iter().enumerate() {
        for route in routes {
            let slot = route.vehicle as usize * days + route.day as usize;
            part_of[route.vehicle as usize] = number as u32;
            quotas[number][slot] += 1;
            free[slot] = free[slot].saturating_sub(1);
        }
    }
    let count = parts.len() as u32;
    for (number, quota) in quotas.iter_mut().enumerate() {
        let number = number as u32;
        for (slot, (quota, free)) in quota.iter_mut().zip(&free).enumerate() {
            let vehicle = slot / days;
            *quota += match problem.consistent {
                true if part_of[vehicle] == NONE => *free * u32::from(vehicle as u32 % count == number),
                true => *free * u32::from(part_of[vehicle] == number),
                false => *free / count + u32::from(number < *free % count),
            };
        }
    }
    quotas
}

/// How many customers of each part may be changed: those that are, and a share of what is
/// left to the whole.
fn shares_of_changes(field: &Field, problem: &Problem, plan: &Working, members: &[Vec<u32>]) -> Vec<u32> {
    if problem.current.is_empty() || problem.most_changed == u32::MAX {
        return vec![u32::MAX; members.len()];
    }
    let mut given = vec![(0, 0u32); field.ids.len()];
    for route in &plan.routes {
        for stop in &route.stops {
            let (vehicle, days) = &mut given[*stop as usize];
            (*vehicle, *days) = (route.vehicle, *days | 1 << route.day);
        }
    }
    let is_changed = |c: &&u32| {
        let (vehicle, days) = given[**c as usize];
        days != 0 && soft::is_changed(problem, field.ids[**c as usize] as usize, vehicle, days)
    };
    let changed: Vec<u32> = members.iter().map(|m| m.iter().filter(is_changed).count() as u32).collect();
    let left = problem.most_changed.saturating_sub(changed.iter().sum());
    let share = |m: &Vec<u32>| (u64::from(left) * m.len() as u64 / field.ids.len() as u64) as u32;
    members.iter().zip(changed).map(|(m, changed)| changed + share(m)).collect()
}

fn groups(field: &Field, problem: &Problem, plan: &Working) -> Vec<Group> {
    let mut leader: Vec<u32> = (0..plan.routes.len() as u32).collect();
    fn find(leader: &mut [u32], mut of: u32) -> u32 {
        while leader[of as usize] != of {
            leader[of as usize] = leader[leader[of as usize] as usize];
            of = leader[of as usize];
        }
        of
    }
    let mut route_by = vec![NONE; if problem.consistent { problem.vehicles.len() } else { 0 }];
    if problem.consistent {
        for (number, route) in plan.routes.iter().enumerate() {
            match route_by[route.vehicle as usize] {
                NONE => route_by[route.vehicle as usize] = number as u32,
                other => leader[number] = other,
            }
        }
    } else if problem.days > 1 {
        let mut route_of = vec![NONE; field.ids.len()];
        for (number, route) in plan.routes.iter().enumerate() {
            for stop in &route.stops {
                let slot = &mut route_of[*stop as usize];
                match *slot {
                    NONE => *slot = number as u32,
                    other => {
                        let (a, b) = (find(&mut leader, other), find(&mut leader, number as u32));
                        leader[b as usize] = a;
                    }
                }
            }
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = vec![NONE; plan.routes.len()];
    for (number, route) in plan.routes.iter().enumerate() {
        let of = find(&mut leader, number as u32) as usize;
        if group_of[of] == NONE {
            group_of[of] = groups.len() as u32;
            groups.push(Group { routes: vec![], customers: 0, at: (0.0, 0.0) });
        }
        let group = &mut groups[group_of[of] as usize];
        group.routes.push(number as u32);
        group.customers += route.stops.len();
        for stop in &route.stops {
            let (x, y) = problem.position(field.ids[*stop as usize] as usize);
            group.at = (group.at.0 + x, group.at.1 + y);
        }
    }
    for group in &mut groups {
        let n = group.customers.max(1) as f64;
        group.at = (group.at.0 / n, group.at.1 / n);
    }
    groups
}

/// Halves groups along a direction, then each half across it.
fn cut(groups: &mut [Group], count: usize, angle: f64, take: &mut impl FnMut(&[Group])) {
    if count <= 1 || groups.len() <= 1 {
        return take(groups);
    }
    let (x, y) = (angle.cos(), angle.sin());
    groups.sort_by(|a, b| (a.at.0 * x + a.at.1 * y).total_cmp(&(b.at.0 * x + b.at.1 * y)));
    let all: usize = groups.iter().map(|g| g.customers).sum();
    let left = count / 2;
    let (mut sum, mut place) = (0, 0);
    while place + 1 < groups.len() && (place == 0 || sum * count < all * left) {
        sum += groups[place].customers;
        place += 1;
    }
    let (a, b) = groups.split_at_mut(place);
    cut(a, left, angle + std::f64::consts::FRAC_PI_2, take);
    cut(b, count - left, angle + std::f64::consts::FRAC_PI_2, take);
}

/// Puts parts together again.
pub fn merge(members: &[Vec<u32>], parts: Vec<Working>) -> Working {
    let mut all = Working { best_cost: i64::MAX, ..Working::default() };
    for (members, part) in members.iter().zip(parts) {
        let whole = |place: &u32| members[*place as usize];
        all.routes
            .extend(part.routes.iter().map(|r| Route { stops: r.stops.iter().map(whole).collect(), ..*r }));
        all.unserved.extend(part.unserved.iter().map(whole));
        all.cost += part.cost;
        all.steps += part.steps;
    }
    all
}
