//! `pams dev gen-legacy`: a file of legacy activities of any size with the faults that such
//! files have, and the truth about them.

use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::random::Random;
use chrono::{Days, NaiveDate};
use clap::ArgMatches;
use serde::Serialize;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What was put into a file: rows = good + undated + blank + repeats.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Truth {
    pub rows: usize,
    /// Rows with a day that say something of their own.
    pub good: usize,
    /// Rows whose day cannot be read.
    pub undated: usize,
    pub blank: usize,
    /// Rows that say again what another one says.
    pub repeats: usize,
    /// Good rows without an effort.
    pub no_effort: usize,
    pub owners: usize,
    pub accounts: usize,
    pub months: usize,
}

/// How large a file is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub rows: usize,
    pub months: usize,
    pub owners: usize,
    pub accounts: usize,
}

impl Size {
    /// As many owners and accounts as an organisation with so many rows would have.
    pub fn of(rows: usize, months: usize) -> Size {
        Size {
            rows,
            months: months.max(1),
            owners: (rows / 5_000).clamp(3, 300),
            accounts: (rows / 50).clamp(5, 20_000),
        }
    }
}

const HEADERS: [[&str; 9]; 3] = [
    ["Date", "Owner", "Account", "Project", "Type", "Hours", "Summary", "Notes", "Ticket"],
    ["Datum", "Mitarbeiter", "Kunde", "Projekt", "Art", "Aufwand (Std)", "Betreff", "Bemerkung", "Vorgang"],
    ["Fecha", "Responsable", "Cliente", "Proyecto", "Tipo", "Horas", "Asunto", "Observaciones", "Ticket"],
];
const TYPES: [&str; 6] = ["Demo", "POC", "Discovery", "Workshop", "Technical call", "RFP"];
const WORDS: [&str; 20] = [
    "pricing",
    "security",
    "platform",
    "rollout",
    "first",
    "talk",
    "follow",
    "up",
    "load",
    "test",
    "review",
    "plan",
    "team",
    "data",
    "partner",
    "training",
    "next",
    "steps",
    "sizing",
    "architecture",
];

fn words(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| WORDS[random.below(WORDS.len())]).collect::<Vec<_>>().join(" ")
}

/// Writes a file; the same seed writes the same.
pub fn write(path: &Path, size: Size, seed: u64) -> Outcome<Truth> {
    let failed = |e: std::io::Error| Failure::invalid(format!("{}: {}", path.display(), said(&e)));
    let mut to = BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    let mut random = Random::new(seed);
    let mut truth =
        Truth { owners: size.owners, accounts: size.accounts, months: size.months, ..Truth::default() };
    writeln!(to, "{}", HEADERS[seed as usize % 3].join(",")).map_err(failed)?;
    let first = NaiveDate::from_ymd_opt(2016, 1, 1).unwrap_or_default();
    let days = (size.months * 30).max(1) as u64;
    let mut last = String::new();
    for n in 0..size.rows {
        truth.rows += 1;
        let dice = random.below(1_000);
        if dice == 0 {
            truth.blank += 1;
            writeln!(to, ",,,,,,,,").map_err(failed)?;
            continue;
        }
        if dice == 1 && !last.is_empty() {
            truth.repeats += 1;
            write!(to, "{last}").map_err(failed)?;
            continue;
        }
        let date = first.checked_add_days(Days::new(random.below(days as usize) as u64)).unwrap_or(first);
        // The four ways in which such columns write days.
        let day = match random.below(4) {
            _ if dice == 2 => "n/a".to_owned(),
            0 => date.to_string(),
            1 => date.format("%d.%m.%Y").to_string(),
            2 => date.format("%d-%b-%y").to_string(),
            _ => date.format("%Y/%m/%d").to_string(),
        };
        let owner = random.below(size.owners);
        // An owner knows some of the accounts.
        let near = (size.accounts / size.owners).max(1);
        let account = (owner * near + random.below(near * 2)) % size.accounts;
        let account = if random.below(20) == 0 { String::new() } else { format!("Customer {account:05}") };
        let project = if account.is_empty() || random.below(3) > 0 { "" } else { "Platform" };
        let effort = match random.below(50) {
            0 => "",
            n => ["1", "2", "0.5", "4", "8"][n % 5],
        };
        let (kind, summary) = (TYPES[random.below(TYPES.len())], words(&mut random, 5));
        let notes = if random.below(3) == 0 { words(&mut random, 18) } else { String::new() };
        let rest = format!(
            "{day},Person {owner:03},{account},{project},{kind},{effort},{summary} {n},{notes},T-{n:07}\n"
        );
        write!(to, "{rest}").map_err(failed)?;
        match day == "n/a" {
            true => truth.undated += 1,
            false => {
                truth.good += 1;
                truth.no_effort += usize::from(effort.is_empty());
                last = rest;
            }
        }
    }
    to.flush().map_err(failed)?;
    Ok(truth)
}

pub fn generate(_context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(1);
    let out = matches.get_one::<PathBuf>("out").cloned().unwrap_or_else(|| PathBuf::from("legacy.csv"));
    let size = Size::of(number("rows") as usize, number("months") as usize);
    output::json(&write(&out, size, number("seed"))?);
    Ok(())
}
