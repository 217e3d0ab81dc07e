//! Texts that a program before us spoilt: UTF-8 read as Windows-1252, and what HTML
//! writes for a character. The mended text is offered, never put in place unasked.

use encoding_rs::WINDOWS_1252;

/// Longest name of an entity.
const MAX_ENTITY: usize = 8;
const ENTITIES: [(&str, &str); 14] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("szlig", "ß"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("ntilde", "ñ"),
    ("oslash", "ø"),
];

/// The rule a text breaks and how it reads when mended; none for a sound text.
pub fn mended(text: &str) -> Option<(&'static str, String)> {
    let letters = || letters(text).map(|t| ("TXT-01", t));
    letters().or_else(|| entities(text).map(|t| ("TXT-02", t)))
}

/// "MÃ¼ller" → "Müller": each character goes back to its byte of Windows-1252, and the
/// bytes are UTF-8 that says more with fewer characters.
fn letters(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let (bytes, _, foreign) = WINDOWS_1252.encode(text);
    if foreign {
        return None;
    }
    let read = std::str::from_utf8(&bytes).ok()?;
    (read != text).then(|| read.to_owned())
}

/// "M&amp;S" → "M&S"
fn entities(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(MAX_ENTITY + 2).position(|b| b == b';');
        match end.and_then(|end| Some((entity(rest.get(1..end)?)?, end))) {
            Some((read, end)) => {
                out.push_str(&read);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    (out != text).then_some(out)
}

fn entity(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control()).map(String::from);
    }
    ENTITIES.iter().find(|(n, _)| *n == name).map(|(_, c)| (*c).to_owned())
}

/// "1.23457E+15": a spreadsheet took a long number for a quantity and its last digits
/// are gone.
pub fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else { return false };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.strip_prefix('+').unwrap_or_default();
    let whole = mantissa.split_once(['.', ',']).is_some_and(|(a, b)| a.len() == 1 && digits(a) && digits(b));
    whole && digits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spoilt_texts_are_mended_and_sound_ones_left() {
        for (spoilt, code, sound) in [
            ("MÃ¼ller & SÃ¶hne", "TXT-01", "Müller & Söhne"),
            ("CafÃ© â€“ Bar", "TXT-01", "Café – Bar"),
            ("M&amp;S", "TXT-02", "M&S"),
            ("K&#246;ln &#x41;G", "TXT-02", "Köln AG"),
        ] {
            assert_eq!(mended(spoilt), Some((code, sound.to_owned())));
        }
        for sound in ["Müller & Söhne", "M&S; Co", "AT&T", "R&D;", "Ærø Ãlt", "日本", "&#7;", ""] {
            assert_eq!(mended(sound), None, "{sound}");
        }
    }

    #[test]
    fn numbers_that_lost_digits_are_known() {
        assert!(is_scientific("1.23457E+15") && is_scientific("6,1e+14"));
        for sound in ["006E12", "12E+5", "1.5", "E+5", "1.2E5", "1.E+5"] {
            assert!(!is_scientific(sound), "{sound}");
        }
    }

    proptest! {
        /// Whatever is spoilt on the way comes back, and no text makes it panic.
        #[test]
        fn spoiling_is_undone(text in "[a-zA-Z ]{0,5}[äöüéèñøß€–]{1,4}[a-z ]{0,5}") {
            let (spoilt, _, _) = WINDOWS_1252.decode(text.as_bytes());
            if !spoilt.contains('\u{fffd}') {
                prop_assert_eq!(mended(&spoilt), Some(("TXT-01", text)));
            }
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = (mended(&text), is_scientific(&text));
        }
    }
}
