//! The terminal interface. `update` and `draw` are pure; work goes to the engine as
//! effects and comes back as messages; only `terminal/` knows crossterm.

mod answers;
mod app;
pub mod command;
mod draw;
pub mod form;
mod keep;
pub mod keys;
mod layers;
pub mod list;
pub mod map;
pub mod msg;
mod overlay;
pub mod panes;
mod picker;
pub mod plain;
mod quick;
mod review;
mod review_view;
mod run;
pub mod table;
mod terminal;
pub mod testing;
pub mod theme;
pub mod widgets;

pub use app::PREFETCH;
pub use run::run;

use crate::domain::failure::said;
use crate::domain::{Failure, Outcome, text};
use std::path::Path;

/// A built-in text, or the user's file of that name, with how to call it in errors.
fn config_text(
    kind: &str,
    name: &str,
    built_in: &[(&str, &str)],
    folder: Option<&Path>,
) -> Outcome<(String, String)> {
    if let Some(folder) = folder {
        let path = folder.join(kind).join(format!("{name}.toml"));
        match std::fs::read_to_string(&path) {
            Ok(text) => return Ok((path.display().to_string(), text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                return Err(Failure::invalid(format!("{} cannot be read: {}", path.display(), said(&e))));
            }
        }
    }
    match built_in.iter().find(|(n, _)| *n == name) {
        Some((_, text)) => Ok((format!("{kind}/{name}.toml"), (*text).to_owned())),
        None => {
            let near = text::nearest(name, built_in.iter().map(|b| b.0), 1);
            let names: Vec<&str> = built_in.iter().map(|b| b.0).collect();
            let hint = near
                .first()
                .map_or_else(|| format!("There are {}", names.join(", ")), |n| format!("Did you mean {n}?"));
            Err(Failure::invalid(format!("There is no {} \"{name}\"", kind.trim_end_matches('s'))).hint(hint))
        }
    }
}

fn parse_toml(file: &str, text: &str) -> Outcome<toml::Table> {
    text.parse().map_err(|e: toml::de::Error| crate::config::settings::at(file, text, e.span(), e.message()))
}

/// The line of a key inside a `[section]`, counted from 1, for errors.
fn line_of(text: &str, section: Option<&str>, key: &str) -> usize {
    let mut inside = section.is_none();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            inside = section == Some(name.trim());
            if inside && key.is_empty() {
                return number + 1;
            }
        } else if inside && line.split('=').next().is_some_and(|k| k.trim().trim_matches('"') == key) {
            return number + 1;
        }
    }
    1
}
