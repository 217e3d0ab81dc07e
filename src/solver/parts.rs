//! Parts of a plan that can be worked on beside each other: routes that share customers
//! stay together, and near ones with them; the cut turns so that seams move.

use super::engine::Working;
use super::problem::{Problem, Route};
use super::state::{Field, NONE};

pub struct Part {
    /// Its customers as places of the whole field, in order.
    pub members: Vec<u32>,
    pub field: Field,
    /// In its own customers.
    pub routes: Vec<Route>,
}

impl Part {
    /// All of it as one part.
    pub fn whole(field: &Field, plan: &Working) -> Part {
        Part {
            members: (0..field.ids.len() as u32).collect(),
            field: Field {
                ids: field.ids.clone(),
                near: field.near.clone(),
                k: field.k,
                beside: field.beside,
            },
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
    let mut scratch = Vec::new();
    let parts = members.into_iter().zip(routes).filter(|(members, _)| !members.is_empty());
    parts
        .map(|(members, routes)| Part { field: field.part(&members, &mut scratch), members, routes })
        .collect()
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
    if problem.days > 1 {
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
