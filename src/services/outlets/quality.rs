//! What is wrong with the outlets, rule by rule.

use crate::domain::Outcome;
use crate::domain::schema::{Batch, Kind};
use crate::intake::rules;
use crate::services::datasets::{Manifest, Table};
use crate::services::imports::uploads::unhex;
use crate::services::{Query, ReadCx, all_live, datasets};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many outlets each rule points at.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Quality {}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct QualityReport {
    pub outlets: u64,
    /// Rows of the last file that are held back.
    pub held: u64,
    /// Share of outlets that no rule points at, 0 to 1.
    pub sound: f64,
    pub rules: Vec<RuleCount>,
    /// Field → share of outlets that have it.
    pub filled: Vec<(String, f64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RuleCount {
    pub code: String,
    pub label: String,
    pub rows: u64,
    /// Of all outlets, 0 to 1.
    pub share: f64,
    /// The same after the import before; none when there was none.
    pub before: Option<u64>,
    pub fix: String,
}

impl Query for Quality {
    const NAME: &'static str = "outlets.quality";
    type Reply = QualityReport;

    fn run(&self, cx: &ReadCx) -> Outcome<QualityReport> {
        let Some(table) = datasets::table(cx.reads, Kind::Outlet)? else {
            return Ok(QualityReport::default());
        };
        let all = table.manifest.rows;
        let share = |rows: u64| rows as f64 / all.max(1) as f64;
        let earlier = before(cx.reads, &table)?;
        let mut rules: Vec<RuleCount> = Vec::new();
        let mut faulty = vec![false; all as usize];
        for code in table.manifest.marks.keys() {
            let marked = table.marked(code)?;
            for place in &marked {
                if let Some(of) = faulty.get_mut(*place as usize) {
                    *of = true;
                }
            }
            let rows = marked.len() as u64;
            let rule = rules::find(code);
            rules.push(RuleCount {
                code: code.clone(),
                label: rule.map_or("", |r| r.label).into(),
                rows,
                share: share(rows),
                before: earlier.as_ref().map(|m| count(m, code)),
                fix: rule.map_or("", |r| r.fix).into(),
            });
        }
        rules.sort_by(|a, b| b.rows.cmp(&a.rows).then(a.code.cmp(&b.code)));
        let filled = table.filled().into_iter().map(|(name, rows)| (name, share(rows))).collect();
        let sound = share(faulty.iter().filter(|f| !**f).count() as u64);
        Ok(QualityReport { outlets: all, held: table.manifest.tally.held, sound, rules, filled })
    }
}

fn count(manifest: &Manifest, code: &str) -> u64 {
    manifest.marks.get(code).into_iter().flatten().map(|(rows, _)| u64::from(*rows)).sum()
}

/// What the import before the last one made, if there was one.
fn before(reads: &dyn Reads, table: &Table) -> Outcome<Option<Manifest>> {
    let batches = all_live::<Batch>(reads)?.into_iter().map(|(_, batch)| batch);
    let ours = |b: &Batch| b.target == table.kind.schema().plural && b.state == "committed";
    let mut hashes = batches.filter(ours).filter_map(|batch| unhex(&batch.mapping)).rev();
    // Batches lie in the order they were made; the last one is what is there now.
    match hashes.nth(1) {
        Some(hash) => Ok(datasets::manifest(reads, &hash).ok()),
        None => Ok(None),
    }
}
