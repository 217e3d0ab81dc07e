//! Drafts: what waits for a person, settled side by side, alone or many at once.

use crate::domain::schema::Kind;
use crate::domain::text;
use crate::engine::Engine;
use crate::services::drafts::{
    DiscardDrafts, DraftShown, ListDrafts, ResolveDraft, ResolveMany, Retried, RetryDrafts, ShowDraft,
};
use crate::services::records::Page;
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::{Data, FormStart, Slot};
use crate::tui::panes::{Ask, Pane, PaneId, act, new_activity, touches};
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Drafts {
    items: Vec<Item>,
    list: ListState,
    open: Option<Conflict>,
}

/// A conflict looked at field by field.
struct Conflict {
    draft: DraftShown,
    list: ListState,
    /// Field → mine, theirs or base; theirs where nothing was said.
    chosen: BTreeMap<String, &'static str>,
}

impl Drafts {
    pub fn count(&self) -> usize {
        self.items.len()
    }

    fn take(&mut self, page: Page) {
        self.items = page.items;
        self.list.set_len(self.items.len());
        let shown: std::collections::BTreeSet<_> = self.items.iter().map(|i| i.id).collect();
        self.list.marks.retain(|id| shown.contains(id));
        if self.open.as_ref().is_some_and(|open| !shown.contains(&open.draft.item.id)) {
            self.open = None;
        }
    }

    fn here(&self) -> Option<&Item> {
        self.items.get(self.list.cursor)
    }

    /// The marked conflicts, or the one under the cursor.
    fn chosen(&self) -> Vec<&Item> {
        match self.list.marks.is_empty() {
            true => self.here().into_iter().collect(),
            false => self.items.iter().filter(|i| self.list.marks.contains(&i.id)).collect(),
        }
    }

    fn settle(&self, side: &'static str) -> Ask {
        let conflicts = self.chosen().into_iter().filter(|item| has_sides(item));
        let (which, titles): (Vec<String>, Vec<String>) =
            conflicts.map(|item| (item.id.to_string(), item.text("title"))).unzip();
        Ask::Act(act(move |engine| {
            let done = engine.run(&ResolveMany { which, choose: side.to_owned() })?;
            let what = match titles.as_slice() {
                [title] => title.clone(),
                many => text::count(many.len(), "conflict"),
            };
            Ok((format!("Settled with {side}: {what}"), Some(done.txn)))
        }))
    }

    /// Those marked, or all that wait: one that still cannot be settled says why.
    fn retry(&self) -> Ask {
        let which = self.list.marks.iter().map(|id| id.to_string()).collect();
        Ask::Act(act(move |engine| {
            let done = engine.run(&RetryDrafts { which })?;
            let Retried { settled, left } = done.reply;
            let mut told = match (settled.as_slice(), left.is_empty()) {
                ([one], true) => format!("Settled: {one}"),
                (many, _) => format!("{} settled", many.len()),
            };
            if let Some(first) = left.first() {
                told.push_str(&format!(", {} left. {}: {}", left.len(), first.title, first.why));
            }
            Ok((told, Some(done.txn).filter(|_| !settled.is_empty())))
        }))
    }

    fn discard(&self) -> Ask {
        let items = self.chosen();
        let titles = match items.as_slice() {
            [one] => one.text("title"),
            many => text::count(many.len(), "draft"),
        };
        let which = items.iter().map(|item| item.id.to_string()).collect();
        Ask::Act(act(move |engine| {
            let done = engine.run(&DiscardDrafts { which })?;
            Ok((format!("Discarded: {titles}"), Some(done.txn)))
        }))
    }

    fn draw_conflict(&self, open: &Conflict, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let draft = &open.draft;
        let by = format!("theirs: {}, {}", draft.theirs_by, draft.theirs_at);
        rule(buf, area, 0, &draft.target_name, &by, cx);
        let wide = usize::from(area.width);
        let (name, sign) = (16.min(wide / 5), 2);
        let column = wide.saturating_sub(name + sign + 10) / 3;
        let row = |name_of: &str, sides: [&str; 3], pick: &str| {
            let [base, mine, theirs] = sides.map(|side| cx.fit(side, column));
            format!("{} {base} {mine} {theirs} {pick}", cx.fit(name_of, name))
        };
        let head = row("field", ["before", "mine", "theirs"], "takes");
        put(buf, area, 0, 1, &cx.fit(&format!("  {head}"), wide), cx.style("text.muted"));
        for (y, place) in open.list.visible().enumerate() {
            let Some((field, [base, mine, theirs])) = draft.fields.iter().nth(place) else { continue };
            let pick = open.chosen.get(field).copied().unwrap_or("theirs");
            let cursor = place == open.list.cursor;
            let line = row(&field.replace('_', " "), [base, mine, theirs], pick);
            let style = if cursor { cx.style("selection") } else { cx.style("text") };
            let sign = if cursor { ">" } else { " " };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&format!("{sign} {line}"), wide), style);
        }
        let note = " m t b say which side a field takes; Enter settles; Esc leaves it as it is ";
        rule(buf, area, area.height.saturating_sub(1), "", "", cx);
        put(buf, area, 2, area.height.saturating_sub(1), &cx.cut(note, wide - 4), cx.style("text.muted"));
    }
}

impl Pane for Drafts {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["drafts", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        if self.open.is_some() {
            return vec![
                ("record.open", "settle"),
                ("drafts.mine", "mine"),
                ("drafts.theirs", "theirs"),
                ("drafts.base", "as before"),
                ("app.back", "list"),
            ];
        }
        vec![
            ("record.open", "open"),
            ("drafts.mine", "mine"),
            ("drafts.theirs", "theirs"),
            ("drafts.base", "as before"),
            ("drafts.retry", "try all again"),
            ("list.mark", "mark"),
            ("record.delete", "discard"),
            ("app.undo", "undo"),
        ]
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.inside", "list.archived", "list.copy", "list.filter", "record.archive", "record.merge"]
    }

    fn load(&mut self, cx: &mut Cx) {
        cx.ask(Slot::Drafts, |engine| engine.ask(&ListDrafts {}), |panes, page, _| panes.drafts.take(page));
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if touches(kinds, &[Kind::Draft, Kind::Batch, Kind::MigrationMonth]) {
            self.load(cx);
        }
    }

    /// Only a conflict has two sides.
    fn refuses(&self, id: &str) -> Refused {
        let sides = matches!(id, "drafts.mine" | "drafts.theirs" | "drafts.base");
        let of_row = matches!(id, "record.open" | "record.edit" | "record.delete" | "list.mark");
        match self.here() {
            None if sides || of_row => Some(command::NO_ROW),
            _ if id == "drafts.retry" && self.items.iter().all(is_legacy) => {
                Some("Nothing waits to be tried")
            }
            _ if id == "drafts.retry" && self.open.is_some() => Some("Settle this one first, or Esc"),
            Some(_) if sides || id == "record.delete" && self.chosen().iter().any(|item| is_legacy(item)) => {
                let chosen = self.chosen();
                if chosen.iter().any(|item| is_legacy(item)) {
                    return Some("Legacy activities are settled in Migration: Enter goes there");
                }
                if chosen.iter().any(|item| has_sides(item)) {
                    return None;
                }
                Some("A form that was not saved has one side: Enter opens it, saving it settles it")
            }
            _ => None,
        }
    }

    fn back(&mut self, _cx: &mut Cx) -> bool {
        let marked = !self.list.marks.is_empty();
        self.list.marks.clear();
        self.open.take().is_some() || marked
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        let side = match id {
            "drafts.mine" => Some("mine"),
            "drafts.theirs" => Some("theirs"),
            "drafts.base" => Some("base"),
            _ => None,
        };
        if let Some(open) = &mut self.open {
            if open.list.command(id) {
                return Ask::Nothing;
            }
            let field = open.draft.fields.keys().nth(open.list.cursor).cloned();
            if let (Some(side), Some(field)) = (side, field) {
                open.chosen.insert(field, side);
                open.list.command("list.down");
                return Ask::Nothing;
            }
            if matches!(id, "record.open" | "record.edit") {
                let chosen = open.chosen.iter().map(|(f, s)| (f.clone(), (*s).to_owned())).collect();
                let (which, name) = (open.draft.item.id.to_string(), open.draft.target_name.clone());
                return Ask::Act(act(move |engine| {
                    let resolve = ResolveDraft {
                        which,
                        choose: "theirs".into(),
                        choices: chosen,
                        input: Default::default(),
                        ack: vec![],
                    };
                    let done = engine.run(&resolve)?;
                    Ok((format!("Settled: {name}"), Some(done.txn)))
                }));
            }
        }
        if self.list.command(id) {
            return Ask::Nothing;
        }
        if let Some(side) = side {
            return self.settle(side);
        }
        match id {
            "record.add" => return new_activity(Default::default()),
            "list.mark" => {
                if let Some(id) = self.here().map(|item| item.id) {
                    self.list.toggle(id);
                    self.list.command("list.down");
                }
            }
            "list.mark_all" => {
                let all: Vec<_> = self.items.iter().map(|item| item.id).collect();
                match self.list.marks.len() == all.len() {
                    true => self.list.marks.clear(),
                    false => self.list.marks.extend(all),
                }
            }
            "record.open" | "record.edit" => {
                let Some(item) = self.here() else { return Ask::Nothing };
                let which = item.id.to_string();
                if is_legacy(item) {
                    return Ask::Go(PaneId::Migration, None);
                }
                if is_unsaved(item) {
                    return open_form(which);
                }
                let question = move |engine: &Engine| engine.ask(&ShowDraft { which });
                cx.ask(Slot::Side, question, |panes, draft, _| {
                    let mut list = ListState::default();
                    list.set_len(draft.fields.len());
                    panes.drafts.open = Some(Conflict { draft, list, chosen: BTreeMap::new() });
                });
            }
            "drafts.retry" => return self.retry(),
            "record.delete" => return self.discard(),
            _ => {}
        }
        Ask::Nothing
    }

    fn layout(&mut self, area: Rect, _cx: &mut Cx) {
        self.list.set_height(usize::from(area.height.saturating_sub(2)));
        if let Some(open) = &mut self.open {
            open.list.set_height(usize::from(area.height.saturating_sub(3)));
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        if let Some(open) = &self.open {
            return self.draw_conflict(open, area, buf, cx);
        }
        rule(buf, area, 0, "Drafts: changes that wait for you", "", cx);
        if self.items.is_empty() {
            let text = "Nothing waits for you. Conflicts, refused saves and unfinished forms come here.";
            put(buf, area, 2, 2, &cx.cut(text, usize::from(area.width) - 3), cx.style("text.muted"));
        }
        let title = usize::from(area.width / 3).max(16);
        for (y, place) in self.list.visible().enumerate() {
            let item = &self.items[place];
            let (cursor, mark) = (place == self.list.cursor, self.list.marks.contains(&item.id));
            let row = format!(
                "{}{} {} {} {} {}",
                if cursor { ">" } else { " " },
                if mark { "*" } else { " " },
                cx.fit(&item.text("reason"), 9),
                cx.fit(&item.text("title"), title),
                cx.fit(&item.text("at"), 16),
                item.text("message"),
            );
            let style = match (cursor, mark) {
                (true, _) => "selection",
                (false, true) => "mark",
                _ => "text",
            };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&row, usize::from(area.width)), cx.style(style));
        }
        let marks = match self.list.marks.len() {
            0 => String::new(),
            n => format!("{n} marked"),
        };
        rule(buf, area, area.height.saturating_sub(1), &marks, &self.list.position(false), cx);
    }
}

/// A load of legacy activities, which stands for all its drafts.
fn is_legacy(item: &Item) -> bool {
    item.text("reason") == "migration"
}

/// Only a conflict has two sides.
fn has_sides(item: &Item) -> bool {
    !is_unsaved(item) && !is_legacy(item)
}

fn is_unsaved(item: &Item) -> bool {
    item.text("reason") == "unsaved"
}

fn open_form(which: String) -> Ask {
    Ask::Load(Box::new(move |engine| {
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
                typed: false,
            }
        }))
    }))
}
