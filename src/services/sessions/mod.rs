//! Who signs in, and with what. Credentials and sessions are kept in the tenant's store
//! beside the log, never in it: they do not replicate, have no history and are no record.
//! Of a password and of a session's secret only hashes are kept.
//!
//! Sessions are opaque and on the server alone, so that one can be taken away at once
//! (OWASP Session Management). One-time codes are RFC 6238; a code is good once.

pub mod password;

use crate::domain::schema::{Kind, Record, User};
use crate::domain::{Failure, FailureKind, Id, Outcome};
use crate::frames;
use crate::services::permissions::Rights;
use crate::services::{Command, Query, ReadCx, WriteCx, names};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A device's session ends after so long without use, and so long after it began.
const DEVICE_IDLE_MS: i64 = 30 * DAY_MS;
const DEVICE_LIFE_MS: i64 = 90 * DAY_MS;
/// A browser's.
const BROWSER_IDLE_MS: i64 = 30 * 60_000;
const BROWSER_LIFE_MS: i64 = DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// Use of a session is noted this often: a commit a request would be one too many.
const NOTE_USE_MS: i64 = 60_000;
/// Failed attempts that cost no waiting, and the longest wait.
const FREE_FAILURES: u32 = 3;
const MAX_WAIT_MS: i64 = 15 * 60_000;
/// Sessions that one person may have open; the oldest go first.
const MAX_SESSIONS: usize = 256;
/// Recovery codes made at a time.
const RECOVERY_CODES: usize = 10;

/// What a person signs in with.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Credential {
    /// PHC string of argon2id; empty before a password is set.
    password: String,
    /// Shared secret of the one-time codes, base 32; empty when there are none.
    totp: String,
    /// The time step of the last code that was taken: it and earlier ones are used up.
    last_step: u64,
    /// BLAKE3 of each recovery code that is left.
    recovery: Vec<String>,
    failures: u32,
    /// No attempt is looked at before this.
    wait_until_ms: i64,
}

/// One sign-in that lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    pub id: String,
    pub user: Id,
    pub name: String,
    /// A device keeps it for months, a browser for hours.
    pub device: bool,
    /// What it is called by who uses it, and from where it came.
    pub label: String,
    pub address: String,
    pub began_ms: i64,
    pub used_ms: i64,
    /// When the person last proved who they are.
    #[serde(default)]
    pub proved_ms: i64,
}

/// So long after somebody proved who they are, what is sensitive is done without asking.
const FRESH_MS: i64 = 15 * 60_000;

impl Session {
    pub fn is_fresh(&self, now_ms: i64) -> bool {
        now_ms - self.proved_ms < FRESH_MS
    }

    fn ends_ms(&self) -> i64 {
        let (idle, life) = match self.device {
            true => (DEVICE_IDLE_MS, DEVICE_LIFE_MS),
            false => (BROWSER_IDLE_MS, BROWSER_LIFE_MS),
        };
        (self.used_ms + idle).min(self.began_ms + life)
    }
}

fn credential_row(user: Id) -> String {
    format!("credential/{user}")
}

fn credential(reads: &dyn Reads, user: Id) -> Outcome<Credential> {
    let row = reads.local(&credential_row(user))?;
    row.map_or(Ok(Credential::default()), |bytes| frames::decode(&bytes))
}

fn put_credential(cx: &mut WriteCx, user: Id, row: &Credential) -> Outcome<()> {
    Ok(cx.batch.set_local(&credential_row(user), Some(&frames::encode(row)?))?)
}

/// The id of a session is the hash of its secret: whoever reads the store cannot use it.
pub fn session_id(secret: &[u8]) -> String {
    blake3::hash(secret).to_hex().to_string()
}

fn session_row(id: &str) -> String {
    format!("session/{id}")
}

fn sessions(reads: &dyn Reads) -> Outcome<Vec<Session>> {
    reads.locals("session/")?.iter().map(|(_, bytes)| frames::decode(bytes)).collect()
}

/// Who signs in may do so by e-mail, user name or name; archived people may not.
fn user_named(reads: &dyn Reads, text: &str) -> Outcome<Option<(Id, User)>> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("me") {
        return Ok(None);
    }
    let Ok(id) = names::resolve(reads, Kind::User, text, None) else { return Ok(None) };
    let user = User::from_fields(&reads.fields(Kind::User, id)?.unwrap_or_default());
    // The beginning of a name finds a person elsewhere; here it has to be said whole.
    let names = [&user.name, &user.email, &user.username];
    let whole = names.iter().any(|n| n.eq_ignore_ascii_case(text)) || id.to_string() == text;
    Ok((whole && !user.archived).then_some((id, user)))
}

/// What a server needs to look at a password: its own request, never a peer's.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindLogin {
    pub user: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    pub user: Option<Id>,
    /// PHC string; empty when there is no such user or no password yet.
    pub password: String,
    /// The next attempt is looked at after so many milliseconds.
    pub wait_ms: i64,
}

impl Query for FindLogin {
    const NAME: &'static str = "session.find_login";
    type Reply = Login;

    fn run(&self, cx: &ReadCx) -> Outcome<Login> {
        let Some((user, _)) = user_named(cx.reads, &self.user)? else { return Ok(Login::default()) };
        let row = credential(cx.reads, user)?;
        let wait_ms = (row.wait_until_ms - cx.caller.now_ms).max(0);
        Ok(Login { user: Some(user), password: row.password, wait_ms })
    }
}

/// Notes a failed attempt: each further one waits longer, none locks a person out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NoteFailure {
    pub user: Id,
}

impl Command for NoteFailure {
    const NAME: &'static str = "session.note_failure";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        let mut row = credential(cx.reads(), self.user)?;
        fail(&mut row, cx.caller.now_ms);
        put_credential(cx, self.user, &row)
    }
}

fn fail(row: &mut Credential, now_ms: i64) {
    row.failures = row.failures.saturating_add(1);
    let steps = row.failures.saturating_sub(FREE_FAILURES).min(20);
    let wait = if steps == 0 { 0 } else { (500i64 << steps).min(MAX_WAIT_MS) };
    row.wait_until_ms = now_ms + wait;
}

/// Begins a session for somebody whose password was right; asks for the second factor
/// where there is one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BeginSession {
    pub user: Id,
    /// [`session_id`] of a secret that only the device gets.
    pub id: String,
    pub code: String,
    pub device: bool,
    pub label: String,
    pub address: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Begun {
    Session(Session),
    /// A one-time code is wanted.
    CodeWanted,
    /// It was wrong, or used before.
    CodeWrong,
}

impl Command for BeginSession {
    const NAME: &'static str = "session.begin";
    type Reply = Begun;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Begun> {
        if let Some(lacks) = lacks_code(cx, self.user, &self.code)? {
            return Ok(lacks);
        }
        let mut own = sessions(cx.reads())?;
        own.retain(|s| s.user == self.user);
        own.sort_by_key(|s| s.used_ms);
        let now = cx.caller.now_ms;
        let too_many = (own.len() + 1).saturating_sub(MAX_SESSIONS);
        for (place, old) in own.iter().enumerate() {
            if place < too_many || old.ends_ms() <= now {
                cx.batch.set_local(&session_row(&old.id), None)?;
            }
        }
        let user = User::from_fields(&cx.reads().fields(Kind::User, self.user)?.unwrap_or_default());
        let session = Session {
            id: self.id.clone(),
            user: self.user,
            name: user.name,
            device: self.device,
            label: self.label.chars().take(80).collect(),
            address: self.address.clone(),
            began_ms: now,
            used_ms: now,
            proved_ms: now,
        };
        cx.batch.touch(Kind::User, self.user);
        cx.batch.set_local(&session_row(&self.id), Some(&frames::encode(&session)?))?;
        Ok(Begun::Session(session))
    }
}

/// Notes that the person of a session, whose password was right, is who they say.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProveAgain {
    /// [`session_id`] of the session's secret.
    pub id: String,
    pub code: String,
}

impl Command for ProveAgain {
    const NAME: &'static str = "session.prove";
    type Reply = Begun;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Begun> {
        let none = || Failure::not_found("The session has ended");
        let bytes = cx.reads().local(&session_row(&self.id))?.ok_or_else(none)?;
        let mut session: Session = frames::decode(&bytes)?;
        if let Some(lacks) = lacks_code(cx, session.user, &self.code)? {
            return Ok(lacks);
        }
        session.proved_ms = cx.caller.now_ms;
        cx.batch.set_local(&session_row(&self.id), Some(&frames::encode(&session)?))?;
        Ok(Begun::Session(session))
    }
}

/// What the second factor of somebody lacks still, where there is one; nothing lacking
/// forgets the attempts that failed.
fn lacks_code(cx: &mut WriteCx, user: Id, code: &str) -> Outcome<Option<Begun>> {
    let mut row = credential(cx.reads(), user)?;
    if !row.totp.is_empty() {
        if code.trim().is_empty() {
            return Ok(Some(Begun::CodeWanted));
        }
        if !take_code(&mut row, code, cx.caller.now_ms) {
            fail(&mut row, cx.caller.now_ms);
            put_credential(cx, user, &row)?;
            return Ok(Some(Begun::CodeWrong));
        }
    }
    (row.failures, row.wait_until_ms) = (0, 0);
    put_credential(cx, user, &row)?;
    Ok(None)
}

/// Whether a one-time or a recovery code is right; it is used up by that.
fn take_code(row: &mut Credential, code: &str, now_ms: i64) -> bool {
    let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if let Some(totp) = totp(&row.totp)
        && let Some(step) = totp.check(&code, now_ms.max(0) as u64 / 1_000)
    {
        // A code seen on the way cannot be used a second time.
        if step <= row.last_step {
            return false;
        }
        row.last_step = step;
        return true;
    }
    let hash = recovery_hash(&code);
    let left = row.recovery.len();
    row.recovery.retain(|kept| *kept != hash);
    row.recovery.len() < left
}

fn recovery_hash(code: &str) -> String {
    blake3::hash(code.to_lowercase().as_bytes()).to_hex().to_string()
}

/// Codes of 30 s, six digits, SHA-1; clocks may be one step apart (RFC 6238, 5.2).
fn totp(secret: &str) -> Option<totp_rs::Totp> {
    let secret = totp_rs::Secret::try_from_base32(secret).ok()?;
    totp_rs::Builder::new().with_secret(secret).build().ok()
}

/// The session behind a secret's hash, if it lasts still.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindSession {
    pub id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    pub session: Session,
    /// Its use should be noted.
    pub stale: bool,
}

impl Query for FindSession {
    const NAME: &'static str = "session.find";
    type Reply = Option<Found>;

    fn run(&self, cx: &ReadCx) -> Outcome<Option<Found>> {
        let Some(bytes) = cx.reads.local(&session_row(&self.id))? else { return Ok(None) };
        let session: Session = frames::decode(&bytes)?;
        let user = User::from_fields(&cx.reads.fields(Kind::User, session.user)?.unwrap_or_default());
        if session.ends_ms() <= cx.caller.now_ms || user.archived || user.name.is_empty() {
            return Ok(None);
        }
        let stale = cx.caller.now_ms - session.used_ms >= NOTE_USE_MS;
        Ok(Some(Found { session, stale }))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NoteUse {
    pub id: String,
}

impl Command for NoteUse {
    const NAME: &'static str = "session.note_use";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        if let Some(bytes) = cx.reads().local(&session_row(&self.id))? {
            let mut session: Session = frames::decode(&bytes)?;
            session.used_ms = session.used_ms.max(cx.caller.now_ms);
            cx.batch.set_local(&session_row(&self.id), Some(&frames::encode(&session)?))?;
        }
        Ok(())
    }
}

/// Sessions that last, the last used first: all of them for who manages users, else the
/// caller's own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListSessions {}

impl Query for ListSessions {
    const NAME: &'static str = "session.list";
    type Reply = Vec<Session>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Session>> {
        let me = cx.settings()?.me;
        let all = Rights::of(cx.reads, me)?.may("users.write");
        let mut found = sessions(cx.reads)?;
        found.retain(|s| s.ends_ms() > cx.caller.now_ms && (all || s.user == me));
        found.sort_by_key(|s| std::cmp::Reverse(s.used_ms));
        Ok(found)
    }
}

/// Ends a session, by the beginning of its id; the next request of it is refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EndSession {
    pub which: String,
}

impl Command for EndSession {
    const NAME: &'static str = "session.end";
    type Reply = Session;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Session> {
        let me = cx.actor();
        let all = Rights::of(cx.reads(), me)?.may("users.write");
        let mut found = sessions(cx.reads())?;
        let fits = |s: &Session| self.which.len() >= 4 && s.id.starts_with(&self.which);
        found.retain(|s| fits(s) && (all || s.user == me));
        match found.as_slice() {
            [one] => {
                cx.batch.set_local(&session_row(&one.id), None)?;
                cx.batch.touch(Kind::User, one.user);
                Ok(one.clone())
            }
            [] => Err(Failure::not_found(format!("There is no session {}", self.which))
                .hint("`pams session list` shows them")),
            _ => {
                Err(Failure::invalid(format!("{} sessions begin so", found.len()))
                    .hint("Give more characters"))
            }
        }
    }
}

/// Sets a person's password from its hash, and ends their sessions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SetPassword {
    pub user: String,
    /// PHC string, see [`password::hash`].
    pub hash: String,
}

impl Command for SetPassword {
    const NAME: &'static str = "session.set_password";
    type Reply = Id;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Id> {
        let user = names::resolve(cx.reads(), Kind::User, &self.user, None)?;
        may_manage(cx, user)?;
        let mut row = credential(cx.reads(), user)?;
        row.password.clone_from(&self.hash);
        (row.failures, row.wait_until_ms) = (0, 0);
        put_credential(cx, user, &row)?;
        end_all(cx, user)?;
        Ok(user)
    }
}

/// People manage their own credentials; those who manage users, everybody's.
fn may_manage(cx: &WriteCx, user: Id) -> Outcome<()> {
    if user == cx.actor() {
        return Ok(());
    }
    Rights::of(cx.reads(), cx.actor())?.require("users.write")
}

fn end_all(cx: &mut WriteCx, user: Id) -> Outcome<()> {
    for session in sessions(cx.reads())? {
        if session.user == user {
            cx.batch.set_local(&session_row(&session.id), None)?;
        }
    }
    Ok(())
}

/// Turns one-time codes on for a person, with a new secret and new recovery codes, or off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SetCodes {
    pub user: String,
    /// Twenty random bytes, base 32; empty turns the codes off.
    pub secret: String,
    /// The recovery codes; only their hashes are kept.
    pub recovery: Vec<String>,
}

impl Command for SetCodes {
    const NAME: &'static str = "session.set_codes";
    type Reply = Id;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Id> {
        let user = names::resolve(cx.reads(), Kind::User, &self.user, None)?;
        may_manage(cx, user)?;
        if !self.secret.is_empty() && totp(&self.secret).is_none() {
            return Err(Failure::invalid("The secret of the codes is not 16 bytes or more in base 32"));
        }
        let mut row = credential(cx.reads(), user)?;
        (row.totp, row.last_step) = (self.secret.clone(), 0);
        row.recovery = self.recovery.iter().map(|c| recovery_hash(&c.replace('-', ""))).collect();
        put_credential(cx, user, &row)?;
        end_all(cx, user)?;
        Ok(user)
    }
}

/// A new secret and new recovery codes, for [`SetCodes`].
pub fn new_codes(user: &str) -> Outcome<SetCodes> {
    let secret = totp_rs::Secret::from(random::<20>()?.to_vec()).to_base32();
    let code = || {
        let text: String = random::<5>()?.iter().map(|b| format!("{b:02x}")).collect();
        Ok(format!("{}-{}", &text[..5], &text[5..]))
    };
    let recovery = (0..RECOVERY_CODES).map(|_| code()).collect::<Outcome<_>>()?;
    Ok(SetCodes { user: user.to_owned(), secret, recovery })
}

/// Bytes that nobody can guess, from the operating system.
pub fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::internal(format!("The system gives no random bytes: {e}")))?;
    Ok(bytes)
}

/// What an authenticator reads from a QR code or a link (the Key URI format).
pub fn key_uri(organisation: &str, user: &str, secret: &str) -> String {
    let safe = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || ".@-_".contains(c) { c } else { '_' }).collect()
    };
    let (issuer, user) = (safe(organisation), safe(user));
    format!(
        "otpauth://totp/{issuer}:{user}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    )
}

pub fn wrong() -> Failure {
    Failure::new(FailureKind::Denied, "User, password or code is wrong")
        .hint("An admin can set a new password: `pams user password NAME`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the SHA-1 secret, at 59 s, six digits.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn a_code_is_good_once_and_near_its_time() {
        let mut row = Credential { totp: SECRET.into(), ..Credential::default() };
        assert!(!take_code(&mut row, "287082", 200_000), "too late");
        assert!(take_code(&mut row, "287 082", 59_000));
        assert!(!take_code(&mut row, "287082", 59_000), "used");
        assert!(!take_code(&mut row, "", 59_000));
    }

    #[test]
    fn a_recovery_code_is_good_once() {
        let codes = new_codes("ana").unwrap();
        let recovery = codes.recovery.iter().map(|c| recovery_hash(&c.replace('-', ""))).collect();
        let mut row = Credential { totp: codes.secret, recovery, ..Credential::default() };
        assert!(take_code(&mut row, &codes.recovery[3], 0));
        assert!(!take_code(&mut row, &codes.recovery[3], 0));
        assert_eq!(row.recovery.len(), RECOVERY_CODES - 1);
    }

    #[test]
    fn waiting_grows_and_ends() {
        let mut row = Credential::default();
        let waits: Vec<i64> = (0..30)
            .map(|_| {
                fail(&mut row, 0);
                row.wait_until_ms
            })
            .collect();
        assert_eq!(waits[..5], [0, 0, 0, 1_000, 2_000]);
        assert!(waits.windows(2).all(|w| w[0] <= w[1]));
        assert_eq!(waits.last(), Some(&MAX_WAIT_MS));
    }
}
