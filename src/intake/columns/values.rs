//! What the values of a column say of it.

use crate::domain::decimal;
use crate::domain::text::fold;
use crate::intake::bulk::{is_email, is_phone};
use crate::intake::notation::{DateOrder, Misread, month};
use std::collections::HashSet;

/// Shares of the values that look like something, 0 to 1.
#[derive(Debug, Default)]
pub struct Seen {
    count: usize,
    numbers: f64,
    /// Numbers with a part, within 90 and within 180.
    latitudes: f64,
    longitudes: f64,
    dates: f64,
    months: f64,
    emails: f64,
    phones: f64,
    urls: f64,
    points: f64,
    flags: f64,
    letters: f64,
    distinct: f64,
    years: f64,
    digits: f64,
    /// Won, lost.
    decided: f64,
    longest: usize,
    short: f64,
}

impl Seen {
    pub fn of(values: &[&str]) -> Seen {
        let filled: Vec<&str> = values.iter().map(|v| v.trim()).filter(|v| !v.is_empty()).collect();
        let count = filled.len();
        let share =
            |is: &dyn Fn(&str) -> bool| filled.iter().filter(|v| is(v)).count() as f64 / count.max(1) as f64;
        let number =
            |v: &str| decimal::parse(v.trim_end_matches('%'), false).or_else(|| decimal::parse(v, true));
        let degrees = |v: &str, most: i64| {
            v.contains(['.', ','])
                && number(v).is_some_and(|n| n.abs() <= most * decimal::ONE)
                && v.len() >= 4
        };
        let date = |v: &str| !matches!(DateOrder::Unknown.read(v), Err(Misread::No)) || is_stamp(v);
        Seen {
            count,
            numbers: share(&|v| number(v).is_some()),
            latitudes: share(&|v| degrees(v, 90)),
            longitudes: share(&|v| degrees(v, 180)),
            dates: share(&date),
            months: share(&|v| month(v, DateOrder::Unknown).is_some() || v.contains('=')),
            emails: share(&is_email),
            phones: share(&is_number_to_call),
            urls: share(&|v| v.starts_with("http") || v.starts_with("www.") || v.contains(".com")),
            points: share(&|v| is_point(v)),
            flags: share(&|v| {
                matches!(
                    fold(v).as_str(),
                    "yes" | "no" | "true" | "false" | "y" | "n" | "x" | "si" | "sim" | "nao" | "0" | "1"
                )
            }),
            letters: share(&|v| v.chars().any(char::is_alphabetic)),
            distinct: filled.iter().collect::<HashSet<_>>().len() as f64 / count.max(1) as f64,
            years: share(&|v| {
                v.len() == 4
                    && (v.starts_with("19") || v.starts_with("20"))
                    && v.bytes().all(|b| b.is_ascii_digit())
            }),
            decided: share(&|v| matches!(fold(v).as_str(), "won" | "lost" | "closed won" | "closed lost")),
            digits: share(&|v| v.bytes().any(|b| b.is_ascii_digit())),
            longest: filled.iter().map(|v| v.len()).max().unwrap_or(0),
            short: share(&|v| v.len() <= 3),
        }
    }

    /// How much of what a name promises the values leave: 1 all of it.
    pub fn fits(&self, field: &str) -> f64 {
        if self.count == 0 {
            return 1.0;
        }
        let needs = |share: f64| if share >= 0.5 { 1.0 } else { 0.35 };
        match field {
            "latitude" => needs(self.latitudes.max(self.numbers * 0.9)),
            "longitude" => needs(self.longitudes.max(self.numbers * 0.9)),
            "latlon" => needs(self.points),
            "email" => needs(self.emails),
            "close_date"
            | "expected_close_date"
            | "created_at"
            | "created_on"
            | "updated_on"
            | "updated_at"
            | "closed_on"
            | "due_date"
            | "follow_up_date"
            | "last_activity_date" => needs(self.dates.max(self.years * 0.6)),
            "opened_on" => needs(self.dates.max(self.years)),
            "date" | "start_at" | "end_at" => {
                needs(self.dates.max(if self.numbers < 0.5 { 0.5 } else { 0.0 }))
            }
            "amount" | "annual_revenue" | "avg_sales" | "credit_limit" | "balance" | "volume"
            | "capacity" => {
                // One word in the place of a number may be a slip.
                if self.count < 2 || self.numbers >= 0.5 || self.letters < 0.5 || self.has_currency() {
                    1.0
                } else {
                    0.4
                }
            }
            "sales_months" => needs(self.dates.max(self.months)),
            "visit_order" => needs(self.numbers),
            "probability" if self.numbers < 0.5 && self.longest > 12 => 0.5,
            "employees" if self.numbers < 0.5 && self.letters > 0.9 && self.longest > 12 => 0.6,
            "year_founded" => needs(self.years.max(self.numbers)),
            "geofence_m" => needs(self.numbers),
            "phone" | "phone2" | "fax" | "salesperson_phone" => {
                if self.phones >= 0.3 || self.letters < 0.3 {
                    1.0
                } else {
                    0.5
                }
            }
            "website" if self.urls < 0.3 && self.emails < 0.3 && self.letters > 0.9 && self.short > 0.5 => {
                0.4
            }
            // Names have letters, and are no flags.
            "name" | "account_name" | "opp_name" | "owner_name" | "contact_name" | "legal_name"
            | "alt_name" | "distributor_name" | "salesperson_name" | "city" | "chain" | "outlet_name"
                if self.letters < 0.4 || self.flags > 0.9 =>
            {
                0.55
            }
            "address" | "street" if self.letters < 0.3 => 0.5,
            "code" | "opp_id" | "account_id" | "activity_id" if self.dates > 0.9 && self.numbers < 0.1 => 0.6,
            _ => 1.0,
        }
    }

    fn has_currency(&self) -> bool {
        self.letters > 0.5 && self.digits > 0.5 && self.longest <= 20 && self.distinct > 0.3
    }

    /// What the values say by themselves, where the name says little; and whether a word
    /// that stands for a code or a name stands for the other.
    pub fn speak(&self, entity: &str, fields: &mut Vec<(String, f64)>, words: &[String]) {
        let best = fields.iter().map(|(_, s)| *s).fold(0.0, f64::max);
        let mut say = |field: &str, score: f64| fields.push((field.to_owned(), score));
        let places = matches!(entity, "outlet" | "distributor" | "account");
        if best < 0.6 && self.count >= 2 {
            if self.emails > 0.9 && entity != "activity" {
                say("email", 0.88);
            }
            if self.points > 0.9 && entity == "outlet" {
                say("latlon", 0.9);
            }
            if self.urls > 0.9 && places && words.iter().any(|w| w.contains("site") || w.contains("web")) {
                say("website", 0.8);
            }
        }
        let word = |all: &[&str]| words.len() == 1 && all.contains(&words[0].as_str());
        if best < 0.9 && self.count > 0 && entity != "activity" && word(&["location", "place"]) {
            // Somewhere: a town has no digits, an address mostly has.
            say(if self.digits > 0.3 || self.longest > 40 { "address" } else { "city" }, 0.82);
        }
        if places && self.count > 0 && self.phones > 0.9 && fields.iter().any(|(f, _)| f == "contact_name") {
            fields.push(("phone".into(), 0.85));
        }
        if entity == "opportunity" && self.decided > 0.5 {
            // Won and lost are the outcome, whatever the column is called.
            fields.iter_mut().filter(|(f, _)| f == "status" || f == "stage").for_each(|(_, s)| *s *= 0.9);
        }
        // "Distributor" alone: codes have digits and are short, names have spaces.
        if self.count > 0 && self.letters > 0.5 && self.longest > 12 {
            let other = |code: &str| match code {
                "distributor_code" => Some("distributor_name"),
                _ => None,
            };
            let named: Vec<(String, f64)> = fields
                .iter()
                .filter_map(|(f, s)| Some((other(f)?.to_owned(), *s)))
                .filter(|(_, s)| *s < 0.9)
                .collect();
            for (field, score) in named {
                fields.retain(|(f, _)| f != "distributor_code");
                fields.push((field, score));
            }
        }
    }
}

/// A phone number, or several in one cell.
fn is_number_to_call(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    digits >= 7 && (is_phone(text) || digits * 2 >= text.chars().count())
}

/// A day with a time behind it, in one of the spellings of programs.
fn is_stamp(text: &str) -> bool {
    let day = text.get(..10).unwrap_or_default();
    let packed = text.len() == 8
        && (text.starts_with("19") || text.starts_with("20"))
        && text.bytes().all(|b| b.is_ascii_digit());
    packed || text.len() > 10 && !matches!(DateOrder::Unknown.read(day), Err(Misread::No))
}

/// Both coordinates in one cell: `18.5, 73.8`, `POINT (73.8 18.5)`.
fn is_point(text: &str) -> bool {
    let inner = text
        .trim_start_matches(|c: char| c.is_alphabetic() || c == ' ')
        .trim_matches(['(', ')', '[', ']', ' ']);
    let parts: Vec<&str> = inner.split([',', ' ', ';']).filter(|p| !p.is_empty()).collect();
    let degrees =
        |t: &&str| t.contains('.') && decimal::parse(t, false).is_some_and(|n| n.abs() <= 180 * decimal::ONE);
    parts.len() == 2 && parts.iter().all(degrees)
}
