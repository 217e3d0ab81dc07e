//! Sync, the side that orders: what devices push, pull and recover. The rules are in
//! [`crate::changes::protocol`]; here they meet the store and the rights of whoever asks.
//! The side of a device is [`device`].

pub mod blobs;
pub mod bootstrap;
pub mod device;
pub mod reconcile;

use crate::changes::protocol::{self, Ledger, Push, PushReply};
use crate::changes::{Change, codec};
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::frames::Bytes;
use crate::services::permissions::Rights;
use crate::services::territories::bounds::BOUNDS;
use crate::services::{Command, Query, ReadCx, WriteCx};
use crate::store::{self, Reads, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of records in one push or one page of a pull: what a frame takes, with room.
pub const MAX_PAGE_BYTES: usize = 640 << 10;
/// Ids in one question of a device that recovers.
pub const MAX_RECOVER_IDS: usize = 20_000;

/// Changes of a device, in their author's order.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PushChanges {
    pub epoch: u64,
    pub device: Id,
    /// Each as [`codec::encode_change`] writes it.
    pub changes: Vec<Bytes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    Taken,
    /// The server was restored, or this device exists twice: it has to recover.
    Recover,
    /// A gap inside the batch: nothing of it was taken.
    Malformed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pushed {
    pub taken: Taken,
    pub epoch: u64,
    pub device: Id,
    /// How many of them wait for a person now.
    pub drafted: usize,
    /// The end of the log with them in it.
    pub last_seq: u64,
}

impl Command for PushChanges {
    const NAME: &'static str = "sync.push";
    type Reply = Pushed;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Pushed> {
        refuse_replica(cx.reads())?;
        let actor = cx.actor();
        let read = |bytes: &Bytes| codec::decode_change(&bytes.0).map_err(malformed);
        let mut changes = self.changes.iter().map(read).collect::<Outcome<Vec<Change>>>()?;
        for change in &mut changes {
            // Who it was is the session's word, never the body's.
            (change.actor, change.device) = (actor, self.device);
        }
        device_of(cx, self.device, actor)?;
        let ids: Vec<Id> = changes.iter().map(|c| c.change_id).collect();
        let rights = Rights::of(cx.reads(), actor)?;
        let push = Push { epoch: self.epoch, device: self.device, changes };
        let judge = |batch: &store::Batch, change: &Change| match rights.refusal(batch, change) {
            Ok(refusal) => Ok(refusal),
            Err(failure) => Err(StoreError::Other(failure.message)),
        };
        let reply = protocol::push(&mut *cx.batch, push, cx.caller.now_ms, &judge)?;
        let (taken, epoch) = match reply {
            PushReply::Taken { epoch, .. } => (Taken::Taken, epoch),
            PushReply::Recover { epoch, .. } => (Taken::Recover, epoch),
            PushReply::Malformed => (Taken::Malformed, self.epoch),
        };
        let mut drafted = 0;
        if taken == Taken::Taken {
            for id in ids {
                drafted += usize::from(cx.reads().head(Kind::Draft, id)?.is_some());
            }
        }
        let last_seq = Ledger::last_seq(&*cx.batch)?;
        Ok(Pushed { taken, epoch, device: self.device, drafted, last_seq })
    }
}

fn malformed(error: codec::Damaged) -> Failure {
    Failure::invalid(format!("A change cannot be read: {error}"))
        .hint("The other PAMS may be of a newer version; nothing was taken")
}

/// A replica does not order for others.
fn refuse_replica(reads: &dyn Reads) -> Outcome<()> {
    match store::meta_number(reads, store::CURSOR)? {
        Some(_) => Err(Failure::conflict("This store is itself a copy of a remote one")
            .hint("Sync with the remote instance that it was signed in to")),
        None => Ok(()),
    }
}

/// A device belongs to who used it first.
fn device_of(cx: &mut WriteCx, device: Id, actor: Id) -> Outcome<()> {
    let row = format!("device/{device}");
    match cx.reads().local(&row)? {
        Some(owner) if owner == actor.0 => Ok(()),
        Some(_) => Err(super::permissions::denied("This device is signed in as somebody else")
            .hint("Sign in as that person, or use another profile")),
        None => Ok(cx.batch.set_local(&row, Some(&actor.0))?),
    }
}

/// Records of the log behind a place, as many as fit into a page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PullChanges {
    pub from: u64,
    pub most: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pulled {
    pub epoch: u64,
    pub from: u64,
    pub through: u64,
    pub last_seq: u64,
    pub verified_backup_seq: u64,
    /// What who asks may see ([`Rights::scope`]); empty from an older server.
    #[serde(default)]
    pub scope: String,
    /// Each as [`codec::encode_record`] writes it.
    pub records: Vec<Bytes>,
}

impl Query for PullChanges {
    const NAME: &'static str = "sync.pull";
    type Reply = Pulled;

    fn run(&self, cx: &ReadCx) -> Outcome<Pulled> {
        refuse_replica(cx.reads)?;
        let number = |name| store::meta_number(cx.reads, name);
        let last_seq = cx.reads.last_seq()?;
        let rights = rights_of_caller(cx)?;
        let mut page = Pulled {
            epoch: number(store::EPOCH)?.unwrap_or(0),
            from: self.from,
            through: self.from,
            last_seq,
            verified_backup_seq: number(store::VERIFIED)?.unwrap_or(0),
            scope: scope(cx.reads, &rights)?,
            records: vec![],
        };
        let mut bytes = 0;
        for seq in self.from + 1..=last_seq {
            if page.records.len() >= self.most.min(protocol::MAX_BATCH) || bytes >= MAX_PAGE_BYTES {
                break;
            }
            page.through = seq;
            let Some(record) = cx.reads.record(seq)? else { continue };
            let change = &record.change;
            let owner = Rights::owner(cx.reads, change.kind, change.entity)?;
            let mine = change.actor == store::meta_id(cx.reads, store::OWNER)?.unwrap_or_default();
            // What a person changed comes back to them in any case: it clears the queue.
            if mine || rights.may_see(change.kind, owner) {
                let encoded = codec::encode_record(&record);
                bytes += encoded.len();
                page.records.push(Bytes(encoded));
            }
        }
        Ok(page)
    }
}

/// What who asks may see, in words that only change with it.
fn scope(reads: &dyn Reads, rights: &Rights) -> Outcome<String> {
    let bounds = reads.local(BOUNDS)?.map(|mark| format!(", within {}", blake3::hash(&mark).to_hex()));
    Ok(rights.scope() + &bounds.unwrap_or_default())
}

fn rights_of_caller(cx: &ReadCx) -> Outcome<Rights> {
    let me = store::meta_id(cx.reads, store::OWNER)?.unwrap_or_default();
    Rights::of(cx.reads, me)
}

/// Fences a device id and answers which of its changes are here.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecoverDevice {
    pub device: Id,
    /// 16 bytes each.
    pub change_ids: Bytes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recovered {
    pub epoch: u64,
    pub device: Id,
    pub held: Bytes,
}

impl Command for RecoverDevice {
    const NAME: &'static str = "sync.recover";
    type Reply = Recovered;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Recovered> {
        refuse_replica(cx.reads())?;
        device_of(cx, self.device, cx.actor())?;
        let change_ids = ids(&self.change_ids)?;
        if change_ids.len() > MAX_RECOVER_IDS {
            return Err(Failure::usage(format!("At most {MAX_RECOVER_IDS} ids at a time")));
        }
        let ask = protocol::Recover { device: self.device, change_ids };
        let reply = protocol::recover(&mut *cx.batch, &ask)?;
        let held = reply.held.iter().flat_map(|id| id.0).collect();
        Ok(Recovered { epoch: reply.epoch, device: reply.device, held: Bytes(held) })
    }
}

/// Ids packed into bytes.
fn ids(packed: &Bytes) -> Outcome<Vec<Id>> {
    let ids = packed.0.chunks(16).map(|id| id.try_into().map(Id));
    ids.collect::<Result<_, _>>().map_err(|_| Failure::usage("The ids are cut short"))
}

/// Begins another life of the log, after a backup was restored: devices notice, and send
/// again what the backup did not have.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BeginEpoch {}

impl Command for BeginEpoch {
    const NAME: &'static str = "sync.begin_epoch";
    type Reply = u64;

    fn run(&self, cx: &mut WriteCx) -> Outcome<u64> {
        // Not the next number: two restores of one backup are two lives.
        let epoch = (Ledger::epoch(&*cx.batch)? + 1).max(cx.caller.now_ms.max(0) as u64);
        cx.batch.set_meta(store::EPOCH, &epoch.to_be_bytes())?;
        Ok(epoch)
    }
}

/// Says that everything up to a place is in a backup that was restored and checked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CoverBackup {
    pub through: u64,
}

impl Command for CoverBackup {
    const NAME: &'static str = "sync.cover_backup";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        let through = self.through.min(Ledger::last_seq(&*cx.batch)?);
        if through > store::meta_number(cx.reads(), store::VERIFIED)?.unwrap_or(0) {
            cx.batch.set_meta(store::VERIFIED, &through.to_be_bytes())?;
        }
        Ok(())
    }
}
