//! The embedded store: one redb file. The only place that knows tables, keys and
//! bytes. Everything in it is the change log or a view of it, but for a few local
//! tables (autosave, staged import rows, blobs, replies to repeat).

mod check;
mod deferred;
mod error;
mod install;
mod keys;
mod migrate;
mod reads;
mod replica;
mod tables;
mod write;

pub use check::{Report, check};
pub use error::StoreError;
pub use install::Prepared;
pub use keys::{IndexKey, fold_key};
pub use migrate::FORMAT;
pub use reads::{Reads, TxnRow, Visit};
pub use write::Batch;

use crate::domain::Id;
use migrate::MIGRATIONS;
use redb::{Builder, Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase};
use redb::{StorageBackend, WriteTransaction};
use std::path::{Path, PathBuf};

pub type Stored<T> = Result<T, StoreError>;

/// redb's page cache: enough for the hot pages of a million records, and half of what a
/// terminal may take in memory (docs/performance.md).
const CACHE_BYTES: usize = 16 << 20;

/// An open store. One process at a time holds it; redb's file lock sees to that.
pub struct Store {
    db: Db,
    /// Empty for a store on a backend of its own.
    path: PathBuf,
}

enum Db {
    Whole(Box<Database>),
    /// A file that we may only read.
    ReadOnly(ReadOnlyDatabase),
}

/// A consistent look at the store. Short-lived: an old one keeps its pages alive.
pub struct View {
    tables: tables::ReadTables,
    /// Who looks, where that is not the store's owner.
    acts_for: Option<Id>,
    _txn: ReadTransaction,
}

impl View {
    /// Looks on behalf of somebody who signed in: the owner, for whoever asks, is them.
    pub fn act_for(mut self, actor: Option<Id>) -> View {
        self.acts_for = actor;
        self
    }
}

/// How a transaction reaches the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Durable, and quick to open after a crash.
    Safe,
    /// Part of a bulk load whose last commit is `Safe`.
    Bulk,
}

impl Store {
    /// Opens the file, making it if it is not there.
    pub fn open(path: &Path) -> Stored<Store> {
        let fresh = !path.exists();
        if !fresh && stays_empty(path) {
            return Err(StoreError::Empty(path.to_owned()));
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| StoreError::io(folder, e))?;
        }
        let db =
            Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(|e| StoreError::open(path, e))?;
        if fresh {
            use std::os::unix::fs::PermissionsExt;
            let owner_only = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(path, owner_only).map_err(|e| StoreError::io(path, e))?;
        }
        Store { db: Db::Whole(Box::new(db)), path: path.to_owned() }.prepared()
    }

    /// Opens a file that cannot be written, such as one of a backup medium. It must have
    /// been closed properly: repairing it would be writing.
    pub fn open_read_only(path: &Path) -> Stored<Store> {
        let db = Builder::new().set_cache_size(CACHE_BYTES).open_read_only(path);
        let db = db.map_err(|e| StoreError::open(path, e))?;
        let store = Store { db: Db::ReadOnly(db), path: path.to_owned() };
        match store.format()? {
            Some(FORMAT) => Ok(store),
            Some(found) if found > FORMAT => {
                Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT })
            }
            _ => Err(store.unwritable("its layout is an older one that has to be brought up")),
        }
    }

    fn unwritable(&self, why: &str) -> StoreError {
        StoreError::Unwritable { path: self.path.clone(), why: why.to_owned() }
    }

    fn read(&self) -> Stored<ReadTransaction> {
        Ok(match &self.db {
            Db::Whole(db) => db.begin_read()?,
            Db::ReadOnly(db) => db.begin_read()?,
        })
    }

    fn writable(&mut self) -> Stored<&mut Database> {
        match &mut self.db {
            Db::Whole(db) => Ok(db),
            Db::ReadOnly(_) => {
                Err(StoreError::Unwritable { path: self.path.clone(), why: "it can only be read".into() })
            }
        }
    }

    /// A store on any backend: memory for tests, a simulated disk for crash tests.
    pub fn with_backend(backend: impl StorageBackend) -> Stored<Store> {
        let path = PathBuf::new();
        let mut builder = Builder::new();
        builder.set_cache_size(4 << 20);
        let db = builder.create_with_backend(backend).map_err(|e| StoreError::open(&path, e))?;
        Store { db: Db::Whole(Box::new(db)), path }.prepared()
    }

    fn prepared(self) -> Stored<Store> {
        match self.format()? {
            None => {
                let txn = self.begin(Commit::Safe)?;
                tables::create(&txn)?;
                txn.commit()?;
            }
            Some(FORMAT) => {}
            Some(found) if (1..FORMAT).contains(&found) => migrate::run(&self, found, MIGRATIONS)?,
            Some(found) => return Err(StoreError::Newer { path: self.path.clone(), found, known: FORMAT }),
        }
        Ok(self)
    }

    fn format(&self) -> Stored<Option<u32>> {
        tables::format(&self.read()?)
    }

    /// The file, if the store is one.
    pub fn path(&self) -> Option<&Path> {
        Some(self.path.as_path()).filter(|p| !p.as_os_str().is_empty())
    }

    /// Looks at the store as it is now.
    pub fn view(&self) -> Stored<View> {
        let txn = self.read()?;
        Ok(View { tables: tables::ReadTables::open(&txn)?, acts_for: None, _txn: txn })
    }

    fn begin(&self, commit: Commit) -> Stored<WriteTransaction> {
        let Db::Whole(db) = &self.db else { return Err(self.unwritable("it can only be read")) };
        let mut txn = db.begin_write()?;
        txn.set_quick_repair(commit == Commit::Safe);
        Ok(txn)
    }

    /// Runs `work` in one transaction: all of it is durable when this returns `Ok`,
    /// none of it is there when it returns `Err`.
    pub fn write<T, E: From<StoreError>>(
        &self,
        commit: Commit,
        work: impl FnOnce(&mut Batch) -> Result<T, E>,
    ) -> Result<T, E> {
        let txn = self.begin(commit)?;
        let done = {
            let mut batch = Batch::open(&txn)?;
            let done = work(&mut batch)?;
            batch.finish()?;
            done
        };
        txn.commit().map_err(StoreError::from)?;
        Ok(done)
    }

    /// Whether the file's own checksums hold. Slow: reads everything.
    pub fn verify_file(&mut self) -> Stored<bool> {
        Ok(self.writable()?.check_integrity()?)
    }

    /// Gives free pages back to the file system.
    pub fn compact(&mut self) -> Stored<bool> {
        self.writable()?.compact().map_err(|e| StoreError::Other(e.to_string()))
    }

    /// Bytes of the file.
    pub fn size_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |m| m.len())
    }
}

/// Writes tables into a store of their own at `path`, durably.
fn copy(tables: &tables::ReadTables, path: &Path) -> Stored<()> {
    let copy = Store::open(path)?;
    let txn = copy.begin(Commit::Safe)?;
    {
        let mut to = tables::WriteTables::open(&txn)?;
        tables.copy_into(&mut to)?;
    }
    Ok(txn.commit()?)
}

/// A store is never empty, but for the moment in which another process makes it.
fn stays_empty(path: &Path) -> bool {
    for _ in 0..MAKING_LOOKS {
        if std::fs::metadata(path).map_or(1, |m| m.len()) > 0 {
            return false;
        }
        std::thread::sleep(MAKING_REST);
    }
    true
}

/// How often, and how long apart, an empty file is looked at before it counts as one.
const MAKING_LOOKS: u32 = 20;
const MAKING_REST: std::time::Duration = std::time::Duration::from_millis(20);

/// Which life of the log this is: a restored backup begins a new one.
pub const EPOCH: &str = "epoch";
/// Where a replica stands in its server's log. A store without it orders by itself.
pub const CURSOR: &str = "cursor";
/// Where a replica's log begins, when it was given heads instead of the whole log.
pub const START: &str = "start";
/// Every record up to this place is in a backup that was restored and checked.
pub const VERIFIED: &str = "verified";

/// A fresh device id for a store that has none.
pub const DEVICE: &str = "device";
/// The person whose store this is.
pub const OWNER: &str = "owner";

/// Reads a number kept in `meta`.
pub fn meta_number(reads: &dyn Reads, name: &str) -> Stored<Option<u64>> {
    Ok(reads.meta(name)?.and_then(|b| b.try_into().ok()).map(u64::from_be_bytes))
}

/// Reads an id kept in `meta`.
pub fn meta_id(reads: &dyn Reads, name: &str) -> Stored<Option<Id>> {
    let Some(bytes) = reads.meta(name)? else { return Ok(None) };
    bytes.as_slice().try_into().map(|b| Some(Id(b))).map_err(|_| StoreError::Corrupt(format!("meta {name}")))
}
