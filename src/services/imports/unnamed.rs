//! Owners and accounts of stored rows that nobody has named yet, and naming them: said
//! once, remembered for the next import, and set on every row that is stored.

use super::Options;
use super::whom::{alias, remember, target};
use crate::domain::schema::{Kind, Record, Win};
use crate::domain::value::Value;
use crate::domain::{Failure, Id, Outcome, text};
use crate::services::{Command, Query, ReadCx, WriteCx, each_record};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

const BY_MONTH: u8 = 60;

/// A text of files that stands for nobody and nothing yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unnamed {
    /// "owner" or "account"
    pub scope: String,
    pub raw: String,
    pub rows: usize,
}

/// Those of all months, the most frequent first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListUnnamed {}

impl Query for ListUnnamed {
    const NAME: &'static str = "imports.unnamed";
    type Reply = Vec<Unnamed>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Unnamed>> {
        let mut found: BTreeMap<(&str, String), (String, usize)> = BTreeMap::new();
        each(cx.reads, &mut |_, win| {
            for (scope, raw) in raws(win) {
                let entry = found.entry((scope, text::fold(raw))).or_insert_with(|| (raw.to_owned(), 0));
                entry.1 += 1;
            }
        })?;
        let mut all = Vec::new();
        for ((scope, _), (raw, rows)) in found {
            // What was said to be nobody of us needs no name any more.
            if alias(cx.reads, scope, &raw)?.is_none() {
                all.push(Unnamed { scope: scope.to_owned(), raw, rows });
            }
        }
        all.sort_by(|a, b| (&b.scope, b.rows, &a.raw).cmp(&(&a.scope, a.rows, &b.raw)));
        Ok(all)
    }
}

/// Says whom a text stands for; `-` is nobody of us.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NameRaw {
    pub scope: String,
    pub raw: String,
    pub who: String,
}

impl Command for NameRaw {
    const NAME: &'static str = "imports.name_raw";
    /// Rows that have their owner or account now.
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let said = vec![(self.raw.clone(), self.who.clone())];
        let (kind, field, options) = match self.scope.as_str() {
            "owner" => (Kind::User, 10, Options { owners: said, ..Options::default() }),
            "account" => (Kind::Account, 2, Options { accounts: said, ..Options::default() }),
            other => return Err(Failure::usage(format!("\"{other}\" is not owner or account"))),
        };
        remember(cx, &options)?;
        let Some(named) = target(cx.reads(), kind, &self.who)? else { return Ok(0) };
        let wanted = text::fold(&self.raw);
        let mut ids = Vec::new();
        each(cx.reads(), &mut |id, win| {
            if raws(win).any(|(scope, raw)| scope == self.scope && text::fold(raw) == wanted) {
                ids.push(id);
            }
        })?;
        for id in &ids {
            cx.update(Kind::Win, *id, |fields| drop(fields.insert(field, Value::Id(named))))?;
        }
        Ok(ids.len())
    }
}

/// What of an imported row nobody has named.
fn raws(win: &Win) -> impl Iterator<Item = (&'static str, &str)> {
    let owner =
        (win.owner.is_none() && !win.owner_raw.is_empty()).then_some(("owner", win.owner_raw.as_str()));
    let account = win.account.is_none() && !win.account_raw.is_empty();
    owner.into_iter().chain(account.then_some(("account", win.account_raw.as_str())))
}

fn each(reads: &dyn Reads, visit: &mut dyn FnMut(Id, &Win)) -> Outcome<()> {
    let of = IndexKey::new(BY_MONTH);
    each_record(reads, Kind::Win, (&of, &of.clone().after()), false, &mut |id, head| {
        visit(id, &Win::from_fields(&head.fields));
        Ok(ControlFlow::Continue(()))
    })
}
