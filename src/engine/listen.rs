//! The host's socket: one task a guest, requests answered on a few blocking threads,
//! changes told as they happen.

use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::engine::host::{Event, Events, Host};
use crate::engine::wire::{PROTOCOL, ToGuest, ToHost};
use crate::frames::{self, Bytes};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};

/// Guests at one time; a further one is told so.
const MAX_GUESTS: usize = 64;
/// Requests of one guest under way.
const MAX_REQUESTS: usize = 16;
/// Threads that answer guests' requests.
const THREADS: usize = 4;
/// Events a slow guest may lag behind before it is told "many".
const MAX_EVENTS: usize = 64;
/// How long a guest may take to greet, and all of them to hear that we leave.
const FAREWELL: Duration = Duration::from_secs(1);
/// Rest after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(50);
/// Frames that may wait for a slow guest.
const MAX_FRAMES: usize = 32;

pub struct Listener {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Listener {
    pub fn start(host: Weak<Host>, events: Events, socket: &Path) -> Outcome<Listener> {
        let failed = |e: std::io::Error| {
            Failure::internal(format!("The socket {} cannot be made: {}", socket.display(), said(&e)))
                .hint("Check who may write in the state directory")
        };
        if let Some(folder) = socket.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        // The file's lock is ours, so a socket that is there was left behind.
        let _ = std::fs::remove_file(socket);
        let bound = std::os::unix::net::UnixListener::bind(socket).map_err(failed)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        let _ = std::fs::write(socket.with_extension("pid"), std::process::id().to_string());
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(THREADS)
            .build()
            .map_err(failed)?;
        let (tell, _) = broadcast::channel(MAX_EVENTS);
        events.add(Box::new({
            let (tell, stopped) = (tell.clone(), stopped.clone());
            move |event: &Event| {
                let _ = tell.send(event.clone());
                !*stopped.borrow()
            }
        }));
        let thread = std::thread::Builder::new()
            .name("pams-listen".into())
            .spawn(move || {
                runtime.block_on(accept(bound, host, tell, stopped));
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Listener { stop, thread: Some(thread), socket: socket.to_owned() })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
        let _ = std::fs::remove_file(self.socket.with_extension("pid"));
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(
    bound: std::os::unix::net::UnixListener,
    host: Weak<Host>,
    tell: broadcast::Sender<Event>,
    mut stopped: watch::Receiver<bool>,
) {
    let Ok(listener) = UnixListener::from_std(bound) else { return };
    let places = Arc::new(Semaphore::new(MAX_GUESTS));
    let mut guests = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = guests.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // No descriptors left, say: others may close some.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let place = places.clone().try_acquire_owned().ok();
                let (host, events, stopped) = (host.clone(), tell.subscribe(), stopped.clone());
                guests.spawn(async move {
                    let full = place.is_none();
                    let _ = serve(stream, host, events, stopped, full).await;
                    drop(place);
                });
            }
        }
    }
    drop(listener);
    // Each guest is told that we leave; one that stands still is not waited for.
    let farewell = async { while guests.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    guests.abort_all();
}

async fn serve(
    mut stream: UnixStream,
    host: Weak<Host>,
    mut events: broadcast::Receiver<Event>,
    mut stopped: watch::Receiver<bool>,
    full: bool,
) -> std::io::Result<()> {
    let greeting = tokio::time::timeout(FAREWELL, greet(&mut stream, full));
    if let Err(failure) = greeting.await.map_err(|_| std::io::ErrorKind::TimedOut)?? {
        return send(&mut stream, &ToGuest::Refused(failure)).await;
    }
    let (mut input, mut output) = stream.into_split();
    let (frames, mut outbox) = mpsc::channel::<ToGuest>(MAX_FRAMES);
    let slots = Arc::new(Semaphore::new(MAX_REQUESTS));
    // Reading is a task of its own: a frame must not be cut in two by another event.
    let reading = tokio::spawn(async move {
        while let Ok(request) = receive::<ToHost>(&mut input).await {
            let ToHost::Request { id, name, body, caller } = request else {
                if matches!(request, ToHost::Ping) && frames.send(ToGuest::Pong).await.is_ok() {
                    continue;
                }
                break;
            };
            let (Some(host), Ok(slot)) = (host.upgrade(), slots.clone().acquire_owned().await) else { break };
            let frames = frames.clone();
            tokio::task::spawn_blocking(move || {
                let answer = match host.call(&name, &body.0, &caller) {
                    Ok(reply) => ToGuest::Reply { id, body: Bytes(reply) },
                    Err(failure) => ToGuest::Failed { id, failure },
                };
                let _ = frames.blocking_send(answer);
                drop(slot);
            });
        }
    });
    let result = loop {
        let frame = tokio::select! {
            biased;
            _ = stopped.changed() => {
                // What was answered already goes out first.
                while let Ok(frame) = outbox.try_recv() {
                    send(&mut output, &frame).await?;
                }
                break send(&mut output, &ToGuest::Leaving).await;
            }
            frame = outbox.recv() => match frame {
                Some(frame) => frame,
                None => break Ok(()),
            },
            event = events.recv() => match event {
                Ok(event) => ToGuest::Event(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    ToGuest::Event(Event::everything())
                }
                Err(broadcast::error::RecvError::Closed) => break Ok(()),
            },
        };
        if let Err(error) = send(&mut output, &frame).await {
            break Err(error);
        }
    };
    reading.abort();
    result
}

/// The hello: same protocol and same version, or one sentence.
async fn greet(stream: &mut UnixStream, full: bool) -> std::io::Result<Result<(), Failure>> {
    let ToHost::Hello { protocol, version, .. } = receive(stream).await? else {
        return Ok(Err(Failure::internal("The other process does not speak PAMS")));
    };
    let ours = env!("CARGO_PKG_VERSION");
    if protocol != PROTOCOL || version != ours {
        return Ok(Err(Failure::internal(format!(
            "The running PAMS is version {ours}, this one is {version}"
        ))
        .hint("Close the other one, then start again")));
    }
    if full {
        return Ok(Err(Failure::internal(format!(
            "{MAX_GUESTS} terminals and scripts are connected already"
        ))));
    }
    send(stream, &ToGuest::Welcome { version: ours.into(), pid: std::process::id() }).await?;
    Ok(Ok(()))
}

async fn send(to: &mut (impl AsyncWriteExt + Unpin), frame: &ToGuest) -> std::io::Result<()> {
    let bytes = match (frames::frame(frame), frame) {
        (Ok(bytes), _) => bytes,
        (Err(failure), ToGuest::Reply { id, .. }) => frames::frame(&ToGuest::Failed { id: *id, failure })
            .map_err(|f| std::io::Error::other(f.message))?,
        (Err(failure), _) => return Err(std::io::Error::other(failure.message)),
    };
    to.write_all(&bytes).await
}

async fn receive<T: serde::de::DeserializeOwned>(
    from: &mut (impl AsyncReadExt + Unpin),
) -> std::io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let mut body = vec![0; frames::length_of(length)?];
    from.read_exact(&mut body).await?;
    frames::decode(&body).map_err(|f| std::io::Error::other(f.message))
}
