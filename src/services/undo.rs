//! Undo and redo: a compensating change for each change of a transaction, newest
//! first. There is no second log; what others changed meanwhile is not overwritten.

use crate::changes::merge::heads_after;
use crate::changes::{Cause, Op, Ordered, Verdict, Via};
use crate::domain::schema::{Kind, name_of};
use crate::domain::{Failure, Id, Outcome, text};
use crate::services::records::{MAX_LIMIT, Page};
use crate::services::show::{Item, Shower};
use crate::services::{Command, Query, ReadCx, Settings, WriteCx, records};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Transactions looked through for the one to undo.
const MAX_BACK: usize = 10_000;

/// Records of the log that are read at once.
const STRETCH: u64 = 500;

/// Changes from which on index entries are written together.
const MANY: u64 = 1_000;

/// Takes back a transaction: the given one, or my last.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Undo {
    pub txn: Option<Id>,
}

/// Takes back my last undo.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Redo {}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    pub txn: Id,
    /// What was taken back, in words.
    pub what: String,
    pub records: usize,
    /// Records that somebody changed since: their undo waits as a draft.
    pub drafted: usize,
}

impl Command for Undo {
    const NAME: &'static str = "undo.undo";
    type Reply = Undone;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Undone> {
        let txn = match self.txn {
            Some(txn) if is_undone(cx.reads(), txn)? => {
                return Err(Failure::conflict("That is taken back already")
                    .hint("ctrl-r or `pams redo` brings it back"));
            }
            Some(txn) => txn,
            None => last(cx.reads(), cx.actor(), false)?
                .ok_or_else(|| Failure::not_found("There is nothing to undo"))?,
        };
        compensate(cx, txn, Cause::Undo, None)
    }
}

impl Command for Redo {
    const NAME: &'static str = "undo.redo";
    type Reply = Undone;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Undone> {
        let txn = last(cx.reads(), cx.actor(), true)?
            .ok_or_else(|| Failure::not_found("There is nothing to redo"))?;
        compensate(cx, txn, Cause::Redo, None)
    }
}

/// My last transaction that still stands (`redo`: my last undo, if nothing came after).
fn last(reads: &dyn Reads, me: Id, redo: bool) -> Outcome<Option<Id>> {
    let mut undone: HashSet<Id> = HashSet::new();
    let mut seen: HashSet<Id> = HashSet::new();
    let mut found = None;
    let mut failed = None;
    reads.headers(u64::MAX, true, &mut |seq, bytes| {
        let decoded = crate::changes::codec::decode_header(seq, bytes);
        let (record, origin, _) = match decoded {
            Ok(all) => all,
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        };
        let txn = record.change.txn_id;
        if !seen.insert(txn) {
            return ControlFlow::Continue(());
        }
        // What the program did by itself, such as the set-up, is not taken back by `undo`.
        let by = reads.origin(origin).ok().flatten();
        let mine = by.is_some_and(|(_, actor, via)| actor == me && via != Via::Job);
        // Nor is what was read made unread.
        if record.change.kind == Kind::Notification && record.change.op == Op::Set {
            return ControlFlow::Continue(());
        }
        if !mine || seen.len() > MAX_BACK {
            return if mine { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        }
        let stands = !undone.contains(&txn);
        if let (true, Some(target)) = (stands, record.change.undoes) {
            undone.insert(target);
        }
        let is_undo = record.change.cause == Cause::Undo;
        let hit = match redo {
            true => stands && is_undo,
            false => stands && !is_undo,
        };
        // A save that changed nothing is no step back.
        if hit && had_effect(reads, txn) {
            // A redo is undone through what it restored: its own transaction.
            found = Some(txn);
            return ControlFlow::Break(());
        }
        // A new action after an undo ends what can be redone.
        let fresh = redo && record.change.undoes.is_none();
        if fresh { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    match failed {
        Some(error) => Err(crate::store::StoreError::from(error).into()),
        None => Ok(found),
    }
}

/// Whether a transaction was taken back and not brought back since.
fn is_undone(reads: &dyn Reads, txn: Id) -> Outcome<bool> {
    let first = reads.txn_rows(txn)?.first().map_or(u64::MAX, |row| row.first_seq);
    let mut back: HashSet<Id> = HashSet::new();
    let (mut undone, mut failed) = (false, None);
    reads.headers(u64::MAX, true, &mut |seq, bytes| {
        match crate::changes::codec::decode_header(seq, bytes) {
            _ if seq <= first => return ControlFlow::Break(()),
            Ok((record, ..)) => {
                let change = &record.change;
                match change.undoes {
                    // The newest word on it counts.
                    Some(of) if of == txn => {
                        undone = change.cause == Cause::Undo && !back.contains(&change.txn_id);
                        return ControlFlow::Break(());
                    }
                    Some(of) if !back.contains(&change.txn_id) => drop(back.insert(of)),
                    _ => {}
                }
            }
            Err(error) => failed = Some(error),
        }
        if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match failed {
        Some(error) => Err(crate::store::StoreError::from(error).into()),
        None => Ok(undone),
    }
}

fn had_effect(reads: &dyn Reads, txn: Id) -> bool {
    let rows = reads.txn_rows(txn).unwrap_or_default();
    let mut seqs = rows.iter().flat_map(|r| r.first_seq..r.first_seq + r.count);
    seqs.any(|seq| reads.record(seq).ok().flatten().is_some_and(|r| is_effective(&r)))
}

fn is_effective(record: &Ordered) -> bool {
    matches!(record.verdict, Verdict::Applied | Verdict::Merged)
        || record.verdict == Verdict::Drafted && !record.effect().is_empty()
}

/// Takes back a transaction, but for what it did to records of one kind.
pub fn compensate(cx: &mut WriteCx, txn: Id, cause: Cause, but: Option<Kind>) -> Outcome<Undone> {
    let rows = cx.reads().txn_rows(txn)?;
    if rows.is_empty() {
        return Err(Failure::not_found("That change is not in this store's history"));
    }
    for row in &rows {
        let first = cx.reads().record(row.first_seq)?;
        // Without its organisation and owner a store is none.
        if first.is_some_and(|r| r.change.kind == Kind::Tenant && r.change.op == Op::Create) {
            return Err(Failure::conflict("The first start of a store is not taken back"));
        }
    }
    if rows.iter().map(|row| row.count).sum::<u64>() > MANY {
        cx.batch.defer_indexes();
    }
    cx.set_cause(cause, Some(txn));
    let (mut what, mut records, mut drafted) = (String::new(), 0, 0);
    for row in rows.iter().rev() {
        let mut end = row.first_seq + row.count;
        while end > row.first_seq {
            let start = end.saturating_sub(STRETCH).max(row.first_seq);
            for record in cx.reads().records(start..end)?.iter().rev() {
                if but == Some(record.change.kind) {
                    continue;
                }
                let Some(done) = invert(cx, record)? else { continue };
                records += 1;
                drafted += usize::from(done.verdict == Verdict::Drafted);
                if records == 1 {
                    what = describe(cx.reads(), record, cause == Cause::Redo)?;
                }
            }
            end = start;
        }
    }
    if records == 0 {
        return Err(Failure::not_found("That action changed nothing that could be taken back"));
    }
    if records > 1 {
        what = format!("{what} and {} more", records - 1);
    }
    Ok(Undone { txn, what, records, drafted })
}

/// The change that takes one record's change back, made and ordered.
fn invert(cx: &mut WriteCx, record: &Ordered) -> Outcome<Option<Ordered>> {
    let change = &record.change;
    let (kind, id) = (change.kind, change.entity);
    if !is_effective(record) {
        return Ok(None);
    }
    Ok(match change.op {
        // A new record was what its change says; nothing has to be looked up.
        Op::Create if record.verdict == Verdict::Applied => {
            let made = record.effect().into_iter().filter_map(|(field, value)| Some((field, value?)));
            Some(cx.delete(kind, id, &made.collect())?)
        }
        Op::Restore if record.verdict == Verdict::Applied => {
            // Where nothing came after, what it made is what is there.
            let made = match cx.reads().head(kind, id)? {
                Some(head) if head.rev == record.seq => head.fields,
                _ => records::fields_at(cx.reads(), kind, id, record.seq)?,
            };
            Some(cx.delete(kind, id, &made)?)
        }
        Op::Delete => Some(cx.restore(kind, id)?),
        Op::Create | Op::Restore | Op::Set => {
            let before = records::fields_at(cx.reads(), kind, id, record.seq - 1)?;
            let head = crate::changes::Head { rev: record.seq, deleted: false, fields: before.clone() };
            let after = heads_after(Some(head), record);
            let after = after.into_iter().find(|(k, e, _)| (*k, *e) == (kind, id));
            let after = after.map(|(_, _, h)| h.fields).unwrap_or_default();
            Some(cx.set(kind, id, record.seq, &after, &before)?)
        }
        Op::Purge | Op::AuditOnly => None,
    })
}

/// What a record did; for a redo, which takes an undo back, what that undo took back.
fn describe(reads: &dyn Reads, record: &Ordered, inverse: bool) -> Outcome<String> {
    let change = &record.change;
    let verb = match (change.op, inverse) {
        (Op::Create, false) => "added",
        (Op::Delete, true) => "added",
        (Op::Delete, false) | (Op::Restore, true) => "deleted",
        (Op::Restore, false) => "restored",
        _ => "changed",
    };
    let head = reads.head(change.kind, change.entity)?.unwrap_or_default();
    let name = name_of(change.kind, &head.fields).unwrap_or_default();
    let kind = change.kind.name();
    Ok(match name {
        "" => format!("{verb} {kind} {}", change.entity.short()),
        name => format!("{verb} {kind} \"{name}\""),
    })
}

/// What was done lately, newest first, each with what undo would take back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Recent {
    pub limit: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecentRow {
    pub txn: Id,
    pub at: String,
    pub by: String,
    pub what: String,
    pub changes: u64,
    pub cause: String,
}

impl Query for Recent {
    const NAME: &'static str = "undo.recent";
    type Reply = Vec<RecentRow>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<RecentRow>> {
        let settings = cx.settings()?;
        let mut rows: Vec<RecentRow> = Vec::new();
        let mut from = u64::MAX;
        while rows.len() < self.limit.min(1_000)
            && let Some(seq) = cx.reads.nearest(from, true)?
            && let Some((first, row)) = row_at(cx.reads, &settings, seq)?
        {
            rows.push(row);
            from = first.saturating_sub(1);
        }
        Ok(rows)
    }
}

/// The transaction that holds a place of the log, and where it begins.
fn row_at(reads: &dyn Reads, settings: &Settings, seq: u64) -> Outcome<Option<(u64, RecentRow)>> {
    let Some(record) = reads.record(seq)? else { return Ok(None) };
    let txn = record.change.txn_id;
    let stretch =
        reads.txn_rows(txn)?.into_iter().find(|r| (r.first_seq..r.first_seq + r.count).contains(&seq));
    let (first, count) = stretch.map_or((seq, 1), |r| (r.first_seq, r.count));
    let by = match record.change.via {
        Via::Job => "PAMS".to_owned(),
        _ => crate::services::names::name(reads, Kind::User, record.change.actor)?,
    };
    let row = RecentRow {
        txn,
        at: settings.zone.stamp(crate::changes::hlc::unix_ms(record.change.hlc)),
        by,
        what: describe(reads, &record, false)?,
        changes: count,
        cause: format!("{:?}", record.change.cause).to_lowercase(),
    };
    Ok(Some((first, row)))
}

/// What was done, a transaction a row, in the log's order. A row's id is its
/// transaction.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListChanges {
    /// Only those with these words in what was done or by whom.
    pub text: String,
    pub oldest_first: bool,
    pub limit: usize,
    /// A transaction, or a place of the log: the page starts there.
    pub cursor: Option<String>,
}

/// Transactions a page looks at before it ends short.
const MAX_LOOKED: usize = 2_000;

impl Query for ListChanges {
    const NAME: &'static str = "undo.list";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let mut from = match &self.cursor {
            None if self.oldest_first => 1,
            None => u64::MAX,
            Some(cursor) => match (cursor.parse::<u64>(), cursor.parse::<Id>()) {
                (Ok(seq), _) => seq,
                (_, Ok(txn)) => cx.reads.txn_rows(txn)?.first().map_or(0, |row| row.first_seq),
                _ => return Err(Failure::usage("That cursor is not one of this list")),
            },
        };
        let wanted = text::fold(&self.text);
        let words: Vec<&str> = wanted.split_whitespace().collect();
        let (mut items, mut looked) = (Vec::new(), 0);
        while let Some(seq) = cx.reads.nearest(from, !self.oldest_first)? {
            if items.len() == self.limit.clamp(1, MAX_LIMIT) || looked == MAX_LOOKED {
                return Ok(Page { items, next: Some(seq.to_string()) });
            }
            looked += 1;
            let Some((first, row)) = row_at(cx.reads, &settings, seq)? else { break };
            from = if self.oldest_first { first + row.changes } else { first.saturating_sub(1) };
            let hay = text::fold(&format!("{} {} {}", row.what, row.by, row.cause));
            if words.iter().all(|word| hay.contains(word)) {
                let values = serde_json::json!({
                    "at": row.at, "by": row.by, "what": row.what, "changes": row.changes, "cause": row.cause,
                });
                let values = values.as_object().cloned().unwrap_or_default();
                items.push(Item { id: row.txn, rev: first, values });
            }
        }
        Ok(Page { items, next: None })
    }
}

/// The changes of one transaction in words, the first of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowChange {
    pub txn: Id,
    pub limit: usize,
}

/// A transaction, and what it did, line by line.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChangeShown {
    pub row: RecentRow,
    pub lines: Vec<String>,
}

impl Query for ShowChange {
    const NAME: &'static str = "undo.show";
    type Reply = ChangeShown;

    fn run(&self, cx: &ReadCx) -> Outcome<ChangeShown> {
        let stretches = cx.reads.txn_rows(self.txn)?;
        let gone = || Failure::not_found("That change is not in this store's history");
        let last = stretches.last().map(|r| r.first_seq + r.count - 1).ok_or_else(gone)?;
        let (_, mut row) = row_at(cx.reads, &cx.settings()?, last)?.ok_or_else(gone)?;
        row.changes = stretches.iter().map(|r| r.count).sum();
        let mut shower = Shower::new(cx.reads);
        let mut lines = Vec::new();
        'all: for row in stretches {
            for seq in row.first_seq..row.first_seq + row.count {
                let Some(record) = cx.reads.record(seq)? else { continue };
                if lines.len() >= self.limit {
                    break 'all;
                }
                lines.push(describe(cx.reads, &record, false)?);
                for f in record.change.fields.iter().filter(|f| f.old != f.new) {
                    let field = record.change.kind.schema().field(f.field);
                    let name = field.map_or_else(|| format!("field {}", f.field), |f| f.label());
                    let (old, new) =
                        (shower.line(field, f.old.as_ref())?, shower.line(field, f.new.as_ref())?);
                    lines.push(match f.old.is_some() {
                        true => format!("  {name}: {old} > {new}"),
                        false => format!("  {name}: {new}"),
                    });
                }
            }
        }
        Ok(ChangeShown { row, lines })
    }
}
