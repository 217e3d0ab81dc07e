//! Numbers that look random and come from a seed: sample data, torture and tests print
//! the seed and can be repeated. Beside them the few that nobody may guess.

use std::cell::RefCell;

/// Bytes fetched from the operating system at once.
const POOL: usize = 2_048;

thread_local! {
    static FETCHED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that nobody can guess, for ids and salts: of the operating system, some hundred at
/// a time, as a large change needs one or two a record.
pub fn secret() -> [u8; 16] {
    FETCHED.with_borrow_mut(|pool| {
        if pool.len() < 16 {
            pool.resize(POOL, 0);
            if getrandom::fill(pool).is_err() {
                pool.clear();
            }
        }
        let from = pool.len().saturating_sub(16);
        let secret = pool[from..].try_into();
        pool.truncate(from);
        // Without a source there is no key and no session either: this says so at once.
        secret.unwrap_or_else(|_| uuid::Uuid::new_v4().into_bytes())
    })
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to look alive.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number from 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
