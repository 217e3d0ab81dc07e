//! What is done in Routes.

use super::{Outlines, Routes, View};
use crate::domain::failure::said;
use crate::domain::schema::Kind;
use crate::domain::text::count;
use crate::domain::{Failure, Outcome};
use crate::engine::{Engine, files};
use crate::remote::online;
use crate::services::Command;
use crate::services::plans::{
    self, CreatePlan, Edit, EditPlan, ExportPlan, From, Impact, KeepPlan, MEANS, OptimisePlan, Outlined,
    PRESETS, Packed, Planned, PrintSheet, RestorePlan, SetOutlines, SetPlanRules, ShowDays, Steer, SteerRun,
    a_week,
};
use crate::services::setup::Me;
use crate::services::territories::locks::{LockUnit, UnlockUnit};
use crate::solver::journey::WEEKDAYS;
use crate::tui::app::Cx;
use crate::tui::map::Frame;
use crate::tui::msg::Data;
use crate::tui::overlay::Question;
use crate::tui::panes::{Ask, PaneId, act, edit_form};
use crate::tui::picker::{Choice, Picker, Purpose};
use crate::tui::quick::{Prompt, Wanted};
use std::io::Write;

/// Cells that one key moves the map.
const PAN: (f64, f64) = (8.0, 4.0);

impl Routes {
    pub(super) fn act(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if self.on_map && self.move_map(id) {
            return Ask::Nothing;
        }
        if self.current_list().command(id) {
            if self.view == View::Reps {
                self.look_at_rep(cx);
            }
            return Ask::Nothing;
        }
        let unit = self.which();
        match id {
            "record.open" => return self.enter(cx),
            "list.filter" if self.view == View::Units => {
                return Ask::Prompt(Prompt::new("unit", &self.filter, Wanted::Filter));
            }
            "list.filter" => {
                let label = "outlets on the map: a word, class=A, visit_frequency>2";
                return Ask::Prompt(Prompt::new(label, &self.only, Wanted::Filter));
            }
            "list.inside" => self.on_map = !self.on_map && self.opened.is_some(),
            "list.mark" => {
                if let Some(code) = self.stop().map(|s| s.code.clone()) {
                    if !self.marks.remove(&code) {
                        self.marks.insert(code);
                    }
                    self.stops.command("list.down");
                }
            }
            "record.edit" => return rules_form(unit),
            "routes.preset" => {
                let choice =
                    |(name, what, _): &(&'static str, &'static str, _)| Choice::new(*name, *what, *name);
                let all = PRESETS.iter().map(choice).collect();
                return Ask::Pick(Box::new(Picker::new(
                    "What the plan is for",
                    Purpose::Pane("preset"),
                    all,
                )));
            }
            "routes.optimise" => {
                let unit = match self.view {
                    View::Units => self.here().map(|p| p.unit.id.to_string()).unwrap_or_default(),
                    _ => unit,
                };
                return optimise(unit, vec![]);
            }
            "routes.mend" => return optimise(unit, self.chosen()),
            "routes.stop" => return steer(unit, Steer::Stop, "Stopped; the best plan so far stays: v looks"),
            "routes.pause" if self.offer.state == "paused" => {
                return steer(unit, Steer::Resume, "The run goes on");
            }
            "routes.pause" => return steer(unit, Steer::Pause, "Paused; O goes on"),
            "routes.look" => {
                let here = self.versions.as_ref().and_then(|v| v.get(self.version.cursor));
                self.pair = match here.filter(|_| self.view == View::Versions) {
                    Some(line) => (format!("v{}", line.number), "now".into()),
                    None => ("now".into(), "better".into()),
                };
                self.show(View::Offer, cx);
            }
            "routes.map_better" => {
                self.better = !self.better;
                self.view = View::Reps;
                self.reload(cx);
            }
            "routes.keep" => {
                let label = "why is it kept (Enter alone: what it betters)";
                return Ask::Prompt(Prompt::new(label, "", Wanted::Pane("keep".into())));
            }
            "routes.versions" => self.show(View::Versions, cx),
            "routes.lacks" => self.show(View::Lacks, cx),
            "routes.new" => return self.new_version(unit),
            "routes.next_day" => self.step_day(1),
            "routes.last_day" => self.step_day(-1),
            "routes.next_week" => self.step_day(self.opened.as_ref().map_or(6, |o| o.work_days as i32)),
            "routes.tier" => self.next_tier(),
            "routes.clusters" => self.clusters = !self.clusters,
            "routes.blocks" => self.blocks = !self.blocks,
            "routes.outlines" => self.outlines = self.outlines.next(),
            "routes.areas" => {
                let label = "read outlines of distributors from (.geojson)";
                return Ask::Prompt(Prompt::new(label, "", Wanted::Pane("areas".into())));
            }
            "routes.move" => return self.ask_where(),
            "routes.earlier" => return self.reorder(-1),
            "routes.later" => return self.reorder(1),
            "routes.pin" => return self.pin(),
            "routes.sheets" => {
                let all = [
                    ("text", "to read or print"),
                    ("html", "a page"),
                    ("csv", "a table"),
                    ("ics", "a calendar"),
                ];
                let choice = |(form, what): &(&'static str, &'static str)| Choice::new(*form, *what, *form);
                let title = format!("Route sheets of {} as", self.rep_name());
                let all = all.iter().map(choice).collect();
                return Ask::Pick(Box::new(Picker::new(title, Purpose::Pane("sheet"), all)));
            }
            "routes.lock" => return self.lock(cx.me),
            "routes.export" => {
                let label = "write the plan to (.csv, .geojson, .html, .json)";
                return Ask::Prompt(Prompt::new(label, "plan.html", Wanted::Pane("export".into())));
            }
            _ => {}
        }
        Ask::Nothing
    }

    fn rep_name(&self) -> String {
        self.sheet.as_ref().map(|s| s.rep_name.clone()).unwrap_or_default()
    }

    /// The frame of the map as it is drawn.
    pub(super) fn framed(&self) -> Frame {
        let fit = || Frame::around(&self.outlets.points, self.canvas);
        self.frame.unwrap_or_else(fit)
    }

    fn move_map(&mut self, id: &str) -> bool {
        let frame = self.framed();
        self.frame = match id {
            "map.in" => Some(frame.zoomed(1)),
            "map.out" => Some(frame.zoomed(-1)),
            "map.left" => Some(frame.panned(-PAN.0, 0.0)),
            "map.right" => Some(frame.panned(PAN.0, 0.0)),
            "map.up" => Some(frame.panned(0.0, -PAN.1)),
            "map.down" => Some(frame.panned(0.0, PAN.1)),
            "map.all" => None,
            _ => return false,
        };
        true
    }

    /// The outlet in the middle of the map.
    pub(super) fn nearest(&self) -> Option<usize> {
        let of = &self.outlets;
        let points = (0..of.points.len()).filter(|n| self.is_shown(*n)).map(|n| (n, of.points[n]));
        self.framed().nearest(points)
    }

    fn enter(&mut self, cx: &mut Cx) -> Ask {
        if self.on_map {
            self.go_to_nearest(cx);
            return Ask::Nothing;
        }
        match self.view {
            View::Units => {
                if let Some(unit) = self.here().map(|p| p.unit.id.to_string()) {
                    self.open_unit(unit, cx);
                }
            }
            View::Reps => {
                self.view = View::Stops;
                // The first day that the rep has.
                if self.driven().is_none()
                    && let Some(day) = self.sheet.as_ref().and_then(|s| s.days.first()).map(|d| d.day.clone())
                    && let Ok(day) = crate::services::plans::Slot::parse(&day)
                {
                    (self.week, self.weekday) = (day.week, day.weekday);
                }
                self.settle_stops();
            }
            View::Stops => {
                if let Some(stop) = self.stop() {
                    let place = (plans::micro(stop.latitude), plans::micro(stop.longitude));
                    self.frame = Some(self.framed().at(place));
                }
            }
            View::Offer => {}
            View::Versions => return self.restore_version(),
            View::Lacks => return self.mend(),
        }
        Ask::Nothing
    }

    /// From the map to the day of the outlet in its middle.
    fn go_to_nearest(&mut self, cx: &mut Cx) {
        let Some(nearest) = self.nearest() else { return };
        let Some(opened) = &self.opened else { return };
        let of = &self.outlets;
        let (code, rep, days) = (of.codes[nearest].clone(), of.rep[nearest], of.days[nearest]);
        if usize::from(rep) >= opened.reps.len() || days == 0 {
            return;
        }
        let first = days.trailing_zeros();
        (self.week, self.weekday) = (first / 7 + 1, first % 7);
        self.reps.cursor = usize::from(rep);
        (self.on_map, self.view) = (false, View::Stops);
        let ask = ShowDays {
            unit: self.which(),
            version: self.version_name(),
            rep: opened.reps[usize::from(rep)].rep.clone(),
            ..ShowDays::default()
        };
        cx.ask(
            crate::tui::msg::Slot::Side,
            move |engine: &Engine| engine.ask(&ask),
            move |panes, sheet, _| {
                let of = &mut panes.routes;
                of.sheet = Some(sheet);
                of.settle_stops();
                let at = of.driven().and_then(|d| d.stops.iter().position(|s| s.code == code));
                of.stops.cursor = at.unwrap_or(0);
            },
        );
    }

    fn next_tier(&mut self) {
        let tiers = self.opened.as_ref().map_or(0, |o| o.tiers.len() as u8);
        self.tier = match self.tier {
            None if tiers > 0 => Some(0),
            Some(n) if n + 1 < tiers => Some(n + 1),
            _ => None,
        };
    }

    fn new_version(&self, unit: String) -> Ask {
        let has_plan = self.opened.as_ref().is_some_and(|o| o.version > 0);
        let from = if has_plan { From::Now } else { From::Beats };
        Ask::Act(act(move |engine| {
            let done = engine.run(&CreatePlan { unit, from, reason: String::new() })?;
            let kept = done.reply;
            Ok((format!("{} v{}: {}", kept.unit, kept.number, kept.reason), Some(done.txn)))
        }))
    }

    fn restore_version(&self) -> Ask {
        let Some(line) = self.versions.as_ref().and_then(|v| v.get(self.version.cursor)) else {
            return Ask::Nothing;
        };
        if line.stands {
            return Ask::Say(format!("The plan stands as v{} has it", line.number));
        }
        let (unit, version) = (self.which(), line.number.to_string());
        let text = format!("Take v{} ({}) again, as a new version?", line.number, line.reason);
        Ask::Confirm(
            Question::Act(act(move |engine| {
                let done = engine.run(&RestorePlan { unit, version, reason: String::new() })?;
                Ok((format!("v{}: {}", done.reply.number, done.reply.reason), Some(done.txn)))
            })),
            text,
        )
    }

    /// Leads to where what is missing can be given.
    fn mend(&self) -> Ask {
        let lack = self.lacking.as_ref().and_then(|l| l.items.get(self.lack.cursor));
        match lack.map(|l| l.what.as_str()) {
            Some(what) if what.starts_with("outlets") => Ask::Go(PaneId::Outlets, None),
            Some(_) => Ask::Go(PaneId::Imports, None),
            None => Ask::Nothing,
        }
    }

    /// Reps and weekdays that outlets can be moved to.
    fn ask_where(&self) -> Ask {
        let Some(opened) = &self.opened else { return Ask::Nothing };
        let here = self.rep_code();
        let mut all: Vec<Choice> = WEEKDAYS[..opened.work_days.min(7) as usize]
            .iter()
            .filter(|day| **day != self.day().day())
            .map(|day| Choice::new(format!("to {day}"), "same rep", format!("day {day}")))
            .collect();
        let reps = opened.reps.iter().filter(|r| Some(&r.rep) != here.as_ref());
        all.extend(reps.map(|r| {
            let note = format!("{:.1} h a week, {}", r.hours_a_week(), r.to_mean());
            Choice::new(format!("to {}", r.name), note, format!("rep {}", r.rep))
        }));
        let chosen = self.chosen();
        let what = match chosen.as_slice() {
            [_] => self.stop().map(|s| s.name.clone()).unwrap_or_default(),
            many => count(many.len(), "outlet"),
        };
        Ask::Pick(Box::new(Picker::new(format!("Move {what}"), Purpose::Pane("move"), all)))
    }

    fn reorder(&mut self, by: isize) -> Ask {
        let Some(stop) = self.stop().map(|s| s.code.clone()) else { return Ask::Nothing };
        let place = self.stops.cursor as isize + by;
        if place < 0 || place as usize >= self.stops.len {
            return Ask::Nothing;
        }
        self.stops.cursor = place as usize;
        let edit = Edit::Place { day: self.day().to_string(), place: place as usize + 1 };
        edited(EditPlan { unit: self.which(), outlets: vec![stop], edit, dry_run: false })
    }

    fn pin(&self) -> Ask {
        let pinned = self.stop().is_some_and(|s| s.pinned);
        let ask =
            EditPlan { unit: self.which(), outlets: self.chosen(), edit: Edit::Pin(!pinned), dry_run: false };
        Ask::Act(act(move |engine| {
            let done = engine.run(&ask)?;
            let word = if pinned { "free again" } else { "pinned: it keeps its rep and days" };
            Ok((format!("{} {word}", count(done.reply.outlets, "outlet")), Some(done.txn)))
        }))
    }

    /// Takes a unit that is free, gives one's own back, and asks why somebody else's lock is
    /// to be broken.
    fn lock(&self, me: &Me) -> Ask {
        let Some(Planned { unit, holder, .. }) = self.planned() else { return Ask::Nothing };
        let (id, name) = (unit.id.to_string(), unit.name.clone());
        match holder.as_str() {
            "" => {
                let label = format!("take {name}, what for");
                Ask::Prompt(Prompt::new(&label, "", Wanted::Pane(format!("take {id}"))))
            }
            holder if holder == me.name => self.at_server(UnlockUnit { unit: id, why: String::new() }, {
                move |_| format!("{name} is given back")
            }),
            holder => {
                let label = format!("break the lock of {holder} on {name}, why");
                Ask::Prompt(Prompt::new(&label, "", Wanted::Pane(format!("free {id}"))))
            }
        }
    }

    /// Runs a command where units are taken, and tells what it did.
    fn at_server<C: Command + 'static>(
        &self,
        command: C,
        told: impl FnOnce(C::Reply) -> String + Send + 'static,
    ) -> Ask {
        let Some(folders) = self.folders.clone() else { return Ask::Nothing };
        Ask::Act(act(move |engine| Ok((told(online::run(engine, &folders, &command)?), None))))
    }

    pub(super) fn typed(&mut self, what: &str, typed: &str, _: &mut Cx) -> Ask {
        let unit = self.which();
        if let Some(unit) = what.strip_prefix("take ") {
            let take = LockUnit { unit: unit.to_owned(), note: typed.trim().to_owned() };
            return self.at_server(take, |locked| format!("{} is yours: L gives it back", locked.name));
        }
        if let Some(unit) = what.strip_prefix("free ") {
            let free = UnlockUnit { unit: unit.to_owned(), why: typed.trim().to_owned() };
            return self.at_server(free, |_| "The lock is broken; history says why".into());
        }
        match what {
            "keep" => {
                let reason = typed.trim().to_owned();
                (self.better, self.view) = (false, View::Reps);
                Ask::Act(act(move |engine| {
                    let done = engine.run(&KeepPlan { unit, reason })?;
                    let kept = done.reply;
                    let text =
                        format!("{} v{}: {:.0} km a week", kept.unit, kept.number, a_week(kept.figures.km));
                    Ok((text, Some(done.txn)))
                }))
            }
            "areas" => {
                self.outlines = Outlines::Distributors;
                let path = typed.trim().to_owned();
                Ask::Act(act(move |engine| {
                    let text = String::from_utf8_lossy(&files::read_path(&path)?.1).into_owned();
                    let done = engine.run(&SetOutlines { file: Packed::of(&text)?, dry_run: false })?;
                    let Outlined { set, same, unknown } = done.reply;
                    let mut word = format!("{} set, {same} the same already", count(set, "outline"));
                    if !unknown.is_empty() {
                        word.push_str(&format!("; no distributor is called {}", unknown.join(", ")));
                    }
                    Ok((word, Some(done.txn)))
                }))
            }
            "export" => {
                let (path, version) = (typed.trim().to_owned(), self.version_name());
                Ask::Act(act(move |engine| {
                    let end = path.rsplit('.').next().unwrap_or_default().to_lowercase();
                    let ask = ExportPlan { unit, version, format: end, from: 0 };
                    let done = plans::whole(|from| engine.ask(&ExportPlan { from, ..ask.clone() }))?;
                    written(&path, &done.text)?;
                    Ok((format!("The plan is in {path}"), None))
                }))
            }
            what => {
                let Some(form) = what.strip_prefix("sheet ") else { return Ask::Nothing };
                let (path, form) = (typed.trim().to_owned(), form.to_owned());
                let rep = self.rep_code().unwrap_or_default();
                let of = ShowDays { unit, version: self.version_name(), rep, ..ShowDays::default() };
                Ask::Act(act(move |engine| {
                    let ask = PrintSheet { of, format: form, ..PrintSheet::default() };
                    let done = plans::whole(|from| engine.ask(&PrintSheet { from, ..ask.clone() }))?;
                    written(&path, &done.text)?;
                    Ok((format!("{} in {path}", count(done.count, "day")), None))
                }))
            }
        }
    }

    pub(super) fn taken(&mut self, what: &str, value: &str, _: &mut Cx) -> Ask {
        let unit = self.which();
        match what {
            "preset" => {
                let preset = value.to_owned();
                Ask::Act(act(move |engine| {
                    let set = SetPlanRules { unit, preset: preset.clone(), ..SetPlanRules::default() };
                    let done = engine.run(&set)?;
                    Ok((format!("Rules: {preset}"), Some(done.txn)))
                }))
            }
            "sheet" => {
                let name: String =
                    self.rep_name().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
                let end = if value == "text" { "txt" } else { value };
                let path = format!("{}.{end}", name.to_lowercase());
                Ask::Prompt(Prompt::new("write the sheets to", &path, Wanted::Pane(format!("sheet {value}"))))
            }
            "move" => {
                let edit = match value.split_once(' ') {
                    Some(("day", day)) => Edit::Move {
                        rep: None,
                        from: Some(self.day().day().to_owned()),
                        to: Some(day.to_owned()),
                    },
                    Some((_, rep)) => Edit::Move { rep: Some(rep.to_owned()), from: None, to: None },
                    None => return Ask::Nothing,
                };
                let ask = EditPlan { unit, outlets: self.chosen(), edit, dry_run: true };
                self.marks.clear();
                asked(ask)
            }
            _ => Ask::Nothing,
        }
    }
}

fn written(path: &str, text: &str) -> Outcome<()> {
    let mut file = files::new_file(path)?;
    file.write_all(text.as_bytes())
        .map_err(|e| Failure::invalid(format!("{path} cannot be written: {}", said(&e))))
}

/// The form of a unit's rules, which are made where there are none yet.
fn rules_form(unit: String) -> Ask {
    Ask::Load(Box::new(move |engine| {
        let exists =
            engine.ask(&crate::services::records::Show { kind: Kind::PlanRules, which: unit.clone() });
        if exists.is_err() {
            let set = SetPlanRules { unit: unit.clone(), ..SetPlanRules::default() };
            if let Err(failure) = engine.run(&set) {
                return Data::Form(Err(failure));
            }
        }
        match edit_form(Kind::PlanRules, unit) {
            Ask::Load(form) => match form(engine) {
                Data::Form(Ok(start)) => {
                    let notes = MEANS.map(|(field, means)| (field.to_owned(), means.to_owned())).into();
                    let title = "How the unit is planned".to_owned();
                    Data::Form(Ok(crate::tui::msg::FormStart { title, notes, ..start }))
                }
                other => other,
            },
            _ => Data::Nothing,
        }
    }))
}

fn optimise(unit: String, edited: Vec<String>) -> Ask {
    Ask::Act(Box::new(move |engine| {
        super::fresh(engine, &unit);
        let around = !edited.is_empty();
        let done = engine.run(&OptimisePlan { unit, edited, ..OptimisePlan::default() }).map(|done| {
            engine.reside();
            let begun = done.reply;
            let behind = match begun.before {
                0 => String::new(),
                n => format!(", behind {}", count(n, "run")),
            };
            let text = match around {
                true => format!("{}: planning anew around it", begun.unit),
                false => format!(
                    "{}: {} for {} s in the background{behind}; go on working",
                    begun.unit,
                    count(begun.outlets, "outlet"),
                    begun.seconds
                ),
            };
            (text, None)
        });
        Data::DoneThen(done, Box::new(|panes, cx| panes.routes.look_at_offer(cx)))
    }))
}

fn steer(unit: String, what: Steer, said: &'static str) -> Ask {
    Ask::Act(Box::new(move |engine| {
        let done = engine.run(&SteerRun { unit, what }).map(|_| {
            if what == Steer::Resume {
                engine.reside();
            }
            (said.to_owned(), None)
        });
        Data::DoneThen(done, Box::new(|panes, cx| panes.routes.look_at_offer(cx)))
    }))
}

fn edited(ask: EditPlan) -> Ask {
    Ask::Act(act(move |engine| {
        let done = engine.run(&ask)?;
        Ok((done.reply.word, Some(done.txn)))
    }))
}

/// What a move would do, and whether it is done.
fn asked(ask: EditPlan) -> Ask {
    Ask::Load(Box::new(move |engine| {
        let seen = engine.run(&ask).map(|done| done.reply);
        Data::Confirm(seen.map(|impact: Impact| {
            let mut text = format!("Move {}: {}", count(impact.outlets, "outlet"), impact.word);
            for (before, after) in impact.reps.iter().take(2) {
                text.push_str(&format!(
                    "; {} {:.1} > {:.1} h a week",
                    after.name,
                    before.hours_a_week(),
                    after.hours_a_week()
                ));
            }
            text.push_str(". Do it?");
            let job = act(move |engine| {
                let done = engine.run(&EditPlan { dry_run: false, ..ask })?;
                Ok((format!("Moved: {}", done.reply.word), Some(done.txn)))
            });
            (text, job)
        }))
    }))
}
