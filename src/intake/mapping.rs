//! Which column is which: a named mapping as data, headers matched by name, then by
//! synonyms, then by likeness, one to one.

use crate::domain::text::{fold, folded_likeness};
use crate::domain::{Failure, Outcome};
use crate::intake::fixes::Fixes;
use crate::intake::open::{Cell, Opened, Sheet, refused};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A mapping's file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub name: String,
    #[serde(default)]
    pub sheet: String,
    #[serde(default)]
    pub win: Vec<String>,
    #[serde(default)]
    pub loss: Vec<String>,
    /// Words of stages that end nothing.
    #[serde(default)]
    pub open: Vec<String>,
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
/// Longest text that is taken for a header.
const MAX_HEADER: usize = 100;
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

    /// Field → column, one to one, the surest pair first.
    pub fn columns_of(&self, headers: &[Cell]) -> BTreeMap<String, usize> {
        Names::of(self).columns_of(headers)
    }
}

/// A mapping's fields with their names folded, the field's own first.
struct Names<'a>(Vec<(&'a String, Vec<String>)>);

impl Names<'_> {
    fn of(mapping: &Mapping) -> Names<'_> {
        let folded = |(field, names): (&'_ String, &Vec<String>)| -> Vec<String> {
            std::iter::once(field).chain(names).map(|n| fold(n)).collect()
        };
        Names(mapping.columns.iter().map(|(field, names)| (field, folded((field, names)))).collect())
    }

    fn columns_of(&self, headers: &[Cell]) -> BTreeMap<String, usize> {
        let mut pairs: Vec<(f64, &String, usize)> = Vec::new();
        for (column, header) in headers.iter().enumerate() {
            let folded = fold(&header.text());
            if folded.is_empty() || folded.len() > MAX_HEADER {
                continue;
            }
            for (field, names) in &self.0 {
                let score = score(names, &folded);
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

/// How well a header names a field: 1 listed, less when only alike.
fn score(names: &[String], header: &str) -> f64 {
    let mut best = 0.0f64;
    for (place, name) in names.iter().enumerate() {
        if name == header {
            // Earlier names are stronger, so "Close Date" beats "Date".
            return 1.0 - place.saturating_sub(1) as f64 * 0.001;
        }
        // Texts of so different lengths are never as like as `ALIKE`.
        let (short, long) = (name.len().min(header.len()), name.len().max(header.len()));
        if place > 0 && name.len() > 4 && short * 10 >= long * 7 {
            best = best.max(folded_likeness(name, header));
        }
    }
    if best >= ALIKE { best * 0.9 } else { 0.0 }
}

/// The table inside a file: which sheet, which header row, which columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// The tables of a file, or the nearest thing to one and what it lacks.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub tables: Vec<Table>,
    /// Required fields without a column; empty when there are tables.
    pub missing: Vec<&'static str>,
}

impl Found {
    /// The tables, or the refusal that says what is missing.
    pub fn or_refuse(self) -> Outcome<Vec<Table>> {
        const HINT: &str = "`pams wins inspect FILE` shows its columns; add their names to a mapping with `pams wins mapping edit`, or say which is which in the review";
        if self.missing.is_empty() {
            return Ok(self.tables);
        }
        Err(match self.tables.first() {
            Some(table) => {
                let sheet = &table.sheet_name;
                let of = if sheet.is_empty() { String::new() } else { format!(" in sheet \"{sheet}\"") };
                let missing = self.missing.join(", ");
                refused("MAP-01", format!("No column was found{of} for: {missing}"), HINT)
            }
            None => refused("MAP-02", "No row of the file looks like the header of wins and losses", HINT),
        })
    }
}

/// Tables of a file that hold wins or losses: those a person chose, else the named
/// sheet alone if it is there, else all that fit.
pub fn find_tables(opened: &Opened, mapping: &Mapping, fixes: &Fixes) -> Found {
    let chosen = fixes.tables.values().any(Option::is_some);
    let names = Names::of(mapping);
    let mut fitting: Vec<Table> = Vec::new();
    let mut nearest: Option<(Vec<&'static str>, Table)> = None;
    for (place, sheet) in opened.sheets.iter().enumerate() {
        let header = match fixes.tables.get(&place) {
            Some(None) => continue,
            Some(Some(header)) => Some(*header).filter(|h| *h < sheet.rows.len()),
            None if chosen => continue,
            None => header_of(sheet, &names),
        };
        let Some(header) = header else { continue };
        let mut columns = names.columns_of(&sheet.rows[header]);
        let said = fixes.columns.iter().filter(|((of, _), _)| *of == place);
        for ((_, field), column) in said {
            columns.retain(|f, c| f != field && Some(*c) != *column);
            if let Some(column) = column {
                columns.insert(field.clone(), *column);
            }
        }
        let table = table(place, sheet, header, columns);
        let missing = missing(&table);
        let fewer = |(_, other): &(Vec<_>, Table)| table.columns.len() > other.columns.len();
        if missing.is_empty() {
            fitting.push(table);
        } else if nearest.as_ref().is_none_or(fewer) {
            nearest = Some((missing, table));
        }
    }
    let named = fitting.iter().find(|t| fold(&t.sheet_name) == fold(&mapping.sheet)).cloned();
    match (named, nearest) {
        (Some(named), _) if !chosen => Found { tables: vec![named], missing: vec![] },
        _ if !fitting.is_empty() => Found { tables: fitting, missing: vec![] },
        (_, Some((missing, table))) => Found { tables: vec![table], missing },
        (_, None) => Found { tables: vec![], missing: vec!["close date", "account", "stage (won or lost)"] },
    }
}

/// The row among the first ones whose cells name the most fields.
fn header_of(sheet: &Sheet, names: &Names) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for (number, row) in sheet.rows.iter().enumerate().take(HEADER_ROWS) {
        let columns = names.columns_of(row).len();
        if columns > best.map_or(0, |(_, most)| most) {
            best = Some((number, columns));
        }
    }
    best.map(|(number, _)| number)
}

fn table(place: usize, sheet: &Sheet, header: usize, columns: BTreeMap<String, usize>) -> Table {
    let folded = fold(&sheet.name);
    let says = |word: &str| folded.split(' ').any(|w| w.starts_with(word));
    let assume = match (says("win"), says("loss") || says("lost")) {
        _ if columns.contains_key("stage") || columns.contains_key("is_won") => "",
        (true, false) => "win",
        (false, true) => "loss",
        _ => "",
    };
    let headers = sheet.rows[header].iter().enumerate();
    let unmapped = headers.filter(|(n, h)| !h.is_empty() && !columns.values().any(|c| c == n));
    let unmapped = unmapped.map(|(_, h)| h.text()).collect();
    Table { sheet: place, sheet_name: sheet.name.clone(), header, columns, unmapped, assume: assume.into() }
}

fn missing(table: &Table) -> Vec<&'static str> {
    let has = |field: &str| table.columns.contains_key(field);
    let mut missing = Vec::new();
    if !has("close_date") {
        missing.push("close date");
    }
    if !has("account") && !has("opportunity") {
        missing.push("account");
    }
    if !has("stage") && !has("is_won") && table.assume.is_empty() {
        missing.push("stage (won or lost)");
    }
    missing
}
