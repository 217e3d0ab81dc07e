//! Effort is whole minutes; people type and read hours and days.

/// `3h 1.5h 1h30 90m 2d 0.5d half` as minutes; `day_minutes` is the tenant's day.
pub fn parse_effort(text: &str, day_minutes: i64) -> Result<i64, String> {
    let wrong = || format!("\"{text}\" is not an effort: write 3h, 1.5h, 90m, 2d or half");
    let compact: String = text.trim().to_lowercase().split_whitespace().collect();
    if compact == "half" {
        return Ok(day_minutes / 2);
    }
    let unit = compact.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, rest) = compact.split_at(unit);
    let number = number.replace(',', ".");
    // "inf", "nan" and "1e9" are numbers to Rust, not to people.
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(wrong());
    }
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let (unit_minutes, tail) = match rest {
        "m" | "min" | "mins" | "minutes" => (1.0, 0),
        "h" | "hr" | "hrs" | "hour" | "hours" => (60.0, 0),
        "d" | "day" | "days" => (day_minutes as f64, 0),
        _ => {
            let minutes = rest.strip_prefix('h').ok_or_else(wrong)?;
            let minutes = minutes.strip_suffix('m').unwrap_or(minutes);
            if minutes.is_empty() || minutes.len() > 2 || !minutes.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wrong());
            }
            (60.0, minutes.parse::<i64>().ok().filter(|m| *m < 60).ok_or_else(wrong)?)
        }
    };
    let minutes = (number * unit_minutes).round() as i64 + tail;
    match minutes {
        0 => Err(format!("\"{text}\" is no time at all")),
        m if m > 366 * 24 * 60 => Err(format!("\"{text}\" is more than a year")),
        m => Ok(m),
    }
}

/// Minutes as hours: `3h`, `1.5h`, `20m`; what is not a quarter hour shows as `1h20`.
pub fn show_effort(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, m) => format!("{m}m"),
        (h, 0) => format!("{h}h"),
        (h, 15) => format!("{h}.25h"),
        (h, 30) => format!("{h}.5h"),
        (h, 45) => format!("{h}.75h"),
        (h, m) => format!("{h}h{m:02}"),
    }
}

/// Minutes as days with one decimal: `14.5 d`.
pub fn show_days(minutes: i64, day_minutes: i64) -> String {
    // Half a tenth counts up, as people round; a float would go to the even one.
    let tenths = (minutes * 10 + day_minutes.max(1) / 2).div_euclid(day_minutes.max(1));
    format!("{}.{} d", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_spellings_of_the_quick_line() {
        for (text, minutes) in [
            ("3h", 180),
            ("1.5h", 90),
            ("90m", 90),
            ("2d", 960),
            ("half", 240),
            ("1h30", 90),
            ("0,5 d", 240),
            ("1h05m", 65),
        ] {
            assert_eq!(parse_effort(text, 480), Ok(minutes), "{text}");
        }
        for text in ["", "3", "h", "0h", "1e3h", "infh", "-3h", "999999d", "1h99", "3x"] {
            assert!(parse_effort(text, 480).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shown_effort_reads_back(minutes in 1i64..100_000) {
            prop_assert_eq!(parse_effort(&show_effort(minutes), 480), Ok(minutes));
        }
    }
}
