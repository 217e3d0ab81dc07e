//! A store of every layout that was ever released, kept as it was written then: this
//! program opens each, finds it sound and finds in it what was put there.
//! `PAMS_WRITE_GOLDEN=1 cargo test golden` writes the one of a new layout; those that
//! exist are never written again.

use crate::program::Pams;
use pams::store::FORMAT;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::PathBuf;

/// What is listed of a store, and so must be found again.
const LISTS: [&[&str]; 12] = [
    &["account", "list", "--archived"],
    &["project", "list"],
    &["industry", "list", "--archived"],
    &["usecase", "list"],
    &["user", "list"],
    &["type", "list"],
    &["reason", "list"],
    &["preset", "list"],
    &["activity", "list", "--owner", "all"],
    &["wins", "list"],
    &["drafts", "list"],
    &["import", "list"],
];

fn file(layout: u32, end: &str) -> PathBuf {
    PathBuf::from(format!("tests/golden/layout-{layout}.{end}"))
}

/// One line a value: list, id, name, value. Later programs may show more, not less.
fn lines(pams: &Pams) -> Vec<String> {
    let mut lines = Vec::new();
    for list in LISTS {
        let items = pams.json(list);
        for item in items["items"].as_array().unwrap() {
            let id = item["id"].as_str().unwrap_or_default();
            for (name, value) in item.as_object().unwrap() {
                if !value.is_null() && name != "id" {
                    lines.push(format!("{} {id} {name} {value}", list[0]));
                }
            }
        }
    }
    let recent = pams.json(&["recent", "--limit", "100"]);
    let recent = recent["items"].as_array().cloned().unwrap_or_default();
    lines.extend(recent.iter().map(|item| format!("recent {}", item["txn"])));
    lines.sort();
    lines
}

/// A bit of everything that a store can hold.
fn fill(pams: &Pams) {
    pams.ok(&["user", "add", "Riko Ito", "--email", "riko.ito@example.com"]);
    pams.ok(&["industry", "add", "Retail"]);
    pams.ok(&["industry", "add", "Retail trade"]);
    pams.ok(&["industry", "merge", "Retail", "Retail trade"]);
    pams.ok(&["account", "add", "Grüne Wiese 草", "--industry", "Retail"]);
    pams.ok(&["account", "archive", "Orbit Labs"]);
    pams.ok(&["preset", "add", "weekly", "--view", "activities", "--filter", "demo"]);
    let id = pams.log("demo acme/platform 3h 2026-02-18 #proof: first talk with security");
    pams.log("demo acme 45m 2026-02-19 >send pricing fri: second talk");
    pams.ok(&["activity", "edit", &id, "--summary", "first talk, with security"]);
    let gone = pams.log("demo acme 1h 2026-02-17: to be deleted");
    pams.ok(&["activity", "delete", &gone]);
    pams.log("demo acme 1h 2026-02-16: to be undone");
    pams.ok(&["undo"]);
    let win = ["--outcome", "win", "--account", "acme", "--amount", "84000", "--date", "2026-02-03"];
    pams.ok(&[&["wins", "add"][..], &win].concat());
    let workbook = pams.path().join("wins.csv");
    let rows = "Opportunity ID,Account Name,Stage,Amount,Close Date,Opportunity Owner\n\
                006A1,Vantage,Closed Won,84000,2026-02-03,Riko Ito\n\
                006A2,Acme Corp,Closed Lost,1.2k,2026-02-04,R. Ito\n\
                006A3,Acme Corp,Closed Lost,1200,2026-01-04,R. Ito\n";
    std::fs::write(&workbook, rows).unwrap();
    let workbook = workbook.to_str().unwrap();
    assert_eq!(pams.run(&["wins", "import", workbook, "--owner", "R. Ito=Riko Ito"]).code, 8);
    std::fs::write(workbook, rows.replace("1.2k", "1300")).unwrap();
    pams.ok(&["wins", "import", workbook, "--review"]);
}

#[test]
fn golden_stores_of_every_layout_open_and_hold_what_they_held() {
    for layout in 1..=FORMAT {
        let (archive, listed) = (file(layout, "zip"), file(layout, "txt"));
        if !archive.exists() && std::env::var_os("PAMS_WRITE_GOLDEN").is_some() && layout == FORMAT {
            let pams = Pams::with_names();
            fill(&pams);
            pams.ok(&["db", "compact"]);
            let mut zip = zip::ZipWriter::new(std::fs::File::create_new(&archive).unwrap());
            zip.start_file("pams.redb", zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&std::fs::read(pams.store()).unwrap()).unwrap();
            zip.finish().unwrap();
            std::fs::write(&listed, lines(&pams).join("\n")).unwrap();
        }
        let pams = Pams::new();
        let packed = std::fs::File::open(&archive);
        let packed = packed
            .unwrap_or_else(|e| panic!("{}: {e}; layout {layout} has no golden store", archive.display()));
        let mut bytes = Vec::new();
        zip::ZipArchive::new(packed).unwrap().by_index(0).unwrap().read_to_end(&mut bytes).unwrap();
        std::fs::create_dir_all(pams.store().parent().unwrap()).unwrap();
        std::fs::write(pams.store(), bytes).unwrap();
        assert_eq!(pams.json(&["db", "check"])["wrong"], Value::Array(vec![]), "layout {layout}");
        let found = lines(&pams);
        let expected = std::fs::read_to_string(&listed).unwrap();
        assert!(expected.lines().count() > 100);
        for line in expected.lines() {
            assert!(found.iter().any(|f| f == line), "layout {layout} lost: {line}");
        }
        // It is gone on with: the open import is committed, and undone.
        let open = pams.json(&["import", "list"])["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(pams.json(&["import", "commit", &open, "--yes"])["added"], 1);
        pams.ok(&["undo"]);
        pams.log("demo acme 1h today: after the upgrade");
        assert_eq!(pams.json(&["db", "check"])["wrong"], Value::Array(vec![]), "layout {layout}");
    }
}
