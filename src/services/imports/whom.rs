//! Whom the owners and accounts of a file stand for: what was said in this import, what
//! was said before, and names that only one has. Nobody is guessed.

use super::Options;
use crate::domain::schema::{Alias, Kind, Record, User};
use crate::domain::{Id, Outcome, text};
use crate::services::{Query, ReadCx, WriteCx, all_live, names};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Remembered answers that one reply holds.
const MAX_REMEMBERED: usize = 5_000;
/// Remembered answers about one text: one a scope.
const MAX_SCOPES: usize = 20;
const BY_TEXT: u8 = 75;

#[derive(Clone, Copy)]
enum Meant {
    Is(Id),
    /// Somebody said that it is none of ours.
    Nobody,
    Unknown,
}

impl Meant {
    fn id(self) -> Option<Id> {
        match self {
            Meant::Is(id) => Some(id),
            _ => None,
        }
    }

    fn said(target: Option<Id>) -> Meant {
        target.map_or(Meant::Nobody, Meant::Is)
    }
}

pub struct Whom {
    /// By e-mail and name.
    owners: HashMap<(String, String), Meant>,
    accounts: HashMap<String, Meant>,
    /// Accounts that are not known are made: nobody needs to be asked.
    makes_accounts: bool,
    /// Answers of this import, not yet remembered.
    answers: HashMap<(&'static str, String), Meant>,
}

impl Whom {
    pub fn new(reads: &dyn Reads, options: &Options) -> Outcome<Whom> {
        let mut answers = HashMap::new();
        for (scope, kind, given) in scopes(options) {
            for (raw, who) in given {
                answers.insert((scope, text::fold(raw)), Meant::said(target(reads, kind, who)?));
            }
        }
        let (owners, accounts) = (HashMap::new(), HashMap::new());
        Ok(Whom { owners, accounts, makes_accounts: options.stub_accounts, answers })
    }

    /// A remembered answer, then whose e-mail it is, then the only person of that name
    /// unless their e-mail is another one.
    pub fn owner(&mut self, reads: &dyn Reads, email: &str, name: &str) -> Outcome<Option<Id>> {
        let key = (email.to_owned(), name.to_owned());
        if let Some(known) = self.owners.get(&key) {
            return Ok(known.id());
        }
        let mut meant = Meant::Unknown;
        for raw in [email, name].into_iter().filter(|t| !t.is_empty()) {
            meant = match self.said(reads, "owner", raw)? {
                Some(said) => said,
                None => match names::exact(reads, Kind::User, raw)?.as_slice() {
                    [one] if !has_other_email(reads, *one, email)? => Meant::Is(*one),
                    _ => meant,
                },
            };
            if matches!(meant, Meant::Is(_)) {
                break;
            }
        }
        self.owners.insert(key, meant);
        Ok(meant.id())
    }

    /// The raw owner of a row when nobody said yet who that is.
    pub fn unknown_owner<'a>(&self, email: &'a str, name: &'a str) -> Option<&'a str> {
        let raw = if name.is_empty() { email } else { name };
        let meant = self.owners.get(&(email.to_owned(), name.to_owned()));
        (!raw.is_empty() && matches!(meant, Some(Meant::Unknown))).then_some(raw)
    }

    pub fn account(&mut self, reads: &dyn Reads, raw: &str) -> Outcome<Option<Id>> {
        if let Some(known) = self.accounts.get(raw) {
            return Ok(known.id());
        }
        let meant = match self.said(reads, "account", raw)? {
            Some(said) => said,
            None => match names::exact(reads, Kind::Account, raw)?.as_slice() {
                [one] => Meant::Is(*one),
                _ => Meant::Unknown,
            },
        };
        self.accounts.insert(raw.to_owned(), meant);
        Ok(meant.id())
    }

    pub fn account_is_unknown(&self, raw: &str) -> bool {
        matches!(self.accounts.get(raw), Some(Meant::Unknown))
    }

    /// Whether a person has to say what account it is.
    pub fn account_is_asked(&self, raw: &str) -> bool {
        !self.makes_accounts && self.account_is_unknown(raw)
    }

    /// Names of accounts that are not known, each spelling of one name once.
    pub fn new_accounts(&self) -> Vec<&str> {
        let unknown = self.accounts.iter().filter(|(_, meant)| matches!(meant, Meant::Unknown));
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        for (raw, _) in unknown.filter(|(raw, _)| !raw.is_empty()) {
            let spelling = names.entry(text::fold(raw)).or_insert(raw);
            *spelling = (*spelling).min(raw);
        }
        names.into_values().collect()
    }

    fn said(&self, reads: &dyn Reads, scope: &'static str, raw: &str) -> Outcome<Option<Meant>> {
        if let Some(answer) = self.answers.get(&(scope, text::fold(raw))) {
            return Ok(Some(*answer));
        }
        let before = alias(reads, scope, raw)?;
        Ok(before.map(|(_, alias)| Meant::said(alias.target.parse().ok())))
    }
}

type Given<'a> = (&'static str, Kind, &'a Vec<(String, String)>);

fn scopes(options: &Options) -> [Given<'_>; 2] {
    [("owner", Kind::User, &options.owners), ("account", Kind::Account, &options.accounts)]
}

/// Whom an answer names; `-` is nobody of us.
pub fn target(reads: &dyn Reads, kind: Kind, who: &str) -> Outcome<Option<Id>> {
    match who {
        "-" => Ok(None),
        who => names::resolve(reads, kind, who, None).map(Some),
    }
}

/// Two people may share a name; an e-mail tells them apart.
fn has_other_email(reads: &dyn Reads, user: Id, email: &str) -> Outcome<bool> {
    let user = User::from_fields(&reads.fields(Kind::User, user)?.unwrap_or_default());
    Ok(!email.is_empty() && !user.email.is_empty() && text::fold(email) != text::fold(&user.email))
}

/// What was said of a text in an earlier import.
pub(super) fn alias(reads: &dyn Reads, scope: &str, raw: &str) -> Outcome<Option<(Id, Alias)>> {
    for id in reads.index_ids(IndexKey::new(BY_TEXT).text(raw), MAX_SCOPES)? {
        let alias = Alias::from_fields(&reads.fields(Kind::Alias, id)?.unwrap_or_default());
        if alias.scope == scope {
            return Ok(Some((id, alias)));
        }
    }
    Ok(None)
}

/// Keeps the answers given with an import; returns how many.
pub fn remember(cx: &mut WriteCx, options: &Options) -> Outcome<usize> {
    for (scope, kind, given) in scopes(options) {
        for (raw, who) in given {
            let target = target(cx.reads(), kind, who)?;
            say(cx, scope, raw, target)?;
        }
    }
    Ok(options.owners.len() + options.accounts.len())
}

/// Remembers what a text stands for.
pub fn say(cx: &mut WriteCx, scope: &str, raw: &str, target: Option<Id>) -> Outcome<()> {
    let said = Alias {
        scope: scope.into(),
        text: text::clean(raw),
        target: target.map(|t| t.to_string()).unwrap_or_default(),
        verdict: if target.is_some() { "link" } else { "not ours" }.into(),
    };
    match alias(cx.reads(), scope, raw)? {
        Some((id, _)) => drop(cx.update(Kind::Alias, id, |fields| *fields = said.to_fields())?),
        None => drop(cx.create(Kind::Alias, &said.to_fields())?),
    }
    Ok(())
}

/// What was said of an owner or account in an import, and is remembered for the next.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Remembered {
    pub id: Id,
    /// "owner", "account", "project", "type" or "usecase"
    pub scope: String,
    pub text: String,
    /// Whom it stands for; empty for nobody of us.
    pub who: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListRemembered {}

impl Query for ListRemembered {
    const NAME: &'static str = "imports.remembered";
    type Reply = Vec<Remembered>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Remembered>> {
        let found = all_live::<Alias>(cx.reads)?.into_iter().take(MAX_REMEMBERED);
        let said = |(id, alias): (Id, Alias)| {
            let scopes = crate::services::migration::SCOPES;
            let kind = scopes.iter().find(|(scope, _)| *scope == alias.scope).map_or(Kind::Account, |s| s.1);
            let who = alias.target.parse().ok().map(|of| names::name(cx.reads, kind, of)).transpose()?;
            Ok(Remembered { id, scope: alias.scope, text: alias.text, who: who.unwrap_or_default() })
        };
        let mut all = found.map(said).collect::<Outcome<Vec<Remembered>>>()?;
        all.sort_by(|a, b| (&b.scope, &a.text).cmp(&(&a.scope, &b.text)));
        Ok(all)
    }
}
