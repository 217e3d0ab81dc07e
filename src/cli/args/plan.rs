//! `pams plan` and `pams route`.

use super::{flag, number, text};
use clap::{Arg, ArgAction, Command, value_parser};
use std::path::PathBuf;

fn unit() -> Arg {
    Arg::new("unit")
        .long("unit")
        .short('u')
        .value_name("UNIT")
        .help("The planning unit: its name or the end of its id; needed where there are several")
}

fn version(help: &'static str) -> Arg {
    text("version", "V", help)
}

fn reason() -> Arg {
    text("reason", "TEXT", "Why; kept with the version")
}

pub fn plan() -> Command {
    let outlets = || Arg::new("outlets").value_name("OUTLET").num_args(1..).required(true).help("Codes");
    let dry_run = || flag("dry-run", "Say what it would do, change nothing");
    Command::new("plan")
        .about("Plans of a unit: who visits which outlet, when and in which order")
        .alias("plans")
        .subcommand_required(true)
        .subcommand(Command::new("units").about("The planning units and how far their plans are"))
        .subcommand(
            Command::new("create")
                .about("A first version: today's beats of the outlets, or a plan file")
                .arg(unit())
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .value_parser(value_parser!(PathBuf))
                        .help("A table of outlet, rep, day and order, or a plan as JSON"),
                )
                .arg(flag("now", "The plan as it stands, edits and all"))
                .arg(reason()),
        )
        .subcommand(Command::new("list").about("The versions of a unit, the newest first").arg(unit()))
        .subcommand(
            Command::new("show")
                .about("The plan rep by rep, or one rep's days stop by stop")
                .arg(unit())
                .arg(version("A version, or now, better, beats"))
                .arg(text("rep", "REP", "A rep's code or name"))
                .arg(number("week", "0", "Of one week of the cycle"))
                .arg(text("day", "DAY", "Of one weekday")),
        )
        .subcommand(Command::new("lacks").about("What planning lacks, and what mends it").arg(unit()))
        .subcommand(
            Command::new("rules")
                .about("How the unit is planned: hours, stops, speeds, weights")
                .arg(unit())
                .arg(text("preset", "NAME", "balanced, least travel or few changes"))
                .arg(
                    Arg::new("set")
                        .long("set")
                        .value_name("FIELD=VALUE")
                        .action(ArgAction::Append)
                        .help("hours=8h, max_stops=40, visit_minutes=10, A 15; an empty value takes it back"),
                ),
        )
        .subcommand(
            Command::new("optimise")
                .about("Better the plan in the background; waits for it unless told not to")
                .alias("optimize")
                .arg(unit())
                .arg(number("time-limit", "0", "Seconds; as the rules say where not given"))
                .arg(
                    Arg::new("seed")
                        .long("seed")
                        .value_name("N")
                        .value_parser(value_parser!(u64))
                        .help("Start of the random numbers"),
                )
                .arg(text("edited", "OUTLETS", "Only near these, at once: codes with commas"))
                .arg(flag("no-wait", "Return at once; the run goes on where a terminal or server is open"))
                .arg(flag("progress", "Tell how far it is")),
        )
        .subcommand(Command::new("pause").about("Hold a run up").arg(unit()))
        .subcommand(Command::new("resume").about("Go on with it").arg(unit()))
        .subcommand(Command::new("stop").about("Stop a run; the best plan so far stays").arg(unit()))
        .subcommand(Command::new("offer").about("What the run has found, beside what stands").arg(unit()))
        .subcommand(
            Command::new("compare")
                .about("Two plans of a unit beside each other")
                .arg(unit())
                .arg(
                    Arg::new("a")
                        .value_name("A")
                        .default_value("now")
                        .help("A version, or now, better, beats"),
                )
                .arg(Arg::new("b").value_name("B").default_value("better")),
        )
        .subcommand(
            Command::new("keep").about("Take the better plan as a new version").arg(unit()).arg(reason()),
        )
        .subcommand(
            Command::new("restore")
                .about("Take an older version again, as a new one")
                .arg(unit())
                .arg(Arg::new("version").value_name("V").required(true))
                .arg(reason()),
        )
        .subcommand(
            Command::new("move")
                .about("Move outlets to another rep or weekday; says what it does to the whole")
                .arg(unit())
                .arg(outlets())
                .arg(text("rep", "REP", "To this rep"))
                .arg(text("to", "DAY", "To this weekday"))
                .arg(text("from", "DAY", "From this weekday, of several"))
                .arg(dry_run()),
        )
        .subcommand(
            Command::new("place")
                .about("Put an outlet elsewhere in the order of a day")
                .arg(unit())
                .arg(Arg::new("outlets").value_name("OUTLET").required(true))
                .arg(text("day", "DAY", "The day of the cycle: Tue 2").required(true))
                .arg(number("at", "1", "Its place, from 1"))
                .arg(dry_run()),
        )
        .subcommand(
            Command::new("pin")
                .about("Outlets that stay with their rep and days when the plan is optimised")
                .arg(unit())
                .arg(outlets())
                .arg(flag("off", "Free them")),
        )
        .subcommand(
            Command::new("outlines")
                .about("Take outlines of distributors' areas from a GeoJSON file, to be seen on the map")
                .arg(
                    Arg::new("file")
                        .value_name("FILE.geojson")
                        .value_parser(value_parser!(PathBuf))
                        .required(true)
                        .help("Polygons whose features name the distributor: its code or name"),
                )
                .arg(dry_run()),
        )
        .subcommand(
            Command::new("export")
                .about("The whole plan as a table, GeoJSON, a page or a plan file")
                .arg(unit())
                .arg(version("A version, or now, better, beats"))
                .arg(
                    text(
                        "format",
                        "FORMAT",
                        "csv, geojson, html, json; task: what `pams solve journey` reads",
                    )
                    .default_value("csv")
                    .value_parser(["csv", "geojson", "html", "json", "task"]),
                )
                .arg(out()),
        )
}

fn out() -> Arg {
    Arg::new("out")
        .long("out")
        .short('o')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Into a file instead of standard output")
}

pub fn route() -> Command {
    Command::new("route").about("Route sheets").alias("routes").subcommand_required(true).subcommand(
        Command::new("sheet")
            .about("A rep's days, stop by stop, to print or for a calendar")
            .arg(unit())
            .arg(text("rep", "REP", "The rep's code or name").required(true))
            .arg(version("A version, or now, better, beats"))
            .arg(number("week", "0", "Of one week of the cycle"))
            .arg(text("day", "DAY", "Of one weekday"))
            .arg(text("from", "DATE", "The Monday of week 1; the next one where not said"))
            .arg(flag("html", "As a page"))
            .arg(flag("ics", "As a calendar"))
            .arg(flag("csv", "As a table"))
            .arg(out()),
    )
}
