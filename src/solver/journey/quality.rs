//! What a journey plan is worth, in the figures that planners compare. Each is defined here
//! and nowhere else.

use super::Travel;
use super::build::Built;
use crate::solver::check::broken_rule;
use crate::solver::geometry::nearest;
use crate::solver::problem::{Plan, Problem, Route, Why, distance};
use crate::solver::soft;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Neighbours that overlap is measured by.
const NEIGHBOURS: usize = 5;
/// Above so many outlets of a rep the tree that spans them is not measured: it takes their
/// square.
const LARGEST_TREE: usize = 6_000;
/// A rep is balanced when its hours are this near to its group's mean.
const BAND: f64 = 0.10;
/// Groups of fewer reps have no mean worth the name.
const SMALLEST_GROUP: usize = 3;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Quality {
    pub travel_minutes: f64,
    pub km: f64,
    pub minutes_per_visit: f64,
    pub km_per_visit: f64,
    /// Travel of travel and visits together.
    pub travel_share: f64,
    /// Standard deviation of the reps' hours over their mean.
    pub hours_cv: f64,
    /// Most hours of a rep over fewest.
    pub hours_max_over_min: f64,
    /// Farthest that a rep's month is from the mean of its group, where that has three or
    /// more: share of the mean, and how many are beyond a tenth.
    pub worst_off_balance: f64,
    pub reps_off_balance: usize,
    /// Of all days of reps, how many are within a tenth of their rep's mean day.
    pub days_within_tenth: f64,
    /// From an outlet to the most central one of its rep's, on average.
    pub km_to_medoid: f64,
    /// The trees that span each rep's outlets, summed; none where a rep has too many.
    pub spanning_tree_km: Option<f64>,
    /// Outlets most of whose five nearest neighbours, of those that could have the same
    /// rep, have another one.
    pub overlap: f64,
    /// Outlets with as many visits as they want, on days that are allowed.
    pub frequency_compliance: f64,
    /// Days that a visit is away from even spacing, on average.
    pub spacing_days: f64,
    /// Outlets of one visit a week or less that keep their weekday.
    pub weekday_consistency: f64,
    pub overtime_minutes: f64,
    pub missed_windows: usize,
    pub over_stops: usize,
    /// Days of reps that break any rule.
    pub broken_days: usize,
    pub unserved: usize,
}

/// Measures a plan, one that breaks rules too.
pub fn quality(built: &Built, travel: &Travel, plan: &Plan) -> Quality {
    let mut q = measured(&built.problem, travel, plan, &Taken::all(&built.problem, plan));
    shape(&built.problem, travel, plan, &mut q);
    rhythm(&built.problem, plan, &mut q);
    q
}

/// What a day takes, driven once: sums over a plan are made of these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// Seconds: travel and visits, and of them the visits.
    pub length: i64,
    pub service: i64,
    /// As the crow flies.
    pub metres: f64,
    pub broken: Option<Why>,
}

impl Taken {
    pub fn of(problem: &Problem, route: &Route) -> Taken {
        let service = |stop: &u32| i64::from(problem.customers[*stop as usize].service);
        Taken {
            length: soft::length(problem, route),
            service: route.stops.iter().map(service).sum(),
            metres: metres(problem, route),
            broken: broken_rule(problem, route),
        }
    }

    /// Of each route of a plan.
    pub fn all(problem: &Problem, plan: &Plan) -> Vec<Taken> {
        plan.routes.iter().map(|route| Taken::of(problem, route)).collect()
    }

    /// Travel and visits of each vehicle in the cycle.
    pub fn work(problem: &Problem, plan: &Plan, taken: &[Taken]) -> Vec<i64> {
        let mut work = vec![0; problem.vehicles.len()];
        plan.routes.iter().zip(taken).for_each(|(route, day)| work[route.vehicle as usize] += day.length);
        work
    }
}

/// What of it needs a look at what the days take alone: travel, balance and broken rules.
pub fn measured(problem: &Problem, travel: &Travel, plan: &Plan, taken: &[Taken]) -> Quality {
    let mut q = Quality { unserved: plan.unserved.len(), ..Quality::default() };
    let visits: usize = plan.routes.iter().map(|r| r.stops.len()).sum();
    let (mut seconds, mut service) = (0i64, 0i64);
    for (route, day) in plan.routes.iter().zip(taken) {
        seconds += day.length - day.service;
        service += day.service;
        q.km += day.metres * travel.circuity / 1_000.0;
        let longest = i64::from(problem.vehicles[route.vehicle as usize].max_duration);
        q.overtime_minutes += (day.length - longest).max(0) as f64 / 60.0;
        q.broken_days += usize::from(day.broken.is_some());
        match day.broken {
            Some(Why::Window) => q.missed_windows += 1,
            Some(Why::Stops) => q.over_stops += 1,
            _ => {}
        }
    }
    let share = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
    q.travel_minutes = seconds as f64 / 60.0;
    q.minutes_per_visit = share(q.travel_minutes, visits as f64);
    q.km_per_visit = share(q.km, visits as f64);
    q.travel_share = share(seconds as f64, (seconds + service) as f64);
    balance(problem, plan, taken, &mut q);
    q
}

/// How long a route is, as the crow flies.
pub fn metres(problem: &Problem, route: &Route) -> f64 {
    let home = problem.depot_place(problem.vehicles[route.vehicle as usize].depot);
    let places = route.stops.iter().map(|s| *s as usize).chain([home]);
    let mut at = home;
    let mut sum = 0.0;
    for place in places {
        sum += distance(problem.position(at), problem.position(place));
        at = place;
    }
    sum
}

fn balance(problem: &Problem, plan: &Plan, taken: &[Taken], q: &mut Quality) {
    let work = Taken::work(problem, plan, taken);
    let n = work.len().max(1) as f64;
    let mean = work.iter().sum::<i64>() as f64 / n;
    let variance = work.iter().map(|w| (*w as f64 - mean).powi(2)).sum::<f64>() / n;
    let (most, least) = (work.iter().max().copied().unwrap_or(0), work.iter().min().copied().unwrap_or(0));
    q.hours_cv = if mean > 0.0 { variance.sqrt() / mean } else { 0.0 };
    q.hours_max_over_min = most as f64 / (least as f64).max(1.0);
    let (cycle, days) = soft::Aims::springs(problem, &work);
    for (vehicle, (work, aim)) in work.iter().zip(&cycle).enumerate() {
        let group = problem.vehicles[vehicle].group;
        let size = problem.vehicles.iter().filter(|v| v.group == group).count();
        if size >= SMALLEST_GROUP && aim.aim > 0 {
            let off = (*work as f64 / aim.aim as f64 - 1.0).abs();
            q.worst_off_balance = q.worst_off_balance.max(off);
            q.reps_off_balance += usize::from(off > BAND);
        }
    }
    let near = plan.routes.iter().zip(taken).filter(|(route, day)| {
        let aim = days[route.vehicle as usize].aim as f64;
        (day.length as f64 - aim).abs() <= BAND * aim
    });
    q.days_within_tenth = near.count() as f64 / plan.routes.len().max(1) as f64;
}

/// Compactness and overlap.
fn shape(problem: &Problem, travel: &Travel, plan: &Plan, q: &mut Quality) {
    let mut of = vec![u32::MAX; problem.customers.len()];
    for route in &plan.routes {
        route.stops.iter().for_each(|s| of[*s as usize] = route.vehicle);
    }
    let mut members = vec![vec![]; problem.vehicles.len()];
    for (customer, vehicle) in of.iter().enumerate().filter(|(_, v)| **v != u32::MAX) {
        members[*vehicle as usize].push(problem.position(customer));
    }
    let km = travel.circuity / 1_000.0;
    let (mut sum, mut count, mut tree) = (0.0, 0, Some(0.0));
    for points in members.iter().filter(|p| !p.is_empty()) {
        let n = points.len() as f64;
        let middle = points.iter().fold((0.0, 0.0), |m, p| (m.0 + p.0 / n, m.1 + p.1 / n));
        let nearer =
            |a: &&(f64, f64), b: &&(f64, f64)| distance(**a, middle).total_cmp(&distance(**b, middle));
        let Some(medoid) = points.iter().min_by(nearer) else { continue };
        sum += points.iter().map(|p| distance(*p, *medoid)).sum::<f64>() * km;
        count += points.len();
        tree = tree.filter(|_| points.len() <= LARGEST_TREE).map(|t| t + spanning_tree(points) * km);
    }
    q.km_to_medoid = sum / (count.max(1)) as f64;
    q.spanning_tree_km = tree;
    let class = problem.classes();
    let mut by_class = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    for (n, customer) in problem.customers.iter().enumerate().filter(|(n, _)| of[*n] != u32::MAX) {
        by_class.entry(class[customer.fleet as usize]).or_default().push(n);
    }
    let mut apart = 0;
    for members in by_class.values() {
        let points: Vec<(f64, f64)> = members.iter().map(|m| problem.position(*m)).collect();
        for (place, row) in nearest(&points, NEIGHBOURS).chunks_exact(NEIGHBOURS).enumerate() {
            let near = row.iter().filter(|o| **o != u32::MAX);
            let all = near.clone().count();
            let others = near.filter(|o| of[members[**o as usize]] != of[members[place]]).count();
            apart += usize::from(others * 2 > all);
        }
    }
    q.overlap = apart as f64 / count.max(1) as f64;
}

/// Length of the tree that spans points (Prim, 1957).
fn spanning_tree(points: &[(f64, f64)]) -> f64 {
    let mut far: Vec<f64> = points.iter().map(|p| distance(*p, points[0])).collect();
    let mut outside: Vec<usize> = (1..points.len()).collect();
    let mut sum = 0.0;
    while let Some(next) = (0..outside.len()).min_by(|a, b| far[outside[*a]].total_cmp(&far[outside[*b]])) {
        let point = outside.swap_remove(next);
        sum += far[point];
        for other in &outside {
            far[*other] = far[*other].min(distance(points[*other], points[point]));
        }
    }
    sum
}

/// Visits over the cycle.
fn rhythm(problem: &Problem, plan: &Plan, q: &mut Quality) {
    let mut days = vec![0u32; problem.customers.len()];
    for route in &plan.routes {
        route.stops.iter().for_each(|s| days[*s as usize] |= 1 << route.day);
    }
    let (mut kept, mut uneven, mut visits, mut weekly, mut steady) = (0, 0u64, 0u64, 0, 0);
    let week = problem.week.clamp(1, problem.days);
    let weeks = problem.days.div_ceil(week);
    for (customer, days) in problem.customers.iter().zip(&days) {
        kept += usize::from(problem.patterns[customer.patterns as usize].contains(days));
        if *days == 0 {
            continue;
        }
        uneven += u64::from(problem.unevenness(*days));
        visits += u64::from(days.count_ones());
        if days.count_ones() <= weeks {
            weekly += 1;
            let first = days.trailing_zeros() % week;
            steady +=
                usize::from((0..problem.days).filter(|d| days & 1 << d != 0).all(|d| d % week == first));
        }
    }
    q.frequency_compliance = kept as f64 / problem.customers.len().max(1) as f64;
    q.spacing_days = uneven as f64 / visits.max(1) as f64;
    q.weekday_consistency = if weekly > 0 { steady as f64 / weekly as f64 } else { 1.0 };
}
