//! What the program reads at its edge: where things live, settings, the clock.

pub mod crash;
pub mod settings;

use crate::domain::failure::said;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::Places;
use crate::jobs::Workers;
use chrono::{DateTime, NaiveDate};
use std::path::{Path, PathBuf};

/// The folders of one profile.
#[derive(Clone, Debug)]
pub struct Folders {
    pub config: PathBuf,
    pub data: PathBuf,
    pub state: PathBuf,
    pub cache: PathBuf,
    /// Empty for the first.
    pub profile: String,
    /// Somebody named the folder that they are under.
    pub named: bool,
}

/// Longest socket path that every platform takes (sockaddr_un holds 104 bytes on macOS).
const MAX_SOCKET_PATH: usize = 100;

/// The program itself, whatever its file is called by now.
pub fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "pams".into())
}

impl Folders {
    /// Under `home` if one is given, else by the XDG base directory specification;
    /// `profile` names a world of its own.
    pub fn find(home: Option<&Path>, profile: Option<&str>) -> Outcome<Folders> {
        if let Some(name) = profile
            && (name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        {
            return Err(Failure::usage(format!(
                "\"{name}\" is not a profile name: use letters, digits, - and _"
            )));
        }
        let folders = match home {
            Some(home) => {
                let home =
                    std::path::absolute(home).map_err(|e| Failure::usage(format!("--home: {}", said(&e))))?;
                let under = |name: &str| home.join(name);
                Folders {
                    config: under("config"),
                    data: under("data"),
                    state: under("state"),
                    cache: under("cache"),
                    profile: String::new(),
                    named: true,
                }
            }
            None => {
                let found = directories::ProjectDirs::from("", "", "pams").ok_or_else(|| {
                    Failure::usage("There is no home directory").hint("Give a folder with --home")
                })?;
                Folders {
                    config: found.config_dir().to_owned(),
                    data: found.data_dir().to_owned(),
                    state: found.state_dir().unwrap_or(found.data_dir()).to_owned(),
                    cache: found.cache_dir().to_owned(),
                    profile: String::new(),
                    named: false,
                }
            }
        };
        Ok(folders.of_profile(profile.unwrap_or_default()))
    }

    /// The folders of a profile inside these; without a name these.
    pub fn of_profile(&self, name: &str) -> Folders {
        if name.is_empty() {
            return self.clone();
        }
        Folders {
            config: self.config.join(name),
            data: self.data.join(name),
            state: self.state.join(name),
            cache: self.cache.join(name),
            profile: name.to_owned(),
            named: self.named,
        }
    }

    pub fn places(&self) -> Places {
        let mut socket = self.state.join("pams.sock");
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            let hash = blake3::hash(socket.as_os_str().as_encoded_bytes());
            let runtime = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
            let user = rustix::process::getuid().as_raw();
            socket = runtime.join(format!("pams-{user}-{}.sock", &hash.to_hex()[..16]));
        }
        let workers = Workers::Process(program());
        Places { store: self.data.join("pams.redb"), socket, workers, lasting: true }
    }
}

/// Milliseconds since 1970 UTC; `PAMS_NOW` (a date or an RFC 3339 instant) freezes it.
pub fn now_ms() -> i64 {
    frozen_ms().unwrap_or_else(|| chrono::Utc::now().timestamp_millis())
}

fn frozen_ms() -> Option<i64> {
    let text = std::env::var("PAMS_NOW").ok()?;
    if let Ok(instant) = DateTime::parse_from_rfc3339(&text) {
        return Some(instant.timestamp_millis());
    }
    let day: NaiveDate = text.parse().ok()?;
    Some(day.and_hms_opt(10, 30, 0)?.and_utc().timestamp_millis())
}

/// The system's zone by its IANA name, or UTC.
pub fn system_zone() -> String {
    let good = |name: String| crate::domain::when::Zone::parse(&name).ok().map(|_| name);
    let from_env = std::env::var("TZ").ok().map(|t| t.trim_start_matches(':').to_owned()).and_then(good);
    let from_link = || {
        let link = std::fs::read_link("/etc/localtime").ok()?;
        let text = link.to_string_lossy().into_owned();
        text.split_once("zoneinfo/").map(|(_, name)| name.to_owned()).and_then(good)
    };
    let from_file =
        || std::fs::read_to_string("/etc/timezone").ok().map(|t| t.trim().to_owned()).and_then(good);
    from_env.or_else(from_link).or_else(from_file).unwrap_or_else(|| "UTC".into())
}

/// The system user, for the silent first start.
pub fn system_user() -> (String, String) {
    let user =
        ["USER", "LOGNAME"].iter().find_map(|n| std::env::var(n).ok()).filter(|u| !u.trim().is_empty());
    let user = user.unwrap_or_else(|| "me".into());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (user.clone(), format!("{user}@{}", if host.is_empty() { "localhost".into() } else { host }))
}

/// The name of the file system if the path is on one reached over a network, where
/// locks and durable writes are not to be trusted.
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    let folder = path.ancestors().find(|p| p.exists())?;
    let kind = rustix::fs::statfs(folder).ok()?.f_type as u32;
    // Numbers of linux/magic.h.
    match kind {
        0x6969 => Some("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Some("SMB"),
        0x0102_1997 => Some("9P"),
        0x6573_5546 => Some("FUSE"),
        _ => None,
    }
}

/// A throw-away folder for the demo, taken away with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Outcome<Scratch> {
        let id: Id = crate::services::new_id(now_ms());
        let path = std::env::temp_dir().join(format!("pams-demo-{}", id.short()));
        std::fs::create_dir_all(&path).map_err(|e| {
            Failure::internal(format!("{} cannot be made: {}", path.display(), said(&e)))
                .hint("Set TMPDIR to a folder you may write")
        })?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_home_still_has_a_short_socket() {
        let long = PathBuf::from("/").join("x".repeat(200));
        let places = Folders::find(Some(&long), Some("work")).unwrap().places();
        assert!(places.socket.as_os_str().len() <= MAX_SOCKET_PATH + 20);
        assert!(places.store.starts_with(&long));
        assert!(Folders::find(None, Some("../up")).is_err());
    }
}
