//! Views and templates kept under a name, and lists written to files: what several
//! panes do alike.

use crate::domain::schema::Kind;
use crate::domain::{Failure, Outcome};
use crate::engine::{Engine, export as exports};
use crate::services::activities::ListActivities;
use crate::services::input::Input;
use crate::services::records::{List, MAX_LIMIT, Save};
use crate::services::show::Item;
use crate::tui::msg::Data;
use crate::tui::panes::{Ask, act};
use crate::tui::picker::{Choice, Picker, Purpose};
use serde::Serialize;

/// Views of the activities that everybody has.
const BUILT_IN: [(&str, &str); 5] = [
    ("My month", "{}"),
    ("Everybody's month", r#"{"everyone":true}"#),
    ("Mine, all dates", r#"{"all_dates":true}"#),
    ("Hours still open, all dates", r#"{"all_dates":true,"filter":"effort:none"}"#),
    ("Follow-ups", r#"{"view":"Due"}"#),
];

fn kept(engine: &Engine, of: &str) -> Outcome<Vec<Item>> {
    let list = List {
        kind: Kind::Preset,
        filter: None,
        archived: false,
        account: None,
        limit: MAX_LIMIT,
        cursor: None,
    };
    Ok(engine.ask(&list)?.items.into_iter().filter(|item| item.text("view") == of).collect())
}

/// Choosing one of those kept for `of`; the pane hears of it as `purpose`.
pub fn pick(title: &'static str, of: &'static str, purpose: &'static str) -> Ask {
    Ask::Load(Box::new(move |engine| {
        Data::Picker(kept(engine, of).and_then(|items| {
            let built_in = BUILT_IN.iter().filter(|_| of == "activities");
            let mut choices: Vec<Choice> =
                built_in.map(|(name, value)| Choice::new(*name, "built in", *value)).collect();
            for item in items {
                let text = item.text("filter");
                // Written by hand, it is what is looked for.
                let value = match serde_json::from_str::<serde_json::Value>(&text) {
                    Ok(value) if value.is_object() => text,
                    _ => serde_json::json!({ "filter": text }).to_string(),
                };
                choices.push(Choice::new(item.text("name"), item.text("scope"), value));
            }
            match choices.is_empty() {
                true => Err(Failure::not_found(format!("There is no {of} yet"))
                    .hint("Make one of the row under the cursor with ctrl-t")),
                false => Ok(Box::new(Picker::new(title, Purpose::Pane(purpose), choices))),
            }
        }))
    }))
}

/// Keeps a value under a name; one of the same name is replaced.
pub fn save(of: &'static str, name: &str, value: &impl Serialize) -> Ask {
    let name = name.trim().to_owned();
    let value = serde_json::to_string(value).unwrap_or_default();
    Ask::Act(act(move |engine| {
        let old = kept(engine, of)?.into_iter().find(|item| item.text("name") == name);
        let texts = [("name", name.as_str()), ("view", of), ("filter", &value), ("owner", "me")];
        let input: Input = texts.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let word = if old.is_some() { "Replaced" } else { "Kept as" };
        let id = old.map(|item| item.id);
        let save = Save { kind: Kind::Preset, id, input, seen_rev: None, ack: vec![] };
        let done = engine.run(&save)?;
        Ok((format!("{word} \"{name}\""), Some(done.txn)))
    }))
}

/// Writes a list to a file, tabs between the cells if it is called so.
pub fn export(list: ListActivities, path: &str) -> Ask {
    let path = path.trim().to_owned();
    Ask::Act(act(move |engine| {
        let rows = exports::write_new(engine, &list, &path)?;
        Ok((format!("{} written to {path}", crate::domain::text::count(rows, "row")), None))
    }))
}
