//! Reference, fast CPU and Burn give the same gradients.

use burn::tensor::Device;
use gotong_scoring::{
    gradient::Differentiator, Cnn, Convolution, Graph, Image, Pool, Reference, Samples,
    Transformer, Window,
};
use proptest::prelude::*;
use rand::{rngs::StdRng, Rng, SeedableRng};

use crate::{BurnEvaluator, FastCpu};

pub(super) fn all_equal(
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
) -> Result<(), TestCaseError> {
    let expected = gradients(&mut Reference, graph, weights, samples);
    let mut burn = BurnEvaluator::new(&Device::flex());
    let others: [(&str, &mut dyn Differentiator); 2] =
        [("fast CPU", &mut FastCpu), ("Burn", &mut burn)];
    for (name, differentiator) in others {
        let found = gradients(differentiator, graph, weights, samples);
        // Too long to be printed.
        prop_assert!(found == expected, "{name}: gradients differ");
    }
    Ok(())
}

/// The gradients of all samples but the first, of none, and of all.
fn gradients(
    differentiator: &mut dyn Differentiator,
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
) -> Vec<Vec<i64>> {
    let groups = [1..samples.len(), 0..0, 0..samples.len()];
    let mut all = Vec::new();
    let mut see = |number: usize, gradient: &[i64]| {
        assert_eq!(number, all.len());
        all.push(gradient.to_vec());
    };
    differentiator
        .gradients(graph, weights, samples, &groups, &mut see)
        .unwrap();
    all
}

fn graphs() -> Vec<Graph> {
    let transformer = |vocab, tokens, width, heads, tied| {
        Graph::transformer(&Transformer {
            vocab,
            tokens,
            width,
            heads,
            hidden: 50,
            layers: 1,
            tied,
        })
    };
    let convolution = |channels, pool| Convolution {
        channels,
        window: Window {
            size: 3,
            stride: 1,
            padding: 1,
        },
        pool,
    };
    vec![
        Graph::mlp(&[100, 40, 20, 10]),
        transformer(84, 33, 64, 2, true),
        transformer(7, 12, 15, 3, false),
        Graph::cnn(&Cnn {
            image: Image {
                height: 12,
                width: 11,
                channels: 2,
            },
            convolutions: vec![convolution(5, Pool::Max(2)), convolution(7, Pool::Mean(2))],
            hidden: vec![20],
            classes: 10,
        }),
    ]
}

/// Whatever the weights, and with blocks whose samples have many exponents.
#[test]
fn weights_of_every_scale_have_equal_gradients() {
    let mut random = StdRng::seed_from_u64(3);
    for (number, graph) in graphs().iter().enumerate() {
        let count = if graph.vocab().is_some() { 7 } else { 50 };
        let length = graph.inputs as usize + 1;
        let bytes: Vec<u8> = (0..count * length)
            .map(|_| [0, 255, random.random()][random.random_range(0..3)])
            .collect();
        let records = graph.samples(&bytes);
        let samples = Samples::new(graph.inputs, graph.classes(), &records).unwrap();
        let most = 32_512;
        for scale in [1_000, 4_000, 12_000, most] {
            let any = |_| random.random_range(-scale..=scale);
            let weights: Vec<i16> = (0..graph.parameters()).map(any).collect();
            let result = all_equal(graph, &weights, &samples);
            assert!(result.is_ok(), "graph {number}, weights within {scale}");
        }
        for choices in [[most, most], [-most, -most], [-most, most], [0, most]] {
            let any = |_| choices[random.random_range(0..2)];
            let weights: Vec<i16> = (0..graph.parameters()).map(any).collect();
            let result = all_equal(graph, &weights, &samples);
            assert!(result.is_ok(), "graph {number}, weights of {choices:?}");
        }
    }
}
