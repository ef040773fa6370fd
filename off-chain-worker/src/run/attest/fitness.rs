//! Which tasks an attester can serve without losing by it.
//!
//! Nobody asks an attester before it is drawn for whatever it offers, and whoever opens a task may choose what it costs: a model
//! that this machine has no memory for, or a round that pays less than the calls for a seat. What is asked here is the
//! task's terms and graph, which never change. A node that lies about them gets an offer that does not suit, and nobody's stake:
//! what a seat commits to is proved.

use crate::{evaluation::FastCpu, run::pay::most_pay};
use gotong_protocol::{view::TaskView, TaskId};
use std::collections::BTreeMap;

/// On which conditions an attester serves a task. By default there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Bytes that a round may take.
    pub memory: u64,
    /// The least that a round has to be able to pay for a seat, in planck.
    pub least_pay: u128,
}

impl Conditions {
    /// What the calls for a seat cost while blocks are not full, in planck: a commitment, a reveal and the audits, at a planck
    /// for a picosecond of the chain's time. By hand.
    pub const CALLS: u128 = 2_000_000_000;
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            memory: u64::MAX,
            least_pay: 0,
        }
    }
}

/// Why a task is not offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// This machine has too little memory for a round.
    #[error("a round may take {} MiB of memory, and {} are free", .needs.div_ceil(1 << 20), .has >> 20)]
    TooLarge {
        /// Bytes that a round may take.
        needs: u64,
        /// Bytes that there are.
        has: u64,
    },
    /// A seat costs more than it can earn.
    #[error("a round pays a seat {most} planck at most, and {least} is the least (`--least-pay`)")]
    PaysTooLittle {
        /// The most that a round can pay for a seat, in planck.
        most: u128,
        /// [`Conditions::least_pay`].
        least: u128,
    },
    /// The model cannot be evaluated, if the node tells the truth about it.
    #[error("its model cannot be evaluated")]
    NotAModel,
}

/// Which tasks suit, as far as they were looked at.
pub(super) struct Fitness {
    conditions: Conditions,
    /// Whether a task suits. It is asked once, since its terms do not change.
    known: BTreeMap<TaskId, bool>,
}

impl Fitness {
    pub fn new(conditions: Conditions) -> Self {
        Self {
            conditions,
            known: BTreeMap::new(),
        }
    }

    /// Whether the task suits. Why one does not is told once.
    pub fn suits(&mut self, task: &TaskView) -> bool {
        let conditions = &self.conditions;
        *self.known.entry(task.id).or_insert_with(|| {
            let unfit = conditions.unfit(task);
            if let Some(unfit) = &unfit {
                tracing::warn!(task = %task.id, "not offered: {unfit}");
            }
            unfit.is_none()
        })
    }

    /// Forgets all tasks but these.
    pub fn keep(&mut self, is_listed: impl Fn(TaskId) -> bool) {
        self.known.retain(|task, _| is_listed(*task));
    }

    /// How many tasks it knows.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Another node is asked from now on, which may say something else of the tasks.
    pub fn disconnected(&mut self) {
        self.known.clear();
    }
}

impl Conditions {
    /// Why a task does not suit, if it does not.
    fn unfit(&self, task: &TaskView) -> Option<Unfit> {
        let Ok(evaluation) = FastCpu::memory(&task.graph) else {
            return Some(Unfit::NotAModel);
        };
        let deltas = u64::from(task.terms.places()) * u64::from(task.terms.delta_bytes);
        let needs = evaluation.saturating_add(deltas);
        if needs > self.memory {
            let has = self.memory;
            return Some(Unfit::TooLarge { needs, has });
        }
        let (most, least) = (most_pay(task), self.least_pay);
        (most < least).then_some(Unfit::PaysTooLittle { most, least })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;
    use gotong_protocol::Graph;

    fn strict(memory: u64) -> Conditions {
        Conditions {
            memory,
            least_pay: Conditions::CALLS,
        }
    }

    #[test]
    fn a_task_that_needs_more_memory_than_there_is_is_not_offered() {
        let task = views::task();
        let evaluation = FastCpu::memory(&task.graph).unwrap();
        // 1,024 deltas of 64 KiB.
        let needs = evaluation + (64 << 20);
        assert_eq!(strict(needs).unfit(&task), None);
        let has = needs - 1;
        assert_eq!(
            strict(has).unfit(&task),
            Some(Unfit::TooLarge { needs, has })
        );
        let mut fitness = Fitness::new(strict(has));
        assert!(!fitness.suits(&task));
        assert!(Fitness::new(Conditions::default()).suits(&task));
        // It is another node's word now.
        fitness.conditions.memory = needs;
        assert!(!fitness.suits(&task), "it is asked once");
        fitness.disconnected();
        assert!(fitness.suits(&task));
    }

    #[test]
    fn a_model_that_is_none_is_not_offered() {
        let mut task = views::task();
        task.graph = Graph {
            ops: Vec::new(),
            ..task.graph
        };
        assert_eq!(Conditions::default().unfit(&task), Some(Unfit::NotAModel));
    }

    /// Its sponsor has attesters work for it, at their cost.
    #[test]
    fn a_task_that_pays_less_than_a_seats_calls_is_not_offered() {
        let conditions = strict(u64::MAX);
        let is_too_little =
            |task: &TaskView| matches!(conditions.unfit(task), Some(Unfit::PaysTooLittle { .. }));
        let mut task = views::task();
        assert!(!is_too_little(&task));
        task.terms.attester_fee_permille = 0;
        assert!(is_too_little(&task), "neither of gains nor for work");
        assert_eq!(Conditions::default().unfit(&task), None, "if that is fine");
        task.terms.work_fee = 1 << 50;
        assert!(!is_too_little(&task), "for work");
        // A cap that no gain comes near.
        let mut task = views::task();
        task.terms.price_per_millibit = 1_000;
        task.terms.cap_per_round = u128::MAX;
        assert!(is_too_little(&task));
    }
}
