//! The model test of the protocol: random histories of two to five devices with drops,
//! repeats, reordering, crashes, servers restored from old backups and devices
//! restored from old disk images. At the end nothing is lost, nothing is there twice,
//! nothing was overwritten unseen, and all devices are equal. Each broken variant of
//! the protocol must be caught.

use crate::changes::codec::content_hash;
use crate::changes::merge::{self, Head};
use crate::changes::protocol::*;
use crate::changes::record::*;
use crate::changes::{MUTANT, Mutant, hlc};
use crate::domain::schema::{Kind, SCHEMA_VERSION};
use crate::domain::value::{FieldId, Value};
use crate::domain::{Fields, Id};
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

type Heads = BTreeMap<(Kind, Id), Head>;

#[derive(Clone, Default)]
struct Server {
    epoch: u64,
    log: Vec<Ordered>,
    cids: BTreeMap<Id, u64>,
    heads: Heads,
    devices: BTreeMap<Id, Device>,
    verified: u64,
}

impl Ledger for Server {
    type Error = Infallible;
    fn epoch(&self) -> Result<u64, Infallible> {
        Ok(self.epoch)
    }
    fn last_seq(&self) -> Result<u64, Infallible> {
        Ok(self.log.len() as u64)
    }
    fn seq_of(&self, id: Id) -> Result<Option<u64>, Infallible> {
        Ok(self.cids.get(&id).copied())
    }
    fn head(&self, kind: Kind, entity: Id) -> Result<Option<Head>, Infallible> {
        Ok(self.heads.get(&(kind, entity)).cloned())
    }
    fn device(&self, device: Id) -> Result<Device, Infallible> {
        Ok(self.devices.get(&device).copied().unwrap_or_default())
    }
    fn set_device(&mut self, device: Id, row: Device) -> Result<(), Infallible> {
        self.devices.insert(device, row);
        Ok(())
    }
    fn append(&mut self, record: &Ordered, heads: Vec<(Kind, Id, Head)>) -> Result<(), Infallible> {
        self.cids.insert(record.change.change_id, record.seq);
        self.log.push(record.clone());
        self.heads.extend(heads.into_iter().map(|(k, id, h)| ((k, id), h)));
        Ok(())
    }
    fn records(&self, after: u64, most: usize) -> Result<Vec<Ordered>, Infallible> {
        Ok(self.log.iter().skip(after as usize).take(most).cloned().collect())
    }
    fn holds(&self, txn: Id) -> Result<bool, Infallible> {
        Ok(self.log.iter().rev().find(|r| r.change.txn_id == txn).is_some_and(Ordered::holds))
    }
    fn verified_backup_seq(&self) -> Result<u64, Infallible> {
        Ok(self.verified)
    }
}

#[derive(Clone, Default)]
struct Laptop {
    device: Id,
    epoch: u64,
    cursor: u64,
    base: Heads,
    queue: Vec<Change>,
    own: Vec<(u64, Change)>,
    next_dseq: u64,
    last_hlc: u64,
    /// Set while the device waits for the answer to a recover request.
    recovering: bool,
}

impl Replica for Laptop {
    type Error = Infallible;
    fn device(&self) -> Result<Id, Infallible> {
        Ok(self.device)
    }
    fn set_device(&mut self, device: Id) -> Result<(), Infallible> {
        self.device = device;
        Ok(())
    }
    fn epoch(&self) -> Result<u64, Infallible> {
        Ok(self.epoch)
    }
    fn cursor(&self) -> Result<u64, Infallible> {
        Ok(self.cursor)
    }
    fn set_position(&mut self, epoch: u64, cursor: u64) -> Result<(), Infallible> {
        (self.epoch, self.cursor) = (epoch, cursor);
        Ok(())
    }
    fn clear_base(&mut self) -> Result<(), Infallible> {
        self.base.clear();
        Ok(())
    }
    fn base_head(&self, kind: Kind, entity: Id) -> Result<Option<Head>, Infallible> {
        Ok(self.base.get(&(kind, entity)).cloned())
    }
    fn take(&mut self, record: &Ordered, heads: Vec<(Kind, Id, Head)>) -> Result<(), Infallible> {
        let id = record.change.change_id;
        self.base.extend(heads.into_iter().map(|(k, id, h)| ((k, id), h)));
        if let Some(place) = self.queue.iter().position(|c| c.change_id == id) {
            self.own.push((record.seq, self.queue.remove(place)));
        } else if let Some(mine) = self.own.iter_mut().find(|(_, c)| c.change_id == id) {
            mine.0 = record.seq;
        }
        Ok(())
    }
    fn queue(&self, most: usize) -> Result<Vec<Change>, Infallible> {
        Ok(self.queue.iter().take(most).cloned().collect())
    }
    fn queue_of(&self, kind: Kind, entity: Id) -> Result<Vec<Change>, Infallible> {
        Ok(self.queue.iter().filter(|c| (c.kind, c.entity) == (kind, entity)).cloned().collect())
    }
    fn set_queue(&mut self, queue: Vec<Change>) -> Result<(), Infallible> {
        self.next_dseq = self.next_dseq.max(queue.last().map_or(1, |c| c.dseq + 1));
        self.queue = queue;
        Ok(())
    }
    fn own(&self) -> Result<Vec<(u64, Change)>, Infallible> {
        Ok(self.own.clone())
    }
    fn set_own(&mut self, own: Vec<(u64, Change)>) -> Result<(), Infallible> {
        self.own = own;
        Ok(())
    }
    fn prune_own(&mut self, through: u64) -> Result<(), Infallible> {
        self.own.retain(|(seq, _)| *seq > through);
        Ok(())
    }
}

#[derive(Clone)]
enum Packet {
    Push(Push),
    Pull(u64),
    Recover(Recover),
    PushReply(PushReply),
    PullReply(PullReply),
    RecoverReply(RecoverReply),
}

/// What the oracle knows of an edit beside its change.
struct Made {
    /// The record as the author saw it.
    seen: Fields,
}

struct World {
    random: Random,
    server: Server,
    backup: Server,
    epochs: u64,
    laptops: Vec<Laptop>,
    images: Vec<Laptop>,
    /// (laptop, to the server?, packet): taken out in any order, sometimes twice.
    wire: Vec<(usize, bool, Packet)>,
    made: BTreeMap<Id, Made>,
    /// Changes whose author's disk was lost: only the server may still hold them.
    disk_lost: BTreeSet<Id>,
    excused: BTreeSet<Id>,
    clock: i64,
    ids: u64,
    edits: u64,
}

const NAME: FieldId = 1;
const USE_CASES: FieldId = 3;
const STAGE: FieldId = 4;
const CLOSE: FieldId = 6;

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let count = 2 + random.below(4);
        let mut world = World {
            random,
            server: Server::default(),
            backup: Server::default(),
            epochs: 0,
            laptops: vec![],
            images: vec![],
            wire: vec![],
            made: BTreeMap::new(),
            disk_lost: BTreeSet::new(),
            excused: BTreeSet::new(),
            clock: 1_000_000,
            ids: 0,
            edits: 0,
        };
        for _ in 0..count {
            let device = world.id();
            world.laptops.push(Laptop { device, next_dseq: 1, ..Laptop::default() });
        }
        world.images = world.laptops.clone();
        world
    }

    fn id(&mut self) -> Id {
        self.ids += 1;
        Id(u128::from(self.ids).to_be_bytes())
    }

    fn step(&mut self) {
        self.clock += 1 + self.random.below(1000) as i64;
        let who = self.random.below(self.laptops.len());
        match self.random.below(100) {
            0..=34 => self.edit(who),
            35..=59 => self.speak(who),
            60..=92 => self.deliver(),
            93..=94 => {
                self.backup = self.server.clone();
                self.backup.verified = self.server.log.len() as u64;
                self.server.verified = self.backup.verified;
            }
            95 => self.restore_server(),
            96..=97 => self.images[who] = self.laptops[who].clone(),
            98 => self.restore_disk(who),
            _ => self.wire.clear(), // everything under way is dropped
        }
    }

    /// A person edits what they see, in one of four records.
    fn edit(&mut self, who: usize) {
        let entity = Id(u128::from(1_000_000 + self.random.below(4) as u64).to_be_bytes());
        let view = view(&self.laptops[who], Kind::Project, entity).unwrap();
        let seen = view.as_ref().map(|h| h.fields.clone()).unwrap_or_default();
        let (change_id, txn_id) = (self.id(), self.id());
        let mark = Value::Text(change_id.to_string());
        let (op, fields) = match &view {
            None => (Op::Create, Change::creating(&Fields::from([(NAME, mark)]))),
            Some(head) if head.deleted => (Op::Restore, vec![]),
            Some(_) if self.random.one_in(12) => (Op::Delete, vec![]),
            Some(head) => {
                let mut new = head.fields.clone();
                match self.random.below(6) {
                    0..=1 => drop(new.insert(NAME, mark)),
                    2 => drop(new.insert(STAGE, mark)),
                    3 => drop(new.insert(CLOSE, mark)),
                    _ => self.change_set(&mut new),
                }
                (Op::Set, Change::difference(Kind::Project, &head.fields, &new))
            }
        };
        let laptop = &mut self.laptops[who];
        laptop.last_hlc = hlc::next(laptop.last_hlc, self.clock as u64);
        let change = Change {
            change_id,
            txn_id,
            device: laptop.device,
            dseq: laptop.next_dseq,
            actor: Id::default(),
            via: Via::Tui,
            hlc: laptop.last_hlc,
            kind: Kind::Project,
            entity,
            op,
            base_rev: view.as_ref().map_or(0, |h| h.rev),
            fields,
            seen_hash: (op == Op::Delete).then(|| content_hash(&seen)),
            cause: Cause::Edit,
            undoes: None,
            why: String::new(),
            schema: SCHEMA_VERSION,
        };
        laptop.next_dseq += 1;
        laptop.queue.push(change);
        self.made.insert(change_id, Made { seen });
        self.edits += 1;
    }

    fn change_set(&mut self, fields: &mut Fields) {
        let mut ids = match fields.get(&USE_CASES) {
            Some(Value::Ids(ids)) => ids.clone(),
            _ => vec![],
        };
        if !ids.is_empty() && self.random.one_in(3) {
            ids.remove(self.random.below(ids.len()));
        } else {
            ids.push(self.id());
        }
        match Value::ids(ids) {
            Some(value) => fields.insert(USE_CASES, value),
            None => fields.remove(&USE_CASES),
        };
    }

    /// A device talks to the server: recovers when it must, else pushes or pulls.
    fn speak(&mut self, who: usize) {
        let laptop = &self.laptops[who];
        let packet = if laptop.recovering {
            Packet::Recover(recover_request(laptop).unwrap())
        } else if self.random.one_in(2) {
            match next_push(laptop).unwrap() {
                Some(mut push) => {
                    push.changes.truncate(1 + self.random.below(6));
                    Packet::Push(push)
                }
                None => Packet::Pull(laptop.cursor),
            }
        } else {
            Packet::Pull(laptop.cursor)
        };
        self.wire.push((who, true, packet));
    }

    fn deliver(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let place = self.random.below(self.wire.len());
        let (who, up, packet) = match self.random.below(10) {
            0 => self.wire[place].clone(), // comes once more later
            1 => {
                self.wire.swap_remove(place);
                return; // lost on the way, or the receiver crashed before its commit
            }
            _ => self.wire.swap_remove(place),
        };
        if up { self.serve(who, packet) } else { self.receive(who, packet) }
    }

    fn serve(&mut self, who: usize, packet: Packet) {
        let reply = match packet {
            Packet::Push(batch) => {
                Packet::PushReply(push(&mut self.server, batch, self.clock, &|_, _| Ok(None)).unwrap())
            }
            Packet::Pull(from) => {
                let most = 1 + self.random.below(8);
                Packet::PullReply(pull(&self.server, from, most).unwrap())
            }
            Packet::Recover(ask) => Packet::RecoverReply(recover(&mut self.server, &ask).unwrap()),
            _ => return,
        };
        self.wire.push((who, false, reply));
    }

    fn receive(&mut self, who: usize, packet: Packet) {
        let new_device = self.id();
        let laptop = &mut self.laptops[who];
        match packet {
            Packet::PushReply(reply) => laptop.recovering |= take_push_reply(laptop, &reply).unwrap(),
            Packet::PullReply(reply) => laptop.recovering |= apply_pull(laptop, &reply).unwrap(),
            Packet::RecoverReply(reply) if reply.device == laptop.device => {
                take_recover_reply(laptop, &reply, new_device).unwrap();
                laptop.next_dseq = laptop.queue.len() as u64 + 1;
                laptop.recovering = false;
            }
            _ => {}
        }
    }

    fn restore_server(&mut self) {
        let holds = |c: &Id| {
            self.laptops.iter().any(|l| {
                l.queue.iter().any(|q| q.change_id == *c) || l.own.iter().any(|(_, o)| o.change_id == *c)
            })
        };
        for id in self.server.cids.keys().filter(|id| !self.backup.cids.contains_key(id)) {
            // Both the author's disk and the server are gone: nothing could have kept it.
            if self.disk_lost.contains(id) && !holds(id) {
                self.excused.insert(*id);
            }
        }
        self.server = self.backup.clone();
        self.epochs += 1;
        if !super::broken(Mutant::NoEpoch) {
            self.server.epoch = self.epochs;
        }
    }

    fn restore_disk(&mut self, who: usize) {
        let image = self.images[who].clone();
        let lost = |l: &Laptop| {
            l.queue
                .iter()
                .map(|c| c.change_id)
                .chain(l.own.iter().map(|(_, c)| c.change_id))
                .collect::<BTreeSet<_>>()
        };
        for id in lost(&self.laptops[who]).difference(&lost(&image)) {
            self.disk_lost.insert(*id);
            let under_way = self.wire.iter().any(|(_, up, p)| {
                *up && matches!(p, Packet::Push(push) if push.changes.iter().any(|c| c.change_id == *id))
            });
            if !self.server.cids.contains_key(id) && !under_way {
                self.excused.insert(*id);
            }
        }
        // An edit still under way may arrive or not; either is right.
        for (_, up, packet) in &self.wire {
            if let (true, Packet::Push(push)) = (*up, packet) {
                let gone = push.changes.iter().map(|c| c.change_id);
                self.excused.extend(
                    gone.filter(|id| self.disk_lost.contains(id) && !self.server.cids.contains_key(id)),
                );
            }
        }
        self.laptops[who] = image;
    }

    /// Lets everything arrive until nobody has anything to say.
    fn settle(&mut self) -> Result<(), String> {
        self.wire.clear();
        for _ in 0..60 {
            for who in 0..self.laptops.len() {
                for _ in 0..4 {
                    let laptop = &self.laptops[who];
                    let packet = match (laptop.recovering, next_push(laptop).unwrap()) {
                        (true, _) => Packet::Recover(recover_request(laptop).unwrap()),
                        (false, Some(push)) => Packet::Push(push),
                        (false, None) => break,
                    };
                    self.exchange(who, packet);
                    let from = self.laptops[who].cursor;
                    self.exchange(who, Packet::Pull(from));
                }
                let before = self.laptops[who].cursor;
                self.exchange(who, Packet::Pull(before));
            }
            let last = self.server.log.len() as u64;
            let rests = |l: &Laptop| l.queue.is_empty() && !l.recovering && l.cursor == last;
            let quiet = self.laptops.iter().all(rests);
            if quiet {
                return Ok(());
            }
        }
        Err("the devices never come to rest".into())
    }

    fn exchange(&mut self, who: usize, packet: Packet) {
        self.serve(who, packet);
        while let Some((who, false, reply)) = self.wire.pop() {
            self.receive(who, reply);
        }
    }

    fn verdict(&self) -> Result<(), String> {
        let log = &self.server.log;
        for id in self.made.keys() {
            let times = log.iter().filter(|r| r.change.change_id == *id).count();
            match times {
                0 if !self.excused.contains(id) => return Err(format!("lost: {id}")),
                0 | 1 => {}
                n => return Err(format!("there {n} times: {id}")),
            }
        }
        let replayed = self.replay()?;
        if replayed != self.server.heads {
            return Err("the server's heads are not the replay of its log".into());
        }
        for (n, laptop) in self.laptops.iter().enumerate() {
            if laptop.base != self.server.heads {
                let of = |h: &Heads, k: &(Kind, Id)| h.get(k).cloned();
                let keys: BTreeSet<_> = laptop.base.keys().chain(self.server.heads.keys()).collect();
                let key =
                    keys.into_iter().find(|k| of(&laptop.base, k) != of(&self.server.heads, k)).unwrap();
                let (here, there) = (of(&laptop.base, key), of(&self.server.heads, key));
                return Err(format!("device {n} differs from the server: {key:?} {here:?} is {there:?}"));
            }
        }
        Ok(())
    }

    /// Replays the log by rules of its own: no merge code, only what must hold.
    fn replay(&self) -> Result<Heads, String> {
        let mut heads = Heads::new();
        for record in &self.server.log {
            let change = &record.change;
            let key = (change.kind, change.entity);
            let before = heads.get(&key).cloned();
            let was = before.as_ref().map(|h| h.fields.clone()).unwrap_or_default();
            self.unseen(record, &was)?;
            heads.extend(merge::heads_after(before, record).into_iter().map(|(k, id, h)| ((k, id), h)));
            let is = heads.get(&key).map(|h| h.fields.clone()).unwrap_or_default();
            self.kept(record, &was, &is, &heads)?;
        }
        Ok(heads)
    }

    /// Nothing that the author had not seen may be overwritten or deleted.
    fn unseen(&self, record: &Ordered, was: &Fields) -> Result<(), String> {
        let (change, seen) = (&record.change, &self.made[&record.change.change_id].seen);
        if change.op == Op::Delete && record.verdict == Verdict::Applied && was != seen {
            return Err(format!("deleted unseen: {}", change.change_id));
        }
        let wrote = |field: FieldId| record.effect().iter().any(|(f, _)| *f == field);
        for unit in [&[NAME][..], &[STAGE, CLOSE][..]] {
            if change.op == Op::Set && unit.iter().any(|f| wrote(*f)) {
                let same = unit.iter().all(|f| was.get(f) == seen.get(f));
                if !same {
                    return Err(format!("overwritten unseen: {}", change.change_id));
                }
            }
        }
        Ok(())
    }

    /// What the author wanted is in the record or waits in a Draft.
    fn kept(&self, record: &Ordered, was: &Fields, is: &Fields, heads: &Heads) -> Result<(), String> {
        let change = &record.change;
        let drafted = heads.contains_key(&(Kind::Draft, change.change_id));
        for field in change.fields.iter().filter(|f| f.old != f.new) {
            let waits =
                drafted && record.conflicts.iter().any(|c| c.field == field.field && c.mine == field.new);
            let set = |value: Option<&Value>| match value {
                Some(Value::Ids(ids)) => ids.iter().copied().collect::<BTreeSet<_>>(),
                _ => BTreeSet::new(),
            };
            let stands = if field.field == USE_CASES {
                let (old, new) = (set(field.old.as_ref()), set(field.new.as_ref()));
                let expected: BTreeSet<Id> =
                    set(was.get(&USE_CASES)).difference(&old).chain(&new).copied().collect::<BTreeSet<_>>();
                let untouched = set(was.get(&USE_CASES)).intersection(&old).copied().collect::<BTreeSet<_>>();
                let kept = untouched.intersection(&new).all(|id| set(is.get(&USE_CASES)).contains(id));
                kept && expected.difference(&old).all(|id| set(is.get(&USE_CASES)).contains(id))
            } else {
                is.get(&field.field) == field.new.as_ref()
            };
            if !stands && !waits {
                return Err(format!("neither stands nor waits: {} field {}", change.change_id, field.field));
            }
        }
        Ok(())
    }
}

fn history(seed: u64, steps: usize) -> Result<u64, String> {
    let mut world = World::new(seed);
    for _ in 0..steps {
        world.step();
    }
    world.settle()?;
    world.verdict()?;
    Ok(world.edits)
}

fn count(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// `PAMS_MODEL_HISTORIES` and `PAMS_MODEL_SEED` make a long run, or repeat one.
#[test]
fn random_histories_end_well() {
    let (histories, first) = (count("PAMS_MODEL_HISTORIES", 20_000), count("PAMS_MODEL_SEED", 1));
    let half = |from: u64| {
        std::thread::spawn(move || {
            let mut edits = 0;
            for seed in (first + from..first + histories).step_by(2) {
                edits += history(seed, 120).unwrap_or_else(|e| panic!("PAMS_MODEL_SEED={seed}: {e}"));
            }
            edits
        })
    };
    let (even, odd) = (half(0), half(1));
    let edits = even.join().unwrap() + odd.join().unwrap();
    println!("{histories} histories, {edits} edits, seeds from {first}");
    assert!(edits > histories, "the histories hold too few edits to mean anything");
}

#[test]
fn every_mutant_is_killed() {
    let all = [
        Mutant::LastWriteWins,
        Mutant::NoDedupe,
        Mutant::NoEpoch,
        Mutant::EarlyPruning,
        Mutant::RepliesTrusted,
        Mutant::NoForkCheck,
        Mutant::FieldsNotGroups,
        Mutant::BlindDelete,
    ];
    for mutant in all {
        MUTANT.with(|m| m.set(Some(mutant)));
        let killed = (1..3_000).find(|seed| history(*seed, 120).is_err());
        MUTANT.with(|m| m.set(None));
        assert!(killed.is_some(), "{mutant:?} survives");
        println!("{mutant:?} killed by history {}", killed.unwrap_or_default());
    }
}
