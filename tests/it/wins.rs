//! Wins workbooks: made ones with a known truth, and those of others.

use crate::program::{Pams, texts};
use pams::domain::money::Currency;
use pams::intake::fixes::Fixes;
use pams::intake::mapping::{DEFAULT_WINS, Mapping};
use pams::intake::open::{Cell, open};
use pams::intake::wins::read;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const EUR: Currency = Currency(*b"EUR");

/// The folder of outside data, if it is here.
fn data(folder: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("PAMS_TEST_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let path = root.join(folder);
    if !path.exists() {
        println!("skipped: {} is not here (PAMS_TEST_DATA names another place)", path.display());
        return None;
    }
    Some(path)
}

fn csv(pams: &Pams, name: &str, rows: &[&str]) -> String {
    let path = pams.path().join(name);
    let head = "Opportunity ID,Opportunity Name,Account Name,Stage,Amount,Close Date,Opportunity Owner";
    std::fs::write(&path, [&[head], rows].concat().join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

const FIRST: [&str; 5] = [
    "006A1,Rollout,Vantage,Closed Won,84000,2026-02-03,Riko Ito",
    "006A2,Suite,Pinnacle,Closed Won,30000,2026-02-04,Riko Ito",
    "006A3,Hub,Orbit Labs,Closed Lost,12000,2026-02-05,Nora Lind",
    "006A4,Desk,Meridian,Closed Won,5000,2026-01-15,Nora Lind",
    "006A5,Pipe,Nordlys,Negotiation,5000,2026-03-15,Nora Lind",
];

fn with_people() -> Pams {
    let pams = Pams::with_names();
    pams.ok(&["user", "add", "Riko Ito", "--email", "riko.ito@example.com"]);
    pams.ok(&["user", "add", "Nora Lind"]);
    pams
}

fn balance(import: &serde_json::Value) {
    let n = |name: &str| import[name].as_u64().unwrap();
    assert_eq!(n("rows"), n("wins") + n("losses") + n("rejected") + n("skipped"), "{import}");
    assert_eq!(n("wins") + n("losses"), n("added") + n("changed") + n("same"), "{import}");
}

#[test]
fn an_import_is_a_diff_and_twice_is_once() {
    let pams = with_people();
    let file = csv(&pams, "a.csv", &FIRST);
    let dry = pams.json(&["wins", "import", &file, "--dry-run"]);
    assert_eq!(pams.json(&["wins", "list"])["items"], serde_json::json!([]), "a dry run writes nothing");
    let done = pams.json(&["wins", "import", &file]);
    balance(&done);
    assert_eq!(
        (done["wins"].as_u64(), done["losses"].as_u64(), done["skipped"].as_u64()),
        (Some(3), Some(1), Some(1))
    );
    assert_eq!((done["notified"].as_u64(), done["added"].clone()), (Some(2), dry["added"].clone()));
    let again = pams.json(&["wins", "import", &file]);
    balance(&again);
    assert_eq!((again["same"].as_u64(), again["notified"].as_u64()), (Some(4), Some(0)));
    assert_eq!(again["batch"], done["batch"]);
    let changed = csv(
        &pams,
        "b.csv",
        &[
            "006A1,Rollout,Vantage,Closed Won,90000,2026-02-03,Riko Ito",
            "006A2,Suite,Pinnacle,Closed Won,30000,2026-02-04,Riko Ito",
            "006A6,New,Halden,Closed Won,7000,2026-02-06,Nora Lind",
        ],
    );
    let diff = pams.json(&["wins", "import", &changed]);
    balance(&diff);
    let n = |name: &str| diff[name].as_u64().unwrap();
    assert_eq!((n("added"), n("changed"), n("removed"), n("same")), (1, 1, 0, 1));
    let losses = pams.json(&["wins", "list", "--outcome", "loss"]);
    assert_eq!(texts(&losses["items"], "opportunity_id"), ["006A3"], "a file of wins erases no losses");
    assert_eq!(pams.json(&["wins", "list", "--month", "2026-01"])["items"].as_array().unwrap().len(), 1);
    pams.ok(&["undo"]);
    let amounts =
        texts(&pams.json(&["wins", "list", "--month", "2026-02", "--outcome", "win"])["items"], "amount");
    assert_eq!(amounts, ["30000.00", "84000.00"], "one undo takes the whole import back");
    // The first import too; and what was taken back is imported anew.
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["wins", "list"])["items"], serde_json::json!([]));
    let anew = pams.json(&["wins", "import", &file]);
    assert_eq!((anew["added"].clone(), anew["wins"].as_u64()), (done["added"].clone(), Some(3)));
    assert_eq!(pams.json(&["drafts", "list"])["items"], serde_json::json!([]));
    let amounts =
        texts(&pams.json(&["wins", "list", "--month", "2026-02", "--outcome", "win"])["items"], "amount");
    assert_eq!(amounts, ["30000.00", "84000.00"]);
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}

#[test]
fn losing_many_rows_asks_closed_months_refuse_and_versions_come_back() {
    let pams = with_people();
    let done = pams.json(&["wins", "import", &csv(&pams, "a.csv", &FIRST)]);
    let less = csv(&pams, "b.csv", &FIRST[..1]);
    let err = pams.fails(5, &["wins", "import", &less]);
    assert!(err.contains("would lose 1 of its 2") && err.contains("--yes"), "{err}");
    assert_eq!(pams.json(&["wins", "list", "--month", "2026-02"])["items"].as_array().unwrap().len(), 3);
    let kept = pams.json(&["wins", "import", &less, "--append"]);
    assert_eq!(kept["removed"], 0);
    let removed = pams.json(&["wins", "import", &less, "--yes"]);
    assert_eq!(removed["removed"], 1);
    let versions = pams.json(&["wins", "versions", "--month", "2026-02"]);
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    let first = done["batch"].as_str().unwrap();
    let back = pams.json(&["wins", "restore", first, "--month", "2026-02"]);
    assert_eq!((back["added"].as_u64(), back["same"].as_u64()), (Some(1), Some(2)));
    pams.ok(&["wins", "close", "--month", "2026-02"]);
    assert!(pams.fails(5, &["wins", "import", &less, "--yes"]).contains("closed"));
    let other = pams.json(&["wins", "import", &csv(&pams, "c.csv", &FIRST), "--month", "2026-01"]);
    balance(&other);
    assert_eq!((other["same"].as_u64(), other["skipped"].as_u64()), (Some(1), Some(4)));
}

/// P-024-B: what is dropped is imported once and put away; what is refused says why;
/// what loses rows waits for a person; what is not whole yet stays.
#[test]
fn a_watched_folder_imports_each_file_once() {
    let pams = with_people();
    let folder = pams.path().join("drop");
    std::fs::create_dir(&folder).unwrap();
    let watch = || {
        let ran = pams.run(&["import", "watch", folder.to_str().unwrap(), "--once"]);
        // 8: something waits for a person.
        assert_eq!(ran.code, if ran.out.contains("failed:") || ran.out.contains("review:") { 8 } else { 0 });
        ran.out
    };
    let drop_file = |name: &str, from: &str| assert!(std::fs::copy(from, folder.join(name)).unwrap() > 0);
    let first = csv(&pams, "a.csv", &FIRST);
    drop_file("a.csv", &first);
    drop_file("b.csv.part", &first);
    std::fs::write(folder.join("c.xlsx"), "<html>log in</html>").unwrap();
    let said = watch();
    assert!(said.contains("done: a.csv: 4 added") && said.contains("failed: c.xlsx"), "{said}");
    assert!(folder.join("done/a.csv").exists() && folder.join("b.csv.part").exists());
    assert!(std::fs::read_to_string(folder.join("failed/c.xlsx.txt")).unwrap().contains("web page"));
    // The same again, as after a crash before the move: nothing is doubled.
    drop_file("a.csv", &first);
    assert!(watch().contains("done: a.csv: nothing to change"));
    assert!(folder.join("done/1-a.csv").exists());
    assert_eq!(pams.json(&["wins", "versions"])["items"].as_array().unwrap().len(), 1);
    // A file that takes rows away waits; dropped again it is not started twice.
    let less = csv(&pams, "d.csv", &FIRST[..1]);
    drop_file("d.csv", &less);
    assert!(watch().contains("review: d.csv"));
    drop_file("d.csv", &less);
    assert!(watch().contains("under review already"));
    let open = pams.json(&["import", "list"]);
    assert_eq!(texts(&open["items"], "file"), ["d.csv"]);
    let id = open["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(pams.json(&["import", "commit", &id, "--yes"])["removed"], 1);
}

/// The command line can say all that the interface can.
#[test]
fn a_review_is_answered_from_the_command_line() {
    let pams = with_people();
    let file = csv(
        &pams,
        "a.csv",
        &[
            "1,A,Vantage,Booked and closed,100,2026-02-03,Riko Ito",
            "2,B,Vantage,Booked and closed,1.2k,2026-02-03,R. Ito",
            "3,C,Orbit Labs,Won,5,03/04/2026,Nora Lind",
            "4,D,Orbit Labs,Won,5,2026-01-04,Nora Lind",
        ],
    );
    let counts = |report: &serde_json::Value| {
        let n = |name: &str| report[name].as_u64().unwrap();
        balance(report);
        (n("wins"), n("losses"), n("rejected"), n("skipped"))
    };
    pams.ok(&["wins", "import", &file, "--review"]);
    let id = pams.json(&["import", "list"])["items"][0]["id"].as_str().unwrap().to_owned();
    let shown = pams.json(&["import", "show", &id]);
    assert_eq!(counts(&shown["report"]), (1, 0, 3, 0), "{shown}");
    let lines = pams.json(&["import", "show", &id, "--rule", "opp-08"]);
    assert_eq!(lines["items"].as_array().unwrap().len(), 2, "{lines}");
    assert_eq!(lines["items"][0]["alike"], 2);
    let say = |words: &[&str]| pams.json(&[&["import", "answer", id.as_str()], words].concat());
    let said = say(&["--value", "outcome:Booked and closed=win", "--dates", "dmy"]);
    assert_eq!(counts(&said["report"]), (3, 0, 1, 0));
    assert_eq!(counts(&say(&["--cell", "3:amount=1200"])["report"]), (4, 0, 0, 0));
    assert_eq!(counts(&say(&["--leave-month", "2026-01"])["report"]), (3, 0, 0, 1));
    assert_eq!(counts(&say(&["--undo"])["report"]), (4, 0, 0, 0));
    assert_eq!(counts(&say(&["--aside", "5"])["report"]), (3, 0, 1, 0));
    pams.fails(4, &["import", "answer", &id, "--owner", "R. Ito=Nobody Such"]);
    pams.fails(2, &["import", "answer", &id]);
    say(&["--owner", "R. Ito=Riko Ito", "--stub-accounts"]);
    assert_eq!(pams.json(&["wins", "list"])["items"], serde_json::json!([]), "nothing is written yet");
    let done = pams.json(&["import", "commit", &id]);
    assert_eq!((counts(&done), done["notified"].as_u64()), ((3, 0, 1, 0), Some(2)));
    let mine = pams.json(&["wins", "list", "--owner", "Riko Ito"]);
    assert_eq!(mine["items"].as_array().unwrap().len(), 2);
    assert_eq!(pams.json(&["account", "show", "Vantage"])["name"], "Vantage");
    pams.fails(4, &["import", "show", &id]);
    // The version comes back with its answers.
    let batch = done["batch"].as_str().unwrap();
    pams.ok(&["wins", "delete", mine["items"][0]["id"].as_str().unwrap()]);
    let back = pams.json(&["wins", "restore", batch, "--month", "2026-02"]);
    assert_eq!(back["added"], 1, "{back}");
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}

#[test]
fn owners_are_asked_once_and_never_guessed() {
    let pams = with_people();
    pams.ok(&["user", "add", "Rohan Mehta"]);
    pams.ok(&["user", "add", "Rashmi Mehta"]);
    let file = csv(
        &pams,
        "a.csv",
        &[
            "1,A,Vantage,Won,1,2026-02-03,R. Mehta",
            "2,B,Vantage,Won,1,2026-02-03,Mehta",
            "3,C,Vantage,Won,1,2026-02-03,riko.ito@example.com",
            "4,D,Vantage,Won,1,2026-02-03,Rashmi",
        ],
    );
    let first = pams.json(&["wins", "import", &file]);
    let asked: BTreeSet<String> = first["unmatched_owners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o[0].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(asked, ["Mehta", "R. Mehta", "Rashmi"].map(str::to_owned).into());
    let told =
        pams.json(&["wins", "import", &file, "--owner", "R. Mehta=Rashmi Mehta", "--owner", "Mehta=-"]);
    assert_eq!((told["changed"].as_u64(), told["notified"].as_u64()), (Some(1), Some(1)));
    let mine = pams.json(&["wins", "list", "--owner", "Rashmi Mehta"]);
    assert_eq!(texts(&mine["items"], "opportunity_id"), ["1"]);
    let later = csv(&pams, "b.csv", &["5,E,Vantage,Won,1,2026-03-03,R. Mehta"]);
    assert_eq!(
        pams.json(&["wins", "import", &later])["unmatched_owners"],
        serde_json::json!([]),
        "remembered"
    );
    // What was said can be looked at and forgotten: then it is asked again.
    let said = pams.json(&["import", "remembered"]);
    let who: Vec<_> = said["items"].as_array().unwrap().iter().map(|r| (&r["text"], &r["who"])).collect();
    assert_eq!(who, [(&"Mehta".into(), &"".into()), (&"R. Mehta".into(), &"Rashmi Mehta".into())]);
    pams.ok(&["import", "forget", said["items"][1]["id"].as_str().unwrap()]);
    assert_eq!(pams.json(&["wins", "import", &later])["unmatched_owners"][0][0], "R. Mehta");
}

#[test]
fn accounts_are_linked_stubbed_or_left_and_rejects_come_out() {
    let pams = with_people();
    let file = csv(
        &pams,
        "a.csv",
        &[
            "1,A,acme corp,Won,1,2026-02-03,Riko Ito",
            "2,B,Unknown Ltd,Won,1,2026-02-03,Riko Ito",
            "3,C,Unknown Ltd,Won,1.2k,2026-02-03,Riko Ito",
            "4,D,,Won,1,2026-02-03,Riko Ito",
            "5,E,Unknown Ltd,Won,1,03/04/2026,Riko Ito",
            "6,F,Unknown Ltd,Closed Cancelled,1,2026-02-03,Riko Ito",
        ],
    );
    pams.partly(&["wins", "import", &file]);
    let list = pams.json(&["wins", "list"]);
    assert_eq!(texts(&list["items"], "account").iter().collect::<BTreeSet<_>>().len(), 2);
    let linked = list["items"].as_array().unwrap().iter().filter(|i| i["account_id"].is_string()).count();
    assert_eq!(linked, 1, "known by its name; the other stays raw");
    let batch = pams.json(&["wins", "versions"])["items"][0]["id"].as_str().unwrap().to_owned();
    let rejects = pams.json(&["wins", "rejects", &batch]);
    let codes = texts(&rejects["rows"], "code");
    assert_eq!(codes, ["OPP-04", "OPP-01", "OPP-11", "OPP-08"]);
    let out = pams.path().join("rejects.csv");
    pams.ok(&["wins", "rejects", &batch, "-o", out.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 5);
    pams.partly(&["wins", "import", &file, "--stub-accounts"]);
    assert_eq!(pams.json(&["account", "show", "Unknown Ltd"])["name"], "Unknown Ltd");
    let mapping = DEFAULT_WINS
        .replace("dates = \"\"", "dates = \"dmy\"")
        .replace("2025 Wins with SFDC\"", "Day first\"");
    let path = pams.path().join("mine.toml");
    std::fs::write(&path, mapping).unwrap();
    pams.ok(&["wins", "mapping", "edit", path.to_str().unwrap()]);
    let again = pams.partly(&["wins", "reparse", &batch, "--mapping", "Day first"]);
    assert_eq!((again["added"].as_u64(), again["rejected"].as_u64()), (Some(1), Some(3)), "{again}");
    pams.fails(4, &["wins", "import", &file, "--mapping", "No such"]);
}

#[test]
fn standard_input_and_own_entries_beside_the_import() {
    let pams = with_people();
    pams.ok(&[
        "wins",
        "add",
        "--outcome",
        "win",
        "--account",
        "acme",
        "--amount",
        "84000",
        "--date",
        "2026-02-03",
    ]);
    let file = csv(
        &pams,
        "a.csv",
        &["1,A,Acme Corp,Won,84000,2026-02-03,Riko Ito", "2,B,Acme Corp,Won,5,2026-02-03,x"],
    );
    let output = pams
        .command(&["wins", "import", "-", "--name", "report.csv", "--json"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let compared = pams.json(&["wins", "compare", "--month", "2026-02"]);
    let count = |name: &str| compared[name].as_array().unwrap().len();
    assert_eq!((count("matched"), count("only_own"), count("only_imported")), (1, 0, 1));
    assert!(pams.ok(&["wins", "callout"]).contains("2 wins"), "what both have counts once");
    let listed = pams.json(&["wins", "list", "--month", "2026-02"]);
    let twice: Vec<&serde_json::Value> =
        listed["items"].as_array().unwrap().iter().filter(|item| item["twice"] == true).collect();
    assert_eq!(twice.len(), 1, "the own entry that the import has too is marked: {listed}");
    assert!(twice[0]["source"].as_str().unwrap_or_default().is_empty());
    pams.fails(4, &["wins", "import", "/no/such/file.xlsx"]);
    pams.fails(2, &["wins", "import", pams.path().to_str().unwrap()]);
}

/// Accounts and projects from tables, twice, with one undo.
#[test]
fn accounts_and_projects_come_from_tables_once() {
    let pams = Pams::new();
    pams.ok(&["industry", "add", "Retail"]);
    let write = |name: &str, text: &str| {
        let path = pams.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rows = "All customers;;\nCustomer Name;Sector;Region;Rating\nHalden AG;Retail;North;A\nNordlys;;South;B\n\
                Halden AG;;;\nOrbit Labs;No such;West;C\n;;;\n;Retail;;\n";
    let file = write("accounts.csv", rows);
    let dry = pams.json(&["account", "import", &file, "--dry-run"]);
    assert_eq!((dry["added"].as_u64(), dry["rejected"].as_u64()), (Some(2), Some(3)), "{dry}");
    assert_eq!(pams.json(&["account", "list"])["items"], serde_json::json!([]), "a dry run writes nothing");
    let n = |value: &serde_json::Value, name: &str| value[name].as_u64().unwrap();
    let sum = |v: &serde_json::Value| {
        ["added", "changed", "same", "rejected", "skipped"].iter().map(|k| n(v, k)).sum::<u64>()
    };
    let done = pams.partly(&["account", "import", &file]);
    assert_eq!((n(&done, "rows"), n(&done, "added"), sum(&done)), (6, 2, 6), "{done}");
    assert_eq!(done["unmapped"], serde_json::json!(["Rating"]));
    let again = pams.partly(&["account", "import", &file]);
    assert_eq!((n(&again, "same"), n(&again, "added")), (2, 0));
    let file = write(
        "projects.csv",
        "name,account,stage,value\nPlatform,halden ag,open,\"84,000\"\nLost one,Nobody,open,1\n",
    );
    let done = pams.partly(&["project", "import", &file]);
    assert_eq!((n(&done, "added"), n(&done, "rejected")), (1, 1), "{done}");
    assert_eq!(pams.json(&["project", "show", "platform"])["value"], "84000.00");
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["project", "list"])["items"], serde_json::json!([]));
    pams.ok(&["undo"]);
    assert_eq!(
        pams.json(&["account", "list"])["items"],
        serde_json::json!([]),
        "the whole import is one undo"
    );
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
    pams.fails(3, &["project", "import", &write("x.csv", "a,b\n1,2\n")]);
}

/// 6,000 opportunities of others: counts as computed here, by hand.
#[test]
fn the_big_file_of_others_has_its_counts() {
    let Some(folder) = data("opportunities/olga_opps") else { return };
    let path = folder.join("opportunities.csv");
    let mut closed: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|h| h == name).unwrap();
    for row in reader.records().map(Result::unwrap) {
        let month = row[at("close_date")].get(..7).unwrap_or_default().to_owned();
        match &row[at("stage")] {
            "Closed Won" => closed.entry(month).or_default().0 += 1,
            "Closed Lost" => closed.entry(month).or_default().1 += 1,
            _ => {}
        }
    }
    assert_eq!((closed.values().map(|c| c.0 + c.1).sum::<u64>(), closed.len()), (5_584, 42));
    let pams = Pams::new();
    let done = pams.json(&["wins", "import", path.to_str().unwrap(), "--yes"]);
    balance(&done);
    assert_eq!((done["rows"].as_u64(), done["rejected"].as_u64()), (Some(6_000), Some(0)));
    let found: BTreeMap<String, (u64, u64)> = done["months"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            (
                m["month"].as_str().unwrap().to_owned(),
                (m["wins"].as_u64().unwrap(), m["losses"].as_u64().unwrap()),
            )
        })
        .collect();
    assert_eq!(found, closed);
    let again = pams.json(&["wins", "import", path.to_str().unwrap()]);
    assert_eq!((again["same"].as_u64(), again["added"].as_u64()), (Some(5_584), Some(0)));
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}

/// Files that hold no wins at all: each has its class. `map`: a table without the
/// columns (MAP-…); otherwise the code of the refusal.
#[test]
fn every_outside_file_has_its_expected_class() {
    let Some(folder) = data("formats") else { return };
    let refused: BTreeMap<&str, &str> =
        [("pass_protected.xlsx", "FIL-03"), ("issue_594_dos.ods", "FIL-04")].into();
    let mut seen = 0;
    for sub in ["calamine", "csv_spectrum", "frictionless"] {
        for entry in std::fs::read_dir(folder.join(sub)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".md") || name.ends_with(".json") {
                continue;
            }
            seen += 1;
            let mapping = Mapping::parse("m", DEFAULT_WINS).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let result = open(&name, &bytes, &Default::default())
                .and_then(|opened| read(&opened, &mapping, &Fixes::default(), EUR));
            let code = match &result {
                Ok(_) => "imports".to_owned(),
                Err(failure) => failure.problems[0].rule.clone(),
            };
            match refused.get(name.as_str()) {
                Some(expected) => assert_eq!(&code, expected, "{name}: {result:?}"),
                None => assert!(code.starts_with("MAP-"), "{name}: {code} {result:?}"),
            }
        }
    }
    assert!(seen >= 60, "only {seen} files");
    let dates = |name: &str| {
        let opened =
            open(name, &std::fs::read(folder.join("calamine").join(name)).unwrap(), &Default::default())
                .unwrap();
        opened.sheets[0].rows.iter().flatten().find_map(|c| match c {
            Cell::Date(d) => Some(*d),
            _ => None,
        })
    };
    let expected = dates("date.xlsx").unwrap();
    for name in ["date_1904.xlsx", "date_1904.xls", "date_1904.xlsb"] {
        assert_eq!(dates(name), Some(expected), "{name}: the 1904 system gives the same day");
    }
}

/// A version comes back whole: what the other file had beside it goes, losses too.
#[test]
fn a_restored_month_is_as_that_import_had_it() {
    let pams = with_people();
    let first = pams.json(&["wins", "import", &csv(&pams, "a.csv", &FIRST[..2])]);
    let other = csv(
        &pams,
        "b.csv",
        &["006B1,Other,Vantage,Won,1,2026-02-03,Riko Ito", "006B2,Other,Vantage,Lost,1,2026-02-04,Riko Ito"],
    );
    pams.json(&["wins", "import", &other, "--yes"]);
    let first = first["batch"].as_str().unwrap();
    let back = pams.json(&["wins", "restore", first, "--month", "2026-02"]);
    assert_eq!((back["added"].as_u64(), back["removed"].as_u64()), (Some(2), Some(2)), "{back}");
    let list = pams.json(&["wins", "list", "--month", "2026-02"]);
    assert_eq!(texts(&list["items"], "opportunity_id"), ["006A2", "006A1"]);
    let none = pams.json(&["wins", "restore", first, "--month", "2025-07"]);
    assert_eq!((none["added"].as_u64(), none["removed"].as_u64()), (Some(0), Some(0)));
}

/// What is said about things that are not in the file is refused when it is said.
#[test]
fn senseless_answers_are_refused() {
    let pams = with_people();
    let file = csv(&pams, "a.csv", &FIRST);
    pams.ok(&["wins", "import", &file, "--review"]);
    let id = pams.json(&["import", "list"])["items"][0]["id"].as_str().unwrap().to_owned();
    for (words, said) in [
        (["--aside", "99"], "has no row 99"),
        (["--aside", "XXX-9"], "no rule"),
        (["--value", "colour:1=2"], "no field \"colour\""),
        (["--cell", "99:amount=3"], "has no row 99"),
        (["--column", "colour=A"], "no field \"colour\""),
        (["--column", "account=ZZ"], "has no column"),
        (["--header", "99"], "has no row 99"),
        (["--mapping", "nope"], "no mapping"),
    ] {
        let ran = pams.run(&[&["import", "answer", id.as_str()][..], &words].concat());
        assert!(ran.code > 1 && ran.err.contains(said), "{words:?}: {ran:?}");
    }
    assert!(pams.run(&["import", "show", &id, "--rule", "XXX"]).err.contains("no rule"));
    pams.ok(&["import", "answer", &id, "--owner", "Riko Ito=Nora Lind"]);
    let back = pams.run(&["import", "answer", &id, "--undo"]).err;
    assert!(back.contains("taken back: owner \"Riko Ito\" is Nora Lind"), "{back}");
    let done = pams.json(&["import", "commit", &id]);
    assert_eq!(done["totals"][0][1]["currency"], "EUR", "{done}");
}

/// Accounts are made of all names that are not known, however many, each spelling of
/// one name once.
#[test]
fn accounts_are_made_of_every_new_name_once() {
    let pams = with_people();
    let rows: Vec<String> = (0..2_400)
        .map(|n| {
            let name = format!("{} {}", if n % 2 == 0 { "Kunde" } else { "KUNDE" }, n / 2);
            format!("006N{n:05},Deal,{name},Won,1,2026-02-03,Riko Ito")
        })
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let file = csv(&pams, "a.csv", &rows);
    assert_eq!(pams.json(&["wins", "import", &file, "--dry-run"])["new_accounts"], 1_200);
    let done = pams.json(&["wins", "import", &file, "--stub-accounts"]);
    assert_eq!((&done["added"], &done["new_accounts"]), (&2_400.into(), &0.into()));
    let made = pams.json(&["account", "list", "--filter", "kunde", "--limit", "1000"]);
    assert_eq!(made["items"].as_array().unwrap().len(), 1_000);
    let rest = ["account", "list", "--filter", "kunde", "--limit", "1000", "--cursor"];
    let rest = pams.json(&[&rest[..], &[made["next"].as_str().unwrap()]].concat());
    assert_eq!(rest["items"].as_array().unwrap().len(), 200);
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["account", "list", "--filter", "kunde"])["items"], serde_json::json!([]));
}
