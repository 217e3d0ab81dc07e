//! The panes. They never name each other: what leads elsewhere goes through the shell.

pub mod accounts;
pub mod activities;
pub mod admin;
pub mod drafts;
pub mod history;
pub mod home;
pub mod imports;
pub mod jobs;
pub mod migration;
pub mod outlets;
pub mod routes;
pub mod views;
pub mod wins;

use crate::domain::note::Proposed;
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Id, Outcome, text};
use crate::engine::{Engine, Progress};
use crate::services::activities::ReadNote;
use crate::services::records::purge::Purge;
use crate::services::records::{Archive, Merge, Show};
use crate::services::setup::Me;
use crate::services::sync::device::{Standing, SyncStatus};
use crate::services::undo::Undo;
use crate::tui::app::Cx;
use crate::tui::command::Refused;
use crate::tui::msg::{Data, Slot};
use crate::tui::overlay::Question;
use crate::tui::picker::{Choice, Picker, Purpose};
use crate::tui::quick::Prompt;
use crate::tui::widgets::{DrawCx, part};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaneId {
    Home,
    Activities,
    Wins,
    Migration,
    Routes,
    Accounts,
    Outlets,
    Imports,
    Drafts,
    History,
    Jobs,
    Admin,
}

impl PaneId {
    pub const ALL: [PaneId; 12] = [
        PaneId::Home,
        PaneId::Activities,
        PaneId::Wins,
        PaneId::Migration,
        PaneId::Routes,
        PaneId::Accounts,
        PaneId::Outlets,
        PaneId::Imports,
        PaneId::Drafts,
        PaneId::History,
        PaneId::Jobs,
        PaneId::Admin,
    ];

    pub fn title(self) -> &'static str {
        match self {
            PaneId::Home => "Home",
            PaneId::Activities => "Activities",
            PaneId::Wins => "Wins",
            PaneId::Migration => "Migration",
            PaneId::Routes => "Routes",
            PaneId::Accounts => "Accounts",
            PaneId::Outlets => "Outlets",
            PaneId::Imports => "Imports",
            PaneId::Drafts => "Drafts",
            PaneId::History => "History",
            PaneId::Jobs => "Jobs",
            PaneId::Admin => "Admin",
        }
    }

    /// The same where there is little room.
    pub fn short(self) -> &'static str {
        match self {
            PaneId::Activities => "Acts",
            PaneId::Migration => "Migr",
            PaneId::Accounts => "Accts",
            other => other.title(),
        }
    }

    /// The digit that goes there: places keep their number as more of them come. Those
    /// without one stand behind 0.
    pub fn digit(self) -> Option<char> {
        match self {
            PaneId::Home => Some('1'),
            PaneId::Activities => Some('2'),
            PaneId::Wins => Some('3'),
            PaneId::Migration => Some('4'),
            PaneId::Routes => Some('5'),
            PaneId::Accounts => Some('6'),
            PaneId::Outlets => Some('7'),
            PaneId::Imports => Some('8'),
            PaneId::Drafts => Some('9'),
            PaneId::History | PaneId::Jobs | PaneId::Admin => None,
        }
    }

    pub fn of_command(id: &str) -> Option<PaneId> {
        PaneId::ALL.into_iter().find(|p| id.strip_prefix("go.") == Some(&p.title().to_lowercase()))
    }
}

type Job = Box<dyn FnOnce(&Engine) -> Data + Send>;

/// What a pane asks of the shell.
pub enum Ask {
    Nothing,
    Say(String),
    /// A text at the foot of the pane.
    Prompt(Prompt),
    Pick(Box<Picker>),
    /// A form, a review or a picker; the job finds what it starts with.
    Load(Job),
    /// Another place, at a month if it has months.
    Go(PaneId, Option<Month>),
    /// A record, in the pane where it lives.
    Open(Kind, String),
    /// A transaction, in History.
    Change(Id),
    /// To the terminal's clipboard, and what it is.
    Copy(String, String),
    Confirm(Question, String),
    Act(Job),
}

/// One place of the program. Panes get commands, never keys.
pub trait Pane {
    /// Where commands are looked for, innermost first.
    fn scopes(&self) -> Vec<&'static str>;
    /// What the footer shows, the most useful first.
    fn hints(&self) -> Vec<(&'static str, &'static str)>;
    /// Asks for what it shows: it was gone to.
    fn load(&mut self, cx: &mut Cx);
    /// Somebody changed records of these kinds.
    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx);
    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask;
    /// Commands of lists that mean nothing here: neither help nor palette shows them.
    fn lacks(&self) -> &'static [&'static str] {
        &[]
    }
    /// Why it cannot run a command now.
    fn refuses(&self, _id: &str) -> Refused {
        None
    }
    /// One step back inside the pane; false when there is nowhere to go back to.
    fn back(&mut self, _cx: &mut Cx) -> bool {
        false
    }
    /// What was typed for something the pane asked.
    fn prompted(&mut self, _what: &str, _typed: &str, _cx: &mut Cx) -> Ask {
        Ask::Nothing
    }
    /// What was chosen of something the pane showed.
    fn picked(&mut self, _what: &str, _value: &str, _cx: &mut Cx) -> Ask {
        Ask::Nothing
    }
    /// The filter as it is being typed.
    fn set_filter(&mut self, _text: &str, _cx: &mut Cx) {}
    /// A job went on or ended.
    fn job(&mut self, _progress: Progress, _cx: &mut Cx) {}
    /// What is kept between sessions.
    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    /// What was kept. `resume`: the last session was cut off, so it goes on where it was.
    fn restore(&mut self, _state: &serde_json::Value, _resume: bool) {}
    /// The row under the cursor.
    fn row(&self) -> Option<Id> {
        None
    }
    /// The cursor goes to that row once it is there.
    fn go_to_row(&mut self, _row: Id) {}
    /// Computes what depends on the size; rows that it needs are asked for.
    fn layout(&mut self, area: Rect, cx: &mut Cx);
    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx);
    /// The row at a line of the area last drawn, for the mouse.
    fn click(&mut self, _line: u16) {}
}

pub struct Panes {
    pub current: PaneId,
    /// Where back leads.
    trail: Vec<PaneId>,
    /// Shown beside the current one where the screen is wide.
    pub side: Option<PaneId>,
    pub home: home::Home,
    pub activities: activities::Activities,
    pub wins: wins::Wins,
    pub migration: migration::Migration,
    pub routes: routes::Routes,
    pub accounts: accounts::Accounts,
    pub outlets: outlets::Outlets,
    pub imports: imports::Imports,
    pub drafts: drafts::Drafts,
    pub history: history::History,
    pub jobs: jobs::Jobs,
    pub admin: admin::Admin,
    /// The remote instance, and what waits to be sent to it.
    pub standing: Standing,
}

/// From this width on two panes can stand beside each other.
pub const SPLIT: u16 = 140;
/// Panes remembered for going back.
const MAX_TRAIL: usize = 20;

impl Panes {
    pub fn new(me: &Me) -> Panes {
        Panes {
            current: PaneId::Home,
            trail: vec![],
            side: None,
            home: home::Home::default(),
            activities: activities::Activities::new(me),
            wins: wins::Wins::default(),
            migration: migration::Migration::default(),
            routes: routes::Routes::default(),
            accounts: accounts::Accounts::default(),
            outlets: outlets::Outlets::default(),
            imports: imports::Imports::default(),
            drafts: drafts::Drafts::default(),
            history: history::History::default(),
            jobs: jobs::Jobs::default(),
            admin: admin::Admin::default(),
            standing: Standing::default(),
        }
    }

    pub fn at(&self, pane: PaneId) -> &dyn Pane {
        match pane {
            PaneId::Home => &self.home,
            PaneId::Activities => &self.activities,
            PaneId::Wins => &self.wins,
            PaneId::Migration => &self.migration,
            PaneId::Routes => &self.routes,
            PaneId::Accounts => &self.accounts,
            PaneId::Outlets => &self.outlets,
            PaneId::Imports => &self.imports,
            PaneId::Drafts => &self.drafts,
            PaneId::History => &self.history,
            PaneId::Jobs => &self.jobs,
            PaneId::Admin => &self.admin,
        }
    }

    pub fn at_mut(&mut self, pane: PaneId) -> &mut dyn Pane {
        match pane {
            PaneId::Home => &mut self.home,
            PaneId::Activities => &mut self.activities,
            PaneId::Wins => &mut self.wins,
            PaneId::Migration => &mut self.migration,
            PaneId::Routes => &mut self.routes,
            PaneId::Accounts => &mut self.accounts,
            PaneId::Outlets => &mut self.outlets,
            PaneId::Imports => &mut self.imports,
            PaneId::Drafts => &mut self.drafts,
            PaneId::History => &mut self.history,
            PaneId::Jobs => &mut self.jobs,
            PaneId::Admin => &mut self.admin,
        }
    }

    pub fn here(&self) -> &dyn Pane {
        self.at(self.current)
    }

    pub fn here_mut(&mut self) -> &mut dyn Pane {
        self.at_mut(self.current)
    }

    pub fn open(&mut self, pane: PaneId, cx: &mut Cx) {
        if pane != self.current {
            self.trail.push(self.current);
            if self.trail.len() > MAX_TRAIL {
                self.trail.remove(0);
            }
        }
        self.current = pane;
        self.load(cx);
    }

    fn load(&mut self, cx: &mut Cx) {
        self.here_mut().load(cx);
        // What waits for the person is in sight everywhere.
        for always in [PaneId::Drafts, PaneId::Imports] {
            if self.current != always {
                self.at_mut(always).load(cx);
            }
        }
    }

    /// The pane that was open before stands beside the current one, or no longer.
    pub fn split(&mut self, cx: &mut Cx) {
        let before = self.trail.iter().rev().find(|p| **p != self.current).copied();
        self.side = match self.side {
            Some(_) => None,
            None => Some(before.unwrap_or(match self.current {
                PaneId::Home => PaneId::Activities,
                _ => PaneId::Home,
            })),
        };
        if let Some(side) = self.side {
            self.at_mut(side).load(cx);
        }
    }

    /// The keys go to the pane beside.
    pub fn swap(&mut self, cx: &mut Cx) {
        if let Some(side) = self.side.replace(self.current) {
            self.current = side;
            self.here_mut().load(cx);
        }
    }

    /// Where the current pane is, and the one beside it.
    fn areas(&self, area: Rect) -> (Rect, Option<(PaneId, Rect)>) {
        match self.side.filter(|side| area.width >= SPLIT && *side != self.current) {
            Some(side) => {
                let half = area.width / 2;
                let right = part(area, half + 1, 0, area.width - half - 1, area.height);
                (part(area, 0, 0, half, area.height), Some((side, right)))
            }
            None => (area, None),
        }
    }

    pub fn layout(&mut self, area: Rect, cx: &mut Cx) {
        let (left, right) = self.areas(area);
        self.here_mut().layout(left, cx);
        if let Some((side, area)) = right {
            self.at_mut(side).layout(area, cx);
        }
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let (left, right) = self.areas(area);
        self.here().draw(left, buf, cx);
        if let Some((side, area)) = right {
            for y in 0..area.height {
                buf.set_string(area.x - 1, area.y + y, cx.bar_between(), cx.style("rule"));
            }
            self.at(side).draw(area, buf, cx);
        }
    }

    /// One step back: what the pane has open first, then the pane before.
    pub fn back(&mut self, cx: &mut Cx) -> bool {
        if self.here_mut().back(cx) {
            return true;
        }
        match self.trail.pop() {
            Some(pane) => {
                self.current = pane;
                self.load(cx);
                true
            }
            None => false,
        }
    }

    /// Opens a record where it lives.
    pub fn open_record(&mut self, kind: Kind, which: String, cx: &mut Cx) -> Ask {
        match (kind, which.parse::<Id>()) {
            (Kind::Account, Ok(id)) => {
                self.accounts.show(id);
                self.open(PaneId::Accounts, cx);
                Ask::Nothing
            }
            _ => edit_form(kind, which),
        }
    }

    /// Goes to a transaction in History.
    pub fn open_change(&mut self, txn: Id, cx: &mut Cx) {
        self.open(PaneId::History, cx);
        self.history.show(txn, cx);
    }

    /// Goes to another pane, at a month if it has months.
    pub fn go(&mut self, pane: PaneId, month: Option<Month>, cx: &mut Cx) {
        if let (PaneId::Wins, Some(month)) = (pane, month) {
            self.wins.show_month(month);
        }
        self.open(pane, cx);
    }

    /// Long lists scroll by the line instead of flipping pages.
    pub fn scroll_lines(&mut self, by_line: bool) {
        self.activities.list_mut().by_line = by_line;
        self.wins.list_mut().by_line = by_line;
        self.accounts.list_mut().by_line = by_line;
        self.outlets.list_mut().by_line = by_line;
        self.history.list_mut().by_line = by_line;
        self.admin.list_mut().by_line = by_line;
    }

    /// What stands behind a tab's name.
    pub fn badge(&self, pane: PaneId) -> String {
        let waits = match pane {
            PaneId::Drafts => self.drafts.count(),
            PaneId::Imports => self.imports.open().len(),
            _ => 0,
        };
        if waits > 0 { format!(":{waits}") } else { String::new() }
    }

    /// Looks how this profile and its remote instance stand.
    pub fn look_at_remote(&self, cx: &mut Cx) {
        cx.ask(
            Slot::Remote,
            |engine| engine.ask(&SyncStatus {}),
            |panes, standing, _| {
                panes.admin.is_signed_in = standing.remote.is_some();
                panes.standing = standing;
            },
        );
    }

    /// Somebody changed records of these kinds.
    pub fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if self.standing.remote.is_some() {
            self.look_at_remote(cx);
        }
        self.here_mut().refresh(kinds, cx);
        for other in [Some(PaneId::Drafts), Some(PaneId::Imports), self.side].into_iter().flatten() {
            if other != self.current {
                self.at_mut(other).refresh(kinds, cx);
            }
        }
    }

    pub fn job(&mut self, progress: Progress, cx: &mut Cx) {
        self.here_mut().job(progress, cx);
        for always in [PaneId::Imports, PaneId::Routes] {
            if self.current != always {
                self.at_mut(always).job(progress, cx);
            }
        }
    }

    pub fn state(&self) -> serde_json::Value {
        let panes = PaneId::ALL.map(|p| (p.title().to_lowercase(), self.at(p).state()));
        let mut all: serde_json::Map<String, serde_json::Value> =
            panes.into_iter().filter(|(_, state)| !state.is_null()).collect();
        all.insert("pane".into(), self.current.title().into());
        all.into()
    }

    pub fn restore(&mut self, state: &serde_json::Value, row: Option<Id>, resume: bool) {
        for pane in PaneId::ALL {
            self.at_mut(pane).restore(&state[pane.title().to_lowercase()], resume);
        }
        let pane = PaneId::ALL.into_iter().find(|p| state["pane"] == p.title());
        if let (true, Some(pane)) = (resume, pane) {
            self.current = pane;
            row.into_iter().for_each(|row| self.here_mut().go_to_row(row));
        }
    }
}

/// Whether any of the kinds is among those that changed.
pub fn touches(changed: &[Kind], of: &[Kind]) -> bool {
    changed.iter().any(|kind| of.contains(kind))
}

/// Kinds whose names stand in other records.
pub const NAMES: [Kind; 6] =
    [Kind::Account, Kind::Project, Kind::ActivityType, Kind::User, Kind::UseCase, Kind::Industry];

/// Something done in one step: what to say of it, and what undo takes back.
pub fn act(
    work: impl FnOnce(&Engine) -> Outcome<(String, Option<Id>)> + Send + 'static,
) -> Box<dyn FnOnce(&Engine) -> Data + Send> {
    Box::new(|engine| Data::Done(work(engine)))
}

/// Erases a record for good, once the person said yes: nothing brings it back.
pub fn purge(kind: Kind, id: Id, name: String, why: &str) -> Ask {
    let (purge, told) = (Purge { kind, which: id.to_string(), why: why.trim().to_owned() }, name.clone());
    let job = act(move |engine| {
        let erased = engine.run(&purge)?.reply;
        let drafts = if erased.drafts > 0 { " and its drafts" } else { "" };
        Ok((format!("{told}{drafts} erased for good, from history too"), None))
    });
    let question = format!("Erase {name} for good, here, in history and on every device? No undo");
    Ask::Confirm(Question::Act(job), question)
}

/// Takes a transaction back, once the person said yes.
pub fn undo_change(txn: Id, question: String) -> Ask {
    let job = act(move |engine| {
        let done = engine.run(&Undo { txn: Some(txn) })?;
        Ok((crate::tui::app::told("Undone", &done.reply), None))
    });
    match question.is_empty() {
        true => Ask::Act(job),
        false => Ask::Confirm(Question::Act(job), question),
    }
}

/// Any place by name.
pub fn places() -> Picker {
    let note = |pane: PaneId| pane.digit().map(String::from).unwrap_or_default();
    let choice =
        |pane: PaneId| Choice::new(pane.title(), note(pane), format!("go.{}", pane.title().to_lowercase()));
    Picker::new("Go to", Purpose::Command, PaneId::ALL.map(choice).into())
}

/// Any account, project or person by a part of its name.
pub fn anything() -> Picker {
    let ask = |engine: &Engine, typed: &str| {
        let find = crate::services::records::Find { text: typed.to_owned(), limit: 40 };
        let found = engine.ask(&find).unwrap_or_default();
        let choice = |f: crate::services::records::Found| {
            Choice::new(f.name, f.what, format!("{} {}", f.kind.name(), f.id))
        };
        found.into_iter().map(choice).collect()
    };
    let empty = "No account, project or person is called that";
    Picker::asking("Find an account, project or person", Purpose::Record, empty, std::sync::Arc::new(ask))
}

/// The form of an existing record: its fields as a person would type them.
pub fn edit_form(kind: Kind, which: String) -> Ask {
    Ask::Load(Box::new(move |engine| {
        let shown = engine.ask(&crate::services::records::Show { kind, which });
        Data::Form(shown.map(|shown| crate::tui::msg::FormStart {
            kind,
            id: Some(shown.item.id),
            rev: shown.item.rev,
            title: format!("{} {}", crate::tui::app::capital(kind.name()), shown.item.id.short()),
            input: shown.typed,
            notes: vec![],
            draft: None,
            typed: false,
        }))
    }))
}

/// The form of a new activity: the date is filled in already (P-001).
pub fn new_activity(over: crate::services::input::Input) -> Ask {
    Ask::Load(Box::new(move |engine| {
        let read = engine.ask(&crate::services::activities::ReadLine { line: String::new() });
        Data::Form(read.map(|read| {
            let mut input = over;
            // A date that was asked for is not the default's.
            let given = input.contains_key("date");
            input.entry("date".into()).or_insert_with(|| read.default_date.to_string());
            crate::tui::msg::FormStart {
                kind: Kind::Activity,
                id: None,
                rev: 0,
                title: "New activity".into(),
                input,
                notes: if given { vec![] } else { vec![("date".into(), read.default_source)] },
                draft: None,
                typed: false,
            }
        }))
    }))
}

/// The form of an activity that a note proposes: behind each field stands what it comes
/// from. Nothing is saved before the form is.
pub fn from_note(note: impl FnOnce() -> Outcome<String> + Send + 'static) -> Ask {
    Ask::Load(Box::new(move |engine| {
        let read = note().and_then(|text| engine.ask(&ReadNote { text }));
        Data::Form(read.map(|read| {
            let said = |p: &Proposed| (p.field.clone(), format!("≈ {}", p.from));
            let mut notes: Vec<(String, String)> = read.proposed.iter().map(said).collect();
            if !read.default_source.is_empty() {
                notes.push(("date".into(), read.default_source));
            }
            crate::tui::msg::FormStart {
                kind: Kind::Activity,
                id: None,
                rev: 0,
                title: format!(
                    "New activity, {} read from the note",
                    text::count(read.proposed.len(), "field")
                ),
                input: read.input,
                notes,
                draft: None,
                typed: true,
            }
        }))
    }))
}

/// The form of a new record of any kind.
pub fn new_record(kind: Kind, input: crate::services::input::Input) -> Ask {
    Ask::Load(Box::new(move |_| {
        Data::Form(Ok(crate::tui::msg::FormStart {
            kind,
            id: None,
            rev: 0,
            title: format!("New {}", kind.name()),
            input,
            notes: vec![],
            draft: None,
            typed: false,
        }))
    }))
}

/// Puts a record away or brings it back.
pub fn archive(kind: Kind, which: String, name: String, archived: bool) -> Ask {
    Ask::Act(act(move |engine| {
        let done = engine.run(&Archive { kind, which, archived })?;
        let word = if archived { "Archived" } else { "Brought back" };
        Ok((format!("{word}: {name}"), Some(done.txn)))
    }))
}

/// One record becomes part of another of its kind, once the person saw what moves.
pub fn merge(kind: Kind, from: String, into: String) -> Ask {
    let from_name = from.clone();
    let of = move |dry_run| Merge {
        kind,
        which: vec![into.clone(), from.clone()],
        into: String::new(),
        base: into.clone(),
        dry_run,
    };
    Ask::Load(Box::new(move |engine| {
        let whom = engine.ask(&Show { kind, which: from_name }).map(|shown| shown.item.text("name"));
        Data::Confirm(engine.run(&of(true)).map(|seen| seen.reply).map(|seen| {
            let name = seen.item.text("name");
            let one = |of: &str| Kind::parse(of).map_or(of.to_owned(), |kind| kind.name().to_owned());
            let counted = |(of, n): (&String, &usize)| match n {
                1 => format!("1 {}", one(of)),
                n => format!("{n} {of}"),
            };
            let moved: Vec<String> = seen.moved.iter().map(counted).collect();
            let moves = if moved.is_empty() { "nothing".into() } else { moved.join(", ") };
            let job = act(move |engine| {
                let done = engine.run(&of(false))?;
                Ok((format!("Merged into {name}"), Some(done.txn)))
            });
            let whom = whom.unwrap_or_default();
            (format!("Merge {whom} into {}? {moves} will name it.", seen.item.text("name")), job)
        }))
    }))
}
