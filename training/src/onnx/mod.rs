//! A model as ONNX, for every runtime that reads it: its *float twin*, which computes in f32 what the exact machine computes in
//! integers, so its answers are close but not bit for bit equal. A round scores with the exact machine.
//!
//! It mirrors [`super::model`], in real units: what is clamped there is clamped here, and nothing that flows is rounded.
//! A linear op multiplies with the int8 view of its weights, as the machine does; embeddings and biases are the
//! masters. Roots, exponentials and logarithms are true ones.
//!
//! | | name | shape |
//! | --- | --- | --- |
//! | takes | `sample` | u8 `[batch, inputs]`: the bytes of samples, without labels |
//! | gives | `logits` | f32 `[batch, classes]`, for text `[batch, tokens, vocab]` |
//!
//! Logits are in natural units: their softmax gives the probabilities. Constants have the names and shapes that
//! [`super::weights_file`] gives them, and `head.weight` if the head is tied to the embedding.
//!
//! Each family of ops has a file, as in `gotong_scoring::op`. Operators are those of set 17.

mod activation;
mod attention;
mod embed;
mod image;
mod linear;
mod message;
mod nodes;
mod norm;
mod requant;
mod residual;
mod twin;
mod value;

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    path::Path,
};

use gotong_data::write_whole;
use gotong_scoring::{Graph, Op};
use prost::Message;

use super::{model::UntrainableGraph, units::INPUT_STEPS};
use message::{
    DimensionProto, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, FLOAT, UINT8,
};
use nodes::{integer, Nodes};
use twin::Twin;
use value::{Layout, Value};

/// Version of the file's format that came with [`OPERATORS`].
const FORMAT: i64 = 8;
/// The set of operators, of 2022.
const OPERATORS: i64 = 17;
/// What a model takes.
const SAMPLE: &str = "sample";
/// What it gives.
const LOGITS: &str = "logits";

/// Why a model cannot be written as ONNX.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The graph or the number of weights is wrong.
    #[error(transparent)]
    Model(#[from] UntrainableGraph),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// Writes the float twin of `graph` with the weights `master`, in the machine's order, to `path`, either completely or not at all.
///
/// # Errors
/// A graph that is not valid, or has a different number of parameters; a file that cannot be written.
pub fn write(path: &Path, graph: &Graph, master: &[i16]) -> Result<(), OnnxError> {
    let bytes = model(graph, master)?.encode_to_vec();
    Ok(write_whole(path, |file| file.write_all(&bytes))?)
}

/// The file's content.
fn model(graph: &Graph, master: &[i16]) -> Result<ModelProto, UntrainableGraph> {
    graph.validate()?;
    let flows = graph.flows()?;
    if master.len() != graph.parameters() {
        return Err(UntrainableGraph::WrongParameters {
            expected: graph.parameters(),
            found: master.len(),
        });
    }
    let mut twin = Twin::new(graph, flows, master);
    let mut value = sample(graph, &mut twin.nodes);
    for (index, op) in graph.ops.iter().enumerate() {
        twin.op = index;
        value = forward(op, value, &mut twin);
        twin.keep(&value);
    }
    let rows = match value.rows {
        1 => vec![],
        rows => vec![fixed(rows)],
    };
    let inputs = vec![batch(), fixed(graph.inputs)];
    let outputs = [vec![batch()], rows, vec![fixed(value.width)]].concat();
    let property = |key: &str, value: String| StringStringEntryProto {
        key: key.to_owned(),
        value,
    };
    Ok(ModelProto {
        ir_version: FORMAT,
        producer_name: "gotong".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "The float twin of a model of Gotong: close to the exact machine, whose integers define its scores, \
                     and not equal to it bit for bit. `logits` are in natural units."
            .to_owned(),
        graph: Some(GraphProto {
            node: twin.nodes.nodes,
            name: "gotong".to_owned(),
            initializer: twin.nodes.constants,
            input: vec![tensor(SAMPLE, UINT8, inputs)],
            output: vec![tensor(LOGITS, FLOAT, outputs)],
        }),
        opset_import: vec![OperatorSetIdProto { version: OPERATORS }],
        metadata_props: vec![
            property("gotong.graph", hex::encode(graph.hash())),
            property("gotong.logits", "natural".to_owned()),
        ],
    })
}

/// What the first op takes: tokens as they are, and for other samples `byte >> 1` in [`INPUT_STEPS`].
fn sample(graph: &Graph, nodes: &mut Nodes) -> Value {
    let name = match graph.vocab() {
        Some(_) => nodes.add("Cast", &[SAMPLE], [integer("to", message::INT64.into())]),
        None => {
            let bytes = nodes.add("Cast", &[SAMPLE], [integer("to", FLOAT.into())]);
            let halves = nodes.scale(&bytes, 0.5);
            let steps = nodes.add("Floor", &[&halves], []);
            nodes.scale(&steps, 1.0 / INPUT_STEPS)
        }
    };
    Value {
        name,
        layout: Layout::Rows,
        rows: 1,
        width: graph.inputs,
    }
}

/// Turns what the op before gave into what this one gives.
fn forward(op: &Op, input: Value, twin: &mut Twin) -> Value {
    match *op {
        Op::Embed { .. } => embed::embed(input, twin),
        Op::Linear { .. } => linear::linear(input, twin),
        Op::Unembed { vocab, width } => linear::unembed(input, twin, vocab, width),
        Op::Requant {
            multiplier,
            shift_out,
            width,
            ..
        } => requant::requant(input, twin, width, multiplier, shift_out),
        Op::Relu => activation::relu(input, twin),
        Op::SquaredRelu => activation::squared_relu(input, twin),
        Op::RmsNorm { unit_bits, .. } => norm::rms_norm(input, twin, unit_bits),
        Op::Residual { from } => residual::residual(input, twin, from),
        Op::Scores { heads, .. } => attention::scores(input, twin, heads),
        Op::Softmax { heads, .. } => attention::softmax(input, twin, heads),
        Op::Mix { from, heads, .. } => attention::mix(input, twin, from, heads),
        Op::Im2col { image, window } => image::im2col(input, twin, image, window),
        Op::MaxPool { image, window } => image::max_pool(input, twin, &image, &window),
        Op::SumPool { image, window } => image::sum_pool(input, twin, &image, &window),
        Op::Flatten => image::flatten(input, twin),
        // The runtime returns what the loss takes.
        Op::CrossEntropy { .. } => twin.logits(input),
        Op::Total { .. } => input,
    }
}

/// As many samples as are given.
fn batch() -> DimensionProto {
    DimensionProto {
        dim_value: None,
        dim_param: Some("batch".to_owned()),
    }
}

fn fixed(side: u32) -> DimensionProto {
    DimensionProto {
        dim_value: Some(side.into()),
        dim_param: None,
    }
}

fn tensor(name: &str, elements: i32, dim: Vec<DimensionProto>) -> ValueInfoProto {
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: elements,
                shape: Some(TensorShapeProto { dim }),
            }),
        }),
    }
}
