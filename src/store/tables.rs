//! The tables of a store's file.

use super::{FORMAT, StoreError, Stored};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

type Bytes = &'static [u8];

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty;)*) => {
        mod definition {
            use super::*;
            $(#[allow(non_upper_case_globals)]
            pub const $name: TableDefinition<$key, $value> = TableDefinition::new(stringify!($name));)*
        }

        /// All tables, readable.
        pub struct ReadTables { $($(#[$doc])* pub $name: ReadOnlyTable<$key, $value>,)* }

        impl ReadTables {
            pub fn open(txn: &ReadTransaction) -> Stored<ReadTables> {
                Ok(ReadTables { $($name: txn.open_table(definition::$name)?,)* })
            }
        }

        impl ReadTables {
            /// Writes every row of every table into the same tables of another store, in
            /// the order of their keys.
            pub fn copy_into(&self, to: &mut WriteTables) -> Stored<()> {
                $(for row in self.$name.iter()? {
                    let (key, value) = row?;
                    to.$name.insert(key.value(), value.value())?;
                })*
                Ok(())
            }
        }

        /// All tables, in one write transaction.
        pub struct WriteTables<'t> { $(pub $name: Table<'t, $key, $value>,)* }

        impl<'t> WriteTables<'t> {
            pub fn open(txn: &'t WriteTransaction) -> Stored<WriteTables<'t>> {
                Ok(WriteTables { $($name: txn.open_table(definition::$name)?,)* })
            }
        }
    };
}

tables! {
    /// Name → value: format, device, position, chain.
    meta: &'static str => Bytes;
    /// seq → header
    log_h: u64 => Bytes;
    /// seq → payload, erasable
    log_p: u64 => Bytes;
    /// kind ‖ entity ‖ seq
    log_e: &'static [u8; 25] => ();
    /// transaction ‖ first seq → how many, chain hash after it
    log_x: &'static [u8; 24] => Bytes;
    /// change id → seq
    cid: &'static [u8; 16] => u64;
    /// number → device ‖ actor ‖ via
    origin: u32 => &'static [u8; 33];
    /// device → last dseq, fenced
    dev: &'static [u8; 16] => (u64, bool);
    /// kind ‖ entity → head
    head: &'static [u8; 17] => Bytes;
    /// index number ‖ values ‖ entity
    idx: Bytes => ();
    /// kind ‖ number ‖ owners → last used value
    latest: Bytes => Bytes;
    /// transaction → reply, so that a repeat answers the same
    done: &'static [u8; 16] => Bytes;
    /// order of keeping → transaction, so that the oldest reply goes first
    done_q: u64 => &'static [u8; 16];
    /// hash ‖ piece → bytes
    blob: &'static [u8; 36] => Bytes;
    /// batch ‖ row → staged row
    stage: &'static [u8; 20] => Bytes;
    /// name → local state: autosaved forms, interface, jobs; not in the log
    local: &'static str => Bytes;
    /// On a replica, for records with queued changes: kind ‖ entity → head without them,
    /// empty where the server has none
    base: &'static [u8; 17] => Bytes;
    /// On a replica: change id → acknowledged change, not yet in a verified backup
    own: &'static [u8; 16] => Bytes;
    /// On a replica: provisional rev ‖ kind ‖ entity → the head that had it, for forms
    /// that were opened on it
    former: &'static [u8; 25] => Bytes;
    /// On a replica whose log does not begin at 1: kind ‖ entity → head at its beginning,
    /// where it was changed since
    start: &'static [u8; 17] => Bytes;
}

/// The layout number of the file, or none in an empty one.
pub fn format(txn: &ReadTransaction) -> Stored<Option<u32>> {
    let table = match txn.open_table(definition::meta) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let empty = txn.list_tables()?.next().is_none();
            return if empty { Ok(None) } else { Err(StoreError::Foreign("the file".into())) };
        }
        Err(error) => return Err(error.into()),
    };
    let bytes = table.get("format")?.map(|v| v.value().to_vec());
    let number = bytes.and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    number.map(Some).ok_or_else(|| StoreError::Foreign("the file".into()))
}

pub fn create(txn: &WriteTransaction) -> Stored<()> {
    open_all(txn)?;
    set_format(txn, FORMAT)
}

/// Makes the tables that are not there.
pub fn open_all(txn: &WriteTransaction) -> Stored<()> {
    WriteTables::open(txn).map(drop)
}

pub fn set_format(txn: &WriteTransaction, format: u32) -> Stored<()> {
    txn.open_table(definition::meta)?.insert("format", format.to_be_bytes().as_slice())?;
    Ok(())
}
