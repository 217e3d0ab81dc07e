//! The whole interface as a value: messages in, effects out, drawn without side
//! effects. `update` and `draw` do no I/O and read no clock.

use crate::domain::schema::Kind;
use crate::domain::when::Zone;
use crate::domain::{Failure, FailureKind, Id};
use crate::engine::{Changed, Engine};
use crate::services::drafts::{DiscardDrafts, KeepForm, ResolveDraft};
use crate::services::input::Input;
use crate::services::records::Save;
use crate::services::setup::Me;
use crate::services::state::SetState;
use crate::services::undo::{Redo, Undo};
use crate::tui::form::Form;
use crate::tui::keys::{Key, Keymap, Match};
use crate::tui::msg::{Data, Deadline, Effect, Msg, Slot};
use crate::tui::overlay::{Confirm, Help, Palette, Question};
use crate::tui::panes::{Ask, PaneId, Panes};
use crate::tui::quick::{Prompt, Quick};
use crate::tui::review::{self, Review};
use crate::tui::theme::Theme;
use crate::tui::widgets::part;
use ratatui::layout::Rect;
use std::collections::HashMap;

/// Rest after a keystroke before a form's text is kept.
const AUTOSAVE_MS: u64 = 2_000;
/// Local state: the form under hand, for a line that drops.
pub const AUTOSAVE: &str = "autosave/form";
/// Lines kept for Up in the quick line.
const MAX_EARLIER: usize = 50;
/// A half-typed sequence shows what can follow after this.
const WHICH_MS: u64 = 300;

pub enum Layer {
    Form(Box<Form>),
    Quick(Box<Quick>),
    Prompt(Prompt),
    Confirm(Confirm),
    Help(Help),
    Palette(Palette),
    Review(Box<Review>),
}

/// The last thing done, with what undo takes back.
#[derive(Default)]
pub(super) struct Toast {
    pub text: String,
    pub bad: bool,
    pub undo: bool,
}

pub struct App {
    pub me: Me,
    pub panes: Panes,
    pub(super) layers: Vec<Layer>,
    pub(super) keys: Keymap,
    pub(super) theme: Theme,
    pub(super) ascii: bool,
    pub(super) pending: Vec<Key>,
    pub(super) which: bool,
    pub(super) toast: Toast,
    pub(super) status: Status,
    size: (u16, u16),
    generations: HashMap<Slot, u64>,
    interrupted: bool,
    busy: usize,
    /// Set before each update: the interface reads no clock.
    pub now_ms: i64,
    /// Lines that Up brings back.
    earlier: Vec<String>,
}

/// What the last line says.
#[derive(Default)]
pub struct Status {
    pub host: bool,
    pub read_only: bool,
    pub saved_at: String,
}

/// What a pane may use while it updates.
pub struct Cx<'a> {
    pub me: &'a Me,
    pub effects: &'a mut Vec<Effect>,
    generations: &'a mut HashMap<Slot, u64>,
}

impl Cx<'_> {
    /// Asks for work; the answer comes back to `slot`, older ones are dropped.
    pub fn work(&mut self, slot: Slot, job: impl FnOnce(&Engine) -> Data + Send + 'static) {
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        self.effects.push(Effect::Work(slot, *generation, Box::new(job)));
    }

    /// Keeps a small text between sessions.
    pub fn remember(&mut self, name: &str, value: Option<String>) {
        let set = SetState { name: name.to_owned(), value };
        self.work(Slot::Action, move |engine| {
            // Losing where a list stood is no reason to disturb anybody.
            let _ = engine.run(&set);
            Data::Nothing
        });
    }
}

impl App {
    pub fn new(me: Me, keys: Keymap, theme: Theme, ascii: bool, status: Status) -> App {
        App {
            panes: Panes::new(&me),
            me,
            layers: vec![],
            keys,
            theme,
            ascii,
            pending: vec![],
            which: false,
            toast: Toast::default(),
            status,
            size: (80, 24),
            generations: HashMap::new(),
            interrupted: false,
            busy: 0,
            now_ms: 0,
            earlier: vec![],
        }
    }

    /// The first questions.
    pub fn start(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.with_cx(&mut effects, |panes, cx| panes.open(PaneId::Home, cx));
        self.count(&effects);
        effects
    }

    /// Whether work is under way.
    pub fn is_busy(&self) -> bool {
        self.busy > 0
    }

    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = Vec::new();
        match msg {
            Msg::Key(key) => self.key(key, &mut effects),
            Msg::Paste(text) => self.paste(&text, &mut effects),
            Msg::Resize => {}
            Msg::Data(slot, generation, data) => {
                self.busy = self.busy.saturating_sub(1);
                let newest = self.generations.get(&slot).copied().unwrap_or(0);
                if slot == Slot::Action || generation == newest {
                    self.data(*data, &mut effects);
                }
            }
            Msg::Changed(changed) => self.changed(&changed, &mut effects),
            Msg::Deadline(Deadline::Which) => self.which = !self.pending.is_empty(),
            Msg::Deadline(Deadline::Autosave) => self.autosave(&mut effects),
            Msg::Stop => effects.push(Effect::Suspend),
            Msg::Signal(signal) => {
                self.keep_form(&mut effects);
                effects.push(Effect::Quit(128 + signal));
            }
            Msg::Hangup => {
                self.keep_form(&mut effects);
                effects.push(Effect::Quit(129));
            }
        }
        self.count(&effects);
        effects
    }

    fn count(&mut self, effects: &[Effect]) {
        self.busy += effects.iter().filter(|e| matches!(e, Effect::Work(..))).count();
    }

    fn with_cx<T>(&mut self, effects: &mut Vec<Effect>, work: impl FnOnce(&mut Panes, &mut Cx) -> T) -> T {
        let App { me, panes, generations, .. } = self;
        let mut cx = Cx { me, effects, generations };
        work(panes, &mut cx)
    }

    /// Scopes of the top layer, innermost first.
    pub(super) fn scopes(&self) -> Vec<&'static str> {
        match self.layers.last() {
            Some(Layer::Form(_)) => vec!["form"],
            Some(Layer::Quick(_) | Layer::Prompt(_)) => vec!["line"],
            Some(Layer::Confirm(_)) => vec!["confirm"],
            Some(Layer::Help(_) | Layer::Palette(_)) => vec!["overlay"],
            Some(Layer::Review(_)) => vec!["review"],
            None => self.panes.scopes(),
        }
    }

    fn takes_text(&self) -> bool {
        matches!(
            self.layers.last(),
            Some(Layer::Form(_) | Layer::Quick(_) | Layer::Prompt(_) | Layer::Palette(_))
        )
    }

    fn key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let interrupt = self.interrupted;
        self.interrupted = false;
        self.pending.push(key);
        let scopes = self.scopes();
        let mut found = self.keys.lookup(&scopes, &self.pending);
        if found == Match::None && !self.layers.is_empty() {
            // A few commands hold in every layer.
            if let Match::Command(id) = self.keys.lookup(&["global"], &self.pending)
                && matches!(id, "app.suspend" | "app.quit" | "app.redraw" | "app.interrupt")
            {
                found = Match::Command(id);
            }
        }
        match found {
            Match::Command(id) => {
                self.clear_pending();
                self.interrupted = interrupt;
                self.run(id, effects);
            }
            Match::Prefix if !self.takes_text() => effects.push(Effect::After(WHICH_MS, Deadline::Which)),
            _ => {
                let lone = self.pending.len() == 1;
                self.clear_pending();
                if lone {
                    self.text_key(key, effects);
                } else if key.code != crate::tui::keys::Code::Esc {
                    // A sequence that leads nowhere: its last key counts by itself.
                    self.key(key, effects);
                }
            }
        }
    }

    fn clear_pending(&mut self) {
        self.pending.clear();
        self.which = false;
    }

    fn text_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, panes, .. } = self;
        let mut cx = Cx { me, effects, generations };
        match layers.last_mut() {
            Some(Layer::Form(form)) => {
                if form.key(key) {
                    suggest(form, &mut cx);
                } else if form.asked().is_none() {
                    form.suggestions.clear();
                }
                cx.effects.push(Effect::After(AUTOSAVE_MS, Deadline::Autosave));
            }
            Some(Layer::Quick(quick)) => quick.key(key, &mut cx),
            Some(Layer::Prompt(prompt)) => {
                prompt.text.key(key);
                if prompt.label == "filter" {
                    panes.set_filter(&prompt.text.text(), &mut cx);
                }
            }
            Some(Layer::Palette(palette)) => palette.key(key),
            _ => {}
        }
    }

    fn paste(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, panes, earlier, .. } = self;
        let mut cx = Cx { me, effects, generations };
        match layers.last_mut() {
            Some(Layer::Form(form)) => form.paste(text),
            Some(Layer::Quick(quick)) => quick.paste(text, &mut cx),
            Some(Layer::Prompt(prompt)) => {
                prompt.text.paste(text);
                if prompt.label == "filter" {
                    panes.set_filter(&prompt.text.text(), &mut cx);
                }
            }
            None => {
                // Outside a text a paste never fires keys: its first line is offered as an activity.
                let mut quick = Quick::new(earlier);
                quick.paste(text.lines().next().unwrap_or_default(), &mut cx);
                layers.push(Layer::Quick(Box::new(quick)));
            }
            _ => {}
        }
    }

    /// Runs a command by its id: the door for keys, palette and tests.
    pub fn run(&mut self, id: &str, effects: &mut Vec<Effect>) {
        match id {
            "app.quit" => self.quit(effects),
            "app.interrupt" => {
                if std::mem::replace(&mut self.interrupted, true) {
                    return self.quit(effects);
                }
                self.say("ctrl-c again, or ctrl-q, quits".into(), false);
            }
            "app.suspend" => effects.push(Effect::Suspend),
            "app.redraw" => effects.push(Effect::Redraw),
            "app.help" => {
                let scopes = self.scopes();
                self.layers.push(Layer::Help(Help::new(&self.keys, &scopes)));
            }
            "palette.open" => {
                let scopes = self.scopes();
                self.layers.push(Layer::Palette(Palette::new(&self.keys, &scopes)));
            }
            "app.close" if self.panes.current == PaneId::Home => self.quit(effects),
            "app.close" | "app.back" => {
                let moved = self.with_cx(effects, |panes, cx| panes.back(cx));
                if !moved {
                    self.toast = Toast::default();
                }
            }
            "app.undo" => self.act(effects, |engine| {
                Data::Done(engine.run(&Undo { txn: None }).map(|r| (told("Undone", &r.reply), None)))
            }),
            "app.redo" => self.act(effects, |engine| {
                Data::Done(engine.run(&Redo {}).map(|r| (told("Redone", &r.reply), Some(r.txn))))
            }),
            "log.open" => self.layers.push(Layer::Quick(Box::new(Quick::new(&self.earlier)))),
            _ if id.starts_with("go.") => {
                if let Some(pane) = PaneId::of_command(id) {
                    self.with_cx(effects, |panes, cx| panes.open(pane, cx));
                }
            }
            _ if id.starts_with("form.") => self.form_command(id, effects),
            _ if id.starts_with("review.") => self.review_command(id, effects),
            _ if id.starts_with("line.") => self.line_command(id, effects),
            _ if id.starts_with("confirm.") => self.answer(id, effects),
            _ if id.starts_with("overlay.") => self.overlay_command(id, effects),
            _ => {
                let ask = self.with_cx(effects, |panes, cx| panes.command(id, cx));
                self.take(ask, effects);
            }
        }
    }

    fn act(&mut self, effects: &mut Vec<Effect>, job: impl FnOnce(&Engine) -> Data + Send + 'static) {
        self.with_cx(effects, |_, cx| cx.work(Slot::Action, job));
    }

    /// What a pane wants of the shell.
    fn take(&mut self, ask: Ask, effects: &mut Vec<Effect>) {
        match ask {
            Ask::Nothing => {}
            Ask::Say(text) => self.say(text, false),
            Ask::Import => self.layers.push(Layer::Prompt(Prompt::new("import", ""))),
            Ask::Filter(text) => self.layers.push(Layer::Prompt(Prompt::new("filter", &text))),
            Ask::Form(job) => self.with_cx(effects, |_, cx| cx.work(Slot::Form, job)),
            Ask::Confirm(question, text) => self.layers.push(Layer::Confirm(Confirm { question, text })),
            Ask::Act(job) => self.with_cx(effects, |_, cx| cx.work(Slot::Action, job)),
        }
    }

    fn say(&mut self, text: String, undo: bool) {
        self.toast = Toast { text, bad: false, undo };
    }

    fn complain(&mut self, failure: &Failure, effects: &mut Vec<Effect>) {
        let hint = failure.hint.as_ref().map(|h| format!("  {h}")).unwrap_or_default();
        self.toast = Toast { text: format!("{}{hint}", failure.message), bad: true, undo: false };
        effects.push(Effect::Bell);
    }

    fn quit(&mut self, effects: &mut Vec<Effect>) {
        let unsaved = self.layers.iter().any(|l| matches!(l, Layer::Form(f) if f.is_changed()));
        if unsaved {
            self.keep_form(effects);
        }
        effects.push(Effect::Quit(0));
    }

    /// An unfinished form becomes a draft before the program ends.
    fn keep_form(&mut self, effects: &mut Vec<Effect>) {
        let Some(place) = self.layers.iter().position(|l| matches!(l, Layer::Form(f) if f.is_changed()))
        else {
            return;
        };
        let Layer::Form(form) = self.layers.remove(place) else { return };
        let keep = draft_of(&form, "PAMS ended before it was saved");
        let old = form.draft;
        self.act(effects, move |engine| {
            let kept = engine.run(&keep);
            forget(engine, old);
            Data::Done(kept.map(|r| ("Kept as a draft".into(), Some(r.txn))))
        });
    }

    fn autosave(&mut self, effects: &mut Vec<Effect>) {
        let form = self.layers.iter().find_map(|l| match l {
            Layer::Form(form) if form.is_changed() => {
                Some(draft_of(form, "the line dropped before it was saved"))
            }
            _ => None,
        });
        if let Some(keep) = form {
            let text = serde_json::to_string(&keep).ok();
            self.with_cx(effects, |_, cx| cx.remember(AUTOSAVE, text));
        }
    }

    fn form_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, .. } = self;
        let mut cx = Cx { me, effects, generations };
        let Some(Layer::Form(form)) = layers.last_mut() else { return };
        let long = form.focused().field.kind == crate::domain::schema::Type::Long;
        let text_key = |code| Key::plain(code);
        use crate::tui::keys::Code;
        match id {
            "form.enter" if form.take_suggestion() => leave_field(form, &mut cx),
            "form.enter" if long => drop(form.key(text_key(Code::Enter))),
            "form.enter" if !form.is_last() => leave_field(form, &mut cx),
            "form.save" | "form.enter" => save(form, vec![], &mut cx),
            "form.next" => {
                form.take_suggestion();
                leave_field(form, &mut cx);
            }
            "form.last" => form.move_focus(false),
            "form.down" if form.move_choice(true) => {}
            "form.up" if form.move_choice(false) => {}
            "form.down" if long => drop(form.key(text_key(Code::Down))),
            "form.up" if long => drop(form.key(text_key(Code::Up))),
            "form.down" => {
                // Down in an empty reference shows what there is to choose from.
                if form.asked().is_some_and(|(_, text)| text.is_empty()) && form.suggestions.is_empty() {
                    suggest(form, &mut cx);
                } else {
                    form.move_focus(true);
                }
            }
            "form.up" => form.move_focus(false),
            "form.leave" if !form.suggestions.is_empty() => {
                form.suggestions.clear();
                form.chosen = None;
            }
            "form.leave" if form.is_changed() => {
                let text = "Keep what is typed?  d keep as draft   y throw away   Esc go on".to_owned();
                layers.push(Layer::Confirm(Confirm { question: Question::LeaveForm, text }));
            }
            "form.leave" => drop(layers.pop()),
            _ => {}
        }
    }

    fn line_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, panes, .. } = self;
        let mut cx = Cx { me, effects, generations };
        match layers.last_mut() {
            Some(Layer::Quick(quick)) => match id {
                "line.take" => quick.log(vec![], &mut cx),
                "line.leave" => drop(layers.pop()),
                "line.earlier" => quick.recall(true, &mut cx),
                "line.later" => quick.recall(false, &mut cx),
                "line.as_form" => {
                    let start = quick.as_form();
                    layers.pop();
                    layers.push(Layer::Form(Box::new(Form::new(start))));
                }
                _ => {}
            },
            Some(Layer::Prompt(prompt)) => match id {
                "line.leave" => {
                    if prompt.label == "filter" {
                        panes.set_filter(&prompt.before.clone(), &mut cx);
                    }
                    layers.pop();
                }
                "line.take" if prompt.label == "import" => {
                    let path = prompt.text.text();
                    layers.pop();
                    cx.work(Slot::Form, move |engine| review::start(engine, path.trim()));
                }
                "line.take" => drop(layers.pop()),
                _ => {}
            },
            _ => {}
        }
    }

    fn review_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, .. } = self;
        let mut cx = Cx { me, effects, generations };
        let Some(Layer::Review(review)) = layers.last_mut() else { return };
        match id {
            "review.leave" => {
                let source = review.source.clone();
                layers.pop();
                cx.work(Slot::Action, move |engine| {
                    crate::engine::files::forget(engine, &source);
                    Data::Nothing
                });
            }
            "review.commit" if review.committing => {}
            "review.commit" if review.import.asks.is_empty() => {
                let job = review.commit(false);
                cx.work(Slot::Action, job);
            }
            "review.commit" => {
                let text = format!("{}. Go on? (y/N)", review.import.asks.join("; "));
                let question = Question::Act(review.commit(true));
                layers.push(Layer::Confirm(Confirm { question, text }));
            }
            _ => review.command(id, &mut cx),
        }
    }

    fn answer(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let Some(Layer::Confirm(confirm)) = self.layers.pop() else { return };
        match (confirm.question, id) {
            (_, "confirm.no") => {
                if let Some(Layer::Review(review)) = self.layers.last_mut() {
                    review.committing = false;
                }
            }
            (Question::LeaveForm, "confirm.yes") => {
                if let Some(Layer::Form(_)) = self.layers.pop() {
                    self.with_cx(effects, |_, cx| cx.remember(AUTOSAVE, None));
                }
            }
            (Question::LeaveForm, _) => {
                if let Some(Layer::Form(form)) = self.layers.pop() {
                    let keep = draft_of(&form, "the form was left before it was saved");
                    let old = form.draft;
                    self.act(effects, move |engine| {
                        let kept = engine.run(&keep);
                        forget(engine, old);
                        Data::Done(kept.map(|r| ("Kept as a draft".into(), Some(r.txn))))
                    });
                }
            }
            (Question::SaveAnyway(rules), "confirm.yes") => {
                let App { me, layers, generations, .. } = self;
                let mut cx = Cx { me, effects, generations };
                match layers.last_mut() {
                    Some(Layer::Form(form)) => save(form, rules, &mut cx),
                    Some(Layer::Quick(quick)) => quick.log(rules, &mut cx),
                    _ => {}
                }
            }
            (Question::Act(job), "confirm.yes") => self.with_cx(effects, |_, cx| cx.work(Slot::Action, job)),
            (question, _) => {
                // A key that does not answer leaves the question standing.
                self.layers.push(Layer::Confirm(Confirm { question, text: confirm.text }));
            }
        }
    }

    fn overlay_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        match self.layers.last_mut() {
            Some(Layer::Help(help)) => {
                let stays = !matches!(id, "overlay.close" | "overlay.take") && help.command(id);
                if !stays {
                    self.layers.pop();
                }
            }
            Some(Layer::Palette(palette)) => match id {
                "overlay.close" => drop(self.layers.pop()),
                "overlay.take" => {
                    let chosen = palette.chosen();
                    self.layers.pop();
                    if let Some(id) = chosen {
                        self.run(id, effects);
                    }
                }
                _ => drop(palette.command(id)),
            },
            _ => {}
        }
    }

    fn data(&mut self, data: Data, effects: &mut Vec<Effect>) {
        match data {
            Data::Nothing => {}
            Data::Done(Ok((text, txn))) => {
                self.saved_now();
                self.say(text, txn.is_some());
            }
            Data::Done(Err(failure)) => self.complain(&failure, effects),
            Data::Review(Ok(review)) => self.layers.push(Layer::Review(review)),
            Data::Review(Err(failure)) => self.complain(&failure, effects),
            Data::Reviewed(result) => match (result, self.layers.last_mut()) {
                (Ok(import), Some(Layer::Review(review))) => review.take(*import),
                (Ok(_), _) => {}
                (Err(failure), _) => self.complain(&failure, effects),
            },
            Data::Imported(Ok((_, text))) => {
                if let Some(Layer::Review(_)) = self.layers.last() {
                    self.layers.pop();
                }
                self.saved_now();
                self.say(text, true);
            }
            Data::Imported(Err(failure)) => {
                if let Some(Layer::Review(review)) = self.layers.last_mut() {
                    review.committing = false;
                }
                self.complain(&failure, effects);
            }
            Data::Form(Ok(start)) => self.layers.push(Layer::Form(Box::new(Form::new(start)))),
            Data::Form(Err(failure)) => self.complain(&failure, effects),
            Data::Saved(result) => self.saved(result.map(|(txn, s)| (txn, *s)), effects),
            Data::Logged(Ok((_, text))) => {
                if let Some(Layer::Quick(quick)) = self.layers.last() {
                    let line = quick.line();
                    self.earlier.retain(|l| *l != line);
                    self.earlier.push(line);
                    if self.earlier.len() > MAX_EARLIER {
                        self.earlier.remove(0);
                    }
                    self.layers.pop();
                }
                self.saved_now();
                self.say(text, true);
            }
            Data::Logged(Err(failure)) => self.line_refused(failure, effects),
            Data::Suggest(field, found) => {
                if let Some(Layer::Form(form)) = self.layers.last_mut()
                    && form.focus == field
                {
                    form.suggestions = found;
                    form.chosen = None;
                }
            }
            Data::Line(result) => {
                if let Some(Layer::Quick(quick)) = self.layers.last_mut() {
                    quick.read = result.ok();
                }
            }
            other => {
                let failure = self.panes.data(other);
                if let Some(failure) = failure {
                    self.complain(&failure, effects);
                }
            }
        }
    }

    fn saved_now(&mut self) {
        if let Ok(zone) = Zone::parse(&self.me.zone) {
            self.status.saved_at = zone.clock(self.now_ms);
        }
    }

    fn saved(
        &mut self,
        result: crate::domain::Outcome<(Id, crate::services::records::Saved)>,
        effects: &mut Vec<Effect>,
    ) {
        match result {
            Ok((_, saved)) => {
                if let Some(Layer::Form(form)) = self.layers.last()
                    && form.saving
                {
                    self.layers.pop();
                }
                self.saved_now();
                let name =
                    ["name", "summary", "account"].iter().map(|n| saved.item.text(n)).find(|n| !n.is_empty());
                let notes = saved.notes.iter().map(|n| format!(", {n}")).collect::<String>();
                self.say(format!("{}: {}{notes}", capital(&saved.word), name.unwrap_or_default()), true);
            }
            Err(failure) => {
                let Some(Layer::Form(form)) = self.layers.last_mut() else {
                    return self.complain(&failure, effects);
                };
                form.saving = false;
                let warnings = warnings_of(&failure);
                if form.refuse(&failure) && warnings.is_empty() {
                    effects.push(Effect::Bell);
                } else if warnings.is_empty() {
                    self.complain(&failure, effects);
                } else {
                    self.layers.push(Layer::Confirm(Confirm::anyway(&failure, warnings)));
                }
            }
        }
    }

    fn line_refused(&mut self, failure: Failure, effects: &mut Vec<Effect>) {
        let warnings = warnings_of(&failure);
        if let (false, Some(Layer::Quick(_))) = (warnings.is_empty(), self.layers.last()) {
            self.layers.push(Layer::Confirm(Confirm::anyway(&failure, warnings)));
        } else if let Some(Layer::Quick(quick)) = self.layers.last_mut() {
            quick.problem = Some(match &failure.hint {
                Some(hint) => format!("{}. {hint}", failure.message),
                None => failure.message,
            });
            effects.push(Effect::Bell);
        } else {
            self.complain(&failure, effects);
        }
    }

    fn changed(&mut self, changed: &Changed, effects: &mut Vec<Effect>) {
        let kinds = changed.kinds.clone();
        self.with_cx(effects, |panes, cx| panes.refresh(&kinds, cx));
    }

    /// Computes what depends on the size; before every draw.
    pub fn layout(&mut self, width: u16, height: u16) -> Vec<Effect> {
        self.size = (width, height);
        let mut effects = Vec::new();
        let body = self.body(Rect { x: 0, y: 0, width, height });
        let below = match self.layers.last() {
            Some(Layer::Quick(quick)) => quick.height(),
            Some(Layer::Prompt(_)) => 1,
            _ => 0,
        };
        let above = part(body, 0, 0, body.width, body.height.saturating_sub(below));
        self.with_cx(&mut effects, |panes, cx| panes.layout(above, cx));
        for layer in &mut self.layers {
            match layer {
                Layer::Form(form) => form.layout(body),
                Layer::Help(help) => help.layout(body),
                Layer::Palette(palette) => palette.layout(body),
                Layer::Review(review) => review.layout(body),
                _ => {}
            }
        }
        self.count(&effects);
        effects
    }

    pub(super) fn body(&self, area: Rect) -> Rect {
        part(area, 0, 1, area.width, area.height.saturating_sub(4))
    }

    /// The interface took over the store, or became a guest.
    pub fn set_host(&mut self, host: bool) {
        self.status.host = host;
    }
}

fn told(word: &str, undone: &crate::services::undo::Undone) -> String {
    match undone.drafted {
        0 => format!("{word}: {}", undone.what),
        n => format!("{word}: {}; {n} changed since, see Drafts", undone.what),
    }
}

pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|c| c.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// The rules of a refusal that is only warnings.
fn warnings_of(failure: &Failure) -> Vec<String> {
    use crate::domain::problem::Severity;
    let all =
        !failure.problems.is_empty() && failure.problems.iter().all(|p| p.severity == Severity::Warning);
    let rules = failure.problems.iter().map(|p| p.rule.clone());
    if all && failure.kind == FailureKind::Invalid { rules.collect() } else { vec![] }
}

fn draft_of(form: &Form, message: &str) -> KeepForm {
    KeepForm {
        kind: form.kind,
        target: form.id,
        title: form.title.clone(),
        message: message.to_owned(),
        input: form.to_save(),
    }
}

/// Takes away the autosaved text, and the draft a form came from.
fn forget(engine: &Engine, draft: Option<Id>) {
    let _ = engine.run(&SetState { name: AUTOSAVE.into(), value: None });
    if let Some(draft) = draft {
        let _ = engine.run(&DiscardDrafts { which: vec![draft.to_string()] });
    }
}

fn suggest(form: &Form, cx: &mut Cx) {
    let Some((kind, text)) = form.asked() else { return };
    let account = form.text_of("account");
    let account = (kind == Kind::Project && !account.is_empty()).then_some(account);
    let focus = form.focus;
    cx.work(Slot::Suggest, move |engine| {
        let ask = crate::services::records::Suggest { kind, text, account, limit: 5 };
        Data::Suggest(focus, engine.ask(&ask).unwrap_or_default())
    });
}

/// Leaves a field forward; behind an account comes its only project (P-004).
fn leave_field(form: &mut Form, cx: &mut Cx) {
    let field = form.focused().field.name;
    let wants_project = field == "account"
        && form.kind == Kind::Win
        && form.text_of("project").is_empty()
        && !form.text_of("account").trim().is_empty();
    if wants_project {
        let account = form.text_of("account");
        if let Some(place) = form.fields.iter().position(|f| f.field.name == "project") {
            cx.work(Slot::Suggest, move |engine| {
                let proposed = engine.ask(&crate::services::wins::ProposeProject { account });
                Data::Suggest(
                    place,
                    proposed.ok().flatten().map(|(id, name, _)| (id, name)).into_iter().collect(),
                )
            });
        }
    }
    form.move_focus(true);
}

fn save(form: &mut Form, ack: Vec<String>, cx: &mut Cx) {
    if form.saving {
        return; // the same key twice saves once
    }
    form.saving = true;
    let save = Save {
        kind: form.kind,
        id: form.id,
        input: form.to_save(),
        seen_rev: form.id.map(|_| form.rev),
        ack,
    };
    let draft = form.draft;
    cx.work(Slot::Action, move |engine| {
        let result = match draft {
            None => engine.run(&save).map(|r| (r.txn, Box::new(r.reply))),
            Some(draft) => resolve_into(engine, draft, &save),
        };
        if result.is_ok() {
            forget(engine, None);
        }
        Data::Saved(result)
    });
}

/// Saving a form that came from a draft resolves the draft in the same change.
fn resolve_into(
    engine: &Engine,
    draft: Id,
    save: &Save,
) -> crate::domain::Outcome<(Id, Box<crate::services::records::Saved>)> {
    let mut input: Input = save.input.clone();
    // A field emptied in the form is emptied in the draft's input too.
    let old = engine.ask(&crate::services::drafts::ShowDraft { which: draft.to_string() })?.input;
    for name in old.into_keys() {
        input.entry(name).or_default();
    }
    let resolve = ResolveDraft {
        which: draft.to_string(),
        choose: "theirs".into(),
        choices: Default::default(),
        input,
        ack: save.ack.clone(),
    };
    let receipt = engine.run(&resolve)?;
    let saved = receipt.reply.saved.ok_or_else(|| Failure::internal("The draft held no form"))?;
    Ok((receipt.txn, Box::new(saved)))
}
