//! The rules a record must keep, shared by forms, command line, imports and server.

use crate::domain::decimal;
use crate::domain::effort::show_days;
use crate::domain::planning;
use crate::domain::problem::Problem;
use crate::domain::schema::{Activity, Kind, PlanRules, Record, Type, User, Win};
use crate::domain::value::{Fields, Value};
use crate::domain::when::in_range;
use chrono::NaiveDate;

/// What the checks need to know beside the record.
pub struct Facts {
    pub today: NaiveDate,
    pub day_minutes: i64,
    /// Whether the activity's type lets effort be empty after a warning (P-003).
    pub effort_may_be_empty: bool,
}

/// Longest one-line text and longest text, in characters.
pub const MAX_LINE: usize = 500;
pub const MAX_LONG: usize = 100_000;

/// All problems of a record, in the order of its fields.
pub fn check(kind: Kind, fields: &Fields, facts: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    for field in kind.schema().fields {
        let value = fields.get(&field.id);
        if field.required && value.is_none() {
            problems.push(
                Problem::error(field.name, "required", format!("The {} is missing", field.label()))
                    .fix("It must be given"),
            );
        }
        match (value, field.kind) {
            (Some(Value::Text(text)), Type::Choice(words)) if !words.contains(&text.as_str()) => {
                problems.push(Problem::error(
                    field.name,
                    "choice",
                    format!("The {} is one of: {}", field.label(), words.join(", ")),
                ));
            }
            (Some(Value::Text(text)), kind) => {
                let most = if kind == Type::Long { MAX_LONG } else { MAX_LINE };
                let length = text.chars().count();
                if length > most {
                    problems.push(Problem::error(
                        field.name,
                        "length",
                        format!("The {} has {length} characters; {most} are the most", field.label()),
                    ));
                }
            }
            (Some(Value::Date(date)), _) if in_range(*date).is_none() => {
                problems.push(Problem::error(
                    field.name,
                    "range",
                    format!("The {} {date} cannot be right", field.label()),
                ));
            }
            _ => {}
        }
    }
    match kind {
        Kind::Activity => activity(&Activity::from_fields(fields), facts, &mut problems),
        Kind::Win => win(&Win::from_fields(fields), facts, &mut problems),
        Kind::User => user(&User::from_fields(fields), &mut problems),
        Kind::PlanRules => problems.extend(planning::faults(&PlanRules::from_fields(fields))),
        _ => {}
    }
    position(kind, fields, &mut problems);
    problems
}

fn activity(activity: &Activity, facts: &Facts, problems: &mut Vec<Problem>) {
    if let Some(date) = activity.date.filter(|d| *d > facts.today) {
        problems.push(
            Problem::warning("date", "ACT-01", format!("{date} is in the future"))
                .fix("Log it when it has happened, or confirm the date (! behind it in the quick line)"),
        );
    }
    match activity.effort {
        None if activity.activity_type.is_none() => {} // the missing type is told already
        None if !facts.effort_may_be_empty => problems.push(
            Problem::error("effort", "ACT-03", "The effort is missing").fix("Give hours or days, such as 3h"),
        ),
        None if !activity.empty_effort_ack => problems.push(
            Problem::warning("effort", "ACT-02", "Enablement without days or hours: save anyway?")
                .fix("Give hours or days, or confirm that there are none"),
        ),
        Some(minutes) if !(1..=31 * 24 * 60).contains(&minutes) => {
            problems.push(Problem::error(
                "effort",
                "ACT-04",
                format!("{} cannot be one activity's effort", show_days(minutes, facts.day_minutes)),
            ));
        }
        _ => {}
    }
    if activity.next_due.is_some() && activity.next_step.is_empty() {
        problems.push(Problem::error("next_step", "ACT-05", "A due date needs a next step"));
    }
}

/// Degrees of WGS 84, both or none, of whatever stands somewhere.
fn position(kind: Kind, fields: &Fields, problems: &mut Vec<Problem>) {
    let degrees = |name: &str| match kind.schema().field_named(name).and_then(|f| fields.get(&f.id)) {
        Some(Value::Int(degrees)) => Some(*degrees),
        _ => None,
    };
    let (latitude, longitude) = (degrees("latitude"), degrees("longitude"));
    for (name, value, other, most) in
        [("latitude", latitude, longitude, 90), ("longitude", longitude, latitude, 180)]
    {
        match value {
            Some(degrees) if degrees.abs() > most * decimal::ONE => problems.push(
                Problem::error(name, "COORD-03", format!("A {name} is between -{most} and {most}"))
                    .fix("Type degrees such as 18.5204"),
            ),
            None if other.is_some() => problems.push(
                Problem::error(name, "COORD-01", format!("The {name} is missing")).fix("Give both, or none"),
            ),
            _ => {}
        }
    }
}

fn win(win: &Win, facts: &Facts, problems: &mut Vec<Problem>) {
    let own = win.source.is_empty();
    if own && win.account.is_none() {
        problems
            .push(Problem::error("account", "required", "The account is missing").fix("It must be given"));
    }
    if own && win.outcome == "loss" && win.reason.is_none() {
        problems.push(
            Problem::error("reason", "WIN-01", "A loss needs its reason").fix("Give one, such as price"),
        );
    }
    if let Some(date) = win.date.filter(|d| own && *d > facts.today) {
        problems.push(
            Problem::warning("date", "WIN-03", format!("{date} is in the future"))
                .fix("Enter it when it is decided, or confirm the date"),
        );
    }
    if win.amount.is_some_and(|m| m.minor < 0) {
        problems.push(Problem::error("amount", "WIN-02", "An amount is not negative"));
    }
}

fn user(user: &User, problems: &mut Vec<Problem>) {
    let email = &user.email;
    let good = |e: &str| {
        e.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !e.contains(' '))
    };
    if !email.is_empty() && !good(email) {
        problems.push(Problem::error("email", "USR-01", format!("\"{email}\" is not an e-mail address")));
    }
    for named in &user.territories {
        let (level, _) = planning::territory(named);
        let field = Kind::Outlet.schema().field_named(level);
        if !field.is_some_and(|field| !field.system && field.kind == Type::Text) {
            let problem =
                Problem::error("territories", "USR-02", format!("Outlets have no level \"{level}\""));
            problems
                .push(problem.fix("Name a text of outlets and its value: `region=West`, `territory=Pune`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Id;

    fn facts(effort_may_be_empty: bool) -> Facts {
        Facts { today: "2026-02-20".parse().unwrap(), day_minutes: 480, effort_may_be_empty }
    }

    /// P-003: type × effort × acknowledgement.
    #[test]
    fn empty_effort_warns_for_enablement_and_is_refused_for_others() {
        for (may_be_empty, effort, ack, rule) in [
            (false, None, false, Some("ACT-03")),
            (true, None, false, Some("ACT-02")),
            (true, None, true, None),
            (false, None, true, Some("ACT-03")),
            (false, Some(60), false, None),
            (true, Some(60), false, None),
            (true, Some(0), false, Some("ACT-04")),
        ] {
            let activity = Activity {
                activity_type: Some(Id::default()),
                date: Some("2026-02-20".parse().unwrap()),
                owner: Some(Id::default()),
                effort,
                empty_effort_ack: ack,
                ..Activity::default()
            };
            let problems = check(Kind::Activity, &activity.to_fields(), &facts(may_be_empty));
            assert_eq!(problems.first().map(|p| p.rule.as_str()), rule, "{may_be_empty} {effort:?} {ack}");
        }
    }

    #[test]
    fn a_loss_needs_a_reason_and_required_fields_are_named() {
        let win = Win { outcome: "loss".into(), ..Win::default() };
        let problems = check(Kind::Win, &win.to_fields(), &facts(false));
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["date", "account", "reason"]);
    }
}
