//! The values a field can hold, and a record's fields as a map.

use crate::domain::id::Id;
use crate::domain::money::Money;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of a field inside its kind. Never reused.
pub type FieldId = u16;

/// Fields that are set; an absent field is empty.
pub type Fields = BTreeMap<FieldId, Value>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Value {
    Text(String),
    /// Counts, minutes, months as yyyymm, instants as milliseconds since 1970 UTC.
    Int(i64),
    Bool(bool),
    Date(NaiveDate),
    Id(Id),
    /// A set: sorted, without doubles.
    Ids(Vec<Id>),
    /// A set: sorted, without doubles.
    Texts(Vec<String>),
    Money(Money),
    Bytes(Vec<u8>),
    /// A type this program does not know yet, kept as it came.
    Unknown(u8, Vec<u8>),
}

impl Value {
    pub fn ids(mut ids: Vec<Id>) -> Option<Value> {
        ids.sort();
        ids.dedup();
        (!ids.is_empty()).then_some(Value::Ids(ids))
    }

    pub fn texts(mut texts: Vec<String>) -> Option<Value> {
        texts.sort();
        texts.dedup();
        (!texts.is_empty()).then_some(Value::Texts(texts))
    }
}

/// A Rust type that a record's member can have. `None` is the empty field, so a
/// member that is empty takes no space and reads back as its default.
pub trait Member: Sized {
    fn read(value: Option<&Value>) -> Self;
    fn write(&self) -> Option<Value>;
}

impl Member for String {
    fn read(value: Option<&Value>) -> String {
        match value {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }
    fn write(&self) -> Option<Value> {
        (!self.is_empty()).then(|| Value::Text(self.clone()))
    }
}

impl Member for bool {
    fn read(value: Option<&Value>) -> bool {
        matches!(value, Some(Value::Bool(true)))
    }
    fn write(&self) -> Option<Value> {
        self.then_some(Value::Bool(true))
    }
}

macro_rules! member {
    ($($type:ty, $variant:ident;)*) => {$(
        impl Member for Option<$type> {
            fn read(value: Option<&Value>) -> Self {
                match value {
                    Some(Value::$variant(inner)) => Some(inner.clone()),
                    _ => None,
                }
            }
            fn write(&self) -> Option<Value> {
                self.clone().map(Value::$variant)
            }
        }
    )*};
}
member! { i64, Int; NaiveDate, Date; Id, Id; Money, Money; }

impl Member for Vec<Id> {
    fn read(value: Option<&Value>) -> Vec<Id> {
        match value {
            Some(Value::Ids(ids)) => ids.clone(),
            _ => vec![],
        }
    }
    fn write(&self) -> Option<Value> {
        Value::ids(self.clone())
    }
}

impl Member for Vec<String> {
    fn read(value: Option<&Value>) -> Vec<String> {
        match value {
            Some(Value::Texts(texts)) => texts.clone(),
            _ => vec![],
        }
    }
    fn write(&self) -> Option<Value> {
        Value::texts(self.clone())
    }
}

impl Member for Vec<u8> {
    fn read(value: Option<&Value>) -> Vec<u8> {
        match value {
            Some(Value::Bytes(bytes)) => bytes.clone(),
            _ => vec![],
        }
    }
    fn write(&self) -> Option<Value> {
        (!self.is_empty()).then(|| Value::Bytes(self.clone()))
    }
}
