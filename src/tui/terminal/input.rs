//! The keyboard thread: crossterm's events as our messages. It waits for the terminal
//! itself, so that it can be stopped while an editor has the keys.

use crate::tui::keys::{Code, Key};
use crate::tui::msg::Msg;
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Reading,
    /// Asked to stop; it may be inside a read.
    Stopping,
    Stopped,
}

/// Stops the keyboard thread and lets it go on.
pub struct Keyboard {
    state: Arc<(Mutex<State>, Condvar)>,
    wake: UnixStream,
}

impl Keyboard {
    /// Returns once no key is read any more.
    pub fn pause(&self) {
        self.set(State::Stopping);
        let _ = (&self.wake).write_all(&[0]);
        self.wait_until(|state| state != State::Stopping);
    }

    pub fn resume(&self) {
        self.set(State::Reading);
    }

    fn set(&self, to: State) {
        let (state, changed) = &*self.state;
        *state.lock().unwrap_or_else(|e| e.into_inner()) = to;
        changed.notify_all();
    }

    fn wait_until(&self, good: impl Fn(State) -> bool) {
        let (state, changed) = &*self.state;
        let mut now = state.lock().unwrap_or_else(|e| e.into_inner());
        while !good(*now) {
            now = changed.wait(now).unwrap_or_else(|e| e.into_inner());
        }
    }

    fn is(&self, wanted: State) -> bool {
        *self.state.0.lock().unwrap_or_else(|e| e.into_inner()) == wanted
    }
}

/// Wakes the keyboard thread from elsewhere.
static WAKE: OnceLock<UnixStream> = OnceLock::new();

/// crossterm keeps a change of size until it is asked for the next event. Asked by a key
/// only, it would answer with the size and forget that there is a key.
pub fn nudge() {
    if let Some(mut wake) = WAKE.get() {
        let _ = wake.write_all(&[0]);
    }
}

/// Reads the keyboard on a thread of its own until the program ends.
pub fn keyboard(to: SyncSender<Msg>) -> std::io::Result<Keyboard> {
    let (wake, woken) = UnixStream::pair()?;
    let _ = WAKE.set(wake.try_clone()?);
    let state = Arc::new((Mutex::new(State::Reading), Condvar::new()));
    let theirs = Keyboard { state: state.clone(), wake: wake.try_clone()? };
    std::thread::Builder::new().name("pams-keys".into()).spawn(move || {
        let (mut resized, mut ready) = (false, false);
        loop {
            if theirs.is(State::Stopping) {
                theirs.set(State::Stopped);
                theirs.wait_until(|state| state == State::Reading);
            }
            // What was read with the last key comes first: nothing more may follow.
            let mut heard = false;
            while matches!(event::poll(Duration::ZERO), Ok(true)) {
                heard = true;
                let Ok(event) = event::read() else { return };
                if let Some(msg) = translate(event)
                    && to.send(msg).is_err()
                {
                    return;
                }
            }
            if ready && !heard {
                remind();
            }
            // Told only once crossterm has let go of it: a key behind it is then heard.
            if std::mem::take(&mut resized) && to.send(Msg::Resize).is_err() {
                return;
            }
            let tty = rustix::stdio::stdin();
            let mut fds = [PollFd::new(&tty, PollFlags::IN), PollFd::new(&woken, PollFlags::IN)];
            let polled = poll(&mut fds, None);
            ready = polled.is_ok() && fds[0].revents().contains(PollFlags::IN);
            match polled {
                Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => {
                    return;
                }
                Ok(_) if fds[1].revents().contains(PollFlags::IN) => {
                    let _ = (&woken).read(&mut [0; 64]);
                    resized = true;
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    })?;
    Ok(Keyboard { state, wake })
}

/// A key that came together with a change of size is forgotten by crossterm, which waits
/// for the terminal to become readable and not for it to be so. Settings set as they are
/// wake whoever waits, and it looks again.
fn remind() {
    let tty = rustix::stdio::stdin();
    if let Ok(settings) = rustix::termios::tcgetattr(tty) {
        let _ = rustix::termios::tcsetattr(tty, rustix::termios::OptionalActions::Now, &settings);
    }
}

fn translate(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            let (mut shift, ctrl, alt) = (
                key.modifiers.contains(KeyModifiers::SHIFT),
                key.modifiers.contains(KeyModifiers::CONTROL),
                key.modifiers.contains(KeyModifiers::ALT),
            );
            let code = match key.code {
                KeyCode::Char(c) => {
                    shift = false;
                    Code::Char(c)
                }
                KeyCode::Enter => Code::Enter,
                KeyCode::Esc => Code::Esc,
                KeyCode::Tab => Code::Tab,
                KeyCode::BackTab => {
                    shift = true;
                    Code::Tab
                }
                KeyCode::Backspace => Code::Backspace,
                KeyCode::Delete => Code::Delete,
                KeyCode::Insert => Code::Insert,
                KeyCode::Up => Code::Up,
                KeyCode::Down => Code::Down,
                KeyCode::Left => Code::Left,
                KeyCode::Right => Code::Right,
                KeyCode::Home => Code::Home,
                KeyCode::End => Code::End,
                KeyCode::PageUp => Code::PageUp,
                KeyCode::PageDown => Code::PageDown,
                KeyCode::F(n) => Code::F(n),
                _ => return None,
            };
            Some(Msg::Key(Key { code, ctrl, alt, shift }))
        }
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Msg::Click(mouse.column, mouse.row)),
            MouseEventKind::ScrollDown => Some(Msg::Wheel(true)),
            MouseEventKind::ScrollUp => Some(Msg::Wheel(false)),
            _ => None,
        },
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(..) => Some(Msg::Resize),
        _ => None,
    }
}
