//! Rows by where they are: a box for each chunk says which chunks to look into (a zone map;
//! Moerkotte, VLDB 1998). Codes mostly go by region, so few chunks reach into a small box; where
//! they do not, all chunks are looked into, two columns of each.

use super::{Table, numbers_or_none};
use crate::domain::Outcome;
use crate::intake::bulk::{BOXES, Boxes, km};
use crate::services::datasets::is_cleared;
use std::collections::BTreeSet;

/// Half the side of the first box around a position, in millionths of a degree: half a kilometre.
const FIRST: i32 = 4_500;
/// Beyond this nobody is a neighbour: a hundred kilometres.
const LAST: i32 = 1_000_000;

/// A box in millionths of a degree, its borders within. It does not reach over the date line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub south: i32,
    pub west: i32,
    pub north: i32,
    pub east: i32,
}

impl Area {
    /// So far from a position to each side, about as far in kilometres to the east as north.
    fn around((lat, lon): (i32, i32), half: i32) -> Area {
        let shrink = (f64::from(lat) / 1e6).to_radians().cos().max(0.05);
        let wide = (f64::from(half) / shrink) as i32;
        Area {
            south: lat.saturating_sub(half),
            west: lon.saturating_sub(wide),
            north: lat.saturating_add(half),
            east: lon.saturating_add(wide),
        }
    }

    fn has(&self, (lat, lon): (i32, i32)) -> bool {
        (self.south..=self.north).contains(&lat) && (self.west..=self.east).contains(&lon)
    }

    fn meets(&self, other: &Area) -> bool {
        self.south <= other.north
            && other.south <= self.north
            && self.west <= other.east
            && other.west <= self.east
    }
}

impl Table<'_> {
    fn field(&self, name: &str) -> u16 {
        self.kind.schema().field_named(name).map_or(0, |f| f.id)
    }

    /// The boxes of all chunks, where they are known.
    pub fn boxes(&self) -> Outcome<Option<Boxes>> {
        let mut boxes = Boxes::default();
        for (_, hash) in self.manifest.pieces.get(BOXES).into_iter().flatten() {
            for (column, values) in boxes.iter_mut().enumerate() {
                values.extend(numbers_or_none(self.reads(), hash, column as u16)?);
            }
        }
        let all = self.manifest.chunks.len();
        Ok(Some(boxes).filter(|boxes| boxes.iter().all(|column| column.len() == all)))
    }

    /// The chunks that may hold a row within a box.
    pub fn chunks_in(&self, area: &Area) -> Outcome<Vec<usize>> {
        let all = self.manifest.chunks.len();
        let Some(boxes) = self.boxes()? else { return Ok((0..all).collect()) };
        let reaches = |chunk: usize| {
            let side = |n: usize| boxes[n][chunk].and_then(|v| i32::try_from(v).ok());
            let of = || Some(Area { south: side(0)?, west: side(1)?, north: side(2)?, east: side(3)? });
            of().is_some_and(|of| of.meets(area))
        };
        let mut found: BTreeSet<usize> = (0..all).filter(|chunk| reaches(*chunk)).collect();
        // What a person moved may be anywhere.
        let (lat, lon) = (self.field("latitude"), self.field("longitude"));
        let moved = self.overlay.iter().filter(|(_, edit)| {
            [lat, lon].iter().any(|n| edit.contains_key(n) || is_cleared(self.kind, edit, *n))
        });
        found.extend(moved.filter_map(|(key, _)| self.chunk_of(key)));
        Ok(found.into_iter().collect())
    }

    /// Place and position of the rows of some chunks that are within a box.
    pub fn in_area(&self, chunks: &[usize], area: &Area) -> Outcome<Vec<(u32, (i32, i32))>> {
        let (lat, lon) = (self.field("latitude"), self.field("longitude"));
        let mut found = Vec::new();
        for chunk in chunks {
            let rows = self.rows(*chunk, Some(&[lat, lon]))?;
            for row in 0..rows.count {
                let (Some(y), Some(x)) = (rows.number(lat, row), rows.number(lon, row)) else { continue };
                let at = (y as i32, x as i32);
                if area.has(at) {
                    found.push(((self.first(*chunk) + row as u64) as u32, at));
                }
            }
        }
        Ok(found)
    }

    /// The rows nearest to a position, the nearest first, with their kilometres; none where
    /// more than `most_chunks` would have to be looked into.
    pub fn nearest(&self, at: (i32, i32), count: usize, most_chunks: usize) -> Outcome<Vec<Neighbour>> {
        let mut half = FIRST;
        loop {
            let area = Area::around(at, half);
            let chunks = self.chunks_in(&area)?;
            if chunks.len() > most_chunks {
                return Ok(vec![]);
            }
            let mut found: Vec<Neighbour> = self
                .in_area(&chunks, &area)?
                .into_iter()
                .map(|(place, of)| (km(at, of), place, of))
                .collect();
            // Beyond the box another one may be nearer than its corners.
            let sure = f64::from(half) / 1e6 * 111.0;
            found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let near = found.partition_point(|(km, ..)| *km <= sure);
            if near >= count || half >= LAST {
                found.truncate(count);
                return Ok(found);
            }
            half *= 3;
        }
    }
}

/// Kilometres, place, position.
pub type Neighbour = (f64, u32, (i32, i32));
