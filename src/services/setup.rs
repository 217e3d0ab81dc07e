//! The first start: who the person is and which organisation the store belongs to.

use crate::domain::schema::{ActivityType, Kind, Reason, Record, Role, Team, Tenant, User};
use crate::domain::when::Zone;
use crate::domain::{Failure, Outcome};
use crate::services::{Caller, Command, Query, ReadCx, Settings, WriteCx, new_id};
use crate::store::{self, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Meta row: the organisation's record.
pub const TENANT: &str = "tenant";

/// Makes tenant, user and the supplied types, roles and reasons. Repeating it on a
/// store that is set up changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SetUp {
    /// Taken from the e-mail where it is empty.
    #[serde(default)]
    pub organisation: String,
    pub name: String,
    pub email: String,
    pub team: String,
    pub zone: String,
    pub day_minutes: i64,
    pub currency: String,
}

/// Activity types every store starts with; they can be edited like any record.
const TYPES: [(&str, &[&str]); 11] = [
    ("Discovery", &[]),
    ("Demo", &[]),
    ("POC/POV", &["POC", "POV"]),
    ("Workshop", &[]),
    ("RFP/RFI", &["RFP", "RFI"]),
    ("Technical call", &["Call"]),
    ("Enablement", &[]),
    ("Internal", &[]),
    ("Travel", &[]),
    ("Support", &[]),
    ("Other", &[]),
];

const REASONS: [(&str, &str); 9] = [
    ("price", "loss"),
    ("product gap", "loss"),
    ("competitor", "loss"),
    ("no decision", "loss"),
    ("timing", "loss"),
    ("budget", "loss"),
    ("proof of concept", "win"),
    ("relationship", "win"),
    ("product fit", "win"),
];

const ROLES: [(&str, &[&str]); 4] = [
    ("admin", &["*"]),
    (
        "presales",
        &[
            "activity.write.own",
            "activity.read.all",
            "account.write",
            "wins.write.own",
            "wins.read",
            "outlets.read",
        ],
    ),
    (
        "planner",
        &[
            "activity.write.own",
            "activity.read.all",
            "account.write",
            "wins.read",
            "outlets.read",
            "outlets.import",
            "territory.write",
        ],
    ),
    ("viewer", &["activity.read.all", "wins.read", "outlets.read"]),
];

impl Command for SetUp {
    const NAME: &'static str = "setup.run";
    type Reply = bool;

    fn run(&self, cx: &mut WriteCx) -> Outcome<bool> {
        if store::meta_id(cx.reads(), store::OWNER)?.is_some() {
            return Ok(false);
        }
        Zone::parse(&self.zone).map_err(Failure::invalid)?;
        let now = cx.caller.now_ms;
        let (device, user, tenant) = (new_id(now), new_id(now), new_id(now));
        cx.batch.set_meta(store::DEVICE, &device.0)?;
        cx.batch.set_meta(store::OWNER, &user.0)?;
        cx.batch.set_meta(TENANT, &tenant.0)?;
        cx.set_identity(device, user);
        let organisation = match self.email.rsplit_once('@') {
            _ if !self.organisation.is_empty() => self.organisation.clone(),
            Some((_, host)) => host.split('.').next().unwrap_or(host).to_owned(),
            None => self.name.clone(),
        };
        let settings = Tenant {
            name: organisation,
            zone: self.zone.clone(),
            day_minutes: Some(self.day_minutes),
            currency: self.currency.to_uppercase(),
        };
        cx.create_as(Kind::Tenant, tenant, &settings.to_fields())?;
        let mut admin = None;
        for (name, verbs) in ROLES {
            let verbs = verbs.iter().map(|v| (*v).to_owned()).collect();
            let id =
                cx.create(Kind::Role, &Role { name: name.into(), verbs, ..Role::default() }.to_fields())?;
            admin = admin.or(Some(id)); // the first role is the one who set the store up
        }
        let team = match self.team.is_empty() {
            true => None,
            false => {
                Some(cx.create(Kind::Team, &Team { name: self.team.clone(), ..Team::default() }.to_fields())?)
            }
        };
        let username = self.email.split('@').next().unwrap_or_default().to_owned();
        let person = User {
            name: self.name.clone(),
            email: self.email.clone(),
            username,
            team,
            roles: admin.into_iter().collect(),
            ..User::default()
        };
        cx.create_as(Kind::User, user, &person.to_fields())?;
        for (name, aliases) in TYPES {
            let effort = if name == "Enablement" { "warn" } else { "required" }.to_owned();
            let aliases = aliases.iter().map(|a| (*a).to_owned()).collect();
            let row = ActivityType { name: name.into(), aliases, effort, ..ActivityType::default() };
            cx.create(Kind::ActivityType, &row.to_fields())?;
        }
        for (name, outcome) in REASONS {
            let row = Reason { name: name.into(), outcome: outcome.into(), ..Reason::default() };
            cx.create(Kind::Reason, &row.to_fields())?;
        }
        Ok(true)
    }
}

/// Whether the store knows whose it is.
pub fn is_set_up(reads: &dyn Reads) -> Outcome<bool> {
    Ok(store::meta_id(reads, store::OWNER)?.is_some())
}

/// Who and what the store is: for the status line, `doctor`, and the first start.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WhoAmI {}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    pub set_up: bool,
    pub id: crate::domain::Id,
    pub name: String,
    pub email: String,
    pub organisation: String,
    pub zone: String,
    pub day_minutes: i64,
    pub currency: String,
    pub today: chrono::NaiveDate,
    /// What is wrong with this machine's clock, in a sentence; empty when nothing is.
    pub clock: String,
}

/// So far may a clock go back before somebody is told.
const MAX_BACK_MS: i64 = 10 * 60 * 1_000;
/// No clock is right that stands before this program was made.
const MADE_MS: i64 = 1_760_000_000_000;

/// A clock that stands before the last change, or before any change could be.
fn clock_warning(reads: &dyn Reads, zone: &Zone, now_ms: i64) -> Outcome<String> {
    let last = crate::services::last_change_ms(reads)?;
    Ok(if now_ms + MAX_BACK_MS < last {
        let (now, last) = (zone.stamp(now_ms), zone.stamp(last));
        format!("This machine's clock says {now}, but the last change was made {last}: check it")
    } else if now_ms < MADE_MS {
        format!("This machine's clock says {}: check it", zone.stamp(now_ms))
    } else {
        String::new()
    })
}

impl Query for WhoAmI {
    const NAME: &'static str = "setup.who_am_i";
    type Reply = Me;

    fn run(&self, cx: &ReadCx) -> Outcome<Me> {
        if !is_set_up(cx.reads)? {
            let today = Zone::UTC.date(cx.caller.now_ms);
            return Ok(Me {
                set_up: false,
                id: Default::default(),
                name: String::new(),
                email: String::new(),
                organisation: String::new(),
                zone: "UTC".into(),
                day_minutes: 480,
                currency: "EUR".into(),
                today,
                clock: String::new(),
            });
        }
        let s: Settings = cx.settings()?;
        Ok(Me {
            set_up: true,
            id: s.me,
            name: s.my_name,
            email: s.my_email,
            organisation: s.tenant_name,
            zone: s.zone.name().to_owned(),
            day_minutes: s.day_minutes,
            currency: s.currency.to_string(),
            today: s.today,
            clock: clock_warning(cx.reads, &s.zone, cx.caller.now_ms)?,
        })
    }
}

/// A caller for work the program does by itself, such as the first start.
pub fn program(now_ms: i64) -> Caller {
    Caller { via: crate::changes::Via::Job, txn: new_id(now_ms), now_ms, actor: None }
}
