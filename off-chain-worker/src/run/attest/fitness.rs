//! Which tasks an attester can serve without losing money.
//!
//! An attester is drawn for whatever it offers, without being asked again, and whoever opens a task chooses what a seat in it
//! costs: the model may be too large for this machine's memory, or a round may pay less than a seat's calls cost. So the
//! attester first looks at the task's terms and graph, which never change. A node that lies about them can cause an unsuitable
//! offer, but cannot take stake with it, because whatever a seat commits to has to be proved first.

use crate::{evaluation::FastCpu, run::pay::most_pay};
use gotong_protocol::{view::TaskView, TaskId};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The conditions under which an attester serves a task. By default it serves every task.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Returns how many bytes of memory a round may take now.
    pub memory: fn() -> u64,
    /// The least, in planck, that a round has to be able to pay for a seat.
    pub least_pay: u128,
}

impl Conditions {
    /// What a seat's calls cost, in planck, while blocks are not full: a commitment, a reveal and the audits, at one planck
    /// for each picosecond of the chain's time. By hand.
    pub const CALLS: u128 = 2_000_000_000;
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            memory: || u64::MAX,
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
        /// Bytes that are free.
        has: u64,
    },
    /// A seat costs more than it can earn.
    #[error("a round pays a seat at most {most} planck, which is less than the minimum of {least} (`--least-pay`)")]
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

/// Remembers which tasks suit, of those that it was asked about.
pub(super) struct Fitness {
    conditions: Conditions,
    /// The most bytes that were ever free for a round. So the memory that rounds under way use counts as free, and offers do not
    /// come and go with them.
    memory: u64,
    /// What was found out about each task. Its terms do not change, but memory may be freed.
    known: BTreeMap<TaskId, Found>,
}

/// What was found out about a task.
#[derive(Clone, Copy)]
enum Found {
    Suits,
    Unfit,
    /// At this time there was too little memory for it.
    TooLarge(Instant),
}

impl Fitness {
    /// How long a task counts as too large before the free memory is checked again. When the program starts, a node that is
    /// catching up may be using that memory.
    const TOO_LARGE_FOR: Duration = Duration::from_secs(3600);

    pub fn new(conditions: Conditions) -> Self {
        Self {
            memory: (conditions.memory)(),
            conditions,
            known: BTreeMap::new(),
        }
    }

    /// Whether the task suits. If it does not, the reason is logged once.
    pub fn suits(&mut self, task: &TaskView) -> bool {
        self.suits_at(task, Instant::now())
    }

    fn suits_at(&mut self, task: &TaskView, now: Instant) -> bool {
        let before = self.known.get(&task.id).copied();
        match before {
            Some(Found::Suits) => return true,
            Some(Found::Unfit) => return false,
            Some(Found::TooLarge(at)) => {
                if now.saturating_duration_since(at) < Self::TOO_LARGE_FOR {
                    return false;
                }
                self.ask_memory();
            }
            None => {}
        }
        let unfit = self.conditions.unfit(task, self.memory);
        match (&unfit, before) {
            (Some(unfit), None) => tracing::warn!(task = %task.id, "not offered: {unfit}"),
            (None, Some(_)) => tracing::info!(task = %task.id, "there is memory for it now"),
            _ => {}
        }
        let found = match unfit {
            None => Found::Suits,
            Some(Unfit::TooLarge { .. }) => Found::TooLarge(now),
            Some(_) => Found::Unfit,
        };
        self.known.insert(task.id, found);
        matches!(found, Found::Suits)
    }

    fn ask_memory(&mut self) {
        self.memory = self.memory.max((self.conditions.memory)());
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

    /// From now on another node is asked, which may describe the tasks differently.
    pub fn disconnected(&mut self) {
        self.known.clear();
        self.ask_memory();
    }
}

impl Conditions {
    /// Why the task does not suit if a round may take `memory` bytes; `None` if it suits.
    fn unfit(&self, task: &TaskView, memory: u64) -> Option<Unfit> {
        let Ok(evaluation) = FastCpu::memory(&task.graph) else {
            return Some(Unfit::NotAModel);
        };
        let deltas = u64::from(task.terms.places()) * u64::from(task.terms.delta_bytes);
        let needs = evaluation.saturating_add(deltas);
        if needs > memory {
            let has = memory;
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
    use std::cell::Cell;

    thread_local! {
        /// Bytes that are free.
        static FREE: Cell<u64> = const { Cell::new(u64::MAX) };
    }

    fn strict() -> Conditions {
        Conditions {
            memory: || FREE.get(),
            least_pay: Conditions::CALLS,
        }
    }

    /// Bytes that a round of the task may take.
    fn needs(task: &TaskView) -> u64 {
        // 1,024 deltas of 64 KiB.
        FastCpu::memory(&task.graph).unwrap() + (64 << 20)
    }

    #[test]
    fn a_task_that_needs_more_memory_than_there_is_is_not_offered() {
        let task = views::task();
        let needs = needs(&task);
        assert_eq!(strict().unfit(&task, needs), None);
        let has = needs - 1;
        assert_eq!(
            strict().unfit(&task, has),
            Some(Unfit::TooLarge { needs, has })
        );
        FREE.set(has);
        let mut fitness = Fitness::new(strict());
        assert!(!fitness.suits(&task));
        assert!(Fitness::new(Conditions::default()).suits(&task));
        FREE.set(needs);
        assert!(!fitness.suits(&task), "memory was checked just now");
        fitness.disconnected();
        assert!(fitness.suits(&task));
    }

    /// If both were started together, a node that is catching up may have taken the memory.
    #[test]
    fn memory_that_is_freed_is_found_within_an_hour_and_rounds_that_take_it_change_no_offer() {
        let task = views::task();
        FREE.set(needs(&task) - 1);
        let mut fitness = Fitness::new(strict());
        let start = Instant::now();
        assert!(!fitness.suits_at(&task, start));
        FREE.set(needs(&task));
        let later = start + Fitness::TOO_LARGE_FOR;
        assert!(!fitness.suits_at(&task, later - Duration::from_secs(1)));
        assert!(fitness.suits_at(&task, later));
        FREE.set(0);
        fitness.disconnected();
        assert!(fitness.suits_at(&task, later), "rounds are using it");
    }

    #[test]
    fn a_model_that_is_none_is_not_offered() {
        let mut task = views::task();
        task.graph = Graph {
            ops: Vec::new(),
            ..task.graph
        };
        assert_eq!(
            Conditions::default().unfit(&task, u64::MAX),
            Some(Unfit::NotAModel)
        );
    }

    /// Such a sponsor would have attesters work at their own cost.
    #[test]
    fn a_task_that_pays_less_than_a_seats_calls_is_not_offered() {
        let is_too_little = |task: &TaskView| {
            matches!(
                strict().unfit(task, u64::MAX),
                Some(Unfit::PaysTooLittle { .. })
            )
        };
        let mut task = views::task();
        assert!(!is_too_little(&task));
        task.terms.attester_fee_permille = 0;
        assert!(
            is_too_little(&task),
            "it pays neither for gains nor for work"
        );
        let unfit = Conditions::default().unfit(&task, u64::MAX);
        assert_eq!(unfit, None, "unless the attester sets a minimum");
        task.terms.work_fee = 1 << 50;
        assert!(!is_too_little(&task), "it pays for work");
        // No gain comes near this cap.
        let mut task = views::task();
        task.terms.price_per_millibit = 1_000;
        task.terms.cap_per_round = u128::MAX;
        assert!(is_too_little(&task));
    }
}
