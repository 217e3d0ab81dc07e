//! `pams dev bench-solver`: a set of instances, each solved in a process of its own. What is
//! measured is appended to a file at once, and what stands there is not measured again, so
//! that a long run can be broken off and gone on with.

use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use clap::ArgMatches;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A run of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    instance: String,
    seed: u64,
    seconds: f64,
    cost: f64,
    gap_pct: Option<f64>,
    routes: usize,
    unserved: usize,
    iterations: u64,
    elapsed_s: f64,
    cpu_s: f64,
    peak_bytes: u64,
}

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let set = matches.get_one::<PathBuf>("set").ok_or_else(|| Failure::usage("Which set?"))?;
    let seconds = matches.get_one::<f64>("time-limit").copied().unwrap_or(60.0);
    let seeds = matches.get_one::<u64>("seeds").copied().unwrap_or(1);
    let results = matches.get_one::<PathBuf>("results").cloned().unwrap_or_else(|| "bench-solver.csv".into());
    let known = match matches.get_one::<PathBuf>("best-known") {
        Some(file) => best_known(file)?,
        None => BTreeMap::new(),
    };
    let mut all = earlier(&results)?;
    let files = instances(set)?;
    for file in &files {
        for seed in 1..=seeds {
            let name = stem(file);
            if all.iter().any(|m| m.instance == name && m.seed == seed && m.seconds == seconds) {
                continue;
            }
            let measured = measure(file, seed, seconds, known.get(&name).copied(), matches)?;
            output::note(&row(std::slice::from_ref(&measured)));
            append(&results, &measured)?;
            all.push(measured);
        }
    }
    let names: Vec<String> = files.iter().map(|f| stem(f)).collect();
    all.retain(|m| m.seconds == seconds && names.contains(&m.instance) && m.seed <= seeds);
    if context.json {
        output::json(&all);
        return Ok(());
    }
    let text = table(&names, &all);
    match matches.get_one::<PathBuf>("table") {
        Some(page) => into_page(page, &stem(set), &text),
        None => {
            output::line(&text);
            Ok(())
        }
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

fn unreadable(file: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    move |e| Failure::invalid(format!("{}: {}", file.display(), said(&e)))
}

/// The instance files of a folder, or the one file.
fn instances(set: &Path) -> Outcome<Vec<PathBuf>> {
    if set.is_file() {
        return Ok(vec![set.to_owned()]);
    }
    let entries = std::fs::read_dir(set).map_err(unreadable(set))?.flatten().map(|e| e.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "vrp" || e == "txt")).collect();
    files.sort();
    match files.is_empty() {
        true => Err(Failure::not_found(format!("{} holds no .vrp and no .txt", set.display()))),
        false => Ok(files),
    }
}

/// Best known costs: a table with the columns `instance` and `best_known`.
fn best_known(file: &Path) -> Outcome<BTreeMap<String, f64>> {
    #[derive(Deserialize)]
    struct Known {
        instance: String,
        best_known: f64,
    }
    let wrong = |e: csv::Error| Failure::invalid(format!("{}: {e}", file.display()));
    let mut reader = csv::Reader::from_path(file).map_err(wrong)?;
    reader.deserialize().map(|row| row.map(|k: Known| (k.instance, k.best_known)).map_err(wrong)).collect()
}

fn earlier(results: &Path) -> Outcome<Vec<Measured>> {
    if !results.exists() {
        return Ok(vec![]);
    }
    let wrong = |e: csv::Error| Failure::invalid(format!("{}: {e}", results.display()));
    csv::Reader::from_path(results).map_err(wrong)?.deserialize().map(|row| row.map_err(wrong)).collect()
}

fn append(results: &Path, measured: &Measured) -> Outcome<()> {
    let fresh = !results.exists();
    let file =
        std::fs::OpenOptions::new().create(true).append(true).open(results).map_err(unreadable(results))?;
    let mut writer = csv::WriterBuilder::new().has_headers(fresh).from_writer(file);
    writer.serialize(measured).map_err(|e| Failure::internal(e.to_string()))?;
    writer.flush().map_err(unreadable(results))
}

fn measure(
    file: &Path,
    seed: u64,
    seconds: f64,
    known: Option<f64>,
    matches: &ArgMatches,
) -> Outcome<Measured> {
    let program = std::env::current_exe().map_err(unreadable(file))?;
    let mut command = Command::new(program);
    command.args(["solve", "--json", "--seed", &seed.to_string(), "--time-limit", &seconds.to_string()]);
    if matches.get_flag("processor-time") {
        command.arg("--processor-time");
    }
    if let Some(known) = known {
        command.args(["--best-known", &known.to_string()]);
    }
    let ran = command.arg(file).output().map_err(unreadable(file))?;
    let value: serde_json::Value = serde_json::from_slice(&ran.stdout).map_err(|_| {
        Failure::invalid(format!("{}: {}", file.display(), String::from_utf8_lossy(&ran.stderr).trim()))
    })?;
    let float = |name: &str| value[name].as_f64().unwrap_or_default();
    let whole = |name: &str| value[name].as_u64().unwrap_or_default();
    Ok(Measured {
        instance: stem(file),
        seed,
        seconds,
        cost: float("cost"),
        gap_pct: value["gap_pct"].as_f64(),
        routes: whole("routes") as usize,
        unserved: whole("unserved") as usize,
        iterations: whole("iterations"),
        elapsed_s: float("elapsed_s"),
        cpu_s: float("cpu_s"),
        peak_bytes: whole("peak_bytes"),
    })
}

fn mean(of: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = of.clone().count().max(1);
    of.sum::<f64>() / count as f64
}

/// The runs of one instance as a line of the table.
fn row(runs: &[Measured]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let best = runs.iter().map(|m| m.cost).fold(f64::INFINITY, f64::min);
    let gaps: Vec<f64> = runs.iter().filter_map(|m| m.gap_pct).collect();
    let gap = if gaps.is_empty() { "-".into() } else { format!("{:.2} %", mean(gaps.iter().copied())) };
    format!(
        "| {} | {} | {best:.1} | {gap} | {} | {} | {:.0} | {:.0} | {:.0} |",
        first.instance,
        runs.len(),
        first.routes,
        runs.iter().map(|m| m.unserved).max().unwrap_or_default(),
        mean(runs.iter().map(|m| m.iterations as f64 / m.elapsed_s.max(1e-3))),
        mean(runs.iter().map(|m| m.cpu_s)),
        mean(runs.iter().map(|m| m.peak_bytes as f64 / 1_048_576.0)),
    )
}

fn table(names: &[String], all: &[Measured]) -> String {
    let mut lines = vec![
        "| instance | runs | best cost | mean gap | routes | unserved | iterations/s | CPU s | peak MiB |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    let mut gaps = Vec::new();
    for name in names {
        let runs: Vec<Measured> = all.iter().filter(|m| m.instance == *name).cloned().collect();
        gaps.extend(runs.iter().filter_map(|m| m.gap_pct));
        lines.push(row(&runs));
    }
    if !gaps.is_empty() {
        let worst = gaps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        lines.push(format!("\nMean gap {:.2} %, the worst {worst:.2} %.", mean(gaps.iter().copied())));
    }
    lines.join("\n")
}

/// Puts a table into a page between its two marks, at the end if they are not there yet.
fn into_page(page: &Path, name: &str, text: &str) -> Outcome<()> {
    let old = std::fs::read_to_string(page).map_err(unreadable(page))?;
    let (begin, end) = (format!("<!-- bench-solver {name} -->"), format!("<!-- end {name} -->"));
    let new = format!("{begin}\n{text}\n{end}");
    let whole = match (old.find(&begin), old.find(&end)) {
        (Some(from), Some(to)) if from < to => format!("{}{new}{}", &old[..from], &old[to + end.len()..]),
        _ => format!("{}\n\n{new}\n", old.trim_end()),
    };
    std::fs::write(page, whole).map_err(unreadable(page))
}
