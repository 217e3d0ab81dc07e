//! How a delimited text is written: its encoding, what stands between its cells and around
//! them. Guessed from its beginning, shown, and put right by a person.

use super::quotes::Quotes;
use crate::domain::{Failure, Outcome};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Names of delimiters that are hard to type or to see.
const DELIMITERS: [(&str, u8); 4] = [("tab", b'\t'), ("comma", b','), ("semicolon", b';'), ("pipe", b'|')];
/// Text of which so many bytes in a hundred are zero is of two bytes a letter.
const WIDE: usize = 20;

/// What a person said of it; what is none is guessed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Dialect {
    /// A label of the Encoding Standard (WHATWG), in lower case.
    pub encoding: Option<String>,
    pub delimiter: Option<u8>,
    pub quote: Option<Quote>,
}

/// What stands around a cell that holds a delimiter or a line end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quote {
    #[default]
    Double,
    Single,
    /// Nothing: a quote is a letter.
    None,
}

impl Quote {
    pub fn byte(self) -> Option<u8> {
        match self {
            Quote::Double => Some(b'"'),
            Quote::Single => Some(b'\''),
            Quote::None => None,
        }
    }
}

impl Dialect {
    /// `windows-1252 ; '` in any order, and what [`shown`] makes of it.
    ///
    /// # Errors
    ///
    /// A word that is no encoding, delimiter or quote, or a second one of a sort.
    pub fn parse(text: &str) -> Outcome<Dialect> {
        let mut all = Dialect::default();
        let text = text.to_lowercase().replace("no quotes", "none");
        for word in text.split_whitespace().filter(|word| !matches!(*word, "csv" | "csv,")) {
            let word = word.strip_suffix(',').filter(|rest| !rest.is_empty()).unwrap_or(word);
            let named = DELIMITERS.iter().find(|(name, _)| *name == word).map(|(_, byte)| *byte);
            let quote = match word {
                "\"" => Some(Quote::Double),
                "'" => Some(Quote::Single),
                "none" => Some(Quote::None),
                _ => None,
            };
            let again = match (word.as_bytes(), named, quote) {
                (_, _, Some(quote)) => all.quote.replace(quote).is_some(),
                (_, Some(byte), _) => all.delimiter.replace(byte).is_some(),
                ([byte], ..) if byte.is_ascii_punctuation() => all.delimiter.replace(*byte).is_some(),
                _ => match Encoding::for_label(word.as_bytes()) {
                    Some(_) => all.encoding.replace(word.to_owned()).is_some(),
                    None => {
                        return Err(Failure::usage(format!("\"{word}\" is no encoding, delimiter or quote"))
                            .hint("Like this: windows-1252 ; none. Delimiters are tab, comma, semicolon, pipe or a sign; quotes are \", ' or none"));
                    }
                },
            };
            if again {
                return Err(Failure::usage(format!("\"{word}\" is the second of its sort")));
            }
        }
        Ok(all)
    }

    /// The encoding of a text by its beginning, and the length of its mark. UTF-8 where that
    /// is: a later byte that is not is told of its row. `whole` where nothing follows.
    pub fn encoding(&self, head: &[u8], whole: bool) -> (&'static Encoding, usize) {
        let marked = Encoding::for_bom(head);
        if let Some(said) = self.encoding.as_ref().and_then(|label| Encoding::for_label(label.as_bytes())) {
            return (said, marked.filter(|(of, _)| *of == said).map_or(0, |(_, mark)| mark));
        }
        if let Some(found) = marked.or_else(|| wide(head).map(|found| (found, 0))) {
            return found;
        }
        match std::str::from_utf8(head) {
            Ok(_) => (UTF_8, 0),
            // Cut within a letter.
            Err(e) if e.error_len().is_none() && !whole => (UTF_8, 0),
            Err(_) => {
                let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
                detector.feed(head, true);
                (detector.guess(None, chardetng::Utf8Detection::Deny), 0)
            }
        }
    }

    /// A whole text, and what it was encoded in.
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, str>, &'static Encoding) {
        let (encoding, mark) = self.encoding(bytes, true);
        (encoding.decode_without_bom_handling(&bytes[mark..]).0, encoding)
    }

    /// What stands between cells: of the usual ones that which cuts the first lines into the
    /// most even rows.
    pub fn delimiter(&self, text: &str) -> u8 {
        if let Some(said) = self.delimiter {
            return said;
        }
        let score = |delimiter: u8| {
            let mut reader = csv::ReaderBuilder::new();
            reader.has_headers(false).flexible(true).delimiter(delimiter);
            match self.quote().byte() {
                Some(quote) => reader.quote(quote),
                None => reader.quoting(false),
            };
            let records = reader.from_reader(text.as_bytes()).into_records();
            let widths: Vec<usize> = records.take(60).map_while(Result::ok).map(|r| r.len()).collect();
            let widest = widths.iter().copied().max().unwrap_or(1);
            let even = widths.iter().filter(|w| **w == widest).count();
            if widest < 2 { 0 } else { even * 100 / widths.len().max(1) * widest.min(50) }
        };
        // Quotes stand at the ends of cells: that tells more than how even the rows are.
        let is_regular = |delimiter| {
            self.quote() == Quote::Double
                && score(delimiter) > 0
                && Quotes::new(delimiter).are_regular(text.as_bytes())
        };
        let rank = |delimiter| (is_regular(delimiter), score(delimiter), delimiter == b',');
        [b',', b';', b'\t', b'|'].into_iter().max_by_key(|d| rank(*d)).unwrap_or(b',')
    }

    pub fn quote(&self) -> Quote {
        self.quote.unwrap_or_default()
    }
}

/// Text of two bytes a letter without a mark: its zeros stand in every second place.
fn wide(head: &[u8]) -> Option<&'static Encoding> {
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let many =
        |zeros: usize, others: usize| zeros > 0 && zeros * 100 >= head.len() * WIDE && others * 20 <= zeros;
    match () {
        () if many(second, first) => Some(UTF_16LE),
        () if many(first, second) => Some(UTF_16BE),
        () => None,
    }
}

/// `csv, utf-8, ;`, and the quote where it is not the usual one.
pub fn shown(encoding: &'static Encoding, delimiter: u8, quote: Quote) -> String {
    let delimiter = match delimiter {
        b'\t' => "tab".into(),
        byte => char::from(byte).to_string(),
    };
    let quote = match quote {
        Quote::Double => "",
        Quote::Single => ", '",
        Quote::None => ", no quotes",
    };
    format!("csv, {}, {delimiter}{quote}", encoding.name().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dialect_is_read_in_any_order() {
        let read = |text: &str| Dialect::parse(text).unwrap();
        let latin = Dialect {
            encoding: Some("windows-1252".into()),
            delimiter: Some(b';'),
            quote: Some(Quote::Single),
        };
        assert_eq!(read("; ' Windows-1252"), latin);
        assert_eq!(read("csv, windows-1252, ;, '"), latin);
        assert_eq!(
            read("tab none"),
            Dialect { encoding: None, delimiter: Some(b'\t'), quote: Some(Quote::None) }
        );
        assert_eq!(read(""), Dialect::default());
        for wrong in ["latin-17", "; tab", "ab", "utf-8 utf-16le"] {
            assert!(Dialect::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wide_text_without_a_mark_is_known() {
        let text = "code;name\nA1;Müller\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let guess = |bytes: &[u8]| Dialect::default().encoding(bytes, true).0;
        assert_eq!((guess(&little), guess(&big), guess(text.as_bytes())), (UTF_16LE, UTF_16BE, UTF_8));
    }

    proptest! {
        /// Law: what is shown of a dialect says it.
        #[test]
        fn what_is_shown_is_read(
            encoding in prop::sample::select(vec!["utf-8", "windows-1252", "shift_jis", "utf-16le"]),
            delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|', b'^']),
            quote in prop::sample::select(vec![Quote::Double, Quote::Single, Quote::None]),
        ) {
            let text = shown(Encoding::for_label(encoding.as_bytes()).unwrap(), delimiter, quote);
            let read = Dialect::parse(&text).unwrap();
            prop_assert_eq!(read.encoding.as_deref(), Some(encoding));
            prop_assert_eq!(read.delimiter, Some(delimiter));
            prop_assert_eq!(read.quote(), quote);
        }
    }
}
