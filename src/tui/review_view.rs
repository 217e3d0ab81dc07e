//! How a review looks.

use crate::services::imports::{Line, Report, Target};
use crate::tui::list::ListState;
use crate::tui::review::{Part, Review};
use crate::tui::widgets::{DrawCx, part, put, put_line, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// Months shown at one time; a workbook of years has more.
const MONTHS: u16 = 6;
/// Lines of the header: title, steps, equation.
const HEAD: u16 = 3;
/// What stands behind the equation while nothing is imported twice.
const UNWRITTEN: &str = "nothing is written before C";
/// Width of how sure a column's field is guessed.
const SURE: usize = 5;
/// From this width on the row under hand has a column of its own.
const WIDE: u16 = 110;

struct Areas {
    months: Rect,
    problems: Rect,
    rows: Rect,
    detail: Rect,
}

fn areas(review: &Review, area: Rect) -> Areas {
    let report = review.shown.report.as_ref();
    let months = report.map_or(0, |r| r.months.len() as u16).min(MONTHS);
    let top = if months > 0 { months + 1 } else { 0 };
    let head = head(report, area.width);
    let y = head + top + 1;
    let below = area.height.saturating_sub(y);
    let left = (area.width / 4).clamp(24, 34);
    let wide = area.width >= WIDE;
    let right = if wide { (area.width / 3).min(60) } else { 0 };
    let lines = if wide { below } else { below.saturating_sub(DETAIL_LINES) };
    let middle = area.width.saturating_sub(left + 1 + if wide { right + 1 } else { 0 });
    let detail = match wide {
        true => part(area, area.width - right, y, right, below),
        false => part(area, left + 1, y + lines, area.width.saturating_sub(left + 1), DETAIL_LINES),
    };
    Areas {
        months: part(area, 0, head, area.width, top),
        problems: part(area, 0, y, left, below),
        rows: part(area, left + 1, y, middle, lines),
        detail,
    }
}

/// The header's lines: sums that do not fit beside the equation have one of their own.
fn head(report: Option<&Report>, width: u16) -> u16 {
    let Some(report) = report else { return HEAD };
    let beside = report.equation().width() + totals(report).width() + UNWRITTEN.width() + 6;
    HEAD + u16::from(beside > usize::from(width) && !report.totals.is_empty())
}

/// Lines under the rows where the screen is narrow: what is wrong, and the choices.
const DETAIL_LINES: u16 = 6;

pub fn layout(review: &mut Review, area: Rect) {
    let areas = areas(review, area);
    review.months.set_height(usize::from(areas.months.height.saturating_sub(1)));
    review.problems.set_height(usize::from(areas.problems.height));
    review.rows.set_height(usize::from(areas.rows.height.saturating_sub(1)));
    let head = head(review.shown.report.as_ref(), area.width);
    review.columns.set_height(usize::from(area.height.saturating_sub(head + 2)));
}

pub fn draw(review: &Review, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    let wide = usize::from(area.width);
    let open = &review.shown.open;
    let about = match &review.shown.report {
        Some(report) => {
            let sheets: Vec<&str> =
                report.sheets.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
            let sheet = if sheets.is_empty() { String::new() } else { format!(", {}", sheets.join(", ")) };
            format!("{}{sheet} ({})", open.file, report.dialect)
        }
        None => open.file.clone(),
    };
    let by = format!("{} by {}, {}", open.target.plural(), open.by, open.at);
    rule(buf, area, 0, &about, &by, cx);
    draw_steps(review, area, buf, cx);
    let Some(report) = &review.shown.report else {
        return draw_waiting(review, part(area, 0, HEAD, area.width, area.height), buf, cx);
    };
    let equation = report.equation();
    put(buf, area, 1, 2, &cx.cut(&equation, wide - 2), cx.style("text.title"));
    let note = UNWRITTEN;
    let totals = totals(report);
    let head = head(Some(report), area.width);
    if head > HEAD {
        put(buf, area, 1, HEAD, &cx.cut(&totals, wide - 2), cx.style("text.muted"));
    } else if equation.width() + note.width() + totals.width() + 6 <= wide {
        put(buf, area, equation.width() as u16 + 4, 2, &totals, cx.style("text.muted"));
    }
    if equation.width() + note.width() + 3 <= wide {
        put(buf, area, (wide - note.len() - 1) as u16, 2, note, cx.style("text.muted"));
    }
    if review.part == Part::Columns {
        let below = part(area, 0, head, area.width, area.height.saturating_sub(head));
        return draw_columns(review, report, below, buf, cx);
    }
    let areas = areas(review, area);
    draw_months(review, report, areas.months, buf, cx);
    let y = areas.problems.y.saturating_sub(area.y + 1);
    let told = match report.told.len() {
        0 => String::new(),
        n => match format!("told: {}", report.told.join(", ")) {
            all if all.width() + 40 <= wide => all,
            _ if n == 1 => format!("{} will be told", report.told[0]),
            _ => format!("{n} people will be told"),
        },
    };
    rule(buf, area, y, "", &told, cx);
    let room = area.width.saturating_sub(told.width() as u16 + 8);
    draw_mode(review, report, part(area, 1, y, room, 1), buf, cx);
    draw_problems(review, report, areas.problems, buf, cx);
    draw_rows(review, areas.rows, buf, cx);
    draw_detail(review, areas.detail, buf, cx);
}

/// Sums a currency, won and lost apart.
fn totals(report: &Report) -> String {
    let of = |outcome: &str| {
        let sums = report.totals.iter().filter(|(o, _)| o == outcome);
        sums.map(|(_, m)| m.to_string()).collect::<Vec<_>>().join(" + ")
    };
    let parts = [("won", of("win")), ("lost", of("loss"))];
    let parts = parts.into_iter().filter(|(_, sum)| !sum.is_empty());
    parts.map(|(word, sum)| format!("{word} {sum}")).collect::<Vec<_>>().join("   ")
}

fn draw_steps(review: &Review, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    let report = review.shown.report.as_ref();
    let mapped = report.map(|r| {
        let of = r.columns.iter().filter(|c| !c.header.is_empty()).count();
        format!("3 Columns {} of {of}", r.columns.iter().filter(|c| !c.field.is_empty()).count())
    });
    let steps = [
        "1 File".to_owned(),
        "2 Table".to_owned(),
        mapped.unwrap_or_else(|| "3 Columns".into()),
        "4 Review".to_owned(),
        "5 Commit".to_owned(),
    ];
    let here = match (report, review.part) {
        _ if review.committing => 4,
        (None, _) => 0,
        (Some(_), Part::Columns) => 2,
        _ => 3,
    };
    let mut pieces = vec![(" ".to_owned(), cx.style("text"))];
    for (n, step) in steps.into_iter().enumerate() {
        let (text, style) = match n == here {
            true => (format!("[{step}]  "), "text.title"),
            false => (format!("{step}  "), "text.muted"),
        };
        pieces.push((text, cx.style(style)));
    }
    put_line(buf, area, 1, &pieces);
}

fn draw_waiting(review: &Review, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    match (&review.shown.failure, review.progress) {
        (Some(failure), _) => {
            put(buf, area, 1, 0, &failure.message, cx.style("status.error"));
            if let Some(hint) = &failure.hint {
                put(buf, area, 1, 1, hint, cx.style("text"));
            }
            put(
                buf,
                area,
                1,
                3,
                "T says how its text is written; D gives it up, to import it again",
                cx.style("text.muted"),
            );
        }
        (None, Some(p)) if p.total > 0 => {
            let text = format!("Reading: {} of {} rows. Esc leaves; it goes on.", p.done, p.total);
            put(buf, area, 1, 0, &text, cx.style("text"));
        }
        _ => put(buf, area, 1, 0, "Reading the file. Esc leaves; it goes on.", cx.style("text")),
    }
}

fn draw_months(review: &Review, report: &Report, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    if area.height == 0 {
        return;
    }
    let wide = usize::from(area.width);
    let head = "  month    take   won  lost  added  changed  removed   same  stored";
    put(buf, area, 0, 0, &cx.cut(head, wide), cx.style("text.muted"));
    for (y, place) in review.months.visible().enumerate() {
        let m = &report.months[place];
        let take = if m.left_out { "[ ]" } else { "[x]" };
        let note = match () {
            () if m.left_out => "  left as it is",
            () if m.closed => "  closed",
            () if m.added + m.changed + m.removed == 0 => "  no change",
            () => "",
        };
        let line = format!(
            "{}  {take}  {:>5} {:>5} {:>6} {:>8} {:>8} {:>6} {:>7}{note}",
            m.month, m.wins, m.losses, m.added, m.changed, m.removed, m.same, m.stored
        );
        let warns = m.removed > 0 || m.closed;
        let style = if warns { "status.warning" } else { "text" };
        row(buf, area, 1 + y as u16, &line, &review.months, place, review.part == Part::Months, style, cx);
    }
}

/// One line of a list: its sign, and how the cursor shows in a part with or without keys.
#[allow(clippy::too_many_arguments)]
fn row(
    buf: &mut Buffer,
    area: Rect,
    y: u16,
    text: &str,
    list: &ListState,
    place: usize,
    focus: bool,
    style: &str,
    cx: &DrawCx,
) {
    let cursor = place == list.cursor;
    // One part has the keys; in the others the sign only says what is shown beside.
    let sign = match (cursor, focus) {
        (true, true) => ">",
        (true, false) => "-",
        _ => " ",
    };
    let style = match (cursor, focus) {
        (true, true) => cx.style("selection"),
        (true, false) => cx.style("text.title"),
        _ => cx.style(style),
    };
    put(buf, area, 0, y, &cx.fit(&format!("{sign} {text}"), usize::from(area.width)), style);
}

fn draw_mode(review: &Review, report: &Report, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    let mut words: Vec<String> = Vec::new();
    let again = !report.again.is_empty();
    if again {
        words.push(format!("imported before, {}", report.again));
    }
    if !report.only.is_empty() {
        words.push(report.scope());
    } else if matches!(report.target, Target::Wins | Target::Outlets) {
        let mode = match (review.shown.options.append, again) {
            (true, false) => "append (p): removes nothing",
            (false, false) => "replace (p): what is gone is removed",
            (true, true) => "append (p)",
            (false, true) => "replace (p)",
        };
        words.push(mode.into());
    }
    if review.shown.options.stub_accounts {
        words.push("new accounts are made (m)".into());
    }
    if !words.is_empty() {
        let text = format!(" {} ", words.join(", "));
        put(buf, area, 1, 0, &cx.cut(&text, usize::from(area.width) - 2), cx.style("text.muted"));
    }
}

fn draw_problems(review: &Review, report: &Report, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    let width = usize::from(area.width);
    if report.problems.is_empty() {
        put(buf, area, 1, 0, "Every row is ready.", cx.style("status.good"));
        put(buf, area, 1, 1, "C commits.", cx.style("text"));
        return;
    }
    for (y, place) in review.problems.visible().enumerate() {
        let p = &report.problems[place];
        let (sign, style) = match p.weight.as_str() {
            "fix" => ("!", "status.error"),
            "look" => ("?", "status.warning"),
            _ => (" ", "text.muted"),
        };
        let label = if p.weight == "aside" { format!("aside: {}", p.label) } else { p.label.clone() };
        let count = p.rows.to_string();
        let text = format!("{sign} {} {count}", cx.fit(&label, width.saturating_sub(6 + count.len())));
        row(buf, area, y as u16, &text, &review.problems, place, review.part == Part::Problems, style, cx);
    }
}

fn cell<'a>(line: &'a Line, fields: &[&str]) -> &'a str {
    let found = fields.iter().find_map(|f| line.cells.iter().find(|(name, _)| name == f));
    found.map_or("", |(_, text)| text.as_str())
}

fn draw_rows(review: &Review, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    let wide = usize::from(area.width);
    let left = wide.saturating_sub(2 + 6 + 11);
    let (name, text) = (left / 2, left - left / 2);
    let wins = review.shown.open.target == Target::Wins;
    let columns = |row: &str, date: &str, account: &str, raw: &str| {
        let date = if wins { cx.fit(date, 11) } else { String::new() };
        let name = if wins { name } else { name + 11 };
        format!(
            "{} {date}{} {}",
            cx.fit_right(row, 5),
            cx.fit(account, name.saturating_sub(1)),
            cx.fit(raw, text)
        )
    };
    // What stands in the columns before, or nowhere, is not shown again: the reason is.
    let seen = |line: &Line| line.raw.is_empty() || matches!(line.field.as_str(), "account" | "name");
    let of = match review.lines.first() {
        Some(line) if !line.field.is_empty() && !seen(line) => line.field.replace('_', " "),
        _ => "why".to_owned(),
    };
    let head = format!("  {}", columns("row", "close", if wins { "account" } else { "name" }, &of));
    put(buf, area, 0, 0, &cx.cut(&head, wide), cx.style("text.muted"));
    for (y, place) in review.rows.visible().enumerate() {
        let line = &review.lines[place];
        let shown = if seen(line) { &line.message } else { &line.raw };
        let date = cell(line, &["close_date"]).split(' ').next().unwrap_or_default();
        let text = columns(&line.place.1.to_string(), date, cell(line, &["account", "name"]), shown);
        row(buf, area, 1 + y as u16, &text, &review.rows, place, review.part == Part::Rows, "text", cx);
    }
}

/// The row under hand: what is wrong, what it says, what can be said.
fn draw_detail(review: &Review, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    let Some(line) = review.line() else { return };
    let wide = usize::from(area.width);
    let mut y = 0;
    let mut say = |text: &str, style: &str| {
        put(buf, area, 0, y, &cx.cut(text, wide), cx.style(style));
        y += 1;
    };
    let alike = if line.alike > 1 { format!(" ({} alike)", line.alike) } else { String::new() };
    say(&format!("row {}: {}{alike}", line.place.1, line.message), "text.title");
    if area.height > DETAIL_LINES {
        for (field, text) in &line.cells {
            say(&format!("{} {text}", cx.fit(&field.replace('_', " "), 14)), "text");
        }
        say("", "text");
    } else {
        let parts: Vec<&str> = line.cells.iter().map(|(_, text)| text.as_str()).collect();
        say(&parts.join(" | "), "text.muted");
    }
    for (n, choice) in line.choices.iter().enumerate() {
        say(&format!("{} {}", n + 1, choice.label), "text");
    }
    let waits = review.problem().is_some_and(|p| p.weight == "fix");
    let mut keys = Vec::new();
    if !line.field.is_empty() && line.field != "month" {
        keys.push("e type it".to_owned());
        if line.alike > 1 {
            keys.push(format!("E for all {}", line.alike));
        }
    }
    if waits {
        keys.push("s set aside".to_owned());
    }
    if !keys.is_empty() {
        say(&keys.join("   "), "text.muted");
    }
}

fn draw_columns(review: &Review, report: &Report, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
    let wide = usize::from(area.width);
    let note = match report.missing.is_empty() {
        true => "Enter says what a column is, x takes it away, h another header row, M back".to_owned(),
        false => format!("Not found yet: {}. Enter on a column says what it is.", report.missing.join(", ")),
    };
    let style = if report.missing.is_empty() { "text.muted" } else { "status.warning" };
    put(buf, area, 1, 0, &cx.cut(&note, wide - 2), cx.style(style));
    let header = (wide / 4).max(14);
    let field = 18;
    let head =
        format!("  {} {} {} values", cx.fit("column", header), cx.fit("is", field), cx.fit("sure", SURE));
    put(buf, area, 0, 1, &cx.cut(&head, wide), cx.style("text.muted"));
    if report.columns.is_empty() {
        put(
            buf,
            area,
            2,
            3,
            "No row looks like a header. h says which row names the columns.",
            cx.style("text"),
        );
    }
    for (y, place) in review.columns.visible().enumerate() {
        let c = &report.columns[place];
        let is = if c.field.is_empty() { "-".to_owned() } else { c.field.replace('_', " ") };
        let text = format!(
            "{} {} {} {}",
            cx.fit(&c.header, header),
            cx.fit(&is, field),
            cx.fit(&format!("{:>SURE$}", c.told_confidence()), SURE),
            c.samples.join(" | ")
        );
        let style = if c.field.is_empty() { "text.muted" } else { "text" };
        row(buf, area, 2 + y as u16, &text, &review.columns, place, true, style, cx);
    }
}
