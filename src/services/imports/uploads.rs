//! Files on their way in, and those kept with their batch: pieces, put together.

use crate::domain::schema::{Batch, Kind, Record};
use crate::domain::{Failure, Id, Outcome};
use crate::frames::{self, Bytes};
use crate::intake::bulk::Said;
use crate::intake::open;
use crate::services::imports::Answer;
use crate::services::{Command, WriteCx};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Bytes of a piece of an upload; a frame holds one.
pub const PIECE_BYTES: usize = 512 << 10;
/// Local state: pieces of a file on its way in.
const UPLOAD: &str = "upload/";

/// One piece of a file; the upload's id is the face's.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PutPiece {
    pub upload: Id,
    pub part: u32,
    pub bytes: Bytes,
}

impl Command for PutPiece {
    const NAME: &'static str = "imports.put_piece";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        if self.bytes.0.len() > PIECE_BYTES || self.part as usize * PIECE_BYTES > open::MAX_BYTES {
            return Err(Failure::invalid(format!("A file has at most {} MB", open::MAX_BYTES >> 20)));
        }
        let name = format!("{UPLOAD}{}/{:05}", self.upload, self.part);
        Ok(cx.batch.set_local(&name, Some(&self.bytes.0))?)
    }
}

/// Forgets an upload, and those that were left behind a day ago.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DropPieces {
    pub upload: Id,
}

impl Command for DropPieces {
    const NAME: &'static str = "imports.drop_pieces";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        drop_pieces(cx, self.upload)
    }
}

fn drop_pieces(cx: &mut WriteCx, upload: Id) -> Outcome<()> {
    let yesterday = cx.caller.now_ms - 24 * 3_600_000;
    for (name, _) in cx.reads().locals(UPLOAD)? {
        let id: Option<Id> = name[UPLOAD.len()..].split('/').next().and_then(|t| t.parse().ok());
        if id.is_none_or(|id| id == upload || (id.unix_ms() as i64) < yesterday) {
            cx.batch.set_local(&name, None)?;
        }
    }
    Ok(())
}

/// The pieces of a source that is kept elsewhere by now.
pub fn forget(cx: &mut WriteCx, source: &Source) -> Outcome<()> {
    match source {
        Source::Upload { upload, .. } => drop_pieces(cx, *upload),
        Source::Batch { .. } | Source::Path { .. } => Ok(()),
    }
}

/// Where the bytes are: just uploaded, or kept with an earlier batch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Source {
    Upload {
        upload: Id,
        name: String,
    },
    Batch {
        which: String,
    },
    /// A file of many rows on the host's machine, read where it lies.
    Path {
        path: PathBuf,
        said: Box<Said>,
    },
}

/// A file, and for a batch how it was read before.
pub struct Loaded {
    pub name: String,
    pub bytes: Vec<u8>,
    pub mapping: Option<String>,
    pub answers: Vec<Answer>,
}

pub fn load(reads: &dyn Reads, source: &Source) -> Outcome<Loaded> {
    match source {
        Source::Upload { upload, name } => {
            let pieces = reads.locals(&format!("{UPLOAD}{upload}/"))?;
            if pieces.is_empty() {
                return Err(Failure::not_found("The file did not arrive; send it again"));
            }
            let bytes = pieces.into_iter().flat_map(|(_, b)| b).collect();
            Ok(Loaded { name: name.clone(), bytes, mapping: None, answers: vec![] })
        }
        Source::Batch { which } => {
            let id = batch_named(reads, which)?;
            let batch = Batch::from_fields(&reads.fields(Kind::Batch, id)?.unwrap_or_default());
            let hash = unhex(&batch.hash).ok_or_else(|| Failure::internal("The batch has no file"))?;
            let bytes = reads.blob(&hash)?;
            let bytes = bytes.ok_or_else(|| Failure::not_found("The batch's file is no longer kept"))?;
            let answers = if batch.answers.is_empty() { vec![] } else { frames::decode(&batch.answers)? };
            Ok(Loaded { name: batch.file, bytes, mapping: String::from_utf8(batch.plan).ok(), answers })
        }
        Source::Path { path, .. } => Err(Failure::usage(format!("{} is not sent", path.display()))),
    }
}

pub fn batch_named(reads: &dyn Reads, which: &str) -> Outcome<Id> {
    let mut found = Vec::new();
    reads.heads(Kind::Batch, Id::default(), &mut |id, _| {
        if id.ends_with(which) {
            found.push(id);
        }
        ControlFlow::Continue(())
    })?;
    match found.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::not_found(format!("There is no import \"{which}\""))
            .hint("`pams wins versions` lists them")),
        _ => Err(Failure::invalid(format!("{} imports end with \"{which}\"", found.len()))
            .hint("Give more characters")),
    }
}

pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}
