//! What mending a rule would make of each row, with its reason: the outlets that lack a
//! territory, a distributor or a route with those of their neighbours, swapped positions as
//! they should be. One, the marked ones or all are taken; undo takes it back.

use super::Outlets;
use crate::engine::Engine;
use crate::services::input::Input;
use crate::services::outlets::{EditOutlets, SuggestOutlets, Suggested, Suggestion, WhichOutlets, id_of};
use crate::tui::app::Cx;
use crate::tui::list::ListState;
use crate::tui::msg::{Job, Slot};
use crate::tui::panes::Ask;
use crate::tui::table::thousands;
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From this width on the title has room for what mending does.
const WIDE: usize = 100;
/// Rows that are shown; the rest comes up as these are taken.
const SHOWN: usize = 2_000;

pub(super) struct Queue {
    rule: String,
    what: &'static str,
    found: Option<Suggested>,
    pub list: ListState,
}

impl Queue {
    fn items(&self) -> &[Suggestion] {
        self.found.as_ref().map_or(&[], |found| found.items.as_slice())
    }

    pub fn current(&self) -> Option<&Suggestion> {
        self.items().get(self.list.cursor)
    }

    /// Codes of the rows that are marked and can be told.
    fn marked(&self) -> Vec<String> {
        let marked = |item: &&Suggestion| self.list.marks.contains(&id_of(&item.code));
        self.items().iter().filter(|i| !i.value.is_empty()).filter(marked).map(|i| i.code.clone()).collect()
    }

    fn take(&self, codes: Vec<String>) -> Job {
        let said = format!("{}: {}", self.rule, self.what);
        let edit =
            EditOutlets { which: WhichOutlets::Named(codes), input: Input::new(), mend: self.rule.clone() };
        super::act::change(edit, said)
    }
}

impl Outlets {
    /// Opens the queue of the rule under the cursor.
    pub(super) fn open_queue(&mut self, cx: &mut Cx) {
        let Some((rule, what, _)) = self.mendable() else { return };
        let list = ListState { height: self.rules.height, ..ListState::default() };
        self.queue = Some(Queue { rule, what, found: None, list });
        self.load_queue(cx);
    }

    pub(super) fn load_queue(&mut self, cx: &mut Cx) {
        let Some(queue) = &self.queue else { return };
        let ask = SuggestOutlets { rule: queue.rule.clone(), filter: String::new(), limit: SHOWN };
        let question = move |engine: &Engine| engine.ask(&ask);
        cx.ask(Slot::Side, question, |panes, found, _| {
            if let Some(queue) = &mut panes.outlets.queue {
                queue.list.set_len(found.items.len());
                let there = |id: &crate::domain::Id| found.items.iter().any(|i| id_of(&i.code) == *id);
                queue.list.marks.retain(there);
                queue.found = Some(found);
            }
        });
    }

    pub(super) fn queue_command(&mut self, id: &str) -> Ask {
        let Some(queue) = &mut self.queue else { return Ask::Nothing };
        if queue.list.command(id) {
            return Ask::Nothing;
        }
        let here = queue.current().cloned();
        match (id, here) {
            ("record.open", Some(here)) if here.value.is_empty() => {
                Ask::Say(format!("{}: {}. e edits it", here.code, here.reason))
            }
            ("record.open", Some(here)) => Ask::Act(queue.take(vec![here.code])),
            ("record.edit", Some(here)) => super::act::edit(here.code),
            ("list.mark", Some(here)) => {
                queue.list.toggle(id_of(&here.code));
                queue.list.command("list.down");
                Ask::Nothing
            }
            ("list.mark_all", _) => {
                let all = queue.items().iter().map(|i| id_of(&i.code)).collect();
                queue.list.marks = if queue.list.marks == all { Default::default() } else { all };
                Ask::Nothing
            }
            ("outlets.mend", _) if !queue.list.marks.is_empty() => match queue.marked() {
                codes if codes.is_empty() => Ask::Say("None of the marked rows can be told".into()),
                codes => Ask::Act(queue.take(codes)),
            },
            ("outlets.mend", _) => self.mend(),
            _ => Ask::Nothing,
        }
    }

    /// Back to the rules; first the marks go.
    pub(super) fn leave_queue(&mut self) -> bool {
        match &mut self.queue {
            Some(queue) if !queue.list.marks.is_empty() => queue.list.marks.clear(),
            Some(_) => self.queue = None,
            None => return false,
        }
        true
    }

    pub(super) fn draw_queue(&self, queue: &Queue, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let label = crate::intake::rules::find(&queue.rule).map_or("", |r| r.label);
        let what = if wide >= WIDE { format!(": {}", queue.what) } else { String::new() };
        let title = format!("{} {label}{what}", queue.rule);
        let Some(found) = &queue.found else {
            rule(buf, area, 0, &title, "", cx);
            return put(buf, area, 1, 2, "looking", cx.style("text.muted"));
        };
        let note =
            format!("{} of {} can be told", thousands(found.found as u64), thousands(found.total as u64));
        rule(buf, area, 0, &title, &note, cx);
        let foot = area.height.saturating_sub(1);
        if found.items.is_empty() {
            let text = "Nothing is left of this rule. Esc goes back to the rules.";
            put(buf, area, 2, 2, &cx.cut(text, wide.saturating_sub(3)), cx.style("text.muted"));
            return rule(buf, area, foot, "", "0 of 0", cx);
        }
        let shown = || queue.list.visible().filter_map(|place| queue.items().get(place));
        let longest = |of: fn(&Suggestion) -> &str, least: usize, most: usize| {
            shown().map(|item| of(item).chars().count()).max().unwrap_or(0).clamp(least, most)
        };
        let code = longest(|i| &i.code, 6, 16);
        let now = if shown().all(|i| i.now.is_empty()) { 0 } else { longest(|i| &i.now, 3, wide / 4) };
        let value = longest(|i| &i.value, 8, wide / 4);
        // What the title says is not said on each line.
        let why =
            if shown().all(|i| i.reason == queue.what) { 0 } else { longest(|i| &i.reason, 3, wide / 3) };
        let fixed = 2 + [code, now, value, why]
            .map(|cells| if cells > 0 { cells + 1 } else { 0 })
            .iter()
            .sum::<usize>();
        let name = wide.saturating_sub(fixed).clamp(8, 40);
        let line = |cells: [&str; 5]| {
            let widths = [code, name, now, value, why];
            let cells = cells.iter().zip(widths).filter(|(_, cells)| *cells > 0);
            cells.map(|(text, cells)| cx.fit(text, cells)).collect::<Vec<_>>().join(" ")
        };
        let head = line(["code", "name", "now", "would be", "why"]);
        put(buf, area, 2, 1, &cx.cut(&head, wide.saturating_sub(2)), cx.style("text.muted"));
        for (y, place) in queue.list.visible().enumerate() {
            let Some(item) = queue.items().get(place) else { continue };
            let cursor = place == queue.list.cursor;
            let marked = queue.list.marks.contains(&id_of(&item.code));
            let sign = format!("{}{}", if cursor { ">" } else { " " }, if marked { "*" } else { " " });
            let would = if item.value.is_empty() { "-" } else { &item.value };
            let row = format!("{sign}{}", line([&item.code, &item.name, &item.now, would, &item.reason]));
            let style = match (cursor, marked, item.value.is_empty()) {
                (true, ..) => "selection",
                (_, true, _) => "mark",
                (_, _, true) => "text.muted",
                _ => "text",
            };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        let marks = match queue.list.marks.len() {
            0 => String::new(),
            n => format!("{} marked", thousands(n as u64)),
        };
        rule(buf, area, foot, &marks, &queue.list.position(found.total > found.items.len()), cx);
    }
}
