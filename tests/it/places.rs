//! Place 7 as people see it: the list of outlets, one of them, quality, territories, and
//! the review of a file of them.

use crate::screens::demo;
use pams::engine::Engine;
use pams::tui::testing::Harness;
use std::path::PathBuf;

/// The sample outlets as a file of their own.
fn file(folder: &tempfile::TempDir) -> String {
    let path: PathBuf = folder.path().join("outlets.csv");
    std::fs::copy("sample-data/outlets.csv", &path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The demo with the sample outlets, imported by keys.
fn imported(engine: &Engine, width: u16, height: u16) -> Harness<'_> {
    let folder = tempfile::tempdir().unwrap();
    let mut h = Harness::new(engine, width, height).unwrap();
    h.press("7").unwrap();
    assert!(h.text().contains("No outlets yet. I and the path of a file"), "{}", h.text());
    h.press("I").unwrap().type_text(&file(&folder)).unwrap().press("enter").unwrap();
    assert!(h.text().contains("48 rows = 46 new"), "{}", h.text());
    // The spool of a file that lies in place is the file itself: it is read to its end now.
    h.press("C").unwrap();
    assert!(h.text().contains("Imported outlets.csv: 46 added"), "{}", h.text());
    h.press("7").unwrap();
    h
}

#[test]
fn outlets_are_listed_narrowed_ordered_and_summed_up_by_keys() {
    let engine = demo();
    let mut h = imported(&engine, 80, 24);
    insta::assert_snapshot!("outlets_at_80_by_24", h.text());
    h.press("/").unwrap().type_text("city:lindau").unwrap().press("enter").unwrap();
    let narrowed = h.text();
    assert!(narrowed.contains("filter: city:lindau") && !narrowed.contains("Bregenz"), "{narrowed}");
    // A part that is not finished is no question yet, and says what is wrong.
    h.press("/").unwrap().type_text(" colour:").unwrap();
    assert!(h.text().contains("There is no field \"colour\""), "{}", h.text());
    h.press("esc esc").unwrap();
    h.press("s").unwrap().type_text("avg sales").unwrap().press("enter").unwrap();
    assert!(h.text().contains("sort: avg sales"), "{}", h.text());
    h.press("S").unwrap();
    assert!(h.text().contains("highest first"), "{}", h.text());
    // Values of a field; one of them narrows the list.
    h.press("f").unwrap().type_text("territory").unwrap().press("enter").unwrap();
    assert!(h.text().contains("territory: 3 different"), "{}", h.text());
    h.press("enter").unwrap();
    assert!(h.text().contains("filter: territory="), "{}", h.text());
}

#[test]
fn an_outlet_is_edited_in_its_form_and_many_at_once() {
    let engine = demo();
    let mut h = imported(&engine, 160, 40);
    insta::assert_snapshot!("outlets_at_160_by_40", h.text());
    h.press("e").unwrap();
    assert!(h.text().contains("Outlet S0001"), "{}", h.text());
    h.press("tab ctrl-u").unwrap().type_text("MT").unwrap().press("ctrl-s").unwrap();
    assert!(h.text().contains("(was GT)"), "what the file said stands beside: {}", h.text());
    // Opened, it tells what became of it.
    h.press("enter G").unwrap();
    assert!(h.text().contains("channel: GT > MT"), "{}", h.text());
    assert!(h.text().contains("import of outlets.csv"), "{}", h.text());
    h.press("esc").unwrap();
    // A position that is on no planet is refused in the form.
    h.press("e").unwrap();
    h.press("tab tab tab tab tab tab tab tab tab tab tab tab tab tab").unwrap();
    h.press("ctrl-u").unwrap().type_text("95").unwrap().press("ctrl-s").unwrap();
    assert!(h.text().contains("between -90 and 90"), "{}", h.text());
    h.press("esc y").unwrap();
    // What is typed is kept as a draft, and saved from there.
    h.press("j e tab ctrl-u").unwrap().type_text("Horeca").unwrap().press("esc d").unwrap();
    h.press("9").unwrap();
    assert!(h.text().contains("Outlet S0002"), "{}", h.text());
    while !h.text().lines().any(|l| l.starts_with('>') && l.contains("Outlet S0002")) {
        h.press("j").unwrap();
    }
    h.press("enter ctrl-s 7").unwrap();
    assert!(h.text().contains("Horeca"), "{}", h.text());
    // All that match, one field, one undo.
    h.press("/").unwrap().type_text("city:lindau").unwrap().press("enter * b").unwrap();
    h.type_text("zone").unwrap().press("enter").unwrap().type_text("Lake").unwrap().press("enter y").unwrap();
    assert!(h.text().contains("The zone of"), "{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("Undone"), "{}", h.text());
}

#[test]
fn quality_mends_what_a_rule_points_at_and_lists_it() {
    let engine = demo();
    let mut h = imported(&engine, 80, 24);
    h.press("t").unwrap();
    insta::assert_snapshot!("quality_at_80_by_24", h.text());
    while !h.text().lines().any(|l| l.starts_with("> COORD-04")) {
        h.press("j").unwrap();
    }
    // One by one first: what it is, what it would be, and why.
    h.press("w").unwrap();
    insta::assert_snapshot!("queue_at_80_by_24", h.text());
    h.press("enter").unwrap();
    assert!(h.text().contains("Nothing is left of this rule"), "{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("1 of 1 can be told"), "{}", h.text());
    h.press("space").unwrap();
    assert!(h.text().contains("1 marked"), "{}", h.text());
    h.press("m").unwrap();
    assert!(h.text().contains("Nothing is left of this rule"), "{}", h.text());
    h.press("u esc").unwrap();
    while !h.text().lines().any(|l| l.starts_with("> COORD-04")) {
        h.press("j").unwrap();
    }
    h.press("m").unwrap();
    assert!(h.text().contains("swap latitude and longitude?"), "{}", h.text());
    h.press("y").unwrap();
    assert!(h.text().contains("COORD-04: mended: 1 outlet changed"), "{}", h.text());
    h.press("u").unwrap();
    while !h.text().lines().any(|l| l.starts_with("> COORD-04")) {
        h.press("j").unwrap();
    }
    h.press("enter").unwrap();
    assert!(h.text().contains("rule: COORD-04 swapped") && h.text().contains("1-1 of 1"), "{}", h.text());
    // What needs a person is not mended for all alike.
    h.press("t home m").unwrap();
    assert!(h.text().contains("needs a person for each row") || h.text().contains("?"), "{}", h.text());
}

#[test]
fn territories_are_measured_previewed_made_and_opened() {
    let engine = demo();
    let mut h = imported(&engine, 120, 40);
    h.press("t t").unwrap();
    let levels = h.text();
    assert!(levels.contains("Territories: ") && levels.contains("Recommended: "), "{levels}");
    insta::assert_snapshot!("territories_levels_at_120_by_40", levels);
    h.press("L ctrl-u").unwrap().type_text("8").unwrap().press("enter end enter").unwrap();
    let preview = h.text();
    assert!(preview.contains("Split at") && preview.contains("1 cell ="), "{preview}");
    insta::assert_snapshot!("territories_preview_at_120_by_40", preview);
    h.press("C y").unwrap();
    assert!(h.text().contains("planning units made, with their snapshots"), "{}", h.text());
    h.press("enter").unwrap();
    assert!(h.text().contains("opened in"), "{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("Undone"), "{}", h.text());
}

#[test]
fn what_contradicts_the_levels_is_told_listed_and_mended() {
    let engine = demo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strays.csv");
    let mut text = String::from("code,name,region,territory\n");
    for n in 0..120 {
        let region = if n % 40 == 7 || n / 20 % 2 == 1 { "South" } else { "North" };
        text += &format!("K{n:03},Shop {n},{region},T{}\n", n / 20);
    }
    std::fs::write(&path, text).unwrap();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("7 I").unwrap().type_text(path.to_str().unwrap()).unwrap().press("enter C 7 t t").unwrap();
    let levels = h.text();
    assert!(levels.contains("contrary"), "{levels}");
    h.press("v").unwrap();
    insta::assert_snapshot!("violations_at_80_by_24", h.text());
    // Its outlets are listed, set right as any others, and nothing is left of it.
    h.press("enter").unwrap();
    assert!(h.text().contains("K007") && h.text().contains("1-1 of 1"), "{}", h.text());
    h.press("b").unwrap().type_text("region").unwrap().press("enter").unwrap();
    h.type_text("North").unwrap().press("enter").unwrap();
    assert!(h.text().contains("The region of 1 outlet is North"), "{}", h.text());
    h.press("esc t t").unwrap();
    h.press("v").unwrap();
    assert!(h.text().contains("─ 2 outlets ─"), "{}", h.text());
}

#[test]
fn a_file_of_outlets_is_mended_by_a_digit_in_its_review() {
    let engine = demo();
    let folder = tempfile::tempdir().unwrap();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("8 O").unwrap().type_text(&file(&folder)).unwrap().press("enter").unwrap();
    while !h.text().lines().any(|l| l.starts_with("> ? swapped")) {
        h.press("j").unwrap();
    }
    assert!(h.text().contains("1 swap latitude and longitude, all"), "{}", h.text());
    h.press("enter 1").unwrap();
    assert!(!h.text().contains("swapped"), "mended: {}", h.text());
    // The last line may still tell of the job that read the file.
    let text = h.text();
    let screen = text.trim_end().rsplit_once('\n').map_or(text.as_str(), |(above, _)| above);
    insta::assert_snapshot!("review_of_outlets_at_100_by_30", screen);
    h.press("u").unwrap();
    assert!(h.text().contains("swapped"), "taken back: {}", h.text());
    h.press("C").unwrap();
    assert!(h.text().contains("Imported outlets.csv"), "{}", h.text());
}
