//! PAMS: a keyboard-driven terminal workbench for organisations that sell in the field.
//!
//! Layers, each of which knows only those above it in this list:
//!
//! - [`random`] numbers from a seed, for sample data and tests
//! - [`domain`] what the business means: records, rules, checks; pure
//! - [`frames`] what goes between processes of one machine
//! - [`changes`] change record, three-way merge, sync protocol core; pure
//! - [`columns`] chunks of bulk tables, column by column; pure
//! - [`intake`] files in: opening, mapping, verdicts; pure
//! - [`store`] the embedded redb store: log, heads, indexes
//! - [`jobs`] heavy work in processes of its own
//! - [`services`] what can be asked: one request a struct, beside its answer
//! - [`engine`] the one door: host or guest, one writer, group commit
//! - [`config`] folders, settings, the clock: read at the edge
//! - [`remote`] the way to a remote instance: HTTPS, trust, the cookie
//! - [`server`] the remote instance: routes over rustls
//! - [`tui`] the terminal interface
//! - [`cli`] the command line

pub mod changes;
pub mod cli;
pub mod columns;
pub mod config;
pub mod domain;
pub mod engine;
pub mod frames;
pub mod intake;
pub mod jobs;
pub mod random;
pub mod remote;
pub mod server;
pub mod services;
pub mod solver;
pub mod store;
pub mod tui;
