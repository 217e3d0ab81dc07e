//! The panes. They never name each other: what leads elsewhere goes through the shell.

pub mod activities;
pub mod drafts;
pub mod home;
pub mod imports;
pub mod wins;

use crate::domain::Failure;
use crate::domain::schema::Kind;
use crate::engine::Engine;
use crate::services::imports::Target;
use crate::services::setup::Me;
use crate::tui::app::Cx;
use crate::tui::command;
use crate::tui::msg::Data;
use crate::tui::overlay::Question;
use crate::tui::widgets::DrawCx;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaneId {
    Home,
    Activities,
    Wins,
    Imports,
    Drafts,
}

impl PaneId {
    pub const ALL: [PaneId; 5] =
        [PaneId::Home, PaneId::Activities, PaneId::Wins, PaneId::Imports, PaneId::Drafts];

    pub fn title(self) -> &'static str {
        match self {
            PaneId::Home => "Home",
            PaneId::Activities => "Activities",
            PaneId::Wins => "Wins",
            PaneId::Imports => "Imports",
            PaneId::Drafts => "Drafts",
        }
    }

    /// The digit that goes there: places keep their number as more of them come.
    pub fn digit(self) -> char {
        match self {
            PaneId::Home => '1',
            PaneId::Activities => '2',
            PaneId::Wins => '3',
            PaneId::Imports => '8',
            PaneId::Drafts => '9',
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
    /// A filter prompt, with what it holds now.
    Filter(String),
    /// A file's path, for an import.
    Import(Target),
    /// A review to go on with.
    Review(Job),
    /// A form; the job finds what it starts with.
    Form(Job),
    Confirm(Question, String),
    Act(Job),
}

pub struct Panes {
    pub current: PaneId,
    /// Where back leads.
    trail: Vec<PaneId>,
    pub home: home::Home,
    pub activities: activities::Activities,
    pub wins: wins::Wins,
    pub imports: imports::Imports,
    pub drafts: drafts::Drafts,
}

/// Panes remembered for going back.
const MAX_TRAIL: usize = 20;

impl Panes {
    pub fn new(me: &Me) -> Panes {
        Panes {
            current: PaneId::Home,
            trail: vec![],
            home: home::Home::default(),
            activities: activities::Activities::new(me),
            wins: wins::Wins::default(),
            imports: imports::Imports::default(),
            drafts: drafts::Drafts::default(),
        }
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
        match self.current {
            PaneId::Home => self.home.load(cx),
            PaneId::Activities => self.activities.load(cx),
            PaneId::Wins => self.wins.load(cx),
            PaneId::Imports | PaneId::Drafts => {}
        }
        // What waits for the person is in sight everywhere.
        self.drafts.load(cx);
        self.imports.load(cx);
    }

    /// One step back: what the pane has open first, then the pane before.
    pub fn back(&mut self, cx: &mut Cx) -> bool {
        let stepped = match self.current {
            PaneId::Activities => self.activities.back(cx),
            PaneId::Wins => self.wins.back(),
            _ => false,
        };
        if stepped {
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

    pub fn scopes(&self) -> Vec<&'static str> {
        match self.current {
            PaneId::Home => vec!["home", "list", "global"],
            PaneId::Activities => vec!["activities", "month", "list", "global"],
            PaneId::Wins => vec!["wins", "month", "list", "global"],
            PaneId::Imports => vec!["imports", "list", "global"],
            PaneId::Drafts => vec!["drafts", "list", "global"],
        }
    }

    /// What is shown in the footer, the most useful first.
    pub fn hints(&self) -> Vec<(&'static str, &'static str)> {
        match self.current {
            PaneId::Home => vec![
                ("log.open", "log"),
                ("record.add", "new"),
                ("record.open", "open"),
                ("home.next_box", "next box"),
                ("home.hide_callout", "hide callout"),
                ("app.undo", "undo"),
                ("palette.open", "any action"),
            ],
            PaneId::Activities => vec![
                ("log.open", "log"),
                ("record.add", "new"),
                ("record.open", "edit"),
                ("activities.owner", "owner"),
                ("activities.sort", "sort"),
                ("activities.filter", "filter"),
                ("month.back", "month"),
                ("list.mark", "mark"),
                ("record.delete", "delete"),
                ("app.undo", "undo"),
            ],
            PaneId::Wins => vec![
                ("record.add", "new"),
                ("record.open", "edit"),
                ("month.back", "month"),
                ("wins.owner", "owner"),
                ("wins.source", "source"),
                ("wins.outcome", "won/lost"),
                ("wins.feature", "feature"),
                ("wins.import", "import"),
                ("app.undo", "undo"),
            ],
            PaneId::Imports => vec![
                ("record.open", "review"),
                ("imports.wins", "import wins"),
                ("imports.accounts", "accounts"),
                ("imports.projects", "projects"),
                ("record.delete", "give up"),
                ("app.undo", "undo"),
            ],
            PaneId::Drafts => vec![
                ("record.open", "open"),
                ("drafts.mine", "mine"),
                ("drafts.theirs", "theirs"),
                ("drafts.base", "as before"),
                ("record.delete", "discard"),
                ("app.undo", "undo"),
            ],
        }
    }

    /// Why the pane cannot run a command now.
    pub fn refuses(&self, id: &str) -> command::Refused {
        let row =
            matches!(id, "record.open" | "record.edit" | "record.delete" | "list.mark" | "list.mark_all")
                || matches!(id, "activities.repeat" | "wins.feature");
        let has_row = match self.current {
            PaneId::Home => true,
            PaneId::Activities => self.activities.has_row(),
            PaneId::Wins => self.wins.has_row(),
            PaneId::Imports => self.imports.has_row(),
            PaneId::Drafts => self.drafts.count() > 0,
        };
        if row && !has_row {
            return Some(command::NO_ROW);
        }
        match self.current {
            PaneId::Drafts => self.drafts.refuses(id),
            _ => None,
        }
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

    pub fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if id == "record.open" && self.current == PaneId::Home {
            let (pane, month) = self.home.target();
            if let Some(month) = month {
                self.wins.show_month(month);
            }
            self.open(pane, cx);
            return Ask::Nothing;
        }
        match self.current {
            PaneId::Home => self.home.command(id, cx),
            PaneId::Activities => self.activities.command(id, cx),
            PaneId::Wins => self.wins.command(id, cx),
            PaneId::Imports => self.imports.command(id),
            PaneId::Drafts => self.drafts.command(id),
        }
    }

    pub fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.current == PaneId::Activities {
            self.activities.set_filter(text, cx);
        }
    }

    /// An answer; the failure in it, if any, is for the footer.
    pub fn data(&mut self, data: Data) -> Option<Failure> {
        match data {
            Data::Home(Ok(data)) => self.home.data = Some(*data),
            Data::Activities(Ok(page), more) => self.activities.take_page(page, more),
            Data::Strip(Ok(strip)) => self.activities.strip = Some(strip),
            Data::Wins(Ok(data)) => self.wins.take(data),
            Data::Imports(Ok(data)) => self.imports.take(data),
            Data::Drafts(Ok(page)) => self.drafts.take(page),
            Data::Home(Err(f))
            | Data::Activities(Err(f), _)
            | Data::Strip(Err(f))
            | Data::Wins(Err(f))
            | Data::Imports(Err(f))
            | Data::Drafts(Err(f)) => {
                return Some(f);
            }
            _ => {}
        }
        None
    }

    /// Somebody changed records of these kinds.
    pub fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        let touches = |of: &[Kind]| kinds.iter().any(|k| of.contains(k));
        let names = [Kind::Account, Kind::Project, Kind::ActivityType, Kind::User, Kind::UseCase];
        match self.current {
            PaneId::Home => self.home.load(cx),
            PaneId::Activities if touches(&[Kind::Activity]) || touches(&names) => self.activities.reload(cx),
            PaneId::Wins if touches(&[Kind::Win, Kind::MonthState]) || touches(&names) => self.wins.load(cx),
            _ => {}
        }
        if touches(&[Kind::Batch]) {
            self.imports.load(cx);
        }
        if touches(&[Kind::Draft]) {
            self.drafts.load(cx);
        }
    }

    pub fn layout(&mut self, area: Rect, cx: &mut Cx) {
        match self.current {
            PaneId::Home => self.home.layout(area),
            PaneId::Activities => self.activities.layout(area, cx),
            PaneId::Wins => self.wins.layout(area),
            PaneId::Imports => self.imports.layout(area),
            PaneId::Drafts => self.drafts.layout(area),
        }
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        match self.current {
            PaneId::Home => self.home.draw(area, buf, cx),
            PaneId::Activities => self.activities.draw(area, buf, cx),
            PaneId::Wins => self.wins.draw(area, buf, cx),
            PaneId::Imports => self.imports.draw(area, buf, cx),
            PaneId::Drafts => self.drafts.draw(area, buf, cx),
        }
    }
}

/// The form of an existing record: its fields as a person would type them.
pub fn edit_form(kind: Kind, which: String) -> Ask {
    Ask::Form(Box::new(move |engine| {
        let shown = engine.ask(&crate::services::records::Show { kind, which });
        Data::Form(shown.map(|shown| crate::tui::msg::FormStart {
            kind,
            id: Some(shown.item.id),
            rev: shown.item.rev,
            title: format!("{} {}", crate::tui::app::capital(kind.name()), shown.item.id.short()),
            input: shown.typed,
            notes: vec![],
            draft: None,
        }))
    }))
}

/// The form of a new activity: the date is filled in already (P-001).
pub fn new_activity(over: crate::services::input::Input) -> Ask {
    Ask::Form(Box::new(move |engine| {
        let read = engine.ask(&crate::services::activities::ReadLine { line: String::new() });
        Data::Form(read.map(|read| {
            let mut input = over;
            input.insert("date".into(), read.default_date.to_string());
            crate::tui::msg::FormStart {
                kind: Kind::Activity,
                id: None,
                rev: 0,
                title: "New activity".into(),
                input,
                notes: vec![("date".into(), read.default_source)],
                draft: None,
            }
        }))
    }))
}
