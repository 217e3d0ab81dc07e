//! The frame of ARCHITECTURE.md, enforced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Layers from the bottom up; a layer imports only those before it.
const LAYERS: [&str; 17] = [
    "solver", "random", "domain", "frames", "changes", "columns", "intake", "store", "jobs", "services",
    "engine", "config", "remote", "server", "tui", "cli", "main",
];
const MAX_LINES: usize = 900;

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("src"), &mut found);
    found.sort();
    found
}

fn layer(path: &Path) -> String {
    let inside = path.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The part of a file that is not its tests.
fn code(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests")
        .or(text.find("#[cfg(test)]\npub(crate) mod tests"))
        .map_or(text, |at| &text[..at])
}

#[test]
fn imports_point_downwards() {
    for path in sources() {
        let own = layer(&path);
        let Some(rank) = LAYERS.iter().position(|l| *l == own) else {
            assert_eq!(own, "lib", "{} is in no layer", path.display());
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in code(&text).lines().enumerate() {
            for piece in line.split("crate::").skip(1) {
                let of: String = piece.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if let Some(other) = LAYERS.iter().position(|l| *l == of) {
                    assert!(other <= rank, "{}:{}: {own} imports {of}", path.display(), number + 1);
                }
            }
        }
    }
}

#[test]
fn files_are_short_enough_to_read_and_say_what_they_are() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= MAX_LINES, "{} has {} lines", path.display(), text.lines().count());
        assert!(text.starts_with("//!"), "{} has no module doc", path.display());
    }
}

#[test]
fn nothing_panics_or_prints_by_the_way() {
    let banned = [".unwrap()", ".expect(", "dbg!(", "todo!(", "unimplemented!(", " println!(", "\tprintln!("];
    for path in sources() {
        if path.file_name().is_some_and(|n| n == "model.rs") || path.ends_with("main.rs") {
            continue; // models are tests; main is the edge
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in code(&text).lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            for word in banned {
                assert!(!line.contains(word), "{}:{}: {word}", path.display(), number + 1);
            }
        }
    }
}

/// Only `tui/terminal/` knows crossterm, only `store/` knows redb.
#[test]
fn outside_crates_stay_behind_their_door() {
    for (word, door) in [("crossterm::", "src/tui/terminal"), ("redb::", "src/store"), ("clap::", "src/cli")]
    {
        for path in sources().into_iter().filter(|p| !p.starts_with(door)) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!code(&text).contains(word), "{} uses {word}", path.display());
        }
    }
}

/// PL-04: each row of the catalogue's table names tests that exist.
#[test]
fn the_catalogue_names_tests_that_exist() {
    let mut all = String::new();
    for path in sources() {
        all.push_str(&std::fs::read_to_string(&path).unwrap());
    }
    for entry in std::fs::read_dir("tests/it").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    let text = std::fs::read_to_string("docs/CATALOGUE.md").unwrap();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| Row")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        *rows.entry(cells[1].to_owned()).or_default() += 1;
        let mut named = 0;
        for test in cells[4].split('`').skip(1).step_by(2) {
            named += 1;
            assert!(all.contains(&format!("fn {test}(")), "{}: there is no test {test}", cells[1]);
        }
        assert!(named > 0 || cells[4].starts_with("open:"), "{} names no test and no reason", cells[1]);
    }
    assert!(rows.values().all(|n| *n == 1), "a row stands twice");
    assert!(rows.len() >= 15, "{} rows", rows.len());
}
