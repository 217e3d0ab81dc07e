//! The way to a remote instance: HTTPS with a trusted key, the session's cookie, and what
//! is sent and heard. It knows no store; [`crate::services::sync`] is what it carries. Other
//! systems that are asked for tables have a file each beside it.

pub mod background;
mod keyring;
pub mod link;
pub mod online;
pub mod ops;
mod private;
pub mod salesforce;
pub mod sync;
pub mod trust;

use crate::domain::{Failure, FailureKind, Outcome};
use crate::frames;
use reqwest::header::{CONTENT_TYPE, COOKIE, RANGE, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// What a body of the sync protocol is called.
const FRAME: &str = "application/vnd.pams.frame+zstd";
const MAX_BODY: usize = 64 << 20;
/// A line that rests longer is opened anew: a server ends those that say nothing.
const IDLE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for an answer; a server that stalls is asked again later.
const ANSWER: Duration = Duration::from_secs(60);

/// One remote instance, as one device reaches it. Its calls wait: they belong on a thread
/// that may.
pub struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    url: String,
    cookie: String,
    trust: Arc<trust::Verifier>,
    patience: Duration,
}

/// What calls go out with, and what drives them.
fn way(trust: &Arc<trust::Verifier>) -> Outcome<(reqwest::Client, tokio::runtime::Runtime)> {
    let failed = |what: &dyn std::fmt::Display| Failure::internal(format!("HTTPS cannot be set up: {what}"));
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(trust.config()?)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("pams/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| failed(&e))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok((http, runtime.map_err(|e| failed(&e))?))
}

impl Client {
    pub fn new(url: &str, trust: Arc<trust::Verifier>, cookie: &str) -> Outcome<Client> {
        let (http, runtime) = way(&trust)?;
        Ok(Client {
            http,
            runtime,
            url: normal_url(url)?,
            cookie: cookie.to_owned(),
            trust,
            patience: ANSWER,
        })
    }

    /// With another longest wait for an answer.
    pub fn patient(self, patience: Duration) -> Client {
        Client { patience, ..self }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).header("x-pams", "1");
        if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) }
    }

    /// A JSON call.
    pub fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Outcome<T> {
        let mut request = self.request(method, path).timeout(self.patience);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        self.runtime.block_on(async {
            let response = answered(request.send().await.map_err(|e| unreachable(&self.url, &e))?).await?;
            let bytes = response.bytes().await.map_err(|e| unreachable(&self.url, &e))?;
            let bytes = if bytes.is_empty() { b"null".as_slice() } else { &bytes };
            serde_json::from_slice(bytes)
                .map_err(|e| Failure::internal(format!("The answer cannot be read: {e}")))
        })
    }

    /// The text of a page.
    pub fn text(&self, path: &str) -> Outcome<String> {
        let request = self.request(Method::GET, path).timeout(self.patience);
        self.runtime.block_on(async {
            let response = answered(request.send().await.map_err(|e| unreachable(&self.url, &e))?).await?;
            let bytes = response.bytes().await.map_err(|e| unreachable(&self.url, &e))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
    }

    /// Signs in: the answer, and the cookie that came with it.
    pub fn sign_in(&self, body: &serde_json::Value) -> Outcome<(serde_json::Value, String)> {
        let request = self.request(Method::POST, "/api/v1/session").timeout(self.patience);
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        self.runtime.block_on(async {
            let response = answered(request.send().await.map_err(|e| unreachable(&self.url, &e))?).await?;
            let cookie = response.headers().get(SET_COOKIE).and_then(|v| v.to_str().ok());
            let cookie = cookie.and_then(|c| c.split(';').next()).unwrap_or_default().to_owned();
            let bytes = response.bytes().await.map_err(|e| unreachable(&self.url, &e))?;
            let shown = serde_json::from_slice(&bytes)
                .map_err(|e| Failure::internal(format!("The answer cannot be read: {e}")))?;
            Ok((shown, cookie))
        })
    }

    /// A call of the sync protocol.
    pub fn frame<Q: Serialize, R: DeserializeOwned>(&self, path: &str, ask: &Q) -> Outcome<R> {
        let body = zstd::bulk::compress(&frames::encode(ask)?, 1)
            .map_err(|e| Failure::internal(format!("The request cannot be packed: {e}")))?;
        let request =
            self.request(Method::POST, path).timeout(self.patience).header(CONTENT_TYPE, FRAME).body(body);
        self.runtime.block_on(async {
            let response = answered(request.send().await.map_err(|e| unreachable(&self.url, &e))?).await?;
            let bytes = response.bytes().await.map_err(|e| unreachable(&self.url, &e))?;
            let bytes = zstd::bulk::decompress(&bytes, MAX_BODY)
                .map_err(|e| Failure::internal(format!("The answer cannot be unpacked: {e}")))?;
            frames::decode(&bytes)
        })
    }

    /// What a GET of the sync protocol answers.
    pub fn get_frame<R: DeserializeOwned>(&self, path: &str) -> Outcome<R> {
        let bytes = self.bytes(path, 0)?;
        let bytes = zstd::bulk::decompress(&bytes, MAX_BODY)
            .map_err(|e| Failure::internal(format!("The answer cannot be unpacked: {e}")))?;
        frames::decode(&bytes)
    }

    /// The bytes of a path from a place on.
    fn bytes(&self, path: &str, from: usize) -> Outcome<Vec<u8>> {
        let mut request = self.request(Method::GET, path).timeout(self.patience);
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        self.runtime.block_on(async {
            let response = answered(request.send().await.map_err(|e| unreachable(&self.url, &e))?).await?;
            Ok(response.bytes().await.map_err(|e| unreachable(&self.url, &e))?.to_vec())
        })
    }

    /// A chunk under its hash, gone on with once where the line broke.
    ///
    /// # Errors
    /// Invalid when the bytes are not those of the hash.
    pub fn chunk(&self, hash: &str) -> Outcome<Vec<u8>> {
        let path = format!("/api/v1/chunks/{hash}");
        let bytes = self.bytes(&path, 0).or_else(|_| self.bytes(&path, 0))?;
        if blake3::hash(&bytes).to_hex().as_str() != hash {
            return Err(Failure::invalid("A chunk of the first copy is damaged").hint("Sync again"));
        }
        Ok(bytes)
    }

    /// Another line to the same place with the same session.
    pub fn another(&self) -> Outcome<Client> {
        Client::new(&self.url, self.trust.clone(), &self.cookie)
    }

    /// Listens until the line ends or `heard` says no. It is called with the end of the
    /// server's log after each change, and with 0 when there is nothing but the line.
    pub fn hear(&self, mut heard: impl FnMut(u64) -> bool) -> Outcome<()> {
        let request = self.request(Method::GET, "/api/v1/sync/live");
        self.runtime.block_on(async {
            let mut response =
                answered(request.send().await.map_err(|e| unreachable(&self.url, &e))?).await?;
            // What happened before the line stood was told to nobody here.
            if !heard(0) {
                return Ok(());
            }
            loop {
                // The server says something at least every fifteen seconds.
                let chunk = tokio::time::timeout(ANSWER, response.chunk()).await;
                let chunk = chunk.map_err(|_| offline("The remote instance fell silent"))?;
                let Some(bytes) = chunk.map_err(|e| unreachable(&self.url, &e))? else { return Ok(()) };
                if !heard(last_hint(&bytes)) {
                    return Ok(());
                }
            }
        })
    }
}

/// The last `data: {"seq":n}` of a piece of a stream (HTML standard, server-sent events).
fn last_hint(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let digits = text.rsplit_once("\"seq\":").map_or("", |(_, rest)| rest);
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// `https://host:port`, without a path.
pub fn normal_url(url: &str) -> Outcome<String> {
    let bad = || {
        Failure::usage(format!("\"{url}\" is not the address of a remote instance"))
            .hint("Write it as https://pams.example.com:8443")
    };
    let url = url.trim().trim_end_matches('/');
    let parsed = reqwest::Url::parse(url).map_err(|_| bad())?;
    if parsed.scheme() != "https" || parsed.host_str().is_none() || parsed.path() != "/" {
        return Err(bad());
    }
    Ok(url.to_owned())
}

pub fn offline(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Offline, message).hint("What you save is kept here and sent later")
}

fn unreachable(url: &str, error: &reqwest::Error) -> Failure {
    // The innermost cause says it in the fewest words.
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if let Some(changed) = trust::changed_key(error) {
        return changed;
    }
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
    let why = why.split(" (os error").next().unwrap_or_default().to_lowercase();
    offline(format!("{url} cannot be reached: {why}"))
}

/// The answer, or what its problem says.
async fn answered(response: Response) -> Outcome<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = response.bytes().await.unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(|v| v.as_str()).map(str::to_owned);
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FailureKind::Denied,
        StatusCode::NOT_FOUND => FailureKind::NotFound,
        StatusCode::CONFLICT => FailureKind::Conflict,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => FailureKind::Invalid,
        _ => FailureKind::Offline,
    };
    let said = text("detail").unwrap_or_else(|| format!("The remote instance answered {status}"));
    let mut failure = Failure::new(kind, said);
    failure.hint = match text("code").as_deref() {
        Some("session_needed") => Some("`pams login` signs in again; what you saved is kept".into()),
        _ => text("hint"),
    };
    failure.candidates = text("code").into_iter().collect();
    Err(failure)
}
