//! What is done to one activity or to many.

use super::{Activities, BULK, MANY, activities, view};
use crate::domain::schema::Kind;
use crate::domain::{Id, text};
use crate::services::activities::{DeleteMany, ListActivities, SaveMany, Which};
use crate::services::input::Input;
use crate::services::show::Item;
use crate::tui::msg::Data;
use crate::tui::overlay::Question;
use crate::tui::panes::{Ask, act};
use crate::tui::picker::{Choice, Picker, Purpose};
use crate::tui::quick::{Prompt, Wanted};

impl Activities {
    /// The marked rows, all that match, or the row under the cursor.
    pub(super) fn which(&self) -> (Which, Option<usize>) {
        let marks = &self.rows.list.marks;
        if self.rows.all_marked {
            let except = marks.iter().copied().collect();
            let list = Box::new(ListActivities { cursor: None, ..self.list() });
            return (Which::Matching { list, except }, self.rows.marked(self.total));
        }
        let named: Vec<String> = match marks.is_empty() {
            true => self.here().map(|i| i.id.to_string()).into_iter().collect(),
            false => marks.iter().map(Id::to_string).collect(),
        };
        let count = named.len();
        (Which::Named(named), Some(count))
    }

    pub(super) fn how_many(&self) -> String {
        match self.which().1 {
            Some(n) => match n {
                1 => "1 activity".into(),
                n => format!("{n} activities"),
            },
            None => "all that match".into(),
        }
    }

    pub(super) fn bulk_fields(&self) -> Ask {
        let schema = Kind::Activity.schema();
        let fields = BULK.iter().filter_map(|name| schema.field_named(name));
        let choices = fields.map(|f| Choice::new(f.label(), "", f.name)).collect();
        let title = format!("Which field of {} to set", self.how_many());
        Ask::Pick(Box::new(Picker::new(title, Purpose::Pane("bulk"), choices)))
    }

    pub(super) fn delete(&self) -> Ask {
        let (which, count) = self.which();
        let many = self.how_many();
        let job: crate::tui::msg::Job = Box::new(move |engine| {
            let done = engine.run(&DeleteMany { which });
            let told = done.map(|r| (format!("Deleted {}", activities(r.reply)), Some(r.txn)));
            Data::DoneThen(told, Box::new(|panes, _| panes.activities.rows.unmark()))
        });
        match count {
            Some(n) if n <= MANY => Ask::Act(job),
            _ => Ask::Confirm(Question::Act(job), format!("Delete {many}?")),
        }
    }

    pub(super) fn step_of_row(&self, id: &str) -> Ask {
        let (label, what) = match id {
            "due.snooze" => ("put off until (fri, +3, 12.3.)", "snooze"),
            "due.give" => ("give to", "give"),
            _ => return self.set_step([("next_step", ""), ("next_due", ""), ("next_owner", "")], "Done"),
        };
        Ask::Prompt(Prompt::new(label, "", Wanted::Pane(what.into())))
    }

    pub(super) fn set_step<const N: usize>(&self, fields: [(&str, &str); N], word: &str) -> Ask {
        let Some(item) = self.here() else { return Ask::Nothing };
        let input: Input = fields.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let (which, text) = (item.id.to_string(), format!("{word}: {}", item.text("next_step")));
        Ask::Act(act(move |engine| {
            let many = SaveMany { which: Which::Named(vec![which]), input, ack: vec!["ACT-02".into()] };
            Ok((text, Some(engine.run(&many)?.txn)))
        }))
    }

    pub(super) fn set_all(&self, field: &str, typed: &str) -> Ask {
        let (which, _) = self.which();
        let input = Input::from([(field.to_owned(), typed.to_owned())]);
        let label = field.replace('_', " ");
        let to = if typed.is_empty() { "nothing".to_owned() } else { typed.to_owned() };
        Ask::Act(act(move |engine| {
            let ack = vec!["ACT-02".into()];
            let done = engine.run(&SaveMany { which, input, ack })?;
            Ok((format!("The {label} of {} is {to}", activities(done.reply)), Some(done.txn)))
        }))
    }

    /// The rows marked among those held, or the row under the cursor, as a table.
    pub(super) fn copy(&self) -> Ask {
        let marked: Vec<&Item> = self.rows.iter().filter(|i| self.rows.is_marked(i.id)).collect();
        let rows = if marked.is_empty() { self.here().into_iter().collect() } else { marked };
        let line =
            |item: &&Item| view::CELLS.map(|name| item.text(name).replace(['\t', '\n'], " ")).join("\t");
        let count = rows.len();
        Ask::Copy(rows.iter().map(line).collect::<Vec<_>>().join("\n"), text::count(count, "row"))
    }
}
