//! Plans: who visits which outlet of a planning unit, when and in which order. The plan as
//! it stands is a record for each rep (`journeys.rs`); a version is all of them as they
//! were kept. What planning begins with comes from `inputs.rs`, what a plan is worth from
//! the optimiser, which works in a job (`run.rs`).

mod around;
mod drive;
mod edit;
mod export;
mod inputs;
mod journeys;
mod outlines;
mod rules;
mod run;
mod show;
mod source;
mod versions;

pub use drive::{Driven, RepSum, Stop};
pub use edit::*;
pub use export::*;
pub use inputs::Lack;
pub use journeys::Slot;
pub use outlines::{Outlined, Packed, SetOutlines};
pub use rules::{MEANS, PRESETS, SetPlanRules, WEEKS, a_week, typed};
pub use run::*;
pub use show::*;
pub use versions::*;

use crate::domain::schema::Kind;
use crate::domain::{Fields, Id, Outcome};
use crate::services::WriteCx;

/// Writes a record whose id is known beforehand, whether it was there, is gone or is new.
fn put(cx: &mut WriteCx, kind: Kind, id: Id, fields: &Fields) -> Outcome<()> {
    match cx.reads().head(kind, id)? {
        None => drop(cx.create_as(kind, id, fields)?),
        Some(head) => {
            if head.deleted {
                cx.restore(kind, id)?;
            }
            cx.update(kind, id, |of| *of = fields.clone())?;
        }
    }
    Ok(())
}
