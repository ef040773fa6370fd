//! `RmsNorm`: rows divided by the root of their mean square.

use super::{
    super::units::power,
    nodes::{integer, integers},
    requant::NARROW,
    twin::Twin,
    Layout, Value,
};

pub fn rms_norm(input: Value, twin: &mut Twin, unit_bits: u8) -> Value {
    // In the machine's steps. A row of zeros stays zero; the smallest other mean square is 1/2048.
    const LEAST: f32 = 1e-6;
    let least = LEAST / twin.steps_taken() / twin.steps_taken();
    let nodes = &mut twin.nodes;
    let rows = input.as_rows(nodes);
    let squares = nodes.add("Mul", &[&rows, &rows], []);
    let of_row = [integers("axes", &[-1]), integer("keepdims", 1)];
    let mean = nodes.add("ReduceMean", &[&squares], of_row);
    let least = nodes.number(least);
    let mean = nodes.add("Add", &[&mean, &least], []);
    let root = nodes.add("Sqrt", &[&mean], []);
    let normed = nodes.add("Div", &[&rows, &root], []);
    let clipped = nodes.clip(&normed, NARROW / power(unit_bits));
    twin.given(clipped, Layout::Rows)
}
