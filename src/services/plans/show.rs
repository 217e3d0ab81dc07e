//! What planning shows: the units, one of them with all its outlets on a map, a day stop by
//! stop, route sheets.

use super::drive::{Drive, Driven, NOBODY, RepSum};
use super::inputs::Lack;
use super::journeys::{self, Journeys, Slot};
use super::outlines::{Ring, thinned};
use super::run::{Offer, offer};
use super::source::Source;
use super::versions::{standing, which};
use super::{rules, typed};
use crate::domain::schema::{Kind, Plan, Record};
use crate::domain::{Failure, Id, Outcome};
use crate::frames::Bytes;
use crate::services::outlets::filter::Filter;
use crate::services::territories::{Limits, ListUnits, UnitShown, current, locks};
use crate::services::{Query, ReadCx, each_live, names};
use crate::solver::journey::Quality;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Units with how far their planning is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListPlanned {}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    pub unit: UnitShown,
    /// The newest version, 0: none.
    pub version: u32,
    /// "no plan", "v3", "optimising", "better plan: -412 km"
    pub state: String,
    /// Who holds it.
    pub holder: String,
    /// The run of it, how far that is and how far it goes.
    pub job: Option<Id>,
    pub spent_ms: u64,
    pub ms: u64,
}

impl Query for ListPlanned {
    const NAME: &'static str = "plans.units";
    type Reply = Vec<Planned>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Planned>> {
        let units = ListUnits { limits: Limits::default() }.run(cx)?;
        let mut versions: BTreeMap<_, u32> = BTreeMap::new();
        // One after the other: a version holds a whole plan.
        each_live(cx.reads, Kind::Plan, &mut |_, head| {
            let plan = Plan::from_fields(&head.fields);
            if let (Some(unit), Some(number)) = (plan.unit, plan.number) {
                let of = versions.entry(unit).or_default();
                *of = (*of).max(number as u32);
            }
            ControlFlow::Continue(())
        })?;
        let offers = super::ListOffers {}.run(cx)?;
        let mut all = Vec::new();
        for unit in units.items {
            let version = versions.get(&unit.id).copied().unwrap_or(0);
            let run = offers.iter().find(|o| o.unit == unit.id);
            let state = match run.map(|o| (o.state.as_str(), o.word.as_str())) {
                Some(("waiting", _)) => "optimising".to_owned(),
                Some(("paused", _)) => "paused".to_owned(),
                Some((_, word)) if !word.is_empty() => format!("better plan: {word}"),
                _ if version > 0 => format!("v{version}"),
                _ => "no plan".to_owned(),
            };
            let holder = match locks::holder(cx.reads, unit.id)? {
                Some((holder, _)) => names::name(cx.reads, Kind::User, holder)?,
                None => String::new(),
            };
            let (job, spent_ms, ms) = run.map_or((None, 0, 0), |o| (o.job, o.spent_ms, o.ms));
            all.push(Planned { unit, version, state, holder, job, spent_ms, ms });
        }
        Ok(all)
    }
}

/// Shown at once, while today's beats are not measured yet.
pub const MEASURING: &str = "measuring";

/// Opens a unit for planning.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct OpenPlan {
    pub unit: String,
    /// "now", "better", "beats" or a version.
    pub version: String,
    /// Before there is a plan: do not wait until today's beats are measured.
    pub at_once: bool,
}

/// The outlets of a unit, each a number in every column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outlets {
    pub codes: Vec<String>,
    /// Millionths of a degree.
    pub points: Vec<(i32, i32)>,
    /// The tier of each, a number in [`Opened::tiers`].
    pub tier: Vec<u8>,
    /// Whose each is, a number in [`Opened::depots`].
    pub depot: Vec<u16>,
    /// Around the area of each distributor that has an outline.
    pub outlines: Vec<Vec<Ring>>,
    /// The rep of each, a number in [`Opened::reps`]; above them: nobody.
    pub rep: Vec<u16>,
    /// Days of each, a bit each: the first day of the first week is bit 0, seven a week.
    pub days: Vec<u32>,
}

impl Opened {
    /// Whose each outlet is is known, what they drive is not yet.
    pub fn is_measuring(&self) -> bool {
        self.shown == MEASURING
    }

    pub fn outlets(&self) -> Outcome<Outlets> {
        journeys::unpack(&self.packed.0)
    }
}

/// A unit as it is planned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    pub unit: String,
    pub shown: String,
    /// The newest version, and reps whose days were edited since.
    pub version: u32,
    pub edited: usize,
    /// How many outlets are planned, and each of them, packed: [`Opened::outlets`].
    pub count: usize,
    #[schemars(skip)]
    packed: Bytes,
    pub tiers: Vec<String>,
    pub reps: Vec<RepSum>,
    pub depots: Vec<(String, (i32, i32))>,
    pub figures: Quality,
    pub lacks: Vec<Lack>,
    pub equation: String,
    pub offer: Offer,
    pub rules: BTreeMap<String, String>,
    /// Working days of a week.
    pub work_days: u32,
    pub milliseconds: f64,
}

/// Millionths of a degree.
pub fn micro(degrees: f64) -> i32 {
    (degrees * 1e6).round() as i32
}

impl Query for OpenPlan {
    const NAME: &'static str = "plans.open";
    type Reply = Opened;

    fn run(&self, cx: &ReadCx) -> Outcome<Opened> {
        // A stopwatch for people, not a decision.
        let begun = std::time::Instant::now();
        let source = Source::load(cx.reads, &self.unit)?;
        let (mut shown, mut journeys) = which(cx.reads, &source, &self.version)?;
        let (version, edited) = standing(cx.reads, &source)?;
        if journeys.is_empty() && shown == "now" {
            // Before there is a plan today's beats are what there is to look at.
            let waits = self.at_once && !source.knows_today();
            if !waits {
                journeys = source.today()?.cloned().unwrap_or_default();
            }
            shown = match (waits, journeys.is_empty()) {
                (true, _) => MEASURING.into(),
                (_, true) => "no plan".into(),
                _ => "beats".into(),
            };
        }
        let mut opened = Opened {
            unit: source.unit.name.clone(),
            shown,
            version,
            edited,
            equation: source.equation(),
            offer: offer(cx.reads, source.id)?,
            rules: typed(cx.reads, source.id)?,
            work_days: source.held.days,
            ..Opened::default()
        };
        let mut tiers: BTreeMap<&str, u8> = BTreeMap::new();
        tiers.extend(source.known.iter().map(|k| (k.tier.as_str(), 0)));
        (0..).zip(tiers.values_mut()).for_each(|(n, of)| *of = n);
        opened.tiers = tiers.keys().map(|t| (*t).to_owned()).collect();
        let outlets = &source.task.outlets;
        let mut all = Outlets {
            codes: outlets.iter().map(|o| o.id.clone()).collect(),
            points: outlets.iter().map(|o| (micro(o.lat), micro(o.lon))).collect(),
            tier: source.known.iter().map(|k| tiers[k.tier.as_str()]).collect(),
            depot: vec![],
            outlines: source.outlines.iter().map(|rings| thinned(rings)).collect(),
            rep: vec![],
            days: vec![0; outlets.len()],
        };
        opened.count = outlets.len();
        let depots = source.task.distributors.iter();
        opened.depots = depots.map(|d| (d.id.clone(), (micro(d.lat), micro(d.lon)))).collect();
        if !outlets.is_empty() {
            let drive = Drive::of(&source)?;
            let mut measured = drive.measured(&journeys, drive.standing());
            opened.figures = drive.quality(&measured);
            opened.reps = drive.sums(&measured);
            if opened.is_measuring() {
                let named = source.known.iter().map(|k| drive.vehicle(&k.rep).unwrap_or(NOBODY));
                measured.rep_of = named.collect();
                for rep in &measured.rep_of {
                    opened.reps.get_mut(*rep as usize).into_iter().for_each(|sum| sum.outlets += 1);
                }
            }
            all.depot = source.ground()?.0.of.iter().map(|depot| *depot as u16).collect();
            all.rep = measured.rep_of.iter().map(|rep| *rep as u16).collect();
            for route in &measured.plan.routes {
                let slot = drive.slot(route.day);
                for stop in &route.stops {
                    all.days[*stop as usize] |= 1 << ((slot.week - 1) * 7 + slot.weekday);
                }
            }
        }
        opened.packed = Bytes(journeys::pack(&all)?);
        opened.lacks = source.lacks.clone();
        opened.milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        Ok(opened)
    }
}

/// Which outlets of a unit fit what is typed: words, `class=A`, `avg_sales>1000`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FindOutlets {
    pub unit: String,
    pub filter: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    pub count: usize,
    #[schemars(skip)]
    packed: Bytes,
}

impl Found {
    /// The outlets as [`Outlets`] numbers them.
    pub fn numbers(&self) -> Outcome<Vec<u32>> {
        journeys::unpack(&self.packed.0)
    }
}

impl Query for FindOutlets {
    const NAME: &'static str = "plans.find";
    type Reply = Found;

    fn run(&self, cx: &ReadCx) -> Outcome<Found> {
        let source = Source::load(cx.reads, &self.unit)?;
        let filter = Filter::parse(Kind::Outlet, &self.filter)?;
        let codes = current(cx.reads, source.id, &source.unit)?.fitting(cx.reads, &filter)?;
        let numbers: Vec<u32> = codes.iter().filter_map(|code| source.number.get(code).copied()).collect();
        Ok(Found { count: numbers.len(), packed: Bytes(journeys::pack(&numbers)?) })
    }
}

/// A rep's days, stop by stop.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ShowDays {
    pub unit: String,
    pub version: String,
    /// Its code or its name.
    pub rep: String,
    /// 1 to 4; 0: all weeks.
    pub week: u32,
    /// "Tue"; empty: all days.
    pub day: String,
}

/// What a rep, or all, drive: with what a route sheet says beside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sheet {
    pub unit: String,
    pub shown: String,
    pub rep: String,
    pub rep_name: String,
    pub distributor: String,
    /// The depot, in millionths of a degree.
    pub depot: (i32, i32),
    pub leaves: String,
    pub days: Vec<Driven>,
}

impl Query for ShowDays {
    const NAME: &'static str = "plans.days";
    type Reply = Sheet;

    fn run(&self, cx: &ReadCx) -> Outcome<Sheet> {
        let source = Source::load(cx.reads, &self.unit)?;
        let (shown, mut journeys) = which(cx.reads, &source, &self.version)?;
        if journeys.is_empty() && shown == "now" {
            journeys = source.today()?.cloned().unwrap_or_default();
        }
        sheet(&source, &journeys, self, shown)
    }
}

fn sheet(source: &Source, journeys: &Journeys, ask: &ShowDays, shown: String) -> Outcome<Sheet> {
    let fold = crate::domain::text::fold;
    let called = |rep: &&String| **rep == ask.rep || fold(&source.rep_name(rep)) == fold(&ask.rep);
    let rep = journeys.keys().find(called).ok_or_else(|| {
        let known: Vec<&str> = journeys.keys().take(8).map(String::as_str).collect();
        let none = known.is_empty();
        Failure::not_found(format!("No rep \"{}\" has days in {}", ask.rep, source.unit.name)).hint(
            match none {
                true => "There is no plan yet: `pams plan optimise` makes one".to_owned(),
                false => format!("Those with days are {}", known.join(", ")),
            },
        )
    })?;
    let weekday = match ask.day.trim() {
        "" => None,
        day => Some(crate::solver::journey::weekday(day).map_err(Failure::invalid)?),
    };
    if ask.week > rules::WEEKS {
        return Err(Failure::invalid(format!("A cycle has {} weeks", rules::WEEKS)));
    }
    let drive = Drive::of(source)?;
    let wanted = |slot: &Slot| {
        (ask.week == 0 || slot.week == ask.week) && weekday.is_none_or(|day| slot.weekday == day)
    };
    let days = &journeys[rep];
    let driven = days.days.iter().filter(|(slot, stops)| wanted(slot) && !stops.is_empty());
    let driven = driven.filter_map(|(slot, stops)| drive.route(rep, *slot, stops));
    let depot = source.task.distributors.iter().find(|d| d.id == source.distributor_of(rep));
    Ok(Sheet {
        unit: source.unit.name.clone(),
        shown,
        rep: rep.clone(),
        rep_name: source.rep_name(rep),
        distributor: depot.map(|d| d.id.clone()).unwrap_or_default(),
        depot: depot.map_or((0, 0), |d| (micro(d.lat), micro(d.lon))),
        leaves: source.held.rules.start.clone(),
        days: driven.map(|route| drive.driven(&route, &days.pinned)).collect(),
    })
}
