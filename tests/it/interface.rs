//! The interface at its edges: any commands at any size, names in every script, the
//! places of a working day, plain mode, and tasks counted in keys.

use crate::screens::demo;
use pams::domain::schema::Kind;
use pams::engine::Engine;
use pams::random::Random;
use pams::services::activities::{CountActivities, ListActivities, LogLine};
use pams::services::records::Save;
use pams::services::sample::FillActivities;
use pams::tui::command;
use pams::tui::keys::Key;
use pams::tui::msg::Msg;
use pams::tui::testing::Harness;

fn save(engine: &Engine, kind: Kind, fields: &[(&str, &str)]) {
    let input = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    engine.run(&Save { kind, id: None, input, seen_rev: None, ack: vec![] }).unwrap();
}

/// Names that bend columns: wide, combining, right to left, long, with escapes.
const NAMES: [&str; 7] = [
    "日本物産株式会社",
    "شركة المثال",
    "👩‍👩‍👧 Family & Sons",
    "Z̷̢̛a̶l̴g̷o Ltd",
    "Extraordinarily Long Holding Company Name Of Several Continents And Then Some More GmbH & Co. KG",
    "\u{1b}[31mRed\u{7} Alert\u{202e}",
    "Ａｃｍｅ　Ｆｕｌｌ",
];

/// Each line of the screen is as wide as the screen and holds no control character.
fn sound(text: &str, width: u16, height: u16, why: &str) {
    use unicode_width::UnicodeWidthStr;
    assert_eq!(text.lines().count(), usize::from(height), "{why}");
    for line in text.lines() {
        assert!(!line.chars().any(char::is_control), "{why}: {line:?}");
        assert!(line.width() <= usize::from(width), "{why}: {line:?}");
    }
}

#[test]
fn names_in_every_script_stay_in_their_columns() {
    let engine = demo();
    for (n, name) in NAMES.into_iter().enumerate() {
        save(&engine, Kind::Account, &[("name", name)]);
        let date = format!("2026-02-{:02}", 20 - n);
        let fields =
            [("type", "Demo"), ("account", name), ("effort", "7h"), ("summary", name), ("date", &date)];
        // What is typed is cleaned, so that the account is found by its raw name too.
        save(&engine, Kind::Activity, &fields);
    }
    for (width, height) in [(80, 24), (120, 40), (40, 12)] {
        for keys in ["2", "2 w", "2 T", "6", "6 enter", "2 /", "g y", "1"] {
            let mut h = Harness::new(&engine, width, height).unwrap();
            h.press(keys).unwrap();
            sound(&h.text(), width, height, &format!("{keys} at {width}x{height}"));
            h.press("ctrl-q").unwrap();
        }
    }
    let mut h = Harness::new(&engine, 80, 24).unwrap();
    let text = h.press("2").unwrap().text();
    assert!(text.contains("[31mRed Alert") && text.contains("日"), "{text}");
    let columns: std::collections::BTreeSet<usize> = text
        .lines()
        .filter_map(|line| line.split_once(" 7h "))
        .map(|(before, _)| unicode_width::UnicodeWidthStr::width(before))
        .collect();
    assert_eq!(columns.len(), 1, "the effort stands in one column: {columns:?}\n{text}");
    insta::assert_snapshot!("names_at_80_by_24", text);
    let mut h = Harness::new(&engine, 40, 12).unwrap();
    insta::assert_snapshot!("accounts_at_40_by_12", h.press("6").unwrap().text());
}

/// Any commands, keys, texts and sizes: no panic, nothing that never comes to rest, and
/// the store stays sound.
#[test]
fn a_monkey_breaks_nothing() {
    let ids: Vec<&str> =
        command::ALL.iter().map(|c| c.id).filter(|id| !matches!(*id, "app.quit" | "app.suspend")).collect();
    let keys =
        ["tab", "esc", "enter", "j", "k", "space", "up", "down", "left", "right", "y", "n", "x", "1", "G"];
    for seed in 1..=6 {
        let engine = demo();
        let mut random = Random::new(seed);
        let mut h = Harness::new(&engine, 80, 24).unwrap();
        for step in 0..220 {
            let why = format!("seed {seed} step {step}");
            let done = match random.below(12) {
                0 => {
                    let (w, height) = (1 + random.below(200) as u16, 1 + random.below(60) as u16);
                    h.resize(w, height).map(drop)
                }
                1 => h
                    .type_text(["acme", "demo acme 1h : x", "2026-02-03", "日本", "-"][random.below(5)])
                    .map(drop),
                2 => h.send(Msg::Paste("one\ntwo\t\u{1b}[2J three".into())).map(drop),
                3 => h.send(Msg::Click(random.below(200) as u16, random.below(60) as u16)).map(drop),
                4 => h.wait().map(drop),
                5..=7 => h.press(keys[random.below(keys.len())]).map(drop),
                _ => h.command(ids[random.below(ids.len())]).map(drop),
            };
            done.unwrap_or_else(|f| panic!("{why}: {}", f.message));
            let _ = h.text();
            // A command that quits from Home ends the session: the next one goes on.
            if h.exit.take().is_some() {
                h = Harness::new(&engine, 80, 24).unwrap();
            }
        }
    }
}

/// The list of a million is a window: both ends, marks over all of it, one undo.
#[test]
fn many_rows_are_searched_marked_and_changed_in_one_step() {
    let engine = demo();
    engine.run(&FillActivities { seed: 1, from: 0, count: 6_000, total: 6_000 }).unwrap();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("2 o m").unwrap();
    let total = {
        let list = ListActivities { owner: "all".into(), ..ListActivities::default() };
        engine.ask(&CountActivities { list }).unwrap().count
    };
    let shown = pams::tui::table::thousands(total);
    assert!(h.text().contains(&format!("of {shown}")), "{}", h.text());
    h.press("G").unwrap();
    assert!(h.text().contains(&format!("-{shown} of {shown}")), "{}", h.text());
    for _ in 0..30 {
        h.press("pageup").unwrap();
    }
    h.press("g g").unwrap();
    assert!(h.text().contains("1-"), "{}", h.text());
    h.press("/").unwrap().type_text("type:demo \"sample account\" -zzz").unwrap().press("enter").unwrap();
    let list = ListActivities {
        owner: "all".into(),
        filter: Some("type:demo \"sample account\" -zzz".into()),
        ..ListActivities::default()
    };
    let wanted = engine.ask(&CountActivities { list }).unwrap().count;
    assert!(wanted > 10, "the sample has too few");
    h.press("*").unwrap();
    let marked = pams::tui::table::thousands(wanted);
    assert!(h.text().contains(&format!("{marked} marked")), "{}", h.text());
    h.press("b").unwrap().type_text("outcome").unwrap().press("enter").unwrap();
    h.type_text("won over").unwrap().press("enter").unwrap();
    assert!(h.text().contains(&format!("The outcome of {wanted} activities is won over")), "{}", h.text());
    h.press("esc esc u").unwrap();
    assert!(h.text().contains("Undone"), "{}", h.text());
}

#[test]
fn views_templates_and_follow_ups_are_kept_and_done() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("2 o /").unwrap().type_text("workshop").unwrap().press("enter S").unwrap();
    h.type_text("All workshops").unwrap().press("enter").unwrap();
    assert!(h.text().contains("Kept as \"All workshops\""), "{}", h.text());
    h.press("V").unwrap().type_text("my month").unwrap().press("enter").unwrap();
    assert!(h.text().contains("filter: none"), "{}", h.text());
    h.press("V").unwrap().type_text("all work").unwrap().press("enter").unwrap();
    assert!(h.text().contains("filter: workshop") && h.text().contains("owner: all"), "{}", h.text());
    h.press("ctrl-t").unwrap().type_text("Board workshop").unwrap().press("enter A enter").unwrap();
    assert!(h.text().contains("New activity") && h.text().contains("Workshop"), "{}", h.text());
    h.press("esc F").unwrap();
    assert!(h.text().contains("send the pricing options"), "{}", h.text());
    h.press("z").unwrap().type_text("+7").unwrap().press("enter").unwrap();
    assert!(h.text().contains("Put off: send the pricing options"), "{}", h.text());
    h.press("x").unwrap();
    assert!(h.text().contains("Done: book the load test"), "{}", h.text());
    h.press("P").unwrap().type_text("Riko").unwrap().press("enter").unwrap();
    assert!(h.text().contains("Given away") && h.text().contains("No next step is due"), "{}", h.text());
    h.press("u u u").unwrap();
    assert!(h.text().contains("book the load test"), "{}", h.text());
}

#[test]
fn a_day_that_holds_too_much_is_told_and_gaps_are_filled() {
    let engine = demo();
    let mut h = Harness::new(&engine, 120, 30).unwrap();
    h.press("2 N").unwrap();
    assert!(h.text().contains("2026-02-04"), "the first day without an entry: {}", h.text());
    h.press("esc ;").unwrap().type_text("demo acme 12h 2026-02-04 : x").unwrap().press("enter").unwrap();
    assert!(h.text().contains("Wed 04 Feb now has 12h, a day holds 8h"), "{}", h.text());
}

#[test]
fn accounts_show_what_belongs_to_them_and_merge_with_a_preview() {
    let engine = demo();
    let mut h = Harness::new(&engine, 120, 40).unwrap();
    h.press("g /").unwrap().type_text("nordl").unwrap().press("enter").unwrap();
    let text = h.text();
    assert!(text.contains("── Nordlys") && text.contains("Partner portal"), "{text}");
    h.press("l").unwrap();
    assert!(h.text().contains("New activity") && h.text().contains("Nordlys"), "{}", h.text());
    h.press("esc y esc /").unwrap().type_text("casa").unwrap().press("enter M").unwrap();
    h.type_text("Nordlys").unwrap().press("enter").unwrap();
    assert!(
        h.text().contains("Merge Casa Verde into Nordlys?") && h.text().contains("activities"),
        "{}",
        h.text()
    );
    h.press("y").unwrap();
    assert!(h.text().contains("Merged into Nordlys"), "{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("Undone") && h.text().contains("Casa Verde"), "{}", h.text());
    insta::assert_snapshot!("accounts_at_120_by_40", h.press("esc esc").unwrap().text());
}

#[test]
fn an_account_is_erased_for_good_by_key() {
    let engine = demo();
    let mut h = Harness::new(&engine, 120, 40).unwrap();
    h.press("6 a").unwrap().type_text("Wanted To Be Forgotten").unwrap().press("ctrl-s").unwrap();
    h.press("/").unwrap().type_text("forgotten").unwrap().press("enter").unwrap();
    assert!(h.text().contains("── Wanted To Be Forgotten"), "{}", h.text());
    h.press("P").unwrap();
    assert!(h.text().contains("erase Wanted To Be Forgotten for good, why>"), "{}", h.text());
    h.type_text("a letter of 3 March").unwrap().press("enter").unwrap();
    assert!(h.text().contains("on every device? No undo"), "{}", h.text());
    h.press("n").unwrap();
    assert!(h.text().contains("── Wanted To Be Forgotten"), "nothing before a yes: {}", h.text());
    h.press("P").unwrap().type_text("a letter of 3 March").unwrap().press("enter y").unwrap();
    assert!(h.text().contains("Wanted To Be Forgotten erased for good"), "{}", h.text());
    h.press("g y").unwrap();
    assert!(!h.text().contains("Forgotten") && h.text().contains("account"), "{}", h.text());
}

#[test]
fn history_shows_what_changed_and_takes_it_back() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press(";").unwrap().type_text("demo acme 1h : for the history").unwrap().press("enter g y").unwrap();
    assert!(h.text().contains("added activity \"for the history\""), "{}", h.text());
    h.press("enter").unwrap();
    assert!(h.text().contains("summary: for the history"), "{}", h.text());
    h.press("esc U").unwrap();
    assert!(h.text().contains("Undone"), "{}", h.text());
    // The row of the activity is under the cursor still; once is enough.
    h.press("g g j U").unwrap();
    assert!(h.text().contains("That is taken back already"), "{}", h.text());
    h.press("/").unwrap().type_text("undo").unwrap().press("enter").unwrap();
    assert!(h.text().contains("undo: deleted activity"), "{}", h.text());
    insta::assert_snapshot!("history_at_100_by_30", h.text());
}

#[test]
fn admin_keeps_the_words_the_organisation_works_with() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("g m").unwrap();
    for _ in 0..7 {
        h.press("j").unwrap();
    }
    h.press("a").unwrap().type_text("Fleet telematics").unwrap().press("ctrl-s").unwrap();
    assert!(h.text().contains("Fleet telematics"), "{}", h.text());
    h.press("enter /").unwrap().type_text("fleet").unwrap().press("enter D").unwrap();
    assert!(h.text().contains("Archived: Fleet telematics"), "{}", h.text());
    h.press("z").unwrap();
    assert!(h.text().contains("Fleet telematics (archived)"), "{}", h.text());
    insta::assert_snapshot!("admin_at_100_by_30", h.text());
}

/// A conflict settled field by field, and many alike in one step with one undo.
#[test]
fn drafts_are_settled_by_field_and_in_bulk() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("9").unwrap();
    for _ in 0..3 {
        if !h.text().lines().any(|l| l.starts_with(">") && l.contains("conflict")) {
            h.press("j").unwrap();
        }
    }
    h.press("enter").unwrap();
    let text = h.text();
    assert!(text.contains("before") && text.contains("mine") && text.contains("theirs"), "{text}");
    h.press("m enter").unwrap();
    assert!(h.text().contains("Settled:"), "{}", h.text());
    h.press("u").unwrap();
    h.press("r").unwrap();
    assert!(h.text().contains("0 settled, "), "{}", h.text());
    h.press("*").unwrap();
    assert!(h.text().contains("4 marked"), "{}", h.text());
    h.press("t").unwrap();
    assert!(h.text().contains("Settled with theirs: 2 conflicts"), "{}", h.text());
}

/// The same with the vim keys, and with those of Emacs.
#[test]
fn other_keymaps_reach_the_same() {
    let engine = demo();
    let mut h = Harness::with_keymap(&engine, 100, 30, "vim").unwrap();
    h.press("g a h v y y").unwrap();
    assert!(!h.copied.is_empty() && h.text().contains("Copied 1 row"), "{}", h.text());
    h.press(":").unwrap().type_text("go home").unwrap().press("enter").unwrap();
    assert!(h.text().contains("> Wins & losses"), "{}", h.text());
    let mut h = Harness::with_keymap(&engine, 100, 30, "emacs").unwrap();
    h.press("2 ctrl-n ctrl-n ctrl-p ctrl-s").unwrap().type_text("workshop").unwrap().press("enter").unwrap();
    assert!(h.text().contains("filter: workshop"), "{}", h.text());
    h.press("alt-x").unwrap().type_text("new act").unwrap().press("ctrl-g a ctrl-x ctrl-s").unwrap();
    assert!(h.text().contains("New activity"), "the form refuses, it was asked to save: {}", h.text());
}

#[test]
fn a_line_that_drops_is_taken_up_where_it_was() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    h.press("2 o [ /").unwrap().type_text("demo").unwrap().press("enter j j").unwrap();
    let under = |text: &str| text.lines().find(|l| l.starts_with("> ")).map(str::to_owned);
    let before = h.text();
    h.send(Msg::Hangup).unwrap();
    let mut again = Harness::new(&engine, 100, 30).unwrap();
    let after = again.text();
    assert!(after.contains("filter: demo") && after.contains("[Jan 26]"), "{after}");
    assert_eq!(under(&before), under(&after));
    // Who quits starts at Home again.
    again.press("ctrl-q").unwrap();
    assert!(Harness::new(&engine, 100, 30).unwrap().text().contains("> Wins & losses"));
}

#[test]
fn two_places_stand_beside_each_other_on_a_wide_screen() {
    let engine = demo();
    let mut h = Harness::new(&engine, 200, 60).unwrap();
    h.press("2 6 |").unwrap();
    let text = h.text();
    assert!(text.contains("archived: hidden") && text.contains("owner: me"), "{text}");
    h.press("ctrl-w j").unwrap();
    assert!(h.text().starts_with(" 1 Home"), "{}", h.text());
    h.press("|").unwrap();
    assert!(!h.text().contains("archived: hidden"), "{}", h.text());
}

/// Screen readers get lines: what changed, and the row that the cursor is on.
#[test]
fn plain_mode_says_what_changed() {
    let pams = crate::program::Pams::new();
    let ran = pams.run_with(
        &["demo", "--plain"],
        "2\nj\n;\ndemo acme 2h : from a reader\n\\esc\n?\n\\esc\nnosuchkey\nctrl-q\n",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in
        ["A line is keys", "owner: me", "Logged: Demo, Acme Corp", "Keys of this place", "There is no key"]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'), "no cursor is moved");
    let moved = ran.out.split("\n.\n").nth(2).unwrap_or_default();
    assert!(moved.lines().count() <= 2 && moved.contains("> "), "{moved:?}");
}

/// What docs/tasks.md asks of a newcomer, with the keys it tells, counted.
#[test]
fn the_tasks_are_done_in_the_keys_that_are_told() {
    let text = std::fs::read_to_string("docs/tasks.md").unwrap();
    let mut done = 0;
    for line in text.lines().filter(|l| l.starts_with("| ") && l.contains('`')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [task, keys, shows] = cells.as_slice() else { panic!("{line}") };
        let engine = demo();
        let mut h = Harness::new(&engine, 80, 24).unwrap();
        let mut count = 0;
        for part in keys.trim_matches('`').split(' ') {
            // A text in quotes is typed, a key a character.
            match part.strip_prefix('"').and_then(|p| p.strip_suffix('"')) {
                Some(text) => {
                    let text = text.replace('_', " ");
                    count += text.chars().count();
                    h.type_text(&text).unwrap();
                }
                None => {
                    assert!(Key::parse(part).is_some(), "{task}: {part}");
                    count += 1;
                    h.press(part).unwrap();
                }
            }
        }
        let shows = shows.trim_matches('`');
        assert!(h.text().contains(shows), "{task}: {shows} is not on the screen\n{}", h.text());
        assert!(count <= 25, "{task} takes {count} keys");
        done += 1;
    }
    assert_eq!(done, 12);
}

/// The jobs of the design in keys, from the place where they begin.
#[test]
fn jobs_take_few_keys() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    // Repeat an activity: three keys in the list.
    h.press("2 y ctrl-s").unwrap();
    assert!(h.text().contains("Saved") || h.text().contains("Added"), "{}", h.text());
    // Log a day by the quick line: 28 keystrokes.
    let line = "demo acme 3h y : first talk";
    assert!(line.len() + 2 <= 30);
    h.press(";").unwrap().type_text(line).unwrap().press("enter").unwrap();
    assert!(h.text().contains("Logged"), "{}", h.text());
    // Any account: two keys, letters, Enter.
    h.press("g /").unwrap().type_text("kes").unwrap().press("enter").unwrap();
    assert!(h.text().contains("Kestrel Freight"), "{}", h.text());
    // All conflicts alike: three keys, and one more takes all of it back.
    h.press("9 * t").unwrap();
    assert!(h.text().contains("Settled with theirs: 2 conflicts"), "{}", h.text());
    h.press("u").unwrap();
    assert!(h.text().contains("Undone"), "{}", h.text());
    // A clean month from a workbook that is known: I, its path, Enter, C.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("march.csv");
    let mut rows = String::from("Opportunity ID,Account Name,Stage,Amount,Close Date,Owner\n");
    for n in 0..2_800 {
        rows.push_str(&format!("M{n},Acme Corp,Closed Won,{n},2026-01-{:02},Ana Duarte\n", 1 + n % 28));
    }
    std::fs::write(&file, &rows).unwrap();
    h.press("3 I").unwrap().type_text(file.to_str().unwrap()).unwrap().press("enter C").unwrap();
    assert!(h.text().contains("2800 added"), "{}", h.text());
    // 2,800 rows with the same fault: E would type it, a digit takes a choice for all.
    std::fs::write(&file, rows.replace("Closed Won", "Closed - signed").replace(",M", ",N")).unwrap();
    h.press("3 I").unwrap().type_text(file.to_str().unwrap()).unwrap().press("enter 1").unwrap();
    assert!(h.text().contains("2800 rows = 2800 won"), "{}", h.text());
    h.press("alt-1").unwrap();
    assert!(h.text().contains("> Wins & losses") && h.text().contains("8 Imports:1"), "{}", h.text());
    assert_eq!(
        engine.run(&LogLine { line: "demo kestrel 1h : x".into(), ack: vec![] }).unwrap().reply.saved.len(),
        1
    );
}

/// The neighbours of the account under the cursor are there before they are asked for.
#[test]
fn accounts_are_read_ahead() {
    let pams = crate::program::Pams::new();
    for n in 0..12 {
        pams.ok(&["account", "add", &format!("Account {n:02}")]);
    }
    assert!(pams.ok(&["doctor", "prefetch"]).contains("No account was looked at"));
    pams.run_with(&["--plain"], "6\nj\nj\nj\nj\nj\nctrl-q\n");
    let found = pams.json(&["doctor", "prefetch"]);
    let count = |name: &str| found["accounts"][name].as_u64().unwrap();
    assert!(count("hits") >= 4 && count("misses") <= 3, "{found}");
}

/// A whole file pasted by mistake neither hangs nor is lost without a word.
#[test]
fn megabytes_pasted_are_cut_and_told() {
    let engine = demo();
    let mut h = Harness::new(&engine, 300, 100).unwrap();
    h.press("2 a").unwrap().send(Msg::Paste("x".repeat(5_000_000))).unwrap();
    assert!(h.text().contains("Only the first 20000 characters were pasted"), "{}", h.text());
    h.press("esc y").unwrap();
    h.send(Msg::Paste("\u{1b}[2Jdemo acme 1h\n".repeat(300_000))).unwrap();
    assert!(h.text().contains("read from the note") && h.text().contains("Only the first"), "{}", h.text());
    h.press("esc y").unwrap().send(Msg::Paste("\u{1b}[2Jdemo acme 1h\nno more".into())).unwrap();
    assert!(h.text().contains("log> [2Jdemo acme 1h"), "{}", h.text());
}

/// What a trial found: nothing is offered back that was not done, nothing typed is lost.
#[test]
fn what_was_typed_or_not_done_is_told_as_it_is() {
    let engine = demo();
    let mut h = Harness::new(&engine, 100, 30).unwrap();
    // Saving what did not change offers no undo, which would take something else back.
    h.press("2 enter ctrl-s").unwrap();
    assert!(!h.text().contains("u undo\n Ana"), "{}", h.text());
    let toast = h.text().lines().rev().nth(1).unwrap_or_default().to_owned();
    assert!(toast.contains("Nothing to change") && !toast.contains("u undo"), "{toast}");
    // A filter that says nothing shows no rows under it.
    h.press("/").unwrap().type_text("before:xyz").unwrap().press("enter").unwrap();
    assert!(h.text().contains("Esc clears the filter") && !h.text().contains("Lakeside"), "{}", h.text());
    h.press("esc").unwrap();
    // Another's activities are found by their name, whoever is looked at.
    h.press("/").unwrap().type_text("owner:riko").unwrap().press("enter").unwrap();
    let text = h.text();
    assert!(text.contains("Riko Ito: ") && text.contains("owner: as filtered"), "{text}");
    assert!(text.contains("February 2026: 7."), "the sums above stay mine: {text}");
    h.press("esc").unwrap();
    // A step is not put off until nothing.
    h.press("F z enter").unwrap();
    assert!(h.text().contains("Write until when"), "{}", h.text());
    h.press("esc F").unwrap();
    // A step without a date is not out of sight.
    h.press(";").unwrap().type_text("demo orbit 1h >call_Bob : x").unwrap();
    h.press("enter F").unwrap();
    assert!(h.text().contains("no date (z)") && h.text().contains("call_Bob"), "{}", h.text());
    // The line that became a form asks before it goes; the line that was left comes back.
    h.press("esc ;").unwrap().type_text("demo acme 2h : kept").unwrap().press("ctrl-e esc").unwrap();
    assert!(h.text().contains("Keep what is typed?"), "{}", h.text());
    h.press("y ;").unwrap().type_text("demo acme 3h : again").unwrap().press("esc ; up").unwrap();
    assert!(h.text().contains("log> demo acme 3h : again"), "{}", h.text());
    h.press("esc").unwrap();
    // Names are found by any part, those that begin so first.
    h.press("1 /").unwrap().type_text("c").unwrap();
    let text = h.text();
    assert!(text.contains("Acme Corp") && text.contains("> Casa Verde"), "{text}");
    // What is done elsewhere is found, and leads there.
    h.press("esc ctrl-p").unwrap().type_text("export").unwrap();
    assert!(h.text().contains("Export what is listed to a file (in Activities)"), "{}", h.text());
    h.press("enter").unwrap();
    assert!(h.text().contains("owner: me"), "{}", h.text());
    h.press("g y G U").unwrap();
    assert!(h.text().contains("The first start of a store is not taken back"), "{}", h.text());
}
