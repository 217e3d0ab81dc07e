//! The real terminal: entered and left in one place, left on every way out. Only this
//! folder knows crossterm.

mod editor;
mod frugal;
mod input;
mod watch;

pub use editor::edit;
pub use input::{Keyboard, keyboard};
pub use watch::{signals, watch_hangup};

use frugal::Frugal;
use ratatui::Terminal;
use std::io::{BufWriter, Stdout, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

/// A frame is buffered whole and leaves in one write.
const FRAME_BYTES: usize = 64 << 10;

pub type Screen = Terminal<Frugal<BufWriter<Stdout>>>;

/// Whether the terminal is ours right now: leaving twice does nothing.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// Whether the mouse is, while the terminal is.
static MOUSE: AtomicBool = AtomicBool::new(false);

pub fn open() -> std::io::Result<Screen> {
    // NO_COLOR is the theme's business; crossterm would drop reverse video with it.
    crossterm::style::force_color_output(true);
    restore_on_panic();
    enter()?;
    Terminal::new(Frugal::new(BufWriter::with_capacity(FRAME_BYTES, stdout())))
}

/// Raw mode, alternate screen, bracketed paste, no cursor.
pub fn enter() -> std::io::Result<()> {
    use crossterm::{cursor, event, terminal};
    terminal::enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    crossterm::execute!(stdout(), terminal::EnterAlternateScreen, event::EnableBracketedPaste, cursor::Hide)?;
    if MOUSE.load(Ordering::SeqCst) { mouse(true) } else { Ok(()) }
}

/// Everything as it was found. Safe to call from anywhere, any number of times.
pub fn leave() {
    use crossterm::{cursor, event, terminal};
    if ENTERED.swap(false, Ordering::SeqCst) {
        let mut out = stdout();
        if MOUSE.load(Ordering::SeqCst) {
            let _ = crossterm::execute!(out, event::DisableMouseCapture);
        }
        let _ = crossterm::execute!(
            out,
            event::DisableBracketedPaste,
            terminal::LeaveAlternateScreen,
            cursor::Show
        );
        let _ = out.flush();
        let _ = terminal::disable_raw_mode();
    }
}

fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let on_screen = ENTERED.load(Ordering::SeqCst);
        if on_screen && std::thread::current().name() != Some("main") {
            // A request that failed inside: its caller is told, the screen stays.
            return crate::config::crash::keep(info);
        }
        leave();
        before(info);
    }));
}

/// Clears the screen so that the next frame is drawn whole. ratatui's own `clear` asks
/// the terminal where its cursor is and waits for an answer, which the keyboard thread
/// may take, and which some terminals never give.
pub fn clear(screen: &mut Screen) -> std::io::Result<()> {
    use ratatui::backend::Backend;
    screen.backend_mut().clear()?;
    // At rest the current buffer is blank and the other is what was shown: blank both.
    screen.swap_buffers();
    Ok(())
}

/// Puts a text on the clipboard of whoever sits at the terminal, over SSH too (OSC 52).
pub fn copy(text: &str) -> std::io::Result<()> {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let mut out = stdout();
    write!(out, "\x1b]52;c;{encoded}\x07")?;
    out.flush()
}

/// Clicks and the wheel come to us, or stay with the terminal's own selection.
pub fn mouse(on: bool) -> std::io::Result<()> {
    use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
    MOUSE.store(on, Ordering::SeqCst);
    match on {
        true => crossterm::execute!(stdout(), EnableMouseCapture),
        false => crossterm::execute!(stdout(), DisableMouseCapture),
    }
}

/// Stops the process as Ctrl-Z does, the terminal restored meanwhile.
pub fn suspend() {
    leave();
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
    let _ = enter();
}
