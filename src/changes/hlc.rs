//! Hybrid logical clock (Kulkarni et al., 2014): wall milliseconds with a counter, so
//! that a device's stamps never go back. Shown to people, never used for order.

/// Furthest that a stamp may run ahead of the local clock.
const MAX_AHEAD_MS: u64 = 5 * 60 * 1000;

/// The stamp after `last`, given the wall clock: 48 bits of milliseconds, 16 of counter.
pub fn next(last: u64, now_ms: u64) -> u64 {
    let last = last.min((now_ms + MAX_AHEAD_MS) << 16);
    (last + 1).max(now_ms << 16)
}

/// Wall milliseconds of a stamp.
pub fn unix_ms(stamp: u64) -> i64 {
    (stamp >> 16) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back_and_forgets_a_clock_that_ran_ahead() {
        let a = next(0, 1_000);
        assert!(next(a, 900) > a);
        let wrong = next(0, 10_000_000_000);
        assert!(unix_ms(next(wrong, 1_000)) <= 1_000 + MAX_AHEAD_MS as i64);
    }
}
