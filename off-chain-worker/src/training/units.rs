//! What the machine's integers mean in real units.

use gotong_scoring::{Graph, Op, Width};

/// Steps of a weight's master in 1.0.
pub const MASTER_STEPS: f32 = 65_536.0;
/// Steps of a weight's int8 view in 1.0.
pub const VIEW_STEPS: f32 = 256.0;
/// Steps of an input activation, `byte >> 1`, in 1.0.
pub const INPUT_STEPS: f32 = 128.0;
/// Steps of a logit in 1.0: the machine's cross-entropy takes 1/64 log2 units.
pub const LOGIT_STEPS: f32 = 64.0;

/// A linear op with the requant and the ReLU after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    /// Length of the input.
    pub inputs: usize,
    /// Length of the output.
    pub outputs: usize,
    /// Steps of a bias's master in 1.0.
    pub bias_steps: f32,
    /// Steps of an output in 1.0.
    pub output_steps: f32,
    /// Least output, in steps.
    pub least: f32,
    /// Greatest output, in steps.
    pub greatest: f32,
}

/// The linear layers of a valid graph, in order.
pub fn linears(graph: &Graph) -> impl Iterator<Item = Linear> {
    let mut layers: Vec<Linear> = Vec::new();
    let mut steps = INPUT_STEPS;
    for op in &graph.ops {
        match (*op, layers.last_mut()) {
            (
                Op::Linear {
                    inputs,
                    outputs,
                    bias_shift,
                },
                _,
            ) => {
                steps *= VIEW_STEPS;
                layers.push(Linear {
                    inputs: inputs as usize,
                    outputs: outputs as usize,
                    bias_steps: steps / f32::from(1u16 << bias_shift),
                    output_steps: steps,
                    least: f32::MIN,
                    greatest: f32::MAX,
                });
            }
            (
                Op::Requant {
                    shift_in,
                    multiplier,
                    shift_out,
                    width,
                },
                Some(layer),
            ) => {
                let shift = i32::from(shift_in) + i32::from(shift_out);
                steps *= f32::from(multiplier) * 2f32.powi(-shift);
                let bound = match width {
                    Width::Narrow => 127.0,
                    Width::Wide => 32_767.0,
                };
                layer.output_steps = steps;
                (layer.least, layer.greatest) = (-bound, bound);
            }
            (Op::Relu, Some(layer)) => layer.least = 0.0,
            _ => {}
        }
    }
    layers.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mlp_has_the_units_that_the_machine_names() {
        let layers: Vec<Linear> = linears(&Graph::mlp(&[784, 128, 64, 10])).collect();
        let units = |l: &Linear| (l.bias_steps.log2(), l.output_steps.log2());
        let units: Vec<_> = layers.iter().map(units).collect();
        assert_eq!(units, [(13.0, 4.0), (12.0, 4.0), (12.0, 6.0)]);
        assert_eq!((layers[0].least, layers[0].greatest), (0.0, 127.0));
        assert_eq!((layers[2].least, layers[2].greatest), (-32_767.0, 32_767.0));
    }
}
