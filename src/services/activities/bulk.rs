//! Many activities at once: those named, or all that match a list.

use super::ListActivities;
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::services::input::Input;
use crate::services::names;
use crate::services::records::{self, Save};
use crate::services::{Command, Settings, WriteCx};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Activities changed in one step: more would hold up everybody else's.
pub const MAX_AT_ONCE: usize = 100_000;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Which {
    /// Ids or their ends.
    Named(Vec<String>),
    /// All that match, but these.
    Matching { list: Box<ListActivities>, except: Vec<Id> },
}

impl Which {
    fn ids(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<Vec<Id>> {
        let ids = match self {
            Which::Named(named) => {
                let ids = named.iter().map(|which| names::resolve(reads, Kind::Activity, which, None));
                ids.collect::<Outcome<Vec<Id>>>()?
            }
            Which::Matching { list, except } => {
                let except: HashSet<&Id> = except.iter().collect();
                let mut ids = list.ids(reads, settings)?;
                ids.retain(|id| !except.contains(id));
                ids
            }
        };
        match ids.len() {
            0 => Err(Failure::not_found("No activity matches")),
            n if n > MAX_AT_ONCE => Err(Failure::invalid(format!(
                "{n} activities are too many for one step, which takes {MAX_AT_ONCE}"
            ))
            .hint("Narrow the filter, such as to one year")),
            _ => Ok(ids),
        }
    }
}

/// Sets fields of many activities in one step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SaveMany {
    pub which: Which,
    pub input: Input,
    pub ack: Vec<String>,
}

impl Command for SaveMany {
    const NAME: &'static str = "activity.save_many";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let settings = cx.settings()?;
        let ids = self.which.ids(cx.reads(), &settings)?;
        for id in &ids {
            let save = Save {
                kind: Kind::Activity,
                id: Some(*id),
                input: self.input.clone(),
                seen_rev: None,
                ack: self.ack.clone(),
            };
            save.run(cx)?;
        }
        Ok(ids.len())
    }
}

/// Deletes activities in one step; undo brings them back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeleteMany {
    pub which: Which,
}

impl Command for DeleteMany {
    const NAME: &'static str = "activity.delete";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let settings = cx.settings()?;
        let ids = self.which.ids(cx.reads(), &settings)?;
        for id in &ids {
            let head = records::live(cx.reads(), Kind::Activity, *id)?;
            cx.delete(Kind::Activity, *id, &head.fields)?;
        }
        Ok(ids.len())
    }
}
