//! `pams db check`: everything that is a view of the log is compared with the log.

use super::reads::{Reads, latest_key};
use super::write::{latest_rows, origin_row};
use super::{Stored, View, keys};
use crate::changes::codec;
use crate::changes::merge::{self, heads_after};
use crate::changes::{Head, Op, Ordered, PROVISIONAL};
use crate::domain::Id;
use crate::domain::schema::Kind;
use redb::ReadableTable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

/// What a check read and what it found wrong; empty `wrong` is a sound store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub changes: u64,
    pub records: u64,
    pub index_entries: u64,
    /// BLAKE3 over all heads: two stores with one content have one hash.
    pub state_hash: String,
    pub wrong: Vec<String>,
}

/// Longest list of faults that is worth reading.
const MAX_WRONG: usize = 50;

pub fn check(view: &View) -> Stored<Report> {
    let mut report = Report::default();
    let replica = super::meta_number(view, super::CURSOR)?;
    let mut heads = at_start(view)?;
    replay(view, replica, &mut heads, &mut report)?;
    if replica.is_some() {
        lay_queue_over(view, &mut heads, &mut report)?;
    }
    heads_match(view, &heads, &mut report)?;
    indexes_match(view, &heads, &mut report)?;
    let (replies, order) = view.replies()?;
    if replies != order {
        report.wrong.push(format!("{replies} replies are kept, {order} are in line to go"));
    }
    report.wrong.truncate(MAX_WRONG);
    Ok(report)
}

type Heads = HashMap<(Kind, Id), Head>;

/// What a replica was given from before its log begins: heads that nothing here can
/// tell again, and so are taken as they are.
fn at_start(view: &View) -> Stored<Heads> {
    let mut heads = Heads::new();
    let Some(start) = super::meta_number(view, super::START)? else { return Ok(heads) };
    for kind in Kind::ALL {
        view.heads(*kind, Id::default(), &mut |id, bytes| {
            if let Ok(head) = codec::decode_head(bytes)
                && head.rev <= start
            {
                heads.insert((*kind, id), head);
            }
            ControlFlow::Continue(())
        })?;
    }
    for row in view.tables().start.iter()? {
        let (key, head) = row?;
        if let Some(key) = keys::of_head(key.value()) {
            heads.insert(key, codec::decode_head(head.value())?);
        }
    }
    Ok(heads)
}

/// On a replica, the heads so far are the base: it is compared with what is stored of it,
/// and the queue is laid over it.
fn lay_queue_over(view: &View, heads: &mut Heads, report: &mut Report) -> Stored<()> {
    for row in view.tables().base.iter()? {
        let (key, base) = row?;
        let Some((kind, id)) = keys::of_head(key.value()) else { continue };
        let stored = if base.value().is_empty() { None } else { Some(codec::decode_head(base.value())?) };
        if stored.as_ref() != heads.get(&(kind, id)) {
            report.wrong.push(format!("the base of {} {} differs from the log", kind.name(), id.short()));
        }
        let mut head = stored;
        for seq in view.history(kind, id)?.into_iter().filter(|seq| *seq >= PROVISIONAL) {
            let Some(mut record) = view.record(seq)? else { continue };
            let merged = merge::merge(head.as_ref(), &record.change);
            (record.verdict, record.effect) = (merged.verdict, merged.effect);
            let after =
                heads_after(head.clone(), &record).into_iter().find(|(k, e, _)| (*k, *e) == (kind, id));
            head = after.map(|(_, _, head)| head).or(head);
        }
        let shown = view.head(kind, id)?;
        let same = match (&head, &shown) {
            // A Draft that a queued change made here is the queue's own.
            (None, Some(_)) if kind == Kind::Draft => true,
            (Some(head), Some(shown)) => (head.deleted, &head.fields) == (shown.deleted, &shown.fields),
            (head, shown) => head.is_none() && shown.is_none(),
        };
        if !same {
            report.wrong.push(format!(
                "{} {} is not its base with the queue on top",
                kind.name(),
                id.short()
            ));
        }
        match shown {
            Some(shown) => heads.insert((kind, id), shown),
            None => heads.remove(&(kind, id)),
        };
    }
    Ok(())
}

/// Replays the log, checking sequence, payload commitments and the hash chain. What a
/// replica has queued is not part of it yet, and what is not for it leaves gaps.
fn replay(view: &View, replica: Option<u64>, heads: &mut Heads, report: &mut Report) -> Stored<()> {
    let mut headers: Vec<(u64, Vec<u8>)> = Vec::new();
    view.headers(1, false, &mut |seq, bytes| {
        if seq >= PROVISIONAL {
            return ControlFlow::Break(());
        }
        headers.push((seq, bytes.to_vec()));
        ControlFlow::Continue(())
    })?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[0; 32]);
    let mut last_link = (0, [0; 32]);
    let mut latest: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut ends: HashMap<u64, [u8; 32]> = HashMap::new();
    let mut seen_txns: HashSet<Id> = HashSet::new();
    let mut erased: HashMap<(Kind, Id), u64> = HashMap::new();
    let mut drafts: HashMap<(Kind, Id), Vec<Id>> = HashMap::new();
    for (seq, header) in &headers {
        let (record, ..) = codec::decode_header(*seq, header)?;
        if record.change.op == Op::Purge {
            erased.insert((record.change.kind, record.change.entity), *seq);
        }
    }
    for (place, (seq, header)) in headers.iter().enumerate() {
        report.changes += 1;
        if replica.is_none() && *seq != place as u64 + 1 {
            report.wrong.push(format!("change {seq} stands at place {}", place + 1));
        }
        let (mut record, origin, commitment) = codec::decode_header(*seq, header)?;
        match view.payload(*seq)? {
            Some(payload) => {
                if <[u8; 32]>::from(blake3::hash(&payload)) != commitment {
                    report
                        .wrong
                        .push(format!("the payload of change {seq} is not the one it was signed with"));
                    continue;
                }
                codec::decode_payload(&payload, &mut record)?;
            }
            None if erased.get(&(record.change.kind, record.change.entity)).is_some_and(|at| at > seq) => {}
            None => report.wrong.push(format!("change {seq} has no payload")),
        }
        if view.seq_of(record.change.change_id)? != Some(*seq) {
            report.wrong.push(format!("change {seq} is not found by its id"));
        }
        if seen_txns.insert(record.change.txn_id) {
            for row in view.txn_rows(record.change.txn_id)? {
                ends.insert(row.first_seq + row.count - 1, row.chain);
            }
        }
        match view.origin(origin)? {
            Some((device, actor, via)) => {
                hasher.update(&origin_row(device, actor, via));
                // A conflict's draft belongs to whoever made the change.
                (record.change.device, record.change.actor, record.change.via) = (device, actor, via);
            }
            None => report.wrong.push(format!("the origin of change {seq} is missing")),
        }
        hasher.update(header);
        if let Some(expected) = ends.get(seq) {
            let chain: [u8; 32] = hasher.finalize().into();
            if chain != *expected {
                report.wrong.push(format!("the hash chain breaks at change {seq}"));
            }
            hasher = blake3::Hasher::new();
            hasher.update(expected);
            last_link = (*seq, *expected);
        }
        apply(&record, heads, &mut latest, &mut drafts);
    }
    let last = headers.last().map_or(0, |(seq, _)| *seq);
    if last_link.0 != last {
        report.wrong.push(format!("the log ends at {last}, its hash chain at {}", last_link.0));
    }
    if replica.is_some() || !erased.is_empty() {
        // Which value was used last depends on the order in which both sides were heard,
        // and on what was erased since.
        latest.clear();
    }
    if report.changes > 0 && view.meta("chain")?.as_deref() != Some(last_link.1.as_slice()) {
        report.wrong.push("the hash chain does not end where the store says".to_owned());
    }
    for (key, value) in latest {
        let kind = Kind::from_number(key[0]);
        let by: Vec<Id> = key[2..].chunks_exact(16).filter_map(|c| c.try_into().ok().map(Id)).collect();
        let stored = match kind {
            Some(kind) => view.latest(kind, usize::from(key[1]), &by)?,
            None => None,
        };
        if stored.map(|v| codec::encode_value(&v)) != Some(value) {
            report.wrong.push("a last used value differs from the log".to_owned());
        }
    }
    Ok(())
}

fn apply(
    record: &Ordered,
    heads: &mut Heads,
    latest: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    drafts: &mut HashMap<(Kind, Id), Vec<Id>>,
) {
    let key = (record.change.kind, record.change.entity);
    if record.has_draft() {
        drafts.entry(key).or_default().push(record.change.change_id);
    }
    if record.change.op == Op::Purge {
        let gone = drafts.get(&key).into_iter().flatten();
        heads.extend(gone.map(|id| ((Kind::Draft, *id), Head::purged(record.seq))));
    }
    for (kind, id, head) in heads_after(heads.get(&key).cloned(), record) {
        if (kind, id) == key {
            for (number, rule) in kind.schema().latest.iter().enumerate() {
                if let Some((owners, value)) = latest_rows(rule, record, &head) {
                    latest.insert(latest_key(kind, number, &owners), codec::encode_value(&value));
                }
            }
        }
        heads.insert((kind, id), head);
    }
}

fn heads_match(view: &View, heads: &Heads, report: &mut Report) -> Stored<()> {
    let mut state = blake3::Hasher::new();
    let mut stored = 0;
    for kind in Kind::ALL {
        view.heads(*kind, Id::default(), &mut |id, bytes| {
            stored += 1;
            report.records += 1;
            state.update(&keys::head_key(*kind, id));
            state.update(bytes);
            let expected = heads.get(&(*kind, id));
            if expected.map(codec::encode_head).as_deref() != Some(bytes) {
                report.wrong.push(format!("{} {} differs from the log", kind.name(), id.short()));
            }
            ControlFlow::Continue(())
        })?;
    }
    if stored != heads.len() {
        report.wrong.push(format!("{} records in the log, {stored} stored", heads.len()));
    }
    report.state_hash = state.finalize().to_hex().to_string();
    Ok(())
}

fn indexes_match(view: &View, heads: &Heads, report: &mut Report) -> Stored<()> {
    let mut expected = 0u64;
    for ((kind, id), head) in heads.iter().filter(|(_, h)| !h.deleted) {
        for index in kind.schema().indexes {
            for entry in keys::entries(index, &head.fields, *id) {
                expected += 1;
                let from = keys::IndexKey(entry.clone());
                let to = keys::IndexKey([entry.clone(), vec![0]].concat());
                let mut found = false;
                view.index(&from, &to, false, &mut |_, _| {
                    found = true;
                    ControlFlow::Break(())
                })?;
                if !found {
                    report.wrong.push(format!(
                        "{} {} is missing in index {}",
                        kind.name(),
                        id.short(),
                        index.number
                    ));
                }
            }
        }
    }
    let [.., stored] = view.counts()?;
    report.index_entries = stored;
    if stored != expected {
        report.wrong.push(format!("{expected} index entries follow from the log, {stored} are stored"));
    }
    Ok(())
}
