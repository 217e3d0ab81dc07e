//! `pams activity …` and `pams log`.

use crate::cli::{Context, confirm, output, record};
use crate::domain::failure::said;
use crate::domain::schema::Kind;
use crate::domain::when::{Month, Toward, parse_date};
use crate::domain::{Failure, Outcome};
use crate::engine::{Engine, export};
use crate::services::activities::{DeleteMany, ListActivities, LogLine, ReadLine, SumMonth, Which};
use crate::services::records::{Save, Show};
use crate::services::setup::WhoAmI;
use crate::services::show::Item;
use clap::ArgMatches;
use std::io::Write;
use std::path::PathBuf;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let engine = context.cli()?;
    let which = || matches.get_one::<String>("id").cloned().unwrap_or_default();
    match verb {
        "add" => {
            let save = Save {
                kind: Kind::Activity,
                id: None,
                input: with_effort(matches)?,
                seen_rev: None,
                ack: acknowledged(matches),
            };
            record::saved(context, "logged", &engine.run(&save)?.reply);
        }
        "edit" => {
            let shown = engine.ask(&Show { kind: Kind::Activity, which: which() })?;
            let save = Save {
                kind: Kind::Activity,
                id: Some(shown.item.id),
                input: with_effort(matches)?,
                seen_rev: Some(shown.item.rev),
                ack: acknowledged(matches),
            };
            record::saved(context, "changed", &engine.run(&save)?.reply);
        }
        "list" => list(context, &engine, matches)?,
        "export" => export(context, &engine, matches)?,
        "show" => {
            let shown = engine.ask(&Show { kind: Kind::Activity, which: which() })?;
            if context.json { output::json(&shown.item) } else { output::item(&shown.item) }
        }
        "delete" => {
            let which: Vec<String> =
                matches.get_many::<String>("id").into_iter().flatten().cloned().collect();
            let receipt = engine.run(&DeleteMany { which: Which::Named(which) })?;
            if context.json {
                output::json(&serde_json::json!({ "deleted": receipt.reply, "txn": receipt.txn }));
            } else {
                output::line(&format!("deleted {}; `pams undo` brings back", receipt.reply));
            }
        }
        "sum" => sum(context, &engine, matches)?,
        other => return Err(Failure::usage(format!("There is no \"{other}\""))),
    }
    Ok(())
}

/// The fields on the line, with `--hours` and `--days` as effort.
fn with_effort(matches: &ArgMatches) -> Outcome<crate::services::input::Input> {
    let mut input = record::input(Kind::Activity, matches);
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let effort = match (given("hours"), given("days")) {
        (Some(_), Some(_)) => return Err(Failure::usage("Give the effort once: --hours or --days")),
        (Some(hours), None) => Some(effort_of(&hours, 'h', "hours, such as 3 or 1.5")?),
        (None, Some(days)) => Some(effort_of(&days, 'd', "days, such as 2 or 0.5")?),
        (None, None) => None,
    };
    if let Some(effort) = effort {
        input.insert("effort".into(), effort);
    }
    Ok(input)
}

/// A number of hours or days as an effort; empty empties it.
fn effort_of(number: &str, unit: char, what: &str) -> Outcome<String> {
    let number = number.trim().trim_end_matches(unit);
    match number.replace(',', ".").parse::<f64>() {
        Ok(_) => Ok(format!("{number}{unit}")),
        Err(_) if number.is_empty() => Ok(String::new()),
        Err(_) => Err(Failure::usage(format!("\"{number}\" is not a number of {what}"))),
    }
}

pub fn acknowledged(matches: &ArgMatches) -> Vec<String> {
    let mut ack = Vec::new();
    let said = |flag: &str| matches.try_get_one::<bool>(flag).ok().flatten().copied().unwrap_or(false);
    if said("allow-empty-effort") {
        ack.push("ACT-02".to_owned());
    }
    if said("allow-future") {
        ack.extend(["ACT-01".to_owned(), "WIN-03".to_owned()]);
    }
    ack
}

pub fn month(matches: &ArgMatches) -> Outcome<Option<Month>> {
    match matches.get_one::<String>("month") {
        Some(text) => Month::parse(text).map(Some).map_err(Failure::usage),
        None => Ok(None),
    }
}

fn query(engine: &Engine, matches: &ArgMatches) -> Outcome<ListActivities> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let at = match text("at") {
        Some(day) => {
            let today = engine.ask(&WhoAmI {})?.today;
            Some(parse_date(&day, today, Toward::Past).map_err(Failure::usage)?)
        }
        None => None,
    };
    Ok(ListActivities {
        month: month(matches)?,
        owner: text("owner").unwrap_or_else(|| "me".into()),
        account: text("account"),
        project: text("project"),
        filter: text("filter"),
        oldest_first: matches.get_flag("oldest-first"),
        at,
        ..ListActivities::default()
    })
}

fn list(context: &Context, engine: &Engine, matches: &ArgMatches) -> Outcome<()> {
    let limit = matches.get_one::<usize>("limit").copied().unwrap_or(200);
    let cursor = matches.get_one::<String>("cursor").cloned();
    let page = engine.ask(&ListActivities { limit, cursor, ..query(engine, matches)? })?;
    if context.json {
        output::json(&page);
        return Ok(());
    }
    if page.items.is_empty() {
        output::note("No activities here; log one with `pams log \"demo ACCOUNT 3h first talk\"`");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
    output::table(&["id", "date", "type", "account / project", "effort", "use cases", "summary"], &rows);
    if let Some(next) = page.next {
        output::note(&format!("more:  --cursor {next}"));
    }
    Ok(())
}

/// The account with the project behind a slash.
pub fn where_at(item: &Item) -> String {
    match (item.text("account"), item.text("project")) {
        (account, project) if project.is_empty() => account,
        (account, project) => format!("{account} / {project}"),
    }
}

fn row(item: &Item) -> Vec<String> {
    let effort = item.text("effort_text");
    vec![
        item.id.short(),
        item.text("date"),
        item.text("type"),
        where_at(item),
        if effort.is_empty() { "-".into() } else { effort },
        item.text("use_cases"),
        item.text("summary"),
    ]
}

fn export(context: &Context, engine: &Engine, matches: &ArgMatches) -> Outcome<()> {
    let path = matches.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    let failed =
        |e: std::io::Error| Failure::internal(format!("{} cannot be written: {}", path.display(), said(&e)));
    let to_stdout = path.as_os_str() == "-";
    if !to_stdout && path.exists() {
        confirm(context, &format!("There is a file {} already. Write over it?", path.display()))?;
    }
    let out: Box<dyn Write> = match to_stdout {
        true => Box::new(std::io::stdout().lock()),
        false => Box::new(std::fs::File::create(&path).map_err(failed)?),
    };
    let rows = export::write(engine, &query(engine, matches)?, export::delimiter(&path), out)?;
    if context.json && !to_stdout {
        output::json(&serde_json::json!({ "rows": rows, "file": path }));
    } else {
        output::note(&format!("{rows} activities written"));
    }
    Ok(())
}

fn sum(context: &Context, engine: &Engine, matches: &ArgMatches) -> Outcome<()> {
    let me = engine.ask(&WhoAmI {})?;
    let month = month(matches)?.unwrap_or_else(|| Month::of(me.today));
    let owner = matches.get_one::<String>("owner").cloned().unwrap_or_else(|| "me".into());
    let sum = engine.ask(&SumMonth { month, owner })?;
    if context.json {
        output::json(&sum);
        return Ok(());
    }
    let days = |minutes| crate::domain::effort::show_days(minutes, me.day_minutes);
    output::line(&format!(
        "{}: {}, {} activities, {} accounts",
        month.long(),
        days(sum.minutes),
        sum.activities,
        sum.accounts
    ));
    let rows: Vec<Vec<String>> = sum
        .by_type
        .iter()
        .map(|(name, minutes, count)| vec![name.clone(), days(*minutes), count.to_string()])
        .collect();
    output::table(&["type", "days", "activities"], &rows);
    if !sum.not_logged.is_empty() {
        let days: Vec<String> = sum.not_logged.iter().map(|d| crate::domain::when::show_day(*d)).collect();
        output::line(&format!("not logged: {}", days.join(", ")));
    }
    Ok(())
}

pub fn log(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let words: Vec<&str> =
        matches.get_many::<String>("line").into_iter().flatten().map(String::as_str).collect();
    let line = words.join(" ");
    let engine = context.cli()?;
    if matches.get_flag("dry-run") {
        let read = engine.ask(&ReadLine { line })?;
        if context.json {
            output::json(&read);
        } else {
            output::line(&read.echo.join(" | "));
        }
        return Ok(());
    }
    let mut ack = vec![];
    if matches.get_flag("allow-empty-effort") {
        ack.push("ACT-02".to_owned());
    }
    let receipt = engine.run(&LogLine { line, ack })?;
    let logged = receipt.reply;
    if context.json {
        let items: Vec<_> = logged.saved.iter().map(|s| &s.item).collect();
        let first = logged.saved.first();
        let value = serde_json::json!({
            "id": first.map(|s| s.item.id),
            "txn": receipt.txn,
            "items": items,
            "echo": logged.echo,
            "notes": first.map(|s| s.notes.clone()).unwrap_or_default(),
        });
        output::json(&value);
        return Ok(());
    }
    for saved in &logged.saved {
        record::saved(context, "logged", saved);
    }
    output::note(&format!("note:  {}", logged.echo.join(" | ")));
    Ok(())
}
