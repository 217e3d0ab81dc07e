//! Rules that a planning unit is planned by: what a person may type for them.

use crate::domain::Problem;
use crate::domain::decimal;
use crate::domain::schema::PlanRules;
use std::collections::BTreeMap;

/// A territory as a user names it: the field of outlets that it is a value of, and the
/// value. `region=West`, or `Pune West` alone for `territory=Pune West`.
pub fn territory(named: &str) -> (&str, &str) {
    let (level, value) = named.split_once('=').unwrap_or(("territory", named));
    (level.trim(), value.trim())
}

/// A run takes a day at most.
const MOST_SECONDS: i64 = 86_400;

/// A number for each tier of outlets, and one for the others: `10, A 15, B 12`.
#[derive(Clone, Debug, PartialEq)]
pub struct ByTier {
    other: f64,
    tiers: BTreeMap<String, f64>,
}

impl ByTier {
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str, or: f64) -> Result<ByTier, String> {
        let mut by = ByTier { other: or, tiers: BTreeMap::new() };
        for part in text.split([',', ';']).map(str::trim).filter(|p| !p.is_empty()) {
            let (tier, number) = part.rsplit_once(' ').map_or(("", part), |(t, n)| (t.trim(), n));
            let number: f64 = number.parse().unwrap_or(f64::NAN);
            if !(0.0..=1_440.0).contains(&number) {
                return Err(format!("\"{part}\" is no number, or a tier and its number: 10, A 15, B 12"));
            }
            match tier {
                "" => by.other = number,
                tier => drop(by.tiers.insert(tier.to_uppercase(), number)),
            }
        }
        Ok(by)
    }

    pub fn of(&self, tier: &str) -> f64 {
        self.tiers.get(&tier.to_uppercase()).copied().unwrap_or(self.other)
    }
}

/// Minutes after midnight.
pub fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.trim().parse().ok()?, minutes.trim().parse().ok()?);
    (hours < 24 && minutes < 60 || hours == 24 && minutes == 0).then_some(hours * 60 + minutes)
}

/// What is wrong with rules, field by field.
pub fn faults(of: &PlanRules) -> Vec<Problem> {
    let mut faults = Vec::new();
    let mut add = |name: &str, text: String| faults.push(Problem::error(name, "range", text));
    let label = |name: &str| name.replace('_', " ");
    for (name, value, from, to, unit) in [
        ("hours", of.hours, 30, 1_440, "minutes a day"),
        ("max_stops", of.max_stops, 1, 500, "stops a day"),
        ("work_days", of.work_days, 1, 7, "days a week"),
        ("town_km_h", of.town_km_h, 1, 200, "kilometres an hour"),
        ("road_km_h", of.road_km_h, 1, 200, "kilometres an hour"),
        ("most_changed", of.most_changed, 0, 100, "percent of the outlets"),
        ("seconds", of.seconds, 1, MOST_SECONDS, "seconds"),
        ("seed", of.seed, 0, i64::MAX, "or any whole number above"),
    ] {
        if value.is_some_and(|v| !(from..=to).contains(&v)) {
            add(name, format!("The {} are {from} to {to} {unit}", label(name)));
        }
    }
    if of.detour.is_some_and(|d| !(decimal::ONE..=5 * decimal::ONE).contains(&d)) {
        add("detour", "The detour is 1 to 5 times the straight way".into());
    }
    for (name, text) in [("visit_minutes", &of.visit_minutes), ("visits", &of.visits)] {
        if let Err(fault) = ByTier::parse(text, 0.0) {
            add(name, format!("The {}: {fault}", label(name)));
        }
    }
    for (name, text) in [("start", &of.start), ("end", &of.end)] {
        if !text.is_empty() && clock(text).is_none() {
            add(name, format!("\"{text}\" is no time of day: 07:30"));
        }
    }
    if let (Some(start), Some(end)) = (clock(&of.start), clock(&of.end))
        && start >= end
    {
        add("end", "The day ends before it begins".into());
    }
    if let (Some(town), Some(road)) = (of.town_km_h, of.road_km_h)
        && road < town
    {
        add("road_km_h", "Roads are no slower than towns".into());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_tier_and_rules_that_cannot_be() {
        let by = ByTier::parse("10, A 15; b+ 12.5", 7.0).unwrap();
        assert_eq!((by.of("a"), by.of("B+"), by.of("Z")), (15.0, 12.5, 10.0));
        assert_eq!(ByTier::parse("A 3", 7.0).unwrap().of(""), 7.0);
        let rules = PlanRules {
            hours: Some(10),
            start: "18:00".into(),
            end: "7:00".into(),
            town_km_h: Some(50),
            road_km_h: Some(40),
            visits: "many".into(),
            ..PlanRules::default()
        };
        let named: Vec<String> = faults(&rules).into_iter().map(|p| p.field).collect();
        assert_eq!(named, ["hours", "visits", "end", "road_km_h"]);
        assert!(faults(&PlanRules::default()).is_empty());
    }
}
