//! Who serves a row: its distributor, its rep, the territory and region it is counted to.
//! Rows of one town that are served alike are judged together, once: files have a few of
//! these for hundreds of rows.

use super::codes::{Fault, Faults};
use super::facts::{Fact, Facts};
use super::places::{FAR_KM, Town, km};
use crate::columns::{FastMap, hash};
use crate::domain::text::fold;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Fields that say it.
pub const FIELDS: [&str; 4] = ["region", "territory", "distributor_code", "salesperson_code"];
const REGION: usize = 0;
const TERRITORY: usize = 1;
const DISTRIBUTOR: usize = 2;
const REP: usize = 3;

/// Rows that a territory or distributor needs for others of it to be called odd.
const ENOUGH: u64 = 20;
/// Share of rows that say how wide it spreads, and how many times that nobody's outlet is away.
const MOST: f64 = 0.9;
const SPREADS: f64 = 4.0;
/// Share of rows beside the usual parent up to which they are errors and not another of that
/// name (the g3 error of Kivinen and Mannila 1995), of one name and of all.
const STRAYS: f64 = 0.05;

/// What is known here, folded: empty where nothing is, and then nothing is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Known {
    pub distributors: BTreeSet<String>,
    pub reps: BTreeSet<String>,
}

/// Rows of one town that are served alike.
pub struct Group {
    pub town: u32,
    pub country: u16,
    /// Numbers of the texts of [`FIELDS`]; 0 is none.
    by: [u32; 4],
    rows: u64,
}

#[derive(Default)]
pub struct Served {
    pub groups: Vec<Group>,
    numbers: FastMap<(u32, [u32; 4]), u32>,
    texts: FastMap<u64, u32>,
    /// Text by its number less one.
    said: Vec<String>,
    /// What the row before said.
    last: ([u32; 4], [u64; 4]),
}

impl Served {
    /// The number of a row's group.
    pub fn number(&mut self, town: u32, country: u16, cells: [&[u8]; 4]) -> u32 {
        let hashes = cells.map(|cell| if cell.is_empty() { 0 } else { hash(cell) | 1 });
        if self.last.1 != hashes {
            let mut by = [0; 4];
            for (n, cell) in cells.into_iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                let next = self.said.len() as u32 + 1;
                by[n] = *self.texts.entry(hashes[n]).or_insert(next);
                if by[n] == next {
                    self.said.push(String::from_utf8_lossy(cell).into_owned());
                }
            }
            self.last = (by, hashes);
        }
        let by = self.last.0;
        let next = self.groups.len() as u32;
        let number = *self.numbers.entry((town, by)).or_insert(next);
        if number == next {
            self.groups.push(Group { town, country, by, rows: 0 });
        }
        number
    }

    /// The number of a row's town.
    pub fn town(&self, row: &Fact) -> u32 {
        self.groups[row.served as usize].town
    }

    pub fn count(&mut self, number: u32) {
        self.groups[number as usize].rows += 1;
    }
}

/// What is odd of each group: its distributor or rep nobody knows, it lies far from the others
/// of theirs, or its territory is elsewhere under another parent.
pub fn judge(facts: &Facts, towns: &[Option<Town>], known: &Known) -> Vec<Faults> {
    let served = &facts.served;
    let mut faults = vec![Faults::default(); served.groups.len()];
    for (field, of, fault) in
        [(DISTRIBUTOR, &known.distributors, Fault::UnknownDistributor), (REP, &known.reps, Fault::UnknownRep)]
    {
        if !of.is_empty() {
            let odd: Vec<bool> = served.said.iter().map(|text| !of.contains(&fold(text))).collect();
            mark(served, &mut faults, fault, |group| {
                group.by[field] > 0 && odd[group.by[field] as usize - 1]
            });
        }
    }
    for (field, fault) in [(TERRITORY, Fault::FarFromTerritory), (DISTRIBUTOR, Fault::FarFromDistributor)] {
        let middles = middles(served, field, towns);
        mark(served, &mut faults, fault, |group| {
            let town = towns.get(group.town as usize).and_then(Option::as_ref);
            let pair = middles.get(&group.by[field]).zip(town);
            pair.is_some_and(|((middle, spread_km), town)| {
                let far = km(town.middle, *middle);
                far > FAR_KM && far > SPREADS * spread_km
            })
        });
    }
    let unsaid = facts.countries.iter().position(String::is_empty);
    let country = |group: &Group| match usize::from(group.country) {
        country if Some(country) == unsaid => 0,
        country => country as u32 + 1,
    };
    let region = |group: &Group| group.by[REGION];
    strays(served, &mut faults, |group| (group.by[TERRITORY], region(group)));
    strays(served, &mut faults, |group| (group.by[TERRITORY], country(group)));
    faults
}

fn mark(served: &Served, faults: &mut [Faults], fault: Fault, odd: impl Fn(&Group) -> bool) {
    for (group, faults) in served.groups.iter().zip(faults) {
        if odd(group) {
            faults.add(fault);
        }
    }
}

/// Rows, and where their town is.
type Weighed = (u64, (i32, i32));

/// Text of a field → the middle of the towns it has rows in, and how far from it most of them
/// are, in km: quantiles by rows, which a few odd ones do not move.
fn middles(served: &Served, field: usize, towns: &[Option<Town>]) -> BTreeMap<u32, ((i32, i32), f64)> {
    let mut of: BTreeMap<u32, Vec<Weighed>> = BTreeMap::new();
    for group in served.groups.iter().filter(|group| group.by[field] > 0) {
        if let Some(town) = towns.get(group.town as usize).and_then(Option::as_ref) {
            of.entry(group.by[field]).or_default().push((group.rows, town.middle));
        }
    }
    let middle = |(text, at): (u32, Vec<Weighed>)| {
        let rows: u64 = at.iter().map(|(rows, _)| rows).sum();
        if rows < ENOUGH {
            return None;
        }
        let lat = quantile(&at, 0.5, |(lat, _)| f64::from(lat))?;
        let lon = quantile(&at, 0.5, |(_, lon)| f64::from(lon))?;
        let middle = (lat as i32, lon as i32);
        Some((text, (middle, quantile(&at, MOST, |town| km(town, middle))?)))
    };
    of.into_iter().filter_map(middle).collect()
}

/// The value below which a part of the rows is.
fn quantile(at: &[Weighed], part: f64, value: impl Fn((i32, i32)) -> f64) -> Option<f64> {
    let mut of: Vec<(f64, u64)> = at.iter().map(|(rows, town)| (value(*town), *rows)).collect();
    of.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let enough = part * of.iter().map(|(_, rows)| rows).sum::<u64>() as f64;
    let mut seen = 0;
    of.iter().find_map(|(value, rows)| {
        seen += rows;
        (seen as f64 >= enough).then_some(*value)
    })
}

/// Marks the few rows that put a child under another parent than nearly all of it, where
/// children have one parent on the whole: names that stand under many are homonyms.
fn strays(served: &Served, faults: &mut [Faults], of: impl Fn(&Group) -> (u32, u32)) {
    let mut parents: BTreeMap<u32, BTreeMap<u32, u64>> = BTreeMap::new();
    for group in &served.groups {
        let (child, parent) = of(group);
        if child > 0 && parent > 0 {
            *parents.entry(child).or_default().entry(parent).or_default() += group.rows;
        }
    }
    let usual = |rows: &BTreeMap<u32, u64>| rows.values().copied().max().unwrap_or(0);
    let all = |rows: &BTreeMap<u32, u64>| rows.values().sum::<u64>();
    let (rows, kept) = parents.values().fold((0, 0), |(r, k), rows| (r + all(rows), k + usual(rows)));
    let few = |part: u64, whole: u64| part as f64 <= STRAYS * whole as f64;
    if !few(rows - kept, rows) {
        return;
    }
    mark(served, faults, Fault::TwoParents, |group| {
        let (child, parent) = of(group);
        let Some(rows) = parents.get(&child).filter(|rows| all(rows) >= ENOUGH) else { return false };
        rows.get(&parent).is_some_and(|part| few(*part, all(rows)))
    });
}
