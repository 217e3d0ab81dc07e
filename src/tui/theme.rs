//! Styles by meaning, from theme files. An id falls back by dropping its last part:
//! `status.error` → `status` → `text`.

use crate::domain::{Failure, Outcome, text};
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;
use std::path::Path;

/// Colours the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    True,
    Indexed,
    Ansi,
    /// NO_COLOR or a terminal without any: weight, reverse and underline only.
    None,
}

impl Depth {
    /// From the environment, as the conventions of NO_COLOR and COLORTERM say.
    pub fn detect(get: impl Fn(&str) -> Option<String>) -> Depth {
        let has = |name: &str| get(name).filter(|v| !v.is_empty());
        let term = has("TERM").unwrap_or_default();
        if has("NO_COLOR").is_some() || term == "dumb" || term.ends_with("-m") || term == "vt100" {
            return Depth::None;
        }
        match has("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Depth::True,
            _ if term.contains("256color") => Depth::Indexed,
            _ => Depth::Ansi,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Theme {
    pub name: String,
    styles: BTreeMap<String, Style>,
}

pub const BUILT_IN: &[(&str, &str)] = &[
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// What files say before colours are resolved for a depth.
#[derive(Default)]
struct Source {
    name: String,
    palette: BTreeMap<String, toml::Value>,
    styles: BTreeMap<String, (toml::Value, String, usize)>,
}

impl Theme {
    pub fn load(name: &str, folder: Option<&Path>, depth: Depth) -> Outcome<Theme> {
        let mut source = Source::default();
        source.lay(name, folder, 0)?;
        let mut theme = Theme { name: source.name.clone(), styles: BTreeMap::new() };
        for (id, (value, file, line)) in &source.styles {
            let style = source
                .style(value, depth)
                .map_err(|why| Failure::invalid(format!("{file}:{line}: {why}")))?;
            theme.styles.insert(id.clone(), style);
        }
        Ok(theme)
    }

    pub fn get(&self, id: &str) -> Style {
        let mut id = id;
        loop {
            if let Some(style) = self.styles.get(id) {
                return *style;
            }
            match id.rsplit_once('.') {
                Some((parent, _)) => id = parent,
                None => return self.styles.get("text").copied().unwrap_or_default(),
            }
        }
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.styles.keys().map(String::as_str)
    }
}

impl Source {
    fn lay(&mut self, name: &str, folder: Option<&Path>, depth: usize) -> Outcome<()> {
        let (file, text) = crate::tui::config_text("themes", name, BUILT_IN, folder)?;
        let table = crate::tui::parse_toml(&file, &text)?;
        if let Some(base) = table.get("inherits").and_then(|v| v.as_str()) {
            if depth > 4 {
                return Err(Failure::invalid(format!("{file}: themes inherit from each other in a circle")));
            }
            self.lay(base, folder, depth + 1)?;
        }
        self.name = table.get("name").and_then(|v| v.as_str()).unwrap_or(name).to_owned();
        for (key, value) in table.get("palette").and_then(|v| v.as_table()).into_iter().flatten() {
            self.palette.insert(key.clone(), value.clone());
        }
        for (key, value) in table.get("style").and_then(|v| v.as_table()).into_iter().flatten() {
            let line = crate::tui::line_of(&text, Some("style"), key);
            self.styles.insert(key.clone(), (value.clone(), file.clone(), line));
        }
        Ok(())
    }

    fn style(&self, value: &toml::Value, depth: Depth) -> Result<Style, String> {
        let mut style = Style::default();
        if let Some(name) = value.as_str() {
            return Ok(style.fg(self.color(&toml::Value::String(name.into()), depth)?));
        }
        let table = value.as_table().ok_or("a style is a colour or a table with fg, bg and mods")?;
        for (key, value) in table {
            match key.as_str() {
                "fg" => style = style.fg(self.color(value, depth)?),
                "bg" => style = style.bg(self.color(value, depth)?),
                "mods" => {
                    for name in value.as_array().ok_or("mods is a list")? {
                        style = style.add_modifier(modifier(name.as_str().unwrap_or_default())?);
                    }
                }
                other => return Err(format!("a style has no \"{other}\"")),
            }
        }
        if depth == Depth::None {
            (style.fg, style.bg) = (None, None);
        }
        Ok(style)
    }

    /// A palette name, a colour's name, `#rrggbb`, or `{ rgb = …, ansi = … }`.
    fn color(&self, value: &toml::Value, depth: Depth) -> Result<Color, String> {
        match value {
            toml::Value::String(name) => match self.palette.get(name) {
                Some(of) if of.as_str() != Some(name) => self.color(of, depth),
                _ => named(name),
            },
            toml::Value::Table(table) => {
                let wanted = if depth == Depth::True { "rgb" } else { "ansi" };
                let text = table.get(wanted).or_else(|| table.values().next()).and_then(|v| v.as_str());
                named(text.unwrap_or_default())
            }
            _ => Err("a colour is a name or { rgb, ansi }".into()),
        }
    }
}

fn named(name: &str) -> Result<Color, String> {
    if name == "default" {
        return Ok(Color::Reset);
    }
    let plain = name.replace('-', "");
    plain.parse().map_err(|_| {
        let names =
            ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "gray", "white", "default"];
        match text::nearest(name, names.into_iter(), 1).first() {
            Some(near) => format!("\"{name}\" is not a colour; did you mean {near}?"),
            None => format!("\"{name}\" is not a colour"),
        }
    })
}

fn modifier(name: &str) -> Result<Modifier, String> {
    Ok(match name {
        "bold" => Modifier::BOLD,
        "dim" => Modifier::DIM,
        "italic" => Modifier::ITALIC,
        "underlined" => Modifier::UNDERLINED,
        "reverse" => Modifier::REVERSED,
        other => return Err(format!("\"{other}\" is not one of bold, dim, italic, underlined, reverse")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fall_back_and_mono_tells_meanings_apart() {
        let theme = Theme::load("terminal", None, Depth::Ansi).unwrap();
        assert_eq!(theme.get("selection.nosuch"), theme.get("selection"));
        assert_eq!(theme.get("nosuch"), theme.get("text"));
        for (name, depth) in [("mono", Depth::Ansi), ("mono", Depth::None)] {
            let theme = Theme::load(name, None, depth).unwrap();
            for (a, b) in
                [("won", "lost"), ("selection", "text"), ("status.error", "status"), ("mark", "text")]
            {
                assert_ne!(theme.get(a), theme.get(b), "{a} and {b} look alike in {name}");
            }
        }
    }

    #[test]
    fn depth_follows_the_environment() {
        let with = |pairs: &'static [(&str, &str)]| {
            Depth::detect(move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(with(&[("TERM", "xterm-256color")]), Depth::Indexed);
        assert_eq!(with(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Depth::None);
        assert_eq!(with(&[("TERM", "xterm"), ("NO_COLOR", "")]), Depth::Ansi);
    }
}
