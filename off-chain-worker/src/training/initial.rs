//! Weights to start from, and a change that teaches nothing.

use gotong_scoring::{arith::MASTER_BOUND, Graph, Op};
use rand::{rngs::StdRng, seq::SliceRandom, Rng, SeedableRng};

/// Random first weights for `graph`, in the machine's order: weights uniform in +-sqrt(6 / inputs)
/// (He et al., arXiv:1502.01852), half of that in the last layer so that the first logits are
/// small; biases zero.
pub fn initial_weights(graph: &Graph, seed: u64) -> Vec<i16> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut weights = Vec::with_capacity(graph.parameters());
    let linears: Vec<_> = graph.ops.iter().filter_map(linear).collect();
    for (index, &(inputs, outputs)) in linears.iter().enumerate() {
        let last = index + 1 == linears.len();
        let spread = (6.0 / f64::from(inputs)).sqrt() * if last { 0.5 } else { 1.0 };
        let bound = (spread * 65_536.0).min(f64::from(MASTER_BOUND)) as i16;
        let count = outputs as usize * inputs as usize;
        weights.extend((0..count).map(|_| random.random_range(-bound..=bound)));
        weights.extend((0..outputs).map(|_| 0));
    }
    weights
}

fn linear(op: &Op) -> Option<(u32, u32)> {
    match *op {
        Op::Linear {
            inputs, outputs, ..
        } => Some((inputs, outputs)),
        _ => None,
    }
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
