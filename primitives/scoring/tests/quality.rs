//! Equality is not quality: an exact machine that computes the wrong thing is equal everywhere. So
//! its losses are compared with floating point, here and nowhere else.

#![allow(clippy::unwrap_used)]

use gotong_scoring::machine::cross_entropy;
use gotong_scoring::{predict, Evaluator, Graph, Reference, Samples};
use proptest::collection::vec as any_vec;
use proptest::prelude::*;

/// Loss of `label` in bits, from logits in 1/64 log2 units.
fn cross_entropy_f64(logits: &[i16], label: u8) -> f64 {
    let logits: Vec<f64> = logits.iter().map(|z| f64::from(*z) / 64.0).collect();
    let most = logits.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = logits.iter().map(|z| (z - most).exp2()).sum();
    sum.log2() + most - logits[usize::from(label)]
}

fn bits(loss: u32) -> f64 {
    f64::from(loss) / 65_536.0
}

/// A multiplicative generator: enough for test data.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[test]
fn cross_entropy_is_within_a_thousandth_of_a_bit() {
    let mut random = Random(1);
    for spread in [64, 320, 1280] {
        let (mut error, count) = (0.0, 20_000);
        for _ in 0..count {
            let z: Vec<i16> = (0..10).map(|_| random.below(spread) as i16).collect();
            let label = random.below(10) as u8;
            error += cross_entropy_f64(&z, label) - bits(cross_entropy(&z, label).unwrap());
        }
        let mean = error / f64::from(count);
        assert!((0.0..0.001).contains(&mean), "{mean} at spread {spread}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The bound that [`cross_entropy`]'s docs give.
    #[test]
    fn cross_entropy_is_below_and_near_the_true_one(z in any_vec(-2000i16..2000, 2..=256)) {
        let exact = cross_entropy_f64(&z, 1);
        let error = exact - bits(cross_entropy(&z, 1).unwrap());
        let bound = 1.45 * (1.0 / 1024.0 + z.len() as f64 / 16_384.0);
        // Rounding of the tables: half a unit of Q14 in each term, and of Q16 in the logarithm.
        prop_assert!((-0.5 * bound..bound).contains(&error), "{error}");
    }
}

/// The float meaning of `Graph::mlp(&[inputs, hidden, classes])`: logits in log2 units.
fn mlp_f64(layers: [usize; 3], weights: &[i16], pixels: &[u8]) -> Vec<f64> {
    let [inputs, hidden, classes] = layers;
    let scale = |w: &i16| f64::from(*w) / 65_536.0;
    let (first, second) = weights.split_at((inputs + 1) * hidden);
    let affine = |x: &[f64], params: &[i16], outputs: usize, bias_unit: f64| -> Vec<f64> {
        let (weights, biases) = params.split_at(x.len() * outputs);
        let rows = weights.chunks(x.len()).zip(biases);
        rows.map(|(row, bias)| {
            let dot: f64 = row.iter().zip(x).map(|(w, x)| scale(w) * x).sum();
            dot + f64::from(*bias) * bias_unit
        })
        .collect()
    };
    let x: Vec<f64> = pixels
        .iter()
        .map(|byte| f64::from(byte >> 1) / 128.0)
        .collect();
    let h = affine(&x, first, hidden, 1.0 / 8192.0);
    let h: Vec<f64> = h.iter().map(|h| h.clamp(0.0, 127.0 / 16.0)).collect();
    affine(&h, second, classes, 1.0 / 4096.0)
}

#[test]
fn an_mlp_means_what_its_units_say() {
    let layers = [64, 16, 5];
    let graph = Graph::mlp(&layers.map(|width| width as u32));
    let mut random = Random(2);
    let mut around = |bound: u64| random.below(2 * bound) as i16 - bound as i16;
    let weights: Vec<i16> = (0..graph.parameters()).map(|_| around(16_000)).collect();
    let records: Vec<u8> = (0..200)
        .flat_map(|_| {
            (0..64)
                .map(|_| around(128) as u8)
                .chain([3])
                .collect::<Vec<u8>>()
        })
        .collect();
    let samples = Samples::new(64, 5, &records).unwrap();
    let logits = Reference.logits(&graph, &weights, &samples).unwrap();
    let losses = Reference.losses(&graph, &weights, &samples).unwrap();
    let predicted = predict(&graph, &weights, &samples).unwrap();
    let (mut worst, mut agree, mut loss_error) = (0f64, 0, 0.0);
    for (index, (pixels, label)) in samples.iter().enumerate() {
        let expected = mlp_f64(layers, &weights, pixels);
        for (z, expected) in logits[index].iter().zip(&expected) {
            worst = worst.max((f64::from(*z) / 64.0 - expected).abs());
        }
        let most = expected.iter().copied().fold(f64::MIN, f64::max);
        agree += usize::from(expected[usize::from(predicted[index])] == most);
        let sum: f64 = expected.iter().map(|z| z.exp2()).sum();
        loss_error += bits(losses[index]) - (sum.log2() - expected[usize::from(label)]);
    }
    // Weights lose 8 bits in their view, and hidden activations are in sixteenths.
    assert!(worst < 0.25, "{worst}");
    assert!(agree >= 195, "{agree}");
    assert!((loss_error / 200.0).abs() < 0.01, "{loss_error}");
}
