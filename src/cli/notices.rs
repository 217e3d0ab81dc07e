//! `pams notices`: what happened while the person was elsewhere.

use crate::cli::{Context, output};
use crate::domain::Outcome;
use crate::services::notices::{ListNotices, ReadNotices};
use clap::ArgMatches;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let engine = context.cli()?;
    if verb == "read" {
        let which = matches.get_many::<String>("id").into_iter().flatten().cloned().collect();
        let read = engine.run(&ReadNotices { which })?.reply;
        match context.json {
            true => output::json(&serde_json::json!({ "read": read })),
            false => output::line(&format!("{read} marked as read")),
        }
        return Ok(());
    }
    let limit = matches.get_one::<usize>("limit").copied().unwrap_or(50);
    let page = engine.ask(&ListNotices { read: matches.get_flag("all"), limit })?;
    if context.json {
        output::json(&page);
    } else if page.items.is_empty() {
        output::note("No news; --all lists what was read, too");
    } else {
        let row = |i: &crate::services::show::Item| {
            vec![i.id.short(), i.text("at"), if i.flag("read") { "" } else { "new" }.into(), i.text("text")]
        };
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        output::table(&["id", "at", "", "what"], &rows);
    }
    Ok(())
}
