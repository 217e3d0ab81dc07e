//! Journey plans: which rep visits which outlet, on which weekdays and weeks of a cycle, in
//! which order. A journey is read from JSON, becomes a [`Problem`](super::problem::Problem)
//! with patterns, fleets and soft terms, and what the engine makes of it is told in the
//! terms of those who plan.

mod build;
pub mod explain;
pub mod ground;
mod in_force;
mod locks;
pub mod made;
mod quality;
mod report;
mod staff;

pub use build::{Built, build};
pub use quality::{Quality, Taken, measured, metres, quality};
pub use report::{Outcome, days_of, report};

use serde::{Deserialize, Serialize};

/// What is to be planned; docs/journeys.md has it field by field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Task {
    pub name: String,
    pub weeks: u32,
    /// Working days of a week, Monday first.
    pub days_per_week: u32,
    pub travel: Travel,
    pub rules: Rules,
    pub wishes: Wishes,
    pub distributors: Vec<Distributor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reps: Vec<Rep>,
    pub outlets: Vec<Outlet>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
    /// Share of the outlets whose rep or days may differ from the plan in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_changed: Option<f64>,
    /// Minutes of travel of the best plan, where a generator knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_minutes: Option<f64>,
}

impl Default for Task {
    fn default() -> Task {
        Task {
            name: String::new(),
            weeks: 4,
            days_per_week: 6,
            travel: Travel::default(),
            rules: Rules::default(),
            wishes: Wishes::default(),
            distributors: vec![],
            reps: vec![],
            outlets: vec![],
            locks: vec![],
            most_changed: None,
            known_minutes: None,
        }
    }
}

/// How long a way takes: straight distance times `circuity`, the first `town_km` of it at
/// the speed of towns and what is beyond at that of roads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Travel {
    pub circuity: f64,
    pub town_km_h: f64,
    pub road_km_h: f64,
    pub town_km: f64,
}

impl Default for Travel {
    fn default() -> Travel {
        Travel { circuity: 1.3, town_km_h: 20.0, road_km_h: 45.0, town_km: 2.0 }
    }
}

/// What holds for every rep that says nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Longest day, travel, visits and waiting together.
    pub hours: f64,
    pub max_stops: u32,
    /// Nobody leaves the distributor before, or is back after.
    pub start: String,
    pub end: String,
    /// Share of its hours that a rep is planned for where reps are counted by workload.
    pub load: f64,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { hours: 8.5, max_stops: 45, start: "07:00".into(), end: "19:00".into(), load: 0.8 }
    }
}

/// What is wished for, against minutes of travel.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wishes {
    /// Of a rep's cycle off its group's mean: minutes for each further minute where it is off
    /// by all of it.
    pub balance: f64,
    /// The same of a day.
    pub day_balance: f64,
    /// Minutes for each visit and each kilometre from the middle of its rep's outlets.
    pub compactness: f64,
    /// Minutes for a visit on a day that is not preferred.
    pub preference: f64,
    /// Minutes for each day that visits are away from even spacing.
    pub spacing: f64,
    /// Minutes for an outlet whose rep or days change.
    pub change: f64,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes {
            balance: 20.0,
            day_balance: 0.2,
            compactness: 0.05,
            preference: 5.0,
            spacing: 1.0,
            change: 10.0,
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Distributor {
    pub id: String,
    pub lat: f64,
    pub lon: f64,
    /// Reps of each channel; where nothing is said as many as the work takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gt_reps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mt_reps: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// General trade: stays within its distributor.
    #[default]
    #[serde(rename = "GT")]
    General,
    /// Modern trade: crosses distributors.
    #[serde(rename = "MT")]
    Modern,
}

/// A rep who differs from the rules, or is known by name. Where a distributor has reps of a
/// channel here, these are all of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rep {
    pub id: String,
    pub distributor: String,
    pub channel: Channel,
    /// Chains that it visits; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stops: Option<u32>,
    /// Weekdays on which it works; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outlet {
    pub id: String,
    pub lat: f64,
    pub lon: f64,
    pub channel: Channel,
    /// General trade only; the nearest where nothing is said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub distributor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// A visit takes so long.
    pub minutes: f64,
    /// Visits in the cycle.
    pub visits: u32,
    /// A visit begins between these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<(String, String)>,
    /// Weekdays that are allowed, and that are preferred; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<String>,
}

/// What stays as it is in the plan in force; a rep or weekdays can be said without one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lock {
    /// One outlet …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub outlet: String,
    /// … stays with its rep, or goes to this one,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rep: Option<String>,
    /// … on these weekdays,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// … in its place: those before it in its day stay with it.
    #[serde(skip_serializing_if = "is_false")]
    pub place: bool,
    /// Or a whole day of a rep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Day>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A rep's day in the cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    pub rep: String,
    /// From 1.
    pub week: u32,
    pub day: String,
}

/// A plan in force: routes as a plan has them, or a beat plan that says each outlet's rep,
/// weekday and order. More may stand beside them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InForce {
    pub routes: Vec<DayRoute>,
    pub beats: Vec<Beat>,
}

/// The outlets of a rep's day, in the order of their visits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DayRoute {
    pub rep: String,
    pub week: u32,
    pub day: String,
    pub outlets: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Beat {
    pub outlet: String,
    pub rep: String,
    pub weekday: String,
    pub order: f64,
    /// Weeks of its visits; empty: spread over the cycle, the first one included.
    pub weeks: Vec<u32>,
}

/// Names of weekdays, Monday first.
pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The number of a weekday that is given by its first three letters.
///
/// # Errors
/// What was expected.
pub fn weekday(text: &str) -> Result<u32, String> {
    let short: String = text.chars().take(3).collect();
    let found = WEEKDAYS.iter().position(|d| d.eq_ignore_ascii_case(&short));
    found.map(|d| d as u32).ok_or_else(|| format!("\"{text}\" is no weekday: Mon, Tue, Wed …"))
}
