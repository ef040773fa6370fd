//! Weights to start from, and a change that teaches nothing.

use gotong_scoring::{arith::MASTER_BOUND, Graph, Op};
use rand::{rngs::StdRng, seq::SliceRandom, Rng, SeedableRng};

/// Standard deviation of an embedding, for tokens and for places.
const EMBEDDING: f64 = 0.08;

/// Random first weights for `graph`, in the machine's order; biases zero.
///
/// For an MLP: weights uniform in +-sqrt(6 / inputs) (He et al., arXiv:1502.01852), half of that in
/// the last layer so that the first logits are small.
///
/// For a language model: weights with a standard deviation of 1 / sqrt(inputs), so that sums of
/// what a norm gives have a standard deviation of 1, whatever the width, and span many steps of the
/// int8 view. Where sums go into the stream, it is divided by the root of the number of residuals,
/// as in GPT-2 (Radford et al., 2019); in the head, by 4.
pub fn initial_weights(graph: &Graph, seed: u64) -> Vec<i16> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut weights = Vec::with_capacity(graph.parameters());
    for (index, op) in graph.ops.iter().enumerate() {
        let count = op.parameters() as usize - biases(op);
        let bound = (deviation(graph, index) * 3f64.sqrt() * 65_536.0).round();
        let bound = bound.min(f64::from(MASTER_BOUND)) as i16;
        weights.extend((0..count).map(|_| random.random_range(-bound..=bound)));
        weights.extend((0..biases(op)).map(|_| 0));
    }
    weights
}

fn biases(op: &Op) -> usize {
    match *op {
        Op::Linear { outputs, .. } => outputs as usize,
        _ => 0,
    }
}

/// Standard deviation of the first weights of op number `index`.
fn deviation(graph: &Graph, index: usize) -> f64 {
    let inputs = match graph.ops[index] {
        Op::Linear { inputs, .. } => f64::from(inputs),
        _ => return EMBEDDING,
    };
    // Linear ops are followed by a requant.
    let is_last = matches!(graph.ops.get(index + 2), Some(Op::CrossEntropy { .. }));
    if graph.vocab().is_none() {
        return (2.0 / inputs).sqrt() * if is_last { 0.5 } else { 1.0 };
    }
    let is_residual = |op: &&Op| matches!(op, Op::Residual { .. });
    let residuals = graph.ops.iter().filter(is_residual).count();
    let divisor = match graph.ops.get(index + 2) {
        Some(Op::Residual { .. }) => (residuals as f64).sqrt(),
        _ if is_last => 4.0,
        _ => 1.0,
    };
    1.0 / inputs.sqrt() / divisor
}

/// What a contributor without skill submits: the values of the change `like`, in random places.
/// `len` values, repeated from `like` if that is shorter.
pub fn noise_change(len: usize, seed: u64, like: &[i32]) -> Vec<i32> {
    let mut change: Vec<i32> = like.iter().copied().cycle().take(len).collect();
    change.shuffle(&mut StdRng::seed_from_u64(seed));
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::Transformer;

    #[test]
    fn first_weights_fit_the_graph_and_follow_the_seed() {
        let graph = Graph::mlp(&[6, 5, 3]);
        let weights = initial_weights(&graph, 7);
        assert_eq!(weights.len(), graph.parameters());
        assert_eq!(weights, initial_weights(&graph, 7));
        assert_ne!(weights, initial_weights(&graph, 8));
        assert!(weights
            .iter()
            .all(|w| w.unsigned_abs() <= MASTER_BOUND as u16));
        assert_eq!(weights[30..35], [0; 5], "biases");
    }

    #[test]
    fn a_language_model_starts_with_weights_that_its_int8_view_can_hold() {
        let graph = Graph::transformer(&Transformer {
            vocab: 84,
            tokens: 32,
            width: 64,
            heads: 4,
            hidden: 256,
            layers: 2,
            tied: false,
        });
        let weights = initial_weights(&graph, 3);
        let deviation = |range: std::ops::Range<usize>| {
            let squares = weights[range.clone()].iter().map(|&w| f64::from(w).powi(2));
            (squares.sum::<f64>() / range.len() as f64).sqrt() / 65_536.0
        };
        let embedding = (84 + 32) * 64;
        let qkv = embedding + 64 * 192;
        let projection = qkv + 192 + 64 * 64;
        let head = weights.len() - 84 * 65..weights.len() - 84;
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.05;
        assert!(near(deviation(0..embedding), EMBEDDING));
        assert!(near(deviation(embedding..qkv), 0.125));
        assert_eq!(weights[qkv..qkv + 192], [0; 192], "biases");
        assert!(near(deviation(qkv + 192..projection), 0.125 / 2.0));
        assert!(near(deviation(head), 0.125 / 4.0));
    }

    #[test]
    fn noise_has_the_values_in_other_places() {
        let like = [5, -3, 0, 0, 9, 1];
        let mut noise = noise_change(6, 1, &like);
        assert_ne!(noise, like);
        noise.sort_unstable();
        assert_eq!(noise, [-3, 0, 0, 1, 5, 9]);
        assert_eq!(noise_change(4, 1, &[2]), [2; 4]);
        assert!(noise_change(4, 1, &[]).is_empty());
    }
}
