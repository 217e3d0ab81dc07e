//! `pams drafts …`, and time: undo, redo, history, recent.

use crate::cli::{Context, output, record};
use crate::domain::schema::Kind;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::services::drafts::{DiscardDrafts, ListDrafts, ResolveDraft, RetryDrafts, ShowDraft};
use crate::services::records::History;
use crate::services::undo::{Recent, Redo, Undo, Undone};
use clap::ArgMatches;
use std::collections::BTreeMap;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let engine = context.cli()?;
    let id = || matches.get_one::<String>("id").cloned().unwrap_or_default();
    match verb {
        "list" => {
            let page = engine.ask(&ListDrafts {})?;
            if context.json {
                output::json(&page);
            } else if page.items.is_empty() {
                output::note("No drafts: nothing waits for you");
            } else {
                let rows: Vec<Vec<String>> = page
                    .items
                    .iter()
                    .map(|i| {
                        vec![i.id.short(), i.text("reason"), i.text("title"), i.text("at"), i.text("message")]
                    })
                    .collect();
                output::table(&["id", "reason", "what", "since", "why"], &rows);
            }
        }
        "show" => {
            let draft = engine.ask(&ShowDraft { which: id() })?;
            if context.json {
                output::json(&draft);
                return Ok(());
            }
            output::line(&format!("{}: {}", draft.item.text("reason"), draft.target_name));
            output::line(&draft.item.text("message"));
            if draft.held > 0 {
                output::line(&format!("{} of it wait", crate::domain::text::count(draft.held, "change")));
            }
            for (name, text) in &draft.input {
                output::line(&format!("{name}: {text}"));
            }
            if !draft.fields.is_empty() {
                let rows: Vec<Vec<String>> = draft
                    .fields
                    .iter()
                    .map(|(name, [base, mine, theirs])| {
                        vec![name.clone(), base.clone(), mine.clone(), theirs.clone()]
                    })
                    .collect();
                let theirs = format!("theirs ({}, {})", draft.theirs_by, draft.theirs_at);
                output::table(&["field", "base", "mine", &theirs], &rows);
            }
        }
        "retry" => {
            let which: Vec<String> =
                matches.get_many::<String>("id").into_iter().flatten().cloned().collect();
            let retried = engine.run(&RetryDrafts { which })?.reply;
            if context.json {
                output::json(&retried);
            } else {
                retried.settled.iter().for_each(|title| output::line(&format!("settled: {title}")));
                let rows = retried.left.iter();
                rows.for_each(|left| {
                    output::line(&format!("left: {} {}: {}", left.draft.short(), left.title, left.why));
                });
            }
            if !retried.left.is_empty() {
                return Err(Failure::new(
                    FailureKind::Partial,
                    format!("{} go on waiting", crate::domain::text::count(retried.left.len(), "draft")),
                )
                .hint("`pams drafts show ID` has both sides; `pams drafts resolve ID` settles one"));
            }
        }
        "resolve" => resolve(context, &engine, &id(), matches)?,
        "discard" => {
            let which: Vec<String> =
                matches.get_many::<String>("id").into_iter().flatten().cloned().collect();
            let n = engine.run(&DiscardDrafts { which })?.reply;
            if context.json {
                output::json(&serde_json::json!({ "discarded": n }));
            } else {
                output::line(&format!("discarded {n}; `pams undo` brings back"));
            }
        }
        other => return Err(Failure::usage(format!("There is no \"{other}\""))),
    }
    Ok(())
}

fn resolve(context: &Context, engine: &crate::engine::Engine, id: &str, matches: &ArgMatches) -> Outcome<()> {
    let pairs = |name: &str| -> Outcome<BTreeMap<String, String>> {
        let given = matches.get_many::<String>(name).into_iter().flatten();
        given
            .map(|pair| match pair.split_once('=') {
                Some((field, value)) => Ok((field.replace('-', "_"), value.to_owned())),
                None => Err(Failure::usage(format!("\"{pair}\" is not FIELD=VALUE"))),
            })
            .collect()
    };
    let (choices, input) = (pairs("field")?, pairs("set")?);
    let choose = matches.get_one::<String>("choose").cloned();
    let unsaved = engine.ask(&ShowDraft { which: id.to_owned() })?.item.text("reason") == "unsaved";
    if choose.is_none() && choices.is_empty() && !unsaved {
        return Err(Failure::usage("Say which side counts: --choose mine, theirs or base"));
    }
    let ack = if matches.get_flag("allow-empty-effort") { vec!["ACT-02".to_owned()] } else { vec![] };
    let choose = choose.unwrap_or_else(|| "theirs".into());
    let resolved = engine.run(&ResolveDraft { which: id.to_owned(), choose, choices, input, ack })?.reply;
    match (&resolved.saved, context.json) {
        (_, true) => output::json(&resolved),
        (Some(saved), false) => record::saved(context, "saved", saved),
        (None, false) if resolved.changed.is_empty() => output::line("resolved: theirs stays"),
        (None, false) => output::line(&format!("resolved: changed {}", resolved.changed.join(", "))),
    }
    Ok(())
}

pub fn time(context: &Context, noun: &str, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    match noun {
        "undo" => {
            let txn = match matches.get_one::<String>("txn") {
                Some(text) => Some(text.parse().map_err(|_| {
                    Failure::usage(format!("There is no transaction \"{text}\""))
                        .hint("`pams recent` lists them with their ids in full")
                })?),
                None => None,
            };
            undone(context, "undone", &engine.run(&Undo { txn })?.reply);
        }
        "redo" => undone(context, "redone", &engine.run(&Redo {})?.reply),
        "history" => {
            let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
            let kind = Kind::parse(&text("kind")).ok_or_else(|| {
                let names: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
                Failure::usage(format!("\"{}\" is not a kind", text("kind"))).hint(names.join(", "))
            })?;
            let limit = matches.get_one::<usize>("limit").copied().unwrap_or(50);
            let rows = engine.ask(&History { kind, which: text("id"), limit })?;
            if context.json {
                output::json(&serde_json::json!({ "items": rows }));
                return Ok(());
            }
            for row in rows {
                output::line(&format!("{}  {}  {} ({}, {})", row.at, row.by, row.what, row.via, row.verdict));
                for (field, old, new) in row.fields {
                    output::line(&format!("    {field}: {} > {}", output::plain(&old), output::plain(&new)));
                }
            }
        }
        _ => {
            let limit = matches.get_one::<usize>("limit").copied().unwrap_or(20);
            let rows = engine.ask(&Recent { limit })?;
            if context.json {
                output::json(&serde_json::json!({ "items": rows }));
                return Ok(());
            }
            let rows: Vec<Vec<String>> = rows
                .into_iter()
                .map(|r| vec![r.txn.to_string(), r.at, r.by, r.what, r.changes.to_string(), r.cause])
                .collect();
            output::table(&["transaction", "at", "by", "what", "changes", "cause"], &rows);
        }
    }
    Ok(())
}

fn undone(context: &Context, word: &str, undone: &Undone) {
    if context.json {
        output::json(undone);
        return;
    }
    output::line(&format!("{word}: {}", undone.what));
    if undone.drafted > 0 {
        output::note(&format!("note:  {} changed since, waiting in `pams drafts list`", undone.drafted));
    }
}
