//! What was said of a file's columns, days and values, kept at its commit and said again of
//! the next file whose columns are called the same.

use super::Review;
use crate::domain::schema::{Kind, Mapping, Record};
use crate::domain::{Failure, Outcome, text};
use crate::intake::bulk::Said;
use crate::services::{WriteCx, all_live};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a committed import of a file of these columns said of them: said again of the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Remembered {
    /// Title of a column → its field, empty for none.
    pub columns: BTreeMap<String, String>,
    pub dates: String,
    /// (field, text) → what it stands for.
    pub values: Vec<(String, String, String)>,
}

impl Remembered {
    /// What it says of a file, under what was said of this one.
    pub(super) fn under(&self, said: &Said, titles: &[String]) -> Said {
        let mut all = said.clone();
        for (column, title) in titles.iter().enumerate() {
            if let Some(field) = self.columns.get(title) {
                all.columns.entry(column).or_insert_with(|| Some(field.clone()).filter(|f| !f.is_empty()));
            }
        }
        if all.dates.is_empty() {
            all.dates.clone_from(&self.dates);
        }
        for (field, raw, value) in &self.values {
            all.values.entry((field.clone(), raw.clone())).or_insert_with(|| value.clone());
        }
        all
    }
}

/// The same for files whose columns are called the same, in the same order.
pub(super) fn fingerprint(titles: &[String]) -> String {
    let folded: Vec<String> = titles.iter().map(|t| text::fold(t)).collect();
    blake3::hash(folded.join("\n").as_bytes()).to_hex()[..16].to_owned()
}

/// The record that remembers is a mapping of this name.
fn mapping_name(kind: Kind, fingerprint: &str) -> String {
    format!("{} {fingerprint}", kind.schema().plural)
}

/// Fingerprint → what was said of such files.
pub(super) fn remembered(reads: &dyn Reads, kind: Kind) -> Outcome<BTreeMap<String, Remembered>> {
    let mut all = BTreeMap::new();
    let begin = mapping_name(kind, "");
    for (_, mapping) in all_live::<Mapping>(reads)? {
        if let (Some(print), Ok(said)) =
            (mapping.name.strip_prefix(&begin), serde_json::from_str(&mapping.text))
        {
            all.insert(print.to_owned(), said);
        }
    }
    Ok(all)
}

/// Keeps what a person said of a file's columns and values, for the next one like it.
pub(super) fn remember(cx: &mut WriteCx, review: &Review) -> Outcome<()> {
    let Some(staged) = &review.bulk else { return Ok(()) };
    let said = &staged.said;
    if said.columns.is_empty() && said.values.is_empty() && said.dates.is_empty() {
        return Ok(());
    }
    let titles: Vec<String> = staged.columns.iter().map(|c| c.header.clone()).collect();
    let columns = staged.columns.iter().map(|c| (c.header.clone(), c.field.clone())).collect();
    let values = said.values.iter().map(|((field, raw), value)| (field.clone(), raw.clone(), value.clone()));
    let keep = Remembered { columns, dates: said.dates.clone(), values: values.collect() };
    let name = mapping_name(review.target.kind(), &fingerprint(&titles));
    let text = serde_json::to_string(&keep).map_err(|e| Failure::internal(e.to_string()))?;
    let fields = Mapping { name: name.clone(), text }.to_fields();
    match cx.reads().index_ids(IndexKey::new(76).text(&name), 1)?.first().copied() {
        Some(id) => drop(cx.update(Kind::Mapping, id, |old| *old = fields)?),
        None => drop(cx.create(Kind::Mapping, &fields)?),
    }
    Ok(())
}
