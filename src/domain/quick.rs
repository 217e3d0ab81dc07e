//! The quick line: an activity in one line of text. One parser for `;` in the
//! terminal, `pams log` and pasted lines.
//!
//! `[type] account[/project] [effort] [date] {#usecase} {+person} [>next step due] [:] summary`
//!
//! Words are taken until the first that means nothing; the rest is the summary. `:`
//! starts the summary at once, `!` lets the date be in the future, `mon-wed 1d` logs
//! one activity a day, `=` repeats the last line.

use crate::domain::effort::{parse_effort, show_effort};
use crate::domain::id::Id;
use crate::domain::schema::Kind;
use crate::domain::text::fold;
use crate::domain::when::{Toward, parse_date, show_day, weekday};
use chrono::{Datelike, Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the parser asks of the store.
pub trait Lookup {
    /// Records whose name or alias is `text` or, when none is, starts with it.
    /// `within` narrows projects to an account.
    fn find(&self, kind: Kind, text: &str, within: Option<Id>) -> Vec<(Id, String)>;
}

/// A reference that one word of the line stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    pub id: Id,
    pub name: String,
    /// Why it is this one, when the line does not say it in full.
    pub source: String,
}

/// A word that fits several records: asked, never guessed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ambiguous {
    pub part: String,
    pub text: String,
    pub candidates: Vec<(Id, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuickLine {
    pub activity_type: Option<Named>,
    pub account: Option<Named>,
    pub project: Option<Named>,
    pub effort: Option<i64>,
    /// One activity a day; empty means the default date.
    pub dates: Vec<NaiveDate>,
    pub use_cases: Vec<Named>,
    pub participants: Vec<String>,
    pub next_step: String,
    pub next_due: Option<NaiveDate>,
    pub summary: String,
    pub allow_future: bool,
    pub repeat_last: bool,
    pub ambiguous: Vec<Ambiguous>,
    /// Parts that name nothing known, such as `#nosuch`.
    pub unknown: Vec<String>,
}

impl QuickLine {
    /// This line laid over an earlier one: what it says replaces what that said.
    pub fn over(self, earlier: QuickLine) -> QuickLine {
        fn first<T>(mine: Vec<T>, other: Vec<T>) -> Vec<T> {
            if mine.is_empty() { other } else { mine }
        }
        let next = !self.next_step.is_empty();
        QuickLine {
            activity_type: self.activity_type.or(earlier.activity_type),
            project: if self.account.is_some() { self.project } else { self.project.or(earlier.project) },
            account: self.account.or(earlier.account),
            effort: self.effort.or(earlier.effort),
            dates: first(self.dates, earlier.dates),
            use_cases: first(self.use_cases, earlier.use_cases),
            participants: first(self.participants, earlier.participants),
            next_due: if next { self.next_due } else { earlier.next_due },
            next_step: if next { self.next_step } else { earlier.next_step },
            summary: if self.summary.is_empty() { earlier.summary } else { self.summary },
            allow_future: self.allow_future,
            repeat_last: false,
            ambiguous: first(self.ambiguous, earlier.ambiguous),
            unknown: first(self.unknown, earlier.unknown),
        }
    }
}

/// The longest range that one line may log.
const MAX_DAYS: u64 = 31;
/// Words that an account's name may have in the line.
const NAME_WORDS: usize = 4;

pub fn parse(line: &str, today: NaiveDate, day_minutes: i64, lookup: &dyn Lookup) -> QuickLine {
    let mut quick = QuickLine::default();
    let (head, summary) = split_summary(line);
    let (head, next) = match head.split_once('>') {
        Some((head, next)) => (head, Some(next)),
        None => (head, None),
    };
    quick.summary = summary.unwrap_or_default().trim().to_owned();
    if let Some(next) = next {
        next_step(next, today, &mut quick);
    }
    let words: Vec<&str> = head.split_whitespace().collect();
    let mut at = 0;
    while at < words.len() {
        match take(&words[at..], today, day_minutes, lookup, &mut quick) {
            0 => {
                if looks_meant(words[at], &quick) {
                    quick.unknown.push(words[at].to_owned());
                }
                let rest = words[at..].join(" ");
                quick.summary = match quick.summary.is_empty() {
                    true => rest,
                    false => format!("{rest}: {}", quick.summary),
                };
                break;
            }
            taken => at += taken,
        }
    }
    quick
}

/// A word that was surely meant as a date or an effort but is none, such as
/// 2026-02-31 or 0h: it must not slip into the summary unseen.
fn looks_meant(word: &str, quick: &QuickLine) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = |sep| word.split(sep).filter(|p| digits(p)).count() == word.split(sep).count();
    // 31.2 is no date, and no number of anything that a line has.
    let day_month = || {
        let (day, month) = word.split_once('.').unwrap_or_default();
        let within = |text: &str, most: u32| text.parse().is_ok_and(|n: u32| (1..=most).contains(&n));
        digits(day) && digits(month) && within(day, 31) && within(month, 12)
    };
    let dots = word.matches('.').count();
    let date = (word.contains('-') && parts('-')) || (dots == 2 && parts('.')) || (dots == 1 && day_month());
    let unsigned = word.trim_start_matches(['-', '+']);
    let effort = unsigned
        .strip_suffix(['h', 'd', 'm'])
        .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !n.is_empty());
    (date && quick.dates.is_empty()) || effort
}

/// The text behind the first `:` that stands at a word's edge (so `9:30` stays whole).
fn split_summary(line: &str) -> (&str, Option<&str>) {
    let edge = line.match_indices(':').find(|(i, _)| {
        let edge = |c: Option<char>| c.is_none_or(char::is_whitespace);
        edge(line[i + 1..].chars().next()) || edge(line[..*i].chars().next_back())
    });
    match edge {
        Some((i, _)) => (&line[..i], Some(&line[i + 1..])),
        None => (line, None),
    }
}

fn next_step(text: &str, today: NaiveDate, quick: &mut QuickLine) {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [step @ .., last] = words.as_slice()
        && !step.is_empty()
        && let Ok(due) = parse_date(last, today, Toward::Future)
    {
        quick.next_due = Some(due);
        quick.next_step = step.join(" ");
    } else {
        quick.next_step = words.join(" ");
    }
}

/// Reads one part at the start of `words`; returns how many words it took.
fn take(
    words: &[&str],
    today: NaiveDate,
    day_minutes: i64,
    lookup: &dyn Lookup,
    quick: &mut QuickLine,
) -> usize {
    let word = words[0];
    match word {
        "!" => {
            quick.allow_future = true;
            return 1;
        }
        "=" => {
            quick.repeat_last = true;
            return 1;
        }
        _ => {}
    }
    if let Some(tag) = word.strip_prefix('#').filter(|t| !t.is_empty()) {
        hash(tag, lookup, quick);
        return 1;
    }
    if let Some(person) = word.strip_prefix('+').filter(|p| p.starts_with(char::is_alphabetic)) {
        let text = person.replace('_', " ");
        // One of us by name; whoever is not known is a guest, as they are written.
        match lookup.find(Kind::User, &text, None) {
            found if found.is_empty() => quick.participants.push(text),
            found => {
                let settled = settle(Kind::User, &text, found, quick).map(|n| n.name);
                quick.participants.extend(settled);
            }
        }
        return 1;
    }
    if quick.effort.is_none()
        && let Ok(minutes) = parse_effort(word, day_minutes)
    {
        quick.effort = Some(minutes);
        return 1;
    }
    if quick.dates.is_empty() {
        let (text, bang) = match word.strip_suffix('!') {
            Some(text) => (text, true),
            None => (word, false),
        };
        let dates =
            range(text, today).or_else(|| parse_date(text, today, Toward::Past).ok().map(|d| vec![d]));
        if let Some(dates) = dates {
            quick.dates = dates;
            quick.allow_future |= bang;
            return 1;
        }
    }
    let open = |kind: Kind, quick: &QuickLine| !quick.ambiguous.iter().any(|a| a.part == kind.name());
    if quick.activity_type.is_none() && open(Kind::ActivityType, quick) {
        let found = lookup.find(Kind::ActivityType, word, None);
        if !found.is_empty() {
            quick.activity_type = settle(Kind::ActivityType, word, found, quick);
            return 1;
        }
    }
    if quick.account.is_none() && open(Kind::Account, quick) {
        return account(words, lookup, quick);
    }
    0
}

fn hash(tag: &str, lookup: &dyn Lookup, quick: &mut QuickLine) {
    let text = tag.replace('_', " ");
    let found = lookup.find(Kind::UseCase, &text, None);
    if !found.is_empty() {
        if let Some(named) = settle(Kind::UseCase, tag, found, quick) {
            quick.use_cases.push(named);
        }
        return;
    }
    let found = lookup.find(Kind::Project, &text, quick.account.as_ref().map(|a| a.id));
    if found.is_empty() {
        quick.unknown.push(format!("#{tag}"));
    } else {
        quick.project = settle(Kind::Project, tag, found, quick);
    }
}

/// `account` or `account/project`, the account in as many words as make a whole name.
fn account(words: &[&str], lookup: &dyn Lookup, quick: &mut QuickLine) -> usize {
    let joined: Vec<String> = (1..=words.len().min(NAME_WORDS)).map(|n| words[..n].join(" ")).collect();
    for (count, text) in joined.iter().enumerate().rev() {
        let (name, project) = match text.split_once('/') {
            Some((name, project)) => (name.trim(), Some(project.trim())),
            None => (text.as_str(), None),
        };
        if name.is_empty() {
            continue;
        }
        let found = lookup.find(Kind::Account, name, None);
        let of_account =
            |project: &str| lookup.find(Kind::Project, project, found.first().map(|(id, _)| *id));
        // Several words count only as a whole name; one word may be its beginning.
        let fits = match project {
            _ if count == 0 => !found.is_empty(),
            None => is_whole(name, &found),
            Some(project) => found.len() == 1 && is_whole(project, &of_account(project)),
        };
        if !fits {
            continue;
        }
        quick.account = settle(Kind::Account, name, found, quick);
        if let (Some(account), Some(project)) = (quick.account.clone(), project.filter(|p| !p.is_empty())) {
            let found = lookup.find(Kind::Project, project, Some(account.id));
            if found.is_empty() {
                quick.unknown.push(format!("{}/{project}", account.name));
            } else {
                quick.project = settle(Kind::Project, project, found, quick);
            }
        }
        return count + 1;
    }
    0
}

fn is_whole(name: &str, found: &[(Id, String)]) -> bool {
    found.len() == 1 && fold(&found[0].1) == fold(name)
}

fn settle(kind: Kind, text: &str, mut found: Vec<(Id, String)>, quick: &mut QuickLine) -> Option<Named> {
    if found.len() == 1 {
        let (id, name) = found.remove(0);
        let source = if name.eq_ignore_ascii_case(text) { String::new() } else { format!("from \"{text}\"") };
        return Some(Named { id, name, source });
    }
    quick.ambiguous.push(Ambiguous {
        part: kind.name().to_owned(),
        text: text.to_owned(),
        candidates: found,
    });
    None
}

/// `mon-wed` or `2026-02-02..2026-02-04`: every working day from one to the other.
fn range(text: &str, today: NaiveDate) -> Option<Vec<NaiveDate>> {
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => {
            (parse_date(from, today, Toward::Past).ok()?, parse_date(to, today, Toward::Past).ok()?)
        }
        None => {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (weekday(&from.to_lowercase())?, weekday(&to.to_lowercase())?);
            let end = parse_date(&to.to_string().to_lowercase(), today, Toward::Past).ok()?;
            let back = (7 + to.num_days_from_monday() - from.num_days_from_monday()) % 7;
            (end - Days::new(u64::from(back)), end)
        }
    };
    let length = u64::try_from((to - from).num_days()).ok().filter(|n| *n < MAX_DAYS)?;
    let weekend_asked = from.weekday().number_from_monday() > 5 || to.weekday().number_from_monday() > 5;
    let days = (0..=length).map(|n| from + Days::new(n));
    Some(days.filter(|d| weekend_asked || d.weekday().number_from_monday() <= 5).collect())
}

/// The line read back, a part each, as the echo under it shows.
pub fn echo(quick: &QuickLine) -> Vec<String> {
    let named = |n: &Named| match n.source.as_str() {
        "" => n.name.clone(),
        source => format!("{} ({source})", n.name),
    };
    let mut parts = Vec::new();
    parts.extend(quick.activity_type.as_ref().map(named));
    parts.extend(quick.account.as_ref().map(named));
    parts.extend(quick.project.as_ref().map(named));
    parts.extend(quick.effort.map(show_effort));
    match quick.dates.as_slice() {
        [] => {}
        [one] => parts.push(show_day(*one)),
        [first, .., last] => {
            parts.push(format!("{} to {}, {} days", show_day(*first), show_day(*last), quick.dates.len()))
        }
    }
    parts.extend(quick.use_cases.iter().map(|u| format!("use case: {}", named(u))));
    if !quick.participants.is_empty() {
        parts.push(format!("with {}", quick.participants.join(", ")));
    }
    if !quick.next_step.is_empty() {
        let due = quick.next_due.map(|d| format!(", {}", show_day(d))).unwrap_or_default();
        parts.push(format!("next step: {}{due}", quick.next_step));
    }
    if !quick.summary.is_empty() {
        parts.push(format!("\"{}\"", quick.summary));
    }
    parts.extend(quick.ambiguous.iter().map(|a| {
        let names: Vec<&str> = a.candidates.iter().take(4).map(|(_, n)| n.as_str()).collect();
        format!("{} \"{}\"? {}", a.part, a.text, names.join(" or "))
    }));
    parts.extend(quick.unknown.iter().map(|u| format!("{u}: not known")));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Names;
    impl Lookup for Names {
        fn find(&self, kind: Kind, text: &str, within: Option<Id>) -> Vec<(Id, String)> {
            let all: &[(u8, &str)] = match kind {
                Kind::ActivityType => &[(1, "Demo"), (2, "POC/POV"), (3, "Discovery")],
                Kind::Account => &[(4, "Acme Corp"), (5, "Acme North"), (6, "Orbit Labs"), (7, "Nordlys")],
                Kind::Project if within == Some(Id([6; 16])) => &[(8, "Data hub")],
                Kind::Project => &[],
                Kind::UseCase => &[(9, "POC sizing"), (10, "Onboarding")],
                _ => &[],
            };
            let named = all.iter().map(|(n, name)| (Id([*n; 16]), (*name).to_owned()));
            let exact: Vec<_> = named.clone().filter(|(_, n)| fold(n) == fold(text)).collect();
            match exact.is_empty() {
                false => exact,
                true => named.filter(|(_, n)| fold(n).starts_with(&fold(text))).collect(),
            }
        }
    }

    fn read(line: &str) -> QuickLine {
        parse(line, "2026-02-20".parse().unwrap(), 480, &Names)
    }

    #[test]
    fn the_line_of_the_sketch() {
        let q = read("demo orbit/data 3h yesterday #poc +Ana >send pricing fri: first talk with security");
        assert_eq!(q.activity_type.unwrap().name, "Demo");
        assert_eq!(
            (q.account.unwrap().name, q.project.unwrap().name),
            ("Orbit Labs".into(), "Data hub".into())
        );
        assert_eq!((q.effort, q.dates), (Some(180), vec!["2026-02-19".parse().unwrap()]));
        assert_eq!(q.use_cases[0].name, "POC sizing");
        assert_eq!((q.next_step.as_str(), q.next_due), ("send pricing", Some("2026-02-27".parse().unwrap())));
        assert_eq!(
            (q.summary.as_str(), q.participants),
            ("first talk with security", vec!["Ana".to_owned()])
        );
        assert!(q.ambiguous.is_empty() && q.unknown.is_empty());
    }

    #[test]
    fn an_ambiguous_part_is_asked_not_guessed() {
        let q = read("demo acme 3h talked about 9:30 slots");
        assert_eq!(q.account, None);
        assert_eq!(q.ambiguous[0].candidates.len(), 2);
        assert_eq!(q.summary, "talked about 9:30 slots");
        assert_eq!(read("demo acme corp 3h").account.unwrap().name, "Acme Corp");
    }

    #[test]
    fn the_first_unknown_word_starts_the_summary() {
        let q = read("nordlys 2h prepared demo for orbit");
        assert_eq!(
            (q.account.unwrap().name.as_str(), q.summary.as_str()),
            ("Nordlys", "prepared demo for orbit")
        );
        assert_eq!(q.activity_type, None);
        assert_eq!(read(": demo of nothing").summary, "demo of nothing");
        assert_eq!(read("#nosuch nordlys").unknown, ["#nosuch"]);
    }

    #[test]
    fn a_range_logs_its_working_days() {
        let days = |line: &str| read(line).dates.iter().map(|d| d.to_string()).collect::<Vec<_>>();
        assert_eq!(days("nordlys mon-wed 1d"), ["2026-02-16", "2026-02-17", "2026-02-18"]);
        assert_eq!(days("nordlys thu-mon 1d"), ["2026-02-12", "2026-02-13", "2026-02-16"]);
        assert_eq!(days("nordlys 2026-02-06..2026-02-09"), ["2026-02-06", "2026-02-09"]);
        assert!(read("nordlys +1!").allow_future);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic_and_no_word_is_lost(line in "[a-z0-9:>#+!=/. é-]{0,40}") {
            let q = read(&line);
            let _ = echo(&q);
            if q == QuickLine::default() {
                prop_assert!(line.chars().all(|c| c.is_whitespace() || matches!(c, ':' | '>')), "{} vanished", line);
            }
        }
    }
}
