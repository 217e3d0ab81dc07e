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
                .arg(files("CSV or a workbook, of any size"))
                .arg(resume())
                .arg(flag("append", "Add outlets and change known ones, remove none"))
                .arg(flag("dry-run", "Show what it would do, change nothing"))
                .arg(flag("review", "Leave it open, to be looked at in the interface")),
        )
        .subcommand(
            Command::new("list")
                .about("List outlets in the order of their codes")
                .arg(filter())
                .arg(rule())
                .arg(text("sort", "FIELD", "In the order of this field instead of the codes"))
                .arg(flag("descending", "The highest first"))
                .arg(number("limit", "50", "At most so many"))
                .arg(text("from", "CODE", "From this outlet on")),
        )
        .subcommand(
            Command::new("sum")
                .about("The values of a field and how many outlets have each")
                .arg(Arg::new("field").required(true).value_name("FIELD"))
                .arg(filter())
                .arg(rule())
                .arg(number("limit", "50", "At most so many values")),
        )
        .subcommand(
            Command::new("suggest")
                .about(
                    "What mending makes of outlets: the territory, distributor or route of their neighbours",
                )
                .arg(filter())
                .arg(rule())
                .arg(number("limit", "50", "At most so many")),
        )
        .subcommand(
            Command::new("edit")
                .about("Change outlets: those named, or all that match; one undo")
                .arg(Arg::new("code").num_args(0..).value_name("CODE"))
                .arg(filter())
                .arg(rule())
                .arg(
                    text("set", "FIELD=VALUE", "What a field should say; FIELD= empties it")
                        .action(ArgAction::Append),
                )
                .arg(text(
                    "mend",
                    "CODE",
                    "Mend what this rule points at, such as COORD-04: swap latitude and longitude",
                )),
        )
        .subcommand(
            Command::new("show")
                .about("All of one outlet")
                .arg(Arg::new("code").required(true).value_name("CODE")),
        )
        .subcommand(
            Command::new("near")
                .about("The outlets nearest to one, the nearest first")
                .arg(Arg::new("code").required(true).value_name("CODE"))
                .arg(number("limit", "10", "So many")),
        )
        .subcommand(
            Command::new("history")
                .about("The imports and edits that changed an outlet, newest first")
                .arg(Arg::new("code").required(true).value_name("CODE"))
                .arg(number("limit", "50", "Look at so many")),
        )
        .subcommand(
            Command::new("export")
                .about("Outlets as CSV: all, or those that match")
                .arg(filter())
                .arg(rule())
                .arg(path("output", "FILE.csv", "Write it there").short('o')),
        )
        .subcommand(Command::new("quality").about("How many outlets each rule points at"))
}

fn filter() -> Arg {
    let help = "Only those with these words, or parts such as city:pune avg_sales>1000 territory=";
    text("filter", "WORDS", help).allow_hyphen_values(true)
}

fn rule() -> Arg {
    text("rule", "CODE", "Only those that a rule points at, such as COORD-04")
}

pub(super) fn files(help: &'static str) -> Arg {
    Arg::new("file").num_args(0..).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

pub(super) fn resume() -> Arg {
    text("resume", "ID", "Go on with one that was left, as `pams import list` shows it")
}

/// What can be said of a file's columns.
pub(super) fn column_options(command: Command) -> Command {
    command
        .arg(column())
        .arg(
            Arg::new("mapping")
                .long("mapping")
                .value_name("FILE.json")
                .value_parser(value_parser!(PathBuf))
                .help("What the columns are, as `pams import map FILE --json` says it"),
        )
        .arg(header_row())
        .arg(text("dates", "ORDER", "Whether days or months come first").value_parser(["dmy", "mdy"]))
        .arg(dialect())
}

pub(super) fn column() -> Arg {
    text("column", "FIELD=HEADER", "This column is that field; =HEADER keeps it as it is")
        .action(ArgAction::Append)
}

pub(super) fn header_row() -> Arg {
    text("header-row", "N", "The row with the column names").value_parser(value_parser!(u64).range(1..))
}

/// How a text is written.
pub(super) fn dialect() -> Arg {
    text(
        "dialect",
        "TEXT",
        "Encoding, delimiter and quote where they are guessed wrong: \"windows-1252 ; none\"",
    )
}

pub fn map() -> Command {
    column_options(Command::new("map"))
        .about("What each column of a file is taken for; imports nothing")
        .arg(Arg::new("file").required(true).value_name("FILE").value_parser(value_parser!(PathBuf)))
        .arg(text("entity", "KIND", "What its rows are").value_parser(["outlet"]).default_value("outlet"))
}
