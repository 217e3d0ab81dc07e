//! The whole interface as a value: messages in, effects out, drawn without side
//! effects. `update` and `draw` do no I/O and read no clock.

use crate::domain::{Failure, Outcome};
use crate::engine::{Changed, Engine, Event, Line, Progress};
use crate::services::setup::Me;
use crate::services::state::SetState;
use crate::services::undo::{Redo, Undo};
use crate::tui::command;
use crate::tui::form::Form;
use crate::tui::keys::{Key, Keymap, Match};
use crate::tui::layers::{ask_again, picker_key, suggest};
use crate::tui::msg::{Data, Deadline, Effect, Into, Job, Msg, Slot, Work};
use crate::tui::overlay::{Confirm, Help};
use crate::tui::panes::{Ask, PaneId, Panes, SPLIT, anything, from_note, places};
use crate::tui::picker::Picker;
use crate::tui::quick::{Prompt, Quick, Wanted};
use crate::tui::review::Review;
use crate::tui::theme::Theme;
use crate::tui::widgets::part;
use ratatui::layout::Rect;
use std::collections::HashMap;

/// Rest after a keystroke before a form's text is kept.
const AUTOSAVE_MS: u64 = 2_000;
/// Local state: the form under hand, for a line that drops.
pub const AUTOSAVE: &str = "autosave/form";
/// Local state: where the interface stands.
pub const SESSION: &str = "ui/session";
/// Local state: how often the last session had read ahead what was looked at.
pub const PREFETCH: &str = "prefetch/accounts";
/// Keys that wait for what is being opened.
const MAX_HELD: usize = 1_000;
/// Lines of a pasted text from which it is a note; of fewer the first is a line to log.
const NOTE_LINES: usize = 3;
/// Characters of one paste that are taken.
const MAX_PASTE: usize = 20_000;
/// A half-typed sequence shows what can follow after this.
const WHICH_MS: u64 = 300;

pub enum Layer {
    Form(Box<Form>),
    Quick(Box<Quick>),
    Prompt(Prompt),
    Confirm(Confirm),
    Help(Help),
    Pick(Box<Picker>),
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
    pub(super) size: (u16, u16),
    pub(super) generations: HashMap<Slot, u64>,
    interrupted: bool,
    busy: usize,
    /// Set before each update: the interface reads no clock.
    pub now_ms: i64,
    /// Its screen is read out (plain mode).
    pub aloud: bool,
    /// The next key is a fault of our own: what becomes of it is tried this way.
    pub fault: bool,
    /// Lines that Up brings back.
    pub(super) earlier: Vec<String>,
    /// Clicks and the wheel come to us.
    pub mouse: bool,
    /// The world that this is, where there are several.
    pub banner: String,
    /// Where the panes stood when that was last kept.
    pub(super) kept: serde_json::Value,
    /// Typed while a form, a review or a picker was being opened.
    opening: Option<Vec<Msg>>,
}

/// What the last line says.
#[derive(Default)]
pub struct Status {
    pub host: bool,
    pub read_only: bool,
    pub saved_at: String,
    /// The job under way.
    pub job: Option<Progress>,
    /// How the line to the remote instance is, once it is known.
    pub line: Option<Line>,
}

/// What a pane may use while it updates.
pub struct Cx<'a> {
    pub me: &'a Me,
    pub effects: &'a mut Vec<Effect>,
    pub(super) generations: &'a mut HashMap<Slot, u64>,
}

impl Cx<'_> {
    /// Asks for work; the answer comes back to `slot`, older ones are dropped.
    pub fn work(&mut self, slot: Slot, job: impl FnOnce(&Engine) -> Data + Send + 'static) {
        self.push(slot, Box::new(job), false);
    }

    fn push(&mut self, slot: Slot, job: Job, only_looks: bool) {
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        self.effects.push(Effect::Work(Work { slot, generation: *generation, job, only_looks }));
    }

    /// Asks the engine; the panes take the answer with `into`, a failure is complained of.
    pub fn ask<T: Send + 'static>(
        &mut self,
        slot: Slot,
        question: impl FnOnce(&Engine) -> Outcome<T> + Send + 'static,
        into: impl FnOnce(&mut Panes, T, &mut Cx) + Send + 'static,
    ) {
        let job = move |engine: &Engine| {
            let into = |answer| -> Into { Box::new(move |panes, cx| into(panes, answer, cx)) };
            Data::Panes(question(engine).map(into))
        };
        self.push(slot, Box::new(job), true);
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
            aloud: false,
            fault: false,
            earlier: vec![],
            mouse: false,
            banner: String::new(),
            kept: serde_json::Value::Null,
            opening: None,
        }
    }

    /// The first questions.
    pub fn start(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.with_cx(&mut effects, |panes, cx| {
            panes.look_at_remote(cx);
            panes.open(panes.current, cx);
        });
        self.counted(&effects);
        effects
    }

    /// Whether everything that a key asked for is here: it is drawn at once.
    pub fn awaited(&self) -> bool {
        self.busy == 0
    }

    /// Whether work is under way, here or in a job that is looked at.
    pub fn is_busy(&self) -> bool {
        let reading = |layer: &Layer| matches!(layer, Layer::Review(review) if review.is_reading());
        self.busy > 0 || self.layers.iter().any(reading)
    }

    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = Vec::new();
        match msg {
            // What is being opened gets the keys that were typed for it.
            msg @ (Msg::Key(_) | Msg::Paste(_)) if self.opening.is_some() => {
                let held = self.opening.get_or_insert_default();
                if held.len() < MAX_HELD {
                    held.push(msg);
                }
            }
            Msg::Key(key) => {
                assert!(!self.fault, "PAMS_FAULT is set");
                self.key(key, &mut effects);
            }
            Msg::Paste(text) => self.paste(&text, &mut effects),
            Msg::Resize => {}
            Msg::Click(x, y) => self.click(x, y, &mut effects),
            Msg::Wheel(down) => {
                let list = if down { "down" } else { "up" };
                let scopes = self.scopes();
                let spec = ["list", "review", "overlay", "form"].iter().find(|scope| scopes.contains(scope));
                if let Some(spec) = spec.and_then(|scope| command::find(&format!("{scope}.{list}"))) {
                    self.run(spec.id, &mut effects);
                }
            }
            Msg::Edited(Ok(text)) => {
                if let Some(Layer::Form(form)) = self.layers.last_mut() {
                    form.set_focused(&text);
                }
            }
            Msg::Edited(Err(failure)) => self.complain(&failure, &mut effects),
            Msg::Configured(Ok((keys, theme))) => {
                self.say(configured(&keys, &theme), false);
                (self.keys, self.theme) = (keys, theme);
            }
            Msg::Configured(Err(failure)) => {
                let kept = Failure { message: format!("Kept as it was: {}", failure.message), ..failure };
                self.complain(&kept, &mut effects);
            }
            Msg::Data(slot, generation, data) => {
                self.busy = self.busy.saturating_sub(1);
                let newest = self.generations.get(&slot).copied().unwrap_or(0);
                let opened = !data.is_failure();
                if slot == Slot::Action || generation == newest {
                    self.data(*data, &mut effects);
                }
                if slot == Slot::Form && generation == newest {
                    let held = self.opening.take().unwrap_or_default();
                    // What did not open cannot take them, and nothing else was meant.
                    for msg in held.into_iter().filter(|_| opened) {
                        effects.extend(self.update(msg));
                    }
                }
            }
            Msg::Event(Event::Changed(changed)) => self.changed(&changed, &mut effects),
            Msg::Event(Event::Job(progress)) => self.job(progress, &mut effects),
            Msg::Event(Event::Line(line)) => {
                self.status.line = Some(line);
                self.with_cx(&mut effects, |panes, cx| panes.look_at_remote(cx));
            }
            Msg::Deadline(Deadline::Which) => self.which = !self.pending.is_empty(),
            Msg::Deadline(Deadline::Autosave) => self.autosave(&mut effects),
            Msg::Deadline(Deadline::Draw) => {}
            Msg::Stop => effects.push(Effect::Suspend),
            Msg::Signal(signal) => {
                self.keep_form(&mut effects);
                self.keep_session(true, &mut effects);
                effects.push(Effect::Quit(128 + signal));
            }
            Msg::Hangup => {
                self.keep_form(&mut effects);
                self.keep_session(true, &mut effects);
                effects.push(Effect::Quit(129));
            }
        }
        self.counted(&effects);
        effects
    }

    pub(super) fn counted(&mut self, effects: &[Effect]) {
        self.busy += effects.iter().filter(|e| matches!(e, Effect::Work(_))).count();
    }

    pub(super) fn with_cx<T>(
        &mut self,
        effects: &mut Vec<Effect>,
        work: impl FnOnce(&mut Panes, &mut Cx) -> T,
    ) -> T {
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
            Some(Layer::Help(_) | Layer::Pick(_)) => vec!["overlay"],
            Some(Layer::Review(_)) => vec!["review"],
            None => self.panes.here().scopes(),
        }
    }

    pub(super) fn takes_text(&self) -> bool {
        matches!(
            self.layers.last(),
            Some(Layer::Form(_) | Layer::Quick(_) | Layer::Prompt(_) | Layer::Pick(_))
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
            let everywhere = |id: &&str| {
                matches!(*id, "app.suspend" | "app.quit" | "app.redraw" | "app.interrupt" | "app.mouse")
            };
            if let Match::Commands(all) = self.keys.lookup(&["global"], &self.pending)
                && all.iter().all(everywhere)
            {
                found = Match::Commands(all);
            }
        }
        match found {
            Match::Commands(all) => {
                self.clear_pending();
                self.interrupted = interrupt;
                all.into_iter().for_each(|id| self.run(id, effects));
            }
            Match::Prefix if !self.takes_text() || key.typed().is_none() => {
                effects.push(Effect::After(WHICH_MS, Deadline::Which))
            }
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

    /// A click on a tab goes there, one on a row takes the cursor to it.
    fn click(&mut self, x: u16, y: u16, effects: &mut Vec<Effect>) {
        if !self.layers.is_empty() {
            return;
        }
        if y == 0 {
            if let Some(id) = self.tab_at(x) {
                self.run(id, effects);
            }
        } else if let Some(line) = y.checked_sub(1) {
            self.panes.here_mut().click(line);
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
                if prompt.wanted == Wanted::Filter {
                    panes.here_mut().set_filter(&prompt.text.text(), &mut cx);
                }
            }
            Some(Layer::Pick(picker)) => picker_key(picker, key, &mut cx),
            _ => {}
        }
    }

    fn paste(&mut self, text: &str, effects: &mut Vec<Effect>) {
        // A whole file by mistake would hold everything up; a text of that length is none.
        let (text, cut) = match text.char_indices().nth(MAX_PASTE) {
            Some((at, _)) => (&text[..at], true),
            None => (text, false),
        };
        match self.layers.is_empty() && text.trim().lines().count() >= NOTE_LINES {
            // Outside a text, several lines are a note: a form shows what it says.
            true => {
                let note = crate::domain::text::clean(&text.replace("\r\n", "\n").replace('\r', "\n"));
                self.take(from_note(move || Ok(note)), effects);
            }
            false => self.paste_into(text, effects),
        }
        if cut {
            self.warn(format!("Only the first {MAX_PASTE} characters were pasted"));
        }
    }

    fn paste_into(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, panes, earlier, .. } = self;
        let mut cx = Cx { me, effects, generations };
        match layers.last_mut() {
            Some(Layer::Form(form)) => form.paste(text),
            Some(Layer::Quick(quick)) => quick.paste(text, &mut cx),
            Some(Layer::Prompt(prompt)) => {
                prompt.text.paste(text);
                if prompt.wanted == Wanted::Filter {
                    panes.here_mut().set_filter(&prompt.text.text(), &mut cx);
                }
            }
            None => {
                // Outside a text a paste never fires keys: its first line is offered as an activity.
                let mut quick = Quick::new(earlier);
                quick.paste(text.lines().next().unwrap_or_default(), &mut cx);
                layers.push(Layer::Quick(Box::new(quick)));
            }
            Some(Layer::Pick(picker)) => {
                picker.paste(text);
                ask_again(picker, &mut cx);
            }
            _ => {}
        }
    }

    /// Runs a command by its id: the door for keys, palette and tests.
    pub fn run(&mut self, id: &str, effects: &mut Vec<Effect>) {
        // What was wrong is read by now; what was done stays until the person goes on.
        let moves = ["list.", "overlay.", "line.", "form.", "confirm."];
        if self.toast.bad || !moves.iter().any(|of| id.starts_with(of)) {
            self.toast = Toast::default();
        }
        if let Some(reason) = self.refuses(id) {
            self.warn(reason.to_owned());
            return effects.push(Effect::Bell);
        }
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
            "app.reload" => effects.push(Effect::Configure),
            "app.settings" => effects.push(Effect::Settings),
            "app.mouse" => {
                self.mouse = !self.mouse;
                let word = if self.mouse { "on: it clicks and scrolls here" } else { "off: it selects text" };
                self.say(format!("Mouse {word}"), false);
                effects.push(Effect::Mouse(self.mouse));
            }
            "app.help" => {
                let scopes = self.scopes();
                let help = Help::new(&self.keys, &scopes, |id| self.refuses(id) != Some(command::NOT_HERE));
                self.layers.push(Layer::Help(help));
            }
            "palette.open" => {
                let scopes = self.scopes();
                let refuses = |id: &str| self.refuses(id);
                let palette = Picker::palette(&self.keys, &scopes, refuses);
                self.layers.push(Layer::Pick(Box::new(palette)));
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
            "go.more" => self.layers.push(Layer::Pick(Box::new(places()))),
            "find.open" => self.take(Ask::Pick(Box::new(anything())), effects),
            "app.split" if self.size.0 < SPLIT || self.aloud => {
                self.warn(format!(
                    "Two places beside each other need {SPLIT} columns; here are {}",
                    self.size.0
                ));
            }
            "app.split" => self.with_cx(effects, |panes, cx| panes.split(cx)),
            "app.swap" => self.with_cx(effects, |panes, cx| panes.swap(cx)),
            "log.open" => self.layers.push(Layer::Quick(Box::new(Quick::new(&self.earlier)))),
            _ if id.starts_with("go.") => {
                if let Some(pane) = PaneId::of_command(id) {
                    // A review that is left is kept.
                    self.layers.retain(|layer| !matches!(layer, Layer::Review(_)));
                    self.with_cx(effects, |panes, cx| panes.open(pane, cx));
                    self.keep_session(true, effects);
                }
            }
            _ if id.starts_with("form.") => self.form_command(id, effects),
            _ if id.starts_with("review.") => self.review_command(id, effects),
            _ if id.starts_with("line.") => self.line_command(id, effects),
            _ if id.starts_with("confirm.") => self.answer(id, effects),
            _ if id.starts_with("overlay.") => self.overlay_command(id, effects),
            _ => {
                let ask = self.with_cx(effects, |panes, cx| panes.here_mut().command(id, cx));
                self.take(ask, effects);
                // Moving the cursor is not worth a write; another view is.
                if !id.starts_with("list.") && self.panes.state() != self.kept {
                    self.keep_session(true, effects);
                }
            }
        }
    }

    /// Why a command cannot be run now; palette, help and footer say it too.
    pub(super) fn refuses(&self, id: &str) -> command::Refused {
        if self.status.read_only && command::find(id).is_some_and(|spec| spec.writes) {
            return Some(command::READ_ONLY);
        }
        match self.panes.here() {
            _ if !self.layers.is_empty() => match self.layers.last() {
                Some(Layer::Review(review)) => review.refuses(id),
                _ => None,
            },
            pane if pane.lacks().contains(&id) => Some(command::NOT_HERE),
            pane => pane.refuses(id),
        }
    }

    pub(super) fn act(
        &mut self,
        effects: &mut Vec<Effect>,
        job: impl FnOnce(&Engine) -> Data + Send + 'static,
    ) {
        self.with_cx(effects, |_, cx| cx.work(Slot::Action, job));
    }

    /// What a pane wants of the shell.
    pub(super) fn take(&mut self, ask: Ask, effects: &mut Vec<Effect>) {
        match ask {
            Ask::Nothing => {}
            Ask::Say(text) => self.say(text, false),
            Ask::Prompt(prompt) => self.layers.push(Layer::Prompt(prompt)),
            Ask::Pick(mut picker) => {
                self.with_cx(effects, |_, cx| ask_again(&mut picker, cx));
                self.layers.push(Layer::Pick(picker));
            }
            Ask::Load(job) => {
                self.opening = Some(vec![]);
                self.with_cx(effects, |_, cx| cx.work(Slot::Form, job));
            }
            Ask::Go(pane, month) => self.with_cx(effects, |panes, cx| panes.go(pane, month, cx)),
            Ask::Open(kind, id) => {
                let ask = self.with_cx(effects, |panes, cx| panes.open_record(kind, id, cx));
                self.take(ask, effects);
            }
            Ask::Change(txn) => self.with_cx(effects, |panes, cx| panes.open_change(txn, cx)),
            Ask::Copy(text, what) => {
                self.say(format!("Copied {what}"), false);
                effects.push(Effect::Copy(text));
            }
            Ask::Confirm(question, text) => self.layers.push(Layer::Confirm(Confirm { question, text })),
            Ask::Act(job) => self.with_cx(effects, |_, cx| cx.work(Slot::Action, job)),
        }
    }

    pub(super) fn say(&mut self, text: String, undo: bool) {
        self.toast = Toast { text, bad: false, undo };
    }

    /// Something is not as it should be, and it goes on.
    pub fn warn(&mut self, text: String) {
        self.toast = Toast { text, bad: true, undo: false };
    }

    pub(super) fn complain(&mut self, failure: &Failure, effects: &mut Vec<Effect>) {
        let hint = failure.hint.as_ref().map(|h| format!("  {h}")).unwrap_or_default();
        self.toast = Toast { text: format!("{}{hint}", failure.message), bad: true, undo: false };
        // What was typed stands, to be mended.
        if let Some(Layer::Prompt(prompt)) = self.layers.last_mut() {
            prompt.asked = false;
        }
        effects.push(Effect::Bell);
    }

    /// A job went on or ended: whoever waits for it looks again.
    fn job(&mut self, progress: Progress, effects: &mut Vec<Effect>) {
        self.status.job = (!progress.ended && progress.total > 0).then_some(progress);
        let App { me, layers, generations, panes, .. } = self;
        let mut cx = Cx { me, effects, generations };
        for layer in layers {
            if let Layer::Review(review) = layer {
                review.job(progress, &mut cx);
            }
        }
        panes.job(progress, &mut cx);
    }

    fn changed(&mut self, changed: &Changed, effects: &mut Vec<Effect>) {
        let kinds = changed.kinds.clone();
        self.with_cx(effects, |panes, cx| panes.refresh(&kinds, cx));
        let App { me, layers, generations, .. } = self;
        let mut cx = Cx { me, effects, generations };
        for layer in layers {
            if let Layer::Review(review) = layer {
                review.changed(changed, &mut cx);
            }
        }
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
                Layer::Pick(picker) => picker.layout(body),
                Layer::Review(review) => review.layout(body),
                _ => {}
            }
        }
        self.counted(&effects);
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

pub fn told(word: &str, undone: &crate::services::undo::Undone) -> String {
    match undone.drafted {
        0 => format!("{word}: {}", undone.what),
        n => format!("{word}: {}; {n} changed since, see Drafts", undone.what),
    }
}

/// What was read, and what in it cannot be reached.
fn configured(keys: &Keymap, theme: &Theme) -> String {
    match keys.warnings.as_slice() {
        [] => format!("Keymap and theme {} are read again", theme.name),
        [first, ..] => first.clone(),
    }
}

pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|c| c.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}
