//! Background jobs as rows that outlive the process that runs them: the host takes the
//! oldest that waits, and the next host goes on with one that was cut off.

use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::frames::{self, Bytes};
use crate::jobs::Emit;
use crate::services::imports::{self, bulk, staging};
use crate::services::{Command, Query, ReadCx, WriteCx, plans};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Local state: one row a job.
const JOB: &str = "job/";
/// Jobs that may wait.
const MAX_WAITING: usize = 100;
/// Ended jobs that stay listed.
const MAX_ENDED: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Waiting,
    /// Somebody held it up; it goes on where it was.
    Paused,
    Done,
    Failed,
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    pub id: Id,
    pub kind: String,
    pub title: String,
    /// What it works on, such as a review.
    pub subject: Id,
    pub state: JobState,
    /// How much of its output is kept: where it goes on after a break.
    pub kept: u32,
    pub failure: Option<Failure>,
}

impl Job {
    /// Work of minutes, beside which short work goes on.
    pub fn is_long(&self) -> bool {
        self.kind == plans::KIND
    }

    /// Whether there is something left to be done of it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, JobState::Waiting | JobState::Paused)
    }
}

/// The work behind each kind, as the worker runs it.
pub fn work(kind: &str, input: &[u8], emit: Emit) -> Outcome<Vec<u8>> {
    match kind {
        plans::KIND => plans::work(input, emit),
        staging::KIND => staging::work(input, emit),
        bulk::KIND => bulk::work(input, emit),
        _ => Err(Failure::internal(format!("There is no job \"{kind}\""))),
    }
}

/// What the worker of a job gets.
pub fn input(reads: &dyn Reads, job: &Job) -> Outcome<Vec<u8>> {
    match job.kind.as_str() {
        plans::KIND => plans::job_input(reads, job),
        staging::KIND | bulk::KIND => imports::job_input(reads, job),
        kind => Err(Failure::internal(format!("There is no job \"{kind}\""))),
    }
}

/// Puts a job into the queue.
pub fn queue(cx: &mut WriteCx, kind: &str, title: String, subject: Id) -> Outcome<Id> {
    let all = all(cx.reads())?;
    if all.iter().filter(|j| j.state == JobState::Waiting).count() >= MAX_WAITING {
        return Err(Failure::conflict(format!("{MAX_WAITING} jobs wait already"))
            .hint("`pams jobs list` shows them; `pams jobs cancel ID` takes one away"));
    }
    let ended: Vec<&Job> = all.iter().filter(|j| !j.is_open()).collect();
    for old in ended.iter().rev().skip(MAX_ENDED) {
        cx.batch.set_local(&row(old.id), None)?;
    }
    let id = cx.new_id();
    let job = Job { id, kind: kind.into(), title, subject, state: JobState::Waiting, kept: 0, failure: None };
    put(cx, &job)?;
    Ok(id)
}

fn row(id: Id) -> String {
    format!("{JOB}{id}")
}

fn put(cx: &mut WriteCx, job: &Job) -> Outcome<()> {
    cx.batch.nudge_jobs();
    Ok(cx.batch.set_local(&row(job.id), Some(&frames::encode(job)?))?)
}

/// All jobs, the oldest first.
pub fn all(reads: &dyn Reads) -> Outcome<Vec<Job>> {
    reads.locals(JOB)?.iter().map(|(_, bytes)| frames::decode(bytes)).collect()
}

pub fn find(reads: &dyn Reads, id: Id) -> Outcome<Job> {
    let none = || Failure::not_found(format!("There is no job {}", id.short()));
    frames::decode(&reads.local(&row(id))?.ok_or_else(none)?)
}

/// Ends the waiting jobs of a subject that is no longer wanted.
pub fn drop_of(cx: &mut WriteCx, subject: Id) -> Outcome<()> {
    for mut job in all(cx.reads())? {
        if job.subject == subject && job.is_open() {
            job.state = JobState::Cancelled;
            put(cx, &job)?;
        }
    }
    Ok(())
}

/// Jobs, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListJobs {}

impl Query for ListJobs {
    const NAME: &'static str = "jobs.list";
    type Reply = Vec<Job>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Job>> {
        all(cx.reads)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowJob {
    pub id: Id,
}

impl Query for ShowJob {
    const NAME: &'static str = "jobs.show";
    type Reply = Job;

    fn run(&self, cx: &ReadCx) -> Outcome<Job> {
        find(cx.reads, self.id)
    }
}

/// Stops a job, by its id or the end of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CancelJob {
    pub which: String,
}

impl Command for CancelJob {
    const NAME: &'static str = "jobs.cancel";
    type Reply = Job;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Job> {
        let mut fitting: Vec<Job> = all(cx.reads())?;
        fitting.retain(|j| j.id.ends_with(&self.which));
        match (fitting.pop(), fitting.len()) {
            (Some(job), 0) => cancel(cx, job),
            (found, more) => Err(Failure::not_found(format!(
                "{} jobs end with \"{}\"",
                more + usize::from(found.is_some()),
                self.which
            ))
            .hint("`pams jobs list` shows them")),
        }
    }
}

/// Ends a job that waits, runs or is held up.
pub fn cancel(cx: &mut WriteCx, mut job: Job) -> Outcome<Job> {
    if !job.is_open() {
        return Err(Failure::conflict("The job has ended already"));
    }
    let failure = Failure::new(FailureKind::Interrupted, "The job was cancelled");
    ended(cx, &mut job, JobState::Cancelled, Err(failure))?;
    Ok(job)
}

/// Holds a job up, or lets it go on.
pub fn set_state(cx: &mut WriteCx, mut job: Job, state: JobState) -> Outcome<Job> {
    if !job.is_open() {
        return Err(Failure::conflict("The job has ended already"));
    }
    job.state = state;
    put(cx, &job)?;
    Ok(job)
}

/// Keeps a piece of a running job's output: the runner's own request.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeepPiece {
    pub job: Id,
    pub piece: Bytes,
}

impl Command for KeepPiece {
    const NAME: &'static str = "jobs.keep_piece";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        let mut job = waiting(cx.reads(), self.job)?;
        job.kept = match job.kind.as_str() {
            plans::KIND => plans::keep_piece(cx, job.subject, &self.piece.0)?,
            bulk::KIND => bulk::keep(cx, job.subject, &self.piece.0)?,
            _ => staging::keep(cx, job.subject, &self.piece.0)?,
        };
        Ok(cx.batch.set_local(&row(job.id), Some(&frames::encode(&job)?))?)
    }
}

/// Ends a job with its summary or its failure: the runner's own request.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EndJob {
    pub job: Id,
    pub result: Result<Bytes, Failure>,
}

impl Command for EndJob {
    const NAME: &'static str = "jobs.end";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        let mut job = waiting(cx.reads(), self.job)?;
        let state = if self.result.is_ok() { JobState::Done } else { JobState::Failed };
        ended(cx, &mut job, state, self.result.clone())
    }
}

fn waiting(reads: &dyn Reads, id: Id) -> Outcome<Job> {
    let job = find(reads, id)?;
    match job.state {
        JobState::Waiting => Ok(job),
        _ => Err(Failure::new(FailureKind::Interrupted, "The job has ended already")),
    }
}

fn ended(cx: &mut WriteCx, job: &mut Job, state: JobState, result: Result<Bytes, Failure>) -> Outcome<()> {
    job.state = state;
    job.failure = result.as_ref().err().cloned();
    put(cx, job)?;
    match job.kind.as_str() {
        plans::KIND => plans::ended(cx, job, result),
        _ => imports::job_ended(cx, job, result),
    }
}
