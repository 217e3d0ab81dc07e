//! `pams outlets`, and `pams import map`.

use super::{flag, number, path, text};
use clap::{Arg, ArgAction, Command, value_parser};
use std::path::PathBuf;

pub fn outlets() -> Command {
    Command::new("outlets")
        .about("Places that sell, by the million: import, list, show, export, quality")
        .subcommand_required(true)
        .subcommand(
            column_options(Command::new("import"))
                .about("Take files of outlets in, each in one change")
                .arg(files())
                .arg(flag("dry-run", "Show what it would do, change nothing"))
                .arg(flag("review", "Leave it open, to be looked at in the interface")),
        )
        .subcommand(
            Command::new("list")
                .about("List outlets in the order of their codes")
                .arg(text("filter", "WORDS", "Only those with these words, or field:word such as city:pune"))
                .arg(text("rule", "CODE", "Only those that a rule points at, such as COORD-04"))
                .arg(number("limit", "50", "At most so many"))
                .arg(number("from", "0", "From this place on")),
        )
        .subcommand(
            Command::new("show")
                .about("All of one outlet")
                .arg(Arg::new("code").required(true).value_name("CODE")),
        )
        .subcommand(
            Command::new("export")
                .about("All outlets as CSV")
                .arg(path("output", "FILE.csv", "Write it there").short('o')),
        )
        .subcommand(Command::new("quality").about("How many outlets each rule points at"))
}

fn files() -> Arg {
    Arg::new("file")
        .required(true)
        .num_args(1..)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("CSV or a workbook, of any size")
}

/// What can be said of a file's columns.
fn column_options(command: Command) -> Command {
    command
        .arg(
            text("column", "FIELD=HEADER", "This column is that field; =HEADER keeps it as it is")
                .action(ArgAction::Append),
        )
        .arg(
            text("header-row", "N", "The row with the column names")
                .value_parser(value_parser!(u64).range(1..)),
        )
        .arg(text("dates", "ORDER", "Whether days or months come first").value_parser(["dmy", "mdy"]))
}

pub fn map() -> Command {
    column_options(Command::new("map"))
        .about("What each column of a file is taken for; imports nothing")
        .arg(Arg::new("file").required(true).value_name("FILE").value_parser(value_parser!(PathBuf)))
        .arg(text("entity", "KIND", "What its rows are").value_parser(["outlet"]).default_value("outlet"))
}
