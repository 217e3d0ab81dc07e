//! The command line: one file a noun. Output is data, errors are talk; `--json` on
//! everything that reads.

mod activity;
mod admin;
mod args;
mod backup;
mod bench;
mod bench_home;
mod bench_migration;
mod bench_outlets;
mod bench_routes;
mod bench_solver;
mod connect;
mod db;
mod drafts;
mod gen_hierarchy;
mod gen_unit;
mod imports;
mod jobs;
mod journey;
mod legacy;
mod load;
mod migration;
mod note;
mod notices;
mod outlets;
mod output;
mod plan;
mod record;
mod remote;
mod reviews;
mod samples;
mod serve;
mod solve;
mod territory;
mod torture;
mod torture_outlets;
mod watch;
mod wins;

use crate::changes::Via;
use crate::config::{self, Folders, settings};
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::services::setup::{SetUp, WhoAmI};
use clap::ArgMatches;
use std::io::{IsTerminal, Write};

pub use args::command;

/// What every subcommand needs.
#[derive(Clone)]
pub struct Context {
    pub folders: Folders,
    pub json: bool,
    pub yes: bool,
    pub read_only: bool,
    /// The interface as lines of text.
    pub plain: bool,
}

impl Context {
    /// The profile's engine, set up on the first start.
    pub fn engine(&self, via: Via) -> Outcome<Engine> {
        let engine = Engine::open(self.folders.places(), via, config::now_ms, self.read_only)?;
        let me = engine.ask(&WhoAmI {})?;
        if !me.clock.is_empty() && via != Via::Tui {
            output::note(&format!("warning: {}", me.clock));
        }
        if !me.set_up {
            let answers = if via == Via::Tui || (std::io::stdin().is_terminal() && !self.json && !self.yes) {
                admin::ask_identity(default_identity())?
            } else {
                default_identity()
            };
            engine.run(&answers)?;
        }
        Ok(engine)
    }

    pub fn cli(&self) -> Outcome<Engine> {
        self.engine(Via::Cli)
    }

    pub fn settings(&self) -> Outcome<settings::Settings> {
        settings::Settings::load(&self.folders)
    }
}

/// What the first start takes without a terminal.
pub fn default_identity() -> SetUp {
    let (name, email) = config::system_user();
    SetUp {
        organisation: String::new(),
        name,
        email,
        team: String::new(),
        zone: config::system_zone(),
        day_minutes: 480,
        currency: "EUR".into(),
    }
}

/// Runs the program and returns its exit code.
pub fn main() -> i32 {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are answers, not errors.
            if error.exit_code() != 0 && std::env::args().any(|word| word == "--json") {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                output::failure(&Failure::usage(first).hint("Try --help"), true);
            } else {
                let _ = error.print();
            }
            return error.exit_code();
        }
    };
    let json = matches.get_flag("json") || matches.subcommand().is_some_and(|(_, m)| deep_json(m));
    // A fault inside is told in a sentence; its trace is for `RUST_BACKTRACE`.
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let ran =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&matches, json))).unwrap_or_else(|_| {
            let file = match config::crash::written() {
                Some(path) => format!("Please report it with {}. ", path.display()),
                None => String::new(),
            };
            Err(Failure::new(
                FailureKind::Corrupt,
                "PAMS stopped on a fault of its own; your data is safe: what was saved is on disk",
            )
            .hint(format!(
                "{file}If it happens again, the store may be damaged: `pams db check`, then restore a backup"
            )))
        });
    match ran {
        Ok(()) => 0,
        Err(failure) => {
            output::failure(&failure, json);
            failure.exit_code()
        }
    }
}

/// `--json` is global, but clap reports it where it was written.
fn deep_json(matches: &ArgMatches) -> bool {
    matches.try_get_one::<bool>("json").ok().flatten().copied().unwrap_or(false)
        || matches.subcommand().is_some_and(|(_, m)| deep_json(m))
}

fn run(matches: &ArgMatches, json: bool) -> Outcome<()> {
    let home = matches.get_one::<std::path::PathBuf>("home").cloned();
    let profile = matches.get_one::<String>("profile").map(String::as_str);
    let context = Context {
        folders: Folders::find(home.as_deref(), profile)?,
        json,
        yes: matches.get_flag("yes"),
        read_only: matches.get_flag("read-only"),
        plain: matches.get_flag("plain"),
    };
    config::crash::keep_faults(context.folders.state.clone());
    let Some((noun, matches)) = matches.subcommand() else { return admin::interface(&context) };
    match noun {
        "activity" => activity::run(&context, matches),
        "log" => activity::log(&context, matches),
        "wins" => wins::run(&context, matches),
        "import" => reviews::run(&context, matches),
        "outlets" => match matches.subcommand() {
            Some((verb, matches)) => outlets::run(&context, verb, matches),
            None => Ok(()),
        },
        "territory" | "snapshot" => match matches.subcommand() {
            Some((verb, matches)) if noun == "territory" => territory::run(&context, verb, matches),
            Some((verb, matches)) => territory::snapshot(&context, verb, matches),
            None => Ok(()),
        },
        "migration" => match matches.subcommand() {
            Some((verb, matches)) => migration::run(&context, verb, matches),
            None => Ok(()),
        },
        "plan" => match matches.subcommand() {
            Some((verb, matches)) => plan::run(&context, verb, matches),
            None => Ok(()),
        },
        "route" => match matches.subcommand() {
            Some((_, matches)) => plan::route(&context, matches),
            None => Ok(()),
        },
        "backup" => match matches.subcommand() {
            Some((verb, matches)) => backup::run(&context, verb, matches),
            None => Ok(()),
        },
        "init" => serve::init(&context, matches),
        "serve" => serve::serve(&context, matches),
        "session" => match matches.subcommand() {
            Some((verb, matches)) => serve::session(&context, verb, matches),
            None => Ok(()),
        },
        "login" | "logout" | "whoami" | "sync" | "remote" | "trust" | "version" => {
            remote::run(&context, noun, matches)
        }
        "api" => {
            output::json(&crate::server::openapi::whole());
            Ok(())
        }
        "connect" => match matches.subcommand() {
            Some((verb, matches)) => connect::run(&context, verb, matches),
            None => Ok(()),
        },
        "jobs" => jobs::run(&context, matches),
        "job-resident" => {
            let path = |name: &str| matches.get_one::<std::path::PathBuf>(name).cloned().unwrap_or_default();
            let workers = crate::jobs::Workers::Process(config::program());
            let (store, socket) = (path("store"), path("socket"));
            let places = crate::engine::Places { store, socket, workers, lasting: true };
            crate::engine::resident::stay(places, config::now_ms)
        }
        "job-worker" => crate::jobs::serve(crate::services::jobs::work),
        "solve" => solve::run(&context, matches),
        "note" => match matches.subcommand() {
            Some((_, matches)) => note::import(&context, matches),
            None => Ok(()),
        },
        "notices" => notices::run(&context, matches),
        "drafts" => drafts::run(&context, matches),
        "undo" | "redo" | "history" | "recent" => drafts::time(&context, noun, matches),
        noun if crate::domain::Kind::parse(noun).is_some() => record::run(&context, noun, matches),
        noun => admin::run(&context, noun, matches),
    }
}

/// One line from a person; `None` without a terminal to ask on.
pub fn prompt(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} ");
    let _ = err.flush();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok().map(|_| line.trim().to_owned())
}

/// The yes that a person gave on the line or gives now; scripts say `--yes`.
pub fn confirm(context: &Context, question: &str) -> Outcome<()> {
    if context.yes {
        return Ok(());
    }
    match prompt(&format!("{question} [y/N]")) {
        Some(answer) if matches!(answer.to_lowercase().as_str(), "y" | "yes") => Ok(()),
        Some(_) => Err(Failure::new(FailureKind::Interrupted, "Nothing was changed")),
        None => Err(Failure::usage(format!("{question} Say so with --yes")).hint("Nothing was changed")),
    }
}
