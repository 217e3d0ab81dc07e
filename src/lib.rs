//! PAMS: a keyboard-driven terminal workbench for organisations that sell in the field.
//!
//! Layers, each of which knows only those above it in this list:
//!
//! - [`domain`] what the business means: records, rules, checks; pure
//! - [`changes`] change record, three-way merge, sync protocol core; pure

pub mod changes;
pub mod domain;
