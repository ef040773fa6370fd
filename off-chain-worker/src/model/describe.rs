//! Models in words.

use gotong_scoring::{Graph, Op, Transformer};

/// What a model is, on one line.
pub fn describe(graph: &Graph) -> String {
    if let Some(layers) = mlp(graph) {
        let widths: Vec<String> = layers.iter().map(u32::to_string).collect();
        return format!("MLP {}", widths.join("-"));
    }
    if let Some(shape) = Transformer::of(graph) {
        return format!(
            "transformer of {} tokens out of {}, {} layers of width {} with {} heads and {} hidden, {} head",
            shape.tokens,
            shape.vocab,
            shape.layers,
            shape.width,
            shape.heads,
            shape.hidden,
            if shape.tied { "tied" } else { "untied" },
        );
    }
    let name = |op: &Op| {
        let fields = format!("{op:?}");
        fields.split(' ').next().unwrap_or_default().to_owned()
    };
    let names: Vec<String> = graph.ops.iter().map(name).collect();
    format!("{} inputs, {}", graph.inputs, names.join(", "))
}

/// The layers of a graph that is an MLP.
fn mlp(graph: &Graph) -> Option<Vec<u32>> {
    let outputs = graph.ops.iter().filter_map(|op| match op {
        Op::Linear { outputs, .. } => Some(*outputs),
        _ => None,
    });
    let layers: Vec<u32> = [graph.inputs].into_iter().chain(outputs).collect();
    (Graph::mlp(&layers) == *graph).then_some(layers)
}
