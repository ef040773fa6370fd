//! What becomes of a change: a delta, and what it leaves out, which goes into the next one. That is error feedback
//! (Seide et al., *1-bit stochastic gradient descent*, 2014).

use gotong_scoring::Delta;

/// What is left of a residual a round later, for what is old is partly wrong by then (SparseLoCo,
/// arXiv:2508.15706).
const DECAY: f64 = 0.95;

/// Adds what the last delta left out to `change`.
pub fn add_residual(change: &mut [i32], residual: &[i32]) {
    for (change, &left) in change.iter_mut().zip(residual) {
        *change = change.saturating_add((DECAY * f64::from(left)).round() as i32);
    }
}

/// A delta of at most `most_bytes` bytes, with its encoding: keeps `keep_permille` thousandths of the parameters, or
/// fewer if it must. `None` when there is nothing to send.
pub fn compress(change: &[i32], keep_permille: u32, most_bytes: u32) -> Option<(Delta, Vec<u8>)> {
    let mut keep = keep_permille;
    while keep > 0 {
        let delta = Delta::compress(change, keep);
        if delta.entries().is_empty() {
            return None;
        }
        let bytes = delta.encode();
        if bytes.len() <= most_bytes as usize {
            return Some((delta, bytes));
        }
        keep = keep * 4 / 5;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::bounds::MAX_DELTA_BYTES;

    #[test]
    fn most_of_a_residual_is_sent_later() {
        let mut change = [0, 5, -5, i32::MAX];
        add_residual(&mut change, &[100, -100, 1, 40]);
        assert_eq!(change, [95, -90, -4, i32::MAX]);
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
        assert!(delta.entries().len() > 10_000);
        assert!(compress(&[0; 5000], 1000, MAX_DELTA_BYTES).is_none());
        assert!(compress(&[1; 5000], 0, MAX_DELTA_BYTES).is_none());
    }
}
