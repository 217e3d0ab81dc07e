//! `pams outlets import|list|show|export|quality`, and `pams import map`.

use crate::cli::{Context, confirm, imports, output};
use crate::domain::failure::said;
use crate::domain::schema::Kind;
use crate::domain::{Failure, Outcome, text};
use crate::engine::files;
use crate::intake::bulk::{self, Said};
use crate::intake::columns::score::{Labelled, score};
use crate::intake::dialect::Dialect;
use crate::services::imports::uploads::Source;
use crate::services::imports::{Options, StartReview, Target};
use crate::services::input::Input;
use crate::services::outlets::{
    CountOutlets, EditOutlets, ListOutlets, OutletHistory, OutletsAround, Quality, ShowOutlet, ShownOutlet,
    SuggestOutlets, SumOutlets, WhichOutlets, filter,
};
use clap::ArgMatches;
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Letters of a column's values that fit beside the rest.
const SAMPLE: usize = 34;
/// What a listing shows of an outlet.
const SHOWN: [&str; 5] = ["code", "name", "channel", "city", "territory"];

pub fn run(context: &Context, verb: &str, matches: &ArgMatches) -> Outcome<()> {
    match verb {
        "import" => import(context, matches),
        "list" => list(context, matches),
        "show" => show(context, matches),
        "export" => export(context, matches),
        "edit" => edit(context, matches),
        "sum" => sum(context, matches),
        "near" => near(context, matches),
        "history" => history(context, matches),
        "suggest" => suggest(context, matches),
        _ => quality(context),
    }
}

/// What was said of the columns: FIELD=HEADER, checked against the file itself.
pub(super) fn told(path: &Path, kind: Kind, matches: &ArgMatches) -> Outcome<Said> {
    let dialect = matches.get_one::<String>("dialect").map(|text| Dialect::parse(text)).transpose()?;
    let mut said = Said {
        dialect: dialect.unwrap_or_default(),
        dates: matches.get_one::<String>("dates").cloned().unwrap_or_default(),
        header: matches.get_one::<u64>("header-row").map(|row| row.saturating_sub(1) as usize),
        ..Said::default()
    };
    let mut pairs: Vec<(String, String)> = match matches.get_one::<PathBuf>("mapping") {
        Some(file) => mapping(file)?,
        None => vec![],
    };
    for pair in matches.get_many::<String>("column").into_iter().flatten() {
        let Some((field, header)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("\"{pair}\" is not FIELD=HEADER")));
        };
        pairs.push((field.into(), header.into()));
    }
    if pairs.is_empty() {
        return Ok(said);
    }
    let opened = bulk::open(path, &std::env::temp_dir(), kind, &said)?;
    for (field, header) in &pairs {
        let titles = &opened.layout.titles;
        let column = titles.iter().position(|t| text::fold(t) == text::fold(header)).ok_or_else(|| {
            Failure::not_found(format!("There is no column \"{header}\""))
                .hint(format!("There are {}", titles.join(", ")))
        })?;
        if !field.is_empty() && kind.schema().field_named(field).is_none() {
            let known: Vec<&str> =
                kind.schema().fields.iter().filter(|f| !f.system).map(|f| f.name).collect();
            return Err(Failure::usage(format!("There is no field \"{field}\""))
                .hint(format!("There are {}", known.join(", "))));
        }
        said.columns.insert(column, Some(field.to_owned()).filter(|f| !f.is_empty()));
    }
    Ok(said)
}

/// Field and header of each column of a mapping, as `pams import map` writes one; a column that
/// is no field is kept as it is.
fn mapping(file: &Path) -> Outcome<Vec<(String, String)>> {
    #[derive(Deserialize)]
    struct Mapping {
        columns: Vec<Mapped>,
    }
    #[derive(Deserialize)]
    struct Mapped {
        header: String,
        #[serde(default)]
        field: Option<String>,
    }
    let text = std::fs::read_to_string(file).map_err(bulk::source::unreadable(file))?;
    let mapping: Mapping = serde_json::from_str(&text).map_err(|e| {
        Failure::invalid(format!("{} is no mapping: {e}", file.display()))
            .hint("`pams import map FILE --json` writes one")
    })?;
    let named = mapping.columns.into_iter().filter(|c| !c.header.is_empty());
    Ok(named.map(|c| (c.field.unwrap_or_default(), c.header)).collect())
}

fn import(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    imports::each_file(context, matches, |engine, file| {
        let path = std::fs::canonicalize(file).map_err(bulk::source::unreadable(file))?;
        let said = Box::new(told(&path, Kind::Outlet, matches)?);
        let source = Source::Path { path, said };
        let options = Options { append: matches.get_flag("append"), ..Options::default() };
        Ok(engine.run(&StartReview { target: Target::Outlets, source, options })?.reply)
    })
}

fn list(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    let mut shown = Vec::new();
    let limit = matches.get_one::<u64>("limit").copied().unwrap_or(50) as usize;
    let mut ask = ListOutlets {
        cursor: matches.get_one::<String>("from").cloned(),
        limit,
        filter: one(matches, "filter"),
        rule: one(matches, "rule"),
        order: one(matches, "sort"),
        descending: matches.get_flag("descending"),
        ..ListOutlets::default()
    };
    let (mut items, total, next) = loop {
        let page = engine.ask(&ask)?;
        ask.limit -= page.items.len().min(ask.limit);
        ask.cursor = page.next.clone();
        shown.extend(page.items);
        if page.next.is_none() || ask.limit == 0 {
            break (shown, page.total, page.next);
        }
    };
    items.truncate(limit);
    if context.json {
        output::json(&serde_json::json!({ "items": items, "total": total, "next": next }));
        return Ok(());
    }
    if total == 0 {
        output::note("no outlets yet: `pams outlets import FILE` takes them in");
        return Ok(());
    }
    let rows: Vec<Vec<String>> =
        items.iter().map(|i| SHOWN.iter().map(|name| i.text(name)).collect()).collect();
    output::table(&SHOWN, &rows);
    if let Some(next) = next {
        output::note(&format!(
            "more: --from {next} goes on; {} in all",
            text::count(total as usize, "outlet")
        ));
    }
    Ok(())
}

fn show(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let code = matches.get_one::<String>("code").cloned().unwrap_or_default();
    let shown = context.cli()?.ask(&ShowOutlet { code })?;
    let shown = ShownOutlet { around: vec![], ..shown };
    if context.json {
        output::json(&shown);
        return Ok(());
    }
    let item = &shown.item;
    let text = |name: &str| match name {
        "sales_months" => bulk::Months::parse(&item.text(name)).drawn(),
        name => item.text(name),
    };
    let rows: Vec<Vec<String>> =
        item.values.keys().map(|name| vec![name.replace('_', " "), text(name)]).collect();
    output::table(&["field", "value"], &rows);
    for (field, was) in &shown.edits {
        output::note(&format!("{} was \"{was}\" in the file", field.replace('_', " ")));
    }
    for (code, label) in &shown.rules {
        output::note(&format!("{code}: {label}"));
    }
    for twin in &shown.twins {
        output::note(&format!("looks like {twin}"));
    }
    Ok(())
}

/// The imports and edits that changed one.
fn history(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let limit = matches.get_one::<u64>("limit").copied().unwrap_or(50) as usize;
    let items = context.cli()?.ask(&OutletHistory { code: one(matches, "code"), limit })?;
    if context.json {
        output::json(&serde_json::json!({ "items": items }));
        return Ok(());
    }
    if items.is_empty() {
        output::note("nothing changed it among what is kept here");
    }
    for step in items {
        output::line(&format!("{}  {}  {}", step.at, step.by, output::plain(&step.what)));
        for line in step.lines() {
            output::line(&format!("    {}", output::plain(&line)));
        }
    }
    Ok(())
}

/// The outlets nearest to one.
fn near(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let limit = matches.get_one::<u64>("limit").copied().unwrap_or(10) as usize;
    let items = context.cli()?.ask(&OutletsAround { code: one(matches, "code"), limit })?;
    if context.json {
        output::json(&serde_json::json!({ "items": items }));
        return Ok(());
    }
    if items.is_empty() {
        output::note("nothing is near it: it has no position, or no other outlet has one");
        return Ok(());
    }
    let rows: Vec<Vec<String>> =
        items.into_iter().map(|n| vec![n.code, n.name, format!("{:.2}", n.km)]).collect();
    output::table(&["code", "name", "km"], &rows);
    Ok(())
}

fn one(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

/// Sets fields of the outlets named or matching, or mends what a rule points at.
fn edit(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let named: Vec<String> = matches.get_many::<String>("code").into_iter().flatten().cloned().collect();
    let mut input = Input::new();
    for pair in matches.get_many::<String>("set").into_iter().flatten() {
        let (field, value) =
            pair.split_once('=').ok_or_else(|| Failure::usage(format!("\"{pair}\" is not FIELD=VALUE")))?;
        input.insert(filter::field(Kind::Outlet, field)?.name.to_owned(), value.to_owned());
    }
    let mend = one(matches, "mend").to_uppercase();
    let (filter, mut rule) = (one(matches, "filter"), one(matches, "rule"));
    if input.is_empty() == mend.is_empty() {
        return Err(Failure::usage("Say what to change: --set FIELD=VALUE, or --mend CODE"));
    }
    if rule.is_empty() {
        rule.clone_from(&mend);
    }
    if named.is_empty() && filter.is_empty() && rule.is_empty() {
        return Err(Failure::usage("Say which outlets: codes, --filter or --rule"));
    }
    let engine = context.cli()?;
    let which = match named.is_empty() {
        true => {
            WhichOutlets::Matching { filter: filter.clone(), rule: rule.clone(), except: Default::default() }
        }
        false => WhichOutlets::Named(named.clone()),
    };
    if named.is_empty() {
        let mut count = CountOutlets { filter, rule, from: 0 };
        let mut rows = 0;
        loop {
            let counted = engine.ask(&count)?;
            rows += counted.rows;
            match counted.next {
                Some(from) => count.from = from,
                None => break,
            }
        }
        if rows > 1 {
            confirm(context, &format!("Change {}?", text::count(rows as usize, "outlet")))?;
        }
    }
    let done = engine.run(&EditOutlets { which, input, mend })?;
    if context.json {
        output::json(&done.reply);
        return Ok(());
    }
    output::line(&format!(
        "{} changed, {} already so",
        text::count(done.reply.changed, "outlet"),
        done.reply.same
    ));
    Ok(())
}

/// What outlets without a territory or distributor could be given, and why.
fn suggest(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let limit = matches.get_one::<u64>("limit").copied().unwrap_or(50) as usize;
    let rule = match one(matches, "rule") {
        rule if rule.is_empty() => "TER-01".to_owned(),
        rule => rule,
    };
    let found =
        context.cli()?.ask(&SuggestOutlets { rule: rule.clone(), filter: one(matches, "filter"), limit })?;
    if context.json {
        output::json(&found);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found
        .items
        .into_iter()
        .map(|s| vec![s.code, s.name, s.field.replace('_', " "), s.now, s.value, s.reason])
        .collect();
    output::table(&["code", "name", "field", "now", "would be", "why"], &rows);
    output::note(&format!(
        "{} of {} can be told; `pams outlets edit --mend {rule}` takes them all, `outlets edit CODE --set` one",
        found.found,
        text::count(found.total, "outlet")
    ));
    Ok(())
}

/// The values of a field and how many outlets have each.
fn sum(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let (field, filter, rule) = (one(matches, "field"), one(matches, "filter"), one(matches, "rule"));
    let sums = context.cli()?.ask(&SumOutlets { field: field.clone(), filter, rule })?;
    if context.json {
        output::json(&sums);
        return Ok(());
    }
    let share = |rows: u64| format!("{:.2} %", 100.0 * rows as f64 / sums.rows.max(1) as f64);
    let limit = matches.get_one::<u64>("limit").copied().unwrap_or(50) as usize;
    let rows: Vec<Vec<String>> = sums
        .values
        .iter()
        .take(limit)
        .map(|(value, rows)| {
            let value = if value.is_empty() { "(none)" } else { value };
            vec![value.to_owned(), rows.to_string(), share(*rows)]
        })
        .collect();
    output::table(&[&field, "outlets", "share"], &rows);
    output::note(&format!(
        "{} different in {}, {} without",
        sums.different,
        text::count(sums.rows as usize, "outlet"),
        sums.rows - sums.filled
    ));
    Ok(())
}

fn export(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let engine = context.cli()?;
    let path = matches.get_one::<PathBuf>("output");
    let mut to: Box<dyn Write> = match path {
        None => Box::new(std::io::stdout().lock()),
        Some(path) => {
            if path.exists() {
                confirm(context, &format!("There is a file {} already. Write over it?", path.display()))?;
            }
            let shown = path.display().to_string();
            Box::new(
                std::fs::File::create(path)
                    .map_err(|e| Failure::invalid(format!("{shown} cannot be written: {}", said(&e))))?,
            )
        }
    };
    let rows = files::write_outlets(&engine, &mut *to, &one(matches, "filter"), &one(matches, "rule"))?;
    to.flush().map_err(|e| Failure::invalid(format!("The file cannot be written: {}", said(&e))))?;
    output::note(&format!("{} written", text::count(rows, "outlet")));
    Ok(())
}

fn quality(context: &Context) -> Outcome<()> {
    let report = context.cli()?.ask(&Quality {})?;
    if context.json {
        output::json(&report);
        return Ok(());
    }
    output::line(&format!("{}, {} held back", text::count(report.outlets as usize, "outlet"), report.held));
    let rows: Vec<Vec<String>> = report
        .rules
        .iter()
        .map(|r| {
            let share = format!("{:.2} %", 100.0 * r.share);
            let most = r.trend.iter().copied().max().unwrap_or(0).max(1);
            let trend = text::sparkline(r.trend.iter().map(|rows| *rows as f64), (0.0, most as f64));
            vec![r.code.clone(), r.label.clone(), r.rows.to_string(), share, trend]
        })
        .collect();
    output::table(&["rule", "what", "outlets", "share", "imports"], &rows);
    if !rows.is_empty() {
        output::note("`pams outlets list --rule CODE` lists them; `pams import rules` says what to do");
    }
    Ok(())
}

/// What each column of a file is taken for; needs no store.
pub fn map(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let path = matches.get_one::<PathBuf>("file").ok_or_else(|| Failure::usage("Which file?"))?;
    let entity = matches.get_one::<String>("entity").map_or("outlet", String::as_str);
    let kind =
        Kind::parse(entity).ok_or_else(|| Failure::usage(format!("There is no entity \"{entity}\"")))?;
    let opened = bulk::open(path, &std::env::temp_dir(), kind, &told(path, kind, matches)?)?;
    let layout = &opened.layout;
    let sample = |column: usize| -> Vec<String> {
        let below = opened.source.head.iter().skip(layout.header + 1).filter_map(|r| r.get(column));
        below.map(|t| text::clean(t)).filter(|t| !t.is_empty()).take(3).collect()
    };
    let columns: Vec<serde_json::Value> = (0..layout.titles.len())
        .map(|c| {
            let guess = &layout.guesses[c];
            serde_json::json!({
                "column": c, "header": layout.titles[c],
                "field": layout.fields[c].map_or("", |f| f.name),
                "confidence": (guess.confidence * 1000.0).round() / 1000.0,
                "others": guess.others, "samples": sample(c),
            })
        })
        .collect();
    if context.json {
        output::json(&serde_json::json!({
            "file": opened.source.name, "dialect": opened.source.dialect, "header_row": layout.header + 1,
            "columns": columns, "missing": layout.missing(),
        }));
        return Ok(());
    }
    output::line(&format!(
        "{}: {}, header in row {}",
        opened.source.name,
        opened.source.dialect,
        layout.header + 1
    ));
    let rows: Vec<Vec<String>> = (0..layout.titles.len())
        .map(|c| {
            let guess = &layout.guesses[c];
            let field = layout.fields[c].map_or("-".to_owned(), |f| f.label());
            let sure = if guess.field.is_empty() {
                String::new()
            } else {
                format!("{:.0} %", guess.confidence * 100.0)
            };
            vec![layout.titles[c].clone(), field, sure, sample(c).join(" | ").chars().take(SAMPLE).collect()]
        })
        .collect();
    output::table(&["header", "taken for", "sure", "values"], &rows);
    let missing = layout.missing();
    if !missing.is_empty() {
        output::note(&format!("missing: {}; say which with --column FIELD=HEADER", missing.join(", ")));
    }
    Ok(())
}

/// `pams dev score-mapping`: headers whose fields are known.
pub fn score_mapping(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let path = matches.get_one::<PathBuf>("file").ok_or_else(|| Failure::usage("Which file?"))?;
    let wrong = |e: csv::Error| Failure::invalid(format!("{}: {e}", path.display()));
    let mut reader = csv::Reader::from_path(path).map_err(wrong)?;
    let rows: Vec<Labelled> = reader.deserialize().collect::<Result<_, _>>().map_err(wrong)?;
    let score = score(&rows);
    if context.json {
        output::json(&score);
        return Ok(());
    }
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let missed = score.missed.iter().map(|m| {
        let sure = format!("{:.2}", m.confidence);
        vec![
            m.source.clone(),
            m.entity.clone(),
            m.header.clone(),
            m.expected.clone(),
            m.guessed.clone(),
            sure,
        ]
    });
    output::table(&["source", "entity", "header", "is", "taken for", "sure"], &missed.collect::<Vec<_>>());
    output::line(&format!(
        "{} headers: right {}, among the first three {}; taken without asking {}, of those right {}; critical wrong {}",
        score.headers,
        percent(score.top1),
        percent(score.top3),
        percent(score.auto_coverage),
        percent(score.auto_precision),
        percent(score.critical_wrong)
    ));
    Ok(())
}
