//! Territories: the levels that the outlets' columns make, how large their units are, and
//! the planning units that are cut from one of them, each with a snapshot that planning
//! opens at once.

pub mod bounds;
mod detect;
pub mod locks;
mod snapshots;
mod units;
mod violations;

pub use detect::*;
pub use snapshots::*;
pub use units::*;
pub use violations::Violation;

use crate::columns::FastMap;
use crate::domain::schema::Kind;
use crate::domain::{Failure, Outcome, decimal};
use crate::services::datasets::{self, Rows, Table};
use crate::services::outlets::filter;
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a unit may hold, and what an outlet costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Outlets of a unit at most: what one snapshot holds.
    pub outlets: u64,
    /// Hours of work a month at most; 0 for any.
    pub hours: u64,
    /// Visits a month of an outlet whose frequency is not known.
    pub visits: f64,
    /// Minutes of a visit, the way to it included.
    pub minutes: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { outlets: 50_000, hours: 0, visits: 2.0, minutes: 20.0 }
    }
}

/// A column that a level is made of: a field, or a column of the file that is none.
fn column_of(table: &Table, name: &str) -> Outcome<u16> {
    match filter::column(table.kind, &table.manifest.extras, name)? {
        column if column.is_text() => Ok(column.id),
        _ => Err(Failure::usage(format!("The {name} is a number: no level"))),
    }
}

fn outlets(reads: &dyn Reads) -> Outcome<Table<'_>> {
    datasets::table(reads, Kind::Outlet)?.ok_or_else(|| {
        Failure::not_found("There are no outlets yet").hint("`pams outlets import FILE` takes them in")
    })
}

/// Numbers of the fields that units are weighed by.
struct Weighed {
    lat: u16,
    lon: u16,
    frequency: u16,
    sales: u16,
    distributor: u16,
    beat: u16,
    /// Row → whether its position is known to be wrong, a bit each.
    odd: Vec<u64>,
}

/// Rules that say that a position is not where the outlet is.
const MISPLACED: [&str; 4] = ["COORD-04", "COORD-05", "COORD-07", "COORD-08"];

impl Weighed {
    fn of(table: &Table) -> Outcome<Weighed> {
        let mut odd = vec![0; (table.manifest.rows as usize).div_ceil(64)];
        for code in MISPLACED {
            for place in table.marked(code)? {
                if let Some(word) = odd.get_mut(place as usize / 64) {
                    *word |= 1 << (place % 64);
                }
            }
        }
        let number = |name: &str| Kind::Outlet.schema().field_named(name).map_or(0, |f| f.id);
        Ok(Weighed {
            odd,
            lat: number("latitude"),
            lon: number("longitude"),
            frequency: number("visit_frequency"),
            sales: number("avg_sales"),
            distributor: number("distributor_code"),
            beat: number("beat"),
        })
    }

    /// Where the outlet is, as far as that can be right.
    fn position(&self, rows: &Rows, row: usize, place: u64) -> Option<(i32, i32)> {
        let odd = self.odd.get(place as usize / 64).is_some_and(|word| word >> (place % 64) & 1 == 1);
        let (lat, lon) = rows.number(self.lat, row).zip(rows.number(self.lon, row)).filter(|_| !odd)?;
        Some((lat as i32, lon as i32))
    }

    fn columns(&self) -> [u16; 6] {
        [self.lat, self.lon, self.frequency, self.sales, self.distributor, self.beat]
    }

    /// Minutes of work a month.
    fn minutes(&self, rows: &Rows, row: usize, limits: &Limits) -> f64 {
        let known = rows.number(self.frequency, row).filter(|n| *n > 0);
        known.map_or(limits.visits, |n| n as f64 / decimal::ONE as f64) * limits.minutes
    }
}

/// A unit as it is summed up: one path of values down to a level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sum {
    pub path: Vec<String>,
    pub outlets: u64,
    pub minutes: f64,
    /// In millionths.
    pub sales: i64,
    /// Outlets with a position, and the box they are in, in millionths of a degree.
    pub placed: u64,
    pub area: [i32; 4],
    pub distributors: u32,
}

impl Sum {
    /// Kilometres from corner to corner of its box.
    pub fn diameter_km(&self) -> f64 {
        let [south, north, west, east] = self.area;
        if self.placed < 2 { 0.0 } else { crate::intake::bulk::km((south, west), (north, east)) }
    }

    pub fn middle(&self) -> Option<(i32, i32)> {
        let [south, north, west, east] = self.area;
        let half = |a: i32, b: i32| ((i64::from(a) + i64::from(b)) / 2) as i32;
        (self.placed > 0).then(|| (half(south, north), half(west, east)))
    }

    /// How it stands to the limits, in a word: "fits", "near" or "over".
    pub fn word(&self, limits: &Limits) -> &'static str {
        let most = self.load(limits);
        match () {
            () if most > 1.0 => "over",
            () if most > 0.85 => "near",
            () => "fits",
        }
    }

    /// Its size as a share of the limit that it comes nearest to.
    pub fn load(&self, limits: &Limits) -> f64 {
        let outlets = self.outlets as f64 / limits.outlets.max(1) as f64;
        let hours = if limits.hours == 0 { 0.0 } else { self.minutes / 60.0 / limits.hours as f64 };
        outlets.max(hours)
    }

    /// Parts that it has to be cut into to fit.
    pub fn parts(&self, limits: &Limits) -> usize {
        self.load(limits).ceil().max(1.0) as usize
    }

    fn place(&mut self, lat: i32, lon: i32) {
        self.area = match self.placed {
            0 => [lat, lat, lon, lon],
            _ => {
                let [south, north, west, east] = self.area;
                [south.min(lat), north.max(lat), west.min(lon), east.max(lon)]
            }
        };
        self.placed += 1;
    }

    pub fn name(&self) -> String {
        self.path.last().map_or(String::new(), |n| if n.is_empty() { "(none)".into() } else { n.clone() })
    }
}

/// Row by row, the unit of a level that it belongs to.
struct Grouping {
    columns: Vec<u16>,
    numbers: FastMap<u64, u32>,
    sums: Vec<Sum>,
    seen: Vec<FastMap<u64, ()>>,
    /// Rows without any value down here.
    without: u64,
}

/// Distributors of a unit that are told apart.
const MAX_DISTRIBUTORS: usize = 1_000;

impl Grouping {
    fn new(columns: Vec<u16>) -> Grouping {
        Grouping { columns, numbers: FastMap::default(), sums: vec![], seen: vec![], without: 0 }
    }

    /// The unit of a row; none where its last level and all below are empty.
    fn unit(&mut self, rows: &Rows, row: usize) -> Option<u32> {
        let last = self.columns.last().map_or("", |c| rows.text(*c, row));
        if last.is_empty() {
            self.without += 1;
            return None;
        }
        let mut key = 0u64;
        for column in &self.columns {
            key = key.rotate_left(9) ^ crate::columns::hash(rows.text(*column, row).as_bytes());
        }
        let next = self.sums.len() as u32;
        let unit = *self.numbers.entry(key).or_insert(next);
        if unit == next {
            let path = self.columns.iter().map(|c| rows.text(*c, row).to_owned()).collect();
            self.sums.push(Sum { path, ..Sum::default() });
            self.seen.push(FastMap::default());
        }
        Some(unit)
    }

    fn add(&mut self, unit: u32, (rows, row, place): (&Rows, usize, u64), by: &Weighed, limits: &Limits) {
        let (sum, seen) = (&mut self.sums[unit as usize], &mut self.seen[unit as usize]);
        sum.outlets += 1;
        sum.minutes += by.minutes(rows, row, limits);
        sum.sales += rows.number(by.sales, row).unwrap_or(0);
        if let Some((lat, lon)) = by.position(rows, row, place) {
            sum.place(lat, lon);
        }
        let distributor = rows.text(by.distributor, row);
        if !distributor.is_empty() && seen.len() < MAX_DISTRIBUTORS {
            seen.insert(crate::columns::hash(distributor.as_bytes()), ());
            sum.distributors = seen.len() as u32;
        }
    }
}
