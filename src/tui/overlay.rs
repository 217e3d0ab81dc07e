//! What lies over a pane: help, the palette, questions. All made from the registry.

use crate::domain::Failure;
use crate::engine::Engine;
use crate::tui::command;
use crate::tui::form::TextField;
use crate::tui::keys::{Key, Keymap};
use crate::tui::list::ListState;
use crate::tui::msg::Data;
use crate::tui::widgets::{DrawCx, part, put, put_line, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A question that must be answered before anything else happens.
pub struct Confirm {
    pub question: Question,
    pub text: String,
}

pub enum Question {
    LeaveForm,
    /// Rules whose warning would be accepted.
    SaveAnyway(Vec<String>),
    Act(Box<dyn FnOnce(&Engine) -> Data + Send>),
}

impl Confirm {
    pub fn anyway(failure: &Failure, rules: Vec<String>) -> Confirm {
        let said = failure.problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; ");
        let ask = if said.ends_with('?') { "" } else { ": save anyway?" };
        Confirm { question: Question::SaveAnyway(rules), text: format!("{said}{ask}") }
    }
}

/// The keys of a place, its own first.
pub struct Help {
    rows: Vec<(String, String, &'static str)>,
    list: ListState,
}

impl Help {
    pub fn new(keys: &Keymap, scopes: &[&str]) -> Help {
        let mut rows: Vec<(String, String, &'static str)> = Vec::new();
        for scope in scopes {
            for (of, keys, id) in keys.all().filter(|(s, ..)| s == scope) {
                let title = command::find(id).map_or(id, |c| c.title);
                match rows.iter_mut().find(|(_, _, t)| *t == title) {
                    Some((_, all, _)) => {
                        all.push_str("  ");
                        all.push_str(&keys);
                    }
                    None => rows.push((of.to_owned(), keys, title)),
                }
            }
        }
        let mut list = ListState::default();
        list.set_len(rows.len());
        Help { rows, list }
    }

    pub fn command(&mut self, id: &str) -> bool {
        self.list.command(&id.replace("overlay.", "list."))
    }

    pub fn layout(&mut self, area: Rect) {
        self.list.set_height(usize::from(area.height.saturating_sub(1)));
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let keys = self.rows.iter().map(|(_, k, _)| k.chars().count()).max().unwrap_or(0).min(28);
        rule(buf, area, 0, "Keys of this place", &self.list.position(false), cx);
        for (line, place) in self.list.visible().enumerate() {
            let (scope, key, title) = &self.rows[place];
            let style = if place == self.list.cursor { cx.style("selection") } else { cx.style("text") };
            put(buf, area, 1, line as u16 + 1, &cx.fit(key, keys), cx.style("key"));
            put(buf, area, keys as u16 + 3, line as u16 + 1, title, style);
            let from = area.width.saturating_sub(scope.len() as u16 + 1);
            if from > keys as u16 + 4 + title.chars().count() as u16 {
                put(buf, area, from, line as u16 + 1, scope, cx.style("text.muted"));
            }
        }
    }
}

/// Any action by title, synonym or key.
pub struct Palette {
    text: TextField,
    /// Each with its keys, and why it cannot be run now.
    all: Vec<(&'static command::Spec, String, command::Refused)>,
    found: Vec<usize>,
    list: ListState,
}

impl Palette {
    pub fn new(keys: &Keymap, scopes: &[&str], refuses: impl Fn(&str) -> command::Refused) -> Palette {
        let here = |spec: &&command::Spec| spec.scope == "global" || scopes.contains(&spec.scope);
        let specs = command::ALL.iter().filter(here).filter(|s| s.id != "palette.open");
        let keys_of = |id: &str| keys.keys_of(id, scopes).unwrap_or_default();
        let all = specs.map(|spec| (spec, keys_of(spec.id), refuses(spec.id))).collect();
        let mut palette =
            Palette { text: TextField::new("", false), all, found: vec![], list: ListState::default() };
        palette.search();
        palette
    }

    pub fn key(&mut self, key: Key) {
        if self.text.key(key) {
            self.search();
        }
    }

    fn search(&mut self) {
        let wanted = crate::domain::text::fold(&self.text.text());
        let words: Vec<&str> = wanted.split_whitespace().collect();
        let fits = |(spec, ..): &(&'static command::Spec, String, command::Refused)| {
            let hay = crate::domain::text::fold(&format!("{} {}", spec.title, spec.words));
            words.iter().all(|w| hay.contains(w))
        };
        self.found = self.all.iter().enumerate().filter(|(_, row)| fits(row)).map(|(n, _)| n).collect();
        self.list.cursor = 0;
        self.list.set_len(self.found.len());
    }

    pub fn command(&mut self, id: &str) -> bool {
        self.list.command(&id.replace("overlay.", "list."))
    }

    pub fn chosen(&self) -> Option<&'static str> {
        self.found.get(self.list.cursor).map(|n| self.all[*n].0.id)
    }

    pub fn layout(&mut self, area: Rect) {
        self.list.set_height(usize::from(area.height.saturating_sub(2)));
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        rule(buf, area, 0, "Find any action", &self.list.position(false), cx);
        put(buf, area, 1, 1, ">", cx.style("field.focus"));
        self.text.draw(part(area, 3, 1, area.width.saturating_sub(4), 1), buf, true, cx);
        if self.found.is_empty() {
            put(buf, area, 3, 2, "Nothing is called that here", cx.style("text.muted"));
        }
        for (line, place) in self.list.visible().enumerate() {
            let (spec, keys, refused) = &self.all[self.found[place]];
            let style = match (place == self.list.cursor, refused) {
                (true, _) => cx.style("selection"),
                (false, Some(_)) => cx.style("text.muted"),
                _ => cx.style("text"),
            };
            let title = match refused {
                Some(reason) => format!("{}: {reason}", spec.title),
                None => spec.title.to_owned(),
            };
            let title = cx.fit(&title, usize::from(area.width.saturating_sub(20)));
            put_line(
                buf,
                part(area, 3, line as u16 + 2, area.width, 1),
                0,
                &[(title, style), (format!(" {keys}"), cx.style("key"))],
            );
        }
    }
}
