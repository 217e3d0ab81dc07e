//! Outlets: rows of the dataset with what people changed of them laid over.

mod around;
mod edit;
pub mod filter;
mod history;
mod list;
mod mend;
mod quality;
mod suggest;

pub use around::*;
pub use edit::*;
pub use history::*;
pub use list::*;
pub use mend::MENDABLE;
pub use quality::*;
pub use suggest::*;

use crate::domain::schema::Kind;
use crate::domain::text::harmless;
use crate::domain::{Failure, Id, Outcome};
use crate::intake::rules;
use crate::services::datasets::{self, Rows, Table};
use crate::services::show::Item;
use crate::services::{Query, ReadCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

fn rule_rows(table: &Table, code: &str) -> Outcome<Vec<u32>> {
    let code = code.to_uppercase();
    if rules::find(&code).is_none() {
        return Err(
            Failure::not_found(format!("There is no rule \"{code}\"")).hint("`pams import rules` lists them")
        );
    }
    table.marked(&code)
}

fn no_such(code: &str) -> Failure {
    Failure::not_found(format!("There is no outlet \"{code}\""))
        .hint("`pams outlets list --filter WORD` looks for a part of its name")
}

/// The id of the record that is laid over a row: the same on every device.
pub fn id_of(code: &str) -> Id {
    let hash = blake3::hash(code.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_bytes()[..16]);
    // UUID version 8, variant 1 (RFC 9562): made of what it names.
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    Id(id)
}

fn item(table: &Table, rows: &Rows, row: usize) -> Item {
    let mut values = serde_json::Map::new();
    for field in table.kind.schema().fields {
        let text = rows.shown(table.kind, field.id, row);
        if !text.is_empty() {
            values.insert(field.name.into(), json!(text));
        }
    }
    for (number, text) in rows.extras(row) {
        if let Some(title) = table.manifest.extras.get(&number) {
            values.insert(title.clone(), json!(text));
        }
    }
    let id = id_of(rows.text(table.key(), row));
    Item { id, rev: 0, values }
}

/// One outlet by its code.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowOutlet {
    pub code: String,
}

/// An outlet with what is known beside it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ShownOutlet {
    #[serde(flatten)]
    pub item: Item,
    /// Rules that point at it: code and label.
    pub rules: Vec<(String, String)>,
    /// Fields that people changed, and what the file said.
    pub edits: Vec<(String, String)>,
    /// Codes and names of outlets that it looks like.
    pub twins: Vec<String>,
    /// Where it is, in millionths of a degree, and the outlets around it.
    pub at: Option<(i32, i32)>,
    pub around: Vec<(i32, i32)>,
}

/// Outlets that a small map shows, and chunks that are looked into for them: where codes do not
/// go by region a look would take too long for what walks through a list.
const AROUND: usize = 160;
const LOOKED_INTO: usize = 24;

impl Query for ShowOutlet {
    const NAME: &'static str = "outlets.show";
    type Reply = ShownOutlet;

    fn run(&self, cx: &ReadCx) -> Outcome<ShownOutlet> {
        let none = || no_such(&self.code);
        let table = datasets::table(cx.reads, Kind::Outlet)?.ok_or_else(none)?;
        let (chunk, row) = table.find(&self.code)?.ok_or_else(none)?;
        let mut shown =
            ShownOutlet { item: item(&table, &table.rows(chunk, None)?, row), ..ShownOutlet::default() };
        shown.at = position(&table, chunk, row)?;
        if let Some(at) = shown.at {
            let near = table.nearest(at, AROUND, LOOKED_INTO)?;
            shown.around = near.into_iter().map(|(_, _, at)| at).collect();
        }
        let place = (table.first(chunk) + row as u64) as u32;
        for code in table.manifest.marks.keys() {
            if table.marked(code)?.binary_search(&place).is_ok() {
                let label = rules::find(code).map_or("", |r| r.label);
                shown.rules.push((code.clone(), label.to_owned()));
            }
        }
        if table.overlay.contains_key(&self.code) {
            let raw = Table::of(cx.reads, table.kind, table.manifest.clone());
            let before = item(&raw, &raw.rows(chunk, None)?, row);
            let fields = table.kind.schema().fields.iter().filter(|f| !f.system);
            let changed = fields.filter(|f| before.text(f.name) != shown.item.text(f.name));
            shown.edits = changed.map(|f| (f.name.to_owned(), before.text(f.name))).collect();
        }
        for (a, b) in table.twins()? {
            let other = if a == place {
                b
            } else if b == place {
                a
            } else {
                continue;
            };
            if let Some((chunk, row)) = table.place(u64::from(other)) {
                let name = table.kind.schema().field_named("name").map_or(2, |f| f.id);
                let rows = table.rows(chunk, Some(&[table.key(), name]))?;
                shown.twins.push(format!("{} {}", rows.text(table.key(), row), rows.text(name, row)));
            }
        }
        Ok(shown)
    }
}

/// A stretch of all outlets as CSV lines, one chunk at a time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExportOutlets {
    pub chunk: usize,
    pub filter: String,
    pub rule: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExportedOutlets {
    /// The header, with the first chunk.
    pub text: String,
    pub rows: usize,
    pub next: Option<usize>,
}

impl Query for ExportOutlets {
    const NAME: &'static str = "outlets.export";
    type Reply = ExportedOutlets;

    fn run(&self, cx: &ReadCx) -> Outcome<ExportedOutlets> {
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else {
            return Ok(ExportedOutlets::default());
        };
        let fields = table.kind.schema().fields;
        let mut csv = csv::Writer::from_writer(Vec::new());
        let failed = |e: csv::Error| Failure::internal(format!("A line cannot be written: {e}"));
        if self.chunk == 0 {
            let titles =
                fields.iter().map(|f| f.name).chain(table.manifest.extras.values().map(String::as_str));
            csv.write_record(titles).map_err(failed)?;
        }
        if self.chunk >= table.manifest.chunks.len() {
            return Ok(ExportedOutlets::default());
        }
        let wanted = Wanted::of(&table, &self.filter, &self.rule)?;
        let next = Some(self.chunk + 1).filter(|n| *n < table.manifest.chunks.len());
        let rows = table.rows(self.chunk, None)?;
        let fits = wanted.fits(&table, self.chunk, &rows);
        for row in (0..rows.count).filter(|row| fits[*row]) {
            let own = fields.iter().map(|f| rows.shown(table.kind, f.id, row));
            let extra = table.manifest.extras.keys().map(|n| rows.text(*n, row).to_owned());
            csv.write_record(own.chain(extra).map(harmless)).map_err(failed)?;
        }
        let bytes = csv.into_inner().map_err(|e| Failure::internal(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|e| Failure::internal(e.to_string()))?;
        Ok(ExportedOutlets { text, rows: fits.iter().filter(|f| **f).count(), next })
    }
}
