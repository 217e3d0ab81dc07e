//! Local state that is not in the log: autosaved forms, what the interface remembers.

use crate::domain::Outcome;
use crate::services::{Command, Query, ReadCx, WriteCx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sets a named text, or takes it away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SetState {
    pub name: String,
    pub value: Option<String>,
}

impl Command for SetState {
    const NAME: &'static str = "state.set";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        Ok(cx.batch.set_local(&self.name, self.value.as_deref().map(str::as_bytes))?)
    }
}

/// All named texts that start with a prefix.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GetState {
    pub prefix: String,
}

impl Query for GetState {
    const NAME: &'static str = "state.get";
    type Reply = Vec<(String, String)>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<(String, String)>> {
        let rows = cx.reads.locals(&self.prefix)?;
        Ok(rows.into_iter().map(|(n, v)| (n, String::from_utf8_lossy(&v).into_owned())).collect())
    }
}
