//! `pams solve`: the optimiser on a file of the field, without a store.

use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::solver::check::{Worth, check};
use crate::solver::engine::{Control, Limit, Params, Progress, Solved, Tuning, solve};
use crate::solver::problem::{Plan, Problem, Why};
use crate::solver::read;
use clap::ArgMatches;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Seconds, where neither time nor iterations are said.
const DEFAULT_SECONDS: f64 = 60.0;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    if let Some(("journey", matches)) = matches.subcommand() {
        return super::journey::run(context, matches);
    }
    let file = matches.get_one::<PathBuf>("file").ok_or_else(|| Failure::usage("Which file?"))?;
    let (start, footprint) = (Instant::now(), Footprint::now());
    let text = text_of(file)?;
    let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let problem = read::read(&stem, &text).map_err(|e| misread(file, &e))?;
    drop(text);
    let params = params(&problem, matches)?;
    let best_known = matches.get_one::<f64>("best-known").copied();
    let Found { plan, steps, worth } = search(&problem, &params, best_known, matches)?;
    let cost = worth.cost as f64 / problem.unit;
    if let Some(out) = matches.get_one::<PathBuf>("out") {
        std::fs::write(out, read::write_solution(&problem, &plan, cost))
            .map_err(|e| Failure::invalid(format!("{} cannot be written: {}", out.display(), said(&e))))?;
    }
    let gap = best_known.map(|best| (cost / best - 1.0) * 100.0);
    let why = |customer: &u32| problem.why_never(*customer as usize).unwrap_or(Why::Vehicles).text();
    let label = |customer: &u32| problem.customers[*customer as usize].label;
    if context.json {
        let reasons: Vec<_> = plan
            .unserved
            .iter()
            .map(|c| serde_json::json!({ "customer": label(c), "why": why(c) }))
            .collect();
        let mut value = serde_json::json!({
            "instance": problem.name,
            "cost": cost,
            "routes": worth.routes,
            "visits": worth.visits,
            "unserved": worth.unserved,
            "feasible": worth.unserved == 0,
            "iterations": steps,
            "elapsed_s": start.elapsed().as_secs_f64(),
            "threads": params.threads,
            "seed": params.seed,
            "reasons": reasons,
        });
        footprint.tell(&mut value, "bytes_per_customer", problem.customers.len());
        if let Some(gap) = gap {
            value["gap_pct"] = gap.into();
        }
        output::json(&value);
        return Ok(());
    }
    let gap = gap.map(|gap| format!(", {gap:.2} % above the best known")).unwrap_or_default();
    output::line(&format!(
        "{}: cost {}{gap}; {} routes, {} visits; {} iterations in {:.1} s",
        output::plain(&problem.name),
        cost_text(cost),
        worth.routes,
        worth.visits,
        steps,
        start.elapsed().as_secs_f64()
    ));
    for customer in plan.unserved.iter().take(20) {
        output::line(&format!("unserved: customer {}: {}", label(customer), why(customer)));
    }
    if plan.unserved.len() > 20 {
        output::line(&format!("unserved: {} more; --json lists them all", plan.unserved.len() - 20));
    }
    Ok(())
}

/// What a search found, and what the checker says of it.
pub(super) struct Found {
    pub plan: Plan,
    pub steps: u64,
    pub worth: Worth,
}

/// Searches until the limit or a signal, telling how far it is, and checks the plan.
pub(super) fn search(
    problem: &Problem,
    params: &Params,
    best_known: Option<f64>,
    matches: &ArgMatches,
) -> Outcome<Found> {
    let cancel = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, cancel.clone())
            .map_err(|e| Failure::internal(format!("Signals cannot be heard: {}", said(&e))))?;
    }
    let mut line = Line::new(matches.get_flag("progress"), best_known);
    let (begun, spent, threads) = (Instant::now(), cpu_seconds(), params.threads as f64);
    let by_processor = matches.get_flag("processor-time");
    let clock = move || match by_processor {
        true => Duration::from_secs_f64((cpu_seconds() - spent).max(0.0) / threads),
        false => begun.elapsed(),
    };
    let mut control = Control { clock: &clock, cancel: &cancel, progress: &mut |p, _| line.show(p) };
    let Solved { plan, steps } = solve(problem, params, &mut control);
    line.end();
    let worth = check(problem, &plan).map_err(|wrong| {
        Failure::internal(format!("The checker refuses the plan: {}", wrong.join("; ")))
            .hint("This is a fault of the optimiser: please report it with the file")
    })?;
    Ok(Found { plan, steps, worth })
}

/// What this process takes of the machine, from here on.
pub(super) struct Footprint {
    before: u64,
}

impl Footprint {
    pub fn now() -> Footprint {
        Footprint { before: memory("VmRSS") }
    }

    pub fn tell(&self, value: &mut serde_json::Value, each: &str, count: usize) {
        let peak = memory("VmHWM");
        value["cpu_s"] = cpu_seconds().into();
        value["peak_bytes"] = peak.into();
        value[each] = (peak.saturating_sub(self.before) / (count as u64).max(1)).into();
    }
}

/// A figure of this process in bytes, as the system counts it; 0 where it does not tell.
fn memory(what: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(what));
    let kib = line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// What this process used of all cores together.
fn cpu_seconds() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

fn cost_text(cost: f64) -> String {
    let text = format!("{cost:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn text_of(file: &Path) -> Outcome<String> {
    let bytes = std::fs::read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format!("There is no file {}", file.display())),
        _ => Failure::invalid(format!("{} cannot be read: {}", file.display(), said(&e))),
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn misread(file: &Path, error: &read::Misread) -> Failure {
    Failure::invalid(format!("{}, {error}", file.display()))
        .hint("CVRPLIB (.vrp), Solomon and Cordeau's periodic layouts are read")
}

/// When to stop, on how many threads, and from which seed.
pub(super) fn limits(matches: &ArgMatches) -> Outcome<(Limit, usize, u64)> {
    let iterations = matches.get_one::<u64>("iterations").copied();
    if matches.get_flag("deterministic") && iterations.is_none() {
        return Err(Failure::usage("--deterministic needs --iterations: time is never the same twice"));
    }
    let limit = match (iterations, matches.get_one::<f64>("time-limit")) {
        (Some(steps), _) => Limit::Steps(steps),
        (None, seconds) => {
            let seconds = seconds.copied().unwrap_or(DEFAULT_SECONDS);
            if !(0.0..=1e6).contains(&seconds) {
                return Err(Failure::usage("A time limit is 0 to 1,000,000 seconds"));
            }
            Limit::Time(Duration::from_secs_f64(seconds))
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let threads = matches.get_one::<u64>("threads").copied().unwrap_or(cores).clamp(1, 256) as usize;
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(1);
    Ok((limit, threads, seed))
}

fn params(problem: &Problem, matches: &ArgMatches) -> Outcome<Params> {
    let (limit, threads, seed) = limits(matches)?;
    let initial = match matches.get_one::<PathBuf>("initial") {
        None => None,
        Some(file) => {
            let text = text_of(file)?;
            let plan = read::read_solution(problem, &text).map_err(|e| misread(file, &e))?;
            if let Err(wrong) = check(problem, &plan) {
                return Err(Failure::new(
                    FailureKind::Invalid,
                    format!("{} is no plan to begin with: {}", file.display(), wrong[0]),
                ));
            }
            Some(plan)
        }
    };
    Ok(Params { limit, threads, seed, initial, edited: vec![], tuning: Tuning::default() })
}

/// The line that says how far it is: one that is written over on a terminal, else a line
/// a second when it is asked for.
struct Line {
    on: bool,
    over: bool,
    best_known: Option<f64>,
    last: Option<Duration>,
}

impl Line {
    fn new(asked: bool, best_known: Option<f64>) -> Line {
        let over = std::io::stderr().is_terminal();
        Line { on: asked || over, over, best_known, last: None }
    }

    fn show(&mut self, p: &Progress) {
        let due = self.last.is_none_or(|last| {
            p.elapsed - last >= Duration::from_millis(if self.over { 200 } else { 1_000 })
        });
        if !self.on || !due {
            return;
        }
        self.last = Some(p.elapsed);
        let seconds = p.elapsed.as_secs_f64();
        let gap = self.best_known.map(|best| format!("  gap {:.2} %", (p.cost / best - 1.0) * 100.0));
        let unserved = if p.unserved > 0 { format!("  unserved {}", p.unserved) } else { String::new() };
        let text = format!(
            "{seconds:6.1} s  cost {}{}  routes {}{unserved}  {:.0} iterations/s",
            cost_text(p.cost),
            gap.unwrap_or_default(),
            p.routes,
            p.steps as f64 / seconds.max(1e-3)
        );
        let mut err = std::io::stderr().lock();
        let _ = if self.over { write!(err, "\r{text}\x1b[K") } else { writeln!(err, "{text}") };
        let _ = err.flush();
    }

    fn end(&self) {
        if self.on && self.over && self.last.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
