//! Every command line in the documents runs, and generated documents are fresh.

use crate::program::{Pams, Ran};
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
    let mut sessions = Vec::new();
    let mut block: Option<Vec<String>> = None;
    for line in text.lines() {
        match (&mut block, line.trim()) {
            (None, "```sh") => block = Some(vec![]),
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
            let pams = Pams::with_names();
            let sample = std::path::absolute("sample-data").unwrap();
            std::os::unix::fs::symlink(sample, pams.path().join("sample-data")).unwrap();
            for line in session {
                let words = words(&line);
                let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
                // What needs a terminal, and what measures for minutes, is run elsewhere.
                if words.is_empty() || words == ["demo"] || words.starts_with(&["dev"]) {
                    continue;
                }
                let mut command = pams.command(&words);
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

/// `PAMS_WRITE_DOCS=1 cargo test` writes them anew.
#[test]
fn generated_documents_are_fresh() {
    let pams = Pams::new();
    let mut keys = String::from(
        "# Keys\n\nMade from `keymaps/default.toml` by a test; `pams keys` prints the keys in force.\n\n\
         | Place | Keys | What it does |\n|---|---|---|\n",
    );
    for item in pams.json(&["keys"])["items"].as_array().unwrap() {
        let text = |name: &str| item[name].as_str().unwrap_or_default().replace('|', "\\|");
        keys.push_str(&format!("| {} | `{}` | {} |\n", text("scope"), text("keys"), text("title")));
    }
    let path = Path::new("docs/keys.md");
    if std::env::var_os("PAMS_WRITE_DOCS").is_some() {
        std::fs::write(path, &keys).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stored == keys, "docs/keys.md is stale: run PAMS_WRITE_DOCS=1 cargo test");
}
