//! Columnar chunks: some thousand rows of a bulk table, column by column, for rows that
//! come and go by the million. Pure bytes; who keeps them knows them by their hash.
//!
//! A chunk is a version byte, the number of rows, and a block a column: its number, its
//! encoding, its length before zstd (0: not compressed) and its bytes. Texts lie as a
//! dictionary where few differ, front-coded where they are sorted, else one after the
//! other; numbers as differences, numbers of texts (codes) as they are, of one width. Every decoder refuses what it cannot read, whole.

use crate::changes::codec::{Damaged, Reader, Writer};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Version byte in front of every chunk.
const VERSION: u8 = 1;
/// Rows at most: what a damaged length can make a reader reserve.
pub const MAX_ROWS: usize = 1 << 16;
/// Bytes of one column of one chunk at most.
const MAX_BLOCK: usize = 1 << 30;
/// zstd's level: the next ones cost more time than they save disk.
const LEVEL: i32 = 1;
/// A block below this is not worth a frame of its own.
const SMALL: usize = 64;

/// How a block is written; the numbers are in stores.
mod encoding {
    pub const EMPTY: u8 = 0;
    pub const DICTIONARY: u8 = 1;
    pub const PLAIN: u8 = 2;
    pub const FRONT: u8 = 3;
    pub const NUMBERS: u8 = 4;
    pub const CODES: u8 = 5;
}

type Decoded<T> = Result<T, Damaged>;

/// FxHash, the hash of the Rust compiler: for keys that nobody can choose to collide at
/// length, as a chunk has few rows.
#[derive(Default)]
pub struct Fast(u64);

impl Hasher for Fast {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(chunk.try_into().map_or(0, u64::from_le_bytes));
        }
        let mut last = [0; 8];
        last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        self.write_u64(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }
    fn finish(&self) -> u64 {
        // The low bits choose the bucket: they must hold what the high ones do.
        self.0 ^ self.0 >> 32
    }
}

pub type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Fast>>;

/// A hash of bytes, the same on every run.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = Fast::default();
    hasher.write(bytes);
    let h = hasher.0;
    // The finish of SplitMix64: multiplication alone leaves the low bits weak.
    let h = (h ^ h >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (h ^ h >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 1
}

/// Texts of one column, in row order. An empty text is an absent value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Texts {
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len() as u32);
    }
    /// A text that is known to be ASCII; another byte of it is left out.
    pub fn push_ascii(&mut self, text: &[u8]) {
        match text.is_ascii() {
            true => self.bytes.extend_from_slice(text),
            false => self.bytes.extend(text.iter().filter(|b| b.is_ascii())),
        }
        self.ends.push(self.bytes.len() as u32);
    }
    pub fn len(&self) -> usize {
        self.ends.len()
    }
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
    #[inline]
    fn span(&self, row: usize) -> &[u8] {
        let from = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[from..self.ends[row] as usize]
    }
    pub fn get(&self, row: usize) -> &str {
        // Only texts were pushed, and a decoder checks.
        std::str::from_utf8(self.span(row)).unwrap_or_default()
    }
    /// Of texts in order: the first row whose text is not below this one.
    pub fn seek(&self, text: &str) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = (from + to) / 2;
            if self.span(middle) < text.as_bytes() { from = middle + 1 } else { to = middle }
        }
        from
    }
    /// Of texts in order: the row that has this one.
    pub fn find(&self, text: &str) -> Option<usize> {
        Some(self.seek(text)).filter(|row| *row < self.len() && self.span(*row) == text.as_bytes())
    }
    /// Writes another text in place of one.
    pub fn set(&mut self, row: usize, text: &str) {
        let from = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        let end = self.ends[row] as usize;
        self.bytes.splice(from..end, text.bytes());
        let longer = text.len() as i64 - (end - from) as i64;
        self.ends[row..].iter_mut().for_each(|end| *end = (i64::from(*end) + longer) as u32);
    }
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|row| self.get(row))
    }

    fn write(&self, to: &mut Writer) -> u8 {
        if self.bytes.is_empty() {
            return encoding::EMPTY;
        }
        if self.is_sorted() {
            let mut before: &[u8] = &[];
            for row in 0..self.len() {
                let text = self.span(row);
                let shared = before.iter().zip(text).take_while(|(a, b)| a == b).count();
                to.number(shared as u64);
                to.sized(&text[shared..]);
                before = text;
            }
            return encoding::FRONT;
        }
        if self.write_dictionary(to) {
            return encoding::DICTIONARY;
        }
        for row in 0..self.len() {
            to.number(self.span(row).len() as u64);
        }
        to.raw(&self.bytes);
        encoding::PLAIN
    }

    /// Strictly, as keys are: what repeats is better off in a dictionary.
    fn is_sorted(&self) -> bool {
        (1..self.len()).all(|row| self.span(row - 1) < self.span(row))
    }

    fn write_dictionary(&self, to: &mut Writer) -> bool {
        let most = (self.len() / 2).max(1);
        let (mut numbers, mut words) = (FastMap::<&[u8], u16>::default(), Vec::new());
        let mut codes: Vec<u16> = Vec::with_capacity(self.len());
        let mut last: (&[u8], u16) = (&[], 0);
        for row in 0..self.len() {
            let text = self.span(row);
            if row == 0 || text != last.0 {
                let next = words.len();
                let code = *numbers.entry(text).or_insert(next as u16);
                if usize::from(code) == next {
                    words.push(text);
                }
                last = (text, code);
            }
            codes.push(last.1);
            // A column of names shows itself early.
            if words.len() > most || row == 255 && words.len() > 200 {
                return false;
            }
        }
        to.number(words.len() as u64);
        for word in &words {
            to.sized(word);
        }
        for code in codes {
            if words.len() <= 256 {
                to.byte(code as u8);
            } else {
                to.raw(&code.to_le_bytes());
            }
        }
        true
    }

    fn read(how: u8, rows: usize, from: &mut Reader) -> Decoded<Texts> {
        let mut texts = Texts { bytes: Vec::new(), ends: Vec::with_capacity(rows) };
        match how {
            encoding::EMPTY => texts.ends.resize(rows, 0),
            encoding::FRONT => {
                let mut start = 0;
                for _ in 0..rows {
                    let shared = from.number()? as usize;
                    if shared > texts.bytes.len() - start {
                        return Err(from.damaged("shared prefix"));
                    }
                    let next = texts.bytes.len();
                    texts.bytes.extend_from_within(start..start + shared);
                    texts.bytes.extend_from_slice(from.sized()?);
                    texts.ends.push(texts.bytes.len() as u32);
                    start = next;
                }
            }
            encoding::DICTIONARY => {
                let count = from.number()? as usize;
                if count > MAX_ROWS {
                    return Err(from.damaged("dictionary"));
                }
                let words = (0..count).map(|_| from.sized()).collect::<Decoded<Vec<&[u8]>>>()?;
                for _ in 0..rows {
                    let code = match count <= 256 {
                        true => usize::from(from.byte()?),
                        false => usize::from(u16::from_le_bytes(from.array()?)),
                    };
                    texts.bytes.extend_from_slice(words.get(code).ok_or_else(|| from.damaged("code"))?);
                    texts.ends.push(texts.bytes.len() as u32);
                }
            }
            encoding::PLAIN => {
                let mut end = 0u64;
                for _ in 0..rows {
                    end = end.saturating_add(from.number()?);
                    texts.ends.push(u32::try_from(end).map_err(|_| from.damaged("length"))?);
                }
                texts.bytes = from.raw(end as usize)?.to_vec();
            }
            _ => return Err(from.damaged("encoding of texts")),
        }
        let whole = std::str::from_utf8(&texts.bytes).map_err(|_| from.damaged("text"))?;
        match texts.ends.iter().all(|end| whole.is_char_boundary(*end as usize)) {
            true => Ok(texts),
            false => Err(from.damaged("text")),
        }
    }
}

/// Whole numbers of one column, in row order: counts, days since 1 January of year 1,
/// amounts in minor units, decimals in millionths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers(pub Vec<Option<i64>>);

impl Numbers {
    fn write(&self, to: &mut Writer) -> u8 {
        let present = self.0.iter().flatten().count();
        if present == 0 {
            return encoding::EMPTY;
        }
        let all = present == self.0.len();
        to.byte(u8::from(all));
        if !all {
            for eight in self.0.chunks(8) {
                to.byte(eight.iter().enumerate().fold(0, |b, (n, v)| b | u8::from(v.is_some()) << n));
            }
        }
        let mut before = 0i64;
        for number in self.0.iter().flatten() {
            to.signed(number.wrapping_sub(before));
            before = *number;
        }
        encoding::NUMBERS
    }

    fn read(how: u8, rows: usize, from: &mut Reader) -> Decoded<Numbers> {
        match how {
            encoding::EMPTY => return Ok(Numbers(vec![None; rows])),
            encoding::NUMBERS => {}
            _ => return Err(from.damaged("encoding of numbers")),
        }
        let present = match from.byte()? {
            0 => from.raw(rows.div_ceil(8))?.to_vec(),
            _ => vec![0xff; rows.div_ceil(8)],
        };
        let mut before = 0i64;
        let mut number = |row: usize| -> Decoded<Option<i64>> {
            if present[row / 8] >> (row % 8) & 1 == 0 {
                return Ok(None);
            }
            before = before.wrapping_add(from.signed()?);
            Ok(Some(before))
        };
        Ok(Numbers((0..rows).map(&mut number).collect::<Decoded<_>>()?))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    Texts(Texts),
    Numbers(Numbers),
}

impl Column {
    /// So many absent texts.
    pub fn texts(rows: usize) -> Column {
        Column::Texts(Texts { bytes: vec![], ends: vec![0; rows] })
    }

    /// So many absent numbers.
    pub fn numbers(rows: usize) -> Column {
        Column::Numbers(Numbers(vec![None; rows]))
    }

    pub fn len(&self) -> usize {
        match self {
            Column::Texts(texts) => texts.len(),
            Column::Numbers(numbers) => numbers.0.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the last row away; whether it had a value.
    pub fn pop(&mut self) -> bool {
        match self {
            Column::Texts(texts) => {
                let from = texts.ends.len().checked_sub(2).map_or(0, |n| texts.ends[n] as usize);
                texts.ends.pop();
                let had = texts.bytes.len() > from;
                texts.bytes.truncate(from);
                had
            }
            Column::Numbers(numbers) => numbers.0.pop().flatten().is_some(),
        }
    }

    pub fn clear(&mut self) {
        match self {
            Column::Texts(texts) => texts.clear(),
            Column::Numbers(numbers) => numbers.0.clear(),
        }
    }
}

/// Compressed, with one context a thread: making one anew for each column took longer than
/// compressing it.
fn packed(bytes: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static PACKER: RefCell<Option<zstd::bulk::Compressor<'static>>> =
            RefCell::new(zstd::bulk::Compressor::new(LEVEL).ok());
    }
    PACKER.with_borrow_mut(|packer| packer.as_mut()?.compress(bytes).ok())
}

/// The same the other way.
fn unpacked(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    thread_local! {
        static UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
            RefCell::new(zstd::bulk::Decompressor::new().ok());
    }
    UNPACKER.with_borrow_mut(|unpacker| unpacker.as_mut()?.decompress(bytes, most).ok())
}

/// Writes columns of one length, each with its number.
pub fn encode<'a>(columns: impl IntoIterator<Item = (u16, &'a Column)>) -> Vec<u8> {
    let (mut blocks, mut rows, mut block) = (Writer::default(), 0, Writer::default());
    for (number, column) in columns {
        rows = column.len();
        block.bytes.clear();
        let how = match column {
            Column::Texts(texts) => texts.write(&mut block),
            Column::Numbers(numbers) => numbers.write(&mut block),
        };
        put_block(&mut blocks, number, how, &block.bytes);
    }
    whole(rows, &blocks.bytes)
}

/// Writes columns of codes, which are read faster than others; the first is column 0.
pub fn encode_codes<'a>(columns: impl IntoIterator<Item = &'a Vec<u32>>) -> Vec<u8> {
    let (mut blocks, mut rows, mut block) = (Writer::default(), 0, Writer::default());
    for (number, codes) in columns.into_iter().enumerate() {
        rows = codes.len();
        block.bytes.clear();
        let width = match codes.iter().max() {
            Some(most) if *most > 0xffff => 4,
            Some(most) if *most > 0xff => 2,
            _ => 1,
        };
        block.byte(width as u8);
        codes.iter().for_each(|code| block.raw(&code.to_le_bytes()[..width]));
        put_block(&mut blocks, number as u16, encoding::CODES, &block.bytes);
    }
    whole(rows, &blocks.bytes)
}

fn put_block(blocks: &mut Writer, number: u16, how: u8, bytes: &[u8]) {
    blocks.number(u64::from(number));
    blocks.byte(how);
    let packed = match bytes.len() >= SMALL {
        true => packed(bytes).filter(|p| p.len() < bytes.len()),
        false => None,
    };
    blocks.number(if packed.is_some() { bytes.len() as u64 } else { 0 });
    blocks.sized(packed.as_deref().unwrap_or(bytes));
}

fn whole(rows: usize, blocks: &[u8]) -> Vec<u8> {
    let mut whole = Writer::default();
    whole.byte(VERSION);
    whole.number(rows as u64);
    whole.raw(blocks);
    whole.bytes
}

fn read_codes(how: u8, rows: usize, from: &mut Reader, into: &mut Vec<u32>) -> Decoded<()> {
    into.clear();
    match how {
        encoding::EMPTY => {
            into.resize(rows, 0);
            return Ok(());
        }
        encoding::CODES => {}
        _ => return Err(from.damaged("encoding of codes")),
    }
    let width = usize::from(from.byte()?);
    if !matches!(width, 1 | 2 | 4) {
        return Err(from.damaged("width of codes"));
    }
    let bytes = from.raw(rows * width)?;
    match width {
        1 => into.extend(bytes.iter().map(|b| u32::from(*b))),
        2 => into.extend(bytes.chunks_exact(2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])))),
        _ => into.extend(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
    }
    Ok(())
}

/// A chunk whose columns are read when they are asked for.
pub struct Chunk<'a> {
    pub rows: usize,
    blocks: Vec<Block<'a>>,
}

struct Block<'a> {
    number: u16,
    how: u8,
    /// Bytes before they were compressed; 0: they were not.
    unpacked: usize,
    bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    pub fn read(bytes: &'a [u8]) -> Decoded<Chunk<'a>> {
        let mut from = Reader::new(bytes);
        if from.byte()? != VERSION {
            return Err(from.damaged("version of a chunk"));
        }
        let rows = from.number()? as usize;
        if rows > MAX_ROWS {
            return Err(from.damaged("number of rows"));
        }
        let mut blocks = Vec::new();
        while !from.is_done() {
            let number = u16::try_from(from.number()?).map_err(|_| from.damaged("column"))?;
            let (how, unpacked) = (from.byte()?, from.number()? as usize);
            if unpacked > MAX_BLOCK {
                return Err(from.damaged("length of a column"));
            }
            blocks.push(Block { number, how, unpacked, bytes: from.sized()? });
        }
        Ok(Chunk { rows, blocks })
    }

    pub fn columns(&self) -> impl Iterator<Item = u16> {
        self.blocks.iter().map(|b| b.number)
    }

    /// Texts of a column; all empty where the chunk has no such column.
    pub fn texts(&self, number: u16) -> Decoded<Texts> {
        self.block(number, Texts::read)
    }

    pub fn numbers(&self, number: u16) -> Decoded<Numbers> {
        self.block(number, Numbers::read)
    }

    /// A column of [`encode_codes`].
    pub fn codes(&self, number: u16) -> Decoded<Vec<u32>> {
        let mut codes = Vec::new();
        self.codes_into(number, &mut codes)?;
        Ok(codes)
    }

    /// The same into a vector that served before: for walks over many chunks.
    pub fn codes_into(&self, number: u16, into: &mut Vec<u32>) -> Decoded<()> {
        self.block(number, |how, rows, from| read_codes(how, rows, from, into))
    }

    fn block<T>(&self, number: u16, read: impl FnOnce(u8, usize, &mut Reader) -> Decoded<T>) -> Decoded<T> {
        let Some(block) = self.blocks.iter().find(|b| b.number == number) else {
            return read(encoding::EMPTY, self.rows, &mut Reader::new(&[]));
        };
        if block.unpacked == 0 {
            return read(block.how, self.rows, &mut Reader::new(block.bytes));
        }
        let bytes = unpacked(block.bytes, block.unpacked)
            .ok_or(Damaged { what: "compressed column", at: usize::from(number) })?;
        read(block.how, self.rows, &mut Reader::new(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let word = prop_oneof![Just(String::new()), "[a-c]{1,2}", "\\PC{0,20}"];
        prop_oneof![
            prop::collection::vec(word, 0..600),
            prop::collection::btree_set("[A-Z]{2}[0-9]{1,6}", 0..600).prop_map(|s| s.into_iter().collect()),
        ]
    }

    proptest! {
        /// Law: what is written is read back, whatever its encoding.
        #[test]
        fn columns_come_back(words in texts(), numbers in prop::collection::vec(prop::option::of(any::<i64>()), 0..600)) {
            let rows = words.len().min(numbers.len());
            let mut column = Texts::default();
            words[..rows].iter().for_each(|w| column.push(w));
            let count = Numbers(numbers[..rows].to_vec());
            let bytes = encode([(3, &Column::Texts(column.clone())), (700, &Column::Numbers(count.clone()))]);
            let chunk = Chunk::read(&bytes).unwrap();
            prop_assert_eq!(chunk.rows, rows);
            prop_assert_eq!(chunk.texts(3).unwrap(), column);
            prop_assert_eq!(chunk.numbers(700).unwrap(), count);
            prop_assert!(chunk.texts(9).unwrap().iter().all(str::is_empty));
        }

        #[test]
        fn codes_come_back(codes in prop::collection::vec(prop_oneof![0u32..9, 0u32..999, any::<u32>()], 0..300), most in any::<u32>()) {
            let codes: Vec<u32> = codes.into_iter().map(|c| c.min(most)).collect();
            let bytes = encode_codes([&codes, &vec![0; codes.len()]]);
            let chunk = Chunk::read(&bytes).unwrap();
            prop_assert_eq!(chunk.codes(0).unwrap(), codes);
            prop_assert!(chunk.codes(1).unwrap().iter().all(|c| *c == 0));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..120), cut in 0usize..200, flip in any::<(u8, usize)>()) {
            let read = |bytes: &[u8]| {
                if let Ok(chunk) = Chunk::read(bytes) {
                    for number in chunk.columns().collect::<Vec<_>>() {
                        let _ = (chunk.texts(number), chunk.numbers(number));
                    }
                }
            };
            bytes.insert(0, VERSION);
            read(&bytes);
            let mut names = Texts::default();
            (0..300).for_each(|n| names.push(["kiosk", "store", "bakery"][n % 3]));
            let mut good = encode([(1, &Column::Texts(names))]);
            let at = flip.1 % good.len();
            good[at] ^= flip.0;
            read(&good[..good.len().min(cut)]);
            read(&good);
        }
    }

    #[test]
    fn few_words_take_little_and_a_hash_stays_what_it_was() {
        let mut channel = Texts::default();
        (0..4096).for_each(|n| channel.push(["GT", "MT", "HORECA"][n % 7 % 3]));
        let bytes = encode([(1, &Column::Texts(channel))]);
        assert!(bytes.len() < 400, "{}", bytes.len());
        // Chunks are cut by it: another hash would share nothing with what is stored.
        assert_eq!(hash(b"OUT00000001"), hash(b"OUT00000001"));
        assert_eq!(hash(b""), 0);
    }
}
