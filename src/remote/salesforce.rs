//! Closed opportunities of a Salesforce organisation, asked for over its REST interface and
//! handed on as a table that the import of wins reads like any workbook: what rows mean, who
//! owners are and what a month becomes is decided there.
//!
//! The way in is OAuth 2.0's client credentials grant (RFC 6749, 4.4); the shapes of token,
//! query and errors are those of Salesforce's REST API Developer Guide.

use crate::config::Folders;
use crate::domain::when::Month;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::{Engine, files};
use crate::remote::trust::Verifier;
use crate::remote::{private, unreachable, way};
use crate::services::imports::{Options, Started, Target};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Response, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// The version of the REST interface.
const VERSION: &str = "v62.0";
/// Longest wait for a page.
const ANSWER: Duration = Duration::from_secs(60);
/// A page holds 2,000 records; one that is larger than this is none.
const MAX_PAGE: usize = 32 << 20;
/// Opportunities of a month at most.
const MAX_RECORDS: usize = 200_000;
/// Columns of the table, as the shipped mapping calls them, and the field of each.
const COLUMNS: [(&str, &str); 10] = [
    ("Opportunity ID", "Id"),
    ("Opportunity Name", "Name"),
    ("Account Name", "Account.Name"),
    ("Stage", "StageName"),
    ("Is Won", "IsWon"),
    ("Amount", "Amount"),
    ("Close Date", "CloseDate"),
    ("Opportunity Owner", "Owner.Name"),
    ("Owner Email", "Owner.Email"),
    ("Currency", CURRENCY),
];
/// Only organisations with several currencies have it.
const CURRENCY: &str = "CurrencyIsoCode";

/// How an organisation is reached; kept in a file that only its owner reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// "https://example.my.salesforce.com"
    pub url: String,
    pub client_id: String,
    pub secret: String,
    /// Certificates believed besides the system's.
    #[serde(default)]
    pub add_ca: Option<PathBuf>,
}

/// What a profile keeps it under.
const NAME: &str = "salesforce";
/// How a connection is made again.
const ANEW: &str = "`pams connect salesforce` makes the connection anew";

impl Connection {
    pub fn load(folders: &Folders) -> Outcome<Option<Connection>> {
        private::load(folders, NAME, ANEW)
    }

    pub fn save(&self, folders: &Folders) -> Outcome<()> {
        private::save(folders, NAME, self)
    }

    pub fn forget(folders: &Folders) -> Outcome<bool> {
        private::forget(folders, NAME)
    }
}

/// An organisation with a token that lasts for this run.
pub struct Salesforce {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    instance: String,
    token: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    instance_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    records: Vec<Value>,
}

impl Salesforce {
    /// Signs in.
    ///
    /// # Errors
    /// Denied where the organisation knows no such client or secret, Offline where it cannot
    /// be reached.
    pub fn open(connection: &Connection) -> Outcome<Salesforce> {
        let url = host(&connection.url)?;
        let (http, runtime) = way(&Verifier::new(None, connection.add_ca.as_deref())?)?;
        let form = pairs(&[
            ("grant_type", "client_credentials"),
            ("client_id", &connection.client_id),
            ("client_secret", &connection.secret),
        ]);
        let request = http
            .post(format!("{url}/services/oauth2/token"))
            .timeout(ANSWER)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let token: Token = runtime
            .block_on(async { read(&url, request.send().await.map_err(|e| away(&url, &e))?).await })?;
        let instance = host(&token.instance_url)?;
        Ok(Salesforce { http, runtime, instance, token: token.access_token })
    }

    /// Where its data is.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        let request = self
            .http
            .get(format!("{}{path}", self.instance))
            .timeout(ANSWER)
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        self.runtime.block_on(async {
            read(&self.instance, request.send().await.map_err(|e| away(&self.instance, &e))?).await
        })
    }

    /// All records of a query, page by page.
    fn query(&self, soql: &str) -> Outcome<Vec<Value>> {
        let mut path = format!("/services/data/{VERSION}/query?{}", pairs(&[("q", soql)]));
        let mut all = Vec::new();
        loop {
            let page: Page = self.get(&path)?;
            all.extend(page.records);
            if all.len() > MAX_RECORDS {
                return Err(Failure::invalid(format!("More than {MAX_RECORDS} opportunities answer"))
                    .hint("Export them as a report and import the file"));
            }
            path = match (page.done, page.next_records_url) {
                (true, _) => return Ok(all),
                // It has to go on at the same place.
                (false, Some(next)) if next.starts_with("/services/data/") => next,
                _ => return Err(odd("a page says that there is more, and not where")),
            };
        }
    }

    /// Whether opportunities can be read; how many are closed.
    pub fn count(&self) -> Outcome<usize> {
        let path = format!(
            "/services/data/{VERSION}/query?{}",
            pairs(&[("q", "SELECT COUNT() FROM Opportunity WHERE IsClosed = true")])
        );
        let page: Value = self.get(&path)?;
        page["totalSize"].as_u64().map(|n| n as usize).ok_or_else(|| odd("a count has no totalSize"))
    }

    /// The opportunities that were closed in a month, as a table in CSV, and how many.
    pub fn closed(&self, month: Month) -> Outcome<(Vec<u8>, usize)> {
        let soql = |fields: &[&str]| {
            format!(
                "SELECT {} FROM Opportunity WHERE IsClosed = true AND CloseDate >= {} AND CloseDate <= {} \
                 ORDER BY CloseDate, Id",
                fields.join(", "),
                month.first(),
                month.last()
            )
        };
        let fields = COLUMNS.map(|(_, field)| field);
        let records = match self.query(&soql(&fields)) {
            // An organisation with one currency has no field for it.
            Err(failure) if failure.message.contains(CURRENCY) => self.query(&soql(&fields[..9]))?,
            other => other?,
        };
        Ok((table(&records)?, records.len()))
    }
}

/// Starts the review of what was closed in a month, as of a file that holds all of it; with
/// how many it is.
///
/// # Errors
/// Not found where the profile has no connection, or nothing was closed: an empty answer says
/// as little as an empty file, and nothing is taken away for it.
pub fn review(
    engine: &Engine,
    folders: &Folders,
    month: Month,
    options: Options,
) -> Outcome<(Started, usize)> {
    let connection = Connection::load(folders)?.ok_or_else(|| {
        Failure::not_found("This profile has no connection to Salesforce")
            .hint("`pams connect salesforce` makes one")
    })?;
    let (bytes, found) = Salesforce::open(&connection)?.closed(month)?;
    if found == 0 {
        return Err(Failure::not_found(format!("No opportunity was closed in {}", month.long()))
            .hint("Nothing was changed"));
    }
    let options = Options { month: Some(month), whole_month: !options.append, ..options };
    let name = format!("salesforce {month}.csv");
    Ok((files::review(engine, Target::Wins, name, &bytes, options)?, found))
}

/// Records as CSV under the columns' names.
fn table(records: &[Value]) -> Outcome<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Failure::internal(format!("The table cannot be made: {e}"));
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(COLUMNS.map(|(name, _)| name)).map_err(|e| failed(&e))?;
    for record in records {
        if record["Id"].as_str().is_none_or(str::is_empty) {
            return Err(odd("an opportunity has no Id"));
        }
        out.write_record(COLUMNS.map(|(_, field)| cell(record, field))).map_err(|e| failed(&e))?;
    }
    out.into_inner().map_err(|e| failed(&e))
}

/// A field, through the record that it lies in; what is null is empty.
fn cell(record: &Value, field: &str) -> String {
    let mut value = record;
    for part in field.split('.') {
        value = &value[part];
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(is) => is.to_string(),
        // Never with an exponent.
        Value::Number(n) => n.as_f64().map(|n| n.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

/// `name=value&…` (application/x-www-form-urlencoded, WHATWG URL).
fn pairs(all: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("https://localhost") else { return String::new() };
    url.query_pairs_mut().extend_pairs(all);
    url.query().unwrap_or_default().to_owned()
}

/// `https://host`, without a path; plain HTTP would give the secret away.
fn host(url: &str) -> Outcome<String> {
    let url = url.trim().trim_end_matches('/');
    match Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "https" && parsed.host().is_some() && parsed.path() == "/" => {
            Ok(url.to_owned())
        }
        _ => Err(Failure::usage(format!("\"{url}\" is not the address of a Salesforce organisation"))
            .hint("Write it as https://example.my.salesforce.com")),
    }
}

fn odd(what: &str) -> Failure {
    Failure::invalid(format!("Salesforce's answer cannot be read: {what}")).hint("Nothing was changed")
}

fn away(url: &str, error: &reqwest::Error) -> Failure {
    let failure = unreachable(url, error);
    match failure.kind {
        FailureKind::Denied => {
            Failure::new(FailureKind::Denied, format!("{url} shows a certificate that nobody vouches for"))
                .hint("--add-ca FILE.pem names certificates to believe")
        }
        _ => failure.hint("Nothing was changed; try again later"),
    }
}

/// The answer, or what its error says: `{"error", "error_description"}` of the token,
/// `[{"message", "errorCode"}]` of all else.
async fn read<T: serde::de::DeserializeOwned>(url: &str, mut response: Response) -> Outcome<T> {
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| away(url, &e))? {
        bytes.extend(&chunk);
        if bytes.len() > MAX_PAGE {
            return Err(odd("a page is too large"));
        }
    }
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(|e| odd(&e.to_string()));
    }
    let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (code, message) = match &told {
        Value::Array(all) => {
            all.first().map(|e| (text(&e["errorCode"]), text(&e["message"]))).unwrap_or_default()
        }
        other => (text(&other["error"]), text(&other["error_description"])),
    };
    let said = match message.is_empty() {
        true => format!("Salesforce answered {status}"),
        false => format!("Salesforce refuses: {message} ({code})"),
    };
    let (kind, hint) = match (status.as_u16(), code.as_str()) {
        (_, "REQUEST_LIMIT_EXCEEDED") | (429 | 500..=599, _) => (FailureKind::Offline, "Try again later"),
        (400, "invalid_client" | "invalid_client_id" | "invalid_grant" | "unauthorized_client")
        | (401 | 403, _) => (
            FailureKind::Denied,
            "The connected app has to allow client credentials and to read opportunities",
        ),
        _ => (FailureKind::Invalid, "Nothing was changed"),
    };
    Err(Failure::new(kind, said).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_the_rows_that_an_import_reads() {
        let records = serde_json::json!([
            { "attributes": { "type": "Opportunity" }, "Id": "006A", "Name": "Pilot, \"north\"",
              "Account": { "attributes": {}, "Name": "Halden" }, "StageName": "Signed", "IsWon": true,
              "Amount": 12_500_000.5, "CloseDate": "2026-02-03",
              "Owner": { "Name": "Ada", "Email": "ada@example.com" } },
            { "Id": "006B", "Name": "Second", "Account": null, "StageName": "Lost", "IsWon": false,
              "Amount": null, "CloseDate": "2026-02-04", "Owner": { "Name": "Ben" } },
        ]);
        let text = String::from_utf8(table(records.as_array().unwrap()).unwrap()).unwrap();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(
            rows[1],
            "006A,\"Pilot, \"\"north\"\"\",Halden,Signed,true,12500000.5,2026-02-03,Ada,ada@example.com,"
        );
        assert_eq!(rows[2], "006B,Second,,Lost,false,,2026-02-04,Ben,,");
        assert!(table(&[serde_json::json!({ "Name": "without" })]).is_err());
        assert_eq!(pairs(&[("q", "a = 'b&c'")]), "q=a+%3D+%27b%26c%27");
        assert!(host("http://example.com").is_err() && host("https://example.com/x").is_err());
    }
}
