//! What is asked where it is kept: a request that only the server can answer, such as who
//! is signed in or who holds a unit. A profile of its own is its own server.

use crate::config::Folders;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::remote::link::Link;
use crate::remote::{Client, sync};
use crate::services::sync::device::{SyncStatus, not_signed_in};
use crate::services::{Command, Query, Receipt};
use reqwest::{Method, Url};

/// The line to the server, where this profile is a device of one.
fn server(engine: &Engine, folders: &Folders) -> Outcome<Option<Client>> {
    if engine.ask(&SyncStatus {})?.remote.is_none() {
        return Ok(None);
    }
    line(folders).map(Some)
}

/// The line of a profile that is signed in.
///
/// # Errors
/// Denied where it is not.
pub fn line(folders: &Folders) -> Outcome<Client> {
    Link::load(folders)?.ok_or_else(not_signed_in)?.client(folders)
}

/// # Errors
/// Offline when the server cannot be reached; else the request's own.
pub fn ask<Q: Query>(engine: &Engine, folders: &Folders, query: &Q) -> Outcome<Q::Reply> {
    let Some(client) = server(engine, folders)? else { return engine.ask(query) };
    let unfit = |e: &dyn std::fmt::Display| Failure::internal(format!("The request cannot be sent: {e}"));
    let request = serde_json::to_string(query).map_err(|e| unfit(&e))?;
    let base = format!("https://server/api/v1/query/{}", Q::NAME);
    let url = Url::parse_with_params(&base, [("request", request)]).map_err(|e| unfit(&e))?;
    client.json(Method::GET, &format!("{}?{}", url.path(), url.query().unwrap_or_default()), None)
}

/// Runs a command there; what it changed is here when it returns.
///
/// # Errors
/// Offline when the server cannot be reached: nothing was done, or the next sync shows it.
pub fn run<C: Command>(engine: &Engine, folders: &Folders, command: &C) -> Outcome<C::Reply> {
    let Some(client) = server(engine, folders)? else { return Ok(engine.run(command)?.reply) };
    let body = serde_json::to_value(command)
        .map_err(|e| Failure::internal(format!("The request cannot be sent: {e}")))?;
    let done: Receipt<C::Reply> =
        client.json(Method::POST, &format!("/api/v1/do/{}", C::NAME), Some(&body))?;
    sync::round(engine, &client)?;
    Ok(done.reply)
}
