//! Wins and losses: what identifies a row between two uploads of a month.

use crate::domain::schema::Win;
use crate::domain::text::fold;

/// The identity of an imported row: its opportunity id; without one, what it says.
/// Salesforce writes an id with 15 characters or, with a checksum, 18: the first 15
/// are the id (case matters there).
pub fn row_key(win: &Win) -> String {
    let id = win.opportunity_id.trim();
    if !id.is_empty() {
        return format!("{}:{}", win.outcome, short_id(id));
    }
    let date = win.date.map(|d| d.to_string()).unwrap_or_default();
    let amount = win.amount.map(|m| m.to_string()).unwrap_or_default();
    format!("{}:{}|{}|{date}|{amount}", win.outcome, fold(&win.account_raw), fold(&win.opportunity))
}

/// The 15 significant characters of a Salesforce id; other ids are kept whole.
pub fn short_id(id: &str) -> &str {
    let salesforce = id.len() == 18 && id.starts_with("006") && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if salesforce { &id[..15] } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_15_and_18_characters_are_one() {
        let win = |id: &str| Win { outcome: "win".into(), opportunity_id: id.into(), ..Win::default() };
        assert_eq!(row_key(&win("006A000000abcDE")), row_key(&win("006A000000abcDEIAQ")));
        assert_ne!(row_key(&win("006A000000abcDE")), row_key(&win("006A000000abcde")));
        assert_ne!(row_key(&win("OPP-000000000000001")), row_key(&win("OPP-000000000000002")));
    }
}
