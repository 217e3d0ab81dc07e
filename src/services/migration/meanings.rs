//! What the texts of a legacy file stand for here: what was said of them before, then the
//! only record of that name. Nobody is guessed; what nobody knows is asked once a text.

use super::book::{Book, Meaning};
use super::ids;
use super::staged::{Keys, Staged};
use crate::changes::Op;
use crate::changes::codec;
use crate::domain::schema::{Account, ActivityType, Kind, Project, Record, UseCase, User};
use crate::domain::value::Value;
use crate::domain::{Failure, Fields, Id, Outcome, text};
use crate::services::imports::whom;
use crate::services::{Command, Query, ReadCx, WriteCx, each_live, names};
use crate::store::{Reads, fold_key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

/// What a row lacks before it can be promoted, as bits.
pub mod lack {
    pub const OWNER: u8 = 1;
    pub const ACCOUNT: u8 = 2;
    pub const PROJECT: u8 = 4;
    pub const TYPE: u8 = 8;
    pub const USE_CASE: u8 = 16;
    pub const EFFORT: u8 = 32;
    pub const FUTURE: u8 = 64;
    /// Something a rule refuses.
    pub const RULE: u8 = 128;
    pub const NAMES: [&str; 8] =
        ["owner", "account", "project", "type", "use case", "effort", "future", "rule"];

    /// The bits in words.
    pub fn names(bits: u8) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, name)| name)
    }
}

/// Scopes of what is remembered, in the order of a combination's numbers.
pub const SCOPES: [(&str, Kind); 5] = [
    ("owner", Kind::User),
    ("account", Kind::Account),
    ("project", Kind::Project),
    ("type", Kind::ActivityType),
    ("usecase", Kind::UseCase),
];
/// Stands for an empty owner or type, which has to be said too.
pub const BLANK: &str = "(blank)";
/// Records offered beside a text.
const OFFERED: usize = 3;

/// What a row's texts stand for.
#[derive(Clone, Debug, Default)]
pub struct Combination {
    pub owner: Option<Id>,
    pub account: Option<Id>,
    pub project: Option<Id>,
    pub kind: Option<Id>,
    pub uses: Vec<Id>,
    /// Effort may be left empty with this type.
    pub no_effort: bool,
    /// Texts that somebody said to leave out: they are kept in the details.
    pub left: Vec<String>,
}

fn each(reads: &dyn Reads, kind: Kind, visit: &mut dyn FnMut(Id, &Fields)) -> Outcome<()> {
    each_live(reads, kind, &mut |id, head| {
        visit(id, &head.fields);
        ControlFlow::Continue(())
    })
}

/// A project's text is remembered with its account's: two accounts may have one "Platform".
fn project_text(account: &str, project: &str) -> String {
    if account.is_empty() { project.to_owned() } else { format!("{account} / {project}") }
}

/// What the use cases of one text are.
#[derive(Default)]
struct Uses {
    ids: Vec<Id>,
    left: Vec<String>,
    is_unknown: bool,
}

/// What all texts of a batch stand for.
pub struct Meanings {
    book: Book,
    texts: [Vec<String>; 5],
    /// Numbers of account and project's text; the first stands for no project.
    pairs: Vec<[u32; 2]>,
    owners: Vec<Meaning>,
    accounts: Vec<Meaning>,
    projects: Vec<Meaning>,
    types: Vec<Meaning>,
    uses: Vec<Uses>,
    /// Types by their numbers whose effort may be left empty.
    no_effort: Vec<bool>,
}

impl Meanings {
    pub fn of(staged: &Staged) -> Outcome<Meanings> {
        let book = Book::of(staged.reads)?;
        let mut texts: [Vec<String>; 5] = Default::default();
        for (n, into) in texts.iter_mut().enumerate() {
            *into = staged.named(n)?;
            if into.is_empty() {
                into.push(String::new());
            }
        }
        let pairs: Vec<[u32; 2]> = std::iter::once([0, 0]).chain(staged.pairs()?).collect();
        let text = |n: usize, number: u32| texts[n].get(number as usize).map_or("", String::as_str);
        let single = |n: usize| -> Vec<Meaning> {
            // An owner and a type have to be said of the empty text, too.
            fn asked(text: &str) -> &str {
                if text.is_empty() { BLANK } else { text }
            }
            texts[n].iter().map(|t| book.means(n, asked(t))).collect()
        };
        let (owners, accounts, types) = (single(0), single(1), single(3));
        let numbers: Vec<Option<u32>> = texts[2].iter().map(|name| book.project_name(name)).collect();
        let said: Vec<Option<Meaning>> = texts[2].iter().map(|name| book.said(2, name)).collect();
        let of_pair = |[account, name]: &[u32; 2]| {
            let of = match accounts.get(*account as usize) {
                Some(Meaning::Is(id)) if *account != 0 => Some(*id),
                _ => None,
            };
            let number = numbers.get(*name as usize).copied().flatten();
            let known = || book.project(of, number);
            // What was said of this account's counts before what was said of all of that name.
            let here = match book.has_said(2) {
                false => None,
                true => book.said(2, &project_text(text(1, *account), text(2, *name))),
            };
            here.or_else(|| said.get(*name as usize).copied().flatten()).unwrap_or_else(known)
        };
        let projects = pairs.iter().map(of_pair).collect();
        let of_uses = |text: &String| {
            let mut uses = Uses::default();
            for word in words(text) {
                match book.means(4, word) {
                    Meaning::Is(id) => uses.ids.push(id),
                    Meaning::Left => uses.left.push(format!("use case: {word}")),
                    Meaning::Unknown => uses.is_unknown = true,
                }
            }
            uses
        };
        let uses = texts[4].iter().map(of_uses).collect();
        let free = |kind: &Meaning| matches!(kind, Meaning::Is(id) if book.needs_no_effort(*id));
        let no_effort = types.iter().map(free).collect();
        Ok(Meanings { book, texts, pairs, owners, accounts, projects, types, uses, no_effort })
    }

    /// What rows of these keys lack, by tables: for counting by the million.
    pub fn lacks(&self) -> Lacks {
        let of = |all: &[Meaning], bit: u8, left: bool, from: usize| -> Vec<u8> {
            let lacks = |(n, meaning): (usize, &Meaning)| match meaning {
                _ if n < from => 0,
                Meaning::Is(_) => 0,
                Meaning::Left if left => 0,
                _ => bit,
            };
            all.iter().enumerate().map(lacks).collect()
        };
        Lacks([
            of(&self.owners, lack::OWNER, false, 0),
            of(&self.accounts, lack::ACCOUNT, true, 1),
            of(&self.projects, lack::PROJECT, true, 1),
            of(&self.types, lack::TYPE, false, 0),
            self.uses.iter().map(|u| if u.is_unknown { lack::USE_CASE } else { 0 }).collect(),
        ])
    }

    fn text(&self, scope: usize, number: u32) -> &str {
        self.texts[scope].get(number as usize).map_or("", String::as_str)
    }

    /// The fields that a row's texts give its activity.
    pub fn combination(&self, keys: &Keys) -> Combination {
        let is = |all: &[Meaning], n: usize| match all.get(keys[n] as usize) {
            Some(Meaning::Is(id)) => Some(*id),
            _ => None,
        };
        let mut left = Vec::new();
        for (n, all) in [(1, &self.accounts), (2, &self.projects)] {
            if keys[n] != 0 && all.get(keys[n] as usize) == Some(&Meaning::Left) {
                left.push(format!("{}: {}", SCOPES[n].0, self.raw(keys, n)));
            }
        }
        let none = Uses::default();
        let uses = self.uses.get(keys[4] as usize).unwrap_or(&none);
        left.extend(uses.left.iter().cloned());
        Combination {
            owner: is(&self.owners, 0),
            account: is(&self.accounts, 1).filter(|_| keys[1] != 0),
            project: is(&self.projects, 2).filter(|_| keys[2] != 0),
            kind: is(&self.types, 3),
            uses: uses.ids.clone(),
            no_effort: self.no_effort.get(keys[3] as usize).copied().unwrap_or(false),
            left,
        }
    }

    /// The record that an owner's or a type's text stands for, by the text's number.
    pub fn known(&self, scope: usize, number: usize) -> Option<Id> {
        let all = if scope == 0 { &self.owners } else { &self.types };
        match all.get(number) {
            Some(Meaning::Is(id)) => Some(*id),
            _ => None,
        }
    }

    /// The texts of a scope.
    pub fn texts(&self, scope: usize) -> &[String] {
        &self.texts[scope]
    }

    /// Whether effort may be left empty, by the type's number.
    pub fn is_effort_free(&self, kind: u32) -> bool {
        self.no_effort.get(kind as usize).copied().unwrap_or(false)
    }

    /// The person of that name or address, where only one is called so.
    pub fn user(&self, raw: &str) -> Option<Id> {
        match self.book.means(0, raw) {
            Meaning::Is(id) => Some(id),
            _ => None,
        }
    }

    /// What a row says, as it is written.
    pub fn raw(&self, keys: &Keys, scope: usize) -> &str {
        match scope {
            2 => self.text(2, self.pairs.get(keys[2] as usize).map_or(0, |pair| pair[1])),
            _ => self.text(scope, keys[scope]),
        }
    }

    /// (scope, text as it is asked) → rows, of what nobody knows.
    fn unknown(&self, staged: &Staged) -> Outcome<BTreeMap<(usize, String), (String, usize)>> {
        let lengths = [&self.texts[0], &self.texts[1], &self.texts[2], &self.texts[3], &self.texts[4]];
        let mut rows: [Vec<usize>; 5] = lengths.map(|texts| vec![0; texts.len()]);
        rows[2] = vec![0; self.pairs.len()];
        staged.keys(&mut |_, columns| {
            for (rows, column) in rows.iter_mut().zip(columns) {
                for key in column {
                    if let Some(rows) = rows.get_mut(*key as usize) {
                        *rows += 1;
                    }
                }
            }
        })?;
        let mut found: BTreeMap<(usize, String), (String, usize)> = BTreeMap::new();
        let mut asked = |scope: usize, raw: &str, rows: usize| {
            let raw = if raw.is_empty() { BLANK } else { raw };
            if rows > 0 {
                found.entry((scope, fold_key(raw))).or_insert_with(|| (raw.to_owned(), 0)).1 += rows;
            }
        };
        for (scope, table) in self.lacks().0.iter().enumerate() {
            for (number, _) in table.iter().enumerate().filter(|(_, bit)| **bit != 0) {
                let rows = rows[scope].get(number).copied().unwrap_or(0);
                match scope {
                    2 => {
                        let [account, name] = self.pairs[number];
                        asked(2, &project_text(self.text(1, account), self.text(2, name)), rows);
                    }
                    4 => {
                        let unknown = |word: &&str| self.book.means(4, word) == Meaning::Unknown;
                        let text = self.text(4, number as u32);
                        words(text).filter(unknown).for_each(|word| asked(4, word, rows));
                    }
                    _ => asked(scope, self.text(scope, number as u32), rows),
                }
            }
        }
        Ok(found)
    }
}

/// What each key lacks, scope by scope.
pub struct Lacks([Vec<u8>; 5]);

impl Lacks {
    /// What a row lacks of owner, account, project, type and use cases.
    pub fn of(&self, keys: [u32; 5]) -> u8 {
        let mut lacks = 0;
        for (table, key) in self.0.iter().zip(keys) {
            lacks |= table.get(key as usize).copied().unwrap_or(0);
        }
        lacks
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '|']).map(str::trim).filter(|word| !word.is_empty())
}

/// A text of the file that stands for nobody and nothing yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LegacyName {
    /// "owner", "account", "project", "type" or "usecase"
    pub scope: String,
    pub raw: String,
    pub rows: usize,
    /// Records that are called nearly so.
    pub near: Vec<String>,
}

/// What nobody knows of a batch's texts, the most frequent first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListLegacyNames {
    pub which: String,
}

impl Query for ListLegacyNames {
    const NAME: &'static str = "migration.names";
    type Reply = Vec<LegacyName>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<LegacyName>> {
        let staged = Staged::open(cx.reads, &self.which)?;
        let meanings = Meanings::of(&staged)?;
        let mut called: HashMap<Kind, Vec<String>> = HashMap::new();
        for (_, kind) in SCOPES {
            let all = called.entry(kind).or_default();
            each(cx.reads, kind, &mut |_, fields| {
                if let (false, Some(name)) =
                    (names::is_archived(kind, fields), crate::domain::schema::name_of(kind, fields))
                {
                    all.push(name.to_owned());
                }
            })?;
        }
        let mut all: Vec<LegacyName> = Vec::new();
        for ((scope, _), (raw, rows)) in meanings.unknown(&staged)? {
            let (name, kind) = SCOPES[scope];
            let sought = raw.rsplit(" / ").next().unwrap_or(&raw);
            let near = match raw.as_str() {
                BLANK => vec![],
                _ => text::nearest(sought, called[&kind].iter().map(String::as_str), OFFERED),
            };
            let near = near.into_iter().map(str::to_owned).collect();
            all.push(LegacyName { scope: name.into(), raw, rows, near });
        }
        all.sort_by(|a, b| (b.rows, &a.scope, &a.raw).cmp(&(a.rows, &b.scope, &b.raw)));
        Ok(all)
    }
}

/// Says what a text stands for, once for all files; `-` leaves it out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NameLegacy {
    pub scope: String,
    pub raw: String,
    pub who: String,
}

impl Command for NameLegacy {
    const NAME: &'static str = "migration.name";
    /// Whom it stands for now; empty where it is left out.
    type Reply = String;

    fn run(&self, cx: &mut WriteCx) -> Outcome<String> {
        let (scope, kind) = SCOPES.into_iter().find(|(scope, _)| *scope == self.scope).ok_or_else(|| {
            let known = SCOPES.map(|(scope, _)| scope).join(", ");
            Failure::usage(format!("\"{}\" is not one of {known}", self.scope))
        })?;
        if self.raw.trim().is_empty() {
            return Err(Failure::usage(format!("Which text? An empty one is written {BLANK}")));
        }
        let target = whom::target(cx.reads(), kind, &self.who)?;
        if target.is_none() && matches!(kind, Kind::User | Kind::ActivityType) {
            return Err(Failure::invalid(format!(
                "An activity has {} {scope}",
                match kind {
                    Kind::User => "an",
                    _ => "a",
                }
            ))
            .hint("Say whom it stands for, or set the rows aside: `pams migration choose --issue`"));
        }
        whom::say(cx, scope, &self.raw, target)?;
        target.map_or(Ok(String::new()), |id| names::name(cx.reads(), kind, id))
    }
}

/// Makes records of the texts that nobody knows, all in one step; undo takes them away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MakeStubs {
    pub which: String,
    /// Of these scopes; all but owners where none is said.
    pub scopes: Vec<String>,
}

/// A record that was made of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stub {
    pub id: Id,
    pub kind: Kind,
    pub name: String,
}

impl Command for MakeStubs {
    const NAME: &'static str = "migration.make_stubs";
    type Reply = Vec<Stub>;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Vec<Stub>> {
        cx.set_cause(crate::changes::Cause::Migration, None);
        if let Some(bad) = self.scopes.iter().find(|s| SCOPES.iter().all(|(scope, _)| scope != s)) {
            let known = SCOPES.map(|(scope, _)| scope).join(", ");
            return Err(Failure::usage(format!("\"{bad}\" is not one of {known}")));
        }
        let wanted = |scope: &str| match self.scopes.is_empty() {
            true => scope != "owner",
            false => self.scopes.iter().any(|s| s == scope),
        };
        cx.batch.defer_indexes();
        let mut made = Vec::new();
        // Accounts first: a project belongs to one.
        for turn in [[0, 1, 3, 4].as_slice(), &[2]] {
            let (batch, unknown, meanings) = {
                let staged = Staged::open(cx.reads(), &self.which)?;
                let meanings = Meanings::of(&staged)?;
                (staged.id, meanings.unknown(&staged)?, meanings)
            };
            for ((scope, _), (raw, _)) in unknown {
                let (name, kind) = SCOPES[scope];
                if !turn.contains(&scope) || !wanted(name) || raw == BLANK {
                    continue;
                }
                let Some((name, fields)) = stub(&meanings, kind, &raw) else { continue };
                let id = ids::stub(batch, kind, &raw);
                match cx.reads().head(kind, id)? {
                    // Rolled back before: the same text is the same record.
                    Some(head) if head.deleted => drop(cx.restore(kind, id)?),
                    Some(_) => continue,
                    None => drop(cx.create_as(kind, id, &fields)?),
                }
                made.push(Stub { id, kind, name });
            }
        }
        Ok(made)
    }
}

/// The record that a text would be, and its name; none where it cannot be one.
fn stub(meanings: &Meanings, kind: Kind, raw: &str) -> Option<(String, Fields)> {
    let name: String = raw.chars().take(crate::domain::check::MAX_LINE).collect();
    let named = |fields| Some((name.clone(), fields));
    match kind {
        Kind::User => {
            let email = if name.contains('@') { name.clone() } else { String::new() };
            named(User { name: name.clone(), email, ..User::default() }.to_fields())
        }
        Kind::Account => named(Account { name: name.clone(), ..Account::default() }.to_fields()),
        Kind::ActivityType => {
            let kind = ActivityType { name: name.clone(), effort: "warn".into(), ..ActivityType::default() };
            named(kind.to_fields())
        }
        Kind::UseCase => named(UseCase { name: name.clone(), ..UseCase::default() }.to_fields()),
        Kind::Project => {
            let (account, project) = raw.rsplit_once(" / ")?;
            let Meaning::Is(account) = meanings.book.means(1, account) else { return None };
            let made = Project {
                name: project.to_owned(),
                account: Some(account),
                stage: "closed".into(),
                ..Project::default()
            };
            Some((project.to_owned(), made.to_fields()))
        }
        _ => None,
    }
}

/// The records that a batch made of texts and that are still there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListStubs {
    pub which: String,
}

impl Query for ListStubs {
    const NAME: &'static str = "migration.stubs";
    type Reply = Vec<Stub>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Stub>> {
        let staged = Staged::open(cx.reads, &self.which)?;
        stubs(cx.reads, staged.id)
    }
}

fn stubs(reads: &dyn Reads, batch: Id) -> Outcome<Vec<Stub>> {
    let mut found = Vec::new();
    for (_, kind) in SCOPES {
        reads.heads(kind, ids::first(batch), &mut |id, bytes| {
            if id.unix_ms() != batch.unix_ms() {
                return ControlFlow::Break(());
            }
            if let Ok(head) = codec::decode_head(bytes)
                && !head.deleted
                && ids::is_stub(batch, id)
            {
                let name = crate::domain::schema::name_of(kind, &head.fields).unwrap_or_default().to_owned();
                found.push(Stub { id, kind, name });
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(found)
}

/// Takes away the records that a batch made and that nothing uses.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DropStubs {
    pub which: String,
}

impl Command for DropStubs {
    const NAME: &'static str = "migration.drop_stubs";
    type Reply = Vec<Stub>;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Vec<Stub>> {
        cx.set_cause(crate::changes::Cause::Migration, None);
        let batch = Staged::open(cx.reads(), &self.which)?.id;
        let mut dropped = Vec::new();
        // Projects before the accounts they belong to.
        for turn in [true, false] {
            let mut left = stubs(cx.reads(), batch)?;
            left.retain(|stub| (stub.kind == Kind::Project) == turn);
            let used = used(cx.reads(), left.iter().map(|stub| stub.id).collect())?;
            for stub in left.into_iter().filter(|stub| !used.contains(&stub.id)) {
                let head = cx.reads().head(stub.kind, stub.id)?.unwrap_or_default();
                if is_as_made(cx.reads(), stub.kind, stub.id)? {
                    cx.delete(stub.kind, stub.id, &head.fields)?;
                    dropped.push(stub);
                }
            }
        }
        Ok(dropped)
    }
}

/// Those among records that live ones refer to.
fn used(reads: &dyn Reads, of: HashSet<Id>) -> Outcome<HashSet<Id>> {
    let mut used = HashSet::new();
    if of.is_empty() {
        return Ok(used);
    }
    for kind in [Kind::Activity, Kind::Win, Kind::Project, Kind::Account, Kind::User, Kind::UseCase] {
        each(reads, kind, &mut |_, fields| {
            for value in fields.values() {
                match value {
                    Value::Id(id) if of.contains(id) => drop(used.insert(*id)),
                    Value::Ids(ids) => used.extend(ids.iter().filter(|id| of.contains(id))),
                    _ => {}
                }
            }
        })?;
    }
    Ok(used)
}

/// Whether nobody has said more of a record than the text it was made of.
fn is_as_made(reads: &dyn Reads, kind: Kind, id: Id) -> Outcome<bool> {
    for seq in reads.history(kind, id)? {
        if reads.record(seq)?.is_some_and(|record| record.change.op == Op::Set) {
            return Ok(false);
        }
    }
    Ok(true)
}
