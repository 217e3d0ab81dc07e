//! The hierarchy that the outlets' own columns show, and which of its levels fits planning.

use super::violations::{self, Violation};
use super::{Grouping, Limits, Sum, Weighed, column_of, outlets};
use crate::domain::Outcome;
use crate::domain::schema::{Kind, Type};
use crate::intake::hierarchy::{self, Chain, Gather};
use crate::services::datasets::sorted;
use crate::services::{Query, ReadCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fields that are no level whatever they hold: what names one outlet, or reaches it.
const NEVER: [&str; 20] = [
    "code",
    "name",
    "address",
    "address2",
    "owner_name",
    "contact_name",
    "phone",
    "phone2",
    "email",
    "website",
    "tax_id",
    "alt_name",
    "legal_name",
    "opening_hours",
    "notes",
    "status",
    "size",
    "class",
    "unread",
    "cleared",
];

/// Share of a level's units that may have to be cut before a lower level is better.
const FEW: f64 = 0.1;

/// Chains of levels that the outlets' columns make, the likeliest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct DetectTerritories {}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Detected {
    pub outlets: u64,
    pub chains: Vec<Chain>,
}

impl Query for DetectTerritories {
    const NAME: &'static str = "territories.detect";
    type Reply = Detected;

    fn run(&self, cx: &ReadCx) -> Outcome<Detected> {
        let table = outlets(cx.reads)?;
        let fields = table.filled().into_iter().filter(|(_, rows)| *rows > 0).map(|(name, _)| name);
        let schema = Kind::Outlet.schema();
        let text = |name: &str| {
            schema.field_named(name).is_some_and(|f| !matches!(f.kind, Type::Decimal | Type::Date))
        };
        let mut names: Vec<String> = fields.filter(|n| text(n) && !NEVER.contains(&n.as_str())).collect();
        names.extend(table.manifest.extras.values().cloned());
        let columns = names.iter().map(|n| column_of(&table, n)).collect::<Outcome<Vec<u16>>>()?;
        let wanted = sorted(columns.clone());
        let mut gather = Gather::new(&names);
        // Rows spread over the whole table: of a long one, some of each chunk.
        let stride = (table.manifest.rows as usize / hierarchy::SAMPLE).max(1);
        for chunk in 0..table.manifest.chunks.len() {
            let rows = table.rows(chunk, Some(&wanted))?;
            for row in
                (0..rows.count).filter(|row| (table.first(chunk) as usize + row).is_multiple_of(stride))
            {
                if gather.wants() {
                    gather.push(columns.iter().map(|c| rows.text(*c, row)));
                }
            }
        }
        Ok(Detected { outlets: table.manifest.rows, chains: hierarchy::detect(&gather.finish()) })
    }
}

/// How the units of each level stand to the limits, and which level is recommended.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RecommendTerritories {
    /// Columns of the levels from the top; those of the likeliest chain when empty.
    pub levels: Vec<String>,
    pub limits: Limits,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Recommended {
    pub outlets: u64,
    pub levels: Vec<LevelSum>,
    /// The level to plan by, as a place in `levels`, and why in a sentence.
    pub level: Option<usize>,
    pub why: String,
    /// Units of that level that have to be cut, the largest first: what they are and into
    /// how many parts.
    pub to_split: Vec<(Sum, usize)>,
    /// What contradicts the levels, the most outlets first.
    #[serde(default)]
    pub violations: Vec<Violation>,
    pub limits: Limits,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct LevelSum {
    pub column: String,
    pub units: usize,
    pub largest: Sum,
    pub median: u64,
    /// Units over the limits, and near them.
    pub over: usize,
    pub near: usize,
    /// Outlets without a value here.
    pub without: u64,
    /// Outlets under another unit of the level above than nearly all of their own unit.
    #[serde(default)]
    pub violating: u64,
    /// Units by size: up to an eighth of the limit, a quarter, a half, the whole, twice, more.
    pub histogram: [usize; 6],
}

impl Query for RecommendTerritories {
    const NAME: &'static str = "territories.recommend";
    type Reply = Recommended;

    fn run(&self, cx: &ReadCx) -> Outcome<Recommended> {
        let levels = levels(cx, &self.levels)?;
        let table = outlets(cx.reads)?;
        let by = Weighed::of(&table)?;
        let columns = levels.iter().map(|l| column_of(&table, l)).collect::<Outcome<Vec<u16>>>()?;
        let mut groups: Vec<Grouping> =
            (0..columns.len()).map(|n| Grouping::new(columns[..=n].to_vec())).collect();
        let wanted = sorted(columns.iter().copied().chain(by.columns()));
        for chunk in 0..table.manifest.chunks.len() {
            let rows = table.rows(chunk, Some(&wanted))?;
            for group in &mut groups {
                for row in 0..rows.count {
                    if let Some(unit) = group.unit(&rows, row) {
                        let place = table.first(chunk) + row as u64;
                        group.add(unit, (&rows, row, place), &by, &self.limits);
                    }
                }
            }
        }
        let mut found =
            Recommended { outlets: table.manifest.rows, limits: self.limits, ..Recommended::default() };
        let mut violations = Vec::new();
        for (n, (group, column)) in groups.iter_mut().zip(&levels).enumerate() {
            let odd = match n {
                0 => vec![],
                _ => violations::of_level(&levels[n - 1], column, &group.sums),
            };
            group.sums.sort_by(|a, b| {
                b.load(&self.limits).total_cmp(&a.load(&self.limits)).then(a.path.cmp(&b.path))
            });
            let violating = odd.iter().map(|v| v.outlets).sum();
            found.levels.push(LevelSum { violating, ..level_sum(column, group, &self.limits) });
            violations.extend(odd);
        }
        found.violations = violations::listed(violations);
        let all = table.manifest.rows.max(1);
        // The coarsest level of which few units have to be cut; outlets without one are few.
        let known = |l: &LevelSum| l.without * 5 < all;
        let few = |l: &LevelSum| l.over as f64 <= FEW * l.units as f64;
        let parts = |n: usize| -> usize { groups[n].sums.iter().map(|s| s.parts(&self.limits)).sum() };
        let usable: Vec<usize> = (0..found.levels.len()).filter(|n| known(&found.levels[*n])).collect();
        let fits = usable.iter().copied().find(|n| few(&found.levels[*n]));
        // Else the one that needs the fewest cuts.
        let cuts = |n: &usize| (parts(*n) - found.levels[*n].units, *n);
        let Some(level) = fits.or_else(|| usable.iter().copied().min_by_key(cuts)) else {
            found.why = "No level has most of the outlets: nothing to plan by".into();
            return Ok(found);
        };
        let l = &found.levels[level];
        let largest = groups[level]
            .sums
            .iter()
            .map(|s| s.outlets.div_ceil(s.parts(&self.limits) as u64))
            .max()
            .unwrap_or(0);
        let why = match l.over {
            0 => format!(
                "Recommended: {} level, {} units, the largest with {largest} outlets",
                l.column, l.units
            ),
            over => format!(
                "Recommended: {} level, {} units once {over} are cut, the largest with about {largest} outlets",
                l.column,
                parts(level)
            ),
        };
        (found.level, found.why) = (Some(level), why);
        let over = groups[level].sums.iter().filter(|s| s.parts(&self.limits) > 1);
        found.to_split = over.map(|s| (s.clone(), s.parts(&self.limits))).collect();
        Ok(found)
    }
}

/// The levels given, or those of the likeliest chain.
pub(super) fn levels(cx: &ReadCx, given: &[String]) -> Outcome<Vec<String>> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let detected = DetectTerritories {}.run(cx)?;
    let chain = detected.chains.first().ok_or_else(|| {
        crate::domain::Failure::not_found("The outlets' columns show no hierarchy")
            .hint("Say the levels from the top: --levels region,territory")
    })?;
    Ok(chain.levels.iter().map(|l| l.columns[0].clone()).collect())
}

fn level_sum(column: &str, group: &Grouping, limits: &Limits) -> LevelSum {
    let word = |word: &str| group.sums.iter().filter(|s| s.word(limits) == word).count();
    let mut histogram = [0; 6];
    for sum in &group.sums {
        let load = sum.load(limits);
        let place = [0.125, 0.25, 0.5, 1.0, 2.0].iter().position(|most| load <= *most).unwrap_or(5);
        histogram[place] += 1;
    }
    let mut sizes: Vec<u64> = group.sums.iter().map(|s| s.outlets).collect();
    sizes.sort_unstable();
    LevelSum {
        column: column.to_owned(),
        units: group.sums.len(),
        largest: group.sums.first().cloned().unwrap_or_default(),
        median: sizes.get(sizes.len() / 2).copied().unwrap_or(0),
        over: word("over"),
        near: word("near"),
        without: group.without,
        violating: 0,
        histogram,
    }
}
