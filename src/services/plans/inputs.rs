//! What a unit's planning begins with: its outlets as its snapshot has them, distributors
//! as depots, reps with hours and days, and today's beats. What is missing is named with
//! what mends it; nothing is dropped in silence.

use super::journeys::{self, Journeys};
use super::outlines::{self, Ring};
use super::rules::{self, Held, WEEKS};
use crate::domain::planning::clock;
use crate::domain::schema::{Distributor, Rep, Unit};
use crate::domain::text::{count, fold};
use crate::domain::{Failure, Id, Outcome, decimal};
use crate::services::{all_live, territories};
use crate::solver::journey::ground::Ground;
use crate::solver::journey::{self};
use crate::solver::journey::{Beat, Built, InForce, Outlet, Task, WEEKDAYS, build};
use crate::solver::polish::polish;
use crate::solver::problem::{Problem, Route};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

/// Outlets of a unit that is planned as one.
const MOST_OUTLETS: usize = 50_000;
/// Outlets of one lack that are named.
const NAMED: usize = 1_000;
/// Where outlets name no distributor.
const NOBODY: &str = "(none)";
/// Kicks for each stop where only a fair order is wanted.
const KICKS: usize = 1;

/// What is missing, how often, and what mends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lack {
    pub what: String,
    pub count: usize,
    /// What holds meanwhile.
    pub meanwhile: String,
    pub fix: String,
    /// Codes of the first of them.
    pub named: Vec<String>,
}

/// What is known of an outlet beside its visits.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub name: String,
    pub tier: String,
    pub beat: String,
    pub rep: String,
    /// Weekdays of its visits from 0, and its place among those of the day; none of neither
    /// where the outlet says none.
    pub days: Vec<usize>,
    pub order: Option<i64>,
}

/// All that planning a unit begins with but the plan as it stands.
pub struct Inputs {
    pub id: Id,
    pub unit: Unit,
    pub held: Held,
    pub task: Task,
    /// Of each outlet of the task.
    pub known: Vec<Known>,
    pub number: HashMap<String, u32>,
    pub lacks: Vec<Lack>,
    /// Names of reps by the codes that plans have.
    pub rep_names: BTreeMap<String, String>,
    /// Outlets of the unit that are not in the task: code, name, why.
    pub left_out: Vec<(String, String, &'static str)>,
    /// Of each distributor that has an outline, in the order of the task.
    pub outlines: Vec<Vec<Ring>>,
    ground: OnceLock<Outcome<(Ground, Problem)>>,
    today: OnceLock<Outcome<Option<Journeys>>>,
}

/// Reps and their distributors.
pub type Planned = BTreeMap<String, String>;

struct Row {
    code: String,
    at: Option<(f64, f64)>,
    distributor: String,
    hours: String,
    visits: Option<i64>,
    closed: bool,
    known: Known,
}

fn rows(reads: &dyn Reads, id: Id, unit: &Unit) -> Outcome<Vec<Row>> {
    let snapshot = territories::current(reads, id, unit)?;
    let texts = [
        "code",
        "name",
        "class",
        "beat",
        "salesperson_code",
        "distributor_code",
        "opening_hours",
        "status",
        "visit_day",
    ];
    let numbers = ["latitude", "longitude", "visit_frequency", "visit_order"];
    let (texts, numbers) = snapshot.columns(reads, &texts, &numbers)?;
    let mut texts = texts.into_iter().map(Vec::into_iter);
    let mut next = || texts.next().unwrap_or_default();
    let (code, mut name, mut tier, mut beat) = (next(), next(), next(), next());
    let (mut rep, mut distributor, mut hours, mut status) = (next(), next(), next(), next());
    let mut day = next();
    let [lat, lon, visits, order] = numbers.try_into().unwrap_or_default();
    let degrees = |n: i64| n as f64 / decimal::ONE as f64;
    let take = |from: &mut std::vec::IntoIter<String>| from.next().unwrap_or_default();
    Ok(code
        .enumerate()
        .map(|(n, code)| Row {
            code,
            at: lat[n].zip(lon[n]).map(|(lat, lon)| (degrees(lat), degrees(lon))),
            visits: visits[n],
            distributor: take(&mut distributor),
            hours: take(&mut hours),
            closed: matches!(take(&mut status).to_lowercase().as_str(), "inactive" | "closed"),
            known: Known {
                name: take(&mut name),
                tier: take(&mut tier),
                beat: take(&mut beat),
                rep: take(&mut rep),
                days: named_days(&take(&mut day)),
                order: order[n],
            },
        })
        .collect())
}

/// Visits that spread over the cycle's weeks: up to as many as weeks, else a multiple.
fn spread(visits: f64, days: u32) -> u32 {
    let visits = visits.round().clamp(1.0, f64::from(WEEKS * days)) as u32;
    if visits <= WEEKS { visits } else { (visits + WEEKS / 2) / WEEKS * WEEKS }
}

/// "08:00-18:30", however it is parted. None: it says no hours; an error: they cannot be.
fn window(text: &str) -> Result<Option<(String, String)>, ()> {
    let times: Vec<&str> =
        text.split(|c: char| !(c.is_ascii_digit() || c == ':')).filter(|word| word.contains(':')).collect();
    match (times.as_slice(), text.trim().is_empty()) {
        ([], _) => Ok(None),
        ([from, to], _) => match (clock(from), clock(to)) {
            (Some(a), Some(b)) if a < b => Ok(Some(((*from).into(), (*to).into()))),
            _ => Err(()),
        },
        // More than one stretch: from the first opening to the last closing.
        ([from, .., to], _) => match (clock(from), clock(to)) {
            (Some(a), Some(b)) if a < b => Ok(Some(((*from).into(), (*to).into()))),
            _ => Err(()),
        },
        _ => Err(()),
    }
}

/// What is missing, gathered by what it is.
#[derive(Default)]
struct Lacks(Vec<Lack>);

impl Lacks {
    fn add(&mut self, what: &str, who: &str, meanwhile: &str, fix: &str) {
        let at = match self.0.iter().position(|l| l.what == what) {
            Some(at) => at,
            None => {
                let (what, meanwhile, fix) = (what.to_owned(), meanwhile.to_owned(), fix.to_owned());
                self.0.push(Lack { what, count: 0, meanwhile, fix, named: vec![] });
                self.0.len() - 1
            }
        };
        let lack = &mut self.0[at];
        lack.count += 1;
        if lack.named.len() < NAMED {
            lack.named.push(who.to_owned());
        }
    }
}

impl Inputs {
    /// `planned`: reps of the plan as it stands with their distributors, who may be known
    /// from nowhere else.
    pub fn load(reads: &dyn Reads, id: Id, unit: Unit, planned: &Planned) -> Outcome<Inputs> {
        let held = rules::load(reads, id)?;
        let rows = rows(reads, id, &unit)?;
        if rows.len() > MOST_OUTLETS {
            return Err(Failure::invalid(format!(
                "{} has {} outlets: a unit is planned with at most {MOST_OUTLETS}",
                unit.name,
                rows.len()
            ))
            .hint("`pams territory split` cuts it into parts that are small enough"));
        }
        let (mut lacks, mut left_out) = (Lacks::default(), Vec::new());
        let mut task = held.task(&unit.name);
        let (mut known, mut seen) = (Vec::with_capacity(rows.len()), HashMap::with_capacity(rows.len()));
        task.outlets.reserve(rows.len());
        for row in rows {
            let code = row.code.clone();
            let mut leave = |why: &'static str| left_out.push((code.clone(), row.known.name.clone(), why));
            if row.closed {
                leave("it is not active");
                continue;
            }
            let Some((lat, lon)) = row.at else {
                leave("it has no position, or one that cannot be right");
                lacks.add(
                    "outlets without a position",
                    &row.code,
                    "in no route",
                    "7 then Q, or `pams outlets quality`: give them a position",
                );
                continue;
            };
            if seen.contains_key(&row.code) {
                leave("another outlet has its code");
                continue;
            }
            let hours = window(&row.hours).unwrap_or_else(|()| {
                lacks.add(
                    "outlets whose opening hours cannot be",
                    &row.code,
                    "visited at any time",
                    "correct their opening hours",
                );
                None
            });
            let visits = row.visits.filter(|v| *v > 0).map(|v| v as f64 / decimal::ONE as f64);
            let visits = spread(visits.unwrap_or_else(|| held.visits.of(&row.known.tier)), held.days);
            seen.insert(row.code.clone(), task.outlets.len() as u32);
            task.outlets.push(Outlet {
                id: row.code,
                lat,
                lon,
                distributor: if row.distributor.is_empty() { NOBODY.into() } else { row.distributor },
                minutes: held.minutes.of(&row.known.tier),
                visits,
                window: hours,
                ..Outlet::default()
            });
            known.push(row.known);
        }
        let mut inputs = Inputs {
            id,
            unit,
            held,
            task,
            known,
            number: seen,
            lacks: vec![],
            rep_names: BTreeMap::new(),
            left_out,
            outlines: vec![],
            ground: OnceLock::new(),
            today: OnceLock::new(),
        };
        if !inputs.task.outlets.is_empty() {
            inputs.depots(reads, &mut lacks)?;
            inputs.reps(reads, planned, &mut lacks)?;
        }
        inputs.lacks = lacks.0;
        Ok(inputs)
    }

    /// Distributors of the outlets, where they are or in the middle of their outlets.
    fn depots(&mut self, reads: &dyn Reads, lacks: &mut Lacks) -> Outcome<()> {
        let mut sums: BTreeMap<String, (f64, f64, f64)> = BTreeMap::new();
        for outlet in &self.task.outlets {
            let sum = sums.entry(outlet.distributor.clone()).or_default();
            *sum = (sum.0 + outlet.lat, sum.1 + outlet.lon, sum.2 + 1.0);
        }
        let (mut places, mut outlines) = (HashMap::new(), HashMap::new());
        for (_, d) in all_live::<Distributor>(reads)?.into_iter().filter(|(_, d)| !d.archived) {
            if sums.contains_key(&d.external_id) {
                outlines.insert(d.external_id.clone(), outlines::rings(&d));
            }
            if let (Some(lat), Some(lon)) = (d.latitude, d.longitude) {
                places.insert(d.external_id, (lat as f64 / 1e6, lon as f64 / 1e6));
            }
        }
        for (id, (lat, lon, n)) in sums {
            let (lat, lon) = match places.get(&id) {
                Some(at) => *at,
                None => {
                    let (what, fix) = match id.as_str() {
                        NOBODY => ("groups of outlets without a distributor", "name who serves them"),
                        _ => (
                            "distributors without a position",
                            "`pams distributors import FILE`, or give it a position",
                        ),
                    };
                    lacks.add(what, &id, "the middle of the outlets stands in", fix);
                    (lat / n, lon / n)
                }
            };
            self.outlines.push(outlines.remove(&id).unwrap_or_default());
            self.task.distributors.push(journey::Distributor { id, lat, lon, ..Default::default() });
        }
        Ok(())
    }

    /// Reps that outlets name, and those of the territory.
    fn reps(&mut self, reads: &dyn Reads, planned: &Planned, lacks: &mut Lacks) -> Outcome<()> {
        // Rep → distributor → outlets of it that the rep has.
        let mut of: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
        for (outlet, known) in self.task.outlets.iter().zip(&self.known) {
            if !known.rep.is_empty() {
                *of.entry(known.rep.clone()).or_default().entry(&outlet.distributor).or_default() += 1;
            }
        }
        let whole = self.unit.parts.unwrap_or(1) <= 1;
        let here: BTreeSet<String> =
            self.unit.path.last().into_iter().chain([&self.unit.name]).map(|name| fold(name)).collect();
        let mut records: BTreeMap<String, Rep> = BTreeMap::new();
        for (_, rep) in all_live::<Rep>(reads)? {
            let code = if rep.external_id.is_empty() { rep.name.clone() } else { rep.external_id.clone() };
            let ours = of.contains_key(&code) || whole && here.contains(&fold(&rep.territory));
            if ours && !rep.archived {
                records.insert(code, rep);
            }
        }
        let mut depot_of: HashMap<String, String> = HashMap::new();
        let ids: BTreeSet<&str> = self.task.distributors.iter().map(|d| d.id.as_str()).collect();
        for (_, d) in all_live::<Distributor>(reads)? {
            if ids.contains(d.external_id.as_str()) {
                depot_of.insert(fold(&d.name), d.external_id.clone());
                depot_of.insert(fold(&d.external_id), d.external_id);
            }
        }
        let mut reps = Vec::new();
        let codes: BTreeSet<&String> = of.keys().chain(records.keys()).chain(planned.keys()).collect();
        for code in codes {
            let record = records.get(code).cloned().unwrap_or_default();
            let most = of.get(code).and_then(|by| by.iter().max_by_key(|(_, n)| **n).map(|(d, _)| *d));
            // The plan as it stands has who was reckoned with too.
            let planned = planned.get(code).map(String::as_str);
            let is_reckoned = planned.is_some() && most.is_none() && !records.contains_key(code);
            let distributor = depot_of.get(&fold(&record.depot)).map(String::as_str).or(most).or(planned);
            let distributor = distributor.filter(|d| ids.contains(d));
            let Some(distributor) = distributor else {
                lacks.add(
                    "reps whose depot is no distributor of the unit",
                    code,
                    "left out",
                    "correct the depot of the rep",
                );
                continue;
            };
            let known = records.contains_key(code);
            if !known && !is_reckoned {
                lacks.add(
                    "reps that outlets name and nobody knows",
                    code,
                    "the unit's hours and days hold",
                    "`pams reps import FILE`",
                );
            }
            if known && record.day_minutes.is_none() {
                lacks.add(
                    "reps without hours",
                    code,
                    "the unit's hours hold",
                    "give the rep the hours of a day",
                );
            }
            let works = |day: &&&str| {
                record.work_days.is_empty()
                    || record
                        .work_days
                        .iter()
                        .any(|d| d.len() >= 3 && d.get(..3).is_some_and(|d| d.eq_ignore_ascii_case(day)))
            };
            let week = &WEEKDAYS[..self.held.days as usize];
            let days: Vec<String> = week.iter().filter(works).map(|d| (*d).to_owned()).collect();
            if days.is_empty() {
                lacks.add(
                    "reps without a working day of the unit's week",
                    code,
                    "left out",
                    "correct the rep's days, or the unit's rules",
                );
                continue;
            }
            if !record.name.is_empty() {
                self.rep_names.insert(code.clone(), record.name.clone());
            }
            reps.push(journey::Rep {
                id: code.clone(),
                distributor: distributor.to_owned(),
                hours: record.day_minutes.filter(|m| *m > 0).map(|m| m as f64 / 60.0),
                days: if days.len() == week.len() { vec![] } else { days },
                ..Default::default()
            });
        }
        for d in &self.task.distributors {
            if !reps.iter().any(|r| r.distributor == d.id) {
                lacks.add(
                    "distributors without reps",
                    &d.id,
                    "as many as the work takes are reckoned with",
                    "`pams reps import FILE`",
                );
            }
        }
        self.task.reps = reps;
        Ok(())
    }

    /// Places, reps and ways; none of it can be wrong when it comes from here, but rules can.
    pub fn ground(&self) -> Outcome<&(Ground, Problem)> {
        self.ground.get_or_init(|| self.lay_ground()).as_ref().map_err(Failure::clone)
    }

    fn lay_ground(&self) -> Outcome<(Ground, Problem)> {
        if self.task.outlets.is_empty() {
            return Err(Failure::invalid(format!("{} has no outlet with a position", self.unit.name))
                .hint("`pams outlets quality` lists what lacks one"));
        }
        let unfit = |faults: Vec<String>| self.unfit(faults);
        let ground = Ground::of(&self.task).map_err(unfit)?;
        let problem = ground.problem(&self.task).map_err(unfit)?;
        Ok((ground, problem))
    }

    pub fn unfit(&self, faults: Vec<String>) -> Failure {
        Failure::invalid(format!("{} cannot be planned: {}", self.unit.name, faults.join("; ")))
    }

    /// Today's beats as routes: rep, beat, weekdays and order of the outlets. A beat that names
    /// no weekday is dealt one; where outlets do not say their order it is a short one.
    pub fn today(&self) -> Outcome<Option<&Journeys>> {
        self.today.get_or_init(|| self.find_today()).as_ref().map(Option::as_ref).map_err(Failure::clone)
    }

    /// Whether today's beats are known already; it takes a while to find them.
    pub fn knows_today(&self) -> bool {
        self.today.get().is_some()
    }

    fn find_today(&self) -> Outcome<Option<Journeys>> {
        let mut beats_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for known in self.known.iter().filter(|k| !k.rep.is_empty()) {
            beats_of.entry(&known.rep).or_default().insert(&known.beat);
        }
        if beats_of.is_empty() {
            return Ok(None);
        }
        let days = self.held.days as usize;
        let mut slots: HashMap<(&str, &str), (usize, usize)> = HashMap::new();
        for (rep, beats) in &beats_of {
            for (n, beat) in beats.iter().enumerate() {
                let slot = named_day(beat).filter(|d| *d < days).map_or((n % days, n / days), |d| (d, 0));
                slots.insert((rep, beat), slot);
            }
        }
        let mut plan = InForce::default();
        for (outlet, known) in self.task.outlets.iter().zip(&self.known) {
            let Some((day, round)) = slots.get(&(known.rep.as_str(), known.beat.as_str())) else { continue };
            let order = known.order.map_or(0.0, |order| order as f64 / decimal::ONE as f64);
            // Visits of less than once a week are shifted by the round of the beat.
            let weeks: Vec<u32> = match outlet.visits {
                visits if visits < WEEKS => {
                    let step = WEEKS / visits.max(1);
                    (0..visits).map(|n| (n * step + *round as u32) % WEEKS + 1).collect()
                }
                _ => (1..=WEEKS).collect(),
            };
            let more = (outlet.visits / WEEKS).max(1) as usize;
            let said: Vec<usize> = known.days.iter().copied().filter(|day| *day < days).collect();
            for n in 0..more.min(days) {
                // A day that the outlet says, and days between as far as it says too few.
                let dealt = said.first().unwrap_or(day) + n * days / more;
                let weekday = WEEKDAYS[said.get(n).copied().unwrap_or(dealt % days)].to_owned();
                let (outlet, rep) = (outlet.id.clone(), known.rep.clone());
                plan.beats.push(Beat { outlet, rep, weekday, order, weeks: weeks.clone() });
            }
        }
        let in_order = self.known.iter().filter(|k| k.order.is_some()).count() * 2 > self.known.len();
        let built = self.build(Some(&plan))?;
        let Some(mut before) = built.before.clone() else { return Ok(None) };
        before.unserved.clear();
        // An order that is driven today is what a plan is compared with, however long it is.
        if !in_order {
            for route in &mut before.routes {
                nearest_first(&built.problem, route);
            }
            let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
            polish(&built.problem, &mut before, KICKS, (threads, 1), &|| false);
        }
        let routes = built.routes_of(&self.task, &before);
        Ok(Some(journeys::from_routes(&routes, |rep| self.distributor_of(rep), &Journeys::new())))
    }

    pub fn build(&self, in_force: Option<&InForce>) -> Outcome<Built> {
        build(&self.task, in_force).map_err(|faults| self.unfit(faults))
    }

    pub fn distributor_of(&self, rep: &str) -> String {
        if let Some(rep) = self.task.reps.iter().find(|r| r.id == rep) {
            return rep.distributor.clone();
        }
        // A rep that was reckoned with is called after its distributor: D01-G2.
        rep.rsplit_once('-').map(|(of, _)| of.to_owned()).unwrap_or_default()
    }

    pub fn rep_name(&self, rep: &str) -> String {
        self.rep_names.get(rep).cloned().unwrap_or_else(|| rep.to_owned())
    }

    /// How many outlets the unit has, in the task or not: the sum that always holds.
    pub fn equation(&self) -> String {
        let mut whys: BTreeMap<&str, usize> = BTreeMap::new();
        self.left_out.iter().for_each(|(_, _, why)| *whys.entry(why).or_default() += 1);
        let all = self.task.outlets.len() + self.left_out.len();
        let mut text = format!("{} = {} planned", count(all, "outlet"), self.task.outlets.len());
        for (why, n) in whys {
            text.push_str(&format!(" + {n} left out ({why})"));
        }
        text
    }
}

/// From stop to the nearest one that is left: a fair order to better.
fn nearest_first(problem: &Problem, route: &mut Route) {
    let mut at = problem.depot_place(problem.vehicles[route.vehicle as usize].depot);
    for n in 0..route.stops.len() {
        let far = |stop: &u32| problem.travel(at, *stop as usize);
        let nearest = (n..route.stops.len()).min_by_key(|m| far(&route.stops[*m])).unwrap_or(n);
        route.stops.swap(n, nearest);
        at = route.stops[n] as usize;
    }
}

/// A weekday that a beat's name begins a word with: "Beat Tue 3".
fn named_day(beat: &str) -> Option<usize> {
    named_days(beat).first().copied()
}

/// All of them, each once.
fn named_days(text: &str) -> Vec<usize> {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|w| w.len() >= 3);
    let days = words.filter_map(|w| w.get(..3));
    let mut found = Vec::new();
    for day in days.filter_map(|w| WEEKDAYS.iter().position(|d| d.eq_ignore_ascii_case(w))) {
        if !found.contains(&day) {
            found.push(day);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_visits_and_days_are_read_as_people_write_them() {
        let some = |from: &str, to: &str| Ok(Some((from.to_owned(), to.to_owned())));
        assert_eq!(window("Mo-Fr 08:00-18:30"), some("08:00", "18:30"));
        assert_eq!(window("9:00 - 12:00, 14:00 - 18:00"), some("9:00", "18:00"));
        assert_eq!(window(""), Ok(None));
        assert_eq!(window("daily"), Ok(None));
        assert_eq!(window("18:00-09:00"), Err(()));
        assert_eq!(window("25:00-26:00"), Err(()));
        let all: Vec<u32> = [0.2, 1.0, 2.6, 4.0, 5.0, 7.0, 8.0, 99.0].map(|v| spread(v, 6)).into();
        assert_eq!(all, [1, 1, 3, 4, 4, 8, 8, 24]);
        assert_eq!(named_day("Beat TUE 3"), Some(1));
        assert_eq!(named_day("B12"), None);
    }
}
