//! Admin: the words the organisation works with, its people, and what was remembered.
//! One table of kinds on the left, the records of one of them on the right.

use crate::config::Folders;
use crate::domain::schema::Kind;
use crate::domain::when::Zone;
use crate::domain::{Id, text};
use crate::engine::Engine;
use crate::remote::ops::{self, Ops, Route};
use crate::remote::{online, sync};
use crate::services::records::{Browse, Delete, List, Page};
use crate::services::sessions::{EndSession, ListSessions, Session};
use crate::services::setup::Me;
use crate::services::show::Item;
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::{Data, Into, Slot};
use crate::tui::panes::{Ask, Pane, Question, act, archive, edit_form, merge, new_record, purge};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::table::{Rows, Want};
use crate::tui::widgets::{DrawCx, part, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// What its rows are.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Records(Kind),
    /// Who is signed in to the organisation.
    Sessions,
    /// How the server does, route by route.
    Server,
}
use Of::{Records, Server, Sessions};

/// What is kept here, what it is called, and which fields its rows show.
const KINDS: [(Of, &str, [&str; 3]); 15] = [
    (Records(Kind::Tenant), "Organisation", ["zone", "currency", "day_minutes_text"]),
    (Records(Kind::User), "People", ["email", "team", "roles"]),
    (Records(Kind::Team), "Teams", ["lead", "aliases", ""]),
    (Records(Kind::Role), "Roles", ["verbs", "", ""]),
    (Records(Kind::ActivityType), "Activity types", ["effort", "default_effort_text", "aliases"]),
    (Records(Kind::Reason), "Reasons", ["outcome", "aliases", ""]),
    (Records(Kind::Industry), "Industries", ["parent", "aliases", ""]),
    (Records(Kind::UseCase), "Use cases", ["industry", "aliases", ""]),
    (Records(Kind::Distributor), "Distributors", ["external_id", "city", "country"]),
    (Records(Kind::Chain), "Chains", ["external_id", "channel", "head_office"]),
    (Records(Kind::Rep), "Reps", ["external_id", "depot", "work_days"]),
    (Records(Kind::Alias), "Names in files", ["scope", "target_name", "verdict"]),
    (Records(Kind::Preset), "Views and templates", ["view", "scope", "owner"]),
    (Sessions, "Sessions", ["label", "address", "used"]),
    (Server, "Server", ["requests", "latency", "faults"]),
];
/// Cells of the list of kinds.
const LEFT: u16 = 22;

#[derive(Default)]
pub struct Admin {
    kinds: ListState,
    rows: Rows,
    filter: String,
    archived: bool,
    /// The keys go to the records.
    inside: bool,
    /// Where the way to the server is kept.
    pub folders: Option<Folders>,
    /// The profile is a device of a server.
    pub is_signed_in: bool,
    /// Why what is asked of the server cannot be told.
    unknown: String,
    /// How the server does, in a sentence.
    told: String,
}

/// Sessions as rows; their ids are longer than those of records.
fn session_rows(all: Vec<Session>, filter: &str, zone: Zone) -> Page {
    let row = |session: Session| {
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(session.id.as_bytes()).as_bytes()[..16]);
        let kind = if session.device { "" } else { "browser: " };
        let values = [
            ("name", session.name),
            ("label", format!("{kind}{}", session.label)),
            ("address", session.address),
            ("used", zone.stamp(session.used_ms)),
            ("session", session.id),
        ];
        let values = values.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        Item { id: Id(id), rev: 0, values }
    };
    let filter = text::fold(filter);
    let fits = |s: &Session| text::fold(&format!("{} {} {}", s.name, s.label, s.address)).contains(&filter);
    Page { items: all.into_iter().filter(fits).map(row).collect(), next: None }
}

/// What each route did as rows, all of them together first.
fn route_rows(ops: Ops, filter: &str) -> Page {
    let filter = text::fold(filter);
    let row = |route: Route| {
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(route.route.as_bytes()).as_bytes()[..16]);
        let values = [
            ("requests", text::thousands(route.requests)),
            ("latency", route.latency()),
            ("faults", text::thousands(route.errors)),
            ("name", route.route),
        ];
        let values = values.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        Item { id: Id(id), rev: 0, values }
    };
    let fits = |route: &Route| text::fold(&route.route).contains(&filter);
    Page { items: ops.routes.into_iter().filter(fits).map(row).collect(), next: None }
}

impl Admin {
    pub fn list_mut(&mut self) -> &mut ListState {
        &mut self.rows.list
    }

    fn kind(&self) -> (Of, &'static str, [&'static str; 3]) {
        KINDS[self.kinds.cursor.min(KINDS.len() - 1)]
    }

    fn fetch(&self, want: Want, cx: &mut Cx) {
        let (text, archived) = (self.filter.trim().to_owned(), self.archived);
        let kind = match (self.kind().0, self.folders.clone()) {
            (Records(kind), _) => kind,
            (Sessions, Some(folders)) => {
                let zone = Zone::parse(&cx.me.zone).unwrap_or(Zone::UTC);
                let question = move |engine: &Engine| {
                    // A server that is away is told in the pane, not complained of.
                    Ok(online::ask(engine, &folders, &ListSessions {})
                        .map(|all| session_rows(all, &text, zone)))
                };
                return cx.ask(Slot::Admin, question, move |panes, page, _| {
                    panes.admin.unknown = page.as_ref().err().map(|f| f.message.clone()).unwrap_or_default();
                    panes.admin.rows.take(&want, page.unwrap_or_default());
                });
            }
            (Server, Some(folders)) => {
                let question = move |_: &Engine| Ok(online::line(&folders).and_then(|line| ops::ask(&line)));
                return cx.ask(Slot::Admin, question, move |panes, ops, _| {
                    let admin = &mut panes.admin;
                    admin.unknown = ops.as_ref().err().map(|f| f.message.clone()).unwrap_or_default();
                    let told =
                        |ops: &Ops| format!("budget {:.0} % left, {}", 100.0 * ops.budget_left, ops.told());
                    admin.told = ops.as_ref().map(told).unwrap_or_default();
                    let page = ops.map(|ops| route_rows(ops, &text));
                    admin.rows.take(&want, page.unwrap_or_default());
                });
            }
            (Sessions | Server, None) => return,
        };
        let (backwards, limit, cursor) = (!want.is_forward(), want.limit(), want.cursor());
        let question = move |engine: &Engine| {
            if kind.schema().indexes.iter().any(|i| i.fields == [1]) {
                return engine.ask(&Browse { kind, text, archived, backwards, limit, cursor });
            }
            let filter = (!text.is_empty()).then_some(text);
            let list = List { kind, filter, archived, account: None, limit: 1_000, cursor: None };
            engine.ask(&list).map(|page| Page { next: None, ..page })
        };
        cx.ask(Slot::Admin, question, move |panes, page, cx| {
            panes.admin.rows.take(&want, page);
            if let Some(want) = panes.admin.rows.near() {
                panes.admin.fetch(want, cx);
            }
        });
    }

    fn start(&mut self, cx: &mut Cx) {
        let want = self.rows.start();
        self.fetch(want, cx);
    }

    /// Asks first: undo does not bring a session back.
    fn end_session(&self, me: &Me) -> Ask {
        let (Some(row), Some(folders)) = (self.rows.current(), self.folders.clone()) else {
            return Ask::Nothing;
        };
        let (which, zone) = (row.text("session"), Zone::parse(&me.zone).unwrap_or(Zone::UTC));
        let question = format!(
            "End the session of {} on {}? It is signed out at once",
            Admin::name(row),
            row.text("label")
        );
        let filter = self.filter.clone();
        let end = move |engine: &Engine| {
            let left = online::run(engine, &folders, &EndSession { which })
                .and_then(|_| online::ask(engine, &folders, &ListSessions {}));
            Data::Panes(left.map(|all| -> Into {
                Box::new(move |panes, _| {
                    let want = panes.admin.rows.again();
                    panes.admin.rows.take(&want, session_rows(all, &filter, zone));
                })
            }))
        };
        Ask::Confirm(Question::Act(Box::new(end)), question)
    }

    /// One round with the server, whose outcome is told.
    fn sync(&self) -> Ask {
        let Some(folders) = self.folders.clone() else { return Ask::Nothing };
        Ask::Act(act(move |engine| {
            let synced = sync::round(engine, &online::line(&folders)?)?;
            Ok((format!("In sync: {}", synced.told()), None))
        }))
    }

    /// Asks first: where the two sides differ, all is read anew.
    fn reconcile(&self) -> Ask {
        let Some(folders) = self.folders.clone() else { return Ask::Nothing };
        let job = act(move |engine| {
            let found = sync::reconcile(engine, &online::line(&folders)?)?;
            found.settled()?;
            let told = found.told().join("; ");
            Ok((if found.mended { format!("Read anew: {told}") } else { told }, None))
        });
        let question = "Compare every record with the server's? Where they differ all is read anew";
        Ask::Confirm(Question::Act(job), question.into())
    }

    fn name(item: &Item) -> String {
        match item.text("name") {
            name if name.is_empty() => item.text("text"),
            name => name,
        }
    }
}

impl Pane for Admin {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["admin", "erase", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        if !self.inside {
            return vec![
                ("record.open", "go in"),
                ("record.add", "new"),
                ("app.settings", "settings"),
                ("admin.sync", "sync"),
                ("admin.reconcile", "compare with the server"),
                ("app.undo", "undo"),
            ];
        }
        if self.kind().0 == Server {
            return vec![("record.open", "look again"), ("list.filter", "filter"), ("list.inside", "kinds")];
        }
        if self.kind().0 == Sessions {
            return vec![("record.delete", "end it"), ("list.filter", "filter"), ("list.inside", "kinds")];
        }
        vec![
            ("record.open", "edit"),
            ("record.add", "new"),
            ("record.archive", "archive"),
            ("record.merge", "merge"),
            ("record.purge", "erase"),
            ("list.filter", "filter"),
            ("list.inside", "kinds"),
            ("app.undo", "undo"),
        ]
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["list.mark", "list.mark_all", "list.copy"]
    }

    fn load(&mut self, cx: &mut Cx) {
        self.kinds.set_len(KINDS.len());
        let want = if self.rows.is_empty() { self.rows.start() } else { self.rows.again() };
        self.fetch(want, cx);
    }

    fn refresh(&mut self, kinds: &[Kind], cx: &mut Cx) {
        let shown = match self.kind().0 {
            Records(kind) => kind,
            Sessions => Kind::User,
            // It is looked at when somebody asks, not with each change.
            Server => return,
        };
        if kinds.contains(&shown) {
            self.load(cx);
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        if matches!(id, "admin.sync" | "admin.reconcile") && !self.is_signed_in {
            return Some("This profile has no server: `pams login URL` signs in to one");
        }
        if self.kind().0 == Server {
            let of_record = matches!(
                id,
                "record.edit"
                    | "record.add"
                    | "record.archive"
                    | "record.merge"
                    | "record.delete"
                    | "record.purge"
            );
            return of_record.then_some("These are counters of the server");
        }
        let Records(kind) = self.kind().0 else {
            return match id {
                "record.open" if !self.inside => None,
                "record.delete" if self.rows.current().is_none() => Some(command::NO_ROW),
                "record.open" | "record.edit" => Some("A session is ended (d d), not edited"),
                "record.add" => Some("Who signs in begins one: `pams login`"),
                "record.archive" | "record.merge" | "record.purge" => Some("A session is ended (d d)"),
                _ => None,
            };
        };
        let field = |name| kind.schema().field_named(name).is_some();
        let of_row = matches!(
            id,
            "record.edit" | "record.archive" | "record.merge" | "record.delete" | "record.purge"
        );
        match id {
            "record.open" if !self.inside => None,
            "record.open" if self.rows.current().is_none() => Some(command::NO_ROW),
            _ if of_row && self.rows.current().is_none() => Some(command::NO_ROW),
            "record.add" | "record.purge" if kind == Kind::Tenant => Some("A store has one organisation"),
            "record.archive" if !field("archived") => Some("These are deleted (d d), not archived"),
            "record.merge" if !field("merged_into") => Some("These are not merged"),
            "record.delete" if kind == Kind::Tenant => Some("A store has one organisation"),
            _ => None,
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if !self.filter.is_empty() {
            self.set_filter("", cx);
            return true;
        }
        std::mem::take(&mut self.inside)
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx) {
        if self.filter != text {
            self.filter = text.to_owned();
            self.start(cx);
        }
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        if !self.inside {
            if self.kinds.command(id) {
                self.filter.clear();
                self.start(cx);
                return Ask::Nothing;
            }
        } else if let Some(want) = self.rows.command(id) {
            if let Some(want) = want {
                self.fetch(want, cx);
            }
            return Ask::Nothing;
        }
        let of = self.kind().0;
        let row =
            self.rows.current().map(|item| (item.id.to_string(), Admin::name(item), item.flag("archived")));
        match (id, row, of) {
            ("record.open", ..) if !self.inside => self.inside = true,
            ("record.open", _, Server) => {
                let want = self.rows.again();
                self.fetch(want, cx);
            }
            ("list.inside", ..) => self.inside = !self.inside,
            ("record.add", _, Records(kind)) => return new_record(kind, Default::default()),
            ("record.open" | "record.edit", Some((which, ..)), Records(kind)) => {
                return edit_form(kind, which);
            }
            ("record.archive", Some((which, name, away)), Records(kind)) => {
                return archive(kind, which, name, !away);
            }
            ("record.merge", Some((_, name, _)), _) => {
                let label = format!("merge {name} into");
                return Ask::Prompt(Prompt::new(&label, "", Wanted::Pane("merge".into())));
            }
            ("record.delete", Some((which, name, _)), Records(kind)) => {
                return Ask::Act(act(move |engine| {
                    let done = engine.run(&Delete { kind, which })?;
                    Ok((format!("Deleted: {name}"), Some(done.txn)))
                }));
            }
            ("record.delete", Some(_), Sessions) => return self.end_session(cx.me),
            ("record.purge", Some((_, name, _)), _) => {
                let label = format!("erase {name} for good, why");
                return Ask::Prompt(Prompt::new(&label, "", Wanted::Pane("purge".into())));
            }
            ("admin.sync", ..) => return self.sync(),
            ("admin.reconcile", ..) => return self.reconcile(),
            ("list.archived", ..) => {
                self.archived = !self.archived;
                self.start(cx);
            }
            ("list.filter", ..) => {
                self.inside = true;
                return Ask::Prompt(Prompt::new("filter", &self.filter, Wanted::Filter));
            }
            _ => {}
        }
        Ask::Nothing
    }

    fn prompted(&mut self, what: &str, typed: &str, _cx: &mut Cx) -> Ask {
        match (what, self.rows.current(), self.kind().0) {
            ("merge", Some(item), Records(kind)) => merge(kind, item.id.to_string(), typed.to_owned()),
            ("purge", Some(item), Records(kind)) => purge(kind, item.id, Admin::name(item), typed),
            _ => Ask::Nothing,
        }
    }

    fn layout(&mut self, area: Rect, cx: &mut Cx) {
        self.kinds.set_height(usize::from(area.height.saturating_sub(2)));
        self.rows.list.set_height(usize::from(area.height.saturating_sub(3)));
        if let Some(want) = self.rows.near() {
            self.fetch(want, cx);
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let left = part(area, 0, 0, LEFT, area.height);
        let legend = if self.kind().0 == Server { "requests, p50 / p95 / p99 in ms, faults" } else { "" };
        rule(buf, area, 0, "Admin", legend, cx);
        for (y, place) in self.kinds.visible().enumerate() {
            let cursor = place == self.kinds.cursor;
            let sign = if cursor { ">" } else { " " };
            let style = match (cursor, self.inside) {
                (true, false) => "selection",
                (true, true) => "selection.blur",
                _ => "text",
            };
            let text = cx.fit(&format!("{sign} {}", KINDS[place].1), usize::from(LEFT) - 1);
            put(buf, left, 0, 1 + y as u16, &text, cx.style(style));
        }
        let (of, _, shown) = self.kind();
        let right = part(area, LEFT, 0, area.width.saturating_sub(LEFT), area.height);
        let wide = usize::from(right.width);
        let filter = if self.filter.is_empty() { "none" } else { &self.filter };
        let away = if self.archived { "shown" } else { "hidden" };
        let line = match of {
            Records(_) => format!("filter: {filter} (/)   archived: {away} (z)"),
            Sessions => format!("filter: {filter} (/)   d d ends one"),
            Server if self.told.is_empty() => String::new(),
            Server => self.told.clone(),
        };
        put(buf, right, 1, 1, &cx.cut(&line, wide.saturating_sub(2)), cx.style("text.muted"));
        if self.rows.is_empty() {
            let plural = match of {
                Records(kind) => kind.schema().plural,
                Sessions => "sessions",
                Server => "counters",
            };
            let text = match (self.rows.loading, self.filter.is_empty()) {
                (true, _) => "looking".to_owned(),
                (_, false) => "Nothing is called that. Esc clears the filter.".to_owned(),
                _ if !matches!(of, Records(_)) && !self.unknown.is_empty() => self.unknown.clone(),
                _ if of == Sessions => "Nobody is signed in to this organisation.".to_owned(),
                _ if of == Records(Kind::Alias) => {
                    "Nothing was said of owners and accounts in files yet.".to_owned()
                }
                _ => format!("No {plural} yet: a adds the first."),
            };
            put(buf, right, 1, 3, &cx.cut(&text, wide.saturating_sub(2)), cx.style("text.muted"));
        }
        // The names take what they need, the rest is for the fields.
        let longest = self.rows.list.visible().filter_map(|place| self.rows.get(place));
        let longest = longest.map(|item| {
            Admin::name(item).width() + if item.flag("archived") { " (archived)".len() } else { 0 }
        });
        let name = longest.max().unwrap_or(0).clamp(12, (wide / 2).max(12));
        // Each field takes what it needs while there is room; the longest give way first.
        let fields: Vec<&str> = shown.iter().filter(|n| !n.is_empty()).copied().collect();
        let longest = |field: &&str| {
            let seen = self.rows.list.visible().filter_map(|place| self.rows.get(place));
            seen.map(|item| item.text(field).width()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = fields.iter().map(longest).collect();
        while widths.iter().map(|w| w + 2).sum::<usize>() > wide.saturating_sub(name + 3)
            && let Some(most) = widths.iter_mut().max().filter(|w| **w > 4)
        {
            *most -= 1;
        }
        for (y, place) in self.rows.list.visible().enumerate() {
            let Some(item) = self.rows.get(place) else { continue };
            let cursor = place == self.rows.list.cursor && self.inside;
            let away = if item.flag("archived") { " (archived)" } else { "" };
            let mut row = format!(
                "{} {}",
                if cursor { ">" } else { " " },
                cx.fit(&format!("{}{away}", Admin::name(item)), name)
            );
            for (field, width) in fields.iter().zip(&widths) {
                row.push_str("  ");
                row.push_str(&cx.fit(&item.text(field), *width));
            }
            let style = if cursor { "selection" } else { "text" };
            put(buf, right, 0, 2 + y as u16, &cx.fit(&row, wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.rows.position(None), cx);
    }
}
