//! Cuts points into compact parts of equal weight: each cut goes across the axis along which
//! the points spread the most (recursive inertial bisection, Simon, 1991), where the weight
//! on both sides is what the parts there need. The same points give the same parts.

/// Bins of a projection: only the bin with the cut is sorted.
const BINS: usize = 4_096;

/// A point with its weight; those that must stay together are one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Degrees.
    pub lat: f64,
    pub lon: f64,
    pub weight: f64,
}

/// Point → its part, from 0.
pub fn split(points: &[Point], parts: usize) -> Vec<u32> {
    let mut of = vec![0; points.len()];
    let mut members: Vec<u32> = (0..points.len() as u32).collect();
    cut(points, &mut members, 0, parts.max(1).min(points.len().max(1)), &mut of);
    of
}

/// How much heavier the heaviest part is than the mean: 0.05 is five percent.
pub fn imbalance(points: &[Point], of: &[u32], parts: usize) -> f64 {
    let mut weights = vec![0.0; parts];
    points.iter().zip(of).for_each(|(p, part)| weights[*part as usize] += p.weight);
    let mean = weights.iter().sum::<f64>() / parts.max(1) as f64;
    let most = weights.iter().copied().fold(0.0, f64::max);
    if mean > 0.0 { most / mean - 1.0 } else { 0.0 }
}

fn cut(points: &[Point], members: &mut [u32], first: u32, parts: usize, of: &mut [u32]) {
    if parts == 1 {
        return members.iter().for_each(|m| of[*m as usize] = first);
    }
    let left = parts / 2;
    let at = divide(points, members, left as f64 / parts as f64, left, parts - left);
    let (a, b) = members.split_at_mut(at);
    cut(points, a, first, left, of);
    cut(points, b, first + left as u32, parts - left, of);
}

/// Orders the members so that the first ones have that share of the weight; returns how many.
fn divide(points: &[Point], members: &mut [u32], share: f64, least: usize, rest: usize) -> usize {
    let axis = axis(points, members);
    let along = |m: u32| {
        let p = &points[m as usize];
        p.lat * axis.0 + p.lon * axis.1
    };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut total = 0.0;
    for m in members.iter() {
        let t = along(*m);
        (low, high) = (low.min(t), high.max(t));
        total += points[*m as usize].weight;
    }
    let scale = BINS as f64 / (high - low).max(1e-12);
    let bin = |m: u32| (((along(m) - low) * scale) as usize).min(BINS - 1);
    let mut weights = vec![0.0; BINS];
    members.iter().for_each(|m| weights[bin(*m)] += points[*m as usize].weight);
    let wanted = total * share;
    let (mut before, mut edge) = (0.0, BINS - 1);
    for (n, weight) in weights.iter().enumerate() {
        if before + weight >= wanted {
            edge = n;
            break;
        }
        before += weight;
    }
    // Three groups: below the bin with the cut, in it, above it; only the bin is sorted.
    members.sort_unstable_by_key(|m| {
        let n = bin(*m);
        (n.cmp(&edge) as i8, if n == edge { *m } else { 0 })
    });
    let start = members.partition_point(|m| bin(*m) < edge);
    let end = start + members[start..].partition_point(|m| bin(*m) == edge);
    members[start..end].sort_unstable_by(|a, b| along(*a).total_cmp(&along(*b)).then(a.cmp(b)));
    let mut at = start;
    while at < end {
        let weight = points[members[at] as usize].weight;
        // The point that the cut goes through stays on the side that is nearer.
        if before + weight / 2.0 > wanted {
            break;
        }
        before += weight;
        at += 1;
    }
    at.clamp(least.min(members.len()), members.len().saturating_sub(rest).max(least.min(members.len())))
}

/// The direction in which the points spread most, as factors of latitude and longitude; a
/// degree of longitude counts as long as it is there.
fn axis(points: &[Point], members: &[u32]) -> (f64, f64) {
    let (mut y, mut x, mut weight) = (0.0, 0.0, 0.0);
    for m in members {
        let p = &points[*m as usize];
        (y, x, weight) = (y + p.lat * p.weight, x + p.lon * p.weight, weight + p.weight);
    }
    let (y, x) = (y / weight.max(1e-12), x / weight.max(1e-12));
    let shrink = y.to_radians().cos().max(0.01);
    let (mut yy, mut xx, mut xy) = (0.0, 0.0, 0.0);
    for m in members {
        let p = &points[*m as usize];
        let (dy, dx) = (p.lat - y, (p.lon - x) * shrink);
        yy += p.weight * dy * dy;
        xx += p.weight * dx * dx;
        xy += p.weight * dx * dy;
    }
    // The first eigenvector of the two-by-two matrix of moments.
    let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
    (angle.sin(), angle.cos() * shrink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: each point has one part, equal weights are balanced to a point, and the
        /// same points give the same parts.
        #[test]
        fn parts_are_whole_and_equal(
            places in prop::collection::vec((-60.0f64..60.0, -170.0f64..170.0), 1..600),
            parts in 1usize..12,
        ) {
            let points: Vec<Point> = places.iter().map(|(lat, lon)| Point { lat: *lat, lon: *lon, weight: 1.0 }).collect();
            let of = split(&points, parts);
            let parts = parts.min(points.len());
            let mut counts = vec![0usize; parts];
            of.iter().for_each(|p| counts[*p as usize] += 1);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            // Each halving is off by a point at most.
            prop_assert!(most - least <= 3, "{counts:?}");
            prop_assert_eq!(&of, &split(&points, parts));
        }

        /// Law: with weights no part is empty, and no part is above the mean by more than
        /// the heaviest points on its way.
        #[test]
        fn weights_are_balanced_as_far_as_points_allow(
            places in prop::collection::vec((0.0f64..10.0, 0.0f64..10.0, 0.1f64..5.0), 20..400),
            parts in 2usize..8,
        ) {
            let points: Vec<Point> = places.iter().map(|(lat, lon, weight)| Point { lat: *lat, lon: *lon, weight: *weight }).collect();
            let of = split(&points, parts);
            let mut weights = vec![0.0; parts];
            points.iter().zip(&of).for_each(|(p, part)| weights[*part as usize] += p.weight);
            let mean = weights.iter().sum::<f64>() / parts as f64;
            prop_assert!(weights.iter().all(|w| *w > 0.0));
            prop_assert!(weights.iter().all(|w| *w <= mean + 3.0 * 5.0), "{weights:?}");
        }
    }
}
