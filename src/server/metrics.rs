//! Counters in the OpenMetrics text format: base units, bounded labels, never an id.

use crate::engine::{Changed, Engine, Event};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Served {
    pub route: &'static str,
    pub method: &'static str,
    pub status_class: &'static str,
}

/// Upper bounds of the buckets, in seconds: the goals of docs/performance.md are among them.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0];

/// Upper bounds of the buckets of commands that share a commit.
const COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

fn buckets() -> Histogram {
    Histogram::new(SECONDS)
}

pub struct Metrics {
    registry: Registry,
    pub requests: Family<Served, Histogram>,
    pub login_failures: Counter,
    pub sync_changes: Counter,
    pub sync_conflicts: Counter,
    pub listeners: Gauge,
    pub jobs: Gauge,
    pub uptime: Gauge,
    commits: Histogram,
    commit_batch: Histogram,
    pub job_age: Gauge,
    pub backup_age: Gauge,
}

impl Metrics {
    pub fn new() -> Metrics {
        let requests = Family::new_with_constructor(buckets as fn() -> Histogram);
        let mut registry = Registry::default();
        let all = Metrics {
            registry: Registry::default(),
            requests,
            login_failures: Counter::default(),
            sync_changes: Counter::default(),
            sync_conflicts: Counter::default(),
            listeners: Gauge::default(),
            jobs: Gauge::default(),
            uptime: Gauge::default(),
            commits: buckets(),
            commit_batch: Histogram::new(COMMANDS),
            job_age: Gauge::default(),
            backup_age: Gauge::default(),
        };
        registry.register_with_unit(
            "http_request_duration",
            "How long requests took",
            Unit::Seconds,
            all.requests.clone(),
        );
        registry.register("login_failures", "Sign-ins that were refused", all.login_failures.clone());
        registry.register("sync_changes", "Changes taken from devices", all.sync_changes.clone());
        registry.register("sync_conflicts", "Changes that wait as drafts", all.sync_conflicts.clone());
        registry.register("sync_listeners", "Devices that listen for changes", all.listeners.clone());
        registry.register("job_queue_depth", "Background jobs that wait or run", all.jobs.clone());
        registry.register_with_unit(
            "process_uptime",
            "Since the server began",
            Unit::Seconds,
            all.uptime.clone(),
        );
        registry.register_with_unit(
            "store_commit",
            "From the first command of a commit to the disk",
            Unit::Seconds,
            all.commits.clone(),
        );
        registry.register(
            "store_commit_batch_size",
            "Commands that shared a commit",
            all.commit_batch.clone(),
        );
        registry.register_with_unit(
            "job_oldest_age",
            "Of the background jobs that wait or run",
            Unit::Seconds,
            all.job_age.clone(),
        );
        registry.register_with_unit(
            "backup_age",
            "Of the newest backup of the organisation whose is oldest; -1 where one has none",
            Unit::Seconds,
            all.backup_age.clone(),
        );
        Metrics { registry, ..all }
    }

    /// Counts an engine's commits from now on.
    pub fn watch(&self, engine: &Engine) {
        let (commits, batch) = (self.commits.clone(), self.commit_batch.clone());
        engine.subscribe(move |event| {
            if let Event::Changed(Changed { took_us, commands, .. }) = event
                && *commands > 0
            {
                commits.observe(*took_us as f64 / 1e6);
                batch.observe(f64::from(*commands));
            }
            true
        });
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// `2xx`, `4xx` …
pub fn status_class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
