//! What each rep drives, as it is kept: outlets by their codes, in the order of each day of
//! the cycle. A plan is the journeys of a unit.

use super::rules::WEEKS;
use super::source::Source;
use crate::changes::codec;
use crate::domain::schema::{Journey, Kind, Record};
use crate::domain::{Failure, Id, Outcome};
use crate::frames;
use crate::services::{WriteCx, each_record};
use crate::solver::journey::{DayRoute, InForce, WEEKDAYS, weekday};
use crate::store::{IndexKey, Reads};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Index of journeys by unit.
const BY_UNIT: u8 = 155;
/// Bytes of one rep's journey, or of a whole plan, unpacked.
const MOST_BYTES: usize = 64 << 20;
const LEVEL: i32 = 3;
const DAYS: u8 = 7;

/// A day of the cycle: its week, from 1, and its weekday, from Monday as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    pub week: u32,
    pub weekday: u32,
}

impl Slot {
    /// "Tue 2" or "Tue, week 2".
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Slot, String> {
        let expected = || format!("\"{text}\" is no day of the cycle: Tue 2");
        let (day, week) = text.trim().rsplit_once([' ', ',']).ok_or_else(expected)?;
        let week = week.trim().parse().ok().filter(|w| (1..=WEEKS).contains(w)).ok_or_else(expected)?;
        let day = day.trim_end_matches("week").trim_matches([' ', ',']);
        Ok(Slot { week, weekday: weekday(day)? })
    }

    pub fn of(route: &DayRoute) -> Option<Slot> {
        let weekday = weekday(&route.day).ok()?;
        (1..=WEEKS).contains(&route.week).then_some(Slot { week: route.week, weekday })
    }

    pub fn day(self) -> &'static str {
        WEEKDAYS[self.weekday as usize % WEEKDAYS.len()]
    }

    fn number(self) -> u8 {
        (self.week as u8 - 1) * DAYS + self.weekday as u8
    }

    fn from_number(number: u8) -> Slot {
        Slot { week: u32::from(number / DAYS) + 1, weekday: u32::from(number % DAYS) }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} {}", self.day(), self.week)
    }
}

/// One rep's days, and outlets that stay where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days {
    pub distributor: String,
    pub days: BTreeMap<Slot, Vec<String>>,
    pub pinned: Vec<String>,
}

/// As it is written: each code once, days as numbers of codes.
#[derive(Serialize, Deserialize)]
struct Written {
    codes: Vec<String>,
    days: Vec<(u8, Vec<u32>)>,
    pinned: Vec<u32>,
}

pub fn pack<T: Serialize>(value: &T) -> Outcome<Vec<u8>> {
    zstd::bulk::compress(&frames::encode(value)?, LEVEL)
        .map_err(|e| Failure::internal(format!("A plan cannot be written: {e}")))
}

pub fn unpack<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Outcome<T> {
    let raw = zstd::bulk::decompress(bytes, MOST_BYTES)
        .map_err(|e| Failure::internal(format!("A plan cannot be read: {e}")))?;
    frames::decode(&raw)
}

impl Written {
    /// Whether these are those days.
    fn is_of(&self, days: &Days) -> bool {
        let same = |numbers: &[u32], codes: &[String]| {
            let of = numbers.iter().map(|n| self.codes.get(*n as usize));
            numbers.len() == codes.len() && of.zip(codes).all(|(of, code)| of == Some(code))
        };
        self.days.len() == days.days.len()
            && same(&self.pinned, &days.pinned)
            && self
                .days
                .iter()
                .zip(&days.days)
                .all(|((number, stops), (slot, codes))| *number == slot.number() && same(stops, codes))
    }
}

impl Days {
    fn written(&self) -> Written {
        let (mut number, mut codes) = (HashMap::new(), Vec::new());
        let all = self.days.values().flatten().chain(&self.pinned);
        for code in all {
            number.entry(code.as_str()).or_insert_with(|| {
                codes.push(code.clone());
                codes.len() as u32 - 1
            });
        }
        let of = |codes: &Vec<String>| codes.iter().map(|code| number[code.as_str()]).collect();
        let days = self.days.iter().map(|(slot, codes)| (slot.number(), of(codes))).collect();
        let pinned = of(&self.pinned);
        Written { codes, days, pinned }
    }

    fn read(written: Written, distributor: String) -> Days {
        let code = |n: &u32| written.codes.get(*n as usize).cloned();
        Days {
            distributor,
            days: written
                .days
                .iter()
                .map(|(slot, stops)| (Slot::from_number(*slot), stops.iter().filter_map(code).collect()))
                .collect(),
            pinned: written.pinned.iter().filter_map(code).collect(),
        }
    }

    /// Outlets that it visits, each once.
    pub fn outlets(&self) -> std::collections::BTreeSet<&str> {
        self.days.values().flatten().map(String::as_str).collect()
    }
}

/// All reps' days, by rep.
pub type Journeys = BTreeMap<String, Arc<Days>>;

/// The id of a rep's journey in a unit: the same on every device.
fn id(unit: Id, rep: &str) -> Id {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&unit.0).update(rep.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Id::from_parts(unit.unix_ms(), u128::from_be_bytes(bytes))
}

/// The journeys of a unit as they stand; none: it has no plan yet.
pub fn load(reads: &dyn Reads, unit: Id) -> Outcome<Journeys> {
    let from = IndexKey::new(BY_UNIT).id(unit);
    let mut all = Journeys::new();
    each_record(reads, Kind::Journey, (&from, &from.clone().after()), false, &mut |_, head| {
        let journey = Journey::from_fields(&head.fields);
        let days = Days::read(unpack(&journey.routes)?, journey.distributor);
        all.insert(journey.rep, Arc::new(days));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(all)
}

/// What tells whether journeys changed.
pub fn hash(reads: &dyn Reads, unit: Id) -> Outcome<String> {
    let from = IndexKey::new(BY_UNIT).id(unit);
    let mut hasher = blake3::Hasher::new();
    each_record(reads, Kind::Journey, (&from, &from.clone().after()), false, &mut |id, head| {
        hasher.update(&id.0).update(&codec::content_hash(&head.fields));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Writes journeys that differ from what stands, and takes away those of reps that have
/// none any more. How many were written.
pub fn save(cx: &mut WriteCx, source: &Source, new: &Journeys) -> Outcome<usize> {
    let (unit, name, old) = (source.id, &source.unit.name, &source.journeys);
    let mut written = 0;
    for (rep, days) in new {
        if old.get(rep) == Some(days) {
            continue;
        }
        let journey = Journey {
            unit: Some(unit),
            name: format!("{rep} of {name}"),
            rep: rep.clone(),
            distributor: days.distributor.clone(),
            routes: pack(&days.written())?,
        };
        cx.put(Kind::Journey, id(unit, rep), &journey.to_fields())?;
        written += 1;
    }
    for rep in old.keys().filter(|rep| !new.contains_key(*rep)) {
        let id = id(unit, rep);
        if let Some(fields) = cx.reads().fields(Kind::Journey, id)? {
            cx.delete(Kind::Journey, id, &fields)?;
            written += 1;
        }
    }
    Ok(written)
}

/// A whole plan in one piece, as a version keeps it.
pub fn encode(journeys: &Journeys) -> Outcome<Vec<u8>> {
    let all: Vec<(&String, &String, Written)> =
        journeys.iter().map(|(rep, days)| (rep, &days.distributor, days.written())).collect();
    pack(&all)
}

/// How many reps' days in a whole plan in one piece are not those of `now`.
pub fn differing(bytes: &[u8], now: &Journeys) -> Outcome<usize> {
    let kept: Vec<(String, String, Written)> = unpack(bytes)?;
    let same = kept.iter().filter(|(rep, of, written)| {
        now.get(rep).is_some_and(|days| days.distributor == *of && written.is_of(days))
    });
    let same = same.count();
    Ok(kept.len() + now.len() - same - kept.iter().filter(|(rep, ..)| now.contains_key(rep)).count())
}

pub fn decode(bytes: &[u8]) -> Outcome<Journeys> {
    let all: Vec<(String, String, Written)> = unpack(bytes)?;
    Ok(all.into_iter().map(|(rep, of, written)| (rep, Arc::new(Days::read(written, of)))).collect())
}

/// As the optimiser takes it.
pub fn in_force(journeys: &Journeys) -> InForce {
    let mut routes = Vec::new();
    for (rep, days) in journeys {
        for (slot, outlets) in days.days.iter().filter(|(_, outlets)| !outlets.is_empty()) {
            let (week, day) = (slot.week, slot.day().to_owned());
            routes.push(DayRoute { rep: rep.clone(), week, day, outlets: outlets.clone() });
        }
    }
    InForce { routes, beats: vec![] }
}

/// Routes as journeys; who pinned what is taken over from `before`.
pub fn from_routes(routes: &[DayRoute], distributor: impl Fn(&str) -> String, before: &Journeys) -> Journeys {
    let mut all = Journeys::new();
    for route in routes.iter().filter(|r| !r.outlets.is_empty()) {
        let Some(slot) = Slot::of(route) else { continue };
        let fresh = || Days {
            distributor: distributor(&route.rep),
            pinned: before.get(&route.rep).map(|d| d.pinned.clone()).unwrap_or_default(),
            ..Days::default()
        };
        let days = Arc::make_mut(all.entry(route.rep.clone()).or_insert_with(|| Arc::new(fresh())));
        days.days.entry(slot).or_default().extend(route.outlets.iter().cloned());
    }
    for days in all.values_mut().map(Arc::make_mut) {
        let visited: std::collections::BTreeSet<&String> = days.days.values().flatten().collect();
        let mut pinned = std::mem::take(&mut days.pinned);
        pinned.retain(|code| visited.contains(code));
        days.pinned = pinned;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_comes_back_as_it_was() {
        let codes = |all: &[&str]| all.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        let mut days = Days { distributor: "D1".into(), pinned: codes(&["b"]), ..Days::default() };
        days.days.insert(Slot::parse("Tue 2").unwrap(), codes(&["a", "b", "ä\u{301}"]));
        days.days.insert(Slot::parse("sat, week 4").unwrap(), codes(&["b"]));
        let plan = Journeys::from([("R1".into(), Arc::new(days)), ("R2".into(), Arc::default())]);
        assert_eq!(decode(&encode(&plan).unwrap()).unwrap(), plan);
        let routes = in_force(&plan).routes;
        assert_eq!(routes.len(), 2);
        let whole = encode(&plan).unwrap();
        assert_eq!(differing(&whole, &plan).unwrap(), 0);
        let mut other = plan.clone();
        Arc::make_mut(other.get_mut("R1").unwrap()).pinned.clear();
        assert_eq!(differing(&whole, &other).unwrap(), 1);
        other.insert("R3".into(), Arc::default());
        other.remove("R2");
        assert_eq!(differing(&whole, &other).unwrap(), 3);
        let again = from_routes(&routes, |_| "D1".into(), &plan);
        assert_eq!(again.get("R1"), plan.get("R1"));
        assert!(decode(b"no plan").is_err());
        for wrong in ["", "Tue", "Tue 5", "Tue 0", "Noday 1"] {
            assert!(Slot::parse(wrong).is_err(), "{wrong}");
        }
    }
}
