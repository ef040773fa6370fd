//! Error feedback (Seide et al., *1-bit stochastic gradient descent*, 2014): what a delta leaves out of a
//! change goes into the next one.

/// What is left of a residual a round later, for what is old is partly wrong by then (SparseLoCo,
/// arXiv:2508.15706).
const DECAY: f64 = 0.95;

/// Adds what the last delta left out to `change`.
pub fn add_residual(change: &mut [i32], residual: &[i32]) {
    for (change, &left) in change.iter_mut().zip(residual) {
        *change = change.saturating_add((DECAY * f64::from(left)).round() as i32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_a_residual_is_sent_later() {
        let mut change = [0, 5, -5, i32::MAX];
        add_residual(&mut change, &[100, -100, 1, 40]);
        assert_eq!(change, [95, -90, -4, i32::MAX]);
    }
}
