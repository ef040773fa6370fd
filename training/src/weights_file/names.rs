//! Which stored tensor is which of the graph's, whatever a trainer has made of the names.

use std::collections::BTreeMap;

use gotong_scoring::{Graph, Transformer};

use super::{
    layout::{Tensor, HEAD, TOKENS},
    order::in_order,
    stored::{Stored, Tensors},
    WeightsFileError,
};

/// Attributes in which PyTorch keeps a wrapped model: `DataParallel`, `torch.compile`, and the usual name in a
/// class for training. No tensor of a graph has them in its name.
const WRAPPERS: [&str; 3] = ["module", "_orig_mod", "model"];

/// Buffers that language models keep in addition to their weights. Their content follows from the architecture.
const BUFFERS: [&str; 6] = [
    "attn.bias",
    "causal_mask",
    "mask",
    "masked_bias",
    "position_ids",
    "tril",
];

/// The stored tensors of a graph.
pub(super) struct Named {
    /// One for each of the graph's, in its order.
    pub(super) tensors: Vec<Stored>,
    /// A head that has to have the values of the tokens' embedding, and its name in the file.
    pub(super) tied_head: Option<(String, Stored)>,
    /// Buffers, by their names in the file.
    pub(super) ignored: Vec<String>,
    /// The layers' names in the graph, by their names in the file, if their numbers differ.
    pub(super) renamed: BTreeMap<String, String>,
}

/// Finds the tensors of `graph`, which are `expected`, in `stored`.
///
/// # Errors
/// A tensor that is missing, that the graph does not have, or that occurs twice; layers that do not fit by order either.
pub(super) fn named(
    graph: &Graph,
    expected: &[Tensor],
    stored: Tensors,
) -> Result<Named, WeightsFileError> {
    let head = format!("{HEAD}.weight");
    let is_tied = Transformer::of(graph).is_some_and(|shape| shape.tied);
    let is_known =
        |name: &str| (is_tied && name == head) || expected.iter().any(|tensor| tensor.name == name);
    let has_buffers = graph.vocab().is_some();
    let renamed = in_order(expected, &stored)?;
    let mut found = BTreeMap::<String, (String, Stored)>::new();
    let (mut ignored, mut unknown) = (Vec::new(), Vec::new());
    for (in_file, tensor) in stored {
        let name = renamed.get(&in_file).cloned();
        let name = name.unwrap_or_else(|| plain(&in_file));
        if is_known(&name) {
            if let Some((first, _)) = found.insert(name.clone(), (in_file.clone(), tensor)) {
                return Err(WeightsFileError::SameName {
                    name,
                    first,
                    second: in_file,
                });
            }
        } else if has_buffers && is_buffer(&name) {
            ignored.push(in_file);
        } else {
            unknown.push(in_file);
        }
    }
    let mut tied_head = if is_tied { found.remove(&head) } else { None };
    // safetensors' `save_model` keeps one name for a tensor that has two: the first in the alphabet.
    if !found.contains_key(TOKENS) {
        if let Some(tokens) = tied_head.take() {
            found.insert(TOKENS.into(), tokens);
        }
    }
    let (mut tensors, mut missing) = (Vec::new(), Vec::new());
    for Tensor { name, .. } in expected {
        match found.remove(name) {
            Some((_, tensor)) => tensors.push(tensor),
            None => missing.push(name.clone()),
        }
    }
    if !missing.is_empty() || !unknown.is_empty() {
        return Err(WeightsFileError::WrongNames { missing, unknown });
    }
    Ok(Named {
        tensors,
        tied_head,
        ignored,
        renamed,
    })
}

/// A name without wrappers, and with the head as the graph has it.
pub(super) fn plain(name: &str) -> String {
    let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
    let name = parts.collect::<Vec<_>>().join(".");
    match name.strip_prefix("lm_head.") {
        Some(rest) => format!("{HEAD}.{rest}"),
        None => name,
    }
}

fn is_buffer(name: &str) -> bool {
    let is_named = |buffer: &&str| {
        let owner = name.strip_suffix(*buffer);
        owner.is_some_and(|owner| owner.is_empty() || owner.ends_with('.'))
    };
    BUFFERS.iter().any(is_named)
}
