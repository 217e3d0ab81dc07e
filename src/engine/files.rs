//! Files on their way in: read where the person is, sent to the host in pieces.

use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::intake::open::MAX_BYTES;
use crate::services::new_id;
use crate::services::uploads::{DropPieces, PIECE_BYTES, PutPiece, Source};
use std::io::Read;
use std::path::Path;

/// The bytes of a path with its name; one byte more than is taken tells that the file
/// is too large.
pub fn read_path(path: &str) -> Outcome<(String, Vec<u8>)> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format!("There is no file {path}")),
        _ => Failure::invalid(format!("{path} cannot be read: {e}")),
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(Failure::usage(format!("{path} is a folder")));
    }
    let name = Path::new(path).file_name().map_or(path.to_owned(), |n| n.to_string_lossy().into_owned());
    Ok((name, read_all(file)?))
}

pub fn read_all(from: impl Read) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let failed = |e: std::io::Error| Failure::invalid(format!("The file cannot be read: {e}"));
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Sends a file to the host; [`forget`] when it has done its work.
pub fn upload(engine: &Engine, name: String, bytes: &[u8]) -> Outcome<Source> {
    let upload = new_id(engine.now_ms());
    if bytes.is_empty() {
        engine.run(&PutPiece { upload, part: 0, bytes: vec![] })?;
    }
    for (part, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        engine.run(&PutPiece { upload, part: part as u32, bytes: piece.to_vec() })?;
    }
    Ok(Source::Upload { upload, name })
}

pub fn forget(engine: &Engine, source: &Source) {
    if let Source::Upload { upload, .. } = source {
        // What stays is taken away a day later.
        let _ = engine.run(&DropPieces { upload: *upload });
    }
}
