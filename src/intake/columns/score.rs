//! How well columns are recognised, on headers whose fields are known.

use super::{ENTITIES, SURE, of_entity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Fields of ours that the catalogue of fields has no name for: there they are none.
const OURS: [&str; 3] = ["visit_day", "visit_order", "sales_months"];
/// Fields whose columns must never be wrong.
const CRITICAL: [&str; 18] = [
    "code",
    "name",
    "latitude",
    "longitude",
    "distributor_code",
    "distributor_name",
    "territory",
    "account_id",
    "account_name",
    "stage",
    "amount",
    "close_date",
    "owner_id",
    "owner_name",
    "opp_id",
    "opp_name",
    "activity_id",
    "date",
];

/// A header with samples of its column and the field that it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Labelled {
    pub source_id: String,
    pub entity: String,
    pub header: String,
    #[serde(default)]
    pub sample1: String,
    #[serde(default)]
    pub sample2: String,
    #[serde(default)]
    pub sample3: String,
    /// A field, or `ignore`.
    pub expected: String,
    /// Others that are right too, with bars or commas between.
    #[serde(default)]
    pub also_accept: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    pub headers: usize,
    /// Shares, 0 to 1.
    pub top1: f64,
    /// Of the guesses that would be taken without asking, how many are right.
    pub auto_precision: f64,
    /// How many headers that are.
    pub auto_coverage: f64,
    pub top3: f64,
    /// Columns taken without asking for a critical field that they are not, or critical ones
    /// taken for something else.
    pub critical_wrong: f64,
    pub by_entity: BTreeMap<String, f64>,
    pub missed: Vec<Missed>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missed {
    pub source: String,
    pub entity: String,
    pub header: String,
    pub expected: String,
    pub guessed: String,
    pub confidence: f64,
}

/// Scores all headers, each table of a source at once.
pub fn score(all: &[Labelled]) -> Score {
    let mut tables: BTreeMap<(&str, &str), Vec<&Labelled>> = BTreeMap::new();
    for row in all.iter().filter(|r| ENTITIES.contains(&r.entity.as_str())) {
        tables.entry((&row.source_id, &row.entity)).or_default().push(row);
    }
    let (mut right, mut auto, mut auto_right, mut top3, mut critical) = (0, 0, 0, 0, 0);
    let mut by: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut score = Score::default();
    for ((source, entity), rows) in tables {
        let titles: Vec<String> = rows.iter().map(|r| r.header.clone()).collect();
        let values: Vec<Vec<&str>> = rows
            .iter()
            .map(|r| {
                [&r.sample1, &r.sample2, &r.sample3]
                    .into_iter()
                    .map(String::as_str)
                    .filter(|s| !s.is_empty())
                    .collect()
            })
            .collect();
        for (row, guess) in rows.iter().zip(of_entity(entity, &titles, &values)) {
            let accepted = |field: &str| {
                let field = if field.is_empty() || OURS.contains(&field) { "ignore" } else { field };
                field == row.expected
                    || row.also_accept.split(['|', ',', ';', ' ']).any(|a| a.trim() == field)
            };
            let is_right = accepted(&guess.field);
            let is_auto = guess.confidence >= SURE;
            let offered = is_right
                || guess.others.iter().any(|(f, _)| accepted(f))
                || row.expected == "ignore" && guess.others.len() < 3;
            score.headers += 1;
            right += usize::from(is_right);
            auto += usize::from(is_auto);
            auto_right += usize::from(is_auto && is_right);
            top3 += usize::from(offered);
            let matters =
                CRITICAL.contains(&guess.field.as_str()) || CRITICAL.contains(&row.expected.as_str());
            critical += usize::from(is_auto && !is_right && matters);
            let of = by.entry(entity.to_owned()).or_default();
            (of.0, of.1) = (of.0 + 1, of.1 + usize::from(is_right));
            if !is_right {
                score.missed.push(Missed {
                    source: source.into(),
                    entity: entity.into(),
                    header: row.header.clone(),
                    expected: row.expected.clone(),
                    guessed: guess.field.clone(),
                    confidence: guess.confidence,
                });
            }
        }
    }
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    score.top1 = share(right, score.headers);
    score.auto_precision = share(auto_right, auto);
    score.auto_coverage = share(auto, score.headers);
    score.top3 = share(top3, score.headers);
    score.critical_wrong = share(critical, score.headers);
    score.by_entity = by.into_iter().map(|(entity, (all, right))| (entity, share(right, all))).collect();
    score
}
