//! The optimiser: plans against exact ones, the checker against broken plans, the same
//! plan for the same seed, and instances that are no good.

use crate::program::EXE;
use pams::solver::check::check;
use pams::solver::engine::{Control, Limit, Params, Solved, Tuning, solve};
use pams::solver::problem::{Customer, Depot, Metric, Plan, Problem, Route, UNBOUND, Vehicle, Why};
use pams::solver::read::{read, read_solution, write_solution};
use proptest::prelude::*;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn customer(label: u32, x: f64, y: f64, demand: i32) -> Customer {
    Customer { label, x, y, demand, ..Customer::default() }
}

fn problem(customers: Vec<Customer>, capacity: i32) -> Problem {
    Problem {
        name: "made".into(),
        depots: vec![Depot { label: 0, x: 0.0, y: 0.0, window: (0, UNBOUND) }],
        customers,
        vehicles: vec![Vehicle { capacity, ..Vehicle::default() }],
        ..Problem::default()
    }
}

fn params(limit: Limit, threads: usize, seed: u64) -> Params {
    Params { limit, threads, seed, initial: None, edited: vec![], tuning: Tuning::default() }
}

fn run(problem: &Problem, params: &Params) -> Solved {
    problem.check().unwrap();
    let start = Instant::now();
    let clock = || start.elapsed();
    let cancel = AtomicBool::new(false);
    solve(problem, params, &mut Control { clock: &clock, cancel: &cancel, progress: &mut |_, _| {} })
}

/// Customers spread without any order, the same for the same seed.
fn spread(n: usize, seed: u64) -> Vec<Customer> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut place = || f64::from(rng.i32(0..1_000));
    (0..n).map(|n| customer(n as u32 + 1, place(), place(), 1 + (n as i32 * 7) % 13)).collect()
}

// ---- exact ---------------------------------------------------------------------------------

/// The cheapest way to visit exactly these customers in one route of a day, by trying every
/// order with the checker's own rules.
fn cheapest_route(problem: &Problem, stops: &mut Vec<u32>, from: usize, best: &mut Option<i64>) {
    if from == stops.len() {
        let mut alone = problem.clone();
        // The checker wants everybody: those who are not on this route are left unserved.
        alone.days = 1;
        alone.patterns = vec![vec![1]];
        alone.customers.iter_mut().for_each(|c| c.patterns = 0);
        let plan = Plan {
            routes: vec![Route { vehicle: 0, day: 0, stops: stops.clone() }],
            unserved: (0..problem.customers.len() as u32).filter(|c| !stops.contains(c)).collect(),
        };
        if let Ok(worth) = check(&alone, &plan) {
            *best = Some(best.map_or(worth.cost, |b: i64| b.min(worth.cost)));
        }
        return;
    }
    for other in from..stops.len() {
        stops.swap(from, other);
        cheapest_route(problem, stops, from + 1, best);
        stops.swap(from, other);
    }
}

/// The cost of the best plan that serves everybody, if there is one.
fn exact(problem: &Problem) -> Option<i64> {
    let n = problem.customers.len();
    let sets = 1usize << n;
    let mut route = vec![None; sets];
    for (set, best) in route.iter_mut().enumerate().skip(1) {
        let mut stops: Vec<u32> = (0..n as u32).filter(|c| set & 1 << c != 0).collect();
        cheapest_route(problem, &mut stops, 0, best);
    }
    // Cheapest day for each set of customers with at most `count` routes.
    let most = (problem.vehicles[0].count as usize).min(n);
    let mut day = vec![vec![None; sets]; most + 1];
    day[0][0] = Some(0i64);
    for used in 1..=most {
        for set in 0..sets {
            let mut best = day[used - 1][set];
            let mut part = set;
            while part > 0 {
                if let (Some(a), Some(b)) = (route[part], day[used - 1][set & !part]) {
                    best = Some(best.map_or(a + b, |c: i64| c.min(a + b)));
                }
                part = (part - 1) & set;
            }
            day[used][set] = best;
        }
    }
    // Every choice of patterns.
    let choices: Vec<&Vec<u32>> =
        problem.customers.iter().map(|c| &problem.patterns[c.patterns as usize]).collect();
    let mut best = None;
    let mut chosen = vec![0usize; n];
    loop {
        let of_day = |d: u32| {
            (0..n).filter(|c| choices[*c][chosen[*c]] & 1 << d != 0).map(|c| 1usize << c).sum::<usize>()
        };
        let sum: Option<i64> = (0..problem.days).map(|d| day[most][of_day(d)]).sum();
        best = match (best, sum) {
            (Some(a), Some(b)) => Some(std::cmp::min::<i64>(a, b)),
            (a, b) => a.or(b),
        };
        let Some(next) = (0..n).find(|c| chosen[*c] + 1 < choices[*c].len()) else { break };
        chosen[next] += 1;
        chosen[..next].fill(0);
    }
    best
}

fn small() -> impl Strategy<Value = Problem> {
    let place = (0i32..100, 0i32..100, 1i32..10, 0i32..8, 0i32..300, 40i32..400, 0u32..3);
    let more = (8i32..30, any::<bool>(), any::<bool>(), any::<bool>(), 1u32..4);
    (prop::collection::vec(place, 1..6), more).prop_map(
        |(places, (capacity, timed, long, periodic, count))| {
            let mut made = problem(vec![], capacity);
            if periodic {
                made.days = 2;
                made.patterns = vec![vec![1, 2], vec![3], vec![1, 2, 3]];
                // A set of one, of two or of any number of days is not what the field has: the
                // last is only ever cheapest with one visit.
                made.patterns[2] = vec![2];
            }
            for (n, (x, y, demand, service, early, wide, set)) in places.into_iter().enumerate() {
                let window = if timed { (early, early + wide) } else { (0, UNBOUND) };
                made.customers.push(Customer {
                    service,
                    window,
                    patterns: if periodic { set } else { 0 },
                    ..customer(n as u32 + 1, f64::from(x), f64::from(y), demand)
                });
            }
            made.vehicles[0].count = if periodic { count } else { u32::MAX };
            made.vehicles[0].max_duration = if long { 420 } else { UNBOUND };
            made
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// On problems small enough to try everything, the engine finds the best there is.
    #[test]
    fn small_problems_are_solved_exactly(made in small()) {
        let Solved { plan, .. } = run(&made, &params(Limit::Steps(3_000), 1, 1));
        let worth = check(&made, &plan).unwrap();
        match exact(&made) {
            Some(best) => {
                prop_assert_eq!(worth.unserved, 0, "a plan for everybody exists");
                prop_assert_eq!(worth.cost, best);
            }
            None => prop_assert!(worth.unserved > 0),
        }
    }
}

// ---- the checker ---------------------------------------------------------------------------

#[test]
fn the_checker_finds_every_broken_rule() {
    let mut made = problem(spread(4, 1), 20);
    made.days = 2;
    made.patterns = vec![vec![1], vec![3]];
    made.customers[3].patterns = 1;
    made.customers[0].demand = 15;
    made.customers[1].demand = 6;
    made.customers[2].demand = 1;
    made.customers[3].demand = 1;
    made.vehicles[0].count = 2;
    let route = |day: u32, stops: &[u32]| Route { vehicle: 0, day, stops: stops.to_vec() };
    let good = Plan { routes: vec![route(0, &[0, 2]), route(0, &[1, 3]), route(1, &[3])], unserved: vec![] };
    assert_eq!(check(&made, &good).unwrap().visits, 5);
    let wrong = |problem: &Problem, plan: &Plan, words: &str| {
        let wrong = check(problem, plan).expect_err(words);
        assert!(wrong.iter().any(|w| w.contains(words)), "{words}: {wrong:?}");
    };
    let with = |routes: Vec<Route>| Plan { routes, unserved: vec![] };
    wrong(&made, &with(vec![route(0, &[0, 1, 2]), route(0, &[3]), route(1, &[3])]), "carries 22");
    wrong(&made, &with(vec![route(0, &[0, 2]), route(0, &[1, 3])]), "none of its combinations");
    wrong(&made, &with(vec![route(0, &[0]), route(0, &[1, 3]), route(1, &[3])]), "Customer 3 is missing");
    wrong(&made, &with(vec![route(0, &[0, 2]), route(0, &[1, 3, 3]), route(1, &[3])]), "visited twice");
    wrong(
        &made,
        &with(vec![route(0, &[0]), route(0, &[2]), route(0, &[1, 3]), route(1, &[3])]),
        "of which there are 2",
    );
    wrong(&made, &with(vec![route(0, &[0, 2]), route(0, &[1, 3]), route(2, &[3])]), "not there");
    wrong(&made, &with(vec![route(0, &[0, 2, 9]), route(0, &[1, 3]), route(1, &[3])]), "not there");
    wrong(
        &made,
        &with(vec![route(0, &[0, 2]), route(0, &[1, 3]), route(1, &[3]), route(1, &[])]),
        "visits nobody",
    );
    let both = Plan { unserved: vec![2], ..good.clone() };
    wrong(&made, &both, "called unserved");
    let twice =
        Plan { routes: vec![route(0, &[0]), route(0, &[1, 3]), route(1, &[3])], unserved: vec![2, 2] };
    wrong(&made, &twice, "unserved twice");
    let mut late = made.clone();
    late.customers[2].window = (0, 1);
    wrong(&late, &good, "later than 1");
    let mut early = made.clone();
    early.depots[0].window = (0, 10);
    wrong(&early, &good, "is back at");
    let mut long = made.clone();
    long.vehicles[0].max_duration = 10;
    wrong(&long, &good, "lasts");
    // Waiting counts, but not what leaving later saves.
    let mut waits = problem(vec![customer(1, 3.0, 4.0, 1), customer(2, 6.0, 8.0, 1)], 9);
    waits.customers[0].window = (100, 110);
    waits.customers[1].window = (200, 210);
    waits.vehicles[0].max_duration = 105;
    let plan = Plan { routes: vec![route(0, &[0, 1])], unserved: vec![] };
    assert_eq!(check(&waits, &plan).unwrap().cost, 20);
    waits.vehicles[0].max_duration = 104;
    wrong(&waits, &plan, "lasts 105");
}

// ---- the engine ----------------------------------------------------------------------------

#[test]
fn the_same_seed_gives_the_same_plan_whatever_the_threads() {
    for n in [150, 900] {
        let made = problem(spread(n, 5), 60);
        let plans: Vec<Plan> =
            [1, 2, 4].map(|threads| run(&made, &params(Limit::Steps(6_000), threads, 7)).plan).into();
        assert_eq!(plans[0], plans[1]);
        assert_eq!(plans[0], plans[2]);
        assert_ne!(
            plans[0],
            run(&made, &params(Limit::Steps(6_000), 2, 8)).plan,
            "another seed, another plan"
        );
        check(&made, &plans[0]).unwrap();
    }
}

#[test]
fn more_steps_are_no_worse_and_a_plan_given_is_improved() {
    let made = problem(spread(400, 3), 60);
    let little = run(&made, &params(Limit::Steps(1_000), 2, 1)).plan;
    let before = check(&made, &little).unwrap().cost;
    let text = write_solution(&made, &little, before as f64);
    let again = read_solution(&made, &text).unwrap();
    assert_eq!(check(&made, &again).unwrap().cost, before);
    let after = Params { initial: Some(again), ..params(Limit::Steps(60_000), 2, 2) };
    let after = check(&made, &run(&made, &after).plan).unwrap().cost;
    assert!(after < before, "{after} of {before}");
}

/// Cancelled at any moment, what there is is a plan, and it comes at once.
#[test]
fn a_cancelled_run_keeps_its_best_plan() {
    let mut made = problem(spread(600, 9), 50);
    for (n, c) in made.customers.iter_mut().enumerate() {
        c.window = (n as i32, n as i32 + 4_000);
        c.service = 10;
    }
    for wait in [0, 3, 20, 90, 250] {
        let start = Instant::now();
        let clock = || start.elapsed();
        let cancel = AtomicBool::new(false);
        let solved = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(wait));
                cancel.store(true, Ordering::Relaxed);
            });
            let mut control = Control { clock: &clock, cancel: &cancel, progress: &mut |_, _| {} };
            solve(&made, &params(Limit::Time(Duration::from_secs(600)), 2, wait), &mut control)
        });
        assert_eq!(check(&made, &solved.plan).unwrap().unserved, 0);
    }
}

#[test]
fn problems_at_the_edge_get_a_plan_or_a_sentence() {
    let steps = params(Limit::Steps(2_000), 2, 1);
    let none = problem(vec![], 10);
    assert_eq!(run(&none, &steps).plan, Plan::default());
    let one = problem(vec![customer(1, 3.0, 4.0, 1)], 10);
    assert_eq!(check(&one, &run(&one, &steps).plan).unwrap().cost, 10);
    let same = problem((1..50).map(|n| customer(n, 5.0, 5.0, 1)).collect(), 10);
    assert_eq!(check(&same, &run(&same, &steps).plan).unwrap().routes, 5);
    let mut never = problem(spread(30, 2), 20);
    never.customers[3].demand = 21;
    never.customers[4].window = (0, 0);
    let plan = run(&never, &steps).plan;
    check(&never, &plan).unwrap();
    assert_eq!(plan.unserved, [3, 4]);
    assert_eq!([3, 4].map(|c| never.why_never(c)), [Some(Why::Capacity), Some(Why::Window)]);
    let mut few = problem(spread(30, 2), 20);
    few.vehicles[0].count = 1;
    let plan = run(&few, &steps).plan;
    assert!(check(&few, &plan).unwrap().unserved > 0);
    assert_eq!(few.why_never(plan.unserved[0] as usize), None, "it is only that the vehicle is full");
    let refused = |change: fn(&mut Problem), words: &str| {
        let mut made = problem(spread(5, 1), 20);
        change(&mut made);
        assert!(made.check().unwrap_err().contains(words), "{words}");
    };
    refused(|p| p.customers[2].x = f64::NAN, "not a number");
    refused(|p| p.customers[2].label = 1, "two places called 1");
    refused(|p| p.customers[2].demand = -1, "below nothing");
    refused(|p| p.customers[2].window = (5, 4), "ends before it begins");
    refused(|p| p.patterns = vec![vec![]], "no combination");
    refused(|p| p.vehicles.clear(), "no vehicle");
    refused(|p| p.metric = Metric::Matrix(vec![1]), "matrix holds 1");
}

// ---- files ---------------------------------------------------------------------------------

const SMALL: &str = "NAME : small\nTYPE : CVRP\nDIMENSION : 4\nEDGE_WEIGHT_TYPE : EUC_2D\nCAPACITY : 10\n\
                     NODE_COORD_SECTION\n1 0 0\n2 3 4\n3 6 8\n4 0 5\nDEMAND_SECTION\n1 0\n2 4\n3 5\n4 6\n\
                     DEPOT_SECTION\n1\n-1\nEOF\n";

#[test]
fn files_of_the_field_are_read_and_bad_ones_name_their_line() {
    let made = read("small", SMALL).unwrap();
    assert_eq!((made.customers.len(), made.customers[1].label, made.travel(0, 1)), (3, 2, 5));
    let matrix = SMALL
        .replace("EUC_2D", "EXPLICIT\nEDGE_WEIGHT_FORMAT : LOWER_ROW")
        .replace("DEMAND_SECTION", "EDGE_WEIGHT_SECTION\n10\n20 30\n40 50 60\nDEMAND_SECTION");
    let made = read("matrix", &matrix).unwrap();
    // From the depot (behind the customers) to each, and between the last two.
    assert_eq!([0, 1, 2].map(|c| made.travel(3, c)), [10, 20, 40]);
    assert_eq!(made.travel(2, 1), 60);
    for (from, to, words) in [
        ("3 6 8", "3 6 eight", "line 9: The y of a place should be a number, not \"eight\""),
        ("3 6 8", "2 6 8", "line 9: place 2 stands there twice"),
        ("3 6 8", "3 nan 8", "line 9: The position should be two numbers"),
        ("DIMENSION : 4", "DIMENSION : 5", "DIMENSION says 5 places, the file has 4"),
        ("3 5\n", "", "The demand of place 3 is missing"),
        ("EUC_2D", "GEO", "EDGE_WEIGHT_TYPE GEO is not known here"),
        ("CAPACITY : 10\n", "", "CAPACITY is missing"),
        ("NAME", "MOOD", "line 1: \"MOOD\" is no part of a CVRPLIB file"),
        ("1\n-1", "-1", "DEPOT_SECTION names 0 depots"),
    ] {
        let text = SMALL.replace(from, to);
        assert_eq!(
            read("bad", &text).map(drop).map_err(|e| e
                .to_string()
                .starts_with(words)
                .then_some(())
                .ok_or(e.to_string())),
            Err(Ok(())),
            "{words}"
        );
    }
    let solomon = "S1\n\nVEHICLE\nNUMBER CAPACITY\n 2 10\n\nCUSTOMER\nCUST NO. XCOORD.\n\n0 0 0 0 0 100 0\n1 3 4 5 10 20 1\n";
    let made = read("s", solomon).unwrap();
    assert_eq!(
        (made.customers[0].window, made.customers[0].service, made.travel(0, 1)),
        ((100, 200), 10, 50)
    );
    assert!(
        read("s", &solomon.replace("10 20 1", "10 x 1"))
            .unwrap_err()
            .to_string()
            .starts_with("line 11: DUE DATE")
    );
    let cordeau = "1 2 1 3\n0 10\n0 10\n0 10\n0 0 0 0 0\n1 3 4 1 5 1 2 4 1\n";
    let made = read("c", cordeau).unwrap();
    // Day 1 is the most significant bit: 4 is day 1, 1 is day 3.
    assert_eq!(made.patterns[made.customers[0].patterns as usize], [1, 4]);
    assert!(
        read("c", &cordeau.replace("2 4 1", "2 8 1"))
            .unwrap_err()
            .to_string()
            .contains("no combination of 3 days")
    );
    assert!(read("x", "hello").is_err());
    assert!(read("x", "").is_err());
    let made = read("small", SMALL).unwrap();
    let wrong = read_solution(&made, "Route #1: 1 2\nRoute #2: 9\nCost 1\n").unwrap_err();
    assert_eq!(wrong.to_string(), "line 2: there is no customer \"9\"");
}

proptest! {
    /// Whatever a file holds, it is an instance or a sentence.
    #[test]
    fn spoilt_files_are_never_a_fault(at in 0usize..300, with in ".{0,6}") {
        let mut text: Vec<char> = SMALL.chars().collect();
        let at = at % text.len();
        let end = (at + with.chars().count()).min(text.len());
        text.splice(at..end, with.chars());
        let text: String = text.into_iter().collect();
        if let Ok(made) = read("spoilt", &text) {
            let Solved { plan, .. } = run(&made, &params(Limit::Steps(50), 1, 1));
            check(&made, &plan).unwrap();
        }
    }
}

/// The given instances, where they are there: quick looks that quality has not gone.
#[test]
fn given_instances_are_solved_well() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/routing");
    if !folder.exists() {
        eprintln!("skipped: ../shared/data/routing is not there");
        return;
    }
    for (file, best, within) in [
        ("cvrp-x/X-n106-k14.vrp", 26_362.0, 1.02),
        ("vrptw/C101.txt", 827.3, 1.001),
        ("pvrp/p01.txt", 524.61, 1.03),
    ] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let made = read(file, &text).unwrap();
        let Solved { plan, .. } = run(&made, &params(Limit::Steps(40_000), 2, 1));
        let worth = check(&made, &plan).unwrap();
        let cost = worth.cost as f64 / made.unit;
        assert_eq!(worth.unserved, 0, "{file}");
        assert!(cost >= best * 0.999 && cost <= best * within, "{file}: {cost} of {best}");
    }
}

// ---- the command ---------------------------------------------------------------------------

#[test]
fn solve_says_what_is_wrong_and_prints_what_it_has_on_ctrl_c() {
    let town = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-data/routes/town.vrp");
    let solve = |args: &[&str]| {
        let mut command = std::process::Command::new(EXE);
        command.arg("solve").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    for (args, code, words) in [
        (&[town, "--deterministic"][..], 2, "--deterministic needs --iterations"),
        (&["no-such-file.vrp"], 4, "There is no file"),
        (&[concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], 3, "This is no instance"),
        (&[town, "--initial", town, "--iterations", "9"], 3, "This is no solution"),
    ] {
        let ran = solve(args).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let by_processor = ["--time-limit", "0.5", "--processor-time", "--threads", "2", "--json"];
    let ran = solve(&[&[town], &by_processor[..]].concat()).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let spent = value["cpu_s"].as_f64().unwrap();
    assert!((0.9..2.0).contains(&spent), "twice half a second, and a bit: {spent}");
    let child = solve(&[town, "--time-limit", "600", "--json"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = child.wait_with_output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(
        ran.status.success() && value["feasible"] == true && value["iterations"].as_u64() > Some(0),
        "{value}"
    );
}
