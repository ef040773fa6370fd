//! What the machine's integers mean in real units.

use gotong_scoring::{Graph, Op};

/// Steps of a weight's master in 1.0.
pub const MASTER_STEPS: f32 = 65_536.0;
/// Steps of a weight's int8 view in 1.0.
pub const VIEW_STEPS: f32 = 256.0;
/// Steps of an input activation, `byte >> 1`, in 1.0.
pub const INPUT_STEPS: f32 = 128.0;
/// Steps of a logit or a score in 1.0: the machine takes both in 1/64 log2 units.
pub const LOGIT_STEPS: f32 = 64.0;
/// How many steps of a mean of values make one step of a value.
pub const MEAN_STEPS: f32 = 16.0;

/// What a tensor of parameters is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The weights of a linear op, `[outputs, inputs]`.
    Weight,
    /// The biases of a linear op, `[1, outputs]`.
    Bias,
    /// The rows of an embedding's tokens, `[vocab, width]`.
    Tokens,
    /// The rows of an embedding's places, `[tokens, width]`.
    Places,
}

/// A tensor of a graph's parameters, row-major.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// What it is for.
    pub role: Role,
    /// Its rows.
    pub rows: usize,
    /// Length of a row.
    pub columns: usize,
    /// Steps of a master in 1.0.
    pub steps: f32,
}

impl Parameter {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }
}

/// The tensors of a valid graph's parameters, in the machine's order.
pub fn parameters(graph: &Graph) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for (op, steps) in graph.ops.iter().zip(steps(graph)) {
        let mut push = |role, rows: u32, columns: u32, steps| {
            parameters.push(Parameter {
                role,
                rows: rows as usize,
                columns: columns as usize,
                steps,
            });
        };
        match *op {
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => {
                push(Role::Weight, outputs, inputs, MASTER_STEPS);
                push(Role::Bias, 1, outputs, steps / power(bias_shift));
            }
            Op::Embed {
                vocab,
                tokens,
                width,
                ..
            } => {
                push(Role::Tokens, vocab, width, MASTER_STEPS);
                push(Role::Places, tokens, width, MASTER_STEPS);
            }
            _ => {}
        }
    }
    parameters
}

/// What a requant multiplies with: `multiplier / 2^(shift_in + shift_out)`. It is 1 for other ops.
pub fn requant_factor(op: Option<&Op>) -> f32 {
    match op {
        Some(&Op::Requant {
            shift_in,
            multiplier,
            shift_out,
            ..
        }) => f32::from(multiplier) / power(shift_in) / power(shift_out),
        _ => 1.0,
    }
}

/// `2^bits`.
pub fn power(bits: u8) -> f32 {
    f32::from(bits).exp2()
}

/// How many steps of what every op gives make 1.0. A score is a product of two inputs; shares have no unit.
pub fn steps(graph: &Graph) -> Vec<f32> {
    let mut given: Vec<f32> = Vec::with_capacity(graph.ops.len());
    for op in &graph.ops {
        let taken = given.last().copied().unwrap_or(INPUT_STEPS);
        let earlier = |from: u32| given.get(from as usize).copied().unwrap_or(taken);
        given.push(match *op {
            Op::Embed { shift, .. } => MASTER_STEPS / power(shift),
            Op::Linear { .. } | Op::Unembed { .. } => taken * VIEW_STEPS,
            Op::Requant { .. } => taken * requant_factor(Some(op)),
            Op::RmsNorm { unit_bits, .. } => power(unit_bits),
            Op::SquaredRelu => taken * taken / 128.0,
            Op::Scores { .. } => taken * taken,
            Op::Softmax { .. } => 1.0,
            Op::Mix { from, .. } => earlier(from) * MEAN_STEPS,
            // A sum stands for a mean.
            Op::SumPool { window, .. } => taken * window.pixels() as f32,
            _ => taken,
        });
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::{Cnn, Convolution, Image, Pool, Transformer, Window};

    #[test]
    fn an_mlp_has_the_units_that_the_machine_names() {
        let graph = Graph::mlp(&[784, 128, 64, 10]);
        let parameters = parameters(&graph);
        let shapes: Vec<_> = parameters.iter().map(|p| (p.rows, p.columns)).collect();
        let expected = [(128, 784), (1, 128), (64, 128), (1, 64), (10, 64), (1, 10)];
        assert_eq!(shapes, expected);
        let bits: Vec<_> = parameters.iter().map(|p| p.steps.log2()).collect();
        assert_eq!(bits, [16.0, 13.0, 16.0, 12.0, 16.0, 12.0]);
    }

    #[test]
    fn a_cnn_has_the_units_of_an_mlp() {
        let convolution = |pool| Convolution {
            channels: 4,
            window: Window {
                size: 3,
                stride: 1,
                padding: 1,
            },
            pool,
        };
        let graph = Graph::cnn(&Cnn {
            image: Image {
                height: 12,
                width: 12,
                channels: 1,
            },
            convolutions: vec![convolution(Pool::Max(2)), convolution(Pool::Mean(2))],
            hidden: vec![5],
            classes: 3,
        });
        let parameters = parameters(&graph);
        let shapes: Vec<_> = parameters.iter().map(|p| (p.rows, p.columns)).collect();
        let expected = [
            (4, 9),
            (1, 4),
            (4, 36),
            (1, 4),
            (5, 36),
            (1, 5),
            (3, 5),
            (1, 3),
        ];
        assert_eq!(shapes, expected);
        let bits: Vec<_> = parameters.iter().map(|p| p.steps.log2()).collect();
        assert_eq!(bits, [16.0, 13.0, 16.0, 12.0, 16.0, 12.0, 16.0, 12.0]);
    }

    #[test]
    fn a_transformer_has_the_units_that_the_machine_names() {
        let graph = Graph::transformer(&Transformer {
            vocab: 65,
            tokens: 32,
            width: 48,
            heads: 3,
            hidden: 96,
            layers: 1,
            tied: false,
        });
        let parameters = parameters(&graph);
        let count: usize = parameters.iter().map(Parameter::len).sum();
        assert_eq!(count, graph.parameters());
        let of = |role| {
            let own = parameters.iter().filter(move |p| p.role == role);
            own.map(|p| p.steps.log2()).collect::<Vec<_>>()
        };
        assert_eq!(of(Role::Bias), [13.0, 13.0, 13.0, 11.0, 13.0]);
        assert_eq!(of(Role::Weight), [16.0; 5]);
        assert_eq!([of(Role::Tokens), of(Role::Places)].concat(), [16.0; 2]);
        // log2(e) / sqrt(16) in 8 bits, after a shift by 2.
        assert_eq!(requant_factor(graph.ops.get(5)), 184.0 / 2048.0);
        assert_eq!(requant_factor(None), 1.0);
    }
}
