//! Territories: the levels found in the outlets' columns and how large their units are, what
//! a split would make of them, and the planning units there are.

use crate::engine::Engine;
use crate::intake::hierarchy::Chain;
use crate::services::territories::{
    DetectTerritories, Keep, Limits, ListUnits, OpenUnit, OpenedUnit, PreviewSplit, RecommendTerritories,
    Recommended, Split, SplitTerritories, UnitSum, Units, Violation,
};
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::map::Map;
use crate::tui::msg::{Data, Job, Slot};
use crate::tui::overlay::Question;
use crate::tui::panes::Ask;
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::thousands;
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From this width on the map stands beside.
const WIDE: u16 = 110;
/// Outlets whose snapshots one change writes.
const SLICE: u64 = 100_000;

/// What is shown of the territories.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum View {
    #[default]
    Units,
    Levels,
    /// What contradicts the levels.
    Violations,
    Preview,
}

#[derive(Default)]
pub(super) struct Territories {
    view: View,
    units: Option<Units>,
    chains: Option<Vec<Chain>>,
    /// Which of the chains counts.
    chain: usize,
    sizes: Option<Recommended>,
    preview: Option<Split>,
    opened: Option<OpenedUnit>,
    limits: Limits,
    keep: Keep,
    pub list: ListState,
    /// What is being worked out.
    waits: &'static str,
    /// The map takes the whole screen where it does not fit beside.
    map: bool,
}

impl Territories {
    pub fn load(&mut self, cx: &mut Cx) {
        let ask = ListUnits { limits: self.limits };
        cx.ask(
            Slot::Territories,
            move |engine: &Engine| engine.ask(&ask),
            |panes, units, cx| {
                let of = &mut panes.outlets.territories;
                let none = units.items.is_empty();
                of.units = Some(units);
                match of.view {
                    View::Units if none => of.show(View::Levels, cx),
                    View::Units => of.settle(),
                    View::Levels if of.sizes.is_none() => of.show(View::Levels, cx),
                    _ => {}
                }
            },
        );
    }

    /// The outlets changed: what was found out of them is old.
    pub fn forget(&mut self) {
        (self.chains, self.sizes, self.preview, self.opened) = (None, None, None, None);
        if matches!(self.view, View::Preview | View::Violations) {
            self.view = View::Levels;
        }
    }

    fn settle(&mut self) {
        let len = match self.view {
            View::Units => self.units.as_ref().map_or(0, |u| u.items.len()),
            View::Levels => self.sizes.as_ref().map_or(0, |s| s.levels.len()),
            View::Violations => self.violations().len(),
            View::Preview => self.cut_units().count(),
        };
        self.list.set_len(len);
    }

    fn show(&mut self, view: View, cx: &mut Cx) {
        self.view = view;
        self.list.cursor = 0;
        self.settle();
        if view == View::Levels {
            self.detect(cx);
        }
    }

    fn detect(&mut self, cx: &mut Cx) {
        if self.chains.is_some() {
            return self.measure(cx);
        }
        self.waits = "looking for levels in the columns";
        cx.ask(
            Slot::Side,
            |engine: &Engine| engine.ask(&DetectTerritories {}),
            |panes, found, cx| {
                let of = &mut panes.outlets.territories;
                of.waits = "";
                of.chains = Some(found.chains);
                of.chain = 0;
                of.measure(cx);
            },
        );
    }

    fn levels(&self) -> Vec<String> {
        let chain = self.chains.iter().flatten().nth(self.chain);
        chain.map(|c| c.levels.iter().map(|l| l.columns[0].clone()).collect()).unwrap_or_default()
    }

    /// How large the units of each level are.
    fn measure(&mut self, cx: &mut Cx) {
        let levels = self.levels();
        if levels.is_empty() || self.sizes.is_some() {
            return;
        }
        self.waits = "counting the units of each level";
        let ask = RecommendTerritories { levels, limits: self.limits };
        cx.ask(
            Slot::Side,
            move |engine: &Engine| engine.ask(&ask),
            |panes, found, _| {
                let of = &mut panes.outlets.territories;
                of.waits = "";
                let level = found.level.unwrap_or(0);
                of.sizes = Some(found);
                of.settle();
                of.list.cursor = level.min(of.list.len.saturating_sub(1));
            },
        );
    }

    fn split(&self) -> Option<SplitTerritories> {
        let level = match (self.view, &self.preview) {
            (View::Preview, Some(preview)) => preview.level.clone(),
            _ => self.sizes.as_ref()?.levels.get(self.list.cursor)?.column.clone(),
        };
        Some(SplitTerritories { levels: self.levels(), level, limits: self.limits, keep: self.keep })
    }

    fn look(&mut self, cx: &mut Cx) {
        let Some(split) = self.split() else { return };
        self.waits = "working the split out";
        cx.ask(
            Slot::Side,
            move |engine: &Engine| engine.ask(&PreviewSplit { split }),
            |panes, preview, _| {
                let of = &mut panes.outlets.territories;
                of.waits = "";
                of.preview = Some(preview);
                of.view = View::Preview;
                of.list.cursor = 0;
                of.settle();
            },
        );
    }

    fn open(&mut self, cx: &mut Cx) {
        let Some(unit) = self.units.as_ref().and_then(|u| u.items.get(self.list.cursor)) else { return };
        let ask = OpenUnit { unit: unit.name.clone() };
        cx.ask(
            Slot::Side,
            move |engine: &Engine| engine.ask(&ask),
            |panes, opened, _| {
                panes.outlets.territories.opened = Some(opened);
            },
        );
    }

    fn violations(&self) -> &[Violation] {
        self.sizes.as_ref().map_or(&[], |s| s.violations.as_slice())
    }

    /// The violation under the cursor, where these are listed.
    pub fn violation(&self) -> Option<&Violation> {
        self.violations().get(self.list.cursor).filter(|_| self.view == View::Violations)
    }

    /// Units of the preview, those that are cut first.
    fn cut_units(&self) -> impl Iterator<Item = &UnitSum> {
        let all = || self.preview.iter().flat_map(|p| &p.units);
        all().filter(|u| u.parts > 1).chain(all().filter(|u| u.parts <= 1))
    }

    pub fn hints(&self) -> Vec<(&'static str, &'static str)> {
        match self.view {
            View::Units => vec![
                ("record.open", "open"),
                ("territories.levels", "levels"),
                ("territories.make", "make anew"),
                ("outlets.tab", "list"),
                ("app.undo", "undo"),
            ],
            View::Levels => vec![
                ("record.open", "what a split makes"),
                ("territories.limit", "limit"),
                ("territories.keep", "keep together"),
                ("territories.violations", "contradictions"),
                ("territories.chain", "other levels"),
                ("outlets.tab", "list"),
            ],
            View::Violations => vec![
                ("record.open", "show the outlets"),
                ("app.back", "levels"),
                ("outlets.tab", "list"),
                ("app.undo", "undo"),
            ],
            View::Preview => vec![
                ("territories.make", "make the units"),
                ("list.inside", "map"),
                ("territories.keep", "keep together"),
                ("territories.limit", "limit"),
                ("app.back", "back"),
            ],
        }
    }

    pub fn refuses(&self, id: &str) -> Refused {
        match id {
            "record.open" if self.list.len == 0 => Some(command::NO_ROW),
            "territories.make" if self.preview.is_none() => {
                Some("Look at what a split makes first: l, then Enter")
            }
            "territories.violations" if self.sizes.is_none() => Some("Look at the levels first: l"),
            "territories.violations" if self.violations().is_empty() => {
                Some("No outlet contradicts these levels")
            }
            "territories.chain" if self.chains.as_ref().is_none_or(|c| c.len() < 2) => {
                Some("The columns show no other levels")
            }
            _ => None,
        }
    }

    pub fn back(&mut self, cx: &mut Cx) -> bool {
        let has_units = self.units.as_ref().is_some_and(|u| !u.items.is_empty());
        match self.view {
            View::Preview | View::Violations => self.show(View::Levels, cx),
            View::Levels if has_units => self.show(View::Units, cx),
            View::Units if self.opened.is_some() => self.opened = None,
            _ => return false,
        }
        true
    }

    pub fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        self.waits = "";
        if self.list.command(id) {
            self.opened = None;
            return Ask::Nothing;
        }
        if id == "list.inside" {
            self.map = !self.map;
            return Ask::Nothing;
        }
        match (id, self.view) {
            ("record.open", View::Levels) => self.look(cx),
            ("record.open", View::Units) => self.open(cx),
            ("territories.levels", View::Units) => self.show(View::Levels, cx),
            ("territories.levels", _) => self.show(View::Units, cx),
            ("territories.violations", _) => self.show(View::Violations, cx),
            ("territories.chain", _) => {
                let count = self.chains.as_ref().map_or(1, Vec::len).max(1);
                self.chain = (self.chain + 1) % count;
                self.sizes = None;
                self.show(View::Levels, cx);
            }
            ("territories.keep", _) => {
                self.keep = match self.keep {
                    Keep::Outlets => Keep::Beats,
                    Keep::Beats => Keep::Distributors,
                    Keep::Distributors => Keep::Outlets,
                };
                if self.view == View::Preview {
                    self.look(cx);
                }
            }
            ("territories.limit", _) => {
                let now = self.limits.outlets.to_string();
                return Ask::Prompt(Prompt::new(
                    "outlets of a unit at most",
                    &now,
                    Wanted::Pane("limit".into()),
                ));
            }
            ("territories.make", _) => return self.make(),
            _ => {}
        }
        Ask::Nothing
    }

    pub fn prompted(&mut self, typed: &str, cx: &mut Cx) -> Ask {
        match typed.replace([',', '.', ' '], "").parse::<u64>() {
            Ok(outlets) if outlets > 0 => {
                self.limits.outlets = outlets;
                self.sizes = None;
                match self.view {
                    View::Preview => self.look(cx),
                    View::Levels | View::Violations => self.show(View::Levels, cx),
                    View::Units => self.load(cx),
                }
                Ask::Nothing
            }
            _ => Ask::Say(format!("\"{typed}\" is not a number of outlets")),
        }
    }

    /// Makes the units, then their snapshots; each is a change of its own, and the units are
    /// what undo takes back.
    fn make(&self) -> Ask {
        let (Some(split), Some(preview)) = (self.split(), &self.preview) else { return Ask::Nothing };
        let before = self.units.as_ref().map_or(0, |u| u.items.len());
        let count = preview.units.len();
        let text = match before {
            0 => format!("Make {count} planning units?"),
            n => format!("Make {count} planning units instead of the {n} there are?"),
        };
        let job: Job = Box::new(move |engine| {
            let done = engine.run(&split).and_then(|made| {
                loop {
                    let cut = engine
                        .run(&crate::services::territories::CutSnapshots { unit: None, outlets: SLICE })?;
                    if cut.reply.left == 0 {
                        break;
                    }
                }
                let units = made.reply.units.len();
                Ok((format!("{units} planning units made, with their snapshots"), Some(made.txn)))
            });
            Data::DoneThen(done, Box::new(|panes, cx| panes.outlets.territories.show(View::Units, cx)))
        });
        Ask::Confirm(Question::Act(job), text)
    }

    pub fn layout(&mut self, area: Rect) {
        let lines = match self.view {
            View::Levels => 6,
            View::Preview | View::Units => 3,
            View::Violations => 4,
        };
        self.list.set_height(usize::from(area.height.saturating_sub(lines)));
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let has_map = self.view == View::Preview || self.opened.is_some();
        let beside = cx.beside(area, WIDE) && !matches!(self.view, View::Levels | View::Violations);
        if !beside && has_map && (self.map || self.view == View::Units) {
            rule(buf, area, 0, "Map", "", cx);
            return self.draw_map(part(area, 0, 1, area.width, area.height.saturating_sub(1)), buf, cx);
        }
        let left = if beside { area.width * 58 / 100 } else { area.width };
        let list = part(area, 0, 0, left, area.height);
        match self.view {
            View::Units => self.draw_units(list, buf, cx),
            View::Levels => self.draw_levels(list, buf, cx),
            View::Preview => self.draw_preview(list, buf, cx),
            View::Violations => self.draw_violations(list, buf, cx),
        }
        if beside {
            self.draw_map(
                part(area, left + 1, 1, area.width - left - 1, area.height.saturating_sub(2)),
                buf,
                cx,
            );
        }
        if !self.waits.is_empty() {
            rule(buf, area, 0, "Territories", self.waits, cx);
        }
    }

    fn draw_map(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let (mut points, mut groups, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let foot = match self.view {
            View::Preview => {
                let Some(here) = self.cut_units().nth(self.list.cursor) else { return };
                for unit in self.cut_units().filter(|u| u.sum.path == here.sum.path) {
                    points.extend(&unit.points);
                    groups.extend(std::iter::repeat_n(labels.len() as u16, unit.points.len()));
                    labels.push(unit.part.to_string());
                }
                if points.is_empty() {
                    return put(buf, area, 1, 0, "it is not cut", cx.style("text.muted"));
                }
                here.name.clone()
            }
            _ => match &self.opened {
                Some(opened) => {
                    points.clone_from(&opened.points);
                    opened.unit.clone()
                }
                None => return put(buf, area, 1, 0, "Enter opens the unit", cx.style("text.muted")),
            },
        };
        groups.resize(points.len(), 0);
        let canvas = part(area, 0, 0, area.width, area.height.saturating_sub(1));
        let map = Map { points: &points, groups: &groups, labels: &labels, ..Map::default() };
        let km = map.draw(canvas, buf, cx).km;
        let foot = format!("1 cell = {km:.1} km   {foot}");
        put(buf, area, 0, area.height - 1, &cx.cut(&foot, usize::from(area.width)), cx.style("text.muted"));
    }

    fn draw_units(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(units) = &self.units else { return put(buf, area, 1, 1, "looking", cx.style("text.muted")) };
        let outlets: u64 = units.items.iter().map(|u| u.outlets).sum();
        let old = if units.stale { ", older than the outlets" } else { "" };
        let many = units.items.len();
        let of = if many == 1 { "unit" } else { "units" };
        let note = format!("{} {of}, {} outlets{old}", thousands(many as u64), thousands(outlets));
        let title = match units.own.as_slice() {
            [] => "Territories".to_owned(),
            [own] => format!("Your territory: {own}"),
            own => format!("Your {} territories", own.len()),
        };
        rule(buf, area, 0, &title, &note, cx);
        let titles = [("outlets", 9), ("h/month", 8), ("sales", 7), ("km", 6), ("dist", 5)];
        let mut table = Table::begin(area, buf, cx, "unit", &titles);
        for place in self.list.visible() {
            let Some(unit) = units.items.get(place) else { continue };
            let numbers = [
                thousands(unit.outlets),
                thousands(unit.hours),
                format!("{:.1} %", 100.0 * unit.sales_share),
                format!("{:.0}", unit.diameter_km),
                unit.distributors.to_string(),
            ];
            table.row(buf, place == self.list.cursor, &unit.name, &numbers, &unit.word);
        }
        let opened = self
            .opened
            .as_ref()
            .map(|o| format!("{} bytes, opened in {:.0} ms", thousands(o.bytes), o.opened_ms));
        let foot = area.height.saturating_sub(1);
        rule(buf, area, foot, &opened.unwrap_or_default(), &self.list.position(false), cx);
    }

    fn draw_levels(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let chains = self.chains.as_deref().unwrap_or_default();
        let way = chains.get(self.chain).map(|c| {
            let count = if chains.len() > 1 {
                format!(", {} of {}", self.chain + 1, chains.len())
            } else {
                String::new()
            };
            format!("{:.0} % sure{count}", 100.0 * c.confidence)
        });
        rule(
            buf,
            area,
            0,
            &format!("Territories: {}", self.levels().join(" > ")),
            &way.unwrap_or_default(),
            cx,
        );
        let muted = cx.style("text.muted");
        let Some(sizes) = &self.sizes else {
            let text = match (&self.chains, self.waits.is_empty()) {
                (Some(chains), true) if chains.is_empty() => {
                    "The columns show no hierarchy. `pams territory split --levels` says it."
                }
                (None, true) => "No outlets yet. I and the path of a file takes them in.",
                _ => self.waits,
            };
            return put(buf, area, 2, 2, &cx.cut(text, wide.saturating_sub(3)), muted);
        };
        let titles = [
            ("units", 7),
            ("median", 7),
            ("largest", 8),
            ("near", 5),
            ("over", 5),
            ("without", 8),
            ("contrary", 8),
        ];
        let mut table = Table::begin(area, buf, cx, "level", &titles);
        for place in self.list.visible() {
            let Some(level) = sizes.levels.get(place) else { continue };
            let word = match (level.over, level.near) {
                (0, 0) => "fits",
                (0, _) => "near",
                _ => "over",
            };
            let numbers = [
                level.units as u64,
                level.median,
                level.largest.outlets,
                level.near as u64,
                level.over as u64,
                level.without,
                level.violating,
            ];
            let name = level.column.replace('_', " ");
            table.row(buf, place == self.list.cursor, &name, &numbers.map(thousands), word);
        }
        let foot = area.height.saturating_sub(4);
        if let Some(level) = sizes.levels.get(self.list.cursor) {
            let words = ["1/8", "1/4", "1/2", "limit", "2x", "more"];
            let bars: Vec<String> = words
                .iter()
                .zip(level.histogram)
                .map(|(w, n)| format!("up to {w}: {}", thousands(n as u64)))
                .collect();
            let text = format!("units by size  {}", bars.join("  ").replace("up to more", "more"));
            put(buf, area, 1, foot, &cx.cut(&text, wide.saturating_sub(2)), cx.style("text"));
        }
        put(buf, area, 1, foot + 1, &cx.cut(&sizes.why, wide.saturating_sub(2)), cx.style("text.title"));
        let settings =
            format!("a unit holds at most {} outlets; {}", thousands(self.limits.outlets), self.kept());
        put(buf, area, 1, foot + 2, &cx.cut(&settings, wide.saturating_sub(2)), muted);
        rule(buf, area, area.height.saturating_sub(1), "", &self.list.position(false), cx);
    }

    fn draw_violations(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let all = self.violations();
        let outlets: u64 = all.iter().map(|v| v.outlets).sum();
        let note = crate::domain::text::count(outlets as usize, "outlet");
        rule(buf, area, 0, "Elsewhere than nearly all of their unit", &note, cx);
        let side = wide.saturating_sub(2 + 9 + 9 + 3) / 3;
        let line = |cells: [&str; 3], numbers: [&str; 2]| {
            let texts = cells.map(|text| cx.fit(text, side)).join(" ");
            format!("{texts} {} {}", cx.fit_right(numbers[0], 8), cx.fit_right(numbers[1], 9))
        };
        let head = line(["unit", "is under", "mostly under"], ["outlets", "of"]);
        put(buf, area, 2, 1, &cx.cut(&head, wide.saturating_sub(2)), cx.style("text.muted"));
        for (y, place) in self.list.visible().enumerate() {
            let Some(of) = all.get(place) else { continue };
            let cursor = place == self.list.cursor;
            let numbers = [thousands(of.outlets), thousands(of.of)];
            let row = line([&of.value, &of.parent, &of.usual], [&numbers[0], &numbers[1]]);
            let row = format!("{} {row}", if cursor { ">" } else { " " });
            let style = if cursor { "selection" } else { "text" };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        if let Some(of) = self.violation() {
            let said = |name: &str| name.replace('_', " ");
            let text = format!("{} {} within {} {}", said(&of.level), of.value, said(&of.above), of.parent);
            put(
                buf,
                area,
                1,
                area.height.saturating_sub(2),
                &cx.cut(&text, wide.saturating_sub(2)),
                cx.style("text.muted"),
            );
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.list.position(false), cx);
    }

    fn kept(&self) -> &'static str {
        match self.keep {
            Keep::Outlets => "each outlet goes where it lies",
            Keep::Beats => "beats stay whole where parts can be equal",
            Keep::Distributors => "distributors stay whole",
        }
    }

    fn draw_preview(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let Some(preview) = &self.preview else { return };
        let cut = preview.units.iter().filter(|u| u.parts > 1).count();
        let title = format!("Split at {}", preview.level.replace('_', " "));
        let note = format!(
            "{} units, {} of them parts, {} outlets without",
            thousands(preview.units.len() as u64),
            thousands(cut as u64),
            thousands(preview.without)
        );
        rule(buf, area, 0, &title, &note, cx);
        let mut table =
            Table::begin(area, buf, cx, "unit", &[("outlets", 9), ("h/month", 8), ("to mean", 8)]);
        let units = self.cut_units().enumerate().skip(self.list.top).take(self.list.height);
        for (place, unit) in units {
            let above =
                if unit.parts > 1 { format!("+{:.1} %", 100.0 * unit.imbalance) } else { String::new() };
            let hours = thousands((unit.sum.minutes / 60.0).round() as u64);
            let numbers = [thousands(unit.sum.outlets), hours, above];
            table.row(buf, place == self.list.cursor, &unit.name, &numbers, &unit.word);
        }
        let why = self.cut_units().nth(self.list.cursor).map_or("", |u| u.why.as_str());
        rule(buf, area, area.height.saturating_sub(1), why, &self.list.position(false), cx);
    }
}

/// Rows of a name, numbers under each other, and how large that is in a word.
struct Table<'a> {
    area: Rect,
    cx: &'a DrawCx<'a>,
    name: usize,
    widths: Vec<usize>,
    y: u16,
}

/// Cells of the word behind the numbers.
const WORD: usize = 5;

impl<'a> Table<'a> {
    /// Below the first line of the area: the titles. The name takes what is left.
    fn begin(
        area: Rect,
        buf: &mut Buffer,
        cx: &'a DrawCx<'a>,
        name: &str,
        titles: &[(&str, usize)],
    ) -> Table<'a> {
        let widths: Vec<usize> = titles.iter().map(|(_, cells)| *cells).collect();
        let taken = 2 + WORD + 1 + widths.iter().map(|cells| cells + 1).sum::<usize>();
        let table =
            Table { area, cx, name: usize::from(area.width).saturating_sub(taken).max(10), widths, y: 2 };
        let line = table.line(name, &titles.iter().map(|(title, _)| *title).collect::<Vec<_>>(), "size");
        put(
            buf,
            area,
            2,
            1,
            &cx.cut(&line, usize::from(area.width.saturating_sub(2))),
            cx.style("text.muted"),
        );
        table
    }

    fn line(&self, name: &str, numbers: &[impl AsRef<str>], word: &str) -> String {
        let mut line = self.cx.fit(name, self.name);
        for (number, cells) in numbers.iter().zip(&self.widths) {
            line.push(' ');
            line.push_str(&self.cx.fit_right(number.as_ref(), *cells));
        }
        format!("{line} {}", self.cx.fit(word, WORD))
    }

    fn row(&mut self, buf: &mut Buffer, cursor: bool, name: &str, numbers: &[String], word: &str) {
        let sign = if cursor { ">" } else { " " };
        let style = self.cx.style(match (cursor, word) {
            (true, _) => "selection",
            (_, "over") => "status.error",
            (_, "near") => "status.warning",
            _ => "text",
        });
        let row = format!("{sign} {}", self.line(name, numbers, word));
        put(buf, self.area, 0, self.y, &self.cx.fit(&row, usize::from(self.area.width)), style);
        self.y += 1;
    }
}
