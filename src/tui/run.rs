//! The loop: wait, drain, update, draw. No periodic tick; a deadline exists only while
//! something waits for it.

use crate::config::Folders;
use crate::config::settings::Settings;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::services::drafts::KeepForm;
use crate::services::setup::WhoAmI;
use crate::services::state::{GetState, SetState};
use crate::tui::app::{AUTOSAVE, App, Status};
use crate::tui::keys::Keymap;
use crate::tui::msg::{Deadline, Effect, Msg};
use crate::tui::panes::activities;
use crate::tui::terminal;
use crate::tui::theme::{Depth, Theme};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Messages that may wait.
const MAX_MESSAGES: usize = 1_024;
/// Messages taken before the screen is drawn again.
const DRAIN: usize = 256;
/// Threads that do the interface's work.
const WORKERS: usize = 2;
/// Work that may wait for them.
const MAX_WORK: usize = 256;

/// Opens the interface on an engine and returns the exit code.
pub fn run(engine: Engine, folders: &Folders, settings: &Settings) -> Outcome<i32> {
    let engine = Arc::new(engine);
    let mut app = app(&engine, folders, settings)?;
    let (tx, rx) = sync_channel::<Msg>(MAX_MESSAGES);
    let failed = |e: std::io::Error| {
        Failure::internal(format!("The terminal cannot be used: {e}"))
            .hint("Try another TERM, or the commands of `pams --help`")
    };
    terminal::signals(tx.clone()).map_err(failed)?;
    let mut screen = terminal::open().map_err(failed)?;
    let result = (|| {
        terminal::watch_hangup(tx.clone());
        terminal::keyboard(tx.clone())?;
        let changes = tx.clone();
        // A full queue has a refresh in it already.
        engine.subscribe(move |event| {
            let _ = changes.try_send(Msg::Event(event.clone()));
            true
        });
        let work = workers(&engine, &tx);
        turn(&mut app, &mut screen, &engine, &rx, &work)
    })();
    terminal::leave();
    // Its own way out would write to a terminal that is no longer ours.
    std::mem::forget(screen);
    engine.leave();
    result.map_err(failed)
}

/// The interface with its files read and its last state restored.
pub fn app(engine: &Engine, folders: &Folders, settings: &Settings) -> Outcome<App> {
    let me = engine.ask(&WhoAmI {})?;
    let keys = Keymap::load(settings.get("keymap"), Some(&folders.config))?;
    let depth = Depth::detect(|name| std::env::var(name).ok());
    let theme = Theme::load(settings.get("theme"), Some(&folders.config), depth)?;
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let utf8 = locale.is_some_and(|l| l.to_lowercase().replace('-', "").contains("utf8"));
    let status = Status { host: engine.is_host(), read_only: engine.is_read_only(), ..Status::default() };
    let mut app = App::new(me, keys, theme, !utf8, status);
    app.now_ms = engine.now_ms();
    if !app.me.clock.is_empty() {
        app.warn(app.me.clock.clone());
    } else if !utf8 {
        app.warn("The locale is not UTF-8: borders are ASCII (set LANG to one such as C.UTF-8)".into());
    }
    for (name, text) in engine.ask(&GetState { prefix: "ui/".into() })? {
        if name == activities::CHOICE {
            app.panes.activities.restore(&text);
        }
    }
    keep_autosaved(engine);
    Ok(app)
}

/// A form that an earlier session left behind becomes a draft.
fn keep_autosaved(engine: &Engine) {
    let kept = engine.ask(&GetState { prefix: AUTOSAVE.into() }).unwrap_or_default();
    for (name, text) in kept {
        let saved = serde_json::from_str::<KeepForm>(&text).ok().map(|keep| engine.run(&keep).is_ok());
        if saved == Some(true) {
            let _ = engine.run(&SetState { name, value: None });
        }
    }
}

type Work =
    SyncSender<(crate::tui::msg::Slot, u64, Box<dyn FnOnce(&Engine) -> crate::tui::msg::Data + Send>)>;

fn workers(engine: &Arc<Engine>, to: &SyncSender<Msg>) -> Work {
    let (tx, rx) = sync_channel(MAX_WORK);
    let rx = Arc::new(Mutex::new(rx));
    for _ in 0..WORKERS {
        let (engine, to, rx): (Arc<Engine>, SyncSender<Msg>, Arc<Mutex<Receiver<_>>>) =
            (engine.clone(), to.clone(), rx.clone());
        let _ = std::thread::Builder::new().name("pams-work".into()).spawn(move || {
            loop {
                let job = rx.lock().unwrap_or_else(|e| e.into_inner()).recv();
                let Ok((slot, generation, job)) = job else { break };
                let job: Box<dyn FnOnce(&Engine) -> crate::tui::msg::Data + Send> = job;
                let data = job(&engine);
                if to.send(Msg::Data(slot, generation, Box::new(data))).is_err() {
                    break;
                }
            }
        });
    }
    tx
}

fn turn(
    app: &mut App,
    screen: &mut terminal::Screen,
    engine: &Arc<Engine>,
    rx: &Receiver<Msg>,
    work: &Work,
) -> std::io::Result<i32> {
    let mut deadlines: HashMap<Deadline, Instant> = HashMap::new();
    let mut effects = app.start();
    loop {
        if let Some(code) = perform(effects, app, screen, engine, work, &mut deadlines)? {
            return Ok(code);
        }
        let size = screen.size()?;
        let wanted = app.layout(size.width, size.height);
        perform(wanted, app, screen, engine, work, &mut deadlines)?;
        screen.draw(|frame| app.draw(frame.area(), frame.buffer_mut()))?;
        effects = Vec::new();
        let next = deadlines.iter().min_by_key(|(_, at)| **at).map(|(d, at)| (*d, *at));
        let first = match next {
            None => rx.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((_, at)) => rx.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        app.now_ms = engine.now_ms();
        match (first, next) {
            (Ok(msg), _) => {
                effects.extend(app.update(msg));
                for msg in rx.try_iter().take(DRAIN) {
                    effects.extend(app.update(msg));
                }
            }
            (Err(RecvTimeoutError::Timeout), Some((deadline, _))) => {
                deadlines.remove(&deadline);
                effects.extend(app.update(Msg::Deadline(deadline)));
            }
            _ => return Ok(0),
        }
    }
}

/// Carries effects out; an exit code ends the program. Work asked for together with
/// the end is done first.
fn perform(
    effects: Vec<Effect>,
    app: &mut App,
    screen: &mut terminal::Screen,
    engine: &Arc<Engine>,
    work: &Work,
    deadlines: &mut HashMap<Deadline, Instant>,
) -> std::io::Result<Option<i32>> {
    let quit = effects.iter().find_map(|e| match e {
        Effect::Quit(code) => Some(*code),
        _ => None,
    });
    for effect in effects {
        match effect {
            Effect::Work(_, _, job) if quit.is_some() => drop(job(engine)),
            Effect::Work(slot, generation, job) => drop(work.send((slot, generation, job))),
            Effect::After(ms, deadline) => {
                deadlines.insert(deadline, Instant::now() + Duration::from_millis(ms));
            }
            Effect::Suspend => {
                // Others may work while we stand still: the store is handed over.
                engine.leave();
                terminal::suspend();
                engine.resume().map_err(|f| std::io::Error::other(f.message))?;
                app.set_host(engine.is_host());
                terminal::clear(screen)?;
            }
            Effect::Redraw => {
                terminal::clear(screen)?;
            }
            Effect::Bell | Effect::Quit(_) => {}
        }
    }
    Ok(quit)
}
