//! The interface on a fake screen: keys in, text out.

use pams::changes::Via;
use pams::domain::schema::Kind;
use pams::engine::Engine;
use pams::services::drafts::ListDrafts;
use pams::services::records::{List, Show};
use pams::services::sample::FillDemo;
use pams::services::setup::SetUp;
use pams::store::Store;
use pams::tui::msg::Msg;
use pams::tui::testing::Harness;

/// Friday, 20 February 2026, 10:30 UTC.
fn now() -> i64 {
    1_771_583_400_000
}

fn engine() -> Engine {
    let store = Store::with_backend(redb::backends::InMemoryBackend::new()).unwrap();
    let engine = Engine::alone(store, Via::Tui, now).unwrap();
    engine
        .run(&SetUp {
            organisation: String::new(),
            name: "Ana Duarte".into(),
            email: "ana@example.com".into(),
            team: "Presales".into(),
            zone: "UTC".into(),
            day_minutes: 480,
            currency: "EUR".into(),
        })
        .unwrap();
    engine
}

/// The demo's store, filled as the program itself and used as a person.
pub fn demo() -> Engine {
    let engine = engine();
    engine.run(&FillDemo { seed: 1 }).unwrap();
    engine
}

fn newest(engine: &Engine) -> pams::services::show::Item {
    let list =
        pams::services::activities::ListActivities { owner: "me".into(), limit: 1000, ..Default::default() };
    let page = engine.ask(&list).unwrap();
    page.items.into_iter().max_by_key(|i| i.rev).unwrap()
}

#[test]
fn home_says_what_matters_at_every_size() {
    let engine = demo();
    for (width, height) in [(80, 24), (120, 40), (200, 60), (40, 12)] {
        let mut h = Harness::new(&engine, width, height).unwrap();
        let text = h.text();
        assert!(text.contains("7 wins") || width < 60, "{text}");
        assert!(text.lines().count() == height as usize);
        h.press("2 3 9 1").unwrap();
    }
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    let text = h.text();
    for part in [
        "Wins & losses — February 2026: 7 wins · 3 losses · yours: 2",
        "My February 2026",
        "Needs you",
        "This week",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let mut h = Harness::new(&engine, 39, 11).unwrap();
    assert!(h.text().contains("PAMS needs 40x12"));
}

#[test]
fn home_at_80_by_24() {
    let engine = demo();
    insta::assert_snapshot!(Harness::new(&engine, 80, 24).unwrap().text());
}

#[test]
fn activities_at_120_by_40() {
    let engine = demo();
    insta::assert_snapshot!(Harness::new(&engine, 120, 40).unwrap().press("2 j space").unwrap().text());
}

#[test]
fn wins_at_40_by_12() {
    let engine = demo();
    insta::assert_snapshot!(Harness::new(&engine, 40, 12).unwrap().press("3").unwrap().text());
}

/// The owner's walk: `a`, the date is there, save, undo, redo.
#[test]
fn a_form_starts_with_the_date_and_saves_undoes_redoes() {
    let engine = demo();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("2 a").unwrap();
    assert!(h.text().contains("last logged"), "{}", h.text());
    h.type_text("dem").unwrap().press("down tab").unwrap();
    h.type_text("nordlys").unwrap().press("tab tab tab").unwrap();
    h.type_text("2h").unwrap().press("tab").unwrap();
    h.type_text("harness talk").unwrap().press("ctrl-s").unwrap();
    let text = h.text();
    assert!(text.contains("Saved: harness talk") && text.contains("u undo"), "{text}");
    let saved = newest(&engine);
    assert_eq!((saved.text("type"), saved.text("account")), ("Demo".into(), "Nordlys".into()));
    h.press("u").unwrap();
    assert!(h.text().contains("Undone"), "{}", h.text());
    assert_ne!(newest(&engine).text("summary"), "harness talk");
    h.press("ctrl-r").unwrap();
    assert!(h.text().contains("Redone"), "{}", h.text());
    assert_eq!(newest(&engine).text("summary"), "harness talk");
}

#[test]
fn what_is_wrong_stands_under_its_field() {
    let engine = demo();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("2 a").unwrap().type_text("nosuchtype").unwrap().press("ctrl-s").unwrap();
    assert!(h.text().contains("! There is no type"), "{}", h.text());
    h.press("esc").unwrap();
    assert!(h.text().contains("d keep as a draft"), "{}", h.text());
    h.press("y").unwrap();
    assert!(!h.text().contains("New activity"));
}

/// P-003 in the form: a warning that must be accepted.
#[test]
fn empty_effort_asks_once_for_enablement() {
    let engine = demo();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("2 a").unwrap().type_text("Enablement").unwrap().press("ctrl-s").unwrap();
    assert!(h.text().contains("save anyway?"), "{}", h.text());
    h.press("n").unwrap();
    assert!(h.text().contains("New activity"), "no goes back to the form");
    h.press("ctrl-s y").unwrap();
    assert!(h.text().contains("Saved"), "{}", h.text());
    assert_eq!(newest(&engine).text("type"), "Enablement");
}

#[test]
fn a_left_form_is_a_draft_that_opens_again() {
    let engine = demo();
    let before = engine.ask(&ListDrafts {}).unwrap().items.len();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("2 a").unwrap().type_text("Demo").unwrap().press("esc esc d").unwrap();
    assert_eq!(engine.ask(&ListDrafts {}).unwrap().items.len(), before + 1);
    h.press("9 enter").unwrap();
    assert!(h.text().contains("Demo"), "{}", h.text());
    h.press("tab tab tab tab").unwrap().type_text("1h").unwrap().press("ctrl-s").unwrap();
    assert_eq!(engine.ask(&ListDrafts {}).unwrap().items.len(), before, "saving settles the draft");
    assert_eq!(newest(&engine).int("effort_minutes"), Some(60));
}

/// A line that drops loses nothing that was typed.
#[test]
fn a_hang_up_in_a_form_keeps_its_text() {
    let engine = demo();
    let before = engine.ask(&ListDrafts {}).unwrap().items.len();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("2 a").unwrap().type_text("Demo").unwrap();
    h.wait().unwrap();
    let kept = engine.ask(&pams::services::state::GetState { prefix: "autosave/".into() }).unwrap();
    assert!(kept[0].1.contains("Demo"), "autosaved after a rest");
    h.send(Msg::Hangup).unwrap();
    assert_eq!(h.exit, Some(129));
    assert_eq!(engine.ask(&ListDrafts {}).unwrap().items.len(), before + 1);
}

#[test]
fn the_quick_line_echoes_logs_and_is_undone() {
    let engine = demo();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press(";").unwrap().type_text("demo acme 3h y #poc : by line").unwrap();
    assert!(
        h.text().contains("Acme Corp") && h.text().contains("use case: Proof of concept"),
        "{}",
        h.text()
    );
    h.press("enter").unwrap();
    assert!(h.text().contains("Logged: Demo, Acme Corp"), "{}", h.text());
    assert_eq!(newest(&engine).text("date"), "2026-02-19");
    h.press("; up").unwrap();
    assert!(h.text().contains("log> demo acme 3h y #poc : by line"), "{}", h.text());
    h.press("esc u").unwrap();
    assert_ne!(newest(&engine).text("summary"), "by line");
    h.press(";").unwrap().type_text("acme 3h").unwrap().press("enter").unwrap();
    assert!(h.text().contains("what kind of work"), "{}", h.text());
}

#[test]
fn filter_marks_and_bulk_delete_are_one_undo() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("2 o /").unwrap().type_text("workshop").unwrap().press("enter").unwrap();
    assert!(h.text().contains("filter: workshop"), "{}", h.text());
    let rows = |text: &str| text.lines().filter(|l| l.contains(" Workshop ")).count();
    assert!(rows(&h.text()) > 0 && !h.text().contains(" Travel "), "{}", h.text());
    h.press("space space").unwrap();
    assert!(h.text().contains("2 marked"), "{}", h.text());
    h.press("d d").unwrap();
    assert!(h.text().contains("Deleted 2 activities"), "{}", h.text());
    let after = h.text();
    h.press("u").unwrap();
    assert_ne!(h.text(), after);
    h.press("esc").unwrap();
    assert!(h.text().contains("filter: none"));
}

#[test]
fn a_change_from_elsewhere_appears_by_itself() {
    let engine = demo();
    let mut h = Harness::new(&engine, 120, 30).unwrap();
    h.press("2").unwrap();
    let line = pams::services::activities::LogLine {
        line: "demo acme 1h today : from a script".into(),
        ack: vec![],
    };
    engine.run(&line).unwrap();
    h.send(Msg::Resize).unwrap();
    assert!(h.text().contains("from a script"), "{}", h.text());
}

#[test]
fn help_palette_and_sequences_show_what_can_be_done() {
    let engine = demo();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("2 ?").unwrap();
    assert!(h.text().contains("Owner: me or all"), "{}", h.text());
    h.press("esc ctrl-p").unwrap().type_text("losses").unwrap();
    assert!(h.text().contains("Go to Wins"), "{}", h.text());
    h.press("enter").unwrap();
    assert!(h.text().contains("source: both"), "{}", h.text());
    h.press("g").unwrap().wait().unwrap();
    assert!(
        h.text().contains("g then") && h.text().contains("a Activities") && h.text().contains("m Admin"),
        "{}",
        h.text()
    );
    h.press("a").unwrap();
    assert!(h.text().contains("owner: me"), "{}", h.text());
    // A sequence that leads nowhere does not swallow the key behind it.
    h.press("g ctrl-q").unwrap();
    assert_eq!(h.exit, Some(0));
}

/// P-002: the scope and order a person left are there the next time.
#[test]
fn owner_scope_and_order_are_kept() {
    let engine = demo();
    Harness::new(&engine, 80, 24).unwrap().press("2 o s").unwrap();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    assert!(
        h.press("2").unwrap().text().contains("owner: all (o)   dates: month (m)   oldest first"),
        "{}",
        h.text()
    );
}

/// P-004 in the form, P-020 with a key.
#[test]
fn a_win_is_entered_with_its_only_project_and_featured() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("3 a tab").unwrap().type_text("Nordlys").unwrap().press("tab").unwrap();
    assert!(h.text().contains("Partner portal"), "{}", h.text());
    h.press("down tab").unwrap().type_text("84,000").unwrap().press("ctrl-s").unwrap();
    assert!(h.text().contains("8 won"), "{}", h.text());
    h.press("j f").unwrap();
    assert!(h.text().contains("Win of the month: Nordlys"), "{}", h.text());
}

/// The report as a file, which goes with its folder.
fn report() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.csv");
    std::fs::write(&file, REPORT).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (folder, path)
}

const REPORT: &str = "Opportunity ID,Account Name,Stage,Amount,Close Date,Owner\n\
    1,Acme Corp,Closed Won,84000,2026-02-03,R. Ito\n\
    2,Unknown Ltd,Closed Lost,1.2k,2026-02-04,R. Ito\n\
    3,Unknown Ltd,Closed Lost,500,2026-02-05,Nora Lind\n\
    4,Unknown Ltd,Proposal,500,2026-02-05,Nora Lind\n\
    5,Meridian,Closed Cancelled,700,2026-01-15,Nora Lind\n\
    6,Meridian,Closed Cancelled,800,2026-01-16,Nora Lind\n";

/// A workbook in the terminal: nothing before C, one undo after it, and a review that
/// is left half-way is gone on with.
#[test]
fn an_import_is_reviewed_left_resumed_committed_and_undone() {
    let engine = demo();
    let (_folder, file) = report();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("3 I").unwrap().type_text(&file).unwrap().press("enter").unwrap();
    let text = h.text();
    assert!(text.contains("6 rows = 1 won + 1 lost + 3 set aside + 1 skipped"), "{text}");
    assert!(text.contains("stage not mapped") && text.contains("1 won"), "{text}");
    insta::assert_snapshot!("review_at_80_by_24", text);
    // Both rows of the stage that is not mapped, with one key; then the amount.
    h.press("2").unwrap();
    assert!(h.text().contains("6 rows = 1 won + 3 lost + 1 set aside"), "{}", h.text());
    h.press("1").unwrap();
    assert!(h.text().contains("6 rows = 1 won + 4 lost + 0 set aside"), "{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("1 set aside"), "taken back:\n{}", h.text());
    // The line drops; another session goes on where this one was.
    drop(h);
    let mut h = Harness::new(&engine, 120, 40).unwrap();
    assert!(h.text().contains("8 Imports:1"), "{}", h.text());
    h.press("8 enter").unwrap();
    assert!(h.text().contains("6 rows = 1 won + 3 lost + 1 set aside"), "{}", h.text());
    insta::assert_snapshot!("review_at_120_by_40", h.text());
    h.press("e").unwrap();
    assert!(h.text().contains("amount of row 3>"), "{}", h.text());
    h.press("ctrl-u").unwrap().type_text("1200").unwrap().press("enter").unwrap();
    assert!(h.text().contains("6 rows = 1 won + 4 lost + 0 set aside"), "{}", h.text());
    h.press("esc 3").unwrap();
    assert!(h.text().contains("7 won"), "leaving writes nothing:\n{}", h.text());
    h.press("8 enter C").unwrap();
    assert!(h.text().contains("Imported report.csv: 5 added"), "{}", h.text());
    h.press("3").unwrap();
    assert!(h.text().contains("8 won"), "{}", h.text());
    // The row of a committed import shows what it did, and takes it back.
    h.press("8 enter").unwrap();
    let text = h.text();
    assert!(
        text.contains("0 History") && text.contains("added win") && text.contains("batch: report.csv"),
        "{text}"
    );
    h.press("8 d d y 3").unwrap();
    assert!(h.text().contains("7 won"), "{}", h.text());
    h.press("ctrl-r").unwrap();
    assert!(h.text().contains("8 won"), "and back:\n{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("7 won"), "{}", h.text());
    h.press("I").unwrap().type_text("/no/such/file").unwrap().press("enter").unwrap();
    assert!(h.text().contains("There is no file"), "{}", h.text());
}

/// R-F8: the states of a review as docs/import-review.md names them, each as it looks at
/// 80 by 24. Reading, columns and problems have snapshots of their own above and below.
#[test]
fn each_state_of_a_review_has_its_screen() {
    let engine = demo();
    let (folder, file) = report();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    let open = |h: &mut Harness, file: &str| {
        h.press("3 I ctrl-u").unwrap().type_text(file).unwrap().press("enter").unwrap();
    };
    open(&mut h, &file);
    h.press("n e").unwrap();
    insta::assert_snapshot!("review_typing_at_80_by_24", h.text());
    h.press("esc").unwrap();
    // Everything that waits is set aside: nothing is left to be looked at but what may be.
    h.press("N 2 1").unwrap();
    assert!(h.text().contains("0 set aside"), "{}", h.text());
    insta::assert_snapshot!("review_ready_at_80_by_24", h.text());
    h.press("C").unwrap();
    assert!(h.text().contains("Imported report.csv"), "{}", h.text());
    // The same file again: it says so, and has nothing to write.
    open(&mut h, &file);
    assert!(h.text().contains("imported before, "), "{}", h.text());
    insta::assert_snapshot!("review_again_at_80_by_24", h.text());
    h.press("D y").unwrap();
    // A month that would lose most of its rows is asked about before anything is written.
    let month = |rows: usize| {
        let head = REPORT.lines().next().unwrap().to_owned();
        let row = |n| format!("10{n},Acme Corp,Closed Won,100,2025-11-0{n},Nora Lind");
        std::iter::once(head).chain((1..=rows).map(row)).collect::<Vec<_>>().join("\n")
    };
    for rows in [9, 3] {
        let file = folder.path().join(format!("{rows}.csv"));
        std::fs::write(&file, month(rows)).unwrap();
        open(&mut h, file.to_str().unwrap());
        h.press("C").unwrap();
    }
    insta::assert_snapshot!("review_question_at_80_by_24", h.text());
    h.press("n").unwrap();
    assert!(h.text().contains("[4 Review]"), "no leaves it as it is: {}", h.text());
    h.press("D y").unwrap();
    // What is no table says why, and what to do.
    let broken = folder.path().join("broken.xlsx");
    std::fs::write(&broken, b"PK\x03\x04 and nothing behind it").unwrap();
    open(&mut h, broken.to_str().unwrap());
    insta::assert_snapshot!("review_failed_at_80_by_24", h.text());
    h.press("D y").unwrap();
    assert!(!h.text().contains("under review"), "{}", h.text());
}

/// A name that nobody has is told, and the review stays where it was.
#[test]
fn a_wrong_name_leaves_the_review_open() {
    let engine = demo();
    let (_folder, file) = report();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("3 I").unwrap().type_text(&file).unwrap().press("enter").unwrap();
    h.press("n n e ctrl-u").unwrap().type_text("Nobody Here").unwrap().press("enter").unwrap();
    let text = h.text();
    assert!(text.contains("There is no user") && text.contains("[4 Review]"), "{text}");
    // What was typed stands to be mended; what was wrong is gone with the next thing done.
    assert!(text.contains("Nobody Here"), "{text}");
    h.press("esc").unwrap();
    assert!(!h.text().contains("Nobody Here"), "{}", h.text());
    h.press("n").unwrap();
    assert!(!h.text().contains("There is no user"), "{}", h.text());
}

/// A line for several days is no form, and a conflict offers no undo.
#[test]
fn ranges_stay_in_the_line_and_conflicts_offer_no_undo() {
    let engine = demo();
    let before = engine.ask(&ListDrafts {}).unwrap().items.len();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press(";").unwrap().type_text("demo acme 3h mon-wed : x").unwrap().press("ctrl-e").unwrap();
    assert!(h.text().contains("A form holds one day, the line has 3"), "{}", h.text());
    h.press("enter").unwrap();
    assert!(h.text().contains("3 "), "{}", h.text());
    // The form is open on what another session changes meanwhile.
    h.press("2 enter").unwrap();
    let title = h.text().lines().nth(1).unwrap_or_default().to_owned();
    let which = title.split_whitespace().nth(2).unwrap_or_default().to_owned();
    let shown = engine.ask(&Show { kind: Kind::Activity, which }).unwrap().item;
    let theirs = pams::services::records::Save {
        kind: Kind::Activity,
        id: Some(shown.id),
        input: [("summary".to_owned(), "theirs".to_owned())].into(),
        seen_rev: Some(shown.rev),
        ack: vec![],
    };
    engine.run(&theirs).unwrap();
    h.press("tab tab tab tab tab").unwrap().type_text(" of mine").unwrap().press("ctrl-s").unwrap();
    let text = h.text();
    let toast = text.lines().rev().nth(1).unwrap_or_default();
    assert!(toast.contains("9 settles it") && !toast.contains("u undo"), "{text}");
    assert_eq!(engine.ask(&ListDrafts {}).unwrap().items.len(), before + 1);
}

/// Two people at one review see what the other says, and when it ends.
#[test]
fn what_another_says_to_a_review_is_seen_at_once() {
    let engine = demo();
    let (_folder, file) = report();
    let mut mine = Harness::new(&engine, 80, 24).unwrap();
    mine.press("3 I").unwrap().type_text(&file).unwrap().press("enter").unwrap();
    let mut theirs = Harness::new(&engine, 120, 40).unwrap();
    theirs.press("8 enter 2").unwrap();
    mine.wait().unwrap();
    assert!(mine.text().contains("6 rows = 1 won + 3 lost + 1 set aside"), "{}", mine.text());
    theirs.press("C").unwrap();
    assert!(theirs.text().contains("Imported report.csv"), "{}", theirs.text());
    mine.wait().unwrap();
    let text = mine.text();
    assert!(text.contains("no open import") && !text.contains("[4 Review]"), "{text}");
}

/// Owners are asked once; months are left out; rows are set aside; a file can be given up.
#[test]
fn a_review_takes_owners_months_and_rows_aside() {
    let engine = demo();
    let (folder, file) = report();
    let mut h = Harness::new(&engine, 160, 45).unwrap();
    h.press("3 I").unwrap().type_text(&file).unwrap().press("enter").unwrap();
    h.press("S n").unwrap();
    assert!(h.text().contains("aside: stage not mapped"), "{}", h.text());
    for _ in 0..9 {
        if !h.text().contains("nobody known is") {
            h.press("n").unwrap();
        }
    }
    assert!(h.text().contains("1 Riko Ito"), "{}", h.text());
    h.press("1").unwrap();
    assert!(h.text().contains("told: ") && !h.text().contains("owner unknown"), "{}", h.text());
    h.press("tab tab").unwrap();
    h.press("space").unwrap();
    assert!(h.text().contains("left as it is"), "{}", h.text());
    assert!(h.text().contains("6 rows = 0 won + 0 lost + 3 set aside + 3 skipped"), "{}", h.text());
    let out = folder.path().join("waiting.csv");
    h.press("W ctrl-u").unwrap().type_text(out.to_str().unwrap()).unwrap().press("enter").unwrap();
    assert!(h.text().contains("3 rows written"), "{}", h.text());
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 4);
    h.press("D y").unwrap();
    assert!(h.text().contains("Given up: report.csv"), "{}", h.text());
    h.press("8").unwrap();
    assert!(!h.text().contains("under review"), "{}", h.text());
}

/// Headers that say nothing: the person says which column is which, and which row
/// names them.
#[test]
fn columns_are_said_in_the_review() {
    let engine = demo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strange.csv");
    let rows = "K1,K2,Stage,K4\nAcme Corp,2026-02-03,Closed Won,84000\nNordlys,2026-02-04,Closed Lost,5\n";
    std::fs::write(&file, rows).unwrap();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("3 I").unwrap().type_text(file.to_str().unwrap()).unwrap().press("enter").unwrap();
    assert!(h.text().contains("Not found yet: close date, account"), "{}", h.text());
    h.press("C").unwrap();
    assert!(h.text().contains("No column was found for: close date, account"), "{}", h.text());
    h.press("enter").unwrap().type_text("acc").unwrap().press("enter").unwrap();
    h.press("j enter").unwrap().type_text("nonsense").unwrap().press("enter").unwrap();
    assert!(h.text().contains("is not a field"), "{}", h.text());
    h.press("ctrl-u").unwrap().type_text("close date").unwrap().press("enter").unwrap();
    assert!(h.text().contains("2 rows = 1 won + 1 lost"), "{}", h.text());
    insta::assert_snapshot!("review_columns_at_80_by_24", h.text());
    h.press("M C").unwrap();
    assert!(h.text().contains("2 added"), "{}", h.text());
}

/// A text that could not be read is read with what a person says of it.
#[test]
fn a_dialect_is_said_in_the_review() {
    let engine = demo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.csv");
    std::fs::write(&file, "Customer,Region\n\"Brandnew Ltd,North\nNordlys,South\n").unwrap();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("8 A").unwrap().type_text(file.to_str().unwrap()).unwrap().press("enter").unwrap();
    assert!(h.text().contains("line 2: a quote that is never closed"), "{}", h.text());
    assert!(h.text().contains("T says how its text is written"), "{}", h.text());
    h.press("T").unwrap().type_text("none, and more").unwrap().press("enter").unwrap();
    assert!(h.text().contains("\"and\" is no encoding, delimiter or quote"), "{}", h.text());
    h.press("ctrl-u").unwrap().type_text("none").unwrap().press("enter").unwrap();
    assert!(h.text().contains("2 rows = 1 new") && h.text().contains("no quotes"), "{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("never closed"), "{}", h.text());
}

/// Accounts go through the same machine.
#[test]
fn accounts_are_imported_through_the_review() {
    let engine = demo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.csv");
    std::fs::write(&file, "Customer,Sector,Region\nBrandnew Ltd,Nowhere,North\nAcme Corp,,South\n").unwrap();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("8 A").unwrap().type_text(file.to_str().unwrap()).unwrap().press("enter").unwrap();
    let text = h.text();
    assert!(text.contains("2 rows = 0 new + 1 changed + 0 same + 1 set aside"), "{text}");
    assert!(text.contains("unknown name"), "{text}");
    h.press("e ctrl-u enter").unwrap();
    assert!(h.text().contains("2 rows = 1 new + 1 changed"), "{}", h.text());
    h.press("C").unwrap();
    assert!(h.text().contains("1 added, 1 changed"), "{}", h.text());
}

#[test]
fn hiding_the_callout_lasts_until_it_changes() {
    let engine = demo();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.press("x").unwrap();
    assert!(h.text().contains("hidden"), "{}", h.text());
    assert!(Harness::new(&engine, 80, 24).unwrap().text().contains("hidden"));
    h.press("3 d d 1").unwrap();
    assert!(!h.text().contains("(hidden)"), "it returns when the month changed:\n{}", h.text());
}

#[test]
fn empty_places_say_what_to_do_next() {
    let engine = engine();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    assert!(h.text().contains("Nothing logged this month: press ;"), "{}", h.text());
    assert!(h.press("2").unwrap().text().contains("Press ; and write"));
    assert!(h.press("3").unwrap().text().contains("Press a to enter the first"));
    assert!(h.press("9").unwrap().text().contains("Nothing waits for you"));
}

#[test]
fn odd_names_keep_the_columns() {
    let engine = demo();
    for name in ["株式会社テスト商事グループ本社", "e\u{301}clair \u{1b}[31m", "🏭 Works", "ﷺ wide"]
    {
        let input = [("name".to_owned(), name.to_owned())].into();
        let save = pams::services::records::Save {
            kind: Kind::Account,
            id: None,
            input,
            seen_rev: None,
            ack: vec![],
        };
        let id = engine.run(&save).unwrap().reply.item.id.to_string();
        let fields = [
            ("type", "Demo"),
            ("account", id.as_str()),
            ("effort", "1h"),
            ("date", "2026-02-20"),
            ("summary", "odd"),
        ];
        let input = fields.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        engine
            .run(&pams::services::records::Save {
                kind: Kind::Activity,
                id: None,
                input,
                seen_rev: None,
                ack: vec![],
            })
            .unwrap();
    }
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    let text = h.press("2").unwrap().text();
    assert_eq!(text.matches("odd").count(), 4, "{text}");
    assert!(!text.contains('\u{1b}'));
}

/// Whatever is pressed, nothing breaks and the data stays sound.
#[test]
fn random_keys_never_break_it() {
    let engine = demo();
    let keys = [
        "a",
        "2",
        "3",
        "9",
        "1",
        "j",
        "k",
        "enter",
        "esc",
        "tab",
        "space",
        "u",
        "ctrl-r",
        ";",
        "/",
        "?",
        "ctrl-p",
        "o",
        "s",
        "[",
        "]",
        "d",
        "x",
        "y",
        "n",
        "f",
        "G",
        "g",
        "ctrl-s",
        "up",
        "down",
        "backspace",
        "e",
        "t",
        "*",
        "m",
        "q",
    ];
    let mut seed = 0x2545_f491_u64;
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    for step in 0..1_500 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        h.press(keys[(seed % keys.len() as u64) as usize]).unwrap();
        if step % 50 == 0 {
            let size = [(80, 24), (120, 40), (40, 12), (20, 5)][(seed % 4) as usize];
            h.resize(size.0, size.1).unwrap();
        }
        h.text();
    }
    let list =
        List { kind: Kind::Account, filter: None, archived: true, account: None, limit: 1000, cursor: None };
    assert!(engine.ask(&list).unwrap().items.len() >= 16);
    assert!(engine.ask(&Show { kind: Kind::Account, which: "Acme Corp".into() }).is_ok());
}

/// Who may only look is told so before anything is typed.
#[test]
fn a_read_only_session_refuses_before_a_form_is_filled() {
    let engine = demo();
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    h.set_read_only();
    h.press("2 a").unwrap();
    assert!(!h.text().contains("New activity"), "{}", h.text());
    assert!(h.text().contains("This session only looks"), "{}", h.text());
    h.press("ctrl-p").unwrap().type_text("one line").unwrap();
    assert!(h.text().contains("Log an activity in one line: This session only looks"), "{}", h.text());
}
