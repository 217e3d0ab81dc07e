//! Journeys that are made: outlets in settlements, clusters whose best plan is known, and
//! plans in force that have worn.

use super::ground::Plane;
use super::{Channel, DayRoute, Distributor, InForce, Outlet, Rules, Task, Travel, WEEKDAYS, Wishes};
use fastrand::Rng;

/// Kilometres of a degree of latitude.
const DEGREE: f64 = 111.195;
/// Where the made country lies.
const MIDDLE: (f64, f64) = (22.0, 78.0);
const CHAINS: [&str; 4] = ["Fairmart", "Daily", "Corner", "Green Basket"];

/// Degrees from kilometres east and north of the middle.
fn place(x: f64, y: f64) -> (f64, f64) {
    let lat = MIDDLE.0 + y / DEGREE;
    let round = |v: f64| (v * 1e6).round() / 1e6;
    (round(lat), round(MIDDLE.1 + x / (DEGREE * MIDDLE.0.to_radians().cos())))
}

fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (rng.f64() * std::f64::consts::TAU).cos()
}

/// Settlements whose sizes follow Zipf's law, distributors in the largest, outlets around
/// their middles: three visits in four weeks on average.
pub fn towns(outlets: usize, seed: u64) -> Task {
    let mut rng = Rng::with_seed(seed);
    let side = (outlets.max(50) as f64 / 50_000.0).sqrt() * 250.0;
    let count = (outlets / 60).max(3);
    let sizes: Vec<f64> = (1..=count).map(|rank| 1.0 / (rank as f64 + 2.0).powf(0.8)).collect();
    let all: f64 = sizes.iter().sum();
    let middles: Vec<(f64, f64)> =
        (0..count).map(|_| ((rng.f64() - 0.5) * side, (rng.f64() - 0.5) * side)).collect();
    let distributors: Vec<Distributor> = (0..(outlets / 1_800).clamp(1, count))
        .map(|n| {
            let (lat, lon) = place(middles[n].0 + 1.0, middles[n].1 + 0.5);
            Distributor { id: format!("D{:03}", n + 1), lat, lon, ..Distributor::default() }
        })
        .collect();
    let mut sums = Vec::with_capacity(count);
    sizes.iter().fold(0.0, |sum, size| {
        sums.push(sum + size / all);
        sum + size / all
    });
    let mut made = Vec::with_capacity(outlets);
    for n in 0..outlets {
        let dice = rng.f64();
        let town = sums.partition_point(|s| *s < dice).min(count - 1);
        let spread = 0.35 + 4.0 * (sizes[town] / sizes[0]).sqrt();
        let (x, y) = middles[town];
        let (lat, lon) = place(x + normal(&mut rng) * spread, y + normal(&mut rng) * spread);
        made.push(outlet(n, lat, lon, &mut rng));
    }
    Task { name: format!("towns-{outlets}-{seed}"), distributors, outlets: made, ..Task::default() }
}

fn outlet(n: usize, lat: f64, lon: f64, rng: &mut Rng) -> Outlet {
    let modern = rng.f64() < 0.05;
    let visits = match (modern, rng.u32(..100)) {
        (false, 0..8) | (true, 0..30) => 8,
        (false, 8..50) | (true, 30..80) => 4,
        (false, 50..74) | (true, 80..) => 2,
        _ => 1,
    };
    let early = rng.u32(8..14);
    let window = (modern && rng.f64() < 0.4)
        .then(|| (format!("{early:02}:00"), format!("{:02}:30", early + rng.u32(1..4))));
    let prefer = match rng.u32(..20) {
        0 => vec![WEEKDAYS[rng.usize(..6)].to_owned()],
        _ => vec![],
    };
    Outlet {
        id: format!("O{:06}", n + 1),
        lat,
        lon,
        channel: if modern { Channel::Modern } else { Channel::General },
        chain: if modern && rng.bool() { CHAINS[rng.usize(..4)].to_owned() } else { String::new() },
        minutes: if modern { f64::from(rng.u32(20..41)) } else { f64::from(rng.u32(7..15)) },
        visits,
        window,
        prefer,
        ..Outlet::default()
    }
}

/// Rings of outlets far apart from each other around distributors, each a full day's
/// work: the best plan visits a ring a day, once round. Half of the rings are visited every
/// week; the others in pairs, one in odd weeks and one in even ones.
pub fn planted(outlets: usize, seed: u64) -> Task {
    let mut rng = Rng::with_seed(seed);
    let of_ring = 25;
    // A rep's week: three rings of every week, three pairs.
    let rings_of_rep = 9;
    let reps_here = 3;
    let of_distributor = of_ring * rings_of_rep * reps_here;
    let count = (outlets / of_distributor).max(1);
    let pace = 3_600.0 / 30.0;
    let wide = (count as f64).sqrt().ceil() as usize;
    let mut task = Task {
        name: format!("planted-{outlets}-{seed}"),
        travel: Travel { circuity: 1.0, town_km_h: 30.0, road_km_h: 30.0, town_km: 0.0 },
        rules: Rules { max_stops: of_ring as u32 + 2, hours: 10.0, ..Rules::default() },
        wishes: Wishes { compactness: 0.0, day_balance: 0.0, ..Wishes::default() },
        ..Task::default()
    };
    let mut rings = vec![];
    for n in 0..count {
        let (x, y) = ((n % wide) as f64 * 70.0, (n / wide) as f64 * 70.0);
        let (lat, lon) = place(x, y);
        let id = format!("D{:03}", n + 1);
        task.distributors.push(Distributor { id: id.clone(), lat, lon, gt_reps: Some(3), mt_reps: Some(0) });
        for ring in 0..rings_of_rep * reps_here {
            let angle =
                (ring as f64 + rng.f64() * 0.2) / (rings_of_rep * reps_here) as f64 * std::f64::consts::TAU;
            let far = 22.0 + rng.f64() * 6.0;
            let middle = (x + far * angle.cos(), y + far * angle.sin());
            let radius = 0.6 + rng.f64() * 0.4;
            let visits = if ring % rings_of_rep < 3 { 4 } else { 2 };
            let turn = rng.f64();
            let points: Vec<(f64, f64)> = (0..of_ring)
                .map(|p| (p as f64 + turn) / of_ring as f64 * std::f64::consts::TAU)
                .map(|a| (middle.0 + radius * a.cos(), middle.1 + radius * a.sin()))
                .collect();
            rings.push((n, task.outlets.len(), visits));
            for (px, py) in points {
                let (lat, lon) = place(px, py);
                task.outlets.push(Outlet {
                    id: format!("O{:06}", task.outlets.len() + 1),
                    lat,
                    lon,
                    distributor: id.clone(),
                    minutes: 8.0,
                    visits,
                    ..Outlet::default()
                });
            }
        }
    }
    // On the plane that the task is planned on.
    let plane = Plane::of(&task);
    let known: f64 = rings
        .into_iter()
        .map(|(n, first, visits)| {
            let home = &task.distributors[n];
            let ring = &task.outlets[first..first + of_ring];
            let points: Vec<(f64, f64)> = ring.iter().map(|o| plane.place(o.lat, o.lon)).collect();
            f64::from(visits) * round_trip(plane.place(home.lat, home.lon), &points)
        })
        .sum();
    task.known_minutes = Some(known / 1_000.0 * pace / 60.0);
    // Who comes first in the file says nothing.
    rng.shuffle(&mut task.outlets);
    task
}

/// The shortest way from a place round a ring and back: the ring is left open between two
/// neighbours.
fn round_trip(home: (f64, f64), ring: &[(f64, f64)]) -> f64 {
    let far = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
    let next = |n: usize| ring[(n + 1) % ring.len()];
    let round: f64 = (0..ring.len()).map(|n| far(ring[n], next(n))).sum();
    let open = |n: usize| far(home, ring[n]) + far(home, next(n)) - far(ring[n], next(n));
    round + (0..ring.len()).map(open).fold(f64::INFINITY, f64::min)
}

/// Wears a plan as years do: of every hundred outlets four went to a near one's rep and days
/// and stand last there, and in one day of five a stretch is driven the wrong way round.
pub fn worn(task: &Task, routes: &[DayRoute], seed: u64) -> InForce {
    let mut rng = Rng::with_seed(seed);
    let mut routes = routes.to_vec();
    let mut days = std::collections::HashMap::<String, Vec<usize>>::new();
    for (n, route) in routes.iter().enumerate() {
        route.outlets.iter().for_each(|o| days.entry(o.clone()).or_default().push(n));
    }
    for outlet in &task.outlets {
        if rng.f64() >= 0.04 {
            continue;
        }
        // Somebody of the same distributor and number of visits, not too far away.
        let alike = |other: &Outlet| {
            other.visits == outlet.visits
                && other.channel == outlet.channel
                && other.chain == outlet.chain
                && other.distributor == outlet.distributor
                && other.id != outlet.id
                && (other.lat - outlet.lat).hypot(other.lon - outlet.lon) < 0.08
        };
        let mut tried = (0..2_000).map(|_| &task.outlets[rng.usize(..task.outlets.len())]);
        let Some(other) = tried.find(|o| alike(o)) else { continue };
        let (Some(from), Some(to)) = (days.get(&outlet.id).cloned(), days.get(&other.id).cloned()) else {
            continue;
        };
        from.iter().for_each(|n| routes[*n].outlets.retain(|o| *o != outlet.id));
        to.iter().for_each(|n| routes[*n].outlets.push(outlet.id.clone()));
        days.insert(outlet.id.clone(), to);
    }
    for route in &mut routes {
        let n = route.outlets.len();
        if n > 6 && rng.f64() < 0.2 {
            let first = rng.usize(..n - 5);
            let last = (first + 3 + rng.usize(..n / 2)).min(n);
            route.outlets[first..last].reverse();
        }
    }
    InForce { routes, beats: vec![] }
}
