//! The first plan of a journey: vehicles, days of the week and weeks by cutting customers
//! into compact pieces of equal work, each cut across the longer side of what it cuts
//! (recursive coordinate bisection, Berger and Bokhari, 1987).

use super::problem::{Problem, distance};
use super::state::{Field, NONE};

/// Whose work is about `weight` and where they are.
struct Piece<'a> {
    members: &'a mut [u32],
    count: usize,
}

/// A vehicle and days for each customer of the field; none where it has to be looked for.
pub fn skeleton(problem: &Problem, field: &Field, weight: &[f64]) -> Vec<Option<(u16, u32)>> {
    let at = |c: u32| problem.position(field.ids[c as usize] as usize);
    let mut plan = vec![None; field.ids.len()];
    for (vehicles, mut members) in classes(problem, field) {
        let mut areas = vec![];
        cut(Piece { members: &mut members, count: vehicles.len() }, &at, weight, &mut |p| {
            areas.push(p.to_vec());
        });
        let middles: Vec<(f64, f64)> = areas.iter().map(|members| middle(members, &at)).collect();
        for (members, vehicle) in areas.into_iter().zip(matched(problem, vehicles, &middles)) {
            week(problem, field, vehicle, members, &at, weight, &mut plan);
        }
    }
    plan
}

/// A vehicle for each area, so that none is far from its depot: pairs are swapped while the
/// squares of the distances become less.
fn matched(problem: &Problem, mut vehicles: Vec<u32>, middles: &[(f64, f64)]) -> Vec<u32> {
    let far = |vehicle: u32, area: usize| {
        let home = problem.depot_place(problem.vehicles[vehicle as usize].depot);
        distance(problem.position(home), middles[area]).powi(2)
    };
    loop {
        let mut better = false;
        for a in 0..middles.len() {
            for b in a + 1..middles.len() {
                let (one, other) = (vehicles[a], vehicles[b]);
                if far(other, a) + far(one, b) < far(one, a) + far(other, b) - 1e-6 {
                    vehicles.swap(a, b);
                    better = true;
                }
            }
        }
        if !better {
            return vehicles;
        }
    }
}

/// Gives a vehicle's customers days of the week, and weeks.
fn week(
    problem: &Problem,
    field: &Field,
    vehicle: u32,
    mut area: Vec<u32>,
    at: &dyn Fn(u32) -> (f64, f64),
    weight: &[f64],
    plan: &mut [Option<(u16, u32)>],
) {
    let days = problem.week.clamp(1, problem.days);
    let mut day = 0;
    cut(Piece { members: &mut area, count: days as usize }, at, weight, &mut |members| {
        let mut sets = std::collections::BTreeMap::<u32, Vec<u32>>::new();
        for customer in members.iter() {
            let id = field.ids[*customer as usize] as usize;
            if problem.may_visit(vehicle, id) {
                sets.entry(problem.customers[id].patterns).or_default().push(*customer);
            }
        }
        for (set, mut members) in sets {
            let all = &problem.patterns[set as usize];
            let on_day = |p: &&u32| (0..problem.days).any(|d| **p & 1 << d != 0 && d % days == day);
            let options: Vec<u32> = all.iter().filter(on_day).copied().collect();
            if options.is_empty() {
                continue;
            }
            let mut option = 0;
            cut(Piece { members: &mut members, count: options.len() }, at, weight, &mut |members| {
                members.iter().for_each(|c| plan[*c as usize] = Some((vehicle as u16, options[option])));
                option += 1;
            });
        }
        day += 1;
    });
}

/// Cuts a piece into `count` of equal work.
fn cut(piece: Piece, at: &dyn Fn(u32) -> (f64, f64), weight: &[f64], take: &mut dyn FnMut(&mut [u32])) {
    let Piece { members, count } = piece;
    if count <= 1 {
        return take(members);
    }
    let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
    for member in members.iter() {
        let (x, y) = at(*member);
        low = (low.0.min(x), low.1.min(y));
        high = (high.0.max(x), high.1.max(y));
    }
    let wide = high.0 - low.0 >= high.1 - low.1;
    let along = |c: &u32| if wide { at(*c).0 } else { at(*c).1 };
    members.sort_by(|a, b| along(a).total_cmp(&along(b)).then(a.cmp(b)));
    let all: f64 = members.iter().map(|m| weight[*m as usize]).sum();
    let left = count / 2;
    let wanted = all * left as f64 / count as f64;
    let (mut sum, mut place) = (0.0, 0);
    while place < members.len() && sum + weight[members[place] as usize] / 2.0 < wanted {
        sum += weight[members[place] as usize];
        place += 1;
    }
    let (a, b) = members.split_at_mut(place);
    cut(Piece { members: a, count: left }, at, weight, take);
    cut(Piece { members: b, count: count - left }, at, weight, take);
}

fn middle(members: &[u32], at: &dyn Fn(u32) -> (f64, f64)) -> (f64, f64) {
    let sum = members.iter().map(|m| at(*m)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    let n = members.len().max(1) as f64;
    (sum.0 / n, sum.1 / n)
}

/// How much farther it is from one stop of a day to the next than to the nearest outlets:
/// a day visits not all of them, and a round cannot always go to the nearest.
const DETOUR: f64 = 1.3;

/// Work of a customer in the cycle: so many visits of a vehicle whose day is `longest` and
/// has at most `stops`, the way between near ones, and a share of the way from the depot.
pub fn work(visits: u32, service: f64, hop: f64, home: f64, (longest, stops): (f64, u32)) -> f64 {
    let stop = (service + DETOUR * hop).max(1.0);
    let stops = (longest / stop).clamp(1.0, f64::from(stops.clamp(1, 60)));
    f64::from(visits) * (stop + 2.0 * home / stops)
}

/// The work of each customer of the field.
pub fn weights(problem: &Problem, field: &Field) -> Vec<f64> {
    let one = |place: usize| {
        let id = field.ids[place] as usize;
        let customer = &problem.customers[id];
        let set = &problem.patterns[customer.patterns as usize];
        let visits = set.iter().map(|p| p.count_ones()).min().unwrap_or(1);
        let near = field.near(place as u32).iter().take(2).take_while(|n| **n != NONE);
        let ways: Vec<i32> = near.map(|n| problem.travel(id, field.ids[*n as usize] as usize)).collect();
        let hop = ways.iter().sum::<i32>() as f64 / ways.len().max(1) as f64;
        let Some(vehicle) = problem.fleet(id).next() else { return 0.0 };
        let vehicle = &problem.vehicles[vehicle as usize];
        let home = f64::from(problem.travel(problem.depot_place(vehicle.depot), id));
        let day = (f64::from(vehicle.max_duration), vehicle.max_stops);
        work(visits, f64::from(customer.service), hop, home, day)
    };
    (0..field.ids.len()).map(one).collect()
}

/// Customers that could be of the same vehicles, with these.
fn classes(problem: &Problem, field: &Field) -> Vec<(Vec<u32>, Vec<u32>)> {
    let class = problem.classes();
    let mut members = vec![vec![]; problem.fleets.len()];
    for (place, id) in field.ids.iter().enumerate() {
        members[class[problem.customers[*id as usize].fleet as usize] as usize].push(place as u32);
    }
    let mut vehicles = vec![vec![]; problem.fleets.len()];
    for (fleet, of) in problem.fleets.iter().zip(&class) {
        let all = if fleet.is_empty() { problem.vehicles.len() as u32 } else { 0 };
        vehicles[*of as usize].extend(fleet.iter().copied().chain(0..all));
    }
    let both = vehicles.into_iter().zip(members).filter(|(v, m)| !v.is_empty() && !m.is_empty());
    both.map(|(mut v, m)| {
        v.sort_unstable();
        v.dedup();
        (v, m)
    })
    .collect()
}
