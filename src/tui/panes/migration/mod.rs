//! Migration: the months of a load, the rows of one of them beside what is live, and the
//! texts that nobody knows yet.

mod act;
mod view;

use crate::domain::Id;
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::engine::{Engine, Progress};
use crate::services::imports::Target;
use crate::services::migration::{
    CountMigration, Counted, LegacyName, ListLegacyNames, ListMigrations, ListStubs, Loaded, MonthShown,
    RowShown, ShowMonth, Stub,
};
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::Slot;
use crate::tui::panes::{Ask, NAMES, Pane, touches};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::widgets::DrawCx;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows of a month that are held; `i` and `/` narrow them.
const HELD: usize = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum View {
    #[default]
    Months,
    Rows,
    /// Drafts by owner and by type, of the load or of the open month.
    People,
    Names,
    Stubs,
}

#[derive(Default)]
pub struct Migration {
    view: View,
    /// Loads that are not finished, and which of them is looked at.
    loads: Option<Vec<Loaded>>,
    which: Option<Id>,
    counted: Option<Counted>,
    months: ListState,
    /// The month that is open, its rows, what they are narrowed to.
    month: Option<Month>,
    shown: Option<MonthShown>,
    rows: ListState,
    issue: String,
    text: String,
    /// The cursor is in the fields of the row.
    inside: bool,
    fields: ListState,
    people: Option<Counted>,
    by: ListState,
    names: Option<Vec<LegacyName>>,
    unknown: ListState,
    stubs: Option<Vec<Stub>>,
    made: ListState,
}

impl Migration {
    fn which(&self) -> String {
        self.which.map(|id| id.to_string()).unwrap_or_default()
    }

    fn take_loads(&mut self, loads: Vec<Loaded>, cx: &mut Cx) {
        if !loads.iter().any(|load| Some(load.id) == self.which) {
            self.which = loads.first().map(|load| load.id);
            (self.counted, self.shown, self.names, self.stubs) = (None, None, None, None);
            (self.view, self.month) = (View::Months, None);
        }
        self.loads = Some(loads);
        self.look(cx);
    }

    /// Asks for what the view shows.
    fn look(&mut self, cx: &mut Cx) {
        if self.which.is_none() {
            return;
        }
        let which = self.which();
        match (self.view, self.month) {
            (View::Names, _) => cx.ask(
                Slot::Side,
                move |engine: &Engine| engine.ask(&ListLegacyNames { which }),
                |panes, names, _| {
                    let of = &mut panes.migration;
                    of.unknown.set_len(names.len());
                    of.names = Some(names);
                },
            ),
            (View::Stubs, _) => cx.ask(
                Slot::Side,
                move |engine: &Engine| engine.ask(&ListStubs { which }),
                |panes, stubs, _| {
                    let of = &mut panes.migration;
                    of.made.set_len(stubs.len());
                    of.stubs = Some(stubs);
                },
            ),
            (View::People, month) => {
                let ask = CountMigration { which, compare: false, month };
                cx.ask(
                    Slot::Side,
                    move |engine: &Engine| engine.ask(&ask),
                    |panes, counted, _| {
                        let of = &mut panes.migration;
                        of.by.set_len(counted.owners.len().max(counted.types.len()));
                        of.people = Some(counted);
                    },
                );
            }
            (View::Rows, Some(month)) => {
                let ask = ShowMonth {
                    which,
                    month: month.to_string(),
                    issue: self.issue.clone(),
                    text: self.text.clone(),
                    from: 0,
                    limit: HELD,
                };
                cx.ask(
                    Slot::Side,
                    move |engine: &Engine| engine.ask(&ask),
                    |panes, shown, _| panes.migration.take_rows(shown),
                );
            }
            _ => {}
        }
        // The months at once, without a look at live activities, and then with one.
        let which = self.which();
        let fast = CountMigration { which, compare: false, month: None };
        cx.ask(
            Slot::Migration,
            move |engine: &Engine| engine.ask(&fast),
            |panes, counted, cx| {
                let of = &mut panes.migration;
                of.take_counts(counted, false);
                let whole = CountMigration { which: of.which(), compare: true, month: None };
                cx.ask(
                    Slot::Migration,
                    move |engine: &Engine| engine.ask(&whole),
                    |panes, counted, _| panes.migration.take_counts(counted, true),
                );
            },
        );
    }

    fn take_counts(&mut self, counted: Counted, whole: bool) {
        // A quick count does not take away what a whole one has told.
        if whole || self.counted.is_none() {
            self.months.set_len(counted.months.len());
            self.counted = Some(counted);
        }
    }

    fn take_rows(&mut self, shown: MonthShown) {
        self.rows.set_len(shown.rows.len());
        self.shown = Some(shown);
        self.settle_fields();
    }

    fn settle_fields(&mut self) {
        let fields = self.row_shown().map_or(0, |row| row.fields.len());
        self.fields.set_len(fields);
        self.inside &= fields > 0;
    }

    fn row_shown(&self) -> Option<&RowShown> {
        self.shown.as_ref()?.rows.get(self.rows.cursor)
    }

    /// The month under the cursor, or the one that is open.
    fn month_here(&self) -> Option<Month> {
        match self.view {
            View::Rows => self.month,
            View::Months => {
                let months = &self.counted.as_ref()?.months;
                Month::parse(&months.get(self.months.cursor)?.month).ok()
            }
            _ => None,
        }
    }

    fn state_here(&self) -> &str {
        let month = self.month_here().map(|m| m.to_string());
        let months = self.counted.iter().flat_map(|c| &c.months);
        months.into_iter().find(|m| Some(&m.month) == month.as_ref()).map_or("", |m| m.state.as_str())
    }

    fn list(&mut self) -> &mut ListState {
        match self.view {
            View::Months => &mut self.months,
            View::Rows if self.inside => &mut self.fields,
            View::Rows => &mut self.rows,
            View::People => &mut self.by,
            View::Names => &mut self.unknown,
            View::Stubs => &mut self.made,
        }
    }

    fn show(&mut self, view: View, cx: &mut Cx) {
        self.view = view;
        self.inside = false;
        self.look(cx);
    }
}

impl Pane for Migration {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["migration", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        if self.which.is_none() {
            return vec![("migration.load", "load a file"), ("go.imports", "imports"), ("app.help", "keys")];
        }
        match self.view {
            View::Months => vec![
                ("record.open", "open"),
                ("migration.confirm", "confirm"),
                ("migration.promote", "promote"),
                ("migration.rollback", "roll back"),
                ("migration.tab", "by owner"),
                ("migration.rules", "rules"),
                ("app.undo", "undo"),
            ],
            View::Rows if self.inside => vec![
                ("migration.live", "live counts"),
                ("migration.legacy", "file counts"),
                ("migration.newer", "newer"),
                ("migration.both", "both"),
                ("app.back", "back"),
            ],
            View::Rows => vec![
                ("migration.issue", "issue"),
                ("migration.live", "live"),
                ("migration.legacy", "file"),
                ("migration.own", "own"),
                ("migration.reject", "reject"),
                ("record.edit", "type"),
                ("list.mark", "mark"),
                ("app.back", "months"),
            ],
            View::People => {
                vec![("migration.tab", "unknown texts"), ("app.back", "back"), ("app.undo", "undo")]
            }
            View::Names => vec![
                ("record.open", "say who"),
                ("migration.stubs", "make records"),
                ("migration.tab", "made records"),
                ("app.undo", "undo"),
            ],
            View::Stubs => vec![
                ("migration.unstub", "drop unused"),
                ("record.merge", "merge"),
                ("migration.tab", "months"),
                ("app.undo", "undo"),
            ],
        }
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.archived", "list.copy", "record.archive", "record.delete"]
    }

    fn load(&mut self, cx: &mut Cx) {
        cx.ask(
            Slot::Migration,
            |engine: &Engine| engine.ask(&ListMigrations { all: false }),
            |panes, loads, cx| panes.migration.take_loads(loads, cx),
        );
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        let own = [Kind::Batch, Kind::MigrationMonth, Kind::Alias, Kind::Activity];
        if touches(kinds, &own) || touches(kinds, &NAMES) {
            self.load(cx);
        }
    }

    fn job(&mut self, progress: Progress, cx: &mut Cx) {
        if progress.ended {
            self.load(cx);
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        let of_load = id.starts_with("migration.") && id != "migration.load";
        let of_row = matches!(
            id,
            "migration.live"
                | "migration.legacy"
                | "migration.newer"
                | "migration.both"
                | "migration.own"
                | "migration.reject"
                | "migration.as_rules"
        );
        let of_month = matches!(
            id,
            "migration.confirm" | "migration.promote" | "migration.rollback" | "migration.reopen"
        );
        let state = self.state_here();
        match () {
            () if of_load && self.which.is_none() => Some("Nothing is loaded: I takes a file in"),
            () if of_row && (self.view != View::Rows || self.row_shown().is_none()) => {
                Some("Open a month: its rows are chosen there")
            }
            () if of_row && state == "confirmed" => Some("The month is confirmed: O opens it again"),
            () if id == "migration.issue" && self.view != View::Rows => Some("Open a month first"),
            () if of_month && self.month_here().is_none() => Some("Go to a month first: t"),
            () if id == "migration.confirm" && state == "confirmed" => Some("It is confirmed: P promotes it"),
            () if id == "migration.promote" && state != "confirmed" => {
                Some("It is not confirmed: C confirms it")
            }
            () if id == "migration.rollback" && state != "promoted" => {
                Some("Nothing of it is promoted: there is nothing to take back")
            }
            () if id == "migration.reopen" && state != "confirmed" => Some("It is not confirmed"),
            () if id == "record.merge" && (self.view != View::Stubs || self.made.len == 0) => {
                Some("Records that were made of texts are merged: t goes to them")
            }
            () if id == "migration.unstub" && self.view != View::Stubs => Some("t goes to what was made"),
            () if id == "record.open" && self.which.is_some() => {
                let len = match self.view {
                    View::Months => self.months.len,
                    View::Rows => self.fields.len.min(self.rows.len),
                    View::People => 0,
                    View::Names => self.unknown.len,
                    View::Stubs => self.made.len,
                };
                match (len, self.view) {
                    (0, View::Rows) if self.rows.len > 0 => Some("Nothing that is live is like this row"),
                    (0, _) => Some(command::NO_ROW),
                    _ => None,
                }
            }
            () => None,
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if !self.rows.marks.is_empty() {
            self.rows.marks.clear();
            return true;
        }
        if self.inside {
            self.inside = false;
            return true;
        }
        match self.view {
            View::Rows if !self.issue.is_empty() || !self.text.is_empty() => {
                (self.issue, self.text) = (String::new(), String::new());
                self.look(cx);
                true
            }
            View::Months => false,
            View::People if self.month.is_some() => {
                self.show(View::Rows, cx);
                true
            }
            _ => {
                self.show(View::Months, cx);
                true
            }
        }
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if id == "list.inside" {
            let id = if self.view == View::Rows { "record.open" } else { "migration.tab" };
            if self.inside {
                self.inside = false;
                return Ask::Nothing;
            }
            return self.command(id, cx);
        }
        if self.list().command(id) {
            if self.view == View::Rows && !self.inside {
                self.settle_fields();
            }
            return Ask::Nothing;
        }
        match id {
            "migration.load" | "record.add" => return Ask::Prompt(Prompt::import(Target::Activities)),
            "migration.tab" => {
                let next = match self.view {
                    View::Months | View::Rows => View::People,
                    View::People => View::Names,
                    View::Names => View::Stubs,
                    View::Stubs => View::Months,
                };
                if self.view == View::Months {
                    self.month = None;
                }
                self.people = None;
                self.show(next, cx);
            }
            "record.open" => match self.view {
                View::Months => {
                    self.month = self.month_here();
                    (self.issue, self.text, self.shown) = (String::new(), String::new(), None);
                    self.rows = ListState { height: self.rows.height, ..ListState::default() };
                    self.show(View::Rows, cx);
                }
                View::Rows => self.inside = self.fields.len > 0,
                View::People => {}
                View::Names => return self.ask_name(),
                View::Stubs => return self.open_stub(),
            },
            "list.filter" if self.view == View::Rows => {
                return Ask::Prompt(Prompt::new("filter", &self.text, Wanted::Filter));
            }
            "list.mark" if self.view == View::Rows => {
                if let Some(id) = self.row_shown().map(|row| row.item.id) {
                    self.rows.toggle(id);
                    self.rows.command("list.down");
                    self.settle_fields();
                }
            }
            "list.mark_all" if self.view == View::Rows => {
                let all: Vec<Id> = self.shown.iter().flat_map(|s| &s.rows).map(|r| r.item.id).collect();
                match self.rows.marks.len() == all.len() {
                    true => self.rows.marks.clear(),
                    false => self.rows.marks.extend(all),
                }
            }
            _ => return self.act(id),
        }
        Ask::Nothing
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        self.text = text.to_owned();
        self.look(cx);
    }

    fn prompted(&mut self, what: &str, typed: &str, _cx: &mut Cx) -> Ask {
        self.typed(what, typed)
    }

    fn picked(&mut self, what: &str, value: &str, cx: &mut Cx) -> Ask {
        match what {
            "issue" => {
                self.issue = if value == "all" { String::new() } else { value.to_owned() };
                self.rows.cursor = 0;
                self.look(cx);
                Ask::Nothing
            }
            "load" => {
                self.which = value.parse().ok();
                (self.counted, self.shown, self.month) = (None, None, None);
                self.show(View::Months, cx);
                Ask::Nothing
            }
            _ => self.chosen(what, value),
        }
    }

    fn layout(&mut self, area: Rect, _cx: &mut Cx) {
        let height = usize::from(area.height);
        self.months.set_height(height.saturating_sub(4));
        self.unknown.set_height(height.saturating_sub(3));
        self.made.set_height(height.saturating_sub(3));
        self.by.set_height(height.saturating_sub(3));
        let (rows, fields) = view::row_heights(area);
        self.rows.set_height(usize::from(rows));
        self.fields.set_height(usize::from(fields));
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        self.draw_view(area, buf, cx);
    }

    fn click(&mut self, line: u16) {
        let above = if self.view == View::Months { 3 } else { 2 };
        if let Some(line) = line.checked_sub(above) {
            self.list().point(usize::from(line));
            self.settle_fields();
        }
    }
}
