//! [`Op::Residual`]: what comes to the op plus what an earlier op gave.

use super::definition::{Definition, Incoming, Operands};
use super::Op;
use crate::arith::clamp_i16;
use crate::gradient::{Backwards, Pulled};
use crate::graph::{Flow, GraphError, Kind};
use crate::machine::Tensor;
use crate::trial::backward::{Here, PulledStages, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;

/// The fields of [`Op::Residual`].
pub(super) struct Residual {
    pub from: u32,
}

impl Definition for Residual {
    fn is_in_bounds(&self) -> bool {
        true
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let given = incoming.take(Kind::Wide)?;
        // Scores show later tokens, which only the softmax after them hides.
        let is_scores = matches!(incoming.graph.op_after(self.from), Some(Op::Softmax { .. }));
        if is_scores || incoming.earlier(self.from) != Some(&given) {
            return Err(incoming.wrong_reference());
        }
        Ok(given)
    }

    fn refers_to(&self) -> Option<u32> {
        Some(self.from)
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        match (operands.wide()?, operands.earlier(self.from)?) {
            (h, Tensor::Wide(other)) if other.len() == h.len() => {
                let pairs = h.iter().zip(other);
                Some(Tensor::Wide(pairs.map(|(a, b)| residual(*a, *b)).collect()))
            }
            _ => None,
        }
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        Some(Reads {
            inputs: word.input(word.column, 1),
            before: word.words(self.from, word.row, word.column, 1),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, _: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let other = *inputs.before.first().ok_or(Refusal::WrongShape)?;
        Ok(residual(inputs.first()? as i16, other as i16).into())
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        residual_backward(here, self.from)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let passes = |dy, y: i32| if y.unsigned_abs() < 32_767 { dy } else { 0 };
        let sums = stages.pointwise(here, here.own, here.adjoint.exponent, passes);
        Some(PulledStages {
            earlier: Some((self.from, sums)),
            previous: Some(sums),
            ..PulledStages::default()
        })
    }
}

/// `clamp(a + b, +-32767)`.
#[inline]
pub fn residual(a: i16, b: i16) -> i16 {
    clamp_i16(i32::from(a).wrapping_add(b.into()))
}

/// Passes the adjoint to both terms where the sum is inside its bounds.
fn residual_backward(here: &Backwards, from: u32) -> Option<Pulled> {
    let Tensor::Wide(y) = here.own else {
        return None;
    };
    let pulled = here.pass(|at| y.get(at).is_some_and(|y| y.unsigned_abs() < 32_767));
    let earlier = pulled.previous.clone().map(|sums| (from, sums));
    Some(Pulled { earlier, ..pulled })
}
