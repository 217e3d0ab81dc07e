//! Records as faces show them: values by field name, references with their names.

use crate::changes::Head;
use crate::domain::decimal;
use crate::domain::effort::show_effort;
use crate::domain::schema::{Field, Kind, Type};
use crate::domain::value::Value;
use crate::domain::when::Month;
use crate::domain::{Id, Outcome};
use crate::services::names;
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

/// A record for tables, forms and `--json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    pub id: Id,
    pub rev: u64,
    #[serde(flatten)]
    pub values: Map<String, Json>,
}

impl Item {
    /// A value as a table cell; empty when absent.
    pub fn text(&self, name: &str) -> String {
        match self.values.get(name) {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text.clone(),
            Some(Json::Array(all)) => {
                let words: Vec<&str> = all.iter().filter_map(Json::as_str).collect();
                words.join(", ")
            }
            Some(other) => other.to_string(),
        }
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.values.get(name).and_then(Json::as_i64)
    }

    /// About how many bytes it takes in a reply.
    pub fn weight(&self) -> usize {
        let texts =
            self.values.iter().map(|(name, value)| name.len() + value.as_str().map_or(32, str::len) + 8);
        texts.sum::<usize>() + 64
    }

    pub fn flag(&self, name: &str) -> bool {
        self.values.get(name).and_then(Json::as_bool).unwrap_or(false)
    }

    pub fn reference(&self, name: &str) -> Option<Id> {
        self.values.get(&format!("{name}_id")).and_then(Json::as_str).and_then(|t| t.parse().ok())
    }
}

/// Turns heads into items, looking each name up once.
pub struct Shower<'a> {
    reads: &'a dyn Reads,
    names: HashMap<(Kind, Id), String>,
}

impl<'a> Shower<'a> {
    pub fn new(reads: &'a dyn Reads) -> Shower<'a> {
        Shower { reads, names: HashMap::new() }
    }

    pub fn name(&mut self, kind: Kind, id: Id) -> Outcome<String> {
        if let Some(name) = self.names.get(&(kind, id)) {
            return Ok(name.clone());
        }
        let name = names::name(self.reads, kind, id)?;
        self.names.insert((kind, id), name.clone());
        Ok(name)
    }

    pub fn item(&mut self, kind: Kind, id: Id, head: &Head) -> Outcome<Item> {
        let mut values = Map::new();
        values.insert("short".into(), json!(id.short()));
        for field in kind.schema().fields {
            if let Some(value) = head.fields.get(&field.id) {
                self.put(&mut values, field, value)?;
            }
        }
        if head.deleted {
            values.insert("deleted".into(), json!(true));
        }
        Ok(Item { id, rev: head.rev, values })
    }

    fn put(&mut self, values: &mut Map<String, Json>, field: &Field, value: &Value) -> Outcome<()> {
        let name = field.name.to_owned();
        match (field.kind, value) {
            (Type::One(kind), Value::Id(id)) => {
                values.insert(format!("{name}_id"), json!(id));
                values.insert(name, json!(self.name(kind, *id)?));
            }
            (Type::Many(kind), Value::Ids(ids)) => {
                let names = ids.iter().map(|id| self.name(kind, *id)).collect::<Outcome<Vec<_>>>()?;
                values.insert(name, json!(names));
            }
            (Type::Effort, Value::Int(minutes)) => {
                values.insert(format!("{name}_text"), json!(show_effort(*minutes)));
                values.insert(format!("{name}_minutes"), json!(minutes));
            }
            (Type::Decimal, Value::Int(number)) => {
                values.insert(name, json!(decimal::show(*number)));
            }
            (Type::Month, Value::Int(number)) => {
                values.insert(name, json!(Month::from_number(*number)));
            }
            (_, Value::Money(money)) => {
                values.insert(format!("{name}_text"), json!(money.short()));
                values.insert(format!("{name}_currency"), json!(money.currency.to_string()));
                values.insert(name, json!(money.plain()));
            }
            // Bytes are the program's own.
            (Type::Data, _) => {}
            (_, value) => {
                values.insert(name, plain(value));
            }
        }
        Ok(())
    }

    /// A value as a line of text, for history and conflicts.
    pub fn line(&mut self, field: Option<&Field>, value: Option<&Value>) -> Outcome<String> {
        let Some(value) = value else { return Ok("-".into()) };
        let mut values = Map::new();
        if let Some(field) = field {
            self.put(&mut values, field, value)?;
            let item = Item { values, ..Item::default() };
            let text = item.text(&format!("{}_text", field.name));
            return Ok(if text.is_empty() { item.text(field.name) } else { text });
        }
        Ok(plain(value).to_string())
    }
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Int(number) => json!(number),
        Value::Bool(yes) => json!(yes),
        Value::Date(date) => json!(date.to_string()),
        Value::Id(id) => json!(id),
        Value::Ids(ids) => json!(ids),
        Value::Texts(texts) => json!(texts),
        Value::Money(money) => json!(money.to_string()),
        Value::Bytes(bytes) | Value::Unknown(_, bytes) => json!(format!("{} bytes", bytes.len())),
    }
}

/// The value as a person would type it into a form.
pub fn typed(reads: &dyn Reads, field: &Field, value: &Value) -> Outcome<String> {
    let mut shower = Shower::new(reads);
    Ok(match value {
        Value::Money(money) => money.to_string(),
        Value::Bool(yes) => (if *yes { "yes" } else { "no" }).to_owned(),
        value => shower.line(Some(field), Some(value))?,
    })
}
