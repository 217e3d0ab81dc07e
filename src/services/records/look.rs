//! Records looked at: one, a page of them, their history, names for a picker.

use super::{MAX_LIMIT, MAX_PAGE_BYTES, live};
use crate::changes::{Head, codec, hlc};
use crate::domain::schema::{Kind, Type, name_of};
use crate::domain::value::Value;
use crate::domain::{Failure, Id, Outcome, text};
use crate::services::input::Input;
use crate::services::show::{Item, Shower, typed};
use crate::services::{Query, ReadCx, names};
use crate::store::IndexKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Longest value shown in a history.
const MAX_HISTORY_TEXT: usize = 400;

/// One record by whatever names it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    pub kind: Kind,
    pub which: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    pub items: Vec<Item>,
    /// Where the next page starts; none at the end.
    pub next: Option<String>,
}

/// Records of a kind by creation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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

/// Who changed what of a record, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct History {
    pub kind: Kind,
    pub which: String,
    pub limit: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
