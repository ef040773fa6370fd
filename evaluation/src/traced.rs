//! Evaluators that show every word and give gradients, and how they compare with the reference.

use gotong_scoring::{
    evaluator,
    gradient::Differentiator,
    machine::{run, Tensor},
    EvalError, Evaluator, Graph, Reference, Samples,
};

/// An evaluator that shows what every op gives, and gives gradients too.
pub trait Traced: Evaluator + Differentiator {
    /// What every op gives on every sample, like `gotong_scoring::machine::run`.
    ///
    /// # Errors
    /// As [`Evaluator::losses`].
    fn tensors(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<Tensor>>, EvalError>;
}

impl Traced for Reference {
    fn tensors(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<Tensor>>, EvalError> {
        evaluator::check(graph, weights, samples)?;
        let of_sample = |(pixels, label): (&[u8], u8)| {
            let record: Vec<u8> = pixels.iter().copied().chain([label]).collect();
            run(graph, weights, &record)
        };
        samples.iter().map(of_sample).collect()
    }
}

/// What an evaluator gave, compared with what it should have given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Words that were compared.
    pub words: u64,
    /// Words that differ.
    pub wrong: u64,
    /// Sample and op of the first wrong word; the op after the last is the loss at full speed.
    pub first: Option<(usize, usize)>,
}

/// Compares every word that every op gives with what is `expected`, and also the losses that the
/// evaluator gives at full speed.
///
/// # Errors
/// It cannot evaluate, or gives too little or too much.
pub fn compare(
    evaluator: &mut dyn Traced,
    expected: &[Vec<Tensor>],
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
) -> Result<Compared, EvalError> {
    let all_ops = evaluator.tensors(graph, weights, samples)?;
    let losses = evaluator.losses(graph, weights, samples)?;
    is_as_long(&all_ops, expected)?;
    is_as_long(&losses, expected)?;
    let mut all = Compared::default();
    let found = all_ops.iter().zip(losses.into_iter().map(Tensor::Loss));
    for (sample, (expected, (ops, loss))) in expected.iter().zip(found).enumerate() {
        is_as_long(ops, expected)?;
        let expected = expected.iter().chain(expected.last());
        for (op, (expected, found)) in expected.zip(ops.iter().chain([&loss])).enumerate() {
            let (words, wrong) = differing(expected, found);
            all.words += words;
            all.wrong += wrong;
            if wrong > 0 {
                all.first.get_or_insert((sample, op));
            }
        }
    }
    Ok(all)
}

fn is_as_long<T, E>(found: &[T], expected: &[E]) -> Result<(), EvalError> {
    let (expected, found) = (expected.len(), found.len());
    match expected == found {
        true => Ok(()),
        false => Err(EvalError::WrongCount { expected, found }),
    }
}

/// The number of words in a tensor, and how many of them differ from another's.
fn differing(expected: &Tensor, found: &Tensor) -> (u64, u64) {
    let (expected_words, found_words) = (words(expected), words(found));
    let all = expected_words.len().max(found_words.len()) as u64;
    let is_same_kind = std::mem::discriminant(expected) == std::mem::discriminant(found);
    if !is_same_kind {
        return (all, all);
    }
    let equal = expected_words
        .iter()
        .zip(&found_words)
        .filter(|(a, b)| a == b);
    (all, all - equal.count() as u64)
}

fn words(tensor: &Tensor) -> Vec<i64> {
    fn wide<T: Copy + Into<i64>>(values: &[T]) -> Vec<i64> {
        values.iter().map(|&value| value.into()).collect()
    }
    match tensor {
        Tensor::Narrow(values) => wide(values),
        Tensor::Acc(values) => wide(values),
        Tensor::Wide(values) | Tensor::Shares(values) => wide(values),
        Tensor::Losses(values) => wide(values),
        Tensor::Loss(value) => wide(&[*value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_differing_word_is_counted() {
        let expected = Tensor::Wide(vec![1, 2, 3]);
        assert_eq!(differing(&expected, &expected), (3, 0));
        assert_eq!(differing(&expected, &Tensor::Wide(vec![1, 0, 4])), (3, 2));
        assert_eq!(differing(&expected, &Tensor::Wide(vec![1, 2])), (3, 1));
        assert_eq!(differing(&expected, &Tensor::Shares(vec![1, 2, 3])), (3, 3));
        assert_eq!(differing(&Tensor::Loss(7), &Tensor::Loss(7)), (1, 0));
    }
}
