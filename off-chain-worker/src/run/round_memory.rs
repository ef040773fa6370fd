//! How much memory rounds take.

use crate::evaluation::FastCpu;
use gotong_protocol::{Graph, TaskId, TaskTerms};
use gotong_scoring::{Entry, EvalError};
use std::{cmp::Reverse, collections::BTreeMap};

/// Bytes of this machine's memory that a round takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundMemory {
    /// While its models are evaluated, which only one round at a time is.
    pub evaluation: u64,
    /// For its deltas, from when they are fetched until the round is over.
    pub deltas: u64,
}

impl RoundMemory {
    /// Of a round with so many deltas, all as long as they may be.
    ///
    /// # Errors
    /// A graph that is not valid.
    pub fn of(terms: &TaskTerms, graph: &Graph, deltas: u32) -> Result<Self, EvalError> {
        let evaluation = FastCpu::memory(graph)?;
        let parameters = u32::try_from(graph.parameters()).unwrap_or(u32::MAX);
        let decoded = u64::from(terms.most_entries(parameters)) * size_of::<Entry>() as u64;
        // The bytes that they are decoded from are in memory, too, until all are.
        let of_delta = decoded.saturating_add(terms.delta_bytes.into());
        Ok(Self {
            evaluation,
            deltas: of_delta.saturating_mul(deltas.into()),
        })
    }

    /// Of a round with all the deltas that the terms have places for.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_full(terms: &TaskTerms, graph: &Graph) -> Result<Self, EvalError> {
        Self::of(terms, graph, terms.places())
    }

    /// All of it.
    pub fn bytes(&self) -> u64 {
        self.evaluation.saturating_add(self.deltas)
    }
}

/// The memory that there is, and what a round of each task takes of it.
#[derive(Clone, Debug)]
pub(super) struct MemoryForRounds {
    /// Bytes that all rounds together may take.
    pub free: u64,
    /// By task that this machine has memory for.
    pub tasks: BTreeMap<TaskId, RoundMemory>,
}

impl MemoryForRounds {
    /// In how many of these tasks a seat can be held at the same time, whichever they are, but at least in one, since each of
    /// them fits alone; `None` if in all. While one round is evaluated, a move in a dispute may need an evaluation as well, and
    /// one without a seat may be replayed.
    pub fn at_once(&self, tasks: impl Iterator<Item = TaskId>) -> Option<usize> {
        let rounds: Vec<_> = tasks.filter_map(|task| self.tasks.get(&task)).collect();
        let most = |bytes: fn(&RoundMemory) -> u64| {
            let all = rounds.iter().map(|round| bytes(round));
            all.max().unwrap_or_default()
        };
        let beside = most(|round| round.evaluation)
            .saturating_mul(2)
            .saturating_add(most(|round| round.deltas));
        let mut left = self.free.saturating_sub(beside);
        let mut deltas: Vec<_> = rounds.iter().map(|round| round.deltas).collect();
        deltas.sort_unstable_by_key(|bytes| Reverse(*bytes));
        let fit = deltas.iter().take_while(|bytes| {
            let rest = left.checked_sub(**bytes);
            left = rest.unwrap_or(left);
            rest.is_some()
        });
        let count = fit.count().max(1);
        (count < deltas.len()).then_some(count)
    }
}

impl Default for MemoryForRounds {
    /// Enough for everything.
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
    use gotong_scoring::Delta;

    /// A sponsor may have 64 MiB of deltas sent, of which 2 GiB come.
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

    /// What is counted is what decoding gives: the densest delta has a word of eight bytes for each parameter.
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
        // One that is not offered takes nothing.
        let light = [TaskId(1), TaskId(3)];
        let of_light = memory(10 + 10 + 30 + 50, &heavy).at_once(light.into_iter());
        assert_eq!(of_light, None);
        assert_eq!(memory(0, &heavy[..1]).at_once(all()), None, "it is one");
        assert_eq!(MemoryForRounds::default().at_once(all()), None);
    }
}
