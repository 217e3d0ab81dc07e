//! Why an outlet has the rep and the days that it has, or none: every rep that may visit it
//! is tried anew, with the checker's rules and nothing of the engine's.

use crate::solver::check::broken_rule;
use crate::solver::problem::{Plan, Problem, Route, Why, distance};
use crate::solver::soft::Aims;
use std::collections::HashMap;

/// What an outlet would cost with one rep.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub vehicle: u32,
    /// Its cheapest days there; none fit where there is a rule in the way.
    pub days: Result<u32, Why>,
    /// Seconds of travel that its visits add.
    pub travel: i64,
}

/// A plan that outlets can be tried in.
pub struct Tried<'a> {
    problem: &'a Problem,
    routes: HashMap<(u32, u32), Route>,
    middles: Vec<(f64, f64)>,
}

/// Vehicles asked why a customer is not visited.
const ASKED: usize = 5;

impl<'a> Tried<'a> {
    pub fn new(problem: &'a Problem, plan: &Plan) -> Tried<'a> {
        let routes = plan.routes.iter().map(|r| ((r.vehicle, r.day), r.clone())).collect();
        Tried { problem, routes, middles: Aims::of(problem, &plan.routes).middle }
    }

    /// Every rep that may visit a customer, the cheapest first, as if it were not visited
    /// yet.
    pub fn choices(&self, customer: u32) -> Vec<Choice> {
        let set = self.problem.customers[customer as usize].patterns as usize;
        let patterns = &self.problem.patterns[set];
        let mut all: Vec<Choice> =
            self.problem.fleet(customer as usize).map(|v| self.with(customer, v, patterns)).collect();
        all.sort_by_key(|c| (c.days.is_err(), c.travel));
        all
    }

    /// The rule that binds where nobody can visit a customer: that of the most days of its
    /// reps.
    pub fn why_unserved(&self, customer: u32) -> &'static str {
        if let Some(why) = self.problem.why_never(customer as usize) {
            return why.text();
        }
        let mut counts: Vec<(usize, Why)> = Vec::new();
        let set = self.problem.customers[customer as usize].patterns as usize;
        for vehicle in self.nearest(customer) {
            let choice = self.with(customer, vehicle, &self.problem.patterns[set]);
            let why = choice.days.err().unwrap_or(Why::Changes);
            match counts.iter_mut().find(|(_, of)| *of == why) {
                Some((count, _)) => *count += 1,
                None => counts.push((1, why)),
            }
        }
        let most = counts.into_iter().max_by_key(|(count, _)| *count);
        most.map_or(Why::Vehicles, |(_, why)| why).text_in_plan()
    }

    /// The vehicles that may visit a customer and whose visits are the nearest.
    fn nearest(&self, customer: u32) -> Vec<u32> {
        let at = self.problem.position(customer as usize);
        let far = |v: u32| distance(self.middles[v as usize], at);
        let mut all: Vec<u32> = self.problem.fleet(customer as usize).collect();
        all.sort_by(|a, b| far(*a).total_cmp(&far(*b)));
        all.truncate(ASKED);
        all
    }

    fn with(&self, customer: u32, vehicle: u32, patterns: &[u32]) -> Choice {
        let days = patterns.iter().fold(0, |all, p| all | p);
        let on_day = |day: u32| match days & 1 << day {
            0 => Err(Why::Vehicles),
            _ => self.on_day(customer, vehicle, day),
        };
        let each: Vec<Result<i64, Why>> = (0..self.problem.days).map(on_day).collect();
        let cost = |pattern: &u32| {
            let days = (0..self.problem.days).filter(|d| pattern & 1 << d != 0);
            days.map(|d| each[d as usize]).sum::<Result<i64, Why>>().map(|cost| (cost, *pattern))
        };
        match patterns.iter().map(cost).min_by_key(|c| c.map_or(i64::MAX, |(cost, _)| cost)) {
            Some(Ok((travel, days))) => Choice { vehicle, days: Ok(days), travel },
            Some(Err(why)) => Choice { vehicle, days: Err(why), travel: i64::MAX },
            None => Choice { vehicle, days: Err(Why::Vehicles), travel: i64::MAX },
        }
    }

    /// The least travel that a visit adds to a rep's day, or the rule that stands against
    /// the cheapest place.
    fn on_day(&self, customer: u32, vehicle: u32, day: u32) -> Result<i64, Why> {
        let kind = &self.problem.vehicles[vehicle as usize];
        if kind.days & 1 << day == 0 {
            return Err(Why::Vehicles);
        }
        let empty = Route { vehicle, day, stops: vec![] };
        let mut route = self.routes.get(&(vehicle, day)).unwrap_or(&empty).clone();
        route.stops.retain(|s| *s != customer);
        let home = self.problem.depot_place(kind.depot);
        let place = |n: usize| route.stops.get(n).map_or(home, |s| *s as usize);
        let longer = |at: usize| {
            let (before, behind) = (if at == 0 { home } else { place(at - 1) }, place(at));
            let travel = |a: usize, b: usize| i64::from(self.problem.travel(a, b));
            travel(before, customer as usize) + travel(customer as usize, behind) - travel(before, behind)
        };
        let mut places: Vec<(i64, usize)> = (0..=route.stops.len()).map(|at| (longer(at), at)).collect();
        places.sort_unstable();
        let mut why = Why::Vehicles;
        for (turn, (cost, at)) in places.into_iter().enumerate() {
            let mut tried = route.clone();
            tried.stops.insert(at, customer);
            match broken_rule(self.problem, &tried) {
                None => return Ok(cost),
                Some(rule) if turn == 0 => why = rule,
                Some(_) => {}
            }
        }
        Err(why)
    }
}
