//! What a large command leaves to its end: index entries, written together in key order so
//! that each page is touched once, and values last used, of which the last counts.

use super::keys::front;
use super::reads::MAX_MISSES;
use super::{Batch, Stored};
use redb::ReadableTable;
use std::collections::BTreeMap;
use std::ops::Bound;

#[derive(Default)]
pub(super) struct Deferred {
    /// Entries, and whether they are added or taken away.
    pub entries: Vec<(Vec<u8>, bool)>,
    /// Rows of `latest`.
    pub last_used: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Batch<'_> {
    /// For a command that adds or takes away many records and does not look them up again.
    pub fn defer_indexes(&mut self) {
        self.deferred.get_or_insert_default();
    }

    pub(super) fn write_deferred(&mut self) -> Stored<()> {
        let Some(Deferred { entries, last_used }) = self.deferred.take() else { return Ok(()) };
        for (key, value) in last_used {
            self.tables.latest.insert(key.as_slice(), value.as_slice())?;
        }
        let mut keyed: Vec<(u128, Vec<u8>, bool)> =
            entries.into_iter().map(|(e, stays)| (front(&e), e, stays)).collect();
        keyed.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        // What was done last with an entry counts.
        keyed.dedup_by(|later, kept| {
            let again = later.1 == kept.1;
            if again {
                kept.2 = later.2;
            }
            again
        });
        let (entries, gone): (Vec<_>, Vec<_>) = keyed.into_iter().partition(|(.., stays)| *stays);
        self.remove_entries(&gone.into_iter().map(|(_, entry, _)| entry).collect::<Vec<_>>())?;
        self.insert_entries(entries.iter().map(|(_, entry, _)| entry.as_slice()))
    }

    /// Adds index entries that ascend.
    pub(super) fn insert_entries<'e>(&mut self, entries: impl Iterator<Item = &'e [u8]>) -> Stored<()> {
        let mut entries = entries.peekable();
        while let Some(first) = entries.next() {
            // One cursor serves a run of neighbours: up to the next entry that is stored.
            let end = match self.tables.idx.range(first..)?.next() {
                Some(row) => Some(row?.0.value().to_vec()),
                None => None,
            };
            // It was taken away and put back.
            if end.as_deref() == Some(first) {
                continue;
            }
            let mut cursor = self.tables.idx.lower_bound_mut(Bound::Included(first))?;
            cursor.insert_before(first, &())?;
            while let Some(next) = entries.next_if(|e| end.as_deref().is_none_or(|end| *e < end)) {
                cursor.insert_before(next, &())?;
            }
            cursor.close()?;
        }
        Ok(())
    }

    /// Takes index entries away that ascend: those that lie together in one sweep, which
    /// touches each page once.
    fn remove_entries(&mut self, entries: &[Vec<u8>]) -> Stored<()> {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let (mut run, mut misses) = (0, 0);
            for row in self.tables.idx.range(first.as_slice()..)? {
                let key = row?.0;
                run += rest[run..].iter().take_while(|entry| entry.as_slice() < key.value()).count();
                match rest.get(run) {
                    Some(next) if next.as_slice() == key.value() => (run, misses) = (run + 1, 0),
                    Some(_) if misses < MAX_MISSES => misses += 1,
                    _ => break,
                }
            }
            let (here, after) = rest.split_at(run.max(1));
            match here {
                [one] => drop(self.tables.idx.remove(one.as_slice())?),
                [first, .., last] => {
                    let mut gone = here.iter().peekable();
                    self.tables.idx.retain_in::<&[u8], _>(
                        first.as_slice()..=last.as_slice(),
                        |key, ()| {
                            while gone.next_if(|entry| entry.as_slice() < key).is_some() {}
                            gone.next_if(|entry| entry.as_slice() == key).is_none()
                        },
                    )?;
                }
                [] => {}
            }
            rest = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::tables::WriteTables;
    use crate::store::{Batch, Commit, Store};
    use proptest::prelude::*;
    use redb::ReadableTable;
    use std::collections::BTreeSet;

    /// Keys that lie together in some places and apart in others, over many pages.
    fn key(n: u16) -> Vec<u8> {
        [b"an index entry of some length ".as_slice(), &n.to_be_bytes(), &[0; 16]].concat()
    }

    fn entries(tables: &WriteTables) -> BTreeSet<Vec<u8>> {
        tables.idx.iter().unwrap().map(|row| row.unwrap().0.value().to_vec()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Law: what is deferred leaves the index as if each entry were written at once.
        #[test]
        fn entries_written_together_are_those_written_one_by_one(
            stored in prop::collection::btree_set(0u16..2_000, 0..1_200),
            runs in prop::collection::vec((0u16..2_000, 1u16..300, 1u16..40, any::<bool>()), 1..12),
        ) {
            let store = Store::with_backend(redb::backends::InMemoryBackend::new()).unwrap();
            let txn = store.begin(Commit::Safe).unwrap();
            let mut batch = Batch::open(&txn).unwrap();
            let before: BTreeSet<Vec<u8>> = stored.into_iter().map(key).collect();
            let mut expected = entries(&batch.tables);
            for entry in &before {
                batch.tables.idx.insert(entry.as_slice(), ()).unwrap();
            }
            expected.extend(before);
            batch.defer_indexes();
            for (from, length, step, stays) in runs {
                for n in (from..from.saturating_add(length)).step_by(usize::from(step)) {
                    batch.deferred.as_mut().unwrap().entries.push((key(n), stays));
                    if stays { expected.insert(key(n)) } else { expected.remove(&key(n)) };
                }
            }
            batch.write_deferred().unwrap();
            prop_assert_eq!(entries(&batch.tables), expected);
        }
    }
}
