//! The words of headers, and what they say.

use crate::domain::text::fold;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// Tables whose columns are known.
pub const ENTITIES: [&str; 5] = ["outlet", "distributor", "opportunity", "activity", "account"];
const LEXICON: &str = include_str!("lexicon.toml");

/// How sure a name is, by how it was found.
const EXACT: f64 = 1.0;
const WITHOUT_SELF: f64 = 0.97;
const ROLE: f64 = 0.96;
const ALIKE: f64 = 0.8;
const PART: f64 = 0.74;
/// Letters of a phrase that may be part of a longer header.
const TELLING: usize = 5;
/// Words that name nothing without others.
const VAGUE: [&str; 24] = [
    "name", "code", "number", "type", "date", "id", "status", "value", "class", "notes", "city", "state",
    "country", "phone", "email", "location", "point", "area", "size", "address", "region", "zone", "source",
    "street",
];

#[derive(Deserialize)]
struct Raw {
    short: HashMap<String, String>,
    filler: Filler,
    #[serde(rename = "self")]
    own: BTreeMap<String, Vec<String>>,
    roles: BTreeMap<String, BTreeMap<String, BTreeMap<String, toml::Value>>>,
    attributes: BTreeMap<String, Vec<String>>,
    common: BTreeMap<String, Vec<String>>,
    fields: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize)]
struct Filler {
    words: Vec<String>,
}

struct Role {
    words: Vec<Vec<String>>,
    /// Attribute → field.
    fields: Vec<(String, String)>,
}

/// What one entity calls its fields.
struct Entity {
    own: Vec<String>,
    /// Phrase, its words sorted too, field, and where it stands in the field's list.
    phrases: Vec<(Vec<String>, String, usize)>,
    roles: Vec<Role>,
}

pub struct Lexicon {
    filler: Vec<String>,
    entities: BTreeMap<String, Entity>,
    /// Words of an attribute → the attribute.
    attributes: Vec<(Vec<String>, String)>,
}

fn short() -> &'static HashMap<String, String> {
    static SHORT: OnceLock<HashMap<String, String>> = OnceLock::new();
    SHORT.get_or_init(|| raw().short)
}

fn raw() -> Raw {
    toml::from_str(LEXICON).unwrap_or_else(|e| unreachable!("the shipped lexicon: {e}"))
}

/// The words of a header: camel case cut, folded, short forms written out.
pub fn words(title: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(title.len() + 8);
    let letters: Vec<char> = title.chars().collect();
    for (n, c) in letters.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| letters[n]);
        let next = letters.get(n + 1);
        let begins = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit())
                || before.is_some_and(char::is_uppercase) && next.is_some_and(|n| n.is_lowercase()));
        if begins {
            spaced.push(' ');
        }
        spaced.push(*c);
    }
    phrase(&spaced)
}

fn phrase(text: &str) -> Vec<String> {
    let folded = fold(text);
    folded
        .split(' ')
        .filter(|w| !w.is_empty())
        .map(|w| short().get(w).cloned().unwrap_or_else(|| w.to_owned()))
        .collect()
}

impl Lexicon {
    pub fn shared() -> &'static Lexicon {
        static SHARED: OnceLock<Lexicon> = OnceLock::new();
        SHARED.get_or_init(|| Lexicon::of(raw()))
    }

    fn of(raw: Raw) -> Lexicon {
        let mut entities = BTreeMap::new();
        for name in ENTITIES {
            let mut phrases = Vec::new();
            let empty = BTreeMap::new();
            let own_fields = raw.fields.get(name).unwrap_or(&empty);
            let places = matches!(name, "outlet" | "distributor" | "account");
            let common = raw.common.iter().filter(|(f, _)| places && !own_fields.contains_key(*f));
            for (field, list) in own_fields.iter().chain(common) {
                for (place, text) in list.iter().enumerate() {
                    phrases.push((phrase(text), field.clone(), place));
                }
            }
            let mut roles = Vec::new();
            for (_, role) in raw.roles.get(name).into_iter().flatten() {
                let list = role.get("words").and_then(toml::Value::as_array).cloned().unwrap_or_default();
                let words = list.iter().filter_map(toml::Value::as_str).map(phrase).collect();
                let fields =
                    role.iter().filter_map(|(a, f)| Some((a.clone(), f.as_str()?.to_owned()))).collect();
                roles.push(Role { words, fields });
            }
            let own = raw.own.get(name).cloned().unwrap_or_default();
            entities.insert(name.to_owned(), Entity { own, phrases, roles });
        }
        let attributes =
            raw.attributes.iter().flat_map(|(a, list)| list.iter().map(|t| (phrase(t), a.clone())));
        Lexicon { filler: raw.filler.words, entities, attributes: attributes.collect() }
    }

    /// Fields that a header names, each with how well.
    pub fn named(&self, entity: &str, words: &[String]) -> Vec<(String, f64)> {
        let Some(of) = self.entities.get(entity) else { return vec![] };
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        let mut say = |field: &str, score: f64| {
            let best = found.entry(field.to_owned()).or_default();
            *best = best.max(score);
        };
        if words.is_empty() {
            return vec![];
        }
        let plain: Vec<String> = words.iter().filter(|w| !self.filler.contains(w)).cloned().collect();
        let plain = if plain.is_empty() { words.to_vec() } else { plain };
        let bare: Vec<String> = plain.iter().filter(|w| !of.own.contains(w)).cloned().collect();
        let joined = words.concat();
        for (phrase, field, place) in &of.phrases {
            // Of several names of a field the first are its own.
            let rank = *place as f64 * 0.0005;
            if *phrase == *words || phrase.concat() == joined {
                say(field, EXACT - rank);
            } else if *phrase == plain || same_words(phrase, &plain) {
                say(field, EXACT - 0.01 - rank);
            } else if *phrase == bare || same_words(phrase, &bare) {
                say(field, WITHOUT_SELF - rank);
            } else if joined.len() >= TELLING
                && (phrase.concat().len() as i64 - joined.len() as i64).abs() <= 3
            {
                let likeness = strsim::jaro_winkler(&phrase.concat(), &joined);
                if likeness >= 0.93 {
                    say(field, ALIKE * likeness);
                }
            }
            let telling = phrase.concat().len() >= TELLING
                && !(phrase.len() == 1 && VAGUE.contains(&phrase[0].as_str()));
            if telling && phrase.len() < bare.len() && phrase.iter().all(|w| bare.contains(w)) {
                let share = phrase.len() as f64 / bare.len() as f64;
                say(field, PART * (0.4 + 0.6 * share));
            }
        }
        for role in &of.roles {
            for name in &role.words {
                if !name.iter().all(|w| plain.contains(w)) {
                    continue;
                }
                let rest: Vec<String> = plain.iter().filter(|w| !name.contains(w)).cloned().collect();
                let rest_bare: Vec<String> = rest.iter().filter(|w| !of.own.contains(w)).cloned().collect();
                for (n, rest) in [&rest, &rest_bare].into_iter().enumerate() {
                    let attribute = match rest.as_slice() {
                        [] => Some("none"),
                        rest => self.attributes.iter().find(|(p, _)| p == rest).map(|(_, a)| a.as_str()),
                    };
                    let field =
                        attribute.and_then(|a| role.fields.iter().find(|(b, _)| a == b)).map(|(_, f)| f);
                    if let Some(field) = field {
                        let lone = if attribute == Some("none") { 0.12 } else { 0.0 };
                        say(field, ROLE - n as f64 * 0.03 - lone);
                    }
                }
            }
        }
        found.into_iter().collect()
    }
}

fn same_words(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|w| b.contains(w)) && b.iter().all(|w| a.contains(w))
}
