//! Plans for outside: a table, GeoJSON, a page to look at without a network, the plan's
//! own form; and route sheets as text, table, page or calendar.

use super::drive::{Drive, Driven};
use super::journeys;
use super::run::locked;
use super::show::{Sheet, ShowDays};
use super::source::Source;
use super::versions::which;
use crate::domain::text::harmless;
use crate::domain::{Failure, Outcome};
use crate::services::{Query, ReadCx};
use chrono::{Duration, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::Write;

/// A whole plan as a text.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExportPlan {
    pub unit: String,
    pub version: String,
    /// csv, geojson, html, json, or task: what a run gets, as `pams solve journey` reads it
    pub format: String,
    /// Where the part begins that is wanted: what [`Exported::next`] said.
    pub from: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exported {
    /// A part of the text: an answer goes through a socket.
    pub text: String,
    pub next: Option<usize>,
    /// Rows, features or routes of the whole.
    pub count: usize,
}

/// Bytes of a part.
const PART: usize = 700_000;

impl Exported {
    /// The part of a text from a place on.
    fn part(text: &str, from: usize, count: usize) -> Exported {
        let rest = text.get(from..).unwrap_or_default();
        let mut end = rest.len().min(PART);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let next = Some(from + end).filter(|next| *next < text.len());
        Exported { text: rest[..end].to_owned(), next, count }
    }
}

/// The whole text, part by part.
pub fn whole(mut ask: impl FnMut(usize) -> Outcome<Exported>) -> Outcome<Exported> {
    let mut all = ask(0)?;
    while let Some(from) = all.next {
        let part = ask(from)?;
        all.text.push_str(&part.text);
        all.next = part.next;
    }
    Ok(all)
}

fn drives(source: &Source, of: &journeys::Journeys) -> Outcome<Vec<Driven>> {
    let drive = Drive::of(source)?;
    let mut all = Vec::new();
    for (rep, days) in of {
        for (slot, stops) in days.days.iter().filter(|(_, stops)| !stops.is_empty()) {
            if let Some(route) = drive.route(rep, *slot, stops) {
                all.push(drive.driven(&route, &days.pinned));
            }
        }
    }
    Ok(all)
}

impl Query for ExportPlan {
    const NAME: &'static str = "plans.export";
    type Reply = Exported;

    fn run(&self, cx: &ReadCx) -> Outcome<Exported> {
        let source = Source::load(cx.reads, &self.unit)?;
        let (shown, of) = which(cx.reads, &source, &self.version)?;
        if of.is_empty() {
            return Err(Failure::not_found(format!("{} has no plan yet", source.unit.name))
                .hint("`pams plan create` takes today's beats, `pams plan optimise` makes one"));
        }
        let days = drives(&source, &of)?;
        let title = format!("{}, {shown}", source.unit.name);
        let (text, count) = match self.format.as_str() {
            "csv" => (csv(&days)?, days.iter().map(|d| d.stops.len()).sum()),
            "geojson" => geojson(&source, &days)?,
            "html" => (page::plan(&title, &source, &days), days.len()),
            "json" => {
                let plan = journeys::in_force(&of);
                let count = plan.routes.len();
                (serde_json::to_string(&plan).map_err(|e| Failure::internal(e.to_string()))? + "\n", count)
            }
            "task" => {
                let task = locked(source.task.clone(), &source, &of);
                let count = task.outlets.len();
                (serde_json::to_string(&task).map_err(|e| Failure::internal(e.to_string()))? + "\n", count)
            }
            other => {
                return Err(Failure::usage(format!("\"{other}\" is no form of a plan"))
                    .hint("csv, geojson, html, json or task"));
            }
        };
        Ok(Exported::part(&text, self.from, count))
    }
}

fn csv(days: &[Driven]) -> Outcome<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Failure::internal(format!("The table cannot be written: {e}"));
    let header = [
        "rep",
        "rep_name",
        "day",
        "order",
        "outlet",
        "name",
        "tier",
        "arrives",
        "minutes",
        "km",
        "latitude",
        "longitude",
    ];
    out.write_record(header).map_err(failed)?;
    for day in days {
        for (n, stop) in day.stops.iter().enumerate() {
            out.write_record([
                harmless(day.rep.clone()),
                harmless(day.rep_name.clone()),
                day.day.clone(),
                (n + 1).to_string(),
                harmless(stop.code.clone()),
                harmless(stop.name.clone()),
                harmless(stop.tier.clone()),
                stop.arrives.clone(),
                format!("{:.0}", stop.minutes),
                format!("{:.2}", stop.km),
                format!("{:.6}", stop.latitude),
                format!("{:.6}", stop.longitude),
            ])
            .map_err(failed)?;
        }
    }
    let bytes =
        out.into_inner().map_err(|e| Failure::internal(format!("The table cannot be written: {e}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Days as lines, outlets and distributors as points (RFC 7946: longitude first).
fn geojson(source: &Source, days: &[Driven]) -> Outcome<(String, usize)> {
    let mut features = Vec::new();
    for d in &source.task.distributors {
        features.push(json!({
            "type": "Feature",
            "geometry": { "type": "Point", "coordinates": [d.lon, d.lat] },
            "properties": { "distributor": d.id },
        }));
    }
    let mut seen = std::collections::BTreeSet::new();
    for day in days {
        let home = source.task.distributors.iter().find(|d| d.id == source.distributor_of(&day.rep));
        let home = home.map(|d| [d.lon, d.lat]);
        let stops = day.stops.iter().map(|s| [s.longitude, s.latitude]);
        let line: Vec<[f64; 2]> = home.into_iter().chain(stops).chain(home).collect();
        if line.len() > 1 {
            features.push(json!({
                "type": "Feature",
                "geometry": { "type": "LineString", "coordinates": line },
                "properties": { "rep": day.rep, "name": day.rep_name, "day": day.day, "km": day.km,
                                "minutes": day.minutes, "stops": day.stops.len() },
            }));
        }
        for stop in &day.stops {
            if seen.insert(&stop.code) {
                features.push(json!({
                    "type": "Feature",
                    "geometry": { "type": "Point", "coordinates": [stop.longitude, stop.latitude] },
                    "properties": { "outlet": stop.code, "name": stop.name, "tier": stop.tier, "rep": day.rep },
                }));
            }
        }
    }
    let count = features.len();
    let all = json!({ "type": "FeatureCollection", "features": features });
    Ok((serde_json::to_string(&all).map_err(|e| Failure::internal(e.to_string()))? + "\n", count))
}

/// A rep's sheets as a text.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PrintSheet {
    pub of: ShowDays,
    /// text, csv, html or ics
    pub format: String,
    /// The Monday of the cycle's first week; the next one where nothing is said.
    pub monday: String,
    /// Where the part begins that is wanted.
    pub from: usize,
}

impl Query for PrintSheet {
    const NAME: &'static str = "plans.sheet";
    type Reply = Exported;

    fn run(&self, cx: &ReadCx) -> Outcome<Exported> {
        let sheet = self.of.run(cx)?;
        let today = cx.settings()?.today;
        let first = match self.monday.trim() {
            "" => monday_after(today),
            text => text.parse::<NaiveDate>().map_err(|_| {
                Failure::invalid(format!("\"{text}\" is no day: write the Monday of week 1 as 2026-02-16"))
            })?,
        };
        let text = match self.format.as_str() {
            "" | "text" => lines(&sheet, first),
            "csv" => csv(&sheet.days)?,
            "html" => page::sheet(&sheet, first),
            "ics" => calendar(&sheet, first, cx.caller.now_ms),
            other => {
                return Err(Failure::usage(format!("\"{other}\" is no form of a route sheet"))
                    .hint("text, csv, html or ics"));
            }
        };
        Ok(Exported::part(&text, self.from, sheet.days.len()))
    }
}

fn monday_after(today: NaiveDate) -> NaiveDate {
    use chrono::Datelike;
    today + Duration::days(7 - i64::from(today.weekday().num_days_from_monday()))
}

/// The date of a day of the cycle that begins on a Monday.
fn date_of(day: &str, first: NaiveDate) -> NaiveDate {
    let slot = journeys::Slot::parse(day).ok();
    let after = slot.map_or(0, |s| i64::from(s.week - 1) * 7 + i64::from(s.weekday));
    first + Duration::days(after)
}

fn hours(minutes: f64) -> String {
    let whole = minutes.round() as i64;
    format!("{}:{:02}", whole / 60, whole % 60)
}

/// What a line of a sheet says above its stops.
fn heading(day: &Driven, first: NaiveDate) -> String {
    let date = date_of(&day.day, first);
    let broken = if day.broken.is_empty() { String::new() } else { format!(", {}", day.broken) };
    format!(
        "{}, {}: {} stops, {:.1} km, {} h{broken}",
        day.day,
        date.format("%-d %b %Y"),
        day.stops.len(),
        day.km,
        hours(day.minutes)
    )
}

fn lines(sheet: &Sheet, first: NaiveDate) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}  ({}, from {})", sheet.rep_name, sheet.unit, sheet.distributor);
    for day in &sheet.days {
        let _ = writeln!(out, "\n{}", heading(day, first));
        let _ = writeln!(out, "      {}  leave {}", sheet.leaves, sheet.distributor);
        for (n, stop) in day.stops.iter().enumerate() {
            let pin = if stop.pinned { "  pinned" } else { "" };
            let _ = writeln!(
                out,
                "{:>3}.  {}  {:<32} {:<12} {:>3.0} min {:>6.1} km{pin}",
                n + 1,
                stop.arrives,
                clip(&stop.name, 32),
                clip(&stop.code, 12),
                stop.minutes,
                stop.km
            );
        }
        let _ = writeln!(out, "      {}  back", day.back);
    }
    out
}

fn clip(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// Each day as an event (RFC 5545), in local time: a rep's clock is where the rep is.
fn calendar(sheet: &Sheet, first: NaiveDate, now_ms: i64) -> String {
    let stamp = chrono::DateTime::from_timestamp_millis(now_ms).unwrap_or_default().format("%Y%m%dT%H%M%SZ");
    let mut out =
        vec!["BEGIN:VCALENDAR".to_owned(), "VERSION:2.0".into(), "PRODID:-//PAMS//Routes//EN".into()];
    for day in &sheet.days {
        let date = date_of(&day.day, first).format("%Y%m%d");
        let at = |clock: &str| clock.replace(':', "");
        let stops: Vec<String> = day
            .stops
            .iter()
            .enumerate()
            .map(|(n, s)| format!("{}. {} {} ({})", n + 1, s.arrives, s.name, s.code))
            .collect();
        out.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}-{}-{date}@pams", escaped(&sheet.unit), escaped(&sheet.rep)),
            format!("DTSTAMP:{stamp}"),
            format!("DTSTART:{date}T{}00", at(&sheet.leaves)),
            format!("DTEND:{}", ends(date_of(&day.day, first), &sheet.leaves, day.minutes)),
            format!("SUMMARY:{}", escaped(&format!("{} stops, {:.0} km", day.stops.len(), day.km))),
            format!("DESCRIPTION:{}", escaped(&stops.join("\n"))),
            "END:VEVENT".to_owned(),
        ]);
    }
    out.push("END:VCALENDAR".into());
    out.iter().map(|line| folded(line)).collect()
}

/// The local time so many minutes after a clock's, which may be on the next day.
fn ends(date: NaiveDate, leaves: &str, minutes: f64) -> String {
    let from = crate::domain::planning::clock(leaves).unwrap_or(0);
    let at =
        date.and_time(chrono::NaiveTime::MIN) + Duration::minutes(i64::from(from) + minutes.round() as i64);
    at.format("%Y%m%dT%H%M%S").to_string()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

/// A content line in pieces of at most 75 octets (RFC 5545, 3.1).
fn folded(line: &str) -> String {
    let mut out = String::new();
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > 75 {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out + "\r\n"
}

/// Pages that stand alone: no network, no script from elsewhere.
mod page {
    use super::{Driven, NaiveDate, Sheet, Source, heading, hours};
    use std::fmt::Write;

    /// Colours that differ for most eyes (Okabe and Ito, 2008).
    const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5a5a5a"];
    const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;\
        padding:0 1em;color:#1a1a1a;background:#fff}table{border-collapse:collapse;margin:.5em 0 1.5em}\
        td,th{text-align:left;padding:.15em .8em .15em 0;border-bottom:1px solid #ddd}\
        td.n,th.n{text-align:right}svg{width:100%;height:auto;border:1px solid #bbb}\
        details{margin:.4em 0}summary{cursor:pointer}h2 a{font-size:60%;font-weight:normal}\
        polyline{fill:none;stroke-opacity:.55}svg:has(g:target) g:not(:target){opacity:.12}\
        g:target polyline{stroke-width:2.5;stroke-opacity:1}\
        @media print{svg{page-break-after:always}}";
    /// A page may load nothing, from nowhere.
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    }

    fn head(title: &str) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title>\
             <style>{STYLE}</style></head><body>\n<h1>{0}</h1>\n",
            escaped(title)
        )
    }

    fn table(out: &mut String, day: &Driven) {
        out.push_str("<table><tr><th class=n>#</th><th>time</th><th>outlet</th><th>code</th><th class=n>min</th><th class=n>km</th></tr>\n");
        for (n, stop) in day.stops.iter().enumerate() {
            let _ = writeln!(
                out,
                "<tr><td class=n>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=n>{:.0}</td><td class=n>{:.1}</td></tr>",
                n + 1,
                stop.arrives,
                escaped(&stop.name),
                escaped(&stop.code),
                stop.minutes,
                stop.km
            );
        }
        out.push_str("</table>\n");
    }

    /// A plan: a map of all days, and each rep's days below it.
    pub fn plan(title: &str, source: &Source, days: &[Driven]) -> String {
        let mut out = head(title);
        let (km, minutes) = days.iter().fold((0.0, 0.0), |s, d| (s.0 + d.km, s.1 + d.minutes));
        let visits: usize = days.iter().map(|d| d.stops.len()).sum();
        let reps: std::collections::BTreeSet<&str> = days.iter().map(|d| d.rep.as_str()).collect();
        let _ = writeln!(
            out,
            "<p>{} reps, {} days, {visits} visits, {km:.0} km, {} hours in the cycle</p>",
            reps.len(),
            days.len(),
            hours(minutes)
        );
        map(&mut out, source, days);
        let mut rep = "";
        for (n, day) in days.iter().enumerate() {
            if day.rep != rep {
                rep = &day.rep;
                let name = escaped(&day.rep_name);
                let _ = writeln!(out, "<h2>{name} <a href=\"#r{n}\">on the map</a></h2>");
            }
            let _ = write!(
                out,
                "<details><summary>{}: {} stops, {:.1} km, {} h {}</summary>",
                escaped(&day.day),
                day.stops.len(),
                day.km,
                hours(day.minutes),
                escaped(&day.broken)
            );
            table(&mut out, day);
            out.push_str("</details>\n");
        }
        out + "</body></html>\n"
    }

    fn map(out: &mut String, source: &Source, days: &[Driven]) {
        let stops = || days.iter().flat_map(|d| d.stops.iter().map(|s| (s.latitude, s.longitude)));
        let depots = || source.task.distributors.iter().map(|d| (d.lat, d.lon));
        let all: Vec<(f64, f64)> = stops().chain(depots()).collect();
        let Some(first) = all.first() else { return };
        let (mut low, mut high) = (*first, *first);
        for (lat, lon) in &all {
            low = (low.0.min(*lat), low.1.min(*lon));
            high = (high.0.max(*lat), high.1.max(*lon));
        }
        let shrink = ((low.0 + high.0) / 2.0).to_radians().cos().max(0.01);
        let (wide, tall) = (((high.1 - low.1) * shrink).max(1e-6), (high.0 - low.0).max(1e-6));
        let scale = 1_000.0 / wide.max(tall);
        let at =
            |(lat, lon): (f64, f64)| (10.0 + (lon - low.1) * shrink * scale, 10.0 + (high.0 - lat) * scale);
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"Map of the routes\">",
            wide * scale + 20.0,
            tall * scale + 20.0
        );
        let (mut rep, mut colour) = ("", COLOURS.len() - 1);
        for (n, day) in days.iter().enumerate() {
            if day.rep != rep {
                colour = (colour + 1) % COLOURS.len();
                let end = if rep.is_empty() { "" } else { "</g>" };
                let _ = writeln!(out, "{end}<g id=\"r{n}\" stroke=\"{}\">", COLOURS[colour]);
                rep = &day.rep;
            }
            let home = source.task.distributors.iter().find(|d| d.id == source.distributor_of(&day.rep));
            let home = home.map(|d| (d.lat, d.lon));
            let stops = day.stops.iter().map(|s| (s.latitude, s.longitude));
            let line = home.into_iter().chain(stops).chain(home).map(|p| {
                let (x, y) = at(p);
                format!("{x:.1},{y:.1}")
            });
            let _ = writeln!(
                out,
                "<polyline points=\"{}\"><title>{} {}</title></polyline>",
                line.collect::<Vec<_>>().join(" "),
                escaped(&day.rep_name),
                escaped(&day.day)
            );
        }
        if !rep.is_empty() {
            out.push_str("</g>\n");
        }
        let mut seen = std::collections::BTreeSet::new();
        for stop in days.iter().flat_map(|d| &d.stops).filter(|s| seen.insert(s.code.clone())) {
            let (x, y) = at((stop.latitude, stop.longitude));
            let _ = writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"><title>{} ({})</title></circle>",
                escaped(&stop.name),
                escaped(&stop.code)
            );
        }
        for d in &source.task.distributors {
            let (x, y) = at((d.lat, d.lon));
            let _ = writeln!(
                out,
                "<path d=\"M{x:.1} {y:.1}m-7 7l7 -14l7 14z\" fill=\"#1a1a1a\"><title>{}</title></path>",
                escaped(&d.id)
            );
        }
        out.push_str("</svg>\n");
    }

    /// A rep's sheets, a day below the other.
    pub fn sheet(sheet: &Sheet, first: NaiveDate) -> String {
        let mut out = head(&format!("{}, {}", sheet.rep_name, sheet.unit));
        let _ =
            writeln!(out, "<p>From {}, leaving {}</p>", escaped(&sheet.distributor), escaped(&sheet.leaves));
        for day in &sheet.days {
            let _ = writeln!(out, "<h2>{}</h2>", escaped(&heading(day, first)));
            table(&mut out, day);
            let _ = writeln!(out, "<p>back {}</p>", escaped(&day.back));
        }
        out + "</body></html>\n"
    }
}
