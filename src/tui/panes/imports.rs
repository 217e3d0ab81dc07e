//! Imports: those under review, to be gone on with by anybody, and those committed.

use crate::config::Folders;
use crate::domain::Failure;
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::engine::{Engine, Progress};
use crate::remote::salesforce::{self, Connection};
use crate::services::imports::batches::ListBatches;
use crate::services::imports::uploads::Source;
use crate::services::imports::{DropReview, ListReviews, Open, Options, StartReview, Target};
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::{Data, Slot};
use crate::tui::overlay::Question;
use crate::tui::panes::{Ask, Pane, touches, undo_change};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::review;
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Default)]
pub struct Imports {
    open: Vec<Open>,
    done: Vec<Item>,
    list: ListState,
    loaded: bool,
    /// Where the connection to Salesforce is kept.
    pub folders: Option<Folders>,
}

impl Imports {
    fn take(&mut self, (open, done): (Vec<Open>, Vec<Item>)) {
        self.loaded = true;
        (self.open, self.done) = (open, done);
        self.list.set_len(self.open.len() + self.done.len());
    }

    /// The row under the cursor waits for somebody.
    fn is_open(&self) -> bool {
        self.list.cursor < self.open.len()
    }

    /// The committed import under the cursor.
    fn committed(&self) -> Option<&Item> {
        self.list.cursor.checked_sub(self.open.len()).and_then(|n| self.done.get(n))
    }

    /// Whether the profile has a connection, or one that cannot be read, which is told later.
    fn is_connected(&self) -> bool {
        let of = self.folders.as_ref().map(Connection::load);
        !matches!(of, None | Some(Ok(None)))
    }

    /// Reviews that wait for somebody.
    pub fn open(&self) -> &[Open] {
        &self.open
    }
}

impl Pane for Imports {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["imports", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("record.open", if self.is_open() { "go on" } else { "what it did" }),
            ("imports.again", "review again"),
            ("imports.wins", "import wins"),
            ("imports.accounts", "accounts"),
            ("imports.projects", "projects"),
            ("imports.outlets", "outlets"),
            ("imports.distributors", "distributors"),
            ("imports.reps", "reps"),
            ("record.delete", if self.is_open() { "give up" } else { "take back" }),
            ("app.undo", "undo"),
        ]
    }

    fn lacks(&self) -> &'static [&'static str] {
        &[
            "list.inside",
            "list.archived",
            "list.mark",
            "list.mark_all",
            "list.copy",
            "list.filter",
            "record.archive",
            "record.merge",
        ]
    }

    fn load(&mut self, cx: &mut Cx) {
        let question =
            |engine: &Engine| Ok((engine.ask(&ListReviews {})?, engine.ask(&ListBatches { month: None })?));
        cx.ask(Slot::Imports, question, |panes, found, _| panes.imports.take(found));
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        if touches(kinds, &[Kind::Batch]) {
            self.load(cx);
        }
    }

    fn job(&mut self, progress: Progress, cx: &mut Cx) {
        if progress.ended {
            self.load(cx);
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        let of_row = matches!(id, "record.open" | "record.edit" | "record.delete" | "imports.again");
        match () {
            () if of_row && self.list.len == 0 => Some(command::NO_ROW),
            () if id == "imports.again" && self.list.cursor < self.open.len() => {
                Some("It is under review: Enter goes on with it")
            }
            () if id == "imports.again"
                && self.committed().is_some_and(|b| b.text("target") == "outlets") =>
            {
                Some("Files that large are not kept: O imports it again")
            }
            () => None,
        }
    }

    fn prompted(&mut self, _what: &str, typed: &str, _cx: &mut Cx) -> Ask {
        let (month, folders) = (Month::parse(typed).map_err(Failure::usage), self.folders.clone());
        Ask::Load(Box::new(move |engine| {
            let folders = folders.ok_or_else(|| Failure::internal("This profile has no folders"));
            let started =
                folders.and_then(|folders| salesforce::review(engine, &folders, month?, Options::default()));
            match started {
                Ok((started, _)) => review::open(engine, started.review),
                Err(failure) => Data::Review(Err(failure)),
            }
        }))
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if self.list.command(id) {
            return Ask::Nothing;
        }
        let open = self.open.get(self.list.cursor);
        let done = self.committed();
        match (id, open, done) {
            ("record.add" | "imports.wins", ..) => Ask::Prompt(Prompt::import(Target::Wins)),
            ("imports.accounts", ..) => Ask::Prompt(Prompt::import(Target::Accounts)),
            ("imports.projects", ..) => Ask::Prompt(Prompt::import(Target::Projects)),
            ("imports.outlets", ..) => Ask::Prompt(Prompt::import(Target::Outlets)),
            ("imports.distributors", ..) => Ask::Prompt(Prompt::import(Target::Distributors)),
            ("imports.chains", ..) => Ask::Prompt(Prompt::import(Target::Chains)),
            ("imports.reps", ..) => Ask::Prompt(Prompt::import(Target::Reps)),
            ("imports.salesforce", ..) if !self.is_connected() => {
                Ask::Say("No connection to Salesforce yet: `pams connect salesforce` makes one".into())
            }
            ("imports.salesforce", ..) => {
                let month = Month::of(cx.me.today).to_string();
                Ask::Prompt(Prompt::new("wins of Salesforce in", &month, Wanted::Pane("salesforce".into())))
            }
            ("record.open" | "record.edit", Some(open), _) => {
                let id = open.id;
                Ask::Load(Box::new(move |engine| review::open(engine, id)))
            }
            ("record.open" | "record.edit", _, Some(batch)) => match batch.text("txn").parse() {
                Ok(txn) => Ask::Change(txn),
                Err(_) => Ask::Nothing,
            },
            ("imports.again", _, Some(batch)) => {
                let source = Source::Batch { which: batch.id.to_string() };
                let of = batch.text("target");
                let target = Target::ALL.into_iter().find(|t| t.plural() == of).unwrap_or_default();
                let start = StartReview { target, source, options: Options::default() };
                Ask::Load(Box::new(move |engine| match engine.run(&start) {
                    Ok(started) => review::open(engine, started.reply.review),
                    Err(failure) => Data::Review(Err(failure)),
                }))
            }
            ("record.delete", Some(open), _) => {
                let (drop, file) = (DropReview { review: open.id }, open.file.clone());
                let text = format!("Give {file} up? Nothing of it is kept.");
                let job = Box::new(move |engine: &crate::engine::Engine| {
                    Data::Imported(engine.run(&drop).map(|_| (None, format!("Given up: {file}"))))
                });
                Ask::Confirm(Question::Act(job), text)
            }
            ("record.delete", _, Some(batch)) => match batch.text("txn").parse() {
                Ok(txn) => undo_change(txn, format!("Take {} back, all of it?", batch.text("file"))),
                Err(_) => Ask::Nothing,
            },
            _ => Ask::Nothing,
        }
    }

    fn layout(&mut self, area: Rect, _cx: &mut Cx) {
        self.list.set_height(usize::from(area.height.saturating_sub(3)));
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        let note = match self.open.len() {
            0 => String::new(),
            n => format!("{n} under review"),
        };
        rule(buf, area, 0, "Imports", &note, cx);
        if self.list.len == 0 {
            let text = match self.loaded {
                true => "No imports yet. I wins, A accounts, O outlets (? has all), then the path of a file.",
                false => "loading",
            };
            put(buf, area, 2, 2, &cx.cut(text, wide - 3), cx.style("text.muted"));
            return;
        }
        let file = wide.saturating_sub(2 + 17 + 13 + 10 + 22).max(12);
        let cells = |at: &str, of: &str, file_name: &str, step: &str, what: &str| {
            let (at, of, step) = (cx.fit(at, 16), cx.fit(of, 12), cx.fit(step, 9));
            format!("{at} {of} {} {step} {what}", cx.fit(file_name, file))
        };
        let head = format!("  {}", cells("touched", "of", "file", "step", "what it did"));
        put(buf, area, 0, 1, &cx.cut(&head, wide), cx.style("text.muted"));
        for (y, place) in self.list.visible().enumerate() {
            let (text, waits) = match self.open.get(place) {
                Some(o) => {
                    let what = if o.message.is_empty() { format!("by {}", o.by) } else { o.message.clone() };
                    (cells(&o.at, o.target.plural(), &o.file, &o.step, &what), true)
                }
                None => {
                    let item = &self.done[place - self.open.len()];
                    let n = |name: &str| item.int(name).unwrap_or(0);
                    let what = format!(
                        "+{} ~{} -{}, {} aside",
                        n("added"),
                        n("changed"),
                        n("removed"),
                        n("rejected")
                    );
                    let state = item.text("state");
                    (cells(&item.text("at"), &item.text("target"), &item.text("file"), &state, &what), false)
                }
            };
            let cursor = place == self.list.cursor;
            let style = match (cursor, waits) {
                (true, _) => cx.style("selection"),
                (false, true) => cx.style("status.warning"),
                _ => cx.style("text"),
            };
            let sign = if cursor { ">" } else { " " };
            put(buf, area, 0, 2 + y as u16, &cx.fit(&format!("{sign} {text}"), wide), style);
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.list.position(false), cx);
    }
}
