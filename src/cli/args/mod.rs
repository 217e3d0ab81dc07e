//! The shape of the command line; completions and man pages are made from it too.

mod dev;
mod migration;
mod outlets;
mod plan;
mod remote;
mod solve;
mod territory;

use crate::domain::schema::{Field, Kind, Type};
use crate::services::input;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::{Arg, ArgAction, Command, value_parser};
use std::path::PathBuf;

/// Kinds that have a noun of their own.
pub const NOUNS: [Kind; 14] = [
    Kind::Tenant,
    Kind::Account,
    Kind::Project,
    Kind::Industry,
    Kind::UseCase,
    Kind::User,
    Kind::ActivityType,
    Kind::Team,
    Kind::Role,
    Kind::Reason,
    Kind::Preset,
    Kind::Distributor,
    Kind::Chain,
    Kind::Rep,
];

pub fn command() -> Command {
    let mut command = Command::new("pams")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A terminal workbench for organisations that sell in the field")
        .long_about(
            "A terminal workbench for organisations that sell in the field.\n\
             Without a command it opens the interface; `pams demo` opens it on sample data.",
        )
        .args([
            Arg::new("home")
                .long("home")
                .value_name("DIR")
                .global(true)
                .env("PAMS_HOME")
                .hide_env_values(true)
                .value_parser(value_parser!(PathBuf))
                .help("Keep config, data, state and cache under DIR"),
            text("profile", "NAME", "A separate world with its own store").global(true),
            flag("json", "Print one JSON object").global(true),
            flag("yes", "Do not ask, go on").short('y').global(true),
            flag("read-only", "Look only: nothing can be changed").global(true),
            flag("plain", "The interface as lines of text, for screen readers")
                .visible_alias("accessible")
                .global(true),
        ])
        .subcommand(activity())
        .subcommand(
            Command::new("log")
                .about("Log an activity in one line: demo acme 3h yesterday #poc first talk")
                .arg(
                    Arg::new("line")
                        .required(true)
                        .num_args(1..)
                        .value_name("LINE")
                        .allow_negative_numbers(true),
                )
                .arg(flag("allow-empty-effort", "Enablement may have no effort"))
                .arg(flag("dry-run", "Show how the line is read, save nothing")),
        )
        .subcommand(note())
        .subcommand(wins())
        .subcommand(outlets::outlets())
        .subcommand(territory::territory())
        .subcommand(territory::snapshot())
        .subcommand(plan::plan())
        .subcommand(plan::route())
        .subcommand(import())
        .subcommand(migration::migration())
        .subcommand(jobs())
        .subcommand(Command::new("job-worker").about("The side of a job that does the work").hide(true))
        .subcommand(
            Command::new("job-resident").about("Stays while work of minutes is under way").hide(true).args(
                ["store", "socket"].map(|n| Arg::new(n).value_parser(value_parser!(PathBuf)).required(true)),
            ),
        )
        .subcommands(remote::commands())
        .subcommand(drafts())
        .subcommand(notices())
        .subcommand(
            Command::new("undo")
                .about("Take back my last change, or the one given")
                .arg(Arg::new("txn").value_name("TRANSACTION")),
        )
        .subcommand(Command::new("redo").about("Take back my last undo"))
        .subcommand(
            Command::new("history")
                .about("Who changed what of a record")
                .arg(Arg::new("kind").required(true).value_name("KIND"))
                .arg(Arg::new("id").required(true).value_name("ID"))
                .arg(limit("50")),
        )
        .subcommand(Command::new("recent").about("What was done lately").arg(limit("20")))
        .subcommand(
            Command::new("demo")
                .about("Open the interface on a throw-away store with sample data")
                .subcommand(
                    Command::new("samples")
                        .about("Write a small file of each kind that can be imported")
                        .arg(path("out", "FOLDER", "Into this folder; samples where not said").short('o')),
                )
                .arg(flag("check", "Fill, verify and print counts instead"))
                .arg(number("seed", "1", "Another sample for another number")),
        )
        .subcommand(dev::dev())
        .subcommand(Command::new("config").about("Settings").subcommand_required(true).subcommand(
            Command::new("show").about("All settings").arg(flag("origin", "And where each comes from")),
        ))
        .subcommand(Command::new("keys").about("The keys of the interface, as they are in force"))
        .subcommand(
            Command::new("theme")
                .about("Colours of the interface")
                .subcommand_required(true)
                .subcommand(Command::new("list").about("All themes"))
                .subcommand(
                    Command::new("show").about("The styles of one").arg(Arg::new("name").value_name("NAME")),
                ),
        )
        .subcommand(solve::solve())
        .subcommand(
            Command::new("completions")
                .about("Completions for a shell")
                .arg(Arg::new("shell").required(true).value_parser(value_parser!(clap_complete::Shell))),
        )
        .subcommand(
            Command::new("man").about("The manual page, or one for each command with --out").arg(path(
                "out",
                "DIR",
                "Write the pages into DIR",
            )),
        )
        .subcommand(
            Command::new("db")
                .about("The store itself")
                .subcommand_required(true)
                .subcommand(Command::new("check").about("Compare everything stored with the log"))
                .subcommand(Command::new("compact").about("Give free pages back to the file system")),
        )
        .subcommand(
            Command::new("doctor").about("Look at store, host, terminal and clock").subcommand(
                Command::new("prefetch").about("How often what was looked at had been read ahead"),
            ),
        );
    for kind in NOUNS {
        command = command.subcommand(noun(kind));
    }
    command
}

pub fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// What every search takes.
fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    text(name, value, help).value_parser(value_parser!(PathBuf))
}

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    text(name, "N", help).default_value(default).value_parser(value_parser!(u64))
}

fn limit(default: &'static str) -> Arg {
    Arg::new("limit")
        .long("limit")
        .value_name("N")
        .default_value(default)
        .value_parser(RangedU64ValueParser::<usize>::new().range(1..))
        .help("Rows at the most")
}

fn month() -> Arg {
    text("month", "YYYY-MM", "One calendar month")
}

/// An option for each field that people type.
pub fn field_options(kind: Kind) -> Vec<Arg> {
    let fields = kind.schema().fields.iter().filter(|f| !f.system && f.kind != Type::Data);
    fields
        .map(|field| {
            let long = field.name.replace('_', "-");
            let arg = Arg::new(field.name)
                .long(long.clone())
                .value_name(value_name(field.kind))
                .help(help(field))
                .allow_hyphen_values(true);
            let arg = match field.kind {
                Type::Choice(words) => arg.value_parser(PossibleValuesParser::new(words)),
                Type::Many(_) | Type::Words => arg.action(ArgAction::Append),
                _ => arg,
            };
            match field.name {
                "use_cases" => arg.alias("usecase").alias("use-case"),
                "roles" => arg.visible_alias("role"),
                "territories" => arg.visible_alias("territory"),
                "outcome" if kind == Kind::Win => arg.alias("kind").alias("type"),
                "next_due" => arg.alias("due"),
                _ => arg,
            }
        })
        .collect()
}

/// What an option takes, told by its type.
fn help(field: &Field) -> String {
    let label = field.label();
    let needed = if field.required { ", required" } else { "" };
    let text = match field.kind {
        Type::One(of) => format!("{label}: name, alias or id of {}", input::article(of).to_lowercase()),
        Type::Many(of) => format!("{label}: names of {}, with commas", of.schema().plural),
        Type::Words => format!("{label}, with commas"),
        Type::Date => format!("{label}: today, fri, -3, 12.2 or 2026-02-12"),
        Type::Effort => format!("{label}: 3h, 90m, 1.5d or half"),
        Type::Money => format!("{label}: 84000, 1,200.50 or 84000 USD"),
        Type::Month => format!("{label}: 2026-02"),
        Type::Flag => format!("{label}: yes or no"),
        _ => label,
    };
    let mut letters = text.chars();
    let capital = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{capital}{}{needed}", letters.as_str())
}

fn value_name(kind: Type) -> &'static str {
    match kind {
        Type::Date => "DATE",
        Type::Effort => "EFFORT",
        Type::Money => "AMOUNT",
        Type::Month => "YYYY-MM",
        Type::Flag => "yes|no",
        Type::Int | Type::Decimal => "N",
        Type::One(of) | Type::Many(of) => of.name(),
        _ => "TEXT",
    }
}

fn id(help: &'static str) -> Arg {
    Arg::new("id").required(true).value_name("ID").help(help)
}

fn noun(kind: Kind) -> Command {
    let schema = kind.schema();
    // A name may be written without its option.
    let options = || field_options(kind).into_iter().filter(|a| a.get_id() != "name").collect::<Vec<_>>();
    let name = Arg::new("name").required(true).value_name("NAME");
    let mut command = Command::new(schema.name)
        .about(format!("Add, list, show, edit, merge and archive {}", schema.plural))
        .alias(schema.plural)
        .subcommand_required(true);
    if kind == Kind::Tenant {
        // There is one, made at the first start.
        return command
            .about("The organisation: its name, time zone, day length and currency")
            .subcommand(Command::new("show").about("Show it"))
            .subcommand(Command::new("edit").about("Change it").args(field_options(kind)));
    }
    command = command
        .subcommand(Command::new("add").about("Add one").arg(name).args(options()))
        .subcommand(
            Command::new("list")
                .about("List them")
                .arg(text("filter", "TEXT", "Only names with this in them"))
                .arg(flag("archived", "Archived and merged ones too"))
                .arg(text("account", "ACCOUNT", "Only projects of this account"))
                .arg(limit("200"))
                .arg(text("cursor", "CURSOR", "Go on where a page ended")),
        )
        .subcommand(Command::new("show").about("Show one").arg(id("Name, alias, id or its end")))
        .subcommand(
            Command::new("edit")
                .about("Change one")
                .arg(id("Name, alias, id or its end"))
                .args(field_options(kind)),
        )
        .subcommand(
            Command::new("archive")
                .about("Hide one from lists and pickers")
                .arg(id("Name, alias, id or its end"))
                .arg(flag("undo", "Bring it back")),
        )
        .subcommand(
            Command::new("delete")
                .about("Delete one that nothing uses")
                .arg(id("Name, alias, id or its end")),
        );
    if !matches!(kind, Kind::Tenant | Kind::Outlet) {
        command = command.subcommand(
            Command::new("purge")
                .about("Erase one for good, from history and from every device; nothing brings it back")
                .arg(id("Name, alias, or the id of what is deleted"))
                .arg(text("why", "TEXT", "Who asked for it; this stays").required(true)),
        );
    }
    if kind == Kind::User {
        command = command
            .mut_subcommand("add", |add| add.args(remote::credential_options()))
            .subcommands(remote::credentials());
    }
    if matches!(kind, Kind::Account | Kind::Project | Kind::Distributor | Kind::Chain | Kind::Rep) {
        command = command.subcommand(
            Command::new("import")
                .about("Import them from workbooks or CSV files, each in one change")
                .arg(outlets::files("CSV or a workbook; - is standard input"))
                .arg(outlets::resume())
                .arg(outlets::column())
                .arg(outlets::header_row())
                .arg(outlets::dialect())
                .arg(text("name", "FILE.xlsx", "What standard input is called"))
                .arg(flag("dry-run", "Say what would happen, change nothing"))
                .arg(review()),
        );
    }
    if schema.field_named("merged_into").is_some() {
        command = command.subcommand(
            Command::new("merge")
                .about("Make several one; names become aliases, uses move")
                .arg(Arg::new("which").required(true).num_args(2..).value_name("ID"))
                .arg(text("into", "NAME", "Name of the result"))
                .arg(text("base", "ID", "The record that stays; the first by default"))
                .arg(flag("dry-run", "Count what would move, change nothing")),
        );
    }
    command
}

fn notices() -> Command {
    Command::new("notices")
        .about("What happened while you were elsewhere")
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about("What is new, the newest first")
                .arg(flag("all", "What was read, too"))
                .arg(limit("50")),
        )
        .subcommand(
            Command::new("read")
                .about("Mark as read: all, or those given")
                .arg(Arg::new("id").value_name("ID").num_args(0..)),
        )
}

fn effort() -> [Arg; 4] {
    [
        text("hours", "H", "Effort in hours, such as 1.5"),
        text("days", "N", "Effort in days, such as 0.5"),
        flag("allow-empty-effort", "Enablement may have no effort"),
        flag("allow-future", "The date may be in the future"),
    ]
}

fn activity() -> Command {
    let show_id = "Id or its end, as lists show it";
    Command::new("activity")
        .about("Add, list, export, show, edit and delete activities")
        .alias("activities")
        .subcommand_required(true)
        .subcommand(
            Command::new("add").about("Log an activity").args(field_options(Kind::Activity)).args(effort()),
        )
        .subcommand(
            Command::new("edit")
                .about("Change one")
                .arg(id(show_id))
                .args(field_options(Kind::Activity))
                .args(effort()),
        )
        .subcommand(
            list_options(Command::new("list").about("List them, newest first")).arg(limit("200")).arg(text(
                "cursor",
                "CURSOR",
                "Go on where a page ended",
            )),
        )
        .subcommand(
            list_options(Command::new("export").about("Write them to a CSV file"))
                .arg(path("output", "FILE", "The file; - is standard output").short('o').required(true)),
        )
        .subcommand(Command::new("show").about("Show one").arg(id(show_id)))
        .subcommand(
            Command::new("delete")
                .about("Delete some; undo brings them back")
                .arg(Arg::new("id").required(true).num_args(1..).value_name("ID").help(show_id)),
        )
        .subcommand(
            Command::new("sum")
                .about("A month at a glance")
                .arg(month())
                .arg(text("owner", "WHO", "me, all or a name").default_value("me")),
        )
}

fn list_options(command: Command) -> Command {
    command
        .arg(month())
        .arg(text("owner", "WHO", "me, all or a name").default_value("me"))
        .arg(text("account", "ACCOUNT", "Only of this account"))
        .arg(text("project", "PROJECT", "Only of this project"))
        .arg(text("filter", "WORDS", "Only with these words; -word for without").allow_hyphen_values(true))
        .arg(text("at", "DATE", "As it was at the end of that day"))
        .arg(flag("oldest-first", "Oldest first"))
}

fn wins() -> Command {
    Command::new("wins")
        .about("Wins and losses: own entries and months")
        .alias("win")
        .subcommand_required(true)
        .subcommand(
            Command::new("add")
                .about("Enter a win or loss")
                .args(field_options(Kind::Win))
                .arg(flag("allow-future", "The date may be in the future")),
        )
        .subcommand(
            Command::new("edit")
                .about("Change one")
                .arg(id("Id or its end"))
                .args(field_options(Kind::Win))
                .arg(flag("allow-future", "The date may be in the future")),
        )
        .subcommand(Command::new("show").about("Show one").arg(id("Id or its end")))
        .subcommand(
            Command::new("list")
                .about("List them, newest first")
                .arg(month())
                .arg(text("owner", "WHO", "me, all or a name").default_value("all"))
                .arg(text("outcome", "WHAT", "win or loss").value_parser(["win", "loss"]))
                .arg(text("source", "SOURCE", "own or imported").value_parser(["own", "imported"]))
                .arg(limit("200"))
                .arg(text("cursor", "CURSOR", "Go on where a page ended")),
        )
        .subcommand(Command::new("callout").about("The month in a line").arg(month()))
        .subcommand(Command::new("months").about("All months with their counts"))
        .subcommand(
            Command::new("compare").about("Own entries beside imported rows").arg(month().required(true)),
        )
        .subcommand(
            Command::new("feature")
                .about("Make one the win of its month")
                .arg(id("Id or its end"))
                .arg(text("story", "TEXT", "A sentence or two"))
                .arg(flag("off", "Take the feature away")),
        )
        .subcommand(Command::new("close").about("Close a month against imports").arg(month().required(true)))
        .subcommand(Command::new("reopen").about("Open a closed month").arg(month().required(true)))
        .subcommand(
            Command::new("delete")
                .about("Delete one; undo brings it back, and so does the next import")
                .arg(id("Id or its end")),
        )
        .subcommands(imports())
}

/// What an import takes beside its file.
fn import_options(command: Command) -> Command {
    command
        .arg(month())
        .arg(flag("append", "Add and change, remove nothing"))
        .arg(flag("dry-run", "Say what would happen, change nothing"))
        .arg(text("mapping", "NAME", "Another mapping than \"2025 Wins with SFDC\""))
        .arg(
            text("owner", "RAW=WHO", "Who an owner of the file is, remembered; - for nobody of us")
                .action(ArgAction::Append),
        )
        .arg(text("account", "RAW=NAME", "Which account a name is, remembered").action(ArgAction::Append))
        .arg(flag("stub-accounts", "Make accounts for names that are not known"))
        .arg(review())
}

fn review() -> Arg {
    flag("review", "Leave it for a review, in the interface or with `pams import`")
}

fn imports() -> [Command; 8] {
    let file = || {
        Arg::new("file").required(true).value_name("FILE").help("A workbook or CSV file; - is standard input")
    };
    let name = || text("name", "FILE.xlsx", "What standard input is called");
    let batch = || id("An import, as `pams wins versions` lists it");
    [
        import_options(
            Command::new("import").about("Import a workbook of wins and losses").arg(file()).arg(name()),
        ),
        import_options(
            Command::new("pull").about("Import a month's closed opportunities from Salesforce; this month's"),
        ),
        Command::new("inspect").about("Show a file's sheets and columns").arg(file()).arg(name()),
        Command::new("versions").about("Imports, of one month or all").arg(month()),
        Command::new("restore")
            .about("Make a month as an earlier import had it")
            .arg(batch())
            .arg(month().required(true)),
        import_options(Command::new("reparse").about("Read an import's file again").arg(batch())),
        Command::new("rejects")
            .about("The rows that an import set aside")
            .arg(batch())
            .arg(path("output", "FILE", "Write them as CSV, to be fixed and imported").short('o')),
        Command::new("mapping")
            .about("Which column of a workbook is what")
            .subcommand_required(true)
            .subcommand(
                Command::new("show").about("Print a mapping").arg(Arg::new("name").value_name("NAME")),
            )
            .subcommand(
                Command::new("edit")
                    .about("Save a mapping from a file, under the name that stands in it")
                    .arg(Arg::new("file").required(true).value_name("FILE.toml")),
            )
            .subcommand(
                Command::new("test")
                    .about("Read a file with a mapping that is not saved yet")
                    .arg(file())
                    .arg(Arg::new("with").long("with").value_name("FILE.toml").help("The mapping to try")),
            ),
    ]
}

/// What can be said about a file under review.
fn answer_options(command: Command) -> Command {
    let many = |name, value, help| text(name, value, help).action(ArgAction::Append);
    let count = |name, help| text(name, "N", help).value_parser(value_parser!(usize));
    command
        .arg(count("sheet", "The sheet that is meant, from 1; the first by default"))
        .arg(count("header", "The row that names the columns, from 1"))
        .arg(many("column", "FIELD=LETTERS", "Which column a field is, such as account=C; - for none"))
        .arg(many(
            "value",
            "FIELD:RAW=VALUE",
            "What a text stands for in all rows, such as outcome:Booked=win",
        ))
        .arg(many("cell", "ROW:FIELD=VALUE", "What one cell should say, such as 41:amount=30000"))
        .arg(many("aside", "ROW|RULE", "Set a row aside, or all that a rule holds back"))
        .arg(many("mend", "RULE", "Mend what a rule of outlets points at, such as COORD-04: swap the two"))
        .arg(many("owner", "RAW=WHO", "Who an owner of the file is, remembered; - for nobody of us"))
        .arg(many("account", "RAW=NAME", "Which account a name is, remembered; - leaves it as it is"))
        .arg(text("dates", "ORDER", "Whether day or month comes first").value_parser(["dmy", "mdy"]))
        .arg(outlets::dialect())
        .arg(text("mapping", "NAME", "Read it with another mapping"))
        .arg(flag("stub-accounts", "Make accounts for names that are not known"))
        .arg(flag("append", "Add and change, remove nothing"))
        .arg(many("leave-month", "YYYY-MM", "Leave a month as it is"))
        .arg(flag("undo", "Take the last answer back"))
}

fn import() -> Command {
    let open = || id("An open import, as `pams import list` shows it");
    Command::new("import")
        .about("Imports under review: what was started with --review, by a folder or in the interface")
        .alias("imports")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("List the open ones"))
        .subcommand(
            Command::new("show")
                .about("What it would do, its columns and its problems")
                .arg(open())
                .arg(text("rule", "CODE", "The rows that this rule is about")),
        )
        .subcommand(answer_options(Command::new("answer").about("Say something about it").arg(open())))
        .subcommand(Command::new("commit").about("Write it, in one change").arg(open()))
        .subcommand(Command::new("drop").about("Give it up; nothing is written").arg(open()))
        .subcommand(
            Command::new("status")
                .about("How far it is")
                .arg(open())
                .arg(flag("follow", "Say it until the file is read")),
        )
        .subcommand(
            Command::new("rollback")
                .about("Take a committed import back, all of it")
                .arg(id("An import, as the import told or the Imports pane lists it")),
        )
        .subcommand(
            Command::new("rejects")
                .about("The rows that a committed import set aside")
                .arg(id("An import, as `pams wins versions` lists it"))
                .arg(path("output", "FILE", "Write them as CSV, to be fixed and imported").short('o')),
        )
        .subcommand(
            Command::new("watch")
                .about("Import the workbooks dropped into a folder; they move to done, review or failed")
                .arg(
                    Arg::new("folder")
                        .required(true)
                        .value_name("FOLDER")
                        .value_parser(value_parser!(PathBuf)),
                )
                .arg(flag("once", "Look once and end, for cron")),
        )
        .subcommand(Command::new("remembered").about("Whom owners and accounts were said to be"))
        .subcommand(
            Command::new("forget")
                .about("Ask about one again with the next import")
                .arg(id("Id or its end, as `pams import remembered` shows it")),
        )
        .subcommand(outlets::map())
        .subcommand(Command::new("rules").about("The rules that rows are checked by"))
}

fn jobs() -> Command {
    Command::new("jobs")
        .about("Background work")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("List what runs, waits and ended lately"))
        .subcommand(Command::new("wait").about("Run or follow what waits until all of it has ended"))
        .subcommand(Command::new("cancel").about("Stop one").arg(id("Id or its end")))
}

fn note() -> Command {
    Command::new("note").about("Meeting notes").subcommand_required(true).subcommand(
        Command::new("import")
            .about("Read a note; what it proposes waits in Drafts as a form, nothing is saved")
            .arg(Arg::new("file").required(true).value_name("FILE").help("A text file; - is standard input"))
            .arg(flag("dry-run", "Show what it proposes, keep nothing")),
    )
}

fn drafts() -> Command {
    Command::new("drafts")
        .about("Changes that wait for a person")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("List them"))
        .subcommand(
            Command::new("show").about("Base, mine and theirs of one").arg(id("Id, its end, or last")),
        )
        .subcommand(
            Command::new("resolve")
                .about("Settle one: mine, theirs or base, whole or field by field")
                .arg(id("Id, its end, or last"))
                .arg(text("choose", "SIDE", "For all fields").value_parser(["mine", "theirs", "base"]))
                .arg(
                    Arg::new("field")
                        .long("field")
                        .value_name("FIELD=SIDE")
                        .action(ArgAction::Append)
                        .help("For one field, such as date=mine"),
                )
                .arg(
                    Arg::new("set")
                        .long("set")
                        .value_name("FIELD=TEXT")
                        .action(ArgAction::Append)
                        .help("For an unsaved form: fill or change a field"),
                )
                .arg(flag("allow-empty-effort", "Enablement may have no effort")),
        )
        .subcommand(
            Command::new("retry")
                .about(
                    "Try again: forms are saved that can be by now, conflicts settled that are none any more",
                )
                .arg(Arg::new("id").num_args(0..).value_name("ID").help("Some; all where not said")),
        )
        .subcommand(
            Command::new("discard")
                .about("Put some away; undo brings them back")
                .arg(Arg::new("id").required(true).num_args(1..).value_name("ID")),
        )
}
