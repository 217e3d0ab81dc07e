//! A write transaction: the ledger of a device or server, and the local tables.

use super::deferred::Deferred;
use super::keys;
use super::reads::{Reads, latest_key};
use super::tables::WriteTables;
use super::{StoreError, Stored};
use crate::changes::codec::{self, Writer};
use crate::changes::protocol::{Device, Ledger};
use crate::changes::{Head, Op, Ordered, PROVISIONAL, Verdict, Via};
use crate::domain::Id;
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Largest piece of a blob: redb keeps values in power-of-two page runs, and pieces
/// of this size waste the least.
const PIECE_BYTES: usize = 32_700;
/// Replies kept for repeats; the oldest go first.
const MAX_DONE: u64 = 4_096;
/// Former heads that a replica keeps for open forms; the oldest go first.
const MAX_FORMER: u64 = 20_000;
/// Meta row: the last provisional place a replica gave.
const PENDING: &str = "pending";

/// Records remembered a kind for the event after the commit.
const MAX_TOUCHED: usize = 1_000;

pub struct Batch<'t> {
    pub(super) tables: WriteTables<'t>,
    /// On whose behalf the running command writes, where that is not the store's owner.
    pub(super) acts_for: Option<Id>,
    origins: HashMap<(Id, Id, u8), u32>,
    /// On a replica the last provisional place.
    pub(super) last_seq: u64,
    /// Where a replica stands in its server's log; none in a store that orders by itself.
    pub(super) cursor: Option<u64>,
    /// A replica's log begins behind this place.
    pub(super) start: u64,
    /// BLAKE3 over all headers so far, as of the last closed transaction.
    chain: [u8; 32],
    open: Option<OpenTxn>,
    pub(super) dirty: bool,
    jobs: bool,
    touched: BTreeMap<Kind, BTreeSet<Id>>,
    /// Last used values of heads that are being installed.
    latest: BTreeMap<Vec<u8>, Value>,
    /// More was touched than is worth naming.
    many: bool,
    /// What is written at the end, when there is much of it.
    pub(super) deferred: Option<Deferred>,
}

/// A user's transaction whose records are being appended.
struct OpenTxn {
    txn: Id,
    first_seq: u64,
    last_seq: u64,
    /// Its last record holds what follows in it.
    holds: bool,
    hasher: blake3::Hasher,
}

impl<'t> Batch<'t> {
    pub(super) fn open(txn: &'t WriteTransaction) -> Stored<Batch<'t>> {
        let tables = WriteTables::open(txn)?;
        let chain = tables.meta.get("chain")?.map(|v| v.value().to_vec()).and_then(|v| v.try_into().ok());
        let cursor = number(&tables, super::CURSOR)?;
        let last_seq = match cursor {
            Some(_) => number(&tables, PENDING)?.unwrap_or(PROVISIONAL),
            None => tables.log_h.last()?.map_or(0, |(seq, _)| seq.value()),
        };
        let start = number(&tables, super::START)?.unwrap_or(0);
        let chain = chain.unwrap_or_default();
        Ok(Batch {
            tables,
            acts_for: None,
            origins: HashMap::new(),
            last_seq,
            cursor,
            start,
            chain,
            open: None,
            dirty: false,
            jobs: false,
            touched: BTreeMap::new(),
            many: false,
            latest: BTreeMap::new(),
            deferred: None,
        })
    }

    /// The commands from here on are somebody's who signed in.
    pub fn act_for(&mut self, actor: Option<Id>) {
        self.acts_for = actor;
    }

    /// Whether anything was written since the last call.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Tells whoever looks that this changed: for what is kept beside the log.
    pub fn touch(&mut self, kind: Kind, id: Id) {
        let touched = self.touched.entry(kind).or_default();
        if touched.len() < MAX_TOUCHED {
            touched.insert(id);
        }
    }

    /// The same of a kind as a whole.
    pub(super) fn touch_kind(&mut self, kind: Kind) {
        self.touched.entry(kind).or_default();
        self.many = true;
    }

    /// The kinds and records written so far; no records when they are more than `most`.
    pub fn take_touched(&mut self, most: usize) -> (Vec<Kind>, Vec<Id>) {
        let touched = std::mem::take(&mut self.touched);
        let kinds = touched.keys().copied().collect();
        let ids: Vec<Id> = touched.into_values().flatten().take(most + 1).collect();
        let many = std::mem::take(&mut self.many) || ids.len() > most;
        (kinds, if many { vec![] } else { ids })
    }

    pub(super) fn finish(&mut self) -> Stored<()> {
        self.end_command()?;
        self.tables.meta.insert("chain", self.chain.as_slice())?;
        if self.cursor.is_some() {
            self.tables.meta.insert(PENDING, self.last_seq.to_be_bytes().as_slice())?;
            while self.tables.former.len()? > MAX_FORMER {
                self.tables.former.pop_first()?;
            }
        }
        while self.tables.done_q.len()? > MAX_DONE {
            let oldest = self.tables.done_q.pop_first()?.map(|(_, txn)| *txn.value());
            if let Some(txn) = oldest {
                self.tables.done.remove(&txn)?;
            }
        }
        Ok(())
    }

    /// Nothing of one command reaches into the next of its group.
    pub fn end_command(&mut self) -> Stored<()> {
        self.close_txn()?;
        self.write_deferred()
    }

    /// Ends the current user's transaction: its row in the log, and the chain over it.
    fn close_txn(&mut self) -> Stored<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.chain = open.hasher.finalize().into();
        let mut row = Writer::default();
        row.number(open.last_seq - open.first_seq + 1);
        row.raw(&self.chain);
        self.tables.log_x.insert(&keys::txn_key(open.txn, open.first_seq), row.bytes.as_slice())?;
        Ok(())
    }

    fn origin_of(&mut self, device: Id, actor: Id, via: Via) -> Stored<u32> {
        let key = (device, actor, via as u8);
        if self.origins.is_empty() {
            for row in self.tables.origin.iter()? {
                let (number, row) = row?;
                let mut from = codec::Reader::new(row.value());
                self.origins.insert((from.id()?, from.id()?, from.byte()?), number.value());
            }
        }
        if let Some(number) = self.origins.get(&key) {
            return Ok(*number);
        }
        let number = self.origins.len() as u32;
        let row = origin_row(device, actor, via);
        self.tables.origin.insert(number, &row)?;
        self.origins.insert(key, number);
        Ok(number)
    }

    /// Writes a head and the index entries that it changes.
    pub(super) fn put_head(&mut self, kind: Kind, entity: Id, head: &Head, is_new: bool) -> Stored<()> {
        let key = keys::head_key(kind, entity);
        let bytes = codec::encode_head(head);
        let before = match self.tables.head.insert(&key, bytes.as_slice())? {
            Some(old) if !is_new => Some(codec::decode_head(old.value())?),
            _ => None,
        };
        if let Some(before) = &before
            && !head.is_purged()
        {
            self.keep_former(kind, entity, before)?;
        }
        self.index(kind, entity, before.as_ref(), Some(head))
    }

    /// Takes a head away that only a queued change had made.
    pub(super) fn remove_head(&mut self, kind: Kind, entity: Id) -> Stored<()> {
        let before = match self.tables.head.remove(&keys::head_key(kind, entity))? {
            Some(old) => codec::decode_head(old.value())?,
            None => return Ok(()),
        };
        self.keep_former(kind, entity, &before)?;
        self.index(kind, entity, Some(&before), None)
    }

    /// What a replica's log cannot tell again stays readable: forms may be open on it.
    fn keep_former(&mut self, kind: Kind, entity: Id, head: &Head) -> Stored<()> {
        if head.rev >= PROVISIONAL {
            let key = keys::former_key(head.rev, kind, entity);
            self.tables.former.insert(&key, codec::encode_head(head).as_slice())?;
        } else if head.rev <= self.start {
            let key = keys::head_key(kind, entity);
            self.tables.start.insert(&key, codec::encode_head(head).as_slice())?;
        }
        Ok(())
    }

    /// Changes the index entries of a record from those of one head to those of another.
    pub(super) fn index(
        &mut self,
        kind: Kind,
        entity: Id,
        before: Option<&Head>,
        after: Option<&Head>,
    ) -> Stored<()> {
        for index in kind.schema().indexes {
            let of = |head: Option<&Head>| match head {
                Some(head) if !head.deleted => keys::entries(index, &head.fields, entity),
                _ => vec![],
            };
            let (old, new) = (of(before), of(after));
            for entry in old.iter().filter(|e| !new.contains(e)) {
                match &mut self.deferred {
                    Some(later) => later.entries.push((entry.clone(), false)),
                    None => drop(self.tables.idx.remove(entry.as_slice())?),
                }
            }
            for entry in new.into_iter().filter(|e| !old.contains(e)) {
                match &mut self.deferred {
                    Some(later) => later.entries.push((entry, true)),
                    None => drop(self.tables.idx.insert(entry.as_slice(), ())?),
                }
            }
        }
        Ok(())
    }

    /// The same of a head that came without the records that made it: of many, the newest
    /// is written at the end.
    pub(super) fn note_latest(&mut self, kind: Kind, head: &Head) {
        newest(&mut self.latest, kind, head);
    }

    pub(super) fn keep_newest(&mut self, latest: &BTreeMap<Vec<u8>, Value>) {
        latest.iter().for_each(|(key, value)| keep_newer(&mut self.latest, key.clone(), value));
    }

    pub(super) fn write_latest(&mut self) -> Stored<()> {
        for (key, value) in std::mem::take(&mut self.latest) {
            let stored = self.tables.latest.get(key.as_slice())?.map(|v| codec::decode_value(v.value()));
            if stored.transpose()?.is_none_or(|stored| newer(&value, &stored)) {
                self.tables.latest.insert(key.as_slice(), codec::encode_value(&value).as_slice())?;
            }
        }
        Ok(())
    }

    /// Begins the chain anew, for a replica that reads its log again.
    pub(super) fn forget_chain(&mut self) {
        self.chain = [0; 32];
    }

    /// Notes the values that the schema asks to remember as last used.
    pub(super) fn remember(&mut self, record: &Ordered, head: &Head) -> Stored<()> {
        let kind = record.change.kind;
        for (number, latest) in kind.schema().latest.iter().enumerate() {
            if let Some((owners, value)) = latest_rows(latest, record, head) {
                let (key, value) = (latest_key(kind, number, &owners), codec::encode_value(&value));
                match &mut self.deferred {
                    Some(deferred) => drop(deferred.last_used.insert(key, value)),
                    None => drop(self.tables.latest.insert(key.as_slice(), value.as_slice())?),
                }
            }
        }
        Ok(())
    }

    pub fn set_meta(&mut self, name: &str, value: &[u8]) -> Stored<()> {
        self.dirty = true;
        self.tables.meta.insert(name, value)?;
        Ok(())
    }

    /// Sets local state, or takes it away.
    pub fn set_local(&mut self, name: &str, value: Option<&[u8]>) -> Stored<()> {
        self.dirty = true;
        match value {
            Some(value) => self.tables.local.insert(name, value)?,
            None => self.tables.local.remove(name)?,
        };
        Ok(())
    }

    /// Keeps the reply of a transaction for a repeat of the request.
    pub fn set_done(&mut self, txn: Id, reply: &[u8]) -> Stored<()> {
        self.dirty = true;
        self.tables.done.insert(&txn.0, reply)?;
        let place = self.tables.done_q.last()?.map_or(0, |(n, _)| n.value() + 1);
        self.tables.done_q.insert(place, &txn.0)?;
        Ok(())
    }

    /// Stores bytes under their BLAKE3 hash, once.
    pub fn put_blob(&mut self, bytes: &[u8]) -> Stored<[u8; 32]> {
        self.dirty = true;
        let hash: [u8; 32] = blake3::hash(bytes).into();
        for (number, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
            self.tables.blob.insert(&blob_key(&hash, number as u32), piece)?;
        }
        if bytes.is_empty() {
            self.tables.blob.insert(&blob_key(&hash, 0), [].as_slice())?;
        }
        Ok(hash)
    }

    pub fn drop_blob(&mut self, hash: &[u8; 32]) -> Stored<()> {
        self.dirty = true;
        let (from, to) = (blob_key(hash, 0), blob_key(hash, u32::MAX));
        self.tables.blob.retain_in::<&[u8; 36], _>(&from..=&to, |_, _| false)?;
        Ok(())
    }

    /// Says that the jobs that wait are not those that waited before.
    pub fn nudge_jobs(&mut self) {
        self.jobs = true;
    }

    pub fn take_jobs(&mut self) -> bool {
        std::mem::take(&mut self.jobs)
    }

    pub fn put_staged(&mut self, batch: Id, row: u32, bytes: &[u8]) -> Stored<()> {
        self.dirty = true;
        self.tables.stage.insert(&keys::stage_key(batch, row), bytes)?;
        Ok(())
    }

    pub fn clear_staged(&mut self, batch: Id) -> Stored<()> {
        self.dirty = true;
        let (from, to) = (keys::stage_key(batch, 0), keys::stage_key(batch, u32::MAX));
        self.tables.stage.retain_in::<&[u8; 20], _>(&from..=&to, |_, _| false)?;
        Ok(())
    }
}

/// device ‖ actor ‖ via
pub(super) fn origin_row(device: Id, actor: Id, via: Via) -> [u8; 33] {
    let mut row = [0; 33];
    row[..16].copy_from_slice(&device.0);
    row[16..32].copy_from_slice(&actor.0);
    row[32] = via as u8;
    row
}

pub fn blob_key(hash: &[u8; 32], piece: u32) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(hash);
    key[32..].copy_from_slice(&piece.to_be_bytes());
    key
}

/// (owners, value) pairs that a record leaves as last used.
pub(super) fn latest_rows(
    latest: &crate::domain::schema::Latest,
    record: &Ordered,
    head: &Head,
) -> Option<(Vec<Id>, Value)> {
    let value = record.given(latest.of)?.clone();
    Some((latest_owners(latest, head)?, value))
}

fn latest_owners(latest: &crate::domain::schema::Latest, head: &Head) -> Option<Vec<Id>> {
    let owner = |field| match head.fields.get(field) {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    };
    latest.by.iter().map(owner).collect()
}

/// What a head leaves as last used, where that is newer than what is known.
pub(super) fn newest(known: &mut BTreeMap<Vec<u8>, Value>, kind: Kind, head: &Head) {
    for (number, latest) in kind.schema().latest.iter().enumerate() {
        let Some(value) = head.fields.get(&latest.of).filter(|_| !head.deleted) else { continue };
        let Some(owners) = latest_owners(latest, head) else { continue };
        keep_newer(known, latest_key(kind, number, &owners), value);
    }
}

fn keep_newer(known: &mut BTreeMap<Vec<u8>, Value>, key: Vec<u8>, value: &Value) {
    match known.entry(key) {
        Entry::Occupied(mut known) if newer(value, known.get()) => drop(known.insert(value.clone())),
        Entry::Occupied(_) => {}
        Entry::Vacant(place) => drop(place.insert(value.clone())),
    }
}

/// Of two last used values that came without their order: the later day.
fn newer(one: &Value, other: &Value) -> bool {
    matches!((one, other), (Value::Date(one), Value::Date(other)) if one > other)
}

impl Ledger for Batch<'_> {
    type Error = StoreError;

    fn epoch(&self) -> Stored<u64> {
        Ok(number(&self.tables, super::EPOCH)?.unwrap_or(0))
    }

    fn last_seq(&self) -> Stored<u64> {
        Ok(self.last_seq)
    }

    fn seq_of(&self, change_id: Id) -> Stored<Option<u64>> {
        Reads::seq_of(self, change_id)
    }

    fn head(&self, kind: Kind, entity: Id) -> Stored<Option<Head>> {
        Reads::head(self, kind, entity)
    }

    fn device(&self, device: Id) -> Stored<Device> {
        let row = self.device_row(device)?.unwrap_or_default();
        Ok(Device { last_dseq: row.0, fenced: row.1 })
    }

    fn set_device(&mut self, device: Id, row: Device) -> Stored<()> {
        self.dirty = true;
        self.tables.dev.insert(&device.0, (row.last_dseq, row.fenced))?;
        Ok(())
    }

    fn append(&mut self, record: &Ordered, heads: Vec<(Kind, Id, Head)>) -> Stored<()> {
        let change = &record.change;
        self.write_record(record)?;
        self.last_seq = record.seq;
        let is_new = change.op == Op::Create && record.verdict == Verdict::Applied;
        let drafts = self.erase(record)?;
        for (kind, entity, head) in heads.into_iter().chain(drafts) {
            self.touch(kind, entity);
            if record.seq >= PROVISIONAL {
                self.keep_base(kind, entity)?;
            }
            let own = entity == change.entity && kind == change.kind;
            self.put_head(kind, entity, &head, is_new && own)?;
            if own {
                self.remember(record, &head)?;
            }
        }
        Ok(())
    }

    fn records(&self, after: u64, most: usize) -> Stored<Vec<Ordered>> {
        let end = self.last_seq.min(after.saturating_add(most as u64));
        Reads::records(self, after + 1..end + 1)
    }

    fn holds(&self, txn: Id) -> Stored<bool> {
        match &self.open {
            Some(open) if open.txn == txn => return Ok(open.holds),
            _ => {}
        }
        // A transaction of another batch, or one that this store orders provisionally: there
        // nothing is held.
        let rows = if self.cursor.is_some() { vec![] } else { self.txn_rows(txn)? };
        let last = rows.iter().map(|row| row.first_seq + row.count - 1).max();
        let last = last.map(|seq| self.record(seq)).transpose()?.flatten();
        Ok(last.is_some_and(|record| record.holds()))
    }

    fn verified_backup_seq(&self) -> Stored<u64> {
        Ok(number(&self.tables, super::VERIFIED)?.unwrap_or(0))
    }
}

/// A number kept in `meta`.
fn number(tables: &WriteTables, name: &str) -> Stored<Option<u64>> {
    Ok(tables.meta.get(name)?.and_then(|v| v.value().try_into().ok()).map(u64::from_be_bytes))
}

impl Batch<'_> {
    /// Writes a record into the log at its place. The chain covers the one order: what a
    /// replica has queued is not in it yet.
    pub(super) fn write_record(&mut self, record: &Ordered) -> Stored<()> {
        self.dirty = true;
        let change = &record.change;
        let queued = record.seq >= PROVISIONAL;
        if self
            .open
            .as_ref()
            .is_some_and(|open| queued || open.txn != change.txn_id || open.last_seq + 1 != record.seq)
        {
            self.close_txn()?;
        }
        let payload = codec::encode_payload(record, crate::random::secret());
        let commitment: [u8; 32] = blake3::hash(&payload).into();
        let origin = self.origin_of(change.device, change.actor, change.via)?;
        let header = codec::encode_header(record, origin, &commitment);
        if queued {
            let mut row = Writer::default();
            row.number(1);
            row.raw(&[0; 32]);
            self.tables.log_x.insert(&keys::txn_key(change.txn_id, record.seq), row.bytes.as_slice())?;
        } else {
            let chain = self.chain;
            let open = self.open.get_or_insert_with(|| {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&chain);
                OpenTxn {
                    txn: change.txn_id,
                    first_seq: record.seq,
                    last_seq: record.seq,
                    holds: false,
                    hasher,
                }
            });
            open.holds = record.holds();
            open.last_seq = record.seq;
            // The header names its origin by number; the chain covers what that stands for.
            open.hasher.update(&origin_row(change.device, change.actor, change.via));
            open.hasher.update(&header);
        }
        self.tables.log_h.insert(record.seq, header.as_slice())?;
        self.tables.log_p.insert(record.seq, payload.as_slice())?;
        self.tables.log_e.insert(&keys::entity_key(change.kind, change.entity, record.seq), ())?;
        self.tables.cid.insert(&change.change_id.0, record.seq)?;
        Ok(())
    }

    /// Erases what the log tells of a record that an ordered change purged. The headers stay:
    /// what they commit to is salted, and its salt goes too. Returns what is left of the
    /// drafts that its conflicts made. A purge that waits to be ordered may be refused yet.
    pub(super) fn erase(&mut self, purge: &Ordered) -> Stored<Vec<(Kind, Id, Head)>> {
        let (kind, entity) = (purge.change.kind, purge.change.entity);
        let mut drafts = Vec::new();
        if purge.change.op != Op::Purge || purge.verdict != Verdict::Applied || purge.seq >= PROVISIONAL {
            return Ok(drafts);
        }
        for seq in self.history(kind, entity)?.into_iter().filter(|seq| *seq < purge.seq) {
            if let Some(record) = self.record(seq)? {
                let id = record.change.change_id;
                self.tables.own.remove(&id.0)?;
                if record.has_draft() {
                    drafts.push((Kind::Draft, id, Head::purged(purge.seq)));
                }
            }
            self.tables.log_p.remove(seq)?;
        }
        self.tables.start.remove(&keys::head_key(kind, entity))?;
        self.tables.former.retain(|key, _| key[8..] != keys::head_key(kind, entity)[..])?;
        // Answers that are kept for repeats may hold it. A repeat is still known by its
        // transaction.
        self.tables.done.retain(|_, _| false)?;
        self.tables.done_q.retain(|_, _| false)?;
        Ok(drafts)
    }
}
