//! The engine: a first plan, then rounds of annealing on parts of it beside each other,
//! until the time, the steps or the person's patience end.

use super::anneal::{Annealer, Ruin};
use super::construct;
use super::geometry::{along_curve, neighbours};
use super::mend::mend;
use super::parts::{self, Part};
use super::polish::polish;
use super::problem::{Plan, Problem, Route};
use super::soft::{self, Aims};
use super::state::{Field, State, plan_of};
use super::territory;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// When the engine stops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    Time(Duration),
    /// Steps of ruin and recreate: with the same seed the same plan, whatever the threads.
    Steps(u64),
}

#[derive(Clone, Debug)]
pub struct Params {
    pub limit: Limit,
    pub threads: usize,
    pub seed: u64,
    /// Where to begin instead of a plan of the engine's own.
    pub initial: Option<Plan>,
    /// Customers that were edited since the initial plan: only what is near them is worked
    /// on; empty: everything.
    pub edited: Vec<u32>,
    pub tuning: Tuning,
}

/// What the engine sets by itself; given here only to try other values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tuning {
    /// First and last temperature, in mean costs of going from one visit to the next.
    pub heat: Option<(f64, f64)>,
    /// Neighbours beside whom a customer may go.
    pub neighbours: Option<usize>,
    pub beside: Option<usize>,
    pub reach: Option<f64>,
    pub ruin: Option<Ruin>,
    pub part: Option<usize>,
    pub round_steps: Option<f64>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub elapsed: Duration,
    /// Of the best plan so far, in the instance's units.
    pub cost: f64,
    pub routes: usize,
    pub unserved: usize,
    pub steps: u64,
    /// In mean costs between visits.
    pub temperature: f64,
}

/// What the engine is given of the world.
pub struct Control<'a> {
    /// Time since it was started.
    pub clock: &'a (dyn Fn() -> Duration + Sync),
    pub cancel: &'a AtomicBool,
    /// How far it is, and the best plan so far for who wants it.
    pub progress: &'a mut dyn FnMut(&Progress, &dyn Fn() -> Plan),
}

/// What threads see of it.
#[derive(Clone, Copy)]
struct Watch<'a> {
    clock: &'a (dyn Fn() -> Duration + Sync),
    cancel: &'a AtomicBool,
}

impl<'a> Control<'a> {
    fn watch(&self) -> Watch<'a> {
        Watch { clock: self.clock, cancel: self.cancel }
    }
}

#[derive(Clone, Debug)]
pub struct Solved {
    pub plan: Plan,
    pub steps: u64,
}

/// Customers of a part: a problem below twice that is not parted.
const PART: usize = 3_000;
const SMALLEST: usize = 300;
/// Steps between looks at the clock.
const LOOK: u64 = 64;
/// Steps for each customer between two cuts: seams are where less is tried, so they move
/// often.
const ROUND_STEPS: f64 = 8.0;
const FEWEST_ROUNDS: f64 = 20.0;
const MOST_ROUNDS: f64 = 1_000.0;
/// Temperatures, in mean costs between visits.
const HOTTEST: f64 = 3.0;
/// Where neither windows nor days bind, so much hotter for each stop of a mean route: what is
/// wrong with long routes takes many moves to mend.
const HOTTER: f64 = 1.0 / 20.0;
const LONG: f64 = 5.0;
const WARM: f64 = 0.2;
const COLD: f64 = 0.015;
/// So much hotter at the beginning, and at the end, where a customer moves with all its visits
/// of the cycle at once.
const ALL_VISITS: (f64, f64) = (40.0, 3.2);
/// Chains of a problem that is not parted, and how often they all go on from the better one.
const CHAINS: usize = 2;
const MEETINGS: f64 = 12.0;
/// Kicks for each stop of a route that is polished at the end.
const KICKS: usize = 40;
/// First plans of a journey, each weighed by the one before.
const SKETCHES: usize = 3;
/// Neighbours, and customers taken out at a time, where each of them has several visits.
const JOURNEY_NEAR: usize = 28;
const JOURNEY_RUIN: f64 = 6.0;
/// The share of a run after which what is aimed at stands still.
const STEADY: f64 = 0.7;

/// Solves a problem that has passed its check.
pub fn solve(problem: &Problem, params: &Params, control: &mut Control) -> Solved {
    let n = problem.customers.len();
    if n == 0 {
        return Solved { plan: Plan::default(), steps: 0 };
    }
    let mut run = Run::new(problem, params);
    if let Some(initial) = params.initial.as_ref().filter(|_| !params.edited.is_empty()) {
        return mend(&mut run, initial, &params.edited, control);
    }
    let order = along_curve(problem, &(0..n as u32).collect::<Vec<u32>>());
    let k = run.neighbours(n);
    let beside = params.tuning.beside.unwrap_or(k).min(k);
    let field = Field { near: neighbours(problem, &order, k), ids: order, k, beside };
    let mut plan = run.begin(&field);
    run.aim(&field, &mut plan);
    run.tell(&field, &plan, 0.0, control);
    let mut best = plan.clone();
    let arcs: usize = plan.routes.iter().map(|r| r.stops.len() + 1).sum();
    let arc = run.travel(&field, &plan) as f64 / arcs.max(1) as f64;
    (run.arc, run.stops) = (arc, arcs as f64 / plan.routes.len().max(1) as f64 - 1.0);
    let mut chains: Vec<Working> = vec![];
    for round in 0.. {
        let from = run.done(control);
        if from >= 1.0 || control.cancel.load(Ordering::Relaxed) {
            break;
        }
        if problem.has_wishes() && from < STEADY {
            run.aim(&field, &mut plan);
            run.measure(&field, &mut best);
            chains.iter_mut().for_each(|chain| run.measure(&field, chain));
        }
        let (hot, cold) = params.tuning.heat.unwrap_or_else(|| run.heat());
        let to = (from + 1.0 / run.rounds()).min(1.0);
        let temperature = |at: f64| arc * hot * (cold / hot).powf(at);
        let heat = (temperature(from), temperature(to));
        let size = params.tuning.part.unwrap_or(PART);
        let count = if run.is_whole() { 1 } else { (n / size).max(2) };
        if count == 1 {
            let meet = (from * MEETINGS) as u64 != ((from - 1.0 / run.rounds()) * MEETINGS) as u64;
            if chains.is_empty() || meet {
                chains = vec![plan.clone(); CHAINS];
            }
            let parts = chains.iter().map(|chain| Part::whole(problem, &field, chain)).collect();
            chains = run.round(round, parts, heat, to, control);
            plan = chains.iter().min_by_key(|c| c.cost).cloned().unwrap_or(plan);
            for chain in &chains {
                if chain.best_cost < best.cost {
                    best = chain.best();
                }
            }
        } else {
            let parts = parts::split(&field, problem, &plan, count, round, params.seed);
            let ids: Vec<Vec<u32>> = parts.iter().map(|p| p.members.clone()).collect();
            let worked = run.round(round, parts, heat, to, control);
            plan = parts::merge(&ids, worked);
            if plan.cost < best.cost {
                best = plan.clone();
            }
        }
        run.tell(&field, &best, heat.1 / arc, control);
    }
    let mut plan = plan_of(&field, &best.routes, &best.unserved);
    let hard = run.hard();
    let watch = control.watch();
    let is_over = || watch.cancel.load(Ordering::Relaxed) || (watch.clock)() >= hard;
    polish(problem, &mut plan, KICKS, (params.threads, params.seed), &is_over);
    Solved { plan, steps: run.steps }
}

/// More than any detour for a visit costs.
fn penalty(problem: &Problem) -> i64 {
    let homes = (0..problem.depots.len()).map(|d| problem.depot_place(d as u32));
    let far =
        |c: usize| homes.clone().map(|h| problem.travel(h, c).max(problem.travel(c, h))).max().unwrap_or(0);
    let farthest = (0..problem.customers.len()).map(far).max().unwrap_or(0);
    let fixed = problem.vehicles.iter().map(|v| v.fixed_cost).max().unwrap_or(0);
    let service = problem.customers.iter().map(|c| c.service).max().unwrap_or(0);
    let soft = &problem.soft;
    let work = if problem.has_wishes() { 4 * service } else { 0 };
    let wishes = i64::from(work) + i64::from(soft.preference) + i64::from(soft.change) + 1;
    i64::from(farthest) * 4 + i64::from(fixed) + wishes
}

/// Routes of a field or a part while they are worked on.
#[derive(Clone, Debug, Default)]
pub struct Working {
    pub routes: Vec<Route>,
    pub unserved: Vec<u32>,
    pub cost: i64,
    pub best_routes: Vec<Route>,
    pub best_unserved: Vec<u32>,
    pub best_cost: i64,
    pub steps: u64,
}

impl Working {
    fn of(state: &State) -> Working {
        let (routes, unserved) = (state.routes(), state.unserved.clone());
        Working { routes, unserved, cost: state.cost, best_cost: i64::MAX, ..Working::default() }
    }

    pub fn best(&self) -> Working {
        Working {
            routes: self.best_routes.clone(),
            unserved: self.best_unserved.clone(),
            cost: self.best_cost,
            best_cost: i64::MAX,
            ..Working::default()
        }
    }
}

/// A search under way.
pub struct Run<'a> {
    pub problem: &'a Problem,
    params: &'a Params,
    penalty: i64,
    /// Routes of each vehicle and day.
    quota: Vec<u32>,
    pub aims: Aims,
    pub steps: u64,
    /// Steps a second of all threads together.
    rate: f64,
    /// Mean cost of going from one visit to the next.
    pub arc: f64,
    /// Mean stops of a route of the first plan.
    stops: f64,
}

impl<'a> Run<'a> {
    fn new(problem: &'a Problem, params: &'a Params) -> Run<'a> {
        Run {
            problem,
            params,
            penalty: penalty(problem),
            quota: problem.quota(),
            aims: Aims { change: i64::from(problem.soft.change), ..Aims::default() },
            steps: 0,
            rate: 50_000.0 * params.threads as f64,
            arc: 0.0,
            stops: 0.0,
        }
    }

    /// Neighbours kept of each of so many customers.
    pub fn neighbours(&self, customers: usize) -> usize {
        let k = self.params.tuning.neighbours.unwrap_or(match customers {
            _ if self.problem.consistent => JOURNEY_NEAR,
            0..3_000 => 100,
            3_000..20_000 => 64,
            20_000..300_000 => 48,
            _ => 24,
        });
        k.min(customers.saturating_sub(1)).max(1)
    }

    /// The share of the time or the steps that is used.
    pub fn done(&self, control: &Control) -> f64 {
        match self.params.limit {
            Limit::Time(limit) => {
                let time = limit.as_secs_f64() * self.annealed();
                (control.clock)().as_secs_f64() / time.max(1e-9)
            }
            Limit::Steps(steps) => self.steps as f64 / steps.max(1) as f64,
        }
    }

    fn begin(&self, field: &Field) -> Working {
        let mut annealer = Annealer::new(self.params.seed, self.ruin());
        let mut place = vec![0; field.ids.len()];
        field.ids.iter().enumerate().for_each(|(n, id)| place[*id as usize] = n as u32);
        let inside = |r: &Route| Route { stops: r.stops.iter().map(|s| place[*s as usize]).collect(), ..*r };
        let empty = || State::new(self.problem, field, &self.quota, &self.aims, self.penalty);
        let mut state = empty();
        match &self.params.initial {
            Some(plan) => state.load(&plan.routes.iter().map(inside).collect::<Vec<Route>>()),
            None if self.problem.consistent => {
                let pinned: Vec<Route> = self.problem.pins.iter().map(|pin| inside(&pin.route)).collect();
                let mut weight = territory::weights(self.problem, field);
                for _ in 0..SKETCHES {
                    state = empty();
                    state.load(&pinned);
                    let skeleton = territory::skeleton(self.problem, field, &weight);
                    for (customer, given) in skeleton.iter().enumerate() {
                        if let Some((vehicle, days)) = given
                            && !state.is_served(customer as u32)
                        {
                            state.insert_as(customer as u32, *vehicle, *days);
                        }
                    }
                    state.keep();
                    self.reweigh(field, &mut weight, &skeleton, &state);
                }
            }
            None => state.load(&construct::savings(self.problem, field)),
        }
        state.most_changed = self.problem.most_changed;
        annealer.fill(&mut state);
        Working::of(&state)
    }

    /// Weighs customers by the work that their vehicle really has.
    fn reweigh(&self, field: &Field, weight: &mut [f64], skeleton: &[Option<(u16, u32)>], state: &State) {
        let work = soft::work(self.problem, &plan_of(field, &state.routes(), &[]).routes);
        let mut sums = vec![0.0; work.len()];
        let served =
            |c: usize| skeleton[c].filter(|_| state.is_served(c as u32)).map(|(v, _)| usize::from(v));
        for (customer, weight) in weight.iter().enumerate() {
            served(customer).into_iter().for_each(|v| sums[v] += weight);
        }
        for (customer, weight) in weight.iter_mut().enumerate() {
            // Who did not fit weighs as much more as it stood in the way.
            let true_weight = served(customer).map_or(1.2, |v| work[v] as f64 / f64::max(sums[v], 1.0));
            *weight *= true_weight;
        }
    }

    /// The routes in the problem's customers.
    fn routes_of(&self, field: &Field, plan: &Working) -> Vec<Route> {
        plan_of(field, &plan.routes, &[]).routes
    }

    /// Takes what is aimed at from a plan, and measures the plan by it.
    fn aim(&mut self, field: &Field, plan: &mut Working) {
        if self.problem.has_wishes() {
            self.aims = Aims::of(self.problem, &self.routes_of(field, plan));
            self.measure(field, plan);
        }
    }

    /// What a plan costs by the present aims.
    fn measure(&self, field: &Field, plan: &mut Working) {
        plan.cost = soft::cost(self.problem, &self.aims, &self.routes_of(field, plan))
            + self.price(field, &plan.unserved);
    }

    /// What those cost who are not served.
    fn price(&self, field: &Field, unserved: &[u32]) -> i64 {
        let customer = |place: &u32| &self.problem.customers[field.ids[*place as usize] as usize];
        unserved.iter().map(|c| self.penalty * i64::from(self.problem.most_visits(customer(c)))).sum()
    }

    fn travel(&self, field: &Field, plan: &Working) -> i64 {
        let routes = self.routes_of(field, plan);
        let service = |r: &Route| {
            r.stops.iter().map(|s| i64::from(self.problem.customers[*s as usize].service)).sum::<i64>()
        };
        routes.iter().map(|r| soft::length(self.problem, r) - service(r)).sum()
    }

    fn ruin(&self) -> Ruin {
        let ruin = Ruin::default();
        let customers = if self.problem.consistent { JOURNEY_RUIN } else { ruin.customers };
        self.params.tuning.ruin.unwrap_or(Ruin { customers, ..ruin })
    }

    /// First and last temperature, in mean costs between visits: the more steps there are
    /// for each customer, the hotter it may begin without being still warm at the end.
    fn heat(&self) -> (f64, f64) {
        // A plan that was given is bettered, not melted.
        let is_plain = !self.problem.is_timed() && self.problem.days == 1;
        let hottest = match is_plain {
            _ if self.params.initial.is_some() => WARM,
            true => (self.stops * HOTTER).clamp(HOTTEST, LONG),
            false => HOTTEST,
        };
        let (first, last) = if self.problem.consistent { ALL_VISITS } else { (1.0, 1.0) };
        let rise = if is_plain { 0.15 } else { 0.1 };
        let hot = (rise * self.steps_each().sqrt()).clamp(COLD * 2.0, hottest);
        (first * hot, last * COLD)
    }

    /// Steps there will be for each customer.
    fn steps_each(&self) -> f64 {
        let steps = match self.params.limit {
            Limit::Time(limit) => self.rate * limit.as_secs_f64(),
            Limit::Steps(steps) => steps as f64,
        };
        let chains = if self.is_whole() { CHAINS } else { 1 };
        steps / (self.problem.customers.len() * chains) as f64
    }

    /// The share of the time that is for annealing; the rest is for polish.
    fn annealed(&self) -> f64 {
        if self.problem.consistent { 0.95 } else { 0.99 }
    }

    /// When everything has to end.
    fn hard(&self) -> Duration {
        match self.params.limit {
            Limit::Time(limit) => limit,
            Limit::Steps(_) => Duration::MAX,
        }
    }

    /// Too small to be cut into parts.
    fn is_whole(&self) -> bool {
        self.problem.customers.len() < 2 * SMALLEST
    }

    fn rounds(&self) -> f64 {
        let rounds = self.steps_each() / self.params.tuning.round_steps.unwrap_or(ROUND_STEPS);
        rounds.clamp(FEWEST_ROUNDS, MOST_ROUNDS)
    }

    fn tell(&self, field: &Field, best: &Working, temperature: f64, control: &mut Control) {
        let progress = Progress {
            elapsed: (control.clock)(),
            cost: match self.problem.has_wishes() {
                true => self.travel(field, best) as f64,
                false => (best.cost - self.price(field, &best.unserved)) as f64,
            } / self.problem.unit,
            routes: best.routes.len(),
            unserved: best.unserved.len(),
            steps: self.steps,
            temperature,
        };
        (control.progress)(&progress, &|| plan_of(field, &best.routes, &best.unserved));
    }

    /// Anneals parts beside each other, from one temperature to another.
    pub fn round(
        &mut self,
        round: u64,
        parts: Vec<Part>,
        heat: (f64, f64),
        until: f64,
        control: &Control,
    ) -> Vec<Working> {
        let begun = (control.clock)();
        let customers: usize = parts.iter().map(|p| p.members.len()).sum();
        let all = match self.params.limit {
            Limit::Time(limit) => {
                let left = limit.as_secs_f64() * self.annealed() * until - begun.as_secs_f64();
                (left * self.rate).max(1_000.0)
            }
            Limit::Steps(steps) => (steps as f64 * until - self.steps as f64).max(1.0),
        };
        let quotas: Vec<u64> =
            parts.iter().map(|p| (all * p.members.len() as f64 / customers as f64).ceil() as u64).collect();
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let (parts, quotas, watch) = (&parts, &quotas, control.watch());
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(part) = parts.get(number) else { break };
                let seed =
                    self.params.seed ^ (round << 20 | number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let worked = self.anneal(part, seed, quotas[number], heat, &watch);
                results.lock().unwrap_or_else(|e| e.into_inner()).push((number, worked));
            }
        };
        let threads = self.params.threads.clamp(1, parts.len());
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
        results.sort_by_key(|(number, _)| *number);
        let steps: u64 = results.iter().map(|(_, w)| w.steps).sum();
        self.steps += steps;
        let took = ((control.clock)() - begun).as_secs_f64().max(1e-6);
        self.rate = steps as f64 / took;
        results.into_iter().map(|(_, worked)| worked).collect()
    }

    fn anneal(&self, part: &Part, seed: u64, quota: u64, heat: (f64, f64), watch: &Watch) -> Working {
        let mut state = State::new(self.problem, &part.field, &part.quota, &self.aims, self.penalty);
        state.load(&part.routes);
        state.most_changed = part.most_changed;
        state.reach = (self.arc * self.params.tuning.reach.unwrap_or(6.0)) as i64;
        let mut annealer = Annealer::new(seed, self.ruin());
        let mut best = Working { best_cost: i64::MAX, ..Working::default() };
        let apart = (part.members.len() / 4) as u64;
        let (mut kept_at, mut low) = (0, state.cost);
        let hard = self.hard();
        let mut temperature = heat.0;
        let mut steps = 0;
        while steps < quota {
            if steps % LOOK == 0 {
                if watch.cancel.load(Ordering::Relaxed) || hard < Duration::MAX && (watch.clock)() >= hard {
                    break;
                }
                temperature = heat.0 * (heat.1 / heat.0).powf(steps as f64 / quota as f64);
            }
            steps += 1;
            if annealer.step(&mut state, temperature) && state.cost < low {
                low = state.cost;
                if steps >= kept_at + apart {
                    kept_at = steps;
                    best = Working {
                        best_routes: state.routes(),
                        best_unserved: state.unserved.clone(),
                        best_cost: low,
                        ..Working::default()
                    };
                }
            }
        }
        let now = Working::of(&state);
        let best = match now.cost <= best.best_cost {
            true => (now.routes.clone(), now.unserved.clone(), now.cost),
            false => (best.best_routes, best.best_unserved, best.best_cost),
        };
        Working { best_routes: best.0, best_unserved: best.1, best_cost: best.2, steps, ..now }
    }
}
