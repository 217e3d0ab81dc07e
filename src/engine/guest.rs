//! A process beside the host: the same requests over the socket, answers matched by
//! number, changes passed on to whoever subscribed here.

use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::gone;
use crate::engine::host::Events;
use crate::engine::wire::{PROTOCOL, ToGuest, ToHost};
use crate::frames::{self, Bytes};
use crate::services::Caller;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Answers = Arc<Mutex<HashMap<u64, SyncSender<Outcome<Vec<u8>>>>>>;

pub struct Guest {
    output: Mutex<UnixStream>,
    answers: Answers,
    alive: Arc<AtomicBool>,
    next: AtomicU64,
    /// Frames heard so far: a host that is asked and says nothing more is silent.
    heard: Arc<AtomicU64>,
    socket: PathBuf,
    patience: Duration,
}

impl Guest {
    /// None when no host listens there.
    pub fn connect(socket: &Path, hello: Duration, events: &Events) -> Outcome<Option<Guest>> {
        let Ok(mut stream) = UnixStream::connect(socket) else { return Ok(None) };
        let greeting = ToHost::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
        };
        let timed = stream.set_read_timeout(Some(hello)).and_then(|()| frames::write(&mut stream, &greeting));
        let welcome = timed.and_then(|()| frames::read::<ToGuest>(&mut stream));
        match welcome {
            Ok(ToGuest::Welcome { .. }) => {}
            Ok(ToGuest::Refused(failure)) => return Err(failure),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(super::silent(Path::new("the one of this profile"), socket));
            }
            // It left while we knocked.
            Ok(_) | Err(_) => return Ok(None),
        }
        let cannot = |e: std::io::Error| Failure::internal(format!("The host cannot be heard: {e}"));
        stream.set_read_timeout(None).map_err(cannot)?;
        let input = stream.try_clone().map_err(cannot)?;
        let guest = Guest {
            output: Mutex::new(stream),
            answers: Answers::default(),
            alive: Arc::new(AtomicBool::new(true)),
            next: AtomicU64::new(1),
            heard: Arc::default(),
            socket: socket.to_owned(),
            patience: hello,
        };
        let (answers, alive, events) = (guest.answers.clone(), guest.alive.clone(), events.clone());
        let heard = guest.heard.clone();
        std::thread::Builder::new()
            .name("pams-guest".into())
            .spawn(move || listen(input, &answers, &alive, &events, &heard))
            .map_err(cannot)?;
        Ok(Some(guest))
    }

    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub fn call(&self, name: &str, body: &[u8], caller: &Caller) -> Outcome<Vec<u8>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = sync_channel(1);
        self.answers.lock().unwrap_or_else(|e| e.into_inner()).insert(id, answer);
        let request =
            ToHost::Request { id, name: name.into(), body: Bytes(body.to_vec()), caller: caller.clone() };
        let bytes = frames::frame(&request)?;
        let sent = {
            use std::io::Write;
            self.output.lock().unwrap_or_else(|e| e.into_inner()).write_all(&bytes)
        };
        // The host may have gone between the insert and now: then nobody will answer.
        if sent.is_err() || !self.is_alive() {
            self.answers.lock().unwrap_or_else(|e| e.into_inner()).remove(&id);
            self.alive.store(false, Ordering::Release);
            return Err(gone());
        }
        // A long command is fine as long as the host says it is there.
        let mut asked = None;
        loop {
            match answered.recv_timeout(self.patience) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) => {
                    let heard = self.heard.load(Ordering::Acquire);
                    if asked == Some(heard) {
                        self.answers.lock().unwrap_or_else(|e| e.into_inner()).remove(&id);
                        return Err(super::silent(Path::new("the one of this profile"), &self.socket));
                    }
                    asked = Some(heard);
                    let mut output = self.output.lock().unwrap_or_else(|e| e.into_inner());
                    let _ = frames::write(&mut *output, &ToHost::Ping);
                }
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let output = self.output.lock().unwrap_or_else(|e| e.into_inner());
        let _ = output.shutdown(std::net::Shutdown::Both);
    }
}

fn listen(mut input: UnixStream, answers: &Answers, alive: &AtomicBool, events: &Events, heard: &AtomicU64) {
    let give = |id: u64, answer: Outcome<Vec<u8>>| {
        if let Some(waiting) = answers.lock().unwrap_or_else(|e| e.into_inner()).remove(&id) {
            let _ = waiting.send(answer);
        }
    };
    while let Ok(frame) = frames::read::<ToGuest>(&mut input) {
        heard.fetch_add(1, Ordering::AcqRel);
        match frame {
            ToGuest::Reply { id, body } => give(id, Ok(body.0)),
            // What the host could not finish because it closes is asked again elsewhere.
            ToGuest::Failed { id, failure } if failure.kind == FailureKind::Offline => give(id, Err(gone())),
            ToGuest::Failed { id, failure } => give(id, Err(failure)),
            ToGuest::Event(event) => events.publish(&event),
            ToGuest::Welcome { .. } | ToGuest::Refused(_) | ToGuest::Pong => {}
            ToGuest::Leaving => break,
        }
    }
    alive.store(false, Ordering::Release);
    // Whoever still waits is told to ask again.
    answers.lock().unwrap_or_else(|e| e.into_inner()).clear();
}
