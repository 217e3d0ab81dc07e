//! A form over any kind of record: its fields come from the schema, its checks from
//! the service that saves it.

use crate::domain::problem::Severity;
use crate::domain::schema::{Field, Kind, Type};
use crate::domain::{Failure, Id};
use crate::services::input::Input;
use crate::tui::keys::{Code, Key};
use crate::tui::msg::FormStart;
use crate::tui::widgets::{DrawCx, part, put, put_line, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;
use std::collections::BTreeMap;
use tui_textarea::{CursorMove, Input as AreaInput, Key as AreaKey, TextArea};
use unicode_width::UnicodeWidthStr;

/// A text being edited, on one line or several.
pub struct TextField {
    area: Box<TextArea<'static>>,
    lines: bool,
}

impl TextField {
    pub fn new(text: &str, lines: bool) -> TextField {
        let content: Vec<String> = match lines {
            true => text.split('\n').map(str::to_owned).collect(),
            false => vec![text.replace('\n', " ")],
        };
        let mut area = Box::new(TextArea::new(content));
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        area.set_cursor_line_style(Style::default());
        TextField { area, lines }
    }

    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    pub fn set(&mut self, text: &str) {
        *self = TextField::new(text, self.lines);
    }

    /// Takes a key; true when the text changed.
    pub fn key(&mut self, key: Key) -> bool {
        let code = match key.code {
            Code::Char(c) => AreaKey::Char(c),
            Code::Enter if self.lines => AreaKey::Enter,
            Code::Backspace => AreaKey::Backspace,
            Code::Delete => AreaKey::Delete,
            Code::Left => AreaKey::Left,
            Code::Right => AreaKey::Right,
            Code::Up if self.lines => AreaKey::Up,
            Code::Down if self.lines => AreaKey::Down,
            Code::Home => AreaKey::Home,
            Code::End => AreaKey::End,
            _ => return false,
        };
        // Ctrl-M and Ctrl-J would break the line.
        if !self.lines && key.ctrl && matches!(key.code, Code::Char('m' | 'j')) {
            return false;
        }
        // As in a shell: to the line's start; the widget would undo.
        if key.ctrl && key.code == Code::Char('u') {
            return self.area.delete_line_by_head();
        }
        self.area.input(AreaInput { key: code, ctrl: key.ctrl, alt: key.alt, shift: key.shift })
    }

    pub fn paste(&mut self, text: &str) {
        let clean = crate::domain::text::clean(&text.replace("\r\n", "\n").replace('\r', "\n"));
        self.area.insert_str(if self.lines { clean } else { clean.replace('\n', " ") });
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, focus: bool, cx: &DrawCx) {
        let mut shown = self.area.clone();
        shown.set_style(cx.style("field"));
        shown.set_cursor_style(if focus { cx.style("selection") } else { cx.style("field") });
        (&*shown).render(area, buf);
    }
}

pub struct FormField {
    pub field: &'static Field,
    pub text: TextField,
    pub problem: Option<(Severity, String)>,
    /// A dim word behind the value: where it comes from.
    pub note: String,
}

pub struct Form {
    pub kind: Kind,
    pub id: Option<Id>,
    pub rev: u64,
    pub title: String,
    pub fields: Vec<FormField>,
    pub focus: usize,
    /// First line of the fields shown.
    top: u16,
    pub suggestions: Vec<(Id, String)>,
    /// The suggestion under the cursor.
    pub chosen: Option<usize>,
    pub draft: Option<Id>,
    pub saving: bool,
    start: Input,
    /// What names the record, beside its id: sent with every save.
    key: Input,
}

/// Suggestions shown under a field.
const SUGGESTIONS: usize = 5;
/// Cells of the labels' column.
const LABELS: u16 = 19;
/// Cells of which a note behind a value says anything.
const NOTE_LEAST: u16 = 8;
/// Lines of a field that takes several.
const LONG_LINES: u16 = 3;

impl Form {
    pub fn new(start: FormStart) -> Form {
        // A row of a dataset is known by its key, which stays as it is.
        let keyed = start.kind == Kind::Outlet;
        let key = Input::from_iter(
            start.input.get_key_value("code").filter(|_| keyed).map(|(k, v)| (k.clone(), v.clone())),
        );
        let known = start.kind.schema().fields.iter().filter(|f| !f.system && f.kind != Type::Data);
        let known = known.filter(|f| !key.contains_key(f.name));
        let fields: Vec<FormField> = known
            .map(|field| FormField {
                field,
                text: TextField::new(
                    start.input.get(field.name).map_or("", String::as_str),
                    field.kind == Type::Long,
                ),
                problem: None,
                note: start
                    .notes
                    .iter()
                    .find(|(n, _)| n == field.name)
                    .map(|(_, t)| t.clone())
                    .unwrap_or_default(),
            })
            .collect();
        let mut form = Form {
            kind: start.kind,
            id: start.id,
            rev: start.rev,
            title: start.title,
            fields,
            focus: 0,
            top: 0,
            suggestions: vec![],
            chosen: None,
            draft: start.draft,
            saving: false,
            start: Input::new(),
            key,
        };
        if !start.typed {
            form.start = form.input();
        }
        form
    }

    /// The texts of all fields that hold something.
    pub fn input(&self) -> Input {
        let texts = self.fields.iter().map(|f| (f.field.name.to_owned(), f.text.text()));
        texts.filter(|(_, t)| !t.trim().is_empty()).collect()
    }

    /// What differs from the start: what a save sends.
    pub fn changes(&self) -> Input {
        let now = self.input();
        let mut changed: Input = now
            .iter()
            .filter(|(k, v)| self.start.get(*k) != Some(v))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        for gone in self.start.keys().filter(|k| !now.contains_key(*k)) {
            changed.insert(gone.clone(), String::new());
        }
        changed
    }

    pub fn is_changed(&self) -> bool {
        !self.changes().is_empty()
    }

    /// Everything typed is sent for a new record, only changes for an old one.
    pub fn to_save(&self) -> Input {
        let mut sent = if self.id.is_some() { self.changes() } else { self.input() };
        sent.extend(self.key.clone());
        sent
    }

    pub fn focused(&self) -> &FormField {
        &self.fields[self.focus]
    }

    pub fn move_focus(&mut self, forward: bool) {
        let count = self.fields.len();
        self.focus = (self.focus + if forward { 1 } else { count - 1 }) % count;
        self.suggestions.clear();
        self.chosen = None;
    }

    pub fn is_last(&self) -> bool {
        self.focus + 1 == self.fields.len()
    }

    /// Text for the focused field; true when suggestions should be asked for.
    pub fn key(&mut self, key: Key) -> bool {
        if self.step_date(key) {
            return false;
        }
        let field = &mut self.fields[self.focus];
        if field.text.key(key) {
            field.problem = None;
            field.note.clear();
            self.chosen = None;
            return matches!(field.field.kind, Type::One(_) | Type::Many(_));
        }
        false
    }

    /// `t`, `+` and `-` in a date field: today, a day on, a day back.
    fn step_date(&mut self, key: Key) -> bool {
        let field = &mut self.fields[self.focus];
        if field.field.kind != Type::Date {
            return false;
        }
        let Ok(date) = field.text.text().trim().parse::<chrono::NaiveDate>() else { return false };
        let moved = match key.typed() {
            Some('+') => date.succ_opt(),
            Some('-') => date.pred_opt(),
            Some('t') => {
                field.text.set("today");
                field.note.clear();
                return true;
            }
            _ => return false,
        };
        if let Some(moved) = moved {
            field.text.set(&moved.to_string());
            field.note.clear();
        }
        true
    }

    /// The focused field's text as an editor gave it back.
    pub fn set_focused(&mut self, text: &str) {
        let field = &mut self.fields[self.focus];
        field.text.set(&crate::domain::text::clean(text));
        field.problem = None;
    }

    pub fn paste(&mut self, text: &str) {
        self.fields[self.focus].text.paste(text);
    }

    /// Puts the chosen suggestion into its field; for sets, behind what is there.
    pub fn take_suggestion(&mut self) -> bool {
        let Some((_, name)) = self.chosen.and_then(|n| self.suggestions.get(n)).cloned() else {
            return false;
        };
        let field = &mut self.fields[self.focus];
        let text = match (field.field.kind, field.text.text().rsplit_once(',')) {
            (Type::Many(_), Some((before, _))) => format!("{before}, {name}"),
            _ => name,
        };
        field.text.set(&text);
        self.suggestions.clear();
        self.chosen = None;
        true
    }

    pub fn move_choice(&mut self, down: bool) -> bool {
        let count = self.suggestions.len().min(SUGGESTIONS);
        if count == 0 {
            return false;
        }
        self.chosen = match (self.chosen, down) {
            (None, true) => Some(0),
            (None, false) => return false,
            (Some(0), false) => None,
            (Some(n), false) => Some(n - 1),
            (Some(n), true) => Some((n + 1).min(count - 1)),
        };
        true
    }

    /// Shows a refusal under its fields and goes to the first; true if there was one.
    pub fn refuse(&mut self, failure: &Failure) -> bool {
        let mut by_field: BTreeMap<&str, (Severity, String)> = BTreeMap::new();
        for p in &failure.problems {
            by_field.entry(&p.field).or_insert((p.severity, p.message.clone()));
        }
        let mut first = None;
        for (place, field) in self.fields.iter_mut().enumerate() {
            field.problem = by_field.get(field.field.name).cloned();
            if field.problem.is_some() {
                first = first.or(Some(place));
            }
        }
        if let Some(first) = first {
            self.focus = first;
        }
        first.is_some()
    }

    /// The query text for suggestions: of a set, the part behind the last comma.
    pub fn asked(&self) -> Option<(Kind, String)> {
        let field = self.focused();
        let text = field.text.text();
        match field.field.kind {
            Type::One(kind) => Some((kind, text)),
            Type::Many(kind) => Some((kind, text.rsplit(',').next().unwrap_or_default().trim().to_owned())),
            _ => None,
        }
    }

    pub fn text_of(&self, name: &str) -> String {
        self.fields.iter().find(|f| f.field.name == name).map(|f| f.text.text()).unwrap_or_default()
    }

    pub fn set_text(&mut self, name: &str, text: &str, note: &str) {
        if let Some(field) = self.fields.iter_mut().find(|f| f.field.name == name) {
            field.text.set(text);
            field.note = note.to_owned();
        }
    }

    fn height_of(&self, place: usize) -> u16 {
        let field = &self.fields[place];
        let own = if field.field.kind == Type::Long { LONG_LINES } else { 1 };
        let below = u16::from(field.problem.is_some());
        let suggested = if place == self.focus { self.suggestions.len().min(SUGGESTIONS) as u16 } else { 0 };
        own + below + suggested
    }

    /// Keeps the focused field, with all under it, in sight.
    pub fn layout(&mut self, area: Rect) {
        let before: u16 = (0..self.focus).map(|p| self.height_of(p)).sum();
        let (end, space) = (before + self.height_of(self.focus), area.height.saturating_sub(2));
        if before < self.top {
            self.top = before;
        } else if end > self.top + space {
            self.top = end.saturating_sub(space);
        }
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let note = if self.saving {
            "saving"
        } else if self.is_changed() {
            "changed"
        } else {
            ""
        };
        rule(buf, area, 0, &self.title, note, cx);
        let body = part(area, 0, 1, area.width, area.height.saturating_sub(1));
        let mut y = 0;
        for (place, field) in self.fields.iter().enumerate() {
            let height = self.height_of(place);
            if y >= self.top && y + height <= self.top + body.height {
                self.draw_field(part(body, 0, y - self.top, body.width, height), buf, place, field, cx);
            }
            y += height;
        }
    }

    fn draw_field(&self, area: Rect, buf: &mut Buffer, place: usize, field: &FormField, cx: &DrawCx) {
        let focus = place == self.focus;
        let label =
            if field.field.required { format!("{} *", field.field.label()) } else { field.field.label() };
        let style = cx.style(if focus { "field.focus" } else { "field.label" });
        let sign = if focus { ">" } else { " " };
        put(buf, area, 0, 0, &format!("{sign} {}", cx.fit(&label, usize::from(LABELS) - 2)), style);
        let lines = if field.field.kind == Type::Long { LONG_LINES } else { 1 };
        let wide = area.width.saturating_sub(LABELS + 1);
        let note = match field.note.as_str() {
            "" => hint(field.field, focus),
            note => note.to_owned(),
        };
        // What is typed comes first, the note takes what is left.
        let typed = if lines == 1 { field.text.text().width() as u16 + 2 } else { 0 };
        let beside = (note.chars().count() as u16 + 2).min(wide / 2).min(wide.saturating_sub(typed));
        let beside = if beside < NOTE_LEAST { 0 } else { beside };
        field.text.draw(part(area, LABELS, 0, wide - beside, lines), buf, focus, cx);
        put(
            buf,
            area,
            area.width.saturating_sub(beside),
            0,
            &cx.cut(&note, usize::from(beside)),
            cx.style("text.muted"),
        );
        let mut y = lines;
        if let Some((severity, message)) = &field.problem {
            let id = if *severity == Severity::Warning { "status.warning" } else { "status.error" };
            put(buf, area, LABELS, y, &cx.cut(&format!("! {message}"), usize::from(wide)), cx.style(id));
            y += 1;
        }
        if focus {
            for (n, (_, name)) in self.suggestions.iter().take(SUGGESTIONS).enumerate() {
                let chosen = self.chosen == Some(n);
                let style = cx.style(if chosen { "selection" } else { "text.muted" });
                let sign = if chosen { ">" } else { " " };
                put_line(buf, part(area, LABELS, y, wide, 1), 0, &[(format!("{sign} {name}"), style)]);
                y += 1;
            }
        }
    }
}

/// What a focused field takes.
fn hint(field: &Field, focus: bool) -> String {
    if !focus {
        return String::new();
    }
    match field.kind {
        Type::Date if field.name == "date" => "t today  -/+ day".into(),
        Type::Date => "fri, 12.3., 2026-03-12".into(),
        Type::Effort => "3h, 1.5h, 90m, 2d, half".into(),
        Type::Choice(words) => words.join(" | "),
        Type::Many(_) | Type::Words => "several with commas".into(),
        Type::Money => "84,000 EUR".into(),
        _ => String::new(),
    }
}
