//! Routes: planning units, the plan of one of them on a map and rep by rep, a day stop by
//! stop, what the optimiser has found beside what stands, and the versions that were kept.

mod act;
mod view;

use crate::config::Folders;
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Engine, Progress};
use crate::services::outlets::filter::Filter;
use crate::services::plans::{
    self, ComparePlans, Compared, FindOutlets, Lacking, ListLacks, ListOffers, ListPlanned, ListPlans,
    OpenPlan, Opened, PlanLine, Planned, Sheet, ShowDays, ShowOffer, Slot as Day, WEEKS,
};
use crate::services::territories::CutSnapshots;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::map::Frame;
use crate::tui::msg::{Data, Slot};
use crate::tui::panes::{Ask, Pane, touches};
use crate::tui::picker::fitting;
use crate::tui::widgets::DrawCx;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeSet;

/// Between two looks at what a run has found, in milliseconds of the run.
const LOOK_MS: u64 = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum View {
    #[default]
    Units,
    /// Rep by rep.
    Reps,
    /// Stop by stop.
    Stops,
    /// What was found beside what stands.
    Offer,
    Versions,
    /// What planning lacks.
    Lacks,
}

/// What outlines are drawn around.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Outlines {
    #[default]
    Nothing,
    Reps,
    Distributors,
}

impl Outlines {
    fn next(self) -> Outlines {
        match self {
            Outlines::Nothing => Outlines::Reps,
            Outlines::Reps => Outlines::Distributors,
            Outlines::Distributors => Outlines::Nothing,
        }
    }
}

#[derive(Default)]
pub struct Routes {
    view: View,
    units: Option<Vec<Planned>>,
    filter: String,
    /// The units that fit what is typed, the best first.
    shown: Vec<usize>,
    list: ListState,
    /// The unit that is open, as it stands or as a run has it.
    unit: Option<String>,
    opened: Option<Opened>,
    outlets: plans::Outlets,
    better: bool,
    reps: ListState,
    sheet: Option<Sheet>,
    /// Week, from 1, and weekday of the day that is shown.
    week: u32,
    weekday: u32,
    stops: ListState,
    marks: BTreeSet<String>,
    offer: plans::Offer,
    /// Which two plans are beside each other.
    pair: (String, String),
    compared: Option<Compared>,
    pairs: ListState,
    versions: Option<Vec<PlanLine>>,
    version: ListState,
    lacking: Option<Lacking>,
    lack: ListState,
    /// The keys move the map.
    on_map: bool,
    frame: Option<Frame>,
    tier: Option<u8>,
    clusters: bool,
    /// Half blocks in the place of braille.
    blocks: bool,
    /// Where the way to the server is kept.
    pub folders: Option<Folders>,
    /// What is typed to see some of the outlets alone, and which fit.
    only: String,
    fitting: Option<Vec<bool>>,
    /// Why what is typed is no question.
    unread: Option<String>,
    outlines: Outlines,
    canvas: Rect,
    waits: &'static str,
    looked_ms: u64,
    /// How far the job is that was heard of last.
    heard: Option<(Id, u64)>,
}

/// Cuts the unit's snapshot where that is missing or old: outlets may have changed, or
/// nobody may write here; then what there is must do.
fn fresh(engine: &Engine, unit: &str) {
    let cut = CutSnapshots { unit: Some(unit.to_owned()), outlets: u64::MAX };
    let _ = engine.run(&cut);
}

impl Routes {
    fn which(&self) -> String {
        self.unit.clone().unwrap_or_default()
    }

    fn shown_units(&self) -> Vec<&Planned> {
        self.shown.iter().filter_map(|place| self.units.as_ref()?.get(*place)).collect()
    }

    fn here(&self) -> Option<&Planned> {
        self.shown_units().get(self.list.cursor).copied()
    }

    /// The unit that is open, or the one under the cursor.
    fn planned(&self) -> Option<&Planned> {
        match &self.unit {
            Some(open) if self.view != View::Units => {
                self.units.iter().flatten().find(|planned| planned.unit.id.to_string() == *open)
            }
            _ => self.here(),
        }
    }

    fn settle(&mut self) {
        let names = self.units.iter().flatten().map(|p| p.unit.name.as_str());
        self.shown = fitting(&self.filter, names);
        self.list.set_len(self.shown.len());
    }

    fn version_name(&self) -> String {
        if self.better { "better".into() } else { "now".into() }
    }

    fn open_unit(&mut self, unit: String, cx: &mut Cx) {
        if self.unit.as_deref() != Some(&unit) {
            let old = std::mem::take(self);
            let Routes { units, list, filter, shown, blocks, folders, .. } = old;
            *self = Routes { units, list, filter, shown, blocks, folders, ..Routes::default() };
            (self.week, self.weekday) = (1, 0);
        }
        self.unit = Some(unit);
        self.view = View::Reps;
        self.waits = "opening the unit";
        self.reload(cx);
    }

    /// Asks for the unit anew: as it stands, or as a run has it.
    fn reload(&mut self, cx: &mut Cx) {
        // What is looked at already is not taken away for less.
        let at_once = self.opened.as_ref().is_none_or(|o| o.version > 0);
        self.ask_for(OpenPlan { unit: self.which(), version: self.version_name(), at_once }, cx);
    }

    fn ask_for(&self, ask: OpenPlan, cx: &mut Cx) {
        cx.ask(
            Slot::Routes,
            move |engine: &Engine| {
                fresh(engine, &ask.unit);
                let opened = engine.ask(&ask)?;
                let outlets = opened.outlets()?;
                Ok((opened, outlets))
            },
            |panes, (opened, outlets), cx| panes.routes.take(opened, outlets, cx),
        );
    }

    fn take(&mut self, opened: Opened, outlets: plans::Outlets, cx: &mut Cx) {
        if opened.is_measuring() {
            let (unit, version) = (self.which(), self.version_name());
            self.ask_for(OpenPlan { unit, version, at_once: false }, cx);
        }
        self.outlets = outlets;
        self.waits = "";
        self.offer = opened.offer.clone();
        self.reps.set_len(opened.reps.len());
        if self.weekday >= opened.work_days {
            self.weekday = 0;
        }
        self.opened = Some(opened);
        self.find(cx);
        self.look_at_rep(cx);
    }

    fn rep_code(&self) -> Option<String> {
        let rep = self.opened.as_ref()?.reps.get(self.reps.cursor)?;
        (rep.visits > 0).then(|| rep.rep.clone())
    }

    /// Asks for the days of the rep under the cursor.
    fn look_at_rep(&mut self, cx: &mut Cx) {
        let Some(rep) = self.rep_code() else {
            self.sheet = None;
            self.stops.set_len(0);
            return;
        };
        let ask =
            ShowDays { unit: self.which(), version: self.version_name(), rep, week: 0, day: String::new() };
        cx.ask(
            Slot::Side,
            move |engine: &Engine| engine.ask(&ask),
            |panes, sheet, _| {
                let of = &mut panes.routes;
                of.sheet = Some(sheet);
                of.settle_stops();
            },
        );
    }

    fn day(&self) -> Day {
        Day { week: self.week.max(1), weekday: self.weekday }
    }

    fn driven(&self) -> Option<&plans::Driven> {
        let day = self.day().to_string();
        self.sheet.as_ref()?.days.iter().find(|d| d.day == day)
    }

    fn settle_stops(&mut self) {
        let len = self.driven().map_or(0, |d| d.stops.len());
        self.stops.set_len(len);
    }

    /// Another day of the cycle: the next one that has any, or the one before.
    fn step_day(&mut self, by: i32) {
        let days = self.opened.as_ref().map_or(6, |o| o.work_days.max(1));
        let all = (WEEKS * days) as i32;
        let now = ((self.week.max(1) - 1) * days + self.weekday) as i32;
        let next = (now + by).rem_euclid(all) as u32;
        (self.week, self.weekday) = (next / days + 1, next % days);
        self.stops.cursor = 0;
        self.settle_stops();
    }

    fn stop(&self) -> Option<&plans::Stop> {
        self.driven()?.stops.get(self.stops.cursor)
    }

    /// Outlets that an edit is of: those marked, or the one under the cursor.
    fn chosen(&self) -> Vec<String> {
        match self.marks.is_empty() {
            false => self.marks.iter().cloned().collect(),
            true => self.stop().map(|s| s.code.clone()).into_iter().collect(),
        }
    }

    fn show(&mut self, view: View, cx: &mut Cx) {
        self.view = view;
        self.on_map = false;
        let unit = self.which();
        match view {
            View::Offer => {
                let (a, b) = self.pair.clone();
                self.compared = None;
                let compare = move |engine: &Engine| -> Outcome<Compared> {
                    let first = engine.ask(&ListPlans { unit: unit.clone() })?;
                    // Before there is a version today's beats are what stands.
                    let a = if a == "now" && first.is_empty() { "beats".into() } else { a };
                    engine.ask(&ComparePlans { unit, a, b })
                };
                cx.ask(Slot::Side, compare, |panes, compared, _| {
                    let of = &mut panes.routes;
                    of.pairs.set_len(compared.reps.len());
                    of.compared = Some(compared);
                });
            }
            View::Versions => cx.ask(
                Slot::Side,
                move |engine: &Engine| engine.ask(&ListPlans { unit }),
                |panes, all, _| {
                    let of = &mut panes.routes;
                    of.version.set_len(all.len());
                    of.versions = Some(all);
                },
            ),
            View::Lacks => cx.ask(
                Slot::Side,
                move |engine: &Engine| engine.ask(&ListLacks { unit }),
                |panes, lacking, _| {
                    let of = &mut panes.routes;
                    of.lack.set_len(lacking.items.len());
                    of.lacking = Some(lacking);
                },
            ),
            View::Reps | View::Stops => self.look_at_rep(cx),
            View::Units => self.load(cx),
        }
    }

    /// Which outlets fit what is typed.
    fn find(&mut self, cx: &mut Cx) {
        if self.only.trim().is_empty() {
            self.fitting = None;
            return;
        }
        let ask = FindOutlets { unit: self.which(), filter: self.only.clone() };
        cx.ask(
            Slot::Find,
            move |engine: &Engine| Ok(engine.ask(&ask).and_then(|found| found.numbers())),
            |panes, numbers, _| {
                let of = &mut panes.routes;
                of.unread = numbers.as_ref().err().map(|f: &Failure| f.message.clone());
                let numbers = numbers.unwrap_or_default();
                let mut fitting = vec![false; of.outlets.codes.len()];
                numbers.iter().filter_map(|n| fitting.get_mut(*n as usize).map(|fits| *fits = true)).count();
                of.fitting = Some(fitting).filter(|_| of.unread.is_none());
            },
        );
    }

    /// Whether an outlet is on the map: of the tier, and fitting what is typed.
    fn is_shown(&self, n: usize) -> bool {
        self.tier.is_none_or(|tier| self.outlets.tier[n] == tier)
            && self.fitting.as_ref().is_none_or(|fits| fits.get(n) == Some(&true))
    }

    fn look_at_offer(&mut self, cx: &mut Cx) {
        let unit = self.which();
        cx.ask(
            Slot::Offer,
            move |engine: &Engine| engine.ask(&ShowOffer { unit }),
            |panes, offer, _| panes.routes.offer = offer,
        );
    }

    fn current_list(&mut self) -> &mut ListState {
        match self.view {
            View::Units => &mut self.list,
            View::Reps => &mut self.reps,
            View::Stops => &mut self.stops,
            View::Offer => &mut self.pairs,
            View::Versions => &mut self.version,
            View::Lacks => &mut self.lack,
        }
    }

    /// Milliseconds of a run: a result is kept only where it is better, time goes on.
    fn spent_ms(&self, job: Option<Id>, kept: u64) -> u64 {
        let heard = self.heard.filter(|(heard, _)| Some(*heard) == job);
        kept.max(heard.map_or(0, |(_, done)| done))
    }

    fn is_running(&self) -> bool {
        matches!(self.offer.state.as_str(), "waiting" | "paused")
    }
}

impl Pane for Routes {
    fn scopes(&self) -> Vec<&'static str> {
        match self.on_map {
            true => vec!["map", "routes", "list", "global"],
            false => vec!["routes", "list", "global"],
        }
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        if self.on_map {
            return vec![
                ("map.in", "in"),
                ("map.out", "out"),
                ("map.left", "move"),
                ("map.all", "all of it"),
                ("record.open", "nearest outlet"),
                ("list.filter", "only some"),
                ("routes.clusters", "counts"),
                ("routes.blocks", "blocks"),
                ("list.inside", "back to the list"),
            ];
        }
        match self.view {
            View::Units => vec![
                ("record.open", "open"),
                ("list.filter", "find"),
                ("routes.optimise", "optimise"),
                (
                    "routes.lock",
                    self.planned().map_or("take", |p| if p.holder.is_empty() { "take" } else { "free" }),
                ),
                ("app.undo", "undo"),
            ],
            View::Reps => vec![
                ("record.open", "days"),
                ("routes.optimise", "optimise"),
                ("routes.look", "better plan"),
                ("list.inside", "map"),
                ("routes.lacks", "lacks"),
                ("record.edit", "rules"),
                ("routes.versions", "versions"),
            ],
            View::Stops => vec![
                ("routes.next_day", "day"),
                ("routes.move", "move"),
                ("routes.later", "order"),
                ("routes.pin", "pin"),
                ("list.mark", "mark"),
                ("routes.mend", "optimise around"),
                ("routes.sheets", "sheets"),
            ],
            View::Offer => vec![
                ("routes.keep", "keep"),
                ("routes.map_better", "on the map"),
                ("routes.stop", "stop"),
                ("routes.pause", "pause"),
                ("app.back", "back"),
            ],
            View::Versions => vec![
                ("record.open", "take again"),
                ("routes.look", "beside what stands"),
                ("routes.new", "keep as it stands"),
                ("routes.export", "export"),
                ("app.back", "back"),
            ],
            View::Lacks => vec![("record.open", "mend it"), ("app.back", "back")],
        }
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.archived", "list.copy", "list.mark_all", "record.archive", "record.delete"]
    }

    fn load(&mut self, cx: &mut Cx) {
        cx.ask(
            Slot::Units,
            |engine: &Engine| engine.ask(&ListPlanned {}),
            |panes, units, _| {
                panes.routes.units = Some(units);
                panes.routes.settle();
            },
        );
        if self.unit.is_some() {
            self.reload(cx);
        }
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        let own = [Kind::Unit, Kind::Dataset, Kind::Outlet, Kind::Rep, Kind::Distributor, Kind::Lock];
        if touches(kinds, &own) || touches(kinds, &plans::KINDS) {
            self.load(cx);
            if matches!(self.view, View::Versions | View::Lacks) {
                self.show(self.view, cx);
            }
        }
    }

    fn job(&mut self, progress: Progress, cx: &mut Cx) {
        self.heard = Some((progress.job, progress.done));
        if self.unit.is_some() && (progress.ended || progress.done.abs_diff(self.looked_ms) >= LOOK_MS) {
            self.looked_ms = progress.done;
            self.look_at_offer(cx);
        }
        if progress.ended {
            self.looked_ms = 0;
            cx.ask(
                Slot::Units,
                |engine: &Engine| engine.ask(&ListPlanned {}),
                |panes, units, _| {
                    panes.routes.units = Some(units);
                    panes.routes.settle();
                },
            );
            let job = progress.job;
            cx.work(Slot::Action, move |engine| match told_of(engine, job) {
                Some(text) => Data::Done(Ok((text, None))),
                None => Data::Nothing,
            });
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        let open = self.unit.is_some() && self.view != View::Units;
        let of_unit = id.starts_with("routes.") && !matches!(id, "routes.optimise" | "routes.lock");
        match id {
            _ if of_unit && !open => Some("Open a unit first: Enter"),
            "routes.optimise" if !open && self.here().is_none() => {
                Some("There is no planning unit: 7 t makes them of a territory's columns")
            }
            "routes.lock" if self.planned().is_none() => Some(command::NO_ROW),
            "routes.optimise" if open && self.is_running() => Some("It is being optimised: x stops, v looks"),
            "routes.stop" | "routes.pause" if !self.is_running() => {
                Some("Nothing is being optimised here: o")
            }
            "routes.look" if self.view == View::Versions && self.version.len > 0 => None,
            "routes.keep" if self.view == View::Offer && self.pair.1 != "better" => {
                Some("These are versions: H, then Enter takes one again")
            }
            "routes.look" | "routes.map_better" if !self.offer.found => match self.is_running() {
                true => Some("The run has found nothing yet"),
                false => Some("No run has found a plan yet: o optimises"),
            },
            "routes.keep" if !self.offer.found => Some("There is no better plan yet: o optimises"),
            "routes.keep" if self.offer.stale => Some("The plan was edited since: o optimises again"),
            "routes.keep" if self.offer.state == "waiting" => {
                Some("The run goes on: x stops it, then K keeps")
            }
            "routes.move" | "routes.earlier" | "routes.later" | "routes.pin" | "routes.mend"
            | "list.mark"
                if self.view != View::Stops || self.stops.len == 0 =>
            {
                Some("Open a rep's day first: Enter, then w goes through the days")
            }
            "routes.move" | "routes.earlier" | "routes.later" | "routes.pin" | "routes.mend"
                if self.opened.as_ref().is_some_and(|o| o.version == 0) =>
            {
                Some("Today's beats are only looked at: n takes them as version 1")
            }
            "routes.move" | "routes.earlier" | "routes.later" | "routes.pin" | "routes.mend"
                if self.better =>
            {
                Some("This is the better plan: v, then K keeps it, before it is edited")
            }
            "routes.sheets" if self.sheet.is_none() => Some("No rep has days yet"),
            "record.open" if self.view == View::Units && self.here().is_none() => Some(command::NO_ROW),
            "record.open" if self.view == View::Reps && !self.on_map && self.rep_code().is_none() => {
                match self.opened.as_ref().is_some_and(Opened::is_measuring) {
                    true => Some("Today's beats are being measured"),
                    false => Some("This rep has no day yet: o optimises"),
                }
            }
            "routes.export" if self.opened.as_ref().is_none_or(|o| o.shown == "no plan") => {
                Some("There is no plan yet: o optimises")
            }
            _ => None,
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if !self.marks.is_empty() {
            self.marks.clear();
            return true;
        }
        if self.on_map {
            self.on_map = false;
            return true;
        }
        match self.view {
            View::Units if !self.filter.is_empty() => {
                self.filter.clear();
                self.settle();
            }
            View::Units => return false,
            View::Reps if self.better => {
                self.better = false;
                self.reload(cx);
            }
            View::Reps => {
                self.unit = None;
                self.opened = None;
                self.show(View::Units, cx);
            }
            _ => self.show(View::Reps, cx),
        }
        true
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        self.act(id, cx)
    }

    fn prompted(&mut self, what: &str, typed: &str, cx: &mut Cx) -> Ask {
        self.typed(what, typed, cx)
    }

    fn picked(&mut self, what: &str, value: &str, cx: &mut Cx) -> Ask {
        self.taken(what, value, cx)
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        match self.view {
            View::Units => {
                self.filter = text.to_owned();
                self.list.cursor = 0;
                self.settle();
            }
            // A part that is being typed is no question yet.
            _ if self.only != text => {
                self.only = text.to_owned();
                self.unread = Filter::parse(Kind::Outlet, text).err().map(|f| f.message);
                if self.unread.is_none() {
                    self.find(cx);
                }
            }
            _ => {}
        }
    }

    fn state(&self) -> serde_json::Value {
        serde_json::json!({
            "unit": self.unit, "week": self.week, "weekday": self.weekday, "blocks": self.blocks,
        })
    }

    fn restore(&mut self, state: &serde_json::Value, resume: bool) {
        if resume && let Some(unit) = state["unit"].as_str() {
            self.unit = Some(unit.to_owned());
            self.view = View::Reps;
        }
        self.blocks = state["blocks"].as_bool().unwrap_or(false);
        let number = |name: &str| state[name].as_u64().unwrap_or(0) as u32;
        (self.week, self.weekday) = (number("week").clamp(1, WEEKS), number("weekday").min(6));
    }

    fn layout(&mut self, area: Rect, _: &mut Cx) {
        self.place(area);
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        self.draw_view(area, buf, cx);
    }
}

/// What is said when a run has ended: what it found, or why it failed.
fn told_of(engine: &Engine, job: crate::domain::Id) -> Option<String> {
    let job =
        engine.ask(&crate::services::jobs::ShowJob { id: job }).ok().filter(|j| j.kind == plans::KIND)?;
    let offers = engine.ask(&ListOffers {}).ok()?;
    let offer = offers.into_iter().find(|o| o.unit == job.subject)?;
    match (job.failure, offer.word.is_empty()) {
        (Some(failure), true) => Some(format!("{}: {}", job.title, failure.message)),
        (_, false) => Some(format!("better plan: {}, {}  (5, v looks)", offer.name, offer.word)),
        _ => None,
    }
}
