//! `pams solve`: an instance file, or a journey.

use super::{flag, number, path, text};
use clap::{Arg, Command, value_parser};
use std::path::PathBuf;

pub fn solve() -> Command {
    search_args(Command::new("solve"), "FILE.sol")
        .about("Plan routes for an instance file: CVRPLIB, Solomon or Cordeau")
        .arg(Arg::new("file").required(true).value_name("FILE").value_parser(value_parser!(PathBuf)))
        .arg(
            text("best-known", "COST", "Tell how far above this cost the plan is")
                .value_parser(value_parser!(f64)),
        )
        .subcommand_negates_reqs(true)
        .args_conflicts_with_subcommands(true)
        .subcommand(
            search_args(Command::new("journey"), "PLAN.json")
                .about("Plan journeys: which rep visits which outlet when, from a JSON file")
                .arg(
                    Arg::new("file")
                        .required(true)
                        .value_name("FILE.json")
                        .value_parser(value_parser!(PathBuf)),
                )
                .arg(
                    text("most-changed", "PERCENT", "So many outlets may get another rep or days")
                        .value_parser(value_parser!(f64)),
                )
                .arg(
                    text("edited", "OUTLET", "Work only near these, which were edited since --initial")
                        .value_delimiter(','),
                )
                .arg(text("why", "OUTLET", "What each rep would cost for it").value_delimiter(',')),
        )
}

fn search_args(command: Command, plan: &'static str) -> Command {
    command
        .arg(
            text("time-limit", "SECONDS", "Stop after so long; 60 where nothing is said")
                .value_parser(value_parser!(f64)),
        )
        .arg(flag("processor-time", "The limit counts processor seconds a thread: for a loaded machine"))
        .arg(
            text("iterations", "N", "Stop after so many iterations")
                .value_parser(value_parser!(u64))
                .conflicts_with("time-limit"),
        )
        .arg(
            text("threads", "N", "Threads; all cores where nothing is said").value_parser(value_parser!(u64)),
        )
        .arg(number("seed", "1", "Another search for another number"))
        .arg(flag("deterministic", "The same plan for the same seed and iterations, whatever the threads"))
        .arg(path("initial", plan, "Begin with this plan"))
        .arg(path("out", plan, "Write the plan there"))
        .arg(flag("progress", "Say how far it is, without a terminal too"))
}
