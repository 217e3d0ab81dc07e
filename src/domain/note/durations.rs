//! How long work took: "90 min", "an hour and a half", "10:00-11:30".

use super::lexicon::{DAYS, ELSEWHEN, HOURS, MINUTES, MORE_HOURS, NUMBERS};
use crate::domain::effort::parse_effort;

/// Minutes since midnight of "10", "10:30", "10.30", "14h30", "2pm".
fn clock(text: &str) -> Option<(i64, bool)> {
    let (text, noon) = match text.strip_suffix("pm") {
        Some(text) => (text, true),
        None => (text.strip_suffix("am").or_else(|| text.strip_suffix("uhr")).unwrap_or(text), false),
    };
    let (hours, minutes, sure) = match text.split_once([':', 'h']) {
        Some((hours, "")) => (hours, "0", true),
        Some((hours, minutes)) => (hours, minutes, true),
        None => (text, "0", noon),
    };
    let hours: i64 = hours.parse().ok().filter(|h| (0..24).contains(h))?;
    let minutes: i64 = minutes.parse().ok().filter(|m| (0..60).contains(m))?;
    Some(((hours + if noon && hours < 12 { 12 } else { 0 }) * 60 + minutes, sure))
}

/// Durations of a sentence in minutes, each with how clearly; the text is plain.
pub(super) fn durations(text: &str, day_minutes: i64) -> Vec<(i64, f64)> {
    let spaced = text
        .replace(['(', ')', ',', ';', '~', '!', '?'], " ")
        .replace(" - ", "-")
        .replace(" to ", "-")
        .replace(" bis ", "-")
        .replace(" a las ", "-");
    let spaced = spaced
        .replace("half a day", "0.5d")
        .replace("half day", "0.5d")
        .replace("half-day", "0.5d")
        .replace("halben tag", "0.5d")
        .replace("half an hour", "30min")
        .replace("half hour", "30min")
        .replace("full day", "1d")
        .replace("whole day", "1d")
        .replace("all day", "1d")
        .replace("ganzen tag", "1d")
        .replace("media hora", "30min")
        .replace("medio dia", "0.5d")
        .replace("demi-journee", "0.5d")
        .replace("hour and a half", "1.5h")
        .replace("hora y media", "1.5h")
        .replace("heure et demie", "1.5h")
        .replace("anderthalb stunden", "1.5h")
        .replace("a couple of hours", "2h");
    let words: Vec<&str> = spaced.split_whitespace().map(|w| w.trim_end_matches(['.', ':'])).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = words[at];
        let before = if at > 0 { words[at - 1] } else { "" };
        let elsewhen = ELSEWHEN.contains(&before);
        // 10:00-11:30
        if let Some((from, to)) = word.split_once('-') {
            let (from, to) = (clock(from.trim()), clock(to.trim()));
            if let (Some((from, a)), Some((mut to, b))) = (from, to) {
                // 11-1 goes over noon.
                if to <= from && to + 720 > from && to < 720 {
                    to += 720;
                }
                if (a || b || before == "from") && to > from && to - from <= 12 * 60 {
                    found.push((to - from, 0.85));
                }
            }
            at += 1;
            continue;
        }
        // 9:00 a 12:00; started 14:05, ended 14:50
        let over = words.get(at + 1..at + 3).filter(|w| {
            matches!(w[0], "a" | "to" | "until" | "till" | "hasta" | "ended" | "bis" | "und" | "and")
        });
        let times = over.and_then(|w| clock(word).zip(clock(w[1])));
        if let Some(((from, true), (to, true))) =
            times.filter(|((from, _), (to, _))| to > from && to - from <= 720)
        {
            found.push((to - from, 0.8));
            at += 3;
            continue;
        }
        let number = |w: &str| {
            w.replace(',', ".")
                .parse::<f64>()
                .ok()
                .or_else(|| NUMBERS.iter().find(|(name, _)| *name == w).map(|(_, n)| *n))
        };
        let unit = |w: &str| -> Option<f64> {
            let w = w.trim_end_matches('.');
            if HOURS.contains(&w) || MORE_HOURS.contains(&w) {
                Some(60.0)
            } else if MINUTES.contains(&w) {
                Some(1.0)
            } else if DAYS.contains(&w) {
                Some(day_minutes as f64)
            } else {
                None
            }
        };
        let spoken = number(word).zip(words.get(at + 1).and_then(|w| unit(w)));
        let joined = if word.bytes().next().is_some_and(|b| b.is_ascii_digit()) {
            parse_effort(word, day_minutes).ok()
        } else {
            None
        };
        let hyphened = word.split_once('-').and_then(|(n, u)| number(n).zip(unit(u)));
        let mut taken = 1;
        let mut minutes = match (spoken, joined, hyphened) {
            (Some((n, unit)), ..) => {
                taken = 2;
                Some((n * unit).round() as i64)
            }
            (_, Some(minutes), _) => Some(minutes),
            (.., Some((n, unit))) => Some((n * unit).round() as i64),
            _ => None,
        };
        // 1 hour 30 minutes, 1 hour and 15 minutes
        if let Some(all) = &mut minutes {
            let skip = usize::from(words.get(at + taken) == Some(&"and"));
            let more = words
                .get(at + taken + skip)
                .and_then(|w| number(w))
                .zip(words.get(at + taken + skip + 1).and_then(|w| unit(w)));
            if let Some((n, unit)) = more.filter(|(_, unit)| *unit == 1.0 && *all % 60 == 0) {
                *all += (n * unit) as i64;
                taken += skip + 2;
            }
        }
        if let Some(minutes) = minutes.filter(|m| (5..=10 * day_minutes).contains(m)) {
            // "a day" alone is how people speak, not how long they worked.
            let vague = number(word).is_some()
                && word.parse::<f64>().is_err()
                && matches!(word, "a" | "an" | "eine" | "einen" | "una" | "une")
                && minutes >= day_minutes;
            let sure = if elsewhen || vague { 0.3 } else { 0.8 };
            found.push((minutes, sure));
            at += taken;
            continue;
        }
        at += 1;
    }
    found
}
