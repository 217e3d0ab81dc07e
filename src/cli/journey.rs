//! `pams solve journey`: a journey plan from a file, and `pams dev journey`, which makes
//! such files.

use super::solve::{self, Footprint};
use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::solver::engine::{Limit, Params, Tuning};
use crate::solver::journey::explain::Tried;
use crate::solver::journey::{
    Built, InForce, Outcome as Journey, Quality, Task, build, days_of, made, report,
};
use crate::solver::problem::Plan;
use clap::ArgMatches;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An edit is answered within so long, where nothing is said.
const EDIT: Duration = Duration::from_millis(150);
/// Unserved outlets named on a terminal.
const NAMED: usize = 20;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let file = matches.get_one::<PathBuf>("file").ok_or_else(|| Failure::usage("Which file?"))?;
    let (start, footprint) = (Instant::now(), Footprint::now());
    let mut task: Task = read(file)?;
    if let Some(percent) = matches.get_one::<f64>("most-changed") {
        if !(0.0..=100.0).contains(percent) {
            return Err(Failure::usage("--most-changed is 0 to 100 percent"));
        }
        task.most_changed = Some(percent / 100.0);
    }
    let in_force = matches.get_one::<PathBuf>("initial").map(|file| read::<InForce>(file)).transpose()?;
    let built = build(&task, in_force.as_ref()).map_err(|faults| faulty(file, &faults))?;
    let (mut limit, threads, seed) = solve::limits(matches)?;
    let edited = edited(matches, &task)?;
    let is_said = |name: &str| matches.value_source(name).is_some();
    if !edited.is_empty() && !is_said("time-limit") && !is_said("iterations") {
        limit = Limit::Time(EDIT);
    }
    let params =
        Params { limit, threads, seed, initial: built.initial.clone(), edited, tuning: Tuning::default() };
    let solved = solve::search(&built.problem, &params, task.known_minutes, matches)?;
    let outcome = report(&task, &built, &solved.plan);
    let mut value = serde_json::to_value(&outcome).map_err(|e| Failure::internal(e.to_string()))?;
    value["iterations"] = solved.steps.into();
    value["elapsed_s"] = start.elapsed().as_secs_f64().into();
    value["threads"] = params.threads.into();
    value["seed"] = params.seed.into();
    footprint.tell(&mut value, "bytes_per_outlet", task.outlets.len());
    // The routes are most of it: they come last.
    if let Some(routes) = value.as_object_mut().and_then(|all| all.shift_remove("routes")) {
        value["routes"] = routes;
    }
    if let Some(out) = matches.get_one::<PathBuf>("out") {
        write(out, &value)?;
    }
    if let Some(outlets) = matches.get_many::<String>("why") {
        let why =
            outlets.map(|outlet| why(&task, &built, &solved.plan, outlet)).collect::<Outcome<Vec<_>>>()?;
        if !context.json {
            why.iter().for_each(say_why);
            return Ok(());
        }
        value["why"] = serde_json::json!(why);
    }
    if context.json {
        output::json(&value);
        return Ok(());
    }
    say(&outcome, solved.steps, start.elapsed().as_secs_f64());
    Ok(())
}

fn read<T: DeserializeOwned>(file: &Path) -> Outcome<T> {
    let text = solve::text_of(file)?;
    serde_json::from_str(&text).map_err(|e| {
        Failure::invalid(format!("{}: {e}", file.display()))
            .hint("docs/journeys.md has what a journey and a plan are written as")
    })
}

fn write<T: Serialize>(file: &Path, value: &T) -> Outcome<()> {
    let text = serde_json::to_string(value).map_err(|e| Failure::internal(e.to_string()))?;
    std::fs::write(file, text + "\n")
        .map_err(|e| Failure::invalid(format!("{} cannot be written: {}", file.display(), said(&e))))
}

fn faulty(file: &Path, faults: &[String]) -> Failure {
    Failure::invalid(format!("{}: {}", file.display(), faults.join("; ")))
}

/// The outlets that `--edited` names: only near them is anything changed.
fn edited(matches: &ArgMatches, task: &Task) -> Outcome<Vec<u32>> {
    let Some(named) = matches.get_many::<String>("edited") else { return Ok(vec![]) };
    if matches.get_one::<PathBuf>("initial").is_none() {
        return Err(Failure::usage("--edited needs the plan that was edited: --initial PLAN.json"));
    }
    named.map(|id| place_of(task, id)).collect()
}

fn place_of(task: &Task, id: &str) -> Outcome<u32> {
    let place = task.outlets.iter().position(|o| o.id == id);
    place.map(|p| p as u32).ok_or_else(|| Failure::not_found(format!("There is no outlet {id}")))
}

/// What an outlet would cost with each rep that may visit it.
#[derive(Serialize)]
struct Why {
    outlet: String,
    /// The rep it has.
    rep: Option<String>,
    choices: Vec<Chosen>,
}

#[derive(Serialize)]
struct Chosen {
    rep: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    days: Vec<String>,
    /// Minutes of travel that its visits add in the cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<&'static str>,
}

fn why(task: &Task, built: &Built, plan: &Plan, id: &str) -> Outcome<Why> {
    let place = place_of(task, id)?;
    let name = |vehicle: u32| built.reps[vehicle as usize].id.clone();
    let has = plan.routes.iter().find(|r| r.stops.contains(&place)).map(|r| name(r.vehicle));
    let choices = Tried::new(&built.problem, plan).choices(place);
    let chosen = choices.into_iter().map(|c| Chosen {
        rep: name(c.vehicle),
        days: c.days.map_or(vec![], |days| days_of(task, days)),
        minutes: c.days.is_ok().then_some(c.travel as f64 / 60.0),
        not: c.days.err().map(|why| why.text_in_plan()),
    });
    Ok(Why { outlet: id.to_owned(), rep: has, choices: chosen.collect() })
}

fn say_why(why: &Why) {
    let has = why.rep.as_deref().unwrap_or("nobody");
    output::line(&format!("{} is visited by {}", output::plain(&why.outlet), output::plain(has)));
    for choice in &why.choices {
        let text = match (choice.minutes, choice.not) {
            (Some(minutes), _) => format!("{minutes:7.1} min more travel, {}", choice.days.join(", ")),
            (_, not) => format!("cannot: {}", not.unwrap_or("")),
        };
        output::line(&format!("  {:<12} {text}", output::plain(&choice.rep)));
    }
}

fn say(outcome: &Journey, steps: u64, seconds: f64) {
    let gap = outcome.gap_pct.map(|gap| format!(", {gap:.2} % above the best known")).unwrap_or_default();
    output::line(&format!(
        "{}: {} outlets, {} visits by {} reps on {} days",
        output::plain(&outcome.journey),
        outcome.outlets,
        outcome.visits,
        outcome.reps,
        outcome.days,
    ));
    output::line(&format!(
        "travel {:.0} min{gap}; no plan is below {:.0}",
        outcome.cost, outcome.lower_bound
    ));
    output::line(&format!(
        "{} unserved, {} changed; {steps} iterations in {seconds:.1} s",
        outcome.unserved.len(),
        outcome.changed.len(),
    ));
    output::line("");
    let before = outcome.before.as_ref();
    output::line(&format!("{:<36}{:>12}{}", "", "plan", if before.is_some() { "      before" } else { "" }));
    for (name, figure) in FIGURES {
        let before = before.map(|q| format!("{:>12}", figure(q))).unwrap_or_default();
        output::line(&format!("{name:<36}{:>12}{before}", figure(&outcome.quality)));
    }
    for note in &outcome.notes {
        output::line(&format!("note: {}", output::plain(note)));
    }
    for unserved in outcome.unserved.iter().take(NAMED) {
        output::line(&format!("unserved: {}: {}", output::plain(&unserved.outlet), unserved.why));
    }
    if outcome.unserved.len() > NAMED {
        output::line(&format!("unserved: {} more; --json lists them all", outcome.unserved.len() - NAMED));
    }
}

type Figure = fn(&Quality) -> String;

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What is shown of a plan, and of the one before beside it.
const FIGURES: [(&str, Figure); 16] = [
    ("travel, minutes", |q| format!("{:.0}", q.travel_minutes)),
    ("travel, km", |q| format!("{:.0}", q.km)),
    ("minutes a visit", |q| format!("{:.2}", q.minutes_per_visit)),
    ("share of travel", |q| percent(q.travel_share)),
    ("reps' hours, variation", |q| percent(q.hours_cv)),
    ("farthest off the group's mean", |q| percent(q.worst_off_balance)),
    ("reps off by more than a tenth", |q| q.reps_off_balance.to_string()),
    ("days within a tenth of the mean", |q| percent(q.days_within_tenth)),
    ("km to the middle of the rep", |q| format!("{:.2}", q.km_to_medoid)),
    ("outlets among another rep's", |q| percent(q.overlap)),
    ("visits as often as wanted", |q| percent(q.frequency_compliance)),
    ("days off even spacing", |q| format!("{:.2}", q.spacing_days)),
    ("weekday kept", |q| percent(q.weekday_consistency)),
    ("overtime, minutes", |q| format!("{:.0}", q.overtime_minutes)),
    ("days with a missed window", |q| q.missed_windows.to_string()),
    ("days with too many stops", |q| q.over_stops.to_string()),
];

/// Makes a journey, or wears a plan.
pub fn make(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let (outlets, seed) = (number("outlets") as usize, number("seed"));
    if !(1..=5_000_000).contains(&outlets) {
        return Err(Failure::usage("--outlets is 1 to 5,000,000"));
    }
    let value = match (matches.get_one::<PathBuf>("worn"), matches.get_one::<PathBuf>("plan")) {
        (Some(task), Some(plan)) => {
            let (task, plan): (Task, InForce) = (read(task)?, read(plan)?);
            serde_json::to_value(&made::worn(&task, &plan.routes, seed).routes)
                .map(|routes| serde_json::json!({ "routes": routes }))
        }
        (Some(_), None) => return Err(Failure::usage("--worn needs --plan PLAN.json, which is worn")),
        (None, _) => serde_json::to_value(match matches.get_flag("planted") {
            true => made::planted(outlets, seed),
            false => made::towns(outlets, seed),
        }),
    };
    let value = value.map_err(|e| Failure::internal(e.to_string()))?;
    match matches.get_one::<PathBuf>("out") {
        Some(out) => {
            write(out, &value)?;
            if context.json {
                output::json(&serde_json::json!({ "file": out.display().to_string() }));
            }
        }
        None => output::json(&value),
    }
    Ok(())
}
