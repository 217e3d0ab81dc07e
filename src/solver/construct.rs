//! A first plan: savings (Clarke and Wright, 1964) between near customers only, where
//! capacity and length are all that binds. Other problems begin empty and are filled by
//! insertion.

use super::problem::{Problem, Route, UNBOUND};
use super::state::{Field, NONE};

/// Neighbours whose savings are looked at.
const NEAR: usize = 100;

/// Routes by savings, in customers of the field; none where windows, days or several
/// kinds of vehicles bind.
pub fn savings(problem: &Problem, field: &Field) -> Vec<Route> {
    let [vehicle] = problem.vehicles.as_slice() else { return vec![] };
    if problem.days > 1 || problem.is_timed() || vehicle.count != u32::MAX {
        return vec![];
    }
    let n = field.ids.len();
    let home = problem.depot_place(vehicle.depot);
    let place = |c: usize| field.ids[c] as usize;
    let out: Vec<i32> = (0..n).map(|c| problem.travel(home, place(c))).collect();
    let back: Vec<i32> = (0..n).map(|c| problem.travel(place(c), home)).collect();
    let mut pairs: Vec<(i32, u32, u32)> = Vec::new();
    for (a, home) in back.iter().enumerate() {
        for b in field.near(a as u32).iter().take(NEAR).take_while(|b| **b != NONE) {
            let saved = home + out[*b as usize] - problem.travel(place(a), place(*b as usize));
            // Each pair once, unless it is only on one of the two lists.
            let twice = a as u32 > *b && field.near(*b).iter().take(NEAR).any(|c| *c == a as u32);
            if saved > 0 && !twice {
                pairs.push((saved, a as u32, *b));
            }
        }
    }
    pairs.sort_unstable_by(|a, b| b.cmp(a));
    let serve = |c: usize| &problem.customers[place(c)];
    let mut routes = Joined {
        leader: (0..n as u32).collect(),
        load: (0..n).map(|c| i64::from(serve(c).demand)).collect(),
        length: (0..n)
            .map(|c| i64::from(out[c]) + i64::from(back[c]) + i64::from(serve(c).service))
            .collect(),
        beside: vec![[NONE; 2]; n],
    };
    let longest = if vehicle.max_duration < UNBOUND { i64::from(vehicle.max_duration) } else { i64::MAX };
    for (saved, a, b) in pairs {
        routes.join(a, b, i64::from(saved), i64::from(vehicle.capacity), longest);
    }
    let fits = |c: usize| {
        i64::from(serve(c).demand) <= i64::from(vehicle.capacity)
            && i64::from(out[c]) + i64::from(back[c]) + i64::from(serve(c).service) <= longest
    };
    let mut seen = vec![false; n];
    let mut all = Vec::new();
    for end in 0..n {
        if seen[end] || routes.beside[end][1] != NONE || !fits(end) {
            continue;
        }
        let mut stops = Vec::new();
        let (mut before, mut at) = (NONE, end as u32);
        while at != NONE {
            seen[at as usize] = true;
            stops.push(at);
            let [a, b] = routes.beside[at as usize];
            let next = if a == before { b } else { a };
            // At the first stop nothing is before it.
            let next = if before == NONE && stops.len() == 1 { a } else { next };
            (before, at) = (at, next);
        }
        all.push(Route { vehicle: 0, day: 0, stops });
    }
    all
}

/// Paths that grow at their ends.
struct Joined {
    leader: Vec<u32>,
    load: Vec<i64>,
    length: Vec<i64>,
    /// The customers beside each one; both are set inside a path.
    beside: Vec<[u32; 2]>,
}

impl Joined {
    fn find(&mut self, mut of: u32) -> usize {
        while self.leader[of as usize] != of {
            self.leader[of as usize] = self.leader[self.leader[of as usize] as usize];
            of = self.leader[of as usize];
        }
        of as usize
    }

    fn join(&mut self, a: u32, b: u32, saved: i64, capacity: i64, longest: i64) {
        if self.beside[a as usize][1] != NONE || self.beside[b as usize][1] != NONE {
            return;
        }
        let (of_a, of_b) = (self.find(a), self.find(b));
        let (load, length) =
            (self.load[of_a] + self.load[of_b], self.length[of_a] + self.length[of_b] - saved);
        if of_a == of_b || load > capacity || length > longest {
            return;
        }
        self.leader[of_b] = of_a as u32;
        (self.load[of_a], self.length[of_a]) = (load, length);
        for (at, other) in [(a, b), (b, a)] {
            let slot = usize::from(self.beside[at as usize][0] != NONE);
            self.beside[at as usize][slot] = other;
        }
    }
}
