//! Outlets changed by people: what differs from the imported row is a record laid over it,
//! so that an edit costs what it says, merges by field, and is undone like any other.

use super::list::{MATCHES, matching};
use super::mend::{Mender, mended_columns};
use super::{id_of, item};
use crate::changes::{Head, Verdict};
use crate::domain::check::{Facts, check};
use crate::domain::schema::{Kind, Schema};
use crate::domain::value::{FieldId, Value};
use crate::domain::{Failure, Fields, Id, Outcome};
use crate::services::datasets::{self, Rows, Table};
use crate::services::input::{self, Input};
use crate::services::records::{Save, Saved, fields_at};
use crate::services::show::Item;
use crate::services::{Command, Query, ReadCx, WriteCx, verdict_word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub enum WhichOutlets {
    Named(Vec<String>),
    /// All that match, but these.
    Matching {
        filter: String,
        rule: String,
        except: BTreeSet<Id>,
    },
}

/// Sets fields of outlets, or mends what a rule points at.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EditOutlets {
    pub which: WhichOutlets,
    pub input: Input,
    /// The rule to mend, one of [`MENDABLE`]; empty: the input is set.
    pub mend: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct EditedOutlets {
    pub changed: usize,
    /// Those that are so already.
    pub same: usize,
}

impl Command for EditOutlets {
    const NAME: &'static str = "outlets.edit";
    type Reply = EditedOutlets;

    fn run(&self, cx: &mut WriteCx) -> Outcome<EditedOutlets> {
        let schema = Kind::Outlet.schema();
        let given = given(cx, &self.input)?;
        let columns = match self.mend.as_str() {
            "" => given.iter().map(|(field, _)| *field).collect(),
            code => mended_columns(code)?,
        };
        let columns = with_groups(schema, columns);
        let wanted = datasets::sorted(columns.iter().copied().chain([1, 15]));
        // Everything is read before anything is written.
        let mut edits: Vec<(String, Fields, Fields)> = Vec::new();
        let mut done = EditedOutlets::default();
        {
            let reads = cx.reads();
            let table = datasets::table(reads, Kind::Outlet)?.ok_or_else(none_yet)?;
            let raw = Table::of(reads, Kind::Outlet, table.manifest.clone());
            let mut open: Option<(usize, Rows, Rows)> = None;
            let places = self.which.places(&table)?;
            let mut mender = match self.mend.as_str() {
                "" => None,
                code => Some(Mender::of(code, &table, &places)?),
            };
            for place in places {
                let near = mender.as_mut().and_then(Mender::next);
                let Some((chunk, row)) = table.place(u64::from(place)) else { continue };
                if open.as_ref().is_none_or(|(number, ..)| *number != chunk) {
                    let (rows, base) = (table.rows(chunk, Some(&wanted))?, raw.rows(chunk, Some(&wanted))?);
                    open = Some((chunk, rows, base));
                }
                let Some((_, rows, base)) = &open else { continue };
                let now = rows.fields(Kind::Outlet, row);
                let new = match &mender {
                    Some(mender) => mender.mended(&now, near.as_ref()).0,
                    None => {
                        let mut new = now.clone();
                        given.iter().for_each(|(field, value)| set(&mut new, *field, value.clone()));
                        new
                    }
                };
                if new == now {
                    done.same += 1;
                    continue;
                }
                if self.mend.is_empty() {
                    positions(&new)?;
                }
                let code = rows.text(table.key(), row).to_owned();
                let overlay = table.overlay.get(&code).cloned();
                let laid = laid(schema, &base.fields(Kind::Outlet, row), overlay, &code, &columns, &new);
                edits.push((code, now, laid));
            }
        }
        // In the order of their ids, as the store lies.
        let mut edits: Vec<(Id, Fields)> =
            edits.into_iter().map(|(code, _, laid)| (id_of(&code), laid)).collect();
        edits.sort_by_key(|(id, _)| *id);
        for (id, laid) in edits {
            put(cx, id, None, &laid)?;
            done.changed += 1;
        }
        Ok(done)
    }
}

impl WhichOutlets {
    /// Their places, in order.
    fn places(&self, table: &Table) -> Outcome<Vec<u32>> {
        let mut places = match self {
            WhichOutlets::Named(codes) => {
                let mut places = Vec::new();
                for code in codes {
                    let (chunk, row) = table
                        .find(code)?
                        .ok_or_else(|| Failure::not_found(format!("There is no outlet \"{code}\"")))?;
                    places.push((table.first(chunk) + row as u64) as u32);
                }
                places
            }
            WhichOutlets::Matching { filter, rule, except } => matching(table, filter, rule, except)?,
        };
        places.sort_unstable();
        places.dedup();
        match places.len() {
            0 => Err(Failure::not_found("No outlet matches")),
            n if n > MATCHES => {
                Err(Failure::invalid(format!("{n} outlets are too many for one step, which takes {MATCHES}"))
                    .hint("Narrow the filter; or export them, change the file, and import it"))
            }
            _ => Ok(places),
        }
    }
}

fn none_yet() -> Failure {
    Failure::not_found("There are no outlets yet").hint("`pams outlets import FILE` takes them in")
}

/// The fields that the input names, as values.
fn given(cx: &WriteCx, input: &Input) -> Outcome<Vec<(FieldId, Option<Value>)>> {
    let schema = Kind::Outlet.schema();
    let mut input = input.clone();
    input.remove("code");
    let fields = input::read(cx.reads(), &cx.settings()?, Kind::Outlet, &Fields::new(), &input)?;
    let mut given = Vec::new();
    for field in input.keys().filter_map(|name| schema.field_named(name)) {
        if field.system {
            return Err(Failure::usage(format!("The {} is not set by hand", field.label())));
        }
        let value = fields.get(&field.id).cloned();
        if field.required && value.is_none() {
            return Err(Failure::invalid(format!("The {} of an outlet is not left empty", field.label())));
        }
        given.push((field.id, value));
    }
    Ok(given)
}

fn set(fields: &mut Fields, field: FieldId, value: Option<Value>) {
    match value {
        Some(value) => drop(fields.insert(field, value)),
        None => drop(fields.remove(&field)),
    }
}

/// The fields, and those that merge with them.
fn with_groups(schema: &Schema, fields: Vec<FieldId>) -> Vec<FieldId> {
    let groups: Vec<(u8, FieldId)> = fields.iter().map(|f| schema.group_of(*f)).collect();
    schema.fields.iter().map(|f| f.id).filter(|f| groups.contains(&schema.group_of(*f))).collect()
}

/// What lies over a row so that the columns read as in `new`.
fn laid(
    schema: &Schema,
    base: &Fields,
    overlay: Option<Fields>,
    code: &str,
    columns: &[FieldId],
    new: &Fields,
) -> Fields {
    let mut laid = overlay.unwrap_or_default();
    laid.insert(1, Value::Text(code.to_owned()));
    let cleared = schema.field_named("cleared").map_or(0, |f| f.id);
    let mut names = match laid.remove(&cleared) {
        Some(Value::Texts(names)) => names,
        _ => vec![],
    };
    // Fields that merge together are laid together.
    let changed: Vec<FieldId> = columns.iter().copied().filter(|c| new.get(c) != base.get(c)).collect();
    let changed = with_groups(schema, changed);
    for column in columns {
        let name = schema.field(*column).map_or("", |f| f.name);
        names.retain(|n| n != name);
        laid.remove(column);
        if !changed.contains(column) {
            continue;
        }
        match new.get(column) {
            Some(value) => drop(laid.insert(*column, value.clone())),
            None => names.push(name.to_owned()),
        }
    }
    if let Some(names) = Value::texts(names) {
        laid.insert(cleared, names);
    }
    laid
}

/// Writes what lies over a row; nothing but the code: the record goes.
fn put(cx: &mut WriteCx, id: Id, seen: Option<(u64, Fields)>, laid: &Fields) -> Outcome<Verdict> {
    let head: Option<Head> = cx.reads().head(Kind::Outlet, id)?;
    let record = match head {
        None => cx.create_as(Kind::Outlet, id, laid)?,
        Some(head) if head.deleted => {
            cx.restore(Kind::Outlet, id)?;
            cx.update(Kind::Outlet, id, |fields| *fields = laid.clone())?
        }
        Some(head) if laid.len() == 1 => cx.delete(Kind::Outlet, id, &head.fields)?,
        Some(head) => {
            let (rev, base) = seen.unwrap_or((head.rev, head.fields));
            cx.set(Kind::Outlet, id, rev, &base, laid)?
        }
    };
    Ok(record.verdict)
}

/// Three-way for one overlay when the row below it changes: what the new row says too
/// falls away, the rest stays. Returns what is left, and how many fields the new row has
/// otherwise than both the old row and the person.
pub fn rebased(kind: Kind, overlay: &Fields, old: &Fields, new: &Fields) -> (Fields, usize) {
    let schema = kind.schema();
    let (mut left, mut differ) = (overlay.clone(), 0);
    for field in schema.fields.iter().filter(|f| !f.system && f.id != 1) {
        let cleared = datasets::is_cleared(kind, overlay, field.id);
        let mine = overlay.get(&field.id);
        if mine.is_none() && !cleared {
            continue;
        }
        if new.get(&field.id) == mine {
            left.remove(&field.id);
            if let (true, Some(of)) = (cleared, schema.field_named("cleared"))
                && let Some(Value::Texts(names)) = left.get_mut(&of.id)
            {
                names.retain(|n| n != field.name);
            }
        } else if new.get(&field.id) != old.get(&field.id) {
            differ += 1;
        }
    }
    if let Some(of) = schema.field_named("cleared")
        && matches!(left.get(&of.id), Some(Value::Texts(names)) if names.is_empty())
    {
        left.remove(&of.id);
    }
    (left, differ)
}

/// Writes overlays anew, in a change of something else.
pub fn rebase(cx: &mut WriteCx, all: &[(String, Fields)]) -> Outcome<()> {
    let mut all: Vec<(Id, &Fields)> = all.iter().map(|(code, laid)| (id_of(code), laid)).collect();
    all.sort_by_key(|(id, _)| *id);
    all.into_iter().try_for_each(|(id, laid)| put(cx, id, None, laid).map(drop))
}

/// An outlet's position is whole, and on this planet.
fn positions(fields: &Fields) -> Outcome<()> {
    let facts = Facts { today: Default::default(), day_minutes: 480, effort_may_be_empty: true };
    let of_position = |p: &crate::domain::Problem| matches!(p.field.as_str(), "latitude" | "longitude");
    match check(Kind::Outlet, fields, &facts).into_iter().find(of_position) {
        Some(problem) => Err(Failure::from_problems(vec![problem])),
        None => Ok(()),
    }
}

/// Saves the form of one outlet; its code is in the input.
pub fn save(cx: &mut WriteCx, form: &Save) -> Outcome<Saved> {
    let code = form.input.get("code").cloned().unwrap_or_default();
    let schema = Kind::Outlet.schema();
    let given = given(cx, &form.input)?;
    let columns = with_groups(schema, given.iter().map(|(field, _)| *field).collect());
    let id = id_of(&code);
    let settings = cx.settings()?;
    let (seen, laid) = {
        let reads = cx.reads();
        let raw = datasets::imported(reads, Kind::Outlet)?.ok_or_else(none_yet)?;
        let (chunk, row) =
            raw.find(&code)?.ok_or_else(|| Failure::not_found(format!("There is no outlet \"{code}\"")))?;
        let base = raw.rows(chunk, None)?.fields(Kind::Outlet, row);
        let head = reads.head(Kind::Outlet, id)?.filter(|h| !h.deleted);
        // What lay over it when the person looked.
        let (rev, over) = match (head, form.seen_rev) {
            (None, _) => (0, Fields::new()),
            (Some(head), Some(rev)) if rev != head.rev => (rev, fields_at(reads, Kind::Outlet, id, rev)?),
            (Some(head), _) => (head.rev, head.fields),
        };
        let mut now = base.clone();
        for field in schema.fields.iter().filter(|f| !f.system && f.id != 1) {
            if over.contains_key(&field.id) || datasets::is_cleared(Kind::Outlet, &over, field.id) {
                set(&mut now, field.id, over.get(&field.id).cloned());
            }
        }
        let mut new = now;
        given.into_iter().for_each(|(field, value)| set(&mut new, field, value));
        let facts =
            Facts { today: settings.today, day_minutes: settings.day_minutes, effort_may_be_empty: true };
        let problems = check(Kind::Outlet, &new, &facts);
        if !problems.is_empty() {
            return Err(Failure::from_problems(problems));
        }
        let laid = laid(schema, &base, Some(over.clone()), &code, &columns, &new);
        ((rev, over), laid)
    };
    let verdict = put(cx, id, Some(seen), &laid)?;
    let table = datasets::table(cx.reads(), Kind::Outlet)?.ok_or_else(none_yet)?;
    let (chunk, row) = table.find(&code)?.ok_or_else(none_yet)?;
    let item = item(&table, &table.rows(chunk, None)?, row);
    Ok(Saved { item, verdict, word: verdict_word(verdict).into(), draft: None, notes: vec![] })
}

/// What the form of an outlet starts with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TypedOutlet {
    pub code: String,
}

impl Query for TypedOutlet {
    const NAME: &'static str = "outlets.typed";
    type Reply = (Item, Input);

    fn run(&self, cx: &ReadCx) -> Outcome<(Item, Input)> {
        let table = datasets::table(cx.reads, Kind::Outlet)?.ok_or_else(none_yet)?;
        let (chunk, row) = table
            .find(&self.code)?
            .ok_or_else(|| Failure::not_found(format!("There is no outlet \"{}\"", self.code)))?;
        let mut item = item(&table, &table.rows(chunk, None)?, row);
        item.rev = cx.reads.head(Kind::Outlet, item.id)?.map_or(0, |h| h.rev);
        let schema = table.kind.schema();
        let own = |name: &&String| schema.field_named(name).is_some_and(|f| !f.system);
        let typed = item.values.keys().filter(own).map(|name| (name.clone(), item.text(name))).collect();
        Ok((item, typed))
    }
}
