//! Outlets: rows of the dataset, read a stretch at a time.

use crate::domain::schema::{Kind, Type};
use crate::domain::text::fold;
use crate::domain::{Failure, Id, Outcome};
use crate::intake::rules;
use crate::services::datasets::{self, Rows, Table};
use crate::services::show::Item;
use crate::services::{Query, ReadCx};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Rows of one reply.
const MAX_PAGE: usize = 500;
/// Rows looked through for one reply, hits or none: some tens of milliseconds.
const STRETCH: usize = 100_000;

/// Outlets in the order of their codes, from a place on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListOutlets {
    pub from: u64,
    pub limit: usize,
    /// Words that the row has, or `field:word`; all must fit.
    pub filter: String,
    /// Only rows that this rule points at.
    pub rule: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outlets {
    pub items: Vec<Item>,
    /// Outlets in all, whatever the filter.
    pub total: u64,
    /// Where to go on; none at the end. A stretch without a hit has one too.
    pub next: Option<u64>,
}

impl Query for ListOutlets {
    const NAME: &'static str = "outlets.list";
    type Reply = Outlets;

    fn run(&self, cx: &ReadCx) -> Outcome<Outlets> {
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else { return Ok(Outlets::default()) };
        let wanted = Wanted::parse(&self.filter)?;
        let total = table.manifest.rows;
        let marked = match self.rule.as_str() {
            "" => None,
            code => Some(rule_rows(&table, code)?),
        };
        let limit = self.limit.clamp(1, MAX_PAGE);
        let (mut items, mut place, mut looked) = (Vec::new(), self.from, 0);
        while place < total && items.len() < limit && looked < STRETCH {
            // Only the chunks where the rule has rows.
            if let Some(rows) = &marked {
                match rows.get(rows.partition_point(|r| u64::from(*r) < place)) {
                    None => return Ok(Outlets { items, total, next: None }),
                    Some(next) => place = u64::from(*next),
                }
            }
            let Some((chunk, first)) = table.place(place) else { break };
            let some = wanted.columns();
            let seen = table.rows(chunk, some.as_deref())?;
            let mut hits = Vec::new();
            for row in first..seen.count {
                let here = place + (row - first) as u64;
                let is_marked = marked.as_ref().is_none_or(|m| m.binary_search(&(here as u32)).is_ok());
                if is_marked && wanted.fits(&seen, row) {
                    hits.push(row);
                }
                if hits.len() + items.len() >= limit {
                    break;
                }
            }
            let end = if hits.len() + items.len() >= limit {
                hits.last().map_or(seen.count, |r| r + 1)
            } else {
                seen.count
            };
            looked += end - first;
            place += (end - first) as u64;
            if !hits.is_empty() {
                let all = if some.is_some() { table.rows(chunk, None)? } else { seen };
                items.extend(hits.into_iter().map(|row| item(&table, &all, row)));
            }
        }
        Ok(Outlets { items, total, next: (place < total).then_some(place) })
    }
}

fn rule_rows(table: &Table, code: &str) -> Outcome<Vec<u32>> {
    let code = code.to_uppercase();
    if rules::find(&code).is_none() {
        return Err(
            Failure::not_found(format!("There is no rule \"{code}\"")).hint("`pams import rules` lists them")
        );
    }
    table.marked(&code)
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

/// A filter: every part has to fit.
struct Wanted(Vec<Part>);

struct Part {
    /// Columns it is looked for in.
    columns: Vec<u16>,
    folded: String,
}

/// Where a word without a field is looked for.
const ANYWHERE: [&str; 7] = ["code", "name", "city", "territory", "distributor_code", "beat", "chain"];

impl Wanted {
    fn parse(filter: &str) -> Outcome<Wanted> {
        let schema = Kind::Outlet.schema();
        let number = |name: &str| schema.field_named(name).map(|f| f.id);
        let part = |word: &str| {
            let (columns, text) = match word.split_once(':') {
                Some((field, text)) => {
                    let of =
                        schema.fields.iter().find(|f| f.name == field || f.name.replace('_', "") == field);
                    let of =
                        of.filter(|f| !matches!(f.kind, Type::Decimal | Type::Date)).ok_or_else(|| {
                            Failure::usage(format!("There is no text field \"{field}\" of outlets"))
                                .hint("Write field:word such as city:pune, or just a word")
                        })?;
                    (vec![of.id], text)
                }
                None => (ANYWHERE.iter().filter_map(|n| number(n)).collect(), word),
            };
            Ok(Part { columns, folded: fold(text) })
        };
        Ok(Wanted(filter.split_whitespace().map(part).collect::<Outcome<_>>()?))
    }

    /// The columns that it has to see; none: it fits everything.
    fn columns(&self) -> Option<Vec<u16>> {
        if self.0.is_empty() {
            return None;
        }
        let mut all: Vec<u16> = self.0.iter().flat_map(|p| p.columns.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        Some(all)
    }

    fn fits(&self, rows: &Rows, row: usize) -> bool {
        let has = |part: &Part| {
            part.columns.iter().any(|c| {
                let text = rows.text(*c, row);
                text.len() >= part.folded.len() && fold(text).contains(&part.folded)
            })
        };
        self.0.iter().all(has)
    }
}

/// One outlet by its code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShowOutlet {
    pub code: String,
}

impl Query for ShowOutlet {
    const NAME: &'static str = "outlets.show";
    type Reply = Item;

    fn run(&self, cx: &ReadCx) -> Outcome<Item> {
        let none = || {
            Failure::not_found(format!("There is no outlet \"{}\"", self.code))
                .hint("`pams outlets list --filter WORD` looks for a part of its name")
        };
        let table = datasets::table(cx.reads, Kind::Outlet)?.ok_or_else(none)?;
        let (chunk, row) = table.find(&self.code)?.ok_or_else(none)?;
        Ok(item(&table, &table.rows(chunk, None)?, row))
    }
}

/// A stretch of all outlets as CSV lines, one chunk at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportOutlets {
    pub chunk: usize,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
        let rows = table.rows(self.chunk, None)?;
        for row in 0..rows.count {
            let own = fields.iter().map(|f| rows.shown(table.kind, f.id, row));
            let extra = table.manifest.extras.keys().map(|n| rows.text(*n, row).to_owned());
            csv.write_record(own.chain(extra).map(harmless)).map_err(failed)?;
        }
        let bytes = csv.into_inner().map_err(|e| Failure::internal(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|e| Failure::internal(e.to_string()))?;
        let next = Some(self.chunk + 1).filter(|n| *n < table.manifest.chunks.len());
        Ok(ExportedOutlets { text, rows: rows.count, next })
    }
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(text: String) -> String {
    match text.as_bytes() {
        [b'=' | b'@' | b'\t' | b'\r', ..] => format!("'{text}"),
        [b'+' | b'-', b'A'..=b'Z' | b'a'..=b'z', ..] => format!("'{text}"),
        _ => text,
    }
}

/// How many outlets each rule points at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quality {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct QualityReport {
    pub outlets: u64,
    /// Rows of the last file that are held back.
    pub held: u64,
    pub rules: Vec<RuleCount>,
    /// Field → share of outlets that have it.
    pub filled: Vec<(String, f64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuleCount {
    pub code: String,
    pub label: String,
    pub rows: u64,
    /// Of all outlets, 0 to 1.
    pub share: f64,
    pub fix: String,
}

impl Query for Quality {
    const NAME: &'static str = "outlets.quality";
    type Reply = QualityReport;

    fn run(&self, cx: &ReadCx) -> Outcome<QualityReport> {
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else {
            return Ok(QualityReport::default());
        };
        let all = table.manifest.rows;
        let share = |rows: u64| rows as f64 / all.max(1) as f64;
        let mut rules: Vec<RuleCount> = Vec::new();
        for (code, pieces) in &table.manifest.marks {
            let rows: u64 = pieces.iter().map(|(rows, _)| u64::from(*rows)).sum();
            let rule = rules::find(code);
            rules.push(RuleCount {
                code: code.clone(),
                label: rule.map_or("", |r| r.label).into(),
                rows,
                share: share(rows),
                fix: rule.map_or("", |r| r.fix).into(),
            });
        }
        rules.sort_by(|a, b| b.rows.cmp(&a.rows).then(a.code.cmp(&b.code)));
        let filled = table.filled().into_iter().map(|(name, rows)| (name, share(rows))).collect();
        Ok(QualityReport { outlets: all, held: table.manifest.tally.held, rules, filled })
    }
}
