//! What locks demand of a plan: an outlet's rep, its weekdays, its place, or a whole day.

use super::build::{Faults, every_week, mask};
use super::{Task, weekday};
use crate::solver::problem::{Pin, Plan, Route};
use std::collections::HashMap;

/// What locks demand.
#[derive(Default)]
pub struct Locks {
    pub rep: HashMap<u32, u32>,
    /// Weekdays of the week.
    pub week: HashMap<u32, u32>,
    /// Days of the cycle.
    pub days: HashMap<u32, u32>,
    pub pins: Vec<Pin>,
}

/// What stands for the plan in force in a lock.
const CURRENT: &str = "current";

impl Locks {
    pub fn of(
        task: &Task,
        places: &HashMap<&str, u32>,
        reps: &HashMap<&str, u32>,
        before: Option<&Plan>,
        current: &[Option<(u32, u32)>],
        faults: &mut Faults,
    ) -> Locks {
        let mut locks = Locks::default();
        // What stays where it is comes last: no other lock may want it elsewhere.
        let mut pins = Vec::new();
        let routes = before.map_or(&[][..], |plan| &plan.routes);
        for lock in &task.locks {
            if let Some(day) = &lock.route {
                let what = format!("lock of {}, week {}, {}", day.rep, day.week, day.day);
                let number = weekday(&day.day).unwrap_or(u32::MAX);
                let at = |r: &&Route| {
                    reps.get(day.rep.as_str()) == Some(&r.vehicle)
                        && u64::from(r.day) + u64::from(task.days_per_week)
                            == u64::from(day.week) * u64::from(task.days_per_week) + u64::from(number)
                };
                match routes.iter().find(at) {
                    Some(route) => pins.push(Pin { route: route.clone(), closed: true }),
                    None => faults.add(format!("{what}: the plan in force has no such day")),
                }
                continue;
            }
            let what = format!("lock of outlet {}", lock.outlet);
            let Some(place) = places.get(lock.outlet.as_str()).copied() else {
                faults.add(format!("{what}: there is no such outlet"));
                continue;
            };
            let now = current.get(place as usize).copied().flatten();
            let in_force = |what: &str, faults: &mut Faults| {
                if now.is_none() {
                    faults.add(format!("{what}: the plan in force does not visit it"));
                }
                now
            };
            match lock.rep.as_deref() {
                Some(CURRENT) => {
                    if let Some((rep, _)) = in_force(&what, faults) {
                        locks.rep.insert(place, rep);
                    }
                }
                Some(id) => match reps.get(id) {
                    Some(rep) => _ = locks.rep.insert(place, *rep),
                    None => faults.add(format!("{what}: there is no rep \"{id}\"")),
                },
                None => {}
            }
            match lock.days.as_slice() {
                [] => {}
                [one] if one == CURRENT => {
                    if let Some((_, days)) = in_force(&what, faults) {
                        locks.days.insert(place, days);
                    }
                }
                days => {
                    if let Some(mask) = faults.take(&what, mask(days, task.days_per_week)) {
                        locks.week.insert(place, mask);
                    }
                }
            }
            if lock.place && in_force(&what, faults).is_some() {
                for route in routes {
                    if let Some(at) = route.stops.iter().position(|s| *s == place) {
                        let stops = route.stops[..=at].to_vec();
                        pins.push(Pin { route: Route { stops, ..*route }, closed: false });
                    }
                }
            }
        }
        for pin in pins {
            for stop in &pin.route.stops {
                if locks.wants_elsewhere(*stop, current[*stop as usize], task) {
                    let id = &task.outlets[*stop as usize].id;
                    faults.add(format!("lock of outlet {id}: a day that stays as it is has it elsewhere"));
                }
            }
            locks.pin(pin, current);
        }
        locks
    }

    /// Whether a lock gives an outlet another rep or other weekdays than it has.
    fn wants_elsewhere(&self, outlet: u32, now: Option<(u32, u32)>, task: &Task) -> bool {
        let Some((rep, days)) = now else { return false };
        let week = self.week.get(&outlet).map_or(u32::MAX, |week| every_week(*week, task));
        self.rep.get(&outlet).is_some_and(|other| *other != rep) || days & !week != 0
    }

    /// Those who are pinned keep their rep and their days; of two pins of a day the longer
    /// one holds.
    fn pin(&mut self, pin: Pin, current: &[Option<(u32, u32)>]) {
        for stop in &pin.route.stops {
            if let Some((rep, days)) = current[*stop as usize] {
                self.rep.insert(*stop, rep);
                self.days.insert(*stop, days);
            }
        }
        let same = |p: &&mut Pin| (p.route.vehicle, p.route.day) == (pin.route.vehicle, pin.route.day);
        match self.pins.iter_mut().find(same) {
            Some(other) if other.route.stops.len() < pin.route.stops.len() || pin.closed => *other = pin,
            Some(_) => {}
            None => self.pins.push(pin),
        }
    }
}
