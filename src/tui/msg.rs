//! What comes into the interface, and what it asks for.

use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Engine, Event};
use crate::services::activities::{LineRead, MonthSum};
use crate::services::imports::{Line, Open, Shown};
use crate::services::input::Input;
use crate::services::records::{Page, Saved};
use crate::services::show::Item;
use crate::services::wins::Callout;
use crate::tui::keys::Key;
use crate::tui::review::Review;

pub enum Msg {
    Key(Key),
    Paste(String),
    Resize,
    /// An answer to work; an old generation of its slot is dropped.
    Data(Slot, u64, Box<Data>),
    /// Somebody changed the store, or a job went on.
    Event(Event),
    /// A deadline set by an effect has come.
    Deadline(Deadline),
    /// Ctrl-Z from outside (SIGTSTP).
    Stop,
    /// SIGTERM, SIGHUP or SIGINT: save and end.
    Signal(i32),
    /// The terminal is gone: save and end.
    Hangup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// Keys wait for what follows: show what can.
    Which,
    /// A form has rested: keep its text.
    Autosave,
}

/// Where an answer goes. Of each but `Action` only the newest question counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Home,
    List,
    Strip,
    Wins,
    Imports,
    Drafts,
    Review,
    Lines,
    Suggest,
    Line,
    Form,
    Action,
}

pub enum Data {
    Home(Outcome<Box<HomeData>>),
    /// A page of activities; `true` when it follows rows already shown.
    Activities(Outcome<Page>, bool),
    Strip(Outcome<Strip>),
    Wins(Outcome<WinsData>),
    Drafts(Outcome<Page>),
    Suggest(usize, Vec<(Id, String)>),
    Line(Outcome<LineRead>),
    /// A form's start: what it edits and the texts of its fields.
    Form(Outcome<FormStart>),
    Saved(Outcome<(Id, Box<Saved>)>),
    Logged(Outcome<(Id, String)>),
    /// The open imports and those committed.
    Imports(Outcome<(Vec<Open>, Vec<Item>)>),
    /// An import to review, how it stands after an answer, rows of one of its
    /// problems, and its end.
    Review(Outcome<Box<Review>>),
    /// The review that was open is no longer there.
    ReviewGone(Failure),
    Reviewed(Outcome<Box<Shown>>),
    Lines(Outcome<Vec<Line>>),
    Imported(Outcome<(Option<Id>, String)>),
    /// Something was done: a sentence, and what undo would take back.
    Done(Outcome<(String, Option<Id>)>),
    Nothing,
}

pub struct HomeData {
    pub callout: Callout,
    pub wins: Page,
    pub hidden: bool,
    pub sum: MonthSum,
    pub last_sum: MonthSum,
    pub week: Page,
    pub due: Page,
    pub drafts: Page,
    /// Imports that wait for somebody.
    pub imports: Vec<Open>,
    /// What I have not read yet, the newest first.
    pub notices: Vec<Item>,
    pub touched: Page,
}

pub struct Strip {
    pub months: Vec<(Month, i64)>,
    pub sum: MonthSum,
}

pub struct WinsData {
    pub months: Vec<Callout>,
    pub page: Page,
    pub callout: Callout,
}

pub struct FormStart {
    pub kind: Kind,
    pub id: Option<Id>,
    pub rev: u64,
    pub title: String,
    pub input: Input,
    /// field → a dim note behind it, such as "last logged"
    pub notes: Vec<(String, String)>,
    /// The draft this form came from; resolved when it is saved.
    pub draft: Option<Id>,
}

type Job = Box<dyn FnOnce(&Engine) -> Data + Send>;

pub enum Effect {
    /// Work for the engine, off the interface's thread.
    Work(Slot, u64, Job),
    /// Tell me after so many milliseconds; a newer one of the kind replaces it.
    After(u64, Deadline),
    Suspend,
    Redraw,
    Bell,
    Quit(i32),
}
