//! Workbooks as streams: what our scanner reads is what the library reads.

use pams::domain::text::clean;
use pams::intake::{open, xlsx};
use pams::random::Random;
use rust_xlsxwriter::{Format, Formula, Workbook};
use std::io::Write;
use std::path::Path;

type Rows = Vec<Vec<String>>;

/// Rows that hold something, without the empty cells behind their last one.
fn filled(rows: impl Iterator<Item = Vec<String>>) -> Rows {
    let cut = |mut row: Vec<String>| {
        row.truncate(row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1));
        row
    };
    rows.map(cut).filter(|row| !row.is_empty()).collect()
}

fn streamed(path: &Path) -> Result<Rows, pams::domain::Failure> {
    let mut rows = Vec::new();
    xlsx::stream("book.xlsx", path, &mut |cells| {
        rows.push(cells.iter().map(|cell| clean(std::str::from_utf8(cell).unwrap())).collect::<Vec<_>>());
        Ok(())
    })?;
    Ok(filled(rows.into_iter()))
}

fn whole(bytes: &[u8]) -> Result<Rows, pams::domain::Failure> {
    let opened = open::open("book.xlsx", bytes, &Default::default())?;
    let shown = opened.sheets.iter().find(|s| !s.hidden && !s.rows.is_empty());
    let rows = shown.map_or(&[][..], |s| &s.rows).iter();
    Ok(filled(rows.map(|row| row.iter().map(open::Cell::text).collect())))
}

/// A sheet of everything that cells hold, with rows and cells left out.
fn book(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut book = Workbook::new();
    if random.one_in(3) {
        book.add_worksheet();
    }
    if random.one_in(3) {
        book.add_worksheet().set_hidden(true).write_string(0, 0, "hidden").unwrap();
    }
    let formats = ["yyyy-mm-dd", "dd/mm/yyyy hh:mm", "0.00", "#,##0 \"days\"", "[h]:mm:ss", "@", "[Red]0;d"];
    let formats = formats.map(|f| Format::new().set_num_format(f));
    let sheet = book.add_worksheet();
    let mut row = 0u32;
    for _ in 0..1 + random.below(40) {
        row += 1 + if random.one_in(6) { random.below(30) as u32 } else { 0 };
        for column in 0..1 + random.below(30) as u16 {
            let number =
                (random.below(2_000_000) as f64 - 500_000.0) / [1.0, 10.0, 1_000.0, 7.0][random.below(4)];
            match random.below(10) {
                0 | 1 => drop(sheet.write_string(
                    row,
                    column,
                    ["Anna & Söhne", "<b>", "店\n2", "  x ", "a_x0041_b", "=1+1"][random.below(6)],
                )),
                2 | 3 => drop(sheet.write_number(row, column, number)),
                4 => drop(sheet.write_number_with_format(
                    row,
                    column,
                    number.abs() / 20.0,
                    &formats[random.below(7)],
                )),
                5 => drop(sheet.write_boolean(row, column, random.one_in(2))),
                6 => drop(sheet.write_formula(
                    row,
                    column,
                    Formula::new("=A1&\"x\"").set_result(["12", "a&b", "#N/A"][random.below(3)]),
                )),
                7 => drop(sheet.write_number(
                    row,
                    column,
                    [1e16, 1.5e-7, 0.1 + 0.2, -0.0, 123456789012345680.0][random.below(5)],
                )),
                8 => drop(sheet.write_blank(row, column, &formats[0])),
                _ => {}
            }
        }
    }
    sheet.write_string(row + 1, 0, "last").unwrap();
    book.save_to_buffer().unwrap()
}

#[test]
fn both_readers_of_workbooks_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.xlsx");
    for seed in 0..60 {
        let bytes = book(seed);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(streamed(&path).unwrap(), whole(&bytes).unwrap(), "seed {seed}");
    }
}

#[test]
fn workbooks_of_other_programs_are_read_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/formats/calamine");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: ../shared/data/formats is not there");
        return;
    };
    let mut alike = 0;
    for path in entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "xlsx")) {
        let bytes = std::fs::read(&path).unwrap();
        match (streamed(&path), whole(&bytes)) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "{}", path.display());
                alike += 1;
            }
            (ours, theirs) => {
                assert!(ours.is_err() && theirs.is_err(), "{}: {ours:?} {theirs:?}", path.display())
            }
        }
    }
    assert!(alike >= 15, "{alike}");
}

#[test]
fn damaged_workbooks_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.xlsx");
    let bytes = book(7);
    let mut random = Random::new(3);
    let mut refused = 0;
    for _ in 0..300 {
        let mut broken = bytes.clone();
        match random.below(3) {
            0 => broken.truncate(random.below(broken.len())),
            1 => (0..20)
                .for_each(|_| *broken.get_mut(random.below(bytes.len())).unwrap() ^= 1 << random.below(8)),
            _ => drop(broken.drain(random.below(bytes.len() / 2)..bytes.len() / 2)),
        }
        std::fs::write(&path, &broken).unwrap();
        if let Err(failure) = streamed(&path) {
            assert!(failure.message.contains("book.xlsx"), "{failure:?}");
            refused += 1;
        }
    }
    assert!(refused > 200, "{refused}");
}

/// Tags and texts that writers may use and ours do not, by hand.
#[test]
fn sheets_are_read_by_their_meaning_not_by_their_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.xlsx");
    let sheet = "<?xml version='1.0'?><x:worksheet xmlns:x=\"m\"><x:sheetData><x:row>\
        <x:c t='inlineStr'><x:is><x:r><x:t>two </x:t></x:r><x:r><x:t>runs</x:t></x:r><x:rPh sb='0' eb='1'><x:t>spoken</x:t></x:rPh></x:is></x:c>\
        <x:c><x:v>007</x:v></x:c><x:c t=\"b\"><x:v>1</x:v></x:c><x:c r=\"F1\" t=\"str\"><x:f>A1>B1</x:f><x:v/></x:c>\
        <x:c><x:f a=\"x>y\">1+1</x:f></x:c><x:c s='1'><x:v>44000</x:v></x:c><x:c t=\"d\"><x:v>2026-02-12T00:00:00</x:v></x:c></x:row>\
        <x:row r='4' ><x:c r='B4' t='e'><x:v>#N/A</x:v></x:c><x:c r='C4' /></x:row></x:sheetData></x:worksheet>";
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, text) in [
        ("[Content_Types].xml", "<Types/>"),
        (
            "_rels/.rels",
            "<Relationships><Relationship Id='a' Type='http://x/officeDocument' Target='/XL/book.xml'/></Relationships>",
        ),
        (
            "xl/book.xml",
            "<workbook><workbookPr date1904='1'/><sheets><sheet name='S' r:id='b'/></sheets></workbook>",
        ),
        (
            "xl/_rels/book.xml.rels",
            "<Relationships><Relationship Id='b' Type='http://x/worksheet' Target='s\\one.xml'/><Relationship Id='c' Type='http://x/styles' Target='styles.xml'/></Relationships>",
        ),
        ("xl/s/one.xml", sheet),
        (
            "xl/styles.xml",
            "<styleSheet><cellStyleXfs><xf numFmtId='14'/></cellStyleXfs><cellXfs><xf numFmtId='0'/><xf numFmtId='14'/></cellXfs></styleSheet>",
        ),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let rows = streamed(&path).unwrap();
    let first = ["two runs", "7", "true", "", "", "", open::UNREAD_FORMULA, "2024-06-19", "2026-02-12"];
    assert_eq!(rows, [first.map(str::to_owned).to_vec(), vec![String::new(), "#N/A".into()]]);
}

/// A workbook whose last part begins with some text, to be written on.
fn begun(path: &Path, part: &str, text: &str) -> zip::ZipWriter<std::fs::File> {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in [
        ("[Content_Types].xml", "<Types/>"),
        ("xl/workbook.xml", "<workbook><sheets><sheet name='S' r:id='b'/></sheets></workbook>"),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id='b' Type='http://x/worksheet' Target='sheet.xml'/>\
             <Relationship Id='t' Type='http://x/sharedStrings' Target='texts.xml'/></Relationships>",
        ),
        ("xl/texts.xml", "<sst/>"),
        (part, text),
    ]
    .into_iter()
    .filter(|(name, text)| *name != part || *text != "<sst/>")
    {
        zip.start_file(name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip
}

/// Texts beyond what can be kept are refused before they fill the memory, by both readers.
#[test]
fn a_workbook_of_too_many_texts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.xlsx");
    let mut zip = begun(&path, "xl/sharedStrings.xml", "<sst>");
    let texts = format!("<si><t>{}</t></si>", "a".repeat(4_000)).repeat(250);
    (0..140).for_each(|_| zip.write_all(texts.as_bytes()).unwrap());
    zip.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() < 1 << 20);
    let failure = open::open("texts.xlsx", &bytes, &Default::default()).unwrap_err();
    assert!(failure.message.contains("unfolds"), "{failure:?}");
    let path = folder.path().join("more.xlsx");
    let mut zip = begun(&path, "xl/texts.xml", "<sst>");
    (0..410).for_each(|_| zip.write_all(texts.as_bytes()).unwrap());
    zip.finish().unwrap();
    let failure = xlsx::stream("more.xlsx", &path, &mut |_| Ok(())).unwrap_err();
    assert!(failure.message.contains("unfolds"), "{failure:?}");
}

/// A workbook that unfolds to a thousand times its size is told, and fills no disk.
#[test]
fn a_workbook_made_to_fill_a_disk_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.xlsx");
    let mut zip = begun(&path, "xl/sheet.xml", "<worksheet><sheetData>");
    let row = format!("<row><c t='inlineStr'><is><t>{}</t></is></c></row>", "a".repeat(4_000));
    let rows = row.repeat(250);
    (0..1_200).for_each(|_| zip.write_all(rows.as_bytes()).unwrap());
    zip.finish().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 6 << 20);
    let mut seen = 0u64;
    let failure = xlsx::stream("bomb.xlsx", &path, &mut |_| {
        seen += 1;
        Ok(())
    })
    .unwrap_err();
    assert!(failure.message.contains("unfolds"), "{failure:?}");
    assert!(seen < 300_000);
}
