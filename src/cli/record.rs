//! `pams account|project|industry|usecase|user|type|team|reason …`: one file for all
//! nouns, since the schema tells them apart.

use crate::changes::Verdict;
use crate::cli::{Context, confirm, output, serve};
use crate::domain::schema::{Kind, Type};
use crate::domain::text::count;
use crate::domain::{Failure, Outcome};
use crate::services::imports::Target;
use crate::services::input::Input;
use crate::services::records::purge::Purge;
use crate::services::records::{Archive, Delete, List, Merge, Save, Saved, Show};
use crate::services::sessions::SetPassword;
use clap::ArgMatches;

pub fn run(context: &Context, noun: &str, matches: &ArgMatches) -> Outcome<()> {
    let kind = Kind::parse(noun).ok_or_else(|| Failure::usage(format!("There is no {noun}")))?;
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    match (kind, verb) {
        (Kind::User, "password") => return serve::set_password(context, matches),
        (Kind::User, "codes") => return serve::set_codes(context, matches),
        _ => {}
    }
    let context = &serve::of_tenant(context, matches)?;
    let engine = context.cli()?;
    // There is one organisation: it needs no name.
    let own = match kind {
        Kind::Tenant => {
            let all = List { kind, filter: None, archived: true, account: None, limit: 1, cursor: None };
            engine.ask(&all)?.items.first().map(|i| i.id.to_string()).unwrap_or_default()
        }
        _ => String::new(),
    };
    let which = || {
        let given = matches.try_get_one::<String>("id").ok().flatten();
        given.cloned().unwrap_or_else(|| own.clone())
    };
    match verb {
        "add" => {
            // A password that will not do is told before anybody is added.
            let hash = serve::given_password(matches)?;
            let save = Save { kind, id: None, input: input(kind, matches), seen_rev: None, ack: vec![] };
            let done = engine.run(&save)?.reply;
            if let Some(hash) = hash {
                engine.run(&SetPassword { user: done.item.id.to_string(), hash })?;
            }
            saved(context, "added", &done);
        }
        "edit" => {
            let shown = engine.ask(&Show { kind, which: which() })?;
            let save = Save {
                kind,
                id: Some(shown.item.id),
                input: input(kind, matches),
                seen_rev: Some(shown.item.rev),
                ack: vec![],
            };
            saved(context, "changed", &engine.run(&save)?.reply);
        }
        "list" => list(context, kind, matches, &engine)?,
        "show" => {
            let shown = engine.ask(&Show { kind, which: which() })?;
            if context.json { output::json(&shown.item) } else { output::item(&shown.item) }
        }
        "archive" => {
            let archived = !matches.get_flag("undo");
            let item = engine.run(&Archive { kind, which: which(), archived })?.reply;
            let word = if archived { "archived" } else { "brought back" };
            done(context, word, kind, &item.text("name"), &item);
        }
        "delete" => {
            let item = engine.run(&Delete { kind, which: which() })?.reply;
            done(context, "deleted", kind, &item.text("name"), &item);
        }
        "import" => {
            drop(engine);
            let target = Target::of(kind);
            let target = target.ok_or_else(|| Failure::usage("These cannot be imported"))?;
            return super::imports::import_records(context, target, matches);
        }
        "merge" => merge(context, kind, matches, &engine)?,
        "purge" => purge(context, kind, which(), matches, &engine)?,
        other => return Err(Failure::usage(format!("There is no \"{other}\""))),
    }
    Ok(())
}

fn merge(context: &Context, kind: Kind, matches: &ArgMatches, engine: &crate::engine::Engine) -> Outcome<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let merge = Merge {
        kind,
        which: matches.get_many::<String>("which").into_iter().flatten().cloned().collect(),
        into: text("into"),
        base: text("base"),
        dry_run: matches.get_flag("dry-run"),
    };
    let merged = engine.run(&merge)?.reply;
    if context.json {
        output::json(&merged);
        return Ok(());
    }
    let moved: Vec<String> = merged.moved.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let moved = if moved.is_empty() { "nothing".into() } else { moved.join(", ") };
    let (verb, tense) = if merged.dry_run { ("would merge", "would move") } else { ("merged", "moved") };
    let into = if merge.into.is_empty() { merged.item.text("name") } else { merge.into };
    output::line(&format!("{verb} {} into {into}; {moved} {tense}", merged.merged));
    Ok(())
}

fn purge(
    context: &Context,
    kind: Kind,
    which: String,
    matches: &ArgMatches,
    engine: &crate::engine::Engine,
) -> Outcome<()> {
    let why = matches.get_one::<String>("why").cloned().unwrap_or_default();
    confirm(
        context,
        &format!("Erase the {} \"{which}\" for good? Undo does not bring it back.", kind.name()),
    )?;
    let purged = engine.run(&Purge { kind, which, why })?.reply;
    if context.json {
        output::json(&purged);
        return Ok(());
    }
    let (changes, drafts) = (count(purged.changes, "change"), count(purged.drafts, "draft"));
    output::line(&format!("erased {}: {changes} and {drafts} are empty now", purged.id.short()));
    output::note("note:  backups made before hold it until they are pruned");
    Ok(())
}

/// The fields given on the line, as typed.
pub fn input(kind: Kind, matches: &ArgMatches) -> Input {
    let mut input = Input::new();
    for field in kind.schema().fields.iter().filter(|f| !f.system && f.kind != Type::Data) {
        if let Ok(Some(values)) = matches.try_get_many::<String>(field.name) {
            input.insert(field.name.to_owned(), values.cloned().collect::<Vec<_>>().join(","));
        }
    }
    input
}

/// What a save did: the record as JSON, or a line; notes and conflicts on stderr.
pub fn saved(context: &Context, verb: &str, saved: &Saved) {
    let verb = if saved.verdict == Verdict::NoOp { "unchanged" } else { verb };
    if context.json {
        let mut value = serde_json::to_value(&saved.item).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("verdict".into(), saved.word.clone().into());
            object.insert("notes".into(), saved.notes.clone().into());
            if let Some(draft) = saved.draft {
                object.insert("draft".into(), draft.to_string().into());
            }
        }
        output::json(&value);
    } else {
        let name =
            ["name", "summary", "opportunity"].iter().map(|n| saved.item.text(n)).find(|n| !n.is_empty());
        let name = name.map(|n| format!(" {n}")).unwrap_or_default();
        output::line(&format!("{verb} {}{name}", saved.item.id.short()));
    }
    for note in &saved.notes {
        output::note(&format!("note:  {note}"));
    }
    if let Some(draft) = saved.draft {
        output::note(&format!("note:  {}; see `pams drafts show {}`", saved.word, draft.short()));
    }
}

pub fn done<T: serde::Serialize>(context: &Context, verb: &str, kind: Kind, name: &str, value: &T) {
    if context.json {
        output::json(value);
    } else {
        output::line(&format!("{verb} {} {name}", kind.name()));
    }
}

fn list(context: &Context, kind: Kind, matches: &ArgMatches, engine: &crate::engine::Engine) -> Outcome<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let page = engine.ask(&List {
        kind,
        filter: text("filter"),
        archived: matches.get_flag("archived"),
        account: text("account"),
        limit: matches.get_one::<usize>("limit").copied().unwrap_or(200),
        cursor: text("cursor"),
    })?;
    if context.json {
        output::json(&page);
        return Ok(());
    }
    let columns: Vec<&str> = match kind {
        Kind::Account => vec!["name", "industry", "region", "owner", "aliases"],
        Kind::Project => vec!["name", "account", "stage", "close_date", "value"],
        Kind::User => vec!["name", "email", "team", "aliases"],
        Kind::ActivityType => vec!["name", "effort", "aliases"],
        Kind::Reason => vec!["name", "outcome"],
        _ => vec!["name", "aliases"],
    };
    let headers: Vec<String> = columns.iter().map(|c| c.replace('_', " ")).collect();
    let headers: Vec<&str> = ["id"].into_iter().chain(headers.iter().map(String::as_str)).collect();
    let rows: Vec<Vec<String>> = page
        .items
        .iter()
        .map(|item| [item.id.short()].into_iter().chain(columns.iter().map(|c| item.text(c))).collect())
        .collect();
    if rows.is_empty() {
        output::note(&format!(
            "No {} yet; add one with `pams {} add NAME`",
            kind.schema().plural,
            kind.name()
        ));
        return Ok(());
    }
    output::table(&headers, &rows);
    if let Some(next) = page.next {
        output::note(&format!("more:  --cursor {next}"));
    }
    Ok(())
}
