//! What is done in Migration: months confirmed, promoted and taken back, rows chosen for,
//! texts named.

use super::{Migration, View};
use crate::domain::schema::Kind;
use crate::domain::text::count;
use crate::services::input::Input;
use crate::services::migration::{
    ChooseRows, ConfirmMonths, DUPLICATES, DropStubs, FinishMigration, MakeStubs, NameLegacy, PromoteMonth,
    ReopenMonths, RollBackMonth, Rules, SetRules, Stepped, What, issues,
};
use crate::tui::overlay::Question;
use crate::tui::panes::{Ask, act, merge};
use crate::tui::picker::{Choice, Picker, Purpose};
use crate::tui::quick::{Prompt, Wanted};
use std::collections::BTreeMap;

/// Fields of a row that a live activity can be merged with.
const MERGED: [&str; 12] = [
    "type",
    "account",
    "project",
    "effort",
    "summary",
    "use_cases",
    "next_step",
    "next_due",
    "next_owner",
    "participants",
    "details",
    "outcome",
];

fn told(what: &str, done: &Stepped) -> String {
    let mut parts = vec![format!("{what} {}", done.month)];
    for (n, word) in [(done.promoted, "live"), (done.merged, "merged")] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    if done.kept > 0 {
        parts.push(count(done.kept, "draft"));
    }
    if done.drafted > 0 {
        parts.push(format!("{} changed since: see Drafts", done.drafted));
    }
    parts.join(", ")
}

impl Migration {
    pub(super) fn act(&mut self, id: &str) -> Ask {
        let which = self.which();
        match id {
            "migration.batch" => {
                let choice = |l: &crate::services::migration::Loaded| {
                    Choice::new(l.file.clone(), format!("{} rows, {}", l.rows, l.at), l.id.to_string())
                };
                let all = self.loads.iter().flatten().map(choice).collect();
                Ask::Pick(Box::new(Picker::new("Which load?", Purpose::Pane("load"), all)))
            }
            "migration.issue" => {
                let all = std::iter::once("all").chain(issues());
                let counted = self.shown.as_ref().map(|s| s.tally.clone()).unwrap_or_default();
                let rows = |issue: &str| match issue {
                    "all" => counted.rows,
                    "ready" => counted.ready,
                    "waits" => counted.waits,
                    "near" => counted.near,
                    "same" => counted.same,
                    "repeats" => counted.repeats,
                    "rejected" => counted.rejected,
                    "promoted" => counted.promoted,
                    "merged" => counted.merged,
                    lack => counted.lacks.get(lack).copied().unwrap_or(0),
                };
                let choice = |issue: &'static str| Choice::new(issue, count(rows(issue), "row"), issue);
                let with = all.filter(|issue| *issue == "all" || rows(issue) > 0);
                Ask::Pick(Box::new(Picker::new(
                    "Which rows?",
                    Purpose::Pane("issue"),
                    with.map(choice).collect(),
                )))
            }
            "migration.rules" => {
                let rules = self.counted.as_ref().map(|c| c.rules.clone()).unwrap_or_default();
                let label = |rule: &str| match rule {
                    "ask" => "Ask for each row",
                    "live" => "The live activity counts; what it lacks is filled",
                    "legacy" => "The file counts, written over what is live",
                    "newer" => "What was said last counts",
                    "both" => "Texts one behind the other, else the live one",
                    _ => "Both stay: the row is an activity of its own",
                };
                let choice = |rule: &'static str| {
                    let note = if rule == rules.duplicates { "now" } else { "" };
                    Choice::new(label(rule), note, rule)
                };
                let mut all: Vec<Choice> = DUPLICATES.into_iter().map(choice).collect();
                let effort = rules.effort.map_or("none".into(), crate::domain::effort::show_effort);
                all.push(Choice::new("Effort of rows without one", format!("now {effort}"), "effort"));
                let title = "Where a live activity is like a row";
                Ask::Pick(Box::new(Picker::new(title, Purpose::Pane("rules"), all)))
            }
            "migration.confirm" => self.confirm(which),
            "migration.promote" => self.step(which, "Promote", "Promoted", |engine, which, month| {
                let done = engine.run(&PromoteMonth { which, month })?;
                Ok((done.reply, done.txn))
            }),
            "migration.rollback" => {
                self.step(which, "Take back the promotion of", "Rolled back", |e, which, month| {
                    let done = e.run(&RollBackMonth { which, month })?;
                    Ok((done.reply, done.txn))
                })
            }
            "migration.reopen" => {
                let Some(month) = self.month_here() else { return Ask::Nothing };
                Ask::Act(act(move |engine| {
                    let done = engine.run(&ReopenMonths { which, months: vec![month] })?;
                    Ok((format!("{} is open again", month.long()), Some(done.txn)))
                }))
            }
            "migration.live" => self.choose(What::Merge, Some("live")),
            "migration.legacy" => self.choose(What::Merge, Some("legacy")),
            "migration.newer" => self.choose(What::Merge, Some("newer")),
            "migration.both" => self.choose(What::Merge, Some("both")),
            "migration.own" => self.choose(What::New, None),
            "migration.reject" => self.choose(What::Reject, None),
            "migration.as_rules" => self.choose(What::Rules, None),
            "record.edit" if self.view == View::Rows && self.row_shown().is_some() => {
                let choice = |name: &str| Choice::new(name.replace('_', " "), "", name);
                let all = ["owner", "date"].into_iter().chain(MERGED).map(choice).collect();
                Ask::Pick(Box::new(Picker::new("Type which field anew?", Purpose::Pane("field"), all)))
            }
            "record.edit" if self.view == View::Names => self.ask_name(),
            "migration.stubs" => {
                let unknown = |scope: &str| {
                    let names = self.names.iter().flatten();
                    names.filter(|n| n.scope == scope).count()
                };
                let choice = |(scope, label): (&'static str, &'static str)| {
                    Choice::new(format!("Make {label}"), unknown(scope).to_string(), scope)
                };
                let mut all: Vec<Choice> = [
                    ("account", "accounts"),
                    ("project", "projects"),
                    ("type", "types"),
                    ("usecase", "use cases"),
                    ("owner", "people"),
                ]
                .map(choice)
                .into();
                all.insert(0, Choice::new("Make all but people", "", ""));
                Ask::Pick(Box::new(Picker::new("Records of unknown texts", Purpose::Pane("stubs"), all)))
            }
            "migration.unstub" => {
                let job = act(move |engine| {
                    let done = engine.run(&DropStubs { which })?;
                    Ok((format!("{} taken away", count(done.reply.len(), "record")), Some(done.txn)))
                });
                Ask::Confirm(Question::Act(job), "Take away the records that nothing uses?".into())
            }
            "record.merge" => {
                let Some(stub) = self.stubs.as_ref().and_then(|s| s.get(self.made.cursor)) else {
                    return Ask::Nothing;
                };
                let label = format!("merge {} into", stub.name);
                Ask::Prompt(Prompt::new(
                    &label,
                    "",
                    Wanted::Pane(format!("merge {} {}", stub.kind.name(), stub.id)),
                ))
            }
            "migration.finish" => {
                let drafts = self.counted.as_ref().map_or(0, |c| c.total.drafts);
                let file = self.counted.as_ref().map(|c| c.loaded.file.clone()).unwrap_or_default();
                let job = act(move |engine| {
                    let done = engine.run(&FinishMigration { which, agreed: true })?;
                    Ok(("The migration is finished: its activities stay".into(), Some(done.txn)))
                });
                let left = if drafts > 0 {
                    format!(" {} stay behind.", count(drafts, "draft"))
                } else {
                    String::new()
                };
                Ask::Confirm(Question::Act(job), format!("Finish the migration of {file}?{left}"))
            }
            _ => Ask::Nothing,
        }
    }

    fn confirm(&self, which: String) -> Ask {
        let Some(month) = self.month_here() else { return Ask::Nothing };
        let tally = self.counted.iter().flat_map(|c| &c.months).find(|m| m.month == month.to_string());
        let waits = tally.map_or(0, |t| t.waits + t.near);
        let job = act(move |engine| {
            let done = engine.run(&ConfirmMonths { which, months: vec![month], agreed: true })?;
            Ok((format!("{} is confirmed: P promotes it", month.long()), Some(done.txn)))
        });
        match waits {
            0 => Ask::Act(job),
            n => {
                let text = format!("Confirm {}? {} wait and stay drafts.", month.long(), count(n, "row"));
                Ask::Confirm(Question::Act(job), text)
            }
        }
    }

    fn step(
        &self,
        which: String,
        question: &str,
        word: &'static str,
        run: impl FnOnce(
            &crate::engine::Engine,
            String,
            crate::domain::when::Month,
        ) -> crate::domain::Outcome<(Stepped, crate::domain::Id)>
        + Send
        + 'static,
    ) -> Ask {
        let Some(month) = self.month_here() else { return Ask::Nothing };
        let job = act(move |engine| {
            let (done, txn) = run(engine, which, month)?;
            Ok(match done.changed {
                true => (told(word, &done), Some(txn)),
                false => (format!("{}: nothing to do", month.long()), None),
            })
        });
        Ask::Confirm(Question::Act(job), format!("{question} {}?", month.long()))
    }

    /// The rows that are meant: the marked ones, or the one under the cursor.
    fn meant(&self) -> Vec<usize> {
        let rows = self.shown.iter().flat_map(|s| &s.rows);
        match self.rows.marks.is_empty() {
            true => self.row_shown().map(|row| row.row).into_iter().collect(),
            false => rows.filter(|r| self.rows.marks.contains(&r.item.id)).map(|r| r.row).collect(),
        }
    }

    fn choose(&mut self, what: What, side: Option<&str>) -> Ask {
        let mut sides = BTreeMap::new();
        if let Some(side) = side {
            let here = self.row_shown().and_then(|r| r.fields.keys().nth(self.fields.cursor).cloned());
            match here.filter(|_| self.inside) {
                Some(field) => drop(sides.insert(field, side.to_owned())),
                None => sides.extend(MERGED.map(|name| (name.to_owned(), side.to_owned()))),
            }
        }
        if self.inside {
            self.fields.command("list.down");
        }
        self.send(what, sides, Input::new())
    }

    fn send(&mut self, what: What, sides: BTreeMap<String, String>, input: Input) -> Ask {
        let (Some(month), rows) = (self.month, self.meant()) else { return Ask::Nothing };
        if rows.is_empty() {
            return Ask::Nothing;
        }
        self.rows.marks.clear();
        let ask = ChooseRows { which: self.which(), month, rows, issue: String::new(), what, sides, input };
        Ask::Act(act(move |engine| {
            let done = engine.run(&ask)?;
            Ok((format!("Chosen for {}", count(done.reply, "row")), Some(done.txn)))
        }))
    }

    pub(super) fn ask_name(&self) -> Ask {
        let Some(name) = self.names.as_ref().and_then(|n| n.get(self.unknown.cursor)) else {
            return Ask::Nothing;
        };
        let label = format!("{} \"{}\" is (- leaves it out)", name.scope, name.raw);
        let near = name.near.first().cloned().unwrap_or_default();
        let what = format!("name {} {}", name.scope, name.raw);
        Ask::Prompt(Prompt::new(&label, &near, Wanted::Pane(what)))
    }

    pub(super) fn open_stub(&self) -> Ask {
        match self.stubs.as_ref().and_then(|s| s.get(self.made.cursor)) {
            Some(stub) => Ask::Open(stub.kind, stub.id.to_string()),
            None => Ask::Nothing,
        }
    }

    pub(super) fn typed(&mut self, what: &str, typed: &str) -> Ask {
        let typed = typed.trim().to_owned();
        if let Some((scope, raw)) = what.strip_prefix("name ").and_then(|rest| rest.split_once(' ')) {
            let name = NameLegacy { scope: scope.into(), raw: raw.into(), who: typed };
            return Ask::Act(act(move |engine| {
                let done = engine.run(&name)?;
                let is = if done.reply.is_empty() { "left out".into() } else { done.reply };
                Ok((format!("{} is {is}", name.raw), Some(done.txn)))
            }));
        }
        if let Some((kind, id)) = what.strip_prefix("merge ").and_then(|rest| rest.split_once(' ')) {
            return match Kind::parse(kind) {
                Some(kind) => merge(kind, id.to_owned(), typed),
                None => Ask::Nothing,
            };
        }
        if what == "effort" {
            let mut rules = self.counted.as_ref().map(|c| c.rules.clone()).unwrap_or_default();
            let which = self.which();
            return Ask::Act(act(move |engine| {
                let day = engine.ask(&crate::services::setup::WhoAmI {})?.day_minutes;
                rules.effort = match typed.as_str() {
                    "" | "-" => None,
                    text => Some(
                        crate::domain::effort::parse_effort(text, day)
                            .map_err(crate::domain::Failure::invalid)?,
                    ),
                };
                let done = engine.run(&SetRules { which, rules })?;
                Ok(("The rule is set".into(), Some(done.txn)))
            }));
        }
        match what.strip_prefix("set ") {
            Some(field) => {
                let input = [(field.to_owned(), typed)].into();
                let what = self.row_shown().map_or(What::Rules, |row| row.choice.what);
                self.send(what, BTreeMap::new(), input)
            }
            None => Ask::Nothing,
        }
    }

    pub(super) fn chosen(&mut self, what: &str, value: &str) -> Ask {
        let which = self.which();
        match (what, value) {
            ("field", field) => {
                let shown = if field == "effort" { "effort_text" } else { field };
                let now = self.row_shown().map(|row| row.item.text(shown)).unwrap_or_default();
                let label = field.replace('_', " ");
                Ask::Prompt(Prompt::new(&label, &now, Wanted::Pane(format!("set {field}"))))
            }
            ("rules", "effort") => {
                let label = "effort of rows without one (- for none)";
                Ask::Prompt(Prompt::new(label, "", Wanted::Pane("effort".into())))
            }
            ("rules", rule) => {
                let before = self.counted.as_ref().map(|c| c.rules.clone()).unwrap_or_default();
                // Who chooses that the file counts means it to be written over what is live.
                let overwrite = matches!(rule, "legacy" | "newer");
                let rules = Rules { duplicates: rule.to_owned(), overwrite, ..before };
                Ask::Act(act(move |engine| {
                    let done = engine.run(&SetRules { which, rules })?;
                    Ok(("The rule is set".into(), Some(done.txn)))
                }))
            }
            ("stubs", scope) => {
                let scopes: Vec<String> = if scope.is_empty() { vec![] } else { vec![scope.to_owned()] };
                Ask::Act(act(move |engine| {
                    let done = engine.run(&MakeStubs { which, scopes })?;
                    Ok((format!("{} made", count(done.reply.len(), "record")), Some(done.txn)))
                }))
            }
            _ => Ask::Nothing,
        }
    }
}
