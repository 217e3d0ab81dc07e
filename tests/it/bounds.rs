//! Who is bound to territories sees the outlets, units and plans of these, whichever way
//! they ask, and holds no others on a device.

use crate::program::Pams;
use crate::served::{Http, Server};
use pams::engine::QUERIES;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OUTLETS: usize = 9_000;

/// A file of outlets of three territories in two regions, their codes mixed. A word in each
/// name tells whose they are; some lie in no place that can be.
fn file(pams: &Pams, version: usize) -> String {
    let mut csv = String::from("Outlet Code,Outlet Name,Region,Territory,Latitude,Longitude,Beat,Phone\n");
    for n in 0..OUTLETS {
        let (region, territory) = territory_of(n);
        let latitude = if n % 40 < 2 { 0.0 } else { 38.0 + n as f64 / 20_000.0 };
        let longitude = if n % 40 < 2 { 0.0 } else { -9.0 + (n % 977) as f64 / 20_000.0 };
        csv += &format!(
            "{n:05},{territory} v{version} Shop {n},{region},{territory},{latitude:.5},{longitude:.5},B{},+351 2{n:08}\n",
            n % 60
        );
    }
    let path = pams.path().join("outlets.csv");
    std::fs::write(&path, csv).unwrap();
    path.display().to_string()
}

fn territory_of(n: usize) -> (&'static str, &'static str) {
    match n * 7 % 10 {
        0..3 => ("West", "Pune"),
        3..5 => ("West", "Nashik"),
        _ => ("East", "Kolkata"),
    }
}

fn ask(http: &Http, name: &str, request: &Value) -> Value {
    let answer = http.get(&format!("/api/v1/query/{name}?request={request}"));
    assert_eq!(answer.status, 200, "{name} {request}: {}", answer.text);
    answer.json()
}

fn organisation() -> Server {
    let server = Server::new();
    let path = file(&server.pams, 1);
    server.pams.ok(&["outlets", "import", &path, "--yes"]);
    server.pams.ok(&["territory", "split", "--levels", "territory", "--level", "territory", "--yes"]);
    server.pams.ok(&["snapshot", "cut"]);
    server
}

/// What each query on outlets, units and plans is asked for here, its parts of a request.
fn requests(unit: &str) -> BTreeMap<&'static str, Value> {
    let limits = json!({ "outlets": 50_000, "hours": 0, "visits": 2.0, "minutes": 20.0 });
    let split = json!({ "levels": ["territory"], "level": "territory", "limits": limits, "keep": "outlets" });
    let day = json!({ "unit": unit, "version": "", "rep": "", "week": 1, "day": "Mon" });
    BTreeMap::from([
        (
            "outlets.list",
            json!({ "cursor": null, "limit": 1000, "filter": "", "rule": "", "order": "", "descending": false, "backwards": false, "fields": [] }),
        ),
        ("outlets.count", json!({ "filter": "", "rule": "", "from": 0 })),
        ("outlets.sum", json!({ "field": "territory", "filter": "", "rule": "" })),
        ("outlets.typed", json!({ "code": "00001" })),
        ("outlets.suggest", json!({ "rule": "TER-05", "filter": "", "limit": 100 })),
        ("outlets.show", json!({ "code": "00001" })),
        ("outlets.history", json!({ "code": "00001", "limit": 100 })),
        ("outlets.around", json!({ "code": "00001", "limit": 900 })),
        ("outlets.export", json!({ "chunk": 0, "filter": "", "rule": "" })),
        ("outlets.quality", json!({})),
        ("territories.detect", json!({})),
        ("territories.recommend", json!({ "levels": ["territory"], "limits": limits })),
        ("territories.preview", json!({ "split": split })),
        ("territories.units", json!({ "limits": limits })),
        ("territories.snapshots", json!({})),
        ("territories.open", json!({ "unit": unit })),
        ("territories.locks", json!({})),
        ("plans.units", json!({})),
        ("plans.open", json!({ "unit": unit, "version": "", "at_once": true })),
        ("plans.find", json!({ "unit": unit, "filter": "" })),
        ("plans.days", day.clone()),
        ("plans.lacks", json!({ "unit": unit })),
        ("plans.list", json!({ "unit": unit })),
        ("plans.compare", json!({ "unit": unit, "a": "", "b": "" })),
        ("plans.offer", json!({ "unit": unit })),
        ("plans.offers", json!({})),
        ("plans.export", json!({ "unit": unit, "version": "", "format": "csv", "from": 0 })),
        ("plans.sheet", json!({ "of": day, "format": "text", "monday": "", "from": 0 })),
    ])
}

#[test]
fn whoever_is_bound_to_territories_is_answered_within_them() {
    let server = organisation();
    server.pams.ok(&["user", "edit", "Ana", "--territory", "Pune", "--role", "planner"]);
    let (ana, ben) = (server.signed_in("Ana"), server.signed_in("Ben"));
    let locked = json!({ "unit": "Kolkata", "note": "Kolkata v1" });
    assert_eq!(server.signed_in("Root").post("/api/v1/do/territories.lock", &locked).status, 200);
    let own = (0..OUTLETS).filter(|n| territory_of(*n).1 == "Pune").count();
    assert_eq!(ask(&ana, "outlets.count", &requests("Pune")["outlets.count"])["rows"], own);
    assert_eq!(ask(&ben, "outlets.count", &requests("Pune")["outlets.count"])["rows"], OUTLETS);

    // Every route on outlets, units and plans, asked for the own unit and for another one.
    let mut asked = 0;
    for row in QUERIES.iter().filter(|row| row.verb == "outlets.read") {
        for unit in ["Pune", "Kolkata"] {
            let request =
                requests(unit).remove(row.name).unwrap_or_else(|| panic!("{} is not asked", row.name));
            let (path, foreign) =
                (format!("/api/v1/query/{}?request={request}", row.name), unit == "Kolkata");
            let mut answers = vec![(ana.get(&path), ben.get(&path))];
            if row.name == "outlets.export" {
                // It wants that its person proved lately who they are: they just signed in.
                assert_eq!(answers[0].0.status, 200, "{}", answers[0].0.text);
            }
            let (bound, all) = answers.remove(0);
            let mentions = |text: &str| text.contains("Kolkata v") || text.contains("Nashik");
            assert!(!mentions(&bound.text), "{} {unit}: {}", row.name, bound.text);
            if foreign && request.to_string().contains("Kolkata") {
                assert_eq!(bound.status, 404, "{}: {}", row.name, bound.text);
                // As one that there never was.
                let none = ana.get(&path.replace("Kolkata", "Nowhere")).text.replace("Nowhere", "Kolkata");
                let told = |text: &str| serde_json::from_str::<Value>(text).unwrap()["detail"].clone();
                assert_eq!(told(&bound.text), told(&none), "{}", row.name);
            }
            asked += usize::from(all.status == 200);
        }
    }
    assert!(asked > 25, "only {asked} were answered to who sees all");

    // Row by row, and rule by rule, what she sees is what there is of hers.
    let mut listed = Vec::new();
    let mut request = requests("")["outlets.list"].clone();
    loop {
        let page = ask(&ana, "outlets.list", &request);
        listed.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => request["cursor"] = json!(next),
            None => break,
        }
    }
    let expected = (0..OUTLETS).filter(|n| territory_of(*n).1 == "Pune").map(|n| format!("{n:05}"));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    let marked = |http: &Http| {
        let ask_for = json!({ "cursor": null, "limit": 1000, "filter": "territory=Pune", "rule": "COORD-02", "order": "", "descending": false, "backwards": false, "fields": [] });
        let page = ask(http, "outlets.list", &ask_for);
        page["items"].as_array().unwrap().iter().map(|item| item["code"].clone()).collect::<Vec<_>>()
    };
    assert!(marked(&ana).len() > 50);
    assert_eq!(marked(&ana), marked(&ben), "what is wrong with them is told of the same outlets");
    let filled = |http: &Http, filter: &str| {
        ask(http, "outlets.sum", &json!({ "field": "beat", "filter": filter, "rule": "" }))
    };
    assert_eq!(filled(&ana, ""), filled(&ben, "territory=Pune"));

    // Nor does what waits for somebody else tell of others' outlets.
    let foreign = (0..OUTLETS).find(|n| territory_of(*n).1 == "Kolkata").unwrap();
    let target = pams::services::outlets::id_of(&format!("{foreign:05}"));
    let form =
        json!({ "kind": "Outlet", "target": target, "title": "Kolkata v1", "message": "", "input": {} });
    assert_eq!(server.signed_in("Root").post("/api/v1/do/drafts.keep_form", &form).status, 200);
    let drafts = json!({ "kind": "Draft", "filter": null, "archived": true, "account": null, "limit": 9, "cursor": null });
    let waiting = |http: &Http| ask(http, "record.list", &drafts)["items"].as_array().unwrap().len();
    assert_eq!((waiting(&ana), waiting(&ben)), (0, 1));

    // One and the same for an outlet of others and for one that is not there.
    let show = |code: &str| ana.get(&format!("/api/v1/query/outlets.show?request={{\"code\":\"{code}\"}}"));
    assert_eq!(show(&format!("{foreign:05}")).status, 404);

    // What is not hers she does not change either.
    let edit = |http: &Http, n: usize| {
        let which = json!({ "Named": [format!("{n:05}")] });
        let body = json!({ "which": which, "input": { "phone": "+351 1" }, "mend": "" });
        let answer = http.post("/api/v1/do/outlets.edit", &body);
        (answer.status, answer.text)
    };
    let mine = (0..OUTLETS).find(|n| territory_of(*n).1 == "Pune").unwrap();
    let (status, text) = edit(&ana, foreign);
    assert!(status == 403 && text.contains("Ana works in Pune"), "{status}: {text}");
    let (status, text) = edit(&ana, mine);
    assert_eq!(status, 200, "{text}");
    let other = json!({ "unit": "Nashik", "note": "" });
    assert_eq!(ana.post("/api/v1/do/territories.lock", &other).status, 403);

    // Nor is what is on its way in, which is of all territories.
    server.pams.ok(&["role", "add", "importer", "--verbs", "wins.import"]);
    server.pams.ok(&["user", "edit", "Ana", "--role", "planner", "--role", "importer"]);
    let path = file(&server.pams, 3);
    server.pams.ok(&["outlets", "import", &path, "--review"]);
    let open = |http: &Http| ask(http, "imports.reviews", &json!({})).as_array().unwrap().clone();
    let (reviews, batches) = (open(&server.signed_in("Root")), json!({ "limit": 9, "cursor": null }));
    assert_eq!((reviews.len(), open(&ana).len()), (1, 0));
    for row in QUERIES.iter().filter(|row| row.verb == "wins.import") {
        let request =
            json!({ "review": reviews[0]["id"], "limit": 9, "cursor": null, "code": "", "which": "last" });
        let answer = ana.get(&format!("/api/v1/query/{}?request={request}", row.name));
        assert!(!answer.text.contains("Kolkata v"), "{}: {}", row.name, answer.text);
    }
    assert_eq!(ana.get(&format!("/api/v1/query/imports.list?request={batches}")).status, 200);

    // A level that is none is refused where it is typed.
    assert!(server.pams.fails(3, &["user", "edit", "Ana", "--territory", "planet=Mars"]).contains("planet"));
}

/// Codes and names of all outlets that a home has.
fn listed(pams: &Pams) -> Vec<(String, String)> {
    let csv = pams.ok(&["outlets", "export"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let titles = reader.headers().unwrap().clone();
    let at = |name: &str| titles.iter().position(|title| title == name).unwrap();
    let (code, name) = (at("code"), at("name"));
    reader.records().map(Result::unwrap).map(|row| (row[code].to_owned(), row[name].to_owned())).collect()
}

fn expected(territory: &str, version: usize) -> Vec<(String, String)> {
    let own = (0..OUTLETS).filter(|n| territory_of(*n).1 == territory || territory_of(*n).0 == territory);
    own.map(|n| (format!("{n:05}"), format!("{} v{version} Shop {n}", territory_of(n).1))).collect()
}

#[test]
fn a_device_holds_the_territories_of_its_person() {
    let server = organisation();
    server.pams.ok(&["user", "edit", "Ana", "--territory", "Pune", "--role", "planner"]);
    let ana = server.device("Ana");
    ana.ok(&["sync"]);
    assert_eq!(listed(&ana), expected("Pune", 1));
    assert!(ana.ok(&["whoami"]).contains("Pune"));
    let units = ana.json(&["territory", "list"]);
    assert_eq!(units.to_string().matches("Kolkata").count(), 0, "{units}");
    ana.ok(&["snapshot", "cut"]);
    assert_eq!(ana.json(&["snapshot", "open", "Pune"])["outlets"], expected("Pune", 1).len());
    let bytes = std::fs::read(ana.store()).unwrap();
    let holds = |word: &str| bytes.windows(word.len()).any(|at| at == word.as_bytes());
    assert!(!holds("Kolkata v1"), "nothing of others is in the file");
    assert_eq!(ana.json(&["sync", "--reconcile"])["differing"], json!([]));

    // What is hers she changes here; what is not, nobody changes as her.
    ana.ok(&["outlets", "edit", "00000", "--set", "phone=+351 9"]);
    ana.ok(&["sync"]);
    assert_eq!(server.pams.json(&["outlets", "show", "00000"])["phone"], "+351 9");
    let file = file(&ana, 9);
    assert!(ana.fails(6, &["outlets", "import", &file, "--yes"]).contains("an import is of all outlets"));

    // An outlet that moves away goes, one that moves in comes, an import is followed.
    server.pams.ok(&["outlets", "edit", "00000", "--set", "territory=Kolkata"]);
    server.pams.ok(&["outlets", "edit", "00001", "--set", "territory=Pune"]);
    ana.ok(&["sync"]);
    let now = listed(&ana);
    assert!(now.iter().all(|(code, _)| code != "00000") && now.iter().any(|(code, _)| code == "00001"));
    assert_eq!(ana.json(&["sync", "--reconcile"])["differing"], json!([]));
    server.pams.ok(&["outlets", "edit", "00000", "--set", "territory=Pune"]);
    server.pams.ok(&["outlets", "edit", "00001", "--set", &format!("territory={}", territory_of(1).1)]);
    let again = crate::bounds::file(&server.pams, 2);
    server.pams.ok(&["outlets", "import", &again, "--yes"]);
    ana.ok(&["sync"]);
    assert_eq!(listed(&ana), expected("Pune", 2));

    // Given more, and all.
    server.pams.ok(&["user", "edit", "Ana", "--territory", "region=West"]);
    ana.ok(&["sync"]);
    assert_eq!(listed(&ana), expected("West", 2));
    let again = ana.json(&["sync"]);
    assert_eq!((&again["pulled"], &again["pushed"]), (&json!(0), &json!(0)), "once is enough");
    server.pams.ok(&["user", "edit", "Ana", "--territories", ""]);
    ana.ok(&["sync"]);
    assert_eq!(listed(&ana).len(), OUTLETS);
    assert_eq!(ana.json(&["sync", "--reconcile"])["differing"], json!([]));
    ana.ok(&["db", "check"]);
}
