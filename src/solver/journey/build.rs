//! From a task in planners' terms to a problem of the engine.

use super::ground::{Ground, seconds};
use super::in_force::{current, drivable, routes_in_force};
use super::locks::Locks;
use super::report::day_of;
use super::{Channel, Day, DayRoute, InForce, Outlet, Rep, Task, weekday};
use crate::solver::problem::{Customer, Plan, Problem, Route, Soft};
use std::collections::HashMap;

/// Faults named at once.
const NAMED: usize = 10;
/// A task as the engine takes it; customers are its outlets, vehicles its reps.
#[derive(Debug)]
pub struct Built {
    pub problem: Problem,
    pub reps: Vec<Rep>,
    /// The plan in force as it was given, whatever rules it breaks.
    pub before: Option<Plan>,
    /// What of it can be begun with.
    pub initial: Option<Plan>,
    /// What was overlooked.
    pub notes: Vec<String>,
}

/// Makes a problem of a task.
///
/// # Errors
/// Sentences that name the outlet, rep or distributor and what is wrong with it.
pub fn build(task: &Task, in_force: Option<&InForce>) -> Result<Built, Vec<String>> {
    let mut faults = Faults::default();
    let ground = Ground::of(task)?;
    let wishes = &task.wishes;
    let mut sets = Sets::default();
    // Thousands of outlets have the same fleet and the same patterns.
    let (mut fleets, mut rhythms) = (HashMap::new(), HashMap::new());
    let places: HashMap<&str, u32> = (0..).zip(&task.outlets).map(|(n, o)| (o.id.as_str(), n)).collect();
    let who: HashMap<&str, u32> = (0..).zip(&ground.reps).map(|(n, r)| (r.id.as_str(), n)).collect();
    let number: HashMap<&str, u32> = (0..).zip(&task.distributors).map(|(n, d)| (d.id.as_str(), n)).collect();
    let reps = &ground.reps;
    let mut notes = Vec::new();
    let before = in_force.map(|plan| routes_in_force(task, plan, &places, &who, &mut notes));
    let current = before.as_ref().map_or(vec![], |plan| current(plan, task.outlets.len()));
    let locks = Locks::of(task, &places, &who, before.as_ref(), &current, &mut faults);
    let mut customers = Vec::with_capacity(task.outlets.len());
    for (n, outlet) in task.outlets.iter().enumerate() {
        let what = format!("outlet {}", outlet.id);
        let market = match outlet.channel {
            Channel::General => (outlet.channel, ground.of[n], ""),
            Channel::Modern => (outlet.channel, 0, outlet.chain.as_str()),
        };
        let serving = || {
            let reps = (0..).zip(reps).filter(|(_, r)| serves(r, outlet, ground.of[n], &number));
            sets.fleet(reps.map(|(r, _)| r).collect())
        };
        let mut fleet = *fleets.entry(market).or_insert_with(serving);
        if sets.fleets[fleet as usize].is_empty() {
            faults.add(format!("{what}: nobody visits its {}", kind(outlet)));
            continue;
        }
        if let Some(rep) = locks.rep.get(&(n as u32)) {
            if !sets.fleets[fleet as usize].contains(rep) {
                faults.add(format!("{what}: rep {} may not visit it", reps[*rep as usize].id));
            }
            fleet = sets.fleet(vec![*rep]);
        }
        let mut allowed = faults.take(&what, mask(&outlet.days, task.days_per_week)).unwrap_or(0);
        let preferred = faults.take(&what, mask(&outlet.prefer, task.days_per_week)).unwrap_or(0);
        allowed &= locks.week.get(&(n as u32)).copied().unwrap_or(u32::MAX);
        let patterns = match (locks.days.get(&(n as u32)), rhythms.get(&(outlet.visits, allowed))) {
            (Some(days), _) => Ok(sets.patterns(vec![*days])),
            (None, Some(set)) => Ok(*set),
            (None, None) => patterns(outlet.visits, task, allowed).map(|all| sets.patterns(all)),
        };
        let Some(patterns) = faults.take(&what, patterns) else { continue };
        if !locks.days.contains_key(&(n as u32)) {
            rhythms.insert((outlet.visits, allowed), patterns);
        }
        let Some(customer) = ground.customer(task, n, &mut faults) else { continue };
        let preferred = if outlet.prefer.is_empty() { 0 } else { every_week(preferred, task) };
        customers.push(Customer { patterns, fleet, preferred, ..customer });
    }
    faults.end()?;
    let days = task.weeks * task.days_per_week;
    let problem = Problem {
        name: task.name.clone(),
        depots: ground.depots,
        customers,
        vehicles: ground.vehicles,
        days,
        week: task.days_per_week,
        patterns: sets.patterns,
        fleets: sets.fleets,
        consistent: true,
        soft: Soft {
            balance: wishes.balance,
            day_balance: wishes.day_balance,
            compactness: wishes.compactness * 60.0 / 1_000.0,
            preference: seconds(wishes.preference),
            spacing: seconds(wishes.spacing),
            change: seconds(wishes.change),
        },
        most_changed: match task.most_changed.filter(|_| !current.is_empty()) {
            Some(share) => (share.clamp(0.0, 1.0) * task.outlets.len() as f64) as u32,
            None => u32::MAX,
        },
        current,
        pins: locks.pins,
        metric: ground.metric,
        // Seconds in a minute: costs are told in minutes.
        unit: 60.0,
    };
    problem.check().map_err(|fault| vec![fault])?;
    let initial = before.as_ref().map(|plan| drivable(&problem, plan));
    Ok(Built { problem, reps: ground.reps, before, initial, notes })
}

impl Built {
    /// A plan's routes in planners' terms.
    pub fn routes_of(&self, task: &Task, plan: &Plan) -> Vec<DayRoute> {
        let route = |r: &Route| {
            let Day { rep, week, day } = day_of(task, self, r.vehicle, r.day);
            let outlets = r.stops.iter().map(|s| task.outlets[*s as usize].id.clone()).collect();
            DayRoute { rep, week, day, outlets }
        };
        plan.routes.iter().map(route).collect()
    }

    /// Routes in planners' terms as a plan; what they name that is not there is left out.
    pub fn plan_of(&self, task: &Task, routes: &InForce) -> Plan {
        let places: HashMap<&str, u32> = (0..).zip(&task.outlets).map(|(n, o)| (o.id.as_str(), n)).collect();
        let reps: HashMap<&str, u32> = (0..).zip(&self.reps).map(|(n, r)| (r.id.as_str(), n)).collect();
        let plan = routes_in_force(task, routes, &places, &reps, &mut vec![]);
        drivable(&self.problem, &plan)
    }
}

/// What is wrong, until there is enough of it.
#[derive(Default)]
pub struct Faults {
    named: Vec<String>,
    more: usize,
}

impl Faults {
    pub fn add(&mut self, fault: String) {
        if self.named.len() < NAMED {
            self.named.push(fault);
        } else {
            self.more += 1;
        }
    }

    pub fn take<T>(&mut self, what: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|fault| self.add(format!("{what}: {fault}"))).ok()
    }

    pub fn end(&mut self) -> Result<(), Vec<String>> {
        if self.named.is_empty() {
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.named);
        if self.more > 0 {
            all.push(format!("and {} more", self.more));
        }
        Err(all)
    }
}

/// Weekdays as bits; none given are all.
pub fn mask(days: &[String], of_week: u32) -> Result<u32, String> {
    if days.is_empty() {
        return Ok((1 << of_week) - 1);
    }
    let mut mask = 0;
    for day in days {
        let number = weekday(day)?;
        if number >= of_week {
            return Err(format!("{day} is no working day: a week has {of_week}"));
        }
        mask |= 1 << number;
    }
    Ok(mask)
}

/// A week's days in each week of the cycle.
pub fn every_week(week: u32, task: &Task) -> u32 {
    (0..task.weeks).fold(0, |all, w| all | week << (w * task.days_per_week))
}

/// The combinations of days of so many visits: the same weekday at even distances where
/// there is at most one a week; else as many weekdays each week, apart from each other.
fn patterns(visits: u32, task: &Task, allowed: u32) -> Result<Vec<u32>, String> {
    let (weeks, of_week) = (task.weeks, task.days_per_week);
    if allowed == 0 {
        return Err("no weekday is left that is allowed".into());
    }
    let weekdays: Vec<u32> = (0..of_week).filter(|d| allowed & 1 << d != 0).collect();
    let mut all = Vec::new();
    if visits == 0 {
        return Err("0 visits: an outlet in a plan is visited".into());
    } else if visits.is_multiple_of(weeks) {
        let count = visits / weeks;
        if count > weekdays.len() as u32 {
            return Err(format!("{visits} visits in {weeks} weeks want {count} weekdays that are allowed"));
        }
        let apart = |week: u32, gap: u32| {
            let on = |d: u32| week & 1 << (d % of_week) != 0;
            (0..of_week).filter(|d| on(*d)).all(|d| (1..gap).all(|g| !on(d + g)))
        };
        let widest = (of_week / count).max(1);
        for gap in (1..=widest).rev() {
            let weeks = (1u32..1 << of_week).filter(|w| w & !allowed == 0 && w.count_ones() == count);
            all.extend(weeks.filter(|w| count == 1 || apart(*w, gap)).map(|w| every_week(w, task)));
            if !all.is_empty() {
                break;
            }
        }
    } else if visits < weeks {
        let even = weeks.is_multiple_of(visits);
        for chosen in (1u32..1 << weeks).filter(|w| w.count_ones() == visits) {
            let step = weeks / visits;
            let first = chosen.trailing_zeros();
            if even && (0..visits).any(|n| chosen & 1 << (first + n * step) == 0) {
                continue;
            }
            for day in &weekdays {
                let weeks = (0..weeks).filter(|w| chosen & 1 << w != 0);
                all.push(weeks.fold(0, |all, w| all | 1 << (w * of_week + day)));
            }
        }
    } else {
        return Err(format!(
            "{visits} visits do not spread over {weeks} weeks: at most {weeks}, or times {weeks}"
        ));
    }
    all.sort_unstable();
    Ok(all)
}

/// Sets of patterns and of vehicles, each kept once.
#[derive(Default)]
struct Sets {
    patterns: Vec<Vec<u32>>,
    pattern_at: HashMap<Vec<u32>, u32>,
    fleets: Vec<Vec<u32>>,
    fleet_at: HashMap<Vec<u32>, u32>,
}

impl Sets {
    fn patterns(&mut self, set: Vec<u32>) -> u32 {
        *self.pattern_at.entry(set).or_insert_with_key(|set| {
            self.patterns.push(set.clone());
            self.patterns.len() as u32 - 1
        })
    }

    fn fleet(&mut self, set: Vec<u32>) -> u32 {
        *self.fleet_at.entry(set).or_insert_with_key(|set| {
            self.fleets.push(set.clone());
            self.fleets.len() as u32 - 1
        })
    }
}

/// Whether a rep may visit an outlet of a distributor.
fn serves(rep: &Rep, outlet: &Outlet, of: u32, number: &HashMap<&str, u32>) -> bool {
    rep.channel == outlet.channel
        && match rep.channel {
            Channel::General => number.get(rep.distributor.as_str()) == Some(&of),
            Channel::Modern => rep.chains.is_empty() || rep.chains.contains(&outlet.chain),
        }
}

fn kind(outlet: &Outlet) -> String {
    match (outlet.channel, outlet.chain.as_str()) {
        (Channel::General, _) => "distributor's general trade".into(),
        (Channel::Modern, "") => "modern trade".into(),
        (Channel::Modern, chain) => format!("chain \"{chain}\""),
    }
}
