//! A forward pass through the ops of a network.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use gotong_scoring::Op;

use super::{
    super::{batch::Inputs, units::requant_factor},
    Network, Output, Rounding,
};

/// A forward pass: what the current op knows besides its input.
pub(super) struct Pass<'a> {
    pub network: &'a Network,
    pub inputs: &'a Inputs,
    /// The current op.
    pub op: usize,
    /// Masters that earlier ops have taken.
    taken: usize,
    /// What ops gave that later ones take.
    kept: BTreeMap<u32, Output>,
}

/// A master in real units.
pub(super) struct Master {
    pub value: Tensor<2>,
    /// How many of its steps make 1.0.
    pub steps: f32,
}

impl<'a> Pass<'a> {
    pub fn new(network: &'a Network, inputs: &'a Inputs) -> Self {
        Self {
            network,
            inputs,
            op: 0,
            taken: 0,
            kept: BTreeMap::new(),
        }
    }

    pub fn samples(&self) -> usize {
        match self.inputs {
            Inputs::Activations(activations) => activations.dims()[0],
            Inputs::Tokens(tokens) => tokens.dims()[0],
        }
    }

    /// What to do with values that the machine rounds.
    pub fn rounding(&self) -> Rounding {
        self.network.rounding
    }

    /// Rows that the op gives for a sample.
    pub fn tokens(&self) -> usize {
        self.network.rows[self.op]
    }

    /// The factor of the requant after the op, which the op applies in its place; 1 if there is
    /// none.
    pub fn factor(&self) -> f32 {
        requant_factor(self.network.graph.ops.get(self.op + 1))
    }

    /// Whether scores are computed from what the op gives, once it is requantised.
    pub fn feeds_scores(&self) -> bool {
        matches!(
            self.network.graph.ops.get(self.op + 2),
            Some(Op::Scores { .. })
        )
    }

    /// The next of the masters; each is taken by one op.
    pub fn next_master(&mut self) -> Option<Master> {
        let at = self.taken;
        self.taken += 1;
        Some(Master {
            value: self.network.masters.get(at)?.val(),
            steps: self.network.parameters.get(at)?.steps,
        })
    }

    /// The masters of the embedding's tokens, `[vocab, width]`.
    pub fn embedding(&self) -> Tensor<2> {
        self.network.masters[0].val()
    }

    /// What an earlier op gave, if any later one takes it.
    pub fn earlier(&self, from: u32) -> Option<&Output> {
        self.kept.get(&from)
    }

    /// Keeps what the op gave if a later one takes it.
    pub fn keep(&mut self, output: &Output) {
        let op = self.op as u32;
        if self.network.graph.is_taken_later(op) {
            self.kept.insert(op, output.clone());
        }
    }
}
