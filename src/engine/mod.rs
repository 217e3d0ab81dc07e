//! The one door to the store. The first process on a profile is its host: it holds
//! the file and listens on a socket; later processes are guests and send it the same
//! requests. Which one a process is can change at any time and no face notices.

pub mod export;
pub mod files;
mod guest;
mod host;
mod jobs;
mod join;
mod listen;
#[cfg(test)]
mod model;
mod requests;
pub mod resident;
mod wire;

pub use host::{Changed, Event, Host, Line};
pub use jobs::Progress;
pub use requests::{COMMANDS, INTERNAL, QUERIES, Row};
pub use wire::PROTOCOL;

use crate::changes::Via;
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::frames;
use crate::jobs::Workers;
use crate::services::jobs::{JobState, ShowJob};
use crate::services::{Caller, Command, Query, Receipt, new_id};
use crate::store::{Store, StoreError};
use guest::Guest;
use join::{Joining, Seen, Step};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};

/// How long a host may take to say hello.
const HELLO: Duration = Duration::from_secs(2);
/// Times that one request is sent again after its host went away.
const MAX_REPEATS: usize = 20;

/// Reports of a job that may wait to be heard.
const MAX_HEARD: usize = 16;
/// How often a job that is waited for is looked at when nothing is heard of it.
const LOOK: Duration = Duration::from_millis(100);

/// Where a profile lives, and who does its heavy work.
#[derive(Clone, Debug, PartialEq)]
pub struct Places {
    pub store: PathBuf,
    pub socket: PathBuf,
    pub workers: Workers,
    /// It is there tomorrow: work may go on in it when nobody looks. A demo's is not.
    pub lasting: bool,
}

/// Reads the clock: milliseconds since 1970 UTC. Passed in, so that tests and demos
/// can freeze it.
pub type Clock = fn() -> i64;

pub struct Engine {
    places: Places,
    via: Via,
    clock: Clock,
    read_only: bool,
    role: RwLock<Role>,
    /// One thread at a time looks for a new role; true while we have left on purpose.
    joining: Mutex<bool>,
    resumed: Condvar,
    events: host::Events,
}

/// Where requests go: an engine, or one on behalf of somebody who signed in.
pub trait Door {
    fn ask<Q: Query>(&self, query: &Q) -> Outcome<Q::Reply>;
    fn run<C: Command>(&self, command: &C) -> Outcome<Receipt<C::Reply>>;
    fn now_ms(&self) -> i64;
}

impl Door for Engine {
    fn ask<Q: Query>(&self, query: &Q) -> Outcome<Q::Reply> {
        Engine::ask(self, query)
    }
    fn run<C: Command>(&self, command: &C) -> Outcome<Receipt<C::Reply>> {
        Engine::run(self, command)
    }
    fn now_ms(&self) -> i64 {
        Engine::now_ms(self)
    }
}

/// An engine as somebody who signed in meets it: what they may not do is denied.
#[derive(Clone, Copy)]
pub struct OnBehalf<'e> {
    pub engine: &'e Engine,
    pub actor: Id,
    pub via: Via,
}

impl OnBehalf<'_> {
    fn caller(&self) -> Caller {
        Caller { via: self.via, actor: Some(self.actor), ..self.engine.caller() }
    }
}

impl Door for OnBehalf<'_> {
    fn ask<Q: Query>(&self, query: &Q) -> Outcome<Q::Reply> {
        frames::decode(&self.engine.call(Q::NAME, &frames::encode(query)?, &self.caller())?)
    }
    fn run<C: Command>(&self, command: &C) -> Outcome<Receipt<C::Reply>> {
        frames::decode(&self.engine.call(C::NAME, &frames::encode(command)?, &self.caller())?)
    }
    fn now_ms(&self) -> i64 {
        self.engine.now_ms()
    }
}

enum Role {
    Host(Arc<Host>),
    Guest(Arc<Guest>),
    /// Suspended, or between two roles.
    Away,
}

impl Engine {
    /// Becomes guest of the profile's host, or its host.
    pub fn open(places: Places, via: Via, clock: Clock, read_only: bool) -> Outcome<Engine> {
        let engine = Engine {
            places,
            via,
            clock,
            read_only,
            role: RwLock::new(Role::Away),
            joining: Mutex::new(false),
            resumed: Condvar::new(),
            events: host::Events::default(),
        };
        engine.rejoin()?;
        Ok(engine)
    }

    /// An engine on a store of its own, without a socket: demos and tests.
    pub fn alone(store: Store, via: Via, clock: Clock) -> Outcome<Engine> {
        let events = host::Events::default();
        let host = Arc::new(Host::new(store, events.clone())?);
        host.run_jobs(Workers::Here)?;
        let (store, socket) = (PathBuf::new(), PathBuf::new());
        let places = Places { store, socket, workers: Workers::Here, lasting: false };
        let role = RwLock::new(Role::Host(host));
        Ok(Engine {
            places,
            via,
            clock,
            read_only: false,
            role,
            joining: Mutex::new(false),
            resumed: Condvar::new(),
            events,
        })
    }

    pub fn ask<Q: Query>(&self, query: &Q) -> Outcome<Q::Reply> {
        let body = frames::encode(query)?;
        frames::decode(&self.call(Q::NAME, &body, &self.caller())?)
    }

    /// Runs a command; when this returns, its effects are durable. It is done once
    /// even if the host dies between doing it and saying so.
    pub fn run<C: Command>(&self, command: &C) -> Outcome<Receipt<C::Reply>> {
        if self.read_only {
            return Err(Failure::new(FailureKind::Denied, "This is a read-only session")
                .hint("Start again without --read-only to change something"));
        }
        let body = frames::encode(command)?;
        frames::decode(&self.call(C::NAME, &body, &self.caller())?)
    }

    /// One request, encoded, on behalf of somebody who signed in: what a server passes on.
    pub fn call_for(&self, name: &str, body: &[u8], caller: &Caller) -> Outcome<Vec<u8>> {
        self.call(name, body, caller)
    }

    /// Calls `tell` after every change of the store, whoever made it, and as jobs go on,
    /// until it says no.
    pub fn subscribe(&self, tell: impl Fn(&Event) -> bool + Send + 'static) {
        self.events.add(Box::new(tell));
    }

    /// Tells everybody who listens in this process.
    pub fn tell(&self, event: &Event) {
        self.events.publish(event);
    }

    /// Waits until a job has ended; tells how far it is meanwhile. The job itself
    /// outlives this process.
    ///
    /// # Errors
    /// The job's own failure.
    pub fn wait_for(&self, id: Id, mut tell: impl FnMut(Progress)) -> Outcome<()> {
        let (sender, heard) = sync_channel(MAX_HEARD);
        self.subscribe(move |event| match event {
            Event::Job(progress) if progress.job == id => match sender.try_send(*progress) {
                Err(TrySendError::Disconnected(_)) => false,
                Ok(()) | Err(TrySendError::Full(_)) => true,
            },
            _ => true,
        });
        loop {
            let job = self.ask(&ShowJob { id })?;
            match (job.state, job.failure) {
                (JobState::Waiting | JobState::Paused, _) => {}
                (_, Some(failure)) => return Err(failure),
                _ => return Ok(()),
            }
            // An event may be lost with the host that had it: the row is asked anyway.
            if let Ok(progress) = heard.recv_timeout(LOOK) {
                tell(progress);
            }
        }
    }

    pub fn is_host(&self) -> bool {
        matches!(&*self.role.read().unwrap_or_else(|e| e.into_inner()), Role::Host(_))
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// Hands the store over: guests go on without us. Requests wait for `resume`.
    pub fn leave(&self) {
        let mut left = self.joining.lock().unwrap_or_else(|e| e.into_inner());
        *left = true;
        let role = std::mem::replace(&mut *self.role.write().unwrap_or_else(|e| e.into_inner()), Role::Away);
        if let Role::Host(host) = role {
            host.close();
        }
    }

    pub fn resume(&self) -> Outcome<()> {
        *self.joining.lock().unwrap_or_else(|e| e.into_inner()) = false;
        let joined = self.rejoin();
        self.resumed.notify_all();
        joined
    }

    fn caller(&self) -> Caller {
        let now_ms = self.now_ms();
        Caller { via: self.via, txn: new_id(now_ms), now_ms, actor: None }
    }

    fn call(&self, name: &str, body: &[u8], caller: &Caller) -> Outcome<Vec<u8>> {
        for _ in 0..MAX_REPEATS {
            let role = self.role.read().unwrap_or_else(|e| e.into_inner());
            let answer = match &*role {
                Role::Host(host) => {
                    let host = host.clone();
                    drop(role);
                    host.call(name, body, caller)
                }
                Role::Guest(guest) => {
                    let guest = guest.clone();
                    drop(role);
                    guest.call(name, body, caller)
                }
                Role::Away => {
                    drop(role);
                    Err(gone())
                }
            };
            match answer {
                Err(failure) if is_gone(&failure) => self.rejoin()?,
                answer => return answer,
            }
        }
        Err(Failure::internal("The store's host keeps going away").hint("Run `pams doctor`"))
    }

    /// Finds a role again after the host went away; the first one in does it for all.
    fn rejoin(&self) -> Outcome<()> {
        let left = self.joining.lock().unwrap_or_else(|e| e.into_inner());
        let _one = self.resumed.wait_while(left, |left| *left).unwrap_or_else(|e| e.into_inner());
        match &*self.role.read().unwrap_or_else(|e| e.into_inner()) {
            Role::Guest(guest) if guest.is_alive() => return Ok(()),
            Role::Host(host) if !host.is_closed() => return Ok(()),
            _ => {}
        }
        let role = join(&self.places, &self.events, self.read_only)?;
        *self.role.write().unwrap_or_else(|e| e.into_inner()) = role;
        // Whatever happened between the two roles was told to nobody here.
        self.events.publish(&Event::everything());
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The failure that means: this host is no longer there, ask again.
fn gone() -> Failure {
    Failure::new(FailureKind::Offline, GONE)
}

const GONE: &str = "the host went away";

fn is_gone(failure: &Failure) -> bool {
    failure.kind == FailureKind::Offline && failure.message == GONE
}

/// Guest if a host answers, host if the file can be opened, again until one holds.
/// The file's lock decides; the socket only shows the way.
fn join(places: &Places, events: &host::Events, read_only: bool) -> Outcome<Role> {
    let started = Instant::now();
    let (mut joining, mut step) = Joining::start();
    if read_only && !places.store.exists() {
        return Err(Failure::not_found(format!("There is no store at {}", places.store.display()))
            .hint("Without --read-only one is made"));
    }
    loop {
        let seen = match step {
            Step::Knock => match Guest::connect(&places.socket, HELLO, events)? {
                Some(guest) => return Ok(Role::Guest(Arc::new(guest))),
                None => Seen::NobodyListens,
            },
            Step::Open => match Store::open(&places.store) {
                Ok(store) => {
                    let host = Arc::new(Host::new(store, events.clone())?);
                    host.listen(&places.socket)?;
                    host.run_jobs(places.workers.clone())?;
                    return Ok(Role::Host(host));
                }
                Err(StoreError::Busy(_)) => Seen::FileHeld,
                // Who only looks needs no right to write, and lets no guests in.
                Err(StoreError::Unwritable { .. }) if read_only && places.store.exists() => {
                    let store = Store::open_read_only(&places.store)?;
                    return Ok(Role::Host(Arc::new(Host::new(store, events.clone())?)));
                }
                Err(other) => return Err(other.into()),
            },
            Step::Rest(pause) => {
                std::thread::sleep(pause);
                Seen::Rested
            }
            Step::GiveUp => return Err(silent(&places.store, &places.socket)),
        };
        step = joining.next(seen, started.elapsed());
    }
}

/// A host that holds the file and does not answer.
fn silent(store: &Path, socket: &Path) -> Failure {
    let holder = std::fs::read_to_string(socket.with_extension("pid")).unwrap_or_default();
    let who = match holder.trim() {
        "" => "Another process".to_owned(),
        pid => format!("Process {pid}"),
    };
    Failure::internal(format!("{who} holds the store and does not answer"))
        .hint(format!("Look what it is doing, end it, and try again; the store is {}", store.display()))
}
