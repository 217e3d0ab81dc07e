//! Hand-over in a simulated world: processes start, work, stop, quit and are killed at
//! any step, and every interleaving comes from a seed. What is simulated is the file's
//! lock, the socket, the connections and the order in which a host opens and closes;
//! how a process finds its role is the code that really runs (`join`).
//!
//! What must hold: a request that was answered is in the store once; one that was not
//! is there once or not at all; as long as processes are left, one of them becomes host
//! and all the others find it within a second; none gives up while it could go on.

use crate::engine::join::{Joining, PATIENCE, Seen, Step};
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

type Pid = usize;
/// Author and number of a request: its transaction id.
type Txn = (Pid, u32);

/// Processes at one time.
const PROCESSES: usize = 5;
/// Steps with faults; after them the world is left in peace.
const STEPS: usize = 400;
/// How long hand-over may take once nothing more happens to the processes.
const SETTLED: Duration = Duration::from_secs(1);
/// What one step of one process takes, in microseconds, at the most.
const STEP_US: usize = 300;

/// A host or guest built wrongly; the simulation must find each.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    None,
    /// The repeat of a request carries a new transaction id.
    NewIdOnRepeat,
    /// The host answers before its commit is durable.
    AnswerBeforeCommit,
    /// The host does not look whether a transaction was done before.
    NoDedupe,
    /// A leaving host gives the file up before it unlinks its socket.
    UnlinkLast,
    /// A host that leaves does not say so, and its guests wait for answers.
    SilentLeave,
    /// A new host does not take the place of a socket that was left behind.
    KeepOldSocket,
}

#[derive(Clone, Debug)]
enum Role {
    Joining(Joining, Step, Duration),
    /// The file is ours; the socket is not bound yet.
    Opening,
    Host,
    /// Closing, step by step, for good or to stop for a while.
    Leaving(usize, bool),
    /// A guest of that process' nth time as host.
    Guest(Pid, u32),
    Stopped,
    Dead,
}

#[derive(Clone, Debug)]
struct Process {
    role: Role,
    /// How often it was host: connections of an earlier time are broken.
    term: u32,
    next: u32,
    /// The request that waits for its answer; true once it was sent to the present host.
    waiting: Option<(Txn, bool)>,
    resting_until: Duration,
    /// Requests at the host that wait for its commit, and answers on their way.
    queue: Vec<Request>,
    committed: Vec<Request>,
}

#[derive(Clone, Debug)]
struct Request {
    txn: Txn,
    from: Pid,
}

struct World {
    random: Random,
    mutant: Mutant,
    now: Duration,
    processes: Vec<Process>,
    lock: Option<Pid>,
    /// Who listens at the socket's path, and since which term; stale when they do not.
    socket: Option<(Pid, u32)>,
    /// Transaction → how often it was applied.
    store: BTreeMap<Txn, u32>,
    answered: BTreeSet<(Pid, u32)>,
    /// The request of an answer, for a mutant that renames it.
    renamed: u32,
    gave_up: bool,
}

impl World {
    fn new(seed: u64, mutant: Mutant) -> World {
        World {
            random: Random::new(seed),
            mutant,
            now: Duration::ZERO,
            processes: vec![],
            lock: None,
            socket: None,
            store: BTreeMap::new(),
            answered: BTreeSet::new(),
            renamed: 0,
            gave_up: false,
        }
    }

    fn start(&mut self) {
        let (joining, step) = Joining::start();
        self.processes.push(Process {
            role: Role::Joining(joining, step, self.now),
            term: 0,
            next: 0,
            waiting: None,
            resting_until: Duration::ZERO,
            queue: vec![],
            committed: vec![],
        });
    }

    fn live(&self) -> Vec<Pid> {
        (0..self.processes.len()).filter(|p| !matches!(self.processes[*p].role, Role::Dead)).collect()
    }

    /// Whether a process listens in that term.
    fn listens(&self, (pid, term): (Pid, u32)) -> bool {
        let process = &self.processes[pid];
        matches!(process.role, Role::Host) && process.term == term
    }

    fn rejoin(&mut self, pid: Pid) {
        let (joining, step) = Joining::start();
        let now = self.now;
        let process = &mut self.processes[pid];
        process.role = Role::Joining(joining, step, now);
        if let Some((txn, sent)) = &mut process.waiting {
            if *sent && self.mutant == Mutant::NewIdOnRepeat {
                self.renamed += 1;
                txn.1 = 1_000_000 + self.renamed;
            }
            *sent = false;
        }
    }

    /// One step of one process. False when it can only wait.
    fn step(&mut self, pid: Pid) -> bool {
        if self.processes[pid].resting_until > self.now {
            return false;
        }
        match self.processes[pid].role.clone() {
            Role::Dead | Role::Stopped => return false,
            Role::Joining(joining, step, since) => self.join(pid, joining, step, since),
            Role::Opening => {
                let stale = self.socket.is_some_and(|at| !self.listens(at));
                if !(stale && self.mutant == Mutant::KeepOldSocket) {
                    self.socket = Some((pid, self.processes[pid].term));
                }
                self.processes[pid].role = Role::Host;
            }
            Role::Host => return self.serve(pid),
            Role::Leaving(at, for_good) => self.leave(pid, at, for_good),
            Role::Guest(host, term) => return self.ask(pid, (host, term)),
        }
        true
    }

    fn join(&mut self, pid: Pid, mut joining: Joining, step: Step, since: Duration) {
        let seen = match step {
            Step::Knock => match self.socket {
                Some(at) if self.listens(at) => {
                    self.processes[pid].role = Role::Guest(at.0, at.1);
                    return;
                }
                _ => Seen::NobodyListens,
            },
            Step::Open if self.lock.is_none() => {
                self.lock = Some(pid);
                let process = &mut self.processes[pid];
                process.term += 1;
                process.role = Role::Opening;
                return;
            }
            Step::Open => Seen::FileHeld,
            Step::Rest(pause) => {
                self.processes[pid].resting_until = self.now + pause;
                Seen::Rested
            }
            Step::GiveUp => {
                self.gave_up = true;
                self.processes[pid].role = Role::Dead;
                return;
            }
        };
        let next = joining.next(seen, self.now - since);
        self.processes[pid].role = Role::Joining(joining, next, since);
    }

    /// A guest sends what it has to ask, or finds that its host is gone.
    fn ask(&mut self, pid: Pid, host: (Pid, u32)) -> bool {
        if !self.listens(host) {
            // A leaving host says so; of a killed one the connection breaks.
            let leaves = matches!(self.processes[host.0].role, Role::Leaving(..) | Role::Stopped);
            if leaves && self.mutant == Mutant::SilentLeave {
                return false;
            }
            self.rejoin(pid);
            return true;
        }
        match self.processes[pid].waiting {
            Some((txn, false)) => {
                self.processes[host.0].queue.push(Request { txn, from: pid });
                self.processes[pid].waiting = Some((txn, true));
                true
            }
            _ => false,
        }
    }

    fn apply(&mut self, txn: Txn) {
        if self.mutant == Mutant::NoDedupe || !self.store.contains_key(&txn) {
            *self.store.entry(txn).or_default() += 1;
        }
    }

    /// A host takes its own request, commits what waits as one group, or answers.
    fn serve(&mut self, pid: Pid) -> bool {
        let process = &mut self.processes[pid];
        if let Some((txn, false)) = process.waiting {
            process.waiting = Some((txn, true));
            process.queue.push(Request { txn, from: pid });
            return true;
        }
        if let Some(done) = process.committed.pop() {
            self.answer(pid, &done);
            return true;
        }
        self.commit(pid)
    }

    fn commit(&mut self, pid: Pid) -> bool {
        let group = std::mem::take(&mut self.processes[pid].queue);
        let some = !group.is_empty();
        if self.mutant == Mutant::AnswerBeforeCommit {
            // Answered now, durable with the next step of the host, if it lives.
            for request in &self.processes[pid].committed.clone() {
                self.apply(request.txn);
            }
            for request in &group {
                self.answer(pid, request);
            }
            self.processes[pid].committed.extend(group);
            return some;
        }
        for request in &group {
            self.apply(request.txn);
        }
        self.processes[pid].committed.extend(group);
        some
    }

    /// The answer reaches whoever asked, if they still are connected in this term.
    fn answer(&mut self, host: Pid, request: &Request) {
        if self.mutant == Mutant::AnswerBeforeCommit && self.store.contains_key(&request.txn) {
            return;
        }
        let term = self.processes[host].term;
        let asker = &mut self.processes[request.from];
        let connected = match asker.role {
            Role::Guest(pid, of) => (pid, of) == (host, term),
            _ => request.from == host,
        };
        if connected && asker.waiting.is_some_and(|(txn, sent)| sent && txn == request.txn) {
            asker.waiting = None;
            self.answered.insert(request.txn);
        }
    }

    /// As `Host::close` does: the socket goes while the file is ours, guests are let go,
    /// the commit under way ends, the file is given up.
    fn leave(&mut self, pid: Pid, at: usize, for_good: bool) {
        let order = match self.mutant {
            Mutant::UnlinkLast => ["commit", "unlock", "unlink"],
            _ => ["unlink", "commit", "unlock"],
        };
        match order.get(at).copied() {
            Some("unlink") => self.socket = None,
            Some("commit") => {
                while self.commit(pid) {}
                while let Some(done) = self.processes[pid].committed.pop() {
                    self.answer(pid, &done);
                }
            }
            Some(_) => self.lock = None,
            None => {
                self.processes[pid].role = if for_good { Role::Dead } else { Role::Stopped };
                return;
            }
        }
        self.processes[pid].role = Role::Leaving(at + 1, for_good);
    }

    /// kill -9: the system gives the file free; the socket's path stays behind.
    fn kill(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        process.role = Role::Dead;
        process.queue.clear();
        process.committed.clear();
        if self.lock == Some(pid) {
            self.lock = None;
        }
    }

    fn quit_or_stop(&mut self, pid: Pid, for_good: bool) {
        match self.processes[pid].role {
            Role::Host => self.processes[pid].role = Role::Leaving(0, for_good),
            Role::Guest(..) if for_good => self.processes[pid].role = Role::Dead,
            Role::Guest(..) => {
                // What was asked is asked again by whoever it is after `fg`.
                self.rejoin(pid);
                self.processes[pid].role = Role::Stopped;
            }
            _ => {}
        }
    }

    fn tick(&mut self) {
        self.now += Duration::from_micros(1 + self.random.below(STEP_US) as u64);
    }

    fn one_of(&mut self, pids: &[Pid]) -> Option<Pid> {
        (!pids.is_empty()).then(|| *self.random.pick(pids))
    }

    /// A history; what it broke, if anything.
    fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.tick();
            let live = self.live();
            let Some(pid) = self.one_of(&live) else {
                self.start();
                continue;
            };
            match self.random.below(100) {
                0..4 if live.len() < PROCESSES => self.start(),
                4..7 => self.kill(pid),
                7..9 => self.quit_or_stop(pid, true),
                9..12 => self.quit_or_stop(pid, false),
                12..16 if matches!(self.processes[pid].role, Role::Stopped) => self.rejoin(pid),
                16..40 if self.processes[pid].waiting.is_none() => {
                    let process = &mut self.processes[pid];
                    process.next += 1;
                    process.waiting = Some(((pid, process.next), false));
                }
                _ => drop(self.step(pid)),
            }
        }
        self.settle()
    }

    /// Nothing more happens to the processes: all that are not suspended go on within a
    /// second.
    fn settle(&mut self) -> Result<(), String> {
        let since = self.now;
        loop {
            let mut live = self.live();
            live.retain(|p| !matches!(self.processes[*p].role, Role::Stopped));
            let is_done = |p: &Pid| {
                let process = &self.processes[*p];
                let settled = match process.role {
                    Role::Host => true,
                    Role::Guest(host, term) => self.listens((host, term)),
                    _ => false,
                };
                settled && process.waiting.is_none()
            };
            if live.iter().all(is_done) || self.gave_up {
                break;
            }
            if self.now - since > SETTLED.min(PATIENCE) {
                return Err(format!("not settled after {:?}", self.now - since));
            }
            self.tick();
            if let Some(pid) = self.one_of(&live) {
                self.step(pid);
            }
        }
        if self.gave_up {
            return Err("a process gave up".into());
        }
        let hosts = self.live().into_iter().filter(|p| matches!(self.processes[*p].role, Role::Host)).count();
        let stopped = |p: &Pid| matches!(self.processes[*p].role, Role::Stopped);
        if hosts > 1 || (hosts == 0 && !self.live().iter().all(stopped)) {
            return Err(format!("{hosts} hosts"));
        }
        if let Some((txn, n)) = self.store.iter().find(|(_, n)| **n > 1) {
            return Err(format!("{txn:?} was applied {n} times"));
        }
        if let Some(lost) = self.answered.iter().find(|txn| !self.store.contains_key(txn)) {
            return Err(format!("{lost:?} was answered and is not there"));
        }
        // What a person asked for once is there once, by whatever id.
        let mut asked: BTreeMap<Pid, (u32, u32)> = BTreeMap::new();
        for (pid, process) in self.processes.iter().enumerate() {
            asked.insert(pid, (process.next, self.store.keys().filter(|t| t.0 == pid).count() as u32));
        }
        match asked.into_iter().find(|(_, (asked, there))| there > asked) {
            Some((pid, (asked, there))) => Err(format!("{pid} asked {asked} times, {there} are there")),
            None => Ok(()),
        }
    }
}

fn broken(mutant: Mutant, histories: u64) -> Option<(u64, String)> {
    (1..=histories).find_map(|seed| World::new(seed, mutant).run().err().map(|why| (seed, why)))
}

#[test]
fn hand_over_loses_nothing_and_goes_on() {
    assert_eq!(broken(Mutant::None, 5_000), None, "(seed, what broke)");
    let mut work = (0, 0, 0);
    for seed in 1..=100 {
        let mut world = World::new(seed, Mutant::None);
        world.run().unwrap();
        work.0 += world.processes.len();
        work.1 += world.processes.iter().map(|p| p.term as usize).sum::<usize>();
        work.2 += world.answered.len();
    }
    println!("100 histories: {} processes, {} times a host, {} requests answered", work.0, work.1, work.2);
    assert!(work.1 > 500 && work.2 > 1_500, "the histories must have something in them: {work:?}");
}

#[test]
fn every_broken_hand_over_is_found() {
    use Mutant::*;
    for mutant in [NewIdOnRepeat, AnswerBeforeCommit, NoDedupe, UnlinkLast, SilentLeave, KeepOldSocket] {
        let found = broken(mutant, 5_000);
        println!("{mutant:?}: {found:?}");
        assert!(found.is_some(), "{mutant:?} lives");
    }
}
