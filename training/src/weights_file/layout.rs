//! The tensors that a file has for a graph: their names, shapes and units, and where the machine has their values.

use gotong_scoring::{Graph, Op, Transformer};

use super::super::units::{parameters, Parameter, Role};

/// The tensor of an embedding's tokens, which a tied head also multiplies with.
pub(super) const TOKENS: &str = "wte.weight";
/// The last layer of a transformer that is not tied.
pub(super) const HEAD: &str = "head";

/// A tensor of the file.
pub(crate) struct Tensor {
    /// What it is for.
    pub role: Role,
    pub name: String,
    pub shape: Vec<usize>,
    /// How many steps of a master make 1.0.
    pub steps: f32,
    /// Number of pixels that a row is made of: the machine has them one after another, the file channel by channel.
    pixels: usize,
}

impl Tensor {
    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The tensor's masters in the file's order, given in the machine's.
    pub fn in_file<'a>(&'a self, own: &'a [i16]) -> impl Iterator<Item = i16> + 'a {
        (0..own.len()).map(move |at| own[self.place(at)])
    }

    /// The machine's place of the value that the file has at `at`.
    pub fn place(&self, at: usize) -> usize {
        let columns: usize = self.shape[1..].iter().product();
        let (row, column) = (at / columns, at % columns);
        let channels = columns / self.pixels;
        row * columns + column % self.pixels * channels + column / self.pixels
    }
}

/// The tensors of a graph in the machine's order.
pub(crate) fn tensors_of(graph: &Graph) -> Vec<Tensor> {
    let is_transformer = Transformer::of(graph).is_some();
    let taken = taken(graph);
    // A weight comes before its bias.
    let mut weights = 0;
    let tensor = |parameter: Parameter| {
        let name = match parameter.role {
            Role::Tokens => TOKENS.into(),
            Role::Places => "wpe.weight".into(),
            Role::Weight => {
                weights += 1;
                format!("{}.weight", layer(weights - 1, graph, is_transformer))
            }
            Role::Bias => format!("{}.bias", layer(weights - 1, graph, is_transformer)),
        };
        let taken = match parameter.role {
            Role::Weight => taken[weights - 1],
            _ => Taken::Row,
        };
        let (rows, columns) = (parameter.rows, parameter.columns);
        let (shape, pixels) = match (parameter.role, taken) {
            (Role::Bias, _) => (vec![columns], 1),
            (_, Taken::Row) => (vec![rows, columns], 1),
            (_, Taken::Pixels(pixels)) => (vec![rows, columns], pixels),
            (_, Taken::Square(side)) => {
                let pixels = side * side;
                (vec![rows, columns / pixels, side, side], pixels)
            }
        };
        Tensor {
            role: parameter.role,
            name,
            shape,
            steps: parameter.steps,
            pixels,
        }
    };
    parameters(graph).into_iter().map(tensor).collect()
}

/// What a linear op takes.
#[derive(Clone, Copy)]
enum Taken {
    Row,
    /// All pixels of an image.
    Pixels(usize),
    /// The pixels of a window with this side.
    Square(usize),
}

/// What every linear op takes.
fn taken(graph: &Graph) -> Vec<Taken> {
    let flows = graph.flows().unwrap_or_default();
    let taken = |at: usize| match graph.ops.get(at.checked_sub(1)?)? {
        Op::Im2col { window, .. } => Some(Taken::Square(window.size.into())),
        Op::Flatten => Some(Taken::Pixels(
            flows.get(at.checked_sub(2)?)?.tokens as usize,
        )),
        _ => None,
    };
    let ops = graph.ops.iter().enumerate();
    let linear = ops.filter(|(_, op)| matches!(op, Op::Linear { .. }));
    linear
        .map(|(at, _)| taken(at).unwrap_or(Taken::Row))
        .collect()
}

/// Name of the linear op number `index`.
fn layer(index: usize, graph: &Graph, is_transformer: bool) -> String {
    const OF_A_LAYER: [&str; 4] = ["attn.qkv", "attn.proj", "mlp.up", "mlp.down"];
    if !is_transformer {
        return format!("layers.{index}");
    }
    let is_attention = |op: &&Op| matches!(op, Op::Scores { .. });
    let layers = graph.ops.iter().filter(is_attention).count();
    match index / OF_A_LAYER.len() {
        layer if layer < layers => {
            format!("layers.{layer}.{}", OF_A_LAYER[index % OF_A_LAYER.len()])
        }
        _ => HEAD.into(),
    }
}
