//! Wins workbooks into the store: preview, one commit, one undo; versions to restore.
//!
//! A workbook holds many months. What it says of a month and outcome replaces what was
//! imported for them before, as a diff; months that are absent stay, and a file of
//! losses never erases wins. Own entries are never touched.

use crate::changes::Head;
use crate::changes::{Cause, codec};
use crate::domain::schema::{
    Account, Alias, Batch, Kind, Mapping as MappingRecord, Notification, Record, Win,
};
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind, Fields, Id, Outcome, text};
use crate::intake::mapping::{DEFAULT_WINS, Mapping};
use crate::intake::wins::{Aside, WinRow, WinsRead};
use crate::intake::{open, wins as intake};
use crate::services::show::{Item, Shower};
use crate::services::uploads::{Source, load};
use crate::services::{Command, Query, ReadCx, Settings, WriteCx, names, wins};
use crate::store::{IndexKey, Reads};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

/// A month that would lose more than this share of its rows asks first.
const MAX_REMOVED: f64 = 0.2;
/// Rows set aside that a preview shows; `rejects` has them all.
const MAX_SHOWN: usize = 100;
/// What imported rows say of their source.
const SOURCE: &str = "salesforce";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Options {
    pub month: Option<Month>,
    /// Adds and changes, removes nothing.
    pub append: bool,
    /// A mapping's name; the shipped one when empty, the batch's own for a batch.
    pub mapping: String,
    /// The person agreed that months lose many rows.
    pub agreed: bool,
    /// Raw owner → who it is; remembered. `-` means: not one of us.
    pub owners: Vec<(String, String)>,
    /// Raw account → which account it is; remembered.
    pub accounts: Vec<(String, String)>,
    /// Make accounts for names that are not known.
    pub stub_accounts: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MonthCounts {
    pub month: String,
    pub wins: usize,
    pub losses: usize,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub same: usize,
    /// Imported rows that were stored before.
    pub stored: usize,
    pub closed: bool,
}

/// rows = wins + losses + rejected + skipped; wins + losses = added + changed + same.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WinsImport {
    /// The batch; none for a preview, or when nothing changed.
    pub batch: Option<Id>,
    pub rows: usize,
    pub wins: usize,
    pub losses: usize,
    pub rejected: usize,
    pub skipped: usize,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub same: usize,
    pub notified: usize,
    pub months: Vec<MonthCounts>,
    pub file: String,
    pub dialect: String,
    pub sheets: Vec<String>,
    pub unmapped: Vec<String>,
    /// Owners nobody has named yet: raw text, rows, nearest users.
    pub unmatched_owners: Vec<(String, usize, Vec<String>)>,
    /// Accounts that are not known here: raw text, rows.
    pub unknown_accounts: Vec<(String, usize)>,
    /// Who will be told, or was.
    pub told: Vec<String>,
    /// code → rows
    pub reasons: BTreeMap<String, usize>,
    pub aside: Vec<Aside>,
    /// Months that would lose many rows, in words.
    pub asks: Vec<String>,
}

/// What a commit would do, without doing it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreviewWins {
    pub source: Source,
    pub options: Options,
}

impl Query for PreviewWins {
    const NAME: &'static str = "wins.preview";
    type Reply = WinsImport;

    fn run(&self, cx: &ReadCx) -> Outcome<WinsImport> {
        let settings = cx.settings()?;
        Ok(prepare(cx.reads, &settings, &self.source, &self.options)?.report)
    }
}

/// Imports in one change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportWins {
    pub source: Source,
    pub options: Options,
}

impl Command for ImportWins {
    const NAME: &'static str = "wins.import";
    type Reply = WinsImport;

    fn run(&self, cx: &mut WriteCx) -> Outcome<WinsImport> {
        let settings = cx.settings()?;
        cx.set_cause(Cause::Import, None);
        remember(cx, &self.options)?;
        let mut prepared = prepare(cx.reads(), &settings, &self.source, &self.options)?;
        if self.options.stub_accounts && !prepared.report.unknown_accounts.is_empty() {
            for (name, _) in &prepared.report.unknown_accounts {
                cx.create(Kind::Account, &Account { name: name.clone(), ..Account::default() }.to_fields())?;
            }
            prepared = prepare(cx.reads(), &settings, &self.source, &self.options)?;
        }
        refuse_closed(&prepared.report)?;
        if !prepared.report.asks.is_empty() && !self.options.agreed {
            return Err(Failure::new(FailureKind::Conflict, prepared.report.asks.join("; "))
                .hint("Nothing was changed. If that is right, say so with --yes; --append removes nothing"));
        }
        commit(cx, &settings, prepared)
    }
}

struct Prepared {
    read: WinsRead,
    plan: Plan,
    report: WinsImport,
    bytes: Vec<u8>,
    mapping: String,
}

/// Reads, matches and compares: all but the writing.
fn prepare(reads: &dyn Reads, settings: &Settings, source: &Source, options: &Options) -> Outcome<Prepared> {
    let (name, bytes, kept_mapping) = load(reads, source)?;
    let text = match (options.mapping.as_str(), kept_mapping) {
        ("", Some(text)) => text,
        (name, _) => mapping_text(reads, name)?.1,
    };
    let mapping = Mapping::parse("the mapping", &text)?;
    let opened = open::open(&name, &bytes)?;
    let mut read = intake::read(&opened, &mapping, settings.currency)?;
    if let Some(month) = options.month {
        let (kept, others) = read.kept.into_iter().partition(|r| r.month() == month);
        read.kept = kept;
        read.skipped.extend(Vec::from_iter::<Vec<WinRow>>(others).into_iter().map(|row| Aside {
            row: row.row,
            code: "OPP-12".into(),
            message: format!("its month is {}", row.month()),
            cells: vec![],
        }));
    }
    let plan = Plan::make(reads, &read, options)?;
    let report = report(reads, &name, &opened, &read, &plan)?;
    Ok(Prepared { read, plan, report, bytes, mapping: text })
}

/// What the file means for the store.
struct Plan {
    rows: Vec<PlanRow>,
    removed: Vec<(Id, Head)>,
    stored: BTreeMap<(Month, String), usize>,
    owners: HashMap<String, Option<Id>>,
    accounts: HashMap<String, Option<Id>>,
    /// Answers of this import, not yet remembered.
    answers: HashMap<(&'static str, String), Option<Id>>,
}

struct PlanRow {
    win: WinRow,
    fields: Fields,
    stored: Option<(Id, Head)>,
}

#[derive(PartialEq)]
enum Action {
    Added,
    Changed,
    Same,
}

impl PlanRow {
    fn action(&self) -> Action {
        match &self.stored {
            None => Action::Added,
            Some((_, head)) if head.fields == self.fields => Action::Same,
            Some(_) => Action::Changed,
        }
    }
}

impl Plan {
    fn make(reads: &dyn Reads, read: &WinsRead, options: &Options) -> Outcome<Plan> {
        let units: BTreeSet<(Month, String)> =
            read.kept.iter().map(|r| (r.month(), r.outcome.clone())).collect();
        let mut plan = Plan {
            rows: vec![],
            removed: vec![],
            stored: BTreeMap::new(),
            owners: HashMap::new(),
            accounts: HashMap::new(),
            answers: answers(reads, options)?,
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
        let mut taken: HashSet<Id> = HashSet::new();
        for row in &read.kept {
            let key = row.key();
            let stored = match by_key.get(&key) {
                Some(found) => Some(found.clone()),
                None => moved(reads, row, &key)?,
            };
            if let Some((id, _)) = &stored {
                taken.insert(*id);
            }
            let fields = plan.fields(reads, row, stored.as_ref().map(|(_, h)| &h.fields))?;
            plan.rows.push(PlanRow { win: row.clone(), fields, stored });
        }
        if !options.append {
            let gone = by_key.into_values().filter(|(id, head)| {
                let win = Win::from_fields(&head.fields);
                let month = win.month.and_then(Month::from_number);
                !taken.contains(id) && month.is_some_and(|m| units.contains(&(m, win.outcome)))
            });
            plan.removed = gone.collect();
            plan.removed.sort_by_key(|(id, _)| *id);
        }
        Ok(plan)
    }

    /// The row as a record, laid over what people added to the stored one.
    fn fields(&mut self, reads: &dyn Reads, row: &WinRow, stored: Option<&Fields>) -> Outcome<Fields> {
        let before = stored.map(Win::from_fields).unwrap_or_default();
        let owner = self.owner(reads, row)?;
        let account = self.account(reads, &row.account)?;
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

    fn remembered(&self, reads: &dyn Reads, scope: &'static str, raw: &str) -> Outcome<Option<Option<Id>>> {
        match self.answers.get(&(scope, text::fold(raw))) {
            Some(answer) => Ok(Some(*answer)),
            None => remembered(reads, scope, raw),
        }
    }

    /// By e-mail, then a remembered answer, then a name that only one person has.
    fn owner(&mut self, reads: &dyn Reads, row: &WinRow) -> Outcome<Option<Id>> {
        let key = format!("{}|{}", row.owner_email, row.owner);
        if let Some(known) = self.owners.get(&key) {
            return Ok(*known);
        }
        let mut found = None;
        for raw in [&row.owner_email, &row.owner].into_iter().filter(|t| !t.is_empty()) {
            found = match self.remembered(reads, "owner", raw)? {
                Some(target) => target,
                None => match names::exact(reads, Kind::User, raw)?.as_slice() {
                    [one] => Some(*one),
                    _ => None,
                },
            };
            if found.is_some() {
                break;
            }
        }
        self.owners.insert(key, found);
        Ok(found)
    }

    fn account(&mut self, reads: &dyn Reads, raw: &str) -> Outcome<Option<Id>> {
        if let Some(known) = self.accounts.get(raw) {
            return Ok(*known);
        }
        let found = match self.remembered(reads, "account", raw)? {
            Some(target) => target,
            None => match names::exact(reads, Kind::Account, raw)?.as_slice() {
                [one] => Some(*one),
                _ => None,
            },
        };
        self.accounts.insert(raw.to_owned(), found);
        Ok(found)
    }
}

fn answers(reads: &dyn Reads, options: &Options) -> Outcome<HashMap<(&'static str, String), Option<Id>>> {
    let mut answers = HashMap::new();
    for (scope, kind, given) in
        [("owner", Kind::User, &options.owners), ("account", Kind::Account, &options.accounts)]
    {
        for (raw, who) in given {
            let target = match who.as_str() {
                "-" => None,
                who => Some(names::resolve(reads, kind, who, None)?),
            };
            answers.insert((scope, text::fold(raw)), target);
        }
    }
    Ok(answers)
}

fn stored_key(win: &Win) -> String {
    let row = WinRow {
        outcome: win.outcome.clone(),
        opportunity_id: win.opportunity_id.clone(),
        opportunity: win.opportunity.clone(),
        account: win.account_raw.clone(),
        date: win.date.unwrap_or_default(),
        amount: win.amount,
        ..WinRow::default()
    };
    row.key()
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

/// An answer given before: `Some(None)` means it stands for nobody here.
fn remembered(reads: &dyn Reads, scope: &str, raw: &str) -> Outcome<Option<Option<Id>>> {
    for id in reads.index_ids(IndexKey::new(75).text(raw), 20)? {
        let alias = Alias::from_fields(&reads.fields(Kind::Alias, id)?.unwrap_or_default());
        if alias.scope == scope {
            return Ok(Some(alias.target.parse().ok()));
        }
    }
    Ok(None)
}

/// Keeps the answers given with an import.
fn remember(cx: &mut WriteCx, options: &Options) -> Outcome<()> {
    let all = [("owner", Kind::User, &options.owners), ("account", Kind::Account, &options.accounts)];
    for (scope, kind, answers) in all {
        for (raw, who) in answers {
            let target = match who.as_str() {
                "-" => None,
                who => Some(names::resolve(cx.reads(), kind, who, None)?),
            };
            let alias = Alias {
                scope: scope.into(),
                text: text::clean(raw),
                target: target.map(|t| t.to_string()).unwrap_or_default(),
                verdict: if target.is_some() { "link" } else { "not ours" }.into(),
            };
            let old = cx.reads().index_ids(IndexKey::new(75).text(raw), 20)?;
            let same = old.into_iter().find(|id| {
                let fields = cx.reads().fields(Kind::Alias, *id).ok().flatten();
                fields.is_some_and(|f| Alias::from_fields(&f).scope == scope)
            });
            match same {
                Some(id) => drop(cx.update(Kind::Alias, id, |fields| *fields = alias.to_fields())?),
                None => drop(cx.create(Kind::Alias, &alias.to_fields())?),
            }
        }
    }
    Ok(())
}

fn report(
    reads: &dyn Reads,
    name: &str,
    opened: &open::Opened,
    read: &WinsRead,
    plan: &Plan,
) -> Outcome<WinsImport> {
    let mut report = WinsImport {
        rows: read.rows,
        rejected: read.rejected.len(),
        skipped: read.skipped.len(),
        removed: plan.removed.len(),
        file: name.to_owned(),
        dialect: opened.dialect.clone(),
        sheets: read.tables.iter().map(|t| t.sheet_name.clone()).collect(),
        unmapped: read.tables.first().map(|t| t.unmapped.clone()).unwrap_or_default(),
        ..WinsImport::default()
    };
    let mut months: BTreeMap<Month, MonthCounts> = BTreeMap::new();
    let mut losing: BTreeMap<(Month, String), usize> = BTreeMap::new();
    for row in &plan.rows {
        let counts = months.entry(row.win.month()).or_default();
        let (all, of_month) = match row.win.outcome.as_str() {
            "win" => (&mut report.wins, &mut counts.wins),
            _ => (&mut report.losses, &mut counts.losses),
        };
        (*all, *of_month) = (*all + 1, *of_month + 1);
        let (all, of_month) = match row.action() {
            Action::Added => (&mut report.added, &mut counts.added),
            Action::Changed => (&mut report.changed, &mut counts.changed),
            Action::Same => (&mut report.same, &mut counts.same),
        };
        (*all, *of_month) = (*all + 1, *of_month + 1);
    }
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
    ask_for_names(reads, read, plan, &mut report)?;
    report.told = told(reads, plan)?.into_iter().map(|(_, name, _)| name).collect();
    Ok(report)
}

/// Owners and accounts that are not known, the most frequent first.
fn ask_for_names(reads: &dyn Reads, read: &WinsRead, plan: &Plan, report: &mut WinsImport) -> Outcome<()> {
    let (mut owners, mut accounts): (BTreeMap<&str, usize>, BTreeMap<&str, usize>) = Default::default();
    for row in &read.kept {
        let key = format!("{}|{}", row.owner_email, row.owner);
        if plan.owners.get(&key) == Some(&None) && plan.remembered(reads, "owner", &row.owner)?.is_none() {
            let raw = if row.owner.is_empty() { &row.owner_email } else { &row.owner };
            *owners.entry(raw).or_default() += usize::from(!raw.is_empty());
        }
        if plan.accounts.get(&row.account) == Some(&None)
            && plan.remembered(reads, "account", &row.account)?.is_none()
        {
            *accounts.entry(&row.account).or_default() += 1;
        }
    }
    owners.remove("");
    let mut users = Vec::new();
    reads.heads(Kind::User, Id::default(), &mut |_, bytes| {
        if let Ok(head) = codec::decode_head(bytes)
            && let Some(name) = crate::domain::schema::name_of(Kind::User, &head.fields)
        {
            users.push(name.to_owned());
        }
        ControlFlow::Continue(())
    })?;
    let near = |raw: &str| {
        text::nearest(raw, users.iter().map(String::as_str), 3).into_iter().map(str::to_owned).collect()
    };
    report.unmatched_owners = owners.into_iter().map(|(raw, n)| (raw.to_owned(), n, near(raw))).collect();
    report.unmatched_owners.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    report.unknown_accounts = accounts.into_iter().map(|(raw, n)| (raw.to_owned(), n)).collect();
    report.unknown_accounts.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    report.unknown_accounts.truncate(MAX_SHOWN * 10);
    Ok(())
}

/// One digest per owner, with only their changes.
fn told(reads: &dyn Reads, plan: &Plan) -> Outcome<Vec<(Id, String, String)>> {
    #[derive(Default)]
    struct Digest {
        won: usize,
        lost: usize,
        changed: usize,
        removed: usize,
    }
    let mut digests: BTreeMap<Id, Digest> = BTreeMap::new();
    for row in plan.rows.iter().filter(|r| r.action() != Action::Same) {
        let Some(Value::Id(owner)) = row.fields.get(&10) else { continue };
        let digest = digests.entry(*owner).or_default();
        match (row.action(), row.win.outcome.as_str()) {
            (Action::Changed, _) => digest.changed += 1,
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
        all.push((
            owner,
            wins::user_name(reads, owner)?,
            format!("Your wins & losses: {}", parts.join(", ")),
        ));
    }
    Ok(all)
}

fn refuse_closed(report: &WinsImport) -> Outcome<()> {
    let touched = |m: &&MonthCounts| m.closed && m.added + m.changed + m.removed > 0;
    let closed: Vec<&str> = report.months.iter().filter(touched).map(|m| m.month.as_str()).collect();
    match closed.first() {
        None => Ok(()),
        Some(first) => Err(Failure::conflict(format!("{} is closed", closed.join(", "))).hint(format!(
            "Nothing was changed. `pams wins reopen --month {first}` opens it; --month imports another alone"
        ))),
    }
}

fn commit(cx: &mut WriteCx, settings: &Settings, prepared: Prepared) -> Outcome<WinsImport> {
    let Prepared { read, plan, mut report, bytes, mapping } = prepared;
    let told = told(cx.reads(), &plan)?;
    let hash: [u8; 32] = blake3::hash(&bytes).into();
    let hash = hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
    if report.added + report.changed + report.removed == 0 {
        // The same again: nothing is written, nobody is told.
        report.batch = cx.reads().index_ids(IndexKey::new(70).text(&hash), 1)?.first().copied();
        report.told.clear();
        return Ok(report);
    }
    cx.batch.defer_indexes();
    cx.batch.put_blob(&bytes)?;
    let batch = cx.new_id();
    for row in plan.rows {
        if row.action() == Action::Same {
            continue;
        }
        let mut fields = row.fields;
        fields.insert(15, Value::Id(batch));
        fields.insert(16, Value::Int(row.win.row as i64));
        match row.stored {
            None => drop(cx.create(Kind::Win, &fields)?),
            Some((id, head)) => drop(cx.set(Kind::Win, id, head.rev, &head.fields, &fields)?),
        }
    }
    for (id, head) in plan.removed {
        cx.delete(Kind::Win, id, &head.fields)?;
    }
    report.notified = told.len();
    for (user, _, text) in told {
        let key = format!("{batch}:{user}");
        let notice = Notification { user: Some(user), text, subject: "wins".into(), key, read: false };
        cx.create(Kind::Notification, &notice.to_fields())?;
    }
    report.batch = Some(batch);
    let record = Batch {
        target: "wins".into(),
        file: report.file.clone(),
        hash,
        mapping: read.tables.first().map(|t| t.sheet_name.clone()).unwrap_or_default(),
        state: "committed".into(),
        counts: serde_json::to_vec(&WinsImport { aside: vec![], ..report.clone() }).unwrap_or_default(),
        months: report.months.iter().map(|m| m.month.clone()).collect(),
        plan: mapping.into_bytes(),
        by: Some(settings.me),
        source: SOURCE.into(),
    };
    cx.create_as(Kind::Batch, batch, &record.to_fields())?;
    Ok(report)
}

/// Imports, newest first; of one month, its versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListBatches {
    pub month: Option<Month>,
}

impl Query for ListBatches {
    const NAME: &'static str = "imports.list";
    type Reply = Vec<Item>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Item>> {
        let settings = cx.settings()?;
        let mut heads = Vec::new();
        cx.reads.heads(Kind::Batch, Id::default(), &mut |id, bytes| {
            if let Ok(head) = codec::decode_head(bytes)
                && !head.deleted
            {
                heads.push((id, head));
            }
            ControlFlow::Continue(())
        })?;
        let mut shower = Shower::new(cx.reads);
        let mut items = Vec::new();
        for (id, head) in heads.iter().rev() {
            let batch = Batch::from_fields(&head.fields);
            if self.month.is_some_and(|m| !batch.months.contains(&m.to_string())) {
                continue;
            }
            let mut item = shower.item(Kind::Batch, *id, head)?;
            let counts: serde_json::Value = serde_json::from_slice(&batch.counts).unwrap_or_default();
            for name in
                ["rows", "wins", "losses", "rejected", "skipped", "added", "changed", "removed", "same"]
            {
                item.values.insert(name.into(), counts[name].clone());
            }
            item.values.insert("at".into(), settings.zone.stamp(id.unix_ms() as i64).into());
            items.push(item);
        }
        Ok(items)
    }
}

/// The rows of an import that were set aside, in the file's own columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListRejects {
    pub which: String,
    pub from: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rejects {
    pub header: Vec<String>,
    pub rows: Vec<Aside>,
    pub next: Option<usize>,
}

/// Rows set aside that one reply holds.
const REJECTS: usize = 500;

impl Query for ListRejects {
    const NAME: &'static str = "imports.rejects";
    type Reply = Rejects;

    fn run(&self, cx: &ReadCx) -> Outcome<Rejects> {
        let settings = cx.settings()?;
        let source = Source::Batch { which: self.which.clone() };
        let (name, bytes, mapping) = load(cx.reads, &source)?;
        let mapping = Mapping::parse("the mapping", mapping.as_deref().unwrap_or(DEFAULT_WINS))?;
        let read = intake::read(&open::open(&name, &bytes)?, &mapping, settings.currency)?;
        let rows: Vec<Aside> = read.rejected.iter().skip(self.from).take(REJECTS).cloned().collect();
        let next = (self.from + rows.len() < read.rejected.len()).then_some(self.from + rows.len());
        Ok(Rejects { header: read.header, rows, next })
    }
}

/// A mapping's text: the person's own of that name, or the shipped one.
fn mapping_text(reads: &dyn Reads, name: &str) -> Outcome<(Option<Id>, String)> {
    for id in reads.index_ids(IndexKey::new(76).text(name), 5)? {
        if let Some(fields) = reads.fields(Kind::Mapping, id)? {
            return Ok((Some(id), MappingRecord::from_fields(&fields).text));
        }
    }
    let shipped = Mapping::parse("the shipped mapping", DEFAULT_WINS)?;
    if name.is_empty() || text::fold(name) == text::fold(&shipped.name) {
        return Ok((None, DEFAULT_WINS.to_owned()));
    }
    Err(Failure::not_found(format!("There is no mapping \"{name}\""))
        .hint(format!("The shipped one is \"{}\"", shipped.name)))
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShowMapping {
    pub name: String,
}

impl Query for ShowMapping {
    const NAME: &'static str = "imports.mapping";
    type Reply = String;

    fn run(&self, cx: &ReadCx) -> Outcome<String> {
        mapping_text(cx.reads, &self.name).map(|(_, text)| text)
    }
}

/// Saves a mapping under the name that stands in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaveMapping {
    pub text: String,
}

impl Command for SaveMapping {
    const NAME: &'static str = "imports.save_mapping";
    type Reply = String;

    fn run(&self, cx: &mut WriteCx) -> Outcome<String> {
        let mapping = Mapping::parse("the mapping", &self.text)?;
        let record = MappingRecord { name: mapping.name.clone(), text: self.text.clone() };
        match mapping_text(cx.reads(), &mapping.name) {
            Ok((Some(id), _)) => drop(cx.update(Kind::Mapping, id, |fields| *fields = record.to_fields())?),
            _ => drop(cx.create(Kind::Mapping, &record.to_fields())?),
        }
        Ok(mapping.name)
    }
}
