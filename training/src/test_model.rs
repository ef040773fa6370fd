//! A small language model and its training text, for tests of this crate and of the worker.

use gotong_data::Labelled;
use gotong_scoring::{Graph, Transformer};

/// Six tokens, from a vocabulary of five.
pub(crate) const SMALL_TRANSFORMER: Transformer = Transformer {
    vocab: 5,
    tokens: 6,
    width: 8,
    heads: 2,
    hidden: 8,
    layers: 1,
    tied: true,
};

pub(crate) fn small_transformer() -> Graph {
    Graph::transformer(&SMALL_TRANSFORMER)
}

/// `samples` samples for this model. Different values of `from` give different text.
pub(crate) fn text(samples: usize, from: usize) -> Labelled {
    let token = |at: usize| ((at * at + at / 3) % 5) as u8;
    Labelled {
        inputs: 6,
        pixels: (from..from + 6 * samples).map(token).collect(),
        labels: (0..samples)
            .map(|sample| token(from + 6 * sample + 6))
            .collect(),
    }
}
