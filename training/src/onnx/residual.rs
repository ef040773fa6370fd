//! `Residual`: the sum with what an earlier op gave.

use super::{requant::WIDE, twin::Twin, Layout, Value};

/// The machine adds steps; in a sound graph, both terms have the same number of steps in 1.0.
pub fn residual(input: Value, twin: &mut Twin, from: u32) -> Value {
    let Some(earlier) = twin.earlier(from).cloned() else {
        return input;
    };
    let unit = twin.steps_of(Some(from as usize)) / twin.steps();
    let bound = WIDE / twin.steps();
    let nodes = &mut twin.nodes;
    let (own, other) = (input.as_rows(nodes), earlier.as_rows(nodes));
    let other = nodes.scale(&other, unit);
    let sum = nodes.add("Add", &[&own, &other], []);
    let clipped = nodes.clip(&sum, bound);
    twin.given(clipped, Layout::Rows)
}
