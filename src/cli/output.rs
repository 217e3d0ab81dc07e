//! Printing: JSON objects, aligned tables, failures.

use crate::domain::problem::Problem;
use crate::domain::{Failure, FailureKind};
use crate::services::show::Item;
use serde::Serialize;
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// Writes a line to standard output; a reader that closed the pipe ends the program
/// quietly, as it should.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}") {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => {
            note(&format!("error: standard output cannot be written: {e}"));
            std::process::exit(1);
        }
    }
}

pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

pub fn json<T: Serialize>(value: &T) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(&text),
        Err(error) => note(&format!("error: the answer cannot be written: {error}")),
    }
}

/// A failure as programs read it.
pub fn told(failure: &Failure) -> serde_json::Value {
    serde_json::json!({
        "kind": format!("{:?}", failure.kind).to_lowercase(),
        "message": failure.message,
        "hint": failure.hint,
        "problems": failure.problems,
        "candidates": failure.candidates,
    })
}

pub fn failure(failure: &Failure, as_json: bool) {
    if as_json {
        return note(&serde_json::json!({ "error": told(failure) }).to_string());
    }
    let word = if failure.kind == FailureKind::Partial { "note: " } else { "error:" };
    note(&format!("{word} {}", failure.message));
    for problem in failure.problems.iter().skip(1) {
        note(&format!("       {}", problem.message));
    }
    for candidate in &failure.candidates {
        note(&format!("       {candidate}"));
    }
    let options: Vec<String> = failure.problems.iter().filter_map(option).collect();
    match (&failure.hint, options.join(" ")) {
        (None, _) => {}
        (Some(hint), options) if options.is_empty() => note(&format!("hint:  {hint}")),
        (Some(hint), options) => note(&format!("hint:  {hint}: {options}")),
    }
}

/// The option that settles a problem of a record.
fn option(problem: &Problem) -> Option<String> {
    Some(match problem.rule.as_str() {
        "ACT-01" | "WIN-03" => "--allow-future".into(),
        "ACT-02" => "--hours, --days or --allow-empty-effort".into(),
        "ACT-03" => "--hours or --days".into(),
        "required" | "WIN-01" => format!("--{}", problem.field.replace('_', "-")),
        _ => return None,
    })
}

/// Text made safe for a terminal: one line, no control characters.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Columns wide enough for their widest cell; the last one is left ragged.
pub fn table(headers: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = headers.iter().map(|h| h.width()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|r| r.iter().map(|c| plain(c)).collect()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let show = |cells: Vec<&str>| {
        let mut out = String::new();
        for (place, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            out.push_str(cell);
            if place + 1 < cells.len() {
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
            }
        }
        line(out.trim_end());
    };
    show(headers.to_vec());
    for row in &rows {
        show(row.iter().map(String::as_str).collect());
    }
}

/// A record, a field a line.
pub fn item(item: &Item) {
    let hidden =
        |name: &str| name.ends_with("_id") || name.ends_with("_minutes") || name.ends_with("_currency");
    line(&format!("id: {}", item.id));
    for name in item.values.keys().filter(|n| !hidden(n) && !n.ends_with("_text")) {
        let text = item.text(&format!("{name}_text"));
        let text = if text.is_empty() { item.text(name) } else { text };
        line(&format!("{}: {}", name.replace('_', " "), plain(&text)));
    }
    if !item.text("effort_text").is_empty() {
        line(&format!("effort: {}", item.text("effort_text")));
    }
    line(&format!("rev: {}", item.rev));
}
