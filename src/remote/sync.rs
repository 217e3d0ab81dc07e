//! One round with the server: recover if it must be, push the queue, pull the log. Any
//! process of a profile may do it, several at once too: what came twice is done once.

use crate::domain::schema::Kind;
use crate::domain::{Failure, FailureKind, Outcome};
use crate::engine::Engine;
use crate::frames::Bytes;
use crate::remote::Client;
use crate::services::sync::blobs::{GetBlobs, KeepBlobs, MissingBlobs};
use crate::services::sync::bootstrap::{Chunk, InstallChunks, Manifest};
use crate::services::sync::device::{
    ApplyPull, AskRecover, EndPieces, NextPull, NextPush, SyncStatus, TakeRecovered,
};
use crate::services::sync::{MAX_RECOVER_IDS, Pulled, Pushed, RecoverDevice, Recovered, Taken};
use serde::{Deserialize, Serialize};

/// Recoveries in one round; more of them is a server that does not settle.
const MAX_RECOVERIES: usize = 3;
/// Times that a batch is pushed and does not come back in the stream.
const MAX_PUSHES: usize = 100_000;

/// With fewer records the log itself is as quick, and tells the history too.
const MIN_ROWS: u64 = 5_000;
/// Chunks that are there before anything else, and that are installed at a time.
const FIRST_CHUNKS: usize = 3;
const GROUP: usize = 16;

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

/// # Errors
/// Offline when the server cannot be reached or is busy; denied when it does not know the
/// session. What was done before stands.
pub fn round(engine: &Engine, client: &Client) -> Outcome<Synced> {
    let before = engine.ask(&SyncStatus {})?;
    let mut synced = Synced::default();
    if before.seq == 0 {
        synced.pulled += first_copy(engine, client)?;
    }
    let mut recoveries = 0;
    let mut again = pull(engine, client, &mut synced)?;
    for _ in 0..MAX_PUSHES {
        if again {
            recoveries += 1;
            if recoveries > MAX_RECOVERIES {
                return Err(Failure::internal("The server asks to start over again and again")
                    .hint("Tell its operator; what you saved is kept here"));
            }
            recover(engine, client)?;
            again = pull(engine, client, &mut synced)?;
            continue;
        }
        let Some(push) = engine.ask(&NextPush {})? else { break };
        let pushed: Pushed = client.frame("/api/v1/sync/push", &push)?;
        match pushed.taken {
            Taken::Taken => again = pull(engine, client, &mut synced)?,
            Taken::Recover => again = true,
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
    if manifest.rows() < MIN_ROWS || manifest.epoch != engine.ask(&SyncStatus {})?.epoch {
        return Ok(0);
    }
    let large = |kind: Kind| matches!(kind, Kind::Activity | Kind::Win | Kind::Outlet | Kind::Notification);
    let (mut newest, mut first): (Vec<Chunk>, Vec<Chunk>) =
        manifest.chunks.iter().cloned().partition(|c| large(c.kind));
    newest.reverse();
    first.extend(newest.drain(..FIRST_CHUNKS.min(newest.len())));
    let mut groups: Vec<&[Chunk]> = vec![&first];
    groups.extend(newest.chunks(GROUP));
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
            installed += engine.run(&InstallChunks { chunks: chunks?, complete })?.reply;
        }
        Ok(installed as usize)
    })
}

/// Reads the log to its end. True when the device has to recover first.
fn pull(engine: &Engine, client: &Client, synced: &mut Synced) -> Outcome<bool> {
    loop {
        let page: Pulled = client.frame("/api/v1/sync/pull", &engine.ask(&NextPull {})?)?;
        let last = page.through >= page.last_seq;
        let nothing = page.records.is_empty() && page.through == page.from;
        let standing = engine.ask(&SyncStatus {})?;
        // An answer without news is not worth a write.
        if nothing && page.epoch == standing.epoch && last && standing.synced_ms > 0 {
            return Ok(false);
        }
        let applied = engine.run(&ApplyPull { page })?.reply;
        synced.pulled += applied.theirs;
        synced.pushed += applied.mine;
        if applied.recover || last {
            return Ok(applied.recover);
        }
    }
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
