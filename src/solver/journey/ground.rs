//! Where a task lies and who works there: places in the plane, how long ways take, reps and
//! their hours. All that is needed to drive routes; [`build`](super::build()) adds on which
//! days and by whom each outlet may be visited.

use super::build::{Faults, every_week, mask};
use super::staff::staff;
use super::{Channel, Rep, Task, Travel};
use crate::solver::problem::{Customer, Depot, Metric, Problem, UNBOUND, Vehicle, distance};
use std::collections::{HashMap, HashSet};

/// Mean radius of the earth in metres (IUGG).
const EARTH: f64 = 6_371_008.8;
/// A task that is spread wider than this in metres has a wrong position somewhere.
const WIDEST: f64 = 2_000_000.0;
/// Days of the cycle that the engine counts.
const MOST_DAYS: u32 = 32;

/// A task's places, reps and hours.
#[derive(Debug)]
pub struct Ground {
    pub depots: Vec<Depot>,
    pub vehicles: Vec<Vehicle>,
    pub reps: Vec<Rep>,
    pub metric: Metric,
    /// Where each outlet lies, in metres, and its distributor.
    pub at: Vec<(f64, f64)>,
    pub of: Vec<u32>,
}

pub fn seconds(minutes: f64) -> i32 {
    (minutes * 60.0) as i32
}

impl Ground {
    /// # Errors
    /// Sentences that name the outlet, rep or distributor and what is wrong with it.
    pub fn of(task: &Task) -> Result<Ground, Vec<String>> {
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
        let plane = Plane::of(task);
        let at: Vec<(f64, f64)> = task.outlets.iter().map(|o| plane.place(o.lat, o.lon)).collect();
        let depots: Vec<Depot> = (task.distributors.iter().enumerate())
            .map(|(n, d)| {
                let (x, y) = plane.place(d.lat, d.lon);
                Depot { label: (task.outlets.len() + n) as u32 + 1, x, y, window: (start, end) }
            })
            .collect();
        let of = distributors_of(task, &at, &depots, &mut faults);
        faults.end()?;
        let reps = match task.days_per_week {
            0 => vec![],
            _ => staff(task, &at, &depots, &of, &metric, &mut faults),
        };
        let number: HashMap<&str, u32> =
            (0..).zip(&task.distributors).map(|(n, d)| (d.id.as_str(), n)).collect();
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
        Ok(Ground { depots, vehicles, reps, metric, at, of })
    }

    /// An outlet as a customer, on any day by anybody.
    pub fn customer(&self, task: &Task, n: usize, faults: &mut Faults) -> Option<Customer> {
        let outlet = &task.outlets[n];
        let what = format!("outlet {}", outlet.id);
        let window = match &outlet.window {
            None => (0, UNBOUND),
            Some((from, to)) => faults.take(&what, clock(from).and_then(|from| Ok((from, clock(to)?))))?,
        };
        if window.0 > window.1 {
            faults.add(format!("{what}: its window ends before it begins"));
        }
        let (x, y) = self.at[n];
        let service = seconds(outlet.minutes);
        Some(Customer { label: n as u32 + 1, x, y, service, window, ..Customer::default() })
    }

    /// A problem that routes can be driven in, and not planned.
    ///
    /// # Errors
    /// Sentences that name the outlet and what is wrong with it.
    pub fn problem(&self, task: &Task) -> Result<Problem, Vec<String>> {
        let mut faults = Faults::default();
        let customers = (0..task.outlets.len()).filter_map(|n| self.customer(task, n, &mut faults)).collect();
        faults.end()?;
        Ok(Problem {
            name: task.name.clone(),
            depots: self.depots.clone(),
            customers,
            vehicles: self.vehicles.clone(),
            days: task.weeks * task.days_per_week,
            week: task.days_per_week,
            metric: self.metric.clone(),
            unit: 60.0,
            ..Problem::default()
        })
    }
}

/// Positions, names and amounts that cannot be.
fn places(task: &Task, faults: &mut Faults) {
    let mut seen: HashSet<(&str, &str)> = HashSet::with_capacity(task.outlets.len());
    let mut name = |what: &'static str, id, faults: &mut Faults| match id {
        "" => faults.add(format!("{what}: its id is missing")),
        id if !seen.insert((what, id)) => faults.add(format!("{what} {id}: there are two of this id")),
        _ => {}
    };
    let place = |what: &str, id: &str, lat: f64, lon: f64, faults: &mut Faults| {
        if !((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)) {
            faults.add(format!("{what} {id}: {lat}, {lon} is no latitude and longitude in degrees"));
        }
    };
    for d in &task.distributors {
        name("distributor", &d.id, faults);
        place("distributor", &d.id, d.lat, d.lon, faults);
    }
    for o in &task.outlets {
        name("outlet", &o.id, faults);
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
        let middle = |all: &mut Vec<f64>| {
            let half = all.len() / 2;
            *all.select_nth_unstable_by(half, f64::total_cmp).1
        };
        Plane { lat: middle(&mut lats), lon: middle(&mut lons) }
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
        let nearest = || (0..depots.len() as u32).min_by(|a, b| far(a).total_cmp(&far(b)));
        of.push(match outlet.distributor.as_str() {
            "" => nearest().unwrap_or(0),
            id => number.get(id).copied().unwrap_or_else(|| {
                faults.add(format!("outlet {}: there is no distributor \"{id}\"", outlet.id));
                0
            }),
        });
    }
    of
}
