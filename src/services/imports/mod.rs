//! The review of a file on its way in: one machine for every kind of record.
//!
//! A worker stages the file's cells; a review is those cells and what people said about
//! them, one answer after the other. Reading them again gives the verdicts, the plan
//! and the figures; nothing of the target is written before the commit, which is one
//! change and one undo. Reviews are kept until they are committed or dropped, so one
//! that was left half-way is gone on with, by another person too.

pub mod batches;
pub mod bulk;
mod edits;
mod lines;
pub mod records;
mod remembered;
mod requests;
pub mod staging;
pub mod unnamed;
pub mod uploads;
pub mod whom;
pub mod wins;

pub use lines::{Choice, Line};
pub use requests::*;

use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Money, Outcome, problem, text};
use crate::frames::{self};
use crate::intake::bulk::Said;
use crate::intake::dialect::Dialect;
use crate::intake::fixes::{Fixes, Place};
use crate::intake::open::{Cell, Opened};
use crate::intake::rules::{self, Weight};
use crate::intake::wins::Aside;
use crate::services::territories::bounds::BOUNDS;
use crate::services::{Settings, WriteCx};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use staging::Outline;
use std::collections::{BTreeMap, BTreeSet};

/// Local state: one row a review.
const REVIEW: &str = "review/";
/// Answers of one review.
const MAX_ANSWERS: usize = 20_000;
/// Rows set aside that a report lists; `rejects` has them all.
pub const MAX_SHOWN: usize = 100;
/// Values shown beside a column.
const SAMPLES: usize = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    #[default]
    Wins,
    Accounts,
    Projects,
    Outlets,
    Distributors,
    Chains,
    Reps,
    /// Of an earlier system: they become drafts, month by month.
    Activities,
}

impl Target {
    pub const ALL: [Target; 8] = [
        Target::Wins,
        Target::Accounts,
        Target::Projects,
        Target::Outlets,
        Target::Distributors,
        Target::Chains,
        Target::Reps,
        Target::Activities,
    ];

    pub fn of(kind: Kind) -> Option<Target> {
        Target::ALL.into_iter().find(|t| t.kind() == kind)
    }

    pub fn kind(self) -> Kind {
        match self {
            Target::Wins => Kind::Win,
            Target::Accounts => Kind::Account,
            Target::Projects => Kind::Project,
            Target::Outlets => Kind::Outlet,
            Target::Distributors => Kind::Distributor,
            Target::Chains => Kind::Chain,
            Target::Reps => Kind::Rep,
            Target::Activities => Kind::Activity,
        }
    }

    /// Its rows come by the million: the file is read where it lies.
    pub fn is_bulk(self) -> bool {
        matches!(self, Target::Outlets | Target::Activities)
    }

    /// As the batch has it.
    pub fn plural(self) -> &'static str {
        self.kind().schema().plural
    }
}

/// What is wished of an import, said at its start or during its review.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    pub month: Option<Month>,
    /// Adds and changes, removes nothing.
    pub append: bool,
    /// A mapping's name; the shipped one when empty, the batch's own for a batch.
    pub mapping: String,
    /// The person agreed that months lose many rows.
    pub agreed: bool,
    /// Raw owner → who it is; remembered. `-` means: not one of us.
    pub owners: Vec<(String, String)>,
    /// Raw account → which account it is; remembered. `-` leaves it as it is written.
    pub accounts: Vec<(String, String)>,
    /// Make accounts for names that are not known.
    pub stub_accounts: bool,
    /// Months of the file that stay as they are.
    pub left_out: BTreeSet<Month>,
    /// The month is made as the file has it, wins and losses both: a version comes back.
    #[serde(default)]
    pub whole_month: bool,
}

/// One thing said during a review; the last one can be taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Answer {
    /// How the text is written, instead of how it was guessed: the file is read again.
    Dialect(Dialect),
    /// Which row of a sheet is the header; none leaves the sheet out.
    Table {
        sheet: usize,
        header: Option<usize>,
    },
    /// Which column of a sheet a field is; none leaves the field out.
    Column {
        sheet: usize,
        field: String,
        column: Option<usize>,
    },
    Mapping(String),
    /// What a rule points at is mended, in all rows alike.
    Mend(String),
    /// "dmy" or "mdy".
    Dates(String),
    /// What a text of a field stands for, in all rows alike.
    Value {
        field: String,
        raw: String,
        value: String,
    },
    /// What one cell should say.
    Cell {
        place: Place,
        field: String,
        value: String,
    },
    /// Of rows that repeat an id, this one counts.
    Prefer(Place),
    Aside(Vec<Place>),
    /// All rows that a rule holds back, or those of them with this text.
    AsideAlike {
        code: String,
        raw: Option<String>,
    },
    Owner {
        raw: String,
        who: String,
    },
    Account {
        raw: String,
        who: String,
    },
    Stubs(bool),
    Append(bool),
    Month {
        month: Month,
        replace: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    pub id: Id,
    pub target: Target,
    pub file: String,
    /// BLAKE3 of the file; its bytes are kept under it.
    pub hash: [u8; 32],
    /// The mapping a batch was read with, when its file is read again.
    pub kept_mapping: Option<String>,
    pub options: Options,
    pub answers: Vec<Answer>,
    pub by: Id,
    pub touched_ms: i64,
    pub job: Id,
    /// Known once the worker has staged the file.
    pub outline: Option<Outline>,
    pub failure: Option<Failure>,
    /// Of rows by the million: where the file lies and what became of it.
    #[serde(default)]
    pub bulk: Option<bulk::Staged>,
    /// Which import each month held when this one began.
    #[serde(default)]
    pub claims: Vec<(Month, Id)>,
}

impl Review {
    fn load(reads: &dyn Reads, id: Id) -> Outcome<Review> {
        let none = || {
            Failure::not_found(format!("There is no open import {}", id.short()))
                .hint("It was committed or dropped; `pams import list` shows the open ones")
        };
        let review: Review = frames::decode(&reads.local(&format!("{REVIEW}{id}"))?.ok_or_else(none)?)?;
        if review.is_seen(reads)? { Ok(review) } else { Err(none()) }
    }

    /// Outlets on their way in are of all territories.
    fn is_seen(&self, reads: &dyn Reads) -> Outcome<bool> {
        Ok(self.target != Target::Outlets || reads.local(BOUNDS)?.is_none())
    }

    fn save(&self, cx: &mut WriteCx) -> Outcome<()> {
        // Others may have it open.
        cx.batch.touch(Kind::Batch, self.id);
        Ok(cx.batch.set_local(&format!("{REVIEW}{}", self.id), Some(&frames::encode(self)?))?)
    }

    /// What its file is read with: where that changes, it is read again.
    fn read_with(&self) -> Said {
        if let Some(staged) = &self.bulk {
            return staged.said.clone();
        }
        let mut dialects = self.answers.iter().rev().filter_map(|answer| match answer {
            Answer::Dialect(dialect) => Some(dialect),
            _ => None,
        });
        Said { dialect: dialects.next().cloned().unwrap_or_default(), ..Said::default() }
    }

    /// All that was said so far.
    fn said(&self) -> (Options, Fixes) {
        let (mut options, mut fixes) = (self.options.clone(), Fixes::default());
        for answer in self.answers.iter().cloned() {
            match answer {
                Answer::Table { sheet, header } => drop(fixes.tables.insert(sheet, header)),
                Answer::Column { sheet, field, column } => {
                    if column.is_some() {
                        fixes.columns.retain(|(of, _), c| *of != sheet || *c != column);
                    }
                    fixes.columns.insert((sheet, field), column);
                }
                Answer::Mapping(name) => options.mapping = name,
                Answer::Dates(order) => fixes.dates = order,
                Answer::Value { field, raw, value } => {
                    drop(fixes.values.insert((field, text::fold(&raw)), value));
                }
                Answer::Cell { place, field, value } => drop(fixes.cells.insert((place, field), value)),
                Answer::Prefer(place) => drop(fixes.prefer.insert(place)),
                Answer::Aside(places) => fixes.aside.extend(places),
                Answer::AsideAlike { .. } | Answer::Mend(_) | Answer::Dialect(_) => {}
                Answer::Owner { raw, who } => options.owners.push((raw, who)),
                Answer::Account { raw, who } => options.accounts.push((raw, who)),
                Answer::Stubs(yes) => options.stub_accounts = yes,
                Answer::Append(yes) => options.append = yes,
                Answer::Month { month, replace: true } => drop(options.left_out.remove(&month)),
                Answer::Month { month, replace: false } => drop(options.left_out.insert(month)),
            }
        }
        (options, fixes)
    }

    /// Reads the staged file with all that was said.
    fn prepare(&self, reads: &dyn Reads, settings: &Settings) -> Outcome<Prepared> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let Some(outline) = &self.outline else {
            return Err(Failure::conflict(format!("{} is still being read", self.file))
                .hint("`pams jobs list` shows how far it is"));
        };
        let (options, fixes) = self.said();
        let opened = || staging::staged(reads, self.id, outline);
        let mut prepared = match (&self.bulk, self.target) {
            (Some(staged), _) => bulk::prepare(reads, self, staged, options.append)?,
            (None, Target::Wins) => wins::prepare(reads, settings, self, opened()?, &options, &fixes)?,
            (None, _) => records::prepare(reads, settings, self.target, &opened()?, &fixes)?,
        };
        let report = &mut prepared.report;
        report.review = Some(self.id);
        report.target = self.target;
        (report.file, report.dialect) = (self.file.clone(), outline.dialect.clone());
        report.quarantined = report.rejected;
        report.imported = report.rows.saturating_sub(report.rejected + report.skipped + report.merged);
        report.problems = problems(&prepared.plan.counts());
        report.again = batches::imported_before(reads, settings, &self.hash, self.target)?;
        if self.target == Target::Activities && !report.again.is_empty() {
            report
                .asks
                .push(format!("This very file was loaded {}; its drafts would be there twice", report.again));
        }
        if self.target == Target::Wins {
            report.overtaken = wins::overtaken(reads, settings, self, report)?;
            report.asks.extend(report.overtaken.clone());
        }
        Ok(prepared)
    }
}

/// A file read, compared with the store, and ready to be written.
pub struct Prepared {
    pub report: Report,
    plan: Plan,
}

/// What a commit would write, by target.
enum Plan {
    Wins(Box<wins::Plan>),
    Records(records::Plan),
    Bulk(Box<bulk::Plan>),
    /// Columns are missing: there is nothing to write yet.
    None,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MonthCounts {
    pub month: String,
    pub wins: usize,
    pub losses: usize,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub same: usize,
    /// Imported rows that were stored before.
    pub stored: usize,
    pub closed: bool,
    /// The person said that it stays as it is.
    pub left_out: bool,
}

/// A column of the table: what stands above it, what it holds, what it is taken for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    pub sheet: usize,
    pub column: usize,
    pub header: String,
    pub samples: Vec<String>,
    /// Empty when it is used for nothing.
    pub field: String,
    /// 0 to 1, how often such a guess is right; none where it is no guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl Column {
    /// The confidence as people read it.
    pub fn told_confidence(&self) -> String {
        self.confidence.map(|c| format!("{:.0} %", (c * 100.0).floor())).unwrap_or_default()
    }
}

/// How many rows a rule holds back or points at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    pub code: String,
    pub label: String,
    /// "fix", "look", "aside" or "skipped"
    pub weight: String,
    pub rows: usize,
}

/// What an import does or did. rows = added + changed + same + rejected + skipped; of
/// wins, added + changed + same = wins + losses.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The batch; none for a preview, or when nothing changed.
    pub batch: Option<Id>,
    /// When this very file was imported before and by whom; empty when it was not.
    #[serde(default)]
    pub again: String,
    pub review: Option<Id>,
    pub target: Target,
    pub rows: usize,
    pub wins: usize,
    pub losses: usize,
    pub rejected: usize,
    pub skipped: usize,
    /// rows = imported + merged + quarantined + skipped
    #[serde(default)]
    pub imported: usize,
    /// Rows that say again what another row of the file says.
    #[serde(default)]
    pub merged: usize,
    #[serde(default)]
    pub quarantined: usize,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub same: usize,
    pub notified: usize,
    pub months: Vec<MonthCounts>,
    pub file: String,
    pub dialect: String,
    pub sheets: Vec<String>,
    pub columns: Vec<Column>,
    pub unmapped: Vec<String>,
    /// Fields that need a column before rows can be read.
    pub missing: Vec<String>,
    /// Sums a currency, never across: "win" or "loss" and the amount.
    pub totals: Vec<(String, Money)>,
    /// Owners nobody has named yet: raw text, rows, nearest users.
    pub unmatched_owners: Vec<(String, usize, Vec<String>)>,
    /// How many accounts would be made of the names that are not known here.
    #[serde(default)]
    pub new_accounts: usize,
    /// Those names as they are written, and their rows; the most frequent.
    pub unknown_accounts: Vec<(String, usize)>,
    /// Who will be told, or was.
    pub told: Vec<String>,
    /// code → rows
    pub reasons: BTreeMap<String, usize>,
    pub problems: Vec<Problem>,
    pub aside: Vec<Aside>,
    /// Months that would lose many rows, in words.
    pub asks: Vec<String>,
    /// Those among them that nobody can agree to beforehand: what others imported since.
    #[serde(default)]
    pub overtaken: Vec<String>,
    /// Fields that the file changes, where it names rows that are known by their keys and
    /// says no more of them; of others it has all.
    #[serde(default)]
    pub only: Vec<String>,
}

impl Report {
    /// Why nothing can be read yet: columns are missing.
    /// Months that it changes.
    fn touched(&self) -> impl Iterator<Item = &MonthCounts> {
        self.months.iter().filter(|m| m.added + m.changed + m.removed > 0)
    }

    pub fn refusal(&self) -> Option<Failure> {
        let missing = self.missing.join(", ");
        let none = self.columns.iter().all(|c| c.field.is_empty());
        let sheet = self.sheets.first().filter(|s| !s.is_empty());
        let of = sheet.map(|s| format!(" in sheet \"{s}\"")).unwrap_or_default();
        let (code, message) = match none {
            _ if missing.is_empty() => return None,
            true => {
                ("MAP-02", format!("No row of the file looks like the header of {}", self.target.plural()))
            }
            false => ("MAP-01", format!("No column was found{of} for: {missing}")),
        };
        let problem = problem::Problem::error("file", code, message.clone());
        let hint = match self.target {
            Target::Wins => {
                "Say which column is which in the review (--review keeps it), or add their names to a mapping with `pams wins mapping edit`"
            }
            _ => "Say which column is which in the review (--review keeps it), or call them as the fields",
        };
        Some(Failure { problems: vec![problem], ..Failure::invalid(message) }.hint(hint))
    }

    /// Where each row went.
    pub fn equation(&self) -> String {
        let ready = match self.target {
            Target::Wins => format!("{} won + {} lost", self.wins, self.losses),
            Target::Activities => format!("{} drafts", self.added),
            _ => format!("{} new + {} changed + {} same", self.added, self.changed, self.same),
        };
        let (rows, aside, skipped) = (self.rows, self.rejected, self.skipped);
        let merged = if self.merged > 0 { format!(" + {} merged", self.merged) } else { String::new() };
        format!("{rows} rows = {ready}{merged} + {aside} set aside + {skipped} skipped")
    }

    /// What the file can change, where that is not all: in words, else empty.
    pub fn scope(&self) -> String {
        let fields: Vec<String> = self.only.iter().map(|name| name.replace('_', " ")).collect();
        match fields.is_empty() {
            true => String::new(),
            false => format!("of known {} only {}", self.target.plural(), fields.join(", ")),
        }
    }

    /// What a commit did.
    pub fn told(&self) -> String {
        match self.target {
            Target::Activities => format!("{} drafts; nothing live is changed", self.added),
            _ => format!("{} added, {} changed, {} removed", self.added, self.changed, self.removed),
        }
    }

    /// Rows that still wait for a person.
    pub fn to_fix(&self) -> usize {
        let each = self.problems.iter().filter(|p| p.weight == "fix").map(|p| p.rows);
        // A row may break several rules.
        each.sum::<usize>().min(self.rejected)
    }
}

/// (code, decided) → rows, as a list for people: what must be mended first.
fn problems(counts: &BTreeMap<(String, bool), usize>) -> Vec<Problem> {
    let mut all: Vec<Problem> = counts
        .iter()
        .map(|((code, decided), rows)| {
            let rule = rules::find(code);
            let weight = match rule.map(|r| r.weight) {
                _ if *decided => "aside",
                Some(Weight::Look) => "look",
                Some(Weight::Skipped) => "skipped",
                _ => "fix",
            };
            let label = rule.map_or(code.as_str(), |r| r.label).to_owned();
            Problem { code: code.clone(), label, weight: weight.into(), rows: *rows }
        })
        .collect();
    let rank = |p: &Problem| ["fix", "look", "aside", "skipped"].iter().position(|w| *w == p.weight);
    all.sort_by(|a, b| (rank(a), b.rows, &a.code).cmp(&(rank(b), a.rows, &b.code)));
    all
}

impl Plan {
    /// (code, decided) → rows.
    fn counts(&self) -> BTreeMap<(String, bool), usize> {
        match self {
            Plan::Wins(plan) => plan.counts(),
            Plan::Records(plan) => plan.counts(),
            Plan::Bulk(plan) => plan.counts(),
            Plan::None => BTreeMap::new(),
        }
    }

    /// Makes the accounts that only the file knows; returns how many.
    fn make_accounts(&self, cx: &mut WriteCx) -> Outcome<usize> {
        match self {
            Plan::Wins(plan) => plan.make_accounts(cx),
            Plan::Records(_) | Plan::Bulk(_) | Plan::None => Ok(0),
        }
    }

    fn lines(&self, reads: &dyn Reads, code: &str, decided: bool) -> Outcome<Vec<Line>> {
        Ok(match self {
            Plan::Wins(plan) => plan.lines(code, decided),
            Plan::Records(plan) => plan.lines(code, decided),
            Plan::Bulk(plan) if !decided => plan.lines(reads, code)?,
            Plan::Bulk(_) | Plan::None => vec![],
        })
    }
}

/// What is shown of a cell as a sample: those of all columns go between processes in one frame.
fn sampled(cell: &str, columns: usize) -> String {
    const ALL: usize = 256 << 10;
    let longest = (ALL / (SAMPLES * columns.max(1))).clamp(8, 200);
    cell[..cell.floor_char_boundary(longest)].to_owned()
}

/// The columns of a table with some of what they hold.
fn columns(
    opened: &Opened,
    sheet: usize,
    header: usize,
    field_of: impl Fn(usize) -> Option<String>,
) -> Vec<Column> {
    let Some(rows) = opened.sheets.get(sheet).map(|s| &s.rows) else { return vec![] };
    let below = || rows.iter().skip(header + 1).take(200);
    let width = below().chain(rows.get(header)).map(Vec::len).max().unwrap_or(0);
    let text = |row: &Vec<Cell>, n: usize| row.get(n).map(Cell::text).unwrap_or_default();
    let mut all = Vec::new();
    for n in 0..width {
        let name = rows.get(header).map(|row| sampled(&text(row, n), width)).unwrap_or_default();
        let mut samples: Vec<String> = Vec::new();
        for row in below() {
            let sample = sampled(&text(row, n), width);
            if !sample.is_empty() && !samples.contains(&sample) {
                samples.push(sample);
            }
            if samples.len() == SAMPLES {
                break;
            }
        }
        if !name.is_empty() || !samples.is_empty() {
            let field = field_of(n).unwrap_or_default();
            all.push(Column { sheet, column: n, header: name, samples, field, confidence: None });
        }
    }
    all
}
