//! `pams dev gen-unit`: files of a planning unit of any size with beats as organisations have
//! them before they plan: towns around distributors, reps with sectors of them, beats parts
//! of sectors.

use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::solver::journey::{WEEKDAYS, made};
use clap::ArgMatches;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The files by what they hold, in the order of their import.
pub const FILES: [&str; 3] = ["outlets", "distributors", "reps"];
/// The unit's territory, and a small one that no rep has.
pub const UNIT: &str = "Unit";
pub const BESIDE: &str = "Beside";
const SMALL: usize = 200;
/// Outlets of a made rep.
const OF_REP: usize = 190;
/// Weekdays of made beats.
const DAYS: usize = 6;

pub fn generate(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(1);
    let folder = matches.get_one::<PathBuf>("out").cloned().unwrap_or_else(|| PathBuf::from("."));
    let (reps, distributors) = write(&folder, number("outlets") as usize, number("seed"))?;
    if !context.json {
        output::line(&format!("{}: {reps} reps of {distributors} distributors", folder.display()));
    }
    Ok(())
}

/// Writes the files; reps and distributors that they have.
pub fn write(folder: &Path, outlets: usize, seed: u64) -> Outcome<(usize, usize)> {
    let task = made::towns(outlets, seed);
    let mut of: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (n, outlet) in task.outlets.iter().enumerate() {
        let off = |d: usize| {
            let d = &task.distributors[d];
            (outlet.lat - d.lat, outlet.lon - d.lon)
        };
        let far = |d: &usize| off(*d).0.hypot(off(*d).1);
        let near = (0..task.distributors.len()).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(0);
        of.entry(near).or_default().push((off(near).0.atan2(off(near).1), n));
    }
    let mut table = "Outlet Code,Outlet Name,Lat,Lon,Class,Distributor Code,Territory,Beat,Salesperson Code,\
                     Visit Frequency\n"
        .to_owned();
    let mut reps = "Rep Code,Rep Name,Depot,Hours a Day,Territory\n".to_owned();
    let mut depots = "Distributor Code,Distributor Name,Latitude,Longitude\n".to_owned();
    let (mut staff, served) = (0, of.len());
    for (d, mut members) in of {
        let depot = &task.distributors[d];
        let _ = writeln!(depots, "{0},Depot {0},{1},{2}", depot.id, depot.lat, depot.lon);
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = members.len().div_ceil(OF_REP);
        staff += count;
        for rep in 0..count {
            let code = format!("{}R{:02}", depot.id, rep + 1);
            let _ = writeln!(reps, "{code},Rep {code},Depot {},8h30m,{UNIT}", depot.id);
            let sector = &members[rep * members.len() / count..(rep + 1) * members.len() / count];
            for (place, (_, n)) in sector.iter().enumerate() {
                let o = &task.outlets[*n];
                let beat = WEEKDAYS[place * DAYS / sector.len().max(1)];
                let _ = writeln!(
                    table,
                    "{0},Shop {0},{1},{2},{3},{4},{UNIT},{beat},{code},{5}",
                    o.id,
                    o.lat,
                    o.lon,
                    ["A", "B", "C"][n % 3],
                    depot.id,
                    o.visits.min(4)
                );
            }
        }
    }
    for o in task.outlets.iter().take(SMALL) {
        let _ = writeln!(table, "X{0},Kiosk {0},{1},{2},C,,{BESIDE},,,1", o.id, o.lat, o.lon);
    }
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::invalid(format!("{} cannot be made: {}", folder.display(), said(&e))))?;
    for (noun, text) in FILES.into_iter().zip([table, depots, reps]) {
        let file = folder.join(format!("{noun}.csv"));
        std::fs::write(&file, text)
            .map_err(|e| Failure::invalid(format!("{} cannot be written: {}", file.display(), said(&e))))?;
    }
    Ok((staff, served))
}
