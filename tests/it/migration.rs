//! Activities of an earlier system: loaded, completed, confirmed, promoted, rolled back.

use crate::program::{Pams, texts};
use crate::served::Server;
use pams::changes::Via;
use pams::engine::Engine;
use pams::tui::testing::Harness;
use serde_json::{Value, json};

/// Four ways to write a day, a nickname, an account in other letters, a blank one, a row
/// that is said twice, one without a day.
const LEGACY: &str = "Datum,Mitarbeiter,Kunde,Projekt,Art,Aufwand (Std),Betreff,Bemerkung,Vorgang
2025-03-04,ana@example.com,Acme Corp,Platform,Demo,2,first talk,a good start,T-1
05.03.2025,Annie,ACME CORP,,Demo,\"1,5\",second talk,,T-2
2025/03/06,Bo Lind,Orbit Labs,,POC,8,load test,forty TB a day,T-3
7-Mar-25,Bo Lind,,,Enablement,,partner day,,T-4
2025-03-10,Cy Old,Old Mill,,Demo,1,unknown owner and account,,T-5
2025-04-01,Bo Lind,Orbit Labs,,Demo,2,april,,T-6
2025-04-01,Bo Lind,Orbit Labs,,Demo,2,april,,T-7
,,,,,,,,
soon,Bo Lind,Orbit Labs,,Demo,2,no day,,T-8
";

fn pams() -> Pams {
    let pams = Pams::with_names();
    pams.ok(&["user", "edit", "ana", "--email", "ana@example.com"]);
    pams.ok(&["user", "add", "Bo Lind"]);
    pams
}

fn load(pams: &Pams, text: &str) -> Value {
    pams.partly(&["migration", "load", &file(pams, "legacy.csv", text)])
}

fn file(pams: &Pams, name: &str, text: &str) -> String {
    let path = pams.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn counts(pams: &Pams) -> Value {
    let c = pams.json(&["migration", "counts"]);
    let t = &c["total"];
    let n = |name: &str| t[name].as_u64().unwrap();
    assert_eq!(n("rows"), n("promoted") + n("drafts") + n("merged") + n("rejected"), "{}", c["equation"]);
    assert_eq!(n("drafts"), n("ready") + n("waits") + n("near") + n("same") + n("repeats"), "{t}");
    c
}

/// What live activities say, without when it was said.
fn live(pams: &Pams) -> Value {
    let page = pams.json(&["activity", "list", "--owner", "all", "--limit", "1000"]);
    let mut items = page["items"].as_array().unwrap().clone();
    items.iter_mut().for_each(|i| drop(i.as_object_mut().unwrap().remove("rev")));
    items.into()
}

#[test]
fn a_legacy_file_goes_from_drafts_to_live_and_back() {
    let pams = pams();
    pams.log("demo acme 1h 2025-03-20 own entry");
    let before = live(&pams);
    let loaded = load(&pams, LEGACY);
    assert_eq!((&loaded["rows"], &loaded["added"], &loaded["rejected"]), (&json!(9), &json!(7), &json!(1)));
    assert_eq!(live(&pams), before, "nothing live changes");
    let c = counts(&pams);
    assert_eq!(c["equation"], json!("9 rows = 0 promoted + 7 drafts + 0 merged + 2 rejected"));
    let march = &c["months"][0];
    assert_eq!((&march["month"], &march["rows"], &march["ready"]), (&json!("2025-03"), &json!(5), &json!(3)));
    assert_eq!(march["lacks"], json!({ "owner": 2, "account": 1 }), "an empty effort is taken of Enablement");
    assert_eq!((&c["months"][1]["ready"], &c["months"][1]["repeats"]), (&json!(1), &json!(1)));
    assert_eq!(c["owners"].as_array().unwrap().iter().filter(|o| o[0] == "Bo Lind").count(), 1);
    // What nobody knows is said once.
    let names = pams.json(&["migration", "names"]);
    assert_eq!(texts(&names["items"], "raw"), ["Old Mill", "Annie", "Cy Old"]);
    pams.ok(&["migration", "name", "owner", "Annie", "ana"]);
    assert!(pams.fails(4, &["migration", "name", "owner", "Cy Old", "Nobody"]).contains("no user"));
    assert!(pams.fails(3, &["migration", "name", "owner", "Cy Old", "-"]).contains("owner"));
    let made = pams.json(&["migration", "stubs", "--make", "--scope", "account"]);
    assert_eq!(texts(&made["items"], "name"), ["Old Mill"]);
    // A month is confirmed before it is promoted, and with its waiting rows known.
    assert!(pams.fails(5, &["migration", "promote", "2025-03"]).contains("not confirmed"));
    assert!(pams.fails(5, &["migration", "confirm", "2025-03"]).contains("1 of 5 rows wait"));
    pams.ok(&["migration", "confirm", "2025-03", "--yes"]);
    assert!(
        pams.fails(5, &["migration", "choose", "2025-03", "--row", "6", "--as", "reject"])
            .contains("confirmed")
    );
    let done = pams.json(&["migration", "promote", "2025-03"]);
    assert_eq!((&done["promoted"], &done["kept"]), (&json!(4), &json!(1)), "{done}");
    // What came of the load is found by its name, and what did not without it.
    let found = |filter: &str| {
        let words = ["activity", "list", "--owner", "all", "--filter", filter];
        pams.json(&words)["items"].as_array().unwrap().len()
    };
    assert_eq!((found("batch:legacy"), found("batch:nosuch")), (4, 0));
    assert_eq!(found("-batch:legacy") + 4, found(""));
    let again = pams.json(&["migration", "promote", "2025-03"]);
    assert_eq!((&again["changed"], &again["promoted"]), (&json!(0), &json!(4)), "{again}");
    let all = live(&pams);
    let first = all.as_array().unwrap().iter().find(|i| i["summary"] == "first talk").unwrap();
    assert_eq!(
        (&first["date"], &first["project"], &first["effort_text"], &first["source"]),
        (&json!("2025-03-04"), &json!("Platform"), &json!("2h"), &json!("migration"))
    );
    let second = all.as_array().unwrap().iter().find(|i| i["summary"] == "second talk").unwrap();
    assert_eq!((&second["account"], &second["effort_text"]), (&json!("Acme Corp"), &json!("1.5h")));
    counts(&pams);
    // One owner was mapped wrongly: rolled back, mended, promoted again.
    pams.ok(&["migration", "rollback", "2025-03"]);
    assert_eq!(live(&pams), before, "as it was, to the last field");
    pams.ok(&["migration", "name", "owner", "Annie", "bo lind"]);
    pams.ok(&["migration", "confirm", "2025-03", "--yes"]);
    pams.ok(&["migration", "promote", "2025-03"]);
    let all = live(&pams);
    let second = all.as_array().unwrap().iter().find(|i| i["summary"] == "second talk").unwrap();
    assert_eq!(second["owner"], json!("Bo Lind"));
    // Three are edited: the rollback keeps them, and says so in Drafts.
    for (n, item) in all.as_array().unwrap().iter().filter(|i| i["source"] == "migration").take(3).enumerate()
    {
        pams.ok(&["activity", "edit", item["id"].as_str().unwrap(), "--outcome", &format!("edited {n}")]);
    }
    let back = pams.json(&["migration", "rollback", "2025-03"]);
    assert_eq!(
        (&back["drafted"], &back["promoted"], &back["kept"]),
        (&json!(3), &json!(3), &json!(2)),
        "{back}"
    );
    let outcomes = texts(&live(&pams), "outcome");
    assert_eq!(outcomes.iter().filter(|o| o.starts_with("edited")).count(), 3);
    let drafts = pams.json(&["drafts", "list"]);
    assert_eq!(drafts["items"].as_array().unwrap().iter().filter(|d| d["reason"] == "conflict").count(), 3);
    counts(&pams);
    pams.ok(&["db", "check"]);
}

#[test]
fn undo_takes_a_promotion_back_and_it_can_be_made_again() {
    let pams = pams();
    load(&pams, LEGACY);
    let before = live(&pams);
    pams.ok(&["migration", "confirm", "2025-04"]);
    let done = pams.json(&["migration", "promote", "2025-04"]);
    assert_eq!((&done["promoted"], &done["merged"]), (&json!(1), &json!(1)));
    let promoted = live(&pams);
    pams.ok(&["undo"]);
    assert_eq!(live(&pams), before);
    assert_eq!(counts(&pams)["months"][1]["state"], json!("confirmed"));
    pams.ok(&["migration", "promote", "2025-04"]);
    assert_eq!(live(&pams), promoted, "the same row is the same activity");
    // The same file once more is asked about, and nothing of it doubles.
    let path = pams.path().join("legacy.csv").display().to_string();
    assert!(pams.fails(5, &["migration", "load", &path]).contains("was loaded"));
    pams.partly(&["migration", "load", &path, "--yes"]);
    assert!(pams.fails(3, &["migration", "counts"]).contains("There are 2 migrations"));
    let twice = pams.json(&["migration", "counts", "--batch", "last"]);
    assert_eq!(
        (&twice["months"][1]["same"], &twice["months"][1]["repeats"]),
        (&json!(1), &json!(1)),
        "{twice}"
    );
    pams.ok(&["migration", "confirm", "2025-04", "--batch", "last"]);
    let done = pams.json(&["migration", "promote", "2025-04", "--batch", "last"]);
    assert_eq!((&done["promoted"], &done["merged"]), (&json!(0), &json!(2)));
    assert_eq!(live(&pams), promoted);
    // Finished: put away, with what is left of it known.
    assert!(pams.fails(5, &["migration", "finish", "--batch", "last"]).contains("5 rows are drafts"));
    pams.ok(&["migration", "finish", "--batch", "last", "--yes"]);
    assert_eq!(pams.json(&["migration", "list"])["items"].as_array().unwrap().len(), 1);
    assert_eq!(pams.json(&["migration", "list", "--all"])["items"].as_array().unwrap().len(), 2);
    assert!(pams.fails(5, &["migration", "reopen", "--all", "--batch", "last"]).contains("finished"));
}

#[test]
fn rows_like_live_ones_are_chosen_by_field() {
    let pams = pams();
    let id = pams.log("demo acme 3h 2025-03-04 first talk with Acme");
    load(&pams, LEGACY);
    let c = counts(&pams);
    assert_eq!((&c["months"][0]["near"], &c["months"][0]["ready"]), (&json!(1), &json!(2)));
    let shown = pams.json(&["migration", "show", "2025-03", "--issue", "near"]);
    let row = &shown["rows"][0];
    assert_eq!(row["fields"]["effort"], json!(["2h", "3h", "2h"]), "{row}");
    assert_eq!((&row["row"], &row["live"]), (&json!(2), &json!(id)));
    // A rule for all does not write over what is live unless that is allowed.
    pams.ok(&["migration", "rules", "--duplicates", "legacy"]);
    assert_eq!(counts(&pams)["months"][0]["near"], json!(1));
    pams.ok(&["migration", "rules", "--duplicates", "ask"]);
    assert!(
        pams.fails(2, &["migration", "choose", "2025-03", "--row", "2", "--side", "effort=mine"])
            .contains("mine")
    );
    assert!(
        pams.fails(4, &["migration", "choose", "2025-03", "--row", "77", "--as", "reject"])
            .contains("no row 77")
    );
    pams.ok(&[
        "migration",
        "choose",
        "2025-03",
        "--row",
        "2",
        "--side",
        "effort=legacy",
        "--side",
        "summary=both",
    ]);
    let shown = pams.json(&["migration", "show", "2025-03", "--issue", "ready", "--text", "first"]);
    assert_eq!(shown["rows"][0]["verdict"], json!("merges"));
    pams.ok(&["migration", "confirm", "2025-03", "--yes"]);
    let done = pams.json(&["migration", "promote", "2025-03"]);
    assert_eq!((&done["promoted"], &done["merged"]), (&json!(2), &json!(1)), "{done}");
    let merged = pams.json(&["activity", "show", &id]);
    assert_eq!(
        (&merged["effort_text"], &merged["project"]),
        (&json!("2h"), &json!("Platform")),
        "empty fields are filled"
    );
    assert_eq!(merged["summary"], json!("first talk with Acme"), "it says so already");
    pams.ok(&["migration", "rollback", "2025-03"]);
    let back = pams.json(&["activity", "show", &id]);
    assert_eq!((&back["effort_text"], &back["project"]), (&json!("3h"), &json!(null)));
    // Or the row is an activity of its own; or it is left out.
    pams.ok(&["migration", "choose", "2025-03", "--row", "2", "--as", "new"]);
    assert_eq!(counts(&pams)["months"][0]["ready"], json!(3));
    pams.ok(&["migration", "choose", "2025-03", "--row", "2", "--as", "reject"]);
    assert_eq!(counts(&pams)["months"][0]["rejected"], json!(1));
    // What a row lacks is typed for all alike.
    pams.ok(&["migration", "choose", "2025-03", "--issue", "owner", "--set", "owner=Bo Lind"]);
    let c = counts(&pams);
    assert_eq!(c["months"][0]["lacks"], json!({ "account": 1 }), "{c}");
    assert!(
        pams.fails(3, &["migration", "choose", "2025-03", "--row", "4", "--set", "date=2025-04-02"])
            .contains("not in March")
    );
}

#[test]
fn files_that_are_none_are_told_and_nothing_is_kept() {
    let pams = pams();
    for (name, text, says) in [
        ("empty.csv", "", "is empty"),
        ("names.csv", "Owner,Account\nBo Lind,Acme\n", "date"),
        ("page.csv", "<!DOCTYPE html><html><body>Login</body></html>", "web page"),
    ] {
        let path = file(&pams, name, text);
        let ran = pams.run(&["migration", "load", &path, "--json"]);
        assert!(ran.code != 101 && !ran.err.contains("panicked"), "{name}: {}", ran.err);
        assert!(ran.code != 0 && ran.err.contains(says), "{name}: {} {}", ran.code, ran.err);
    }
    assert!(pams.fails(4, &["migration", "load", "/nowhere/legacy.csv"]).contains("no file"));
    assert!(pams.fails(4, &["migration", "counts"]).contains("No legacy activities"));
    assert!(pams.json(&["migration", "list"])["items"].as_array().unwrap().is_empty());
}

#[test]
fn days_that_can_be_read_two_ways_wait_for_their_order() {
    let pams = pams();
    let text = "Date,Owner,Account,Type,Hours,Summary\n03/04/2025,Bo Lind,Acme Corp,Demo,1,one\n05/06/2025,Bo Lind,Acme Corp,Demo,1,two\n";
    let path = file(&pams, "days.csv", text);
    let held = pams.partly(&["migration", "load", &path]);
    assert_eq!((&held["added"], &held["reasons"]["ACT-07"]), (&json!(0), &json!(2)), "{held}");
    pams.ok(&["undo"]);
    pams.ok(&["migration", "load", &path, "--dates", "dmy"]);
    assert_eq!(counts(&pams)["months"][0]["month"], json!("2025-04"));
}

/// Law: whatever is named, chosen, confirmed, promoted and taken back, the rows add up, and a
/// rollback of all gives back what was live.
#[test]
fn rows_add_up_whatever_is_done_with_them() {
    let pams = pams();
    pams.log("demo acme 1h 2016-02-01 something else");
    let path = pams.path().join("made.csv").display().to_string();
    let truth =
        pams.json(&["dev", "gen-legacy", "--rows", "1500", "--months", "4", "--seed", "4", "-o", &path]);
    let before = live(&pams);
    assert!(matches!(pams.run(&["migration", "load", &path]).code, 0 | 8));
    let n = |name: &str| truth[name].as_u64().unwrap();
    let c = counts(&pams);
    assert_eq!(c["total"]["rows"].as_u64().unwrap(), n("rows"));
    assert_eq!(c["unread"].as_u64().unwrap(), n("undated") + n("blank"));
    assert_eq!(c["total"]["repeats"].as_u64().unwrap(), n("repeats"));
    assert_eq!(c["total"]["drafts"].as_u64().unwrap(), n("good") + n("repeats"));
    pams.ok(&["migration", "stubs", "--make"]);
    pams.ok(&["migration", "stubs", "--make", "--scope", "owner"]);
    let c = counts(&pams);
    assert_eq!(c["total"]["lacks"], json!({ "effort": n("no_effort") }), "{}", c["total"]);
    let mut random = pams::random::Random::new(9);
    let months: Vec<String> = texts(&c["months"], "month");
    for step in 0..24 {
        let month = random.pick(&months).clone();
        let words: Vec<&str> = match step % 6 {
            0 => vec!["choose", &month, "--issue", "effort", "--set", "effort=1h"],
            1 => vec!["choose", &month, "--issue", "repeats", "--as", "new"],
            2 | 3 => vec!["confirm", &month, "--yes"],
            4 => vec!["promote", &month],
            _ => vec!["rollback", &month],
        };
        let ran = pams.run(&[&["migration"][..], &words].concat());
        assert!(matches!(ran.code, 0 | 5), "{words:?}: {}", ran.err);
        counts(&pams);
    }
    let ran = pams.run(&["migration", "rollback", "--all", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(live(&pams), before);
    assert!(pams.json(&["migration", "stubs"])["items"].as_array().unwrap().is_empty());
}

#[test]
fn a_step_that_is_killed_is_old_or_new() {
    let pams = Pams::new();
    let told = pams.json(&["dev", "torture-migration", "--kills", "4", "--rows", "3000"]);
    assert_eq!(told["faults"], json!([]), "{told}");
    let steps = told["steps"].as_object().unwrap();
    let all = steps.values().map(|s| s["old"].as_u64().unwrap() + s["new"].as_u64().unwrap());
    assert_eq!((steps.len(), all.sum::<u64>()), (4, 16), "{told}");
}

#[test]
fn a_rehearsal_leaves_the_store_as_it_was() {
    let pams = pams();
    let path = file(&pams, "legacy.csv", LEGACY);
    let before = pams.json(&["recent"]);
    let told = pams.json(&["migration", "rehearse", &path, "--stubs"]);
    assert_eq!(told["gaps"], json!([]), "{told}");
    assert_eq!((&told["rows"], &told["promoted"], &told["merged"]), (&json!(9), &json!(6), &json!(1)));
    assert_eq!((&told["rolled_back_alike"], &told["promoted_twice"]), (&json!(true), &json!(0)));
    assert_eq!(pams.json(&["recent"]), before);
    assert!(pams.json(&["migration", "list"])["items"].as_array().unwrap().is_empty());
}

/// The whole way by keys.
#[test]
fn a_migration_is_done_by_keys() {
    let pams = pams();
    pams.log("demo acme 3h 2025-03-04 first talk with Acme");
    let path = file(&pams, "legacy.csv", LEGACY);
    let now = || 1_771_581_600_000; // the day of the tests
    let folders = pams::config::Folders::find(Some(&pams.path()), None).unwrap();
    let places = pams::engine::Places { workers: pams::jobs::Workers::Here, ..folders.places() };
    let engine = Engine::open(places, Via::Tui, now, false).unwrap();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("4").unwrap();
    assert!(h.text().contains("No legacy activities are loaded"), "{}", h.text());
    h.press("I").unwrap().type_text(&path).unwrap().press("enter").unwrap();
    assert!(h.text().contains("9 rows"), "{}", h.text());
    h.press("C").unwrap();
    h.press("4").unwrap();
    assert!(h.text().contains("9 rows = 0 live + 7 drafts"), "{}", h.text());
    // By owner and type, then the texts that nobody knows.
    h.press("t").unwrap();
    assert!(h.text().contains("Annie ?") && h.text().contains("POC/POV"), "{}", h.text());
    h.press("t").unwrap();
    assert!(h.text().contains("Old Mill") && h.text().contains("Annie"), "{}", h.text());
    h.press("j enter ctrl-u").unwrap().type_text("ana").unwrap().press("enter").unwrap();
    assert!(h.text().contains("2 unknown"), "{}", h.text());
    h.press("s enter").unwrap();
    h.press("t").unwrap();
    assert!(h.text().contains("Old Mill"), "{}", h.text());
    // March: the row that is like a live one, field by field.
    h.press("t enter i").unwrap().type_text("near").unwrap().press("enter").unwrap();
    assert!(h.text().contains("only near") && h.text().contains("3h"), "{}", h.text());
    h.press("enter f").unwrap();
    assert!(h.text().contains("No row is like that"), "{}", h.text());
    h.press("esc esc C").unwrap();
    assert!(h.text().contains("wait and stay drafts"), "{}", h.text());
    h.press("y").unwrap();
    assert!(h.text().contains("confirmed"), "{}", h.text());
    h.press("P y").unwrap();
    assert!(h.text().contains("promoted"), "{}", h.text());
    insta::assert_snapshot!("migration_at_80_by_24", h.text());
    h.press("enter").unwrap();
    insta::assert_snapshot!("migration_month_at_80_by_24", h.text());
    h.press("esc R y").unwrap();
    assert!(h.text().contains("rolled back"), "{}", h.text());
    drop(h);
    drop(engine);
    assert_eq!(live(&pams).as_array().unwrap().len(), 1);
}

/// Every line of the runbook, in its order, and what it says to expect.
#[test]
fn the_runbook_runs_from_its_page() {
    let pams = Pams::with_names();
    std::os::unix::fs::symlink(std::path::absolute("sample-data").unwrap(), pams.path().join("sample-data"))
        .unwrap();
    let page = std::fs::read_to_string("docs/runbooks/migration.md").unwrap();
    let (mut said, mut ran, mut shell) = (String::new(), 0, false);
    let mut before = Value::Null;
    for line in page.lines() {
        shell = if line.starts_with("```") { line == "```sh" } else { shell };
        let Some(words) = line.strip_prefix("pams ").filter(|_| shell) else { continue };
        if words == "migration promote 2024-07" && before.is_null() {
            before = live(&pams);
        }
        let mut parts = words.split('"').enumerate();
        let mut all: Vec<String> = Vec::new();
        for (n, part) in &mut parts {
            match n % 2 {
                0 => all.extend(part.split_whitespace().map(str::to_owned)),
                _ => all.push(part.to_owned()),
            }
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let output = pams.command(&all).current_dir(pams.path()).output().unwrap();
        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(matches!(output.status.code(), Some(0 | 8)), "{line}: {told}");
        if words == "migration rollback --all --yes" {
            assert_eq!(live(&pams), before, "as before step 7");
        }
        said.push_str(&told);
        ran += 1;
    }
    assert!(ran > 20, "{ran}");
    for expected in page.split('`').filter(|text| text.starts_with("140 rows = ")) {
        let expected = expected.replace('\n', " ");
        assert!(said.contains(&expected), "{expected}: {said}");
    }
    assert!(said.contains("nothing to do") && said.contains("gaps: 0"));
    let owners = pams.json(&["activity", "list", "--owner", "all", "--limit", "500"]);
    assert!(texts(&owners["items"], "owner").iter().all(|o| o != "M. Okafor"));
}

/// A load is everybody's who may migrate, and a month that two promote apart is promoted once.
#[test]
fn a_load_and_its_steps_come_to_every_device() {
    let server = Server::new();
    let password = server.pams.path().join("password").display().to_string();
    server.pams.ok(&["user", "add", "Nia", "--role", "admin", "--password-file", &password]);
    let (root, nia, ana) = (server.device("Root"), server.device("Nia"), server.device("Ana"));
    for account in ["Acme Corp", "Orbit Labs"] {
        root.ok(&["account", "add", account]);
    }
    root.ok(&["user", "add", "Bo Lind"]);
    load(&root, LEGACY);
    root.ok(&["sync"]);
    nia.ok(&["sync"]);
    assert_eq!(counts(&nia)["months"], counts(&root)["months"]);
    assert_eq!(texts(&nia.json(&["drafts", "list"])["items"], "reason"), ["migration"]);
    nia.ok(&["migration", "name", "owner", "Annie", "Nia"]);
    nia.ok(&["migration", "confirm", "2025-04"]);
    nia.ok(&["sync"]);
    root.ok(&["sync"]);
    for admin in [&nia, &root] {
        assert_eq!(admin.json(&["migration", "promote", "2025-04"])["promoted"], json!(1));
    }
    for admin in [&nia, &root, &nia] {
        admin.ok(&["sync"]);
    }
    assert_eq!(live(&nia), live(&root));
    assert_eq!(texts(&live(&nia), "summary"), ["april"]);
    assert_eq!(counts(&nia)["total"], counts(&root)["total"]);
    root.ok(&["migration", "rollback", "2025-04"]);
    assert!(live(&root).as_array().unwrap().is_empty());
    for admin in [&root, &nia] {
        admin.ok(&["sync"]);
    }
    assert_eq!(live(&nia), live(&root));
    // Who may not is told so, and is shown no drafts of it.
    ana.ok(&["sync"]);
    assert!(ana.json(&["drafts", "list"])["items"].as_array().unwrap().is_empty());
    assert!(ana.fails(6, &["migration", "confirm", "2025-03", "--yes"]).contains("migration.write"));
}
