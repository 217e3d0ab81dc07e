//! How the list of outlets and one outlet look.

use super::{COLUMNS, Outlets};
use crate::domain::schema::{Kind, Type};
use crate::domain::text;
use crate::intake::bulk::Months;
use crate::services::outlets::ShownOutlet;
use crate::services::show::Item;
use crate::tui::map::Map;
use crate::tui::table::thousands;
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From this width on the outlet stands beside the list; below it each move would cost more
/// than the row.
pub(super) const WIDE: u16 = 150;
/// Lines of the small map, and from how many of the pane on there is room for it.
const MAP: u16 = 10;
const ROOM: u16 = 28;
/// Cells of a column, and from which width of the list on it is shown.
const WIDTHS: [(&str, usize, usize); 7] = [
    ("channel", 8, 100),
    ("class", 5, 88),
    ("city", 14, 40),
    ("territory", 15, 50),
    ("distributor_code", 11, 104),
    ("avg_sales", 11, 72),
    ("status", 9, 116),
];

/// A line of an outlet: a heading, or a field and its value.
pub(super) struct Line {
    pub text: String,
    pub head: bool,
}

impl Outlets {
    pub(super) fn draw_tab(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        if !cx.beside(area, WIDE) {
            return match self.inside {
                true => self.draw_outlet(area, buf, cx),
                false => self.draw_list(area, buf, cx),
            };
        }
        let left = area.width * 62 / 100;
        self.draw_list(part(area, 0, 0, left - 1, area.height), buf, cx);
        self.draw_outlet(part(area, left, 0, area.width - left, area.height), buf, cx);
    }

    fn draw_list(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        put(buf, area, 1, 0, &cx.cut(&self.heading(), wide.saturating_sub(2)), cx.style("text"));
        if let Some(problem) = &self.unread {
            put(buf, area, 1, 0, &cx.fit(problem, wide.saturating_sub(2)), cx.style("status.warning"));
        }
        if self.rows.is_empty() {
            let narrowed = !self.filter.is_empty() || !self.rule.is_empty();
            let text = match (self.rows.loading, narrowed) {
                (true, _) => "looking",
                (_, true) => "No outlet matches. Esc takes the filter back.",
                _ => "No outlets yet. I and the path of a file takes them in: CSV or a workbook.",
            };
            rule(buf, area, 1, "", "", cx);
            put(buf, area, 2, 3, &cx.cut(text, wide.saturating_sub(3)), cx.style("text.muted"));
            return rule(buf, area, area.height.saturating_sub(1), "", &self.position(), cx);
        }
        let columns = self.columns(wide);
        let fixed: usize = columns.iter().map(|(_, cells)| cells + 1).sum();
        let code = self.code_cells();
        let name = wide.saturating_sub(2 + code + 1 + fixed).max(8);
        let line = |sign: &str, code_text: &str, name_text: &str, of: &dyn Fn(&str) -> String| {
            let mut row = format!("{sign}{} {}", cx.fit(code_text, code), cx.fit(name_text, name));
            for (field, cells) in &columns {
                row.push(' ');
                let right = is_number(field);
                row.push_str(&if right {
                    cx.fit_right(&of(field), *cells)
                } else {
                    cx.fit(&of(field), *cells)
                });
            }
            cx.fit(&row, wide)
        };
        let title = |field: &str| field.trim_start_matches("avg_").trim_end_matches("_code").to_owned();
        put(buf, area, 0, 1, &line("  ", "code", "name", &title), cx.style("text.muted"));
        for (y, place) in self.rows.list.visible().enumerate() {
            let Some(item) = self.rows.get(place) else { continue };
            let cursor = place == self.rows.list.cursor;
            let marked = self.rows.is_marked(item.id);
            let sign = match (cursor, marked) {
                (true, true) => ">*",
                (true, false) => "> ",
                (false, true) => " *",
                _ => "  ",
            };
            let row = line(sign, &item.text("code"), &item.text("name"), &|field| cell(item, field));
            let style = match (cursor, self.inside, marked) {
                (true, false, _) => "selection",
                (true, true, _) => "selection.blur",
                (_, _, true) => "mark",
                _ => "text",
            };
            put(buf, area, 0, 2 + y as u16, &row, cx.style(style));
        }
        let marks = match self.rows.marked(self.count) {
            Some(0) => String::new(),
            Some(n) => format!("{} marked", thousands(n as u64)),
            None => "all that match are marked".into(),
        };
        rule(buf, area, area.height.saturating_sub(1), &marks, &self.position(), cx);
    }

    fn heading(&self) -> String {
        let filter = if self.filter.is_empty() { "none" } else { &self.filter };
        let order = if self.order.is_empty() { "code" } else { &self.order };
        let way = if self.descending { ", highest first" } else { "" };
        let rule = match self.rule.as_str() {
            "" => String::new(),
            code => {
                let label = crate::intake::rules::find(code).map_or("", |r| r.label);
                format!("   rule: {code} {label}")
            }
        };
        format!("filter: {filter} (/)   sort: {}{way} (s){rule}", order.replace('_', " "))
    }

    fn position(&self) -> String {
        let counted = match (&self.filter, &self.rule) {
            (filter, rule) if filter.is_empty() && rule.is_empty() && self.total > 0 => {
                Some((self.total, true))
            }
            _ => self.count,
        };
        self.rows.position(counted)
    }

    /// Columns that the outlets have and the width has room for.
    fn columns(&self, wide: usize) -> Vec<(&'static str, usize)> {
        let shown = |(field, _, from): &&(&str, usize, usize)| {
            wide >= *from && (self.present.iter().any(|p| p == field) || self.order == *field)
        };
        WIDTHS.iter().filter(shown).map(|(field, cells, _)| (*field, *cells)).collect()
    }

    /// The codes of a list are about as long as each other.
    fn code_cells(&self) -> usize {
        let longest = self.rows.list.visible().filter_map(|place| self.rows.get(place));
        longest.map(|item| item.text("code").chars().count()).max().unwrap_or(0).clamp(6, 16)
    }

    /// What is said of the outlet under the cursor.
    pub(super) fn content(&self) -> Vec<Line> {
        let Some(shown) = self.here().and_then(|code| self.ready.get(&code)) else { return vec![] };
        let mut lines = Vec::new();
        for (code, label) in &shown.rules {
            lines.push(Line { text: format!("! {label} ({code})"), head: true });
        }
        let mut field = |name: &str, value: String| {
            let was = shown.edits.iter().find(|(of, _)| of == name);
            let was = was.map_or(String::new(), |(_, was)| match was.as_str() {
                "" => "   (was empty)".into(),
                was => format!("   (was {was})"),
            });
            if !value.is_empty() || !was.is_empty() {
                lines
                    .push(Line { text: format!("{:<17} {value}{was}", name.replace('_', " ")), head: false });
            }
        };
        let schema = Kind::Outlet.schema();
        for of in schema.fields {
            let text = shown.item.text(of.name);
            field(of.name, if of.name == "sales_months" { Months::parse(&text).drawn() } else { text });
        }
        for name in shown.item.values.keys().filter(|n| schema.field_named(n).is_none()) {
            field(name, shown.item.text(name));
        }
        if !shown.twins.is_empty() {
            lines.push(Line { text: "looks like".into(), head: true });
            lines.extend(shown.twins.iter().map(|t| Line { text: format!("  {t}"), head: false }));
        }
        let steps = self.history.as_ref().filter(|(of, _)| Some(of) == self.here().as_ref());
        for step in steps.map(|(_, steps)| steps).into_iter().flatten() {
            lines.push(Line { text: format!("{}  {}: {}", step.at, step.by, step.what), head: true });
            lines.extend(step.lines().map(|line| Line { text: format!("  {line}"), head: false }));
        }
        lines
    }

    /// Lines of the small map below an outlet: none where it has no neighbours, or no room.
    pub(super) fn map_high(&self) -> u16 {
        let shown = self.here().and_then(|code| self.ready.get(&code));
        let drawn = shown.is_some_and(|s| s.at.is_some() && s.around.len() > 1);
        if drawn && self.high >= ROOM { MAP } else { 0 }
    }

    /// Where it is among its neighbours, north up.
    fn draw_around(&self, shown: &ShownOutlet, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(at) = shown.at.filter(|_| area.height > 1) else { return };
        let canvas = part(area, 1, 1, area.width.saturating_sub(2), area.height - 1);
        let signs = [("@".to_owned(), at)];
        let map = Map { points: &shown.around, signs: &signs, ..Map::default() };
        let drawn = map.draw(canvas, buf, cx);
        let others = text::count(shown.around.len() - 1, "outlet");
        let wide = drawn.km * f64::from(canvas.width);
        rule(buf, area, 0, &format!("the {others} nearest"), &format!("{wide:.1} km across"), cx);
    }

    fn draw_outlet(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(code) = self.here() else { return };
        let Some(shown) = self.ready.get(&code) else {
            return put(buf, area, 1, 1, "looking", cx.style("text.muted"));
        };
        let edited = if shown.edits.is_empty() { "" } else { "edited here" };
        rule(buf, area, 0, &format!("{code}  {}", shown.item.text("name")), edited, cx);
        let lines = self.content();
        for (y, place) in self.lines.visible().enumerate() {
            let Some(line) = lines.get(place) else { continue };
            let cursor = self.inside && place == self.lines.cursor;
            let style = match (cursor, line.head) {
                (true, _) => "selection",
                (false, true) => "text.title",
                _ => "text",
            };
            let sign = if cursor { ">" } else { " " };
            let row = cx.fit(&format!("{sign} {}", line.text), usize::from(area.width));
            put(buf, area, 0, 1 + y as u16, &row, cx.style(style));
        }
        let map = self.map_high();
        if map > 0 {
            self.draw_around(shown, part(area, 0, area.height - 1 - map, area.width, map), buf, cx);
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.lines.position(false), cx);
    }
}

fn is_number(field: &str) -> bool {
    Kind::Outlet.schema().field_named(field).is_some_and(|f| f.kind == Type::Decimal)
}

/// Numbers of a column stand under each other: two decimals.
fn cell(item: &Item, field: &str) -> String {
    let text = item.text(field);
    match (is_number(field), text.parse::<f64>()) {
        (true, Ok(number)) => {
            let cents = (number.abs() * 100.0).round() as u64;
            let sign = if number < 0.0 { "-" } else { "" };
            format!("{sign}{}.{:02}", thousands(cents / 100), cents % 100)
        }
        _ => text,
    }
}

const _: () = assert!(COLUMNS.len() == WIDTHS.len() + 1);
