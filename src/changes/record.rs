//! One change to one record, as its author made it and as it was ordered.

use crate::domain::schema::Kind;
use crate::domain::value::{FieldId, Value};
use crate::domain::{Fields, Id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $number,)* }

        impl $name {
            pub fn from_number(number: u8) -> Option<$name> {
                match number { $($number => Some($name::$variant),)* _ => None }
            }
        }
    };
}

numbered! {
    /// What a change does.
    Op {
        Create = 1,
        Set = 2,
        Delete = 3,
        Restore = 4,
        /// Erases the payloads of a record; its headers stay.
        Purge = 5,
        /// Something worth an audit line that changes no record.
        AuditOnly = 6,
    }
}

numbered! {
    /// Why a change was made.
    Cause {
        Edit = 1,
        Undo = 2,
        Redo = 3,
        ResolveDraft = 4,
        Import = 5,
        Merge = 6,
        Migration = 7,
        Restore = 8,
    }
}

numbered! {
    /// Through which face it came.
    Via { Tui = 1, Cli = 2, Import = 3, Api = 4, Job = 5, Rule = 6, }
}

numbered! {
    /// What became of a change when it was ordered.
    Verdict {
        Applied = 1,
        /// Applied beside somebody else's change to the same record.
        Merged = 2,
        /// Some of it waits as a Draft; what did not conflict is applied.
        Drafted = 3,
        /// All of it was so already.
        NoOp = 4,
        /// A rule refused it; the whole waits as a Draft.
        Refused = 5,
        /// The claim that its transaction began with was not taken: it waits with that
        /// claim's Draft, and changed nothing.
        Held = 6,
    }
}

/// One field: the value the author saw, and the value the author wants.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    pub field: FieldId,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// A change as its author made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub change_id: Id,
    /// One user action: the unit of undo and audit.
    pub txn_id: Id,
    /// The installation that made it.
    pub device: Id,
    /// 1, 2, 3 … on that device.
    pub dseq: u64,
    pub actor: Id,
    pub via: Via,
    /// See [`crate::changes::hlc`].
    pub hlc: u64,
    pub kind: Kind,
    pub entity: Id,
    pub op: Op,
    /// `rev` of the record when its author looked at it.
    pub base_rev: u64,
    /// All members of a merge group that changes, also those that stay.
    pub fields: Vec<FieldChange>,
    /// Content hash the author saw, for deletes.
    pub seen_hash: Option<[u8; 32]>,
    pub cause: Cause,
    /// The transaction that an undo or redo takes back.
    pub undoes: Option<Id>,
    pub why: String,
    pub schema: u32,
}

/// A field on which two people disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    pub field: FieldId,
    pub base: Option<Value>,
    pub mine: Option<Value>,
    pub theirs: Option<Value>,
}

/// Places from here on are given by a device to changes that its server has not ordered
/// yet. As a `base_rev` such a place says: on top of what I did before.
pub const PROVISIONAL: u64 = 1 << 62;

/// A change with its place in the tenant's one order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered {
    pub change: Change,
    /// Gap-free per tenant; also the `rev` it gives the record.
    pub seq: u64,
    pub received_ms: i64,
    pub verdict: Verdict,
    /// What it did to the record, where that is not just the new values of `change`.
    pub effect: Option<Vec<(FieldId, Option<Value>)>>,
    /// What waits for a person.
    pub conflicts: Vec<Conflict>,
    /// Why a rule refused it.
    pub refusal: String,
}

impl Change {
    /// Whether it claims something for its transaction: what follows in the transaction
    /// is taken with it or held with it. An import claims the months that it changes, a
    /// split the planning units.
    pub fn is_claim(&self) -> bool {
        matches!(self.kind, Kind::MonthState | Kind::Split) && self.fields.iter().any(|f| f.field == CLAIM)
    }

    /// The fields of a new record as a change's fields.
    pub fn creating(fields: &Fields) -> Vec<FieldChange> {
        fields
            .iter()
            .map(|(field, value)| FieldChange { field: *field, old: None, new: Some(value.clone()) })
            .collect()
    }

    /// The difference of two states, with all members of each group that it touches.
    pub fn difference(kind: Kind, old: &Fields, new: &Fields) -> Vec<FieldChange> {
        let schema = kind.schema();
        let ids: std::collections::BTreeSet<FieldId> = old.keys().chain(new.keys()).copied().collect();
        let changed: Vec<FieldId> = ids.into_iter().filter(|id| old.get(id) != new.get(id)).collect();
        let groups: Vec<(u8, FieldId)> = changed.iter().map(|id| schema.group_of(*id)).collect();
        let members = schema.fields.iter().map(|f| f.id).filter(|id| groups.contains(&schema.group_of(*id)));
        let all: std::collections::BTreeSet<FieldId> = members.chain(changed.iter().copied()).collect();
        all.into_iter()
            .map(|field| FieldChange { field, old: old.get(&field).cloned(), new: new.get(&field).cloned() })
            .collect()
    }
}

/// The field of a month that says which import it holds, and of the units which split.
const CLAIM: FieldId = 3;

impl Ordered {
    /// Whether some of it waits for a person, in a Draft under the change's id.
    pub fn has_draft(&self) -> bool {
        matches!(self.verdict, Verdict::Drafted | Verdict::Refused)
    }

    /// Whether the changes behind it in its transaction wait with it.
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Held || self.has_draft() && self.change.is_claim()
    }

    /// The value that it gives one field.
    pub fn given(&self, field: FieldId) -> Option<&Value> {
        match (&self.effect, self.verdict) {
            (Some(effect), _) => effect.iter().find(|(f, _)| *f == field)?.1.as_ref(),
            (None, Verdict::Applied) => {
                self.change.fields.iter().find(|change| change.field == field)?.new.as_ref()
            }
            _ => None,
        }
    }

    /// The values this record gives the entity's fields.
    pub fn effect(&self) -> Vec<(FieldId, Option<Value>)> {
        match (&self.effect, self.verdict) {
            (Some(effect), _) => effect.clone(),
            (None, Verdict::Applied) => self.change.fields.iter().map(|f| (f.field, f.new.clone())).collect(),
            _ => vec![],
        }
    }
}
