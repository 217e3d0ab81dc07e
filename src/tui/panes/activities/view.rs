//! How the activities look: strip, list, week, sums, follow-ups.

use super::{Activities, View, monday};
use crate::domain::effort::{show_days, show_effort};
use crate::domain::text;
use crate::domain::when::show_day;
use crate::services::show::Item;
use crate::tui::widgets::{DrawCx, part, put, put_line, rule};
use chrono::{Datelike, Days, NaiveDate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// Lines above the rows.
pub const HEADER: u16 = 4;
/// Cells of a row as it is copied.
pub const CELLS: [&str; 8] =
    ["date", "owner", "type", "account", "project", "effort_text", "use_cases", "summary"];
/// From this width on the days of the month show how full they are.
const HEAT_WIDTH: u16 = 100;

impl Activities {
    pub(super) fn draw_all(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let looked = &self.looked;
        let owner = match (self.names_owner() && looked.view == View::List, looked.everyone) {
            (true, _) => "as filtered",
            (_, true) => "all",
            _ => "me",
        };
        let order = if looked.oldest_first { "oldest first" } else { "newest first" };
        let dates = if looked.all_dates { "all" } else { "month" };
        let filter = if looked.filter.is_empty() { "none" } else { &looked.filter };
        let unfiltered = if looked.filter.is_empty() { "" } else { "   not filtered" };
        let line = match looked.view {
            View::Due => "follow-ups: x done   z put off   P give away   F list".to_owned(),
            View::Week => {
                format!("week of {}   owner: {owner} (o)   w list{unfiltered}", show_day(monday(self.day)))
            }
            View::Totals => {
                format!("sums of {}   owner: {owner} (o)   T list{unfiltered}", self.month.long())
            }
            View::List => {
                format!("owner: {owner} (o)   dates: {dates} (m)   {order} (s)   filter: {filter} (/)")
            }
        };
        put(buf, area, 1, 0, &cx.cut(&line, usize::from(area.width) - 2), cx.style("text"));
        self.draw_strip(part(area, 0, 1, area.width, 2), buf, cx);
        let below = part(area, 0, 3, area.width, area.height.saturating_sub(3));
        match looked.view {
            View::List => self.draw_list(below, buf, cx),
            View::Week => self.draw_week(below, buf, cx),
            View::Totals => self.draw_totals(below, buf, cx),
            View::Due => self.draw_due(below, buf, cx),
        }
    }

    fn draw_list(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let columns = Columns::new(area.width);
        rule(buf, area, 0, "", "", cx);
        let head = columns.row(
            cx,
            ["date", "type", "account / project", "effort", "use cases", "summary"].map(str::to_owned),
        );
        put(buf, area, 0, 0, &cx.fit(&head, wide), cx.style("text.muted"));
        if self.rows.is_empty() {
            self.draw_empty(part(area, 0, 2, area.width, 4), buf, cx);
        }
        for (y, place) in self.rows.list.visible().enumerate() {
            let Some(item) = self.rows.get(place) else { continue };
            let cursor = place == self.rows.list.cursor;
            let mark = self.rows.is_marked(item.id);
            let sign = match (cursor, mark) {
                (true, true) => ">*",
                (true, false) => "> ",
                (false, true) => " *",
                (false, false) => "  ",
            };
            let named = self.looked.everyone || self.names_owner();
            let who = if named { format!("{}: ", item.text("owner")) } else { String::new() };
            let date: Option<NaiveDate> = item.text("date").parse().ok();
            let day = match date {
                Some(date) if self.looked.all_dates => date.to_string(),
                Some(date) => show_day(date),
                None => String::new(),
            };
            let cells = [
                day,
                item.text("type"),
                place_of(item),
                effort_of(item),
                item.text("use_cases"),
                format!("{who}{}", item.text("summary")),
            ];
            let row = format!("{sign}{}", &columns.row(cx, cells)[2..]);
            let style = match (cursor, mark) {
                (true, _) => cx.style("selection"),
                (false, true) => cx.style("mark"),
                _ => cx.style("text"),
            };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&row, wide), style);
        }
        let marks = match self.rows.marked(self.total) {
            Some(0) => match self.minutes {
                // What was searched is summed; a plain month has its sum above.
                Some(minutes) if minutes > 0 => format!("{} in all", show_days(minutes, self.me.day_minutes)),
                _ => String::new(),
            },
            Some(n) => {
                let held = self.rows.iter().filter(|i| self.rows.is_marked(i.id));
                let minutes: i64 = held.filter_map(|i| i.int("effort_minutes")).sum();
                let sum = match (self.rows.all_marked, minutes) {
                    (false, 1..) => format!(", {}", show_effort(minutes)),
                    (false, _) => ", no effort".to_owned(),
                    _ => String::new(),
                };
                format!("{} marked{sum}   b sets a field", crate::tui::table::thousands(n as u64))
            }
            None => "all that match are marked".into(),
        };
        let position = self.rows.position(self.total);
        rule(buf, area, area.height.saturating_sub(1), &marks, &position, cx);
    }

    fn draw_strip(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(strip) = &self.strip else { return };
        let mut x = 1;
        // On a narrow screen the sums beside the strip count for more than its ends.
        let shown = if area.width < HEAT_WIDTH { 4 } else { strip.months.len() };
        let chosen = strip.months.iter().position(|(m, _)| *m == self.month).unwrap_or_default();
        let first = (chosen + 2).saturating_sub(shown).min(strip.months.len().saturating_sub(shown));
        for (month, minutes) in strip.months.iter().skip(first).take(shown) {
            let chosen = *month == self.month && !self.looked.all_dates;
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
                m => show_days(m, self.me.day_minutes).trim_end_matches(" d").to_owned(),
            };
            put(buf, area, x, 1, &cx.fit_right(&days, 8), style);
            x += 8;
        }
        let right = part(area, x + 2, 0, area.width.saturating_sub(x + 2), 2);
        let sum = &strip.sum;
        let line = format!(
            "{}: {}, {}",
            self.month.long(),
            show_days(sum.minutes, self.me.day_minutes),
            text::count(sum.accounts, "account")
        );
        put(buf, right, 0, 0, &cx.cut(&line, usize::from(right.width)), cx.style("text"));
        if self.looked.everyone {
            return;
        }
        let missing = match sum.not_logged.as_slice() {
            [] => String::new(),
            days => {
                let days: Vec<String> =
                    days.iter().map(|d| format!("{} {}", d.format("%a"), d.day())).collect();
                format!("N logs {}", days.join(", "))
            }
        };
        if area.width < HEAT_WIDTH {
            put(buf, right, 0, 1, &cx.cut(&missing, usize::from(right.width)), cx.style("text.muted"));
            return;
        }
        let heat = self.heat(cx);
        put_line(buf, part(right, 0, 1, right.width, 1), 0, &heat);
        let used: usize = heat.iter().map(|(t, _)| t.width()).sum();
        let rest = usize::from(right.width).saturating_sub(used + 2);
        put(buf, right, used as u16 + 2, 1, &cx.cut(&missing, rest), cx.style("text.muted"));
    }

    /// A sign a day of the month: how full it is, what is missing, what is too much.
    fn heat(&self, cx: &DrawCx) -> Vec<(String, ratatui::style::Style)> {
        let Some(strip) = &self.strip else { return vec![] };
        let signs: [&str; 5] =
            if cx.ascii { [".", "-", "=", "+", "#"] } else { ["·", "▂", "▄", "▆", "█"] };
        let day_minutes = self.me.day_minutes.max(1);
        let days = self.month.first().iter_days().take_while(|d| *d <= self.month.last());
        let sign = |day: NaiveDate| {
            let minutes = strip.sum.by_day.get(&day).copied().unwrap_or(0);
            let weekend = day.weekday().number_from_monday() > 5;
            match minutes {
                0 if weekend || day > self.me.today => (" ".to_owned(), cx.style("text")),
                0 => (signs[0].to_owned(), cx.style("status.warning")),
                m if m > day_minutes => ("!".to_owned(), cx.style("status.error")),
                m => {
                    let step = ((m * 4 + day_minutes - 1) / day_minutes).clamp(1, 4) as usize;
                    (signs[step].to_owned(), cx.style("bar"))
                }
            }
        };
        days.map(sign).collect()
    }

    fn draw_week(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let from = monday(self.day);
        let held = |n: u64| {
            let day = (from + Days::new(n)).to_string();
            self.week.iter().filter(move |i| i.text("date") == day)
        };
        // A weekend without work takes no room.
        let days: Vec<u64> = (0..7).filter(|n| *n < 5 || held(*n).next().is_some()).collect();
        let column = area.width / days.len() as u16;
        rule(buf, area, 0, "", "", cx);
        for (place, n) in days.iter().enumerate() {
            let date = from + Days::new(*n);
            let column = part(area, place as u16 * column, 0, column, area.height);
            let wide = usize::from(column.width.saturating_sub(2));
            let minutes: i64 = held(*n).filter_map(|i| i.int("effort_minutes")).sum();
            let sum = match minutes {
                0 => "-".to_owned(),
                m if m > self.me.day_minutes => format!("{} !", show_effort(m)),
                m => show_effort(m),
            };
            let style = if date == self.me.today { cx.style("text.title") } else { cx.style("text") };
            put(buf, column, 1, 0, &format!(" {} ", cx.cut(&show_day(date), wide)), style);
            let over = minutes > self.me.day_minutes;
            let style = cx.style(if over { "status.error" } else { "text.title" });
            put(buf, column, 1, 1, &cx.cut(&sum, wide), style);
            let room = column.height.saturating_sub(4);
            let (count, fit) = (held(*n).count(), usize::from(room) / 2);
            let top = self.week_top.min(count.saturating_sub(fit));
            let more = match (top, count.saturating_sub(top + fit)) {
                (0, 0) => String::new(),
                (0, below) => format!("{below} down, j"),
                (above, 0) => format!("{above} up, k"),
                (above, below) => format!("{above} up, {below} down"),
            };
            put(buf, column, 1, 2 + 2 * fit as u16, &cx.cut(&more, wide), cx.style("status.warning"));
            for (y, item) in held(*n).skip(top).take(fit).enumerate() {
                let (y, account) = (2 + 2 * y as u16, item.text("account"));
                let what = format!("{} {}", effort_of(item), item.text("type"));
                put(buf, column, 1, y, &cx.cut(&what, wide), cx.style("text"));
                let account = if account.is_empty() { item.text("summary") } else { account };
                put(buf, column, 2, y + 1, &cx.cut(&account, wide - 1), cx.style("text.muted"));
            }
        }
        let count = text::count(self.week.len(), "entry").replace("entrys", "entries");
        rule(buf, area, area.height.saturating_sub(1), "[ and ] turn the week, j and k scroll", &count, cx);
    }

    fn draw_totals(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        rule(buf, area, 0, "", "", cx);
        let Some(strip) = &self.strip else { return };
        let half = area.width / 2;
        for (x, title, sums) in
            [(0, "by type", &strip.sum.by_type), (half, "by account", &strip.sum.by_account)]
        {
            let area = part(area, x, 0, half, area.height);
            put(buf, area, 2, 0, &format!(" {title} "), cx.style("text.muted"));
            let most = sums.iter().map(|s| s.1).max().unwrap_or(0).max(1);
            let name = usize::from(half).saturating_sub(28).clamp(10, 30);
            let room = usize::from(half).saturating_sub(name + 20);
            for (y, place) in self.totals.visible().enumerate() {
                let Some((of, minutes, count)) = sums.get(place) else { continue };
                let bar = cx.bar().repeat(*minutes as usize * room / most as usize);
                let pieces = [
                    (format!("  {} ", cx.fit(of, name)), cx.style("text")),
                    (cx.fit_right(&show_days(*minutes, self.me.day_minutes), 8), cx.style("text")),
                    (format!(" {:>5}  ", count), cx.style("text.muted")),
                    (bar, cx.style("bar")),
                ];
                put_line(buf, part(area, 0, 1 + y as u16, area.width, 1), 0, &pieces);
            }
        }
        if strip.sum.by_type.is_empty() {
            self.draw_empty(part(area, 0, 2, area.width, 2), buf, cx);
        }
        let note = text::count(strip.sum.activities as usize, "activity").replace("activitys", "activities");
        rule(buf, area, area.height.saturating_sub(1), "", &note, cx);
    }

    fn draw_due(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        rule(buf, area, 0, "", "", cx);
        let wide = usize::from(area.width);
        let (step, account) = (wide / 3, wide / 4);
        let cells = |due: &str, next: &str, at: &str, who: &str| {
            format!("{} {} {} {who}", cx.fit(due, 12), cx.fit(next, step), cx.fit(at, account))
        };
        put(
            buf,
            area,
            0,
            0,
            &cx.fit(&format!("  {}", cells("due", "next step", "account / project", "of")), wide),
            cx.style("text.muted"),
        );
        if self.due.is_empty() {
            let text = "No next step is due. Write one as >send pricing fri: in the quick line.";
            put(buf, area, 2, 2, &cx.cut(text, wide - 3), cx.style("text.muted"));
        }
        for (y, place) in self.due_list.visible().enumerate() {
            let item = &self.due[place];
            let date: Option<NaiveDate> = item.text("next_due").parse().ok();
            let due = date.map(|d| if d == self.me.today { "today".into() } else { show_day(d) });
            let late = date.is_some_and(|d| d < self.me.today);
            let sign = if place == self.due_list.cursor { ">" } else { " " };
            let due = due.unwrap_or_else(|| "no date (z)".into());
            let due = format!("{due}{}", if late { " !" } else { "" });
            let line = format!(
                "{sign} {}",
                cells(&due, &item.text("next_step"), &place_of(item), &item.text("owner"))
            );
            let style = match (place == self.due_list.cursor, late) {
                (true, _) => "selection",
                (false, true) => "status.warning",
                _ => "text",
            };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&line, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.due_list.position(false), cx);
    }

    fn draw_empty(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let of = if self.looked.all_dates { "everything".to_owned() } else { self.month.long() };
        if let Some(wrong) = &self.wrong {
            let wrong = format!("{wrong}. Esc clears the filter, / mends it.");
            return put(
                buf,
                area,
                2,
                0,
                &cx.cut(&wrong, usize::from(area.width) - 3),
                cx.style("status.error"),
            );
        }
        let text = match (self.rows.loading, self.looked.filter.is_empty()) {
            (true, _) => "looking".to_owned(),
            (false, false) => {
                let more = if self.looked.all_dates { "" } else { "; m looks at all dates" };
                let of = if self.looked.all_dates { String::new() } else { format!(" in {of}") };
                format!("Nothing{of} matches \"{}\". Esc clears the filter{more}.", self.looked.filter)
            }
            (false, true) => {
                format!("Nothing logged in {of}. Press ; and write: demo ACCOUNT 3h first talk")
            }
        };
        put(buf, area, 2, 0, &cx.cut(&text, usize::from(area.width) - 3), cx.style("text.muted"));
    }
}

fn place_of(item: &Item) -> String {
    match (item.text("account"), item.text("project")) {
        (account, project) if project.is_empty() => account,
        (account, project) => format!("{account} / {project}"),
    }
}

fn effort_of(item: &Item) -> String {
    match item.text("effort_text") {
        effort if effort.is_empty() => "- !".to_owned(),
        effort => effort,
    }
}

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
