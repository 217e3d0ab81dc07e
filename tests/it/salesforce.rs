//! The connection to Salesforce, against a stub that answers over real TLS in the shapes of
//! its REST API Developer Guide. The real service is not asked from here.

use crate::program::Pams;
use crate::remote::certificates;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// What the stub was asked: "POST /services/oauth2/token grant_type=…", and what it answers.
type Answer = dyn Fn(&str, &str) -> (u16, Value) + Send + Sync;

pub struct Stub {
    url: String,
    answer: Arc<Mutex<Box<Answer>>>,
}

impl Stub {
    fn new(pams: &Pams) -> Stub {
        certificates(&pams.path());
        let read = |name: &str| pams.path().join(name);
        let chain = CertificateDer::pem_file_iter(read("cert.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(read("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let stub =
            Stub { url: url.clone(), answer: Arc::new(Mutex::new(Box::new(|_, _| (500, Value::Null)))) };
        let answer = stub.answer.clone();
        std::thread::spawn(move || {
            for line in listener.incoming().flatten() {
                let tls = rustls::ServerConnection::new(config.clone()).unwrap();
                let (answer, url) = (answer.clone(), url.clone());
                // A line that breaks is the other side's affair.
                std::thread::spawn(move || serve(rustls::StreamOwned::new(tls, line), &url, &answer));
            }
        });
        stub
    }

    /// From now on it answers so, once somebody signed in with the right secret.
    fn answers(&self, answer: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }
}

fn serve<S: Read + Write>(stream: S, url: &str, answer: &Mutex<Box<Answer>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length, mut token) = (String::new(), 0, false);
    stream.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(n) = line.strip_prefix("content-length: ") {
            length = n.parse().unwrap();
        }
        token |= line == "authorization: bearer 00dtoken";
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, told) = match (method, target) {
        ("POST", "/services/oauth2/token") => {
            let right = "grant_type=client_credentials&client_id=app+one&client_secret=s%2Fcret%26";
            match body == right {
                true => {
                    (200, json!({ "access_token": "00Dtoken", "instance_url": url, "token_type": "Bearer" }))
                }
                false => (
                    400,
                    json!({ "error": "invalid_client", "error_description": "invalid client credentials" }),
                ),
            }
        }
        _ if !token => {
            (401, json!([{ "message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID" }]))
        }
        _ => answer.lock().unwrap()(method, target),
    };
    let told = told.to_string();
    let head = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        told.len()
    );
    stream.get_mut().write_all(format!("{head}{told}").as_bytes())?;
    stream.get_mut().flush()
}

fn opportunity(n: u32, won: bool, owner: &str) -> Value {
    json!({
        "attributes": { "type": "Opportunity", "url": format!("/services/data/v62.0/sobjects/Opportunity/006{n}") },
        "Id": format!("006{n:012}AAA"), "Name": format!("Deal {n}"), "Account": { "Name": "Acme Corp" },
        "StageName": if won { "Closed Won" } else { "Closed Lost" }, "IsWon": won,
        "Amount": 1000.5 * f64::from(n), "CloseDate": format!("2026-02-{:02}", n % 27 + 1),
        "Owner": { "Name": owner, "Email": null },
    })
}

/// Pages of what was closed in February, in an organisation with one currency.
fn february(all: Vec<Value>) -> impl Fn(&str, &str) -> (u16, Value) {
    move |_, target| {
        if target.contains("CurrencyIsoCode") {
            let message = "No such column 'CurrencyIsoCode' on entity 'Opportunity'.";
            return (400, json!([{ "message": message, "errorCode": "INVALID_FIELD" }]));
        }
        if target.contains("COUNT%28%29") {
            return (200, json!({ "totalSize": all.len(), "done": true, "records": [] }));
        }
        let next = "/services/data/v62.0/query/01g-2";
        let half = all.len() / 2;
        match target == next {
            true => (200, json!({ "totalSize": all.len(), "done": true, "records": all[half..] })),
            false if target.contains("2026-02-01") && target.contains("2026-02-28") => (
                200,
                json!({ "totalSize": all.len(), "done": false, "nextRecordsUrl": next, "records": all[..half] }),
            ),
            false => (200, json!({ "totalSize": 0, "done": true, "records": [] })),
        }
    }
}

fn connect(pams: &Pams, stub: &Stub, secret: &str) -> Vec<String> {
    std::fs::write(pams.path().join("secret"), secret).unwrap();
    let at = |name: &str| pams.path().join(name).display().to_string();
    let words = ["connect", "salesforce", "--url", &stub.url, "--client-id", "app one", "--secret-file"];
    let mut words: Vec<String> = words.map(str::to_owned).into();
    words.extend([at("secret"), "--add-ca".into(), at("ca.pem")]);
    words
}

/// A profile with its connection, to an organisation of nine opportunities closed in
/// February 2026.
pub fn connected() -> (Pams, Stub) {
    let pams = Pams::with_names();
    let stub = Stub::new(&pams);
    stub.answers(february((1..=9).map(|n| opportunity(n, n % 3 > 0, "Ana")).collect()));
    let words = connect(&pams, &stub, "s/cret&\n");
    pams.ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    (pams, stub)
}

#[test]
fn a_month_comes_from_salesforce_like_from_a_file() {
    let pams = Pams::with_names();
    let stub = Stub::new(&pams);
    let all: Vec<Value> = (1..=9).map(|n| opportunity(n, n % 3 > 0, "Ana")).collect();
    stub.answers(february(all.clone()));
    let words = |secret: &str| connect(&pams, &stub, secret);
    let wrong = words("wrong");
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    assert!(pams.fails(6, &wrong).contains("invalid client credentials (invalid_client)"));
    assert_eq!(pams.json(&["connect", "show"])["url"], Value::Null, "nothing is kept of what fails");
    assert!(pams.fails(4, &["wins", "pull"]).contains("pams connect salesforce"));
    let right = words("s/cret&\n");
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    assert_eq!(pams.json(&right)["closed"], 9);

    let dry = pams.json(&["wins", "pull", "--dry-run"]);
    assert_eq!(dry["added"], 9, "{dry}");
    assert!(pams.json(&["wins", "list", "--month", "2026-02"])["items"].as_array().unwrap().is_empty());
    let pulled = pams.json(&["wins", "pull", "--month", "2026-02", "--yes"]);
    assert_eq!((&pulled["added"], &pulled["removed"]), (&9.into(), &0.into()), "{pulled}");
    let listed = pams.json(&["wins", "list", "--month", "2026-02", "--outcome", "loss"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "{listed}");
    assert!(listed.to_string().contains("3001.5"), "amounts are exact: {listed}");
    // The same again changes nothing; what went and came is a diff.
    assert!(pams.ok(&["wins", "pull", "--yes"]).contains("nothing to change"));
    let mut later = all[1..].to_vec();
    later.push(opportunity(20, true, "Ana"));
    stub.answers(february(later));
    let pulled = pams.json(&["wins", "pull", "--yes"]);
    assert_eq!((&pulled["added"], &pulled["removed"]), (&1.into(), &1.into()), "{pulled}");
    assert!(pams.fails(4, &["wins", "pull", "--month", "2026-01"]).contains("No opportunity was closed"));
    pams.ok(&["db", "check"]);
}

#[test]
fn a_salesforce_that_fails_changes_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let pams = Pams::with_names();
    let stub = Stub::new(&pams);
    stub.answers(february(vec![opportunity(1, true, "Ana")]));
    let words = connect(&pams, &stub, "s/cret&");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // Nobody vouches for its certificate but the file that is named.
    assert!(pams.fails(6, &words[..words.len() - 2]).contains("nobody vouches for"));
    pams.ok(&words);
    let plain = words.iter().map(|w| w.replace("https:", "http:")).collect::<Vec<_>>();
    assert!(pams.fails(2, &plain.iter().map(String::as_str).collect::<Vec<_>>()).contains("https://"));

    let before = pams.json(&["wins", "list", "--month", "2026-02"]);
    let elsewhere =
        json!({ "totalSize": 2, "done": false, "nextRecordsUrl": "https://else.example/x", "records": [] });
    let no_id = json!({ "totalSize": 1, "done": true, "records": [{ "Name": "without" }] });
    for (code, status, told, says) in [
        (3, 200, elsewhere, "more, and not where"),
        (3, 200, no_id, "no Id"),
        (3, 200, json!("not a page"), "cannot be read"),
        (
            3,
            400,
            json!([{ "message": "unexpected token", "errorCode": "MALFORMED_QUERY" }]),
            "unexpected token",
        ),
        (6, 403, json!([{ "message": "not enabled", "errorCode": "API_DISABLED_FOR_ORG" }]), "not enabled"),
        (
            7,
            403,
            json!([{ "message": "TotalRequests Limit", "errorCode": "REQUEST_LIMIT_EXCEEDED" }]),
            "Limit",
        ),
        (7, 503, Value::Null, "503"),
    ] {
        stub.answers(move |_, _| (status, told.clone()));
        let failed = pams.fails(code, &["wins", "pull", "--yes"]);
        assert!(failed.contains(says), "{says}: {failed}");
    }
    assert_eq!(pams.json(&["wins", "list", "--month", "2026-02"]), before);
    let file = pams.path().join("state/salesforce.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(pams.fails(6, &["wins", "pull"]).contains("may be read by others"));
    assert!(pams.ok(&["connect", "forget"]).contains("is forgotten"));
    assert!(!file.exists());
}
