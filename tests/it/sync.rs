//! Devices and a server, each a whole engine on a simulated disk, with a network in
//! between that loses, repeats and delays. At the end nothing is lost or there twice,
//! nothing was overwritten unseen, and all are equal.

use crate::crash::{Disk, count, set_up};
use pams::changes::merge::heads_after;
use pams::changes::{FieldChange, Head, Op, Ordered, Verdict, Via, codec};
use pams::domain::schema::Kind;
use pams::domain::value::Value;
use pams::domain::{Failure, Id};
use pams::engine::Engine;
use pams::frames::Bytes;
use pams::random::Random;
use pams::services::drafts::{ListDrafts, ResolveDraft};
use pams::services::input::Input;
use pams::services::records::{Delete, List, Save, Show};
use pams::services::setup::WhoAmI;
use pams::services::sync::device::{
    ApplyPull, AskRecover, JoinRemote, NextPull, NextPush, Remote, SyncStatus, TakeRecovered,
};
use pams::services::sync::{
    BeginEpoch, CoverBackup, PullChanges, Pulled, PushChanges, Pushed, RecoverDevice, Taken,
};
use pams::services::undo::{ShowChange, Undo};
use pams::store::{self, Store};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

thread_local! {
    /// The clock of whoever acts right now.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

fn now() -> i64 {
    NOW.with(Cell::get)
}

const BEGIN: i64 = 1_771_583_400_000;
const YEAR: i64 = 365 * 86_400_000;

fn open(bytes: &[u8]) -> (Disk, Engine) {
    let disk = Disk::with(bytes.to_vec());
    let engine = Engine::alone(Store::with_backend(disk.clone()).unwrap(), Via::Tui, now).unwrap();
    (disk, engine)
}

/// A form that somebody opened: what they see while others go on.
struct Form {
    kind: Kind,
    id: Id,
    rev: u64,
    seen: Input,
}

struct Device {
    disk: Disk,
    engine: Engine,
    skew: i64,
    recovering: bool,
    form: Option<Form>,
}

struct World {
    random: Random,
    server_disk: Disk,
    server: Engine,
    backup: Vec<u8>,
    devices: Vec<Device>,
    images: Vec<Vec<u8>>,
    /// Pages under way: device, page.
    pages: Vec<(usize, Pulled)>,
    pushes: Vec<(usize, PushChanges)>,
    /// Transaction → how many changes, by whom.
    made: BTreeMap<Id, (u64, usize)>,
    /// Field text as its author saw it: change's transaction, record, field.
    seen: BTreeMap<(Id, Id), Input>,
    /// Made on a disk that was lost before the server had it.
    excused: BTreeSet<Id>,
    clock: i64,
    marks: u64,
}

struct Start {
    server: Vec<u8>,
    device: Vec<u8>,
}

/// A server with a few records, and an empty device.
fn start() -> Start {
    NOW.with(|n| n.set(BEGIN));
    let (disk, engine) = open(&[]);
    engine.run(&set_up()).unwrap();
    for n in 0..3 {
        save(&engine, Kind::Account, None, &[("name", &format!("Account {n}")), ("region", "north")], None)
            .unwrap();
    }
    for n in 0..2 {
        let fields = [("name", &*format!("Project {n}")), ("account", "Account 0"), ("stage", "open")];
        save(&engine, Kind::Project, None, &fields, None).unwrap();
    }
    drop(engine);
    let server = disk.durable();
    let (disk, engine) = open(&[]);
    drop(engine);
    Start { server, device: disk.durable() }
}

fn save(
    engine: &Engine,
    kind: Kind,
    id: Option<Id>,
    fields: &[(&str, &str)],
    seen_rev: Option<u64>,
) -> Result<Id, Failure> {
    let input: Input = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    engine.run(&Save { kind, id, input, seen_rev, ack: vec![] }).map(|receipt| receipt.txn)
}

impl World {
    fn new(seed: u64, start: &Start) -> World {
        NOW.with(|n| n.set(BEGIN));
        let mut random = Random::new(seed);
        let (server_disk, server) = open(&start.server);
        let me = server.ask(&WhoAmI {}).unwrap();
        let tenant = server
            .ask(&List {
                kind: Kind::Tenant,
                filter: None,
                archived: false,
                account: None,
                limit: 1,
                cursor: None,
            })
            .unwrap()
            .items[0]
            .id;
        let mut world = World {
            backup: start.server.clone(),
            server_disk,
            server,
            devices: vec![],
            images: vec![],
            pages: vec![],
            pushes: vec![],
            made: BTreeMap::new(),
            seen: BTreeMap::new(),
            excused: BTreeSet::new(),
            clock: BEGIN,
            marks: 0,
            random: Random::new(seed ^ 0x5eed),
        };
        for _ in 0..2 + random.below(2) {
            let (disk, engine) = open(&start.device);
            let skew = (random.below(2 * YEAR as usize) as i64) - YEAR;
            let remote = Remote { url: "sim".into(), tenant: "t".into(), user: "ana".into() };
            engine.run(&JoinRemote { remote, user: me.id, tenant, epoch: 0 }).unwrap();
            let device = Device { disk, engine, skew, recovering: false, form: None };
            world.devices.push(device);
            let n = world.devices.len() - 1;
            world.pull_now(n);
            world.images.push(world.devices[n].disk.durable());
        }
        world
    }

    fn at(&mut self, who: Option<usize>) {
        self.clock += 1 + self.random.below(60_000) as i64;
        let skew = who.map_or(0, |w| self.devices[w].skew);
        NOW.with(|n| n.set(self.clock + skew));
    }

    fn step(&mut self) {
        let who = self.random.below(self.devices.len());
        self.at(Some(who));
        match self.random.below(100) {
            0..=19 => self.open_form(who),
            20..=44 => self.save_form(who),
            45..=47 => self.other(who),
            48..=69 => self.speak(who),
            70..=89 => self.deliver(),
            90..=91 => {
                self.backup = self.server_disk.durable();
                self.at(None);
                let through = self.server.ask(&PullChanges { from: 0, most: 0 }).unwrap().last_seq;
                self.server.run(&CoverBackup { through }).unwrap();
            }
            92 => self.restore_server(),
            93..=95 => self.images[who] = self.devices[who].disk.durable(),
            96 => self.restore_disk(who),
            97..=98 => self.crash(who),
            _ => {
                self.pages.clear();
                self.pushes.clear();
            }
        }
    }

    fn open_form(&mut self, who: usize) {
        let kind = if self.random.one_in(3) { Kind::Project } else { Kind::Account };
        let engine = &self.devices[who].engine;
        let list = List { kind, filter: None, archived: false, account: None, limit: 50, cursor: None };
        // A device whose base was given up shows nothing until it has read again.
        let Ok(page) = engine.ask(&list) else { return };
        if page.items.is_empty() {
            return;
        }
        let id = page.items[self.random.below(page.items.len())].id;
        if let Ok(shown) = engine.ask(&Show { kind, which: id.to_string() }) {
            self.devices[who].form = Some(Form { kind, id, rev: shown.item.rev, seen: shown.typed });
        }
    }

    /// Saves the open form, or makes a record.
    fn save_form(&mut self, who: usize) {
        self.marks += 1;
        let mark = format!("mark {}", self.marks);
        let form = self.devices[who].form.take();
        let engine = &self.devices[who].engine;
        let Some(form) = form else {
            let made = save(engine, Kind::Account, None, &[("name", &mark), ("region", "new")], None);
            return self.note(who, made, None);
        };
        let field = match (form.kind, self.random.below(4)) {
            (_, 0) => "name",
            (Kind::Account, 1) => "region",
            (Kind::Account, 2) => "aliases",
            (Kind::Account, _) => "segment",
            (_, 1) => "notes",
            (_, 2) => "stage",
            _ => "close_date",
        };
        let day = format!("2026-03-{:02}", 1 + self.marks % 28);
        let text = match field {
            "aliases" => format!("{}, {mark}", form.seen.get("aliases").cloned().unwrap_or_default()),
            "stage" => (*self.random.pick(&["on hold", "lost", "closed"])).to_owned(),
            "close_date" => day,
            _ => mark,
        };
        let made = save(engine, form.kind, Some(form.id), &[(field, &text)], Some(form.rev));
        self.note(who, made, Some((form.id, form.seen)));
    }

    fn note(&mut self, who: usize, made: Result<Id, Failure>, seen: Option<(Id, Input)>) {
        let Ok(txn) = made else { return };
        let Ok(shown) = self.devices[who].engine.ask(&ShowChange { txn, limit: 0 }) else { return };
        self.made.insert(txn, (shown.row.changes, who));
        if let Some((id, seen)) = seen {
            self.seen.insert((txn, id), seen);
        }
    }

    /// Undo, delete, or settle a draft.
    fn other(&mut self, who: usize) {
        let what = self.random.below(3);
        let form = if what == 1 { self.devices[who].form.take() } else { None };
        let engine = &self.devices[who].engine;
        let made = match what {
            0 => engine.run(&Undo { txn: None }).map(|r| r.txn),
            1 => match form {
                Some(form) if form.kind == Kind::Account => {
                    engine.run(&Delete { kind: form.kind, which: form.id.to_string() }).map(|r| r.txn)
                }
                _ => return,
            },
            _ => {
                let Ok(drafts) = engine.ask(&ListDrafts {}) else { return };
                let Some(draft) = drafts.items.first() else { return };
                let choose = (*self.random.pick(&["mine", "theirs", "base"])).to_owned();
                let resolve = ResolveDraft {
                    which: draft.id.to_string(),
                    choose,
                    choices: BTreeMap::new(),
                    input: Input::new(),
                    ack: vec![],
                };
                engine.run(&resolve).map(|r| r.txn)
            }
        };
        self.note(who, made, None);
    }

    fn speak(&mut self, who: usize) {
        let device = &self.devices[who];
        if device.recovering {
            return self.recover(who);
        }
        if self.random.one_in(2)
            && let Some(mut push) = device.engine.ask(&NextPush {}).unwrap()
        {
            push.changes.truncate(1 + self.random.below(6));
            return self.pushes.push((who, push));
        }
        let mut ask = device.engine.ask(&NextPull {}).unwrap();
        ask.most = 1 + self.random.below(40);
        let page = self.server.ask(&ask).unwrap();
        self.pages.push((who, page));
    }

    fn recover(&mut self, who: usize) {
        let ask = self.devices[who].engine.ask(&AskRecover {}).unwrap();
        self.at(None);
        let recover = RecoverDevice { device: ask.device, change_ids: ask.change_ids };
        let reply = self.server.run(&recover).unwrap().reply;
        if self.random.one_in(3) {
            return; // the answer is lost: asked again
        }
        self.at(Some(who));
        self.devices[who].engine.run(&TakeRecovered { reply }).unwrap();
        self.devices[who].recovering = false;
    }

    fn deliver(&mut self) {
        let lost = self.random.one_in(8);
        let again = self.random.one_in(8);
        if self.random.one_in(2) && !self.pushes.is_empty() {
            let place = self.random.below(self.pushes.len());
            let (who, push) = self.pushes[place].clone();
            if !again {
                self.pushes.swap_remove(place);
            }
            if !lost {
                self.at(None);
                let reply = self.server.run(&push).unwrap().reply;
                if !self.random.one_in(4) {
                    self.replied(who, &reply);
                }
            }
        } else if !self.pages.is_empty() {
            let place = self.random.below(self.pages.len());
            let (who, page) = self.pages[place].clone();
            if !again {
                self.pages.swap_remove(place);
            }
            if !lost {
                self.apply(who, page);
            }
        }
    }

    fn replied(&mut self, who: usize, reply: &Pushed) {
        let device = self.devices[who].engine.ask(&SyncStatus {}).unwrap().device;
        if reply.taken == Taken::Recover && reply.device == device {
            self.devices[who].recovering = true;
        }
    }

    fn apply(&mut self, who: usize, page: Pulled) {
        self.at(Some(who));
        let applied = self.devices[who].engine.run(&ApplyPull { page }).unwrap().reply;
        self.devices[who].recovering |= applied.recover;
    }

    fn pull_now(&mut self, who: usize) {
        loop {
            let ask = self.devices[who].engine.ask(&NextPull {}).unwrap();
            let page = self.server.ask(&ask).unwrap();
            let done = page.through == page.last_seq;
            self.apply(who, page);
            if done || self.devices[who].recovering {
                return;
            }
        }
    }

    fn restore_server(&mut self) {
        self.at(None);
        let held = self.on_server();
        (self.server_disk, self.server) = open(&self.backup.clone());
        self.server.run(&BeginEpoch {}).unwrap();
        // What only the server had, since its author's disk was lost, is gone with it.
        let still = self.on_server();
        for txn in held.difference(&still).copied().collect::<Vec<_>>() {
            let who = self.made.get(&txn).map(|m| m.1);
            let kept = who.is_some_and(|who| self.device_holds(who).contains(&txn));
            if !kept {
                self.excused.insert(txn);
            }
        }
    }

    fn on_server(&self) -> BTreeSet<Id> {
        self.log().iter().map(|r| r.change.txn_id).collect()
    }

    /// Transactions whose changes a device could send again.
    fn device_holds(&self, who: usize) -> BTreeSet<Id> {
        let ids = self.devices[who].engine.ask(&AskRecover {}).unwrap().change_ids;
        let ids: BTreeSet<Id> = ids.0.chunks(16).map(|c| Id(c.try_into().unwrap())).collect();
        let of = |txn: &&Id| {
            let store = Store::with_backend(Disk::with(self.devices[who].disk.durable())).unwrap();
            let view = store.view().unwrap();
            use pams::store::Reads;
            let rows = view.txn_rows(**txn).unwrap();
            let mut seqs = rows.iter().flat_map(|r| r.first_seq..r.first_seq + r.count);
            seqs.any(|s| view.record(s).unwrap().is_some_and(|r| ids.contains(&r.change.change_id)))
        };
        self.made.keys().filter(of).copied().collect()
    }

    fn restore_disk(&mut self, who: usize) {
        let before = self.device_holds(who);
        let (disk, engine) = open(&self.images[who]);
        let device = &mut self.devices[who];
        (device.disk, device.engine, device.recovering, device.form) = (disk, engine, false, None);
        let after = self.device_holds(who);
        let on_server = self.on_server();
        for txn in before.difference(&after) {
            // Under way or not: whether the server gets it is open.
            if !on_server.contains(txn) {
                self.excused.insert(*txn);
            }
        }
    }

    /// The process is killed: what was durable is opened again.
    fn crash(&mut self, who: usize) {
        let bytes = self.devices[who].disk.durable();
        let (disk, engine) = open(&bytes);
        let device = &mut self.devices[who];
        (device.disk, device.engine, device.form) = (disk, engine, None);
    }

    fn settle(&mut self) -> Result<(), String> {
        self.pages.clear();
        self.pushes.clear();
        for _ in 0..40 {
            for who in 0..self.devices.len() {
                while self.devices[who].recovering {
                    self.recover(who);
                }
                while let Some(push) = self.devices[who].engine.ask(&NextPush {}).unwrap() {
                    self.at(None);
                    let reply = self.server.run(&push).unwrap().reply;
                    self.replied(who, &reply);
                    if self.devices[who].recovering {
                        break;
                    }
                    self.pull_now(who);
                }
                if !self.devices[who].recovering {
                    self.pull_now(who);
                }
            }
            let last = self.server.ask(&PullChanges { from: 0, most: 0 }).unwrap().last_seq;
            let rests = |d: &Device| {
                let status = d.engine.ask(&SyncStatus {}).unwrap();
                status.queue == 0 && !d.recovering && status.seq == last
            };
            if self.devices.iter().all(rests) {
                return Ok(());
            }
        }
        Err("the devices never come to rest".into())
    }

    /// The server's whole log.
    fn log(&self) -> Vec<Ordered> {
        let (mut log, mut from) = (Vec::new(), 0);
        loop {
            let page = self.server.ask(&PullChanges { from, most: 10_000 }).unwrap();
            log.extend(page.records.iter().map(|Bytes(b)| codec::decode_record(b).unwrap()));
            if page.through == page.last_seq {
                return log;
            }
            from = page.through;
        }
    }

    fn verdict(&self) -> Result<(), String> {
        let log = self.log();
        let ids: BTreeSet<Id> = log.iter().map(|r| r.change.change_id).collect();
        if ids.len() != log.len() {
            return Err("a change is there twice".into());
        }
        for (txn, (count, who)) in &self.made {
            let found = log.iter().filter(|r| r.change.txn_id == *txn).count() as u64;
            if found != *count && !self.excused.contains(txn) {
                return Err(format!("device {who}: {found} of {count} changes of {txn} are there"));
            }
        }
        self.replay(&log)?;
        let check = |disk: &Disk| {
            let store = Store::with_backend(Disk::with(disk.durable())).unwrap();
            store::check(&store.view().unwrap()).unwrap()
        };
        let server = check(&self.server_disk);
        if !server.wrong.is_empty() {
            return Err(format!("server: {:?}", server.wrong));
        }
        for (n, device) in self.devices.iter().enumerate() {
            let report = check(&device.disk);
            if !report.wrong.is_empty() {
                return Err(format!("device {n}: {:?}", report.wrong));
            }
            if report.state_hash != server.state_hash {
                return Err(format!("device {n} differs from the server"));
            }
        }
        Ok(())
    }

    /// Nothing that its author had not seen is overwritten, and what they wanted stands or
    /// waits.
    fn replay(&self, log: &[Ordered]) -> Result<(), String> {
        let mut heads: BTreeMap<(Kind, Id), Head> = BTreeMap::new();
        for record in log {
            let change = &record.change;
            let key = (change.kind, change.entity);
            let was = heads.get(&key).cloned();
            let now = |field| was.as_ref().and_then(|h| h.fields.get(&field).cloned());
            let is_set = |v: &Option<Value>| matches!(v, Some(Value::Texts(_) | Value::Ids(_)));
            for (field, value) in record.effect() {
                let Some(of) = change.fields.iter().find(|f| f.field == field) else { continue };
                if change.op == Op::Set && !is_set(&value) && !is_set(&of.old) && now(field) != of.old {
                    return Err(format!("overwritten unseen: field {field} by {}", change.change_id));
                }
            }
            if let Some(seen) = self.seen.get(&(change.txn_id, change.entity)) {
                for f in change.fields.iter().filter(|f| f.old != f.new && !is_set(&f.new)) {
                    let name = change.kind.schema().field(f.field).unwrap().name;
                    let old = match &f.old {
                        Some(Value::Text(text)) => text.clone(),
                        Some(Value::Date(date)) => date.to_string(),
                        _ => String::new(),
                    };
                    if seen.get(name).cloned().unwrap_or_default() != old {
                        return Err(format!("{name} of {} was seen otherwise than \"{old}\"", change.txn_id));
                    }
                }
            }
            for (kind, id, head) in heads_after(was, record) {
                heads.insert((kind, id), head);
            }
            if change.op == Op::Set && record.verdict != Verdict::NoOp {
                let is = heads.get(&key);
                let single = |f: &&FieldChange| f.old != f.new && !is_set(&f.old) && !is_set(&f.new);
                for f in change.fields.iter().filter(single) {
                    let stands = is.and_then(|h| h.fields.get(&f.field)) == f.new.as_ref();
                    let waits = record.conflicts.iter().any(|c| c.field == f.field && c.mine == f.new);
                    if !stands && !waits {
                        return Err(format!("neither stands nor waits: {f:?} of {record:?}"));
                    }
                }
            }
        }
        Ok(())
    }
}

fn history(seed: u64, start: &Start, steps: usize) -> Result<(usize, usize), String> {
    let mut world = World::new(seed, start);
    for _ in 0..steps {
        world.step();
    }
    world.settle()?;
    world.verdict()?;
    let conflicts = world.log().iter().filter(|r| r.verdict == Verdict::Drafted).count();
    Ok((world.made.len(), conflicts))
}

/// `PAMS_SYNC_HISTORIES` and `PAMS_SYNC_SEED` make a long run, or repeat one.
#[test]
fn histories_of_whole_engines_end_well() {
    let (histories, first) = (count("PAMS_SYNC_HISTORIES", 300), count("PAMS_SYNC_SEED", 1));
    let half = |from: u64| {
        std::thread::spawn(move || {
            let start = start();
            let mut sum = (0, 0);
            for seed in (first + from..first + histories).step_by(2) {
                let (made, conflicts) = history(seed, &start, count("PAMS_SYNC_STEPS", 80) as usize)
                    .unwrap_or_else(|e| panic!("PAMS_SYNC_SEED={seed}: {e}"));
                sum = (sum.0 + made, sum.1 + conflicts);
            }
            sum
        })
    };
    let (even, odd) = (half(0), half(1));
    let (even, odd) = (even.join().unwrap(), odd.join().unwrap());
    let (made, conflicts) = (even.0 + odd.0, even.1 + odd.1);
    println!("{histories} histories, {made} actions, {conflicts} conflicts, seeds from {first}");
    assert!(made as u64 > histories * 5 && conflicts > 0, "too little happened to mean anything");
}
