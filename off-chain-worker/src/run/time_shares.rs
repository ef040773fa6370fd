//! How a machine divides its time among tasks: in proportion to what each pays.

use gotong_protocol::TaskId;
use std::{collections::BTreeMap, time::Duration};

/// Divides the time of one machine among tasks: start-time fair queueing (Goyal, Vin and Cheng, 1996), where the packets are
/// training runs. A training run is never interrupted, and a task that has no work loses its turn, but saves nothing up for later.
///
/// A task's weight is what it pays *all* contributors for each block: if everybody divides their time by that, an hour is paid
/// the same in every task.
#[derive(Debug, Default)]
pub(super) struct TimeShares {
    /// Virtual time: the start of the training run that was chosen last.
    clock: f64,
    /// The virtual time at which each task's last training run ended.
    ended: BTreeMap<TaskId, f64>,
}

/// What a task pays all contributors together, in planck a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Worth {
    /// The mean pay of its last rounds. It is unknown for a task that has not ended a round.
    pub lately: Option<f64>,
    /// The most that a round can pay.
    pub most: f64,
}

/// All tasks that pay nothing together have this fraction of the weight of the best-paying task. So they are tried again from time
/// to time.
const LEAST: f64 = 1.0 / 64.0;
/// All tasks about whose pay nothing is known yet together have at most this fraction of the weight of all others.
const UNKNOWN: f64 = 1.0 / 4.0;

/// The weight of each task, in the same order; the largest is 1. Many tasks that pay nothing, or that are new, weigh no more than a
/// few do, so nobody draws much time by opening them.
pub(super) fn weights(worths: &[Worth]) -> Vec<f64> {
    let pays = |worth: &Worth| worth.lately.map(|lately| lately.min(worth.most));
    let known: Vec<f64> = worths.iter().filter_map(pays).collect();
    let paid: f64 = known.iter().sum();
    let is_unknown = |worth: &&Worth| worth.lately.is_none() && worth.most > 0.0;
    let unknown = worths.iter().filter(is_unknown).count().max(1) as f64;
    let each_unknown = match paid > 0.0 {
        // Together they weigh as much as one of the others on average.
        true => (paid / known.len() as f64).min(paid * UNKNOWN) / unknown,
        // Nobody was paid yet, so all tasks that can pay are equal.
        false => f64::INFINITY,
    };
    let planck: Vec<f64> = worths
        .iter()
        .map(|worth| pays(worth).unwrap_or_else(|| each_unknown.min(worth.most)))
        .collect();
    let highest = planck.iter().copied().fold(0.0, f64::max);
    let weight = |planck: f64| match paid > 0.0 {
        true => planck / highest,
        false => f64::from(u8::from(planck > 0.0)),
    };
    let weights: Vec<f64> = planck.into_iter().map(weight).collect();
    let is_least = |weight: &&f64| **weight < LEAST;
    let least = LEAST / weights.iter().filter(is_least).count().max(1) as f64;
    weights.iter().map(|weight| weight.max(least)).collect()
}

impl TimeShares {
    /// Which of the `ready` tasks is next. In a tie, the first of them.
    pub fn next(&mut self, ready: &[TaskId]) -> Option<TaskId> {
        let begins = |task: &TaskId| self.start(*task);
        let next = ready
            .iter()
            .copied()
            .min_by(|a, b| begins(a).total_cmp(&begins(b)))?;
        self.clock = self.start(next);
        Some(next)
    }

    /// Notes that a training run for a task of this weight took this much of the machine's time.
    pub fn spent(&mut self, task: TaskId, time: Duration, weight: f64) {
        let ended = self.start(task) + time.as_secs_f64() / weight.max(f64::MIN_POSITIVE);
        self.ended.insert(task, ended);
    }

    fn start(&self, task: TaskId) -> f64 {
        self.ended
            .get(&task)
            .map_or(self.clock, |ended| ended.max(self.clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How each task fares: the seconds that it gets out of `seconds`. A task is given as the seconds of a training run, and a
    /// weight.
    fn divided(tasks: &[(u64, f64)], seconds: u64) -> Vec<u64> {
        let mut shares = TimeShares::default();
        let mut got = vec![0; tasks.len()];
        let all: Vec<_> = (0..tasks.len() as u32).map(TaskId).collect();
        while got.iter().sum::<u64>() < seconds {
            let next = shares.next(&all).unwrap();
            let (took, weight) = tasks[next.0 as usize];
            shares.spent(next, SECOND * took as u32, weight);
            got[next.0 as usize] += took;
        }
        got
    }

    #[test]
    fn time_goes_where_the_pay_is_however_long_a_training_takes() {
        let near = |got: u64, wanted: f64| (got as f64 - wanted).abs() < 20.0;
        let got = divided(&[(1, 3.0), (1, 1.0)], 1_000);
        assert!(near(got[0], 750.0) && near(got[1], 250.0), "{got:?}");
        let got = divided(&[(10, 3.0), (1, 1.0), (2, 6.0)], 1_000);
        assert!(near(got[0], 300.0) && near(got[1], 100.0), "{got:?}");
        assert!(near(got[2], 600.0), "{got:?}");
    }

    #[test]
    fn a_task_without_work_saves_nothing_up() {
        let mut shares = TimeShares::default();
        let (busy, late) = (TaskId(0), TaskId(1));
        for _ in 0..100 {
            assert_eq!(shares.next(&[busy]), Some(busy));
            shares.spent(busy, SECOND, 1.0);
        }
        let mut turns = Vec::new();
        for _ in 0..6 {
            let next = shares.next(&[busy, late]).unwrap();
            shares.spent(next, SECOND, 1.0);
            turns.push(next.0);
        }
        let late_turns = turns.iter().filter(|turn| **turn == late.0).count();
        assert!((3..=4).contains(&late_turns), "{turns:?}");
        assert_eq!(shares.next(&[]), None);
    }

    /// A task that pays hardly anything is worked on alone. Then a good one comes, and does not have to wait for long.
    #[test]
    fn a_poor_task_that_was_alone_holds_up_no_rich_one() {
        let mut shares = TimeShares::default();
        let (poor, rich) = (TaskId(0), TaskId(1));
        for _ in 0..10 {
            shares.next(&[poor]);
            shares.spent(poor, SECOND, 0.01);
        }
        for _ in 0..20 {
            assert_eq!(shares.next(&[poor, rich]), Some(rich));
            shares.spent(rich, SECOND, 10.0);
        }
    }

    /// Nothing is known yet about two tasks, whose training runs take about equally long. Then both pay well.
    #[test]
    fn what_was_tried_blindly_starves_nobody() {
        let mut shares = TimeShares::default();
        let both = [TaskId(0), TaskId(1)];
        let new = Worth {
            lately: None,
            most: 1e9,
        };
        let pays = Worth {
            lately: Some(1e9),
            ..new
        };
        for (worth, took) in [(new, 60), (new, 61), (pays, 60), (pays, 60), (pays, 60)] {
            let next = shares.next(&both).unwrap();
            let weight = weights(&[worth; 2])[next.0 as usize];
            shares.spent(next, SECOND * took, weight);
        }
        let ended: Vec<f64> = shares.ended.values().copied().collect();
        assert!((ended[0] - ended[1]).abs() <= 60.0, "{ended:?}");
    }

    #[test]
    fn an_unknown_task_is_tried_but_not_for_its_promises() {
        let worth = |lately: Option<f64>, most: f64| Worth { lately, most };
        let known = [worth(Some(8.0), 10.0), worth(Some(4.0), 10.0)];
        let with = |new: &[Worth]| weights(&[&known, new].concat());
        assert_eq!(with(&[]), [1.0, 0.5]);
        // It weighs at most a quarter of what the others pay, and no more than it can pay.
        assert_eq!(with(&[worth(None, 1e9)])[2], 3.0 / 8.0);
        assert_eq!(with(&[worth(None, 2.0)])[2], 2.0 / 8.0);
        // A task that paid nothing, or has nothing left, gets a little.
        assert_eq!(with(&[worth(Some(0.0), 1e9)])[2], LEAST);
        assert_eq!(with(&[worth(Some(5.0), 0.0)])[2], LEAST);
        assert_eq!(with(&[worth(None, 0.0)])[2], LEAST);
        // While nobody has paid, the tasks that have not ended a round are tried.
        let nothing = [worth(None, 5.0), worth(None, 50.0), worth(Some(0.0), 5.0)];
        assert_eq!(weights(&nothing), [1.0, 1.0, LEAST]);
        assert_eq!(weights(&[worth(Some(0.0), 0.0)]), [LEAST]);
        assert!(weights(&[]).is_empty());
    }

    /// A sponsor opens sixty tasks to draw time to them: new ones, or ones that pay nothing.
    #[test]
    fn a_crowd_of_tasks_draws_little_time() {
        let good = Worth {
            lately: Some(5.0),
            most: 10.0,
        };
        let of_good = |crowd: Worth| {
            let all = [vec![good], vec![crowd; 60]].concat();
            let weights = weights(&all);
            weights[0] / weights.iter().sum::<f64>()
        };
        let new = Worth {
            lately: None,
            most: 1e9,
        };
        assert!(of_good(new) >= 0.79, "{}", of_good(new));
        let empty = Worth {
            lately: Some(0.0),
            most: 1e9,
        };
        assert!(of_good(empty) >= 0.98, "{}", of_good(empty));
    }
}
