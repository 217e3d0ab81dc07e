//! Requests that come again under one Idempotency-Key (IETF draft
//! idempotency-key-header): the same is answered again, something else is refused, and
//! what is still under way is not begun twice. The store itself remembers the answer under
//! the transaction that the key stands for; here stands which request it was to.

use crate::domain::Id;
use crate::server::Problem;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

/// Keys that are remembered; the oldest go first, as the store's answers do.
const MAX_KEYS: usize = 4_096;

#[derive(Default)]
struct Known {
    requests: HashMap<Id, ([u8; 32], bool)>,
    order: VecDeque<Id>,
}

#[derive(Default)]
pub struct Replays(Mutex<Known>);

/// A request under way; when it goes, its key may be tried again.
pub struct Begun<'a> {
    replays: &'a Replays,
    txn: Id,
    /// It was done before, and is answered again.
    pub again: bool,
}

impl Replays {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// # Errors
    /// `invalid` for another body under the key, `conflict` while the first is under way.
    pub fn begin(&self, txn: Id, body: &[u8]) -> Result<Begun<'_>, Problem> {
        let hash: [u8; 32] = blake3::hash(body).into();
        let mut known = self.known();
        let again = match known.requests.get(&txn) {
            Some((before, _)) if *before != hash => {
                return Err(Problem::new("invalid", "Another request was sent under this Idempotency-Key"));
            }
            Some((_, true)) => {
                return Err(Problem::new(
                    "conflict",
                    "The request under this Idempotency-Key is still under way",
                ));
            }
            known => known.is_some(),
        };
        known.requests.insert(txn, (hash, true));
        if !again {
            known.order.push_back(txn);
        }
        if known.order.len() > MAX_KEYS
            && let Some(oldest) = known.order.pop_front()
        {
            known.requests.remove(&oldest);
        }
        Ok(Begun { replays: self, txn, again })
    }
}

impl Begun<'_> {
    /// Nothing was done: the key is free for another try, of another body too.
    pub fn failed(self) {
        let mut known = self.replays.known();
        known.requests.remove(&self.txn);
        known.order.retain(|txn| *txn != self.txn);
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some((_, running)) = self.replays.known().requests.get_mut(&self.txn) {
            *running = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_one_request() {
        let replays = Replays::default();
        let txn = Id([1; 16]);
        let first = replays.begin(txn, b"one").unwrap();
        assert!(!first.again);
        assert_eq!(replays.begin(txn, b"one").err().unwrap().code, "conflict");
        drop(first);
        assert!(replays.begin(txn, b"one").unwrap().again);
        assert_eq!(replays.begin(txn, b"two").err().unwrap().code, "invalid");
        replays.begin(txn, b"one").unwrap().failed();
        assert!(!replays.begin(txn, b"two").unwrap().again, "what failed was never done");
        for n in 0..MAX_KEYS as u32 {
            let mut id = [9; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            drop(replays.begin(Id(id), b"").unwrap());
        }
        assert!(!replays.begin(txn, b"three").unwrap().again, "the oldest are forgotten");
    }
}
