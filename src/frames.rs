//! Frames between processes of one machine: a length (u32, little endian), then
//! MessagePack. Host and guests talk in them, and a host with its workers.

use crate::domain::{Failure, Outcome};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{Read, Write};

/// Longest frame either side takes: a reply of 1 MiB and what stands around it, or a
/// piece of a file on its way in.
pub const MAX_FRAME: usize = (1 << 20) + (64 << 10);

/// Bytes as MessagePack `bin`; a plain `Vec<u8>` would be an array of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Bytes, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        input.deserialize_byte_buf(Reader)
    }
}

pub fn encode<T: Serialize>(value: &T) -> Outcome<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(|e| Failure::internal(format!("A frame cannot be written: {e}")))
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Outcome<T> {
    rmp_serde::from_slice(bytes).map_err(|e| Failure::internal(format!("A frame cannot be read: {e}")))
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A frame's bytes, length first.
pub fn frame<T: Serialize>(value: &T) -> Outcome<Vec<u8>> {
    let body = encode(value)?;
    if body.len() > MAX_FRAME {
        return Err(
            Failure::internal("An answer is larger than 1 MiB").hint("Ask for fewer rows with --limit")
        );
    }
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

pub fn write<T: Serialize>(to: &mut impl Write, value: &T) -> std::io::Result<()> {
    let bytes = frame(value).map_err(|f| std::io::Error::other(f.message))?;
    to.write_all(&bytes)
}

pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> std::io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut body = vec![0; length_of(length)?];
    from.read_exact(&mut body)?;
    decode(&body).map_err(|f| std::io::Error::other(f.message))
}

pub fn length_of(length: [u8; 4]) -> std::io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(std::io::Error::other("a frame is longer than the bound"));
    }
    Ok(length)
}
