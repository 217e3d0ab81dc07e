//! How Migration looks.

use super::{Migration, View};
use crate::services::migration::{Counted, MonthTally, RowShown};
use crate::tui::table::thousands;
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// Lines of rows, and of the fields below them.
pub(super) fn row_heights(area: Rect) -> (u16, u16) {
    let below = (area.height / 3).clamp(4, 9);
    (area.height.saturating_sub(below + 2), below.saturating_sub(2))
}

fn n(number: usize) -> String {
    thousands(number as u64)
}

/// A number that is nothing is not looked at.
fn some(number: usize) -> String {
    if number == 0 { "-".into() } else { n(number) }
}

impl Migration {
    pub(super) fn draw_view(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let muted = cx.style("text.muted");
        match (&self.loads, self.which) {
            (None, _) => {
                rule(buf, area, 0, "Migration", "", cx);
                put(buf, area, 2, 2, "looking", muted);
            }
            (Some(_), None) => {
                rule(buf, area, 0, "Migration", "", cx);
                let lines = [
                    "No legacy activities are loaded. I takes a file in: CSV, XLSX, ODS, in any language.",
                    "Its rows become drafts, month by month; nothing that is live changes before you",
                    "confirm a month and promote it, and a promotion can be rolled back.",
                ];
                for (y, line) in lines.iter().enumerate() {
                    put(buf, area, 2, 2 + y as u16, &cx.cut(line, wide.saturating_sub(3)), muted);
                }
            }
            _ => match self.view {
                View::Months => self.draw_months(area, buf, cx),
                View::Rows => self.draw_rows(area, buf, cx),
                View::People => self.draw_people(area, buf, cx),
                View::Names => self.draw_names(area, buf, cx),
                View::Stubs => self.draw_stubs(area, buf, cx),
            },
        }
    }

    fn draw_months(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(counted) = &self.counted else {
            rule(buf, area, 0, "Migration", "counting", cx);
            return;
        };
        let loaded = &counted.loaded;
        let title = format!("Migration: {}", loaded.file);
        rule(buf, area, 0, &title, &format!("{} by {}", loaded.at, loaded.by), cx);
        let wide = usize::from(area.width);
        let total = &counted.total;
        let equation = format!(
            " {} rows = {} live + {} drafts + {} merged + {} rejected",
            n(total.rows),
            n(total.promoted),
            n(total.drafts),
            n(total.merged),
            n(total.rejected)
        );
        put(buf, area, 0, 1, &cx.cut(&equation, wide), cx.style("text"));
        let near = if counted.compared { String::new() } else { "?".to_owned() };
        let number = if wide >= 100 { 9 } else { 7 };
        let cells = |month: &str, state: &str, numbers: [String; 6], why: &str| {
            let [rows, ready, waits, near, merged, live] = numbers;
            format!(
                "{} {}{}{}{}{}{}{}  {why}",
                cx.fit(month, 7),
                cx.fit(state, 11),
                cx.fit_right(&rows, number),
                cx.fit_right(&ready, number),
                cx.fit_right(&waits, number),
                cx.fit_right(&near, number),
                cx.fit_right(&merged, number),
                cx.fit_right(&live, number),
            )
        };
        let head = ["rows", "ready", "waits", "near", "merged", "live"].map(str::to_owned);
        let head =
            format!("  {}", cells("month", "state", head, if wide < 100 { "why" } else { "why they wait" }));
        put(buf, area, 0, 2, &cx.cut(&head, wide), cx.style("text.muted"));
        for (y, place) in self.months.visible().enumerate() {
            let Some(month) = counted.months.get(place) else { continue };
            let near = if near.is_empty() || month.near > 0 { some(month.near) } else { near.clone() };
            let numbers = [
                n(month.rows),
                some(month.ready),
                some(month.waits),
                near,
                some(month.merged + month.same + month.repeats),
                some(month.promoted),
            ];
            let cursor = place == self.months.cursor;
            let row = cells(&month.month, &month.state, numbers, &why(month));
            let row = format!("{} {row}", if cursor { ">" } else { " " });
            let style = match (cursor, month.state.as_str()) {
                (true, _) => "selection",
                (_, "confirmed") => "status.warn",
                (_, "promoted") if month.drafts == 0 => "text.muted",
                _ => "text",
            };
            put(buf, area, 0, 3 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        let foot = area.height.saturating_sub(1);
        rule(buf, area, foot, &rules(counted), &self.months.position(false), cx);
    }

    fn draw_rows(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let month = self.month.map(|m| m.long()).unwrap_or_default();
        let Some(shown) = &self.shown else {
            rule(buf, area, 0, &month, "reading", cx);
            return;
        };
        let wide = usize::from(area.width);
        let tally = &shown.tally;
        let mut parts = vec![format!("{} rows", n(tally.rows))];
        for (count, word) in [
            (tally.ready, "ready"),
            (tally.waits, "wait"),
            (tally.near, "near"),
            (tally.same + tally.repeats, "same"),
            (tally.promoted, "live"),
        ] {
            if count > 0 {
                parts.push(format!("{} {word}", n(count)));
            }
        }
        rule(buf, area, 0, &format!("{month}, {}", tally.state), &parts.join(", "), cx);
        let digits = shown.rows.iter().map(|row| row.row).max().unwrap_or(0).to_string().len().max(4);
        let said = |row: &RowShown, name: &str, scope: usize| match row.item.text(name) {
            text if text.is_empty() && !row.raw[scope].is_empty() => format!("{}?", row.raw[scope]),
            text => text,
        };
        // Columns are as wide as what they hold, so that the summary gets the rest.
        let widest = |name: &str, scope: usize, least: usize, most: usize| {
            let texts = shown.rows.iter().map(|row| said(row, name, scope).width());
            texts.max().unwrap_or(0).clamp(least, most.max(least))
        };
        let (owner, effort) = if wide >= 100 { (18, 7) } else { (11, 6) };
        let (owner, kind) = (widest("owner", 0, 5, owner), widest("type", 3, 4, 14));
        let left = wide.saturating_sub(2 + digits + 8 + 6 + owner + kind + effort + 7);
        let account = widest("account", 1, 7, left * 2 / 5);
        let cells = |row: &str, is: &str, day: &str, rest: [&str; 5]| {
            let [who, what, of, took, said] = rest;
            format!(
                "{} {} {} {} {} {} {} {said}",
                cx.fit_right(row, digits),
                cx.fit(is, 8),
                cx.fit(day, 6),
                cx.fit(who, owner),
                cx.fit(what, kind),
                cx.fit(of, account),
                cx.fit_right(took, effort),
            )
        };
        let head = cells("row", "is", "day", ["owner", "type", "account", "effort", "summary"]);
        put(buf, area, 0, 1, &cx.cut(&format!("  {head}"), wide), cx.style("text.muted"));
        for (y, place) in self.rows.visible().enumerate() {
            let Some(row) = shown.rows.get(place) else { continue };
            let day = row.item.text("date").parse().map(|d: chrono::NaiveDate| d.format("%d %b").to_string());
            let rest = [said(row, "owner", 0), said(row, "type", 3), said(row, "account", 1)];
            let [who, what, of] = &rest;
            let (took, summary) = (row.item.text("effort_text"), row.item.text("summary"));
            let line = cells(
                &row.row.to_string(),
                word(row),
                &day.unwrap_or_default(),
                [who, what, of, &took, &summary],
            );
            let (cursor, marked) = (place == self.rows.cursor, self.rows.marks.contains(&row.item.id));
            let sign = match (cursor, marked) {
                (_, true) => "*",
                (true, false) => ">",
                _ => " ",
            };
            let style = match (cursor, marked, row.verdict.as_str()) {
                (true, ..) => "selection",
                (_, true, _) => "mark",
                (_, _, "waits" | "near") => "status.warn",
                (_, _, "ready" | "merges") => "text",
                _ => "text.muted",
            };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&format!("{sign} {line}"), wide), cx.style(style));
        }
        if shown.rows.is_empty() {
            put(buf, area, 2, 3, "No row is like that; Esc shows all of the month", cx.style("text.muted"));
        }
        let (rows, _) = row_heights(area);
        let narrowed = match (self.issue.as_str(), self.text.as_str()) {
            ("", "") => String::new(),
            (issue, "") => format!("only {issue}"),
            ("", text) => format!("only \"{text}\""),
            (issue, text) => format!("only {issue} with \"{text}\""),
        };
        let more = shown.total > shown.rows.len();
        let place = self.rows.position(more);
        let marks = match self.rows.marks.len() {
            0 => place,
            marks => format!("{marks} marked, {place}"),
        };
        rule(buf, area, 2 + rows, &narrowed, &marks, cx);
        if let Some(row) = self.row_shown() {
            let below = part(area, 0, 3 + rows, area.width, area.height.saturating_sub(3 + rows));
            self.draw_row(row, below, buf, cx);
        }
    }

    /// The row under the cursor beside what is live.
    fn draw_row(&self, row: &RowShown, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let raw: Vec<&str> = row.raw.iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
        let mut said =
            format!(" {}: {}", row.verdict, if row.why.is_empty() { "as the file has it" } else { &row.why });
        if !row.choice.input.is_empty() {
            let typed: Vec<String> = row.choice.input.iter().map(|(f, v)| format!("{f} {v}")).collect();
            said.push_str(&format!("; typed: {}", typed.join(", ")));
        }
        if row.fields.is_empty() {
            put(buf, area, 0, 0, &cx.cut(&said, wide), cx.style("text"));
            put(buf, area, 1, 1, &cx.cut(&raw.join(" | "), wide.saturating_sub(2)), cx.style("text.muted"));
            let texts = ["summary", "details", "next_step", "outcome"].map(|f| row.item.text(f));
            let texts: Vec<String> = texts.into_iter().filter(|t| !t.is_empty()).collect();
            put(buf, area, 1, 2, &cx.cut(&texts.join(" | "), wide.saturating_sub(2)), cx.style("text"));
            let extras: Vec<String> = row.extras.iter().map(|(t, v)| format!("{t}: {v}")).collect();
            put(buf, area, 1, 3, &cx.cut(&extras.join(", "), wide.saturating_sub(2)), cx.style("text.muted"));
            return;
        }
        let third = wide.saturating_sub(14) / 3;
        let cells = |name: &str, sides: [&str; 3]| {
            let [legacy, live, will] = sides.map(|side| cx.fit(side, third.saturating_sub(1)));
            format!("{} {legacy} {live} {will}", cx.fit(name, 11))
        };
        let is = if row.verdict == "promoted" { "as it was read" } else { "will be" };
        let head = format!(" {}", cells(&row.verdict, ["file", "live", is]));
        put(buf, area, 0, 0, &cx.cut(&head, wide), cx.style("text.muted"));
        for (y, place) in self.fields.visible().enumerate() {
            let Some((name, sides)) = row.fields.iter().nth(place) else { continue };
            let [legacy, live, will] = sides;
            let undecided = row.verdict == "near";
            let will = if undecided { "?" } else { will.as_str() };
            let cursor = self.inside && place == self.fields.cursor;
            let line = cells(&name.replace('_', " "), [legacy, live, will]);
            let line = format!("{}{line}", if cursor { ">" } else { " " });
            let style = if cursor { "selection" } else { "text" };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&line, wide), cx.style(style));
        }
    }

    fn draw_people(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let of = self.month.map_or("all months".to_owned(), |month| month.long());
        let Some(counted) = &self.people else {
            return rule(buf, area, 0, &format!("Drafts of {of}"), "counting", cx);
        };
        let note = format!("{} drafts", n(counted.total.drafts));
        rule(buf, area, 0, &format!("Drafts of {of}, by owner and type"), &note, cx);
        let column = (wide.saturating_sub(6) / 2).min(50);
        let pair = |of: Option<&(String, usize)>| {
            let (name, rows) = of.map_or(("", String::new()), |(name, rows)| (name.as_str(), n(*rows)));
            format!("{} {}", cx.fit(name, column.saturating_sub(10)), cx.fit_right(&rows, 9))
        };
        let head =
            |name: &str| format!("{} {}", cx.fit(name, column.saturating_sub(10)), cx.fit_right("rows", 9));
        let line = format!("  {}  {}", head("owner"), head("type"));
        put(buf, area, 0, 1, &cx.cut(&line, wide), cx.style("text.muted"));
        for (y, place) in self.by.visible().enumerate() {
            let sign = if place == self.by.cursor { ">" } else { " " };
            let line =
                format!("{sign} {}  {}", pair(counted.owners.get(place)), pair(counted.types.get(place)));
            let style = if place == self.by.cursor { "selection" } else { "text" };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&line, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "? unknown yet", &self.by.position(false), cx);
    }

    fn draw_names(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let note = self.names.as_ref().map_or("looking".into(), |n| format!("{} unknown", n.len()));
        rule(buf, area, 0, "Texts that nobody knows: said once, for all files", &note, cx);
        let Some(names) = &self.names else { return };
        if names.is_empty() {
            let text = "Every owner, account, project, type and use case is known. t goes on.";
            return put(buf, area, 2, 2, &cx.cut(text, wide.saturating_sub(3)), cx.style("text.muted"));
        }
        let raw = (wide.saturating_sub(24)) / 2;
        let cells = |scope: &str, text: &str, rows: &str, near: &str| {
            format!("{} {} {}  {near}", cx.fit(scope, 8), cx.fit(text, raw), cx.fit_right(rows, 8))
        };
        let head = format!("  {}", cells("what", "as it is written", "rows", "perhaps"));
        put(buf, area, 0, 1, &cx.cut(&head, wide), cx.style("text.muted"));
        for (y, place) in self.unknown.visible().enumerate() {
            let Some(name) = names.get(place) else { continue };
            let cursor = place == self.unknown.cursor;
            let row = cells(&name.scope, &name.raw, &n(name.rows), &name.near.join(", "));
            let row = format!("{} {row}", if cursor { ">" } else { " " });
            let style = if cursor { "selection" } else { "text" };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.unknown.position(false), cx);
    }

    fn draw_stubs(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let note = self.stubs.as_ref().map_or("looking".into(), |n| format!("{} there", n.len()));
        rule(buf, area, 0, "Records that this load made of texts", &note, cx);
        let Some(stubs) = &self.stubs else { return };
        if stubs.is_empty() {
            let text = "None. s among the unknown texts makes records of them. t goes on.";
            return put(buf, area, 2, 2, &cx.cut(text, wide.saturating_sub(3)), cx.style("text.muted"));
        }
        put(buf, area, 0, 1, &cx.cut("  kind         name", wide), cx.style("text.muted"));
        for (y, place) in self.made.visible().enumerate() {
            let Some(stub) = stubs.get(place) else { continue };
            let cursor = place == self.made.cursor;
            let sign = if cursor { ">" } else { " " };
            let row = format!("{sign} {} {}", cx.fit(stub.kind.name(), 12), stub.name);
            let style = if cursor { "selection" } else { "text" };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.made.position(false), cx);
    }
}

fn why(month: &MonthTally) -> String {
    let mut all: Vec<(&String, &usize)> = month.lacks.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1));
    all.iter().map(|(name, rows)| format!("{name} {rows}")).collect::<Vec<_>>().join(", ")
}

/// What becomes of a row, and whether somebody said so.
fn word(row: &RowShown) -> &str {
    row.verdict.as_str()
}

fn rules(counted: &Counted) -> String {
    let rules = &counted.rules;
    let effort = rules.effort.map(|m| format!(", no effort is {}", crate::domain::effort::show_effort(m)));
    let said = match rules.duplicates.as_str() {
        "ask" => "ask",
        "live" => "the live one counts",
        "legacy" => "the file counts",
        "newer" => "the newer counts",
        "both" => "both texts",
        _ => "both stay",
    };
    format!("duplicates: {said}{}", effort.unwrap_or_default())
}
