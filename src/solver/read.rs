//! Instances as the field exchanges them: CVRPLIB (`.vrp`, with windows too), Solomon
//! (`.txt`), Cordeau's periodic problems (`.txt`), and solutions (`.sol`).

use super::problem::{Customer, Depot, Metric, Plan, Problem, Route, UNBOUND, Vehicle};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// From 1; 0 is the file as a whole.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

fn misread<T>(line: usize, what: impl Into<String>) -> Result<T, Misread> {
    Err(Misread { line, what: what.into() })
}

/// Cost units of a Solomon or Gehring–Homberger instance: one decimal, cut, as the DIMACS
/// challenge counts.
const DIMACS: f64 = 10.0;
/// Cost units of Cordeau's instances, whose distances are not rounded.
const CORDEAU: f64 = 1_000.0;
/// More customers than this are no instance of the field.
const MOST: usize = 5_000_000;

/// Reads an instance, whatever its format.
///
/// # Errors
/// The line and what was expected there.
pub fn read(name: &str, text: &str) -> Result<Problem, Misread> {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let problem = if first.parse::<i64>().is_ok() {
        cordeau(name, text)
    } else if text.lines().any(|l| l.trim_start().starts_with("VEHICLE") && !l.contains(':')) {
        solomon(name, text)
    } else if text.contains("DIMENSION") {
        cvrplib(name, text)
    } else {
        misread(0, "This is no instance: it begins neither as CVRPLIB, Solomon nor Cordeau write theirs")
    }?;
    match problem.check() {
        Ok(()) => Ok(problem),
        Err(what) => misread(0, what),
    }
}

/// The lines of a file that say something, with their numbers.
struct Lines<'a> {
    all: Vec<(usize, &'a str)>,
    next: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let all = text.lines().enumerate().map(|(n, l)| (n + 1, l.trim()));
        Lines { all: all.filter(|(_, l)| !l.is_empty()).collect(), next: 0 }
    }

    fn take(&mut self, expected: &str) -> Result<(usize, &'a str), Misread> {
        let line = self.all.get(self.next).copied();
        self.next += 1;
        match line {
            Some(line) => Ok(line),
            None => misread(0, format!("The file ends where {expected} should follow")),
        }
    }

    fn peek(&self) -> Option<&'a str> {
        self.all.get(self.next).map(|(_, l)| *l)
    }
}

/// The words of a line as numbers.
struct Words<'a> {
    line: usize,
    words: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    fn of((line, text): (usize, &'a str)) -> Words<'a> {
        Words { line, words: text.split_whitespace() }
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, Misread> {
        match self.words.next() {
            None => misread(self.line, format!("{what} is missing")),
            Some(word) => match word.parse() {
                Ok(number) => Ok(number),
                Err(_) => misread(self.line, format!("{what} should be a number, not \"{word}\"")),
            },
        }
    }

    /// A number of units in whole ones.
    fn units(&mut self, what: &str, unit: f64) -> Result<i32, Misread> {
        let number: f64 = self.number(what)?;
        let whole = (number * unit).round();
        if whole.abs() > f64::from(UNBOUND) || whole.is_nan() {
            return misread(self.line, format!("{what} is too large: {number}"));
        }
        Ok(whole as i32)
    }

    fn position(&mut self) -> Result<(f64, f64), Misread> {
        let (x, y): (f64, f64) = (self.number("The x of a place")?, self.number("The y of a place")?);
        match x.is_finite() && y.is_finite() {
            true => Ok((x, y)),
            false => misread(self.line, "The position should be two numbers"),
        }
    }
}

fn customer(label: u32, (x, y): (f64, f64)) -> Customer {
    Customer { label, x, y, ..Customer::default() }
}

/// CVRPLIB: <http://vrp.galgos.inf.puc-rio.br>; with `TIME_WINDOW_SECTION` as VRPLIB has it.
fn cvrplib(name: &str, text: &str) -> Result<Problem, Misread> {
    let mut lines = Lines::new(text);
    let mut title = name.to_owned();
    let (mut dimension, mut capacity, mut vehicles) = (None::<usize>, None::<i32>, u32::MAX);
    let (mut longest, mut service_all, mut weights, mut format) =
        (UNBOUND, 0.0f64, "EUC_2D".to_owned(), String::new());
    let (mut places, mut demands, mut windows, mut services) =
        (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    let (mut depots, mut matrix) = (Vec::new(), Vec::<f64>::new());
    let mut order = Vec::new();
    let timed = text.contains("TIME_WINDOW_SECTION");
    let unit = if timed { DIMACS } else { 1.0 };
    while let Ok((number, line)) = lines.take("") {
        let (key, value) = match line.split_once(':') {
            Some((key, value)) => (key.trim(), value.trim()),
            None => (line.split_whitespace().next().unwrap_or_default(), ""),
        };
        let mut value_of = Words::of((number, value));
        match key {
            "NAME" => title = value.trim_matches('"').to_owned(),
            "COMMENT" | "TYPE" | "NODE_COORD_TYPE" | "DISPLAY_DATA_TYPE" => {}
            "DIMENSION" => dimension = Some(value_of.number("The dimension")?),
            "CAPACITY" => capacity = Some(value_of.units("The capacity", 1.0)?),
            "VEHICLES" => vehicles = value_of.number("The number of vehicles")?,
            "DISTANCE" => longest = value_of.units("The longest route", unit)?,
            "SERVICE_TIME" => service_all = value_of.number("The service time")?,
            "EDGE_WEIGHT_TYPE" => weights = value.to_owned(),
            "EDGE_WEIGHT_FORMAT" => format = value.to_owned(),
            "EOF" => break,
            "EDGE_WEIGHT_SECTION" => {
                while lines
                    .peek()
                    .is_some_and(|l| l.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.'))
                {
                    let (number, line) = lines.take("costs")?;
                    for word in line.split_whitespace() {
                        match word.parse() {
                            Ok(cost) => matrix.push(cost),
                            Err(_) => {
                                return misread(number, format!("a cost should be a number, not \"{word}\""));
                            }
                        }
                    }
                }
            }
            "NODE_COORD_SECTION"
            | "DEMAND_SECTION"
            | "TIME_WINDOW_SECTION"
            | "SERVICE_TIME_SECTION"
            | "DEPOT_SECTION" => {
                while lines.peek().is_some_and(|l| l.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
                    let line = lines.take(key)?;
                    let mut words = Words::of(line);
                    let node: i64 = words.number("The number of a place")?;
                    let new = match key {
                        "NODE_COORD_SECTION" => {
                            order.push(node);
                            places.insert(node, words.position()?).is_none()
                        }
                        "DEMAND_SECTION" => demands.insert(node, words.units("A demand", 1.0)?).is_none(),
                        "SERVICE_TIME_SECTION" => {
                            services.insert(node, words.units("A service time", unit)?).is_none()
                        }
                        "TIME_WINDOW_SECTION" => {
                            let window =
                                (words.units("A window's begin", unit)?, words.units("Its end", unit)?);
                            windows.insert(node, window).is_none()
                        }
                        _ if node == -1 => break,
                        _ => {
                            depots.push(node);
                            true
                        }
                    };
                    if !new {
                        return misread(line.0, format!("place {node} stands there twice"));
                    }
                    if order.len() > MOST {
                        return misread(line.0, format!("more than {MOST} places"));
                    }
                }
            }
            _ => {
                return misread(number, format!("\"{key}\" is no part of a CVRPLIB file that is known here"));
            }
        }
    }
    let Some(dimension) = dimension else { return misread(0, "DIMENSION is missing") };
    let Some(capacity) = capacity else { return misread(0, "CAPACITY is missing") };
    if order.is_empty() {
        order = (1..=dimension as i64).collect();
    }
    if order.len() != dimension {
        return misread(0, format!("DIMENSION says {dimension} places, the file has {}", order.len()));
    }
    let [depot] = depots[..] else {
        return misread(0, format!("DEPOT_SECTION names {} depots; one is expected", depots.len()));
    };
    let Some(home) = order.iter().position(|node| *node == depot) else {
        return misread(0, format!("The depot {depot} is none of the places"));
    };
    let at = |node: &i64| places.get(node).copied().unwrap_or((0.0, 0.0));
    let window = |node: &i64| windows.get(node).copied().unwrap_or((0, UNBOUND));
    let metric = match (weights.as_str(), format.as_str()) {
        ("EUC_2D", _) if timed => Metric::Down,
        ("EUC_2D", _) => Metric::Nearest,
        ("EXPLICIT", format) => Metric::Matrix(square(&matrix, format, dimension, home, unit)?),
        (other, _) => {
            return misread(0, format!("EDGE_WEIGHT_TYPE {other} is not known here: EUC_2D or EXPLICIT"));
        }
    };
    if metric == Metric::Nearest && places.len() != dimension {
        return misread(0, "NODE_COORD_SECTION is missing");
    }
    let mut customers = Vec::with_capacity(dimension - 1);
    for node in order.iter().filter(|node| **node != depot) {
        let Some(demand) = demands.get(node) else {
            return misread(0, format!("The demand of place {node} is missing"));
        };
        customers.push(Customer {
            demand: *demand,
            service: services.get(node).copied().unwrap_or((service_all * unit) as i32),
            window: window(node),
            ..customer(customers.len() as u32 + 1, at(node))
        });
    }
    let (x, y) = at(&depot);
    Ok(Problem {
        name: title,
        depots: vec![Depot { label: 0, x, y, window: window(&depot) }],
        customers,
        vehicles: vec![Vehicle { capacity, max_duration: longest, count: vehicles, ..Vehicle::default() }],
        metric,
        unit,
        ..Problem::default()
    })
}

/// A matrix of TSPLIB as a whole one, the depot last.
fn square(given: &[f64], format: &str, n: usize, depot: usize, unit: f64) -> Result<Vec<i32>, Misread> {
    let (expected, symmetric) = match format {
        "FULL_MATRIX" => (n * n, false),
        "LOWER_ROW" | "UPPER_ROW" => (n * (n - 1) / 2, true),
        "LOWER_DIAG_ROW" | "UPPER_DIAG_ROW" => (n * (n + 1) / 2, true),
        other => return misread(0, format!("EDGE_WEIGHT_FORMAT \"{other}\" is not known here")),
    };
    if given.len() != expected {
        return misread(
            0,
            format!("EDGE_WEIGHT_SECTION holds {} costs, {expected} are expected", given.len()),
        );
    }
    if let Some(wrong) = given.iter().find(|c| !c.is_finite() || **c < 0.0 || **c * unit > f64::from(UNBOUND))
    {
        return misread(0, format!("{wrong} cannot be a cost"));
    }
    // Places as they are counted here: customers in their order, then the depot.
    let place = |node: usize| match node {
        node if node == depot => n - 1,
        node => node - usize::from(node > depot),
    };
    let mut all = vec![0; n * n];
    let mut costs = given.iter();
    for row in 0..n {
        let columns = match format {
            "FULL_MATRIX" => 0..n,
            "LOWER_ROW" => 0..row,
            "LOWER_DIAG_ROW" => 0..row + 1,
            "UPPER_ROW" => row + 1..n,
            _ => row..n,
        };
        for column in columns {
            let cost = (costs.next().copied().unwrap_or_default() * unit).round() as i32;
            all[place(row) * n + place(column)] = cost;
            if symmetric {
                all[place(column) * n + place(row)] = cost;
            }
        }
    }
    Ok(all)
}

/// Solomon's layout (1987), which Gehring and Homberger's files have too.
fn solomon(name: &str, text: &str) -> Result<Problem, Misread> {
    let mut lines = Lines::new(text);
    let title = lines.take("a name")?.1.to_owned();
    let (mut fleet, mut depot, mut customers) = (None, None, Vec::new());
    let mut seen = std::collections::HashSet::new();
    while lines.peek().is_some() {
        let line = lines.take("")?;
        let numeric = line.1.starts_with(|c: char| c.is_ascii_digit());
        let mut words = Words::of(line);
        match (numeric, &fleet) {
            (false, _) => {}
            (true, None) => {
                let count: u32 = words.number("The number of vehicles")?;
                fleet = Some((count, words.units("The capacity", 1.0)?));
            }
            (true, Some(_)) => {
                let number: u32 = words.number("The number of a customer")?;
                let at = words.position()?;
                let demand = words.units("The demand", 1.0)?;
                let window = (words.units("READY TIME", DIMACS)?, words.units("DUE DATE", DIMACS)?);
                let service = words.units("SERVICE TIME", DIMACS)?;
                if !seen.insert(number) {
                    return misread(line.0, format!("customer {number} stands there twice"));
                }
                match depot {
                    None => depot = Some(Depot { label: number, x: at.0, y: at.1, window }),
                    Some(_) => customers.push(Customer { demand, window, service, ..customer(number, at) }),
                }
            }
        }
    }
    let (Some((count, capacity)), Some(depot)) = (fleet, depot) else {
        return misread(0, "The number and capacity of vehicles, or the depot, is missing");
    };
    Ok(Problem {
        name: if title.is_empty() { name.to_owned() } else { title },
        depots: vec![depot],
        customers,
        vehicles: vec![Vehicle { capacity, count, ..Vehicle::default() }],
        metric: Metric::Down,
        unit: DIMACS,
        ..Problem::default()
    })
}

/// Cordeau, Gendreau and Laporte's layout (1997), type 1: the periodic problem. Day 1 is the
/// most significant bit of a combination.
fn cordeau(name: &str, text: &str) -> Result<Problem, Misread> {
    let mut lines = Lines::new(text);
    let mut head = Words::of(lines.take("type, vehicles, customers, days")?);
    let kind: u32 = head.number("The type")?;
    if kind != 1 {
        return misread(1, format!("type {kind} is not known here; 1 is the periodic problem"));
    }
    let vehicles: u32 = head.number("The number of vehicles")?;
    let count: usize = head.number("The number of customers")?;
    let days: u32 = head.number("The number of days")?;
    if !(1..=32).contains(&days) {
        return misread(1, format!("a cycle has 1 to 32 days, not {days}"));
    }
    let mut limits = None;
    for _ in 0..days {
        let line = lines.take("the limits of a day")?;
        let mut words = Words::of(line);
        let these = (words.units("The longest route", CORDEAU)?, words.units("The capacity", 1.0)?);
        if limits.is_some_and(|l| l != these) {
            return misread(line.0, "days of different limits are not known here");
        }
        limits = Some(these);
    }
    let (longest, capacity) = limits.unwrap_or((0, 0));
    let mut patterns: Vec<Vec<u32>> = Vec::new();
    let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
    let (mut depot, mut customers) = (None, Vec::new());
    let mut seen = std::collections::HashSet::new();
    while lines.peek().is_some() {
        let line = lines.take("")?;
        let mut words = Words::of(line);
        let number: u32 = words.number("The number of a customer")?;
        let at = words.position()?;
        let service = words.units("The service time", CORDEAU)?;
        let demand = words.units("The demand", 1.0)?;
        if !seen.insert(number) {
            return misread(line.0, format!("customer {number} stands there twice"));
        }
        if depot.is_none() {
            depot = Some(Depot { label: number, x: at.0, y: at.1, window: (0, UNBOUND) });
            continue;
        }
        let _frequency: u32 = words.number("The frequency")?;
        let combinations: usize = words.number("The number of combinations")?;
        let mut set = Vec::new();
        for _ in 0..combinations {
            let code: u32 = words.number("A combination of days")?;
            if code == 0 || u64::from(code) >> days != 0 {
                return misread(line.0, format!("{code} is no combination of {days} days"));
            }
            set.push(code.reverse_bits() >> (32 - days));
        }
        let next = patterns.len() as u32;
        let index = *known.entry(set.clone()).or_insert(next);
        if index == next {
            patterns.push(set);
        }
        customers.push(Customer { service, demand, patterns: index, ..customer(number, at) });
    }
    let Some(depot) = depot else { return misread(0, "The depot is missing") };
    if customers.len() != count {
        return misread(0, format!("Line 1 says {count} customers, the file has {}", customers.len()));
    }
    let max_duration = if longest == 0 { UNBOUND } else { longest };
    let capacity = if capacity == 0 { UNBOUND } else { capacity };
    Ok(Problem {
        name: name.to_owned(),
        depots: vec![depot],
        customers,
        vehicles: vec![Vehicle { capacity, max_duration, count: vehicles, ..Vehicle::default() }],
        days,
        patterns,
        unit: CORDEAU,
        ..Problem::default()
    })
}

/// Writes a plan as CVRPLIB writes solutions; where there are days, each route says its
/// own, and where there are several kinds of vehicles, its kind.
pub fn write_solution(problem: &Problem, plan: &Plan, cost: f64) -> String {
    let mut text = String::new();
    for (number, route) in plan.routes.iter().enumerate() {
        let day = if problem.days > 1 { format!(" Day {}", route.day + 1) } else { String::new() };
        let kind = match problem.vehicles.len() {
            0 | 1 => String::new(),
            _ => format!(" Vehicle {}", route.vehicle + 1),
        };
        let stops: Vec<String> =
            route.stops.iter().map(|s| problem.customers[*s as usize].label.to_string()).collect();
        text.push_str(&format!("Route #{}{day}{kind}: {}\n", number + 1, stops.join(" ")));
    }
    text.push_str(&format!("Cost {cost}\n"));
    text
}

/// Reads a solution; customers that no route names are unserved.
///
/// # Errors
/// The line that cannot be read, or that names a customer, day or vehicle that is not there.
pub fn read_solution(problem: &Problem, text: &str) -> Result<Plan, Misread> {
    let places: HashMap<u32, u32> =
        problem.customers.iter().enumerate().map(|(n, c)| (c.label, n as u32)).collect();
    let mut plan = Plan::default();
    let mut served = vec![false; problem.customers.len()];
    for (number, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())) {
        if !line.to_lowercase().starts_with("route") {
            continue;
        }
        let Some((head, stops)) = line.split_once(':') else {
            return misread(number, "a route is written \"Route #1: 4 8 15\"");
        };
        let head: Vec<&str> = head.split_whitespace().collect();
        let said = |word: &str| match head.iter().position(|w| w.eq_ignore_ascii_case(word)) {
            None => Ok(0),
            Some(at) => match head.get(at + 1).and_then(|w| w.parse::<u32>().ok()).filter(|n| *n > 0) {
                Some(n) => Ok(n - 1),
                None => misread(number, format!("\"{word}\" should be followed by a number from 1")),
            },
        };
        let (day, vehicle) = (said("Day")?, said("Vehicle")?);
        if day >= problem.days || vehicle as usize >= problem.vehicles.len() {
            return misread(number, "that day or vehicle is not there");
        }
        let mut route = Route { vehicle, day, stops: vec![] };
        for word in stops.split_whitespace() {
            let place = word.parse().ok().and_then(|label: u32| places.get(&label));
            let Some(place) = place else {
                return misread(number, format!("there is no customer \"{word}\""));
            };
            served[*place as usize] = true;
            route.stops.push(*place);
        }
        if !route.stops.is_empty() {
            plan.routes.push(route);
        }
    }
    if plan.routes.is_empty() && !text.to_lowercase().contains("cost") {
        return misread(0, "This is no solution: no line begins with \"Route\"");
    }
    plan.unserved = (0..served.len() as u32).filter(|n| !served[*n as usize]).collect();
    Ok(plan)
}
