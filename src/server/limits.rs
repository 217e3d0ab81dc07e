//! How much one address and one person may ask: a bucket each that fills at a steady rate
//! (GCRA), so that a burst passes and a flood does not.

use crate::domain::Id;
use crate::server::Problem;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// What may come at once, in seconds of the rate.
const BURST: u32 = 4;
/// An address may stand for an office.
const PEOPLE: u32 = 20;
/// Sign-ins from one address, of which each costs a password hash: a second, and at once.
const SIGN_INS: u32 = 10;
const SIGN_IN_BURST: u32 = 200;
/// Keys that are remembered before those that rest are forgotten.
const MAX_KEYS: usize = 10_000;

struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock, NoOpMiddleware>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(rate: u32, burst: u32) -> Buckets<K> {
        let some = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(some(rate)).allow_burst(some(burst));
        Buckets { limiter: RateLimiter::hashmap(quota) }
    }

    fn take(&self, key: &K) -> Result<(), Problem> {
        if self.limiter.len() > MAX_KEYS {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Problem::new("too_many", "Too many requests; wait a moment").after(wait.as_millis() as i64)
        })
    }
}

pub struct Limits {
    addresses: Buckets<IpAddr>,
    people: Buckets<Id>,
    sign_ins: Buckets<IpAddr>,
}

impl Limits {
    /// `rate`: requests a second of one person, over all their sessions.
    pub fn new(rate: u32) -> Limits {
        let office = rate.saturating_mul(PEOPLE);
        Limits {
            addresses: Buckets::new(office, office.saturating_mul(BURST)),
            people: Buckets::new(rate, rate.saturating_mul(BURST)),
            sign_ins: Buckets::new(SIGN_INS, SIGN_IN_BURST),
        }
    }

    /// # Errors
    /// `too_many`, with how long to wait.
    pub fn address(&self, address: IpAddr) -> Result<(), Problem> {
        self.addresses.take(&address)
    }

    pub fn person(&self, user: Id) -> Result<(), Problem> {
        self.people.take(&user)
    }

    pub fn sign_in(&self, address: IpAddr) -> Result<(), Problem> {
        self.sign_ins.take(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_told_to_wait() {
        let limits = Limits::new(5);
        let (me, other) = (Id([1; 16]), Id([2; 16]));
        let passed = (0..100).filter(|_| limits.person(me).is_ok()).count();
        assert!((20..=25).contains(&passed), "{passed}");
        let problem = limits.person(me).unwrap_err();
        assert_eq!((problem.code, problem.retry_after_s), ("too_many", Some(1)));
        assert!(limits.person(other).is_ok(), "nobody pays for somebody else");
    }
}
