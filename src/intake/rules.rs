//! The rules of intake as data: what a code means, how grave it is, what mends it.

/// What a rule does to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The whole file is refused.
    Refused,
    /// The row waits until it is mended or set aside.
    Fix,
    /// The row goes in; a person should look.
    Look,
    /// The row is no data of this kind.
    Skipped,
}

#[derive(Debug)]
pub struct Rule {
    pub code: &'static str,
    pub weight: Weight,
    /// A few words, as lists show them.
    pub label: &'static str,
    pub fix: &'static str,
}

const fn rule(code: &'static str, weight: Weight, label: &'static str, fix: &'static str) -> Rule {
    Rule { code, weight, label, fix }
}

use Weight::{Fix, Look, Refused, Skipped};

pub const RULES: &[Rule] = &[
    rule("FIL-01", Refused, "empty file", "Check that the report was exported with its data"),
    rule("FIL-02", Refused, "not a table", "Give a .csv, .xlsx, .xls, .xlsb or .ods file"),
    rule("FIL-03", Refused, "password", "Take the password off and save it again"),
    rule("FIL-04", Refused, "damaged workbook", "Open it in the spreadsheet and save it again"),
    rule("FIL-05", Refused, "broken quotes", "Look for a lone \" in the file"),
    rule("FIL-06", Skipped, "blank row", ""),
    rule("FIL-07", Skipped, "header repeated", ""),
    rule("FIL-08", Refused, "too large", "Split the file by months"),
    rule("FIL-09", Fix, "unread formula", "Open the file in the spreadsheet, save it, and try again"),
    rule("FIL-11", Look, "ragged row", "Look for a delimiter or a quote inside a cell"),
    rule("FIL-12", Refused, "too many columns", "Check the delimiter and the quotes"),
    rule("FIL-13", Skipped, "total row", ""),
    rule("FIL-14", Fix, "row too long", "Look for a quote that is not closed, or leave the long text out"),
    rule("MAP-01", Refused, "column missing", "Say which column it is"),
    rule("MAP-02", Refused, "no header found", "Say which row holds the column names"),
    rule("OPP-01", Fix, "account empty", "Type the account"),
    rule("OPP-02", Fix, "close date empty", "Type the date"),
    rule("OPP-03", Fix, "not a date", "Type the date as 2026-02-12"),
    rule("OPP-04", Fix, "not an amount", "Type the amount, or leave it out"),
    rule("OPP-05", Skipped, "still open", ""),
    rule("OPP-06", Look, "owner unknown", "Say who it is; remembered"),
    rule("OPP-07", Look, "account is new", "Make it, link it, or leave it as it is written"),
    rule("OPP-08", Fix, "stage not mapped", "Say whether it is won, lost or open"),
    rule("OPP-09", Fix, "flag contradicts", "Say which of the two counts"),
    rule("OPP-10", Fix, "id repeated", "Say which row counts"),
    rule("OPP-11", Fix, "date ambiguous", "Say whether day or month comes first"),
    rule("OPP-12", Skipped, "another month", ""),
    rule("OPP-13", Skipped, "totals and notes", ""),
    rule("OPP-14", Look, "would be removed", "Append keeps them"),
    rule("OPP-15", Fix, "not a currency", "Type three letters such as EUR"),
    rule("OPP-16", Look, "closed in future", "Check the date"),
    rule("OPP-17", Skipped, "same row again", ""),
    rule(
        "OPP-18",
        Look,
        "id lost digits",
        "Export the id as text; until then the row is known by its other fields",
    ),
    rule(
        "OPP-19",
        Skipped,
        "taken as open",
        "Say whether the stage is won, lost or open; or list it in the mapping",
    ),
    rule("REC-01", Fix, "field empty", "Type it"),
    rule("REC-02", Fix, "not readable", "Type it as the field wants it"),
    rule("REC-03", Fix, "unknown name", "Type a name that is known, or import it first"),
    rule("REC-04", Fix, "repeated", "Set one aside"),
    rule("REC-05", Fix, "breaks a rule", ""),
    rule("REC-06", Fix, "id lost digits", "Type the id in full, or leave it out"),
    rule("REV-01", Fix, "set aside", "Take the answer back, and the rows are in again"),
    rule("REV-02", Skipped, "merged", "Take the answer back, and the rows are in again"),
    rule("OUT-01", Fix, "code empty", "Type the code: an outlet is known by it"),
    rule("OUT-02", Fix, "code repeated", "Say which row counts, or give the other a code of its own"),
    rule("OUT-03", Fix, "code lost digits", "Export the code as text"),
    rule("OUT-04", Fix, "code too long", "Check the column: codes have at most 120 bytes"),
    rule("OUT-05", Fix, "name empty", "Type the name"),
    rule("OUT-06", Look, "no real name", "Ask what it is called"),
    rule("OUT-07", Look, "near duplicate", "Merge the two, or say that they are two"),
    rule("OUT-08", Look, "edit differs", "The edit made here stays: take it back where the file is right"),
    rule("OUT-09", Fix, "not known here", "Mend the code, or import the outlet with its name first"),
    rule("SAL-01", Fix, "no month", "Type the month as 2026-02, or say whether day or month comes first"),
    rule("SAL-02", Fix, "no amount", "Type the amount"),
    rule("COORD-01", Look, "no coordinates", "Have them taken on the next visit, or geocode the address"),
    rule("COORD-02", Look, "null island", "0, 0 is in the sea: taken as missing"),
    rule("COORD-03", Look, "out of range", "Latitude is -90 to 90, longitude -180 to 180: taken as missing"),
    rule("COORD-04", Look, "swapped", "Swap latitude and longitude"),
    rule("COORD-05", Look, "sign lost", "Put the minus back"),
    rule("COORD-06", Look, "not coordinates", "Type degrees such as 18.5204"),
    rule("COORD-07", Look, "outside country", "Check the country, or take the coordinates again"),
    rule("COORD-08", Look, "far from town", "Check the town, or take the coordinates again"),
    rule("COORD-09", Look, "coarse", "Two decimals are a kilometre: take them again"),
    rule("COORD-10", Look, "shared spot", "Ten outlets or more on one spot: take them again"),
    rule("NUM-01", Look, "not a number", "Type the number; the cell is kept as it stood"),
    rule("NUM-02", Look, "negative", "Check the number"),
    rule("ACT-06", Fix, "no day", "Type the day as 2026-02-12, or set the row aside"),
    rule("ACT-07", Fix, "two days", "Say whether day or month comes first"),
    rule("ACT-08", Look, "effort not read", "Say the effort; the cell is kept as it stood"),
    rule("ACT-09", Look, "said twice", "The first one counts; choose \"new\" where both happened"),
    rule("DAT-01", Look, "not a date", "Type the date; the cell is kept as it stood"),
    rule("DAT-02", Look, "two dates", "Say whether day or month comes first"),
    rule("DAT-03", Look, "in the future", "Check the date"),
    rule("DAT-04", Look, "closed first", "Check both dates"),
    rule(
        "ADR-01",
        Look,
        "no address",
        "Ask for it: without it nobody finds the outlet when its position is wrong",
    ),
    rule("ADR-02", Look, "not a postcode", "Check it: 3 to 10 letters and digits, one digit at least"),
    rule("CON-01", Look, "not an e-mail", "Check the address"),
    rule("CON-02", Look, "not a phone", "Check the number"),
    rule("CON-03", Look, "shared phone", "Ten outlets of a town or more have it: ask for their own"),
    rule("TER-01", Look, "no territory", "Assign it: the nearest are offered"),
    rule(
        "TER-02",
        Look,
        "two parents",
        "Nearly all of its territory is in another region or country: check it",
    ),
    rule(
        "TER-03",
        Look,
        "odd territory",
        "Its town is far from the others of its territory: check the territory",
    ),
    rule("TER-04", Look, "no rep", "Say who visits it"),
    rule("TER-05", Look, "no route", "Assign it: the nearest are offered"),
    rule("REF-01", Look, "no distributor", "Assign it: the nearest are offered"),
    rule(
        "REF-02",
        Look,
        "distr. unknown",
        "No distributor here has that code or name: mend it, or import the distributor",
    ),
    rule(
        "REF-03",
        Look,
        "far from distr.",
        "Its town is far from where its distributor serves: check the distributor",
    ),
    rule("REF-04", Look, "rep unknown", "No rep here has that code or name: mend it, or import the rep"),
    rule("ENU-01", Look, "status unknown", "Say what it stands for: active, inactive, closed, prospect"),
    rule("TXT-01", Look, "garbled letters", "Take the reading that is offered, or leave the text"),
    rule("TXT-02", Look, "HTML entities", "Take the reading that is offered, or leave the text"),
    rule("TXT-03", Look, "control letters", "They were taken out"),
    rule("TXT-04", Look, "formula", "A spreadsheet would run it: exports put a quote in front"),
    rule("TXT-05", Look, "cut text", "More than 32,000 bytes: the rest was cut"),
    rule("TXT-06", Look, "other encoding", "It was read as Windows-1252: check its letters"),
];

/// A rule by its code.
pub fn find(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|r| r.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_in_order_and_say_what_to_do() {
        for pair in RULES.windows(2) {
            assert!(
                pair[0].code < pair[1].code || pair[0].code[..3] != pair[1].code[..3],
                "{}",
                pair[1].code
            );
        }
        for rule in RULES {
            assert!(rule.weight != Weight::Refused || !rule.fix.is_empty(), "{}", rule.code);
            // What lists on a narrow screen show uncut.
            assert!(rule.label.len() <= 16, "{}", rule.label);
        }
    }
}
