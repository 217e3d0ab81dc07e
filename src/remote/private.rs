//! Files that only their owner reads: sessions and secrets of connections.

use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What a file holds; `anew` says how it is made again.
///
/// # Errors
/// Denied when others may read the file: its secret may be out.
pub fn load<T: DeserializeOwned>(path: &Path, anew: &str) -> Outcome<Option<T>> {
    let shown = path.display();
    let failed = |e: std::io::Error| Failure::invalid(format!("{shown} cannot be read: {}", said(&e)));
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    if meta.permissions().mode() & 0o077 != 0 {
        let text = format!("{shown} may be read by others, so its secret may be used by others");
        return Err(Failure::new(FailureKind::Denied, text).hint(anew));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|e| Failure::invalid(format!("{shown} is damaged: {e}")).hint(anew))
}

pub fn save<T: Serialize>(path: &Path, what: &T) -> Outcome<()> {
    let failed =
        |e: std::io::Error| Failure::invalid(format!("{} cannot be written: {}", path.display(), said(&e)));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let part = path.with_extension("part");
    let _ = std::fs::remove_file(&part);
    let text = serde_json::to_string_pretty(what).unwrap_or_default();
    // Made by nobody else, and never readable by others, not for a moment.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

/// Takes the file away; whether there was one.
pub fn forget(path: &Path) -> Outcome<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Failure::invalid(format!("{} cannot be taken away: {}", path.display(), said(&e)))),
    }
}
