//! Every kind of record, declared once.
//!
//! Codec, merge, indexes, history, export, command-line options, forms and import
//! targets read this table. Adding a field is one row here: the row makes the struct
//! member too. Numbers are written into stores and are never reused.

use super::{Field, Index, Latest, Record, Schema, Type};
use crate::domain::id::Id;
use crate::domain::money::Money;
use crate::domain::value::{Fields, Member};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

records! {
    /// The organisation a store belongs to, with the settings its people share.
    1 Tenant "tenant" "tenants" {
        1 name: text, required;
        2 zone: text, required;
        3 day_minutes: effort, required;
        4 currency: text, required;
    }

    /// A person; a login is a user with credentials.
    2 User "user" "users" {
        1 name: text, required, erasable;
        2 email: text, erasable;
        3 username: text;
        4 team: one(Team);
        5 roles: many(Role);
        6 zone: text;
        7 aliases: words, erasable;
        8 archived: flag, system;
        9 merged_into: one(User), system;
        10 territories: words;
    }
    index 1 [1];
    index 2 [2];
    index 3 [3];
    index 4 [7];

    3 Team "team" "teams" {
        1 name: text, required;
        2 lead: one(User);
        3 aliases: words;
        8 archived: flag, system;
    }
    index 5 [1];

    /// Verbs such as `activity.write.own` or `wins.import`; what is not listed is denied.
    4 Role "role" "roles" {
        1 name: text, required;
        2 verbs: words;
        8 archived: flag, system;
    }
    index 6 [1];

    /// A customer or prospect.
    5 Account "account" "accounts" {
        1 name: text, required;
        2 aliases: words;
        3 industry: one(Industry);
        4 region: text;
        5 segment: text;
        6 website: text;
        7 external_id: text;
        8 archived: flag, system;
        9 owner: one(User);
        10 team: one(Team);
        11 notes: long, erasable;
        12 merged_into: one(Account), system;
    }
    index 10 [1];
    index 11 [2];
    index 12 [7];
    index 13 [3];

    /// An undertaking with an account; its stage and close date merge as one.
    6 Project "project" "projects" {
        1 name: text, required;
        2 account: one(Account), required;
        3 use_cases: many(UseCase);
        4 stage: choice("open" "on hold" "won" "lost" "closed"), group(1);
        5 value: money;
        6 close_date: date, group(1);
        7 presales_owner: one(User);
        8 archived: flag, system;
        9 sales_owner: text, erasable;
        10 external_id: text;
        11 aliases: words;
        12 notes: long, erasable;
        13 merged_into: one(Project), system;
    }
    index 20 [1];
    index 21 [2];
    index 22 [11];
    index 23 [10];

    7 Industry "industry" "industries" {
        1 name: text, required;
        2 aliases: words;
        3 parent: one(Industry);
        8 archived: flag, system;
        12 merged_into: one(Industry), system;
    }
    index 30 [1];
    index 31 [2];

    8 UseCase "usecase" "usecases" {
        1 name: text, required;
        2 aliases: words;
        3 industry: one(Industry);
        8 archived: flag, system;
        12 merged_into: one(UseCase), system;
    }
    index 35 [1];
    index 36 [2];

    /// What kind of work an activity was; `effort` says whether it may be left empty.
    9 ActivityType "type" "types" {
        1 name: text, required;
        2 aliases: words;
        3 effort: choice("required" "warn");
        4 default_effort: effort;
        8 archived: flag, system;
        12 merged_into: one(ActivityType), system;
    }
    index 40 [1];
    index 41 [2];

    /// One piece of presales work on one day. Its numbers are the highest on purpose:
    /// what comes in by the million then goes to the right edge of each tree, where
    /// pages are left full behind it.
    100 Activity "activity" "activities" {
        1 activity_type: one(ActivityType), required;
        5 account: one(Account);
        6 project: one(Project);
        2 date: date, required;
        3 effort: effort;
        9 summary: text, erasable;
        7 use_cases: many(UseCase);
        12 next_step: text, erasable;
        13 next_due: date;
        17 next_owner: one(User);
        11 participants: words, erasable;
        10 details: long, erasable;
        14 outcome: text, erasable;
        4 owner: one(User), required;
        15 empty_effort_ack: flag, system;
        16 source: choice("import" "note" "calendar" "migration" "sample"), system;
    }
    index 100 [4, 2];
    index 101 [5, 2];
    index 102 [6, 2];
    index 103 [4, 13];
    index 104 [17, 13];
    index 110 [2];
    latest [4] of 2;
    latest [4, 6] of 2;

    /// An opportunity won or lost: an own entry, or a row of an imported workbook.
    11 Win "win" "wins" {
        1 outcome: choice("win" "loss"), required, group(1);
        2 account: one(Account);
        3 project: one(Project);
        5 amount: money;
        4 date: date, required, group(1);
        8 reason: one(Reason), group(1);
        18 opportunity: text;
        17 opportunity_id: text;
        6 products: words;
        7 competitor: text;
        9 lessons: long, erasable;
        13 story: text;
        10 owner: one(User);
        11 month: month, system, group(1);
        12 featured: flag, system;
        14 source: text, system;
        15 batch: one(Batch), system;
        16 row: int, system;
        19 account_raw: text, system;
        20 owner_raw: text, system, erasable;
        21 linked: one(Win), system;
        22 stage: text, system;
        23 reason_raw: text, system;
    }
    index 60 [11];
    index 61 [10, 11];
    index 62 [17];

    12 Reason "reason" "reasons" {
        1 name: text, required;
        2 aliases: words;
        3 outcome: choice("win" "loss");
        8 archived: flag, system;
    }
    index 65 [1];

    /// One file on its way in: opened, mapped, reviewed, committed.
    13 Batch "batch" "batches" {
        1 target: choice("wins" "accounts" "projects" "outlets" "distributors" "chains" "reps" "activities"), required;
        2 file: text, required;
        3 hash: text;
        4 mapping: text;
        5 state: choice("review" "committed" "undone" "discarded" "draft" "finished"), group(1);
        6 counts: data, system;
        7 months: words, system;
        8 plan: data, system;
        9 by: one(User);
        10 source: text;
        11 answers: data, system;
        12 rejects: text, system;
    }
    index 70 [3];

    /// An answer remembered: what a raw text of a file means here.
    14 Alias "alias" "aliases" {
        1 scope: choice("owner" "account" "project" "type" "usecase"), required;
        2 text: text, required;
        3 target: text;
        4 verdict: choice("link" "not ours" "leave raw");
    }
    index 75 [2];

    /// A named workbook mapping, as its TOML text.
    15 Mapping "mapping" "mappings" {
        1 name: text, required;
        2 text: long, required;
    }
    index 76 [1];

    /// A saved view: filters, order and columns under a name.
    16 Preset "preset" "presets" {
        1 name: text, required;
        2 view: text, required;
        3 scope: choice("mine" "team" "tenant");
        4 filter: text;
        5 owner: one(User);
        6 sort: text;
        8 archived: flag, system;
    }
    index 78 [1];

    /// A change that waits for a person: an unsaved form, a refused save, a conflict.
    17 Draft "draft" "drafts" {
        1 reason: choice("unsaved" "conflict" "refused" "migration"), required;
        2 state: choice("open" "resolved" "discarded"), group(1);
        3 title: text, erasable;
        4 message: text;
        5 owner: one(User);
        6 target_kind: int;
        7 target: text;
        8 detail: data, erasable;
        9 change: text;
    }
    index 80 [2];

    18 Notification "notification" "notifications" {
        1 user: one(User), required;
        2 text: text, required;
        3 subject: text;
        4 key: text;
        5 read: flag;
    }
    index 85 [1];
    index 86 [4];

    /// What is agreed about a calendar month; a closed one refuses imports.
    19 MonthState "month" "months" {
        1 month: month, required;
        2 closed: flag;
        3 batch: one(Batch), system;
    }
    index 90 [1];

    /// A table of rows by the million, such as the outlets: which chunks it is made of.
    /// An import writes chunks and then this one record, so that it is one change.
    20 Dataset "dataset" "datasets" {
        1 name: text, required;
        2 manifest: text, system;
        3 rows: int, system;
        4 batch: one(Batch), system;
    }
    index 120 [1];

    /// A planning unit: a part of a territory hierarchy that is planned by itself.
    21 Unit "unit" "units" {
        1 name: text, required;
        2 path: words, system;
        3 level: text, system;
        4 part: int, system;
        5 parts: int, system;
        6 outlets: int, system;
        7 minutes: int, system;
        8 sales: decimal, system;
        9 latitude: decimal, system;
        10 longitude: decimal, system;
        11 diameter_km: decimal, system;
        12 distributors: int, system;
        13 places: words, system;
        14 dataset: text, system;
    }
    index 130 [1];

    /// Who serves outlets from a place of its own.
    22 Distributor "distributor" "distributors" {
        1 name: text, required;
        2 external_id: text;
        3 aliases: words;
        4 city: text;
        5 country: text;
        6 latitude: decimal, group(1);
        7 longitude: decimal, group(1);
        8 archived: flag, system;
        9 address: text;
        10 phone: text;
        11 capacity: decimal;
        12 brand: text;
        13 merged_into: one(Distributor), system;
        14 outline: data, system;
    }
    index 131 [1];
    index 132 [2];
    index 133 [3];

    /// Outlets under one name and head office.
    23 Chain "chain" "chains" {
        1 name: text, required;
        2 external_id: text;
        3 aliases: words;
        4 channel: text;
        5 head_office: text;
        8 archived: flag, system;
        13 merged_into: one(Chain), system;
    }
    index 134 [1];
    index 135 [2];
    index 136 [3];

    /// Who visits outlets: where the day begins, on which days and how long.
    24 Rep "rep" "reps" {
        1 name: text, required, erasable;
        2 external_id: text;
        3 aliases: words, erasable;
        4 depot: text;
        5 latitude: decimal, group(1);
        6 longitude: decimal, group(1);
        7 work_days: words;
        8 archived: flag, system;
        9 day_minutes: effort;
        10 days_off: words;
        11 territory: text;
        12 manager: text;
        13 merged_into: one(Rep), system;
        14 phone: text, erasable;
        15 email: text, erasable;
    }
    index 137 [1];
    index 138 [2];
    index 139 [3];

    /// A planning unit that somebody has taken; its id is the unit's.
    25 Lock "lock" "locks" {
        1 unit: one(Unit), required;
        2 holder: one(User);
        3 note: text;
    }
    index 140 [2];

    /// A month of a batch of legacy activities: how far it is, what became of its rows,
    /// and what people chose for some of them. Its id says of which batch and month.
    26 MigrationMonth "migration" "migrations" {
        1 batch: one(Batch), required;
        2 month: month, required;
        3 state: choice("draft" "confirmed" "promoted" "rolled back"), group(1);
        4 outcomes: data, system, group(1);
        5 txns: words, system;
        6 choices: data, system;
    }
    index 150 [1];

    /// How a planning unit is planned: hours, stops, speeds, what is weighed against travel.
    /// What is empty is as `services/plans/rules.rs` has it. Its id is the unit's.
    27 PlanRules "planrules" "planrules" {
        1 unit: one(Unit), required, system;
        2 hours: effort;
        3 max_stops: int;
        4 start: text;
        5 end: text;
        6 work_days: int;
        7 town_km_h: int;
        8 road_km_h: int;
        9 detour: decimal;
        10 visit_minutes: text;
        11 visits: text;
        12 balance: choice("off" "light" "normal" "strong");
        13 compactness: choice("off" "light" "normal" "strong");
        14 stability: choice("off" "light" "normal" "strong");
        15 most_changed: int;
        16 seconds: int;
        17 seed: int;
    }

    /// What one rep drives in the weeks of a unit's cycle, as it stands now. Its id says of
    /// which unit and rep.
    28 Journey "journey" "journeys" {
        1 unit: one(Unit), required, system;
        2 name: text, required, system;
        3 rep: text, required, system;
        4 distributor: text, system;
        5 routes: data, system;
    }
    index 155 [1];

    /// A version of a unit's plan: all its journeys as they were kept, with the reason.
    29 Plan "plan" "plans" {
        1 unit: one(Unit), required, system;
        2 name: text, required, system;
        3 number: int, system;
        4 reason: text;
        5 by: one(User), system;
        6 figures: data, system;
        7 routes: data, system;
    }
    index 156 [1, 3];

    /// The planning units as they were cut last. Its id is always the same: a split that
    /// comes together with another one made meanwhile is taken whole, or waits whole.
    30 Split "split" "splits" {
        1 name: text, required, system;
        2 by: one(User), system;
        3 made: text, system;
    }

    /// A place that sells: a row of the dataset of outlets. What people change of one is
    /// a record laid over its row.
    101 Outlet "outlet" "outlets" {
        1 code: text, required;
        2 name: text, required;
        3 channel: text;
        4 class: text;
        5 outlet_type: text;
        6 status: text;
        7 chain: text;
        8 address: text, erasable;
        9 address2: text, erasable;
        10 locality: text;
        11 city: text;
        12 district: text;
        13 state: text;
        14 postal_code: text;
        15 country: text;
        16 latitude: decimal, group(1);
        17 longitude: decimal, group(1);
        18 distributor_code: text;
        19 distributor_name: text;
        20 salesperson_code: text;
        21 salesperson_name: text, erasable;
        22 zone: text;
        23 region: text;
        24 territory: text;
        25 territory_code: text;
        26 beat: text;
        27 visit_frequency: decimal;
        28 avg_sales: decimal;
        29 volume: decimal;
        30 credit_limit: decimal;
        31 credit_days: decimal;
        32 owner_name: text, erasable;
        33 contact_name: text, erasable;
        34 phone: text, erasable;
        35 phone2: text, erasable;
        36 email: text, erasable;
        37 website: text;
        38 tax_id: text, erasable;
        39 alt_name: text;
        40 legal_name: text;
        41 size: text;
        42 opened_on: date;
        43 created_on: date;
        44 updated_on: date;
        45 closed_on: date;
        46 opening_hours: text;
        47 geofence_m: decimal;
        48 notes: long, erasable;
        49 unread: long, system;
        50 cleared: words, system;
        51 visit_day: text;
        52 visit_order: decimal;
        53 sales_months: long;
    }
    index 121 [1];
}

/// Number of this table: raised when a row is added.
pub const SCHEMA_VERSION: u32 = 10;
