//! `Harness`: the whole program on a fake screen, keys in and text out. Work runs at
//! once and in order, so a test never sleeps; plain mode is the same with a person.

use crate::domain::{Failure, Outcome};
use crate::engine::{Engine, Event};
use crate::services::jobs::{JobState, ListJobs};
use crate::services::setup::WhoAmI;
use crate::services::state::GetState;
use crate::tui::app::{App, SESSION, Status};
use crate::tui::keys::{Key, Keymap};
use crate::tui::msg::{Deadline, Effect, Msg};
use crate::tui::theme::{Depth, Theme};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

pub struct Harness<'a> {
    pub app: App,
    engine: &'a Engine,
    screen: Terminal<TestBackend>,
    changes: Receiver<Event>,
    deadlines: Vec<Deadline>,
    pub exit: Option<i32>,
    /// What the terminal's clipboard holds.
    pub copied: String,
}

/// Rounds of work after one key before the program counts as never at rest.
const MAX_ROUNDS: usize = 100;
/// How long a job may be silent.
const JOB: Duration = Duration::from_secs(2);

impl<'a> Harness<'a> {
    pub fn new(engine: &'a Engine, width: u16, height: u16) -> Outcome<Harness<'a>> {
        Harness::with_keymap(engine, width, height, "default")
    }

    /// With one of the other keymaps.
    pub fn with_keymap(engine: &'a Engine, width: u16, height: u16, name: &str) -> Outcome<Harness<'a>> {
        let me = engine.ask(&WhoAmI {})?;
        let keys = Keymap::load(name, None)?;
        let theme = Theme::load("mono", None, Depth::None)?;
        let mut app = App::new(me, keys, theme, false, Status { host: true, ..Status::default() });
        app.now_ms = engine.now_ms();
        for (_, text) in engine.ask(&GetState { prefix: SESSION.into() })? {
            app.restore(&text);
        }
        Harness::around(engine, app, width, height)
    }

    /// Around an interface that was made elsewhere.
    pub fn around(engine: &'a Engine, app: App, width: u16, height: u16) -> Outcome<Harness<'a>> {
        let (tell, changes) = channel();
        engine.subscribe(move |changed| tell.send(changed.clone()).is_ok());
        let screen =
            Terminal::new(TestBackend::new(width, height)).map_err(|e| Failure::internal(e.to_string()))?;
        let mut harness =
            Harness { app, engine, screen, changes, deadlines: vec![], exit: None, copied: String::new() };
        let effects = harness.app.start();
        harness.settle(effects)?;
        Ok(harness)
    }

    /// Presses keys by name, separated by spaces: `a`, `ctrl-s`, `g a`.
    pub fn press(&mut self, keys: &str) -> Outcome<&mut Self> {
        for name in keys.split_whitespace() {
            let key = Key::parse(name).ok_or_else(|| Failure::usage(format!("no key \"{name}\"")))?;
            self.send(Msg::Key(key))?;
        }
        Ok(self)
    }

    /// Runs a command by its id, as the palette does.
    pub fn command(&mut self, id: &str) -> Outcome<&mut Self> {
        let mut effects = Vec::new();
        self.app.run(id, &mut effects);
        self.app.counted(&effects);
        self.settle(effects)?;
        Ok(self)
    }

    /// Types a text, a key a character.
    pub fn type_text(&mut self, text: &str) -> Outcome<&mut Self> {
        for c in text.chars() {
            self.send(Msg::Key(Key::plain(crate::tui::keys::Code::Char(c))))?;
        }
        Ok(self)
    }

    /// As `--read-only` would have started it.
    pub fn set_read_only(&mut self) {
        self.app.status.read_only = true;
    }

    pub fn send(&mut self, msg: Msg) -> Outcome<&mut Self> {
        let effects = self.app.update(msg);
        self.settle(effects)?;
        Ok(self)
    }

    /// Lets every deadline that waits come.
    pub fn wait(&mut self) -> Outcome<&mut Self> {
        for deadline in std::mem::take(&mut self.deadlines) {
            self.send(Msg::Deadline(deadline))?;
        }
        // What others did meanwhile is heard.
        self.settle(vec![])?;
        Ok(self)
    }

    /// Runs work until the program is at rest.
    fn settle(&mut self, mut effects: Vec<Effect>) -> Outcome<()> {
        for _ in 0..MAX_ROUNDS {
            let mut next = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Work(work) => {
                        let data = (work.job)(self.engine);
                        next.extend(self.app.update(Msg::Data(work.slot, work.generation, Box::new(data))));
                    }
                    Effect::After(_, deadline) if !self.deadlines.contains(&deadline) => {
                        self.deadlines.push(deadline)
                    }
                    Effect::Quit(code) => self.exit = Some(code),
                    Effect::Copy(text) => self.copied = text,
                    _ => {}
                }
            }
            while let Ok(changed) = self.changes.try_recv() {
                next.extend(self.app.update(Msg::Event(changed)));
            }
            let size = self.screen.size().map_err(|e| Failure::internal(e.to_string()))?;
            next.extend(self.app.layout(size.width, size.height));
            if next.is_empty() {
                // A background job is waited for as a person would wait.
                let jobs = self.engine.ask(&ListJobs {})?;
                let ended =
                    jobs.iter().all(|j| j.state != JobState::Waiting) && self.app.status.job.is_none();
                if ended && !self.app.is_busy() {
                    return Ok(());
                }
                if let Ok(event) = self.changes.recv_timeout(JOB) {
                    next.extend(self.app.update(Msg::Event(event)));
                }
            }
            effects = next;
        }
        Err(Failure::internal("the interface never comes to rest"))
    }

    /// Whether a text is being typed.
    pub fn takes_text(&self) -> bool {
        self.app.takes_text()
    }

    pub fn resize(&mut self, width: u16, height: u16) -> Outcome<&mut Self> {
        self.screen.backend_mut().resize(width, height);
        let _ = self.screen.autoresize();
        self.send(Msg::Resize)
    }

    /// The screen as text, lines trimmed at their end.
    pub fn text(&mut self) -> String {
        let app = &self.app;
        let _ = self.screen.draw(|frame| app.draw(frame.area(), frame.buffer_mut()));
        let buffer = self.screen.backend().buffer();
        let mut out = String::new();
        for y in 0..buffer.area.height {
            let (mut line, mut covered) = (String::new(), 0);
            for x in 0..buffer.area.width {
                // A wide sign covers the cell behind it.
                if covered > 0 {
                    covered -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                covered = symbol.width().saturating_sub(1);
                line.push_str(symbol);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}
