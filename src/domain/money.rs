//! Money is whole minor units with an ISO 4217 currency; sums never cross currencies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Three capital letters of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
pub struct Currency(pub [u8; 3]);

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.to_string()
    }
}

impl TryFrom<String> for Currency {
    type Error = String;

    fn try_from(text: String) -> Result<Currency, String> {
        Currency::parse(&text).ok_or_else(|| format!("\"{text}\" is not a currency"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    /// Cents, pence, yen: see [`Currency::digits`].
    pub minor: i64,
    pub currency: Currency,
}

impl Currency {
    pub fn parse(text: &str) -> Option<Currency> {
        let text = text.trim();
        let symbol = match text {
            "€" => "EUR",
            "$" | "US$" => "USD",
            "£" => "GBP",
            "¥" => "JPY",
            "₹" => "INR",
            "zł" => "PLN",
            "₽" => "RUB",
            "CHF" | "Fr." => "CHF",
            other => other,
        };
        let code: [u8; 3] = symbol.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_alphabetic).then(|| Currency(code.map(|b| b.to_ascii_uppercase())))
    }

    /// Digits behind the decimal mark, as ISO 4217 lists them.
    pub fn digits(&self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"ISK" | b"UGX" | b"XAF" | b"XOF" | b"PYG" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or("???"))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Which character marks the decimals of a column of amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decimal {
    Point,
    Comma,
}

impl Money {
    /// An amount as people and sheets write it: `84,000`, `84.000,00 €`, `USD 1 200.50`,
    /// `(310)` for minus. Without a currency in the text it takes `default`. A lone
    /// separator before exactly three digits is a thousands mark unless `decimal` says
    /// otherwise. Shorthand such as `1.2k` is refused: it hides the amount meant.
    pub fn parse(text: &str, default: Currency, decimal: Option<Decimal>) -> Result<Money, String> {
        let wrong = |why: &str| format!("\"{}\" is not an amount: {why}", text.trim());
        let cleaned: String =
            text.chars().filter(|c| !c.is_whitespace() && *c != '\'' && *c != '’').collect();
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | '(' | ')' | '−');
        let start = cleaned.find(is_number).ok_or_else(|| wrong("it has no digits"))?;
        let end = cleaned
            .rfind(is_number)
            .map_or(cleaned.len(), |i| i + cleaned[i..].chars().next().map_or(1, char::len_utf8));
        let number = &cleaned[start..end];
        if !number.chars().all(is_number) {
            return Err(wrong("letters stand between its digits"));
        }
        let mut currency = None;
        for around in [&cleaned[..start], &cleaned[end..]] {
            if around.is_empty() {
                continue;
            }
            let lower = around.to_lowercase();
            if matches!(lower.as_str(), "k" | "m" | "mn" | "mio" | "bn" | "cr" | "lakh" | "tsd") {
                return Err(wrong("write the amount out, without k or m"));
            }
            let found = Currency::parse(around).ok_or_else(|| wrong("the currency is not known"))?;
            if currency.is_some_and(|c| c != found) {
                return Err(wrong("it names two currencies"));
            }
            currency = Some(found);
        }
        let currency = currency.unwrap_or(default);
        let (negative, digits) = match number {
            n if n.starts_with('(') && n.ends_with(')') => (true, &n[1..n.len() - 1]),
            n => match n.strip_prefix(['-', '−']) {
                Some(rest) => (true, rest),
                None => (false, n.strip_prefix('+').unwrap_or(n)),
            },
        };
        if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',') {
            return Err(wrong("only digits, separators and one sign are read"));
        }
        let mark = decimal_mark(digits, decimal).map_err(wrong)?;
        let (whole, fraction) = match mark {
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits, ""),
        };
        let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
        if !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("its separators do not fit together"));
        }
        let places = currency.digits() as usize;
        let mut kept: String = fraction.chars().take(places).collect();
        while kept.len() < places {
            kept.push('0');
        }
        let round_up = fraction.as_bytes().get(places).is_some_and(|d| *d >= b'5');
        let minor: i64 = format!("0{whole}{kept}").parse().map_err(|_| wrong("it is too large"))?;
        let minor = minor + i64::from(round_up);
        Ok(Money { minor: if negative { -minor } else { minor }, currency })
    }

    /// From a number cell: major units, rounded half away from zero.
    pub fn from_major(major: f64, currency: Currency) -> Option<Money> {
        let minor = (major * 10f64.powi(currency.digits() as i32)).round();
        (minor.is_finite() && minor.abs() < 9e17).then_some(Money { minor: minor as i64, currency })
    }

    /// The plain number, `84000.00`, as data wants it.
    pub fn plain(&self) -> String {
        let digits = self.currency.digits() as usize;
        let sign = if self.minor < 0 { "-" } else { "" };
        let text = format!("{:0width$}", self.minor.unsigned_abs(), width = digits + 1);
        let (whole, fraction) = text.split_at(text.len() - digits);
        if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Without the currency, thousands marked, decimals only where there are any.
    pub fn short(&self) -> String {
        let plain = self.plain();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let mut out = String::new();
        let unsigned = whole.trim_start_matches('-');
        for (i, c) in unsigned.chars().enumerate() {
            if i > 0 && (unsigned.len() - i) % 3 == 0 {
                out.push(',');
            }
            out.push(c);
        }
        let sign = if self.minor < 0 { "-" } else { "" };
        if fraction.bytes().all(|b| b == b'0') {
            format!("{sign}{out}")
        } else {
            format!("{sign}{out}.{fraction}")
        }
    }
}

/// Byte position of the decimal mark, or none when every separator marks thousands.
fn decimal_mark(digits: &str, known: Option<Decimal>) -> Result<Option<usize>, &'static str> {
    let (points, commas) = (digits.matches('.').count(), digits.matches(',').count());
    let last = |c| digits.rfind(c);
    let grouped = |sep: char, upto: usize| {
        let groups: Vec<&str> = digits[..upto].split(sep).collect();
        let (first, rest) = (groups[0].len(), &groups[1..]);
        // Indian grouping (12,34,567) has pairs before the last three.
        (1..=3).contains(&first)
            && rest.last().is_none_or(|g| g.len() == 3)
            && rest.iter().all(|g| g.len() == 3 || g.len() == 2)
    };
    let refused = "its separators do not fit together";
    match (points, commas) {
        (0, 0) => Ok(None),
        (p, c) if p > 0 && c > 0 => {
            let (mark, sep) = if last('.') > last(',') { ('.', ',') } else { (',', '.') };
            let at = digits.rfind(mark).unwrap_or(0);
            (digits.matches(mark).count() == 1 && grouped(sep, at)).then_some(Some(at)).ok_or(refused)
        }
        (p, c) => {
            let sep = if p > 0 { '.' } else { ',' };
            let own = if sep == '.' { Decimal::Point } else { Decimal::Comma };
            if p + c > 1 {
                return grouped(sep, digits.len()).then_some(None).ok_or(refused);
            }
            let at = digits.find(sep).unwrap_or(0);
            let tail = digits.len() - at - 1;
            match known {
                Some(mark) if mark == own => Ok(Some(at)),
                _ if tail == 3 && (1..=3).contains(&at) => Ok(None),
                Some(_) => Err("it uses another decimal mark than its column"),
                None => Ok(Some(at)),
            }
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.short(), self.currency)
    }
}

/// What a shorthand such as `1.2k` may mean, for a person to say yes to.
pub fn proposal(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let at = lower.rfind(|c: char| c.is_ascii_digit())? + 1;
    let factor = match lower[at..].trim() {
        "k" | "tsd" => 1_000.0,
        "m" | "mn" | "mio" => 1e6,
        "bn" => 1e9,
        "lakh" => 1e5,
        "cr" => 1e7,
        _ => return None,
    };
    let start = lower.find(|c: char| c.is_ascii_digit())?;
    let number: f64 = lower[start..at].replace(',', ".").parse().ok()?;
    Some(format!("{}{:.0}", text.trim().get(..start).unwrap_or_default(), number * factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EUR: Currency = Currency(*b"EUR");

    #[test]
    fn amounts_as_sheets_write_them() {
        for (text, minor) in [
            ("84,000", 8_400_000),
            ("84.000,00 €", 8_400_000),
            ("84.000", 8_400_000),
            ("78230.07", 7_823_007),
            ("1 200,5", 120_050),
            ("12,34,567.50", 123_456_750),
            ("(310)", -31_000),
            ("-12.5", -1_250),
            ("1'234.567", 123_457),
            (".5", 50),
        ] {
            assert_eq!(Money::parse(text, EUR, None).map(|m| m.minor), Ok(minor), "{text}");
        }
        assert_eq!(Money::parse("USD 1,200.50", EUR, None).unwrap().currency, Currency(*b"USD"));
        assert_eq!(Money::parse("¥1200", EUR, None).unwrap().minor, 1200);
        assert_eq!(Money::parse("1.234", EUR, Some(Decimal::Point)).unwrap().minor, 123);
    }

    #[test]
    fn what_hides_the_amount_is_refused() {
        for text in ["", "1.2k", "3 Mio", "abc", "1.2.3", "12,34", "1-2", "5 XX", "99999999999999999999"] {
            let decimal = (text == "12,34").then_some(Decimal::Point);
            assert!(Money::parse(text, EUR, decimal).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shown_money_reads_back(minor in -1_000_000_000_000i64..1_000_000_000_000) {
            let money = Money { minor, currency: EUR };
            prop_assert_eq!(Money::parse(&money.to_string(), EUR, Some(Decimal::Point)), Ok(money));
            prop_assert_eq!(Money::parse(&money.plain(), EUR, Some(Decimal::Point)), Ok(money));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+().,0-9 kKeE€$']{0,14}") {
            let _ = Money::parse(&text, EUR, None);
        }
    }
}
