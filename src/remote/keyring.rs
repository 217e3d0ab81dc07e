//! The system's keyring: the Keychain of macOS, elsewhere the Secret Service of a desktop.
//! A machine without one, or one that asks somebody who is not there, is as if there were
//! none: who calls keeps the secret in a file of their own.

use keyring_core::{CredentialStore, Entry, Error};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A keyring that takes longer waits for somebody to unlock it.
const PATIENCE: Duration = Duration::from_millis(500);
const SERVICE: &str = "pams";

/// Whether the secret is kept there now.
pub fn set(account: &str, secret: &str) -> bool {
    let secret = secret.to_owned();
    let kept = with_entry(account, move |entry| {
        entry.set_password(&secret)?;
        // Some services take what they give to nobody.
        Ok(entry.get_password()? == secret)
    });
    kept == Some(true)
}

/// The secret; none where the keyring does not have it or does not answer.
pub fn get(account: &str) -> Option<String> {
    with_entry(account, |entry| entry.get_password())
}

/// Takes it away; whether there was one.
pub fn forget(account: &str) -> bool {
    with_entry(account, |entry| entry.delete_credential()).is_some()
}

fn with_entry<T: Send + 'static>(
    account: &str,
    act: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
) -> Option<T> {
    let account = account.to_owned();
    let (sender, answer) = channel();
    let asked = move || {
        let entry = store()?.build(SERVICE, &account, None)?;
        act(&entry)
    };
    // A call over the bus cannot be given up: the thread that waits for it is.
    let asking = std::thread::Builder::new().name("pams-keyring".into());
    asking.spawn(move || drop(sender.send(asked()))).ok()?;
    answer.recv_timeout(PATIENCE).ok()?.ok()
}

#[cfg(target_os = "macos")]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(not(target_os = "macos"))]
fn store() -> Result<Arc<CredentialStore>, Error> {
    // Without a session's bus the library would try to start one.
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none() {
        return Err(Error::NotSupportedByStore("there is no session bus".into()));
    }
    Ok(dbus_secret_service_keyring_store::Store::new()?)
}
