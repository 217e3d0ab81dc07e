//! Searching activities with words and operators: `acme -demo owner:ana before:2026-02
//! "load test"`. All parts must hold. Words are looked for in the summary and in the
//! names of account, project and type; operators name what they are about.

use crate::changes::codec;
use crate::domain::schema::{Kind, name_of};
use crate::domain::value::{FieldId, Value};
use crate::domain::when::{Month, Toward, parse_date};
use crate::domain::{Failure, Id, Outcome, text};
use crate::services::{Settings, each_live, migration};
use crate::store::{Reads, Stored};
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// Words of one search: each is a bit of what a name holds.
const MAX_WORDS: usize = 64;
/// Operators over records, the field they look at and what it names.
const REFERENCES: [(&str, FieldId, Kind); 6] = [
    ("type", 1, Kind::ActivityType),
    ("owner", 4, Kind::User),
    ("account", 5, Kind::Account),
    ("project", 6, Kind::Project),
    ("usecase", 7, Kind::UseCase),
    ("use", 7, Kind::UseCase),
];
/// What help and completion say.
pub const OPERATORS: &str = "words  \"a phrase\"  -not  owner:  type:  account:  project:  usecase:  batch:  before:  after:  on:  effort:none";

#[derive(Debug, PartialEq)]
struct Word {
    folded: String,
    unwanted: bool,
}

#[derive(Debug)]
struct Reference {
    field: FieldId,
    ids: HashSet<Id>,
    unwanted: bool,
}

#[derive(Debug, Default)]
pub struct Search {
    words: Vec<Word>,
    references: Vec<Reference>,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    /// Only those with an effort, or only those without.
    effort: Option<bool>,
    /// Loads of legacy activities, and whether those made of them are unwanted.
    batches: Vec<(Vec<Id>, bool)>,
    /// Which words the name of a record holds.
    names: HashMap<Id, u64>,
}

impl Search {
    /// Reads what was typed. An operator without a value says nothing yet.
    ///
    /// # Errors
    /// A date that is none; more than 64 words.
    pub fn parse(reads: &dyn Reads, settings: &Settings, typed: &str) -> Outcome<Search> {
        let mut search = Search::default();
        for (unwanted, operator, value) in parts(typed) {
            let date = |toward| parse_date(&value, settings.today, toward).map_err(Failure::invalid);
            let month = Month::parse(&value).ok();
            match operator.as_str() {
                _ if value.is_empty() => {}
                "before" | "until" => {
                    let last = match month {
                        Some(month) => month.first().pred_opt(),
                        None => date(Toward::Past)?.pred_opt(),
                    };
                    search.to = last.into_iter().chain(search.to).min();
                }
                "after" | "since" => {
                    let first = match month {
                        Some(month) => month.last().succ_opt(),
                        None => date(Toward::Past)?.succ_opt(),
                    };
                    search.from = first.into_iter().chain(search.from).max();
                }
                "on" => {
                    let (first, last) = match month {
                        Some(month) => (month.first(), month.last()),
                        None => (date(Toward::Past)?, date(Toward::Past)?),
                    };
                    search.from = Some(search.from.map_or(first, |d| d.max(first)));
                    search.to = Some(search.to.map_or(last, |d| d.min(last)));
                }
                "batch" => search.batches.push((migration::called(reads, &value)?, unwanted)),
                "effort" => search.effort = Some((value == "none") == unwanted),
                "" => {
                    let folded = text::fold(&value);
                    if !folded.is_empty() {
                        search.words.push(Word { folded, unwanted });
                    }
                }
                _ => match REFERENCES.iter().find(|(name, ..)| *name == operator) {
                    Some((_, field, kind)) => {
                        let ids = called(reads, settings, *kind, &value)?;
                        search.references.push(Reference { field: *field, ids, unwanted });
                    }
                    None => {
                        let folded = text::fold(&format!("{operator} {value}"));
                        search.words.push(Word { folded, unwanted });
                    }
                },
            }
        }
        if search.words.len() > MAX_WORDS {
            return Err(Failure::invalid(format!("A search takes {MAX_WORDS} words")));
        }
        Ok(search)
    }

    /// Whether every record in its stretch of dates fits.
    pub fn is_open(&self) -> bool {
        let is_open = self.words.is_empty() && self.references.is_empty();
        is_open && self.effort.is_none() && self.batches.is_empty()
    }

    /// The one record that a field must be, if the search names one.
    pub fn only(&self, field: FieldId) -> Option<Id> {
        let mut all = self.references.iter().filter(|r| r.field == field && !r.unwanted && r.ids.len() == 1);
        all.next().and_then(|r| r.ids.iter().next().copied())
    }

    /// Whether a stored activity fits; its date is bounded by the caller.
    pub fn matches(&mut self, reads: &dyn Reads, of: Id, head: &[u8]) -> Stored<bool> {
        let made = |batches: &[Id]| batches.iter().any(|batch| migration::made(*batch, of));
        if self.batches.iter().any(|(batches, unwanted)| made(batches) == *unwanted) {
            return Ok(false);
        }
        let [kind, effort, owner, account, project, uses, summary] =
            codec::pick(head, [1, 3, 4, 5, 6, 7, 9])?;
        if self.effort.is_some_and(|wanted| effort.is_some() != wanted) {
            return Ok(false);
        }
        let id = |value: Option<&[u8]>| value.and_then(codec::picked_id);
        for reference in &self.references {
            let held = match reference.field {
                1 => id(kind).is_some_and(|id| reference.ids.contains(&id)),
                4 => id(owner).is_some_and(|id| reference.ids.contains(&id)),
                5 => id(account).is_some_and(|id| reference.ids.contains(&id)),
                6 => id(project).is_some_and(|id| reference.ids.contains(&id)),
                _ => match uses.map(codec::decode_value).transpose()? {
                    Some(Value::Ids(ids)) => ids.iter().any(|id| reference.ids.contains(id)),
                    _ => false,
                },
            };
            if held == reference.unwanted {
                return Ok(false);
            }
        }
        if self.words.is_empty() {
            return Ok(true);
        }
        let mut held = 0;
        for (kind, value) in [(Kind::ActivityType, kind), (Kind::Account, account), (Kind::Project, project)]
        {
            if let Some(id) = id(value) {
                held |= self.words_in_name(reads, kind, id)?;
            }
        }
        if let Some(Value::Text(summary)) = summary.map(codec::decode_value).transpose()? {
            held |= self.words_in(&summary);
        }
        let fits = |(n, word): (usize, &Word)| (held & 1 << n != 0) != word.unwanted;
        Ok(self.words.iter().enumerate().all(fits))
    }

    fn words_in(&self, text: &str) -> u64 {
        let folded = text::fold(text);
        let held = |(n, word): (usize, &Word)| u64::from(folded.contains(&word.folded)) << n;
        self.words.iter().enumerate().map(held).sum()
    }

    fn words_in_name(&mut self, reads: &dyn Reads, kind: Kind, id: Id) -> Stored<u64> {
        if let Some(held) = self.names.get(&id) {
            return Ok(*held);
        }
        let fields = reads.fields(kind, id)?.unwrap_or_default();
        let held = self.words_in(name_of(kind, &fields).unwrap_or_default());
        self.names.insert(id, held);
        Ok(held)
    }
}

/// Unwanted, operator, value of each part; a plain word has no operator.
fn parts(typed: &str) -> Vec<(bool, String, String)> {
    let mut found = Vec::new();
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        let (unwanted, tail) = match rest.strip_prefix('-').filter(|t| !t.starts_with(char::is_whitespace)) {
            Some(tail) if !tail.is_empty() => (true, tail),
            _ => (false, rest),
        };
        let end = tail.find([' ', '"', ':']).unwrap_or(tail.len());
        let (operator, tail) = match tail[end..].strip_prefix(':') {
            Some(value) if end > 0 => (tail[..end].to_lowercase(), value),
            _ => (String::new(), tail),
        };
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => tail.split_once(' ').unwrap_or((tail, "")),
        };
        found.push((unwanted, operator, value.to_owned()));
        rest = tail.trim_start();
    }
    found
}

/// The records of a kind with the text in their name or an alias; `me` is the person.
fn called(reads: &dyn Reads, settings: &Settings, kind: Kind, typed: &str) -> Outcome<HashSet<Id>> {
    let mut ids = HashSet::new();
    if kind == Kind::User && typed.eq_ignore_ascii_case("me") {
        ids.insert(settings.me);
        return Ok(ids);
    }
    let wanted = text::fold(typed);
    each_live(reads, kind, &mut |id, head| {
        let held = head.fields.values().any(|value| match value {
            Value::Text(name) => text::fold(name).contains(&wanted),
            Value::Texts(names) => names.iter().any(|n| text::fold(n).contains(&wanted)),
            _ => false,
        });
        if held {
            ids.insert(id);
        }
        ControlFlow::Continue(())
    })?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_falls_into_parts() {
        let part = |unwanted, operator: &str, value: &str| (unwanted, operator.to_owned(), value.to_owned());
        assert_eq!(
            parts(r#"acme -demo owner:ana -type:"site visit" "load test" before:2026-02 - a"#),
            [
                part(false, "", "acme"),
                part(true, "", "demo"),
                part(false, "owner", "ana"),
                part(true, "type", "site visit"),
                part(false, "", "load test"),
                part(false, "before", "2026-02"),
                part(false, "", "-"),
                part(false, "", "a"),
            ]
        );
        assert_eq!(parts("owner:"), [part(false, "owner", "")]);
        assert_eq!(parts(r#""open phrase"#), [part(false, "", "open phrase")]);
        assert!(parts("   ").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_typing_is_lost_or_loops(typed in "[a-z:\" -]{0,30}") {
            let letters = |text: &str| text.chars().filter(|c| c.is_ascii_lowercase()).collect::<String>();
            let held: String = parts(&typed).iter().map(|(_, o, v)| format!("{o}{v}")).collect();
            proptest::prop_assert_eq!(letters(&typed), letters(&held));
        }
    }
}
