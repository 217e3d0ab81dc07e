//! What a profile keeps of its remote instance beside the store: the session's cookie, in
//! a file that only its owner reads, and the keys that were confirmed.

use crate::config::Folders;
use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::remote::Client;
use crate::remote::trust::{Known, Verifier};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
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

pub fn session_file(folders: &Folders) -> PathBuf {
    folders.state.join("session.json")
}

pub fn known_file(folders: &Folders) -> PathBuf {
    folders.config.join("known_servers")
}

impl Link {
    /// # Errors
    /// Denied when others may read the file: its secret may be out.
    pub fn load(folders: &Folders) -> Outcome<Option<Link>> {
        let path = session_file(folders);
        let failed =
            |e: std::io::Error| Failure::invalid(format!("{} cannot be read: {}", path.display(), said(&e)));
        let meta = match std::fs::metadata(&path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(Failure::new(
                FailureKind::Denied,
                format!("{} may be read by others, so its session may be used by others", path.display()),
            )
            .hint("`pams logout` ends it; then sign in again"));
        }
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        let link = serde_json::from_str(&text).map_err(|e| {
            Failure::invalid(format!("{} is damaged: {e}", path.display()))
                .hint("Sign in again: `pams login`")
        })?;
        Ok(Some(link))
    }

    pub fn save(&self, folders: &Folders) -> Outcome<()> {
        let path = session_file(folders);
        let failed = |e: std::io::Error| {
            Failure::invalid(format!("{} cannot be written: {}", path.display(), said(&e)))
        };
        std::fs::create_dir_all(&folders.state).map_err(failed)?;
        let part = path.with_extension("part");
        let _ = std::fs::remove_file(&part);
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        // Made by nobody else, and never readable by others, not for a moment.
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        std::fs::rename(&part, &path).map_err(failed)
    }

    pub fn forget(folders: &Folders) -> Outcome<()> {
        match std::fs::remove_file(session_file(folders)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::invalid(format!("The session cannot be taken away: {}", said(&e))))
            }
            _ => Ok(()),
        }
    }

    pub fn client(&self, folders: &Folders) -> Outcome<Client> {
        let known = known_file(folders);
        let pinned = Known { path: &known }.find(&self.url)?;
        let trust = Verifier::new(pinned, self.add_ca.as_deref())?;
        Client::new(&self.url, trust, &self.cookie)
    }
}
