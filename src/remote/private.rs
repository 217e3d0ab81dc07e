//! What only its owner reads: sessions and secrets of connections. They are in the system's
//! keyring where that works, else in a file of mode 0600; the file says which.

use crate::config::Folders;
use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::remote::keyring;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a file says whose secret is in the keyring.
const IN_KEYRING: &str = "\"kept in the keyring of the system\"";

fn path(folders: &Folders, name: &str) -> PathBuf {
    folders.state.join(format!("{name}.json"))
}

fn account(folders: &Folders, name: &str) -> String {
    match folders.profile.as_str() {
        "" => name.to_owned(),
        profile => format!("{profile}/{name}"),
    }
}

/// A secret of a profile; `anew` says how it is made again.
///
/// # Errors
/// Denied when others may read the file, as the secret may be out, and when the keyring does
/// not give it.
pub fn load<T: DeserializeOwned>(folders: &Folders, name: &str, anew: &str) -> Outcome<Option<T>> {
    let path = path(folders, name);
    let shown = path.display();
    let failed = |e: std::io::Error| Failure::invalid(format!("{shown} cannot be read: {}", said(&e)));
    let meta = match std::fs::metadata(&path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    if meta.permissions().mode() & 0o077 != 0 {
        let text = format!("{shown} may be read by others, so its secret may be used by others");
        return Err(Failure::new(FailureKind::Denied, text).hint(anew));
    }
    let mut text = std::fs::read_to_string(&path).map_err(failed)?;
    if text == IN_KEYRING {
        text = keyring::get(&account(folders, name)).ok_or_else(|| {
            Failure::new(FailureKind::Denied, "The keyring of the system does not give the secret")
                .hint(format!("Unlock it, or begin again: {anew}"))
        })?;
    }
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|e| Failure::invalid(format!("{shown} is damaged: {e}")).hint(anew))
}

pub fn save<T: Serialize>(folders: &Folders, name: &str, what: &T) -> Outcome<()> {
    let text = serde_json::to_string_pretty(what).unwrap_or_default();
    // A folder that somebody named holds all that is in it.
    let in_keyring = !folders.named && keyring::set(&account(folders, name), &text);
    write(&path(folders, name), if in_keyring { IN_KEYRING } else { &text })
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    let failed =
        |e: std::io::Error| Failure::invalid(format!("{} cannot be written: {}", path.display(), said(&e)));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let part = path.with_extension("part");
    let _ = std::fs::remove_file(&part);
    // Made by nobody else, and never readable by others, not for a moment.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

/// Takes the secret away; whether there was one.
pub fn forget(folders: &Folders, name: &str) -> Outcome<bool> {
    let path = path(folders, name);
    if std::fs::read_to_string(&path).is_ok_and(|text| text == IN_KEYRING) {
        keyring::forget(&account(folders, name));
    }
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Failure::invalid(format!("{} cannot be taken away: {}", path.display(), said(&e)))),
    }
}
