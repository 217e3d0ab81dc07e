//! A note in sentences, each with the label of its line.

use super::lexicon::{LABELS, Label, TO_DO};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A sentence of the note, with the label of its line.
pub(super) struct Sentence<'n> {
    pub text: &'n str,
    pub label: Option<Label>,
    pub line: usize,
    /// It speaks of what is going to be done.
    pub ahead: bool,
}

/// Lower case without accents; signs stay, unlike in [`crate::domain::text::fold`].
pub(super) fn plain(text: &str) -> String {
    let bare = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    bare.map(|c| match c {
        '’' => '\'',
        '–' | '—' => '-',
        other => other,
    })
    .collect()
}

/// A line without its bullet or heading sign.
pub(super) fn bare(line: &str) -> &str {
    let line = line.trim();
    let line = line.trim_start_matches(['-', '*', '•', '#', '>', '·', '–', '☐']).trim_start();
    line.strip_prefix("[ ]").or_else(|| line.strip_prefix("[x]")).unwrap_or(line).trim_start()
}

fn labelled(line: &str) -> Option<(Label, &str)> {
    let (before, after) = line.split_once(':')?;
    let name = plain(before.trim().trim_matches(['*', '_']).trim());
    let rest = after.trim().trim_start_matches(['*', '_']).trim();
    let found = LABELS.iter().find(|(_, names)| names.contains(&name.as_str()));
    match found {
        Some((label, _)) => Some((*label, rest)),
        // "To do by Monday: …"
        None if ["to do ", "next step ", "action "].iter().any(|w| name.starts_with(w)) => {
            Some((Label::Next, rest))
        }
        None => None,
    }
}

/// The note in sentences.
pub(super) fn sentences(note: &str) -> Vec<Sentence<'_>> {
    let mut all = Vec::new();
    let mut under: Option<Label> = None;
    for (line, text) in note.lines().enumerate() {
        let bulleted = text.trim_start().starts_with(['-', '*', '•', '·', '–', '☐']);
        let text = bare(text);
        if text.is_empty() {
            under = None;
            continue;
        }
        let (label, rest) = match labelled(text) {
            Some((label, rest)) => {
                under = rest.is_empty().then_some(label);
                (Some(label), rest)
            }
            // Another heading.
            None if text.ends_with(':') => {
                under = None;
                (None, text)
            }
            None if bulleted || under == Some(Label::Next) || under == Some(Label::People) => (under, text),
            None => (None, text),
        };
        if let Some(label) = label {
            if !rest.is_empty() {
                let ahead = matches!(label, Label::Next | Label::Due);
                all.push(Sentence { text: rest, label: Some(label), line, ahead });
            }
            continue;
        }
        for part in split(rest) {
            // A label in the middle of a line: "… Next step: send it."
            let (label, part) = match labelled(part) {
                Some((label, rest)) if !rest.is_empty() => (Some(label), rest),
                _ => (None, part),
            };
            let ahead = label == Some(Label::Next);
            // What was done, and from a word on what is going to be.
            match to_do(part).filter(|_| !ahead) {
                Some(at) => {
                    if !part[..at].trim().is_empty() {
                        all.push(Sentence { text: part[..at].trim(), label, line, ahead: false });
                    }
                    all.push(Sentence { text: part[at..].trim(), label: None, line, ahead: true });
                }
                None => all.push(Sentence { text: part, label, line, ahead }),
            }
        }
    }
    all
}

/// Where a sentence begins to speak of what is going to be done.
fn to_do(part: &str) -> Option<usize> {
    let lower = part.to_lowercase();
    // Letters that change their length when they change their case are rare enough.
    if lower.len() != part.len() {
        return None;
    }
    let at = |word: &&str| {
        let found = lower.match_indices(*word).find(|(at, _)| {
            let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            edge(lower[..*at].chars().next_back()) && edge(lower[*at + word.len()..].chars().next())
        });
        found.map(|(at, _)| at)
    };
    TO_DO.iter().filter_map(at).filter(|at| part.is_char_boundary(*at)).min()
}

/// A line at the ends of its sentences; "3.", "e.g." and "17.2." end none.
pub(super) fn split(line: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let bytes = line.as_bytes();
    for (at, c) in line.char_indices() {
        let ends = matches!(c, '.' | '!' | '?' | ';');
        let then_space = bytes.get(at + 1).is_none_or(|b| *b == b' ');
        let word = line[from..at].rsplit(' ').next().unwrap_or_default();
        let short = c == '.'
            && (word.len() < 2
                || word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                || word.contains('.'));
        if ends && then_space && !short {
            parts.push(line[from..at].trim());
            from = at + 1;
        }
    }
    parts.push(line[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// The words of a sentence without the signs around them.
pub(super) fn words(text: &str) -> Vec<&str> {
    let around = |c: char| !(c.is_alphanumeric() || matches!(c, '&' | '+'));
    let word = |w: &'_ str| -> (usize, usize) {
        let from = w.len() - w.trim_start_matches(around).len();
        let end = w.trim_end_matches(around).len();
        // The stop of "17.2." says that it is a day.
        let day = end > from
            && w[from..end].bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && w[end..].starts_with('.');
        (from, end + usize::from(day && w[from..end].contains('.')))
    };
    let all = text.split([' ', '\t', '\u{a0}']);
    all.map(|w| (w, word(w)))
        .filter(|(_, (from, end))| from < end)
        .map(|(w, (from, end))| &w[from..end])
        .collect()
}
