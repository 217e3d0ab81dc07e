//! Whether a position can be right: by its country's box, and by where the others of its
//! town are. The median of a town does not move for the few that are wrong.

use super::codes::Fault;
use super::facts::{Fact, Facts, NOWHERE};
use super::groups::{grouped, repeating};
use super::mend::Mender;
use crate::domain::text::fold;

/// Kilometres of a degree of latitude.
const KM_A_DEGREE: f64 = 111.2;
/// Nobody's outlet is farther from the middle of its town.
pub(super) const FAR_KM: f64 = 80.0;
/// Positions of a town that its middle needs.
const ENOUGH: usize = 3;
/// Outlets on one spot that make it the spot of a street or town, not of an outlet.
const SHARED: usize = 10;
/// south, north, west, east in degrees. Boxes of the settlements of GeoNames (CC BY 4.0),
/// with a margin.
const COUNTRIES: &str = include_str!("../countries.csv");

type Box4 = [f64; 4];

/// Kilometres between two positions, good to a percent where they are near.
pub fn km(a: (i32, i32), b: (i32, i32)) -> f64 {
    let middle = (f64::from(a.0) + f64::from(b.0)) / 2e6;
    let dy = (f64::from(a.0) - f64::from(b.0)) / 1e6;
    let dx = (f64::from(a.1) - f64::from(b.1)) / 1e6;
    let dx = if dx.abs() > 180.0 { 360.0 - dx.abs() } else { dx };
    (dy * dy + (dx * middle.to_radians().cos()).powi(2)).sqrt() * KM_A_DEGREE
}

/// The box of a country by its code or name.
fn country(text: &str) -> Option<Box4> {
    let folded = fold(text);
    COUNTRIES.lines().skip(1).find_map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let named = !folded.is_empty() && cells.iter().take(3).any(|c| fold(c) == folded);
        let number = |n: usize| cells.get(n).and_then(|t| t.parse().ok());
        if named { Some([number(3)?, number(4)?, number(5)?, number(6)?]) } else { None }
    })
}

fn inside(at: (i32, i32), of: &Box4) -> bool {
    let (y, x) = (f64::from(at.0) / 1e6, f64::from(at.1) / 1e6);
    y >= of[0] && y <= of[1] && x >= of[2] && x <= of[3]
}

fn position(fact: &Fact) -> Option<(i32, i32)> {
    (fact.lat != NOWHERE).then_some((fact.lat, fact.lon))
}

fn swapped(at: (i32, i32)) -> (i32, i32) {
    (at.1, at.0)
}

fn is_position(at: (i32, i32)) -> bool {
    at.0.unsigned_abs() <= 90_000_000 && at.1.unsigned_abs() <= 180_000_000
}

/// Marks positions that cannot be right; returns towns by their number.
pub(super) fn judge(facts: &mut Facts, mender: &Mender) -> Vec<Option<Town>> {
    let boxes: Vec<Option<Box4>> = facts.countries.iter().map(|c| country(c)).collect();
    // Of rows that are served alike.
    let groups = facts.served.groups.iter();
    let lands: Vec<Option<Box4>> =
        groups.map(|group| boxes.get(usize::from(group.country)).copied().flatten()).collect();
    let towns = medians(facts, &lands);
    for fact in &mut facts.rows {
        let Some(at) = position(fact) else { continue };
        if fact.faults.has(Fault::Swapped) {
            continue; // only the other way round it is a position at all
        }
        let land = lands[fact.served as usize];
        let (here, turned) =
            (land.is_none_or(|b| inside(at, &b)), land.is_some_and(|b| inside(swapped(at), &b)));
        let away = towns.get(facts.served.town(fact) as usize).and_then(Option::as_ref);
        let away = away.map(|town| (km(at, town.middle), town.spread_km, town.middle));
        match away {
            // Far from its town, and near it the other way round.
            Some((far, spread, middle))
                if far > 3.0 * spread + 1.0
                    && is_position(swapped(at))
                    && far > 4.0 * km(swapped(at), middle) + 3.0 * spread + 1.0
                    && km(swapped(at), middle) < 6.0 * spread + 10.0 =>
            {
                fact.faults.add(Fault::Swapped);
            }
            _ if !here && turned => fact.faults.add(Fault::Swapped),
            _ if !here => {
                let lost = [(-at.0, at.1), (at.0, -at.1), (-at.0, -at.1)];
                let sign = land.is_some_and(|b| lost.iter().any(|p| inside(*p, &b)));
                fact.faults.add(if sign { Fault::SignLost } else { Fault::Abroad });
            }
            Some((far, spread, _)) if far > FAR_KM && far > 10.0 * spread => {
                fact.faults.add(Fault::FarFromTown)
            }
            _ => {}
        }
    }
    if mender.mends(Fault::Swapped) || mender.mends(Fault::SignLost) {
        for fact in &mut facts.rows {
            mend(fact, lands[fact.served as usize], mender);
        }
    }
    shared(facts);
    towns
}

/// Puts a position right where a person wished it.
fn mend(fact: &mut Fact, land: Option<Box4>, mender: &Mender) {
    if mender.mends(Fault::Swapped) && fact.faults.has(Fault::Swapped) {
        (fact.lat, fact.lon) = (fact.lon, fact.lat);
        fact.faults.remove(Fault::Swapped);
    }
    if mender.mends(Fault::SignLost)
        && fact.faults.has(Fault::SignLost)
        && let Some(at) = land.and_then(|land| signed((fact.lat, fact.lon), &land))
    {
        (fact.lat, fact.lon) = at;
        fact.faults.remove(Fault::SignLost);
    }
}

/// The position with the minus that it lost, where only one way puts it into its country.
pub fn with_sign(at: (i32, i32), land: &str) -> Option<(i32, i32)> {
    signed(at, &country(land).filter(|land| !inside(at, land))?)
}

fn signed(at: (i32, i32), land: &Box4) -> Option<(i32, i32)> {
    let mut found = [(-at.0, at.1), (at.0, -at.1), (-at.0, -at.1)].into_iter().filter(|p| inside(*p, land));
    found.next().filter(|_| found.next().is_none())
}

pub(super) struct Town {
    pub middle: (i32, i32),
    /// Median distance from the middle.
    spread_km: f64,
}

/// The middle of each town, by its number, that has enough positions.
fn medians(facts: &Facts, lands: &[Option<Box4>]) -> Vec<Option<Town>> {
    let counts = |fact: &&Fact| {
        let land = lands[fact.served as usize];
        let fits = |at| land.is_none_or(|b| inside(at, &b));
        position(fact).is_some_and(fits) && !fact.faults.has(Fault::Swapped)
    };
    let rows = facts.rows.iter().filter(counts);
    let spots = grouped(rows.map(|fact| (facts.served.town(fact), (fact.lat, fact.lon))));
    let (mut ys, mut xs, mut away) = (vec![], vec![], vec![]);
    let town = |group: &[(i32, i32)]| {
        if group.len() < ENOUGH {
            return None;
        }
        ys.clear();
        xs.clear();
        away.clear();
        for (lat, lon) in group {
            ys.push(*lat);
            xs.push(*lon);
        }
        let half = group.len() / 2;
        let middle = (*ys.select_nth_unstable(half).1, *xs.select_nth_unstable(half).1);
        away.extend(group.iter().map(|at| km(*at, middle)));
        let spread_km = *away.select_nth_unstable_by(half, f64::total_cmp).1;
        Some(Town { middle, spread_km })
    };
    spots.groups().map(town).collect()
}

/// Marks spots that many rows have.
fn shared(facts: &mut Facts) {
    let spot = |fact: &Fact| {
        let (lat, lon) = position(fact)?;
        Some(u64::from(lat as u32) << 32 | u64::from(lon as u32))
    };
    let spots = repeating(facts.rows.iter().map(spot));
    for group in spots.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= SHARED) {
        for (_, row) in group {
            facts.rows[*row as usize].faults.add(Fault::Shared);
        }
    }
}
