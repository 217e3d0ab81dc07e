//! What is to be planned, in the field's terms: a vehicle routing problem with capacities,
//! time windows, duration limits and periodic visits (Toth and Vigo, *Vehicle Routing*,
//! 2014).
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
}

/// How far two places are apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// In the plane, in units, rounded to the nearest whole number.
    Nearest,
    /// The same, cut.
    Down,
    /// `from × places + to`; places are the customers, then the depots.
    Matrix(Vec<i32>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub name: String,
    pub depots: Vec<Depot>,
    pub customers: Vec<Customer>,
    pub vehicles: Vec<Vehicle>,
    /// Days of the cycle, 1 to 32.
    pub days: u32,
    /// Sets of allowed combinations of days; bit 0 is the first day.
    pub patterns: Vec<Vec<u32>>,
    pub metric: Metric,
    /// Whole numbers of cost in one of the instance's own units.
    pub unit: f64,
}

impl Problem {
    /// The cost, and the time, from one place to another; places are the customers in
    /// their order, then the depots.
    pub fn travel(&self, from: usize, to: usize) -> i32 {
        if let Metric::Matrix(all) = &self.metric {
            return all[from * (self.customers.len() + self.depots.len()) + to];
        }
        let (a, b) = (self.position(from), self.position(to));
        let far = distance(a, b) * self.unit;
        if self.metric == Metric::Nearest { (far + 0.5).floor() as i32 } else { far.floor() as i32 }
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

    /// Finds what no plan could be made of.
    ///
    /// # Errors
    /// A sentence that names the part of the problem and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let fail = |text: String| Err(text);
        if self.depots.is_empty() || self.vehicles.is_empty() {
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

    /// Why no vehicle could ever visit a customer, if that is so.
    pub fn why_never(&self, customer: usize) -> Option<Why> {
        let c = &self.customers[customer];
        let mut why = None;
        for v in self.vehicles.iter().filter(|v| v.count > 0) {
            let (depot, place) = (&self.depots[v.depot as usize], self.depot_place(v.depot));
            let (there, back) = (self.travel(place, customer), self.travel(customer, place));
            let begin = c.window.0.max(depot.window.0.saturating_add(there));
            let reason = if c.demand > v.capacity {
                Why::Capacity
            } else if begin > c.window.1
                || begin.saturating_add(c.service).saturating_add(back) > depot.window.1
            {
                Why::Window
            } else if there.saturating_add(c.service).saturating_add(back) > v.max_duration {
                Why::Duration
            } else {
                return None;
            };
            why = why.or(Some(reason));
        }
        why.or(Some(Why::Vehicles))
    }
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
    /// All vehicles are full.
    Vehicles,
}

impl Why {
    pub fn text(self) -> &'static str {
        match self {
            Why::Capacity => "its demand is above every vehicle's capacity",
            Why::Window => "its time window cannot be met from any depot",
            Why::Duration => "going there and back takes longer than a route may",
            Why::Vehicles => "all vehicles of its days are full",
        }
    }
}

/// One vehicle's day: customers in the order of their visits, as places of
/// [`Problem::customers`].
#[derive(Clone, Debug, PartialEq, Eq)]
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
