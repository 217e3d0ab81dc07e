//! Made workbooks with a known truth: mutated as those of people are, read by intake and
//! imported through the engine.

use crate::books::{Sheet, Written, day_number, ods, serial, xls, xlsb};
use pams::changes::Via;
use pams::domain::Id;
use pams::domain::money::Currency;
use pams::domain::schema::Kind;
use pams::engine::{Engine, files};
use pams::intake::fixes::{Fixes, Place};
use pams::intake::mapping::{DEFAULT_WINS, Mapping};
use pams::intake::open::open;
use pams::intake::wins::{WinRow, read};
use pams::random::Random;
use pams::services::imports::{CommitReview, Options, Target};
use pams::services::records::Save;
use pams::services::setup::SetUp;
use pams::services::wins::ListWins;
use pams::store::Store;
use rust_xlsxwriter::{Format, Workbook};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

const EUR: Currency = Currency(*b"EUR");
/// Workbooks that are read, and those of them that go through the engine.
const BOOKS: u64 = 400;
const IMPORTED: u64 = 120;

/// People of the organisation: two share a name, three a family name.
const PEOPLE: [(&str, &str); 6] = [
    ("Ana Duarte", "ana@example.com"),
    ("Rohan Mehta", "rohan.mehta@example.com"),
    ("Rashmi Mehta", "rashmi.mehta@example.com"),
    ("Li Wei", "li.wei@example.com"),
    ("Li Wei", "wei.li@example.com"),
    ("José Niño", "jose@example.com"),
];
/// What stands in the owner column, what in the e-mail column, and whose row it is.
const OWNERS: [(&str, &str, &str); 12] = [
    ("Ana Duarte", "", "ana@example.com"),
    ("ANA  DUARTE", "ana@example.com", "ana@example.com"),
    ("rohan.mehta@example.com", "", "rohan.mehta@example.com"),
    ("R. Mehta", "rashmi.mehta@example.com", "rashmi.mehta@example.com"),
    ("R. Mehta", "", ""),
    ("Mehta", "", ""),
    ("Mehta, Rohan", "", ""),
    ("Li Wei", "", ""),
    ("Li Wei", "wei.li@example.com", "wei.li@example.com"),
    ("Rohan Mehta", "rohan@elsewhere.example", ""),
    ("Jose Nino", "", "jose@example.com"),
    ("Nobody Known", "", ""),
];
const FIELDS: [(&str, &[&str]); 9] = [
    ("id", &["Opportunity ID", "Opp ID", "opportunity_id", "Deal ID", "18 Digit ID"]),
    ("name", &["Opportunity Name", "Opportunity", "Deal Name"]),
    ("account", &["Account Name", "ACCOUNT", "Customer Name", "Company", "account  name "]),
    ("stage", &["Stage", "Sales Stage", "Won/Lost", "Outcome", "STAGE"]),
    ("amount", &["Amount", "Deal Value", "Amount (converted)", "TCV"]),
    ("currency", &["Currency", "Amount Currency", "Opportunity Currency"]),
    ("date", &["Close Date", "Closed Date", "close_date", "Close date"]),
    ("owner", &["Opportunity Owner", "Owner", "Owner Name", "Sales Rep"]),
    ("email", &["Owner Email", "Opportunity Owner Email"]),
];
/// Columns that stand for nothing here, some nearly called like one that does.
const OTHERS: [&str; 8] = [
    "Region",
    "Forecast Category",
    "Created Date",
    "Account ID",
    "Account Owner",
    "Next Step",
    "Last Modified Date",
    "Probability (%)",
];

/// A row that goes in, as the store must have it.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    id: String,
    outcome: &'static str,
    date: String,
    /// Minor units and currency.
    amount: Option<(i64, String)>,
    account: String,
    /// E-mail of the owner; empty when nobody may be guessed.
    owner: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
enum Truth {
    Kept(Kept),
    Rejected,
    Skipped,
}

type Row = BTreeMap<&'static str, Written>;

struct File {
    name: String,
    bytes: Vec<u8>,
    truth: BTreeMap<Place, Truth>,
}

/// How dates are written in one file.
#[derive(Clone, Copy, PartialEq)]
enum Dates {
    Cells,
    Serials,
    Iso,
    Dotted,
    Named,
    DayFirst,
    MonthFirst,
    /// Four spellings in one column, slashes day first.
    Four,
    /// Slashes of both orders: what can be read two ways waits.
    BothOrders,
}

/// What is the same in all files of one made report.
struct Style {
    format: &'static str,
    csv: bool,
    comma: bool,
    since_1904: bool,
    dates: Dates,
    currencies: bool,
    flags: bool,
    columns: Vec<(&'static str, &'static str)>,
    titles: usize,
}

impl Style {
    fn new(random: &mut Random) -> Style {
        let format = *random.pick(&["csv", "csv", "xlsx", "xlsx", "xls", "xlsb", "ods"]);
        let csv = format == "csv";
        use Dates::*;
        let dates = match csv {
            true => *random.pick(&[Iso, Dotted, Named, DayFirst, MonthFirst, Four, BothOrders]),
            false => *random.pick(&[Cells, Cells, Serials, Iso, Named, DayFirst, Four, BothOrders]),
        };
        let (currencies, emails, flags) = (random.one_in(3), random.one_in(2), random.one_in(6));
        let wanted = |field: &str| match field {
            "currency" => currencies,
            "email" => emails,
            "stage" => !flags,
            _ => true,
        };
        let mut columns: Vec<(&str, &str)> = Vec::new();
        for (field, names) in FIELDS.iter().filter(|(f, _)| wanted(f)) {
            columns.push((field, *random.pick(names)));
        }
        if flags {
            columns.extend([("won", "Won"), ("closed", "Closed")]);
        }
        for _ in 0..random.below(5) {
            let other = *random.pick(&OTHERS);
            if columns.iter().all(|(_, name)| *name != other) {
                columns.push(("", other));
            }
        }
        for n in (1..columns.len()).rev() {
            columns.swap(n, random.below(n + 1));
        }
        let since_1904 = !csv && dates == Cells && random.one_in(2);
        let (comma, titles) = (csv && random.one_in(2), random.below(3));
        Style { format, csv, comma, since_1904, dates, currencies, flags, columns, titles }
    }

    fn row(&self, values: &Row) -> Vec<Written> {
        self.columns.iter().map(|(field, _)| values.get(field).cloned().unwrap_or_default()).collect()
    }

    fn date(&self, random: &mut Random, n: usize) -> (Written, Option<String>) {
        let day = chrono::NaiveDate::from_ymd_opt(
            2024 + random.below(2) as i32,
            1 + random.below(12) as u32,
            1 + random.below(28) as u32,
        )
        .unwrap();
        let told = chrono::NaiveDate::from_ymd_opt(2024, 5, 28).unwrap();
        let text = |day: chrono::NaiveDate, form: &str| {
            (Written::Text(day.format(form).to_string()), Some(day.to_string()))
        };
        use chrono::Datelike;
        match self.dates {
            Dates::Cells => (Written::Date(day), Some(day.to_string())),
            Dates::Serials => (Written::Number(serial(day) as f64), Some(day.to_string())),
            Dates::Iso => text(day, one_of(random, &["%Y-%m-%d", "%Y-%m-%dT10:31:00Z", "%Y/%m/%d"])),
            Dates::Dotted => text(day, "%d.%m.%Y"),
            Dates::Named => text(day, one_of(random, &["%-d %b %Y", "%b %-d, %Y", "%d-%b-%y"])),
            // The first row of the next ones tells the order: the 28th of May.
            Dates::DayFirst => text(if n == 0 { told } else { day }, "%d/%m/%Y"),
            Dates::MonthFirst => text(if n == 0 { told } else { day }, "%m/%d/%Y"),
            Dates::Four if n == 0 => text(told, "%d/%m/%Y"),
            Dates::Four => text(day, one_of(random, &["%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%-d %B %Y"])),
            Dates::BothOrders if n < 2 => text(told, ["%d/%m/%Y", "%m/%d/%Y"][n]),
            Dates::BothOrders => {
                let (written, date) = text(day, one_of(random, &["%d/%m/%Y", "%m/%d/%Y"]));
                let one_way = day.day() > 12 || day.day() == day.month();
                (written, date.filter(|_| one_way))
            }
        }
    }

    /// An amount as it is written and what it is; none when it cannot be one.
    fn amount(&self, random: &mut Random, currency: &str) -> (Written, Option<Option<i64>>) {
        let major = 1_000 + random.below(900_000) as i64;
        let places = if currency == "JPY" { 0 } else { 2 };
        let minor = |cents: i64| match places {
            0 => major + i64::from(cents >= 50),
            _ => major * 100 + cents,
        };
        let grouped = |mark: char| {
            let (thousands, rest) = (major / 1000, major % 1000);
            format!("{thousands}{mark}{rest:03}")
        };
        let text = |text: String, cents: i64| (Written::Text(text), Some(Some(minor(cents))));
        match random.below(14) {
            0 => (Written::Text("1.2k".into()), None),
            1 => (Written::Text("(310.00)".replace('.', if self.comma { "," } else { "." })), None),
            2 => (Written::Blank, Some(None)),
            3 if self.comma => text(format!("{},25", grouped('.')), 25),
            3 => text(format!("{}.25", grouped(',')), 25),
            4 if !self.currencies && !self.comma => text(format!("€ {}.75", grouped(',')), 75),
            4 if !self.currencies => text(format!("{},75 EUR", grouped('.')), 75),
            _ if self.comma => text(format!("{major},50"), 50),
            _ if self.csv => text(format!("{major}.50"), 50),
            _ => (Written::Number(major as f64 + 0.5), Some(Some(minor(50)))),
        }
    }
}

fn one_of<'a>(random: &mut Random, texts: &[&'a str]) -> &'a str {
    let chosen: &&str = random.pick(texts);
    chosen
}

/// One row with its truth. An id is 15 characters, as reports have them.
fn made_row(random: &mut Random, style: &Style, n: usize, id: usize) -> (Row, Truth) {
    let stages = ["Closed Won", "closed lost", "Closed Won", "Won", "Lost", "Negotiation", "Closed - other"];
    let stage = *random.pick(&stages);
    let outcome = match stage.to_lowercase().as_str() {
        "closed won" | "won" => Some("win"),
        "closed lost" | "lost" => Some("loss"),
        _ => None,
    };
    let (mut written, mut date) = style.date(random, n);
    if random.one_in(40) && n > 1 {
        (written, date) = (Written::Text((*random.pick(&["soon", "31/02/2024", "Q3"])).into()), None);
    }
    let mut currency = "EUR";
    let mut values = Row::new();
    if style.currencies {
        currency = *random.pick(&["EUR", "USD", "GBP", "JPY", "PLN", "", "Dollars"]);
        values.insert("currency", text(currency));
    }
    let (amount_written, amount) = style.amount(random, currency);
    let account = if random.one_in(25) {
        String::new()
    } else {
        let name = *random.pick(&["Müller & Söhne", "Halden AG", "O'Brien", "日本物産", "Customer"]);
        format!("{name} {}", random.below(40))
    };
    // Blanks around a name are not part of it, nor is a no-break space one.
    let account_written = if random.one_in(8) { format!("\u{a0}{account}  ") } else { account.clone() };
    let emails = style.columns.iter().any(|(f, _)| *f == "email");
    let (owner, email, whose) = *random.pick(&OWNERS);
    let whose = if emails || email.is_empty() || owner == "ANA  DUARTE" { whose } else { "" };
    // Without the column that tells them apart, the name is all there is.
    let whose = if !emails && owner == "Rohan Mehta" { "rohan.mehta@example.com" } else { whose };
    let id = format!("006X0000{id:07}");
    values.extend([
        ("id", text(&id)),
        ("name", text(&format!("Deal {n}"))),
        ("account", text(&account_written)),
        ("amount", amount_written),
        ("date", written),
        ("owner", text(owner)),
        ("email", text(email)),
    ]);
    let told = if style.flags {
        let (won, closed) = (outcome == Some("win"), outcome.is_some());
        values.extend([
            ("won", text(if won { "1" } else { "0" })),
            ("closed", text(if closed { "1" } else { "0" })),
        ]);
        if closed { Ok(outcome) } else { Ok(None) }
    } else {
        values.insert("stage", text(stage));
        if stage == "Closed - other" { Err(()) } else { Ok(outcome) }
    };
    let truth = match (told, date, amount) {
        (Ok(None), ..) => Truth::Skipped,
        (Ok(Some(outcome)), Some(date), Some(amount)) if !account.is_empty() && currency != "Dollars" => {
            let currency = if currency.is_empty() { "EUR" } else { currency }.to_owned();
            let amount = amount.map(|minor| (minor, currency));
            Truth::Kept(Kept { id, outcome, date, amount, account, owner: whose })
        }
        _ => Truth::Rejected,
    };
    (values, truth)
}

fn text(text: &str) -> Written {
    if text.is_empty() { Written::Blank } else { Written::Text(text.to_owned()) }
}

/// The table of one sheet with the noise that reports have, from a header on.
fn table(random: &mut Random, style: &Style, rows: &[(Row, Truth)]) -> Vec<(Vec<Written>, Option<Truth>)> {
    let mut grid: Vec<(Vec<Written>, Option<Truth>)> = Vec::new();
    for title in ["Wins and losses, all regions", "as of today"].iter().take(style.titles) {
        grid.push((vec![text(title)], None));
    }
    let header: Vec<Written> = style.columns.iter().map(|(_, name)| text(name)).collect();
    grid.push((header.clone(), None));
    for (place, (values, truth)) in rows.iter().enumerate() {
        match random.below(30) {
            0 if place > 0 => grid.push((vec![], Some(Truth::Skipped))),
            1 if place > 0 => grid.push((header.clone(), Some(Truth::Skipped))),
            _ => {}
        }
        grid.push((style.row(values), Some(truth.clone())));
        let kept = matches!(truth, Truth::Kept(_));
        match random.below(40) {
            // The same row again, once with the long spelling of its id.
            0 if kept => grid.push((style.row(values), Some(Truth::Skipped))),
            1 if kept => {
                let mut again = values.clone();
                if let Some(Written::Text(id)) = again.get_mut("id") {
                    id.push_str("AAC");
                }
                grid.push((style.row(&again), Some(Truth::Skipped)));
            }
            // The same id with other content: a person says which counts.
            2 if kept => {
                let mut other = values.clone();
                other.insert("account", text("Another Company"));
                grid.push((style.row(&other), Some(Truth::Rejected)));
            }
            _ => {}
        }
    }
    if random.one_in(2) {
        let mut total = vec![text(one_of(random, &["Total", "Grand Total (96 records)", "Summe"]))];
        if let Some(amount) = style.columns.iter().position(|(f, _)| *f == "amount").filter(|at| *at > 0) {
            total.resize(amount, Written::Blank);
            total.push(Written::Number(84_000.0));
        }
        grid.push((total, Some(Truth::Skipped)));
        if random.one_in(2) {
            grid.push((vec![], Some(Truth::Skipped)));
            grid.push((vec![text("Confidential Information - Do Not Distribute")], Some(Truth::Skipped)));
        }
    }
    grid
}

/// One report: a file, or one split into several; rows of different files differ.
fn report(random: &mut Random) -> Vec<File> {
    let style = Style::new(random);
    let files = if random.one_in(4) { 2 + random.below(2) } else { 1 };
    let mut made = Vec::new();
    let mut next = 1;
    for file in 0..files {
        let sheets = if style.csv { 1 } else { 1 + random.below(2) * random.below(4) };
        let mut grids = Vec::new();
        for _ in 0..sheets {
            let rows: Vec<(Row, Truth)> = (0..15 + random.below(40))
                .map(|n| {
                    next += 1;
                    made_row(random, &style, n, next)
                })
                .collect();
            grids.push(table(random, &style, &rows));
        }
        made.push(write_file(random, &style, file, grids));
    }
    made
}

type Grid = Vec<(Vec<Written>, Option<Truth>)>;

fn write_file(random: &mut Random, style: &Style, number: usize, grids: Vec<Grid>) -> File {
    let mut truth = BTreeMap::new();
    let mut keep = |sheet: usize, grid: &Grid| {
        for (row, (_, verdict)) in grid.iter().enumerate() {
            if let Some(verdict) = verdict {
                truth.insert((sheet, row + 1), verdict.clone());
            }
        }
    };
    if style.csv {
        let delimiter = if style.comma { b';' } else { *random.pick(b",\t|") };
        let mut out = csv::WriterBuilder::new().flexible(true).delimiter(delimiter).from_writer(vec![]);
        for (cells, _) in &grids[0] {
            // A blank line inside a table, as spreadsheets write it: only delimiters.
            let width = style.columns.len();
            let mut texts: Vec<String> = cells.iter().map(plain).collect();
            texts.resize(if cells.is_empty() { width } else { texts.len() }, String::new());
            out.write_record(&texts).unwrap();
        }
        keep(0, &grids[0]);
        let mut bytes = out.into_inner().unwrap();
        if random.one_in(3) {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        } else if random.one_in(3) {
            let text = String::from_utf8(bytes).unwrap();
            bytes = vec![0xff, 0xfe];
            bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        }
        return File { name: format!("made-{number}.csv"), bytes, truth };
    }
    let mut sheets: Vec<Sheet> = Vec::new();
    let notes = |sheets: &mut Vec<Sheet>, hidden: bool| {
        let name = format!("Notes {}", sheets.len());
        sheets.push(Sheet { name, hidden, rows: vec![vec![text("Exported for the review of the month")]] });
    };
    if random.one_in(4) {
        notes(&mut sheets, random.one_in(2));
    }
    let names = ["2025 Wins with SFDC", "Wins", "Report", "Sheet1", "Daten"];
    let months = ["Jan 2024", "Feb 2024", "Mar 2024", "Apr 2024"];
    for (n, grid) in grids.iter().enumerate() {
        let name = if grids.len() > 1 { months[n] } else { *random.pick(&names) };
        keep(sheets.len(), grid);
        let rows = grid.iter().map(|(cells, _)| cells.clone()).collect();
        sheets.push(Sheet { name: name.into(), hidden: false, rows });
    }
    if random.one_in(4) {
        notes(&mut sheets, random.one_in(2));
    }
    let bytes = match style.format {
        "ods" => ods(&sheets),
        "xlsb" => xlsb(&sheets, style.since_1904),
        "xls" => xls(&sheets, style.since_1904),
        _ => xlsx(random, &sheets, style.since_1904),
    };
    File { name: format!("made-{number}.{}", style.format), bytes, truth }
}

/// With rows that a filter hides: their data is there all the same.
fn xlsx(random: &mut Random, sheets: &[Sheet], from_1904: bool) -> Vec<u8> {
    let (mut book, format) = (Workbook::new(), Format::new().set_num_format("yyyy-mm-dd"));
    for Sheet { name, hidden, rows } in sheets {
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap().set_hidden(*hidden);
        for (r, cells) in rows.iter().enumerate() {
            let r = r as u32;
            for (c, cell) in cells.iter().enumerate() {
                let c = c as u16;
                match cell {
                    Written::Blank => {}
                    Written::Text(text) => drop(sheet.write_string(r, c, text).unwrap()),
                    Written::Number(number) => drop(sheet.write_number(r, c, *number).unwrap()),
                    Written::Date(day) => {
                        let days = day_number(*day, from_1904);
                        sheet.write_number_with_format(r, c, days, &format).unwrap();
                    }
                }
            }
            if r > 3 && random.one_in(12) {
                sheet.set_row_hidden(r).unwrap();
            }
        }
    }
    let bytes = book.save_to_buffer().unwrap();
    if from_1904 { since_1904(&bytes) } else { bytes }
}

fn plain(cell: &Written) -> String {
    match cell {
        Written::Blank => String::new(),
        Written::Text(text) => text.clone(),
        Written::Number(number) => number.to_string(),
        Written::Date(day) => day.to_string(),
    }
}

/// The same workbook with days counted from 1904, as old Macs wrote them.
fn since_1904(bytes: &[u8]) -> Vec<u8> {
    let mut from = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..from.len() {
        let mut part = from.by_index(n).unwrap();
        let name = part.name().unwrap().into_owned();
        let mut content = Vec::new();
        part.read_to_end(&mut content).unwrap();
        if name == "xl/workbook.xml" {
            let xml = String::from_utf8(content).unwrap();
            assert!(xml.contains("<workbookPr"), "{xml}");
            content = xml.replacen("<workbookPr", "<workbookPr date1904=\"1\"", 1).into_bytes();
        }
        to.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        to.write_all(&content).unwrap();
    }
    to.finish().unwrap().into_inner()
}

fn found(row: &WinRow, owner: &'static str) -> Truth {
    Truth::Kept(Kept {
        id: row.opportunity_id.chars().take(15).collect(),
        outcome: if row.outcome == "win" { "win" } else { "loss" },
        date: row.date.to_string(),
        amount: row.amount.map(|m| (m.minor, m.currency.to_string())),
        account: row.account.clone(),
        owner,
    })
}

fn owner_of(truth: &Truth) -> &'static str {
    match truth {
        Truth::Kept(kept) => kept.owner,
        _ => "",
    }
}

/// At least 99.5 % of the verdicts are right and no row is lost.
#[test]
fn verdicts_on_made_workbooks_are_right() {
    let (mut rows, mut wrong) = (0usize, Vec::new());
    let mapping = Mapping::parse("m", DEFAULT_WINS).unwrap();
    for seed in 1..=BOOKS {
        for file in report(&mut Random::new(seed)) {
            let opened = open(&file.name, &file.bytes, &Default::default()).unwrap();
            let read = read(&opened, &mapping, &Fixes::default(), EUR)
                .unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            assert_eq!(read.rows, file.truth.len(), "seed {seed}: a row was lost");
            assert_eq!(read.rows, read.kept.len() + read.rejected.len() + read.skipped.len(), "seed {seed}");
            for (place, expected) in &file.truth {
                rows += 1;
                let kept = read.kept.iter().find(|k| (k.sheet, k.row) == *place);
                let is = |all: &[pams::intake::wins::Aside]| all.iter().any(|a| (a.sheet, a.row) == *place);
                let found = match kept {
                    // Whose row it is, the store knows: see the next test.
                    Some(row) => found(row, owner_of(expected)),
                    None if is(&read.rejected) => Truth::Rejected,
                    None => Truth::Skipped,
                };
                if found != *expected {
                    wrong.push(format!("seed {seed} {place:?}: {expected:?} was read as {found:?}"));
                }
            }
        }
    }
    let right = 1.0 - wrong.len() as f64 / rows as f64;
    println!("{rows} rows, {:.3} % right", right * 100.0);
    wrong.iter().for_each(|w| println!("{w}"));
    assert!(right >= 0.995, "{:.3} % right; {:#?}", right * 100.0, &wrong[..wrong.len().min(8)]);
}

/// 20 February 2026, 10:30 UTC.
fn now() -> i64 {
    1_771_583_400_000
}

fn engine() -> (Engine, BTreeMap<&'static str, Id>) {
    let store = Store::with_backend(redb::backends::InMemoryBackend::new()).unwrap();
    let engine = Engine::alone(store, Via::Cli, now).unwrap();
    let (name, email) = PEOPLE[0];
    let set_up = SetUp {
        organisation: String::new(),
        name: name.into(),
        email: email.into(),
        team: String::new(),
        zone: "UTC".into(),
        day_minutes: 480,
        currency: "EUR".into(),
    };
    engine.run(&set_up).unwrap();
    let mut ids = BTreeMap::new();
    let mine = engine.ask(&pams::services::setup::WhoAmI {}).unwrap();
    ids.insert(email, mine.id);
    for (name, email) in &PEOPLE[1..] {
        let input = [("name", *name), ("email", *email)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let save = Save { kind: Kind::User, id: None, input: input.into(), seen_rev: None, ack: vec![] };
        let saved = engine.run(&save);
        ids.insert(email, saved.unwrap().reply.item.id);
    }
    (engine, ids)
}

/// What made workbooks leave in the store: each row that should be there with its
/// values and no one else's owner, nothing else; split reports come together.
#[test]
fn made_workbooks_import_with_no_wrong_owner() {
    let (mut rows, mut owned, mut wrong) = (0usize, 0usize, Vec::new());
    for seed in 1..=IMPORTED {
        let (engine, people) = engine();
        let mut expected: BTreeMap<String, Kept> = BTreeMap::new();
        let made = report(&mut Random::new(seed));
        for file in &made {
            // The parts of a split report share months: each adds to the others.
            let options = Options { append: made.len() > 1, ..Options::default() };
            let name = file.name.clone();
            let started = files::review(&engine, Target::Wins, name, &file.bytes, options).unwrap();
            engine.wait_for(started.job, |_| {}).unwrap();
            let done = engine.run(&CommitReview { review: started.review, agreed: true }).unwrap().reply;
            assert_eq!(done.rows, done.wins + done.losses + done.rejected + done.skipped, "seed {seed}");
            assert_eq!(done.rows, file.truth.len(), "seed {seed}");
            let kept = file.truth.values().filter_map(|t| match t {
                Truth::Kept(kept) => Some((kept.id.clone(), kept.clone())),
                _ => None,
            });
            expected.extend(kept);
        }
        let all = ListWins {
            month: None,
            owner: "all".into(),
            outcome: String::new(),
            source: "imported".into(),
            backwards: false,
            limit: 1_000,
            cursor: None,
        };
        let stored = engine.ask(&all).unwrap();
        assert!(stored.next.is_none());
        assert_eq!(stored.items.len(), expected.len(), "seed {seed}: rows in the store");
        for item in &stored.items {
            let text = |name: &str| item.values.get(name).and_then(|v| v.as_str()).unwrap_or_default();
            let id: String = text("opportunity_id").chars().take(15).collect();
            let Some(kept) = expected.get(&id) else {
                wrong.push(format!("seed {seed}: {id} should not be there"));
                continue;
            };
            rows += 1;
            let owner = people.get(kept.owner).map(Id::to_string).unwrap_or_default();
            assert_eq!(text("owner_id"), owner, "seed {seed} {id}: a wrong owner, raw {}", text("owner_raw"));
            owned += usize::from(!owner.is_empty());
            let same = text("outcome") == kept.outcome && text("date") == kept.date;
            if !same || text("account_raw") != kept.account {
                wrong.push(format!("seed {seed}: {kept:?} is stored as {item:?}"));
            }
        }
    }
    println!("{rows} rows stored, {owned} with an owner, none wrong");
    assert!(owned > rows / 4, "{owned} of {rows}");
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(8)]);
}
