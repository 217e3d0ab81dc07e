//! Plans of a unit: today's beats, a run of the optimiser beside other work, edits with what
//! they do to the whole, versions, files for outside.

use crate::program::{Pams, texts};
use pams::changes::Via;
use pams::engine::Engine;
use pams::services::plans::{OpenPlan, Opened};
use pams::tui::testing::Harness;
use serde_json::Value;
use std::collections::BTreeMap;

const DAYS: [&str; 6] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// A town of two distributors and four reps: outlets on a grid, beats by rows, two outlets
/// without a position, one with hours that cannot be, one that is closed.
fn town(pams: &Pams, outlets: usize) {
    let mut text = "Outlet Code,Outlet Name,Lat,Lon,Channel,Class,Distributor Code,Territory,Beat,\
                    Salesperson Code,Visit Frequency,Opening Hours,Status\n"
        .to_owned();
    for n in 0..outlets {
        let (x, y) = (n % 20, n / 20);
        let (lat, lon) = (47.5 + y as f64 * 0.004, 9.6 + x as f64 * 0.006);
        let place = if n % 50 == 7 { ",".into() } else { format!("{lat:.6},{lon:.6}") };
        let (side, rep) = (if x < 10 { "D1" } else { "D2" }, 1 + x / 5);
        let hours = if n == 11 { "18:00-09:00" } else { "" };
        let status = if n == 12 { "inactive" } else { "active" };
        let class = ["A", "B", "C"][n % 3];
        let visits = [4, 2, 1][n % 3];
        text.push_str(&format!(
            "O{n:04},Shop {n},{place},GT,{class},{side},Rivertown,{},R{rep},{visits},{hours},{status}\n",
            DAYS[n * 7 % 6]
        ));
    }
    write(pams, "outlets.csv", &text);
    let distributors = "Distributor Code,Distributor Name,Latitude,Longitude\n\
                        D1,West Depot,47.51,9.62\nD2,East Depot,47.52,9.70\n";
    write(pams, "distributors.csv", distributors);
    let reps = "Rep Code,Rep Name,Depot,Working Days,Hours a Day,Territory\n\
                R1,Anna,West Depot,\"mon, tue, wed, thu, fri\",8h,Rivertown\n\
                R2,Bela,West Depot,\"mon, tue, wed, thu, fri, sat\",8h,Rivertown\n\
                R3,Carl,East Depot,\"mon, tue, wed, thu, fri, sat\",,Rivertown\n\
                R4,Dina,East Depot,\"mon, tue, wed, thu, fri, sat\",8h,Rivertown\n";
    write(pams, "reps.csv", reps);
    let file = |name: &str| pams.path().join(name).display().to_string();
    pams.ok(&["outlets", "import", &file("outlets.csv"), "--yes"]);
    pams.ok(&["distributors", "import", &file("distributors.csv"), "--yes"]);
    pams.ok(&["reps", "import", &file("reps.csv"), "--yes"]);
    pams.ok(&["territory", "split", "--levels", "territory", "--level", "territory", "--yes"]);
}

fn write(pams: &Pams, name: &str, text: &str) {
    std::fs::write(pams.path().join(name), text).unwrap();
}

pub fn planned(outlets: usize) -> Pams {
    let pams = Pams::with_names();
    town(&pams, outlets);
    pams
}

/// Outlet → rep and days, as an export has it.
fn visits(pams: &Pams, version: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let plan = pams.ok(&["plan", "export", "--format", "json", "--version", version]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let mut all: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for route in plan["routes"].as_array().unwrap() {
        for outlet in route["outlets"].as_array().unwrap() {
            let rep = route["rep"].as_str().unwrap();
            let of = all.entry(outlet.as_str().unwrap().into()).or_insert((rep.into(), vec![]));
            assert_eq!(of.0, rep, "one rep an outlet");
            of.1.push(format!("{} {}", route["day"].as_str().unwrap(), route["week"]));
        }
    }
    all
}

#[test]
fn a_unit_goes_from_beats_to_a_kept_plan_and_back() {
    let pams = planned(240);
    let lacks = pams.json(&["plan", "lacks"]);
    assert_eq!(
        lacks["equation"],
        "240 outlets = 234 planned + 5 left out (it has no position, or one that cannot be right) + 1 left \
         out (it is not active)"
    );
    assert_eq!(
        texts(&lacks["items"], "what"),
        ["outlets without a position", "outlets whose opening hours cannot be", "reps without hours"]
    );
    assert_eq!(lacks["left_out"].as_array().unwrap().len(), 6);

    let first = pams.json(&["plan", "create"]);
    assert_eq!((&first["number"], &first["reason"]), (&1.into(), &"today's beats".into()));
    let beats = visits(&pams, "1");
    assert_eq!(beats.len(), 234);
    assert_eq!(beats["O0000"].1, ["Mon 1", "Mon 2", "Mon 3", "Mon 4"]);

    let offer = pams.json(&["plan", "optimise", "--time-limit", "2", "--seed", "7"]);
    let (now, better) = (&offer["best"]["before"], &offer["best"]["figures"]);
    assert!(better["km"].as_f64() < now["km"].as_f64(), "{offer}");
    assert_eq!((&better["broken_days"], &better["unserved"]), (&0.into(), &0.into()));
    assert_eq!((&offer["state"], &offer["stale"]), (&"ended".into(), &false.into()));

    let compared = pams.json(&["plan", "compare"]);
    let same = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-6;
    assert!(same(&compared["before"]["km"], &now["km"]) && same(&compared["after"]["km"], &better["km"]));
    let other = compared["other_rep"].as_u64().unwrap() + compared["other_days"].as_u64().unwrap();
    assert_eq!(Some(other), offer["best"]["changed"].as_u64());

    let kept = pams.json(&["plan", "keep", "--reason", "spring"]);
    assert_eq!((&kept["number"], &kept["figures"]["km"]), (&2.into(), &better["km"]));
    let list = pams.json(&["plan", "list"]);
    let stands: Vec<bool> =
        list["items"].as_array().unwrap().iter().map(|v| v["stands"].as_bool().unwrap()).collect();
    assert_eq!(texts(&list["items"], "reason"), ["spring", "today's beats"]);
    assert_eq!(stands, [true, false]);
    // Anna does not work on Saturdays, whatever the beats say.
    let on_saturday = |days: &[String]| days.iter().any(|d| d.starts_with("Sat"));
    assert!(visits(&pams, "2").values().all(|(rep, days)| rep != "R1" || !on_saturday(days)));
    assert!(pams.fails(5, &["plan", "keep"]).contains("was edited since"));

    pams.ok(&["undo"]);
    assert_eq!(visits(&pams, "now"), beats, "one undo takes the plan back");
    pams.json(&["plan", "keep", "--reason", "again"]);
    let restored = pams.json(&["plan", "restore", "1"]);
    assert_eq!(restored["reason"], "v1 again");
    assert_eq!(visits(&pams, "now"), beats, "a version comes back as it was");
    assert!(pams.fails(5, &["plan", "restore", "1"]).contains("stands as v1"));
    assert!(pams.fails(4, &["plan", "restore", "9"]).contains("no version"));
    assert!(pams.fails(4, &["plan", "optimise", "--unit", "Nowhere"]).contains("no unit"));
    pams.ok(&["db", "check"]);
}

#[test]
fn what_an_edit_does_is_what_measuring_anew_says() {
    let pams = planned(200);
    pams.ok(&["plan", "create"]);
    pams.json(&["plan", "optimise", "--time-limit", "1"]);
    pams.ok(&["plan", "keep"]);
    let figures = |pams: &Pams| pams.json(&["plan", "show"])["figures"].clone();
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
    let all = visits(&pams, "now");
    let alone = all.iter().filter(|(_, v)| v.0 == "R3" && v.1.len() == 1).map(|(code, _)| code.clone());
    let some: Vec<String> = alone.take(12).collect();
    for (n, outlets) in [some[..1].to_vec(), some[1..].to_vec()].into_iter().enumerate() {
        let mut words = vec!["plan", "move"];
        words.extend(outlets.iter().map(String::as_str));
        words.extend(["--rep", "R4", "--yes"]);
        let before = figures(&pams);
        let dry: Value = pams.json(&[&words[..], &["--dry-run"]].concat());
        assert_eq!(figures(&pams), before, "a dry run changes nothing");
        let done = pams.json(&words);
        assert_eq!(dry, done, "edit {n}");
        let after = figures(&pams);
        for name in ["km", "travel_minutes", "worst_off_balance", "overtime_minutes", "hours_cv"] {
            let told = number(&done["after"], name) - number(&done["before"], name);
            let measured = number(&after, name) - number(&before, name);
            assert!((told - measured).abs() < 1e-6, "{name}: {told} told, {measured} measured");
        }
        let broken = |of: &Value| of["broken_days"].as_u64().unwrap();
        assert_eq!(broken(&after), broken(&done["after"]));
        let now = visits(&pams, "now");
        assert!(outlets.iter().all(|code| now[code].0 == "R4" && now[code].1.len() == all[code].1.len()));
        let full = pams.json(&["plan", "create", "--now"]);
        assert!(
            (number(&full["figures"], "km") - number(&after, "km")).abs() < 1e-6,
            "the whole plan measured"
        );
    }
    let fixed = some[3].as_str();
    pams.ok(&["plan", "pin", fixed]);
    assert!(pams.fails(5, &["plan", "move", fixed, "--to", "Fri", "--yes"]).contains("is pinned"));
    let before = visits(&pams, "now")[fixed].clone();
    pams.json(&["plan", "optimise", "--time-limit", "1"]);
    assert_eq!(visits(&pams, "better")[fixed], before, "a pinned outlet keeps its rep and days");
    pams.ok(&["plan", "pin", fixed, "--off"]);
    assert!(pams.fails(4, &["plan", "move", fixed, "--rep", "R9", "--yes"]).contains("no rep"));
    assert!(pams.fails(4, &["plan", "move", "O0007", "--rep", "R1", "--yes"]).contains("no outlet"));
    assert!(pams.fails(3, &["plan", "move", fixed, "--to", "Sun", "--yes"]).contains("no working day"));
    assert!(pams.fails(2, &["plan", "move", fixed]).contains("Where to?"));

    // To another weekday, to another place of the day, and all of it back.
    let stands = visits(&pams, "now");
    let day = before.1[0].clone();
    let (weekday, week) = day.split_once(' ').unwrap();
    let to = if weekday == "Thu" { "Wed" } else { "Thu" };
    pams.ok(&["plan", "move", fixed, "--to", to, "--yes"]);
    assert_eq!(visits(&pams, "now")[fixed].1, [format!("{to} {week}")]);
    let day = format!("{to} {week}");
    pams.ok(&["plan", "place", fixed, "--day", &day, "--at", "1"]);
    let first = pams.json(&["plan", "show", "--rep", "R4", "--day", to, "--week", week]);
    assert_eq!(first["days"][0]["stops"][0]["code"], fixed);
    pams.ok(&["undo"]);
    pams.ok(&["undo"]);
    assert_eq!(visits(&pams, "now"), stands);

    // Around an edit only what is near is planned anew.
    let offer = pams.json(&["plan", "optimise", "--edited", fixed]);
    assert_eq!(offer["best"]["edited"], true);
    pams.ok(&["db", "check"]);
}

/// An outlet that a rep of another distributor has belongs to the reps of its own: a run
/// around an edit gets them too, wherever they are.
#[test]
fn a_run_around_an_edit_drops_no_outlet() {
    let pams = planned(240);
    assert!(pams.fails(4, &["plan", "optimise", "--edited", "X1"]).contains("no outlet of the plan"));
    pams.ok(&["plan", "create"]);
    let all = visits(&pams, "now");
    // In the far west, of the western distributor; its neighbours as well.
    let near: Vec<&String> = all.keys().filter(|code| code[1..].parse::<usize>().unwrap() % 20 < 2).collect();
    let mut words = vec!["plan", "move"];
    words.extend(near.iter().map(|code| code.as_str()));
    words.extend(["--rep", "R4", "--yes"]);
    pams.ok(&words);
    let edited = near[0].as_str();
    let offer = pams.json(&["plan", "optimise", "--edited", edited]);
    assert_eq!(offer["best"]["edited"], true);
    assert_eq!(offer["best"]["figures"]["unserved"], 0, "{offer}");
    if offer["found"] == true {
        pams.json(&["plan", "keep"]);
    }
    let after = visits(&pams, "now");
    assert!(after.keys().eq(all.keys()), "each outlet is visited");
    assert!(after.iter().all(|(code, (_, days))| days.len() == all[code].1.len()));
}

/// What is too much for one plan is refused with the way to cut it.
#[test]
fn a_unit_over_the_limit_is_guided_to_split() {
    let pams = Pams::with_names();
    let mut text = "Outlet Code,Outlet Name,Lat,Lon,Territory,Salesperson Code,Beat\n".to_owned();
    for n in 0..50_001 {
        let (lat, lon) = (46.0 + f64::from(n / 250) * 0.002, 9.0 + f64::from(n % 250) * 0.002);
        text.push_str(&format!("O{n:05},Shop {n},{lat:.6},{lon:.6},Allshire,R{},B1\n", n % 7));
    }
    write(&pams, "outlets.csv", &text);
    pams.ok(&["outlets", "import", &pams.path().join("outlets.csv").display().to_string(), "--yes"]);
    let split = ["territory", "split", "--levels", "territory", "--level", "territory", "--yes"];
    pams.ok(&[&split[..], &["--max-outlets", "60000"]].concat());
    for words in [&["plan", "show"][..], &["plan", "optimise"], &["plan", "create"]] {
        let failed = pams.fails(3, words);
        assert!(failed.contains("50001 outlets: a unit is planned with at most 50000"), "{failed}");
        assert!(failed.contains("`pams territory split`"), "{failed}");
    }
    pams.ok(&split);
    let units = pams.json(&["territory", "list"]);
    let sizes: Vec<u64> =
        units["items"].as_array().unwrap().iter().map(|u| u["outlets"].as_u64().unwrap()).collect();
    assert!(sizes.len() > 1 && sizes.iter().sum::<u64>() == 50_001, "{units}");
}

/// Processes whose command line has a text.
fn processes(with: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|e| e.file_name().into_string().ok()).filter(|n| n.parse::<u32>().is_ok());
    let line = |pid: &str| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pids.filter(|pid| String::from_utf8_lossy(&line(pid)).contains(with)).collect()
}

/// Whoever began a run may go, and be killed, and so may its worker.
#[test]
fn a_run_outlives_those_who_began_it() {
    let pams = planned(240);
    pams.ok(&["plan", "create"]);
    pams.ok(&["plan", "optimise", "--time-limit", "300", "--no-wait"]);
    let store = pams.store().display().to_string();
    let wait = |what: &str, until: &dyn Fn(&Value) -> bool| {
        for _ in 0..600 {
            let offer = pams.json(&["plan", "offer"]);
            if until(&offer) {
                return offer;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{what} does not come about: {}", pams.json(&["plan", "offer"]));
    };
    let spent = |offer: &Value| offer["best"]["spent_ms"].as_u64().unwrap();
    let first = wait("a first plan", &|offer| offer["found"] == true);
    let stays = processes(&store);
    assert_eq!(stays.len(), 1, "one process stays");
    let kill = |pids: &[String]| {
        pids.iter().for_each(|pid| drop(std::process::Command::new("kill").args(["-9", pid]).status()));
    };
    // Its worker, once it has one: tried again by the process that stays.
    let children = || -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", stays[0])).into_iter().flatten().flatten();
        let of = tasks.map(|t| std::fs::read_to_string(t.path().join("children")).unwrap_or_default());
        of.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let mut workers = children();
    for _ in 0..600 {
        if !workers.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        workers = children();
    }
    assert!(!workers.is_empty(), "the run has a worker");
    kill(&workers);
    let second = wait("the run going on", &|offer| spent(offer) > spent(&first));
    // Both: the next one that comes goes on with it.
    kill(&processes(&store));
    assert_eq!(pams.json(&["plan", "offer"])["state"], "waiting");
    pams.ok(&["plan", "pause"]);
    assert_eq!(pams.json(&["plan", "offer"])["state"], "paused");
    assert!(pams.fails(5, &["plan", "optimise"]).contains("is being optimised already"));
    pams.ok(&["plan", "resume"]);
    let last = wait("the run going on again", &|offer| spent(offer) > spent(&second));
    assert_eq!(last["failure"], "");
    pams.ok(&["plan", "stop"]);
    assert!(last["best"]["figures"]["unserved"] == 0, "{last}");
    pams.ok(&["plan", "keep"]);
    for _ in 0..600 {
        if processes(&store).is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(processes(&store).is_empty(), "nobody stays without a run");
    pams.ok(&["db", "check"]);
}

#[test]
fn plans_from_elsewhere_and_bad_rules_are_refused_whole() {
    let pams = planned(60);
    let file = |name: &str, text: &str| {
        write(&pams, name, text);
        pams.path().join(name).display().to_string()
    };
    for (text, says) in [
        ("no plan at all", "names no outlet, rep and day"),
        ("{\"routes\": 7}", "is no plan"),
        ("{}", "has no route"),
        ("outlet,rep,day\nO0001,R1,Noday\n", "Row 2"),
        ("outlet,rep,day\nX1,R1,Mon\nO0001,R7,Mon\n", "X1 are no outlets"),
        ("outlet,rep,day,order\nO0001,R1,Mon,first\n", "no order"),
        ("outlet,rep,day\nO0001,R1,Mon 1\nO0001,R2,Tue 1\n", "with R1 and with R2"),
    ] {
        let failed = pams.fails(3, &["plan", "create", &file("plan.csv", text)]);
        assert!(failed.contains(says), "{text:?}: {failed}");
    }
    assert!(pams.json(&["plan", "list"])["items"].as_array().unwrap().is_empty(), "nothing was taken");
    let table = "rep;outlet;day;order\nR1;O0001;Tue 2;2\nR1;O0002;Tue 2;1\nR2;O0005;Fri;1\n";
    let kept = pams.json(&["plan", "create", &file("plan.csv", table), "--reason", "from the old tool"]);
    assert_eq!((&kept["outlets"], &kept["reason"]), (&3.into(), &"from the old tool".into()));
    let all = visits(&pams, "now");
    assert_eq!(all["O0001"], ("R1".into(), vec!["Tue 2".into()]));
    let tuesday = pams.json(&["route", "sheet", "--rep", "anna", "--day", "Tue", "--week", "2"]);
    assert_eq!(texts(&tuesday["days"][0]["stops"], "code"), ["O0002", "O0001"]);
    let again = pams.ok(&["plan", "export", "--format", "json"]);
    pams.json(&["plan", "create", &file("again.json", &again)]);
    assert_eq!(visits(&pams, "now"), all, "an export is taken in again as it was");

    for (set, says) in [
        ("hours=20m", "30 to 1440"),
        ("start=25:00", "time of day"),
        ("visits=many", "tier and its number"),
        ("town_km_h=0", "1 to 200"),
        ("balance=much", "off, light, normal, strong"),
        ("luck=7", "no field"),
    ] {
        let failed = pams.run(&["plan", "rules", "--set", set]);
        assert!(matches!(failed.code, 2 | 3) && failed.err.contains(says), "{set}: {}", failed.err);
    }
    pams.ok(&[
        "plan",
        "rules",
        "--preset",
        "few changes",
        "--set",
        "hours=7h",
        "--set",
        "visit_minutes=5, A 20",
    ]);
    let rules = pams.json(&["plan", "rules"]);
    assert_eq!(
        (&rules["stability"], &rules["hours"], &rules["most_changed"]),
        (&"strong".into(), &"7h".into(), &"5".into())
    );
    let shown = pams.json(&["plan", "show", "--rep", "R1", "--day", "Tue", "--week", "2"]);
    let minutes: BTreeMap<String, f64> = shown["days"][0]["stops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["tier"].as_str().unwrap().into(), s["minutes"].as_f64().unwrap()))
        .collect();
    assert!(minutes.iter().all(|(tier, m)| *m == if tier == "A" { 20.0 } else { 5.0 }), "{minutes:?}");
    assert!(pams.fails(4, &["plan", "rules", "--preset", "luck"]).contains("no preset"));
}

#[test]
fn plans_go_out_as_table_geojson_page_and_calendar() {
    let pams = planned(120);
    pams.ok(&["plan", "create"]);
    let table = pams.ok(&["plan", "export"]);
    let visits: usize = visits(&pams, "now").values().map(|v| v.1.len()).sum();
    assert_eq!(table.lines().count(), visits + 1);
    assert!(table.starts_with("rep,rep_name,day,order,outlet"));

    let geo: Value = serde_json::from_str(&pams.ok(&["plan", "export", "--format", "geojson"])).unwrap();
    for feature in geo["features"].as_array().unwrap() {
        let at = &feature["geometry"]["coordinates"];
        let first = if feature["geometry"]["type"] == "Point" { at } else { &at[0] };
        let (lon, lat) = (first[0].as_f64().unwrap(), first[1].as_f64().unwrap());
        assert!((9.5..9.9).contains(&lon) && (47.4..47.8).contains(&lat), "longitude first: {first}");
        if feature["geometry"]["type"] == "LineString" {
            assert_eq!(at[0], at[at.as_array().unwrap().len() - 1], "out of the depot and back");
        }
    }
    let page = pams.ok(&["plan", "export", "--format", "html"]);
    assert!(
        page.contains("<svg") && page.contains("<h2>Anna <a href=\"#r0\">") && page.ends_with("</html>\n")
    );
    for outside in ["http:", "https:", "src=", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let sheet = ["route", "sheet", "--rep", "Bela", "--week", "1", "--from", "2026-03-02"];
    let text = pams.ok(&sheet);
    assert!(text.contains("Mon 1, 2 Mar 2026") && text.contains("leave D1"), "{text}");
    let calendar = pams.ok(&[&sheet[..], &["--ics"]].concat());
    assert!(calendar.lines().all(|l| l.len() <= 75), "RFC 5545, 3.1");
    assert!(calendar.contains("DTSTART:20260302T070000\r\n") && calendar.contains("END:VCALENDAR\r\n"));
    let events = calendar.matches("BEGIN:VEVENT").count();
    assert_eq!(events, text.lines().filter(|l| l.contains(" stops, ")).count());
    assert!(pams.fails(4, &["route", "sheet", "--rep", "Nobody"]).contains("Those with days are"));
    let path = pams.path().join("plan.html").display().to_string();
    pams.ok(&["plan", "export", "--format", "html", "-o", &path]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
    // What a run gets can be solved outside of PAMS.
    let file = |name: &str| pams.path().join(name).display().to_string();
    pams.ok(&["plan", "export", "--format", "task", "-o", &file("task.json")]);
    pams.ok(&["plan", "export", "--format", "json", "-o", &file("now.json")]);
    let solved =
        ["solve", "journey", &file("task.json"), "--initial", &file("now.json"), "--time-limit", "1"];
    assert!(pams.ok(&solved).contains("116"), "{}", pams.ok(&solved));
}

#[test]
fn outlines_of_distributors_come_from_geojson() {
    let pams = planned(60);
    let ring = "[[9.59,47.49],[9.66,47.49],[9.66,47.56],[9.59,47.49]]";
    let feature = |name: &str| {
        format!(
            "{{\"type\":\"Feature\",\"properties\":{{\"distributor\":\"{name}\"}},\
             \"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[{ring}]}}}}"
        )
    };
    let file =
        |all: &[String]| format!("{{\"type\":\"FeatureCollection\",\"features\":[{}]}}", all.join(","));
    write(&pams, "areas.geojson", &file(&[feature("d1"), feature("East Depot"), feature("Nobody's")]));
    let path = pams.path().join("areas.geojson").display().to_string();
    let areas = |words: &[&str]| pams.json(&[&["plan", "outlines", &path], words].concat());
    assert_eq!(areas(&["--dry-run"])["set"], 2);
    let done = areas(&[]);
    assert_eq!((&done["set"], &done["unknown"][0]), (&2.into(), &"Nobody's".into()));
    assert_eq!((&areas(&[])["set"], &areas(&[])["same"]), (&0.into(), &2.into()));
    pams.ok(&["undo"]);
    assert_eq!(areas(&["--dry-run"])["set"], 2, "undone");
    write(&pams, "areas.geojson", "{\"type\":\"Topology\"}");
    assert!(pams.fails(3, &["plan", "outlines", &path]).contains("Nothing was taken"));
}

/// A browser, where the machine has one.
fn chromium() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let answers = |name: &&str| std::process::Command::new(name).arg("--version").output().is_ok();
    names.into_iter().find(answers)
}

#[test]
fn the_page_of_a_plan_shows_all_of_it_in_a_browser_and_loads_nothing() {
    let Some(browser) = chromium() else {
        println!("skipped: there is no Chromium here");
        return;
    };
    let pams = planned(120);
    pams.ok(&["plan", "create"]);
    let page = pams.ok(&["plan", "export", "--format", "html"]);
    let show: serde_json::Value = serde_json::from_str(&pams.ok(&["plan", "show", "--json"])).unwrap();
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    // The page may run no script. The same page with one says what became of it.
    let policy = page.find("<meta http-equiv").unwrap();
    let end = policy + page[policy..].find('>').unwrap() + 1;
    let probe = r##"<script>addEventListener("load", () => {
        location.hash = "r0";
        document.querySelectorAll("details").forEach(d => d.open = true);
        const all = q => [...document.querySelectorAll(q)], svg = all("svg")[0].getBoundingClientRect();
        const inside = e => { const b = e.getBoundingClientRect();
            return b.left >= svg.left - 1 && b.right <= svg.right + 1 && b.top >= svg.top - 1 && b.bottom <= svg.bottom + 1; };
        // A timer runs in the browser's virtual time; a frame may never be asked for there.
        setTimeout(() => document.title = JSON.stringify({
            reps: all("h2").length, days: all("polyline").length, circles: all("circle").length,
            rows: all("tr").length - all("table").length,
            outside: all("polyline, circle, svg path").filter(e => !inside(e)).length,
            colours: new Set(all("g").map(g => getComputedStyle(g).stroke)).size,
            faint: all("g").filter(g => getComputedStyle(g).opacity < 0.5).length,
            wide: document.documentElement.scrollWidth - innerWidth, map: Math.round(svg.width),
            loaded: performance.getEntriesByType("resource").length }), 100);
    });</script></body>"##;
    let probed = format!("{}{}", &page[..policy], &page[end..]).replace("</body>", probe);
    let path = pams.path().join("probed.html");
    std::fs::write(&path, probed).unwrap();
    let run = std::process::Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1200,900",
            "--virtual-time-budget=5000",
        ])
        .arg(format!("--user-data-dir={}", pams.path().join("browser").display()))
        .args(["--dump-dom", &format!("file://{}", path.display())])
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&run.stdout).into_owned();
    let from = dom.find("<title>").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&run.stderr))) + 7;
    let told = &dom[from..from + dom[from..].find("</title>").unwrap()];
    let seen: serde_json::Value = serde_json::from_str(told).unwrap_or_else(|e| panic!("{e}: {told}"));
    let number = |name: &str| seen[name].as_u64().unwrap_or_else(|| panic!("{name} in {seen}"));
    let reps = show["reps"].as_array().unwrap();
    let sum = |name: &str| reps.iter().map(|r| r[name].as_u64().unwrap()).sum::<u64>();
    let driving = reps.iter().filter(|r| r["visits"].as_u64() > Some(0)).count() as u64;
    assert_eq!((number("reps"), number("days")), (driving, sum("days")), "{seen}");
    assert_eq!((number("circles"), number("rows")), (sum("outlets"), sum("visits")), "{seen}");
    assert_eq!((number("outside"), number("loaded")), (0, 0), "{seen}");
    assert_eq!((number("colours"), number("faint")), (driving, driving - 1), "{seen}");
    assert!(seen["wide"].as_i64().unwrap() <= 0 && number("map") > 600, "{seen}");
}

#[test]
fn a_plan_is_optimised_looked_at_and_edited_in_the_interface() {
    let pams = planned(120);
    pams.ok(&["plan", "rules", "--set", "seconds=1"]);
    let now = || 1_771_581_600_000; // the day of the tests
    let folders = pams::config::Folders::find(Some(&pams.path()), None).unwrap();
    let workers = pams::jobs::Workers::Here;
    let places = pams::engine::Places { workers, lasting: false, ..folders.places() };
    let engine = Engine::open(places, Via::Tui, now, false).unwrap();
    // Where the outlets are and whose is there at once, what they drive a little later.
    let open = |at_once| {
        let unit = "Rivertown".to_owned();
        engine.ask(&OpenPlan { unit, version: String::new(), at_once }).unwrap()
    };
    let (first, all, again) = (open(true), open(false), open(true));
    assert_eq!([&first.shown, &all.shown, &again.shown], ["measuring", "beats", "beats"]);
    let outlets = |of: &Opened| of.reps.iter().map(|r| (r.rep.clone(), r.outlets)).collect::<Vec<_>>();
    assert_eq!(outlets(&first), outlets(&all));
    assert_eq!(first.outlets().unwrap().rep, all.outlets().unwrap().rep);
    assert!(first.reps.iter().all(|r| r.visits == 0) && all.reps.iter().all(|r| r.visits > 0));

    let mut h = Harness::new(&engine, 120, 32).unwrap();
    let see = |h: &mut Harness, texts: &[&str]| {
        let screen = h.text();
        texts.iter().for_each(|text| assert!(screen.contains(text), "\"{text}\" is not in\n{screen}"));
    };
    h.press("5").unwrap();
    see(&mut h, &["Rivertown", "no plan"]);
    // Letters that follow each other find it; what no unit has is said.
    h.press("/").unwrap().type_text("rvtn").unwrap();
    see(&mut h, &["> Rivertown"]);
    h.type_text("q").unwrap();
    see(&mut h, &["No unit is called \"rvtnq\""]);
    h.press("ctrl-u enter").unwrap();
    h.press("enter").unwrap();
    see(&mut h, &["today's beats; n takes them", "Anna", "5 lacks (z)"]);
    h.press(">").unwrap();
    see(&mut h, &["Open a rep's day first"]);
    h.press("o").unwrap();
    see(&mut h, &["Better plan:", "K keep"]);
    insta::assert_snapshot!("routes_at_120_by_32", clockless(&h.text()));
    h.press("v").unwrap();
    see(&mut h, &["km a week", "days with a broken rule"]);
    h.press("K").unwrap().type_text("spring").unwrap().press("enter").unwrap();
    see(&mut h, &["Rivertown v1"]);
    h.press("enter").unwrap();
    see(&mut h, &["Anna, ", "back "]);
    // Later in the day, and back with one key.
    let order = |h: &mut Harness| h.text().lines().nth(4).unwrap()[8..30].to_owned();
    let first = order(&mut h);
    h.press(">").unwrap();
    assert_ne!(order(&mut h), first);
    h.press("u").unwrap();
    assert_eq!(order(&mut h), first);
    h.press("p").unwrap();
    see(&mut h, &["pinned: it keeps its rep and days"]);
    h.press("p").unwrap();
    see(&mut h, &["free again"]);
    h.press("m").unwrap().type_text("Bela").unwrap().press("enter").unwrap();
    see(&mut h, &["Do it?", "h a week"]);
    h.press("y").unwrap();
    see(&mut h, &["Moved: "]);
    h.press("u").unwrap();
    // The map by key: nearer, counts, the outlet in its middle.
    h.press("tab + C").unwrap();
    see(&mut h, &["in sight + ", "1 cell = "]);
    h.press("f").unwrap();
    see(&mut h, &["116 in sight + 0 outside"]);
    // Some of the outlets alone, and outlines around what is left.
    h.press("/").unwrap().type_text("class=A").unwrap().press("enter").unwrap();
    see(&mut h, &["38 in sight + 0 outside", "only class=A (/)"]);
    let lines = |h: &mut Harness| h.text().matches(|c| ('\u{2801}'..='\u{28ff}').contains(&c)).count();
    let none = lines(&mut h);
    h.press("b b").unwrap();
    assert!(lines(&mut h) > none + 20, "outlines around the two distributors");
    h.press("/").unwrap().type_text(" city:x").unwrap().press("enter").unwrap();
    see(&mut h, &["Planning does not read the city"]);
    h.press("/ ctrl-u enter b").unwrap();
    see(&mut h, &["116 in sight + 0 outside"]);
    // In half blocks, for fonts without braille.
    h.press("#").unwrap();
    see(&mut h, &["▀"]);
    assert_eq!(lines(&mut h), 0, "no braille is left");
    h.press("#").unwrap();
    h.press("enter").unwrap();
    see(&mut h, &[" min "]);
    h.press("esc H").unwrap();
    see(&mut h, &["spring", "v1*"]);
    h.press("v").unwrap();
    see(&mut h, &["km a week", "v1", "now"]);
    h.press("K").unwrap();
    see(&mut h, &["These are versions"]);
    h.press("esc z").unwrap();
    see(&mut h, &["rep without hours", "mend: "]);
    h.press("esc e").unwrap();
    see(&mut h, &["How the unit is planned", "visits of a day: 45"]);
    h.press("esc esc").unwrap();
    h.resize(80, 24).unwrap();
    h.press("1 5").unwrap();
    insta::assert_snapshot!("routes_at_80_by_24", clockless(&h.text()));
}

/// A screen without what differs from run to run: the plan that a second finds.
fn clockless(screen: &str) -> String {
    let ends = screen.lines().take(3).chain(screen.lines().rev().take(4));
    let kept: Vec<&str> = ends.filter(|l| !l.contains(" km ") && !l.contains(" km,")).collect();
    kept.join("\n")
}
