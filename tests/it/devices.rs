//! What a device holds of its server: filled anew where its person may see more or less, and
//! compared with what is there.

use crate::program::Pams;
use crate::pty::Terminal;
use crate::served::Server;
use pams::changes::codec;
use pams::domain::Id;
use pams::domain::schema::Kind;
use pams::domain::value::Value;
use pams::store::{Commit, Reads, Store, StoreError};
use serde_json::json;
use std::ops::ControlFlow;

/// The newest activities of everybody that a home shows.
fn seen(home: &Pams) -> Vec<serde_json::Value> {
    let listed = home.json(&["activity", "list", "--owner", "all", "--limit", "1000"]);
    listed["items"].as_array().unwrap().clone()
}

#[test]
fn a_device_is_filled_anew_where_its_person_may_see_more_or_less() {
    let server = Server::new();
    let own = "activity.read.own,activity.write.own,wins.read.own,account.write";
    server.pams.ok(&["role", "add", "alone", "--verbs", own]);
    server.pams.ok(&["dev", "fill", "--activities", "6000"]);
    server.pams.ok(&["account", "add", "Acme Corp"]);
    let ben = server.device("Ben");
    assert_eq!(ben.json(&["sync"])["drafts"], 0);
    assert!(seen(&ben).len() > 100);
    ben.ok(&["log", "demo acme 1h : mine"]);
    ben.ok(&["sync"]);
    // Saved without the line, while an admin takes a right away.
    ben.ok(&["account", "add", "Made on a train"]);
    server.pams.ok(&["user", "edit", "Ben", "--role", "alone"]);
    ben.ok(&["sync"]);
    assert_eq!(seen(&ben).len(), 1, "what others did is gone from the device");
    // Nothing of his own is lost.
    server.pams.ok(&["account", "show", "Made on a train"]);
    ben.ok(&["log", "demo acme 2h : still mine"]);
    // And given back.
    server.pams.ok(&["user", "edit", "Ben", "--role", "presales"]);
    ben.ok(&["sync"]);
    let all = seen(&ben);
    assert_eq!(all, seen(&server.pams));
    assert!(all.len() > 100 && all.iter().any(|activity| activity["summary"] == "still mine"));
    let again = ben.json(&["sync"]);
    assert_eq!((&again["pulled"], &again["pushed"]), (&json!(0), &json!(0)), "once is enough");
    ben.ok(&["db", "check"]);
    assert_eq!(ben.json(&["sync", "--reconcile"])["differing"], json!([]));
}

/// Puts an account's head in place that no log tells of, `older` places before its own.
fn rename_beside_the_log(device: &Pams, from: &str, to: &str, older: u64) {
    let store = Store::open(&device.store()).unwrap();
    let mut found = None;
    let text = |text: &str| Some(Value::Text(text.into()));
    store
        .view()
        .unwrap()
        .heads(Kind::Account, Id::default(), &mut |id, bytes| {
            let head = codec::decode_head(bytes).unwrap();
            if head.fields.get(&1) == text(from).as_ref() {
                found = Some((id, head));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let (id, mut head) = found.unwrap();
    head.fields.extend(text(to).map(|name| (1, name)));
    head.rev -= older;
    store
        .write(Commit::Safe, |batch| {
            batch.install(Kind::Account, id, &codec::encode_head(&head))?;
            batch.end_install()?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn what_differs_from_the_server_is_found_and_read_anew() {
    let server = Server::new();
    let device = server.device("Ana");
    for name in ["Acme", "Orbit", "Halden"] {
        device.ok(&["account", "add", name]);
    }
    device.ok(&["sync"]);
    let alike = device.json(&["sync", "--reconcile"]);
    assert_eq!((&alike["differing"], &alike["mended"]), (&json!([]), &json!(false)));
    assert!(alike["records"].as_u64().unwrap() > 3, "{alike}");
    assert!(device.ok(&["sync", "--reconcile"]).contains("as the server has them"));
    // A field that no log tells of, as a fault of a disk or of this program would leave it.
    rename_beside_the_log(&device, "Orbit", "Not what it is called", 0);
    assert!(device.ok(&["account", "list"]).contains("Not what it is called"));
    // What is older than what is here is not taken.
    rename_beside_the_log(&device, "Halden", "What it was called before", 1);
    assert!(!device.ok(&["account", "list"]).contains("What it was called before"));
    // What waits is laid over what is read anew.
    device.ok(&["account", "edit", "Acme", "--region", "south"]);
    let found = device.json(&["sync", "--reconcile"]);
    let differing = found["differing"].as_array().unwrap();
    assert_eq!((differing.len(), &found["mended"]), (1, &json!(true)), "{found}");
    assert_eq!((&differing[0]["kind"], &differing[0]["here"]), (&json!("Account"), &differing[0]["there"]));
    let listed = device.ok(&["account", "list"]);
    assert!(listed.contains("Orbit") && !listed.contains("Not what"), "{listed}");
    assert_eq!(server.pams.json(&["account", "show", "Acme"])["region"], json!("south"));
    device.ok(&["db", "check"]);
}

#[test]
fn a_server_takes_its_settings_from_the_environment() {
    let mut home = Server::new().stop();
    home.env.push(("PAMS_LISTEN".into(), "127.0.0.1:0".into()));
    home.env.push(("PAMS_RATE".into(), "2".into()));
    let server = Server::serving(home);
    let ana = server.signed_in("Ana");
    let answers: Vec<u16> = (0..20).map(|_| ana.get("/api/v1/activities?month=2026-02").status).collect();
    assert!(answers.contains(&200) && answers.contains(&429), "two a second: {answers:?}");
    let mut home = server.stop();
    home.env.push(("PAMS_RATE".into(), "many".into()));
    let refused = home.run(&["serve"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("many"), "{}", refused.err);
}

#[test]
fn syncing_and_comparing_are_a_key_away() {
    let server = Server::new();
    let device = server.device("Root");
    let mut t = Terminal::of(&device, 30, 100);
    t.wait_for("in sync");
    server.pams.ok(&["account", "add", "Acme"]);
    t.press("0admin\r");
    t.wait_for("Sessions");
    t.press("S");
    t.wait_for("In sync: ");
    t.press("=");
    t.wait_for("Compare every record with the server's?");
    t.press("y");
    t.wait_for("records are as the server has them");
    t.press("\x11");
    assert!(t.end().success());
}
