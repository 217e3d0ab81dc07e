//! What is wished for: work alike within a group and over a vehicle's days, customers near
//! the middle of their vehicle's, preferred days, few changes of a plan in force. Each is a
//! term that a move of one visit changes in constant time.

use super::problem::{Problem, Route, Soft, Vehicle, distance};

/// What balance and compactness are measured against, taken from a plan: while the engine
/// works they stand still, so that a vehicle's terms depend on nothing but itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aims {
    /// The mean work in a cycle of each vehicle's group, and of a day; 0: none.
    pub work: Vec<Spring>,
    pub day: Vec<Spring>,
    /// The middle of each vehicle's visits.
    pub middle: Vec<(f64, f64)>,
    /// Cost of a customer whose vehicle or days are changed.
    pub change: i64,
}

impl Aims {
    /// From routes whose stops are customers of the problem.
    pub fn of(problem: &Problem, routes: &[Route]) -> Aims {
        let (work, day) = Aims::springs(problem, &work(problem, routes));
        let mut middle = vec![(0.0, 0.0, 0.0); problem.vehicles.len()];
        for route in routes {
            for stop in &route.stops {
                let (x, y) = problem.position(*stop as usize);
                let m = &mut middle[route.vehicle as usize];
                *m = (m.0 + x, m.1 + y, m.2 + 1.0);
            }
        }
        let home = |v: usize| problem.position(problem.depot_place(problem.vehicles[v].depot));
        let middle = middle.into_iter().enumerate();
        let middle = middle.map(|(v, (x, y, n))| if n > 0.0 { (x / n, y / n) } else { home(v) }).collect();
        Aims { change: i64::from(problem.soft.change), day, work, middle }
    }

    /// What pulls each vehicle's cycle, and its days, from the work that they have.
    pub fn springs(problem: &Problem, work: &[i64]) -> (Vec<Spring>, Vec<Spring>) {
        let groups = problem.vehicles.iter().map(|v| v.group as usize + 1).max().unwrap_or(0);
        let (mut sums, mut times) = (vec![0i64; groups], vec![0i64; groups]);
        for (vehicle, work) in problem.vehicles.iter().zip(work) {
            sums[vehicle.group as usize] += work;
            times[vehicle.group as usize] += time(problem, vehicle);
        }
        let share = |v: &Vehicle| {
            let of = time(problem, v) as f64 / times[v.group as usize].max(1) as f64;
            (sums[v.group as usize] as f64 * of) as i64
        };
        let days = |v: &Vehicle| i64::from(on_days(problem, v).max(1));
        let day = |(w, v): (&i64, &Vehicle)| Spring::new(problem.soft.day_balance, w / days(v));
        let cycle = |v| Spring::new(problem.soft.balance, share(v));
        (problem.vehicles.iter().map(cycle).collect(), work.iter().zip(&problem.vehicles).map(day).collect())
    }
}

/// Days of the cycle on which a vehicle works.
fn on_days(problem: &Problem, vehicle: &Vehicle) -> u32 {
    let all = if problem.days == 32 { u32::MAX } else { (1 << problem.days) - 1 };
    (vehicle.days & all).count_ones()
}

/// Time that a vehicle has in the cycle: its share of its group's work is as large.
fn time(problem: &Problem, vehicle: &Vehicle) -> i64 {
    i64::from(vehicle.max_duration.min(86_400)) * i64::from(on_days(problem, vehicle))
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
            sum += aims.day[vehicle].cost(length) - aims.day[vehicle].cost(0);
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
        sum += each.map(|(work, aim)| aim.cost(work) - aim.cost(0)).sum::<i64>();
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

/// What pulls work to an aim.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spring {
    /// None where it is 0.
    pub aim: i64,
    stiffness: f64,
}

impl Spring {
    fn new(weight: f64, aim: i64) -> Spring {
        Spring { aim, stiffness: if aim > 0 { weight / (2.0 * aim as f64) } else { 0.0 } }
    }

    /// What working `work` costs: the square of what it is off by, and straight on where that
    /// would be steeper than [`STEEPEST`].
    #[inline]
    pub fn cost(&self, work: i64) -> i64 {
        let off = (work - self.aim) as f64;
        let (far, steepest) = (off.abs(), if off > 0.0 { 4.0 * STEEPEST } else { STEEPEST });
        if 2.0 * self.stiffness * far <= steepest {
            return (self.stiffness * far * far) as i64;
        }
        (steepest * (far - steepest / (4.0 * self.stiffness))) as i64
    }
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
