//! Outlets that stand in a file twice under two keys: near each other with names alike, or
//! of one name and address, or of one phone or tax number in one town.
//!
//! Nothing compares all with all: equal names are neighbours once sorted by name and
//! latitude, alike ones share a cell of the map, equal numbers are neighbours once sorted.

use super::codes::Fault;
use super::facts::{Fact, Facts, NOWHERE};
use super::groups::{grouped, repeating};
use super::places::km;
use crate::columns::FastMap;
use crate::domain::text;

const NEAR_KM: f64 = 0.05;
/// Names are alike from here on (Jaro–Winkler).
const ALIKE: f64 = 0.9;
/// Side of a cell in millionths of a degree: 50 m or more to the north.
const CELL: i32 = 500;
/// Rows of a cell that are compared with each other; more share a spot, and say nothing.
const MOST: usize = 40;
/// Rows of a town with one phone from which on it is nobody's own.
const MANY: usize = 10;
/// Rows of one name looked at behind each.
const BEHIND: usize = 64;

/// (row, the row it doubles): the first by key is the one that stays.
pub fn twins(facts: &mut Facts) -> Vec<(u32, u32)> {
    let mut pairs = Vec::new();
    let mut rank = vec![0u32; facts.rows.len()];
    for (place, row) in facts.order.iter().enumerate() {
        rank[*row as usize] = place as u32;
    }
    named(facts, &mut pairs);
    alike(facts, &mut pairs);
    unplaced(facts, &mut pairs);
    for row in numbered(facts, &mut pairs) {
        facts.rows[row as usize].faults.add(Fault::SharedPhone);
    }
    let first = groups(pairs, &rank);
    // A row under a repeated key is told of by that rule.
    let first: Vec<(u32, u32)> = first
        .into_iter()
        .filter(|(row, _)| !facts.rows[*row as usize].faults.has(Fault::CodeRepeated))
        .collect();
    for (row, _) in &first {
        facts.rows[*row as usize].faults.add(Fault::NearDuplicate);
    }
    first
}

fn counts(fact: &Fact) -> bool {
    fact.name != 0
}

/// Two houses of a street are two outlets, unless one phone rings in both.
fn same_house(a: &Fact, b: &Fact) -> bool {
    let apart = a.digits != 0 && b.digits != 0 && a.digits != b.digits;
    !apart || a.phone != 0 && a.phone == b.phone
}

/// Equal names within 50 m.
fn named(facts: &Facts, pairs: &mut Vec<(u32, u32)>) {
    let placed = facts.rows.iter().enumerate().filter(|(_, fact)| counts(fact) && fact.lat != NOWHERE);
    let spots = placed.map(|(row, fact)| (fact.name, (fact.lat, row as u32, fact.lon)));
    let mut of_name = grouped(spots);
    for rows in of_name.groups_mut().filter(|rows| rows.len() > 1) {
        rows.sort_unstable();
        for (place, a) in rows.iter().enumerate() {
            let close = |b: &&(i32, u32, i32)| b.0 - a.0 <= CELL;
            for b in rows[place + 1..].iter().take(BEHIND).take_while(close) {
                // The rows themselves lie anywhere: they are looked at last.
                if km((a.0, a.2), (b.0, b.2)) <= NEAR_KM
                    && same_house(&facts.rows[a.1 as usize], &facts.rows[b.1 as usize])
                {
                    pairs.push((a.1, b.1));
                }
            }
        }
    }
}

/// Where a row is and what it is called.
struct Spot {
    /// Its cell of the map: one more is the next to the east, `NORTH` more the next to the north.
    cell: u64,
    row: u32,
    at: (i32, i32),
    name: u32,
}

const NORTH: u64 = 1 << 32;

/// Names alike within 50 m: cells of the map, each with those to the east and north.
fn alike(facts: &Facts, pairs: &mut Vec<(u32, u32)>) {
    // Both are above zero, so that no neighbour lies in another row of cells.
    let side = |degrees: i32| (degrees.div_euclid(CELL) + (1 << 20)) as u64;
    let mut cells: Vec<(u64, u32)> = Vec::with_capacity(facts.rows.len());
    for (row, fact) in facts.rows.iter().enumerate() {
        if counts(fact) && fact.lat != NOWHERE && !fact.faults.has(Fault::Shared) {
            cells.push((side(fact.lat) * NORTH + side(fact.lon), row as u32));
        }
    }
    cells.sort_unstable();
    let spot = |(cell, row): (u64, u32)| {
        let fact = &facts.rows[row as usize];
        Spot { cell, row, at: (fact.lat, fact.lon), name: fact.name }
    };
    let rows: Vec<Spot> = cells.into_iter().map(spot).collect();
    let mut known: FastMap<u64, bool> = FastMap::default();
    let mut look = |x: &Spot, y: &Spot| {
        // The rows themselves lie anywhere: they are looked at last.
        let apart = x.name == y.name || (x.at.0 - y.at.0).abs() > CELL || km(x.at, y.at) > NEAR_KM;
        if apart || !same_house(&facts.rows[x.row as usize], &facts.rows[y.row as usize]) {
            return;
        }
        let key = u64::from(x.name.min(y.name)) << 32 | u64::from(x.name.max(y.name));
        if known.len() > 1 << 20 {
            known.clear();
        }
        let names = (facts.names.get(x.name), facts.names.get(y.name));
        if *known.entry(key).or_insert_with(|| are_alike(names.0, names.1)) {
            pairs.push((x.row, y.row));
        }
    };
    let mut from = 0;
    // Where the row of cells to the north begins, moving along with the cells.
    let mut north = 0;
    while from < rows.len() {
        let here = rows[from].cell;
        let end = from + rows[from..].iter().take_while(|r| r.cell == here).count();
        let own = &rows[from..end];
        for (n, a) in own.iter().enumerate().take(MOST) {
            own[n + 1..].iter().take(MOST).for_each(|b| look(a, b));
        }
        let east = rows[end..].iter().take_while(|r| r.cell == here + 1).take(MOST);
        while north < rows.len() && rows[north].cell < here + NORTH - 1 {
            north += 1;
        }
        let above = rows[north..].iter().take_while(|r| r.cell <= here + NORTH + 1).take(3 * MOST);
        for b in east.chain(above) {
            own.iter().take(MOST).for_each(|a| look(a, b));
        }
        from = end;
    }
}

fn are_alike(a: &str, b: &str) -> bool {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    short * 10 >= long * 6 && text::folded_likeness(a, b) >= ALIKE
}

/// Without positions: one name, one address, one town.
fn unplaced(facts: &Facts, pairs: &mut Vec<(u32, u32)>) {
    let of = |fact: &Fact| [fact.name, fact.address, facts.served.town(fact)];
    let key = |fact: &Fact| {
        let told = counts(fact) && fact.address != 0 && fact.digits != 0;
        let [name, address, town] = of(fact).map(u64::from);
        told.then_some((name << 32 | address) ^ town.rotate_left(24))
    };
    for pair in repeating(facts.rows.iter().map(key)).windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (a, b) = (&facts.rows[pair[0].1 as usize], &facts.rows[pair[1].1 as usize]);
        let placed = a.lat != NOWHERE && b.lat != NOWHERE;
        if of(a) == of(b) && !placed {
            pairs.push((pair[0].1, pair[1].1));
        }
    }
}

/// One phone or tax number in one town, and names that do not contradict; returns the rows whose
/// phone is that of many.
fn numbered(facts: &Facts, pairs: &mut Vec<(u32, u32)>) -> Vec<u32> {
    let mut shared = Vec::new();
    for (is_phone, number) in [(true, (|f| f.phone) as fn(&Fact) -> u32), (false, |f| f.tax)] {
        let key = |fact: &Fact| {
            let told = counts(fact) && number(fact) != 0;
            told.then(|| u64::from(number(fact)) << 32 | u64::from(facts.served.town(fact)))
        };
        let rows = repeating(facts.rows.iter().map(key));
        // A number that many share is a chain's or a distributor's.
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            if is_phone && group.len() >= MANY {
                shared.extend(group.iter().map(|(_, row)| *row));
            }
            if !(2..=4).contains(&group.len()) {
                continue;
            }
            for pair in group.windows(2) {
                let (a, b) = (&facts.rows[pair[0].1 as usize], &facts.rows[pair[1].1 as usize]);
                let far = a.lat != NOWHERE && b.lat != NOWHERE && km((a.lat, a.lon), (b.lat, b.lon)) > 1.0;
                if !far && text::folded_likeness(facts.names.get(a.name), facts.names.get(b.name)) >= 0.7 {
                    pairs.push((pair[0].1, pair[1].1));
                }
            }
        }
    }
    shared
}

/// Pairs as groups: each row with the first of its group by key, in the order of rows.
fn groups(pairs: Vec<(u32, u32)>, rank: &[u32]) -> Vec<(u32, u32)> {
    let mut parent: FastMap<u32, u32> = FastMap::default();
    fn root(parent: &mut FastMap<u32, u32>, mut row: u32) -> u32 {
        while let Some(up) = parent.get(&row).copied().filter(|up| *up != row) {
            let above = parent.get(&up).copied().unwrap_or(up);
            parent.insert(row, above);
            row = up;
        }
        row
    }
    for (a, b) in pairs {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        let (first, second) = if rank[a as usize] <= rank[b as usize] { (a, b) } else { (b, a) };
        parent.entry(first).or_insert(first);
        parent.insert(second, first);
    }
    let rows: Vec<u32> = parent.keys().copied().collect();
    let mut found: Vec<(u32, u32)> = rows
        .into_iter()
        .map(|row| (row, root(&mut parent, row)))
        .filter(|(row, first)| row != first)
        .collect();
    found.sort_unstable();
    found
}
