//! A file that says a part of what is known: some columns of rows that are there, or rows
//! more. What it says nothing of stays as it is, an empty cell too says nothing; and a row
//! keeps its place unless rows come in, so what was cut by places stays right.
//!
//! Both tables lie in the order of their keys and are walked together, once. Rows that
//! change get a patch beside their chunk; a chunk among whose keys rows come in is written
//! anew.

use super::rows::is_number;
use super::{ChunkRef, Difference, Gathered, Hash, Manifest, Rows, Table, damaged, encode_places, piece};
use crate::columns::{self, Chunk, Column, Numbers, Texts};
use crate::domain::Outcome;
use crate::domain::schema::Kind;
use crate::intake::bulk::{BOXES, Boxes, EXTRA, codes, encode_boxes, joined, push_box};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Rows of a chunk that is written anew.
const ROWS: usize = 8_192;
/// Bit of a row that came in: the file says all of it.
const NEW: u64 = 1 << 63;
/// No place.
const NOWHERE: u32 = u32::MAX;
/// Fields that planning units are cut by. An unknown column may be a level too.
const CUT_BY: [&str; 12] = [
    "latitude",
    "longitude",
    "distributor_code",
    "zone",
    "region",
    "territory",
    "territory_code",
    "state",
    "district",
    "city",
    "locality",
    "country",
];

/// Fields that say where an outlet is.
const PLACE: [&str; 2] = ["latitude", "longitude"];

/// What comes of it, not kept yet.
pub struct Merged {
    pub manifest: Manifest,
    /// Pieces that the manifest names.
    pub pieces: Vec<Vec<u8>>,
    /// Of the file's rows: none is removed.
    pub difference: Difference,
    /// Places in the file's table of rows under keys that nobody has.
    pub unknown: Vec<u32>,
}

/// A row of the result: of what is there, of the file, or of both.
#[derive(Clone, Copy)]
enum Row {
    Old(usize),
    Both(usize, usize),
    New(usize),
}

/// Lays `file` into `old`, whose rows go by the name `rows_of`. Rows under unknown keys come
/// in where `append` says so.
pub fn merge(old: &Table, file: &Table, rows_of: &str, append: bool) -> Outcome<Merged> {
    let mut merge = Merge::new(old, file, append, old.boxes()?);
    for chunk in 0..old.manifest.chunks.len() {
        merge.chunk(chunk)?;
    }
    merge.marks()?;
    merge.twins()?;
    Ok(merge.end(rows_of))
}

struct Merge<'a> {
    old: &'a Table<'a>,
    file: &'a Table<'a>,
    append: bool,
    source: Source<'a>,
    made: Manifest,
    pieces: Vec<Vec<u8>>,
    difference: Difference,
    unknown: Vec<u32>,
    /// Columns in which a row changed.
    changed: BTreeSet<u16>,
    /// Place → place in the result, of what is there and of the file.
    moved: Vec<u32>,
    placed: Vec<u32>,
    /// Place in the file → bits of the fields that it says something of.
    said: Vec<u64>,
    /// Column → its place in the list of filled ones.
    filled: BTreeMap<u16, usize>,
    /// Of the chunks that there were, where they are known, and of the result.
    boxes: Option<Boxes>,
    made_boxes: Boxes,
}

/// The rows of the file, in order, in the columns of the result.
struct Source<'a> {
    table: &'a Table<'a>,
    /// Number in the file → number in the result, of columns that are no field.
    numbers: BTreeMap<u16, u16>,
    chunk: usize,
    row: usize,
    open: Option<Rows>,
}

impl Source<'_> {
    /// The rows with keys below `upper`, and the place of the first of them.
    fn take(&mut self, upper: Option<&str>) -> Outcome<(u32, Rows)> {
        let place = self.table.first(self.chunk) + self.row as u64;
        let mut taken = Gathered::default();
        while self.chunk < self.table.manifest.chunks.len() {
            if upper
                .is_some_and(|u| self.row == 0 && self.table.manifest.chunks[self.chunk].first.as_str() >= u)
            {
                break;
            }
            if self.open.is_none() {
                let mut rows = self.table.rows(self.chunk, None)?;
                for (number, _) in &mut rows.columns {
                    *number = self.numbers.get(number).copied().unwrap_or(*number);
                }
                self.open = Some(rows);
            }
            let Some(rows) = &self.open else { break };
            let keys = rows.texts(self.table.key());
            let end = upper.zip(keys).map_or(rows.count, |(upper, keys)| keys.seek(upper));
            (self.row..end).for_each(|row| taken.push(rows, row));
            if end < rows.count {
                self.row = end;
                break;
            }
            (self.chunk, self.row, self.open) = (self.chunk + 1, 0, None);
        }
        Ok((place as u32, taken.rows()))
    }
}

impl<'a> Merge<'a> {
    fn new(old: &'a Table<'a>, file: &'a Table<'a>, append: bool, boxes: Option<Boxes>) -> Merge<'a> {
        let mut made = Manifest { chunks: vec![], ..old.manifest.clone() };
        let mut numbers = BTreeMap::new();
        for (number, title) in &file.manifest.extras {
            let same = made.extras.iter().find(|(_, t)| *t == title).map(|(n, _)| *n);
            let ours = same.unwrap_or(EXTRA | made.fields.len() as u16);
            if same.is_none() {
                made.fields.push(String::new());
                made.extras.insert(ours, title.clone());
            }
            numbers.insert(*number, ours);
        }
        for name in file.manifest.fields.iter().filter(|name| !name.is_empty()) {
            if !made.fields.contains(name) {
                made.fields.push(name.clone());
            }
        }
        made.tally.filled.resize(made.fields.len(), 0);
        let schema = old.kind.schema();
        let number = |(at, name): (usize, &String)| {
            (schema.field_named(name).map_or(EXTRA | at as u16, |field| field.id), at)
        };
        let filled = made.fields.iter().enumerate().map(number).collect();
        Merge {
            old,
            file,
            append,
            source: Source { table: file, numbers, chunk: 0, row: 0, open: None },
            made,
            pieces: vec![],
            difference: Difference::default(),
            unknown: vec![],
            changed: BTreeSet::new(),
            moved: Vec::with_capacity(old.manifest.rows as usize),
            placed: vec![NOWHERE; file.manifest.rows as usize],
            said: vec![0; file.manifest.rows as usize],
            filled,
            boxes,
            made_boxes: Boxes::default(),
        }
    }

    /// The place that the next row of the result has.
    fn next_place(&self) -> u64 {
        self.made.chunks.iter().map(|c| u64::from(c.rows)).sum()
    }

    fn chunk(&mut self, number: usize) -> Outcome<()> {
        let chunks = &self.old.manifest.chunks;
        let of = &chunks[number];
        let place = self.next_place() as u32;
        let (from, theirs) = self.source.take(chunks.get(number + 1).map(|c| c.first.as_str()))?;
        if theirs.count == 0 {
            self.moved.extend(place..place + of.rows);
            self.made.chunks.push(of.clone());
            self.keep_box(number);
            return Ok(());
        }
        let key = self.old.key();
        let keys = self.old.rows(number, Some(&[key]))?;
        let rows = self.pair(&keys, &theirs, from, place);
        let base = self.old.rows(number, None)?;
        let comes_in = rows.iter().any(|row| matches!(row, Row::New(_)));
        let mut both: BTreeSet<u16> = theirs.columns.iter().map(|(n, _)| *n).collect();
        both.remove(&key);
        let mut changed = vec![false; rows.len()];
        let mut columns: BTreeMap<u16, Column> = BTreeMap::new();
        for column in &both {
            if let Some(made) = self.column(*column, &base, &theirs, &rows, &mut changed) {
                columns.insert(*column, made);
            }
        }
        for (row, changed) in rows.iter().zip(changed) {
            match row {
                Row::Both(..) if changed => self.difference.changed += 1,
                Row::Both(..) => self.difference.same += 1,
                Row::New(_) => self.difference.added += 1,
                Row::Old(_) => {}
            }
        }
        if !comes_in {
            let mut of = of.clone();
            match PLACE.iter().any(|name| columns.contains_key(&self.field(name))) {
                false => self.keep_box(number),
                true => {
                    let moved = columns.iter().map(|(n, column)| (*n, column.clone()));
                    let stay = base.columns.iter().filter(|(n, _)| !columns.contains_key(n)).cloned();
                    let rows = Rows { count: base.count, columns: moved.chain(stay).collect() };
                    self.push_box(&rows, 0..base.count);
                }
            }
            if !columns.is_empty() {
                of.patch = Some(self.patch(&of, &base, columns)?);
            }
            self.made.chunks.push(of);
            return Ok(());
        }
        // All columns, each as it was where the file does not change it.
        let all: BTreeSet<u16> = base.columns.iter().map(|(n, _)| *n).chain(both).chain([key]).collect();
        for number in all {
            columns.entry(number).or_insert_with(|| whole(self.old.kind, number, &base, &theirs, &rows));
        }
        self.write_anew(rows.len(), columns);
        Ok(())
    }

    fn field(&self, name: &str) -> u16 {
        self.old.kind.schema().field_named(name).map_or(0, |field| field.id)
    }

    /// The box of a chunk in which nothing moved.
    fn keep_box(&mut self, number: usize) {
        for (made, of) in self.made_boxes.iter_mut().zip(self.boxes.iter().flatten()) {
            made.push(of[number]);
        }
    }

    /// The box of a chunk of these rows.
    fn push_box(&mut self, rows: &Rows, of: Range<usize>) {
        let [lat, lon] = PLACE.map(|name| self.field(name));
        let place = |row: usize| Some((rows.number(lat, row)? as i32, rows.number(lon, row)? as i32));
        push_box(&mut self.made_boxes, of.filter_map(place));
    }

    /// Goes through the keys of a chunk and those of the file that fall into it.
    fn pair(&mut self, keys: &Rows, theirs: &Rows, from: u32, mut place: u32) -> Vec<Row> {
        let key = self.old.key();
        let mut rows = Vec::with_capacity(keys.count);
        let mut at = 0;
        for old in 0..=keys.count {
            while at < theirs.count {
                let is_before = old == keys.count || theirs.text(key, at) < keys.text(key, old);
                if !is_before {
                    break;
                }
                let row = from as usize + at;
                if self.append {
                    (self.placed[row], self.said[row]) = (place, u64::MAX);
                    rows.push(Row::New(at));
                    place += 1;
                } else {
                    self.unknown.push(row as u32);
                }
                at += 1;
            }
            if old == keys.count {
                break;
            }
            self.moved.push(place);
            match at < theirs.count && theirs.text(key, at) == keys.text(key, old) {
                true => {
                    self.placed[from as usize + at] = place;
                    self.said[from as usize + at] = theirs.fields_said(at);
                    rows.push(Row::Both(old, at));
                    at += 1;
                }
                false => rows.push(Row::Old(old)),
            }
            place += 1;
        }
        rows
    }

    /// A column as the file leaves it; none where it changes nothing of it.
    fn column(
        &mut self,
        number: u16,
        base: &Rows,
        theirs: &Rows,
        rows: &[Row],
        changed: &mut [bool],
    ) -> Option<Column> {
        let (mut some, mut more) = (false, 0);
        let (sold, mean) = (self.field("sales_months"), self.field("avg_sales"));
        // Months of several files are one history, and its mean is that of all of them.
        let history = |old: usize, at: usize| match theirs.text(sold, at) {
            "" => None,
            said => Some(joined(base.text(sold, old), said)),
        };
        let made = match is_number(self.old.kind, number) {
            true => {
                let mut all = Vec::with_capacity(rows.len());
                for (n, row) in rows.iter().enumerate() {
                    all.push(match *row {
                        Row::Old(old) => base.number(number, old),
                        Row::New(at) => theirs.number(number, at),
                        Row::Both(old, at) => {
                            let before = base.number(number, old);
                            let now = match history(old, at).filter(|_| number == mean) {
                                Some(months) => months.mean().or(before),
                                None => theirs.number(number, at).or(before),
                            };
                            changed[n] |= now != before;
                            some |= now != before;
                            more += usize::from(before.is_none() && now.is_some());
                            now
                        }
                    });
                    more += usize::from(matches!(row, Row::New(_)) && all[n].is_some());
                }
                Column::Numbers(Numbers(all))
            }
            false => {
                let mut all = Texts::default();
                for (n, row) in rows.iter().enumerate() {
                    match *row {
                        Row::Old(old) => all.push(base.text(number, old)),
                        Row::New(at) => {
                            more += usize::from(!theirs.text(number, at).is_empty());
                            all.push(theirs.text(number, at));
                        }
                        Row::Both(old, at) => {
                            let (before, said) = (base.text(number, old), theirs.text(number, at));
                            let now = match history(old, at).filter(|_| number == sold) {
                                Some(months) => Cow::Owned(months.show()),
                                None => Cow::Borrowed(if said.is_empty() { before } else { said }),
                            };
                            changed[n] |= now != before;
                            some |= now != before;
                            more += usize::from(before.is_empty() && !now.is_empty());
                            all.push(&now);
                        }
                    }
                }
                Column::Texts(all)
            }
        };
        if let Some(at) = self.filled.get(&number) {
            self.made.tally.filled[*at] += more;
        }
        if some {
            self.changed.insert(number);
        }
        some.then_some(made)
    }

    /// Columns of a chunk that stand before its own: these, and those of an earlier patch.
    fn patch(&mut self, of: &ChunkRef, base: &Rows, columns: BTreeMap<u16, Column>) -> Outcome<Hash> {
        let before = of.patch.map(|hash| piece(self.old.reads(), &hash)).transpose()?;
        let before = before.as_deref().map(Chunk::read).transpose().map_err(damaged)?;
        let stay: Vec<u16> =
            before.iter().flat_map(Chunk::columns).filter(|n| !columns.contains_key(n)).collect();
        let stay = base.columns.iter().filter(|(n, _)| stay.contains(n)).map(|(n, column)| (*n, column));
        let all: BTreeMap<u16, &Column> =
            columns.iter().map(|(n, column)| (*n, column)).chain(stay).collect();
        Ok(self.keep(columns::encode(all)))
    }

    /// Rows with all their columns, as chunks.
    fn write_anew(&mut self, count: usize, columns: BTreeMap<u16, Column>) {
        let all = Rows { count, columns: columns.into_iter().collect() };
        for from in (0..count).step_by(ROWS) {
            let mut part = Gathered::default();
            (from..count.min(from + ROWS)).for_each(|row| part.push(&all, row));
            self.push_box(&all, from..count.min(from + ROWS));
            let first = part.first(self.old.key()).to_owned();
            let (rows, bytes) = part.encode();
            let hash = self.keep(bytes);
            self.made.chunks.push(ChunkRef { first, rows, hash, patch: None });
        }
    }

    fn keep(&mut self, bytes: Vec<u8>) -> Hash {
        let hash = blake3::hash(&bytes).into();
        self.pieces.push(bytes);
        hash
    }

    fn pairs(&mut self, all: &[(u32, u32)]) -> Vec<(u32, Hash)> {
        let parts = all.chunks(columns::MAX_ROWS);
        let mut kept = |part: &[(u32, u32)]| {
            let (one, other) = part.iter().copied().unzip();
            (part.len() as u32, self.keep(encode_places(&[one, other])))
        };
        parts.map(&mut kept).collect()
    }

    /// Which rows a rule points at: of a row that the file says something of in the rule's
    /// fields what the file gave, of others what was known.
    fn marks(&mut self) -> Outcome<()> {
        let mut said = vec![0u64; self.next_place() as usize];
        for (place, bits) in self.placed.iter().zip(&self.said).filter(|(place, _)| **place != NOWHERE) {
            said[*place as usize] = *bits;
        }
        let codes: BTreeSet<String> =
            self.old.manifest.marks.keys().chain(self.file.manifest.marks.keys()).cloned().collect();
        for code in codes {
            // What is odd about a text is told of any field, and stays until somebody looked.
            let any = code.starts_with("TXT") || code.starts_with("FIL");
            let bits = bits_of(self.old.kind, codes::fields_of(&code));
            let mut marked = Vec::new();
            for (place, record) in self.old.marked_records(&code)? {
                let place = self.moved[place as usize];
                if any || said[place as usize] & bits == 0 {
                    marked.push((place, record));
                }
            }
            for (place, record) in self.file.marked_records(&code)? {
                let (place, bits_said) = (self.placed[place as usize], self.said[place as usize]);
                if place != NOWHERE && (any || bits_said & (bits | NEW) != 0) {
                    marked.push((place, record));
                }
            }
            marked.sort_unstable();
            marked.dedup_by_key(|(place, _)| *place);
            self.made.tally.faults.insert(code.clone(), marked.len() as u64);
            let pieces = self.pairs(&marked);
            match pieces.is_empty() {
                true => drop(self.made.marks.remove(&code)),
                false => drop(self.made.marks.insert(code, pieces)),
            }
        }
        Ok(())
    }

    /// Rows that double another keep doing so; those of the file come in with it.
    fn twins(&mut self) -> Outcome<()> {
        let old = self.old.twins()?.into_iter();
        let mut all: Vec<(u32, u32)> =
            old.map(|(a, b)| (self.moved[a as usize], self.moved[b as usize])).collect();
        let place = |place: u32| Some(self.placed[place as usize]).filter(|place| *place != NOWHERE);
        all.extend(self.file.twins()?.into_iter().filter_map(|(a, b)| Some((place(a)?, place(b)?))));
        all.sort_unstable();
        all.dedup_by_key(|(row, _)| *row);
        self.made.twins = self.pairs(&all);
        Ok(())
    }

    fn end(mut self, rows_of: &str) -> Merged {
        self.made.rows = self.next_place();
        self.made.tally.taken = self.made.rows;
        let cut_by = |number: &u16| match self.old.kind.schema().field(*number) {
            Some(field) => CUT_BY.contains(&field.name),
            None => self.old.manifest.extras.contains_key(number),
        };
        let stays = self.difference.added == 0 && !self.changed.iter().any(cut_by);
        self.made.rows_of = stays.then(|| rows_of.to_owned());
        self.made.pieces.remove(BOXES);
        if self.boxes.is_some() {
            let (rows, bytes) = encode_boxes(std::mem::take(&mut self.made_boxes));
            let hash = self.keep(bytes);
            self.made.pieces.insert(BOXES.into(), vec![(rows, hash)]);
        }
        Merged {
            manifest: self.made,
            pieces: self.pieces,
            difference: self.difference,
            unknown: self.unknown,
        }
    }
}

/// A column of which the file changes nothing, with the rows that come in.
fn whole(kind: Kind, number: u16, base: &Rows, theirs: &Rows, rows: &[Row]) -> Column {
    let of = |row: &Row| match *row {
        Row::Old(at) | Row::Both(at, _) => (base, at),
        Row::New(at) => (theirs, at),
    };
    if is_number(kind, number) {
        return Column::Numbers(Numbers(
            rows.iter().map(of).map(|(from, at)| from.number(number, at)).collect(),
        ));
    }
    let mut all = Texts::default();
    rows.iter().map(of).for_each(|(from, at)| all.push(from.text(number, at)));
    Column::Texts(all)
}

fn bits_of(kind: Kind, fields: &[&str]) -> u64 {
    let numbers = fields.iter().filter_map(|name| kind.schema().field_named(name)).map(|f| f.id);
    numbers.filter(|id| *id < 63).fold(0, |bits, id| bits | 1 << id)
}
