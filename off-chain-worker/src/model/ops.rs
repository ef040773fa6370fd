//! The form that lists the machine's ops.

use gotong_scoring::{Graph, Image, Op, Width, Window};
use serde::Deserialize;
use toml::{Table, Value};

use super::{explain, wrong, ModelError};

/// `kind = "graph"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ops {
    inputs: u32,
    ops: Vec<Table>,
}

impl Ops {
    pub fn graph(self) -> Result<Graph, ModelError> {
        let op = |(index, mut keys): (usize, Table)| {
            let place = format!("op {index}");
            let Some(Value::String(name)) = keys.remove("op") else {
                return Err(wrong(place, "`op` must be the name of an op"));
            };
            let named = Table::from_iter([(name.clone(), Value::Table(keys))]);
            let made = OpKeys::deserialize(named);
            made.map_err(|error| wrong(format!("{place} ({name})"), explain(&error)))
        };
        let ops = self.ops.into_iter().enumerate().map(op);
        Ok(Graph {
            inputs: self.inputs,
            ops: ops.collect::<Result<_, _>>()?,
        })
    }
}

/// The keys of every op; [`Op`] says what they mean.
#[derive(Deserialize)]
#[serde(
    remote = "Op",
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
enum OpKeys {
    Linear {
        inputs: u32,
        outputs: u32,
        bias_shift: u8,
    },
    Requant {
        shift_in: u8,
        multiplier: u8,
        shift_out: u8,
        #[serde(with = "WidthKeys")]
        width: Width,
    },
    Relu,
    CrossEntropy {
        classes: u32,
    },
    Embed {
        vocab: u32,
        tokens: u32,
        width: u32,
        shift: u8,
    },
    RmsNorm {
        width: u32,
        unit_bits: u8,
    },
    Scores {
        heads: u32,
        head_width: u32,
    },
    Softmax {
        heads: u32,
        tokens: u32,
    },
    Mix {
        from: u32,
        heads: u32,
        head_width: u32,
    },
    Residual {
        from: u32,
    },
    SquaredRelu,
    Unembed {
        vocab: u32,
        width: u32,
    },
    Total {
        tokens: u32,
    },
    Im2col {
        #[serde(with = "ImageKeys")]
        image: Image,
        #[serde(with = "WindowKeys")]
        window: Window,
    },
    MaxPool {
        #[serde(with = "ImageKeys")]
        image: Image,
        #[serde(with = "WindowKeys")]
        window: Window,
    },
    SumPool {
        #[serde(with = "ImageKeys")]
        image: Image,
        #[serde(with = "WindowKeys")]
        window: Window,
    },
    Flatten,
}

#[derive(Deserialize)]
#[serde(remote = "Width", rename_all = "kebab-case")]
enum WidthKeys {
    Narrow,
    Wide,
}

#[derive(Deserialize)]
#[serde(remote = "Image", deny_unknown_fields)]
pub(super) struct ImageKeys {
    height: u16,
    width: u16,
    channels: u32,
}

#[derive(Deserialize)]
#[serde(remote = "Window", deny_unknown_fields)]
struct WindowKeys {
    size: u8,
    stride: u8,
    padding: u8,
}
