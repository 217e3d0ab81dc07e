//! People's edits of rows whose file comes again.

use crate::domain::schema::Field;
use crate::domain::value::Value;
use crate::domain::{Fields, Outcome};
use crate::services::datasets::{self, Table};
use crate::services::outlets;

/// What becomes of people's edits when the rows below them change.
#[derive(Default)]
pub struct Edits {
    /// Key → what is left of the edit, of those that do not stay as they are.
    pub rebased: Vec<(String, Fields)>,
    /// Keys of edits that the file contradicts: they stay.
    pub differ: Vec<String>,
}

impl Edits {
    /// Three-way: the imported row is the base, the edit is mine, the file's row theirs. A file
    /// that is not `whole` says nothing of rows it lacks and of cells it leaves empty.
    pub fn of(old: &Table, new: &Table, whole: bool) -> Outcome<Edits> {
        let (mut edits, kind) = (Edits::default(), new.kind);
        let mut columns: Vec<u16> = old.overlay.values().flat_map(|edit| edit.keys().copied()).collect();
        let schema = kind.schema();
        let cleared = |f: &&Field| old.overlay.values().any(|e| datasets::is_cleared(kind, e, f.id));
        columns.extend(schema.fields.iter().filter(cleared).map(|f| f.id));
        columns.push(new.key());
        columns.sort_unstable();
        columns.dedup();
        let raw = Table::of(old.reads(), kind, old.manifest.clone());
        let (mut below, mut above) = (Cursor::new(&raw, &columns), Cursor::new(new, &columns));
        for (key, edit) in &old.overlay {
            let said = above.fields(key)?;
            if said.is_none() && !whole {
                continue;
            }
            let Some(mut now) = said else {
                // The outlet is not in the file: its edit goes with it.
                edits.rebased.push((key.clone(), [(1, Value::Text(key.clone()))].into()));
                continue;
            };
            let base = below.fields(key)?.unwrap_or_default();
            if !whole {
                now = base.clone().into_iter().chain(now).collect();
            }
            let (left, differ) = outlets::rebased(kind, edit, &base, &now);
            if differ > 0 {
                edits.differ.push(key.clone());
            }
            if left != *edit {
                edits.rebased.push((key.clone(), left));
            }
        }
        Ok(edits)
    }
}

/// Looks rows up in the order of their keys.
struct Cursor<'a> {
    table: &'a Table<'a>,
    columns: &'a [u16],
    open: Option<(usize, datasets::Rows)>,
}

impl<'a> Cursor<'a> {
    fn new(table: &'a Table<'a>, columns: &'a [u16]) -> Cursor<'a> {
        Cursor { table, columns, open: None }
    }

    fn fields(&mut self, key: &str) -> Outcome<Option<Fields>> {
        let Some(chunk) = self.table.chunk_of(key) else { return Ok(None) };
        if self.open.as_ref().is_none_or(|(n, _)| *n != chunk) {
            self.open = Some((chunk, self.table.rows(chunk, Some(self.columns))?));
        }
        let rows = self.open.as_ref().map(|(_, rows)| rows);
        Ok(rows.and_then(|r| r.find(self.table.key(), key).map(|row| r.fields(self.table.kind, row))))
    }
}
