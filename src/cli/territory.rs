//! `pams territory detect|recommend|split|list` and `pams snapshot ls|cut|open`.

use crate::cli::{Context, confirm, output};
use crate::domain::schema::Kind;
use crate::domain::{Outcome, text};
use crate::engine::Engine;
use crate::intake::bulk::{self, Said};
use crate::intake::hierarchy::{self, Chain, Gather};
use crate::remote::online;
use crate::services::territories::locks::{ListLocks, LockUnit, Locked, UnlockUnit};
use crate::services::territories::{
    CutSnapshots, DetectTerritories, Keep, Limits, ListSnapshots, ListUnits, OpenUnit, PreviewSplit,
    RecommendTerritories, Split, SplitTerritories,
};
use clap::ArgMatches;
use serde_json::json;
use std::path::PathBuf;

/// Outlets whose snapshots one change writes.
const SLICE: u64 = 100_000;

/// Contradictions that are printed.
const VIOLATIONS: usize = 10;

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "detect" => detect(context, matches),
        "recommend" => recommend(context, matches),
        "split" => split(context, matches),
        "lock" | "unlock" | "locks" => lock(context, verb, matches),
        _ => list(context, matches),
    }
}

pub fn snapshot(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "cut" => {
            let engine = context.cli()?;
            let done = cut(&engine, matches.get_one::<String>("unit").cloned())?;
            if context.json {
                output::json(&json!({ "cut": done.0, "outlets": done.1, "bytes": done.2 }));
            } else {
                output::line(&format!("{} cut, {} bytes", text::count(done.0, "snapshot"), done.2));
            }
            Ok(())
        }
        "open" => {
            let unit = matches.get_one::<String>("unit").cloned().unwrap_or_default();
            let opened = context.cli()?.ask(&OpenUnit { unit })?;
            if context.json {
                output::json(&opened);
                return Ok(());
            }
            output::line(&format!(
                "{}: {}, {} with a position, {} bytes, opened in {:.1} ms",
                opened.unit,
                text::count(opened.outlets as usize, "outlet"),
                opened.placed,
                opened.bytes,
                opened.opened_ms
            ));
            Ok(())
        }
        _ => snapshots(context),
    }
}

/// Cuts what is missing or old, a slice at a time: what was cut before stays.
pub fn cut(engine: &Engine, unit: Option<String>) -> Outcome<(usize, u64, u64)> {
    let mut all = (0, 0, 0);
    loop {
        let done = engine.run(&CutSnapshots { unit: unit.clone(), outlets: SLICE })?.reply;
        all = (all.0 + done.cut, all.1 + done.outlets, all.2 + done.bytes);
        if done.left == 0 {
            return Ok(all);
        }
    }
}

fn snapshots(context: &Context) -> Outcome<()> {
    let all = context.cli()?.ask(&ListSnapshots {})?;
    if context.json {
        output::json(&all);
        return Ok(());
    }
    if all.is_empty() {
        output::note("no planning units yet: `pams territory split` makes them");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|s| {
            let each = if s.outlets > 0 { format!("{:.1}", s.bytes_each) } else { String::new() };
            let hash: String = s.hash.chars().take(12).collect();
            vec![
                s.unit.clone(),
                s.outlets.to_string(),
                s.bytes.to_string(),
                each,
                s.version.to_string(),
                s.state.clone(),
                hash,
            ]
        })
        .collect();
    output::table(&["unit", "outlets", "bytes", "each", "version", "state", "hash"], &rows);
    let (outlets, bytes) = all.iter().fold((0, 0), |(o, b), s| (o + s.outlets, b + s.bytes));
    output::note(&format!(
        "{}, {} bytes, {:.1} bytes an outlet",
        text::count(all.len(), "unit"),
        bytes,
        bytes as f64 / outlets.max(1) as f64
    ));
    Ok(())
}

fn levels(matches: &ArgMatches) -> Vec<String> {
    let given = matches.get_one::<String>("levels").cloned().unwrap_or_default();
    given.split(',').map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect()
}

fn limits(matches: &ArgMatches) -> Limits {
    let or = Limits::default();
    let whole = |name: &str, or: u64| matches.get_one::<u64>(name).copied().unwrap_or(or);
    let number = |name: &str, or: f64| matches.get_one::<f64>(name).copied().unwrap_or(or);
    Limits {
        outlets: whole("max-outlets", or.outlets).max(1),
        hours: whole("max-hours", or.hours),
        visits: number("visits", or.visits).max(0.0),
        minutes: number("minutes", or.minutes).max(0.0),
    }
}

/// Of a file, or of the outlets that are stored.
fn detect(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let (rows, chains) = match matches.get_one::<PathBuf>("file") {
        Some(path) => {
            let opened = bulk::open(path, &std::env::temp_dir(), Kind::Outlet, &Said::default())?;
            let mut gather = Gather::new(&opened.layout.titles);
            let (mut number, mut rows) = (0, 0);
            opened.source.records(&mut |_, _, cells| {
                number += 1;
                if number > opened.layout.header + 1 && !cells.is_blank() {
                    rows += 1;
                    if gather.wants() {
                        let all: Vec<String> = (0..opened.layout.titles.len())
                            .map(|c| String::from_utf8_lossy(cells.get(c)).into_owned())
                            .collect();
                        gather.push(all.iter().map(String::as_str));
                    }
                }
                Ok(true)
            })?;
            (rows, hierarchy::detect(&gather.finish()))
        }
        None => {
            let found = context.cli()?.ask(&DetectTerritories {})?;
            (found.outlets, found.chains)
        }
    };
    if context.json {
        output::json(&json!({ "rows": rows, "chains": chains }));
        return Ok(());
    }
    if chains.is_empty() {
        output::line("The columns show no hierarchy. Say the levels yourself: --levels region,territory");
        return Ok(());
    }
    for (n, chain) in chains.iter().enumerate() {
        output::line(&format!(
            "{}. {} ({}, {:.0} % sure)",
            n + 1,
            way(chain),
            chain.kind,
            100.0 * chain.confidence
        ));
        let rows: Vec<Vec<String>> = chain
            .levels
            .iter()
            .map(|l| {
                let sure = format!("{:.0} %", 100.0 * l.confidence);
                vec![l.columns.join(", "), l.units.to_string(), l.violating.to_string(), sure]
            })
            .collect();
        output::table(&["level", "units", "contradict", "sure"], &rows);
    }
    Ok(())
}

fn way(chain: &Chain) -> String {
    chain.levels.iter().map(|l| l.columns[0].as_str()).collect::<Vec<_>>().join(" > ")
}

fn recommend(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let ask = RecommendTerritories { levels: levels(matches), limits: limits(matches) };
    let found = context.cli()?.ask(&ask)?;
    if context.json {
        output::json(&found);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found
        .levels
        .iter()
        .map(|l| {
            vec![
                l.column.clone(),
                l.units.to_string(),
                l.median.to_string(),
                l.largest.outlets.to_string(),
                l.largest.path.join(" > "),
                l.near.to_string(),
                l.over.to_string(),
                l.without.to_string(),
                l.violating.to_string(),
            ]
        })
        .collect();
    let heads = ["level", "units", "median", "largest", "", "near", "over", "without", "contrary"];
    output::table(&heads, &rows);
    for of in found.violations.iter().take(VIOLATIONS) {
        let (level, above) = (of.level.replace('_', " "), of.above.replace('_', " "));
        output::note(&format!(
            "{level} {}: {} of {} are under {above} {}, nearly all under {}",
            of.value,
            of.outlets,
            text::count(of.of as usize, "outlet"),
            of.parent,
            of.usual
        ));
    }
    if found.violations.len() > VIOLATIONS {
        output::note(&format!("{} more with --json", found.violations.len() - VIOLATIONS));
    }
    output::line(&found.why);
    for (sum, parts) in found.to_split.iter().take(20) {
        output::line(&format!("  {}: {} outlets, {parts} parts", sum.path.join(" > "), sum.outlets));
    }
    if found.to_split.len() > 20 {
        output::note(&format!("{} more", found.to_split.len() - 20));
    }
    Ok(())
}

fn split(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let keep = match matches.get_one::<String>("keep").map(String::as_str) {
        Some("beats") => Keep::Beats,
        Some("distributors") => Keep::Distributors,
        _ => Keep::Outlets,
    };
    let ask = SplitTerritories {
        levels: levels(matches),
        level: matches.get_one::<String>("level").cloned().unwrap_or_default(),
        limits: limits(matches),
        keep,
    };
    let engine = context.cli()?;
    if matches.get_flag("dry-run") {
        let split = engine.ask(&PreviewSplit { split: ask })?;
        return shown(context, &split, None);
    }
    let before = engine.ask(&ListUnits { limits: ask.limits })?.items.len();
    if before > 0 {
        confirm(context, &format!("Make the planning units anew? There are {before}"))?;
    }
    let split = engine.run(&ask)?.reply;
    let snapshots = cut(&engine, None)?;
    shown(context, &split, Some(snapshots))
}

fn shown(context: &Context, split: &Split, snapshots: Option<(usize, u64, u64)>) -> Outcome<()> {
    if context.json {
        let units: Vec<serde_json::Value> = split
            .units
            .iter()
            .map(|u| {
                json!({ "name": u.name, "path": u.sum.path, "outlets": u.sum.outlets, "hours": (u.sum.minutes / 60.0).round(),
                    "part": u.part, "parts": u.parts, "imbalance": u.imbalance, "why": u.why, "word": u.word,
                    "diameter_km": u.sum.diameter_km().round() })
            })
            .collect();
        output::json(
            &json!({ "level": split.level, "units": units, "outlets": split.outlets, "without": split.without,
            "added": split.added, "changed": split.changed, "removed": split.removed, "same": split.same,
            "snapshots": snapshots.map(|s| s.0), "bytes": snapshots.map(|s| s.2) }),
        );
        return Ok(());
    }
    let cut: Vec<Vec<String>> = split
        .units
        .iter()
        .filter(|u| u.parts > 1)
        .take(60)
        .map(|u| {
            vec![
                u.name.clone(),
                u.sum.outlets.to_string(),
                format!("{:.2} %", 100.0 * u.imbalance),
                u.why.clone(),
            ]
        })
        .collect();
    if !cut.is_empty() {
        output::table(&["part", "outlets", "above the mean", ""], &cut);
    }
    let most = split.units.iter().map(|u| u.sum.outlets).max().unwrap_or(0);
    output::line(&format!(
        "{} at the level {}, {} in them (the largest has {most}), {} without",
        text::count(split.units.len(), "unit"),
        split.level,
        text::count(split.outlets as usize, "outlet"),
        split.without
    ));
    match snapshots {
        None => output::note("nothing was changed"),
        Some((count, outlets, bytes)) => output::note(&format!(
            "{} added, {} changed, {} removed, {} same; {}, {:.1} bytes an outlet; `pams undo` takes them back",
            split.added,
            split.changed,
            split.removed,
            split.same,
            text::count(count, "snapshot"),
            bytes as f64 / outlets.max(1) as f64
        )),
    }
    Ok(())
}

fn lock(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    let folders = &context.folders;
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned().unwrap_or_default();
    match verb {
        "lock" => {
            let locked = online::run(&engine, folders, &LockUnit { unit: text("unit"), note: text("note") })?;
            match context.json {
                true => output::json(&locked),
                false => {
                    output::line(&format!("{} is yours; `pams territory unlock` gives it back", locked.name))
                }
            }
        }
        "unlock" => {
            let unit = online::run(&engine, folders, &UnlockUnit { unit: text("unit"), why: text("why") })?;
            match context.json {
                true => output::json(&json!({ "unit": unit })),
                false => output::line("given back"),
            }
        }
        _ => {
            let all = engine.ask(&ListLocks {})?;
            if context.json {
                output::json(&json!({ "items": all }));
            } else if all.is_empty() {
                output::note("nobody holds a unit; `pams territory lock UNIT` takes one");
            } else {
                let row =
                    |l: &Locked| vec![l.name.clone(), l.holder.clone(), l.since.clone(), l.note.clone()];
                output::table(&["unit", "holder", "since", "note"], &all.iter().map(row).collect::<Vec<_>>());
            }
        }
    }
    Ok(())
}

fn list(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let units = context.cli()?.ask(&ListUnits { limits: limits(matches) })?;
    if context.json {
        output::json(&units);
        return Ok(());
    }
    if units.items.is_empty() {
        output::note("no planning units yet: `pams territory recommend`, then `pams territory split`");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = units
        .items
        .iter()
        .map(|u| {
            vec![
                u.name.clone(),
                u.outlets.to_string(),
                u.hours.to_string(),
                format!("{:.1} %", 100.0 * u.sales_share),
                format!("{:.0}", u.diameter_km),
                u.distributors.to_string(),
                u.word.clone(),
            ]
        })
        .collect();
    output::table(&["unit", "outlets", "h/month", "sales", "km across", "distributors", "size"], &rows);
    if !units.own.is_empty() {
        output::note(&format!("those of {}", units.own.join(", ")));
    }
    if units.stale {
        output::note("the outlets were imported anew since: `pams territory split` makes the units anew");
    }
    Ok(())
}
