//! The words of headers, and what they say.

use crate::domain::text::fold;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

/// Tables whose columns are known.
pub const ENTITIES: [&str; 5] = ["outlet", "distributor", "opportunity", "activity", "account"];
const LEXICON: &str = include_str!("lexicon.toml");
const WORDS: &str = include_str!("words.toml");
/// Letters of a header that are looked at: a broken file has cells of megabytes there.
const MAX_TITLE: usize = 120;
/// Letters of a word that may be two in one, and of the shorter of them.
const COMPOUND: usize = 7;
const HALF: usize = 3;
/// Words that one may be made of.
const PARTS: usize = 3;

/// How sure a name is, by how it was found.
const EXACT: f64 = 1.0;
const WITHOUT_SELF: f64 = 0.97;
const ROLE: f64 = 0.96;
const ALIKE: f64 = 0.8;
const PART: f64 = 0.74;
/// Letters of a phrase that may be part of a longer header.
const TELLING: usize = 5;
/// Words of what a place is, before a part of it; and the fields that are parts.
const OF_PLACES: [&str; 7] = ["address", "billing", "office", "registered", "hq", "headquarters", "mailing"];
const PLACES: [&str; 9] =
    ["city", "district", "state", "country", "postal_code", "locality", "fax", "latitude", "longitude"];
/// Words that name nothing without others.
const VAGUE: [&str; 17] = [
    "name", "code", "number", "type", "date", "id", "status", "value", "class", "notes", "location", "point",
    "area", "size", "region", "zone", "source",
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

/// A name of a field, and where it stands among the field's names.
struct Phrase {
    words: Vec<String>,
    /// The same without gaps.
    joined: String,
    field: String,
    place: usize,
}

/// What one entity calls its fields.
struct Entity {
    own: Vec<String>,
    phrases: Vec<Phrase>,
    roles: Vec<Role>,
}

pub struct Lexicon {
    filler: Vec<String>,
    entities: BTreeMap<String, Entity>,
    /// Words of an attribute → the attribute.
    attributes: Vec<(Vec<String>, String)>,
}

/// Words that stand for others.
struct Dictionary {
    whole: HashMap<String, Vec<String>>,
    /// Beginnings, the longest first.
    stems: Vec<(String, Vec<String>)>,
    /// Words written without spaces, the longest first.
    joined: Vec<(String, Vec<String>)>,
    /// What the lexicon itself is written in.
    known: HashSet<String>,
    /// The same without vowels, where one word alone is left of like that: "prty", "chnl".
    bones: HashMap<String, Vec<String>>,
}

/// A word as hurried people shorten it: its first letter and its consonants, each once.
fn bones(word: &str) -> String {
    let mut kept = String::new();
    for (n, letter) in word.chars().enumerate() {
        if (n == 0 || !matches!(letter, 'a' | 'e' | 'i' | 'o' | 'u')) && !kept.ends_with(letter) {
            kept.push(letter);
        }
    }
    kept
}

impl Dictionary {
    fn shared() -> &'static Dictionary {
        static SHARED: OnceLock<Dictionary> = OnceLock::new();
        SHARED.get_or_init(|| {
            let languages: BTreeMap<String, BTreeMap<String, String>> =
                toml::from_str(WORDS).unwrap_or_else(|e| unreachable!("the shipped words: {e}"));
            let raw = raw();
            let mut all = Dictionary {
                whole: HashMap::new(),
                stems: vec![],
                joined: vec![],
                known: lexicon_words(&raw),
                bones: HashMap::new(),
            };
            let mut of: BTreeMap<String, BTreeSet<&String>> = BTreeMap::new();
            for word in
                all.known.iter().filter(|w| w.len() > HALF && w.bytes().all(|b| b.is_ascii_lowercase()))
            {
                of.entry(bones(word)).or_default().insert(word);
            }
            let alone = |(bones, words): (String, BTreeSet<&String>)| {
                let word = words.first().filter(|_| words.len() == 1)?;
                (bones.len() >= HALF && bones.len() < word.len()).then(|| (bones, vec![(*word).clone()]))
            };
            all.bones = of.into_iter().filter_map(alone).collect();
            let split =
                |text: &str| text.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            for (word, means) in languages.values().flatten().map(|(w, m)| (w.clone(), m)) {
                let (folded, means) = (fold(word.trim_end_matches('*')), split(means));
                if folded.chars().any(is_joined) {
                    all.joined.push((folded, means));
                } else if word.ends_with('*') {
                    all.whole.insert(folded.clone(), means.clone());
                    all.stems.push((folded, means));
                } else {
                    all.whole.insert(folded, means);
                }
            }
            all.whole.extend(raw.short.into_iter().map(|(word, means)| (fold(&word), vec![means])));
            all.stems.sort_by_key(|(stem, _)| std::cmp::Reverse(stem.len()));
            all.joined.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
            all
        })
    }

    /// What a word says that is listed as it stands.
    fn exact(&self, word: &str) -> Option<Vec<String>> {
        self.whole.get(word).cloned().or_else(|| self.known.contains(word).then(|| vec![word.to_owned()]))
    }

    /// What a word says whose beginning is listed.
    fn stem(&self, word: &str) -> Option<Vec<String>> {
        let stem = self.stems.iter().find(|(stem, _)| word.starts_with(stem.as_str()));
        stem.map(|(_, means)| means.clone())
    }

    fn translate(&self, word: &str) -> Vec<String> {
        if word.chars().any(is_joined) {
            return self.cut(word);
        }
        // The lexicon has words of other scripts too: there the dictionary comes first.
        let stem = |foreign: bool| if word.is_ascii() != foreign { self.stem(word) } else { None };
        let found = stem(true)
            .or_else(|| self.exact(word))
            .or_else(|| self.parts(word, PARTS))
            .or_else(|| stem(false))
            .or_else(|| self.bones.get(word).cloned());
        found.unwrap_or_else(|| vec![word.to_owned()])
    }

    /// A text without spaces, cut at the longest words.
    fn cut(&self, text: &str) -> Vec<String> {
        let (mut rest, mut found) = (text, Vec::new());
        while let Some(first) = rest.chars().next() {
            match self.joined.iter().find(|(word, _)| rest.starts_with(word.as_str())) {
                Some((word, means)) => {
                    found.extend(means.iter().cloned());
                    rest = &rest[word.len()..];
                }
                None => {
                    found.push(first.to_string());
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        found
    }

    /// So many known words in one at most, an s between them allowed; digits at its end stand apart.
    fn parts(&self, word: &str, most: usize) -> Option<Vec<String>> {
        let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
        if name.len() < word.len() && name.len() >= HALF {
            let digits = word[name.len()..].to_owned();
            return self.exact(name).or_else(|| self.stem(name)).map(|mut found| {
                found.push(digits);
                found
            });
        }
        if most < 2 || word.chars().count() < COMPOUND {
            return None;
        }
        // What German and its kin put between the two.
        let joint =
            |w: &str| ["s", "n", "en", "er", "es"].iter().find_map(|j| self.exact(w.strip_suffix(j)?));
        let first = |w: &str| self.exact(w).or_else(|| joint(w));
        let letters = word.chars().count();
        let places = word.char_indices().enumerate().map(|(n, (at, _))| (n, at));
        let places = places.filter(|(n, _)| *n >= HALF && letters - n >= HALF).map(|(_, at)| at);
        let mut best: Option<(usize, Vec<String>)> = None;
        for at in places {
            let Some(mut a) = first(&word[..at]) else { continue };
            let rest = &word[at..];
            let Some(b) = self.exact(rest).or_else(|| self.parts(rest, most - 1)) else { continue };
            a.extend(b);
            // The longest first word: "store name", not "sto rename".
            best = Some((at, a));
        }
        best.map(|(_, found)| found)
    }
}

/// Letters of scripts whose words are written together: Han, Hangul (folded: its parts), kana.
fn is_joined(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}')
}

fn lexicon_words(raw: &Raw) -> HashSet<String> {
    let fields = raw
        .fields
        .values()
        .flat_map(BTreeMap::values)
        .chain(raw.common.values())
        .chain(raw.attributes.values());
    let texts = fields.chain(raw.own.values()).flatten();
    texts
        .flat_map(|t| fold(t).split(' ').map(str::to_owned).collect::<Vec<_>>())
        .filter(|w| w.len() >= HALF)
        .collect()
}

fn raw() -> Raw {
    toml::from_str(LEXICON).unwrap_or_else(|e| unreachable!("the shipped lexicon: {e}"))
}

/// The words of a header: camel case cut, folded, short forms written out.
pub fn words(title: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(title.len() + 8);
    let title: String = title.chars().take(MAX_TITLE).collect();
    let title = title.replace(['#', '№'], " number ").replace("N°", " number ").replace("Nº", " number ");
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
    let dictionary = Dictionary::shared();
    let mut found: Vec<String> =
        folded.split(' ').filter(|w| !w.is_empty()).flat_map(|w| dictionary.translate(w)).collect();
    found.dedup();
    found
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
                    let words = phrase(text);
                    phrases.push(Phrase { joined: words.concat(), words, field: field.clone(), place });
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
        for Phrase { words: phrase, joined: whole, field, place } in &of.phrases {
            // Of several names of a field the first are its own.
            let rank = *place as f64 * 0.0005;
            if *phrase == *words || *whole == joined {
                say(field, EXACT - rank);
            } else if *phrase == plain || same_words(phrase, &plain) {
                say(field, EXACT - 0.01 - rank);
            } else if *phrase == bare || same_words(phrase, &bare) {
                say(field, WITHOUT_SELF - rank);
            } else if joined.len() >= TELLING && (whole.len() as i64 - joined.len() as i64).abs() <= 3 {
                let likeness = strsim::jaro_winkler(whole, &joined);
                if likeness >= 0.93 {
                    say(field, ALIKE * likeness);
                }
            }
            let telling =
                whole.len() >= TELLING && !(phrase.len() == 1 && VAGUE.contains(&phrase[0].as_str()));
            if telling && phrase.len() < bare.len() && phrase.iter().all(|w| bare.contains(w)) {
                let share = phrase.len() as f64 / bare.len() as f64;
                say(field, PART * (0.4 + 0.6 * share));
            }
        }
        // "Billing city", "address.zip": a part of a place, said of the place.
        let place: Vec<String> = bare.iter().filter(|w| !OF_PLACES.contains(&w.as_str())).cloned().collect();
        if !place.is_empty() && place.len() < bare.len() {
            let parts = of.phrases.iter().filter(|p| PLACES.contains(&p.field.as_str()));
            parts.filter(|p| p.words == place).for_each(|p| say(&p.field, ROLE - 0.02));
        }
        // "Client no": the number of what a row is.
        if bare.len() == 1 && bare[0] == "number" && plain.len() > 1 {
            let key = match entity {
                "opportunity" => "opp_id",
                "activity" => "activity_id",
                "account" => "account_id",
                _ => "code",
            };
            say(key, EXACT - 0.005);
        }
        for role in &of.roles {
            for name in &role.words {
                if !name.iter().all(|w| plain.contains(w)) {
                    continue;
                }
                let mut rest: Vec<String> = plain.iter().filter(|w| !name.contains(w)).cloned().collect();
                // "Contact person": both say the same.
                if rest.iter().all(|w| role.words.iter().any(|r| r.len() == 1 && r[0] == *w)) {
                    rest.clear();
                }
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
