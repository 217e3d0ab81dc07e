//! Plain mode: the same interface for screen readers and terminals that cannot move a
//! cursor. A line in is keys, or the text that is asked for; lines out say what changed.

use crate::config::Folders;
use crate::config::settings::Settings;
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::engine::Engine;
use crate::tui::keys::Key;
use crate::tui::testing::Harness;
use std::collections::HashSet;
use std::io::{BufRead, Write};

/// The screen that is read out: wide enough that hardly a word is cut.
const SIZE: (u16, u16) = (240, 60);
/// A place that changed in more lines than this is read out whole.
const MANY: usize = 6;

const HELP: &str = "A line is keys: 2, a, g w, ctrl-p, enter, esc. Where a text is asked for, the line is \
                    that text; a backslash before it makes it keys: \\esc, \\ctrl-s. An empty line reads \
                    the place again. ? tells the keys of a place, ctrl-q quits.";

/// Runs until the end of the input or of the program; its exit code.
pub fn run(
    engine: &Engine,
    folders: &Folders,
    settings: &Settings,
    input: impl BufRead,
    mut out: impl Write,
) -> Outcome<i32> {
    let failed = |e: std::io::Error| Failure::internal(format!("The output is gone: {}", said(&e)));
    let mut app = crate::tui::run::app(engine, folders, settings)?;
    app.aloud = true;
    let mut place = Harness::around(engine, app, SIZE.0, SIZE.1)?;
    let mut before = lines(&place.text());
    writeln!(out, "{HELP}").map_err(failed)?;
    tell(&mut out, &[], &before).map_err(failed)?;
    for line in input.lines() {
        let line = line.map_err(failed)?;
        match heard(&mut place, &line) {
            Ok(()) => {}
            Err(failure) => writeln!(out, "{}", failure.message).map_err(failed)?,
        }
        if let Some(code) = place.exit {
            return Ok(code);
        }
        let now = lines(&place.text());
        let old: &[String] = if line.trim().is_empty() { &[] } else { &before };
        tell(&mut out, old, &now).map_err(failed)?;
        before = now;
    }
    place.press("ctrl-q")?;
    Ok(place.exit.unwrap_or(0))
}

fn heard(place: &mut Harness, line: &str) -> Outcome<()> {
    let line = line.trim_end();
    if line.trim().is_empty() && !place.takes_text() {
        return Ok(());
    }
    match line.strip_prefix('\\') {
        Some(keys) => drop(place.press(keys)?),
        None if place.takes_text() => drop(place.type_text(line)?.press("enter")?),
        None => {
            // A line that is no keys says nothing rather than half of something.
            if let Some(wrong) = line.split_whitespace().find(|name| Key::parse(name).is_none()) {
                return Err(Failure::usage(format!("There is no key \"{wrong}\"")));
            }
            place.press(line)?;
        }
    }
    Ok(())
}

/// The screen's lines without its drawing.
fn lines(screen: &str) -> Vec<String> {
    let drawn = |c: char| matches!(c, '─' | '│' | '█' | '▂' | '▄' | '▆');
    let plain = screen.lines().map(|line| {
        let words = line.replace(drawn, " ");
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    plain.filter(|line| !line.is_empty() && line != "-").collect()
}

/// What is new; where a cursor only moved, the line it is on.
fn tell(out: &mut impl Write, before: &[String], now: &[String]) -> std::io::Result<()> {
    let old: HashSet<&String> = before.iter().collect();
    let new: Vec<&String> = now.iter().filter(|line| !old.contains(line)).collect();
    let whole = before.is_empty() || new.len() > MANY;
    let moved = new.iter().any(|line| line.starts_with('>'));
    for line in if whole { now.iter().collect() } else { new } {
        // The row that the cursor left is no news.
        let left = moved && !whole && old.contains(&format!("> {line}"));
        if !left {
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out, ".")?;
    out.flush()
}
