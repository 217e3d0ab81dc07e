//! Signals, and the watchdog that notices a terminal that is gone.

use crate::tui::msg::Msg;
use rustix::event::{PollFd, PollFlags, poll};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// How long the program may take to save after its terminal went.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ends the program on SIGTERM, SIGHUP and SIGINT; stops it on SIGTSTP.
pub fn signals(to: SyncSender<Msg>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
    let all = [SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH];
    let mut signals = signal_hook::iterator::Signals::new(all)?;
    std::thread::Builder::new().name("pams-signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGTSTP => drop(to.send(Msg::Stop)),
                SIGWINCH => super::input::nudge(),
                _ => drop(to.send(Msg::Signal(signal))),
            }
            if !matches!(signal, SIGTSTP | SIGWINCH) {
                // Whatever the program is doing, the terminal is given back in time.
                std::thread::sleep(LAST_WORDS);
                super::leave();
                std::process::exit(128 + signal);
            }
        }
    })?;
    Ok(())
}

/// A terminal can vanish without SIGHUP (a dropped line, a killed pane), and crossterm's
/// reader then spins. Asking the tty for no events at all still reports its end.
pub fn watch_hangup(to: SyncSender<Msg>) {
    let _ = std::thread::Builder::new().name("pams-hangup".into()).spawn(move || {
        let tty = rustix::stdio::stdin();
        loop {
            let mut fds = [PollFd::new(&tty, PollFlags::empty())];
            let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
            match poll(&mut fds, None) {
                Ok(_) if fds[0].revents().intersects(gone) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        let _ = to.try_send(Msg::Hangup);
        std::thread::sleep(LAST_WORDS);
        std::process::exit(129);
    });
}
