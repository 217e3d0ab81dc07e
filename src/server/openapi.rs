//! The OpenAPI document, made from the table of routes and the table of requests.

use crate::domain::when::Month;
use crate::engine::{COMMANDS, INTERNAL, QUERIES};
use crate::server::problem::CODES;
use crate::server::routes::{Needs, ROUTES, Route};
use crate::services::imports::{Options, Target};
use axum::Json;
use schemars::generate::{Contract, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub async fn document() -> Json<Value> {
    Json(whole())
}

/// All of it: one operation a route, and one for each request of the engine's table.
pub fn whole() -> Value {
    let mut paths = Map::new();
    let mut put = |path: &str, method: &str, operation: Value| {
        let methods = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(method.to_owned(), operation);
        }
    };
    let (mut asks, mut answers) = (generator(Contract::Deserialize), generator(Contract::Serialize));
    for route in ROUTES.iter().filter(|r| !r.path.ends_with("{request}")) {
        put(route.path, route.method, operation(route, &mut asks));
    }
    for row in QUERIES.iter().filter(|r| r.verb != INTERNAL) {
        let schema = told((row.asks)(&mut asks));
        let needed = schema.get("required").is_some_and(|all| all != &json!([]));
        let parameter = json!({
            "name": "request", "in": "query", "required": needed,
            "description": "The fields of the request as a JSON object",
            "content": { "application/json": { "schema": schema } },
        });
        let mut op = asked(row.name, row.verb, "Query", (row.answers)(&mut answers));
        op["parameters"] = json!([parameter]);
        put(&format!("/api/v1/query/{}", row.name), "get", op);
    }
    for row in COMMANDS.iter().filter(|r| r.verb != INTERNAL) {
        let mut op = asked(row.name, row.verb, "Command", (row.answers)(&mut answers));
        op["parameters"] = json!([{ "$ref": "#/components/parameters/XPams" }]);
        op["requestBody"] = json!({ "required": true,
            "content": { "application/json": { "schema": told((row.asks)(&mut asks)) } } });
        put(&format!("/api/v1/do/{}", row.name), "post", op);
    }
    let mut schemas = answers.take_definitions(true);
    schemas.insert("Problem".into(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "PAMS",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The remote instance of PAMS. Paths under /api/v1 only ever gain; what goes is announced by the headers Deprecation and Sunset. A command may carry an Idempotency-Key: what was done under it is answered again, not done again; If-Match says which rev of a record its author saw.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": { "session": { "type": "apiKey", "in": "cookie", "name": super::guard::COOKIE } },
            "parameters": {
                "XPams": { "name": "X-PAMS", "in": "header", "required": true, "schema": { "type": "string", "const": "1" },
                    "description": "Says that no page of another site sent this" },
            },
            "schemas": schemas,
        },
    })
}

/// Requests stand where they are asked; what answers share is named once.
fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
        s.inline_subschemas = contract == Contract::Deserialize;
        s.contract = contract;
        s.transforms.push(Box::new(RecursiveTransform(bounded)));
    });
    settings.into_generator()
}

/// A schema that stands where it is used: those with a name are told by the generator.
fn told(mut schema: Schema) -> Schema {
    RecursiveTransform(bounded).transform(&mut schema);
    schema
}

/// Says of a number what its width says, which `format` says to nobody; and of a tuple
/// what every reader of OpenAPI understands.
fn bounded(schema: &mut Schema) {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let (least, most): (Option<i64>, Option<u64>) = match format {
        "uint8" => (None, Some(u8::MAX.into())),
        "uint16" => (None, Some(u16::MAX.into())),
        "uint32" => (None, Some(u32::MAX.into())),
        "uint" | "uint64" => (None, Some(u64::MAX)),
        "int32" => (Some(i32::MIN.into()), Some(i32::MAX as u64)),
        "int" | "int64" => (Some(i64::MIN), Some(i64::MAX as u64)),
        _ => (None, None),
    };
    if let Some(least) = least {
        schema.insert("minimum".into(), json!(least));
    }
    if let Some(most) = most {
        schema.insert("maximum".into(), json!(most));
    }
    if let Some(items) = schema.remove("prefixItems") {
        schema.insert("items".into(), json!({ "anyOf": items }));
    }
}

fn problem() -> Value {
    let codes: Vec<&str> = CODES.iter().map(|(code, ..)| *code).collect();
    json!({
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status", "code", "detail", "trace_id"],
        "properties": {
            "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
            "code": { "enum": codes }, "detail": { "type": "string" }, "hint": { "type": "string" },
            "errors": { "type": "array", "items": { "type": "object" } }, "trace_id": { "type": "string" },
        },
    })
}

fn failures(needs: Needs) -> Map<String, Value> {
    let content =
        json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let mut all = Map::new();
    for (_, status, _) in CODES {
        let open = needs == Needs::Nobody && *status == 401;
        if !open {
            all.insert(status.to_string(), json!({ "description": "A problem", "content": content }));
        }
    }
    all
}

fn operation(route: &Route, asks: &mut SchemaGenerator) -> Value {
    let mut responses = failures(if route.path == "/api/v1/session" { Needs::SignedIn } else { route.needs });
    let (status, success) = success(route);
    responses.insert(status.to_owned(), success);
    let mut op = json!({
        "summary": route.about,
        "operationId": format!("{}_{}", route.method, route.path.trim_matches('/').replace(['/', '{', '}', '-', '.'], "_")),
        "responses": responses,
    });
    if route.former().is_some() {
        op["deprecated"] = json!(true);
    }
    match route.needs {
        Needs::Nobody => {}
        Needs::SignedIn => op["security"] = json!([{ "session": [] }]),
        Needs::Verb(verb) => {
            op["security"] = json!([{ "session": [] }]);
            op["x-verb"] = json!(verb);
        }
    }
    let mut parameters = parameters(route.path);
    if route.method != "get" {
        parameters.push(json!({ "$ref": "#/components/parameters/XPams" }));
    }
    if !parameters.is_empty() {
        op["parameters"] = json!(parameters);
    }
    if let Some(body) = body(route, asks) {
        op["requestBody"] = body;
    }
    op
}

fn success(route: &Route) -> (&'static str, Value) {
    let of = |kind: &str, schema: Value| json!({ "description": "Done", "content": { kind: { "schema": schema } } });
    let binary = || json!({ "type": "string", "format": "binary" });
    match (route.method, route.path) {
        ("delete", _) | ("put", _) | (_, "/api/v1/session/step-up") => {
            ("204", json!({ "description": "Done" }))
        }
        ("post", "/api/v1/session" | "/api/v1/imports") => {
            ("201", of("application/json", json!({ "type": "object" })))
        }
        (_, path) if path.ends_with("metrics") => {
            let text = json!({ "schema": { "type": "string" } });
            let content = json!({ "text/plain": text, "application/openmetrics-text": text });
            ("200", json!({ "description": "Done", "content": content }))
        }
        (_, path) if path.ends_with("/start") => ("202", of("application/json", json!({ "type": "object" }))),
        (_, path) if path.ends_with("/sync/live") || path.ends_with("/events") => {
            ("200", of("text/event-stream", json!({ "type": "string" })))
        }
        ("post", path) if path.contains("/sync/") => ("200", of(super::sync::FRAME, binary())),
        (_, "/api/v1/chunks/{hash}") => ("200", of("application/octet-stream", binary())),
        (_, path) if path.ends_with("first-copy") => ("200", of(super::sync::FRAME, binary())),
        (_, "/api/v1/sessions") => ("200", of("application/json", json!({ "type": "array" }))),
        _ => ("200", of("application/json", json!({ "type": "object" }))),
    }
}

fn parameters(path: &str) -> Vec<Value> {
    let query = |name: &str, schema: Value| json!({ "name": name, "in": "query", "required": false, "schema": schema });
    let text = || json!({ "type": "string" });
    let page = || {
        vec![
            query("month", json!({ "type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$" })),
            query("owner", text()),
            query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 1000 })),
            query("cursor", text()),
        ]
    };
    match path {
        "/api/v1/activities" => {
            let mut all = page();
            all.extend([query("account", text()), query("project", text())]);
            all
        }
        "/api/v1/wins" => {
            let mut all = page();
            all.extend([
                query("type", json!({ "enum": ["win", "loss"] })),
                query("source", json!({ "enum": ["own", "imported"] })),
            ]);
            all
        }
        "/api/v1/chunks/{hash}" => {
            vec![json!({ "name": "hash", "in": "path", "required": true, "schema": { "type": "string" } })]
        }
        "/api/v1/imports/{id}/parts/{number}" => vec![
            json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }),
            json!({ "name": "number", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0 } }),
            query("hash", json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })),
        ],
        path if path.contains("{id}") => {
            vec![json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } })]
        }
        _ => vec![],
    }
}

fn body(route: &Route, asks: &mut SchemaGenerator) -> Option<Value> {
    let of = |kind: &str, schema: Value| {
        Some(json!({ "required": true, "content": { kind: { "schema": schema } } }))
    };
    let text = || json!({ "type": "string" });
    match (route.method, route.path) {
        ("post", "/api/v1/session") => of(
            "application/json",
            json!({
                "type": "object", "required": ["user", "password"],
                "properties": { "tenant": text(), "user": text(), "password": text(), "code": text(),
                    "device": { "type": "boolean" }, "label": text() },
            }),
        ),
        ("post", "/api/v1/session/step-up") => of(
            "application/json",
            json!({ "type": "object", "required": ["password"], "properties": { "password": text(), "code": text() } }),
        ),
        ("put", path) if path.contains("/parts/") => {
            of("application/octet-stream", json!({ "type": "string", "format": "binary" }))
        }
        ("post", "/api/v1/imports") => of(
            "application/json",
            json!({
                "type": "object", "required": ["target", "name", "bytes"],
                "properties": {
                    "target": asks.subschema_for::<Target>(), "name": text(),
                    "bytes": { "type": "integer", "minimum": 1 },
                    "hash": { "type": "string", "pattern": "^([0-9a-f]{64})?$" },
                },
            }),
        ),
        ("post", path) if path.ends_with("/start") => {
            of("application/json", json!(asks.subschema_for::<Options>()))
        }
        ("post", path) if path.ends_with("/commit") => of(
            "application/json",
            json!({ "type": "object", "properties": { "agreed": { "type": "boolean" } } }),
        ),
        ("put", _) => of(
            "application/json",
            json!({ "type": "object", "required": ["old", "new"], "properties": { "old": text(), "new": text() } }),
        ),
        ("post", "/api/v1/sync/digests" | "/api/v1/sync/blobs/missing") => None,
        ("post", path) if path.contains("/sync/") => {
            of(super::sync::FRAME, json!({ "type": "string", "format": "binary" }))
        }
        ("post", path) if path.contains("wins") => of(
            "multipart/form-data",
            json!({
                "type": "object", "required": ["file"], "additionalProperties": false,
                "properties": { "file": { "type": "string", "format": "binary" },
                    "month": asks.subschema_for::<Month>(),
                    "dry_run": { "type": "boolean" }, "append": { "type": "boolean" } },
            }),
        ),
        _ => None,
    }
}

/// A request of the engine's table.
fn asked(name: &str, verb: &str, kind: &str, answer: Schema) -> Value {
    let mut responses = failures(Needs::SignedIn);
    responses.insert(
        "200".into(),
        json!({ "description": "Done", "content": { "application/json": { "schema": told(answer) } } }),
    );
    let mut op = json!({
        "summary": format!("{kind} {name}"),
        "operationId": name.replace('.', "_"),
        "security": [{ "session": [] }],
        "responses": responses,
    });
    if !verb.is_empty() {
        op["x-verb"] = json!(verb);
    }
    op
}
