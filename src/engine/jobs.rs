//! The host's runner: takes the jobs that wait, one after the other, has each done by a
//! worker, and writes what the worker finds. Work of minutes has a lane of its own: an
//! import does not wait behind an optimisation. A job that a host leaves unfinished still
//! waits; the next host goes on behind the last piece that was kept.

use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::engine::host::{Event, Events, Host};
use crate::frames::{self, Bytes};
use crate::jobs::{self, Control, Out, Workers};
use crate::services::jobs::{EndJob, Job, JobState, KeepPiece, ShowJob};
use crate::services::{Caller, Command, Query, new_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Least time between two reports of one job: five a second.
const REPORT: Duration = Duration::from_millis(200);

/// A host that is gone again by then, such as a command of a script, starts no work that
/// an earlier one left.
const HEAD_START: Duration = Duration::from_millis(150);

/// A job whose worker is killed so often is given up: it may be what takes all memory.
const MOST_TRIES: u32 = 5;

/// How far a job is: told while it runs, the latest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    pub job: Id,
    pub done: u64,
    pub total: u64,
    pub ended: bool,
    /// Work of minutes, such as an optimisation.
    pub long: bool,
}

pub struct Runner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Lanes of jobs: short ones, and those of minutes.
const LANES: [(&str, bool); 2] = [("pams-jobs", false), ("pams-long-jobs", true)];

struct Shared {
    host: Weak<Host>,
    workers: Workers,
    events: Events,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// Of each lane.
    nudged: [bool; LANES.len()],
    running: [Option<(Id, Arc<Control>)>; LANES.len()],
}

impl Runner {
    /// Looks for jobs when one is queued, and once at the start: an earlier host may have
    /// left some.
    pub fn start(host: Weak<Host>, workers: Workers, events: Events) -> Outcome<Runner> {
        let (state, wake) = (Mutex::new(State::default()), Condvar::new());
        let shared = Arc::new(Shared { host, workers, events, state, wake });
        let mut threads = Vec::new();
        for (lane, (name, _)) in LANES.iter().enumerate() {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name((*name).into()).spawn(move || shared.turn(lane));
            threads.push(thread.map_err(|e| Failure::internal(format!("A thread cannot be started: {e}")))?);
        }
        Ok(Runner { shared, threads })
    }

    /// The jobs that wait have changed: another one came, or the running one was
    /// cancelled.
    pub fn nudge(&self) {
        let mut state = self.shared.lock();
        state.nudged = [true; LANES.len()];
        self.shared.wake.notify_all();
        let running = state.running.clone();
        drop(state);
        for (id, control) in running.into_iter().flatten() {
            if self.shared.job(id).is_some_and(|job| job.state != JobState::Waiting) {
                control.stop();
            }
        }
    }
}

impl Drop for Runner {
    /// Stops the jobs under way, which go on waiting in the store.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        for (_, control) in state.running.iter().flatten() {
            control.stop();
        }
        self.shared.wake.notify_all();
        drop(state);
        for thread in self.threads.drain(..) {
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn turn(&self, lane: usize) {
        let rests = |s: &mut State| !s.nudged[lane] && !s.closed;
        let first = self.wake.wait_timeout_while(self.lock(), HEAD_START, rests);
        first.unwrap_or_else(|e| e.into_inner()).0.nudged[lane] = true;
        let mut tries = HashMap::new();
        loop {
            {
                let mut state = self.wake.wait_while(self.lock(), rests).unwrap_or_else(|e| e.into_inner());
                if state.closed {
                    return;
                }
                state.nudged[lane] = false;
            }
            let mut waiting: VecDeque<Job> = self.waiting(LANES[lane].1).into();
            while let Some(job) = waiting.pop_front() {
                let control = Arc::new(Control::default());
                {
                    let mut state = self.lock();
                    if state.closed {
                        return;
                    }
                    state.running[lane] = Some((job.id, control.clone()));
                }
                let again = self.run(&job, &control, &mut tries);
                let mut state = self.lock();
                state.running[lane] = None;
                state.nudged[lane] |= again;
            }
        }
    }

    fn waiting(&self, long: bool) -> Vec<Job> {
        let Some(host) = self.host.upgrade() else { return vec![] };
        let all: Outcome<Vec<Job>> = host.read(crate::services::jobs::all);
        let ours = |j: &Job| j.state == JobState::Waiting && j.is_long() == long;
        all.unwrap_or_default().into_iter().filter(ours).collect()
    }

    fn job(&self, id: Id) -> Option<Job> {
        let host = self.host.upgrade()?;
        let reply = host.call(ShowJob::NAME, &frames::encode(&ShowJob { id }).ok()?, &caller()).ok()?;
        frames::decode(&reply).ok()
    }

    /// Does a job; true where its worker was killed and it is to be tried again.
    fn run(&self, job: &Job, control: &Control, tries: &mut HashMap<Id, u32>) -> bool {
        // Cancelled since it was listed.
        if self.job(job.id).is_none_or(|job| job.state != JobState::Waiting) {
            return false;
        }
        let input = match self.host.upgrade() {
            Some(host) => host.read(|reads| crate::services::jobs::input(reads, job)),
            None => return false,
        };
        let mut progress = Progress { job: job.id, long: job.is_long(), ..Progress::default() };
        let mut told: Option<Instant> = None;
        let mut emit = |out: Out| match out {
            Out::Piece(piece) => self.command(&KeepPiece { job: job.id, piece }),
            Out::Progress { done, total } => {
                (progress.done, progress.total) = (done, total);
                // The first at once: somebody waits to see that it has begun.
                if told.is_none_or(|at| at.elapsed() >= REPORT) {
                    told = Some(Instant::now());
                    self.events.publish(&Event::Job(progress));
                }
                Ok(())
            }
        };
        let work = crate::services::jobs::work;
        let result = input.and_then(|i| jobs::run(&self.workers, work, &job.kind, &i, control, &mut emit));
        // Stopped because the host closes: the job waits for the next one.
        let closes = control.is_stopped() && self.lock().closed;
        let cut_off = result.as_ref().is_err_and(|f| f.kind == FailureKind::Offline);
        let tried = tries.entry(job.id).or_insert(0);
        *tried += u32::from(cut_off);
        let again = cut_off && *tried < MOST_TRIES;
        if !(closes || again) {
            // One that was cancelled meanwhile has ended already.
            let _ = self.command(&EndJob { job: job.id, result: result.map(Bytes) });
        }
        if !again {
            self.events.publish(&Event::Job(Progress { ended: true, ..progress }));
        }
        again
    }

    fn command<C: Command>(&self, command: &C) -> Outcome<()> {
        let host = self.host.upgrade().ok_or_else(super::gone)?;
        host.call(C::NAME, &frames::encode(command)?, &caller()).map(drop)
    }
}

/// The runner asks for itself: what it writes is not in the log.
fn caller() -> Caller {
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |passed| passed.as_millis() as i64);
    Caller { via: crate::changes::Via::Job, txn: new_id(now_ms), now_ms, actor: None }
}
