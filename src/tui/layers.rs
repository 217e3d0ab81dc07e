//! What a command does to the layer on top: form, line, review, question, overlay.

use crate::domain::schema::Kind;
use crate::domain::{Failure, Id};
use crate::engine::Engine;
use crate::services::drafts::{DiscardDrafts, KeepForm, ResolveDraft};
use crate::services::input::Input;
use crate::services::records::Save;
use crate::services::state::SetState;
use crate::tui::answers::review_of;
use crate::tui::app::{AUTOSAVE, App, Cx, Layer};
use crate::tui::command;
use crate::tui::form::Form;
use crate::tui::keys::{Code, Key};
use crate::tui::msg::{Data, Effect, Slot};
use crate::tui::overlay::{Confirm, Question};
use crate::tui::panes::Ask;
use crate::tui::picker::{Picker, Purpose};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::review;

impl App {
    pub(super) fn form_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, .. } = self;
        let mut cx = Cx { me, effects, generations };
        let Some(Layer::Form(form)) = layers.last_mut() else { return };
        let long = form.focused().field.kind == crate::domain::schema::Type::Long;
        let text_key = |code| Key::plain(code);
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
            "form.editor" if long => effects.push(Effect::Edit(form.focused().text.text())),
            "form.editor" => {
                self.say("Only a text of several lines goes to the editor, such as details".into(), false);
            }
            "form.leave" if !form.suggestions.is_empty() => {
                form.suggestions.clear();
                form.chosen = None;
            }
            "form.leave" if form.is_changed() => {
                let text = "Keep what is typed?".to_owned();
                layers.push(Layer::Confirm(Confirm { question: Question::LeaveForm, text }));
            }
            "form.leave" => drop(layers.pop()),
            _ => {}
        }
    }

    pub(super) fn line_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, panes, .. } = self;
        let mut cx = Cx { me, effects, generations };
        match layers.last_mut() {
            Some(Layer::Quick(quick)) => match id {
                "line.take" => quick.log(vec![], &mut cx),
                "line.leave" => {
                    let line = quick.line();
                    layers.pop();
                    if !line.trim().is_empty() {
                        self.remember_line(line);
                        self.say("Not logged; Up in the line brings it back".into(), false);
                    }
                }
                "line.earlier" => quick.recall(true, &mut cx),
                "line.later" => quick.recall(false, &mut cx),
                "line.as_form" => match quick.as_form() {
                    Ok(start) => {
                        layers.pop();
                        layers.push(Layer::Form(Box::new(Form::new(start))));
                    }
                    Err(failure) => self.complain(&failure, effects),
                },
                _ => {}
            },
            Some(Layer::Prompt(prompt)) => match id {
                "line.leave" => {
                    if prompt.wanted == Wanted::Filter {
                        panes.here_mut().set_filter(&prompt.before.clone(), &mut cx);
                    }
                    layers.pop();
                }
                "line.take" => {
                    let (wanted, text) = (prompt.wanted.clone(), prompt.text.text().trim().to_owned());
                    match wanted {
                        Wanted::Filter => drop(layers.pop()),
                        Wanted::Pane(what) => {
                            prompt.asked = true;
                            let ask = panes.here_mut().prompted(&what, &text, &mut cx);
                            // What is done at once may be refused: the text stands until then.
                            if !matches!(ask, Ask::Act(_) | Ask::Load(_)) {
                                layers.pop();
                            }
                            self.take(ask, effects);
                        }
                        Wanted::Import(target) => {
                            prompt.asked = true;
                            cx.work(Slot::Form, move |engine| review::start(engine, target, &text));
                        }
                        Wanted::Said(said) => {
                            prompt.asked = true;
                            let review = review_of(layers);
                            let told = review.map(|review| review.said(said, &text, &mut cx));
                            if let Some(Err(failure)) = told {
                                self.complain(&failure, effects);
                            }
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    pub(super) fn review_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let App { me, layers, generations, .. } = self;
        let mut cx = Cx { me, effects, generations };
        let Some(Layer::Review(review)) = layers.last_mut() else { return };
        let next = match id {
            "review.leave" if review.step_back() => return,
            "review.leave" => {
                let left = format!("{} is kept: Imports goes on with it", review.file());
                layers.pop();
                return self.say(left, false);
            }
            "review.drop" => {
                let text = format!("Give {} up? Nothing of it is kept.", review.file());
                Some(Layer::Confirm(Confirm { question: Question::Act(review.give_up()), text }))
            }
            "review.commit" => match review.asks() {
                _ if review.committing => None,
                Err(failure) => return self.complain(&failure, effects),
                Ok(asks) if asks.is_empty() => {
                    let job = review.commit(false);
                    cx.work(Slot::Action, job);
                    None
                }
                Ok(asks) => {
                    let text = format!("{asks}. Go on?");
                    Some(Layer::Confirm(Confirm { question: Question::Act(review.commit(true)), text }))
                }
            },
            _ => match review.command(id, &mut cx) {
                Ok(wanted) => wanted
                    .map(|(label, text, said)| Layer::Prompt(Prompt::new(&label, &text, Wanted::Said(said)))),
                Err(failure) => return self.complain(&failure, effects),
            },
        };
        layers.extend(next);
    }

    pub(super) fn answer(&mut self, id: &str, effects: &mut Vec<Effect>) {
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

    fn picked(&mut self, purpose: Purpose, value: &str, effects: &mut Vec<Effect>) {
        match purpose {
            Purpose::Command => {
                if let Some(spec) = command::find(value) {
                    self.run(spec.id, effects);
                }
            }
            Purpose::Record => {
                let record = value.split_once(' ').and_then(|(kind, id)| Some((Kind::parse(kind)?, id)));
                if let Some((kind, id)) = record {
                    self.take(Ask::Open(kind, id.to_owned()), effects);
                }
            }
            Purpose::Pane(what) => {
                let ask = self.with_cx(effects, |panes, cx| panes.here_mut().picked(what, value, cx));
                self.take(ask, effects);
            }
        }
    }

    pub(super) fn overlay_command(&mut self, id: &str, effects: &mut Vec<Effect>) {
        match self.layers.last_mut() {
            Some(Layer::Help(help)) => {
                let stays = !matches!(id, "overlay.close" | "overlay.take") && help.command(id);
                if !stays {
                    self.layers.pop();
                }
            }
            Some(Layer::Pick(picker)) => match id {
                "overlay.close" => drop(self.layers.pop()),
                "overlay.take" => {
                    let Some(chosen) = picker.chosen().cloned() else { return };
                    let purpose = picker.purpose;
                    self.layers.pop();
                    self.picked(purpose, &chosen.value, effects);
                }
                _ => drop(picker.command(id)),
            },
            _ => {}
        }
    }
}

pub(super) fn picker_key(picker: &mut Picker, key: Key, cx: &mut Cx) {
    if picker.key(key) {
        ask_again(picker, cx);
    }
}

/// A picker over the store looks for what is typed by now.
pub(super) fn ask_again(picker: &mut Picker, cx: &mut Cx) {
    if let Some(ask) = picker.ask.clone() {
        let typed = picker.typed();
        cx.work(Slot::Suggest, move |engine| Data::Choices(ask(engine, &typed)));
    }
}

pub(super) fn draft_of(form: &Form, message: &str) -> KeepForm {
    KeepForm {
        kind: form.kind,
        target: form.id,
        title: form.title.clone(),
        message: message.to_owned(),
        input: form.to_save(),
    }
}

/// Takes away the autosaved text, and the draft a form came from.
pub(super) fn forget(engine: &Engine, draft: Option<Id>) {
    let _ = engine.run(&SetState { name: AUTOSAVE.into(), value: None });
    if let Some(draft) = draft {
        let _ = engine.run(&DiscardDrafts { which: vec![draft.to_string()] });
    }
}

pub(super) fn suggest(form: &Form, cx: &mut Cx) {
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

pub(super) fn save(form: &mut Form, ack: Vec<String>, cx: &mut Cx) {
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
