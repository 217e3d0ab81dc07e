//! Imports that were committed: their rows set aside, their versions, their mappings.

use crate::domain::schema::{Batch, Kind, Mapping as MappingRecord, Record};
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome, text};
use crate::frames;
use crate::intake::mapping::{DEFAULT_WINS, Mapping};
use crate::intake::wins::Aside;
use crate::services::imports::{Plan, Report, Review, Target, hex, uploads};
use crate::services::show::{Item, Shower};
use crate::services::{Command, Query, ReadCx, Settings, WriteCx, each_live, names};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Batches of one file that are looked at.
const MAX_SAME: usize = 50;

/// Writes what a review plans, and the batch that tells of it; true when that batch relies on
/// what the review keeps.
pub(super) fn commit(
    cx: &mut WriteCx,
    settings: &Settings,
    review: &Review,
    batch: Id,
    report: &mut Report,
    plan: Plan,
) -> Outcome<bool> {
    let (written, (sheet, mapping, source), rejects) = match &plan {
        Plan::Wins(plan) => {
            let (sheet, mapping, source) = plan.origin();
            let origin = (sheet, mapping.to_owned(), source);
            (plan.commit(cx, batch, report)?, origin, plan.rejects())
        }
        Plan::Records(plan) => {
            let origin = (plan.sheet(), String::new(), "file");
            (plan.commit(cx)?, origin, plan.rejects())
        }
        Plan::Bulk(plan) => {
            (plan.commit(cx, review, batch)?, (plan.manifest(), String::new(), "file"), plan.rejects())
        }
        Plan::None => return Ok(false),
    };
    let rejects = match rejects.rows.is_empty() {
        true => String::new(),
        false => hex(&cx.batch.put_blob(&frames::encode(&rejects)?)?),
    };
    if !written {
        // Rows that wait are to be had from a batch, even where nothing else comes of the file.
        let same = of_file(cx.reads(), &review.hash, review.target)?;
        report.batch = same.first().map(|(id, _)| *id);
        if rejects.is_empty() || same.iter().any(|(_, batch)| batch.rejects == rejects) {
            return Ok(false);
        }
    }
    report.batch = Some(batch);
    let relied = written || review.bulk.is_none();
    let months = report.months.iter().filter(|m| written && !m.left_out);
    let kept = Report { aside: vec![], columns: vec![], ..report.clone() };
    let record = Batch {
        target: review.target.plural().into(),
        file: review.file.clone(),
        hash: hex(&review.hash),
        mapping: if relied { sheet } else { String::new() },
        state: if review.target == Target::Activities { "draft" } else { "committed" }.into(),
        counts: serde_json::to_vec(&kept).unwrap_or_default(),
        months: months.map(|m| m.month.clone()).collect(),
        plan: mapping.into_bytes(),
        by: Some(settings.me),
        source: source.into(),
        answers: frames::encode(&review.answers)?,
        rejects,
    };
    cx.create_as(Kind::Batch, batch, &record.to_fields())?;
    Ok(relied)
}

/// Imports of one file, the first one first.
fn of_file(reads: &dyn Reads, hash: &[u8; 32], target: Target) -> Outcome<Vec<(Id, Batch)>> {
    let mut found = Vec::new();
    for id in reads.index_ids(IndexKey::new(70).text(&hex(hash)), MAX_SAME)? {
        let batch = Batch::from_fields(&reads.fields(Kind::Batch, id)?.unwrap_or_default());
        if batch.target == target.plural() {
            found.push((id, batch));
        }
    }
    Ok(found)
}

/// When a file was last imported and by whom; empty when it never was.
pub(super) fn imported_before(
    reads: &dyn Reads,
    settings: &Settings,
    hash: &[u8; 32],
    target: Target,
) -> Outcome<String> {
    let last = of_file(reads, hash, target)?.into_iter().max_by_key(|(id, _)| *id);
    let Some((id, batch)) = last else { return Ok(String::new()) };
    let by = batch.by.map(|by| names::name(reads, Kind::User, by)).transpose()?.unwrap_or_default();
    Ok(format!("{} by {by}", settings.zone.stamp(id.unix_ms() as i64)))
}

/// Who made an import, and when, in words.
pub(super) fn made(reads: &dyn Reads, settings: &Settings, batch: Id) -> Outcome<(String, String)> {
    let by = Batch::from_fields(&reads.fields(Kind::Batch, batch)?.unwrap_or_default()).by;
    let by = by.map(|by| names::name(reads, Kind::User, by)).transpose()?;
    let at = settings.zone.stamp(batch.unix_ms() as i64);
    Ok((by.unwrap_or_else(|| "Somebody".into()), at))
}

/// Imports, newest first; of one month, its versions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListBatches {
    pub month: Option<Month>,
}

impl Query for ListBatches {
    const NAME: &'static str = "imports.list";
    type Reply = Vec<Item>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Item>> {
        let settings = cx.settings()?;
        let mut heads = Vec::new();
        each_live(cx.reads, Kind::Batch, &mut |id, head| {
            heads.push((id, head));
            ControlFlow::Continue(())
        })?;
        let mut shower = Shower::new(cx.reads);
        let mut items = Vec::new();
        for (id, head) in heads.iter().rev() {
            let batch = Batch::from_fields(&head.fields);
            if self.month.is_some_and(|m| !batch.months.contains(&m.to_string())) {
                continue;
            }
            let mut item = shower.item(Kind::Batch, *id, head)?;
            let counts: serde_json::Value = serde_json::from_slice(&batch.counts).unwrap_or_default();
            for name in
                ["rows", "wins", "losses", "rejected", "skipped", "added", "changed", "removed", "same"]
            {
                item.values.insert(name.into(), counts[name].clone());
            }
            let made = cx.reads.record(head.rev)?;
            item.values.insert("txn".into(), made.map(|r| r.change.txn_id.to_string()).into());
            item.values.insert("at".into(), settings.zone.stamp(id.unix_ms() as i64).into());
            items.push(item);
        }
        Ok(items)
    }
}

/// The rows of an import that were set aside, in the file's own columns.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListRejects {
    pub which: String,
    pub from: usize,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Rejects {
    pub header: Vec<String>,
    pub rows: Vec<Aside>,
    pub next: Option<usize>,
}

/// Rows set aside that one reply holds.
const REJECTS: usize = 500;

impl Query for ListRejects {
    const NAME: &'static str = "imports.rejects";
    type Reply = Rejects;

    fn run(&self, cx: &ReadCx) -> Outcome<Rejects> {
        let id = uploads::batch_named(cx.reads, &self.which)?;
        let batch = Batch::from_fields(&cx.reads.fields(Kind::Batch, id)?.unwrap_or_default());
        let Some(hash) = uploads::unhex(&batch.rejects) else { return Ok(Rejects::default()) };
        let bytes = cx.reads.blob(&hash)?;
        let bytes = bytes.ok_or_else(|| Failure::not_found("The rows set aside are no longer kept"))?;
        let Rejects { header, rows, .. } = frames::decode(&bytes)?;
        let next = Some(self.from + REJECTS).filter(|next| *next < rows.len());
        let rows = rows.into_iter().skip(self.from).take(REJECTS).collect();
        Ok(Rejects { header, rows, next })
    }
}

/// A mapping's text: the person's own of that name, or the shipped one.
pub fn mapping_text(reads: &dyn Reads, name: &str) -> Outcome<(Option<Id>, String)> {
    for id in reads.index_ids(IndexKey::new(76).text(name), 5)? {
        if let Some(fields) = reads.fields(Kind::Mapping, id)? {
            return Ok((Some(id), MappingRecord::from_fields(&fields).text));
        }
    }
    let shipped = Mapping::parse("the shipped mapping", DEFAULT_WINS)?;
    if name.is_empty() || text::fold(name) == text::fold(&shipped.name) {
        return Ok((None, DEFAULT_WINS.to_owned()));
    }
    Err(Failure::not_found(format!("There is no mapping \"{name}\""))
        .hint(format!("The shipped one is \"{}\"", shipped.name)))
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowMapping {
    pub name: String,
}

impl Query for ShowMapping {
    const NAME: &'static str = "imports.mapping";
    type Reply = String;

    fn run(&self, cx: &ReadCx) -> Outcome<String> {
        mapping_text(cx.reads, &self.name).map(|(_, text)| text)
    }
}

/// Saves a mapping under the name that stands in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SaveMapping {
    pub text: String,
}

impl Command for SaveMapping {
    const NAME: &'static str = "imports.save_mapping";
    type Reply = String;

    fn run(&self, cx: &mut WriteCx) -> Outcome<String> {
        let mapping = Mapping::parse("the mapping", &self.text)?;
        let record = MappingRecord { name: mapping.name.clone(), text: self.text.clone() };
        match mapping_text(cx.reads(), &mapping.name) {
            Ok((Some(id), _)) => drop(cx.update(Kind::Mapping, id, |fields| *fields = record.to_fields())?),
            _ => drop(cx.create(Kind::Mapping, &record.to_fields())?),
        }
        Ok(mapping.name)
    }
}
