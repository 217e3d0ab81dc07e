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
