//! What host and guest say to each other.

use crate::domain::{Failure, Outcome};
use crate::engine::host::Event;
use crate::frames::{Bytes, encode};
use crate::services::Caller;
use serde::{Deserialize, Serialize};

/// Raised when a frame changes its meaning.
pub const PROTOCOL: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub enum ToHost {
    Hello {
        protocol: u32,
        version: String,
        pid: u32,
    },
    Request {
        id: u64,
        name: String,
        body: Bytes,
        caller: Caller,
    },
    /// Are you there? Answered at once, whatever is under way.
    Ping,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum ToGuest {
    Welcome {
        version: String,
        pid: u32,
    },
    Refused(Failure),
    Reply {
        id: u64,
        body: Bytes,
    },
    Failed {
        id: u64,
        failure: Failure,
    },
    /// Something happened in the store or to a job.
    Event(Event),
    Pong,
    /// The host closes: connect again.
    Leaving,
}

/// A receipt around a reply that is encoded already: the map of
/// [`crate::services::Receipt`] with the reply's bytes as its last value.
pub fn receipt(txn: crate::domain::Id, seq: u64, reply: &[u8]) -> Outcome<Vec<u8>> {
    let mut bytes = encode(&crate::services::Receipt { txn, seq, reply: () })?;
    bytes.pop(); // nil, one byte, the reply's place
    bytes.extend_from_slice(reply);
    Ok(bytes)
}
