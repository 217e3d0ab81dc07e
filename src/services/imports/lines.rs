//! Rows of a review that a rule is about: what they say, and what can be said to them.

use crate::domain::schema::{Kind, name_of};
use crate::domain::{Outcome, text};
use crate::intake::bulk::STATUSES;
use crate::intake::bulk::mend::MENDED;
use crate::intake::fixes::Place;
use crate::services::each_live;
use crate::services::imports::{Answer, Report, Target};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Names looked at for the nearest ones.
const MAX_NAMES: usize = 50_000;
/// Nearest names that are offered.
const NEAREST: usize = 3;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    pub place: Place,
    pub code: String,
    pub message: String,
    /// The field at fault and its text; what is typed goes there.
    pub field: String,
    pub raw: String,
    /// Lines of the rule with the same text, this one included.
    pub alike: usize,
    /// Field → text, in the table's order.
    pub cells: Vec<(String, String)>,
    pub choices: Vec<Choice>,
}

/// An answer that is one key away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    pub label: String,
    pub answer: Answer,
}

fn choice(label: impl Into<String>, answer: Answer) -> Choice {
    Choice { label: label.into(), answer }
}

/// Adds to some lines how many are alike, and the answers that fit.
pub fn complete(reads: &dyn Reads, report: &Report, all: &[Line], lines: &mut [Line]) -> Outcome<()> {
    let mut alike: HashMap<(String, String), usize> = HashMap::new();
    for line in all {
        *alike.entry((line.field.clone(), text::fold(&line.raw))).or_default() += 1;
    }
    let mut accounts: Option<Vec<String>> = None;
    for line in lines {
        line.alike = alike.get(&(line.field.clone(), text::fold(&line.raw))).copied().unwrap_or(1);
        if line.code == "OPP-07" && accounts.is_none() {
            accounts = Some(names_of(reads, Kind::Account)?);
        }
        line.choices = choices(line, report, accounts.as_deref().unwrap_or_default());
    }
    Ok(())
}

fn names_of(reads: &dyn Reads, kind: Kind) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    each_live(reads, kind, &mut |_, head| {
        names.extend(name_of(kind, &head.fields).map(str::to_owned));
        if names.len() < MAX_NAMES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(names)
}

/// What can be said to a line with one key. Never more than what was seen: a guess is
/// offered, not made.
fn choices(line: &Line, report: &Report, accounts: &[String]) -> Vec<Choice> {
    let raw = || line.raw.clone();
    let value = |label: &str, value: &str| {
        choice(label, Answer::Value { field: line.field.clone(), raw: raw(), value: value.into() })
    };
    let cell = |label: &str, value: &str| {
        choice(label, Answer::Cell { place: line.place, field: line.field.clone(), value: value.into() })
    };
    let owner = |label: &str, who: &str| choice(label, Answer::Owner { raw: raw(), who: who.into() });
    let account = |label: &str, who: &str| choice(label, Answer::Account { raw: raw(), who: who.into() });
    if report.target == Target::Outlets {
        let all = MENDED.iter().filter(|(code, _)| *code == line.code);
        let mut choices: Vec<Choice> = all
            .map(|(code, what)| choice(format!("{what}, all"), Answer::Mend((*code).to_owned())))
            .collect();
        match line.code.as_str() {
            "ENU-01" => choices.extend(STATUSES.map(|word| value(word, word))),
            "OUT-02" => choices.push(choice("this row counts, not the first", Answer::Prefer(line.place))),
            _ => {}
        }
        return choices;
    }
    match line.code.as_str() {
        "OPP-04" => {
            let proposed = crate::domain::money::proposal(&line.raw);
            let proposed = proposed.map(|p| value(&format!("it is {p}"), &p));
            proposed.into_iter().chain([value("leave the amount out", "")]).collect()
        }
        "OPP-06" => {
            let near = report.unmatched_owners.iter().find(|(o, ..)| *o == line.raw).map(|(.., n)| n);
            let near = near.into_iter().flatten().map(|name| owner(name, name));
            near.chain([owner("nobody of us", "-")]).collect()
        }
        "OPP-07" => {
            let near = text::nearest(&line.raw, accounts.iter().map(String::as_str), NEAREST);
            let new = report.new_accounts;
            let make = if new == 1 {
                "make an account".into()
            } else {
                format!("make accounts of all {new} new names")
            };
            let near = near.into_iter().map(|name| account(&format!("it is {name}"), name));
            near.chain([choice(make, Answer::Stubs(true)), account("leave it as it is written", "-")])
                .collect()
        }
        "OPP-05" | "OPP-08" | "OPP-19" => {
            vec![value("won", "win"), value("lost", "loss"), value("still open", "open")]
        }
        "OPP-09" => vec![cell("won", "win"), cell("lost", "loss"), cell("still open", "open")],
        "OPP-10" => vec![choice("this row counts, not the other", Answer::Prefer(line.place))],
        "OPP-11" => vec![
            choice("the day comes first, in the whole file", Answer::Dates("dmy".into())),
            choice("the month comes first, in the whole file", Answer::Dates("mdy".into())),
        ],
        "OPP-14" => vec![choice("keep them: append", Answer::Append(true))],
        "REC-06" => vec![value("leave the id out", "")],
        "TXT-01" | "TXT-02" => {
            let mended = crate::intake::garbled::mended(&line.raw).map(|(_, text)| text);
            mended.map(|text| value(&format!("read it as {text}"), &text)).into_iter().collect()
        }
        "OPP-15" => vec![value("take the organisation's currency", "")],
        _ => vec![],
    }
}
