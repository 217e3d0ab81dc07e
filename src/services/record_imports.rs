//! Accounts and projects from a table: columns by the names of fields, records found
//! again by external id or name, everything in one change.

use crate::changes::{Cause, Verdict};
use crate::domain::schema::{Field, Kind, Type};
use crate::domain::text::fold;
use crate::domain::value::Value;
use crate::domain::{Failure, Id, Outcome, Problem};
use crate::intake::open::{Cell, Sheet, open};
use crate::intake::wins::Aside;
use crate::services::input::Input;
use crate::services::records::Save;
use crate::services::uploads::{Source, load};
use crate::services::{Command, WriteCx, names};
use crate::store::{IndexKey, Reads};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Rows looked through for the header.
const HEADER_ROWS: usize = 20;
/// Rows set aside that a reply lists.
const MAX_SHOWN: usize = 200;

/// What other systems call our fields.
const SYNONYMS: [(&str, &[&str]); 10] = [
    (
        "name",
        &["account name", "customer", "customer name", "company", "company name", "project name", "title"],
    ),
    (
        "external_id",
        &[
            "account id",
            "customer id",
            "project id",
            "opportunity id",
            "id",
            "code",
            "customer code",
            "erp id",
        ],
    ),
    ("industry", &["sector", "branch", "vertical"]),
    ("region", &["territory", "area", "country"]),
    ("segment", &["size", "tier", "class"]),
    ("website", &["url", "web", "homepage"]),
    ("account", &["account name", "customer", "customer name", "company", "client"]),
    ("owner", &["account owner", "responsible"]),
    ("value", &["amount", "deal value", "budget"]),
    ("close_date", &["close date", "closing date", "end date"]),
];

/// Imports records of a kind. rows = added + changed + same + rejected + skipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportRecords {
    pub kind: Kind,
    pub source: Source,
    /// Says what would happen; nothing is kept.
    pub dry_run: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RecordsImport {
    pub rows: usize,
    pub added: usize,
    pub changed: usize,
    pub same: usize,
    pub rejected: usize,
    pub skipped: usize,
    /// field → column's header
    pub columns: Vec<(String, String)>,
    pub unmapped: Vec<String>,
    pub aside: Vec<Aside>,
    pub dry_run: bool,
}

impl Command for ImportRecords {
    const NAME: &'static str = "imports.records";
    type Reply = RecordsImport;

    fn run(&self, cx: &mut WriteCx) -> Outcome<RecordsImport> {
        let (name, bytes, _) = load(cx.reads(), &self.source)?;
        let opened = open(&name, &bytes)?;
        let (sheet, header, columns) = self.find_table(&opened.sheets)?;
        cx.set_cause(Cause::Import, None);
        let titles: Vec<String> = sheet.rows[header].iter().map(Cell::text).collect();
        let mut report = RecordsImport { dry_run: self.dry_run, ..RecordsImport::default() };
        report.columns = columns.iter().map(|(f, c)| (f.name.to_owned(), titles[*c].clone())).collect();
        report.unmapped = titles
            .iter()
            .enumerate()
            .filter(|(n, t)| !t.is_empty() && !columns.iter().any(|(_, c)| c == n))
            .map(|(_, t)| t.clone())
            .collect();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (number, row) in sheet.rows.iter().enumerate().skip(header + 1) {
            report.rows += 1;
            let cells: Vec<String> = row.iter().map(Cell::text).collect();
            let aside = |code: &str, message: String| Aside {
                row: number + 1,
                code: code.into(),
                message,
                cells: cells.clone(),
            };
            let repeated =
                columns.iter().all(|(_, c)| cells.get(*c).map(|t| fold(t)) == Some(fold(&titles[*c])));
            if row.iter().all(Cell::is_empty) || repeated {
                report.skipped += 1;
                continue;
            }
            let outcome = self.row(cx, &columns, &cells, number + 1, &mut seen);
            match outcome {
                Ok(Some(verdict)) => match verdict {
                    Done::Added => report.added += 1,
                    Done::Changed => report.changed += 1,
                    Done::Same => report.same += 1,
                },
                Ok(None) => report.skipped += 1,
                Err(failure)
                    if failure.problems.is_empty()
                        && failure.kind == crate::domain::FailureKind::Internal =>
                {
                    return Err(failure);
                }
                Err(failure) => {
                    report.rejected += 1;
                    let code = failure.problems.first().map_or("row", |p| p.rule.as_str()).to_owned();
                    if report.aside.len() < MAX_SHOWN {
                        report.aside.push(aside(&code, failure.message));
                    }
                }
            }
        }
        Ok(report)
    }
}

enum Done {
    Added,
    Changed,
    Same,
}

type Columns = Vec<(&'static Field, usize)>;

impl ImportRecords {
    /// The sheet and row whose cells name the most fields, the record's name among them.
    fn find_table<'a>(&self, sheets: &'a [Sheet]) -> Outcome<(&'a Sheet, usize, Columns)> {
        let mut best: Option<(&Sheet, usize, Columns)> = None;
        for sheet in sheets {
            for (number, row) in sheet.rows.iter().enumerate().take(HEADER_ROWS) {
                let columns = self.columns(row);
                if columns.len() > best.as_ref().map_or(0, |(_, _, c)| c.len()) {
                    best = Some((sheet, number, columns));
                }
            }
        }
        let required = self.kind.schema().fields.iter().filter(|f| f.required);
        let missing: Vec<&str> = match &best {
            Some((_, _, columns)) => {
                required.filter(|f| !columns.iter().any(|(c, _)| c.id == f.id)).map(|f| f.name).collect()
            }
            None => vec!["name"],
        };
        match best {
            Some(found) if missing.is_empty() => Ok(found),
            _ => {
                let message = format!("No column was found for: {}", missing.join(", "));
                let problem = Problem::error("file", "MAP-01", message.clone());
                let fields: Vec<&str> = self.fields().map(|f| f.name).collect();
                Err(Failure { problems: vec![problem], ..Failure::invalid(message) }
                    .hint(format!("Name the columns by the fields: {}", fields.join(", "))))
            }
        }
    }

    fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.kind.schema().fields.iter().filter(|f| !f.system && f.kind != Type::Data)
    }

    /// Fields by their own names first, then by what others call them; one to one.
    fn columns(&self, row: &[Cell]) -> Columns {
        let mut columns: Columns = Vec::new();
        for own in [true, false] {
            for field in self.fields() {
                let others =
                    SYNONYMS.iter().find(|(name, _)| *name == field.name).map_or(&[][..], |(_, o)| *o);
                let fits = |title: &str| match own {
                    true => title == fold(field.name),
                    false => others.iter().any(|o| fold(o) == title),
                };
                let free =
                    |columns: &Columns, n: usize| !columns.iter().any(|(f, c)| *c == n || f.id == field.id);
                let hit =
                    row.iter().enumerate().find(|(n, cell)| fits(&fold(&cell.text())) && free(&columns, *n));
                if let Some((place, _)) = hit {
                    columns.push((field, place));
                }
            }
        }
        columns
    }

    fn row(
        &self,
        cx: &mut WriteCx,
        columns: &Columns,
        cells: &[String],
        number: usize,
        seen: &mut HashMap<String, usize>,
    ) -> Outcome<Option<Done>> {
        let mut input = Input::new();
        for (field, column) in columns {
            let text = cells.get(*column).map_or("", String::as_str).trim();
            if !text.is_empty() {
                input.insert(field.name.to_owned(), text.to_owned());
            }
        }
        let text = |name: &str| input.get(name).cloned().unwrap_or_default();
        let key = match text("external_id") {
            id if id.is_empty() => format!("{}|{}", fold(&text("account")), fold(&text("name"))),
            id => id,
        };
        if let Some(first) = seen.insert(key, number) {
            let message = format!("The same record stands in row {first}");
            let problem = Problem::error("name", "repeated", message.clone());
            return Err(Failure { problems: vec![problem], ..Failure::invalid(message) });
        }
        let id = self.known(cx.reads(), &text("external_id"), &text("name"), &text("account"))?;
        let save = Save { kind: self.kind, id, input, seen_rev: None, ack: vec![] };
        if self.dry_run {
            return save.check(cx).map(|change| {
                Some(match (id, change) {
                    (None, _) => Done::Added,
                    (Some(_), true) => Done::Changed,
                    (Some(_), false) => Done::Same,
                })
            });
        }
        let saved = save.run(cx)?;
        Ok(Some(match (id, saved.verdict) {
            (None, _) => Done::Added,
            (Some(_), Verdict::NoOp) => Done::Same,
            (Some(_), _) => Done::Changed,
        }))
    }

    /// The record that a row is about: by external id, else by its whole name.
    fn known(&self, reads: &dyn Reads, external: &str, name: &str, account: &str) -> Outcome<Option<Id>> {
        let by_external = self.kind.schema().field_named("external_id").map(|f| f.id);
        let index = self.kind.schema().indexes.iter().find(|i| Some(i.fields[0]) == by_external);
        if let (Some(index), false) = (index, external.is_empty())
            && let Some(id) = reads.index_ids(IndexKey::new(index.number).text(external), 1)?.first()
        {
            return Ok(Some(*id));
        }
        let of = match account {
            "" => None,
            account => names::exact(reads, Kind::Account, account)?.first().copied(),
        };
        for id in names::exact(reads, self.kind, name)? {
            let fields = reads.fields(self.kind, id)?.unwrap_or_default();
            let fits =
                self.kind != Kind::Project || of.is_none_or(|of| fields.get(&2) == Some(&Value::Id(of)));
            if fits {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}
