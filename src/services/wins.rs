//! Wins and losses: own entries, months, the callout, the feature of the month, and
//! the comparison of own entries with imported rows.

use crate::changes::{Head, Ordered};
use crate::domain::money::Money;
use crate::domain::schema::{Kind, MonthState, Project, Record, User, Win};
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Failure, Fields, Id, Outcome, text, win};
use crate::services::records::{self, MAX_LIMIT, Page};
use crate::services::show::{Item, Shower};
use crate::services::{Command, Query, ReadCx, WriteCx, names};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

const BY_MONTH: u8 = 60;
const BY_MONTH_STATE: u8 = 90;

/// All live wins and losses of a month.
pub fn of_month(reads: &dyn Reads, month: Month) -> Outcome<Vec<(Id, Head)>> {
    let mut found = Vec::new();
    for id in reads.index_ids(IndexKey::new(BY_MONTH).int(month.number()), usize::MAX)? {
        if let Some(head) = reads.head(Kind::Win, id)? {
            found.push((id, head));
        }
    }
    Ok(found)
}

/// P-004: the only unarchived project of an account, else its only open one.
pub fn only_project(reads: &dyn Reads, account: Id) -> Outcome<Option<(Id, &'static str)>> {
    let mut all = Vec::new();
    for id in reads.index_ids(IndexKey::new(21).id(account), MAX_LIMIT)? {
        if let Some(fields) = reads.fields(Kind::Project, id)?
            && !names::is_archived(Kind::Project, &fields)
        {
            all.push((id, Project::from_fields(&fields)));
        }
    }
    if let [(id, _)] = all.as_slice() {
        return Ok(Some((*id, "only project")));
    }
    let open: Vec<_> = all.iter().filter(|(_, p)| p.stage.is_empty() || p.stage == "open").collect();
    Ok(match open.as_slice() {
        [(id, _)] => Some((*id, "only open project")),
        _ => None,
    })
}

/// The project a form proposes for an account, with the reason.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProposeProject {
    pub account: String,
}

impl Query for ProposeProject {
    const NAME: &'static str = "wins.propose_project";
    type Reply = Option<(Id, String, String)>;

    fn run(&self, cx: &ReadCx) -> Outcome<Option<(Id, String, String)>> {
        let account = names::resolve(cx.reads, Kind::Account, &self.account, None)?;
        Ok(match only_project(cx.reads, account)? {
            Some((id, why)) => Some((id, names::name(cx.reads, Kind::Project, id)?, why.to_owned())),
            None => None,
        })
    }
}

/// Which entries count: `own`, `imported`, or both. Where an own entry is linked to or
/// matches an imported row, both are one win: it is counted once, from the import.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListWins {
    pub month: Option<Month>,
    /// `me`, `all`, or whoever it names.
    pub owner: String,
    /// `win`, `loss`, or empty for both.
    pub outcome: String,
    /// `own`, `imported`, or empty for both.
    pub source: String,
    /// Oldest first.
    #[serde(default)]
    pub backwards: bool,
    pub limit: usize,
    pub cursor: Option<String>,
}

impl Query for ListWins {
    const NAME: &'static str = "wins.list";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        for (said, known) in [(&self.outcome, ["win", "loss"]), (&self.source, ["own", "imported"])] {
            if !said.is_empty() && !known.contains(&said.as_str()) {
                return Err(Failure::usage(format!("\"{said}\" is not {}", known.join(" or "))));
            }
        }
        let settings = cx.settings()?;
        let owner = match self.owner.as_str() {
            "" | "all" => None,
            "me" => Some(settings.me),
            name => Some(names::resolve(cx.reads, Kind::User, name, None)?),
        };
        let after = match &self.cursor {
            Some(cursor) => Some(cursor.parse::<Id>().map_err(Failure::usage)?),
            None => None,
        };
        let limit = self.limit.clamp(1, MAX_LIMIT);
        let months = match self.month {
            Some(month) => vec![month],
            None => months(cx.reads)?,
        };
        let (mut rows, mut twice) = (Vec::new(), HashMap::new());
        for month in months.into_iter().rev() {
            let mut of = of_month(cx.reads, month)?;
            of.sort_by_key(|(id, h)| {
                let date = Win::from_fields(&h.fields).date;
                (std::cmp::Reverse(date), std::cmp::Reverse(*id))
            });
            twice.extend(matched(&of));
            rows.extend(of.into_iter().filter(|(_, h)| self.fits(&Win::from_fields(&h.fields), owner)));
        }
        if self.backwards {
            rows.reverse();
        }
        if let Some(after) = after {
            let at = rows.iter().position(|(id, _)| *id == after);
            rows.drain(..at.ok_or_else(|| Failure::usage("That cursor is not one of this list"))?);
        }
        let next = rows.get(limit).map(|(id, _)| id.to_string());
        let mut shower = Shower::new(cx.reads);
        let mut items = Vec::new();
        for (id, head) in rows.iter().take(limit) {
            let mut item = shown(&mut shower, settings.me, *id, head)?;
            if twice.contains_key(id) {
                item.values.insert("twice".into(), true.into());
            }
            items.push(item);
        }
        Ok(Page { items, next })
    }
}

impl ListWins {
    fn fits(&self, win: &Win, owner: Option<Id>) -> bool {
        let source = match self.source.as_str() {
            "own" => win.source.is_empty(),
            "imported" => !win.source.is_empty(),
            _ => true,
        };
        source
            && (self.outcome.is_empty() || win.outcome == self.outcome)
            && owner.is_none_or(|o| win.owner == Some(o))
    }
}

/// A win as an item (`twice`: an own entry that an imported row stands for, which counts),
/// with `yours` and a name for accounts known only as raw text.
fn shown(shower: &mut Shower, me: Id, id: Id, head: &Head) -> Outcome<Item> {
    let mut item = shower.item(Kind::Win, id, head)?;
    let win = Win::from_fields(&head.fields);
    item.values.insert("yours".into(), (win.owner == Some(me)).into());
    if win.account.is_none() {
        item.values.insert("account".into(), win.account_raw.clone().into());
    }
    if win.owner.is_none() {
        item.values.insert("owner".into(), win.owner_raw.clone().into());
    }
    Ok(item)
}

/// Months that hold wins or losses, oldest first.
fn months(reads: &dyn Reads) -> Outcome<Vec<Month>> {
    let mut months: Vec<Month> = Vec::new();
    let mut from = IndexKey::new(BY_MONTH);
    let end = from.clone().after();
    // One step a month: from each month found, jump behind it.
    loop {
        let mut number = None;
        reads.index(&from, &end, false, &mut |_, key| {
            number = key.get(1..9).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
            ControlFlow::Break(())
        })?;
        let Some(month) = number.and_then(|n| Month::from_number((n ^ 1 << 63) as i64)) else {
            return Ok(months);
        };
        months.push(month);
        from = IndexKey::new(BY_MONTH).int(month.number()).after();
    }
}

/// Won and lost of one month, for everyone and for me.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Callout {
    pub month: Option<Month>,
    pub wins: usize,
    pub losses: usize,
    pub your_wins: usize,
    pub your_losses: usize,
    /// Sums by currency, never across.
    pub won: Vec<Money>,
    pub lost: Vec<Money>,
    pub featured: Option<Item>,
    /// Imported rows whose owner nobody has named yet.
    pub unmatched_owners: usize,
    pub closed: bool,
    /// Own entries that an imported row stands for, which counts.
    pub twice: usize,
    /// "Wins & losses — February 2026: 7 wins · 3 losses · yours: 2"
    pub text: String,
}

/// The callout of a month; without one, the current month if it has any, else the
/// latest that does (P-024-H).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowCallout {
    pub month: Option<Month>,
}

impl Query for ShowCallout {
    const NAME: &'static str = "wins.callout";
    type Reply = Callout;

    fn run(&self, cx: &ReadCx) -> Outcome<Callout> {
        let settings = cx.settings()?;
        let current = Month::of(settings.today);
        let month = match self.month {
            Some(month) => Some(month),
            None => months(cx.reads)?.into_iter().rfind(|m| *m <= current),
        };
        let Some(month) = month else {
            let text = "Wins & losses: none yet".to_owned();
            return Ok(Callout { text, ..Callout::default() });
        };
        callout(cx.reads, settings.me, month)
    }
}

pub fn callout(reads: &dyn Reads, me: Id, month: Month) -> Outcome<Callout> {
    let rows = of_month(reads, month)?;
    let mut shower = Shower::new(reads);
    let mut callout = Callout { month: Some(month), closed: is_closed(reads, month)?, ..Callout::default() };
    let (mut won, mut lost) = (BTreeMap::new(), BTreeMap::new());
    let mut largest: Option<(Money, Id)> = None;
    let twice = matched(&rows);
    callout.twice = twice.len();
    for (id, head) in &rows {
        let win = Win::from_fields(&head.fields);
        if twice.contains_key(id) {
            continue; // an own entry that the import has too
        }
        let yours = usize::from(win.owner == Some(me));
        let sums: &mut BTreeMap<_, i64> = if win.outcome == "win" {
            callout.wins += 1;
            callout.your_wins += yours;
            &mut won
        } else {
            callout.losses += 1;
            callout.your_losses += yours;
            &mut lost
        };
        if let Some(money) = win.amount {
            *sums.entry(money.currency).or_default() += money.minor;
            if win.outcome == "win" && largest.is_none_or(|(m, _)| money.minor > m.minor) {
                largest = Some((money, *id));
            }
        }
        callout.unmatched_owners += usize::from(win.owner.is_none() && !win.owner_raw.is_empty());
    }
    let sums =
        |map: BTreeMap<_, i64>| map.into_iter().map(|(currency, minor)| Money { minor, currency }).collect();
    (callout.won, callout.lost) = (sums(won), sums(lost));
    let picked = rows.iter().find(|(_, h)| Win::from_fields(&h.fields).featured).map(|(id, _)| *id);
    if let Some(id) = picked.or(largest.map(|(_, id)| id))
        && let Some(head) = reads.head(Kind::Win, id)?
    {
        callout.featured = Some(shown(&mut shower, me, id, &head)?);
    }
    let s = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    callout.text = format!(
        "Wins & losses — {}: {} · {} · yours: {}",
        month.long(),
        s(callout.wins, "win", "wins"),
        s(callout.losses, "loss", "losses"),
        callout.your_wins + callout.your_losses,
    );
    Ok(callout)
}

/// Own entries that an imported row of the month stands for: own → imported.
fn matched(rows: &[(Id, Head)]) -> HashMap<Id, Id> {
    let wins: Vec<(Id, Win)> = rows.iter().map(|(id, h)| (*id, Win::from_fields(&h.fields))).collect();
    let mut pairs = HashMap::new();
    let mut taken = Vec::new();
    for (own_id, own) in wins.iter().filter(|(_, w)| w.source.is_empty()) {
        let imported = wins.iter().filter(|(id, w)| !w.source.is_empty() && !taken.contains(id));
        let linked = own.linked;
        let hit = imported
            .filter(|(id, w)| {
                let by_id = !own.opportunity_id.is_empty()
                    && win::short_id(&own.opportunity_id) == win::short_id(&w.opportunity_id);
                let by_what = own.account.is_some()
                    && own.account == w.account
                    && own.amount.is_some()
                    && own.amount == w.amount
                    && own.outcome == w.outcome;
                linked.map_or(by_id || by_what, |l| l == *id)
            })
            .map(|(id, _)| *id)
            .next();
        if let Some(hit) = hit {
            taken.push(hit);
            pairs.insert(*own_id, hit);
        }
    }
    pairs
}

/// Matched, only own, only imported (P-024-L).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CompareWins {
    pub month: Month,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    pub matched: Vec<(Item, Item)>,
    pub only_own: Vec<Item>,
    pub only_imported: Vec<Item>,
}

impl Query for CompareWins {
    const NAME: &'static str = "wins.compare";
    type Reply = Comparison;

    fn run(&self, cx: &ReadCx) -> Outcome<Comparison> {
        let me = cx.settings()?.me;
        let rows = of_month(cx.reads, self.month)?;
        let pairs = matched(&rows);
        let mut shower = Shower::new(cx.reads);
        let mut items: HashMap<Id, Item> = HashMap::new();
        for (id, head) in &rows {
            items.insert(*id, shown(&mut shower, me, *id, head)?);
        }
        let mut comparison = Comparison::default();
        for (id, head) in &rows {
            let own = Win::from_fields(&head.fields).source.is_empty();
            let item = items[id].clone();
            match (own, pairs.get(id)) {
                (true, Some(other)) => comparison.matched.push((item, items[other].clone())),
                (true, None) => comparison.only_own.push(item),
                (false, _) if !pairs.values().any(|i| i == id) => comparison.only_imported.push(item),
                _ => {}
            }
        }
        Ok(comparison)
    }
}

/// Makes a win the one of its month, with a short story; at most one is (P-020).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    pub which: String,
    pub story: Option<String>,
    /// Takes the feature away instead.
    pub off: bool,
}

impl Command for Feature {
    const NAME: &'static str = "wins.feature";
    type Reply = Item;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Item> {
        let id = names::resolve(cx.reads(), Kind::Win, &self.which, None)?;
        let head = records::live(cx.reads(), Kind::Win, id)?;
        let win = Win::from_fields(&head.fields);
        if win.outcome != "win" {
            return Err(Failure::invalid("Only a win is featured; this is a loss"));
        }
        let month =
            win.month.and_then(Month::from_number).ok_or_else(|| Failure::invalid("The win has no month"))?;
        for (other, head) in of_month(cx.reads(), month)? {
            if other != id && Win::from_fields(&head.fields).featured {
                cx.update(Kind::Win, other, |fields| drop(fields.remove(&12)))?;
            }
        }
        cx.update(Kind::Win, id, |fields| {
            set_flag(fields, 12, !self.off);
            if let Some(story) = &self.story {
                fields.insert(13, Value::Text(text::clean(story)));
            }
        })?;
        let head = records::live(cx.reads(), Kind::Win, id)?;
        Shower::new(cx.reads()).item(Kind::Win, id, &head)
    }
}

fn set_flag(fields: &mut Fields, field: u16, on: bool) {
    if on {
        fields.insert(field, Value::Bool(true));
    } else {
        fields.remove(&field);
    }
}

/// Months with counts, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListMonths {}

impl Query for ListMonths {
    const NAME: &'static str = "wins.months";
    type Reply = Vec<Callout>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Callout>> {
        let me = cx.settings()?.me;
        months(cx.reads)?.into_iter().rev().map(|month| callout(cx.reads, me, month)).collect()
    }
}

pub fn month_state(reads: &dyn Reads, month: Month) -> Outcome<Option<(Id, MonthState)>> {
    let ids = reads.index_ids(IndexKey::new(BY_MONTH_STATE).int(month.number()), 1)?;
    let Some(id) = ids.first().copied() else { return Ok(None) };
    Ok(reads.fields(Kind::MonthState, id)?.map(|f| (id, MonthState::from_fields(&f))))
}

/// The id under which the state of a month is made, the same on every device.
fn month_id(month: Month) -> Id {
    let hash = blake3::hash(format!("month {month}").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_bytes()[..16]);
    Id(id)
}

/// Changes the state of a month, which begins with its first change.
fn set_month(cx: &mut WriteCx, month: Month, edit: impl FnOnce(&mut Fields)) -> Outcome<Ordered> {
    if let Some((id, _)) = month_state(cx.reads(), month)? {
        return cx.update(Kind::MonthState, id, edit);
    }
    let mut fields = MonthState { month: Some(month.number()), ..MonthState::default() }.to_fields();
    edit(&mut fields);
    cx.put(Kind::MonthState, month_id(month), &fields)
}

/// Says which import a month holds. Whoever does so beside somebody else is held whole: a
/// month comes of one file, not of two halves.
pub fn claim_month(cx: &mut WriteCx, month: Month, batch: Id) -> Outcome<()> {
    if month_state(cx.reads(), month)?.is_none_or(|(_, state)| state.batch != Some(batch)) {
        set_month(cx, month, |fields| drop(fields.insert(3, Value::Id(batch))))?;
    }
    Ok(())
}

/// Which import each month holds.
pub fn claims(reads: &dyn Reads) -> Outcome<Vec<(Month, Id)>> {
    let mut all = Vec::new();
    for id in reads.index_ids(IndexKey::new(BY_MONTH_STATE), usize::MAX)? {
        let state = MonthState::from_fields(&reads.fields(Kind::MonthState, id)?.unwrap_or_default());
        all.extend(state.month.and_then(Month::from_number).zip(state.batch));
    }
    Ok(all)
}

pub fn is_closed(reads: &dyn Reads, month: Month) -> Outcome<bool> {
    Ok(month_state(reads, month)?.is_some_and(|(_, s)| s.closed))
}

/// Closes a month against imports, or opens it again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CloseMonth {
    pub month: Month,
    pub closed: bool,
}

impl Command for CloseMonth {
    const NAME: &'static str = "wins.close_month";
    type Reply = bool;

    fn run(&self, cx: &mut WriteCx) -> Outcome<bool> {
        set_month(cx, self.month, |fields| set_flag(fields, 2, self.closed))?;
        Ok(self.closed)
    }
}

/// The name of a user, for notices.
pub fn user_name(reads: &dyn Reads, id: Id) -> Outcome<String> {
    Ok(reads.fields(Kind::User, id)?.map(|f| User::from_fields(&f).name).unwrap_or_default())
}
