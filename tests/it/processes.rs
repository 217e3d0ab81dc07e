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
