//! Lines typed at the foot of a pane: the quick log with its echo, and prompts.

use crate::domain::schema::Kind;
use crate::domain::when::show_day;
use crate::domain::{Failure, Outcome};
use crate::services::activities::{LineRead, LogLine, ReadLine};
use crate::services::imports::Target;
use crate::services::input::Input;
use crate::tui::app::Cx;
use crate::tui::form::TextField;
use crate::tui::keys::Key;
use crate::tui::msg::{Data, FormStart, Slot};
use crate::tui::review::Said;
use crate::tui::widgets::{DrawCx, part, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

pub struct Quick {
    text: TextField,
    pub read: Option<LineRead>,
    pub problem: Option<String>,
    earlier: Vec<String>,
    /// How far back Up has gone.
    back: usize,
}

impl Quick {
    pub fn new(earlier: &[String]) -> Quick {
        Quick {
            text: TextField::new("", false),
            read: None,
            problem: None,
            earlier: earlier.to_vec(),
            back: 0,
        }
    }

    pub fn line(&self) -> String {
        self.text.text()
    }

    pub fn key(&mut self, key: Key, cx: &mut Cx) {
        if self.text.key(key) {
            self.ask(cx);
        }
    }

    pub fn paste(&mut self, text: &str, cx: &mut Cx) {
        self.text.paste(text);
        self.ask(cx);
    }

    fn ask(&mut self, cx: &mut Cx) {
        self.problem = None;
        let line = self.text.text();
        cx.work(Slot::Line, move |engine| Data::Line(engine.ask(&ReadLine { line }).map(Box::new)));
    }

    pub fn log(&mut self, ack: Vec<String>, cx: &mut Cx) {
        let line = self.text.text();
        if line.trim().is_empty() {
            self.problem = Some("Write what it was: demo acme 3h yesterday #poc first talk".into());
            return;
        }
        cx.work(Slot::Action, move |engine| {
            Data::Logged(engine.run(&LogLine { line, ack }).map(|r| {
                let text = match r.reply.saved.as_slice() {
                    [one] => {
                        let date = one.item.text("date");
                        let said = date.parse().is_ok_and(|d| r.reply.echo.contains(&show_day(d)));
                        let date = if said { String::new() } else { format!(", {date}") };
                        format!("Logged: {}{date}", r.reply.echo.join(", "))
                    }
                    many => format!("Logged {} days: {}", many.len(), r.reply.echo.join(", ")),
                };
                // That a date was filled in stands in the echo already.
                let notes = r.reply.saved.iter().flat_map(|s| &s.notes).filter(|n| !n.starts_with("date "));
                (r.txn, notes.fold(text, |text, note| format!("{text}; {note}")))
            }))
        });
    }

    pub fn recall(&mut self, earlier: bool, cx: &mut Cx) {
        let lines = &self.earlier;
        self.back = if earlier { (self.back + 1).min(lines.len()) } else { self.back.saturating_sub(1) };
        let text = match self.back {
            0 => "",
            n => &lines[lines.len() - n],
        }
        .to_owned();
        self.text.set(&text);
        self.ask(cx);
    }

    /// What was understood so far, as a form.
    pub fn as_form(&self) -> Outcome<FormStart> {
        let mut input = Input::new();
        let mut notes = Vec::new();
        if let Some(read) = &self.read {
            let q = &read.quick;
            if q.dates.len() > 1 {
                let message = format!("A form holds one day, the line has {}", q.dates.len());
                return Err(Failure::conflict(message).hint("Enter saves them all from the line"));
            }
            let mut put = |name: &str, value: Option<String>| {
                if let Some(value) = value.filter(|v| !v.is_empty()) {
                    input.insert(name.to_owned(), value);
                }
            };
            let named = |n: &Option<crate::domain::quick::Named>| n.as_ref().map(|n| n.name.clone());
            put("type", named(&q.activity_type));
            put("account", named(&q.account));
            put("project", named(&q.project));
            put("effort", q.effort.map(crate::domain::effort::show_effort));
            put("use_cases", Some(q.use_cases.iter().map(|u| u.name.clone()).collect::<Vec<_>>().join(", ")));
            put("participants", Some(q.participants.join(", ")));
            put("next_step", Some(q.next_step.clone()));
            put("next_due", q.next_due.map(|d| d.to_string()));
            put("summary", Some(q.summary.clone()));
            put("date", Some(q.dates.first().unwrap_or(&read.default_date).to_string()));
            if q.dates.is_empty() {
                notes.push(("date".to_owned(), read.default_source.clone()));
            }
        }
        Ok(FormStart {
            kind: Kind::Activity,
            id: None,
            rev: 0,
            title: "New activity".into(),
            input,
            notes,
            draft: None,
            typed: true,
        })
    }

    pub fn height(&self) -> u16 {
        4
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        put(buf, area, 0, 0, &cx.rule().repeat(usize::from(area.width)), cx.style("rule"));
        put(buf, area, 1, 1, "log>", cx.style("field.focus"));
        self.text.draw(part(area, 6, 1, area.width.saturating_sub(7), 1), buf, true, cx);
        let wide = usize::from(area.width.saturating_sub(7));
        if let Some(problem) = &self.problem {
            put(buf, area, 6, 2, &cx.cut(problem, wide), cx.style("status.error"));
            return;
        }
        let Some(read) = self.read.as_ref().filter(|r| !r.echo.is_empty()) else {
            let grammar =
                "[type] account[/project] [effort] [date] #usecase +person >next step due : summary";
            put(buf, area, 6, 2, &cx.cut(grammar, wide), cx.style("text.muted"));
            return;
        };
        let mut parts = read.echo.clone();
        if read.quick.dates.is_empty() {
            let date = crate::domain::when::show_day(read.default_date);
            parts.push(format!("{date} ({})", read.default_source));
        }
        // Two lines, broken between parts.
        let (mut y, mut line) = (2, String::new());
        for piece in parts {
            if y == 2 && !line.is_empty() && line.chars().count() + piece.chars().count() + 3 > wide {
                put(buf, area, 6, y, &cx.cut(&line, wide), cx.style("text"));
                (y, line) = (3, String::new());
            }
            if !line.is_empty() {
                line.push_str(" | ");
            }
            line.push_str(&piece);
        }
        put(buf, area, 6, y, &cx.cut(&line, wide), cx.style("text"));
    }
}

/// What a prompt's text is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    Filter,
    /// What a pane asked for.
    Pane(String),
    /// A file's path.
    Import(Target),
    /// Something about the file under review.
    Said(Said),
}

/// A text asked for at the foot of the pane.
pub struct Prompt {
    label: String,
    pub wanted: Wanted,
    pub text: TextField,
    /// What it was before: leaving puts it back.
    pub before: String,
    /// Taken, and not answered yet: it stands until it was right.
    pub asked: bool,
}

impl Prompt {
    pub fn new(label: &str, text: &str, wanted: Wanted) -> Prompt {
        let field = TextField::new(text, false);
        Prompt { label: label.to_owned(), wanted, text: field, before: text.to_owned(), asked: false }
    }

    /// The path of a file to import.
    pub fn import(target: Target) -> Prompt {
        Prompt::new(&format!("import {}", target.plural()), "", Wanted::Import(target))
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        put(buf, area, 1, 0, &format!("{}>", self.label), cx.style("field.focus"));
        let x = self.label.width() as u16 + 3;
        self.text.draw(part(area, x, 0, area.width.saturating_sub(x + 1), 1), buf, true, cx);
    }
}
