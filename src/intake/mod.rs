//! Files in: opening, finding the table, mapping its columns, reading its rows. Pure:
//! bytes in, rows and verdicts out; services put them into the store.

pub mod fixes;
pub mod garbled;
pub mod mapping;
pub mod open;
pub mod rules;
pub mod wins;
