//! `pams jobs …`: background work, which outlives the process that started it.

use crate::cli::{Context, output};
use crate::domain::Outcome;
use crate::services::jobs::{CancelJob, JobState, ListJobs};
use clap::ArgMatches;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let engine = context.cli()?;
    if verb == "cancel" {
        let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
        let job = engine.run(&CancelJob { which })?.reply;
        output::line(&format!("cancelled: {}", job.title));
        return Ok(());
    }
    if verb == "wait" {
        for job in engine.ask(&ListJobs {})?.into_iter().filter(|j| j.state == JobState::Waiting) {
            match engine.wait_for(job.id, |_| {}) {
                Ok(()) => output::note(&format!("done:  {}", job.title)),
                Err(failure) => output::note(&format!("ended: {}: {}", job.title, failure.message)),
            }
        }
    }
    let all = engine.ask(&ListJobs {})?;
    if context.json {
        output::json(&serde_json::json!({ "items": all }));
        return Ok(());
    }
    let state = |state: JobState| format!("{state:?}").to_lowercase();
    let rows: Vec<Vec<String>> = all
        .into_iter()
        .rev()
        .map(|j| {
            vec![j.id.short(), j.title, state(j.state), j.failure.map(|f| f.message).unwrap_or_default()]
        })
        .collect();
    match rows.is_empty() {
        true => output::note("No job runs or waits"),
        false => output::table(&["id", "job", "state", ""], &rows),
    }
    Ok(())
}
