//! `pams wins …`

use crate::cli::{Context, activity, output, record};
use crate::domain::schema::Kind;
use crate::domain::when::Month;
use crate::domain::{Failure, Outcome};
use crate::services::records::{Delete, Save, Show};
use crate::services::show::Item;
use crate::services::wins::{CloseMonth, CompareWins, Feature, ListMonths, ListWins, ShowCallout};
use clap::ArgMatches;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    if super::imports::VERBS.contains(&verb) {
        return super::imports::run(context, verb, matches);
    }
    if verb == "pull" {
        return super::connect::pull(context, matches);
    }
    let engine = context.cli()?;
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned().unwrap_or_default();
    let month =
        || -> Outcome<Month> { activity::month(matches)?.ok_or_else(|| Failure::usage("Say which --month")) };
    match verb {
        "add" => {
            let input = record::input(Kind::Win, matches);
            let ack = activity::acknowledged(matches);
            let save = Save { kind: Kind::Win, id: None, input, seen_rev: None, ack };
            record::saved(context, "entered", &engine.run(&save)?.reply);
        }
        "edit" => {
            let shown = engine.ask(&Show { kind: Kind::Win, which: text("id") })?;
            let input = record::input(Kind::Win, matches);
            let (id, seen_rev) = (Some(shown.item.id), Some(shown.item.rev));
            let save = Save { kind: Kind::Win, id, input, seen_rev, ack: activity::acknowledged(matches) };
            record::saved(context, "changed", &engine.run(&save)?.reply);
        }
        "show" => {
            let shown = engine.ask(&Show { kind: Kind::Win, which: text("id") })?;
            if context.json { output::json(&shown.item) } else { output::item(&shown.item) }
        }
        "delete" => {
            let item = engine.run(&Delete { kind: Kind::Win, which: text("id") })?.reply;
            record::done(context, "deleted", Kind::Win, &item.id.short(), &item);
        }
        "list" => {
            let page = engine.ask(&ListWins {
                backwards: false,
                month: activity::month(matches)?,
                owner: text("owner"),
                outcome: text("outcome"),
                source: text("source"),
                limit: matches.get_one::<usize>("limit").copied().unwrap_or(200),
                cursor: matches.get_one::<String>("cursor").cloned(),
            })?;
            if context.json {
                output::json(&page);
            } else if page.items.is_empty() {
                output::note(
                    "No wins or losses here; enter one with `pams wins add --outcome win --account NAME`",
                );
            } else {
                table(&page.items);
                if let Some(next) = page.next {
                    output::note(&format!("more:  --cursor {next}"));
                }
            }
        }
        "callout" => {
            let callout = engine.ask(&ShowCallout { month: activity::month(matches)? })?;
            if context.json { output::json(&callout) } else { output::line(&callout.text) }
        }
        "months" => {
            let months = engine.ask(&ListMonths {})?;
            if context.json {
                output::json(&serde_json::json!({ "items": months }));
            } else {
                let rows: Vec<Vec<String>> = months
                    .iter()
                    .map(|m| {
                        let name = m.month.map(|m| m.to_string()).unwrap_or_default();
                        let state = if m.closed { "closed" } else { "open" };
                        vec![name, m.wins.to_string(), m.losses.to_string(), state.into()]
                    })
                    .collect();
                output::table(&["month", "won", "lost", "state"], &rows);
            }
        }
        "compare" => {
            let comparison = engine.ask(&CompareWins { month: month()? })?;
            if context.json {
                output::json(&comparison);
            } else {
                let all = [
                    ("in both", comparison.matched.into_iter().map(|(own, _)| own).collect::<Vec<_>>()),
                    ("only own", comparison.only_own),
                    ("only imported", comparison.only_imported),
                ];
                for (title, items) in all {
                    output::line(&format!("{title}: {}", items.len()));
                    if !items.is_empty() {
                        table(&items);
                    }
                }
            }
        }
        "feature" => {
            let story = matches.get_one::<String>("story").cloned();
            let feature = Feature { which: text("id"), story, off: matches.get_flag("off") };
            let item = engine.run(&feature)?.reply;
            let word = if feature.off { "no longer featured" } else { "featured" };
            let names = ["account", "account_raw", "opportunity"].map(|n| item.text(n));
            let name = names.into_iter().find(|n| !n.is_empty()).unwrap_or_default();
            record::done(context, word, Kind::Win, &name, &item);
        }
        "close" | "reopen" => {
            let closed = verb == "close";
            let month = month()?;
            engine.run(&CloseMonth { month, closed })?;
            let word = if closed { "closed" } else { "open" };
            if context.json {
                output::json(&serde_json::json!({ "month": month, "closed": closed }));
            } else {
                output::line(&format!("{} is {word}", month.long()));
            }
        }
        other => return Err(Failure::usage(format!("There is no \"{other}\""))),
    }
    Ok(())
}

fn table(items: &[Item]) {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let amount = match item.text("amount_text") {
                amount if amount.is_empty() => "-".into(),
                amount => format!("{amount} {}", item.text("amount_currency")),
            };
            vec![
                item.id.short(),
                item.text("date"),
                item.text("outcome"),
                item.text("account"),
                item.text("opportunity"),
                amount,
                item.text("owner"),
                if item.text("source").is_empty() { "own".into() } else { item.text("source") },
            ]
        })
        .collect();
    output::table(&["id", "date", "what", "account", "opportunity", "amount", "owner", "source"], &rows);
}
