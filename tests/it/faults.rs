//! What goes wrong between a device and its remote instance: lines that break, weeks
//! without one, two who do the same at once.

use crate::program::{Pams, texts};
use crate::served::{Server, state_hash};
use pams::changes::codec;
use pams::domain::Id;
use pams::domain::schema::{Kind, name_of};
use pams::store::{Reads, Store};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A line between devices and a server that breaks after so many bytes, each time.
struct Line {
    url: String,
    /// Bytes until the next break; 0 for a line that holds.
    bytes: Arc<AtomicU64>,
    breaks: Arc<AtomicUsize>,
}

impl Line {
    fn to(server: &Server) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let to: SocketAddr = server.url.trim_start_matches("https://").parse().unwrap();
        let (bytes, breaks) = (Arc::<AtomicU64>::default(), Arc::<AtomicUsize>::default());
        let (left, broken) = (bytes.clone(), breaks.clone());
        std::thread::spawn(move || {
            for device in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(to) else { continue };
                let mut life = left.load(Ordering::Relaxed);
                life = if life == 0 { u64::MAX } else { life };
                let budget = Arc::new(AtomicU64::new(life));
                let ways = [(device.try_clone().unwrap(), server.try_clone().unwrap()), (server, device)];
                for (from, to) in ways {
                    let (budget, broken) = (budget.clone(), broken.clone());
                    std::thread::spawn(move || carry(from, to, &budget, &broken));
                }
            }
        });
        Line { url, bytes, breaks }
    }

    /// Breaks each connection from now on after so many bytes.
    fn break_after(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

/// Carries bytes one way until the line breaks; what is carried before counts for both ways.
fn carry(mut from: TcpStream, mut to: TcpStream, budget: &AtomicU64, broken: &AtomicUsize) {
    let mut buffer = [0; 4_096];
    while let Ok(n) = from.read(&mut buffer) {
        let left = budget.load(Ordering::Relaxed);
        let some = left.min(n as u64);
        if n == 0 || to.write_all(&buffer[..some as usize]).is_err() {
            break;
        }
        if budget.fetch_sub(some, Ordering::Relaxed) <= some {
            broken.fetch_add(1, Ordering::Relaxed);
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn admins() -> (Server, Pams, Pams) {
    let server = Server::new();
    let file = server.pams.path().join("password").display().to_string();
    server.pams.ok(&["user", "add", "Nia", "--role", "admin", "--password-file", &file]);
    let (root, nia) = (server.device("Root"), server.device("Nia"));
    (server, root, nia)
}

const WINS: &str = "Account,Opportunity Id,Opportunity,Stage,Close Date,Amount,Owner\n";

fn workbook(pams: &Pams, name: &str, rows: &str) -> String {
    let path = pams.path().join(name);
    std::fs::write(&path, format!("{WINS}{rows}")).unwrap();
    path.display().to_string()
}

fn opportunities(pams: &Pams) -> Vec<String> {
    let mut names = texts(&pams.json(&["wins", "list", "--month", "2026-02"])["items"], "opportunity");
    names.sort();
    names
}

/// One workbook is the month's; the other waits whole, and can be put in its place.
#[test]
fn two_admins_at_one_month_make_one_import_and_one_draft() {
    let (server, root, nia) = admins();
    let ben = server.device("Ben");
    let first = workbook(
        &root,
        "root.csv",
        "Acme,o1,Platform,Closed Won,2026-02-03,1000,Ben\nOrbit,o2,Renewal,Closed Lost,2026-02-04,500,Ana\n",
    );
    let other = workbook(
        &nia,
        "nia.csv",
        "Acme,o1,Platform,Closed Won,2026-02-03,1200,Ben\nZeta,o3,Pilot,Closed Won,2026-02-05,70,Ana\n",
    );
    root.ok(&["wins", "import", &first, "--month", "2026-02", "--yes"]);
    nia.ok(&["wins", "import", &other, "--month", "2026-02", "--yes"]);
    assert_eq!(opportunities(&nia), ["Pilot", "Platform"]);
    root.ok(&["sync"]);
    let ran = nia.run(&["sync", "--json"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    let synced: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(synced["new_drafts"], json!(1), "the whole import is one draft: {synced}");
    ben.ok(&["sync"]);
    for one in [&root, &nia, &ben] {
        one.run(&["sync"]);
        assert_eq!(opportunities(one), ["Platform", "Renewal"], "one import, not a mixture");
    }
    assert_eq!(ben.json(&["notices", "list"])["items"].as_array().unwrap().len(), 1);
    let draft = nia.json(&["drafts", "show", "last"]);
    assert_eq!(draft["fields"]["batch"], json!(["-", "nia.csv", "root.csv"]), "{draft}");
    assert_eq!(draft["target_name"], json!("import of wins for February 2026"));
    assert!(draft["held"].as_u64().unwrap() > 3 && draft["theirs_by"] == "Root", "{draft}");
    // Hers instead: theirs is taken back, hers is made, in one step that undo takes back.
    nia.ok(&["drafts", "resolve", "last", "--choose", "mine"]);
    assert_eq!(nia.json(&["sync"])["drafts"], json!(0));
    root.ok(&["sync"]);
    for one in [&root, &nia] {
        assert_eq!(opportunities(one), ["Pilot", "Platform"]);
    }
    nia.ok(&["undo"]);
    nia.ok(&["sync"]);
    root.ok(&["sync"]);
    assert_eq!(opportunities(&root), ["Platform", "Renewal"]);
    ben.ok(&["sync"]);
    let whole = state_hash(&server.stop());
    assert_eq!((state_hash(&root), state_hash(&nia)), (whole.clone(), whole.clone()));
    assert_eq!(state_hash(&ben), whole);
}

/// An import of several months has all of them or none.
#[test]
fn an_import_that_loses_one_month_takes_none() {
    let (server, root, nia) = admins();
    let first = workbook(&root, "root.csv", "Acme,o1,Platform,Closed Won,2026-02-03,1000,Ben\n");
    let other = workbook(
        &nia,
        "nia.csv",
        "Zeta,o4,Early,Closed Won,2026-01-05,70,Ana\nZeta,o3,Pilot,Closed Won,2026-02-05,70,Ana\n",
    );
    root.ok(&["wins", "import", &first, "--yes"]);
    nia.ok(&["wins", "import", &other, "--yes"]);
    root.ok(&["sync"]);
    assert_eq!(nia.run(&["sync"]).code, 5);
    root.ok(&["sync"]);
    let http = server.signed_in("Root");
    let ask = json!({ "kind": "MonthState", "filter": null, "archived": true, "account": null, "limit": 9, "cursor": null });
    let claims = || {
        let page = http.get(&format!("/api/v1/query/record.list?request={ask}")).json();
        texts(&page["items"], "batch")
    };
    assert_eq!(claims(), ["root.csv"], "January is nobody's");
    let january =
        |pams: &Pams| texts(&pams.json(&["wins", "list", "--month", "2026-01"])["items"], "opportunity");
    assert_eq!((january(&nia), opportunities(&nia)), (vec![], vec!["Platform".to_owned()]));
    assert_eq!(nia.json(&["drafts", "list"])["items"].as_array().unwrap().len(), 1);
    nia.ok(&["drafts", "resolve", "last", "--choose", "mine"]);
    nia.ok(&["sync"]);
    root.ok(&["sync"]);
    assert_eq!(claims(), ["nia.csv", "nia.csv"]);
    for one in [&root, &nia] {
        assert_eq!((january(one), opportunities(one)), (vec!["Early".to_owned()], vec!["Pilot".to_owned()]));
    }
    let whole = state_hash(&server.stop());
    assert_eq!((state_hash(&root), state_hash(&nia)), (whole.clone(), whole));
}

/// Two planners who split the territories apart have one split, and one draft.
#[test]
fn two_splits_made_apart_make_one_split_and_one_draft() {
    let (server, root, nia) = admins();
    let mut csv = String::from("Outlet Code,Outlet Name,Region,Territory,Latitude,Longitude\n");
    for n in 0..600 {
        let place = format!("{:.4},{:.4}", 38.0 + n as f64 / 900.0, -9.0 + (n % 37) as f64 / 90.0);
        csv += &format!("O{n:04},Shop {n},R{},T{},{place}\n", n % 2, n % 6);
    }
    let path = root.path().join("outlets.csv");
    std::fs::write(&path, csv).unwrap();
    root.ok(&["outlets", "import", &path.display().to_string(), "--yes"]);
    root.ok(&["sync"]);
    nia.ok(&["sync"]);
    let split = |pams: &Pams, level: &str| {
        pams.ok(&["territory", "split", "--levels", "region,territory", "--level", level, "--yes"]);
    };
    let units = |pams: &Pams| texts(&pams.json(&["territory", "list"])["items"], "name").len();
    split(&root, "region");
    split(&nia, "territory");
    assert_eq!((units(&root), units(&nia)), (2, 6));
    root.ok(&["sync"]);
    let ran = nia.run(&["sync", "--json"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    assert_eq!((units(&nia), units(&server.pams)), (2, 2), "one split, not a mixture");
    let draft = nia.json(&["drafts", "show", "last"]);
    assert_eq!(
        (&draft["target_name"], draft["held"].as_u64() >= Some(6)),
        (&json!("split of the territories"), true),
        "{draft}"
    );
    let sides = draft["fields"]["made"].to_string();
    assert!(sides.contains("6 units by territory") && sides.contains("2 units by region"), "{sides}");
    nia.ok(&["drafts", "resolve", "last", "--choose", "mine"]);
    nia.ok(&["sync"]);
    root.ok(&["sync"]);
    assert_eq!((units(&root), units(&nia), units(&server.pams)), (6, 6, 6));
    // What is so already is no change.
    let before = nia.json(&["remote", "status"])["seq"].clone();
    split(&nia, "territory");
    nia.ok(&["sync"]);
    assert_eq!(nia.json(&["remote", "status"])["seq"], before);
    let whole = state_hash(&server.stop());
    assert_eq!((state_hash(&root), state_hash(&nia)), (whole.clone(), whole));
}

/// Who looked at what an import would do is told when somebody else did it meanwhile.
#[test]
fn a_month_imported_meanwhile_is_not_replaced_unseen() {
    let (server, root, nia) = admins();
    let first = workbook(&root, "root.csv", "Acme,o1,Platform,Closed Won,2026-02-03,1000,Ben\n");
    let other = workbook(&nia, "nia.csv", "Zeta,o3,Pilot,Closed Won,2026-02-05,70,Ana\n");
    // Hers was looked at before theirs was made.
    nia.ok(&["wins", "import", &other, "--month", "2026-02", "--review"]);
    root.ok(&["wins", "import", &first, "--month", "2026-02", "--yes"]);
    root.ok(&["sync"]);
    nia.ok(&["sync"]);
    let listed = nia.json(&["import", "list"]);
    let review = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let said = nia.fails(5, &["import", "commit", &review]);
    assert!(said.contains("Root imported February 2026 since this review began"), "{said}");
    assert_eq!(opportunities(&nia), ["Platform"]);
    nia.ok(&["import", "commit", &review, "--yes"]);
    assert_eq!(opportunities(&nia), ["Pilot"]);
    drop(server);
}

/// Whatever breaks between two bytes, everything is there once in the end.
#[test]
fn a_line_that_breaks_a_hundred_times_loses_and_doubles_nothing() {
    let server = Server::new();
    let line = Line::to(&server);
    let password = server.pams.path().join("password").display().to_string();
    let sign_in = |user: &str| {
        let device = Pams::new();
        let words = ["login", &line.url, "--user", user, "--password-file", &password, "--pin", &server.pin];
        device.json(&words);
        device
    };
    let (ana, ben) = (sign_in("Ana"), sign_in("Ben"));
    ana.ok(&["account", "add", "Acme Corp"]);
    let mut logged = 0;
    let mut bytes = 900;
    let mut rounds = 0;
    while line.breaks.load(Ordering::Relaxed) < 100 {
        rounds += 1;
        assert!(rounds < 400, "the line does not break: {}", line.breaks.load(Ordering::Relaxed));
        for device in [&ana, &ben] {
            if logged < 40 {
                device.run(&["log", &format!("demo acme 1h : entry {logged}")]);
                logged += 1;
            }
            // Somewhere else each time: in the handshake, a request, an answer.
            bytes = 900 + (bytes * 7 + 1_313) % 9_000;
            line.break_after(bytes);
            let code = device.run(&["sync"]).code;
            assert!([0, 5, 7].contains(&code), "{code}");
        }
    }
    line.break_after(0);
    for device in [&ana, &ben, &ana] {
        device.ok(&["sync"]);
    }
    let mut all = ana.summaries();
    all.sort();
    assert_eq!(all, {
        let mut b = ben.summaries();
        b.sort();
        b
    });
    let before = all.len();
    all.dedup();
    assert_eq!(all.len(), before, "nothing doubled");
    let whole = state_hash(&server.stop());
    assert_eq!((state_hash(&ana), state_hash(&ben)), (whole.clone(), whole));
}

/// What is erased is erased everywhere, and nobody who did not know brings it back.
#[test]
fn what_is_purged_is_nowhere_any_more() {
    let (server, root, _) = admins();
    let ben = server.device("Ben");
    let secret = "Leonora Quist";
    root.ok(&["account", "add", secret, "--region", "south"]);
    root.ok(&["sync"]);
    ben.ok(&["sync"]);
    // A conflict, so that a draft holds values of it too; and an edit on the way.
    ben.ok(&["account", "edit", secret, "--region", "Quist north"]);
    root.ok(&["account", "edit", secret, "--region", "Quist west"]);
    root.ok(&["sync"]);
    assert_eq!(ben.run(&["sync"]).code, 5);
    let backup = server.pams.json(&["backup", "now"])["path"].as_str().unwrap().to_owned();
    ben.ok(&["account", "edit", secret, "--website", "quist.example"]);
    ben.fails(6, &["account", "purge", secret, "--why", "her request", "--yes"]);
    assert_eq!(root.run(&["account", "purge", secret, "--why", "her request"]).code, 2, "it asks");
    root.ok(&["account", "purge", secret, "--why", "her request", "--yes"]);
    root.ok(&["sync"]);
    assert_eq!(ben.run(&["sync"]).code, 0, "an edit of what is gone is no conflict");
    root.ok(&["sync"]);
    // A store that is written anew holds none of it; the file's free pages may, until then.
    let nowhere = |pams: &Pams| {
        let whole = pams.json(&["backup", "now"])["path"].as_str().unwrap().to_owned();
        let bytes = std::fs::read(whole).unwrap();
        let found = |word: &str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
        assert!(!found("Leonora") && !found("Quist") && !found("quist.example"));
    };
    for one in [&server.pams, &root, &ben] {
        assert!(!one.ok(&["account", "list", "--archived"]).contains("Leonora"));
        nowhere(one);
    }
    assert_eq!(ben.json(&["drafts", "list"])["items"], json!([]));
    root.fails(4, &["account", "purge", secret, "--why", "again", "--yes"]);
    let server = server.stop();
    let whole = state_hash(&server);
    assert_eq!((state_hash(&root), state_hash(&ben)), (whole.clone(), whole));
    // A backup from before does not bring it back either.
    server.ok(&["backup", "restore", &backup, "--yes"]);
    assert!(!server.ok(&["account", "list", "--archived"]).contains("Leonora"));
    nowhere(&server);
    state_hash(&server);
}

/// Who took a unit is the one who changes it, also against who did not know of it yet.
#[test]
fn a_unit_that_somebody_took_waits_for_nobody_else() {
    let (server, root, nia) = admins();
    let mut csv = String::from("Outlet Code,Outlet Name,Region,Territory,City,Latitude,Longitude\n");
    for n in 0..400 {
        let (region, territory) = (n % 2, n % 4);
        csv += &format!(
            "O{n:04},Shop {n},0{region},T{territory},Town,5{region}.{:04},9.{:04}\n",
            1_000 + n,
            2_000 + n
        );
    }
    std::fs::write(root.path().join("outlets.csv"), csv).unwrap();
    root.ok(&["outlets", "import", &root.path().join("outlets.csv").display().to_string(), "--yes"]);
    let split = |pams: &Pams, most: &str| {
        pams.run(&["territory", "split", "--level", "region", "--max-outlets", most, "--yes"])
    };
    assert_eq!(split(&root, "300").code, 0);
    root.ok(&["sync"]);
    nia.ok(&["sync"]);
    let unit = root.json(&["territory", "list"])["items"][0]["name"].as_str().unwrap().to_owned();
    let locked = root.json(&["territory", "lock", &unit, "--note", "planning March"]);
    assert_eq!((&locked["holder"], &locked["name"]), (&json!("Root"), &json!(unit)));
    assert!(nia.fails(5, &["territory", "lock", &unit]).contains("Root holds that unit"));
    // She has not heard of it: what she does waits at the server.
    assert_eq!(split(&nia, "120").code, 0);
    let ran = nia.run(&["sync", "--json"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    let draft = nia.json(&["drafts", "list"])["items"].to_string();
    assert!(draft.contains("Root holds that planning unit"), "{draft}");
    // Now she has, and is told at once.
    assert_eq!(nia.json(&["territory", "locks"])["items"][0]["holder"], json!("Root"));
    assert_eq!(split(&nia, "100").code, 6);
    nia.fails(3, &["territory", "unlock", &unit]);
    nia.ok(&["territory", "unlock", &unit, "--why", "Root is on leave"]);
    let mine = nia.json(&["territory", "lock", &unit]);
    assert!(mine["token"].as_u64() > locked["token"].as_u64(), "{mine}");
    root.ok(&["sync"]);
    assert_eq!(split(&root, "100").code, 6);
    // Without the line no unit is taken.
    drop(server);
    assert_eq!(root.run(&["territory", "lock", &unit]).code, 7);
}

/// Takes all the room of a file system but so many bytes.
fn fill(folder: &std::path::Path, but: u64) -> std::path::PathBuf {
    let path = folder.join("filler");
    let mut filler = std::fs::File::create(&path).unwrap();
    let disk = rustix::fs::statvfs(folder).unwrap();
    let mut left = (disk.f_bavail * disk.f_frsize).saturating_sub(but);
    let zeros = vec![0; 1 << 16];
    while left > 0 {
        let most = left.min(zeros.len() as u64) as usize;
        match filler.write(&zeros[..most]) {
            Ok(written) if written > 0 => left -= written as u64,
            _ => break,
        }
    }
    path
}

/// Wants a small file system of its own, such as `mount -t tmpfs -o size=64m tmpfs FOLDER`,
/// named by PAMS_SMALL_DISK.
#[test]
fn a_server_whose_disk_is_full_says_so_and_goes_on() {
    let Ok(small) = std::env::var("PAMS_SMALL_DISK") else {
        return println!("skipped: PAMS_SMALL_DISK names no small file system");
    };
    let small = std::path::Path::new(&small);
    let server = Server::of(Pams::under(small));
    let http = server.signed_in("Ana");
    let ana = server.device("Ana");
    let save = |name: &str| {
        let body =
            json!({ "kind": "Account", "id": null, "input": { "name": name }, "seen_rev": null, "ack": [] });
        http.post("/api/v1/do/record.save", &body)
    };
    let first = save("Before");
    assert_eq!((first.status, http.get("/health/ready").status), (200, 200), "{}", first.text);
    let (mut saved, mut refused) = (vec!["Before".to_owned()], 0);
    for round in 0..6 {
        let filler = fill(small, (round * 48) << 10);
        let mut told = 0;
        for n in 0..400 {
            let name = format!("Account {round} {n} {}", "x".repeat(300));
            let answer = save(&name);
            match answer.status {
                200 => saved.push(name),
                status => {
                    assert_eq!(
                        (status, answer.json()["code"].clone()),
                        (507, json!("disk_full")),
                        "{}",
                        answer.text
                    );
                    told += 1;
                }
            }
            if told == 5 {
                break;
            }
        }
        assert!(told > 0, "round {round} found room for all");
        refused += told;
        // What a device saves meanwhile waits there.
        let own = format!("From a device {round}");
        ana.ok(&["account", "add", &own]);
        assert_eq!(ana.run(&["sync"]).code, 7);
        assert_eq!((http.get("/health/ready").status, http.get("/health/live").status), (507, 200));
        assert_eq!(http.get("/api/v1/activities?month=2026-02").status, 200, "reading goes on");
        std::fs::remove_file(filler).unwrap();
        let after = save(&format!("After {round}"));
        assert_eq!((after.status, http.get("/health/ready").status), (200, 200), "{}", after.text);
        saved.push(format!("After {round}"));
        ana.ok(&["sync"]);
        saved.push(own);
    }
    let home = server.stop();
    home.ok(&["db", "check"]);
    let store = Store::open(&home.store()).unwrap();
    let mut names = Vec::new();
    let mut take = |_, bytes: &[u8]| {
        let head = codec::decode_head(bytes).unwrap();
        names.extend(name_of(Kind::Account, &head.fields).map(str::to_owned));
        ControlFlow::Continue(())
    };
    store.view().unwrap().heads(Kind::Account, Id::default(), &mut take).unwrap();
    let missing: Vec<&String> = saved.iter().filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    assert_eq!(names.len(), saved.len(), "and nothing that was refused is there");
    println!("{} saved, {refused} refused, none lost", saved.len());
}
