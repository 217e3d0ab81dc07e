//! Outlets by the million: a list that can be narrowed, ordered and summed up, one outlet
//! beside it, and their quality by rule.

mod act;
mod quality;
mod queue;
mod territories;
mod view;

use crate::domain::schema::Kind;
use crate::domain::{Id, Outcome};
use crate::engine::Engine;
use crate::services::outlets::{
    CountOutlets, ListOutlets, OutletHistory, OutletStep, Outlets as Listed, Quality, QualityReport,
    ShowOutlet, ShownOutlet, filter::Filter,
};
use crate::services::records::Page;
use crate::services::show::Item;
use crate::services::territories::Violation;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::Slot;
use crate::tui::panes::{Ask, Pane, touches};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::{Rows, Want};
use crate::tui::widgets::DrawCx;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// What the list shows, as far as the outlets have it.
pub(super) const COLUMNS: [&str; 8] =
    ["name", "channel", "class", "city", "territory", "distributor_code", "avg_sales", "status"];
/// Imports and edits of one outlet that are looked at.
const STEPS: usize = 30;
/// Outlets that are held ready.
const AHEAD: usize = 60;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Tab {
    #[default]
    List,
    Quality,
    Territories,
}

pub struct Outlets {
    tab: Tab,
    rows: Rows,
    filter: String,
    /// Why the filter cannot be read as it stands.
    unread: Option<String>,
    rule: String,
    order: String,
    descending: bool,
    /// Outlets in all, and fields that any of them has.
    total: u64,
    present: Vec<String>,
    /// How many match so far, and whether that is all.
    count: Option<(u64, bool)>,
    /// Codes of the rows marked, by their ids.
    marked: BTreeMap<Id, String>,
    ready: BTreeMap<String, ShownOutlet>,
    /// What became of the outlet that was opened last, by its code.
    history: Option<(String, Vec<OutletStep>)>,
    /// The keys go to the outlet's own lines.
    inside: bool,
    lines: ListState,
    /// Lines of the pane.
    high: u16,
    beside: bool,
    quality: Option<QualityReport>,
    rules: ListState,
    /// What mending a rule would make of its rows, over the rules.
    queue: Option<queue::Queue>,
    territories: territories::Territories,
}

impl Default for Outlets {
    fn default() -> Outlets {
        let rows = Rows::keyed(|item: &Item| item.text("code"));
        Outlets {
            tab: Tab::List,
            rows,
            filter: String::new(),
            unread: None,
            rule: String::new(),
            order: String::new(),
            descending: false,
            total: 0,
            present: vec![],
            count: None,
            marked: BTreeMap::new(),
            ready: BTreeMap::new(),
            history: None,
            inside: false,
            high: 0,
            lines: ListState::default(),
            beside: false,
            quality: None,
            rules: ListState::default(),
            queue: None,
            territories: territories::Territories::default(),
        }
    }
}

impl Outlets {
    pub fn list_mut(&mut self) -> &mut ListState {
        &mut self.rows.list
    }

    fn list(&self) -> ListOutlets {
        ListOutlets {
            filter: self.filter.clone(),
            rule: self.rule.clone(),
            order: self.order.clone(),
            descending: self.descending,
            fields: COLUMNS.map(str::to_owned).into(),
            ..ListOutlets::default()
        }
    }

    fn fetch(&self, want: Want, cx: &mut Cx) {
        let ask = ListOutlets {
            cursor: want.cursor(),
            limit: want.limit(),
            backwards: !want.is_forward(),
            ..self.list()
        };
        let question = move |engine: &Engine| engine.ask(&ask);
        cx.ask(Slot::Outlets, question, move |panes, listed: Listed, cx| {
            let outlets = &mut panes.outlets;
            (outlets.total, outlets.present) = (listed.total, listed.present);
            outlets.rows.take(&want, Page { items: listed.items, next: listed.next });
            let near = outlets.rows.near();
            outlets.look(cx);
            if let Some(want) = near {
                outlets.fetch(want, cx);
            }
        });
    }

    /// Another list from its first row.
    fn start(&mut self, cx: &mut Cx) {
        self.marked.clear();
        self.inside = false;
        let want = self.rows.start();
        self.fetch(want, cx);
        self.count(0, 0, cx);
    }

    /// Counts what matches, a stretch at a time.
    fn count(&mut self, from: usize, so_far: u64, cx: &mut Cx) {
        if from == 0 {
            self.count = None;
        }
        let ask = CountOutlets { filter: self.filter.clone(), rule: self.rule.clone(), from };
        let question = move |engine: &Engine| engine.ask(&ask);
        cx.ask(Slot::Count, question, move |panes, counted, cx| {
            let rows = so_far + counted.rows;
            panes.outlets.count = Some((rows, counted.next.is_none()));
            if let Some(next) = counted.next {
                panes.outlets.count(next, rows, cx);
            }
        });
    }

    fn here(&self) -> Option<String> {
        self.rows.current().map(|item| item.text("code"))
    }

    /// Reads the outlet under the cursor where it is in sight.
    fn look(&mut self, cx: &mut Cx) {
        let Some(code) = self.here().filter(|_| self.inside || self.beside) else { return };
        if self.inside && self.history.as_ref().is_none_or(|(of, _)| *of != code) {
            self.look_back(code.clone(), cx);
        }
        if self.ready.contains_key(&code) {
            return;
        }
        let ask = ShowOutlet { code: code.clone() };
        let question = move |engine: &Engine| engine.ask(&ask);
        cx.ask(Slot::Side, question, move |panes, shown, _| {
            let outlets = &mut panes.outlets;
            if outlets.ready.len() >= AHEAD {
                outlets.ready.clear();
            }
            outlets.ready.insert(code, shown);
            outlets.fit_lines();
        });
    }

    /// Reads what became of an outlet.
    fn look_back(&mut self, code: String, cx: &mut Cx) {
        let ask = OutletHistory { code: code.clone(), limit: STEPS };
        let question = move |engine: &Engine| engine.ask(&ask);
        cx.ask(Slot::Strip, question, move |panes, steps, _| {
            panes.outlets.history = Some((code, steps));
            panes.outlets.fit_lines();
        });
    }

    /// The lines of the outlet have the room that its map leaves.
    fn fit_lines(&mut self) {
        self.lines.set_height(usize::from(self.high.saturating_sub(2 + self.map_high())));
        self.lines.set_len(self.content().len());
    }

    fn load_quality(&mut self, cx: &mut Cx) {
        cx.ask(
            Slot::Strip,
            |engine: &Engine| engine.ask(&Quality {}),
            |panes, report, _| {
                let outlets = &mut panes.outlets;
                outlets.rules.set_len(report.rules.len());
                outlets.total = report.outlets;
                outlets.quality = Some(report);
            },
        );
    }

    fn turn(&mut self, tab: Tab, cx: &mut Cx) {
        self.tab = tab;
        self.inside = false;
        self.queue = None;
        match tab {
            Tab::List if self.rows.is_empty() => self.start(cx),
            Tab::List => self.look(cx),
            Tab::Quality => self.load_quality(cx),
            Tab::Territories => self.territories.load(cx),
        }
    }

    /// The list of what a rule points at.
    fn show_rule(&mut self, cx: &mut Cx) {
        let code = self.quality.as_ref().and_then(|q| q.rules.get(self.rules.cursor)).map(|r| r.code.clone());
        if let Some(code) = code {
            (self.rule, self.tab) = (code, Tab::List);
            self.filter.clear();
            self.start(cx);
        }
    }

    /// The list of the outlets that are elsewhere than nearly all of their unit.
    fn show_violation(&mut self, cx: &mut Cx) -> Ask {
        let Some(filter) = self.territories.violation().map(Violation::filter) else { return Ask::Nothing };
        (self.tab, self.rule) = (Tab::List, String::new());
        self.set_filter(&filter, cx);
        Ask::Nothing
    }

    /// Columns that are no field of outlets.
    fn extras(&self) -> impl Iterator<Item = &String> {
        self.present.iter().filter(|name| Kind::Outlet.schema().field_named(name).is_none())
    }

    fn filter_read(&self) -> Outcome<Filter> {
        // Their numbers are the table's own; here their names are enough.
        let extras = (0..).zip(self.extras().cloned()).collect();
        Filter::read(Kind::Outlet, &extras, &self.filter)
    }
}

impl Pane for Outlets {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["outlets", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        match self.tab {
            Tab::Territories => self.territories.hints(),
            Tab::Quality if self.queue.is_some() => vec![
                ("record.open", "take it"),
                ("list.mark", "mark"),
                ("outlets.mend", "take the marked, or all"),
                ("record.edit", "edit"),
                ("app.undo", "undo"),
                ("app.back", "rules"),
            ],
            Tab::Quality => vec![
                ("record.open", "show them"),
                ("outlets.queue", "one by one"),
                ("outlets.mend", "mend all"),
                ("outlets.tab", "territories"),
                ("app.undo", "undo"),
            ],
            Tab::List if self.total == 0 => {
                vec![("outlets.import", "import a file"), ("go.more", "other places")]
            }
            Tab::List if self.inside => vec![
                ("record.open", "edit"),
                ("outlets.set", "set a field"),
                ("list.copy", "copy"),
                ("app.undo", "undo"),
                ("app.back", "the list"),
            ],
            Tab::List => vec![
                ("record.open", "open"),
                ("list.filter", "filter"),
                ("outlets.sort", "sort"),
                ("outlets.sum", "sum by"),
                ("outlets.set", "set a field"),
                ("outlets.tab", "quality"),
                ("list.mark", "mark"),
                ("app.undo", "undo"),
            ],
        }
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.archived", "record.archive", "record.merge", "record.delete", "record.add"]
    }

    fn load(&mut self, cx: &mut Cx) {
        self.ready.clear();
        self.history = None;
        match self.tab {
            Tab::Quality => {
                self.load_queue(cx);
                return self.load_quality(cx);
            }
            Tab::Territories => return self.territories.load(cx),
            Tab::List => {}
        }
        let want = if self.rows.is_empty() { self.rows.start() } else { self.rows.again() };
        self.fetch(want, cx);
        self.count(0, 0, cx);
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if touches(kinds, &[Kind::Outlet, Kind::Dataset]) {
            self.territories.forget();
        }
        if touches(kinds, &[Kind::Outlet, Kind::Dataset, Kind::Unit]) {
            self.load(cx);
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        let of_list = matches!(
            id,
            "record.edit"
                | "outlets.set"
                | "list.copy"
                | "list.inside"
                | "list.mark"
                | "list.mark_all"
                | "outlets.sort"
                | "outlets.reverse"
                | "outlets.sum"
                | "list.filter"
                | "outlets.export"
        );
        let of_queue = matches!(id, "record.open" | "record.edit" | "list.mark" | "list.mark_all");
        if let (Tab::Quality, Some(queue), true) = (self.tab, &self.queue, of_queue) {
            return queue.current().is_none().then_some(command::NO_ROW);
        }
        match id {
            "list.inside" if self.tab == Tab::Territories => None,
            _ if of_list && self.tab != Tab::List => Some("Only in the list: t goes there"),
            _ if id.starts_with("territories.") && self.tab != Tab::Territories => {
                Some("Only in Territories: t goes there")
            }
            _ if self.tab == Tab::Territories && !id.starts_with("outlets.") => self.territories.refuses(id),
            "record.open" if self.tab == Tab::Quality && self.rules.len == 0 => Some(command::NO_ROW),
            "outlets.mend" | "outlets.queue" if self.tab != Tab::Quality => {
                Some("Choose a rule in Quality first: t")
            }
            "outlets.mend" | "outlets.queue" if self.mendable().is_none() => {
                Some("What this rule points at needs a person for each row")
            }
            "record.open" | "record.edit" | "outlets.set" | "list.copy" | "list.inside"
                if self.tab == Tab::List && self.rows.current().is_none() =>
            {
                Some(command::NO_ROW)
            }
            "list.filter" | "outlets.sort" | "outlets.reverse" | "outlets.sum" | "outlets.export"
                if self.total == 0 && !self.rows.loading =>
            {
                Some("There are no outlets yet: I imports a file of them")
            }
            _ => None,
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if self.inside {
            self.inside = false;
        } else if self.leave_queue() || (self.tab == Tab::Territories && self.territories.back(cx)) {
            return true;
        } else if self.tab != Tab::List {
            self.turn(Tab::List, cx);
        } else if self.rows.all_marked || !self.rows.list.marks.is_empty() {
            self.rows.unmark();
            self.marked.clear();
        } else if !self.filter.is_empty() {
            self.set_filter("", cx);
        } else if !self.rule.is_empty() {
            self.rule.clear();
            self.start(cx);
        } else {
            return false;
        }
        true
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.filter != text {
            self.filter = text.to_owned();
            // A part that is being typed is no question yet.
            self.unread = self.filter_read().err().map(|f| f.message);
            if self.unread.is_none() {
                self.start(cx);
            }
        }
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        match id {
            "outlets.tab" => {
                let next = match self.tab {
                    Tab::List => Tab::Quality,
                    Tab::Quality => Tab::Territories,
                    Tab::Territories => Tab::List,
                };
                self.turn(next, cx);
                return Ask::Nothing;
            }
            "outlets.import" => {
                return Ask::Prompt(Prompt::import(crate::services::imports::Target::Outlets));
            }
            _ => {}
        }
        match self.tab {
            Tab::Quality if self.queue.is_some() => self.queue_command(id),
            Tab::Quality if self.rules.command(id) => Ask::Nothing,
            Tab::Quality => match id {
                "record.open" => {
                    self.show_rule(cx);
                    Ask::Nothing
                }
                "outlets.mend" => self.mend(),
                "outlets.queue" => {
                    self.open_queue(cx);
                    Ask::Nothing
                }
                _ => Ask::Nothing,
            },
            Tab::Territories if id == "record.open" && self.territories.violation().is_some() => {
                self.show_violation(cx)
            }
            Tab::Territories => self.territories.command(id, cx),
            Tab::List => self.list_command(id, cx),
        }
    }

    fn prompted(&mut self, what: &str, typed: &str, cx: &mut Cx) -> Ask {
        match what.split_once(' ') {
            _ if what == "limit" => self.territories.prompted(typed, cx),
            Some(("set", field)) => self.set_all(field, typed),
            _ if what == "export" => self.write(typed),
            _ => Ask::Nothing,
        }
    }

    fn picked(&mut self, what: &str, value: &str, cx: &mut Cx) -> Ask {
        match what {
            "sort" => {
                // The same field again turns the order round.
                self.descending = self.order == value && !self.descending;
                self.order = value.to_owned();
                self.start(cx);
                Ask::Nothing
            }
            "sum" => self.sum(value),
            "value" => {
                self.set_filter(value, cx);
                Ask::Nothing
            }
            "set" => {
                let label = format!("{} of {}", value.replace('_', " "), self.how_many());
                Ask::Prompt(Prompt::new(&label, "", Wanted::Pane(format!("set {value}"))))
            }
            _ => Ask::Nothing,
        }
    }

    fn state(&self) -> serde_json::Value {
        serde_json::json!({ "filter": self.filter, "rule": self.rule, "order": self.order, "down": self.descending })
    }

    fn restore(&mut self, state: &serde_json::Value, resume: bool) {
        let text = |name: &str| state[name].as_str().unwrap_or_default().to_owned();
        (self.order, self.descending) = (text("order"), state["down"].as_bool().unwrap_or(false));
        if resume {
            (self.filter, self.rule) = (text("filter"), text("rule"));
        }
    }

    fn layout(&mut self, area: Rect, cx: &mut Cx) {
        self.rows.list.set_height(usize::from(area.height.saturating_sub(3)));
        self.rules.set_height(usize::from(area.height.saturating_sub(4)));
        if let Some(queue) = &mut self.queue {
            queue.list.set_height(usize::from(area.height.saturating_sub(3)));
        }
        self.territories.layout(area);
        self.high = area.height;
        self.fit_lines();
        let beside = area.width >= view::WIDE;
        if beside != self.beside {
            self.beside = beside;
            self.look(cx);
        }
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        match self.tab {
            Tab::List => self.draw_tab(area, buf, cx),
            Tab::Quality => match &self.queue {
                Some(queue) => self.draw_queue(queue, area, buf, cx),
                None => self.draw_quality(area, buf, cx),
            },
            Tab::Territories => self.territories.draw(area, buf, cx),
        }
    }

    fn click(&mut self, line: u16) {
        match (self.tab, line.checked_sub(2)) {
            (Tab::Quality, Some(row)) if self.queue.is_some() => {
                if let Some(queue) = &mut self.queue {
                    queue.list.point(usize::from(row));
                }
            }
            (Tab::List, Some(row)) if !self.inside => self.rows.list.point(usize::from(row)),
            (Tab::Quality, Some(row)) => self.rules.point(usize::from(row)),
            (Tab::Territories, Some(row)) => self.territories.list.point(usize::from(row)),
            _ => {}
        }
    }
}
