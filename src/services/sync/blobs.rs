//! What records rely on and the log does not carry: the pieces of datasets, of planning
//! units, and the rows an import set aside. They are known by their hashes, so each side
//! fetches what it lacks, once, in any order, and after a broken line only the rest.

use crate::domain::schema::{Batch, Dataset, Kind, Record, Unit};
use crate::domain::{Id, Outcome};
use crate::frames::Bytes;
use crate::services::datasets::{self, Hash};
use crate::services::imports::hex;
use crate::services::imports::uploads::unhex;
use crate::services::sync::MAX_PAGE_BYTES;
use crate::services::{Command, Query, ReadCx, WriteCx, each_live};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Hashes in one answer.
const MAX_HASHES: usize = 4_096;

/// Every piece that a record of this store relies on, in the order in which it is wanted.
/// What a manifest names is known once the manifest is here.
fn relied_on(reads: &dyn Reads) -> Outcome<Vec<Hash>> {
    let mut all = Vec::new();
    let mut manifests = texts(reads, Kind::Dataset, |fields| vec![Dataset::from_fields(fields).manifest])?;
    // What waits to be migrated is looked at on every device.
    manifests.extend(texts(reads, Kind::Batch, |fields| {
        let batch = Batch::from_fields(fields);
        if batch.state == "draft" { vec![batch.mapping] } else { vec![] }
    })?);
    for name in manifests {
        all.push(name);
        if reads.has_blob(&name)? {
            all.extend(datasets::manifest(reads, &name)?.hashes());
        }
    }
    all.extend(texts(reads, Kind::Unit, |fields| Unit::from_fields(fields).places)?);
    all.extend(texts(reads, Kind::Batch, |fields| vec![Batch::from_fields(fields).rejects])?);
    let mut seen = HashSet::new();
    all.retain(|hash| seen.insert(*hash));
    Ok(all)
}

/// The hashes that live records of a kind name.
fn texts(
    reads: &dyn Reads,
    kind: Kind,
    of: impl Fn(&crate::domain::Fields) -> Vec<String>,
) -> Outcome<Vec<Hash>> {
    let mut found = Vec::new();
    each_live(reads, kind, &mut |_, head| {
        found.extend(of(&head.fields).iter().filter_map(|text| unhex(text)));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The pieces that are relied on and not here.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MissingBlobs {}

impl Query for MissingBlobs {
    const NAME: &'static str = "sync.missing_blobs";
    /// In hex.
    type Reply = Vec<String>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<String>> {
        let mut missing = Vec::new();
        for hash in relied_on(cx.reads)? {
            if !cx.reads.has_blob(&hash)? {
                missing.push(hex(&hash));
            }
            if missing.len() == MAX_HASHES {
                break;
            }
        }
        Ok(missing)
    }
}

/// Pieces by their hashes, from the first on as many as a page takes; what no record
/// relies on is not given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GetBlobs {
    pub hashes: Vec<String>,
}

impl Query for GetBlobs {
    const NAME: &'static str = "sync.get_blobs";
    type Reply = Vec<Bytes>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Bytes>> {
        let known: HashSet<Hash> = relied_on(cx.reads)?.into_iter().collect();
        let (mut blobs, mut bytes) = (Vec::new(), 0);
        for hash in self.hashes.iter().take(MAX_HASHES).filter_map(|text| unhex(text)) {
            if bytes >= MAX_PAGE_BYTES {
                break;
            }
            let Some(blob) = (if known.contains(&hash) { cx.reads.blob(&hash)? } else { None }) else {
                continue;
            };
            bytes += blob.len();
            blobs.push(Bytes(blob));
        }
        Ok(blobs)
    }
}

/// Keeps pieces that are missing here; others are not taken.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeepBlobs {
    pub blobs: Vec<Bytes>,
}

impl Command for KeepBlobs {
    const NAME: &'static str = "sync.keep_blobs";
    /// How many were missing.
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let wanted: HashSet<Hash> = relied_on(cx.reads())?.into_iter().collect();
        let mut kept = 0;
        for blob in &self.blobs {
            let hash: Hash = blake3::hash(&blob.0).into();
            if wanted.contains(&hash) && !cx.reads().has_blob(&hash)? {
                cx.batch.put_blob(&blob.0)?;
                kept += 1;
            }
        }
        if kept > 0 {
            // Whoever shows them looks again.
            cx.batch.touch(Kind::Dataset, Id::default());
        }
        Ok(kept)
    }
}
