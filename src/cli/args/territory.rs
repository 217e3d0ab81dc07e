//! `pams territory` and `pams snapshot`.

use super::{flag, number, text};
use clap::{Arg, Command, value_parser};
use std::path::PathBuf;

fn sizes(command: Command) -> Command {
    command
        .arg(number("max-outlets", "50000", "Outlets of a unit at most"))
        .arg(number("max-hours", "0", "Hours of work a month of a unit at most; 0 for any"))
        .arg(
            text("visits", "N", "Visits a month where the frequency is not known (2)")
                .value_parser(value_parser!(f64)),
        )
        .arg(
            text("minutes", "N", "Minutes of a visit with the way to it (20)")
                .value_parser(value_parser!(f64)),
        )
}

fn levels(command: Command) -> Command {
    command.arg(text(
        "levels",
        "COLUMNS",
        "The levels from the top, such as region,territory; found where not said",
    ))
}

pub fn territory() -> Command {
    Command::new("territory")
        .about("Territories: the levels in the outlets' columns, their sizes, planning units")
        .alias("territories")
        .subcommand_required(true)
        .subcommand(
            Command::new("detect").about("Which columns make a hierarchy").arg(
                Arg::new("file")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("A file instead of the stored outlets"),
            ),
        )
        .subcommand(sizes(levels(
            Command::new("recommend")
                .about("How large the units of each level are, and which level to plan by"),
        )))
        .subcommand(
            sizes(levels(Command::new("split").about("Make the planning units; those too large are cut")))
                .arg(text("level", "COLUMN", "The level to plan by; the recommended one where not said"))
                .arg(
                    text(
                        "keep",
                        "WHAT",
                        "What stays together: outlets alone, beats where possible, distributors",
                    )
                    .value_parser(["outlets", "beats", "distributors"]),
                )
                .arg(flag("dry-run", "Show what it would do, change nothing")),
        )
        .subcommand(sizes(Command::new("list").about("The planning units")))
        .subcommand(
            Command::new("lock")
                .about("Take a planning unit: what others change of it waits")
                .arg(unit())
                .arg(text("note", "TEXT", "What it is taken for")),
        )
        .subcommand(
            Command::new("unlock")
                .about("Give it back; an admin breaks the lock of somebody else")
                .arg(unit())
                .arg(text("why", "TEXT", "Why it is broken; kept in history")),
        )
        .subcommand(Command::new("locks").about("Who holds which units, since when"))
}

fn unit() -> Arg {
    Arg::new("unit").value_name("UNIT").required(true).help("Its name or the end of its id")
}

pub fn snapshot() -> Command {
    let unit = || Arg::new("unit").value_name("UNIT").help("Its name or the end of its id");
    Command::new("snapshot")
        .about("What planning opens at once: the core columns of each unit")
        .alias("snapshots")
        .subcommand_required(true)
        .subcommand(
            Command::new("ls").alias("list").about("The snapshots, their sizes and whether they are current"),
        )
        .subcommand(Command::new("cut").about("Cut those that are missing or old").arg(unit()))
        .subcommand(
            Command::new("open").about("Open one and say how long it took").arg(unit().required(true)),
        )
}
