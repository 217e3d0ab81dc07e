//! Records of any kind: one set of requests for all, driven by the schema. Saving,
//! archiving and deleting are here; looking and merging beside it.

mod browse;
mod look;
mod merge;
pub mod purge;

pub use browse::*;
pub use look::*;
pub use merge::{Merge, Merged};

use crate::changes::{Head, Verdict};
use crate::domain::check::{Facts, check};
use crate::domain::problem::Severity;
use crate::domain::schema::{ActivityType, Kind, Record, User, name_of};
use crate::domain::value::Value;
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::services::input::{self, Input};
use crate::services::show::{Item, Shower};
use crate::services::{
    Command, Settings, WriteCx, activities, each_live, names, outlets, verdict_word, wins,
};
use crate::store::Reads;
use merge::references;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// A page ends behind the row that makes it larger than this.
pub const MAX_PAGE_BYTES: usize = 512 << 10;
/// Rows of a list reply at the most.
pub const MAX_LIMIT: usize = 1_000;

/// Creates a record, or changes the one with `id`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Save {
    pub kind: Kind,
    pub id: Option<Id>,
    pub input: Input,
    /// `rev` of the record the person looked at; what changed since merges or drafts.
    pub seen_rev: Option<u64>,
    /// Rules whose warning the person accepted.
    pub ack: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Saved {
    pub item: Item,
    pub verdict: Verdict,
    pub word: String,
    /// The draft that holds what conflicted.
    pub draft: Option<Id>,
    /// What the person should know, such as a month the record moved to.
    pub notes: Vec<String>,
}

impl Command for Save {
    const NAME: &'static str = "record.save";
    type Reply = Saved;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Saved> {
        if self.kind == Kind::Outlet {
            return outlets::save(cx, self);
        }
        let settings = cx.settings()?;
        let (base, base_rev) = self.base(cx.reads())?;
        let mut notes = Vec::new();
        let fields = self.wanted(cx.reads(), &settings, &base, &mut notes)?;
        let (id, record) = match self.id {
            None => {
                let id = cx.new_id();
                (id, cx.create_as(self.kind, id, &fields)?)
            }
            Some(id) => (id, cx.set(self.kind, id, base_rev, &base, &fields)?),
        };
        if let (Some(Value::Date(old)), Some(Value::Date(new))) = (base.get(&2), fields.get(&2))
            && self.kind == Kind::Activity
        {
            let (old, new) = (crate::domain::when::Month::of(*old), crate::domain::when::Month::of(*new));
            if old != new {
                notes.push(format!("moved to {}", new.long()));
            }
        }
        let head = cx.reads().head(self.kind, id)?.unwrap_or_default();
        if self.kind == Kind::Activity {
            notes.extend(activities::long_day(cx.reads(), &settings, &head.fields)?);
        }
        let item = Shower::new(cx.reads()).item(self.kind, id, &head)?;
        let draft = record.has_draft().then_some(record.change.change_id);
        Ok(Saved {
            item,
            verdict: record.verdict,
            word: verdict_word(record.verdict).to_owned(),
            draft,
            notes,
        })
    }
}

impl Save {
    /// Whether saving would change anything, without doing it; a refusal as in saving.
    pub fn check(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<bool> {
        let (base, _) = self.base(reads)?;
        let fields = self.wanted(reads, settings, &base, &mut vec![])?;
        Ok(fields != base)
    }

    /// The fields as they should be: input over defaults over the base.
    fn wanted(
        &self,
        reads: &dyn Reads,
        settings: &Settings,
        base: &Fields,
        notes: &mut Vec<String>,
    ) -> Outcome<Fields> {
        let mut start = base.clone();
        if self.id.is_none() {
            defaults(reads, settings, self.kind, &self.input, &mut start, notes)?;
        }
        let mut fields = input::read(reads, settings, self.kind, &start, &self.input)?;
        complete(reads, self.kind, &mut fields, notes)?;
        if self.ack.iter().any(|a| a == "ACT-02") && self.kind == Kind::Activity {
            fields.insert(15, Value::Bool(true));
        }
        self.refuse(reads, settings, &fields)?;
        Ok(fields)
    }

    /// The record as its editor saw it.
    fn base(&self, reads: &dyn Reads) -> Outcome<(Fields, u64)> {
        let Some(id) = self.id else { return Ok((Fields::new(), 0)) };
        let head = live(reads, self.kind, id)?;
        match self.seen_rev {
            Some(rev) if rev != head.rev => Ok((fields_at(reads, self.kind, id, rev)?, rev)),
            _ => Ok((head.fields, head.rev)),
        }
    }

    fn refuse(&self, reads: &dyn Reads, settings: &Settings, fields: &Fields) -> Outcome<()> {
        let effort_may_be_empty = match (self.kind, fields.get(&1)) {
            (Kind::Activity, Some(Value::Id(id))) => {
                let kind = reads.fields(Kind::ActivityType, *id)?.unwrap_or_default();
                ActivityType::from_fields(&kind).effort == "warn"
            }
            _ => false,
        };
        let facts = Facts { today: settings.today, day_minutes: settings.day_minutes, effort_may_be_empty };
        let mut problems = check(self.kind, fields, &facts);
        problems.retain(|p| p.severity == Severity::Error || !self.ack.contains(&p.rule));
        if let Some(problem) = same_name(reads, self.kind, self.id, fields)? {
            problems.push(problem);
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::from_problems(problems)) }
    }
}

/// Two live records of a kind do not share a name; projects may, across accounts, and
/// people, who have an e-mail each.
fn same_name(
    reads: &dyn Reads,
    kind: Kind,
    id: Option<Id>,
    fields: &Fields,
) -> Outcome<Option<crate::domain::Problem>> {
    let has_name = kind.schema().field_named("name").is_some() && kind != Kind::Preset;
    let (true, Some(name)) = (has_name, name_of(kind, fields)) else { return Ok(None) };
    let within = match (kind, fields.get(&2)) {
        (Kind::Project, Some(Value::Id(account))) => Some(*account),
        _ => None,
    };
    for (other, other_name) in names::find(reads, kind, name, within)? {
        if Some(other) != id && text::fold(&other_name) == text::fold(name) {
            let code = kind.schema().field_named("external_id").map(|f| f.id);
            let others = reads.fields(kind, other)?.unwrap_or_default();
            let differ = code.is_some_and(|c| {
                fields.contains_key(&c) && others.contains_key(&c) && fields.get(&c) != others.get(&c)
            });
            if matches!(kind, Kind::Distributor | Kind::Chain | Kind::Rep) && differ {
                continue; // known by their codes
            }
            if kind == Kind::User && other_email(&reads.fields(kind, other)?.unwrap_or_default(), fields) {
                continue;
            }
            let named = input::article(kind).to_lowercase();
            let message = format!("There is {named} \"{other_name}\" ({}) already", other.short());
            return Ok(Some(crate::domain::Problem::error("name", "taken", message)));
        }
    }
    Ok(None)
}

fn other_email(one: &Fields, other: &Fields) -> bool {
    let [one, other] = [one, other].map(|fields| User::from_fields(fields).email);
    !one.is_empty() && !other.is_empty() && text::fold(&one) != text::fold(&other)
}

/// What a new record starts with before the input is laid over it.
fn defaults(
    reads: &dyn Reads,
    settings: &Settings,
    kind: Kind,
    input: &Input,
    fields: &mut Fields,
    notes: &mut Vec<String>,
) -> Outcome<()> {
    match kind {
        Kind::Activity => {
            fields.insert(4, Value::Id(settings.me));
            if !input.contains_key("date") {
                let project = match input.get("project").filter(|p| !p.is_empty()) {
                    Some(project) => names::resolve(reads, Kind::Project, project, None).ok(),
                    None => None,
                };
                let (date, source) = activities::default_date(reads, settings, project)?;
                notes.push(format!("date {date}, {source}"));
                fields.insert(2, Value::Date(date));
            }
        }
        Kind::Win => drop(fields.insert(10, Value::Id(settings.me))),
        Kind::Project => drop(fields.insert(4, Value::Text("open".into()))),
        _ => {}
    }
    Ok(())
}

/// What follows from the fields that are given.
fn complete(reads: &dyn Reads, kind: Kind, fields: &mut Fields, notes: &mut Vec<String>) -> Outcome<()> {
    if matches!(kind, Kind::Activity | Kind::Win) {
        let (account, project) = if kind == Kind::Activity { (5, 6) } else { (2, 3) };
        match (fields.get(&account).cloned(), fields.get(&project).cloned()) {
            (None, Some(Value::Id(chosen))) => {
                if let Some(Value::Id(of)) =
                    reads.fields(Kind::Project, chosen)?.and_then(|f| f.get(&2).cloned())
                {
                    fields.insert(account, Value::Id(of));
                }
            }
            (Some(Value::Id(of)), None) if kind == Kind::Win => {
                if let Some((only, why)) = wins::only_project(reads, of)? {
                    notes.push(why.to_owned());
                    fields.insert(project, Value::Id(only));
                }
            }
            _ => {}
        }
    }
    if kind == Kind::Win
        && let Some(Value::Date(date)) = fields.get(&4)
    {
        let month = crate::domain::when::Month::of(*date).number();
        fields.insert(11, Value::Int(month));
    }
    Ok(())
}

/// A record that is there.
pub fn live(reads: &dyn Reads, kind: Kind, id: Id) -> Outcome<Head> {
    match reads.head(kind, id)? {
        Some(head) if !head.deleted => Ok(head),
        Some(_) => Err(Failure::not_found(format!("The {} {} was deleted", kind.name(), id.short()))
            .hint("`pams undo` brings the last deleted one back")),
        None => Err(Failure::not_found(format!("There is no {} {}", kind.name(), id.short()))),
    }
}

/// The fields of a record as they were at a rev.
pub fn fields_at(reads: &dyn Reads, kind: Kind, id: Id, rev: u64) -> Outcome<Fields> {
    if let Some(head) = reads.former(kind, id, rev)? {
        return Ok(head.fields);
    }
    // A conflict's draft begins in the record whose change it holds.
    let mut head = match reads.seq_of(id)? {
        Some(seq) if kind == Kind::Draft => reads.record(seq)?.and_then(|record| {
            let after = crate::changes::merge::heads_after(None, &record);
            after.into_iter().find(|(k, ..)| *k == Kind::Draft).map(|(_, _, h)| h)
        }),
        _ => reads.start(kind, id)?,
    };
    for seq in reads.history(kind, id)?.into_iter().take_while(|seq| *seq <= rev) {
        if let Some(record) = reads.record(seq)? {
            let after = crate::changes::merge::heads_after(head.clone(), &record);
            head = after.into_iter().find(|(k, e, _)| (*k, *e) == (kind, id)).map(|(_, _, h)| h).or(head);
        }
    }
    Ok(head.map(|h| h.fields).unwrap_or_default())
}

/// Hides records from lists and pickers, or brings them back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    pub kind: Kind,
    pub which: String,
    pub archived: bool,
}

impl Command for Archive {
    const NAME: &'static str = "record.archive";
    type Reply = Item;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Item> {
        let field = self.kind.schema().field_named("archived");
        let field =
            field.ok_or_else(|| Failure::usage(format!("{} is not archived", input::article(self.kind))))?;
        let id = match self.archived {
            true => names::resolve(cx.reads(), self.kind, &self.which, None)?,
            // An archived record is not found by name; its id or name among all is.
            false => archived_named(cx.reads(), self.kind, &self.which)?,
        };
        if self.archived && self.kind == Kind::User && id == cx.settings()?.me {
            return Err(Failure::conflict("Nobody archives themselves: somebody else can"));
        }
        cx.update(self.kind, id, |fields| {
            if self.archived {
                fields.insert(field.id, Value::Bool(true));
            } else {
                fields.remove(&field.id);
            }
        })?;
        let head = live(cx.reads(), self.kind, id)?;
        Shower::new(cx.reads()).item(self.kind, id, &head)
    }
}

fn archived_named(reads: &dyn Reads, kind: Kind, which: &str) -> Outcome<Id> {
    let mut found = None;
    each_live(reads, kind, &mut |id, head| {
        if names::is_archived(kind, &head.fields)
            && name_of(kind, &head.fields).is_some_and(|n| text::fold(n).starts_with(&text::fold(which)))
        {
            found = Some(id);
        }
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    match found {
        Some(id) => Ok(id),
        None => names::resolve(reads, kind, which, None),
    }
}

/// Deletes one record; undo brings it back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Delete {
    pub kind: Kind,
    pub which: String,
}

impl Command for Delete {
    const NAME: &'static str = "record.delete";
    type Reply = Item;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Item> {
        let id = names::resolve(cx.reads(), self.kind, &self.which, None)?;
        let head = live(cx.reads(), self.kind, id)?;
        let uses = references(cx.reads(), self.kind, &[id])?;
        let used: usize = uses.values().map(Vec::len).sum();
        if used > 0 {
            let lines: Vec<String> = uses.iter().map(|(k, ids)| count(*k, ids.len())).collect();
            return Err(Failure::conflict(format!("{} use this {}", lines.join(", "), self.kind.name()))
                .hint(format!("Archive it: `pams {} archive {}`", self.kind.name(), id.short())));
        }
        let item = Shower::new(cx.reads()).item(self.kind, id, &head)?;
        cx.delete(self.kind, id, &head.fields)?;
        Ok(item)
    }
}

fn count(kind: Kind, n: usize) -> String {
    format!("{n} {}", if n == 1 { kind.name() } else { kind.schema().plural })
}
