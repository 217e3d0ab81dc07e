//! Small things to draw with: texts cut to cells, rules, columns.

use crate::domain::text;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What drawing needs besides the area.
pub struct DrawCx<'a> {
    pub theme: &'a Theme,
    pub ascii: bool,
    /// Read out line by line: nothing stands beside anything else.
    pub aloud: bool,
}

impl DrawCx<'_> {
    pub fn style(&self, id: &str) -> Style {
        self.theme.get(id)
    }

    /// Whether two things stand beside each other from this width on.
    pub fn beside(&self, area: Rect, from: u16) -> bool {
        area.width >= from && !self.aloud
    }

    pub fn rule(&self) -> &'static str {
        if self.ascii { "-" } else { "─" }
    }
    /// Between two panes.
    pub fn bar_between(&self) -> &'static str {
        if self.ascii { "|" } else { "│" }
    }
    pub fn bar(&self) -> &'static str {
        if self.ascii { "#" } else { "█" }
    }
    fn more(&self) -> &'static str {
        if self.ascii { "~" } else { "…" }
    }
    pub fn dot(&self) -> &'static str {
        if self.ascii { "-" } else { "·" }
    }

    pub fn sparkline(&self, values: impl IntoIterator<Item = f64>, bounds: (f64, f64)) -> String {
        self.bars(text::sparkline(values, bounds))
    }

    /// A text with bars in it, in signs that the terminal has.
    pub fn bars(&self, text: String) -> String {
        let sign = |c| match c {
            '▁' | '▂' => '_',
            '▃' | '▄' => '.',
            '▅' | '▆' => '-',
            '▇' | '█' => '=',
            _ => c,
        };
        if self.ascii { text.chars().map(sign).collect() } else { text }
    }

    /// A text in exactly `cells` cells: cut with a sign, or padded.
    pub fn fit(&self, text: &str, cells: usize) -> String {
        let cut = self.cut(text, cells);
        let pad = cells.saturating_sub(cut.width());
        cut + &" ".repeat(pad)
    }

    /// The same against the right edge.
    pub fn fit_right(&self, text: &str, cells: usize) -> String {
        let cut = self.cut(text, cells);
        " ".repeat(cells.saturating_sub(cut.width())) + &cut
    }

    /// At most `cells` cells; control characters do not reach the screen.
    pub fn cut(&self, text: &str, cells: usize) -> String {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.width() <= cells {
            return text;
        }
        let mut out = String::new();
        let mut used = 0;
        for piece in text.graphemes(true) {
            if used + piece.width() + 1 > cells {
                break;
            }
            used += piece.width();
            out.push_str(piece);
        }
        if cells > 0 {
            out.push_str(self.more());
        }
        out
    }
}

/// Puts a text at a place inside an area; what does not fit is cut.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) {
    if y < area.height && x < area.width {
        buf.set_stringn(area.x + x, area.y + y, text, usize::from(area.width - x), style);
    }
}

/// A line of pieces, each with its style, left to right.
pub fn put_line(buf: &mut Buffer, area: Rect, y: u16, pieces: &[(String, Style)]) {
    let mut x = 0;
    for (text, style) in pieces {
        put(buf, area, x, y, text, *style);
        x += text.width() as u16;
    }
}

/// `-- title ---------- note --` over the whole width.
pub fn rule(buf: &mut Buffer, area: Rect, y: u16, title: &str, note: &str, cx: &DrawCx) {
    if y >= area.height {
        return;
    }
    let style = cx.style("rule");
    put(buf, area, 0, y, &cx.rule().repeat(usize::from(area.width)), style);
    if !title.is_empty() {
        put(
            buf,
            area,
            2,
            y,
            &format!(" {} ", cx.cut(title, usize::from(area.width.saturating_sub(6)))),
            cx.style("text.title"),
        );
    }
    let width = note.width() as u16 + 2;
    let free = area.width.saturating_sub(title.width() as u16 + 8);
    if !note.is_empty() && width <= free {
        put(buf, area, area.width - width - 2, y, &format!(" {note} "), cx.style("text.muted"));
    }
}

/// A part of an area, clipped to it.
pub fn part(area: Rect, x: u16, y: u16, width: u16, height: u16) -> Rect {
    Rect { x: area.x + x.min(area.width), y: area.y + y.min(area.height), width, height }.intersection(area)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_fitted_text_has_its_width(text in "\\PC{0,20}", cells in 0usize..12, ascii: bool) {
            let theme = Theme::default();
            let cx = DrawCx { theme: &theme, ascii, aloud: false };
            prop_assert_eq!(cx.fit(&text, cells).width(), cells);
            prop_assert_eq!(cx.fit_right(&text, cells).width(), cells);
        }
    }
}
