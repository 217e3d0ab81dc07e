//! Who is signed in: asked where it is kept, which for a device is its server.

use crate::config::Folders;
use crate::domain::Outcome;
use crate::engine::Engine;
use crate::remote::Client;
use crate::remote::link::Link;
use crate::services::sessions::{EndSession, ListSessions, Session};
use crate::services::sync::device::{SyncStatus, not_signed_in};
use reqwest::Method;

/// The line to the server, where this profile is a device of one.
fn server(engine: &Engine, folders: &Folders) -> Outcome<Option<Client>> {
    if engine.ask(&SyncStatus {})?.remote.is_none() {
        return Ok(None);
    }
    Link::load(folders)?.ok_or_else(not_signed_in)?.client(folders).map(Some)
}

/// Sessions that last: all for who manages users, else one's own.
///
/// # Errors
/// Offline when the server cannot be reached.
pub fn list(engine: &Engine, folders: &Folders) -> Outcome<Vec<Session>> {
    match server(engine, folders)? {
        Some(client) => client.json(Method::GET, "/api/v1/sessions", None),
        None => engine.ask(&ListSessions {}),
    }
}

/// Ends one, by the beginning of its id.
pub fn end(engine: &Engine, folders: &Folders, which: String) -> Outcome<()> {
    match server(engine, folders)? {
        Some(client) => client.json(Method::DELETE, &format!("/api/v1/sessions/{which}"), None),
        None => engine.run(&EndSession { which }).map(drop),
    }
}
