//! Decimal numbers of fixed point, in millionths: coordinates, quantities, averages.

/// Parts of one.
pub const ONE: i64 = 1_000_000;
const PLACES: usize = 6;

/// A number as sheets write it: `12.5`, `-0,75`, `1 234.50`, `1,234,567`, `12.5-`, `(3)`. Of
/// two kinds of separators the last marks the decimals; one that stands several times
/// marks thousands; a lone comma before three digits does too, unless `comma` says that
/// commas mark decimals. None: it is no number, or too large.
pub fn parse(text: &str, comma: bool) -> Option<i64> {
    parse_bytes(text.as_bytes(), comma)
}

pub fn parse_bytes(bytes: &[u8], comma: bool) -> Option<i64> {
    let any = || written(std::str::from_utf8(bytes).ok()?, comma);
    plain(bytes.trim_ascii(), comma).or_else(any)
}

/// A number of digits with at most one point, as most are; none says nothing of the others.
fn plain(bytes: &[u8], comma: bool) -> Option<i64> {
    // More could be too large.
    const MOST: usize = 12;
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (mut number, mut point) = (0i64, None);
    for (at, b) in digits.iter().enumerate().take(MOST + 1) {
        match b {
            b'0'..=b'9' => number = number * 10 + i64::from(b - b'0'),
            b'.' if point.is_none() && at > 0 => point = Some(at),
            _ => return None,
        }
    }
    let places = point.map_or(0, |point| digits.len() - 1 - point);
    if digits.is_empty() || digits.len() > MOST || places > PLACES || comma && places == 3 {
        return None;
    }
    let number = number * 10i64.pow((PLACES - places) as u32);
    Some(if negative { -number } else { number })
}

fn written(text: &str, comma: bool) -> Option<i64> {
    let text = text.trim();
    let (negative, text) = match text.as_bytes() {
        [b'(', .., b')'] => (true, &text[1..text.len() - 1]),
        [b'-', ..] => (true, &text[1..]),
        [.., b'-'] => (true, &text[..text.len() - 1]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let mark = mark(text, comma);
    let (mut whole, mut part, mut places, mut digits) = (0i64, 0i64, 0usize, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' if mark.is_some_and(|m| at > m) => {
                digits += 1;
                if places < PLACES {
                    part = part * 10 + i64::from(c as u8 - b'0');
                    places += 1;
                } else if places == PLACES {
                    part += i64::from(c >= '5');
                    places += 1;
                }
            }
            '0'..='9' => {
                digits += 1;
                whole = whole.checked_mul(10)?.checked_add(i64::from(c as u8 - b'0'))?;
            }
            '.' | ',' if mark == Some(at) => {}
            '.' | ',' | ' ' | '\'' | '\u{a0}' | '\u{202f}' if mark.is_none_or(|m| at < m) => {}
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    while places < PLACES {
        part *= 10;
        places += 1;
    }
    let number = whole.checked_mul(ONE)?.checked_add(part)?;
    Some(if negative { -number } else { number })
}

/// Byte position of the decimal mark.
fn mark(text: &str, comma: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let count = |mark: u8| bytes.iter().filter(|b| **b == mark).count();
    let (points, commas) = (count(b'.'), count(b','));
    let last = |mark: u8| bytes.iter().rposition(|b| *b == mark);
    match (points, commas) {
        (0, 0) => None,
        (1, 0) => {
            if comma && bytes.len() - last(b'.')? == 4 {
                None
            } else {
                last(b'.')
            }
        }
        (0, 1) => {
            if !comma && bytes.len() - last(b',')? == 4 {
                None
            } else {
                last(b',')
            }
        }
        (0, _) | (_, 0) => None,
        _ => last(b'.').max(last(b',')),
    }
}

/// As people read it: no more places than it has.
pub fn show(number: i64) -> String {
    let (whole, part) = (number.unsigned_abs() / ONE as u64, number.unsigned_abs() % ONE as u64);
    let sign = if number < 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_as_sheets_write_them() {
        for (text, comma, shown) in [
            ("12.5", false, "12.5"),
            ("-0,75", false, "-0.75"),
            ("1 234.50", false, "1234.5"),
            ("1,234,567", false, "1234567"),
            ("1.234,56", false, "1234.56"),
            ("3,667", false, "3667"),
            ("3,667", true, "3.667"),
            ("3.667", true, "3667"),
            ("26.030145", false, "26.030145"),
            ("12.5-", false, "-12.5"),
            ("(3)", false, "-3"),
            ("0.1234567", false, "0.123457"),
        ] {
            assert_eq!(parse(text, comma).map(show).as_deref(), Some(shown), "{text}");
        }
        for text in ["", "N/A", "12a", "-", ".", "1e5", "12..5x", "99999999999999999999"] {
            assert_eq!(parse(text, false), None, "{text}");
        }
    }

    proptest! {
        /// Law: what is shown is read back.
        #[test]
        fn shown_numbers_are_read_back(n in -1_000_000_000_000_000i64..1_000_000_000_000_000) {
            prop_assert_eq!(parse(&show(n), false), Some(n));
        }

        /// Law: the short way gives what the long one does.
        #[test]
        fn plain_numbers_are_read_as_any(text in "-?[0-9]{0,14}(\\.[0-9]{0,8})?[-)x,.]?", comma: bool) {
            prop_assert_eq!(parse(&text, comma), written(&text, comma));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), comma in any::<bool>()) {
            let _ = parse(&text, comma);
        }
    }
}
