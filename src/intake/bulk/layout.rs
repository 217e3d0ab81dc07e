//! Which row is the header, and which column is which field.

use super::source::{Cells, Source};
use crate::domain::Outcome;
use crate::domain::money::Decimal;
use crate::domain::schema::{Field, Kind, Type};
use crate::domain::text::fold;
use crate::intake::columns::{self, Guess};
use crate::intake::dialect::Dialect;
use crate::intake::notation::{DateOrder, decimal_of, month};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Rows looked through for the header.
const HEADER_ROWS: usize = 30;
/// Bytes of a title at most.
const LONGEST_TITLE: usize = 200;
/// Values of a column that are looked at.
const VALUES: usize = 120;

/// What a person said of a file and its columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// How it is written.
    #[serde(default)]
    pub dialect: Dialect,
    /// The header's record, from 0.
    pub header: Option<usize>,
    /// Column → its field, or none for "kept as it is".
    pub columns: BTreeMap<usize, Option<String>>,
    /// "dmy" or "mdy", or empty.
    pub dates: String,
    /// (record, field) → what the cell should say.
    pub cells: BTreeMap<(u32, String), String>,
    /// (field, text) → what it stands for.
    pub values: BTreeMap<(String, String), String>,
    /// Records that wait, and rules whose rows all wait.
    pub aside_rows: BTreeSet<u32>,
    pub aside: BTreeSet<String>,
    /// Records that count, of those under one code.
    pub prefer: BTreeSet<u32>,
    /// Rules that are mended for all rows alike.
    pub mend: BTreeSet<String>,
}

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rows {
    /// Whole records.
    #[default]
    Whole,
    /// The key and some columns of records that are known already.
    Columns,
    /// The sales of a known outlet in a month: the rows of an outlet are added up.
    Months,
}

pub struct Layout {
    pub kind: Kind,
    pub rows: Rows,
    pub header: usize,
    pub titles: Vec<String>,
    /// Column → what it is taken for.
    pub guesses: Vec<Guess>,
    pub fields: Vec<Option<&'static Field>>,
    /// Column → how its days are written.
    pub dates: Vec<DateOrder>,
    /// Commas mark decimals.
    pub comma: bool,
    folded: Vec<Vec<u8>>,
    /// Columns that somebody spoke of.
    said: BTreeSet<usize>,
}

impl Layout {
    pub fn of(source: &Source, kind: Kind, said: &Said) -> Outcome<Layout> {
        let rows = &source.head;
        let header = said.header.unwrap_or_else(|| header(rows, kind)).min(rows.len().saturating_sub(1));
        let title = |t: &String| t[..t.floor_char_boundary(LONGEST_TITLE)].trim().to_owned();
        let titles: Vec<String> = rows[header].iter().map(title).collect();
        let below = || rows.iter().skip(header + 1);
        let values: Vec<Vec<&str>> = (0..titles.len())
            .map(|c| {
                let cells = below().filter_map(|r| r.get(c)).map(|t| t.trim()).filter(|t| !t.is_empty());
                cells.take(VALUES).collect()
            })
            .collect();
        let guesses = columns::guess(kind, &titles, &values);
        let schema = kind.schema();
        let mut fields: Vec<Option<&'static Field>> =
            guesses.iter().map(|g| schema.field_named(&g.field)).collect();
        for (column, name) in said.columns.iter().filter(|(c, _)| **c < titles.len()) {
            let field = name.as_ref().and_then(|n| schema.field_named(n));
            for other in
                fields.iter_mut().filter(|f| field.is_some() && f.map(|f| f.id) == field.map(|f| f.id))
            {
                *other = None;
            }
            fields[*column] = field;
        }
        let of = |c: usize| values[c].iter().copied();
        let dates = (0..titles.len())
            .map(|c| match said.dates.as_str() {
                "dmy" => DateOrder::DayFirst,
                "mdy" => DateOrder::MonthFirst,
                _ => DateOrder::of(of(c)),
            })
            .collect();
        let numbers = (0..titles.len()).filter(|c| fields[*c].is_some_and(|f| f.kind == Type::Decimal));
        let comma = numbers.filter_map(|c| decimal_of(of(c))).next_back() == Some(Decimal::Comma);
        let folded = titles.iter().map(|t| t.to_lowercase().into_bytes()).collect();
        let mut layout = Layout {
            kind,
            rows: Rows::Whole,
            header,
            titles,
            guesses,
            fields,
            dates,
            comma,
            folded,
            said: said.columns.keys().copied().collect(),
        };
        layout.rows = layout.what_rows_are(&values);
        Ok(layout)
    }

    /// By its columns; and no column is taken for what these rows do not have.
    fn what_rows_are(&mut self, values: &[Vec<&str>]) -> Rows {
        if self.kind != Kind::Outlet {
            return Rows::Whole;
        }
        let (code, named) = (self.column("code"), self.column("name").is_some());
        let repeats = |code: usize| {
            let seen: BTreeSet<&&str> = values[code].iter().collect();
            seen.len() < values[code].len()
        };
        if let (Some(code), Some(months), Some(_)) =
            (code, self.column("sales_months"), self.column("avg_sales"))
        {
            let (of, order) = (&values[months], self.dates[months]);
            let read = of.iter().filter(|text| month(text, order).is_some()).count();
            if read * 2 > of.len() && (!named || repeats(code)) {
                let kept = |name: &str| ["code", "sales_months", "avg_sales", "volume"].contains(&name);
                self.fields.iter_mut().filter(|f| f.is_some_and(|f| !kept(f.name))).for_each(|f| *f = None);
                return Rows::Months;
            }
        }
        if code.is_some() && !named && self.fields.iter().flatten().count() > 1 {
            return Rows::Columns;
        }
        Rows::Whole
    }

    /// How often such a guess is right, 0 to 1; none where nothing is taken or somebody said it.
    pub fn confidence(&self, column: usize) -> Option<f64> {
        let guess = self.guesses.get(column).filter(|_| !self.said.contains(&column))?;
        self.fields[column].filter(|field| field.name == guess.field).map(|_| guess.confidence)
    }

    pub fn column(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.is_some_and(|f| f.name == name))
    }

    /// Rows change what is known and make nothing new.
    pub fn is_partial(&self) -> bool {
        self.rows != Rows::Whole
    }

    /// Required fields without a column.
    pub fn missing(&self) -> Vec<&'static str> {
        // Of an activity the rest is said of texts that are empty, too.
        let needed = |name: &str| self.kind != Kind::Activity || name == "date";
        let needed = |name: &str| needed(name) && (self.rows == Rows::Whole || name == "code");
        let required = self.kind.schema().fields.iter().filter(|f| f.required && needed(f.name));
        required.map(|f| f.name).filter(|n| self.column(n).is_none()).collect()
    }

    /// Whether a record is the header once more.
    pub fn is_header(&self, cells: &Cells) -> bool {
        cells.len() == self.folded.len()
            && cells.get(0).len() == self.titles[0].len()
            && cells.iter().zip(&self.folded).all(|(c, t)| c.trim_ascii().eq_ignore_ascii_case(t))
    }
}

/// The row among the first ones that names the most fields; of equals the first.
fn header(rows: &[Vec<String>], kind: Kind) -> usize {
    let score = |row: &Vec<String>| {
        let filled: Vec<String> = row.iter().map(|t| fold(t)).filter(|t| !t.is_empty()).collect();
        let guesses = columns::guess(kind, row, &vec![vec![]; row.len()]);
        let named = guesses.iter().filter(|g| !g.field.is_empty()).count();
        // A row of data has numbers; a header has none.
        let numbers = filled.iter().filter(|t| t.bytes().all(|b| b.is_ascii_digit() || b == b' ')).count();
        (named * 4 + filled.len()).saturating_sub(numbers * 4)
    };
    let scores: Vec<usize> = rows.iter().take(HEADER_ROWS).map(score).collect();
    let best = scores.iter().copied().max().unwrap_or(0);
    scores.iter().position(|s| *s == best).unwrap_or(0)
}
