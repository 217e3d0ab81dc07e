//! One round with the server: recover if it must be, push the queue, pull the log. Any
//! process of a profile may do it, several at once too: what came twice is done once. And
//! the comparison of all that is here with what is there.

use crate::domain::schema::Kind;
use crate::domain::text::thousands;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::frames::Bytes;
use crate::remote::Client;
use crate::services::sync::blobs::{GetBlobs, KeepBlobs, MissingBlobs};
use crate::services::sync::bootstrap::{Chunk, InstallChunks, Manifest};
use crate::services::sync::device::{
    Applied, ApplyPull, AskRecover, EndPieces, NextPull, NextPush, ReadAnew, Standing, SyncStatus,
    TakeRecovered,
};
use crate::services::sync::reconcile::{Differs, DigestRecords, Digests};
use crate::services::sync::{
    MAX_PAGE_BYTES, MAX_RECOVER_IDS, Pulled, Pushed, RecoverDevice, Recovered, Taken,
};
use serde::{Deserialize, Serialize};

/// Fresh starts in one round; more of them is a server that does not settle.
const MAX_STARTS: usize = 3;
/// Times that both sides are looked at until they stand at one place of the log.
const MAX_LOOKS: usize = 6;
/// Times that a batch is pushed and does not come back in the stream.
const MAX_PUSHES: usize = 100_000;

/// With fewer records the log itself is as quick, and tells the history too.
const MIN_ROWS: u64 = 5_000;
/// Chunks that are there before anything else, and that are installed in one change.
const FIRST_CHUNKS: usize = 3;
const GROUP: usize = 64;

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Synced {
    /// Own changes that the server has ordered now.
    pub pushed: usize,
    /// Records of others.
    pub pulled: usize,
    /// Changes that wait for a person, all of them.
    pub drafts: usize,
    /// Those among them that this round brought.
    pub new_drafts: usize,
    pub seq: u64,
}

impl Synced {
    /// "212 saved there, 3 fetched"
    pub fn told(&self) -> String {
        format!("{} saved there, {} fetched", self.pushed, self.pulled)
    }
}

/// # Errors
/// Offline when the server cannot be reached or is busy; denied when it does not know the
/// session. What was done before stands.
pub fn round(engine: &Engine, client: &Client) -> Outcome<Synced> {
    let before = engine.ask(&SyncStatus {})?;
    let mut synced = Synced::default();
    if before.seq == 0 {
        synced.pulled += first_copy(engine, client)?;
    }
    let mut starts = 0;
    let mut read = pull(engine, client, &mut synced)?;
    for _ in 0..MAX_PUSHES {
        if read != Read::ToEnd {
            starts += 1;
            if starts > MAX_STARTS {
                return Err(Failure::internal("The server asks to start over again and again")
                    .hint("Tell its operator; what you saved is kept here"));
            }
            match read {
                Read::Recover => recover(engine, client)?,
                _ => synced.pulled += read_anew(engine, client)?,
            }
            read = pull(engine, client, &mut synced)?;
            continue;
        }
        let Some(push) = engine.ask(&NextPush {})? else { break };
        let pushed: Pushed = client.frame("/api/v1/sync/push", &push)?;
        match pushed.taken {
            Taken::Taken => read = pull(engine, client, &mut synced)?,
            Taken::Recover => read = Read::Recover,
            Taken::Malformed => {
                return Err(Failure::internal("The server did not understand what was pushed")
                    .hint("One of the two may be of another version: `pams --version`"));
            }
        }
    }
    let mut after = engine.ask(&SyncStatus {})?;
    if after.pieces {
        send_blobs(engine, client)?;
        // Whoever made the change may still be sending them: a hint follows.
        if fetch_blobs(engine, client)? {
            engine.run(&EndPieces {})?;
        }
        after = engine.ask(&SyncStatus {})?;
    }
    synced.drafts = after.drafts;
    synced.new_drafts = after.drafts.saturating_sub(before.drafts);
    synced.seq = after.seq;
    Ok(synced)
}

/// Fetches the pieces that records here rely on; false when the server lacks some still.
fn fetch_blobs(engine: &Engine, client: &Client) -> Outcome<bool> {
    loop {
        let hashes = engine.ask(&MissingBlobs {})?;
        if hashes.is_empty() {
            return Ok(true);
        }
        let blobs: Vec<Bytes> = match client.frame("/api/v1/sync/blobs/get", &GetBlobs { hashes }) {
            // Whoever may not see outlets goes without them.
            Err(failure) if failure.candidates.iter().any(|code| code == "denied") => return Ok(true),
            blobs => blobs?,
        };
        if engine.run(&KeepBlobs { blobs })?.reply == 0 {
            return Ok(false);
        }
    }
}

/// Sends the pieces that records at the server rely on, as far as they are here.
fn send_blobs(engine: &Engine, client: &Client) -> Outcome<()> {
    loop {
        let hashes: Vec<String> = client.frame("/api/v1/sync/blobs/missing", &MissingBlobs {})?;
        if hashes.is_empty() {
            return Ok(());
        }
        let blobs = engine.ask(&GetBlobs { hashes })?;
        if blobs.is_empty() || client.frame::<_, usize>("/api/v1/sync/blobs/keep", &KeepBlobs { blobs })? == 0
        {
            return Ok(());
        }
    }
}

/// A device that has nothing yet gets the records as they stand, where they are many.
/// What is newest comes first, so that somebody can begin before it is complete.
fn first_copy(engine: &Engine, client: &Client) -> Outcome<usize> {
    let manifest: Manifest = match client.get_frame("/api/v1/sync/first-copy") {
        Err(failure) if failure.kind == FailureKind::NotFound => return Ok(0),
        manifest => manifest?,
    };
    let Standing { epoch, life, .. } = engine.ask(&SyncStatus {})?;
    if manifest.rows() < MIN_ROWS || manifest.epoch != epoch {
        return Ok(0);
    }
    let large = |kind: Kind| matches!(kind, Kind::Activity | Kind::Win | Kind::Outlet | Kind::Notification);
    let (mut newest, mut first): (Vec<Chunk>, Vec<Chunk>) =
        manifest.chunks.iter().cloned().partition(|c| large(c.kind));
    newest.reverse();
    first.extend(newest.drain(..FIRST_CHUNKS.min(newest.len())));
    // What goes to the process that holds the store goes there in frames.
    let most = if engine.is_host() { u64::MAX } else { MAX_PAGE_BYTES as u64 };
    let groups: Vec<&[Chunk]> = grouped(&first, most).chain(grouped(&newest, most)).collect();
    let count = groups.len();
    std::thread::scope(|scope| {
        // One group is fetched while the one before is installed.
        let (sender, fetched) = std::sync::mpsc::sync_channel(1);
        scope.spawn(move || {
            for group in groups {
                let mut chunks = group.to_vec();
                chunks.reverse(); // in the order of ids again
                let fetch = |c: &Chunk| Ok((c.kind, Bytes(client.chunk(&c.hash)?)));
                let got: Outcome<Vec<(Kind, Bytes)>> = chunks.iter().map(fetch).collect();
                let failed = got.is_err();
                if sender.send(got).is_err() || failed {
                    return;
                }
            }
        });
        let mut installed = 0;
        for (place, chunks) in fetched.iter().enumerate() {
            let complete = (place + 1 == count).then_some(manifest.seq);
            installed += engine.run(&InstallChunks { chunks: chunks?, complete, life })?.reply;
        }
        Ok(installed as usize)
    })
}

/// Neighbours that are at most so many chunks, and so many bytes if it is more than one.
fn grouped(chunks: &[Chunk], bytes: u64) -> impl Iterator<Item = &[Chunk]> {
    let (mut held, mut count) = (0, 0);
    chunks.chunk_by(move |one, next| {
        (held, count) = (held + one.bytes, count + 1);
        let together = count < GROUP && held + next.bytes <= bytes;
        if !together {
            (held, count) = (0, 0);
        }
        together
    })
}

/// How far the log was read.
#[derive(Clone, Copy, PartialEq)]
enum Read {
    ToEnd,
    /// The server lives another life: recover first.
    Recover,
    /// Who is signed in may see more now, or less.
    Anew,
}

fn pull(engine: &Engine, client: &Client, synced: &mut Synced) -> Outcome<Read> {
    loop {
        let page: Pulled = client.frame("/api/v1/sync/pull", &engine.ask(&NextPull {})?)?;
        let last = page.through >= page.last_seq;
        // An answer without news is not worth a write.
        if last && page.is_no_news(&engine.ask(&SyncStatus {})?) {
            return Ok(Read::ToEnd);
        }
        let applied = engine.run(&ApplyPull { page })?.reply;
        synced.pulled += applied.theirs;
        synced.pushed += applied.mine;
        match applied {
            Applied { recover: true, .. } => return Ok(Read::Recover),
            Applied { anew: true, .. } => return Ok(Read::Anew),
            _ if last => return Ok(Read::ToEnd),
            _ => {}
        }
    }
}

/// Fills the device again from the beginning.
fn read_anew(engine: &Engine, client: &Client) -> Outcome<usize> {
    engine.run(&ReadAnew {})?;
    first_copy(engine, client)
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reconciled {
    /// The place of the log at which both sides were looked at.
    pub seq: u64,
    pub records: u64,
    pub differing: Vec<Differs>,
    /// What differed was read anew, and both sides are alike now.
    pub mended: bool,
}

impl Reconciled {
    /// What was found, a line a kind and month that differed.
    pub fn told(&self) -> Vec<String> {
        let records = thousands(self.records);
        if self.differing.is_empty() {
            return vec![format!("all {records} records are as the server has them")];
        }
        let line = |of: &Differs| {
            let Differs { kind, month, here, there } = of;
            format!("{} made in {month} differed: {here} here, {there} there", kind.schema().plural)
        };
        self.differing.iter().map(line).collect()
    }

    /// # Errors
    /// Conflict where both sides still differ.
    pub fn settled(&self) -> Outcome<()> {
        match self.differing.is_empty() || self.mended {
            true => Ok(()),
            false => Err(Failure::conflict("Both sides still differ after all was read anew")
                .hint("`pams db check` here and at the server says more; tell its operator")),
        }
    }
}

/// Compares all that is here with what is there, by digests; where they differ, all is read
/// anew. What waits in the queue is sent first and never lost.
///
/// # Errors
/// Those of a round; conflict where others write all the time.
pub fn reconcile(engine: &Engine, client: &Client) -> Outcome<Reconciled> {
    let mut found = compare(engine, client)?;
    if !found.differing.is_empty() {
        read_anew(engine, client)?;
        let again = compare(engine, client)?;
        found = Reconciled { mended: again.differing.is_empty(), differing: found.differing, ..again };
    }
    Ok(found)
}

fn compare(engine: &Engine, client: &Client) -> Outcome<Reconciled> {
    for _ in 0..MAX_LOOKS {
        round(engine, client)?;
        let there: Digests = client.frame("/api/v1/sync/digests", &DigestRecords {})?;
        let here = engine.ask(&DigestRecords {})?;
        if (here.epoch, here.seq) == (there.epoch, there.seq) {
            let (seq, records) = (here.seq, here.records());
            return Ok(Reconciled { seq, records, differing: here.differ(&there), mended: false });
        }
    }
    Err(Failure::conflict("Others save all the time: the two sides never stood at one place")
        .hint("Try again when it is quieter; nothing was changed"))
}

fn recover(engine: &Engine, client: &Client) -> Outcome<()> {
    let ask = engine.ask(&AskRecover {})?;
    let mut all: Option<Recovered> = None;
    let pieces: Vec<&[u8]> = match ask.change_ids.0.is_empty() {
        true => vec![&[]],
        false => ask.change_ids.0.chunks(16 * MAX_RECOVER_IDS).collect(),
    };
    for piece in pieces {
        let ask = RecoverDevice { device: ask.device, change_ids: Bytes(piece.to_vec()) };
        let reply: Recovered = client.frame("/api/v1/sync/recover", &ask)?;
        match &mut all {
            Some(all) => all.held.0.extend_from_slice(&reply.held.0),
            None => all = Some(reply),
        }
    }
    if let Some(reply) = all {
        engine.run(&TakeRecovered { reply })?;
    }
    Ok(())
}
