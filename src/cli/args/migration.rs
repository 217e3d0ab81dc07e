//! `pams migration`.

use super::outlets::column_options;
use super::{flag, number, path, text};
use crate::services::migration::{DUPLICATES, issues};
use clap::{Arg, ArgAction, Command, value_parser};
use std::path::PathBuf;

fn batch(command: Command) -> Command {
    command.arg(text("batch", "ID", "Of this load: its id, the end of it, its file's name, or last"))
}

fn months(command: Command, all: &'static str) -> Command {
    batch(command)
        .arg(Arg::new("month").value_name("YYYY-MM").num_args(0..).help("These months"))
        .arg(flag("all", all))
}

fn file(command: Command) -> Command {
    let file = Arg::new("file").value_name("FILE").required(true).value_parser(value_parser!(PathBuf));
    column_options(command.arg(file))
}

pub fn migration() -> Command {
    Command::new("migration")
        .about("Activities of an earlier system: loaded as drafts, confirmed by the month, promoted")
        .alias("migrate")
        .subcommand_required(true)
        .subcommand(
            file(Command::new("load").about("Take a file in as drafts; nothing that is live changes"))
                .arg(flag("review", "Leave it under review instead"))
                .arg(flag("dry-run", "Show what it would do, keep nothing")),
        )
        .subcommand(Command::new("list").about("What was loaded").arg(flag("all", "Finished ones too")))
        .subcommand(
            batch(Command::new("counts").about("How many rows of each month are where, and why they wait"))
                .arg(
                    text("by", "WHAT", "Count by month, owner, type or issue")
                        .value_parser(["month", "owner", "type", "issue"])
                        .default_value("month"),
                )
                .arg(text("month", "YYYY-MM", "Only of this month"))
                .arg(flag("fast", "Do not look at live activities for duplicates")),
        )
        .subcommand(
            batch(Command::new("show").about("The rows of a month, and what each would become"))
                .arg(Arg::new("month").value_name("YYYY-MM").required(true))
                .arg(text("issue", "WHAT", "Only rows of this issue").value_parser(issues()))
                .arg(text("text", "WORDS", "Only rows with these words"))
                .arg(number("limit", "50", "Rows at the most"))
                .arg(number("from", "0", "Leave out so many rows")),
        )
        .subcommand(batch(
            Command::new("names")
                .about("Owners, accounts, projects, types and use cases that nobody knows")
                .alias("extract-mapping"),
        ))
        .subcommand(
            Command::new("name")
                .about("Say what a text stands for, once for all files; - leaves it out")
                .arg(
                    Arg::new("scope")
                        .required(true)
                        .value_name("SCOPE")
                        .value_parser(["owner", "account", "project", "type", "usecase"]),
                )
                .arg(Arg::new("raw").required(true).value_name("TEXT"))
                .arg(Arg::new("who").required(true).value_name("RECORD").allow_hyphen_values(true)),
        )
        .subcommand(
            batch(Command::new("stubs").about("Records made of the texts that nobody knows"))
                .arg(flag("make", "Make them, of all but owners where no scope is said"))
                .arg(
                    text("scope", "SCOPE", "Only of these")
                        .action(ArgAction::Append)
                        .value_parser(["owner", "account", "project", "type", "usecase"]),
                )
                .arg(flag("drop", "Take those away that nothing uses")),
        )
        .subcommand(
            batch(Command::new("rules").about("What counts for all rows alike"))
                .arg(
                    text("duplicates", "RULE", "Where a live activity is like a row")
                        .value_parser(DUPLICATES),
                )
                .arg(
                    text("overwrite", "YES", "Whether legacy values may be written over live ones")
                        .value_parser(["yes", "no"]),
                )
                .arg(
                    text("effort", "EFFORT", "Effort of rows without one; - for none")
                        .allow_hyphen_values(true),
                ),
        )
        .subcommand(
            batch(Command::new("choose").about("Say what becomes of rows of a month"))
                .arg(Arg::new("month").value_name("YYYY-MM").required(true))
                .arg(
                    text("row", "N", "Rows of the file")
                        .action(ArgAction::Append)
                        .value_parser(value_parser!(usize)),
                )
                .arg(text("issue", "WHAT", "All rows of this issue instead").value_parser(issues()))
                .arg(
                    text("as", "WHAT", "new, merge, reject, or rules to take a choice back")
                        .value_parser(["new", "merge", "reject", "rules"]),
                )
                .arg(
                    text("side", "FIELD=SIDE", "What counts in a field: live, legacy, newer, both")
                        .action(ArgAction::Append),
                )
                .arg(text("set", "FIELD=VALUE", "Type a field anew").action(ArgAction::Append)),
        )
        .subcommand(months(
            Command::new("confirm").about("Agree to months: what is ready in them may be promoted"),
            "All months that have drafts",
        ))
        .subcommand(months(
            Command::new("reopen").about("Take the confirmation of months back"),
            "All confirmed months",
        ))
        .subcommand(months(
            Command::new("promote").about("Make activities of confirmed months, each in one step"),
            "All confirmed months",
        ))
        .subcommand(months(
            Command::new("rollback").about("Take promotions back; what was changed since stays"),
            "All promoted months, and the records made of texts",
        ))
        .subcommand(batch(
            Command::new("checklist").about("The steps of the runbook: what is done, what comes next"),
        ))
        .subcommand(
            file(Command::new("rehearse").about("Run the whole migration on a copy of the store"))
                .arg(flag("stubs", "Make records of unknown texts in the copy"))
                .arg(path("keep", "FOLDER", "Keep the copy there")),
        )
        .subcommand(batch(Command::new("finish").about("Put the rows away; the activities stay")))
}
