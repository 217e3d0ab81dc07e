//! `pams wins import|inspect|versions|restore|reparse|rejects|mapping`

use crate::cli::{Context, activity, confirm, output};
use crate::domain::money::Currency;
use crate::domain::{Failure, Outcome};
use crate::engine::{Engine, files};
use crate::intake::mapping::{DEFAULT_WINS, Mapping, find_tables};
use crate::intake::open::open;
use crate::services::imports::{
    ImportWins, ListBatches, ListRejects, Options, PreviewWins, SaveMapping, ShowMapping, WinsImport,
};
use crate::services::uploads::Source;
use clap::ArgMatches;
use std::path::PathBuf;

pub const VERBS: [&str; 7] = ["import", "inspect", "versions", "restore", "reparse", "rejects", "mapping"];

/// Rows set aside that a preview prints.
const SHOWN: usize = 10;

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "import" => import_file(context, matches),
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
    })
}

fn import_file(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let (name, bytes) = read_file(matches)?;
    let options = options(context, matches)?;
    let engine = context.cli()?;
    let source = files::upload(&engine, name, &bytes)?;
    let result = import(context, &engine, source.clone(), options, matches.get_flag("dry-run"));
    files::forget(&engine, &source);
    result
}

fn import(
    context: &Context,
    engine: &Engine,
    source: Source,
    mut options: Options,
    dry_run: bool,
) -> Outcome<()> {
    let preview = engine.ask(&PreviewWins { source: source.clone(), options: options.clone() })?;
    if dry_run {
        show(context, &preview, true);
        return Ok(());
    }
    if !context.json {
        show(context, &preview, true);
    }
    if !preview.asks.is_empty() && !options.agreed {
        confirm(context, &format!("{}. Go on?", preview.asks.join("; ")))?;
        options.agreed = true;
    }
    let done = engine.run(&ImportWins { source, options })?.reply;
    match context.json {
        true => show(context, &done, false),
        false if done.batch.is_none() || done.added + done.changed + done.removed == 0 => {
            output::line("nothing to change");
        }
        false => output::line(&format!(
            "imported: {} added, {} changed, {} removed; {} told; `pams undo` takes it back",
            done.added, done.changed, done.removed, done.notified
        )),
    }
    match done.rejected {
        0 => Ok(()),
        n => {
            output::note(&format!("note:  {n} rows were set aside; `pams wins rejects` has them"));
            Ok(())
        }
    }
}

fn show(context: &Context, import: &WinsImport, preview: bool) {
    if context.json {
        output::json(import);
        return;
    }
    let i = import;
    let sheets: Vec<String> =
        i.sheets.iter().filter(|s| !s.is_empty()).map(|s| format!("sheet \"{s}\"")).collect();
    output::line(&format!("{} ({}) {}", i.file, i.dialect, sheets.join(", ")));
    output::line(&format!(
        "{} rows = {} won + {} lost + {} set aside + {} skipped",
        i.rows, i.wins, i.losses, i.rejected, i.skipped
    ));
    let rows: Vec<Vec<String>> = i
        .months
        .iter()
        .map(|m| {
            let numbers = [m.wins, m.losses, m.added, m.changed, m.removed, m.same, m.stored];
            let mut row = vec![m.month.clone()];
            row.extend(numbers.iter().map(usize::to_string));
            row.push(if m.closed { "closed".into() } else { String::new() });
            row
        })
        .collect();
    output::table(&["month", "won", "lost", "added", "changed", "removed", "same", "stored", ""], &rows);
    for aside in i.aside.iter().take(SHOWN) {
        output::note(&format!("row {}: {} ({})", aside.row, aside.message, aside.code));
    }
    if i.rejected > SHOWN {
        output::note(&format!("... {} more set aside", i.rejected - SHOWN));
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
    if verb == "restore" {
        // Going back to a version is the wish itself: what it lacks may go.
        let options = Options { month: activity::month(matches)?, agreed: true, ..Options::default() };
        return import(context, &engine, source, options, false);
    }
    import(context, &engine, source, options(context, matches)?, matches.get_flag("dry-run"))
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
    let opened = open(&name, &bytes)?;
    let mapping = Mapping::parse("the mapping", mapping)?;
    let tables = find_tables(&opened, &mapping);
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
        std::fs::read_to_string(path).map_err(|e| Failure::invalid(format!("{path} cannot be read: {e}")))
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
            let read = crate::intake::wins::read(&open(&name, &bytes)?, &mapping, Currency(*b"EUR"))?;
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
