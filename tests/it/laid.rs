//! Files that say a part of what is known of outlets: beats, sales by the month, outlets
//! more. A plain model in memory does the same, and both agree.

use crate::program::Pams;
use pams::random::Random;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

type Row = BTreeMap<String, String>;

fn written(pams: &Pams, name: &str, text: &str) -> PathBuf {
    let path = pams.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn import(pams: &Pams, text: &str, more: &[&str]) -> Value {
    let path = written(pams, "file.csv", text);
    let words = [&["outlets", "import", path.to_str().unwrap(), "--yes", "--json"], more].concat();
    let ran = pams.run(&words);
    assert!(ran.code == 0 || ran.code == 8, "{}{}", ran.out, ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("rows"), count("imported") + count("merged") + count("quarantined") + count("skipped"));
    report
}

/// All outlets by their codes; fields that are empty are not there.
fn stored(pams: &Pams) -> BTreeMap<String, Row> {
    let path = pams.path().join("stored.csv");
    let _ = std::fs::remove_file(&path);
    pams.ok(&["outlets", "export", "-o", path.to_str().unwrap()]);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let header = reader.headers().unwrap().clone();
    let mut all = BTreeMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        let fields = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        let row: Row = fields.map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect();
        assert!(all.insert(row["code"].clone(), row).is_none());
    }
    all
}

fn quality(pams: &Pams) -> BTreeMap<String, u64> {
    let rules = pams.json(&["outlets", "quality"])["rules"].clone();
    let rule = |r: &Value| (r["code"].as_str().unwrap().to_owned(), r["rows"].as_u64().unwrap());
    rules.as_array().unwrap().iter().map(rule).collect()
}

const HEADER: &str = "code,name,phone,city,latitude,longitude,channel,territory,beat,avg_sales\n";

/// Outlets of which every second code is there; some have no territory or a phone that is none.
fn outlets(codes: impl Iterator<Item = usize>) -> String {
    let mut text = String::new();
    for n in codes {
        let territory = if n % 19 == 4 { String::new() } else { format!("T{}", n % 3) };
        let phone = if n % 23 == 6 { "ask him".into() } else { format!("+91 20 {:07}", n * 7_919) };
        let (lat, lon) = (18.4 + n as f64 * 3e-5, 73.7 + (n * 37 % 1_000) as f64 * 3e-4);
        text.push_str(&format!(
            "C{n:05},Shop {n} {},{phone},Pune,{lat:.5},{lon:.5},GT,{territory},B{},{}\n",
            word(n),
            n % 40,
            n % 900
        ));
    }
    text
}

/// Names that are like no other one's.
fn word(n: usize) -> String {
    let mut random = Random::new(n as u64 + 1);
    (0..9).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
}

#[test]
fn a_file_of_some_columns_changes_those_and_nothing_else() {
    let pams = Pams::new();
    import(&pams, &format!("{HEADER}{}", outlets((0..6_000).map(|n| n * 2))), &[]);
    pams.ok(&["territory", "split", "--levels", "territory", "--level", "territory", "--yes"]);
    pams.ok(&["outlets", "edit", "C00010", "--set", "beat=Mine", "--set", "channel=MT"]);
    pams.ok(&["outlets", "edit", "C00020", "--set", "beat=Tue 7"]);
    let before = stored(&pams);
    let (rules, units) = (quality(&pams), pams.json(&["territory", "list"]));
    assert_eq!(units["stale"], false);

    // Some rows, in no order; empty cells; codes that nobody has, and one said twice.
    let mut random = Random::new(5);
    let (mut model, mut text) = (
        before.clone(),
        String::from("Outlet Code,Salesman Code,Beat,Visit Day,Visit Sequence,Phone,Ledger\n"),
    );
    let mut codes: Vec<usize> = (0..12_000).filter(|_| random.below(3) == 0).collect();
    codes.sort_by_cached_key(|_| random.bits());
    let mut unknown = 0;
    for n in &codes {
        let code = format!("C{n:05}");
        let day = ["Mon", "Tue", "Wed"][n % 3];
        let beat = if n % 5 == 0 { String::new() } else { format!("{day} {}", n % 7) };
        let phone = if n % 46 == 6 { "+91 20 5550000" } else { "" };
        text.push_str(&format!("{code},R{},{beat},{day},{},{phone},L{}\n", n % 9, n % 30, n % 4));
        let Some(row) = model.get_mut(&code) else {
            unknown += 1;
            continue;
        };
        for (name, said) in [
            ("salesperson_code", format!("R{}", n % 9)),
            ("beat", beat),
            ("visit_day", day.into()),
            ("visit_order", (n % 30).to_string()),
            ("phone", phone.into()),
            ("Ledger", format!("L{}", n % 4)),
        ] {
            // What a person wrote stays.
            let own = name == "beat" && code == "C00010";
            if !said.is_empty() && !own {
                row.insert(name.into(), said);
            }
        }
    }
    text.push_str(&format!("C{:05},RX,,,,,\n,,,,,,\n", codes[0]));
    let report = import(&pams, &text, &[]);
    let count = |name: &str| report[name].as_u64().unwrap() as usize;
    assert_eq!((count("added"), count("removed"), count("quarantined")), (0, 0, unknown + 1));
    assert_eq!((count("changed") + count("same"), count("skipped")), (codes.len() - unknown, 1));
    assert_eq!(
        (report["reasons"]["OUT-09"].as_u64(), report["reasons"]["OUT-02"].as_u64()),
        (Some(unknown as u64), Some(1))
    );
    assert_eq!(report["only"].as_array().unwrap().len(), 5);
    assert_eq!(stored(&pams), model);
    let rejects = pams.path().join("rejects.csv");
    pams.ok(&["import", "rejects", report["batch"].as_str().unwrap(), "-o", rejects.to_str().unwrap()]);
    assert_eq!(csv::Reader::from_path(&rejects).unwrap().records().count(), unknown + 1);

    // Rows and their places are the same: rules, units and marks stay; phones were mended.
    let after = quality(&pams);
    let mended = codes.iter().filter(|n| *n % 2 == 0 && *n % 46 == 6).count() as u64;
    assert!(mended > 5);
    assert_eq!(after["CON-02"], rules["CON-02"] - mended);
    assert_eq!(after["TER-01"], rules["TER-01"]);
    let now = pams.json(&["territory", "list"]);
    assert_eq!(
        (now["stale"].as_bool(), &now["items"][0]["outlets"]),
        (Some(false), &units["items"][0]["outlets"])
    );
    pams.ok(&["snapshot", "cut"]);
    assert!(pams.fails(4, &["outlets", "show", "C00001"]).contains("no outlet"));

    // A second file over the first, one undo each.
    import(&pams, "code,beat\nC00000,Twice\nC00002,Twice\n", &[]);
    let twice = stored(&pams);
    assert_eq!(
        (twice["C00000"]["beat"].as_str(), twice["C00004"]["beat"].as_str()),
        ("Twice", model["C00004"]["beat"].as_str())
    );
    pams.ok(&["undo"]);
    assert_eq!(stored(&pams), model);
    pams.ok(&["undo"]);
    assert_eq!(stored(&pams), before);
    assert_eq!(quality(&pams), rules);
    pams.ok(&["redo"]);
    assert_eq!(stored(&pams), model);
    pams.ok(&["db", "check"]);
    // The same again changes nothing.
    let again = import(&pams, &text, &[]);
    assert_eq!(
        (again["changed"].as_u64(), again["same"].as_u64()),
        (Some(0), Some((codes.len() - unknown) as u64))
    );
    assert_eq!(stored(&pams), model);
    // A column that units are cut by makes them old.
    import(&pams, "code,territory\nC00000,T9\n", &[]);
    assert_eq!(pams.json(&["territory", "list"])["stale"], true);
}

#[test]
fn outlets_appended_come_to_what_one_file_of_all_comes_to() {
    let (first, more) = (outlets((0..4_000).map(|n| n * 2)), outlets((0..900).map(|n| n * 9 + 1)));
    let (apart, whole) = (Pams::new(), Pams::new());
    import(&apart, &format!("{HEADER}{first}"), &[]);
    let known: Vec<usize> = (0..900).map(|n| n * 9 + 1).filter(|n| n % 2 == 0 && *n < 8_000).collect();
    let report = import(&apart, &format!("{HEADER}{more}"), &["--append"]);
    let count = |name: &str| report[name].as_u64().unwrap() as usize;
    assert_eq!(
        (count("added"), count("changed"), count("same"), count("removed")),
        (900 - known.len(), 0, known.len(), 0)
    );
    let all: std::collections::BTreeSet<usize> =
        (0..4_000).map(|n| n * 2).chain((0..900).map(|n| n * 9 + 1)).collect();
    import(&whole, &format!("{HEADER}{}", outlets(all.into_iter())), &[]);
    assert_eq!(stored(&apart), stored(&whole));
    assert_eq!(quality(&apart), quality(&whole));
    let listed = |pams: &Pams, rule: &str| {
        let page = pams.json(&["outlets", "list", "--rule", rule, "--limit", "2000"]);
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&apart, "TER-01"), listed(&whole, "TER-01"));
    assert_eq!(apart.json(&["outlets", "show", "C00001"]), whole.json(&["outlets", "show", "C00001"]));
    // A file that would remove most asks; one that appends has nothing to ask.
    let path = written(&apart, "one.csv", &format!("{HEADER}{}", outlets(std::iter::once(9_999))));
    assert!(apart.fails(5, &["outlets", "import", path.to_str().unwrap()]).contains("--append"));
    let ran = apart.run(&["outlets", "import", path.to_str().unwrap(), "--append"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    apart.ok(&["db", "check"]);
}

#[test]
fn sales_by_the_month_are_added_up_and_become_one_history() {
    let pams = Pams::new();
    import(&pams, "code,name,channel\nA1,Alpha,GT\nB2,Beta,MT\nC3,Gamma,GT\n", &[]);
    let report = import(
        &pams,
        "Outlet Code;Outlet Name;Month;Net Sales;Volume\nB2;Beta;2025-11;10,5;1\nA1;Alpha;2025-11;100;2\nA1;Alpha;2025-12;200;4\nA1;Alpha;12/2025;50;2\n\
         Z9;Zeta;2025-12;1;1\nB2;Beta;someday;3;1\nB2;Beta;2025-12;lots;1\n;;2025-12;4;1\n",
        &[],
    );
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("rows"), 8);
    // A1 and B2; two more rows of A1; an unknown code, no month, no amount, no code.
    assert_eq!((count("changed"), count("merged"), count("quarantined")), (2, 2, 4));
    for code in ["OUT-01", "OUT-09", "SAL-01", "SAL-02"] {
        assert_eq!(report["reasons"][code], 1, "{code}");
    }
    let alpha = pams.json(&["outlets", "show", "A1"]);
    assert_eq!(
        (alpha["sales_months"].as_str(), alpha["avg_sales"].as_str()),
        (Some("2025-11=100 2025-12=250"), Some("175"))
    );
    assert_eq!((alpha["volume"].as_str(), alpha["name"].as_str()), (Some("4"), Some("Alpha")));
    // The next month's file adds to them, and a month said anew counts.
    import(&pams, "code,month,sales value\nA1,2026-01,350\nA1,2025-12,300\nC3,Jan 2026,7\n", &[]);
    let alpha = pams.json(&["outlets", "show", "A1"]);
    assert_eq!(
        (alpha["sales_months"].as_str(), alpha["avg_sales"].as_str()),
        (Some("2025-11=100 2025-12=300 2026-01=350"), Some("250"))
    );
    assert_eq!(pams.json(&["outlets", "show", "C3"])["avg_sales"], "7");
    assert_eq!(pams.json(&["outlets", "show", "B2"])["sales_months"], "2025-11=10.5");
    let text = pams.ok(&["outlets", "show", "A1"]);
    assert!(text.contains("2025-11 to 2026-01"), "{text}");
}

#[test]
fn a_part_of_what_nobody_knows_is_refused_in_words() {
    let pams = Pams::new();
    let beats = written(&pams, "beats.csv", "code,beat\nA1,Mon\n");
    let told = pams.fails(3, &["outlets", "import", beats.to_str().unwrap(), "--yes"]);
    assert!(told.contains("MAP-01") || told.contains("name"), "{told}");
    import(&pams, "code,name\nQ1,Quince\n", &[]);
    // Nothing of it is known: nothing changes, and all of it waits.
    let report = import(&pams, "code,beat\nA1,Mon\nA2,Tue\n", &[]);
    assert_eq!((report["quarantined"].as_u64(), report["changed"].as_u64()), (Some(2), Some(0)));
    assert_eq!(stored(&pams).len(), 1);
    // What waits is to be had, once: the same again is the same import.
    let rejects = pams.path().join("rejects.csv");
    let batch = report["batch"].as_str().unwrap();
    pams.ok(&["import", "rejects", batch, "-o", rejects.to_str().unwrap()]);
    let held: Vec<csv::StringRecord> =
        csv::Reader::from_path(&rejects).unwrap().records().map(Result::unwrap).collect();
    assert_eq!(held.iter().map(|r| (&r[0], &r[1])).collect::<Vec<_>>(), [("A1", "Mon"), ("A2", "Tue")]);
    assert_eq!(import(&pams, "code,beat\nA1,Mon\nA2,Tue\n", &[])["batch"], report["batch"]);
    assert_ne!(import(&pams, "code,beat\nA1,Mon\nA3,Tue\n", &[])["batch"], report["batch"]);
    let ran = pams.ok(&[
        "outlets",
        "import",
        written(&pams, "b.csv", "code,beat\nQ1,Mon\n").to_str().unwrap(),
        "--yes",
    ]);
    assert!(ran.contains("1 changed"), "{ran}");
    pams.ok(&["db", "check"]);
}

#[test]
fn the_outlets_around_one_are_found_wherever_their_codes_lie() {
    let mut random = Random::new(11);
    // Codes by place, codes that say nothing of it; both ask the same.
    for by_place in [true, false] {
        let pams = Pams::new();
        let mut rows: Vec<(i64, i64)> = (0..9_000)
            .map(|_| (18_000_000 + random.below(900_000) as i64, 73_000_000 + random.below(900_000) as i64))
            .collect();
        if by_place {
            rows.sort_unstable();
        }
        let mut text = String::from("code,name,latitude,longitude\n");
        let degrees = |n: i64| format!("{}.{:06}", n / 1_000_000, n % 1_000_000);
        for (n, (lat, lon)) in rows.iter().enumerate() {
            text.push_str(&format!("N{n:05},Shop {},{},{}\n", word(n), degrees(*lat), degrees(*lon)));
        }
        import(&pams, &text, &[]);
        // One is moved by a person, to where others are.
        pams.ok(&["outlets", "edit", "N00003", "--set", "latitude=18.45", "--set", "longitude=73.45"]);
        rows[3] = (18_450_000, 73_450_000);
        let km = |a: (i64, i64), b: (i64, i64)| {
            let of = |p: (i64, i64)| (p.0 as i32, p.1 as i32);
            pams::intake::bulk::km(of(a), of(b))
        };
        let around = |rows: &[(i64, i64)], of: usize| {
            let mut expected: Vec<(f64, usize)> =
                (0..rows.len()).filter(|n| *n != of).map(|n| (km(rows[of], rows[n]), n)).collect();
            expected.sort_by(|a, b| a.0.total_cmp(&b.0));
            let found = pams.json(&["outlets", "near", &format!("N{of:05}"), "--limit", "25"]);
            let found: Vec<f64> =
                found["items"].as_array().unwrap().iter().map(|i| i["km"].as_f64().unwrap()).collect();
            assert_eq!(found.len(), 25);
            for (found, (km, _)) in found.iter().zip(&expected) {
                assert!((found - km).abs() < 1e-6, "{by_place} {of}: {found} {km}");
            }
        };
        [3, 17, 4_400, 8_999].into_iter().for_each(|of| around(&rows, of));
        // A part moves some far away, and a file adds others between them.
        let mut text = String::from("code,latitude,longitude\n");
        for n in (40..9_000).step_by(173) {
            rows[n] = (28_000_000 + random.below(90_000) as i64, 77_000_000 + random.below(90_000) as i64);
            text.push_str(&format!("N{n:05},{},{}\n", degrees(rows[n].0), degrees(rows[n].1)));
        }
        import(&pams, &text, &[]);
        [40, 17, 4_400].into_iter().for_each(|of| around(&rows, of));
        let mut text = String::from("code,name,latitude,longitude\n");
        for n in 9_000..9_400 {
            rows.push((28_000_000 + random.below(90_000) as i64, 77_000_000 + random.below(90_000) as i64));
            let (lat, lon) = (degrees(rows[n].0), degrees(rows[n].1));
            text.push_str(&format!("N{n:05},Shop {n} {},{lat},{lon}\n", word(n)));
        }
        import(&pams, &text, &["--append"]);
        [40, 3, 9_100].into_iter().for_each(|of| around(&rows, of));
    }
    let pams = Pams::new();
    import(&pams, "code,name,latitude,longitude\nA,Alpha,,\nB,Beta,18.5,73.5\n", &[]);
    assert!(pams.fails(3, &["outlets", "near", "A"]).contains("no coordinates"));
    assert!(pams.fails(4, &["outlets", "near", "Q"]).contains("no outlet"));
    assert!(pams.json(&["outlets", "near", "B"])["items"].as_array().unwrap().is_empty());
}

#[test]
fn quality_is_told_import_by_import() {
    let pams = Pams::new();
    let file = |without: usize| {
        let territory = |n| if n < without { String::new() } else { format!("T{}", n % 3) };
        let row = |n| format!("C{n},Shop {n} {},Pune,{}\n", word(n), territory(n));
        format!("code,name,city,territory\n{}", (0..40).map(row).collect::<String>())
    };
    for without in [3, 9, 1] {
        import(&pams, &file(without), &[]);
    }
    // What changes nothing is no point of the line.
    import(&pams, "code,beat\nZ1,Mon\n", &[]);
    import(&pams, &file(5), &[]);
    let report = pams.json(&["outlets", "quality"]);
    let rule = report["rules"].as_array().unwrap().iter().find(|r| r["code"] == "TER-01").unwrap();
    assert_eq!((&rule["trend"], &rule["before"]), (&serde_json::json!([3, 9, 1, 5]), &serde_json::json!(1)));
    assert!(pams.ok(&["outlets", "quality"]).contains("▃█▂▅"));
}
