//! Heads that come by the hundred thousand without their log, as a new device gets them. They
//! are made ready on any thread: what is left to the one that writes is to put sorted rows
//! into tables.

use super::write::{Batch, newest};
use super::{Stored, keys};
use crate::changes::codec::{self, Damaged};
use crate::domain::Id;
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use redb::ReadableTable;
use std::collections::BTreeMap;
use std::ops::{Bound, Range};

/// Heads in the order of kinds and ids, with all that they leave in other tables.
#[derive(Default)]
pub struct Prepared {
    heads: Vec<(Kind, Id, Range<usize>)>,
    bytes: Vec<u8>,
    entries: Entries,
    latest: BTreeMap<Vec<u8>, Value>,
}

/// Index entries one behind the other.
#[derive(Default)]
struct Entries {
    bytes: Vec<u8>,
    /// The beginning of each, and where it lies.
    places: Vec<(u128, Range<u32>)>,
}

impl Entries {
    fn push(&mut self, entry: &[u8]) {
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(entry);
        self.places.push((keys::front(entry), from..self.bytes.len() as u32));
    }

    fn sort(&mut self) {
        let Entries { bytes, places } = self;
        let entry = |at: &Range<u32>| &bytes[at.start as usize..at.end as usize];
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| entry(&a.1).cmp(entry(&b.1))));
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|(_, at)| &self.bytes[at.start as usize..at.end as usize])
    }
}

impl Prepared {
    /// Takes a stored head in.
    pub fn push(&mut self, kind: Kind, id: Id, bytes: &[u8]) -> Result<(), Damaged> {
        let head = codec::decode_head(bytes)?;
        if !head.deleted {
            for index in kind.schema().indexes {
                keys::entries(index, &head.fields, id).iter().for_each(|entry| self.entries.push(entry));
            }
        }
        newest(&mut self.latest, kind, &head);
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.heads.push((kind, id, from..self.bytes.len()));
        Ok(())
    }

    /// In the order of the tables, once all are in.
    pub fn sorted(mut self) -> Prepared {
        self.heads.sort_by_key(|(kind, id, _)| (*kind, *id));
        self.entries.sort();
        self
    }
}

impl Batch<'_> {
    /// Puts heads into the store and returns how many.
    pub fn install_all(&mut self, prepared: &Prepared) -> Stored<u64> {
        self.dirty = true;
        if self.lies_between(prepared)? {
            // Some are there already, or have something queued: each is looked at.
            for (kind, id, at) in &prepared.heads {
                self.install(*kind, *id, &prepared.bytes[at.clone()])?;
            }
            return Ok(prepared.heads.len() as u64);
        }
        let mut heads = prepared.heads.iter().peekable();
        while let Some((kind, first, _)) = heads.peek().copied() {
            let from = keys::head_key(*kind, *first);
            let mut cursor = self.tables.head.lower_bound_mut(Bound::Included(&from))?;
            while let Some((kind, id, at)) = heads.next_if(|(of, ..)| of == kind) {
                cursor.insert_before(&keys::head_key(*kind, *id), &prepared.bytes[at.clone()])?;
            }
            cursor.close()?;
        }
        self.insert_entries(prepared.entries.iter())?;
        self.keep_newest(&prepared.latest);
        Ok(prepared.heads.len() as u64)
    }

    /// Whether the store holds heads or bases between those of a kind that come.
    fn lies_between(&self, prepared: &Prepared) -> Stored<bool> {
        for run in prepared.heads.chunk_by(|a, b| a.0 == b.0) {
            let ([(kind, first, _), ..], Some((_, last, _))) = (run, run.last()) else { continue };
            let (from, to) = (keys::head_key(*kind, *first), keys::head_key(*kind, *last));
            let is_there = self.tables.head.range::<&[u8; 17]>(&from..=&to)?.next().is_some()
                || self.tables.base.range::<&[u8; 17]>(&from..=&to)?.next().is_some();
            if is_there {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
