//! A long text in the person's own editor.

use super::Keyboard;
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use std::process::Command;

/// Gives the terminal to `$VISUAL`, `$EDITOR` or vi with the text in a file only this
/// person can read; what is in the file afterwards.
///
/// # Errors
/// The editor cannot be started or says that it failed: the text is as it was.
pub fn edit(text: &str, keyboard: &Keyboard) -> Outcome<String> {
    let wrong = |e: std::io::Error| Failure::internal(format!("The editor cannot be used: {}", said(&e)));
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    let editor = set("VISUAL").or(set("EDITOR")).unwrap_or_else(|| "vi".into());
    let folder = crate::config::Scratch::new()?;
    let path = folder.0.join("text.md");
    std::fs::write(&path, text).map_err(wrong)?;
    keyboard.pause();
    super::leave();
    // Editors are often given with options, so the shell takes them apart.
    let ended = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&path).status();
    let entered = super::enter();
    keyboard.resume();
    entered.map_err(wrong)?;
    match ended {
        Ok(status) if status.success() => {
            let edited = std::fs::read_to_string(&path).map_err(wrong)?;
            Ok(edited.trim_end_matches('\n').to_owned())
        }
        Ok(_) => Err(Failure::invalid(format!("{editor} failed: the text is as it was"))
            .hint("Set EDITOR to an editor that is installed")),
        Err(e) => Err(wrong(e)),
    }
}
