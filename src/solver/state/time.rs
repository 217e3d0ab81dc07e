//! When the visits of a route can be: windows and durations in constant time.

use super::{NONE, State};

/// A stretch of a route that is driven without waiting where it can be: how long it takes
/// and when it may begin (the segments of Vidal et al., 2013, without their time warp).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stretch {
    pub lasts: i32,
    pub early: i32,
    pub late: i32,
}

impl Stretch {
    /// One after the other with `travel` between them; none if that comes too late.
    pub fn then(self, next: Stretch, travel: i32) -> Option<Stretch> {
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

impl State<'_> {
    fn stretch(&self, customer: u32) -> Stretch {
        let (early, late) = self.window(customer);
        Stretch { lasts: self.service[customer as usize], early, late }
    }

    fn depot_stretch(&self, vehicle: u16) -> Stretch {
        let vehicle = &self.problem.vehicles[usize::from(vehicle)];
        let (early, late) = self.problem.depots[vehicle.depot as usize].window;
        Stretch { lasts: 0, early, late }
    }

    /// Computes when the visits of a route can be.
    fn retime(&mut self, route: u32) {
        let tour = self.tours[route as usize];
        let depot = self.depot_stretch(tour.vehicle);
        let mut sofar = depot;
        let mut visit = tour.first;
        while visit != NONE {
            let link = self.links[visit as usize];
            let here = self.stretch(self.customer(visit));
            // Only where a detour can be shorter than the straight way does a route become
            // late by what is taken out of it.
            sofar = sofar.then(here, link.from).unwrap_or(Stretch { late: -1, ..here });
            self.before[visit as usize] = sofar;
            visit = link.next;
        }
        let mut rest = depot;
        let mut visit = tour.last;
        while visit != NONE {
            let link = self.links[visit as usize];
            let here = self.stretch(self.customer(visit));
            rest = here.then(rest, link.to).unwrap_or(Stretch { late: -1, ..here });
            self.behind[visit as usize] = rest;
            visit = link.prev;
        }
        self.tours[route as usize].stale = false;
    }

    /// No visit of a route has a window, and the depot's leaves all the time there is: its
    /// length says everything.
    #[inline]
    fn is_untimed(&self, route: u32) -> bool {
        let tour = &self.tours[route as usize];
        tour.windows == 0 && self.roomy[usize::from(tour.vehicle)]
    }

    /// Whether a route keeps its windows and its longest duration with a customer behind
    /// `after`.
    #[inline]
    pub(super) fn fits_in_time(
        &mut self,
        customer: u32,
        route: u32,
        (after, next): (u32, u32),
        (from, to): (i32, i32),
        longer: i32,
    ) -> bool {
        let tour = self.tours[route as usize];
        if self.is_untimed(route) && !self.has_window(customer) {
            return tour.length + longer + self.service[customer as usize] <= tour.longest;
        }
        if tour.stale {
            self.retime(route);
        }
        let depot = self.depot_stretch(tour.vehicle);
        let before = if after == NONE { depot } else { self.before[after as usize] };
        let behind = if next == NONE { depot } else { self.behind[next as usize] };
        let whole = before.then(self.stretch(customer), from).and_then(|part| part.then(behind, to));
        whole.is_some_and(|whole| whole.lasts <= tour.longest)
    }

    /// Whether a customer alone fits into a vehicle's day.
    pub(super) fn fits_alone(&self, customer: u32, vehicle: u16, from: i32, to: i32) -> bool {
        let lasts = from.saturating_add(to).saturating_add(self.service[customer as usize]);
        let longest = self.problem.vehicles[usize::from(vehicle)].max_duration;
        if !self.timed || lasts > longest {
            return lasts <= longest;
        }
        let depot = self.depot_stretch(vehicle);
        let whole = depot.then(self.stretch(customer), from).and_then(|part| part.then(depot, to));
        whole.is_some_and(|whole| whole.lasts <= longest)
    }

    /// Whether a route that visits were taken out of still keeps its times.
    pub(super) fn keeps_time(&mut self, route: u32) -> bool {
        let tour = self.tours[route as usize];
        if tour.count == 0 {
            return true;
        }
        if !self.timed || self.is_untimed(route) {
            return tour.length <= tour.longest;
        }
        if tour.stale {
            self.retime(route);
        }
        let depot = self.depot_stretch(tour.vehicle);
        let (whole, home) = (self.before[tour.last as usize], self.links[tour.last as usize].to);
        whole.late >= 0 && whole.then(depot, home).is_some_and(|whole| whole.lasts <= tour.longest)
    }
}
