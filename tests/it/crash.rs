//! The store on a disk that loses power or room: torn writes, lost caches, full.

use pams::changes::Via;
use pams::domain::schema::Kind;
use pams::engine::Engine;
use pams::random::Random;
use pams::services::input::Input;
use pams::services::records::{List, Save};
use pams::services::setup::SetUp;
use pams::store::{self, Store};
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};

/// What is on the platter, and what still is in the drive's cache.
#[derive(Default)]
struct Platter {
    durable: Vec<u8>,
    /// Writes since the last sync, in order: offset and bytes, or a new length.
    cache: Vec<(u64, Option<Vec<u8>>)>,
    /// The machine's view: durable with the cache on top.
    view: Vec<u8>,
    /// Operations until the power goes.
    power: Option<usize>,
    /// Writes until the disk is full.
    room: Option<usize>,
}

#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    /// A disk with these bytes on its platter.
    pub fn with(bytes: Vec<u8>) -> Disk {
        let disk = Disk::default();
        {
            let mut platter = disk.0.lock().unwrap();
            (platter.durable, platter.view) = (bytes.clone(), bytes);
        }
        disk
    }

    /// What a power cut would surely leave.
    pub fn durable(&self) -> Vec<u8> {
        self.0.lock().unwrap().durable.clone()
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated disk")
    }
}

impl Platter {
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.power {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What a power cut leaves: the platter, and any part of the cache in any state.
    fn cut(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (at, data) in &self.cache {
            match data {
                None => bytes.resize(*at as usize, 0),
                Some(data) => {
                    let kept = match random.below(4) {
                        0 => 0,
                        1 => random.below(data.len() / 512 + 1) * 512, // torn at a sector
                        _ => data.len(),
                    }
                    .min(data.len());
                    let end = *at as usize + kept;
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    bytes[*at as usize..end].copy_from_slice(&data[..kept]);
                }
            }
        }
        bytes
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().view.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        let end = offset as usize + out.len();
        let from = platter.view.get(offset as usize..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.spend()?;
        platter.view.resize(len as usize, 0);
        platter.cache.push((len, None));
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.spend()?;
        platter.durable = platter.view.clone();
        platter.cache.clear();
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.spend()?;
        if let Some(room) = &mut platter.room {
            if *room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= 1;
        }
        let end = offset as usize + data.len();
        if platter.view.len() < end {
            platter.view.resize(end, 0);
        }
        platter.view[offset as usize..end].copy_from_slice(data);
        platter.cache.push((offset, Some(data.to_vec())));
        Ok(())
    }
}

fn now() -> i64 {
    1_771_583_400_000
}

pub fn set_up() -> SetUp {
    SetUp {
        organisation: String::new(),
        name: "Ana".into(),
        email: "ana@example.com".into(),
        team: String::new(),
        zone: "UTC".into(),
        day_minutes: 480,
        currency: "EUR".into(),
    }
}

fn add(engine: &Engine, name: &str) -> bool {
    let input: Input = [("name".to_owned(), name.to_owned())].into();
    engine.run(&Save { kind: Kind::Account, id: None, input, seen_rev: None, ack: vec![] }).is_ok()
}

fn names(engine: &Engine) -> Vec<String> {
    let list =
        List { kind: Kind::Account, filter: None, archived: true, account: None, limit: 1000, cursor: None };
    engine.ask(&list).unwrap().items.iter().map(|i| i.text("name")).collect()
}

fn fresh() -> Disk {
    let disk = Disk::default();
    let engine = Engine::alone(Store::with_backend(disk.clone()).unwrap(), Via::Cli, now).unwrap();
    engine.run(&set_up()).unwrap();
    drop(engine);
    disk
}

pub fn count(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// 1,000 power cuts; `PAMS_CRASHES` and `PAMS_CRASH_SEED` make a long run or repeat one.
#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let (crashes, first) = (count("PAMS_CRASHES", 1_000), count("PAMS_CRASH_SEED", 1));
    let start = fresh().0.lock().unwrap().durable.clone();
    let mut total = 0;
    for seed in first..first + crashes {
        let mut random = Random::new(seed);
        let disk = Disk::default();
        {
            let mut platter = disk.0.lock().unwrap();
            (platter.durable, platter.view) = (start.clone(), start.clone());
        }
        let engine = Engine::alone(Store::with_backend(disk.clone()).unwrap(), Via::Cli, now).unwrap();
        disk.0.lock().unwrap().power = Some(random.below(120));
        let mut acknowledged = Vec::new();
        for n in 0..12 {
            let name = format!("Account {n}");
            if !add(&engine, &name) {
                break;
            }
            acknowledged.push(name);
        }
        drop(engine);
        total += acknowledged.len();
        let after = Disk::default();
        {
            let bytes = disk.0.lock().unwrap().cut(&mut random);
            let mut platter = after.0.lock().unwrap();
            (platter.durable, platter.view) = (bytes.clone(), bytes);
        }
        let store = Store::with_backend(after).unwrap_or_else(|e| panic!("PAMS_CRASH_SEED={seed}: {e}"));
        let report = store::check(&store.view().unwrap()).unwrap();
        assert!(report.wrong.is_empty(), "PAMS_CRASH_SEED={seed}: {:?}", report.wrong);
        let engine = Engine::alone(store, Via::Cli, now).unwrap();
        let found = names(&engine);
        for name in &acknowledged {
            assert_eq!(found.iter().filter(|f| *f == name).count(), 1, "PAMS_CRASH_SEED={seed}: {name}");
        }
        assert!(found.len() <= acknowledged.len() + 1, "PAMS_CRASH_SEED={seed}: more than was asked for");
    }
    assert!(total as u64 > crashes, "the cuts come too early to mean anything: {total}");
    println!("{crashes} power cuts, {total} acknowledged changes, seeds from {first}");
}

/// The disk is full at every k-th write: an error, and the file opens again with all
/// that was acknowledged.
#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    let start = fresh().0.lock().unwrap().durable.clone();
    for room in 0..50 {
        let disk = Disk::default();
        {
            let mut platter = disk.0.lock().unwrap();
            (platter.durable, platter.view) = (start.clone(), start.clone());
        }
        let engine = Engine::alone(Store::with_backend(disk.clone()).unwrap(), Via::Cli, now).unwrap();
        disk.0.lock().unwrap().room = Some(room);
        let acknowledged: Vec<String> =
            (0..8).map(|n| format!("Account {n}")).take_while(|name| add(&engine, name)).collect();
        drop(engine);
        let bytes = disk.0.lock().unwrap().view.clone();
        let again = Disk::default();
        {
            let mut platter = again.0.lock().unwrap();
            (platter.durable, platter.view) = (bytes.clone(), bytes);
        }
        let engine = Engine::alone(Store::with_backend(again).unwrap(), Via::Cli, now).unwrap();
        let found = names(&engine);
        assert!(acknowledged.iter().all(|a| found.contains(a)), "room {room}");
        assert!(add(&engine, "After"), "room {room}: saving works again");
    }
}
