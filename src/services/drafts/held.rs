//! An import or a split that waits whole, because somebody else imported the same month or
//! split the territories meanwhile: the claim that it began with conflicts, and what followed
//! is held with it.

use crate::changes::{Cause, Change, Conflict, Verdict};
use crate::domain::schema::{Batch, Kind, Record};
use crate::domain::value::Value;
use crate::domain::{Fields, Id, Outcome};
use crate::services::{WriteCx, undo};
use crate::store::Reads;

/// The changes that wait with a claim, in their author's order.
pub fn changes(reads: &dyn Reads, claim: Id) -> Outcome<Vec<Change>> {
    let record = reads.seq_of(claim)?.map(|seq| reads.record(seq)).transpose()?.flatten();
    let Some(claim) = record.filter(|record| record.change.is_claim()) else { return Ok(vec![]) };
    let mut held = Vec::new();
    for row in reads.txn_rows(claim.change.txn_id)? {
        for seq in row.first_seq..row.first_seq + row.count {
            let record = reads.record(seq)?.filter(|r| r.verdict == Verdict::Held);
            held.extend(record.map(|r| r.change));
        }
    }
    Ok(held)
}

/// The file of an import that is held.
pub fn file(held: &[Change]) -> String {
    let made = held.iter().find(|change| change.kind == Kind::Batch);
    let fields = made.map(|change| {
        let value = |f: &crate::changes::FieldChange| Some((f.field, f.new.clone()?));
        change.fields.iter().filter_map(value).collect::<Fields>()
    });
    fields.map(|fields| Batch::from_fields(&fields).file).unwrap_or_default()
}

/// The transaction whose claim was taken: the import that a month holds, the split that stands.
pub fn taken(reads: &dyn Reads, kind: Kind, entity: Id, theirs: Option<&Value>) -> Outcome<Option<Id>> {
    for seq in reads.history(kind, entity)?.into_iter().rev() {
        let Some(record) = reads.record(seq)? else { continue };
        if record.change.is_claim() && record.effect().iter().any(|(_, value)| value.as_ref() == theirs) {
            return Ok(Some(record.change.txn_id));
        }
    }
    Ok(None)
}

/// Takes back what was taken, and makes what was held, if that is wanted: the claim was
/// changed before, in the same transaction.
pub fn settle(
    cx: &mut WriteCx,
    (kind, claim): (Kind, Id),
    conflict: &Conflict,
    taken: Option<Id>,
    mine: bool,
) -> Outcome<()> {
    let held = changes(cx.reads(), claim)?;
    if let (Some(taken), true) = (taken, conflict.theirs.is_some()) {
        undo::compensate(cx, taken, Cause::Undo, Some(kind))?;
    }
    if mine {
        cx.set_cause(Cause::Import, None);
        for c in held {
            cx.change(c.kind, c.entity, c.op, c.base_rev, c.fields, c.seen_hash)?;
        }
    }
    Ok(())
}
