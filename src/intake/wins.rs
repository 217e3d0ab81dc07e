//! Rows of a wins workbook, each with its verdict. Rules OPP-… say why a row waits.

use crate::domain::money::{Currency, Decimal, Money};
use crate::domain::text::fold;
use crate::domain::when::{Month, in_range};
use crate::domain::win::short_id;
use crate::domain::{Outcome, text};
use crate::intake::fixes::{Fixes, Place};
use crate::intake::garbled;
use crate::intake::mapping::{Mapping, Table, find_tables};
use crate::intake::notation::{DateOrder, Misread, decimal_of};
use crate::intake::open::{Cell, Opened, Sheet, UNREAD_FORMULA};
use crate::intake::rules;
use chrono::{Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;

/// First words of rows that sum up or comment a report.
const TOTALS: [&str; 13] = [
    "total",
    "totals",
    "sum",
    "subtotal",
    "grand",
    "summe",
    "gesamt",
    "count",
    "average",
    "copyright",
    "confidential",
    "generated",
    "filtered",
];
/// Words of a stage that ends an opportunity.
const ENDS: [&str; 6] = ["closed", "won", "lost", "win", "loss", "cancelled"];

/// A row that can be stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WinRow {
    /// Sheet of the file, from 0, and row, from 1 as the spreadsheet counts.
    pub sheet: usize,
    pub row: usize,
    pub outcome: String,
    pub opportunity_id: String,
    pub opportunity: String,
    pub account: String,
    pub date: NaiveDate,
    pub amount: Option<Money>,
    pub owner: String,
    pub owner_email: String,
    pub products: Vec<String>,
    pub reason: String,
    pub competitor: String,
    pub stage: String,
}

/// A row that is not stored, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Aside {
    pub sheet: usize,
    pub row: usize,
    pub code: String,
    pub message: String,
    /// The field whose text is at fault, and that text.
    pub field: String,
    pub raw: String,
    /// A person saw it and wants it so.
    pub decided: bool,
    pub cells: Vec<String>,
}

/// rows = wins + losses + rejected + skipped, always.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct WinsRead {
    pub rows: usize,
    pub kept: Vec<WinRow>,
    pub rejected: Vec<Aside>,
    pub skipped: Vec<Aside>,
    pub header: Vec<String>,
    pub tables: Vec<Table>,
}

impl WinRow {
    pub fn month(&self) -> Month {
        Month::of(self.date)
    }

    /// What identifies the row between two uploads.
    pub fn key(&self) -> String {
        match short_id(self.opportunity_id.trim()) {
            // An id that lost its digits is shared by many.
            id if id.is_empty() || garbled::is_scientific(id) => {
                let amount = self.amount.map(|m| m.to_string()).unwrap_or_default();
                format!(
                    "{}|{}|{}|{}|{amount}",
                    self.outcome,
                    fold(&self.account),
                    fold(&self.opportunity),
                    self.date
                )
            }
            id => format!("id:{id}"),
        }
    }
}

/// Reads the tables of a file with what people said about it.
///
/// # Errors
/// `MAP-01` and `MAP-02` when no table has the columns that are needed.
pub fn read(opened: &Opened, mapping: &Mapping, fixes: &Fixes, default: Currency) -> Outcome<WinsRead> {
    let tables = find_tables(opened, mapping, fixes).or_refuse()?;
    let mut read = WinsRead::default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for table in &tables {
        let sheet = &opened.sheets[table.sheet];
        if read.header.is_empty() {
            read.header = sheet.rows[table.header].iter().map(Cell::text).collect();
        }
        let reader = Reader::new(sheet, table, mapping, fixes, default);
        for (number, cells) in sheet.rows.iter().enumerate().skip(table.header + 1) {
            read.rows += 1;
            let row = Row { place: (table.sheet, number + 1), cells };
            let decided = fixes.aside.contains(&row.place);
            match reader.row(row) {
                Ok(_) if decided => {
                    let mut aside = row.aside("REV-01", "set aside in the review");
                    aside.decided = true;
                    read.rejected.push(*aside);
                }
                Ok(win) => take(win, row, fixes, &mut seen, &mut read),
                Err(aside) if is_skipped(&aside.code) => read.skipped.push(*aside),
                Err(aside) => read.rejected.push(Aside { decided, ..*aside }),
            }
        }
    }
    read.tables = tables;
    Ok(read)
}

fn is_skipped(code: &str) -> bool {
    rules::find(code).is_some_and(|r| r.weight == rules::Weight::Skipped)
}

/// An id that comes twice: the same again is skipped, another content waits until a
/// person says which of the two counts.
fn take(win: WinRow, row: Row, fixes: &Fixes, seen: &mut HashMap<String, usize>, read: &mut WinsRead) {
    let key = win.key();
    let Some(at) = seen.get(&key).copied() else {
        seen.insert(key, read.kept.len());
        read.kept.push(win);
        return;
    };
    let first = &mut read.kept[at];
    let repeated = |other: &WinRow| format!("the opportunity stands in row {} with other values", other.row);
    // The long spelling of an id is the same id.
    let opportunity_id = first.opportunity_id.clone();
    if (WinRow { sheet: first.sheet, row: first.row, opportunity_id, ..win.clone() }) == *first {
        let message = format!("the same as row {}", first.row);
        read.skipped.push(*row.aside("OPP-17", message));
    } else if fixes.prefer.contains(&row.place) {
        let place = (first.sheet, first.row);
        let aside = Aside {
            sheet: place.0,
            row: place.1,
            code: "OPP-10".into(),
            message: repeated(&win),
            field: "opportunity_id".into(),
            raw: first.opportunity_id.clone(),
            decided: true,
            cells: vec![],
        };
        *first = win;
        read.rejected.push(aside);
    } else {
        let aside = row.aside("OPP-10", repeated(first)).about("opportunity_id", &first.opportunity_id);
        let decided = fixes.aside.contains(&row.place) || fixes.prefer.contains(&(first.sheet, first.row));
        read.rejected.push(Aside { decided, ..*aside });
    }
}

/// A row of a sheet and where it stands.
#[derive(Clone, Copy)]
struct Row<'a> {
    place: Place,
    cells: &'a [Cell],
}

impl Row<'_> {
    fn aside(&self, code: &str, message: impl Into<String>) -> Box<Aside> {
        Box::new(Aside {
            sheet: self.place.0,
            row: self.place.1,
            code: code.into(),
            message: message.into(),
            field: String::new(),
            raw: String::new(),
            decided: false,
            cells: texts(self.cells),
        })
    }
}

/// Bytes of a row set aside that are kept, and of one cell: more than any spreadsheet's cell has,
/// so that what is taken out, mended and read again is whole.
const MAX_ROW: usize = 256 << 10;
const MAX_CELL: usize = 128 << 10;

/// A row as text, as far as it is kept.
pub fn texts(row: &[Cell]) -> Vec<String> {
    let mut left = MAX_ROW;
    let kept = |cell: &Cell| {
        let mut text = cell.text();
        text.truncate(text.floor_char_boundary(MAX_CELL.min(left)));
        left -= text.len();
        text
    };
    row.iter().map(kept).collect()
}

impl Aside {
    /// Names the text at fault.
    pub fn about(mut self: Box<Self>, field: &str, raw: &str) -> Box<Aside> {
        (self.field, self.raw) = (field.to_owned(), raw[..raw.floor_char_boundary(MAX_CELL)].to_owned());
        self
    }
}

struct Reader<'a> {
    table: &'a Table,
    fixes: &'a Fixes,
    /// The header's cells, folded.
    header: Vec<String>,
    /// Words of the mapping, folded.
    win: Vec<String>,
    loss: Vec<String>,
    open: Vec<String>,
    order: DateOrder,
    decimal: Option<Decimal>,
    default: Currency,
}

impl<'a> Reader<'a> {
    fn new(
        sheet: &'a Sheet,
        table: &'a Table,
        mapping: &'a Mapping,
        fixes: &'a Fixes,
        default: Currency,
    ) -> Reader<'a> {
        let column = |field: &str| {
            let place = table.columns.get(field).copied();
            let rows = sheet.rows.iter().skip(table.header + 1);
            rows.filter_map(move |r| r.get(place?)).filter_map(|c| match c {
                Cell::Text(text) => Some(text.trim()),
                _ => None,
            })
        };
        let said = if fixes.dates.is_empty() { &mapping.dates } else { &fixes.dates };
        let order = match said.as_str() {
            "dmy" => DateOrder::DayFirst,
            "mdy" => DateOrder::MonthFirst,
            _ => DateOrder::of(column("close_date")),
        };
        let decimal = decimal_of(column("amount"));
        let folded = |words: &[String]| words.iter().map(|w| fold(w)).collect();
        Reader {
            table,
            fixes,
            header: sheet.rows[table.header].iter().map(|cell| fold(&cell.text())).collect(),
            win: folded(&mapping.win),
            loss: folded(&mapping.loss),
            open: folded(&mapping.open),
            order,
            decimal,
            default,
        }
    }

    fn raw(&self, row: Row<'a>, field: &str) -> &'a Cell {
        self.table.columns.get(field).and_then(|c| row.cells.get(*c)).unwrap_or(&Cell::Empty)
    }

    fn cell(&self, row: Row<'a>, field: &str) -> Cow<'a, Cell> {
        self.fixes.cell(row.place, field, self.raw(row, field))
    }

    fn row(&self, row: Row<'a>) -> Result<WinRow, Box<Aside>> {
        let text = |field: &str| match &*self.cell(row, field) {
            Cell::Error(_) => String::new(),
            cell => cell.text(),
        };
        let cells = row.cells;
        if cells.iter().all(Cell::is_empty) {
            return Err(row.aside("FIL-06", "blank"));
        }
        let same =
            |c: &usize| cells.get(*c).is_some_and(|cell| Some(&fold(&cell.text())) == self.header.get(*c));
        if self.table.columns.values().filter(|c| same(c)).count() * 2 > self.table.columns.len() {
            return Err(row.aside("FIL-07", "the header again"));
        }
        let (account, opportunity, id) = (text("account"), text("opportunity"), text("opportunity_id"));
        let date_cell = self.cell(row, "close_date");
        let unnamed = account.is_empty() && id.is_empty() && opportunity.is_empty();
        if self.is_total(row) || (date_cell.is_empty() && unnamed) {
            return Err(row.aside("OPP-13", "a total or a note below the table"));
        }
        if let Some(field) = self.unread_formula(row) {
            let message =
                format!("the {} is a formula whose value is not in the file", field.replace('_', " "));
            return Err(row.aside("FIL-09", message).about(field, UNREAD_FORMULA));
        }
        let outcome = self.outcome(row)?;
        if account.is_empty() {
            return Err(row.aside("OPP-01", "the account is empty").about("account", ""));
        }
        let date = self
            .date(&date_cell)
            .map_err(|(code, message)| row.aside(code, message).about("close_date", &date_cell.text()))?;
        let amount = self.amount(row)?;
        Ok(WinRow {
            sheet: row.place.0,
            row: row.place.1,
            outcome: outcome.into(),
            opportunity_id: id,
            opportunity,
            account,
            date,
            amount,
            owner: text("owner"),
            owner_email: text("owner_email"),
            products: text("product")
                .split([';', ','])
                .map(|p| p.trim().to_owned())
                .filter(|p| !p.is_empty())
                .collect(),
            reason: text("reason"),
            competitor: text("competitor"),
            stage: text("stage"),
        })
    }

    /// A row that begins with a word of totals and notes, in whatever column that is,
    /// and says neither when nor how an opportunity ended.
    fn is_total(&self, row: Row<'a>) -> bool {
        let Some(first) = row.cells.iter().position(|c| !c.is_empty()) else { return false };
        let text = fold(&row.cells[first].text());
        let word = text.split(' ').next().unwrap_or_default();
        let says = |field: &str| {
            let column = self.table.columns.get(field);
            column.is_some_and(|c| *c != first && row.cells.get(*c).is_some_and(|c| !c.is_empty()))
        };
        TOTALS.contains(&word) && !["close_date", "stage", "is_won", "opportunity_id"].into_iter().any(says)
    }

    /// A field that counts and whose cell holds a formula without its value.
    fn unread_formula(&self, row: Row<'a>) -> Option<&str> {
        let unread =
            |field: &&String| matches!(&*self.cell(row, field), Cell::Error(code) if code == UNREAD_FORMULA);
        self.table.columns.keys().find(unread).map(String::as_str)
    }

    /// Won or lost; an open one is skipped, and what cannot be told waits.
    fn outcome(&self, row: Row<'a>) -> Result<&'static str, Box<Aside>> {
        let stage = self.cell(row, "stage").text();
        let waits = |code: &str, message: String| Err(row.aside(code, message).about("outcome", &stage));
        let folded = fold(&stage);
        let known = || folded.split(' ').any(|p| self.open.iter().any(|w| w == p));
        let open = || match folded.is_empty() || known() {
            true => row.aside("OPP-05", "still open").about("outcome", &stage),
            false => {
                let message = format!("the stage \"{stage}\" is not known and taken as open");
                row.aside("OPP-19", message).about("outcome", &stage)
            }
        };
        match self.fixes.said(row.place, "outcome", || stage.clone()) {
            Some("win") => return Ok("win"),
            Some("loss") => return Ok("loss"),
            Some(_) => return Err(row.aside("OPP-05", "still open").about("outcome", &stage)),
            None => {}
        }
        let listed = |words: &[String]| words.contains(&folded);
        let by_stage = match () {
            () if listed(&self.win) => Some("win"),
            () if listed(&self.loss) => Some("loss"),
            () => None,
        };
        let flag = |field: &str| match fold(&self.cell(row, field).text()).as_str() {
            "true" | "yes" | "y" | "1" | "x" => Some(true),
            "false" | "no" | "n" | "0" => Some(false),
            _ => None,
        };
        let by_flags = match (flag("is_won"), flag("is_closed")) {
            (_, Some(false)) => Some(None),
            (Some(true), _) => Some(Some("win")),
            (Some(false), Some(true)) => Some(Some("loss")),
            _ => None,
        };
        match (by_stage, by_flags) {
            (Some(stage), Some(flags)) if flags != Some(stage) => {
                waits("OPP-09", "the stage and the won or closed flag contradict each other".into())
            }
            (Some(stage), _) => Ok(stage),
            (None, Some(flags)) => flags.ok_or_else(open),
            (None, None) if folded.is_empty() && !self.table.assume.is_empty() => {
                Ok(if self.table.assume == "win" { "win" } else { "loss" })
            }
            (None, None) if folded.is_empty() => waits("OPP-08", "the stage is empty".into()),
            // A stage that speaks of an end without being listed is not guessed.
            (None, None) if ENDS.iter().any(|w| folded.split(' ').any(|p| p == *w)) => {
                waits("OPP-08", format!("the stage \"{stage}\" is not mapped to won or lost"))
            }
            (None, None) => Err(open()),
        }
    }

    fn date(&self, cell: &Cell) -> Result<NaiveDate, (&'static str, String)> {
        let date = match cell {
            Cell::Empty => return Err(("OPP-02", "the close date is empty".into())),
            Cell::Date(date) => Some(*date),
            // A serial day of the 1900 system whose cell lost its format.
            Cell::Number(n) if (20_000.0..80_000.0).contains(n) => {
                NaiveDate::from_ymd_opt(1899, 12, 30).and_then(|d| d.checked_add_days(Days::new(*n as u64)))
            }
            Cell::Number(_) | Cell::Bool(_) => None,
            Cell::Error(code) => return Err(("OPP-02", format!("the close date is {code}"))),
            Cell::Text(text) => return self.text_date(text.trim()),
        };
        date.and_then(in_range).ok_or_else(|| ("OPP-03", format!("\"{}\" is not a date", cell.text())))
    }

    fn text_date(&self, text: &str) -> Result<NaiveDate, (&'static str, String)> {
        self.order.read(text).map_err(|wrong| match wrong {
            Misread::No => ("OPP-03", format!("\"{text}\" is not a date")),
            Misread::TwoWays => (
                "OPP-11",
                format!("\"{text}\" can be read as two days; say dates = \"dmy\" or \"mdy\" in the mapping"),
            ),
        })
    }

    fn amount(&self, row: Row<'a>) -> Result<Option<Money>, Box<Aside>> {
        let named = self.cell(row, "currency").text();
        let currency = match named.as_str() {
            "" => self.default,
            name => Currency::parse(name).ok_or_else(|| {
                row.aside("OPP-15", format!("\"{name}\" is not a currency")).about("currency", name)
            })?,
        };
        let cell = self.cell(row, "amount");
        let read = match &*cell {
            Cell::Empty => return Ok(None),
            Cell::Number(n) => Money::from_major(*n, currency).ok_or_else(|| format!("{n} is not an amount")),
            Cell::Text(text) => Money::parse(&text::clean(text), currency, self.decimal),
            Cell::Error(code) => Err(format!("the amount is {code}")),
            other => Err(format!("\"{}\" is not an amount", other.text())),
        };
        let positive =
            read.and_then(|m| if m.minor < 0 { Err("the amount is negative".into()) } else { Ok(m) });
        positive.map(Some).map_err(|why| row.aside("OPP-04", why).about("amount", &cell.text()))
    }
}
