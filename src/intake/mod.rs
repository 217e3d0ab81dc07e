//! Files in: opening, finding the table, mapping its columns, reading its rows. Knows no
//! store: a file in, rows and verdicts out; services put them into the store.

pub mod bulk;
pub mod columns;
pub mod dialect;
pub mod fixes;
pub mod garbled;
pub mod hierarchy;
pub mod mapping;
pub mod notation;
pub mod open;
pub mod quotes;
pub mod rules;
pub mod wins;
pub mod xlsx;
