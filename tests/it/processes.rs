//! Host and guests as real processes.

use crate::program::Pams;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

fn hold(pams: &Pams) -> (Child, String) {
    let mut child =
        pams.command(&["dev", "hold"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

#[test]
fn scripts_work_while_a_host_holds_the_store() {
    let pams = Pams::with_names();
    let (mut host, role) = hold(&pams);
    assert_eq!(role, "host");
    let (mut second, role) = hold(&pams);
    assert_eq!(role, "guest");
    pams.log("demo acme 1h : through the host");
    assert_eq!(pams.summaries(), ["through the host"]);
    // The host leaves by itself: the guest that stays takes over and serves others.
    drop(host.stdin.take());
    assert!(host.wait().unwrap().success());
    pams.log("demo acme 1h : through the next host");
    assert_eq!(pams.summaries().len(), 2);
    drop(second.stdin.take());
    second.wait().unwrap();
    assert_eq!(pams.summaries().len(), 2);
    assert!(!pams.path().join("state/pams.sock").exists(), "no socket is left behind");
}

#[test]
fn many_writers_at_once_lose_and_double_nothing() {
    let pams = Pams::with_names();
    let writers: Vec<Child> = (0..4)
        .map(|n| {
            let tag = format!("p{n}");
            let words = ["dev", "write", "--count", "25", "--tag", tag.as_str()];
            pams.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut summaries = pams.summaries();
    summaries.sort();
    let mut expected: Vec<String> = (0..4).flat_map(|p| (0..25).map(move |n| format!("p{p}-{n}"))).collect();
    expected.sort();
    assert_eq!(summaries, expected);
}

/// kill -9, 25 times on each path; `pams dev torture` does 200.
#[test]
fn killed_processes_lose_nothing_acknowledged() {
    let pams = Pams::new();
    let report = pams.json(&["dev", "torture", "--kills", "25"]);
    for path in ["commit", "hand_over", "import"] {
        let tally = &report[path];
        assert_eq!((tally["lost"].as_u64(), tally["doubled"].as_u64()), (Some(0), Some(0)), "{report}");
        assert_eq!(tally["faults"], serde_json::json!([]), "{report}");
    }
    assert!(report["hand_over"]["acknowledged"].as_u64() == Some(25 * 60), "{report}");
}

/// A socket that answers nothing: the guest says who holds the store, in two seconds.
#[test]
fn a_silent_host_is_named() {
    let pams = Pams::with_names();
    let state = pams.path().join("state");
    let socket = std::os::unix::net::UnixListener::bind(state.join("pams.sock")).unwrap();
    std::fs::write(state.join("pams.pid"), "4711").unwrap();
    let err = pams.fails(1, &["account", "list"]);
    assert!(err.contains("4711") && err.contains("does not answer"), "{err}");
    drop(socket);
    // A socket that nobody listens on is no obstacle.
    pams.ok(&["account", "list"]);
}

#[test]
fn another_version_is_told_in_a_sentence() {
    let pams = Pams::with_names();
    let (mut host, _) = hold(&pams);
    let mut stream = std::os::unix::net::UnixStream::connect(pams.path().join("state/pams.sock")).unwrap();
    // A frame that is no hello, and one that is too long: the host goes on serving.
    stream.write_all(&[3, 0, 0, 0, 1, 2, 3]).unwrap();
    let mut long = std::os::unix::net::UnixStream::connect(pams.path().join("state/pams.sock")).unwrap();
    long.write_all(&u32::MAX.to_le_bytes()).unwrap();
    pams.log("demo acme 1h : still served");
    assert_eq!(pams.summaries(), ["still served"]);
    drop(host.stdin.take());
    host.wait().unwrap();
}

/// A CSV of wins large enough to be staged in several pieces.
fn large(pams: &Pams, rows: usize) -> String {
    let mut text = "Opportunity ID,Opportunity,Account,Stage,Amount,Close Date,Owner\n".to_owned();
    for n in 0..rows {
        let day = n % 28 + 1;
        text += &format!(
            "006{n:07},Rollout of the suite number {n},Account {n},Closed Won,{n},2026-01-{day:02},Nora\n"
        );
    }
    let path = pams.path().join("large.csv");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// An import whose process dies in the middle is gone on with by the next host, behind
/// the last piece that was kept.
#[test]
fn a_job_cut_off_is_gone_on_with() {
    let pams = Pams::with_names();
    let file = large(&pams, 60_000);
    let waiting = |pams: &Pams| {
        let jobs = pams.json(&["jobs", "list"]);
        jobs["items"].as_array().unwrap().iter().find(|j| j["state"] == "waiting").cloned()
    };
    let mut kept = 0;
    for _ in 0..10 {
        let mut child = pams
            .command(&["wins", "import", &file, "--review", "--json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Asked of the importing process itself, until it has begun.
        while child.try_wait().unwrap().is_none() && waiting(&pams).is_none() {}
        let _ = child.kill();
        child.wait().unwrap();
        if let Some(job) = waiting(&pams) {
            kept = job["kept"].as_u64().unwrap();
            break;
        }
    }
    let ended = pams.json(&["jobs", "wait"]);
    let states: Vec<&str> =
        ended["items"].as_array().unwrap().iter().map(|j| j["state"].as_str().unwrap()).collect();
    assert!(!states.is_empty() && states.iter().all(|s| *s == "done"), "{ended}");
    let open = pams.json(&["import", "list"]);
    let id = open["items"][0]["id"].as_str().unwrap().to_owned();
    let shown = pams.json(&["import", "show", &id]);
    assert_eq!(
        (shown["report"]["rows"].as_u64(), shown["report"]["wins"].as_u64()),
        (Some(60_000), Some(60_000))
    );
    println!("the cut job had kept {kept} rows");
    let done = pams.json(&["import", "commit", &id]);
    assert_eq!(done["added"], 60_000);
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}

/// The host is killed while a guest's file is read: the guest becomes host and the job
/// is done once.
#[test]
fn a_killed_host_ends_no_import() {
    let pams = Pams::with_names();
    let file = large(&pams, 40_000);
    let (mut host, _) = hold(&pams);
    let import = pams
        .command(&["wins", "import", &file, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(250));
    host.kill().unwrap();
    host.wait().unwrap();
    let output = import.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let done: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((done["rows"].as_u64(), done["added"].as_u64()), (Some(40_000), Some(40_000)));
    assert_eq!(pams.json(&["import", "list"])["items"], serde_json::json!([]), "no review stays behind");
    assert_eq!(pams.json(&["wins", "versions"])["items"].as_array().unwrap().len(), 1);
}

/// A small file that unpacks to billions of cells: its worker is ended, the host lives.
#[test]
fn a_file_that_eats_memory_ends_its_worker_only() {
    let pams = Pams::with_names();
    let path = pams.path().join("bomb.ods");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let mut put = |name: &str, text: &str| {
        let stored = zip::CompressionMethod::Stored;
        let options = zip::write::SimpleFileOptions::default();
        let options = if name == "mimetype" { options.compression_method(stored) } else { options };
        zip.start_file(name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    };
    put("mimetype", "application/vnd.oasis.opendocument.spreadsheet");
    put("META-INF/manifest.xml", "<manifest:manifest/>");
    let row = "<table:table-row table:number-rows-repeated=\"6000\"><table:table-cell \
               table:number-columns-repeated=\"16000\" office:value-type=\"string\"><text:p>x</text:p>\
               </table:table-cell></table:table-row>";
    put(
        "content.xml",
        &format!(
            "<?xml version=\"1.0\"?><office:document-content><office:body><office:spreadsheet>\
             <table:table table:name=\"S\">{row}</table:table></office:spreadsheet></office:body>\
             </office:document-content>"
        ),
    );
    zip.finish().unwrap();
    let (mut host, _) = hold(&pams);
    let err = pams.fails(3, &["wins", "import", path.to_str().unwrap()]);
    assert!(err.contains("memory"), "{err}");
    pams.log("demo acme 1h : the host lives");
    let err = pams.fails(3, &["wins", "inspect", path.to_str().unwrap()]);
    assert!(err.contains("memory"), "{err}");
    drop(host.stdin.take());
    assert!(host.wait().unwrap().success());
}

/// The figures of whole processes come from the program itself.
#[test]
fn the_bench_starts_processes_and_kills_writers() {
    let pams = Pams::with_names();
    let found = pams.json(&["dev", "bench", "--rounds", "2"]);
    for name in ["process_log_with_host_ms", "process_month_page_ms", "process_list_after_kill_worst_ms"] {
        assert!(found[name].as_f64().is_some_and(|ms| ms > 0.0), "{name}: {found}");
    }
    assert_eq!(pams.json(&["db", "check"])["wrong"].as_array().map(Vec::len), Some(0));
}
