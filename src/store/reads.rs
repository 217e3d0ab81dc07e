//! Everything that is asked of a store. A view and a running transaction answer alike,
//! so a rule written once holds for both.

use super::keys::{self, IndexKey};
use super::tables::{ReadTables, WriteTables};
use super::{Batch, Stored, View};
use crate::changes::codec::{self, Reader};
use crate::changes::{Head, Ordered, PROVISIONAL, Via};
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::{Fields, Id};
use redb::{ReadableTable, ReadableTableMetadata};
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

/// A transaction's stretch of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct TxnRow {
    pub txn: Id,
    pub first_seq: u64,
    pub count: u64,
    /// BLAKE3 chain over all headers up to its end.
    pub chain: [u8; 32],
}

/// What a walk does with each row: go on, or stop.
pub type Visit<'a, K> = &'a mut dyn FnMut(K, &[u8]) -> ControlFlow<()>;

/// Rows stepped over before a walk jumps to the next id instead.
pub(super) const MAX_MISSES: u32 = 24;

pub trait Reads {
    fn meta(&self, name: &str) -> Stored<Option<Vec<u8>>>;
    fn local(&self, name: &str) -> Stored<Option<Vec<u8>>>;
    /// Local entries whose name starts with `prefix`.
    fn locals(&self, prefix: &str) -> Stored<Vec<(String, Vec<u8>)>>;
    fn head(&self, kind: Kind, entity: Id) -> Stored<Option<Head>>;
    /// All heads of a kind from `from` on, as stored bytes, deleted ones included.
    fn heads(&self, kind: Kind, from: Id, visit: Visit<Id>) -> Stored<()>;
    /// The heads of these ids, which ascend. Ids that lie close together are walked,
    /// not looked up one by one.
    fn heads_of(&self, kind: Kind, ids: &[Id], visit: Visit<Id>) -> Stored<()>;
    /// Index entries from `from` (included) to `to` (excluded), in order or in reverse.
    fn index(&self, from: &IndexKey, to: &IndexKey, reverse: bool, visit: Visit<Id>) -> Stored<()>;
    /// The last used value declared by the schema, see [`crate::domain::schema::Latest`].
    fn latest(&self, kind: Kind, number: usize, by: &[Id]) -> Stored<Option<Value>>;
    fn last_seq(&self) -> Stored<u64>;
    fn seq_of(&self, change: Id) -> Stored<Option<u64>>;
    /// Headers from `from` on: seq and bytes.
    fn headers(&self, from: u64, reverse: bool, visit: Visit<u64>) -> Stored<()>;
    fn payload(&self, seq: u64) -> Stored<Option<Vec<u8>>>;
    /// Payloads from `from` on: seq and bytes; none where a purge erased it.
    fn payloads(&self, from: u64, visit: Visit<u64>) -> Stored<()>;
    /// The changes of one record, oldest first, as seqs.
    fn history(&self, kind: Kind, entity: Id) -> Stored<Vec<u64>>;
    /// The stretches of a transaction; what a replica has queued of it is one.
    fn txn_rows(&self, txn: Id) -> Stored<Vec<TxnRow>>;
    /// On a replica, the head that had this provisional rev, while it is remembered.
    fn former(&self, kind: Kind, entity: Id, rev: u64) -> Stored<Option<Head>>;
    /// The head that a record had where a replica's log begins, if it changed since.
    fn start(&self, kind: Kind, entity: Id) -> Stored<Option<Head>>;
    /// On a replica, the heads of a kind below what is queued, as stored bytes: of records that
    /// have something queued. An empty one is none.
    fn bases(&self, kind: Kind) -> Stored<BTreeMap<Id, Vec<u8>>>;
    /// On a replica, the acknowledged changes that no verified backup covers.
    fn own_ids(&self) -> Stored<Vec<Id>>;
    fn origin(&self, number: u32) -> Stored<Option<(Id, Id, Via)>>;
    fn device_row(&self, device: Id) -> Stored<Option<(u64, bool)>>;
    fn done(&self, txn: Id) -> Stored<Option<Vec<u8>>>;
    fn blob(&self, hash: &[u8; 32]) -> Stored<Option<Vec<u8>>>;
    fn has_blob(&self, hash: &[u8; 32]) -> Stored<bool>;
    fn staged(&self, batch: Id, from: u32, visit: Visit<u32>) -> Stored<()>;
    /// Writes all of it to another file, as it is at this moment.
    ///
    /// # Errors
    /// A running transaction cannot be copied: it may still be given up.
    fn copy_to(&self, _path: &std::path::Path) -> Stored<()> {
        Err(super::StoreError::Other("a running transaction is not copied".into()))
    }
    /// Rows of the log, heads, index entries, for checks and `doctor`.
    fn counts(&self) -> Stored<[u64; 5]>;

    /// Replies kept, and the order they are kept in: the same number.
    fn replies(&self) -> Stored<(u64, u64)>;

    /// The fields of a live record.
    fn fields(&self, kind: Kind, entity: Id) -> Stored<Option<Fields>> {
        Ok(self.head(kind, entity)?.filter(|h| !h.deleted).map(|h| h.fields))
    }

    /// The place of the log at or after `from`; in reverse at or before it. A replica's
    /// log has gaps: in front of it, and between what is ordered and what is queued.
    fn nearest(&self, from: u64, reverse: bool) -> Stored<Option<u64>> {
        let mut found = None;
        self.headers(from, reverse, &mut |seq, _| {
            found = Some(seq);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// One record of the log, whole.
    fn record(&self, seq: u64) -> Stored<Option<Ordered>> {
        Ok(self.records(seq..seq.saturating_add(1))?.pop())
    }

    /// The records of a stretch of the log, whole, in one walk.
    fn records(&self, places: Range<u64>) -> Stored<Vec<Ordered>> {
        let (mut records, mut origins, mut failed) = (Vec::new(), Vec::new(), None);
        self.headers(places.start, false, &mut |seq, bytes| match codec::decode_header(seq, bytes) {
            _ if seq >= places.end => ControlFlow::Break(()),
            Ok((record, origin, _)) => {
                records.push(record);
                origins.push(origin);
                // What is asked for one by one needs no look at what is behind it.
                if seq + 1 == places.end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Err(damaged) => {
                failed = Some(damaged);
                ControlFlow::Break(())
            }
        })?;
        let mut wanted = records.iter_mut().peekable();
        if failed.is_none() && wanted.peek().is_some() {
            self.payloads(places.start, &mut |seq, bytes| {
                while wanted.next_if(|record| record.seq < seq).is_some() {}
                if let Some(record) = wanted.next_if(|record| record.seq == seq) {
                    failed = codec::decode_payload(bytes, record).err();
                }
                match failed.is_none() && wanted.peek().is_some() {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })?;
        }
        if let Some(damaged) = failed {
            return Err(damaged.into());
        }
        let mut known = None;
        for (record, number) in records.iter_mut().zip(origins) {
            // Neighbours are mostly of one origin.
            let origin = match known {
                Some((before, origin)) if before == number => origin,
                _ => self.origin(number)?,
            };
            known = Some((number, origin));
            if let Some((device, actor, via)) = origin {
                (record.change.device, record.change.actor, record.change.via) = (device, actor, via);
            }
        }
        Ok(records)
    }

    /// The ids in an index under a prefix, at most `most`.
    fn index_ids(&self, prefix: IndexKey, most: usize) -> Stored<Vec<Id>> {
        let mut ids = Vec::new();
        self.index(&prefix, &prefix.clone().after(), false, &mut |id, _| {
            ids.push(id);
            if ids.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(ids)
    }
}

macro_rules! reads {
    ($for:ty $(, $more:item)*) => {
        impl Reads for $for {
            $($more)*

            fn meta(&self, name: &str) -> Stored<Option<Vec<u8>>> {
                if let (super::OWNER, Some(actor)) = (name, self.acts_for) {
                    return Ok(Some(actor.0.to_vec()));
                }
                Ok(self.tables().meta.get(name)?.map(|v| v.value().to_vec()))
            }

            fn local(&self, name: &str) -> Stored<Option<Vec<u8>>> {
                Ok(self.tables().local.get(name)?.map(|v| v.value().to_vec()))
            }

            fn locals(&self, prefix: &str) -> Stored<Vec<(String, Vec<u8>)>> {
                let mut all = Vec::new();
                for row in self.tables().local.range(prefix..)? {
                    let (name, value) = row?;
                    if !name.value().starts_with(prefix) {
                        break;
                    }
                    all.push((name.value().to_owned(), value.value().to_vec()));
                }
                Ok(all)
            }

            fn head(&self, kind: Kind, entity: Id) -> Stored<Option<Head>> {
                match self.tables().head.get(&keys::head_key(kind, entity))? {
                    Some(bytes) => Ok(Some(codec::decode_head(bytes.value())?)),
                    None => Ok(None),
                }
            }

            fn heads(&self, kind: Kind, from: Id, visit: Visit<Id>) -> Stored<()> {
                let (from, to) = (keys::head_key(kind, from), keys::head_key(kind, Id([255; 16])));
                for row in self.tables().head.range::<&[u8; 17]>(&from..=&to)? {
                    let (key, value) = row?;
                    let mut id = [0; 16];
                    id.copy_from_slice(&key.value()[1..]);
                    if visit(Id(id), value.value()).is_break() {
                        break;
                    }
                }
                Ok(())
            }

            fn heads_of(&self, kind: Kind, ids: &[Id], visit: Visit<Id>) -> Stored<()> {
                let table = &self.tables().head;
                let last = keys::head_key(kind, Id([255; 16]));
                let mut wanted = ids.iter().copied().peekable();
                while let Some(first) = wanted.peek().copied() {
                    let mut misses = 0;
                    for row in table.range::<&[u8; 17]>(&keys::head_key(kind, first)..=&last)? {
                        let (key, value) = row?;
                        let here = &key.value()[1..];
                        // What is asked for and not there is stepped over.
                        while wanted.next_if(|next| next.0.as_slice() < here).is_some() {}
                        let Some(next) = wanted.next_if(|next| next.0.as_slice() == here) else {
                            misses += 1;
                            if misses > MAX_MISSES || wanted.peek().is_none() {
                                break;
                            }
                            continue;
                        };
                        misses = 0;
                        if visit(next, value.value()).is_break() {
                            return Ok(());
                        }
                    }
                    if misses <= MAX_MISSES {
                        return Ok(());
                    }
                }
                Ok(())
            }

            fn index(&self, from: &IndexKey, to: &IndexKey, reverse: bool, visit: Visit<Id>) -> Stored<()> {
                if from.0 >= to.0 {
                    return Ok(());
                }
                let mut range = self.tables().idx.range(from.0.as_slice()..to.0.as_slice())?;
                while let Some(row) = if reverse { range.next_back() } else { range.next() } {
                    let (key, _) = row?;
                    let key = key.value();
                    if let Some(id) = keys::entry_id(key)
                        && visit(id, key).is_break()
                    {
                        break;
                    }
                }
                Ok(())
            }

            fn latest(&self, kind: Kind, number: usize, by: &[Id]) -> Stored<Option<Value>> {
                let key = latest_key(kind, number, by);
                match self.tables().latest.get(key.as_slice())? {
                    Some(bytes) => Ok(Some(codec::decode_value(bytes.value())?)),
                    None => Ok(None),
                }
            }

            fn last_seq(&self) -> Stored<u64> {
                Ok(self.tables().log_h.last()?.map_or(0, |(seq, _)| seq.value()))
            }

            fn seq_of(&self, change: Id) -> Stored<Option<u64>> {
                Ok(self.tables().cid.get(&change.0)?.map(|v| v.value()))
            }

            fn headers(&self, from: u64, reverse: bool, visit: Visit<u64>) -> Stored<()> {
                let table = &self.tables().log_h;
                let mut range = if reverse { table.range(..=from)? } else { table.range(from..)? };
                while let Some(row) = if reverse { range.next_back() } else { range.next() } {
                    let (seq, bytes) = row?;
                    if visit(seq.value(), bytes.value()).is_break() {
                        break;
                    }
                }
                Ok(())
            }

            fn payload(&self, seq: u64) -> Stored<Option<Vec<u8>>> {
                Ok(self.tables().log_p.get(seq)?.map(|v| v.value().to_vec()))
            }

            fn payloads(&self, from: u64, visit: Visit<u64>) -> Stored<()> {
                for row in self.tables().log_p.range(from..)? {
                    let (seq, bytes) = row?;
                    if visit(seq.value(), bytes.value()).is_break() {
                        break;
                    }
                }
                Ok(())
            }

            fn history(&self, kind: Kind, entity: Id) -> Stored<Vec<u64>> {
                let (from, to) =
                    (keys::entity_key(kind, entity, 0), keys::entity_key(kind, entity, u64::MAX));
                let mut seqs = Vec::new();
                for row in self.tables().log_e.range::<&[u8; 25]>(&from..=&to)? {
                    let (key, _) = row?;
                    let mut seq = [0; 8];
                    seq.copy_from_slice(&key.value()[17..]);
                    seqs.push(u64::from_be_bytes(seq));
                }
                Ok(seqs)
            }

            fn txn_rows(&self, txn: Id) -> Stored<Vec<TxnRow>> {
                let (from, to) = (keys::txn_key(txn, 0), keys::txn_key(txn, u64::MAX));
                let mut rows = Vec::new();
                for row in self.tables().log_x.range::<&[u8; 24]>(&from..=&to)? {
                    let (key, value) = row?;
                    let mut seq = [0; 8];
                    seq.copy_from_slice(&key.value()[16..]);
                    let mut from = Reader::new(value.value());
                    let (count, chain) = (from.number()?, from.array()?);
                    let first_seq = u64::from_be_bytes(seq);
                    match rows.last_mut() {
                        Some(TxnRow { first_seq: before, count: so_far, .. })
                            if *before >= PROVISIONAL && *before + *so_far == first_seq =>
                        {
                            *so_far += count;
                        }
                        _ => rows.push(TxnRow { txn, first_seq, count, chain }),
                    }
                }
                Ok(rows)
            }

            fn former(&self, kind: Kind, entity: Id, rev: u64) -> Stored<Option<Head>> {
                match self.tables().former.get(&keys::former_key(rev, kind, entity))? {
                    Some(bytes) => Ok(Some(codec::decode_head(bytes.value())?)),
                    None => Ok(None),
                }
            }

            fn start(&self, kind: Kind, entity: Id) -> Stored<Option<Head>> {
                match self.tables().start.get(&keys::head_key(kind, entity))? {
                    Some(bytes) => Ok(Some(codec::decode_head(bytes.value())?)),
                    None => Ok(None),
                }
            }

            fn bases(&self, kind: Kind) -> Stored<BTreeMap<Id, Vec<u8>>> {
                let (from, to) = (keys::head_key(kind, Id::default()), keys::head_key(kind, Id([255; 16])));
                let rows = self.tables().base.range::<&[u8; 17]>(&from..=&to)?;
                let base = |row: Result<_, redb::StorageError>| {
                    let (key, head): (redb::AccessGuard<&[u8; 17]>, redb::AccessGuard<&[u8]>) = row?;
                    let mut id = [0; 16];
                    id.copy_from_slice(&key.value()[1..]);
                    Ok((Id(id), head.value().to_vec()))
                };
                rows.map(base).collect()
            }

            fn own_ids(&self) -> Stored<Vec<Id>> {
                self.tables().own.iter()?.map(|row| Ok(Id(*row?.0.value()))).collect()
            }

            fn origin(&self, number: u32) -> Stored<Option<(Id, Id, Via)>> {
                let Some(row) = self.tables().origin.get(number)? else { return Ok(None) };
                let mut from = Reader::new(row.value());
                let (device, actor) = (from.id()?, from.id()?);
                Ok(Via::from_number(from.byte()?).map(|via| (device, actor, via)))
            }

            fn device_row(&self, device: Id) -> Stored<Option<(u64, bool)>> {
                Ok(self.tables().dev.get(&device.0)?.map(|v| v.value()))
            }

            fn done(&self, txn: Id) -> Stored<Option<Vec<u8>>> {
                Ok(self.tables().done.get(&txn.0)?.map(|v| v.value().to_vec()))
            }

            fn has_blob(&self, hash: &[u8; 32]) -> Stored<bool> {
                Ok(self.tables().blob.get(&super::write::blob_key(hash, 0))?.is_some())
            }

            fn blob(&self, hash: &[u8; 32]) -> Stored<Option<Vec<u8>>> {
                let (from, to) = (super::write::blob_key(hash, 0), super::write::blob_key(hash, u32::MAX));
                let mut whole = None;
                for row in self.tables().blob.range::<&[u8; 36]>(&from..=&to)? {
                    whole.get_or_insert_with(Vec::new).extend_from_slice(row?.1.value());
                }
                Ok(whole)
            }

            fn staged(&self, batch: Id, from: u32, visit: Visit<u32>) -> Stored<()> {
                let (from, to) = (keys::stage_key(batch, from), keys::stage_key(batch, u32::MAX));
                for row in self.tables().stage.range::<&[u8; 20]>(&from..=&to)? {
                    let (key, value) = row?;
                    let mut number = [0; 4];
                    number.copy_from_slice(&key.value()[16..]);
                    if visit(u32::from_be_bytes(number), value.value()).is_break() {
                        break;
                    }
                }
                Ok(())
            }

            fn replies(&self) -> Stored<(u64, u64)> {
                Ok((self.tables().done.len()?, self.tables().done_q.len()?))
            }

            fn counts(&self) -> Stored<[u64; 5]> {
                let t = self.tables();
                Ok([t.log_h.len()?, t.log_e.len()?, t.cid.len()?, t.head.len()?, t.idx.len()?])
            }
        }
    };
}

impl View {
    pub(super) fn tables(&self) -> &ReadTables {
        &self.tables
    }
}

impl<'t> Batch<'t> {
    fn tables(&self) -> &WriteTables<'t> {
        &self.tables
    }
}

reads!(
    View,
    fn copy_to(&self, path: &std::path::Path) -> Stored<()> {
        super::copy(self.tables(), path)
    }
);
reads!(Batch<'_>);

pub fn latest_key(kind: Kind, number: usize, by: &[Id]) -> Vec<u8> {
    let mut key = vec![kind as u8, number as u8];
    by.iter().for_each(|id| key.extend_from_slice(&id.0));
    key
}
