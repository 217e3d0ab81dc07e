//! How a process finds its role: it knocks at the socket and becomes a guest, or opens
//! the file and becomes the host, or rests and tries again. Pure: whoever drives it
//! knocks, opens and rests, so that the same decisions run against a simulated world.

use std::time::Duration;

/// How long a process tries before it says who holds the store.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// First and longest rest between two tries.
const RESTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Knock,
    Open,
    Rest(Duration),
    /// Somebody holds the file and does not answer.
    GiveUp,
}

/// What came of a step that did not settle the role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    NobodyListens,
    FileHeld,
    Rested,
}

#[derive(Clone, Debug)]
pub struct Joining {
    rest: Duration,
}

impl Joining {
    pub fn start() -> (Joining, Step) {
        (Joining { rest: RESTS.0 }, Step::Knock)
    }

    /// The step after one that was tried in vain; `elapsed` since the start.
    pub fn next(&mut self, seen: Seen, elapsed: Duration) -> Step {
        match seen {
            Seen::NobodyListens => Step::Open,
            Seen::FileHeld if elapsed >= PATIENCE => Step::GiveUp,
            Seen::FileHeld => {
                let rest = self.rest;
                self.rest = (rest * 2).min(RESTS.1);
                Step::Rest(rest)
            }
            Seen::Rested => Step::Knock,
        }
    }
}
