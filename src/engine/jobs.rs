//! The host's runner: takes the jobs that wait, one after the other, has each done by a
//! worker, and writes what the worker finds. A job that a host leaves unfinished still
//! waits; the next host goes on behind the last piece that was kept.

use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::engine::host::{Event, Events, Host};
use crate::frames::{self, Bytes};
use crate::jobs::{self, Control, Out, Workers};
use crate::services::jobs::{EndJob, Job, JobState, KeepPiece, ShowJob};
use crate::services::{Caller, Command, Query, new_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Least time between two reports of one job: five a second.
const REPORT: Duration = Duration::from_millis(200);

/// A host that is gone again by then, such as a command of a script, starts no work that
/// an earlier one left.
const HEAD_START: Duration = Duration::from_millis(150);

/// How far a job is: told while it runs, the latest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    pub job: Id,
    pub done: u64,
    pub total: u64,
    pub ended: bool,
}

pub struct Runner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

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
    nudged: bool,
    running: Option<(Id, Arc<Control>)>,
}

impl Runner {
    /// Looks for jobs when one is queued, and once at the start: an earlier host may have
    /// left some.
    pub fn start(host: Weak<Host>, workers: Workers, events: Events) -> Outcome<Runner> {
        let (state, wake) = (Mutex::new(State::default()), Condvar::new());
        let shared = Arc::new(Shared { host, workers, events, state, wake });
        let thread = std::thread::Builder::new()
            .name("pams-jobs".into())
            .spawn({
                let shared = shared.clone();
                move || shared.turn()
            })
            .map_err(|e| Failure::internal(format!("A thread cannot be started: {e}")))?;
        Ok(Runner { shared, thread: Some(thread) })
    }

    /// The jobs that wait have changed: another one came, or the running one was
    /// cancelled.
    pub fn nudge(&self) {
        let mut state = self.shared.lock();
        state.nudged = true;
        self.shared.wake.notify_all();
        let running = state.running.clone();
        drop(state);
        if let Some((id, control)) = running
            && self.shared.job(id).is_some_and(|job| job.state != JobState::Waiting)
        {
            control.stop();
        }
    }
}

impl Drop for Runner {
    /// Stops the job under way, which goes on waiting in the store.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        if let Some((_, control)) = &state.running {
            control.stop();
        }
        self.shared.wake.notify_all();
        drop(state);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn turn(&self) {
        let rests = |s: &mut State| !s.nudged && !s.closed;
        let first = self.wake.wait_timeout_while(self.lock(), HEAD_START, rests);
        first.unwrap_or_else(|e| e.into_inner()).0.nudged = true;
        loop {
            {
                let mut state = self.wake.wait_while(self.lock(), rests).unwrap_or_else(|e| e.into_inner());
                if state.closed {
                    return;
                }
                state.nudged = false;
            }
            let mut waiting: VecDeque<Job> = self.waiting().into();
            while let Some(job) = waiting.pop_front() {
                let control = Arc::new(Control::default());
                {
                    let mut state = self.lock();
                    if state.closed {
                        return;
                    }
                    state.running = Some((job.id, control.clone()));
                }
                self.run(&job, &control);
                self.lock().running = None;
            }
        }
    }

    fn waiting(&self) -> Vec<Job> {
        let Some(host) = self.host.upgrade() else { return vec![] };
        let all: Outcome<Vec<Job>> = host.read(crate::services::jobs::all);
        all.unwrap_or_default().into_iter().filter(|j| j.state == JobState::Waiting).collect()
    }

    fn job(&self, id: Id) -> Option<Job> {
        let host = self.host.upgrade()?;
        let reply = host.call(ShowJob::NAME, &frames::encode(&ShowJob { id }).ok()?, &caller()).ok()?;
        frames::decode(&reply).ok()
    }

    fn run(&self, job: &Job, control: &Control) {
        // Cancelled since it was listed.
        if self.job(job.id).is_none_or(|job| job.state != JobState::Waiting) {
            return;
        }
        let input = match self.host.upgrade() {
            Some(host) => host.read(|reads| crate::services::jobs::input(reads, job)),
            None => return,
        };
        let mut progress = Progress { job: job.id, ..Progress::default() };
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
        if !(closes || cut_off) {
            // One that was cancelled meanwhile has ended already.
            let _ = self.command(&EndJob { job: job.id, result: result.map(Bytes) });
        }
        self.events.publish(&Event::Job(Progress { ended: true, ..progress }));
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
