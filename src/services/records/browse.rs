//! Records in the order of their names, and any record by a part of its name.

use super::{MAX_LIMIT, Page};
use crate::domain::schema::Kind;
use crate::domain::value::Value;
use crate::domain::{Failure, Id, Outcome, text};
use crate::services::show::Shower;
use crate::services::{Query, ReadCx, names};
use crate::store::IndexKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Records of each kind that are looked at for one text.
const MAX_FOUND: usize = 400;

/// Records of a kind by name; the kind has an index over its names.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Browse {
    pub kind: Kind,
    /// Only those with this in name or aliases.
    pub text: String,
    /// Those put away, too.
    pub archived: bool,
    /// From the last name backwards.
    pub backwards: bool,
    pub limit: usize,
    /// A row's id: the page starts with it.
    pub cursor: Option<String>,
}

impl Query for Browse {
    const NAME: &'static str = "record.browse";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let schema = self.kind.schema();
        let index = schema.indexes.iter().find(|i| i.fields == [1]);
        let index =
            index.ok_or_else(|| Failure::usage(format!("{} have no order by name", schema.plural)))?;
        let wanted = text::fold(&self.text);
        let prefix = IndexKey::new(index.number);
        let (mut from, mut to) = (prefix.clone(), prefix.clone().after());
        if let Some(cursor) = &self.cursor {
            let id: Id = cursor.parse().map_err(Failure::usage)?;
            let fields = cx.reads.head(self.kind, id)?.unwrap_or_default().fields;
            let name = crate::domain::schema::name_of(self.kind, &fields).unwrap_or_default().to_owned();
            let key = prefix.text(&name).id(id);
            match self.backwards {
                true => to = IndexKey([key.0, vec![0]].concat()),
                false => from = key,
            }
        }
        let limit = self.limit.clamp(1, MAX_LIMIT);
        let aliased = self.aliased(cx, &wanted)?;
        let mut shower = Shower::new(cx.reads);
        let (mut items, mut next, mut failed) = (Vec::new(), None, None);
        cx.reads.index(&from, &to, self.backwards, &mut |id, key| {
            // The index holds the name: what does not fit is not read.
            let name = String::from_utf8_lossy(key.get(1..key.len().saturating_sub(17)).unwrap_or_default());
            if !name.contains(&wanted) && !aliased.contains(&id) {
                return ControlFlow::Continue(());
            }
            let mut read = || -> Outcome<()> {
                let Some(head) = cx.reads.head(self.kind, id)? else { return Ok(()) };
                let away = names::is_archived(self.kind, &head.fields);
                if away && !self.archived {
                    return Ok(());
                }
                if items.len() == limit {
                    next = Some(id.to_string());
                } else {
                    items.push(shower.item(self.kind, id, &head)?);
                }
                Ok(())
            };
            if let Err(failure) = read() {
                failed = Some(failure);
            }
            if failed.is_none() && next.is_none() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        match failed {
            Some(failure) => Err(failure),
            None => Ok(Page { items, next }),
        }
    }
}

impl Browse {
    /// Those with the text in an alias.
    fn aliased(&self, cx: &ReadCx, wanted: &str) -> Outcome<HashSet<Id>> {
        let schema = self.kind.schema();
        let field = schema.field_named("aliases").filter(|_| !wanted.is_empty());
        let index = field.and_then(|f| schema.indexes.iter().find(|i| i.fields == [f.id]));
        let mut ids = HashSet::new();
        if let Some(index) = index {
            let all = IndexKey::new(index.number);
            cx.reads.index(&all, &all.clone().after(), false, &mut |id, key| {
                let alias = key.get(1..key.len().saturating_sub(17)).unwrap_or_default();
                if String::from_utf8_lossy(alias).contains(wanted) {
                    ids.insert(id);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(ids)
    }
}

/// Accounts, projects and people with a text in their names.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Find {
    pub text: String,
    pub limit: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    pub kind: Kind,
    pub id: Id,
    pub name: String,
    /// What it is, such as "project of Acme Corp".
    pub what: String,
}

impl Query for Find {
    const NAME: &'static str = "record.find";
    type Reply = Vec<Found>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Found>> {
        let mut all = Vec::new();
        if text::fold(&self.text).is_empty() {
            return Ok(all);
        }
        for kind in [Kind::Account, Kind::Project, Kind::User] {
            let text = self.text.clone();
            let browse =
                Browse { kind, text, archived: false, backwards: false, limit: MAX_FOUND, cursor: None };
            for item in browse.run(cx)?.items {
                let (id, name) = (item.id, item.text("name"));
                let fields = cx.reads.fields(kind, id)?.unwrap_or_default();
                let what = match (kind, fields.get(&2)) {
                    (Kind::Project, Some(Value::Id(of))) => {
                        format!("project of {}", names::name(cx.reads, Kind::Account, *of)?)
                    }
                    _ => kind.name().to_owned(),
                };
                all.push(Found { kind, id, name, what });
            }
        }
        let wanted = text::fold(&self.text);
        // What begins with the text stands before what only holds it.
        all.sort_by_key(|f| !text::fold(&f.name).starts_with(&wanted));
        all.truncate(self.limit);
        Ok(all)
    }
}
