//! Saving, showing, listing, archiving, merging and deleting records of any kind: one
//! set of requests for all, driven by the schema.

use crate::changes::{Cause, Head, Verdict, codec, hlc};
use crate::domain::check::{Facts, check};
use crate::domain::problem::Severity;
use crate::domain::schema::{ActivityType, Kind, Record, Type, name_of};
use crate::domain::value::{FieldId, Value};
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::services::input::{self, Input};
use crate::services::show::{Item, Shower, typed};
use crate::services::{Command, Query, ReadCx, Settings, WriteCx, activities, names, verdict_word, wins};
use crate::store::{IndexKey, Reads};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A page ends behind the row that makes it larger than this.
pub const MAX_PAGE_BYTES: usize = 512 << 10;
/// Longest value shown in a history.
const MAX_HISTORY_TEXT: usize = 400;
/// Rows of a list reply at the most.
pub const MAX_LIMIT: usize = 1_000;

/// Creates a record, or changes the one with `id`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Save {
    pub kind: Kind,
    pub id: Option<Id>,
    pub input: Input,
    /// `rev` of the record the person looked at; what changed since merges or drafts.
    pub seen_rev: Option<u64>,
    /// Rules whose warning the person accepted.
    pub ack: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
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
        let item = Shower::new(cx.reads()).item(self.kind, id, &head)?;
        let draft =
            matches!(record.verdict, Verdict::Drafted | Verdict::Refused).then_some(record.change.change_id);
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
            Some(rev) if rev < head.rev => Ok((fields_at(reads, self.kind, id, rev)?, rev)),
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

/// Two live records of a kind do not share a name; projects may, across accounts.
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
            let message = format!("There is a {} \"{other_name}\" ({}) already", kind.name(), other.short());
            return Ok(Some(crate::domain::Problem::error("name", "taken", message)));
        }
    }
    Ok(None)
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
    // A conflict's draft begins in the record whose change it holds.
    let mut head = match reads.seq_of(id)? {
        Some(seq) if kind == Kind::Draft => reads.record(seq)?.and_then(|record| {
            let after = crate::changes::merge::heads_after(None, &record);
            after.into_iter().find(|(k, ..)| *k == Kind::Draft).map(|(_, _, h)| h)
        }),
        _ => None,
    };
    for seq in reads.history(kind, id)?.into_iter().take_while(|seq| *seq <= rev) {
        if let Some(record) = reads.record(seq)? {
            let after = crate::changes::merge::heads_after(head.clone(), &record);
            head = after.into_iter().find(|(k, e, _)| (*k, *e) == (kind, id)).map(|(_, _, h)| h).or(head);
        }
    }
    Ok(head.map(|h| h.fields).unwrap_or_default())
}

/// One record by whatever names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Show {
    pub kind: Kind,
    pub which: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    #[serde(flatten)]
    pub item: Item,
    /// Each field as a person would type it: what an edit form starts with.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub typed: Input,
}

impl Query for Show {
    const NAME: &'static str = "record.show";
    type Reply = Shown;

    fn run(&self, cx: &ReadCx) -> Outcome<Shown> {
        let id = names::resolve(cx.reads, self.kind, &self.which, None)?;
        let head = live(cx.reads, self.kind, id)?;
        let mut form = Input::new();
        for field in self.kind.schema().fields.iter().filter(|f| !f.system && f.kind != Type::Data) {
            if let Some(value) = head.fields.get(&field.id) {
                form.insert(field.name.to_owned(), typed(cx.reads, field, value)?);
            }
        }
        Ok(Shown { item: Shower::new(cx.reads).item(self.kind, id, &head)?, typed: form })
    }
}

/// A page of things with the key of the next one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    pub items: Vec<Item>,
    /// Where the next page starts; none at the end.
    pub next: Option<String>,
}

/// Records of a kind by creation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct List {
    pub kind: Kind,
    /// Only names and aliases with this in them.
    pub filter: Option<String>,
    pub archived: bool,
    /// Only projects of this account.
    pub account: Option<String>,
    pub limit: usize,
    pub cursor: Option<String>,
}

impl Query for List {
    const NAME: &'static str = "record.list";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let from = match &self.cursor {
            Some(cursor) => cursor.parse().map_err(Failure::usage)?,
            None => Id::default(),
        };
        let account = match &self.account {
            Some(text) => Some(names::resolve(cx.reads, Kind::Account, text, None)?),
            None => None,
        };
        let wanted = self.filter.as_deref().map(text::fold);
        let limit = self.limit.clamp(1, MAX_LIMIT);
        let mut found: Vec<(Id, Head)> = Vec::new();
        let mut failed = None;
        cx.reads.heads(self.kind, from, &mut |id, bytes| {
            match codec::decode_head(bytes) {
                Ok(head) => {
                    let named = |w: &String| {
                        let all = [1u16, 2, 11].iter().filter_map(|f| head.fields.get(f));
                        all.into_iter().any(|v| match v {
                            Value::Text(t) => text::fold(t).contains(w.as_str()),
                            Value::Texts(ts) => ts.iter().any(|t| text::fold(t).contains(w.as_str())),
                            _ => false,
                        })
                    };
                    let of = |a: Id| self.kind != Kind::Project || head.fields.get(&2) == Some(&Value::Id(a));
                    let keep = !head.deleted
                        && (self.archived || !names::is_archived(self.kind, &head.fields))
                        && wanted.as_ref().is_none_or(named)
                        && account.is_none_or(of);
                    if keep {
                        found.push((id, head));
                    }
                }
                Err(error) => failed = Some(error),
            }
            if found.len() > limit || failed.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if let Some(error) = failed {
            return Err(crate::store::StoreError::from(error).into());
        }
        let mut shower = Shower::new(cx.reads);
        let (mut items, mut weight, mut next) = (Vec::new(), 0, None);
        for (id, head) in &found {
            if items.len() == limit || weight > MAX_PAGE_BYTES {
                next = Some(id.to_string());
                break;
            }
            let item = shower.item(self.kind, *id, head)?;
            weight += item.weight();
            items.push(item);
        }
        Ok(Page { items, next })
    }
}

/// Hides records from lists and pickers, or brings them back.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    reads.heads(kind, Id::default(), &mut |id, bytes| {
        if let Ok(head) = codec::decode_head(bytes)
            && !head.deleted
            && names::is_archived(kind, &head.fields)
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// kind → (record, the fields of it that refer)
type References = BTreeMap<Kind, Vec<(Id, Vec<FieldId>)>>;

/// Records that refer to one of `targets`.
fn references(reads: &dyn Reads, kind: Kind, targets: &[Id]) -> Outcome<References> {
    let mut uses = BTreeMap::new();
    for other in Kind::ALL {
        let refers = |t: Type| matches!(t, Type::One(k) | Type::Many(k) if k == kind);
        let fields: Vec<FieldId> =
            other.schema().fields.iter().filter(|f| refers(f.kind)).map(|f| f.id).collect();
        if fields.is_empty() {
            continue;
        }
        let mut found = Vec::new();
        reads.heads(*other, Id::default(), &mut |id, bytes| {
            if let Ok(head) = codec::decode_head(bytes)
                && !head.deleted
                && !(*other == kind && targets.contains(&id))
            {
                let hit = |f: &&FieldId| match head.fields.get(f) {
                    Some(Value::Id(id)) => targets.contains(id),
                    Some(Value::Ids(ids)) => ids.iter().any(|id| targets.contains(id)),
                    _ => false,
                };
                let hits: Vec<FieldId> = fields.iter().filter(hit).copied().collect();
                if !hits.is_empty() {
                    found.push((id, hits));
                }
            }
            ControlFlow::Continue(())
        })?;
        if !found.is_empty() {
            uses.insert(*other, found);
        }
    }
    Ok(uses)
}

/// Merges records of a kind into one: the base keeps its id, takes the name, and the
/// others' names become its aliases; everything that used them uses it (P-005).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Merge {
    pub kind: Kind,
    pub which: Vec<String>,
    /// Name of the result; the base's own when empty.
    pub into: String,
    /// The record that stays; the first when empty.
    pub base: String,
    pub dry_run: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Merged {
    pub item: Item,
    pub merged: usize,
    /// Kind → how many records move.
    pub moved: BTreeMap<String, usize>,
    pub dry_run: bool,
}

impl Command for Merge {
    const NAME: &'static str = "record.merge";
    type Reply = Merged;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Merged> {
        let field = |name: &str| self.kind.schema().field_named(name).map(|f| f.id);
        let (Some(name), Some(aliases), Some(merged_into)) =
            (field("name"), field("aliases"), field("merged_into"))
        else {
            return Err(Failure::usage(format!("{} cannot be merged", self.kind.schema().plural)));
        };
        let mut ids = Vec::new();
        for which in &self.which {
            let id = names::resolve(cx.reads(), self.kind, which, None)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.len() < 2 {
            return Err(Failure::usage("A merge needs two different records"));
        }
        let base = match self.base.as_str() {
            "" => ids[0],
            text => names::resolve(cx.reads(), self.kind, text, None)?,
        };
        if !ids.contains(&base) {
            return Err(Failure::usage("The base is not among the records to merge"));
        }
        let others: Vec<Id> = ids.iter().copied().filter(|id| *id != base).collect();
        let uses = references(cx.reads(), self.kind, &others)?;
        let moved = uses.iter().map(|(k, ids)| (k.schema().plural.to_owned(), ids.len())).collect();
        if !self.dry_run {
            cx.set_cause(Cause::Merge, None);
            let mut known: Vec<String> = Vec::new();
            for id in &ids {
                let fields = live(cx.reads(), self.kind, *id)?.fields;
                known.extend(name_of(self.kind, &fields).map(str::to_owned));
                if let Some(Value::Texts(more)) = fields.get(&aliases) {
                    known.extend(more.iter().cloned());
                }
            }
            for (kind, records) in uses {
                for (id, hits) in records {
                    cx.update(kind, id, |fields| redirect(fields, &hits, &others, base))?;
                }
            }
            for id in &others {
                cx.update(self.kind, *id, |fields| {
                    fields.insert(merged_into, Value::Id(base));
                    fields.remove(&aliases);
                })?;
            }
            cx.update(self.kind, base, |fields| {
                if !self.into.trim().is_empty() {
                    fields.insert(name, Value::Text(text::clean(&self.into)));
                }
                let own = name_of(self.kind, fields).unwrap_or_default().to_owned();
                known.retain(|alias| text::fold(alias) != text::fold(&own));
                if let Some(all) = Value::texts(known.clone()) {
                    fields.insert(aliases, all);
                }
            })?;
        }
        let head = live(cx.reads(), self.kind, base)?;
        let item = Shower::new(cx.reads()).item(self.kind, base, &head)?;
        Ok(Merged { item, merged: others.len(), moved, dry_run: self.dry_run })
    }
}

fn redirect(fields: &mut Fields, hits: &[FieldId], from: &[Id], to: Id) {
    let moved = |id: Id| if from.contains(&id) { to } else { id };
    for hit in hits {
        let value = match fields.remove(hit) {
            Some(Value::Id(id)) => Some(Value::Id(moved(id))),
            Some(Value::Ids(ids)) => Value::ids(ids.into_iter().map(moved).collect()),
            other => other,
        };
        if let Some(value) = value {
            fields.insert(*hit, value);
        }
    }
}

/// Who changed what of a record, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    pub kind: Kind,
    pub which: String,
    pub limit: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryRow {
    pub seq: u64,
    pub at: String,
    pub by: String,
    pub via: String,
    pub what: String,
    pub cause: String,
    pub verdict: String,
    pub txn: Id,
    /// field, before, after
    pub fields: Vec<(String, String, String)>,
}

impl Query for History {
    const NAME: &'static str = "record.history";
    type Reply = Vec<HistoryRow>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<HistoryRow>> {
        let settings = cx.settings()?;
        let id = names::resolve(cx.reads, self.kind, &self.which, None)?;
        let mut shower = Shower::new(cx.reads);
        let mut rows = Vec::new();
        let seqs = cx.reads.history(self.kind, id)?;
        for seq in seqs.into_iter().rev().take(self.limit.clamp(1, MAX_LIMIT)) {
            let Some(record) = cx.reads.record(seq)? else { continue };
            let change = &record.change;
            let mut fields = Vec::new();
            for f in change.fields.iter().filter(|f| f.old != f.new) {
                let field = self.kind.schema().field(f.field);
                let name = field.map_or_else(|| format!("field {}", f.field), |f| f.label());
                let (old, new) = (shower.line(field, f.old.as_ref())?, shower.line(field, f.new.as_ref())?);
                let short = |text: String| text.chars().take(MAX_HISTORY_TEXT).collect::<String>();
                fields.push((name, short(old), short(new)));
            }
            rows.push(HistoryRow {
                seq,
                at: settings.zone.stamp(hlc::unix_ms(change.hlc)),
                by: shower.name(Kind::User, change.actor)?,
                via: format!("{:?}", change.via).to_lowercase(),
                what: format!("{:?}", change.op).to_lowercase(),
                cause: format!("{:?}", change.cause).to_lowercase(),
                verdict: format!("{:?}", record.verdict).to_lowercase(),
                txn: change.txn_id,
                fields,
            });
        }
        Ok(rows)
    }
}

/// How many live records of each kind there are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counts {}

impl Query for Counts {
    const NAME: &'static str = "record.counts";
    type Reply = BTreeMap<String, u64>;

    fn run(&self, cx: &ReadCx) -> Outcome<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for kind in Kind::ALL {
            let mut n = 0;
            cx.reads.heads(*kind, Id::default(), &mut |_, bytes| {
                // Version, then the flag byte: a deleted record is not counted.
                n += u64::from(bytes.get(1) == Some(&0));
                ControlFlow::Continue(())
            })?;
            counts.insert(kind.schema().plural.to_owned(), n);
        }
        Ok(counts)
    }
}

/// Names that begin with or contain a text, for pickers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Suggest {
    pub kind: Kind,
    pub text: String,
    /// Projects of this account only.
    pub account: Option<String>,
    pub limit: usize,
}

impl Query for Suggest {
    const NAME: &'static str = "record.suggest";
    type Reply = Vec<(Id, String)>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<(Id, String)>> {
        let account = match self.account.as_deref().filter(|a| !a.is_empty()) {
            Some(text) => names::resolve(cx.reads, Kind::Account, text, None).ok(),
            None => None,
        };
        if !self.text.trim().is_empty() {
            let mut found = names::find(cx.reads, self.kind, &self.text, account)?;
            found.truncate(self.limit);
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let name_index = self.kind.schema().indexes.iter().find(|i| i.fields == [1]);
        let Some(index) = name_index else { return Ok(vec![]) };
        let wanted = text::fold(&self.text);
        let mut ids = Vec::new();
        let prefix = IndexKey::new(index.number);
        cx.reads.index(&prefix, &prefix.clone().after(), false, &mut |id, key| {
            let name = String::from_utf8_lossy(&key[1..key.len() - 17]).into_owned();
            if name.contains(&wanted) {
                ids.push(id);
            }
            if ids.len() < self.limit * 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let mut found = Vec::new();
        for id in ids {
            if let Some(fields) = cx.reads.fields(self.kind, id)?
                && !names::is_archived(self.kind, &fields)
                && account.is_none_or(|a| fields.get(&2) == Some(&Value::Id(a)))
            {
                found.push((id, name_of(self.kind, &fields).unwrap_or_default().to_owned()));
            }
        }
        found.truncate(self.limit);
        Ok(found)
    }
}
