//! The quick line: read for its echo, logged for good.

use super::default_date;
use crate::domain::quick::{self, QuickLine};
use crate::domain::schema::Kind;
use crate::domain::{Failure, Outcome};
use crate::services::input::Input;
use crate::services::names::Names;
use crate::services::records::{Save, Saved};
use crate::services::{Command, Query, ReadCx, WriteCx};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reads a quick line without saving anything: the echo under it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadLine {
    pub line: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LineRead {
    pub quick: QuickLine,
    pub echo: Vec<String>,
    /// The date that applies when the line has none, and why.
    pub default_date: NaiveDate,
    pub default_source: String,
}

impl Query for ReadLine {
    const NAME: &'static str = "activity.read_line";
    type Reply = LineRead;

    fn run(&self, cx: &ReadCx) -> Outcome<LineRead> {
        let settings = cx.settings()?;
        let quick = quick::parse(&self.line, settings.today, settings.day_minutes, &Names(cx.reads));
        let project = quick.project.as_ref().map(|p| p.id);
        let (default_date, source) = default_date(cx.reads, &settings, project)?;
        Ok(LineRead { echo: quick::echo(&quick), quick, default_date, default_source: source.to_owned() })
    }
}

/// Logs a quick line; a range logs one activity a day, all or none.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    pub line: String,
    pub ack: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Logged {
    pub saved: Vec<Saved>,
    pub echo: Vec<String>,
}

/// Local state: the last line, for `=`.
const LAST_LINE: &str = "quick/last";

impl Command for LogLine {
    const NAME: &'static str = "activity.log_line";
    type Reply = Logged;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Logged> {
        let settings = cx.settings()?;
        let parse = |line: &str| quick::parse(line, settings.today, settings.day_minutes, &Names(cx.reads()));
        let mut quick = parse(&self.line);
        let mut line = self.line.clone();
        if quick.repeat_last {
            let last = cx.reads().local(LAST_LINE)?.map(|b| String::from_utf8_lossy(&b).into_owned());
            line = last.ok_or_else(|| Failure::invalid("There is no earlier line to repeat"))?;
            quick = quick.over(parse(&line));
        }
        refuse_unclear(&quick)?;
        let mut input = input_of(&quick);
        let mut ack = self.ack.clone();
        if quick.allow_future {
            ack.push("ACT-01".into());
        }
        let mut saved = Vec::new();
        let dates: Vec<Option<NaiveDate>> = match quick.dates.is_empty() {
            true => vec![None],
            false => quick.dates.iter().copied().map(Some).collect(),
        };
        for date in dates {
            if let Some(date) = date {
                input.insert("date".into(), date.to_string());
            }
            let save = Save {
                kind: Kind::Activity,
                id: None,
                input: input.clone(),
                seen_rev: None,
                ack: ack.clone(),
            };
            saved.push(save.run(cx).map_err(|failure| explain(failure, &quick))?);
        }
        cx.batch.set_local(LAST_LINE, Some(line.as_bytes()))?;
        Ok(Logged { saved, echo: quick::echo(&quick) })
    }
}

/// A part is missing because a word before it meant nothing: say which.
fn explain(failure: Failure, quick: &QuickLine) -> Failure {
    let missing = failure.problems.iter().any(|p| p.rule == "ACT-03");
    match quick.summary.split_whitespace().next().filter(|_| missing) {
        Some(word) => {
            failure.hint(format!("\"{word}\" names nothing known, so the line is the summary from there on"))
        }
        None if missing => failure.hint("Write the effort, such as 3h or half"),
        None => failure,
    }
}

fn refuse_unclear(quick: &QuickLine) -> Outcome<()> {
    if let Some(ambiguous) = quick.ambiguous.first() {
        let count = ambiguous.candidates.len();
        let mut failure =
            Failure::invalid(format!("\"{}\" fits {count} {}s", ambiguous.text, ambiguous.part));
        failure.candidates =
            ambiguous.candidates.iter().map(|(id, n)| format!("{n} ({})", id.short())).collect();
        return Err(failure.hint("Write more of the name"));
    }
    if let Some(unknown) = quick.unknown.first() {
        return Err(Failure::not_found(format!(
            "{unknown} is not understood: no such use case, project, date or effort"
        ))
        .hint("Put a : before the summary if it belongs there"));
    }
    if quick.activity_type.is_none() {
        return Err(Failure::invalid("The line does not say what kind of work it was")
            .hint("Begin with a type: `demo acme 3h yesterday`; `pams type list` shows them"));
    }
    Ok(())
}

/// The line as the input of the form.
pub fn input_of(quick: &QuickLine) -> Input {
    let mut input = Input::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            input.insert(name.to_owned(), value);
        }
    };
    let id = |named: &Option<quick::Named>| named.as_ref().map(|n| n.id.to_string()).unwrap_or_default();
    put("type", id(&quick.activity_type));
    put("account", id(&quick.account));
    put("project", id(&quick.project));
    put("effort", quick.effort.map(|m| format!("{m}m")).unwrap_or_default());
    put("use_cases", quick.use_cases.iter().map(|u| u.id.to_string()).collect::<Vec<_>>().join(","));
    put("participants", quick.participants.join(","));
    put("next_step", quick.next_step.clone());
    put("next_due", quick.next_due.map(|d| d.to_string()).unwrap_or_default());
    put("summary", quick.summary.clone());
    input
}
