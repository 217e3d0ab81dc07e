//! History: everything that was done, newest first, with what it changed, and undo of
//! any of it.

use crate::domain::Id;
use crate::domain::schema::Kind;
use crate::engine::Engine;
use crate::services::undo::{ChangeShown, ListChanges, ShowChange};
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::Slot;
use crate::tui::panes::{Ask, Pane, undo_change};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::{Rows, Want, thousands};
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Lines of one change that are shown.
const LINES: usize = 2_000;
/// Undoing more than this asks first.
const MANY: u64 = 100;

#[derive(Default)]
pub struct History {
    filter: String,
    rows: Rows,
    open: Option<ChangeShown>,
    lines: ListState,
}

impl History {
    pub fn list_mut(&mut self) -> &mut ListState {
        &mut self.rows.list
    }

    /// Opens one change, wherever its row is.
    pub fn show(&mut self, txn: Id, cx: &mut Cx) {
        let question = move |engine: &Engine| engine.ask(&ShowChange { txn, limit: LINES });
        cx.ask(Slot::Side, question, move |panes, shown, _| {
            let history = &mut panes.history;
            history.lines = ListState { height: history.lines.height, ..ListState::default() };
            history.lines.set_len(shown.lines.len());
            history.open = Some(shown);
        });
    }

    /// The change that is open or under the cursor: its transaction, what it did, to how
    /// many records.
    fn here(&self) -> Option<(Id, String, u64)> {
        if let Some(ChangeShown { row, .. }) = &self.open {
            return Some((row.txn, row.what.clone(), row.changes));
        }
        let row = self.rows.current()?;
        Some((row.id, row.text("what"), row.int("changes").unwrap_or(1).max(0) as u64))
    }

    fn fetch(&self, want: Want, cx: &mut Cx) {
        let list = ListChanges {
            text: self.filter.clone(),
            oldest_first: !want.is_forward(),
            limit: want.limit(),
            cursor: want.cursor(),
        };
        let question = move |engine: &Engine| engine.ask(&list);
        cx.ask(Slot::History, question, move |panes, page, cx| {
            panes.history.rows.take(&want, page);
            if let Some(want) = panes.history.rows.near() {
                panes.history.fetch(want, cx);
            }
        });
    }
}

fn and_more(changes: u64) -> String {
    match changes {
        ..=1 => String::new(),
        n => format!(" and {} more", thousands(n - 1)),
    }
}

impl Pane for History {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["history", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        let open = if self.open.is_some() { "list" } else { "what changed" };
        vec![
            ("record.open", open),
            ("history.undo", "undo this"),
            ("list.filter", "filter"),
            ("app.undo", "undo my last"),
            ("app.redo", "redo"),
        ]
    }

    fn lacks(&self) -> &'static [&'static str] {
        &[
            "list.inside",
            "list.archived",
            "list.mark",
            "list.mark_all",
            "record.edit",
            "record.delete",
            "record.archive",
            "record.merge",
        ]
    }

    fn load(&mut self, cx: &mut Cx) {
        let want = if self.rows.is_empty() { self.rows.start() } else { self.rows.again() };
        self.fetch(want, cx);
    }

    fn refresh(&mut self, _kinds: &[Kind], cx: &mut Cx) {
        self.load(cx);
    }

    fn refuses(&self, id: &str) -> Refused {
        let of_row = matches!(id, "record.open" | "history.undo" | "list.copy");
        if of_row && self.here().is_none() { Some(command::NO_ROW) } else { None }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if self.open.take().is_some() {
            return true;
        }
        let filtered = !self.filter.is_empty();
        self.set_filter("", cx);
        filtered
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.filter != text {
            self.filter = text.to_owned();
            let want = self.rows.start();
            self.fetch(want, cx);
        }
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if self.open.is_some() && self.lines.command(id) {
            return Ask::Nothing;
        }
        if let (None, Some(want)) = (&self.open, self.rows.command(id)) {
            if let Some(want) = want {
                self.fetch(want, cx);
            }
            return Ask::Nothing;
        }
        if id == "list.filter" {
            return Ask::Prompt(Prompt::new("filter", &self.filter, Wanted::Filter));
        }
        let Some((txn, what, changes)) = self.here() else { return Ask::Nothing };
        match id {
            "record.open" if self.open.take().is_none() => {
                self.show(txn, cx);
            }
            "history.undo" => {
                let question = match changes {
                    ..=MANY => String::new(),
                    n => format!("Undo {n} changes?"),
                };
                return undo_change(txn, question);
            }
            "list.copy" => return Ask::Copy(what.clone(), what),
            _ => {}
        }
        Ask::Nothing
    }

    fn layout(&mut self, area: Rect, cx: &mut Cx) {
        self.rows.list.set_height(usize::from(area.height.saturating_sub(3)));
        self.lines.set_height(usize::from(area.height.saturating_sub(2)));
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        if let Some(ChangeShown { row, lines }) = &self.open {
            let what = format!("{}{}", row.what, and_more(row.changes));
            rule(buf, area, 0, &what, &format!("{}, {}", row.by, row.at), cx);
            for (y, place) in self.lines.visible().enumerate() {
                let cursor = place == self.lines.cursor;
                let style = if cursor { "selection" } else { "text" };
                let text = cx.fit(&format!(" {}", lines[place]), wide);
                put(buf, area, 0, 1 + y as u16, &text, cx.style(style));
            }
            return rule(buf, area, area.height.saturating_sub(1), "", &self.lines.position(false), cx);
        }
        let filter = if self.filter.is_empty() { "none" } else { &self.filter };
        put(buf, area, 1, 0, &cx.cut(&format!("filter: {filter} (/)"), wide - 2), cx.style("text"));
        rule(buf, area, 1, "", "", cx);
        let by = (wide / 6).clamp(10, 24);
        let cells = |at: &str, who: &str, n: &str, what: &str| {
            format!("{} {} {} {what}", cx.fit(at, 16), cx.fit(who, by), cx.fit_right(n, 7))
        };
        let head = format!("  {}", cells("at", "by", "changes", "what"));
        put(buf, area, 0, 1, &cx.fit(&head, wide), cx.style("text.muted"));
        if self.rows.is_empty() {
            let text = match (self.rows.loading, self.filter.is_empty()) {
                (true, _) => "looking",
                (_, false) => "Nothing that was done is called so. Esc clears the filter.",
                _ => "Nothing was done yet.",
            };
            put(buf, area, 2, 3, text, cx.style("text.muted"));
        }
        for (y, place) in self.rows.list.visible().enumerate() {
            let Some(item) = self.rows.get(place) else { continue };
            let cursor = place == self.rows.list.cursor;
            let changes = thousands(item.int("changes").unwrap_or(1).max(0) as u64);
            let cause = match item.text("cause").as_str() {
                "edit" | "" => String::new(),
                cause => format!("{cause}: "),
            };
            let more = and_more(item.int("changes").unwrap_or(1).max(0) as u64);
            let what = format!("{cause}{}{more}", item.text("what"));
            let sign = if cursor { ">" } else { " " };
            let row = format!("{sign} {}", cells(&item.text("at"), &item.text("by"), &changes, &what));
            let style = if cursor { "selection" } else { "text" };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.rows.position(None), cx);
    }

    fn click(&mut self, line: u16) {
        if let (None, Some(row)) = (&self.open, line.checked_sub(2)) {
            self.rows.list.point(usize::from(row));
        }
    }
}
