//! Writers of the workbook formats that no well-kept crate writes: just enough of each
//! for tables of texts, numbers and dates. ODF 1.3; MS-XLSB; MS-XLS (BIFF8) in MS-CFB.

use std::io::{Cursor, Write};

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Written {
    #[default]
    Blank,
    Text(String),
    Number(f64),
    Date(chrono::NaiveDate),
}

pub struct Sheet {
    pub name: String,
    pub hidden: bool,
    pub rows: Vec<Vec<Written>>,
}

/// Days since the 30th of December 1899.
pub fn serial(day: chrono::NaiveDate) -> i64 {
    (day - chrono::NaiveDate::from_ymd_opt(1899, 12, 30).unwrap()).num_days()
}

/// The day as a workbook counts it: from 1900 or from 1904.
pub fn day_number(day: chrono::NaiveDate, since_1904: bool) -> f64 {
    (serial(day) - if since_1904 { 1_462 } else { 0 }) as f64
}

fn zipped(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        // ODF 1.3, part 2, 3.3: the type stands first and plain.
        let method = match *name {
            "mimetype" => zip::CompressionMethod::Stored,
            _ => zip::CompressionMethod::Deflated,
        };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An OpenDocument spreadsheet; its dates are texts in the file, of any epoch.
pub fn ods(sheets: &[Sheet]) -> Vec<u8> {
    let mut tables = String::new();
    for sheet in sheets {
        let hidden = if sheet.hidden { " table:style-name=\"ta2\"" } else { "" };
        tables += &format!("<table:table table:name=\"{}\"{hidden}>", escaped(&sheet.name));
        for row in &sheet.rows {
            tables += "<table:table-row>";
            for cell in row {
                tables += &match cell {
                    Written::Blank => "<table:table-cell/>".to_owned(),
                    Written::Text(text) => format!(
                        "<table:table-cell office:value-type=\"string\"><text:p>{}</text:p></table:table-cell>",
                        escaped(text)
                    ),
                    Written::Number(n) => format!(
                        "<table:table-cell office:value-type=\"float\" office:value=\"{n}\"><text:p>{n}</text:p></table:table-cell>"
                    ),
                    Written::Date(day) => format!(
                        "<table:table-cell office:value-type=\"date\" office:date-value=\"{day}\"><text:p>{day}</text:p></table:table-cell>"
                    ),
                };
            }
            tables +=
                if row.is_empty() { "<table:table-cell/></table:table-row>" } else { "</table:table-row>" };
        }
        tables += "</table:table>";
    }
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-content \
         xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
         xmlns:style=\"urn:oasis:names:tc:opendocument:xmlns:style:1.0\" \
         xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
         xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\"><office:automatic-styles>\
         <style:style style:name=\"ta2\" style:family=\"table\">\
         <style:table-properties table:display=\"false\"/></style:style></office:automatic-styles>\
         <office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>\
         </office:document-content>"
    );
    let kind = "application/vnd.oasis.opendocument.spreadsheet";
    let manifest = format!(
        "<?xml version=\"1.0\"?><manifest:manifest \
         xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\">\
         <manifest:file-entry manifest:full-path=\"/\" manifest:media-type=\"{kind}\"/>\
         </manifest:manifest>"
    );
    zipped(&[
        ("mimetype", kind.into()),
        ("content.xml", content.into_bytes()),
        ("META-INF/manifest.xml", manifest.into_bytes()),
    ])
}

/// A record of MS-XLSB 2.1.4: type and length, seven bits a byte.
fn brt(out: &mut Vec<u8>, kind: u16, data: &[u8]) {
    let mut bits = |mut n: usize| {
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    };
    bits(kind.into());
    bits(data.len());
    out.extend(data);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn wide(text: &str) -> Vec<u8> {
    let units = utf16(text);
    [&(units.len() as u32 / 2).to_le_bytes()[..], &units].concat()
}

/// A binary workbook; cells have style 1 when they are dates.
pub fn xlsb(sheets: &[Sheet], since_1904: bool) -> Vec<u8> {
    let (mut book, mut rels, mut parts) = (Vec::new(), String::new(), Vec::new());
    brt(&mut book, 0x83, &[]);
    brt(&mut book, 0x99, &[u32::from(since_1904).to_le_bytes(), [0; 4], [0; 4]].concat());
    brt(&mut book, 0x8f, &[]);
    for (n, sheet) in sheets.iter().enumerate() {
        let (state, tab) = (u32::from(sheet.hidden).to_le_bytes(), (n as u32 + 1).to_le_bytes());
        let relation = format!("rId{}", n + 1);
        brt(&mut book, 0x9c, &[&state[..], &tab, &wide(&relation), &wide(&sheet.name)].concat());
        rels += &format!(
            "<Relationship Id=\"{relation}\" Target=\"worksheets/sheet{}.bin\" \
             Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\"/>",
            n + 1
        );
        let mut bin = Vec::new();
        brt(&mut bin, 0x81, &[]);
        let width = sheet.rows.iter().map(Vec::len).max().unwrap_or(0).max(1) as u32;
        let ends = [0, sheet.rows.len().max(1) as u32 - 1, 0, width - 1];
        brt(&mut bin, 0x94, &ends.map(u32::to_le_bytes).concat());
        brt(&mut bin, 0x91, &[]);
        for (r, row) in sheet.rows.iter().enumerate() {
            brt(&mut bin, 0x00, &[(r as u32).to_le_bytes().to_vec(), vec![0; 13]].concat());
            for (c, cell) in row.iter().enumerate() {
                let at = |style: u32| [(c as u32).to_le_bytes(), style.to_le_bytes()].concat();
                match cell {
                    Written::Blank => {}
                    Written::Text(text) => brt(&mut bin, 0x06, &[at(0), wide(text)].concat()),
                    Written::Number(n) => brt(&mut bin, 0x05, &[at(0), n.to_le_bytes().into()].concat()),
                    Written::Date(day) => {
                        let days = day_number(*day, since_1904).to_le_bytes().to_vec();
                        brt(&mut bin, 0x05, &[at(1), days].concat());
                    }
                }
            }
        }
        brt(&mut bin, 0x92, &[]);
        brt(&mut bin, 0x82, &[]);
        parts.push((format!("xl/worksheets/sheet{}.bin", n + 1), bin));
    }
    brt(&mut book, 0x90, &[]);
    brt(&mut book, 0x84, &[]);
    let mut styles = Vec::new();
    brt(&mut styles, 0x269, &2u32.to_le_bytes());
    for format in [0u16, 14] {
        brt(&mut styles, 0x2f, &[&[0, 0][..], &format.to_le_bytes(), &[0; 12]].concat());
    }
    let rels = format!(
        "<?xml version=\"1.0\"?><Relationships \
         xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{rels}</Relationships>"
    );
    let types = "<?xml version=\"1.0\"?><Types \
                 xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
                 <Default Extension=\"bin\" \
                 ContentType=\"application/vnd.ms-excel.sheet.binary.macroEnabled.main\"/></Types>";
    let mut all = vec![
        ("[Content_Types].xml", types.into()),
        ("xl/workbook.bin", book),
        ("xl/_rels/workbook.bin.rels", rels.into_bytes()),
        ("xl/styles.bin", styles),
    ];
    all.extend(parts.iter().map(|(name, bin)| (name.as_str(), bin.clone())));
    zipped(&all)
}

/// A record of MS-XLS 2.1.4.
fn biff(out: &mut Vec<u8>, kind: u16, data: &[u8]) {
    out.extend(kind.to_le_bytes());
    out.extend((data.len() as u16).to_le_bytes());
    out.extend(data);
}

/// A BIFF8 workbook; cells have format 1 when they are dates.
pub fn xls(sheets: &[Sheet], since_1904: bool) -> Vec<u8> {
    let begin = |kind: u8| [0, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut globals = Vec::new();
    biff(&mut globals, 0x809, &begin(5));
    biff(&mut globals, 0x42, &1200u16.to_le_bytes());
    biff(&mut globals, 0x22, &u16::from(since_1904).to_le_bytes());
    for format in [0u16, 14] {
        biff(&mut globals, 0xe0, &[&[0, 0][..], &format.to_le_bytes(), &[0; 16]].concat());
    }
    let names: Vec<Vec<u8>> = sheets.iter().map(|s| utf16(&s.name)).collect();
    let records: usize = names.iter().map(|n| 4 + 8 + n.len()).sum();
    let mut at = globals.len() + records + 4;
    let mut bodies = Vec::new();
    for (sheet, name) in sheets.iter().zip(&names) {
        let (place, hidden) = ((at as u32).to_le_bytes(), u8::from(sheet.hidden));
        let head = [&place[..], &[hidden, 0, (name.len() / 2) as u8, 1], name].concat();
        biff(&mut globals, 0x85, &head);
        let mut body = Vec::new();
        biff(&mut body, 0x809, &begin(0x10));
        for (r, row) in sheet.rows.iter().enumerate() {
            for (c, cell) in row.iter().enumerate() {
                let at = |format: u16| [r as u16, c as u16, format].map(u16::to_le_bytes).concat();
                let number = |format: u16, n: f64| [at(format), n.to_le_bytes().to_vec()].concat();
                match cell {
                    Written::Blank => {}
                    Written::Text(text) => {
                        let units = utf16(text);
                        let length = (units.len() as u16 / 2).to_le_bytes().to_vec();
                        biff(&mut body, 0x204, &[at(0), length, vec![1], units].concat());
                    }
                    Written::Number(n) => biff(&mut body, 0x203, &number(0, *n)),
                    Written::Date(day) => {
                        biff(&mut body, 0x203, &number(1, day_number(*day, since_1904)));
                    }
                }
            }
        }
        biff(&mut body, 0x0a, &[]);
        at += body.len();
        bodies.extend(body);
    }
    biff(&mut globals, 0x0a, &[]);
    globals.extend(bodies);
    compound(&globals)
}

/// A compound file of version 3 with one stream, "Workbook": its sectors, then the
/// directory, then the table of sectors.
fn compound(stream: &[u8]) -> Vec<u8> {
    const SECTOR: usize = 512;
    const END: u32 = 0xffff_fffe;
    const FREE: u32 = 0xffff_ffff;
    const TABLE: u32 = 0xffff_fffd;
    // A shorter one would stand in the mini stream.
    let length = stream.len().max(4096);
    let sectors = length.div_ceil(SECTOR);
    let tables = (sectors + 1).div_ceil(SECTOR / 4 - 1);
    let mut table: Vec<u32> = (1..sectors as u32).collect();
    table.extend([END, END]);
    table.extend(vec![TABLE; tables]);
    table.resize(tables * SECTOR / 4, FREE);
    let mut out = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
    out.resize(24, 0);
    out.extend([0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    out.resize(44, 0);
    let directory = sectors as u32;
    let head = [tables as u32, directory, 0, 4096, END, 0, END, 0];
    out.extend(head.iter().flat_map(|n| n.to_le_bytes()));
    let list = (0..109).map(|n| if n < tables { directory + 1 + n as u32 } else { FREE });
    out.extend(list.flat_map(u32::to_le_bytes));
    out.extend(stream);
    out.resize(SECTOR + sectors * SECTOR, 0);
    for (name, kind, child, start, size) in
        [("Root Entry", 5u8, 1, END, 0), ("Workbook", 2, FREE, 0, length as u64)]
    {
        let mut entry = utf16(name);
        let length = entry.len() as u16 + 2;
        entry.resize(64, 0);
        entry.extend(length.to_le_bytes());
        entry.extend([kind, 1]);
        entry.extend([FREE, FREE, child].iter().flat_map(|n: &u32| n.to_le_bytes()));
        entry.resize(116, 0);
        entry.extend(start.to_le_bytes());
        entry.extend(size.to_le_bytes());
        out.extend(entry);
    }
    out.resize(SECTOR + (sectors + 1) * SECTOR, 0);
    out.extend(table.iter().flat_map(|n| n.to_le_bytes()));
    out
}
