//! What becomes of a change: a delta, and what it leaves out, which goes into the next one. That is error feedback
//! (Seide et al., *1-bit stochastic gradient descent*, 2014).

use gotong_scoring::{Delta, Graph};

/// What is left of a residual a round later, for what is old is partly wrong by then (SparseLoCo,
/// arXiv:2508.15706). A language model's weights go further in a round, so it is wrong sooner. Of a model of 60,000
/// parameters, by three hands with a 16th of the changes each, ten rounds and an outer rate of 2: 3.06 bits a character
/// with 0.95, 2.96 with 0.8, 2.93 with 0.6, 2.98 with 0.3, 3.03 with nothing.
fn decay(graph: &Graph) -> f64 {
    match graph.vocab() {
        None => 0.95,
        Some(_) => 0.6,
    }
}

/// Adds what the last delta left out to `change`, as far as it is still right: 0.6 of it in a language model, else 0.95.
pub fn add_residual(graph: &Graph, change: &mut [i32], residual: &[i32]) {
    let decay = decay(graph);
    for (change, &left) in change.iter_mut().zip(residual) {
        *change = change.saturating_add((decay * f64::from(left)).round() as i32);
    }
}

/// A delta of at most `most_bytes` bytes, with its encoding: keeps `keep_permille` thousandths of the parameters, or if
/// they do not fit as many as do. `None` when there is nothing to send.
pub fn compress(change: &[i32], keep_permille: u32, most_bytes: u32) -> Option<(Delta, Vec<u8>)> {
    let made = |keep: u32| {
        let delta = Delta::compress(change, keep);
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
    use crate::training::fixture::small_transformer;
    use gotong_protocol::bounds::MAX_DELTA_BYTES;

    #[test]
    fn most_of_a_residual_is_sent_later() {
        let mut change = [0, 5, -5, i32::MAX];
        add_residual(&Graph::mlp(&[2, 2]), &mut change, &[100, -100, 1, 40]);
        assert_eq!(change, [95, -90, -4, i32::MAX]);
        let mut change = [0, 5];
        add_residual(&small_transformer(), &mut change, &[100, -100]);
        assert_eq!(change, [60, -55]);
    }

    #[test]
    fn a_delta_is_made_to_fit() {
        // A change that no code makes small: every position, random signs and places.
        let mut state = 1u64;
        let change: Vec<i32> = (0..1_000_000)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                ((state >> 33) as i32 % 2000) - 1000
            })
            .collect();
        let (delta, bytes) = compress(&change, 1000, MAX_DELTA_BYTES).unwrap();
        assert!(bytes.len() <= MAX_DELTA_BYTES as usize);
        // A thousandth more would not fit.
        let more = (delta.entries().len() / 1_000) as u32 + 2;
        assert!(Delta::compress(&change, more).encode().len() > MAX_DELTA_BYTES as usize);
        assert!(delta.entries().len() > 10_000);
        assert!(compress(&[0; 5000], 1000, MAX_DELTA_BYTES).is_none());
        assert!(compress(&[1; 5000], 0, MAX_DELTA_BYTES).is_none());
    }
}
