//! Where customers lie: an order that keeps neighbours together, and who is near whom,
//! without ever looking at all pairs.

use super::problem::{Metric, Problem};

/// Bits of a coordinate on the Hilbert curve.
const BITS: u32 = 16;
/// Customers of a grid cell, on average.
const PER_CELL: usize = 4;

/// The place of a cell on the Hilbert curve (Hilbert 1891; the usual bitwise form).
fn hilbert(mut x: u32, mut y: u32) -> u64 {
    let mut place = 0u64;
    let mut side = 1 << (BITS - 1);
    while side > 0 {
        let (right, up) = (u32::from(x & side > 0), u32::from(y & side > 0));
        place += u64::from(side) * u64::from(side) * u64::from((3 * right) ^ up);
        if up == 0 {
            if right == 1 {
                (x, y) = ((1 << BITS) - 1 - x, (1 << BITS) - 1 - y);
            }
            (x, y) = (y, x);
        }
        side >>= 1;
    }
    place
}

/// Customers along a Hilbert curve: who is near in the plane is near in memory.
pub fn along_curve(problem: &Problem, customers: &[u32]) -> Vec<u32> {
    let all = || customers.iter().map(|c| &problem.customers[*c as usize]);
    let low = |of: fn(&(f64, f64)) -> f64| all().map(|c| of(&(c.x, c.y))).fold(f64::INFINITY, f64::min);
    let high = |of: fn(&(f64, f64)) -> f64| all().map(|c| of(&(c.x, c.y))).fold(f64::NEG_INFINITY, f64::max);
    let (x, y) = (low(|p| p.0), low(|p| p.1));
    let side = (high(|p| p.0) - x).max(high(|p| p.1) - y).max(1e-9);
    let cell = |v: f64, from: f64| ((v - from) / side * f64::from((1 << BITS) - 1)) as u32;
    let mut keyed: Vec<(u64, u32)> =
        customers.iter().zip(all()).map(|(n, c)| (hilbert(cell(c.x, x), cell(c.y, y)), *n)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, n)| n).collect()
}

/// The `k` nearest others of each point, nearest first, in rows of `k`; fewer are filled
/// up with `u32::MAX`. A grid is searched ring by ring.
pub fn nearest(points: &[(f64, f64)], k: usize) -> Vec<u32> {
    let n = points.len();
    let mut rows = vec![u32::MAX; n * k];
    if n < 2 || k == 0 {
        return rows;
    }
    let grid = Grid::new(points);
    let mut found: Vec<(f64, u32)> = Vec::new();
    for (place, row) in rows.chunks_exact_mut(k).enumerate() {
        grid.around(points, place, k, &mut found);
        for (slot, (_, other)) in row.iter_mut().zip(&found) {
            *slot = *other;
        }
    }
    rows
}

/// Points by cell, each cell a stretch of `members`.
struct Grid {
    from: (f64, f64),
    cell: f64,
    wide: usize,
    high: usize,
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Grid {
    fn new(points: &[(f64, f64)]) -> Grid {
        let (mut low, mut high) = ((f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY));
        for p in points {
            low = (low.0.min(p.0), low.1.min(p.1));
            high = (high.0.max(p.0), high.1.max(p.1));
        }
        let (w, h) = ((high.0 - low.0).max(1e-9), (high.1 - low.1).max(1e-9));
        let cells = (points.len() / PER_CELL).max(1) as f64;
        // A long thin strip has no more cells than points either.
        let cell = (w * h / cells).sqrt().max(w.max(h) / (points.len() as f64 + 1.0));
        let (wide, high) = ((w / cell) as usize + 1, (h / cell) as usize + 1);
        let mut grid =
            Grid { from: low, cell, wide, high, starts: vec![0; wide * high + 1], members: vec![] };
        let cells: Vec<usize> = points.iter().map(|p| grid.cell_of(*p)).map(|(x, y)| y * wide + x).collect();
        for cell in &cells {
            grid.starts[cell + 1] += 1;
        }
        for cell in 1..grid.starts.len() {
            grid.starts[cell] += grid.starts[cell - 1];
        }
        let mut next = grid.starts.clone();
        grid.members = vec![0; points.len()];
        for (n, cell) in cells.iter().enumerate() {
            grid.members[next[*cell] as usize] = n as u32;
            next[*cell] += 1;
        }
        grid
    }

    fn cell_of(&self, p: (f64, f64)) -> (usize, usize) {
        let x = ((p.0 - self.from.0) / self.cell) as usize;
        let y = ((p.1 - self.from.1) / self.cell) as usize;
        (x.min(self.wide - 1), y.min(self.high - 1))
    }

    fn around(&self, points: &[(f64, f64)], of: usize, k: usize, found: &mut Vec<(f64, u32)>) {
        found.clear();
        let at = points[of];
        let (cx, cy) = self.cell_of(at);
        let mut ring = 0usize;
        loop {
            let (x0, x1) = (cx as isize - ring as isize, cx as isize + ring as isize);
            let (y0, y1) = (cy as isize - ring as isize, cy as isize + ring as isize);
            for y in y0.max(0)..=y1.min(self.high as isize - 1) {
                let edge = y == y0 || y == y1;
                let mut x = x0;
                while x <= x1 {
                    if (0..self.wide as isize).contains(&x) {
                        let cell = y as usize * self.wide + x as usize;
                        for other in &self.members[self.starts[cell] as usize..self.starts[cell + 1] as usize]
                        {
                            if *other as usize != of {
                                let (px, py) = points[*other as usize];
                                let (dx, dy) = (px - at.0, py - at.1);
                                found.push((dx * dx + dy * dy, *other));
                            }
                        }
                    }
                    x += if edge || ring == 0 { 1 } else { (x1 - x0).max(1) };
                }
            }
            // What is not seen yet is at least a ring away.
            let sure = ring as f64 * self.cell;
            let all = x0 <= 0 && y0 <= 0 && x1 + 1 >= self.wide as isize && y1 + 1 >= self.high as isize;
            if found.len() >= k {
                let by = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
                found.select_nth_unstable_by(k - 1, by);
                if all || found[k - 1].0 <= sure * sure {
                    found.truncate(k);
                    found.sort_unstable_by(by);
                    return;
                }
            }
            if all {
                found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                found.truncate(k);
                return;
            }
            ring += 1;
        }
    }
}

/// Who is near whom by cost and, where there are windows, by how well one follows the
/// other (the proximity of Vidal et al., 2013). Rows of `k`, nearest first.
pub fn neighbours(problem: &Problem, order: &[u32], k: usize) -> Vec<u32> {
    let n = order.len();
    // Windows that few customers have say little about who is near.
    let windows = |c: &super::problem::Customer| c.window.1 < super::problem::UNBOUND || c.window.0 > 0;
    let timed = problem.customers.iter().filter(|c| windows(c)).count() * 2 > n;
    if !matches!(problem.metric, Metric::Matrix(_)) && (!timed || n > MOST_PAIRS) {
        return nearest_of_class(problem, order, k);
    }
    let mut rows = vec![u32::MAX; n * k];
    let mut all: Vec<(i64, u32)> = Vec::new();
    for (place, row) in rows.chunks_exact_mut(k.max(1)).enumerate() {
        let of = order[place] as usize;
        all.clear();
        all.extend((0..n).filter(|other| *other != place).map(|other| {
            let to = order[other] as usize;
            let near = follows(problem, of, to).min(follows(problem, to, of));
            (near, other as u32)
        }));
        let kept = k.min(all.len());
        if kept < all.len() {
            all.select_nth_unstable(kept);
            all.truncate(kept);
        }
        all.sort_unstable();
        for (slot, (_, other)) in row.iter_mut().zip(&all) {
            *slot = *other;
        }
    }
    rows
}

/// The nearest of those who could be of the same vehicle.
fn nearest_of_class(problem: &Problem, order: &[u32], k: usize) -> Vec<u32> {
    let at = |place: u32| problem.position(order[place as usize] as usize);
    let class = problem.classes();
    let mut members = vec![vec![]; class.len()];
    for (place, customer) in order.iter().enumerate() {
        members[class[problem.customers[*customer as usize].fleet as usize] as usize].push(place as u32);
    }
    let mut rows = vec![u32::MAX; order.len() * k];
    for members in members.iter().filter(|m| !m.is_empty()) {
        let points: Vec<(f64, f64)> = members.iter().map(|place| at(*place)).collect();
        let found = nearest(&points, k);
        for (member, row) in members.iter().zip(found.chunks_exact(k.max(1))) {
            let own = &mut rows[*member as usize * k..(*member as usize + 1) * k];
            for (slot, other) in own.iter_mut().zip(row.iter().take_while(|o| **o != u32::MAX)) {
                *slot = members[*other as usize];
            }
        }
    }
    rows
}

/// Customers up to which every pair may be looked at.
const MOST_PAIRS: usize = 20_000;

/// Travel, a fifth of the waiting, and all of the lateness of going from one to the other.
fn follows(problem: &Problem, from: usize, to: usize) -> i64 {
    let travel = i64::from(problem.travel(from, to));
    let (a, b) = (&problem.customers[from], &problem.customers[to]);
    let wait = (i64::from(b.window.0) - travel - i64::from(a.service) - i64::from(a.window.1)).max(0);
    let late = (i64::from(a.window.0) + i64::from(a.service) + travel - i64::from(b.window.1)).max(0);
    travel + wait / 5 + late
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The grid finds whom looking at all pairs finds.
        #[test]
        fn the_nearest_are_the_nearest(
            points in prop::collection::vec((0i32..60, 0i32..60), 1..150),
            k in 1usize..20,
        ) {
            let points: Vec<(f64, f64)> = points.iter().map(|(x, y)| (f64::from(*x), f64::from(*y) * 7.0)).collect();
            let rows = nearest(&points, k);
            let far = |a: usize, b: usize| super::super::problem::distance(points[a], points[b]);
            for (place, row) in rows.chunks_exact(k).enumerate() {
                let mut all: Vec<f64> = (0..points.len()).filter(|o| *o != place).map(|o| far(place, o)).collect();
                all.sort_by(f64::total_cmp);
                let found: Vec<f64> =
                    row.iter().filter(|o| **o != u32::MAX).map(|o| far(place, *o as usize)).collect();
                prop_assert_eq!(found.len(), k.min(all.len()));
                prop_assert_eq!(&found[..], &all[..found.len()]);
            }
        }
    }
}
