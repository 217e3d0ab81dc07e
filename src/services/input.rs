//! What a person typed, field by field, as the fields of a record.

use crate::domain::decimal;
use crate::domain::effort::parse_effort;
use crate::domain::money::{Currency, Money};
use crate::domain::schema::{Field, Kind, Type};
use crate::domain::value::Value;
use crate::domain::when::{Month, Toward, Zone, parse_date};
use crate::domain::{Failure, FailureKind, Fields, Id, Outcome, Problem, text};
use crate::services::{Settings, names};
use crate::store::Reads;
use std::collections::BTreeMap;

/// Field name → text. An empty text empties the field.
pub type Input = BTreeMap<String, String>;

/// Fields after the input is laid over `base`. All bad fields are reported at once.
pub fn read(
    reads: &dyn Reads,
    settings: &Settings,
    kind: Kind,
    base: &Fields,
    input: &Input,
) -> Outcome<Fields> {
    let mut fields = base.clone();
    let mut problems = Vec::new();
    let mut candidates = Vec::new();
    let schema = kind.schema();
    if let Some(name) = input.keys().find(|name| schema.field_named(name).is_none()) {
        let known: Vec<&str> = schema.fields.iter().filter(|f| !f.system).map(|f| f.name).collect();
        return Err(Failure::usage(format!("{} has no field \"{name}\"", article(kind)))
            .hint(format!("Its fields are {}", known.join(", "))));
    }
    // In the schema's order, so that a project is looked for within its account.
    for field in schema.fields {
        let Some(typed) = input.get(field.name) else { continue };
        let typed = text::clean(typed);
        if typed.is_empty() {
            fields.remove(&field.id);
            continue;
        }
        match value(reads, settings, kind, field, &typed, &fields) {
            Ok(Some(value)) => drop(fields.insert(field.id, value)),
            Ok(None) => drop(fields.remove(&field.id)),
            Err(failure)
                if matches!(
                    failure.kind,
                    FailureKind::Invalid | FailureKind::NotFound | FailureKind::Conflict
                ) =>
            {
                let rule = if failure.kind == FailureKind::NotFound { "unknown" } else { "format" };
                let mut problem = Problem::error(field.name, rule, failure.message);
                problem.fix = failure.hint;
                problems.push(problem);
                candidates.extend(failure.candidates);
            }
            Err(failure) => return Err(failure),
        }
    }
    if problems.is_empty() {
        return Ok(fields);
    }
    Err(Failure { candidates, ..Failure::from_problems(problems) })
}

pub fn article(kind: Kind) -> String {
    let name = kind.name();
    let an = name.starts_with(['a', 'e', 'i', 'o']);
    format!("{} {name}", if an { "An" } else { "A" })
}

fn value(
    reads: &dyn Reads,
    settings: &Settings,
    kind: Kind,
    field: &Field,
    typed: &str,
    so_far: &Fields,
) -> Outcome<Option<Value>> {
    let invalid = Failure::invalid;
    Ok(match field.kind {
        Type::Text => {
            checked(kind, field, typed)?;
            Some(Value::Text(typed.split_whitespace().collect::<Vec<_>>().join(" ")))
        }
        Type::Long => Some(Value::Text(typed.to_owned())),
        Type::Choice(words) => {
            let word = words.iter().find(|w| w.eq_ignore_ascii_case(typed));
            let word = word
                .ok_or_else(|| invalid(format!("The {} is one of: {}", field.label(), words.join(", "))))?;
            Some(Value::Text((*word).to_owned()))
        }
        Type::Flag => match typed.to_lowercase().as_str() {
            "yes" | "y" | "true" | "1" => Some(Value::Bool(true)),
            "no" | "n" | "false" | "0" => None,
            _ => return Err(invalid(format!("The {} is yes or no", field.label()))),
        },
        Type::Int => Some(Value::Int(
            typed.parse().map_err(|_| invalid(format!("The {} is a whole number", field.label())))?,
        )),
        Type::Decimal => Some(Value::Int(
            decimal::parse(typed, false)
                .ok_or_else(|| invalid(format!("The {} is a number", field.label())))?,
        )),
        Type::Month => Some(Value::Int(Month::parse(typed).map_err(invalid)?.number())),
        Type::Effort => Some(Value::Int(parse_effort(typed, settings.day_minutes).map_err(invalid)?)),
        Type::Date => {
            let toward = if field.name == "next_due" { Toward::Future } else { Toward::Past };
            Some(Value::Date(parse_date(typed, settings.today, toward).map_err(invalid)?))
        }
        Type::Money => Some(Value::Money(Money::parse(typed, settings.currency, None).map_err(invalid)?)),
        Type::One(of) => Some(Value::Id(names::resolve(reads, of, typed, account_of(kind, of, so_far))?)),
        Type::Many(of) => {
            let ids = words(typed)
                .iter()
                .map(|w| names::resolve(reads, of, w, None))
                .collect::<Outcome<Vec<Id>>>()?;
            Value::ids(ids)
        }
        Type::Words => Value::texts(words(typed)),
        Type::Data => return Err(invalid(format!("The {} cannot be typed", field.label()))),
    })
}

/// Texts that must mean something to the program.
fn checked(kind: Kind, field: &Field, typed: &str) -> Outcome<()> {
    match field.name {
        "zone" if kind != Kind::Outlet => drop(Zone::parse(typed).map_err(Failure::invalid)?),
        "currency" if Currency::parse(typed).is_none() => {
            return Err(Failure::invalid(format!("\"{typed}\" is not a currency: write one such as EUR")));
        }
        _ => {}
    }
    Ok(())
}

/// Projects are looked for within the account chosen before.
fn account_of(kind: Kind, of: Kind, so_far: &Fields) -> Option<Id> {
    let field = kind.schema().field_named("account").filter(|_| of == Kind::Project)?;
    match so_far.get(&field.id) {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    }
}

fn words(typed: &str) -> Vec<String> {
    typed.split([',', ';']).map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect()
}
