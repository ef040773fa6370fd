//! Compares float twins in onnxruntime with the exact machine.

use crate::floats;
use anyhow::{ensure, Result};
use gotong_evaluation::FastCpu;
use gotong_scoring::{Cnn, Convolution, Graph, Image, Pool, Transformer, Window};
use gotong_tests::{
    equality::{random_cases, trained, Case},
    onnx,
};
use gotong_training::{data::DataSet, DeviceChoice};
use std::f64::consts::LN_2;

/// The bits of every row of logits, which are in natural units, and its likeliest class. Computed in f64.
fn judged(case: &Case, logits: &[f64]) -> Vec<(f64, usize)> {
    let rows = logits.chunks(case.graph.classes() as usize);
    let judge = |(logits, label): (&[f64], usize)| {
        let most = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = logits.iter().map(|z| (z - most).exp()).sum();
        let likeliest = logits.iter().position(|z| *z == most).unwrap_or(0);
        ((sum.ln() + most - logits[label]) / LN_2, likeliest)
    };
    rows.zip(labels(case)).map(judge).collect()
}

/// What onnxruntime computes for every row of logits of a case.
fn judged_by_onnxruntime(case: &Case) -> Result<Vec<(f64, usize)>> {
    let logits = onnx::logits(case)?.concat().into_iter();
    let logits: Vec<f64> = logits.map(f64::from).collect();
    let values = labels(case).len() * case.graph.classes() as usize;
    ensure!(logits.len() == values, "{} logits", logits.len());
    Ok(judged(case, &logits))
}

/// How far onnxruntime's losses are from the exact ones, as [`floats::apart`] measures it.
fn apart(case: &Case, rows: &[(f64, usize)]) -> Result<(f64, f64)> {
    let samples = rows.chunks(floats::losses_of_sample(&case.graph));
    let bits: Vec<f64> = samples
        .map(|rows| rows.iter().map(|row| row.0).sum())
        .collect();
    floats::apart(case, &bits)
}

/// The label of every row of logits. For text this is each next token.
fn labels(case: &Case) -> Vec<usize> {
    let of_sample = |(pixels, label): (&[u8], u8)| {
        let next = match case.graph.vocab() {
            Some(_) => pixels[1..].to_vec(),
            None => Vec::new(),
        };
        next.into_iter()
            .chain([label])
            .map(usize::from)
            .collect::<Vec<_>>()
    };
    case.samples.iter().flat_map(of_sample).collect()
}

fn convolutional() -> Graph {
    let convolution = |channels, pool| Convolution {
        channels,
        window: Window {
            size: 3,
            stride: 1,
            padding: 1,
        },
        pool,
    };
    Graph::cnn(&Cnn {
        image: Image {
            height: 28,
            width: 28,
            channels: 1,
        },
        convolutions: vec![convolution(4, Pool::Max(2)), convolution(8, Pool::Mean(2))],
        hidden: vec![32],
        classes: 10,
    })
}

fn language(tied: bool) -> Graph {
    Graph::transformer(&Transformer {
        vocab: 84,
        tokens: 48,
        width: 64,
        heads: 4,
        hidden: 256,
        layers: 2,
        tied,
    })
}

#[test]
fn onnxruntime_answers_nearly_as_the_exact_machine() -> Result<()> {
    let models = [
        (DataSet::FashionMnist, Graph::mlp(&[784, 128, 10])),
        (DataSet::FashionMnist, convolutional()),
        (DataSet::Shakespeare, language(true)),
        (DataSet::Shakespeare, language(false)),
    ];
    for (set, graph) in models {
        let case = trained(set, graph, DeviceChoice::Flex)?.examined(set, 200)?;
        let exact = FastCpu.logits(&case.graph, &case.weights, &case.samples)?;
        // A step of the machine is 1/64 of a log2 unit.
        let exact: Vec<f64> = exact
            .concat()
            .iter()
            .map(|z| f64::from(*z) / 64.0 * LN_2)
            .collect();
        let (own, peer) = (judged(&case, &exact), judged_by_onnxruntime(&case)?);
        assert_eq!(own.len(), peer.len(), "{}", case.name);
        let equal = own.iter().zip(&peer).filter(|(a, b)| a.1 == b.1).count();
        let equal = equal as f64 / own.len() as f64;
        let (mean, most) = apart(&case, &peer)?;
        println!(
            "{}, {} rows: {mean:.5} bits a row apart, a sample at most {most:.5}, {:.1} % of the classes are the same",
            case.name,
            own.len(),
            equal * 100.0
        );
        assert!(mean.abs() < floats::PLAIN_BOUNDS.0, "{}", case.name);
        assert!(equal > 0.95, "{}", case.name);
    }
    Ok(())
}

/// The bounds are as narrow as those for PyTorch.
#[test]
fn onnxruntime_computes_what_the_machine_computes() -> Result<()> {
    for tied in [false, true] {
        let case = floats::bold(tied)?;
        let (mean, most) = apart(&case, &judged_by_onnxruntime(&case)?)?;
        println!(
            "{}: {mean:.5} bits a token apart, a sample at most {most:.5}",
            case.name
        );
        assert!(mean.abs() < floats::PLAIN_BOUNDS.0, "{mean} bits a token");
        assert!(most < floats::PLAIN_BOUNDS.1, "{most} bits a token");
    }
    Ok(())
}

/// This includes graphs of any ops in any order. Rounding decides much with their weights, so their answers are not compared.
#[test]
fn onnxruntime_takes_every_graph() -> Result<()> {
    for case in random_cases(4)?.iter().step_by(3) {
        let exact = FastCpu.logits(&case.graph, &case.weights, &case.samples)?;
        let float = onnx::logits(case)?;
        let own = (exact.len(), exact[0].len());
        assert_eq!((float.len(), float[0].len()), own, "{}", case.name);
    }
    Ok(())
}
