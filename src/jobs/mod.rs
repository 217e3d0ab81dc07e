//! Heavy work in a process of its own: `pams job-worker`, at low priority and with a
//! bound on its memory, so that keys stay quick, memory comes back, and a file made to
//! break its reader breaks nothing else. Knows no service: who runs a job hands in the
//! work by name, its input, and what is done with each piece of output.
//!
//! The worker holds no store. What it finds goes out in pieces as it is found; the
//! host keeps them, and starts a job that was cut off again behind the last one kept.

use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::frames::{self, Bytes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Address space of a worker: a workbook of 25 MB needs a tenth of it.
pub const MAX_MEMORY_BYTES: u64 = 2 << 30;
/// Bytes of input in one frame.
const PIECE_BYTES: usize = 512 << 10;
/// How much a worker stands back behind what people wait for.
const NICENESS: i32 = 10;
/// SIGKILL and SIGTERM.
const KILLED: [i32; 2] = [9, 15];

/// What a job says while it runs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub enum Out {
    /// A piece of the result, to be kept before the next one is looked at.
    Piece(Bytes),
    Progress {
        done: u64,
        total: u64,
    },
}

pub type Emit<'a> = &'a mut dyn FnMut(Out) -> Outcome<()>;

/// The work behind a name: input in, pieces out as they are found, a summary last.
pub type Work = fn(&str, &[u8], Emit) -> Outcome<Vec<u8>>;

/// Where jobs run.
#[derive(Clone, Debug, PartialEq)]
pub enum Workers {
    /// Each in a child process of this program.
    Process(PathBuf),
    /// On the thread that asks: for programs that are not `pams`, such as tests.
    Here,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum ToWorker {
    Input(Bytes),
    Start(String),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum FromWorker {
    Out(Out),
    Done(Bytes),
    Failed(Failure),
}

/// Ends a job from outside.
#[derive(Default)]
pub struct Control {
    stopped: AtomicBool,
    child: Mutex<Option<Child>>,
}

impl Control {
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(child) = self.child.lock().unwrap_or_else(|e| e.into_inner()).as_mut() {
            let _ = child.kill();
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

fn stopped() -> Failure {
    Failure::new(FailureKind::Interrupted, "The job was stopped")
}

/// Runs one job to its end and returns its summary.
pub fn run(
    workers: &Workers,
    work: Work,
    kind: &str,
    input: &[u8],
    control: &Control,
    emit: Emit,
) -> Outcome<Vec<u8>> {
    let mut heard = |out: Out| if control.is_stopped() { Err(stopped()) } else { emit(out) };
    match workers {
        Workers::Here => caught(work, kind, input, &mut heard),
        Workers::Process(program) => {
            let done = in_process(program, kind, input, control, &mut heard);
            if control.is_stopped() { Err(stopped()) } else { done }
        }
    }
}

/// A reader that panics on a broken file has failed, no more.
fn caught(work: Work, kind: &str, input: &[u8], emit: Emit) -> Outcome<Vec<u8>> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(kind, input, emit)))
        .unwrap_or_else(|_| Err(Failure::internal(format!("The job \"{kind}\" failed inside"))))
}

fn in_process(
    program: &PathBuf,
    kind: &str,
    input: &[u8],
    control: &Control,
    emit: Emit,
) -> Outcome<Vec<u8>> {
    let failed = |e: std::io::Error| Failure::internal(format!("A worker cannot be started: {}", said(&e)));
    let mut child = Command::new(program)
        .arg("job-worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let (Some(mut to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Failure::internal("A worker has no pipes"));
    };
    *control.child.lock().unwrap_or_else(|e| e.into_inner()) = Some(child);
    if control.is_stopped() {
        control.stop();
    }
    let result = talk(&mut to, from, kind, input, emit);
    // Its input ends: the worker does too, if it has not yet.
    drop(to);
    let child = control.child.lock().unwrap_or_else(|e| e.into_inner()).take();
    let Some(mut child) = child else { return Err(stopped()) };
    if !matches!(result, Ok(Some(_))) {
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    match result {
        Ok(Some(summary)) => Ok(summary),
        Err(failure) => Err(failure),
        // The allocator aborts when the bound is reached.
        Ok(None) if status.signal() == Some(rustix::process::Signal::ABORT.as_raw()) => {
            let most = MAX_MEMORY_BYTES >> 30;
            Err(Failure::invalid(format!("The job needed more than {most} GB of memory and was ended"))
                .hint("The file may be damaged or made to break its reader; save it again as .csv"))
        }
        // Somebody killed it: the job is sound, and is tried again.
        Ok(None) if status.signal().is_some_and(|s| KILLED.contains(&s)) => {
            Err(Failure::new(FailureKind::Offline, "The worker was killed"))
        }
        Ok(None) => Err(Failure::internal("The worker ended before its job was done")),
    }
}

/// Sends the input and hears the worker out. None: it went away without a word.
fn talk(
    to: &mut impl Write,
    from: impl Read,
    kind: &str,
    input: &[u8],
    emit: Emit,
) -> Outcome<Option<Vec<u8>>> {
    let pieces = input.chunks(PIECE_BYTES).map(|p| ToWorker::Input(Bytes(p.to_vec())));
    for frame in pieces.chain([ToWorker::Start(kind.to_owned())]) {
        if frames::write(to, &frame).is_err() {
            return Ok(None);
        }
    }
    let mut from = std::io::BufReader::new(from);
    loop {
        match frames::read::<FromWorker>(&mut from) {
            Ok(FromWorker::Out(out)) => emit(out)?,
            Ok(FromWorker::Done(summary)) => return Ok(Some(summary.0)),
            Ok(FromWorker::Failed(failure)) => return Err(failure),
            Err(_) => return Ok(None),
        }
    }
}

/// The worker's side: one job from standard input to standard output.
pub fn serve(work: Work) -> Outcome<()> {
    bound();
    let failed = |e: std::io::Error| Failure::internal(format!("The host cannot be heard: {}", said(&e)));
    let (mut input, mut from) = (Vec::new(), std::io::stdin().lock());
    let kind = loop {
        match frames::read::<ToWorker>(&mut from).map_err(failed)? {
            ToWorker::Input(piece) => input.extend_from_slice(&piece.0),
            ToWorker::Start(kind) => break kind,
        }
    };
    drop(from);
    // A host that goes away takes its workers with it, whatever they are doing.
    let _ = std::thread::Builder::new().name("pams-host-gone".into()).spawn(|| {
        let _ = std::io::stdin().lock().read(&mut [0]);
        std::process::exit(0);
    });
    let mut to = std::io::stdout().lock();
    let mut say = |frame: &FromWorker| frames::write(&mut to, frame).and_then(|()| to.flush());
    let done = caught(work, &kind, &input, &mut |out| say(&FromWorker::Out(out)).map_err(failed));
    let last = match done {
        Ok(summary) => FromWorker::Done(Bytes(summary)),
        Err(failure) => FromWorker::Failed(failure),
    };
    say(&last).map_err(failed)
}

/// Bounds this process's memory and takes it out of people's way.
pub fn bound() {
    use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
    let limit = Rlimit { current: Some(MAX_MEMORY_BYTES), maximum: getrlimit(Resource::As).maximum };
    // Where the system knows no such bound the job runs without.
    let _ = setrlimit(Resource::As, limit);
    let _ = nice(NICENESS);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(kind: &str, input: &[u8], emit: Emit) -> Outcome<Vec<u8>> {
        if kind == "panic" {
            panic!("as asked");
        }
        for byte in input {
            emit(Out::Piece(Bytes(vec![*byte])))?;
        }
        Ok(vec![input.len() as u8])
    }

    #[test]
    fn pieces_come_in_order_and_a_stop_ends_it() {
        let control = Control::default();
        let mut seen = Vec::new();
        let done = run(&Workers::Here, count, "count", b"abc", &control, &mut |out| {
            if let Out::Piece(piece) = out {
                seen.extend(piece.0);
            }
            if seen.len() == 2 {
                control.stop();
            }
            Ok(())
        });
        assert_eq!((seen.as_slice(), done.unwrap_err().kind), (&b"ab"[..], FailureKind::Interrupted));
        let done = run(&Workers::Here, count, "panic", b"", &Control::default(), &mut |_| Ok(()));
        assert_eq!(done.unwrap_err().kind, FailureKind::Internal);
    }
}
