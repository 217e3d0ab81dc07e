//! What is to be planned, in the field's terms: a vehicle routing problem with capacities,
//! time windows, duration limits and periodic visits (Toth and Vigo, *Vehicle Routing*,
//! 2014); with one vehicle for all visits of a customer it is the consistent one of Groër,
//! Golden and Wasil (2009), which a journey plan is.
//!
//! Costs, times and durations are whole numbers of an instance's unit divided by
//! [`Problem::unit`], so that a sum kept step by step equals one computed anew.

/// A moment or stretch that never binds.
pub const UNBOUND: i32 = i32::MAX / 4;

/// Where routes begin and end.
#[derive(Clone, Debug, PartialEq)]
pub struct Depot {
    /// As the instance calls it.
    pub label: u32,
    pub x: f64,
    pub y: f64,
    /// Routes leave not before the first and are back not after the second.
    pub window: (i32, i32),
}

/// Somebody who is visited.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    pub label: u32,
    pub x: f64,
    pub y: f64,
    pub demand: i32,
    /// Time that a visit takes.
    pub service: i32,
    /// A visit begins not before the first and not after the second.
    pub window: (i32, i32),
    /// Which of [`Problem::patterns`] say on what days visits may be.
    pub patterns: u32,
    /// Which of [`Problem::fleets`] may visit.
    pub fleet: u32,
    /// Days that are preferred, bit 0 the first; 0: all alike.
    pub preferred: u32,
}

impl Default for Customer {
    fn default() -> Customer {
        Customer {
            label: 0,
            x: 0.0,
            y: 0.0,
            demand: 0,
            service: 0,
            window: (0, UNBOUND),
            patterns: 0,
            fleet: 0,
            preferred: 0,
        }
    }
}

/// Vehicles that are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Vehicle {
    pub depot: u32,
    pub capacity: i32,
    /// Longest route, travel, service and waiting together.
    pub max_duration: i32,
    /// What a route costs whatever its length.
    pub fixed_cost: i32,
    /// Routes of them a day.
    pub count: u32,
    /// Longest route in visits.
    pub max_stops: u32,
    /// Days on which there are any, bit 0 the first.
    pub days: u32,
    /// Vehicles of one group are to work about as much.
    pub group: u32,
}

impl Default for Vehicle {
    fn default() -> Vehicle {
        Vehicle {
            depot: 0,
            capacity: i32::MAX,
            max_duration: UNBOUND,
            fixed_cost: 0,
            count: u32::MAX,
            max_stops: u32::MAX,
            days: u32::MAX,
            group: 0,
        }
    }
}

/// How far two places are apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// In the plane, in units, rounded to the nearest whole number.
    Nearest,
    /// The same, cut.
    Down,
    /// Driving in the plane, whose positions are metres: seconds for each metre of the
    /// first `town` metres, and of those beyond, where roads are faster.
    Road { near: f64, far: f64, town: f64 },
    /// `from × places + to`; places are the customers, then the depots.
    Matrix(Vec<i32>),
}

/// What is wished for and not demanded, in cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Soft {
    /// Of work that is more or less than the mean of a vehicle's group: cost of each
    /// further unit of work where it is off by the whole mean.
    pub balance: f64,
    /// The same of a day against the mean of the vehicle's days.
    pub day_balance: f64,
    /// For each visit, of each unit of distance to the middle of its vehicle's customers.
    pub compactness: f64,
    /// Of a visit on a day that is not preferred.
    pub preference: i32,
    /// Of each day that visits are away from even spacing.
    pub spacing: i32,
    /// Of a customer whose vehicle or days are not the current ones.
    pub change: i32,
}

/// Visits that stay as they are: the first of a route, in their order, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub route: Route,
    /// Nobody else comes into the route.
    pub closed: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub name: String,
    pub depots: Vec<Depot>,
    pub customers: Vec<Customer>,
    pub vehicles: Vec<Vehicle>,
    /// Days of the cycle, 1 to 32.
    pub days: u32,
    /// Days of a week, where the cycle has weeks; else those of the cycle.
    pub week: u32,
    /// Sets of allowed combinations of days; bit 0 is the first day.
    pub patterns: Vec<Vec<u32>>,
    /// Sets of vehicles in order; an empty one is all of them.
    pub fleets: Vec<Vec<u32>>,
    /// All visits of a customer are by one of the vehicles, of which there is one each.
    pub consistent: bool,
    pub soft: Soft,
    /// Vehicle and days that each customer has now; empty where there is no plan.
    pub current: Vec<Option<(u32, u32)>>,
    /// So many customers may be given other vehicles or days than now.
    pub most_changed: u32,
    pub pins: Vec<Pin>,
    pub metric: Metric,
    /// Whole numbers of cost in one of the instance's own units.
    pub unit: f64,
}

impl Default for Problem {
    fn default() -> Problem {
        Problem {
            name: String::new(),
            depots: vec![],
            customers: vec![],
            vehicles: vec![],
            days: 1,
            week: u32::MAX,
            patterns: vec![vec![1]],
            fleets: vec![vec![]],
            consistent: false,
            soft: Soft::default(),
            current: vec![],
            most_changed: u32::MAX,
            pins: vec![],
            metric: Metric::Nearest,
            unit: 1.0,
        }
    }
}

impl Problem {
    /// The cost, and the time, from one place to another; places are the customers in
    /// their order, then the depots.
    pub fn travel(&self, from: usize, to: usize) -> i32 {
        if let Metric::Matrix(all) = &self.metric {
            return all[from * (self.customers.len() + self.depots.len()) + to];
        }
        let (a, b) = (self.position(from), self.position(to));
        let far = distance(a, b);
        match self.metric {
            Metric::Nearest => (far * self.unit + 0.5).floor() as i32,
            Metric::Road { near, far: rest, town } => drive(far, near, rest, town),
            _ => (far * self.unit).floor() as i32,
        }
    }

    pub fn position(&self, place: usize) -> (f64, f64) {
        match self.customers.get(place) {
            Some(c) => (c.x, c.y),
            None => {
                let depot = &self.depots[place - self.customers.len()];
                (depot.x, depot.y)
            }
        }
    }

    /// The place of a depot.
    pub fn depot_place(&self, depot: u32) -> usize {
        self.customers.len() + depot as usize
    }

    pub fn is_timed(&self) -> bool {
        let bound = |(early, late): (i32, i32)| early > 0 || late < UNBOUND;
        self.customers.iter().any(|c| bound(c.window)) || self.depots.iter().any(|d| bound(d.window))
    }

    /// Whether vehicles have wishes that depend on more than one of their visits.
    pub fn has_wishes(&self) -> bool {
        self.soft.balance > 0.0 || self.soft.day_balance > 0.0 || self.soft.compactness > 0.0
    }

    /// Finds what no plan could be made of.
    ///
    /// # Errors
    /// A sentence that names the part of the problem and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let fail = |text: String| Err(text);
        if !self.customers.is_empty() && (self.depots.is_empty() || self.vehicles.is_empty()) {
            return fail("The problem has no depot or no vehicle".into());
        }
        if !(1..=32).contains(&self.days) {
            return fail(format!("A cycle has 1 to 32 days, not {}", self.days));
        }
        if !self.unit.is_finite() || self.unit <= 0.0 {
            return fail("The unit of costs is not a number above nothing".into());
        }
        let places = self.customers.len() + self.depots.len();
        if let Metric::Matrix(all) = &self.metric
            && all.len() != places * places
        {
            return fail(format!("The matrix holds {} costs, not {places} times {places}", all.len()));
        }
        let mut seen = std::collections::HashSet::new();
        for (label, x, y) in self.all_places() {
            if !(x.is_finite() && y.is_finite()) {
                return fail(format!("The position of {label} is not a number"));
            }
            if (x.abs().max(y.abs())) * self.unit > 4e8 {
                return fail(format!("The position of {label} is too far out: {x}, {y}"));
            }
            if !seen.insert(label) {
                return fail(format!("There are two places called {label}"));
            }
        }
        for c in &self.customers {
            if c.demand < 0 || c.service < 0 {
                return fail(format!("Customer {} has a demand or a service time below nothing", c.label));
            }
            if c.window.0 > c.window.1 {
                return fail(format!("The time window of customer {} ends before it begins", c.label));
            }
            let set = self.patterns.get(c.patterns as usize).filter(|set| !set.is_empty());
            let Some(set) = set else {
                return fail(format!("Customer {} has no combination of days", c.label));
            };
            let all = if self.days == 32 { u32::MAX } else { (1 << self.days) - 1 };
            if set.iter().any(|p| *p == 0 || p & !all != 0) {
                return fail(format!("Customer {} has a combination of days outside the cycle", c.label));
            }
            let fleet = self.fleets.get(c.fleet as usize);
            if fleet.is_none_or(|f| f.iter().any(|v| *v as usize >= self.vehicles.len()) || !f.is_sorted()) {
                return fail(format!("Customer {} has vehicles that are not there", c.label));
            }
        }
        if self.consistent && self.vehicles.iter().any(|v| v.count != 1) {
            return fail("One vehicle for all visits of a customer wants one vehicle of each kind".into());
        }
        if !self.current.is_empty() && self.current.len() != self.customers.len() {
            return fail("The current plan is not one of these customers".into());
        }
        for v in &self.vehicles {
            if v.depot as usize >= self.depots.len()
                || v.capacity < 0
                || v.max_duration < 0
                || v.fixed_cost < 0
            {
                return fail("A vehicle has a depot that is not there, or a limit below nothing".into());
            }
        }
        Ok(())
    }

    fn all_places(&self) -> impl Iterator<Item = (u32, f64, f64)> {
        let depots = self.depots.iter().map(|d| (d.label, d.x, d.y));
        depots.chain(self.customers.iter().map(|c| (c.label, c.x, c.y)))
    }

    /// How many routes there may be of each vehicle on each day, `vehicle × days + day`.
    pub fn quota(&self) -> Vec<u32> {
        let on = |v: &Vehicle, day: u32| if v.days & 1 << day == 0 { 0 } else { v.count };
        self.vehicles.iter().flat_map(|v| (0..self.days).map(move |day| on(v, day))).collect()
    }

    /// The vehicles that may visit a customer.
    pub fn fleet(&self, customer: usize) -> impl Iterator<Item = u32> + '_ {
        let fleet = &self.fleets[self.customers[customer].fleet as usize];
        let all = if fleet.is_empty() { self.vehicles.len() as u32 } else { 0 };
        fleet.iter().copied().chain(0..all)
    }

    /// Which fleets have vehicles in common, directly or through others: for each the first
    /// of them.
    pub fn classes(&self) -> Vec<u32> {
        let mut class: Vec<u32> = (0..self.fleets.len() as u32).collect();
        let mut first = vec![u32::MAX; self.vehicles.len()];
        for (number, fleet) in self.fleets.iter().enumerate() {
            let all = if fleet.is_empty() { self.vehicles.len() as u32 } else { 0 };
            for vehicle in fleet.iter().copied().chain(0..all) {
                let first = &mut first[vehicle as usize];
                match *first {
                    u32::MAX => *first = class[number],
                    other => {
                        let (keep, drop) = (class[other as usize], class[number]);
                        class.iter_mut().filter(|c| **c == drop).for_each(|c| *c = keep);
                    }
                }
            }
        }
        class
    }

    /// The visits of a customer's longest pattern.
    pub fn most_visits(&self, customer: &Customer) -> u32 {
        let set = self.patterns[customer.patterns as usize].iter();
        set.map(|days| days.count_ones()).max().unwrap_or(1)
    }

    pub fn may_visit(&self, vehicle: u32, customer: usize) -> bool {
        let fleet = &self.fleets[self.customers[customer].fleet as usize];
        fleet.is_empty() || fleet.binary_search(&vehicle).is_ok()
    }

    /// The day of an even spread that visits of a pattern are away from, summed.
    pub fn unevenness(&self, pattern: u32) -> u32 {
        let (count, first) = (pattern.count_ones(), pattern.trailing_zeros());
        let (mut left, mut sum) = (pattern, 0);
        while left != 0 {
            let day = left.trailing_zeros();
            left &= left - 1;
            let next = if left == 0 { self.days + first } else { left.trailing_zeros() };
            sum += ((next - day) * count).abs_diff(self.days) / count;
        }
        sum
    }

    /// Why no vehicle could ever visit a customer, if that is so.
    pub fn why_never(&self, customer: usize) -> Option<Why> {
        let c = &self.customers[customer];
        let mut why = None;
        let fleet = self.fleet(customer).map(|v| &self.vehicles[v as usize]);
        for v in fleet.filter(|v| v.count > 0 && v.max_stops > 0) {
            let (depot, place) = (&self.depots[v.depot as usize], self.depot_place(v.depot));
            let (there, back) = (self.travel(place, customer), self.travel(customer, place));
            let begin = c.window.0.max(depot.window.0.saturating_add(there));
            let reason = if c.demand > v.capacity {
                Why::Capacity
            } else if there.saturating_add(c.service).saturating_add(back) > v.max_duration {
                Why::Duration
            } else if begin > c.window.1
                || begin.saturating_add(c.service).saturating_add(back) > depot.window.1
            {
                Why::Window
            } else {
                return None;
            };
            why = why.or(Some(reason));
        }
        why.or(Some(Why::Vehicles))
    }
}

/// Seconds of driving so many metres.
#[inline]
pub fn drive(metres: f64, near: f64, far: f64, town: f64) -> i32 {
    (metres.min(town) * near + (metres - town).max(0.0) * far + 0.5) as i32
}

/// As far as the crow flies in the plane.
#[inline]
pub fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (x, y) = (a.0 - b.0, a.1 - b.1);
    (x * x + y * y).sqrt()
}

/// The rule that keeps a customer from being visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its demand is above what any vehicle takes.
    Capacity,
    /// Its time window cannot be met from any depot.
    Window,
    /// Going there and back is longer than a route may be.
    Duration,
    /// Routes have as many visits as they may.
    Stops,
    /// All vehicles are full.
    Vehicles,
    /// As many customers are changed as may be.
    Changes,
}

impl Why {
    /// Of a customer that a plan leaves out though a vehicle could visit it alone.
    pub fn text_in_plan(self) -> &'static str {
        match self {
            Why::Capacity => "its demand is more than what its vehicles have left",
            Why::Window => "the days of the vehicles near it reach it outside its window",
            Why::Duration => "the days of the vehicles near it are too long already",
            Why::Stops => "the days of the vehicles near it have all the stops they may",
            Why::Vehicles => "no vehicle is left on its days",
            Why::Changes => "no more customers may be changed",
        }
    }

    /// Of a customer that no vehicle could visit even alone.
    pub fn text(self) -> &'static str {
        match self {
            Why::Capacity => "its demand is above every vehicle's capacity",
            Why::Window => "its time window cannot be met from any depot",
            Why::Duration => "going there and back takes longer than a route may",
            Why::Stops => "its vehicles may not stop anywhere",
            Why::Vehicles | Why::Changes => "all vehicles of its days are full",
        }
    }
}

/// One vehicle's day: customers in the order of their visits, as places of
/// [`Problem::customers`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub vehicle: u32,
    /// From 0.
    pub day: u32,
    pub stops: Vec<u32>,
}

/// What is done: every customer is in routes on the days of one of its patterns, or
/// unserved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub routes: Vec<Route>,
    pub unserved: Vec<u32>,
}
