//! A plan that was edited is mended where it was edited: the vehicles near the customers
//! that changed are planned anew, everybody else stays as they are.

use super::engine::{Control, Run, Solved, Working};
use super::geometry::{along_curve, neighbours};
use super::parts::Part;
use super::problem::{Plan, Problem, Route, distance};
use super::soft::Aims;
use super::state::{Field, NONE, plan_of};
use std::sync::atomic::Ordering;

/// Vehicles around each customer that was edited.
const VEHICLES: usize = 4;
/// Neighbours who say which vehicles are near.
const NEAR: usize = 60;
const ROUNDS: u64 = 8;
/// First and last temperature, in mean costs between visits.
const HEAT: (f64, f64) = (0.5, 0.03);

/// Mends a plan around customers that were edited, and those it does not serve.
pub fn mend(run: &mut Run, initial: &Plan, edited: &[u32], control: &mut Control) -> Solved {
    let problem = run.problem;
    let mut edited: Vec<u32> = edited.iter().chain(&initial.unserved).copied().collect();
    edited.sort_unstable();
    edited.dedup();
    let vehicles = near(problem, initial, &edited);
    let is_in = |r: &Route| vehicles[r.vehicle as usize];
    let mut members = vec![false; problem.customers.len()];
    edited.iter().for_each(|c| members[*c as usize] = true);
    initial
        .routes
        .iter()
        .filter(|r| is_in(r))
        .flat_map(|r| &r.stops)
        .for_each(|s| members[*s as usize] = true);
    let members: Vec<u32> = (0..members.len() as u32).filter(|c| members[*c as usize]).collect();
    let order = along_curve(problem, &members);
    let k = run.neighbours(order.len());
    let field = Field { near: neighbours(problem, &order, k), ids: order, k, beside: k };
    let mut place = vec![NONE; problem.customers.len()];
    field.ids.iter().enumerate().for_each(|(n, id)| place[*id as usize] = n as u32);
    let inside = |r: &Route| Route { stops: r.stops.iter().map(|s| place[*s as usize]).collect(), ..*r };
    let mut plan = Working {
        routes: initial.routes.iter().filter(|r| is_in(r)).map(inside).collect(),
        unserved: initial.unserved.iter().map(|c| place[*c as usize]).collect(),
        ..Working::default()
    };
    let mut quota = problem.quota();
    let days = problem.days as usize;
    quota.iter_mut().enumerate().filter(|(slot, _)| !vehicles[slot / days]).for_each(|(_, q)| *q = 0);
    if problem.has_wishes() {
        run.aims = Aims::of(problem, &initial.routes);
    }
    let arcs: usize = initial.routes.iter().map(|r| r.stops.len() + 1).sum();
    let length = initial.routes.iter().map(|r| super::soft::length(problem, r)).sum::<i64>();
    run.arc = length as f64 / arcs.max(1) as f64 / 2.0;
    let mut best = Working { cost: i64::MAX, ..Working::default() };
    for round in 0..ROUNDS {
        let (from, to) = (round as f64 / ROUNDS as f64, (round + 1) as f64 / ROUNDS as f64);
        if round > 0 && (run.done(control) >= 1.0 || control.cancel.load(Ordering::Relaxed)) {
            break;
        }
        let heat = |at: f64| run.arc * HEAT.0 * (HEAT.1 / HEAT.0).powf(at);
        let part = Part {
            members: (0..field.ids.len() as u32).collect(),
            field: field.clone(),
            routes: plan.routes.clone(),
            quota: quota.clone(),
            most_changed: problem.most_changed,
        };
        let heat = (heat(from), heat(to));
        let Some(worked) = run.round(round, vec![part], heat, to, control).pop() else { break };
        if worked.best_cost < best.cost {
            best = worked.best();
        }
        plan = worked;
    }
    let mut solved = plan_of(&field, &best.routes, &best.unserved);
    solved.routes.extend(initial.routes.iter().filter(|r| !is_in(r)).cloned());
    solved.routes.sort_by_key(|r| (r.vehicle, r.day));
    Solved { plan: solved, steps: run.steps }
}

/// The vehicles of the customers nearest to those that were edited, and their own.
fn near(problem: &Problem, plan: &Plan, edited: &[u32]) -> Vec<bool> {
    let mut of = vec![NONE; problem.customers.len()];
    for route in &plan.routes {
        route.stops.iter().for_each(|s| of[*s as usize] = route.vehicle);
    }
    let mut vehicles = vec![false; problem.vehicles.len()];
    let mut all: Vec<(f64, u32)> = Vec::new();
    for customer in edited {
        let at = problem.position(*customer as usize);
        all.clear();
        let served =
            (0..of.len()).filter(|c| of[*c] != NONE && problem.may_visit(of[*c], *customer as usize));
        all.extend(served.map(|c| (distance(problem.position(c), at), of[c])));
        let near = NEAR.min(all.len());
        if near > 0 && near < all.len() {
            all.select_nth_unstable_by(near, |a, b| a.0.total_cmp(&b.0));
        }
        all.truncate(near);
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut taken = 0;
        for (_, vehicle) in &all {
            if !vehicles[*vehicle as usize] && taken < VEHICLES {
                vehicles[*vehicle as usize] = true;
                taken += 1;
            }
        }
        if of[*customer as usize] != NONE {
            vehicles[of[*customer as usize] as usize] = true;
        }
        // Whom nobody near may visit is for anybody who may.
        if all.is_empty() {
            problem.fleet(*customer as usize).take(VEHICLES).for_each(|v| vehicles[v as usize] = true);
        }
    }
    vehicles
}
