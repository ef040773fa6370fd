//! What happens to a change: it becomes a delta, and what the delta leaves out goes into the next one. That is error feedback
//! (Seide et al., *1-bit stochastic gradient descent*, 2014).

use gotong_scoring::{Delta, Graph, CHUNK};

/// The part of a residual that is kept for the next round, because what is old is partly wrong by then (SparseLoCo,
/// arXiv:2508.15706): 0.95, but 0.6 in a language model whose deltas have a twentieth of the parameters or more.
///
/// Measured on a transformer of 60,000 parameters. Three contributors with 80 updates a round, deltas of a 16th and an outer rate
/// of 2 reached, in ten rounds, 3.06 bits a character with 0.95, 2.96 with 0.8, 2.93 with 0.6 and 2.98 with 0.3. Four contributors
/// with ten updates a round reached, in 60 rounds, 3.31 with both 0.95 and 0.6 if they sent a tenth, but 3.45 and 3.70 if they sent
/// a fiftieth: changes that have to wait for many rounds must be kept.
pub fn residual_decay(graph: &Graph, keep_permille: u32, most_bytes: u32) -> f64 {
    const LEAST_KEPT: usize = 50;
    // An entry takes about a byte per parameter.
    let fit = 1000 * most_bytes as usize / graph.parameters().max(1);
    match graph.vocab() {
        Some(_) if fit.min(keep_permille as usize) >= LEAST_KEPT => 0.6,
        _ => 0.95,
    }
}

/// Parameters that a delta for this model keeps, in thousandths, by default: all of them in a small model, where they take a few
/// KiB. With a tenth of 3,190 parameters, three rounds on Fashion-MNIST merged nothing; with all of them, they gained one bit.
///
/// Muon changes all weights by about the same amount, so most of its effect is in many small changes. In ten rounds of three
/// contributors with 112 updates, a model of 214,000 parameters reached 2.530 bits a character with 260 and two magnitudes, 2.507
/// with 420 and one, which take as many bytes, and 2.479 with all of the changes unmodified (an emulation in PyTorch, one seed).
pub fn usual_keep_permille(graph: &Graph) -> u32 {
    match graph.vocab() {
        _ if graph.parameters() <= CHUNK => 1000,
        None => 100,
        Some(_) => 500,
    }
}

/// Adds what the last delta left out to `change`, times `decay`.
pub fn add_residual(change: &mut [i32], residual: &[i32], decay: f64) {
    for (change, &left) in change.iter_mut().zip(residual) {
        *change = change.saturating_add((decay * f64::from(left)).round() as i32);
    }
}

/// A delta of at most `most_bytes` bytes, with its encoding: keeps `keep_permille` thousandths of the parameters, or as many as
/// fit. `None` when there is nothing to send.
///
/// If it keeps up to half of the parameters, it has one magnitude in each chunk, because with a second one fewer entries fit
/// ([`Delta::compress_evenly`]). A contributor that keeps more than half wants small changes to be sent as small ones.
pub fn compress(change: &[i32], keep_permille: u32, most_bytes: u32) -> Option<(Delta, Vec<u8>)> {
    const MOST_EVENLY: u32 = 500;
    let made = |keep: u32| {
        let delta = match keep {
            ..=MOST_EVENLY => Delta::compress_evenly(change, keep),
            _ => Delta::compress(change, keep),
        };
        let bytes = delta.encode();
        let fits = !delta.entries().is_empty() && bytes.len() <= most_bytes as usize;
        fits.then_some((delta, bytes))
    };
    if keep_permille == 0 || change.iter().all(|change| *change == 0) {
        return None;
    }
    let whole = made(keep_permille);
    if whole.is_some() {
        return whole;
    }
    // `least` thousandths fit, as far as is known, and `most` do not.
    let (mut least, mut most, mut found) = (0, keep_permille, None);
    while most - least > 1 {
        let keep = least.midpoint(most);
        match made(keep) {
            None => most = keep,
            fitting => (least, found) = (keep, fitting),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model::small_transformer;
    use gotong_scoring::Transformer;

    const MOST: u32 = 64 << 10;

    #[test]
    fn a_small_model_is_sent_whole() {
        let kept = |layers: &[u32]| usual_keep_permille(&Graph::mlp(layers));
        assert_eq!((kept(&[5, 16, 3]), kept(&[784, 128, 10])), (1000, 100));
        assert_eq!((kept(&[4_095, 1]), kept(&[4_096, 1])), (1000, 100));
    }

    #[test]
    fn most_of_a_residual_is_sent_later() {
        let mut change = [0, 5, -5, i32::MAX];
        add_residual(&mut change, &[100, -100, 1, 40], 0.95);
        assert_eq!(change, [95, -90, -4, i32::MAX]);
    }

    #[test]
    fn what_is_sent_soon_fades_sooner() {
        let language = small_transformer();
        let decays = [1000, 50, 49].map(|keep| residual_decay(&language, keep, MOST));
        assert_eq!(decays, [0.6, 0.6, 0.95]);
        assert_eq!(residual_decay(&Graph::mlp(&[2, 2]), 1000, MOST), 0.95);
        // Few of ten million parameters fit into a delta.
        let large = Graph::transformer(&Transformer {
            vocab: 84,
            tokens: 128,
            width: 384,
            heads: 6,
            hidden: 1_536,
            layers: 6,
            tied: true,
        });
        assert_eq!(residual_decay(&large, 100, MOST), 0.95);
    }

    #[test]
    fn a_chunk_has_one_magnitude_unless_most_of_it_is_kept() {
        let change: Vec<i32> = (1..=100).collect();
        let magnitudes = |keep: u32| {
            let (delta, _) = compress(&change, keep, MOST).unwrap();
            let mut all: Vec<i16> = delta.entries().iter().map(|entry| entry.change).collect();
            all.dedup();
            all
        };
        // The means of 51 to 100 and of 1 to 50, rounded to nearest, halves up.
        assert_eq!(magnitudes(500), [76]);
        assert_eq!(magnitudes(1000), [26, 76]);
    }

    #[test]
    fn a_delta_is_made_to_fit() {
        // A change that no code can make small: every position, random signs and places.
        let mut state = 1u64;
        let change: Vec<i32> = (0..1_000_000)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                ((state >> 33) as i32 % 2000) - 1000
            })
            .collect();
        let (delta, bytes) = compress(&change, 1000, MOST).unwrap();
        assert!(bytes.len() <= MOST as usize);
        // A thousandth more would not fit.
        let more = (delta.entries().len() / 1_000) as u32 + 2;
        let longer = Delta::compress_evenly(&change, more).encode();
        assert!(longer.len() > MOST as usize);
        assert!(delta.entries().len() > 10_000);
        assert!(compress(&[0; 5000], 1000, MOST).is_none());
        assert!(compress(&[1; 5000], 0, MOST).is_none());
    }
}
