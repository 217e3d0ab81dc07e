//! How the texts of a column write their days and amounts: the column tells what one of
//! its texts alone does not.

use crate::domain::money::Decimal;
use crate::domain::when::{Month, in_range, month_name};
use chrono::NaiveDate;

/// Order of day and month in a column's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    DayFirst,
    MonthFirst,
    /// The column has both: only what cannot be read two ways is read.
    Mixed,
    /// Nothing in the column tells.
    Unknown,
}

/// Why a text is no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misread {
    No,
    /// It stands for two days, and its column does not tell for which.
    TwoWays,
}

impl DateOrder {
    /// What the texts of a column tell.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> DateOrder {
        let (mut day_first, mut month_first) = (false, false);
        // A date that does not exist, such as 31/02, tells nothing.
        let is_day = |day, month, year| NaiveDate::from_ymd_opt(year, month, day).is_some();
        for (first, second, year) in texts.filter(|t| !t.contains('.')).filter_map(three) {
            day_first |= first > 12 && is_day(first, second, year);
            month_first |= second > 12 && is_day(second, first, year);
        }
        match (day_first, month_first) {
            (true, true) => DateOrder::Mixed,
            (true, false) => DateOrder::DayFirst,
            (false, true) => DateOrder::MonthFirst,
            (false, false) => DateOrder::Unknown,
        }
    }

    /// A day, a time behind it allowed.
    pub fn read(self, text: &str) -> Result<NaiveDate, Misread> {
        let day = text.split(['T', ' ']).next().unwrap_or_default();
        // Four digits in front are a year; two may be a day.
        let year_first = day.get(..4).is_some_and(|y| y.bytes().all(|b| b.is_ascii_digit()));
        if year_first
            && let Ok(date) =
                NaiveDate::parse_from_str(day, "%Y-%m-%d").or(NaiveDate::parse_from_str(day, "%Y/%m/%d"))
        {
            return in_range(date).ok_or(Misread::No);
        }
        if let Some(date) = named_month(text) {
            return in_range(date).ok_or(Misread::No);
        }
        let (first, second, year) = three(text).ok_or(Misread::No)?;
        // Points are written day first everywhere they are used.
        let order = if text.contains('.') { DateOrder::DayFirst } else { self };
        let (day, month) = match order {
            DateOrder::DayFirst => (first, second),
            DateOrder::MonthFirst => (second, first),
            _ if first > 12 || first == second => (first, second),
            _ if second > 12 => (second, first),
            _ => return Err(Misread::TwoWays),
        };
        NaiveDate::from_ymd_opt(year, month, day).and_then(in_range).ok_or(Misread::No)
    }
}

/// `12 Feb 2026`, `Feb 12, 2026`, `12-Feb-26`
fn named_month(text: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = text.split([' ', '-', ',', '/', '.']).filter(|p| !p.is_empty()).collect();
    let [a, b, year, ..] = parts.as_slice() else { return None };
    let (day, month) = match (month_name(a), month_name(b)) {
        (Some(month), None) => (*b, month),
        (None, Some(month)) => (*a, month),
        _ => return None,
    };
    let year: i32 = year.parse().ok()?;
    NaiveDate::from_ymd_opt(if year < 100 { 2000 + year } else { year }, month, day.parse().ok()?)
}

/// A month: `2026-02`, `202602`, `02/2026`, `Feb 26`, or a day in it.
pub fn month(text: &str, order: DateOrder) -> Option<Month> {
    let parts: Vec<&str> = text.split([' ', '-', '/', '.', '\'']).filter(|p| !p.is_empty()).collect();
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let (year, month) = match parts.as_slice() {
        [packed] if packed.len() == 6 && digits(packed) => packed.split_at(4),
        [year, month] if year.len() == 4 && digits(year) => (*year, *month),
        [month, year] => (*year, *month),
        _ => return order.read(text).ok().map(Month::of),
    };
    let month = month.parse().ok().or_else(|| month_name(month))?;
    let year: i32 = Some(year).filter(|y| digits(y) && matches!(y.len(), 2 | 4))?.parse().ok()?;
    let first = NaiveDate::from_ymd_opt(if year < 100 { 2000 + year } else { year }, month, 1)?;
    in_range(first).map(Month::of)
}

/// Three numbers with the year last, a time behind them allowed.
fn three(text: &str) -> Option<(u32, u32, i32)> {
    let day = text.split(' ').next()?;
    let parts: Vec<&str> = day.split(['/', '.', '-']).collect();
    let [a, b, year] = parts.as_slice() else { return None };
    let number = |t: &str| {
        (t.len() <= 4 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u32>().ok()).flatten()
    };
    if a.len() > 2 || b.len() > 2 {
        return None; // the year first is another spelling
    }
    let year = number(year)? as i32;
    Some((number(a)?, number(b)?, if year < 100 { 2000 + year } else { year }))
}

/// The decimal mark that the amounts of a column agree on, if they tell.
pub fn decimal_of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Decimal> {
    let (mut point, mut comma) = (0usize, 0usize);
    for text in texts {
        let digits: String = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect();
        match (digits.rfind('.'), digits.rfind(',')) {
            (Some(p), Some(c)) if p > c => point += 1,
            (Some(_), Some(_)) => comma += 1,
            (Some(p), None) if digits.len() - p - 1 != 3 && digits.matches('.').count() == 1 => point += 1,
            (None, Some(c)) if digits.len() - c - 1 != 3 && digits.matches(',').count() == 1 => comma += 1,
            _ => {}
        }
    }
    match (point, comma) {
        (p, 0) if p > 0 => Some(Decimal::Point),
        (0, c) if c > 0 => Some(Decimal::Comma),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_as_columns_write_them() {
        let day = |text: &str| DateOrder::DayFirst.read(text).map(|d| d.to_string());
        for (text, is) in [
            ("2026-02-12T10:30:00", "2026-02-12"),
            ("2026/2/12", "2026-02-12"),
            ("20-10-16", "2016-10-20"),
            ("12.02.2026 08:15", "2026-02-12"),
            ("Feb 12, 2026", "2026-02-12"),
            ("12/02/26", "2026-02-12"),
        ] {
            assert_eq!(day(text).as_deref(), Ok(is), "{text}");
        }
        assert_eq!(DateOrder::MonthFirst.read("02/12/2026").unwrap().to_string(), "2026-02-12");
        assert_eq!(DateOrder::Unknown.read("02/12/2026"), Err(Misread::TwoWays));
        assert_eq!(DateOrder::DayFirst.read("31/02/2026"), Err(Misread::No));
        assert_eq!(DateOrder::of(["01/02/2026", "25/02/2026"].into_iter()), DateOrder::DayFirst);
    }

    #[test]
    fn months_as_columns_write_them() {
        for text in ["2026-02", "202602", "2026/2", "02/2026", "2-2026", "Feb 2026", "February-26", "Feb'26"]
        {
            assert_eq!(month(text, DateOrder::Unknown).unwrap().to_string(), "2026-02", "{text}");
        }
        for text in ["2026-02-14", "14.02.2026", "14 Feb 2026"] {
            assert_eq!(month(text, DateOrder::Unknown).unwrap().to_string(), "2026-02", "{text}");
        }
        assert_eq!(month("02/03/2026", DateOrder::DayFirst).unwrap().to_string(), "2026-03");
        for text in ["", "2026", "13/2026", "2026-13", "x 26", "02/03/2026", "260212x"] {
            assert_eq!(month(text, DateOrder::Unknown), None, "{text}");
        }
    }
}
