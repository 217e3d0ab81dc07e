//! Passwords: argon2id (RFC 9106) with 64 MiB, three passes and one lane.

use crate::domain::{Failure, Outcome};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Fewest characters of a password (NIST SP 800-63B asks for eight).
const MIN_LENGTH: usize = 8;
const MAX_LENGTH: usize = 1_024;
const MEMORY_KIB: u32 = 64 * 1_024;
const PASSES: u32 = 3;

fn argon2() -> Outcome<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)
        .map_err(|e| Failure::internal(format!("The password's parameters are off: {e}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string that is kept of a password. Takes about 0.1 s and 64 MiB.
pub fn hash(password: &str) -> Outcome<String> {
    let length = password.chars().count();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(Failure::invalid(format!("A password has {MIN_LENGTH} to {MAX_LENGTH} characters"))
            .hint("A sentence of your own is easy to keep and hard to guess"));
    }
    let hashed = argon2()?.hash_password(password.as_bytes());
    hashed
        .map(|h| h.to_string())
        .map_err(|e| Failure::internal(format!("The password cannot be hashed: {e}")))
}

/// Whether it is the password. Without a hash to compare with it takes as long and says
/// no, so that nobody learns from the time who exists.
pub fn fits(password: &str, hash: &str) -> bool {
    let kept = if hash.is_empty() { NOBODY } else { hash };
    let fits = PasswordHash::new(kept).is_ok_and(|kept| {
        argon2().is_ok_and(|argon2| argon2.verify_password(password.as_bytes(), &kept).is_ok())
    });
    fits && !hash.is_empty()
}

/// The hash of a password that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_and_no_other_does() {
        let kept = hash("a sentence of my own").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{kept}");
        assert!(fits("a sentence of my own", &kept));
        assert!(!fits("a sentence of yours", &kept));
        assert!(!fits("anything", ""));
        assert!(PasswordHash::new(NOBODY).is_ok(), "takes as long as a real one");
        assert!(hash("short").is_err());
    }
}
