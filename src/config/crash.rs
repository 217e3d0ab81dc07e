//! What a fault of the program leaves behind: where it happened, never what it worked
//! on (a panic's message may hold a name or a note, so it is left out).

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

#[derive(Default)]
enum Faults {
    #[default]
    Lost,
    /// To be written into this folder.
    Kept(PathBuf),
    /// The file of this process's first fault.
    Written(PathBuf),
}

static FAULTS: Mutex<Faults> = Mutex::new(Faults::Lost);

/// From now on the first fault is written to a file in `folder`, then goes where it went
/// before.
pub fn keep_faults(folder: PathBuf) {
    *FAULTS.lock().unwrap_or_else(|e| e.into_inner()) = Faults::Kept(folder);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        keep(info);
        before(info);
    }));
}

/// Writes a fault down and says nothing.
pub fn keep(info: &PanicHookInfo) {
    let mut faults = FAULTS.lock().unwrap_or_else(|e| e.into_inner());
    if let Faults::Kept(folder) = &*faults
        && let Some(path) = write(folder, info)
    {
        *faults = Faults::Written(path);
    }
}

/// The file that this process wrote, if it did.
pub fn written() -> Option<PathBuf> {
    match &*FAULTS.lock().unwrap_or_else(|e| e.into_inner()) {
        Faults::Written(path) => Some(path.clone()),
        _ => None,
    }
}

/// The newest crash file of a folder.
pub fn last(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_crash = |path: &PathBuf| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.starts_with("crash-") && name.ends_with(".txt")
    };
    entries.filter(is_crash).max()
}

fn write(folder: &Path, info: &PanicHookInfo) -> Option<PathBuf> {
    let at = chrono::Utc::now();
    let path = folder.join(format!("crash-{}.txt", at.format("%Y%m%dT%H%M%S")));
    let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
    let text = format!(
        "PAMS {} on {} {}\nat       {}\nthread   {}\nin       {place}\n\n{}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        std::thread::current().name().unwrap_or("unnamed"),
        Backtrace::force_capture(),
    );
    std::fs::create_dir_all(folder).ok()?;
    std::fs::write(&path, text).ok()?;
    Some(path)
}
