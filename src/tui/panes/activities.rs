//! Activities: a month strip over a list that pages as one scrolls.

use crate::domain::effort::{show_days, show_effort};
use crate::domain::schema::Kind;
use crate::domain::when::{Month, show_day};
use crate::services::activities::{DeleteMany, ListActivities, SumMonth, Which};
use crate::services::input::Input;
use crate::services::records::Page;
use crate::services::setup::Me;
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::list::ListState;
use crate::tui::msg::{Data, Slot, Strip};
use crate::tui::overlay::Question;
use crate::tui::panes::{Ask, edit_form, new_activity};
use crate::tui::widgets::{DrawCx, part, put, rule};
use chrono::Datelike;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows asked for at a time.
const PAGE: usize = 200;
/// Months shown before the chosen one in the strip, and after it.
const BEFORE: i32 = 5;
const AFTER: i32 = 1;
/// Deleting more than this asks first.
const MANY: usize = 10;

pub struct Activities {
    me: Me,
    everyone: bool,
    oldest_first: bool,
    month: Month,
    filter: String,
    items: Vec<Item>,
    next: Option<String>,
    list: ListState,
    pub strip: Option<Strip>,
    loading: bool,
}

impl Activities {
    pub fn new(me: &Me) -> Activities {
        Activities {
            me: me.clone(),
            everyone: false,
            oldest_first: false,
            month: Month::of(me.today),
            filter: String::new(),
            items: vec![],
            next: None,
            list: ListState::default(),
            strip: None,
            loading: false,
        }
    }

    fn owner(&self) -> String {
        if self.everyone { "all" } else { "me" }.to_owned()
    }

    fn query(&self, limit: usize, cursor: Option<String>) -> ListActivities {
        ListActivities {
            month: Some(self.month),
            owner: self.owner(),
            filter: (!self.filter.trim().is_empty()).then(|| self.filter.clone()),
            oldest_first: self.oldest_first,
            limit,
            cursor,
            ..ListActivities::default()
        }
    }

    pub fn load(&mut self, cx: &mut Cx) {
        self.list.cursor = 0;
        self.list.top = 0;
        self.reload(cx);
    }

    /// The rows again, as many as were shown, the cursor where it was.
    pub fn reload(&mut self, cx: &mut Cx) {
        let query = self.query(self.items.len().max(PAGE), None);
        self.loading = true;
        cx.work(Slot::List, move |engine| Data::Activities(engine.ask(&query), false));
        let (month, owner) = (self.month, self.owner());
        cx.work(Slot::Strip, move |engine| {
            let months = (-BEFORE..=AFTER).map(|n| month.plus(n));
            let mut chosen = None;
            let all: Result<Vec<(Month, i64)>, _> = months
                .map(|m| {
                    let sum = engine.ask(&SumMonth { month: m, owner: owner.clone() })?;
                    let minutes = sum.minutes;
                    if m == month {
                        chosen = Some(sum);
                    }
                    Ok((m, minutes))
                })
                .collect();
            Data::Strip(all.map(|months| Strip { months, sum: chosen.unwrap_or_default() }))
        });
    }

    pub fn take_page(&mut self, page: Page, more: bool) {
        self.loading = false;
        let under = self.items.get(self.list.cursor).map(|i| i.id);
        if more {
            self.items.extend(page.items);
        } else {
            self.items = page.items;
        }
        self.next = page.next;
        self.list.set_len(self.items.len());
        // The cursor is a record, not a place.
        if let (false, Some(id)) = (more, under)
            && let Some(place) = self.items.iter().position(|i| i.id == id)
        {
            self.list.cursor = place;
            self.list.set_len(self.items.len());
        }
        let shown: std::collections::BTreeSet<_> = self.items.iter().map(|i| i.id).collect();
        self.list.marks.retain(|id| shown.contains(id));
    }

    pub fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.filter != text {
            self.filter = text.to_owned();
            self.load(cx);
        }
    }

    /// One step back: marks first, then the filter.
    pub fn back(&mut self, cx: &mut Cx) -> bool {
        if !self.list.marks.is_empty() {
            self.list.marks.clear();
            return true;
        }
        if !self.filter.is_empty() {
            self.set_filter("", cx);
            return true;
        }
        false
    }

    fn here(&self) -> Option<&Item> {
        self.items.get(self.list.cursor)
    }

    pub fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if self.list.command(id) {
            self.fetch_more(cx);
            return Ask::Nothing;
        }
        match id {
            "activities.owner" => {
                self.everyone = !self.everyone;
                self.load(cx);
                self.keep_choice(cx);
            }
            "activities.sort" => {
                self.oldest_first = !self.oldest_first;
                self.load(cx);
                self.keep_choice(cx);
            }
            "activities.filter" => return Ask::Filter(self.filter.clone()),
            "month.back" | "month.forward" | "month.today" => {
                self.month = match id {
                    "month.back" => self.month.plus(-1),
                    "month.forward" => self.month.plus(1),
                    _ => Month::of(self.me.today),
                };
                self.list.marks.clear();
                self.load(cx);
            }
            "list.mark" => {
                if let Some(id) = self.here().map(|i| i.id) {
                    self.list.toggle(id);
                    self.list.command("list.down");
                }
            }
            "list.mark_all" => {
                let all: Vec<_> = self.items.iter().map(|i| i.id).collect();
                self.list.marks.extend(all);
            }
            "record.add" => return new_activity(Input::new()),
            "record.open" | "record.edit" => {
                if let Some(item) = self.here() {
                    return edit_form(Kind::Activity, item.id.to_string());
                }
            }
            "activities.repeat" => {
                if let Some(item) = self.here() {
                    let fields = ["type", "account", "project", "summary", "use_cases"];
                    let mut input: Input = fields
                        .iter()
                        .map(|f| ((*f).to_owned(), item.text(f)))
                        .filter(|(_, t)| !t.is_empty())
                        .collect();
                    if let Some(minutes) = item.int("effort_minutes") {
                        input.insert("effort".into(), show_effort(minutes));
                    }
                    return new_activity(input);
                }
            }
            "record.delete" => return self.delete(),
            _ => {}
        }
        Ask::Nothing
    }

    fn delete(&self) -> Ask {
        let which: Vec<String> = match self.list.marks.is_empty() {
            true => self.here().map(|i| i.id.to_string()).into_iter().collect(),
            false => self.list.marks.iter().map(|id| id.to_string()).collect(),
        };
        if which.is_empty() {
            return Ask::Nothing;
        }
        let count = which.len();
        let job = Box::new(move |engine: &crate::engine::Engine| {
            let done = engine.run(&DeleteMany { which: Which::Named(which) });
            Data::Done(done.map(|r| (format!("Deleted {} activities", r.reply), Some(r.txn))))
        });
        match count > MANY {
            true => Ask::Confirm(Question::Act(job), format!("Delete {count} activities?")),
            false => Ask::Act(job),
        }
    }

    fn keep_choice(&self, cx: &mut Cx) {
        let choice = serde_json::json!({ "everyone": self.everyone, "oldest_first": self.oldest_first });
        cx.remember(CHOICE, Some(choice.to_string()));
    }

    /// Owner scope and order as they were left (P-002).
    pub fn restore(&mut self, choice: &str) {
        let choice: serde_json::Value = serde_json::from_str(choice).unwrap_or_default();
        self.everyone = choice["everyone"].as_bool().unwrap_or(false);
        self.oldest_first = choice["oldest_first"].as_bool().unwrap_or(false);
    }

    fn fetch_more(&mut self, cx: &mut Cx) {
        let near = self.list.cursor + 2 * self.list.height.max(1) >= self.items.len();
        if let (true, false, Some(next)) = (near, self.loading, self.next.clone()) {
            let query = self.query(PAGE, Some(next));
            self.loading = true;
            cx.work(Slot::List, move |engine| Data::Activities(engine.ask(&query), true));
        }
    }

    pub fn has_row(&self) -> bool {
        !self.items.is_empty()
    }

    pub fn layout(&mut self, area: Rect, cx: &mut Cx) {
        self.list.set_height(usize::from(area.height.saturating_sub(HEADER + 1)));
        self.fetch_more(cx);
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let owner = if self.everyone { "all" } else { "me" };
        let order = if self.oldest_first { "oldest first" } else { "newest first" };
        let filter = if self.filter.is_empty() { "none" } else { &self.filter };
        let line = format!("owner: {owner} (o)   sort: date, {order} (s)   filter: {filter} (/)");
        put(buf, area, 1, 0, &cx.cut(&line, usize::from(area.width) - 2), cx.style("text"));
        self.draw_strip(part(area, 0, 1, area.width, 2), buf, cx);
        let columns = Columns::new(area.width);
        rule(buf, area, 3, "", "", cx);
        let head = columns.row(
            cx,
            ["date", "type", "account / project", "effort", "use cases", "summary"].map(str::to_owned),
        );
        put(buf, area, 0, 3, &cx.fit(&head, usize::from(area.width)), cx.style("text.muted"));
        if self.items.is_empty() {
            self.draw_empty(part(area, 0, 5, area.width, 4), buf, cx);
        }
        for (y, place) in self.list.visible().enumerate() {
            let item = &self.items[place];
            let cursor = place == self.list.cursor;
            let mark = self.list.marks.contains(&item.id);
            let sign = match (cursor, mark) {
                (true, true) => ">*",
                (true, false) => "> ",
                (false, true) => " *",
                (false, false) => "  ",
            };
            let date: Option<chrono::NaiveDate> = item.text("date").parse().ok();
            let effort = match item.text("effort_text") {
                e if e.is_empty() => "- !".to_owned(),
                e => e,
            };
            let account = match (item.text("account"), item.text("project")) {
                (a, p) if p.is_empty() => a,
                (a, p) => format!("{a} / {p}"),
            };
            let who = if self.everyone { format!("{}: ", item.text("owner")) } else { String::new() };
            let cells = [
                date.map(show_day).unwrap_or_default(),
                item.text("type"),
                account,
                effort,
                item.text("use_cases"),
                format!("{who}{}", item.text("summary")),
            ];
            let row = format!("{sign}{}", &columns.row(cx, cells)[2..]);
            let style = match (cursor, mark) {
                (true, _) => cx.style("selection"),
                (false, true) => cx.style("mark"),
                _ => cx.style("text"),
            };
            put(buf, area, 0, HEADER + y as u16, &cx.fit(&row, usize::from(area.width)), style);
        }
        let marked: i64 = self
            .items
            .iter()
            .filter(|i| self.list.marks.contains(&i.id))
            .filter_map(|i| i.int("effort_minutes"))
            .sum();
        let marks = match self.list.marks.len() {
            0 => String::new(),
            n => format!("{n} marked, {}", if marked > 0 { show_effort(marked) } else { "no effort".into() }),
        };
        rule(buf, area, area.height.saturating_sub(1), &marks, &self.list.position(self.next.is_some()), cx);
    }

    fn draw_strip(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(strip) = &self.strip else { return };
        let mut x = 1;
        // On a narrow screen the sums beside the strip count for more than its ends.
        let shown = if area.width < 100 { 4 } else { strip.months.len() };
        let chosen = strip.months.iter().position(|(m, _)| *m == self.month).unwrap_or_default();
        let first = (chosen + 2).saturating_sub(shown).min(strip.months.len().saturating_sub(shown));
        for (month, minutes) in strip.months.iter().skip(first).take(shown) {
            let chosen = *month == self.month;
            let name = if month.month == 1 || chosen {
                format!("{} {:02}", month.short(), month.year % 100)
            } else {
                month.short().to_owned()
            };
            let name = if chosen { format!("[{name}]") } else { name };
            let style = if chosen { cx.style("text.title") } else { cx.style("text.muted") };
            put(buf, area, x, 0, &cx.fit_right(&name, 8), style);
            let days = match *minutes {
                0 => "-".to_owned(),
                m => format!("{:.1}", m as f64 / self.me.day_minutes.max(1) as f64),
            };
            put(buf, area, x, 1, &cx.fit_right(&days, 8), style);
            x += 8;
        }
        let right = part(area, x + 2, 0, area.width.saturating_sub(x + 2), 2);
        let sum = &strip.sum;
        let line = format!(
            "{}: {}, {} accounts",
            self.month.long(),
            show_days(sum.minutes, self.me.day_minutes),
            sum.accounts
        );
        put(buf, right, 0, 0, &cx.cut(&line, usize::from(right.width)), cx.style("text"));
        if !sum.not_logged.is_empty() && !self.everyone {
            let days: Vec<String> =
                sum.not_logged.iter().map(|d| format!("{} {}", d.format("%a"), d.day())).collect();
            let line = format!("not logged: {}", days.join(", "));
            put(buf, right, 0, 1, &cx.cut(&line, usize::from(right.width)), cx.style("text.muted"));
        }
    }

    fn draw_empty(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let text = match (self.loading, self.filter.is_empty()) {
            (true, _) => "loading".to_owned(),
            (false, false) => format!(
                "Nothing in {} matches \"{}\". Esc clears the filter.",
                self.month.long(),
                self.filter
            ),
            (false, true) => format!(
                "Nothing logged in {}. Press ; and write: demo ACCOUNT 3h first talk",
                self.month.long()
            ),
        };
        put(buf, area, 2, 0, &cx.cut(&text, usize::from(area.width) - 3), cx.style("text.muted"));
    }
}

/// Lines above the rows.
const HEADER: u16 = 4;
/// Local state: owner scope and order.
pub const CHOICE: &str = "ui/activities";

/// Widths of the columns; the summary takes what is left.
struct Columns {
    widths: [usize; 6],
}

impl Columns {
    fn new(width: u16) -> Columns {
        let wide = usize::from(width);
        let (kind, account, use_cases) = match wide {
            0..=59 => (0, 18, 0),
            60..=99 => (11, 24, 0),
            100..=139 => (13, 28, 14),
            _ => (15, 38, 22),
        };
        let taken = 2 + 11 + kind + account + 7 + use_cases + 6;
        Columns { widths: [10, kind, account, 7, use_cases, wide.saturating_sub(taken)] }
    }

    fn row(&self, cx: &DrawCx, cells: [String; 6]) -> String {
        let mut line = "  ".to_owned();
        for (place, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            if width > 0 {
                // Numbers stand at the right of their column.
                let text = if place == 3 { cx.fit_right(cell, width - 1) } else { cx.fit(cell, width) };
                line.push_str(&text);
                line.push_str(if place == 3 { "  " } else { " " });
            }
        }
        line
    }
}
