//! `pams login|logout|whoami|sync|remote|trust`: this device and its remote instance.

use crate::changes::Via;
use crate::cli::serve::{first_line, secret};
use crate::cli::{Context, confirm, output, prompt};
use crate::config;
use crate::domain::failure::said;
use crate::domain::schema::SCHEMA_VERSION;
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::engine::Engine;
use crate::remote::link::{Link, known_file};
use crate::remote::trust::{Known, Verifier};
use crate::remote::{Client, normal_url, ops, sync};
use crate::services::permissions::ShowRights;
use crate::services::records::Counts;
use crate::services::setup::WhoAmI;
use crate::services::sync::device::{JoinRemote, Remote, Standing, SyncStatus, not_signed_in};
use clap::ArgMatches;
use serde::Deserialize;
use std::cmp::Ordering;
use std::path::PathBuf;

pub fn run(context: &Context, noun: &str, matches: &ArgMatches) -> Outcome<()> {
    match noun {
        "login" => login(context, matches),
        "logout" => logout(context),
        "whoami" => whoami(context),
        "sync" if matches.get_flag("reconcile") => reconcile(context),
        "sync" => sync_now(context),
        "version" => version(context, matches.get_flag("server")),
        "remote" if matches.subcommand_name() == Some("ops") => show_ops(context),
        "remote" => status(context),
        _ => trust(context, matches),
    }
}

/// What the server says to who signed in.
#[derive(Deserialize)]
struct SignedIn {
    user: Id,
    name: String,
    tenant: Id,
    tenant_name: String,
    epoch: u64,
    version: String,
    schema: u32,
}

fn login(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let url = normal_url(&text("url").unwrap_or_default())?;
    let add_ca = matches.get_one::<PathBuf>("add-ca").cloned();
    let add_ca = match add_ca {
        Some(path) => Some(std::path::absolute(&path).map_err(|e| Failure::usage(said(&e)))?),
        None => None,
    };
    let key = agree_on_key(context, &url, text("pin"), add_ca.as_deref())?;
    let known = known_file(&context.folders);
    let trusted = Verifier::new(key.clone(), add_ca.as_deref())?;
    let client = Client::new(&url, trusted, "")?;
    let user = text("user").or_else(|| prompt("User:")).unwrap_or_default();
    let password = match matches.get_one::<PathBuf>("password-file") {
        Some(path) => first_line(path)?,
        None => secret("Password")?,
    };
    let mut code = match matches.get_one::<PathBuf>("code-file") {
        Some(path) => first_line(path)?,
        None => String::new(),
    };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (shown, cookie) = loop {
        let body = serde_json::json!({
            "tenant": text("tenant").unwrap_or_default(), "user": user, "password": password, "code": code,
            "device": true, "label": format!("pams on {host}"),
        });
        match client.sign_in(&body) {
            Err(failure) if code.is_empty() && failure.candidates.iter().any(|c| c == "code_wanted") => {
                code = prompt("Code:").filter(|c| !c.is_empty()).ok_or(failure)?;
            }
            answer => break answer?,
        }
    };
    let shown: SignedIn = serde_json::from_value(shown)
        .map_err(|e| Failure::internal(format!("The answer cannot be read: {e}")))?;
    if let Some(key) = &key {
        Known { path: &known }.put(&url, key)?;
    }
    let remote = Remote { url: url.clone(), tenant: shown.tenant_name.clone(), user };
    let engine = join(context, remote, &shown)?;
    let link = Link { url: url.clone(), cookie, add_ca };
    link.save(&context.folders)?;
    let synced = sync::round(&engine, &link.client(&context.folders)?)?;
    if context.json {
        output::json(&serde_json::json!({
            "url": url, "tenant": shown.tenant_name, "user": shown.name, "fingerprint": key,
            "pushed": synced.pushed, "pulled": synced.pulled, "drafts": synced.drafts, "seq": synced.seq,
        }));
    } else {
        output::line(&format!("signed in as {} at {}", shown.name, shown.tenant_name));
        output::line(&counted(&synced));
        skew(&shown).iter().for_each(|warning| output::note(warning));
    }
    Ok(())
}

/// What to know where the server is of another version. What one of them does not know
/// yet passes through the other unharmed.
fn skew(server: &SignedIn) -> Option<String> {
    let (theirs, ours) = (server.schema, SCHEMA_VERSION);
    let older = match theirs.cmp(&ours) {
        Ordering::Equal => return None,
        Ordering::Less => "the server",
        Ordering::Greater => "this program",
    };
    Some(format!(
        "note:  the server has schema {theirs}, this program {ours}: {older} should be brought up to date"
    ))
}

/// The key to pin: the given one, the one that was confirmed before, or none where the
/// system's roots vouch for the server; a new one is shown and confirmed.
fn agree_on_key(
    context: &Context,
    url: &str,
    pin: Option<String>,
    add_ca: Option<&std::path::Path>,
) -> Outcome<Option<String>> {
    let known = known_file(&context.folders);
    let before = Known { path: &known }.find(url)?;
    let expected = pin.clone().or(before.clone());
    let trust = Verifier::new(expected.clone(), add_ca)?;
    let client = Client::new(url, trust.clone(), "")?;
    match client.json::<serde_json::Value>(reqwest::Method::GET, "/health/live", None) {
        Ok(_) => Ok(expected),
        Err(failure) if failure.kind != FailureKind::Denied => Err(failure),
        Err(failure) => {
            let shown = trust.seen().unwrap_or_default();
            if let Some(expected) = expected {
                let mut failure = Failure::new(
                    FailureKind::Denied,
                    "The server shows another key than the one you confirmed",
                );
                failure.candidates = vec![format!("confirmed  {expected}"), format!("shown now  {shown}")];
                return Err(failure.hint(format!(
                    "Ask its operator; if it was changed on purpose: `pams trust --replace {url}`"
                )));
            }
            if shown.is_empty() {
                return Err(failure);
            }
            output::note(&format!("The key of {url} is not known here:\n  {shown}"));
            if !context.yes && prompt_is_absent() {
                return Err(failure.hint(format!("If `pams serve` printed this key, say --pin {shown}")));
            }
            confirm(context, "Is it the key that `pams serve` printed?")?;
            Ok(Some(shown))
        }
    }
}

fn prompt_is_absent() -> bool {
    use std::io::IsTerminal;
    !std::io::stdin().is_terminal()
}

/// Makes the profile's store a copy of the remote one. A store with records of its own is
/// put aside, not given up.
fn join(context: &Context, remote: Remote, shown: &SignedIn) -> Outcome<Engine> {
    let engine = Engine::open(context.folders.places(), Via::Cli, config::now_ms, context.read_only)?;
    let standing = engine.ask(&SyncStatus {})?;
    let me = engine.ask(&WhoAmI {})?;
    if let Some(before) = &standing.remote {
        let same =
            before.url == remote.url && before.tenant == remote.tenant && (!me.set_up || me.id == shown.user);
        return match same {
            true => Ok(engine),
            false => Err(Failure::conflict(format!(
                "This profile is a copy of {} at {}, as {}",
                before.tenant, before.url, before.user
            ))
            .hint("Another organisation or person is another world: `pams --profile NAME login …`")),
        };
    }
    if me.set_up {
        put_aside(context, &engine)?;
    }
    engine.run(&JoinRemote { remote, user: shown.user, tenant: shown.tenant, epoch: shown.epoch })?;
    Ok(engine)
}

fn put_aside(context: &Context, engine: &Engine) -> Outcome<()> {
    let store = context.folders.places().store;
    let stamp = chrono::Utc::now().format("%Y%m%d-%H%M%S");
    let kept = store.with_file_name(format!("pams-local-{stamp}.redb"));
    let counts = engine.ask(&Counts {})?;
    let own: u64 = ["activities", "accounts", "projects", "wins"].iter().filter_map(|n| counts.get(*n)).sum();
    if own > 0 {
        let question = format!(
            "This profile has {own} records of its own. They stay in {} and are not sent. Go on?",
            kept.display()
        );
        confirm(context, &question)?;
    }
    if !engine.is_host() {
        return Err(
            Failure::conflict("Another PAMS has this profile open").hint("Close it, then sign in again")
        );
    }
    engine.leave();
    let moved = std::fs::rename(&store, &kept);
    engine.resume()?;
    moved.map_err(|e| Failure::invalid(format!("{} cannot be put aside: {}", store.display(), said(&e))))?;
    output::note(&format!("note:  what was here is kept in {}", kept.display()));
    Ok(())
}

fn link(context: &Context) -> Outcome<Link> {
    Link::load(&context.folders)?.ok_or_else(not_signed_in)
}

fn logout(context: &Context) -> Outcome<()> {
    // A file that others may read is taken away all the same.
    let loaded = Link::load(&context.folders);
    if let Ok(Some(link)) = &loaded {
        let client = link.client(&context.folders)?;
        let ended = client.json::<serde_json::Value>(reqwest::Method::DELETE, "/api/v1/session", None);
        if let Err(failure) = ended {
            output::note(&format!("note:  the server was not told: {}", failure.message));
        }
    }
    Link::forget(&context.folders)?;
    output::line(if matches!(loaded, Ok(None)) {
        "nobody was signed in"
    } else {
        "signed out; what is here stays"
    });
    Ok(())
}

fn whoami(context: &Context) -> Outcome<()> {
    let engine = context.cli()?;
    let me = engine.ask(&WhoAmI {})?;
    let standing = engine.ask(&SyncStatus {})?;
    if context.json {
        let rights = engine.ask(&ShowRights {})?;
        output::json(&serde_json::json!({ "me": me, "remote": standing.remote, "rights": rights }));
        return Ok(());
    }
    let email = if me.email.is_empty() { String::new() } else { format!(" <{}>", me.email) };
    output::line(&format!("{}{email} at {}", me.name, me.organisation));
    output::line(&engine.ask(&ShowRights {})?.told());
    match standing.remote {
        Some(remote) => output::line(&format!("signed in to {} as {}", remote.url, remote.user)),
        None => output::line("local; `pams login URL` signs in to a remote instance"),
    }
    Ok(())
}

fn sync_now(context: &Context) -> Outcome<()> {
    let engine = context.cli()?;
    let client = link(context)?.client(&context.folders)?;
    let synced = sync::round(&engine, &client)?;
    if context.json {
        output::json(&synced);
    } else {
        output::line(&counted(&synced));
    }
    match synced.new_drafts {
        0 => Ok(()),
        1 => Err(Failure::conflict("1 change needs you").hint("`pams drafts list` shows it")),
        n => Err(Failure::conflict(format!("{n} changes need you")).hint("`pams drafts list` shows them")),
    }
}

fn reconcile(context: &Context) -> Outcome<()> {
    let engine = context.cli()?;
    let client = link(context)?.client(&context.folders)?;
    let found = sync::reconcile(&engine, &client)?;
    if context.json {
        output::json(&found);
    } else {
        found.told().iter().for_each(|line| output::line(line));
    }
    found.settled()?;
    if found.mended {
        output::note("read anew: both sides are alike");
    }
    Ok(())
}

fn counted(synced: &sync::Synced) -> String {
    let need = match synced.drafts {
        0 => String::new(),
        n => format!(", {n} need you: `pams drafts list`"),
    };
    format!("{}{need}", synced.told())
}

fn status(context: &Context) -> Outcome<()> {
    let engine = context.cli()?;
    let standing: Standing = engine.ask(&SyncStatus {})?;
    if context.json {
        output::json(&standing);
        return Ok(());
    }
    let Some(remote) = &standing.remote else { return Err(not_signed_in()) };
    let me = engine.ask(&WhoAmI {})?;
    let zone = crate::domain::when::Zone::parse(&me.zone).unwrap_or(crate::domain::when::Zone::UTC);
    let synced = if standing.synced_ms == 0 { "never".to_owned() } else { zone.stamp(standing.synced_ms) };
    let session =
        if Link::load(&context.folders)?.is_some() { "open" } else { "ended; `pams login` opens one" };
    output::line(&format!("remote     {}", remote.url));
    output::line(&format!("as         {} at {}", remote.user, remote.tenant));
    output::line(&format!("session    {session}"));
    output::line(&format!("queue      {} changes wait to be sent", standing.queue));
    output::line(&format!("drafts     {} need you", standing.drafts));
    output::line(&format!("last sync  {synced}, at change {} of epoch {}", standing.seq, standing.epoch));
    match server(context) {
        Ok(server) => {
            output::line(&format!("server     PAMS {}, schema {}", server.version, server.schema));
            skew(&server).iter().for_each(|warning| output::note(warning));
        }
        Err(failure) => output::line(&format!("server     {}", failure.message)),
    }
    Ok(())
}

fn version(context: &Context, of_server: bool) -> Outcome<()> {
    let ours = (env!("CARGO_PKG_VERSION"), SCHEMA_VERSION);
    let server = if of_server { Some(server(context)?) } else { None };
    if context.json {
        let theirs = server.map(|s| serde_json::json!({ "version": s.version, "schema": s.schema }));
        output::json(&serde_json::json!({ "version": ours.0, "schema": ours.1, "server": theirs }));
        return Ok(());
    }
    output::line(&format!("pams {}, schema {}", ours.0, ours.1));
    if let Some(server) = server {
        output::line(&format!("server {}, schema {}", server.version, server.schema));
        skew(&server).iter().for_each(|warning| output::note(warning));
    }
    Ok(())
}

fn show_ops(context: &Context) -> Outcome<()> {
    let ops = ops::ask(&link(context)?.client(&context.folders)?)?;
    if context.json {
        output::json(&ops);
        return Ok(());
    }
    output::line(&ops.told());
    output::line(&ops.goal());
    let row = |of: &ops::Route| {
        vec![of.route.clone(), of.requests.to_string(), of.latency(), of.errors.to_string()]
    };
    let rows: Vec<Vec<String>> = ops.routes.iter().map(row).collect();
    output::table(&["route", "requests", "p50 / p95 / p99 ms", "faults"], &rows);
    Ok(())
}

/// Whom the server takes this device's session for, and which program it is.
fn server(context: &Context) -> Outcome<SignedIn> {
    link(context)?.client(&context.folders)?.json(reqwest::Method::GET, "/api/v1/session", None)
}

fn trust(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let known = known_file(&context.folders);
    let given = matches.get_one::<String>("url").cloned();
    let url = match given {
        Some(url) => normal_url(&url)?,
        None => link(context)?.url,
    };
    let before = Known { path: &known }.find(&url)?;
    if !matches.get_flag("replace") {
        output::line(&format!("{url} {}", before.as_deref().unwrap_or("has no confirmed key")));
        return Ok(());
    }
    // Nothing is sent before the key is agreed on: the handshake alone shows it.
    let probe = Verifier::new(Some(String::new()), None)?;
    let client = Client::new(&url, probe.clone(), "")?;
    let _ = client.json::<serde_json::Value>(reqwest::Method::GET, "/health/live", None);
    let shown = probe.seen().ok_or_else(|| crate::remote::offline(format!("{url} cannot be reached")))?;
    output::note(&format!("confirmed  {}", before.as_deref().unwrap_or("none")));
    output::note(&format!("shown now  {shown}"));
    confirm(context, "Take the key that it shows now?")?;
    Known { path: &known }.put(&url, &shown)?;
    output::line(&format!("{url} {shown}"));
    Ok(())
}
