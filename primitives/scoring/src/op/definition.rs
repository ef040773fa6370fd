//! What defines an op, and what it is defined in terms of.

use crate::gradient::{Backwards, Pulled, MOST_ADJOINT_BITS};
use crate::graph::{Flow, Graph, GraphError, Kind};
use crate::machine::Tensor;
use crate::trial::backward::{Here, PulledStages, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;
use alloc::vec::Vec;

/// Everything that defines an op. Whatever most ops do not have has a default.
pub(crate) trait Definition {
    /// Whether every field is in its bounds.
    fn is_in_bounds(&self) -> bool;

    /// The largest magnitude that an accumulator can reach, whatever the weights.
    fn most_accumulated(&self) -> u64 {
        0
    }

    /// What the op gives in place of what comes to it.
    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError>;

    /// The earlier op whose result it takes too.
    fn refers_to(&self) -> Option<u32> {
        None
    }

    /// Parameters the op takes from the weights.
    fn parameters(&self) -> u64 {
        0
    }

    /// Parameters the op reads: its own, or those that it shares with the embedding.
    fn parameters_read(&self) -> u64 {
        self.parameters()
    }

    /// Whether it reads the embedding's parameters, from the first on.
    fn reads_embedding(&self) -> bool {
        false
    }

    /// Products that are added up in one value of the `flow` that it gives.
    fn products_of_value(&self, _flow: &Flow) -> u64 {
        0
    }

    /// Runs the op on one sample. None if the operands do not fit the op.
    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor>;

    /// Inputs that are added up in one value. A trace has the sum so far after every this many of them.
    fn summed_inputs(&self) -> u32 {
        1
    }

    /// If an op adds up several words' worth of inputs, every value's sum after each `stretch` of them.
    fn running_sums(&self, _operands: &Operands<'_>, _stretch: usize) -> Option<Vec<i32>> {
        None
    }

    /// How many of the `width` columns of what it takes lie row by row in a trace; the rest lie
    /// column by column, because a word of this op reads one column of them.
    fn columns_in_rows(&self, width: u32) -> u32 {
        width
    }

    /// What a word of its trace is made of; none if there is no such word.
    fn reads(&self, word: &Word<'_>) -> Option<Reads>;

    /// Executes the op for one word of its trace, as the referee does.
    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal>;

    /// How many bits the adjoint that the op takes may have, so that none of its sums passes 32 bits; `flow` is what the op gives.
    fn adjoint_bits(&self, _: &Flow) -> u8 {
        MOST_ADJOINT_BITS
    }

    /// Runs the op backwards on a sample ([`crate::gradient`]); none if it cannot have given what is claimed.
    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled>;

    /// The same word by word: adds the stages of its backward pass to a trace, each made of earlier words.
    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages>;
}

/// What comes to an op of a graph.
pub(crate) struct Incoming<'a> {
    pub graph: &'a Graph,
    /// Index of the op.
    pub op: u32,
    /// What the ops before it give.
    pub before: &'a [Flow],
    /// What the op takes: what the one before it gives, or the sample.
    pub taken: Flow,
}

impl<'a> Incoming<'a> {
    /// At op number `op`, after the ops that give `before`.
    pub fn of(graph: &'a Graph, before: &'a [Flow], op: u32) -> Self {
        let sample = Flow::of(Kind::Narrow, 1, graph.inputs);
        Self {
            graph,
            op,
            before,
            taken: before.last().copied().unwrap_or(sample),
        }
    }

    /// What the op takes, which must be of this kind.
    pub fn take(&self, kind: Kind) -> Result<Flow, GraphError> {
        if self.taken.kind == kind {
            Ok(self.taken)
        } else {
            Err(self.wrong_kind())
        }
    }

    /// Refuses rows of another length.
    pub fn check_width(&self, width: impl Into<u64>) -> Result<(), GraphError> {
        if width.into() == u64::from(self.taken.width) {
            Ok(())
        } else {
            Err(self.wrong_length())
        }
    }

    /// What an earlier op gives.
    pub fn earlier(&self, from: u32) -> Option<&Flow> {
        self.before.get(from as usize)
    }

    pub fn wrong_kind(&self) -> GraphError {
        GraphError::WrongKind { op: self.op }
    }

    pub fn wrong_length(&self) -> GraphError {
        GraphError::WrongLength { op: self.op }
    }

    pub fn wrong_reference(&self) -> GraphError {
        GraphError::WrongReference { op: self.op }
    }
}

/// What an op runs on.
pub(crate) struct Operands<'a> {
    /// Exactly the master weights that it reads ([`Graph::parameters_read`]).
    pub params: &'a [i16],
    /// Their int8 view.
    pub views: &'a [i8],
    /// The sample, its label last.
    pub record: &'a [u8],
    /// What all the ops before it gave.
    pub before: &'a [Tensor],
    /// What the op takes: the last of these, or the activations of the sample.
    pub taken: &'a Tensor,
}

impl<'a> Operands<'a> {
    pub fn narrow(&self) -> Option<&'a [i8]> {
        match self.taken {
            Tensor::Narrow(x) => Some(x),
            _ => None,
        }
    }

    pub fn wide(&self) -> Option<&'a [i16]> {
        match self.taken {
            Tensor::Wide(x) => Some(x),
            _ => None,
        }
    }

    /// What an earlier op gave.
    pub fn earlier(&self, from: u32) -> Option<&'a Tensor> {
        self.before.get(from as usize)
    }
}

/// Rows of `width` values; none if there is no row, or the last is incomplete.
pub(super) fn rows<T>(values: &[T], width: u32) -> Option<core::slice::ChunksExact<'_, T>> {
    let width = width as usize;
    let is_whole = !values.is_empty() && values.len().checked_rem(width) == Some(0);
    is_whole.then(|| values.chunks_exact(width.max(1)))
}

pub(super) fn rows_of<T>(values: &[T], width: usize) -> core::slice::ChunksExact<'_, T> {
    values.chunks_exact(width.max(1))
}
