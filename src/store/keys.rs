//! Keys whose byte order is the order of what they stand for.

use crate::domain::schema::{Index, Kind};
use crate::domain::value::Value;
use crate::domain::{Fields, Id, text};
use chrono::{Datelike, NaiveDate};

/// Longest text in an index entry, in bytes.
const MAX_TEXT: usize = 96;

/// kind ‖ entity
pub fn head_key(kind: Kind, entity: Id) -> [u8; 17] {
    let mut key = [0; 17];
    key[0] = kind as u8;
    key[1..].copy_from_slice(&entity.0);
    key
}

/// What a key of a head stands for; nothing where the kind is not known.
pub fn of_head(key: &[u8; 17]) -> Option<(Kind, Id)> {
    let mut id = [0; 16];
    id.copy_from_slice(&key[1..]);
    Some((Kind::from_number(key[0])?, Id(id)))
}

/// kind ‖ entity ‖ seq
pub fn entity_key(kind: Kind, entity: Id, seq: u64) -> [u8; 25] {
    let mut key = [0; 25];
    key[..17].copy_from_slice(&head_key(kind, entity));
    key[17..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// rev ‖ kind ‖ entity
pub fn former_key(rev: u64, kind: Kind, entity: Id) -> [u8; 25] {
    let mut key = [0; 25];
    key[..8].copy_from_slice(&rev.to_be_bytes());
    key[8..].copy_from_slice(&head_key(kind, entity));
    key
}

/// transaction ‖ first seq
pub fn txn_key(txn: Id, seq: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&txn.0);
    key[16..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// batch ‖ row
pub fn stage_key(batch: Id, row: u32) -> [u8; 20] {
    let mut key = [0; 20];
    key[..16].copy_from_slice(&batch.0);
    key[16..].copy_from_slice(&row.to_be_bytes());
    key
}

/// A position in an index: its number, then encoded parts.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexKey(pub Vec<u8>);

impl IndexKey {
    pub fn new(number: u8) -> IndexKey {
        // Most keys are an id or two, a day and the record's id.
        let mut key = Vec::with_capacity(64);
        key.push(number);
        IndexKey(key)
    }
    pub fn id(mut self, id: Id) -> IndexKey {
        self.0.extend_from_slice(&id.0);
        self
    }
    pub fn date(mut self, date: NaiveDate) -> IndexKey {
        // Flipping the sign bit puts negative numbers before positive ones.
        self.0.extend_from_slice(&(date.num_days_from_ce() as u32 ^ 1 << 31).to_be_bytes());
        self
    }
    pub fn int(mut self, number: i64) -> IndexKey {
        self.0.extend_from_slice(&(number as u64 ^ 1 << 63).to_be_bytes());
        self
    }
    /// A whole text; without it the key is a prefix of all texts.
    pub fn text(mut self, text: &str) -> IndexKey {
        self.0.extend_from_slice(fold_key(text).as_bytes());
        self.0.push(0);
        self
    }
    /// The beginning of a text.
    pub fn text_prefix(mut self, text: &str) -> IndexKey {
        self.0.extend_from_slice(fold_key(text).as_bytes());
        self
    }
    /// The first key after all that start with this one.
    pub fn after(mut self) -> IndexKey {
        while let Some(last) = self.0.pop() {
            if last < u8::MAX {
                self.0.push(last + 1);
                return self;
            }
        }
        IndexKey(vec![u8::MAX; 2])
    }
}

/// A text as indexes hold it: folded, cut to a length, and the raw text where folding
/// leaves nothing (a name made of signs only).
pub fn fold_key(raw: &str) -> String {
    let folded = text::fold(raw);
    let mut key = if folded.is_empty() { raw.trim().to_lowercase().replace('\0', "") } else { folded };
    while key.len() > MAX_TEXT {
        key.pop();
    }
    key
}

/// All entries of a record in one index: several where a field is a set, none where a
/// field is empty.
pub fn entries(index: &Index, fields: &Fields, entity: Id) -> Vec<Vec<u8>> {
    let mut keys = vec![IndexKey::new(index.number)];
    for field in index.fields {
        match fields.get(field) {
            None | Some(Value::Bytes(_) | Value::Unknown(..)) => return vec![],
            Some(Value::Ids(ids)) => {
                keys = keys.iter().flat_map(|key| ids.iter().map(|id| key.clone().id(*id))).collect();
            }
            Some(Value::Texts(texts)) => {
                keys = keys.iter().flat_map(|key| texts.iter().map(|t| key.clone().text(t))).collect();
            }
            Some(value) => keys = keys.into_iter().map(|key| extended(key, value)).collect(),
        }
    }
    if keys.len() == 1 {
        return keys.into_iter().map(|key| key.id(entity).0).collect();
    }
    // Two words of a set may fold alike: one entry serves both.
    let entries: std::collections::BTreeSet<Vec<u8>> = keys.into_iter().map(|key| key.id(entity).0).collect();
    entries.into_iter().collect()
}

/// The key with a single value behind it.
fn extended(key: IndexKey, value: &Value) -> IndexKey {
    match value {
        Value::Text(text) => key.text(text),
        Value::Int(number) => key.int(*number),
        Value::Bool(yes) => key.int(i64::from(*yes)),
        Value::Date(date) => key.date(*date),
        Value::Id(id) => key.id(*id),
        Value::Money(money) => key.int(money.minor),
        Value::Ids(_) | Value::Texts(_) | Value::Bytes(_) | Value::Unknown(..) => key,
    }
}

/// The beginning of an entry, for sorting many: most are told apart by it, and the rest of
/// them need not be fetched.
pub fn front(entry: &[u8]) -> u128 {
    let mut front = [0; 16];
    let length = entry.len().min(16);
    front[..length].copy_from_slice(&entry[..length]);
    u128::from_be_bytes(front)
}

/// The record at the end of an index entry.
pub fn entry_id(entry: &[u8]) -> Option<Id> {
    entry.len().checked_sub(16).and_then(|at| entry[at..].try_into().ok()).map(Id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: byte order of keys = order of values.
        #[test]
        fn keys_sort_as_values(a in -800_000i32..800_000, b in -800_000i32..800_000, m: i64, n: i64) {
            let day = |d| NaiveDate::from_num_days_from_ce_opt(d).unwrap();
            let date = |d| IndexKey::new(1).date(day(d)).0;
            prop_assert_eq!(a.cmp(&b), date(a).cmp(&date(b)));
            prop_assert_eq!(m.cmp(&n), IndexKey::new(1).int(m).0.cmp(&IndexKey::new(1).int(n).0));
        }

        #[test]
        fn after_bounds_every_key_with_the_prefix(prefix in prop::collection::vec(any::<u8>(), 1..6), rest in prop::collection::vec(any::<u8>(), 0..6)) {
            prop_assume!(prefix[0] < 255);
            let key = [prefix.clone(), rest].concat();
            prop_assert!(IndexKey(prefix).after().0 > key);
        }
    }

    #[test]
    fn a_name_of_signs_still_has_a_key() {
        assert_eq!(fold_key("???"), "???");
        assert!(fold_key(&"ü".repeat(500)).len() <= MAX_TEXT);
    }
}
