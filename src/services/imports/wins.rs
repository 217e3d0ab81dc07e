//! What a wins workbook means for the store.
//!
//! A workbook holds many months. What it says of a month and outcome replaces what was
//! imported for them before, as a diff; months that are absent stay, and a file of
//! losses never erases wins. Own entries are never touched.

use crate::changes::Head;
use crate::domain::money::Currency;
use crate::domain::schema::{Account, Kind, Notification, Record, User, Win};
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Failure, Fields, Id, Money, Outcome, text};
use crate::intake::fixes::Fixes;
use crate::intake::garbled;
use crate::intake::mapping::{Mapping, Table, WIN_FIELDS, find_tables};
use crate::intake::open::Opened;
use crate::intake::wins as intake;
use crate::intake::wins::{Aside, WinRow, WinsRead};
use crate::services::imports::batches::{self, Rejects, mapping_text};
use crate::services::imports::whom::Whom;
use crate::services::imports::{Column, Line, MAX_SHOWN, MonthCounts, Options, Prepared, Report, Review};
use crate::services::{Settings, WriteCx, all_live, names, wins};
use crate::store::{IndexKey, Reads};
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A month that would lose more than this share of its rows asks first.
const MAX_REMOVED: f64 = 0.2;
/// What imported rows say of their source.
const SOURCE: &str = "salesforce";

/// Reads, matches and compares: all but the writing.
pub fn prepare(
    reads: &dyn Reads,
    settings: &Settings,
    review: &Review,
    opened: Opened,
    options: &Options,
    fixes: &Fixes,
) -> Outcome<Prepared> {
    let text = match (options.mapping.as_str(), &review.kept_mapping) {
        ("", Some(text)) => text.clone(),
        (name, _) => mapping_text(reads, name)?.1,
    };
    let mapping = Mapping::parse("the mapping", &text)?;
    let found = find_tables(&opened, &mapping, fixes);
    let field_of = |table: &Table, column: usize| {
        table.columns.iter().find(|(_, c)| **c == column).map(|(field, _)| field.clone())
    };
    let of = |table: &Table| super::columns(&opened, table.sheet, table.header, |c| field_of(table, c));
    let columns: Vec<Column> = found.tables.iter().flat_map(of).collect();
    if !found.missing.is_empty() {
        let missing = found.missing.iter().map(|m| (*m).to_owned()).collect();
        let sheets = found.tables.iter().map(|t| t.sheet_name.clone()).collect();
        let report = Report { missing, columns, sheets, ..Report::default() };
        return Ok(Prepared { report, plan: super::Plan::None });
    }
    let mut read = intake::read(&opened, &mapping, fixes, settings.currency)?;
    // A large file is not held twice.
    drop(opened);
    let wanted =
        |month: Month| options.month.is_none_or(|m| m == month) && !options.left_out.contains(&month);
    let mut left_out: BTreeMap<Month, MonthCounts> = BTreeMap::new();
    let (kept, others) = read.kept.into_iter().partition(|r| wanted(r.month()));
    read.kept = kept;
    for row in Vec::from_iter::<Vec<WinRow>>(others) {
        let month = row.month();
        let counts = left_out.entry(month).or_default();
        *(if row.outcome == "win" { &mut counts.wins } else { &mut counts.losses }) += 1;
        read.skipped.push(Aside {
            sheet: row.sheet,
            row: row.row,
            code: "OPP-12".into(),
            message: format!("its month is {month}"),
            field: "close_date".into(),
            raw: row.date.to_string(),
            decided: false,
            cells: vec![],
        });
    }
    let mut plan = Plan::make(reads, read, options)?;
    plan.mapping = text;
    plan.today = settings.today;
    let mut report = report(reads, &plan)?;
    report.columns = columns;
    for (month, counts) in left_out {
        let left_out = options.left_out.contains(&month);
        report.months.push(MonthCounts { month: month.to_string(), left_out, ..counts });
    }
    report.months.retain(|m| options.month.is_none_or(|of| of.to_string() == m.month));
    report.months.sort_by(|a, b| a.month.cmp(&b.month));
    Ok(Prepared { report, plan: super::Plan::Wins(Box::new(plan)) })
}

/// What the file means for the store.
pub struct Plan {
    read: WinsRead,
    /// One for each row that is kept, in the same order.
    effects: Vec<Effect>,
    removed: Vec<(Id, Head)>,
    /// The mapping's text, kept with the batch.
    mapping: String,
    today: NaiveDate,
    stored: BTreeMap<(Month, String), usize>,
    whom: Whom,
}

/// What a row does to the store.
enum Effect {
    Add(Fields),
    Change(Fields, Id, Head),
    Same,
}

impl Plan {
    fn make(reads: &dyn Reads, read: WinsRead, options: &Options) -> Outcome<Plan> {
        let mut units: BTreeSet<(Month, String)> =
            read.kept.iter().map(|r| (r.month(), r.outcome.clone())).collect();
        if let (true, Some(month)) = (options.whole_month && !read.kept.is_empty(), options.month) {
            units.extend(["win", "loss"].map(|outcome| (month, outcome.to_owned())));
        }
        let mut plan = Plan {
            effects: vec![],
            removed: vec![],
            stored: BTreeMap::new(),
            whom: Whom::new(reads, options)?,
            mapping: String::new(),
            today: NaiveDate::MAX,
            read: WinsRead::default(),
        };
        let mut by_key: HashMap<String, (Id, Head)> = HashMap::new();
        let months: BTreeSet<Month> = units.iter().map(|(m, _)| *m).collect();
        for month in &months {
            for (id, head) in wins::of_month(reads, *month)? {
                let win = Win::from_fields(&head.fields);
                if !win.source.is_empty() {
                    *plan.stored.entry((*month, win.outcome.clone())).or_default() += 1;
                    by_key.insert(stored_key(&win), (id, head));
                }
            }
        }
        for row in &read.kept {
            let key = row.key();
            // A key stands in a file once.
            let stored = match by_key.remove(&key) {
                Some(found) => Some(found),
                None => moved(reads, row, &key)?,
            };
            let fields = plan.fields(reads, row, stored.as_ref().map(|(_, h)| &h.fields))?;
            plan.effects.push(match stored {
                None => Effect::Add(fields),
                Some((_, head)) if head.fields == fields => Effect::Same,
                Some((id, head)) => Effect::Change(fields, id, head),
            });
        }
        if !options.append {
            let gone = by_key.into_values().filter(|(_, head)| {
                let win = Win::from_fields(&head.fields);
                let month = win.month.and_then(Month::from_number);
                month.is_some_and(|m| units.contains(&(m, win.outcome)))
            });
            plan.removed = gone.collect();
            plan.removed.sort_by_key(|(id, _)| *id);
        }
        plan.read = read;
        Ok(plan)
    }

    /// The row as a record, laid over what people added to the stored one.
    fn fields(&mut self, reads: &dyn Reads, row: &WinRow, stored: Option<&Fields>) -> Outcome<Fields> {
        let before = stored.map(Win::from_fields).unwrap_or_default();
        let owner = self.whom.owner(reads, &row.owner_email, &row.owner)?;
        let account = self.whom.account(reads, &row.account)?;
        let reason = match row.reason.as_str() {
            "" => None,
            name => names::exact(reads, Kind::Reason, name)?.first().copied(),
        };
        let win = Win {
            outcome: row.outcome.clone(),
            account: account.or(before.account),
            date: Some(row.date),
            month: Some(row.month().number()),
            amount: row.amount,
            products: row.products.clone(),
            competitor: row.competitor.clone(),
            reason: reason.or(before.reason),
            reason_raw: row.reason.clone(),
            owner: owner.or(before.owner),
            opportunity_id: row.opportunity_id.clone(),
            opportunity: row.opportunity.clone(),
            account_raw: row.account.clone(),
            owner_raw: if row.owner.is_empty() { row.owner_email.clone() } else { row.owner.clone() },
            stage: row.stage.clone(),
            source: SOURCE.into(),
            ..before
        };
        Ok(win.to_fields())
    }

    /// What the rows of the file say, each with what it means.
    fn pairs(&self) -> impl Iterator<Item = (&WinRow, &Effect)> {
        self.read.kept.iter().zip(&self.effects)
    }
}

fn stored_key(win: &Win) -> String {
    row_of(win).key()
}

/// A stored row as its file had it.
fn row_of(win: &Win) -> WinRow {
    WinRow {
        outcome: win.outcome.clone(),
        opportunity_id: win.opportunity_id.clone(),
        opportunity: win.opportunity.clone(),
        account: win.account_raw.clone(),
        date: win.date.unwrap_or_default(),
        amount: win.amount,
        owner: win.owner_raw.clone(),
        ..WinRow::default()
    }
}

/// An opportunity that was stored under another month: its date moved.
fn moved(reads: &dyn Reads, row: &WinRow, key: &str) -> Outcome<Option<(Id, Head)>> {
    if row.opportunity_id.is_empty() {
        return Ok(None);
    }
    let short = crate::domain::win::short_id(&row.opportunity_id);
    for id in reads.index_ids(IndexKey::new(62).text_prefix(short), 50)? {
        if let Some(head) = reads.head(Kind::Win, id)?.filter(|h| !h.deleted) {
            let win = Win::from_fields(&head.fields);
            if !win.source.is_empty() && stored_key(&win) == key {
                return Ok(Some((id, head)));
            }
        }
    }
    Ok(None)
}

fn report(reads: &dyn Reads, plan: &Plan) -> Outcome<Report> {
    let read = &plan.read;
    let mut report = Report {
        rows: read.rows,
        rejected: read.rejected.len(),
        skipped: read.skipped.len(),
        removed: plan.removed.len(),
        sheets: read.tables.iter().map(|t| t.sheet_name.clone()).collect(),
        unmapped: read.tables.first().map(|t| t.unmapped.clone()).unwrap_or_default(),
        ..Report::default()
    };
    let mut totals: BTreeMap<(String, Currency), i64> = BTreeMap::new();
    let mut months: BTreeMap<Month, MonthCounts> = BTreeMap::new();
    let mut losing: BTreeMap<(Month, String), usize> = BTreeMap::new();
    for (win, effect) in plan.pairs() {
        let counts = months.entry(win.month()).or_default();
        let (all, of_month) = match win.outcome.as_str() {
            "win" => (&mut report.wins, &mut counts.wins),
            _ => (&mut report.losses, &mut counts.losses),
        };
        (*all, *of_month) = (*all + 1, *of_month + 1);
        let (all, of_month) = match effect {
            Effect::Add(_) => (&mut report.added, &mut counts.added),
            Effect::Change(..) => (&mut report.changed, &mut counts.changed),
            Effect::Same => (&mut report.same, &mut counts.same),
        };
        (*all, *of_month) = (*all + 1, *of_month + 1);
        if let Some(money) = win.amount {
            *totals.entry((win.outcome.clone(), money.currency)).or_default() += money.minor;
        }
    }
    let total = |((outcome, currency), minor)| (outcome, Money { minor, currency });
    report.totals = totals.into_iter().map(total).collect();
    for (_, head) in &plan.removed {
        let win = Win::from_fields(&head.fields);
        if let Some(month) = win.month.and_then(Month::from_number) {
            months.entry(month).or_default().removed += 1;
            *losing.entry((month, win.outcome)).or_default() += 1;
        }
    }
    for (unit, lost) in losing {
        let stored = plan.stored.get(&unit).copied().unwrap_or(0);
        if lost as f64 > stored as f64 * MAX_REMOVED {
            let kind = if unit.1 == "win" { "wins" } else { "losses" };
            report.asks.push(format!("{} would lose {lost} of its {stored} imported {kind}", unit.0.long()));
        }
    }
    for (month, counts) in &mut months {
        counts.month = month.to_string();
        counts.stored = plan.stored.iter().filter(|((m, _), _)| m == month).map(|(_, n)| n).sum();
        counts.closed = wins::is_closed(reads, *month)?;
    }
    report.months = months.into_values().collect();
    for aside in read.rejected.iter().chain(&read.skipped) {
        *report.reasons.entry(aside.code.clone()).or_default() += 1;
    }
    report.aside = read.rejected.iter().take(MAX_SHOWN).cloned().collect();
    ask_for_names(reads, plan, &mut report)?;
    report.told = told(reads, plan)?.into_iter().map(|(_, name, what)| format!("{name} ({what})")).collect();
    Ok(report)
}

/// Owners and accounts that are not known, the most frequent first.
fn ask_for_names(reads: &dyn Reads, plan: &Plan, report: &mut Report) -> Outcome<()> {
    let (mut owners, mut accounts): (BTreeMap<&str, usize>, BTreeMap<&str, usize>) = Default::default();
    for row in &plan.read.kept {
        if let Some(raw) = plan.whom.unknown_owner(&row.owner_email, &row.owner) {
            *owners.entry(raw).or_default() += 1;
        }
        if plan.whom.account_is_unknown(&row.account) {
            *accounts.entry(&row.account).or_default() += 1;
        }
    }
    let users = all_live::<User>(reads)?;
    let near = |raw: &str| {
        text::nearest(raw, users.iter().map(|(_, user)| user.name.as_str()), 3)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    report.unmatched_owners = owners.into_iter().map(|(raw, n)| (raw.to_owned(), n, near(raw))).collect();
    report.unmatched_owners.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    report.unknown_accounts = accounts.into_iter().map(|(raw, n)| (raw.to_owned(), n)).collect();
    report.unknown_accounts.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    report.new_accounts = plan.whom.new_accounts().len();
    report.unknown_accounts.truncate(MAX_SHOWN * 10);
    Ok(())
}

/// One digest per owner, with only their changes: who, their name, what.
fn told(reads: &dyn Reads, plan: &Plan) -> Outcome<Vec<(Id, String, String)>> {
    #[derive(Default)]
    struct Digest {
        won: usize,
        lost: usize,
        changed: usize,
        removed: usize,
    }
    let mut digests: BTreeMap<Id, Digest> = BTreeMap::new();
    for (win, effect) in plan.pairs() {
        let (Effect::Add(fields) | Effect::Change(fields, ..)) = effect else { continue };
        let Some(Value::Id(owner)) = fields.get(&10) else { continue };
        let digest = digests.entry(*owner).or_default();
        match (effect, win.outcome.as_str()) {
            (Effect::Change(..), _) => digest.changed += 1,
            (_, "win") => digest.won += 1,
            _ => digest.lost += 1,
        }
    }
    for (_, head) in &plan.removed {
        if let Some(Value::Id(owner)) = head.fields.get(&10) {
            digests.entry(*owner).or_default().removed += 1;
        }
    }
    let mut all = Vec::new();
    for (owner, d) in digests {
        let parts = [(d.won, "won"), (d.lost, "lost"), (d.changed, "changed"), (d.removed, "removed")];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, w)| format!("{n} {w}")).collect();
        all.push((owner, wins::user_name(reads, owner)?, parts.join(", ")));
    }
    Ok(all)
}

/// Months that somebody else imported since a review began, in words.
pub(super) fn overtaken(
    reads: &dyn Reads,
    settings: &Settings,
    review: &Review,
    report: &Report,
) -> Outcome<Vec<String>> {
    let mut all = Vec::new();
    for (month, batch) in wins::claims(reads)? {
        let name = month.to_string();
        if review.claims.contains(&(month, batch)) || !report.touched().any(|m| m.month == name) {
            continue;
        }
        let (by, at) = batches::made(reads, settings, batch)?;
        all.push(format!("{by} imported {} since this review began, {at}", month.long()));
    }
    Ok(all)
}

/// Claims the months that an import changes, before it changes them.
pub(super) fn claim(cx: &mut WriteCx, batch: Id, report: &Report) -> Outcome<()> {
    for month in report.touched().filter_map(|m| Month::parse(&m.month).ok()) {
        wins::claim_month(cx, month, batch)?;
    }
    Ok(())
}

fn refuse_closed(report: &Report) -> Outcome<()> {
    let closed: Vec<&str> = report.touched().filter(|m| m.closed).map(|m| m.month.as_str()).collect();
    match closed.first() {
        None => Ok(()),
        Some(first) => Err(Failure::conflict(format!("{} is closed", closed.join(", "))).hint(format!(
            "Nothing was changed. `pams wins reopen --month {first}` opens it; --month imports another alone"
        ))),
    }
}

impl Plan {
    /// Writes the rows under their batch and tells the owners; false when nothing changes.
    pub fn commit(&self, cx: &mut WriteCx, batch: Id, report: &mut Report) -> Outcome<bool> {
        refuse_closed(report)?;
        if report.added + report.changed + report.removed == 0 {
            // The same again: nothing is written, nobody is told.
            report.told.clear();
            return Ok(false);
        }
        let told = told(cx.reads(), self)?;
        cx.batch.defer_indexes();
        claim(cx, batch, report)?;
        for (win, effect) in self.pairs() {
            let (Effect::Add(fields) | Effect::Change(fields, ..)) = effect else { continue };
            let mut fields = fields.clone();
            fields.insert(15, Value::Id(batch));
            fields.insert(16, Value::Int(win.row as i64));
            match effect {
                Effect::Change(_, id, head) => {
                    drop(cx.set(Kind::Win, *id, head.rev, &head.fields, &fields)?)
                }
                _ => drop(cx.create(Kind::Win, &fields)?),
            }
        }
        for (id, head) in &self.removed {
            cx.delete(Kind::Win, *id, &head.fields)?;
        }
        report.notified = told.len();
        for (user, _, what) in told {
            let text = format!("Your wins & losses: {what}");
            let key = format!("{batch}:{user}");
            let notice = Notification { user: Some(user), text, subject: "wins".into(), key, read: false };
            cx.create(Kind::Notification, &notice.to_fields())?;
        }
        Ok(true)
    }

    /// Makes accounts of the names that nobody has; returns how many.
    pub fn make_accounts(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let names = self.whom.new_accounts();
        for name in &names {
            let account = Account { name: (*name).to_owned(), ..Account::default() };
            cx.create(Kind::Account, &account.to_fields())?;
        }
        Ok(names.len())
    }

    /// What the batch says of how it was read: sheet, mapping, source.
    pub fn origin(&self) -> (String, &str, &str) {
        let sheet = self.read.tables.first().map(|t| t.sheet_name.clone()).unwrap_or_default();
        (sheet, &self.mapping, SOURCE)
    }

    pub fn rejects(&self) -> Rejects {
        Rejects { header: self.read.header.clone(), rows: self.read.rejected.clone(), next: None }
    }

    /// (code, decided) → rows.
    pub fn counts(&self) -> BTreeMap<(String, bool), usize> {
        let mut counts: BTreeMap<(String, bool), usize> = BTreeMap::new();
        for aside in self.read.rejected.iter().chain(&self.read.skipped) {
            *counts.entry((aside.code.clone(), aside.decided)).or_default() += 1;
        }
        for code in ["OPP-06", "OPP-07", "OPP-14", "OPP-16", "OPP-18", "TXT-01", "TXT-02"] {
            let rows = self.looks(code).len();
            if rows > 0 {
                counts.insert((code.to_owned(), false), rows);
            }
        }
        counts
    }

    /// The rows that a rule holds back or points at.
    pub fn lines(&self, code: &str, decided: bool) -> Vec<Line> {
        let asides = self.read.rejected.iter().chain(&self.read.skipped);
        let mut lines: Vec<Line> =
            asides.filter(|a| a.code == code && a.decided == decided).map(|a| self.line(a)).collect();
        lines.extend(self.looks(code));
        lines
    }

    fn line(&self, aside: &Aside) -> Line {
        let table = self.read.tables.iter().find(|t| t.sheet == aside.sheet);
        let columns = table.map(|t| &t.columns);
        let cell = |field: &str| {
            let column = columns.and_then(|c| c.get(field)).copied()?;
            aside.cells.get(column).cloned().filter(|text| !text.is_empty()).map(|t| (field.to_owned(), t))
        };
        Line {
            place: (aside.sheet, aside.row),
            code: aside.code.clone(),
            message: aside.message.clone(),
            field: aside.field.clone(),
            raw: aside.raw.clone(),
            cells: WIN_FIELDS.iter().filter_map(|f| cell(f)).collect(),
            ..Line::default()
        }
    }

    /// Rows that go in and that a person should look at.
    fn looks(&self, code: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        let look = |row: &WinRow, field: &str, raw: &str, message: String| Line {
            place: (row.sheet, row.row),
            code: code.to_owned(),
            message,
            field: field.to_owned(),
            raw: raw.to_owned(),
            cells: cells_of(row),
            ..Line::default()
        };
        match code {
            "OPP-06" => {
                for row in &self.read.kept {
                    if let Some(raw) = self.whom.unknown_owner(&row.owner_email, &row.owner) {
                        lines.push(look(row, "owner", raw, format!("nobody known is \"{raw}\"")));
                    }
                }
            }
            "OPP-07" => {
                for row in &self.read.kept {
                    if self.whom.account_is_asked(&row.account) {
                        let message = format!("no account is called \"{}\"", row.account);
                        lines.push(look(row, "account", &row.account, message));
                    }
                }
            }
            "OPP-16" => {
                for row in self.read.kept.iter().filter(|r| r.date > self.today) {
                    let date = row.date.to_string();
                    lines.push(look(row, "close_date", &date, format!("closed on {date}, which is to come")));
                }
            }
            "OPP-18" => {
                for row in self.read.kept.iter().filter(|r| garbled::is_scientific(&r.opportunity_id)) {
                    let id = row.opportunity_id.as_str();
                    lines.push(look(row, "opportunity_id", id, format!("\"{id}\" stands for many ids")));
                }
            }
            "TXT-01" | "TXT-02" => {
                for row in &self.read.kept {
                    let texts = [
                        ("account", &row.account),
                        ("opportunity", &row.opportunity),
                        ("owner", &row.owner),
                        ("reason", &row.reason),
                        ("competitor", &row.competitor),
                    ];
                    let spoilt = texts.into_iter().find_map(|(field, raw)| {
                        let (rule, mended) = garbled::mended(raw)?;
                        (rule == code).then_some((field, raw, mended))
                    });
                    if let Some((field, raw, mended)) = spoilt {
                        lines.push(look(row, field, raw, format!("\"{raw}\" may be \"{mended}\"")));
                    }
                }
            }
            "OPP-14" => lines.extend(self.removed.iter().map(|(_, head)| {
                let win = Win::from_fields(&head.fields);
                let raw = win.month.and_then(Month::from_number).map(|m| m.to_string()).unwrap_or_default();
                let row = row_of(&win);
                Line {
                    place: (0, win.row.unwrap_or(0) as usize),
                    message: "stored before, not in this file".into(),
                    ..look(&row, "month", &raw, String::new())
                }
            })),
            _ => {}
        }
        lines
    }
}

fn cells_of(row: &WinRow) -> Vec<(String, String)> {
    let amount = row.amount.map(|m| m.to_string()).unwrap_or_default();
    let outcome = if row.outcome == "win" { "won" } else { "lost" };
    let owner = if row.owner.is_empty() { &row.owner_email } else { &row.owner };
    let date = row.date.to_string();
    [
        ("opportunity_id", row.opportunity_id.as_str()),
        ("opportunity", &row.opportunity),
        ("account", &row.account),
        ("stage", outcome),
        ("amount", &amount),
        ("close_date", &date),
        ("owner", owner),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(field, text)| (field.to_owned(), text.to_owned()))
    .collect()
}
