//! Where a customer can go: the cheapest place beside its neighbours on each day, and the
//! cheapest days.

use super::{ANY_DAY, NONE, Op, State};

/// Where a visit could go: behind `after` (`NONE`: first) in a route, or into a new one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    cost: i32,
    route: u32,
    after: u32,
    /// Of a new route.
    vehicle: u16,
}

/// Who looks for a place, and dice that overlook some.
struct Weighed {
    customer: u32,
    demand: i32,
    blink: u8,
    bits: u64,
    thrown: u32,
}

impl Weighed {
    #[inline]
    fn blinks(&mut self, rng: &mut fastrand::Rng) -> bool {
        if self.thrown == 8 {
            (self.bits, self.thrown) = (rng.u64(..), 0);
        }
        let blinked = (self.bits as u8) < self.blink;
        self.bits >>= 8;
        self.thrown += 1;
        blinked
    }
}

const NO_SPOT: Spot = Spot { cost: i32::MAX, route: NONE, after: NONE, vehicle: 0 };

/// Vehicles looked at for a customer all whose visits are by one.
const CREW: usize = 6;
/// How often, in 256, days are looked at on which nobody near is visited.
const WIDELY: u8 = 16;
/// Of those whom no neighbour has, so many whose middle is near are tried.
const STRANGERS: usize = 4;

impl State<'_> {
    /// Finds the cheapest place for a customer on each of `days` beside its neighbours;
    /// each place is overlooked with a chance of `blink` in 256.
    fn look<const PERIODIC: bool, const CONSISTENT: bool>(
        &mut self,
        customer: u32,
        days: u32,
        blink: u8,
        rng: &mut fastrand::Rng,
    ) {
        let cycle = self.problem.days as usize;
        let none = if PERIODIC { NO_SPOT } else { Spot { cost: self.limit, ..NO_SPOT } };
        self.spots.clear();
        self.spots.resize(if CONSISTENT { cycle * self.crew.len() } else { cycle }, none);
        let open = CONSISTENT && self.crew.is_empty();
        let mut weighed =
            Weighed { customer, demand: self.demand[customer as usize], blink, bits: 0, thrown: 8 };
        let (field, symmetric) = (self.field, self.is_symmetric());
        let row = customer as usize * field.k;
        let beside = row..row + field.beside.min(field.k);
        // Taken out, as what is asked below may change the rest of the state.
        let (costs, reach) = (std::mem::take(&mut self.near), self.reach);
        for (other, near) in field.near[beside.clone()].iter().zip(&costs[beside]) {
            let (other, near) = (*other, *near);
            if other == NONE
                || symmetric && !PERIODIC && 2 * i64::from(near) > i64::from(self.spots[0].cost) + reach
            {
                break;
            }
            let mut first = 0;
            if CONSISTENT {
                // All its visits are by one vehicle.
                let (vehicle, on) = self.assigned[other as usize];
                if on & days == 0 {
                    continue;
                }
                let slot = match self.crew.iter().position(|v| *v == vehicle) {
                    Some(slot) => slot,
                    None if open && self.crew.len() < CREW && self.may_visit(vehicle, customer) => {
                        self.crew.push(vehicle);
                        self.spots.resize(self.crew.len() * cycle, NO_SPOT);
                        self.crew.len() - 1
                    }
                    None => continue,
                };
                first = slot * cycle;
            }
            let visits = if PERIODIC { self.visits_of(other) } else { other..other + 1 };
            for visit in visits {
                let link = self.links[visit as usize];
                if link.route == NONE {
                    continue;
                }
                let mut spot = first;
                if PERIODIC {
                    if days & 1 << link.day == 0 {
                        continue;
                    }
                    spot += usize::from(link.day);
                }
                // What is farther from the customer than this neighbour is cannot be better
                // than this; what is nearer was looked at already.
                let best = self.spots[spot].cost;
                let hope = |was: i32, end: u32| !symmetric || end == NONE || 2 * near - was < best;
                let hopes = (hope(link.from, link.prev), hope(link.to, link.next));
                if hopes.0 || hopes.1 {
                    self.weigh(&mut weighed, visit, near, hopes, spot, rng);
                }
            }
        }
        self.near = costs;
        if !CONSISTENT {
            self.look_at_new(customer, days);
        }
    }

    /// Looks at the places before and behind a visit, where they may be cheaper than `spot`.
    #[inline(never)]
    fn weigh(
        &mut self,
        weighed: &mut Weighed,
        visit: u32,
        near: i32,
        hopes: (bool, bool),
        spot: usize,
        rng: &mut fastrand::Rng,
    ) {
        let link = self.links[visit as usize];
        let (customer, symmetric) = (weighed.customer, self.is_symmetric());
        if !self.takes(link.route, customer, weighed.demand) || weighed.blinks(rng) {
            return;
        }
        let home = self.tours[link.route as usize].home;
        for (behind, hope) in [(false, hopes.0), (true, hopes.1)] {
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
            if cost < self.spots[spot].cost
                && !self.is_pinned(next)
                && self.leaves_time(customer, link.route, (after, next), (from, to), cost)
            {
                self.spots[spot] = Spot { cost, route: link.route, after, vehicle: 0 };
            }
        }
    }

    /// Whether a vehicle has room for a customer whatever the time, and may visit it.
    #[inline]
    fn takes(&self, route: u32, customer: u32, demand: i32) -> bool {
        let tour = &self.tours[route as usize];
        demand <= tour.room && tour.stops > 0 && (self.consistent || self.may_visit(tour.vehicle, customer))
    }

    #[inline]
    fn may_visit(&self, vehicle: u16, customer: u32) -> bool {
        self.is_open || self.problem.may_visit(u32::from(vehicle), self.field.ids[customer as usize] as usize)
    }

    /// Whether a route has the time for a customer behind `after` that makes it longer.
    #[inline]
    fn leaves_time(
        &mut self,
        customer: u32,
        route: u32,
        between: (u32, u32),
        ways: (i32, i32),
        longer: i32,
    ) -> bool {
        if self.timed {
            return self.fits_in_time(customer, route, between, ways, longer);
        }
        let tour = &self.tours[route as usize];
        !self.limited || tour.length + longer + self.service[customer as usize] <= tour.longest
    }

    /// A route of its own, where a vehicle is left.
    fn look_at_new(&mut self, customer: u32, days: u32) {
        // There and back again costs at least twice the way to the nearest depot.
        let least = 2 * i64::from(self.depot_cost(customer));
        if self.is_symmetric() && !self.periodic && i64::from(self.spots[0].cost) <= least {
            return;
        }
        for vehicle in 0..self.problem.vehicles.len() as u16 {
            if self.may_visit(vehicle, customer) {
                self.look_at_own(customer, vehicle, days, 0);
            }
        }
    }

    /// A new route of one vehicle on each of `days`; spots of the first day are at `from`.
    fn look_at_own(&mut self, customer: u32, vehicle: u16, days: u32, first: usize) {
        let kind = &self.problem.vehicles[usize::from(vehicle)];
        if self.demand[customer as usize] > kind.capacity || kind.max_stops == 0 {
            return;
        }
        let home = self.home_of(vehicle);
        let (from, to) = (self.travel(home, customer), self.travel(customer, home));
        if !self.fits_alone(customer, vehicle, from, to) {
            return;
        }
        let cost = from.saturating_add(to).saturating_add(kind.fixed_cost);
        for day in bits(days) {
            let slot = usize::from(vehicle) * self.problem.days as usize + day;
            if cost < self.spots[first + day].cost && self.used[slot] < self.quota[slot] {
                self.spots[first + day] = Spot { cost, route: NONE, after: NONE, vehicle };
            }
        }
    }

    /// Vehicles for a customer none of whose neighbours has one that may visit it.
    fn find_crew(&mut self, customer: u32) {
        let at = self.at[customer as usize];
        let id = self.field.ids[customer as usize] as usize;
        let days = self.problem.days as usize;
        let here = |v: &u32| self.quota[*v as usize * days..][..days].iter().any(|q| *q > 0);
        let middle = |v: u32| match self.aims.middle.get(v as usize) {
            Some(middle) => *middle,
            None => self.at[self.home_of(v as u16) as usize],
        };
        let far = |v: u32| super::distance(at, middle(v));
        let mut near: Vec<(f64, u16)> =
            self.problem.fleet(id).filter(here).map(|v| (far(v), v as u16)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.crew.extend(near.iter().take(STRANGERS).map(|(_, v)| *v));
        self.spots.resize(self.crew.len() * days, NO_SPOT);
    }

    /// Days on which no neighbour is visited by one of the crew: first or last in the route
    /// there is, or a new one. `begun`: only days of patterns that have a place on another
    /// day; whoever is not near on any of them is far away on all.
    fn look_at_ends(&mut self, customer: u32, patterns: &[u32], begun: bool) {
        let cycle = self.problem.days as usize;
        let demand = self.demand[customer as usize];
        for slot in 0..self.crew.len() {
            let vehicle = self.crew[slot];
            let home = self.home_of(vehicle);
            let spots = &self.spots[slot * cycle..(slot + 1) * cycle];
            let placed = (0..cycle).fold(0, |set, day| set | u32::from(spots[day].cost < i32::MAX) << day);
            let wanted = patterns.iter().filter(|p| !begun || **p & placed != 0).fold(0, |all, p| all | p);
            let mut free = 0;
            for day in bits(wanted & !placed) {
                let spot = slot * cycle + day;
                let route = self.route_on[usize::from(vehicle) * cycle + day];
                if route == NONE {
                    free |= 1 << day;
                    continue;
                }
                if !self.takes(route, customer, demand) {
                    continue;
                }
                let tour = self.tours[route as usize];
                for (after, next) in [(NONE, tour.first), (tour.last, NONE)] {
                    self.offer(customer, route, home, (after, next), spot);
                }
            }
            if free != 0 {
                self.look_at_own(customer, vehicle, free, slot * cycle);
            }
        }
    }

    /// Takes a place into account.
    fn offer(&mut self, customer: u32, route: u32, home: u32, (after, next): (u32, u32), spot: usize) {
        let place = |v: u32| if v == NONE { home } else { self.customer_of[v as usize] };
        let (from, to) = (self.travel(place(after), customer), self.travel(customer, place(next)));
        let was = match (after, next) {
            (NONE, next) => self.links[next as usize].from,
            (after, _) => self.links[after as usize].to,
        };
        let cost = from + to - was;
        if cost < self.spots[spot].cost
            && !self.is_pinned(next)
            && self.leaves_time(customer, route, (after, next), (from, to), cost)
        {
            self.spots[spot] = Spot { cost, route, after, vehicle: 0 };
        }
    }

    /// The cheapest of a set of patterns, and the slot of the crew that it is for.
    fn choose(&self, customer: u32, patterns: &[u32]) -> Option<(usize, u32)> {
        let cycle = self.problem.days as usize;
        let service = self.service[customer as usize];
        let slots = if self.consistent { self.crew.len() } else { 1 };
        let mut best = None;
        for slot in 0..slots {
            let spots = &self.spots[slot * cycle..(slot + 1) * cycle];
            let vehicle = self.crew.get(slot).copied().unwrap_or(0);
            let away = match self.is_soft && self.consistent {
                true => self.remoteness(customer, usize::from(vehicle)),
                false => 0,
            };
            'patterns: for pattern in patterns {
                if !self.may_change(customer, (vehicle, *pattern)) {
                    continue;
                }
                let (mut travel, mut cost) = (0i64, 0i64);
                for day in bits(*pattern) {
                    let spot = spots[day];
                    if spot.cost == i32::MAX {
                        continue 'patterns;
                    }
                    travel += i64::from(spot.cost);
                    if self.is_soft && self.consistent {
                        let before =
                            if spot.route == NONE { 0 } else { self.tours[spot.route as usize].length };
                        cost += away
                            + self.day_imbalance(usize::from(vehicle), before, before + spot.cost + service);
                    }
                }
                if self.is_soft && self.consistent {
                    let more = travel + i64::from(pattern.count_ones() as i32 * service);
                    let work = self.work[usize::from(vehicle)];
                    cost += self.imbalance(usize::from(vehicle), work, more as i32);
                }
                cost += travel + self.assignment(customer, (vehicle, *pattern));
                if best.is_none_or(|(least, _, _)| cost < least) {
                    best = Some((cost, slot, *pattern));
                }
            }
        }
        best.map(|(_, slot, pattern)| (slot, pattern))
    }

    /// Puts a customer where it costs least: its visit of one day, or (`ANY_DAY`) all its
    /// visits on the days of its cheapest pattern. What fits nowhere is unserved.
    pub fn insert(&mut self, customer: u32, day: u32, blink: u8, rng: &mut fastrand::Rng) -> bool {
        if day != ANY_DAY && self.is_visited_on(customer, day) {
            return true;
        }
        let problem = self.problem;
        let set = problem.customers[self.field.ids[customer as usize] as usize].patterns as usize;
        let one = [1 << (day & 31)];
        let patterns: &[u32] = if day == ANY_DAY { &problem.patterns[set] } else { &one };
        let days = patterns.iter().fold(0, |all, days| all | days);
        self.crew.clear();
        if self.consistent && day != ANY_DAY {
            self.crew.push(self.assigned[customer as usize].0);
        }
        match (self.periodic, self.consistent) {
            (_, true) => self.look::<true, true>(customer, days, blink, rng),
            (true, false) => self.look::<true, false>(customer, days, blink, rng),
            (false, false) => self.look::<false, false>(customer, days, blink, rng),
        }
        let chosen = match (day, self.consistent) {
            (ANY_DAY, true) => {
                let begun = rng.u8(..) >= WIDELY;
                self.choose_crew(customer, patterns, begun)
            }
            (ANY_DAY, false) if self.periodic => self.choose(customer, patterns),
            (_, consistent) => {
                if consistent {
                    self.look_at_ends(customer, patterns, false);
                }
                let day = days.trailing_zeros();
                (self.spots[day as usize].cost < self.limit).then_some((0, days))
            }
        };
        if chosen.is_none() && self.limit < i32::MAX {
            // The step is taken back as it is.
            return false;
        }
        self.put(customer, day == ANY_DAY, chosen)
    }

    /// The cheapest pattern and vehicle: one that has visits near by, then any of the crew,
    /// then those whom no neighbour has; one of them may have nobody yet.
    fn choose_crew(&mut self, customer: u32, patterns: &[u32], begun: bool) -> Option<(usize, u32)> {
        for begun in [begun, false] {
            self.look_at_ends(customer, patterns, begun);
            let chosen = self.choose(customer, patterns);
            if chosen.is_some() {
                return chosen;
            }
        }
        self.crew.clear();
        self.spots.clear();
        self.find_crew(customer);
        self.look_at_ends(customer, patterns, false);
        self.choose(customer, patterns)
    }

    /// Puts all visits of a customer into routes of one vehicle on these days, wherever in
    /// them it costs least.
    pub fn insert_as(&mut self, customer: u32, vehicle: u16, days: u32) -> bool {
        let cycle = self.problem.days as usize;
        let demand = self.demand[customer as usize];
        let home = self.home_of(vehicle);
        self.crew.clear();
        self.crew.push(vehicle);
        self.spots.clear();
        self.spots.resize(cycle, NO_SPOT);
        for day in bits(days) {
            let route = self.route_on[usize::from(vehicle) * cycle + day];
            if route == NONE {
                self.look_at_own(customer, vehicle, 1 << day, 0);
            } else if self.takes(route, customer, demand) {
                let mut after = NONE;
                loop {
                    let next = match after {
                        NONE => self.tours[route as usize].first,
                        after => self.links[after as usize].next,
                    };
                    self.offer(customer, route, home, (after, next), day);
                    if next == NONE {
                        break;
                    }
                    after = next;
                }
            }
        }
        let fits = bits(days).all(|day| self.spots[day].cost < i32::MAX);
        fits && self.put(customer, true, Some((0, days)))
    }

    /// Puts visits on the spots that were found; `whole`: all of the customer's.
    fn put(&mut self, customer: u32, whole: bool, chosen: Option<(usize, u32)>) -> bool {
        let Some((slot, pattern)) = chosen else {
            self.give_up(customer);
            return false;
        };
        if whole {
            if !self.is_served(customer) {
                self.serve(customer);
                self.log.push(Op::Served { customer });
            }
            self.assign(customer, (self.crew.get(slot).copied().unwrap_or(0), pattern));
        }
        let mut days = bits(pattern);
        for visit in self.visits_of(customer) {
            if self.links[visit as usize].route != NONE {
                continue;
            }
            let Some(day) = days.next() else { break };
            let spot = self.spots[slot * self.problem.days as usize + day];
            let route = match spot.route {
                NONE => self.open(spot.vehicle, day as u16),
                route => route,
            };
            self.link(visit, route, spot.after);
        }
        true
    }

    /// A visit in each route of a vehicle that may visit a customer, on the days of one of
    /// its patterns; both by chance.
    pub fn somewhere_for(&self, customer: u32, rng: &mut fastrand::Rng) -> Vec<u32> {
        let id = self.field.ids[customer as usize] as usize;
        let patterns = &self.problem.patterns[self.problem.customers[id].patterns as usize];
        let days = self.problem.days as usize;
        let here = |v: &u32| self.quota[*v as usize * days..][..days].iter().any(|q| *q > 0);
        let fleet: Vec<u32> = self.problem.fleet(id).filter(here).collect();
        if fleet.is_empty() {
            return vec![];
        }
        let vehicle = fleet[rng.usize(..fleet.len())] as usize;
        let pattern = patterns[rng.usize(..patterns.len())];
        let routes = bits(pattern).map(|day| self.route_on[vehicle * days + day]).filter(|r| *r != NONE);
        let tours: Vec<_> = routes.map(|r| self.tours[r as usize]).collect();
        let any = |tour: super::Tour| self.walk(tour.first).nth(rng.usize(..tour.count.max(1) as usize));
        tours.into_iter().filter_map(any).collect()
    }

    fn is_visited_on(&self, customer: u32, day: u32) -> bool {
        let routes = self.visits_of(customer).map(|v| self.route_of(v)).filter(|r| *r != NONE);
        routes.map(|r| self.tours[r as usize].day).any(|d| u32::from(d) == day)
    }

    /// Takes a customer out altogether.
    fn give_up(&mut self, customer: u32) {
        for visit in self.visits_of(customer) {
            if self.route_of(visit) != NONE {
                self.unlink(visit);
            }
        }
        if self.is_served(customer) {
            self.assign(customer, (0, 0));
            self.leave(customer);
            self.log.push(Op::Unserved { customer });
        }
    }
}

/// The numbers of the bits that are set, lowest first.
fn bits(mut set: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros() as usize);
        set &= set.wrapping_sub(1);
        bit
    })
}
