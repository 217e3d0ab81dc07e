//! A home of its own for measuring and for torture: nothing of the person's is touched.

use crate::changes::Via;
use crate::cli::default_identity;
use crate::config::{self, Folders, Scratch};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Measurements of one thing; the middle one is told.
const TIMES: usize = 7;

pub struct Bench {
    pub scratch: Scratch,
    pub folders: Folders,
}

impl Bench {
    pub fn new() -> Outcome<Bench> {
        let scratch = Scratch::new()?;
        let folders = Folders::find(Some(&scratch.0), None)?;
        let engine = Engine::open(folders.places(), Via::Cli, config::now_ms, false)?;
        engine.run(&default_identity())?;
        Ok(Bench { scratch, folders })
    }

    pub fn engine(&self) -> Outcome<Engine> {
        Engine::open(self.folders.places(), Via::Cli, config::now_ms, false)
    }

    /// This program once more on the same home.
    pub fn pams(&self, words: &[&str]) -> Outcome<Command> {
        let failed = |e: std::io::Error| Failure::internal(said(&e));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("--home").arg(&self.scratch.0).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }

    /// Runs it to its end; the seconds that it took.
    pub fn run(&self, words: &[&str]) -> Outcome<f64> {
        let start = Instant::now();
        let status = self.pams(words)?.status().map_err(|e| Failure::internal(said(&e)))?;
        match status.code() {
            Some(0 | 8) => Ok(start.elapsed().as_secs_f64()),
            code => Err(Failure::internal(format!("{words:?} ended with {code:?}"))),
        }
    }
}

/// The middle of some runs, in milliseconds.
pub fn middle(mut run: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[TIMES / 2])
}
