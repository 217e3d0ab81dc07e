//! The first copy of a large organisation: its heads as they stand, in chunks under their
//! hashes, instead of the whole log. The log of such a device begins where they end.

use crate::changes::codec::{Reader, Writer};
use crate::domain::failure::said;
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::frames::Bytes;
use crate::services::permissions::{Rights, read_verb};
use crate::services::{Command, Query, ReadCx, WriteCx};
use crate::store::{self, Prepared};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

/// Heads of a chunk at the most.
const ROWS: u32 = 8_192;
const LEVEL: i32 = 1;
/// Chunks whose index entries are sorted and written together.
const TOGETHER: usize = 8;
/// Bytes that a chunk may unfold to.
const MAX_CHUNK: usize = 64 << 20;

/// All heads at one place of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    pub epoch: u64,
    pub seq: u64,
    pub chunks: Vec<Chunk>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chunk {
    pub kind: Kind,
    /// BLAKE3 of its bytes, in hex; it never changes.
    pub hash: String,
    pub rows: u32,
    pub bytes: u64,
}

impl Manifest {
    pub fn rows(&self) -> u64 {
        self.chunks.iter().map(|c| u64::from(c.rows)).sum()
    }

    /// The part of it that somebody may see; none where they may see only some records of
    /// a kind, for whom the log is read instead.
    pub fn seen_by(mut self, rights: &Rights) -> Option<Manifest> {
        let whole = |kind: Kind| read_verb(kind).is_none_or(|verb| rights.may(verb));
        let some = |kind: Kind| !whole(kind) && rights.may_see(kind, Some(rights.me()));
        if !rights.territories.is_empty() || self.chunks.iter().any(|c| some(c.kind)) {
            return None;
        }
        self.chunks.retain(|c| whole(c.kind));
        Some(self)
    }
}

/// Writes the chunks of everything as files of a folder; those that are there stay.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MakeBootstrap {
    pub folder: PathBuf,
}

impl Query for MakeBootstrap {
    const NAME: &'static str = "sync.make_bootstrap";
    type Reply = Manifest;

    fn run(&self, cx: &ReadCx) -> Outcome<Manifest> {
        std::fs::create_dir_all(&self.folder).map_err(|e| unwritable(&self.folder, &e))?;
        let epoch = store::meta_number(cx.reads, store::EPOCH)?.unwrap_or(0);
        let mut manifest = Manifest { epoch, seq: cx.reads.last_seq()?, chunks: vec![] };
        for kind in Kind::ALL {
            let (mut rows, mut out, mut failed) = (0, Writer::default(), None);
            cx.reads.heads(*kind, Id::default(), &mut |id, head| {
                out.raw(&id.0);
                out.sized(head);
                rows += 1;
                if rows == ROWS {
                    match self.cut(*kind, &mut rows, &mut out) {
                        Ok(chunk) => manifest.chunks.push(chunk),
                        Err(failure) => failed = Some(failure),
                    }
                }
                if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if let Some(failure) = failed {
                return Err(failure);
            }
            if rows > 0 {
                manifest.chunks.push(self.cut(*kind, &mut rows, &mut out)?);
            }
        }
        self.sweep(&manifest);
        Ok(manifest)
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::internal(format!("{} cannot be written: {}", path.display(), said(error)))
}

impl MakeBootstrap {
    fn cut(&self, kind: Kind, rows: &mut u32, out: &mut Writer) -> Outcome<Chunk> {
        let bytes = zstd::bulk::compress(&out.bytes, LEVEL)
            .map_err(|e| Failure::internal(format!("A chunk cannot be packed: {e}")))?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let path = self.folder.join(&hash);
        if !path.exists() {
            let part = path.with_extension("part");
            let written = std::fs::write(&part, &bytes).and_then(|()| std::fs::rename(&part, &path));
            written.map_err(|e| unwritable(&path, &e))?;
        }
        out.bytes.clear();
        let chunk = Chunk { kind, hash, rows: *rows, bytes: bytes.len() as u64 };
        *rows = 0;
        Ok(chunk)
    }

    /// Chunks of an older manifest that this one does not share. Who was reading them asks
    /// for a manifest again.
    fn sweep(&self, manifest: &Manifest) {
        let kept: std::collections::HashSet<&str> = manifest.chunks.iter().map(|c| c.hash.as_str()).collect();
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| !kept.contains(name)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// What chunks hold, ready to be written.
fn prepare(chunks: &[(Kind, Bytes)]) -> Outcome<Prepared> {
    let mut prepared = Prepared::default();
    for (kind, bytes) in chunks {
        let damaged = |_| Failure::invalid("A chunk of the first copy is damaged").hint("Sync again");
        let raw = zstd::bulk::decompress(&bytes.0, MAX_CHUNK).map_err(damaged)?;
        let mut from = Reader::new(&raw);
        while !from.is_done() {
            let row = from.id().and_then(|id| Ok((id, from.sized()?)));
            row.and_then(|(id, head)| prepared.push(*kind, id, head)).map_err(super::malformed)?;
        }
    }
    Ok(prepared.sorted())
}

/// Installs chunks on a device; with the last ones its log begins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct InstallChunks {
    /// Kind and bytes, as they came.
    pub chunks: Vec<(Kind, Bytes)>,
    /// The place of the log at which all of them stand, with the last of them.
    pub complete: Option<u64>,
    /// How often the copy had been begun anew when this one was.
    pub life: u64,
}

impl Command for InstallChunks {
    const NAME: &'static str = "sync.install";
    type Reply = u64;

    fn run(&self, cx: &mut WriteCx) -> Outcome<u64> {
        if store::meta_number(cx.reads(), store::CURSOR)?.is_none() {
            return Err(super::device::not_signed_in());
        }
        if super::device::life(cx.reads())? != self.life {
            return Err(Failure::conflict("Another process of this profile began the copy anew")
                .hint("It goes on there; `pams sync` says how it stands"));
        }
        cx.batch.defer_indexes();
        let installed = std::thread::scope(|scope| -> Outcome<u64> {
            // Chunks are made ready on the other core while those before are written.
            let (sender, ready) = sync_channel(0);
            scope.spawn(move || {
                for chunks in self.chunks.chunks(TOGETHER) {
                    let prepared = prepare(chunks);
                    let failed = prepared.is_err();
                    if sender.send(prepared).is_err() || failed {
                        return;
                    }
                }
            });
            let mut installed = 0;
            for prepared in ready {
                installed += cx.batch.install_all(&prepared?)?;
            }
            Ok(installed)
        })?;
        cx.batch.end_install()?;
        super::device::want_pieces(cx)?;
        if let Some(seq) = self.complete {
            cx.batch.begin_at(seq)?;
        }
        Ok(installed)
    }
}
