//! Sample data of our own: a presales team's year and a half for the demo, and bulk
//! activities for measurements. Deterministic for a seed and a day.

use crate::domain::money::Money;
use crate::domain::schema::*;
use crate::domain::when::Month;
use crate::domain::{Failure, Id, Outcome};
use crate::random::Random;
use crate::services::records::Save;
use crate::services::{Command, WriteCx, drafts, names};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The names and texts of the sample, as sample-data/demo.toml has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    colleagues: Vec<Colleague>,
    industries: Vec<String>,
    use_cases: Vec<String>,
    products: Vec<String>,
    summaries: Vec<String>,
    accounts: Vec<Customer>,
}

#[derive(Debug, Deserialize)]
struct Colleague {
    name: String,
    login: String,
}

#[derive(Debug, Deserialize)]
struct Customer {
    name: String,
    industry: String,
    project: String,
}

impl Texts {
    fn load() -> Outcome<Texts> {
        toml::from_str(include_str!("../../sample-data/demo.toml"))
            .map_err(|e| Failure::internal(format!("sample-data/demo.toml: {}", e.message())))
    }
}

/// What activities refer to and say.
struct World {
    texts: Texts,
    me: Id,
    users: Vec<Id>,
    accounts: Vec<(Id, Id)>,
    use_cases: Vec<Id>,
    types: BTreeMap<String, Id>,
    reasons: BTreeMap<String, Id>,
}

fn world(cx: &mut WriteCx, me: Id, texts: Texts) -> Outcome<World> {
    let mut users = vec![me];
    for Colleague { name, login } in &texts.colleagues {
        let user = User {
            name: name.clone(),
            email: format!("{login}@example.com"),
            username: login.clone(),
            ..User::default()
        };
        users.push(cx.create(Kind::User, &user.to_fields())?);
    }
    let mut industries = BTreeMap::new();
    for name in &texts.industries {
        let industry = Industry { name: name.clone(), ..Industry::default() };
        industries.insert(name.as_str(), cx.create(Kind::Industry, &industry.to_fields())?);
    }
    let mut use_cases = Vec::new();
    for name in &texts.use_cases {
        let aliases = if name == "Proof of concept" { vec!["poc".to_owned()] } else { vec![] };
        let row = UseCase { name: name.clone(), aliases, ..UseCase::default() };
        use_cases.push(cx.create(Kind::UseCase, &row.to_fields())?);
    }
    let mut accounts = Vec::new();
    for (n, Customer { name, industry, project }) in texts.accounts.iter().enumerate() {
        let account = Account {
            name: name.clone(),
            industry: industries.get(industry.as_str()).copied(),
            region: ["North", "South", "West"][n % 3].into(),
            owner: Some(users[n % users.len()]),
            ..Account::default()
        };
        let account = cx.create(Kind::Account, &account.to_fields())?;
        let project = Project {
            name: project.clone(),
            account: Some(account),
            stage: "open".into(),
            presales_owner: Some(users[n % users.len()]),
            use_cases: vec![use_cases[n % use_cases.len()]],
            ..Project::default()
        };
        let project = cx.create(Kind::Project, &project.to_fields())?;
        accounts.push((account, project));
    }
    for (account, name) in [(0, "Analytics add-on"), (8, "Archive")] {
        let project = Project {
            name: name.into(),
            account: Some(accounts[account].0),
            stage: "on hold".into(),
            ..Project::default()
        };
        cx.create(Kind::Project, &project.to_fields())?;
    }
    let by_name = |cx: &WriteCx, kind, all: &[&str]| -> Outcome<BTreeMap<String, Id>> {
        all.iter().map(|n| Ok(((*n).to_owned(), names::resolve(cx.reads(), kind, n, None)?))).collect()
    };
    let types = [
        "Discovery",
        "Demo",
        "POC/POV",
        "Workshop",
        "RFP/RFI",
        "Technical call",
        "Enablement",
        "Internal",
        "Travel",
    ];
    Ok(World {
        texts,
        me,
        users,
        accounts,
        use_cases,
        types: by_name(cx, Kind::ActivityType, &types)?,
        reasons: by_name(
            cx,
            Kind::Reason,
            &["price", "competitor", "no decision", "proof of concept", "product fit"],
        )?,
    })
}

/// Fills an empty store with the demo's data, relative to today.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FillDemo {
    pub seed: u64,
}

impl Command for FillDemo {
    const NAME: &'static str = "sample.demo";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let settings = cx.settings()?;
        let texts = Texts::load()?;
        let first = texts.accounts.first().map_or("", |a| &a.name);
        if !names::find(cx.reads(), Kind::Account, first, None)?.is_empty() {
            return Err(Failure::conflict("This store holds the sample data already"));
        }
        let mut random = Random::new(self.seed);
        let world = world(cx, settings.me, texts)?;
        let today = settings.today;
        let first = Month::of(today).plus(-17).first();
        let mut made = 0;
        for day in first.iter_days().take_while(|d| *d <= today) {
            if day.weekday().number_from_monday() > 5 {
                continue;
            }
            for user in world.users.clone() {
                made += workday(cx, &mut random, &world, user, day, day == today)?;
            }
        }
        for months_ago in 0..12 {
            month_of_wins(cx, &mut random, &world, today, months_ago)?;
        }
        open_ends(cx, &world, today)?;
        Ok(made)
    }
}

fn workday(
    cx: &mut WriteCx,
    random: &mut Random,
    world: &World,
    user: Id,
    day: NaiveDate,
    is_today: bool,
) -> Outcome<usize> {
    if random.one_in(7) {
        return Ok(0); // a day off, or one that nobody logged
    }
    let count = if is_today { 1 } else { 1 + random.below(2) };
    for _ in 0..count {
        let (account, project) = *random.pick(&world.accounts);
        let kind = *random.pick(&[
            "Discovery",
            "Demo",
            "Demo",
            "POC/POV",
            "POC/POV",
            "Workshop",
            "RFP/RFI",
            "Technical call",
            "Enablement",
            "Internal",
            "Travel",
        ]);
        let outside = matches!(kind, "Internal" | "Travel");
        let open_effort = kind == "Enablement" && random.one_in(3);
        let activity = Activity {
            activity_type: world.types.get(kind).copied(),
            date: Some(day),
            effort: (!open_effort).then(|| *random.pick(&[60, 90, 120, 180, 240, 240, 480])),
            empty_effort_ack: open_effort,
            owner: Some(user),
            account: (!outside).then_some(account),
            project: (!outside && !random.one_in(4)).then_some(project),
            use_cases: if random.one_in(3) { vec![*random.pick(&world.use_cases)] } else { vec![] },
            summary: if outside { String::new() } else { random.pick(&world.texts.summaries).clone() },
            source: "sample".into(),
            ..Activity::default()
        };
        cx.create_as(Kind::Activity, id_at(cx, random, day), &activity.to_fields())?;
    }
    Ok(count)
}

/// An id as if the record had been made on that day, so that creation follows dates.
fn id_at(cx: &WriteCx, random: &mut Random, day: NaiveDate) -> Id {
    let noon = day.and_hms_opt(12, 0, 0).unwrap_or_default().and_utc().timestamp_millis();
    let wide = u128::from(random.bits()) << 64 | u128::from(random.bits());
    Id::from_parts(noon.clamp(0, cx.caller.now_ms) as u64, wide)
}

/// Seven wins, three losses, two of the wins and losses mine, in the current month;
/// the months before vary.
fn month_of_wins(
    cx: &mut WriteCx,
    random: &mut Random,
    world: &World,
    today: NaiveDate,
    months_ago: i32,
) -> Outcome<()> {
    let month = Month::of(today).plus(-months_ago);
    let (wins, losses) = if months_ago == 0 { (7, 3) } else { (4 + random.below(6), 2 + random.below(4)) };
    let last = month.last().min(today);
    for n in 0..wins + losses {
        let won = n < wins;
        let drawn = random.below(world.accounts.len());
        let place = if months_ago == 0 { n } else { drawn };
        let (account, project) = world.accounts[place];
        let day = Days::new(random.below(last.day() as usize) as u64);
        let reason = if won {
            ["proof of concept", "product fit"][n % 2]
        } else {
            ["price", "competitor", "no decision"][n % 3]
        };
        let mine = matches!(n, 1 | 8);
        let owner = if mine { world.me } else { world.users[1 + n % (world.users.len() - 1)] };
        let win = Win {
            outcome: if won { "win" } else { "loss" }.into(),
            account: Some(account),
            project: Some(project),
            date: Some(month.first() + day),
            month: Some(month.number()),
            amount: Some(Money {
                minor: (8 + random.below(90) as i64) * 400_000,
                currency: cx.settings()?.currency,
            }),
            products: vec![random.pick(&world.texts.products).clone()],
            reason: world.reasons.get(reason).copied(),
            owner: Some(owner),
            opportunity: format!("{} {}", world.texts.accounts[place].project, month.year),
            ..Win::default()
        };
        let featured = months_ago == 0 && n == 5;
        let story = if featured { "Live nine days after a failed trial elsewhere." } else { "" };
        let win = Win { featured, story: story.into(), ..win };
        cx.create_as(Kind::Win, id_at(cx, random, month.first() + day), &win.to_fields())?;
    }
    Ok(())
}

/// Follow-ups that are due and a few drafts, so that "needs you" has something to say.
fn open_ends(cx: &mut WriteCx, world: &World, today: NaiveDate) -> Outcome<()> {
    let mut weekday = today;
    while matches!(weekday.weekday(), Weekday::Sat | Weekday::Sun) {
        weekday = weekday.pred_opt().unwrap_or(weekday);
    }
    for (account, step, due) in
        [(0, "send the pricing options", today), (3, "book the load test", today + Days::new(3))]
    {
        let activity = Activity {
            activity_type: world.types.get("Demo").copied(),
            date: Some(weekday.pred_opt().unwrap_or(weekday)),
            effort: Some(120),
            owner: Some(world.me),
            account: Some(world.accounts[account].0),
            project: Some(world.accounts[account].1),
            use_cases: vec![world.use_cases[0]],
            summary: "security questions and answers".into(),
            next_step: step.into(),
            next_due: Some(due),
            source: "sample".into(),
            ..Activity::default()
        };
        cx.create(Kind::Activity, &activity.to_fields())?;
    }
    for (account, kind, summary) in
        [("Nordlys", "Workshop", "partner day, afternoon"), ("Halden AG", "Demo", "plant tour")]
    {
        let input = [("type", kind), ("account", account), ("summary", summary)];
        let keep = drafts::KeepForm {
            kind: Kind::Activity,
            target: None,
            title: format!("{kind}, {account}"),
            message: "the form was left before it was saved".into(),
            input: input.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        };
        keep.run(cx)?;
    }
    // Two people at the same account: what both changed waits for one of them.
    for (account, field, theirs, mine) in
        [("Meridian Bank", "segment", "Enterprise", "Mid-market"), ("Orbit Labs", "region", "South", "East")]
    {
        let id = names::resolve(cx.reads(), Kind::Account, account, None)?;
        let seen_rev = cx.reads().head(Kind::Account, id)?.map(|head| head.rev);
        for text in [theirs, mine] {
            let input = [(field.to_owned(), text.to_owned())].into();
            Save { kind: Kind::Account, id: Some(id), input, seen_rev, ack: vec![] }.run(cx)?;
        }
    }
    Ok(())
}

/// A slice of bulk activities for measurements: numbers `from` to `from + count` of
/// `total`, spread evenly over the 20 months up to today.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FillActivities {
    pub from: u64,
    pub count: u64,
    pub total: u64,
    pub seed: u64,
}

/// Months over which bulk activities are spread: a million of them is 50,000 a month.
const FILL_MONTHS: i32 = 20;
const FILL_ACCOUNTS: usize = 400;

impl Command for FillActivities {
    const NAME: &'static str = "sample.fill";
    type Reply = u64;

    fn run(&self, cx: &mut WriteCx) -> Outcome<u64> {
        let settings = cx.settings()?;
        let world = fill_world(cx, settings.me)?;
        cx.batch.defer_indexes();
        let types: Vec<Id> = world.types.values().copied().collect();
        let mut random = Random::new(self.seed ^ self.from.wrapping_mul(0x9e37_79b9));
        let first = Month::of(settings.today).plus(1 - FILL_MONTHS).first();
        let days = (settings.today - first).num_days().max(1) as u64;
        for n in self.from..self.from + self.count {
            let date = first + Days::new(n * days / self.total.max(1));
            let (account, project) = *random.pick(&world.accounts);
            let activity = Activity {
                activity_type: Some(*random.pick(&types)),
                date: Some(date),
                effort: Some(*random.pick(&[60, 90, 120, 180, 240, 480])),
                owner: Some(*random.pick(&world.users)),
                account: Some(account),
                project: (n % 2 == 0).then_some(project),
                use_cases: if n % 3 == 0 { vec![*random.pick(&world.use_cases)] } else { vec![] },
                summary: random.pick(&world.texts.summaries).clone(),
                source: "sample".into(),
                ..Activity::default()
            };
            let ms = date.and_hms_opt(8, 0, 0).unwrap_or_default().and_utc().timestamp_millis() as u64
                + n % 28_800_000;
            let id = Id::from_parts(ms, u128::from(random.bits()) << 64 | u128::from(random.bits()));
            cx.create_as(Kind::Activity, id, &activity.to_fields())?;
        }
        Ok(self.count)
    }
}

/// The records bulk activities refer to, made on the first slice and found on the next.
fn fill_world(cx: &mut WriteCx, me: Id) -> Outcome<World> {
    let id = |what: u8, n: usize| {
        let mut id = Id::from_parts(1_600_000_000_000, n as u128 * 7_919);
        id.0[15] = what;
        id
    };
    let is_new = cx.reads().head(Kind::Account, id(1, 0))?.is_none();
    let mut world = World {
        texts: Texts::load()?,
        me,
        users: vec![me],
        accounts: vec![],
        use_cases: vec![],
        types: BTreeMap::new(),
        reasons: BTreeMap::new(),
    };
    for n in 0..FILL_ACCOUNTS {
        world.accounts.push((id(1, n), id(2, n)));
        if is_new {
            let account = Account { name: format!("Sample account {n:03}"), ..Account::default() };
            cx.create_as(Kind::Account, id(1, n), &account.to_fields())?;
            let project = Project {
                name: format!("Project {n:03}"),
                account: Some(id(1, n)),
                stage: "open".into(),
                ..Project::default()
            };
            cx.create_as(Kind::Project, id(2, n), &project.to_fields())?;
        }
    }
    for n in 0..20 {
        world.users.push(id(3, n));
        if is_new {
            let user = User { name: format!("Sample person {n:02}"), ..User::default() };
            cx.create_as(Kind::User, id(3, n), &user.to_fields())?;
        }
    }
    for (n, name) in world.texts.use_cases.iter().enumerate() {
        world.use_cases.push(id(4, n));
        if is_new {
            cx.create_as(
                Kind::UseCase,
                id(4, n),
                &UseCase { name: format!("Sample {name}"), ..UseCase::default() }.to_fields(),
            )?;
        }
    }
    cx.reads().heads(Kind::ActivityType, Id::default(), &mut |id, _| {
        world.types.insert(id.to_string(), id);
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(world)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_of_the_folder_is_whole() {
        let texts = Texts::load().unwrap();
        assert!(texts.accounts.len() >= 10, "this month's wins and losses have one each");
        for account in &texts.accounts {
            assert!(texts.industries.contains(&account.industry), "{account:?}");
        }
        assert!(texts.colleagues.len() > 1 && !texts.summaries.is_empty() && !texts.products.is_empty());
    }
}
