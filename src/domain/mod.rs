//! What the business means: records, values, rules, checks. Pure: no clock, no
//! randomness, no files. Everything else in PAMS speaks in these types.

pub mod check;
pub mod decimal;
pub mod effort;
pub mod failure;
pub mod id;
pub mod money;
pub mod note;
pub mod planning;
pub mod problem;
pub mod quick;
pub mod schema;
pub mod text;
pub mod value;
pub mod when;
pub mod win;

pub use failure::{Failure, FailureKind, Outcome};
pub use id::Id;
pub use money::Money;
pub use problem::Problem;
pub use schema::{Kind, Record};
pub use value::{Fields, Value};
