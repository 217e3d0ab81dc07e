//! Ids that say what they stand for, so that a step done twice, or on two devices, is done
//! once: a month of a batch, the activity of a row, a record made of a text.

use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Id, text};

/// Bits of a row's number, and of the mark of its batch before it.
const ROW_BITS: u32 = 32;
const MARK_BITS: u32 = 22;
/// Bits of the hash of a text, behind the mark.
const TEXT_BITS: u32 = 40;
/// Stands where a row has its month: no month has this number.
const MADE_OF_TEXT: u128 = 0xfff;

fn hashed(parts: &[&[u8]]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(bytes)
}

/// What the ids of a batch's rows share beside its instant, and what scatters their ends.
fn mark(batch: Id) -> (u128, u32) {
    let hash = hashed(&[&batch.0, b"rows"]);
    (hash & ((1 << MARK_BITS) - 1), (hash >> 64) as u32)
}

pub fn month(batch: Id, month: Month) -> Id {
    Id::from_parts(batch.unix_ms(), hashed(&[&batch.0, month.to_string().as_bytes()]))
}

/// The activity of a row. Rows of a month lie side by side, in the file's order within
/// blocks of a power of two.
pub fn activity(batch: Id, month: Month, record: u32) -> Id {
    let (mark, scatter) = mark(batch);
    let months = month.number() / 100 * 12 + month.number() % 100;
    let high = (months as u128 % MADE_OF_TEXT) << 62;
    Id::from_parts(batch.unix_ms(), high | mark << ROW_BITS | u128::from(record ^ scatter))
}

/// The row of a batch that an activity was made of.
pub fn record(batch: Id, activity: Id) -> Option<u32> {
    let (mark, scatter) = mark(batch);
    let bits = u128::from_be_bytes(activity.0);
    let ours = activity.unix_ms() == batch.unix_ms() && bits >> ROW_BITS & ((1 << 30) - 1) == mark;
    ours.then_some(bits as u32 ^ scatter)
}

/// A record that was made of a text nobody knew.
pub fn stub(batch: Id, kind: Kind, name: &str) -> Id {
    let hash = hashed(&[&batch.0, &[kind as u8], text::fold(name).as_bytes()]);
    let low = mark(batch).0 << TEXT_BITS | hash & ((1 << TEXT_BITS) - 1);
    Id::from_parts(batch.unix_ms(), MADE_OF_TEXT << 62 | low)
}

/// Whether a record was made by this batch of a text.
pub fn is_stub(batch: Id, id: Id) -> bool {
    let bits = u128::from_be_bytes(id.0);
    let marked = bits >> TEXT_BITS & ((1 << MARK_BITS) - 1) == mark(batch).0;
    id.unix_ms() == batch.unix_ms() && bits >> 64 & 0xfff == MADE_OF_TEXT && marked
}

/// Before all ids of a batch.
pub fn first(batch: Id) -> Id {
    Id::from_parts(batch.unix_ms(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: an id says its batch and row, and no two rows share one.
        #[test]
        fn an_activity_says_its_row(ms in 0u64..1 << 47, bits in any::<u64>(), row in 0u32..1 << 30, other in 0u32..1 << 30) {
            let batch = Id::from_parts(ms, u128::from(bits));
            let of = Month::parse("2025-03").unwrap();
            let id = activity(batch, of, row);
            prop_assert_eq!(record(batch, id), Some(row));
            prop_assert_eq!(id == activity(batch, of, other), row == other);
            prop_assert!(!is_stub(batch, id) && is_stub(batch, stub(batch, Kind::Account, "Halden")));
            prop_assert!(record(Id::from_parts(ms + 1, u128::from(bits)), id).is_none());
        }
    }
}
