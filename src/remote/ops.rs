//! How the server does: its counters, read off the text that it gives to Prometheus too.

use crate::domain::text::thousands;
use crate::domain::{Failure, Outcome};
use crate::remote::Client;
use serde::Serialize;
use std::collections::BTreeMap;

/// Share of requests that may fail inside the server: 99.9 % must not.
const BUDGET: f64 = 0.001;
/// A stream lasts as long as its listener; how long says nothing.
const STREAMS: [&str; 2] = ["/api/v1/sync/live", "/api/v1/imports/{id}/events"];

/// What was answered on one path since the server began.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Route {
    /// "GET /api/v1/activities"; "all" of their sum.
    pub route: String,
    pub requests: u64,
    /// Faults of the server.
    pub errors: u64,
    /// Milliseconds within which so many in a hundred were answered, estimated inside the
    /// bucket that they fall into; none where nothing was asked, or beyond the last bucket.
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    #[serde(skip)]
    buckets: BTreeMap<u64, f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ops {
    /// All of them together first, then by how often they are asked.
    pub routes: Vec<Route>,
    /// Share of the errors that may be which were not, 0 to 1.
    pub budget_left: f64,
    /// Gauges by name.
    pub gauges: BTreeMap<String, f64>,
    /// Milliseconds in which half and 99 in a hundred commits were on the disk.
    pub commit_p50_ms: Option<f64>,
    pub commit_p99_ms: Option<f64>,
}

/// # Errors
/// Those of a call; denied without `ops.read`.
pub fn ask(client: &Client) -> Outcome<Ops> {
    let text = client.text("/metrics")?;
    Ops::read(&text).ok_or_else(|| Failure::internal("The server's counters cannot be read"))
}

impl Route {
    fn add(&mut self, le: f64, within: f64) {
        *self.buckets.entry((le * 1e6).min(u64::MAX as f64) as u64).or_default() += within;
    }

    fn finish(mut self, streams: bool) -> Route {
        let at = |share: f64| if streams { None } else { quantile(&self.buckets, share) };
        (self.p50_ms, self.p95_ms, self.p99_ms) = (at(0.5), at(0.95), at(0.99));
        self
    }

    /// "4 / 11 / 40"
    pub fn latency(&self) -> String {
        let shown = |ms: Option<f64>| match ms {
            None => "-".to_owned(),
            Some(ms) if ms < 10.0 => format!("{ms:.1}"),
            Some(ms) => format!("{ms:.0}"),
        };
        match [self.p50_ms, self.p95_ms, self.p99_ms] {
            [None, None, None] => "-".to_owned(),
            all => all.map(shown).join(" / "),
        }
    }
}

/// The value below which a share of the observations lies, in milliseconds: linear inside
/// its bucket, as `histogram_quantile` of Prometheus has it.
fn quantile(buckets: &BTreeMap<u64, f64>, share: f64) -> Option<f64> {
    let all = *buckets.values().next_back().filter(|all| **all > 0.0)?;
    let (mut low, mut below) = (0.0, 0.0);
    for (le, within) in buckets {
        if *within >= all * share {
            let high = if *le == u64::MAX { return None } else { *le as f64 / 1e3 };
            return Some(low + (high - low) * (all * share - below) / (within - below).max(1e-9));
        }
        (low, below) = (*le as f64 / 1e3, *within);
    }
    None
}

impl Ops {
    /// Reads the OpenMetrics text format; none where it is no such text.
    pub fn read(text: &str) -> Option<Ops> {
        let mut routes: BTreeMap<String, Route> = BTreeMap::new();
        let (mut all, mut commits, mut ops) = (Route::default(), Route::default(), Ops::default());
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (what, value) = line.rsplit_once(' ')?;
            let value: f64 = value.parse().ok()?;
            let (name, labels) = what.split_once('{').unwrap_or((what, ""));
            let label = |wanted: &str| {
                let rest = labels.split_once(&format!("{wanted}=\""))?.1;
                Some(rest.split_once('"')?.0)
            };
            let le =
                || label("le").and_then(|le| if le == "+Inf" { Some(f64::MAX) } else { le.parse().ok() });
            match name.strip_prefix("http_request_duration_seconds") {
                Some(part) => {
                    let path = label("route")?;
                    let method = label("method")?.to_uppercase();
                    let of = routes.entry(format!("{method} {path}")).or_default();
                    let is_stream = STREAMS.contains(&path);
                    match part {
                        "_bucket" => {
                            of.add(le()?, value);
                            if !is_stream {
                                all.add(le()?, value);
                            }
                        }
                        "_count" => {
                            let failed = label("status_class") == Some("5xx");
                            for of in [of, &mut all] {
                                of.requests += value as u64;
                                of.errors += if failed { value as u64 } else { 0 };
                            }
                        }
                        _ => {}
                    }
                }
                None if name == "store_commit_seconds_bucket" => commits.add(le()?, value),
                None if labels.is_empty() => drop(ops.gauges.insert(name.to_owned(), value)),
                None => {}
            }
        }
        let named = |(route, of): (String, Route)| {
            let streams = STREAMS.iter().any(|path| route.ends_with(path));
            Route { route, ..of }.finish(streams)
        };
        ops.routes = routes.into_iter().map(named).filter(|of| of.requests > 0).collect();
        ops.routes.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.route.cmp(&b.route)));
        let may_fail = (all.requests as f64 * BUDGET).max(f64::MIN_POSITIVE);
        ops.budget_left = (1.0 - all.errors as f64 / may_fail).max(0.0);
        ops.routes.insert(0, Route { route: "all".into(), ..all }.finish(false));
        (ops.commit_p50_ms, ops.commit_p99_ms) =
            (quantile(&commits.buckets, 0.5), quantile(&commits.buckets, 0.99));
        Some(ops)
    }

    fn gauge(&self, name: &str) -> f64 {
        self.gauges.get(name).copied().unwrap_or(0.0)
    }

    /// "up 3 h, 2 listen, 1 job waits, commits 4 ms, last backup 5 h ago"
    pub fn told(&self) -> String {
        let mut parts = vec![format!("up {}", span(self.gauge("process_uptime_seconds")))];
        parts.push(format!("{} listen", thousands(self.gauge("sync_listeners") as u64)));
        if self.gauge("job_queue_depth") > 0.0 {
            parts.push(format!("{} jobs wait", self.gauge("job_queue_depth")));
        }
        parts.extend(self.commit_p50_ms.map(|ms| format!("a commit {ms:.0} ms")));
        parts.push(match self.gauges.get("backup_age_seconds").filter(|age| **age >= 0.0) {
            Some(age) => format!("last backup {} ago", span(*age)),
            None => "no backup yet".into(),
        });
        parts.join(", ")
    }

    /// "99.95 % without a fault, half of the budget left"
    pub fn goal(&self) -> String {
        let (errors, requests) = self.routes.first().map_or((0, 0), |all| (all.errors, all.requests));
        let fine = 100.0 * (1.0 - errors as f64 / requests.max(1) as f64);
        format!(
            "{fine:.2} % without a fault (goal 99.9), {:.0} % of the errors that may be are left",
            100.0 * self.budget_left
        )
    }
}

/// Seconds in words.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_latencies_and_a_budget() {
        let bucket = |route: &str, class: &str, le: &str, n: u32| {
            format!(
                "http_request_duration_seconds_bucket{{le=\"{le}\",route=\"{route}\",method=\"get\",status_class=\"{class}\"}} {n}\n"
            )
        };
        let count = |route: &str, class: &str, n: u32| {
            format!(
                "http_request_duration_seconds_count{{route=\"{route}\",method=\"get\",status_class=\"{class}\"}} {n}\n"
            )
        };
        let mut text = String::from("# TYPE process_uptime_seconds gauge\nprocess_uptime_seconds 7300\n");
        // 900 within 10 ms, 90 within 100 ms, 10 beyond all buckets; 1 of 1,000 failed.
        for (le, n) in [("0.01", 900), ("0.1", 990), ("+Inf", 999)] {
            text += &bucket("/a", "2xx", le, n);
        }
        for (le, n) in [("0.01", 0), ("0.1", 0), ("+Inf", 1)] {
            text += &bucket("/a", "5xx", le, n);
        }
        text += &(count("/a", "2xx", 999) + &count("/a", "5xx", 1));
        text += &(bucket("/api/v1/sync/live", "2xx", "+Inf", 3) + &count("/api/v1/sync/live", "2xx", 3));
        text += "# EOF\n";
        let ops = Ops::read(&text).unwrap();
        let [all, a, live] = ops.routes.as_slice() else { panic!("{ops:?}") };
        assert_eq!((all.requests, all.errors, a.requests, live.requests), (1_003, 1, 1_000, 3));
        assert!((a.p50_ms.unwrap() - 5.555).abs() < 0.01, "{a:?}");
        assert!((a.p95_ms.unwrap() - 60.0).abs() < 0.01, "{a:?}");
        assert_eq!((a.p99_ms.map(f64::round), live.p50_ms), (Some(100.0), None));
        assert_eq!(a.latency(), "5.6 / 60 / 100");
        // 1.003 may fail, one did.
        assert!((ops.budget_left - 0.003).abs() < 0.001, "{}", ops.budget_left);
        assert!(ops.told().starts_with("up 2 h, 0 listen") && ops.told().ends_with("no backup yet"));
        assert_eq!(Ops::read("<html>"), None);
    }
}
