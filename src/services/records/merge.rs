//! Which records use a record, and several made one.

use super::live;
use crate::changes::Cause;
use crate::domain::schema::{Kind, Type, name_of};
use crate::domain::value::{FieldId, Value};
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::services::show::{Item, Shower};
use crate::services::{Command, WriteCx, each_live, names};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// kind → (record, the fields of it that refer)
pub(super) type References = BTreeMap<Kind, Vec<(Id, Vec<FieldId>)>>;

/// Records that refer to one of `targets`.
pub(super) fn references(reads: &dyn Reads, kind: Kind, targets: &[Id]) -> Outcome<References> {
    let mut uses = BTreeMap::new();
    for other in Kind::ALL {
        let refers = |t: Type| matches!(t, Type::One(k) | Type::Many(k) if k == kind);
        let fields: Vec<FieldId> =
            other.schema().fields.iter().filter(|f| refers(f.kind)).map(|f| f.id).collect();
        if fields.is_empty() {
            continue;
        }
        let mut found = Vec::new();
        each_live(reads, *other, &mut |id, head| {
            if !(*other == kind && targets.contains(&id)) {
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Merge {
    pub kind: Kind,
    pub which: Vec<String>,
    /// Name of the result; the base's own when empty.
    pub into: String,
    /// The record that stays; the first when empty.
    pub base: String,
    pub dry_run: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
        let me = cx.settings()?.me;
        if self.kind == Kind::User && others.contains(&me) {
            return Err(Failure::conflict("One of them is you, who stays").hint("Say so with --base me"));
        }
        let uses = references(cx.reads(), self.kind, &others)?;
        let moved = uses.iter().map(|(k, ids)| (k.schema().plural.to_owned(), ids.len())).collect();
        if !self.dry_run {
            cx.set_cause(Cause::Merge, None);
            let mut known: Vec<String> = Vec::new();
            for id in &ids {
                let fields = live(cx.reads(), self.kind, *id)?.fields;
                known.extend(name_of(self.kind, &fields).map(str::to_owned));
                // A person is found again by the e-mail of before, too.
                let other = ["email", "username"].into_iter().filter(|_| *id != base).filter_map(field);
                known.extend(other.filter_map(|f| match fields.get(&f) {
                    Some(Value::Text(text)) => Some(text.clone()),
                    _ => None,
                }));
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
