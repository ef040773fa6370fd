//! Weights as safetensors, for every other framework: in real units, with the names and shapes
//! that users of PyTorch expect.
//!
//! A weight is `w16 / 65536`. A bias is in the units of its layer's sum, so that the file computes
//! `y = x W^T + b` with inputs in 0..1: `w16 / bias_steps`. Logits are in log2 units.
//!
//! An MLP has `layers.{i}.weight` `[out, in]` and `layers.{i}.bias` `[out]`, layer 0 first. So has a
//! convolutional network; the weight of a convolution is `[out, in, lines, columns]`, and the linear layer
//! after the last takes the image channel by channel, as PyTorch's `flatten` gives it. A transformer
//! ([`Graph::transformer`]) has
//!
//! | tensor | shape |
//! | --- | --- |
//! | `wte.weight` | `[vocab, width]` |
//! | `wpe.weight` | `[tokens, width]` |
//! | `layers.{i}.attn.qkv.weight`, `.bias` | `[3 * width, width]`, `[3 * width]` |
//! | `layers.{i}.attn.proj.weight`, `.bias` | `[width, width]`, `[width]` |
//! | `layers.{i}.mlp.up.weight`, `.bias` | `[hidden, width]`, `[hidden]` |
//! | `layers.{i}.mlp.down.weight`, `.bias` | `[width, hidden]`, `[width]` |
//! | `head.weight`, `.bias`, unless it is tied | `[vocab, width]`, `[vocab]` |
//!
//! [`write()`] writes f32 in one file. [`read()`] takes what trainers usually write:
//!
//! - f16, bf16, f32 or f64, each tensor its own;
//! - several files with an index, or their folder;
//! - names with `module.`, `_orig_mod.` and `model.` in them, in any number and anywhere: wrappers leave them behind;
//! - layers with other numbers, as `nn.Sequential` counts them: they are taken in order, if all shapes fit;
//! - `lm_head` for `head`. A tied transformer may have `head.weight` or `lm_head.weight` in place of `wte.weight`, or next to it
//!   with the same values;
//! - in a language model, buffers of attention such as `mask`, which it ignores;
//! - values out of the machine's bounds, which it clamps and counts.

mod error;
mod layout;
mod names;
mod order;
mod read;
mod stored;
#[cfg(test)]
mod tests;

use std::{io::Write, path::Path};

use gotong_data::write_whole;
use gotong_scoring::Graph;
use safetensors::{tensor::TensorView, Dtype, SafeTensorError};

pub use error::WeightsFileError;
pub(super) use layout::{tensors_of, Tensor};
pub use read::{read, Clamped, Read};

/// Writes `master`, in the machine's order, to `path`.
///
/// # Errors
/// The number of weights differs from the number of the graph's parameters, or the file cannot be written.
pub fn write(path: &Path, graph: &Graph, master: &[i16]) -> Result<(), WeightsFileError> {
    if master.len() != graph.parameters() {
        return Err(WeightsFileError::WrongParameters {
            expected: graph.parameters(),
            found: master.len(),
        });
    }
    let mut rest = master;
    let mut tensors = Vec::new();
    for tensor in tensors_of(graph) {
        let (own, others) = rest.split_at(tensor.count());
        rest = others;
        let real = tensor.in_file(own).map(|w| f32::from(w) / tensor.steps);
        let bytes: Vec<u8> = real.flat_map(f32::to_le_bytes).collect();
        tensors.push((tensor.name, tensor.shape, bytes));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let bytes = safetensors::serialize(views, None)?;
    Ok(write_whole(path, |file| file.write_all(&bytes))?)
}
