//! What the shell does with an answer of the engine.

use crate::changes::Verdict;
use crate::domain::when::Zone;
use crate::domain::{Failure, FailureKind, Id};
use crate::tui::app::{App, Cx, Layer, capital};
use crate::tui::form::Form;
use crate::tui::msg::{Data, Effect};
use crate::tui::overlay::{Confirm, Question};
use crate::tui::panes::PaneId;
use crate::tui::review::Review;

/// Lines kept for Up in the quick line.
const MAX_EARLIER: usize = 50;

impl App {
    pub(super) fn data(&mut self, data: Data, effects: &mut Vec<Effect>) {
        let done = match &data {
            Data::Done(told) => told.is_ok(),
            Data::Review(found) => found.is_ok(),
            Data::Reviewed(shown) => shown.is_ok(),
            Data::Confirm(asked) => asked.is_ok(),
            _ => false,
        };
        if done {
            self.layers.retain(|l| !matches!(l, Layer::Prompt(prompt) if prompt.asked));
        }
        match data {
            Data::Nothing => {}
            Data::Done(Ok((text, txn))) => {
                self.saved_now();
                self.say(text, txn.is_some());
            }
            Data::Done(Err(failure)) => self.complain(&failure, effects),
            Data::DoneThen(told, then) => {
                if told.is_ok() {
                    self.with_cx(effects, |panes, cx| then(panes, cx));
                }
                self.data(Data::Done(told), effects);
            }
            Data::Review(Ok(review)) => {
                self.layers.push(Layer::Review(review));
                let App { me, layers, generations, panes, .. } = self;
                let mut cx = Cx { me, effects, generations };
                if let Some(review) = review_of(layers) {
                    review.begin(&mut cx);
                }
                panes.at_mut(PaneId::Imports).load(&mut cx);
            }
            Data::Review(Err(failure)) => self.complain(&failure, effects),
            Data::Reviewed(Ok(shown)) => {
                let App { me, layers, generations, .. } = self;
                let mut cx = Cx { me, effects, generations };
                if let Some(review) = review_of(layers) {
                    review.take(*shown, &mut cx);
                }
            }
            Data::ReviewGone(failure) => {
                // What comes of our own commit is told by its answer.
                if review_of(&mut self.layers).is_some_and(|review| !review.committing) {
                    self.layers.retain(|l| !matches!(l, Layer::Review(_)));
                    self.complain(&failure, effects);
                }
            }
            Data::Reviewed(Err(failure)) => self.complain(&failure, effects),
            Data::Lines(Ok(lines)) => {
                if let Some(review) = review_of(&mut self.layers) {
                    review.take_lines(lines);
                }
            }
            Data::Lines(Err(failure)) => self.complain(&failure, effects),
            Data::Imported(Ok((txn, text))) => {
                self.layers.retain(|l| !matches!(l, Layer::Review(_)));
                if txn.is_some() {
                    self.saved_now();
                }
                self.say(text, txn.is_some());
                self.with_cx(effects, |panes, cx| panes.at_mut(PaneId::Imports).load(cx));
            }
            Data::Imported(Err(failure)) => {
                if let Some(review) = review_of(&mut self.layers) {
                    review.committing = false;
                }
                self.complain(&failure, effects);
            }
            Data::Form(Ok(start)) => {
                // The line that asked for it is done.
                if matches!(self.layers.last(), Some(Layer::Prompt(_))) {
                    self.layers.pop();
                }
                self.layers.push(Layer::Form(Box::new(Form::new(start))));
            }
            Data::Form(Err(failure)) => self.complain(&failure, effects),
            Data::Saved(result) => self.saved(result.map(|(txn, s)| (txn, *s)), effects),
            Data::Logged(Ok((_, text))) => {
                if let Some(Layer::Quick(quick)) = self.layers.last() {
                    let line = quick.line();
                    self.remember_line(line);
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
            Data::Choices(found) => {
                if let Some(Layer::Pick(picker)) = self.layers.last_mut() {
                    picker.take(found);
                }
            }
            Data::Picker(Ok(picker)) => self.layers.push(Layer::Pick(picker)),
            Data::Confirm(Ok((text, job))) => {
                self.layers.push(Layer::Confirm(Confirm { question: Question::Act(job), text }));
            }
            Data::Confirm(Err(failure)) => self.complain(&failure, effects),
            Data::Picker(Err(failure)) => self.complain(&failure, effects),
            Data::Line(result) => {
                if let Some(Layer::Quick(quick)) = self.layers.last_mut() {
                    quick.read = result.ok().map(|read| *read);
                }
            }
            Data::Panes(Ok(into)) => self.with_cx(effects, |panes, cx| into(panes, cx)),
            Data::Panes(Err(failure)) => self.complain(&failure, effects),
        }
    }

    /// Up in the next log line brings it back.
    pub(super) fn remember_line(&mut self, line: String) {
        self.earlier.retain(|l| *l != line);
        self.earlier.push(line);
        if self.earlier.len() > MAX_EARLIER {
            self.earlier.remove(0);
        }
    }

    pub(super) fn saved_now(&mut self) {
        if let Ok(zone) = Zone::parse(&self.me.zone) {
            self.status.saved_at = zone.clock(self.now_ms);
        }
    }

    pub(super) fn saved(
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
                let name = ["name", "summary", "account", "type"]
                    .iter()
                    .map(|n| saved.item.text(n))
                    .find(|n| !n.is_empty());
                let notes = saved.notes.iter().map(|n| format!(", {n}")).collect::<String>();
                // What waits as a draft was not saved: there is nothing of it to undo.
                let undo = saved.draft.is_none() && saved.verdict != Verdict::NoOp;
                let go = if saved.draft.is_none() { "" } else { "; 9 settles it" };
                self.say(format!("{}: {}{notes}{go}", capital(&saved.word), name.unwrap_or_default()), undo);
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

    pub(super) fn line_refused(&mut self, failure: Failure, effects: &mut Vec<Effect>) {
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
}

pub(super) fn review_of(layers: &mut [Layer]) -> Option<&mut Review> {
    layers.iter_mut().find_map(|l| match l {
        Layer::Review(review) => Some(&mut **review),
        _ => None,
    })
}

/// The rules of a refusal that is only warnings.
fn warnings_of(failure: &Failure) -> Vec<String> {
    use crate::domain::problem::Severity;
    let all =
        !failure.problems.is_empty() && failure.problems.iter().all(|p| p.severity == Severity::Warning);
    let rules = failure.problems.iter().map(|p| p.rule.clone());
    if all && failure.kind == FailureKind::Invalid { rules.collect() } else { vec![] }
}
