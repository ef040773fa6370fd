//! `Relu` and `SquaredRelu`, of narrow activations.

use super::{twin::Twin, Value};

pub fn relu(input: Value, twin: &mut Twin) -> Value {
    let (x, layout) = input.pointwise(&mut twin.nodes);
    let positive = twin.nodes.add("Relu", &[&x], []);
    twin.given(positive, layout)
}

pub fn squared_relu(input: Value, twin: &mut Twin) -> Value {
    let (x, layout) = input.pointwise(&mut twin.nodes);
    let positive = twin.nodes.add("Relu", &[&x], []);
    let square = twin.nodes.add("Mul", &[&positive, &positive], []);
    twin.given(square, layout)
}
