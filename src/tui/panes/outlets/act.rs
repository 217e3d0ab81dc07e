//! What is done in the list of outlets.

use super::{COLUMNS, Outlets};
use crate::domain::schema::Kind;
use crate::domain::text;
use crate::engine::{Engine, files};
use crate::services::input::Input;
use crate::services::outlets::filter::is;
use crate::services::outlets::{EditOutlets, MENDABLE, SumOutlets, TypedOutlet, WhichOutlets};
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::msg::{Data, FormStart, Job};
use crate::tui::overlay::Question;
use crate::tui::panes::{Ask, act};
use crate::tui::picker::{Choice, Picker, Purpose};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::thousands;

/// Outlets changed without a question.
const MANY: usize = 20;

impl Outlets {
    pub(super) fn list_command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if self.inside && self.lines.command(id) {
            return Ask::Nothing;
        }
        if id == "list.mark"
            && let Some(item) = self.rows.current()
        {
            self.marked.insert(item.id, item.text("code"));
        }
        if !self.inside
            && let Some(want) = self.rows.command(id)
        {
            if let Some(want) = want {
                self.fetch(want, cx);
            }
            self.lines.cursor = 0;
            self.look(cx);
            return Ask::Nothing;
        }
        let code = self.here();
        match (id, code) {
            ("record.open", Some(_)) if !self.inside => {
                self.inside = true;
                self.look(cx);
            }
            ("list.inside", _) => {
                self.inside = !self.inside;
                self.look(cx);
            }
            ("record.open" | "record.edit", Some(code)) => return edit(code),
            ("list.filter", _) => return Ask::Prompt(Prompt::new("filter", &self.filter, Wanted::Filter)),
            ("outlets.sort", _) => return self.fields("Sort by; the same again turns it round", "sort"),
            ("outlets.reverse", _) => {
                self.descending = !self.descending;
                self.start(cx);
            }
            ("outlets.sum", _) => return self.fields("Sum by which field", "sum"),
            ("outlets.set", _) => {
                let title = format!("Which field of {} to set", self.how_many());
                return self.fields(&title, "set");
            }
            ("outlets.export", _) => {
                return Ask::Prompt(Prompt::new(
                    "write what is listed to",
                    "outlets.csv",
                    Wanted::Pane("export".into()),
                ));
            }
            ("list.copy", _) => return self.copy(),
            _ => {}
        }
        Ask::Nothing
    }

    /// Fields to choose one of: those that any outlet has, or all that can be set.
    fn fields(&self, title: &str, what: &'static str) -> Ask {
        let fits = |name: &str| match what {
            "set" => name != "code",
            "sort" => name == "code" || self.present.iter().any(|p| p == name),
            _ => self.present.iter().any(|p| p == name) && name != "code",
        };
        let all = Kind::Outlet.schema().fields.iter().filter(|f| !f.system && fits(f.name));
        let mut choices: Vec<Choice> = all.map(|f| Choice::new(f.label(), "", f.name)).collect();
        if what != "set" {
            choices.extend(self.extras().map(|title| Choice::new(title, "", title)));
        }
        Ask::Pick(Box::new(Picker::new(title, Purpose::Pane(what), choices)))
    }

    /// The marked rows, all that match, or the row under the cursor.
    fn which(&self) -> (WhichOutlets, Option<usize>) {
        let marks = &self.rows.list.marks;
        if self.rows.all_marked {
            let (filter, rule) = (self.filter.clone(), self.rule.clone());
            return (
                WhichOutlets::Matching { filter, rule, except: marks.clone() },
                self.rows.marked(self.count),
            );
        }
        let codes: Vec<String> = match marks.is_empty() {
            true => self.here().into_iter().collect(),
            false => marks.iter().filter_map(|id| self.marked.get(id).cloned()).collect(),
        };
        let count = codes.len();
        (WhichOutlets::Named(codes), Some(count))
    }

    pub(super) fn how_many(&self) -> String {
        match self.which().1 {
            Some(n) => outlets(n),
            None => "all that match".into(),
        }
    }

    pub(super) fn set_all(&self, field: &str, typed: &str) -> Ask {
        let ((which, count), many) = (self.which(), self.how_many());
        let input = Input::from([(field.to_owned(), typed.to_owned())]);
        let label = field.replace('_', " ");
        let to = if typed.is_empty() { "nothing".to_owned() } else { typed.to_owned() };
        let said = format!("The {label} of {many} is {to}");
        let job = change(EditOutlets { which, input, mend: String::new() }, said);
        match count {
            Some(n) if n <= MANY => Ask::Act(job),
            _ => Ask::Confirm(Question::Act(job), format!("Set the {label} of {many} to {to}?")),
        }
    }

    /// The rule under the cursor, what mending it does, and how many rows it points at.
    pub(super) fn mendable(&self) -> Option<(String, &'static str, u64)> {
        let rule = self.quality.as_ref()?.rules.get(self.rules.cursor)?;
        let (code, what) = MENDABLE.iter().find(|(code, _)| *code == rule.code)?;
        Some(((*code).to_owned(), what, rule.rows))
    }

    /// Mends all that the rule points at.
    pub(super) fn mend(&self) -> Ask {
        let Some((code, what, rows)) = self.mendable() else { return Ask::Nothing };
        let which =
            WhichOutlets::Matching { filter: String::new(), rule: code.clone(), except: Default::default() };
        let job =
            change(EditOutlets { which, input: Input::new(), mend: code.clone() }, format!("{code}: mended"));
        Ask::Confirm(Question::Act(job), format!("{code}, {}: {what}?", outlets(rows as usize)))
    }

    /// The values of a field; one of them narrows the list.
    pub(super) fn sum(&self, field: &str) -> Ask {
        let ask =
            SumOutlets { field: field.to_owned(), filter: self.filter.clone(), rule: self.rule.clone() };
        let (field, filter) = (field.to_owned(), self.filter.clone());
        Ask::Load(Box::new(move |engine: &Engine| {
            Data::Picker(engine.ask(&ask).map(|sums| {
                let choice = |(value, rows): &(String, u64)| {
                    let share = 100.0 * *rows as f64 / sums.rows.max(1) as f64;
                    let note = format!("{:>11} {share:>6.2} %", thousands(*rows));
                    let label = if value.is_empty() { "(none)" } else { value };
                    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
                    let part = match (plain(&field), plain(value)) {
                        (true, true) => format!("{field}={value}"),
                        (true, false) => format!("{field}=\"{}\"", value.replace('"', "")),
                        _ => is(&field, value),
                    };
                    Choice::new(label, note, format!("{filter} {part}").trim())
                };
                let title = format!(
                    "{}: {} different in {}",
                    field.replace('_', " "),
                    thousands(sums.different),
                    thousands(sums.rows)
                );
                Box::new(Picker::new(title, Purpose::Pane("value"), sums.values.iter().map(choice).collect()))
            }))
        }))
    }

    /// What is listed, as a file.
    pub(super) fn write(&self, path: &str) -> Ask {
        let (path, filter, rule) = (path.to_owned(), self.filter.clone(), self.rule.clone());
        if std::path::Path::new(&path).exists() {
            let text = format!("There is a file {path} already. Write over it?");
            return Ask::Confirm(Question::Act(write(path, filter, rule)), text);
        }
        Ask::Act(write(path, filter, rule))
    }

    /// The rows marked among those held, or the row under the cursor, as a table.
    fn copy(&self) -> Ask {
        let marked: Vec<&Item> = self.rows.iter().filter(|i| self.rows.is_marked(i.id)).collect();
        let rows = if marked.is_empty() { self.rows.current().into_iter().collect() } else { marked };
        let line = |item: &&Item| {
            let cells =
                std::iter::once("code").chain(COLUMNS).map(|name| item.text(name).replace(['\t', '\n'], " "));
            cells.collect::<Vec<_>>().join("\t")
        };
        let count = rows.len();
        Ask::Copy(rows.iter().map(line).collect::<Vec<_>>().join("\n"), text::count(count, "row"))
    }
}

fn outlets(n: usize) -> String {
    if n == 1 { "1 outlet".into() } else { format!("{} outlets", thousands(n as u64)) }
}

pub(super) fn change(edit: EditOutlets, said: String) -> Job {
    Box::new(move |engine| {
        let done = engine.run(&edit).map(|r| {
            let same = match r.reply.same {
                0 => String::new(),
                n => format!(", {} so already or not to be told", thousands(n as u64)),
            };
            (format!("{said}: {} changed{same}", outlets(r.reply.changed)), Some(r.txn))
        });
        let unmark = |panes: &mut crate::tui::panes::Panes, _: &mut Cx| panes.outlets.rows.unmark();
        Data::DoneThen(done, Box::new(unmark))
    })
}

fn write(path: String, filter: String, rule: String) -> Job {
    act(move |engine| {
        let rows = files::export_outlets(engine, &path, &filter, &rule)?;
        Ok((format!("{} written to {path}", outlets(rows)), None))
    })
}

/// The form of an outlet.
pub(super) fn edit(code: String) -> Ask {
    Ask::Load(Box::new(move |engine| {
        Data::Form(engine.ask(&TypedOutlet { code }).map(|(item, input)| FormStart {
            kind: Kind::Outlet,
            id: Some(item.id),
            rev: item.rev,
            title: format!("Outlet {}", item.text("code")),
            input,
            notes: vec![],
            draft: None,
            typed: false,
        }))
    }))
}
