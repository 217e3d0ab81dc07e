//! Bytes of fields and change records. Fields are tagged by number and values by
//! type, so that what an old program does not know survives its rewrite.
//!
//! Numbers are LEB128, signed ones zigzag first (the encodings of Protocol Buffers).
//! A type byte below 16 has a fixed reading here; any other is length-prefixed and
//! kept as [`Value::Unknown`]. Every decoder refuses what it cannot read, whole.

use crate::changes::record::{Cause, Change, Conflict, FieldChange, Op, Ordered, Verdict, Via};
use crate::domain::money::{Currency, Money};
use crate::domain::schema::Kind;
use crate::domain::value::{FieldId, Value};
use crate::domain::{Fields, Id};
use chrono::{Datelike, NaiveDate};

/// Bytes that are not what they should be, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("damaged bytes: {what} at {at}")]
pub struct Damaged {
    pub what: &'static str,
    pub at: usize,
}

type Decoded<T> = Result<T, Damaged>;

/// Version byte in front of heads and payloads.
const VERSION: u8 = 1;

#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
    pub fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }
    pub fn sized(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }
}

pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }
    pub fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }
    pub fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { what, at: self.at }
    }
    pub fn byte(&mut self) -> Decoded<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.damaged("ends early"))?;
        self.at += 1;
        Ok(byte)
    }
    pub fn raw(&mut self, length: usize) -> Decoded<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|e| *e <= self.bytes.len());
        let end = end.ok_or_else(|| self.damaged("ends early"))?;
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }
    pub fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let damaged = self.damaged("ends early");
        self.raw(N)?.try_into().map_err(|_| damaged)
    }
    pub fn number(&mut self) -> Decoded<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged("number too long"))
    }
    pub fn signed(&mut self) -> Decoded<i64> {
        let raw = self.number()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }
    /// A length or count; never larger than the bytes that are left.
    pub fn count(&mut self) -> Decoded<usize> {
        let count = self.number()?;
        let left = (self.bytes.len() - self.at) as u64;
        if count > left { Err(self.damaged("count too large")) } else { Ok(count as usize) }
    }
    pub fn sized(&mut self) -> Decoded<&'a [u8]> {
        let length = self.count()?;
        self.raw(length)
    }
    pub fn text(&mut self) -> Decoded<&'a str> {
        let damaged = self.damaged("text is not UTF-8");
        std::str::from_utf8(self.sized()?).map_err(|_| damaged)
    }
    pub fn id(&mut self) -> Decoded<Id> {
        self.array().map(Id)
    }
}

mod tag {
    pub const TEXT: u8 = 1;
    pub const INT: u8 = 2;
    pub const NO: u8 = 3;
    pub const YES: u8 = 4;
    pub const DATE: u8 = 5;
    pub const ID: u8 = 6;
    pub const IDS: u8 = 7;
    pub const TEXTS: u8 = 8;
    pub const MONEY: u8 = 9;
    pub const BYTES: u8 = 10;
    /// From here on a type is length-prefixed.
    pub const FIRST_SIZED: u8 = 16;
}

fn put_value(out: &mut Writer, value: &Value) {
    match value {
        Value::Text(text) => {
            out.byte(tag::TEXT);
            out.sized(text.as_bytes());
        }
        Value::Int(number) => {
            out.byte(tag::INT);
            out.signed(*number);
        }
        Value::Bool(yes) => out.byte(if *yes { tag::YES } else { tag::NO }),
        Value::Date(date) => {
            out.byte(tag::DATE);
            out.signed(i64::from(date.num_days_from_ce()));
        }
        Value::Id(id) => {
            out.byte(tag::ID);
            out.raw(&id.0);
        }
        Value::Ids(ids) => {
            out.byte(tag::IDS);
            out.number(ids.len() as u64);
            ids.iter().for_each(|id| out.raw(&id.0));
        }
        Value::Texts(texts) => {
            out.byte(tag::TEXTS);
            out.number(texts.len() as u64);
            texts.iter().for_each(|t| out.sized(t.as_bytes()));
        }
        Value::Money(money) => {
            out.byte(tag::MONEY);
            out.raw(&money.currency.0);
            out.signed(money.minor);
        }
        Value::Bytes(bytes) => {
            out.byte(tag::BYTES);
            out.sized(bytes);
        }
        Value::Unknown(tag, bytes) => {
            out.byte((*tag).max(tag::FIRST_SIZED));
            out.sized(bytes);
        }
    }
}

fn take_value(from: &mut Reader) -> Decoded<Value> {
    Ok(match from.byte()? {
        tag::TEXT => Value::Text(from.text()?.to_owned()),
        tag::INT => Value::Int(from.signed()?),
        tag::NO => Value::Bool(false),
        tag::YES => Value::Bool(true),
        tag::DATE => {
            let days = i32::try_from(from.signed()?).ok();
            let date = days.and_then(NaiveDate::from_num_days_from_ce_opt);
            Value::Date(date.ok_or_else(|| from.damaged("no such day"))?)
        }
        tag::ID => Value::Id(from.id()?),
        tag::IDS => Value::Ids((0..from.count()?).map(|_| from.id()).collect::<Decoded<_>>()?),
        tag::TEXTS => {
            Value::Texts((0..from.count()?).map(|_| from.text().map(str::to_owned)).collect::<Decoded<_>>()?)
        }
        tag::MONEY => Value::Money(Money { currency: Currency(from.array()?), minor: from.signed()? }),
        tag::BYTES => Value::Bytes(from.sized()?.to_vec()),
        tag if tag >= tag::FIRST_SIZED => Value::Unknown(tag, from.sized()?.to_vec()),
        _ => return Err(from.damaged("unknown type")),
    })
}

/// Steps over a value and returns its bytes.
fn skip_value<'a>(from: &mut Reader<'a>) -> Decoded<&'a [u8]> {
    let start = from.at;
    match from.byte()? {
        tag::TEXT | tag::BYTES => drop(from.sized()?),
        tag::INT | tag::DATE => drop(from.number()?),
        tag::NO | tag::YES => {}
        tag::ID => drop(from.raw(16)?),
        tag::IDS => {
            let count = from.count()?;
            from.raw(count * 16)?;
        }
        tag::TEXTS => {
            for _ in 0..from.count()? {
                from.sized()?;
            }
        }
        tag::MONEY => {
            from.raw(3)?;
            from.number()?;
        }
        tag if tag >= tag::FIRST_SIZED => drop(from.sized()?),
        _ => return Err(from.damaged("unknown type")),
    }
    Ok(&from.bytes[start..from.at])
}

/// The fields of a stored head, undecoded, in ascending order of their numbers: walks over
/// many records decode only what they want.
pub struct RawFields<'a> {
    pub deleted: bool,
    from: Reader<'a>,
    left: usize,
}

impl<'a> RawFields<'a> {
    pub fn of(head: &'a [u8]) -> Decoded<RawFields<'a>> {
        let mut from = Reader::new(head);
        version(&mut from)?;
        let deleted = from.byte()? != 0;
        from.number()?;
        let left = from.count()?;
        Ok(RawFields { deleted, from, left })
    }
}

impl<'a> Iterator for RawFields<'a> {
    type Item = Decoded<(FieldId, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let field = take_field_id(&mut self.from);
        Some(field.and_then(|field| Ok((field, skip_value(&mut self.from)?))))
    }
}

/// Some fields of a stored head, undecoded. `wanted` is in ascending order.
pub fn pick<const N: usize>(head: &[u8], wanted: [FieldId; N]) -> Decoded<[Option<&[u8]>; N]> {
    let mut found = [None; N];
    for field in RawFields::of(head)? {
        let (field, value) = field?;
        if let Some(place) = wanted.iter().position(|w| *w == field) {
            found[place] = Some(value);
        } else if wanted.last().is_some_and(|last| field > *last) {
            break;
        }
    }
    Ok(found)
}

pub fn picked_text(value: &[u8]) -> Option<&str> {
    (value.first() == Some(&tag::TEXT)).then(|| Reader::new(&value[1..]).text().ok()).flatten()
}

pub fn picked_yes(value: &[u8]) -> bool {
    value == [tag::YES]
}

pub fn picked_id(value: &[u8]) -> Option<Id> {
    (value.first() == Some(&tag::ID)).then(|| value[1..].try_into().ok().map(Id)).flatten()
}

pub fn picked_int(value: &[u8]) -> Option<i64> {
    (value.first() == Some(&tag::INT)).then(|| Reader::new(&value[1..]).signed().ok()).flatten()
}

pub fn picked_date(value: &[u8]) -> Option<NaiveDate> {
    let days =
        (value.first() == Some(&tag::DATE)).then(|| Reader::new(&value[1..]).signed().ok()).flatten()?;
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()?)
}

fn put_optional(out: &mut Writer, value: Option<&Value>) {
    match value {
        Some(value) => put_value(out, value),
        None => out.byte(0),
    }
}

fn take_optional(from: &mut Reader) -> Decoded<Option<Value>> {
    if from.bytes.get(from.at) == Some(&0) {
        from.at += 1;
        return Ok(None);
    }
    take_value(from).map(Some)
}

/// One value alone.
pub fn encode_value(value: &Value) -> Vec<u8> {
    let mut out = Writer::default();
    put_value(&mut out, value);
    out.bytes
}

pub fn decode_value(bytes: &[u8]) -> Decoded<Value> {
    take_value(&mut Reader::new(bytes))
}

fn put_fields(out: &mut Writer, fields: &Fields) {
    out.number(fields.len() as u64);
    for (field, value) in fields {
        out.number(u64::from(*field));
        put_value(out, value);
    }
}

fn take_field_id(from: &mut Reader) -> Decoded<FieldId> {
    FieldId::try_from(from.number()?).map_err(|_| from.damaged("field number too large"))
}

fn take_fields(from: &mut Reader) -> Decoded<Fields> {
    (0..from.count()?).map(|_| Ok((take_field_id(from)?, take_value(from)?))).collect()
}

/// BLAKE3 of a record's fields, the same on every device.
pub fn content_hash(fields: &Fields) -> [u8; 32] {
    let mut out = Writer::default();
    put_fields(&mut out, fields);
    blake3::hash(&out.bytes).into()
}

/// A head as stored: version, flags, rev, fields.
pub fn encode_head(head: &crate::changes::Head) -> Vec<u8> {
    let mut out = Writer { bytes: Vec::with_capacity(160) };
    out.byte(VERSION);
    out.byte(u8::from(head.deleted));
    out.number(head.rev);
    put_fields(&mut out, &head.fields);
    out.bytes
}

pub fn decode_head(bytes: &[u8]) -> Decoded<crate::changes::Head> {
    let mut from = Reader::new(bytes);
    version(&mut from)?;
    let deleted = from.byte()? != 0;
    let head = crate::changes::Head { deleted, rev: from.number()?, fields: take_fields(&mut from)? };
    done(&from)?;
    Ok(head)
}

fn version(from: &mut Reader) -> Decoded<()> {
    if from.byte()? == VERSION { Ok(()) } else { Err(from.damaged("unknown version")) }
}

fn done(from: &Reader) -> Decoded<()> {
    if from.is_done() { Ok(()) } else { Err(from.damaged("bytes left over")) }
}

pub fn encode_conflicts(conflicts: &[Conflict]) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(conflicts.len() as u64);
    for conflict in conflicts {
        out.number(u64::from(conflict.field));
        put_optional(&mut out, conflict.base.as_ref());
        put_optional(&mut out, conflict.mine.as_ref());
        put_optional(&mut out, conflict.theirs.as_ref());
    }
    out.bytes
}

pub fn decode_conflicts(bytes: &[u8]) -> Decoded<Vec<Conflict>> {
    take_conflicts(&mut Reader::new(bytes))
}

fn take_conflicts(from: &mut Reader) -> Decoded<Vec<Conflict>> {
    (0..from.count()?)
        .map(|_| {
            let field = take_field_id(from)?;
            let [base, mine, theirs] = [take_optional(from)?, take_optional(from)?, take_optional(from)?];
            Ok(Conflict { field, base, mine, theirs })
        })
        .collect()
}

/// The erasable part of a record. The salt keeps its commitment from being guessed
/// once the payload is purged.
pub fn encode_payload(record: &Ordered, salt: [u8; 16]) -> Vec<u8> {
    let change = &record.change;
    let mut out = Writer { bytes: Vec::with_capacity(192) };
    out.byte(VERSION);
    out.raw(&salt);
    out.number(change.fields.len() as u64);
    for field in &change.fields {
        out.number(u64::from(field.field));
        put_optional(&mut out, field.old.as_ref());
        put_optional(&mut out, field.new.as_ref());
    }
    // Most records end here: the rest is written when any of it is there.
    let extras = change.seen_hash.is_some()
        || record.effect.is_some()
        || !(change.why.is_empty() && record.conflicts.is_empty() && record.refusal.is_empty());
    if extras {
        out.sized(change.seen_hash.as_ref().map_or(&[][..], |h| h));
        out.sized(change.why.as_bytes());
        out.sized(record.refusal.as_bytes());
        match &record.effect {
            None => out.byte(0),
            Some(effect) => {
                out.byte(1);
                out.number(effect.len() as u64);
                for (field, value) in effect {
                    out.number(u64::from(*field));
                    put_optional(&mut out, value.as_ref());
                }
            }
        }
        out.raw(&encode_conflicts(&record.conflicts));
    }
    out.bytes
}

/// Reads the payload into a record whose header is known.
pub fn decode_payload(bytes: &[u8], record: &mut Ordered) -> Decoded<()> {
    let mut from = Reader::new(bytes);
    version(&mut from)?;
    from.raw(16)?;
    record.change.fields = (0..from.count()?)
        .map(|_| {
            let field = take_field_id(&mut from)?;
            Ok(FieldChange { field, old: take_optional(&mut from)?, new: take_optional(&mut from)? })
        })
        .collect::<Decoded<_>>()?;
    if from.is_done() {
        return Ok(());
    }
    let seen = from.sized()?;
    record.change.seen_hash = match seen.len() {
        0 => None,
        _ => Some(seen.try_into().map_err(|_| from.damaged("hash of another length"))?),
    };
    record.change.why = from.text()?.to_owned();
    record.refusal = from.text()?.to_owned();
    record.effect = match from.byte()? {
        0 => None,
        _ => Some(
            (0..from.count()?)
                .map(|_| Ok((take_field_id(&mut from)?, take_optional(&mut from)?)))
                .collect::<Decoded<_>>()?,
        ),
    };
    record.conflicts = take_conflicts(&mut from)?;
    done(&from)
}

/// The lasting part of a record, without the origin (device, actor, via), which a
/// store keeps once per origin, and with the payload's commitment.
pub fn encode_header(record: &Ordered, origin: u32, commitment: &[u8; 32]) -> Vec<u8> {
    let change = &record.change;
    let mut out = Writer { bytes: Vec::with_capacity(128) };
    out.byte(VERSION);
    out.raw(&change.change_id.0);
    out.raw(&change.txn_id.0);
    out.number(u64::from(origin));
    out.number(change.dseq);
    out.number(change.hlc);
    out.byte(change.kind as u8);
    out.raw(&change.entity.0);
    out.byte(change.op as u8);
    out.number(change.base_rev);
    out.byte(change.cause as u8);
    out.byte(record.verdict as u8);
    out.number(u64::from(change.schema));
    out.signed(record.received_ms - crate::changes::hlc::unix_ms(change.hlc));
    out.raw(commitment);
    if let Some(undoes) = change.undoes {
        out.raw(&undoes.0);
    }
    out.bytes
}

/// A record from its header, fields still empty; with its origin and commitment.
pub fn decode_header(seq: u64, bytes: &[u8]) -> Decoded<(Ordered, u32, [u8; 32])> {
    let mut from = Reader::new(bytes);
    version(&mut from)?;
    let (change_id, txn_id) = (from.id()?, from.id()?);
    let origin = u32::try_from(from.number()?).map_err(|_| from.damaged("origin too large"))?;
    let (dseq, hlc) = (from.number()?, from.number()?);
    let kind = Kind::from_number(from.byte()?).ok_or_else(|| from.damaged("unknown kind"))?;
    let entity = from.id()?;
    let op = Op::from_number(from.byte()?).ok_or_else(|| from.damaged("unknown operation"))?;
    let base_rev = from.number()?;
    let cause = Cause::from_number(from.byte()?).ok_or_else(|| from.damaged("unknown cause"))?;
    let verdict = Verdict::from_number(from.byte()?).ok_or_else(|| from.damaged("unknown verdict"))?;
    let schema = u32::try_from(from.number()?).map_err(|_| from.damaged("schema too large"))?;
    let received_ms = from.signed()?.saturating_add(crate::changes::hlc::unix_ms(hlc));
    let commitment = from.array()?;
    let undoes = if from.is_done() { None } else { Some(from.id()?) };
    done(&from)?;
    let change = Change {
        change_id,
        txn_id,
        device: Id::default(),
        dseq,
        actor: Id::default(),
        via: Via::Cli,
        hlc,
        kind,
        entity,
        op,
        base_rev,
        fields: vec![],
        seen_hash: None,
        cause,
        undoes,
        why: String::new(),
        schema,
    };
    let record = Ordered {
        change,
        seq,
        received_ms,
        verdict,
        effect: None,
        conflicts: vec![],
        refusal: String::new(),
    };
    Ok((record, origin, commitment))
}

/// A record whole, as it travels: origin, place, header, payload.
pub fn encode_record(record: &Ordered) -> Vec<u8> {
    let change = &record.change;
    let mut out = Writer { bytes: Vec::with_capacity(320) };
    out.raw(&change.device.0);
    out.raw(&change.actor.0);
    out.byte(change.via as u8);
    out.number(record.seq);
    // Salt and commitment are each store's own.
    out.sized(&encode_header(record, 0, &[0; 32]));
    out.raw(&encode_payload(record, [0; 16]));
    out.bytes
}

pub fn decode_record(bytes: &[u8]) -> Decoded<Ordered> {
    let mut from = Reader::new(bytes);
    let (device, actor) = (from.id()?, from.id()?);
    let via = Via::from_number(from.byte()?).ok_or_else(|| from.damaged("unknown face"))?;
    let seq = from.number()?;
    let (mut record, ..) = decode_header(seq, from.sized()?)?;
    decode_payload(&bytes[from.at..], &mut record)?;
    (record.change.device, record.change.actor, record.change.via) = (device, actor, via);
    Ok(record)
}

/// A change alone, as its author made it.
pub fn encode_change(change: &Change) -> Vec<u8> {
    encode_record(&Ordered {
        change: change.clone(),
        seq: 0,
        received_ms: crate::changes::hlc::unix_ms(change.hlc),
        verdict: Verdict::Applied,
        effect: None,
        conflicts: vec![],
        refusal: String::new(),
    })
}

pub fn decode_change(bytes: &[u8]) -> Decoded<Change> {
    Ok(decode_record(bytes)?.change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::Head;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let id = any::<u128>().prop_map(|n| Id(n.to_be_bytes()));
        prop_oneof![
            ".{0,12}".prop_map(Value::Text),
            any::<i64>().prop_map(Value::Int),
            any::<bool>().prop_map(Value::Bool),
            (-700_000i32..900_000)
                .prop_map(|d| Value::Date(NaiveDate::from_num_days_from_ce_opt(d).unwrap())),
            id.clone().prop_map(Value::Id),
            prop::collection::vec(id, 1..4).prop_map(|v| Value::ids(v).unwrap()),
            prop::collection::vec(".{0,5}", 1..4).prop_map(|v| Value::texts(v).unwrap()),
            (any::<i64>(), any::<[u8; 3]>())
                .prop_map(|(minor, c)| Value::Money(Money { minor, currency: Currency(c) })),
            prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
            (16u8..=255, prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(t, b)| Value::Unknown(t, b)),
        ]
    }

    proptest! {
        /// Law: decode ∘ encode = identity, unknown field numbers and types included.
        #[test]
        fn heads_come_back(fields in prop::collection::btree_map(any::<u16>(), any_value(), 0..8), rev: u64, deleted: bool) {
            let head = Head { rev, deleted, fields };
            let bytes = encode_head(&head);
            prop_assert_eq!(decode_head(&bytes), Ok(head.clone()));
            // Picking a field gives what decoding the whole gives.
            for (field, value) in &head.fields {
                let [picked] = pick(&bytes, [*field]).unwrap();
                prop_assert_eq!(picked.map(decode_value), Some(Ok(value.clone())));
            }
        }

        #[test]
        fn records_come_back(
            fields in prop::collection::vec((any::<u16>(), prop::option::of(any_value()), prop::option::of(any_value())), 0..5),
            effect in prop::option::of(prop::collection::vec((any::<u16>(), prop::option::of(any_value())), 0..3)),
            conflict in prop::option::of((any::<u16>(), prop::option::of(any_value()), prop::option::of(any_value()))),
            numbers: [u64; 3], received in 0i64..1 << 47, why in ".{0,9}", undo: bool, seen: bool,
        ) {
            let mut change = crate::changes::merge::tests::change(Op::Set, vec![]);
            change.fields = fields.into_iter().map(|(field, old, new)| FieldChange { field, old, new }).collect();
            (change.dseq, change.hlc, change.base_rev) = (numbers[0], numbers[1] >> 1, numbers[2]);
            change.why = why.clone();
            change.undoes = undo.then_some(Id([9; 16]));
            change.seen_hash = seen.then_some([7; 32]);
            let conflicts = conflict.into_iter()
                .map(|(field, mine, theirs)| Conflict { field, base: None, mine, theirs }).collect();
            let record = Ordered { change, seq: 5, received_ms: received, verdict: Verdict::Drafted, effect, conflicts, refusal: why };
            let (mut back, origin, commitment) = decode_header(5, &encode_header(&record, 3, &[4; 32])).unwrap();
            decode_payload(&encode_payload(&record, [1; 16]), &mut back).unwrap();
            (back.change.device, back.change.actor) = (record.change.device, record.change.actor);
            prop_assert_eq!(decode_record(&encode_record(&record)), Ok(record.clone()));
            prop_assert_eq!((back, origin, commitment), (record, 3, [4; 32]));
        }

        #[test]
        fn damaged_bytes_are_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_head(&bytes);
            let _ = decode_conflicts(&bytes);
            let _ = decode_record(&bytes);
            if let Ok((mut record, ..)) = decode_header(1, &bytes) {
                let _ = decode_payload(&bytes, &mut record);
            }
        }
    }
}
