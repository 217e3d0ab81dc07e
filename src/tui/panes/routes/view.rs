//! How Routes looks.

use super::{Outlines, Routes, View};
use crate::domain::text::count;
use crate::services::plans::{self, Opened, RepSum, a_week, micro};
use crate::solver::journey::Quality;
use crate::tui::map::{Map, NOBODY, hull};
use crate::tui::table::thousands;
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From this width on the map stands beside the list.
const WIDE: u16 = 100;
/// Depots that are named however far away, and from which zoom on all are, and stops have
/// their numbers.
const NAMED: usize = 12;
const NEAR: i32 = 2;
/// Lines above the list: title, sums, the run.
const HEAD: u16 = 3;

fn clock(ms: u64) -> String {
    format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60)
}

fn n(number: f64) -> String {
    let whole = thousands(number.abs().round() as u64);
    if number.round() < 0.0 { format!("-{whole}") } else { whole }
}

impl Routes {
    /// The list and, where it fits or has the keys, the map.
    fn parts(&self, area: Rect, cx: &DrawCx) -> (Rect, Option<Rect>) {
        let top = if self.view == View::Units { 1 } else { HEAD };
        let body = part(area, 0, top, area.width, area.height.saturating_sub(top));
        if matches!(self.view, View::Units | View::Versions | View::Lacks) {
            return (body, None);
        }
        let (from, left) = match self.view {
            View::Offer => (WIDE + 10, (area.width * 58 / 100).clamp(62, 72)),
            _ => (WIDE, (area.width * 45 / 100).clamp(46, 64)),
        };
        if cx.beside(area, from) {
            let map = part(body, left + 1, 0, body.width - left - 1, body.height);
            return (part(body, 0, 0, left, body.height), Some(map));
        }
        match self.on_map {
            true => (Rect { height: 0, ..body }, Some(body)),
            false => (body, None),
        }
    }

    pub(super) fn place(&mut self, area: Rect) {
        let theme = crate::tui::theme::Theme::default();
        let (list, map) = self.parts(area, &DrawCx { theme: &theme, ascii: false, aloud: false });
        let height = usize::from(list.height.saturating_sub(2));
        for list in [&mut self.list, &mut self.reps, &mut self.stops, &mut self.version, &mut self.lack] {
            list.set_height(height);
        }
        self.pairs.set_height(height.saturating_sub(FIGURES.len() + 3));
        self.canvas = map.map_or(area, |m| Rect { height: m.height.saturating_sub(1), ..m });
    }

    pub(super) fn draw_view(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        if self.view == View::Units {
            return self.draw_units(area, buf, cx);
        }
        let Some(opened) = &self.opened else {
            rule(buf, area, 0, "Routes", self.waits, cx);
            put(buf, area, 2, 2, "opening the unit", cx.style("text.muted"));
            return;
        };
        self.draw_head(opened, area, buf, cx);
        let (list, map) = self.parts(area, cx);
        if list.height > 0 {
            match self.view {
                View::Reps => self.draw_reps(opened, list, buf, cx),
                View::Stops => self.draw_stops(list, buf, cx),
                View::Offer => self.draw_offer(list, buf, cx),
                View::Versions => self.draw_versions(list, buf, cx),
                _ => self.draw_lacks(list, buf, cx),
            }
        }
        if let Some(map) = map {
            if list.height > 0 {
                for y in 0..map.height {
                    buf.set_string(map.x - 1, map.y + y, cx.bar_between(), cx.style("rule"));
                }
            }
            self.draw_map(opened, map, buf, cx);
        }
    }

    fn draw_head(&self, opened: &Opened, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let note = match (opened.shown.as_str(), opened.version, opened.edited) {
            ("better", ..) => "the better plan".to_owned(),
            (plans::MEASURING, ..) => "measuring today's beats".to_owned(),
            ("no plan", ..) => "no plan yet: o optimises".to_owned(),
            ("beats", 0, _) => "today's beats; n takes them as version 1".to_owned(),
            (_, version, 0) => format!("v{version}"),
            (_, version, edited) => {
                format!("v{version} + {} edited", count(edited, "rep"))
            }
        };
        rule(buf, area, 0, &format!("Routes: {}", opened.unit), &note, cx);
        let q = &opened.figures;
        let mut sums = format!(
            " {} reps  {} outlets",
            opened.reps.iter().filter(|r| r.outlets > 0).count(),
            thousands(opened.count as u64),
        );
        let measured = !opened.is_measuring();
        if measured {
            sums.push_str(&format!("  {} km a week", n(a_week(q.km))));
        }
        if q.broken_days > 0 {
            sums.push_str(&format!("  {}", count(q.broken_days, "broken day")));
        }
        if q.unserved > 0 && measured {
            sums.push_str(&format!("  {} not visited", thousands(q.unserved as u64)));
        }
        let lacks: usize = opened.lacks.iter().map(|l| l.count).sum();
        if lacks > 0 {
            sums.push_str(&format!("  {} (z)", count(lacks, "lack")));
        }
        put(buf, area, 0, 1, &cx.cut(&sums, usize::from(area.width)), cx.style("text"));
        let (text, style) = self.run_line();
        put(buf, area, 0, 2, &cx.cut(&text, usize::from(area.width)), cx.style(style));
    }

    /// How the run is, in a line.
    fn run_line(&self) -> (String, &'static str) {
        let offer = &self.offer;
        let best = &offer.best;
        let at = || format!("{} of {}", clock(self.spent_ms(offer.job, best.spent_ms)), clock(best.ms));
        match (offer.state.as_str(), offer.found) {
            ("waiting", false) => {
                (" Optimising: waits, or makes a first plan    x stop".into(), "status.warning")
            }
            ("waiting", true) => (
                format!(" Optimising, {}: {}    v look  O pause  x stop", at(), offer.word),
                "status.warning",
            ),
            ("paused", _) => {
                (format!(" Paused at {}: {}    O goes on  v look", at(), offer.word), "status.warning")
            }
            _ if !offer.failure.is_empty() && !offer.found => (format!(" {}", offer.failure), "status.error"),
            (_, true) if !offer.stale => {
                (format!(" Better plan: {}    v look  K keep  B on the map", offer.word), "status.good")
            }
            (_, true) => (" A run's plan is older than your edits    o optimises again".into(), "text.muted"),
            _ if best.ended && !offer.stale => {
                (" The last run found nothing better    o optimises again".into(), "text.muted")
            }
            _ => (" No run yet    o optimises in the background".into(), "text.muted"),
        }
    }

    fn draw_units(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let Some(units) = &self.units else {
            rule(buf, area, 0, "Routes", "", cx);
            return put(buf, area, 2, 2, "looking", cx.style("text.muted"));
        };
        let outlets: u64 = units.iter().map(|p| p.unit.outlets).sum();
        let note = format!("{}, {} outlets", count(units.len(), "unit"), thousands(outlets));
        rule(buf, area, 0, "Routes", &note, cx);
        if units.is_empty() {
            let lines = [
                "There is no planning unit yet. 8 takes outlets in, 7 then t makes units of the",
                "territories in their columns; each is planned by itself: reps, days, routes.",
            ];
            for (y, line) in lines.iter().enumerate() {
                put(
                    buf,
                    area,
                    2,
                    2 + y as u16,
                    &cx.cut(line, wide.saturating_sub(3)),
                    cx.style("text.muted"),
                );
            }
            return;
        }
        let shown = self.shown_units();
        let name = wide.saturating_sub(57).clamp(14, 40);
        let cells = |name_text: &str, outlets: &str, hours: &str, size: &str, plan: &str| {
            format!(
                "{} {}{}  {} {plan}",
                cx.fit(name_text, name),
                cx.fit_right(outlets, 8),
                cx.fit_right(hours, 9),
                cx.fit(size, 5)
            )
        };
        let head = format!("  {}", cells("unit", "outlets", "h/month", "size", "plan"));
        put(buf, area, 0, 1, &cx.cut(&head, wide), cx.style("text.muted"));
        for (y, place) in self.list.visible().enumerate() {
            let Some(p) = shown.get(place) else { continue };
            let mut plan = match p.state.as_str() {
                "optimising" | "paused" => {
                    let spent = self.spent_ms(p.job, p.spent_ms);
                    format!("{} {} of {}", p.state, clock(spent), clock(p.ms))
                }
                state => state.to_owned(),
            };
            if !p.holder.is_empty() {
                plan.push_str(&format!("  held by {}", p.holder));
            }
            let (outlets, hours) = (thousands(p.unit.outlets), thousands(p.unit.hours));
            let row = cells(&p.unit.name, &outlets, &hours, &p.unit.word, &plan);
            let cursor = place == self.list.cursor;
            let style = match (cursor, p.state.as_str()) {
                (true, _) => "selection",
                (_, "optimising") => "status.warning",
                (_, "no plan") => "text.muted",
                _ => "text",
            };
            let row = format!("{} {row}", if cursor { ">" } else { " " });
            put(buf, area, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        if shown.is_empty() {
            let text = format!("No unit is called \"{}\": Esc shows all", self.filter);
            put(buf, area, 2, 3, &cx.cut(&text, wide.saturating_sub(3)), cx.style("text.muted"));
        }
    }

    fn draw_reps(&self, opened: &Opened, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let more = wide >= 70;
        let name = wide.saturating_sub(if more { 52 } else { 34 }).clamp(8, 30);
        let cells = |r: [&str; 7]| {
            let [name_text, outlets, visits, hours, off, km, broken] = r;
            let extra = if more { cx.fit_right(visits, 9) } else { String::new() };
            let tail = if more { cx.fit_right(broken, 9) } else { String::new() };
            format!(
                "{}{}{extra}{}{}{}{tail}",
                cx.fit(name_text, name),
                cx.fit_right(outlets, 8),
                cx.fit_right(hours, 7),
                cx.fit_right(off, 7),
                cx.fit_right(km, 7)
            )
        };
        let head = cells(["rep", "outlets", "visits", "h/week", "mean", "km/wk", "broken"]);
        put(buf, area, 0, 0, &cx.cut(&format!("  {head}"), wide), cx.style("text.muted"));
        if opened.reps.is_empty() {
            let text = "No outlet has a position: z says which lack one";
            put(buf, area, 2, 2, &cx.cut(text, wide.saturating_sub(2)), cx.style("text.muted"));
        }
        for (y, place) in self.reps.visible().enumerate() {
            let Some(r) = opened.reps.get(place) else { continue };
            let told = |text: String| if opened.is_measuring() { "..".to_owned() } else { text };
            let row = cells([
                &format!("{:02} {}", place + 1, r.name),
                &r.outlets.to_string(),
                &told(r.visits.to_string()),
                &told(format!("{:.1}", r.hours_a_week())),
                &told(r.to_mean()),
                &told(n(r.km_a_week())),
                &if r.broken_days > 0 { format!("{} !", r.broken_days) } else { "-".into() },
            ]);
            let cursor = place == self.reps.cursor;
            let mark = if r.broken_days > 0 { "!" } else { " " };
            let lead = if cursor { ">" } else { " " };
            let style = match (cursor && !self.on_map, cursor, r.broken_days > 0) {
                (true, ..) => "selection",
                (_, true, _) => "selection.blur",
                (.., true) => "status.warning",
                _ => "text",
            };
            let row = cx.fit(&format!("{lead}{mark}{row}"), wide);
            put(buf, area, 0, 1 + y as u16, &row, cx.style(style));
        }
        let note = self.reps.position(false);
        rule(buf, area, area.height.saturating_sub(1), "Enter opens the rep's days", &note, cx);
    }

    fn draw_stops(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let name = self.sheet.as_ref().map(|s| s.rep_name.clone()).unwrap_or_default();
        let day = self.day();
        let title = format!("{name}, {day}");
        let Some(driven) = self.driven() else {
            put(buf, area, 0, 0, &cx.cut(&format!(" {title}"), wide), cx.style("text.title"));
            let text = "no visits on this day; w goes to the next";
            return put(buf, area, 2, 2, &cx.cut(text, wide.saturating_sub(2)), cx.style("text.muted"));
        };
        let hours = format!("{}:{:02}", driven.minutes as u64 / 60, driven.minutes as u64 % 60);
        let broken = if driven.broken.is_empty() { String::new() } else { format!(", {}", driven.broken) };
        let sums = format!(" {title}: {} stops, {:.0} km, {hours} h{broken}", driven.stops.len(), driven.km);
        let style = if broken.is_empty() { "text.title" } else { "status.warning" };
        put(buf, area, 0, 0, &cx.cut(&sums, wide), cx.style(style));
        let width = wide.saturating_sub(31).clamp(8, 40);
        for (y, place) in self.stops.visible().enumerate() {
            let Some(s) = driven.stops.get(place) else { continue };
            let cursor = place == self.stops.cursor;
            let marked = self.marks.contains(&s.code);
            let row = format!(
                "{}{}{:>3} {}  {} {} {:>3.0} min {:>5.1} km{}",
                if cursor { ">" } else { " " },
                if marked { "*" } else { " " },
                place + 1,
                s.arrives,
                cx.fit(&s.name, width.saturating_sub(4)),
                cx.fit(&s.tier, 2),
                s.minutes,
                s.km,
                if s.pinned { " p" } else { "" }
            );
            let style = match (cursor && !self.on_map, marked) {
                (true, _) => "selection",
                (_, true) => "mark",
                _ => "text",
            };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        let foot =
            format!("from {}, back {}", self.sheet.as_ref().map_or("", |s| &s.distributor), driven.back);
        let note = match self.marks.len() {
            0 => self.stops.position(false),
            marked => format!("{marked} marked, {}", self.stops.position(false)),
        };
        rule(buf, area, area.height.saturating_sub(1), &foot, &note, cx);
    }

    fn draw_offer(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let Some(compared) = &self.compared else {
            return put(buf, area, 2, 1, "measuring both plans", cx.style("text.muted"));
        };
        let label = wide.saturating_sub(34).clamp(10, 34);
        let cells = |a: &str, b: &str, c: &str, d: &str| {
            let [b, c, d] = [b, c, d].map(|t| cx.fit_right(t, 10));
            format!("  {}{b}{c}{d}", cx.fit(a, label))
        };
        let ours = self.pair.1 == "better";
        let title = if ours { "checked by the checker" } else { "" };
        let head = cells(title, &compared.a, &compared.b, "change");
        put(buf, area, 0, 0, &cx.cut(&head, wide), cx.style("text.muted"));
        for (y, (name, figure, decimals)) in FIGURES.iter().enumerate() {
            let (a, b) = (figure(&compared.before), figure(&compared.after));
            let shown = |v: f64| if *decimals { format!("{v:.1}") } else { n(v) };
            let change = match b - a {
                d if d.abs() < 0.05 => "=".to_owned(),
                d if d > 0.0 => format!("+{}", shown(d)),
                d => format!("-{}", shown(-d)),
            };
            let row = cells(name, &shown(a), &shown(b), &change);
            put(buf, area, 0, 1 + y as u16, &cx.cut(&row, wide), cx.style("text"));
        }
        let y = 1 + FIGURES.len() as u16;
        let moved = format!(
            "  outlets: {} other rep, {} other days, {} other place",
            compared.other_rep, compared.other_days, compared.other_place
        );
        put(buf, area, 0, y, &cx.cut(&moved, wide), cx.style("text"));
        if ours {
            let curve = self.curve(wide.saturating_sub(14).min(50), cx);
            put(buf, area, 2, y + 1, &format!("travel {curve}"), cx.style("bar"));
        }
        for (row, place) in self.pairs.visible().enumerate() {
            let Some((a, b)) = compared.reps.get(place) else { continue };
            let hours = |r: &RepSum| format!("{:.1} h", r.hours_a_week());
            let change = format!("{:+.1} h", b.hours_a_week() - a.hours_a_week());
            let text = cells(&b.name, &hours(a), &hours(b), &change);
            let style = if place == self.pairs.cursor { "selection" } else { "text" };
            put(buf, area, 0, y + 2 + row as u16, &cx.fit(&text, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "hours a week", &self.pairs.position(false), cx);
    }

    /// How travel went down while the run went on.
    fn curve(&self, cells: usize, cx: &DrawCx) -> String {
        let points = &self.offer.best.curve;
        let all = points.iter().map(|p| p.1);
        let (low, high) = all.fold((f64::INFINITY, 0.0f64), |(l, h), c| (l.min(c), h.max(c)));
        let last = points.last().map_or(0.0, |p| p.0);
        if points.len() < 2 || high <= low || last <= 0.0 {
            return "-".into();
        }
        let cost = |cell: usize| {
            let until = last * (cell + 1) as f64 / cells as f64;
            points.iter().take_while(|p| p.0 <= until).last().unwrap_or(&points[0]).1
        };
        cx.sparkline((0..cells).map(cost), (low, high))
    }

    fn draw_versions(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let Some(versions) = &self.versions else {
            return put(buf, area, 2, 1, "looking", cx.style("text.muted"));
        };
        if versions.is_empty() {
            let text = "No version is kept yet: n takes today's beats, o and K a better plan";
            return put(buf, area, 2, 1, &cx.cut(text, wide.saturating_sub(3)), cx.style("text.muted"));
        }
        let cells = |r: [&str; 6]| {
            let [v, at, by, km, broken, reason] = r;
            format!(
                "{} {}  {}{}{}  {reason}",
                cx.fit(v, 5),
                cx.fit(at, 16),
                cx.fit(by, 10),
                cx.fit_right(km, 9),
                cx.fit_right(broken, 8)
            )
        };
        let head = cells(["", "kept", "by", "km/wk", "broken", "reason"]);
        put(buf, area, 0, 0, &cx.cut(&format!("  {head}"), wide), cx.style("text.muted"));
        for (y, place) in self.version.visible().enumerate() {
            let Some(v) = versions.get(place) else { continue };
            let stands = if v.stands { "*" } else { "" };
            let row = cells([
                &format!("v{}{stands}", v.number),
                &v.at,
                &v.by,
                &n(a_week(v.figures.km)),
                &v.figures.broken_days.to_string(),
                &v.reason,
            ]);
            let cursor = place == self.version.cursor;
            let row = cx.fit(&format!("{} {row}", if cursor { ">" } else { " " }), wide);
            put(buf, area, 0, 1 + y as u16, &row, cx.style(if cursor { "selection" } else { "text" }));
        }
        rule(
            buf,
            area,
            area.height.saturating_sub(1),
            "* the plan stands so",
            &self.version.position(false),
            cx,
        );
    }

    fn draw_lacks(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let Some(lacking) = &self.lacking else {
            return put(buf, area, 2, 1, "looking", cx.style("text.muted"));
        };
        put(buf, area, 0, 0, &cx.cut(&format!(" {}", lacking.equation), wide), cx.style("text"));
        if lacking.items.is_empty() {
            return put(buf, area, 2, 2, "Nothing is missing", cx.style("text.muted"));
        }
        for (y, place) in self.lack.visible().enumerate() {
            let Some(lack) = lacking.items.get(place) else { continue };
            let cursor = place == self.lack.cursor;
            let row = format!("{} {}", if cursor { ">" } else { " " }, lack.line());
            let style = if cursor { "selection" } else { "text" };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        let foot = area.height.saturating_sub(1);
        let here = lacking.items.get(self.lack.cursor);
        let named = here.map(|l| l.named.iter().take(8).cloned().collect::<Vec<_>>().join(", "));
        let fix = here.map(|l| format!("mend: {}", l.fix)).unwrap_or_default();
        let muted = cx.style("text.muted");
        put(
            buf,
            area,
            0,
            foot.saturating_sub(1),
            &cx.cut(&format!(" {}", named.unwrap_or_default()), wide),
            muted,
        );
        put(buf, area, 0, foot, &cx.cut(&format!(" {fix}"), wide), muted);
    }

    fn draw_map(&self, opened: &Opened, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let canvas = part(area, 0, 0, area.width, area.height.saturating_sub(1));
        let frame = self.framed();
        let of = &self.outlets;
        let all: Vec<usize> = (0..of.points.len()).filter(|n| self.is_shown(*n)).collect();
        let points: Vec<(i32, i32)> = all.iter().map(|n| of.points[*n]).collect();
        let groups: Vec<u16> = all.iter().map(|n| of.rep[*n]).collect();
        let labels: Vec<String> = match self.clusters || self.view == View::Stops {
            true => vec![],
            false => (1..=opened.reps.len()).map(|n| format!("{n:02}")).collect(),
        };
        let mut lines: Vec<(u16, Vec<(i32, i32)>)> = Vec::new();
        let around: Option<(usize, &Vec<u16>)> = match self.outlines {
            Outlines::Nothing => None,
            Outlines::Reps => Some((opened.reps.len(), &of.rep)),
            Outlines::Distributors => Some((opened.depots.len(), &of.depot)),
        };
        if let Some((count, groups)) = around {
            let mut members = vec![Vec::new(); count];
            for n in &all {
                let group = groups.get(*n).and_then(|group| members.get_mut(usize::from(*group)));
                group.into_iter().for_each(|members| members.push(of.points[*n]));
            }
            let given = |n: usize| match self.outlines {
                Outlines::Distributors => of.outlines.get(n).filter(|rings| !rings.is_empty()),
                _ => None,
            };
            let ink = |n: usize| if self.outlines == Outlines::Reps { n as u16 } else { NOBODY };
            for (n, members) in members.iter().enumerate() {
                match given(n) {
                    Some(rings) => lines.extend(rings.iter().map(|ring| (ink(n), ring.clone()))),
                    None => lines.push((ink(n), hull(members))),
                }
            }
        }
        // Names of depots only where they stand on nothing else.
        let named = !self.clusters && (opened.depots.len() <= NAMED || frame.zoom >= NEAR);
        let sign = |id: &str| if named { format!("+{id}") } else { "+".to_owned() };
        let mut signs: Vec<(String, (i32, i32))> =
            opened.depots.iter().map(|(id, at)| (sign(id), *at)).collect();
        let chosen = self.reps.cursor as u16;
        if self.view == View::Stops
            && let (Some(driven), Some(sheet)) = (self.driven(), &self.sheet)
        {
            let stops = driven.stops.iter().map(|s| (micro(s.latitude), micro(s.longitude)));
            let stops: Vec<(i32, i32)> = stops.collect();
            let way = [sheet.depot].into_iter().chain(stops.iter().copied()).chain([sheet.depot]);
            lines.push((NOBODY, way.collect()));
            // Numbers only where they can be told apart.
            if frame.zoom >= NEAR {
                signs.extend(stops.iter().enumerate().map(|(n, at)| ((n + 1).to_string(), *at)));
            }
            if let Some(at) = stops.get(self.stops.cursor) {
                signs.push(("@".into(), *at));
            }
        }
        let map = Map {
            points: &points,
            groups: &groups,
            labels: &labels,
            frame: Some(frame),
            chosen: Some(chosen).filter(|_| self.view != View::Offer && !self.clusters),
            lines: &lines,
            signs: &signs,
            clusters: self.clusters,
            blocks: self.blocks,
        };
        let drawn = map.draw(canvas, buf, cx);
        let mut foot = format!(
            " {} in sight + {} outside",
            thousands(drawn.inside as u64),
            thousands(drawn.outside as u64)
        );
        if !self.only.trim().is_empty() {
            foot.push_str(&format!("  only {} (/)", self.only.trim()));
        }
        if let Some(tier) = self.tier.and_then(|t| opened.tiers.get(usize::from(t))) {
            foot.push_str(&format!("  tier {tier} (t)"));
        }
        foot.push_str(&match drawn.km < 1.0 {
            true => format!("  1 cell = {:.0} m", drawn.km * 1_000.0),
            false => format!("  1 cell = {:.1} km", drawn.km),
        });
        let mut style = "text.muted";
        if self.on_map {
            style = "text";
            let (x, y) = (canvas.width / 2, canvas.height / 2);
            put(buf, canvas, x, y, "@", cx.style("selection"));
            if let Some(code) = self.nearest().and_then(|n| of.codes.get(n)) {
                foot = format!(" @ {code}{foot}");
            }
        }
        if let Some(why) = &self.unread {
            (foot, style) = (format!(" {why} (/)"), "status.warning");
        }
        put(
            buf,
            area,
            0,
            area.height.saturating_sub(1),
            &cx.cut(&foot, usize::from(area.width)),
            cx.style(style),
        );
    }
}

type Figure = (&'static str, fn(&Quality) -> f64, bool);

/// What is told of two plans beside each other, and whether it has decimals.
const FIGURES: [Figure; 7] = [
    ("km a week", |q| a_week(q.km), false),
    ("hours of travel a week", |q| a_week(q.travel_minutes / 60.0), true),
    ("busiest rep off mean, %", |q| q.worst_off_balance * 100.0, true),
    ("days near the mean, %", |q| q.days_within_tenth * 100.0, true),
    ("days with a broken rule", |q| q.broken_days as f64, false),
    ("outlets not visited", |q| q.unserved as f64, false),
    ("visits as often as wanted, %", |q| q.frequency_compliance * 100.0, true),
];
