//! `pams init`, `pams serve`, `pams session`, and what people sign in with.

use crate::changes::Via;
use crate::cli::{Context, default_identity, output, prompt};
use crate::config::{self, Folders};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::remote::online;
use crate::server::{self, Tenant, tls};
use crate::services::sessions::{
    EndSession, ListSessions, SetCodes, SetPassword, key_uri, new_codes, password,
};
use crate::services::setup::WhoAmI;
use clap::ArgMatches;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// `pams init`
pub fn init(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let mut set_up = default_identity();
    if matches.get_flag("server") && text("tenant").is_none() {
        return Err(Failure::usage("Which organisation is it? Say so with --tenant NAME"));
    }
    set_up.organisation = text("tenant").unwrap_or_default();
    set_up.name = text("name").unwrap_or(set_up.name);
    set_up.email = text("email").unwrap_or(set_up.email);
    set_up.zone = text("zone").unwrap_or(set_up.zone);
    set_up.currency = text("currency").unwrap_or(set_up.currency);
    let engine = Engine::open(context.folders.places(), Via::Cli, config::now_ms, false)?;
    if !engine.run(&set_up)?.reply {
        let me = engine.ask(&WhoAmI {})?;
        return Err(Failure::conflict(format!("There is an organisation here already: {}", me.organisation))
            .hint("Another one of the same server is made with --profile NAME"));
    }
    let me = engine.ask(&WhoAmI {})?;
    if context.json {
        output::json(&me);
    } else {
        output::line(&format!("{} is made; {} is its admin", me.organisation, me.name));
        if matches.get_flag("server") {
            output::note("hint:  `pams user add NAME --role presales --password-file FILE` adds people");
            output::note("       `pams serve` answers them");
        }
    }
    Ok(())
}

/// The profiles of a home that have a store: the first has no name.
fn profiles(folders: &Folders) -> Vec<String> {
    let mut found = vec![];
    if folders.data.join("pams.redb").exists() {
        found.push(String::new());
    }
    let inside = std::fs::read_dir(&folders.data).into_iter().flatten().flatten();
    let mut named: Vec<String> = inside
        .filter(|entry| entry.path().join("pams.redb").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    named.sort();
    found.extend(named);
    found
}

/// The context of the organisation that `--tenant` names.
pub fn of_tenant(context: &Context, matches: &ArgMatches) -> Outcome<Context> {
    let given = matches.try_get_one::<String>("tenant").ok().flatten();
    let Some(name) = given else { return Ok(context.clone()) };
    for profile in profiles(&context.folders) {
        let folders = context.folders.of_profile(&profile);
        let engine = Engine::open(folders.places(), Via::Cli, config::now_ms, context.read_only)?;
        let me = engine.ask(&WhoAmI {})?;
        if me.organisation.eq_ignore_ascii_case(name) || profile == *name {
            return Ok(Context { folders, ..context.clone() });
        }
    }
    Err(Failure::not_found(format!("There is no organisation \"{name}\" in this home"))
        .hint("`pams init --server --tenant NAME` makes the first, with --profile NAME a further one"))
}

/// `pams serve`
pub fn serve(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let listen = matches.get_one::<SocketAddr>("listen").copied();
    let listen = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8443)));
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let given = path("cert").zip(path("key"));
    let files = tls::Files::find(given, &context.folders.config.join("tls"), listen)?;
    let mut tenants = Vec::new();
    for profile in profiles(&context.folders) {
        let folders = context.folders.of_profile(&profile);
        let engine = Engine::open(folders.places(), Via::Api, config::now_ms, false)?;
        tenants.push(Arc::new(Tenant::new(profile, engine, &folders.data, &folders.cache)?));
    }
    if tenants.is_empty() {
        return Err(Failure::not_found("There is no organisation in this home yet")
            .hint("`pams init --server --tenant NAME` makes one"));
    }
    let hours = matches.get_one::<u64>("backup-hours").copied().unwrap_or(24);
    if hours > 0 {
        for tenant in &tenants {
            keep_backed_up(tenant, context.folders.of_profile(&tenant.profile), hours)?;
        }
    }
    let names: Vec<String> = tenants.iter().map(|t| t.name.clone()).collect();
    let (json, fingerprint) = (context.json, files.fingerprint()?);
    let rate = matches.get_one::<u64>("rate").copied().unwrap_or(200).clamp(1, 100_000) as u32;
    server::run(server::Settings { listen, files, tenants, rate }, move |address| {
        let url = format!("https://{address}");
        if json {
            output::line(&serde_json::json!({ "url": url, "fingerprint": fingerprint }).to_string());
        } else {
            output::line(&format!("serving {} at {url}", names.join(", ")));
            output::line(&format!("key     {fingerprint}"));
            output::note("hint:  `pams login URL` signs in; compare the key there with this one");
        }
        Ok(())
    })
}

/// Makes a backup every so many hours while the server runs, and keeps those that count.
fn keep_backed_up(tenant: &Arc<Tenant>, folders: Folders, hours: u64) -> Outcome<()> {
    let tenant = Arc::downgrade(tenant);
    let work = move || {
        loop {
            std::thread::sleep(Duration::from_secs(3_600 * hours));
            let Some(tenant) = tenant.upgrade() else { return };
            let made = super::backup::make(&tenant.engine, &folders)
                .and_then(|made| super::backup::pruned(&folders, false).map(|_| made));
            let line = match made {
                Ok(made) => {
                    serde_json::json!({ "level": "info", "target": "backup", "tenant": tenant.name, "path": made.path, "seq": made.checked.seq })
                }
                Err(failure) => {
                    serde_json::json!({ "level": "error", "target": "backup", "tenant": tenant.name, "message": failure.message })
                }
            };
            output::note(&line.to_string());
        }
    };
    let started = std::thread::Builder::new().name("pams-backup".into()).spawn(work);
    started.map(drop).map_err(|e| Failure::internal(format!("A thread cannot be started: {}", said(&e))))
}

/// `pams session list|end`
pub fn session(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    if verb == "end" {
        let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
        online::run(&engine, &context.folders, &EndSession { which: which.clone() })?;
        output::line(&format!("ended the session {which}"));
        return Ok(());
    }
    let all = online::ask(&engine, &context.folders, &ListSessions {})?;
    if context.json {
        output::json(&all);
        return Ok(());
    }
    if all.is_empty() {
        output::note("Nobody is signed in to this organisation");
        return Ok(());
    }
    let zone = crate::domain::when::Zone::parse(&engine.ask(&WhoAmI {})?.zone)
        .unwrap_or(crate::domain::when::Zone::UTC);
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|s| {
            let kind = if s.device { "device" } else { "browser" };
            let id = s.id.chars().take(12).collect();
            vec![id, s.name.clone(), kind.into(), s.label.clone(), s.address.clone(), zone.stamp(s.used_ms)]
        })
        .collect();
    output::table(&["id", "who", "kind", "on", "from", "last used"], &rows);
    Ok(())
}

/// `pams user password`
pub fn set_password(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let context = of_tenant(context, matches)?;
    let user = matches.get_one::<String>("id").cloned().unwrap_or_default();
    let hash = password::hash(&new_password(matches)?)?;
    context.cli()?.run(&SetPassword { user: user.clone(), hash })?;
    output::line(&format!("set the password of {user}; their sessions have ended"));
    Ok(())
}

/// The password that `user add` gives, if it gives one.
pub fn given_password(matches: &ArgMatches) -> Outcome<Option<String>> {
    match matches.try_get_one::<PathBuf>("password-file").ok().flatten() {
        Some(path) => Ok(Some(password::hash(&first_line(path)?)?)),
        None => Ok(None),
    }
}

fn new_password(matches: &ArgMatches) -> Outcome<String> {
    if let Some(path) = matches.get_one::<PathBuf>("password-file") {
        return first_line(path);
    }
    let first = secret("New password")?;
    if secret("Once more")? == first { Ok(first) } else { Err(Failure::invalid("The two are not the same")) }
}

/// The first line of a file that holds a secret; `-` is standard input.
pub fn first_line(path: &Path) -> Outcome<String> {
    let text = match path.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(path),
    };
    let text =
        text.map_err(|e| Failure::invalid(format!("{} cannot be read: {}", path.display(), said(&e))))?;
    match text.lines().next().map(str::trim_end) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::invalid(format!("{} is empty", path.display()))),
    }
}

/// A secret typed at the terminal, which does not show it.
pub fn secret(question: &str) -> Outcome<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(format!("{question}: there is no terminal to ask on"))
            .hint("Give it with --password-file FILE"));
    }
    let before = tcgetattr(&stdin).ok();
    if let Some(mut quiet) = before.clone() {
        quiet.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Now, &quiet);
    }
    let typed = prompt(&format!("{question}:"));
    if let Some(before) = before {
        let _ = tcsetattr(&stdin, OptionalActions::Now, &before);
    }
    output::note("");
    typed.filter(|t| !t.is_empty()).ok_or_else(|| Failure::usage("Nothing was typed"))
}

/// `pams user codes`
pub fn set_codes(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let context = of_tenant(context, matches)?;
    let user = matches.get_one::<String>("id").cloned().unwrap_or_default();
    let engine = context.cli()?;
    if matches.get_flag("off") {
        engine.run(&SetCodes { user: user.clone(), secret: String::new(), recovery: vec![] })?;
        output::line(&format!("{user} signs in without one-time codes"));
        return Ok(());
    }
    let codes = new_codes(&user)?;
    let uri = key_uri(&engine.ask(&WhoAmI {})?.organisation, &user, &codes.secret);
    engine.run(&codes)?;
    if context.json {
        output::json(&serde_json::json!({ "secret": codes.secret, "uri": uri, "recovery": codes.recovery }));
        return Ok(());
    }
    output::line(&format!("secret    {}", codes.secret));
    output::line(&format!("link      {uri}"));
    output::line(&format!("recovery  {}", codes.recovery.join(" ")));
    output::note("note:  shown this once; each recovery code signs in one time");
    Ok(())
}
