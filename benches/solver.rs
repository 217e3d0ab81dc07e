//! What the optimiser's steps cost: `cargo bench --bench solver`.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pams::solver::Ruin;
use pams::solver::anneal::Annealer;
use pams::solver::check::check;
use pams::solver::engine::{Control, Limit, Params, Tuning, solve};
use pams::solver::geometry::{along_curve, neighbours};
use pams::solver::journey::{build, made};
use pams::solver::problem::{Customer, Depot, Plan, Problem, Route, UNBOUND, Vehicle};
use pams::solver::soft::Aims;
use pams::solver::state::{ANY_DAY, Field, NONE, State};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Customers anywhere in a square, with or without windows.
fn spread(n: usize, timed: bool) -> Problem {
    let mut rng = fastrand::Rng::with_seed(1);
    let side = (n as f64).sqrt() * 30.0;
    let mut customer = |label: usize| {
        let early = rng.i32(0..20_000);
        Customer {
            label: label as u32 + 1,
            x: rng.f64() * side,
            y: rng.f64() * side,
            demand: rng.i32(1..20),
            service: 10,
            window: if timed { (early, early + 4_000) } else { (0, UNBOUND) },
            ..Customer::default()
        }
    };
    Problem {
        customers: (0..n).map(&mut customer).collect(),
        depots: vec![Depot { label: 0, x: side / 2.0, y: side / 2.0, window: (0, 40_000) }],
        vehicles: vec![Vehicle { capacity: 150, ..Vehicle::default() }],
        ..Problem::default()
    }
}

fn planned(problem: &Problem) -> Plan {
    let start = Instant::now();
    let clock = || start.elapsed();
    let cancel = AtomicBool::new(false);
    let params = Params {
        limit: Limit::Time(Duration::from_secs(2)),
        threads: 1,
        seed: 1,
        initial: None,
        edited: vec![],
        tuning: Tuning::default(),
    };
    solve(problem, &params, &mut Control { clock: &clock, cancel: &cancel, progress: &mut |_, _| {} }).plan
}

fn field(problem: &Problem, k: usize) -> Field {
    let order = along_curve(problem, &(0..problem.customers.len() as u32).collect::<Vec<u32>>());
    Field { near: neighbours(problem, &order, k), ids: order, k, beside: k }
}

/// A state that holds a plan.
fn with_state(problem: &Problem, k: usize, plan: &Plan, then: impl FnOnce(&mut State)) {
    let (field, quota) = (field(problem, k), problem.quota());
    let aims = if problem.has_wishes() { Aims::of(problem, &plan.routes) } else { Aims::default() };
    let mut place = vec![0; field.ids.len()];
    field.ids.iter().enumerate().for_each(|(n, id)| place[*id as usize] = n as u32);
    let inside = |r: &Route| Route { stops: r.stops.iter().map(|s| place[*s as usize]).collect(), ..*r };
    let mut state = State::new(problem, &field, &quota, &aims, 10_000_000);
    state.load(&plan.routes.iter().map(inside).collect::<Vec<Route>>());
    state.reach = i64::from(i32::MAX);
    then(&mut state);
}

fn geometry(c: &mut Criterion) {
    let problem = spread(50_000, false);
    let order = along_curve(&problem, &(0..50_000).collect::<Vec<u32>>());
    let mut group = c.benchmark_group("neighbour lists");
    group.sample_size(10);
    group.bench_function("50,000 x 48", |b| b.iter(|| black_box(neighbours(&problem, &order, 48))));
    group.finish();
}

fn steps(c: &mut Criterion) {
    let journey = build(&made::towns(3_000, 1), None);
    let journey = journey.map(|built| built.problem).unwrap_or_default();
    let kinds = [("capacity", spread(3_000, false)), ("windows", spread(3_000, true)), ("journey", journey)];
    for (name, problem) in kinds {
        let plan = planned(&problem);
        with_state(&problem, 48, &plan, |state| {
            let mut annealer = Annealer::new(1, Ruin::default());
            c.bench_function(&format!("one iteration, {name}"), |b| {
                b.iter(|| black_box(annealer.step(state, 5.0)));
            });
            let mut rng = fastrand::Rng::with_seed(1);
            c.bench_function(&format!("insertion, {name}"), |b| {
                b.iter(|| {
                    let customer = rng.u32(..state.customers() as u32);
                    for visit in state.visits_of(customer) {
                        if state.route_of(visit) != NONE {
                            state.unlink(visit);
                        }
                    }
                    black_box(state.insert(customer, ANY_DAY, 0, &mut rng));
                    state.undo();
                });
            });
        });
        c.bench_function(&format!("feasibility of a plan, {name}"), |b| {
            b.iter_batched(
                || plan.clone(),
                |plan| black_box(check(&problem, &plan).is_ok()),
                BatchSize::LargeInput,
            );
        });
    }
}

criterion_group!(benches, geometry, steps);
criterion_main!(benches);
