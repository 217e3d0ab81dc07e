//! Outlets by the thousand: files in, what is wrong with them, what is stored, undo.

use crate::program::Pams;
use pams::domain::schema::Kind;
use pams::intake::bulk::codes::Faults;
use pams::intake::bulk::{self, Made, Said, Tally};
use pams::random::Random;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const HEADER: &str = "Outlet Code,Outlet Name,Phone,Address,City,Country,Latitude,Longitude,Channel,Territory,Avg Sales,Created On\n";

fn today() -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
}

/// All that a file comes to.
#[derive(Debug, Default, PartialEq)]
struct Read {
    tally: Tally,
    chunks: Vec<(String, u32, Vec<u8>)>,
    held: Vec<(u32, u64)>,
    marks: BTreeMap<String, Vec<u32>>,
    twins: Vec<(u32, u32)>,
}

fn read(folder: &Path, name: &str, bytes: &[u8]) -> Result<Read, pams::domain::Failure> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    let opened = bulk::open(&path, folder, Kind::Outlet, &Said::default())?;
    opened.complete(false)?;
    let mut read = Read::default();
    let mut emit = |made: Made| {
        match made {
            Made::Chunk { first, rows, bytes } => read.chunks.push((first, rows, bytes)),
            Made::Held(rows) => read.held.extend(rows.iter().map(|h| (h.record, h.faults))),
            Made::Marks { code, rows } => {
                read.marks.entry(code).or_default().extend(rows.iter().map(|(place, _)| *place))
            }
            Made::Piece { name, rows, .. } => {
                assert_eq!((name, rows as usize), (bulk::BOXES, read.chunks.len()))
            }
            Made::Twins(pairs) => read.twins.extend(pairs),
        }
        Ok(())
    };
    let tally = opened.run((today(), 480), &mut emit, &mut |_, _| Ok(()))?;
    read.tally = tally;
    let t = &read.tally;
    assert_eq!(
        t.records,
        t.taken + t.merged + t.held + t.blank + t.headers + t.totals,
        "{name}: every row is somewhere"
    );
    assert_eq!(t.taken, read.chunks.iter().map(|c| u64::from(c.1)).sum::<u64>());
    assert_eq!(t.held as usize, read.held.len());
    Ok(read)
}

/// Codes of the rows in, in order.
fn codes(read: &Read) -> Vec<String> {
    let mut all = Vec::new();
    for (first, rows, bytes) in &read.chunks {
        let chunk = pams::columns::Chunk::read(bytes).unwrap();
        let texts = chunk.texts(1).unwrap();
        assert_eq!((texts.get(0), texts.len()), (first.as_str(), *rows as usize));
        all.extend(texts.iter().map(str::to_owned));
    }
    all
}

struct Made1 {
    lines: Vec<String>,
    truth: BTreeMap<&'static str, BTreeSet<usize>>,
}

/// Outlets in three towns with faults whose rows are known. A duplicate has its twin's place
/// and name; `apart`: its address says another house.
fn outlets(count: usize, seed: u64, apart: bool) -> Made1 {
    let mut random = Random::new(seed);
    let towns = [("Pune", "IN", 18.52, 73.85), ("Recife", "BR", -8.05, -34.9), ("Köln", "DE", 50.94, 6.96)];
    let (mut lines, mut truth) = (Vec::new(), BTreeMap::<&str, BTreeSet<usize>>::new());
    let mut last: Option<[String; 5]> = None;
    for n in 0..count {
        let (town, land, y, x) = towns[n * towns.len() / count];
        let jitter = |r: &mut Random| (r.below(40_000) as f64 - 20_000.0) / 1e6;
        let (mut lat, mut lon) =
            (format!("{:.6}", y + jitter(&mut random)), format!("{:.6}", x + jitter(&mut random)));
        let mut code = format!("K{n:06}");
        let kinds = ["Bakery", "Kiosk", "Market", "Pharmacy", "Corner Shop"];
        let mut name = format!(
            "{} {}",
            ["Anna", "Blue", "Corner", "Delta", "Elm", "Fox"][random.below(6)],
            kinds[random.below(5)]
        );
        let mut address = format!("{} Main Street", n + 1);
        let (mut territory, mut sales) = (format!("T{}", n % 7), format!("{}.50", random.below(9_000)));
        let mut plant = |what: &'static str| truth.entry(what).or_default().insert(n);
        match random.below(100) {
            0 => {
                (lat, lon) = (String::new(), String::new());
                plant("COORD-01");
            }
            1 => {
                (lat, lon) = ("0".into(), "0".into());
                plant("COORD-02");
            }
            2 => {
                std::mem::swap(&mut lat, &mut lon);
                plant("COORD-04");
            }
            3 => {
                lat = "999".into();
                plant("COORD-03");
            }
            4 => {
                name = String::new();
                plant("OUT-05");
            }
            5 => {
                sales = "n/a".into();
                plant("NUM-01");
            }
            6 => {
                territory = String::new();
                plant("TER-01");
            }
            7 | 8 => {
                if let Some([_, n2, la, lo, house]) = &last {
                    (name, lat, lon) = (n2.to_uppercase(), la.clone(), lo.clone());
                    address = if apart { format!("{} Other Way", 10_000 + n) } else { house.clone() };
                    plant("OUT-07");
                }
            }
            9 => {
                if let Some([c, ..]) = &last {
                    code = c.clone();
                    plant("OUT-02");
                }
            }
            _ => {}
        }
        lines.push(format!("{code},{name},,\"{address}, {town}\",{town},{land},{lat},{lon},GT,{territory},{sales},{:02}/03/2024\n", 1 + n % 28));
        // What was planted is not copied by the next row.
        let sound = !truth.values().any(|rows| rows.contains(&n));
        last = sound.then_some([code, name, lat, lon, address]);
    }
    Made1 { lines, truth }
}

#[test]
fn planted_faults_are_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let made = outlets(6_000, 3, true);
    let text = format!("{HEADER}{}", made.lines.concat());
    let read = read(folder.path(), "planted.csv", text.as_bytes()).unwrap();
    for code in ["COORD-01", "COORD-02", "COORD-03", "COORD-04", "OUT-05", "NUM-01", "TER-01", "OUT-02"] {
        assert_eq!(
            read.tally.faults.get(code).copied().unwrap_or(0),
            made.truth[code].len() as u64,
            "{code}"
        );
    }
    assert_eq!(read.tally.held as usize, made.truth["OUT-05"].len() + made.truth["OUT-02"].len());
    // The address says another house: no duplicate. All of them are such.
    let order = codes(&read);
    let line = |place: u32| &made.lines[order[place as usize][1..].parse::<usize>().unwrap()];
    let twins: Vec<_> = read.twins.iter().map(|(a, b)| (line(*a), line(*b))).collect();
    assert!(twins.is_empty(), "{twins:?}");
    let made = outlets(6_000, 3, false);
    let text = format!("{HEADER}{}", made.lines.concat());
    let read = self::read(folder.path(), "twins.csv", text.as_bytes()).unwrap();
    let planted = made.truth["OUT-07"].len();
    assert!(
        read.twins.len() * 1_000 >= planted * 985 && read.twins.len() <= planted * 101 / 100,
        "{} of {planted}",
        read.twins.len()
    );
    let order = codes(&read);
    for (row, first) in &read.twins {
        let (a, b) = (&order[*row as usize], &order[*first as usize]);
        let (a, b): (usize, usize) = (a[1..].parse().unwrap(), b[1..].parse().unwrap());
        assert!(made.truth["OUT-07"].contains(&a) && b < a, "{a} {b}");
    }
}

#[test]
fn the_order_of_a_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = outlets(3_000, 5, false);
    // Of rows under one key the first in the file counts: leave those out here.
    let repeated: BTreeSet<String> =
        made.truth["OUT-02"].iter().map(|n| made.lines[*n].split(',').next().unwrap().to_owned()).collect();
    made.lines.retain(|l| !repeated.contains(l.split(',').next().unwrap()));
    let of = |lines: &[String]| {
        read(folder.path(), "f.csv", format!("{HEADER}{}", lines.concat()).as_bytes()).unwrap()
    };
    let sorted = of(&made.lines);
    let mut random = Random::new(1);
    let mut mixed = made.lines.clone();
    for n in (1..mixed.len()).rev() {
        mixed.swap(n, random.below(n + 1));
    }
    let other = of(&mixed);
    let (sorted, other) = (Read { held: vec![], ..sorted }, Read { held: vec![], ..other });
    assert!(sorted == other, "{:?} {:?}", sorted.tally, other.tally);
    let order = codes(&sorted);
    assert!(order.windows(2).all(|w| w[0] < w[1]));
    // A few rows more share all chunks but one or two.
    let mut more = made.lines.clone();
    more.insert(1_500, "K001500x,New Place,,1 Road,Köln,DE,50.95,6.95,GT,T1,5,01/03/2024\n".into());
    let more = of(&more);
    let before: BTreeSet<&Vec<u8>> = sorted.chunks.iter().map(|c| &c.2).collect();
    let fresh = more.chunks.iter().filter(|c| !before.contains(&c.2)).count();
    assert!(fresh <= 2, "{fresh} of {}", more.chunks.len());
}

#[test]
fn encodings_workbooks_titles_and_footers_are_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let made = outlets(300, 9, false);
    let plain = format!("{HEADER}{}", made.lines.concat());
    let expected = read(folder.path(), "plain.csv", plain.as_bytes()).unwrap();
    let marked = [b"\xef\xbb\xbf".as_slice(), plain.as_bytes()].concat();
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(plain.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let latin: Vec<u8> = plain.chars().map(|c| u8::try_from(c as u32).unwrap()).collect();
    let framed = format!("Outlets of the north\n\n{plain}{HEADER}\n,,,\nTotal,300\n");
    let mut cells = Vec::new();
    let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(plain.as_bytes());
    csv.records().for_each(|r| cells.push(r.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()));
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (y, row) in cells.iter().enumerate() {
        for (x, cell) in row.iter().enumerate() {
            sheet.write_string(y as u32, x as u16, cell).unwrap();
        }
    }
    let semicolons: String = cells.iter().map(|r| r.join(";") + "\n").collect();
    for (name, bytes) in [
        ("marked.csv", marked),
        ("utf16.csv", utf16),
        ("latin.csv", latin),
        ("framed.csv", framed.into_bytes()),
        ("semicolons.csv", semicolons.into_bytes()),
        ("book.xlsx", book.save_to_buffer().unwrap()),
    ] {
        let got = read(folder.path(), name, &bytes).unwrap();
        assert!(got.chunks == expected.chunks, "{name}");
        assert_eq!(got.tally.faults, expected.tally.faults, "{name}");
        if name == "framed.csv" {
            assert_eq!((got.tally.headers, got.tally.totals), (1, 1));
        }
    }
}

#[test]
fn what_is_no_table_of_outlets_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let said = |bytes: &[u8]| read(folder.path(), "x.csv", bytes).map(|r| r.tally).unwrap_err().message;
    assert!(said(b"").contains("is empty"));
    assert!(said(b"\n \n\n").contains("has no rows"));
    assert!(said(b"PK\x03\x04stuff").contains("zip file"));
    assert!(said(b"<!doctype html><html>").contains("web page"));
    assert!(said(b"a,b\n1,2\n").contains("looks like the header"));
    assert!(said(b"code,city\n1,Pune\n").contains("no column was found for: name"));
    let endless = format!("code,name\n1,\"{}", "x".repeat(40 << 20));
    assert!(said(endless.as_bytes()).contains("quote that is never closed"));
    assert!(said(b"code,name\n").contains("has no rows below its header"));
    // A lone quote swallows no row: the one that closes it would open another cell.
    let lone = b"code,name,address\n1,A,x\n2,\"B,y\n3,C,\"Main St, 5\"\n4,D,z\n";
    assert!(said(lone).contains("line 3: a quote that is never closed"));
    let closed = format!("code,name\n1,\"{}\"\n", "x".repeat(40 << 20));
    assert!(said(closed.as_bytes()).contains("more than 32 MB in one row"));
    let wide = format!("code,name{}\n1,A\n", ",".repeat(17_000));
    assert!(said(wide.as_bytes()).contains("columns"));
    // A large cell is held back, not swallowed and not in the way.
    let big = format!("code,name\n1,\"{}\"\n2,B\n", "x".repeat(10 << 20));
    let got = read(folder.path(), "big.csv", big.as_bytes()).unwrap();
    assert_eq!((got.tally.taken, got.tally.held, got.tally.faults["FIL-14"]), (1, 1, 1));
    assert!(Faults(got.held[0].1).holds_back());
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let pipe = bulk::open(&pipe, folder.path(), Kind::Outlet, &Said::default());
    assert!(pipe.err().unwrap().message.contains("is a pipe"));
    let gone = bulk::open(&folder.path().join("none.csv"), folder.path(), Kind::Outlet, &Said::default());
    assert!(gone.err().unwrap().message.contains("There is no file"));
}

/// A quote within a cell is a letter, in whatever system the lines end.
#[test]
fn inches_and_line_ends_of_every_system_lose_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "code,name,city\n".to_owned();
    (0..1_000).for_each(|n| text += &format!("{n:04},TV {n}\" stand,\"Pune, IN\"\n"));
    for (name, end) in [("unix.csv", "\n"), ("windows.csv", "\r\n"), ("old.csv", "\r")] {
        let got = read(folder.path(), name, text.replace('\n', end).as_bytes()).unwrap();
        assert_eq!((got.tally.records, got.tally.taken, codes(&got).len()), (1_000, 1_000, 1_000), "{name}");
        let chunk = pams::columns::Chunk::read(&got.chunks[0].2).unwrap();
        assert_eq!(chunk.texts(2).unwrap().get(7), "TV 7\" stand", "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The fast reader and the careful one cut any table into the same cells.
    #[test]
    fn both_readers_of_csv_agree(rows in prop::collection::vec(prop::collection::vec("[a-z,;\"\n é]{0,6}", 3..5), 1..30)) {
        let mut text = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        text.write_record(["code", "name", "city"]).unwrap();
        rows.iter().for_each(|r| text.write_record(r).unwrap());
        let bytes = text.into_inner().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        std::fs::write(&path, &bytes).unwrap();
        let source = bulk::source::open(&path, folder.path(), &Default::default()).unwrap();
        prop_assume!(source.delimiter == b',');
        let mut fast: Vec<Vec<Vec<u8>>> = Vec::new();
        let mut ends = 0;
        source.records(&mut |from, to, cells| {
            assert!(from == ends && to > from);
            ends = to;
            fast.push(cells.iter().map(<[u8]>::to_vec).collect());
            Ok(true)
        }).unwrap();
        let mut careful = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
        let careful: Vec<Vec<Vec<u8>>> = careful.byte_records().map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
        prop_assert_eq!(fast, careful);
    }

    /// No file makes it panic, and every row is somewhere.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), headed in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = if headed { [b"code,name,latitude,longitude,created on\n".as_slice(), &bytes].concat() } else { bytes };
        let _ = read(folder.path(), "any.csv", &bytes);
    }
}

// ---- the command ---------------------------------------------------------------------------

fn written(pams: &Pams, name: &str, text: &str) -> PathBuf {
    let path = pams.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_file_of_outlets_is_one_change_and_one_undo() {
    let pams = Pams::new();
    let made = outlets(5_000, 21, false);
    let file = written(&pams, "outlets.csv", &format!("{HEADER}{}", made.lines.concat()));
    let file = file.to_str().unwrap();
    let report = pams.partly(&["outlets", "import", file, "--yes"]);
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("rows"), 5_000);
    assert_eq!(count("rows"), count("imported") + count("merged") + count("quarantined") + count("skipped"));
    assert_eq!(count("quarantined") as usize, made.truth["OUT-02"].len() + made.truth["OUT-05"].len());
    let total = |pams: &Pams| pams.json(&["outlets", "list", "--limit", "1"])["total"].as_u64().unwrap();
    assert_eq!(total(&pams), count("imported"));
    // The same file again changes nothing.
    let again = pams.partly(&["outlets", "import", file, "--yes"]);
    assert_eq!(
        (again["same"].as_u64(), again["batch"].as_str()),
        (Some(count("imported")), report["batch"].as_str())
    );
    // Another version: one row changed, one gone, one new.
    let mut lines: Vec<String> = made.lines.clone();
    let sound: Vec<usize> =
        (0..lines.len()).filter(|n| !made.truth.values().any(|t| t.contains(n))).collect();
    lines[sound[10]] = lines[sound[10]].replace(",GT,", ",MT,");
    lines[sound[20]] = "Z9,Added Later,,1 Road,Pune,IN,18.5,73.8,GT,T1,5,01/03/2024\n".into();
    let file = written(&pams, "again.csv", &format!("{HEADER}{}", lines.concat()));
    let report = pams.partly(&["outlets", "import", file.to_str().unwrap(), "--yes"]);
    let counts = ["added", "changed", "removed"].map(|n| report[n].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!(pams.json(&["outlets", "show", "Z9"])["name"], "Added Later");
    pams.ok(&["undo"]);
    assert!(pams.fails(4, &["outlets", "show", "Z9"]).contains("There is no outlet"));
    pams.ok(&["redo"]);
    pams.ok(&["outlets", "show", "Z9"]);
    // What became of a row: each import that changed it, and what people changed of it.
    let code = lines[sound[10]].split(',').next().unwrap();
    pams.ok(&["outlets", "edit", code, "--set", "class=B"]);
    pams.ok(&["undo"]);
    let told = pams.json(&["outlets", "history", code]);
    let steps: Vec<(&str, &Value)> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["what"].as_str().unwrap(), &s["fields"]))
        .collect();
    let whats: Vec<&str> = steps.iter().map(|(what, _)| *what).collect();
    let all = [
        "undo",
        "edit",
        "import brought back",
        "import taken back",
        "import of again.csv",
        "import of outlets.csv",
    ];
    assert_eq!(whats, all);
    assert_eq!(steps[1].1, &json!([["class", "", "B"]]));
    assert_eq!(steps[4].1, &json!([["channel", "GT", "MT"]]));
    assert_eq!(steps[3].1, &json!([["channel", "MT", "GT"]]));
    assert_eq!(steps[5].1[0][0], "outlet");
    assert!(pams.ok(&["outlets", "history", code, "--limit", "2"]).contains("class: (none) > B"));
    let whats = |code: &str| pams.json(&["outlets", "history", code])["items"].as_array().unwrap().len();
    assert_eq!([whats("Z9"), whats(lines[sound[11]].split(',').next().unwrap())], [3, 1]);
    assert!(pams.fails(4, &["outlets", "history", "no such"]).contains("There is no outlet"));
    // What a rule points at, and words.
    let swapped = pams.json(&["outlets", "list", "--rule", "COORD-04", "--limit", "500"]);
    assert_eq!(swapped["items"].as_array().unwrap().len(), made.truth["COORD-04"].len());
    let hits = pams.json(&["outlets", "list", "--filter", "city:koln added"]);
    assert!(hits["items"].as_array().unwrap().is_empty());
    let hits = pams.json(&["outlets", "list", "--filter", "added pune"]);
    assert_eq!(hits["items"][0]["code"], "Z9");
    // Out again, and in as it was.
    let out = pams.path().join("out.csv");
    pams.ok(&["outlets", "export", "-o", out.to_str().unwrap()]);
    let report = pams.json(&["outlets", "import", out.to_str().unwrap(), "--yes"]);
    assert_eq!((report["removed"].as_u64(), report["added"].as_u64()), (Some(0), Some(0)));
    assert!(pams.ok(&["db", "check"]).contains("sound") || !pams.ok(&["db", "check"]).is_empty());
}

#[test]
fn a_column_that_is_no_field_narrows_orders_and_is_summed_up() {
    let pams = Pams::new();
    let mut text = String::from("code,name,Fridge Colour,Shelf Type: main\n");
    for n in 0..30 {
        let shelf = if n % 3 == 0 { "oak wood" } else { "steel" };
        text += &format!("C{n:02},Shop {n},{},{shelf}\n", ["Frost", "Polar", ""][n % 3]);
    }
    pams.ok(&["outlets", "import", written(&pams, "own.csv", &text).to_str().unwrap(), "--yes"]);
    let codes = |args: &[&str]| -> Vec<String> {
        let page = pams.json(&[&["outlets", "list", "--limit", "50"], args].concat());
        page["items"].as_array().unwrap().iter().map(|i| i["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes(&["--filter", "fridgecolour:pol"]).len(), 10);
    assert_eq!(codes(&["--filter", "fridge_colour= -code:C02"]).len(), 9);
    assert_eq!(codes(&["--filter", "\"shelf type main=oak wood\""])[1], "C03");
    assert_eq!(codes(&["--sort", "Fridge Colour", "--descending"])[0], "C01");
    let sums = pams.json(&["outlets", "sum", "Shelf Type: main"]);
    assert_eq!(sums["values"], json!([["steel", 20], ["oak wood", 10]]));
    let told = pams.fails(2, &["outlets", "list", "--filter", "colour:red"]);
    assert!(told.contains("Fridge Colour"), "{told}");
}

#[test]
fn one_bad_file_does_not_stop_the_others_and_columns_are_said() {
    let pams = Pams::new();
    let bad = written(&pams, "bad.csv", "");
    let odd = written(&pams, "odd.csv", "Kennung;Wie es heißt\n1;Alpha\n2;Beta\n");
    let told = pams.fails(
        3,
        &[
            "outlets",
            "import",
            bad.to_str().unwrap(),
            odd.to_str().unwrap(),
            "--yes",
            "--column",
            "code=Kennung",
            "--column",
            "name=Wie es heißt",
        ],
    );
    assert!(told.contains("is empty"), "{told}");
    assert_eq!(pams.json(&["outlets", "show", "2"])["name"], "Beta");
    // As JSON each file has its object, the refused one too.
    let files = [bad.to_str().unwrap(), odd.to_str().unwrap()];
    let told = pams.run(&[&["outlets", "import"], &files[..], &["--yes", "--json"]].concat()).out;
    assert!(told.contains("\"error\"") && told.contains("bad.csv") && told.contains("FIL-01"), "{told}");
    assert!(
        pams.fails(4, &["outlets", "import", odd.to_str().unwrap(), "--column", "code=Nix"])
            .contains("no column \"Nix\"")
    );
    // What a mapping says goes out, is changed by a person, and comes in again.
    let map = pams.json(&["import", "map", odd.to_str().unwrap(), "--column", "code=Kennung"]);
    assert_eq!(map["columns"].as_array().unwrap().len(), 2);
    let mapping = map.to_string().replace(r#""field":"""#, r#""field":"name""#);
    let mapping = written(&pams, "mapping.json", &mapping);
    let told = ["--mapping", mapping.to_str().unwrap(), "--yes"];
    let report = pams.json(&[&["outlets", "import", odd.to_str().unwrap()][..], &told].concat());
    assert_eq!((report["rows"].as_u64(), report["same"].as_u64()), (Some(2), Some(2)), "{report}");
    let none = ["outlets", "import", odd.to_str().unwrap(), "--mapping", bad.to_str().unwrap()];
    assert!(pams.fails(3, &none).contains("is no mapping"));
}

/// How a text is written is said at its start, or to a review of it, also of one that could not
/// be read.
#[test]
fn a_dialect_is_said_where_it_is_guessed_wrong() {
    let pams = Pams::new();
    // Caret, single quotes with a delimiter and a double one within.
    let odd = written(&pams, "odd.csv", "code^name\n1^'Shop ^ \"A\"'\n2^'O''Neil'\n");
    let odd = odd.to_str().unwrap();
    pams.fails(3, &["outlets", "import", odd, "--yes"]);
    assert!(pams.fails(2, &["outlets", "import", odd, "--dialect", "latin-99"]).contains("latin-99"));
    let map = pams.json(&["import", "map", odd, "--dialect", "^ '"]);
    assert_eq!(map["dialect"], "csv, utf-8, ^, '");
    pams.ok(&["outlets", "import", odd, "--yes", "--dialect", "^ '"]);
    assert_eq!(pams.json(&["outlets", "show", "1"])["name"], "Shop ^ \"A\"");
    assert_eq!(pams.json(&["outlets", "show", "2"])["name"], "O'Neil");
    // Code page 850 looks like Windows-1252: a person says it to the review, and takes it back.
    let dos = pams.path().join("dos.csv");
    std::fs::write(&dos, b"code;name;city\n3;M\x81ller;Pune\n4;K\x94nig;Pune\n").unwrap();
    let dos = dos.to_str().unwrap();
    pams.ok(&["outlets", "import", dos, "--append", "--review"]);
    let id = pams.json(&["import", "list"])["items"][0]["id"].as_str().unwrap().to_owned();
    let said = pams.json(&["import", "answer", &id, "--dialect", "ibm866 ;"]);
    assert_eq!(said["report"]["dialect"], "csv, ibm866, ;", "{said}");
    let back = pams.json(&["import", "answer", &id, "--undo"]);
    assert_ne!(back["report"]["dialect"], "csv, ibm866, ;", "{back}");
    pams.ok(&["import", "drop", &id]);
    // A quote that is a letter is why it cannot be read.
    let lone = written(&pams, "lone.csv", "code,name\n5,\"Big Shop\n6,Small\n");
    let lone = lone.to_str().unwrap();
    assert!(pams.fails(3, &["outlets", "import", lone, "--append", "--yes"]).contains("never closed"));
    pams.ok(&["outlets", "import", lone, "--append", "--yes", "--dialect", "none"]);
    assert_eq!(pams.json(&["outlets", "show", "5"])["name"], "\"Big Shop");
}

/// A cell of megabytes is nothing that a review or an answer carries along.
#[test]
fn a_huge_cell_waits_and_a_review_keeps_its_name() {
    let pams = Pams::new();
    let big = format!("code,name,city\n1,\"{}\",Pune\n2,B,Pune\n", "x".repeat(3 << 20));
    let file = written(&pams, "big.csv", &big);
    pams.ok(&["outlets", "import", file.to_str().unwrap(), "--review"]);
    let open = pams.json(&["import", "list"]);
    let id = open["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(pams.partly(&["import", "commit", &id, "--yes"])["quarantined"], 1);
    let out = pams.path().join("rejects.csv");
    pams.ok(&["import", "rejects", &id, "-o", out.to_str().unwrap()]);
    assert!(std::fs::metadata(&out).unwrap().len() > 1_000);
    let told = pams.fails(3, &["distributors", "import", file.to_str().unwrap(), "--yes"]);
    assert!(told.contains("row 2: more than 512 KB"), "{told}");
}

/// What can be said of outlets' columns can be said of other files, several at a time.
#[test]
fn files_of_records_take_columns_by_name_and_are_gone_on_with() {
    let pams = Pams::new();
    let path = |name: &str, text: &str| written(&pams, name, text).to_str().unwrap().to_owned();
    let codes = |pams: &Pams| -> Vec<String> {
        let listed = pams.json(&["distributors", "list"]);
        let items = listed["items"].as_array().unwrap().iter();
        let mut codes: Vec<String> =
            items.map(|i| i["external_id"].as_str().unwrap_or_default().to_owned()).collect();
        codes.sort();
        codes
    };
    let one = path("one.csv", "Nr;Bezeichnung;Ort\nD1;Kumar Agencies;Pune\n");
    let bad = path("bad.csv", "foo;bar\n1;2\n");
    let two = path("two.csv", "Nr;Bezeichnung;Ort\nD2;Rao Traders;Delhi\n");
    let said = ["--column", "external_id=Nr", "--column", "name=bezeichnung", "--yes"];
    let told = pams.fails(4, &[&["distributors", "import", &one, &bad, &two][..], &said].concat());
    assert!(told.contains("There is no column \"Nr\""), "{told}");
    assert_eq!(codes(&pams), ["D1", "D2"]);
    assert_eq!(pams.json(&["import", "list"])["items"].as_array().unwrap().len(), 0);

    // The header stands in another row, and the delimiter looks like another.
    let odd = path("odd.csv", "list, of, dealers\nNr|Bezeichnung, alt\nD3|Das, Stores\n");
    let said = [&said[..4], &["--dialect", "utf-8 | none", "--header-row", "2", "--review"]].concat();
    let said: Vec<&str> =
        said.iter().map(|s| if *s == "name=bezeichnung" { "name=Bezeichnung, alt" } else { s }).collect();
    pams.ok(&[&["distributors", "import", &odd][..], &said].concat());
    let id = pams.json(&["import", "list"])["items"][0]["id"].as_str().unwrap().to_owned();
    pams.ok(&["distributors", "import", "--resume", &id, "--yes"]);
    assert_eq!(codes(&pams), ["D1", "D2", "D3"]);
    assert!(pams.fails(2, &["distributors", "import"]).contains("Which file?"));
}
