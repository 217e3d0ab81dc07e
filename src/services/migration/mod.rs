//! Activities of an earlier system: loaded as drafts, checked and completed, confirmed by
//! the month, promoted to activities, rolled back where that was wrong.
//!
//! A load is an import like any other (`services/imports`, `intake/bulk/legacy.rs`); its
//! commit keeps the rows in columnar chunks that its batch names, and touches nothing that is
//! live. From there on a month is a record of its own: its state, what became of each of its
//! rows, and what people chose. The texts of a file are said once each, for all files. A row
//! is always the same activity, so a promotion that is done twice, here or on two devices, is
//! done once.

mod book;
mod choices;
mod counts;
mod ids;
mod judged;
mod meanings;
mod show;
mod staged;
mod steps;

use crate::domain::{Id, Outcome, text};
use crate::store::Reads;

pub use choices::{Choice, DUPLICATES, Fate, Rules, SIDES, What};
pub use counts::*;
pub use meanings::*;
pub use show::*;
pub use steps::*;

/// Loads whose file is called so, or whose id ends so.
pub fn called(reads: &dyn Reads, name: &str) -> Outcome<Vec<Id>> {
    let wanted = text::fold(name);
    let all = staged::batches(reads)?.into_iter();
    let fits = |(id, batch): &(Id, _)| -> bool {
        let batch: &crate::domain::schema::Batch = batch;
        text::fold(&batch.file).contains(&wanted) || id.ends_with(name)
    };
    Ok(all.filter(fits).map(|(id, _)| id).collect())
}

/// Whether an activity was made of a row of this load.
pub fn made(batch: Id, activity: Id) -> bool {
    ids::record(batch, activity).is_some()
}
