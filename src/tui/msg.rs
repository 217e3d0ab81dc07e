//! What comes into the interface, and what it asks for.

use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::{Engine, Event};
use crate::services::activities::LineRead;
use crate::services::imports::{Line, Shown};
use crate::services::input::Input;
use crate::services::records::Saved;
use crate::tui::app::Cx;
use crate::tui::keys::{Key, Keymap};
use crate::tui::panes::Panes;
use crate::tui::picker::{Choice, Picker};
use crate::tui::review::Review;
use crate::tui::theme::Theme;

pub enum Msg {
    Key(Key),
    Paste(String),
    /// Column and line.
    Click(u16, u16),
    /// The wheel: down, or up.
    Wheel(bool),
    Resize,
    /// The text that comes back from the person's editor.
    Edited(Outcome<String>),
    /// Keymap and theme as their files are now.
    Configured(Outcome<(Keymap, Theme)>),
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
    /// A frame was put off.
    Draw,
}

/// Where an answer goes. Of each but `Action` only the newest question counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Home,
    List,
    Count,
    Strip,
    /// The months around the wins.
    Months,
    /// What a pane shows beside or instead of its list.
    Side,
    Wins,
    Accounts,
    Outlets,
    Territories,
    Migration,
    /// The unit that is open, all units, and what a run has found.
    Routes,
    Units,
    /// Which outlets of a unit fit what is typed.
    Find,
    Offer,
    Imports,
    Drafts,
    History,
    Jobs,
    Remote,
    Admin,
    Review,
    Lines,
    /// Read ahead: one for each place.
    Ahead(u8),
    Suggest,
    Line,
    Form,
    Action,
}

/// How the panes take an answer.
pub type Into = Box<dyn FnOnce(&mut Panes, &mut Cx) + Send>;

pub enum Data {
    /// An answer and the pane's way to take it.
    Panes(Outcome<Into>),
    Suggest(usize, Vec<(Id, String)>),
    /// What a picker over the store found.
    Choices(Vec<Choice>),
    /// A question before something is done.
    Confirm(Outcome<(String, Job)>),
    /// Something to choose from.
    Picker(Outcome<Box<Picker>>),
    Line(Outcome<Box<LineRead>>),
    /// A form's start: what it edits and the texts of its fields.
    Form(Outcome<FormStart>),
    Saved(Outcome<(Id, Box<Saved>)>),
    Logged(Outcome<(Id, String)>),
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
    /// The same, and what the pane does when it is done.
    DoneThen(Outcome<(String, Option<Id>)>, Into),
    Nothing,
}

impl Data {
    /// What was to be opened did not open.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Data::Form(Err(_)) | Data::Review(Err(_)) | Data::Picker(Err(_)) | Data::Confirm(Err(_))
        )
    }
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
    /// What it starts with was typed, in the log line or a note: leaving asks about it.
    pub typed: bool,
}

pub type Job = Box<dyn FnOnce(&Engine) -> Data + Send>;

/// One piece of work; of its slot it is the `generation`th.
pub struct Work {
    pub slot: Slot,
    pub generation: u64,
    pub job: Job,
    /// It changes nothing: it need not begin once a newer one of its slot is wanted.
    pub only_looks: bool,
}

pub enum Effect {
    /// Work for the engine, off the interface's thread.
    Work(Work),
    /// Tell me after so many milliseconds; a newer one of the kind replaces it.
    After(u64, Deadline),
    Suspend,
    /// To the terminal's clipboard.
    Copy(String),
    Mouse(bool),
    /// Opens the text in the person's editor.
    Edit(String),
    /// Opens the settings in the person's editor, then reads them.
    Settings,
    /// Reads keymap and theme again.
    Configure,
    Redraw,
    Bell,
    Quit(i32),
}
