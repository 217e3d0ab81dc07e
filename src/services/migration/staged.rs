//! What a load left in the store: the rows of each month as they were read, the texts that
//! name owners and accounts, and how many rows there are of each kind.

use crate::changes::codec;
use crate::columns::Chunk;
use crate::domain::schema::{Batch, Kind};
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome};
use crate::intake::bulk::EXTRA;
use crate::intake::bulk::legacy::{KEYS, NAMED, PAIRS, column};
use crate::services::all_live;
use crate::services::datasets::{self, Hash, Manifest};
use crate::services::imports::uploads::unhex;
use crate::store::Reads;
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// A batch of legacy activities and what it is made of.
pub struct Staged<'a> {
    pub reads: &'a dyn Reads,
    pub id: Id,
    pub batch: Batch,
    pub manifest: Manifest,
}

/// Numbers of a row's owner, account, pair of account and project, type and use cases.
pub type Keys = [u32; 5];

/// A row as it was read.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Its row in the file, from 0.
    pub record: u32,
    pub keys: Keys,
    pub flags: u8,
    pub logged: Option<NaiveDate>,
    /// The row that says the same.
    pub first: Option<u32>,
    pub date: NaiveDate,
    pub effort: Option<i64>,
    pub due: Option<NaiveDate>,
    /// Texts of an activity's fields, by their numbers.
    pub texts: Vec<(u16, String)>,
    /// Cells of columns that are no field: their titles and texts.
    pub extras: Vec<(String, String)>,
    pub unread: String,
}

fn month_of(name: &str) -> Outcome<Month> {
    Month::parse(name).map_err(datasets::damaged)
}

impl Row {
    pub fn text(&self, field: u16) -> &str {
        self.texts.iter().find(|(number, _)| *number == field).map_or("", |(_, text)| text)
    }
}

/// All batches of legacy activities, the oldest first.
pub fn batches(reads: &dyn Reads) -> Outcome<Vec<(Id, Batch)>> {
    let mut all = all_live::<Batch>(reads)?;
    all.retain(|(_, batch)| batch.target == Kind::Activity.schema().plural);
    Ok(all)
}

impl<'a> Staged<'a> {
    /// A batch by its id, the end of it, or its file's name; without one, the only one that
    /// is not finished.
    ///
    /// # Errors
    /// Not found, or several that fit.
    pub fn open(reads: &'a dyn Reads, which: &str) -> Outcome<Staged<'a>> {
        let mut fitting = batches(reads)?;
        match which {
            "" => fitting.retain(|(_, batch)| batch.state == "draft"),
            "last" => {
                let mut made = Vec::new();
                for (id, batch) in fitting {
                    made.push((reads.history(Kind::Batch, id)?.first().copied(), id, batch));
                }
                let last = made.into_iter().max_by_key(|(seq, ..)| *seq);
                fitting = last.map(|(_, id, batch)| (id, batch)).into_iter().collect();
            }
            which => fitting.retain(|(id, batch)| id.ends_with(which) || batch.file == which),
        }
        let known = "`pams migration list` shows what was loaded";
        match fitting.len() {
            1 => {
                let (id, batch) = fitting.remove(0);
                Staged::of(reads, id, batch)
            }
            0 if which.is_empty() => Err(Failure::not_found("No legacy activities are loaded")
                .hint("`pams migration load FILE` takes a file in")),
            0 => Err(Failure::not_found(format!("There is no migration \"{which}\"")).hint(known)),
            n => {
                let names: Vec<String> =
                    fitting.iter().map(|(id, batch)| format!("{} ({})", batch.file, id.short())).collect();
                let failure = Failure::invalid(format!("There are {n} migrations: {}", names.join(", ")));
                Err(Failure { candidates: names, ..failure }.hint("Say which with --batch"))
            }
        }
    }

    pub fn of(reads: &'a dyn Reads, id: Id, batch: Batch) -> Outcome<Staged<'a>> {
        let lost = || Failure::internal("The rows of this migration are not kept here");
        let hash = unhex(&batch.mapping).ok_or_else(lost)?;
        if !reads.has_blob(&hash)? {
            return Err(Failure::conflict(format!("The rows of {} are still on their way here", batch.file))
                .hint("`pams sync` fetches them"));
        }
        Ok(Staged { reads, id, manifest: datasets::manifest(reads, &hash)?, batch })
    }

    fn pieces(&self, name: &str) -> &[(u32, Hash)] {
        self.manifest.pieces.get(name).map_or(&[], Vec::as_slice)
    }

    /// The texts of one of [`NAMED`]; the first is the empty one.
    pub fn named(&self, which: usize) -> Outcome<Vec<String>> {
        let mut all = Vec::new();
        for (_, hash) in self.pieces(NAMED[which]) {
            let bytes = datasets::piece(self.reads, hash)?;
            let texts = Chunk::read(&bytes).and_then(|c| c.texts(0)).map_err(datasets::damaged)?;
            all.extend(texts.iter().map(str::to_owned));
        }
        Ok(all)
    }

    /// Numbers of account and project's text; pair 1 is the first.
    pub fn pairs(&self) -> Outcome<Vec<[u32; 2]>> {
        let mut all = Vec::new();
        for (_, hash) in self.pieces(PAIRS) {
            let bytes = datasets::piece(self.reads, hash)?;
            let chunk = Chunk::read(&bytes).map_err(datasets::damaged)?;
            let column = |n: u16| chunk.codes(n).map_err(datasets::damaged);
            all.extend(column(0)?.into_iter().zip(column(1)?).map(|(account, text)| [account, text]));
        }
        Ok(all)
    }

    /// The keys and flags of every row, chunk by chunk, with the month: what counting needs.
    pub fn keys(&self, visit: &mut dyn FnMut(Month, &[Vec<u32>; 6])) -> Outcome<()> {
        let mut columns = Default::default();
        for (chunk, (_, hash)) in self.manifest.chunks.iter().zip(self.pieces(KEYS)) {
            self.keys_of(hash, &mut columns)?;
            visit(month_of(&chunk.first)?, &columns);
        }
        Ok(())
    }

    fn keys_of(&self, hash: &Hash, columns: &mut [Vec<u32>; 6]) -> Outcome<()> {
        let bytes = datasets::piece(self.reads, hash)?;
        let chunk = Chunk::read(&bytes).map_err(datasets::damaged)?;
        for (n, column) in columns.iter_mut().enumerate() {
            chunk.codes_into(n as u16, column).map_err(datasets::damaged)?;
        }
        Ok(())
    }

    /// Months that have rows, and how many.
    pub fn months(&self) -> BTreeMap<Month, usize> {
        let mut months = BTreeMap::new();
        for chunk in &self.manifest.chunks {
            if let Ok(month) = Month::parse(&chunk.first) {
                *months.entry(month).or_default() += chunk.rows as usize;
            }
        }
        months
    }

    /// The rows of a month, in the file's order.
    pub fn rows(&self, month: Month) -> Outcome<Vec<Row>> {
        let (name, mut rows) = (month.to_string(), Vec::new());
        let chunks = self.manifest.chunks.iter().zip(self.pieces(KEYS));
        let mut columns = Default::default();
        for (chunk, (_, keys)) in chunks.filter(|(chunk, _)| chunk.first == name) {
            let (bytes, from) = (datasets::piece(self.reads, &chunk.hash)?, rows.len());
            self.read(&bytes, &mut rows).map_err(datasets::damaged)?;
            self.keys_of(keys, &mut columns)?;
            for (n, column) in columns.iter().enumerate() {
                for (row, key) in rows[from..].iter_mut().zip(column) {
                    match row.keys.get_mut(n) {
                        Some(into) => *into = *key,
                        None => row.flags = *key as u8,
                    }
                }
            }
        }
        rows.sort_by_key(|row| row.record);
        Ok(rows)
    }

    fn read(&self, bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), codec::Damaged> {
        let chunk = Chunk::read(bytes)?;
        let from = rows.len();
        rows.resize(from + chunk.rows, Row::default());
        let rows = &mut rows[from..];
        let schema = Kind::Activity.schema();
        let day = |n: i64| NaiveDate::from_num_days_from_ce_opt(n as i32);
        for number in chunk.columns() {
            let field = schema.field(number).map(|f| f.name);
            let is_text = number == column::UNREAD
                || number & EXTRA != 0
                || !matches!(field, None | Some("date" | "effort" | "next_due"));
            if is_text {
                let texts = chunk.texts(number)?;
                let title = self.manifest.extras.get(&number);
                for (row, text) in rows.iter_mut().zip(texts.iter()).filter(|(_, text)| !text.is_empty()) {
                    match (number, title) {
                        (column::UNREAD, _) => row.unread = text.to_owned(),
                        (_, Some(title)) => row.extras.push((title.clone(), text.to_owned())),
                        (_, None) => row.texts.push((number, text.to_owned())),
                    }
                }
                continue;
            }
            let numbers = chunk.numbers(number)?;
            for (row, value) in rows.iter_mut().zip(&numbers.0) {
                let Some(value) = *value else { continue };
                match (number, field) {
                    (column::RECORD, _) => row.record = value as u32,
                    (column::LOGGED, _) => row.logged = day(value),
                    (column::FIRST, _) => row.first = Some(value as u32),
                    (_, Some("date")) => row.date = day(value).unwrap_or_default(),
                    (_, Some("effort")) => row.effort = Some(value),
                    (_, Some("next_due")) => row.due = day(value),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
