//! Outlets listed, counted, and summed up by a field. A listing by code reads a stretch at a
//! time; one by another field looks through that column for the next page, so that any
//! field can order millions of rows without an index that imports would have to pay for.

use super::filter::{self, Filter};
use super::{id_of, item, rule_rows};
use crate::columns::FastMap;
use crate::domain::schema::Kind;
use crate::domain::{Id, Outcome};
use crate::services::datasets::{self, Rows, Table};
use crate::services::show::Item;
use crate::services::{Query, ReadCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Rows of one reply.
const MAX_PAGE: usize = 1_000;
/// Rows looked through for one reply, hits or none: some tens of milliseconds.
const STRETCH: u64 = 100_000;
/// The same for a count, which shows nothing before it ends.
const COUNTED: u64 = 400_000;
/// Values of a field that a sum shows.
const MAX_VALUES: usize = 500;

/// Some of the outlets, in an order, from one of them on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListOutlets {
    /// The code of the first one wanted; from an end of the list when there is none.
    pub cursor: Option<String>,
    pub limit: usize,
    /// See [`Filter`].
    pub filter: String,
    /// Only rows that this rule points at.
    pub rule: String,
    /// The field they are ordered by; their codes when empty.
    pub order: String,
    /// The highest first; rows without a value are the last either way.
    pub descending: bool,
    /// The rows before the cursor, the nearest first.
    pub backwards: bool,
    /// Fields that are wanted; all when empty.
    pub fields: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Outlets {
    pub items: Vec<Item>,
    /// Outlets in all, whatever the filter.
    pub total: u64,
    /// Where to go on; none at the end. A stretch without a hit has one too.
    pub next: Option<String>,
    /// Fields that any outlet has.
    pub present: Vec<String>,
}

/// What a listing looks for, made ready.
pub(super) struct Wanted {
    filter: Filter,
    marked: Option<Vec<u32>>,
}

impl Wanted {
    pub(super) fn of(table: &Table, filter: &str, rule: &str) -> Outcome<Wanted> {
        let marked = match rule {
            "" => None,
            code => Some(rule_rows(table, code)?),
        };
        Ok(Wanted { filter: Filter::read(table.kind, &table.manifest.extras, filter)?, marked })
    }

    /// Whether rows of the chunk can fit.
    pub(super) fn enters(&self, table: &Table, chunk: usize) -> bool {
        self.marked.as_ref().is_none_or(|marked| {
            let at = marked.partition_point(|m| u64::from(*m) < table.first(chunk));
            marked.get(at).is_some_and(|m| u64::from(*m) < table.first(chunk + 1))
        })
    }

    /// Row → whether it fits.
    pub(super) fn fits(&self, table: &Table, chunk: usize, rows: &Rows) -> Vec<bool> {
        let mut fits = self.filter.fits(rows);
        if let Some(marked) = &self.marked {
            let first = table.first(chunk);
            for (row, fit) in fits.iter_mut().enumerate() {
                *fit = *fit && marked.binary_search(&((first + row as u64) as u32)).is_ok();
            }
        }
        fits
    }
}

impl Query for ListOutlets {
    const NAME: &'static str = "outlets.list";
    type Reply = Outlets;

    fn run(&self, cx: &ReadCx) -> Outcome<Outlets> {
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else { return Ok(Outlets::default()) };
        let (mut items, next) = match self.order.as_str() {
            "" | "code" if !self.descending => self.by_code(&table)?,
            order => {
                let order = if order.is_empty() { "code" } else { order };
                self.by_field(&table, filter::column(table.kind, &table.manifest.extras, order)?.id)?
            }
        };
        items.truncate(self.limit.clamp(1, MAX_PAGE));
        let filled = table.filled().into_iter().filter(|(_, rows)| *rows > 0).map(|(name, _)| name);
        let present = filled.chain(table.manifest.extras.values().cloned()).collect();
        Ok(Outlets { items, total: table.manifest.rows, next, present })
    }
}

impl ListOutlets {
    fn some(&self, table: &Table) -> Outcome<Option<Vec<u16>>> {
        if self.fields.is_empty() {
            return Ok(None);
        }
        let mut some = vec![table.key()];
        for name in &self.fields {
            some.push(filter::column(table.kind, &table.manifest.extras, name)?.id);
        }
        some.dedup();
        Ok(Some(some))
    }

    fn by_code(&self, table: &Table) -> Outcome<(Vec<Item>, Option<String>)> {
        let wanted = Wanted::of(table, &self.filter, &self.rule)?;
        let (limit, total) = (self.limit.clamp(1, MAX_PAGE), table.manifest.rows);
        let (columns, some) = (wanted.filter.columns(), self.some(table)?);
        let all = wanted.filter.is_empty() && wanted.marked.is_none();
        // The place of the next row to look at, and how many rows are left that way.
        let (mut place, mut left) = match (&self.cursor, self.backwards) {
            (None, false) => (0, total),
            (None, true) => (total.saturating_sub(1), total),
            (Some(code), _) => {
                let place = table.seek(code)?.min(total.saturating_sub(1));
                (place, if self.backwards { place + 1 } else { total - place })
            }
        };
        let (mut items, mut looked) = (Vec::new(), 0);
        while left > 0 && items.len() < limit && looked < STRETCH {
            let Some((chunk, row)) = table.place(place) else { break };
            let count = table.manifest.chunks[chunk].rows as usize;
            // The rows of this chunk that lie ahead.
            let ahead: Vec<usize> =
                if self.backwards { (0..=row).rev().collect() } else { (row..count).collect() };
            let mut taken = ahead.len();
            if wanted.enters(table, chunk) {
                let fits = match all {
                    true => vec![true; count],
                    false => wanted.fits(table, chunk, &table.rows(chunk, Some(&columns))?),
                };
                let hits: Vec<usize> =
                    ahead.iter().copied().filter(|r| fits[*r]).take(limit - items.len()).collect();
                if items.len() + hits.len() == limit {
                    taken = hits.last().map_or(taken, |last| last.abs_diff(row) + 1);
                }
                if !hits.is_empty() {
                    let rows = table.rows(chunk, some.as_deref())?;
                    items.extend(hits.into_iter().map(|row| item(table, &rows, row)));
                }
                looked += taken as u64;
            }
            left -= taken as u64;
            place = if self.backwards { place.saturating_sub(taken as u64) } else { place + taken as u64 };
        }
        let next = match (left > 0).then(|| table.place(place)).flatten() {
            Some((chunk, row)) => {
                Some(table.rows(chunk, Some(&[table.key()]))?.text(table.key(), row).to_owned())
            }
            None => None,
        };
        Ok((items, next))
    }

    /// Looks through the column for the rows that come next.
    fn by_field(&self, table: &Table, field: u16) -> Outcome<(Vec<Item>, Option<String>)> {
        let wanted = Wanted::of(table, &self.filter, &self.rule)?;
        let limit = self.limit.clamp(1, MAX_PAGE);
        let mut columns = wanted.filter.columns();
        columns.extend([table.key(), field]);
        columns.sort_unstable();
        columns.dedup();
        let from = match &self.cursor {
            None => None,
            Some(code) => match table.find(code)? {
                Some((chunk, row)) => Some(self.rank(table, &table.rows(chunk, Some(&columns))?, field, row)),
                None => None,
            },
        };
        let ahead = |rank: &Rank| {
            from.as_ref().is_none_or(|from| {
                let order = rank.cmp(from, self.descending);
                if self.backwards { order.is_le() } else { order.is_ge() }
            })
        };
        let order = |a: &(Rank, u64), b: &(Rank, u64)| {
            let order = a.0.cmp(&b.0, self.descending);
            if self.backwards { order.reverse() } else { order }
        };
        // One more than wanted: where the next page begins.
        let (mut best, keep): (Vec<(Rank, u64)>, usize) = (Vec::new(), limit + 1);
        let mut worst: Option<Rank> = None;
        for chunk in 0..table.manifest.chunks.len() {
            if !wanted.enters(table, chunk) {
                continue;
            }
            let rows = table.rows(chunk, Some(&columns))?;
            let fits = wanted.fits(table, chunk, &rows);
            for row in (0..rows.count).filter(|r| fits[*r]) {
                let head = self.head(table, &rows, field, row);
                // Most rows are told from the page by a few bytes.
                if let Some(worst) = &worst {
                    let order = head.cmp(&worst.head, self.descending);
                    if if self.backwards { order.is_lt() } else { order.is_gt() } {
                        continue;
                    }
                }
                let rank = self.rank(table, &rows, field, row);
                if ahead(&rank) {
                    best.push((rank, table.first(chunk) + row as u64));
                }
                if best.len() >= keep * 4 {
                    best.select_nth_unstable_by(keep - 1, order);
                    best.truncate(keep);
                    worst = best.iter().max_by(|a, b| order(a, b)).map(|(rank, _)| rank.clone());
                }
            }
        }
        best.sort_unstable_by(order);
        let next = best.get(limit).map(|(rank, _)| rank.code.clone());
        best.truncate(limit);
        Ok((self.items(table, &best)?, next))
    }

    /// The rows at those places, each chunk read once.
    fn items(&self, table: &Table, best: &[(Rank, u64)]) -> Outcome<Vec<Item>> {
        let some = self.some(table)?;
        let mut places: Vec<(u64, usize)> =
            best.iter().enumerate().map(|(n, (_, place))| (*place, n)).collect();
        places.sort_unstable();
        let mut items = vec![Item::default(); best.len()];
        let mut open: Option<(usize, Rows)> = None;
        for (place, n) in places {
            let Some((chunk, row)) = table.place(place) else { continue };
            if open.as_ref().is_none_or(|(number, _)| *number != chunk) {
                open = Some((chunk, table.rows(chunk, some.as_deref())?));
            }
            if let Some((_, rows)) = &open {
                items[n] = item(table, rows, row);
            }
        }
        Ok(items)
    }

    fn head(&self, table: &Table, rows: &Rows, field: u16, row: usize) -> Head {
        if table.is_number(field) {
            let number = rows.number(field, row);
            return Head { absent: number.is_none(), start: number.map_or(0, |n| n as u64 ^ 1 << 63) };
        }
        let text = rows.text(field, row);
        let mut start = [0; 8];
        for (to, from) in start.iter_mut().zip(text.bytes()) {
            *to = from.to_ascii_lowercase();
        }
        Head { absent: text.is_empty(), start: u64::from_be_bytes(start) }
    }

    fn rank(&self, table: &Table, rows: &Rows, field: u16, row: usize) -> Rank {
        let text =
            if table.is_number(field) { String::new() } else { rows.text(field, row).to_ascii_lowercase() };
        let code = rows.text(table.key(), row).to_owned();
        Rank { head: self.head(table, rows, field, row), text, code }
    }
}

/// Where a row stands by a field, as far as eight bytes tell.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Head {
    absent: bool,
    start: u64,
}

impl Head {
    fn cmp(&self, other: &Head, descending: bool) -> Ordering {
        let order = self.start.cmp(&other.start);
        self.absent.cmp(&other.absent).then(if descending { order.reverse() } else { order })
    }
}

/// Where it stands: by the field, then by its code.
#[derive(Clone, Debug, PartialEq)]
struct Rank {
    head: Head,
    text: String,
    code: String,
}

impl Rank {
    fn cmp(&self, other: &Rank, descending: bool) -> Ordering {
        let order = self.text.cmp(&other.text);
        let order = if descending { order.reverse() } else { order };
        self.head.cmp(&other.head, descending).then(order).then_with(|| self.code.cmp(&other.code))
    }
}

/// Outlets changed in one step: more would hold up everybody else's work.
pub const MATCHES: usize = 50_000;

/// The places of all that match, up to one more than a step takes.
pub fn matching(table: &Table, filter: &str, rule: &str, except: &BTreeSet<Id>) -> Outcome<Vec<u32>> {
    let wanted = Wanted::of(table, filter, rule)?;
    let mut columns = wanted.filter.columns();
    columns.push(table.key());
    columns.sort_unstable();
    columns.dedup();
    let mut places = Vec::new();
    for chunk in 0..table.manifest.chunks.len() {
        if places.len() > MATCHES {
            break;
        }
        if wanted.enters(table, chunk) {
            let rows = table.rows(chunk, Some(&columns))?;
            let fits = wanted.fits(table, chunk, &rows);
            let left_out =
                |row: usize| !except.is_empty() && except.contains(&id_of(rows.text(table.key(), row)));
            let hits = (0..rows.count).filter(|row| fits[*row] && !left_out(*row));
            places.extend(hits.map(|row| (table.first(chunk) + row as u64) as u32));
        }
    }
    Ok(places)
}

/// How many outlets fit, a stretch at a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct CountOutlets {
    pub filter: String,
    pub rule: String,
    /// The chunk to go on with.
    pub from: usize,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    pub rows: u64,
    pub next: Option<usize>,
}

impl Query for CountOutlets {
    const NAME: &'static str = "outlets.count";
    type Reply = Counted;

    fn run(&self, cx: &ReadCx) -> Outcome<Counted> {
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else { return Ok(Counted::default()) };
        let wanted = Wanted::of(&table, &self.filter, &self.rule)?;
        if wanted.filter.is_empty() {
            let rows = wanted.marked.map_or(table.manifest.rows, |m| m.len() as u64);
            return Ok(Counted { rows, next: None });
        }
        let columns = wanted.filter.columns();
        let (mut rows, mut looked, mut chunk) = (0, 0, self.from);
        while chunk < table.manifest.chunks.len() && looked < COUNTED {
            if wanted.enters(&table, chunk) {
                let seen = table.rows(chunk, Some(&columns))?;
                rows += wanted.fits(&table, chunk, &seen).iter().filter(|f| **f).count() as u64;
                looked += seen.count as u64;
            }
            chunk += 1;
        }
        Ok(Counted { rows, next: Some(chunk).filter(|c| *c < table.manifest.chunks.len()) })
    }
}

/// The values of a field and how many outlets have each, the most frequent first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SumOutlets {
    pub field: String,
    pub filter: String,
    pub rule: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sums {
    pub values: Vec<(String, u64)>,
    /// Different values in all, and rows that have one.
    pub different: u64,
    pub filled: u64,
    pub rows: u64,
}

impl Query for SumOutlets {
    const NAME: &'static str = "outlets.sum";
    type Reply = Sums;

    fn run(&self, cx: &ReadCx) -> Outcome<Sums> {
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else { return Ok(Sums::default()) };
        let field = filter::column(table.kind, &table.manifest.extras, &self.field)?;
        let wanted = Wanted::of(&table, &self.filter, &self.rule)?;
        let columns = datasets::sorted(wanted.filter.columns().into_iter().chain([field.id]));
        let is_text = field.is_text();
        let (mut found, mut sums) = (FastMap::<String, u64>::default(), Sums::default());
        for chunk in 0..table.manifest.chunks.len() {
            if !wanted.enters(&table, chunk) {
                continue;
            }
            let rows = table.rows(chunk, Some(&columns))?;
            let fits = wanted.fits(&table, chunk, &rows);
            // Neighbours often have the same value: they are counted together.
            let (mut run, mut of): (u64, Option<String>) = (0, None);
            for row in (0..rows.count).filter(|row| fits[*row]) {
                sums.rows += 1;
                let same = is_text && of.as_deref() == Some(rows.text(field.id, row));
                if !same {
                    if let Some(value) = of.take() {
                        *found.entry(value).or_default() += run;
                    }
                    (run, of) = (0, Some(rows.shown(table.kind, field.id, row)));
                }
                run += 1;
            }
            if let Some(value) = of {
                *found.entry(value).or_default() += run;
            }
        }
        sums.filled = sums.rows - found.get("").copied().unwrap_or(0);
        sums.different = found.keys().filter(|v| !v.is_empty()).count() as u64;
        sums.values = found.into_iter().collect();
        sums.values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sums.values.truncate(MAX_VALUES);
        Ok(sums)
    }
}
