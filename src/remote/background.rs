//! Keeps a profile in sync while the interface is open: at once after a change of its
//! own or a hint of the server, else every thirty seconds. Only the process that holds
//! the store does it.

use crate::config::Folders;
use crate::domain::FailureKind;
use crate::engine::{Engine, Event, Line};
use crate::remote::link::Link;
use crate::remote::sync;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Between two looks when nothing is heard.
const POLL: Duration = Duration::from_secs(30);
/// After a failure, doubled with each further one.
const FIRST_REST: Duration = Duration::from_secs(1);
/// What is saved in quick succession goes in one push.
const GATHER: Duration = Duration::from_millis(40);
/// How often somebody who may not sync looks whether they may now.
const LOOK: Duration = Duration::from_secs(2);

/// Runs until it is dropped.
pub struct Background {
    stop: Arc<AtomicBool>,
    nudge: SyncSender<()>,
}

impl Background {
    /// Begins, if the profile is signed in.
    pub fn start(engine: &Arc<Engine>, folders: &Folders) -> Option<Background> {
        let link = Link::load(folders).ok()??;
        let (nudge, nudged) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        engine.subscribe({
            let (nudge, stop) = (nudge.clone(), stop.clone());
            move |event| {
                if matches!(event, Event::Changed(_)) {
                    let _ = nudge.try_send(());
                }
                !stop.load(Ordering::Acquire)
            }
        });
        let listener = {
            let (link, folders, nudge, stop) = (link.clone(), folders.clone(), nudge.clone(), stop.clone());
            move || listen(&link, &folders, &nudge, &stop)
        };
        std::thread::Builder::new().name("pams-hear".into()).spawn(listener).ok()?;
        let (engine, folders, stopped) = (Arc::downgrade(engine), folders.clone(), stop.clone());
        let work = move || {
            let (mut rest, mut first) = (FIRST_REST, true);
            loop {
                let wait = if first { Duration::ZERO } else { rest };
                match nudged.recv_timeout(wait) {
                    Err(RecvTimeoutError::Disconnected) => return,
                    Ok(()) => std::thread::sleep(GATHER),
                    Err(RecvTimeoutError::Timeout) => {}
                }
                while nudged.try_recv().is_ok() {}
                let Some(engine) = engine.upgrade().filter(|_| !stopped.load(Ordering::Acquire)) else {
                    return;
                };
                if !engine.is_host() {
                    rest = LOOK;
                    first = false;
                    continue;
                }
                let done = link.client(&folders).and_then(|client| sync::round(&engine, &client));
                let line = match &done {
                    Ok(_) => Line::Online,
                    Err(failure) if failure.kind == FailureKind::Denied => Line::SignedOut,
                    Err(_) => Line::Offline,
                };
                rest = match (&done, first) {
                    (Ok(_), _) => POLL,
                    (Err(_), true) => FIRST_REST,
                    (Err(_), false) => (rest * 2).min(POLL),
                };
                first = false;
                engine.tell(&Event::Line(line));
            }
        };
        std::thread::Builder::new().name("pams-sync".into()).spawn(work).ok()?;
        Some(Background { stop, nudge })
    }
}

/// Hears the server's hints, and tries again when the line ends.
fn listen(link: &Link, folders: &Folders, nudge: &SyncSender<()>, stop: &AtomicBool) {
    let mut rest = FIRST_REST;
    while !stop.load(Ordering::Acquire) {
        let heard = link.client(folders).and_then(|client| {
            client.hear(|_| {
                let _ = nudge.try_send(());
                !stop.load(Ordering::Acquire)
            })
        });
        rest = if heard.is_ok() { FIRST_REST } else { (rest * 2).min(POLL) };
        std::thread::sleep(rest);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.nudge.try_send(());
    }
}
