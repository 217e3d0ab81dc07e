//! Admin: the words the organisation works with, its people, and what was remembered.
//! One table of kinds on the left, the records of one of them on the right.

use crate::domain::schema::Kind;
use crate::engine::Engine;
use crate::services::records::{Browse, Delete, List, Page};
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::Slot;
use crate::tui::panes::{Ask, Pane, act, archive, edit_form, merge, new_record};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::{Rows, Want};
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// What is kept here, what it is called, and which fields its rows show.
const KINDS: [(Kind, &str, [&str; 3]); 13] = [
    (Kind::Tenant, "Organisation", ["zone", "currency", "day_minutes_text"]),
    (Kind::User, "People", ["email", "team", "roles"]),
    (Kind::Team, "Teams", ["lead", "aliases", ""]),
    (Kind::Role, "Roles", ["verbs", "", ""]),
    (Kind::ActivityType, "Activity types", ["effort", "default_effort_text", "aliases"]),
    (Kind::Reason, "Reasons", ["outcome", "aliases", ""]),
    (Kind::Industry, "Industries", ["parent", "aliases", ""]),
    (Kind::UseCase, "Use cases", ["industry", "aliases", ""]),
    (Kind::Distributor, "Distributors", ["external_id", "city", "country"]),
    (Kind::Chain, "Chains", ["external_id", "channel", "head_office"]),
    (Kind::Rep, "Reps", ["external_id", "depot", "work_days"]),
    (Kind::Alias, "Names in files", ["scope", "target_name", "verdict"]),
    (Kind::Preset, "Views and templates", ["view", "scope", "owner"]),
];
/// Cells of the list of kinds.
const LEFT: u16 = 22;

#[derive(Default)]
pub struct Admin {
    kinds: ListState,
    rows: Rows,
    filter: String,
    archived: bool,
    /// The keys go to the records.
    inside: bool,
}

impl Admin {
    pub fn list_mut(&mut self) -> &mut ListState {
        &mut self.rows.list
    }

    fn kind(&self) -> (Kind, &'static str, [&'static str; 3]) {
        KINDS[self.kinds.cursor.min(KINDS.len() - 1)]
    }

    fn fetch(&self, want: Want, cx: &mut Cx) {
        let (kind, text, archived) = (self.kind().0, self.filter.trim().to_owned(), self.archived);
        let (backwards, limit, cursor) = (!want.is_forward(), want.limit(), want.cursor());
        let question = move |engine: &Engine| {
            if kind.schema().indexes.iter().any(|i| i.fields == [1]) {
                return engine.ask(&Browse { kind, text, archived, backwards, limit, cursor });
            }
            let filter = (!text.is_empty()).then_some(text);
            let list = List { kind, filter, archived, account: None, limit: 1_000, cursor: None };
            engine.ask(&list).map(|page| Page { next: None, ..page })
        };
        cx.ask(Slot::Admin, question, move |panes, page, cx| {
            panes.admin.rows.take(&want, page);
            if let Some(want) = panes.admin.rows.near() {
                panes.admin.fetch(want, cx);
            }
        });
    }

    fn start(&mut self, cx: &mut Cx) {
        let want = self.rows.start();
        self.fetch(want, cx);
    }

    fn name(item: &Item) -> String {
        match item.text("name") {
            name if name.is_empty() => item.text("text"),
            name => name,
        }
    }
}

impl Pane for Admin {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["admin", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        if !self.inside {
            return vec![
                ("record.open", "go in"),
                ("record.add", "new"),
                ("app.settings", "settings"),
                ("app.undo", "undo"),
            ];
        }
        vec![
            ("record.open", "edit"),
            ("record.add", "new"),
            ("record.archive", "archive"),
            ("record.merge", "merge"),
            ("list.filter", "filter"),
            ("list.inside", "kinds"),
            ("app.undo", "undo"),
        ]
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.mark", "list.mark_all", "list.copy"]
    }

    fn load(&mut self, cx: &mut Cx) {
        self.kinds.set_len(KINDS.len());
        let want = if self.rows.is_empty() { self.rows.start() } else { self.rows.again() };
        self.fetch(want, cx);
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if kinds.contains(&self.kind().0) {
            self.load(cx);
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        let (kind, ..) = self.kind();
        let field = |name| kind.schema().field_named(name).is_some();
        let of_row = matches!(id, "record.edit" | "record.archive" | "record.merge" | "record.delete");
        match id {
            "record.open" if !self.inside => None,
            "record.open" if self.rows.current().is_none() => Some(command::NO_ROW),
            _ if of_row && self.rows.current().is_none() => Some(command::NO_ROW),
            "record.add" if kind == Kind::Tenant => Some("A store has one organisation"),
            "record.archive" if !field("archived") => Some("These are deleted (d d), not archived"),
            "record.merge" if !field("merged_into") => Some("These are not merged"),
            "record.delete" if kind == Kind::Tenant => Some("A store has one organisation"),
            _ => None,
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if !self.filter.is_empty() {
            self.set_filter("", cx);
            return true;
        }
        std::mem::take(&mut self.inside)
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.filter != text {
            self.filter = text.to_owned();
            self.start(cx);
        }
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if !self.inside {
            if self.kinds.command(id) {
                self.filter.clear();
                self.start(cx);
                return Ask::Nothing;
            }
        } else if let Some(want) = self.rows.command(id) {
            if let Some(want) = want {
                self.fetch(want, cx);
            }
            return Ask::Nothing;
        }
        let (kind, ..) = self.kind();
        let row =
            self.rows.current().map(|item| (item.id.to_string(), Admin::name(item), item.flag("archived")));
        match (id, row) {
            ("record.open", _) if !self.inside => self.inside = true,
            ("list.inside", _) => self.inside = !self.inside,
            ("record.add", _) => return new_record(kind, Default::default()),
            ("record.open" | "record.edit", Some((which, ..))) => return edit_form(kind, which),
            ("record.archive", Some((which, name, away))) => return archive(kind, which, name, !away),
            ("record.merge", Some((_, name, _))) => {
                let label = format!("merge {name} into");
                return Ask::Prompt(Prompt::new(&label, "", Wanted::Pane("merge".into())));
            }
            ("record.delete", Some((which, name, _))) => {
                return Ask::Act(act(move |engine| {
                    let done = engine.run(&Delete { kind, which })?;
                    Ok((format!("Deleted: {name}"), Some(done.txn)))
                }));
            }
            ("list.archived", _) => {
                self.archived = !self.archived;
                self.start(cx);
            }
            ("list.filter", _) => {
                self.inside = true;
                return Ask::Prompt(Prompt::new("filter", &self.filter, Wanted::Filter));
            }
            _ => {}
        }
        Ask::Nothing
    }

    fn prompted(&mut self, what: &str, typed: &str, _cx: &mut Cx) -> Ask {
        match (what, self.rows.current()) {
            ("merge", Some(item)) => merge(self.kind().0, item.id.to_string(), typed.to_owned()),
            _ => Ask::Nothing,
        }
    }

    fn layout(&mut self, area: Rect, cx: &mut Cx) {
        self.kinds.set_height(usize::from(area.height.saturating_sub(2)));
        self.rows.list.set_height(usize::from(area.height.saturating_sub(3)));
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let left = part(area, 0, 0, LEFT, area.height);
        rule(buf, area, 0, "Admin", "", cx);
        for (y, place) in self.kinds.visible().enumerate() {
            let cursor = place == self.kinds.cursor;
            let sign = if cursor { ">" } else { " " };
            let style = match (cursor, self.inside) {
                (true, false) => "selection",
                (true, true) => "selection.blur",
                _ => "text",
            };
            let text = cx.fit(&format!("{sign} {}", KINDS[place].1), usize::from(LEFT) - 1);
            put(buf, left, 0, 1 + y as u16, &text, cx.style(style));
        }
        let (kind, _, shown) = self.kind();
        let right = part(area, LEFT, 0, area.width.saturating_sub(LEFT), area.height);
        let wide = usize::from(right.width);
        let filter = if self.filter.is_empty() { "none" } else { &self.filter };
        let away = if self.archived { "shown" } else { "hidden" };
        let line = format!("filter: {filter} (/)   archived: {away} (z)");
        put(buf, right, 1, 1, &cx.cut(&line, wide.saturating_sub(2)), cx.style("text.muted"));
        if self.rows.is_empty() {
            let plural = kind.schema().plural;
            let text = match (self.rows.loading, self.filter.is_empty()) {
                (true, _) => "looking".to_owned(),
                (_, false) => "Nothing is called that. Esc clears the filter.".to_owned(),
                _ if kind == Kind::Alias => {
                    "Nothing was said of owners and accounts in files yet.".to_owned()
                }
                _ => format!("No {plural} yet: a adds the first."),
            };
            put(buf, right, 1, 3, &cx.cut(&text, wide.saturating_sub(2)), cx.style("text.muted"));
        }
        // The names take what they need, the rest is for the fields.
        let longest = self.rows.list.visible().filter_map(|place| self.rows.get(place));
        let longest = longest.map(|item| {
            Admin::name(item).width() + if item.flag("archived") { " (archived)".len() } else { 0 }
        });
        let name = longest.max().unwrap_or(0).clamp(12, (wide / 2).max(12));
        let rest = wide.saturating_sub(name + 4) / shown.iter().filter(|n| !n.is_empty()).count().max(1);
        for (y, place) in self.rows.list.visible().enumerate() {
            let Some(item) = self.rows.get(place) else { continue };
            let cursor = place == self.rows.list.cursor && self.inside;
            let away = if item.flag("archived") { " (archived)" } else { "" };
            let mut row = format!(
                "{} {}",
                if cursor { ">" } else { " " },
                cx.fit(&format!("{}{away}", Admin::name(item)), name)
            );
            for field in shown.iter().filter(|n| !n.is_empty()) {
                row.push(' ');
                row.push_str(&cx.fit(&item.text(field), rest.saturating_sub(1)));
            }
            let style = if cursor { "selection" } else { "text" };
            put(buf, right, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.rows.position(None), cx);
    }
}
