//! Probabilities from exact logits.

/// The probability of every class, from the logits of a row in 1/64 log2 units: their softmax in f64. The logits are the same on
/// every machine, and so are the probabilities, except for the last digits of an `f64`.
pub fn probabilities(logits: &[i16]) -> Vec<f64> {
    let most = f64::from(logits.iter().copied().max().unwrap_or(0));
    let shares = logits
        .iter()
        .map(|z| ((f64::from(*z) - most) / 64.0).exp2());
    let shares: Vec<f64> = shares.collect();
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logit_of_64_more_is_twice_as_likely() {
        assert_eq!(probabilities(&[0, 64, -64, -64]), [0.25, 0.5, 0.125, 0.125]);
        let extremes = probabilities(&[i16::MIN, i16::MAX]);
        assert!(extremes[0] < 1e-300 && extremes[1] == 1.0, "{extremes:?}");
        assert!(probabilities(&[]).is_empty());
    }
}
