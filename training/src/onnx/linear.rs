//! `Linear` and `Unembed`: products with weights.

use gotong_scoring::{Image, Window};

use super::{
    nodes::{integer, integers},
    twin::Twin,
    Layout, Value,
};

/// `Linear`: a convolution, if its input is the pixels of windows.
pub fn linear(input: Value, twin: &mut Twin) -> Value {
    let (Some(weight), Some(bias)) = (twin.next_weights(), twin.next_weights()) else {
        return input;
    };
    if let Layout::Windows(image, window) = input.layout {
        return convolution(&input, twin, (&image, &window), [&weight, &bias]);
    }
    let nodes = &mut twin.nodes;
    let rows = input.as_rows(nodes);
    let sums = if input.rows == 1 {
        let transposed = [integer("transB", 1)];
        nodes.add("Gemm", &[&rows, &weight, &bias], transposed)
    } else {
        let columns = nodes.transpose(&weight, &[1, 0]);
        let products = nodes.add("MatMul", &[&rows, &columns], []);
        nodes.add("Add", &[&products, &bias], [])
    };
    twin.given(sums, Layout::Rows)
}

fn convolution(
    input: &Value,
    twin: &mut Twin,
    (image, window): (&Image, &Window),
    [weight, bias]: [&str; 2],
) -> Value {
    let side = |side: u8| [i64::from(side); 2];
    let attributes = [
        integers("kernel_shape", &side(window.size)),
        integers("strides", &side(window.stride)),
        integers("pads", &[i64::from(window.padding); 4]),
    ];
    let sums = twin
        .nodes
        .add("Conv", &[&input.name, weight, bias], attributes);
    let mut given = twin.given(sums, Layout::Rows);
    given.layout = super::image::after(image, window, given.width);
    given
}

/// `Unembed`, with the weights of the embedding.
pub fn unembed(input: Value, twin: &mut Twin, vocab: u32, width: u32) -> Value {
    let weight = twin.tied_head(vocab, width);
    let rows = input.as_rows(&mut twin.nodes);
    let columns = twin.nodes.transpose(&weight, &[1, 0]);
    let products = twin.nodes.add("MatMul", &[&rows, &columns], []);
    twin.given(products, Layout::Rows)
}
