//! What is wished for: work alike within a group and over a vehicle's days, customers near
//! the middle of their vehicle's, preferred days, few changes of a plan in force. Each is a
//! term that a move of one visit changes in constant time.

use super::problem::{Problem, Route, Soft, distance};

/// What balance and compactness are measured against, taken from a plan: while the engine
/// works they stand still, so that a vehicle's terms depend on nothing but itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aims {
    /// The mean work in a cycle of each vehicle's group, and of a day; 0: none.
    pub work: Vec<i64>,
    pub day: Vec<i64>,
    /// The middle of each vehicle's visits.
    pub middle: Vec<(f64, f64)>,
    /// Cost of a customer whose vehicle or days are changed.
    pub change: i64,
}

impl Aims {
    /// From routes whose stops are customers of the problem.
    pub fn of(problem: &Problem, routes: &[Route]) -> Aims {
        let n = problem.vehicles.len();
        let work = work(problem, routes);
        let groups = problem.vehicles.iter().map(|v| v.group as usize + 1).max().unwrap_or(0);
        let (mut sums, mut counts) = (vec![0i64; groups], vec![0i64; groups]);
        for (vehicle, work) in problem.vehicles.iter().zip(&work) {
            sums[vehicle.group as usize] += work;
            counts[vehicle.group as usize] += 1;
        }
        let mut middle = vec![(0.0, 0.0, 0.0); n];
        for route in routes {
            for stop in &route.stops {
                let (x, y) = problem.position(*stop as usize);
                let m = &mut middle[route.vehicle as usize];
                *m = (m.0 + x, m.1 + y, m.2 + 1.0);
            }
        }
        let home = |v: usize| problem.position(problem.depot_place(problem.vehicles[v].depot));
        let middle = middle.into_iter().enumerate();
        Aims {
            change: i64::from(problem.soft.change),
            day: work.iter().map(|w| w / i64::from(problem.days)).collect(),
            work: problem
                .vehicles
                .iter()
                .map(|v| sums[v.group as usize] / counts[v.group as usize].max(1))
                .collect(),
            middle: middle.map(|(v, (x, y, n))| if n > 0.0 { (x / n, y / n) } else { home(v) }).collect(),
        }
    }
}

/// What a plan costs with its soft terms, computed anew; who is unserved is not counted.
/// Stops are customers of the problem.
pub fn cost(problem: &Problem, aims: &Aims, routes: &[Route]) -> i64 {
    let mut sum = 0;
    let mut given = vec![(0, 0u32); problem.customers.len()];
    let is_soft = !aims.work.is_empty();
    for route in routes {
        let length = length(problem, route);
        let service: i64 =
            route.stops.iter().map(|s| i64::from(problem.customers[*s as usize].service)).sum();
        let vehicle = route.vehicle as usize;
        sum += length - service + i64::from(problem.vehicles[vehicle].fixed_cost);
        if is_soft {
            let (weight, aim) = (problem.soft.day_balance, aims.day[vehicle]);
            sum += balance(weight, length, aim) - balance(weight, 0, aim);
        }
        for stop in &route.stops {
            let (of, days) = &mut given[*stop as usize];
            (*of, *days) = (route.vehicle, *days | 1 << route.day);
            if is_soft {
                sum += remoteness(&problem.soft, problem.position(*stop as usize), aims.middle[vehicle]);
            }
        }
    }
    if is_soft {
        let each = work(problem, routes).into_iter().zip(&aims.work);
        let weight = problem.soft.balance;
        sum += each.map(|(w, aim)| balance(weight, w, *aim) - balance(weight, 0, *aim)).sum::<i64>();
    }
    if problem.days > 1 || problem.consistent {
        let given = given.iter().enumerate().filter(|(_, (_, days))| *days != 0);
        sum += given.map(|(c, (v, days))| assignment(problem, aims.change, c, *v, *days)).sum::<i64>();
    }
    sum
}

/// Travel and service of each vehicle in the cycle.
pub fn work(problem: &Problem, routes: &[Route]) -> Vec<i64> {
    let mut work = vec![0i64; problem.vehicles.len()];
    for route in routes {
        work[route.vehicle as usize] += length(problem, route);
    }
    work
}

/// Travel and service of a route.
pub fn length(problem: &Problem, route: &Route) -> i64 {
    let home = problem.depot_place(problem.vehicles[route.vehicle as usize].depot);
    let mut at = home;
    let mut sum = 0;
    for stop in &route.stops {
        sum += i64::from(problem.travel(at, *stop as usize));
        sum += i64::from(problem.customers[*stop as usize].service);
        at = *stop as usize;
    }
    sum + i64::from(problem.travel(at, home))
}

/// The steepest that balance gets where work is below the aim: driving longer to look busy
/// must never pay.
const STEEPEST: f64 = 0.9;

/// What working `work` costs where `aim` is wished for: the square of what it is off by, and
/// straight on where that would be steeper than [`STEEPEST`].
#[inline]
pub fn balance(weight: f64, work: i64, aim: i64) -> i64 {
    if aim <= 0 || weight <= 0.0 {
        return 0;
    }
    let (off, aim) = ((work - aim) as f64, aim as f64);
    let (far, steepest) = (off.abs(), if off > 0.0 { 4.0 * STEEPEST } else { STEEPEST });
    let bend = aim * steepest / weight;
    let cost = match far <= bend {
        true => weight * far * far / (2.0 * aim),
        false => weight * bend * bend / (2.0 * aim) + steepest * (far - bend),
    };
    cost as i64
}

/// What a visit costs for being away from its vehicle's middle.
#[inline]
pub fn remoteness(soft: &Soft, at: (f64, f64), middle: (f64, f64)) -> i64 {
    (soft.compactness * distance(at, middle)) as i64
}

/// What a customer's vehicle and days cost: days not preferred, uneven spacing, a change of
/// the plan in force.
pub fn assignment(problem: &Problem, change: i64, customer: usize, vehicle: u32, days: u32) -> i64 {
    let soft = &problem.soft;
    let preferred = problem.customers[customer].preferred;
    let mut cost = 0;
    if preferred != 0 {
        cost += i64::from((days & !preferred).count_ones()) * i64::from(soft.preference);
    }
    if soft.spacing > 0 {
        cost += i64::from(problem.unevenness(days)) * i64::from(soft.spacing);
    }
    if is_changed(problem, customer, vehicle, days) {
        cost += change;
    }
    cost
}

/// Whether a customer has other days, or another vehicle, than in the plan in force.
pub fn is_changed(problem: &Problem, customer: usize, vehicle: u32, days: u32) -> bool {
    problem.current.get(customer).is_some_and(|now| now.is_some_and(|now| now != (vehicle, days)))
}
