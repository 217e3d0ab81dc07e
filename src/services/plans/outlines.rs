//! Outlines of distributors' areas, from GeoJSON (RFC 7946): polygons that name whose they
//! are. They are drawn on the map; who serves an outlet is what the outlet says.

use super::journeys::{pack, unpack};
use crate::domain::schema::{Distributor, Kind, Record};
use crate::domain::text::fold;
use crate::domain::{Failure, Fields, Id, Outcome};
use crate::frames::Bytes;
use crate::services::{Command, WriteCx, each_live};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Latitudes and longitudes in millionths of a degree; the last is the first.
pub type Ring = Vec<(i32, i32)>;

/// Bytes of a file, unpacked.
const MOST_BYTES: usize = 256 << 20;
/// Points of one distributor's outline: more than a terminal, or a sheet of paper, shows.
const MOST_POINTS: usize = 20_000;
/// Points of it on the map of a terminal.
const MOST_SHOWN: usize = 600;
/// Faults of a file that are told.
const TOLD: usize = 3;
/// Where a feature says whose it is, in the order that they are looked at.
const NAMES: [&str; 6] = ["distributor", "distributor_code", "code", "external_id", "id", "name"];

/// Takes outlines from a file's text.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SetOutlines {
    pub file: Packed,
    pub dry_run: bool,
}

/// A file's text as it goes through a socket: answers and requests are short there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Packed(#[schemars(skip)] Bytes);

impl Packed {
    pub fn of(text: &str) -> Outcome<Packed> {
        if text.len() > MOST_BYTES {
            return Err(Failure::invalid("The file is larger than 256 MB"));
        }
        Ok(Packed(Bytes(pack(&text)?)))
    }

    pub fn text(&self) -> Outcome<String> {
        unpack(&self.0.0)
            .map_err(|failure| Failure::invalid(format!("The file did not come whole: {}", failure.message)))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outlined {
    /// Distributors with an outline from the file, and those that had the same already.
    pub set: usize,
    pub same: usize,
    /// Names that no distributor has.
    pub unknown: Vec<String>,
}

impl Command for SetOutlines {
    const NAME: &'static str = "plans.outline";
    type Reply = Outlined;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Outlined> {
        let given = read(&self.file.text()?)?;
        let mut known: HashMap<String, (Id, Fields)> = HashMap::new();
        each_live(cx.reads(), Kind::Distributor, &mut |id, head| {
            let of = Distributor::from_fields(&head.fields);
            // A code says whose it is before a name does.
            known.insert(fold(&of.external_id), (id, head.fields.clone()));
            known.entry(fold(&of.name)).or_insert((id, head.fields));
            ControlFlow::Continue(())
        })?;
        let mut outlined = Outlined::default();
        for (name, rings) in given {
            let Some((id, fields)) = known.get(&fold(&name)) else {
                outlined.unknown.push(name);
                continue;
            };
            let outline = pack(&rings)?;
            let of = Distributor::from_fields(fields);
            if of.outline == outline {
                outlined.same += 1;
                continue;
            }
            outlined.set += 1;
            if !self.dry_run {
                let fields = Distributor { outline, ..of }.to_fields();
                cx.update(Kind::Distributor, *id, |of| *of = fields.clone())?;
            }
        }
        Ok(outlined)
    }
}

/// The rings of a distributor; none where it has no outline.
pub fn rings(of: &Distributor) -> Vec<Ring> {
    if of.outline.is_empty() { vec![] } else { unpack(&of.outline).unwrap_or_default() }
}

/// As a map shows them: of a long ring every second point or fewer.
pub fn thinned(rings: &[Ring]) -> Vec<Ring> {
    let all: usize = rings.iter().map(Vec::len).sum();
    let step = all.div_ceil(MOST_SHOWN).max(1);
    let thin = |ring: &Ring| ring.iter().step_by(step).chain(ring.last()).copied().collect();
    rings.iter().map(thin).collect()
}

/// Whose outlines a file has: all of it is understood, or nothing is taken.
fn read(text: &str) -> Outcome<Vec<(String, Vec<Ring>)>> {
    let refuse = |what: String| {
        Failure::invalid(what).hint(
            "Nothing was taken. A GeoJSON file of polygons is expected whose features have the \
             distributor's code or name as \"distributor\"",
        )
    };
    let file: Value =
        serde_json::from_str(text).map_err(|e| refuse(format!("The file is no GeoJSON: {e}")))?;
    let features = match (file["type"].as_str(), file["features"].as_array()) {
        (Some("FeatureCollection"), Some(all)) => all.as_slice(),
        (Some("Feature"), _) => std::slice::from_ref(&file),
        (kind, _) => {
            return Err(refuse(format!("The file has no features: it is a {}", kind.unwrap_or("nothing"))));
        }
    };
    let (mut all, mut faults): (Vec<(String, Vec<Ring>)>, Vec<String>) = (vec![], vec![]);
    for (n, feature) in features.iter().enumerate() {
        match one(feature) {
            Ok((name, rings)) => match all.iter_mut().find(|(of, _)| *of == name) {
                Some((_, more)) => more.extend(rings),
                None => all.push((name, rings)),
            },
            Err(what) => faults.push(format!("feature {}: {what}", n + 1)),
        }
    }
    for (name, rings) in &all {
        let points = rings.iter().map(Vec::len).sum::<usize>();
        if points > MOST_POINTS {
            faults.push(format!("{name} has {points} points, at most {MOST_POINTS} are taken"));
        }
    }
    if !faults.is_empty() {
        let more = faults.len().saturating_sub(TOLD);
        faults.truncate(TOLD);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Err(refuse(faults.join("; ") + &more));
    }
    if all.is_empty() {
        return Err(refuse("The file has no polygon".into()));
    }
    Ok(all)
}

fn one(feature: &Value) -> Result<(String, Vec<Ring>), String> {
    let said = NAMES.iter().map(|name| &feature["properties"][name]).chain([&feature["id"]]);
    let mut said = said.filter_map(|value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    let name = said.next().ok_or("it does not say whose it is")?;
    let shape = &feature["geometry"];
    let polygons: Vec<&Value> = match shape["type"].as_str() {
        Some("Polygon") => vec![&shape["coordinates"]],
        Some("MultiPolygon") => shape["coordinates"].as_array().into_iter().flatten().collect(),
        other => return Err(format!("{} is no polygon", other.unwrap_or("nothing"))),
    };
    let mut rings = Vec::new();
    for polygon in polygons {
        for ring in polygon.as_array().ok_or("a polygon without rings")? {
            rings.push(ring_of(ring)?);
        }
    }
    if rings.is_empty() { Err("a polygon without rings".into()) } else { Ok((name, rings)) }
}

/// Four positions or more, the last of them the first (RFC 7946, 3.1.6).
fn ring_of(ring: &Value) -> Result<Ring, String> {
    let position = |position: &Value| {
        let (lon, lat) = (position[0].as_f64()?, position[1].as_f64()?);
        let inside = (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat);
        inside.then(|| (super::micro(lat), super::micro(lon)))
    };
    let mut points = Ring::new();
    for at in ring.as_array().ok_or("a ring without positions")? {
        points.push(position(at).ok_or_else(|| format!("{at} is no longitude and latitude in degrees"))?);
    }
    match (points.len() >= 4, points.first() == points.last()) {
        (true, true) => Ok(points),
        (false, _) => Err(format!("a ring of {} positions: it takes 4", points.len())),
        (_, false) => Err("a ring that is not closed: its last position is not its first".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_are_read_whole_or_refused_with_the_place() {
        let ring = "[[9.6,47.5],[9.7,47.5],[9.7,47.6],[9.6,47.5]]";
        let feature = |name: &str, shape: &str| {
            format!("{{\"type\":\"Feature\",\"properties\":{{{name}}},\"geometry\":{shape}}}")
        };
        let polygon = |ring: &str| format!("{{\"type\":\"Polygon\",\"coordinates\":[{ring}]}}");
        let file =
            |all: &[String]| format!("{{\"type\":\"FeatureCollection\",\"features\":[{}]}}", all.join(","));
        let several = format!("{{\"type\":\"MultiPolygon\",\"coordinates\":[[{ring}],[{ring}]]}}");
        let good = file(&[feature("\"code\":\"D1\"", &polygon(ring)), feature("\"id\":7", &several)]);
        let read_good = read(&good).unwrap();
        assert_eq!(read_good[0].1[0][1], (47_500_000, 9_700_000));
        assert_eq!((read_good[1].0.as_str(), read_good[1].1.len()), ("7", 2));
        assert_eq!(Packed::of(&good).unwrap().text().unwrap(), good);
        let open = "[[9.6,47.5],[9.7,47.5],[9.7,47.6],[9.6,47.6]]";
        let outside = "[[9.6,147.5],[9.7,47.5],[9.7,47.6],[9.6,147.5]]";
        for (wrong, why) in [
            ("", "no GeoJSON"),
            ("[]", "no features"),
            (file(&[]).as_str(), "no polygon"),
            (&file(&[feature("", &polygon(ring))]), "whose it is"),
            (&file(&[feature("\"name\":\"D\"", &polygon(open))]), "not closed"),
            (&file(&[feature("\"name\":\"D\"", &polygon("[[1,2],[1,2]]"))]), "it takes 4"),
            (&file(&[feature("\"name\":\"D\"", &polygon(outside))]), "feature 1: [9.6,147.5]"),
            (
                &file(&[feature("\"name\":\"D\"", "{\"type\":\"Point\",\"coordinates\":[1,2]}")]),
                "Point is no",
            ),
        ] {
            let failure = read(wrong).unwrap_err();
            assert!(failure.message.contains(why), "{wrong}: {}", failure.message);
        }
    }
}
