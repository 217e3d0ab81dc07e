//! The loop: wait, drain, update, draw. No periodic tick; a deadline exists only while
//! something waits for it.

use crate::config::Folders;
use crate::config::settings::Settings;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::remote::background::Background;
use crate::services::drafts::KeepForm;
use crate::services::setup::WhoAmI;
use crate::services::state::{GetState, SetState};
use crate::tui::app::{AUTOSAVE, App, SESSION, Status};
use crate::tui::keys::Keymap;
use crate::tui::msg::{Data, Deadline, Effect, Msg, Slot, Work};
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
        let keyboard = terminal::keyboard(tx.clone())?;
        if app.mouse {
            terminal::mouse(true)?;
        }
        let changes = tx.clone();
        // A full queue has a refresh in it already.
        engine.subscribe(move |event| {
            let _ = changes.try_send(Msg::Event(event.clone()));
            true
        });
        let workers = Workers::start(&engine, &tx);
        let _synced = Background::start(&engine, folders);
        let deadlines = HashMap::new();
        let (app, screen, engine) = (&mut app, &mut screen, &engine);
        Turns { app, screen, engine, rx, workers, keyboard, deadlines, folders }.turn()
    })();
    terminal::leave();
    // Its own way out would write to a terminal that is no longer ours.
    std::mem::forget(screen);
    engine.leave();
    result.map_err(failed)
}

/// Keymap and theme as settings and files say now.
fn configuration(folders: &Folders, settings: &Settings) -> Outcome<(Keymap, Theme)> {
    let depth = Depth::detect(|name| std::env::var(name).ok());
    Ok((
        Keymap::load(settings.get("keymap"), Some(&folders.config))?,
        Theme::load(settings.get("theme"), Some(&folders.config), depth)?,
    ))
}

/// The interface with its files read and its last state restored.
pub fn app(engine: &Engine, folders: &Folders, settings: &Settings) -> Outcome<App> {
    let me = engine.ask(&WhoAmI {})?;
    // What is wrong in a file of one's own keeps nobody out.
    let (keys, theme, wrong) = match configuration(folders, settings) {
        Ok((keys, theme)) => (keys, theme, None),
        Err(failure) => {
            let depth = Depth::detect(|name| std::env::var(name).ok());
            let (keys, theme) = (Keymap::load("default", None)?, Theme::load("terminal", None, depth)?);
            (keys, theme, Some(failure))
        }
    };
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let utf8 = locale.is_some_and(|l| l.to_lowercase().replace('-', "").contains("utf8"));
    let status = Status { host: engine.is_host(), read_only: engine.is_read_only(), ..Status::default() };
    let warning = keys.warnings.first().cloned();
    let mut app = App::new(me, keys, theme, !utf8, status);
    app.now_ms = engine.now_ms();
    app.fault = std::env::var_os("PAMS_FAULT").is_some();
    let remote = std::env::var_os("SSH_CONNECTION").is_some_and(|v| !v.is_empty());
    // Over SSH the terminal's own selection is the only one that reaches the clipboard.
    app.mouse = settings.get("mouse") == "on" || (settings.get("mouse") == "auto" && !remote);
    app.banner = match settings.get("banner") {
        "" => folders.profile.clone(),
        banner => banner.chars().take(20).collect(),
    };
    app.panes.admin.folders = Some(folders.clone());
    app.panes.imports.folders = Some(folders.clone());
    app.panes.routes.folders = Some(folders.clone());
    app.panes.scroll_lines(settings.get("scroll") == "line");
    if let Some(wrong) = wrong {
        app.warn(format!("Taken without your own keys and colours: {}", wrong.message));
    } else if !app.me.clock.is_empty() {
        app.warn(app.me.clock.clone());
    } else if let Some(warning) = warning {
        app.warn(warning);
    } else if !utf8 {
        app.warn("The locale is not UTF-8: borders are ASCII (set LANG to one such as C.UTF-8)".into());
    }
    for (_, text) in engine.ask(&GetState { prefix: SESSION.into() })? {
        app.restore(&text);
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

/// The threads that work for the interface.
struct Workers {
    queue: SyncSender<Work>,
    /// The newest of each slot: what is older and only looks is not begun.
    newest: Arc<Mutex<HashMap<Slot, u64>>>,
}

impl Workers {
    fn start(engine: &Arc<Engine>, to: &SyncSender<Msg>) -> Workers {
        let (queue, waiting) = sync_channel::<Work>(MAX_WORK);
        let waiting = Arc::new(Mutex::new(waiting));
        let newest: Arc<Mutex<HashMap<Slot, u64>>> = Arc::default();
        for _ in 0..WORKERS {
            let (engine, to) = (engine.clone(), to.clone());
            let (waiting, newest) = (waiting.clone(), newest.clone());
            let _ = std::thread::Builder::new().name("pams-work".into()).spawn(move || {
                loop {
                    let next = waiting.lock().unwrap_or_else(|e| e.into_inner()).recv();
                    let Ok(Work { slot, generation, job, only_looks }) = next else { break };
                    let newest = newest.lock().unwrap_or_else(|e| e.into_inner()).get(&slot).copied();
                    let old = only_looks && newest.is_some_and(|newest| newest > generation);
                    let data = if old { Data::Nothing } else { job(&engine) };
                    if to.send(Msg::Data(slot, generation, Box::new(data))).is_err() {
                        break;
                    }
                }
            });
        }
        Workers { queue, newest }
    }

    fn queue(&self, work: Work) {
        self.newest.lock().unwrap_or_else(|e| e.into_inner()).insert(work.slot, work.generation);
        let _ = self.queue.send(work);
    }
}

/// Shortest time between frames that only show what came from the background.
const GAP: Duration = Duration::from_millis(33);
const GAP_SSH: Duration = Duration::from_millis(66);
const LONGEST_GAP: Duration = Duration::from_millis(250);
/// A frame that took longer to write went over a slow line.
const SLOW: Duration = Duration::from_millis(30);

struct Turns<'a> {
    app: &'a mut App,
    screen: &'a mut terminal::Screen,
    engine: &'a Arc<Engine>,
    rx: Receiver<Msg>,
    workers: Workers,
    keyboard: terminal::Keyboard,
    deadlines: HashMap<Deadline, Instant>,
    folders: &'a Folders,
}

impl Turns<'_> {
    fn turn(mut self) -> std::io::Result<i32> {
        let remote = std::env::var_os("SSH_CONNECTION").is_some_and(|v| !v.is_empty());
        let shortest = if remote { GAP_SSH } else { GAP };
        let (mut gap, mut drawn) = (shortest, Instant::now());
        let mut effects = self.app.start();
        let mut draw = true;
        loop {
            if let Some(code) = self.perform(std::mem::take(&mut effects))? {
                return Ok(code);
            }
            if draw {
                self.deadlines.remove(&Deadline::Draw);
                let size = self.screen.size()?;
                let wanted = self.app.layout(size.width, size.height);
                if let Some(code) = self.perform(wanted)? {
                    return Ok(code);
                }
                let start = Instant::now();
                let app = &*self.app;
                self.screen.draw(|frame| app.draw(frame.area(), frame.buffer_mut()))?;
                drawn = Instant::now();
                // A line that holds a write up is given fewer frames.
                gap = if drawn - start > SLOW { (gap * 2).min(LONGEST_GAP) } else { shortest };
            }
            let next = self.deadlines.iter().min_by_key(|(_, at)| **at).map(|(d, at)| (*d, *at));
            let first = match next {
                None => self.rx.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((_, at)) => self.rx.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.app.now_ms = self.engine.now_ms();
            let mut by_hand = false;
            match (first, next) {
                (Ok(msg), _) => {
                    let more: Vec<Msg> = self.rx.try_iter().take(DRAIN).collect();
                    for msg in std::iter::once(msg).chain(more) {
                        by_hand |= !matches!(msg, Msg::Data(..) | Msg::Event(_));
                        effects.extend(self.app.update(msg));
                    }
                }
                (Err(RecvTimeoutError::Timeout), Some((deadline, _))) => {
                    self.deadlines.remove(&deadline);
                    by_hand = true;
                    if deadline != Deadline::Draw {
                        effects.extend(self.app.update(Msg::Deadline(deadline)));
                    }
                }
                _ => return Ok(0),
            }
            // An answer to a key comes while nothing else was drawn for a while; what a
            // job reports many times a second does not.
            draw = by_hand || drawn.elapsed() >= gap || self.app.awaited();
            if !draw {
                self.deadlines.entry(Deadline::Draw).or_insert(drawn + gap);
            }
        }
    }

    /// Carries effects out; an exit code ends the program. Work asked for together with
    /// the end is done first.
    fn perform(&mut self, effects: Vec<Effect>) -> std::io::Result<Option<i32>> {
        let quit = effects.iter().find_map(|e| match e {
            Effect::Quit(code) => Some(*code),
            _ => None,
        });
        let mut effects = std::collections::VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Work(work) if quit.is_some() => drop((work.job)(self.engine)),
                Effect::Work(work) => self.workers.queue(work),
                Effect::After(ms, deadline) => {
                    self.deadlines.insert(deadline, Instant::now() + Duration::from_millis(ms));
                }
                Effect::Suspend => {
                    // Others may work while we stand still: the store is handed over.
                    self.engine.leave();
                    terminal::suspend();
                    self.engine.resume().map_err(|f| std::io::Error::other(f.message))?;
                    self.app.set_host(self.engine.is_host());
                    terminal::clear(self.screen)?;
                }
                Effect::Copy(text) => terminal::copy(&text)?,
                Effect::Mouse(on) => terminal::mouse(on)?,
                Effect::Edit(text) => {
                    let edited = terminal::edit(&text, &self.keyboard);
                    terminal::clear(self.screen)?;
                    effects.extend(self.app.update(Msg::Edited(edited)));
                }
                Effect::Settings => {
                    let path = self.folders.config.join("config.toml");
                    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| Settings::template());
                    let edited = terminal::edit(&text, &self.keyboard);
                    terminal::clear(self.screen)?;
                    let kept = edited.and_then(|text| {
                        let wrong =
                            |e| Failure::invalid(format!("{} cannot be written: {e}", path.display()));
                        std::fs::create_dir_all(&self.folders.config).map_err(wrong)?;
                        std::fs::write(&path, format!("{text}\n")).map_err(wrong)
                    });
                    match kept {
                        Ok(()) => effects.push_back(Effect::Configure),
                        Err(failure) => effects.extend(self.app.update(Msg::Edited(Err(failure)))),
                    }
                }
                Effect::Configure => {
                    let read = Settings::load(self.folders).and_then(|s| configuration(self.folders, &s));
                    effects.extend(self.app.update(Msg::Configured(read)));
                }
                Effect::Redraw => terminal::clear(self.screen)?,
                Effect::Bell | Effect::Quit(_) => {}
            }
        }
        Ok(quit)
    }
}
