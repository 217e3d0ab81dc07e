//! Three-way merge: base is what the author saw, mine what the author wants, theirs
//! what the record holds now. The unit is the declared field group; sets merge by
//! element; a conflict is never decided here, it becomes a Draft.

use crate::changes::record::{Change, Conflict, Op, Ordered, PROVISIONAL, Verdict};
use crate::changes::{Mutant, broken, codec};
use crate::domain::schema::{Draft, Kind, Record, Schema};
use crate::domain::value::{FieldId, Value};
use crate::domain::{Fields, Id};
use std::collections::{BTreeMap, BTreeSet};

/// The state of a record: a view of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// `seq` of its last change.
    pub rev: u64,
    pub deleted: bool,
    pub fields: Fields,
}

impl Head {
    /// Erased for good: all that is left says so.
    pub fn purged(rev: u64) -> Head {
        Head { rev, deleted: true, fields: Fields::new() }
    }

    pub fn is_purged(&self) -> bool {
        self.deleted && self.fields.is_empty()
    }
}

/// What ordering a change does.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    pub verdict: Verdict,
    pub effect: Option<Vec<(FieldId, Option<Value>)>>,
    pub conflicts: Vec<Conflict>,
}

impl Merge {
    fn whole(verdict: Verdict) -> Merge {
        Merge { verdict, effect: None, conflicts: vec![] }
    }
}

/// Merges a change into the record as it stands.
pub fn merge(head: Option<&Head>, change: &Change) -> Merge {
    match (change.op, head) {
        (Op::AuditOnly | Op::Purge, _) => Merge::whole(Verdict::Applied),
        // Whoever did not know yet that it was erased brings nothing back.
        (_, Some(head)) if head.is_purged() => Merge { verdict: Verdict::NoOp, ..held() },
        (Op::Create, None) => Merge::whole(Verdict::Applied),
        // Two made it under one id, which says what it is: such as a month.
        (Op::Create, Some(head)) if !head.deleted => set(change.kind.schema(), head, change),
        (Op::Create, Some(head)) => draft_all(change, Some(head)),
        (Op::Set, Some(head)) if !head.deleted => set(change.kind.schema(), head, change),
        // Edited here, deleted there: "restore with my edit" waits for a person.
        (Op::Set, head) => draft_all(change, head),
        (Op::Delete, None) => Merge::whole(Verdict::NoOp),
        (Op::Delete, Some(head)) if head.deleted => Merge::whole(Verdict::NoOp),
        (Op::Delete, Some(head)) => {
            let seen = change.seen_hash == Some(codec::content_hash(&head.fields));
            if seen || broken(Mutant::BlindDelete) {
                Merge::whole(Verdict::Applied)
            } else {
                draft_all(change, Some(head))
            }
        }
        (Op::Restore, Some(head)) if head.deleted => Merge::whole(Verdict::Applied),
        (Op::Restore, _) => Merge::whole(Verdict::NoOp),
    }
}

/// The whole change waits: every field with what the record holds beside it.
pub fn draft_all(change: &Change, head: Option<&Head>) -> Merge {
    let theirs = |field| head.filter(|h| !h.deleted).and_then(|h| h.fields.get(&field).cloned());
    let conflicts = change.fields.iter().map(|f| Conflict {
        field: f.field,
        base: f.old.clone(),
        mine: f.new.clone(),
        theirs: theirs(f.field),
    });
    Merge { verdict: Verdict::Drafted, effect: Some(vec![]), conflicts: conflicts.collect() }
}

/// The change waits with the claim that its transaction began with.
pub fn held() -> Merge {
    Merge { verdict: Verdict::Held, effect: Some(vec![]), conflicts: vec![] }
}

fn set(schema: &Schema, head: &Head, change: &Change) -> Merge {
    let mut groups: BTreeMap<(u8, FieldId), Vec<usize>> = BTreeMap::new();
    for (place, field) in change.fields.iter().enumerate() {
        let group = match broken(Mutant::FieldsNotGroups) {
            true => (0, field.field),
            false => schema.group_of(field.field),
        };
        groups.entry(group).or_default().push(place);
    }
    let mut effect = Vec::new();
    let mut conflicts = Vec::new();
    let mut beside = head.rev != change.base_rev && change.base_rev < PROVISIONAL;
    for places in groups.values() {
        let members = || places.iter().map(|p| &change.fields[*p]);
        let now = |field: FieldId| head.fields.get(&field);
        if let [one] = places.as_slice()
            && let Some(merged) = merge_set(now(change.fields[*one].field), &change.fields[*one])
        {
            let field = &change.fields[*one];
            beside |= merged != field.new;
            if merged.as_ref() != now(field.field) {
                effect.push((field.field, merged));
            }
            continue;
        }
        let unmoved = members().all(|f| now(f.field) == f.old.as_ref());
        let same = members().all(|f| now(f.field) == f.new.as_ref());
        if same {
            beside |= !unmoved;
        } else if unmoved || broken(Mutant::LastWriteWins) {
            effect.extend(
                members().filter(|f| now(f.field) != f.new.as_ref()).map(|f| (f.field, f.new.clone())),
            );
        } else {
            conflicts.extend(members().map(|f| Conflict {
                field: f.field,
                base: f.old.clone(),
                mine: f.new.clone(),
                theirs: now(f.field).cloned(),
            }));
        }
    }
    let changed: BTreeSet<FieldId> =
        change.fields.iter().filter(|f| f.old != f.new).map(|f| f.field).collect();
    let whole = effect.len() == changed.len() && effect.iter().all(|(f, _)| changed.contains(f)) && !beside;
    let verdict = match (conflicts.is_empty(), effect.is_empty()) {
        (false, _) => Verdict::Drafted,
        (true, true) => Verdict::NoOp,
        (true, false) if whole => Verdict::Applied,
        (true, false) => Verdict::Merged,
    };
    let effect = (verdict != Verdict::Applied).then_some(effect);
    Merge { verdict, effect, conflicts }
}

/// Sets merge by operation: what the author added is added, what they took is taken.
fn merge_set(now: Option<&Value>, change: &crate::changes::FieldChange) -> Option<Option<Value>> {
    fn elements<T: Ord + Clone>(now: &[T], old: &[T], new: &[T]) -> Vec<T> {
        let (old, new): (BTreeSet<&T>, BTreeSet<&T>) = (old.iter().collect(), new.iter().collect());
        let kept = now.iter().filter(|e| !old.contains(e) || new.contains(e));
        kept.chain(new.difference(&old).copied()).cloned().collect::<BTreeSet<T>>().into_iter().collect()
    }
    macro_rules! merged {
        ($variant:ident, $make:path) => {{
            let of = |value: Option<&Value>| match value {
                Some(Value::$variant(all)) => Some(all.clone()),
                None => Some(vec![]),
                _ => None,
            };
            let (now, old, new) = (of(now)?, of(change.old.as_ref())?, of(change.new.as_ref())?);
            Some($make(elements(&now, &old, &new)))
        }};
    }
    match [now, change.old.as_ref(), change.new.as_ref()].into_iter().flatten().next() {
        Some(Value::Ids(_)) => merged!(Ids, Value::ids),
        Some(Value::Texts(_)) => merged!(Texts, Value::texts),
        _ => None,
    }
}

/// The heads after an ordered change: its own record's, and a Draft's if it made one.
/// Replaying the log through this gives the heads, on every device.
pub fn heads_after(head: Option<Head>, record: &Ordered) -> Vec<(Kind, Id, Head)> {
    let change = &record.change;
    let mut after = Vec::new();
    let effect = record.effect();
    let applied = match record.verdict {
        Verdict::Applied => change.op != Op::AuditOnly,
        Verdict::Merged | Verdict::Drafted => !effect.is_empty(),
        Verdict::NoOp | Verdict::Refused | Verdict::Held => false,
    };
    if applied {
        let mut head = head.unwrap_or_default();
        head.rev = record.seq;
        match change.op {
            Op::Delete => head.deleted = true,
            Op::Purge => head = Head::purged(record.seq),
            Op::Restore => head.deleted = false,
            _ => {
                for (field, value) in effect {
                    match value {
                        Some(value) => head.fields.insert(field, value),
                        None => head.fields.remove(&field),
                    };
                }
            }
        }
        after.push((change.kind, change.entity, head));
    }
    if record.has_draft() {
        after.push((Kind::Draft, change.change_id, draft_head(record)));
    }
    after
}

fn draft_head(record: &Ordered) -> Head {
    let change = &record.change;
    let refused = record.verdict == Verdict::Refused;
    let message = match (refused, change.op) {
        (true, _) => record.refusal.clone(),
        (false, _) if change.kind == Kind::Split => "split here, and elsewhere meanwhile".to_owned(),
        (false, _) if change.is_claim() => "imported here, and elsewhere meanwhile".to_owned(),
        (false, Op::Delete) => "deleted here, changed elsewhere meanwhile".to_owned(),
        (false, _) => "changed here, and elsewhere since it was opened".to_owned(),
    };
    let draft = Draft {
        reason: if refused { "refused" } else { "conflict" }.to_owned(),
        state: "open".to_owned(),
        title: String::new(),
        message,
        owner: Some(change.actor),
        target_kind: Some(change.kind as i64),
        target: change.entity.to_string(),
        detail: codec::encode_conflicts(&record.conflicts),
        change: change.change_id.to_string(),
    };
    Head { rev: record.seq, deleted: false, fields: draft.to_fields() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::changes::{Cause, FieldChange, Via};
    use crate::domain::schema::SCHEMA_VERSION;
    use proptest::prelude::*;

    pub(crate) fn change(op: Op, fields: Vec<FieldChange>) -> Change {
        let id = Id([1; 16]);
        Change {
            change_id: id,
            txn_id: id,
            device: id,
            dseq: 1,
            actor: id,
            via: Via::Cli,
            hlc: 0,
            kind: Kind::Project,
            entity: id,
            op,
            base_rev: 1,
            fields,
            seen_hash: None,
            cause: Cause::Edit,
            undoes: None,
            why: String::new(),
            schema: SCHEMA_VERSION,
        }
    }

    fn text(t: &str) -> Option<Value> {
        Some(Value::Text(t.into()))
    }

    fn head(fields: &[(FieldId, Option<Value>)], rev: u64) -> Head {
        let fields = fields.iter().filter_map(|(f, v)| v.clone().map(|v| (*f, v))).collect();
        Head { rev, deleted: false, fields }
    }

    fn field(field: FieldId, old: Option<Value>, new: Option<Value>) -> FieldChange {
        FieldChange { field, old, new }
    }

    #[test]
    fn changes_to_different_fields_both_stand() {
        let now = head(&[(1, text("renamed"))], 2);
        let merge = merge(Some(&now), &change(Op::Set, vec![field(9, None, text("sales"))]));
        assert_eq!((merge.verdict, merge.effect), (Verdict::Merged, Some(vec![(9, text("sales"))])));
    }

    #[test]
    fn a_group_conflicts_as_one_and_the_rest_applies() {
        let date = Some(Value::Date("2026-02-01".parse().unwrap()));
        let now = head(&[(4, text("won"))], 2);
        let fields = vec![
            field(1, None, text("name")),
            field(4, text("open"), text("open")),
            field(6, None, date), // stage and close date are one group
        ];
        let merge = merge(Some(&now), &change(Op::Set, fields));
        assert_eq!(merge.verdict, Verdict::Drafted);
        assert_eq!(merge.effect, Some(vec![(1, text("name"))]));
        assert_eq!(merge.conflicts.iter().map(|c| c.field).collect::<Vec<_>>(), [4, 6]);
    }

    #[test]
    fn sets_merge_by_element() {
        let ids = |n: &[u8]| Value::ids(n.iter().map(|n| Id([*n; 16])).collect());
        let now = head(&[(3, ids(&[1, 2, 3]))], 2);
        let merge = merge(Some(&now), &change(Op::Set, vec![field(3, ids(&[1, 2]), ids(&[2, 4]))]));
        assert_eq!(merge.effect, Some(vec![(3, ids(&[2, 3, 4]))]));
    }

    #[test]
    fn a_delete_needs_what_its_author_saw() {
        let now = head(&[(1, text("a"))], 1);
        let mut delete = change(Op::Delete, vec![]);
        assert_eq!(merge(Some(&now), &delete).verdict, Verdict::Drafted);
        delete.seen_hash = Some(codec::content_hash(&now.fields));
        assert_eq!(merge(Some(&now), &delete).verdict, Verdict::Applied);
        let gone = Head { deleted: true, ..now };
        assert_eq!(merge(Some(&gone), &delete).verdict, Verdict::NoOp);
        assert_eq!(
            merge(Some(&gone), &change(Op::Set, vec![field(1, text("a"), text("b"))])).verdict,
            Verdict::Drafted
        );
    }

    fn any_state() -> impl Strategy<Value = Fields> {
        let values = (0u8..4).prop_map(|n| Value::Text(n.to_string()));
        prop::collection::btree_map(prop::sample::select(vec![1u16, 4, 6, 9, 10]), values, 0..5)
    }

    proptest! {
        /// Law: merging a difference into its own base gives the wanted state.
        #[test]
        fn a_difference_applied_to_its_base_gives_the_new_state(old in any_state(), new in any_state()) {
            let base = Head { rev: 1, deleted: false, fields: old.clone() };
            let change = change(Op::Set, Change::difference(Kind::Project, &old, &new));
            let merge = merge(Some(&base), &change);
            let record = Ordered { change, seq: 2, received_ms: 0, verdict: merge.verdict,
                effect: merge.effect, conflicts: merge.conflicts, refusal: String::new() };
            let expected = if old == new { Verdict::NoOp } else { Verdict::Applied };
            prop_assert_eq!(record.verdict, expected);
            let after = heads_after(Some(base), &record);
            prop_assert_eq!(after.first().map_or(&old, |(_, _, h)| &h.fields), &new);
        }

        /// Law: what is neither mine nor theirs never appears, and nothing conflicting is written.
        #[test]
        fn no_write_over_a_value_the_author_did_not_see(old in any_state(), mine in any_state(), theirs in any_state()) {
            let now = Head { rev: 2, deleted: false, fields: theirs.clone() };
            let merge = merge(Some(&now), &change(Op::Set, Change::difference(Kind::Project, &old, &mine)));
            for (field, value) in merge.effect.clone().unwrap_or_default() {
                prop_assert_eq!(value.as_ref(), mine.get(&field));
                prop_assert_eq!(theirs.get(&field), old.get(&field));
            }
        }
    }
}
