//! Sync, the side of a device: its store is a replica of a remote log. Nothing here
//! reaches the network; whoever does takes a question from here to the server and
//! brings the answer back.

use crate::changes::protocol::{self, PullReply, RecoverReply, Replica};
use crate::changes::{Change, PROVISIONAL, codec};
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::frames::{self, Bytes};
use crate::services::sync::{MAX_PAGE_BYTES, PullChanges, Pulled, PushChanges, Recovered, ids, malformed};
use crate::services::{Command, Query, ReadCx, WriteCx, drafts, new_id, setup};
use crate::store::{self, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Local state: where and as whom this device is signed in.
const REMOTE: &str = "remote";
/// Local state: there while records came whose pieces may not be here or there yet.
const PIECES: &str = "pieces";
/// Local state: what this device may see, as the server said when it was filled.
const SCOPE: &str = "scope";
/// Local state: how often the copy was begun anew. Two processes of a profile may fill it:
/// what one of them began before the other cleared it is not gone on with.
const LIFE: &str = "life";
/// Local state: when the last answer of the server was applied.
const SYNCED: &str = "synced";

/// The remote instance of a profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Remote {
    pub url: String,
    /// The organisation there.
    pub tenant: String,
    /// The name that was signed in with.
    pub user: String,
}

/// Makes this store a replica of a remote log. What it held is given up.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JoinRemote {
    pub remote: Remote,
    /// The ids of user and organisation there.
    pub user: Id,
    pub tenant: Id,
    pub epoch: u64,
}

impl Command for JoinRemote {
    const NAME: &'static str = "sync.join";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        let held = last_place(cx.reads())?;
        if held > 0 && store::meta_number(cx.reads(), store::CURSOR)?.is_none() {
            return Err(Failure::conflict("This store has records of its own"));
        }
        let device = new_id(cx.caller.now_ms);
        cx.batch.set_meta(store::OWNER, &self.user.0)?;
        cx.batch.set_meta(setup::TENANT, &self.tenant.0)?;
        cx.set_identity(device, self.user);
        cx.dseq = 0;
        cx.batch.become_replica(device, self.epoch)?;
        cx.batch.set_local(SCOPE, None)?;
        set_remote(cx, &self.remote)
    }
}

fn last_place(reads: &dyn Reads) -> Outcome<u64> {
    Ok(reads.nearest(u64::MAX, true)?.unwrap_or(0))
}

fn set_remote(cx: &mut WriteCx, remote: &Remote) -> Outcome<()> {
    Ok(cx.batch.set_local(REMOTE, Some(&frames::encode(remote)?))?)
}

pub fn remote(reads: &dyn Reads) -> Outcome<Option<Remote>> {
    reads.local(REMOTE)?.map(|bytes| frames::decode(&bytes)).transpose()
}

/// How this store and its remote instance stand.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SyncStatus {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    pub remote: Option<Remote>,
    pub device: Id,
    pub epoch: u64,
    /// Where this device stands in the server's log.
    pub seq: u64,
    /// Changes that the server has not ordered yet.
    pub queue: usize,
    pub drafts: usize,
    /// When the server answered last; 0 before the first time.
    pub synced_ms: i64,
    /// Pieces that records rely on may be missing here or there.
    #[serde(default)]
    pub pieces: bool,
    /// What this device may see; empty before the server said it.
    #[serde(default)]
    pub scope: String,
    /// How often its copy was begun anew.
    #[serde(default)]
    pub life: u64,
}

impl Query for SyncStatus {
    const NAME: &'static str = "sync.status";
    type Reply = Standing;

    fn run(&self, cx: &ReadCx) -> Outcome<Standing> {
        let number = |name| Ok::<_, Failure>(store::meta_number(cx.reads, name)?.unwrap_or(0));
        let mut queue = 0;
        cx.reads.headers(PROVISIONAL, false, &mut |_, _| {
            queue += 1;
            ControlFlow::Continue(())
        })?;
        let synced = cx.reads.local(SYNCED)?.and_then(|b| b.try_into().ok()).map_or(0, i64::from_be_bytes);
        Ok(Standing {
            remote: remote(cx.reads)?,
            device: store::meta_id(cx.reads, store::DEVICE)?.unwrap_or_default(),
            epoch: number(store::EPOCH)?,
            seq: number(store::CURSOR)?,
            queue,
            drafts: drafts::open_count(cx.reads)?,
            synced_ms: synced,
            pieces: cx.reads.local(PIECES)?.is_some(),
            scope: scope(cx.reads)?,
            life: life(cx.reads)?,
        })
    }
}

fn scope(reads: &dyn Reads) -> Outcome<String> {
    Ok(String::from_utf8_lossy(&reads.local(SCOPE)?.unwrap_or_default()).into_owned())
}

pub(super) fn life(reads: &dyn Reads) -> Outcome<u64> {
    Ok(reads.local(LIFE)?.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// What to push next; nothing when the queue is empty.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NextPush {}

impl Query for NextPush {
    const NAME: &'static str = "sync.next_push";
    type Reply = Option<PushChanges>;

    fn run(&self, cx: &ReadCx) -> Outcome<Option<PushChanges>> {
        let (mut changes, mut bytes) = (Vec::new(), 0);
        each_queued(cx.reads, &mut |change| {
            let encoded = codec::encode_change(&change);
            bytes += encoded.len();
            changes.push(Bytes(encoded));
            changes.len() < protocol::MAX_BATCH && bytes < MAX_PAGE_BYTES
        })?;
        if changes.is_empty() {
            return Ok(None);
        }
        let device = store::meta_id(cx.reads, store::DEVICE)?.unwrap_or_default();
        let epoch = store::meta_number(cx.reads, store::EPOCH)?.unwrap_or(0);
        Ok(Some(PushChanges { epoch, device, changes }))
    }
}

/// The queue in author's order, while `visit` wants more.
fn each_queued(reads: &dyn Reads, visit: &mut dyn FnMut(Change) -> bool) -> Outcome<()> {
    let mut from = PROVISIONAL;
    while let Some(seq) = reads.nearest(from, false)? {
        let Some(record) = reads.record(seq)? else { break };
        if !visit(record.change) {
            break;
        }
        from = seq + 1;
    }
    Ok(())
}

/// What to pull next.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NextPull {}

impl Query for NextPull {
    const NAME: &'static str = "sync.next_pull";
    type Reply = PullChanges;

    fn run(&self, cx: &ReadCx) -> Outcome<PullChanges> {
        let from = store::meta_number(cx.reads, store::CURSOR)?.unwrap_or(0);
        Ok(PullChanges { from, most: protocol::MAX_BATCH })
    }
}

/// Applies a page of the server's log. An answer to an older question changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ApplyPull {
    pub page: Pulled,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// The epoch is another one: recover first.
    pub recover: bool,
    /// Who is signed in may see more now, or less: read all anew.
    #[serde(default)]
    pub anew: bool,
    /// Records that others made.
    pub theirs: usize,
    /// Own changes that came back.
    pub mine: usize,
}

impl Command for ApplyPull {
    const NAME: &'static str = "sync.apply";
    type Reply = Applied;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Applied> {
        if store::meta_number(cx.reads(), store::CURSOR)?.is_none() {
            return Err(not_signed_in());
        }
        let page = &self.page;
        let read = |bytes: &Bytes| codec::decode_record(&bytes.0).map_err(malformed);
        let records = page.records.iter().map(read).collect::<Outcome<Vec<_>>>()?;
        let device = Replica::device(&*cx.batch)?;
        let applies = page.epoch == Replica::epoch(&*cx.batch)? && page.from == cx.batch.cursor()?;
        let known = scope(cx.reads())?;
        if applies && page.is_of_other_scope(&known) && page.from > 0 {
            return Ok(Applied { anew: true, ..Applied::default() });
        }
        if applies && !page.scope.is_empty() && page.scope != known {
            cx.batch.set_local(SCOPE, Some(page.scope.as_bytes()))?;
        }
        let mine = records.iter().filter(|r| r.change.device == device).count();
        let theirs = records.len() - mine;
        let reply = PullReply {
            epoch: page.epoch,
            from: page.from,
            records,
            through: page.through,
            last_seq: page.last_seq,
            verified_backup_seq: page.verified_backup_seq,
        };
        if reply.records.iter().any(|r| relies_on_pieces(r.change.kind)) {
            want_pieces(cx)?;
        }
        let recover = protocol::apply_pull(&mut *cx.batch, &reply)?;
        cx.batch.set_local(SYNCED, Some(&cx.caller.now_ms.to_be_bytes()))?;
        Ok(match applies {
            true => Applied { recover, anew: false, theirs, mine },
            false => Applied { recover, ..Applied::default() },
        })
    }
}

impl Pulled {
    /// Whether a device that was filled under a scope holds what who asks may see now.
    fn is_of_other_scope(&self, known: &str) -> bool {
        !self.scope.is_empty() && !known.is_empty() && self.scope != known
    }

    /// Whether it says nothing that a device in this standing does not know.
    pub fn is_no_news(&self, standing: &Standing) -> bool {
        self.records.is_empty()
            && self.through == self.from
            && self.epoch == standing.epoch
            && standing.synced_ms > 0
            && (self.scope.is_empty() || self.scope == standing.scope)
    }
}

/// Begins the copy of the server's records again; what waits in the queue stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadAnew {}

impl Command for ReadAnew {
    const NAME: &'static str = "sync.read_anew";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        if store::meta_number(cx.reads(), store::CURSOR)?.is_none() {
            return Err(not_signed_in());
        }
        let epoch = Replica::epoch(&*cx.batch)?;
        Replica::clear_base(&mut *cx.batch)?;
        Replica::set_position(&mut *cx.batch, epoch, 0)?;
        cx.batch.set_local(SCOPE, None)?;
        let life = life(cx.reads())? + 1;
        Ok(cx.batch.set_local(LIFE, Some(&life.to_be_bytes()))?)
    }
}

fn relies_on_pieces(kind: Kind) -> bool {
    matches!(kind, Kind::Dataset | Kind::Unit | Kind::Batch)
}

/// Remembers, over a broken line too, that pieces have to be fetched or sent.
pub(super) fn want_pieces(cx: &mut WriteCx) -> Outcome<()> {
    Ok(cx.batch.set_local(PIECES, Some(&[]))?)
}

/// Nothing is missing any more, or nothing more can be had.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EndPieces {}

impl Command for EndPieces {
    const NAME: &'static str = "sync.end_pieces";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        Ok(cx.batch.set_local(PIECES, None)?)
    }
}

pub fn not_signed_in() -> Failure {
    Failure::new(crate::domain::FailureKind::Denied, "This profile is not signed in to a remote instance")
        .hint("`pams login https://…` signs in")
}

/// What a device asks when it must recover: all that the server may have lost.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AskRecover {}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecoverAsk {
    pub device: Id,
    /// 16 bytes each.
    pub change_ids: Bytes,
}

impl Query for AskRecover {
    const NAME: &'static str = "sync.ask_recover";
    type Reply = RecoverAsk;

    fn run(&self, cx: &ReadCx) -> Outcome<RecoverAsk> {
        let device = store::meta_id(cx.reads, store::DEVICE)?.unwrap_or_default();
        let mut packed: Vec<u8> = cx.reads.own_ids()?.iter().flat_map(|id| id.0).collect();
        each_queued(cx.reads, &mut |change| {
            packed.extend_from_slice(&change.change_id.0);
            true
        })?;
        Ok(RecoverAsk { device, change_ids: Bytes(packed) })
    }
}

/// Goes on under a new device id with what the server lacks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TakeRecovered {
    pub reply: Recovered,
}

impl Command for TakeRecovered {
    const NAME: &'static str = "sync.take_recovered";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        let reply =
            RecoverReply { epoch: self.reply.epoch, device: self.reply.device, held: ids(&self.reply.held)? };
        if reply.device != Replica::device(&*cx.batch)? {
            return Ok(()); // an answer that came twice
        }
        let new_device = new_id(cx.caller.now_ms);
        protocol::take_recover_reply(&mut *cx.batch, &reply, new_device)?;
        cx.device = new_device;
        cx.dseq = cx.batch.queue(usize::MAX)?.len() as u64;
        Ok(())
    }
}
