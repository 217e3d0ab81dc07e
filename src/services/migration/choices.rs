//! How far a month is, what became of its rows, and what people chose for some of them.

use super::ids;
use super::staged::Staged;
use crate::changes::codec::{Reader, Writer};
use crate::domain::schema::{Kind, MigrationMonth, Record};
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome};
use crate::frames;
use crate::services::WriteCx;
use crate::services::input::Input;
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows of a month that people chose something for, at the most.
const MAX_CHOICES: usize = 20_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Still a draft.
    #[default]
    Draft,
    Promoted,
    /// Its activity was there already, or has taken what it says.
    Merged,
    Rejected,
}

const FATES: [Fate; 4] = [Fate::Draft, Fate::Promoted, Fate::Merged, Fate::Rejected];

/// What is done with live activities that near ones of the file come upon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Rules {
    /// "ask", "live", "legacy", "newer", "both" (texts one behind the other) or "new".
    pub duplicates: String,
    /// Legacy values may be written over live ones that differ.
    pub overwrite: bool,
    /// Minutes of rows without effort.
    pub effort: Option<i64>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { duplicates: "ask".into(), overwrite: false, effort: None }
    }
}

pub const DUPLICATES: [&str; 6] = ["ask", "live", "legacy", "newer", "both", "new"];
/// What counts in a field where a live activity and a legacy row differ.
pub const SIDES: [&str; 4] = ["live", "legacy", "newer", "both"];

impl Rules {
    pub fn of(staged: &Staged) -> Rules {
        serde_json::from_slice(&staged.batch.plan).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// As the rules say.
    #[default]
    Rules,
    /// An activity of its own, whatever is like it.
    New,
    /// Into the live activity that is like it.
    Merge,
    Reject,
}

/// What somebody chose for a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Choice {
    pub what: What,
    /// Field → one of [`SIDES`].
    pub sides: BTreeMap<String, String>,
    /// Fields typed anew.
    pub input: Input,
}

/// A month of a batch as it stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub id: Id,
    pub state: String,
    /// Row by row, in the file's order; empty while all are drafts.
    pub fates: Vec<Fate>,
    /// Transactions that promoted rows and that were not rolled back.
    pub txns: Vec<Id>,
    /// Row of the file → what was chosen for it.
    pub choices: BTreeMap<u32, Choice>,
}

impl Standing {
    pub fn load(reads: &dyn Reads, batch: Id, month: Month) -> Outcome<Standing> {
        let id = ids::month(batch, month);
        let none = Standing { id, state: "draft".into(), ..Standing::default() };
        let Some(head) = reads.head(Kind::MigrationMonth, id)? else { return Ok(none) };
        if head.deleted {
            return Ok(none);
        }
        let record = MigrationMonth::from_fields(&head.fields);
        let choices = match record.choices.as_slice() {
            [] => BTreeMap::new(),
            bytes => frames::decode(bytes)?,
        };
        let txns = record.txns.iter().filter_map(|txn| txn.parse().ok()).collect();
        Ok(Standing { id, state: record.state, fates: decode(&record.outcomes)?, txns, choices })
    }

    pub fn fate(&self, row: usize) -> Fate {
        self.fates.get(row).copied().unwrap_or_default()
    }

    pub fn count(&self, fate: Fate) -> usize {
        self.fates.iter().filter(|f| **f == fate).count()
    }

    /// Refuses to choose what is decided.
    pub fn open(&self, month: Month) -> Outcome<()> {
        match self.state.as_str() {
            "confirmed" => Err(Failure::conflict(format!("{} is confirmed", month.long()))
                .hint("Open it again first: `pams migration reopen`")),
            _ => Ok(()),
        }
    }

    pub fn save(&self, cx: &mut WriteCx, batch: Id, month: Month) -> Outcome<()> {
        if self.choices.len() > MAX_CHOICES {
            return Err(Failure::invalid(format!("A month takes {MAX_CHOICES} choices"))
                .hint("Set a rule for all: `pams migration rules`"));
        }
        let record = MigrationMonth {
            batch: Some(batch),
            month: Some(month.number()),
            state: self.state.clone(),
            outcomes: encode(&self.fates),
            txns: self.txns.iter().map(Id::to_string).collect(),
            choices: if self.choices.is_empty() { vec![] } else { frames::encode(&self.choices)? },
        };
        cx.put(Kind::MigrationMonth, self.id, &record.to_fields()).map(drop)
    }
}

/// Runs of equal fates: a byte and how many.
fn encode(fates: &[Fate]) -> Vec<u8> {
    let mut to = Writer::default();
    if fates.iter().all(|fate| *fate == Fate::Draft) {
        return to.bytes;
    }
    for run in fates.chunk_by(|a, b| a == b) {
        to.byte(run[0] as u8);
        to.number(run.len() as u64);
    }
    to.bytes
}

fn decode(bytes: &[u8]) -> Outcome<Vec<Fate>> {
    let (mut from, mut fates) = (Reader::new(bytes), Vec::new());
    let damaged = |e| Failure::internal(format!("What became of a month's rows cannot be read: {e}"));
    while !from.is_done() {
        let fate = FATES.get(usize::from(from.byte().map_err(damaged)?)).copied().unwrap_or_default();
        let count = from.number().map_err(damaged)?.min(u64::from(u32::MAX)) as usize;
        fates.resize(fates.len() + count, fate);
    }
    Ok(fates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: what became of rows is read back; where all are drafts nothing is kept.
        #[test]
        fn fates_come_back(some in prop::collection::vec((0usize..4, 1usize..50), 0..12)) {
            let fates: Vec<Fate> = some.iter().flat_map(|(f, n)| vec![FATES[*f]; *n]).collect();
            let drafts = fates.iter().all(|f| *f == Fate::Draft);
            let back = decode(&encode(&fates)).unwrap();
            prop_assert_eq!(back, if drafts { vec![] } else { fates });
        }
    }
}
