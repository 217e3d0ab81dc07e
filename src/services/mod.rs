//! What people, scripts and peers can ask for. Each request is a plain struct beside
//! the function that answers it; the engine keeps the table of all of them.

pub mod accounts;
pub mod activities;
pub mod backups;
pub mod datasets;
pub mod drafts;
pub mod imports;
pub mod input;
pub mod jobs;
pub mod migration;
pub mod names;
pub mod notices;
pub mod outlets;
pub mod permissions;
pub mod plans;
pub mod records;
pub mod sample;
pub mod search;
pub mod sessions;
pub mod setup;
pub mod show;
pub mod state;
pub mod sync;
pub mod territories;
pub mod undo;
pub mod wins;

use crate::changes::protocol::Ledger;
use crate::changes::{Cause, Change, FieldChange, Head, Op, Ordered, Verdict, Via, codec, hlc, protocol};
use crate::domain::money::Currency;
use crate::domain::problem::{Problem, Sides};
use crate::domain::schema::{Kind, Record, SCHEMA_VERSION, Tenant, User};
use crate::domain::value::Value;
use crate::domain::when::Zone;
use crate::domain::{Failure, Fields, Id, Outcome};
use crate::random::secret;
use crate::store::{self, Batch, IndexKey, Reads};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Something that changes nothing.
pub trait Query: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    const NAME: &'static str;
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    fn run(&self, cx: &ReadCx) -> Outcome<Self::Reply>;
}

/// Something that changes the store, whole or not at all.
pub trait Command: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    const NAME: &'static str;
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    fn run(&self, cx: &mut WriteCx) -> Outcome<Self::Reply>;
}

/// What a command gives back once it is durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt<T> {
    /// The unit of undo.
    pub txn: Id,
    /// The last change of the log when it was done.
    pub seq: u64,
    pub reply: T,
}

/// Who asks, through which face, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Caller {
    pub via: Via,
    /// Made by the face, so that a repeat after a lost answer does not double.
    pub txn: Id,
    pub now_ms: i64,
    /// Who signed in, where the face is a server; else it is the store's owner.
    pub actor: Option<Id>,
}

/// A consistent look at the store, for one query.
pub struct ReadCx<'a> {
    pub reads: &'a dyn Reads,
    pub caller: &'a Caller,
}

/// The settings that all rules need: whose store, which zone, what a day is.
#[derive(Clone, Debug)]
pub struct Settings {
    pub me: Id,
    pub my_name: String,
    pub my_email: String,
    pub tenant: Id,
    pub tenant_name: String,
    pub zone: Zone,
    pub day_minutes: i64,
    pub currency: Currency,
    pub today: NaiveDate,
}

impl Settings {
    pub fn load(reads: &dyn Reads, now_ms: i64) -> Outcome<Settings> {
        let none =
            || Failure::internal("This store has not been set up").hint("Run `pams` once to set it up");
        let me = store::meta_id(reads, store::OWNER)?.ok_or_else(none)?;
        let tenant = store::meta_id(reads, setup::TENANT)?.ok_or_else(none)?;
        let user = User::from_fields(&reads.fields(Kind::User, me)?.ok_or_else(none)?);
        let owner = Tenant::from_fields(&reads.fields(Kind::Tenant, tenant)?.ok_or_else(none)?);
        let zone = Zone::parse(&user.zone).or_else(|_| Zone::parse(&owner.zone)).unwrap_or(Zone::UTC);
        Ok(Settings {
            me,
            my_name: user.name,
            my_email: user.email,
            tenant,
            tenant_name: owner.name,
            zone,
            day_minutes: owner.day_minutes.unwrap_or(480).max(1),
            currency: Currency::parse(&owner.currency).unwrap_or(Currency(*b"EUR")),
            today: zone.date(now_ms),
        })
    }
}

impl ReadCx<'_> {
    pub fn settings(&self) -> Outcome<Settings> {
        Settings::load(self.reads, self.caller.now_ms)
    }
}

/// Live records in the order of an index, until `visit` stops or fails.
pub fn each_record(
    reads: &dyn Reads,
    kind: Kind,
    (from, to): (&IndexKey, &IndexKey),
    reverse: bool,
    visit: &mut dyn FnMut(Id, Head) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let mut failed = None;
    reads.index(from, to, reverse, &mut |id, _| {
        let read = reads.head(kind, id).map_err(Failure::from);
        let next = read.and_then(|head| match head.filter(|head| !head.deleted) {
            Some(head) => visit(id, head),
            None => Ok(ControlFlow::Continue(())),
        });
        next.unwrap_or_else(|failure| {
            failed = Some(failure);
            ControlFlow::Break(())
        })
    })?;
    failed.map_or(Ok(()), Err)
}

/// Live records of a kind in the order of their ids, until `visit` stops.
pub fn each_live(
    reads: &dyn Reads,
    kind: Kind,
    visit: &mut dyn FnMut(Id, Head) -> ControlFlow<()>,
) -> Outcome<()> {
    let mut failed = None;
    reads.heads(kind, Id::default(), &mut |id, bytes| match codec::decode_head(bytes) {
        Ok(head) if head.deleted => ControlFlow::Continue(()),
        Ok(head) => visit(id, head),
        Err(error) => {
            failed = Some(store::StoreError::from(error));
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// The live records of a kind in the order of their ids: for kinds that are few.
pub fn all_live<T: Record>(reads: &dyn Reads) -> Outcome<Vec<(Id, T)>> {
    let mut all = Vec::new();
    each_live(reads, T::KIND, &mut |id, head| {
        all.push((id, T::from_fields(&head.fields)));
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

/// One command's transaction: reads what it wrote, and writes through the log.
pub struct WriteCx<'a, 't> {
    pub batch: &'a mut Batch<'t>,
    pub caller: &'a Caller,
    device: Id,
    actor: Id,
    via: Via,
    dseq: u64,
    hlc: u64,
    cause: Cause,
    undoes: Option<Id>,
    why: String,
    last_id: u64,
    /// Looked up with the first change; none where nobody signed in.
    rights: Option<Option<permissions::Rights>>,
}

/// Meta row: last dseq and hybrid clock of this device.
const CLOCK: &str = "clock";

/// When this device made its last change, by its clock of then; 0 before the first.
pub fn last_change_ms(reads: &dyn Reads) -> Outcome<i64> {
    let clock = reads.meta(CLOCK)?.unwrap_or_default();
    let hlc = clock.get(8..16).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
    Ok(crate::changes::hlc::unix_ms(hlc))
}

impl<'a, 't> WriteCx<'a, 't> {
    pub fn new(batch: &'a mut Batch<'t>, caller: &'a Caller) -> Outcome<WriteCx<'a, 't>> {
        let device = store::meta_id(batch, store::DEVICE)?.unwrap_or_default();
        let actor = store::meta_id(batch, store::OWNER)?.unwrap_or_default();
        let clock = batch.meta(CLOCK)?.filter(|c| c.len() == 16).unwrap_or_else(|| vec![0; 16]);
        let number = |at: usize| clock[at..at + 8].try_into().map_or(0, u64::from_be_bytes);
        let (dseq, hlc) = (number(0), number(8));
        let why = String::new();
        let via = caller.via;
        Ok(WriteCx {
            batch,
            caller,
            device,
            actor,
            via,
            dseq,
            hlc,
            cause: Cause::Edit,
            undoes: None,
            why,
            last_id: 0,
            rights: None,
        })
    }

    pub fn reads(&self) -> &dyn Reads {
        self.batch
    }

    pub fn settings(&self) -> Outcome<Settings> {
        Settings::load(self.batch, self.caller.now_ms)
    }

    /// Why the changes from here on are made.
    pub fn set_cause(&mut self, cause: Cause, undoes: Option<Id>) {
        (self.cause, self.undoes) = (cause, undoes);
    }

    /// During set-up: the identity that changes are made under.
    pub fn set_identity(&mut self, device: Id, actor: Id) {
        (self.device, self.actor) = (device, actor);
        self.via = Via::Job; // the program's own work, which `undo` leaves alone
    }

    pub fn actor(&self) -> Id {
        self.actor
    }

    /// An id that sorts by now, and after the ones made before it: the counter of
    /// RFC 9562, method 1, which may run ahead of the clock.
    pub fn new_id(&mut self) -> Id {
        self.last_id = (self.last_id + 1).max((self.caller.now_ms.max(0) as u64) << 12);
        let low = u128::from_be_bytes(secret()) & ((1 << 62) - 1);
        Id::from_parts(self.last_id >> 12, u128::from(self.last_id & 0xfff) << 62 | low)
    }

    pub fn create(&mut self, kind: Kind, fields: &Fields) -> Outcome<Id> {
        let id = self.new_id();
        self.create_as(kind, id, fields)?;
        Ok(id)
    }

    pub fn create_as(&mut self, kind: Kind, id: Id, fields: &Fields) -> Outcome<Ordered> {
        self.change(kind, id, Op::Create, 0, Change::creating(fields), None)
    }

    /// Writes a record whose id is known beforehand, whether it is there, is gone (taken back
    /// by undo, say) or is new.
    pub fn put(&mut self, kind: Kind, id: Id, fields: &Fields) -> Outcome<Ordered> {
        match self.reads().head(kind, id)? {
            None => return self.create_as(kind, id, fields),
            Some(head) if head.deleted => drop(self.restore(kind, id)?),
            Some(_) => {}
        }
        self.update(kind, id, |of| fields.clone_into(of))
    }

    /// Sets a record to `new`, given what the author saw of it.
    pub fn set(
        &mut self,
        kind: Kind,
        id: Id,
        base_rev: u64,
        seen: &Fields,
        new: &Fields,
    ) -> Outcome<Ordered> {
        self.change(kind, id, Op::Set, base_rev, Change::difference(kind, seen, new), None)
    }

    /// Changes a record as it stands now.
    pub fn update(&mut self, kind: Kind, id: Id, edit: impl FnOnce(&mut Fields)) -> Outcome<Ordered> {
        let head = self.reads().head(kind, id)?.filter(|h| !h.deleted);
        let head = head.ok_or_else(|| Failure::not_found(format!("The {} is gone", kind.name())))?;
        let mut fields = head.fields.clone();
        edit(&mut fields);
        self.set(kind, id, head.rev, &head.fields, &fields)
    }

    pub fn delete(&mut self, kind: Kind, id: Id, seen: &Fields) -> Outcome<Ordered> {
        self.change(kind, id, Op::Delete, 0, vec![], Some(codec::content_hash(seen)))
    }

    pub fn restore(&mut self, kind: Kind, id: Id) -> Outcome<Ordered> {
        self.change(kind, id, Op::Restore, 0, vec![], None)
    }

    fn change(
        &mut self,
        kind: Kind,
        entity: Id,
        op: Op,
        base_rev: u64,
        fields: Vec<FieldChange>,
        seen_hash: Option<[u8; 32]>,
    ) -> Outcome<Ordered> {
        self.dseq += 1;
        self.hlc = hlc::next(self.hlc, self.caller.now_ms.max(0) as u64);
        let change_id = self.new_id();
        let change = Change {
            change_id,
            txn_id: self.caller.txn,
            device: self.device,
            dseq: self.dseq,
            actor: self.actor,
            via: self.via,
            hlc: self.hlc,
            kind,
            entity,
            op,
            base_rev,
            fields,
            seen_hash,
            cause: self.cause,
            undoes: self.undoes,
            why: self.why.clone(),
            schema: SCHEMA_VERSION,
        };
        if let Some(refusal) = self.refusal(&change)? {
            return Err(permissions::denied(&refusal));
        }
        let record = protocol::order(self.batch, change, self.caller.now_ms, None)?;
        // Who calls over HTTP is told at once and sends what they want now; a Draft is for
        // who has gone on meanwhile.
        if self.caller.via == Via::Api && record.verdict == Verdict::Drafted {
            return Err(self.conflict(&record)?);
        }
        Ok(record)
    }

    /// A conflict field by field, as an answer.
    fn conflict(&self, record: &Ordered) -> Outcome<Failure> {
        let mut shower = show::Shower::new(self.batch);
        let mut problems = Vec::new();
        for c in &record.conflicts {
            let field = record.change.kind.schema().field(c.field);
            let name = field.map_or_else(|| c.field.to_string(), |f| f.name.to_owned());
            let mut line = |value: &Option<Value>| shower.line(field, value.as_ref());
            let (base, mine, theirs) = (line(&c.base)?, line(&c.mine)?, line(&c.theirs)?);
            let message = format!("{name} is \"{theirs}\" now, not \"{base}\"");
            let sides = Some(Sides { base, mine, theirs });
            problems.push(Problem { sides, ..Problem::error(&name, "conflict", message) });
        }
        let kind = record.change.kind.name();
        let failure = Failure::conflict(format!("Somebody changed the {kind} meanwhile; nothing was saved"));
        Ok(Failure { problems, ..failure }.hint("Look at it again, then send what you want now"))
    }

    /// Rights bind whoever signed in: at a server, and on a device of one, where the
    /// server would refuse later what is refused here at once.
    fn refusal(&mut self, change: &Change) -> Outcome<Option<String>> {
        if self.rights.is_none() {
            let remote =
                self.caller.actor.is_some() || store::meta_number(self.batch, store::CURSOR)?.is_some();
            let rights = if remote { Some(permissions::Rights::of(self.batch, self.actor)?) } else { None };
            self.rights = Some(rights);
        }
        match &self.rights {
            Some(Some(rights)) => rights.refusal(self.batch, change),
            _ => Ok(None),
        }
    }

    /// Writes the device's counters; the engine calls it after a command that changed
    /// something. Returns the log's end.
    pub fn finish(self) -> Outcome<u64> {
        let clock = [self.dseq.to_be_bytes(), self.hlc.to_be_bytes()].concat();
        self.batch.set_meta(CLOCK, &clock)?;
        Ok(Ledger::last_seq(self.batch)?)
    }
}

/// A UUIDv7 of that instant.
pub fn new_id(unix_ms: i64) -> Id {
    Id::from_parts(unix_ms.max(0) as u64, u128::from_be_bytes(secret()))
}

/// What a save did, in a word for people.
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Applied => "saved",
        Verdict::Merged => "saved beside another change",
        Verdict::Drafted => "conflict kept as a draft",
        Verdict::NoOp => "nothing to change",
        Verdict::Refused => "refused, kept as a draft",
        Verdict::Held => "held with its import",
    }
}
