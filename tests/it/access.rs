//! Who is let in, and to what: signing in, sessions, keys, rights, limits.

use crate::program::{NOW, Pams};
use crate::remote::certificates;
use crate::served::{Http, PASSWORD, Server};
use pams::server::routes::{Needs, ROUTES};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn rights_hold_whichever_way_a_change_comes() {
    let server = Server::new();
    let vera = server.device("Vera");
    // On the device of somebody who signed in it is refused at once …
    let ran = vera.run(&["account", "add", "Nobody's"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("account.write"), "the missing permission is named: {}", ran.err);
    // … and over HTTP; what a role lists may be done.
    let http = server.signed_in("Vera");
    let save =
        json!({ "kind": "Account", "id": null, "input": { "name": "X" }, "seen_rev": null, "ack": [] });
    let answer = http.post("/api/v1/do/record.save", &save);
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("denied")), "{}", answer.text);
    let ana = server.signed_in("Ana");
    assert_eq!(ana.post("/api/v1/do/record.save", &save).status, 200);
    assert_eq!(ana.get("/api/v1/activities?month=2026-02&owner=me").status, 200);
    assert_eq!(ana.get("/metrics").status, 403);
    // A role that is given later is in force with the next request.
    server.pams.ok(&["user", "edit", "Vera", "--role", "presales"]);
    let save =
        json!({ "kind": "Account", "id": null, "input": { "name": "Y" }, "seen_rev": null, "ack": [] });
    assert_eq!(http.post("/api/v1/do/record.save", &save).status, 200);
    // And of two that do the same under one key, one is done.
    let save =
        json!({ "kind": "Account", "id": null, "input": { "name": "Z" }, "seen_rev": null, "ack": [] });
    let once = || {
        let body = save.to_string();
        let keyed = |r: reqwest::RequestBuilder| {
            r.header("x-pams", "1")
                .header("content-type", "application/json")
                .header("idempotency-key", "k1")
                .body(body)
        };
        ana.send(keyed, "post", "/api/v1/do/record.save")
    };
    let (first, second) = (once(), once());
    assert_eq!((first.status, second.status), (200, 200), "{}", second.text);
    assert_eq!(first.json(), second.json());
}

#[test]
fn signing_in_asks_for_what_was_set_and_tells_nothing_else() {
    let server = Server::new();
    let http = server.http();
    let sign_in = |user: &str, password: &str, code: &str| {
        http.post("/api/v1/session", &json!({ "user": user, "password": password, "code": code }))
    };
    let wrong = sign_in("Ana", "not this one", "");
    let nobody = sign_in("Nobody", "not this one", "");
    assert_eq!(wrong.alike(), nobody.alike(), "who exists is not told");
    assert_eq!((wrong.status, &wrong.json()["code"]), (401, &json!("login_wrong")));
    let answer = sign_in("Ana", PASSWORD, "");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for word in ["__Host-pams=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    // A second sign-in has another secret: one planted before is worth nothing.
    assert_ne!(answer.cookie(), sign_in("Ana", PASSWORD, "").cookie());
    // Growing delay, no lock-out: the right password counts again afterwards.
    (0..5).for_each(|_| drop(sign_in("Ben", "not this one", "")));
    let last = sign_in("Ben", "not this one", "");
    assert_eq!((last.status, &last.json()["code"]), (429, &json!("too_many")));
    assert!(last.headers.contains_key("retry-after"));
    // One-time codes, each good once.
    let codes = server.pams.json(&["user", "codes", "Vera"]);
    assert_eq!(sign_in("Vera", PASSWORD, "").json()["code"], json!("code_wanted"));
    assert_eq!(sign_in("Vera", PASSWORD, "000000").json()["code"], json!("login_wrong"));
    let recovery = codes["recovery"][0].as_str().unwrap();
    assert_eq!(sign_in("Vera", PASSWORD, recovery).status, 201);
    assert_eq!(sign_in("Vera", PASSWORD, recovery).status, 401);
    let secret = totp_rs::Secret::try_from_base32(codes["secret"].as_str().unwrap()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let noon = format!("{NOW}T10:30:00Z").parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    let code = totp.generate(noon as u64).to_string();
    assert_eq!(sign_in("Vera", PASSWORD, &code).status, 201);
    assert_eq!(sign_in("Vera", PASSWORD, &code).status, 401, "a code is used once");
}

#[test]
fn a_session_ends_when_it_is_told_to() {
    let server = Server::new();
    let http = server.signed_in("Ana");
    assert_eq!(http.get("/api/v1/session").json()["name"], json!("Ana"));
    let out = http.send(|r| r.header("x-pams", "1"), "delete", "/api/v1/session");
    assert_eq!(out.status, 204);
    let replay = http.get("/api/v1/session");
    assert_eq!((replay.status, &replay.json()["code"]), (401, &json!("session_needed")));
    // An admin sees all from a device and ends one; others see their own.
    let (root, ana) = (server.device("Root"), server.device("Ana"));
    let listed = root.json(&["session", "list"]);
    let all = listed.as_array().unwrap();
    assert_eq!(all.len(), 2, "{listed}");
    assert_eq!(ana.json(&["session", "list"]).as_array().unwrap().len(), 1);
    let of_ana = all.iter().find(|s| s["name"] == "Ana").unwrap()["id"].as_str().unwrap();
    root.ok(&["session", "end", of_ana]);
    assert_eq!(ana.run(&["sync"]).code, 6, "the session has ended");
    // A new password ends all of a person's sessions.
    let http = server.signed_in("Ana");
    let set = json!({ "old": PASSWORD, "new": "another sentence of mine" }).to_string();
    let set = http.send(
        |r| r.header("x-pams", "1").header("content-type", "application/json").body(set),
        "put",
        "/api/v1/password",
    );
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(http.get("/api/v1/session").status, 401);
}

/// Every route of the table: nobody, somebody without the right, somebody of another
/// organisation, a made-up secret.
#[test]
fn every_route_asks_for_what_it_declares() {
    let pams = Pams::new();
    pams.ok(&["init", "--server", "--tenant", "Halden", "--name", "Root", "--email", "root@example.com"]);
    let file = pams.path().join("password").display().to_string();
    std::fs::write(&file, PASSWORD).unwrap();
    pams.ok(&["--profile", "other", "init", "--server", "--tenant", "Other", "--name", "Olga"]);
    pams.ok(&["user", "add", "Vera", "--tenant", "halden", "--password-file", &file]);
    pams.ok(&["user", "password", "Olga", "--tenant", "Other", "--password-file", &file]);
    let server = Server::start(pams, "127.0.0.1:0");
    let sign_in = |tenant: &str, user: &str| {
        let mut http = server.http();
        let body = json!({ "tenant": tenant, "user": user, "password": PASSWORD });
        let answer = http.post("/api/v1/session", &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        http.cookie = answer.cookie();
        http
    };
    let nobody = server.http();
    // No role at all.
    let vera = sign_in("Halden", "Vera");
    // The secret of an admin elsewhere under the name of this organisation.
    let (mut thief, olga) = (server.http(), sign_in("Other", "Olga"));
    let own = vera.cookie.split_once('.').unwrap().0;
    thief.cookie = format!("{own}.{}", olga.cookie.split_once('.').unwrap().1);
    let mut made_up = server.http();
    made_up.cookie = format!("{own}.{}", "A".repeat(43));
    let mut checked = 0;
    for route in ROUTES.iter().filter(|r| !r.path.ends_with("/live") || r.needs == Needs::Nobody) {
        let path = route.path.replace("{id}", "ffffffff").replace("{request}", "setup.who_am_i");
        let ask = |http: &Http| http.send(|r| r.header("x-pams", "1"), route.method, &path);
        if route.needs == Needs::Nobody {
            assert_ne!(ask(&nobody).json()["code"], json!("session_needed"), "{path}");
            continue;
        }
        let absent = ask(&nobody);
        assert_eq!((absent.status, &absent.json()["code"]), (401, &json!("session_needed")), "{path}");
        assert_eq!(ask(&thief).alike(), absent.alike(), "{path}: foreign is like absent");
        assert_eq!(ask(&made_up).alike(), absent.alike(), "{path}");
        if let Needs::Verb(_) = route.needs {
            assert_eq!(ask(&vera).json()["code"], json!("denied"), "{path}");
        }
        if route.method != "get" {
            let plain = vera.send(|r| r, route.method, &path);
            assert_eq!(plain.json()["code"], json!("cross_site"), "{path}");
        }
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
    // Nothing of one organisation is seen from the other.
    let find =
        |http: &Http| http.get("/api/v1/query/record.find?request={\"text\":\"Vera\",\"limit\":5}").text;
    assert!(!find(&olga).contains("Vera"), "{}", find(&olga));
}

/// Signed in long ago is not enough for what cannot be taken back.
#[test]
fn what_is_sensitive_wants_proof_of_who_asks() {
    let server = Server::new();
    let mut root = server.signed_in("Root");
    let add = |http: &Http, name: &str| {
        let input = json!({ "name": name, "roles": "viewer" });
        let body = json!({ "kind": "User", "id": null, "input": input, "seen_rev": null, "ack": [] });
        http.post("/api/v1/do/record.save", &body)
    };
    assert_eq!(add(&root, "Early").status, 200, "who has just signed in has proved it");
    let mut home = server.stop();
    home.env = vec![("PAMS_NOW".into(), format!("{NOW}T10:50:00Z"))];
    let server = Server::start(home, "127.0.0.1:0");
    root = Http { cookie: root.cookie, ..server.http() };
    let late = add(&root, "Late");
    assert_eq!((late.status, &late.json()["code"]), (401, &json!("step_up_needed")), "{}", late.text);
    let account = json!({ "name": "Acme" });
    let save = json!({ "kind": "Account", "id": null, "input": account, "seen_rev": null, "ack": [] });
    assert_eq!(root.post("/api/v1/do/record.save", &save).status, 200, "daily work goes on");
    let proof = |password: &str| root.post("/api/v1/session/step-up", &json!({ "password": password }));
    assert_eq!(proof("a guess").json()["code"], json!("login_wrong"));
    assert_eq!(proof(PASSWORD).status, 204);
    assert_eq!(add(&root, "Late").status, 200);
}

#[test]
fn who_asks_too_much_is_told_to_wait() {
    let server = Server::with(&["--rate", "5"]);
    let (ana, ben) = (server.signed_in("Ana"), server.signed_in("Ben"));
    let flood: Vec<u16> = (0..60).map(|_| ana.get("/api/v1/session").status).collect();
    assert!(flood.starts_with(&[200; 10]) && flood.contains(&429), "{flood:?}");
    let told = (0..60).map(|_| ana.get("/api/v1/session")).find(|a| a.status == 429).unwrap();
    assert_eq!(told.json()["code"], json!("too_many"));
    assert!(told.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(ben.get("/api/v1/session").status, 200, "nobody pays for somebody else");
    assert_eq!(ben.get("/health/live").status, 200);
}

#[test]
fn another_key_is_a_hard_stop_until_a_person_agrees() {
    let server = Server::new();
    let ana = server.device("Ana");
    let file = server.pams.path().join("password").display().to_string();
    // Nobody confirmed it, and there is nobody to ask.
    let fresh = Pams::new();
    let ran = fresh.run(&["login", &server.url, "--user", "Ana", "--password-file", &file]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains(&server.pin), "the key is shown to be compared: {}", ran.err);
    let wrong = format!("SHA256:{}", "A".repeat(43));
    let ran = fresh.run(&["login", &server.url, "--user", "Ana", "--password-file", &file, "--pin", &wrong]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains(&wrong) && ran.err.contains(&server.pin), "{}", ran.err);
    // The server comes back with another key.
    std::fs::remove_dir_all(server.pams.path().join("config/tls")).unwrap();
    let server = server.kill_and_start();
    let ran = ana.run(&["sync"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("another key") && ran.err.contains("trust --replace"), "{}", ran.err);
    assert_eq!(ana.run(&["trust", "--replace"]).code, 2, "without a terminal it is said with --yes");
    ana.ok(&["trust", "--replace", "--yes"]);
    ana.ok(&["sync"]);
    assert!(ana.ok(&["trust"]).contains(&server.pin));
}

#[test]
fn a_certificate_of_a_known_authority_needs_no_confirmation() {
    let pams = Pams::new();
    pams.ok(&["init", "--server", "--tenant", "Halden", "--name", "Root"]);
    let at = |name: &str| pams.path().join(name).display().to_string();
    std::fs::write(at("password"), PASSWORD).unwrap();
    pams.ok(&["user", "password", "Root", "--password-file", &at("password")]);
    certificates(&pams.path());
    let words =
        ["serve", "--listen", "127.0.0.1:0", "--json", "--cert", &at("cert.pem"), "--key", &at("key.pem")];
    let mut child = pams.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let url = told["url"].as_str().unwrap();
    let device = Pams::new();
    let login =
        ["login", url, "--user", "Root", "--password-file", &at("password"), "--add-ca", &at("ca.pem")];
    let ran = device.run(&login);
    let again = device.run(&["sync"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((ran.code, again.code), (0, 0), "{}{}", ran.err, again.err);
    assert!(!device.path().join("config/known_servers").exists(), "nothing had to be confirmed");
}

#[test]
fn a_session_file_that_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::new();
    let ana = server.device("Ana");
    let file = ana.path().join("state/session.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = ana.run(&["sync"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    ana.ok(&["logout"]);
    assert!(!file.exists());
    assert_eq!(ana.run(&["sync"]).code, 6);
}

/// Runs the program on a home of the system's kind, its folders below HOME.
fn at_home(home: &Pams, words: &str, bus: &str) -> String {
    let pams = crate::program::EXE;
    let mut command = std::process::Command::new("dbus-run-session");
    let script = format!(
        "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; \
         {bus} {pams} {words}; echo \"code $?\"; \
         secret-tool lookup service pams username session 2>/dev/null | grep -c cookie"
    );
    command.args(["--", "sh", "-c", &script]).env("HOME", home.path()).env_remove("PAMS_HOME");
    for folder in ["XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env_remove(folder);
    }
    let ran = command.output().unwrap();
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

/// Wants a Secret Service: `apt-get install gnome-keyring dbus libsecret-tools`.
#[test]
fn a_session_is_in_the_keyring_where_one_answers() {
    let there =
        |tool: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|p| p.join(tool).exists());
    if !["dbus-run-session", "gnome-keyring-daemon", "secret-tool"].iter().all(|tool| there(tool)) {
        return println!("skipped: there is no Secret Service to ask");
    }
    let server = Server::new();
    let password = server.pams.path().join("password").display().to_string();
    let login = format!("login {} --user Ana --password-file {password} --pin {}", server.url, server.pin);
    for (bus, kept) in [("", true), ("DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere", false)] {
        let home = Pams::new();
        let told = at_home(&home, &login, bus);
        assert!(told.contains("code 0"), "{told}");
        let file = home.path().join(".local/state/pams/session.json");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!((text.contains("keyring"), text.contains("cookie")), (kept, !kept), "{told}");
        assert_eq!(told.contains("code 0\n1\n"), kept, "{told}");
        // A keyring that has it and cannot be asked says so.
        let told = at_home(&home, "sync", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere");
        assert!(told.contains(if kept { "code 6" } else { "code 0" }), "{told}");
        assert!(!kept || told.contains("keyring"), "{told}");
        let told = at_home(&home, "logout", bus);
        assert!(told.contains("code 0") && !file.exists(), "{told}");
        assert!(told.contains("code 0\n0\n"), "{told}");
    }
}

#[test]
fn a_stream_ends_with_its_session() {
    let server = Server::new();
    let (http, root) = (server.signed_in("Ana"), server.signed_in("Root"));
    let (began, begun) = std::sync::mpsc::channel();
    let listening = std::thread::spawn(move || {
        http.runtime.block_on(async {
            let request =
                http.client.get(format!("{}/api/v1/sync/live", http.url)).header("cookie", &http.cookie);
            let mut response = request.send().await.unwrap();
            began.send(response.status().as_u16()).unwrap();
            while response.chunk().await.unwrap().is_some() {}
        });
    });
    assert_eq!(begun.recv().unwrap(), 200);
    let sessions = root.get("/api/v1/sessions").json();
    let ana = sessions.as_array().unwrap().iter().find(|session| session["name"] == "Ana").unwrap();
    let path = format!("/api/v1/sessions/{}", ana["id"].as_str().unwrap());
    assert_eq!(root.send(|r| r.header("x-pams", "1"), "delete", &path).status, 204);
    listening.join().unwrap();
}
