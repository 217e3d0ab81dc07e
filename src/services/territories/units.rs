//! Planning units: the units of a level, those that are too large cut into equal parts.

use super::detect::levels;
use super::{Grouping, Limits, Sum, Weighed, column_of, outlets};
use crate::columns::FastMap;
use crate::domain::schema::{Kind, Record, Split as SplitMade, Unit};
use crate::domain::text;
use crate::domain::{Failure, Fields, Id, Outcome, decimal};
use crate::services::datasets::sorted;
use crate::services::datasets::{self, Table};
use crate::services::imports::hex;
use crate::services::permissions::Rights;
use crate::services::{Command, Query, ReadCx, WriteCx, each_live, new_id};
use crate::solver::partition::{Point, imbalance, split};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Units at most: each is a record.
const MAX_UNITS: usize = 20_000;
/// What parts of a unit may differ by.
const BALANCED: f64 = 0.05;

/// What is kept together where a unit is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Each outlet goes where it lies.
    #[default]
    Outlets,
    /// Beats stay whole where the parts can still be equal.
    Beats,
    /// The outlets of a distributor stay together, however unequal the parts.
    Distributors,
}

/// Makes the planning units of a level, and cuts those that are too large.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SplitTerritories {
    /// Columns of the levels from the top; those of the likeliest chain when empty.
    pub levels: Vec<String>,
    /// The last level that counts; the recommended one when empty.
    pub level: String,
    pub limits: Limits,
    pub keep: Keep,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    pub level: String,
    pub units: Vec<UnitSum>,
    /// Outlets of all units, and those without one.
    pub outlets: u64,
    pub without: u64,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub same: usize,
}

/// A unit as it is or would be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnitSum {
    pub name: String,
    #[serde(flatten)]
    pub sum: Sum,
    /// Its number among the parts of what was cut, from 1, and how many these are; 0 and 1
    /// of a whole one.
    pub part: usize,
    pub parts: usize,
    /// How far the heaviest part is above the mean, of what was cut.
    pub imbalance: f64,
    /// Why the parts are not equal, if they are not.
    pub why: String,
    pub word: String,
    /// Points to draw, of what was cut: millionths of a degree.
    pub points: Vec<(i32, i32)>,
}

/// Points of a part that a preview shows.
const DRAWN: usize = 400;

/// The units worked out: each with the places of its outlets, in order.
struct Made {
    level: String,
    units: Vec<(UnitSum, Vec<u32>)>,
    without: u64,
}

/// What is known of a row while units are cut.
struct Cell {
    place: u32,
    at: Option<(i32, i32)>,
    weight: f64,
    group: u64,
}

impl SplitTerritories {
    fn work_out(&self, cx: &ReadCx) -> Outcome<Made> {
        let mut names = levels(cx, &self.levels)?;
        let level = match self.level.as_str() {
            "" => {
                let ask = super::RecommendTerritories { levels: names.clone(), limits: self.limits };
                let found = ask.run(cx)?;
                found.level.ok_or_else(|| Failure::not_found(found.why))?
            }
            level => names.iter().position(|n| n == level).ok_or_else(|| {
                Failure::not_found(format!("\"{level}\" is no level of {}", names.join(" > ")))
                    .hint("Say the levels with --levels, and one of them with --level")
            })?,
        };
        names.truncate(level + 1);
        let table = outlets(cx.reads)?;
        let by = Weighed::of(&table)?;
        let columns = names.iter().map(|l| column_of(&table, l)).collect::<Outcome<Vec<u16>>>()?;
        let wanted = sorted(columns.iter().copied().chain(by.columns()));
        let mut group = Grouping::new(columns);
        let mut cells: Vec<(u32, Cell)> = Vec::new();
        for chunk in 0..table.manifest.chunks.len() {
            let rows = table.rows(chunk, Some(&wanted))?;
            for row in 0..rows.count {
                let Some(unit) = group.unit(&rows, row) else { continue };
                let place = table.first(chunk) + row as u64;
                group.add(unit, (&rows, row, place), &by, &self.limits);
                let at = by.position(&rows, row, place);
                let kept = match self.keep {
                    Keep::Outlets => "",
                    Keep::Beats => rows.text(by.beat, row),
                    Keep::Distributors => rows.text(by.distributor, row),
                };
                let weight = match self.limits.hours {
                    0 => 1.0,
                    _ => by.minutes(&rows, row, &self.limits),
                };
                let group = if kept.is_empty() { 0 } else { crate::columns::hash(kept.as_bytes()) };
                cells.push((unit, Cell { place: place as u32, at, weight, group }));
            }
            if group.sums.len() > MAX_UNITS {
                return Err(Failure::invalid(format!(
                    "There are more than {MAX_UNITS} units at the level {}",
                    names[level]
                ))
                .hint("Choose a higher level: `pams territory recommend` shows their sizes"));
            }
        }
        // By unit, and by place within: the sort is stable.
        cells.sort_by_key(|(unit, _)| *unit);
        let mut units: Vec<(UnitSum, Vec<u32>)> = Vec::new();
        for of in cells.chunk_by(|a, b| a.0 == b.0) {
            let whole = &group.sums[of[0].0 as usize];
            match whole.parts(&self.limits) {
                1 => {
                    let unit =
                        UnitSum { name: whole.name(), sum: whole.clone(), parts: 1, ..UnitSum::default() };
                    units.push((unit, of.iter().map(|(_, c)| c.place).collect()));
                }
                parts => units.extend(self.cut(whole, of, parts)),
            }
        }
        for (unit, _) in &mut units {
            unit.word = unit.sum.word(&self.limits).into();
        }
        units.sort_by(|(a, _), (b, _)| a.sum.path.cmp(&b.sum.path).then(a.part.cmp(&b.part)));
        // Names that come again under other parents are told apart by them.
        let mut paths: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
        for (unit, _) in &units {
            paths.entry(unit.sum.name()).or_default().insert(unit.sum.path.clone());
        }
        for (unit, _) in &mut units {
            if paths[&unit.sum.name()].len() > 1 {
                let tail =
                    if unit.parts > 1 { format!(" {}/{}", unit.part, unit.parts) } else { String::new() };
                unit.name = format!("{}{tail}", unit.sum.path.join(" / "));
            }
        }
        Ok(Made { level: names[level].clone(), units, without: group.without })
    }

    /// A unit that is too large, in parts that fit.
    fn cut(&self, whole: &Sum, cells: &[(u32, Cell)], parts: usize) -> Vec<(UnitSum, Vec<u32>)> {
        // What cannot be cut exactly needs a part more rather than parts that are too large.
        for parts in [parts, parts + 1, parts + 2] {
            let (of, why) = self.assign(cells, parts);
            let made = self.parts(whole, cells, &of, parts, &why);
            if parts > whole.parts(&self.limits) + 1
                || made.iter().all(|(u, _)| u.sum.load(&self.limits) <= 1.0)
            {
                return made;
            }
        }
        vec![]
    }

    fn parts(
        &self,
        whole: &Sum,
        cells: &[(u32, Cell)],
        of: &[u32],
        parts: usize,
        why: &str,
    ) -> Vec<(UnitSum, Vec<u32>)> {
        let mut made: Vec<(UnitSum, Vec<u32>)> = (1..=parts)
            .map(|part| {
                let sum =
                    Sum { path: whole.path.clone(), distributors: whole.distributors, ..Sum::default() };
                let name = format!("{} {part}/{parts}", whole.name());
                (UnitSum { name, sum, part, parts, why: why.to_owned(), ..UnitSum::default() }, vec![])
            })
            .collect();
        let share = |weight: f64| weight / cells.len().max(1) as f64;
        let step = (cells.len() / (DRAWN * parts)).max(1);
        for (n, ((_, cell), part)) in cells.iter().zip(of).enumerate() {
            let (unit, places) = &mut made[*part as usize];
            unit.sum.outlets += 1;
            unit.sum.minutes += if self.limits.hours > 0 { cell.weight } else { share(whole.minutes) };
            if let Some((lat, lon)) = cell.at {
                unit.sum.place(lat, lon);
                if n % step == 0 {
                    unit.points.push((lat, lon));
                }
            }
            places.push(cell.place);
        }
        let weights: Vec<f64> = made
            .iter()
            .map(|(u, _)| if self.limits.hours > 0 { u.sum.minutes } else { u.sum.outlets as f64 })
            .collect();
        let mean = weights.iter().sum::<f64>() / parts as f64;
        let most = weights.iter().copied().fold(0.0, f64::max) / mean.max(1e-9) - 1.0;
        for (unit, _) in &mut made {
            unit.imbalance = most;
            // Sales go with the outlets.
            unit.sum.sales =
                (whole.sales as f64 * unit.sum.outlets as f64 / whole.outlets.max(1) as f64) as i64;
        }
        made
    }

    /// Cell → its part, and why the parts are not equal if they are not.
    fn assign(&self, cells: &[(u32, Cell)], parts: usize) -> (Vec<u32>, String) {
        if self.keep == Keep::Outlets {
            return (alone(cells, parts), String::new());
        }
        let (points, number) = together(cells);
        let of = split(&points, parts);
        let uneven = imbalance(&points, &of, parts);
        let by_group: Vec<u32> = number.iter().map(|n| of[*n as usize]).collect();
        if uneven <= BALANCED {
            return (by_group, String::new());
        }
        let heaviest = points.iter().map(|p| p.weight).fold(0.0, f64::max);
        let mean = points.iter().map(|p| p.weight).sum::<f64>() / parts as f64;
        let share = 100.0 * heaviest / mean.max(1e-9);
        match self.keep {
            Keep::Beats => {
                let why = format!(
                    "whole beats would leave the parts {:.0} % apart (the largest beat is {share:.0} % of a part): some are cut",
                    100.0 * uneven
                );
                (alone(cells, parts), why)
            }
            _ => {
                let why = format!(
                    "the outlets of a distributor stay together: the largest one is {share:.0} % of a part"
                );
                (by_group, why)
            }
        }
    }
}

/// Each outlet for itself; those without a position fill up the lightest parts.
fn alone(cells: &[(u32, Cell)], parts: usize) -> Vec<u32> {
    let placed: Vec<usize> = (0..cells.len()).filter(|n| cells[*n].1.at.is_some()).collect();
    let points: Vec<Point> = placed.iter().map(|n| point(&cells[*n].1, cells[*n].1.weight)).collect();
    let of = split(&points, parts);
    let mut all = vec![u32::MAX; cells.len()];
    let mut weights = vec![0.0; parts];
    for (n, part) in placed.iter().zip(of) {
        all[*n] = part;
        weights[part as usize] += cells[*n].1.weight;
    }
    for (n, part) in all.iter_mut().enumerate().filter(|(_, part)| **part == u32::MAX) {
        let lightest = (0..parts).min_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap_or(0);
        *part = lightest as u32;
        weights[lightest] += cells[n].1.weight;
    }
    all
}

fn point(cell: &Cell, weight: f64) -> Point {
    let (lat, lon) = cell.at.unwrap_or((0, 0));
    Point { lat: f64::from(lat) / 1e6, lon: f64::from(lon) / 1e6, weight }
}

/// What stays together as one point where its middle is, and cell → its point. An outlet
/// that keeps to nothing is a point of its own.
fn together(cells: &[(u32, Cell)]) -> (Vec<Point>, Vec<u32>) {
    let mut numbers: FastMap<u64, u32> = FastMap::default();
    let mut sums: Vec<(f64, f64, f64, f64)> = Vec::new();
    let mut number = Vec::with_capacity(cells.len());
    for (_, cell) in cells {
        let next = sums.len() as u32;
        let n = match cell.group {
            0 => next,
            group => *numbers.entry(group).or_insert(next),
        };
        if n == next {
            sums.push((0.0, 0.0, 0.0, 0.0));
        }
        let sum = &mut sums[n as usize];
        if let Some((lat, lon)) = cell.at {
            (sum.0, sum.1, sum.2) = (sum.0 + f64::from(lat), sum.1 + f64::from(lon), sum.2 + 1.0);
        }
        sum.3 += cell.weight;
        number.push(n);
    }
    let middle = |sum: &(f64, f64, f64, f64)| Point {
        lat: sum.0 / sum.2.max(1.0) / 1e6,
        lon: sum.1 / sum.2.max(1.0) / 1e6,
        weight: sum.3,
    };
    (sums.iter().map(middle).collect(), number)
}

/// What a split would make, without making it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PreviewSplit {
    pub split: SplitTerritories,
}

impl Query for PreviewSplit {
    const NAME: &'static str = "territories.preview";
    type Reply = Split;

    fn run(&self, cx: &ReadCx) -> Outcome<Split> {
        let made = self.split.work_out(cx)?;
        let outlets = made.units.iter().map(|(u, _)| u.sum.outlets).sum();
        let units = made.units.into_iter().map(|(u, _)| u).collect();
        Ok(Split { level: made.level, units, outlets, without: made.without, ..Split::default() })
    }
}

/// The one record that says how the units were cut last.
fn split_id() -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&blake3::hash(b"split of the territories").as_bytes()[..16]);
    Id(id)
}

/// Begins a split: where another one was made meanwhile, all of it waits for a person.
fn claim(cx: &mut WriteCx, units: usize, level: &str) -> Outcome<()> {
    let split = SplitMade {
        name: "planning units".into(),
        by: Some(cx.actor()),
        made: format!("{} by {level} ({})", text::count(units, "unit"), new_id(cx.caller.now_ms).short()),
    };
    cx.put(Kind::Split, split_id(), &split.to_fields()).map(drop)
}

impl Command for SplitTerritories {
    const NAME: &'static str = "territories.split";
    type Reply = Split;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Split> {
        let caller = cx.caller.clone();
        let made = self.work_out(&ReadCx { reads: cx.reads(), caller: &caller })?;
        let dataset = datasets::rows_named(cx.reads(), Kind::Outlet)?;
        let mut done = Split { level: made.level.clone(), without: made.without, ..Split::default() };
        let mut old: BTreeMap<String, (Id, Fields)> = BTreeMap::new();
        for (id, unit, fields) in units(cx.reads())? {
            old.insert(unit.name, (id, fields));
        }
        let (count, mut changed) = (made.units.len(), Vec::new());
        for (unit, places) in made.units {
            done.outlets += unit.sum.outlets;
            let mut pieces = Vec::new();
            for part in places.chunks(crate::columns::MAX_ROWS) {
                pieces.push(hex(&cx.batch.put_blob(&datasets::encode_places(&[part.to_vec()]))?));
            }
            let middle = unit.sum.middle();
            let record = Unit {
                name: unit.name.clone(),
                path: unit.sum.path.clone(),
                level: made.level.clone(),
                part: (unit.parts > 1).then_some(unit.part as i64),
                parts: (unit.parts > 1).then_some(unit.parts as i64),
                outlets: Some(unit.sum.outlets as i64),
                minutes: Some(unit.sum.minutes.round() as i64),
                sales: Some(unit.sum.sales),
                latitude: middle.map(|(lat, _)| i64::from(lat)),
                longitude: middle.map(|(_, lon)| i64::from(lon)),
                diameter_km: Some((unit.sum.diameter_km() * decimal::ONE as f64).round() as i64),
                distributors: Some(i64::from(unit.sum.distributors)),
                places: pieces,
                dataset: dataset.clone(),
            };
            let fields = record.to_fields();
            match old.remove(&unit.name) {
                Some((_, before)) if before == fields => done.same += 1,
                before => changed.push((before.map(|(id, _)| id), fields)),
            }
            done.units.push(unit);
        }
        if !changed.is_empty() || !old.is_empty() {
            claim(cx, count, &made.level)?;
        }
        for (before, fields) in changed {
            match before {
                Some(id) => {
                    cx.update(Kind::Unit, id, |of| *of = fields)?;
                    done.changed += 1;
                }
                None => {
                    cx.create(Kind::Unit, &fields)?;
                    done.added += 1;
                }
            }
        }
        for (id, fields) in old.into_values() {
            cx.delete(Kind::Unit, id, &fields)?;
            done.removed += 1;
        }
        Ok(done)
    }
}

/// All units as they stand, by name.
pub fn units(reads: &dyn Reads) -> Outcome<Vec<(Id, Unit, Fields)>> {
    let mut all = Vec::new();
    each_live(reads, Kind::Unit, &mut |id, head| {
        all.push((id, Unit::from_fields(&head.fields), head.fields));
        ControlFlow::Continue(())
    })?;
    all.sort_by(|a, b| (&a.1.path, a.1.part).cmp(&(&b.1.path, b.1.part)));
    Ok(all)
}

/// The places of a unit's outlets, in order, in the table they were cut from.
pub(super) fn places(table: &Table, unit: &Unit) -> Outcome<Vec<u32>> {
    let mut all = Vec::new();
    for piece in &unit.places {
        let hash = crate::services::imports::uploads::unhex(piece)
            .ok_or_else(|| Failure::internal("A unit's places cannot be read"))?;
        all.extend(datasets::numbers(table.reads(), &hash, 0)?);
    }
    Ok(all)
}

/// Units with what is known of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListUnits {
    pub limits: Limits,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Units {
    pub items: Vec<UnitShown>,
    /// They were cut from outlets that have changed since.
    pub stale: bool,
    /// The territories that who asks is bound to; none for all.
    #[serde(default)]
    pub own: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct UnitShown {
    pub id: Id,
    pub name: String,
    pub level: String,
    pub path: Vec<String>,
    pub outlets: u64,
    pub hours: u64,
    /// Of all units together, 0 to 1.
    pub sales_share: f64,
    pub diameter_km: f64,
    pub distributors: u64,
    pub word: String,
    /// Bytes of its snapshot; none: it is not cut yet.
    pub snapshot: Option<u64>,
}

impl Query for ListUnits {
    const NAME: &'static str = "territories.units";
    type Reply = Units;

    fn run(&self, cx: &ReadCx) -> Outcome<Units> {
        let all = units(cx.reads)?;
        let dataset = datasets::rows_named(cx.reads, Kind::Outlet)?;
        let sales: f64 = all.iter().map(|(_, u, _)| u.sales.unwrap_or(0) as f64).sum();
        let datasets: BTreeSet<&str> = all.iter().map(|(_, u, _)| u.dataset.as_str()).collect();
        let stale = datasets.iter().any(|d| *d != dataset);
        let mut items = Vec::new();
        for (id, unit, _) in &all {
            let sum = Sum {
                outlets: unit.outlets.unwrap_or(0) as u64,
                minutes: unit.minutes.unwrap_or(0) as f64,
                ..Sum::default()
            };
            items.push(UnitShown {
                id: *id,
                name: unit.name.clone(),
                level: unit.level.clone(),
                path: unit.path.clone(),
                outlets: sum.outlets,
                hours: (sum.minutes / 60.0).round() as u64,
                sales_share: unit.sales.unwrap_or(0) as f64 / sales.max(1.0),
                diameter_km: unit.diameter_km.unwrap_or(0) as f64 / decimal::ONE as f64,
                distributors: unit.distributors.unwrap_or(0) as u64,
                word: sum.word(&self.limits).into(),
                snapshot: super::snapshots::kept(cx.reads, *id)?.map(|s| s.bytes),
            });
        }
        let own = Rights::of(cx.reads, cx.settings()?.me)?.territories;
        Ok(Units { items, stale, own })
    }
}

/// A unit by its name, or the id of it.
pub fn find(reads: &dyn Reads, which: &str) -> Outcome<(Id, Unit)> {
    let all = units(reads)?;
    if which.trim().is_empty() {
        return match all.as_slice() {
            [(id, unit, _)] => Ok((*id, unit.clone())),
            [] => Err(Failure::not_found("There are no planning units yet")
                .hint("`pams territory split` makes them")),
            several => {
                let names: Vec<&str> = several.iter().take(8).map(|(_, u, _)| u.name.as_str()).collect();
                Err(Failure::usage(format!("There are {} planning units: which one?", several.len()))
                    .hint(names.join(", ")))
            }
        };
    }
    let found = all.iter().find(|(id, u, _)| u.name == which || id.ends_with(which));
    let folded = crate::domain::text::fold(which);
    let found = found.or_else(|| all.iter().find(|(_, u, _)| crate::domain::text::fold(&u.name) == folded));
    found.map(|(id, unit, _)| (*id, unit.clone())).ok_or_else(|| {
        Failure::not_found(format!("There is no unit \"{which}\"")).hint("`pams territory list` shows them")
    })
}
