//! Territories, distributors and routes for outlets that have none: what their nearest
//! neighbours have, and of several the one with the least load. A suggestion with its reason; nothing
//! is written before somebody says so.

use super::list::{MATCHES, matching};
use super::mend::{Mender, mended_columns};
use crate::columns::{FastMap, hash};
use crate::domain::schema::Kind;
use crate::domain::value::{FieldId, Value};
use crate::domain::{Fields, Outcome, decimal};
use crate::intake::bulk::km;
use crate::services::datasets::{self, Table, sorted};
use crate::services::{Query, ReadCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Side of a cell of the map in millionths of a degree: about two kilometres.
const CELL: i64 = 20_000;
/// Neighbours that are asked.
const NEAREST: usize = 5;
/// Farther ones say nothing.
const FAR_KM: f64 = 2.0;

/// A rule about a field that neighbours can fill.
pub struct ByNeighbours {
    pub rule: &'static str,
    pub field: &'static str,
    /// Neighbours that have another one of these say nothing: a route of another distributor
    /// is none of this outlet's, even if it has the same name.
    agrees: &'static [&'static str],
}

pub const BY_NEIGHBOURS: [ByNeighbours; 3] = [
    ByNeighbours { rule: "TER-01", field: "territory", agrees: &[] },
    ByNeighbours { rule: "REF-01", field: "distributor_code", agrees: &["territory"] },
    ByNeighbours { rule: "TER-05", field: "beat", agrees: &["distributor_code", "territory"] },
];

/// What an outlet could be given, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    pub code: String,
    pub name: String,
    /// Fields that would change, such as "territory" or "latitude, longitude".
    pub field: String,
    /// What stands there now, and what would.
    pub now: String,
    /// Empty: it cannot be told.
    pub value: String,
    /// "4 of the 5 nearest, 0.3 km"
    pub reason: String,
}

/// What mending would make of the outlets that a rule points at: one of
/// [`super::MENDABLE`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SuggestOutlets {
    pub rule: String,
    pub filter: String,
    pub limit: usize,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Suggested {
    /// Those with a suggestion first.
    pub items: Vec<Suggestion>,
    /// Outlets that the rule points at, and those with a suggestion, of the first that were
    /// looked at.
    pub total: usize,
    pub found: usize,
}

impl Query for SuggestOutlets {
    const NAME: &'static str = "outlets.suggest";
    type Reply = Suggested;

    fn run(&self, cx: &ReadCx) -> Outcome<Suggested> {
        let rule = self.rule.to_uppercase();
        mended_columns(&rule)?;
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else { return Ok(Suggested::default()) };
        let mut places = matching(&table, &self.filter, &rule, &Default::default())?;
        places.truncate(MATCHES);
        let mut mender = Mender::of(&rule, &table, &places)?;
        let schema = table.kind.schema();
        let (name, country) = (number("name"), number("country"));
        let wanted = sorted(mender.columns().iter().copied().chain([table.key(), name, country]));
        let mut open: Option<(usize, datasets::Rows)> = None;
        let (mut told, mut untold) = (Vec::new(), Vec::new());
        let limit = self.limit.clamp(1, MATCHES);
        let mut suggested = Suggested { total: places.len(), ..Suggested::default() };
        for place in places {
            let near = mender.next();
            let Some((chunk, row)) = table.place(u64::from(place)) else { continue };
            if open.as_ref().is_none_or(|(n, _)| *n != chunk) {
                open = Some((chunk, table.rows(chunk, Some(&wanted))?));
            }
            let Some((_, rows)) = &open else { continue };
            let now = rows.fields(table.kind, row);
            let (new, reason) = mender.mended(&now, near.as_ref());
            suggested.found += usize::from(new != now);
            let items = if new != now { &mut told } else { &mut untold };
            if items.len() >= limit {
                continue;
            }
            let changed = mender.columns().iter().copied();
            let changed: Vec<u16> = match mender.columns().len() {
                ..=2 => changed.collect(),
                _ => changed.filter(|field| now.get(field) != new.get(field)).collect(),
            };
            let said = |of: &Fields| {
                let texts = changed.iter().map(|field| said(of.get(field)));
                texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
            };
            let names = changed.iter().filter_map(|field| schema.field(*field)).map(|f| f.name);
            items.push(Suggestion {
                code: rows.text(table.key(), row).into(),
                name: rows.text(name, row).into(),
                field: names.collect::<Vec<_>>().join(", "),
                now: said(&now),
                value: if new == now { String::new() } else { said(&new) },
                reason,
            });
        }
        told.extend(untold);
        told.truncate(limit);
        suggested.items = told;
        Ok(suggested)
    }
}

fn number(name: &str) -> FieldId {
    Kind::Outlet.schema().field_named(name).map_or(0, |f| f.id)
}

/// A value as people read it.
fn said(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Int(number)) => decimal::show(*number),
        _ => String::new(),
    }
}

/// An outlet that can be asked.
struct Member {
    at: (i32, i32),
    value: u64,
    groups: Groups,
}

/// Hashes of what an outlet has of the fields that have to agree; 0 for nothing.
type Groups = [u64; 2];

/// What the neighbours of a place have.
pub(super) struct Near {
    pub value: String,
    votes: usize,
    asked: usize,
    km: f64,
}

impl Near {
    pub fn reason(&self) -> String {
        format!("{} of the {} nearest, {:.1} km", self.votes, self.asked, self.km)
    }
}

/// Place → what most of its nearest neighbours have; of as many the value that fewer
/// outlets have yet. Looks at all outlets once, and keeps only those near a place.
pub(super) fn nearest(table: &Table, places: &[u32], by: &ByNeighbours) -> Outcome<Vec<Option<Near>>> {
    let (lat, lon, column) = (number("latitude"), number("longitude"), number(by.field));
    let agrees: Vec<FieldId> = by.agrees.iter().map(|name| number(name)).collect();
    let wanted = sorted(agrees.iter().copied().chain([lat, lon, column]));
    let groups = |rows: &datasets::Rows, row: usize| -> Groups {
        let mut groups = Groups::default();
        for (group, field) in groups.iter_mut().zip(&agrees) {
            let text = rows.text(*field, row);
            *group = if text.is_empty() { 0 } else { hash(text.as_bytes()) | 1 };
        }
        groups
    };
    let agree = |a: &Groups, b: &Groups| a.iter().zip(b).all(|(a, b)| a == b || *a == 0 || *b == 0);
    let mut at: Vec<Option<((i32, i32), Groups)>> = Vec::with_capacity(places.len());
    let mut open: Option<(usize, datasets::Rows)> = None;
    for place in places {
        let Some((chunk, row)) = table.place(u64::from(*place)) else {
            at.push(None);
            continue;
        };
        if open.as_ref().is_none_or(|(n, _)| *n != chunk) {
            open = Some((chunk, table.rows(chunk, Some(&wanted))?));
        }
        at.push(open.as_ref().and_then(|(_, rows)| {
            let position = (rows.number(lat, row)? as i32, rows.number(lon, row)? as i32);
            Some((position, groups(rows, row)))
        }));
    }
    let cell = |(lat, lon): (i32, i32)| (i64::from(lat).div_euclid(CELL), i64::from(lon).div_euclid(CELL));
    let around = |(y, x): (i64, i64)| (-1..=1).flat_map(move |dy| (-1..=1).map(move |dx| (y + dy, x + dx)));
    let key = |(y, x): (i64, i64)| (y as u64) << 32 ^ (x as u64 & 0xffff_ffff);
    let mut cells: FastMap<u64, Vec<Member>> = FastMap::default();
    for (position, _) in at.iter().flatten() {
        for near in around(cell(*position)) {
            cells.entry(key(near)).or_default();
        }
    }
    // Text of a value by its hash, and how many outlets have it.
    let (mut texts, mut load): (FastMap<u64, String>, FastMap<u64, u32>) = Default::default();
    for chunk in 0..table.manifest.chunks.len() {
        let rows = table.rows(chunk, Some(&wanted))?;
        for row in 0..rows.count {
            let text = rows.text(column, row);
            let (Some(y), Some(x), false) = (rows.number(lat, row), rows.number(lon, row), text.is_empty())
            else {
                continue;
            };
            let position = (y as i32, x as i32);
            if let Some(members) = cells.get_mut(&key(cell(position))) {
                let value = hash(text.as_bytes());
                members.push(Member { at: position, value, groups: groups(&rows, row) });
                texts.entry(value).or_insert_with(|| text.to_owned());
                *load.entry(value).or_default() += 1;
            }
        }
    }
    let mut found = Vec::with_capacity(places.len());
    for position in at {
        let Some((position, own)) = position else {
            found.push(None);
            continue;
        };
        let mut near: Vec<(f64, u64)> = around(cell(position))
            .filter_map(|c| cells.get(&key(c)))
            .flatten()
            .filter(|member| agree(&member.groups, &own))
            .map(|member| (km(position, member.at), member.value))
            .filter(|(km, _)| *km <= FAR_KM)
            .collect();
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        near.truncate(NEAREST);
        let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
        near.iter().for_each(|(_, value)| *votes.entry(*value).or_default() += 1);
        let light = |value: &u64| std::cmp::Reverse(load.get(value).copied().unwrap_or(0));
        let best = votes.iter().max_by_key(|(value, votes)| (**votes, light(value), **value));
        found.push(best.map(|(value, count)| Near {
            value: texts.get(value).cloned().unwrap_or_default(),
            votes: *count,
            asked: near.len(),
            km: near.iter().find(|(_, v)| v == value).map_or(0.0, |(km, _)| *km),
        }));
    }
    Ok(found)
}
