//! `pams dev gen-hierarchy`: tables of outlets whose hierarchy is known, as systems export
//! them (codes beside names, codes that come again under other parents, blanks, noise,
//! branches without a level), and tables that have none.

use crate::cli::{Context, output};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use crate::intake::hierarchy::{Chain, Gather, detect};
use crate::random::Random;
use clap::ArgMatches;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Titles of the levels a chain may have, from the top, in some systems' words; behind `|`
/// the title of a code that stands beside the name.
const CHAINS: [&[&str]; 8] = [
    &["Country", "Region|Region Code", "Area", "Territory|Territory Code"],
    &["Zone", "State", "District", "Territory"],
    &[
        "country_name|country_cd",
        "region_nm|region_cd",
        "area_nm|area_cd",
        "territory_nm|territory_cd",
        "beat_nm|beat_cd",
    ],
    &["Region", "Branch|BranchCode", "Territory|TerritoryCode", "Beat"],
    &["País", "Zona", "Sector", "Ruta"],
    &["Страна", "Регион", "Территория", "Маршрут"],
    &["Division", "Zone", "Region", "Area", "Territory", "Beat"],
    &["Region", "Territory"],
];
/// People who sell, from the top: a second hierarchy beside the first.
const PEOPLE: [&str; 3] = ["RSM", "ASM", "Sales Rep"];
const SYLLABLES: [&str; 24] = [
    "ba", "ri", "to", "ka", "ne", "lu", "sa", "mo", "vi", "dar", "gan", "pur", "ton", "hal", "mar", "sol",
    "kin", "ber", "ost", "wes", "nor", "sud", "lin", "pet",
];

/// What is true of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    pub file: String,
    /// Levels from the top, each with the titles that name it; none where there are none.
    pub levels: Vec<Vec<String>>,
    pub noise: f64,
    pub blanks: f64,
    pub homonyms: bool,
    pub ragged: bool,
}

/// A table and what is true of it.
pub struct Made {
    pub titles: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub truth: Truth,
}

fn name(random: &mut Random, syllables: usize) -> String {
    let mut name: String = (0..syllables).map(|_| *random.pick(&SYLLABLES)).collect();
    if let Some(first) = name.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    name
}

/// A place in the tree: its path of names, and codes beside them.
struct Leaf {
    names: Vec<String>,
    codes: Vec<String>,
    town: Vec<String>,
    distributor: String,
    people: Vec<String>,
}

/// One set; every eighth has no hierarchy.
pub fn make(number: usize, random: &mut Random) -> Made {
    let flat = number % 8 == 7;
    let shape = *random.pick(&CHAINS);
    let levels: Vec<(&str, Option<&str>)> = shape
        .iter()
        .map(|l| l.split_once('|').map_or((*l, None), |(name, code)| (name, Some(code))))
        .collect();
    let noise = if random.one_in(3) { 0.0 } else { random.below(46) as f64 / 1_000.0 };
    let blanks = if random.one_in(2) { 0.0 } else { random.below(31) as f64 / 100.0 };
    let homonyms = random.one_in(2);
    let ragged = random.one_in(4);
    let leaves = grow(&levels, homonyms, ragged, random);
    let count = (leaves.len() * (4 + random.below(20))).clamp(600, 9_000);
    let with_people = random.one_in(3);
    let mut titles = vec!["Outlet Code".to_owned(), "Outlet Name".to_owned()];
    if !flat {
        for (name, code) in &levels {
            titles.extend(code.map(str::to_owned));
            titles.push((*name).to_owned());
        }
    }
    titles.extend(
        ["Town", "Distributor", "Channel", "Class", "Avg Sales", "Created On", "Phone"].map(str::to_owned),
    );
    if with_people && !flat {
        titles.extend(PEOPLE.map(str::to_owned));
    }
    let mut rows = Vec::with_capacity(count);
    for n in 0..count {
        let leaf = &leaves[random.below(leaves.len())];
        let mut row = vec![format!("S{n:06}"), format!("{} Store", name(random, 3))];
        if !flat {
            for level in 0..levels.len() {
                // A wrong entry is one that stands elsewhere in the column.
                let wrong = (random.below(10_000) as f64) < noise * 10_000.0 / levels.len() as f64;
                let from = if wrong { &leaves[random.below(leaves.len())] } else { leaf };
                let blank = (random.below(1_000) as f64) < blanks * 1_000.0;
                let put = |text: &str| if blank { String::new() } else { text.to_owned() };
                if levels[level].1.is_some() {
                    row.push(put(&from.codes[level]));
                }
                row.push(put(&from.names[level]));
            }
        }
        let town = match flat {
            true => name(random, 2),
            false => random.pick(&leaf.town).clone(),
        };
        row.push(town);
        row.push(if flat { format!("D{:03}", random.below(60)) } else { leaf.distributor.clone() });
        row.push(random.pick(&["GT", "MT", "Horeca", "Pharma"]).to_string());
        row.push(random.pick(&["A", "B", "C", "D"]).to_string());
        row.push(format!("{}.{:02}", random.below(50_000), random.below(100)));
        row.push(format!(
            "20{:02}-{:02}-{:02}",
            10 + random.below(15),
            1 + random.below(12),
            1 + random.below(28)
        ));
        row.push(format!("+49{}", 100_000_000 + random.below(899_999_999)));
        if with_people && !flat {
            row.extend(leaf.people.iter().cloned());
        }
        rows.push(row);
    }
    let levels = match flat {
        true => vec![],
        false => levels
            .iter()
            .map(|(name, code)| std::iter::once(*name).chain(*code).map(str::to_owned).collect())
            .collect(),
    };
    let file = format!("set_{number:03}.csv");
    Made { titles, rows, truth: Truth { file, levels, noise, blanks, homonyms, ragged } }
}

fn grow(levels: &[(&str, Option<&str>)], homonyms: bool, ragged: bool, random: &mut Random) -> Vec<Leaf> {
    struct Branch {
        names: Vec<String>,
        codes: Vec<String>,
    }
    let mut branches = vec![Branch { names: vec![], codes: vec![] }];
    let depth = levels.len();
    for level in 0..depth {
        let mut next = Vec::new();
        for (place, branch) in branches.iter().enumerate() {
            let fan = match level {
                0 => 3 + random.below(4),
                _ if depth > 4 => 2 + random.below(3),
                _ => 2 + random.below(6),
            };
            // A branch without this level says its parent's name once more.
            if ragged && level > 0 && level + 1 < depth && random.one_in(6) {
                let mut names = branch.names.clone();
                names.extend(branch.names.last().cloned());
                let mut codes = branch.codes.clone();
                codes.extend(branch.codes.last().cloned());
                next.push(Branch { names, codes });
                continue;
            }
            for child in 0..fan {
                let mut names = branch.names.clone();
                let mut codes = branch.codes.clone();
                // Codes that count from one under each parent, names that come again.
                let again = homonyms && level > 0;
                names.push(match again && random.one_in(12) {
                    true => ["Central", "North", "South", "East"][child % 4].to_owned(),
                    false => format!("{} {}", name(random, 2), name(random, 2)),
                });
                codes.push(match again && level + 1 < depth {
                    true => format!("{:02}", child + 1),
                    false => format!("{}{place:03}{child}", (b'A' + level as u8) as char),
                });
                next.push(Branch { names, codes });
            }
        }
        branches = next;
    }
    let distributors = (branches.len() / 3).max(2);
    let total = branches.len();
    let mut town = String::new();
    branches
        .into_iter()
        .enumerate()
        .map(|(place, branch)| {
            let towns = (0..1 + random.below(4))
                .map(|_| {
                    if town.is_empty() || !random.one_in(10) {
                        town = name(random, 3);
                    }
                    town.clone()
                })
                .collect();
            let seller = place * 2 / 3;
            Leaf {
                town: towns,
                distributor: format!("D{:04}", place * distributors / total),
                people: vec![
                    format!("R{}", seller / 40),
                    format!("M{}", seller / 8),
                    format!("P{seller:04}"),
                ],
                names: branch.names,
                codes: branch.codes,
            }
        })
        .collect()
}

/// Whether a chain is the true one: the same levels, each by one of its titles.
pub fn is_right(truth: &Truth, found: Option<&Chain>) -> bool {
    let Some(chain) = found else { return truth.levels.is_empty() };
    chain.levels.len() == truth.levels.len()
        && chain
            .levels
            .iter()
            .zip(&truth.levels)
            .all(|(level, titles)| level.columns.iter().any(|c| titles.contains(c)))
}

#[derive(Serialize)]
struct Score {
    seed: u64,
    sets: usize,
    right: usize,
    /// Sets without a hierarchy in which one was found.
    invented: usize,
    share: f64,
    wrong: Vec<Wrong>,
}

#[derive(Serialize)]
struct Wrong {
    truth: Truth,
    found: Vec<Vec<String>>,
}

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let number = |name: &str, or: u64| matches.get_one::<u64>(name).copied().unwrap_or(or);
    let (seed, sets) = (number("seed", 1), number("sets", 40) as usize);
    let out = matches.get_one::<PathBuf>("out");
    let mut random = Random::new(seed);
    let mut score = Score { seed, sets, right: 0, invented: 0, share: 0.0, wrong: vec![] };
    let mut truths = Vec::new();
    for n in 0..sets {
        let made = make(n, &mut random);
        if let Some(folder) = out {
            write(folder, &made)?;
        }
        let mut gather = Gather::new(&made.titles);
        for row in &made.rows {
            if gather.wants() {
                gather.push(row.iter().map(String::as_str));
            }
        }
        let chains = detect(&gather.finish());
        let right = is_right(&made.truth, chains.first());
        score.right += usize::from(right);
        score.invented += usize::from(!right && made.truth.levels.is_empty());
        if !right {
            let found = chains.first().map(|c| c.levels.iter().map(|l| l.columns[0].clone()).collect());
            score.wrong.push(Wrong { truth: made.truth.clone(), found: found.into_iter().collect() });
        }
        truths.push(made.truth);
    }
    score.share = score.right as f64 / sets.max(1) as f64;
    if let Some(folder) = out {
        let text = serde_json::to_string_pretty(&truths).map_err(|e| Failure::internal(e.to_string()))?;
        save(&folder.join("truth.json"), &text)?;
    }
    if context.json {
        output::json(&score);
        return Ok(());
    }
    for wrong in &score.wrong {
        let levels = |all: &[Vec<String>]| all.iter().map(|l| l.join("+")).collect::<Vec<_>>().join(" > ");
        let truth = &wrong.truth;
        let found = wrong.found.first().map_or("none".to_owned(), |f| f.join(" > "));
        output::line(&format!(
            "{}: {} taken for {found} (noise {}, blanks {}, homonyms {}, ragged {})",
            truth.file,
            levels(&truth.levels),
            truth.noise,
            truth.blanks,
            truth.homonyms,
            truth.ragged
        ));
    }
    output::line(&format!(
        "{} sets, {} right ({:.1} %), {} invented",
        sets,
        score.right,
        100.0 * score.share,
        score.invented
    ));
    Ok(())
}

fn write(folder: &Path, made: &Made) -> Outcome<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let wrong = |e: csv::Error| Failure::internal(e.to_string());
    csv.write_record(&made.titles).map_err(wrong)?;
    for row in &made.rows {
        csv.write_record(row).map_err(wrong)?;
    }
    let bytes = csv.into_inner().map_err(|e| Failure::internal(e.to_string()))?;
    save(&folder.join(&made.truth.file), &String::from_utf8_lossy(&bytes))
}

fn save(path: &Path, text: &str) -> Outcome<()> {
    let failed =
        |e: std::io::Error| Failure::invalid(format!("{} cannot be written: {}", path.display(), said(&e)));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}
