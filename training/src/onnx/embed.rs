//! `Embed`: a row for every token.

use super::{nodes::integer, requant::WIDE, twin::Twin, Layout, Value};

pub fn embed(input: Value, twin: &mut Twin) -> Value {
    let (Some(of_tokens), Some(of_places)) = (twin.next_weights(), twin.next_weights()) else {
        return input;
    };
    let bound = WIDE / twin.steps();
    let nodes = &mut twin.nodes;
    let axis = [integer("axis", 0)];
    let rows = nodes.add("Gather", &[&of_tokens, &input.name], axis);
    let sum = nodes.add("Add", &[&rows, &of_places], []);
    let clipped = nodes.clip(&sum, bound);
    twin.given(clipped, Layout::Rows)
}
