//! Drafts: what waits for a person, settled side by side.

use crate::domain::schema::Kind;
use crate::services::drafts::{DiscardDrafts, ListDrafts, ResolveDraft, ShowDraft};
use crate::services::records::Page;
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::command;
use crate::tui::list::ListState;
use crate::tui::msg::{Data, FormStart, Slot};
use crate::tui::panes::{Ask, new_activity};
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Default)]
pub struct Drafts {
    items: Vec<Item>,
    list: ListState,
}

impl Drafts {
    pub fn count(&self) -> usize {
        self.items.len()
    }

    pub fn load(&mut self, cx: &mut Cx) {
        cx.work(Slot::Drafts, |engine| Data::Drafts(engine.ask(&ListDrafts {})));
    }

    pub fn take(&mut self, page: Page) {
        self.items = page.items;
        self.list.set_len(self.items.len());
    }

    /// Only a conflict has two sides.
    pub fn refuses(&self, id: &str) -> command::Refused {
        let sides = matches!(id, "drafts.mine" | "drafts.theirs" | "drafts.base");
        match self.items.get(self.list.cursor) {
            None if sides => Some(command::NO_ROW),
            Some(item) if sides && item.text("reason") == "unsaved" => {
                Some("A form that was not saved has one side: Enter opens it, saving it settles it")
            }
            _ => None,
        }
    }

    pub fn command(&mut self, id: &str) -> Ask {
        if self.list.command(id) {
            return Ask::Nothing;
        }
        if id == "record.add" {
            return new_activity(Default::default());
        }
        let Some(item) = self.items.get(self.list.cursor) else { return Ask::Nothing };
        let which = item.id.to_string();
        let title = item.text("title");
        let unsaved = item.text("reason") == "unsaved";
        match id {
            "record.open" | "record.edit" if unsaved => open_form(which),
            "record.open" | "record.edit" => Ask::Act(Box::new(move |engine| {
                let shown = engine.ask(&ShowDraft { which });
                Data::Done(shown.map(|d| (sides(&d), None)))
            })),
            "drafts.mine" | "drafts.theirs" | "drafts.base" => {
                let choose = id.trim_start_matches("drafts.").to_owned();
                let text = format!("Settled with {choose}: {title}");
                let resolve = ResolveDraft {
                    which,
                    choose,
                    choices: Default::default(),
                    input: Default::default(),
                    ack: vec![],
                };
                Ask::Act(Box::new(move |engine| {
                    Data::Done(engine.run(&resolve).map(|r| (text, Some(r.txn))))
                }))
            }
            "record.delete" => Ask::Act(Box::new(move |engine| {
                let done = engine.run(&DiscardDrafts { which: vec![which] });
                Data::Done(done.map(|r| (format!("Discarded: {title}"), Some(r.txn))))
            })),
            _ => Ask::Nothing,
        }
    }

    pub fn layout(&mut self, area: Rect) {
        self.list.set_height(usize::from(area.height.saturating_sub(2)));
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        rule(buf, area, 0, "Drafts: changes that wait for you", "", cx);
        if self.items.is_empty() {
            let text = "Nothing waits for you. Conflicts, refused saves and unfinished forms come here.";
            put(buf, area, 2, 2, &cx.cut(text, usize::from(area.width) - 3), cx.style("text.muted"));
        }
        let title = usize::from(area.width / 3).max(16);
        for (y, place) in self.list.visible().enumerate() {
            let item = &self.items[place];
            let cursor = place == self.list.cursor;
            let row = format!(
                "{} {} {} {} {}",
                if cursor { ">" } else { " " },
                cx.fit(&item.text("reason"), 9),
                cx.fit(&item.text("title"), title),
                cx.fit(&item.text("at"), 16),
                item.text("message"),
            );
            let style = if cursor { cx.style("selection") } else { cx.style("text") };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&row, usize::from(area.width)), style);
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.list.position(false), cx);
    }
}

/// Each field's two sides in a line.
fn sides(draft: &crate::services::drafts::DraftShown) -> String {
    let fields =
        draft.fields.iter().map(|(name, [_, mine, theirs])| format!("{name}: mine {mine}, theirs {theirs}"));
    format!("{} ({}, {})", fields.collect::<Vec<_>>().join("; "), draft.theirs_by, draft.theirs_at)
}

fn open_form(which: String) -> Ask {
    Ask::Form(Box::new(move |engine| {
        let shown = engine.ask(&ShowDraft { which });
        Data::Form(shown.map(|draft| {
            let kind =
                draft.item.int("target_kind").and_then(|n| u8::try_from(n).ok()).and_then(Kind::from_number);
            FormStart {
                kind: kind.unwrap_or(Kind::Activity),
                id: None,
                rev: 0,
                title: format!("Draft: {}", draft.target_name),
                input: draft.input,
                notes: vec![],
                draft: Some(draft.item.id),
            }
        }))
    }))
}
