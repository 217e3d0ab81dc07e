//! Names as people type them: folding for comparison, likeness for suggestions.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case, without accents, punctuation as single spaces: "Ørsted  A/S" and
/// "orsted a s" fold alike. Two names that fold alike are one name.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    if text.is_ascii() {
        // Most names are; nothing has to be taken apart.
        for b in text.bytes() {
            if b.is_ascii_alphanumeric() {
                if gap && !out.is_empty() {
                    out.push(' ');
                }
                gap = false;
                out.push(b.to_ascii_lowercase() as char);
            } else if b != b'\'' {
                gap = true;
            }
        }
        return out;
    }
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        let c = match c {
            'ø' | 'Ø' => 'o',
            'ł' | 'Ł' => 'l',
            'đ' | 'Đ' => 'd',
            'ı' => 'i',
            c => c,
        };
        if c.is_alphanumeric() {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.extend(c.to_lowercase());
        } else if c != '\'' && c != '’' {
            gap = true;
        }
    }
    out
}

/// "1 row", "2 rows"
pub fn count(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// Likeness of two names from 0 to 1 (Jaro–Winkler over folded, word-sorted text).
pub fn likeness(a: &str, b: &str) -> f64 {
    folded_likeness(&fold(a), &fold(b))
}

/// The same for texts that are folded already.
pub fn folded_likeness(a: &str, b: &str) -> f64 {
    let sorted = |folded: &str| {
        let mut words: Vec<&str> = folded.split(' ').collect();
        words.sort_unstable();
        words.join(" ")
    };
    strsim::jaro_winkler(a, b).max(strsim::jaro_winkler(&sorted(a), &sorted(b)))
}

/// The candidates most like `name`, best first, at most `most`, none below 0.7.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> =
        candidates.map(|c| (likeness(name, c), c)).filter(|(score, _)| *score >= 0.7).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(most).map(|(_, c)| c).collect()
}

/// Control characters out (they could move the cursor of whoever reads), line
/// breaks and tabs kept for long texts, outer white space and NBSP trimmed.
pub fn clean(text: &str) -> String {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return text.trim().to_owned();
    }
    let kept: String = text
        .chars()
        .map(|c| if c == '\u{a0}' { ' ' } else { c })
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .filter(|c| !matches!(c, '\u{200b}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect();
    kept.trim().to_owned()
}

/// 1204 is "1,204".
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Values as a line of bars, eight heights between `low` and `high`: a sparkline (Tufte 2006).
pub fn sparkline(values: impl IntoIterator<Item = f64>, (low, high): (f64, f64)) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let scale = (BARS.len() - 1) as f64 / (high - low).max(f64::MIN_POSITIVE);
    let bar = |value: f64| BARS[(((value - low) * scale).round().max(0.0) as usize).min(BARS.len() - 1)];
    values.into_iter().map(bar).collect()
}

/// A cell that a spreadsheet would run as a formula gets an apostrophe in front; numbers
/// with a sign and telephone numbers stay.
pub fn harmless(cell: String) -> String {
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || " .,()/-+".contains(c));
    match cell.as_bytes() {
        [b'=' | b'@' | b'\t' | b'\r', ..] => format!("'{cell}"),
        [b'+' | b'-', ..] if !is_number(&cell) => format!("'{cell}"),
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_to_one() {
        for (a, b) in [
            ("Ørsted  A/S", "orsted a s"),
            ("  Müller & Söhne ", "MULLER SOHNE"),
            ("O'Brien", "OBrien"),
            ("Straße", "straße"),
            ("ＡＣＭＥ", "acme"),
        ] {
            assert_eq!(fold(a), fold(b));
        }
        assert_ne!(fold("Acme North"), fold("Acme South"));
    }

    #[test]
    fn likeness_ignores_word_order_and_finds_typing_errors() {
        assert!(likeness("Mehta, Rohan", "Rohan Mehta") > 0.99);
        assert_eq!(
            nearest("Vantage Sytems", ["Orbit Labs", "Vantage Systems"].into_iter(), 3),
            ["Vantage Systems"]
        );
    }

    #[test]
    fn ascii_folds_as_every_text_does() {
        // A letter with an accent takes the long way; what stands beside it folds alike.
        for text in ["O'Brien & Co.", "  a--b  ", "12.50 EUR", "", "'", "Closed Won"] {
            assert_eq!(fold(text), fold(&format!("{text} é")).trim_end_matches('e').trim_end());
        }
    }

    #[test]
    fn clean_takes_escape_sequences_and_direction_marks() {
        assert_eq!(clean("\u{1b}[31mred\u{202e} \u{a0}"), "[31mred");
    }
}
