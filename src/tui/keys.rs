//! Keys, sequences of keys, and the keymap files that turn them into commands.

use crate::domain::{Failure, Outcome, text};
use crate::tui::command;
use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

/// A key press. Letters carry their own shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub code: Code,
    pub ctrl: bool,
    pub alt: bool,
    pub shift: bool,
}

const NAMED: [(&str, Code); 15] = [
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("insert", Code::Insert),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("home", Code::Home),
    ("end", Code::End),
    ("pageup", Code::PageUp),
    ("pagedown", Code::PageDown),
    ("space", Code::Char(' ')),
];

impl Key {
    pub fn plain(code: Code) -> Key {
        Key { code, ctrl: false, alt: false, shift: false }
    }

    /// `ctrl-p`, `G`, `space`, `shift-tab`, `f5`.
    pub fn parse(name: &str) -> Option<Key> {
        let mut key = Key::plain(Code::Enter);
        let mut rest = name;
        while let Some((modifier, tail)) =
            rest.split_once('-').filter(|(m, t)| !m.is_empty() && !t.is_empty())
        {
            match modifier {
                "ctrl" => key.ctrl = true,
                "alt" => key.alt = true,
                "shift" => key.shift = true,
                _ => return None,
            }
            rest = tail;
        }
        let mut letters = rest.chars();
        key.code = match (letters.next(), letters.next()) {
            (Some(c), None) => Code::Char(c),
            (Some('f'), Some(d)) if d.is_ascii_digit() => {
                Code::F(rest[1..].parse().ok().filter(|n| (1..=12).contains(n))?)
            }
            _ => NAMED.iter().find(|(n, _)| *n == rest)?.1,
        };
        // Letters carry shift themselves.
        let bad_shift = key.shift && matches!(key.code, Code::Char(_));
        (!bad_shift).then_some(key)
    }

    /// The character to put into a text, if that is what the key means there.
    pub fn typed(&self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modifiers = [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")];
        modifiers.iter().filter(|(on, _)| *on).try_for_each(|(_, name)| f.write_str(name))?;
        match self.code {
            Code::F(n) => write!(f, "f{n}"),
            Code::Char(c) if c != ' ' => write!(f, "{c}"),
            code => f.write_str(NAMED.iter().find(|(_, c)| *c == code).map_or("?", |(n, _)| n)),
        }
    }
}

/// What the keys typed so far mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    Commands(Vec<&'static str>),
    /// The beginning of one or more sequences.
    Prefix,
    None,
}

/// Scope → keys → commands, run one after the other.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    scopes: BTreeMap<String, BTreeMap<Vec<Key>, Vec<&'static str>>>,
    /// What can never be reached, with file and line.
    pub warnings: Vec<String>,
}

pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../keymaps/default.toml")),
    ("vim", include_str!("../../keymaps/vim.toml")),
    ("emacs", include_str!("../../keymaps/emacs.toml")),
];

impl Keymap {
    /// A built-in keymap or `keymaps/NAME.toml` of the user's, with what it inherits.
    pub fn load(name: &str, folder: Option<&std::path::Path>) -> Outcome<Keymap> {
        let mut keymap = Keymap::default();
        keymap.lay(name, folder, 0)?;
        Ok(keymap)
    }

    fn lay(&mut self, name: &str, folder: Option<&std::path::Path>, depth: usize) -> Outcome<()> {
        let (file, text) = crate::tui::config_text("keymaps", name, BUILT_IN, folder)?;
        let table = crate::tui::parse_toml(&file, &text)?;
        if let Some(base) = table.get("inherits").and_then(|v| v.as_str()) {
            if depth > 4 {
                return Err(Failure::invalid(format!("{file}: keymaps inherit from each other in a circle")));
            }
            self.lay(base, folder, depth + 1)?;
        }
        for (scope, keys) in table.iter().filter(|(k, _)| *k != "inherits") {
            let at = |key: &str, why: String| {
                let line = crate::tui::line_of(&text, Some(scope), key);
                Failure::invalid(format!("{file}:{line}: {why}"))
            };
            let keys = keys.as_table().ok_or_else(|| at("", format!("[{scope}] is a table of keys")))?;
            for (sequence, command) in keys {
                let parsed: Option<Vec<Key>> = sequence.split(' ').map(Key::parse).collect();
                let parsed = parsed.ok_or_else(|| at(sequence, format!("\"{sequence}\" is not a key")))?;
                let of_scope = self.scopes.entry(scope.clone()).or_default();
                let named = |id: &str| {
                    let near = || text::nearest(id, command::ALL.iter().map(|c| c.id), 1);
                    let hint = || near().first().map(|n| format!("; did you mean {n}?")).unwrap_or_default();
                    let unknown = || at(sequence, format!("there is no command \"{id}\"{}", hint()));
                    command::find(id).map(|spec| spec.id).ok_or_else(unknown)
                };
                match command {
                    toml::Value::Boolean(false) => drop(of_scope.remove(&parsed)),
                    toml::Value::String(id) => drop(of_scope.insert(parsed, vec![named(id)?])),
                    toml::Value::Array(all) if !all.is_empty() => {
                        let ids = all.iter().map(|id| named(id.as_str().unwrap_or_default()));
                        of_scope.insert(parsed, ids.collect::<Outcome<Vec<_>>>()?);
                    }
                    _ => {
                        let why = "a key means a command's name, a list of them, or false";
                        return Err(at(sequence, why.into()));
                    }
                }
            }
            let of_scope = self.scopes.entry(scope.clone()).or_default();
            for (keys, _) in keys {
                let line = crate::tui::line_of(&text, Some(scope), keys);
                if let Some(why) = unreachable(of_scope, keys) {
                    self.warnings.push(format!("{file}:{line}: \"{keys}\" can never be reached: {why}"));
                }
            }
        }
        Ok(())
    }

    /// Asks the scopes innermost first.
    pub fn lookup(&self, scopes: &[&str], keys: &[Key]) -> Match {
        let mut prefix = false;
        for scope in scopes {
            let Some(map) = self.scopes.get(*scope) else { continue };
            if let Some(commands) = map.get(keys) {
                return Match::Commands(commands.clone());
            }
            prefix |= map.keys().any(|k| k.len() > keys.len() && k.starts_with(keys));
        }
        if prefix { Match::Prefix } else { Match::None }
    }

    /// The keys of a command in these scopes, the shortest first.
    pub fn keys_of(&self, command: &str, scopes: &[&str]) -> Option<String> {
        let maps = scopes.iter().filter_map(|s| self.scopes.get(*s));
        let keys =
            maps.flat_map(|m| m.iter()).filter(|(_, c)| c.as_slice() == [command]).map(|(k, _)| show(k));
        keys.min_by_key(|k| (k.chars().count(), k.clone()))
    }

    /// What can follow the keys typed so far.
    pub fn following(&self, scopes: &[&str], keys: &[Key]) -> Vec<(String, &'static str)> {
        let mut all = Vec::new();
        for map in scopes.iter().filter_map(|s| self.scopes.get(*s)) {
            for (sequence, command) in map.iter().filter(|(k, _)| k.len() > keys.len() && k.starts_with(keys))
            {
                all.extend(command.first().map(|id| (show(&sequence[keys.len()..]), *id)));
            }
        }
        all
    }

    /// All of it: scope, keys, command.
    pub fn all(&self) -> impl Iterator<Item = (&str, String, &'static str)> {
        self.scopes.iter().flat_map(|(scope, map)| {
            map.iter().flat_map(move |(k, all)| all.iter().map(move |c| (scope.as_str(), show(k), *c)))
        })
    }
}

/// Why keys of a scope are never heard.
fn unreachable(of_scope: &BTreeMap<Vec<Key>, Vec<&'static str>>, written: &str) -> Option<String> {
    let keys: Vec<Key> = written.split(' ').map(Key::parse).collect::<Option<_>>()?;
    let plain = [("ctrl-i", "tab"), ("ctrl-m", "enter"), ("ctrl-[", "esc"), ("ctrl-h", "backspace")];
    if let Some((_, same)) = plain.iter().find(|(name, _)| keys.iter().any(|k| k.to_string() == *name)) {
        return Some(format!("most terminals send it as {same}"));
    }
    let shorter = (1..keys.len()).find(|n| of_scope.contains_key(&keys[..*n]))?;
    Some(format!("\"{}\" is taken first", show(&keys[..shorter])))
}

fn show(keys: &[Key]) -> String {
    keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_one() {
        for name in ["ctrl-p", "G", "space", "shift-tab", "f5", "alt-x", "-", "ctrl--", ";", "pagedown"] {
            assert_eq!(Key::parse(name).unwrap().to_string(), name);
        }
        for name in ["", "shift-a", "hyper-x", "f13", "spacebar"] {
            assert_eq!(Key::parse(name), None, "{name}");
        }
    }

    #[test]
    fn sequences_wait_and_inner_scopes_win() {
        let keymap = Keymap::load("default", None).unwrap();
        let key = |n: &str| Key::parse(n).unwrap();
        assert_eq!(keymap.lookup(&["global"], &[key("g")]), Match::Prefix);
        assert_eq!(keymap.lookup(&["global"], &[key("g"), key("a")]), Match::Commands(vec!["go.activities"]));
        assert_eq!(
            keymap.lookup(&["overlay", "global"], &[key("ctrl-p")]),
            Match::Commands(vec!["overlay.up"])
        );
        assert_eq!(keymap.lookup(&["global"], &[key("Z")]), Match::None);
    }

    #[test]
    fn a_bad_file_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("keymaps")).unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("keymaps/mine.toml"), text).unwrap();
        write("inherits = \"default\"\n[global]\n\"f2\" = \"go.hom\"\n");
        let message = Keymap::load("mine", Some(folder.path())).unwrap_err().message;
        assert!(message.contains("mine.toml:3:") && message.contains("go.home"), "{message}");
        write(
            "inherits = \"default\"\n[list]\n\"g\" = [\"list.mark\", \"list.down\"]\n\"ctrl-i\" = \"list.up\"\n\"g x\" = \"list.up\"\n",
        );
        let keymap = Keymap::load("mine", Some(folder.path())).unwrap();
        let both = Match::Commands(vec!["list.mark", "list.down"]);
        assert_eq!(keymap.lookup(&["list"], &[Key::parse("g").unwrap()]), both);
        assert!(
            keymap.warnings.iter().any(|w| w.contains("mine.toml:4:") && w.contains("tab")),
            "{:?}",
            keymap.warnings
        );
        assert!(keymap.warnings.iter().any(|w| w.contains("mine.toml:5:") && w.contains("taken first")));
        write("inherits = \"default\"\n[global]\n\"q\" = false\n\"f2\" = \"go.home\"\n");
        let keymap = Keymap::load("mine", Some(folder.path())).unwrap();
        assert_eq!(keymap.lookup(&["global"], &[Key::parse("q").unwrap()]), Match::None);
        assert_eq!(keymap.keys_of("go.home", &["global"]).unwrap(), "1");
    }
}
