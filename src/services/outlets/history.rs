//! What became of an outlet: the imports that brought or changed it, and what people changed.

use super::{id_of, item, no_such};
use crate::changes::merge::heads_after;
use crate::changes::{Cause, Head, Ordered, hlc};
use crate::domain::schema::{Dataset, Kind, Record};
use crate::domain::{Id, Outcome};
use crate::intake::bulk::Months;
use crate::services::datasets::{self, Table};
use crate::services::imports::uploads::unhex;
use crate::services::show::Shower;
use crate::services::{Query, ReadCx};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Imports and edits that are looked at.
const MOST: usize = 100;

/// What changed an outlet, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OutletHistory {
    pub code: String,
    pub limit: usize,
}

/// One import or edit that made the outlet another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutletStep {
    pub at: String,
    pub by: String,
    /// "edit", "import of march.csv", "undo"
    pub what: String,
    pub txn: Id,
    /// field, before, after
    pub fields: Vec<(String, String, String)>,
}

impl OutletStep {
    /// Each field as a line: what it was and what it is.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let said = |text: &String| if text.is_empty() { "(none)".to_owned() } else { text.clone() };
        self.fields.iter().map(move |(name, old, new)| format!("{name}: {} > {}", said(old), said(new)))
    }
}

/// The values of an outlet by the names of their fields; none where it is not there.
type State = Option<BTreeMap<String, String>>;

impl Query for OutletHistory {
    const NAME: &'static str = "outlets.history";
    type Reply = Vec<OutletStep>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<OutletStep>> {
        let reads = cx.reads;
        // Whoever does not see the outlet sees nothing of what it was.
        let table = datasets::table(reads, Kind::Outlet)?.ok_or_else(|| no_such(&self.code))?;
        table.find(&self.code)?.ok_or_else(|| no_such(&self.code))?;
        let Some((dataset, _)) = datasets::record(reads, Kind::Outlet)? else { return Ok(vec![]) };
        let mut told = Told::of(reads, [(Kind::Dataset, dataset), (Kind::Outlet, id_of(&self.code))])?;
        let settings = cx.settings()?;
        let (mut shower, mut steps) = (Shower::new(reads), Vec::new());
        let first = told.seqs.len().saturating_sub(self.limit.clamp(1, MOST));
        let mut before = None;
        for (place, seq) in told.seqs.clone().into_iter().enumerate() {
            if place == first {
                before = told.state(&self.code)?;
            }
            let Some(record) = reads.record(seq)? else { continue };
            told.take(&record);
            if place < first {
                continue;
            }
            let after = told.state(&self.code)?;
            let fields = difference(&before, &after);
            before = after;
            if !fields.is_empty() {
                let change = &record.change;
                steps.push(OutletStep {
                    at: settings.zone.stamp(hlc::unix_ms(change.hlc)),
                    by: shower.name(Kind::User, change.actor)?,
                    what: told.what(&record, &mut shower)?,
                    txn: change.txn_id,
                    fields,
                });
            }
        }
        steps.reverse();
        Ok(steps)
    }
}

/// The log of the dataset and of what is laid over one of its rows, told from the beginning.
struct Told<'a> {
    reads: &'a dyn Reads,
    seqs: Vec<u64>,
    dataset: Option<Head>,
    laid: Option<Head>,
}

impl<'a> Told<'a> {
    fn of(reads: &'a dyn Reads, of: [(Kind, Id); 2]) -> Outcome<Told<'a>> {
        let mut seqs = Vec::new();
        let mut begin = |(kind, id)| -> Outcome<Option<Head>> {
            let own = reads.history(kind, id)?;
            // What a copy was filled with and nobody changed since has no log there.
            let head = if own.is_empty() { reads.head(kind, id)? } else { reads.start(kind, id)? };
            seqs.extend(own);
            Ok(head)
        };
        let [dataset, laid] = [begin(of[0])?, begin(of[1])?];
        seqs.sort_unstable();
        Ok(Told { reads, seqs, dataset, laid })
    }

    fn take(&mut self, record: &Ordered) {
        let change = &record.change;
        let head = if change.kind == Kind::Dataset { &mut self.dataset } else { &mut self.laid };
        let after = heads_after(head.clone(), record).into_iter();
        if let Some((.., new)) =
            after.into_iter().find(|(kind, id, _)| (*kind, *id) == (change.kind, change.entity))
        {
            *head = Some(new);
        }
    }

    /// The outlet as it was then. Of an import whose rows are not kept here it is not known.
    fn state(&self, code: &str) -> Outcome<State> {
        let live = |head: &Option<Head>| head.as_ref().filter(|h| !h.deleted).map(|h| h.fields.clone());
        let Some(dataset) = live(&self.dataset).map(|fields| Dataset::from_fields(&fields)) else {
            return Ok(None);
        };
        let Some(hash) = unhex(&dataset.manifest) else { return Ok(None) };
        if !self.reads.has_blob(&hash)? {
            return Ok(None);
        }
        let mut table = Table::of(self.reads, Kind::Outlet, datasets::manifest(self.reads, &hash)?);
        let Some(chunk) = table.chunk_of(code).and_then(|n| table.manifest.chunks.get(n)) else {
            return Ok(None);
        };
        for hash in [Some(chunk.hash), chunk.patch].into_iter().flatten() {
            if !self.reads.has_blob(&hash)? {
                return Ok(None);
            }
        }
        if let Some(laid) = live(&self.laid) {
            table.overlay.insert(code.to_owned(), laid);
        }
        let Some((chunk, row)) = table.find(code)? else { return Ok(None) };
        let item = item(&table, &table.rows(chunk, None)?, row);
        let shown = |name: &String| match name.as_str() {
            "sales_months" => Months::parse(&item.text(name)).drawn(),
            name => item.text(name),
        };
        Ok(Some(item.values.keys().map(|name| (name.clone(), shown(name))).collect()))
    }

    fn what(&self, record: &Ordered, shower: &mut Shower) -> Outcome<String> {
        let change = &record.change;
        Ok(match (change.kind, change.cause) {
            (Kind::Dataset, Cause::Undo) => "import taken back".into(),
            (Kind::Dataset, Cause::Redo) => "import brought back".into(),
            (Kind::Dataset, _) => {
                let batch =
                    self.dataset.as_ref().map(|h| Dataset::from_fields(&h.fields)).and_then(|d| d.batch);
                match batch {
                    Some(batch) => format!("import of {}", shower.name(Kind::Batch, batch)?),
                    None => "import".into(),
                }
            }
            (_, Cause::ResolveDraft) => "draft resolved".into(),
            (_, cause) => format!("{cause:?}").to_lowercase(),
        })
    }
}

/// Field, before, after. Of one that came or went the name alone.
fn difference(before: &State, after: &State) -> Vec<(String, String, String)> {
    let (Some(old), Some(new)) = (before, after) else {
        let name = |of: &State| of.as_ref().map(|f| f.get("name").cloned().unwrap_or_default());
        return match (name(before), name(after)) {
            (None, None) => vec![],
            (was, is) => vec![("outlet".into(), was.unwrap_or_default(), is.unwrap_or_default())],
        };
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let text = |of: &BTreeMap<String, String>, name: &String| of.get(name).cloned().unwrap_or_default();
    let both = names.into_iter().map(|name| (name.replace('_', " "), text(old, name), text(new, name)));
    both.filter(|(_, old, new)| old != new).collect()
}
