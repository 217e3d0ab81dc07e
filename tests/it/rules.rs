//! Every rule of intake with a file that breaks it and one, as like it as can be, that does
//! not. A rule without its two cases fails here.

use crate::program::Pams;
use pams::domain::schema::Kind;
use pams::intake::bulk::{self, Said};
use pams::intake::rules::RULES;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

/// Rules of a file of rows by the million, or the one that refuses it.
fn of_rows(folder: &Path, kind: Kind, bytes: &[u8]) -> BTreeSet<String> {
    let path = folder.join("rows.csv");
    std::fs::write(&path, bytes).unwrap();
    let today = chrono::NaiveDate::from_ymd_opt(2026, 2, 20).unwrap();
    let read = bulk::open(&path, folder, kind, &Said::default()).and_then(|opened| {
        opened.complete(true)?;
        opened.run((today, 480), &mut |_| Ok(()), &mut |_, _| Ok(()))
    });
    match read {
        Ok(tally) => {
            let skipped = [("FIL-06", tally.blank), ("FIL-07", tally.headers), ("FIL-13", tally.totals)];
            let skipped = skipped.into_iter().filter(|(_, rows)| *rows > 0).map(|(code, _)| code.to_owned());
            tally.faults.into_keys().chain(skipped).collect()
        }
        Err(failure) => failure.problems.into_iter().map(|p| p.rule).collect(),
    }
}

/// Rules that an import through the program tells.
fn of_import(pams: &Pams, command: &[&str], name: &str, bytes: &[u8]) -> BTreeSet<String> {
    let path = pams.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let words = [command, &[path.to_str().unwrap(), "--dry-run", "--json"]].concat();
    let ran = pams.run(&words);
    let told = if ran.out.trim().is_empty() { &ran.err } else { &ran.out };
    let json: serde_json::Value = serde_json::from_str(told).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let problems = json["problems"].as_array().or_else(|| json["error"]["problems"].as_array());
    let code = |p: &serde_json::Value| {
        p["code"].as_str().or_else(|| p["rule"].as_str()).unwrap_or_default().to_owned()
    };
    let mut found: BTreeSet<String> = problems.into_iter().flatten().map(code).collect();
    found.extend(json["reasons"].as_object().into_iter().flat_map(|all| all.keys().cloned()));
    found
}

/// A table of outlets with a row more.
fn outlet(header: &str, row: &str) -> Vec<u8> {
    // What the column holds elsewhere says what it is.
    let others = match header {
        "latitude,longitude" => "B1,Beta Mart,19.07601,72.87771\nC1,Gamma Foods,28.61391,77.20902\n",
        "opened on" => "B1,Beta Mart,2025-01-31\nC1,Gamma Foods,2025-02-28\n",
        "email" => "B1,Beta Mart,b@beta.example\nC1,Gamma Foods,c@gamma.example\n",
        _ => "",
    };
    format!("code,name,{header}\nA1,Alpha Stores,{row}\n{others}").into_bytes()
}

/// A byte of another encoding, farther down than a file is looked at to tell its own.
fn late_byte() -> Vec<u8> {
    let mut text: String = String::from("code,name\n");
    (0..120_000).for_each(|n| text.push_str(&format!("B{n},Shop {n}\n")));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"A,Caf\xe9\n");
    bytes
}

/// The head of a workbook under a password: a compound file with an encrypted part.
fn locked() -> Vec<u8> {
    let wide = "EncryptedPackage".bytes().flat_map(|b| [b, 0]);
    [0xd0, 0xcf, 0x11, 0xe0].into_iter().chain([0; 508]).chain(wide).collect()
}

/// Code, file that breaks the rule, file that does not.
type Case = (&'static str, Vec<u8>, Vec<u8>);

fn outlets() -> Vec<Case> {
    let rows = |header: &str, bad: &str, good: &str| (outlet(header, bad), outlet(header, good));
    let town = |odd: &str| {
        let mut text = String::from("code,name,city,country,latitude,longitude\n");
        (0..9).for_each(|n| text.push_str(&format!("T{n},Shop {n},Pune,IN,18.52{n}1,73.85{n}3\n")));
        format!("{text}X,Odd one out,Pune,{odd}\n").into_bytes()
    };
    let spots = |count: usize| {
        let mut text = String::from("code,name,latitude,longitude\n");
        (0..count).for_each(|n| {
            text.push_str(&format!("S{n},{} {n},18.52041,73.85673\n", ["Zen", "Bazaar", "Quick"][n % 3]))
        });
        text.into_bytes()
    };
    let under = |region: &str, odd: &str| {
        let mut text = String::from("code,name,territory,region\n");
        (0..39).for_each(|n| text.push_str(&format!("U{n},Shop {n},Coast,{region}\n")));
        format!("{text}X,Odd one out,Coast,{odd}\n").into_bytes()
    };
    // Thirty outlets of Pune, five of Kolkata that others serve, and one more of either.
    let served = |by: &str, odd: &str| {
        let column = if by == "D7" { "distributor code" } else { "territory" };
        let mut text = format!("code,name,city,latitude,longitude,{column}\n");
        let mut row = |n: usize, city: &str, by: &str| {
            let (lat, lon) = if city == "Pune" { (18.52041, 73.85673) } else { (22.57263, 88.36392) };
            let (lat, lon) = (lat + n as f64 / 1_000.0, lon + (n % 7) as f64 / 1_000.0);
            text.push_str(&format!("V{n},Shop {n},{city},{lat:.5},{lon:.5},{by}\n"));
        };
        (0..30).for_each(|n| row(n, "Pune", by));
        (30..35).for_each(|n| row(n, "Kolkata", "Other"));
        row(35, odd, by);
        text.into_bytes()
    };
    let phones = |count: usize| {
        let mut text = String::from("code,name,city,phone\n");
        (0..count).for_each(|n| text.push_str(&format!("P{n},Shop {n},Pune,+91 20 5550 1234\n")));
        text.into_bytes()
    };
    let lines = |text: &str| text.as_bytes().to_vec();
    let mut all: Vec<Case> = vec![
        ("FIL-01", vec![], lines("code,name\nA,Alpha\n")),
        (
            "FIL-02",
            lines("<!doctype html><html><body>Log in</body></html>"),
            lines("code,name\nA,The html Café\n"),
        ),
        ("FIL-03", locked(), lines("code,name\nA,Alpha\n")),
        ("FIL-04", b"PK\x03\x04 [Content_Types].xml and no more".to_vec(), lines("code,name\nA,PK\n")),
        (
            "FIL-05",
            format!("code,name\nA,\"Alpha\nB,{}\n", "Beta\n".repeat(8 << 20)).into_bytes(),
            lines("code,name\nA,\"Al\"\"pha\"\n"),
        ),
        ("FIL-06", lines("code,name\nA,Alpha\n,\n"), lines("code,name\nA,Alpha\n\n")),
        ("FIL-07", lines("code,name\nA,Alpha\ncode,name\n"), lines("code,name\nA,Alpha\ncode,names\n")),
        (
            "FIL-11",
            lines("code,name,city\nA,Alpha,Pune,and more\n"),
            lines("code,name,city\nA,Alpha,Pune,\n"),
        ),
        (
            "FIL-12",
            format!("code,name\nA,Alpha{}\n", ",x".repeat(16_400)).into_bytes(),
            format!("code,name\nA,Alpha{}\n", ",".repeat(900)).into_bytes(),
        ),
        (
            "FIL-13",
            lines("code,name,avg sales\nA,Alpha,5\nTotal,,5\n"),
            lines("code,name,avg sales\nA,Alpha,5\nTotal 1,Total Foods,5\n"),
        ),
        (
            "FIL-14",
            format!("code,name\nA,{}\n", "x".repeat(300_000)).into_bytes(),
            format!("code,name\nA,{}\n", "x".repeat(30_000)).into_bytes(),
        ),
        ("MAP-01", lines("name,city\nAlpha,Pune\n"), lines("code,name,city\nA,Alpha,Pune\n")),
        ("MAP-02", lines("foo,bar\nAlpha,Pune\n"), lines("code,name\nA,Alpha\n")),
        ("OUT-01", lines("code,name\n,Alpha\nB,Beta\n"), lines("code,name\n0,Alpha\nB,Beta\n")),
        ("OUT-02", lines("code,name\nA,Alpha\nA,Beta\n"), lines("code,name\nA,Alpha\na,Beta\n")),
        ("OUT-03", lines("code,name\n1.2E+11,Alpha\n"), lines("code,name\n1E2B,Alpha\n")),
        (
            "OUT-04",
            format!("code,name\n{},Alpha\n", "9".repeat(121)).into_bytes(),
            format!("code,name\n{},Alpha\n", "9".repeat(120)).into_bytes(),
        ),
        ("OUT-05", lines("code,name\nA, \nB,Beta\n"), lines("code,name\nA,Å\nB,Beta\n")),
        ("OUT-06", lines("code,name\nA,Test\n"), lines("code,name\nA,Test Valley Foods\n")),
        (
            "OUT-07",
            lines(
                "code,name,latitude,longitude\nA,Anna's Kiosk,18.52041,73.85673\nB,Annas Kiosk,18.52042,73.85674\n",
            ),
            lines(
                "code,name,latitude,longitude\nA,Anna's Kiosk,18.52041,73.85673\nB,Annas Kiosk,18.53041,73.85673\n",
            ),
        ),
        ("TER-02", under("West", "East"), under("West", "West")),
        ("TER-03", served("North", "Kolkata"), served("North", "Pune")),
        ("REF-03", served("D7", "Kolkata"), served("D7", "Pune")),
        ("CON-03", phones(10), phones(9)),
        ("COORD-08", town("IN,22.57312,88.36391"), town("IN,18.57312,73.86391")),
        ("COORD-04", town("IN,73.86391,18.57312"), town("IN,18.57312,73.86391")),
        ("COORD-05", town("IN,-18.57312,73.86391"), town("IN,18.57312,73.86391")),
        ("COORD-07", town("IN,48.13712,11.57541"), town("IN,18.57312,73.86391")),
        ("COORD-10", spots(10), spots(9)),
        ("TXT-06", late_byte(), lines("code,name\nA,Café\n")),
    ];
    for (code, header, bad, good) in [
        ("COORD-01", "latitude,longitude", ",", "18.52041,73.85673"),
        ("COORD-02", "latitude,longitude", "0,0.0", "0.5123,0.1234"),
        ("COORD-03", "latitude,longitude", "91.5,181.2", "89.51234,179.21234"),
        ("COORD-06", "latitude,longitude", "north,73.85673", "18.52041,73.85673"),
        ("COORD-09", "latitude,longitude", "18.52,73.85", "18.521,73.85"),
        ("NUM-01", "avg sales", "plenty", "12.5"),
        ("NUM-02", "avg sales", "-5", "5"),
        ("DAT-01", "opened on", "2026-02-31", "2026-02-28"),
        ("DAT-02", "opened on", "03/04/2025", "2025-04-03"),
        ("DAT-03", "created on", "2026-02-21", "2026-02-20"),
        ("DAT-04", "opened on,closed on", "2025-05-02,2025-05-01", "2025-05-01,2025-05-02"),
        ("ADR-01", "address", "", "12 Fort Road"),
        ("ADR-02", "postal code", "see above", "SW1A 1AA"),
        ("TER-04", "salesperson code", "", "S7"),
        ("TER-05", "beat", "", "Monday North"),
        ("CON-01", "email", "anna(at)shop", "anna@shop.example"),
        ("CON-02", "phone", "ask him", "+91 20 5550 1234"),
        ("TER-01", "territory", "", "North"),
        ("REF-01", "distributor code", "", "D7"),
        ("ENU-01", "status", "sleeping", "aktiv"),
        ("TXT-01", "city", "KÃ¶ln am Rhein", "Köln am Rhein"),
        ("TXT-02", "city", "Smith &amp; Sons", "Smith & Sons; Ltd"),
        ("TXT-03", "city", "Pu\u{7}ne", "Pune"),
        ("TXT-04", "city", "=cmd()", "+1 Street"),
    ] {
        let (bad, good) = rows(header, bad, good);
        all.push((code, bad, good));
    }
    all.push(("TXT-05", outlet("notes", &"y".repeat(32_001)), outlet("notes", &"y".repeat(32_000))));
    let months =
        |row: &str| format!("code,month,avg sales\nA1,2026-01,5\nB1,2026-01,6\n{row}\n").into_bytes();
    all.push(("SAL-01", months("A1,soon,5"), months("A1,Feb 26,5")));
    all.push(("SAL-02", months("A1,2026-02,lots"), months("A1,2026-02,7")));
    all
}

fn activities() -> Vec<Case> {
    let row = |row: &str| {
        format!("date,owner,account,type,effort,summary\n2025-03-04,Ana,Acme,Demo,2h,first\n{row}\n")
            .into_bytes()
    };
    [
        ("ACT-06", ",Ana,Acme,Demo,2h,second", "2025-03-05,Ana,Acme,Demo,2h,second"),
        ("ACT-07", "04/05/2025,Ana,Acme,Demo,2h,second", "14/05/2025,Ana,Acme,Demo,2h,second"),
        ("ACT-08", "2025-03-05,Ana,Acme,Demo,a while,second", "2025-03-05,Ana,Acme,Demo,90m,second"),
        ("ACT-09", "2025-03-04,Ana,Acme,Demo,2h,first", "2025-03-04,Ana,Acme,Demo,2h,other"),
    ]
    .map(|(code, bad, good)| (code, row(bad), row(good)))
    .into()
}

const HEADER: &str = "Opportunity ID,Opportunity Name,Account Name,Stage,Won,Closed,Amount,Currency,Close Date,Opportunity Owner\n";
const FIRST: &str = "006A,Rollout,Acme Corp,Closed Won,,,100,EUR,2026-02-03,ana\n";
const OTHER: &str = "006C,Pilot,Acme Corp,Closed Won,,,30,EUR,2026-02-05,ana\n";

fn of_a_month() -> Vec<Case> {
    let row = |day: &str| {
        format!("{HEADER}{FIRST}006B,Suite,Acme Corp,Closed Won,,,100,EUR,{day},ana\n").into_bytes()
    };
    vec![("OPP-12", row("2026-01-31"), row("2026-02-01"))]
}

fn commit(pams: &Pams, command: &[&str], text: &str) {
    let path = pams.path().join("committed.csv");
    std::fs::write(&path, text).unwrap();
    pams.ok(&[command, &[path.to_str().unwrap(), "--yes"]].concat());
}

fn wins() -> Vec<Case> {
    let row = |row: &str| format!("{HEADER}{FIRST}{row}\n").into_bytes();
    let good = "006B,Suite,Acme Corp,Closed Won,,,100,EUR,2026-02-04,ana";
    let mut all: Vec<Case> = [
        ("OPP-01", "006B,Suite,,Closed Won,,,100,EUR,2026-02-04,ana", good),
        ("OPP-02", "006B,Suite,Acme Corp,Closed Won,,,100,EUR,,ana", good),
        ("OPP-03", "006B,Suite,Acme Corp,Closed Won,,,100,EUR,soon,ana", good),
        ("OPP-04", "006B,Suite,Acme Corp,Closed Won,,,much,EUR,2026-02-04,ana", good),
        ("OPP-05", "006B,Suite,Acme Corp,Negotiation,,,100,EUR,2026-02-04,ana", good),
        ("OPP-06", "006B,Suite,Acme Corp,Closed Won,,,100,EUR,2026-02-04,Zed Unknown", good),
        ("OPP-07", "006B,Suite,Nobody Knows Ltd,Closed Won,,,100,EUR,2026-02-04,ana", good),
        ("OPP-08", "006B,Suite,Acme Corp,Closed elsewhere,,,100,EUR,2026-02-04,ana", good),
        (
            "OPP-09",
            "006B,Suite,Acme Corp,Closed Won,no,yes,100,EUR,2026-02-04,ana",
            "006B,Suite,Acme Corp,Closed Won,yes,yes,100,EUR,2026-02-04,ana",
        ),
        ("OPP-10", "006A,Rollout,Acme Corp,Closed Won,,,200,EUR,2026-02-03,ana", good),
        (
            "OPP-11",
            "006B,Suite,Acme Corp,Closed Won,,,100,EUR,03/02/2026,ana",
            "006B,Suite,Acme Corp,Closed Won,,,100,EUR,13/02/2026,ana",
        ),
        ("OPP-13", "Grand total,,,,,,200,,,", good),
        ("OPP-15", "006B,Suite,Acme Corp,Closed Won,,,100,Bottle caps,2026-02-04,ana", good),
        ("OPP-16", "006B,Suite,Acme Corp,Closed Won,,,100,EUR,2026-02-27,ana", good),
        ("OPP-17", FIRST.trim_end(), good),
        ("OPP-18", "1.2E+15,Suite,Acme Corp,Closed Won,,,100,EUR,2026-02-04,ana", good),
        ("OPP-19", "006B,Suite,Acme Corp,Xyzzy,,,100,EUR,2026-02-04,ana", good),
    ]
    .map(|(code, bad, good)| (code, row(bad), row(good)))
    .into();
    all.push(("FIL-08", vec![b'a'; 26 << 20], row(good)));
    all
}

fn accounts() -> Vec<Case> {
    let row =
        |row: &str| format!("Account Name,Account ID,Parent,Website\nAcme Corp,,,\n{row}\n").into_bytes();
    [
        ("REC-01", ",77,", "Alpha,77,"),
        ("REC-04", "Alpha,77,\nAlpha,77,", "Alpha,77,\nAlpha,78,"),
        ("REC-06", "Alpha,1.2E+15,", "Alpha,1200,"),
    ]
    .map(|(code, bad, good)| (code, row(bad), row(good)))
    .into()
}

fn reps() -> Vec<Case> {
    let row = |row: &str| {
        format!("Rep Code,Rep Name,Depot Lat,Depot Lon,Working Days,Hours a Day\n{row}\n").into_bytes()
    };
    [
        ("REC-02", "R1,Marta,47.5,9.6,mon,a while", "R1,Marta,47.5,9.6,mon,8h"),
        ("REC-05", "R1,Marta,147.5,9.6,mon,8h", "R1,Marta,47.5,9.6,mon,8h"),
    ]
    .map(|(code, bad, good)| (code, row(bad), row(good)))
    .into()
}

/// A workbook of wins whose stage is a formula, with its value or without.
fn formula(value: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let cell = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let row = |cells: [&str; 3], last: &str| format!("<row>{}{last}</row>", cells.map(cell).concat());
    let sheet = format!(
        "<worksheet><sheetData>{}{}</sheetData></worksheet>",
        row(["Account Name", "Close Date", "Amount"], &cell("Stage")),
        row(["Acme Corp", "2026-02-03", "5"], &format!("<c t=\"str\"><f>A1</f>{value}</c>")),
    );
    for (name, text) in [
        ("[Content_Types].xml", "<Types/>"),
        (
            "_rels/.rels",
            "<Relationships><Relationship Id='a' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        ),
        ("xl/workbook.xml", "<workbook><sheets><sheet name='S' r:id='b'/></sheets></workbook>"),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id='b' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet' Target='worksheets/sheet1.xml'/></Relationships>",
        ),
        ("xl/worksheets/sheet1.xml", &sheet),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What rows come to with something said of them.
fn said(folder: &Path, text: &str, said: Said) -> BTreeSet<String> {
    let path = folder.join("said.csv");
    std::fs::write(&path, text).unwrap();
    let opened = bulk::open(&path, folder, Kind::Outlet, &said).unwrap();
    let today = chrono::NaiveDate::from_ymd_opt(2026, 2, 20).unwrap();
    opened.run((today, 480), &mut |_| Ok(()), &mut |_, _| Ok(())).unwrap().faults.into_keys().collect()
}

#[test]
fn every_rule_has_a_file_that_breaks_it_and_one_that_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let pams = Pams::with_names();
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut judge = |cases: Vec<Case>, of: &dyn Fn(&[u8]) -> BTreeSet<String>| {
        for (code, bad, good) in cases {
            let (bad, good) = (of(&bad), of(&good));
            if !bad.contains(code) || good.contains(code) {
                wrong.push(format!("{code}: broken {bad:?}, kept {good:?}"));
            }
            *shown.entry(code).or_default() += 1;
        }
    };
    judge(outlets(), &|bytes| of_rows(folder.path(), Kind::Outlet, bytes));
    judge(activities(), &|bytes| of_rows(folder.path(), Kind::Activity, bytes));
    judge(wins(), &|bytes| of_import(&pams, &["wins", "import"], "wins.csv", bytes));
    judge(accounts(), &|bytes| of_import(&pams, &["account", "import"], "accounts.csv", bytes));
    let projects = |account: &str| format!("Project Name,Account\nP1,{account}\n").into_bytes();
    judge(vec![("REC-03", projects("Nobody here"), projects("Acme Corp"))], &|bytes| {
        of_import(&pams, &["project", "import"], "projects.csv", bytes)
    });
    judge(reps(), &|bytes| of_import(&pams, &["reps", "import"], "reps.csv", bytes));
    let months = ["wins", "import", "--month", "2026-02"];
    judge(of_a_month(), &|bytes| of_import(&pams, &months, "month.csv", bytes));
    let books = vec![("FIL-09", formula(""), formula("<v>Closed Won</v>"))];
    judge(books, &|bytes| of_import(&pams, &["wins", "import"], "book.xlsx", bytes));
    // What people say of a file, and what is there before it.
    let twice = "code,name\nA,Alpha\nA,Beta\nC,Gamma\n";
    let aside = Said { aside_rows: [3].into(), ..Said::default() };
    let merged = Said { mend: ["OUT-02".to_owned()].into(), ..Said::default() };
    judge(vec![("REV-01", vec![1], vec![0])], &|is| {
        said(folder.path(), twice, if is == [1] { aside.clone() } else { Said::default() })
    });
    judge(vec![("REV-02", vec![1], vec![0])], &|is| {
        said(folder.path(), twice, if is == [1] { merged.clone() } else { Said::default() })
    });
    commit(&pams, &["wins", "import"], &[HEADER, FIRST, OTHER].concat());
    let without = |rows: &str| format!("{HEADER}{rows}").into_bytes();
    judge(vec![("OPP-14", without(OTHER), without(&[FIRST, OTHER].concat()))], &|bytes| {
        of_import(&pams, &["wins", "import"], "gone.csv", bytes)
    });
    commit(&pams, &["outlets", "import"], "code,name,class\nA,Alpha,A\nB,Beta,B\n");
    pams.ok(&["outlets", "edit", "A", "--set", "class=X"]);
    let known = |text: &str| format!("code,name,class\n{text}B,Beta,B\n").into_bytes();
    let of_outlets = |bytes: &[u8]| of_import(&pams, &["outlets", "import"], "outlets.csv", bytes);
    judge(vec![("OUT-08", known("A,Alpha,C\n"), known("A,Alpha,A\n"))], &of_outlets);
    let beats = |code: &str| format!("code,beat\nB,1\n{code},2\n").into_bytes();
    judge(vec![("OUT-09", beats("Q"), beats("A"))], &of_outlets);
    commit(&pams, &["distributors", "import"], "Distributor Code,Distributor Name\nD1,Kumar Agencies\n");
    commit(&pams, &["reps", "import"], "Rep Code,Rep Name\nR1,Marta\n");
    let served = |by: &str, of: &str| format!("code,name,{by}\nX,Xi,{of}\n").into_bytes();
    judge(
        vec![
            ("REF-02", served("distributor code", "D9"), served("distributor code", "d1")),
            ("REF-04", served("salesperson code", "R9"), served("salesperson code", "R1")),
        ],
        &of_outlets,
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let without: Vec<&str> = RULES.iter().map(|r| r.code).filter(|code| !shown.contains_key(code)).collect();
    assert!(without.is_empty(), "rules without cases: {without:?}");
}
