//! Levels of a territory hierarchy found in the columns of a table: which column's values
//! determine which other's, as nearly as real data does, and the longest way up.
//!
//! A column determines another when few rows have to go for it to be a function of it (the
//! g3 error of Kivinen and Mannila, 1995), and far fewer than if the values had fallen
//! there by chance, which is found out by shuffling them.

use crate::columns::FastMap;
use crate::domain::text::fold;
use crate::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows looked at, spread over the table.
pub const SAMPLE: usize = 40_000;
/// Share of rows with a value that a level needs.
const FILLED: f64 = 0.5;
/// Different values a row, at most: beyond that it is a key or a text.
const DISTINCT: f64 = 0.6;
/// Share of rows that may contradict.
const G3: f64 = 0.05;
/// The same against chance: 1 is a function, 0 is chance.
const CORRECTED: f64 = 0.9;
/// Share of rows that must have both values.
const SUPPORT: f64 = 0.3;
/// Columns looked at: their pairs are compared.
const MAX_COLUMNS: usize = 24;
/// Ways that are offered.
const OFFERED: usize = 3;
/// Letters of a value on average, at most: beyond that it is a text.
const MAX_LETTERS: usize = 40;

/// A column: what it is called and the number of each row's value, 0 for none.
#[derive(Clone, Debug, Default)]
pub struct Column {
    pub title: String,
    pub values: Vec<u32>,
    /// Different values, 0 not counted.
    pub distinct: usize,
    /// Letters of its values on average, and whether they are measures or days.
    pub letters: usize,
    pub measure: bool,
}

/// Takes rows and makes columns of them: of a long table, rows spread over all of it.
#[derive(Default)]
pub struct Gather {
    columns: Vec<Column>,
    numbers: Vec<FastMap<String, u32>>,
    /// Every so manieth row is kept.
    stride: usize,
    seen: usize,
}

impl Gather {
    pub fn new(titles: &[String]) -> Gather {
        let column = |title: &String| Column { title: title.clone(), ..Column::default() };
        let columns: Vec<Column> = titles.iter().map(column).collect();
        Gather { numbers: vec![FastMap::default(); columns.len()], columns, stride: 1, seen: 0 }
    }

    /// Whether the next row is kept; others need not be read.
    pub fn wants(&mut self) -> bool {
        self.seen += 1;
        (self.seen - 1).is_multiple_of(self.stride)
    }

    /// A row that is wanted, cell by cell.
    pub fn push<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        for ((column, numbers), cell) in self.columns.iter_mut().zip(&mut self.numbers).zip(cells) {
            let cell = cell.trim();
            let next = numbers.len() as u32 + 1;
            column.values.push(match (cell.is_empty(), numbers.get(cell)) {
                (true, _) => 0,
                (_, Some(number)) => *number,
                _ => *numbers.entry(cell.to_owned()).or_insert(next),
            });
        }
        if self.columns.first().is_some_and(|c| c.values.len() >= 2 * SAMPLE) {
            self.stride *= 2;
            for column in &mut self.columns {
                let mut place = 0;
                column.values.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
            }
        }
    }

    pub fn finish(mut self) -> Vec<Column> {
        for (column, numbers) in self.columns.iter_mut().zip(&self.numbers) {
            let mut used: Vec<u32> = column.values.iter().copied().filter(|v| *v != 0).collect();
            used.sort_unstable();
            used.dedup();
            column.distinct = used.len();
            let letters: usize = numbers.keys().map(|k| k.chars().count()).sum();
            column.letters = letters / numbers.len().max(1);
            let odd = numbers.keys().filter(|k| is_measure(k)).count();
            column.measure = odd * 10 > numbers.len() * 6;
        }
        self.columns
    }
}

/// A number with decimals, a day, or an address of the net: no name of an area.
fn is_measure(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let others = text.bytes().filter(|b| !b.is_ascii_digit()).count();
    let decimal = text.parse::<f64>().is_ok() && text.contains('.');
    let day =
        digits >= 6 && others >= 2 && text.bytes().all(|b| b.is_ascii_digit() || b"-/.: T".contains(&b));
    decimal || day || text.contains('@') || digits >= 9
}

/// A level of a chain: the columns that name it, the one people read first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    pub columns: Vec<String>,
    /// Different paths down to here, in the rows looked at.
    pub units: usize,
    /// Rows whose value here belongs elsewhere by what most rows say.
    pub violating: usize,
    /// 0 to 1, of this level under the one above.
    pub confidence: f64,
}

/// Levels from the top down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    pub levels: Vec<Level>,
    pub confidence: f64,
    /// What it is a hierarchy of: "territory", "place", "people" or "other".
    pub kind: String,
}

/// What a title says of a level: a family and how far down it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Prior {
    family: Family,
    rank: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Territory,
    Place,
    People,
    /// Serves outlets, but is no area.
    Supply,
    /// Says what an outlet is, not where.
    Class,
    Other,
}

use Family::{Class, Other, People, Place, Supply, Territory};

/// Words of titles in several languages; the longest that fits counts.
const WORDS: &[(&str, Family, u8)] = &[
    ("country", Territory, 1),
    ("nation", Territory, 1),
    ("pais", Territory, 1),
    ("pays", Territory, 1),
    ("land", Territory, 1),
    ("страна", Territory, 1),
    ("国家", Territory, 1),
    ("market unit", Territory, 2),
    ("cluster", Territory, 2),
    ("division", Territory, 2),
    ("business unit", Territory, 2),
    ("zone", Territory, 3),
    ("zona", Territory, 3),
    ("region", Territory, 4),
    ("regiao", Territory, 4),
    ("регион", Territory, 4),
    ("大区", Territory, 4),
    ("area", Territory, 6),
    ("branch", Territory, 6),
    ("depot", Territory, 6),
    ("subregion", Territory, 5),
    ("sub region", Territory, 5),
    ("district", Place, 5),
    ("territory", Territory, 8),
    ("territorio", Territory, 8),
    ("gebiet", Territory, 8),
    ("territoire", Territory, 8),
    ("territorium", Territory, 8),
    ("территория", Territory, 8),
    ("subterritory", Territory, 9),
    ("sector", Territory, 7),
    ("secteur", Territory, 7),
    ("beat", Territory, 10),
    ("route", Territory, 10),
    ("ruta", Territory, 10),
    ("rota", Territory, 10),
    ("маршрут", Territory, 10),
    ("线路", Territory, 10),
    ("state", Place, 3),
    ("province", Place, 3),
    ("provincia", Place, 3),
    ("estado", Place, 3),
    ("bundesland", Place, 3),
    ("admin", Place, 3),
    ("county", Place, 4),
    ("kreis", Place, 5),
    ("municipality", Place, 6),
    ("municipio", Place, 6),
    ("city", Place, 7),
    ("town", Place, 7),
    ("ciudad", Place, 7),
    ("cidade", Place, 7),
    ("ville", Place, 7),
    ("stadt", Place, 7),
    ("ort", Place, 7),
    ("город", Place, 7),
    ("城市", Place, 7),
    ("locality", Place, 8),
    ("suburb", Place, 8),
    ("village", Place, 8),
    ("ward", Place, 8),
    ("postal", Place, 9),
    ("postcode", Place, 9),
    ("zip", Place, 9),
    ("pin", Place, 9),
    ("plz", Place, 9),
    ("cep", Place, 9),
    ("nsm", People, 1),
    ("zsm", People, 2),
    ("rsm", People, 3),
    ("asm", People, 4),
    ("manager", People, 4),
    ("tsm", People, 5),
    ("supervisor", People, 5),
    ("so", People, 6),
    ("salesperson", People, 7),
    ("sales rep", People, 7),
    ("rep", People, 7),
    ("seller", People, 7),
    ("vendedor", People, 7),
    ("owner", Other, 0),
    ("distributor", Supply, 1),
    ("dealer", Supply, 1),
    ("stockist", Supply, 1),
    ("wholesaler", Supply, 1),
    ("warehouse", Supply, 1),
    ("channel", Class, 1),
    ("subchannel", Class, 2),
    ("class", Class, 3),
    ("category", Class, 2),
    ("segment", Class, 2),
    ("type", Class, 2),
    ("status", Class, 4),
    ("size", Class, 4),
    ("chain", Class, 5),
    ("banner", Class, 5),
];

fn prior(title: &str) -> Prior {
    let folded = format!(" {} ", split(title));
    let fits = |word: &str| match word.is_ascii() {
        true => folded.contains(&format!(" {word} ")) || folded.contains(&format!(" {word}s ")),
        false => folded.contains(word),
    };
    let found = WORDS.iter().filter(|(word, ..)| fits(word)).max_by_key(|(word, ..)| word.len());
    found.map_or(Prior { family: Other, rank: 0 }, |(_, family, rank)| Prior { family: *family, rank: *rank })
}

/// "TerritoryCode" as "territory code", folded.
fn split(title: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for c in title.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            words.push(' ');
        }
        words.push(c);
        before = c;
    }
    fold(&words)
}

/// A level while it is looked for: its columns, and the numbers of its values by row.
struct Node {
    columns: Vec<usize>,
    values: Vec<u32>,
    distinct: usize,
    prior: Prior,
}

/// How far one level determines another.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    g3: f64,
    corrected: f64,
    support: f64,
}

impl Edge {
    fn holds(self) -> bool {
        self.g3 <= G3 && self.corrected >= CORRECTED && self.support >= SUPPORT
    }
}

/// Chains of levels, the likeliest first; none where there is no hierarchy.
pub fn detect(columns: &[Column]) -> Vec<Chain> {
    let rows = columns.iter().map(|c| c.values.len()).max().unwrap_or(0);
    if rows < 20 {
        return vec![];
    }
    let mut nodes = nodes(columns, rows);
    pair(&mut nodes, columns);
    collapse(&mut nodes, columns);
    let mut edges = compare(&nodes);
    // A level that is keyed can be the witness for another.
    for _ in 0..MAX_COLUMNS {
        if !keyed_by_path(&mut nodes, &edges) {
            break;
        }
        // Codes that came again are one with their names once they are keyed.
        collapse(&mut nodes, columns);
        edges = compare(&nodes);
    }
    let mut chains = ways(&nodes, &edges);
    // What serves outlets is no level above them by itself.
    let areas = |way: &Vec<usize>| way.iter().filter(|n| nodes[**n].prior.family != Supply).count();
    chains.retain(|way| areas(way) >= 2);
    let mut offered: Vec<Vec<usize>> = Vec::new();
    for way in chains {
        // A way that says little else than one offered already is no other way.
        let fresh = |other: &Vec<usize>| way.iter().filter(|n| !other.contains(n)).count() * 2 >= way.len();
        if offered.iter().all(fresh) {
            offered.push(way);
        }
        if offered.len() == OFFERED {
            break;
        }
    }
    offered.iter().map(|way| chain(way, &nodes, &edges, columns)).collect()
}

/// Columns that can be levels.
fn nodes(columns: &[Column], rows: usize) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for (number, column) in columns.iter().enumerate() {
        let filled = column.values.iter().filter(|v| **v != 0).count();
        let fits = filled as f64 >= FILLED * rows as f64
            && column.distinct >= 2
            && column.distinct as f64 <= DISTINCT * filled as f64
            && column.letters <= MAX_LETTERS
            && !column.measure;
        if fits {
            nodes.push(Node {
                columns: vec![number],
                values: column.values.clone(),
                distinct: column.distinct,
                prior: prior(&column.title),
            });
        }
    }
    // What says nothing of a place or an area comes last when there are too many.
    nodes.sort_by_key(|n| (n.prior.family, n.columns[0]));
    nodes.truncate(MAX_COLUMNS);
    nodes
}

/// A title without what says that it is the code or the name of a thing.
fn stem(title: &str) -> String {
    const ASIDE: [&str; 11] =
        ["code", "cd", "name", "nm", "id", "no", "number", "key", "desc", "description", "codigo"];
    let words = split(title);
    words.split(' ').filter(|w| !ASIDE.contains(w)).collect::<Vec<_>>().join(" ")
}

/// Columns whose titles are the code and the name of one thing are one level, even where
/// the same code or name comes again under other parents.
fn pair(nodes: &mut Vec<Node>, columns: &[Column]) {
    let stems: Vec<String> = columns.iter().map(|c| stem(&c.title)).collect();
    let mut a = 0;
    while a < nodes.len() {
        let of = |n: &Node| stems[n.columns[0]].clone();
        let twin =
            (a + 1..nodes.len()).find(|b| !of(&nodes[a]).is_empty() && of(&nodes[*b]) == of(&nodes[a]));
        if let Some(b) = twin {
            let gone = nodes.remove(b);
            let mut numbers = std::collections::HashMap::new();
            for (value, other) in nodes[a].values.iter_mut().zip(&gone.values) {
                let next = numbers.len() as u32 + 1;
                // Where one of the two is missing, the other says as much as it can.
                *value = match (*value, *other) {
                    (0, 0) => 0,
                    both => *numbers.entry(both).or_insert(next),
                };
            }
            nodes[a].distinct = numbers.len();
            join(&mut nodes[a], gone, columns);
        }
        a += 1;
    }
}

/// The columns of one level: an area's comes before a town's, else the one with the longer
/// values is the one people read.
fn join(kept: &mut Node, gone: Node, columns: &[Column]) {
    let letters = |n: &Node| columns[n.columns[0]].letters;
    let first = match gone.prior.family.cmp(&kept.prior.family) {
        std::cmp::Ordering::Equal => letters(&gone) > letters(kept),
        order => order.is_lt(),
    };
    if gone.prior.family < kept.prior.family {
        kept.prior = gone.prior;
    }
    match first {
        true => kept.columns.splice(0..0, gone.columns).for_each(drop),
        false => kept.columns.extend(gone.columns),
    }
}

/// Two columns that determine each other are one level.
fn collapse(nodes: &mut Vec<Node>, columns: &[Column]) {
    let mut a = 0;
    while a < nodes.len() {
        let mut b = a + 1;
        while b < nodes.len() {
            let (one, other) = (&nodes[a], &nodes[b]);
            let near = one.distinct.abs_diff(other.distinct) as f64
                <= 0.15 * one.distinct.max(other.distinct) as f64;
            if near && edge(one, other).holds() && edge(other, one).holds() {
                let gone = nodes.remove(b);
                join(&mut nodes[a], gone, columns);
            } else {
                b += 1;
            }
        }
        a += 1;
    }
}

/// Edge of each pair, the finer first.
fn compare(nodes: &[Node]) -> Vec<Vec<Edge>> {
    nodes.iter().map(|x| nodes.iter().map(|y| edge(x, y)).collect()).collect()
}

/// Whether the values of `x` determine those of `y`.
fn edge(x: &Node, y: &Node) -> Edge {
    // Who has fewer values cannot be below; homonyms make up for a few.
    if (x.distinct as f64) < 1.05 * y.distinct as f64 && x.distinct + 1 < y.distinct || std::ptr::eq(x, y) {
        return Edge::default();
    }
    let mut pairs: Vec<(u32, u32)> =
        x.values.iter().zip(&y.values).filter(|(a, b)| **a != 0 && **b != 0).map(|(a, b)| (*a, *b)).collect();
    let support = pairs.len() as f64 / x.values.len().max(1) as f64;
    if support < SUPPORT {
        return Edge { support, ..Edge::default() };
    }
    let g3 = error(&mut pairs);
    if g3 > 3.0 * G3 {
        return Edge { g3, corrected: 0.0, support };
    }
    let mut random = Random::new(0x7e44);
    for n in (1..pairs.len()).rev() {
        let other = random.below(n + 1);
        let kept = pairs[n].1;
        pairs[n].1 = pairs[other].1;
        pairs[other].1 = kept;
    }
    let chance = error(&mut pairs);
    // Where chance does as well, nothing is said: most rows have a value of their own.
    let corrected = if chance < 0.02 { 0.0 } else { 1.0 - g3 / chance };
    Edge { g3, corrected, support }
}

/// Share of the pairs that have to go for the second to be a function of the first.
fn error(pairs: &mut [(u32, u32)]) -> f64 {
    pairs.sort_unstable();
    let mut kept = 0;
    for group in pairs.chunk_by(|a, b| a.0 == b.0) {
        kept += group.chunk_by(|a, b| a.1 == b.1).map(<[_]>::len).max().unwrap_or(0);
    }
    1.0 - kept as f64 / pairs.len().max(1) as f64
}

/// Levels whose values come again under other parents, such as the codes of states in
/// several countries: where a finer level determines both, the two together are one.
/// Whether any was found.
fn keyed_by_path(nodes: &mut [Node], edges: &[Vec<Edge>]) -> bool {
    let mut keyed: Vec<(usize, usize)> = Vec::new();
    for x in 0..nodes.len() {
        for y in 0..nodes.len() {
            let ranked = below(nodes[x].prior, nodes[y].prior);
            if x == y || !ranked || edges[x][y].holds() || edges[y][x].holds() {
                continue;
            }
            let witness =
                (0..nodes.len()).any(|z| z != x && z != y && edges[z][x].holds() && edges[z][y].holds());
            // Without a finer level the names must do: most of its values keep to one parent.
            let mostly = edges[x][y].g3 > 0.0 && edges[x][y].g3 <= 0.15;
            if witness || mostly {
                keyed.push((x, y));
            }
        }
    }
    // Each under the lowest of its parents, from the top down, so that paths grow whole.
    keyed.sort_by_key(|(x, y)| (nodes[*x].prior.rank, std::cmp::Reverse(nodes[*y].prior.rank)));
    keyed.dedup_by_key(|(x, _)| *x);
    for (x, y) in &keyed {
        let mut numbers = std::collections::HashMap::new();
        let above = nodes[*y].values.clone();
        for (value, above) in nodes[*x].values.iter_mut().zip(above) {
            if *value != 0 {
                let next = numbers.len() as u32 + 1;
                *value = if above == 0 { 0 } else { *numbers.entry((above, *value)).or_insert(next) };
            }
        }
        nodes[*x].distinct = numbers.len();
    }
    !keyed.is_empty()
}

/// Whether titles say that one stands below the other.
fn below(x: Prior, y: Prior) -> bool {
    let placed = |p: Prior| matches!(p.family, Territory | Place);
    match (x.family, y.family) {
        (a, b) if a == b && a != Other && a != Class => x.rank > y.rank,
        _ if placed(x) && placed(y) => x.rank > y.rank,
        // Anything keeps to one country.
        (Supply | Other, Territory) => y.rank <= 1,
        _ => false,
    }
}

/// What a level is worth on a way: areas are what is looked for.
fn worth(prior: Prior) -> f64 {
    match prior.family {
        Territory => 1.0,
        Place if prior.rank >= 9 => 0.2,
        Place => 0.55,
        People => 0.5,
        // What serves an area is none.
        Supply => -0.1,
        Other => 0.35,
        Class => -0.5,
    }
}

/// What the best way down to a node is worth, and the node above it on that way.
type Step = (f64, Option<usize>);

/// Longest ways up, each from the top down, the worthiest first.
fn ways(nodes: &[Node], edges: &[Vec<Edge>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|n| (nodes[*n].distinct, nodes[*n].columns[0]));
    // The best way that ends at a node, by family of ways.
    let families = |n: usize| -> &[usize] {
        match nodes[n].prior.family {
            Territory | Place => &[0],
            People => &[1],
            Supply => &[0, 2],
            Class => &[3],
            Other => &[0, 1, 2],
        }
    };
    let mut best: Vec<[Option<Step>; 4]> = vec![[None; 4]; nodes.len()];
    for (place, n) in order.iter().enumerate() {
        for family in families(*n) {
            let mut found = (worth(nodes[*n].prior), None);
            for above in &order[..place] {
                let edge = edges[*n][*above];
                let ranked = below(nodes[*above].prior, nodes[*n].prior);
                // An area of the sales force holds towns, but they are no level of it.
                let town = nodes[*n].prior.family == Place
                    && nodes[*above].prior.family == Territory
                    && nodes[*above].prior.rank >= 6;
                if !edge.holds() || ranked || town || nodes[*n].distinct * 10 < nodes[*above].distinct * 11 {
                    continue;
                }
                if let Some((value, _)) = best[*above][*family] {
                    // Fan-out that is even and more than one says more.
                    let fan = (nodes[*n].distinct as f64 / nodes[*above].distinct as f64).ln().min(3.0);
                    let sum = value + worth(nodes[*n].prior) * edge.corrected + 0.05 * fan;
                    if sum > found.0 + if found.1.is_none() { 0.0 } else { 1e-9 } {
                        found = (sum, Some(*above));
                    }
                }
            }
            best[*n][*family] = Some(found);
        }
    }
    let mut ends: Vec<(f64, usize, usize)> = Vec::new();
    for (n, of) in best.iter().enumerate() {
        ends.extend(of.iter().enumerate().filter_map(|(family, b)| b.map(|(value, _)| (value, n, family))));
    }
    ends.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let back = |(_, end, family): &(f64, usize, usize)| {
        let (mut way, mut at) = (vec![*end], *end);
        while let Some((_, Some(above))) = best[at][*family] {
            way.push(above);
            at = above;
        }
        way.reverse();
        way
    };
    ends.iter().map(back).collect()
}

fn chain(way: &[usize], nodes: &[Node], edges: &[Vec<Edge>], columns: &[Column]) -> Chain {
    let mut chain = Chain::default();
    for (place, n) in way.iter().enumerate() {
        let node = &nodes[*n];
        let edge = match place {
            0 => Edge { g3: 0.0, corrected: 1.0, support: 1.0 },
            _ => edges[*n][way[place - 1]],
        };
        let rows = node.values.iter().filter(|v| **v != 0).count() as f64;
        chain.levels.push(Level {
            columns: node.columns.iter().map(|c| columns[*c].title.clone()).collect(),
            units: node.distinct,
            violating: (edge.g3 * rows * edge.support).round() as usize,
            confidence: edge.corrected.clamp(0.0, 1.0),
        });
    }
    let sum: f64 = chain.levels.iter().map(|l| l.confidence).sum();
    chain.confidence = sum / chain.levels.len().max(1) as f64;
    let has = |family: Family| way.iter().filter(|n| nodes[**n].prior.family == family).count();
    let kinds = [("territory", has(Territory)), ("place", has(Place)), ("people", has(People)), ("other", 0)];
    let most = kinds.iter().map(|(_, n)| *n).max().unwrap_or(0);
    chain.kind = kinds.iter().find(|(_, n)| *n == most && most > 0).map_or("other", |(k, _)| k).into();
    chain
}
