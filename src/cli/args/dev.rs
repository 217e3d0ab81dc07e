//! `pams dev`: measurements and faults.

use super::{flag, number, path, text};
use clap::{Arg, Command, value_parser};
use std::path::PathBuf;

pub fn dev() -> Command {
    Command::new("dev")
        .about("Measurements and faults, for developers")
        .hide(true)
        .subcommand_required(true)
        .subcommand(
            Command::new("fill")
                .about("Fill the current store with many activities, fast")
                .arg(number("activities", "1000000", "How many").long("activities"))
                .arg(number("seed", "1", "Another filling for another number")),
        )
        .subcommand(Command::new("hold").about("Hold the store as host until standard input ends"))
        .subcommand(
            Command::new("write")
                .about("Log activities one by one, printing each when it is durable")
                .arg(number("count", "1000", "How many"))
                .arg(text("tag", "TEXT", "What their summaries begin with").default_value("w")),
        )
        .subcommand(
            Command::new("torture")
                .about("Kill writers and hosts with SIGKILL; count what was lost or doubled")
                .arg(number("kills", "200", "How many on each path"))
                .arg(path("outlets", "FILE.csv", "Kill imports of this file instead"))
                .arg(number("drops", "20", "Dropped lines during imports of outlets"))
                .arg(number("seed", "1", "Other moments for another number")),
        )
        .subcommand(
            Command::new("bench-solver")
                .about("Solve a set of instances, each in a process of its own, and make a table")
                .arg(
                    Arg::new("set")
                        .required(true)
                        .value_name("SET")
                        .value_parser(value_parser!(PathBuf))
                        .help("A folder of .vrp and .txt files, or one file"),
                )
                .arg(
                    text("time-limit", "SECONDS", "For each; 60 where nothing is said")
                        .value_parser(value_parser!(f64)),
                )
                .arg(flag("processor-time", "The limit counts processor seconds a thread"))
                .arg(number("seeds", "1", "Runs of each"))
                .arg(path(
                    "results",
                    "FILE.csv",
                    "Runs are appended there; those that stand there are not repeated",
                ))
                .arg(path("best-known", "FILE.csv", "Columns instance and best_known"))
                .arg(path("table", "FILE.md", "Put the table into this page")),
        )
        .subcommand(
            Command::new("journey")
                .about("Make a journey to plan: outlets in settlements, or with a plan that is known")
                .arg(number("outlets", "1000", "How many"))
                .arg(number("seed", "1", "Another one for another number"))
                .arg(flag("planted", "Rings of outlets whose best plan is known"))
                .arg(path("worn", "TASK.json", "Wear a plan of this journey as years do"))
                .arg(path("plan", "PLAN.json", "The plan to wear"))
                .arg(path("out", "FILE.json", "Write it there")),
        )
        .subcommand(
            Command::new("bench-outlets")
                .about("Import a file of outlets into a throw-away store and measure it beside a bare count")
                .arg(
                    Arg::new("file")
                        .required(true)
                        .value_name("FILE.csv")
                        .value_parser(value_parser!(PathBuf)),
                ),
        )
        .subcommand(legacy(
            Command::new("gen-legacy")
                .about("Make a file of legacy activities with the faults that such files have")
                .arg(path("out", "FILE.csv", "Write it there; legacy.csv where not said").short('o')),
            "1000",
        ))
        .subcommand(legacy(
            Command::new("bench-migration")
                .about("Run a migration on a store of its own and measure each step"),
            "1000000",
        ))
        .subcommand(
            Command::new("gen-unit")
                .about("Make outlets.csv, distributors.csv and reps.csv of a planning unit with beats")
                .arg(number("outlets", "50000", "Outlets of the unit"))
                .arg(path("out", "FOLDER", "Write them there; here where not said").short('o'))
                .arg(number("seed", "1", "Another unit for another number")),
        )
        .subcommand(
            Command::new("bench-routes")
                .about("Plan a unit on a store of its own and measure each step")
                .arg(number("outlets", "50000", "Outlets of the unit"))
                .arg(number("time-limit", "120", "Seconds of the run"))
                .arg(number("seed", "1", "Start of the random numbers")),
        )
        .subcommand(
            Command::new("torture-routes")
                .about("Kill the processes of a run at random moments; say what was lost")
                .arg(number("outlets", "2000", "Outlets of the unit"))
                .arg(number("kills", "50", "How many"))
                .arg(number("seed", "1", "Start of the random numbers")),
        )
        .subcommand(
            legacy(
                Command::new("torture-migration")
                    .about("Kill each step of a migration at random moments; say what was between"),
                "20000",
            )
            .arg(number("kills", "50", "How many in each step")),
        )
        .subcommand(
            Command::new("gen-hierarchy")
                .about("Make tables whose hierarchy is known, and say how many of them are recognised")
                .arg(number("seed", "1", "Other tables for another number"))
                .arg(number("sets", "40", "How many tables; every eighth has no hierarchy"))
                .arg(path("out", "FOLDER", "Write them there, with truth.json")),
        )
        .subcommand(
            Command::new("score-mapping")
                .about("How well columns are recognised, on headers whose fields are known")
                .arg(
                    Arg::new("file")
                        .required(true)
                        .value_name("LABELLED.csv")
                        .value_parser(value_parser!(PathBuf))
                        .help("Columns source_id, entity, header, sample1 to sample3, expected, also_accept"),
                ),
        )
        .subcommand(
            Command::new("load")
                .about("Many sessions at a server of this home: latency of saves, hints and reads")
                .arg(number("sessions", "100", "Sessions"))
                .arg(number("seconds", "600", "How long"))
                .arg(number("kill-every", "0", "Kill the server with -9 every so many seconds")),
        )
        .subcommand(
            Command::new("bench-sync").about(
                "Two devices that were apart for weeks, and a push sent twice, in a folder of its own",
            ),
        )
        .subcommand(
            Command::new("bench")
                .about("Measure commits, lists and months of the current store")
                .arg(number("rounds", "50", "Repeats of each measurement")),
        )
}

fn legacy(command: Command, rows: &'static str) -> Command {
    command
        .arg(number("rows", rows, "Rows of the file"))
        .arg(number("months", "20", "Months they lie in"))
        .arg(number("seed", "1", "Another file for another number"))
}
