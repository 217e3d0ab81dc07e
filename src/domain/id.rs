//! Identity of records, changes, transactions and devices.
//!
//! An id is a UUIDv7 (RFC 9562): 48 bits of milliseconds, then randomness, so ids
//! sort by creation. People see the last six characters of its Crockford base-32
//! spelling; any unique suffix is accepted where an id is asked for.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// 128 bits, ordered by time of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub [u8; 16]);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a whole id: 26 × 5 bits hold the 128.
const LENGTH: usize = 26;
/// Characters that people see.
const SHORT: usize = 6;

impl Id {
    /// A UUIDv7 from its parts; only the low 74 bits of `random` are used.
    pub fn from_parts(unix_ms: u64, random: u128) -> Id {
        let time = u128::from(unix_ms & 0xffff_ffff_ffff) << 80;
        let high = (random >> 62) & 0xfff;
        let low = random & ((1 << 62) - 1);
        Id((time | (7 << 76) | (high << 64) | (2 << 62) | low).to_be_bytes())
    }

    /// The instant in the id, in milliseconds since 1970 UTC.
    pub fn unix_ms(&self) -> u64 {
        (u128::from_be_bytes(self.0) >> 80) as u64
    }

    /// The six characters shown to people.
    pub fn short(&self) -> String {
        let full = self.to_string();
        full[LENGTH - SHORT..].to_owned()
    }

    /// Whether `suffix`, as typed by a person, ends this id.
    pub fn ends_with(&self, suffix: &str) -> bool {
        normal(suffix).is_some_and(|suffix| self.to_string().ends_with(&suffix))
    }

    /// Whether the text could be the end of an id: base-32 characters only.
    pub fn is_suffix(text: &str) -> bool {
        (4..=LENGTH).contains(&text.len()) && normal(text).is_some()
    }
}

/// Lower case, with the letters Crockford reads as digits replaced.
fn normal(text: &str) -> Option<String> {
    text.chars()
        .map(|c| match c.to_ascii_lowercase() {
            'o' => Some('0'),
            'i' | 'l' => Some('1'),
            c if c.is_ascii() && ALPHABET.contains(&(c as u8)) => Some(c),
            _ => None,
        })
        .collect()
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let mut out = [0u8; LENGTH];
        for (place, byte) in out.iter_mut().rev().enumerate() {
            *byte = ALPHABET[((bits >> (5 * place)) & 31) as usize];
        }
        f.write_str(std::str::from_utf8(&out).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Id, String> {
        let wrong = || format!("\"{text}\" is not an id of {LENGTH} characters");
        let normal = normal(text).filter(|t| t.len() == LENGTH).ok_or_else(wrong)?;
        let mut bits = 0u128;
        for (place, byte) in normal.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|a| *a == byte).ok_or_else(wrong)? as u128;
            if place == 0 && digit > 7 {
                return Err(wrong()); // 26 × 5 = 130 bits: the first digit holds three
            }
            bits = (bits << 5) | digit;
        }
        Ok(Id(bits.to_be_bytes()))
    }
}

// Everywhere outside the store's own bytes an id is its spelling.
impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Id, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-7][0-9a-hjkmnp-tv-z]{25}$",
            "description": "A UUIDv7 in 26 characters of Crockford's base 32",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spelling_round_trips_and_keeps_order(a: u128, b: u128) {
            let (x, y) = (Id(a.to_be_bytes()), Id(b.to_be_bytes()));
            prop_assert_eq!(x.to_string().parse::<Id>().unwrap(), x);
            prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
            prop_assert!(x.ends_with(&x.short().to_uppercase()));
        }

        #[test]
        fn time_comes_back_and_version_is_seven(ms in 0u64..1 << 48, random: u128) {
            let id = Id::from_parts(ms, random);
            prop_assert_eq!(id.unix_ms(), ms);
            prop_assert_eq!(id.0[6] >> 4, 7);
            prop_assert_eq!(id.0[8] >> 6, 2);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "abc", "zzzzzzzzzzzzzzzzzzzzzzzzzz", "0000000000000000000000000u"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
