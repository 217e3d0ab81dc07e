//! A process that stays while work of minutes is under way: the terminal that began it may
//! be closed, its line cut, its process killed. It is a guest like any other, and becomes
//! the host when there is none.

use super::{Clock, Engine, Places};
use crate::changes::Via;
use crate::domain::Outcome;
use crate::jobs::Workers;
use crate::services::jobs::{JobState, ListJobs};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Rest between two looks at what is left to do.
const LOOK: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts such a process. Where it cannot be started the work goes on as long as a host
    /// does, and again with the next one.
    pub fn reside(&self) {
        let Workers::Process(program) = &self.places.workers else { return };
        if !self.places.lasting || self.read_only {
            return;
        }
        let child = Command::new(program)
            .arg("job-resident")
            .args([&self.places.store, &self.places.socket])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A line that is cut at this very moment takes the terminal's group with it.
            .process_group(0)
            .spawn();
        if let Ok(mut child) = child {
            let _ = std::thread::Builder::new().name("pams-resident".into()).spawn(move || child.wait());
        }
    }
}

/// The process itself: out of the session of the terminal that started it, until no work of
/// minutes waits.
pub fn stay(places: Places, clock: Clock) -> Outcome<()> {
    let engine = Engine::open(places, Via::Job, clock, false)?;
    loop {
        let jobs = engine.ask(&ListJobs {})?;
        if !jobs.iter().any(|j| j.is_long() && j.state == JobState::Waiting) {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}
