//! The program in a real pseudo-terminal: how it starts, and every way it ends.

use crate::program::{EXE, Pams};
use crate::served::Server;
use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Patience with a loaded machine; nothing waits longer than it must.
const PATIENCE: Duration = Duration::from_secs(20);

/// The mouse comes to the program, and goes back to the terminal.
const MOUSE: (&str, &str) = ("\x1b[?1000h", "\x1b[?1000l");

pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Option<Box<dyn Write + Send>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    size: (u16, u16),
}

fn demo(rows: u16, cols: u16, env: &[(&str, &str)]) -> Terminal {
    let (terminal, reader) = start(rows, cols, env);
    reading(terminal, reader)
}

/// Reads the screen on a thread from now on.
fn reading(terminal: Terminal, mut reader: Box<dyn Read + Send>) -> Terminal {
    let sink = terminal.bytes.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n) = reader.read(&mut buffer) {
            if n == 0 {
                break;
            }
            sink.lock().unwrap().extend_from_slice(&buffer[..n]);
        }
    });
    terminal
}

fn start(rows: u16, cols: u16, env: &[(&str, &str)]) -> (Terminal, Box<dyn Read + Send>) {
    let mut command = CommandBuilder::new(EXE);
    command.arg("demo");
    spawn(rows, cols, command, env)
}

fn spawn(
    rows: u16,
    cols: u16,
    mut command: CommandBuilder,
    env: &[(&str, &str)],
) -> (Terminal, Box<dyn Read + Send>) {
    let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    command.env("PAMS_NOW", "2026-02-20");
    env.iter().for_each(|(k, v)| command.env(k, v));
    let child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let reader = pair.master.try_clone_reader().unwrap();
    let keys = pair.master.take_writer().unwrap();
    (Terminal { master: Some(pair.master), child, keys: Some(keys), bytes, size: (rows, cols) }, reader)
}

impl Terminal {
    /// The interface of a home.
    pub fn of(pams: &Pams, rows: u16, cols: u16) -> Terminal {
        let mut command = CommandBuilder::new(EXE);
        command.env("PAMS_HOME", pams.path());
        let (terminal, reader) = spawn(rows, cols, command, &[]);
        reading(terminal, reader)
    }

    fn screen(&self) -> String {
        let mut parser = vt100::Parser::new(self.size.0, self.size.1, 0);
        parser.process(&self.bytes.lock().unwrap());
        parser.screen().contents()
    }

    pub fn wait_for(&self, text: &str) {
        let start = Instant::now();
        while !self.screen().contains(text) {
            assert!(start.elapsed() < PATIENCE, "\"{text}\" never came:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A key behind Esc is another key when both are read at once: what Esc closes must
    /// be seen to be gone first.
    fn wait_until_gone(&self, text: &str) {
        let start = Instant::now();
        while self.screen().contains(text) {
            assert!(start.elapsed() < PATIENCE, "\"{text}\" never went:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    pub fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.process_id().unwrap() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Everything that was switched on is switched off again.
    fn assert_restored(&self) {
        let start = Instant::now();
        let mut switches =
            vec![("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h"), ("\x1b[?2004h", "\x1b[?2004l")];
        if String::from_utf8_lossy(&self.bytes.lock().unwrap()).contains(MOUSE.0) {
            switches.push(MOUSE);
        }
        for (on, off) in switches {
            // What was sent last may still be on its way here.
            loop {
                let text = String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned();
                assert!(text.contains(on), "{on:?} was never sent");
                if text.rfind(off) > text.rfind(on) {
                    break;
                }
                assert!(start.elapsed() < PATIENCE, "{off:?} is missing at the end");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// P-024 from end to end: an admin's workbook over HTTPS is on the screens of others.
#[test]
fn an_uploaded_workbook_is_on_every_screen() {
    let server = Server::new();
    let mut screens = Vec::new();
    for user in ["Ana", "Ben"] {
        let device = server.device(user);
        let terminal = Terminal::of(&device, 30, 100);
        terminal.wait_for("in sync");
        screens.push((device, terminal));
    }
    let csv = "Account,Opportunity,Stage,Close Date,Amount,Owner\n\
               Acme,Platform,Closed Won,2026-02-03,1000,Ben\n\
               Orbit,Renewal,Closed Lost,2026-02-04,500,Ana\n";
    let root = server.signed_in("Root");
    let path = "/api/v1/admin/wins-import";
    let done = root.upload(path, "wins.csv", csv.as_bytes(), &[("month", "2026-02")]);
    let begun = Instant::now();
    assert_eq!(done.status, 200, "{}", done.text);
    for ((_, screen), share) in screens.iter().zip(["yours: 0 won, 1 lost", "yours: 1 won, 0 lost"]) {
        screen.wait_for("February 2026: 1 win · 1 loss");
        screen.wait_for(share);
        screen.wait_for("Your wins & losses");
    }
    println!("on both screens {} ms after the answer", begun.elapsed().as_millis());
    for (_, screen) in &mut screens {
        screen.press("q");
        assert!(screen.end().success());
    }
}

#[test]
fn a_month_of_salesforce_is_imported_by_key() {
    let (pams, _stub) = crate::salesforce::connected();
    let mut t = Terminal::of(&pams, 30, 100);
    t.wait_for("Home");
    t.press("8S");
    t.wait_for("wins of Salesforce in> 2026-02");
    // A month without wins says so, and the text stands to be mended.
    t.press("\x152026-01\r");
    t.wait_for("No opportunity was closed in January 2026");
    t.press("\x152026-02\r");
    t.wait_for("9 rows = 6 won + 3 lost");
    t.press("C");
    t.wait_for("+9");
    t.press("\x11");
    assert!(t.end().success());
    assert_eq!(pams.json(&["wins", "list", "--month", "2026-02"])["items"].as_array().unwrap().len(), 9);
}

#[test]
fn a_unit_is_taken_and_given_back_by_key() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    t.press("5");
    t.wait_for("Lake Bregenz");
    t.press("L");
    t.wait_for("take Lake Bregenz, what for>");
    t.press("planning March\r");
    t.wait_for("held by Ana Duarte");
    t.press("L");
    t.wait_for("Lake Bregenz is given back");
    t.wait_until_gone("held by");
    t.press("\x11");
    assert!(t.end().success());
}

#[test]
fn it_starts_works_and_quits_clean() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    t.press("2");
    t.wait_for("owner: me");
    t.press(";demo acme 1h : in a pty\r");
    t.wait_for("Logged: Demo");
    t.press("u");
    t.wait_for("Undone");
    t.press("\x11"); // ctrl-q
    assert!(t.end().success());
    t.assert_restored();
}

#[test]
fn a_burst_of_keys_is_kept_in_order() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    t.press("2;demo nordlys 2h : typed ahead of the screen");
    t.wait_for("log> demo nordlys 2h : typed ahead of the screen");
    t.press("\x1b");
    t.wait_until_gone("log>");
    t.press("\x11");
    assert!(t.end().success());
}

#[test]
fn a_paste_is_text_and_never_keys() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    t.press("2");
    t.wait_for("owner: me");
    t.press("\x1b[200~demo acme 1h : pasted dd q\n9\x1b[201~");
    t.wait_for("log> demo acme 1h : pasted dd q");
    t.press("\x1b");
    t.wait_until_gone("log>");
    t.press("\x11");
    assert!(t.end().success());
}

#[test]
fn signals_end_it_with_the_terminal_as_it_was() {
    for (signal, code) in [
        (rustix::process::Signal::TERM, 143),
        (rustix::process::Signal::INT, 130),
        (rustix::process::Signal::HUP, 129),
    ] {
        let mut t = demo(24, 80, &[]);
        t.wait_for("7 wins");
        t.signal(signal);
        assert_eq!(t.end().exit_code(), code);
        t.assert_restored();
    }
}

/// A fault of our own gives the terminal back, says that the data is safe, and leaves a
/// file that says where it was.
#[test]
fn a_fault_gives_the_terminal_back_and_leaves_a_note() {
    let home = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(EXE);
    command.args(["--home", home.path().to_str().unwrap(), "demo"]);
    let (t, reader) = spawn(24, 80, command, &[("PAMS_FAULT", "1")]);
    let mut t = reading(t, reader);
    t.wait_for("7 wins");
    t.press("2");
    assert_eq!(t.end().exit_code(), 9);
    t.assert_restored();
    t.wait_for("your data is safe");
    let note = pams::config::crash::last(&home.path().join("state")).unwrap();
    let text = std::fs::read_to_string(&note).unwrap();
    assert!(text.contains("thread   main") && text.contains("app.rs:"), "{text}");
    assert!(!text.contains("PAMS_FAULT"), "the message of a fault may hold a name: {text}");
}

/// The terminal goes away without a word: the process must not stay behind.
#[test]
fn a_vanished_terminal_leaves_no_process() {
    let (t, reader) = start(24, 80, &[]);
    dropped_at(t, reader, &[("7 wins", "2a"), ("New activity", "x")]);
}

/// Presses keys where texts are on the screen, then the line is cut: the program must end.
fn dropped_at(mut t: Terminal, mut reader: Box<dyn Read + Send>, steps: &[(&str, &str)]) {
    // Read here and not on a thread: whoever holds the other end keeps the line open.
    for (text, keys) in steps {
        while !t.screen().contains(text) {
            let mut buffer = [0; 4096];
            let n = reader.read(&mut buffer).unwrap();
            t.bytes.lock().unwrap().extend_from_slice(&buffer[..n]);
        }
        t.press(keys);
    }
    drop((t.keys.take(), t.master.take(), reader));
    let start = Instant::now();
    t.end();
    assert!(start.elapsed() < PATIENCE);
}

/// A run of the optimiser goes on whatever becomes of the lines of those who look at it.
/// `PAMS_DROPS` says how many of them are cut.
#[test]
fn dropped_lines_lose_no_run() {
    let drops = std::env::var("PAMS_DROPS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let pams = crate::plans::planned(240);
    pams.ok(&["plan", "create"]);
    pams.ok(&["plan", "rules", "--set", "seconds=600"]);
    let mut spent = 0;
    for n in 0..drops {
        let mut command = CommandBuilder::new(EXE);
        command.env("PAMS_HOME", pams.path());
        let (t, reader) = spawn(24, 80, command, &[]);
        let steps: &[(&str, &str)] = match n {
            0 => &[("1 Home", "5"), ("Rivertown", "\r"), ("Routes: Rivertown", "o"), ("Optimising", "")],
            _ => &[("1 Home", "5"), ("Optimising", "2"), ("owner: me", "a"), ("New activity", "x")],
        };
        dropped_at(t, reader, steps);
        let start = Instant::now();
        loop {
            let offer = pams.json(&["plan", "offer"]);
            let now = offer["best"]["spent_ms"].as_u64().unwrap();
            assert!(offer["state"] == "waiting" && offer["failure"] == "" && now >= spent, "{offer}");
            if now > spent {
                spent = now;
                break;
            }
            assert!(start.elapsed() < PATIENCE, "the run stands still: {offer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    pams.ok(&["plan", "stop"]);
    assert_eq!(
        pams.json(&["plan", "list"])["items"].as_array().unwrap().len(),
        1,
        "what stands was not touched"
    );
    assert!(pams.json(&["plan", "offer"])["best"]["figures"]["unserved"] == 0);
}

/// Ctrl-Z gives the terminal back and hands the store over; `fg` finds what others did.
#[test]
fn ctrl_z_hands_the_store_over_and_comes_back() {
    let pams = crate::program::Pams::with_names();
    let mut command = CommandBuilder::new(EXE);
    command.arg("--home");
    command.arg(pams.path());
    let (terminal, reader) = spawn(24, 80, command, &[]);
    let mut t = reading(terminal, reader);
    t.wait_for("Nothing logged this month");
    t.press("2");
    t.wait_for("owner: me");
    t.press("\x1a");
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", t.child.process_id().unwrap()))
            .unwrap_or_default();
        stat.rsplit(") ").next().and_then(|s| s.chars().next()).unwrap_or('T')
    };
    let start = Instant::now();
    while state() != 'T' {
        assert!(start.elapsed() < PATIENCE, "it does not stop");
        std::thread::sleep(Duration::from_millis(10));
    }
    t.assert_restored();
    pams.log("demo acme 1h : while away");
    t.signal(rustix::process::Signal::CONT);
    t.wait_for("while away");
    // It is host again: a script's change appears by itself.
    pams.log("demo orbit 1h : by script");
    t.wait_for("by script");
    t.press("\x11");
    assert!(t.end().success());
}

#[test]
fn sizes_colours_and_locales_are_taken_as_they_are() {
    for (rows, cols, env, expected) in [
        (60, 200, &[][..], "Win of the month"),
        (12, 40, &[][..], "Wins & losses"),
        (5, 20, &[][..], "PAMS needs"),
        (24, 80, &[("NO_COLOR", "1")][..], "7 wins"),
        (24, 80, &[("LANG", "C"), ("LC_ALL", "C")][..], "-- This week --"),
        (24, 80, &[("TERM", "vt100")][..], "7 wins"),
    ] {
        let mut t = demo(rows, cols, env);
        t.wait_for(expected);
        let bytes = String::from_utf8_lossy(&t.bytes.lock().unwrap()).into_owned();
        if env.iter().any(|(k, _)| *k == "NO_COLOR") {
            let mut screen = vt100::Parser::new(rows, cols, 0);
            screen.process(bytes.as_bytes());
            let at = |n: u16| screen.screen().cell(n / cols, n % cols).unwrap();
            assert!((0..rows * cols).all(|n| at(n).fgcolor() == vt100::Color::Default), "no colour");
            assert!((0..rows * cols).any(|n| at(n).inverse()), "but reverse video stays");
        }
        t.press("\x11");
        assert!(t.end().success());
    }
}

#[test]
fn a_terminal_that_can_show_nothing_gets_a_sentence() {
    let mut t = demo(24, 80, &[("TERM", "dumb")]);
    assert_eq!(t.end().exit_code(), 2);
    t.wait_for("TERM is dumb");
}

/// A click goes where it points, and over SSH the mouse stays with the terminal.
#[test]
fn the_mouse_works_here_and_not_over_ssh() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    t.press("\x1b[<0;12;1M\x1b[<0;12;1m");
    t.wait_for("owner: me");
    t.press("\x1bOQ"); // f2
    t.wait_for("Mouse off");
    t.press("\x11");
    assert!(t.end().success());
    t.assert_restored();
    let mut t = demo(24, 80, &[("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")]);
    t.wait_for("7 wins");
    assert!(!String::from_utf8_lossy(&t.bytes.lock().unwrap()).contains(MOUSE.0));
    t.press("\x11");
    assert!(t.end().success());
}

/// The screen follows the terminal's size at once, without a key.
#[test]
fn a_resize_is_drawn_by_itself() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    let size = PtySize { rows: 40, cols: 130, pixel_width: 0, pixel_height: 0 };
    t.master.as_ref().unwrap().resize(size).unwrap();
    t.size = (40, 130);
    t.wait_for("ctrl-p any action");
    t.press("\x11");
    assert!(t.end().success());
}

/// A key that comes together with a change of size is not lost behind it.
#[test]
fn a_key_beside_a_resize_is_heard() {
    for round in 0..15 {
        let mut t = demo(24, 80, &[]);
        t.wait_for("7 wins");
        let size = PtySize { rows: 40, cols: 130, pixel_width: 0, pixel_height: 0 };
        t.master.as_ref().unwrap().resize(size).unwrap();
        std::thread::sleep(Duration::from_micros(round * 40));
        t.press("\x11");
        assert!(t.end().success());
    }
}

/// A long text goes to the person's editor and comes back; keys typed meanwhile are the
/// editor's.
#[test]
fn a_long_text_is_written_in_the_editor() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("editor");
    std::fs::write(&script, "#!/bin/sh\nread key\nprintf 'told %s\\n' \"$key\" >> \"$1\"\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut t = demo(40, 100, &[("EDITOR", script.to_str().unwrap())]);
    t.wait_for("7 wins");
    t.press("2a");
    t.wait_for("New activity");
    let details = 11;
    t.press(&"\t".repeat(details));
    t.wait_for("> details");
    t.press("\x05"); // ctrl-e
    // The terminal is the editor's once it is left.
    let start = Instant::now();
    while !String::from_utf8_lossy(&t.bytes.lock().unwrap()).contains("\x1b[?1049l") {
        assert!(start.elapsed() < PATIENCE, "the editor never got the terminal");
        std::thread::sleep(Duration::from_millis(10));
    }
    t.press("quietly\n");
    t.wait_for("told quietly");
    t.press("\x13"); // ctrl-s: refused, since the type is missing, and the text stands
    t.wait_for("is missing");
    t.press("\x11");
    assert!(t.end().success());
}

/// What is copied reaches the clipboard of whoever sits at the terminal.
#[test]
fn a_row_is_copied_through_the_terminal() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    t.press("2");
    t.wait_for("> Fri 20 Feb");
    t.press("c");
    t.wait_for("Copied 1 row");
    assert!(String::from_utf8_lossy(&t.bytes.lock().unwrap()).contains("\x1b]52;c;"));
    t.press("\x11");
    assert!(t.end().success());
}

/// A keymap or theme that is wrong keeps the old one and says where.
#[test]
fn a_reload_with_a_fault_keeps_what_was() {
    let pams = crate::program::Pams::with_names();
    let config = pams.path().join("config/keymaps");
    std::fs::create_dir_all(&config).unwrap();
    let file = config.join("default.toml");
    let mut command = CommandBuilder::new(EXE);
    command.arg("--home");
    command.arg(pams.path());
    let (terminal, reader) = spawn(24, 120, command, &[]);
    let mut t = reading(terminal, reader);
    t.wait_for("Nothing logged this month");
    std::fs::write(&file, "[global]\n\"f5\" = \"app.relod\"\n").unwrap();
    t.press("\x1b[15~"); // f5
    t.wait_for("default.toml:2: there is no command \"app.relod\"; did you mean");
    t.press("2");
    t.wait_for("owner: me");
    t.press("\x11");
    assert!(t.end().success());
    // Nor does it keep anybody out: the next one starts with the keys it comes with.
    let mut command = CommandBuilder::new(EXE);
    command.arg("--home");
    command.arg(pams.path());
    let (terminal, reader) = spawn(24, 120, command, &[]);
    let mut t = reading(terminal, reader);
    t.wait_for("Taken without your own keys and colours");
    t.press("\x11");
    assert!(t.end().success());
}

/// On a line of 9,600 bytes a second with 300 ms there and back a held key leaves a frame
/// or two on the way, not one a press: what cannot be sent is not drawn.
#[test]
fn a_slow_line_is_not_sent_more_than_it_takes() {
    const PRESSES: usize = 60;
    const ONE_WAY: Duration = Duration::from_millis(150);
    let (mut t, mut reader) = start(24, 80, &[("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")]);
    let sink = t.bytes.clone();
    let (line, arriving) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        for (due, bytes) in arriving {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            sink.lock().unwrap().extend_from_slice(&bytes);
        }
    });
    std::thread::spawn(move || {
        // 96 bytes each hundredth of a second.
        let mut buffer = [0; 96];
        while let Ok(n) = reader.read(&mut buffer) {
            if n == 0 {
                break;
            }
            if line.send((Instant::now() + ONE_WAY, buffer[..n].to_vec())).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    t.wait_for("7 wins");
    t.press("2om");
    t.wait_for("dates: all");
    t.wait_for("of 2,");
    for _ in 0..PRESSES {
        t.press("\x1b[6~\x1b[5~");
        std::thread::sleep(Duration::from_millis(33));
    }
    // The last key went one way; what was sent until then comes back the other.
    std::thread::sleep(2 * ONE_WAY);
    let held = t.bytes.lock().unwrap().len();
    // Quiet for a while: all that was on its way is here.
    let (mut last, mut still) = (held, 0);
    while still < 40 {
        std::thread::sleep(Duration::from_millis(25));
        let now = t.bytes.lock().unwrap().len();
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    let late = last - held;
    // The kernel holds 4 KiB of a terminal, and one frame of two pages is being written.
    assert!(late <= 4_096 + 2 * 2_600, "{late} bytes came behind the last key");
    t.press("\x11");
    assert!(t.end().success());
}

/// Keys typed ahead of a form are the form's: none of them reaches the list beneath.
#[test]
fn keys_wait_for_the_form_that_is_being_opened() {
    let mut t = demo(24, 80, &[]);
    t.wait_for("7 wins");
    t.press("2");
    t.wait_for("> Fri 20 Feb");
    t.press("addemo");
    t.wait_for("> type *           ddemo");
    assert!(!t.screen().contains("Deleted"), "{}", t.screen());
    t.press("\x11");
    assert!(t.end().success());
}
