//! The review of an import: its months on top, what is to be looked at on the left,
//! the rows of one such thing beside it, and what can be said to the row under hand.
//! All of it lives in the store, so leaving loses nothing. Nothing of the target is
//! written before it is committed.

use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind, Id, Outcome, text};
use crate::engine::{Changed, Engine, Progress, files};
use crate::intake::dialect::Dialect;
use crate::services::imports::{
    Answer, AnswerReview, CommitReview, DropReview, Line, ListLines, Options, Problem, ShowReview, Shown,
    TakeBack, Target,
};
use crate::tui::app::Cx;
use crate::tui::command::Refused;
use crate::tui::list::ListState;
use crate::tui::msg::{Data, Slot};
use crate::tui::widgets::DrawCx;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows of a problem that are fetched.
const LINES: usize = 500;

/// Which part of the screen the keys go to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Months,
    Problems,
    Rows,
    /// The columns of the table take the whole screen.
    Columns,
}

/// What a text that is asked for says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The text of the field at fault: of this row, or of all that are alike.
    Fix(Box<Line>, bool),
    /// What the column is.
    Field(usize, usize),
    Header(usize),
    /// How the text is written.
    Dialect,
    /// Where the rows that wait are written to.
    Rejects,
}

pub struct Review {
    id: Id,
    pub(super) shown: Shown,
    pub(super) progress: Option<Progress>,
    pub(super) part: Part,
    pub(super) months: ListState,
    pub(super) problems: ListState,
    pub(super) rows: ListState,
    pub(super) columns: ListState,
    pub(super) lines: Vec<Line>,
    pub committing: bool,
}

/// Reads a file and starts its review; of several at once, each has its own, and one that cannot
/// be read stops none of the others.
pub fn start(engine: &Engine, target: Target, typed: &str) -> Data {
    let one = |path: &str| match target {
        target if target.is_bulk() => files::review_in_place(engine, target, path),
        _ => files::read_path(path)
            .and_then(|(name, bytes)| files::review(engine, target, name, &bytes, Options::default())),
    };
    let paths = match files::named(typed) {
        Ok(paths) => paths,
        Err(failure) => return Data::Review(Err(failure)),
    };
    if let [path] = paths.as_slice() {
        return match one(path) {
            Ok(started) => open(engine, started.review),
            Err(failure) => Data::Review(Err(failure)),
        };
    }
    let failed: Vec<String> = paths.iter().filter_map(|path| one(path).err().map(|f| f.message)).collect();
    let read = text::count(paths.len() - failed.len(), "file");
    Data::Done(match failed.as_slice() {
        [] => Ok((format!("{read} under review"), None)),
        some => Err(Failure::invalid(format!("{read} under review, not these: {}", some.join("; ")))),
    })
}

/// Goes on with a review.
pub fn open(engine: &Engine, id: Id) -> Data {
    Data::Review(engine.ask(&ShowReview { review: id }).map(|shown| Box::new(Review::new(id, shown))))
}

impl Review {
    fn new(id: Id, shown: Shown) -> Review {
        Review {
            id,
            shown,
            progress: None,
            part: Part::Problems,
            months: ListState::default(),
            problems: ListState::default(),
            rows: ListState::default(),
            columns: ListState::default(),
            lines: vec![],
            committing: false,
        }
    }

    /// Shown for the first time. A file that was still being read is looked at again:
    /// its job may have ended before anybody here could hear of it.
    pub fn begin(&mut self, cx: &mut Cx) {
        match self.is_reading() {
            true => self.look(cx),
            false => self.take(self.shown.clone(), cx),
        }
    }

    /// The file is not read to its end yet.
    pub fn is_reading(&self) -> bool {
        self.shown.report.is_none() && self.shown.failure.is_none()
    }

    /// Before it is read, or where it cannot be, there is nothing to be said to it.
    pub fn refuses(&self, id: &str) -> Refused {
        let always = ["review.leave", "review.drop"].contains(&id)
            || id == "review.dialect" && self.shown.failure.is_some();
        let of_review = id.starts_with("review.") && !always;
        match (&self.shown.report, &self.shown.failure) {
            _ if !of_review => None,
            (Some(_), _) => None,
            (None, Some(_)) => Some("The file cannot be read: T says how its text is written, D gives it up"),
            (None, None) => Some("The file is being read"),
        }
    }

    pub fn file(&self) -> &str {
        &self.shown.open.file
    }

    /// The review as it stands after an answer, the cursor where it was.
    pub fn take(&mut self, shown: Shown, cx: &mut Cx) {
        let under = self.problem().map(|p| p.code.clone());
        self.shown = shown;
        let Some(report) = &self.shown.report else { return };
        if !report.missing.is_empty() {
            self.part = Part::Columns;
        }
        self.months.set_len(report.months.len());
        self.columns.set_len(report.columns.len());
        self.problems.set_len(report.problems.len());
        if let Some(place) = under.and_then(|code| report.problems.iter().position(|p| p.code == code)) {
            self.problems.cursor = place;
            self.problems.set_len(report.problems.len());
        }
        self.fetch(cx);
    }

    pub fn take_lines(&mut self, lines: Vec<Line>) {
        self.rows.set_len(lines.len());
        self.lines = lines;
    }

    /// Asks for the review anew, or for the rows of the problem under the cursor.
    fn fetch(&mut self, cx: &mut Cx) {
        let Some(problem) = self.problem() else { return self.take_lines(vec![]) };
        let ask = ListLines {
            review: self.id,
            code: problem.code.clone(),
            decided: problem.weight == "aside",
            from: 0,
            limit: LINES,
        };
        cx.work(Slot::Lines, move |engine| Data::Lines(engine.ask(&ask)));
    }

    pub fn look(&self, cx: &mut Cx) {
        let ask = ShowReview { review: self.id };
        cx.work(Slot::Review, move |engine| match engine.ask(&ask) {
            // Somebody else committed it or gave it up.
            Err(failure) if failure.kind == FailureKind::NotFound => Data::ReviewGone(failure),
            shown => Data::Reviewed(shown.map(Box::new)),
        });
    }

    /// Somebody said something to it, or ended it.
    pub fn changed(&mut self, changed: &Changed, cx: &mut Cx) {
        let meant = changed.ids.is_empty() || changed.ids.contains(&self.id);
        if meant && changed.kinds.contains(&Kind::Batch) && !self.committing {
            self.look(cx);
        }
    }

    /// The file's own job went on.
    pub fn job(&mut self, progress: Progress, cx: &mut Cx) {
        if progress.job == self.shown.open.job {
            self.progress = Some(progress);
            if progress.ended {
                self.look(cx);
            }
        }
    }

    pub(super) fn problem(&self) -> Option<&Problem> {
        self.shown.report.as_ref()?.problems.get(self.problems.cursor)
    }

    pub(super) fn line(&self) -> Option<&Line> {
        self.lines.get(self.rows.cursor)
    }

    /// Out of the columns and the rows first; false when there is nowhere to go back to.
    pub fn step_back(&mut self) -> bool {
        let missing = self.shown.report.as_ref().is_some_and(|r| !r.missing.is_empty());
        let back = self.part == Part::Rows || (self.part == Part::Columns && !missing);
        if back {
            self.part = Part::Problems;
        }
        back
    }

    /// What must be agreed to before it is committed.
    pub fn asks(&self) -> Outcome<String> {
        match (&self.shown.report, &self.shown.failure) {
            (Some(report), _) => match report.refusal() {
                Some(refusal) => Err(refusal),
                None => Ok(report.asks.join("; ")),
            },
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Err(Failure::conflict("The file is still being read")),
        }
    }

    fn list(&mut self) -> &mut ListState {
        match self.part {
            Part::Months => &mut self.months,
            Part::Problems => &mut self.problems,
            Part::Rows => &mut self.rows,
            Part::Columns => &mut self.columns,
        }
    }

    /// Runs a command; what it asks to be typed comes back as label, text and meaning.
    pub fn command(&mut self, id: &str, cx: &mut Cx) -> Outcome<Option<(String, String, Said)>> {
        if self.list().command(&id.replace("review.", "list.")) {
            if self.part == Part::Problems {
                self.rows = ListState { height: self.rows.height, ..ListState::default() };
                self.fetch(cx);
            }
            return Ok(None);
        }
        let append = self.shown.options.append;
        let stubs = self.shown.options.stub_accounts;
        match id {
            "review.part" => self.turn_part(),
            "review.columns" => {
                self.part = if self.part == Part::Columns { Part::Problems } else { Part::Columns };
            }
            "review.open" => return Ok(self.enter()),
            "review.next" | "review.last" => {
                self.part = Part::Problems;
                // Round and round: behind the last comes the first.
                let step = match id {
                    "review.next" if self.problems.cursor + 1 >= self.problems.len => "list.top",
                    "review.next" => "list.down",
                    _ if self.problems.cursor == 0 => "list.bottom",
                    _ => "list.up",
                };
                self.problems.command(step);
                self.rows = ListState { height: self.rows.height, ..ListState::default() };
                self.fetch(cx);
            }
            "review.back" => self.take_back(cx),
            "review.append" => self.say(vec![Answer::Append(!append)], cx),
            "review.stubs" => self.say(vec![Answer::Stubs(!stubs)], cx),
            "review.toggle" if self.part == Part::Months => self.toggle_month(cx),
            "review.clear" if self.part == Part::Columns => {
                let column = self.column();
                if let Some(column) = column.filter(|c| !c.field.is_empty()) {
                    let answer = Answer::Column { sheet: column.sheet, field: column.field, column: None };
                    self.say(vec![answer], cx);
                }
            }
            "review.sheet" => self.next_sheet(cx),
            "review.header" => {
                let sheet = self.column().map_or(0, |c| c.sheet);
                return Ok(Some(("row that names the columns".into(), String::new(), Said::Header(sheet))));
            }
            "review.dialect" => {
                let now = self.shown.report.as_ref().map_or("", |report| &report.dialect);
                if !now.is_empty() && !now.starts_with("csv") {
                    return Err(Failure::invalid(format!("It is no text but {now}")));
                }
                let label = "encoding, delimiter and quote".to_owned();
                return Ok(Some((label, now.trim_start_matches("csv, ").to_owned(), Said::Dialect)));
            }
            "review.aside" => {
                if let Some(line) = self.line() {
                    self.say(vec![Answer::Aside(vec![line.place])], cx);
                }
            }
            "review.aside_all" => {
                if let Some(problem) = self.problem() {
                    let answer = Answer::AsideAlike { code: problem.code.clone(), raw: None };
                    self.say(vec![answer], cx);
                }
            }
            "review.edit" | "review.edit_alike" => {
                let alike = id == "review.edit_alike";
                let Some(line) = self.line().filter(|l| !l.field.is_empty()).cloned() else {
                    return Err(Failure::invalid("There is no single text to mend in this row"));
                };
                let field = line.field.replace('_', " ");
                let label = match alike {
                    true => format!("{field} of {} rows", line.alike),
                    false => format!("{field} of row {}", line.place.1),
                };
                let raw = line.raw.clone();
                return Ok(Some((label, raw, Said::Fix(Box::new(line), alike))));
            }
            "review.rejects" => {
                let name = format!("{}.rejects.csv", self.file());
                return Ok(Some(("write the rows that wait to".into(), name, Said::Rejects)));
            }
            _ => {
                let digit = id.strip_prefix("review.choose_").and_then(|d| d.parse::<usize>().ok());
                let chosen = digit.and_then(|d| self.line()?.choices.get(d.checked_sub(1)?).cloned());
                match chosen {
                    Some(choice) => self.say(vec![choice.answer], cx),
                    None if digit.is_some() => {
                        return Err(Failure::invalid("There is no such choice for this row"));
                    }
                    None => {}
                }
            }
        }
        Ok(None)
    }

    fn turn_part(&mut self) {
        let months = self.months.len > 0;
        self.part = match self.part {
            Part::Months => Part::Problems,
            Part::Problems if !self.lines.is_empty() => Part::Rows,
            _ if months => Part::Months,
            _ => Part::Problems,
        };
    }

    fn enter(&mut self) -> Option<(String, String, Said)> {
        match self.part {
            Part::Columns => {
                let column = self.column()?;
                let label = format!("\"{}\" is", column.header);
                return Some((label, column.field.clone(), Said::Field(column.sheet, column.column)));
            }
            Part::Problems if !self.lines.is_empty() => self.part = Part::Rows,
            _ => {}
        }
        None
    }

    fn column(&self) -> Option<crate::services::imports::Column> {
        self.shown.report.as_ref()?.columns.get(self.columns.cursor).cloned()
    }

    fn toggle_month(&mut self, cx: &mut Cx) {
        let Some(counts) = self.shown.report.as_ref().and_then(|r| r.months.get(self.months.cursor)) else {
            return;
        };
        if let Ok(month) = Month::parse(&counts.month) {
            self.say(vec![Answer::Month { month, replace: counts.left_out }], cx);
        }
    }

    /// Reads the next sheet instead; its header is found again.
    fn next_sheet(&mut self, cx: &mut Cx) {
        let sheets = self.shown.sheets.len();
        let now = self.column().map_or(0, |c| c.sheet);
        if sheets > 1 {
            let next = (now + 1) % sheets;
            let others = (0..sheets).filter(|s| *s != next);
            let mut answers: Vec<Answer> =
                others.map(|sheet| Answer::Table { sheet, header: None }).collect();
            answers.push(Answer::Table { sheet: next, header: Some(0) });
            self.say(answers, cx);
        }
    }

    /// What was typed for something asked.
    pub fn said(&mut self, said: Said, text: &str, cx: &mut Cx) -> Outcome<()> {
        let answer = match said {
            Said::Fix(line, alike) => fix(&line, alike, text),
            Said::Field(sheet, column) => {
                let field = field_called(&self.shown.fields, text)?;
                Answer::Column { sheet, field, column: Some(column) }
            }
            Said::Header(sheet) => match text.parse::<usize>() {
                Ok(row) if row > 0 => Answer::Table { sheet, header: Some(row - 1) },
                _ => return Err(Failure::invalid(format!("\"{text}\" is not the number of a row"))),
            },
            Said::Dialect => Answer::Dialect(Dialect::parse(text)?),
            Said::Rejects => {
                let (path, review) = (text.to_owned(), self.id);
                let codes: Vec<String> = self
                    .shown
                    .report
                    .iter()
                    .flat_map(|r| &r.problems)
                    .filter(|p| p.weight == "fix" || p.weight == "aside")
                    .map(|p| p.code.clone())
                    .collect();
                cx.work(Slot::Action, move |engine| {
                    let written = files::write_waiting(engine, review, &codes, &path);
                    Data::Done(
                        written.map(|rows| (format!("{} written to {path}", text::count(rows, "row")), None)),
                    )
                });
                return Ok(());
            }
        };
        self.say(vec![answer], cx);
        Ok(())
    }

    fn say(&mut self, answers: Vec<Answer>, cx: &mut Cx) {
        let id = self.id;
        cx.work(Slot::Review, move |engine| {
            let said = engine.run(&AnswerReview { review: id, answers });
            let shown = said.and_then(|_| engine.ask(&ShowReview { review: id }));
            Data::Reviewed(shown.map(Box::new))
        });
    }

    fn take_back(&mut self, cx: &mut Cx) {
        let id = self.id;
        cx.work(Slot::Review, move |engine| {
            let back = engine.run(&TakeBack { review: id });
            let shown = back.and_then(|_| engine.ask(&ShowReview { review: id }));
            Data::Reviewed(shown.map(Box::new))
        });
    }

    /// The work that commits, once.
    pub fn commit(&mut self, agreed: bool) -> Box<dyn FnOnce(&Engine) -> Data + Send> {
        self.committing = true;
        let commit = CommitReview { review: self.id, agreed };
        Box::new(move |engine| {
            Data::Imported(engine.run(&commit).map(|r| {
                let i = &r.reply;
                let told = if i.notified > 0 { format!(", {} told", i.notified) } else { String::new() };
                let aside =
                    if i.rejected > 0 { format!(", {} set aside", i.rejected) } else { String::new() };
                match i.added + i.changed + i.removed {
                    0 => (None, format!("{}: nothing to change", i.file)),
                    _ => (Some(r.txn), format!("Imported {}: {}{aside}{told}", i.file, i.told())),
                }
            }))
        })
    }

    /// The work that drops it.
    pub fn give_up(&mut self) -> Box<dyn FnOnce(&Engine) -> Data + Send> {
        let (drop, file) = (DropReview { review: self.id }, self.file().to_owned());
        Box::new(move |engine| {
            Data::Imported(
                engine.run(&drop).map(|_| (None, format!("Given up: {file}; nothing was written"))),
            )
        })
    }

    pub fn layout(&mut self, area: Rect) {
        super::review_view::layout(self, area);
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        super::review_view::draw(self, area, buf, cx);
    }
}

/// A typed text as an answer: owners and accounts are names that are remembered.
fn fix(line: &Line, alike: bool, text: &str) -> Answer {
    let (raw, text) = (line.raw.clone(), text.to_owned());
    match line.code.as_str() {
        "OPP-06" => Answer::Owner { raw, who: text },
        "OPP-07" => Answer::Account { raw, who: text },
        _ if alike && !raw.is_empty() => Answer::Value { field: line.field.clone(), raw, value: text },
        _ => Answer::Cell { place: line.place, field: line.field.clone(), value: text },
    }
}

/// A field by its name, or by a beginning that only it has.
fn field_called(fields: &[String], text: &str) -> Outcome<String> {
    let wanted = text.trim().to_lowercase().replace(' ', "_");
    if let Some(field) = fields.iter().find(|f| **f == wanted) {
        return Ok(field.clone());
    }
    let begin: Vec<&String> = fields.iter().filter(|f| f.starts_with(&wanted)).collect();
    match begin.as_slice() {
        [one] if !wanted.is_empty() => Ok((*one).clone()),
        _ => Err(Failure::invalid(format!("\"{text}\" is not a field"))
            .hint(format!("Fields: {}", fields.join(", ")))),
    }
}
