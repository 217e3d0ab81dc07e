//! `pams dev bench-outlets`: what an import of outlets takes, beside a bare count of the
//! file's records by the same reader in the same run.

use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use clap::ArgMatches;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often the memory of the processes is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Clock ticks of a second, as Linux counts in /proc.
const TICKS: f64 = 100.0;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let file = matches.get_one::<PathBuf>("file").ok_or_else(|| Failure::usage("Which file?"))?;
    let failed = |e: std::io::Error| Failure::invalid(format!("{}: {}", file.display(), said(&e)));
    let bytes = std::fs::metadata(file).map_err(failed)?.len();
    // Once to have the file in memory; then the middle one of three.
    let mut counts = Vec::new();
    for _ in 0..4 {
        let (start, before) = (Instant::now(), ran());
        let records = count(file)?;
        counts.push((ran() - before, start.elapsed().as_secs_f64(), records));
    }
    counts[1..].sort_by(|a, b| a.0.total_cmp(&b.0));
    let (floor, floor_wall, records) = counts[2];
    let home = std::env::temp_dir().join(format!("pams-bench-{}", std::process::id()));
    let program = std::env::current_exe().map_err(failed)?;
    let (start, before) = (Instant::now(), ticks(15));
    let mut child = Command::new(program)
        .arg("--home")
        .arg(&home)
        .args(["outlets", "import", "--yes", "--json"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut peak = 0;
    let status = loop {
        peak = peak.max(memory(child.id()));
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK),
        }
    };
    let (wall, cpu) = (start.elapsed().as_secs_f64(), ticks(15) - before);
    let store = std::fs::metadata(home.join("data/pams.redb")).map_or(0, |m| m.len());
    let _ = std::fs::remove_dir_all(&home);
    if !matches!(status.code(), Some(0 | 8)) {
        return Err(Failure::invalid(format!("The import of {} failed", file.display())));
    }
    let share = store as f64 / bytes.max(1) as f64;
    let times = cpu / floor.max(0.01);
    if context.json {
        output::json(&serde_json::json!({
            "records": records, "bytes": bytes, "count_cpu_s": floor, "count_wall_s": floor_wall,
            "import_cpu_s": cpu, "import_wall_s": wall, "cpu_ratio": times,
            "peak_bytes": peak, "store_bytes": store, "store_share": share,
        }));
        return Ok(());
    }
    output::line(&format!("count   {records} records: {floor:.3} s CPU, {floor_wall:.3} s"));
    output::line(&format!("import  {cpu:.2} s CPU ({times:.1} times the count), {wall:.2} s"));
    output::line(&format!("memory  {} MiB, all processes together at the most", peak >> 20));
    output::line(&format!("store   {} MiB, {share:.2} of the file", store >> 20));
    Ok(())
}

/// Records of a file, by the reader that imports use.
fn count(file: &Path) -> Outcome<u64> {
    let open = std::fs::File::open(file)
        .map_err(|e| Failure::invalid(format!("{}: {}", file.display(), said(&e))))?;
    let mut reader = simd_csv::SplitterBuilder::with_capacity(1 << 20);
    reader.has_headers(false);
    let counted = reader.from_reader(open).count_records();
    counted.map_err(|e| Failure::invalid(format!("{}: {e}", file.display())))
}

/// Seconds of two neighbouring fields of /proc/self/stat, counted from 0 (proc(5)): 13 this
/// process, 15 its children that have ended.
pub(super) fn ticks(field: usize) -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold spaces; behind it comes field 2.
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let of = |n: usize| rest.split(' ').nth(n - 2).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    (of(field) + of(field + 1)) / TICKS
}

/// Seconds that this thread ran, to the nanosecond (/proc/thread-self/schedstat).
fn ran() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split_whitespace().next().and_then(|t| t.parse::<f64>().ok());
    first.map_or_else(|| ticks(13), |nanoseconds| nanoseconds / 1e9)
}

/// Resident bytes of a process and those it started.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS"));
    let own =
        line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) << 10;
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
    let all: Vec<u32> = children
        .flat_map(|c| c.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<_>>())
        .collect();
    own + all.into_iter().map(memory).sum::<u64>()
}
