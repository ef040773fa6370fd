//! Which tasks an attester can serve without losing money.
//!
//! An attester is drawn for whatever it offers, without being asked again, and whoever opens a task chooses what a seat in it
//! costs: the model may be too large for this machine's memory, or a round may pay less than a seat's calls cost. So the
//! attester first looks at the task's terms and graph, which never change. A node that lies about them can cause an unsuitable
//! offer, but cannot take stake with it, because whatever a seat commits to has to be proved first.

use crate::run::{
    pay::most_pay,
    round_memory::{MemoryForRounds, RoundMemory},
};
use gotong_protocol::{view::TaskView, TaskId};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The conditions under which an attester serves a task. By default it serves every task.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Tells how many bytes are free for rounds now.
    pub memory: fn() -> u64,
    /// Which part of them this program's rounds may take, all together: 1, or less if others share the machine.
    pub memory_part: f64,
    /// The most deltas that a round has, if its terms have places for more. Only somebody who knows who contributes can tell.
    pub most_deltas: u32,
    /// The least, in planck, that a round has to be able to pay for a seat.
    pub least_pay: u128,
}

impl Conditions {
    /// What a seat's calls cost, in planck, while blocks are not full: a commitment, a reveal and the audits, at one planck
    /// for each picosecond of the chain's time. By hand.
    pub const CALLS: u128 = 2_000_000_000;

    /// Bytes that rounds may take now, all together; rounded down.
    fn memory_now(&self) -> u64 {
        ((self.memory)() as f64 * self.memory_part) as u64
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            memory: || u64::MAX,
            memory_part: 1.0,
            most_deltas: u32::MAX,
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
    /// A round of it takes so much memory.
    Suits(RoundMemory),
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
            memory: conditions.memory_now(),
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
        self.memory = self.memory.max(self.conditions.memory_now());
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
    /// How much memory a round of a task takes that suits, while a round may take so many bytes; or why it does not suit.
    fn check(&self, task: &TaskView, memory: u64) -> Result<RoundMemory, Unfit> {
        let full = RoundMemory::of_at_most(&task.terms, &task.graph, self.most_deltas)
            .map_err(|_| Unfit::NotAModel)?;
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
    use crate::run::views;
    use gotong_evaluation::FastCpu;
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
            ..Conditions::default()
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
        FREE.set(needs);
        assert!(!fitness.suits(&task), "memory was checked just now");
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

    /// Two programs on one machine once counted all its memory each.
    #[test]
    fn programs_that_share_a_machine_share_its_memory() {
        let task = views::task();
        let half = Conditions {
            memory_part: 0.5,
            ..strict()
        };
        FREE.set(2 * needs(&task) - 1);
        let mut fitness = Fitness::new(half);
        assert!(!fitness.suits(&task));
        assert!(Fitness::new(strict()).suits(&task), "if it is alone");
        FREE.set(2 * needs(&task));
        fitness.disconnected();
        assert!(fitness.suits(&task));
        assert_eq!(fitness.memory().free, needs(&task));
        assert_eq!(Conditions::default().memory_now(), u64::MAX);
    }

    /// The terms have places for 1,024 deltas.
    #[test]
    fn whoever_knows_how_many_contribute_needs_memory_for_no_more() {
        let task = views::task();
        let of_three = RoundMemory::of(&task.terms, &task.graph, 3).unwrap();
        let has = of_three.bytes();
        let unfit = strict().check(&task, has);
        assert!(matches!(unfit, Err(Unfit::TooLarge { .. })), "{unfit:?}");
        let knowing = |most_deltas| Conditions {
            most_deltas,
            ..strict()
        };
        assert_eq!(knowing(3).check(&task, has), Ok(of_three));
        let full = RoundMemory::of_full(&task.terms, &task.graph);
        let places = task.terms.places();
        let found = knowing(places + 1).check(&task, u64::MAX);
        assert_eq!(found.ok(), full.ok(), "never more than there are places");
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
            Conditions::default().check(&task, u64::MAX),
            Err(Unfit::NotAModel)
        );
    }

    /// Such a sponsor would have attesters work at their own cost.
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
        assert!(!is_too_little(&task), "it pays for work");
        // No gain comes near this cap.
        let mut task = views::task();
        task.terms.price_per_millibit = 1_000;
        task.terms.cap_per_round = u128::MAX;
        assert!(is_too_little(&task));
    }
}
