//! The keyboard thread: crossterm's events as our messages.

use crate::tui::keys::{Code, Key};
use crate::tui::msg::Msg;
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::sync::mpsc::SyncSender;

/// Reads the keyboard on a thread of its own until the program ends.
pub fn keyboard(to: SyncSender<Msg>) -> std::io::Result<()> {
    std::thread::Builder::new().name("pams-keys".into()).spawn(move || {
        while let Ok(event) = event::read() {
            if let Some(msg) = translate(event)
                && to.send(msg).is_err()
            {
                break;
            }
        }
    })?;
    Ok(())
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
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(..) => Some(Msg::Resize),
        _ => None,
    }
}
