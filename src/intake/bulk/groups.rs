//! Rows that have something in common, found without sorting all of them.

/// Values by small whole numbers, those of one number beside each other.
pub struct Grouped<T> {
    values: Vec<T>,
    /// Number → where its values begin; one more at the end.
    begins: Vec<u32>,
}

impl<T> Grouped<T> {
    /// One after the other, those of no value too.
    pub fn groups(&self) -> impl Iterator<Item = &[T]> {
        self.begins.windows(2).map(|span| &self.values[span[0] as usize..span[1] as usize])
    }

    pub fn groups_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        let mut rest = self.values.as_mut_slice();
        self.begins.windows(2).map(move |span| {
            let (group, behind) = std::mem::take(&mut rest).split_at_mut((span[1] - span[0]) as usize);
            rest = behind;
            group
        })
    }
}

/// Counting instead of sorting: the numbers are dense. Values of one number stay in order.
pub fn grouped<T: Copy + Default>(all: impl Iterator<Item = (u32, T)> + Clone) -> Grouped<T> {
    let mut begins: Vec<u32> = vec![0];
    for (number, _) in all.clone() {
        let at = number as usize + 1;
        if at >= begins.len() {
            begins.resize(at + 1, 0);
        }
        begins[at] += 1;
    }
    for n in 1..begins.len() {
        begins[n] += begins[n - 1];
    }
    let mut next = begins.clone();
    let mut values = vec![T::default(); *begins.last().unwrap_or(&0) as usize];
    for (number, value) in all {
        let at = &mut next[number as usize];
        values[*at as usize] = value;
        *at += 1;
    }
    Grouped { values, begins }
}

/// Bits of a key's place in the table: most keys have one of their own.
const BITS_A_ROW: usize = 8;

/// Keys that more than one row has, and a few others, with their rows, in order. Most keys
/// stand once, and a table of two bits a place tells: a Bloom filter (Bloom 1970) that counts
/// to two.
pub fn repeating(keys: impl ExactSizeIterator<Item = Option<u64>> + Clone) -> Vec<(u64, u32)> {
    let words = (keys.len() * BITS_A_ROW).next_power_of_two().max(64) / 64;
    let place = |key: u64| {
        let mixed = (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        (mixed as usize / 64 % words, 1u64 << (mixed % 64))
    };
    let mut seen = vec![[0u64; 2]; words];
    for (word, bit) in keys.clone().flatten().map(place) {
        let [once, twice] = &mut seen[word];
        *twice |= *once & bit;
        *once |= bit;
    }
    let again = |key: &u64| {
        let (word, bit) = place(*key);
        seen[word][1] & bit != 0
    };
    let rows = keys.enumerate().filter_map(|(row, key)| Some((key.filter(again)?, row as u32)));
    let mut found: Vec<(u64, u32)> = rows.collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Law: every row of a key that two have is there, in order, and each at most once.
        #[test]
        fn no_row_of_a_repeated_key_is_missed(keys in prop::collection::vec(prop::option::of(0u64..200), 0..150)) {
            let mut rows: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
            for (row, key) in keys.iter().enumerate() {
                key.iter().for_each(|key| rows.entry(*key).or_default().push(row as u32));
            }
            let found = repeating(keys.iter().copied());
            prop_assert!(found.is_sorted());
            for (key, rows) in rows {
                let of: Vec<u32> = found.iter().filter(|f| f.0 == key).map(|f| f.1).collect();
                prop_assert!(of == rows || rows.len() == 1 && of.is_empty(), "{} {:?} {:?}", key, rows, of);
            }
        }

        /// Law: the groups are what each number's values are, in order.
        #[test]
        fn groups_hold_what_was_given(all in prop::collection::vec((0u32..40, any::<u16>()), 0..200)) {
            let found = grouped(all.iter().copied());
            for (number, group) in found.groups().enumerate() {
                let of: Vec<u16> = all.iter().filter(|(n, _)| *n as usize == number).map(|(_, v)| *v).collect();
                prop_assert_eq!(group, of);
            }
            prop_assert_eq!(found.groups().map(<[u16]>::len).sum::<usize>(), all.len());
        }
    }
}
