//! Forms that name an architecture and its sizes.

use gotong_scoring::{Cnn, Convolution, Graph, Image, Pool, Transformer, Window};
use serde::Deserialize;

use super::{check, ops::ImageKeys, wrong, ModelError};

/// `kind = "mlp"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mlp {
    pub layers: Vec<u32>,
}

impl Mlp {
    pub fn graph(self) -> Result<Graph, ModelError> {
        let count = self.layers.len() as u32;
        check("layers", count, count >= 2, "a list of two or more widths")?;
        let graph = Graph::mlp(&self.layers);
        graph.validate()?;
        Ok(graph)
    }
}

/// `kind = "transformer"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decoder {
    vocab: u32,
    tokens: u32,
    width: u32,
    heads: u32,
    hidden: Option<u32>,
    layers: u32,
    #[serde(default)]
    tied: bool,
}

impl Decoder {
    pub fn graph(self) -> Result<Graph, ModelError> {
        let shape = Transformer {
            vocab: self.vocab,
            tokens: self.tokens,
            width: self.width,
            heads: self.heads,
            hidden: self.hidden.unwrap_or(self.width.saturating_mul(4)),
            layers: self.layers,
            tied: self.tied,
        };
        let within = |value: u32, least, most| (least..=most).contains(&value);
        check(
            "vocab",
            shape.vocab,
            within(shape.vocab, 2, 256),
            "2 to 256",
        )?;
        check(
            "tokens",
            shape.tokens,
            within(shape.tokens, 2, 1024),
            "2 to 1024",
        )?;
        check(
            "width",
            shape.width,
            within(shape.width, 1, 2048),
            "1 to 2048",
        )?;
        let divides = shape.heads > 0 && shape.width.is_multiple_of(shape.heads);
        check("heads", shape.heads, divides, "a divisor of `width`")?;
        check("hidden", shape.hidden, shape.hidden > 0, "1 or more")?;
        check(
            "layers",
            shape.layers,
            within(shape.layers, 1, 13),
            "1 to 13",
        )?;
        Ok(Graph::transformer(&shape))
    }
}

/// `kind = "cnn"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Convolutional {
    #[serde(with = "ImageKeys")]
    image: Image,
    convolutions: Vec<ConvolutionKeys>,
    #[serde(default)]
    hidden: Vec<u32>,
    classes: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConvolutionKeys {
    channels: u32,
    size: u8,
    #[serde(default = "one")]
    stride: u8,
    #[serde(default)]
    padding: u8,
    max_pool: Option<u8>,
    mean_pool: Option<u8>,
}

fn one() -> u8 {
    1
}

impl Convolutional {
    pub fn graph(self) -> Result<Graph, ModelError> {
        let convolution = |(index, keys): (usize, ConvolutionKeys)| {
            let pool = match (keys.max_pool, keys.mean_pool) {
                (None, None) => Pool::None,
                (Some(size), None) => Pool::Max(size),
                (None, Some(size)) => Pool::Mean(size),
                (Some(_), Some(_)) => {
                    let place = format!("convolution {index}");
                    return Err(wrong(place, "either `max-pool` or `mean-pool`, not both"));
                }
            };
            let window = Window {
                size: keys.size,
                stride: keys.stride,
                padding: keys.padding,
            };
            Ok(Convolution {
                channels: keys.channels,
                window,
                pool,
            })
        };
        let convolutions = self.convolutions.into_iter().enumerate().map(convolution);
        Ok(Graph::cnn(&Cnn {
            image: self.image,
            convolutions: convolutions.collect::<Result<_, _>>()?,
            hidden: self.hidden,
            classes: self.classes,
        }))
    }
}
