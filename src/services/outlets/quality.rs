//! What is wrong with the outlets, rule by rule.

use crate::domain::Outcome;
use crate::domain::schema::{Batch, Kind, Record};
use crate::intake::rules;
use crate::services::datasets::{Hash, Manifest, Table};
use crate::services::imports::uploads::unhex;
use crate::services::{Query, ReadCx, datasets, each_live};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Imports that a trend is told of.
const TREND: usize = 12;

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
    /// The same after each import that is kept, the oldest of at most twelve first, and now.
    pub trend: Vec<u64>,
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
        let earlier = earlier(cx.reads, &table)?;
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
                before: earlier.last().map(|m| count(m, code)),
                trend: earlier.iter().map(|m| count(m, code)).chain([rows]).collect(),
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

/// What the imports before the last one made, the oldest first.
fn earlier(reads: &dyn Reads, table: &Table) -> Outcome<Vec<Manifest>> {
    let mut made: Vec<(u64, Hash)> = Vec::new();
    each_live(reads, Kind::Batch, &mut |_, head| {
        let batch = Batch::from_fields(&head.fields);
        let ours = batch.target == table.kind.schema().plural && batch.state == "committed";
        made.extend(unhex(&batch.mapping).filter(|_| ours).map(|hash| (head.rev, hash)));
        ControlFlow::Continue(())
    })?;
    made.sort_unstable();
    // The last one is what is there now.
    made.pop();
    let kept = made.iter().skip(made.len().saturating_sub(TREND - 1));
    Ok(kept.filter_map(|(_, hash)| datasets::manifest(reads, hash).ok()).collect())
}
