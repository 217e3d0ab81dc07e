//! What people type to see some of the outlets: words, and parts such as `city:pune`,
//! `territory=` or `avg_sales>1000`, all of which must fit; `-` in front turns one round.

use crate::domain::schema::{Field, Kind, Type};
use crate::domain::text::fold;
use crate::domain::{Failure, Outcome, decimal};
use crate::services::datasets::Rows;
use chrono::{Datelike, NaiveDate};
use std::collections::BTreeMap;

/// Where a word without a field is looked for.
const ANYWHERE: [&str; 7] = ["code", "name", "city", "territory", "distributor_code", "beat", "chain"];

/// Columns of a table that are no field of its kind, by their numbers: their titles.
pub type Extras = BTreeMap<u16, String>;

/// A filter, read: every part has to fit.
#[derive(Debug, Default)]
pub struct Filter(Vec<Part>);

#[derive(Debug)]
struct Part {
    /// It must not fit.
    not: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// A text of one of these columns has this in it, both folded.
    Has(Vec<u16>, String),
    /// The whole text, folded; an empty one fits where there is none.
    Is(u16, String),
    /// Between two numbers, both inside.
    Between(u16, i64, i64),
    Absent(u16),
}

impl Filter {
    pub fn parse(kind: Kind, typed: &str) -> Outcome<Filter> {
        Filter::read(kind, &Extras::new(), typed)
    }

    /// As [`Filter::parse`], with the columns that only this table has.
    pub fn read(kind: Kind, extras: &Extras, typed: &str) -> Outcome<Filter> {
        words(typed).iter().map(|word| part(kind, extras, word)).collect::<Outcome<_>>().map(Filter)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns that it has to see.
    pub fn columns(&self) -> Vec<u16> {
        let mut all: Vec<u16> = Vec::new();
        for part in &self.0 {
            match &part.test {
                Test::Has(columns, _) => all.extend(columns),
                Test::Is(column, _) | Test::Between(column, ..) | Test::Absent(column) => all.push(*column),
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The first column that is named and is none of these.
    pub fn beyond(&self, there: &[u16]) -> Option<u16> {
        self.0.iter().find_map(|part| {
            match &part.test {
                // A word is looked for wherever it can be.
                Test::Has(columns, _) if columns.len() > 1 => None,
                Test::Has(columns, _) => columns.first().copied(),
                Test::Is(column, _) | Test::Between(column, ..) | Test::Absent(column) => Some(*column),
            }
            .filter(|column| !there.contains(column))
        })
    }

    /// Row → whether it fits.
    pub fn fits(&self, rows: &Rows) -> Vec<bool> {
        let mut fits = vec![true; rows.count];
        for part in &self.0 {
            match &part.test {
                Test::Has(columns, wanted) => {
                    let mut has = vec![false; rows.count];
                    for column in columns {
                        each_text(rows, *column, &mut has, &|text| {
                            text.len() >= wanted.len() && fold(text).contains(wanted)
                        });
                    }
                    keep(&mut fits, part.not, |row| has[row]);
                }
                Test::Is(column, wanted) => {
                    let mut is = vec![false; rows.count];
                    each_text(rows, *column, &mut is, &|text| match wanted.is_empty() {
                        true => text.is_empty(),
                        false => !text.is_empty() && fold(text) == *wanted,
                    });
                    keep(&mut fits, part.not, |row| is[row]);
                }
                Test::Between(column, from, to) => keep(&mut fits, part.not, |row| {
                    rows.number(*column, row).is_some_and(|n| (*from..=*to).contains(&n))
                }),
                Test::Absent(column) => {
                    keep(&mut fits, part.not, |row| rows.number(*column, row).is_none());
                }
            }
        }
        fits
    }
}

fn keep(fits: &mut [bool], not: bool, test: impl Fn(usize) -> bool) {
    for (row, fit) in fits.iter_mut().enumerate().filter(|(_, fit)| **fit) {
        *fit = test(row) != not;
    }
}

/// Neighbours often have the same town or territory: what was found out of the row before
/// is not found out again.
fn each_text(rows: &Rows, column: u16, hits: &mut [bool], test: &dyn Fn(&str) -> bool) {
    let (mut before, mut hit) = (None, false);
    for (row, had) in hits.iter_mut().enumerate().filter(|(_, had)| !**had) {
        let text = rows.text(column, row);
        if before != Some(text) {
            (before, hit) = (Some(text), test(text));
        }
        *had = hit;
    }
}

/// Splits at spaces outside quotes; the quotes go.
fn words(typed: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in typed.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            c if c.is_whitespace() && !quoted => {
                if begun {
                    all.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        all.push(word);
    }
    all
}

fn part(kind: Kind, extras: &Extras, word: &str) -> Outcome<Part> {
    let (not, word) = match word.strip_prefix('-') {
        Some(rest) if !rest.is_empty() => (true, rest),
        _ => (false, word),
    };
    let sign = word.find([':', '=', '<', '>']);
    let Some(at) = sign.filter(|at| *at > 0) else {
        let columns = ANYWHERE.iter().filter_map(|n| kind.schema().field_named(n)).map(|f| f.id);
        return Ok(Part { not, test: Test::Has(columns.collect(), fold(word)) });
    };
    let Column { id, field } = column(kind, extras, &word[..at])?;
    let (mut how, mut value) = (&word[at..at + 1], word[at + 1..].trim());
    let or_equal = matches!(how, "<" | ">") && value.starts_with('=');
    if or_equal {
        value = value[1..].trim();
    }
    let test = match field {
        Some(field) if matches!(field.kind, Type::Decimal | Type::Date) => {
            if value.is_empty() {
                return Ok(Part { not, test: Test::Absent(id) });
            }
            let number = number(field, value)?;
            if how == ":" {
                how = "=";
            }
            match (how, or_equal) {
                ("<", false) => Test::Between(id, i64::MIN, number - 1),
                ("<", true) => Test::Between(id, i64::MIN, number),
                (">", false) => Test::Between(id, number + 1, i64::MAX),
                (">", true) => Test::Between(id, number, i64::MAX),
                _ => Test::Between(id, number, number),
            }
        }
        _ if how == "=" => Test::Is(id, fold(value)),
        _ if how == ":" && value.is_empty() => Test::Is(id, String::new()),
        _ if how == ":" => Test::Has(vec![id], fold(value)),
        _ => {
            let label = field.map_or(word[..at].to_owned(), Field::label);
            return Err(Failure::usage(format!("The {label} is no number: it has no {how}"))
                .hint("Write field:word for a part of it, field=text for the whole"));
        }
    };
    Ok(Part { not, test })
}

/// What a name means: a field, or a column that only this table has, as text.
pub struct Column {
    pub id: u16,
    pub field: Option<&'static Field>,
}

impl Column {
    pub fn is_text(&self) -> bool {
        self.field.is_none_or(|f| !matches!(f.kind, Type::Decimal | Type::Date))
    }
}

pub fn column(kind: Kind, extras: &Extras, name: &str) -> Outcome<Column> {
    match (field(kind, name), extras.iter().find(|(_, title)| bare(title) == bare(name))) {
        (Ok(field), _) => Ok(Column { id: field.id, field: Some(field) }),
        (_, Some((id, _))) => Ok(Column { id: *id, field: None }),
        (Err(failure), None) if extras.is_empty() => Err(failure),
        (Err(failure), None) => {
            let fields = failure.hint.clone().unwrap_or_default();
            let own: Vec<&str> = extras.values().map(String::as_str).collect();
            Err(failure.hint(format!("{fields}; and of these outlets {}", own.join(", "))))
        }
    }
}

/// A part of a filter that wants the whole text of a column, however that is called.
pub fn is(column: &str, value: &str) -> String {
    let column = column.replace([':', '=', '<', '>', '"'], " ");
    format!("\"{column}={}\"", value.replace('"', ""))
}

fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A field by its name, with or without underscores.
pub fn field(kind: Kind, name: &str) -> Outcome<&'static Field> {
    let schema = kind.schema();
    let found = schema.fields.iter().find(|f| !f.system && bare(f.name) == bare(name));
    found.ok_or_else(|| {
        let known: Vec<&str> = schema.fields.iter().filter(|f| !f.system).map(|f| f.name).collect();
        Failure::usage(format!("There is no field \"{name}\" of {}", schema.plural))
            .hint(format!("There are {}", known.join(", ")))
    })
}

fn number(field: &Field, value: &str) -> Outcome<i64> {
    let wrong = |what: &str| Failure::usage(format!("\"{value}\" is not {what}"));
    match field.kind {
        Type::Date => {
            let day = NaiveDate::parse_from_str(value, "%Y-%m-%d");
            day.map(|d| i64::from(d.num_days_from_ce())).map_err(|_| wrong("a date such as 2026-02-12"))
        }
        _ => decimal::parse(value, false).ok_or_else(|| wrong("a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_or_refused() {
        let parse = |typed: &str| Filter::parse(Kind::Outlet, typed);
        assert_eq!(words(r#"a city:"New Delhi" "" b"#), ["a", "city:New Delhi", "", "b"]);
        assert!(parse("").unwrap().is_empty());
        assert_eq!(parse("pune -avgsales>100 territory=").unwrap().0.len(), 3);
        assert_eq!(parse("city:pune").unwrap().columns(), [11]);
        let extras = Extras::from([(1_000, "Shelf Type: main".to_owned())]);
        let read = |typed: &str| Filter::read(Kind::Outlet, &extras, typed);
        assert_eq!(read(&is("Shelf Type: main", "wood")).unwrap().columns(), [1_000]);
        assert_eq!(read("-shelf_type_main:wo").unwrap().columns(), [1_000]);
        assert!(read("shelf>3").unwrap_err().hint.unwrap().contains("Shelf Type: main"));
        for wrong in ["colour:red", "avg_sales>much", "city>5", "created_on<yesterday"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
