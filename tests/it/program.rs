//! The real binary on a home of its own.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub const EXE: &str = env!("CARGO_BIN_EXE_pams");

/// The day on which tests take place, a Friday.
pub const NOW: &str = "2026-02-20";

pub struct Pams {
    home: TempDir,
    /// Variables set for each call.
    pub env: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Pams {
    pub fn new() -> Pams {
        Pams { home: TempDir::new().unwrap(), env: vec![("PAMS_NOW".into(), NOW.into())] }
    }

    /// One in a folder of this one.
    pub fn under(folder: &std::path::Path) -> Pams {
        Pams { home: TempDir::new_in(folder).unwrap(), ..Pams::new() }
    }

    /// A home with an account, a project and a use case.
    pub fn with_names() -> Pams {
        let pams = Pams::new();
        pams.ok(&["account", "add", "Acme Corp"]);
        pams.ok(&["account", "add", "Orbit Labs"]);
        pams.ok(&["project", "add", "Platform", "--account", "acme"]);
        pams.ok(&["usecase", "add", "Proof of concept"]);
        pams
    }

    pub fn path(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    pub fn store(&self) -> PathBuf {
        self.home.path().join("data/pams.redb")
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.elsewhere(words);
        command.arg("--home").arg(self.home.path());
        command
    }

    /// A call that names its home itself.
    pub fn elsewhere(&self, words: &[&str]) -> Command {
        let mut command = Command::new(EXE);
        command.args(words);
        command.env_remove("PAMS_HOME").env("USER", "ana").env("TZ", "UTC").env("LANG", "C.UTF-8");
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        let output = self.command(words).output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A call that reads this from standard input.
    pub fn run_with(&self, words: &[&str], input: &str) -> Ran {
        use std::io::Write;
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a call that must succeed.
    pub fn ok(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, 0, "{words:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// The JSON of a call that must succeed.
    pub fn json(&self, words: &[&str]) -> Value {
        let out = self.ok(&[words, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{words:?}: {e}: {out}"))
    }

    /// The JSON of a call that leaves something undone.
    pub fn partly(&self, words: &[&str]) -> Value {
        let ran = self.run(&[words, &["--json"]].concat());
        assert_eq!(ran.code, 8, "{words:?}: {}{}", ran.out, ran.err);
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{words:?}: {e}: {}", ran.out))
    }

    /// The error of a call that must fail with this code.
    pub fn fails(&self, code: i32, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, code, "{words:?}: {}{}", ran.out, ran.err);
        assert!(!ran.err.contains("panicked"), "{words:?}: {}", ran.err);
        ran.err
    }

    pub fn log(&self, line: &str) -> String {
        self.json(&["log", line])["id"].as_str().unwrap().to_owned()
    }

    /// Summaries of all activities, in the order of the list.
    pub fn summaries(&self) -> Vec<String> {
        let page = self.json(&["activity", "list", "--owner", "all"]);
        texts(&page["items"], "summary")
    }
}

/// One field of all items.
pub fn texts(items: &Value, field: &str) -> Vec<String> {
    let all = items.as_array().unwrap().iter();
    all.map(|i| i[field].as_str().unwrap_or_default().to_owned()).collect()
}
