//! A real `pams serve` for tests, and an HTTP client that talks to it.

use crate::program::Pams;
use pams::remote::trust::Verifier;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

pub const PASSWORD: &str = "a sentence of my own";

/// `pams serve` on a home with an organisation and three people.
pub struct Server {
    pub pams: Pams,
    pub child: Child,
    pub url: String,
    pub pin: String,
}

impl Server {
    pub fn new() -> Server {
        Server::of(Pams::new())
    }

    /// One on an empty home.
    pub fn of(pams: Pams) -> Server {
        pams.ok(&["init", "--server", "--tenant", "Halden", "--name", "Root", "--email", "root@example.com"]);
        std::fs::write(pams.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let file = pams.path().join("password").display().to_string();
        pams.ok(&["user", "password", "Root", "--password-file", &file]);
        for (name, role) in [("Ana", "presales"), ("Ben", "presales"), ("Vera", "viewer")] {
            pams.ok(&["user", "add", name, "--role", role, "--password-file", &file]);
        }
        Server::start(pams, "127.0.0.1:0")
    }

    /// One that is started with more words.
    pub fn with(words: &[&str]) -> Server {
        Server::start_with(Server::new().stop(), "127.0.0.1:0", words)
    }

    pub fn start(pams: Pams, listen: &str) -> Server {
        Server::start_with(pams, listen, &[])
    }

    fn start_with(pams: Pams, listen: &str, words: &[&str]) -> Server {
        Server::run(pams, &[&["--listen", listen], words].concat())
    }

    /// One whose environment says where it listens.
    pub fn serving(pams: Pams) -> Server {
        Server::run(pams, &[])
    }

    fn run(pams: Pams, words: &[&str]) -> Server {
        let mut command = pams.command(&[&["serve", "--json"], words].concat());
        let log = std::fs::File::create(pams.path().join("serve.log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let (url, pin) = (text("url"), text("fingerprint"));
        Server { pams, child, url, pin }
    }

    /// Ends it and gives its home back.
    pub fn stop(mut self) -> Pams {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.pams, Pams::new())
    }

    /// Killed without a word, and started again where it was.
    pub fn kill_and_start(self) -> Server {
        let listen = self.url.trim_start_matches("https://").to_owned();
        Server::start(self.stop(), &listen)
    }

    pub fn login(&self, device: &Pams, user: &str) -> Value {
        let file = self.pams.path().join("password").display().to_string();
        let words = ["login", &self.url, "--user", user, "--password-file", &file, "--pin", &self.pin];
        device.json(&words)
    }

    pub fn device(&self, user: &str) -> Pams {
        let device = Pams::new();
        self.login(&device, user);
        device
    }

    /// A client that believes the server's key.
    pub fn http(&self) -> Http {
        let trust = Verifier::new(Some(self.pin.clone()), None).unwrap();
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(trust.config().unwrap()).no_proxy().build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Http { client: client.unwrap(), runtime, url: self.url.clone(), cookie: String::new() }
    }

    pub fn signed_in(&self, user: &str) -> Http {
        let mut http = self.http();
        let answer = http.post("/api/v1/session", &json!({ "user": user, "password": PASSWORD }));
        assert_eq!(answer.status, 201, "{}", answer.text);
        http.cookie = answer.cookie();
        http
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Http {
    pub client: reqwest::Client,
    pub runtime: tokio::runtime::Runtime,
    pub url: String,
    pub cookie: String,
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn cookie(&self) -> String {
        self.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// What does not name the request: for answers that have to be alike.
    pub fn alike(&self) -> (u16, Vec<(String, String)>, Value) {
        let mut body: Value = serde_json::from_str(&self.text).unwrap_or(Value::Null);
        if let Some(object) = body.as_object_mut() {
            object.remove("trace_id");
        }
        let named = |(k, v): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            (k.to_string(), v.to_str().unwrap().to_owned())
        };
        let headers = self.headers.iter().map(named).filter(|(k, _)| k != "date" && k != "x-request-id");
        (self.status, headers.collect(), body)
    }
}

impl Http {
    pub fn send(
        &self,
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
        method: &str,
        path: &str,
    ) -> Answer {
        let method = method.to_uppercase().parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) };
        self.runtime.block_on(async {
            let response = change(request).send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Answer { status, headers, text: response.text().await.unwrap() }
        })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(|r| r, "get", path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.send(
            |r| r.header("x-pams", "1").header("content-type", "application/json").body(body),
            "post",
            path,
        )
    }

    pub fn upload(&self, path: &str, file: &str, bytes: &[u8], fields: &[(&str, &str)]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            write!(body, "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .unwrap();
        }
        write!(body, "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file}\"\r\n\r\n")
            .unwrap();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        let kind = "multipart/form-data; boundary=edge";
        self.send(|r| r.header("x-pams", "1").header("content-type", kind).body(body), "post", path)
    }
}

pub fn state_hash(pams: &Pams) -> String {
    let report = pams.json(&["db", "check"]);
    assert_eq!(report["wrong"], json!([]), "{report}");
    report["state_hash"].as_str().unwrap().to_owned()
}
