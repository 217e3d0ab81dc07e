//! `pams migration …`: the steps of a migration, and its rehearsal on a copy.

mod rehearse;

use crate::cli::{Context, confirm, imports, outlets, output};
use crate::domain::effort::parse_effort;
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::services::imports::uploads::Source;
use crate::services::imports::{Options, StartReview, Target};
use crate::services::input::Input;
use crate::services::migration::{
    ChooseRows, ConfirmMonths, CountMigration, Counted, DropStubs, FinishMigration, ListLegacyNames,
    ListMigrations, ListStubs, MakeStubs, MonthTally, NameLegacy, PromoteMonth, ReopenMonths, RollBackMonth,
    Rules, SetRules, ShowMonth, Stepped, Stub, What,
};
use clap::ArgMatches;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "load" => return load(context, matches),
        "rehearse" => return rehearse::run(context, matches),
        _ => {}
    }
    let engine = context.cli()?;
    let which = match verb {
        "list" | "name" => String::new(),
        _ => one(matches, "batch"),
    };
    match verb {
        "list" => list(context, &engine, matches.get_flag("all")),
        "counts" => counts(context, &engine, which, matches),
        "show" => show(context, &engine, which, matches),
        "names" => names(context, &engine, which),
        "name" => {
            let name = NameLegacy {
                scope: one(matches, "scope"),
                raw: one(matches, "raw"),
                who: one(matches, "who"),
            };
            let who = engine.run(&name)?.reply;
            match context.json {
                true => output::json(&serde_json::json!({ "scope": name.scope, "raw": name.raw, "is": who })),
                false if who.is_empty() => output::line(&format!("{} is left out", name.raw)),
                false => output::line(&format!("{} is {who}", name.raw)),
            }
            Ok(())
        }
        "stubs" => stubs(context, &engine, which, matches),
        "rules" => rules(context, &engine, which, matches),
        "choose" => choose(context, &engine, which, matches),
        "confirm" => {
            let months = months(matches)?;
            let ask = ConfirmMonths { which, months, agreed: context.yes };
            steps(context, &engine.run(&ask)?.reply)
        }
        "reopen" => steps(context, &engine.run(&ReopenMonths { which, months: months(matches)? })?.reply),
        "promote" => promote(context, &engine, which, matches),
        "rollback" => rollback(context, &engine, which, matches),
        "checklist" => checklist(context, &engine, which),
        _ => finish(context, &engine, which),
    }
}

fn one(matches: &ArgMatches, name: &str) -> String {
    matches.try_get_one::<String>(name).ok().flatten().cloned().unwrap_or_default()
}

fn load(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let source = source(&file, matches)?;
    let engine = context.cli()?;
    let start = StartReview { target: Target::Activities, source, options: Options::default() };
    let started = engine.run(&start)?.reply;
    imports::finish(context, &engine, started, matches.get_flag("dry-run"), matches.get_flag("review"))?;
    if !context.json && !matches.get_flag("dry-run") && !matches.get_flag("review") {
        output::note("drafts only, nothing is live yet: `pams migration counts`, or 4 in the interface");
    }
    Ok(())
}

fn source(file: &std::path::Path, matches: &ArgMatches) -> Outcome<Source> {
    let path = std::fs::canonicalize(file).map_err(crate::intake::bulk::source::unreadable(file))?;
    let said = outlets::told(&path, Kind::Activity, matches)?;
    Ok(Source::Path { path, said: Box::new(said) })
}

fn list(context: &Context, engine: &Engine, all: bool) -> Outcome<()> {
    let found = engine.ask(&ListMigrations { all })?;
    if context.json {
        output::json(&serde_json::json!({ "items": found }));
    } else if found.is_empty() {
        output::note("nothing is loaded; `pams migration load FILE` takes a file in as drafts");
    } else {
        let row = |l: &crate::services::migration::Loaded| {
            vec![
                l.id.short(),
                l.file.clone(),
                l.rows.to_string(),
                l.state.clone(),
                l.by.clone(),
                l.at.clone(),
            ]
        };
        output::table(
            &["id", "file", "rows", "state", "by", "loaded"],
            &found.iter().map(row).collect::<Vec<_>>(),
        );
    }
    Ok(())
}

fn counts(context: &Context, engine: &Engine, which: String, matches: &ArgMatches) -> Outcome<()> {
    let month = match one(matches, "month").as_str() {
        "" => None,
        text => Some(Month::parse(text).map_err(Failure::usage)?),
    };
    let counted = engine.ask(&CountMigration { which, compare: !matches.get_flag("fast"), month })?;
    if context.json {
        output::json(&counted);
        return Ok(());
    }
    let pairs = |all: &[(String, usize)], what: &str| {
        let rows: Vec<Vec<String>> = all.iter().map(|(n, rows)| vec![n.clone(), rows.to_string()]).collect();
        output::table(&[what, "drafts"], &rows);
    };
    match one(matches, "by").as_str() {
        "owner" => pairs(&counted.owners, "owner"),
        "type" => pairs(&counted.types, "type"),
        "issue" => {
            let mut all: Vec<(String, usize)> = counted.total.lacks.clone().into_iter().collect();
            all.push(("like live ones".into(), counted.total.near));
            all.extend(counted.faults.iter().map(|(code, rows)| {
                let label = crate::intake::rules::find(code).map_or("", |rule| rule.label);
                (format!("{code} {label}"), *rows)
            }));
            all.retain(|(_, rows)| *rows > 0);
            pairs(&all, "issue");
        }
        _ => {
            let row = |m: &MonthTally| {
                let why: Vec<String> = m.lacks.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
                let numbers =
                    [m.rows, m.drafts, m.ready, m.waits, m.near, m.same + m.repeats, m.promoted, m.merged];
                let mut row = vec![m.month.clone(), m.state.clone()];
                row.extend(numbers.map(|n| n.to_string()));
                row.extend([m.rejected.to_string(), why.join(", ")]);
                row
            };
            let header = [
                "month",
                "state",
                "rows",
                "drafts",
                "ready",
                "waits",
                "near",
                "same",
                "promoted",
                "merged",
                "rejected",
                "why they wait",
            ];
            output::table(&header, &counted.months.iter().map(row).collect::<Vec<_>>());
        }
    }
    output::note(&counted.equation);
    Ok(())
}

fn show(context: &Context, engine: &Engine, which: String, matches: &ArgMatches) -> Outcome<()> {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(0) as usize;
    let month = one(matches, "month");
    Month::parse(&month).map_err(Failure::usage)?;
    let shown = engine.ask(&ShowMonth {
        which,
        month,
        issue: one(matches, "issue"),
        text: one(matches, "text"),
        from: number("from"),
        limit: number("limit"),
    })?;
    if context.json {
        output::json(&shown);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = shown
        .rows
        .iter()
        .map(|r| {
            let said = |name: &str, scope: usize| match r.item.text(name) {
                text if text.is_empty() && !r.raw[scope].is_empty() => format!("{} ?", r.raw[scope]),
                text => text,
            };
            vec![
                r.row.to_string(),
                r.verdict.clone(),
                r.item.text("date"),
                said("owner", 0),
                said("type", 3),
                said("account", 1),
                r.item.text("effort_text"),
                r.item.text("summary"),
                r.why.clone(),
            ]
        })
        .collect();
    output::table(&["row", "is", "day", "owner", "type", "account", "effort", "summary", ""], &rows);
    for row in shown.rows.iter().filter(|r| matches!(r.verdict.as_str(), "near" | "merges")) {
        for (name, [legacy, live, will]) in &row.fields {
            let will = if will == live || will == legacy { String::new() } else { format!(" -> {will}") };
            output::note(&format!("row {} {name}: file \"{legacy}\", live \"{live}\"{will}", row.row));
        }
    }
    if shown.total > shown.rows.len() {
        output::note(&format!("{} of {} rows; --from and --limit show more", shown.rows.len(), shown.total));
    }
    Ok(())
}

fn names(context: &Context, engine: &Engine, which: String) -> Outcome<()> {
    let found = engine.ask(&ListLegacyNames { which })?;
    if context.json {
        output::json(&serde_json::json!({ "items": found }));
    } else if found.is_empty() {
        output::note("every owner, account, project, type and use case is known");
    } else {
        let row = |n: &crate::services::migration::LegacyName| {
            vec![n.scope.clone(), n.raw.clone(), n.rows.to_string(), n.near.join(", ")]
        };
        output::table(&["what", "text", "rows", "perhaps"], &found.iter().map(row).collect::<Vec<_>>());
    }
    Ok(())
}

fn stubs(context: &Context, engine: &Engine, which: String, matches: &ArgMatches) -> Outcome<()> {
    let scopes: Vec<String> = matches.get_many("scope").into_iter().flatten().cloned().collect();
    let (found, word) = match (matches.get_flag("make"), matches.get_flag("drop")) {
        (true, true) => return Err(Failure::usage("Make them or drop them?")),
        (true, false) => (engine.run(&MakeStubs { which, scopes })?.reply, "made"),
        (false, true) => (engine.run(&DropStubs { which })?.reply, "dropped"),
        (false, false) => (engine.ask(&ListStubs { which })?, "made by this load"),
    };
    if context.json {
        output::json(&serde_json::json!({ "items": found }));
        return Ok(());
    }
    let row = |s: &Stub| vec![s.kind.name().into(), s.name.clone(), s.id.short()];
    output::table(&["kind", "name", "id"], &found.iter().map(row).collect::<Vec<_>>());
    output::note(&format!("{} {word}", found.len()));
    Ok(())
}

fn rules(context: &Context, engine: &Engine, which: String, matches: &ArgMatches) -> Outcome<()> {
    let was = engine.ask(&CountMigration { which: which.clone(), compare: false, month: None })?.rules;
    let mut rules = was.clone();
    if let Some(rule) = matches.get_one::<String>("duplicates") {
        rules.duplicates.clone_from(rule);
    }
    if let Some(yes) = matches.get_one::<String>("overwrite") {
        rules.overwrite = yes == "yes";
    }
    if let Some(effort) = matches.get_one::<String>("effort") {
        let day = engine.ask(&crate::services::setup::WhoAmI {})?.day_minutes;
        rules.effort = match effort.as_str() {
            "-" => None,
            text => Some(parse_effort(text, day).map_err(Failure::usage)?),
        };
    }
    if rules != was {
        engine.run(&SetRules { which, rules: rules.clone() })?;
    }
    if context.json {
        output::json(&rules);
        return Ok(());
    }
    let Rules { duplicates, overwrite, effort } = rules;
    let effort = effort.map_or("-".into(), crate::domain::effort::show_effort);
    let overwrite = if overwrite { "yes" } else { "no" };
    output::table(
        &["rule", "is"],
        &[
            vec!["duplicates".into(), duplicates],
            vec!["overwrite".into(), overwrite.into()],
            vec!["effort".into(), effort],
        ],
    );
    Ok(())
}

fn choose(context: &Context, engine: &Engine, which: String, matches: &ArgMatches) -> Outcome<()> {
    let pairs = |name: &str| -> Outcome<BTreeMap<String, String>> {
        let all = matches.get_many::<String>(name).into_iter().flatten();
        all.map(|pair| {
            let (field, value) =
                pair.split_once('=').ok_or_else(|| Failure::usage(format!("\"{pair}\" is not FIELD=…")))?;
            Ok((field.trim().replace(['-', ' '], "_"), value.trim().to_owned()))
        })
        .collect()
    };
    let month = Month::parse(&one(matches, "month")).map_err(Failure::usage)?;
    let (sides, input): (_, Input) = (pairs("side")?, pairs("set")?);
    let what = match one(matches, "as").as_str() {
        "new" => What::New,
        "merge" => What::Merge,
        "reject" => What::Reject,
        "" if !sides.is_empty() => What::Merge,
        "" if input.is_empty() => return Err(Failure::usage("Choose what? Say --as, --side or --set")),
        _ => What::Rules,
    };
    let rows: Vec<usize> = matches.get_many("row").into_iter().flatten().copied().collect();
    let issue = one(matches, "issue");
    if rows.is_empty() && issue.is_empty() {
        return Err(Failure::usage("Which rows? Say --row N or --issue WHAT"));
    }
    let chosen = engine.run(&ChooseRows { which, month, rows, issue, what, sides, input })?.reply;
    match context.json {
        true => output::json(&serde_json::json!({ "rows": chosen })),
        false => output::line(&crate::domain::text::count(chosen, "row")),
    }
    Ok(())
}

/// Months that are said; none for all.
fn months(matches: &ArgMatches) -> Outcome<Vec<Month>> {
    let said = matches.get_many::<String>("month").into_iter().flatten();
    let months: Vec<Month> =
        said.map(|text| Month::parse(text).map_err(Failure::usage)).collect::<Outcome<_>>()?;
    match (months.is_empty(), matches.get_flag("all")) {
        (true, false) => Err(Failure::usage("Which months? Say some, or --all")),
        (false, true) => Err(Failure::usage("Some months, or all of them?")),
        _ => Ok(months),
    }
}

/// What steps did, month by month.
fn steps(context: &Context, done: &[Stepped]) -> Outcome<()> {
    if context.json {
        let sum = |of: fn(&Stepped) -> usize| done.iter().map(of).sum::<usize>();
        output::json(&serde_json::json!({
            "items": done,
            "changed": done.iter().filter(|s| s.changed).count(),
            "promoted": sum(|s| s.promoted),
            "merged": sum(|s| s.merged),
            "kept": sum(|s| s.kept),
            "rejected": sum(|s| s.rejected),
            "drafted": sum(|s| s.drafted),
        }));
        return Ok(());
    }
    let row = |s: &Stepped| {
        let numbers = [s.promoted, s.merged, s.kept, s.rejected].map(|n| n.to_string());
        let note = match (s.changed, s.drafted) {
            (false, _) => "nothing to do".to_owned(),
            (true, 0) => String::new(),
            (true, n) => format!("{n} changed since: see Drafts"),
        };
        let mut row = vec![s.month.clone(), s.state.clone()];
        row.extend(numbers);
        row.push(note);
        row
    };
    let header = ["month", "state", "promoted", "merged", "drafts", "rejected", ""];
    output::table(&header, &done.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// The months that are said, or all of a state.
fn meant(
    engine: &Engine,
    which: &str,
    matches: &ArgMatches,
    fits: impl Fn(&MonthTally) -> bool,
) -> Outcome<(Counted, Vec<Month>)> {
    let said = months(matches)?;
    let counted = engine.ask(&CountMigration { which: which.to_owned(), compare: false, month: None })?;
    let all = counted.months.iter().filter(|m| fits(m)).filter_map(|m| Month::parse(&m.month).ok());
    let meant = if said.is_empty() { all.collect() } else { said };
    Ok((counted, meant))
}

fn promote(context: &Context, engine: &Engine, which: String, matches: &ArgMatches) -> Outcome<()> {
    let (_, months) = meant(engine, &which, matches, |m| m.state == "confirmed")?;
    if months.is_empty() {
        output::note("no month is confirmed: `pams migration confirm` agrees to one");
    }
    let mut done = Vec::new();
    for month in months {
        done.push(engine.run(&PromoteMonth { which: which.clone(), month })?.reply);
    }
    steps(context, &done)
}

fn rollback(context: &Context, engine: &Engine, which: String, matches: &ArgMatches) -> Outcome<()> {
    let all = matches.get_flag("all");
    let (counted, months) = meant(engine, &which, matches, |m| m.promoted + m.merged > 0)?;
    let question = format!(
        "Take {} of {} back?",
        crate::domain::text::count(months.len(), "promoted month"),
        counted.loaded.file
    );
    if all && !months.is_empty() {
        confirm(context, &question)?;
    }
    let mut done = Vec::new();
    for month in months {
        done.push(engine.run(&RollBackMonth { which: which.clone(), month })?.reply);
    }
    if all {
        let dropped = engine.run(&DropStubs { which })?.reply;
        if !dropped.is_empty() {
            output::note(&format!("{} records made of texts taken away", dropped.len()));
        }
    }
    steps(context, &done)
}

/// A step of the runbook and whether it is done.
#[derive(serde::Serialize)]
struct Item {
    step: &'static str,
    done: bool,
    said: String,
    command: &'static str,
    back: &'static str,
}

fn checklist(context: &Context, engine: &Engine, which: String) -> Outcome<()> {
    let counted = match engine.ask(&CountMigration { which: which.clone(), compare: true, month: None }) {
        Err(failure) if failure.kind == crate::domain::FailureKind::NotFound && which.is_empty() => None,
        counted => Some(counted?),
    };
    let unknown = match &counted {
        Some(_) => engine.ask(&ListLegacyNames { which })?.len(),
        None => 0,
    };
    let c = counted.unwrap_or_default();
    let (loaded, t) = (!c.loaded.file.is_empty(), &c.total);
    let months = c.months.len();
    let of = |state: &[&str]| c.months.iter().filter(|m| state.contains(&m.state.as_str())).count();
    let item =
        |step, done, said: String, command, back| Item { step, done: done && loaded, said, command, back };
    let items = [
        item("load", true, c.loaded.file.clone(), "pams migration load FILE", "pams undo"),
        item(
            "names",
            unknown == 0,
            format!("{unknown} texts nobody knows"),
            "pams migration names",
            "pams undo",
        ),
        item(
            "completed",
            t.waits == 0,
            format!("{} rows wait", t.waits),
            "pams migration counts --by issue",
            "pams undo",
        ),
        item(
            "duplicates",
            t.near == 0,
            format!("{} rows like live ones", t.near),
            "pams migration show MONTH --issue near",
            "pams undo",
        ),
        item(
            "confirmed",
            of(&["confirmed", "promoted"]) == months,
            format!("{} of {months} months", of(&["confirmed", "promoted"])),
            "pams migration confirm --all",
            "pams migration reopen --all",
        ),
        item(
            "promoted",
            of(&["promoted"]) == months,
            format!("{} of {months} months, {} activities", of(&["promoted"]), t.promoted),
            "pams migration promote --all",
            "pams migration rollback --all",
        ),
        item(
            "settled",
            t.drafts == 0,
            format!("{} drafts left", t.drafts),
            "pams migration counts",
            "pams migration rollback --all",
        ),
        item(
            "finished",
            c.loaded.state == "finished",
            c.loaded.state.clone(),
            "pams migration finish",
            "pams undo",
        ),
    ];
    if context.json {
        let gaps = items.iter().filter(|i| !i.done).count();
        output::json(&serde_json::json!({ "items": items, "gaps": gaps, "equation": c.equation }));
        return Ok(());
    }
    let row = |(n, i): (usize, &Item)| {
        let tick = if i.done { "[x]" } else { "[ ]" };
        vec![
            format!("{}", n + 1),
            tick.into(),
            i.step.into(),
            i.said.clone(),
            i.command.into(),
            i.back.into(),
        ]
    };
    output::table(
        &["", "", "step", "stands at", "with", "taken back with"],
        &items.iter().enumerate().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

fn finish(context: &Context, engine: &Engine, which: String) -> Outcome<()> {
    let ask = FinishMigration { which, agreed: context.yes };
    let batch = engine.run(&ask)?.reply;
    match context.json {
        true => output::json(&serde_json::json!({ "batch": batch, "state": "finished" })),
        false => output::line("finished: the rows are put away, the activities stay"),
    }
    Ok(())
}
