//! Whether a device holds what its server does: digests of all records by kind and month,
//! taken on both sides and compared. What differs is mended by reading all of it anew.

use crate::changes::codec::Damaged;
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Id, Outcome};
use crate::services::permissions::Rights;
use crate::services::{Query, ReadCx};
use crate::store::{self, StoreError};
use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What who asks may see, as it was ordered: on a device below what waits in the queue.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DigestRecords {}

/// The records of a kind whose ids were made in a month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Digest {
    pub kind: Kind,
    pub month: String,
    pub records: u64,
    /// BLAKE3 over their ids and heads in the order of ids, in hexadecimal.
    pub hash: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Digests {
    pub epoch: u64,
    /// The place of the log at which they were taken.
    pub seq: u64,
    pub all: Vec<Digest>,
}

impl Query for DigestRecords {
    const NAME: &'static str = "sync.digests";
    type Reply = Digests;

    fn run(&self, cx: &ReadCx) -> Outcome<Digests> {
        let rights = Rights::of(cx.reads, store::meta_id(cx.reads, store::OWNER)?.unwrap_or_default())?;
        let seq = match store::meta_number(cx.reads, store::CURSOR)? {
            Some(cursor) => cursor,
            None => cx.reads.last_seq()?,
        };
        let epoch = store::meta_number(cx.reads, store::EPOCH)?.unwrap_or(0);
        let mut all = Vec::new();
        for kind in Kind::ALL.iter().copied() {
            // Few records have something queued; those are read as they were before it.
            let mut below = cx.reads.bases(kind)?;
            let (mut sums, mut failed) = (Sums::default(), None);
            cx.reads.heads(kind, Id::default(), &mut |id, head| {
                let after = below.split_off(&id);
                let gone = std::mem::replace(&mut below, after);
                let base = below.remove(&id);
                let here = [(id, base.as_deref().unwrap_or(head))];
                let before = gone.iter().map(|(id, base)| (*id, base.as_slice()));
                failed =
                    before.chain(here).try_for_each(|(id, head)| sums.add(&rights, kind, id, head)).err();
                if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            for (id, base) in &below {
                failed = failed.or(sums.add(&rights, kind, *id, base).err());
            }
            if let Some(damaged) = failed {
                return Err(StoreError::from(damaged).into());
            }
            all.extend(sums.0.into_iter().map(|(month, (records, hasher))| Digest {
                kind,
                month: month.to_string(),
                records,
                hash: hasher.finalize().to_hex().to_string(),
            }));
        }
        Ok(Digests { epoch, seq, all })
    }
}

#[derive(Default)]
struct Sums(BTreeMap<Month, (u64, blake3::Hasher)>);

impl Sums {
    /// An empty head is none: only a queued change made the record.
    fn add(&mut self, rights: &Rights, kind: Kind, id: Id, head: &[u8]) -> Result<(), Damaged> {
        if head.is_empty() || !rights.sees(kind, head)? {
            return Ok(());
        }
        let made = DateTime::from_timestamp_millis(id.unix_ms() as i64).unwrap_or_default();
        let (records, hasher) = self.0.entry(Month::of(made.date_naive())).or_default();
        *records += 1;
        hasher.update(&id.0).update(&(head.len() as u64).to_be_bytes()).update(head);
        Ok(())
    }
}

/// Where two sides differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Differs {
    pub kind: Kind,
    pub month: String,
    /// Records on either side; the same number may stand for others.
    pub here: u64,
    pub there: u64,
}

impl Digests {
    pub fn records(&self) -> u64 {
        self.all.iter().map(|digest| digest.records).sum()
    }

    /// The kinds and months in which these differ from the server's.
    pub fn differ(&self, server: &Digests) -> Vec<Differs> {
        type Sides<'a> = [Option<&'a Digest>; 2];
        let mut sides: BTreeMap<(Kind, &str), Sides> = BTreeMap::new();
        for (side, digests) in [self, server].into_iter().enumerate() {
            for digest in &digests.all {
                sides.entry((digest.kind, &digest.month)).or_default()[side] = Some(digest);
            }
        }
        let records = |side: Option<&Digest>| side.map_or(0, |digest| digest.records);
        let differing = sides.into_iter().filter(|(_, [here, there])| here != there);
        differing
            .map(|((kind, month), [here, there])| Differs {
                kind,
                month: month.to_owned(),
                here: records(here),
                there: records(there),
            })
            .collect()
    }
}
