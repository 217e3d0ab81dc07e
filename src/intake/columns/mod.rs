//! Which column of a foreign table is which field.
//!
//! A header is taken apart into words (folded, written out, camel case cut); the lexicon
//! says what tables call each field; words for what a row is ("store", "loja") and for whom
//! a column is about ("distributor", "vendedor") are rules, not lists of all pairs. The
//! values of a column take away what its name promised and give it back where the name says
//! nothing. The best pairs are joined one to one, the surest first.

mod lexicon;
pub mod score;
mod values;

pub use lexicon::ENTITIES;

use crate::domain::schema::Kind;
use crate::domain::text::fold;
use lexicon::{Lexicon, words};
use values::Seen;

/// From here on a guess is taken without asking.
pub const SURE: f64 = 0.9;
/// Below this a column is taken for nothing.
const LEAST: f64 = 0.5;
/// Guesses that are offered.
const OFFERED: usize = 3;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guess {
    /// Empty when it is taken for none.
    pub field: String,
    /// 0 to 1: how often such a guess is right.
    pub confidence: f64,
    /// The best ones, this one first.
    pub others: Vec<(String, f64)>,
}

/// Guesses for the columns of a table of `kind`, in their order; `values` may be empty.
pub fn guess(kind: Kind, titles: &[String], values: &[Vec<&str>]) -> Vec<Guess> {
    let mut guesses = of_entity(entity(kind), titles, values);
    if kind == Kind::Activity {
        return activities(guesses, titles);
    }
    let schema = kind.schema();
    let mut taken: Vec<String> = guesses.iter().map(|g| g.field.clone()).collect();
    for guess in &mut guesses {
        // Our tables have fewer fields than there are names for them.
        let near = match guess.field.as_str() {
            "address1" => "address",
            "country_code" => "country",
            "state_code" => "state",
            other => other,
        };
        if near != guess.field && !taken.iter().any(|t| t == near) {
            taken.push(near.to_owned());
            guess.field = near.to_owned();
        }
        if schema.field_named(&guess.field).is_none() {
            guess.field.clear();
        }
    }
    guesses
}

/// Our fields for those of other systems' activities: what says it best is taken first.
const ACTIVITY: [(&str, &str); 20] = [
    ("activity_type", "type"),
    ("date", "date"),
    ("duration_min", "effort"),
    ("owner_name", "owner"),
    ("account_name", "account"),
    ("project", "project"),
    ("use_case", "use_cases"),
    ("subject", "summary"),
    ("notes", "details"),
    ("attendees", "participants"),
    ("follow_up_date", "next_due"),
    ("next_step", "next_step"),
    ("outcome", "outcome"),
    ("start_at", "date"),
    ("owner_id", "owner"),
    ("account_id", "account"),
    ("outlet_name", "account"),
    ("opp_id", "project"),
    ("purpose", "summary"),
    ("due_date", "next_due"),
];

fn activities(mut guesses: Vec<Guess>, titles: &[String]) -> Vec<Guess> {
    let mut ours: Vec<&str> = vec![""; guesses.len()];
    // Our own names are meant as we mean them: a "Summary" beside "Notes" is none.
    for field in Kind::Activity.schema().fields.iter().filter(|f| !f.system) {
        if let Some(column) = titles.iter().position(|title| fold(title) == field.label()) {
            ours[column] = field.name;
        }
    }
    for (theirs, field) in ACTIVITY {
        let column = guesses.iter().position(|g| g.field == theirs);
        if let Some(column) = column.filter(|c| ours[*c].is_empty() && !ours.contains(&field)) {
            ours[column] = field;
        }
    }
    for (guess, field) in guesses.iter_mut().zip(ours) {
        guess.field = field.to_owned();
    }
    guesses
}

fn entity(kind: Kind) -> &'static str {
    match kind {
        Kind::Outlet => "outlet",
        Kind::Account => "account",
        Kind::Activity => "activity",
        _ => "opportunity",
    }
}

/// The same in the names of the catalogue of fields: `entity` is one of [`ENTITIES`].
pub fn of_entity(entity: &str, titles: &[String], values: &[Vec<&str>]) -> Vec<Guess> {
    let lexicon = Lexicon::shared();
    let none = Vec::new();
    let mut scored: Vec<Scored> = Vec::with_capacity(titles.len());
    for (column, title) in titles.iter().enumerate() {
        let seen = Seen::of(values.get(column).unwrap_or(&none));
        let mut fields = lexicon.named(entity, &words(title));
        for (field, score) in &mut fields {
            *score *= seen.fits(field);
        }
        seen.speak(entity, &mut fields, &words(title));
        fields.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        fields.dedup_by(|b, a| a.0 == b.0);
        scored.push(fields);
    }
    pairs(&mut scored);
    if entity == "outlet" {
        own(&mut scored);
    }
    if PLACES.contains(&entity) {
        twice(&mut scored);
    }
    rows(&mut scored, titles, values);
    assign(titles.len(), &scored)
}

/// Tables of places, which have phones.
const PLACES: [&str; 3] = ["outlet", "distributor", "account"];
/// A field that a name says for sure.
const CLEAR: f64 = 0.85;

/// Fields of a column, each with how well it fits.
type Scored = Vec<(String, f64)>;

/// How well a field is found anywhere.
fn best(scored: &[Scored], field: &str) -> f64 {
    scored.iter().flatten().filter(|(f, _)| f == field).map(|(_, s)| *s).fold(0.0, f64::max)
}

/// A table of dealers that names nobody else is about the dealers.
fn own(scored: &mut [Scored]) {
    if best(scored, "name") < CLEAR
        && best(scored, "code") < CLEAR
        && best(scored, "distributor_name") >= CLEAR
    {
        for (theirs, own) in
            [("distributor_name", "name"), ("distributor_code", "code"), ("distributor_city", "city")]
        {
            scored.iter_mut().flatten().filter(|(f, _)| f == theirs).for_each(|(f, _)| *f = own.into());
        }
    }
}

/// A second column of a phone is the second phone.
fn twice(scored: &mut [Scored]) {
    for fields in scored {
        if let Some((_, phone)) = fields.iter().find(|(f, s)| f == "phone" && *s >= CLEAR) {
            let second = phone * 0.85;
            fields.push(("phone2".into(), second));
        }
    }
}

/// "No" in the first column counts the rows; and "id" beside "store code" is the row's.
fn rows(scored: &mut [Scored], titles: &[String], values: &[Vec<&str>]) {
    let bare = |title: &String| words(title);
    let counts = values.first().and_then(|v| v.first()).is_none_or(|first| matches!(*first, "0" | "1"));
    if counts && titles.first().is_some_and(|title| bare(title) == ["number"]) {
        scored[0].iter_mut().for_each(|(_, s)| *s *= 0.5);
        scored[0].push(("source_row_id".into(), CLEAR));
    }
    for column in 0..titles.len() {
        let code = scored[column].iter().find(|(f, s)| f == "code" && *s >= CLEAR);
        if code.is_none() || bare(&titles[column]) != ["id"] {
            continue;
        }
        let others = (0..titles.len()).filter(|other| *other != column);
        let told = others.flat_map(|other| &scored[other]).any(|(f, s)| f == "code" && *s >= CLEAR);
        if told {
            scored[column].iter_mut().filter(|(f, _)| f == "code").for_each(|(_, s)| *s *= 0.85);
        }
    }
}

/// Names that mean something only beside another: x with y, a second address with a first.
fn pairs(scored: &mut [Scored]) {
    for (one, other) in [("latitude", "longitude"), ("longitude", "latitude")] {
        if best(scored, other) < LEAST {
            scored.iter_mut().flatten().filter(|(f, _)| f == one).for_each(|(_, s)| *s *= 0.5);
        }
    }
}

/// Fields for columns, one to one, the surest pair first.
fn assign(columns: usize, scored: &[Scored]) -> Vec<Guess> {
    let mut all: Vec<(f64, usize, &str)> = Vec::new();
    for (column, fields) in scored.iter().enumerate() {
        all.extend(fields.iter().map(|(field, score)| (*score, column, field.as_str())));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(b.2)));
    let mut found: Vec<Option<(String, f64)>> = vec![None; columns];
    let mut taken: Vec<&str> = Vec::new();
    for (score, column, field) in all {
        if score < LEAST || found[column].is_some() || field != "ignore" && taken.contains(&field) {
            continue;
        }
        taken.push(field);
        // What else it could be nearly as well makes it less sure.
        let rival = scored[column].iter().filter(|(f, _)| f != field).map(|(_, s)| *s).fold(0.0, f64::max);
        let margin = ((score - rival) / 0.1).clamp(0.0, 1.0);
        found[column] = Some((field.to_owned(), score * (0.8 + 0.2 * margin)));
    }
    let guess = |(column, found): (usize, Option<(String, f64)>)| {
        let mut others: Vec<(String, f64)> = Vec::new();
        if let Some((field, sure)) = &found {
            others.push((field.clone(), *sure));
        }
        for (field, score) in &scored[column] {
            if !others.iter().any(|(f, _)| f == field) && others.len() < OFFERED {
                others.push((field.clone(), *score));
            }
        }
        match found {
            Some((field, confidence)) if field != "ignore" => Guess { field, confidence, others },
            Some((_, confidence)) => Guess { field: String::new(), confidence, others },
            None => {
                let best = scored[column].first().map_or(0.0, |(_, s)| *s);
                // Nothing known of it: perhaps a field in words that are not.
                Guess { field: String::new(), confidence: 0.7 - best * 0.5, others }
            }
        }
    };
    found.into_iter().enumerate().map(guess).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(entity: &str, columns: &[(&str, &[&str])]) -> Vec<String> {
        let titles: Vec<String> = columns.iter().map(|(t, _)| (*t).to_owned()).collect();
        let values: Vec<Vec<&str>> = columns.iter().map(|(_, v)| v.to_vec()).collect();
        of_entity(entity, &titles, &values).into_iter().map(|g| g.field).collect()
    }

    #[test]
    fn activities_of_several_languages() {
        let found = |titles: &[&str]| -> String {
            let titles: Vec<String> = titles.iter().map(|t| (*t).to_owned()).collect();
            let guesses = guess(Kind::Activity, &titles, &vec![vec![]; titles.len()]);
            guesses.into_iter().map(|g| g.field).collect::<Vec<_>>().join(" ")
        };
        let all = "date owner account project type effort summary details ";
        for titles in [
            ["Date", "Owner", "Account", "Project", "Type", "Hours", "Summary", "Notes", "Ticket"],
            [
                "Activity Date",
                "Assigned To",
                "Customer",
                "Project Name",
                "Activity Type",
                "Duration",
                "Subject",
                "Comments",
                "Ref",
            ],
            [
                "Datum",
                "Mitarbeiter",
                "Kunde",
                "Projekt",
                "Art",
                "Aufwand (Std)",
                "Betreff",
                "Bemerkung",
                "Vorgang",
            ],
            [
                "Fecha",
                "Responsable",
                "Cliente",
                "Proyecto",
                "Tipo",
                "Horas",
                "Asunto",
                "Observaciones",
                "Folio",
            ],
        ] {
            assert_eq!(found(&titles), all, "{titles:?}");
        }
    }

    #[test]
    fn headers_of_several_languages_and_systems() {
        let found = named(
            "outlet",
            &[
                ("KUNDENNUMMER", &["000123", "000124"]),
                ("Nombre de la tienda", &["La Esquina"]),
                ("Broj", &["7"]),
                ("dist_nm", &["Northern Foods Limited"]),
                ("DistributorCode", &["D-1"]),
                ("vendedor", &["A. Ruiz"]),
                ("GPS_Lat", &["18.5204"]),
                ("GPS_Lng", &["73.8567"]),
                ("codigo postal", &["28001"]),
                ("shopPhoneNo", &["+49 221 123456"]),
                ("freq. visita", &["4"]),
                ("", &[]),
            ],
        );
        let expected = [
            "code",
            "name",
            "",
            "distributor_name",
            "distributor_code",
            "salesperson_name",
            "latitude",
            "longitude",
            "postal_code",
            "phone",
            "visit_frequency",
            "",
        ];
        assert_eq!(found, expected);
        let found = named(
            "opportunity",
            &[
                ("Opportunity Name", &["Rollout"]),
                ("AccountName", &["Halden AG"]),
                ("Close Dt", &["12/02/2026"]),
                ("Deal Value (EUR)", &["84,000"]),
                ("Sales Stage", &["Won"]),
                ("Opp. Owner", &["O. Berg"]),
            ],
        );
        assert_eq!(found, ["opp_name", "account_name", "close_date", "amount", "stage", "owner_name"]);
    }

    #[test]
    fn values_speak_where_names_do_not_and_against_names() {
        // A name that promises what the values are not.
        assert_eq!(named("outlet", &[("latitude", &["yes", "no"]), ("longitude", &["a", "b"])]), ["", ""]);
        assert_eq!(named("account", &[("reach us at", &["a@b.example", "c@d.example"])]), ["email"]);
        assert_eq!(named("outlet", &[("where", &["18.52, 73.85", "19.07, 72.87"])]), ["latlon"]);
        // A table of dealers alone is about them; beside stores it is not.
        let dealers =
            [("Dealer ID", &["DL-01"][..]), ("Dealer Name", &["Halden Motors"]), ("City", &["Ulm"])];
        assert_eq!(named("outlet", &dealers), ["code", "name", "city"]);
        let beside = [dealers[0], dealers[1], ("Store Code", &["S1"]), ("Store", &["Anna's"])];
        assert_eq!(named("outlet", &beside), ["distributor_code", "distributor_name", "code", "name"]);
        // What stands somewhere is a town or an address; amounts are no people.
        assert_eq!(named("outlet", &[("Location", &["Ulm", "Bonn"])]), ["city"]);
        assert_eq!(named("outlet", &[("Location", &["4 Mill Road, Ulm"])]), ["address"]);
        assert_eq!(named("outlet", &[("Sales", &["Anna", "Li"])]), [""]);
        // Rows are counted, and have ids, beside codes of their own.
        let rows = named("outlet", &[("No", &["1", "2"]), ("id", &["77"]), ("Outlet Code", &["A1"])]);
        assert_eq!(rows, ["source_row_id", "", "code"]);
        assert_eq!(
            named("outlet", &[("Phone", &["0221 123456"]), ("WhatsApp", &["0176 123456"])])[1],
            "phone2"
        );
        // Of two columns of one name one is it.
        let found = named("outlet", &[("Name", &["Anna's"]), ("Store Name", &["Anna's Kiosk"])]);
        assert_eq!(found.iter().filter(|f| *f == "name").count(), 1);
        // A cell of megabytes in the header's place is looked at no longer than another.
        assert_eq!(named("outlet", &[(&"x".repeat(4 << 20), &[])]), [""]);
        // A sure guess is as sure as it says.
        let guesses = of_entity("outlet", &["Outlet Code".into(), "Xyzzy".into()], &[]);
        assert!(guesses[0].confidence >= SURE && guesses[1].field.is_empty());
    }
}
