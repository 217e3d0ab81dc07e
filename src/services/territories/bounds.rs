//! What somebody sees whose user names territories: the outlets of these, the planning
//! units that lie in them whole, and what hangs on those. Whoever names none sees all.
//!
//! The rows that are seen make a dataset of their own, in memory. All reads of who asks
//! go through [`Within`], so that lists, counts, plans, the log and the copy of a device
//! are bound in one place and know nothing of it.

use super::units;
use crate::changes::codec;
use crate::changes::{Change, Head, Op, Ordered, Verdict, Via};
use crate::domain::planning::territory;
use crate::domain::schema::{Kind, Record, Unit, User};
use crate::domain::text::fold;
use crate::domain::value::{FieldId, Value};
use crate::domain::{Fields, Id, Outcome};
use crate::frames;
use crate::intake::bulk::EXTRA;
use crate::services::datasets::{self, ChunkRef, Gathered, Hash, Manifest, Rows, Table};
use crate::services::imports::hex;
use crate::services::imports::uploads::unhex;
use crate::services::outlets::{filter::Filter, id_of};
use crate::store::{IndexKey, Reads, StoreError, Stored, TxnRow, Visit};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex};

/// What [`Within`] answers by this name as local state: what is seen, as a hash. A device
/// that was filled under another one holds too little or too much.
pub const BOUNDS: &str = "bounds";

/// Rows of a chunk.
const ROWS: usize = 4_096;
/// Bytes that are kept for those who asked last.
const MAX_KEPT: usize = 256 << 20;

/// Outlets that any of some territories has. One that cannot be read has none.
struct Territories(Vec<Filter>);

impl Territories {
    fn of(named: &[String]) -> Territories {
        let filter = |named: &String| {
            let (level, value) = territory(named);
            Filter::parse(Kind::Outlet, &format!("\"{level}={}\"", value.replace('"', ""))).ok()
        };
        Territories(named.iter().filter_map(filter).collect())
    }

    fn columns(&self) -> Vec<u16> {
        datasets::sorted(self.0.iter().flat_map(Filter::columns))
    }

    fn fits(&self, rows: &Rows) -> Vec<bool> {
        let mut any = vec![false; rows.count];
        for filter in &self.0 {
            any.iter_mut().zip(filter.fits(rows)).for_each(|(any, fits)| *any |= fits);
        }
        any
    }
}

const CUT_FROM_ALL: &str = "planning units are cut from all outlets";

/// Why somebody with territories may not make a change; nothing where they may.
pub fn beyond(reads: &dyn Reads, named: &[String], change: &Change) -> Outcome<Option<&'static str>> {
    if named.is_empty() {
        return Ok(None);
    }
    let field = |name: &str| change.kind.schema().field_named(name).map_or(0, |f| f.id);
    let given = |name: &str| change.fields.iter().any(|f| f.field == field(name));
    let unit = match change.kind {
        Kind::Outlet => {
            return Ok(outlet_beyond(reads, named, change)?.then_some("the outlet is in none of them"));
        }
        Kind::Dataset => {
            let fields = reads.fields(Kind::Dataset, change.entity)?.unwrap_or_default();
            let name = |f: &crate::changes::FieldChange| f.new.clone().filter(|_| f.field == field("name"));
            let name = change.fields.iter().find_map(name).or_else(|| fields.get(&field("name")).cloned());
            let all = name == Some(Value::Text(Kind::Outlet.schema().plural.into()));
            return Ok(all.then_some("an import is of all outlets"));
        }
        Kind::Split => return Ok(Some(CUT_FROM_ALL)),
        Kind::Unit if matches!(change.op, Op::Create | Op::Delete) || given("places") => {
            return Ok(Some(CUT_FROM_ALL));
        }
        Kind::Unit | Kind::Lock | Kind::PlanRules => Some(change.entity),
        Kind::Journey | Kind::Plan => crate::services::permissions::unit_of(reads, change)?,
        _ => return Ok(None),
    };
    let unit = match unit {
        Some(unit) => reads.fields(Kind::Unit, unit)?.map(|fields| Unit::from_fields(&fields)),
        None => None,
    };
    Ok((!unit.is_some_and(|unit| is_named(&unit, named))).then_some("the planning unit is in none of them"))
}

fn outlet_beyond(reads: &dyn Reads, named: &[String], change: &Change) -> Outcome<bool> {
    let mut laid = reads.fields(Kind::Outlet, change.entity)?.unwrap_or_default();
    if laid.is_empty() {
        let new = change.fields.iter().filter(|f| f.field == 1);
        laid.extend(new.filter_map(|f| Some((f.field, f.new.clone()?))));
    }
    let (Some(Value::Text(code)), Some(mut table)) =
        (laid.get(&1).cloned(), datasets::imported(reads, Kind::Outlet)?)
    else {
        return Ok(true);
    };
    table.overlay.insert(code.clone(), laid);
    let territories = Territories::of(named);
    let Some((chunk, row)) = table.find(&code)? else { return Ok(true) };
    let rows = table.rows(chunk, Some(&territories.columns()))?;
    Ok(!territories.fits(&rows)[row])
}

/// Whether a unit lies below one of the territories, by its path.
fn is_named(unit: &Unit, named: &[String]) -> bool {
    let values: HashSet<String> = named.iter().map(|name| fold(territory(name).1)).collect();
    unit.path.iter().any(|part| values.contains(&fold(part)))
}

/// What is seen under some territories.
pub struct Bounds {
    /// All that is seen, as a hash.
    mark: Hash,
    rows: i64,
    /// Outlets, by the ids of the records that are laid over them.
    outlets: HashSet<Id>,
    units: HashSet<Id>,
    /// Name of a piece → that of what is seen of it.
    swapped: HashMap<String, String>,
    pieces: HashMap<Hash, Vec<u8>>,
}

impl Bounds {
    fn make(reads: &dyn Reads, named: &[String]) -> Outcome<Bounds> {
        let mut bounds = Bounds {
            mark: [0; 32],
            rows: 0,
            outlets: HashSet::new(),
            units: HashSet::new(),
            swapped: HashMap::new(),
            pieces: HashMap::new(),
        };
        let mut mark = blake3::Hasher::new();
        let mut places = Vec::new();
        let manifest = datasets::record(reads, Kind::Outlet)?.map(|(_, d)| d.manifest).unwrap_or_default();
        // What units name: the manifest that the rows came with.
        let whole = datasets::rows_named(reads, Kind::Outlet)?;
        if let Some(table) = datasets::table(reads, Kind::Outlet)? {
            places = bounds.take_rows(&table, &Territories::of(named))?;
            let seen = bounds.manifest(reads, &table, &places)?;
            bounds.rows = seen.rows as i64;
            let hash = bounds.keep(frames::encode(&seen)?);
            mark.update(&hash);
            bounds.swapped.insert(manifest, hex(&hash));
            bounds.swapped.insert(whole.clone(), hex(&hash));
        }
        for (id, unit, _) in units(reads)? {
            if !is_named(&unit, named) {
                continue;
            }
            // What an older import was cut into says nothing of the places of this one.
            if unit.dataset != whole || bounds.take_unit(reads, &unit, &places)? {
                bounds.units.insert(id);
                mark.update(&id.0);
                for piece in &unit.places {
                    mark.update(piece.as_bytes());
                }
            }
        }
        bounds.mark = mark.finalize().into();
        Ok(bounds)
    }

    fn keep(&mut self, bytes: Vec<u8>) -> Hash {
        let hash: Hash = blake3::hash(&bytes).into();
        self.pieces.insert(hash, bytes);
        hash
    }

    /// Finds the rows that are seen; their places in order.
    fn take_rows(&mut self, table: &Table, territories: &Territories) -> Outcome<Vec<u32>> {
        let mut columns = territories.columns();
        columns.push(table.key());
        let mut places = Vec::new();
        for chunk in 0..table.manifest.chunks.len() {
            let rows = table.rows(chunk, Some(&datasets::sorted(columns.clone())))?;
            for (row, fits) in territories.fits(&rows).into_iter().enumerate() {
                if fits {
                    places.push((table.first(chunk) + row as u64) as u32);
                    self.outlets.insert(id_of(rows.text(table.key(), row)));
                }
            }
        }
        Ok(places)
    }

    /// The rows at these places, as they were imported, as a dataset.
    fn manifest(&mut self, reads: &dyn Reads, table: &Table, places: &[u32]) -> Outcome<Manifest> {
        let whole = &table.manifest;
        let raw = Table::of(reads, table.kind, whole.clone());
        let mut made = Manifest {
            rows: places.len() as u64,
            fields: whole.fields.clone(),
            extras: whole.extras.clone(),
            ..Manifest::default()
        };
        let number = |(at, name): (usize, &String)| {
            table.kind.schema().field_named(name).map_or(EXTRA | at as u16, |field| field.id)
        };
        let columns: Vec<u16> = whole.fields.iter().enumerate().map(number).collect();
        made.tally.filled = vec![0; columns.len()];
        (made.tally.records, made.tally.taken) = (made.rows, made.rows);
        let mut gathered = Gathered::default();
        let mut open: Option<(usize, Rows)> = None;
        for (nth, place) in places.iter().enumerate() {
            let Some((chunk, row)) = raw.place(u64::from(*place)) else { continue };
            if open.as_ref().is_none_or(|(at, _)| *at != chunk) {
                open = Some((chunk, raw.rows(chunk, None)?));
            }
            if let Some((_, rows)) = &open {
                gathered.push(rows, row);
            }
            if gathered.count() == ROWS || nth + 1 == places.len() {
                let filled = made.tally.filled.iter_mut().zip(&columns);
                filled.for_each(|(filled, column)| *filled += gathered.filled(*column));
                let first = gathered.first(table.key()).to_owned();
                let (rows, bytes) = std::mem::take(&mut gathered).encode();
                made.chunks.push(ChunkRef { first, rows, hash: self.keep(bytes), patch: None });
            }
        }
        let seen = |place: &u32| places.binary_search(place).ok().map(|at| at as u32);
        for code in whole.marks.keys() {
            let marked = raw.marked_records(code)?;
            let marked: Vec<(u32, u32)> =
                marked.into_iter().filter_map(|(place, record)| Some((seen(&place)?, record))).collect();
            if !marked.is_empty() {
                made.tally.faults.insert(code.clone(), marked.len() as u64);
                made.marks.insert(code.clone(), self.pairs(&marked));
            }
        }
        let twins: Vec<(u32, u32)> =
            raw.twins()?.iter().filter_map(|(a, b)| Some((seen(a)?, seen(b)?))).collect();
        made.twins = self.pairs(&twins);
        Ok(made)
    }

    fn pairs(&mut self, all: &[(u32, u32)]) -> Vec<(u32, Hash)> {
        let parts = all.chunks(crate::columns::MAX_ROWS);
        let piece = |part: &[(u32, u32)]| {
            let (one, other) = part.iter().copied().unzip();
            (part.len() as u32, self.keep(datasets::encode_places(&[one, other])))
        };
        parts.map(piece).collect()
    }

    /// Takes a unit whose outlets all are seen; false for another one.
    fn take_unit(&mut self, reads: &dyn Reads, unit: &Unit, places: &[u32]) -> Outcome<bool> {
        let mut swapped = Vec::new();
        for name in &unit.places {
            let Some(hash) = unhex(name) else { return Ok(false) };
            let all = datasets::numbers(reads, &hash, 0)?;
            let seen = all.iter().filter_map(|place| places.binary_search(place).ok());
            let seen: Vec<u32> = seen.map(|at| at as u32).collect();
            if seen.len() < all.len() {
                return Ok(false);
            }
            swapped.push((name.clone(), datasets::encode_places(&[seen])));
        }
        for (name, bytes) in swapped {
            let hash = self.keep(bytes);
            self.swapped.insert(name, hex(&hash));
        }
        Ok(!unit.places.is_empty())
    }

    fn bytes(&self) -> usize {
        self.pieces.values().map(Vec::len).sum::<usize>() + self.outlets.len() * 24
    }

    /// Names what is seen of a piece instead of the piece.
    fn swap(&self, kind: Kind, fields: &mut Fields) {
        if !matches!(kind, Kind::Dataset | Kind::Unit) {
            return;
        }
        let mut some = false;
        for value in fields.values_mut() {
            some |= self.swap_value(value);
        }
        if let (Kind::Dataset, true, Some(rows)) = (kind, some, fields.get_mut(&DATASET_ROWS)) {
            *rows = Value::Int(self.rows);
        }
    }

    fn swap_value(&self, value: &mut Value) -> bool {
        let swap = |text: &mut String| match self.swapped.get(text.as_str()) {
            Some(seen) => {
                seen.clone_into(text);
                true
            }
            None => false,
        };
        match value {
            Value::Text(text) => swap(text),
            Value::Texts(all) => all.iter_mut().filter_map(|text| swap(text).then_some(())).count() > 0,
            _ => false,
        }
    }
}

/// Schema number of the rows of a dataset.
const DATASET_ROWS: FieldId = 3;

/// What was asked for last, the newest at the end.
#[derive(Default)]
pub struct Kept(Mutex<Vec<Known>>);

struct Known {
    named: Vec<String>,
    /// The log's end up to which it is known to be right.
    seq: u64,
    bounds: Arc<Bounds>,
}

impl Kept {
    /// The bounds of somebody; none where they see all.
    pub fn of(&self, reads: &dyn Reads, who: Id) -> Outcome<Option<Arc<Bounds>>> {
        let named = User::from_fields(&reads.fields(Kind::User, who)?.unwrap_or_default()).territories;
        if named.is_empty() {
            return Ok(None);
        }
        // One is made at a time: who asks for the same meanwhile waits for it.
        let mut kept = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let seq = reads.last_seq()?;
        let known = kept.iter().position(|known| known.named == named).map(|at| kept.remove(at));
        let bounds = match known {
            Some(known) if known.seq <= seq && !is_touched(reads, &named, known.seq)? => known.bounds,
            _ => Arc::new(Bounds::make(reads, &named)?),
        };
        kept.push(Known { named, seq, bounds: bounds.clone() });
        let mut bytes: usize = kept.iter().map(|known| known.bounds.bytes()).sum();
        while bytes > MAX_KEPT && kept.len() > 1 {
            bytes -= kept.remove(0).bounds.bytes();
        }
        Ok(Some(bounds))
    }
}

/// Whether anything behind a place of the log may change what is seen.
fn is_touched(reads: &dyn Reads, named: &[String], after: u64) -> Outcome<bool> {
    let cleared = Kind::Outlet.schema().field_named("cleared").map_or(0, |f| f.id);
    let mut columns = Territories::of(named).columns();
    columns.push(cleared);
    let (mut edits, mut touched, mut damaged) = (Vec::new(), false, None);
    reads.headers(after + 1, false, &mut |seq, bytes| {
        match codec::decode_header(seq, bytes).map(|(record, ..)| record.change.kind) {
            Ok(Kind::Dataset | Kind::Unit) => touched = true,
            Ok(Kind::Outlet) => edits.push(seq),
            Ok(_) => {}
            Err(e) => damaged = Some(e),
        }
        if touched || damaged.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(damaged) = damaged {
        return Err(StoreError::from(damaged).into());
    }
    for seq in edits {
        let Some(record) = reads.record(seq)? else { return Ok(true) };
        let change = &record.change;
        let edits = matches!(change.op, Op::Create | Op::Set);
        touched |= !edits || change.fields.iter().any(|f| columns.contains(&f.field));
    }
    Ok(touched)
}

/// A look at a store within bounds. What is beyond them is not there.
pub struct Within<'a> {
    reads: &'a dyn Reads,
    bounds: &'a Bounds,
    who: Id,
}

impl<'a> Within<'a> {
    pub fn new(reads: &'a dyn Reads, bounds: &'a Bounds, who: Id) -> Within<'a> {
        Within { reads, bounds, who }
    }

    /// Whether a record is seen, given its head where that is at hand.
    fn sees(&self, kind: Kind, entity: Id, head: Option<&Head>) -> Stored<bool> {
        let of = |name: &str| -> Stored<Option<Value>> {
            let number = kind.schema().field_named(name).map_or(0, |f| f.id);
            Ok(match head {
                Some(head) => head.fields.get(&number).cloned(),
                None => self.reads.head(kind, entity)?.and_then(|h| h.fields.get(&number).cloned()),
            })
        };
        Ok(match kind {
            Kind::Outlet => self.bounds.outlets.contains(&entity),
            Kind::Unit | Kind::Lock | Kind::PlanRules => self.bounds.units.contains(&entity),
            Kind::Journey | Kind::Plan => match of("unit")? {
                Some(Value::Id(unit)) => self.bounds.units.contains(&unit),
                _ => false,
            },
            // What waits for somebody else says what it is about.
            Kind::Draft => match (of("owner")?, of("target_kind")?, of("target")?) {
                (Some(Value::Id(owner)), ..) if owner == self.who => true,
                (_, Some(Value::Int(kind)), Some(Value::Text(id))) => {
                    let kind = u8::try_from(kind).ok().and_then(Kind::from_number);
                    match kind.filter(|kind| is_bound(*kind)).zip(id.parse::<Id>().ok()) {
                        Some((kind, id)) => self.sees(kind, id, None)?,
                        None => true,
                    }
                }
                _ => true,
            },
            // What an import of outlets set aside is of all territories.
            Kind::Batch => of("target")? != Some(Value::Text(Kind::Outlet.schema().plural.into())),
            _ => true,
        })
    }

    fn bound(&self, kind: Kind, entity: Id, head: Option<Head>) -> Stored<Option<Head>> {
        let Some(mut head) = head else { return Ok(None) };
        if !self.sees(kind, entity, Some(&head))? {
            return Ok(None);
        }
        self.bounds.swap(kind, &mut head.fields);
        Ok(Some(head))
    }

    /// Walks through heads as stored bytes, within bounds.
    fn each(&self, kind: Kind, visit: Visit<Id>, walk: impl FnOnce(Visit<Id>) -> Stored<()>) -> Stored<()> {
        if !is_bound(kind) {
            return walk(visit);
        }
        let mut failed = None;
        walk(&mut |id, bytes| {
            let head = codec::decode_head(bytes).map_err(StoreError::from);
            match head.and_then(|head| self.bound(kind, id, Some(head))) {
                Ok(Some(head)) => visit(id, &codec::encode_head(&head)),
                Ok(None) => ControlFlow::Continue(()),
                Err(e) => {
                    failed = Some(e);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// A change within bounds. What who asks made themselves comes back in any case: it
    /// ends their waiting for it, and does nothing where it is not seen any more.
    fn bound_record(&self, mut record: Ordered) -> Stored<Option<Ordered>> {
        let change = &mut record.change;
        let seen = self.sees(change.kind, change.entity, None)?;
        if !seen && change.actor != self.who {
            return Ok(None);
        }
        if !seen && matches!(record.verdict, Verdict::Applied | Verdict::Merged) {
            (record.verdict, record.effect) = (Verdict::NoOp, None);
        }
        if matches!(change.kind, Kind::Dataset | Kind::Unit) {
            let values = change.fields.iter_mut().flat_map(|f| [&mut f.old, &mut f.new]).flatten();
            let swapped = values.filter_map(|value| self.bounds.swap_value(value).then_some(())).count();
            if swapped > 0 && change.kind == Kind::Dataset {
                let rows = change.fields.iter_mut().filter(|f| f.field == DATASET_ROWS);
                rows.for_each(|f| f.new = Some(Value::Int(self.bounds.rows)));
            }
            for (_, value) in record.effect.iter_mut().flatten() {
                value.as_mut().map(|value| self.bounds.swap_value(value));
            }
        }
        Ok(Some(record))
    }
}

fn is_bound(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Outlet
            | Kind::Unit
            | Kind::Lock
            | Kind::PlanRules
            | Kind::Journey
            | Kind::Plan
            | Kind::Draft
            | Kind::Batch
            | Kind::Dataset
    )
}

/// The kind whose records an index holds, where some of them may be beyond bounds.
fn bound_kind(from: &IndexKey) -> Option<Kind> {
    let number = *from.0.first()?;
    let has = |kind: &&Kind| kind.schema().indexes.iter().any(|index| index.number == number);
    Kind::ALL.iter().filter(|kind| is_bound(**kind)).find(has).copied()
}

impl Reads for Within<'_> {
    fn meta(&self, name: &str) -> Stored<Option<Vec<u8>>> {
        self.reads.meta(name)
    }

    fn local(&self, name: &str) -> Stored<Option<Vec<u8>>> {
        if name == BOUNDS { Ok(Some(self.bounds.mark.to_vec())) } else { self.reads.local(name) }
    }

    fn locals(&self, prefix: &str) -> Stored<Vec<(String, Vec<u8>)>> {
        self.reads.locals(prefix)
    }

    fn head(&self, kind: Kind, entity: Id) -> Stored<Option<Head>> {
        let head = self.reads.head(kind, entity)?;
        if is_bound(kind) { self.bound(kind, entity, head) } else { Ok(head) }
    }

    fn heads(&self, kind: Kind, from: Id, visit: Visit<Id>) -> Stored<()> {
        self.each(kind, visit, |each| self.reads.heads(kind, from, each))
    }

    fn heads_of(&self, kind: Kind, ids: &[Id], visit: Visit<Id>) -> Stored<()> {
        self.each(kind, visit, |each| self.reads.heads_of(kind, ids, each))
    }

    fn index(&self, from: &IndexKey, to: &IndexKey, reverse: bool, visit: Visit<Id>) -> Stored<()> {
        let Some(kind) = bound_kind(from) else { return self.reads.index(from, to, reverse, visit) };
        let mut failed = None;
        self.reads.index(from, to, reverse, &mut |id, key| match self.sees(kind, id, None) {
            Ok(true) => visit(id, key),
            Ok(false) => ControlFlow::Continue(()),
            Err(e) => {
                failed = Some(e);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn latest(&self, kind: Kind, number: usize, by: &[Id]) -> Stored<Option<Value>> {
        self.reads.latest(kind, number, by)
    }

    fn last_seq(&self) -> Stored<u64> {
        self.reads.last_seq()
    }

    fn seq_of(&self, change: Id) -> Stored<Option<u64>> {
        self.reads.seq_of(change)
    }

    fn headers(&self, from: u64, reverse: bool, visit: Visit<u64>) -> Stored<()> {
        let mut failed = None;
        self.reads.headers(from, reverse, &mut |seq, bytes| {
            let seen =
                codec::decode_header(seq, bytes).map_err(StoreError::from).and_then(|(record, origin, _)| {
                    let change = record.change;
                    let mine = || {
                        Ok::<_, StoreError>(
                            self.origin(origin)?.is_some_and(|(_, actor, _)| actor == self.who),
                        )
                    };
                    Ok(!is_bound(change.kind) || self.sees(change.kind, change.entity, None)? || mine()?)
                });
            match seen {
                Ok(true) => visit(seq, bytes),
                Ok(false) => ControlFlow::Continue(()),
                Err(e) => {
                    failed = Some(e);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn payload(&self, seq: u64) -> Stored<Option<Vec<u8>>> {
        self.reads.payload(seq)
    }

    fn payloads(&self, from: u64, visit: Visit<u64>) -> Stored<()> {
        self.reads.payloads(from, visit)
    }

    fn records(&self, places: Range<u64>) -> Stored<Vec<Ordered>> {
        let bound = |record: Ordered| match is_bound(record.change.kind) {
            true => self.bound_record(record).transpose(),
            false => Some(Ok(record)),
        };
        self.reads.records(places)?.into_iter().filter_map(bound).collect()
    }

    fn history(&self, kind: Kind, entity: Id) -> Stored<Vec<u64>> {
        let seen = !is_bound(kind) || self.sees(kind, entity, None)?;
        if seen { self.reads.history(kind, entity) } else { Ok(vec![]) }
    }

    fn txn_rows(&self, txn: Id) -> Stored<Vec<TxnRow>> {
        self.reads.txn_rows(txn)
    }

    fn former(&self, kind: Kind, entity: Id, rev: u64) -> Stored<Option<Head>> {
        self.reads.former(kind, entity, rev)
    }

    fn start(&self, kind: Kind, entity: Id) -> Stored<Option<Head>> {
        self.reads.start(kind, entity)
    }

    fn bases(&self, kind: Kind) -> Stored<BTreeMap<Id, Vec<u8>>> {
        self.reads.bases(kind)
    }

    fn own_ids(&self) -> Stored<Vec<Id>> {
        self.reads.own_ids()
    }

    fn origin(&self, number: u32) -> Stored<Option<(Id, Id, Via)>> {
        self.reads.origin(number)
    }

    fn device_row(&self, device: Id) -> Stored<Option<(u64, bool)>> {
        self.reads.device_row(device)
    }

    fn done(&self, txn: Id) -> Stored<Option<Vec<u8>>> {
        self.reads.done(txn)
    }

    fn blob(&self, hash: &[u8; 32]) -> Stored<Option<Vec<u8>>> {
        match self.bounds.pieces.get(hash) {
            Some(piece) => Ok(Some(piece.clone())),
            None => self.reads.blob(hash),
        }
    }

    fn has_blob(&self, hash: &[u8; 32]) -> Stored<bool> {
        Ok(self.bounds.pieces.contains_key(hash) || self.reads.has_blob(hash)?)
    }

    fn staged(&self, batch: Id, from: u32, visit: Visit<u32>) -> Stored<()> {
        self.reads.staged(batch, from, visit)
    }

    fn copy_to(&self, path: &std::path::Path) -> Stored<()> {
        self.reads.copy_to(path)
    }

    fn counts(&self) -> Stored<[u64; 5]> {
        self.reads.counts()
    }

    fn replies(&self) -> Stored<(u64, u64)> {
        self.reads.replies()
    }
}
