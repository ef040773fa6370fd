//! Reference, fast CPU and Burn give the same bits on any model.

use burn::tensor::Device;
use gotong_scoring::{
    arith::MASTER_BOUND, gradient::Differentiator, Evaluator, Graph, Op, Reference, Samples,
    Transformer, Width,
};
use proptest::{collection::vec, prelude::*};

use super::{BurnEvaluator, FastCpu, Traced};

mod gradients;
mod images;
pub(super) mod residuals;

/// A small graph with any legal requants, with or without ReLU.
fn graphs() -> impl Strategy<Value = Graph> {
    let widths = (vec(1u32..70, 1..4), 2u32..20).prop_map(|(mut widths, classes)| {
        widths.push(classes);
        widths
    });
    let requant = (0u8..16, 1u8..=255, 0u8..12);
    (widths, vec((requant, 0u8..=8, any::<bool>()), 3)).prop_map(|(widths, layers)| {
        let mut ops = Vec::new();
        for (index, (pair, layer)) in widths.windows(2).zip(layers).enumerate() {
            let ((shift_in, multiplier, shift_out), bias_shift, relu) = layer;
            let last = index + 2 == widths.len();
            ops.push(Op::Linear {
                inputs: pair[0],
                outputs: pair[1],
                bias_shift,
            });
            ops.push(Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width: if last { Width::Wide } else { Width::Narrow },
            });
            if relu && !last {
                ops.push(Op::Relu);
            }
        }
        ops.push(Op::CrossEntropy {
            classes: widths[widths.len() - 1],
        });
        Graph {
            inputs: widths[0],
            ops,
        }
    })
}

/// Random masters, with extremes more often than by chance.
fn masters(count: usize) -> impl Strategy<Value = Vec<i16>> {
    let master = prop_oneof![
        4 => -MASTER_BOUND..=MASTER_BOUND,
        1 => Just(MASTER_BOUND),
        1 => Just(-MASTER_BOUND),
        1 => Just(0),
    ];
    vec(master, count)
}

fn cases(
    graphs: impl Strategy<Value = Graph>,
) -> impl Strategy<Value = (Graph, Vec<i16>, Samples)> {
    graphs.prop_flat_map(|graph| {
        let classes = graph.classes() as u8;
        let record = (vec(any::<u8>(), graph.inputs as usize), 0..classes);
        let (inputs, classes) = (graph.inputs, graph.classes());
        let samples = vec(record, 1..40).prop_map(move |records| {
            let record = |(mut pixels, label): (Vec<u8>, u8)| {
                pixels.push(label);
                pixels
            };
            let bytes: Vec<u8> = records.into_iter().flat_map(record).collect();
            Samples::new(inputs, classes, &bytes).unwrap()
        });
        (masters(graph.parameters()), samples, Just(graph))
            .prop_map(|(weights, samples, graph)| (graph, weights, samples))
    })
}

/// Compares every word, logits, losses and predictions of all evaluators.
fn all_equal(graph: &Graph, weights: &[i16], samples: &Samples) -> Result<(), TestCaseError> {
    let mut burn = BurnEvaluator::new(&Device::flex());
    let expected = Reference.tensors(graph, weights, samples).unwrap();
    prop_assert_eq!(
        &FastCpu.tensors(graph, weights, samples).unwrap(),
        &expected
    );
    prop_assert_eq!(&burn.tensors(graph, weights, samples).unwrap(), &expected);
    let logits = Reference.logits(graph, weights, samples).unwrap();
    prop_assert_eq!(&FastCpu.logits(graph, weights, samples).unwrap(), &logits);
    prop_assert_eq!(&burn.logits(graph, weights, samples).unwrap(), &logits);
    let losses = Reference.losses(graph, weights, samples).unwrap();
    prop_assert_eq!(&FastCpu.losses(graph, weights, samples).unwrap(), &losses);
    prop_assert_eq!(&burn.losses(graph, weights, samples).unwrap(), &losses);
    let predicted = gotong_scoring::predict(graph, weights, samples).unwrap();
    prop_assert_eq!(FastCpu.predict(graph, weights, samples).unwrap(), predicted);
    gradients::all_equal(graph, weights, samples)
}

#[test]
fn what_does_not_fit_is_refused_by_all() {
    let graph = Graph::mlp(&[4, 3, 2]);
    let weights = vec![0; graph.parameters()];
    let samples = Samples::new(4, 2, &[0, 0, 0, 0, 1]).unwrap();
    let foreign_label = Samples::new(4, 9, &[0, 0, 0, 0, 8]).unwrap();
    let foreign_inputs = Samples::new(5, 2, &[0; 6]).unwrap();
    let mut burn = BurnEvaluator::new(&Device::flex());
    let evaluators: [&mut dyn Evaluator; 3] = [&mut Reference, &mut FastCpu, &mut burn];
    for evaluator in evaluators {
        assert_eq!(
            evaluator.losses(&graph, &weights, &samples).unwrap().len(),
            1
        );
        let few = evaluator.losses(&graph, &weights[1..], &samples);
        assert!(few.is_err());
        assert!(evaluator.losses(&graph, &weights, &foreign_label).is_err());
        assert!(evaluator.losses(&graph, &weights, &foreign_inputs).is_err());
    }
    let differentiators: [&mut dyn Differentiator; 3] = [&mut Reference, &mut FastCpu, &mut burn];
    for differentiator in differentiators {
        let mut gradients = |weights, samples, group| {
            differentiator.gradients(&graph, weights, samples, &[group], &mut |_, _| ())
        };
        assert_eq!(gradients(&weights, &samples, 0..1), Ok(()));
        assert!(gradients(&weights[1..], &samples, 0..1).is_err());
        assert!(gradients(&weights, &foreign_label, 0..1).is_err());
        assert!(gradients(&weights, &samples, 0..2).is_err());
    }
}

/// Graphs of transformers of every small shape.
fn transformers() -> impl Strategy<Value = Graph> {
    let shape = (2u32..=9, 2u32..=11, 1u32..=3, 1u32..=9, 1u32..=40);
    (shape, 0u32..=2, any::<bool>()).prop_map(|(shape, layers, tied)| {
        let (vocab, tokens, heads, head_width, hidden) = shape;
        let width = heads * head_width;
        Graph::transformer(&Transformer {
            vocab,
            tokens,
            width,
            heads,
            hidden,
            layers,
            tied,
        })
    })
}

/// Graphs with weights and records of tokens.
fn language_cases() -> impl Strategy<Value = (Graph, Vec<i16>, Samples)> {
    transformers().prop_flat_map(|graph| {
        let (inputs, vocab) = (graph.inputs, graph.classes());
        let record = vec(0..vocab as u8, inputs as usize + 1);
        let samples = vec(record, 1..9)
            .prop_map(move |records| Samples::new(inputs, vocab, &records.concat()).unwrap());
        (masters(graph.parameters()), samples, Just(graph))
            .prop_map(|(weights, samples, graph)| (graph, weights, samples))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_transformer_is_equal((graph, weights, samples) in language_cases()) {
        all_equal(&graph, &weights, &samples)?;
    }

    #[test]
    fn an_mlp_is_equal((graph, weights, samples) in cases(graphs())) {
        all_equal(&graph, &weights, &samples)?;
    }

    #[test]
    fn a_chain_of_ops_of_images_is_equal((graph, weights, samples) in cases(images::graphs())) {
        all_equal(&graph, &weights, &samples)?;
    }
}
