//! Which tasks an attester can serve without losing money.
//!
//! An attester is drawn for whatever it offers, without being asked again. The sponsor of a task decides what a seat in it costs:
//! the model may be too large for this machine's memory, or a round may pay less than a seat's calls cost. So the attester first
//! looks at the task's terms and graph, which never change. A node that lies about them can cause an unsuitable offer. It cannot
//! cost the attester its stake that way, because whatever a seat commits to has to be proved first.

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
    /// Returns how many bytes are free for rounds now.
    pub memory: fn() -> u64,
    /// The fraction of them that all of this program's rounds together may take, if the user set it. Otherwise the programs that
    /// attest on this machine share them evenly.
    pub memory_part: Option<f64>,
    /// Returns how many programs attest on this machine, including this one.
    pub programs: fn() -> u64,
    /// Whether a single task is served, so that no round of another task is replayed at the same time.
    pub is_alone: bool,
    /// The most deltas to expect in a round, even if its terms have places for more. Only somebody who knows the contributors can
    /// tell.
    pub most_deltas: u32,
    /// The minimum, in planck, that a round must be able to pay for a seat.
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
            memory_part: None,
            programs: || 1,
            is_alone: false,
            most_deltas: u32::MAX,
            least_pay: 0,
        }
    }
}

/// Why a task is not offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// This machine has too little memory for a round.
    #[error("its rounds may take {} MiB of memory at once, and {} are free", .needs.div_ceil(1 << 20), .has >> 20)]
    TooLarge {
        /// The bytes that its rounds may take at once.
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

/// Remembers which of the tasks that it was asked about are suitable.
pub(super) struct Fitness {
    conditions: Conditions,
    /// The most bytes of the machine that were ever free for rounds. So memory that is in use by rounds under way counts as free,
    /// and offers do not change whenever a round begins or ends.
    free: u64,
    /// How many programs share them, and when they were last counted.
    programs: (u64, Instant),
    /// What was found out about each task. Its terms do not change, but memory may be freed.
    known: BTreeMap<TaskId, Found>,
}

/// What was found out about a task.
#[derive(Clone, Copy)]
enum Found {
    /// It suits. A round of it takes this much memory.
    Suits(RoundMemory),
    Unfit,
    /// At this time there was too little memory for it.
    TooLarge(Instant),
}

impl Fitness {
    /// How long a task counts as too large before the free memory is checked again. When the program starts, a node that is
    /// catching up may be using that memory.
    const TOO_LARGE_FOR: Duration = Duration::from_secs(3600);
    /// How long to wait before the programs that attest on this machine are counted again.
    const COUNTED_FOR: Duration = Duration::from_secs(60);

    pub fn new(conditions: Conditions) -> Self {
        Self {
            free: (conditions.memory)(),
            programs: ((conditions.programs)(), Instant::now()),
            conditions,
            known: BTreeMap::new(),
        }
    }

    /// The fraction of the machine that this program may take.
    pub fn part(&self) -> f64 {
        let (programs, _) = self.programs;
        let even = 1.0 / programs.max(1) as f64;
        self.conditions.memory_part.unwrap_or(even)
    }

    /// The bytes that all rounds together may take; rounded down.
    fn memory_for_rounds(&self) -> u64 {
        (self.free as f64 * self.part()) as u64
    }

    /// Counts the programs that attest on this machine, unless they were counted a short time ago.
    fn count_programs(&mut self, now: Instant) {
        let (before, at) = self.programs;
        if now.saturating_duration_since(at) < Self::COUNTED_FOR {
            return;
        }
        let programs = (self.conditions.programs)();
        self.programs = (programs, now);
        if programs != before {
            tracing::info!("{programs} attesting programs share this machine");
            self.known
                .retain(|_, found| !matches!(found, Found::TooLarge(_)));
        }
    }

    /// Whether the task suits. If it does not, the reason is logged once.
    pub fn suits(&mut self, task: &TaskView) -> bool {
        self.suits_at(task, Instant::now())
    }

    fn suits_at(&mut self, task: &TaskView, now: Instant) -> bool {
        self.count_programs(now);
        let before = self.known.get(&task.id).copied();
        match before {
            Some(Found::Suits(round)) if self.has_room(&round) => return true,
            Some(Found::Unfit) => return false,
            Some(Found::TooLarge(at)) => {
                if now.saturating_duration_since(at) < Self::TOO_LARGE_FOR {
                    return false;
                }
                self.ask_memory();
            }
            // Another program now shares the machine, or this task is new.
            Some(Found::Suits(_)) | None => {}
        }
        let looked = self.conditions.check(task, self.memory_for_rounds());
        match (&looked, before) {
            (Err(unfit), None | Some(Found::Suits(_))) => {
                tracing::warn!(task = %task.id, "not offered: {unfit}");
            }
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

    /// The memory for rounds, and how much of it each suitable task takes.
    pub fn memory(&self) -> MemoryForRounds {
        let suits = self.known.iter().filter_map(|(task, found)| match found {
            Found::Suits(round) if self.has_room(round) => Some((*task, *round)),
            _ => None,
        });
        MemoryForRounds {
            free: self.memory_for_rounds(),
            tasks: suits.collect(),
        }
    }

    fn has_room(&self, round: &RoundMemory) -> bool {
        self.conditions.needs(round) <= self.memory_for_rounds()
    }

    fn ask_memory(&mut self) {
        self.free = self.free.max((self.conditions.memory)());
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
    /// The bytes that a task with such rounds needs. While its own round is scored, a round of another task may be replayed. So
    /// each task needs room for two rounds like its own. Then any two suitable tasks fit at once, and nobody can make a task
    /// unsuitable by opening another one.
    fn needs(&self, round: &RoundMemory) -> u64 {
        match self.is_alone {
            true => round.bytes(),
            false => round.bytes().saturating_mul(2),
        }
    }

    /// How much memory a round of the task takes, if all rounds together may take up to `memory` bytes; or why the task does not
    /// suit.
    fn check(&self, task: &TaskView, memory: u64) -> Result<RoundMemory, Unfit> {
        let full = RoundMemory::of_at_most(&task.terms, &task.graph, self.most_deltas)
            .map_err(|_| Unfit::NotAModel)?;
        let (needs, has) = (self.needs(&full), memory);
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
        /// How many programs attest.
        static PROGRAMS: Cell<u64> = const { Cell::new(1) };
    }

    fn strict() -> Conditions {
        Conditions {
            memory: || FREE.get(),
            programs: || PROGRAMS.get(),
            is_alone: true,
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

    /// A legal task with 64 MiB of deltas. Each byte becomes 32 in memory.
    #[test]
    fn deltas_are_counted_as_they_are_decoded() {
        let mut task = views::task();
        task.graph = Graph::mlp(&[2048, 256, 2]);
        let almost = FastCpu::memory(&task.graph).unwrap() + (2 << 30);
        let unfit = strict().check(&task, almost);
        assert!(matches!(unfit, Err(Unfit::TooLarge { .. })), "{unfit:?}");
    }

    /// Two programs on one machine once counted all of its memory, each for itself.
    #[test]
    fn a_program_takes_no_more_of_the_memory_than_its_user_says() {
        let task = views::task();
        let half = Conditions {
            memory_part: Some(0.5),
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
        let everything = Fitness::new(Conditions::default()).memory().free;
        assert_eq!(everything, u64::MAX);
    }

    /// Several programs with `--speed 1`, or without `--speed`, once counted on all of the memory each, and the system killed them.
    #[test]
    fn programs_that_share_a_machine_share_its_memory_evenly() {
        let task = views::task();
        FREE.set(3 * needs(&task) - 1);
        PROGRAMS.set(1);
        let mut first = Fitness::new(strict());
        let start = Instant::now();
        assert!(first.suits_at(&task, start));
        // A third program starts.
        PROGRAMS.set(3);
        let mut third = Fitness::new(strict());
        assert!(!third.suits_at(&task, start));
        let later = start + 2 * Fitness::COUNTED_FOR;
        assert!(!first.suits_at(&task, later));
        let memory = first.memory();
        assert_eq!(memory.free, needs(&task) - 1);
        assert!(memory.tasks.is_empty());
        // One of the three ends.
        PROGRAMS.set(2);
        let last = later + 2 * Fitness::COUNTED_FOR;
        assert!(first.suits_at(&task, last) && third.suits_at(&task, last));
        assert!(first.memory().free + third.memory().free <= FREE.get());
        // A program whose user sets its part gets that part.
        let told = Conditions {
            memory_part: Some(1.0),
            ..strict()
        };
        assert_eq!(Fitness::new(told).memory().free, FREE.get());
        PROGRAMS.set(1);
    }

    /// While a round is scored, a round of any other suitable task may be replayed. Otherwise somebody could open a second task so
    /// that both together take more memory than there is.
    #[test]
    fn two_tasks_that_suit_fit_at_once_whichever_they_are() {
        let task = views::task();
        let among_others = Conditions {
            is_alone: false,
            ..strict()
        };
        let enough = 2 * needs(&task);
        assert!(among_others.check(&task, enough).is_ok());
        assert_eq!(
            among_others.check(&task, enough - 1),
            Err(Unfit::TooLarge {
                needs: enough,
                has: enough - 1
            })
        );
        assert!(strict().check(&task, enough - 1).is_ok(), "the only one");
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

    /// Such a sponsor would make attesters work at their own expense.
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
