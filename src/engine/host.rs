//! The process that holds the store: queries run where they are asked, commands on one
//! writer thread, which groups those that wait into one durable commit.

use crate::changes::protocol::Ledger;
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::jobs::{Progress, Runner};
use crate::engine::{gone, listen, requests, wire};
use crate::jobs::Workers;
use crate::services::territories::bounds::{Kept, Within};
use crate::services::{Caller, ReadCx, WriteCx};
use crate::store::{Batch, Commit, Reads, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Commands that share one commit at the most.
const MAX_GROUP: usize = 256;
/// Commands that may wait for the writer.
const MAX_WAITING: usize = 1_024;
/// Ids named in one event; more than these are "many".
const MAX_CHANGED_IDS: usize = 256;

/// Told after each commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub kinds: Vec<Kind>,
    /// The records that changed; empty when there are too many to name.
    pub ids: Vec<Id>,
    pub seq: u64,
    /// Microseconds from the first command to the disk, and how many shared the commit.
    #[serde(default)]
    pub took_us: u64,
    #[serde(default)]
    pub commands: u32,
}

/// What whoever looks at a store is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Changed(Changed),
    Job(Progress),
    /// How the line to the remote instance is; told in the process that holds it.
    Line(Line),
}

/// The line to a remote instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    Online,
    Offline,
    /// The server does not know the session any more.
    SignedOut,
}

impl Event {
    /// Anything may have changed: look again.
    pub fn everything() -> Event {
        Event::Changed(Changed { kinds: Kind::ALL.to_vec(), ..Changed::default() })
    }
}

type Tell = Box<dyn Fn(&Event) -> bool + Send>;

/// Who wants to hear of changes.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<Tell>>>);

impl Events {
    pub fn add(&self, tell: Tell) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).push(tell);
    }

    pub fn publish(&self, event: &Event) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).retain(|tell| tell(event));
    }
}

pub struct Host {
    shared: Arc<Shared>,
    waiting: Mutex<Option<SyncSender<Waiting>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    listener: Mutex<Option<listen::Listener>>,
    runner: Arc<Mutex<Option<Runner>>>,
}

/// What writer and readers share. The store is away while it is reopened.
struct Shared {
    store: RwLock<Option<Arc<Store>>>,
    /// Where it is opened again after a failed commit.
    path: Option<PathBuf>,
    closed: AtomicBool,
    events: Events,
    bounds: Kept,
}

/// A command on its way to the writer.
struct Waiting {
    name: String,
    body: Vec<u8>,
    caller: Caller,
    answer: SyncSender<Outcome<Vec<u8>>>,
}

impl Host {
    pub fn new(store: Store, events: Events) -> Outcome<Host> {
        let path = store.path().map(Path::to_owned);
        let store = RwLock::new(Some(Arc::new(store)));
        let shared =
            Arc::new(Shared { store, path, closed: AtomicBool::new(false), events, bounds: Kept::default() });
        let (waiting, queue) = sync_channel(MAX_WAITING);
        let runner: Arc<Mutex<Option<Runner>>> = Arc::default();
        let writer = std::thread::Builder::new()
            .name("pams-writer".into())
            .spawn({
                let (shared, runner) = (shared.clone(), runner.clone());
                move || write_loop(&shared, &queue, &runner)
            })
            .map_err(|e| Failure::internal(format!("A thread cannot be started: {e}")))?;
        Ok(Host {
            shared,
            waiting: Mutex::new(Some(waiting)),
            writer: Mutex::new(Some(writer)),
            listener: Mutex::new(None),
            runner,
        })
    }

    /// Runs background jobs from now on.
    pub fn run_jobs(self: &Arc<Host>, workers: Workers) -> Outcome<()> {
        let runner = Runner::start(Arc::downgrade(self), workers, self.shared.events.clone())?;
        *self.runner.lock().unwrap_or_else(|e| e.into_inner()) = Some(runner);
        Ok(())
    }

    /// Looks into the store without a request: the host's own needs.
    pub fn read<T>(&self, look: impl FnOnce(&dyn Reads) -> Outcome<T>) -> Outcome<T> {
        let store = self.shared.store().ok_or_else(gone)?;
        look(&store.view()?)
    }

    /// Takes guests from now on.
    pub fn listen(self: &Arc<Host>, socket: &Path) -> Outcome<()> {
        let listener = listen::Listener::start(Arc::downgrade(self), self.shared.events.clone(), socket)?;
        *self.listener.lock().unwrap_or_else(|e| e.into_inner()) = Some(listener);
        Ok(())
    }

    pub fn is_closed(&self) -> bool {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner()).is_none()
    }

    /// Ends the commit under way, lets the guests go and closes the file.
    pub fn close(&self) {
        // The socket goes first, while the file is still ours: no one else's is unlinked.
        drop(self.listener.lock().unwrap_or_else(|e| e.into_inner()).take());
        // Its last piece is written before the writer ends.
        let runner = self.runner.lock().unwrap_or_else(|e| e.into_inner()).take();
        drop(runner);
        drop(self.waiting.lock().unwrap_or_else(|e| e.into_inner()).take());
        if let Some(writer) = self.writer.lock().unwrap_or_else(|e| e.into_inner()).take() {
            let _ = writer.join();
        }
        self.shared.close();
    }

    /// Answers one request. No panic leaves it.
    pub fn call(&self, name: &str, body: &[u8], caller: &Caller) -> Outcome<Vec<u8>> {
        if let Some(run) = requests::find_query(name) {
            let Some(store) = self.shared.store() else { return Err(gone()) };
            return guarded(name, || {
                let view = store.view()?.act_for(caller.actor);
                // Rights bind whoever signed in; the store's owner sees what is there.
                if let Some(who) = caller.actor
                    && let Some(bounds) = self.shared.bounds.of(&view, who)?
                {
                    return run(body, &ReadCx { reads: &Within::new(&view, &bounds, who), caller });
                }
                run(body, &ReadCx { reads: &view, caller })
            });
        }
        if requests::find_command(name).is_none() {
            return Err(requests::unknown(name));
        }
        let (answer, answered) = sync_channel(1);
        let waiting = Waiting { name: name.into(), body: body.into(), caller: caller.clone(), answer };
        let queue = self.waiting.lock().unwrap_or_else(|e| e.into_inner()).clone();
        match queue.map(|q| q.try_send(waiting)) {
            None | Some(Err(TrySendError::Disconnected(_))) => return Err(gone()),
            Some(Err(TrySendError::Full(_))) => {
                return Err(Failure::internal(format!("More than {MAX_WAITING} changes wait to be saved"))
                    .hint("Nothing was saved; try again in a moment"));
            }
            Some(Ok(())) => {}
        }
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Shared {
    /// The store; one that could not be opened again is tried anew.
    fn store(&self) -> Option<Arc<Store>> {
        let store = self.store.read().unwrap_or_else(|e| e.into_inner()).clone();
        if store.is_some() || self.closed.load(Ordering::Acquire) {
            return store;
        }
        let mut slot = self.store.write().unwrap_or_else(|e| e.into_inner());
        if slot.is_none() {
            *slot = self.path.as_deref().and_then(|path| Store::open(path).ok()).map(Arc::new);
        }
        slot.clone()
    }

    /// Closes the file for good, once the last reader is done.
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let store = self.store.write().unwrap_or_else(|e| e.into_inner()).take();
        drop(store.and_then(alone));
    }

    /// redb refuses writes after a failed commit until the file is opened again.
    /// Readers wait meanwhile.
    fn reopen(&self) {
        let mut slot = self.store.write().unwrap_or_else(|e| e.into_inner());
        drop(slot.take().and_then(alone));
        *slot = self.path.as_deref().and_then(|path| Store::open(path).ok()).map(Arc::new);
    }
}

/// Waits until nobody else looks at the store; views are short.
fn alone(mut store: Arc<Store>) -> Option<Store> {
    loop {
        match Arc::try_unwrap(store) {
            Ok(store) => return Some(store),
            Err(shared) => store = shared,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn guarded<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Failure::internal(format!("{name} failed inside; nothing was changed"))
            .hint("Please report it with the crash file that `pams doctor` names"))
    })
}

fn write_loop(shared: &Shared, queue: &Receiver<Waiting>, runner: &Mutex<Option<Runner>>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        while group.len() < MAX_GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        // Held only for the moment: whoever closes the runner waits for this thread.
        if commit(shared, group)
            && let Ok(runner) = runner.try_lock()
            && let Some(runner) = &*runner
        {
            runner.nudge();
        }
    }
}

/// Why a shared transaction was given up.
enum GivenUp {
    /// A command failed after it had written: the others run again without it.
    Again,
    /// No command wrote anything.
    Nothing,
    Store(StoreError),
}

impl From<StoreError> for GivenUp {
    fn from(error: StoreError) -> GivenUp {
        GivenUp::Store(error)
    }
}

/// Runs a group of commands in one transaction and answers each once it is durable.
/// True when the jobs that wait are others now.
fn commit(shared: &Shared, group: Vec<Waiting>) -> bool {
    let mut jobs = false;
    let mut answers: Vec<Option<Outcome<Vec<u8>>>> = group.iter().map(|_| None).collect();
    let mut changed = Changed::default();
    loop {
        let Some(store) = shared.store() else {
            answers.iter_mut().for_each(|a| *a = Some(Err(gone())));
            break;
        };
        changed = Changed::default();
        // A stopwatch for the operator, not a decision.
        let begun = Instant::now();
        let result: Result<(), GivenUp> = store.write(Commit::Safe, |batch| {
            let mut wrote = false;
            for (waiting, answer) in group.iter().zip(answers.iter_mut()) {
                if matches!(answer, Some(Err(_))) {
                    continue; // failed in an earlier round
                }
                let result = guarded(&waiting.name, || run(batch, waiting));
                let dirty = batch.take_dirty();
                let failed = result.is_err();
                *answer = Some(result);
                if dirty && failed {
                    return Err(GivenUp::Again);
                }
                wrote |= dirty;
            }
            (changed.kinds, changed.ids) = batch.take_touched(MAX_CHANGED_IDS);
            changed.seq = Ledger::last_seq(batch)?;
            jobs = batch.take_jobs();
            if wrote { Ok(()) } else { Err(GivenUp::Nothing) }
        });
        drop(store);
        (changed.took_us, changed.commands) = (begun.elapsed().as_micros() as u64, group.len() as u32);
        match result {
            Ok(()) | Err(GivenUp::Nothing) => break,
            Err(GivenUp::Again) => {}
            Err(GivenUp::Store(error)) => {
                settle_failed_commit(shared, &group, &mut answers, error);
                break;
            }
        }
    }
    // Told before answered: who asked finds everybody informed.
    if !changed.kinds.is_empty() {
        shared.events.publish(&Event::Changed(changed));
    }
    for (waiting, answer) in group.into_iter().zip(answers) {
        let _ = waiting.answer.send(answer.unwrap_or_else(|| Err(gone())));
    }
    jobs
}

/// After a commit that failed nobody knows whether it landed: the file is opened again
/// and asked, transaction by transaction.
fn settle_failed_commit(
    shared: &Shared,
    group: &[Waiting],
    answers: &mut [Option<Outcome<Vec<u8>>>],
    error: StoreError,
) {
    let failure = Failure::from(error);
    shared.reopen();
    let view = shared.store().map(|store| store.view());
    for (waiting, answer) in group.iter().zip(answers) {
        if matches!(answer, Some(Err(_))) {
            continue;
        }
        *answer = Some(match &view {
            Some(Ok(view)) => match view.done(waiting.caller.txn) {
                Ok(Some(done)) => Ok(done),
                Ok(None) => Err(failure.clone()),
                Err(error) => Err(unknown(&Failure::from(error))),
            },
            _ => Err(unknown(&failure)),
        });
    }
}

fn unknown(failure: &Failure) -> Failure {
    Failure::internal(format!("{}; whether the last change was saved is not known", failure.message))
        .hint("Look before you repeat it: `pams recent` lists what was saved")
}

/// One command: what was done before under this transaction id is not done again.
fn run(batch: &mut Batch, waiting: &Waiting) -> Outcome<Vec<u8>> {
    let txn = waiting.caller.txn;
    batch.act_for(waiting.caller.actor);
    if let Some(done) = batch.done(txn)? {
        return Ok(done);
    }
    if !batch.txn_rows(txn)?.is_empty() {
        return Err(Failure::conflict("That was done before; its answer is not kept any more"));
    }
    let run = requests::find_command(&waiting.name).ok_or_else(|| requests::unknown(&waiting.name))?;
    let mut cx = WriteCx::new(batch, &waiting.caller)?;
    let reply = run(&waiting.body, &mut cx)?;
    let seq = cx.finish()?;
    let receipt = wire::receipt(txn, seq, &reply)?;
    batch.set_done(txn, &receipt)?;
    batch.end_command()?;
    Ok(receipt)
}
