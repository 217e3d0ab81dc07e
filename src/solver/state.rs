//! A solution that is worked on: visits linked into routes, moves of one visit at a time,
//! and a log that takes them back. Nothing here costs more than the routes it touches.

use super::problem::{Metric, Plan, Problem, Route, distance};

pub const NONE: u32 = u32::MAX;
/// Any of the days that a customer's patterns allow.
pub const ANY_DAY: u32 = u32::MAX;

/// Customers in the engine's order and who is near whom, for the whole problem or for a
/// part of it.
pub struct Field {
    /// The customers of the problem, in the order they have here.
    pub ids: Vec<u32>,
    /// Rows of `k` neighbours, nearest first, `NONE` at the end.
    pub near: Vec<u32>,
    pub k: usize,
    /// How many of them are looked at for a place.
    pub beside: usize,
}

impl Field {
    pub fn near(&self, customer: u32) -> &[u32] {
        &self.near[customer as usize * self.k..(customer as usize + 1) * self.k]
    }

    /// The part that holds only these, which are in order; neighbours outside are left out.
    pub fn part(&self, members: &[u32], places: &mut Vec<u32>) -> Field {
        places.resize(self.ids.len(), NONE);
        for (place, member) in members.iter().enumerate() {
            places[*member as usize] = place as u32;
        }
        let mut near = vec![NONE; members.len() * self.k];
        for (row, member) in near.chunks_exact_mut(self.k.max(1)).zip(members) {
            let inside = self.near(*member).iter().take_while(|n| **n != NONE).map(|n| places[*n as usize]);
            for (slot, neighbour) in row.iter_mut().zip(inside.filter(|n| *n != NONE)) {
                *slot = neighbour;
            }
        }
        for member in members {
            places[*member as usize] = NONE;
        }
        Field {
            ids: members.iter().map(|m| self.ids[*m as usize]).collect(),
            near,
            k: self.k,
            beside: self.beside,
        }
    }
}

#[derive(Clone, Copy)]
struct Link {
    prev: u32,
    next: u32,
    route: u32,
    /// Cost from the one before and to the one behind; the depot at the ends.
    from: i32,
    to: i32,
}

const LOOSE: Link = Link { prev: NONE, next: NONE, route: NONE, from: 0, to: 0 };

#[derive(Clone, Copy)]
pub struct Tour {
    pub first: u32,
    pub last: u32,
    pub count: u32,
    pub load: i32,
    /// Travel and service.
    length: i32,
    pub vehicle: u16,
    pub day: u16,
}

/// A stretch of a route that is driven without waiting where it can be: how long it takes
/// and when it may begin (the segments of Vidal et al., 2013, without their time warp).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stretch {
    lasts: i32,
    early: i32,
    late: i32,
}

impl Stretch {
    /// One after the other with `travel` between them; none if that comes too late.
    fn then(self, next: Stretch, travel: i32) -> Option<Stretch> {
        let shift = self.lasts + travel;
        if self.early + shift > next.late {
            return None;
        }
        let wait = (next.early - shift - self.late).max(0);
        Some(Stretch {
            lasts: shift + next.lasts + wait,
            early: (next.early - shift).max(self.early) - wait,
            late: (next.late - shift).min(self.late),
        })
    }
}

/// Where a visit could go: behind `after` (`NONE`: first) in a route, or into a new one.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    pub cost: i32,
    route: u32,
    after: u32,
    /// Of a new route.
    vehicle: u16,
}

const NO_SPOT: Spot = Spot { cost: i32::MAX, route: NONE, after: NONE, vehicle: 0 };

enum Op {
    Unlinked {
        visit: u32,
        route: u32,
        prev: u32,
    },
    Linked {
        visit: u32,
    },
    Opened {
        route: u32,
        before: Tour,
    },
    /// The days that a customer was visited on before.
    Days {
        customer: u32,
        before: u32,
    },
    /// It was served before, or unserved.
    Served {
        customer: u32,
    },
    Unserved {
        customer: u32,
    },
}

pub struct State<'p> {
    problem: &'p Problem,
    pub field: &'p Field,
    /// Customers, then depots.
    at: Vec<(f64, f64)>,
    demand: Vec<i32>,
    service: Vec<i32>,
    window: Vec<(i32, i32)>,
    /// First visit of each customer; where all have one, visit and customer are the same.
    first: Vec<u32>,
    customer_of: Vec<u32>,
    /// Days on which a customer is visited.
    days: Vec<u32>,
    links: Vec<Link>,
    pub tours: Vec<Tour>,
    free: Vec<u32>,
    /// Routes in use by vehicle and day.
    used: Vec<u32>,
    before: Vec<Stretch>,
    behind: Vec<Stretch>,
    pub timed: bool,
    pub periodic: bool,
    limited: bool,
    /// A route that a matrix without triangle inequality made late.
    broken: usize,
    /// Unserved customers, and where they stand in the list.
    pub unserved: Vec<u32>,
    unserved_at: Vec<u32>,
    /// What an unserved customer costs.
    pub penalty: i64,
    /// Cost of all routes and all unserved customers.
    pub cost: i64,
    log: Vec<Op>,
    /// The cheapest place of each day, of the customer looked at last.
    spots: Vec<Spot>,
    /// Costs to the neighbours, in the field's rows.
    near: Vec<i32>,
    home_far: Vec<i32>,
    /// Arcs longer than this are seldom.
    pub reach: i64,
}

impl<'p> State<'p> {
    /// Everybody unserved.
    pub fn new(problem: &'p Problem, field: &'p Field, penalty: i64) -> State<'p> {
        let n = field.ids.len();
        let customers = || field.ids.iter().map(|id| &problem.customers[*id as usize]);
        let visits = |patterns: u32| {
            let set = problem.patterns[patterns as usize].iter();
            set.map(|days| days.count_ones()).max().unwrap_or(1)
        };
        let (mut first, mut customer_of) = (Vec::with_capacity(n + 1), Vec::new());
        for (place, customer) in customers().enumerate() {
            first.push(customer_of.len() as u32);
            customer_of.extend(std::iter::repeat_n(place as u32, visits(customer.patterns) as usize));
        }
        first.push(customer_of.len() as u32);
        let all = customer_of.len();
        let timed = problem.is_timed();
        let stretches = if timed { all } else { 0 };
        let depots = problem.depots.iter().map(|d| (d.x, d.y));
        let mut state = State {
            at: customers().map(|c| (c.x, c.y)).chain(depots).collect(),
            demand: customers().map(|c| c.demand).collect(),
            service: customers().map(|c| c.service).collect(),
            window: customers().map(|c| c.window).collect(),
            first,
            customer_of,
            days: vec![0; n],
            links: vec![LOOSE; all],
            tours: vec![],
            free: vec![],
            used: vec![0; problem.vehicles.len() * problem.days as usize],
            before: vec![Stretch::default(); stretches],
            behind: vec![Stretch::default(); stretches],
            timed,
            periodic: problem.days > 1,
            limited: problem.vehicles.iter().any(|v| v.max_duration < super::problem::UNBOUND),
            broken: 0,
            unserved: (0..n as u32).collect(),
            unserved_at: (0..n as u32).collect(),
            penalty,
            cost: penalty * n as i64,
            log: vec![],
            spots: vec![NO_SPOT; problem.days as usize],
            near: vec![],
            home_far: vec![],
            reach: i64::MAX / 4,
            problem,
            field,
        };
        let k = field.k.max(1);
        let near = field.near.iter().enumerate().map(|(place, other)| match *other {
            NONE => 0,
            other => state.travel((place / k) as u32, other),
        });
        state.near = near.collect();
        let depots = n as u32..n as u32 + problem.depots.len() as u32;
        let far = |c: u32| depots.clone().map(|d| state.travel(d, c)).min().unwrap_or(0);
        state.home_far = (0..n as u32).map(far).collect();
        state
    }

    /// Puts routes in as they are, whose customers are places of the field.
    pub fn load(&mut self, routes: &[Route]) {
        for route in routes {
            let tour = self.open(route.vehicle as u16, route.day as u16);
            let mut after = NONE;
            for customer in &route.stops {
                if self.unserved_at[*customer as usize] != NONE {
                    self.serve(*customer);
                }
                self.days[*customer as usize] |= 1 << route.day;
            }
            for customer in &route.stops {
                let visits = self.first[*customer as usize]..self.first[*customer as usize + 1];
                let visit = visits.into_iter().find(|v| self.links[*v as usize].route == NONE);
                if let Some(visit) = visit {
                    self.link(visit, tour, after);
                    after = visit;
                }
            }
            if self.timed {
                self.retime(tour);
            }
        }
        self.log.clear();
    }

    /// The routes, in customers of the field.
    pub fn routes(&self) -> Vec<Route> {
        let tours = self.tours.iter().filter(|t| t.count > 0);
        tours
            .map(|tour| Route {
                vehicle: u32::from(tour.vehicle),
                day: u32::from(tour.day),
                stops: self.walk(tour.first).map(|v| self.customer_of[v as usize]).collect(),
            })
            .collect()
    }

    /// Visits from one to its route's end.
    pub fn walk(&self, from: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(from).filter(|v| *v != NONE), |v| {
            Some(self.links[*v as usize].next).filter(|v| *v != NONE)
        })
    }

    pub fn customers(&self) -> usize {
        self.first.len() - 1
    }

    #[inline]
    pub fn visits_of(&self, customer: u32) -> std::ops::Range<u32> {
        self.first[customer as usize]..self.first[customer as usize + 1]
    }

    #[inline]
    pub fn customer(&self, visit: u32) -> u32 {
        self.customer_of[visit as usize]
    }

    #[inline]
    pub fn route_of(&self, visit: u32) -> u32 {
        self.links[visit as usize].route
    }

    #[inline]
    pub fn next(&self, visit: u32) -> u32 {
        self.links[visit as usize].next
    }

    #[inline]
    pub fn prev(&self, visit: u32) -> u32 {
        self.links[visit as usize].prev
    }

    pub fn demand(&self, customer: u32) -> i32 {
        self.demand[customer as usize]
    }

    pub fn window(&self, customer: u32) -> (i32, i32) {
        self.window[customer as usize]
    }

    /// Cost between customers or depots (which stand behind the customers).
    #[inline(always)]
    pub fn travel(&self, from: u32, to: u32) -> i32 {
        let far = || distance(self.at[from as usize], self.at[to as usize]) * self.problem.unit;
        match &self.problem.metric {
            Metric::Nearest => (far() + 0.5) as i32,
            Metric::Down => far() as i32,
            Metric::Matrix(_) => self.looked_up(from, to),
        }
    }

    #[cold]
    fn looked_up(&self, from: u32, to: u32) -> i32 {
        let n = self.customers() as u32;
        let place = |of: u32| match of < n {
            true => self.field.ids[of as usize] as usize,
            false => self.problem.depot_place(of - n),
        };
        self.problem.travel(place(from), place(to))
    }

    #[inline]
    fn home(&self, tour: u32) -> u32 {
        self.home_of(self.tours[tour as usize].vehicle)
    }

    #[inline]
    fn home_of(&self, vehicle: u16) -> u32 {
        self.customers() as u32 + self.problem.vehicles[usize::from(vehicle)].depot
    }

    /// How far a customer is from the nearest depot.
    pub fn depot_cost(&self, customer: u32) -> i32 {
        self.home_far[customer as usize]
    }

    // ---- moves ------------------------------------------------------------------------

    fn open(&mut self, vehicle: u16, day: u16) -> u32 {
        let fresh = Tour { first: NONE, last: NONE, count: 0, load: 0, length: 0, vehicle, day };
        match self.free.pop() {
            Some(slot) => {
                self.log.push(Op::Opened { route: slot, before: self.tours[slot as usize] });
                self.tours[slot as usize] = fresh;
                slot
            }
            None => {
                self.tours.push(fresh);
                let slot = self.tours.len() as u32 - 1;
                self.log.push(Op::Opened { route: slot, before: fresh });
                slot
            }
        }
    }

    fn slot(&self, tour: &Tour) -> usize {
        usize::from(tour.vehicle) * self.problem.days as usize + usize::from(tour.day)
    }

    /// Puts a loose visit into a route.
    fn link(&mut self, visit: u32, route: u32, after: u32) {
        self.join(visit, route, after);
        self.log.push(Op::Linked { visit });
    }

    fn join(&mut self, visit: u32, route: u32, after: u32) {
        let customer = self.customer(visit);
        let home = self.home(route);
        let tour = &self.tours[route as usize];
        let next = if after == NONE { tour.first } else { self.links[after as usize].next };
        let place = |v: u32| if v == NONE { home } else { self.customer(v) };
        let (from, to) = (self.travel(place(after), customer), self.travel(customer, place(next)));
        let was = match (after, next) {
            (NONE, NONE) => 0,
            (NONE, next) => self.links[next as usize].from,
            (after, _) => self.links[after as usize].to,
        };
        self.links[visit as usize] = Link { prev: after, next, route, from, to };
        let (demand, service) = (self.demand[customer as usize], self.service[customer as usize]);
        let slot = self.slot(&self.tours[route as usize]);
        let tour = &mut self.tours[route as usize];
        let vehicle = tour.vehicle;
        let first = tour.count == 0;
        tour.count += 1;
        tour.load += demand;
        tour.length += from + to - was + service;
        match after {
            NONE => tour.first = visit,
            after => {
                self.links[after as usize].next = visit;
                self.links[after as usize].to = from;
            }
        }
        match next {
            NONE => self.tours[route as usize].last = visit,
            next => {
                self.links[next as usize].prev = visit;
                self.links[next as usize].from = to;
            }
        }
        self.cost += i64::from(from + to - was);
        if first {
            self.used[slot] += 1;
            self.cost += i64::from(self.problem.vehicles[usize::from(vehicle)].fixed_cost);
        }
    }

    /// Takes a visit out of its route.
    pub fn unlink(&mut self, visit: u32) {
        let Link { prev, route, .. } = self.links[visit as usize];
        self.part_from(visit);
        if self.tours[route as usize].count == 0 {
            self.free.push(route);
        }
        self.log.push(Op::Unlinked { visit, route, prev });
    }

    fn part_from(&mut self, visit: u32) {
        let customer = self.customer(visit);
        let Link { prev, next, route, from, to } = self.links[visit as usize];
        let home = self.home(route);
        let place = |v: u32| if v == NONE { home } else { self.customer(v) };
        let short = if prev == NONE && next == NONE { 0 } else { self.travel(place(prev), place(next)) };
        let (demand, service) = (self.demand[customer as usize], self.service[customer as usize]);
        let tour = &mut self.tours[route as usize];
        tour.count -= 1;
        tour.load -= demand;
        tour.length += short - from - to - service;
        match prev {
            NONE => tour.first = next,
            prev => {
                self.links[prev as usize].next = next;
                self.links[prev as usize].to = short;
            }
        }
        match next {
            NONE => self.tours[route as usize].last = prev,
            next => {
                self.links[next as usize].prev = prev;
                self.links[next as usize].from = short;
            }
        }
        self.links[visit as usize].route = NONE;
        self.cost += i64::from(short) - i64::from(from) - i64::from(to);
        let tour = self.tours[route as usize];
        if tour.count == 0 {
            let slot = self.slot(&tour);
            self.used[slot] -= 1;
            self.cost -= i64::from(self.problem.vehicles[usize::from(tour.vehicle)].fixed_cost);
        }
    }

    fn serve(&mut self, customer: u32) {
        let place = self.unserved_at[customer as usize] as usize;
        self.unserved.swap_remove(place);
        if let Some(moved) = self.unserved.get(place) {
            self.unserved_at[*moved as usize] = place as u32;
        }
        self.unserved_at[customer as usize] = NONE;
        self.cost -= self.penalty;
    }

    fn leave(&mut self, customer: u32) {
        self.unserved_at[customer as usize] = self.unserved.len() as u32;
        self.unserved.push(customer);
        self.cost += self.penalty;
    }

    pub fn is_served(&self, customer: u32) -> bool {
        self.unserved_at[customer as usize] == NONE
    }

    /// Keeps what was done since the last call.
    pub fn keep(&mut self) {
        self.log.clear();
    }

    /// Takes back what was done since the last [`State::keep`].
    pub fn undo(&mut self) {
        let mut touched: Vec<u32> = Vec::new();
        while let Some(op) = self.log.pop() {
            match op {
                Op::Linked { visit } => {
                    touched.push(self.links[visit as usize].route);
                    self.part_from(visit);
                }
                Op::Unlinked { visit, route, prev } => {
                    if self.tours[route as usize].count == 0 {
                        self.free.pop();
                    }
                    touched.push(route);
                    self.join(visit, route, prev);
                }
                Op::Opened { route, before } => {
                    self.tours[route as usize] = before;
                    self.free.push(route);
                }
                Op::Days { customer, before } => self.days[customer as usize] = before,
                Op::Served { customer } => self.leave(customer),
                Op::Unserved { customer } => self.serve(customer),
            }
        }
        if self.timed {
            touched.sort_unstable();
            touched.dedup();
            for tour in touched {
                self.retime(tour);
            }
        }
    }

    pub fn is_sound(&self) -> bool {
        self.broken == 0
    }

    // ---- time ---------------------------------------------------------------------------

    fn stretch(&self, customer: u32) -> Stretch {
        let (early, late) = self.window(customer);
        Stretch { lasts: self.service[customer as usize], early, late }
    }

    fn depot_stretch(&self, route: u32) -> Stretch {
        let vehicle = &self.problem.vehicles[usize::from(self.tours[route as usize].vehicle)];
        let (early, late) = self.problem.depots[vehicle.depot as usize].window;
        Stretch { lasts: 0, early, late }
    }

    /// Computes when the visits of a route can be.
    pub fn retime(&mut self, route: u32) {
        let depot = self.depot_stretch(route);
        let mut sofar = depot;
        let mut visit = self.tours[route as usize].first;
        while visit != NONE {
            let link = self.links[visit as usize];
            let here = self.stretch(self.customer(visit));
            // Only a matrix without triangle inequality can make a route late.
            sofar = sofar.then(here, link.from).unwrap_or(Stretch { late: -1, ..here });
            self.before[visit as usize] = sofar;
            visit = link.next;
        }
        let mut rest = depot;
        let mut visit = self.tours[route as usize].last;
        while visit != NONE {
            let link = self.links[visit as usize];
            let here = self.stretch(self.customer(visit));
            rest = here.then(rest, link.to).unwrap_or(Stretch { late: -1, ..here });
            self.behind[visit as usize] = rest;
            visit = link.prev;
        }
    }

    /// Whether a route keeps its windows and its longest duration with a customer behind
    /// `after`.
    fn fits_in_time(&self, customer: u32, route: u32, after: u32, next: u32, from: i32, to: i32) -> bool {
        let depot = self.depot_stretch(route);
        let before = if after == NONE { depot } else { self.before[after as usize] };
        let behind = if next == NONE { depot } else { self.behind[next as usize] };
        let longest = self.problem.vehicles[usize::from(self.tours[route as usize].vehicle)].max_duration;
        let whole = before.then(self.stretch(customer), from).and_then(|part| part.then(behind, to));
        whole.is_some_and(|whole| whole.lasts <= longest)
    }

    // ---- where a customer can go -----------------------------------------------------------

    /// Finds the cheapest place for a customer on each of `days` beside its neighbours;
    /// each place is overlooked with a chance of `blink` in 256.
    fn look<const PERIODIC: bool, const TIMED: bool>(
        &mut self,
        customer: u32,
        days: u32,
        blink: u8,
        rng: &mut fastrand::Rng,
    ) {
        let mut spots = std::mem::take(&mut self.spots);
        spots.fill(NO_SPOT);
        let demand = self.demand[customer as usize];
        let service = self.service[customer as usize];
        let symmetric = !matches!(self.problem.metric, Metric::Matrix(_));
        let field = self.field;
        let mut dice = rng.u64(..);
        let mut thrown = 0;
        let row = customer as usize * field.k;
        let beside = row..row + field.beside.min(field.k);
        for (other, near) in field.near[beside.clone()].iter().zip(&self.near[beside]) {
            if *other == NONE
                || symmetric && !PERIODIC && 2 * i64::from(*near) > i64::from(spots[0].cost) + self.reach
            {
                break;
            }
            let near = *near;
            let visits = if PERIODIC { self.visits_of(*other) } else { *other..*other + 1 };
            for visit in visits {
                let link = self.links[visit as usize];
                if link.route == NONE {
                    continue;
                }
                let mut day = 0;
                if PERIODIC {
                    day = usize::from(self.tours[link.route as usize].day);
                    if days & 1 << day == 0 {
                        continue;
                    }
                }
                // What is farther from the customer than this neighbour is cannot be better
                // than this; what is nearer was looked at already.
                let best = spots[day].cost;
                let hope = |was: i32, end: u32| !symmetric || end == NONE || 2 * near - was < best;
                let (hope_before, hope_behind) = (hope(link.from, link.prev), hope(link.to, link.next));
                if !(hope_before || hope_behind) {
                    continue;
                }
                let tour = &self.tours[link.route as usize];
                let vehicle = &self.problem.vehicles[usize::from(tour.vehicle)];
                if tour.load + demand > vehicle.capacity {
                    continue;
                }
                if thrown == 8 {
                    (dice, thrown) = (rng.u64(..), 0);
                }
                let blinked = (dice as u8) < blink;
                dice >>= 8;
                thrown += 1;
                if blinked {
                    continue;
                }
                let home = self.home_of(tour.vehicle);
                for (behind, hope) in [(false, hope_before), (true, hope_behind)] {
                    if !hope {
                        continue;
                    }
                    let (after, next, was) = match behind {
                        false => (link.prev, visit, link.from),
                        true => (visit, link.next, link.to),
                    };
                    let place = |v: u32| if v == NONE { home } else { self.customer_of[v as usize] };
                    let (from, to) = match (behind, symmetric) {
                        (false, true) => (self.travel(place(after), customer), near),
                        (true, true) => (near, self.travel(customer, place(next))),
                        _ => (self.travel(place(after), customer), self.travel(customer, place(next))),
                    };
                    let cost = from + to - was;
                    if cost >= spots[day].cost {
                        continue;
                    }
                    let fits = match TIMED {
                        true => self.fits_in_time(customer, link.route, after, next, from, to),
                        false => !self.limited || tour.length + cost + service <= vehicle.max_duration,
                    };
                    if fits {
                        spots[day] = Spot { cost, route: link.route, after, vehicle: 0 };
                    }
                }
            }
        }
        self.spots = spots;
        self.look_at_new(customer, days);
    }

    /// A route of its own, where a vehicle is left.
    fn look_at_new(&mut self, customer: u32, days: u32) {
        // There and back again costs at least twice the way to the nearest depot.
        let least = 2 * i64::from(self.depot_cost(customer));
        let symmetric = !matches!(self.problem.metric, Metric::Matrix(_));
        if symmetric && !self.periodic && i64::from(self.spots[0].cost) <= least {
            return;
        }
        for (number, vehicle) in self.problem.vehicles.iter().enumerate() {
            if self.demand[customer as usize] > vehicle.capacity {
                continue;
            }
            let home = self.home_of(number as u16);
            let (from, to) = (self.travel(home, customer), self.travel(customer, home));
            let cost = from.saturating_add(to).saturating_add(vehicle.fixed_cost);
            let lasts = from.saturating_add(to).saturating_add(self.service[customer as usize]);
            if lasts > vehicle.max_duration {
                continue;
            }
            if self.timed {
                let (early, late) = self.problem.depots[vehicle.depot as usize].window;
                let depot = Stretch { lasts: 0, early, late };
                let whole = depot.then(self.stretch(customer), from).and_then(|part| part.then(depot, to));
                if whole.is_none_or(|whole| whole.lasts > vehicle.max_duration) {
                    continue;
                }
            }
            let mut left = days;
            while left != 0 {
                let day = left.trailing_zeros() as usize;
                left &= left - 1;
                let used = self.used[number * self.problem.days as usize + day];
                if cost < self.spots[day].cost && used < vehicle.count {
                    self.spots[day] = Spot { cost, route: NONE, after: NONE, vehicle: number as u16 };
                }
            }
        }
    }

    /// Puts a customer where it costs least: its visit of one day, or (`ANY_DAY`) all its
    /// visits on the days of its cheapest pattern. What fits nowhere is unserved.
    pub fn insert(&mut self, customer: u32, day: u32, blink: u8, rng: &mut fastrand::Rng) -> bool {
        if day != ANY_DAY && self.is_visited_on(customer, day) {
            return true;
        }
        let set = self.problem.customers[self.field.ids[customer as usize] as usize].patterns as usize;
        let days = match day {
            ANY_DAY => self.problem.patterns[set].iter().fold(0, |all, days| all | days),
            day => 1 << day,
        };
        match (self.periodic, self.timed) {
            (false, false) => self.look::<false, false>(customer, days, blink, rng),
            (false, true) => self.look::<false, true>(customer, days, blink, rng),
            (true, false) => self.look::<true, false>(customer, days, blink, rng),
            (true, true) => self.look::<true, true>(customer, days, blink, rng),
        }
        let pattern = match day {
            ANY_DAY => {
                let cost = |days: u32| {
                    let each = (0..self.spots.len())
                        .filter(|d| days & 1 << d != 0)
                        .map(|d| i64::from(self.spots[d].cost));
                    each.fold(
                        0,
                        |sum, cost| if cost == i64::from(i32::MAX) { i64::MAX / 64 } else { sum + cost },
                    )
                };
                let best = self.problem.patterns[set].iter().map(|days| (cost(*days), *days)).min();
                best.filter(|(cost, _)| *cost < i64::MAX / 128).map(|(_, days)| days)
            }
            day => (self.spots[day as usize].cost < i32::MAX).then_some(1 << day),
        };
        let Some(pattern) = pattern else {
            self.give_up(customer);
            return false;
        };
        if day == ANY_DAY {
            if !self.is_served(customer) {
                self.serve(customer);
                self.log.push(Op::Served { customer });
            }
            if self.periodic {
                self.log.push(Op::Days { customer, before: self.days[customer as usize] });
                self.days[customer as usize] = pattern;
            }
        }
        let mut left = pattern;
        for visit in self.visits_of(customer) {
            if left == 0 {
                break;
            }
            if self.links[visit as usize].route != NONE {
                continue;
            }
            let day = left.trailing_zeros();
            left &= left - 1;
            let spot = self.spots[day as usize];
            let route = match spot.route {
                NONE => self.open(spot.vehicle, day as u16),
                route => route,
            };
            self.link(visit, route, spot.after);
            if self.timed {
                self.retime(route);
            }
        }
        true
    }

    fn is_visited_on(&self, customer: u32, day: u32) -> bool {
        let routes = self.visits_of(customer).map(|v| self.route_of(v)).filter(|r| *r != NONE);
        routes.map(|r| self.tours[r as usize].day).any(|d| u32::from(d) == day)
    }

    /// Takes a customer out altogether.
    fn give_up(&mut self, customer: u32) {
        for visit in self.visits_of(customer) {
            let route = self.route_of(visit);
            if route != NONE {
                self.unlink(visit);
                if self.timed {
                    self.retime(route);
                }
            }
        }
        if self.is_served(customer) {
            self.leave(customer);
            self.log.push(Op::Unserved { customer });
        }
    }
}

/// A plan in the problem's customers from routes in a field's.
pub fn plan_of(field: &Field, routes: &[Route], unserved: &[u32]) -> Plan {
    let id = |place: &u32| field.ids[*place as usize];
    let route = |r: &Route| Route { stops: r.stops.iter().map(id).collect(), ..*r };
    let mut unserved: Vec<u32> = unserved.iter().map(id).collect();
    unserved.sort_unstable();
    Plan { routes: routes.iter().map(route).collect(), unserved }
}
