//! How the shell looks: tabs above, the pane or what lies over it, three lines below.

use crate::engine::Line;
use crate::tui::app::{App, Layer};
use crate::tui::command;
use crate::tui::keys::Key;
use crate::tui::overlay::Question;
use crate::tui::panes::PaneId;
use crate::tui::widgets::{DrawCx, part, put, put_line, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// Cells of one key that can follow, with what it does.
const FOLLOWING: u16 = 38;
/// Smallest terminal that is drawn in.
const SMALLEST: (u16, u16) = (40, 12);

impl App {
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let cx = DrawCx { theme: &self.theme, ascii: self.ascii, aloud: self.aloud };
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            let text = format!(
                "PAMS needs {}x{} cells; this is {}x{}.",
                SMALLEST.0, SMALLEST.1, area.width, area.height
            );
            for (y, line) in text.split("; ").enumerate() {
                put(buf, area, 0, y as u16, line, cx.style("text"));
            }
            return;
        }
        buf.set_style(area, cx.style("text"));
        self.draw_tabs(area, buf, &cx);
        let body = self.body(area);
        match self.layers.iter().rev().find(|l| !matches!(l, Layer::Confirm(_))) {
            Some(Layer::Form(form)) => form.draw(body, buf, &cx),
            Some(Layer::Review(review)) => review.draw(body, buf, &cx),
            Some(Layer::Help(help)) => help.draw(body, buf, &cx),
            Some(Layer::Pick(picker)) => picker.draw(body, buf, &cx),
            Some(Layer::Quick(quick)) => {
                let lines = quick.height();
                let above = part(body, 0, 0, body.width, body.height.saturating_sub(lines));
                self.panes.draw(above, buf, &cx);
                quick.draw(part(body, 0, above.height, body.width, lines), buf, &cx);
            }
            Some(Layer::Prompt(prompt)) => {
                let above = part(body, 0, 0, body.width, body.height.saturating_sub(1));
                match self.layers.iter().find(|l| matches!(l, Layer::Review(_))) {
                    Some(Layer::Review(review)) => review.draw(above, buf, &cx),
                    _ => self.panes.draw(above, buf, &cx),
                }
                prompt.draw(part(body, 0, above.height, body.width, 1), buf, &cx);
            }
            _ => self.panes.draw(body, buf, &cx),
        }
        if self.which {
            self.draw_following(body, buf, &self.scopes(), &cx);
        }
        self.draw_footer(part(area, 0, area.height - 3, area.width, 3), buf, &cx);
    }

    /// Text, whether it is open, and the command that goes there, of each tab.
    fn tabs(&self, width: u16) -> Vec<(String, bool, String)> {
        // Names are shortened as far as the width asks; the open one's stays whole.
        let named = |pane: PaneId| pane.title().to_owned();
        let short = |pane: PaneId| pane.short().to_owned();
        let cut = |letters: usize| move |pane: PaneId| pane.short().chars().take(letters).collect::<String>();
        let mut made = [
            self.named_tabs(&named, "More", " "),
            self.named_tabs(&named, "More", ""),
            self.named_tabs(&short, "", ""),
            self.named_tabs(&cut(6), "", ""),
            self.named_tabs(&cut(5), "", ""),
        ]
        .into_iter();
        let fits = |tabs: &Vec<(String, bool, String)>| {
            // The last one's space may lie outside.
            tabs.iter().map(|(text, ..)| text.width()).sum::<usize>() <= usize::from(width) + 1
        };
        made.find(fits).unwrap_or_else(|| self.named_tabs(&cut(0), "", " "))
    }

    fn named_tabs(
        &self,
        name: &dyn Fn(PaneId) -> String,
        more: &str,
        gap: &str,
    ) -> Vec<(String, bool, String)> {
        let current = self.panes.current;
        // Places without a digit stand behind 0, by name while one of them is open.
        let more = if current.digit().is_none() { current.title() } else { more }.to_owned();
        let tabs = PaneId::ALL.iter().filter_map(|pane| Some((pane.digit()?, *pane)));
        let tabs = tabs.map(|(digit, pane)| {
            let (badge, open) = (self.panes.badge(pane), pane == current);
            let name = if open { pane.title().to_owned() } else { name(pane) };
            (digit, name, open, badge, format!("go.{}", pane.title().to_lowercase()))
        });
        let last = ('0', more, current.digit().is_none(), String::new(), "go.more".to_owned());
        tabs.chain([last])
            .map(|(digit, name, open, badge, id)| {
                let space = if name.is_empty() && badge.is_empty() { "" } else { " " };
                (format!("{gap}{digit}{space}{name}{badge} "), open, id)
            })
            .collect()
    }

    /// The command of the tab at a column.
    pub(super) fn tab_at(&self, x: u16) -> Option<&'static str> {
        let mut end = 0;
        let tab = self.tabs(self.size.0).into_iter().find(|(text, ..)| {
            end += text.width() as u16;
            x < end
        })?;
        command::find(&tab.2).map(|spec| spec.id)
    }

    fn draw_tabs(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let mut x = 0;
        for (text, open, _) in self.tabs(area.width) {
            put(buf, area, x, 0, &text, cx.style(if open { "tab.open" } else { "tab" }));
            x += text.width() as u16;
        }
        let name = format!("{} ", self.me.organisation);
        let right = area.width.saturating_sub(name.width() as u16);
        if right > x {
            put(buf, area, right, 0, &name, cx.style("text.muted"));
        }
    }

    /// Loud where a mistake is one for everybody.
    fn banner_style(&self) -> &'static str {
        let name = self.banner.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match () {
            () if says(&["prod", "live"]) => "status.error",
            () if says(&["stag", "test", "dev"]) => "status.warning",
            () => "tab.open",
        }
    }

    fn draw_footer(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let scopes = self.scopes();
        match self.layers.last() {
            Some(Layer::Confirm(confirm)) => {
                put(
                    buf,
                    area,
                    1,
                    0,
                    &cx.cut(&confirm.text, usize::from(area.width) - 1),
                    cx.style("status.warning"),
                );
                // Its answers stand where the last toast stood.
                let below = part(area, 0, 1, area.width, 1);
                self.draw_hints(below, buf, &scopes, cx);
                return self.draw_status(area, buf, cx);
            }
            _ => self.draw_hints(area, buf, &scopes, cx),
        }
        let toast = &self.toast;
        let style = cx.style(if toast.bad { "status.error" } else { "status" });
        let undo = if toast.undo { "   u undo" } else { "" };
        let room = usize::from(area.width).saturating_sub(undo.len() + 2);
        if toast.bad && toast.text.width() > room {
            // What is wrong counts for more than the hints: it has their line too.
            let (first, rest) = broken(&toast.text, room);
            put(buf, area, 0, 0, &cx.fit(&format!(" {first}"), usize::from(area.width)), style);
            put(buf, area, 1, 1, &cx.cut(rest, room), style);
        } else {
            let text = cx.cut(&toast.text, room);
            put_line(buf, area, 1, &[(format!(" {text}"), style), (undo.into(), cx.style("text.muted"))]);
        }
        self.draw_status(area, buf, cx);
    }

    /// Whose session it is, where its data are, what waits.
    fn draw_status(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let mut words = vec![self.me.name.clone()];
        words.push(self.whereabouts());
        if self.status.read_only {
            words.push("read-only".into());
        }
        if !self.status.saved_at.is_empty() {
            words.push(format!("saved {}", self.status.saved_at));
        }
        if let Some(job) = self.status.job {
            let what = if job.long { "optimise" } else { "reading" };
            words.push(format!("{what} {} %", job.done * 100 / job.total.max(1)));
        }
        let drafts = self.panes.drafts.count();
        words.push(match drafts {
            0 => "no drafts".into(),
            1 => "1 draft".into(),
            n => format!("{n} drafts"),
        });
        let mut left = 1;
        if !self.banner.is_empty() {
            let banner = format!(" {} ", self.banner);
            put(buf, area, left, 2, &banner, cx.style(self.banner_style()));
            left += banner.width() as u16 + 2;
        }
        let room = usize::from(area.width.saturating_sub(left + 1));
        put(buf, area, left, 2, &cx.cut(&words.join("   "), room), cx.style("text.muted"));
    }

    /// Where the data are: here alone, or at a remote instance too, and how that stands.
    fn whereabouts(&self) -> String {
        let guest = if self.status.host { "" } else { ", guest" };
        let standing = &self.panes.standing;
        let Some(remote) = &standing.remote else { return format!("local{guest}") };
        let waits = match standing.queue {
            0 => String::new(),
            n => format!(", {n} to send"),
        };
        let line = match self.status.line {
            None => "connecting",
            Some(Line::Online) if standing.queue == 0 => "in sync",
            Some(Line::Online) => "online",
            Some(Line::Offline) => "offline",
            Some(Line::SignedOut) => "signed out: pams login",
        };
        format!("{} {line}{waits}{guest}", remote.tenant)
    }

    /// As many hints as fit, the most useful first; the way out and the keys are always
    /// there, at the end.
    fn draw_hints(&self, area: Rect, buf: &mut Buffer, scopes: &[&str], cx: &DrawCx) {
        type Hints = Vec<(&'static str, &'static str)>;
        let (ids, end): (Hints, Hints) = match self.layers.last() {
            Some(Layer::Form(_)) => (
                vec![("form.save", "save"), ("form.next", "next"), ("form.down", "choose")],
                vec![("form.leave", "leave")],
            ),
            Some(Layer::Quick(_)) => (
                vec![
                    ("line.take", "save"),
                    ("line.as_form", "open as form"),
                    ("line.earlier", "earlier lines"),
                ],
                vec![("line.leave", "leave")],
            ),
            Some(Layer::Prompt(_)) => (vec![("line.take", "take")], vec![("line.leave", "leave")]),
            Some(Layer::Review(_)) => (
                vec![
                    ("review.commit", "commit"),
                    ("review.next", "problem"),
                    ("review.part", "part"),
                    ("review.aside", "aside"),
                    ("review.back", "take back"),
                    ("review.columns", "columns"),
                    ("review.drop", "give up"),
                    ("go.home", "Home, and so on"),
                ],
                vec![("review.leave", "leave"), ("app.help", "keys")],
            ),
            Some(Layer::Help(_)) => {
                (vec![("overlay.page_down", "next page")], vec![("overlay.close", "close")])
            }
            Some(Layer::Confirm(confirm)) => {
                let draft = matches!(confirm.question, Question::LeaveForm);
                let yes = if draft { ("confirm.yes", "throw away") } else { ("confirm.yes", "yes") };
                let no = if draft { ("confirm.no", "go on") } else { ("confirm.no", "no") };
                let keep = draft.then_some(("confirm.draft", "keep as a draft"));
                (keep.into_iter().chain([yes]).collect(), vec![no])
            }
            Some(Layer::Pick(_)) => {
                (vec![("overlay.take", "take"), ("overlay.down", "next")], vec![("overlay.close", "close")])
            }
            None => (self.panes.here().hints(), vec![("app.help", "keys")]),
        };
        let width = |(key, word): &(String, &str)| key.width() + word.width() + 4;
        let keyed = |all: Vec<(&'static str, &'static str)>| -> Vec<(String, &'static str)> {
            let able = all.into_iter().filter(|(id, _)| self.refuses(id).is_none());
            able.filter_map(|(id, word)| Some((self.keys.keys_of(id, scopes)?, word))).collect()
        };
        let end = keyed(end);
        let mut left = usize::from(area.width).saturating_sub(1 + end.iter().map(width).sum::<usize>());
        let mut shown = Vec::new();
        for hint in keyed(ids) {
            if width(&hint) > left {
                break;
            }
            left -= width(&hint);
            shown.push(hint);
        }
        let mut pieces = vec![(" ".to_owned(), cx.style("text"))];
        for (key, word) in shown.into_iter().chain(end) {
            pieces.push((key, cx.style("key")));
            pieces.push((format!(" {word}   "), cx.style("text")));
        }
        put_line(buf, area, 0, &pieces);
    }

    /// What can follow a half-typed sequence, over the foot of the place.
    fn draw_following(&self, area: Rect, buf: &mut Buffer, scopes: &[&str], cx: &DrawCx) {
        let typed: Vec<String> = self.pending.iter().map(Key::to_string).collect();
        let entries: Vec<(String, &str)> = self
            .keys
            .following(scopes, &self.pending)
            .into_iter()
            .map(|(keys, id)| (keys, command::find(id).map_or(id, |c| c.title).trim_start_matches("Go to ")))
            .collect();
        let columns = (area.width / FOLLOWING).max(1);
        let lines = (entries.len() as u16).div_ceil(columns).min(area.height.saturating_sub(1));
        let panel = part(area, 0, area.height.saturating_sub(lines + 1), area.width, lines + 1);
        rule(buf, panel, 0, &format!("{} then", typed.join(" ")), "Esc none", cx);
        let wide = area.width / columns;
        for (n, (keys, title)) in entries.iter().enumerate() {
            // Down the columns, as a list is read.
            let (x, y) = (n as u16 / lines.max(1) * wide, 1 + n as u16 % lines.max(1));
            let cell = part(panel, x, y, wide, 1);
            let room = usize::from(wide).saturating_sub(keys.width() + 3);
            let pieces = [
                (format!(" {keys}"), cx.style("key")),
                (format!(" {} ", cx.fit(title, room)), cx.style("text")),
            ];
            put_line(buf, cell, 0, &pieces);
        }
    }
}

/// A text broken behind the last word that fits into so many cells.
fn broken(text: &str, cells: usize) -> (&str, &str) {
    let fits = |at: &usize| text[..*at].width() <= cells;
    let spaces = text.char_indices().filter(|(_, c)| *c == ' ').map(|(at, _)| at);
    match spaces.take_while(fits).last() {
        Some(at) => (&text[..at], text[at..].trim_start()),
        None => (text, ""),
    }
}
