//! Settings with their origin: built in, the user's file, environment.

use crate::config::Folders;
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use std::collections::BTreeMap;

/// A setting's value and where it comes from.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Setting {
    pub value: String,
    pub origin: String,
}

/// name, default, meaning
pub const KNOWN: &[(&str, &str, &str)] = &[
    ("keymap", "default", "keys of the terminal interface: default, vim, emacs or a file's name"),
    ("theme", "terminal", "colours: terminal, dark, light, high-contrast, mono or a file's name"),
    ("mouse", "auto", "auto is off over SSH; on, off"),
    ("scroll", "page", "how lists scroll: page, line"),
    ("banner", "", "a word that is always seen, such as PRODUCTION; a profile shows its name"),
    ("wins.watch", "", "a folder whose workbooks are imported as they come"),
];

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub values: BTreeMap<String, Setting>,
}

impl Settings {
    /// Reads `config.toml` in the config folder, and `PAMS_…` variables over it.
    pub fn load(folders: &Folders) -> Outcome<Settings> {
        let mut values = BTreeMap::new();
        for (name, default, _) in KNOWN {
            values
                .insert((*name).to_owned(), Setting { value: (*default).into(), origin: "built in".into() });
        }
        let path = folders.config.join("config.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let origin = path.display().to_string();
                let table: toml::Table =
                    text.parse().map_err(|e: toml::de::Error| at(&origin, &text, e.span(), e.message()))?;
                lay(&mut values, "", &table, &origin)?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                return Err(Failure::invalid(format!("{} cannot be read: {}", path.display(), said(&e))));
            }
        }
        for (name, ..) in KNOWN {
            let variable = format!("PAMS_{}", name.to_uppercase().replace('.', "_"));
            if let Ok(value) = std::env::var(&variable) {
                values.insert((*name).to_owned(), Setting { value, origin: variable });
            }
        }
        Ok(Settings { values })
    }

    /// A file that changes nothing and says what can be set.
    pub fn template() -> String {
        let lines = KNOWN.iter().map(|(name, default, meaning)| {
            let (table, key) = name.split_once('.').map_or(("", *name), |(table, key)| (table, key));
            let head = if table.is_empty() { String::new() } else { format!("# [{table}]\n") };
            format!("# {meaning}\n{head}# {key} = \"{default}\"\n")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |s| s.value.as_str())
    }
}

fn lay(
    values: &mut BTreeMap<String, Setting>,
    prefix: &str,
    table: &toml::Table,
    origin: &str,
) -> Outcome<()> {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        let text = match value {
            toml::Value::Table(inner) => {
                lay(values, &format!("{name}."), inner, origin)?;
                continue;
            }
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !KNOWN.iter().any(|(known, ..)| *known == name) {
            let near = crate::domain::text::nearest(&name, KNOWN.iter().map(|k| k.0), 1);
            let failure = Failure::invalid(format!("{origin}: there is no setting \"{name}\""));
            return Err(match near.first() {
                Some(near) => failure.hint(format!("Did you mean {near}?")),
                None => failure.hint("`pams config show` lists them"),
            });
        }
        values.insert(name, Setting { value: text, origin: origin.to_owned() });
    }
    Ok(())
}

/// A fault in a text file, with its line.
pub fn at(file: &str, text: &str, span: Option<std::ops::Range<usize>>, message: &str) -> Failure {
    let line = span.map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
    Failure::invalid(format!("{file}:{line}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_what_can_be_set_and_sets_nothing() {
        let text = Settings::template();
        assert!(text.parse::<toml::Table>().unwrap().is_empty());
        let set: String = text
            .lines()
            .filter(|l| l.contains(" = \"") || l.contains('['))
            .map(|l| format!("{}\n", &l[2..]))
            .collect();
        let mut values = BTreeMap::new();
        lay(&mut values, "", &set.parse().unwrap(), "template").unwrap();
        assert_eq!(values.len(), KNOWN.len(), "{set}");
    }

    #[test]
    fn an_unknown_setting_names_its_neighbour_and_a_fault_its_line() {
        let mut values = BTreeMap::new();
        let table: toml::Table = "[wins]\nwach = \"x\"".parse().unwrap();
        let failure = lay(&mut values, "", &table, "config.toml").unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("Did you mean wins.watch?"));
        let text = "a = 1\nb = = 2";
        let error = text.parse::<toml::Table>().unwrap_err();
        assert!(at("f.toml", text, error.span(), error.message()).message.starts_with("f.toml:2:"));
    }
}
