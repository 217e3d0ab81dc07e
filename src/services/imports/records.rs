//! What a table of accounts or projects means for the store: columns by the names of
//! fields, records found again by external id or name.

use crate::changes::Verdict;
use crate::domain::schema::{Field, Kind, Type};
use crate::domain::text::fold;
use crate::domain::value::Value;
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::intake::fixes::{Fixes, Place};
use crate::intake::garbled;
use crate::intake::open::{Cell, Opened, UNREAD_FORMULA};
use crate::intake::wins::{Aside, texts};
use crate::services::imports::batches::Rejects;
use crate::services::imports::{Line, MAX_SHOWN, Prepared, Report, Target};
use crate::services::input::Input;
use crate::services::records::Save;
use crate::services::{Command, Settings, WriteCx, names};
use crate::store::{IndexKey, Reads};
use std::collections::{BTreeMap, HashMap};

/// Rows looked through for the header.
const HEADER_ROWS: usize = 20;

/// What other systems call our fields.
const SYNONYMS: [(&str, &[&str]); 21] = [
    (
        "name",
        &["account name", "customer", "customer name", "company", "company name", "project name", "title"],
    ),
    ("external_id", &["account id", "customer id", "id", "code", "customer code", "erp id"]),
    ("industry", &["sector", "branch", "vertical"]),
    ("region", &["territory", "area", "country"]),
    ("segment", &["size", "tier", "class"]),
    ("website", &["url", "web", "homepage"]),
    ("account", &["account name", "customer", "customer name", "company", "client"]),
    ("owner", &["account owner", "responsible"]),
    ("value", &["amount", "deal value", "budget"]),
    ("close_date", &["close date", "closing date", "end date"]),
    ("city", &["town", "place", "ort", "ciudad", "cidade", "ville"]),
    ("latitude", &["lat", "y", "gps lat", "lat dd", "depot lat", "depot latitude", "breitengrad", "latitud"]),
    (
        "longitude",
        &[
            "lon",
            "long",
            "lng",
            "x",
            "gps long",
            "long dd",
            "depot lon",
            "depot longitude",
            "laengengrad",
            "longitud",
        ],
    ),
    ("phone", &["mobile", "telephone", "contact no", "phone number", "telefon", "telefono"]),
    ("capacity", &["warehouse capacity", "capacity cases"]),
    ("depot", &["start", "start point", "base", "home base", "warehouse"]),
    ("work_days", &["working days", "days", "weekdays", "calendar"]),
    ("day_minutes", &["hours a day", "hours per day", "daily hours", "working hours"]),
    ("days_off", &["holidays", "leave", "off days"]),
    ("head_office", &["head office", "hq", "headquarters"]),
    ("manager", &["asm", "supervisor", "reports to"]),
];

/// What others call the kinds themselves, in front of what they say of them.
const CALLED: [(Kind, &[&str]); 3] = [
    (Kind::Distributor, &["distributor", "dealer", "dt", "stockist", "wholesaler", "depot", "sub stockist"]),
    (Kind::Chain, &["chain", "banner", "retailer", "key account"]),
    (Kind::Rep, &["rep", "sales rep", "salesperson", "salesman", "seller", "merchandiser", "employee"]),
];

/// Kinds that are known by a code: two of one name are two.
fn has_codes(kind: Kind) -> bool {
    CALLED.iter().any(|(of, _)| *of == kind)
}

pub struct Plan {
    sheet_name: String,
    header: Vec<String>,
    columns: Columns,
    saves: Vec<Save>,
    rejected: Vec<Aside>,
    skipped: Vec<Aside>,
    /// Rows that go in and that a person should look at.
    looks: Vec<Aside>,
}

type Columns = Vec<(&'static Field, usize)>;

pub fn fields(kind: Kind) -> impl Iterator<Item = &'static Field> {
    kind.schema().fields.iter().filter(|f| !f.system && f.kind != Type::Data)
}

pub fn prepare(
    reads: &dyn Reads,
    settings: &Settings,
    target: Target,
    opened: &Opened,
    fixes: &Fixes,
) -> Outcome<Prepared> {
    let kind = target.kind();
    let (place, header, columns) = find_table(kind, opened, fixes);
    let mut report = Report::default();
    let Some(sheet) = opened.sheets.get(place) else {
        return Err(Failure::invalid(format!("The file has no sheet {}", place + 1)));
    };
    let field_of = |column| columns.iter().find(|(_, c)| *c == column).map(|(f, _)| f.name.to_owned());
    report.columns = super::columns(opened, place, header, field_of);
    report.sheets = vec![sheet.name.clone()];
    report.unmapped =
        report.columns.iter().filter(|c| c.field.is_empty()).map(|c| c.header.clone()).collect();
    let required = kind.schema().fields.iter().filter(|f| f.required);
    report.missing =
        required.filter(|f| !columns.iter().any(|(c, _)| c.id == f.id)).map(|f| f.label()).collect();
    if !report.missing.is_empty() {
        return Ok(Prepared { report, plan: super::Plan::None });
    }
    let titles: Vec<String> = sheet.rows[header].iter().map(Cell::text).collect();
    let mut plan = Plan {
        sheet_name: sheet.name.clone(),
        header: titles.clone(),
        columns,
        saves: vec![],
        rejected: vec![],
        skipped: vec![],
        looks: vec![],
    };
    let seen = HashMap::new();
    let mut rows = Rows { reads, settings, kind, columns: &plan.columns.clone(), fixes, seen };
    for (number, row) in sheet.rows.iter().enumerate().skip(header + 1) {
        report.rows += 1;
        let at = (place, number + 1);
        let aside = |code: &str, message: String| aside(at, code, message, row);
        let repeats = |c: usize| row.get(c).map(|t| fold(&t.text())) == titles.get(c).map(|t| fold(t));
        if row.iter().all(Cell::is_empty) {
            plan.skipped.push(*aside("FIL-06", "blank".into()));
        } else if plan.columns.iter().all(|(_, c)| repeats(*c)) {
            plan.skipped.push(*aside("FIL-07", "the header again".into()));
        } else if fixes.aside.contains(&at) {
            plan.rejected.push(Aside { decided: true, ..*aside("REV-01", "set aside in the review".into()) });
        } else {
            match rows.plan(at, row)? {
                Ok((save, changes)) => {
                    plan.looks.extend(looks(at, row, &save));
                    *(match (save.id, changes) {
                        (None, _) => &mut report.added,
                        (Some(_), true) => &mut report.changed,
                        (Some(_), false) => &mut report.same,
                    }) += 1;
                    if changes {
                        plan.saves.push(save);
                    }
                }
                Err(found) => plan.rejected.push(*found),
            }
        }
    }
    (report.rejected, report.skipped) = (plan.rejected.len(), plan.skipped.len());
    for found in plan.rejected.iter().chain(&plan.skipped) {
        *report.reasons.entry(found.code.clone()).or_default() += 1;
    }
    report.aside = plan.rejected.iter().take(MAX_SHOWN).cloned().collect();
    Ok(Prepared { report, plan: super::Plan::Records(plan) })
}

fn aside(place: Place, code: &str, message: String, row: &[Cell]) -> Box<Aside> {
    Box::new(Aside {
        sheet: place.0,
        row: place.1,
        code: code.into(),
        message,
        field: String::new(),
        raw: String::new(),
        decided: false,
        cells: texts(row),
    })
}

/// The sheet and row whose cells name the most fields, or those that a person chose.
fn find_table(kind: Kind, opened: &Opened, fixes: &Fixes) -> (usize, usize, Columns) {
    let mut best = (0, 0, Columns::new());
    let chosen = fixes.tables.iter().find_map(|(sheet, header)| header.map(|h| (*sheet, h)));
    for (place, sheet) in opened.sheets.iter().enumerate() {
        if fixes.tables.get(&place) == Some(&None) || chosen.is_some_and(|(s, _)| s != place) {
            continue;
        }
        for (number, row) in
            sheet.rows.iter().enumerate().take(HEADER_ROWS.max(chosen.map_or(0, |c| c.1 + 1)))
        {
            let found = columns(kind, row);
            let here = chosen == Some((place, number));
            if here || (chosen.is_none() && found.len() > best.2.len()) {
                best = (place, number, found);
            }
        }
    }
    for ((sheet, name), column) in &fixes.columns {
        let Some(field) = kind.schema().field_named(name).filter(|_| *sheet == best.0) else { continue };
        best.2.retain(|(f, c)| f.id != field.id && Some(*c) != *column);
        best.2.extend(column.map(|c| (field, c)));
    }
    best
}

/// Fields by their own names first, then by what others call them; one to one.
fn columns(kind: Kind, row: &[Cell]) -> Columns {
    let mut columns: Columns = Vec::new();
    for own in [true, false] {
        for field in fields(kind) {
            let others = SYNONYMS.iter().find(|(name, _)| *name == field.name).map_or(&[][..], |(_, o)| *o);
            // "Dealer code" of a table of distributors is the code.
            let bare = |title: &str| {
                let called = CALLED.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, words)| *words);
                let begin = called.iter().find_map(|w| title.strip_prefix(w)?.strip_prefix(' '));
                begin.map_or(title.to_owned(), str::to_owned)
            };
            let fits = |title: &str| match own {
                true => title == fold(field.name) || bare(title) == fold(field.name),
                false => {
                    let own_id = field.name == "external_id" && title == format!("{} id", kind.name());
                    own_id || others.iter().any(|o| fold(o) == title || fold(o) == bare(title))
                }
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

/// Reads rows one after the other.
struct Rows<'a> {
    reads: &'a dyn Reads,
    settings: &'a Settings,
    kind: Kind,
    columns: &'a Columns,
    fixes: &'a Fixes,
    /// Key of a record → the row it stands in.
    seen: HashMap<String, usize>,
}

impl Rows<'_> {
    /// A row as a save and whether it changes anything, or why it waits.
    fn plan(&mut self, at: Place, row: &[Cell]) -> Outcome<Result<(Save, bool), Box<Aside>>> {
        let mut input = Input::new();
        for (field, column) in self.columns {
            let cell = self.fixes.cell(at, field.name, row.get(*column).unwrap_or(&Cell::Empty));
            let text = cell.text().trim().to_owned();
            if text == UNREAD_FORMULA {
                let message = format!("the {} is a formula whose value is not in the file", field.label());
                return Ok(Err(aside(at, "FIL-09", message, row).about(field.name, UNREAD_FORMULA)));
            }
            if !text.is_empty() {
                input.insert(field.name.to_owned(), text);
            }
        }
        let text = |name: &str| input.get(name).cloned().unwrap_or_default();
        let external = text("external_id");
        if garbled::is_scientific(&external) {
            let message = format!("\"{external}\" stands for many ids");
            return Ok(Err(aside(at, "REC-06", message, row).about("external_id", &external)));
        }
        let key = match external.as_str() {
            "" => format!("{}|{}", fold(&text("account")), fold(&text("name"))),
            id => id.to_owned(),
        };
        if let Some(first) = self.seen.get(&key) {
            let message = format!("the same record stands in row {first}");
            return Ok(Err(aside(at, "REC-04", message, row).about("name", &text("name"))));
        }
        self.seen.insert(key, at.1);
        let kind = self.kind;
        let id = known(self.reads, kind, &external, &text("name"), &text("account"))?;
        let save = Save { kind, id, input: input.clone(), seen_rev: None, ack: vec![] };
        match save.check(self.reads, self.settings) {
            Ok(changes) => Ok(Ok((save, changes))),
            Err(failure) if failure.kind == FailureKind::Internal => Err(failure),
            Err(failure) => {
                let problem = failure.problems.first();
                let field = problem.map_or("name", |p| p.field.as_str()).to_owned();
                let code = match problem.map_or("", |p| p.rule.as_str()) {
                    "required" => "REC-01",
                    "format" => "REC-02",
                    "unknown" => "REC-03",
                    _ => "REC-05",
                };
                let raw = input.get(&field).cloned().unwrap_or_default();
                Ok(Err(aside(at, code, failure.message, row).about(&field, &raw)))
            }
        }
    }
}

/// Texts of a row that look spoilt.
fn looks(at: Place, row: &[Cell], save: &Save) -> Vec<Aside> {
    let look = |(field, raw): (&String, &String)| {
        let (code, mended) = garbled::mended(raw)?;
        Some(*aside(at, code, format!("\"{raw}\" may be \"{mended}\""), row).about(field, raw))
    };
    save.input.iter().filter_map(look).collect()
}

/// The record that a row is about: by external id, else by its whole name.
fn known(reads: &dyn Reads, kind: Kind, external: &str, name: &str, account: &str) -> Outcome<Option<Id>> {
    let by_external = kind.schema().field_named("external_id").map(|f| f.id);
    let index = kind.schema().indexes.iter().find(|i| Some(i.fields[0]) == by_external);
    if let (Some(index), false) = (index, external.is_empty())
        && let Some(id) = reads.index_ids(IndexKey::new(index.number).text(external), 1)?.first()
    {
        return Ok(Some(*id));
    }
    let of = match account {
        "" => None,
        account => names::exact(reads, Kind::Account, account)?.first().copied(),
    };
    for id in names::exact(reads, kind, name)? {
        let fields = reads.fields(kind, id)?.unwrap_or_default();
        let coded = by_external.is_some_and(|f| fields.contains_key(&f));
        if has_codes(kind) && coded && !external.is_empty() {
            continue;
        }
        if kind != Kind::Project || of.is_none_or(|of| fields.get(&2) == Some(&Value::Id(of))) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

impl Plan {
    /// Writes the records; false when nothing changes.
    pub fn commit(&self, cx: &mut WriteCx) -> Outcome<bool> {
        let mut written = false;
        for save in &self.saves {
            written |= save.run(cx)?.verdict != Verdict::NoOp;
        }
        Ok(written)
    }

    pub fn sheet(&self) -> String {
        self.sheet_name.clone()
    }

    pub fn rejects(&self) -> Rejects {
        Rejects { header: self.header.clone(), rows: self.rejected.clone(), next: None }
    }

    /// (code, decided) → rows.
    pub fn counts(&self) -> BTreeMap<(String, bool), usize> {
        let mut counts: BTreeMap<(String, bool), usize> = BTreeMap::new();
        for aside in self.rejected.iter().chain(&self.skipped).chain(&self.looks) {
            *counts.entry((aside.code.clone(), aside.decided)).or_default() += 1;
        }
        counts
    }

    pub fn lines(&self, code: &str, decided: bool) -> Vec<Line> {
        let all = self.rejected.iter().chain(&self.skipped).chain(&self.looks);
        let cells = |a: &Aside| {
            let of = |(f, c): &(&Field, usize)| Some((f.name.to_owned(), a.cells.get(*c)?.clone()));
            self.columns.iter().filter_map(of).filter(|(_, text)| !text.is_empty()).collect()
        };
        all.filter(|a| a.code == code && a.decided == decided)
            .map(|a| Line {
                place: (a.sheet, a.row),
                code: a.code.clone(),
                message: a.message.clone(),
                field: a.field.clone(),
                raw: a.raw.clone(),
                cells: cells(a),
                ..Line::default()
            })
            .collect()
    }
}
