//! `pams connect` and `pams wins pull`: months of another system, imported like files.

use crate::cli::imports::{finish, options};
use crate::cli::serve::first_line;
use crate::cli::{Context, activity, output};
use crate::domain::failure::said;
use crate::domain::when::Month;
use crate::domain::{Failure, Outcome};
use crate::remote::salesforce::{self, Connection, Salesforce};
use crate::services::setup::WhoAmI;
use clap::ArgMatches;
use std::path::PathBuf;

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "salesforce" => connect(context, matches),
        "forget" => {
            let was = Connection::forget(&context.folders)?;
            output::line(if was { "the connection is forgotten" } else { "there was no connection" });
            Ok(())
        }
        _ => show(context),
    }
}

/// Signs in before anything is kept.
fn connect(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let path = |name: &str| matches.get_one::<PathBuf>(name);
    let add_ca = path("add-ca").map(std::path::absolute).transpose();
    let connection = Connection {
        url: text("url").trim().trim_end_matches('/').to_owned(),
        client_id: text("client-id"),
        secret: first_line(path("secret-file").map_or(std::path::Path::new("-"), PathBuf::as_path))?,
        add_ca: add_ca.map_err(|e| Failure::usage(said(&e)))?,
    };
    let closed = Salesforce::open(&connection)?.count()?;
    connection.save(&context.folders)?;
    match context.json {
        true => output::json(&serde_json::json!({ "url": connection.url, "closed": closed })),
        false => output::line(&format!(
            "connected to {}: {closed} closed opportunities; `pams wins pull` imports those of a month",
            connection.url
        )),
    }
    Ok(())
}

fn show(context: &Context) -> Outcome<()> {
    let connection = Connection::load(&context.folders)?;
    match (&connection, context.json) {
        (Some(of), true) => output::json(&serde_json::json!({ "url": of.url, "client_id": of.client_id })),
        (Some(of), false) => output::line(&format!("salesforce  {}  as {}", of.url, of.client_id)),
        (None, true) => output::json(&serde_json::json!({ "url": null })),
        (None, false) => output::line("no connection; `pams connect salesforce` makes one"),
    }
    Ok(())
}

/// `pams wins pull`: the closed opportunities of a month, through the same review as a file.
pub fn pull(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let options = options(context, matches)?;
    let engine = context.cli()?;
    let month = match activity::month(matches)? {
        Some(month) => month,
        None => Month::of(engine.ask(&WhoAmI {})?.today),
    };
    let (started, found) = salesforce::review(&engine, &context.folders, month, options)?;
    output::note(&format!("{found} closed opportunities of {}", month.long()));
    finish(context, &engine, started, matches.get_flag("dry-run"), matches.get_flag("review"))
}
