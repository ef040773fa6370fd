//! Which tasks an attester can serve without losing by it.
//!
//! Nobody asks an attester before it is drawn for whatever it offers, and whoever opens a task may choose what it costs: a model
//! that this machine has no memory for, or a round that pays less than the calls for a seat. What is asked here is the
//! task's terms and graph, which never change. A node that lies about them gets an offer that does not suit, and nobody's stake:
//! what a seat commits to is proved.

use crate::run::{
    pay::most_pay,
    round_memory::{MemoryForRounds, RoundMemory},
};
use gotong_protocol::{view::TaskView, TaskId};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// On which conditions an attester serves a task. By default there are none.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Tells how many bytes rounds may take now, all together.
    pub memory: fn() -> u64,
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
    /// The most bytes that a round was ever allowed: what the rounds under way take counts as free, and no offer comes and goes with
    /// them.
    memory: u64,
    /// What was found of tasks. Their terms do not change, but memory may be freed.
    known: BTreeMap<TaskId, Found>,
}

/// What was found of a task.
#[derive(Clone, Copy)]
enum Found {
    /// A round of it takes so much memory.
    Suits(RoundMemory),
    Unfit,
    /// There was too little memory for it then.
    TooLarge(Instant),
}

impl Fitness {
    /// How long a task counts as too large before memory is asked for again: at the start a node that catches up may have it.
    const TOO_LARGE_FOR: Duration = Duration::from_secs(3600);

    pub fn new(conditions: Conditions) -> Self {
        Self {
            memory: (conditions.memory)(),
            conditions,
            known: BTreeMap::new(),
        }
    }

    /// Whether the task suits. Why one does not is told once.
    pub fn suits(&mut self, task: &TaskView) -> bool {
        self.suits_at(task, Instant::now())
    }

    fn suits_at(&mut self, task: &TaskView, now: Instant) -> bool {
        let before = self.known.get(&task.id).copied();
        match before {
            Some(Found::Suits(_)) => return true,
            Some(Found::Unfit) => return false,
            Some(Found::TooLarge(at)) => {
                if now.saturating_duration_since(at) < Self::TOO_LARGE_FOR {
                    return false;
                }
                self.ask_memory();
            }
            None => {}
        }
        let looked = self.conditions.check(task, self.memory);
        match (&looked, before) {
            (Err(unfit), None) => tracing::warn!(task = %task.id, "not offered: {unfit}"),
            (Ok(_), Some(_)) => tracing::info!(task = %task.id, "there is memory for it now"),
            _ => {}
        }
        let found = match looked {
            Ok(needs) => Found::Suits(needs),
            Err(Unfit::TooLarge { .. }) => Found::TooLarge(now),
            Err(_) => Found::Unfit,
        };
        self.known.insert(task.id, found);
        matches!(found, Found::Suits(_))
    }

    /// The memory that there is, and what the tasks that suit take of it.
    pub fn memory(&self) -> MemoryForRounds {
        let suits = self.known.iter().filter_map(|(task, found)| match found {
            Found::Suits(needs) => Some((*task, *needs)),
            Found::Unfit | Found::TooLarge(_) => None,
        });
        MemoryForRounds {
            free: self.memory,
            tasks: suits.collect(),
        }
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

    /// Another node is asked from now on, which may say something else of the tasks.
    pub fn disconnected(&mut self) {
        self.known.clear();
        self.ask_memory();
    }
}

impl Conditions {
    /// How much memory a round of a task takes that suits, while a round may take so many bytes; or why it does not suit.
    fn check(&self, task: &TaskView, memory: u64) -> Result<RoundMemory, Unfit> {
        let full = RoundMemory::of_full(&task.terms, &task.graph).map_err(|_| Unfit::NotAModel)?;
        let (needs, has) = (full.bytes(), memory);
        if needs > has {
            return Err(Unfit::TooLarge { needs, has });
        }
        let (most, least) = (most_pay(task), self.least_pay);
        match most < least {
            true => Err(Unfit::PaysTooLittle { most, least }),
            false => Ok(full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evaluation::FastCpu, run::views};
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
        // 1,024 deltas of 64 KiB, with an entry of eight bytes for each parameter.
        let decoded = u64::from(task.parameters) * 8;
        FastCpu::memory(&task.graph).unwrap() + 1024 * ((64 << 10) + decoded)
    }

    #[test]
    fn a_task_that_needs_more_memory_than_there_is_is_not_offered() {
        let task = views::task();
        let needs = needs(&task);
        let takes = strict().check(&task, needs).unwrap();
        assert_eq!(takes.bytes(), needs);
        let has = needs - 1;
        assert_eq!(
            strict().check(&task, has),
            Err(Unfit::TooLarge { needs, has })
        );
        FREE.set(has);
        let mut fitness = Fitness::new(strict());
        assert!(!fitness.suits(&task));
        assert!(Fitness::new(Conditions::default()).suits(&task));
        // It is another node's word now.
        FREE.set(needs);
        assert!(!fitness.suits(&task), "it was asked just now");
        fitness.disconnected();
        assert!(fitness.memory().tasks.is_empty());
        assert!(fitness.suits(&task));
        let memory = fitness.memory();
        assert_eq!(memory.free, needs);
        assert_eq!(memory.tasks, BTreeMap::from([(task.id, takes)]));
    }

    /// A legal task of 64 MiB of deltas, each byte of which becomes 32 in memory.
    #[test]
    fn deltas_are_counted_as_they_are_decoded() {
        let mut task = views::task();
        task.graph = Graph::mlp(&[2048, 256, 2]);
        let almost = FastCpu::memory(&task.graph).unwrap() + (2 << 30);
        let unfit = strict().check(&task, almost);
        assert!(matches!(unfit, Err(Unfit::TooLarge { .. })), "{unfit:?}");
    }

    /// A node that catches up may have taken it, when both were started together.
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
        assert!(fitness.suits_at(&task, later), "it is in use");
    }

    #[test]
    fn a_model_that_is_none_is_not_offered() {
        let mut task = views::task();
        task.graph = Graph {
            ops: Vec::new(),
            ..task.graph
        };
        assert_eq!(
            Conditions::default().check(&task, u64::MAX),
            Err(Unfit::NotAModel)
        );
    }

    /// Its sponsor has attesters work for it, at their cost.
    #[test]
    fn a_task_that_pays_less_than_a_seats_calls_is_not_offered() {
        let is_too_little = |task: &TaskView| {
            matches!(
                strict().check(task, u64::MAX),
                Err(Unfit::PaysTooLittle { .. })
            )
        };
        let mut task = views::task();
        assert!(!is_too_little(&task));
        task.terms.attester_fee_permille = 0;
        assert!(is_too_little(&task), "neither of gains nor for work");
        let found = Conditions::default().check(&task, u64::MAX);
        assert!(found.is_ok(), "if that is fine");
        task.terms.work_fee = 1 << 50;
        assert!(!is_too_little(&task), "for work");
        // A cap that no gain comes near.
        let mut task = views::task();
        task.terms.price_per_millibit = 1_000;
        task.terms.cap_per_round = u128::MAX;
        assert!(is_too_little(&task));
    }
}
