//! The remote instance: the same engine behind HTTPS, for one organisation or several.
//! `pams serve` starts it; [`routes`] is the table of all it answers.

mod api;
mod guard;
mod health;
mod imports;
mod limits;
mod metrics;
pub mod openapi;
mod problem;
mod replay;
pub mod routes;
pub mod session;
mod state;
mod sync;
pub mod tls;
mod uploads;

pub use problem::{CODES, Problem};
pub use state::Tenant;
pub use sync::FRAME;

use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use state::Shared;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

/// How long requests under way may take when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to shake hands, and to send the head of its request.
const HANDSHAKE: Duration = Duration::from_secs(5);
const HEAD: Duration = Duration::from_secs(10);
/// Threads that answer; those that wait for the store are others.
const THREADS: usize = 2;
/// Requests that may wait for the store at one time.
const MAX_BLOCKING: usize = 128;

/// Where to listen and as whom.
pub struct Settings {
    pub listen: SocketAddr,
    pub files: tls::Files,
    pub tenants: Vec<Arc<Tenant>>,
    /// Requests a second of one person.
    pub rate: u32,
}

/// Serves until a signal ends it; `told` hears the address once it is bound.
pub fn run(settings: Settings, told: impl FnOnce(SocketAddr) -> Outcome<()> + Send + 'static) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::internal(format!("The server cannot start: {}", said(&e)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(MAX_BLOCKING)
        .enable_all()
        .build()
        .map_err(failed)?;
    let done = runtime.block_on(serve(settings, told));
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn serve(settings: Settings, told: impl FnOnce(SocketAddr) -> Outcome<()>) -> Outcome<()> {
    let Settings { listen, files, tenants, rate } = settings;
    let tls = files.acceptor()?;
    let (stop, stopping) = watch::channel(false);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let metrics = metrics::Metrics::new();
    tenants.iter().for_each(|tenant| metrics.watch(&tenant.engine));
    let app = Arc::new(Shared {
        tenants,
        metrics,
        hashing: Semaphore::new(cores),
        limits: limits::Limits::new(rate),
        replays: replay::Replays::default(),
        stopping,
        began: Instant::now(),
    });
    let handle = Handle::new();
    tokio::spawn(signals(handle.clone(), stop, tls.clone(), files));
    let service = routes::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let bound = std::net::TcpListener::bind(listen).map_err(|e| cannot_listen(listen, &e))?;
    bound.set_nonblocking(true).map_err(|e| cannot_listen(listen, &e))?;
    let address = bound.local_addr().map_err(|e| cannot_listen(listen, &e))?;
    let mut server = axum_server::from_tcp(bound)
        .map_err(|e| cannot_listen(listen, &e))?
        .acceptor(axum_server::tls_rustls::RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE))
        .http1_only()
        .handle(handle);
    server.http_builder().http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEAD);
    told(address)?;
    server.serve(service).await.map_err(|e| Failure::internal(format!("The server ended: {}", said(&e))))
}

fn cannot_listen(listen: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::invalid(format!("{listen} cannot be listened on: {}", said(error)))
        .hint("Is another one running there? `--listen` takes another address")
}

/// Ends the server on SIGTERM and SIGINT, reads the certificate again on SIGHUP.
async fn signals(
    handle: Handle<SocketAddr>,
    stop: watch::Sender<bool>,
    tls: RustlsConfig,
    files: tls::Files,
) {
    let (Ok(mut end), Ok(mut interrupt), Ok(mut again)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
            _ = again.recv() => match files.config() {
                Ok(config) => {
                    tls.reload_from_config(config);
                    log(&serde_json::json!({ "level": "info", "target": "tls", "message": "certificate read again" }));
                }
                Err(failure) => log(&serde_json::json!({
                    "level": "error", "target": "tls", "message": failure.message,
                    "hint": "the certificate before stays in use",
                })),
            },
        }
    }
    let _ = stop.send(true);
    handle.graceful_shutdown(Some(DRAIN));
}

/// One line of the log, on standard error.
fn log(line: &serde_json::Value) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
