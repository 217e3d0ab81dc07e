//! A unit as it is planned: what planning begins with, and the plan as it stands. Reading
//! the first takes longer than most of what is asked of it, so the unit that was read last
//! stays in memory, its plan measured. It is known by the content of all that it is made of:
//! what has changed, here or by sync, is read again.

use super::drive::Measured;
use super::inputs::{Inputs, Planned};
use super::journeys::{self, Journeys};
use crate::changes::codec;
use crate::domain::schema::{Kind, Record};
use crate::domain::{Id, Outcome};
use crate::services::territories;
use crate::store::Reads;
use std::ops::{ControlFlow, Deref};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The unit that was read last.
static LAST: Mutex<Option<Source>> = Mutex::new(None);

#[derive(Clone)]
pub struct Source {
    /// Of the content of what planning begins with, and of the plan as it stands.
    marks: (blake3::Hash, String),
    inputs: Arc<Inputs>,
    /// The plan as it stands; empty: there is none.
    pub journeys: Journeys,
    /// What that plan takes, once somebody has asked.
    pub(super) measured: Arc<OnceLock<Measured>>,
}

impl Deref for Source {
    type Target = Inputs;

    fn deref(&self) -> &Inputs {
        &self.inputs
    }
}

impl Source {
    pub fn load(reads: &dyn Reads, which: &str) -> Outcome<Source> {
        let (id, unit) = territories::find(reads, which)?;
        let mark = journeys::hash(reads, id)?;
        let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
        // Journeys are known by what is in them and by whose they are.
        let kept = last().clone();
        let journeys = match kept.as_ref().filter(|kept| kept.marks.1 == mark) {
            Some(kept) => kept.journeys.clone(),
            None => journeys::load(reads, id)?,
        };
        let planned = journeys.iter().map(|(rep, days)| (rep.clone(), days.distributor.clone())).collect();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&id.0).update(&codec::content_hash(&unit.to_fields()));
        hasher.update(&territories::current(reads, id, &unit)?.mark()?);
        content(reads, id, &planned, &mut hasher)?;
        let hash = hasher.finalize();
        let inputs = match kept.filter(|kept| kept.marks.0 == hash) {
            Some(kept) if kept.marks.1 == mark => return Ok(kept),
            Some(kept) => kept.inputs,
            None => Arc::new(Inputs::load(reads, id, unit, &planned)?),
        };
        let source = Source { marks: (hash, mark), inputs, journeys, measured: Arc::default() };
        *last() = Some(source.clone());
        Ok(source)
    }

    /// The plan that a run begins with: the one that stands, or today's beats.
    pub fn begins_with(&self) -> Outcome<&Journeys> {
        static NONE: Journeys = Journeys::new();
        Ok(if self.journeys.is_empty() { self.today()?.unwrap_or(&NONE) } else { &self.journeys })
    }
}

/// The content of what inputs are made of beside the unit and its snapshot.
fn content(reads: &dyn Reads, unit: Id, planned: &Planned, hasher: &mut blake3::Hasher) -> Outcome<()> {
    if let Some(rules) = reads.fields(Kind::PlanRules, unit)? {
        hasher.update(&codec::content_hash(&rules));
    }
    for (rep, distributor) in planned {
        hasher.update(rep.as_bytes()).update(&[0]).update(distributor.as_bytes()).update(&[0]);
    }
    for kind in [Kind::Distributor, Kind::Rep] {
        reads.heads(kind, Id::default(), &mut |id, bytes| {
            hasher.update(&id.0).update(bytes);
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}
