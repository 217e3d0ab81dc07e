//! Outlets that contradict the hierarchy: their unit is under another parent than nearly all
//! of it.

use super::Sum;
use crate::services::outlets::filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Violations that are listed.
const LISTED: usize = 1_000;
/// Share of a unit's outlets under another parent from which on these are no mistakes: two
/// units have one name.
const HOMONYMS: f64 = 0.1;
/// Outlets of a unit of which a single one elsewhere says something.
const ENOUGH: u64 = 4;

/// A unit of which some outlets are under another parent than the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// The column of the level, and the unit's value in it.
    pub level: String,
    pub value: String,
    /// The column of the level above, its value in these outlets, and the one that nearly all
    /// outlets of the unit have.
    pub above: String,
    pub parent: String,
    pub usual: String,
    /// Outlets under `parent`, and outlets of the unit in all.
    pub outlets: u64,
    pub of: u64,
}

impl Violation {
    /// What lists its outlets, as it is typed.
    pub fn filter(&self) -> String {
        format!("{} {}", filter::is(&self.above, &self.parent), filter::is(&self.level, &self.value))
    }
}

/// Those of a level, from the sums of its units: each path ends in a unit and the one above.
pub(super) fn of_level(above: &str, level: &str, sums: &[Sum]) -> Vec<Violation> {
    let mut parents: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for sum in sums {
        if let [.., parent, value] = sum.path.as_slice()
            && !parent.is_empty()
        {
            *parents.entry(value).or_default().entry(parent).or_default() += sum.outlets;
        }
    }
    let mut found = Vec::new();
    for (value, parents) in parents {
        let of: u64 = parents.values().sum();
        // Of as many the one that comes first by name, so that every run says the same.
        let usual = parents.iter().max_by_key(|(name, outlets)| (**outlets, std::cmp::Reverse(**name)));
        let Some((usual, _)) = usual else { continue };
        let few = |n: u64| n as f64 <= HOMONYMS * of as f64 || (n == 1 && of >= ENOUGH);
        let strays = parents.iter().filter(|(parent, n)| *parent != usual && few(**n));
        found.extend(strays.map(|(parent, outlets)| Violation {
            level: level.to_owned(),
            value: value.to_owned(),
            above: above.to_owned(),
            parent: (*parent).to_owned(),
            usual: (*usual).to_owned(),
            outlets: *outlets,
            of,
        }));
    }
    found
}

/// The largest first, not too many.
pub(super) fn listed(mut all: Vec<Violation>) -> Vec<Violation> {
    all.sort_by(|a, b| b.outlets.cmp(&a.outlets).then((&a.level, &a.value).cmp(&(&b.level, &b.value))));
    all.truncate(LISTED);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strays_are_told_and_homonyms_are_not() {
        let sum = |parent: &str, value: &str, outlets| Sum {
            path: vec![parent.into(), value.into()],
            outlets,
            ..Sum::default()
        };
        let sums = [
            sum("West", "Pune", 97),
            sum("East", "Pune", 3),
            // Two towns of one name.
            sum("West", "Salem", 40),
            sum("East", "Salem", 30),
            sum("West", "Hill", 3),
            sum("", "Hill", 9),
            sum("East", "Hill", 1),
            sum("East", "Two", 1),
            sum("West", "Two", 1),
        ];
        let found = listed(of_level("region", "territory", &sums));
        let told: Vec<_> =
            found.iter().map(|v| (v.value.as_str(), v.parent.as_str(), v.outlets, v.of)).collect();
        assert_eq!(told, [("Pune", "East", 3, 100), ("Hill", "East", 1, 4)]);
        assert_eq!(found[0].filter(), "\"region=East\" \"territory=Pune\"");
    }
}
