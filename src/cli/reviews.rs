//! `pams import …`: files under review, what was said of them, what is remembered.

use crate::cli::{Context, imports, output, record};
use crate::domain::schema::Kind;
use crate::domain::{Failure, Id, Outcome};
use crate::engine::Engine;
use crate::intake::dialect::Dialect;
use crate::intake::rules::RULES;
use crate::services::imports::batches::ListBatches;
use crate::services::imports::whom::{ListRemembered, Remembered};
use crate::services::imports::{
    Answer, AnswerReview, DropReview, FindReview, ListLines, ListReviews, ShowReview, Shown, TakeBack,
};
use crate::services::records::Delete;
use crate::services::undo::Undo;
use clap::ArgMatches;

pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    if verb == "map" {
        return super::outlets::map(context, matches);
    }
    if verb == "rules" {
        let rows: Vec<Vec<String>> = RULES
            .iter()
            .map(|r| {
                vec![r.code.into(), format!("{:?}", r.weight).to_lowercase(), r.label.into(), r.fix.into()]
            })
            .collect();
        if context.json {
            let names = ["code", "weight", "label", "fix"];
            let item = |r: &Vec<String>| {
                names.iter().zip(r).map(|(n, t)| ((*n).to_owned(), t.clone().into())).collect()
            };
            let items: Vec<serde_json::Map<String, serde_json::Value>> = rows.iter().map(item).collect();
            output::json(&serde_json::json!({ "items": items }));
        } else {
            output::table(&["code", "weight", "what", "what to do"], &rows);
        }
        return Ok(());
    }
    match verb {
        "rejects" => return imports::rejects(context, matches),
        "watch" => return super::watch::run(context, matches),
        _ => {}
    }
    let engine = context.cli()?;
    match verb {
        "remembered" => return remembered(context, &engine),
        "forget" => {
            let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
            let item = engine.run(&Delete { kind: Kind::Alias, which })?.reply;
            record::done(context, "forgot", Kind::Alias, &item.text("text"), &item);
            return Ok(());
        }
        _ => {}
    }
    if verb == "list" {
        let open = engine.ask(&ListReviews {})?;
        if context.json {
            output::json(&serde_json::json!({ "items": open }));
        } else if open.is_empty() {
            output::note(
                "No import is open; `pams outlets import FILE --review`, or another with --review, starts one",
            );
        } else {
            let rows: Vec<Vec<String>> = open
                .into_iter()
                .map(|o| vec![o.id.short(), o.target.plural().into(), o.file, o.by, o.at, o.step, o.message])
                .collect();
            output::table(&["id", "of", "file", "by", "touched", "step", ""], &rows);
        }
        return Ok(());
    }
    let which = matches.get_one::<String>("id").cloned().unwrap_or_default();
    if verb == "rollback" {
        return rollback(context, &engine, &which);
    }
    let review = engine.ask(&FindReview { which })?;
    if verb == "status" {
        return status(context, &engine, review, matches.get_flag("follow"));
    }
    // An answer to a file of many rows has it read again; what follows is said of the whole.
    if matches!(verb, "answer" | "commit" | "show") {
        let open = engine.ask(&ShowReview { review })?.open;
        if open.step == "reading" {
            let _ = engine.wait_for(open.job, |_| {});
        }
    }
    match verb {
        "drop" => {
            engine.run(&DropReview { review })?;
            output::line("dropped");
            return Ok(());
        }
        "answer" if matches.get_flag("undo") => {
            let back = engine.run(&TakeBack { review })?.reply;
            output::note(
                &back.map_or("nothing was said yet".into(), |a| format!("taken back: {}", described(&a))),
            );
        }
        "answer" => {
            engine.run(&AnswerReview { review, answers: answers(matches)? })?;
        }
        _ => {}
    }
    if verb == "answer" {
        let open = engine.ask(&ShowReview { review })?.open;
        if open.step == "reading" {
            let _ = engine.wait_for(open.job, |_| {});
        }
    }
    let shown = engine.ask(&ShowReview { review })?;
    if verb == "commit" {
        let report = match (shown.report, shown.failure) {
            (Some(report), _) => report,
            (None, failure) => {
                return Err(failure.unwrap_or_else(|| Failure::conflict("The file is still being read")));
            }
        };
        return imports::commit(context, &engine, review, &report);
    }
    show_review(context, &engine, review, shown, matches)
}

/// An answer as the person would say it.
fn described(answer: &Answer) -> String {
    let row = |place: &(usize, usize)| format!("row {}", place.1);
    let column = |n: &Option<usize>| n.map_or("nothing".into(), |n| format!("column {}", n + 1));
    match answer {
        Answer::Table { header: Some(header), .. } => format!("the header is row {}", header + 1),
        Answer::Table { sheet, header: None } => format!("sheet {} is left out", sheet + 1),
        Answer::Column { field, column: of, .. } => format!("{field} is {}", column(of)),
        Answer::Mapping(name) => format!("the mapping is {name}"),
        Answer::Mend(code) => format!("{code} is mended"),
        Answer::Dates(order) => format!("dates are {order}"),
        Answer::Dialect(_) => "it is written as somebody said".into(),
        Answer::Value { field, raw, value } => format!("{field} \"{raw}\" is \"{value}\""),
        Answer::Cell { place, field, value } => format!("{field} of {} is \"{value}\"", row(place)),
        Answer::Prefer(place) => format!("{} counts", row(place)),
        Answer::Aside(places) => {
            format!("set aside: {}", places.iter().map(row).collect::<Vec<_>>().join(", "))
        }
        Answer::AsideAlike { code, .. } => format!("set aside: all of {code}"),
        Answer::Owner { raw, who } => format!("owner \"{raw}\" is {who}"),
        Answer::Account { raw, who } => format!("account \"{raw}\" is {who}"),
        Answer::Stubs(yes) => format!("new accounts {} made", if *yes { "are" } else { "are not" }),
        Answer::Append(yes) => if *yes { "append" } else { "replace" }.into(),
        Answer::Month { month, replace } => {
            format!("{month} {}", if *replace { "is taken" } else { "stays as it is" })
        }
    }
}

/// How far the reading of a file is; followed, until it ends.
fn status(context: &Context, engine: &Engine, review: Id, follow: bool) -> Outcome<()> {
    let open = engine.ask(&ShowReview { review })?.open;
    if open.step == "reading" && follow {
        let told = std::cell::Cell::new(u64::MAX);
        let ended = engine.wait_for(open.job, |p| {
            let percent = (100 * p.done).checked_div(p.total).unwrap_or(0);
            if told.replace(percent) == percent {
                return;
            }
            match context.json {
                true => {
                    output::line(&serde_json::json!({ "step": "reading", "percent": percent }).to_string())
                }
                false => output::note(&format!("read {percent} %")),
            }
        });
        if let Err(failure) = ended {
            output::note(&failure.message);
        }
    }
    let open = engine.ask(&ShowReview { review })?.open;
    if context.json {
        let said = serde_json::json!({ "step": open.step, "file": open.file, "rows": open.rows,
            "to_fix": open.to_fix, "message": open.message, "job": open.job });
        output::line(&said.to_string());
    } else {
        let rows = if open.rows > 0 {
            format!(", {} rows, {} to be fixed", open.rows, open.to_fix)
        } else {
            String::new()
        };
        output::line(&format!("{}: {}{rows} {}", open.file, open.step, open.message));
    }
    Ok(())
}

/// Takes a committed import back, all of it.
fn rollback(context: &Context, engine: &Engine, which: &str) -> Outcome<()> {
    let all = engine.ask(&ListBatches { month: None })?;
    let found: Vec<_> = all.iter().filter(|b| b.id.ends_with(which) || b.id.to_string() == which).collect();
    let batch = match found.as_slice() {
        [one] => *one,
        [] => {
            return Err(Failure::not_found(format!("There is no committed import \"{which}\""))
                .hint("`pams recent` and the Imports pane list them"));
        }
        several => {
            return Err(Failure::invalid(format!("{} imports end with \"{which}\"", several.len()))
                .hint("Give more characters"));
        }
    };
    let txn =
        batch.text("txn").parse().map_err(|_| Failure::conflict("Its change is no longer in the log"))?;
    let done = engine.run(&Undo { txn: Some(txn) })?.reply;
    match context.json {
        true => output::json(&done),
        false => output::line(&format!("taken back: {} ({} records)", batch.text("file"), done.records)),
    }
    Ok(())
}

fn remembered(context: &Context, engine: &Engine) -> Outcome<()> {
    let all = engine.ask(&ListRemembered {})?;
    if context.json {
        output::json(&serde_json::json!({ "items": all }));
    } else if all.is_empty() {
        output::note("Nothing was said yet; an import asks for owners and accounts it does not know");
    } else {
        let who = |who: String| if who.is_empty() { "nobody of us".to_owned() } else { who };
        let row = |r: Remembered| vec![r.id.short(), r.scope, r.text, who(r.who)];
        output::table(
            &["id", "what", "as it is written", "is"],
            &all.into_iter().map(row).collect::<Vec<_>>(),
        );
    }
    Ok(())
}

fn show_review(
    context: &Context,
    engine: &Engine,
    review: Id,
    shown: Shown,
    matches: &ArgMatches,
) -> Outcome<()> {
    let code = matches.try_get_one::<String>("rule").ok().flatten().cloned();
    if let Some(code) = code {
        let code = code.to_uppercase();
        if crate::intake::rules::find(&code).is_none() {
            return Err(Failure::not_found(format!("There is no rule \"{code}\""))
                .hint("`pams import rules` lists them"));
        }
        let lines = engine.ask(&ListLines { review, code, decided: false, from: 0, limit: 500 })?;
        if context.json {
            output::json(&serde_json::json!({ "items": lines }));
            return Ok(());
        }
        let rows: Vec<Vec<String>> = lines
            .into_iter()
            .map(|l| vec![l.place.1.to_string(), l.raw, l.alike.to_string(), l.message])
            .collect();
        output::table(&["row", "text", "alike", "why"], &rows);
        return Ok(());
    }
    if context.json {
        output::json(&shown);
        return Ok(());
    }
    let Some(report) = shown.report else {
        let open = shown.open;
        output::line(&format!("{}: {} {}", open.file, open.step, open.message));
        return Ok(());
    };
    imports::show(context, &report, true);
    let columns: Vec<Vec<String>> = report
        .columns
        .iter()
        .map(|c| vec![c.header.clone(), c.field.clone(), c.told_confidence(), c.samples.join(" | ")])
        .collect();
    output::table(&["column", "is", "sure", "values"], &columns);
    if let Some(refusal) = report.refusal() {
        output::note(&format!("note:  {}", refusal.message));
    }
    let problems: Vec<Vec<String>> = report
        .problems
        .iter()
        .map(|p| vec![p.weight.clone(), p.code.clone(), p.label.clone(), p.rows.to_string()])
        .collect();
    output::table(&["", "rule", "what", "rows"], &problems);
    Ok(())
}

/// What was said on the line about a review.
fn answers(matches: &ArgMatches) -> Outcome<Vec<Answer>> {
    let all = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned();
    let usage = |text: &str, shape: &str| Failure::usage(format!("\"{text}\" is not {shape}"));
    let pair = |text: &str, shape: &str| -> Outcome<(String, String)> {
        let (raw, who) = text.rsplit_once('=').ok_or_else(|| usage(text, shape))?;
        Ok((raw.trim().to_owned(), who.trim().to_owned()))
    };
    let number = |text: &str, shape: &str| text.trim().parse::<usize>().map_err(|_| usage(text, shape));
    let sheet = matches.get_one::<usize>("sheet").copied().unwrap_or(1).max(1) - 1;
    let mut answers = Vec::new();
    if let Some(header) = matches.get_one::<usize>("header") {
        answers.push(Answer::Table { sheet, header: Some(header.max(&1) - 1) });
    }
    for text in all("column") {
        let (field, column) = pair(&text, "FIELD=COLUMN")?;
        let column = match column.as_str() {
            "-" => None,
            name => Some(column_number(name).ok_or_else(|| usage(name, "a column's letters, or -"))?),
        };
        answers.push(Answer::Column { sheet, field: field.replace(' ', "_"), column });
    }
    for text in all("value") {
        let shape = "FIELD:RAW=VALUE";
        let (of, value) = pair(&text, shape)?;
        let (field, raw) = of.split_once(':').ok_or_else(|| usage(&text, shape))?;
        answers.push(Answer::Value { field: field.to_owned(), raw: raw.to_owned(), value });
    }
    for text in all("cell") {
        let shape = "ROW:FIELD=VALUE";
        let (of, value) = pair(&text, shape)?;
        let (row, field) = of.split_once(':').ok_or_else(|| usage(&text, shape))?;
        answers.push(Answer::Cell { place: (sheet, number(row, shape)?), field: field.to_owned(), value });
    }
    for row in all("aside") {
        answers.push(match row.parse() {
            Ok(row) => Answer::Aside(vec![(sheet, row)]),
            Err(_) => Answer::AsideAlike { code: row.to_uppercase(), raw: None },
        });
    }
    for text in all("owner") {
        let (raw, who) = pair(&text, "RAW=WHO")?;
        answers.push(Answer::Owner { raw, who });
    }
    for text in all("account") {
        let (raw, who) = pair(&text, "RAW=NAME")?;
        answers.push(Answer::Account { raw, who });
    }
    answers.extend(all("mend").map(|code| Answer::Mend(code.to_uppercase())));
    if let Some(text) = matches.get_one::<String>("dialect") {
        answers.push(Answer::Dialect(Dialect::parse(text)?));
    }
    if let Some(order) = matches.get_one::<String>("dates") {
        answers.push(Answer::Dates(order.clone()));
    }
    if let Some(name) = matches.get_one::<String>("mapping") {
        answers.push(Answer::Mapping(name.clone()));
    }
    for (flag, answer) in [("stub-accounts", Answer::Stubs(true)), ("append", Answer::Append(true))] {
        if matches.get_flag(flag) {
            answers.push(answer);
        }
    }
    for text in all("leave-month") {
        let month = crate::domain::when::Month::parse(&text).map_err(Failure::usage)?;
        answers.push(Answer::Month { month, replace: false });
    }
    if answers.is_empty() {
        return Err(Failure::usage("Nothing was said").hint("`pams import answer --help` lists what can be"));
    }
    Ok(answers)
}

/// `A` is 0, `AB` is 27, as spreadsheets letter their columns.
fn column_number(letters: &str) -> Option<usize> {
    let mut number = 0usize;
    for letter in letters.bytes() {
        if !letter.is_ascii_alphabetic() || number > 100_000 {
            return None;
        }
        number = number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1;
    }
    number.checked_sub(1)
}
