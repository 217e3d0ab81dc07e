//! Every command line in the documents runs, and generated documents are fresh.

use crate::program::{Pams, Ran};
use pams::tui::command;
use pams::tui::keys::Keymap;
use pams::tui::theme::{self, Depth, Theme};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All Markdown of the project.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "sample-data/README.md"]
            .iter()
            .map(PathBuf::from)
            .collect();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The words of a shell line, with double quotes; `# …` is a remark.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                any = true;
            }
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            '#' if !quoted && word.is_empty() => break,
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The lines of `sh` blocks that call the program. A block is one session in order.
fn sessions(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut sessions: Vec<Vec<String>> = Vec::new();
    let mut block: Option<Vec<String>> = None;
    for line in text.lines() {
        match (&mut block, line.trim()) {
            (None, "```sh") => block = Some(vec![]),
            // A runbook goes on from block to block.
            (Some(_), "```") if path.starts_with("docs/runbooks") && !sessions.is_empty() => {
                sessions[0].extend(block.take().unwrap_or_default());
            }
            (Some(_), "```") => sessions.extend(block.take()),
            (Some(lines), line) if line.starts_with("pams ") => lines.push(line.to_owned()),
            _ => {}
        }
    }
    sessions
}

#[test]
fn every_command_line_in_the_documents_runs() {
    let mut ran = 0;
    for path in documents() {
        for session in sessions(&path) {
            // A profile with records asks before it signs in.
            let serves = session.iter().any(|line| line.contains(" serve "));
            let pams = if serves { Pams::new() } else { Pams::with_names() };
            let sample = std::path::absolute("sample-data").unwrap();
            std::os::unix::fs::symlink(sample, pams.path().join("sample-data")).unwrap();
            std::fs::write(pams.path().join("secret.txt"), "a sentence of my own\n").unwrap();
            let mut served = None;
            for line in session {
                let line = Served::in_place(&served, &pams, &line);
                let words = words(&line);
                let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
                // What needs a terminal, and what measures for minutes, is run elsewhere.
                let quick = [["dev", "journey"], ["dev", "bench-solver"]];
                let is_long = words.starts_with(&["dev"]) && !quick.iter().any(|q| words.starts_with(q));
                if words.is_empty() || words == ["demo"] || is_long {
                    continue;
                }
                if words.contains(&"serve") {
                    served = Some(Served::start(&pams, &words));
                    ran += 1;
                    continue;
                }
                let mut command = match words.contains(&"--home") {
                    true => pams.elsewhere(&words),
                    false => pams.command(&words),
                };
                let output = command.current_dir(pams.path()).output().unwrap();
                let Ran { code, out, err } = Ran {
                    code: output.status.code().unwrap_or(-1),
                    out: String::from_utf8_lossy(&output.stdout).into_owned(),
                    err: String::from_utf8_lossy(&output.stderr).into_owned(),
                };
                // 8: done, and rows were set aside, as the sample's are.
                assert!(matches!(code, 0 | 8), "{}: {line}: {out}{err}", path.display());
                ran += 1;
            }
        }
    }
    assert!(ran >= 15, "the documents show only {ran} command lines");
}

/// A server that a document starts, on a port of its own.
struct Served {
    child: std::process::Child,
    url: String,
    key: String,
}

impl Served {
    fn start(pams: &Pams, words: &[&str]) -> Served {
        use std::io::{BufRead, BufReader};
        let mut command = pams.elsewhere(words);
        command.arg("--json").stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Served { child, url: text("url"), key: text("fingerprint") }
    }

    /// A document's line with the addresses and folders of this machine.
    fn in_place(served: &Option<Served>, pams: &Pams, line: &str) -> String {
        let home = pams.path().join("srv").display().to_string();
        let line = line.replace("/srv/pams", &home).replace("0.0.0.0:8443", "127.0.0.1:0");
        match served {
            Some(s) => {
                line.replace("https://pams.example:8443", &s.url).replace("SHA256:FINGERPRINT", &s.key)
            }
            None => line,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `PAMS_WRITE_DOCS=1 cargo test` writes them anew.
#[test]
fn generated_documents_are_fresh() {
    for (path, text) in [
        ("docs/keys.md", keys()),
        ("docs/commands.md", commands()),
        ("docs/themes.md", themes()),
        ("docs/rules.md", rules()),
    ] {
        if std::env::var_os("PAMS_WRITE_DOCS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == text, "{path} is stale: run PAMS_WRITE_DOCS=1 cargo test");
    }
}

fn rules() -> String {
    let mut text = String::from(
        "# Rules of imports\n\nGenerated from `src/intake/rules.rs`; `pams import rules` prints the same.\n\n\
         *refused*: the whole file is; *fix*: the row waits until it is mended or set aside; *look*: the\n\
         row goes in and a person should look; *skipped*: the row is no data.\n\n\
         | Code | Weight | What | What to do |\n|---|---|---|---|\n",
    );
    for rule in pams::intake::rules::RULES {
        let weight = format!("{:?}", rule.weight).to_lowercase();
        text += &format!("| {} | {weight} | {} | {} |\n", rule.code, rule.label, rule.fix);
    }
    text
}

/// Scope and command → keys, in the order of the registry.
fn keys_of(name: &str) -> BTreeMap<(String, &'static str), String> {
    let mut found: BTreeMap<(String, &'static str), String> = BTreeMap::new();
    for (scope, keys, id) in Keymap::load(name, None).unwrap().all() {
        let all = found.entry((scope.to_owned(), id)).or_default();
        *all = if all.is_empty() { format!("`{keys}`") } else { format!("{all} `{keys}`") };
    }
    found
}

fn keys() -> String {
    let mut text = String::from(
        "# Keys\n\nMade by a test from the files in `keymaps/`; `pams keys` prints those in force. \
         `keymap = \"vim\"` or `\"emacs\"` in `config.toml` takes another one; a file of your own in \
         `keymaps/` of the config folder is laid over the one it inherits.\n\n\
         | Place | What it does | default | vim | emacs |\n|---|---|---|---|---|\n",
    );
    let maps = ["default", "vim", "emacs"].map(keys_of);
    let mut rows: Vec<&(String, &str)> = maps.iter().flat_map(|m| m.keys()).collect();
    let place = |id: &str| command::ALL.iter().position(|spec| spec.id == id);
    rows.sort_by_key(|(scope, id)| (scope.clone(), place(id)));
    rows.dedup();
    for (scope, id) in rows {
        let title = command::find(id).unwrap().title;
        let cells = maps.each_ref().map(|m| m.get(&(scope.clone(), *id)).cloned().unwrap_or_default());
        text.push_str(&format!(
            "| {scope} | {title} | {} |\n",
            cells.map(|c| c.replace('|', "\\|")).join(" | ")
        ));
    }
    text
}

fn commands() -> String {
    let mut text = String::from(
        "# Actions of the terminal interface\n\nMade by a test from the registry. The id is what a keymap \
         names; `ctrl-p` finds an action by its title, these words, or its key.\n\n\
         | Id | What it does | Also found by | Where |\n|---|---|---|---|\n",
    );
    for spec in command::ALL {
        text.push_str(&format!("| `{}` | {} | {} | {} |\n", spec.id, spec.title, spec.words, spec.scope));
    }
    text
}

fn themes() -> String {
    let mut text = String::from(
        "# Themes\n\nMade by a test from the files in `themes/`. `theme = \"dark\"` in `config.toml` takes \
         another one; a file of your own in `themes/` of the config folder inherits what it does not say. \
         A colour is a name, `#rrggbb`, or `{ rgb = …, ansi = … }`; `mods` are bold, dim, italic, underlined \
         and reverse. An id that a theme does not have is drawn as the one before its last dot.\n\n",
    );
    for (name, source) in theme::BUILT_IN {
        let about = source.lines().next().unwrap_or_default().trim_start_matches("# ");
        text.push_str(&format!("- `{name}`: {about}\n"));
    }
    text.push_str("\n| Style |");
    theme::BUILT_IN.iter().for_each(|(name, _)| text.push_str(&format!(" {name} |")));
    text.push_str("\n|---|");
    theme::BUILT_IN.iter().for_each(|_| text.push_str("---|"));
    let all: Vec<Theme> =
        theme::BUILT_IN.iter().map(|(name, _)| Theme::load(name, None, Depth::True).unwrap()).collect();
    for id in all[0].ids() {
        text.push_str(&format!("\n| `{id}` |"));
        for theme in &all {
            text.push_str(&format!(" {} |", theme::say(theme.get(id))));
        }
    }
    text.push('\n');
    text
}

/// The screen in the README is the one people see.
#[test]
fn the_readme_shows_home_as_it_is() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let snapshot = std::fs::read_to_string("tests/it/snapshots/it__screens__home_at_80_by_24.snap").unwrap();
    let home = snapshot.splitn(3, "---\n").nth(2).unwrap();
    assert!(readme.contains(home.trim_end()), "the README shows another Home than the snapshot");
}
