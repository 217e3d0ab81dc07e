//! How good the outlets are, rule by rule, and how that changed with the last import.

use super::Outlets;
use crate::services::outlets::MENDABLE;
use crate::tui::table::thousands;
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How often a rule pointed at outlets, import by import, from none up to the most there were.
fn line(trend: &[u64], cells: usize, cx: &DrawCx) -> String {
    let shown = &trend[trend.len().saturating_sub(cells)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    cx.sparkline(shown.iter().map(|rows| *rows as f64), (0.0, most as f64))
}

impl Outlets {
    pub(super) fn draw_quality(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let Some(report) = &self.quality else {
            return put(buf, area, 1, 1, "looking", cx.style("text.muted"));
        };
        let held = match report.held {
            0 => String::new(),
            n => format!(", {} held back", thousands(n)),
        };
        let sound = format!("{:.1} % without a fault", (1_000.0 * report.sound).floor() / 10.0);
        rule(buf, area, 0, "Quality", &format!("{} outlets, {sound}{held}", thousands(report.outlets)), cx);
        if report.rules.is_empty() {
            let text = match report.outlets {
                0 => "No outlets yet. I and the path of a file takes them in.",
                _ => "No rule points at any outlet.",
            };
            return put(buf, area, 2, 2, &cx.cut(text, wide.saturating_sub(3)), cx.style("text.muted"));
        }
        // A line of two points says no more than the change does.
        let points = report.rules.iter().map(|of| of.trend.len()).max().unwrap_or(0);
        let trend = if points > 2 { points.min(if wide < 100 { 8 } else { 12 }).max(5) } else { 0 };
        let bar = wide.saturating_sub(2 + 9 + 17 + 11 + 9 + 12 + trend + 2).clamp(6, 40);
        let head = format!(
            "  {} {} {} {} {}  {}",
            cx.fit("rule", 9),
            cx.fit("what", 16),
            cx.fit_right("outlets", 10),
            cx.fit_right("share", 8),
            cx.fit_right("last file", 11),
            if trend > 0 { "trend" } else { "" },
        );
        put(buf, area, 0, 1, &cx.cut(&head, wide), cx.style("text.muted"));
        for (y, place) in self.rules.visible().enumerate() {
            let of = &report.rules[place];
            let cursor = place == self.rules.cursor;
            let change = match of.before {
                None => "-".to_owned(),
                Some(before) if before == of.rows => "same".into(),
                Some(before) if before < of.rows => format!("+{}", thousands(of.rows - before)),
                Some(before) => format!("-{}", thousands(before - of.rows)),
            };
            // Rare faults would not be seen on a straight scale.
            let cells = ((of.share.sqrt() * bar as f64).ceil() as usize).min(bar);
            let row = format!(
                "{} {} {} {} {} {}  {}{}",
                if cursor { ">" } else { " " },
                cx.fit(&of.code, 9),
                cx.fit(&of.label, 16),
                cx.fit_right(&thousands(of.rows), 10),
                cx.fit_right(&format!("{:.2} %", 100.0 * of.share), 8),
                cx.fit_right(&change, 11),
                if trend > 0 { cx.fit(&line(&of.trend, trend, cx), trend + 2) } else { String::new() },
                cx.bar().repeat(cells),
            );
            let style = if cursor { "selection" } else { "text" };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        if let Some(of) = report.rules.get(self.rules.cursor) {
            let mend = MENDABLE.iter().find(|(code, _)| *code == of.code);
            let text = match mend {
                Some((_, what)) => format!("{}. m: {what}, all of them; w: one by one.", of.fix),
                None => format!("{}.", of.fix),
            };
            put(
                buf,
                area,
                1,
                area.height.saturating_sub(2),
                &cx.cut(&text, wide.saturating_sub(2)),
                cx.style("text"),
            );
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.rules.position(false), cx);
    }
}
