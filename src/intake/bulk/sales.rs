//! Sales by the month: rows of an outlet, a month and an amount, added up to one row an outlet
//! with its months and their mean.

use super::cells;
use super::codes::{Fault, Faults};
use super::layout::Layout;
use super::source::Cells;
use crate::domain::when::Month;
use crate::domain::{decimal, text};
use crate::intake::notation;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Months that are kept of an outlet, the latest ones.
const KEPT: usize = 36;

/// Month → amount in millionths. Written as `2026-01=1250.5 2026-02=990`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Months(pub BTreeMap<Month, i64>);

impl Months {
    /// Reads what [`Months::show`] wrote; what is no month and amount is passed over.
    pub fn parse(text: &str) -> Months {
        let pair = |word: &str| {
            let (month, amount) = word.split_once('=')?;
            Some((Month::parse(month).ok()?, decimal::parse(amount, false)?))
        };
        Months(text.split(' ').filter_map(pair).collect())
    }

    pub fn show(&self) -> String {
        let mut text = String::new();
        for (month, amount) in self.0.iter().skip(self.0.len().saturating_sub(KEPT)) {
            let gap = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{gap}{month}={}", decimal::show(*amount));
        }
        text
    }

    /// The last twelve months as bars, those between without sales too, and what they reach.
    pub fn drawn(&self) -> String {
        let Some(last) = self.0.keys().next_back().copied() else { return String::new() };
        let first = self.0.keys().copied().find(|month| month.plus(12) > last).unwrap_or(last);
        let shown: Vec<i64> = std::iter::successors(Some(first), |month| Some(month.next()))
            .take_while(|month| *month <= last)
            .map(|month| self.0.get(&month).copied().unwrap_or(0))
            .collect();
        let most = shown.iter().copied().max().unwrap_or(0).max(1);
        let bars = text::sparkline(shown.iter().map(|amount| *amount as f64), (0.0, most as f64));
        format!("{bars} {first} to {last}, at most {}", decimal::show(most))
    }

    /// Of the months that have an amount, to the hundredth.
    pub fn mean(&self) -> Option<i64> {
        const HUNDREDTH: i128 = decimal::ONE as i128 / 100;
        let sum: i128 = self.0.values().map(|a| i128::from(*a)).sum();
        let mean = sum.checked_div(self.0.len() as i128)?;
        i64::try_from((mean + HUNDREDTH / 2).div_euclid(HUNDREDTH) * HUNDREDTH).ok()
    }
}

/// The months of two texts; where both have one the later text counts.
pub fn joined(before: &str, after: &str) -> Months {
    let mut months = Months::parse(before);
    months.0.extend(Months::parse(after).0);
    months
}

/// The rows of one outlet so far.
#[derive(Default)]
pub(super) struct Sum {
    pub code: Vec<u8>,
    pub rows: usize,
    amounts: Months,
    volumes: Months,
}

impl Sum {
    pub fn new(code: &[u8]) -> Sum {
        Sum { code: code.to_vec(), ..Sum::default() }
    }

    /// Adds a row; what is wrong with it where it cannot be added.
    pub fn add(&mut self, layout: &Layout, record: &Cells) -> Option<Fault> {
        let cell = |name: &str| layout.column(name).map_or(&[][..], |c| record.get(c).trim_ascii());
        let order = layout.column("sales_months").map(|c| layout.dates[c]);
        let text = std::str::from_utf8(cell("sales_months")).unwrap_or_default();
        let Some(month) = order.and_then(|order| notation::month(text, order)) else {
            return Some(Fault::NoMonth);
        };
        let number = |name: &str| cells::number(cell(name), layout.comma, &mut Faults::default());
        let Some(amount) = number("avg_sales") else { return Some(Fault::NoAmount) };
        let sum = self.amounts.0.entry(month).or_default();
        *sum = sum.saturating_add(amount);
        if let Some(volume) = number("volume") {
            let sum = self.volumes.0.entry(month).or_default();
            *sum = sum.saturating_add(volume);
        }
        self.rows += 1;
        None
    }

    pub fn text(&self) -> String {
        self.amounts.show()
    }

    /// The mean of a field a month.
    pub fn mean(&self, field: &str) -> Option<i64> {
        if field == "volume" { self.volumes.mean() } else { self.amounts.mean() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn months_are_read_as_they_were_written(
            all in proptest::collection::btree_map(190_001i64..219_912, -1_000_000_000i64..1_000_000_000, 0..30)
        ) {
            let month = |(number, amount): (i64, i64)| Some((Month::from_number(number)?, amount));
            let months = Months(all.into_iter().filter_map(month).collect());
            prop_assert_eq!(&Months::parse(&months.show()), &months);
            prop_assert_eq!(&joined(&months.show(), &months.show()), &months);
            prop_assert_eq!(&joined("", &months.show()), &months);
        }
    }

    #[test]
    fn a_later_text_counts_and_the_mean_is_of_its_months() {
        let months = joined("2025-12=100 2026-01=50 what 2026-x=3", "2026-01=70 2026-02=40");
        assert_eq!(months.show(), "2025-12=100 2026-01=70 2026-02=40");
        assert_eq!(months.mean(), Some(70 * decimal::ONE));
        assert_eq!(months.drawn(), "█▆▄ 2025-12 to 2026-02, at most 100");
        assert_eq!(
            Months::parse("2024-01=9 2025-12=100 2026-02=40").drawn(),
            "█▁▄ 2025-12 to 2026-02, at most 100"
        );
        assert_eq!(Months::default().drawn(), "");
        assert_eq!(Months::default().mean(), None);
        assert_eq!(Months::parse("2026-01=1 2026-02=1 2026-03=0").mean(), Some(670_000));
    }
}
