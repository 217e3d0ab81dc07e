//! Territories and distributors for outlets that have none: what their nearest neighbours
//! have, and of several the one with the least load. A suggestion with its reason; nothing
//! is written before somebody says so.

use super::list::{MATCHES, matching};
use crate::columns::{FastMap, hash};
use crate::domain::schema::Kind;
use crate::domain::{Failure, Outcome};
use crate::intake::bulk::km;
use crate::services::datasets::{self, Table};
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

/// Rules about a field that neighbours can fill, and the field.
pub const BY_NEIGHBOURS: [(&str, &str); 2] = [("TER-01", "territory"), ("REF-01", "distributor_code")];

/// What an outlet could be given, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    pub code: String,
    pub name: String,
    pub field: String,
    /// Empty: no neighbour is near enough.
    pub value: String,
    /// "4 of the 5 nearest, 0.3 km"
    pub reason: String,
}

/// Suggestions for outlets that a rule points at.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SuggestOutlets {
    pub rule: String,
    pub filter: String,
    pub limit: usize,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Suggested {
    pub items: Vec<Suggestion>,
    /// Outlets that the rule points at, and those with a suggestion.
    pub total: usize,
    pub found: usize,
}

impl Query for SuggestOutlets {
    const NAME: &'static str = "outlets.suggest";
    type Reply = Suggested;

    fn run(&self, cx: &ReadCx) -> Outcome<Suggested> {
        let rule = self.rule.to_uppercase();
        let (_, field) = BY_NEIGHBOURS.iter().find(|(code, _)| *code == rule).ok_or_else(|| {
            Failure::usage(format!("Neighbours say nothing about {rule}"))
                .hint("They suggest for TER-01 (territory) and REF-01 (distributor)")
        })?;
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else { return Ok(Suggested::default()) };
        let mut places = matching(&table, &self.filter, &rule, &Default::default())?;
        places.truncate(MATCHES);
        let found = nearest(&table, &places, field)?;
        let name = table.kind.schema().field_named("name").map_or(2, |f| f.id);
        let mut suggested = Suggested {
            total: places.len(),
            found: found.iter().filter(|f| f.is_some()).count(),
            ..Suggested::default()
        };
        for (place, near) in places.iter().zip(found).take(self.limit.clamp(1, MATCHES)) {
            let Some((chunk, row)) = table.place(u64::from(*place)) else { continue };
            let rows = table.rows(chunk, Some(&[table.key(), name]))?;
            let (value, reason) = match near {
                Some(near) => (near.value.clone(), near.reason()),
                None => (String::new(), "no neighbour within 2 km has one".into()),
            };
            suggested.items.push(Suggestion {
                code: rows.text(table.key(), row).into(),
                name: rows.text(name, row).into(),
                field: (*field).into(),
                value,
                reason,
            });
        }
        Ok(suggested)
    }
}

/// What the neighbours of a place have.
pub struct Near {
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
pub fn nearest(table: &Table, places: &[u32], field: &str) -> Outcome<Vec<Option<Near>>> {
    let number = |name: &str| table.kind.schema().field_named(name).map_or(0, |f| f.id);
    let (lat, lon, column) = (number("latitude"), number("longitude"), number(field));
    let mut wanted = vec![lat, lon, column];
    wanted.sort_unstable();
    let mut at: Vec<Option<(i32, i32)>> = Vec::with_capacity(places.len());
    let mut open: Option<(usize, datasets::Rows)> = None;
    for place in places {
        let Some((chunk, row)) = table.place(u64::from(*place)) else {
            at.push(None);
            continue;
        };
        if open.as_ref().is_none_or(|(n, _)| *n != chunk) {
            open = Some((chunk, table.rows(chunk, Some(&wanted))?));
        }
        at.push(
            open.as_ref()
                .and_then(|(_, rows)| Some((rows.number(lat, row)? as i32, rows.number(lon, row)? as i32))),
        );
    }
    let cell = |(lat, lon): (i32, i32)| (i64::from(lat).div_euclid(CELL), i64::from(lon).div_euclid(CELL));
    let around = |(y, x): (i64, i64)| (-1..=1).flat_map(move |dy| (-1..=1).map(move |dx| (y + dy, x + dx)));
    let key = |(y, x): (i64, i64)| (y as u64) << 32 ^ (x as u64 & 0xffff_ffff);
    let mut cells: FastMap<u64, Vec<(i32, i32, u64)>> = FastMap::default();
    for position in at.iter().flatten() {
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
                members.push((position.0, position.1, value));
                texts.entry(value).or_insert_with(|| text.to_owned());
                *load.entry(value).or_default() += 1;
            }
        }
    }
    let mut found = Vec::with_capacity(places.len());
    for position in at {
        let Some(position) = position else {
            found.push(None);
            continue;
        };
        let mut near: Vec<(f64, u64)> = around(cell(position))
            .filter_map(|c| cells.get(&key(c)))
            .flatten()
            .map(|(lat, lon, value)| (km(position, (*lat, *lon)), *value))
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
