//! A run of the optimiser: a job whose latest result is kept as it goes, so that a host
//! that goes away loses seconds and the next one goes on from the best plan there was.

use super::around;
use super::inputs::Lack;
use super::journeys::{self, Journeys};
use super::rules::a_week;
use super::source::Source;
use super::versions::{self, figures};
use crate::domain::schema::Kind;
use crate::domain::text::thousands;
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::frames::{self, Bytes};
use crate::jobs::{Emit, Out};
use crate::services::jobs::{self, Job, JobState};
use crate::services::{Command, Query, ReadCx, WriteCx, territories};
use crate::solver::check::check;
use crate::solver::engine::{Control, Limit, Params, Solved, Tuning, solve};
use crate::solver::journey::explain::Tried;
use crate::solver::journey::{Built, InForce, Lock, Quality, Task, build, quality};
use crate::solver::problem::Plan;
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The job's kind, and the local rows of a unit's latest result: what it is worth, and its
/// routes, which only who looks at them reads.
pub const KIND: &str = "plan";
const RUN: &str = "plan-run/";
const ROUTES: &str = "plan-routes/";
/// A result is kept so often at most, and takes at most this share of the time to make.
const EVERY: Duration = Duration::from_secs(2);
const SHARE: u32 = 10;
/// Progress is told so often.
const TELL: Duration = Duration::from_millis(200);
/// Outlets without a visit that are named with the reason.
const NAMED: usize = 1_000;
/// Points of the curve that are kept.
const CURVE: usize = 240;
/// Milliseconds of a run around an edit.
const EDIT: u64 = 250;

/// What a worker gets.
#[derive(Serialize, Deserialize)]
struct Given {
    task: Task,
    in_force: Option<InForce>,
    /// The best plan of a run that was cut off, and what it had used.
    best: Option<Bytes>,
    curve: Vec<(f64, f64)>,
    spent_ms: u64,
    ms: u64,
    seed: u64,
    threads: usize,
    edited: Vec<u32>,
    base: String,
}

/// What a run has found so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Best {
    pub spent_ms: u64,
    pub ms: u64,
    pub seed: u64,
    pub iterations: u64,
    /// Seconds, and minutes of travel then.
    pub curve: Vec<(f64, f64)>,
    pub figures: Quality,
    pub before: Option<Quality>,
    /// Outlets with another rep or other days than in the plan in force.
    pub changed: usize,
    /// Code, and the rule that binds: the first of them.
    pub unserved: Vec<(String, String)>,
    pub notes: Vec<String>,
    pub ended: bool,
    /// What the journeys were when it began.
    pub base: String,
    /// All journeys, packed; they stay inside the program.
    #[serde(skip_serializing_if = "is_empty")]
    #[schemars(skip)]
    routes: Bytes,
    /// Edits since: a run around them alone.
    pub edited: bool,
}

impl Best {
    pub(super) fn journeys(&self) -> Outcome<Journeys> {
        journeys::decode(&self.routes.0)
    }

    pub(super) fn set_journeys(&mut self, journeys: &Journeys) -> Outcome<()> {
        self.routes = Bytes(journeys::encode(journeys)?);
        Ok(())
    }
}

fn is_empty(bytes: &Bytes) -> bool {
    bytes.0.is_empty()
}

/// What starts a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct OptimisePlan {
    pub unit: String,
    /// Seconds; 0: as the unit's rules say.
    pub seconds: u64,
    pub seed: Option<u64>,
    /// Codes of outlets that were edited: only what is near them is planned anew, at once.
    pub edited: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Begun {
    pub job: Id,
    pub unit: String,
    pub outlets: usize,
    pub seconds: u64,
    /// Runs that are before it in the queue.
    pub before: usize,
    pub lacks: Vec<Lack>,
}

/// How a run was asked for, kept while it waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Asked {
    ms: u64,
    seed: Option<u64>,
    edited: Vec<String>,
    /// Without its routes.
    best: Best,
    found: bool,
}

fn kept(reads: &dyn Reads, unit: Id) -> Outcome<Option<Asked>> {
    reads.local(&format!("{RUN}{unit}"))?.map(|bytes| frames::decode(&bytes)).transpose()
}

fn routes(reads: &dyn Reads, unit: Id) -> Outcome<Vec<u8>> {
    Ok(reads.local(&format!("{ROUTES}{unit}"))?.unwrap_or_default())
}

fn keep_asked(cx: &mut WriteCx, unit: Id, asked: &Asked) -> Outcome<()> {
    Ok(cx.batch.set_local(&format!("{RUN}{unit}"), Some(&frames::encode(asked)?))?)
}

/// What a run has found takes the place of what it had found before.
fn keep_best(cx: &mut WriteCx, unit: Id, mut best: Best) -> Outcome<()> {
    let routes = std::mem::take(&mut best.routes);
    cx.batch.set_local(&format!("{ROUTES}{unit}"), Some(&routes.0))?;
    let asked = kept(cx.reads(), unit)?.unwrap_or_default();
    keep_asked(cx, unit, &Asked { best, found: true, ..asked })
}

fn running(reads: &dyn Reads, unit: Id) -> Outcome<Option<Job>> {
    let open = |j: &Job| matches!(j.state, JobState::Waiting | JobState::Paused);
    Ok(jobs::all(reads)?.into_iter().find(|j| j.kind == KIND && j.subject == unit && open(j)))
}

impl Command for OptimisePlan {
    const NAME: &'static str = "plans.optimise";
    type Reply = Begun;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Begun> {
        let source = Source::load(cx.reads(), &self.unit)?;
        source.ground()?;
        let unit = source.id;
        if running(cx.reads(), unit)?.is_some() {
            return Err(Failure::conflict(format!("{} is being optimised already", source.unit.name))
                .hint("`pams plan stop` keeps the best plan so far"));
        }
        for code in &self.edited {
            if !source.number.contains_key(code) {
                return Err(Failure::not_found(format!("{code} is no outlet of the plan")));
            }
        }
        if !self.edited.is_empty() && source.begins_with()?.is_empty() {
            return Err(Failure::conflict(format!("{} has no plan that was edited", source.unit.name))
                .hint("`pams plan optimise` without --edited makes one"));
        }
        let ms = match (self.seconds, self.edited.is_empty()) {
            (0, true) => source.held.seconds * 1_000,
            (0, false) => EDIT,
            (seconds, _) => seconds * 1_000,
        };
        let best = Best { base: journeys::hash(cx.reads(), unit)?, ms, ..Best::default() };
        let edited = self.edited.clone();
        keep_asked(cx, unit, &Asked { ms, seed: self.seed, edited, best, found: false })?;
        cx.batch.set_local(&format!("{ROUTES}{unit}"), None)?;
        let open = |j: &&Job| j.kind == KIND && j.state == JobState::Waiting;
        let before = jobs::all(cx.reads())?.iter().filter(open).count();
        let title = format!("optimise {}", source.unit.name);
        let job = jobs::queue(cx, KIND, title, unit)?;
        Ok(Begun {
            job,
            unit: source.unit.name.clone(),
            outlets: source.task.outlets.len(),
            seconds: ms.div_ceil(1_000),
            before,
            lacks: source.lacks.clone(),
        })
    }
}

/// A task in which pinned outlets stay with their rep and on their days.
pub(super) fn locked(task: Task, source: &Source, plan: &Journeys) -> Task {
    let current = || Some("current".to_owned());
    let pinned = plan.values().flat_map(|days| &days.pinned);
    let locks = pinned.filter(|code| source.number.contains_key(*code)).map(|code| Lock {
        outlet: code.clone(),
        rep: current(),
        days: current().into_iter().collect(),
        ..Lock::default()
    });
    Task { locks: locks.collect(), ..task }
}

/// What the worker of a run gets.
pub fn job_input(reads: &dyn Reads, job: &Job) -> Outcome<Vec<u8>> {
    let asked = kept(reads, job.subject)?.unwrap_or_default();
    let source = Source::load(reads, &job.subject.to_string())?;
    let begins_with = source.begins_with()?;
    let (task, plan) = match asked.edited.is_empty() {
        true => (source.task.clone(), begins_with.clone()),
        false => around::part(&source, begins_with, &asked.edited)?,
    };
    let task = locked(task, &source, &plan);
    let in_force = (!plan.is_empty()).then(|| journeys::in_force(&plan));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let wanted: BTreeSet<&String> = asked.edited.iter().collect();
    let edited = (0..).zip(&task.outlets).filter(|(_, o)| wanted.contains(&o.id)).map(|(n, _)| n).collect();
    frames::encode(&Given {
        task,
        in_force,
        best: if asked.found { Some(Bytes(routes(reads, job.subject)?)) } else { None },
        curve: asked.best.curve,
        spent_ms: asked.best.spent_ms,
        ms: asked.ms,
        seed: asked.seed.unwrap_or(source.held.seed),
        threads,
        edited,
        base: asked.best.base,
    })
}

/// The work: plans, tells how far it is, and hands out what it has found every few seconds.
pub fn work(input: &[u8], emit: Emit) -> Outcome<Vec<u8>> {
    let given: Given = frames::decode(input)?;
    let built = build(&given.task, given.in_force.as_ref())
        .map_err(|faults| Failure::invalid(format!("It cannot be planned: {}", faults.join("; "))))?;
    let before = built.before.as_ref().map(|plan| quality(&built, &given.task.travel, plan));
    let begun = Instant::now();
    let spent = Duration::from_millis(given.spent_ms);
    let limit = Duration::from_millis(given.ms).saturating_sub(spent);
    let initial = match &given.best {
        Some(packed) => Some(built.plan_of(&given.task, &journeys::in_force(&journeys::decode(&packed.0)?))),
        None => built.initial.clone(),
    };
    let params = Params {
        limit: Limit::Time(limit),
        threads: given.threads,
        seed: given.seed,
        initial,
        edited: given.edited.clone(),
        tuning: Tuning::default(),
    };
    let cancel = AtomicBool::new(false);
    let (mut curve, mut failed) = (given.curve.clone(), None);
    let (mut told, mut kept) = (None::<Instant>, None::<(Instant, f64)>);
    let mut took = Duration::ZERO;
    let clock = || begun.elapsed();
    let found = |plan: &Plan, iterations: u64, curve: &[(f64, f64)], ended: bool| -> Outcome<Best> {
        let best = Best {
            spent_ms: (spent + begun.elapsed()).as_millis() as u64,
            iterations,
            curve: thinned(curve),
            before: before.clone(),
            ended,
            ..told_of(&given, &built, plan)?
        };
        Ok(best)
    };
    let mut progress = |p: &crate::solver::engine::Progress, best: &dyn Fn() -> Plan| {
        let now = Instant::now();
        let all = spent + p.elapsed;
        if told.is_none_or(|at| now - at >= TELL) {
            told = Some(now);
            curve.push((all.as_secs_f64(), p.cost));
            let (done, total) = (all.as_millis() as u64, given.ms);
            if let Err(failure) = emit(Out::Progress { done: done.min(total), total }) {
                failed = Some(failure);
                cancel.store(true, Ordering::Relaxed);
                return;
            }
        }
        let due = kept.is_none_or(|(at, cost)| now - at >= EVERY.max(took * SHARE) && p.cost != cost);
        if due && given.edited.is_empty() {
            let sent = found(&best(), p.steps, &curve, false)
                .and_then(|best| emit(Out::Piece(Bytes(frames::encode(&best)?))));
            if let Err(failure) = sent {
                failed = Some(failure);
                cancel.store(true, Ordering::Relaxed);
            }
            took = now.elapsed();
            kept = Some((Instant::now(), p.cost));
        }
    };
    let mut control = Control { clock: &clock, cancel: &cancel, progress: &mut progress };
    let Solved { plan, steps } = solve(&built.problem, &params, &mut control);
    if let Some(failure) = failed {
        return Err(failure);
    }
    frames::encode(&found(&plan, steps, &curve, true)?)
}

/// What is told of a plan, once the independent checker has passed it.
fn told_of(given: &Given, built: &Built, plan: &Plan) -> Outcome<Best> {
    check(&built.problem, plan).map_err(|wrong| {
        Failure::internal(format!("The checker refuses the plan: {}", wrong.join("; ")))
            .hint("This is a fault of the optimiser: please report it")
    })?;
    let tried = Tried::new(&built.problem, plan);
    let code = |c: &u32| given.task.outlets[*c as usize].id.clone();
    let mut now = vec![None; built.problem.customers.len()];
    for route in &plan.routes {
        for stop in &route.stops {
            let (_, days) = now[*stop as usize].get_or_insert((route.vehicle, 0u32));
            *days |= 1 << route.day;
        }
    }
    let changed = built.problem.current.iter().zip(&now);
    let changed = changed.filter(|(before, now)| before.is_some() && now.is_some() && before != now).count();
    Ok(Best {
        ms: given.ms,
        seed: given.seed,
        figures: quality(built, &given.task.travel, plan),
        changed,
        unserved: plan
            .unserved
            .iter()
            .take(NAMED)
            .map(|c| (code(c), tried.why_unserved(*c).to_owned()))
            .collect(),
        notes: built.notes.clone(),
        base: given.base.clone(),
        routes: Bytes(journeys::encode(&journeys::from_routes(
            &built.routes_of(&given.task, plan),
            |rep| built.reps.iter().find(|r| r.id == rep).map_or(String::new(), |r| r.distributor.clone()),
            &Journeys::new(),
        ))?),
        edited: !given.edited.is_empty(),
        ..Best::default()
    })
}

/// Every second point, until few enough are left.
fn thinned(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = curve.len().div_ceil(CURVE).max(1);
    let last = curve.len().saturating_sub(1);
    curve.iter().enumerate().filter(|(n, _)| n % step == 0 || *n == last).map(|(_, point)| *point).collect()
}

/// Keeps the latest result of a run in the place of the one before.
pub fn keep_piece(cx: &mut WriteCx, unit: Id, piece: &[u8]) -> Outcome<u32> {
    keep_best(cx, unit, frames::decode(piece)?)?;
    Ok(1)
}

/// The end of a run: its last result, or the one before where it was stopped.
pub fn ended(cx: &mut WriteCx, job: &Job, result: Result<Bytes, Failure>) -> Outcome<()> {
    let asked = kept(cx.reads(), job.subject)?.unwrap_or_default();
    if let Ok(summary) = result {
        let mut best: Best = frames::decode(&summary.0)?;
        if best.edited {
            best = match Source::load(cx.reads(), &job.subject.to_string()) {
                Ok(source) => around::whole(&source, &asked.edited, best)?,
                // The unit is gone: nobody asks for what was found.
                Err(gone) if gone.kind == FailureKind::NotFound => return Ok(()),
                Err(failure) => return Err(failure),
            };
        }
        keep_best(cx, job.subject, best)?;
    }
    let mut asked = kept(cx.reads(), job.subject)?.unwrap_or_default();
    asked.best.ended = true;
    keep_asked(cx, job.subject, &asked)
}

/// Pauses a run, goes on with it, or stops it; what it has found stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SteerRun {
    pub unit: String,
    pub what: Steer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Steer {
    Pause,
    Resume,
    Stop,
}

impl Command for SteerRun {
    const NAME: &'static str = "plans.steer";
    type Reply = Job;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Job> {
        let (id, unit) = territories::find(cx.reads(), &self.unit)?;
        let Some(job) = running(cx.reads(), id)? else {
            return Err(Failure::conflict(format!("{} is not being optimised", unit.name))
                .hint("`pams plan optimise` starts a run"));
        };
        match self.what {
            Steer::Stop => jobs::cancel(cx, job),
            Steer::Pause => jobs::set_state(cx, job, JobState::Paused),
            Steer::Resume => jobs::set_state(cx, job, JobState::Waiting),
        }
    }
}

/// What a run of a unit has found, beside what stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// "none", "waiting", "paused", "ended"
    pub state: String,
    pub job: Option<Id>,
    /// Whether there is another plan than the one that stands, yet or at all.
    pub found: bool,
    /// The plan was edited since the run began: it cannot be kept as it is.
    pub stale: bool,
    pub best: Best,
    /// "-412 km a week": what it betters, in a word.
    pub word: String,
    pub failure: String,
}

/// Whether a run has found another plan than the one it began with.
fn differs(best: &Best) -> bool {
    let same = |before: &Quality| {
        (before.km - best.figures.km).abs() < 0.5
            && before.broken_days == best.figures.broken_days
            && before.unserved == best.figures.unserved
            && best.changed == 0
    };
    !best.before.as_ref().is_some_and(same)
}

/// What a better plan saves, in a word.
pub fn word(best: &Best) -> String {
    let unserved = best.figures.unserved;
    match &best.before {
        Some(before) => {
            let km = a_week(best.figures.km - before.km);
            let mut word = format!(
                "{}{} km a week",
                if km <= 0.0 { "-" } else { "+" },
                thousands(km.abs().round() as u64)
            );
            for (what, a, b) in [
                ("broken days", before.broken_days, best.figures.broken_days),
                ("not visited", before.unserved, unserved),
            ] {
                if a != b {
                    word.push_str(&format!(", {what} {a} > {b}"));
                }
            }
            word
        }
        None => {
            let left = if unserved > 0 { format!(", {unserved} not visited") } else { String::new() };
            format!("{} km a week{left}", thousands(a_week(best.figures.km).round() as u64))
        }
    }
}

pub fn offer(reads: &dyn Reads, unit: Id) -> Outcome<Offer> {
    let Some(asked) = kept(reads, unit)? else {
        return Ok(Offer { state: "none".into(), ..Offer::default() });
    };
    let job = jobs::all(reads)?.into_iter().rfind(|j| j.kind == KIND && j.subject == unit);
    let state = match job.as_ref().map(|j| j.state) {
        Some(JobState::Waiting) => "waiting",
        Some(JobState::Paused) => "paused",
        _ => "ended",
    };
    let found = asked.found && differs(&asked.best);
    let best = asked.best;
    let stale = best.base != journeys::hash(reads, unit)?;
    let word = if found { word(&best) } else { String::new() };
    let failure = job.as_ref().and_then(|j| j.failure.clone()).map_or(String::new(), |f| f.message);
    Ok(Offer { state: state.into(), job: job.map(|j| j.id), found, stale, best, word, failure })
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ShowOffer {
    pub unit: String,
}

impl Query for ShowOffer {
    const NAME: &'static str = "plans.offer";
    type Reply = Offer;

    fn run(&self, cx: &ReadCx) -> Outcome<Offer> {
        offer(cx.reads, territories::find(cx.reads, &self.unit)?.0)
    }
}

/// The plan that a run has found, to be looked at or kept.
pub fn found(reads: &dyn Reads, source: &Source) -> Outcome<(Best, Journeys)> {
    let asked = kept(reads, source.id)?.filter(|asked| asked.found && differs(&asked.best));
    let Some(asked) = asked else {
        return Err(Failure::not_found(format!("No run of {} has found another plan", source.unit.name))
            .hint("`pams plan optimise` starts one"));
    };
    let mut journeys = journeys::decode(&routes(reads, source.id)?)?;
    // Pins are the person's, not the optimiser's.
    for (rep, days) in &mut journeys {
        let days = Arc::make_mut(days);
        let pinned = source.journeys.get(rep).map(|d| d.pinned.clone()).unwrap_or_default();
        let visited: std::collections::BTreeSet<&str> = days.outlets();
        let kept: Vec<String> = pinned.into_iter().filter(|code| visited.contains(code.as_str())).collect();
        days.pinned = kept;
    }
    Ok((asked.best, journeys))
}

/// Takes the better plan as the unit's, and keeps it as a version.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct KeepPlan {
    pub unit: String,
    pub reason: String,
}

impl Command for KeepPlan {
    const NAME: &'static str = "plans.keep";
    type Reply = super::Kept;

    fn run(&self, cx: &mut WriteCx) -> Outcome<super::Kept> {
        let source = Source::load(cx.reads(), &self.unit)?;
        let (best, journeys) = found(cx.reads(), &source)?;
        if best.base != journeys::hash(cx.reads(), source.id)? {
            return Err(Failure::conflict(format!("{} was edited since the run began", source.unit.name))
                .hint("Optimise again: the run begins with the plan as it is now"));
        }
        if running(cx.reads(), source.id)?.is_some_and(|j| j.state == JobState::Waiting) {
            return Err(Failure::conflict(format!("{} is still being optimised", source.unit.name))
                .hint("`pams plan stop` keeps the best plan so far; then keep it"));
        }
        let reason = match self.reason.trim() {
            "" => format!("optimised: {}", word(&best)),
            reason => reason.to_owned(),
        };
        // A run around an edit has measured what an edit changes.
        let figures = if best.edited { figures(&source, &journeys)? } else { best.figures };
        versions::keep(cx, &source, &journeys, reason, figures)
    }
}

/// What a unit still lacks for planning, with what mends it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListLacks {
    pub unit: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Lacking {
    pub items: Vec<Lack>,
    /// Code, name and why: the first of them.
    pub left_out: Vec<(String, String, String)>,
    pub equation: String,
}

impl Query for ListLacks {
    const NAME: &'static str = "plans.lacks";
    type Reply = Lacking;

    fn run(&self, cx: &ReadCx) -> Outcome<Lacking> {
        let source = Source::load(cx.reads, &self.unit)?;
        let equation = source.equation();
        let left_out = source.left_out.iter().take(NAMED);
        let left_out = left_out.map(|(code, name, why)| (code.clone(), name.clone(), (*why).to_owned()));
        Ok(Lacking { items: source.lacks.clone(), left_out: left_out.collect(), equation })
    }
}

/// Kinds that a plan is made of.
pub const KINDS: [Kind; 3] = [Kind::Journey, Kind::Plan, Kind::PlanRules];

/// Who is asked to look: units whose run has found something better than what stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListOffers {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfferLine {
    pub unit: Id,
    pub name: String,
    pub state: String,
    pub word: String,
    pub job: Option<Id>,
    pub spent_ms: u64,
    pub ms: u64,
}

impl Query for ListOffers {
    const NAME: &'static str = "plans.offers";
    type Reply = Vec<OfferLine>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<OfferLine>> {
        let mut all = Vec::new();
        for (row, _) in cx.reads.locals(RUN)? {
            let Some(unit) = row.strip_prefix(RUN).and_then(|id| id.parse::<Id>().ok()) else { continue };
            let offer = offer(cx.reads, unit)?;
            // A unit that is gone has no plan to better.
            if cx.reads.fields(Kind::Unit, unit)?.is_none() || offer.stale && offer.state == "ended" {
                continue;
            }
            let name = crate::services::names::name(cx.reads, Kind::Unit, unit)?;
            let (spent_ms, ms) = (offer.best.spent_ms, offer.best.ms);
            let (state, word, job) = (offer.state, offer.word, offer.job);
            all.push(OfferLine { unit, name, state, word, job, spent_ms, ms });
        }
        Ok(all)
    }
}

impl Lack {
    /// "12 outlets without a position: they are in no route"
    pub fn line(&self) -> String {
        let (kind, rest) = self.what.split_once(' ').unwrap_or((&self.what, ""));
        let kind = if self.count == 1 { kind.trim_end_matches('s') } else { kind };
        format!("{} {kind} {rest}: {}", self.count, self.meanwhile)
    }
}
