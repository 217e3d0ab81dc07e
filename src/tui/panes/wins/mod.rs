//! Wins and losses by the month: own entries and imported rows.

mod sides;

use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::engine::Engine;
use crate::services::imports::Target;
use crate::services::records::Delete;
use crate::services::show::Item;
use crate::services::wins::{Callout, Feature, ListMonths, ListWins, ShowCallout};
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::{Data, FormStart, Slot};
use crate::tui::panes::{Ask, NAMES, Pane, edit_form, touches};
use crate::tui::quick::Prompt;
use crate::tui::table::{Rows, Want};
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use sides::Side;

/// Months in the strip.
const MONTHS: usize = 6;
const HEADER: u16 = 5;

/// What stands around the rows.
struct Around {
    months: Vec<Callout>,
    callout: Callout,
}

#[derive(Default)]
pub struct Wins {
    month: Option<Month>,
    mine: bool,
    /// "", "own" or "imported"
    source: &'static str,
    /// "", "win" or "loss"
    outcome: &'static str,
    months: Vec<Callout>,
    callout: Callout,
    rows: Rows,
    loaded: bool,
    side: Option<Side>,
}

impl Pane for Wins {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["wins", "month", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        if self.side.is_some() {
            return vec![("record.open", "open or settle"), ("app.back", "list"), ("app.undo", "undo")];
        }
        vec![
            ("record.add", "new"),
            ("record.open", "edit"),
            ("month.back", "month"),
            ("wins.owner", "owner"),
            ("wins.source", "source"),
            ("wins.outcome", "won/lost"),
            ("wins.feature", "feature"),
            ("wins.compare", "compare"),
            ("wins.import", "import"),
            ("app.undo", "undo"),
        ]
    }

    fn refuses(&self, id: &str) -> Refused {
        if self.side.is_some() {
            return None;
        }
        let of_row =
            matches!(id, "record.open" | "record.edit" | "record.delete" | "wins.feature" | "list.copy");
        if of_row && self.here().is_none() { Some(command::NO_ROW) } else { None }
    }

    fn prompted(&mut self, what: &str, typed: &str, _cx: &mut Cx) -> Ask {
        match (what, &self.side) {
            ("name", Some(side)) => side.named(typed),
            _ => Ask::Nothing,
        }
    }

    fn click(&mut self, line: u16) {
        if let (None, Some(row)) = (&self.side, line.checked_sub(HEADER)) {
            self.rows.list.point(usize::from(row));
        }
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if touches(kinds, &[Kind::Win, Kind::MonthState]) || touches(kinds, &NAMES) {
            self.load(cx);
        }
    }

    fn lacks(&self) -> &'static [&'static str] {
        &[
            "list.inside",
            "list.archived",
            "list.mark",
            "list.mark_all",
            "list.filter",
            "record.archive",
            "record.merge",
            "month.today",
        ]
    }

    fn load(&mut self, cx: &mut Cx) {
        let month = self.month;
        let question = move |engine: &Engine| {
            let callout = engine.ask(&ShowCallout { month })?;
            Ok(Around { months: engine.ask(&ListMonths {})?, callout })
        };
        cx.ask(Slot::Months, question, |panes, around, cx| panes.wins.take(around, cx));
    }

    fn back(&mut self, _cx: &mut Cx) -> bool {
        self.side.take().is_some()
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if let Some(side) = &mut self.side {
            match id {
                _ if side.list.command(id) => return Ask::Nothing,
                "record.open" | "record.edit" => return side.enter(),
                _ => {}
            }
        } else if let Some(want) = self.rows.command(id) {
            if let Some(want) = want {
                self.fetch(want, cx);
            }
            return Ask::Nothing;
        }
        match id {
            "wins.compare" | "wins.versions" | "wins.names" => {
                let Some(month) = self.month.filter(|_| self.side.take().is_none()) else {
                    return Ask::Nothing;
                };
                let which = id.to_owned();
                let question = move |engine: &Engine| match which.as_str() {
                    "wins.compare" => Side::compare(engine, month),
                    "wins.versions" => Side::versions(engine, month),
                    _ => Side::names(engine),
                };
                cx.ask(Slot::Side, question, |panes, side, _| panes.wins.side = Some(side));
            }
            "month.back" | "month.forward" => {
                // From month to month that has data; the list is newest first.
                let at = self.months.iter().position(|m| m.month == self.month).unwrap_or(0);
                let to = if id == "month.back" { at + 1 } else { at.saturating_sub(1) };
                if let Some(callout) = self.months.get(to) {
                    self.month = callout.month;
                    self.start(cx);
                }
            }
            "wins.owner" => {
                self.mine = !self.mine;
                self.start(cx);
            }
            "wins.source" => {
                self.source = match self.source {
                    "" => "own",
                    "own" => "imported",
                    _ => "",
                };
                self.start(cx);
            }
            "wins.outcome" => {
                self.outcome = match self.outcome {
                    "" => "win",
                    "win" => "loss",
                    _ => "",
                };
                self.start(cx);
            }
            "list.copy" => {
                if let Some(item) = self.here() {
                    let names =
                        ["date", "outcome", "account", "opportunity", "amount", "amount_currency", "owner"];
                    let line = names.map(|name| item.text(name).replace(['\t', '\n'], " ")).join("\t");
                    return Ask::Copy(line, "1 row".into());
                }
            }
            "wins.import" => return Ask::Prompt(Prompt::import(Target::Wins)),
            "record.add" => return new_win(),
            "record.open" | "record.edit" => {
                if let Some(item) = self.here() {
                    return edit_form(Kind::Win, item.id.to_string());
                }
            }
            "wins.feature" => {
                if let Some(item) = self.here() {
                    let feature =
                        Feature { which: item.id.to_string(), story: None, off: item.flag("featured") };
                    let word =
                        if feature.off { "No longer the win of the month" } else { "Win of the month" };
                    let text = format!("{word}: {}", item.text("account"));
                    return Ask::Act(Box::new(move |engine| {
                        Data::Done(engine.run(&feature).map(|r| (text, Some(r.txn))))
                    }));
                }
            }
            "record.delete" => {
                if let Some(item) = self.here() {
                    let delete = Delete { kind: Kind::Win, which: item.id.to_string() };
                    let text = format!("Deleted: {}", item.text("account"));
                    return Ask::Act(Box::new(move |engine| {
                        Data::Done(engine.run(&delete).map(|r| (text, Some(r.txn))))
                    }));
                }
            }
            _ => {}
        }
        Ask::Nothing
    }

    fn layout(&mut self, area: Rect, cx: &mut Cx) {
        self.rows.list.set_height(usize::from(area.height.saturating_sub(HEADER + 1)));
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
        if let Some(side) = &mut self.side {
            side.list.set_height(usize::from(area.height.saturating_sub(2)));
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        if let Some(side) = &self.side {
            return side.draw(area, buf, cx);
        }
        let owner = if self.mine { "me" } else { "all" };
        let source = if self.source.is_empty() { "both" } else { self.source };
        let outcome = match self.outcome {
            "" => "won and lost",
            "win" => "won",
            _ => "lost",
        };
        let line = format!("owner: {owner} (o)   source: {source} (s)   show: {outcome} (t)");
        put(buf, area, 1, 0, &cx.cut(&line, usize::from(area.width) - 2), cx.style("text"));
        let Some(month) = self.month else {
            let text = match self.loaded {
                true => "No wins or losses yet. Press a to enter the first.",
                false => "loading",
            };
            put(buf, area, 2, 2, text, cx.style("text.muted"));
            return;
        };
        self.draw_strip(part(area, 0, 1, area.width, 2), buf, month, cx);
        let sums =
            |all: &[crate::domain::Money]| all.iter().map(|m| m.to_string()).collect::<Vec<_>>().join(" + ");
        let c = &self.callout;
        let closed = if c.closed { "   closed" } else { "" };
        let both = match c.twice {
            0 => String::new(),
            n => format!("   = {n} imported too, counted once"),
        };
        let text = format!(
            "{}: {} won {}, {} lost {}, yours {}{closed}{both}",
            month.long(),
            c.wins,
            sums(&c.won),
            c.losses,
            sums(&c.lost),
            c.your_wins + c.your_losses
        );
        put(buf, area, 1, 3, &cx.cut(&text, usize::from(area.width) - 2), cx.style("text.title"));
        rule(buf, area, 4, "", "", cx);
        let columns = Columns::new(area.width);
        let head = ["date", "", "account", "opportunity", "amount", "owner", "source"].map(str::to_owned);
        put(
            buf,
            area,
            0,
            4,
            &cx.fit(&columns.row(cx, head), usize::from(area.width)),
            cx.style("text.muted"),
        );
        if self.rows.is_empty() {
            let text = match self.rows.loading {
                true => "looking",
                false => "Nothing here with these filters: o, s and t change them",
            };
            put(buf, area, 2, 6, text, cx.style("text.muted"));
        }
        for (y, place) in self.rows.list.visible().enumerate() {
            let Some(item) = self.rows.get(place) else { continue };
            let won = item.text("outcome") == "win";
            let date: Option<chrono::NaiveDate> = item.text("date").parse().ok();
            let amount = match item.text("amount_text") {
                a if a.is_empty() => "-".into(),
                a => format!("{a} {}", item.text("amount_currency")),
            };
            let star = if item.flag("featured") { "*" } else { "" };
            let source = item.text("source");
            let cells = [
                date.map(|d| d.format("%d %b").to_string()).unwrap_or_default(),
                match (item.flag("twice"), won) {
                    (true, _) => "= both",
                    (false, true) => "+ won",
                    (false, false) => "- lost",
                }
                .to_owned(),
                format!("{}{star}", item.text("account")),
                item.text("opportunity"),
                amount,
                if item.flag("yours") { "yours".into() } else { item.text("owner") },
                if source.is_empty() { "own".into() } else { source },
            ];
            let cursor = place == self.rows.list.cursor;
            let row = columns.row(cx, cells);
            let row = if cursor { format!(">{}", &row[1..]) } else { row };
            let style = match (cursor, won) {
                (true, _) => cx.style("selection"),
                (false, true) => cx.style("won"),
                (false, false) => cx.style("lost"),
            };
            put(buf, area, 0, HEADER + y as u16, &cx.fit(&row, usize::from(area.width)), style);
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.rows.position(None), cx);
    }
}

impl Wins {
    pub fn list_mut(&mut self) -> &mut ListState {
        &mut self.rows.list
    }

    /// The month is known now, and with it the rows.
    fn take(&mut self, around: Around, cx: &mut Cx) {
        self.loaded = true;
        self.months = around.months;
        self.month = around.callout.month;
        self.callout = around.callout;
        if self.month.is_some() {
            let want = if self.rows.is_empty() { self.rows.start() } else { self.rows.again() };
            self.fetch(want, cx);
        }
    }

    /// Another list.
    fn start(&mut self, cx: &mut Cx) {
        self.rows.empty();
        self.load(cx);
    }

    fn fetch(&self, want: Want, cx: &mut Cx) {
        let list = ListWins {
            month: self.month,
            owner: if self.mine { "me" } else { "all" }.to_owned(),
            outcome: self.outcome.to_owned(),
            source: self.source.to_owned(),
            backwards: !want.is_forward(),
            limit: want.limit(),
            cursor: want.cursor(),
        };
        let question = move |engine: &Engine| engine.ask(&list);
        cx.ask(Slot::Wins, question, move |panes, page, cx| {
            panes.wins.rows.take(&want, page);
            if let Some(want) = panes.wins.rows.near() {
                panes.wins.fetch(want, cx);
            }
        });
    }

    pub fn show_month(&mut self, month: Month) {
        self.month = Some(month);
    }

    fn here(&self) -> Option<&Item> {
        self.rows.current()
    }

    fn draw_strip(&self, area: Rect, buf: &mut Buffer, month: Month, cx: &DrawCx) {
        let at = self.months.iter().position(|m| m.month == Some(month)).unwrap_or(0);
        let from = at.saturating_sub(1);
        let fit = usize::from(area.width.saturating_sub(1) / 12).clamp(1, MONTHS);
        let from = if fit == 1 { at } else { from };
        let shown = &self.months[from..(from + fit).min(self.months.len())];
        for (n, callout) in shown.iter().rev().enumerate() {
            let Some(of) = callout.month else { continue };
            let chosen = of == month;
            let name = format!("{} {:02}", of.short(), of.year % 100);
            let name = if chosen { format!("[{name}]") } else { name };
            let style = if chosen { cx.style("text.title") } else { cx.style("text.muted") };
            put(buf, area, 1 + n as u16 * 12, 0, &cx.fit_right(&name, 10), style);
            let counts = format!("+{} -{}", callout.wins, callout.losses);
            put(buf, area, 1 + n as u16 * 12, 1, &cx.fit_right(&counts, 10), style);
        }
    }
}

struct Columns {
    widths: [usize; 7],
}

impl Columns {
    fn new(width: u16) -> Columns {
        let wide = usize::from(width);
        let (account, owner, source) = match wide {
            0..=59 => (16, 0, 0),
            60..=99 => (20, 13, 0),
            100..=139 => (24, 16, 11),
            _ => (34, 22, 12),
        };
        let beside = |width: usize| if width > 0 { width + 1 } else { 0 };
        let fixed = 2 + 7 + 7 + beside(account) + 16 + beside(owner) + beside(source) + 1;
        Columns { widths: [6, 6, account, wide.saturating_sub(fixed), 15, owner, source] }
    }

    fn row(&self, cx: &DrawCx, cells: [String; 7]) -> String {
        let mut line = "  ".to_owned();
        for (place, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            if width > 0 {
                let text = if place == 4 { cx.fit_right(cell, width) } else { cx.fit(cell, width) };
                line.push_str(&text);
                line.push(' ');
            }
        }
        line
    }
}

/// The form of an own win or loss, dated today.
fn new_win() -> Ask {
    Ask::Load(Box::new(|engine| {
        let me = engine.ask(&crate::services::setup::WhoAmI {});
        Data::Form(me.map(|me| {
            FormStart {
                kind: Kind::Win,
                id: None,
                rev: 0,
                title: "New win or loss".into(),
                input: [("outcome", "win".to_owned()), ("date", me.today.to_string()), ("owner", me.name)]
                    .map(|(k, v)| (k.to_owned(), v))
                    .into(),
                notes: vec![("date".into(), "today".into())],
                draft: None,
                typed: false,
            }
        }))
    }))
}
