//! What a profile keeps of its remote instance beside the store: the session's cookie, where
//! only its owner reads it, and the keys that were confirmed.

use crate::config::Folders;
use crate::domain::Outcome;
use crate::remote::trust::{Known, Verifier};
use crate::remote::{Client, private};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The session of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub url: String,
    pub cookie: String,
    /// Certificates believed besides the system's.
    #[serde(default)]
    pub add_ca: Option<PathBuf>,
}

/// What a profile keeps it under.
const NAME: &str = "session";

pub fn known_file(folders: &Folders) -> PathBuf {
    folders.config.join("known_servers")
}

impl Link {
    pub fn load(folders: &Folders) -> Outcome<Option<Link>> {
        private::load(folders, NAME, "`pams logout` ends it; then sign in again")
    }

    pub fn save(&self, folders: &Folders) -> Outcome<()> {
        private::save(folders, NAME, self)
    }

    pub fn forget(folders: &Folders) -> Outcome<()> {
        private::forget(folders, NAME).map(drop)
    }

    pub fn client(&self, folders: &Folders) -> Outcome<Client> {
        let known = known_file(folders);
        let pinned = Known { path: &known }.find(&self.url)?;
        let trust = Verifier::new(pinned, self.add_ca.as_deref())?;
        Client::new(&self.url, trust, &self.cookie)
    }
}
