//! Choosing one of many by typing: actions, places, views, records. The best match
//! stands first; what cannot be chosen says why.

use crate::domain::text;
use crate::engine::Engine;
use crate::tui::command::{self, Refused};
use crate::tui::form::TextField;
use crate::tui::keys::{Key, Keymap};
use crate::tui::list::ListState;
use crate::tui::panes::PaneId;
use crate::tui::widgets::{DrawCx, part, put, put_line, rule};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// Places of the names in which the typed letters follow each other, the best first; all
/// where nothing is typed.
pub fn fitting<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<usize> {
    if typed.trim().is_empty() {
        return names.enumerate().map(|(place, _)| place).collect();
    }
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let (mut matcher, mut buffer) = (Matcher::new(Config::DEFAULT), Vec::new());
    let mut score = |name: &str| pattern.score(Utf32Str::new(name, &mut buffer), &mut matcher);
    let scored = names.enumerate().filter_map(|(place, name)| Some((score(name)?, place)));
    let mut scored: Vec<(u32, usize)> = scored.collect();
    scored.sort_by_key(|(score, place)| (std::cmp::Reverse(*score), *place));
    scored.into_iter().map(|(_, place)| place).collect()
}

/// One thing to choose.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub label: String,
    /// Other words it is found by.
    pub words: String,
    /// Stands behind it: keys, or what it is.
    pub note: String,
    pub refused: Refused,
    /// What it means to whoever asked.
    pub value: String,
}

impl Choice {
    pub fn new(label: impl Into<String>, note: impl Into<String>, value: impl Into<String>) -> Choice {
        Choice { label: label.into(), note: note.into(), value: value.into(), ..Choice::default() }
    }
}

/// What happens with the choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Purpose {
    /// Runs the command of that id.
    Command,
    /// Opens the record, written as `kind id`.
    Record,
    /// The pane that asked knows.
    Pane(&'static str),
}

/// Asks the engine for what fits the text typed so far.
pub type Ask = Arc<dyn Fn(&Engine, &str) -> Vec<Choice> + Send + Sync>;

pub struct Picker {
    title: String,
    text: TextField,
    all: Vec<Choice>,
    found: Vec<usize>,
    list: ListState,
    pub purpose: Purpose,
    /// Where there are too many to hold, each key asks again.
    pub ask: Option<Ask>,
    empty: &'static str,
}

impl Picker {
    pub fn new(title: impl Into<String>, purpose: Purpose, all: Vec<Choice>) -> Picker {
        let mut picker = Picker {
            title: title.into(),
            text: TextField::new("", false),
            all,
            found: vec![],
            list: ListState::default(),
            purpose,
            ask: None,
            empty: "Nothing is called that here",
        };
        picker.search();
        picker
    }

    /// Looks in the store instead, with every key.
    pub fn asking(title: &str, purpose: Purpose, empty: &'static str, ask: Ask) -> Picker {
        Picker { ask: Some(ask), empty, ..Picker::new(title, purpose, vec![]) }
    }

    /// Every action of this place.
    pub fn palette(keys: &Keymap, scopes: &[&str], refuses: impl Fn(&str) -> Refused) -> Picker {
        let here = |spec: &&command::Spec| spec.scope == "global" || scopes.contains(&spec.scope);
        let shown =
            |spec: &&command::Spec| spec.id != "palette.open" && refuses(spec.id) != Some(command::NOT_HERE);
        let specs = command::ALL.iter().filter(here).filter(shown);
        let all = specs.map(|spec| Choice {
            label: spec.title.to_owned(),
            words: spec.words.to_owned(),
            note: keys.keys_of(spec.id, scopes).unwrap_or_default(),
            refused: refuses(spec.id),
            value: spec.id.to_owned(),
        });
        // What is done elsewhere is found too: choosing it goes there.
        let mut all: Vec<Choice> = all.collect();
        let elsewhere = PaneId::ALL.into_iter().map(|pane| (pane.title(), pane.title().to_lowercase()));
        for (title, scope) in elsewhere.filter(|(_, scope)| !scopes.contains(&scope.as_str())) {
            let there = command::ALL.iter().filter(|spec| spec.scope == scope);
            all.extend(there.map(|spec| Choice {
                label: format!("{} (in {title})", spec.title),
                words: spec.words.to_owned(),
                value: format!("go.{scope}"),
                ..Choice::default()
            }));
        }
        Picker::new("Find any action", Purpose::Command, all)
    }

    /// Takes a key; true when the text changed.
    pub fn key(&mut self, key: Key) -> bool {
        let changed = self.text.key(key);
        if changed && self.ask.is_none() {
            self.search();
        }
        changed
    }

    pub fn paste(&mut self, text: &str) {
        self.text.paste(text);
        self.search();
    }

    pub fn typed(&self) -> String {
        self.text.text()
    }

    /// What the engine found for the text, best first.
    pub fn take(&mut self, found: Vec<Choice>) {
        self.all = found;
        self.found = (0..self.all.len()).collect();
        self.list.cursor = 0;
        self.list.set_len(self.found.len());
    }

    fn search(&mut self) {
        let typed = self.text.text();
        let pattern = Pattern::parse(&typed, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut score = |hay: &str| pattern.score(Utf32Str::new(hay, &mut buffer), &mut matcher);
        let folded = text::fold(&typed);
        let begins = |hay: &str| {
            let hay = text::fold(hay);
            folded.split(' ').all(|word| hay.split(' ').any(|of| of.starts_with(word)))
        };
        let mut scored: Vec<((u8, u32), usize)> = Vec::new();
        for (place, choice) in self.all.iter().enumerate() {
            let all = format!("{} {}", choice.label, choice.words);
            let Some(fits) = score(&all) else {
                // A key typed as it is written finds what it does.
                if choice.note == typed.trim() {
                    scored.push(((4, 0), place));
                }
                continue;
            };
            // Words that begin so stand before letters that merely follow each other.
            let rank = match () {
                () if choice.note == typed.trim() => 4,
                () if begins(&choice.label) => 3,
                () if begins(&all) => 2,
                () => u8::from(score(&choice.label).is_some()),
            };
            scored.push(((rank, fits), place));
        }
        if !typed.trim().is_empty() {
            scored.sort_by_key(|(score, place)| (std::cmp::Reverse(*score), *place));
        }
        self.found = scored.into_iter().map(|(_, place)| place).collect();
        self.list.cursor = 0;
        self.list.set_len(self.found.len());
    }

    pub fn command(&mut self, id: &str) -> bool {
        self.list.command(&id.replace("overlay.", "list."))
    }

    pub fn chosen(&self) -> Option<&Choice> {
        self.found.get(self.list.cursor).map(|place| &self.all[*place])
    }

    pub fn layout(&mut self, area: Rect) {
        self.list.set_height(usize::from(area.height.saturating_sub(2)));
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        rule(buf, area, 0, &self.title, &self.list.position(false), cx);
        put(buf, area, 1, 1, ">", cx.style("field.focus"));
        self.text.draw(part(area, 3, 1, area.width.saturating_sub(4), 1), buf, true, cx);
        if self.found.is_empty() {
            let asks = self.ask.is_some() && text::fold(&self.typed()).is_empty();
            let empty = if asks { "Type a part of a name" } else { self.empty };
            put(buf, area, 3, 2, empty, cx.style("text.muted"));
        }
        let notes = self.found.iter().map(|n| self.all[*n].note.width()).max().unwrap_or(0);
        let notes = notes.clamp(4, usize::from(area.width) / 3);
        for (line, place) in self.list.visible().enumerate() {
            let choice = &self.all[self.found[place]];
            let cursor = place == self.list.cursor;
            let style = match (cursor, choice.refused) {
                (true, _) => cx.style("selection"),
                (false, Some(_)) => cx.style("text.muted"),
                _ => cx.style("text"),
            };
            let label = match choice.refused {
                Some(reason) => format!("{}: {reason}", choice.label),
                None => choice.label.clone(),
            };
            let room = usize::from(area.width).saturating_sub(notes + 5);
            let sign = if cursor { " > " } else { "   " };
            let pieces = [
                (sign.to_owned(), style),
                (cx.fit(&label, room), style),
                (format!(" {}", cx.cut(&choice.note, notes)), cx.style("key")),
            ];
            put_line(buf, part(area, 0, line as u16 + 2, area.width, 1), 0, &pieces);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(picker: &mut Picker, text: &str) -> Option<String> {
        picker.text.set(text);
        picker.search();
        picker.chosen().map(|c| c.value.clone())
    }

    #[test]
    fn actions_are_found_by_title_synonym_and_key() {
        let keys = Keymap::load("default", None).unwrap();
        let mut palette = Picker::palette(&keys, &["activities", "month", "list", "global"], |_| None);
        for (text, id) in [
            ("go wins", "go.wins"),
            ("deals", "go.wins"),
            ("salesforce", "go.imports"),
            ("ctrl-r", "app.redo"),
            ("rpt actvty", "activities.repeat"),
            ("previous", "month.back"),
            ("exit", "app.quit"),
        ] {
            assert_eq!(typed(&mut palette, text).as_deref(), Some(id), "{text}");
        }
        assert_eq!(typed(&mut palette, "zq xv"), None);
    }
}
