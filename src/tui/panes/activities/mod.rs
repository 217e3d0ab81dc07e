//! Activities: a month strip over a window of the list; the week, the month's sums and
//! the follow-ups as other views of the same.

mod act;
mod view;

use crate::domain::effort::show_effort;
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Engine, files};
use crate::services::activities::{
    ActivityCount, CountActivities, DueSteps, ListActivities, MonthSum, SumMonth,
};
use crate::services::input::Input;
use crate::services::records::Page;
use crate::services::setup::Me;
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::Slot;
use crate::tui::panes::views;
use crate::tui::panes::{Ask, NAMES, Pane, Panes, act, edit_form, from_note, new_activity, touches};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::{Rows, Want};
use crate::tui::widgets::DrawCx;
use chrono::{Datelike, Days, NaiveDate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Months shown before the chosen one in the strip, and after it.
const BEFORE: i32 = 5;
const AFTER: i32 = 1;
/// Deleting more than this asks first.
const MANY: usize = 10;
/// Entries a filter looks at before it answers with what it has: about 40 ms.
const SCAN: usize = 50_000;
/// Follow-ups shown.
const STEPS: usize = 500;
/// Activities of a week that are looked at.
const WEEK: usize = 500;
/// Fields that many activities can be given at once.
const BULK: [&str; 10] =
    ["account", "project", "type", "date", "effort", "use_cases", "owner", "summary", "next_due", "outcome"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum View {
    #[default]
    List,
    /// Seven days beside each other.
    Week,
    /// The month by type and by account.
    Totals,
    /// Next steps that are mine.
    Due,
}

/// What is looked at: kept between sessions, and under a name as a saved view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Looked {
    pub everyone: bool,
    pub oldest_first: bool,
    /// Not one month but every date.
    pub all_dates: bool,
    pub filter: String,
    pub view: View,
}

/// The months of the strip and their days, and the sums of the chosen one.
struct Strip {
    months: Vec<(Month, i64)>,
    sum: MonthSum,
}

pub struct Activities {
    me: Me,
    looked: Looked,
    month: Month,
    /// The day whose week is shown.
    day: NaiveDate,
    rows: Rows,
    /// How many match, and whether all were counted.
    total: Option<(u64, bool)>,
    /// Effort of those that were counted.
    minutes: Option<i64>,
    strip: Option<Strip>,
    /// Minutes of months that were looked at; by month and whether of everybody.
    sums: BTreeMap<(Month, bool), i64>,
    due: Vec<Item>,
    due_list: ListState,
    week: Vec<Item>,
    /// Entries of a day that are above the screen.
    week_top: usize,
    totals: ListState,
    /// The row that the cursor goes to when it comes: a session was cut off there.
    resume_at: Option<Id>,
    /// Why the filter cannot be looked for.
    pub(super) wrong: Option<String>,
}

impl Activities {
    pub fn new(me: &Me) -> Activities {
        Activities {
            me: me.clone(),
            looked: Looked::default(),
            month: Month::of(me.today),
            day: me.today,
            rows: Rows::default(),
            total: None,
            minutes: None,
            strip: None,
            sums: BTreeMap::new(),
            due: vec![],
            due_list: ListState::default(),
            week: vec![],
            week_top: 0,
            totals: ListState::default(),
            resume_at: None,
            wrong: None,
        }
    }

    pub fn list_mut(&mut self) -> &mut ListState {
        &mut self.rows.list
    }

    /// Whose sums stand around the list.
    fn owner(&self) -> String {
        if self.looked.everyone { "all" } else { "me" }.to_owned()
    }

    /// The filter says whose activities are listed, whoever is looked at.
    fn names_owner(&self) -> bool {
        self.looked.filter.contains("owner:")
    }

    /// The list without a page of it.
    fn list(&self) -> ListActivities {
        let filter = self.looked.filter.trim();
        ListActivities {
            month: (!self.looked.all_dates).then_some(self.month),
            owner: if self.names_owner() { "all".to_owned() } else { self.owner() },
            filter: (!filter.is_empty()).then(|| filter.to_owned()),
            oldest_first: self.looked.oldest_first,
            ..ListActivities::default()
        }
    }

    fn fetch(&self, want: Want, cx: &mut Cx) {
        let list = self.list();
        let query = ListActivities {
            oldest_first: list.oldest_first == want.is_forward(),
            limit: want.limit(),
            cursor: want.cursor(),
            scan: if list.filter.is_some() { SCAN } else { 0 },
            ..list
        };
        let question = move |engine: &Engine| Ok(engine.ask(&query));
        cx.ask(Slot::List, question, move |panes, page, cx| match page {
            Ok(page) => panes.activities.take_page(page, &want, cx),
            Err(failure) => panes.activities.refused(failure),
        });
    }

    /// The list from its beginning, and all that goes with it.
    fn start(&mut self, cx: &mut Cx) {
        let want = self.rows.start();
        self.fetch(want, cx);
        self.rest(cx);
    }

    /// The same again, the cursor where it was.
    pub fn reload(&mut self, cx: &mut Cx) {
        let want = self.rows.again();
        self.fetch(want, cx);
        self.rest(cx);
    }

    /// What stands around the rows.
    fn rest(&mut self, cx: &mut Cx) {
        let (month, owner, everyone) = (self.month, self.owner(), self.looked.everyone);
        let known = self.sums.clone();
        let question = move |engine: &Engine| {
            let sum = engine.ask(&SumMonth { month, owner: owner.clone() })?;
            let minutes = |m: Month| match known.get(&(m, everyone)) {
                _ if m == month => Ok(sum.minutes),
                Some(minutes) => Ok(*minutes),
                None => engine.ask(&SumMonth { month: m, owner: owner.clone() }).map(|sum| sum.minutes),
            };
            let months = (-BEFORE..=AFTER).map(|n| month.plus(n));
            let months: Outcome<Vec<(Month, i64)>> = months.map(|m| Ok((m, minutes(m)?))).collect();
            Ok(Strip { months: months?, sum })
        };
        cx.ask(Slot::Strip, question, move |panes, strip, _| {
            let pane = &mut panes.activities;
            pane.sums.extend(strip.months.iter().map(|(m, minutes)| ((*m, everyone), *minutes)));
            pane.strip = Some(strip);
        });
        (self.total, self.minutes) = (None, None);
        self.count(None, cx);
        match self.looked.view {
            View::Due => {
                let due = DueSteps { until: NaiveDate::MAX, undated: true, limit: STEPS };
                cx.ask(Slot::Side, move |e| e.ask(&due), |panes, page, _| panes.activities.take_due(page));
            }
            View::Week => {
                let from = monday(self.day);
                let week = ListActivities {
                    from: Some(from),
                    to: Some(from + Days::new(6)),
                    owner: self.owner(),
                    oldest_first: true,
                    limit: WEEK,
                    ..ListActivities::default()
                };
                let into = |panes: &mut Panes, page: Page, _: &mut Cx| panes.activities.week = page.items;
                cx.ask(Slot::Side, move |engine| engine.ask(&week), into);
            }
            _ => {}
        }
    }

    fn count(&self, cursor: Option<String>, cx: &mut Cx) {
        let count = CountActivities { list: ListActivities { cursor, scan: SCAN, ..self.list() } };
        let question = move |engine: &Engine| engine.ask(&count);
        cx.ask(Slot::Count, question, |panes, part, cx| panes.activities.take_count(part, cx));
    }

    /// The filter says nothing that can be looked for: no row stands under it.
    fn refused(&mut self, failure: Failure) {
        self.rows.empty();
        self.total = None;
        self.wrong = Some(failure.message);
    }

    fn take_page(&mut self, page: Page, want: &Want, cx: &mut Cx) {
        self.wrong = None;
        self.rows.take(want, page);
        if let Some(id) = self.resume_at.take() {
            self.rows.go_to(id);
        }
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
    }

    /// A stretch was counted: the next one is asked for.
    fn take_count(&mut self, part: ActivityCount, cx: &mut Cx) {
        let counted = self.total.map_or(0, |(n, _)| n) + part.count;
        self.total = Some((counted, part.next.is_none()));
        self.minutes = part.minutes.map(|m| self.minutes.unwrap_or(0) + m);
        if part.next.is_some() {
            self.count(part.next, cx);
        }
    }

    fn take_due(&mut self, page: Page) {
        self.due = page.items;
        self.due_list.set_len(self.due.len());
    }

    fn here(&self) -> Option<&Item> {
        match self.looked.view {
            View::Due => self.due.get(self.due_list.cursor),
            View::List => self.rows.current(),
            _ => None,
        }
    }

    /// The first working day without an entry behind the one shown.
    fn gap(&self) -> Option<NaiveDate> {
        let missing = &self.strip.as_ref()?.sum.not_logged;
        missing.first().copied()
    }

    fn turn(&mut self, view: View, cx: &mut Cx) {
        self.looked.view = if self.looked.view == view { View::List } else { view };
        self.rest(cx);
    }

    fn step(&mut self, id: &str, cx: &mut Cx) {
        let forward = id == "month.forward";
        if self.looked.view == View::Week {
            self.day = match id {
                "month.today" => self.me.today,
                _ if forward => self.day + Days::new(7),
                _ => self.day - Days::new(7),
            };
            let month = Month::of(self.day);
            if month == self.month {
                return self.rest(cx);
            }
            self.month = month;
        } else {
            self.month = match id {
                "month.today" => Month::of(self.me.today),
                _ => self.month.plus(if forward { 1 } else { -1 }),
            };
            self.day =
                if self.month == Month::of(self.me.today) { self.me.today } else { self.month.first() };
            self.looked.all_dates = false;
        }
        self.start(cx);
    }

    /// The days of the week scroll together.
    fn scroll_week(&mut self, id: &str) -> bool {
        let of_day = |day: &str| self.week.iter().filter(|i| i.text("date") == day).count();
        let most = self.week.iter().map(|i| of_day(&i.text("date"))).max().unwrap_or(0);
        let page = self.rows.list.height.max(2) / 2;
        let to = match id {
            "list.down" => self.week_top + 1,
            "list.up" => self.week_top.saturating_sub(1),
            "list.page_down" => self.week_top + page,
            "list.page_up" => self.week_top.saturating_sub(page),
            "list.top" => 0,
            "list.bottom" => most,
            _ => return false,
        };
        self.week_top = to.min(most.saturating_sub(page));
        true
    }
}

impl Pane for Activities {
    fn scopes(&self) -> Vec<&'static str> {
        match self.looked.view {
            View::Due => vec!["due", "activities", "list", "global"],
            _ => vec!["activities", "month", "list", "global"],
        }
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        if self.looked.view == View::Due {
            return vec![
                ("due.done", "done"),
                ("due.snooze", "put off"),
                ("due.give", "give away"),
                ("record.open", "edit"),
                ("app.back", "list"),
            ];
        }
        if self.looked.view == View::Week {
            return vec![
                ("log.open", "log"),
                ("record.add", "new"),
                ("month.back", "week"),
                ("month.today", "this week"),
                ("activities.week", "list"),
                ("app.undo", "undo"),
            ];
        }
        if self.rows.all_marked || !self.rows.list.marks.is_empty() {
            return vec![
                ("activities.bulk", "set a field"),
                ("record.delete", "delete"),
                ("list.copy", "copy"),
                ("list.mark_all", "all"),
                ("app.back", "unmark"),
            ];
        }
        vec![
            ("log.open", "log"),
            ("record.add", "new"),
            ("record.open", "edit"),
            ("list.filter", "filter"),
            ("month.back", "month"),
            ("list.mark", "mark"),
            ("activities.repeat", "repeat"),
            ("activities.views", "views"),
            ("activities.week", "week"),
            ("app.undo", "undo"),
        ]
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if touches(kinds, &[Kind::Activity]) || touches(kinds, &NAMES) {
            self.sums.clear();
            self.reload(cx);
        }
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.inside", "list.archived", "record.archive", "record.merge"]
    }

    fn load(&mut self, cx: &mut Cx) {
        // While another place was open, nobody told of changes.
        self.sums.clear();
        self.start(cx);
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.looked.filter != text {
            self.looked.filter = text.to_owned();
            self.start(cx);
        }
    }

    /// One step back: marks first, then the view, the filter, the dates.
    fn back(&mut self, cx: &mut Cx) -> bool {
        if !self.rows.list.marks.is_empty() || self.rows.all_marked {
            self.rows.unmark();
            return true;
        }
        if self.looked.view != View::List {
            self.turn(View::List, cx);
            return true;
        }
        if !self.looked.filter.is_empty() {
            self.set_filter("", cx);
            return true;
        }
        if self.looked.all_dates {
            self.looked.all_dates = false;
            self.start(cx);
            return true;
        }
        false
    }

    fn refuses(&self, id: &str) -> Refused {
        let marks = matches!(id, "list.mark" | "list.mark_all" | "activities.bulk");
        let of_row = matches!(id, "record.open" | "record.edit" | "record.delete" | "list.copy")
            || matches!(id, "activities.repeat" | "activities.template")
            || id.starts_with("due.");
        let listed = self.looked.view == View::List;
        match () {
            () if id == "list.filter" && !listed => {
                Some("The list is filtered, this is not: Esc goes to the list")
            }
            () if marks && !listed => Some("Only rows of the list are marked: Esc goes there"),
            () if (marks || of_row) && self.here().is_none() => Some(command::NO_ROW),
            () if id == "activities.gap" && self.gap().is_none() => {
                Some("Every working day of the month up to today has an entry")
            }
            () => None,
        }
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        let listed = match self.looked.view {
            View::List => self.rows.command(id),
            View::Due => self.due_list.command(id).then_some(None),
            View::Totals => self.totals.command(id).then_some(None),
            View::Week => self.scroll_week(id).then_some(None),
        };
        if let Some(want) = listed {
            if let Some(want) = want {
                self.fetch(want, cx);
            }
            return Ask::Nothing;
        }
        match id {
            "activities.owner" => {
                self.looked.everyone = !self.looked.everyone;
                self.start(cx);
            }
            "activities.sort" => {
                self.looked.oldest_first = !self.looked.oldest_first;
                self.start(cx);
            }
            "activities.dates" => {
                self.looked.all_dates = !self.looked.all_dates;
                self.start(cx);
            }
            "list.filter" => {
                return Ask::Prompt(Prompt::new("filter", &self.looked.filter, Wanted::Filter));
            }
            "activities.week" => self.turn(View::Week, cx),
            "activities.totals" => self.turn(View::Totals, cx),
            "activities.due" => self.turn(View::Due, cx),
            "month.back" | "month.forward" | "month.today" => self.step(id, cx),
            "activities.gap" => {
                if let Some(day) = self.gap() {
                    return new_activity(Input::from([("date".to_owned(), day.to_string())]));
                }
            }
            "record.add" => return new_activity(Input::new()),
            "activities.note" => {
                let label = "read a note from (a text file; a pasted text is read as well)";
                return Ask::Prompt(Prompt::new(label, "", Wanted::Pane("note".into())));
            }
            "record.open" | "record.edit" => {
                if let Some(item) = self.here() {
                    return edit_form(Kind::Activity, item.id.to_string());
                }
            }
            "activities.repeat" => {
                if let Some(item) = self.here() {
                    return new_activity(pattern(item));
                }
            }
            "activities.template" => {
                return Ask::Prompt(Prompt::new("template's name", "", Wanted::Pane("template".into())));
            }
            "activities.templates" => return views::pick("From a template", "template", "from_template"),
            "activities.views" => {
                return views::pick("Views of the activities", "activities", "view");
            }
            "activities.save_view" => {
                return Ask::Prompt(Prompt::new("name of this view", "", Wanted::Pane("save_view".into())));
            }
            "activities.bulk" => return self.bulk_fields(),
            "list.copy" => return self.copy(),
            "list.export" => {
                let name = match self.looked.all_dates {
                    true => "activities.csv".to_owned(),
                    false => format!("activities-{}.csv", self.month),
                };
                return Ask::Prompt(Prompt::new(
                    "export to (.csv or .tsv)",
                    &name,
                    Wanted::Pane("export".into()),
                ));
            }
            "record.delete" => return self.delete(),
            "due.done" | "due.snooze" | "due.give" => return self.step_of_row(id),
            _ => {}
        }
        Ask::Nothing
    }

    /// What was typed for something this pane asked.
    fn prompted(&mut self, what: &str, typed: &str, _cx: &mut Cx) -> Ask {
        if let Some(field) = what.strip_prefix("set ") {
            return self.set_all(field, typed);
        }
        match what {
            "template" | "save_view" if typed.is_empty() => refuse("Write a name for it"),
            "note" if typed.is_empty() => refuse("Write the name of a file with the note"),
            "note" => {
                let path = typed.to_owned();
                from_note(move || files::read_text(&path))
            }
            "template" => match self.here() {
                Some(item) => views::save("template", typed, &pattern(item)),
                None => Ask::Nothing,
            },
            "save_view" => views::save("activities", typed, &self.looked),
            "export" if typed.is_empty() => refuse("Write the name of a file, such as activities.csv"),
            "export" => views::export(self.list(), typed),
            "snooze" | "give" if typed.is_empty() => refuse("Write until when, or to whom"),
            "snooze" => self.set_step([("next_due", typed)], "Put off"),
            "give" => self.set_step([("next_owner", typed)], "Given away"),
            _ => Ask::Nothing,
        }
    }

    /// What was chosen of something this pane showed.
    fn picked(&mut self, what: &str, value: &str, cx: &mut Cx) -> Ask {
        match what {
            "bulk" => {
                let field = BULK.iter().find(|f| **f == value).copied().unwrap_or("summary");
                let label = format!("{} of {}", field.replace('_', " "), self.how_many());
                Ask::Prompt(Prompt::new(&label, "", Wanted::Pane(format!("set {field}"))))
            }
            "from_template" => new_activity(serde_json::from_str(value).unwrap_or_default()),
            "view" => {
                self.looked = serde_json::from_str(value).unwrap_or_default();
                self.start(cx);
                Ask::Nothing
            }
            _ => Ask::Nothing,
        }
    }

    fn state(&self) -> serde_json::Value {
        serde_json::json!({
            "looked": self.looked,
            "month": self.month.to_string(),
        })
    }

    /// Owner scope and order as they were left (P-002); after a line that dropped, all
    /// of it.
    fn restore(&mut self, state: &serde_json::Value, resume: bool) {
        let looked: Looked = serde_json::from_value(state["looked"].clone()).unwrap_or_default();
        let Looked { everyone, oldest_first, .. } = looked;
        self.looked = if resume { looked } else { Looked { everyone, oldest_first, ..Looked::default() } };
        if let (true, Some(Ok(month))) = (resume, state["month"].as_str().map(Month::parse)) {
            self.month = month;
        }
    }

    fn row(&self) -> Option<Id> {
        self.rows.current().map(|item| item.id)
    }

    fn go_to_row(&mut self, row: Id) {
        self.resume_at = Some(row);
    }

    fn layout(&mut self, area: Rect, cx: &mut Cx) {
        let height = usize::from(area.height.saturating_sub(view::HEADER + 1));
        self.rows.list.set_height(height);
        self.due_list.set_height(height);
        self.totals.set_height(height);
        let sums = self.strip.as_ref().map_or(0, |s| s.sum.by_type.len().max(s.sum.by_account.len()));
        self.totals.set_len(sums);
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        self.draw_all(area, buf, cx);
    }

    fn click(&mut self, line: u16) {
        if let (View::List, Some(row)) = (self.looked.view, line.checked_sub(view::HEADER)) {
            self.rows.list.point(usize::from(row));
        }
    }
}

/// What was typed is wrong: the prompt stays.
fn refuse(why: &'static str) -> Ask {
    Ask::Act(act(move |_| Err(Failure::invalid(why))))
}

fn activities(n: usize) -> String {
    if n == 1 { "1 activity".into() } else { format!("{n} activities") }
}

fn monday(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.weekday().num_days_from_monday()))
}

/// What another activity of the same kind starts with.
fn pattern(item: &Item) -> Input {
    let fields = ["type", "account", "project", "summary", "use_cases"];
    let mut input: Input =
        fields.iter().map(|f| ((*f).to_owned(), item.text(f))).filter(|(_, t)| !t.is_empty()).collect();
    if let Some(minutes) = item.int("effort_minutes") {
        input.insert("effort".into(), show_effort(minutes));
    }
    input
}
