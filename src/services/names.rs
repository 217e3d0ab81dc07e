//! Finding records by what people type: an id's end, a name, an alias, a beginning.

use crate::domain::quick::Lookup;
use crate::domain::schema::{Kind, name_of};
use crate::domain::value::Value;
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::services::{each_live, outlets};
use crate::store::{IndexKey, Reads, fold_key};
use std::ops::ControlFlow;

/// Names looked through for one that comes near.
const MAX_NAMES: usize = 20_000;
/// So many names are all shown when none comes near.
const FEW_NAMES: usize = 15;
/// Candidates looked at before a beginning counts as too wide.
const MAX_CANDIDATES: usize = 20;

/// The name of a record, or its short id when it is gone or nameless.
pub fn name(reads: &dyn Reads, kind: Kind, id: Id) -> Outcome<String> {
    let head = reads.head(kind, id)?;
    let named = head.as_ref().and_then(|h| name_of(kind, &h.fields)).map(str::to_owned);
    Ok(named.unwrap_or_else(|| format!("({})", id.short())))
}

/// The indexes of a kind over names: its `name` and `aliases` fields (and a user's
/// e-mail and user name).
fn name_indexes(kind: Kind) -> impl Iterator<Item = u8> {
    let schema = kind.schema();
    let named = |field: u16| {
        schema.field(field).is_some_and(|f| matches!(f.name, "name" | "aliases" | "email" | "username"))
    };
    schema.indexes.iter().filter(move |i| i.fields.len() == 1 && named(i.fields[0])).map(|i| i.number)
}

/// Live, unarchived records that are called exactly so: no beginnings, no guesses.
pub fn exact(reads: &dyn Reads, kind: Kind, text: &str) -> Outcome<Vec<Id>> {
    let found = find(reads, kind, text, None)?;
    let mut whole = Vec::new();
    for (id, _) in found {
        let fields = reads.fields(kind, id)?.unwrap_or_default();
        let called = fields.values().any(|value| match value {
            Value::Text(name) => fold_key(name) == fold_key(text),
            Value::Texts(names) => names.iter().any(|n| fold_key(n) == fold_key(text)),
            _ => false,
        });
        if called {
            whole.push(id);
        }
    }
    Ok(whole)
}

/// Live, unarchived records whose name or alias is `text`; if none is, those that
/// start with it.
pub fn find(reads: &dyn Reads, kind: Kind, text: &str, within: Option<Id>) -> Outcome<Vec<(Id, String)>> {
    match called(reads, kind, text, within, true)? {
        none if none.is_empty() => called(reads, kind, text, within, false),
        found => Ok(found),
    }
}

/// Those whose name or alias is `text`, or begins with it.
pub fn called(
    reads: &dyn Reads,
    kind: Kind,
    text: &str,
    within: Option<Id>,
    whole: bool,
) -> Outcome<Vec<(Id, String)>> {
    if fold_key(text).is_empty() {
        return Ok(vec![]);
    }
    let mut found: Vec<(Id, String)> = Vec::new();
    for number in name_indexes(kind) {
        let prefix = match whole {
            true => IndexKey::new(number).text(text),
            false => IndexKey::new(number).text_prefix(text),
        };
        let mut failed = None;
        reads.index(&prefix, &prefix.clone().after(), false, &mut |id, _| {
            match reads.fields(kind, id) {
                Ok(Some(fields)) => {
                    let fits = !is_archived(kind, &fields)
                        && within.is_none_or(|account| in_account(kind, &fields, account))
                        && found.iter().all(|(other, _)| *other != id);
                    if fits {
                        found.push((id, name_of(kind, &fields).unwrap_or_default().to_owned()));
                    }
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
            let go_on = found.len() < MAX_CANDIDATES && failed.is_none();
            if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(found)
}

pub fn is_archived(kind: Kind, fields: &Fields) -> bool {
    let flag = |name| kind.schema().field_named(name).and_then(|f| fields.get(&f.id));
    flag("archived") == Some(&Value::Bool(true)) || flag("merged_into").is_some()
}

fn in_account(kind: Kind, fields: &Fields, account: Id) -> bool {
    kind != Kind::Project || fields.get(&2) == Some(&Value::Id(account))
}

/// Exactly one record, by id, id's end, name, alias or beginning. What fits several is
/// never guessed: the failure lists them.
pub fn resolve(reads: &dyn Reads, kind: Kind, text: &str, within: Option<Id>) -> Outcome<Id> {
    let text = text.trim();
    if let Ok(id) = text.parse::<Id>()
        && reads.head(kind, id)?.is_some()
    {
        return Ok(id);
    }
    if kind == Kind::User
        && text.eq_ignore_ascii_case("me")
        && let Some(me) = crate::store::meta_id(reads, crate::store::OWNER)?
    {
        return Ok(me);
    }
    // An outlet is its code; the record is what lies over its row.
    if kind == Kind::Outlet && reads.head(kind, outlets::id_of(text))?.is_some() {
        return Ok(outlets::id_of(text));
    }
    let found = find(reads, kind, text, within)?;
    match found.as_slice() {
        [(id, _)] => return Ok(*id),
        [] => {}
        several => {
            let mut failure =
                Failure::conflict(format!("\"{text}\" fits {} {}", several.len(), kind.schema().plural));
            failure.kind = crate::domain::FailureKind::Invalid;
            failure.candidates =
                several.iter().map(|(id, name)| format!("{name} ({})", id.short())).collect();
            return Err(failure.hint(format!("Say which: {}", several_names(several))));
        }
    }
    if Id::is_suffix(text) {
        let ended = by_suffix(reads, kind, text)?;
        match ended.as_slice() {
            [id] => return Ok(*id),
            [] => {}
            several => {
                let mut failure = Failure::invalid(format!("{} ids end with \"{text}\"", several.len()));
                for id in several {
                    failure.candidates.push(format!("{id} {}", name(reads, kind, *id)?));
                }
                return Err(failure.hint("Give more characters of the id"));
            }
        }
    }
    Err(unknown(reads, kind, text)?)
}

fn several_names(several: &[(Id, String)]) -> String {
    let names: Vec<String> = several.iter().take(5).map(|(id, n)| format!("{n} ({})", id.short())).collect();
    names.join(", ")
}

/// Nothing is called so: what comes near, or why the one of that name does not count.
fn unknown(reads: &dyn Reads, kind: Kind, text: &str) -> Outcome<Failure> {
    let failure = Failure::not_found(format!("There is no {} \"{text}\"", kind.name()));
    let mut names: Vec<String> = Vec::new();
    let mut called: Option<(String, Fields)> = None;
    if name_indexes(kind).next().is_some() {
        each_live(reads, kind, &mut |_, head| {
            if let Some(name) = name_of(kind, &head.fields).map(str::to_owned) {
                if text::fold(&name) == text::fold(text) {
                    called = Some((name, head.fields));
                } else if !is_archived(kind, &head.fields) {
                    names.push(name);
                }
            }
            if names.len() < MAX_NAMES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    if let Some((name, fields)) = called {
        if is_archived(kind, &fields) {
            let back = format!("`pams {} archive --undo {name}` brings it back", kind.name());
            return Ok(failure.hint(format!("{name} is archived; {back}")));
        }
        if let (Kind::Project, Some(Value::Id(account))) = (kind, fields.get(&2)) {
            let account = self::name(reads, Kind::Account, *account)?;
            return Ok(failure.hint(format!("{name} is a project of {account}")));
        }
    }
    let near = text::nearest(text, names.iter().map(String::as_str), 3);
    Ok(match near.is_empty() {
        false => failure.hint(format!("Did you mean {}?", near.join(", "))),
        true if (1..=FEW_NAMES).contains(&names.len()) => {
            failure.hint(format!("There are {}", names.join(", ")))
        }
        true => failure,
    })
}

fn by_suffix(reads: &dyn Reads, kind: Kind, suffix: &str) -> Outcome<Vec<Id>> {
    let mut ids = Vec::new();
    reads.heads(kind, Id::default(), &mut |id, bytes| {
        // The second byte of a head says whether it is deleted; undo still finds it.
        if bytes.len() > 1 && id.ends_with(suffix) {
            ids.push(id);
        }
        if ids.len() < MAX_CANDIDATES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(ids)
}

/// The store as the quick line's dictionary.
pub struct Names<'a>(pub &'a dyn Reads);

impl Lookup for Names<'_> {
    fn find(&self, kind: Kind, text: &str, within: Option<Id>) -> Vec<(Id, String)> {
        find(self.0, kind, text, within).unwrap_or_default()
    }
}
