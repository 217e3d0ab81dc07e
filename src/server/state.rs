//! What all requests share: the organisations with their engines, limits, counters.

use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Engine, Event};
use crate::server::limits::Limits;
use crate::server::metrics::Metrics;
use crate::server::replay::Replays;
use crate::services::records::List;
use crate::services::setup::WhoAmI;
use crate::services::sync::PullChanges;
use crate::services::sync::bootstrap::{MakeBootstrap, Manifest};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, broadcast, watch};

/// Hints that a slow listener may lag behind before it is told to look anyway.
const MAX_HINTS: usize = 64;

/// Changes behind a first copy that are pulled rather than packed anew.
const MAX_BEHIND: u64 = 20_000;

/// One organisation: its store's engine, and who listens for changes.
pub struct Tenant {
    /// The profile it is kept under; empty for the first.
    pub profile: String,
    pub id: Id,
    pub name: String,
    pub engine: Engine,
    /// The end of the log, after each change.
    pub hints: broadcast::Sender<u64>,
    /// Where its store is.
    pub data: PathBuf,
    /// Chunks for first copies, and what was made last; one is made at a time.
    pub chunks: PathBuf,
    pub first_copy: Mutex<Option<Manifest>>,
    /// Files on their way in.
    pub uploads: PathBuf,
}

impl Tenant {
    /// # Errors
    /// The store was not set up as that of an organisation.
    pub fn new(profile: String, engine: Engine, data: &Path, cache: &Path) -> Outcome<Tenant> {
        let me = engine.ask(&WhoAmI {})?;
        let all =
            List { kind: Kind::Tenant, filter: None, archived: true, account: None, limit: 1, cursor: None };
        let row = if me.set_up { engine.ask(&all)?.items.into_iter().next() } else { None };
        let id = row.map(|item| item.id).ok_or_else(|| {
            Failure::not_found("There is no organisation here yet")
                .hint("`pams init --server --tenant NAME` makes one")
        })?;
        // A copy of a remote log does not serve others.
        engine.ask(&PullChanges { from: 0, most: 0 })?;
        let (hints, _) = broadcast::channel(MAX_HINTS);
        engine.subscribe({
            let hints = hints.clone();
            move |event| {
                if let Event::Changed(changed) = event {
                    let _ = hints.send(changed.seq);
                }
                true
            }
        });
        let (chunks, first_copy) = (cache.join("first-copy"), Mutex::default());
        let uploads = cache.join("uploads");
        let data = data.to_owned();
        Ok(Tenant { profile, id, name: me.organisation, engine, hints, data, chunks, first_copy, uploads })
    }

    /// The manifest for a first copy: the one made last while it is not far behind.
    pub fn manifest(&self) -> Outcome<Manifest> {
        let mut last = self.first_copy.lock().unwrap_or_else(|e| e.into_inner());
        let log = self.engine.ask(&PullChanges { from: u64::MAX - 1, most: 0 })?;
        if let Some(made) = &*last
            && made.epoch == log.epoch
            && log.last_seq.saturating_sub(made.seq) <= MAX_BEHIND
        {
            return Ok(made.clone());
        }
        let made = self.engine.ask(&MakeBootstrap { folder: self.chunks.clone() })?;
        *last = Some(made.clone());
        Ok(made)
    }
}

pub struct Shared {
    pub tenants: Vec<Arc<Tenant>>,
    pub metrics: Metrics,
    /// One password hash a core: each takes 64 MiB.
    pub hashing: Semaphore,
    pub limits: Limits,
    pub replays: Replays,
    /// Becomes true when the server stops: those who listen go.
    pub stopping: watch::Receiver<bool>,
    pub began: std::time::Instant,
}

pub type App = Arc<Shared>;

impl Shared {
    pub fn tenant(&self, id: Id) -> Option<&Arc<Tenant>> {
        self.tenants.iter().find(|t| t.id == id)
    }

    /// By the organisation's name, its profile, or without a word where there is one.
    pub fn tenant_named(&self, name: &str) -> Option<&Arc<Tenant>> {
        match (name.trim(), self.tenants.as_slice()) {
            ("", [only]) => Some(only),
            ("", _) => None,
            (name, all) => all
                .iter()
                .find(|t| t.name.eq_ignore_ascii_case(name) || t.profile == name || t.id.to_string() == name),
        }
    }
}

/// Runs something that waits for the store on a thread that may wait.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Result<T, super::Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(super::Problem::new("internal", "The request failed inside; nothing was changed")),
    }
}
