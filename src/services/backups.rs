//! Backups: the store as it stands at one moment, in a file of its own, which is opened
//! and checked before anybody relies on it. Which of them are kept is told by their days.

use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::services::{Query, ReadCx};
use crate::store::{self, Reads, Store};
use chrono::{Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Writes the store as it is now to a file that is not there yet. The host does it, while
/// others go on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WriteBackup {
    pub path: PathBuf,
}

impl Query for WriteBackup {
    const NAME: &'static str = "backup.write";
    /// The last place of the log that is in it.
    type Reply = u64;

    fn run(&self, cx: &ReadCx) -> Outcome<u64> {
        if !self.path.is_absolute() || self.path.exists() {
            return Err(Failure::usage(format!("{} is not a new file", self.path.display())));
        }
        let seq = cx.reads.last_seq()?;
        let part = self.path.with_extension("part");
        let _ = std::fs::remove_file(&part);
        cx.reads.copy_to(&part)?;
        let moved = std::fs::rename(&part, &self.path);
        moved.map_err(|e| {
            Failure::invalid(format!("{} cannot be written: {}", self.path.display(), said(&e)))
        })?;
        Ok(seq)
    }
}

/// What a check of a backup found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    pub seq: u64,
    pub epoch: u64,
    pub records: u64,
    pub state_hash: String,
    pub bytes: u64,
}

/// Opens a backup as a restore would, and reads all of it: the file's checksums, the
/// chain of the log, heads and indexes against the log.
///
/// # Errors
/// Corrupt, with the first thing that is wrong.
pub fn check(path: &Path) -> Outcome<Checked> {
    let bytes = std::fs::metadata(path)
        .map_err(|e| Failure::not_found(format!("{} cannot be read: {}", path.display(), said(&e))))?
        .len();
    let corrupt = |what: &str| {
        Failure::new(FailureKind::Corrupt, format!("{} is damaged: {what}", path.display()))
            .hint("`pams backup list` shows the others")
    };
    let mut store = Store::open(path).map_err(|e| corrupt(&e.to_string()))?;
    if !store.verify_file().map_err(|e| corrupt(&e.to_string()))? {
        return Err(corrupt("its checksums fail"));
    }
    let view = store.view()?;
    let report = store::check(&view).map_err(|e| corrupt(&e.to_string()))?;
    if let Some(wrong) = report.wrong.first() {
        return Err(corrupt(wrong));
    }
    Ok(Checked {
        seq: view.last_seq()?,
        epoch: store::meta_number(&view, store::EPOCH)?.unwrap_or(0),
        records: report.records,
        state_hash: report.state_hash,
        bytes,
    })
}

/// How many days, weeks and months keep their last backup.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub daily: usize,
    pub weekly: usize,
    pub monthly: usize,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { daily: 7, weekly: 4, monthly: 12 }
    }
}

impl Retention {
    /// Which of the days, newest first, keep their backup: the newest always, then the
    /// last of each of so many days, ISO weeks and months that have one.
    pub fn keeps(&self, days: &[NaiveDate]) -> Vec<bool> {
        let mut keeps = vec![false; days.len()];
        fn last_of_each<K: Eq + std::hash::Hash>(
            days: &[NaiveDate],
            most: usize,
            of: impl Fn(&NaiveDate) -> K,
            keeps: &mut [bool],
        ) {
            let mut seen = HashSet::new();
            for (day, keep) in days.iter().zip(keeps) {
                if seen.len() < most && seen.insert(of(day)) {
                    *keep = true;
                }
            }
        }
        last_of_each(days, self.daily, |d| *d, &mut keeps);
        last_of_each(days, self.weekly, |d| (d.iso_week().year(), d.iso_week().week()), &mut keeps);
        last_of_each(days, self.monthly, |d| (d.year(), d.month()), &mut keeps);
        if let Some(newest) = keeps.first_mut() {
            *newest = true;
        }
        keeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_of_days_weeks_and_months_are_kept() {
        // Two on one day, the turn of a year inside one ISO week, an old one.
        let days = [
            "2026-01-02",
            "2026-01-02",
            "2026-01-01",
            "2025-12-31",
            "2025-12-28",
            "2025-11-30",
            "2024-02-29",
        ];
        let days: Vec<NaiveDate> = days.iter().map(|d| day(d)).collect();
        let keeps = |daily, weekly, monthly| Retention { daily, weekly, monthly }.keeps(&days);
        assert_eq!(keeps(2, 0, 0), [true, false, true, false, false, false, false]);
        assert_eq!(keeps(0, 2, 0), [true, false, false, false, true, false, false]);
        assert_eq!(keeps(0, 0, 9), [true, false, false, true, false, true, true]);
        assert_eq!(keeps(0, 0, 0), [true, false, false, false, false, false, false], "the newest always");
    }

    proptest! {
        /// Law: keeping twice keeps the same.
        #[test]
        fn what_is_kept_stays_kept(mut offsets in prop::collection::vec(0i64..900, 1..60)) {
            offsets.sort_unstable();
            let days: Vec<NaiveDate> = offsets.iter().map(|o| day("2026-11-22") - chrono::TimeDelta::days(*o)).collect();
            let rule = Retention::default();
            let kept: Vec<NaiveDate> = days.iter().zip(rule.keeps(&days)).filter(|(_, k)| *k).map(|(d, _)| *d).collect();
            prop_assert!(rule.keeps(&kept).iter().all(|k| *k));
        }
    }
}
