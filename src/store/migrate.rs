//! Numbered migrations: each brings the layout of the file from n to n + 1. All that
//! are due run in one transaction, after a copy of the file was made and verified.

use super::{CACHE_BYTES, Commit, Store, StoreError, Stored};
use redb::{Builder, WriteTransaction};
use std::path::{Path, PathBuf};

/// One step of the layout. What it does is never changed again: files of its number
/// exist, and tests/golden has one of each.
#[derive(Debug)]
pub struct Migration {
    /// Why, in a few words, for the person who reads an error.
    pub what: &'static str,
    pub run: fn(&WriteTransaction) -> Stored<()>,
}

/// The first brings layout 1 to 2.
pub const MIGRATIONS: &[Migration] =
    &[Migration { what: "the tables of a replica", run: super::tables::open_all }];

/// Layout of the tables as this program writes them; a store with a larger number was
/// written by a newer one.
pub const FORMAT: u32 = 1 + MIGRATIONS.len() as u32;

/// Brings a store from layout `found` to the one behind the last of `steps`. When it
/// fails, the file is as it was, and so is the copy.
pub fn run(store: &Store, found: u32, steps: &[Migration]) -> Stored<()> {
    if let Some(path) = store.path() {
        copy(path, found)?;
    }
    let txn = store.begin(Commit::Safe)?;
    for (number, step) in (1u32..).zip(steps).filter(|(number, _)| *number >= found) {
        let named = |e| StoreError::Corrupt(format!("step {number}, {}: {e}", step.what));
        (step.run)(&txn).map_err(named)?;
    }
    super::tables::set_format(&txn, 1 + steps.len() as u32)?;
    Ok(txn.commit()?)
}

/// Where the copy of a file of that layout lies.
pub fn copy_path(store: &Path, format: u32) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(format!(".layout-{format}"));
    store.with_file_name(name)
}

/// Copies the file while we alone hold it, and reads the copy whole. One that was left
/// by an attempt before is replaced only by one that is sound.
fn copy(path: &Path, format: u32) -> Stored<()> {
    let (kept, part) = (copy_path(path, format), path.with_extension("copying"));
    let failed = |e| StoreError::io(&part, e);
    std::fs::copy(path, &part).map_err(failed)?;
    std::fs::File::open(&part).and_then(|f| f.sync_all()).map_err(failed)?;
    let mut check = Builder::new();
    check.set_cache_size(CACHE_BYTES);
    let sound = check.open(&part).map_err(|e| StoreError::open(&part, e))?.check_integrity()?;
    if !sound {
        return Err(StoreError::Corrupt("its copy before the upgrade fails its checksums".into()));
    }
    std::fs::rename(&part, &kept).map_err(|e| StoreError::io(&kept, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::TableDefinition;

    const NEW: TableDefinition<&str, &str> = TableDefinition::new("new");
    const STEPS: [Migration; 2] = [
        Migration {
            what: "a new table",
            run: |txn| {
                txn.open_table(NEW)?.insert("first", "step")?;
                Ok(())
            },
        },
        Migration {
            what: "a second row",
            run: |txn| {
                txn.open_table(NEW)?.insert("second", "step")?;
                Ok(())
            },
        },
    ];
    const BROKEN: [Migration; 2] = [
        Migration { what: "a new table", run: STEPS[0].run },
        Migration { what: "what cannot be", run: |_| Err(StoreError::Full) },
    ];

    fn begin_at_one(store: &Store) {
        let txn = store.begin(Commit::Safe).unwrap();
        crate::store::tables::set_format(&txn, 1).unwrap();
        txn.commit().unwrap();
    }

    fn rows(store: &Store) -> usize {
        use redb::ReadableTableMetadata;
        let txn = store.read().unwrap();
        txn.open_table(NEW).map_or(0, |table| table.len().unwrap() as usize)
    }

    #[test]
    fn all_steps_or_none_and_a_copy_of_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pams.redb");
        let store = Store::open(&path).unwrap();
        begin_at_one(&store);
        let error = run(&store, 1, &BROKEN).unwrap_err().to_string();
        assert!(error.contains("step 2, what cannot be"), "{error}");
        assert_eq!((store.format().unwrap(), rows(&store)), (Some(1), 0), "the file is as it was");
        run(&store, 1, &STEPS).unwrap();
        assert_eq!((store.format().unwrap(), rows(&store)), (Some(3), 2));
        // This program does not know layout 3: it says so and changes nothing.
        drop(store);
        assert!(matches!(Store::open(&path), Err(StoreError::Newer { found: 3, .. })));
        let copy = Store::open(&copy_path(&path, 1)).unwrap();
        // Opened by this program, it is brought up by the steps that there are.
        assert_eq!((copy.format().unwrap(), rows(&copy)), (Some(FORMAT), 0), "the copy is what was before");
        assert!(!path.with_extension("copying").exists());
    }

    #[test]
    fn a_store_half_way_up_takes_only_the_steps_that_are_left() {
        let store = Store::with_backend(redb::backends::InMemoryBackend::new()).unwrap();
        run(&store, 2, &STEPS).unwrap();
        assert_eq!((store.format().unwrap(), rows(&store)), (Some(3), 1));
    }
}
