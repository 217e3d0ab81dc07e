//! What outlives the interface: where it stands, and a form that was not saved.

use crate::tui::app::{AUTOSAVE, App, Layer, PREFETCH, SESSION};
use crate::tui::layers::{draft_of, forget};
use crate::tui::msg::{Data, Effect};

impl App {
    /// Keeps where the interface stands; `cut`: the next one goes on there.
    pub(super) fn keep_session(&mut self, cut: bool, effects: &mut Vec<Effect>) {
        self.kept = self.panes.state();
        let row = self.panes.here().row();
        let session = serde_json::json!({ "cut": cut, "panes": self.kept, "row": row });
        self.with_cx(effects, |_, cx| cx.remember(SESSION, Some(session.to_string())));
    }

    /// What an earlier session kept.
    pub fn restore(&mut self, session: &str) {
        let session: serde_json::Value = serde_json::from_str(session).unwrap_or_default();
        let row = session["row"].as_str().and_then(|row| row.parse().ok());
        self.panes.restore(&session["panes"], row, session["cut"].as_bool().unwrap_or(false));
        self.kept = self.panes.state();
    }

    pub(super) fn quit(&mut self, effects: &mut Vec<Effect>) {
        self.keep_session(false, effects);
        let (hits, misses) = (self.panes.accounts.hits, self.panes.accounts.misses);
        if hits + misses > 0 {
            let counts = serde_json::json!({ "hits": hits, "misses": misses }).to_string();
            self.with_cx(effects, |_, cx| cx.remember(PREFETCH, Some(counts)));
        }
        let unsaved = self.layers.iter().any(|l| matches!(l, Layer::Form(f) if f.is_changed()));
        if unsaved {
            self.keep_form(effects);
        }
        effects.push(Effect::Quit(0));
    }

    /// An unfinished form becomes a draft before the program ends.
    pub(super) fn keep_form(&mut self, effects: &mut Vec<Effect>) {
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

    pub(super) fn autosave(&mut self, effects: &mut Vec<Effect>) {
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
}
