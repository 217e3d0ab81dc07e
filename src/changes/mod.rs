//! The change record, three-way merge and the sync protocol's core. Pure: clocks,
//! randomness, storage and network are passed in, so a model test can drive it all.

pub mod codec;
pub mod hlc;
pub mod merge;
#[cfg(test)]
mod model;
pub mod protocol;
pub mod record;

pub use merge::Head;
pub use record::{Cause, Change, Conflict, FieldChange, Op, Ordered, PROVISIONAL, Verdict, Via};

/// Ways to break the protocol. The model test switches each on to see that it notices;
/// outside tests every one is constantly off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A conflicting write wins silently.
    LastWriteWins,
    /// A change that came before is taken again.
    NoDedupe,
    /// A restored server keeps its epoch.
    NoEpoch,
    /// A device forgets its changes when they are acknowledged, not when backed up.
    EarlyPruning,
    /// A device clears its queue by the push reply, not by the pulled stream.
    RepliesTrusted,
    /// A used sequence number with another change is taken for a repeat.
    NoForkCheck,
    /// Fields of a group merge one by one.
    FieldsNotGroups,
    /// A delete does not ask what its author saw.
    BlindDelete,
}

#[cfg(test)]
thread_local! {
    pub(crate) static MUTANT: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(crate) fn broken(mutant: Mutant) -> bool {
    MUTANT.with(|m| m.get() == Some(mutant))
}

#[cfg(not(test))]
pub(crate) const fn broken(_: Mutant) -> bool {
    false
}
