//! The route optimiser: a problem in, a plan out, with progress, cancel and warm start. It
//! imports nothing of the rest and knows no store, no terminal, and no clock but the one
//! handed in.

pub mod anneal;
pub mod check;
mod construct;
pub mod engine;
pub mod geometry;
pub mod journey;
mod mend;
pub mod partition;
mod parts;
pub mod polish;
pub mod problem;
pub mod read;
pub mod soft;
pub mod state;
mod territory;

pub use anneal::Ruin;
