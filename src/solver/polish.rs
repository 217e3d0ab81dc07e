//! Each route for itself, as a travelling salesman's: 2-opt and Or-opt between near stops
//! (Bentley, 1992) under small double bridges (Martin, Otto and Felten, 1991). What a plan
//! assigns to whom stays as it is.

use super::check::broken_rule;
use super::problem::{Metric, Plan, Problem, Route};
use fastrand::Rng;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Routes longer than this are left alone: the square of their stops is kept.
const LONGEST: usize = 800;
/// Stops near each one that it is joined to.
const NEAR: usize = 10;
/// Longest stretch that Or-opt moves.
const STRETCH: usize = 3;
/// How far apart the ends of a kick are.
const KICK: usize = 40;
/// Kicks between looks at the clock.
const LOOK: usize = 64;

/// Shortens the routes of a plan with `kicks` for each of their stops, until `is_over` says
/// so.
pub fn polish(
    problem: &Problem,
    plan: &mut Plan,
    kicks: usize,
    (threads, seed): (usize, u64),
    is_over: &(dyn Fn() -> bool + Sync),
) {
    if matches!(problem.metric, Metric::Matrix(_)) {
        return;
    }
    let pinned =
        |r: &Route| problem.pins.iter().any(|p| (p.route.vehicle, p.route.day) == (r.vehicle, r.day));
    let routes: Vec<Mutex<&mut Route>> =
        plan.routes.iter_mut().filter(|r| !pinned(r)).map(Mutex::new).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(route) = routes.get(number) else { break };
            if is_over() {
                break;
            }
            let mut route = route.lock().unwrap_or_else(|e| e.into_inner());
            let seed = seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            shorten(problem, &mut route, kicks, seed, is_over);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, routes.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
}

fn shorten(problem: &Problem, route: &mut Route, kicks: usize, seed: u64, is_over: &dyn Fn() -> bool) {
    if !(3..LONGEST).contains(&route.stops.len()) {
        return;
    }
    let mut round = Round::new(problem, route);
    let before = round.length();
    (0..round.order.len() as u16).for_each(|stop| round.dirty.push(stop));
    round.settle();
    let mut rng = Rng::with_seed(seed);
    let (mut best, mut length) = (round.order.clone(), round.length());
    for kick in 0..kicks * route.stops.len() {
        if kick % LOOK == 0 && is_over() {
            break;
        }
        let change = round.kick(&mut rng) - round.settle();
        if change <= 0 {
            length += change;
            best.copy_from_slice(&round.order);
        } else {
            round.order.copy_from_slice(&best);
            round.number();
        }
    }
    if length >= before {
        return;
    }
    let home = best.iter().position(|s| *s == 0).unwrap_or(0);
    best.rotate_left(home);
    let shorter = best[1..].iter().map(|s| route.stops[usize::from(*s) - 1]).collect();
    let shorter = Route { stops: shorter, ..*route };
    // Windows may want the longer way round.
    if broken_rule(problem, &shorter).is_none() {
        *route = shorter;
    }
}

/// A closed tour over the depot, 0, and the stops from 1.
struct Round {
    n: usize,
    cost: Vec<i32>,
    near: Vec<u16>,
    k: usize,
    order: Vec<u16>,
    place: Vec<u16>,
    dirty: Vec<u16>,
}

impl Round {
    fn new(problem: &Problem, route: &Route) -> Round {
        let home = problem.depot_place(problem.vehicles[route.vehicle as usize].depot);
        let places: Vec<usize> =
            std::iter::once(home).chain(route.stops.iter().map(|s| *s as usize)).collect();
        let n = places.len();
        let pairs = places.iter().flat_map(|a| places.iter().map(move |b| problem.travel(*a, *b)));
        let cost: Vec<i32> = pairs.collect();
        let k = NEAR.min(n - 1);
        let mut near = Vec::with_capacity(n * k);
        for a in 0..n {
            let mut others: Vec<u16> = (0..n as u16).filter(|b| usize::from(*b) != a).collect();
            others.sort_by_key(|b| cost[a * n + usize::from(*b)]);
            near.extend(&others[..k]);
        }
        let order: Vec<u16> = (0..n as u16).collect();
        Round { n, cost, near, k, place: order.clone(), order, dirty: vec![] }
    }

    fn far(&self, a: u16, b: u16) -> i32 {
        self.cost[usize::from(a) * self.n + usize::from(b)]
    }

    fn length(&self) -> i32 {
        (0..self.n).map(|p| self.far(self.order[p], self.order[(p + 1) % self.n])).sum()
    }

    fn next(&self, stop: u16) -> u16 {
        let place = usize::from(self.place[usize::from(stop)]) + 1;
        self.order[if place == self.n { 0 } else { place }]
    }

    fn prev(&self, stop: u16) -> u16 {
        let place = usize::from(self.place[usize::from(stop)]);
        self.order[if place == 0 { self.n - 1 } else { place - 1 }]
    }

    fn number(&mut self) {
        for (place, stop) in self.order.iter().enumerate() {
            self.place[usize::from(*stop)] = place as u16;
        }
    }

    /// Swaps two neighbouring stretches; how much longer that is.
    fn kick(&mut self, rng: &mut Rng) -> i32 {
        let span = KICK.min(self.n);
        let first = rng.usize(..self.n);
        let mut cuts = [rng.usize(1..span), rng.usize(1..span), rng.usize(1..span)];
        cuts.sort_unstable();
        let [a, b, c] = cuts;
        if a == b || b == c {
            return 0;
        }
        self.order.rotate_left(first);
        let at = |p: usize| self.order[p % self.n];
        let was = self.far(at(a - 1), at(a)) + self.far(at(b - 1), at(b)) + self.far(at(c - 1), at(c));
        let ends = [at(a - 1), at(a), at(b - 1), at(b), at(c - 1), at(c)];
        self.order[a..c].rotate_left(b - a);
        self.number();
        self.dirty.extend(ends);
        self.far(ends[0], ends[3]) + self.far(ends[4], ends[1]) + self.far(ends[2], ends[5]) - was
    }

    /// Improves around what changed until nothing does; what that saved.
    fn settle(&mut self) -> i32 {
        let mut saved = 0;
        while let Some(stop) = self.dirty.pop() {
            while let Some(by) = self.cross(stop).or_else(|| self.shift(stop)) {
                saved += by;
            }
        }
        saved
    }

    /// 2-opt: joins a stop to a near one and turns what is between.
    fn cross(&mut self, stop: u16) -> Option<i32> {
        for forward in [true, false] {
            let beside = |round: &Round, s: u16| if forward { round.next(s) } else { round.prev(s) };
            let own = beside(self, stop);
            let was = self.far(stop, own);
            for n in 0..self.k {
                let other = self.near[usize::from(stop) * self.k + n];
                let gain = was - self.far(stop, other);
                if gain <= 0 {
                    break;
                }
                let behind = beside(self, other);
                let saved = gain + self.far(other, behind) - self.far(own, behind);
                if saved > 0 && own != other && behind != stop {
                    match forward {
                        true => self.turn(own, other),
                        false => self.turn(other, own),
                    }
                    self.dirty.extend([own, other, behind, stop]);
                    return Some(saved);
                }
            }
        }
        None
    }

    /// Turns the way from one stop forward to another.
    fn turn(&mut self, from: u16, to: u16) {
        let (mut a, mut b) =
            (usize::from(self.place[usize::from(from)]), usize::from(self.place[usize::from(to)]));
        let inside = (b + self.n - a) % self.n + 1;
        let mut swaps = inside / 2;
        if inside * 2 > self.n {
            // The other side is shorter, and turning it is the same.
            (a, b) = ((b + 1) % self.n, (a + self.n - 1) % self.n);
            swaps = (self.n - inside) / 2;
        }
        for _ in 0..swaps {
            self.order.swap(a, b);
            self.place[usize::from(self.order[a])] = a as u16;
            self.place[usize::from(self.order[b])] = b as u16;
            a = if a + 1 == self.n { 0 } else { a + 1 };
            b = if b == 0 { self.n - 1 } else { b - 1 };
        }
    }

    /// Or-opt: moves a stretch that begins with a stop beside a near one.
    fn shift(&mut self, stop: u16) -> Option<i32> {
        for forward in [true, false] {
            let mut last = stop;
            for length in 1..=STRETCH.min(self.n.saturating_sub(3)) {
                if length > 1 {
                    last = if forward { self.next(last) } else { self.prev(last) };
                }
                let (first, end) = if forward { (stop, last) } else { (last, stop) };
                let (before, behind) = (self.prev(first), self.next(end));
                let out = self.far(before, first) + self.far(end, behind) - self.far(before, behind);
                for n in 0..self.k {
                    let other = self.near[usize::from(stop) * self.k + n];
                    let join = self.far(stop, other);
                    if join >= out {
                        break;
                    }
                    if self.is_between(first, other, end) {
                        continue;
                    }
                    for beside in [self.next(other), self.prev(other)] {
                        if self.is_between(first, beside, end) {
                            continue;
                        }
                        let saved = out + self.far(other, beside) - join - self.far(last, beside);
                        if saved > 0 {
                            self.place_between((first, end), stop, (other, beside));
                            self.dirty.extend([before, behind, other, beside, first, end]);
                            return Some(saved);
                        }
                    }
                }
            }
        }
        None
    }

    /// Whether a stop is in the way from one forward to another.
    fn is_between(&self, first: u16, stop: u16, end: u16) -> bool {
        let place = |s: u16| usize::from(self.place[usize::from(s)]);
        let from = |s: u16| (place(s) + self.n - place(first)) % self.n;
        from(stop) <= from(end)
    }

    /// Puts a stretch between two neighbours, its end `stop` beside `other`.
    fn place_between(&mut self, (first, end): (u16, u16), stop: u16, (other, beside): (u16, u16)) {
        let place = |s: u16| usize::from(self.place[usize::from(s)]);
        let length = (place(end) + self.n - place(first)) % self.n + 1;
        let start = place(first);
        self.order.rotate_left(start);
        let mut stretch: Vec<u16> = self.order.drain(..length).collect();
        // What is left begins behind the stretch.
        let at = |s: u16| self.order.iter().position(|o| *o == s).unwrap_or(0);
        let (a, b) = (at(other), at(beside));
        let other_first = (a + 1) % self.order.len() == b;
        // `stop` comes right behind `other`, or right before it.
        if (stretch[0] == stop) != other_first {
            stretch.reverse();
        }
        let at = if other_first { a + 1 } else { b + 1 };
        self.order.splice(at..at, stretch);
        self.number();
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::{Customer, Depot, Vehicle};
    use super::*;

    /// The length that is kept is the length computed anew, and nobody is lost.
    #[test]
    fn a_round_is_kept_whole_and_becomes_the_best_one() {
        let mut rng = Rng::with_seed(5);
        for n in [3usize, 4, 5, 7, 8] {
            for _ in 0..40 {
                let customers = (0..n).map(|label| Customer {
                    label: label as u32 + 1,
                    x: f64::from(rng.i32(0..100)),
                    y: f64::from(rng.i32(0..100)),
                    ..Customer::default()
                });
                let customers = customers.collect();
                let problem = Problem {
                    depots: vec![Depot {
                        label: 0,
                        x: 50.0,
                        y: 50.0,
                        window: (0, super::super::problem::UNBOUND),
                    }],
                    customers,
                    vehicles: vec![Vehicle::default()],
                    ..Problem::default()
                };
                let route = Route { vehicle: 0, day: 0, stops: (0..n as u32).collect() };
                let mut round = Round::new(&problem, &route);
                let mut length = round.length();
                for _ in 0..50 {
                    length += round.kick(&mut rng);
                    length -= round.settle();
                    assert_eq!(length, round.length());
                    let mut seen = round.order.clone();
                    seen.sort_unstable();
                    assert_eq!(seen, (0..=n as u16).collect::<Vec<u16>>());
                }
                let mut plan = Plan { routes: vec![route], unserved: vec![] };
                polish(&problem, &mut plan, 100, (1, 1), &|| false);
                let travel = |stops: &[u32]| {
                    let r = Route { vehicle: 0, day: 0, stops: stops.to_vec() };
                    super::super::soft::length(&problem, &r)
                };
                let mut best = i64::MAX;
                every_order(&mut (0..n as u32).collect(), 0, &mut |stops| best = best.min(travel(stops)));
                assert_eq!(travel(&plan.routes[0].stops), best);
            }
        }
    }

    fn every_order(stops: &mut Vec<u32>, from: usize, take: &mut impl FnMut(&[u32])) {
        if from == stops.len() {
            return take(stops);
        }
        for other in from..stops.len() {
            stops.swap(from, other);
            every_order(stops, from + 1, take);
            stops.swap(from, other);
        }
    }
}
