//! Dates as people write them, months, and "today" in somebody's zone.
//!
//! Business dates are plain dates; instants are milliseconds since 1970 UTC. Nothing
//! here reads a clock: "today" is always passed in.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeZone, Utc, Weekday};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An IANA time zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zone(chrono_tz::Tz);

impl Zone {
    pub const UTC: Zone = Zone(chrono_tz::UTC);

    pub fn parse(name: &str) -> Result<Zone, String> {
        chrono_tz::Tz::from_str(name)
            .map(Zone)
            .map_err(|_| format!("\"{name}\" is not a time zone: write one such as Europe/Berlin"))
    }

    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    pub fn date(&self, unix_ms: i64) -> NaiveDate {
        self.at(unix_ms).date_naive()
    }

    /// `10:31`
    pub fn clock(&self, unix_ms: i64) -> String {
        self.at(unix_ms).format("%H:%M").to_string()
    }

    /// `2026-02-20 10:31`
    pub fn stamp(&self, unix_ms: i64) -> String {
        self.at(unix_ms).format("%Y-%m-%d %H:%M").to_string()
    }

    /// The last millisecond of a day: "as of that day" includes all of it.
    pub fn end_of_day(&self, day: NaiveDate) -> i64 {
        let next = day.checked_add_days(Days::new(1)).unwrap_or(day).and_hms_opt(0, 0, 0).unwrap_or_default();
        let start = self.0.from_local_datetime(&next).earliest().map(|t| t.timestamp_millis());
        start.unwrap_or_else(|| next.and_utc().timestamp_millis()) - 1
    }

    fn at(&self, unix_ms: i64) -> DateTime<chrono_tz::Tz> {
        DateTime::<Utc>::from_timestamp_millis(unix_ms).unwrap_or_default().with_timezone(&self.0)
    }
}

/// A calendar month, ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    pub year: i32,
    pub month: u32,
}

impl JsonSchema for Month {
    fn schema_name() -> Cow<'static, str> {
        "Month".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$" })
    }
}

const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Month {
    pub fn of(date: NaiveDate) -> Month {
        Month { year: date.year(), month: date.month() }
    }

    /// `2026-02`
    pub fn parse(text: &str) -> Result<Month, String> {
        let wrong = || format!("\"{text}\" is not a month: write it as 2026-02");
        let (year, month) = text.trim().split_once('-').ok_or_else(wrong)?;
        let (year, month) = (year.parse().map_err(|_| wrong())?, month.parse().map_err(|_| wrong())?);
        ((1..=12).contains(&month) && (1900..=2200).contains(&year))
            .then_some(Month { year, month })
            .ok_or_else(wrong)
    }

    pub fn first(&self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default()
    }

    pub fn last(&self) -> NaiveDate {
        self.next().first().pred_opt().unwrap_or_default()
    }

    pub fn next(&self) -> Month {
        self.plus(1)
    }

    pub fn plus(&self, months: i32) -> Month {
        let index = self.year * 12 + self.month as i32 - 1 + months;
        Month { year: index.div_euclid(12), month: index.rem_euclid(12) as u32 + 1 }
    }

    /// As a number, 202602.
    pub fn number(&self) -> i64 {
        i64::from(self.year) * 100 + i64::from(self.month)
    }

    pub fn from_number(number: i64) -> Option<Month> {
        Month::parse(&format!("{}-{:02}", number.div_euclid(100), number.rem_euclid(100))).ok()
    }

    /// `February 2026`
    pub fn long(&self) -> String {
        format!("{} {}", NAMES[self.month as usize - 1], self.year)
    }

    /// `Feb`
    pub fn short(&self) -> &'static str {
        &NAMES[self.month as usize - 1][..3]
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for Month {
    type Error = String;
    fn try_from(text: String) -> Result<Month, String> {
        Month::parse(&text)
    }
}

impl From<Month> for String {
    fn from(month: Month) -> String {
        month.to_string()
    }
}

/// Which way a date without a year or month is completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Toward {
    /// Work done: the latest such day that is not after today.
    Past,
    /// Things due: the next such day, today excluded for weekdays.
    Future,
}

/// `today y yesterday tomorrow fri -3 +2 12 12.2 12.2.2026 2026-02-12 12 Feb` as a date.
pub fn parse_date(text: &str, today: NaiveDate, toward: Toward) -> Result<NaiveDate, String> {
    let wrong = || format!("\"{text}\" is not a date: write today, y, fri, -3, 12, 12.2 or 2026-02-12");
    let lower = text.trim().to_lowercase();
    let days = |n: i64| today.checked_add_signed(chrono::TimeDelta::try_days(n)?);
    match lower.as_str() {
        "today" | "t" => return Ok(today),
        "yesterday" | "y" => return days(-1).ok_or_else(wrong),
        "tomorrow" => return days(1).ok_or_else(wrong),
        _ => {}
    }
    if let Some(offset) = lower.strip_prefix('-').or(lower.strip_prefix('+')) {
        let offset: i64 = offset.parse().ok().filter(|n| (0..=3660).contains(n)).ok_or_else(wrong)?;
        return days(if lower.starts_with('-') { -offset } else { offset }).ok_or_else(wrong);
    }
    if let Some(weekday) = weekday(&lower) {
        let back =
            i64::from((7 + today.weekday().num_days_from_monday() - weekday.num_days_from_monday()) % 7);
        let offset = match toward {
            Toward::Past => -back,
            Toward::Future => 7 - back,
        };
        return days(offset).ok_or_else(wrong);
    }
    if let Ok(date) = NaiveDate::parse_from_str(&lower, "%Y-%m-%d") {
        return Ok(date).and_then(|d| in_range(d).ok_or_else(wrong));
    }
    let named: Vec<&str> = lower.split_whitespace().collect();
    let parts: Vec<String> = match named.as_slice() {
        [day, month, year @ ..] if year.len() <= 1 && month_name(month).is_some() => {
            let number = month_name(month).unwrap_or(1).to_string();
            [(*day).to_owned(), number].into_iter().chain(year.iter().map(|y| (*y).to_owned())).collect()
        }
        [one] => one.trim_end_matches('.').split('.').map(str::to_owned).collect(),
        _ => return Err(wrong()),
    };
    let numbers: Vec<i32> = parts
        .iter()
        .map(|p| p.parse().ok().filter(|_| p.len() <= 4 && p.bytes().all(|b| b.is_ascii_digit())))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    match numbers.as_slice() {
        [day] => {
            let months = (0..12).map(|n| Month::of(today).plus(if toward == Toward::Past { -n } else { n }));
            nearest(
                months.filter_map(|m| NaiveDate::from_ymd_opt(m.year, m.month, *day as u32)),
                today,
                toward,
            )
        }
        [day, month] => {
            let years = (0..8).map(|n| today.year() + if toward == Toward::Past { -n } else { n });
            nearest(
                years.filter_map(|y| NaiveDate::from_ymd_opt(y, *month as u32, *day as u32)),
                today,
                toward,
            )
        }
        [day, month, year] => {
            let year = if *year < 100 { 2000 + year } else { *year };
            NaiveDate::from_ymd_opt(year, *month as u32, *day as u32).and_then(in_range)
        }
        _ => None,
    }
    .ok_or_else(wrong)
}

fn nearest(
    mut dates: impl Iterator<Item = NaiveDate>,
    today: NaiveDate,
    toward: Toward,
) -> Option<NaiveDate> {
    dates.find(|d| match toward {
        Toward::Past => *d <= today,
        Toward::Future => *d >= today,
    })
}

/// Dates outside this range are typing errors in every business this is for.
pub fn in_range(date: NaiveDate) -> Option<NaiveDate> {
    (1900..=2200).contains(&date.year()).then_some(date)
}

/// `mon` or `monday`.
pub fn weekday(text: &str) -> Option<Weekday> {
    (text.len() == 3 || text.ends_with("day")).then(|| text.parse().ok()).flatten()
}

/// `feb` or `february`, lower case, as a number from 1.
pub fn month_name(text: &str) -> Option<u32> {
    let text = text.trim_end_matches('.').to_lowercase();
    (text.len() >= 3)
        .then(|| NAMES.iter().position(|name| name.to_lowercase().starts_with(&text)))
        .flatten()
        .map(|i| i as u32 + 1)
}

/// `Fri 20 Feb`
pub fn show_day(date: NaiveDate) -> String {
    date.format("%a %d %b").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn dates_of_the_quick_line() {
        let today = day("2026-02-20"); // a Friday
        for (text, past, future) in [
            ("today", "2026-02-20", "2026-02-20"),
            ("y", "2026-02-19", "2026-02-19"),
            ("fri", "2026-02-20", "2026-02-27"),
            ("monday", "2026-02-16", "2026-02-23"),
            ("-3", "2026-02-17", "2026-02-17"),
            ("12", "2026-02-12", "2026-03-12"),
            ("31", "2026-01-31", "2026-03-31"),
            ("12.2", "2026-02-12", "2027-02-12"),
            ("29.2", "2024-02-29", "2028-02-29"),
            ("12.2.25", "2025-02-12", "2025-02-12"),
            ("2026-02-12", "2026-02-12", "2026-02-12"),
            ("12 feb", "2026-02-12", "2027-02-12"),
        ] {
            assert_eq!(parse_date(text, today, Toward::Past), Ok(day(past)), "{text}");
            assert_eq!(parse_date(text, today, Toward::Future), Ok(day(future)), "{text}");
        }
        for text in
            ["", "32", "12.13", "2026-02-30", "1.2.3.4", "may", "0001-01-01", "12.2.9999", "-99999", "3h"]
        {
            assert!(parse_date(text, today, Toward::Past).is_err(), "{text}");
        }
    }

    #[test]
    fn today_is_in_the_zone() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let late = day("2026-02-20").and_hms_opt(23, 30, 0).unwrap().and_utc().timestamp_millis();
        assert_eq!(berlin.date(late), day("2026-02-21"));
        assert_eq!(Zone::UTC.date(late), day("2026-02-20"));
        assert_eq!(berlin.date(berlin.end_of_day(day("2026-02-20"))), day("2026-02-20"));
        assert_eq!(berlin.date(berlin.end_of_day(day("2026-02-20")) + 1), day("2026-02-21"));
        assert!(Zone::parse("Berlin").is_err());
    }

    proptest! {
        #[test]
        fn a_past_date_is_never_in_the_future(text in "[0-9a-z.+-]{0,10}", offset in 0u64..3000) {
            let today = day("2024-01-01") + Days::new(offset);
            if let Ok(date) = parse_date(&text, today, Toward::Past) && !text.contains('+') && text != "tomorrow" {
                let full = text.matches('.').count() >= 2 || text.matches('-').count() >= 2;
                prop_assert!(full || date <= today, "{} gave {}", text, date);
            }
        }

        #[test]
        fn months_count(year in 1950i32..2100, month in 1u32..=12, n in -500i32..500) {
            let m = Month { year, month };
            prop_assert_eq!(m.plus(n).plus(-n), m);
            prop_assert_eq!(Month::parse(&m.to_string()), Ok(m));
            prop_assert_eq!(Month::from_number(m.number()), Some(m));
            prop_assert_eq!(Month::of(m.last()), m);
        }
    }
}
