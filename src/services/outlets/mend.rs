//! What the program mends by itself when a person says so, and what that makes of each row.

use super::suggest::{BY_NEIGHBOURS, Near, nearest};
use crate::domain::schema::{Kind, Type};
use crate::domain::value::{FieldId, Value};
use crate::domain::{Failure, Fields, Outcome, decimal};
use crate::intake::{bulk, garbled};
use crate::services::datasets::Table;

/// Rules that the program mends by itself when a person says so.
pub const MENDABLE: [(&str, &str); 7] = [
    ("COORD-04", "swap latitude and longitude"),
    ("COORD-05", "put the minus back"),
    ("REF-01", "take the distributor of the nearest outlets"),
    ("TER-01", "take the territory of the nearest outlets"),
    ("TER-05", "take the route of the nearest outlets"),
    ("TXT-01", "take the letters as they were meant"),
    ("TXT-02", "take the letters as they were meant"),
];

/// Fields that mending a rule may change.
pub(super) fn mended_columns(code: &str) -> Outcome<Vec<FieldId>> {
    let schema = Kind::Outlet.schema();
    let named = |names: &[&str]| names.iter().filter_map(|n| schema.field_named(n)).map(|f| f.id).collect();
    let texts = || {
        schema.fields.iter().filter(|f| matches!(f.kind, Type::Text | Type::Long) && !f.system && f.id != 1)
    };
    if let Some(by) = BY_NEIGHBOURS.iter().find(|by| by.rule == code) {
        return Ok(named(&[by.field]));
    }
    match code {
        "COORD-04" | "COORD-05" => Ok(named(&["latitude", "longitude"])),
        "TXT-01" | "TXT-02" => Ok(texts().map(|f| f.id).collect()),
        _ => Err(Failure::usage(format!("{code} needs a person for each row"))
            .hint(format!("What is mended for all rows alike: {}", MENDABLE.map(|m| m.0).join(", ")))),
    }
}

/// Mends the rows at some places, each in turn.
pub(super) struct Mender {
    code: String,
    columns: Vec<FieldId>,
    /// What the neighbours of each place have, where the rule is mended by them.
    near: Option<std::vec::IntoIter<Option<Near>>>,
}

impl Mender {
    pub fn of(code: &str, table: &Table, places: &[u32]) -> Outcome<Mender> {
        let columns = mended_columns(code)?;
        let by = BY_NEIGHBOURS.iter().find(|by| by.rule == code);
        let near = by.map(|by| nearest(table, places, by)).transpose()?.map(Vec::into_iter);
        Ok(Mender { code: code.to_owned(), columns, near })
    }

    pub fn columns(&self) -> &[FieldId] {
        &self.columns
    }

    /// What the neighbours of the next place have.
    pub fn next(&mut self) -> Option<Near> {
        self.near.as_mut()?.next()?
    }

    /// The row as it should be, and why; unchanged where that cannot be told.
    pub fn mended(&self, now: &Fields, near: Option<&Near>) -> (Fields, String) {
        let mut new = now.clone();
        match (&self.near, near) {
            (None, _) => {
                let new = mended(&self.code, now);
                let what = MENDABLE.iter().find(|(code, _)| *code == self.code).map_or("", |(_, what)| what);
                let why = if new == *now { "what was meant cannot be told" } else { what };
                (new, why.into())
            }
            (Some(_), None) => (new, "no neighbour within 2 km has one".into()),
            (Some(_), Some(near)) => {
                for column in &self.columns {
                    new.insert(*column, Value::Text(near.value.clone()));
                }
                (new, near.reason())
            }
        }
    }
}

fn mended(code: &str, now: &Fields) -> Fields {
    let schema = Kind::Outlet.schema();
    let number = |name: &str| schema.field_named(name).map_or(0, |f| f.id);
    let (lat, lon) = (number("latitude"), number("longitude"));
    let degrees = |field| match now.get(&field) {
        Some(Value::Int(n)) => Some(*n),
        _ => None,
    };
    let mut new = now.clone();
    match (code, degrees(lat), degrees(lon)) {
        ("COORD-04", Some(y), Some(x)) if x.abs() <= 90 * decimal::ONE => {
            new.insert(lat, Value::Int(x));
            new.insert(lon, Value::Int(y));
        }
        ("COORD-05", Some(y), Some(x)) => {
            let land = match now.get(&number("country")) {
                Some(Value::Text(land)) => land.as_str(),
                _ => "",
            };
            if let Some((y, x)) = bulk::with_sign((y as i32, x as i32), land) {
                new.insert(lat, Value::Int(i64::from(y)));
                new.insert(lon, Value::Int(i64::from(x)));
            }
        }
        ("TXT-01" | "TXT-02", ..) => {
            for (field, value) in now.iter().filter(|(field, _)| **field != 1) {
                if let Value::Text(text) = value
                    && let Some((_, read)) = garbled::mended(text)
                {
                    new.insert(*field, Value::Text(read));
                }
            }
        }
        _ => {}
    }
    new
}
