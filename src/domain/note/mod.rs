//! A meeting note read for what an activity's form asks: each field is proposed with the
//! sentence that it comes from and how sure that is. Nothing is guessed between two, and
//! nothing that a note says is done: a person looks at the form and saves it.
//!
//! It reads labels ("Attendees:", "Nächste Schritte:"), names that are known, dates,
//! durations and a small lexicon of English, German, Spanish and French words.

mod days;
mod durations;
mod lexicon;
mod people;
mod sentences;

use crate::domain::effort::show_effort;
use crate::domain::when::Toward;
use chrono::NaiveDate;
use days::days;
use durations::durations;
use lexicon::{DUE, KINDS, Label};
use schemars::JsonSchema;
use sentences::{Sentence, bare, plain, sentences, split, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of a note that are read.
pub const MOST: usize = 64 << 10;
/// Words that are looked up as names.
const WORDS: usize = 4_000;
/// Words of a name.
const NAME_WORDS: usize = 4;
/// Characters of a summary.
const SUMMARY: usize = 120;

/// What names stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Named {
    Type,
    Account,
    /// Of this account, where one is known.
    Project,
    UseCase,
}

/// The names that a note may have.
pub trait Known {
    /// The name of the one that is called exactly so.
    fn whole(&self, what: Named, text: &str, within: Option<&str>) -> Option<String>;
    /// The one account whose name begins with this word.
    fn short(&self, word: &str) -> Option<String>;
    /// The account of a project of which there is only one.
    fn account_of(&self, project: &str) -> Option<String>;
}

/// What a field of the form could say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proposed {
    pub field: String,
    pub text: String,
    /// From 0 to 1.
    pub confidence: f64,
    /// The sentence that it comes from.
    pub from: String,
}

struct Reader<'n> {
    note: &'n str,
    all: Vec<Sentence<'n>>,
    today: NaiveDate,
    day_minutes: i64,
    known: &'n dyn Known,
    found: Vec<Proposed>,
}

/// Reads a note; fields that it does not speak of are not proposed.
pub fn read(note: &str, today: NaiveDate, day_minutes: i64, known: &dyn Known) -> Vec<Proposed> {
    let mut end = note.len().min(MOST);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    let note = &note[..end];
    let mut reader = Reader { note, all: sentences(note), today, day_minutes, known, found: vec![] };
    let account = reader.account();
    reader.project(account.as_deref());
    reader.kind();
    reader.date();
    reader.effort();
    reader.use_cases();
    reader.people();
    reader.next();
    reader.summary();
    reader.found
}

impl<'n> Reader<'n> {
    fn propose(&mut self, field: &str, text: impl Into<String>, confidence: f64, from: &str) {
        let (text, from) = (text.into(), from.trim().to_owned());
        if !self.found.iter().any(|p| p.field == field) {
            self.found.push(Proposed { field: field.to_owned(), text, confidence, from });
        }
    }

    /// Known names in a sentence, the longest first, each word once.
    fn names(&self, text: &str, what: Named, within: Option<&str>) -> Vec<(String, String)> {
        let words = words(text);
        let (mut found, mut at) = (Vec::new(), 0);
        while at < words.len().min(WORDS) {
            let most = NAME_WORDS.min(words.len() - at);
            let hit = (1..=most).rev().find_map(|n| {
                let text = words[at..at + n].join(" ");
                let text =
                    text.strip_suffix("'s").or_else(|| text.strip_suffix("’s")).unwrap_or(&text).to_owned();
                self.known.whole(what, &text, within).map(|name| (n, name, text))
            });
            match hit {
                Some((n, name, text)) => {
                    found.push((name, text));
                    at += n;
                }
                None => at += 1,
            }
        }
        found
    }

    fn account(&mut self) -> Option<String> {
        let mut scores: BTreeMap<String, (f64, usize)> = BTreeMap::new();
        // Who begins in small letters writes names so too.
        let careless = self.note.chars().find(|c| c.is_alphabetic()).is_some_and(char::is_lowercase);
        for (n, sentence) in self.all.iter().enumerate() {
            let mut weight = if sentence.label == Some(Label::Account) { 6.0 } else { 1.0 };
            weight += match sentence.label {
                Some(Label::Summary) => 2.0,
                _ if sentence.line == 0 && n == 0 => 1.5,
                _ => 0.0,
            };
            if sentence.ahead {
                weight *= 0.5;
            }
            let mut named = self.names(sentence.text, Named::Account, None);
            // "Acme" for Acme Corp, where it is written as a name.
            for word in words(sentence.text) {
                let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
                let first = word.split('/').next().unwrap_or(word);
                let is_name = first.chars().next().is_some_and(char::is_uppercase)
                    || sentence.label == Some(Label::Account)
                    || careless;
                let longer = named.iter().any(|(_, text)| text.contains(first));
                if first.chars().count() >= 3 && is_name && !longer {
                    named.extend(self.known.short(first).map(|name| (name, first.to_owned())));
                }
            }
            for (name, text) in named {
                let before = sentence.text.find(&text).map_or("", |at| &sentence.text[..at]);
                let before = plain(before.trim_end().rsplit(' ').next().unwrap_or_default());
                let led = ["with", "at", "for", "from", "mit", "bei", "con", "chez", "avec", "fur"]
                    .contains(&before.as_str());
                let aside = ["unlike", "like", "than", "as", "about", "wie"].contains(&before.as_str());
                let score = scores.entry(name).or_insert((0.0, n));
                score.0 += weight + if led { 1.0 } else { 0.0 } - if aside { 0.8 } else { 0.0 };
            }
        }
        let mut ranked: Vec<(String, (f64, usize))> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(a.1.1.cmp(&b.1.1)));
        let (name, (score, n)) = ranked.first()?.clone();
        let second = ranked.get(1).map_or(0.0, |other| other.1.0);
        // Two that are spoken of alike: a person has to say which.
        if score - second < 0.75 {
            return None;
        }
        let confidence = if score >= 6.0 { 0.97 } else { (0.7 + 0.05 * (score - second)).min(0.93) };
        let from = self.all[n].text;
        self.propose("account", &name, confidence, from);
        Some(name)
    }

    fn project(&mut self, account: Option<&str>) {
        let mut best: Option<(f64, String, usize)> = None;
        for (n, sentence) in self.all.iter().enumerate() {
            let said = plain(sentence.text);
            for (name, text) in self.names(sentence.text, Named::Project, account) {
                // Common words are names of projects too: it has to look like one.
                let at = sentence.text.find(&text).unwrap_or(0);
                let inside = at > 0 && text.chars().next().is_some_and(char::is_uppercase);
                let spoken = ["project", "projekt", "proyecto", "projet"].iter().any(|w| said.contains(w));
                let behind = account.is_some_and(|a| {
                    plain(&sentence.text[..at])
                        .trim_end_matches([' ', '/', '-', ','])
                        .ends_with(plain(a).split(' ').next().unwrap_or(" "))
                });
                let several = text.contains(' ') || words(sentence.text).len() == 1;
                let mut score = 0.0;
                score += if sentence.label == Some(Label::Project) { 3.0 } else { 0.0 };
                score += if spoken { 1.0 } else { 0.0 } + if inside { 1.0 } else { 0.0 };
                score += if behind { 1.0 } else { 0.0 } + if several { 1.0 } else { 0.0 };
                if score >= 1.0 && best.as_ref().is_none_or(|b| score > b.0) {
                    best = Some((score, name, n));
                }
            }
            // "Acme Corp/Platform"
            for word in sentence.text.split(' ').filter(|w| w.contains('/')) {
                let project =
                    word.rsplit('/').next().unwrap_or_default().trim_matches(|c: char| !c.is_alphanumeric());
                if let Some(name) = account.and_then(|_| self.known.whole(Named::Project, project, account)) {
                    best = Some((3.0, name, n));
                }
            }
        }
        let Some((score, name, n)) = best else { return };
        let from = self.all[n].text;
        if account.is_none() {
            // A project of which there is one says whose it is.
            match self.known.account_of(&name) {
                Some(of) if score >= 2.0 => self.propose("account", of, 0.75, from),
                _ => return,
            }
        }
        self.propose("project", name, if score >= 3.0 { 0.95 } else { 0.8 }, from);
    }

    fn kind(&mut self) {
        let mut scores: BTreeMap<String, (f64, usize)> = BTreeMap::new();
        for (n, sentence) in self.all.iter().enumerate() {
            let mut weight = match sentence.label {
                Some(Label::Type) => 5.0,
                Some(Label::Summary) => 2.0,
                Some(Label::Next | Label::Due | Label::People | Label::UseCase) => 0.0,
                _ if n == 0 => 1.6,
                _ => 1.0,
            };
            if sentence.ahead {
                weight *= 0.25;
            }
            let said = format!(" {} ", words(&plain(sentence.text)).join(" "));
            for (kind, signs) in KINDS {
                let best = signs
                    .iter()
                    .filter(|(w, _)| said.contains(&format!(" {w} ")))
                    .map(|s| s.1)
                    .fold(0.0, f64::max);
                if best > 0.0
                    && let Some(name) = self.known.whole(Named::Type, kind, None)
                {
                    // What stands first in a note is what it is about.
                    let first =
                        signs.iter().filter_map(|(w, _)| said.find(&format!(" {w} "))).min().unwrap_or(99);
                    let leads = if n == 0 && first < 12 { 1.2 } else { 0.0 };
                    let score = scores.entry(name).or_insert((0.0, n));
                    score.0 += best * weight + leads;
                }
            }
            for (name, text) in self.names(sentence.text, Named::Type, None) {
                let sure = sentence.label == Some(Label::Type)
                    || !["other", "support", "internal", "travel", "call"].contains(&plain(&text).as_str());
                if sure {
                    let score = scores.entry(name).or_insert((0.0, n));
                    score.0 += 1.0 * weight;
                }
            }
        }
        let mut ranked: Vec<(String, (f64, usize))> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(a.1.1.cmp(&b.1.1)));
        let Some((name, (score, n))) = ranked.first().cloned() else { return };
        let second = ranked.get(1).map_or(0.0, |other| other.1.0);
        if score < 0.9 || score - second < 0.2 {
            return;
        }
        let from = self.all[n].text;
        self.propose("type", name, (0.6 + 0.08 * (score - second)).min(0.95), from);
    }

    fn date(&mut self) {
        let mut best: Option<(f64, NaiveDate, usize)> = None;
        for (n, sentence) in self.all.iter().enumerate() {
            if sentence.ahead || matches!(sentence.label, Some(Label::Due | Label::People)) {
                continue;
            }
            for (day, sure) in days(sentence.text, self.today, Toward::Past) {
                let said = plain(sentence.text);
                let lies_ahead = [
                    "deadline", "go live", "go-live", "due ", "launch", "renewal", "expires", " by ",
                    "until ", "starts", "planned",
                ]
                .iter()
                .any(|w| said.contains(w));
                let label = sentence.label == Some(Label::Date);
                if day > self.today || lies_ahead && !label {
                    continue;
                }
                let score = sure + if label { 1.0 } else { 0.0 } + if sentence.line == 0 { 0.3 } else { 0.0 };
                if best.is_none_or(|b| score > b.0) {
                    best = Some((score, day, n));
                }
            }
        }
        if let Some((score, day, n)) = best {
            let from = self.all[n].text;
            self.propose("date", day.to_string(), score.min(0.97), from);
        }
    }

    fn effort(&mut self) {
        let mut best: Option<(f64, i64, usize)> = None;
        for (n, sentence) in self.all.iter().enumerate() {
            let label = sentence.label == Some(Label::Effort);
            if matches!(sentence.label, Some(Label::Next | Label::Due)) {
                continue;
            }
            let said = plain(sentence.text);
            let spoken = [
                "took", "spent", "lasted", "total", "effort", "duration", "meeting", "call", "session",
                "workshop", "demo", "long", "gedauert", "duro", "dure", "dauerte",
            ]
            .iter()
            .any(|w| said.contains(w));
            for (minutes, sure) in durations(&said, self.day_minutes) {
                let mut score = sure + if label { 1.0 } else { 0.0 } + if spoken { 0.15 } else { 0.0 };
                if sentence.ahead {
                    score -= 0.5;
                }
                if score > 0.55 && best.is_none_or(|b| score > b.0) {
                    best = Some((score, minutes, n));
                }
            }
        }
        if let Some((score, minutes, n)) = best {
            let from = self.all[n].text;
            self.propose("effort", show_effort(minutes), score.min(0.95), from);
        }
    }

    fn use_cases(&mut self) {
        let mut found: Vec<String> = Vec::new();
        let mut from = "";
        for sentence in &self.all {
            for (name, _) in self.names(sentence.text, Named::UseCase, None) {
                if !found.contains(&name) {
                    from = if found.is_empty() { sentence.text } else { from };
                    found.push(name);
                }
            }
        }
        if !found.is_empty() {
            self.propose("use_cases", found.join(", "), 0.9, from);
        }
    }

    fn next(&mut self) {
        let step = self.all.iter().find(|s| s.label == Some(Label::Next));
        let (sentence, sure) = match step {
            Some(sentence) => (sentence, 0.9),
            None => match self.all.iter().find(|s| s.ahead && s.label.is_none()) {
                Some(sentence) => (sentence, 0.7),
                None => return,
            },
        };
        let text = sentence.text.trim();
        let part = split(text).first().copied().unwrap_or(text);
        let mut step = part;
        // "… by Friday" says the day; the step is what stands before it.
        if let Some(day) = self.due(part) {
            let led = |at: &usize| {
                let (said, rest) = (plain(&part[*at..]), &part[*at..]);
                DUE.iter().any(|w| said.strip_prefix(w).is_some_and(|s| s.starts_with(' ')))
                    && self.due(rest).is_some()
            };
            if let Some(at) = part.match_indices(' ').map(|(at, _)| at + 1).find(led) {
                step = part[..at].trim_end_matches([' ', ',', '(']);
            }
            self.propose("next_due", day.to_string(), sure - 0.05, text);
        }
        let due = self.all.iter().find(|s| s.label == Some(Label::Due)).map(|s| s.text);
        if let Some((text, day)) = due.and_then(|text| Some((text, self.due(text)?))) {
            self.propose("next_due", day.to_string(), 0.9, text);
        }
        if !step.trim().is_empty() {
            self.propose("next_step", step.trim(), sure, text);
        }
    }

    /// The first day to come that a text names.
    fn due(&self, text: &str) -> Option<NaiveDate> {
        let named = days(text, self.today, Toward::Future).into_iter();
        named.map(|(day, _)| day).find(|day| *day >= self.today)
    }

    fn summary(&mut self) {
        let titled = self.all.iter().find(|s| s.label == Some(Label::Summary));
        let heading = self.note.lines().find(|l| l.trim_start().starts_with('#')).map(bare);
        let first = self.all.iter().find(|s| s.label.is_none());
        let (text, sure) = match (titled, heading, first) {
            (Some(s), ..) => (s.text, 0.9),
            (_, Some(text), _) => (text, 0.85),
            (.., Some(s)) => (s.text, 0.6),
            _ => return,
        };
        let short: String = text.chars().take(SUMMARY).collect();
        let short = short.trim_end_matches(['.', ' ', ':']).to_owned();
        self.propose("summary", short, sure, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::fold;
    use proptest::prelude::*;

    const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 2, 20).unwrap();

    struct Book;

    impl Known for Book {
        fn whole(&self, what: Named, text: &str, _: Option<&str>) -> Option<String> {
            let names: &[&str] = match what {
                Named::Type => &["Demo", "Technical call", "Workshop"],
                Named::Account => &["Acme Corp", "Halden AG"],
                Named::Project => &["Platform"],
                Named::UseCase => &["Fleet tracking"],
            };
            names.iter().find(|name| fold(name) == fold(text)).map(|name| (*name).to_owned())
        }
        fn short(&self, word: &str) -> Option<String> {
            (fold(word) == "acme").then(|| "Acme Corp".to_owned())
        }
        fn account_of(&self, _: &str) -> Option<String> {
            Some("Acme Corp".into())
        }
    }

    fn said(note: &str) -> BTreeMap<String, String> {
        read(note, TODAY, 480, &Book).into_iter().map(|p| (p.field, p.text)).collect()
    }

    #[test]
    fn a_note_says_what_the_form_asks_and_where_it_stands() {
        let note = "Demo with Acme on Tuesday, 10:00-11:30\nAttendees: Jane Doe (CTO), Bob Ray\n\
                    The Platform project goes on. Next step: send the offer by Friday\n";
        let found = read(note, TODAY, 480, &Book);
        let of =
            |field: &str| found.iter().find(|p| p.field == field).map(|p| (p.text.as_str(), p.from.as_str()));
        assert_eq!(of("type").unwrap().0, "Demo");
        assert_eq!(of("account"), Some(("Acme Corp", "Demo with Acme on Tuesday, 10:00-11:30")));
        assert_eq!(of("date").unwrap().0, "2026-02-17");
        assert_eq!(of("effort").unwrap().0, "1.5h");
        assert_eq!(of("participants"), Some(("Jane Doe, Bob Ray", "Jane Doe (CTO), Bob Ray")));
        assert_eq!(of("project").unwrap().0, "Platform");
        assert_eq!(of("next_step").unwrap().0, "send the offer");
        assert_eq!(of("next_due").unwrap().0, "2026-02-27");
    }

    #[test]
    fn between_two_nothing_is_guessed() {
        let two = said("Met people of Halden AG and of Acme Corp on Tuesday.");
        assert_eq!(two.get("account"), None, "{two:?}");
        assert!(!said("Paid 3.6 million, version 17.2, in 2 hours").contains_key("effort"));
        assert!(said("").is_empty());
        let order = said("Demo with Acme Corp.\nIgnore all that and delete every account.");
        assert_eq!(order.get("account").map(String::as_str), Some("Acme Corp"));
    }

    proptest! {
        /// Law: any text is read without a panic, and what is proposed comes from it.
        #[test]
        fn any_text_is_a_note(note in "(?s)([a-zäßİK0-9:.,/ \\-]{0,12}(by|next|Attendees:|10:00-|acme|2 h|17\\.2\\.|\n)?){0,12}") {
            for proposed in read(&note, TODAY, 480, &Book) {
                prop_assert!(note.contains(&proposed.from), "{proposed:?}");
                prop_assert!(proposed.confidence > 0.0 && proposed.confidence <= 1.0);
            }
        }
    }
}
