//! What can go wrong with the file, in sentences.

use crate::changes::codec::Damaged;
use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("another process holds {}", .0.display())]
    Busy(PathBuf),
    #[error("{} was written by a newer PAMS (layout {found}, this one knows {known})", .path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{} is not a PAMS store", .0.display())]
    Foreign(PathBuf),
    #[error("{} is empty: what was in it is gone", .0.display())]
    Empty(PathBuf),
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    #[error("the disk is full")]
    Full,
    #[error("{} cannot be written: {why}", .path.display())]
    Unwritable { path: PathBuf, why: String },
    #[error("the store failed: {0}")]
    Other(String),
}

impl StoreError {
    pub fn io(path: &Path, error: std::io::Error) -> StoreError {
        use std::io::ErrorKind::*;
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full,
            InvalidData | UnexpectedEof => StoreError::Foreign(path.to_owned()),
            _ => StoreError::Unwritable { path: path.to_owned(), why: said(&error) },
        }
    }

    pub fn open(path: &Path, error: redb::DatabaseError) -> StoreError {
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::Busy(path.to_owned()),
            redb::DatabaseError::UpgradeRequired(_) => StoreError::Foreign(path.to_owned()),
            redb::DatabaseError::Storage(redb::StorageError::Io(e)) => StoreError::io(path, e),
            other => StoreError::Corrupt(other.to_string()),
        }
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> StoreError {
        match error {
            redb::StorageError::Io(e) => StoreError::io(Path::new("the store"), e),
            redb::StorageError::Corrupted(what) => StoreError::Corrupt(what),
            other => StoreError::Other(other.to_string()),
        }
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> StoreError {
        match error {
            redb::TableError::Storage(e) => e.into(),
            redb::TableError::TableDoesNotExist(table) => {
                StoreError::Corrupt(format!("table {table} is missing"))
            }
            other => StoreError::Corrupt(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> StoreError {
        match error {
            redb::TransactionError::Storage(e) => e.into(),
            other => StoreError::Other(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> StoreError {
        match error {
            redb::CommitError::Storage(e) => e.into(),
            other => StoreError::Other(other.to_string()),
        }
    }
}

impl From<redb::CursorError> for StoreError {
    fn from(error: redb::CursorError) -> StoreError {
        match error {
            redb::CursorError::Storage(e) => e.into(),
            other => StoreError::Other(other.to_string()),
        }
    }
}

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> StoreError {
        StoreError::open(Path::new("the store"), error)
    }
}

impl From<Damaged> for StoreError {
    fn from(error: Damaged) -> StoreError {
        StoreError::Corrupt(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let (kind, hint) = match &error {
            StoreError::Busy(_) => {
                (FailureKind::Internal, "Close the other PAMS, or wait until it has finished")
            }
            StoreError::Newer { .. } => (FailureKind::Corrupt, "Install the newer PAMS; nothing was changed"),
            StoreError::Foreign(_) => (
                FailureKind::Corrupt,
                "Move the file away or give another folder with --home; nothing was changed",
            ),
            StoreError::Empty(_) => (
                FailureKind::Corrupt,
                "Restore a backup; if this was the very first start, remove the file and start again",
            ),
            StoreError::Corrupt(_) => {
                (FailureKind::Corrupt, "Run `pams db check`, and restore a backup if it agrees")
            }
            StoreError::Full => (FailureKind::Full, "Nothing was saved; free some space and repeat"),
            StoreError::Unwritable { .. } => {
                (FailureKind::Internal, "Check who may write there, or give another folder with --home")
            }
            StoreError::Other(_) => (FailureKind::Internal, "Nothing was saved; run `pams doctor`"),
        };
        let message = error.to_string();
        let mut letters = message.chars();
        let capital = letters.next().map(|c| c.to_uppercase().collect::<String>() + letters.as_str());
        Failure::new(kind, capital.unwrap_or_default()).hint(hint)
    }
}
