//! An evaluator that goes wrong after a while, for drills: code that relies on it has to notice.

use super::DeviceEvaluator;
use gotong_scoring::{gradient::Differentiator, EvalError, Evaluator, Graph, Samples};
use std::{
    fmt::Debug,
    ops::{BitXorAssign, Range},
};

/// Right, except for one bit of one word in the answers to some of its calls.
#[derive(Debug)]
pub struct Flipping<E> {
    evaluator: E,
    /// Calls so far.
    calls: usize,
    /// The calls whose answers are wrong, counted from 0.
    wrong: Range<usize>,
    /// Which word is wrong in the answer to the call with this number, counted modulo the number of words.
    place: fn(usize) -> usize,
}

/// The bit that is flipped.
const BIT: u8 = 1 << 3;

impl<E> Flipping<E> {
    /// Answers like `evaluator`, except for one word in the answers to the calls `wrong`: the one that `place` gives for the number
    /// of the call.
    pub fn new(evaluator: E, wrong: Range<usize>, place: fn(usize) -> usize) -> Self {
        Self {
            evaluator,
            calls: 0,
            wrong,
            place,
        }
    }

    /// Counts a call. Returns the place of the wrong word in its answer, if there is one.
    fn wrong_place(&mut self) -> Option<usize> {
        let call = self.calls;
        self.calls += 1;
        self.wrong.contains(&call).then(|| (self.place)(call))
    }
}

/// Flips a bit of the word at `place`, counted modulo the number of words.
fn flip<T: BitXorAssign + From<u8>>(words: &mut [T], place: usize) {
    let at = place.checked_rem(words.len());
    if let Some(word) = at.and_then(|at| words.get_mut(at)) {
        *word ^= T::from(BIT);
    }
}

impl<E: Evaluator> Evaluator for Flipping<E> {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        let place = self.wrong_place();
        let mut losses = self.evaluator.losses(graph, weights, samples)?;
        if let Some(place) = place {
            flip(&mut losses, place);
        }
        Ok(losses)
    }
}

impl<E: Differentiator> Differentiator for Flipping<E> {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        // The wrong word is in the first group.
        let mut place = self.wrong_place();
        let mut see_flipped = |group: usize, gradient: &[i64]| match place.take() {
            None => see(group, gradient),
            Some(place) => {
                let mut flipped = gradient.to_vec();
                flip(&mut flipped, place);
                see(group, &flipped);
            }
        };
        let evaluator = &mut self.evaluator;
        evaluator.gradients(graph, weights, samples, groups, &mut see_flipped)
    }
}

impl<E: Evaluator + Differentiator + Debug + Send> DeviceEvaluator for Flipping<E> {
    fn take_fewer(&mut self) {}
}
