//! What waits is tried again: forms that can be saved by now are saved, conflicts that are
//! none any more are settled. Nobody's value is written over; the rest says why it waits.

use super::{form_of, open, resolve, set_state, target, title};
use crate::changes::{Cause, Op, codec};
use crate::domain::schema::{Draft, Kind, Record};
use crate::domain::{Id, Outcome};
use crate::services::input::Input;
use crate::services::records::{self, Save};
use crate::services::{Command, Settings, WriteCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tries drafts again: these, or all that wait for whoever asks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RetryDrafts {
    pub which: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// What they were about.
    pub settled: Vec<String>,
    /// What goes on waiting.
    pub left: Vec<Left>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    pub draft: Id,
    pub title: String,
    pub why: String,
}

impl Command for RetryDrafts {
    const NAME: &'static str = "drafts.retry";
    type Reply = Retried;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Retried> {
        let settings = cx.settings()?;
        let drafts = match self.which.is_empty() {
            true => open(cx.reads())?,
            false => self.which.iter().map(|which| resolve(cx.reads(), which)).collect::<Outcome<_>>()?,
        };
        cx.set_cause(Cause::ResolveDraft, None);
        let mut retried = Retried::default();
        for id in drafts {
            let draft = Draft::from_fields(&records::live(cx.reads(), Kind::Draft, id)?.fields);
            let title = title(cx.reads(), &draft)?;
            let why = match draft.reason == "unsaved" {
                true => save_form(cx, &settings, &draft)?,
                false => merge_again(cx, id, &draft)?,
            };
            match why {
                None => {
                    set_state(cx, id, "resolved")?;
                    retried.settled.push(title);
                }
                Some(why) => retried.left.push(Left { draft: id, title, why }),
            }
        }
        Ok(retried)
    }
}

/// Saves a form as it was left, or says why it cannot be.
fn save_form(cx: &mut WriteCx, settings: &Settings, draft: &Draft) -> Outcome<Option<String>> {
    let Some((kind, id)) = target(draft) else { return Ok(Some("it is about nothing".into())) };
    let input: Input = form_of(draft)?;
    let save = Save { kind, id, input, seen_rev: None, ack: vec![] };
    // A save that fails half-way would take all others with it.
    if let Err(refusal) = save.check(cx.reads(), settings) {
        return Ok(Some(refusal.message));
    }
    save.run(cx)?;
    Ok(None)
}

/// Merges a change again: where what was there before it, or what it wanted, is there now,
/// nothing is in its way.
fn merge_again(cx: &mut WriteCx, id: Id, draft: &Draft) -> Outcome<Option<String>> {
    const CHOOSE: &str = "a side has to be chosen";
    let Some((kind, Some(entity))) = target(draft) else { return Ok(Some("it is about nothing".into())) };
    let change = cx.reads().seq_of(id)?.map(|seq| cx.reads().record(seq)).transpose()?.flatten();
    if change.is_none_or(|record| record.change.op == Op::Delete || record.change.is_claim()) {
        return Ok(Some(CHOOSE.into()));
    }
    let known = cx.reads().head(kind, entity)?;
    let (is_new, head) = (known.is_none(), known.unwrap_or_default());
    if head.deleted {
        return Ok(Some("it was deleted meanwhile".into()));
    }
    let mut wanted = head.fields.clone();
    let mut differing = Vec::new();
    for conflict in codec::decode_conflicts(&draft.detail).map_err(crate::store::StoreError::from)? {
        let now = head.fields.get(&conflict.field);
        match (now == conflict.mine.as_ref(), now == conflict.base.as_ref()) {
            (true, _) => {}
            (_, true) => match conflict.mine {
                Some(mine) => drop(wanted.insert(conflict.field, mine)),
                None => drop(wanted.remove(&conflict.field)),
            },
            _ => differing.push(kind.schema().field(conflict.field).map_or("field", |f| f.name)),
        }
    }
    if !differing.is_empty() {
        return Ok(Some(format!("{CHOOSE} for {}", differing.join(", ").replace('_', " "))));
    }
    match is_new {
        true => drop(cx.create_as(kind, entity, &wanted)?),
        false if wanted != head.fields => drop(cx.set(kind, entity, head.rev, &head.fields, &wanted)?),
        false => {}
    }
    Ok(None)
}
