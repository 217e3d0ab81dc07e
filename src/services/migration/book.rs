//! What every name in the store can mean for the texts of a legacy file, and what was said of
//! them before: read anew for each count, so nothing of a record is decoded but its names.

use super::meanings::SCOPES;
use crate::changes::codec::{self, Damaged, RawFields};
use crate::columns::FastMap;
use crate::domain::schema::{Alias, Kind};
use crate::domain::value::Value;
use crate::domain::{Id, Outcome};
use crate::services::all_live;
use crate::store::{Reads, StoreError, fold_key};
use std::hash::Hash;
use std::ops::ControlFlow;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    Is(Id),
    /// Somebody said that it is left out.
    Left,
    Unknown,
}

/// What bears a name: one record, or several, which is nobody.
#[derive(Clone, Copy)]
enum Called {
    One(Id),
    Several,
}

impl Called {
    fn note<K: Eq + Hash>(names: &mut FastMap<K, Called>, name: K, id: Id) {
        let called = names.entry(name).or_insert(Called::One(id));
        // A record's own names may fold alike.
        if !matches!(called, Called::One(known) if *known == id) {
            *called = Called::Several;
        }
    }

    fn means(called: Option<&Called>) -> Meaning {
        match called {
            Some(Called::One(id)) => Meaning::Is(*id),
            Some(Called::Several) | None => Meaning::Unknown,
        }
    }
}

/// Everything that a name can mean.
#[derive(Default)]
pub(super) struct Book {
    /// Scope → folded name → what is called so; projects apart.
    names: [FastMap<String, Called>; 5],
    /// Folded names of projects, numbered: many have one "Platform".
    project_names: FastMap<String, u32>,
    /// Account and the name's number → what is called so there.
    projects: FastMap<(Option<Id>, u32), Called>,
    /// Types whose effort may be left empty.
    no_effort: Vec<Id>,
    /// Scope → folded text → what was said of it.
    said: [FastMap<String, Option<Id>>; 5],
}

impl Book {
    pub fn of(reads: &dyn Reads) -> Outcome<Book> {
        let mut book = Book::default();
        for (scope, (_, kind)) in SCOPES.into_iter().enumerate() {
            let (roles, mut failed) = (roles(kind), None);
            reads.heads(kind, Id::default(), &mut |id, head| {
                failed = book.add(scope, &roles, id, head).err();
                if failed.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if let Some(damaged) = failed {
                return Err(StoreError::from(damaged).into());
            }
        }
        for (_, alias) in all_live::<Alias>(reads)? {
            if let Some(scope) = SCOPES.iter().position(|(scope, _)| *scope == alias.scope) {
                book.said[scope].insert(fold_key(&alias.text), alias.target.parse().ok());
            }
        }
        Ok(book)
    }

    /// Notes what a stored head is called. There are tens of thousands of them for each count:
    /// nothing is decoded but names.
    fn add(&mut self, scope: usize, roles: &[Role], id: Id, head: &[u8]) -> Result<(), Damaged> {
        let (mut called, mut account, mut is_free) = ([&[][..]; MAX_NAMES], None, false);
        let mut place = called.iter_mut();
        let fields = RawFields::of(head)?;
        if fields.deleted {
            return Ok(());
        }
        for field in fields {
            let (number, value) = field?;
            match roles.get(usize::from(number)).unwrap_or(&Role::Other) {
                Role::Name => place.next().into_iter().for_each(|place| *place = value),
                Role::Archived if codec::picked_yes(value) => return Ok(()),
                Role::Merged => return Ok(()),
                Role::Account => account = codec::picked_id(value),
                Role::Effort => is_free = codec::picked_text(value) == Some("warn"),
                Role::Archived | Role::Other => {}
            }
        }
        if is_free {
            self.no_effort.push(id);
        }
        for value in called.into_iter().filter(|value| !value.is_empty()) {
            if let Some(name) = codec::picked_text(value) {
                self.note(scope, account, id, name);
            } else if let Value::Texts(all) = codec::decode_value(value)? {
                all.iter().for_each(|name| self.note(scope, account, id, name));
            }
        }
        Ok(())
    }

    fn note(&mut self, scope: usize, account: Option<Id>, id: Id, name: &str) {
        let key = fold_key(name);
        if SCOPES[scope].1 != Kind::Project {
            return Called::note(&mut self.names[scope], key, id);
        }
        let next = self.project_names.len() as u32;
        let number = *self.project_names.entry(key).or_insert(next);
        Called::note(&mut self.projects, (account, number), id);
    }

    /// Whether anything was said of texts of a scope.
    pub fn has_said(&self, scope: usize) -> bool {
        !self.said[scope].is_empty()
    }

    /// What was said of a text.
    pub fn said(&self, scope: usize, raw: &str) -> Option<Meaning> {
        if !self.has_said(scope) {
            return None;
        }
        let said = self.said[scope].get(&fold_key(raw))?;
        Some(said.map_or(Meaning::Left, Meaning::Is))
    }

    /// What a text stands for that is no project.
    pub fn means(&self, scope: usize, raw: &str) -> Meaning {
        let known = || Called::means(self.names[scope].get(&fold_key(raw)));
        self.said(scope, raw).unwrap_or_else(known)
    }

    /// The number of a name that projects have.
    pub fn project_name(&self, raw: &str) -> Option<u32> {
        self.project_names.get(&fold_key(raw)).copied()
    }

    /// The project of an account that has this name.
    pub fn project(&self, account: Option<Id>, name: Option<u32>) -> Meaning {
        Called::means(name.and_then(|name| self.projects.get(&(account, name))))
    }

    pub fn needs_no_effort(&self, kind: Id) -> bool {
        self.no_effort.contains(&kind)
    }
}

/// What a field is to a name.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Name,
    Archived,
    Merged,
    Account,
    Effort,
    Other,
}

/// Fields at most that a record is called by.
const MAX_NAMES: usize = 4;

/// The roles of a kind's fields, by their numbers.
fn roles(kind: Kind) -> Vec<Role> {
    let mut roles = Vec::new();
    for field in kind.schema().fields {
        let role = match field.name {
            "name" | "aliases" | "email" | "username" => Role::Name,
            "archived" => Role::Archived,
            "merged_into" => Role::Merged,
            "account" if kind == Kind::Project => Role::Account,
            "effort" if kind == Kind::ActivityType => Role::Effort,
            _ => Role::Other,
        };
        let number = usize::from(field.id);
        roles.resize(roles.len().max(number + 1), Role::Other);
        roles[number] = role;
    }
    debug_assert!(roles.iter().filter(|role| **role == Role::Name).count() <= MAX_NAMES);
    roles
}
