//! `pams dev bench-sync`: a server and two devices in a folder of their own. What weeks
//! without a line cost, and a push that is sent twice.

use super::{Served, fsync_floor};
use crate::changes::Via;
use crate::cli::{Context, output};
use crate::config::{self, Folders};
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::Engine;
use crate::remote::link::Link;
use crate::remote::{Client, sync};
use crate::services::records::{List, Save};
use crate::services::sync::device::{ApplyPull, NextPull, NextPush};
use crate::services::sync::{PushChanges, Pushed};
use clap::ArgMatches;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

const PASSWORD: &str = "only for this measurement";
/// Changes of one push that is measured, and what both devices do while they are apart.
const PUSHED: usize = 10_000;
const APART: usize = 5_000;
const CONFLICTS: usize = 200;

/// One person's device.
struct Device {
    engine: Engine,
    client: Client,
}

pub fn run(context: &Context, _: &ArgMatches) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::internal(format!("A folder cannot be made: {e}"));
    let folder = std::env::temp_dir().join(format!("pams-bench-sync-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let at = |name: &str| folder.join(name);
    let server = Context { folders: Folders::find(Some(&at("server")), None)?, ..context.clone() };
    let password = at("password");
    std::fs::write(&password, PASSWORD).map_err(failed)?;
    let file = password.display().to_string();
    pams(&at("server"), &["init", "--server", "--tenant", "Bench", "--name", "Root"])?;
    for name in ["Ana", "Ben"] {
        pams(&at("server"), &["user", "add", name, "--role", "admin", "--password-file", &file])?;
    }
    let served = Served::start(&server, "127.0.0.1:0")?;
    let device = |name: &str| {
        let words =
            ["login", &served.url, "--user", name, "--password-file", &file, "--pin", &served.key, "--json"];
        pams(&at(name), &words)?;
        let folders = Folders::find(Some(&at(name)), None)?;
        let engine = Engine::open(folders.places(), Via::Cli, config::now_ms, false)?;
        let link = Link::load(&folders)?.ok_or_else(|| Failure::internal("Nobody is signed in"))?;
        Ok::<_, Failure>(Device { engine, client: link.client(&folders)? })
    };
    let (ana, ben) = (device("Ana")?, device("Ben")?);
    let pushed = ana.push_twice()?;
    let apart = apart(&ana, &ben)?;
    output::json(&json!({ "fsync_floor_ms": fsync_floor(&server)?, "push": pushed, "apart": apart }));
    drop(served);
    drop((ana, ben));
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}

fn pams(home: &Path, words: &[&str]) -> Outcome<()> {
    let failed = |e: &dyn std::fmt::Display| Failure::internal(format!("pams {}: {e}", words.join(" ")));
    let program = std::env::current_exe().map_err(|e| failed(&e))?;
    let ran = std::process::Command::new(program)
        .arg("--home")
        .arg(home)
        .args(words)
        .output()
        .map_err(|e| failed(&e))?;
    if ran.status.success() { Ok(()) } else { Err(failed(&String::from_utf8_lossy(&ran.stderr))) }
}

impl Device {
    fn save(&self, id: Option<Id>, fields: &[(&str, String)]) -> Outcome<Id> {
        let input: BTreeMap<String, String> =
            fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let save = Save { kind: Kind::Account, id, input, seen_rev: None, ack: vec![] };
        Ok(self.engine.run(&save)?.reply.item.id)
    }

    fn sync(&self) -> Outcome<(sync::Synced, f64)> {
        let begun = Instant::now();
        let synced = sync::round(&self.engine, &self.client)?;
        Ok((synced, begun.elapsed().as_secs_f64() * 1e3))
    }

    /// Ten thousand changes, pushed as a round pushes them, and all of it again.
    fn push_twice(&self) -> Outcome<Value> {
        for n in 0..PUSHED {
            self.save(None, &[("name", format!("Pushed {n}"))])?;
        }
        let mut pages: Vec<PushChanges> = Vec::new();
        let (mut push_ms, mut pull_ms) = (0.0, 0.0);
        while let Some(page) = self.engine.ask(&NextPush {})? {
            let begun = Instant::now();
            self.client.frame::<_, Pushed>("/api/v1/sync/push", &page)?;
            push_ms += begun.elapsed().as_secs_f64() * 1e3;
            pages.push(page);
            let begun = Instant::now();
            loop {
                let ask = self.engine.ask(&NextPull {})?;
                let page: crate::services::sync::Pulled = self.client.frame("/api/v1/sync/pull", &ask)?;
                let last = page.through >= page.last_seq;
                self.engine.run(&ApplyPull { page })?;
                if last {
                    break;
                }
            }
            pull_ms += begun.elapsed().as_secs_f64() * 1e3;
        }
        let begun = Instant::now();
        for page in &pages {
            self.client.frame::<_, Pushed>("/api/v1/sync/push", page)?;
        }
        let again_ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok(json!({
            "changes": PUSHED, "pages": pages.len(), "push_ms": push_ms, "read_back_ms": pull_ms,
            "again_ms": again_ms,
        }))
    }
}

/// Both work for weeks without a line: each makes records, and both change the same ones.
fn apart(ana: &Device, ben: &Device) -> Outcome<Value> {
    let mut shared = Vec::new();
    for n in 0..CONFLICTS {
        shared.push(ana.save(None, &[("name", format!("Shared {n}")), ("region", "south".into())])?);
    }
    ana.sync()?;
    ben.sync()?;
    for (device, name) in [(ana, "north"), (ben, "west")] {
        for id in &shared {
            device.save(Some(*id), &[("region", name.into())])?;
        }
        for n in 0..APART - CONFLICTS {
            device.save(None, &[("name", format!("{name} {n}"))])?;
        }
    }
    ben.sync()?;
    let (synced, took_ms) = ana.sync()?;
    ben.sync()?;
    let count = |device: &Device| {
        let all = List {
            kind: Kind::Account,
            filter: None,
            archived: false,
            account: None,
            limit: 1_000,
            cursor: None,
        };
        let (mut ask, mut count) = (all, 0);
        loop {
            let page = device.engine.ask(&ask)?;
            count += page.items.len();
            match page.next {
                Some(next) => ask.cursor = Some(next),
                None => return Ok::<_, Failure>(count),
            }
        }
    };
    Ok(json!({
        "each": APART, "conflicts": CONFLICTS, "sync_ms": took_ms, "pushed": synced.pushed,
        "pulled": synced.pulled, "new_drafts": synced.new_drafts,
        "records": [count(ana)?, count(ben)?],
        "wanted": PUSHED + CONFLICTS + 2 * (APART - CONFLICTS),
    }))
}
