//! The review of an import: months on top, problems at the left, their rows at the
//! right. Nothing is written before it is committed.

use crate::engine::{Engine, files};
use crate::services::imports::{ImportWins, Options, PreviewWins, WinsImport};
use crate::services::uploads::Source;
use crate::tui::app::Cx;
use crate::tui::list::ListState;
use crate::tui::msg::{Data, Slot};
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub struct Review {
    pub source: Source,
    pub options: Options,
    pub import: WinsImport,
    list: ListState,
    pub committing: bool,
}

/// A line of the left list: what it is about and how many rows.
enum Problem {
    Code(String, usize),
    /// raw name, rows, nearest users
    Owner(String, usize, Vec<String>),
    Accounts(usize),
}

/// Months shown; a workbook of years has more than fit.
const MONTHS: usize = 7;

/// Reads, sends and previews a file.
pub fn start(engine: &Engine, path: &str) -> Data {
    let source = files::read_path(path).and_then(|(name, bytes)| files::upload(engine, name, &bytes));
    let reviewed = source.and_then(|source| {
        let ask = PreviewWins { source: source.clone(), options: Options::default() };
        let preview = engine.ask(&ask).inspect_err(|_| files::forget(engine, &source))?;
        Ok(Box::new(Review::new(source, Options::default(), preview)))
    });
    Data::Review(reviewed)
}

impl Review {
    fn new(source: Source, options: Options, import: WinsImport) -> Review {
        let mut review = Review { source, options, import, list: ListState::default(), committing: false };
        review.list.set_len(review.problems().len());
        review
    }

    fn problems(&self) -> Vec<Problem> {
        let i = &self.import;
        let mut all: Vec<Problem> =
            i.reasons.iter().map(|(code, rows)| Problem::Code(code.clone(), *rows)).collect();
        let answered = |raw: &str| self.options.owners.iter().any(|(r, _)| r == raw);
        let owners = i.unmatched_owners.iter().filter(|(raw, ..)| !answered(raw));
        all.extend(owners.map(|(raw, n, near)| Problem::Owner(raw.clone(), *n, near.clone())));
        if !i.unknown_accounts.is_empty() {
            all.push(Problem::Accounts(i.unknown_accounts.len()));
        }
        all
    }

    /// The same place after an answer changed the preview.
    pub fn take(&mut self, import: WinsImport) {
        self.import = import;
        let len = self.problems().len();
        self.list.set_len(len);
    }

    pub fn command(&mut self, id: &str, cx: &mut Cx) {
        if self.list.command(&id.replace("review.", "list.")) {
            return;
        }
        match id {
            "review.append" => self.options.append = !self.options.append,
            "review.stubs" => self.options.stub_accounts = !self.options.stub_accounts,
            "review.take_1" | "review.take_2" | "review.take_3" | "review.nobody" => {
                let chosen = self.problems().into_iter().nth(self.list.cursor);
                let Some(Problem::Owner(raw, _, near)) = chosen else { return };
                let place = usize::from(id.as_bytes()[id.len() - 1].wrapping_sub(b'1'));
                let who = if id == "review.nobody" { Some("-".to_owned()) } else { near.get(place).cloned() };
                let Some(who) = who else { return };
                self.options.owners.push((raw, who));
            }
            _ => return,
        }
        let ask = PreviewWins { source: self.source.clone(), options: self.options.clone() };
        cx.work(Slot::Form, move |engine| Data::Reviewed(engine.ask(&ask).map(Box::new)));
    }

    /// The job that commits, once.
    pub fn commit(&mut self, agreed: bool) -> Box<dyn FnOnce(&Engine) -> Data + Send> {
        self.committing = true;
        let source = self.source.clone();
        let options = Options { agreed: agreed || self.options.agreed, ..self.options.clone() };
        Box::new(move |engine| {
            let done = engine.run(&ImportWins { source: source.clone(), options });
            if done.is_ok() {
                files::forget(engine, &source);
            }
            Data::Imported(done.map(|r| {
                let i = &r.reply;
                let text = match i.added + i.changed + i.removed {
                    0 => format!("{}: nothing to change", i.file),
                    _ => format!(
                        "Imported {}: {} added, {} changed, {} removed, {} set aside, {} told",
                        i.file, i.added, i.changed, i.removed, i.rejected, i.notified
                    ),
                };
                (r.txn, text)
            }))
        })
    }

    pub fn layout(&mut self, area: Rect) {
        let months = self.import.months.len().min(MONTHS) as u16;
        self.list.set_height(usize::from(area.height.saturating_sub(months + 6)));
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let i = &self.import;
        let sheets: Vec<&str> = i.sheets.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        let sheet = if sheets.is_empty() { String::new() } else { format!(", sheet {}", sheets.join(", ")) };
        rule(
            buf,
            area,
            0,
            &format!("Review: {}{sheet} ({})", i.file, i.dialect),
            "nothing is written before C",
            cx,
        );
        let wide = usize::from(area.width);
        let equation = format!(
            "{} rows = {} won + {} lost + {} set aside + {} skipped",
            i.rows, i.wins, i.losses, i.rejected, i.skipped
        );
        put(buf, area, 1, 1, &cx.cut(&equation, wide - 2), cx.style("text.title"));
        let mode = if self.options.append {
            "append (p): removes nothing"
        } else {
            "replace (p): rows that are gone are removed"
        };
        let stubs = if self.options.stub_accounts { ", unknown accounts are made (s)" } else { "" };
        put(buf, area, 1, 2, &cx.cut(&format!("{mode}{stubs}"), wide - 2), cx.style("text.muted"));
        let head = "month      won  lost  added  changed  removed   same  stored";
        put(buf, area, 1, 3, &cx.cut(head, wide - 2), cx.style("text.muted"));
        let mut y = 4;
        // The newest months matter most.
        for m in i.months.iter().rev().take(MONTHS) {
            let closed = if m.closed { "  closed" } else { "" };
            let line = format!(
                "{}  {:>5} {:>5} {:>6} {:>8} {:>8} {:>6} {:>7}{closed}",
                m.month, m.wins, m.losses, m.added, m.changed, m.removed, m.same, m.stored
            );
            let style = if m.removed > 0 || m.closed { "status.warning" } else { "text" };
            put(buf, area, 1, y, &cx.cut(&line, wide - 2), cx.style(style));
            y += 1;
        }
        let more = i.months.len().saturating_sub(MONTHS);
        let note = if more > 0 { format!("{more} earlier months") } else { String::new() };
        rule(buf, area, y, "Look at", &note, cx);
        let below = part(area, 0, y + 1, area.width, area.height.saturating_sub(y + 1));
        self.draw_problems(below, buf, cx);
    }

    fn draw_problems(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let problems = self.problems();
        let left = (area.width / 3).max(30).min(area.width);
        if problems.is_empty() {
            put(buf, area, 1, 0, "Nothing: every row is ready. C commits.", cx.style("status.good"));
            return;
        }
        for (y, place) in self.list.visible().enumerate() {
            let text = match &problems[place] {
                Problem::Code(code, rows) => format!("{} {rows}", cx.fit(label(code), usize::from(left) - 9)),
                Problem::Owner(raw, rows, _) => {
                    format!("{} {rows}", cx.fit(&format!("owner {raw}?"), usize::from(left) - 9))
                }
                Problem::Accounts(n) => {
                    format!("{} {n}", cx.fit("accounts not known", usize::from(left) - 9))
                }
            };
            let cursor = place == self.list.cursor;
            let sign = if cursor { ">" } else { " " };
            let style = if cursor { cx.style("selection") } else { cx.style("text") };
            put(buf, area, 0, y as u16, &cx.fit(&format!("{sign} {text}"), usize::from(left) - 1), style);
        }
        let right = part(area, left + 1, 0, area.width.saturating_sub(left + 1), area.height);
        let lines: Vec<String> = match problems.get(self.list.cursor) {
            Some(Problem::Code(code, _)) => {
                let rows = self.import.aside.iter().filter(|a| a.code == *code);
                let lines: Vec<String> = rows.map(|a| format!("row {}: {}", a.row, a.message)).collect();
                if lines.is_empty() { vec!["skipped, as it should be".into()] } else { lines }
            }
            Some(Problem::Owner(raw, _, near)) => {
                let mut lines = vec![format!("Who is \"{raw}\"? Never guessed, remembered once answered.")];
                lines.extend(near.iter().enumerate().map(|(n, name)| format!("{} {name}", n + 1)));
                lines.push("0 nobody of us".into());
                lines
            }
            Some(Problem::Accounts(_)) => {
                let mut lines = vec!["They stay as they are written; s makes accounts of them.".to_owned()];
                lines.extend(self.import.unknown_accounts.iter().map(|(name, n)| format!("{name} ({n})")));
                lines
            }
            None => vec![],
        };
        for (y, line) in lines.iter().take(usize::from(right.height)).enumerate() {
            put(buf, right, 0, y as u16, &cx.cut(line, usize::from(right.width)), cx.style("text"));
        }
    }
}

/// A rule's code in words.
fn label(code: &str) -> &str {
    match code {
        "OPP-01" => "account empty",
        "OPP-02" => "close date empty",
        "OPP-03" => "not a date",
        "OPP-04" => "not an amount",
        "OPP-05" => "still open",
        "OPP-08" => "stage not mapped",
        "OPP-09" => "stage contradicts flag",
        "OPP-10" => "opportunity repeated",
        "OPP-11" => "date ambiguous",
        "OPP-12" => "another month",
        "OPP-13" => "totals and notes",
        "FIL-06" => "blank rows",
        "FIL-07" => "header repeated",
        other => other,
    }
}
