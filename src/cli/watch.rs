//! `pams import watch FOLDER`: workbooks that are dropped there are imported once and
//! moved to done, review or failed. A crash between import and move is no harm: the
//! same file again changes nothing, and one under review is not started twice.

use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::schema::Kind;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::{Engine, files};
use crate::services::imports::{CommitReview, DropReview, ListReviews, Options, ShowReview, Target};
use crate::services::records::Save;
use clap::ArgMatches;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Rest between two looks: a file that did not change meanwhile is whole.
const LOOK: Duration = Duration::from_secs(2);
/// The shorter rest of `--once`, for cron.
const LOOK_ONCE: Duration = Duration::from_millis(500);
/// Endings of files that are still on their way.
const PARTIAL: [&str; 5] = [".part", ".tmp", ".crdownload", ".filepart", ".swp"];

/// Where a file goes.
enum Fate {
    Done(String),
    Review(String),
    Failed(Failure),
}

type Seen = HashMap<PathBuf, (u64, Option<SystemTime>)>;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let folder = matches.get_one::<PathBuf>("folder").cloned().unwrap_or_default();
    let once = matches.get_flag("once");
    if !folder.is_dir() {
        return Err(Failure::not_found(format!("There is no folder {}", folder.display())));
    }
    let engine = context.cli()?;
    let mut seen = look(&folder)?;
    loop {
        std::thread::sleep(if once { LOOK_ONCE } else { LOOK });
        let now = look(&folder)?;
        let mut whole: Vec<&PathBuf> =
            now.iter().filter(|(p, s)| seen.get(*p) == Some(*s)).map(|(p, _)| p).collect();
        whole.sort();
        let mut took = Vec::new();
        for path in whole {
            took.push(take(context, &engine, &folder, path)?);
        }
        if context.json && (once || !took.is_empty()) {
            output::json(&serde_json::json!({ "items": took }));
        }
        if once {
            return match took.iter().filter(|t| t["went"] != "done").count() {
                0 => Ok(()),
                n => Err(Failure::new(FailureKind::Partial, format!("{n} of {} files wait", took.len()))
                    .hint("`pams notices list` tells why; `pams import list` shows the reviews")),
            };
        }
        seen = now;
    }
}

/// The files that lie in the folder, with size and time.
fn look(folder: &Path) -> Outcome<Seen> {
    let failed =
        |e: std::io::Error| Failure::invalid(format!("{} cannot be read: {}", folder.display(), said(&e)));
    let mut seen = Seen::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let partial = name.starts_with(['.', '~']) || PARTIAL.iter().any(|end| name.ends_with(end));
        // One that vanished between listing and looking is no longer there.
        if let (false, Ok(about)) = (partial, std::fs::metadata(&path))
            && about.is_file()
        {
            seen.insert(path, (about.len(), about.modified().ok()));
        }
    }
    Ok(seen)
}

/// One file: where it went and why.
fn take(context: &Context, engine: &Engine, folder: &Path, path: &Path) -> Outcome<serde_json::Value> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let fate = import(engine, path, &name);
    let (place, text) = match &fate {
        Fate::Done(text) => ("done", text.clone()),
        Fate::Review(text) => ("review", text.clone()),
        Fate::Failed(failure) => ("failed", failure.message.clone()),
    };
    let kept = put_away(folder, place, path, &name)?;
    if let Fate::Failed(failure) = &fate {
        let why = [Some(failure.message.clone()), failure.hint.clone()].into_iter().flatten();
        let _ = std::fs::write(kept.with_added_extension("txt"), why.collect::<Vec<_>>().join("\n") + "\n");
    }
    if !matches!(&fate, Fate::Done(text) if text == SAME) {
        let text = format!("Watched folder, {name}: {text}");
        let input = [("user", "me".to_owned()), ("text", text), ("subject", "imports".into())];
        let input = input.map(|(field, text)| (field.to_owned(), text)).into();
        engine.run(&Save { kind: Kind::Notification, id: None, input, seen_rev: None, ack: vec![] })?;
    }
    if !context.json {
        output::line(&format!("{place}: {name}: {text}"));
    }
    Ok(serde_json::json!({ "file": name, "went": place, "what": text }))
}

const SAME: &str = "nothing to change";

fn import(engine: &Engine, path: &Path, name: &str) -> Fate {
    let read = || {
        let (_, bytes) = files::read_path(&path.to_string_lossy())?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let open = engine.ask(&ListReviews {})?;
        if open.iter().any(|o| o.file == name && o.hash == hash) {
            return Ok(Fate::Review("is under review already".into()));
        }
        let started = files::review(engine, Target::Wins, name.to_owned(), &bytes, Options::default())?;
        let review = started.review;
        let done = || {
            engine.wait_for(started.job, |_| {})?;
            let shown = engine.ask(&ShowReview { review })?;
            let unread = || Failure::internal("The file was not read");
            let report = shown.report.ok_or_else(|| shown.failure.unwrap_or_else(unread))?;
            if let Some(refusal) = report.refusal() {
                return Err(refusal);
            }
            if !report.asks.is_empty() {
                return Ok(Fate::Review(format!(
                    "{}; `pams import commit {} --yes` if that is right",
                    report.asks.join("; "),
                    review.short()
                )));
            }
            let done = engine.run(&CommitReview { review, agreed: false })?.reply;
            Ok(Fate::Done(match done.added + done.changed + done.removed {
                0 => SAME.to_owned(),
                _ => format!(
                    "{} added, {} changed, {} removed, {} set aside",
                    done.added, done.changed, done.removed, done.rejected
                ),
            }))
        };
        done().inspect_err(|_| drop(engine.run(&DropReview { review })))
    };
    read().unwrap_or_else(Fate::Failed)
}

/// Moves a file into a folder beside it, under a name that is free there.
fn put_away(folder: &Path, place: &str, path: &Path, name: &str) -> Outcome<PathBuf> {
    let failed =
        |e: std::io::Error| Failure::invalid(format!("{} cannot be moved: {}", path.display(), said(&e)));
    let to = folder.join(place);
    std::fs::create_dir_all(&to).map_err(failed)?;
    let free = (0..).map(|n| if n == 0 { name.to_owned() } else { format!("{n}-{name}") });
    let free = free.map(|n| to.join(n)).find(|p| !p.exists()).unwrap_or_else(|| to.join(name));
    std::fs::rename(path, &free).map_err(failed)?;
    Ok(free)
}
