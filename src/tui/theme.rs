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
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// The theme that has every style there is.
const BASE: &str = "terminal";

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
        let known = BUILT_IN.iter().find(|(n, _)| *n == BASE).map_or("", |(_, text)| text);
        let known = crate::tui::parse_toml(BASE, known)?;
        let known = known.get("style").and_then(|v| v.as_table()).cloned().unwrap_or_default();
        for (id, (_, file, line)) in &source.styles {
            let parents = std::iter::successors(Some(id.as_str()), |id| Some(id.rsplit_once('.')?.0));
            if !parents.into_iter().any(|id| known.contains_key(id)) {
                let near = text::nearest(id, known.keys().map(String::as_str), 1);
                let near = near.first().map(|n| format!("; did you mean {n}?")).unwrap_or_default();
                return Err(Failure::invalid(format!("{file}:{line}: there is no style \"{id}\"{near}")));
            }
        }
        // A theme with a ground of its own has it under everything.
        if let Some(base) = theme.styles.get("text").copied().filter(|base| base.bg.is_some()) {
            theme.styles.values_mut().for_each(|style| *style = base.patch(*style));
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
                let wanted = if matches!(depth, Depth::True | Depth::Indexed) { "rgb" } else { "ansi" };
                let text = table.get(wanted).or_else(|| table.values().next()).and_then(|v| v.as_str());
                match (named(text.unwrap_or_default())?, depth) {
                    (Color::Rgb(r, g, b), Depth::Indexed) => Ok(Color::Indexed(nearest_of_256(r, g, b))),
                    (color, _) => Ok(color),
                }
            }
            _ => Err("a colour is a name or { rgb, ansi }".into()),
        }
    }
}

/// A style in words: colour, ground, weight.
pub fn say(style: Style) -> String {
    let colour = |c: Option<Color>| c.map(|c| c.to_string().to_lowercase());
    let mut parts: Vec<String> = colour(style.fg).into_iter().collect();
    parts.extend(colour(style.bg).map(|c| format!("on {c}")));
    parts.extend(style.add_modifier.iter_names().map(|(name, _)| name.to_lowercase()));
    parts.join(" ")
}

/// The nearest of the 6 × 6 × 6 colours and the 24 greys that xterm numbers from 16 on.
fn nearest_of_256(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |v: u8| (0..6).min_by_key(|n| STEPS[*n].abs_diff(v)).unwrap_or(0);
    let far =
        |of: [u8; 3]| -> u32 { of.iter().zip([r, g, b]).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    let cube = [step(r), step(g), step(b)];
    let grey = ((u32::from(r) + u32::from(g) + u32::from(b)) / 3).saturating_sub(3) / 10;
    let grey = grey.min(23) as u8;
    match far(cube.map(|n| STEPS[n])) <= far([8 + 10 * grey; 3]) {
        true => 16 + (36 * cube[0] + 6 * cube[1] + cube[2]) as u8,
        false => 232 + grey,
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
            for (a, b) in [
                ("won", "lost"),
                ("selection", "text"),
                ("status.error", "status"),
                ("status.error", "status.warning"),
                ("changed", "text"),
                ("mark", "text"),
            ] {
                assert_ne!(theme.get(a), theme.get(b), "{a} and {b} look alike in {name}");
            }
        }
    }

    /// Relative luminance and contrast of WCAG 2.2.
    fn contrast(a: Color, b: Color) -> f64 {
        let light = |color| {
            let Color::Rgb(r, g, b) = color else { panic!("{color:?} is not rgb") };
            let linear = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        let (a, b) = (light(a), light(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_pair_of_colours_can_be_read() {
        for name in ["dark", "light", "high-contrast"] {
            let theme = Theme::load(name, None, Depth::True).unwrap();
            for id in theme.ids() {
                let style = theme.get(id);
                let found = contrast(style.fg.unwrap(), style.bg.unwrap());
                assert!(found >= 4.5, "{name}: {id} has a contrast of {found:.1}");
                assert!(!style.add_modifier.contains(Modifier::DIM), "{name}: {id} is dimmed too");
            }
            for depth in [Depth::Indexed, Depth::Ansi, Depth::None] {
                Theme::load(name, None, depth).unwrap();
            }
        }
    }

    #[test]
    fn colours_have_a_neighbour_among_256() {
        for (rgb, index) in
            [((0, 0, 0), 16), ((255, 255, 255), 231), ((255, 0, 0), 196), ((128, 128, 128), 244)]
        {
            assert_eq!(nearest_of_256(rgb.0, rgb.1, rgb.2), index, "{rgb:?}");
        }
    }

    #[test]
    fn a_bad_theme_is_told_with_its_line_and_the_nearest_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("themes")).unwrap();
        for (text, parts) in [
            ("inherits = \"dark\"\n[style]\n\"selecton\" = \"red\"\n", ["mine.toml:3:", "selection"]),
            ("[style]\n\"text\" = \"blu\"\n", ["mine.toml:2:", "blue"]),
            ("[style]\n\"text\" = { mods = [\"fat\"] }\n", ["mine.toml:2:", "bold"]),
        ] {
            std::fs::write(folder.path().join("themes/mine.toml"), text).unwrap();
            let message = Theme::load("mine", Some(folder.path()), Depth::True).unwrap_err().message;
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
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
