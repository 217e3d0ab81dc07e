//! What lies over a pane: help, the palette, questions. All made from the registry.

use crate::domain::Failure;
use crate::engine::Engine;
use crate::tui::command;
use crate::tui::keys::Keymap;
use crate::tui::list::ListState;
use crate::tui::msg::Data;
use crate::tui::widgets::{DrawCx, put, rule};
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
    pub fn new(keys: &Keymap, scopes: &[&str], here: impl Fn(&str) -> bool) -> Help {
        let mut rows: Vec<(String, String, &'static str)> = Vec::new();
        for scope in scopes {
            for (of, keys, id) in keys.all().filter(|(s, _, id)| s == scope && here(id)) {
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
