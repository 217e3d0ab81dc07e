//! A solution that is worked on: visits linked into routes, moves of one visit at a time,
//! and a log that takes them back. Nothing here costs more than the routes it touches.

mod insert;
mod time;

use super::problem::{Metric, Plan, Problem, Route, UNBOUND, distance, drive};
use super::soft::{self, Aims};
use insert::Spot;
use time::Stretch;

pub const NONE: u32 = u32::MAX;
/// Any of the days that a customer's patterns allow.
pub const ANY_DAY: u32 = u32::MAX;

/// Customers in the engine's order and who is near whom, for the whole problem or for a
/// part of it.
#[derive(Clone)]
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
    day: u16,
}

/// Room of a route that nobody else comes into, whatever is taken out of it.
const CLOSED: i32 = i32::MIN / 2;

const LOOSE: Link = Link { prev: NONE, next: NONE, route: NONE, from: 0, to: 0, day: 0 };

#[derive(Clone, Copy)]
pub struct Tour {
    pub first: u32,
    pub last: u32,
    pub count: u32,
    /// Capacity that is left; far below zero where nobody else comes in.
    room: i32,
    /// Stops that are left.
    stops: u32,
    /// Travel and service, and how long that may be.
    length: i32,
    longest: i32,
    /// Where its depot stands behind the customers.
    home: u32,
    pub vehicle: u16,
    pub day: u16,
    /// Visits that have a time window.
    windows: u32,
    /// Its stretches are not those of its visits any more.
    stale: bool,
}

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
    /// The vehicle and the days that a customer had before.
    Assigned {
        customer: u32,
        before: (u16, u32),
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
    /// By which vehicle and on which days a customer is visited.
    assigned: Vec<(u16, u32)>,
    links: Vec<Link>,
    pub tours: Vec<Tour>,
    free: Vec<u32>,
    /// Routes in use by vehicle and day, and how many there may be.
    used: Vec<u32>,
    quota: &'p [u32],
    /// The route of each vehicle and day, where there is one of each.
    route_on: Vec<u32>,
    aims: &'p Aims,
    /// Work of each vehicle in the cycle, where it is balanced.
    work: Vec<i64>,
    is_soft: bool,
    /// Every vehicle may visit everybody.
    is_open: bool,
    /// What a customer costs whose vehicle or days are not the current ones, how many there
    /// are, may be, and were when the last step was kept.
    pub change: i64,
    pub changed: u32,
    pub most_changed: u32,
    changed_before: u32,
    /// Visits that stay in their place.
    pinned: Vec<bool>,
    /// Vehicles whose depot is open as long as their longest day.
    roomy: Vec<bool>,
    before: Vec<Stretch>,
    behind: Vec<Stretch>,
    pub timed: bool,
    pub periodic: bool,
    pub consistent: bool,
    limited: bool,
    /// Unserved customers, and where they stand in the list.
    pub unserved: Vec<u32>,
    unserved_at: Vec<u32>,
    /// What a visit that an unserved customer wants costs.
    pub penalty: i64,
    /// Cost of all routes and all unserved customers.
    pub cost: i64,
    log: Vec<Op>,
    /// The cheapest place of each day, of the customer looked at last; where all its visits
    /// are by one vehicle, for each vehicle of `crew`.
    spots: Vec<Spot>,
    crew: Vec<u16>,
    /// Costs to the neighbours, in the field's rows.
    near: Vec<i32>,
    home_far: Vec<i32>,
    /// Arcs longer than this are seldom.
    pub reach: i64,
    /// A place that costs so much is none, where customers have one visit.
    pub limit: i32,
}

impl<'p> State<'p> {
    /// Everybody unserved.
    pub fn new(
        problem: &'p Problem,
        field: &'p Field,
        quota: &'p [u32],
        aims: &'p Aims,
        penalty: i64,
    ) -> State<'p> {
        let n = field.ids.len();
        let customers = || field.ids.iter().map(|id| &problem.customers[*id as usize]);
        let (mut first, mut customer_of) = (Vec::with_capacity(n + 1), Vec::new());
        for (place, customer) in customers().enumerate() {
            first.push(customer_of.len() as u32);
            customer_of.extend(std::iter::repeat_n(place as u32, problem.most_visits(customer) as usize));
        }
        first.push(customer_of.len() as u32);
        let all = customer_of.len();
        let timed = problem.is_timed();
        let stretches = if timed { all } else { 0 };
        let depots = problem.depots.iter().map(|d| (d.x, d.y));
        let roomy = |depot: u32, longest: i32| {
            let (early, late) = problem.depots[depot as usize].window;
            late >= UNBOUND && early <= 0 || late.saturating_sub(early) >= longest
        };
        let slots = problem.vehicles.len() * problem.days as usize;
        let consistent = problem.consistent;
        let mut state = State {
            at: customers().map(|c| (c.x, c.y)).chain(depots).collect(),
            demand: customers().map(|c| c.demand).collect(),
            service: customers().map(|c| c.service).collect(),
            window: customers().map(|c| c.window).collect(),
            first,
            customer_of,
            assigned: vec![(0, 0); n],
            links: vec![LOOSE; all],
            tours: vec![],
            free: vec![],
            used: vec![0; slots],
            quota,
            route_on: if consistent { vec![NONE; slots] } else { vec![] },
            aims,
            work: if aims.work.is_empty() { vec![] } else { vec![0; problem.vehicles.len()] },
            is_soft: !aims.work.is_empty(),
            is_open: problem.fleets.len() == 1 && problem.fleets[0].is_empty(),
            change: aims.change,
            changed: 0,
            most_changed: u32::MAX,
            changed_before: 0,
            pinned: if problem.pins.is_empty() { vec![] } else { vec![false; all] },
            roomy: problem.vehicles.iter().map(|v| roomy(v.depot, v.max_duration)).collect(),
            before: vec![Stretch::default(); stretches],
            behind: vec![Stretch::default(); stretches],
            timed,
            periodic: problem.days > 1 || consistent,
            consistent,
            limited: problem.vehicles.iter().any(|v| v.max_duration < UNBOUND),
            unserved: (0..n as u32).collect(),
            unserved_at: (0..n as u32).collect(),
            penalty,
            cost: penalty * all as i64,
            log: vec![],
            spots: vec![],
            crew: vec![],
            near: vec![],
            home_far: vec![],
            reach: i64::MAX / 4,
            limit: i32::MAX,
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
        let mut assigned = std::collections::BTreeMap::<u32, (u16, u32)>::new();
        for route in routes {
            let tour = self.open(route.vehicle as u16, route.day as u16);
            let mut after = NONE;
            for customer in &route.stops {
                let (vehicle, days) = assigned.entry(*customer).or_default();
                (*vehicle, *days) = (route.vehicle as u16, *days | 1 << route.day);
                if self.unserved_at[*customer as usize] != NONE {
                    self.serve(*customer);
                }
                let visit = self.visits_of(*customer).find(|v| self.links[*v as usize].route == NONE);
                if let Some(visit) = visit {
                    self.link(visit, tour, after);
                    after = visit;
                }
            }
        }
        for (customer, now) in assigned {
            self.set_assigned(customer, now);
        }
        self.pin();
        self.keep();
    }

    /// Marks what the pins hold: visits that stand where their pin wants them.
    fn pin(&mut self) {
        for pin in &self.problem.pins {
            let tours = self.tours.iter_mut().filter(|t| t.count > 0);
            let mut same = tours
                .filter(|t| (u32::from(t.vehicle), u32::from(t.day)) == (pin.route.vehicle, pin.route.day));
            let Some(tour) = same.next() else { continue };
            if pin.closed {
                tour.room = CLOSED;
            }
            let mut visit = tour.first;
            for stop in &pin.route.stops {
                if visit == NONE || self.field.ids[self.customer_of[visit as usize] as usize] != *stop {
                    break;
                }
                self.pinned[visit as usize] = true;
                visit = self.links[visit as usize].next;
            }
        }
    }

    /// Whether a visit stays where it is.
    #[inline]
    pub fn is_pinned(&self, visit: u32) -> bool {
        !self.pinned.is_empty() && visit != NONE && self.pinned[visit as usize]
    }

    /// Whether a customer has a visit that stays where it is.
    pub fn is_held(&self, customer: u32) -> bool {
        !self.pinned.is_empty() && self.visits_of(customer).any(|v| self.pinned[v as usize])
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

    #[inline]
    fn has_window(&self, customer: u32) -> bool {
        let (early, late) = self.window[customer as usize];
        early > 0 || late < UNBOUND
    }

    /// Cost between customers or depots (which stand behind the customers).
    #[inline(always)]
    pub fn travel(&self, from: u32, to: u32) -> i32 {
        let far = || distance(self.at[from as usize], self.at[to as usize]);
        match &self.problem.metric {
            Metric::Nearest => (far() * self.problem.unit + 0.5) as i32,
            Metric::Down => (far() * self.problem.unit) as i32,
            Metric::Road { near, far: rest, town } => drive(far(), *near, *rest, *town),
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
    fn home_of(&self, vehicle: u16) -> u32 {
        self.customers() as u32 + self.problem.vehicles[usize::from(vehicle)].depot
    }

    /// How far a customer is from the nearest depot.
    pub fn depot_cost(&self, customer: u32) -> i32 {
        self.home_far[customer as usize]
    }

    // ---- moves ------------------------------------------------------------------------

    fn open(&mut self, vehicle: u16, day: u16) -> u32 {
        let kind = &self.problem.vehicles[usize::from(vehicle)];
        let fresh = Tour {
            first: NONE,
            last: NONE,
            count: 0,
            room: kind.capacity,
            stops: kind.max_stops,
            length: 0,
            longest: kind.max_duration,
            home: self.home_of(vehicle),
            vehicle,
            day,
            windows: 0,
            stale: true,
        };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.tours.push(fresh);
                self.tours.len() as u32 - 1
            }
        };
        self.log.push(Op::Opened { route: slot, before: self.tours[slot as usize] });
        self.tours[slot as usize] = fresh;
        slot
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
        let home = self.tours[route as usize].home;
        let next = match after {
            NONE => self.tours[route as usize].first,
            after => self.links[after as usize].next,
        };
        let place = |v: u32| if v == NONE { home } else { self.customer(v) };
        let (from, to) = (self.travel(place(after), customer), self.travel(customer, place(next)));
        let was = match (after, next) {
            (NONE, NONE) => 0,
            (NONE, next) => self.links[next as usize].from,
            (after, _) => self.links[after as usize].to,
        };
        let day = self.tours[route as usize].day;
        self.links[visit as usize] = Link { prev: after, next, route, from, to, day };
        self.tie(route, after, visit, from);
        self.tie(route, visit, next, to);
        self.count_in(route, customer, 1, from + to - was);
    }

    /// Makes one visit of a route the one behind another; `NONE` is the depot.
    #[inline]
    fn tie(&mut self, route: u32, before: u32, behind: u32, cost: i32) {
        match before {
            NONE => self.tours[route as usize].first = behind,
            before => {
                self.links[before as usize].next = behind;
                self.links[before as usize].to = cost;
            }
        }
        match behind {
            NONE => self.tours[route as usize].last = before,
            behind => {
                self.links[behind as usize].prev = before;
                self.links[behind as usize].from = cost;
            }
        }
    }

    /// Counts a visit into a route, or out of it (-1), and what that costs.
    #[inline]
    fn count_in(&mut self, route: u32, customer: u32, sign: i32, travel: i32) {
        let has_window = self.timed && self.has_window(customer);
        let (demand, service) = (self.demand[customer as usize], self.service[customer as usize]);
        let tour = &mut self.tours[route as usize];
        let before = tour.length;
        tour.count = tour.count.wrapping_add_signed(sign);
        tour.stops = tour.stops.wrapping_add_signed(-sign);
        tour.room -= sign * demand;
        tour.length += travel + sign * service;
        tour.stale = true;
        tour.windows = tour.windows.wrapping_add_signed(sign * i32::from(has_window));
        let tour = *tour;
        self.cost += i64::from(travel);
        if tour.count == u32::from(sign > 0) {
            let slot = self.slot(&tour);
            self.used[slot] = self.used[slot].wrapping_add_signed(sign);
            self.cost += i64::from(sign * self.problem.vehicles[usize::from(tour.vehicle)].fixed_cost);
            if self.consistent {
                self.route_on[slot] = if sign > 0 { route } else { NONE };
            }
        }
        if self.is_soft {
            let vehicle = usize::from(tour.vehicle);
            let work = self.work[vehicle];
            self.work[vehicle] = work + i64::from(tour.length - before);
            self.cost += self.imbalance(vehicle, work, tour.length - before)
                + self.day_imbalance(vehicle, before, tour.length)
                + i64::from(sign) * self.remoteness(customer, vehicle);
        }
    }

    /// What more work of a vehicle in the cycle costs.
    #[inline]
    fn imbalance(&self, vehicle: usize, work: i64, more: i32) -> i64 {
        let aim = &self.aims.work[vehicle];
        aim.cost(work + i64::from(more)) - aim.cost(work)
    }

    /// What a longer day of a vehicle costs.
    #[inline]
    fn day_imbalance(&self, vehicle: usize, before: i32, now: i32) -> i64 {
        let aim = &self.aims.day[vehicle];
        aim.cost(i64::from(now)) - aim.cost(i64::from(before))
    }

    #[inline]
    fn remoteness(&self, customer: u32, vehicle: usize) -> i64 {
        soft::remoteness(&self.problem.soft, self.at[customer as usize], self.aims.middle[vehicle])
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
        let Link { prev, next, route, from, to, .. } = self.links[visit as usize];
        let home = self.tours[route as usize].home;
        let place = |v: u32| if v == NONE { home } else { self.customer(v) };
        let short = if prev == NONE && next == NONE { 0 } else { self.travel(place(prev), place(next)) };
        self.tie(route, prev, next, short);
        self.links[visit as usize].route = NONE;
        self.count_in(route, customer, -1, short - from - to);
    }

    fn serve(&mut self, customer: u32) {
        let place = self.unserved_at[customer as usize] as usize;
        self.unserved.swap_remove(place);
        if let Some(moved) = self.unserved.get(place) {
            self.unserved_at[*moved as usize] = place as u32;
        }
        self.unserved_at[customer as usize] = NONE;
        self.cost -= self.penalty * self.visits_of(customer).len() as i64;
    }

    fn leave(&mut self, customer: u32) {
        self.unserved_at[customer as usize] = self.unserved.len() as u32;
        self.unserved.push(customer);
        self.cost += self.penalty * self.visits_of(customer).len() as i64;
    }

    /// Whether a way is as long as its way back, and a visit between two never a short cut.
    #[inline]
    pub fn is_symmetric(&self) -> bool {
        !matches!(self.problem.metric, Metric::Matrix(_))
    }

    pub fn is_served(&self, customer: u32) -> bool {
        self.unserved_at[customer as usize] == NONE
    }

    /// Gives a customer a vehicle and days; none of them takes them away.
    fn assign(&mut self, customer: u32, to: (u16, u32)) {
        let before = self.assigned[customer as usize];
        if before != to {
            self.log.push(Op::Assigned { customer, before });
            self.set_assigned(customer, to);
        }
    }

    fn set_assigned(&mut self, customer: u32, to: (u16, u32)) {
        let before = std::mem::replace(&mut self.assigned[customer as usize], to);
        self.cost += self.assignment(customer, to) - self.assignment(customer, before);
        self.changed = self.changed + u32::from(self.is_changed(customer, to))
            - u32::from(self.is_changed(customer, before));
    }

    fn assignment(&self, customer: u32, (vehicle, days): (u16, u32)) -> i64 {
        if days == 0 || !self.periodic {
            return 0;
        }
        let customer = self.field.ids[customer as usize] as usize;
        soft::assignment(self.problem, self.change, customer, u32::from(vehicle), days)
    }

    fn is_changed(&self, customer: u32, (vehicle, days): (u16, u32)) -> bool {
        let customer = self.field.ids[customer as usize] as usize;
        days != 0 && soft::is_changed(self.problem, customer, u32::from(vehicle), days)
    }

    /// Whether a customer may be given a vehicle and days without changing more customers
    /// than may be.
    fn may_change(&self, customer: u32, to: (u16, u32)) -> bool {
        self.changed < self.most_changed.max(self.changed_before)
            || !self.is_changed(customer, to)
            || self.is_changed(customer, self.assigned[customer as usize])
    }

    /// Keeps what was done since the last call.
    pub fn keep(&mut self) {
        self.log.clear();
        self.changed_before = self.changed;
    }

    /// Takes back what was done since the last [`State::keep`].
    pub fn undo(&mut self) {
        while let Some(op) = self.log.pop() {
            match op {
                Op::Linked { visit } => self.part_from(visit),
                Op::Unlinked { visit, route, prev } => {
                    if self.tours[route as usize].count == 0 {
                        self.free.pop();
                    }
                    self.join(visit, route, prev);
                }
                Op::Opened { route, before } => {
                    self.tours[route as usize] = before;
                    self.free.push(route);
                }
                Op::Assigned { customer, before } => self.set_assigned(customer, before),
                Op::Served { customer } => self.leave(customer),
                Op::Unserved { customer } => self.serve(customer),
            }
        }
    }

    /// Whether every rule still holds that taking visits out could break, and no more
    /// customers are changed than may be.
    pub fn is_sound(&mut self) -> bool {
        if self.changed > self.most_changed.max(self.changed_before) {
            return false;
        }
        if !self.timed && !self.limited {
            return true;
        }
        (0..self.log.len()).all(|n| match self.log[n] {
            Op::Unlinked { route, .. } => self.keeps_time(route),
            _ => true,
        })
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
