//! The command line: what scripts rely on.

use crate::program::{Pams, texts};
use std::collections::BTreeSet;

#[test]
fn an_activity_lives_through_add_edit_undo_redo_delete() {
    let pams = Pams::with_names();
    let added = pams.json(&[
        "activity",
        "add",
        "--type",
        "demo",
        "--account",
        "acme",
        "--project",
        "platform",
        "--date",
        "2026-02-12",
        "--hours",
        "3",
        "--summary",
        "first talk",
    ]);
    let id = added["id"].as_str().unwrap();
    assert_eq!((added["account"].as_str(), added["effort_minutes"].as_i64()), (Some("Acme Corp"), Some(180)));
    pams.ok(&["activity", "edit", id, "--summary", "second talk", "--days", "0.5"]);
    let shown = pams.json(&["activity", "show", &id[20..]]);
    assert_eq!(
        (shown["summary"].as_str(), shown["effort_minutes"].as_i64()),
        (Some("second talk"), Some(240))
    );
    pams.ok(&["undo"]);
    assert_eq!(pams.summaries(), ["first talk"]);
    pams.ok(&["redo"]);
    assert_eq!(pams.summaries(), ["second talk"]);
    pams.ok(&["activity", "delete", id]);
    assert!(pams.summaries().is_empty());
    assert_eq!(pams.fails(4, &["activity", "show", id]).lines().count(), 2);
    pams.ok(&["undo"]);
    assert_eq!(pams.summaries(), ["second talk"]);
    let history = pams.json(&["history", "activity", id]);
    let what = texts(&history["items"], "what");
    assert_eq!(what, ["restore", "delete", "set", "set", "set", "create"]);
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}

/// P-001: the date follows what was logged last, per project first, and survives.
#[test]
fn the_date_starts_where_logging_stopped() {
    let pams = Pams::with_names();
    pams.log("demo orbit 1h mon");
    let second = pams.json(&["activity", "add", "--type", "demo", "--account", "orbit", "--hours", "1"]);
    assert_eq!(second["date"], "2026-02-16");
    pams.ok(&[
        "activity",
        "add",
        "--type",
        "demo",
        "--project",
        "platform",
        "--hours",
        "1",
        "--date",
        "2026-02-10",
    ]);
    let other = pams.json(&["activity", "add", "--type", "demo", "--account", "orbit", "--hours", "1"]);
    assert_eq!(other["date"], "2026-02-10", "the last used date of the user");
    pams.ok(&[
        "activity",
        "add",
        "--type",
        "demo",
        "--account",
        "orbit",
        "--hours",
        "1",
        "--date",
        "2026-02-18",
    ]);
    let project = pams.json(&["activity", "add", "--type", "demo", "--project", "platform", "--hours", "1"]);
    assert_eq!(project["date"], "2026-02-10", "the last used date of the project");
    assert!(pams.run(&["activity", "add", "--type", "demo", "--hours", "1"]).err.contains("last logged"));
    let err = pams.fails(3, &["activity", "add", "--type", "demo", "--hours", "1", "--date", "2026-02-21"]);
    assert!(err.contains("future"), "{err}");
    pams.ok(&["activity", "add", "--type", "demo", "--hours", "1", "--date", "2026-02-21", "--allow-future"]);
}

/// P-003 on the command line.
#[test]
fn only_enablement_may_have_no_effort_and_only_when_said() {
    let pams = Pams::with_names();
    let err = pams.fails(3, &["activity", "add", "--type", "enablement"]);
    assert!(err.contains("--allow-empty-effort"), "{err}");
    pams.ok(&["activity", "add", "--type", "enablement", "--allow-empty-effort"]);
    pams.fails(3, &["activity", "add", "--type", "demo", "--allow-empty-effort"]);
}

/// P-002, P-009: a total order, and the union of the pages is the whole.
#[test]
fn pages_are_the_list_without_gaps_or_repeats() {
    let pams = Pams::with_names();
    pams.ok(&["dev", "fill", "--activities", "700"]);
    let whole = pams.json(&["activity", "list", "--owner", "all", "--limit", "1000"]);
    let whole = texts(&whole["items"], "id");
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 700);
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let mut words = vec!["activity", "list", "--owner", "all", "--limit", "97"];
        let at: String;
        if let Some(next) = cursor {
            at = next;
            words.extend(["--cursor", at.as_str()]);
        }
        let page = pams.json(&words);
        pages.extend(texts(&page["items"], "id"));
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, whole);
    let dates =
        texts(&pams.json(&["activity", "list", "--owner", "all", "--limit", "1000"])["items"], "date");
    assert!(dates.windows(2).all(|w| w[0] >= w[1]), "newest first");
    pams.fails(2, &["activity", "list", "--cursor", "zz"]);
}

/// B-002: a changed date moves the activity between months.
#[test]
fn a_new_date_moves_to_its_month() {
    let pams = Pams::with_names();
    let id = pams.log("demo acme 1h 2026-02-03 : moves");
    let saved = pams.json(&["activity", "edit", &id, "--date", "2026-01-15"]);
    assert_eq!(saved["notes"], serde_json::json!(["moved to January 2026"]));
    let of = |month| texts(&pams.json(&["activity", "list", "--month", month])["items"], "summary");
    assert!(of("2026-02").is_empty());
    assert_eq!(of("2026-01"), ["moves"]);
}

#[test]
fn the_state_of_an_earlier_day_is_in_the_log() {
    let mut pams = Pams::with_names();
    let id = pams.log("demo acme 1h 2026-02-03 : before");
    pams.env[0].1 = "2026-03-05".into();
    pams.ok(&["activity", "edit", &id, "--summary", "after"]);
    pams.log("demo acme 1h 2026-03-04 : later");
    assert_eq!(pams.summaries(), ["later", "after"]);
    let then = pams.json(&["activity", "list", "--at", "2026-02-25"]);
    assert_eq!(texts(&then["items"], "summary"), ["before"]);
    let earlier = pams.json(&["activity", "list", "--at", "2026-02-01"]);
    assert_eq!(earlier["items"], serde_json::json!([]));
}

#[test]
fn a_line_logs_a_range_repeats_and_refuses_to_guess() {
    let pams = Pams::with_names();
    pams.ok(&["account", "add", "Acme North"]);
    assert_eq!(pams.json(&["log", "demo orbit mon-wed 1d"])["items"].as_array().unwrap().len(), 3);
    assert_eq!(pams.json(&["log", "= y : once more"])["items"][0]["summary"], "once more");
    let err = pams.fails(3, &["log", "demo acme 3h"]);
    assert!(err.contains("Acme Corp") && err.contains("Acme North"), "{err}");
    assert_eq!(pams.summaries().len(), 4, "nothing was logged by the refused line");
    pams.fails(3, &["log", "nothing known here"]);
    pams.fails(4, &["log", "demo orbit #nosuch 1h"]);
    let read = pams.json(&["log", "--dry-run", "demo orbit 2h fri #proof +Ana >call mon: talk"]);
    assert_eq!(read["quick"]["next_due"], "2026-02-23");
}

/// P-005: preview, merge, redirects, undo.
#[test]
fn merging_moves_every_use_and_undo_restores() {
    let pams = Pams::new();
    pams.ok(&["industry", "add", "Retail"]);
    pams.ok(&["industry", "add", "Retailing"]);
    pams.ok(&["account", "add", "Shop", "--industry", "Retailing"]);
    pams.ok(&["usecase", "add", "Shelf audit", "--industry", "retailing"]);
    let preview =
        pams.json(&["industry", "merge", "retail", "retailing", "--into", "Retail trade", "--dry-run"]);
    assert_eq!(preview["moved"], serde_json::json!({ "accounts": 1, "usecases": 1 }));
    let before = pams.json(&["db", "check"])["changes"].clone();
    let merged = pams.json(&["industry", "merge", "retail", "retailing", "--into", "Retail trade"]);
    assert_eq!(merged["item"]["name"], "Retail trade");
    assert_eq!(pams.json(&["account", "show", "shop"])["industry"], "Retail trade");
    assert_eq!(
        pams.json(&["industry", "show", "retailing"])["name"],
        "Retail trade",
        "the old name is an alias"
    );
    assert_eq!(pams.json(&["industry", "list"])["items"].as_array().unwrap().len(), 1);
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["account", "show", "shop"])["industry"], "Retailing");
    assert_eq!(pams.json(&["industry", "list"])["items"].as_array().unwrap().len(), 2);
    let check = pams.json(&["db", "check"]);
    assert_eq!(check["wrong"], serde_json::json!([]));
    assert!(check["changes"].as_u64() > before.as_u64());
}

/// P-004 and P-020.
#[test]
fn a_win_takes_the_only_project_and_one_is_featured() {
    let pams = Pams::with_names();
    let won = pams.json(&[
        "wins",
        "add",
        "--outcome",
        "win",
        "--account",
        "acme",
        "--amount",
        "84,000",
        "--date",
        "12",
    ]);
    assert_eq!((won["project"].as_str(), won["amount"].as_str()), (Some("Platform"), Some("84000.00")));
    assert_eq!(won["month"], "2026-02");
    let err = pams.fails(3, &["wins", "add", "--outcome", "loss", "--account", "orbit"]);
    assert!(err.contains("date"), "{err}");
    let err = pams.fails(3, &["wins", "add", "--outcome", "loss", "--account", "orbit", "--date", "12"]);
    assert!(err.contains("reason"), "{err}");
    pams.ok(&["wins", "add", "--outcome", "loss", "--account", "orbit", "--date", "12", "--reason", "price"]);
    pams.ok(&["project", "add", "Second", "--account", "acme", "--stage", "on hold"]);
    let second = pams.json(&[
        "wins",
        "add",
        "--outcome",
        "win",
        "--account",
        "acme",
        "--date",
        "13",
        "--amount",
        "5 USD",
    ]);
    assert_eq!(second["project"].as_str(), Some("Platform"), "the only open one");
    let callout = pams.json(&["wins", "callout"]);
    assert_eq!(callout["text"], "Wins & losses — February 2026: 2 wins · 1 loss · yours: 3");
    assert_eq!(callout["won"].as_array().unwrap().len(), 2, "a sum for each currency");
    for win in [&won, &second] {
        pams.ok(&["wins", "feature", win["id"].as_str().unwrap(), "--story", "Nine days."]);
    }
    let list = pams.json(&["wins", "list"]);
    let featured: Vec<_> =
        list["items"].as_array().unwrap().iter().filter(|w| w["featured"] == true).collect();
    assert_eq!(featured.len(), 1);
    assert_eq!(featured[0]["id"], second["id"]);
}

/// P-008 for local drafts: two people edit what both saw, nobody's text is lost.
#[test]
fn a_conflict_waits_as_a_draft_and_is_settled_by_field() {
    use pams::changes::Via;
    use pams::domain::Kind;
    use pams::services::records::{Save, Show};
    let pams = Pams::with_names();
    let id = pams.log("demo acme 1h 2026-02-03 : base");
    let socket = pams.path().join("state/pams.sock");
    let workers = pams::jobs::Workers::Here;
    let places = pams::engine::Places { store: pams.store(), socket, workers, lasting: true };
    let engine = pams::engine::Engine::open(places, Via::Cli, || 1_771_583_400_000, false).unwrap();
    let seen = engine.ask(&Show { kind: Kind::Activity, which: id.clone() }).unwrap().item;
    let edit = |summary: &str| Save {
        kind: Kind::Activity,
        id: Some(seen.id),
        input: [("summary".to_owned(), summary.to_owned())].into(),
        seen_rev: Some(seen.rev),
        ack: vec![],
    };
    assert_eq!(engine.run(&edit("theirs")).unwrap().reply.draft, None);
    let mine = engine.run(&edit("mine")).unwrap().reply;
    let draft = mine.draft.expect("a conflict makes a draft").to_string();
    drop(engine);
    assert_eq!(pams.summaries(), ["theirs"]);
    let shown = pams.json(&["drafts", "show", &draft[20..]]);
    assert_eq!(shown["fields"]["summary"], serde_json::json!(["base", "mine", "theirs"]));
    assert!(!shown["theirs_by"].as_str().unwrap().is_empty());
    pams.fails(2, &["drafts", "resolve", "last"]);
    pams.ok(&["drafts", "resolve", "last", "--field", "summary=mine"]);
    assert_eq!(pams.summaries(), ["mine"]);
    assert_eq!(pams.json(&["drafts", "list"])["items"], serde_json::json!([]));
    pams.ok(&["undo"]);
    assert_eq!(pams.summaries(), ["theirs"]);
    assert_eq!(
        pams.json(&["drafts", "list"])["items"].as_array().unwrap().len(),
        1,
        "undo brings the draft back"
    );
}

/// What waits is tried again together: forms and conflicts that nothing is in the way of any
/// more are settled, and nobody's value is written over.
#[test]
fn drafts_are_tried_again_together() {
    use pams::changes::Via;
    use pams::domain::Kind;
    use pams::services::drafts::KeepForm;
    use pams::services::records::{Save, Show};
    let pams = Pams::with_names();
    let ids = ["first", "second"].map(|text| pams.log(&format!("demo acme 1h 2026-02-03 : {text}")));
    let socket = pams.path().join("state/pams.sock");
    let workers = pams::jobs::Workers::Here;
    let places = pams::engine::Places { store: pams.store(), socket, workers, lasting: true };
    let engine = pams::engine::Engine::open(places, Via::Cli, || 1_771_583_400_000, false).unwrap();
    for id in &ids {
        let seen = engine.ask(&Show { kind: Kind::Activity, which: id.clone() }).unwrap().item;
        let edit = |summary: &str| Save {
            kind: Kind::Activity,
            id: Some(seen.id),
            input: [("summary".to_owned(), summary.to_owned())].into(),
            seen_rev: Some(seen.rev),
            ack: vec![],
        };
        engine.run(&edit("theirs")).unwrap();
        engine.run(&edit("mine")).unwrap().reply.draft.expect("a conflict makes a draft");
    }
    let input = [("type", "demo"), ("account", "Newco"), ("date", "2026-02-04"), ("effort", "2h")];
    let form = KeepForm {
        kind: Kind::Activity,
        target: None,
        title: "New activity".into(),
        message: String::new(),
        input: input.map(|(field, text)| (field.to_owned(), text.to_owned())).into(),
    };
    engine.run(&form).unwrap();
    drop(engine);
    let retried = pams.partly(&["drafts", "retry"]);
    assert_eq!(retried["settled"], serde_json::json!([]));
    let why = retried["left"].to_string();
    assert!(why.contains("a side has to be chosen for summary") && why.contains("Newco"), "{why}");
    assert_eq!(retried["left"].as_array().unwrap().len(), 3);
    // Somebody takes their change back; the account that the form names is made.
    pams.ok(&["activity", "edit", &ids[0], "--summary", "first"]);
    pams.ok(&["account", "add", "Newco"]);
    let retried = pams.partly(&["drafts", "retry"]);
    assert_eq!(retried["settled"].as_array().unwrap().len(), 2, "{retried}");
    assert_eq!(retried["left"].as_array().unwrap().len(), 1, "{retried}");
    let mut now = pams.summaries();
    now.sort();
    assert_eq!(now, ["", "mine", "theirs"], "{retried}");
    // Together done, together taken back.
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["drafts", "list"])["items"].as_array().unwrap().len(), 3);
    pams.ok(&["db", "check"]);
}

#[test]
fn undo_stops_before_the_set_up_and_skips_what_changed_nothing() {
    let pams = Pams::new();
    pams.fails(4, &["undo"]);
    pams.ok(&["account", "add", "Halden AG"]);
    assert!(pams.ok(&["account", "edit", "halden", "--region", ""]).starts_with("unchanged"));
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["account", "list"])["items"], serde_json::json!([]));
    pams.fails(4, &["undo"]);
    assert!(pams.ok(&["redo"]).contains("added account \"Halden AG\""));
    pams.ok(&["type", "list"]);
}

#[test]
fn what_looks_like_a_date_or_effort_is_not_taken_for_words() {
    let pams = Pams::with_names();
    for line in [
        "demo acme 3h 2026-02-31 hey",
        "demo acme 0h y",
        "demo acme 3h 31.2.2026",
        "demo acme 90m 31.2: x",
        "demo acme 2d 1h: x",
    ] {
        pams.fails(4, &["log", line]);
    }
    assert!(pams.fails(3, &["log", "demo nosuch 3h y hello"]).contains("\"nosuch\" names nothing known"));
    pams.ok(&["log", "demo acme 3h y : 2026-02-31 was no day"]);
    assert_eq!(pams.summaries(), ["2026-02-31 was no day"]);
}

#[test]
fn export_is_complete_and_runs_nothing() {
    let pams = Pams::with_names();
    pams.log("demo acme 1h 2026-02-03 : =2+3");
    pams.log("demo orbit 90m 2026-02-04 : \"quoted\", with comma");
    let file = pams.path().join("out.csv");
    pams.ok(&["activity", "export", "-o", file.to_str().unwrap()]);
    let mut csv = csv::Reader::from_path(&file).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let summaries: Vec<&str> = rows.iter().map(|r| &r[9]).collect();
    assert_eq!(summaries, ["\"quoted\", with comma", "'=2+3"]);
    assert_eq!((&rows[0][6], &rows[1][4]), ("1.5", "Acme Corp"));
}

#[test]
fn bad_places_get_a_sentence_and_a_code() {
    let pams = Pams::with_names();
    let store = pams.store();
    let whole = std::fs::read(&store).unwrap();
    std::fs::write(&store, b"not a store at all, but a text that is long enough to look at").unwrap();
    assert!(pams.fails(9, &["account", "list"]).contains("not a PAMS store"));
    std::fs::write(&store, b"").unwrap();
    assert!(pams.fails(9, &["account", "list"]).contains("is empty"), "no new store in its place");
    std::fs::write(&store, &whole[..whole.len() / 3]).unwrap();
    let err = pams.run(&["account", "list"]);
    assert!(err.code != 0 && !err.err.contains("panicked at"), "{err:?}");
    std::fs::write(&store, whole).unwrap();
    pams.ok(&["account", "list"]);
    pams.fails(6, &["--read-only", "account", "add", "X"]);
    pams.fails(2, &["account", "list", "--limit", "0"]);
    let out = pams.path().join("there.csv");
    std::fs::write(&out, "mine").unwrap();
    let export = ["activity", "export", "-o", out.to_str().unwrap()];
    assert!(pams.fails(2, &export).contains("already"));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    pams.ok(&[&export[..], &["--yes"]].concat());
    pams.ok(&["--read-only", "account", "list"]);
    assert!(pams.fails(2, &[]).contains("needs a terminal"));
    pams.fails(2, &["--profile", "../x", "account", "list"]);
    std::fs::create_dir_all(pams.path().join("config")).unwrap();
    std::fs::write(pams.path().join("config/config.toml"), "theme = \"dark\"\nkeymapp = \"x\"\n").unwrap();
    assert!(pams.fails(3, &["config", "show"]).contains("keymap"));
}

/// Every byte of a store may be wrong: an error, or an answer, never a panic that
/// reaches a person.
#[test]
fn flipped_bytes_never_panic_out_of_the_process() {
    let pams = Pams::with_names();
    pams.ok(&["dev", "fill", "--activities", "200"]);
    let whole = std::fs::read(pams.store()).unwrap();
    let mut at = 17usize;
    for round in 0..40 {
        let mut bytes = whole.clone();
        at = (at * 7919 + round * 104_729) % bytes.len();
        bytes[at] ^= 1 << (round % 8);
        std::fs::write(pams.store(), &bytes).unwrap();
        for words in [&["activity", "list", "--owner", "all", "--json"][..], &["db", "check", "--json"]] {
            let ran = pams.run(words);
            assert!(ran.code != 101, "byte {at}: {words:?} {ran:?}");
        }
    }
}

#[test]
fn the_texts_about_the_program_are_made_from_it() {
    let pams = Pams::new();
    assert!(pams.ok(&["keys"]).contains("go.activities"));
    assert_eq!(pams.json(&["theme", "list"])["current"], "terminal");
    assert!(pams.ok(&["completions", "bash"]).contains("pams"));
    assert!(pams.ok(&["man"]).contains(".TH"));
    assert!(pams.ok(&["config", "show", "--origin"]).contains("built in"));
    assert_eq!(pams.json(&["doctor"])["version"], env!("CARGO_PKG_VERSION"));
    let demo = pams.json(&["demo", "--check"]);
    assert_eq!(demo["callout"], "Wins & losses — February 2026: 7 wins · 3 losses · yours: 2");
    assert_eq!(demo["check"]["wrong"], serde_json::json!([]));
    assert!(demo["counts"]["activities"].as_u64() > Some(1_000));
    assert!(!pams.store().exists(), "the demo leaves the profile alone");
}

/// What an import did to mine is told once, and what was told can be put away.
#[test]
fn news_is_told_until_it_is_read() {
    let pams = Pams::with_names();
    let file = pams.path().join("wins.csv");
    let rows = "Opportunity ID,Account Name,Stage,Close Date,Owner\n1,Acme Corp,Won,2026-02-03,ana\n";
    std::fs::write(&file, rows).unwrap();
    pams.ok(&["wins", "import", file.to_str().unwrap()]);
    let news = pams.json(&["notices", "list"]);
    assert_eq!(texts(&news["items"], "text"), ["Your wins & losses: 1 won"]);
    pams.fails(4, &["notices", "read", "nosuch"]);
    assert_eq!(pams.json(&["notices", "read", news["items"][0]["id"].as_str().unwrap()])["read"], 1);
    assert_eq!(pams.json(&["notices", "list"])["items"], serde_json::json!([]));
    assert_eq!(pams.json(&["notices", "list", "--all"])["items"].as_array().unwrap().len(), 1);
    assert_eq!(pams.json(&["notices", "read"])["read"], 0);
    // Reading is no step back: one undo still takes the import.
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["wins", "list"])["items"], serde_json::json!([]));
}

/// People, teams and roles; two people may share a name as long as their e-mail tells
/// them apart.
#[test]
fn people_have_teams_and_roles() {
    let pams = Pams::new();
    pams.ok(&["team", "add", "North"]);
    pams.ok(&["role", "add", "Lead", "--verbs", "activity.read.team,wins.import"]);
    let lead = ["--team", "north", "--roles", "lead", "--email", "li@example.com"];
    let li = pams.json(&[&["user", "add", "Li Wei"][..], &lead].concat());
    assert_eq!((&li["team"], &li["roles"]), (&"North".into(), &serde_json::json!(["Lead"])));
    pams.fails(3, &["user", "add", "Li Wei"]);
    pams.ok(&["user", "add", "Li Wei", "--email", "wei@example.com"]);
    pams.fails(3, &["user", "show", "Li Wei"]);
    assert_eq!(pams.json(&["user", "show", "wei@example.com"])["name"], "Li Wei");
    pams.fails(5, &["role", "delete", "lead"]);
    let preset = ["preset", "add", "weekly", "--view", "activities", "--filter", "demo"];
    assert_eq!(pams.json(&preset)["filter"], "demo");
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}

/// A store that may only be read: looking works, changing says why not.
#[test]
fn a_store_that_cannot_be_written_can_be_looked_at() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let pams = Pams::with_names();
    let lock = |locked: bool| {
        for (path, open, shut) in [
            (pams.store(), 0o644, 0o444),
            (pams.path().join("data"), 0o755, 0o555),
            (pams.path().join("state"), 0o755, 0o555),
            (pams.path(), 0o755, 0o555),
        ] {
            let mode = if locked { shut } else { open };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    lock(true);
    let run = |words: &[&str]| {
        let mut command = pams.command(words);
        // The administrator may write anywhere: somebody else looks.
        let root = std::process::Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
        if root {
            command.uid(65_534).gid(65_534);
        }
        command.output()
    };
    let looked = run(&["--read-only", "account", "list"]);
    let (changed, plain) = (run(&["--read-only", "account", "add", "X"]), run(&["account", "list"]));
    lock(false);
    let (Ok(looked), Ok(changed), Ok(plain)) = (looked, changed, plain) else {
        println!("skipped: the program cannot be started as another user here");
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(text(&looked.stdout).contains("Acme Corp"), "{looked:?}");
    assert_eq!(changed.status.code(), Some(6), "{changed:?}");
    assert!(text(&plain.stderr).contains("cannot be written"), "{plain:?}");
    assert_eq!(plain.status.code(), Some(1));
}

/// What is typed wrongly is answered with what is wrong about it and what to do.
#[test]
fn wrong_words_are_answered_in_words() {
    let pams = Pams::with_names();
    pams.ok(&["account", "archive", "Orbit Labs"]);
    pams.ok(&["account", "add", "Beta"]);
    for email in ["li@example.com", "wei@example.com"] {
        pams.ok(&["user", "add", "Li Wei", "--email", email]);
    }
    let demo = |more: &[&'static str]| [&["activity", "add", "--type", "demo"][..], more].concat();
    let cases: [(i32, Vec<&str>, &str); 10] = [
        (2, demo(&["--account", "acme", "--hours", "abc"]), "\"abc\" is not a number of hours"),
        (3, demo(&["--account", "Orbit Labs", "--hours", "1"]), "archive --undo Orbit Labs"),
        (3, demo(&["--account", "Beta", "--project", "Platform", "--hours", "1"]), "a project of Acme Corp"),
        (3, vec!["activity", "add", "--type", "nosuch", "--hours", "1"], "There are Discovery, Demo"),
        (3, vec!["log", "demo acme 1h yesterday +li talk"], "\"li\" fits 2 users"),
        (2, vec!["undo", "nosuch"], "pams recent"),
        (1, vec!["activity", "export", "-o", "/nosuch/dir/x.csv"], "no such file or directory\n"),
        (2, vec!["activity", "list", "--month", "2026-13"], "write it as 2026-02"),
        (4, vec!["wins", "rejects", "nosuch"], "nosuch"),
        (
            3,
            vec!["wins", "add", "--outcome", "win", "--account", "acme", "--date", "2027-01-01"],
            "--allow-future",
        ),
    ];
    for (code, words, said) in cases {
        let ran = pams.run(&words);
        assert!(ran.code == code && ran.err.contains(said), "{words:?}: {} {}", ran.code, ran.err);
    }
    let later =
        ["wins", "add", "--outcome", "win", "--account", "acme", "--date", "2027-01-01", "--allow-future"];
    pams.ok(&later);
    let guest = pams.json(&["log", "demo acme 1h yesterday +visiting_guest: talk"]);
    assert_eq!(guest["items"][0]["participants"], serde_json::json!(["visiting guest"]), "{guest}");
}

/// A clock that went back is told, and the work goes on.
#[test]
fn a_clock_that_went_back_is_told() {
    let mut pams = Pams::with_names();
    pams.log("demo acme 1h today: at the right time");
    pams.env = vec![("PAMS_NOW".into(), "2026-01-05".into())];
    assert!(pams.ok(&["doctor"]).contains("warning   This machine's clock"), "doctor says it, too");
    let ran = pams.run(&["log", "demo acme 1h today: at the wrong time"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("warning: This machine's clock says 2026-01-05"), "{ran:?}");
    pams.env = vec![("PAMS_NOW".into(), "2026-02-21".into())];
    let ran = pams.run(&["activity", "list", "--owner", "all"]);
    assert!(!ran.err.contains("clock"), "{ran:?}");
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}

/// Two records of one person become one, found again by either e-mail; me stays me.
#[test]
fn people_are_merged_and_the_organisation_is_edited() {
    let pams = Pams::with_names();
    pams.ok(&["user", "add", "Riko Ito", "--email", "riko@example.com"]);
    pams.ok(&["user", "add", "R. Ito", "--email", "r.ito@example.com"]);
    let demo = ["activity", "add", "--type", "demo", "--account", "acme", "--hours", "1"];
    pams.ok(&[&demo[..], &["--owner", "r.ito@example.com"]].concat());
    let merged = pams.json(&["user", "merge", "riko@example.com", "r.ito@example.com"]);
    assert_eq!((&merged["merged"], &merged["moved"]["activities"]), (&1.into(), &1.into()), "{merged}");
    assert_eq!(pams.json(&["user", "show", "r.ito@example.com"])["name"], "Riko Ito");
    assert!(pams.fails(5, &["user", "merge", "riko@example.com", "me"]).contains("--base me"));
    pams.ok(&["undo"]);
    assert_eq!(pams.json(&["user", "show", "r.ito@example.com"])["name"], "R. Ito");
    pams.ok(&["tenant", "edit", "--name", "Acme EMEA", "--currency", "USD", "--day-minutes", "7.5h"]);
    assert_eq!(pams.json(&["tenant", "show"])["name"], "Acme EMEA");
    pams.fails(3, &["tenant", "edit", "--zone", "Mars/Base"]);
    let win = ["wins", "add", "--outcome", "win", "--account", "acme", "--amount", "5", "--date", "y"];
    assert_eq!(pams.json(&win)["amount_currency"], "USD");
    assert_eq!(pams.json(&["db", "check"])["wrong"], serde_json::json!([]));
}
