//! What the month's wins are looked at beside their list: own entries against imported
//! ones, the versions of the month, names that nobody has given yet.

use crate::domain::schema::Kind;
use crate::domain::text;
use crate::domain::when::Month;
use crate::domain::{Id, Outcome};
use crate::engine::Engine;
use crate::services::imports::batches::ListBatches;
use crate::services::imports::unnamed::{ListUnnamed, NameRaw};
use crate::services::imports::uploads::Source;
use crate::services::imports::{CommitReview, Options, StartReview, Target};
use crate::services::show::Item;
use crate::services::wins::CompareWins;
use crate::tui::list::ListState;
use crate::tui::overlay::Question;
use crate::tui::panes::{Ask, act, edit_form};
use crate::tui::quick::{Prompt, Wanted};
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What Enter does on a line.
#[derive(Clone, Debug)]
enum Does {
    Nothing,
    Edit(Id),
    Restore { batch: Id, month: Month },
    Name { scope: String, raw: String },
}

pub struct Side {
    title: String,
    lines: Vec<(String, &'static str, Does)>,
    pub list: ListState,
    empty: &'static str,
}

fn line_of(item: &Item) -> String {
    let amount = format!("{} {}", item.text("amount_text"), item.text("amount_currency"));
    let parts = [item.text("date"), item.text("account"), amount.trim().to_owned(), item.text("owner")];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("  ")
}

impl Side {
    fn new(title: String, empty: &'static str, lines: Vec<(String, &'static str, Does)>) -> Side {
        let mut list = ListState::default();
        list.set_len(lines.len());
        Side { title, lines, list, empty }
    }

    pub fn compare(engine: &Engine, month: Month) -> Outcome<Side> {
        let found = engine.ask(&CompareWins { month })?;
        let mut lines = Vec::new();
        let heads = [
            (format!("only entered here: {}", found.only_own.len()), &found.only_own, "status.warning"),
            (format!("only imported: {}", found.only_imported.len()), &found.only_imported, "text"),
        ];
        for (head, items, style) in heads {
            lines.push((head, "text.title", Does::Nothing));
            lines.extend(items.iter().map(|i| (format!("  {}", line_of(i)), style, Does::Edit(i.id))));
        }
        lines.push((format!("in both: {}", found.matched.len()), "text.title", Does::Nothing));
        for (own, imported) in &found.matched {
            lines.push((format!("  {}", line_of(own)), "text", Does::Edit(own.id)));
            if line_of(own) != line_of(imported) {
                lines.push((
                    format!("  imported as {}", line_of(imported)),
                    "changed",
                    Does::Edit(imported.id),
                ));
            }
        }
        Ok(Side::new(format!("{}: own entries and imported ones", month.long()), "", lines))
    }

    pub fn versions(engine: &Engine, month: Month) -> Outcome<Side> {
        let items = engine.ask(&ListBatches { month: Some(month) })?;
        let lines = items.iter().enumerate().map(|(n, item)| {
            let counts = ["added", "changed", "removed"].map(|f| item.int(f).unwrap_or(0));
            let text = format!(
                "v{}  {}  {}  by {}  +{} ~{} -{}",
                items.len() - n,
                item.text("at"),
                item.text("file"),
                item.text("by"),
                counts[0],
                counts[1],
                counts[2]
            );
            (text, "text", Does::Restore { batch: item.id, month })
        });
        let title = format!("{}: versions, Enter brings one back", month.long());
        let empty = "Nothing was imported into this month. I imports a workbook.";
        Ok(Side::new(title, empty, lines.collect()))
    }

    pub fn names(engine: &Engine) -> Outcome<Side> {
        let lines = engine.ask(&ListUnnamed {})?.into_iter().map(|u| {
            let text = format!("{:<8} {:>6}  {}", u.scope, text::count(u.rows, "row"), u.raw);
            (text, "text", Does::Name { scope: u.scope, raw: u.raw })
        });
        let title = "Owners and accounts nobody has named: Enter says who it is".to_owned();
        Ok(Side::new(title, "Every owner and account of the imported rows is named.", lines.collect()))
    }

    /// What Enter asks for on the line under the cursor.
    pub fn enter(&self) -> Ask {
        match self.lines.get(self.list.cursor).map(|line| line.2.clone()) {
            Some(Does::Edit(id)) => edit_form(Kind::Win, id.to_string()),
            Some(Does::Restore { batch, month }) => {
                let text = format!("Make {} as this version has it?", month.long());
                Ask::Confirm(Question::Act(act(move |engine| restore(engine, batch, month))), text)
            }
            Some(Does::Name { scope, raw }) => {
                let label = format!("{scope} {raw} is (- for nobody of us)");
                Ask::Prompt(Prompt::new(&label, "", Wanted::Pane("name".into())))
            }
            _ => Ask::Nothing,
        }
    }

    /// The name that was typed for the line under the cursor.
    pub fn named(&self, who: &str) -> Ask {
        let Some((_, _, Does::Name { scope, raw })) = self.lines.get(self.list.cursor).cloned() else {
            return Ask::Nothing;
        };
        let who = who.to_owned();
        Ask::Act(act(move |engine| {
            let said = engine.run(&NameRaw { scope, raw: raw.clone(), who: who.clone() })?;
            let who = if who == "-" { "nobody of us".to_owned() } else { who };
            Ok((format!("{raw} is {who}: {} set", text::count(said.reply, "row")), Some(said.txn)))
        }))
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        rule(buf, area, 0, &self.title, "Esc list", cx);
        if self.lines.is_empty() {
            put(buf, area, 2, 2, &cx.cut(self.empty, wide - 3), cx.style("text.muted"));
        }
        for (y, place) in self.list.visible().enumerate() {
            let (text, style, _) = &self.lines[place];
            let cursor = place == self.list.cursor;
            let (sign, style) = if cursor { (">", "selection") } else { (" ", *style) };
            put(buf, area, 0, 1 + y as u16, &cx.fit(&format!("{sign} {text}"), wide), cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.list.position(false), cx);
    }
}

/// Makes the month as a batch had it: one change, one undo.
fn restore(engine: &Engine, batch: Id, month: Month) -> Outcome<(String, Option<Id>)> {
    let options = Options { month: Some(month), agreed: true, whole_month: true, ..Options::default() };
    let source = Source::Batch { which: batch.to_string() };
    let started = engine.run(&StartReview { target: Target::Wins, source, options })?.reply;
    engine.wait_for(started.job, |_| {})?;
    let done = engine.run(&CommitReview { review: started.review, agreed: true })?;
    let r = &done.reply;
    if r.added + r.changed + r.removed == 0 {
        return Ok((format!("{} is as that version has it already", month.long()), None));
    }
    let text = format!("{}: +{} ~{} -{}", month.long(), r.added, r.changed, r.removed);
    Ok((text, Some(done.txn)))
}
