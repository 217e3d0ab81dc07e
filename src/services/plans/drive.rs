//! A plan driven: its routes as the optimiser counts them, when each stop is reached, and
//! what a change of it does to the whole.

use super::journeys::{Journeys, Slot};
use super::rules::a_week;
use super::source::Source;
use crate::domain::Outcome;
use crate::solver::check::broken_rule;
use crate::solver::journey::{Quality, Rep, Taken, measured};
use crate::solver::problem::{Plan, Problem, Route, Why};
use crate::solver::soft;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// A unit on which routes can be driven.
pub struct Drive<'a> {
    pub source: &'a Source,
    pub problem: &'a Problem,
    pub reps: &'a [Rep],
    vehicle: HashMap<&'a str, u32>,
}

/// Of an outlet that nobody visits.
pub const NOBODY: u32 = u32::MAX;

/// A plan in the optimiser's numbers, with what each of its days takes.
#[derive(Default)]
pub struct Measured {
    journeys: Journeys,
    pub plan: Plan,
    pub taken: Vec<Taken>,
    /// Who visits each outlet.
    pub rep_of: Vec<u32>,
}

/// A visit of a day: when it begins and how far it is from the one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    pub code: String,
    pub name: String,
    pub tier: String,
    /// "09:12"
    pub arrives: String,
    pub minutes: f64,
    pub km: f64,
    pub latitude: f64,
    pub longitude: f64,
    pub pinned: bool,
    /// Visits in the cycle.
    pub visits: u32,
}

/// A rep's day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Driven {
    pub rep: String,
    pub rep_name: String,
    /// "Tue 2"
    pub day: String,
    pub stops: Vec<Stop>,
    pub km: f64,
    /// Travel, visits and waiting.
    pub minutes: f64,
    pub travel_minutes: f64,
    /// The rule that it breaks, in words.
    pub broken: String,
    /// Back at the depot.
    pub back: String,
}

/// What of a rep's work people compare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepSum {
    pub rep: String,
    pub name: String,
    pub distributor: String,
    pub outlets: usize,
    pub visits: usize,
    pub days: usize,
    pub km: f64,
    /// Minutes of the cycle.
    pub minutes: f64,
    /// Above or below the mean of the distributor's reps: share of it.
    pub off: f64,
    pub broken_days: usize,
}

impl RepSum {
    pub fn hours_a_week(&self) -> f64 {
        a_week(self.minutes / 60.0)
    }

    pub fn km_a_week(&self) -> f64 {
        a_week(self.km)
    }

    /// How far it is from the mean, in percent: "+4 %".
    pub fn to_mean(&self) -> String {
        format!("{:+} %", (self.off * 100.0).round() as i64)
    }
}

fn told(why: Why) -> &'static str {
    match why {
        Why::Duration => "too long",
        Why::Stops => "too many stops",
        Why::Window => "too late",
        Why::Capacity => "too much load",
        Why::Vehicles | Why::Changes => "not a working day",
    }
}

fn clock(seconds: i64) -> String {
    let minutes = (seconds + 30).div_euclid(60);
    format!("{:02}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
}

impl<'a> Drive<'a> {
    pub fn of(source: &'a Source) -> Outcome<Drive<'a>> {
        let (ground, problem) = source.ground()?;
        let vehicle = (0..).zip(&ground.reps).map(|(n, r)| (r.id.as_str(), n)).collect();
        Ok(Drive { source, problem, reps: &ground.reps, vehicle })
    }

    pub fn vehicle(&self, rep: &str) -> Option<u32> {
        self.vehicle.get(rep).copied()
    }

    pub fn day(&self, slot: Slot) -> Option<u32> {
        let days = self.source.held.days;
        (slot.weekday < days).then(|| (slot.week - 1) * days + slot.weekday)
    }

    pub fn slot(&self, day: u32) -> Slot {
        let days = self.source.held.days;
        Slot { week: day / days + 1, weekday: day % days }
    }

    /// A day's route; what is not there any more is left out.
    pub fn route(&self, rep: &str, slot: Slot, codes: &[String]) -> Option<Route> {
        let (vehicle, day) = (self.vehicle(rep)?, self.day(slot)?);
        let stops = codes.iter().filter_map(|code| self.source.number.get(code).copied()).collect();
        Some(Route { vehicle, day, stops })
    }

    /// The plan as it stands.
    pub fn standing(&self) -> &Measured {
        self.source.measured.get_or_init(|| self.measured(&self.source.journeys, &Measured::default()))
    }

    /// Another plan beside one that is measured: reps whose days are the very same are not
    /// driven again.
    pub fn measured(&self, journeys: &Journeys, beside: &Measured) -> Measured {
        let mut there: HashMap<u32, Vec<usize>> = HashMap::new();
        for (n, route) in beside.plan.routes.iter().enumerate() {
            there.entry(route.vehicle).or_default().push(n);
        }
        let mut routes = Vec::with_capacity(beside.plan.routes.len());
        let mut taken = Vec::with_capacity(beside.taken.len());
        for (rep, days) in journeys {
            if beside.journeys.get(rep).is_some_and(|same| Arc::ptr_eq(same, days)) {
                let same = self.vehicle(rep).and_then(|v| there.get(&v));
                for n in same.into_iter().flatten() {
                    routes.push(beside.plan.routes[*n].clone());
                    taken.push(beside.taken[*n]);
                }
                continue;
            }
            let of_rep = days.days.iter().filter_map(|(slot, codes)| self.route(rep, *slot, codes));
            for route in of_rep.filter(|route| !route.stops.is_empty()) {
                taken.push(Taken::of(self.problem, &route));
                routes.push(route);
            }
        }
        let mut rep_of = vec![NOBODY; self.source.task.outlets.len()];
        for route in &routes {
            route.stops.iter().for_each(|stop| rep_of[*stop as usize] = route.vehicle);
        }
        let unserved = (0..).zip(&rep_of).filter(|(_, rep)| **rep == NOBODY).map(|(n, _)| n).collect();
        Measured { journeys: journeys.clone(), plan: Plan { routes, unserved }, taken, rep_of }
    }

    pub fn quality(&self, of: &Measured) -> Quality {
        measured(self.problem, &self.source.held.travel, &of.plan, &of.taken)
    }

    /// Each rep's sum, in the order of the reps.
    pub fn sums(&self, of: &Measured) -> Vec<RepSum> {
        let mut sums: Vec<RepSum> = self
            .reps
            .iter()
            .map(|rep| RepSum {
                rep: rep.id.clone(),
                name: self.source.rep_name(&rep.id),
                distributor: rep.distributor.clone(),
                ..RepSum::default()
            })
            .collect();
        let mut seen = vec![false; self.problem.customers.len()];
        for (route, day) in of.plan.routes.iter().zip(&of.taken) {
            let sum = &mut sums[route.vehicle as usize];
            sum.visits += route.stops.len();
            sum.days += 1;
            sum.km += day.metres * self.source.held.travel.circuity / 1_000.0;
            sum.minutes += day.length as f64 / 60.0;
            sum.broken_days += usize::from(day.broken.is_some());
            for stop in &route.stops {
                sum.outlets += usize::from(!std::mem::replace(&mut seen[*stop as usize], true));
            }
        }
        let work = Taken::work(self.problem, &of.plan, &of.taken);
        for (sum, aim) in sums.iter_mut().zip(&soft::Aims::springs(self.problem, &work).0) {
            sum.off = if aim.aim > 0 { sum.minutes * 60.0 / aim.aim as f64 - 1.0 } else { 0.0 };
        }
        sums
    }

    /// A day, stop by stop: it leaves as the rules' day begins and waits where it is early.
    pub fn driven(&self, route: &Route, pinned: &[String]) -> Driven {
        let (problem, source) = (self.problem, self.source);
        let vehicle = &problem.vehicles[route.vehicle as usize];
        let home = problem.depot_place(vehicle.depot);
        let circuity = source.held.travel.circuity;
        let km = |a: usize, b: usize| {
            let (a, b) = (problem.position(a), problem.position(b));
            crate::solver::problem::distance(a, b) * circuity / 1_000.0
        };
        let begin = i64::from(problem.depots[vehicle.depot as usize].window.0);
        let (mut now, mut at) = (begin, home);
        let mut stops = Vec::with_capacity(route.stops.len());
        for stop in &route.stops {
            let place = *stop as usize;
            let customer = &problem.customers[place];
            now = (now + i64::from(problem.travel(at, place))).max(i64::from(customer.window.0));
            let (outlet, known) = (&source.task.outlets[place], &source.known[place]);
            stops.push(Stop {
                code: outlet.id.clone(),
                name: known.name.clone(),
                tier: known.tier.clone(),
                arrives: clock(now),
                minutes: outlet.minutes,
                km: km(at, place),
                latitude: outlet.lat,
                longitude: outlet.lon,
                pinned: pinned.contains(&outlet.id),
                visits: outlet.visits,
            });
            now += i64::from(customer.service);
            at = place;
        }
        now += i64::from(problem.travel(at, home));
        let rep = &self.reps[route.vehicle as usize].id;
        let taken = Taken::of(problem, route);
        Driven {
            rep: rep.clone(),
            rep_name: source.rep_name(rep),
            day: self.slot(route.day).to_string(),
            km: taken.metres * circuity / 1_000.0,
            minutes: (now - begin) as f64 / 60.0,
            travel_minutes: (taken.length - taken.service) as f64 / 60.0,
            broken: self.broken(route).map_or(String::new(), |why| told(why).to_owned()),
            back: clock(now),
            stops,
        }
    }

    /// The rule that a route breaks: a day on which its rep does not work among them.
    pub fn broken(&self, route: &Route) -> Option<Why> {
        let works = self.problem.vehicles[route.vehicle as usize].days & 1 << route.day != 0;
        if works { broken_rule(self.problem, route) } else { Some(Why::Vehicles) }
    }

    /// Where a stop fits into a day with the least way more, where the day then breaks no
    /// rule if there is such a place.
    pub fn best_place(&self, route: &Route, stop: u32) -> usize {
        let problem = self.problem;
        let home = problem.depot_place(problem.vehicles[route.vehicle as usize].depot);
        let place = |n: usize| route.stops.get(n).map_or(home, |s| *s as usize);
        let longer = |at: usize| {
            let (before, behind) = (if at == 0 { home } else { place(at - 1) }, place(at));
            let travel = |a: usize, b: usize| i64::from(problem.travel(a, b));
            travel(before, stop as usize) + travel(stop as usize, behind) - travel(before, behind)
        };
        let mut places: Vec<usize> = (0..=route.stops.len()).collect();
        places.sort_by_key(|at| longer(*at));
        let fits = |at: &&usize| {
            let mut tried = route.clone();
            tried.stops.insert(**at, stop);
            broken_rule(problem, &tried).is_none()
        };
        // Where nobody has to be met at a certain time, a longer way mends nothing.
        let day = problem.depots[problem.vehicles[route.vehicle as usize].depot as usize].window;
        let free = |stop: &u32| {
            let (early, late) = problem.customers[*stop as usize].window;
            early <= day.0 && late >= day.1
        };
        let worth = if route.stops.iter().chain([&stop]).all(free) { 1 } else { places.len() };
        places[..worth].iter().find(fits).or(places.first()).copied().unwrap_or(0)
    }
}
