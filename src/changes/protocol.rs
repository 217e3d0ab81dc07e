//! The sync protocol's core, shared by both sides.
//!
//! A [`Ledger`] gives changes their one order: the server's store, or a device's own
//! while it knows no server. A [`Replica`] is a device's side of a remote ledger: a
//! base (what it pulled), a queue of its own changes, and those acknowledged but not
//! yet in a verified backup. Transport and storage are the caller's; every function
//! here runs inside one of the caller's transactions.

use crate::changes::merge::{self, Head};
use crate::changes::record::{Change, Ordered, Verdict};
use crate::changes::{Mutant, broken};
use crate::domain::Id;
use crate::domain::schema::Kind;
use std::collections::HashSet;

/// Changes in one push, and records in one pull, at the most.
pub const MAX_BATCH: usize = 10_000;

/// What a ledger remembers of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Device {
    pub last_dseq: u64,
    /// Recovered under another id: nothing more is taken under this one.
    pub fenced: bool,
}

/// A store that orders changes.
pub trait Ledger {
    type Error;
    fn epoch(&self) -> Result<u64, Self::Error>;
    fn last_seq(&self) -> Result<u64, Self::Error>;
    /// `seq` of a change, if it was ordered before.
    fn seq_of(&self, change_id: Id) -> Result<Option<u64>, Self::Error>;
    fn head(&self, kind: Kind, entity: Id) -> Result<Option<Head>, Self::Error>;
    fn device(&self, device: Id) -> Result<Device, Self::Error>;
    fn set_device(&mut self, device: Id, row: Device) -> Result<(), Self::Error>;
    /// Writes the record and the heads it leaves, and indexes both.
    fn append(&mut self, record: &Ordered, heads: Vec<(Kind, Id, Head)>) -> Result<(), Self::Error>;
    /// Records from `after` on, at most `most`.
    fn records(&self, after: u64, most: usize) -> Result<Vec<Ordered>, Self::Error>;
    /// Whether the last change of a transaction so far holds what follows in it.
    fn holds(&self, txn: Id) -> Result<bool, Self::Error>;
    /// Every record up to this seq is in a backup that was restored and checked.
    fn verified_backup_seq(&self) -> Result<u64, Self::Error>;
}

/// Gives one change its place: merges it, appends it, updates the heads. `refusal`
/// is a business rule's answer; a refused change waits as a Draft.
pub fn order<L: Ledger>(
    ledger: &mut L,
    change: Change,
    received_ms: i64,
    refusal: Option<String>,
) -> Result<Ordered, L::Error> {
    let held = ledger.holds(change.txn_id)?;
    place(ledger, change, received_ms, refusal, held)
}

/// Orders a change that waits with its transaction, or does not.
fn place<L: Ledger>(
    ledger: &mut L,
    mut change: Change,
    received_ms: i64,
    refusal: Option<String>,
    held: bool,
) -> Result<Ordered, L::Error> {
    let head = ledger.head(change.kind, change.entity)?;
    let erased = head.as_ref().is_some_and(Head::is_purged);
    if erased {
        // What comes too late is not kept in the log either.
        change.fields.clear();
        change.why.clear();
    }
    let refusal = refusal.filter(|_| !held && !erased);
    let merge = match &refusal {
        _ if held => merge::held(),
        Some(_) => merge::Merge { verdict: Verdict::Refused, ..merge::draft_all(&change, head.as_ref()) },
        None => merge::merge(head.as_ref(), &change),
    };
    let record = Ordered {
        seq: ledger.last_seq()? + 1,
        received_ms,
        verdict: merge.verdict,
        effect: merge.effect,
        conflicts: merge.conflicts,
        refusal: refusal.unwrap_or_default(),
        change,
    };
    let heads = merge::heads_after(head, &record);
    ledger.append(&record, heads)?;
    Ok(record)
}

#[derive(Clone, Debug)]
pub struct Push {
    pub epoch: u64,
    pub device: Id,
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PushReply {
    /// A verdict per change. Only the pulled stream clears the queue.
    Taken { epoch: u64, device: Id, verdicts: Vec<(Id, u64)> },
    /// The ledger was restored, or this device id lives twice: recover first.
    Recover { epoch: u64, device: Id },
    /// A gap inside the batch: nothing of it was taken.
    Malformed,
}

/// A business rule's word on a pushed change: why it is refused, or nothing.
pub type Judge<'a, L> = &'a dyn Fn(&L, &Change) -> Result<Option<String>, <L as Ledger>::Error>;

/// Takes a batch; twice the same batch is once. What `judge` refuses waits as a Draft:
/// it can neither block the queue nor vanish.
pub fn push<L: Ledger>(
    ledger: &mut L,
    push: Push,
    received_ms: i64,
    judge: Judge<L>,
) -> Result<PushReply, L::Error> {
    let epoch = ledger.epoch()?;
    let recover = PushReply::Recover { epoch, device: push.device };
    let mut device = ledger.device(push.device)?;
    if push.epoch != epoch || device.fenced {
        return Ok(recover);
    }
    // The first change of a batch may jump ahead, the rest are contiguous.
    if push.changes.len() > MAX_BATCH || push.changes.windows(2).any(|w| w[1].dseq != w[0].dseq + 1) {
        return Ok(PushReply::Malformed);
    }
    // The fork check comes first, so that a batch is taken whole or not at all.
    for change in &push.changes {
        let used = change.dseq <= device.last_dseq && ledger.seq_of(change.change_id)?.is_none();
        if used && !broken(Mutant::NoForkCheck) {
            return Ok(recover);
        }
    }
    let mut verdicts = Vec::with_capacity(push.changes.len());
    let mut lost = None;
    for (at, change) in push.changes.iter().enumerate() {
        let (id, dseq) = (change.change_id, change.dseq);
        let known = if broken(Mutant::NoDedupe) { None } else { ledger.seq_of(id)? };
        let forked = broken(Mutant::NoForkCheck) && dseq <= device.last_dseq;
        let seq = match known {
            Some(seq) => seq,
            None if forked => ledger.last_seq()?,
            None => {
                let refusal = judge(ledger, change)?;
                if change.is_claim() && lost.is_none_or(|(txn, _)| txn != change.txn_id) {
                    lost = lost_claim(ledger, &push.changes[at..], judge)?;
                }
                // The claim that is lost is the one that waits for a person.
                let held = match lost.filter(|(txn, _)| *txn == change.txn_id) {
                    Some((_, claim)) => claim != id,
                    None => ledger.holds(change.txn_id)?,
                };
                place(ledger, change.clone(), received_ms, refusal, held)?.seq
            }
        };
        device.last_dseq = device.last_dseq.max(dseq);
        verdicts.push((id, seq));
    }
    ledger.set_device(push.device, device)?;
    Ok(PushReply::Taken { epoch, device: push.device, verdicts })
}

/// The first claim of a transaction that will not be taken, with its transaction. It is
/// looked for before the first of them is: an import has all its months or none.
fn lost_claim<L: Ledger>(
    ledger: &L,
    behind: &[Change],
    judge: Judge<L>,
) -> Result<Option<(Id, Id)>, L::Error> {
    let txn = behind.first().map(|change| change.txn_id);
    for claim in behind.iter().filter(|change| Some(change.txn_id) == txn && change.is_claim()) {
        let head = ledger.head(claim.kind, claim.entity)?;
        let merge = merge::merge(head.as_ref(), claim);
        let taken = matches!(merge.verdict, Verdict::Applied | Verdict::Merged | Verdict::NoOp);
        if !taken || judge(ledger, claim)?.is_some() {
            return Ok(Some((claim.txn_id, claim.change_id)));
        }
    }
    Ok(None)
}

#[derive(Clone, Debug, PartialEq)]
pub struct PullReply {
    pub epoch: u64,
    pub from: u64,
    pub records: Vec<Ordered>,
    /// The cursor after these records: what lies between and is not among them is not
    /// for this reader.
    pub through: u64,
    pub last_seq: u64,
    pub verified_backup_seq: u64,
}

pub fn pull<L: Ledger>(ledger: &L, from: u64, most: usize) -> Result<PullReply, L::Error> {
    let records = ledger.records(from, most.min(MAX_BATCH))?;
    Ok(PullReply {
        epoch: ledger.epoch()?,
        from,
        through: records.last().map_or(from, |r| r.seq),
        records,
        last_seq: ledger.last_seq()?,
        verified_backup_seq: ledger.verified_backup_seq()?,
    })
}

/// A device asks which of its changes the ledger holds.
#[derive(Clone, Debug)]
pub struct Recover {
    pub device: Id,
    pub change_ids: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RecoverReply {
    pub epoch: u64,
    /// The id that is fenced from now on.
    pub device: Id,
    pub held: Vec<Id>,
}

pub fn recover<L: Ledger>(ledger: &mut L, ask: &Recover) -> Result<RecoverReply, L::Error> {
    let device = ledger.device(ask.device)?;
    ledger.set_device(ask.device, Device { fenced: true, ..device })?;
    let mut held = Vec::new();
    for id in &ask.change_ids {
        if ledger.seq_of(*id)?.is_some() {
            held.push(*id);
        }
    }
    Ok(RecoverReply { epoch: ledger.epoch()?, device: ask.device, held })
}

/// A device's side of a remote ledger.
pub trait Replica {
    type Error;
    fn device(&self) -> Result<Id, Self::Error>;
    /// A new device id; its changes are numbered from 1 again.
    fn set_device(&mut self, device: Id) -> Result<(), Self::Error>;
    fn epoch(&self) -> Result<u64, Self::Error>;
    fn cursor(&self) -> Result<u64, Self::Error>;
    fn set_position(&mut self, epoch: u64, cursor: u64) -> Result<(), Self::Error>;
    /// Forgets what was pulled; the queue and the acknowledged changes stay.
    fn clear_base(&mut self) -> Result<(), Self::Error>;
    fn base_head(&self, kind: Kind, entity: Id) -> Result<Option<Head>, Self::Error>;
    /// Adds a pulled record to the base, with the heads it leaves there. Its change, if
    /// it is in the queue, moves from there to the own ones; an own one that comes again,
    /// after a restore, gets its new place.
    fn take(&mut self, record: &Ordered, heads: Vec<(Kind, Id, Head)>) -> Result<(), Self::Error>;
    /// Changes not yet seen in the stream, in author's order, at most `most`.
    fn queue(&self, most: usize) -> Result<Vec<Change>, Self::Error>;
    fn set_queue(&mut self, queue: Vec<Change>) -> Result<(), Self::Error>;
    /// Those of the queue that are about one record.
    fn queue_of(&self, kind: Kind, entity: Id) -> Result<Vec<Change>, Self::Error>;
    /// Changes seen in the stream at a seq, not yet in a verified backup.
    fn own(&self) -> Result<Vec<(u64, Change)>, Self::Error>;
    fn set_own(&mut self, own: Vec<(u64, Change)>) -> Result<(), Self::Error>;
    /// Forgets the own changes up to a seq.
    fn prune_own(&mut self, through: u64) -> Result<(), Self::Error>;
}

/// What to push next.
pub fn next_push<R: Replica>(replica: &R) -> Result<Option<Push>, R::Error> {
    let changes = replica.queue(MAX_BATCH)?;
    let push = Push { epoch: replica.epoch()?, device: replica.device()?, changes };
    Ok((!push.changes.is_empty()).then_some(push))
}

/// Whether a push reply asks this device to recover. All else in it is only shown.
pub fn take_push_reply<R: Replica>(replica: &mut R, reply: &PushReply) -> Result<bool, R::Error> {
    match reply {
        PushReply::Taken { device, verdicts, .. } => {
            if broken(Mutant::RepliesTrusted) && *device == replica.device()? {
                let taken = |c: &Change| verdicts.iter().any(|(id, _)| *id == c.change_id);
                let queue = replica.queue(usize::MAX)?.into_iter().filter(|c| !taken(c)).collect();
                replica.set_queue(queue)?;
            }
            Ok(false)
        }
        PushReply::Recover { device, .. } => Ok(*device == replica.device()?),
        PushReply::Malformed => Ok(false),
    }
}

/// Applies pulled records, clears the queue by what was seen, prunes what is safe, and
/// moves the cursor. Returns whether the device must recover (the epoch changed).
/// A reply to an older question is ignored.
pub fn apply_pull<R: Replica>(replica: &mut R, reply: &PullReply) -> Result<bool, R::Error> {
    if reply.epoch != replica.epoch()? {
        return Ok(true);
    }
    if reply.from != replica.cursor()? {
        return Ok(false);
    }
    for record in &reply.records {
        let head = replica.base_head(record.change.kind, record.change.entity)?;
        replica.take(record, merge::heads_after(head, record))?;
    }
    let safe = if broken(Mutant::EarlyPruning) { u64::MAX } else { reply.verified_backup_seq };
    replica.prune_own(safe)?;
    replica.set_position(reply.epoch, reply.through)?;
    Ok(false)
}

/// What a device asks when it must recover; repeated until answered.
pub fn recover_request<R: Replica>(replica: &R) -> Result<Recover, R::Error> {
    let queue = replica.queue(usize::MAX)?.into_iter().map(|c| c.change_id);
    let own = replica.own()?.into_iter().map(|(_, c)| c.change_id);
    Ok(Recover { device: replica.device()?, change_ids: own.chain(queue).collect() })
}

/// Goes on under a new device id: what the ledger lacks is queued again in author's
/// order. A new epoch means another history, so the base is read from its start.
pub fn take_recover_reply<R: Replica>(
    replica: &mut R,
    reply: &RecoverReply,
    new_device: Id,
) -> Result<(), R::Error> {
    if reply.device != replica.device()? {
        return Ok(()); // an answer that came twice
    }
    let held: HashSet<Id> = reply.held.iter().copied().collect();
    let (kept, mut lost): (Vec<_>, Vec<_>) =
        replica.own()?.into_iter().partition(|(_, c)| held.contains(&c.change_id));
    // What was acknowledged was made before what still waits, and was taken in that order:
    // clocks are not asked, they may have been set back.
    lost.sort_by_key(|(seq, _)| *seq);
    let mut queue: Vec<Change> = lost.into_iter().map(|(_, c)| c).collect();
    queue.extend(replica.queue(usize::MAX)?);
    for (n, change) in queue.iter_mut().enumerate() {
        change.device = new_device;
        change.dseq = n as u64 + 1;
    }
    replica.set_device(new_device)?;
    replica.set_queue(queue)?;
    replica.set_own(kept)?;
    if reply.epoch != replica.epoch()? {
        replica.clear_base()?;
        replica.set_position(reply.epoch, 0)?;
    }
    Ok(())
}

/// The record as the person sees it: the base with the queue on top.
pub fn view<R: Replica>(replica: &R, kind: Kind, entity: Id) -> Result<Option<Head>, R::Error> {
    let mut head = replica.base_head(kind, entity)?;
    for change in replica.queue_of(kind, entity)? {
        let merge = merge::merge(head.as_ref(), &change);
        let seq = head.as_ref().map_or(0, |h| h.rev);
        let (effect, conflicts) = (merge.effect, merge.conflicts);
        let record = Ordered {
            change,
            seq,
            received_ms: 0,
            verdict: merge.verdict,
            effect,
            conflicts,
            refusal: String::new(),
        };
        head = match merge::heads_after(head.clone(), &record).into_iter().find(|(k, ..)| *k == kind) {
            Some((_, _, after)) => Some(after),
            None => head,
        };
    }
    Ok(head)
}
