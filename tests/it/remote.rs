//! The remote instance as its users meet it: real processes, real TLS, real files.

use crate::program::Pams;
use crate::served::{Answer, Http, Server, state_hash};
use pams::changes::codec;
use pams::server::openapi;
use pams::server::routes::{Needs, ROUTES};
use pams::services::sync::reconcile::Digests;
use pams::services::sync::{Pulled, Pushed, Taken};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn what_two_people_did_apart_comes_together() {
    let server = Server::new();
    let (ana, ben) = (server.device("Ana"), server.device("Ben"));
    ana.ok(&["account", "add", "Acme Corp"]);
    ana.log("demo acme 3h : written on the train");
    let sent = ana.json(&["sync"]);
    assert_eq!((&sent["pushed"], &sent["pulled"], &sent["drafts"]), (&json!(2), &json!(0), &json!(0)));
    assert_eq!(ben.json(&["sync"])["pulled"], json!(2));
    // Both change the same field, and each another one, without the line.
    ben.ok(&["account", "edit", "Acme Corp", "--region", "north", "--segment", "large"]);
    ana.ok(&["account", "edit", "Acme Corp", "--region", "south", "--website", "acme.example"]);
    assert_eq!(ben.json(&["sync"])["pushed"], json!(1));
    let ran = ana.run(&["sync", "--json"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    let synced: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&synced["pushed"], &synced["new_drafts"]), (&json!(1), &json!(1)));
    let account = ana.json(&["account", "show", "Acme Corp"]);
    assert_eq!(account["region"], json!("north"), "the first stands: {account}");
    assert_eq!((&account["segment"], &account["website"]), (&json!("large"), &json!("acme.example")));
    let draft = ana.json(&["drafts", "show", "last"]);
    assert_eq!(draft["fields"]["region"], json!(["-", "south", "north"]), "base, mine, theirs: {draft}");
    assert_eq!(draft["theirs_by"], json!("Ben"));
    assert_eq!(ben.json(&["drafts", "list"])["items"], json!([]), "it is Ana's to settle");
    ana.ok(&["drafts", "resolve", "last", "--choose", "mine"]);
    ana.ok(&["sync"]);
    ben.ok(&["sync"]);
    assert_eq!(ben.json(&["account", "show", "Acme Corp"])["region"], json!("south"));
    let history = ben.ok(&["history", "account", "Acme Corp"]);
    assert!(history.contains("Ana") && history.contains("Ben"), "{history}");
    let whole = state_hash(&server.stop());
    assert_eq!((state_hash(&ana), state_hash(&ben)), (whole.clone(), whole));
}

#[test]
fn an_admin_at_the_server_works_beside_it() {
    let server = Server::new();
    let ana = server.device("Ana");
    server.pams.ok(&["account", "add", "Orbit Labs"]);
    assert_eq!(ana.json(&["sync"])["pulled"], json!(1));
    let sessions = server.pams.json(&["session", "list"]);
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    let id = sessions[0]["id"].as_str().unwrap();
    server.pams.ok(&["session", "end", &id[..12]]);
    let ran = ana.run(&["sync"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("pams login"), "{}", ran.err);
    // What is saved meanwhile is kept, and goes with the next session.
    ana.ok(&["account", "add", "Delta"]);
    server.login(&ana, "Ana");
    assert!(server.pams.ok(&["account", "list"]).contains("Delta"));
}

#[test]
fn what_cannot_be_read_is_told_and_harms_nothing() {
    let server = Server::new();
    let http = server.signed_in("Ana");
    let raw = |kind: &str, body: &[u8], path: &str| {
        let (kind, body) = (kind.to_owned(), body.to_vec());
        http.send(|r| r.header("x-pams", "1").header("content-type", kind).body(body), "post", path)
    };
    let code = |answer: Answer| {
        let body = answer.json();
        assert_eq!(body["status"], json!(answer.status), "{body}");
        assert!(body["trace_id"].as_str().is_some_and(|id| answer.headers["x-request-id"] == id), "{body}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        (answer.status, body["code"].as_str().unwrap().to_owned())
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(code(raw("application/json", b"{", "/api/v1/do/record.save")), is(400, "usage"));
    assert_eq!(code(raw("application/json", b"{}", "/api/v1/do/record.save")), is(422, "invalid"));
    assert_eq!(code(raw("text/plain", b"{}", "/api/v1/do/record.save")), is(415, "media_type"));
    assert_eq!(code(raw("application/json", b"{}", "/api/v1/do/no.such")), is(404, "not_found"));
    assert_eq!(code(raw("application/json", b"{}", "/api/v1/do/setup.run")), is(404, "not_found"));
    assert_eq!(
        code(raw("application/json", &vec![b' '; 3 << 20], "/api/v1/do/record.save")),
        is(413, "too_large")
    );
    assert_eq!(code(raw("application/json", b"{}", "/api/v1/sync/push")), is(415, "media_type"));
    let frame = "application/vnd.pams.frame+zstd";
    assert_eq!(code(raw(frame, b"nothing packed", "/api/v1/sync/push")), is(400, "usage"));
    // A small body that unfolds to a great one.
    let bomb = zstd::bulk::compress(&vec![0; 65 << 20], 3).unwrap();
    assert_eq!(code(raw(frame, &bomb, "/api/v1/sync/push")), is(400, "usage"));
    assert_eq!(code(http.get("/api/v1/nothing")), is(404, "not_found"));
    assert_eq!(code(http.send(|r| r.header("x-pams", "1"), "put", "/api/v1/wins")), is(405, "method"));
    assert_eq!(code(http.get("/api/v1/activities?limit=100000")), is(400, "usage"));
    assert_eq!(code(http.get("/api/v1/activities?month=2026-13")), is(400, "usage"));
    assert_eq!(code(http.get("/api/v1/wins?color=red")), is(400, "usage"));
    assert_eq!(http.get("/health/ready").status, 200);
}

/// A file of any size comes in parts, over as many lines and lives of the server as it takes.
#[test]
fn a_large_file_comes_in_parts_and_goes_on_after_a_kill() {
    let mut server = Server::new();
    let mut csv = String::from("Outlet Code,Outlet Name,City,Latitude,Longitude\n");
    for n in 0..150_000 {
        csv += &format!(
            "O{n:06},Shop number {n} of the long street,Lisbon,38.{:05},-9.{:05}\n",
            n % 90_000,
            n % 80_000
        );
    }
    assert!(csv.len() > 9 << 20);
    let mut root = server.signed_in("Root");
    let file = json!({ "target": "outlets", "name": "outlets.csv", "bytes": csv.len(), "hash": blake3::hash(csv.as_bytes()).to_hex().as_str() });
    assert_eq!(server.signed_in("Ana").post("/api/v1/imports", &file).status, 403);
    let begun = root.post("/api/v1/imports", &file);
    assert_eq!(begun.status, 201, "{}", begun.text);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let size = begun.json()["part_bytes"].as_u64().unwrap() as usize;
    let parts: Vec<&[u8]> = csv.as_bytes().chunks(size).collect();
    assert_eq!((begun.json()["parts"].as_u64().unwrap(), parts.len()), (2, 2));
    let path = format!("/api/v1/imports/{id}");
    let put = |http: &Http, n: usize, bytes: &[u8], hash: &str| {
        let (bytes, path) = (bytes.to_vec(), format!("{path}/parts/{n}?hash={hash}"));
        http.send(|r| r.header("x-pams", "1").body(bytes), "put", &path)
    };
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    assert_eq!(put(&root, 1, parts[1], &hash(parts[0])).status, 422, "it is not what its hash says");
    assert_eq!(put(&root, 0, &parts[0][1..], "").status, 422, "nor as long as it should be");
    assert_eq!(put(&root, 7, parts[1], "").status, 422);
    let twice = put(&root, 1, b"x", "0&hash=0");
    assert_eq!((twice.status, &twice.json()["code"]), (400, &json!("usage")));
    assert_eq!(put(&root, 1, parts[1], &hash(parts[1])).status, 204);
    assert_eq!(root.post(&format!("{path}/start"), &json!({})).status, 409, "a part is missing");
    server = server.kill_and_start();
    root = Http { cookie: root.cookie, ..server.http() };
    assert_eq!(root.get(&path).json()["missing"], json!([0]), "what came is still there");
    assert_eq!(server.signed_in("Ben").get(&path).status, 404, "what is somebody else's is not there");
    assert_eq!(put(&root, 0, parts[0], &hash(parts[0])).status, 204);
    let started = root.post(&format!("{path}/start"), &json!({}));
    assert_eq!(started.status, 202, "{}", started.text);
    // The events end when it has been read.
    let events = root.get(&format!("{path}/events"));
    assert!(events.text.contains("data:"), "{}", events.text);
    let read = root.get(&path).json();
    assert_eq!(read["report"]["rows"], json!(150_000), "{read}");
    let done = root.post(&format!("{path}/commit"), &json!({ "agreed": true }));
    assert_eq!(done.status, 200, "{}", done.text);
    let last = server.pams.ok(&["outlets", "list", "--from", "O149999", "--limit", "5"]);
    assert!(last.contains("Shop number 149999"), "{last}");
    assert_eq!(root.get(&path).status, 404, "it is done");
    // Nobody has files of the server's machine read.
    let source = json!({ "Path": { "path": "/etc/hostname", "said": { "header": null, "columns": {}, "dates": "", "cells": {}, "values": {}, "aside_rows": [], "aside": [], "prefer": [], "mend": [] } } });
    let ask = json!({ "target": "outlets", "source": source, "options": {} });
    let refused = root.post("/api/v1/do/imports.start", &ask);
    assert_eq!(refused.status, 403, "{}", refused.text);
}

/// A request may be sent again without being done again, and never writes over what its
/// author did not see.
#[test]
fn a_request_sent_again_or_late_harms_nothing() {
    let server = Server::new();
    let root = server.signed_in("Root");
    let post = |key: &str, tag: &str, body: &Value| {
        let (key, tag, body) = (key.to_owned(), tag.to_owned(), body.to_string());
        let change = move |r: reqwest::RequestBuilder| {
            let r = r.header("x-pams", "1").header("content-type", "application/json").body(body);
            let r = if key.is_empty() { r } else { r.header("idempotency-key", key) };
            if tag.is_empty() { r } else { r.header("if-match", tag) }
        };
        root.send(change, "post", "/api/v1/do/record.save")
    };
    let save = |id: Option<&str>, region: &str| {
        let input = json!({ "name": "Acme", "region": region });
        json!({ "kind": "Account", "id": id, "input": input, "seen_rev": null, "ack": [] })
    };
    let first = post("k1", "", &save(None, "south"));
    assert_eq!(first.status, 200, "{}", first.text);
    let again = post("k1", "", &save(None, "south"));
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let other = post("k1", "", &save(None, "north"));
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("invalid")));
    // Two look at the same, and the second is told field by field what the first did.
    let item = first.json()["reply"]["item"].clone();
    let (id, rev) = (item["id"].as_str().unwrap(), item["rev"].to_string());
    assert_eq!(post("", &rev, &save(Some(id), "north")).status, 200);
    let late = post("", &format!("\"{rev}\""), &save(Some(id), "west"));
    let problem = late.json();
    assert_eq!((late.status, &problem["code"]), (409, &json!("conflict")), "{problem}");
    let sides = &problem["errors"][0]["sides"];
    assert_eq!(sides, &json!({ "base": "south", "mine": "west", "theirs": "north" }), "{problem}");
    let drafts = root.get("/api/v1/query/drafts.list").json();
    assert_eq!(drafts["items"], json!([]), "a request drafts nothing");
    assert_eq!(post("", "never", &save(Some(id), "west")).status, 400);
    // Packed for who reads that.
    let packed = root.send(|r| r.header("accept-encoding", "gzip, zstd"), "get", "/openapi.json");
    assert_eq!(packed.headers["content-encoding"], "zstd");
}

#[test]
fn a_workbook_uploaded_over_https_is_everybodys() {
    let server = Server::new();
    let ben = server.device("Ben");
    let csv = "Account,Opportunity,Stage,Close Date,Amount,Owner\n\
               Acme,Platform,Closed Won,2026-02-03,1000,Ben\n\
               Orbit,Renewal,Closed Lost,2026-02-04,500,Ana\n";
    let path = "/api/v1/admin/wins-import";
    let ana = server.signed_in("Ana");
    assert_eq!(ana.upload(path, "wins.csv", csv.as_bytes(), &[]).status, 403, "an admin's");
    let root = server.signed_in("Root");
    let dry = root.upload(path, "wins.csv", csv.as_bytes(), &[("month", "2026-02"), ("dry_run", "true")]);
    assert_eq!(dry.status, 200, "{}", dry.text);
    assert_eq!(root.get("/api/v1/wins?month=2026-02").json()["items"], json!([]));
    let done = root.upload("/api/wins/upload", "wins.csv", csv.as_bytes(), &[("month", "2026-02")]);
    assert_eq!(done.status, 200, "{}", done.text);
    let rows = root.get("/api/v1/wins?month=2026-02").json();
    assert_eq!(rows["items"].as_array().unwrap().len(), 2, "{rows}");
    let losses = root.get("/api/v1/wins?month=2026-02&type=loss").json();
    assert_eq!(losses["items"].as_array().unwrap().len(), 1, "{losses}");
    assert!(ben.json(&["sync"])["pulled"].as_u64().unwrap() > 2);
    let own = ben.ok(&["wins", "list", "--month", "2026-02"]);
    assert!(own.contains("Acme") && own.contains("Orbit"), "{own}");
    let notices = ben.ok(&["notices", "list"]);
    assert!(notices.contains("1"), "one notice for Ben: {notices}");
    // What is no workbook, and what is too large.
    let bad = root.upload(path, "wins.xlsx", b"this is no workbook", &[]);
    assert_eq!((bad.status, &bad.json()["code"]), (422, &json!("invalid")), "{}", bad.text);
    let large = root.upload(path, "wins.csv", &vec![b'x'; 26 << 20], &[]);
    assert_eq!((large.status, &large.json()["code"]), (413, &json!("too_large")), "{}", large.text);
    assert_eq!(root.post(path, &json!({})).json()["code"], json!("media_type"));
}

#[test]
fn a_killed_server_has_what_it_said_it_had() {
    let mut server = Server::new();
    let (ana, ben) = (server.device("Ana"), server.device("Ben"));
    ana.ok(&["account", "add", "Acme Corp"]);
    for round in 0..4 {
        for n in 0..5 {
            ana.log(&format!("demo acme 1h : r{round}-{n}"));
        }
        ana.ok(&["sync"]);
        ana.log(&format!("demo acme 1h : r{round}-late"));
        server = server.kill_and_start();
    }
    ana.ok(&["sync"]);
    ben.ok(&["sync"]);
    assert_eq!(ben.summaries().len(), 24);
    let whole = state_hash(&server.stop());
    assert_eq!((state_hash(&ana), state_hash(&ben)), (whole.clone(), whole));
}

/// An authority in `ca.pem`, and what it vouches for as this machine: `cert.pem`, `key.pem`.
pub fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let at = |name: &str| folder.join(name);
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&authority_key).unwrap();
    std::fs::write(at("ca.pem"), certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let served = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let served = served.signed_by(&key, &issuer).unwrap();
    std::fs::write(at("cert.pem"), served.pem()).unwrap();
    std::fs::write(at("key.pem"), key.serialize_pem()).unwrap();
}

#[test]
fn without_the_server_everything_is_saved_here() {
    let server = Server::new();
    let ana = server.device("Ana");
    ana.ok(&["account", "add", "Acme Corp"]);
    let (url, pin) = (server.url.clone(), server.pin.clone());
    assert!(!url.is_empty() && !pin.is_empty());
    drop(server);
    ana.log("demo acme 3h : on the train");
    let ran = ana.run(&["sync"]);
    assert_eq!(ran.code, 7, "{}", ran.err);
    let status = ana.json(&["remote", "status"]);
    assert_eq!(status["queue"], json!(2), "{status}");
    assert!(ana.ok(&["undo"]).contains("first") || ana.json(&["remote", "status"])["queue"] == json!(3));
}

/// A profile with records of its own is put aside, not mixed and not lost.
#[test]
fn what_was_here_before_signing_in_is_kept() {
    let server = Server::new();
    let device = Pams::new();
    device.ok(&["account", "add", "From before"]);
    let file = server.pams.path().join("password").display().to_string();
    let words = ["login", &server.url, "--user", "Ana", "--password-file", &file, "--pin", &server.pin];
    assert_eq!(device.run(&words).code, 2, "it asks first");
    assert!(device.ok(&["account", "list"]).contains("From before"));
    device.ok(&[&words[..], &["--yes"]].concat());
    assert!(!device.ok(&["account", "list"]).contains("From before"));
    let kept = std::fs::read_dir(device.path().join("data")).unwrap();
    let kept = kept.flatten().find(|e| e.file_name().to_string_lossy().starts_with("pams-local-")).unwrap();
    let old = Pams::new();
    std::fs::create_dir_all(old.path().join("data")).unwrap();
    std::fs::copy(kept.path(), old.store()).unwrap();
    assert!(old.ok(&["account", "list"]).contains("From before"));
}

#[test]
fn a_change_is_heard_at_once() {
    let server = Server::new();
    let http = server.signed_in("Ana");
    let ana = server.device("Ana");
    let heard = std::thread::spawn(move || {
        http.runtime.block_on(async {
            let request =
                http.client.get(format!("{}/api/v1/sync/live", http.url)).header("cookie", &http.cookie);
            let mut response = request.send().await.unwrap();
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            loop {
                let chunk = response.chunk().await.unwrap().unwrap();
                let text = String::from_utf8_lossy(&chunk).into_owned();
                if text.contains("data:") {
                    return (kind, text);
                }
            }
        })
    });
    let begun = Instant::now();
    let mut n = 0;
    while !heard.is_finished() && begun.elapsed() < Duration::from_secs(30) {
        ana.ok(&["account", "add", &format!("Account {n}")]);
        ana.ok(&["sync"]);
        n += 1;
    }
    let (kind, text) = heard.join().unwrap();
    assert!(kind.starts_with("text/event-stream") && text.contains("\"seq\":"), "{kind} {text}");
}

#[test]
fn how_the_server_does_is_told_to_who_may_know() {
    let server = Server::new();
    let (root, ana) = (server.device("Root"), server.device("Ana"));
    ana.ok(&["account", "add", "Acme Corp"]);
    ana.ok(&["sync"]);
    let ops = root.json(&["remote", "ops"]);
    let route = |name: &str| ops["routes"].as_array().unwrap().iter().find(|r| r["route"] == name).unwrap();
    let (all, push) = (route("all"), route("POST /api/v1/sync/push"));
    assert!(all["requests"].as_u64() > push["requests"].as_u64() && push["requests"] == 1, "{ops}");
    assert!(push["p50_ms"].as_f64() > Some(0.0) && all["errors"] == 0, "{ops}");
    assert!(ops["commit_p50_ms"].as_f64() > Some(0.0) && ops["budget_left"] == 1.0, "{ops}");
    assert_eq!(ops["gauges"]["backup_age_seconds"], json!(-1.0));
    server.pams.ok(&["backup", "now"]);
    assert!(root.json(&["remote", "ops"])["gauges"]["backup_age_seconds"].as_f64() >= Some(0.0));
    assert!(root.ok(&["remote", "ops"]).contains("100.00 % without a fault"));
    // In either text format, whichever is asked for.
    let http = server.signed_in("Root");
    let asked = |accept: &str| http.send(|r| r.header("accept", accept), "get", "/metrics");
    let (open, plain) = (asked("application/openmetrics-text"), asked("*/*"));
    assert!(open.text.contains("# TYPE sync_changes counter") && open.text.ends_with("# EOF\n"));
    assert!(plain.text.contains("# TYPE sync_changes_total counter") && !plain.text.contains("# EOF"));
    assert!(plain.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert!(ana.fails(6, &["remote", "ops"]).contains("ops.read"));
}

#[test]
fn a_former_path_says_that_it_goes_and_what_stands_in_its_place() {
    let server = Server::new();
    let root = server.signed_in("Root");
    for (path, former) in [("/api/admin/wins-import", true), ("/api/v1/admin/wins-import", false)] {
        let answer = root.upload(path, "wins.csv", b"nothing", &[("dry_run", "true")]);
        let has = |name: &str| answer.headers.contains_key(name);
        assert_eq!([has("deprecation"), has("sunset"), has("link")], [former; 3], "{path}");
        if former {
            assert_eq!(answer.headers["link"], "</api/v1/admin/wins-import>; rel=\"successor-version\"");
        }
    }
}

/// What a client of the version before sent, and what its server answered, as they went over
/// the line.
fn before(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/it/versions/schema-8/{name}")).unwrap()
}

fn unfolded<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    pams::frames::decode(&zstd::bulk::decompress(bytes, 1 << 20).unwrap()).unwrap()
}

#[test]
fn a_client_and_a_server_of_the_version_before_are_understood() {
    let server = Server::new();
    // The person of then is nobody here: who may write everybody's activities sends it.
    let http = server.signed_in("Root");
    let sent = |path: &str, file: &str| {
        let kind = "application/vnd.pams.frame+zstd";
        let body = before(file);
        http.runtime.block_on(async {
            let request = http.client.post(format!("{}{path}", http.url)).header("cookie", &http.cookie);
            let answer = request.header("x-pams", "1").header("content-type", kind).body(body).send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            answer.bytes().await.unwrap()
        })
    };
    let pushed: Pushed = unfolded(&sent("/api/v1/sync/push", "push.req"));
    assert_eq!((pushed.taken, pushed.drafted), (Taken::Taken, 0));
    assert!(server.pams.ok(&["account", "show", "Acme Corp"]).contains("north"));
    assert!(server.pams.ok(&["activity", "list", "--owner", "all"]).contains("from the version before"));
    let again: Pushed = unfolded(&sent("/api/v1/sync/push", "push.req"));
    assert_eq!(again.last_seq, pushed.last_seq, "twice is once");
    /// The page as that client knows it.
    #[derive(serde::Deserialize)]
    struct Page {
        epoch: u64,
        through: u64,
        last_seq: u64,
        verified_backup_seq: u64,
        scope: String,
        records: Vec<pams::frames::Bytes>,
    }
    let page: Page = unfolded(&sent("/api/v1/sync/pull", "pull.req"));
    assert_eq!((page.epoch, page.verified_backup_seq, page.through), (0, 0, page.last_seq));
    assert!(!page.scope.is_empty() && page.last_seq == pushed.last_seq);
    assert!(page.records.iter().all(|record| codec::decode_record(&record.0).is_ok()));
    sent("/api/v1/sync/digests", "digests.req");
    // And the other way round: an older server answers this client.
    let theirs: Pulled = unfolded(&before("pull.res"));
    assert!(!theirs.records.is_empty() && theirs.records.iter().all(|r| codec::decode_record(&r.0).is_ok()));
    assert_eq!(unfolded::<Pushed>(&before("push.res")).taken, Taken::Taken);
    assert!(unfolded::<Digests>(&before("digests.res")).records() > 20);
}

#[test]
fn the_openapi_document_has_every_route_and_says_who_may() {
    let document = openapi::whole();
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    for route in ROUTES.iter().filter(|r| !r.path.ends_with("{request}")) {
        let operation = operation(route.path, route.method);
        assert!(operation.is_object(), "{} {}", route.method, route.path);
        assert_eq!(operation["security"].is_array(), route.needs != Needs::Nobody, "{}", route.path);
        if let Needs::Verb(verb) = route.needs {
            assert_eq!(operation["x-verb"], json!(verb));
        }
    }
    for row in pams::engine::QUERIES.iter().filter(|r| r.verb != pams::engine::INTERNAL) {
        assert!(operation(&format!("/api/v1/query/{}", row.name), "get").is_object(), "{}", row.name);
    }
    for row in pams::engine::COMMANDS.iter().filter(|r| r.verb != pams::engine::INTERNAL) {
        assert!(operation(&format!("/api/v1/do/{}", row.name), "post").is_object(), "{}", row.name);
    }
    let server = Server::new();
    assert_eq!(server.http().get("/openapi.json").json(), document);
    assert_eq!(server.pams.json(&["api", "spec"]), document);
    let told = server.device("Ana").json(&["version", "--server"]);
    assert_eq!((&told["server"]["schema"], &told["server"]["version"]), (&told["schema"], &told["version"]));
    let metrics = server.signed_in("Root").get("/metrics");
    assert!(metrics.text.contains("http_request_duration_seconds_bucket"), "{}", metrics.text);
}

/// The server is put back to an older backup: devices notice and send again what it lost.
#[test]
fn devices_heal_a_server_restored_from_an_older_backup() {
    let server = Server::new();
    let (ana, ben) = (server.device("Ana"), server.device("Ben"));
    ana.ok(&["account", "add", "Acme Corp"]);
    ana.ok(&["sync"]);
    // Made beside the running server.
    let made = server.pams.json(&["backup", "now"]);
    let file = made["path"].as_str().unwrap().to_owned();
    ana.log("demo acme 1h : after the backup");
    ana.ok(&["sync"]);
    ben.ok(&["sync"]);
    ben.ok(&["account", "edit", "Acme Corp", "--region", "north"]);
    ben.ok(&["sync"]);
    let listen = server.url.trim_start_matches("https://").to_owned();
    let pams = server.stop();
    pams.ok(&["backup", "verify", &file]);
    pams.ok(&["backup", "restore", &file, "--yes"]);
    assert_eq!(pams.summaries().len(), 0, "what came after the backup is not in it");
    let server = Server::start(pams, &listen);
    ana.log("demo acme 1h : after the restore");
    for device in [&ana, &ben, &ana] {
        device.ok(&["sync"]);
    }
    assert_eq!(server.pams.summaries().len(), 2);
    assert_eq!(server.pams.json(&["account", "show", "Acme Corp"])["region"], json!("north"));
    let whole = state_hash(&server.stop());
    ben.run(&["sync"]);
    assert_eq!(state_hash(&ana), whole);
}

#[test]
fn a_damaged_backup_is_never_put_in_place() {
    let pams = Pams::with_names();
    let made = pams.json(&["backup", "now"]);
    let path = made["path"].as_str().unwrap();
    assert_eq!(pams.json(&["backup", "list"]).as_array().unwrap().len(), 1);
    let sound = std::fs::read(path).unwrap();
    let before = state_hash(&pams);
    for place in (0..24).map(|n| sound.len() * (2 * n + 1) / 49) {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x40;
        std::fs::write(path, &bytes).unwrap();
        let ran = pams.run(&["backup", "restore", path, "--yes"]);
        // A flip in a page that nothing uses changes nothing.
        assert!(ran.code == 9 || ran.code == 0 && state_hash(&pams) == before, "byte {place}: {}", ran.err);
    }
    std::fs::write(path, &sound[..sound.len() / 2]).unwrap();
    assert_eq!(pams.run(&["backup", "restore", path, "--yes"]).code, 9);
    std::fs::write(path, &sound).unwrap();
    pams.ok(&["account", "add", "After"]);
    pams.ok(&["backup", "restore", path, "--yes"]);
    assert!(!pams.ok(&["account", "list"]).contains("After"));
}

/// What is too much to read change by change comes as a copy of how things stand.
#[test]
fn a_large_organisation_comes_as_a_copy_and_goes_on_as_a_log() {
    let server = Server::new();
    server.pams.ok(&["dev", "fill", "--activities", "9000"]);
    server.pams.ok(&["account", "add", "Acme Corp"]);
    let (ana, ben) = (server.device("Ana"), server.device("Ben"));
    let whole = server.pams.json(&["activity", "list", "--limit", "1000", "--owner", "all"]);
    assert_eq!(ana.json(&["activity", "list", "--limit", "1000", "--owner", "all"])["items"], whole["items"]);
    // The log begins where the copy ends: a record from before is changed, by both.
    ana.ok(&["account", "edit", "Acme Corp", "--region", "south"]);
    ben.ok(&["account", "edit", "Acme Corp", "--region", "north", "--segment", "large"]);
    ben.ok(&["sync"]);
    assert_eq!(ana.run(&["sync"]).code, 5);
    let draft = ana.json(&["drafts", "show", "last"]);
    assert_eq!(draft["fields"]["region"], json!(["-", "south", "north"]), "{draft}");
    ana.ok(&["drafts", "resolve", "last", "--choose", "mine"]);
    ana.ok(&["sync"]);
    ana.ok(&["undo"]);
    ana.ok(&["sync"]);
    ben.ok(&["sync"]);
    assert_eq!(ben.json(&["account", "show", "Acme Corp"])["segment"], json!("large"));
    // A chunk is gone on with where a line broke, and is not sent to who has it.
    let http = server.signed_in("Ana");
    let name =
        std::fs::read_dir(server.pams.path().join("cache/first-copy")).unwrap().next().unwrap().unwrap();
    let path = format!("/api/v1/chunks/{}", name.file_name().to_str().unwrap());
    let length = name.metadata().unwrap().len();
    let rest = http.send(|r| r.header("range", "bytes=10-"), "get", &path);
    assert_eq!(rest.status, 206);
    assert_eq!(rest.headers["content-range"], format!("bytes 10-{}/{length}", length - 1));
    let tag = rest.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(http.send(|r| r.header("if-none-match", tag), "get", &path).status, 304);
    assert_eq!(http.get(&format!("/api/v1/chunks/{}", "0".repeat(64))).status, 404);
    let sound = state_hash(&server.stop());
    assert_eq!((state_hash(&ana), state_hash(&ben)), (sound.clone(), sound));
}

/// Rows by the million are one change; their pieces follow by their hashes, both ways.
#[test]
fn outlets_imported_anywhere_are_everybodys() {
    let server = Server::new();
    let root = server.device("Root");
    let mut csv = String::from("Outlet Code,Outlet Name,City,Latitude,Longitude\n");
    for n in 0..6_000 {
        csv += &format!("O{n:05},Shop {n},Lisbon,38.{:04},-9.{:04}\n", 1_000 + n % 8_000, 1_000 + n % 7_000);
    }
    std::fs::write(root.path().join("outlets.csv"), csv).unwrap();
    let file = root.path().join("outlets.csv").display().to_string();
    root.ok(&["outlets", "import", &file, "--yes"]);
    root.ok(&["sync"]);
    let ana = server.device("Ana");
    let listed = |pams: &Pams| pams.json(&["outlets", "list", "--from", "O05990", "--limit", "20"]);
    assert_eq!(listed(&server.pams), listed(&root), "the server has the pieces");
    assert_eq!(listed(&ana), listed(&root), "and another device");
    assert!(listed(&ana).to_string().contains("Shop 5999"));
}

#[test]
fn the_documented_paths_and_codes_are_those_there_are() {
    let text = std::fs::read_to_string("docs/api.md").unwrap();
    for route in ROUTES {
        let needs = match route.needs {
            Needs::Nobody => "nothing".to_owned(),
            Needs::SignedIn => "a session".to_owned(),
            Needs::Verb(verb) => format!("`{verb}`"),
        };
        let method = route.method.to_uppercase();
        let line = format!("| {method} | `{}` | {needs} | {} |", route.path, route.about);
        assert!(text.contains(&line), "docs/api.md lacks: {line}");
    }
    for (code, status, title) in pams::server::CODES {
        let line = format!("| `{code}` | {status} | {title} |");
        assert!(text.contains(&line), "docs/api.md lacks: {line}");
    }
}
