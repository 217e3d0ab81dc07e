//! Drafts: changes that wait for a person. Conflicts and refusals come from the log;
//! an unsaved form is kept when its person leaves it or the line drops.

pub mod held;
mod retry;

pub use retry::{Left, Retried, RetryDrafts};

use crate::changes::{Cause, Op, Verdict, codec, hlc};
use crate::domain::schema::{Draft, Kind, MonthState, Record};
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::services::input::Input;
use crate::services::permissions::Rights;
use crate::services::records::{self, Page, Save, Saved};
use crate::services::show::{Item, Shower};
use crate::services::{Command, Query, ReadCx, Settings, WriteCx, migration, names};
use crate::store::{CURSOR, IndexKey, Reads, meta_number};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const BY_STATE: u8 = 80;
/// Drafts listed at the most; more is said by the count.
const MAX_DRAFTS: usize = 2_000;

/// Open drafts, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListDrafts {}

impl Query for ListDrafts {
    const NAME: &'static str = "drafts.list";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let mut shower = Shower::new(cx.reads);
        let mut items = Vec::new();
        let made = |id| Ok((made_seq(cx.reads, id)?.unwrap_or(0), id));
        let mut ids = open(cx.reads)?.into_iter().map(made).collect::<Outcome<Vec<(u64, Id)>>>()?;
        ids.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id) in ids {
            if let Some(head) = cx.reads.head(Kind::Draft, id)? {
                let mut item = shower.item(Kind::Draft, id, &head)?;
                let draft = Draft::from_fields(&head.fields);
                item.values.insert("title".into(), title(cx.reads, &draft)?.into());
                item.values.insert("at".into(), settings.zone.stamp(made_ms(cx.reads, id)?).into());
                items.push(item);
            }
        }
        items.extend(legacy(cx, &settings)?);
        Ok(Page { items, next: None })
    }
}

/// A line for each load of legacy activities that has drafts, for who may migrate: there may
/// be a million of them, and they are settled by the month.
fn legacy(cx: &ReadCx, settings: &Settings) -> Outcome<Vec<Item>> {
    let signed_in = cx.caller.actor.is_some() || meta_number(cx.reads, CURSOR)?.is_some();
    if signed_in && !Rights::of(cx.reads, settings.me)?.may("migration.write") {
        return Ok(vec![]);
    }
    let item = |(id, file, drafts): (Id, String, usize)| {
        let values = serde_json::json!({
            "reason": "migration",
            "title": format!("legacy activities of {file}"),
            "at": settings.zone.stamp(id.unix_ms() as i64),
            "message": format!("{} to be confirmed by the month", text::count(drafts, "draft")),
        });
        Item { id, rev: 0, values: values.as_object().cloned().unwrap_or_default() }
    };
    Ok(migration::waiting(cx.reads)?.into_iter().map(item).collect())
}

/// Open drafts of whoever asks: what waits for others is theirs to settle.
fn open(reads: &dyn Reads) -> Outcome<Vec<Id>> {
    let me = crate::store::meta_id(reads, crate::store::OWNER)?;
    let mut ids = reads.index_ids(IndexKey::new(BY_STATE).text("open"), MAX_DRAFTS)?;
    let mut failed = None;
    ids.retain(|id| match reads.fields(Kind::Draft, *id) {
        Ok(fields) => {
            let owner = fields.map(|f| Draft::from_fields(&f).owner).unwrap_or_default();
            owner.is_none() || owner == me
        }
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    failed.map_or(Ok(ids), |error| Err(error.into()))
}

pub fn open_count(reads: &dyn Reads) -> Outcome<usize> {
    Ok(open(reads)?.len())
}

/// A conflict's draft has the id of its change; its history is the change's.
fn made_seq(reads: &dyn Reads, id: Id) -> Outcome<Option<u64>> {
    Ok(match reads.seq_of(id)? {
        Some(seq) => Some(seq),
        None => reads.history(Kind::Draft, id)?.first().copied(),
    })
}

fn made_ms(reads: &dyn Reads, id: Id) -> Outcome<i64> {
    let record = match made_seq(reads, id)? {
        Some(seq) => reads.record(seq)?,
        None => None,
    };
    Ok(record.map_or(id.unix_ms() as i64, |r| hlc::unix_ms(r.change.hlc)))
}

fn target(draft: &Draft) -> Option<(Kind, Option<Id>)> {
    let kind = draft.target_kind.and_then(|n| u8::try_from(n).ok()).and_then(Kind::from_number)?;
    Some((kind, draft.target.parse().ok()))
}

fn title(reads: &dyn Reads, draft: &Draft) -> Outcome<String> {
    if !draft.title.is_empty() {
        return Ok(draft.title.clone());
    }
    Ok(match target(draft) {
        Some((Kind::MonthState, Some(id))) => {
            let state = MonthState::from_fields(&reads.fields(Kind::MonthState, id)?.unwrap_or_default());
            let month = state.month.and_then(Month::from_number).map(|month| month.long());
            format!("import of wins for {}", month.unwrap_or_else(|| id.short()))
        }
        Some((Kind::Split, _)) => "split of the territories".into(),
        Some((kind, Some(id))) => format!("{} {}", kind.name(), names::name(reads, kind, id)?),
        Some((kind, None)) => format!("new {}", kind.name()),
        None => String::new(),
    })
}

/// One draft: base, mine and theirs per field, or the text of the form.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowDraft {
    pub which: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DraftShown {
    #[serde(flatten)]
    pub item: Item,
    pub target_name: String,
    /// Field → [base, mine, theirs].
    pub fields: BTreeMap<String, [String; 3]>,
    /// The text of an unsaved form.
    pub input: Input,
    /// Who made the other change, and when.
    pub theirs_by: String,
    pub theirs_at: String,
    /// Changes that wait with it: it is that of a whole import.
    #[serde(default)]
    pub held: usize,
}

impl Query for ShowDraft {
    const NAME: &'static str = "drafts.show";
    type Reply = DraftShown;

    fn run(&self, cx: &ReadCx) -> Outcome<DraftShown> {
        let settings = cx.settings()?;
        let id = resolve(cx.reads, &self.which)?;
        let head = records::live(cx.reads, Kind::Draft, id)?;
        let draft = Draft::from_fields(&head.fields);
        let mut shower = Shower::new(cx.reads);
        let item = shower.item(Kind::Draft, id, &head)?;
        let (mut fields, mut input) = (BTreeMap::new(), Input::new());
        if draft.reason == "unsaved" {
            input = form_of(&draft)?;
        } else if let Some((kind, _)) = target(&draft) {
            let conflicts = codec::decode_conflicts(&draft.detail).map_err(crate::store::StoreError::from)?;
            for c in conflicts {
                let field = kind.schema().field(c.field);
                let name = field.map_or_else(|| c.field.to_string(), |f| f.name.to_owned());
                let mut line = |v: &Option<Value>| shower.line(field, v.as_ref());
                fields.insert(name, [line(&c.base)?, line(&c.mine)?, line(&c.theirs)?]);
            }
        }
        let (theirs_by, theirs_at) = other_side(cx.reads, &settings, &draft)?;
        let target_name = title(cx.reads, &draft)?;
        let held = held::changes(cx.reads, draft.change.parse().unwrap_or_default())?;
        if let Some([_, mine, _]) = fields.get_mut("batch") {
            *mine = held::file(&held);
        }
        let held = held.len();
        Ok(DraftShown { item, target_name, fields, input, theirs_by, theirs_at, held })
    }
}

/// Who changed the target last before the draft's change came.
fn other_side(reads: &dyn Reads, settings: &Settings, draft: &Draft) -> Outcome<(String, String)> {
    let Some((kind, Some(id))) = target(draft) else { return Ok(Default::default()) };
    let change = draft.change.parse().unwrap_or_default();
    let own = reads.seq_of(change)?.unwrap_or(u64::MAX);
    let before = reads.history(kind, id)?.into_iter().rfind(|seq| *seq < own);
    let Some(record) = before.map(|seq| reads.record(seq)).transpose()?.flatten() else {
        return Ok(Default::default());
    };
    let by = names::name(reads, Kind::User, record.change.actor)?;
    Ok((by, settings.zone.stamp(hlc::unix_ms(record.change.hlc))))
}

fn form_of(draft: &Draft) -> Outcome<Input> {
    serde_json::from_slice(&draft.detail)
        .map_err(|e| Failure::internal(format!("The draft's form cannot be read: {e}")))
}

/// An open draft by id, id's end, or `last`.
fn resolve(reads: &dyn Reads, which: &str) -> Outcome<Id> {
    let open = open(reads)?;
    if which == "last" {
        let made = |id: &Id| made_seq(reads, *id).ok().flatten();
        if let Some(id) = open.iter().max_by_key(|id| made(id)) {
            return Ok(*id);
        }
    }
    let fits: Vec<Id> = open.into_iter().filter(|id| id.ends_with(which)).collect();
    match fits.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::not_found(format!("There is no open draft \"{which}\""))
            .hint("`pams drafts list` shows them")),
        _ => Err(Failure::conflict(format!("{} drafts end with \"{which}\"", fits.len()))
            .hint("Give more characters")),
    }
}

/// Keeps the text of a form that was left or refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeepForm {
    pub kind: Kind,
    pub target: Option<Id>,
    pub title: String,
    pub message: String,
    pub input: Input,
}

impl Command for KeepForm {
    const NAME: &'static str = "drafts.keep_form";
    type Reply = Id;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Id> {
        let draft = Draft {
            reason: "unsaved".into(),
            state: "open".into(),
            title: self.title.clone(),
            message: self.message.clone(),
            owner: Some(cx.actor()),
            target_kind: Some(self.kind as i64),
            target: self.target.map(|t| t.to_string()).unwrap_or_default(),
            detail: serde_json::to_vec(&self.input).unwrap_or_default(),
            change: String::new(),
        };
        cx.create(Kind::Draft, &draft.to_fields())
    }
}

/// Settles a draft: `mine`, `theirs` or `base` for all its fields, or field by field;
/// an unsaved form is saved with what `input` changes in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ResolveDraft {
    pub which: String,
    /// For fields that `choices` does not name.
    pub choose: String,
    pub choices: BTreeMap<String, String>,
    pub input: Input,
    pub ack: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    pub draft: Id,
    pub saved: Option<Saved>,
    pub changed: Vec<String>,
    /// Somebody changed the same again: the new draft that waits.
    pub draft_again: Option<Id>,
}

impl Command for ResolveDraft {
    const NAME: &'static str = "drafts.resolve";
    type Reply = Resolved;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Resolved> {
        let id = resolve(cx.reads(), &self.which)?;
        let draft = Draft::from_fields(&records::live(cx.reads(), Kind::Draft, id)?.fields);
        let (kind, entity) = target(&draft).ok_or_else(|| Failure::internal("The draft has no target"))?;
        cx.set_cause(Cause::ResolveDraft, None);
        let mut resolved = Resolved { draft: id, saved: None, changed: vec![], draft_again: None };
        if draft.reason == "unsaved" {
            let mut input = form_of(&draft)?;
            input.extend(self.input.clone());
            let save = Save { kind, id: entity, input, seen_rev: None, ack: self.ack.clone() };
            resolved.saved = Some(save.run(cx)?);
        } else {
            let entity = entity.ok_or_else(|| Failure::internal("The draft has no target"))?;
            let conflicts = codec::decode_conflicts(&draft.detail).map_err(crate::store::StoreError::from)?;
            self.refuse_unknown(kind, &conflicts)?;
            self.settle(cx, id, kind, entity, &conflicts, &mut resolved)?;
        }
        set_state(cx, id, "resolved")?;
        Ok(resolved)
    }
}

/// Settles many conflicts alike, in one step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ResolveMany {
    pub which: Vec<String>,
    pub choose: String,
}

impl Command for ResolveMany {
    const NAME: &'static str = "drafts.resolve_many";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        for which in &self.which {
            let one = ResolveDraft {
                which: which.clone(),
                choose: self.choose.clone(),
                choices: BTreeMap::new(),
                input: Input::new(),
                ack: vec![],
            };
            one.run(cx)?;
        }
        Ok(self.which.len())
    }
}

impl ResolveDraft {
    /// Writes the chosen sides. What somebody changed since the draft was made
    /// conflicts again: nobody's value is written over unseen.
    fn settle(
        &self,
        cx: &mut WriteCx,
        draft: Id,
        kind: Kind,
        entity: Id,
        conflicts: &[crate::changes::Conflict],
        resolved: &mut Resolved,
    ) -> Outcome<()> {
        let head = cx.reads().head(kind, entity)?.unwrap_or_default();
        let change = match cx.reads().seq_of(draft)? {
            Some(seq) => cx.reads().record(seq)?,
            None => None,
        };
        if change.as_ref().is_some_and(|r| r.change.op == Op::Delete) {
            if self.choose == "mine" && !head.deleted {
                cx.delete(kind, entity, &head.fields)?;
                resolved.changed.push("deleted".into());
            }
            return Ok(());
        }
        let (mut seen, mut wanted) = (head.fields.clone(), head.fields.clone());
        let put = |fields: &mut Fields, field, value: &Option<Value>| match value {
            Some(value) => drop(fields.insert(field, value.clone())),
            None => drop(fields.remove(&field)),
        };
        for c in conflicts {
            let name = kind.schema().field(c.field).map_or("", |f| f.name);
            let choice = self.choices.get(name).unwrap_or(&self.choose);
            let value = match choice.as_str() {
                "mine" => &c.mine,
                "base" => &c.base,
                _ => continue, // theirs is what the record holds
            };
            if !head.deleted {
                put(&mut seen, c.field, &c.theirs);
            }
            put(&mut wanted, c.field, value);
            resolved.changed.push(name.to_owned());
        }
        if resolved.changed.is_empty() {
            return Ok(());
        }
        if head.deleted {
            cx.restore(kind, entity)?;
        }
        let claim = change.filter(|record| record.change.is_claim()).and(conflicts.first());
        let taken = match claim {
            Some(conflict) => held::taken(cx.reads(), kind, entity, conflict.theirs.as_ref())?,
            None => None,
        };
        let record = cx.set(kind, entity, head.rev, &seen, &wanted)?;
        resolved.draft_again = (record.verdict == Verdict::Drafted).then_some(record.change.change_id);
        if let (Some(conflict), None) = (claim, resolved.draft_again) {
            held::settle(
                cx,
                (kind, draft),
                conflict,
                taken,
                wanted.get(&conflict.field) == conflict.mine.as_ref(),
            )?;
        }
        Ok(())
    }

    fn refuse_unknown(&self, kind: Kind, conflicts: &[crate::changes::Conflict]) -> Outcome<()> {
        let good = |choice: &str| matches!(choice, "mine" | "theirs" | "base");
        let bad = self.choices.values().chain([&self.choose]).find(|c| !good(c));
        if let Some(bad) = bad {
            return Err(Failure::usage(format!("\"{bad}\" is not a choice: say mine, theirs or base")));
        }
        let fields: Vec<&str> =
            conflicts.iter().filter_map(|c| kind.schema().field(c.field)).map(|f| f.name).collect();
        match self.choices.keys().find(|name| !fields.contains(&name.as_str())) {
            Some(name) => Err(Failure::usage(format!(
                "The draft has no field \"{name}\"; it has {}",
                fields.join(", ")
            ))),
            None => Ok(()),
        }
    }
}

fn set_state(cx: &mut WriteCx, id: Id, state: &str) -> Outcome<()> {
    cx.update(Kind::Draft, id, |fields| drop(fields.insert(2, Value::Text(state.into()))))?;
    Ok(())
}

/// Puts drafts away; undo brings them back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DiscardDrafts {
    pub which: Vec<String>,
}

impl Command for DiscardDrafts {
    const NAME: &'static str = "drafts.discard";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        for which in &self.which {
            let id = resolve(cx.reads(), which)?;
            set_state(cx, id, "discarded")?;
        }
        Ok(self.which.len())
    }
}
