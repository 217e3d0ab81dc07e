//! Files in: `pams wins import|inspect|versions|restore|reparse|rejects|mapping`, the
//! imports of other records, open reviews (`pams import`) and jobs (`pams jobs`).

use crate::cli::{Context, activity, confirm, output};
use crate::domain::failure::said;
use crate::domain::money::Currency;
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::engine::{Engine, files};
use crate::intake::fixes::Fixes;
use crate::intake::mapping::{DEFAULT_WINS, Mapping, find_tables};
use crate::intake::rules::RULES;
use crate::services::imports::batches::{ListBatches, ListRejects, SaveMapping, ShowMapping};
use crate::services::imports::staging::open_apart;
use crate::services::imports::uploads::Source;
use crate::services::imports::{
    Answer, AnswerReview, CommitReview, DropReview, FindReview, ListLines, ListReviews, Options, Report,
    ShowReview, Shown, StartReview, Started, TakeBack, Target,
};
use crate::services::jobs::{CancelJob, JobState, ListJobs};
use clap::ArgMatches;
use std::io::IsTerminal;
use std::path::PathBuf;

pub const VERBS: [&str; 7] = ["import", "inspect", "versions", "restore", "reparse", "rejects", "mapping"];

/// Rows set aside that a preview prints.
const SHOWN: usize = 10;

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "import" => import_file(context, Target::Wins, matches),
        "inspect" => inspect(context, matches, DEFAULT_WINS),
        "versions" => versions(context, matches),
        "restore" | "reparse" => again(context, verb, matches),
        "rejects" => rejects(context, matches),
        _ => mapping(context, matches),
    }
}

/// The bytes of a path or of standard input, with a name.
fn read_file(matches: &ArgMatches) -> Outcome<(String, Vec<u8>)> {
    let path = matches.get_one::<String>("file").cloned().unwrap_or_default();
    let given = matches.try_get_one::<String>("name").ok().flatten().cloned();
    if path == "-" {
        let bytes = files::read_all(std::io::stdin())?;
        return Ok((given.unwrap_or_else(|| "standard input".into()), bytes));
    }
    let (name, bytes) = files::read_path(&path)?;
    Ok((given.unwrap_or(name), bytes))
}

fn options(context: &Context, matches: &ArgMatches) -> Outcome<Options> {
    let pairs = |name: &str| -> Outcome<Vec<(String, String)>> {
        let given = matches.get_many::<String>(name).into_iter().flatten();
        given
            .map(|pair| match pair.rsplit_once('=') {
                Some((raw, who)) if !raw.trim().is_empty() => {
                    Ok((raw.trim().to_owned(), who.trim().to_owned()))
                }
                _ => Err(Failure::usage(format!("\"{pair}\" is not RAW=NAME"))),
            })
            .collect()
    };
    Ok(Options {
        month: activity::month(matches)?,
        append: matches.get_flag("append"),
        mapping: matches.get_one::<String>("mapping").cloned().unwrap_or_default(),
        agreed: context.yes,
        owners: pairs("owner")?,
        accounts: pairs("account")?,
        stub_accounts: matches.get_flag("stub-accounts"),
        ..Options::default()
    })
}

/// `pams wins import FILE`, `pams account import FILE`
pub fn import_file(context: &Context, target: Target, matches: &ArgMatches) -> Outcome<()> {
    let (name, bytes) = read_file(matches)?;
    let options = if target == Target::Wins { options(context, matches)? } else { Options::default() };
    let engine = context.cli()?;
    let started = files::review(&engine, target, name, &bytes, options)?;
    finish(context, &engine, started, matches.get_flag("dry-run"), matches.get_flag("review"))
}

/// Waits until the file is read, shows what it means, and commits. What is not left for
/// a review on purpose is dropped when it comes to nothing.
fn finish(context: &Context, engine: &Engine, started: Started, dry_run: bool, review: bool) -> Outcome<()> {
    let done = wait_and_commit(context, engine, started, dry_run, review);
    if !review && (dry_run || done.is_err()) {
        // A commit that came through has ended the review already.
        let _ = engine.run(&DropReview { review: started.review });
    }
    done
}

fn wait_and_commit(
    context: &Context,
    engine: &Engine,
    started: Started,
    dry_run: bool,
    review: bool,
) -> Outcome<()> {
    let shows = std::io::stderr().is_terminal() && !context.json;
    engine.wait_for(started.job, |p| {
        if shows && p.total > 0 {
            eprint!("\rread {} of {} rows ", p.done, p.total);
        }
    })?;
    let shown = engine.ask(&ShowReview { review: started.review })?;
    let report = match (shown.report, shown.failure) {
        (Some(report), _) => report,
        (None, failure) => return Err(failure.unwrap_or_else(|| Failure::internal("The file was not read"))),
    };
    if review {
        let id = started.review.short();
        show(context, &report, true);
        output::note(&format!("waits for review: `pams import show {id}`, or Imports in the interface"));
        return Ok(());
    }
    if let Some(refusal) = report.refusal() {
        return Err(refusal);
    }
    if dry_run || !context.json {
        show(context, &report, true);
    }
    if dry_run {
        return Ok(());
    }
    commit(context, engine, started.review, &report)
}

fn commit(context: &Context, engine: &Engine, review: Id, report: &Report) -> Outcome<()> {
    if !report.asks.is_empty() {
        confirm(context, &format!("{}. Go on?", report.asks.join("; ")))?;
    }
    let done = engine.run(&CommitReview { review, agreed: true })?.reply;
    match context.json {
        true => show(context, &done, false),
        false if done.added + done.changed + done.removed == 0 => output::line("nothing to change"),
        false => {
            let told = if done.notified > 0 { format!("; {} told", done.notified) } else { String::new() };
            output::line(&format!(
                "imported: {} added, {} changed, {} removed{told}; `pams undo` takes it back",
                done.added, done.changed, done.removed
            ));
        }
    }
    let waiting = done.to_fix();
    if waiting > 0 && done.batch.is_some() {
        let message = format!("{waiting} rows were set aside, the others are in");
        let hint = "`pams import rejects` has them with their reasons";
        return Err(Failure::new(FailureKind::Partial, message).hint(hint));
    }
    Ok(())
}

/// `pams import list|show|answer|commit|drop|rejects|rules`
pub fn reviews(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    if verb == "rules" {
        let rows: Vec<Vec<String>> = RULES
            .iter()
            .map(|r| {
                vec![r.code.into(), format!("{:?}", r.weight).to_lowercase(), r.label.into(), r.fix.into()]
            })
            .collect();
        if context.json {
            let names = ["code", "weight", "label", "fix"];
            let item = |r: &Vec<String>| {
                names.iter().zip(r).map(|(n, t)| ((*n).to_owned(), t.clone().into())).collect()
            };
            let items: Vec<serde_json::Map<String, serde_json::Value>> = rows.iter().map(item).collect();
            output::json(&serde_json::json!({ "items": items }));
        } else {
            output::table(&["code", "weight", "what", "what to do"], &rows);
        }
        return Ok(());
    }
    match verb {
        "rejects" => return rejects(context, matches),
        "watch" => return super::watch::run(context, matches),
        _ => {}
    }
    let engine = context.cli()?;
    if verb == "list" {
        let open = engine.ask(&ListReviews {})?;
        if context.json {
            output::json(&serde_json::json!({ "items": open }));
        } else if open.is_empty() {
            output::note("No import is open; `pams wins import FILE --review` starts one");
        } else {
            let rows: Vec<Vec<String>> = open
                .into_iter()
                .map(|o| vec![o.id.short(), o.target.plural().into(), o.file, o.by, o.at, o.step, o.message])
                .collect();
            output::table(&["id", "of", "file", "by", "touched", "step", ""], &rows);
        }
        return Ok(());
    }
    let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
    let review = engine.ask(&FindReview { which })?;
    match verb {
        "drop" => {
            engine.run(&DropReview { review })?;
            output::line("dropped");
            return Ok(());
        }
        "answer" if matches.get_flag("undo") => {
            let back = engine.run(&TakeBack { review })?.reply;
            output::note(&back.map_or("nothing was said yet".into(), |a| format!("taken back: {a:?}")));
        }
        "answer" => {
            engine.run(&AnswerReview { review, answers: answers(matches)? })?;
        }
        _ => {}
    }
    let shown = engine.ask(&ShowReview { review })?;
    if verb == "commit" {
        let report = match (shown.report, shown.failure) {
            (Some(report), _) => report,
            (None, failure) => {
                return Err(failure.unwrap_or_else(|| Failure::conflict("The file is still being read")));
            }
        };
        return commit(context, &engine, review, &report);
    }
    show_review(context, &engine, review, shown, matches)
}

fn show_review(
    context: &Context,
    engine: &Engine,
    review: Id,
    shown: Shown,
    matches: &ArgMatches,
) -> Outcome<()> {
    let code = matches.try_get_one::<String>("rule").ok().flatten().cloned();
    if let Some(code) = code {
        let lines = engine.ask(&ListLines {
            review,
            code: code.to_uppercase(),
            decided: false,
            from: 0,
            limit: 500,
        })?;
        if context.json {
            output::json(&serde_json::json!({ "items": lines }));
            return Ok(());
        }
        let rows: Vec<Vec<String>> = lines
            .into_iter()
            .map(|l| vec![l.place.1.to_string(), l.raw, l.alike.to_string(), l.message])
            .collect();
        output::table(&["row", "text", "alike", "why"], &rows);
        return Ok(());
    }
    if context.json {
        output::json(&shown);
        return Ok(());
    }
    let Some(report) = shown.report else {
        let open = shown.open;
        output::line(&format!("{}: {} {}", open.file, open.step, open.message));
        return Ok(());
    };
    show(context, &report, true);
    let columns: Vec<Vec<String>> = report
        .columns
        .iter()
        .map(|c| vec![c.header.clone(), c.field.clone(), c.samples.join(" | ")])
        .collect();
    output::table(&["column", "is", "values"], &columns);
    if let Some(refusal) = report.refusal() {
        output::note(&format!("note:  {}", refusal.message));
    }
    let problems: Vec<Vec<String>> = report
        .problems
        .iter()
        .map(|p| vec![p.weight.clone(), p.code.clone(), p.label.clone(), p.rows.to_string()])
        .collect();
    output::table(&["", "rule", "what", "rows"], &problems);
    Ok(())
}

/// What was said on the line about a review.
fn answers(matches: &ArgMatches) -> Outcome<Vec<Answer>> {
    let all = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned();
    let usage = |text: &str, shape: &str| Failure::usage(format!("\"{text}\" is not {shape}"));
    let pair = |text: &str, shape: &str| -> Outcome<(String, String)> {
        let (raw, who) = text.rsplit_once('=').ok_or_else(|| usage(text, shape))?;
        Ok((raw.trim().to_owned(), who.trim().to_owned()))
    };
    let number = |text: &str, shape: &str| text.trim().parse::<usize>().map_err(|_| usage(text, shape));
    let sheet = matches.get_one::<usize>("sheet").copied().unwrap_or(1).max(1) - 1;
    let mut answers = Vec::new();
    if let Some(header) = matches.get_one::<usize>("header") {
        answers.push(Answer::Table { sheet, header: Some(header.max(&1) - 1) });
    }
    for text in all("column") {
        let (field, column) = pair(&text, "FIELD=COLUMN")?;
        let column = match column.as_str() {
            "-" => None,
            name => Some(column_number(name).ok_or_else(|| usage(name, "a column's letters, or -"))?),
        };
        answers.push(Answer::Column { sheet, field: field.replace(' ', "_"), column });
    }
    for text in all("value") {
        let shape = "FIELD:RAW=VALUE";
        let (of, value) = pair(&text, shape)?;
        let (field, raw) = of.split_once(':').ok_or_else(|| usage(&text, shape))?;
        answers.push(Answer::Value { field: field.to_owned(), raw: raw.to_owned(), value });
    }
    for text in all("cell") {
        let shape = "ROW:FIELD=VALUE";
        let (of, value) = pair(&text, shape)?;
        let (row, field) = of.split_once(':').ok_or_else(|| usage(&text, shape))?;
        answers.push(Answer::Cell { place: (sheet, number(row, shape)?), field: field.to_owned(), value });
    }
    for row in all("aside") {
        answers.push(match row.parse() {
            Ok(row) => Answer::Aside(vec![(sheet, row)]),
            Err(_) => Answer::AsideAlike { code: row.to_uppercase(), raw: None },
        });
    }
    for text in all("owner") {
        let (raw, who) = pair(&text, "RAW=WHO")?;
        answers.push(Answer::Owner { raw, who });
    }
    for text in all("account") {
        let (raw, who) = pair(&text, "RAW=NAME")?;
        answers.push(Answer::Account { raw, who });
    }
    if let Some(order) = matches.get_one::<String>("dates") {
        answers.push(Answer::Dates(order.clone()));
    }
    if let Some(name) = matches.get_one::<String>("mapping") {
        answers.push(Answer::Mapping(name.clone()));
    }
    for (flag, answer) in [("stub-accounts", Answer::Stubs(true)), ("append", Answer::Append(true))] {
        if matches.get_flag(flag) {
            answers.push(answer);
        }
    }
    for text in all("leave-month") {
        let month = crate::domain::when::Month::parse(&text).map_err(Failure::usage)?;
        answers.push(Answer::Month { month, replace: false });
    }
    if answers.is_empty() {
        return Err(Failure::usage("Nothing was said").hint("`pams import answer --help` lists what can be"));
    }
    Ok(answers)
}

/// `A` is 0, `AB` is 27, as spreadsheets letter their columns.
fn column_number(letters: &str) -> Option<usize> {
    let mut number = 0usize;
    for letter in letters.bytes() {
        if !letter.is_ascii_alphabetic() || number > 100_000 {
            return None;
        }
        number = number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1;
    }
    number.checked_sub(1)
}

/// `pams jobs list|cancel`
pub fn jobs(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    if verb == "cancel" {
        let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
        let job = engine.run(&CancelJob { which })?.reply;
        output::line(&format!("cancelled: {}", job.title));
        return Ok(());
    }
    if verb == "wait" {
        for job in engine.ask(&ListJobs {})?.into_iter().filter(|j| j.state == JobState::Waiting) {
            match engine.wait_for(job.id, |_| {}) {
                Ok(()) => output::note(&format!("done:  {}", job.title)),
                Err(failure) => output::note(&format!("ended: {}: {}", job.title, failure.message)),
            }
        }
    }
    let all = engine.ask(&ListJobs {})?;
    if context.json {
        output::json(&serde_json::json!({ "items": all }));
        return Ok(());
    }
    let state = |state: JobState| format!("{state:?}").to_lowercase();
    let rows: Vec<Vec<String>> = all
        .into_iter()
        .rev()
        .map(|j| {
            vec![j.id.short(), j.title, state(j.state), j.failure.map(|f| f.message).unwrap_or_default()]
        })
        .collect();
    match rows.is_empty() {
        true => output::note("No job runs or waits"),
        false => output::table(&["id", "job", "state", ""], &rows),
    }
    Ok(())
}

fn show(context: &Context, import: &Report, preview: bool) {
    if context.json {
        output::json(import);
        return;
    }
    let i = import;
    let sheets: Vec<String> =
        i.sheets.iter().filter(|s| !s.is_empty()).map(|s| format!("sheet \"{s}\"")).collect();
    output::line(&format!("{} ({}) {}", i.file, i.dialect, sheets.join(", ")));
    output::line(&i.equation());
    if !i.again.is_empty() {
        output::note(&format!("the same file was imported {}", i.again));
    }
    if i.target != Target::Wins {
        let used = i.columns.iter().filter(|c| !c.field.is_empty());
        let columns: Vec<String> = used.map(|c| format!("{} from \"{}\"", c.field, c.header)).collect();
        output::line(&format!("columns: {}", columns.join(", ")));
        if !i.unmapped.is_empty() {
            output::line(&format!("not used: {}", i.unmapped.join(", ")));
        }
    }
    let rows: Vec<Vec<String>> = i
        .months
        .iter()
        .map(|m| {
            let numbers = [m.wins, m.losses, m.added, m.changed, m.removed, m.same, m.stored];
            let mut row = vec![m.month.clone()];
            row.extend(numbers.iter().map(usize::to_string));
            row.push(
                if m.left_out {
                    "left as it is"
                } else if m.closed {
                    "closed"
                } else {
                    ""
                }
                .to_owned(),
            );
            row
        })
        .collect();
    if i.target == Target::Wins {
        output::table(&["month", "won", "lost", "added", "changed", "removed", "same", "stored", ""], &rows);
        for (outcome, money) in &i.totals {
            output::line(&format!("{} {money}", if outcome == "win" { "won" } else { "lost" }));
        }
    }
    for aside in i.aside.iter().take(SHOWN) {
        output::note(&format!("row {}: {} ({})", aside.row, aside.message, aside.code));
    }
    if i.rejected > SHOWN {
        output::note(&format!("... {} more set aside", i.rejected - SHOWN));
    }
    // Names are asked for below, removed rows are in the table.
    let told_apart = ["OPP-06", "OPP-07", "OPP-14"];
    for p in i.problems.iter().filter(|p| p.weight == "look" && !told_apart.contains(&p.code.as_str())) {
        output::note(&format!("{} rows go in and need a look: {} ({})", p.rows, p.label, p.code));
    }
    for (raw, rows, near) in i.unmatched_owners.iter().take(SHOWN) {
        let near = if near.is_empty() { String::new() } else { format!("; near: {}", near.join(", ")) };
        output::note(&format!(
            "owner \"{raw}\" ({rows} rows) is nobody known{near}; say --owner \"{raw}=NAME\""
        ));
    }
    if !i.unknown_accounts.is_empty() {
        output::note(&format!(
            "{} accounts are not known and stay as they are written; --stub-accounts makes them",
            i.unknown_accounts.len()
        ));
    }
    if preview && !i.told.is_empty() {
        output::note(&format!("will be told: {}", i.told.join(", ")));
    }
}

fn versions(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let items = context.cli()?.ask(&ListBatches { month: activity::month(matches)? })?;
    if context.json {
        output::json(&serde_json::json!({ "items": items }));
        return Ok(());
    }
    let columns = ["at", "by", "file", "rows", "wins", "losses", "added", "changed", "removed", "rejected"];
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|i| [i.id.short()].into_iter().chain(columns.iter().map(|c| i.text(c))).collect())
        .collect();
    output::table(&[&["id"][..], &columns[..]].concat(), &rows);
    Ok(())
}

fn again(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
    let source = Source::Batch { which };
    let engine = context.cli()?;
    // Going back to a version is the wish itself: what it lacks may go.
    let restores = verb == "restore";
    let options = match restores {
        true => Options { month: activity::month(matches)?, agreed: true, ..Options::default() },
        false => options(context, matches)?,
    };
    let started = engine.run(&StartReview { target: Target::Wins, source, options })?.reply;
    let flag = |name: &str| !restores && matches.get_flag(name);
    let context = Context { yes: context.yes || restores, ..context.clone() };
    finish(&context, &engine, started, flag("dry-run"), flag("review"))
}

fn rejects(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
    let engine = context.cli()?;
    let (mut rows, mut header, mut from) = (Vec::new(), Vec::new(), 0);
    loop {
        let page = engine.ask(&ListRejects { which: which.clone(), from })?;
        header = if header.is_empty() { page.header } else { header };
        rows.extend(page.rows);
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    let Some(path) = matches.get_one::<PathBuf>("output") else {
        if context.json {
            output::json(&serde_json::json!({ "header": header, "rows": rows }));
        } else {
            let rows: Vec<Vec<String>> = rows
                .into_iter()
                .map(|r| vec![r.row.to_string(), r.code, r.message, r.cells.join(" | ")])
                .collect();
            output::table(&["row", "code", "why", "cells"], &rows);
        }
        return Ok(());
    };
    let failed = |e: csv::Error| Failure::internal(format!("{} cannot be written: {e}", path.display()));
    if path.exists() {
        confirm(context, &format!("There is a file {} already. Write over it?", path.display()))?;
    }
    let mut csv = csv::WriterBuilder::new().flexible(true).from_path(path).map_err(failed)?;
    let widest = rows.iter().map(|r| r.cells.len()).chain([header.len()]).max().unwrap_or(0);
    header.resize(widest, String::new());
    csv.write_record(header.iter().map(String::as_str).chain(["PAMS code", "PAMS why"])).map_err(failed)?;
    for row in &rows {
        let mut cells = row.cells.clone();
        cells.resize(widest, String::new());
        csv.write_record(cells.iter().chain([&row.code, &row.message])).map_err(failed)?;
    }
    csv.flush().map_err(|e| Failure::internal(format!("{} cannot be written: {e}", path.display())))?;
    output::note(&format!("{} rows written", rows.len()));
    Ok(())
}

/// A file's sheets, and what a mapping makes of them; needs no store.
fn inspect(context: &Context, matches: &ArgMatches, mapping: &str) -> Outcome<()> {
    let (name, bytes) = read_file(matches)?;
    let opened = open_apart(&context.folders.places().workers, &name, &bytes)?;
    let mapping = Mapping::parse("the mapping", mapping)?;
    let tables = find_tables(&opened, &mapping, &Fixes::default()).or_refuse();
    let sheets: Vec<serde_json::Value> = opened
        .sheets
        .iter()
        .map(|s| {
            let columns = s.rows.iter().map(Vec::len).max().unwrap_or(0);
            serde_json::json!({ "name": s.name, "hidden": s.hidden, "rows": s.rows.len(), "columns": columns })
        })
        .collect();
    let (found, why) = match &tables {
        Ok(tables) => (tables.clone(), None),
        Err(failure) => (vec![], Some(failure.message.clone())),
    };
    if context.json {
        output::json(
            &serde_json::json!({ "dialect": opened.dialect, "sheets": sheets, "tables": found, "why": why }),
        );
        return Ok(());
    }
    output::line(&format!("{name}: {}", opened.dialect));
    for sheet in sheets {
        output::line(&format!("sheet {} {} rows {} columns", sheet["name"], sheet["rows"], sheet["columns"]));
    }
    for table in &found {
        output::line(&format!("table in sheet \"{}\", header in row {}", table.sheet_name, table.header + 1));
        let sheet = &opened.sheets[table.sheet];
        let rows: Vec<Vec<String>> = table
            .columns
            .iter()
            .map(|(field, column)| {
                let cell = |row: usize| sheet.rows.get(row).and_then(|r| r.get(*column)).map(|c| c.text());
                let samples: Vec<String> = (1..4).filter_map(|n| cell(table.header + n)).collect();
                vec![field.clone(), cell(table.header).unwrap_or_default(), samples.join(" | ")]
            })
            .collect();
        output::table(&["field", "column", "values"], &rows);
        if !table.unmapped.is_empty() {
            output::line(&format!("not used: {}", table.unmapped.join(", ")));
        }
    }
    if let Some(why) = why {
        output::note(&format!("note:  {why}"));
    }
    Ok(())
}

fn mapping(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let text_of = |path: &str| {
        std::fs::read_to_string(path)
            .map_err(|e| Failure::invalid(format!("{path} cannot be read: {}", said(&e))))
    };
    match verb {
        "show" => {
            let name = matches.get_one::<String>("name").cloned().unwrap_or_default();
            let text = context.cli()?.ask(&ShowMapping { name })?;
            match context.json {
                true => output::json(&Mapping::parse("the mapping", &text)?),
                false => output::line(text.trim_end()),
            }
        }
        "edit" => {
            let path = matches.get_one::<String>("file").cloned().unwrap_or_default();
            let name = context.cli()?.run(&SaveMapping { text: text_of(&path)? })?.reply;
            output::line(&format!("saved mapping \"{name}\""));
        }
        _ => {
            let text = match matches.get_one::<String>("with") {
                Some(path) => text_of(path)?,
                None => DEFAULT_WINS.to_owned(),
            };
            let (name, bytes) = read_file(matches)?;
            let mapping = Mapping::parse("the mapping", &text)?;
            let opened = open_apart(&context.folders.places().workers, &name, &bytes)?;
            let fixes = Fixes::default();
            let read = crate::intake::wins::read(&opened, &mapping, &fixes, Currency(*b"EUR"))?;
            let value = serde_json::json!({
                "rows": read.rows, "kept": read.kept.len(), "rejected": read.rejected.len(),
                "skipped": read.skipped.len(), "tables": read.tables,
            });
            match context.json {
                true => output::json(&value),
                false => output::line(&format!(
                    "{} rows = {} kept + {} set aside + {} skipped",
                    read.rows,
                    read.kept.len(),
                    read.rejected.len(),
                    read.skipped.len()
                )),
            }
        }
    }
    Ok(())
}
