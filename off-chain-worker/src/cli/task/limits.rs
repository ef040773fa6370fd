//! What the chain would refuse in a task, reported before anything is sent.

use crate::chain::{ChainError, Moment};
use codec::Encode;
use gotong_protocol::{
    bounds::{COST_PER_BLOCK, MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES},
    TaskTerms, TermsError,
};
use gotong_scoring::Graph;

/// The limits that a chain itself sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainLimits {
    /// Shortest window of a phase, in blocks.
    pub shortest_window: u32,
    /// Longest window of a phase, in blocks.
    pub longest_window: u32,
    /// Milliseconds from one block to the next.
    pub block_millis: u64,
}

/// Why the chain would refuse a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A window is shorter or longer than the chain allows.
    #[error("a window has {blocks} blocks, but the chain accepts only {shortest} to {longest}")]
    Window {
        /// The window.
        blocks: u32,
        /// [`ChainLimits::shortest_window`].
        shortest: u32,
        /// [`ChainLimits::longest_window`].
        longest: u32,
    },
    /// Another term is not valid.
    #[error("the chain would refuse these terms: {0}")]
    Terms(#[from] TermsError),
    /// The model has too many ops.
    #[error("the model has {ops} ops in {bytes} bytes, but the chain accepts at most {MAX_GRAPH_BYTES} bytes: choose fewer layers")]
    Graph {
        /// Number of ops.
        ops: usize,
        /// Their encoded length, in bytes.
        bytes: usize,
    },
    /// The model has too many parameters.
    #[error("the model has {0} parameters, but the chain accepts at most {most}: choose a smaller one", most = MAX_WEIGHT_BYTES / 2)]
    Parameters(usize),
    /// Deltas are longer than the model needs.
    #[error("deltas of {0} bytes are longer than the model needs: choose a lower --delta-kib, or `kib` in the section `deltas`")]
    Deltas(u32),
    /// Attesters would be paid more for the work of a round than its cap.
    #[error("attesters would be paid more for a round's work than the round's cap: choose a lower --work-fee, or `work-fee` in the section `pay`")]
    WorkFee,
    /// A slow processor could not score a round in its window.
    #[error(
        "a slow processor could not score a round in {attest} blocks: choose at least {needed} (--attest-blocks, or `attest` \
         in the section `windows`), fewer samples or a smaller model"
    )]
    TooHeavy {
        /// The window.
        attest: u32,
        /// The shortest one that is enough.
        needed: u64,
    },
}

impl ChainLimits {
    /// The limits of a chain if no node can be asked: a block every six seconds.
    pub const USUAL: Self = Self {
        shortest_window: 5,
        longest_window: 600,
        block_millis: 6_000,
    };

    /// The limits of the chain at this moment.
    pub fn at(now: &Moment) -> Result<Self, ChainError> {
        Ok(Self {
            shortest_window: now.number("Contribution", "MinWindowBlocks")?,
            longest_window: now.number("Contribution", "MaxWindowBlocks")?,
            block_millis: now.block_millis()?,
        })
    }

    /// Checks that the chain accepts a task with this model on these terms. Returns the most that a round takes from the budget, in
    /// planck: the budget has to cover it.
    ///
    /// # Errors
    /// The first thing that the chain would refuse, and what to change.
    pub fn check(&self, terms: &TaskTerms, graph: &Graph) -> Result<u128, Refusal> {
        let bytes = graph.encoded_size();
        if bytes > MAX_GRAPH_BYTES as usize {
            let ops = graph.ops.len();
            return Err(Refusal::Graph { ops, bytes });
        }
        let parameters = graph.parameters();
        if parameters > (MAX_WEIGHT_BYTES / 2) as usize {
            return Err(Refusal::Parameters(parameters));
        }
        let (shortest, longest) = (self.shortest_window, self.longest_window);
        let mut windows = terms.windows.all().into_iter();
        if let Some(blocks) = windows.find(|blocks| !(shortest..=longest).contains(blocks)) {
            return Err(Refusal::Window {
                blocks,
                shortest,
                longest,
            });
        }
        let record_bytes = graph.inputs.saturating_add(1);
        terms.validate(record_bytes, shortest, longest)?;
        // It is at most a million, as was checked above.
        let parameters = parameters as u32;
        if !terms.can_have_such_deltas(parameters) {
            return Err(Refusal::Deltas(terms.delta_bytes));
        }
        let needed = least_attest_blocks(terms, graph);
        let attest = terms.windows.attest_blocks;
        if needed > u64::from(attest) {
            return Err(Refusal::TooHeavy { attest, needed });
        }
        terms.most_per_round(graph.cost()).ok_or(Refusal::WorkFee)
    }

    /// The time that `blocks` blocks take, in seconds.
    pub fn seconds(&self, blocks: u64) -> f64 {
        blocks as f64 * self.block_millis as f64 / 1000.0
    }
}

/// The work that scoring a round takes an attester by the chain's own count, in products, with `deltas` deltas of the maximum
/// length.
pub fn round_load(terms: &TaskTerms, graph: &Graph, deltas: u32) -> u64 {
    let mut in_a_block = terms.clone();
    in_a_block.windows.attest_blocks = 1;
    let parameters = u32::try_from(graph.parameters()).unwrap_or(u32::MAX);
    in_a_block.load(graph.cost(), parameters, deltas)
}

/// The shortest window for scoring a round that the chain accepts for a task with this model.
pub fn least_attest_blocks(terms: &TaskTerms, graph: &Graph) -> u64 {
    round_load(terms, graph, terms.places()).div_ceil(COST_PER_BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        output::{Amount, UNIT},
        task::file::TaskFile,
    };

    fn refusal(change: impl FnOnce(&mut TaskFile)) -> Result<u128, Refusal> {
        let mut task = TaskFile::new("a".into(), Amount(UNIT));
        change(&mut task);
        let outline = task.exam_plan().unwrap().outline(8_000);
        let terms = task.terms(outline, b"").unwrap();
        ChainLimits::USUAL.check(&terms, task.graph())
    }

    #[test]
    fn what_the_chain_refuses_is_told_with_what_to_change() {
        // With 800 samples, 25 evaluations of 101,632 products each.
        let most = refusal(|_| {}).unwrap();
        assert!(most > 500 * UNIT && most < 502 * UNIT, "{most}");
        let refused = refusal(|task| task.pay.work_fee = Amount(UNIT * 1_000));
        assert_eq!(refused, Err(Refusal::WorkFee));
        let refused = refusal(|task| task.windows.reveal = 4);
        assert!(matches!(refused, Err(Refusal::Window { blocks: 4, .. })));
        let refused = refusal(|task| task.attesters.seats = 9);
        assert_eq!(refused, Err(Refusal::Terms(TermsError::Seats)));
        let mlp = |layers: &[u32]| crate::model::Model(Graph::mlp(layers));
        let refused = refusal(|task| task.model = mlp(&[2_000, 600, 10]));
        assert!(matches!(refused, Err(Refusal::Parameters(1_206_610))));
        let deep = vec![2; 2_000];
        let refused = refusal(|task| task.model = mlp(&deep));
        assert!(matches!(refused, Err(Refusal::Graph { .. })));
        let large = |task: &mut TaskFile| {
            task.model = mlp(&[1_000, 900, 10]);
            task.exam.samples = 1_000;
            task.windows.attest = 10;
        };
        let Err(Refusal::TooHeavy { attest: 10, needed }) = refusal(large) else {
            panic!("it fits");
        };
        let enough = |attest: u64| {
            refusal(|task| {
                large(task);
                task.windows.attest = attest as u32;
            })
        };
        assert!(enough(needed).is_ok());
        assert!(enough(needed - 1).is_err());
    }
}
