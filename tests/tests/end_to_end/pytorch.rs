//! PyTorch beside Gotong: the same numbers, and a round that it earns.

use anyhow::Result;
use gotong::training::initial_weights;
use gotong_scoring::{arith::MASTER_BOUND, Evaluator, Graph, Reference, Samples, Transformer};
use gotong_tests::torch::{Computing, Torch};

/// A licence's text as records of a model: its tokens are bytes less 32.
fn records(tokens: usize, count: usize) -> Vec<u8> {
    let text = include_bytes!("../../../LICENSE");
    let tokens_of = |window: &[u8]| {
        window
            .iter()
            .map(|c| c.saturating_sub(32))
            .collect::<Vec<u8>>()
    };
    let windows = text.windows(tokens + 1).step_by(tokens / 2).take(count);
    windows.flat_map(tokens_of).collect()
}

#[test]
fn pytorch_computes_what_the_machine_computes() -> Result<()> {
    for tied in [false, true] {
        let shape = Transformer {
            vocab: 96,
            tokens: 64,
            width: 64,
            heads: 4,
            hidden: 256,
            layers: 2,
            tied,
        };
        let graph = Graph::transformer(&shape);
        // Bolder than at the start of a training, so that a wrong layer would show; and biases.
        let first = initial_weights(&graph, 1).into_iter();
        let bolder = |(place, w): (usize, i16)| {
            let most = i32::from(MASTER_BOUND);
            let bias = (place as i32 * 7_919).rem_euclid(2_001) - 1_000;
            let w = if w == 0 { bias } else { i32::from(w) * 3 / 2 };
            w.clamp(-most, most) as i16
        };
        let weights: Vec<i16> = first.enumerate().map(bolder).collect();
        let records = records(64, 24);
        let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
        let exact = Reference.losses(&graph, &weights, &samples)?;

        let folder = tempfile::tempdir()?;
        // Without the rounding it is a plain model in f32: what the weights mean.
        for (rounded, mean_bound, bound) in [(true, 0.005, 0.02), (false, 0.02, 0.08)] {
            let computing = Computing {
                heads: shape.heads,
                threads: 1,
                rounded,
            };
            let mut torch = Torch::start(folder.path(), &graph, &weights, &records, computing)?;
            let (bits, _) = torch.evaluate(5)?;
            assert_eq!(bits.len(), exact.len());
            let apart = |(exact, bits): (&u32, &f64)| (f64::from(*exact) / 65_536.0 - bits) / 64.0;
            let apart: Vec<f64> = exact.iter().zip(&bits).map(apart).collect();
            let mean = apart.iter().sum::<f64>() / apart.len() as f64;
            let most = apart.iter().fold(0.0, |most: f64, a| most.max(a.abs()));
            println!("tied {tied}, rounded {rounded}: {mean:.5} bits a token apart, a record at most {most:.5}");
            assert!(mean.abs() < mean_bound, "{mean} bits a token apart");
            assert!(most < bound, "a record is {most} bits a token apart");
        }
    }
    Ok(())
}
