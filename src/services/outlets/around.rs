//! The outlets nearest to one.

use crate::domain::schema::Kind;
use crate::domain::{Failure, Outcome};
use crate::services::datasets::{self, Table};
use crate::services::{Query, ReadCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Neighbours at most.
const MOST: usize = 1_000;

/// The outlets nearest to one, the nearest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct OutletsAround {
    pub code: String,
    pub limit: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbour {
    pub code: String,
    pub name: String,
    pub km: f64,
    /// Millionths of a degree.
    pub at: (i32, i32),
}

/// Where a row is, if it says so.
pub(super) fn position(table: &Table, chunk: usize, row: usize) -> Outcome<Option<(i32, i32)>> {
    let number = |name: &str| table.kind.schema().field_named(name).map_or(0, |f| f.id);
    let (lat, lon) = (number("latitude"), number("longitude"));
    let rows = table.rows(chunk, Some(&[lat, lon]))?;
    let degrees = |of: u16| rows.number(of, row).map(|n| n as i32);
    Ok(degrees(lat).zip(degrees(lon)))
}

impl Query for OutletsAround {
    const NAME: &'static str = "outlets.around";
    type Reply = Vec<Neighbour>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Neighbour>> {
        let none = || super::no_such(&self.code);
        let table = datasets::table(cx.reads, Kind::Outlet)?.ok_or_else(none)?;
        let (chunk, row) = table.find(&self.code)?.ok_or_else(none)?;
        let own = (table.first(chunk) + row as u64) as u32;
        let at = position(&table, chunk, row)?.ok_or_else(|| {
            Failure::invalid(format!("{} has no coordinates", self.code))
                .hint("`pams outlets list --rule COORD-01` shows all that have none")
        })?;
        let name = table.kind.schema().field_named("name").map_or(2, |f| f.id);
        let mut found = Vec::new();
        for (km, place, at) in table.nearest(at, self.limit.clamp(1, MOST) + 1, usize::MAX)? {
            let Some((chunk, row)) = table.place(u64::from(place)).filter(|_| place != own) else { continue };
            let rows = table.rows(chunk, Some(&[table.key(), name]))?;
            let (code, name) = (rows.text(table.key(), row).to_owned(), rows.text(name, row).to_owned());
            found.push(Neighbour { code, name, km, at });
        }
        found.truncate(self.limit.clamp(1, MOST));
        Ok(found)
    }
}
