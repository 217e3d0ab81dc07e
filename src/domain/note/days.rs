//! Days as people write them.

use super::lexicon::{month_of, weekday_of};
use super::sentences::{plain, words};
use crate::domain::when::{Toward, parse_date};
use chrono::{Datelike, NaiveDate};

/// Days that a sentence names, each with how clearly.
pub(super) fn days(text: &str, today: NaiveDate, toward: Toward) -> Vec<(NaiveDate, f64)> {
    let words = words(text);
    let said: Vec<String> = words.iter().map(|w| plain(w)).collect();
    let mut found = Vec::new();
    let parse = |text: &str| parse_date(text, today, toward).ok();
    let last_week = said.windows(2).any(|w| w == ["last", "week"]);
    let mut at = 0;
    while at < words.len() {
        let word = said[at].strip_suffix("'s").unwrap_or(&said[at]);
        let number = |n: usize| {
            let text = said.get(n)?;
            let text = ["st", "nd", "rd", "th"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
            text.parse::<u32>().ok().filter(|day| (1..=31).contains(day))
        };
        let month = |n: usize| said.get(n).and_then(|w| month_of(w));
        let year =
            |n: usize| said.get(n).and_then(|w| w.parse::<i32>().ok()).filter(|y| (2000..=2100).contains(y));
        let date = |day: u32, month: u32, year: Option<i32>| match year {
            Some(year) => NaiveDate::from_ymd_opt(year, month, day),
            // A day without a year is none of long ago.
            None => parse(&format!("{day}.{month}")).filter(|day| (today - *day).num_days() < 200),
        };
        let of =
            |n: usize| usize::from(said.get(n).is_some_and(|w| matches!(w.as_str(), "of" | "de" | "del")));
        // 17 February 2026, 17th of Feb, 17. Februar
        let day_first = number(at).and_then(|day| {
            let m = at + 1 + of(at + 1);
            let of_year = m + 1 + of(m + 1);
            month(m)
                .and_then(|month| date(day, month, year(of_year)))
                .map(|d| (d, m + 1 - at + usize::from(year(of_year).is_some())))
        });
        // February 17th, 2026
        let month_first = month(at).and_then(|month| {
            number(at + 1)
                .and_then(|day| date(day, month, year(at + 2)))
                .map(|d| (d, 2 + usize::from(year(at + 2).is_some())))
        });
        if let Some((day, taken)) = day_first.or(month_first) {
            found.push((day, 0.95));
            at += taken;
            continue;
        }
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let numeric =
            digits >= 2 && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'/'));
        if numeric
            && (word.matches('-').count() == 2
                || word.matches('.').count() >= 1 && digits >= 3 && month_in(word))
        {
            let day =
                parse(word).filter(|day| word.matches('.').count() != 1 || (today - *day).num_days() < 200);
            found.extend(day.map(|day| (day, 0.95)));
        } else if numeric && word.matches('/').count() == 2 {
            found.extend(slashed(word).map(|day| (day, 0.9)));
        }
        let named = match word {
            "today" | "heute" | "hoy" | "aujourd'hui" => Some((today, 0.85)),
            "yesterday" | "gestern" | "ayer" | "hier" => today.pred_opt().map(|d| (d, 0.9)),
            "tomorrow" | "morgen" | "manana" | "demain" if toward == Toward::Future => {
                today.succ_opt().map(|d| (d, 0.85))
            }
            "morning" | "afternoon" | "evening" if at > 0 && said[at - 1] == "this" => Some((today, 0.8)),
            _ => None,
        };
        found.extend(named);
        // "Mon" is a day where it is written as one, "mon" where somebody says on or last.
        let before = if at > 0 { said[at - 1].as_str() } else { "" };
        let led = matches!(
            before,
            "on" | "last"
                | "this"
                | "next"
                | "by"
                | "until"
                | "till"
                | "before"
                | "am"
                | "bis"
                | "el"
                | "past"
                | "due"
        );
        let is_day = weekday_of(word)
            .filter(|_| word.len() > 3 || led || words[at].chars().next().is_some_and(char::is_uppercase));
        if let Some(name) = is_day
            && named.is_none()
        {
            let day = parse(name).map(|day| {
                match last_week && (today - day).num_days() <= today.weekday().num_days_from_monday().into() {
                    true => day - chrono::TimeDelta::days(7),
                    false => day,
                }
            });
            found.extend(day.map(|day| (day, 0.85)));
        }
        at += 1;
    }
    found
}

/// Whether 17.2 or 17.02.2026 can be a day: a version or a price can not.
fn month_in(word: &str) -> bool {
    let parts: Vec<&str> = word.trim_end_matches('.').split('.').collect();
    let within =
        |text: &str, most: u32| text.len() <= 2 && text.parse().is_ok_and(|n: u32| (1..=most).contains(&n));
    match parts.as_slice() {
        [day, month, year] => within(day, 31) && within(month, 12) && matches!(year.len(), 2 | 4),
        [day, month] => (word.ends_with('.') || word.len() == 5) && within(day, 31) && within(month, 12),
        _ => false,
    }
}

/// 17/02/2026, or 02/17/2026, where only one of them can be.
fn slashed(word: &str) -> Option<NaiveDate> {
    let parts: Vec<u32> = word.split('/').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let [a, b, year] = parts.try_into().ok()?;
    let year = i32::try_from(if year < 100 { 2000 + year } else { year }).ok()?;
    match (a, b) {
        (13..=31, 1..=12) => NaiveDate::from_ymd_opt(year, b, a),
        (1..=12, 13..=31) => NaiveDate::from_ymd_opt(year, a, b),
        (same, other) if same == other => NaiveDate::from_ymd_opt(year, a, b),
        _ => None,
    }
}
