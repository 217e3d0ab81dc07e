//! The reps of a task: those it names, and as many more as are asked for or as the work takes.

use super::build::Faults;
use super::{Channel, Distributor, Rep, Task};
use crate::solver::geometry::nearest;
use crate::solver::problem::{Depot, Metric, distance, drive};
use crate::solver::territory;
use std::collections::BTreeMap;

/// Of their hours reps of modern trade can fill so much less: few outlets far apart, with
/// appointments.
const MODERN: f64 = 0.87;

/// All reps: those that are named, and as many more as are asked for or as the work takes.
pub fn staff(
    task: &Task,
    at: &[(f64, f64)],
    depots: &[Depot],
    of: &[u32],
    metric: &Metric,
    faults: &mut Faults,
) -> Vec<Rep> {
    let named = |d: &Distributor, channel: Channel| -> Vec<Rep> {
        let own = |r: &&Rep| r.distributor == d.id && r.channel == channel;
        task.reps.iter().filter(own).cloned().collect()
    };
    let modern = task.outlets.iter().any(|o| o.channel == Channel::Modern);
    let counted_by_work = task.distributors.iter().any(|d| {
        let lacks = |channel, asked: Option<u32>| asked.is_none() && named(d, channel).is_empty();
        lacks(Channel::General, d.gt_reps) || modern && lacks(Channel::Modern, d.mt_reps)
    });
    let work = match counted_by_work {
        true => workloads(task, at, depots, of, metric),
        false => vec![(0.0, 0.0); depots.len()],
    };
    let time = task.rules.hours
        * 3_600.0
        * f64::from(task.weeks * task.days_per_week)
        * task.rules.load.clamp(0.1, 1.0);
    let mut reps = Vec::new();
    // Modern trade crosses distributors: its reps are counted over all of them, and begin
    // where most of their work is.
    let (mut left, mut counted) = (0.0, 0);
    for (n, d) in task.distributors.iter().enumerate() {
        for (channel, asked, work, sign) in
            [(Channel::General, d.gt_reps, work[n].0, 'G'), (Channel::Modern, d.mt_reps, work[n].1, 'M')]
        {
            let known = named(d, channel);
            if !known.is_empty() {
                reps.extend(known);
                continue;
            }
            let count = match (asked, channel) {
                (Some(count), _) => count,
                (None, Channel::General) => (work / time).ceil() as u32,
                (None, Channel::Modern) => {
                    left += work / (time * MODERN);
                    let due = (left.ceil() as u32).saturating_sub(counted);
                    counted += due;
                    due
                }
            };
            if count > 10_000 {
                faults.add(format!("distributor {}: {count} reps are more than 10,000", d.id));
                continue;
            }
            let id = |n: u32| format!("{}-{sign}{n}", d.id);
            reps.extend((1..=count).map(|n| Rep {
                id: id(n),
                distributor: d.id.clone(),
                channel,
                ..Rep::default()
            }));
        }
    }
    for rep in task.reps.iter().filter(|r| !task.distributors.iter().any(|d| d.id == r.distributor)) {
        faults.add(format!("rep {}: there is no distributor \"{}\"", rep.id, rep.distributor));
    }
    reps
}

/// Seconds of work in the cycle for each distributor: general and modern trade.
fn workloads(
    task: &Task,
    at: &[(f64, f64)],
    depots: &[Depot],
    of: &[u32],
    metric: &Metric,
) -> Vec<(f64, f64)> {
    let Metric::Road { near, far, town } = metric else { return vec![] };
    let drive = |metres: f64| f64::from(drive(metres, *near, *far, *town));
    let mut sums = vec![(0.0, 0.0); depots.len()];
    let mut groups = BTreeMap::<(Channel, u32), Vec<usize>>::new();
    for (n, outlet) in task.outlets.iter().enumerate() {
        let group = if outlet.channel == Channel::General { of[n] } else { 0 };
        groups.entry((outlet.channel, group)).or_default().push(n);
    }
    for ((channel, _), members) in groups {
        let points: Vec<(f64, f64)> = members.iter().map(|m| at[*m]).collect();
        let rows = nearest(&points, 2);
        for (place, n) in members.iter().enumerate() {
            let row = rows[place * 2..place * 2 + 2].iter().filter(|o| **o != u32::MAX);
            let ways: Vec<f64> = row.map(|o| drive(distance(points[place], points[*o as usize]))).collect();
            let hop = ways.iter().sum::<f64>() / ways.len().max(1) as f64;
            let outlet = &task.outlets[*n];
            let depot = &depots[of[*n] as usize];
            let home = drive(distance((depot.x, depot.y), at[*n]));
            let day = (task.rules.hours * 3_600.0, task.rules.max_stops);
            let work = territory::work(outlet.visits, outlet.minutes * 60.0, hop, home, day);
            match channel {
                Channel::General => sums[of[*n] as usize].0 += work,
                Channel::Modern => sums[of[*n] as usize].1 += work,
            }
        }
    }
    sums
}
