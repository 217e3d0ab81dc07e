//! From a task in planners' terms to a problem of the engine.

use super::in_force::{current, drivable, routes_in_force};
use super::locks::Locks;
use super::staff::staff;
use super::{Channel, InForce, Outlet, Rep, Task, Travel, weekday};
use crate::solver::problem::{Customer, Depot, Metric, Plan, Problem, Soft, UNBOUND, Vehicle, distance};
use std::collections::{HashMap, HashSet};

/// Mean radius of the earth in metres (IUGG).
const EARTH: f64 = 6_371_008.8;
/// A task that is spread wider than this in metres has a wrong position somewhere.
const WIDEST: f64 = 2_000_000.0;
/// Faults named at once.
const NAMED: usize = 10;
/// Days of the cycle that the engine counts.
const MOST_DAYS: u32 = 32;

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
    let days = task.weeks.saturating_mul(task.days_per_week);
    if !(1..=7).contains(&task.days_per_week) || !(1..=MOST_DAYS).contains(&days) {
        faults.add(format!(
            "{} weeks of {} days: a cycle has 1 to {MOST_DAYS} days and a week 1 to 7",
            task.weeks, task.days_per_week
        ));
    }
    let hours = |what: &str, hours: f64, faults: &mut Faults| {
        if !(hours > 0.0 && hours <= 24.0) {
            faults.add(format!("{what}: a day has 0 to 24 hours, not {hours}"));
        }
    };
    hours("rules", task.rules.hours, &mut faults);
    let start = faults.take("rules: start", clock(&task.rules.start)).unwrap_or(0);
    let end = faults.take("rules: end", clock(&task.rules.end)).unwrap_or(86_400);
    let metric = faults.take("travel", metric(&task.travel)).unwrap_or(Metric::Nearest);
    let wishes = &task.wishes;
    let all = [
        wishes.balance,
        wishes.day_balance,
        wishes.compactness,
        wishes.preference,
        wishes.spacing,
        wishes.change,
    ];
    if all.iter().any(|w| !(0.0..=1e5).contains(w)) {
        faults.add("wishes: a weight is a number from 0 to 100,000".into());
    }
    places(task, &mut faults);
    faults.end()?;
    let earth = Plane::of(task);
    let at: Vec<(f64, f64)> = task.outlets.iter().map(|o| earth.place(o.lat, o.lon)).collect();
    let depots: Vec<Depot> = (task.distributors.iter().enumerate())
        .map(|(n, d)| {
            let (x, y) = earth.place(d.lat, d.lon);
            Depot { label: (task.outlets.len() + n) as u32 + 1, x, y, window: (start, end) }
        })
        .collect();
    let of = distributors_of(task, &at, &depots, &mut faults);
    faults.end()?;
    let reps = match task.days_per_week {
        0 => vec![],
        _ => staff(task, &at, &depots, &of, &metric, &mut faults),
    };
    let number: HashMap<&str, u32> = (0..).zip(&task.distributors).map(|(n, d)| (d.id.as_str(), n)).collect();
    let mut vehicles = Vec::new();
    for rep in &reps {
        let what = format!("rep {}", rep.id);
        let worked = rep.hours.unwrap_or(task.rules.hours);
        hours(&what, worked, &mut faults);
        let Some(depot) = number.get(rep.distributor.as_str()) else {
            faults.add(format!("{what}: there is no distributor \"{}\"", rep.distributor));
            continue;
        };
        let week = faults.take(&what, mask(&rep.days, task.days_per_week)).unwrap_or(0);
        vehicles.push(Vehicle {
            depot: *depot,
            max_duration: (worked * 3_600.0) as i32,
            count: 1,
            max_stops: rep.max_stops.unwrap_or(task.rules.max_stops),
            days: every_week(week, task),
            group: if rep.channel == Channel::General { *depot } else { depots.len() as u32 },
            ..Vehicle::default()
        });
    }
    faults.end()?;
    let mut sets = Sets::default();
    // Thousands of outlets have the same fleet and the same patterns.
    let (mut fleets, mut rhythms) = (HashMap::new(), HashMap::new());
    let places: HashMap<&str, u32> = (0..).zip(&task.outlets).map(|(n, o)| (o.id.as_str(), n)).collect();
    let who: HashMap<&str, u32> = (0..).zip(&reps).map(|(n, r)| (r.id.as_str(), n)).collect();
    let mut notes = Vec::new();
    let before = in_force.map(|plan| routes_in_force(task, plan, &places, &who, &mut notes));
    let current = before.as_ref().map_or(vec![], |plan| current(plan, task.outlets.len()));
    let locks = Locks::of(task, &places, &who, before.as_ref(), &current, &mut faults);
    let seconds = |minutes: f64| (minutes * 60.0) as i32;
    let mut customers = Vec::with_capacity(task.outlets.len());
    for (n, outlet) in task.outlets.iter().enumerate() {
        let what = format!("outlet {}", outlet.id);
        let market = match outlet.channel {
            Channel::General => (outlet.channel, of[n], ""),
            Channel::Modern => (outlet.channel, 0, outlet.chain.as_str()),
        };
        let serving = || {
            let reps = (0..).zip(&reps).filter(|(_, r)| serves(r, outlet, of[n], &number));
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
        let window = match &outlet.window {
            None => Some((0, UNBOUND)),
            Some((from, to)) => faults.take(&what, clock(from).and_then(|from| Ok((from, clock(to)?)))),
        };
        let Some(window) = window else { continue };
        if window.0 > window.1 {
            faults.add(format!("{what}: its window ends before it begins"));
        }
        customers.push(Customer {
            label: n as u32 + 1,
            x: at[n].0,
            y: at[n].1,
            demand: 0,
            service: seconds(outlet.minutes),
            window,
            patterns,
            fleet,
            preferred: if outlet.prefer.is_empty() { 0 } else { every_week(preferred, task) },
        });
    }
    faults.end()?;
    let problem = Problem {
        name: task.name.clone(),
        depots,
        customers,
        vehicles,
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
        metric,
        // Seconds in a minute: costs are told in minutes.
        unit: 60.0,
    };
    problem.check().map_err(|fault| vec![fault])?;
    let initial = before.as_ref().map(|plan| drivable(&problem, plan));
    Ok(Built { problem, reps, before, initial, notes })
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

    fn end(&mut self) -> Result<(), Vec<String>> {
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

/// Positions, names and amounts that cannot be.
fn places(task: &Task, faults: &mut Faults) {
    let mut seen = HashSet::new();
    let mut place = |what: &str, id: &str, lat: f64, lon: f64, faults: &mut Faults| {
        if id.is_empty() {
            faults.add(format!("{what}: its id is missing"));
        } else if !seen.insert((what.to_owned(), id.to_owned())) {
            faults.add(format!("{what} {id}: there are two of this id"));
        }
        if !((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)) {
            faults.add(format!("{what} {id}: {lat}, {lon} is no latitude and longitude in degrees"));
        }
    };
    for d in &task.distributors {
        place("distributor", &d.id, d.lat, d.lon, faults);
    }
    for o in &task.outlets {
        place("outlet", &o.id, o.lat, o.lon, faults);
        if !(0.0..=1_440.0).contains(&o.minutes) {
            faults.add(format!("outlet {}: a visit takes 0 to 1,440 minutes, not {}", o.id, o.minutes));
        }
    }
    if task.distributors.is_empty() {
        faults.add("there is no distributor".into());
    }
    let mut seen = HashSet::new();
    for rep in &task.reps {
        if !seen.insert(&rep.id) {
            faults.add(format!("rep {}: there are two of this id", rep.id));
        }
    }
}

/// The plane that a task is projected on: equirectangular at its middle latitude, which for
/// a territory of some hundred kilometres is true to a few parts in a thousand.
pub(super) struct Plane {
    lat: f64,
    lon: f64,
}

impl Plane {
    pub fn of(task: &Task) -> Plane {
        let all = task.outlets.iter().map(|o| (o.lat, o.lon));
        let all: Vec<_> = all.chain(task.distributors.iter().map(|d| (d.lat, d.lon))).collect();
        let mut lats: Vec<f64> = all.iter().map(|p| p.0).collect();
        let mut lons: Vec<f64> = all.iter().map(|p| p.1).collect();
        // The median is not moved by a position that is wrong.
        lats.sort_by(f64::total_cmp);
        lons.sort_by(f64::total_cmp);
        Plane { lat: lats[lats.len() / 2], lon: lons[lons.len() / 2] }
    }

    /// Metres from the middle.
    pub fn place(&self, lat: f64, lon: f64) -> (f64, f64) {
        // Across the date line the short way.
        let east = (lon - self.lon + 540.0).rem_euclid(360.0) - 180.0;
        (EARTH * self.lat.to_radians().cos() * east.to_radians(), EARTH * (lat - self.lat).to_radians())
    }
}

fn metric(travel: &Travel) -> Result<Metric, String> {
    let numbers = [travel.circuity, travel.town_km_h, travel.road_km_h];
    if numbers.iter().any(|n| !(n.is_finite() && *n > 0.0)) || travel.town_km.is_nan() || travel.town_km < 0.0
    {
        return Err("circuity and speeds are numbers above nothing".into());
    }
    if travel.road_km_h < travel.town_km_h {
        return Err("roads are no slower than towns: road_km_h is below town_km_h".into());
    }
    let pace = |km_h: f64| travel.circuity * 3.6 / km_h;
    Ok(Metric::Road {
        near: pace(travel.town_km_h),
        far: pace(travel.road_km_h),
        town: travel.town_km * 1_000.0 / travel.circuity,
    })
}

/// A time of day in seconds.
fn clock(text: &str) -> Result<i32, String> {
    let read = || {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.trim().parse().ok()?, minutes.trim().parse().ok()?);
        ((0..=24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 3_600 + minutes * 60)
    };
    read().ok_or_else(|| format!("\"{text}\" is no time of day: 09:30"))
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

/// The distributor of each outlet: the one that is named, or the nearest.
fn distributors_of(task: &Task, at: &[(f64, f64)], depots: &[Depot], faults: &mut Faults) -> Vec<u32> {
    let number: HashMap<&str, u32> = (0..).zip(&task.distributors).map(|(n, d)| (d.id.as_str(), n)).collect();
    let mut of = Vec::with_capacity(at.len());
    for (outlet, at) in task.outlets.iter().zip(at) {
        if at.0.abs().max(at.1.abs()) > WIDEST {
            faults.add(format!(
                "outlet {}: {}, {} is more than 2,000 km from the others",
                outlet.id, outlet.lat, outlet.lon
            ));
        }
        let far = |d: &u32| distance((depots[*d as usize].x, depots[*d as usize].y), *at);
        let nearest = (0..depots.len() as u32).min_by(|a, b| far(a).total_cmp(&far(b)));
        of.push(match outlet.distributor.as_str() {
            "" => nearest.unwrap_or(0),
            id => number.get(id).copied().unwrap_or_else(|| {
                faults.add(format!("outlet {}: there is no distributor \"{id}\"", outlet.id));
                0
            }),
        });
    }
    of
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
