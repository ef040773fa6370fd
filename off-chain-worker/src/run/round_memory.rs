//! How much memory rounds take.

use gotong_evaluation::FastCpu;
use gotong_protocol::{Graph, TaskId, TaskTerms};
use gotong_scoring::{Entry, EvalError};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// The most memory, in bytes, that a round takes on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundMemory {
    /// Bytes while the round's models are evaluated. Only one round is evaluated at a time.
    pub evaluation: u64,
    /// Bytes for its deltas, from the time they are fetched until the round is over.
    pub deltas: u64,
}

impl RoundMemory {
    /// The memory for a round with this many deltas, each as long as the terms allow.
    ///
    /// # Errors
    /// Fails if the graph is not valid.
    pub fn of(terms: &TaskTerms, graph: &Graph, deltas: u32) -> Result<Self, EvalError> {
        let evaluation = FastCpu::memory(graph)?;
        let parameters = u32::try_from(graph.parameters()).unwrap_or(u32::MAX);
        let decoded = u64::from(terms.most_entries(parameters)) * size_of::<Entry>() as u64;
        // Their encoded bytes are in memory, too, until all of them are decoded.
        let of_delta = decoded.saturating_add(terms.delta_bytes.into());
        Ok(Self {
            evaluation,
            deltas: of_delta.saturating_mul(deltas.into()),
        })
    }

    /// The memory for a round with as many deltas as the terms have places for.
    ///
    /// # Errors
    /// See [`Self::of`].
    pub fn of_full(terms: &TaskTerms, graph: &Graph) -> Result<Self, EvalError> {
        Self::of_at_most(terms, graph, u32::MAX)
    }

    /// The memory for a round with as many deltas as the terms have places for, but no more than `deltas`.
    ///
    /// # Errors
    /// See [`Self::of`].
    pub fn of_at_most(terms: &TaskTerms, graph: &Graph, deltas: u32) -> Result<Self, EvalError> {
        Self::of(terms, graph, terms.places().min(deltas))
    }

    /// The sum of both.
    pub fn bytes(&self) -> u64 {
        self.evaluation.saturating_add(self.deltas)
    }
}

/// The memory that there is, and what a round of each task takes of it.
#[derive(Clone, Debug)]
pub(super) struct MemoryForRounds {
    /// Bytes that all rounds together may take.
    pub free: u64,
    /// What a round takes, by task. Only tasks that fit into this machine's memory are listed.
    pub tasks: BTreeMap<TaskId, RoundMemory>,
}

impl MemoryForRounds {
    /// In how many of these tasks a seat can be held at the same time, whichever tasks they are; `None` if in all of them. It is at
    /// least one, because each task fits beside a replay of any other.
    pub fn at_once(&self, tasks: impl Iterator<Item = TaskId>) -> Option<usize> {
        let rounds: Vec<_> = tasks.filter_map(|task| self.tasks.get(&task)).collect();
        let count = self.fitting(&rounds);
        (count < rounds.len()).then_some(count)
    }

    /// Which of these tasks to leave out, so that seats in `wanted` of the others can be held at the same time. If that is out of
    /// reach, it aims for as many seats as possible. It leaves out as few tasks as possible, and none if that would not allow more
    /// seats.
    ///
    /// The tasks whose rounds take the most memory are left out first. Sizes are rounded down to a power of two; among equal ones,
    /// the task with the highest `lot` goes first. So nobody can easily make all attesters leave out a task by opening others of
    /// nearly its size.
    pub fn left_out(
        &self,
        tasks: impl Iterator<Item = TaskId>,
        lot: impl Fn(TaskId) -> [u8; 32],
        wanted: usize,
    ) -> BTreeSet<TaskId> {
        let known = tasks.filter_map(|task| Some((task, self.tasks.get(&task)?)));
        let mut known: Vec<_> = known.collect();
        known.sort_by_cached_key(|(task, round)| {
            let size = round.bytes().checked_ilog2();
            (Reverse(size), Reverse(lot(*task)))
        });
        let rounds: Vec<_> = known.iter().map(|(_, round)| *round).collect();
        let (mut count, mut most) = (0, self.fitting(&rounds));
        for left_out in 1..rounds.len() {
            if most >= wanted {
                break;
            }
            let fitting = self.fitting(&rounds[left_out..]);
            if fitting > most {
                (count, most) = (left_out, fitting);
            }
        }
        known[..count].iter().map(|(task, _)| *task).collect()
    }

    /// How many of these rounds fit into memory at the same time, whichever rounds they are; at least one.
    ///
    /// It leaves room for two more things: while one round is evaluated, a move in a dispute may also need an evaluation, and a
    /// round without a seat may be replayed. Tasks that are not offered are replayed, too.
    fn fitting(&self, rounds: &[&RoundMemory]) -> usize {
        let replayed = self.tasks.values();
        let most_evaluation = rounds.iter().map(|round| round.evaluation).max();
        let beside = [
            most_evaluation,
            replayed.clone().map(|round| round.evaluation).max(),
            replayed.map(|round| round.deltas).max(),
        ];
        let beside = beside.into_iter().flatten().fold(0, u64::saturating_add);
        let mut left = self.free.saturating_sub(beside);
        let mut deltas: Vec<_> = rounds.iter().map(|round| round.deltas).collect();
        deltas.sort_unstable_by_key(|bytes| Reverse(*bytes));
        let fit = deltas.iter().take_while(|bytes| {
            let rest = left.checked_sub(**bytes);
            left = rest.unwrap_or(left);
            rest.is_some()
        });
        fit.count().max(1)
    }
}

impl Default for MemoryForRounds {
    /// There is memory for everything.
    fn default() -> Self {
        Self {
            free: u64::MAX,
            tasks: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;
    use gotong_scoring::{blake2_256, Delta};

    /// A sponsor's terms may allow 64 MiB of deltas, which take 2 GiB when decoded.
    #[test]
    fn deltas_count_as_they_are_in_memory() {
        let mut terms = views::task().terms;
        let wide = Graph::mlp(&[2048, 256, 2]);
        let of_full = |terms: &TaskTerms| RoundMemory::of_full(terms, &wide).unwrap();
        let (encoded, decoded) = (64 << 20, 2 << 30);
        assert_eq!(of_full(&terms).deltas, encoded + decoded);
        terms.delta_bytes = 128 << 10;
        assert_eq!(of_full(&terms).deltas, encoded + decoded, "half as many");
        let alone = RoundMemory::of(&terms, &wide, 1).unwrap();
        assert_eq!(alone.deltas, (128 << 10) * 33);
        assert_eq!(
            alone.bytes(),
            FastCpu::memory(&wide).unwrap() + alone.deltas
        );
    }

    /// The estimate equals the decoded size: the densest delta has a word of eight bytes for each parameter.
    #[test]
    fn no_delta_takes_more_than_is_counted() {
        let graph = Graph::mlp(&[60, 60, 3]);
        let parameters = graph.parameters() as u32;
        let entry = |position| Entry {
            position,
            change: 1,
        };
        let dense = Delta::new(parameters, (0..parameters).map(entry).collect()).unwrap();
        let bytes = dense.encode();
        let decoded = Delta::decode(&bytes, parameters).unwrap();
        let takes = size_of_val(decoded.entries()) as u64;
        let mut terms = views::task().terms;
        terms.delta_bytes = bytes.len() as u32;
        let counted = RoundMemory::of(&terms, &graph, 1).unwrap().deltas;
        assert!(takes > 16 * bytes.len() as u64, "{takes}");
        assert!((takes..takes * 5 / 4).contains(&counted), "{counted}");
    }

    fn memory(free: u64, deltas: &[u64]) -> MemoryForRounds {
        let round = |deltas| RoundMemory {
            evaluation: 10,
            deltas,
        };
        let tasks = deltas.iter().map(|deltas| round(*deltas));
        MemoryForRounds {
            free,
            tasks: (0..).map(TaskId).zip(tasks).collect(),
        }
    }

    #[test]
    fn as_many_seats_fit_as_the_heaviest_rounds_leave_room_for() {
        let all = || (0..9).map(TaskId);
        let heavy = [100, 30, 100, 20];
        // Two evaluations, and a round that is replayed.
        let beside = 10 + 10 + 100;
        let at_once = |free| memory(free, &heavy).at_once(all());
        assert_eq!(at_once(beside + 250), None);
        assert_eq!(at_once(beside + 249), Some(3));
        assert_eq!(at_once(beside + 229), Some(2));
        assert_eq!(at_once(beside + 199), Some(1));
        // Each of them fits alone, or it would not be here.
        assert_eq!(at_once(110), Some(1));
        // A task that is not offered takes the memory of a replay, and no more.
        let light = [TaskId(1), TaskId(3)].into_iter();
        let of_light = |free| memory(free, &heavy).at_once(light.clone());
        assert_eq!(of_light(beside + 50), None);
        assert_eq!(of_light(beside + 49), Some(1));
        assert_eq!(memory(0, &heavy[..1]).at_once(all()), None, "it is one");
        assert_eq!(MemoryForRounds::default().at_once(all()), None);
    }

    /// Lots for tests: the lot of a task is its number.
    fn by_number(task: TaskId) -> [u8; 32] {
        [task.0 as u8; 32]
    }

    #[test]
    fn the_largest_are_left_out_until_enough_fit_and_no_more_than_that() {
        // Two evaluations, and a replay of the largest.
        let beside = 10 + 10 + 1_000;
        let left_out = |free, deltas: &[u64], wanted| {
            let left_out = memory(free, deltas).left_out((0..99).map(TaskId), by_number, wanted);
            left_out.into_iter().map(|task| task.0).collect::<Vec<_>>()
        };
        let some_heavy = [1_000, 1_000, 5, 5, 5, 5];
        assert_eq!(left_out(beside + 2_020, &some_heavy, 4), [0; 0]);
        // The other one still fits, beside all the light ones.
        assert_eq!(left_out(beside + 1_020, &some_heavy, 4), [1]);
        assert_eq!(left_out(beside + 1_000, &some_heavy, 4), [0, 1]);
        assert_eq!(left_out(beside + 20, &some_heavy, 4), [0, 1]);
        assert_eq!(left_out(0, &some_heavy, 4), [0; 0], "nothing helps");
        assert_eq!(left_out(beside + 20, &some_heavy, 1), [0; 0]);
        assert_eq!(left_out(beside + 20, &some_heavy, 0), [0; 0]);
        // Only if that makes room for another.
        assert_eq!(left_out(beside + 1_000, &[1_000; 5], 4), [0; 0]);
        assert_eq!(left_out(beside + 20, &[1_000, 5, 5], 4), [0]);
        assert_eq!(left_out(beside + 20, &[1_000], 4), [0; 0]);
        assert_eq!(left_out(beside + 20, &[], 4), [0; 0]);
    }

    /// Otherwise somebody who opens a task could choose its size so that every attester leaves out the tasks of others.
    #[test]
    fn the_lot_decides_which_of_those_of_about_the_same_size_is_left_out() {
        let sizes = [900, 600, 5, 5, 5, 5];
        let memory = memory(10 + 10 + 900 + 920, &sizes);
        let tasks = || (0..6).map(TaskId);
        let in_reverse = |task: TaskId| [u8::MAX - task.0 as u8; 32];
        let left_out = memory.left_out(tasks(), by_number, 4);
        assert_eq!(left_out, BTreeSet::from([TaskId(1)]));
        let left_out = memory.left_out(tasks(), in_reverse, 4);
        assert_eq!(left_out, BTreeSet::from([TaskId(0)]));
    }

    /// The bytes of a round.
    const JUST_A_POWER: u64 = 1 << 20;
    /// The bytes of the largest round that counts as about the same size.
    const JUST_BELOW_THE_NEXT: u64 = (1 << 21) - 1;

    /// The bytes of the deltas in a round of [`memory`] that takes `bytes` in all.
    fn deltas(bytes: u64) -> u64 {
        bytes - 10
    }

    /// Tasks of nearly twice the size of others count as the same size, if they are not in the next power of two. Somebody may open
    /// many of them. An attester loses at most half of its seats and one more, and all seats that it offers fit.
    #[test]
    fn dummies_just_below_a_power_of_two_take_no_more_than_half_of_the_seats() {
        let (honest, dummy) = (deltas(JUST_A_POWER), deltas(JUST_BELOW_THE_NEXT));
        // Dummies are suitable only if two of them fit.
        for rounds in 4..17 {
            let free = rounds * JUST_A_POWER;
            let seats = |sizes: &[u64]| {
                let memory = memory(free, sizes);
                let mut served: Vec<TaskId> = memory.tasks.keys().copied().collect();
                let left_out = memory.left_out(served.iter().copied(), by_number, 4);
                served.retain(|task| !left_out.contains(task));
                let seats = memory.at_once(served.iter().copied());
                let seats = seats.unwrap_or(served.len());
                let heaviest = served.iter().map(|task| memory.tasks[task].deltas);
                let mut heaviest: Vec<u64> = heaviest.collect();
                heaviest.sort_unstable_by_key(|bytes| Reverse(*bytes));
                let replayed = sizes.iter().max().unwrap();
                let taken = 10 + 10 + replayed + heaviest[..seats].iter().sum::<u64>();
                assert!(taken <= free, "{rounds}: {taken} of {free}");
                seats
            };
            let undisturbed = seats(&[honest; 16]);
            for dummies in [1, 2, 16, 64] {
                for sizes in [
                    [vec![honest; 16], vec![dummy; dummies]].concat(),
                    [vec![dummy; dummies], vec![honest; 16]].concat(),
                ] {
                    let left = seats(&sizes);
                    assert!(left >= 1 && 2 * (left + 1) >= undisturbed, "{rounds}");
                }
            }
        }
    }

    /// The same sponsor cannot make everybody leave out the other task, because each account draws different lots.
    #[test]
    fn beside_such_dummies_some_attesters_keep_the_other_task() {
        let (honest, dummy) = (deltas(JUST_A_POWER), deltas(JUST_BELOW_THE_NEXT));
        let sizes = [vec![honest], vec![dummy; 8], vec![5; 6]].concat();
        // There is room for one replay, two dummies and two light tasks.
        let memory = memory(10 + 10 + 3 * dummy + 2 * 5, &sizes);
        let kept = (0..64u8).filter(|account| {
            let lot = |task: TaskId| blake2_256(&[&[*account], &task.0.to_le_bytes()]);
            let left_out = memory.left_out(memory.tasks.keys().copied(), lot, 4);
            assert_eq!(left_out.len(), 7, "two of the nine are kept");
            !left_out.contains(&TaskId(0))
        });
        // The expected share is 2 in 9.
        let kept = kept.count();
        assert!((4..25).contains(&kept), "{kept} of 64");
    }

    /// An evaluation that takes much memory leaves less room for others, just like deltas.
    #[test]
    fn a_task_counts_with_its_evaluation() {
        let mut memory = memory(1_000 + 10 + 20 + 100, &[0, 20, 20, 20, 20, 20]);
        let of_first = memory.tasks.get_mut(&TaskId(0)).unwrap();
        of_first.evaluation = 1_000;
        let tasks = || (0..6).map(TaskId);
        assert_eq!(memory.at_once(tasks()), Some(1));
        let left_out = memory.left_out(tasks(), by_number, 4);
        assert_eq!(left_out, BTreeSet::from([TaskId(0)]));
        assert_eq!(memory.at_once(tasks().skip(1)), None);
    }
}
