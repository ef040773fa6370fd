//! Values that suit the data of a new task: model, exam, windows and pay.

use super::{
    file::{TaskFile, TaskFileError},
    limits::{least_attest_blocks, ChainLimits},
};
use crate::{
    cli::output::{Amount, UNIT},
    model::ModelError,
};
use gotong_data::Recipe;
use gotong_protocol::bounds::{MAX_SHARD_BYTES, MAX_WEIGHT_BYTES, MIN_CAP, MIN_SAMPLES};
use gotong_scoring::Graph;
use gotong_training::TrainingConfig;
use std::fmt;

/// Rounds of a new task, if there are enough samples.
const ROUNDS: usize = 10;
/// Samples of a round, if the exam has them: with fewer, half of them can hardly prove what a first round gains.
const ENOUGH_SAMPLES: usize = 160;
/// Most samples of a round: more make scoring slow.
const MOST_SAMPLES: usize = 800;
/// Products that one slow core trains with in a second.
const TRAINED_PER_SECOND: f64 = 2_147_483_648.0;

/// A model in the words of a model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelDraft {
    /// Linear layers of these widths.
    Mlp(Vec<u32>),
    /// One convolution and a hidden layer.
    Cnn {
        /// Height, width and channels of an image.
        image: [u32; 3],
        /// Classes.
        classes: u32,
    },
    /// A decoder of text.
    Transformer {
        /// Different tokens.
        vocab: u32,
        /// Tokens of a sample.
        tokens: u32,
        /// Width of the stream.
        width: u32,
        /// Layers.
        layers: u32,
    },
}

impl ModelDraft {
    /// A model for samples that `recipe` makes; `training` is the number of bytes to train on, and `tokens` the length of a sample
    /// of text.
    pub fn suiting(recipe: &Recipe, training: u64, tokens: u32) -> Result<Self, ModelError> {
        let classes = recipe.classes() as u32;
        let Some(inputs) = recipe.inputs() else {
            let (width, layers) = match training {
                0..200_000 => (32, 1),
                _ => (64, 2),
            };
            return Ok(Self::Transformer {
                vocab: classes,
                tokens,
                width,
                layers,
            });
        };
        if let Recipe::Image(image) = recipe {
            let [height, width, channels] = image_shape(image);
            let convolution = Self::Cnn {
                image: [height, width, channels],
                classes,
            };
            if height >= 16 && width >= 16 && convolution.fits()? {
                return Ok(convolution);
            }
        }
        Ok(Self::Mlp(layers(inputs as u32, classes)))
    }

    /// The model.
    ///
    /// # Errors
    /// A model that is not possible, such as one with too large a sample.
    pub fn graph(&self) -> Result<Graph, ModelError> {
        crate::model::parse(&self.to_string())
    }

    fn fits(&self) -> Result<bool, ModelError> {
        match self.graph() {
            Ok(graph) => Ok(graph.parameters() <= (MAX_WEIGHT_BYTES / 2) as usize),
            Err(ModelError::Invalid(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn image_shape(image: &gotong_data::ImageRecipe) -> [u32; 3] {
    [image.height, image.width, image.channels.into()]
}

/// Units of an MLP's hidden layer. Fewer are not worth it, however small the model: a weight is at most 0.5, and a delta has two
/// magnitudes for all of a small model's weights, so the errors of the units have to average out. On a table of four columns and
/// three classes that are easy to tell apart, a first round with one contributor went from 1.58 bits to between 1.0 and 2.1 with 16
/// units, between 0.4 and 1.4 with 64, and between 0.3 and 0.9 with 128; a third round reached 0.7 to 2.2, 0.2 to 0.4, and 0.1 to
/// 0.2.
const HIDDEN: u32 = 128;

/// Inputs, a hidden layer and classes. The hidden layer has [`HIDDEN`] units, or fewer if the chain would not accept that many
/// parameters.
fn layers(inputs: u32, classes: u32) -> Vec<u32> {
    let most = (MAX_WEIGHT_BYTES / 2).saturating_sub(classes) / (inputs + classes + 1);
    match HIDDEN.min(most) {
        0..2 => vec![inputs, classes],
        hidden => vec![inputs, hidden, classes],
    }
}

/// The keys of a model's file.
impl fmt::Display for ModelDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mlp(layers) => write!(f, "kind = \"mlp\"\nlayers = {layers:?}"),
            Self::Cnn {
                image: [height, width, channels],
                classes,
            } => write!(
                f,
                "kind = \"cnn\"\nimage = {{ height = {height}, width = {width}, channels = {channels} }}\n\
                 convolutions = [{{ channels = 8, size = 4, stride = 2, padding = 1, max-pool = 2 }}]\n\
                 hidden = [64]\nclasses = {classes}"
            ),
            Self::Transformer {
                vocab,
                tokens,
                width,
                layers,
            } => write!(
                f,
                "kind = \"transformer\"\nvocab = {vocab}\ntokens = {tokens}\nwidth = {width}\nheads = 4\n\
                 layers = {layers}"
            ),
        }
    }
}

/// The number of rounds, and of samples in each, for an exam of `exam` samples with `record_bytes` bytes each: up to ten rounds,
/// each with 160 samples or more, or else one round with all samples. None if there are fewer than 64.
pub fn rounds_and_samples(exam: usize, record_bytes: usize) -> Option<(u32, u32)> {
    let least = MIN_SAMPLES as usize;
    let rounds = (exam / ENOUGH_SAMPLES).clamp(1, ROUNDS);
    let longest = MAX_SHARD_BYTES as usize / record_bytes.max(1);
    let samples = exam.checked_div(rounds)?.min(MOST_SAMPLES).min(longest) / 2 * 2;
    (samples >= least).then_some((rounds as u32, samples as u32))
}

/// Fills in a task's windows and pay to suit its model, its budget and its exam, which has this many records.
///
/// # Errors
/// A task that cannot be expressed in terms.
pub fn fill(task: &mut TaskFile, records: usize) -> Result<(), TaskFileError> {
    let terms = task.terms(task.exam_plan()?.outline(records), b"")?;
    let window = |blocks: u64, usual: u32| {
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        blocks.max(usual).min(ChainLimits::USUAL.longest_window)
    };
    task.windows.commit = window(training_seconds(task.graph()), task.windows.commit);
    let attest = least_attest_blocks(&terms, task.graph());
    task.windows.attest = window(attest, task.windows.attest);
    let (price, cap) = price_and_cap(task.budget, most_gain(task.graph()));
    (task.pay.price, task.pay.cap) = (price, cap);
    Ok(())
}

/// Seconds that the usual training of a round takes on one slow core: forward, and twice as much backward.
fn training_seconds(graph: &Graph) -> u64 {
    let config = TrainingConfig::of(graph);
    let products = 3.0 * graph.cost() as f64 * config.steps as f64 * config.batch as f64;
    (products / TRAINED_PER_SECOND).ceil() as u64
}

/// Millibits per sample by which all rounds together may lower the loss of random first weights: these know nothing, so their loss
/// is that of guessing, and hardly more than this can be removed.
pub fn most_gain(graph: &Graph) -> f64 {
    let guessing = f64::from(graph.classes().max(2)).log2() * 1000.0;
    let labels = graph.vocab().map_or(1, |_| graph.inputs);
    0.95 * guessing * f64::from(labels)
}

/// A price at which the largest possible gain, in millibits, costs 65 % of the budget, and a cap of 30 % of it.
///
/// A round starts only if the rest of the budget covers the cap and the work. So a task continues until the whole gain is paid:
/// what is left until then always covers them.
fn price_and_cap(budget: Amount, gain: f64) -> (Amount, Amount) {
    let price = 0.65 * budget.0 as f64 / gain.max(1.0);
    let price = two_digits(price as u128).max(1);
    let cap = two_digits(budget.0 / 10 * 3);
    (Amount(price), Amount(cap.max(price).max(MIN_CAP)))
}

/// A number with two digits that are not zero, rounded down.
fn two_digits(number: u128) -> u128 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

/// The budget of a new task, in planck.
pub const BUDGET: Amount = Amount(1_000 * UNIT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_layers_are_as_wide_as_the_chain_allows() {
        assert_eq!(layers(4, 3), [4, 128, 3]);
        assert_eq!(layers(64, 10), [64, 128, 10]);
        assert_eq!(layers(784, 10), [784, 128, 10]);
        assert_eq!(layers(16_383, 10), [16_383, 63, 10]);
        for (inputs, classes) in [(1, 2), (16_383, 256), (16_383, 2)] {
            let graph = Graph::mlp(&layers(inputs, classes));
            assert!(graph.parameters() <= (MAX_WEIGHT_BYTES / 2) as usize);
            assert!(graph.validate().is_ok());
        }
    }

    #[test]
    fn every_draft_is_a_model() {
        let cnn = ModelDraft::Cnn {
            image: [28, 28, 1],
            classes: 10,
        };
        let transformer = ModelDraft::Transformer {
            vocab: 84,
            tokens: 32,
            width: 32,
            layers: 1,
        };
        for draft in [cnn, transformer, ModelDraft::Mlp(vec![4, 16, 3])] {
            assert!(draft.fits().unwrap(), "{draft}");
        }
    }

    #[test]
    fn small_exams_have_fewer_rounds() {
        assert_eq!(rounds_and_samples(8_000, 785), Some((10, 800)));
        assert_eq!(rounds_and_samples(90_000, 785), Some((10, 800)));
        assert_eq!(rounds_and_samples(539, 65), Some((3, 178)));
        assert_eq!(rounds_and_samples(150, 65), Some((1, 150)));
        assert_eq!(rounds_and_samples(64, 5), Some((1, 64)));
        assert_eq!(rounds_and_samples(63, 5), None);
        assert_eq!(rounds_and_samples(9_000, 16_384), Some((10, 64)));
        assert_eq!(rounds_and_samples(9_000, 16_385), None);
    }

    #[test]
    fn a_task_goes_on_until_all_that_can_be_gained_is_paid() {
        let (price, cap) = price_and_cap(BUDGET, 3_156.0);
        assert_eq!((price, cap), (Amount(UNIT / 5), Amount(300 * UNIT)));
        let (price, cap) = price_and_cap(Amount(1), 3_156.0);
        assert_eq!((price, cap), (Amount(1), Amount(MIN_CAP)));
        let numbers = [123_456, 99, 7, 0].map(two_digits);
        assert_eq!(numbers, [120_000, 99, 7, 0]);
        let easy = Graph::mlp(&[4, 128, 3]);
        let text = include_str!("../../../../docs/models/transformer.toml");
        let text = crate::model::parse(text).unwrap();
        for graph in [easy, text] {
            for units in [5, 1_000, 123_457] {
                let budget = Amount(units * UNIT);
                let gain = most_gain(&graph);
                let (price, cap) = price_and_cap(budget, gain);
                let left = budget.0 - (price.0 as f64 * gain) as u128;
                // Four hundredths of the budget are for work.
                assert!(left >= cap.0 + budget.0 / 25, "{units}: {left} and {cap}");
            }
        }
    }

    #[test]
    fn the_chain_takes_the_windows() {
        let mut task = TaskFile::new("a".into(), BUDGET);
        task.exam.samples = 128;
        task.exam.rounds = Some(2);
        let text = include_str!("../../../../docs/models/transformer.toml");
        task.model = crate::model::Model(crate::model::parse(text).unwrap());
        fill(&mut task, 256).unwrap();
        assert!(task.windows.attest > 30 && task.windows.commit > 60);
        let terms = task.terms(task.exam_plan().unwrap().outline(256), b"");
        let checked = ChainLimits::USUAL.check(&terms.unwrap(), task.graph());
        assert!(checked.is_ok(), "{checked:?}");
    }
}
