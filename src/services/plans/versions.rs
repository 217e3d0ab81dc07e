//! Versions of a unit's plan: kept with a reason, compared, restored as a new version.

use super::drive::{Drive, Measured, RepSum};
use super::journeys::{self, Journeys, Slot};
use super::outlines::Packed;
use super::source::Source;
use crate::domain::schema::{Kind, Plan, Record};
use crate::domain::text::count;
use crate::domain::{Failure, Id, Outcome};
use crate::services::{Command, Query, ReadCx, WriteCx, each_record, names, territories};
use crate::solver::journey::{Beat, InForce, Quality, weekday};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Index of plans by unit and number.
const BY_UNIT: u8 = 156;
/// Bytes of a plan file.
const MOST_BYTES: usize = 256 << 20;
/// Differences that are listed.
const LISTED: usize = 1_000;

/// A version as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    pub unit: String,
    pub number: u32,
    pub reason: String,
    /// Reps whose days differ from what stood before.
    pub changed_reps: usize,
    pub outlets: usize,
    pub visits: usize,
    pub figures: Quality,
}

fn all(reads: &dyn Reads, unit: Id) -> Outcome<Vec<(Id, Plan)>> {
    let from = IndexKey::new(BY_UNIT).id(unit);
    let mut all = Vec::new();
    each_record(reads, Kind::Plan, (&from, &from.clone().after()), false, &mut |id, head| {
        all.push((id, Plan::from_fields(&head.fields)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(all)
}

/// Takes journeys as the unit's plan and keeps them as its next version.
pub(super) fn keep(
    cx: &mut WriteCx,
    source: &Source,
    journeys: &Journeys,
    reason: String,
    figures: Quality,
) -> Outcome<Kept> {
    let name = &source.unit.name;
    let number = all(cx.reads(), source.id)?.iter().filter_map(|(_, p)| p.number).max().unwrap_or(0) + 1;
    let changed_reps = journeys::save(cx, source, journeys)?;
    let plan = Plan {
        unit: Some(source.id),
        name: format!("{name} v{number}"),
        number: Some(number),
        reason: reason.clone(),
        by: Some(cx.actor()),
        figures: serde_json::to_vec(&figures).map_err(|e| Failure::internal(e.to_string()))?,
        routes: journeys::encode(journeys)?,
    };
    cx.create(Kind::Plan, &plan.to_fields())?;
    Ok(Kept {
        unit: name.clone(),
        number: number as u32,
        reason,
        changed_reps,
        outlets: journeys.values().map(|d| d.outlets().len()).sum(),
        visits: journeys.values().flat_map(|d| d.days.values()).map(Vec::len).sum(),
        figures,
    })
}

/// The figures of journeys, all of them, as the optimiser's own are told.
pub(super) fn figures(source: &Source, journeys: &Journeys) -> Outcome<Quality> {
    let built = source.build(None)?;
    let drive = Drive::of(source)?;
    let measured = drive.measured(journeys, drive.standing());
    Ok(crate::solver::journey::quality(&built, &source.held.travel, &measured.plan))
}

/// What a first version is made of.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// Rep and beat of the outlets.
    Beats,
    /// The plan as it stands, edits and all.
    Now,
    /// A file's text: what `pams plan export --json` writes, or a table of outlet, rep, day
    /// and order.
    File(String),
    /// The same, as the program itself sends it.
    Packed(Packed),
}

/// Makes a version.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CreatePlan {
    pub unit: String,
    pub from: From,
    pub reason: String,
}

impl Command for CreatePlan {
    const NAME: &'static str = "plans.create";
    type Reply = Kept;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Kept> {
        let source = Source::load(cx.reads(), &self.unit)?;
        let (journeys, said) = match &self.from {
            From::Beats => {
                let today = source.today()?.filter(|today| !today.is_empty()).cloned().ok_or_else(|| {
                    Failure::not_found(format!("The outlets of {} name no reps", source.unit.name))
                        .hint("`pams plan optimise` makes a first plan without")
                })?;
                (today, "today's beats".to_owned())
            }
            From::Now if source.journeys.is_empty() => {
                return Err(Failure::not_found(format!("{} has no plan yet", source.unit.name))
                    .hint("`pams plan create` takes today's beats, `pams plan optimise` makes one"));
            }
            From::Now => (source.journeys.clone(), "as it stands".to_owned()),
            From::File(text) => (read_file(&source, text)?, "from a file".to_owned()),
            From::Packed(file) => (read_file(&source, &file.text()?)?, "from a file".to_owned()),
        };
        let reason = if self.reason.trim().is_empty() { said } else { self.reason.trim().to_owned() };
        let figures = figures(&source, &journeys)?;
        keep(cx, &source, &journeys, reason, figures)
    }
}

/// A plan from elsewhere: every row is understood, or none is taken.
fn read_file(source: &Source, text: &str) -> Outcome<Journeys> {
    if text.len() > MOST_BYTES {
        return Err(Failure::invalid("The plan file is larger than 256 MB"));
    }
    let plan = match text.trim_start().starts_with('{') {
        true => serde_json::from_str::<InForce>(text)
            .map_err(|e| Failure::invalid(format!("The plan file is no plan: {e}")).hint(SHAPE))?,
        false => InForce { beats: table(text)?, routes: vec![] },
    };
    let mut faults: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let reps: BTreeSet<&str> = source.task.reps.iter().map(|r| r.id.as_str()).collect();
    let mut row = |outlet: &str, rep: &str| {
        if !source.number.contains_key(outlet) {
            faults.entry("no outlets of this unit's plan").or_default().push(outlet.to_owned());
        }
        if !reps.contains(rep) {
            faults.entry("no reps of this unit").or_default().push(rep.to_owned());
        }
    };
    plan.routes.iter().for_each(|r| r.outlets.iter().for_each(|o| row(o, &r.rep)));
    plan.beats.iter().for_each(|b| row(&b.outlet, &b.rep));
    if plan.routes.is_empty() && plan.beats.is_empty() {
        return Err(Failure::invalid("The plan file has no route").hint(SHAPE));
    }
    if !faults.is_empty() {
        let told = faults.into_iter().map(|(what, mut who)| {
            who.sort();
            who.dedup();
            let more = who.len().saturating_sub(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            who.truncate(3);
            format!("{}{more} are {what}", who.join(", "))
        });
        return Err(Failure::invalid(told.collect::<Vec<_>>().join("; "))
            .hint("Nothing was taken. `pams plan lacks` says which reps and outlets the unit has"));
    }
    let built = source.build(Some(&plan))?;
    let Some(before) = &built.before else { return Ok(Journeys::new()) };
    let routes = built.routes_of(&source.task, before);
    let journeys = journeys::from_routes(&routes, |rep| source.distributor_of(rep), &Journeys::new());
    // The same outlet at two reps is no plan.
    let mut of: BTreeMap<&str, &str> = BTreeMap::new();
    for (rep, days) in &journeys {
        for code in days.outlets() {
            if let Some(other) = of.insert(code, rep) {
                return Err(Failure::invalid(format!("Outlet {code} is with {other} and with {rep}"))
                    .hint("Nothing was taken: an outlet has one rep"));
            }
        }
    }
    Ok(journeys)
}

const SHAPE: &str = "A table with the columns outlet, rep, day (Tue, or Tue 2) and order, or what \
                     `pams plan export --format json` writes";

/// A table of outlet, rep, day and order, under whatever order of columns.
fn table(text: &str) -> Outcome<Vec<Beat>> {
    let first = text.lines().next().unwrap_or_default();
    let sign = [',', ';', '\t'].into_iter().max_by_key(|s| first.matches(*s).count()).unwrap_or(',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(sign as u8).flexible(true).from_reader(text.as_bytes());
    let bad = |e: csv::Error| Failure::invalid(format!("The plan file is no table: {e}")).hint(SHAPE);
    let titles: Vec<String> = reader.headers().map_err(bad)?.iter().map(crate::domain::text::fold).collect();
    let column = |names: &[&str]| titles.iter().position(|t| names.contains(&t.as_str()));
    let (Some(outlet), Some(rep), Some(day)) = (
        column(&["outlet", "outlet code", "outletcode", "code", "store id"]),
        column(&["rep", "rep code", "repcode", "salesperson", "salesperson code"]),
        column(&["day", "weekday", "visit day"]),
    ) else {
        return Err(Failure::invalid("The plan file names no outlet, rep and day").hint(SHAPE));
    };
    let (order, week) = (column(&["order", "sequence", "seq", "stop"]), column(&["week", "weeks"]));
    let mut beats = Vec::new();
    for (n, row) in reader.records().enumerate() {
        let row = row.map_err(bad)?;
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let line = |what: String| Failure::invalid(format!("Row {}: {what}", n + 2)).hint(SHAPE);
        let said = cell(day);
        let (weekday_text, weeks) = match Slot::parse(said) {
            Ok(slot) => (slot.day().to_owned(), vec![slot.week]),
            Err(_) => {
                weekday(said).map_err(line)?;
                let weeks = week.map(cell).unwrap_or_default().split([' ', ';', '+']);
                let weeks: Vec<u32> = weeks.filter_map(|w| w.parse().ok()).collect();
                (said.to_owned(), weeks)
            }
        };
        let given = order.map(cell).filter(|text| !text.is_empty());
        let order = match given.map(str::parse::<f64>) {
            Some(Ok(order)) => order,
            Some(Err(_)) => return Err(line(format!("\"{}\" is no order", given.unwrap_or_default()))),
            None => n as f64,
        };
        let (outlet, rep) = (cell(outlet).to_owned(), cell(rep).to_owned());
        beats.push(Beat { outlet, rep, weekday: weekday_text, order, weeks });
    }
    Ok(beats)
}

/// A version, or what stands: "3", "v3", "now", "better", "beats".
pub(super) fn which(reads: &dyn Reads, source: &Source, which: &str) -> Outcome<(String, Journeys)> {
    let name = &source.unit.name;
    match which.trim().trim_start_matches('v') {
        "" | "now" => Ok(("now".into(), source.journeys.clone())),
        "better" => Ok(("better".into(), super::run::found(reads, source)?.1)),
        "beats" => Ok(("beats".into(), source.today()?.cloned().unwrap_or_default())),
        number => {
            let of = all(reads, source.id)?;
            let wanted: i64 = number.parse().unwrap_or(-1);
            let found = of.iter().find(|(_, plan)| plan.number == Some(wanted));
            let (_, plan) = found.ok_or_else(|| {
                let last = of.last().and_then(|(_, p)| p.number).unwrap_or(0);
                Failure::not_found(format!("{name} has no version \"{which}\"")).hint(format!(
                    "It has {}; now, better and beats are others",
                    count(last as usize, "version")
                ))
            })?;
            Ok((format!("v{wanted}"), journeys::decode(&plan.routes)?))
        }
    }
}

/// Takes a version again, as a new one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RestorePlan {
    pub unit: String,
    pub version: String,
    pub reason: String,
}

impl Command for RestorePlan {
    const NAME: &'static str = "plans.restore";
    type Reply = Kept;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Kept> {
        let source = Source::load(cx.reads(), &self.unit)?;
        let (said, journeys) = which(cx.reads(), &source, &self.version)?;
        if journeys == source.journeys {
            return Err(Failure::conflict(format!("{} stands as {said} has it", source.unit.name)));
        }
        let reason = match self.reason.trim() {
            "" => format!("{said} again"),
            reason => reason.to_owned(),
        };
        let figures = figures(&source, &journeys)?;
        keep(cx, &source, &journeys, reason, figures)
    }
}

/// Versions of a unit, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListPlans {
    pub unit: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanLine {
    pub number: u32,
    pub at: String,
    pub by: String,
    pub reason: String,
    pub figures: Quality,
    /// Whether the plan stands as this version has it.
    pub stands: bool,
}

impl Query for ListPlans {
    const NAME: &'static str = "plans.list";
    type Reply = Vec<PlanLine>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<PlanLine>> {
        let (unit, _) = territories::find(cx.reads, &self.unit)?;
        let now = journeys::encode(&journeys::load(cx.reads, unit)?)?;
        let settings = cx.settings()?;
        let mut lines = Vec::new();
        for (id, plan) in all(cx.reads, unit)?.into_iter().rev() {
            let by = plan.by.map(|by| names::name(cx.reads, Kind::User, by)).transpose()?;
            lines.push(PlanLine {
                number: plan.number.unwrap_or(0) as u32,
                at: settings.zone.stamp(id.unix_ms() as i64),
                by: by.unwrap_or_default(),
                reason: plan.reason,
                figures: serde_json::from_slice(&plan.figures).unwrap_or_default(),
                stands: plan.routes == now,
            });
        }
        Ok(lines)
    }
}

/// Two plans of a unit beside each other.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ComparePlans {
    pub unit: String,
    /// As [`which`] has them.
    pub a: String,
    pub b: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    pub unit: String,
    pub a: String,
    pub b: String,
    pub before: Quality,
    pub after: Quality,
    /// Reps in either, in `a` and in `b`.
    pub reps: Vec<(RepSum, RepSum)>,
    /// Outlets that go to another rep, to other days, or to another place in their day.
    pub other_rep: usize,
    pub other_days: usize,
    pub other_place: usize,
    pub added: usize,
    pub removed: usize,
    /// The first of those whose rep or days change: code, from, to.
    pub changes: Vec<(String, String, String)>,
}

/// Outlet → rep, and its days with its place in each.
type Visits<'a> = BTreeMap<&'a str, (&'a str, Vec<(Slot, usize)>)>;

/// Who visits each outlet, and when.
fn visits(journeys: &Journeys) -> Visits<'_> {
    let mut all = Visits::new();
    for (rep, days) in journeys {
        for (slot, codes) in &days.days {
            for (n, code) in codes.iter().enumerate() {
                all.entry(code).or_insert((rep, vec![])).1.push((*slot, n));
            }
        }
    }
    all
}

impl Query for ComparePlans {
    const NAME: &'static str = "plans.compare";
    type Reply = Compared;

    fn run(&self, cx: &ReadCx) -> Outcome<Compared> {
        let source = Source::load(cx.reads, &self.unit)?;
        let (a, one) = which(cx.reads, &source, &self.a)?;
        let (b, other) = which(cx.reads, &source, &self.b)?;
        let drive = Drive::of(&source)?;
        let plan_a = drive.measured(&one, drive.standing());
        let plan_b = drive.measured(&other, &plan_a);
        let built = source.build(None)?;
        let quality = |of: &Measured| crate::solver::journey::quality(&built, &source.held.travel, &of.plan);
        let mut compared = Compared {
            unit: source.unit.name.clone(),
            a,
            b,
            before: quality(&plan_a),
            after: quality(&plan_b),
            reps: drive.sums(&plan_a).into_iter().zip(drive.sums(&plan_b)).collect(),
            ..Compared::default()
        };
        compared.reps.retain(|(a, b)| a.visits + b.visits > 0);
        let (was, is) = (visits(&one), visits(&other));
        let said = |(rep, slots): &(&str, Vec<(Slot, usize)>)| {
            let days: Vec<String> = slots.iter().map(|(slot, _)| slot.to_string()).collect();
            format!("{} {}", source.rep_name(rep), days.join(", "))
        };
        for (code, from) in &was {
            let Some(to) = is.get(code) else {
                compared.removed += 1;
                continue;
            };
            let days = |of: &Vec<(Slot, usize)>| of.iter().map(|(slot, _)| *slot).collect::<Vec<_>>();
            let changed = match () {
                () if from.0 != to.0 => &mut compared.other_rep,
                () if days(&from.1) != days(&to.1) => &mut compared.other_days,
                () if from.1 != to.1 => {
                    compared.other_place += 1;
                    continue;
                }
                () => continue,
            };
            *changed += 1;
            if compared.changes.len() < LISTED {
                compared.changes.push(((*code).to_owned(), said(from), said(to)));
            }
        }
        compared.added = is.keys().filter(|code| !was.contains_key(*code)).count();
        Ok(compared)
    }
}

/// The version whose journeys stand, or the newest and that it was edited since.
pub(super) fn standing(reads: &dyn Reads, source: &Source) -> Outcome<(u32, usize)> {
    let of = all(reads, source.id)?;
    let Some((_, plan)) = of.last() else { return Ok((0, 0)) };
    Ok((plan.number.unwrap_or(0) as u32, journeys::differing(&plan.routes, &source.journeys)?))
}
