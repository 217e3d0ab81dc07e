//! Which column of a foreign table is which field.

use crate::domain::schema::Kind;
use crate::domain::text::fold;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guess {
    /// Empty when it is taken for none.
    pub field: String,
    /// 0 to 1
    pub confidence: f64,
    /// The next best.
    pub others: Vec<(String, f64)>,
}

const SYN: &[(&str, &[&str])] = &[
    ("code", &["outlet code"]),
    ("name", &["outlet name"]),
    ("owner_name", &["owner"]),
    ("city", &["town"]),
    ("postal_code", &["pin"]),
    ("latitude", &["lat dd"]),
    ("longitude", &["long dd"]),
    ("distributor_code", &["distributorcode"]),
    ("avg_sales", &["avg monthly sales"]),
    ("created_on", &["created on"]),
];

pub fn guess(kind: Kind, titles: &[String], _values: &[Vec<&str>]) -> Vec<Guess> {
    titles
        .iter()
        .map(|t| {
            let f = fold(t);
            let field = kind.schema().fields.iter().find(|x| {
                fold(x.name) == f || SYN.iter().any(|(n, s)| *n == x.name && s.contains(&f.as_str()))
            });
            Guess {
                field: field.map(|f| f.name.to_owned()).unwrap_or_default(),
                confidence: 1.0,
                others: vec![],
            }
        })
        .collect()
}
