//! `pams note import`: a meeting note becomes a form that waits for its person.

use crate::cli::{Context, output};
use crate::domain::schema::Kind;
use crate::domain::{Failure, Outcome};
use crate::engine::files;
use crate::services::activities::ReadNote;
use crate::services::drafts::KeepForm;
use clap::ArgMatches;

pub fn import(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let path = matches.get_one::<String>("file").cloned().unwrap_or_default();
    let (name, text) = match path.as_str() {
        "-" => ("standard input".to_owned(), files::as_text(&files::read_all(std::io::stdin())?)?),
        path => (path.rsplit('/').next().unwrap_or(path).to_owned(), files::read_text(path)?),
    };
    if text.trim().is_empty() {
        return Err(Failure::invalid(format!("{name} is empty")));
    }
    let engine = context.cli()?;
    let read = engine.ask(&ReadNote { text })?;
    let draft = match matches.get_flag("dry-run") {
        true => None,
        false => Some(
            engine
                .run(&KeepForm {
                    kind: Kind::Activity,
                    target: None,
                    title: format!("note {name}"),
                    message: "read from a note: Enter opens the form".into(),
                    input: read.input,
                })?
                .reply,
        ),
    };
    if context.json {
        output::json(&serde_json::json!({ "proposed": read.proposed, "draft": draft }));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = read
        .proposed
        .iter()
        .map(|p| {
            let sure = format!("{:.0} %", p.confidence * 100.0);
            vec![p.field.replace('_', " "), p.text.clone(), sure, p.from.chars().take(60).collect()]
        })
        .collect();
    match rows.is_empty() {
        true => output::line("nothing that an activity asks for was found"),
        false => output::table(&["field", "proposed", "sure", "from"], &rows),
    }
    if let Some(draft) = draft {
        let end = draft.short();
        output::note(&format!("waits in Drafts (9 opens the form); `pams drafts resolve {end}` saves it so"));
    }
    Ok(())
}
