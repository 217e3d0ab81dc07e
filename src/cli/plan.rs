//! `pams plan …` and `pams route sheet`: plans of a unit from the command line.

use crate::cli::{Context, confirm, output, territory};
use crate::domain::failure::said;
use crate::domain::text::count;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::services::input::Input;
use crate::services::plans::{
    self, ComparePlans, CreatePlan, Edit, EditPlan, ExportPlan, Exported, From, Impact, KeepPlan, Kept, Lack,
    ListLacks, ListPlanned, ListPlans, Offer, OpenPlan, OptimisePlan, Packed, PrintSheet, RepSum,
    RestorePlan, SetOutlines, SetPlanRules, ShowDays, ShowOffer, Steer, SteerRun, a_week,
};
use crate::solver::journey::Quality;
use clap::ArgMatches;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// Lacks and changes that are named on a terminal.
const NAMED: usize = 10;

fn one(matches: &ArgMatches, name: &str) -> String {
    matches.try_get_one::<String>(name).ok().flatten().cloned().unwrap_or_default()
}

fn number(matches: &ArgMatches, name: &str) -> u64 {
    matches.try_get_one::<u64>(name).ok().flatten().copied().unwrap_or_default()
}

fn flag(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or_default()
}

fn many(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
}

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    match verb {
        "units" => return units(context, &engine),
        "outlines" => return outlines(context, &engine, matches),
        _ => {}
    }
    let unit = one(matches, "unit");
    current(&engine, &unit)?;
    let steer = |what| -> Outcome<()> {
        let job = engine.run(&SteerRun { unit: unit.clone(), what })?.reply;
        match context.json {
            true => output::json(&job),
            false => output::line(&format!("{}: {}", output::plain(&job.title), word(what))),
        }
        Ok(())
    };
    match verb {
        "create" => create(context, &engine, unit, matches),
        "list" => list(context, &engine, unit),
        "show" => show(context, &engine, unit, matches),
        "lacks" => lacks(context, &engine, unit),
        "rules" => rules(context, &engine, unit, matches),
        "optimise" => optimise(context, &engine, unit, matches),
        "pause" => steer(Steer::Pause),
        "resume" => {
            steer(Steer::Resume)?;
            engine.reside();
            Ok(())
        }
        "stop" => steer(Steer::Stop),
        "offer" => {
            let offer = engine.ask(&ShowOffer { unit })?;
            say_offer(context, &offer);
            Ok(())
        }
        "compare" => compare(context, &engine, unit, matches),
        "keep" => kept(context, engine.run(&KeepPlan { unit, reason: one(matches, "reason") })?.reply),
        "restore" => {
            let restore =
                RestorePlan { unit, version: one(matches, "version"), reason: one(matches, "reason") };
            kept(context, engine.run(&restore)?.reply)
        }
        "move" => {
            let some = |name| Some(one(matches, name)).filter(|text| !text.is_empty());
            let edit = Edit::Move { rep: some("rep"), from: some("from"), to: some("to") };
            if edit == (Edit::Move { rep: None, from: None, to: None }) {
                return Err(Failure::usage("Where to? Say --rep, --to or both"));
            }
            edited(context, &engine, unit, many(matches, "outlets"), edit, flag(matches, "dry-run"))
        }
        "place" => {
            let edit = Edit::Place { day: one(matches, "day"), place: number(matches, "at") as usize };
            edited(context, &engine, unit, vec![one(matches, "outlets")], edit, flag(matches, "dry-run"))
        }
        "pin" => {
            let pinned = !flag(matches, "off");
            let outlets = many(matches, "outlets");
            let ask = EditPlan { unit, outlets, edit: Edit::Pin(pinned), dry_run: false };
            let impact = engine.run(&ask)?.reply;
            let word = if pinned { "pinned: it keeps its rep and days" } else { "free again" };
            match context.json {
                true => output::json(&impact),
                false => output::line(&format!("{} {word}", count(impact.outlets, "outlet"))),
            }
            Ok(())
        }
        _ => {
            let (version, format) = (one(matches, "version"), one(matches, "format"));
            let ask = ExportPlan { unit, version, format, from: 0 };
            let all = plans::whole(|from| engine.ask(&ExportPlan { from, ..ask.clone() }))?;
            written(context, all, matches)
        }
    }
}

pub fn route(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    let of = ShowDays {
        unit: one(matches, "unit"),
        version: one(matches, "version"),
        rep: one(matches, "rep"),
        week: number(matches, "week") as u32,
        day: one(matches, "day"),
    };
    current(&engine, &of.unit)?;
    if context.json {
        output::json(&engine.ask(&of)?);
        return Ok(());
    }
    let format = ["html", "ics", "csv"].into_iter().find(|f| flag(matches, f)).unwrap_or("text");
    let ask = PrintSheet { of, format: format.into(), monday: one(matches, "from"), from: 0 };
    let all = plans::whole(|from| engine.ask(&PrintSheet { from, ..ask.clone() }))?;
    written(context, all, matches)
}

/// Cuts the unit's snapshot where that is missing or old; a unit whose outlets were
/// imported anew since is planned with what there is.
fn current(engine: &Engine, unit: &str) -> Outcome<()> {
    match territory::cut(engine, Some(unit.to_owned())) {
        Err(failure) if failure.kind == FailureKind::Conflict => {
            output::note(&format!("note: {}", failure.message));
            Ok(())
        }
        other => other.map(drop),
    }
}

fn word(what: Steer) -> &'static str {
    match what {
        Steer::Pause => "paused; `pams plan resume` goes on",
        Steer::Resume => "goes on",
        Steer::Stop => "stopped; the best plan so far stays: `pams plan offer`",
    }
}

fn units(context: &Context, engine: &Engine) -> Outcome<()> {
    let all = engine.ask(&ListPlanned {})?;
    if context.json {
        output::json(&json!({ "items": all }));
        return Ok(());
    }
    if all.is_empty() {
        output::note("no planning units yet: `pams territory split` makes them");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = all
        .into_iter()
        .map(|p| vec![p.unit.name, p.unit.outlets.to_string(), p.unit.word, p.state, p.holder])
        .collect();
    output::table(&["unit", "outlets", "size", "plan", "held by"], &rows);
    Ok(())
}

fn create(context: &Context, engine: &Engine, unit: String, matches: &ArgMatches) -> Outcome<()> {
    let from = match matches.get_one::<PathBuf>("file") {
        Some(file) => From::Packed(Packed::of(&super::solve::text_of(file)?)?),
        None if flag(matches, "now") => From::Now,
        None => From::Beats,
    };
    kept(context, engine.run(&CreatePlan { unit, from, reason: one(matches, "reason") })?.reply)
}

fn kept(context: &Context, kept: Kept) -> Outcome<()> {
    if context.json {
        output::json(&kept);
        return Ok(());
    }
    output::line(&format!(
        "{} v{}: {} in {}, {:.0} km a week; {}",
        output::plain(&kept.unit),
        kept.number,
        count(kept.outlets, "outlet"),
        count(kept.visits, "visit"),
        a_week(kept.figures.km),
        output::plain(&kept.reason)
    ));
    Ok(())
}

/// Outlines of distributors' areas from a file.
fn outlines(context: &Context, engine: &Engine, matches: &ArgMatches) -> Outcome<()> {
    let Some(path) = matches.get_one::<PathBuf>("file") else { return Ok(()) };
    let file = Packed::of(&super::solve::text_of(path)?)?;
    let done = engine.run(&SetOutlines { file, dry_run: flag(matches, "dry-run") })?.reply;
    if context.json {
        output::json(&done);
        return Ok(());
    }
    let word = if flag(matches, "dry-run") { "would be set" } else { "set; `pams undo` takes them back" };
    output::line(&format!("{} {word}; {} the same already", count(done.set, "outline"), done.same));
    for name in &done.unknown {
        output::line(&format!("  no distributor is called {}", output::plain(name)));
    }
    Ok(())
}

fn list(context: &Context, engine: &Engine, unit: String) -> Outcome<()> {
    let all = engine.ask(&ListPlans { unit })?;
    if context.json {
        output::json(&json!({ "items": all }));
        return Ok(());
    }
    if all.is_empty() {
        output::note(
            "no version yet: `pams plan create` takes today's beats, `pams plan optimise` and `keep` make one",
        );
        return Ok(());
    }
    let rows: Vec<Vec<String>> = all
        .into_iter()
        .map(|p| {
            let stands = if p.stands { "*" } else { "" };
            vec![
                format!("v{}{stands}", p.number),
                p.at,
                p.by,
                format!("{:.0}", a_week(p.figures.km)),
                format!("{:.0}", a_week(p.figures.travel_minutes / 60.0)),
                p.figures.broken_days.to_string(),
                p.figures.unserved.to_string(),
                p.reason,
            ]
        })
        .collect();
    output::table(
        &["version", "kept", "by", "km/week", "travel h/week", "broken days", "not visited", "reason"],
        &rows,
    );
    output::note("* the plan stands as this version has it");
    Ok(())
}

fn show(context: &Context, engine: &Engine, unit: String, matches: &ArgMatches) -> Outcome<()> {
    let (version, rep) = (one(matches, "version"), one(matches, "rep"));
    if !rep.is_empty() {
        let (week, day) = (number(matches, "week") as u32, one(matches, "day"));
        let of = ShowDays { unit, version, rep, week, day };
        if context.json {
            output::json(&engine.ask(&of)?);
            return Ok(());
        }
        let ask = PrintSheet { of, format: "text".into(), ..PrintSheet::default() };
        let sheet = plans::whole(|from| engine.ask(&PrintSheet { from, ..ask.clone() }))?;
        sheet.text.lines().for_each(output::line);
        return Ok(());
    }
    let opened = engine.ask(&OpenPlan { unit, version, at_once: false })?;
    if context.json {
        let mut value = serde_json::to_value(&opened).map_err(|e| Failure::internal(e.to_string()))?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("packed");
        }
        output::json(&value);
        return Ok(());
    }
    let edits = match opened.edited {
        0 => String::new(),
        n => format!(", {} edited since", count(n, "rep")),
    };
    output::line(&format!("{}: {}{edits}; {}", output::plain(&opened.unit), opened.shown, opened.equation));
    output::table(&SUMS, &opened.reps.iter().map(sum_row).collect::<Vec<_>>());
    say_figures(&opened.figures, None);
    opened.lacks.iter().for_each(say_lack);
    Ok(())
}

const SUMS: [&str; 8] =
    ["rep", "name", "outlets", "visits", "h a week", "to mean", "km a week", "broken days"];

fn sum_row(r: &RepSum) -> Vec<String> {
    vec![
        r.rep.clone(),
        r.name.clone(),
        r.outlets.to_string(),
        r.visits.to_string(),
        format!("{:.1}", r.hours_a_week()),
        r.to_mean(),
        format!("{:.0}", r.km_a_week()),
        r.broken_days.to_string(),
    ]
}

type Figure = (&'static str, fn(&Quality) -> String);

/// What is told of a plan, and of the one before beside it.
const FIGURES: [Figure; 8] = [
    ("km a week", |q| format!("{:.0}", a_week(q.km))),
    ("hours of travel a week", |q| format!("{:.1}", a_week(q.travel_minutes / 60.0))),
    ("share of travel", |q| format!("{:.1} %", q.travel_share * 100.0)),
    ("farthest off the mean", |q| format!("{:.0} %", q.worst_off_balance * 100.0)),
    ("days within a tenth of the mean", |q| format!("{:.0} %", q.days_within_tenth * 100.0)),
    ("days with a broken rule", |q| q.broken_days.to_string()),
    ("overtime, minutes", |q| format!("{:.0}", q.overtime_minutes)),
    ("outlets not visited", |q| q.unserved.to_string()),
];

fn say_figures(q: &Quality, before: Option<&Quality>) {
    for (name, figure) in FIGURES {
        let before = before.map(|b| format!("{:>12}  >", figure(b))).unwrap_or_default();
        output::line(&format!("{name:<34}{before}{:>12}", figure(q)));
    }
}

fn say_lack(lack: &Lack) {
    output::note(&format!("{}; {}", output::plain(&lack.line()), output::plain(&lack.fix)));
}

fn lacks(context: &Context, engine: &Engine, unit: String) -> Outcome<()> {
    let lacking = engine.ask(&ListLacks { unit })?;
    if context.json {
        output::json(&lacking);
        return Ok(());
    }
    output::line(&lacking.equation);
    for lack in &lacking.items {
        output::line(&format!("{}; {}", output::plain(&lack.line()), output::plain(&lack.fix)));
        let more = lack.count.saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named: Vec<&str> = lack.named.iter().take(NAMED).map(String::as_str).collect();
        output::line(&format!("    {}{more}", output::plain(&named.join(", "))));
    }
    Ok(())
}

fn rules(context: &Context, engine: &Engine, unit: String, matches: &ArgMatches) -> Outcome<()> {
    let mut input = Input::new();
    for set in many(matches, "set") {
        let (field, value) = set
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("\"{set}\" sets nothing: hours=8h, max_stops=40")))?;
        input.insert(field.trim().to_owned(), value.trim().to_owned());
    }
    let preset = one(matches, "preset");
    let rules = match input.is_empty() && preset.is_empty() {
        true => engine.ask(&OpenPlan { unit, ..OpenPlan::default() })?.rules,
        false => engine.run(&SetPlanRules { unit, preset, input })?.reply,
    };
    if context.json {
        output::json(&rules);
    } else if rules.is_empty() {
        output::note("nothing is set: what PAMS takes by itself holds (docs/routes.md)");
    } else {
        let rows: Vec<Vec<String>> =
            rules.into_iter().map(|(name, value)| vec![name.replace('_', " "), value]).collect();
        output::table(&["rule", "value"], &rows);
    }
    Ok(())
}

fn optimise(context: &Context, engine: &Engine, unit: String, matches: &ArgMatches) -> Outcome<()> {
    let edited = one(matches, "edited");
    let ask = OptimisePlan {
        unit: unit.clone(),
        seconds: number(matches, "time-limit"),
        seed: matches.get_one::<u64>("seed").copied(),
        edited: edited.split(',').map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect(),
    };
    let begun = engine.run(&ask)?.reply;
    if !context.json {
        begun.lacks.iter().for_each(say_lack);
    }
    if flag(matches, "no-wait") {
        engine.reside();
        match context.json {
            true => output::json(&begun),
            false => output::line(&format!(
                "{}: {} for {} s in the background; `pams plan offer` says how far it is",
                output::plain(&begun.unit),
                count(begun.outlets, "outlet"),
                begun.seconds
            )),
        }
        return Ok(());
    }
    let show = flag(matches, "progress");
    engine.wait_for(begun.job, |p| {
        if show {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r{:.0} of {:.0} s\x1b[K", p.done as f64 / 1e3, p.total as f64 / 1e3);
            let _ = err.flush();
        }
    })?;
    if show {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
    let offer = engine.ask(&ShowOffer { unit })?;
    say_offer(context, &offer);
    Ok(())
}

fn say_offer(context: &Context, offer: &Offer) {
    if context.json {
        output::json(offer);
        return;
    }
    if !offer.found {
        output::line(match offer.state.as_str() {
            "waiting" => "nothing is found yet; the run waits or has just begun",
            "paused" => "nothing is found yet; the run is paused",
            _ if offer.best.ended => "the run found nothing better than what stands",
            _ => "no run yet: `pams plan optimise` starts one",
        });
        return;
    }
    let state = match offer.state.as_str() {
        "waiting" => "running",
        other => other,
    };
    output::line(&format!(
        "better plan ({state}, {} of {} s): {}",
        seconds(offer.best.spent_ms),
        seconds(offer.best.ms),
        offer.word
    ));
    say_figures(&offer.best.figures, offer.best.before.as_ref());
    if offer.best.before.is_some() {
        output::line(&format!("{:<34}{:>12}", "outlets with other rep or days", offer.best.changed));
    }
    for (code, why) in offer.best.unserved.iter().take(NAMED) {
        output::line(&format!("not visited: {}: {why}", output::plain(code)));
    }
    if offer.best.unserved.len() > NAMED {
        output::line(&format!("not visited: {} more; --json lists them", offer.best.unserved.len() - NAMED));
    }
    output::note(match offer.stale {
        true => "the plan was edited since: optimise again to keep one",
        false => "`pams plan compare` shows it beside what stands, `pams plan keep` takes it",
    });
}

fn seconds(ms: u64) -> String {
    if ms < 10_000 { format!("{:.1}", ms as f64 / 1e3) } else { (ms / 1_000).to_string() }
}

fn compare(context: &Context, engine: &Engine, unit: String, matches: &ArgMatches) -> Outcome<()> {
    let compared = engine.ask(&ComparePlans { unit, a: one(matches, "a"), b: one(matches, "b") })?;
    if context.json {
        output::json(&compared);
        return Ok(());
    }
    output::line(&format!("{}: {} > {}", output::plain(&compared.unit), compared.a, compared.b));
    say_figures(&compared.after, Some(&compared.before));
    output::line(&format!(
        "outlets: {} to another rep, {} to other days, {} elsewhere in their day, {} added, {} gone",
        compared.other_rep, compared.other_days, compared.other_place, compared.added, compared.removed
    ));
    let both = |of: fn(&RepSum) -> String, (a, b): &(RepSum, RepSum)| format!("{} > {}", of(a), of(b));
    let rows: Vec<Vec<String>> = compared
        .reps
        .iter()
        .map(|pair| {
            vec![
                pair.1.rep.clone(),
                pair.1.name.clone(),
                both(|r| r.outlets.to_string(), pair),
                both(|r| format!("{:.1}", r.hours_a_week()), pair),
                both(|r| format!("{:.0}", r.km_a_week()), pair),
                both(|r| r.broken_days.to_string(), pair),
            ]
        })
        .collect();
    output::table(&["rep", "name", "outlets", "h a week", "km a week", "broken days"], &rows);
    Ok(())
}

fn edited(
    context: &Context,
    engine: &Engine,
    unit: String,
    outlets: Vec<String>,
    edit: Edit,
    dry_run: bool,
) -> Outcome<()> {
    let mut ask = EditPlan { unit, outlets, edit, dry_run: true };
    let impact = engine.run(&ask)?.reply;
    // What breaks a rule is agreed to; what does not needs no question.
    if !dry_run && !impact.broken.is_empty() {
        say_impact(&impact);
        confirm(context, "Do it all the same?")?;
    }
    if !dry_run {
        ask.dry_run = false;
        engine.run(&ask)?;
    }
    match context.json {
        true => output::json(&impact),
        false => {
            say_impact(&impact);
            output::note(if dry_run { "nothing was changed" } else { "`pams undo` takes it back" });
        }
    }
    Ok(())
}

fn say_impact(impact: &Impact) {
    output::line(&format!("{}: {}", count(impact.outlets, "outlet"), impact.word));
    for (before, after) in &impact.reps {
        output::line(&format!(
            "  {:<20} {:.1} > {:.1} h a week, {:.0} > {:.0} km a week",
            output::plain(&after.name),
            before.hours_a_week(),
            after.hours_a_week(),
            before.km_a_week(),
            after.km_a_week()
        ));
    }
    impact.broken.iter().for_each(|line| output::line(&format!("  breaks a rule: {}", output::plain(line))));
}

fn written(context: &Context, exported: Exported, matches: &ArgMatches) -> Outcome<()> {
    match matches.get_one::<PathBuf>("out") {
        Some(out) => {
            std::fs::write(out, &exported.text).map_err(|e| {
                Failure::invalid(format!("{} cannot be written: {}", out.display(), said(&e)))
            })?;
            match context.json {
                true => output::json(&json!({ "file": out.display().to_string(), "count": exported.count })),
                false => output::note(&format!("{} into {}", exported.count, out.display())),
            }
        }
        None if context.json => output::json(&exported),
        None => {
            let _ = std::io::stdout().lock().write_all(exported.text.as_bytes());
        }
    }
    Ok(())
}
