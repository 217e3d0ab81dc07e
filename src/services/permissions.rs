//! Who may do what. Roles are records that list verbs; what no role of a person lists is
//! denied. Every change is judged where it is ordered, whichever way it came: a request
//! is refused, a pushed change waits as a Draft.

use crate::changes::codec::{self, Damaged};
use crate::changes::{Change, Op};
use crate::domain::schema::{Kind, Record, Role, User};
use crate::domain::value::{FieldId, Value};
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::services::territories::{bounds, locks};
use crate::services::{Query, ReadCx, names};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a person may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rights {
    me: Id,
    name: String,
    roles: Vec<String>,
    verbs: BTreeSet<String>,
    /// What bounds the outlets, planning units and plans that they see; empty for all.
    #[serde(default)]
    pub territories: Vec<String>,
}

/// The verb that a change of a kind needs; none for what everybody keeps for themselves.
pub fn write_verb(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Activity => "activity.write",
        Kind::Win => "wins.write",
        Kind::Account | Kind::Project | Kind::Industry | Kind::UseCase => "account.write",
        Kind::User | Kind::Team | Kind::Role | Kind::Tenant => "users.write",
        Kind::ActivityType | Kind::Reason => "settings.write",
        Kind::MonthState | Kind::Batch | Kind::Mapping | Kind::Alias => "wins.import",
        Kind::Dataset => "outlets.import",
        Kind::Outlet
        | Kind::Distributor
        | Kind::Chain
        | Kind::Rep
        | Kind::Unit
        | Kind::Split
        | Kind::Lock
        | Kind::PlanRules
        | Kind::Journey
        | Kind::Plan => "territory.write",
        Kind::MigrationMonth => "migration.write",
        Kind::Draft => "drafts.write",
        Kind::Preset | Kind::Notification => return None,
    })
}

/// The verb that reading a kind needs; none for what everybody of the organisation sees.
pub fn read_verb(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Activity => Some("activity.read"),
        Kind::Win => Some("wins.read"),
        _ => None,
    }
}

/// What bounds the copy of a device.
const READ_VERBS: [&str; 3] = ["activity.read", "wins.read", "outlets.read"];

/// The field that says whose a record is.
fn owner_field(kind: Kind) -> Option<FieldId> {
    match kind {
        Kind::Activity => Some(4),
        Kind::Win => Some(10),
        Kind::Draft => Some(5),
        _ => None,
    }
}

/// What everybody who is not archived may do.
const EVERYBODY: [&str; 1] = ["drafts.write.own"];

impl Rights {
    pub fn of(reads: &dyn Reads, me: Id) -> Outcome<Rights> {
        let user = User::from_fields(&reads.fields(Kind::User, me)?.unwrap_or_default());
        let mut rights = Rights {
            me,
            name: user.name,
            roles: vec![],
            verbs: BTreeSet::new(),
            territories: user.territories,
        };
        if user.archived {
            return Ok(rights);
        }
        rights.verbs.extend(EVERYBODY.map(str::to_owned));
        for role in user.roles {
            let role = Role::from_fields(&reads.fields(Kind::Role, role)?.unwrap_or_default());
            if !role.archived {
                rights.roles.push(role.name);
                rights.verbs.extend(role.verbs);
            }
        }
        Ok(rights)
    }

    /// Whether a role lists the verb, its area (`wins.*`) or everything. A verb with
    /// `.all` behind it is the verb itself; with `.own` it is less.
    pub fn may(&self, verb: &str) -> bool {
        let area = verb.split('.').next().unwrap_or_default();
        ["*".to_owned(), format!("{area}.*"), verb.to_owned(), format!("{verb}.all")]
            .iter()
            .any(|listed| self.verbs.contains(listed))
    }

    /// "planner; sees the outlets of Pune, Nashik"
    pub fn told(&self) -> String {
        let roles = if self.roles.is_empty() { "no role".to_owned() } else { self.roles.join(", ") };
        match self.territories.as_slice() {
            [] => format!("{roles}; sees the outlets of all territories"),
            own => format!("{roles}; sees the outlets of {}", own.join(", ")),
        }
    }

    pub fn me(&self) -> Id {
        self.me
    }

    fn may_own(&self, verb: &str) -> bool {
        self.may(verb) || self.verbs.contains(&format!("{verb}.own"))
    }

    /// # Errors
    /// Denied, with the verb that is missing.
    pub fn require(&self, verb: &str) -> Outcome<()> {
        if verb.is_empty() || self.may(verb) { Ok(()) } else { Err(denied(&self.missing(verb))) }
    }

    fn missing(&self, verb: &str) -> String {
        let who = if self.name.is_empty() { "This user" } else { &self.name };
        let roles = match self.roles.as_slice() {
            [] => "has no role".to_owned(),
            roles => format!("is {}", roles.join(", ")),
        };
        format!("{who} {roles} and lacks the permission \"{verb}\"")
    }

    /// Whether a record may be seen, given its fields.
    pub fn may_see(&self, kind: Kind, owner: Option<Id>) -> bool {
        let Some(verb) = read_verb(kind) else { return true };
        self.may(verb) || owner == Some(self.me) && self.may_own(verb)
    }

    /// Whether a record may be seen, given its stored head.
    pub fn sees(&self, kind: Kind, head: &[u8]) -> Result<bool, Damaged> {
        let owner = match owner_field(kind).filter(|_| read_verb(kind).is_some_and(|verb| !self.may(verb))) {
            Some(field) => codec::pick(head, [field])?[0].and_then(codec::picked_id),
            None => None,
        };
        Ok(self.may_see(kind, owner))
    }

    /// What of the organisation is seen, in words that only change with it: a device that was
    /// filled under others holds too little or too much.
    pub fn scope(&self) -> String {
        let sees = |verb: &str| match () {
            () if self.may(verb) => format!("{verb} all"),
            () if self.may_own(verb) => format!("{verb} own"),
            () => format!("{verb} none"),
        };
        READ_VERBS.map(sees).join(", ")
    }

    /// The owner of a record as it stands.
    pub fn owner(reads: &dyn Reads, kind: Kind, entity: Id) -> Outcome<Option<Id>> {
        let Some(field) = owner_field(kind) else { return Ok(None) };
        let head = reads.head(kind, entity)?;
        Ok(match head.as_ref().and_then(|h| h.fields.get(&field)) {
            Some(Value::Id(owner)) => Some(*owner),
            _ => None,
        })
    }

    /// Why a change is refused; nothing when it may be made.
    pub fn refusal(&self, reads: &dyn Reads, change: &Change) -> Outcome<Option<String>> {
        if change.op == Op::Purge && !self.may("records.purge") {
            return Ok(Some(self.missing("records.purge")));
        }
        if let Some(held) = self.held(reads, change)? {
            return Ok(Some(held));
        }
        if let Some(why) = bounds::beyond(reads, &self.territories, change)? {
            let own = self.territories.join(", ");
            return Ok(Some(format!("{} works in {own}: {why}", self.name)));
        }
        let Some(verb) = write_verb(change.kind) else { return Ok(None) };
        if self.may(verb) {
            return Ok(None);
        }
        if let (true, Some(field)) = (self.may_own(verb), owner_field(change.kind)) {
            let before = Rights::owner(reads, change.kind, change.entity)?;
            let given = change.fields.iter().find(|f| f.field == field).map(|f| match &f.new {
                Some(Value::Id(owner)) => Some(*owner),
                _ => None,
            });
            let mine = match change.op {
                Op::Create => given == Some(Some(self.me)),
                _ => before == Some(self.me) && given.is_none_or(|to| to == Some(self.me)),
            };
            return Ok((!mine).then(|| self.missing(&format!("{verb}.all"))));
        }
        Ok(Some(self.missing(verb)))
    }
}

impl Rights {
    /// Why somebody else's lock keeps a change out.
    fn held(&self, reads: &dyn Reads, change: &Change) -> Outcome<Option<String>> {
        let unit = match change.kind {
            Kind::Unit if change.op == Op::Create => return Ok(None),
            Kind::Unit | Kind::Lock | Kind::PlanRules => change.entity,
            Kind::Journey | Kind::Plan => match unit_of(reads, change)? {
                Some(unit) => unit,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Some((holder, _)) = locks::holder(reads, unit)? else { return Ok(None) };
        let frees =
            change.kind == Kind::Lock && change.fields.iter().all(|f| f.field != 2 || f.new.is_none());
        let breaks = frees && self.may(locks::BREAK);
        if holder == self.me || breaks {
            return Ok(None);
        }
        let name = names::name(reads, Kind::User, holder)?;
        Ok(Some(format!("{name} holds that planning unit")))
    }
}

/// The planning unit of a journey or a plan, whose first field it is.
pub(super) fn unit_of(reads: &dyn Reads, change: &Change) -> Outcome<Option<Id>> {
    let given = change.fields.iter().find(|f| f.field == 1).and_then(|f| f.new.clone());
    let of = match given {
        Some(value) => Some(value),
        None => reads.fields(change.kind, change.entity)?.and_then(|fields| fields.get(&1).cloned()),
    };
    Ok(match of {
        Some(Value::Id(unit)) => Some(unit),
        _ => None,
    })
}

/// What who asks may do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowRights {}

impl Query for ShowRights {
    const NAME: &'static str = "session.rights";
    type Reply = Rights;

    fn run(&self, cx: &ReadCx) -> Outcome<Rights> {
        Rights::of(cx.reads, cx.settings()?.me)
    }
}

pub fn denied(message: &str) -> Failure {
    Failure::new(FailureKind::Denied, message).hint("An admin can give a role that has it: `pams user edit`")
}
