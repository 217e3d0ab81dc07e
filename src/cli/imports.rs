//! Files in: `pams wins import|inspect|versions|restore|reparse|rejects|mapping` and the
//! imports of other records.

use crate::cli::{Context, activity, confirm, output};
use crate::domain::failure::said;
use crate::domain::money::Currency;
use crate::domain::{Failure, FailureKind, Id, Outcome, text};
use crate::engine::{Engine, files};
use crate::intake::dialect::Dialect;
use crate::intake::fixes::Fixes;
use crate::intake::mapping::{DEFAULT_WINS, Mapping, find_tables};
use crate::services::imports::batches::{ListBatches, ListRejects, SaveMapping, ShowMapping};
use crate::services::imports::staging::open_apart;
use crate::services::imports::uploads::Source;
use crate::services::imports::{
    Answer, AnswerReview, Column, CommitReview, DropReview, FindReview, Options, Report, ShowReview,
    StartReview, Started, Target,
};
use clap::ArgMatches;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

pub const VERBS: [&str; 7] = ["import", "inspect", "versions", "restore", "reparse", "rejects", "mapping"];

/// Rows set aside that a preview prints.
const SHOWN: usize = 10;

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "import" => import_wins(context, matches),
        "inspect" => inspect(context, matches, DEFAULT_WINS),
        "versions" => versions(context, matches),
        "restore" | "reparse" => again(context, verb, matches),
        "rejects" => rejects(context, matches),
        _ => mapping(context, matches),
    }
}

fn read_file(matches: &ArgMatches) -> Outcome<(String, Vec<u8>)> {
    read_path(&matches.get_one::<String>("file").cloned().unwrap_or_default(), matches)
}

/// The bytes of a path or of standard input, with a name.
fn read_path(path: &str, matches: &ArgMatches) -> Outcome<(String, Vec<u8>)> {
    let given = matches.try_get_one::<String>("name").ok().flatten().cloned();
    if path == "-" {
        let bytes = files::read_all(std::io::stdin())?;
        return Ok((given.unwrap_or_else(|| "standard input".into()), bytes));
    }
    let (name, bytes) = files::read_path(path)?;
    Ok((given.unwrap_or(name), bytes))
}

pub(super) fn options(context: &Context, matches: &ArgMatches) -> Outcome<Options> {
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

/// `pams wins import FILE`
fn import_wins(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let (name, bytes) = read_file(matches)?;
    let options = options(context, matches)?;
    let engine = context.cli()?;
    let started = files::review(&engine, Target::Wins, name, &bytes, options)?;
    finish(context, &engine, started, matches.get_flag("dry-run"), matches.get_flag("review"))
}

/// `pams account import FILE...`
pub fn import_records(context: &Context, target: Target, matches: &ArgMatches) -> Outcome<()> {
    each_file(context, matches, |engine, path| {
        let (name, bytes) = read_path(&path.to_string_lossy(), matches)?;
        let started = files::review(engine, target, name, &bytes, Options::default())?;
        say_columns(engine, started, matches).inspect_err(|_| {
            let _ = engine.run(&DropReview { review: started.review });
        })
    })
}

/// Starts each file and brings it to its end, or goes on with one that was left.
pub(super) fn each_file(
    context: &Context,
    matches: &ArgMatches,
    start: impl Fn(&Engine, &Path) -> Outcome<Started>,
) -> Outcome<()> {
    let files: Vec<&PathBuf> = matches.get_many("file").into_iter().flatten().collect();
    let engine = context.cli()?;
    let (dry_run, review) = (matches.get_flag("dry-run"), matches.get_flag("review"));
    if let Some(which) = matches.get_one::<String>("resume") {
        let found = engine.ask(&FindReview { which: which.clone() })?;
        let job = engine.ask(&ShowReview { review: found })?.open.job;
        return finish(context, &engine, Started { review: found, job }, false, review);
    }
    if files.is_empty() {
        return Err(
            Failure::usage("Which file?").hint("Give one, or --resume ID to go on with one that was left")
        );
    }
    let mut failed = None;
    for file in &files {
        // One bad file does not stop the others.
        let done = start(&engine, file).and_then(|s| finish(context, &engine, s, dry_run, review));
        if let Err(failure) = done {
            let told = failure.kind == FailureKind::Partial;
            match (files.len() > 1, context.json) {
                // Each file has its object, so that none is missing where they are counted.
                (true, true) if !told => {
                    output::json(&serde_json::json!({ "file": file, "error": output::told(&failure) }))
                }
                (true, false) => output::note(&format!("{}: {}", file.display(), failure.message)),
                _ => {}
            }
            failed = Some(failure);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Answers the review of a file with what was said of its text and columns on the line.
fn say_columns(engine: &Engine, started: Started, matches: &ArgMatches) -> Outcome<Started> {
    let review = started.review;
    let pairs: Vec<&String> = matches.get_many("column").into_iter().flatten().collect();
    let dialect = matches.get_one::<String>("dialect").map(|text| Dialect::parse(text)).transpose()?;
    let header = matches.get_one::<u64>("header-row").map(|row| row.saturating_sub(1) as usize);
    if pairs.is_empty() && dialect.is_none() && header.is_none() {
        return Ok(started);
    }
    // What cannot be read is told where all is told, unless another dialect mends it.
    let mut job = started.job;
    let _ = engine.wait_for(job, |_| {});
    if let Some(dialect) = dialect {
        engine.run(&AnswerReview { review, answers: vec![Answer::Dialect(dialect)] })?;
        job = engine.ask(&ShowReview { review })?.open.job;
        let _ = engine.wait_for(job, |_| {});
    }
    let columns = || -> Outcome<Vec<Column>> {
        let shown = engine.ask(&ShowReview { review })?;
        Ok(shown.report.map(|report| report.columns).unwrap_or_default())
    };
    if let Some(header) = header {
        let sheet = columns()?.first().map_or(0, |c| c.sheet);
        let answers = vec![Answer::Table { sheet, header: Some(header) }];
        engine.run(&AnswerReview { review, answers })?;
    }
    for pair in pairs {
        let (field, title) =
            pair.split_once('=').ok_or_else(|| Failure::usage(format!("\"{pair}\" is not FIELD=HEADER")))?;
        let columns = columns()?;
        let Some(found) = columns.iter().find(|c| text::fold(&c.header) == text::fold(title)) else {
            let titles: Vec<&str> = columns.iter().map(|c| c.header.as_str()).collect();
            return Err(Failure::not_found(format!("There is no column \"{title}\""))
                .hint(format!("There are {}", titles.join(", "))));
        };
        let (field, column) = match (field, found.field.as_str()) {
            ("", "") => continue,
            ("", taken) => (taken.to_owned(), None),
            (field, _) => (field.replace(' ', "_"), Some(found.column)),
        };
        let answers = vec![Answer::Column { sheet: found.sheet, field, column }];
        engine.run(&AnswerReview { review, answers })?;
    }
    Ok(Started { review, job })
}

/// Waits until the file is read, shows what it means, and commits. What is not left for
/// a review on purpose is dropped when it comes to nothing.
pub(super) fn finish(
    context: &Context,
    engine: &Engine,
    started: Started,
    dry_run: bool,
    review: bool,
) -> Outcome<()> {
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
            eprint!("\rread {} % ", 100 * p.done / p.total);
        }
    })?;
    if shows {
        eprint!("\r\x1b[K");
    }
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

pub(super) fn commit(context: &Context, engine: &Engine, review: Id, report: &Report) -> Outcome<()> {
    if !report.asks.is_empty() && !context.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::conflict(report.asks.join("; "))
            .hint("Nothing was changed. If that is right, say so with --yes; --append removes nothing"));
    } else if !report.asks.is_empty() {
        confirm(context, &format!("{}. Go on?", report.asks.join("; ")))?;
    }
    let done = engine.run(&CommitReview { review, agreed: true })?.reply;
    match context.json {
        true => show(context, &done, false),
        false if done.added + done.changed + done.removed == 0 => output::line("nothing to change"),
        false => {
            let told = if done.notified > 0 { format!("; {} told", done.notified) } else { String::new() };
            output::line(&format!("imported: {}{told}; `pams undo` takes it back", done.told()));
        }
    }
    match (done.to_fix(), done.batch) {
        (0, _) => Ok(()),
        (waiting, Some(batch)) => {
            let message = format!("{waiting} of {} rows were set aside", done.rows);
            let hint = format!("`pams import rejects {}` has them with their reasons", batch.short());
            Err(Failure::new(FailureKind::Partial, message).hint(hint))
        }
        (waiting, None) => {
            let message = format!("All {waiting} rows that count were set aside, nothing is in");
            let hint = "--review keeps the import open, to be mended with `pams import answer`";
            Err(Failure::new(FailureKind::Partial, message).hint(hint))
        }
    }
}

pub(super) fn show(context: &Context, import: &Report, preview: bool) {
    if context.json {
        output::json(import);
        return;
    }
    let i = import;
    let sheets: Vec<String> =
        i.sheets.iter().filter(|s| !s.is_empty()).map(|s| format!("sheet \"{s}\"")).collect();
    output::line(&format!("{} ({}) {}", i.file, i.dialect, sheets.join(", ")));
    output::line(&i.equation());
    if !i.scope().is_empty() {
        output::note(&i.scope());
    }
    if !i.again.is_empty() {
        output::note(&format!("the same file was imported {}", i.again));
    }
    if i.target != Target::Wins {
        let used = i.columns.iter().filter(|c| !c.field.is_empty());
        let columns: Vec<String> = used.map(|c| format!("{} from \"{}\"", c.field, c.header)).collect();
        output::line(&format!("columns: {}", columns.join(", ")));
        if !i.unmapped.is_empty() {
            let word = if i.target == Target::Activities { "kept beside" } else { "not used" };
            output::line(&format!("{word}: {}", i.unmapped.join(", ")));
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
        let rows = text::count(p.rows, "row");
        output::note(&format!("in, and to be looked at: {rows}, {} ({})", p.label, p.code));
    }
    for (raw, rows, near) in i.unmatched_owners.iter().take(SHOWN) {
        let near = if near.is_empty() { String::new() } else { format!("; near: {}", near.join(", ")) };
        output::note(&format!(
            "owner \"{raw}\" ({}) is nobody known{near}; say --owner \"{raw}=NAME\"",
            text::count(*rows, "row")
        ));
    }
    if !i.unknown_accounts.is_empty() {
        output::note(&format!(
            "not known, and left as they are written: {}; --stub-accounts makes them",
            text::count(i.new_accounts, "account")
        ));
    }
    if preview && i.target == Target::Outlets && i.removed > 0 {
        output::note(&format!(
            "not in this file, and so to be removed: {}",
            text::count(i.removed, "outlet")
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
        true => {
            let month = activity::month(matches)?;
            Options { month, agreed: true, whole_month: true, ..Options::default() }
        }
        false => options(context, matches)?,
    };
    let started = engine.run(&StartReview { target: Target::Wins, source, options })?.reply;
    let flag = |name: &str| !restores && matches.get_flag(name);
    let context = Context { yes: context.yes || restores, ..context.clone() };
    match finish(&context, &engine, started, flag("dry-run"), flag("review")) {
        // What a version never had does not come back: that is known.
        Err(failure) if restores && failure.kind == FailureKind::Partial => Ok(()),
        done => done,
    }
}

pub(super) fn rejects(context: &Context, matches: &ArgMatches) -> Outcome<()> {
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
    output::note(&format!("{} written; mended, they go in with --append", text::count(rows.len(), "row")));
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
