//! Jobs: what works in the background, how far it is, and how it ended.

use crate::domain::schema::Kind;
use crate::engine::{Engine, Progress};
use crate::services::jobs::{CancelJob, Job, JobState, ListJobs};
use crate::tui::app::Cx;
use crate::tui::command::{self, Refused};
use crate::tui::list::ListState;
use crate::tui::msg::Slot;
use crate::tui::panes::{Ask, Pane, PaneId, act};
use crate::tui::widgets::{DrawCx, put, rule};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Default)]
pub struct Jobs {
    /// The newest first.
    jobs: Vec<Job>,
    list: ListState,
    /// The one under way.
    progress: Option<Progress>,
}

impl Jobs {
    fn here(&self) -> Option<&Job> {
        self.jobs.get(self.list.cursor)
    }
}

impl Pane for Jobs {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["jobs", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        vec![("record.open", "what it works on"), ("jobs.cancel", "stop"), ("app.back", "back")]
    }

    fn lacks(&self) -> &'static [&'static str] {
        &[
            "list.inside",
            "list.archived",
            "list.mark",
            "list.mark_all",
            "list.copy",
            "record.edit",
            "record.delete",
            "record.archive",
            "record.merge",
            "list.filter",
        ]
    }

    fn load(&mut self, cx: &mut Cx) {
        let question = |engine: &Engine| engine.ask(&ListJobs {});
        cx.ask(Slot::Jobs, question, |panes, mut jobs, _| {
            jobs.reverse();
            panes.jobs.list.set_len(jobs.len());
            panes.jobs.jobs = jobs;
        });
    }

    fn refresh(&mut self, _kinds: &[Kind], cx: &mut Cx) {
        self.load(cx);
    }

    fn job(&mut self, progress: Progress, cx: &mut Cx) {
        self.progress = (!progress.ended).then_some(progress);
        if progress.ended {
            self.load(cx);
        }
    }

    fn refuses(&self, id: &str) -> Refused {
        match (id, self.here()) {
            ("record.open" | "jobs.cancel", None) => Some(command::NO_ROW),
            ("jobs.cancel", Some(job)) if !job.is_open() => Some("It has ended already"),
            _ => None,
        }
    }

    fn command(&mut self, id: &str, _cx: &mut Cx) -> Ask {
        if self.list.command(id) {
            return Ask::Nothing;
        }
        match (id, self.here()) {
            // So far every job reads a file that is imported.
            ("record.open", Some(_)) => Ask::Go(PaneId::Imports, None),
            ("jobs.cancel", Some(job)) => {
                let (which, title) = (job.id.to_string(), job.title.clone());
                Ask::Act(act(move |engine| {
                    engine.run(&CancelJob { which })?;
                    Ok((format!("Stopped: {title}"), None))
                }))
            }
            _ => Ask::Nothing,
        }
    }

    fn layout(&mut self, area: Rect, _cx: &mut Cx) {
        self.list.set_height(usize::from(area.height.saturating_sub(3)));
    }

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let wide = usize::from(area.width);
        rule(buf, area, 0, "Jobs", "they outlive the terminal", cx);
        let title = wide.saturating_sub(2 + 10 + 22 + 2).max(12);
        let cells = |state: &str, name: &str, what: &str| {
            format!("{} {} {what}", cx.fit(state, 10), cx.fit(name, title))
        };
        let head = format!("  {}", cells("state", "what", "how far"));
        put(buf, area, 0, 1, &cx.fit(&head, wide), cx.style("text.muted"));
        if self.jobs.is_empty() {
            let text = "No job has run yet. Imports (8) start them: I reads a workbook.";
            put(buf, area, 2, 3, &cx.cut(text, wide - 3), cx.style("text.muted"));
        }
        for (y, place) in self.list.visible().enumerate() {
            let job = &self.jobs[place];
            let progress = self.progress.filter(|p| p.job == job.id && p.total > 0);
            let (state, style) = match job.state {
                JobState::Waiting if progress.is_some() => ("running", "status.warning"),
                JobState::Waiting => ("waiting", "status.warning"),
                JobState::Paused => ("paused", "text.muted"),
                JobState::Done => ("done", "text"),
                JobState::Failed => ("failed", "status.error"),
                JobState::Cancelled => ("stopped", "text.muted"),
            };
            let far = match (progress, &job.failure) {
                (Some(p), _) => format!("{} of {}, {} %", p.done, p.total, p.done * 100 / p.total.max(1)),
                (None, Some(failure)) => failure.message.clone(),
                _ => String::new(),
            };
            let cursor = place == self.list.cursor;
            let sign = if cursor { ">" } else { " " };
            let row = cx.fit(&format!("{sign} {}", cells(state, &job.title, &far)), wide);
            let style = if cursor { "selection" } else { style };
            put(buf, area, 0, 2 + y as u16, &row, cx.style(style));
        }
        rule(buf, area, area.height.saturating_sub(1), "", &self.list.position(false), cx);
    }
}
