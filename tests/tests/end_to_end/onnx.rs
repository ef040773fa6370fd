//! Float twins in onnxruntime beside the exact machine.

use anyhow::Result;
use gotong::{
    evaluation::FastCpu,
    training::{data::DataSet, DeviceChoice},
};
use gotong_scoring::{Cnn, Convolution, Graph, Image, Pool, Transformer, Window};
use gotong_tests::{
    equality::{random_cases, trained, Case},
    onnx,
};
use std::f64::consts::LN_2;

/// Logits of a row in natural units, and the label.
type Row<'a> = (&'a [f64], usize);

/// Mean loss in bits, in f64 from the logits; and the likeliest class of every row.
fn judged<'a>(rows: impl Iterator<Item = Row<'a>>) -> (f64, Vec<usize>) {
    let (mut bits, mut likeliest) = (0.0, Vec::new());
    for (logits, label) in rows {
        let most = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = logits.iter().map(|z| (z - most).exp()).sum();
        bits += (sum.ln() + most - logits[label]) / LN_2;
        likeliest.push(logits.iter().position(|z| *z == most).unwrap_or(0));
    }
    (bits / likeliest.len() as f64, likeliest)
}

/// The label of every row of logits: of text each next token.
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
        // A step of the machine is 1/64 log2 unit.
        let exact: Vec<f64> = exact
            .concat()
            .iter()
            .map(|z| f64::from(*z) / 64.0 * LN_2)
            .collect();
        let float = onnx::logits(&case)?.concat();
        let float: Vec<f64> = float.into_iter().map(f64::from).collect();
        assert_eq!(float.len(), exact.len(), "{}", case.name);
        let (classes, labels) = (case.graph.classes() as usize, labels(&case));
        let rows = |logits: &[f64]| judged(logits.chunks(classes).zip(labels.iter().copied()));
        let (own, peer) = (rows(&exact), rows(&float));
        let equal = own.1.iter().zip(&peer.1).filter(|(a, b)| a == b).count();
        let equal = equal as f64 / labels.len() as f64;
        println!(
            "{}, {} rows: {:.4} bits exact, {:.4} float, {:.1} % of the classes are the same",
            case.name,
            labels.len(),
            own.0,
            peer.0,
            equal * 100.0
        );
        assert!((own.0 - peer.0).abs() < 0.02, "{}", case.name);
        assert!(equal > 0.95, "{}", case.name);
    }
    Ok(())
}

/// Also graphs of any ops in any order. Their weights are such that rounding decides much, so answers are not compared.
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
