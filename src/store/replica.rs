//! A store as the replica of a remote log: its heads are what the person sees, the base
//! with the queue on top, so that reading knows nothing of it.
//!
//! What a device changes is ordered here at once, at a provisional place behind all
//! others, and so is in the log, in history and in undo like anything else. When it comes
//! back in the server's stream, its provisional record goes and the ordered one stands at
//! the server's place. Only records with queued changes have a head in `base`.

use super::write::Batch;
use super::{CURSOR, EPOCH, START, StoreError, Stored, VERIFIED, keys, meta_id, meta_number};
use crate::changes::codec::{self, Writer};
use crate::changes::protocol::{self, Replica};
use crate::changes::{Change, Head, Ordered, PROVISIONAL, Verdict};
use crate::domain::Id;
use crate::domain::schema::Kind;
use crate::store::Reads;
use redb::ReadableTable;
use std::ops::ControlFlow;

impl Batch<'_> {
    /// Makes this store a replica that has read nothing yet. What it holds is forgotten,
    /// but for what is local to the device.
    pub fn become_replica(&mut self, device: Id, epoch: u64) -> Stored<()> {
        self.cursor = Some(0);
        self.last_seq = self.last_seq.max(PROVISIONAL);
        self.clear_base()?;
        Replica::set_device(self, device)?;
        self.set_position(epoch, 0)
    }

    /// Begins the base with heads as they stand at a place of the server's log, which are
    /// all there is from before.
    pub fn begin_at(&mut self, seq: u64) -> Stored<()> {
        self.set_meta(START, &seq.to_be_bytes())?;
        self.start = seq;
        self.move_cursor(seq)
    }

    /// A head of the base that came without its log, as stored bytes. The newest of what
    /// it leaves as last used is written by [`Batch::end_install`].
    pub fn install(&mut self, kind: Kind, entity: Id, bytes: &[u8]) -> Stored<()> {
        self.dirty = true;
        let head = codec::decode_head(bytes)?;
        // Another process may have read on already.
        if self.base_head(kind, entity)?.is_some_and(|known| known.rev > head.rev) {
            return Ok(());
        }
        if self.base_row(kind, entity)?.is_some() {
            self.put_base(kind, entity, &head)?;
            self.look_again(kind, entity)?;
        } else {
            let before = match self.tables.head.insert(&keys::head_key(kind, entity), bytes)? {
                Some(old) => Some(codec::decode_head(old.value())?),
                None => None,
            };
            self.index(kind, entity, before.as_ref(), Some(&head))?;
        }
        self.note_latest(kind, &head);
        Ok(())
    }

    pub fn end_install(&mut self) -> Stored<()> {
        for kind in Kind::ALL {
            self.touch_kind(*kind);
        }
        self.write_latest()
    }

    fn move_cursor(&mut self, seq: u64) -> Stored<()> {
        self.cursor = Some(seq);
        self.set_meta(CURSOR, &seq.to_be_bytes())
    }

    /// The base head of a record that has queued changes: none where it is the head.
    fn base_row(&self, kind: Kind, entity: Id) -> Stored<Option<Option<Head>>> {
        Ok(match self.tables.base.get(&keys::head_key(kind, entity))? {
            Some(bytes) if bytes.value().is_empty() => Some(None),
            Some(bytes) => Some(Some(codec::decode_head(bytes.value())?)),
            None => None,
        })
    }

    /// Before a queued change touches a record: its head is the base from now on.
    pub(super) fn keep_base(&mut self, kind: Kind, entity: Id) -> Stored<()> {
        let key = keys::head_key(kind, entity);
        if self.tables.base.get(&key)?.is_none() {
            let bytes = self.tables.head.get(&key)?.map(|v| v.value().to_vec()).unwrap_or_default();
            self.tables.base.insert(&key, bytes.as_slice())?;
        }
        Ok(())
    }

    fn put_base(&mut self, kind: Kind, entity: Id, head: &Head) -> Stored<()> {
        let key = keys::head_key(kind, entity);
        if self.tables.base.get(&key)?.is_some() {
            self.tables.base.insert(&key, codec::encode_head(head).as_slice())?;
            return Ok(());
        }
        self.put_head(kind, entity, head, false)
    }

    /// Lays the queue over a base that moved. The rev is one that nobody has seen, so that
    /// a form opened on the head before does not take it for the same.
    fn look_again(&mut self, kind: Kind, entity: Id) -> Stored<()> {
        let Some(base) = self.base_row(kind, entity)? else { return Ok(()) };
        let waits = !self.queue_of(kind, entity)?.is_empty();
        // A Draft made here belongs to a change that still waits.
        let made_here = kind == Kind::Draft && self.queued_at(entity)?.is_some();
        if made_here {
            return Ok(());
        }
        let view = if waits { protocol::view(self, kind, entity)? } else { base };
        if !waits {
            self.tables.base.remove(&keys::head_key(kind, entity))?;
        }
        match view {
            Some(mut head) => {
                if waits {
                    self.last_seq += 1;
                    head.rev = self.last_seq;
                }
                self.put_head(kind, entity, &head, false)
            }
            None => self.remove_head(kind, entity),
        }
    }

    /// The provisional place of a change that waits.
    fn queued_at(&self, change: Id) -> Stored<Option<u64>> {
        Ok(Reads::seq_of(self, change)?.filter(|seq| *seq >= PROVISIONAL))
    }

    /// Takes a change out of the queue.
    fn unqueue(&mut self, seq: u64) -> Stored<Option<Ordered>> {
        let Some(record) = self.record(seq)? else { return Ok(None) };
        let change = &record.change;
        self.tables.log_h.remove(seq)?;
        self.tables.log_p.remove(seq)?;
        self.tables.log_e.remove(&keys::entity_key(change.kind, change.entity, seq))?;
        self.tables.log_x.remove(&keys::txn_key(change.txn_id, seq))?;
        self.tables.cid.remove(&change.change_id.0)?;
        Ok(Some(record))
    }

    /// What waits, as it stands in the log; `visit` says when it has enough.
    fn waiting(&self, visit: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Stored<()> {
        self.headers(PROVISIONAL, false, &mut |seq, _| visit(seq))
    }

    fn keep_own(&mut self, seq: u64, change: &Change) -> Stored<()> {
        let mut row = Writer::default();
        row.raw(&seq.to_be_bytes());
        row.raw(&codec::encode_change(change));
        self.tables.own.insert(&change.change_id.0, row.bytes.as_slice())?;
        Ok(())
    }
}

fn own_row(bytes: &[u8]) -> Stored<(u64, Change)> {
    let mut from = codec::Reader::new(bytes);
    let seq = u64::from_be_bytes(from.array()?);
    Ok((seq, codec::decode_change(&bytes[8..])?))
}

impl Replica for Batch<'_> {
    type Error = StoreError;

    fn device(&self) -> Stored<Id> {
        Ok(meta_id(self, super::DEVICE)?.unwrap_or_default())
    }

    fn set_device(&mut self, device: Id) -> Stored<()> {
        self.set_meta(super::DEVICE, &device.0)
    }

    fn epoch(&self) -> Stored<u64> {
        Ok(meta_number(self, EPOCH)?.unwrap_or(0))
    }

    fn cursor(&self) -> Stored<u64> {
        Ok(self.cursor.unwrap_or(0))
    }

    fn set_position(&mut self, epoch: u64, cursor: u64) -> Stored<()> {
        self.set_meta(EPOCH, &epoch.to_be_bytes())?;
        self.move_cursor(cursor)
    }

    fn clear_base(&mut self) -> Stored<()> {
        self.dirty = true;
        self.end_command()?;
        let mut queued = Vec::new();
        self.waiting(&mut |seq| {
            queued.push(seq);
            ControlFlow::Continue(())
        })?;
        let t = &mut self.tables;
        t.log_h.retain_in(..PROVISIONAL, |_, _| false)?;
        t.log_p.retain_in(..PROVISIONAL, |_, _| false)?;
        t.log_e.retain(|key, ()| key[17..] >= PROVISIONAL.to_be_bytes()[..])?;
        t.log_x.retain(|key, _| key[16..] >= PROVISIONAL.to_be_bytes()[..])?;
        t.cid.retain(|_, seq| seq >= PROVISIONAL)?;
        t.head.retain(|_, _| false)?;
        t.idx.retain(|_, ()| false)?;
        t.latest.retain(|_, _| false)?;
        t.base.retain(|_, _| false)?;
        t.start.retain(|_, _| false)?;
        t.meta.remove(START)?;
        t.meta.remove(VERIFIED)?;
        self.start = 0;
        self.forget_chain();
        for seq in queued {
            let Some(record) = self.record(seq)? else { continue };
            let change = &record.change;
            self.tables.base.insert(&keys::head_key(change.kind, change.entity), [].as_slice())?;
            self.look_again(change.kind, change.entity)?;
        }
        for kind in Kind::ALL {
            self.touch_kind(*kind);
        }
        Ok(())
    }

    fn base_head(&self, kind: Kind, entity: Id) -> Stored<Option<Head>> {
        match self.base_row(kind, entity)? {
            Some(base) => Ok(base),
            None => Reads::head(self, kind, entity),
        }
    }

    fn take(&mut self, record: &Ordered, heads: Vec<(Kind, Id, Head)>) -> Stored<()> {
        let change = &record.change;
        let mine = match self.queued_at(change.change_id)? {
            Some(seq) => self.unqueue(seq)?.map(|queued| queued.change),
            None => match self.tables.own.get(&change.change_id.0)? {
                Some(row) => Some(own_row(row.value())?.1),
                None => None,
            },
        };
        let erased = self.base_head(change.kind, change.entity)?.is_some_and(|head| head.is_purged());
        match mine {
            Some(_) if erased => drop(self.tables.own.remove(&change.change_id.0)?),
            Some(mine) => self.keep_own(record.seq, &mine)?,
            None => {}
        }
        self.write_record(record)?;
        let mut moved = vec![(change.kind, change.entity), (Kind::Draft, change.change_id)];
        let drafts = self.erase(record)?;
        for (kind, entity, head) in heads.into_iter().chain(drafts) {
            self.touch(kind, entity);
            if (kind, entity) == moved[0] {
                self.remember(record, &head)?;
            }
            self.put_base(kind, entity, &head)?;
            moved.push((kind, entity));
        }
        moved.sort_unstable();
        moved.dedup();
        moved.into_iter().try_for_each(|(kind, entity)| self.look_again(kind, entity))
    }

    fn queue(&self, most: usize) -> Stored<Vec<Change>> {
        let mut seqs = Vec::new();
        self.waiting(&mut |seq| {
            seqs.push(seq);
            if seqs.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        seqs.truncate(most);
        let record = |seq| Ok(self.record(seq)?.map(|r| r.change));
        seqs.into_iter().filter_map(|seq| record(seq).transpose()).collect()
    }

    fn set_queue(&mut self, queue: Vec<Change>) -> Stored<()> {
        for change in self.queue(usize::MAX)? {
            if let Some(seq) = self.queued_at(change.change_id)? {
                self.unqueue(seq)?;
            }
        }
        for change in queue {
            // What was ordered in a life of the log that is gone is queued again.
            if let Some(seq) = Reads::seq_of(self, change.change_id)? {
                self.unqueue(seq)?;
            }
            self.tables.own.remove(&change.change_id.0)?;
            self.keep_base(change.kind, change.entity)?;
            self.last_seq += 1;
            let record = Ordered {
                seq: self.last_seq,
                received_ms: crate::changes::hlc::unix_ms(change.hlc),
                verdict: Verdict::Applied,
                effect: None,
                conflicts: vec![],
                refusal: String::new(),
                change,
            };
            self.write_record(&record)?;
            self.look_again(record.change.kind, record.change.entity)?;
        }
        Ok(())
    }

    fn queue_of(&self, kind: Kind, entity: Id) -> Stored<Vec<Change>> {
        let seqs = self.history(kind, entity)?.into_iter().filter(|seq| *seq >= PROVISIONAL);
        seqs.filter_map(|seq| self.record(seq).map(|r| r.map(|r| r.change)).transpose()).collect()
    }

    fn own(&self) -> Stored<Vec<(u64, Change)>> {
        self.tables.own.iter()?.map(|row| own_row(row?.1.value())).collect()
    }

    fn set_own(&mut self, own: Vec<(u64, Change)>) -> Stored<()> {
        self.tables.own.retain(|_, _| false)?;
        own.iter().try_for_each(|(seq, change)| self.keep_own(*seq, change))
    }

    fn prune_own(&mut self, through: u64) -> Stored<()> {
        if meta_number(self, VERIFIED)?.unwrap_or(0) >= through {
            return Ok(());
        }
        self.set_meta(VERIFIED, &through.to_be_bytes())?;
        let seq = |row: &[u8]| row.get(..8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
        self.tables.own.retain(|_, row| seq(row) > through)?;
        Ok(())
    }
}
