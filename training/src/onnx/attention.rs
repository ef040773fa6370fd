//! `Scores`, `Softmax` and `Mix`: causal attention.

use super::{
    nodes::integer,
    twin::{natural, Twin},
    Layout, Value,
};

/// The product of every query with every key of its head.
pub fn scores(input: Value, twin: &mut Twin, heads: u32) -> Value {
    let nodes = &mut twin.nodes;
    // `[batch, 3 * heads, tokens, width]`: queries, then keys, then values.
    let all = input.as_heads(nodes, heads.saturating_mul(3));
    let mut third = |which: i64| {
        let bounds = [which, which + 1].map(|bound| nodes.list(&[bound * i64::from(heads)]));
        let axes = nodes.list(&[1]);
        nodes.add("Slice", &[&all, &bounds[0], &bounds[1], &axes], [])
    };
    let [queries, keys, values] = [0, 1, 2].map(&mut third);
    let keys = nodes.transpose(&keys, &[0, 1, 3, 2]);
    let products = nodes.add("MatMul", &[&queries, &keys], []);
    twin.keep_values(values);
    twin.given(products, Layout::Heads(heads))
}

/// Scores to shares, which add up to 1.
pub fn softmax(input: Value, twin: &mut Twin, heads: u32) -> Value {
    let unit = natural(twin.steps_taken());
    let scores = input.as_heads(&mut twin.nodes, heads);
    let scores = twin.nodes.scale(&scores, unit);
    let mask = twin.mask(input.rows);
    let seen = twin.nodes.add("Add", &[&scores, &mask], []);
    let axis = [integer("axis", -1)];
    let shares = twin.nodes.add("Softmax", &[&seen], axis);
    twin.given(shares, Layout::Heads(heads))
}

/// The mean of a head's values, weighted by its shares.
pub fn mix(input: Value, twin: &mut Twin, from: u32, heads: u32) -> Value {
    let Some(values) = twin.values(from) else {
        return input;
    };
    let shares = input.as_heads(&mut twin.nodes, heads);
    let means = twin.nodes.add("MatMul", &[&shares, &values], []);
    twin.given(means, Layout::Heads(heads))
}
