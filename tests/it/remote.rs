//! The remote instance as its users meet it: real processes, real TLS, real files.

use crate::program::{NOW, Pams};
use crate::served::{Answer, Http, PASSWORD, Server, state_hash};
use pams::changes::codec;
use pams::server::openapi;
use pams::server::routes::{Needs, ROUTES};
use pams::services::sync::reconcile::Digests;
use pams::services::sync::{Pulled, Pushed, Taken};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
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
fn rights_hold_whichever_way_a_change_comes() {
    let server = Server::new();
    let vera = server.device("Vera");
    // On the device of somebody who signed in it is refused at once …
    let ran = vera.run(&["account", "add", "Nobody's"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("account.write"), "the missing permission is named: {}", ran.err);
    // … and over HTTP; what a role lists may be done.
    let http = server.signed_in("Vera");
    let save =
        json!({ "kind": "Account", "id": null, "input": { "name": "X" }, "seen_rev": null, "ack": [] });
    let answer = http.post("/api/v1/do/record.save", &save);
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("denied")), "{}", answer.text);
    let ana = server.signed_in("Ana");
    assert_eq!(ana.post("/api/v1/do/record.save", &save).status, 200);
    assert_eq!(ana.get("/api/v1/activities?month=2026-02&owner=me").status, 200);
    assert_eq!(ana.get("/metrics").status, 403);
    // A role that is given later is in force with the next request.
    server.pams.ok(&["user", "edit", "Vera", "--role", "presales"]);
    let save =
        json!({ "kind": "Account", "id": null, "input": { "name": "Y" }, "seen_rev": null, "ack": [] });
    assert_eq!(http.post("/api/v1/do/record.save", &save).status, 200);
    // And of two that do the same under one key, one is done.
    let save =
        json!({ "kind": "Account", "id": null, "input": { "name": "Z" }, "seen_rev": null, "ack": [] });
    let once = || {
        let body = save.to_string();
        let keyed = |r: reqwest::RequestBuilder| {
            r.header("x-pams", "1")
                .header("content-type", "application/json")
                .header("idempotency-key", "k1")
                .body(body)
        };
        ana.send(keyed, "post", "/api/v1/do/record.save")
    };
    let (first, second) = (once(), once());
    assert_eq!((first.status, second.status), (200, 200), "{}", second.text);
    assert_eq!(first.json(), second.json());
}

#[test]
fn signing_in_asks_for_what_was_set_and_tells_nothing_else() {
    let server = Server::new();
    let http = server.http();
    let sign_in = |user: &str, password: &str, code: &str| {
        http.post("/api/v1/session", &json!({ "user": user, "password": password, "code": code }))
    };
    let wrong = sign_in("Ana", "not this one", "");
    let nobody = sign_in("Nobody", "not this one", "");
    assert_eq!(wrong.alike(), nobody.alike(), "who exists is not told");
    assert_eq!((wrong.status, &wrong.json()["code"]), (401, &json!("login_wrong")));
    let answer = sign_in("Ana", PASSWORD, "");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for word in ["__Host-pams=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    // A second sign-in has another secret: one planted before is worth nothing.
    assert_ne!(answer.cookie(), sign_in("Ana", PASSWORD, "").cookie());
    // Growing delay, no lock-out: the right password counts again afterwards.
    (0..5).for_each(|_| drop(sign_in("Ben", "not this one", "")));
    let last = sign_in("Ben", "not this one", "");
    assert_eq!((last.status, &last.json()["code"]), (429, &json!("too_many")));
    assert!(last.headers.contains_key("retry-after"));
    // One-time codes, each good once.
    let codes = server.pams.json(&["user", "codes", "Vera"]);
    assert_eq!(sign_in("Vera", PASSWORD, "").json()["code"], json!("code_wanted"));
    assert_eq!(sign_in("Vera", PASSWORD, "000000").json()["code"], json!("login_wrong"));
    let recovery = codes["recovery"][0].as_str().unwrap();
    assert_eq!(sign_in("Vera", PASSWORD, recovery).status, 201);
    assert_eq!(sign_in("Vera", PASSWORD, recovery).status, 401);
    let secret = totp_rs::Secret::try_from_base32(codes["secret"].as_str().unwrap()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let noon = format!("{NOW}T10:30:00Z").parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    let code = totp.generate(noon as u64).to_string();
    assert_eq!(sign_in("Vera", PASSWORD, &code).status, 201);
    assert_eq!(sign_in("Vera", PASSWORD, &code).status, 401, "a code is used once");
}

#[test]
fn a_session_ends_when_it_is_told_to() {
    let server = Server::new();
    let http = server.signed_in("Ana");
    assert_eq!(http.get("/api/v1/session").json()["name"], json!("Ana"));
    let out = http.send(|r| r.header("x-pams", "1"), "delete", "/api/v1/session");
    assert_eq!(out.status, 204);
    let replay = http.get("/api/v1/session");
    assert_eq!((replay.status, &replay.json()["code"]), (401, &json!("session_needed")));
    // An admin sees all from a device and ends one; others see their own.
    let (root, ana) = (server.device("Root"), server.device("Ana"));
    let listed = root.json(&["session", "list"]);
    let all = listed.as_array().unwrap();
    assert_eq!(all.len(), 2, "{listed}");
    assert_eq!(ana.json(&["session", "list"]).as_array().unwrap().len(), 1);
    let of_ana = all.iter().find(|s| s["name"] == "Ana").unwrap()["id"].as_str().unwrap();
    root.ok(&["session", "end", of_ana]);
    assert_eq!(ana.run(&["sync"]).code, 6, "the session has ended");
    // A new password ends all of a person's sessions.
    let http = server.signed_in("Ana");
    let set = json!({ "old": PASSWORD, "new": "another sentence of mine" }).to_string();
    let set = http.send(
        |r| r.header("x-pams", "1").header("content-type", "application/json").body(set),
        "put",
        "/api/v1/password",
    );
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(http.get("/api/v1/session").status, 401);
}

/// Every route of the table: nobody, somebody without the right, somebody of another
/// organisation, a made-up secret.
#[test]
fn every_route_asks_for_what_it_declares() {
    let pams = Pams::new();
    pams.ok(&["init", "--server", "--tenant", "Halden", "--name", "Root", "--email", "root@example.com"]);
    let file = pams.path().join("password").display().to_string();
    std::fs::write(&file, PASSWORD).unwrap();
    pams.ok(&["--profile", "other", "init", "--server", "--tenant", "Other", "--name", "Olga"]);
    pams.ok(&["user", "add", "Vera", "--tenant", "halden", "--password-file", &file]);
    pams.ok(&["user", "password", "Olga", "--tenant", "Other", "--password-file", &file]);
    let server = Server::start(pams, "127.0.0.1:0");
    let sign_in = |tenant: &str, user: &str| {
        let mut http = server.http();
        let body = json!({ "tenant": tenant, "user": user, "password": PASSWORD });
        let answer = http.post("/api/v1/session", &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        http.cookie = answer.cookie();
        http
    };
    let nobody = server.http();
    // No role at all.
    let vera = sign_in("Halden", "Vera");
    // The secret of an admin elsewhere under the name of this organisation.
    let (mut thief, olga) = (server.http(), sign_in("Other", "Olga"));
    let own = vera.cookie.split_once('.').unwrap().0;
    thief.cookie = format!("{own}.{}", olga.cookie.split_once('.').unwrap().1);
    let mut made_up = server.http();
    made_up.cookie = format!("{own}.{}", "A".repeat(43));
    let mut checked = 0;
    for route in ROUTES.iter().filter(|r| !r.path.ends_with("/live") || r.needs == Needs::Nobody) {
        let path = route.path.replace("{id}", "ffffffff").replace("{request}", "setup.who_am_i");
        let ask = |http: &Http| http.send(|r| r.header("x-pams", "1"), route.method, &path);
        if route.needs == Needs::Nobody {
            assert_ne!(ask(&nobody).json()["code"], json!("session_needed"), "{path}");
            continue;
        }
        let absent = ask(&nobody);
        assert_eq!((absent.status, &absent.json()["code"]), (401, &json!("session_needed")), "{path}");
        assert_eq!(ask(&thief).alike(), absent.alike(), "{path}: foreign is like absent");
        assert_eq!(ask(&made_up).alike(), absent.alike(), "{path}");
        if let Needs::Verb(_) = route.needs {
            assert_eq!(ask(&vera).json()["code"], json!("denied"), "{path}");
        }
        if route.method != "get" {
            let plain = vera.send(|r| r, route.method, &path);
            assert_eq!(plain.json()["code"], json!("cross_site"), "{path}");
        }
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
    // Nothing of one organisation is seen from the other.
    let find =
        |http: &Http| http.get("/api/v1/query/record.find?request={\"text\":\"Vera\",\"limit\":5}").text;
    assert!(!find(&olga).contains("Vera"), "{}", find(&olga));
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

/// Signed in long ago is not enough for what cannot be taken back.
#[test]
fn what_is_sensitive_wants_proof_of_who_asks() {
    let server = Server::new();
    let mut root = server.signed_in("Root");
    let add = |http: &Http, name: &str| {
        let input = json!({ "name": name, "roles": "viewer" });
        let body = json!({ "kind": "User", "id": null, "input": input, "seen_rev": null, "ack": [] });
        http.post("/api/v1/do/record.save", &body)
    };
    assert_eq!(add(&root, "Early").status, 200, "who has just signed in has proved it");
    let mut home = server.stop();
    home.env = vec![("PAMS_NOW".into(), format!("{NOW}T10:50:00Z"))];
    let server = Server::start(home, "127.0.0.1:0");
    root = Http { cookie: root.cookie, ..server.http() };
    let late = add(&root, "Late");
    assert_eq!((late.status, &late.json()["code"]), (401, &json!("step_up_needed")), "{}", late.text);
    let account = json!({ "name": "Acme" });
    let save = json!({ "kind": "Account", "id": null, "input": account, "seen_rev": null, "ack": [] });
    assert_eq!(root.post("/api/v1/do/record.save", &save).status, 200, "daily work goes on");
    let proof = |password: &str| root.post("/api/v1/session/step-up", &json!({ "password": password }));
    assert_eq!(proof("a guess").json()["code"], json!("login_wrong"));
    assert_eq!(proof(PASSWORD).status, 204);
    assert_eq!(add(&root, "Late").status, 200);
}

#[test]
fn who_asks_too_much_is_told_to_wait() {
    let server = Server::with(&["--rate", "5"]);
    let (ana, ben) = (server.signed_in("Ana"), server.signed_in("Ben"));
    let flood: Vec<u16> = (0..60).map(|_| ana.get("/api/v1/session").status).collect();
    assert!(flood.starts_with(&[200; 10]) && flood.contains(&429), "{flood:?}");
    let told = (0..60).map(|_| ana.get("/api/v1/session")).find(|a| a.status == 429).unwrap();
    assert_eq!(told.json()["code"], json!("too_many"));
    assert!(told.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(ben.get("/api/v1/session").status, 200, "nobody pays for somebody else");
    assert_eq!(ben.get("/health/live").status, 200);
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

#[test]
fn another_key_is_a_hard_stop_until_a_person_agrees() {
    let server = Server::new();
    let ana = server.device("Ana");
    let file = server.pams.path().join("password").display().to_string();
    // Nobody confirmed it, and there is nobody to ask.
    let fresh = Pams::new();
    let ran = fresh.run(&["login", &server.url, "--user", "Ana", "--password-file", &file]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains(&server.pin), "the key is shown to be compared: {}", ran.err);
    let wrong = format!("SHA256:{}", "A".repeat(43));
    let ran = fresh.run(&["login", &server.url, "--user", "Ana", "--password-file", &file, "--pin", &wrong]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains(&wrong) && ran.err.contains(&server.pin), "{}", ran.err);
    // The server comes back with another key.
    std::fs::remove_dir_all(server.pams.path().join("config/tls")).unwrap();
    let server = server.kill_and_start();
    let ran = ana.run(&["sync"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("another key") && ran.err.contains("trust --replace"), "{}", ran.err);
    assert_eq!(ana.run(&["trust", "--replace"]).code, 2, "without a terminal it is said with --yes");
    ana.ok(&["trust", "--replace", "--yes"]);
    ana.ok(&["sync"]);
    assert!(ana.ok(&["trust"]).contains(&server.pin));
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
fn a_certificate_of_a_known_authority_needs_no_confirmation() {
    let pams = Pams::new();
    pams.ok(&["init", "--server", "--tenant", "Halden", "--name", "Root"]);
    let at = |name: &str| pams.path().join(name).display().to_string();
    std::fs::write(at("password"), PASSWORD).unwrap();
    pams.ok(&["user", "password", "Root", "--password-file", &at("password")]);
    certificates(&pams.path());
    let words =
        ["serve", "--listen", "127.0.0.1:0", "--json", "--cert", &at("cert.pem"), "--key", &at("key.pem")];
    let mut child = pams.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let url = told["url"].as_str().unwrap();
    let device = Pams::new();
    let login =
        ["login", url, "--user", "Root", "--password-file", &at("password"), "--add-ca", &at("ca.pem")];
    let ran = device.run(&login);
    let again = device.run(&["sync"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((ran.code, again.code), (0, 0), "{}{}", ran.err, again.err);
    assert!(!device.path().join("config/known_servers").exists(), "nothing had to be confirmed");
}

#[test]
fn a_session_file_that_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::new();
    let ana = server.device("Ana");
    let file = ana.path().join("state/session.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = ana.run(&["sync"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    ana.ok(&["logout"]);
    assert!(!file.exists());
    assert_eq!(ana.run(&["sync"]).code, 6);
}

/// Runs the program on a home of the system's kind, its folders below HOME.
fn at_home(home: &Pams, words: &str, bus: &str) -> String {
    let pams = crate::program::EXE;
    let mut command = std::process::Command::new("dbus-run-session");
    let script = format!(
        "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; \
         {bus} {pams} {words}; echo \"code $?\"; \
         secret-tool lookup service pams username session 2>/dev/null | grep -c cookie"
    );
    command.args(["--", "sh", "-c", &script]).env("HOME", home.path()).env_remove("PAMS_HOME");
    for folder in ["XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env_remove(folder);
    }
    let ran = command.output().unwrap();
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

/// Wants a Secret Service: `apt-get install gnome-keyring dbus libsecret-tools`.
#[test]
fn a_session_is_in_the_keyring_where_one_answers() {
    let there =
        |tool: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|p| p.join(tool).exists());
    if !["dbus-run-session", "gnome-keyring-daemon", "secret-tool"].iter().all(|tool| there(tool)) {
        return println!("skipped: there is no Secret Service to ask");
    }
    let server = Server::new();
    let password = server.pams.path().join("password").display().to_string();
    let login = format!("login {} --user Ana --password-file {password} --pin {}", server.url, server.pin);
    for (bus, kept) in [("", true), ("DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere", false)] {
        let home = Pams::new();
        let told = at_home(&home, &login, bus);
        assert!(told.contains("code 0"), "{told}");
        let file = home.path().join(".local/state/pams/session.json");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!((text.contains("keyring"), text.contains("cookie")), (kept, !kept), "{told}");
        assert_eq!(told.contains("code 0\n1\n"), kept, "{told}");
        // A keyring that has it and cannot be asked says so.
        let told = at_home(&home, "sync", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere");
        assert!(told.contains(if kept { "code 6" } else { "code 0" }), "{told}");
        assert!(!kept || told.contains("keyring"), "{told}");
        let told = at_home(&home, "logout", bus);
        assert!(told.contains("code 0") && !file.exists(), "{told}");
        assert!(told.contains("code 0\n0\n"), "{told}");
    }
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
fn a_stream_ends_with_its_session() {
    let server = Server::new();
    let (http, root) = (server.signed_in("Ana"), server.signed_in("Root"));
    let (began, begun) = std::sync::mpsc::channel();
    let listening = std::thread::spawn(move || {
        http.runtime.block_on(async {
            let request =
                http.client.get(format!("{}/api/v1/sync/live", http.url)).header("cookie", &http.cookie);
            let mut response = request.send().await.unwrap();
            began.send(response.status().as_u16()).unwrap();
            while response.chunk().await.unwrap().is_some() {}
        });
    });
    assert_eq!(begun.recv().unwrap(), 200);
    let sessions = root.get("/api/v1/sessions").json();
    let ana = sessions.as_array().unwrap().iter().find(|session| session["name"] == "Ana").unwrap();
    let path = format!("/api/v1/sessions/{}", ana["id"].as_str().unwrap());
    assert_eq!(root.send(|r| r.header("x-pams", "1"), "delete", &path).status, 204);
    listening.join().unwrap();
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
