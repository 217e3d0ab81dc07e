//! Ruin and recreate under annealing: short strings of neighbouring routes are taken out
//! and put back where they cost least (slack induction by string removals, Christiaens and
//! Vanden Berghe, 2020), looking only beside near customers, so that a step costs the same
//! in a problem of a hundred customers and of a million.

use super::state::{ANY_DAY, NONE, State};
use fastrand::Rng;

/// How much is taken out, and how.
#[derive(Clone, Copy, Debug)]
pub struct Ruin {
    /// Customers taken out at a time, on average.
    pub customers: f64,
    /// Longest string.
    pub string: f64,
    /// Chance that a string leaves a part of itself in place.
    pub split: f64,
    /// Chance that the part that stays is one longer.
    pub grow: f64,
    /// Places overlooked, in 256.
    pub blink: u8,
}

impl Default for Ruin {
    fn default() -> Ruin {
        Ruin { customers: 10.0, string: 10.0, split: 0.5, grow: 0.01, blink: 3 }
    }
}

/// Unserved customers tried again in a step, at most.
const RETRIED: usize = 10;

/// What a step needs besides the state, kept between steps.
pub struct Annealer {
    pub rng: Rng,
    pub ruin: Ruin,
    /// Routes touched in this step.
    marks: Vec<u32>,
    stamp: u32,
    touched: Vec<u32>,
    string: Vec<u32>,
    /// Customers to put back, and the day if only that day's visit was taken out.
    loose: Vec<(u32, u32)>,
}

impl Annealer {
    pub fn new(seed: u64, ruin: Ruin) -> Annealer {
        Annealer {
            rng: Rng::with_seed(seed),
            ruin,
            marks: vec![],
            stamp: 0,
            touched: vec![],
            string: vec![],
            loose: vec![],
        }
    }

    /// One step at a temperature; whether the state changed.
    pub fn step(&mut self, state: &mut State, temperature: f64) -> bool {
        let before = state.cost;
        self.take_out(state);
        // ln of (0, 1]: the threshold is above the present cost.
        let allowed = before as f64 - temperature * (1.0 - self.rng.f64()).ln();
        if self.put_back(state, allowed) && (state.cost as f64) < allowed && state.is_sound() {
            state.keep();
            true
        } else {
            state.undo();
            false
        }
    }

    /// Everybody who is unserved, in the field's order or by chance.
    pub fn fill(&mut self, state: &mut State) {
        let mut left = state.unserved.clone();
        self.sort_by_chance(state, &mut left);
        for customer in left {
            state.insert(customer, ANY_DAY, 0, &mut self.rng);
            state.keep();
        }
    }

    fn sort_by_chance(&mut self, state: &State, left: &mut [u32]) {
        match self.rng.u32(..4) {
            0 => self.rng.shuffle(left),
            1 => left.sort_by_key(|c| std::cmp::Reverse(state.demand(*c))),
            2 => left.sort_by_key(|c| std::cmp::Reverse(state.depot_cost(*c))),
            _ => left.sort_by_key(|c| state.window(*c).1 - state.window(*c).0),
        }
    }

    fn take_out(&mut self, state: &mut State) {
        self.loose.clear();
        self.touched.clear();
        self.stamp = self.stamp.wrapping_add(1);
        self.marks.resize(state.tours.len(), 0);
        let n = state.customers() as u32;
        let unserved = !state.unserved.is_empty();
        // Trying so much at once takes long: it is tried less often.
        let seed = match unserved && self.rng.u8(..) < if state.consistent { 16 } else { 128 } {
            true => state.unserved[self.rng.usize(..state.unserved.len())],
            false => self.rng.u32(..n),
        };
        // A visit of one day is put back on that day; a customer may change its days.
        let share = if state.consistent { 0.95 } else { 0.5 };
        let whole = !state.periodic || !state.is_served(seed) || self.rng.f64() < share;
        let average = f64::from(n - state.unserved.len() as u32) / (state.tours.len().max(1) as f64);
        let longest = self.ruin.string.min(average.max(1.0));
        let most = 4.0 * self.ruin.customers / (1.0 + longest) - 1.0;
        let mut strings = (self.rng.f64() * most + 1.0) as usize;
        if !state.is_served(seed) {
            // Whoever found no place yet needs more room than a string leaves.
            strings *= if state.consistent { 3 } else { 1 };
            self.loose.push((seed, ANY_DAY));
            if state.consistent && self.rng.bool() {
                // Room on all days of one of its patterns, wherever that vehicle is then.
                for visit in state.somewhere_for(seed, &mut self.rng) {
                    self.take_string(state, visit, whole, longest);
                }
            }
        }
        let field = state.field;
        for near in std::iter::once(seed).chain(field.near(seed).iter().copied()) {
            if near == NONE || self.touched.len() >= strings {
                break;
            }
            if !state.is_served(near) {
                let is_new = !self.loose.iter().any(|(c, _)| *c == near);
                if is_new && self.loose.len() < RETRIED {
                    self.loose.push((near, ANY_DAY));
                }
                continue;
            }
            let visits = state.visits_of(near);
            let visit = match visits.len() {
                1 => visits.start,
                several => visits.start + self.rng.u32(..several as u32),
            };
            self.take_string(state, visit, whole, longest);
        }
    }

    /// Takes out a string around a visit, with all visits of its customers or those of its
    /// day; each route once a step.
    fn take_string(&mut self, state: &mut State, visit: u32, whole: bool, longest: f64) {
        let route = state.route_of(visit);
        if route == NONE || self.marks[route as usize] == self.stamp {
            return;
        }
        self.marks[route as usize] = self.stamp;
        self.touched.push(route);
        let count = state.tours[route as usize].count as usize;
        let length = 1 + (self.rng.f64() * longest.min(count as f64)) as usize;
        self.choose(state, visit, length.min(count), count);
        for place in 0..self.string.len() {
            let visit = self.string[place];
            let customer = state.customer(visit);
            let stays = if whole { state.is_held(customer) } else { state.is_pinned(visit) };
            if stays || state.route_of(visit) == NONE {
                continue;
            }
            if !state.periodic {
                state.unlink(visit);
                self.loose.push((customer, ANY_DAY));
            } else if !whole {
                let day = u32::from(state.tours[route as usize].day);
                state.unlink(visit);
                self.loose.push((customer, day));
            } else {
                for visit in state.visits_of(customer) {
                    if state.route_of(visit) != NONE {
                        state.unlink(visit);
                    }
                }
                self.loose.push((customer, ANY_DAY));
            }
        }
    }

    /// A string of `length` visits that holds `visit`, or one with a gap.
    fn choose(&mut self, state: &State, visit: u32, length: usize, count: usize) {
        self.string.clear();
        let mut stays = 0;
        if length > 1 && length < count && self.rng.f64() < self.ruin.split {
            stays = 1;
            while length + stays < count && self.rng.f64() < self.ruin.grow {
                stays += 1;
            }
        }
        let span = length + stays;
        let mut first = visit;
        for _ in 0..self.rng.usize(..span) {
            match state.prev(first) {
                NONE => break,
                prev => first = prev,
            }
        }
        let gap = if stays > 0 { 1 + self.rng.usize(..length) } else { span };
        let mut at = first;
        for place in 0..span {
            if at == NONE {
                break;
            }
            if place < gap || place >= gap + stays {
                self.string.push(at);
            }
            at = state.next(at);
        }
    }

    /// Puts everybody back who was taken out; `false` as soon as that is sure to cost more than
    /// is allowed.
    fn put_back(&mut self, state: &mut State, allowed: f64) -> bool {
        let mut loose = std::mem::take(&mut self.loose);
        // But for rounding, another visit never makes a plan cheaper; whoever had no place does.
        let is_bounded =
            !state.periodic && state.is_symmetric() && loose.iter().all(|(c, _)| state.is_served(*c));
        let dice = self.rng.u32(..if state.timed { 17 } else { 11 });
        match dice {
            0..4 => self.rng.shuffle(&mut loose),
            4..8 => loose.sort_unstable_by_key(|(c, _)| std::cmp::Reverse(state.demand(*c))),
            8..10 => loose.sort_unstable_by_key(|(c, _)| std::cmp::Reverse(state.depot_cost(*c))),
            10 => loose.sort_unstable_by_key(|(c, _)| state.depot_cost(*c)),
            11..13 => loose.sort_unstable_by_key(|(c, _)| state.window(*c).1 - state.window(*c).0),
            13..15 => loose.sort_unstable_by_key(|(c, _)| state.window(*c).0),
            _ => loose.sort_unstable_by_key(|(c, _)| std::cmp::Reverse(state.window(*c).1)),
        }
        let mut is_hopeful = true;
        for (customer, day) in &loose {
            if is_bounded {
                state.limit = (allowed - state.cost as f64).ceil().clamp(0.0, f64::from(i32::MAX)) as i32;
            }
            // Its other days may have been given up meanwhile.
            let day = if *day != ANY_DAY && !state.is_served(*customer) { ANY_DAY } else { *day };
            let has_place = state.insert(*customer, day, self.ruin.blink, &mut self.rng);
            if is_bounded && !has_place {
                is_hopeful = false;
                break;
            }
        }
        state.limit = i32::MAX;
        self.loose = loose;
        is_hopeful
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::super::geometry::{along_curve, neighbours};
    use super::super::problem::{Customer, Depot, Problem, Soft, UNBOUND, Vehicle};
    use super::super::soft::{self, Aims};
    use super::super::state::{Field, State, plan_of};
    use super::*;

    fn made(n: usize, timed: bool, periodic: bool, seed: u64) -> Problem {
        let mut rng = Rng::with_seed(seed);
        let mut customers = Vec::new();
        for label in 1..=n as u32 {
            let early = rng.i32(0..2_000);
            customers.push(Customer {
                label,
                x: f64::from(rng.i32(0..1_000)),
                y: f64::from(rng.i32(0..1_000)),
                demand: rng.i32(1..20),
                service: rng.i32(0..30),
                window: if timed { (early, early + rng.i32(200..1_500)) } else { (0, UNBOUND) },
                patterns: if periodic { rng.u32(0..3) } else { 0 },
                ..Customer::default()
            });
        }
        Problem {
            name: "made".into(),
            depots: vec![
                Depot { label: 0, x: 500.0, y: 500.0, window: (0, 6_000) },
                Depot { label: 9_999, x: 0.0, y: 0.0, window: (100, 7_000) },
            ],
            customers,
            vehicles: vec![
                Vehicle {
                    capacity: 100,
                    max_duration: 3_000,
                    fixed_cost: 50,
                    count: 4,
                    ..Vehicle::default()
                },
                Vehicle { depot: 1, capacity: 60, count: 3, ..Vehicle::default() },
            ],
            days: if periodic { 4 } else { 1 },
            patterns: if periodic { vec![vec![1, 2, 4, 8], vec![5, 10], vec![15]] } else { vec![vec![1]] },
            ..Problem::default()
        }
    }

    /// Over millions of moves the cost kept step by step is the cost computed anew, and
    /// every state is a plan that the checker passes.
    #[test]
    fn a_cost_kept_is_a_cost_computed() {
        for (timed, periodic) in [(false, false), (true, false), (false, true), (true, true)] {
            let problem = made(120, timed, periodic, 3);
            let order = along_curve(&problem, &(0..problem.customers.len() as u32).collect::<Vec<u32>>());
            let field = Field { near: neighbours(&problem, &order, 30), ids: order, k: 30, beside: 30 };
            let penalty = 100_000;
            let quota = problem.quota();
            let aims = Aims::default();
            let mut state = State::new(&problem, &field, &quota, &aims, penalty);
            let mut annealer = Annealer::new(11, Ruin::default());
            annealer.fill(&mut state);
            for step in 0..30_000 {
                // Hot: nearly everything is accepted, cold: nearly nothing.
                annealer.step(&mut state, if step % 2_000 < 1_000 { 300.0 } else { 0.5 });
                if step % 500 == 0 {
                    let plan = plan_of(&field, &state.routes(), &state.unserved);
                    let worth = check(&problem, &plan).unwrap();
                    let left = plan.unserved.iter().map(|c| &problem.customers[*c as usize]);
                    let left: i64 = left.map(|c| penalty * i64::from(problem.most_visits(c))).sum();
                    assert_eq!(worth.cost + left, state.cost, "step {step}");
                }
            }
        }
    }

    /// The same where one vehicle has all visits of a customer, with every wish, pins and a
    /// cap of changes.
    #[test]
    fn wishes_kept_are_wishes_computed() {
        for timed in [false, true] {
            let mut problem = made(120, timed, true, 5);
            problem.consistent = true;
            problem.week = 2;
            problem.vehicles = (0..6)
                .map(|n| Vehicle {
                    depot: n % 2,
                    max_duration: 3_000,
                    count: 1,
                    max_stops: 12,
                    group: n % 3,
                    ..Vehicle::default()
                })
                .collect();
            problem.fleets = vec![vec![], vec![0, 2, 4], vec![1, 2, 3, 5]];
            let mut rng = Rng::with_seed(7);
            for customer in &mut problem.customers {
                customer.fleet = rng.u32(0..3);
                customer.preferred = rng.u32(0..16);
            }
            problem.soft = Soft {
                balance: 20.0,
                day_balance: 0.5,
                compactness: 0.3,
                preference: 40,
                spacing: 7,
                change: 90,
            };
            problem.current = (0..120).map(|_| Some((rng.u32(0..6), 5))).collect();
            problem.check().unwrap();
            let order = along_curve(&problem, &(0..120).collect::<Vec<u32>>());
            let field = Field { near: neighbours(&problem, &order, 30), ids: order, k: 30, beside: 30 };
            let (quota, penalty) = (problem.quota(), 100_000);
            let mut aims = Aims::default();
            for round in 0..3 {
                let mut state = State::new(&problem, &field, &quota, &aims, penalty);
                let mut annealer = Annealer::new(round, Ruin::default());
                annealer.fill(&mut state);
                for step in 0..8_000 {
                    annealer.step(&mut state, if step % 2_000 < 1_000 { 900.0 } else { 0.5 });
                    if step % 500 == 0 {
                        let plan = plan_of(&field, &state.routes(), &state.unserved);
                        check(&problem, &plan).unwrap();
                        let left = plan.unserved.iter().map(|c| &problem.customers[*c as usize]);
                        let left: i64 = left.map(|c| penalty * i64::from(problem.most_visits(c))).sum();
                        assert_eq!(
                            soft::cost(&problem, &aims, &plan.routes) + left,
                            state.cost,
                            "step {step}"
                        );
                    }
                }
                // What is aimed at comes from the plan there is.
                aims = Aims::of(&problem, &plan_of(&field, &state.routes(), &[]).routes);
            }
        }
    }
}
