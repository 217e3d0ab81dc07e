//! Planning units that somebody has taken: what others change of them meanwhile is refused,
//! or waits as a Draft where it was made without the line. A lock is taken at the server,
//! where there is one, and does not end by itself: whoever may break it says why.

use crate::domain::schema::{Kind, Lock, Record};
use crate::domain::{Failure, Id, Outcome};
use crate::services::permissions::{self, Rights};
use crate::services::{Command, Query, ReadCx, WriteCx, all_live, names};
use crate::store::{self, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who holds a unit, if anybody does, and since which change of the log, which no later holder shares.
pub fn holder(reads: &dyn Reads, unit: Id) -> Outcome<Option<(Id, u64)>> {
    let head = reads.head(Kind::Lock, unit)?.filter(|head| !head.deleted);
    Ok(head.and_then(|head| Some((Lock::from_fields(&head.fields).holder?, head.rev))))
}

/// Takes a unit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LockUnit {
    /// Its name, or the end of its id.
    pub unit: String,
    pub note: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Locked {
    pub unit: Id,
    pub name: String,
    pub holder: String,
    pub since: String,
    pub note: String,
    /// Fencing token: grows with each lock that is taken.
    pub token: u64,
}

impl Command for LockUnit {
    const NAME: &'static str = "territories.lock";
    type Reply = Locked;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Locked> {
        at_server(cx)?;
        let (unit, _) = super::find(cx.reads(), &self.unit)?;
        let me = cx.actor();
        if let Some((holder, _)) = holder(cx.reads(), unit)? {
            let name = names::name(cx.reads(), Kind::User, holder)?;
            return Err(Failure::conflict(format!("{name} holds that unit"))
                .hint("`pams territory locks` shows since when; an admin can break it"));
        }
        let lock = Lock { unit: Some(unit), holder: Some(me), note: self.note.trim().into() };
        cx.put(Kind::Lock, unit, &lock.to_fields())?;
        let settings = cx.settings()?;
        shown(cx.reads(), &settings, unit)?.ok_or_else(|| Failure::internal("The lock is gone"))
    }
}

/// Gives a unit back, or breaks somebody else's lock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UnlockUnit {
    pub unit: String,
    /// Needed to break a lock; it is kept.
    pub why: String,
}

impl Command for UnlockUnit {
    const NAME: &'static str = "territories.unlock";
    type Reply = Id;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Id> {
        at_server(cx)?;
        let (unit, _) = super::find(cx.reads(), &self.unit)?;
        let Some((holder, _)) = holder(cx.reads(), unit)? else {
            return Err(Failure::not_found("Nobody holds that unit"));
        };
        if holder != cx.actor() {
            Rights::of(cx.reads(), cx.actor())?.require(BREAK)?;
            if self.why.trim().is_empty() {
                return Err(Failure::invalid("Why is the lock broken? Say it with --why"));
            }
            cx.why = self.why.trim().chars().take(200).collect();
        }
        let free = Lock { unit: Some(unit), ..Lock::default() };
        cx.update(Kind::Lock, unit, |fields| *fields = free.to_fields())?;
        Ok(unit)
    }
}

/// What breaking somebody else's lock needs.
pub const BREAK: &str = "territory.unlock";

fn at_server(cx: &WriteCx) -> Outcome<()> {
    match store::meta_number(cx.reads(), store::CURSOR)? {
        Some(_) => Err(permissions::denied("A unit is taken at the server, not on a device")),
        None => Ok(()),
    }
}

/// The units that somebody holds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListLocks {}

impl Query for ListLocks {
    const NAME: &'static str = "territories.locks";
    type Reply = Vec<Locked>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Locked>> {
        let settings = cx.settings()?;
        let locks = all_live::<Lock>(cx.reads)?;
        locks.into_iter().filter_map(|(unit, _)| shown(cx.reads, &settings, unit).transpose()).collect()
    }
}

fn shown(reads: &dyn Reads, settings: &crate::services::Settings, unit: Id) -> Outcome<Option<Locked>> {
    let Some((holder, token)) = holder(reads, unit)? else { return Ok(None) };
    let lock = Lock::from_fields(&reads.fields(Kind::Lock, unit)?.unwrap_or_default());
    let taken = reads.record(token)?;
    let since = taken.map(|r| settings.zone.stamp(r.received_ms)).unwrap_or_default();
    Ok(Some(Locked {
        unit,
        name: names::name(reads, Kind::Unit, unit)?,
        holder: names::name(reads, Kind::User, holder)?,
        since,
        note: lock.note,
        token,
    }))
}
