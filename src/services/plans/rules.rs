//! How a unit is planned: what its rules record leaves open, in the optimiser's terms.

use crate::domain::planning::{self, ByTier};
use crate::domain::schema::{Kind, PlanRules, Record};
use crate::domain::{Failure, Id, Outcome, decimal};
use crate::services::input::Input;
use crate::services::{Command, WriteCx, territories};
use crate::solver::journey::{Rules, Task, Travel, Wishes};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Minutes of a visit, and visits in four weeks, where nothing is said.
const MINUTES: f64 = 10.0;
const VISITS: f64 = 2.0;
/// Seconds that a run takes, where nothing is said.
const SECONDS: i64 = 120;
/// Weeks of a cycle.
pub const WEEKS: u32 = 4;

/// Of what a cycle has, what a mean week has: all that people compare is told so.
pub fn a_week(of_cycle: f64) -> f64 {
    of_cycle / f64::from(WEEKS)
}

/// Rules as they hold.
#[derive(Clone, Debug)]
pub struct Held {
    pub travel: Travel,
    pub rules: Rules,
    pub wishes: Wishes,
    pub days: u32,
    pub minutes: ByTier,
    pub visits: ByTier,
    pub most_changed: Option<f64>,
    pub seconds: u64,
    pub seed: u64,
}

/// What a weight is in words.
fn weight(word: &str, normal: f64) -> f64 {
    match word {
        "off" => 0.0,
        "light" => normal / 3.0,
        "strong" => normal * 3.0,
        _ => normal,
    }
}

/// The rules of a unit.
pub fn load(reads: &dyn Reads, unit: Id) -> Outcome<Held> {
    held(&PlanRules::from_fields(&reads.fields(Kind::PlanRules, unit)?.unwrap_or_default()))
}

fn held(of: &PlanRules) -> Outcome<Held> {
    if let Some(problem) = planning::faults(of).into_iter().next() {
        return Err(Failure::invalid(format!("The rules of the unit: {}", problem.message)));
    }
    let or = Held {
        travel: Travel::default(),
        rules: Rules::default(),
        wishes: Wishes::default(),
        days: 6,
        minutes: ByTier::parse(&of.visit_minutes, MINUTES).map_err(Failure::invalid)?,
        visits: ByTier::parse(&of.visits, VISITS).map_err(Failure::invalid)?,
        most_changed: of.most_changed.map(|percent| percent as f64 / 100.0),
        seconds: of.seconds.unwrap_or(SECONDS) as u64,
        seed: of.seed.unwrap_or(1) as u64,
    };
    let number = |value: Option<i64>, or: f64| value.map_or(or, |n| n as f64);
    let text = |value: &String, or: String| if value.is_empty() { or } else { value.clone() };
    Ok(Held {
        travel: Travel {
            circuity: of.detour.map_or(or.travel.circuity, |d| d as f64 / decimal::ONE as f64),
            town_km_h: number(of.town_km_h, or.travel.town_km_h),
            road_km_h: number(of.road_km_h, or.travel.road_km_h),
            ..or.travel
        },
        rules: Rules {
            hours: of.hours.map_or(or.rules.hours, |minutes| minutes as f64 / 60.0),
            max_stops: of.max_stops.map_or(or.rules.max_stops, |n| n as u32),
            start: text(&of.start, or.rules.start),
            end: text(&of.end, or.rules.end),
            ..or.rules
        },
        wishes: Wishes {
            balance: weight(&of.balance, or.wishes.balance),
            day_balance: weight(&of.balance, or.wishes.day_balance),
            compactness: weight(&of.compactness, or.wishes.compactness),
            change: weight(&of.stability, or.wishes.change),
            ..or.wishes
        },
        days: of.work_days.map_or(or.days, |n| n as u32),
        ..or
    })
}

impl Held {
    /// A task without anything to visit yet.
    pub fn task(&self, name: &str) -> Task {
        Task {
            name: name.to_owned(),
            weeks: WEEKS,
            days_per_week: self.days,
            travel: self.travel.clone(),
            rules: self.rules.clone(),
            wishes: self.wishes.clone(),
            most_changed: self.most_changed,
            ..Task::default()
        }
    }
}

/// What each rule means, and what holds where it is empty: as short as a form at 80 columns
/// has room for.
pub const MEANS: [(&str, &str); 16] = [
    ("hours", "longest day, all ways: 8h 30m"),
    ("max_stops", "visits of a day: 45"),
    ("start", "nobody leaves before: 07:00"),
    ("end", "nobody is back after: 19:00"),
    ("work_days", "of a week, from Monday: 6"),
    ("town_km_h", "first 2 km of a way: 20"),
    ("road_km_h", "beyond the first 2 km: 45"),
    ("detour", "road over straight way: 1.3"),
    ("visit_minutes", "10; by tier: 10, A 15, B 12"),
    ("visits", "in 4 weeks: 2; by tier: 2, A 4"),
    ("balance", "reps work alike: normal"),
    ("compactness", "a rep's lie together: normal"),
    ("stability", "keep rep and days: normal"),
    ("most_changed", "percent of the outlets: any"),
    ("seconds", "of a run: 120"),
    ("seed", "same seed, same tries: 1"),
];

/// A name, what it means, and the fields that it sets.
pub type Preset = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Weights and caps under a name, in planners' words.
pub const PRESETS: [Preset; 3] = [
    (
        "balanced",
        "Short ways, and every rep about as much work",
        &[("balance", "normal"), ("compactness", "normal"), ("stability", "normal"), ("most_changed", "")],
    ),
    (
        "least travel",
        "The shortest ways, whoever drives them",
        &[("balance", "light"), ("compactness", "off"), ("stability", "off"), ("most_changed", "")],
    ),
    (
        "few changes",
        "Today's plan, bettered: at most 5 of 100 outlets change",
        &[("balance", "normal"), ("compactness", "normal"), ("stability", "strong"), ("most_changed", "5")],
    ),
];

/// Sets rules of a unit: fields as a person types them, and a preset before them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SetPlanRules {
    pub unit: String,
    pub preset: String,
    pub input: Input,
}

/// The rules of a unit as a person would type them; what nobody set is left out.
pub type Typed = BTreeMap<String, String>;

impl Command for SetPlanRules {
    const NAME: &'static str = "plans.set_rules";
    type Reply = Typed;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Typed> {
        let (unit, of) = territories::find(cx.reads(), &self.unit)?;
        let mut input = Input::new();
        if !self.preset.is_empty() {
            let known = PRESETS.iter().find(|(name, _, _)| *name == self.preset);
            let (_, _, fields) = known.ok_or_else(|| {
                let names: Vec<&str> = PRESETS.iter().map(|p| p.0).collect();
                Failure::not_found(format!("There is no preset \"{}\"", self.preset)).hint(names.join(", "))
            })?;
            input.extend(fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        }
        input.extend(self.input.clone());
        let before = cx.reads().fields(Kind::PlanRules, unit)?.unwrap_or_default();
        let settings = cx.settings()?;
        let fields = crate::services::input::read(cx.reads(), &settings, Kind::PlanRules, &before, &input)?;
        let rules = PlanRules { unit: Some(unit), ..PlanRules::from_fields(&fields) };
        let problems = planning::faults(&rules);
        if !problems.is_empty() {
            let failure = Failure::from_problems(problems);
            return Err(Failure { message: format!("{}: {}", of.name, failure.message), ..failure });
        }
        cx.put(Kind::PlanRules, unit, &rules.to_fields())?;
        typed(cx.reads(), unit)
    }
}

/// What is set of a unit's rules.
pub fn typed(reads: &dyn Reads, unit: Id) -> Outcome<Typed> {
    let fields = reads.fields(Kind::PlanRules, unit)?.unwrap_or_default();
    let mut shower = crate::services::show::Shower::new(reads);
    let mut typed = Typed::new();
    for field in Kind::PlanRules.schema().fields.iter().filter(|f| !f.system) {
        if let Some(value) = fields.get(&field.id) {
            typed.insert(field.name.to_owned(), shower.line(Some(field), Some(value))?);
        }
    }
    Ok(typed)
}
