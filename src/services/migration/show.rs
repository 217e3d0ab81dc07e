//! The rows of a month as people read them, each beside the live activity that it is like.

use super::choices::{Choice, Standing};
use super::counts::{MonthTally, tallied};
use super::ids;
use super::judged::{Judge, Judged, Verdict, differing};
use super::meanings::lack;
use super::steps::{fits, issues};
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome};
use crate::services::show::{Item, Shower};
use crate::services::{Query, ReadCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows of a reply at the most.
const MAX_ROWS: usize = 1_000;

/// Rows of a month.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ShowMonth {
    pub which: String,
    pub month: String,
    /// Only rows of this issue, such as "near" or "owner"; all when empty.
    pub issue: String,
    /// Only rows with these words.
    pub text: String,
    pub from: usize,
    pub limit: usize,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct MonthShown {
    pub file: String,
    pub tally: MonthTally,
    pub rows: Vec<RowShown>,
    /// Rows that fit.
    pub total: usize,
}

/// A row and what it would become.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RowShown {
    /// As the file counts, from 1.
    pub row: usize,
    /// The activity it would be, or is.
    pub item: Item,
    /// "ready", "waits", "near", "merges", "same", "repeats", "rejected", "promoted", "merged"
    pub verdict: String,
    /// Why, in words.
    pub why: String,
    /// As the file has them: owner, account, project, type, use cases.
    pub raw: Vec<String>,
    /// The live activity that it is like, or has become.
    pub live: Option<Id>,
    /// Field → [legacy, live, as it will be], where they differ.
    pub fields: BTreeMap<String, [String; 3]>,
    pub choice: Choice,
    /// Columns that are no field.
    pub extras: Vec<(String, String)>,
}

impl Query for ShowMonth {
    const NAME: &'static str = "migration.show";
    type Reply = MonthShown;

    fn run(&self, cx: &ReadCx) -> Outcome<MonthShown> {
        let known = issues();
        let issue = self.issue.replace('-', " ");
        if !issue.is_empty() && issue != "all" && !known.contains(&issue.as_str()) {
            return Err(Failure::usage(format!("\"{}\" is no issue", self.issue))
                .hint(format!("There are {}", known.join(", "))));
        }
        let judge = Judge::open(cx.reads, cx.settings()?, &self.which)?;
        let month = Month::parse(&self.month).map_err(Failure::usage)?;
        if !judge.staged.months().contains_key(&month) {
            return Err(Failure::not_found(format!("{} has no rows of {month}", judge.staged.batch.file)));
        }
        let standing = Standing::load(cx.reads, judge.staged.id, month)?;
        let judged = judge.month(month, &standing, true)?;
        let tally =
            MonthTally { month: month.to_string(), state: standing.state.clone(), ..tallied(&judged) };
        let mut shower = Shower::new(cx.reads);
        let sought = crate::domain::text::fold(&self.text);
        let (mut rows, mut total) = (Vec::new(), 0);
        for judged in judged.into_iter().filter(|j| fits(&j.verdict, &issue)) {
            if !sought.is_empty() && !has(&judge, &judged, &sought) {
                continue;
            }
            total += 1;
            if total > self.from && rows.len() < self.limit.clamp(1, MAX_ROWS) {
                rows.push(shown(cx, &judge, month, &standing, judged, &mut shower)?);
            }
        }
        Ok(MonthShown { file: judge.staged.batch.file.clone(), tally, rows, total })
    }
}

/// Whether a row says these words anywhere.
fn has(judge: &Judge, judged: &Judged, sought: &str) -> bool {
    let raw = (0..5).map(|scope| judge.meanings.raw(&judged.row.keys, scope));
    let texts = judged.row.texts.iter().map(|(_, text)| text.as_str());
    let all: Vec<String> = raw.chain(texts).map(crate::domain::text::fold).collect();
    sought.split(' ').all(|word| all.iter().any(|text| text.contains(word)))
}

fn shown(
    cx: &ReadCx,
    judge: &Judge,
    month: Month,
    standing: &Standing,
    judged: Judged,
    shower: &mut Shower,
) -> Outcome<RowShown> {
    let row = judged.row;
    let own = ids::activity(judge.staged.id, month, row.record);
    let mut live = None;
    let mut will = judged.fields.clone();
    let (word, why) = match judged.verdict {
        Verdict::Ready => ("ready", String::new()),
        Verdict::Waits(lacks, rule) => {
            let names: Vec<&str> =
                lack::names(lacks).filter(|name| *name != "rule" || rule.is_empty()).collect();
            let gap = if names.is_empty() || rule.is_empty() { "" } else { "; " };
            ("waits", format!("{}{gap}{rule}", names.join(", ")))
        }
        Verdict::Near(id) => {
            live = Some(id);
            ("near", "like a live activity".into())
        }
        Verdict::Merges(id, fields) => {
            (live, will) = (Some(id), fields);
            ("merges", "the live activity takes what is chosen".into())
        }
        Verdict::Same(id) => {
            live = Some(id);
            ("same", "a live activity says so already".into())
        }
        Verdict::Repeats(first) => ("repeats", format!("row {} says the same", first + 1)),
        Verdict::Rejected => ("rejected", "set aside".into()),
        Verdict::Done(fate) => {
            live = Some(own);
            (
                match fate {
                    super::choices::Fate::Promoted => "promoted",
                    super::choices::Fate::Merged => "merged",
                    super::choices::Fate::Rejected => "rejected",
                    super::choices::Fate::Draft => "waits",
                },
                String::new(),
            )
        }
    };
    let mut why = why;
    let mut fields = BTreeMap::new();
    let head = live.map(|id| cx.reads.head(Kind::Activity, id)).transpose()?.flatten();
    if let Some(head) = &head {
        if head.deleted {
            why = "deleted since".into();
        } else {
            let mut named = differing(&judged.fields, &head.fields);
            if word == "promoted" {
                named.extend(head.fields.keys().filter(|id| !judged.fields.contains_key(id)));
                if !named.is_empty() {
                    why = "changed since".into();
                }
            }
            for id in named {
                let field = Kind::Activity.schema().field(id);
                let name = field.map_or_else(String::new, |f| f.name.to_owned());
                let mut line = |of: &crate::domain::Fields| shower.line(field, of.get(&id));
                let sides = [line(&judged.fields)?, line(&head.fields)?, line(&will)?];
                fields.insert(name, sides);
            }
        }
    }
    let item = shower.item(
        Kind::Activity,
        own,
        &crate::changes::Head { rev: 0, deleted: false, fields: judged.fields },
    )?;
    let raw = (0..5).map(|scope| judge.meanings.raw(&row.keys, scope).to_owned()).collect();
    Ok(RowShown {
        row: row.record as usize + 1,
        item,
        verdict: word.into(),
        why,
        raw,
        live: live.filter(|_| head.is_some_and(|h| !h.deleted)),
        fields,
        choice: standing.choices.get(&row.record).cloned().unwrap_or_default(),
        extras: row.extras,
    })
}
