//! Which column is which: a named mapping as data, headers matched by name, then by
//! synonyms, then by likeness, one to one.

use crate::domain::text::{fold, likeness};
use crate::domain::{Failure, Outcome};
use crate::intake::open::{Cell, Opened, refused};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A mapping's file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub name: String,
    #[serde(default)]
    pub sheet: String,
    #[serde(default)]
    pub win: Vec<String>,
    #[serde(default)]
    pub loss: Vec<String>,
    /// "dmy", "mdy" or empty.
    #[serde(default)]
    pub dates: String,
    pub columns: BTreeMap<String, Vec<String>>,
}

pub const DEFAULT_WINS: &str = include_str!("mappings/2025-wins-with-sfdc.toml");

/// Fields a wins mapping may have.
pub const WIN_FIELDS: [&str; 14] = [
    "opportunity_id",
    "opportunity",
    "account",
    "stage",
    "is_won",
    "is_closed",
    "amount",
    "currency",
    "close_date",
    "owner",
    "owner_email",
    "product",
    "reason",
    "competitor",
];

/// Rows looked through for the header.
const HEADER_ROWS: usize = 40;
/// Likeness from which a header counts without being listed.
const ALIKE: f64 = 0.94;

impl Mapping {
    pub fn parse(file: &str, text: &str) -> Outcome<Mapping> {
        let mapping: Mapping = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            Failure::invalid(format!("{file}:{line}: {}", e.message()))
        })?;
        if let Some(name) = mapping.columns.keys().find(|c| !WIN_FIELDS.contains(&c.as_str())) {
            return Err(Failure::invalid(format!("{file}: there is no field \"{name}\""))
                .hint(format!("The fields are {}", WIN_FIELDS.join(", "))));
        }
        if !matches!(mapping.dates.as_str(), "" | "dmy" | "mdy") {
            return Err(Failure::invalid(format!("{file}: dates is \"dmy\", \"mdy\" or empty")));
        }
        Ok(mapping)
    }

    /// How well a header names a field: 1 listed, less when only alike.
    fn score(&self, field: &str, header: &str) -> f64 {
        let folded = fold(header);
        let Some(names) = self.columns.get(field) else { return 0.0 };
        if folded.is_empty() {
            return 0.0;
        }
        if folded == fold(field) {
            return 1.0;
        }
        let mut best = 0.0f64;
        for (place, name) in names.iter().enumerate() {
            if fold(name) == folded {
                // Earlier names are stronger, so "Close Date" beats "Date".
                return 1.0 - place as f64 * 0.001;
            }
            best = best.max(if name.len() > 4 { likeness(name, header) } else { 0.0 });
        }
        if best >= ALIKE { best * 0.9 } else { 0.0 }
    }

    /// Field → column, one to one, the surest pair first.
    pub fn columns_of(&self, headers: &[Cell]) -> BTreeMap<String, usize> {
        let mut pairs: Vec<(f64, &String, usize)> = Vec::new();
        for field in self.columns.keys() {
            for (column, header) in headers.iter().enumerate() {
                let score = self.score(field, &header.text());
                if score > 0.0 {
                    pairs.push((score, field, column));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for (_, field, column) in pairs {
            if !found.contains_key(field) && !found.values().any(|c| *c == column) {
                found.insert(field.clone(), column);
            }
        }
        found
    }
}

/// The table inside a file: which sheet, which header row, which columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub sheet: usize,
    pub sheet_name: String,
    /// Counted from 0.
    pub header: usize,
    pub columns: BTreeMap<String, usize>,
    /// Headers that stand for nothing here.
    pub unmapped: Vec<String>,
    /// What the sheet's name says of all its rows, when no column does.
    pub assume: String,
}

/// Tables of a file that hold wins or losses, the named sheet alone if it is there.
pub fn find_tables(opened: &Opened, mapping: &Mapping) -> Outcome<Vec<Table>> {
    let mut tables = Vec::new();
    let mut nearest: Option<(usize, Vec<&str>, String)> = None;
    for (place, sheet) in opened.sheets.iter().enumerate() {
        let mut best: Option<(usize, BTreeMap<String, usize>)> = None;
        for (number, row) in sheet.rows.iter().enumerate().take(HEADER_ROWS) {
            let columns = mapping.columns_of(row);
            if columns.len() > best.as_ref().map_or(0, |(_, c)| c.len()) {
                best = Some((number, columns));
            }
        }
        let Some((header, columns)) = best else { continue };
        let folded = fold(&sheet.name);
        let says = |word: &str| folded.split(' ').any(|w| w.starts_with(word));
        let assume = match (says("win"), says("loss") || says("lost")) {
            (true, false) => "win",
            (false, true) => "loss",
            _ => "",
        };
        let has = |field: &str| columns.contains_key(field);
        let mut missing = Vec::new();
        if !has("close_date") {
            missing.push("close date");
        }
        if !has("account") && !has("opportunity") {
            missing.push("account");
        }
        if !has("stage") && !has("is_won") && assume.is_empty() {
            missing.push("stage (won or lost)");
        }
        if missing.is_empty() {
            let headers = sheet.rows[header].iter().enumerate();
            let unmapped = headers.filter(|(n, h)| !h.is_empty() && !columns.values().any(|c| c == n));
            let unmapped = unmapped.map(|(_, h)| h.text()).collect();
            let assume = if has("stage") || has("is_won") { "" } else { assume };
            let sheet_name = sheet.name.clone();
            tables.push(Table { sheet: place, sheet_name, header, columns, unmapped, assume: assume.into() });
        } else if nearest.as_ref().is_none_or(|(n, ..)| columns.len() > *n) {
            nearest = Some((columns.len(), missing, sheet.name.clone()));
        }
    }
    if let Some(named) = tables.iter().find(|t| fold(&t.sheet_name) == fold(&mapping.sheet)).cloned() {
        return Ok(vec![named]);
    }
    if !tables.is_empty() {
        return Ok(tables);
    }
    let hint = "`pams wins inspect FILE` shows its columns; add their names to a mapping with `pams wins mapping edit`";
    Err(match nearest {
        Some((found, missing, sheet)) if found > 0 => {
            let of = if sheet.is_empty() { String::new() } else { format!(" in sheet \"{sheet}\"") };
            refused("MAP-01", format!("No column was found{of} for: {}", missing.join(", ")), hint)
        }
        _ => refused("MAP-02", "No row of the file looks like the header of wins and losses", hint),
    })
}
