//! Erasing a record for good, everywhere: its fields, everything the log tells of them,
//! and the drafts about it. What stays is that something was there and was erased: the
//! headers of the log, whose chain still verifies, and each device erases the same.

use crate::changes::{Cause, Op};
use crate::domain::schema::{Draft, Kind, Record};
use crate::domain::{Failure, Id, Outcome};
use crate::services::{Command, Query, ReadCx, WriteCx, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Purge {
    pub kind: Kind,
    /// By name or id; of what is deleted already by its whole id.
    pub which: String,
    /// Who asked for it, without the data themselves: this stays.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Purged {
    pub id: Id,
    /// Changes whose contents are erased.
    pub changes: usize,
    pub drafts: usize,
}

impl Command for Purge {
    const NAME: &'static str = "record.purge";
    type Reply = Purged;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Purged> {
        let kept = match self.kind {
            Kind::Tenant => Some("A store has one organisation"),
            Kind::Outlet | Kind::Dataset => Some("Outlets are rows of a dataset: import it without them"),
            _ => None,
        };
        if let Some(kept) = kept {
            return Err(Failure::conflict(kept));
        }
        if self.why.trim().is_empty() {
            return Err(Failure::invalid("Why is it erased? Say who asked for it"));
        }
        let id = match self.which.parse::<Id>() {
            Ok(id) if cx.reads().head(self.kind, id)?.is_some() => id,
            _ => names::resolve(cx.reads(), self.kind, &self.which, None)?,
        };
        if self.kind == Kind::User && id == cx.actor() {
            return Err(Failure::conflict("Nobody erases themselves").hint("Another admin can"));
        }
        if cx.reads().head(self.kind, id)?.is_some_and(|head| head.is_purged()) {
            return Err(Failure::conflict("That was erased before"));
        }
        cx.why = self.why.trim().chars().take(200).collect();
        erase(cx, self.kind, id)
    }
}

/// The record, and the drafts that hold values of it.
fn erase(cx: &mut WriteCx, kind: Kind, id: Id) -> Outcome<Purged> {
    let mut drafts = Vec::new();
    cx.reads().heads(Kind::Draft, Id::default(), &mut |draft, bytes| {
        let about =
            crate::changes::codec::decode_head(bytes).map(|head| Draft::from_fields(&head.fields).target);
        if about.is_ok_and(|target| target == id.to_string()) {
            drafts.push(draft);
        }
        ControlFlow::Continue(())
    })?;
    let changes = cx.reads().history(kind, id)?.len();
    for draft in &drafts {
        cx.change(Kind::Draft, *draft, Op::Purge, 0, vec![], None)?;
    }
    cx.change(kind, id, Op::Purge, 0, vec![], None)?;
    Ok(Purged { id, changes, drafts: drafts.len() })
}

/// Everything that was erased, for a store that is put back to before.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListPurged {}

impl Query for ListPurged {
    const NAME: &'static str = "record.purged";
    type Reply = Vec<(Kind, Id)>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<(Kind, Id)>> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            cx.reads.heads(*kind, Id::default(), &mut |id, bytes| {
                if crate::changes::codec::decode_head(bytes).is_ok_and(|head| head.is_purged()) {
                    all.push((*kind, id));
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(all)
    }
}

/// Erases again what a backup brought back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PurgeAgain {
    pub erased: Vec<(Kind, Id)>,
}

impl Command for PurgeAgain {
    const NAME: &'static str = "record.purge_again";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        cx.set_cause(Cause::Restore, None);
        let mut erased = 0;
        for (kind, id) in &self.erased {
            if cx.reads().head(*kind, *id)?.is_some_and(|head| !head.is_purged()) {
                erase(cx, *kind, *id)?;
                erased += 1;
            }
        }
        Ok(erased)
    }
}
