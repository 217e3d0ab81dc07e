//! Journey plans: every rule kept and counted apart from the engine, plans that are known,
//! plans in force bettered under a cap, edits, locks, and tasks that are no good.

use crate::program::EXE;
use pams::solver::check::check;
use pams::solver::engine::{Control, Limit, Params, Tuning, solve};
use pams::solver::journey::{
    Beat, Built, Channel, Day, InForce, Lock, Outlet, Rep, Task, build, made, report,
};
use pams::solver::problem::{Plan, Route};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

fn plan_with(built: &Built, limit: Limit, threads: usize, edited: Vec<u32>) -> Plan {
    let start = Instant::now();
    let clock = || start.elapsed();
    let cancel = AtomicBool::new(false);
    let params =
        Params { limit, threads, seed: 1, initial: built.initial.clone(), edited, tuning: Tuning::default() };
    let mut control = Control { clock: &clock, cancel: &cancel, progress: &mut |_, _| {} };
    let plan = solve(&built.problem, &params, &mut control).plan;
    check(&built.problem, &plan).unwrap();
    plan
}

fn planned(task: &Task, in_force: Option<&InForce>, steps: u64) -> (Built, Plan) {
    let built = build(task, in_force).unwrap();
    let plan = plan_with(&built, Limit::Steps(steps), 2, vec![]);
    (built, plan)
}

fn as_in_force(task: &Task, built: &Built, plan: &Plan) -> InForce {
    let routes = report(task, built, plan).routes.into_iter().map(|r| r.route).collect();
    InForce { routes, beats: vec![] }
}

/// Every rule, from the task and the report alone.
#[test]
fn a_journey_keeps_every_rule() {
    let mut task = made::towns(600, 4);
    task.reps = vec![
        Rep {
            id: "Anna".into(),
            distributor: task.distributors[0].id.clone(),
            channel: Channel::Modern,
            chains: vec!["Daily".into()],
            days: vec!["Tue".into(), "Thu".into(), "Fri".into()],
            ..Rep::default()
        },
        Rep {
            id: "Bo".into(),
            distributor: task.distributors[0].id.clone(),
            channel: Channel::Modern,
            ..Rep::default()
        },
    ];
    for outlet in task.outlets.iter_mut().filter(|o| o.id.ends_with('7') && o.visits <= 4) {
        outlet.days = vec!["Wed".into(), "Fri".into()];
    }
    let (built, plan) = planned(&task, None, 40_000);
    let outcome = report(&task, &built, &plan);
    let outlets: HashMap<&str, &Outlet> = task.outlets.iter().map(|o| (o.id.as_str(), o)).collect();
    let unserved: HashSet<&str> = outcome.unserved.iter().map(|u| u.outlet.as_str()).collect();
    let mut visits: HashMap<&str, Vec<(&str, u32, &str)>> = HashMap::new();
    for day in &outcome.routes {
        let route = &day.route;
        assert!(route.outlets.len() <= task.rules.max_stops as usize);
        assert!(day.minutes <= task.rules.hours * 60.0 + 1e-6);
        for outlet in &route.outlets {
            visits.entry(outlet).or_default().push((&route.rep, route.week, &route.day));
        }
    }
    for (id, outlet) in outlets {
        let Some(seen) = visits.get(id) else {
            assert!(unserved.contains(id), "{id} is visited or said to be unserved");
            continue;
        };
        assert_eq!(seen.len() as u32, outlet.visits, "{id}");
        assert!(seen.iter().all(|(rep, _, _)| *rep == seen[0].0), "{id} has one rep");
        let rep = built.reps.iter().find(|r| r.id == seen[0].0).unwrap();
        assert_eq!(rep.channel, outlet.channel, "{id}");
        if outlet.channel == Channel::Modern {
            assert!(rep.chains.is_empty() || rep.chains.contains(&outlet.chain), "{id}");
        }
        if !rep.days.is_empty() {
            assert!(seen.iter().all(|(_, _, day)| rep.days.iter().any(|d| d == day)), "{id}");
        }
        if !outlet.days.is_empty() {
            assert!(seen.iter().all(|(_, _, day)| outlet.days.iter().any(|d| d == day)), "{id}");
        }
        let weekdays: HashSet<&str> = seen.iter().map(|(_, _, day)| *day).collect();
        let weeks: HashSet<u32> = seen.iter().map(|(_, week, _)| *week).collect();
        match outlet.visits {
            8 => assert_eq!((weekdays.len(), weeks.len()), (2, 4), "{id}"),
            4 => assert_eq!((weekdays.len(), weeks.len()), (1, 4), "{id}"),
            2 => assert!(weekdays.len() == 1 && (weeks == [1, 3].into() || weeks == [2, 4].into()), "{id}"),
            _ => assert_eq!(seen.len(), 1),
        }
    }
    assert!(unserved.len() <= 6, "{:?}", outcome.unserved);
    assert_eq!(outcome.visits, visits.values().map(Vec::len).sum::<usize>());
    assert!(outcome.lower_bound < outcome.cost);
}

#[test]
fn a_planted_plan_is_found() {
    let task = made::planted(1_350, 2);
    let (built, plan) = planned(&task, None, 1_000_000);
    let outcome = report(&task, &built, &plan);
    assert!(outcome.feasible);
    let gap = outcome.gap_pct.unwrap();
    assert!((-0.5..1.0).contains(&gap), "{gap} % above the plan that was planted");
    assert!(outcome.quality.worst_off_balance < 0.1);
    assert_eq!(outcome.quality.frequency_compliance, 1.0);
    assert_eq!(outcome.quality.reps_off_balance, 0);
}

#[test]
fn a_worn_plan_is_bettered_under_a_cap_of_changes() {
    let mut task = made::towns(1_200, 8);
    let (built, plan) = planned(&task, None, 80_000);
    let worn = made::worn(&task, &as_in_force(&task, &built, &plan).routes, 3);
    task.most_changed = Some(0.05);
    let (built, plan) = planned(&task, Some(&worn), 60_000);
    let outcome = report(&task, &built, &plan);
    let before = outcome.before.unwrap();
    assert!(outcome.changed.len() <= 60, "{} changed", outcome.changed.len());
    assert!(outcome.quality.km < 0.95 * before.km, "{} of {} km", outcome.quality.km, before.km);
    // With no changes allowed the reps and days are those of the plan in force.
    task.most_changed = Some(0.0);
    let built = build(&task, Some(&worn)).unwrap();
    let given = built.initial.clone().unwrap();
    let plan = plan_with(&built, Limit::Steps(3_000), 2, vec![]);
    let days = |plan: &Plan| {
        let mut days = HashMap::<u32, (u32, u32)>::new();
        for route in &plan.routes {
            route.stops.iter().for_each(|s| days.entry(*s).or_insert((route.vehicle, 0)).1 |= 1 << route.day);
        }
        days
    };
    let (given, now) = (days(&given), days(&plan));
    assert!(given.iter().all(|(customer, days)| now.get(customer).is_none_or(|now| now == days)));
}

/// An edit changes nothing far from it, and finds the outlet that moved a place.
#[test]
fn an_edit_is_mended_where_it_was_made() {
    let mut task = made::towns(6_000, 5);
    let (built, plan) = planned(&task, None, 30_000);
    let before = as_in_force(&task, &built, &plan);
    let reps: HashSet<String> = before.routes.iter().map(|r| r.rep.clone()).collect();
    task.reps = built.reps.clone();
    task.outlets[10].lat += 0.02;
    task.outlets.remove(20);
    let outlet = Outlet { id: "NEW".into(), ..task.outlets[30].clone() };
    task.outlets.push(outlet);
    let built = build(&task, Some(&before)).unwrap();
    let plan = plan_with(&built, Limit::Steps(4_000), 1, vec![10]);
    let outcome = report(&task, &built, &plan);
    assert!(outcome.unserved.len() <= built.initial.as_ref().unwrap().unserved.len() / 2 + 2);
    assert!(outcome.notes.iter().any(|n| n.starts_with("1 outlets of the plan in force are not")));
    let new = outcome.routes.iter().filter(|r| r.route.outlets.contains(&"NEW".to_owned())).count();
    assert_eq!(new as u32, task.outlets.last().unwrap().visits);
    let same: HashSet<&str> = reps
        .iter()
        .filter(|rep| {
            let of = |routes: &[pams::solver::journey::DayRoute]| -> Vec<Vec<String>> {
                let mut of: Vec<_> = routes.iter().filter(|r| r.rep == **rep).collect();
                of.sort_by_key(|r| (r.week, &r.day));
                of.into_iter().map(|r| r.outlets.clone()).collect()
            };
            let now: Vec<_> = outcome.routes.iter().map(|r| r.route.clone()).collect();
            of(&before.routes) == of(&now)
        })
        .map(String::as_str)
        .collect();
    assert!(same.len() > reps.len() / 3, "{} of {} reps are as they were", same.len(), reps.len());
}

#[test]
fn locks_hold_reps_days_places_and_whole_days() {
    let mut task = made::towns(300, 6);
    let (built, plan) = planned(&task, None, 20_000);
    let before = as_in_force(&task, &built, &plan);
    task.reps = built.reps.clone();
    let weekly = |at: usize| {
        let mut weekly = task.outlets.iter().enumerate().filter(|(_, o)| {
            o.visits == 4
                && o.channel == Channel::General
                && before.routes.iter().any(|r| r.outlets.contains(&o.id))
        });
        weekly.nth(at).unwrap().0
    };
    let id = |n: usize| task.outlets[n].id.clone();
    let day_of = |n: usize| before.routes.iter().find(|r| r.outlets.contains(&id(n))).unwrap().clone();
    let (two, three) = (weekly(3), weekly(6));
    let day = day_of(three);
    // Neither on the day that stays nor before the place that stays.
    let apart = |n: &usize| {
        let days = before.routes.iter().filter(|r| r.outlets.contains(&id(*n)));
        days.clone().all(|r| !r.outlets.contains(&id(two))) && !day.outlets.contains(&id(*n))
    };
    let one = (0..40).map(weekly).find(apart).unwrap();
    let other = built.reps.iter().rfind(|r| r.channel == Channel::General).unwrap().id.clone();
    task.locks = vec![
        Lock { outlet: id(one), rep: Some(other.clone()), days: vec!["Sat".into()], ..Lock::default() },
        Lock {
            outlet: id(two),
            rep: Some("current".into()),
            days: vec!["current".into()],
            place: true,
            ..Lock::default()
        },
        Lock {
            route: Some(Day { rep: day.rep.clone(), week: day.week, day: day.day.clone() }),
            ..Lock::default()
        },
    ];
    let mut torn = task.clone();
    let another = if day.day == "Wed" { "Thu" } else { "Wed" };
    torn.locks.push(Lock { outlet: id(three), days: vec![another.into()], ..Lock::default() });
    let faults = build(&torn, Some(&before)).unwrap_err();
    assert!(faults.iter().any(|f| f.contains("has it elsewhere")), "{faults:?}");
    let (built, plan) = planned(&task, Some(&before), 30_000);
    let outcome = report(&task, &built, &plan);
    let with = |id: String| outcome.routes.iter().map(|r| &r.route).filter(move |r| r.outlets.contains(&id));
    let locked: Vec<_> = with(id(one)).map(|r| (&r.rep, r.week, &r.day)).collect();
    assert!(
        locked.len() == 4 && locked.iter().all(|(rep, _, day)| **rep == other && *day == "Sat"),
        "{locked:?} {:?}",
        outcome.unserved
    );
    for was in before.routes.iter().filter(|r| r.outlets.contains(&id(two))) {
        let now = with(id(two)).find(|r| (r.week, &r.day, &r.rep) == (was.week, &was.day, &was.rep)).unwrap();
        let at = was.outlets.iter().position(|o| *o == id(two)).unwrap();
        assert_eq!(now.outlets[..=at], was.outlets[..=at]);
    }
    let now = outcome
        .routes
        .iter()
        .find(|r| (&r.route.rep, r.route.week, &r.route.day) == (&day.rep, day.week, &day.day));
    assert_eq!(now.unwrap().route.outlets, day.outlets);
    // The checker sees what a pin holds.
    let mut broken = plan.clone();
    let pin = &built.problem.pins.iter().find(|p| p.closed).unwrap().route;
    let route = broken.routes.iter_mut().find(|r| (r.vehicle, r.day) == (pin.vehicle, pin.day)).unwrap();
    route.stops.reverse();
    assert!(check(&built.problem, &broken).unwrap_err().iter().any(|w| w.contains("not as it is pinned")));
}

/// The checker knows the rules that journeys have above those of routes.
#[test]
fn the_checker_finds_every_broken_rule_of_a_journey() {
    let task = made::towns(200, 9);
    let (mut built, plan) = planned(&task, None, 5_000);
    let problem = &mut built.problem;
    let wrong = |problem: &_, plan: &Plan, words: &str| {
        let wrong = check(problem, plan).expect_err(words);
        assert!(wrong.iter().any(|w| w.contains(words)), "{words}: {wrong:?}");
    };
    let weekly = |plan: &Plan| {
        let several = |c: &u32| plan.routes.iter().filter(|r| r.stops.contains(c)).count() == 4;
        plan.routes.iter().flat_map(|r| r.stops.clone()).find(several).unwrap()
    };
    let customer = weekly(&plan);
    let mut two = plan.clone();
    let from = two.routes.iter_mut().find(|r| r.stops.contains(&customer)).unwrap();
    from.stops.retain(|s| *s != customer);
    let (day, rep) = (from.day, from.vehicle);
    let other = (0..problem.vehicles.len() as u32).find(|v| *v != rep).unwrap();
    match two.routes.iter_mut().find(|r| (r.vehicle, r.day) == (other, day)) {
        Some(route) => route.stops.push(customer),
        None => two.routes.push(Route { vehicle: other, day, stops: vec![customer] }),
    }
    two.routes.retain(|r| !r.stops.is_empty());
    wrong(problem, &two, "is visited by two vehicles");
    let first = plan.routes[0].clone();
    problem.vehicles[first.vehicle as usize].max_stops = first.stops.len() as u32 - 1;
    wrong(problem, &plan, "are allowed");
    problem.vehicles[first.vehicle as usize].max_stops = 99;
    problem.vehicles[first.vehicle as usize].days = !(1 << first.day);
    wrong(problem, &plan, "does not drive");
    problem.vehicles[first.vehicle as usize].days = u32::MAX;
    let fleet = problem.customers[first.stops[0] as usize].fleet as usize;
    let kept = problem.fleets[fleet].clone();
    problem.fleets[fleet] = vec![(first.vehicle + 1) % problem.vehicles.len() as u32];
    wrong(problem, &plan, "which its vehicle may not");
    problem.fleets[fleet] = kept;
    problem.current = vec![Some((0, 1 << 23)); problem.customers.len()];
    problem.most_changed = 3;
    wrong(problem, &plan, "at most 3 may be");
    problem.most_changed = u32::MAX;
    check(problem, &plan).unwrap();
}

#[test]
fn a_journey_is_the_same_for_the_same_seed_whatever_the_threads() {
    let built = build(&made::towns(900, 2), None).unwrap();
    let plans = [1, 2, 4].map(|threads| plan_with(&built, Limit::Steps(6_000), threads, vec![]));
    assert_eq!(plans[0], plans[1]);
    assert_eq!(plans[0], plans[2]);
}

#[test]
fn a_beat_plan_of_rows_is_a_plan_in_force() {
    let mut task = made::towns(40, 1);
    task.distributors[0].gt_reps = Some(1);
    task.outlets.iter_mut().for_each(|o| (o.channel, o.visits, o.window) = (Channel::General, 2, None));
    let beats = task.outlets.iter().enumerate().map(|(n, o)| Beat {
        outlet: o.id.clone(),
        rep: format!("{}-G1", task.distributors[0].id),
        weekday: ["Monday", "Tue", "wed", "Thu", "Fri", "Sat"][n % 6].into(),
        order: n as f64,
        weeks: if n < 20 { vec![2, 4] } else { vec![] },
    });
    let in_force = InForce { beats: beats.collect(), routes: vec![] };
    let built = build(&task, Some(&in_force)).unwrap();
    let before = built.before.as_ref().unwrap();
    assert_eq!(before.routes.iter().map(|r| r.stops.len()).sum::<usize>(), 80);
    assert_eq!(before.routes.iter().map(|r| r.day / 6).collect::<HashSet<u32>>().len(), 4);
    let plan = plan_with(&built, Limit::Steps(5_000), 1, vec![]);
    let outcome = report(&task, &built, &plan);
    assert!(outcome.quality.travel_minutes < outcome.before.unwrap().travel_minutes);
}

#[test]
fn a_task_that_is_no_good_says_what_is_wrong_with_it() {
    let good = made::towns(30, 1);
    build(&good, None).unwrap();
    type Spoil = fn(&mut Task);
    let cases: [(Spoil, &str); 17] = [
        (|t| t.weeks = 9, "a cycle has 1 to 32 days"),
        (|t| t.outlets[3].lat = 95.0, "outlet O000004: 95"),
        (|t| t.outlets[3].lat = f64::NAN, "is no latitude"),
        (|t| t.outlets[3].id = "O000001".into(), "there are two of this id"),
        (|t| t.outlets[3].id = String::new(), "outlet: its id is missing"),
        (|t| t.outlets[3].visits = 6, "6 visits do not spread over 4 weeks"),
        (|t| t.outlets[3].visits = 0, "0 visits"),
        (|t| t.outlets[3].days = vec!["Someday".into()], "\"Someday\" is no weekday"),
        (|t| t.outlets[3].days = vec!["Sun".into()], "Sun is no working day"),
        (|t| t.outlets[3].window = Some(("9".into(), "10:00".into())), "\"9\" is no time of day"),
        (|t| t.outlets[3].window = Some(("12:00".into(), "10:00".into())), "ends before it begins"),
        (|t| t.outlets[3].distributor = "X".into(), "there is no distributor \"X\""),
        (|t| t.outlets[3].lon = -170.0, "more than 2,000 km from the others"),
        (|t| t.distributors.clear(), "there is no distributor"),
        (|t| t.rules.hours = 0.0, "a day has 0 to 24 hours"),
        (|t| t.travel.road_km_h = 5.0, "roads are no slower than towns"),
        (|t| t.locks = vec![Lock { outlet: "O9".into(), ..Lock::default() }], "there is no such outlet"),
    ];
    for (spoil, words) in cases {
        let mut task = good.clone();
        spoil(&mut task);
        let faults = build(&task, None).expect_err(words);
        assert!(faults.iter().any(|f| f.contains(words)), "{words}: {faults:?}");
    }
    // Nobody, one, and all in one place.
    for n in [0usize, 1, 30] {
        let mut task = good.clone();
        task.outlets.truncate(n);
        task.outlets.iter_mut().for_each(|o| (o.lat, o.lon, o.window) = (22.0, 78.0, None));
        let (built, plan) = planned(&task, None, 500);
        assert!(report(&task, &built, &plan).feasible, "{n}");
    }
    // Who cannot be visited is unserved, and the rule that binds is named.
    let mut task = good.clone();
    (task.outlets[0].minutes, task.outlets[0].window) = (900.0, None);
    task.outlets[1].window = Some(("03:00".into(), "04:00".into()));
    task.distributors[0].gt_reps = Some(1);
    task.distributors[0].mt_reps = Some(1);
    let (built, plan) = planned(&task, None, 500);
    let outcome = report(&task, &built, &plan);
    let why = |id: &str| outcome.unserved.iter().find(|u| u.outlet == id).unwrap().why.clone();
    assert!(why("O000001").contains("longer than a route may"), "{}", why("O000001"));
    assert!(why("O000002").contains("window cannot be met"), "{}", why("O000002"));
}

/// A cancel leaves a plan that keeps every rule, at whatever moment it comes.
#[test]
fn a_cancelled_journey_is_a_plan() {
    let built = build(&made::towns(3_000, 3), None).unwrap();
    for millis in [0, 50, 400] {
        let start = Instant::now();
        let clock = || start.elapsed();
        let cancel = AtomicBool::new(false);
        let mut seen = 0;
        let mut progress = |_: &pams::solver::engine::Progress,
                            _: &dyn Fn() -> pams::solver::problem::Plan| {
            seen += 1;
            if start.elapsed() >= Duration::from_millis(millis) {
                cancel.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let params = Params {
            limit: Limit::Time(Duration::from_secs(60)),
            threads: 2,
            seed: 1,
            initial: None,
            edited: vec![],
            tuning: Tuning::default(),
        };
        let mut control = Control { clock: &clock, cancel: &cancel, progress: &mut progress };
        let plan = solve(&built.problem, &params, &mut control).plan;
        assert!(check(&built.problem, &plan).unwrap().visits > 8_000);
        assert!(seen > 0);
    }
}

#[test]
fn the_command_plans_explains_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let pams = |args: &[&str]| {
        let done = std::process::Command::new(EXE).args(args).current_dir(dir.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let made = ["dev", "journey", "--outlets", "150", "--seed", "3", "--out", "task.json"];
    assert_eq!(pams(&made).0, Some(0));
    let solve = ["solve", "journey", "task.json", "--iterations", "3000", "--threads", "2"];
    let (code, out, _) = pams(&[&solve[..], &["--out", "plan.json", "--json"]].concat());
    assert_eq!(code, Some(0));
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["outlets"], 150);
    assert!(value["quality"]["travel_minutes"].as_f64().unwrap() > 0.0);
    assert_eq!(value["routes"].as_array().unwrap().len(), value["days"].as_u64().unwrap() as usize);
    let (_, out, _) = pams(&[&solve[..], &["--initial", "plan.json", "--most-changed", "2"]].concat());
    assert!(out.contains("before") && out.contains("travel, minutes"), "{out}");
    let (code, out, _) = pams(&[&solve[..], &["--initial", "plan.json", "--why", "O000010"]].concat());
    assert_eq!(code, Some(0));
    assert!(out.contains("O000010 is visited by D001-G") && out.contains("min more travel"), "{out}");
    let (code, _, err) = pams(&[&solve[..], &["--edited", "O000010"]].concat());
    assert!(code == Some(2) && err.contains("--initial"), "{err}");
    std::fs::write(dir.path().join("bad.json"), "{\"outlets\": [{\"id\": 7}]}").unwrap();
    let (code, _, err) = pams(&["solve", "journey", "bad.json"]);
    assert!(code == Some(3) && err.contains("line 1"), "{code:?} {err}");
    std::fs::write(dir.path().join("bad.json"), "{\"outlet\": []}").unwrap();
    let (_, _, err) = pams(&["solve", "journey", "bad.json"]);
    assert!(err.contains("unknown field `outlet`"), "{err}");
}
