//! Checks that evaluators give exactly the reference's bits. Every word that every op gives is compared, and those that differ are
//! counted; so is every value of a gradient.

use anyhow::{ensure, Context, Result};
use gotong_evaluation::{check_precision, compare, BurnEvaluator, FastCpu, Traced};
use gotong_scoring::{
    arith::MASTER_BOUND, gradient::Differentiator, Cnn, Convolution, Graph, Image, Op, Pool,
    Reference, Samples, Transformer, Width, Window,
};
use gotong_training::{
    data::{folder, DataSet, Use},
    initial_weights, train, DeviceChoice, TrainingConfig,
};
use rand::{rngs::StdRng, Rng, SeedableRng};
use std::sync::atomic::AtomicBool;

mod any_graph;

/// A model and samples for it.
pub struct Case {
    /// The name that failures use for it.
    pub name: String,
    /// The model.
    pub graph: Graph,
    /// Its weights, in the order of [`Graph`].
    pub weights: Vec<i16>,
    /// The samples that it is evaluated on.
    pub samples: Samples,
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Models that were evaluated.
    pub models: usize,
    /// Words that all evaluators together gave.
    pub words: u64,
    /// Words that differ from those of the reference.
    pub mismatched_words: u64,
    /// Where the first of them was.
    pub first: Option<String>,
    /// Values of gradients that all evaluators together gave.
    pub gradient_values: u64,
    /// Values of gradients that differ between implementations. Should be 0.
    pub mismatched_gradient_values: u64,
    /// Where the first of them was.
    pub first_of_gradients: Option<String>,
}

/// Evaluators to compare with the reference, each with its name.
pub struct Candidates {
    evaluators: Vec<(String, Box<dyn Traced>)>,
}

impl Candidates {
    /// The fast evaluator of the processor, and Burn's on `devices`.
    ///
    /// # Errors
    /// Fails if a device is not there, or does not multiply in whole f32.
    pub fn new(devices: &[DeviceChoice]) -> Result<Self> {
        let mut evaluators: Vec<(String, Box<dyn Traced>)> =
            vec![("fast CPU".into(), Box::new(FastCpu))];
        for choice in devices {
            let (device, adapter) = choice.open_adapter()?;
            check_precision(&device)?;
            let name = format!("{choice} on {}", adapter.name);
            evaluators.push((name, Box::new(BurnEvaluator::new(&device))));
        }
        Ok(Self { evaluators })
    }

    /// Their names, devices included.
    pub fn names(&self) -> Vec<&str> {
        let names = self.evaluators.iter().map(|(name, _)| name.as_str());
        names.collect()
    }

    /// Evaluates the model with all of them, op by op, and once more at full speed for its losses; then
    /// compares its gradients.
    ///
    /// # Errors
    /// Fails if an evaluator cannot evaluate it.
    pub fn compare(&mut self, case: &Case, tally: &mut Tally) -> Result<()> {
        tally.models += 1;
        let Case {
            name: model,
            graph,
            weights,
            samples,
        } = case;
        let expected = Reference.tensors(graph, weights, samples)?;
        for (name, evaluator) in &mut self.evaluators {
            let found = compare(evaluator.as_mut(), &expected, graph, weights, samples);
            let found = found.with_context(|| format!("{name}, {model}"))?;
            tally.words += found.words;
            tally.mismatched_words += found.wrong;
            if let (Some((sample, op)), None) = (found.first, &tally.first) {
                let op = graph.ops.get(op);
                tally.first = Some(format!("{name}, {model}, sample {sample}, {op:?}"));
            }
        }
        self.compare_gradients(case, tally)
    }

    fn compare_gradients(&mut self, case: &Case, tally: &mut Tally) -> Result<()> {
        let expected = gradients(&mut Reference, case)?;
        for (name, evaluator) in &mut self.evaluators {
            let found = gradients(evaluator.as_mut(), case);
            let found = found.with_context(|| format!("gradients: {name}, {}", case.name))?;
            ensure!(
                found.len() == expected.len(),
                "{name} gave {} values of {}",
                found.len(),
                expected.len()
            );
            let pairs = found.iter().zip(&expected).enumerate();
            let wrong: Vec<usize> = pairs
                .filter(|(_, (a, b))| a != b)
                .map(|(at, _)| at)
                .collect();
            tally.gradient_values += found.len() as u64;
            tally.mismatched_gradient_values += wrong.len() as u64;
            if let (Some(at), None) = (wrong.first(), &tally.first_of_gradients) {
                let parameters = case.weights.len();
                let (group, parameter) = (at / parameters, at % parameters);
                tally.first_of_gradients = Some(format!(
                    "{name}, {}, group {group}, parameter {parameter}",
                    case.name
                ));
            }
        }
        Ok(())
    }
}

/// The gradients of two groups of a model's samples, one after another.
fn gradients(differentiator: &mut dyn Differentiator, case: &Case) -> Result<Vec<i64>> {
    let (count, mut all) = (case.samples.len(), Vec::new());
    let groups = [0..count / 3, count / 3..count];
    let see = &mut |_, gradient: &[i64]| all.extend_from_slice(gradient);
    differentiator.gradients(&case.graph, &case.weights, &case.samples, &groups, see)?;
    Ok(all)
}

/// Models of random shapes and scales, and graphs of any ops in any order. Each comes with random weights, with extreme ones, and
/// with weights at which rounding decides. The same seed gives the same models.
pub fn random_cases(seed: u64) -> Result<Vec<Case>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut cases = Vec::new();
    for index in 0..24 + ANY_GRAPHS {
        let graph = match index % 3 {
            _ if index >= 24 => any_graph::draw(&mut random),
            0 => random_mlp(&mut random),
            1 => random_cnn(&mut random),
            _ => random_transformer(&mut random),
        };
        let (fill, weights) = random_weights(graph.parameters(), index, &mut random);
        let name = format!("random model {index}, {fill} weights");
        let count = random.random_range(1..12);
        cases.push(Case::new(name, graph, weights, count, &mut random)?);
    }
    Ok(cases)
}

/// How many of the random models are graphs of any ops in any order.
const ANY_GRAPHS: usize = 60;

/// A classifier of images and a language model that have learned for some updates on a device. Their first weights, those of seed
/// [`SEED`], are the same on every device.
///
/// # Errors
/// Fails if a device or a data set is not there.
pub fn trained_cases(choice: DeviceChoice) -> Result<Vec<Case>> {
    let language = Transformer {
        vocab: 84,
        tokens: 48,
        width: 64,
        heads: 4,
        hidden: 256,
        layers: 2,
        tied: true,
    };
    [
        (DataSet::FashionMnist, Graph::mlp(&[784, 128, 10])),
        (DataSet::Shakespeare, Graph::transformer(&language)),
    ]
    .map(|(set, graph)| trained(set, graph, choice))
    .into_iter()
    .collect()
}

/// The seed of the first weights of [`trained_cases`].
pub const SEED: u64 = 1;

/// A model that has learned from a data set for some updates, with a few samples that it did not learn from.
///
/// # Errors
/// See [`trained_cases`].
pub fn trained(set: DataSet, graph: Graph, choice: DeviceChoice) -> Result<Case> {
    let weights = learned(set, &graph, initial_weights(&graph, SEED), choice)?;
    let report = set.load(&folder(), Use::Report, &graph)?.slice(0..9);
    Ok(Case {
        name: format!("trained on {set:?}"),
        samples: Samples::new(graph.inputs, graph.classes(), &report.records())?,
        graph,
        weights,
    })
}

/// What some updates on a data set make of `weights`.
///
/// # Errors
/// See [`trained_cases`].
pub fn learned(
    set: DataSet,
    graph: &Graph,
    mut weights: Vec<i16>,
    choice: DeviceChoice,
) -> Result<Vec<i16>> {
    let config = TrainingConfig {
        steps: 30,
        ..TrainingConfig::of(graph)
    };
    let training = set.load(&folder(), Use::Training, graph)?;
    let (device, stop) = (choice.open()?, AtomicBool::new(false));
    let progress = &mut |_| {};
    let change = train(
        graph, &weights, &training, &config, &device, progress, &stop,
    )?;
    for (weight, change) in weights.iter_mut().zip(change) {
        *weight = i16::try_from(i32::from(*weight) + change)?;
    }
    Ok(weights)
}

impl Case {
    /// The same model with `count` samples of a data set, none of which it learned from.
    ///
    /// # Errors
    /// Fails if a data set is not there, or if the model is not made for it.
    pub fn examined(self, set: DataSet, count: usize) -> Result<Self> {
        let report = set.load(&folder(), Use::Report, &self.graph)?;
        let records = report.slice(0..count).records();
        let samples = Samples::new(self.graph.inputs, self.graph.classes(), &records)?;
        Ok(Self { samples, ..self })
    }

    fn new(
        name: String,
        graph: Graph,
        weights: Vec<i16>,
        count: usize,
        random: &mut StdRng,
    ) -> Result<Self> {
        let (inputs, classes) = (graph.inputs, graph.classes());
        let mut records = Vec::new();
        for sample in 0..count {
            records.extend((0..inputs).map(|_| match (graph.vocab(), sample) {
                (Some(vocab), _) => random.random_range(0..vocab) as u8,
                (None, 0) => u8::MAX,
                (None, _) => random.random(),
            }));
            records.push(random.random_range(0..classes) as u8);
        }
        let samples = Samples::new(inputs, classes, &records)?;
        Ok(Self {
            name,
            graph,
            weights,
            samples,
        })
    }
}

fn random_mlp(random: &mut StdRng) -> Graph {
    // Up to three chunks of an f32 sum.
    let mut layers = vec![random.random_range(1..2_200)];
    for _ in 0..random.random_range(1..4) {
        layers.push(random.random_range(1..70));
    }
    layers.push(random.random_range(2..=256));
    let mut graph = Graph::mlp(&layers);
    if random.random() {
        graph.ops.retain(|op| !matches!(op, Op::Relu));
    }
    rescale(&mut graph, random);
    graph
}

fn random_cnn(random: &mut StdRng) -> Graph {
    let mut convolution = |_| Convolution {
        channels: random.random_range(1..9),
        window: Window {
            size: 3,
            stride: random.random_range(1..=2),
            padding: random.random_range(0..=2),
        },
        pool: match random.random_range(0..3) {
            0 => Pool::None,
            1 => Pool::Max(2),
            _ => Pool::Mean(2),
        },
    };
    let convolutions = (0..2).map(&mut convolution).collect();
    let mut graph = Graph::cnn(&Cnn {
        // Large enough for every stride and pool.
        image: Image {
            height: random.random_range(21..26),
            width: random.random_range(21..26),
            channels: random.random_range(1..4),
        },
        convolutions,
        hidden: vec![random.random_range(1..40)],
        classes: random.random_range(2..=256),
    });
    if random.random() {
        rescale(&mut graph, random);
    }
    graph
}

fn random_transformer(random: &mut StdRng) -> Graph {
    let heads = random.random_range(1..5);
    let width = heads * random.random_range(1..24);
    let mut graph = Graph::transformer(&Transformer {
        vocab: random.random_range(2..=256),
        tokens: random.random_range(2..40),
        width,
        heads,
        hidden: random.random_range(1..160),
        layers: random.random_range(1..3),
        tied: random.random(),
    });
    if random.random() {
        rescale(&mut graph, random);
    }
    graph
}

/// Gives the requants random scales, close to those that keep activations alive.
fn rescale(graph: &mut Graph, random: &mut StdRng) {
    for op in &mut graph.ops {
        match op {
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => {
                let wide = matches!(width, Width::Wide);
                *shift_in = random.random_range(0..if wide { 6 } else { 12 });
                *multiplier = random.random_range(1..=255);
                *shift_out = random.random_range(0..12);
            }
            Op::Linear { bias_shift, .. } => *bias_shift = random.random_range(0..=8),
            _ => {}
        }
    }
}

fn random_weights(count: usize, index: usize, random: &mut StdRng) -> (&'static str, Vec<i16>) {
    let fills = ["random", "small", "largest", "alternating", "half-way"];
    let fill = fills[index / 3 % fills.len()];
    let mut one = |at: usize| -> i16 {
        let any = random.random_range(-MASTER_BOUND..=MASTER_BOUND);
        match fill {
            "small" => any / 16,
            "largest" => MASTER_BOUND,
            "alternating" if at.is_multiple_of(2) => MASTER_BOUND,
            "alternating" => -MASTER_BOUND,
            // Half-way between two int8 views.
            "half-way" => (any & !0xff | 0x80).clamp(-MASTER_BOUND, MASTER_BOUND),
            _ => any,
        }
    };
    (fill, (0..count).map(&mut one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, mem::discriminant};

    #[test]
    fn random_models_are_valid() {
        let (mut kinds, mut mixes) = (HashSet::new(), 0);
        for case in random_cases(4).unwrap() {
            case.graph
                .validate()
                .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert_eq!(case.graph.parameters(), case.weights.len());
            let ops = &case.graph.ops;
            kinds.extend(ops.iter().map(discriminant));
            // A mix of what an earlier attention works on.
            let is_other = |(at, op): &(usize, &Op)| match op {
                Op::Mix { from, .. } => *from as usize + 4 != *at,
                _ => false,
            };
            mixes += ops.iter().enumerate().filter(is_other).count();
        }
        assert_eq!(kinds.len(), 17);
        assert!(mixes > 3, "{mixes}");
    }
}
