//! Accounts by name, each with its projects, what was done, what was won and lost. What
//! is likely to be looked at next is read ahead.

use crate::domain::effort::show_effort;
use crate::domain::schema::Kind;
use crate::domain::when::show_day;
use crate::domain::{FailureKind, Id, text};
use crate::engine::Engine;
use crate::services::accounts::{AccountShown, ShowAccount};
use crate::services::records::Browse;
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::Slot;
use crate::tui::panes::{
    Ask, NAMES, Pane, archive, edit_form, merge, new_activity, new_record, purge, touches,
};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::{Rows, Want};
use crate::tui::widgets::{DrawCx, part, put, rule};
use chrono::NaiveDate;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// From this width on the account stands beside the list.
const WIDE: u16 = 100;
/// Accounts that are held ready.
const AHEAD: usize = 60;

#[derive(Default)]
pub struct Accounts {
    filter: String,
    archived: bool,
    rows: Rows,
    /// Looked at, and read ahead.
    ready: BTreeMap<Id, AccountShown>,
    asked: Vec<Id>,
    /// The keys go to the account's own lines.
    inside: bool,
    lines: ListState,
    /// An account that was gone to from elsewhere, wherever its row is.
    shown: Option<Id>,
    pub hits: u64,
    pub misses: u64,
}

/// A line of an account: a heading, or a record that can be opened.
struct Line {
    text: String,
    record: Option<(Kind, Id)>,
    muted: bool,
}

impl Accounts {
    pub fn list_mut(&mut self) -> &mut ListState {
        &mut self.rows.list
    }

    /// Goes to an account, wherever it is in the list.
    pub fn show(&mut self, id: Id) {
        self.shown = Some(id);
        self.inside = true;
        self.lines = ListState { height: self.lines.height, ..ListState::default() };
    }

    fn fetch(&self, want: Want, cx: &mut Cx) {
        let browse = Browse {
            kind: Kind::Account,
            text: self.filter.trim().to_owned(),
            archived: self.archived,
            backwards: !want.is_forward(),
            limit: want.limit(),
            cursor: want.cursor(),
        };
        let question = move |engine: &Engine| engine.ask(&browse);
        cx.ask(Slot::Accounts, question, move |panes, page, cx| {
            let accounts = &mut panes.accounts;
            accounts.rows.take(&want, page);
            let near = accounts.rows.near();
            accounts.look(cx);
            if let Some(want) = near {
                accounts.fetch(want, cx);
            }
        });
    }

    fn here(&self) -> Option<Id> {
        self.shown.or(self.rows.current().map(|item| item.id))
    }

    /// Reads the account under the cursor, then its neighbours.
    fn look(&mut self, cx: &mut Cx) {
        let Some(id) = self.here() else { return };
        match self.ready.contains_key(&id) {
            true => self.hits += 1,
            false => self.misses += 1,
        }
        let at = self.rows.list.cursor;
        let near = [at + 1, at + 2, at.wrapping_sub(1)];
        let near = near.into_iter().filter_map(|place| self.rows.get(place)).map(|item| item.id);
        let wanted: Vec<Id> = std::iter::once(id).chain(near).collect();
        for (n, id) in wanted.into_iter().enumerate() {
            if self.ready.contains_key(&id) || self.asked.contains(&id) {
                continue;
            }
            self.asked.push(id);
            // What is gone meanwhile leaves the list with its next page; it is nothing to complain of.
            let question = move |engine: &Engine| match engine.ask(&ShowAccount { which: id.to_string() }) {
                Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
                shown => shown.map(Some),
            };
            // Each of the neighbours has a place of its own: none makes another's answer old.
            cx.ask(Slot::Ahead(n as u8), question, move |panes, shown, _| match shown {
                Some(shown) => panes.accounts.keep(id, shown),
                None => panes.accounts.asked.retain(|asked| *asked != id),
            });
        }
    }

    fn keep(&mut self, id: Id, shown: AccountShown) {
        self.asked.retain(|asked| *asked != id);
        if self.ready.len() >= AHEAD
            && let Some(other) = self.ready.keys().find(|k| Some(**k) != self.here()).copied()
        {
            self.ready.remove(&other);
        }
        self.ready.insert(id, shown);
        self.lines.set_len(self.content().len());
    }

    fn forget(&mut self) {
        self.ready.clear();
        self.asked.clear();
    }

    /// What is said of the account under the cursor.
    fn content(&self) -> Vec<Line> {
        let Some(shown) = self.here().and_then(|id| self.ready.get(&id)) else { return vec![] };
        let mut lines = Vec::new();
        let plain = |text: String| Line { text, record: None, muted: false };
        let head = |text: String| Line { text, record: None, muted: true };
        let about = ["industry", "region", "segment", "owner", "website"];
        let about: Vec<String> = about.iter().map(|n| shown.item.text(n)).filter(|t| !t.is_empty()).collect();
        if !about.is_empty() {
            lines.push(plain(about.join(", ")));
        }
        lines.push(plain(match (shown.activities, shown.last, shown.quiet_days) {
            (0, ..) => "Nothing logged yet: l logs the first".into(),
            (n, Some(last), quiet) => {
                let quiet = match quiet {
                    Some(days) if days >= 30 => format!(", gone quiet for {days} days"),
                    Some(days) => format!(", {} ago", text::count(days as usize, "day")),
                    None => ", today".into(),
                };
                let count = if n == 1 { "1 activity".into() } else { format!("{n} activities") };
                format!("{count}, the last {}{quiet}", show_day(last))
            }
            (n, ..) => format!("{n} activities"),
        }));
        for line in shown.item.text("notes").lines() {
            lines.push(plain(line.to_owned()));
        }
        lines.push(head(text::count(shown.projects.len(), "project")));
        for project in &shown.projects {
            let parts = [project.text("name"), project.text("stage"), project.text("value_text")];
            let away = if project.flag("archived") { " (archived)" } else { "" };
            let text = parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ");
            lines.push(record(Kind::Project, project, format!("  {text}{away}")));
        }
        if !shown.recent.is_empty() {
            lines.push(head("done lately".into()));
        }
        for activity in &shown.recent {
            let date: Option<NaiveDate> = activity.text("date").parse().ok();
            let day = date.map(show_day).unwrap_or_default();
            let effort = activity.int("effort_minutes").map(show_effort).unwrap_or_default();
            let text = format!("  {day} {} {effort} {}", activity.text("type"), activity.text("summary"));
            lines.push(record(Kind::Activity, activity, text));
        }
        if !shown.wins.is_empty() {
            lines.push(head("won and lost, two years".into()));
        }
        for win in &shown.wins {
            let word = if win.text("outcome") == "win" { "+ won " } else { "- lost" };
            let amount = format!("{} {}", win.text("amount_text"), win.text("amount_currency"));
            let text = format!("  {} {word} {} {}", win.text("date"), amount.trim(), win.text("opportunity"));
            lines.push(record(Kind::Win, win, text));
        }
        lines
    }

    fn draw_account(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(shown) = self.here().and_then(|id| self.ready.get(&id)) else {
            let text = if self.here().is_some() { "looking" } else { "" };
            return put(buf, area, 1, 1, text, cx.style("text.muted"));
        };
        let name = shown.item.text("name");
        let away = if shown.item.flag("archived") { "archived" } else { "" };
        rule(buf, area, 0, &name, away, cx);
        let lines = self.content();
        for (y, place) in self.lines.visible().enumerate() {
            let Some(line) = lines.get(place) else { continue };
            let cursor = self.inside && place == self.lines.cursor;
            let style = match (cursor, line.muted) {
                (true, _) => "selection",
                (false, true) => "text.title",
                _ => "text",
            };
            let sign = if cursor { ">" } else { " " };
            let row = cx.fit(&format!("{sign} {}", line.text), usize::from(area.width));
            put(buf, area, 0, 1 + y as u16, &row, cx.style(style));
        }
    }

    fn draw_list(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let filter = if self.filter.is_empty() { "none" } else { &self.filter };
        let away = if self.archived { "shown" } else { "hidden" };
        let line = format!("filter: {filter} (/)   archived: {away} (z)");
        put(buf, area, 1, 0, &cx.cut(&line, wide.saturating_sub(2)), cx.style("text"));
        rule(buf, area, 1, "", "", cx);
        let (name, industry) = (wide * 6 / 10, wide.saturating_sub(wide * 6 / 10 + 4));
        let head = format!("  {} {}", cx.fit("account", name), cx.fit("industry, region", industry));
        put(buf, area, 0, 1, &cx.fit(&head, wide), cx.style("text.muted"));
        if self.rows.is_empty() {
            let text = match (self.rows.loading, self.filter.is_empty()) {
                (true, _) => "looking",
                (_, false) => "No account is called that. Esc clears the filter.",
                _ => "No accounts yet. Press a, or A in Imports (8) for a file of them.",
            };
            put(buf, area, 2, 3, &cx.cut(text, wide.saturating_sub(3)), cx.style("text.muted"));
        }
        for (y, place) in self.rows.list.visible().enumerate() {
            let Some(item) = self.rows.get(place) else { continue };
            let cursor = place == self.rows.list.cursor && self.shown.is_none();
            let about = [item.text("industry"), item.text("region")];
            let about = about.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ");
            let away = if item.flag("archived") { " (archived)" } else { "" };
            let row = format!(
                "{} {} {}",
                if cursor { ">" } else { " " },
                cx.fit(&format!("{}{away}", item.text("name")), name),
                cx.fit(&about, industry)
            );
            let style = match (cursor, self.inside) {
                (true, false) => "selection",
                (true, true) => "selection.blur",
                _ => "text",
            };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.rows.position(None), cx);
    }

    /// The record on the line under the cursor.
    fn line_record(&self) -> Option<(Kind, Id)> {
        self.content().get(self.lines.cursor).and_then(|line| line.record)
    }

    fn archive_project(&self, id: Id) -> Ask {
        let shown = self.here().and_then(|here| self.ready.get(&here));
        let project = shown.and_then(|shown| shown.projects.iter().find(|p| p.id == id));
        let (name, away) = project.map_or((String::new(), false), |p| (p.text("name"), p.flag("archived")));
        archive(Kind::Project, id.to_string(), name, !away)
    }

    fn name(&self) -> Option<String> {
        let id = self.here()?;
        let ready = self.ready.get(&id).map(|shown| shown.item.text("name"));
        ready.or_else(|| self.rows.iter().find(|i| i.id == id).map(|i| i.text("name")))
    }
}

fn record(kind: Kind, item: &Item, text: String) -> Line {
    Line { text, record: Some((kind, item.id)), muted: false }
}

impl Pane for Accounts {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["accounts", "erase", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("record.open", if self.inside { "edit" } else { "open" }),
            ("list.inside", "list or account"),
            ("accounts.log", "log for it"),
            ("record.add", "new"),
            ("accounts.project", "project"),
            ("list.filter", "filter"),
            ("record.edit", "edit"),
            ("record.merge", "merge"),
            ("app.undo", "undo"),
        ]
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.mark", "list.mark_all", "record.delete"]
    }

    fn load(&mut self, cx: &mut Cx) {
        self.forget();
        let want = if self.rows.is_empty() { self.rows.start() } else { self.rows.again() };
        self.fetch(want, cx);
        self.look(cx);
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if touches(kinds, &NAMES) || touches(kinds, &[Kind::Activity, Kind::Win]) {
            self.load(cx);
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        let of_row = matches!(
            id,
            "record.open"
                | "record.edit"
                | "record.archive"
                | "record.merge"
                | "record.purge"
                | "accounts.log"
                | "list.inside"
                | "accounts.project"
                | "list.copy"
        );
        if of_row && self.here().is_none() { Some(command::NO_ROW) } else { None }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if self.inside || self.shown.is_some() {
            self.inside = false;
            self.shown = None;
            self.look(cx);
            return true;
        }
        if !self.filter.is_empty() {
            self.set_filter("", cx);
            return true;
        }
        false
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.filter != text {
            self.filter = text.to_owned();
            self.shown = None;
            let want = self.rows.start();
            self.fetch(want, cx);
        }
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if self.inside {
            self.lines.set_len(self.content().len());
            if self.lines.command(id) {
                return Ask::Nothing;
            }
        } else if let Some(want) = self.rows.command(id) {
            self.shown = None;
            self.lines = ListState { height: self.lines.height, ..ListState::default() };
            if let Some(want) = want {
                self.fetch(want, cx);
            }
            self.look(cx);
            self.lines.set_len(self.content().len());
            return Ask::Nothing;
        }
        // What needs no account under the cursor.
        match id {
            "record.add" => return new_record(Kind::Account, Default::default()),
            "list.filter" => return Ask::Prompt(Prompt::new("filter", &self.filter, Wanted::Filter)),
            "list.archived" => {
                self.archived = !self.archived;
                let want = self.rows.start();
                self.fetch(want, cx);
                return Ask::Nothing;
            }
            _ => {}
        }
        let (Some(here), name) = (self.here(), self.name().unwrap_or_default()) else {
            return Ask::Nothing;
        };
        let which = here.to_string();
        let account = || [("account".to_owned(), name.clone())].into();
        match id {
            "record.open" if !self.inside => self.inside = true,
            "list.inside" => self.inside = !self.inside,
            "record.open" => {
                let content = self.content();
                if let Some((kind, id)) = content.get(self.lines.cursor).and_then(|l| l.record) {
                    return edit_form(kind, id.to_string());
                }
                return edit_form(Kind::Account, which);
            }
            "record.edit" | "record.archive" if self.inside && self.line_record().is_some() => {
                return match (id, self.line_record()) {
                    ("record.edit", Some((kind, id))) => edit_form(kind, id.to_string()),
                    (_, Some((Kind::Project, id))) => self.archive_project(id),
                    _ => {
                        Ask::Say("Only accounts and projects are archived: d d in their place deletes".into())
                    }
                };
            }
            "record.edit" => return edit_form(Kind::Account, which),
            "accounts.project" => return new_record(Kind::Project, account()),
            "accounts.log" => return new_activity(account()),
            "record.archive" => {
                let away = self.ready.get(&here).is_some_and(|s| s.item.flag("archived"));
                return archive(Kind::Account, which, name, !away);
            }
            "record.merge" => {
                let label = format!("merge {name} into");
                return Ask::Prompt(Prompt::new(&label, "", Wanted::Pane("merge".into())));
            }
            "record.purge" => {
                let label = format!("erase {name} for good, why");
                return Ask::Prompt(Prompt::new(&label, "", Wanted::Pane("purge".into())));
            }
            "list.copy" => return Ask::Copy(name.clone(), name),
            _ => {}
        }
        Ask::Nothing
    }

    fn prompted(&mut self, what: &str, typed: &str, _cx: &mut Cx) -> Ask {
        match (what, self.here()) {
            ("merge", Some(id)) => merge(Kind::Account, id.to_string(), typed.to_owned()),
            ("purge", Some(id)) => {
                let name = self.ready.get(&id).map(|shown| shown.item.text("name")).unwrap_or_default();
                purge(Kind::Account, id, name, typed)
            }
            _ => Ask::Nothing,
        }
    }

    fn layout(&mut self, area: Rect, cx: &mut Cx) {
        self.rows.list.set_height(usize::from(area.height.saturating_sub(3)));
        self.lines.set_height(usize::from(area.height.saturating_sub(1)));
        self.lines.set_len(self.content().len());
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        if !cx.beside(area, WIDE) {
            return match self.inside {
                true => self.draw_account(area, buf, cx),
                false => self.draw_list(area, buf, cx),
            };
        }
        let half = area.width * 45 / 100;
        self.draw_list(part(area, 0, 0, half - 1, area.height), buf, cx);
        self.draw_account(part(area, half, 0, area.width - half, area.height), buf, cx);
    }

    fn click(&mut self, line: u16) {
        if let (false, Some(row)) = (self.inside, line.checked_sub(2)) {
            self.shown = None;
            self.rows.list.point(usize::from(row));
        }
    }
}
