//! A meeting note read for what an activity's form asks; it saves nothing.

use crate::domain::note::{Known, Named, Proposed, read};
use crate::domain::schema::{Kind, Project, Record};
use crate::domain::text::fold;
use crate::domain::{Id, Outcome};
use crate::services::input::Input;
use crate::services::{Query, ReadCx, names};
use crate::store::Reads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reads a note.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadNote {
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NoteRead {
    pub proposed: Vec<Proposed>,
    /// What the form of an activity starts with: what is proposed, the whole note, and the
    /// default date where the note names none.
    pub input: Input,
    pub default_source: String,
}

impl Query for ReadNote {
    const NAME: &'static str = "activity.read_note";
    type Reply = NoteRead;

    fn run(&self, cx: &ReadCx) -> Outcome<NoteRead> {
        let settings = cx.settings()?;
        let proposed = read(&self.text, settings.today, settings.day_minutes, &Book(cx.reads));
        let mut input: Input = proposed.iter().map(|p| (p.field.clone(), p.text.clone())).collect();
        input.insert("details".into(), self.text.trim().to_owned());
        let mut default_source = String::new();
        if !input.contains_key("date") {
            let (day, source) = super::default_date(cx.reads, &settings, None)?;
            input.insert("date".into(), day.to_string());
            default_source = source.to_owned();
        }
        Ok(NoteRead { proposed, input, default_source })
    }
}

/// The names of the store. What fits several is none.
struct Book<'a>(&'a dyn Reads);

impl Book<'_> {
    fn one(&self, kind: Kind, text: &str, within: Option<Id>, whole: bool) -> Option<(Id, String)> {
        let found = names::called(self.0, kind, text, within, whole).unwrap_or_default();
        <[(Id, String); 1]>::try_from(found).ok().map(|[one]| one)
    }
}

impl Known for Book<'_> {
    fn whole(&self, what: Named, text: &str, within: Option<&str>) -> Option<String> {
        let kind = match what {
            Named::Type => Kind::ActivityType,
            Named::Account => Kind::Account,
            Named::Project => Kind::Project,
            Named::UseCase => Kind::UseCase,
        };
        let account = match within {
            Some(name) => Some(self.one(Kind::Account, name, None, true)?.0),
            None => None,
        };
        self.one(kind, text, account, true).map(|(_, name)| name)
    }

    fn short(&self, word: &str) -> Option<String> {
        let (_, name) = self.one(Kind::Account, word, None, false)?;
        name.split(' ').next().filter(|first| fold(first) == fold(word)).is_some().then_some(name)
    }

    fn account_of(&self, project: &str) -> Option<String> {
        let (id, _) = self.one(Kind::Project, project, None, true)?;
        let fields = self.0.fields(Kind::Project, id).ok()??;
        names::name(self.0, Kind::Account, Project::from_fields(&fields).account?).ok()
    }
}
