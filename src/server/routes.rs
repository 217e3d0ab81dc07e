//! All routes, each with what it needs. The router, the OpenAPI document and the matrix
//! of permissions are made from this table; a route that is not in it does not exist.

use crate::server::guard::{guard, stamped};
use crate::server::state::App;
use crate::server::{Problem, api, health, imports, openapi, session, sync, uploads};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, post, put};

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nobody,
    SignedIn,
    Verb(&'static str),
}

pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub needs: Needs,
    pub about: &'static str,
    handler: fn() -> MethodRouter<App>,
}

/// Bytes of a body: of a request, and of a file on its way in.
const MAX_BODY: usize = 2 << 20;
pub const MAX_FILE: usize = 25 << 20;

/// A path that is on its way out.
pub struct Former {
    path: &'static str,
    /// What stands in its place.
    pub successor: &'static str,
    /// Since when: seconds since 1970 (RFC 9745).
    pub since: u64,
    /// The day from which it may be gone (RFC 8594); never earlier than a year after
    /// `since`.
    pub sunset: &'static str,
}

const fn former(path: &'static str, successor: &'static str) -> Former {
    Former { path, successor, since: 1_795_392_000, sunset: "Fri, 01 Dec 2028 00:00:00 GMT" }
}

/// What callers of the programs before this one may still use.
static FORMER: [Former; 2] = [
    former("/api/admin/wins-import", "/api/v1/admin/wins-import"),
    former("/api/wins/upload", "/api/v1/admin/wins-import"),
];

impl Route {
    pub fn former(&self) -> Option<&'static Former> {
        FORMER.iter().find(|former| former.path == self.path)
    }

    /// Bytes that a body of it may have.
    pub fn max_body(&self) -> usize {
        let takes_file = self.path.ends_with("import") || self.path.ends_with("upload");
        // One change may hold what an import read.
        let takes_changes = self.path.starts_with("/api/v1/sync/");
        match () {
            () if self.path.ends_with("/parts/{number}") => uploads::PART_BYTES,
            () if takes_file || takes_changes => MAX_FILE,
            () => MAX_BODY,
        }
    }
}

macro_rules! routes {
    ($($method:ident $path:literal, $needs:expr, $about:literal => $handler:expr;)*) => {
        pub static ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            needs: $needs,
            about: $about,
            handler: || $method($handler),
        },)*];
    };
}

routes! {
    get "/health/live", Needs::Nobody, "Whether the process runs" => health::live;
    get "/health/ready", Needs::Nobody, "Whether it can write" => health::ready;
    get "/health", Needs::Verb("ops.read"), "Details of every part" => health::details;
    get "/metrics", Needs::Verb("ops.read"), "Counters in the OpenMetrics text format" => health::metrics;
    get "/health/metrics", Needs::Verb("ops.read"), "The same" => health::metrics;
    get "/openapi.json", Needs::Nobody, "This document" => openapi::document;
    post "/api/v1/session", Needs::Nobody, "Sign in" => session::sign_in;
    get "/api/v1/session", Needs::SignedIn, "Who is signed in" => session::show;
    delete "/api/v1/session", Needs::SignedIn, "Sign out" => session::sign_out;
    post "/api/v1/session/step-up", Needs::SignedIn, "Prove again who one is" => session::step_up;
    get "/api/v1/sessions", Needs::SignedIn, "Sessions that last" => session::list;
    delete "/api/v1/sessions/{id}", Needs::SignedIn, "End one" => session::end;
    get "/api/v1/rights", Needs::SignedIn, "Roles and verbs of who asks" => session::rights;
    put "/api/v1/password", Needs::SignedIn, "Set the own password" => session::set_password;
    post "/api/v1/sync/push", Needs::SignedIn, "Changes of a device" => sync::push;
    post "/api/v1/sync/batch", Needs::SignedIn, "The same" => sync::push;
    post "/api/v1/sync/pull", Needs::SignedIn, "The log behind a place" => sync::pull;
    post "/api/v1/sync/digests", Needs::SignedIn, "Digests of all records by kind and month" => sync::digests;
    post "/api/v1/sync/recover", Needs::SignedIn, "What is here of a device that starts over" => sync::recover;
    post "/api/v1/sync/blobs/get", Needs::Verb("outlets.read"), "Pieces of datasets by their hashes" => sync::get_blobs;
    post "/api/v1/sync/blobs/missing", Needs::SignedIn, "Pieces that the server lacks" => sync::missing_blobs;
    post "/api/v1/sync/blobs/keep", Needs::SignedIn, "Pieces that it lacked" => sync::keep_blobs;
    get "/api/v1/sync/first-copy", Needs::SignedIn, "Chunks of all records, for a new device" => sync::first_copy;
    get "/api/v1/chunks/{hash}", Needs::SignedIn, "One of them; a Range goes on with it" => sync::chunk;
    get "/api/v1/sync/live", Needs::SignedIn, "A hint after each change, as server-sent events" => sync::live;
    get "/api/v1/bootstrap", Needs::SignedIn, "Session, settings, counts and the month in one" => api::bootstrap;
    get "/api/v1/activities", Needs::Verb("activity.read"), "Activities, a page at a time" => api::activities;
    get "/api/v1/wins", Needs::Verb("wins.read"), "Wins and losses, a page at a time" => api::wins;
    post "/api/v1/admin/wins-import", Needs::Verb("wins.import"), "Import a workbook of wins" => imports::wins;
    post "/api/admin/wins-import", Needs::Verb("wins.import"), "The same" => imports::wins;
    post "/api/wins/upload", Needs::Verb("wins.import"), "The same" => imports::wins;
    post "/api/v1/imports", Needs::SignedIn, "Announce a file, to be sent in parts" => uploads::announce;
    put "/api/v1/imports/{id}/parts/{number}", Needs::SignedIn, "One part of it" => uploads::part;
    post "/api/v1/imports/{id}/start", Needs::SignedIn, "Read it, now that it is complete" => uploads::start;
    get "/api/v1/imports/{id}", Needs::SignedIn, "How it stands: missing parts, or what it would do" => uploads::status;
    get "/api/v1/imports/{id}/events", Needs::SignedIn, "How far reading is, as server-sent events" => uploads::events;
    post "/api/v1/imports/{id}/commit", Needs::SignedIn, "Write what it would do" => uploads::commit;
    delete "/api/v1/imports/{id}", Needs::SignedIn, "Give it up" => uploads::give_up;
    get "/api/v1/query/{request}", Needs::SignedIn, "Ask any query of the table" => api::query;
    post "/api/v1/do/{request}", Needs::SignedIn, "Run any command of the table" => api::command;
}

pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let handler = (route.handler)()
            .route_layer(DefaultBodyLimit::max(route.max_body()))
            .route_layer(from_fn_with_state((app.clone(), route), guard));
        router = router.route(route.path, handler);
    }
    router
        .method_not_allowed_fallback(async || {
            let problem = Problem::new("method", "This path does not take that method").into_response();
            stamped(problem, &uuid::Uuid::new_v4().to_string()).await
        })
        .fallback(async || {
            let problem = Problem::new("not_found", "There is no such path").into_response();
            stamped(problem, &uuid::Uuid::new_v4().to_string()).await
        })
        .with_state(app)
}
