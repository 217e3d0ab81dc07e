//! The program itself: first start, demo, settings, checks, measurements.

use crate::changes::Via;
use crate::cli::{Context, args, db, default_identity, output, prompt};
use crate::config::settings::Settings;
use crate::config::{self, Folders, Scratch};
use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::{Engine, Places};
use crate::services::records::Counts;
use crate::services::sample::{FillActivities, FillDemo};
use crate::services::setup::SetUp;
use crate::services::wins::ShowCallout;
use crate::tui::command;
use crate::tui::keys::Keymap;
use crate::tui::theme::{self, Depth, Theme};
use clap::ArgMatches;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Activities a command of the bulk filling makes.
const FILL_SLICE: u64 = 25_000;

pub fn run(context: &Context, noun: &str, matches: &ArgMatches) -> Outcome<()> {
    match (noun, matches.subcommand()) {
        ("demo", Some(("samples", matches))) => super::samples::run(context, matches),
        ("demo", _) => demo(context, matches),
        ("dev", Some(("fill", matches))) => fill(context, matches),
        ("dev", Some(("hold", _))) => super::torture::hold(context),
        ("dev", Some(("write", matches))) => super::torture::write(context, matches),
        ("dev", Some(("torture", matches))) => {
            let number = |name: &str| matches.get_one::<u64>(name).copied();
            match matches.get_one::<PathBuf>("outlets") {
                Some(file) => super::torture_outlets::run(
                    context,
                    file,
                    number("kills").unwrap_or(50),
                    number("drops").unwrap_or(20),
                    number("seed").unwrap_or(1),
                ),
                None => super::torture::run(context, matches),
            }
        }
        ("dev", Some(("bench-solver", matches))) => super::bench_solver::run(context, matches),
        ("dev", Some(("gen-unit", matches))) => super::gen_unit::generate(context, matches),
        ("dev", Some(("gen-legacy", matches))) => super::legacy::generate(context, matches),
        ("dev", Some(("bench-migration", matches))) => super::bench_migration::bench(context, matches),
        ("dev", Some(("bench-routes", matches))) => super::bench_routes::bench(context, matches),
        ("dev", Some(("torture-routes", matches))) => super::bench_routes::torture(context, matches),
        ("dev", Some(("torture-migration", matches))) => super::bench_migration::torture(context, matches),
        ("dev", Some(("bench-outlets", matches))) => super::bench_outlets::run(context, matches),
        ("dev", Some(("gen-hierarchy", matches))) => super::gen_hierarchy::run(context, matches),
        ("dev", Some(("score-mapping", matches))) => super::outlets::score_mapping(context, matches),
        ("dev", Some(("journey", matches))) => super::journey::make(context, matches),
        ("dev", Some(("load", matches))) => super::load::run(context, matches),
        ("dev", Some(("bench-sync", matches))) => super::load::offline::run(context, matches),
        ("dev", Some(("bench", matches))) => super::bench::run(context, matches),
        ("config", Some(("show", matches))) => show_config(context, matches),
        ("keys", _) => show_keys(context),
        ("theme", Some((verb, matches))) => theme(context, verb, matches),
        ("completions", _) => {
            if let Some(shell) = matches.get_one::<clap_complete::Shell>("shell") {
                clap_complete::generate(*shell, &mut args::command(), "pams", &mut std::io::stdout());
            }
            Ok(())
        }
        ("man", _) => man(matches),
        ("db", Some(("check", _))) => db::check(context),
        ("db", Some(_)) => db::compact(context),
        ("doctor", Some(_)) => db::prefetch(context),
        ("doctor", _) => db::doctor(context),
        _ => Err(Failure::usage(format!("There is no \"{noun}\""))),
    }
}

/// `pams` alone: the interface.
pub fn interface(context: &Context) -> Outcome<()> {
    if !context.plain {
        needs_terminal()?;
    }
    let settings = context.settings()?;
    let engine = context.engine(Via::Tui)?;
    ended(open(context.plain, engine, &context.folders, &settings)?)
}

/// On the whole terminal, or as lines.
fn open(plain: bool, engine: Engine, folders: &Folders, settings: &Settings) -> Outcome<i32> {
    match plain {
        true => {
            crate::tui::plain::run(&engine, folders, settings, std::io::stdin().lock(), std::io::stdout())
        }
        false => crate::tui::run(engine, folders, settings),
    }
}

fn needs_terminal() -> Outcome<()> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure::usage("The interface needs a terminal")
            .hint("`pams --help` lists the commands that scripts use"));
    }
    match std::env::var("TERM").as_deref() {
        Ok("dumb") | Ok("") | Err(_) => Err(Failure::usage(
            "This terminal (TERM is dumb or not set) cannot show the interface",
        )
        .hint(
            "Set TERM, such as TERM=xterm-256color, or use `pams --plain` or the commands of `pams --help`",
        )),
        Ok(_) => Ok(()),
    }
}

/// A session that a signal ended has its exit code.
fn ended(code: i32) -> Outcome<()> {
    if code != 0 {
        std::process::exit(code);
    }
    Ok(())
}

/// The questions of the first start, each with its default.
pub fn ask_identity(mut answers: SetUp) -> Outcome<SetUp> {
    output::note("Welcome to PAMS. Six questions, once; Enter takes what is in brackets.");
    let ask = |question: &str, default: &str| match prompt(&format!("{question} [{default}]:")) {
        Some(answer) if !answer.is_empty() => answer,
        _ => default.to_owned(),
    };
    answers.name = ask("Your name", &answers.name);
    answers.email = ask("E-mail", &answers.email);
    answers.team = ask("Team", &answers.team);
    loop {
        let zone = ask("Time zone", &answers.zone);
        match crate::domain::when::Zone::parse(&zone) {
            Ok(_) => {
                answers.zone = zone;
                break;
            }
            Err(why) => output::note(&why),
        }
    }
    loop {
        let hours = ask("Hours in a working day", &format!("{}", answers.day_minutes as f64 / 60.0));
        match crate::domain::effort::parse_effort(&format!("{}h", hours.trim_end_matches('h')), 480) {
            Ok(minutes) if minutes <= 24 * 60 => {
                answers.day_minutes = minutes;
                break;
            }
            _ => output::note("Write hours, such as 8 or 7.5"),
        }
    }
    loop {
        let currency = ask("Currency", &answers.currency);
        match crate::domain::money::Currency::parse(&currency) {
            Some(known) => {
                answers.currency = known.to_string();
                break;
            }
            None => output::note("Write a currency's three letters, such as EUR"),
        }
    }
    Ok(answers)
}

/// A throw-away profile filled with sample data. It goes with the returned scratch.
pub fn demo_engine(seed: u64, via: Via) -> Outcome<(Scratch, Context, Engine)> {
    demo_with(seed, via, |_, _| Ok(()))
}

/// The same with more that the program puts in by itself.
fn demo_with(
    seed: u64,
    via: Via,
    more: impl FnOnce(&Engine, &Path) -> Outcome<()>,
) -> Outcome<(Scratch, Context, Engine)> {
    let scratch = Scratch::new()?;
    let folders = Folders::find(Some(&scratch.0), None)?;
    let context = Context { folders, json: false, yes: false, read_only: false, plain: false };
    let filler = Engine::open(context.folders.places(), Via::Job, config::now_ms, false)?;
    let me = SetUp {
        organisation: String::new(),
        name: "Ana Duarte".into(),
        email: "ana.duarte@example.com".into(),
        team: "Presales EMEA".into(),
        ..default_identity()
    };
    filler.run(&me)?;
    filler.run(&FillDemo { seed })?;
    more(&filler, &scratch.0)?;
    drop(filler);
    let places = Places { lasting: false, ..context.folders.places() };
    let engine = Engine::open(places, via, config::now_ms, false)?;
    Ok((scratch, context, engine))
}

fn demo(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(1);
    if !matches.get_flag("check") {
        if !context.plain {
            needs_terminal()?;
        }
        let (scratch, demo, engine) = demo_with(seed, Via::Tui, super::samples::tables)?;
        let code = open(context.plain, engine, &demo.folders, &context.settings()?)?;
        drop(scratch);
        return ended(code);
    }
    let (_scratch, demo, engine) = demo_engine(seed, Via::Cli)?;
    let counts = engine.ask(&Counts {})?;
    let callout = engine.ask(&ShowCallout { month: None })?;
    drop(engine);
    let report = db::report(&demo.folders)?;
    let value = serde_json::json!({ "counts": counts, "callout": callout.text, "check": report });
    output::json(&value);
    match report.wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(FailureKind::Corrupt, "The sample store fails its check")),
    }
}

fn fill(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let total = matches.get_one::<u64>("activities").copied().unwrap_or(1_000_000);
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(1);
    let engine = context.engine(Via::Job)?;
    // Blocks in use: the file is sparse where nothing was ever written.
    let size = || {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(context.folders.places().store).map_or(0, |m| m.blocks() * 512)
    };
    let (before, start) = (size(), Instant::now());
    let mut from = 0;
    while from < total {
        let count = FILL_SLICE.min(total - from);
        engine.run(&FillActivities { from, count, total, seed })?;
        from += count;
        if !context.json && std::io::stderr().is_terminal() {
            eprint!("\r{from} of {total} ");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(engine);
    let bytes = size().saturating_sub(before);
    let value = serde_json::json!({
        "activities": total,
        "seconds": (seconds * 100.0).round() / 100.0,
        "bytes": bytes,
        "bytes_each": bytes.checked_div(total).unwrap_or(0),
    });
    output::json(&value);
    Ok(())
}

fn show_config(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let settings = context.settings()?;
    if context.json {
        output::json(&settings.values);
        return Ok(());
    }
    let origin = matches.get_flag("origin");
    let rows: Vec<Vec<String>> = settings
        .values
        .iter()
        .map(|(name, s)| {
            let mut row = vec![name.clone(), s.value.clone()];
            row.extend(origin.then(|| s.origin.clone()));
            row
        })
        .collect();
    let headers: &[&str] = if origin { &["setting", "value", "origin"] } else { &["setting", "value"] };
    output::table(headers, &rows);
    Ok(())
}

fn show_keys(context: &Context) -> Outcome<()> {
    let settings = context.settings()?;
    let keymap = Keymap::load(settings.get("keymap"), Some(&context.folders.config))?;
    let rows: Vec<[String; 4]> = keymap
        .all()
        .map(|(scope, keys, id)| {
            let title = command::find(id).map_or("", |c| c.title);
            [scope.to_owned(), keys, id.to_owned(), title.to_owned()]
        })
        .collect();
    if context.json {
        let items: Vec<_> = rows
            .iter()
            .map(|[scope, keys, id, title]| serde_json::json!({ "scope": scope, "keys": keys, "command": id, "title": title }))
            .collect();
        output::json(&serde_json::json!({ "keymap": settings.get("keymap"), "items": items }));
    } else {
        let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
        output::table(&["scope", "keys", "command", "what it does"], &rows);
    }
    Ok(())
}

fn theme(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    let settings = context.settings()?;
    if verb == "list" {
        let mut names: Vec<String> = theme::BUILT_IN.iter().map(|(n, _)| (*n).to_owned()).collect();
        let own = std::fs::read_dir(context.folders.config.join("themes")).into_iter().flatten().flatten();
        names.extend(own.filter_map(|f| f.path().file_stem().map(|n| n.to_string_lossy().into_owned())));
        names.sort();
        names.dedup();
        if context.json {
            output::json(&serde_json::json!({ "items": names, "current": settings.get("theme") }));
        } else {
            names.iter().for_each(|n| {
                output::line(&format!("{} {n}", if n == settings.get("theme") { "*" } else { " " }))
            });
        }
        return Ok(());
    }
    let name = matches.get_one::<String>("name").cloned().unwrap_or_else(|| settings.get("theme").to_owned());
    let theme = Theme::load(&name, Some(&context.folders.config), Depth::True)?;
    let rows: Vec<Vec<String>> =
        theme.ids().map(|id| vec![id.to_owned(), theme::say(theme.get(id))]).collect();
    if context.json {
        let map: serde_json::Map<_, _> =
            rows.into_iter().map(|r| (r[0].clone(), r[1].clone().into())).collect();
        output::json(&serde_json::json!({ "name": theme.name, "styles": map }));
    } else {
        output::table(&["style", "is"], &rows);
    }
    Ok(())
}

fn man(matches: &ArgMatches) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::internal(format!("The manual cannot be written: {}", said(&e)));
    match matches.get_one::<PathBuf>("out") {
        None => clap_mangen::Man::new(args::command()).render(&mut std::io::stdout()).map_err(failed),
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(failed)?;
            clap_mangen::generate_to(args::command(), folder).map_err(failed)
        }
    }
}
