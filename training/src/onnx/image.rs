//! `Im2col`, `MaxPool`, `SumPool` and `Flatten`: images and windows over them.

use gotong_scoring::{Image, Op, Window};

use super::{
    message::AttributeProto,
    nodes::{integer, integers, Nodes},
    twin::Twin,
    Layout, Value,
};

/// The pixels of every place, which are laid out in a row if something other than a convolution takes them.
pub fn im2col(input: Value, twin: &mut Twin, image: Image, window: Window) -> Value {
    let name = input.as_image(&mut twin.nodes, &image);
    twin.given(name, Layout::Windows(image, window))
}

/// The largest pixel of every place, channel by channel; padding is 0, whereas in ONNX it never counts.
pub fn max_pool(input: Value, twin: &mut Twin, image: &Image, window: &Window) -> Value {
    let nodes = &mut twin.nodes;
    let taken = input.as_image(nodes, image);
    let padded = padded(nodes, taken, window.padding.into());
    let largest = nodes.add("MaxPool", &[&padded], sides(window));
    twin.given(largest, after(image, window, image.channels))
}

/// The sum of the pixels of every place, channel by channel: their mean, in real units.
pub fn sum_pool(input: Value, twin: &mut Twin, image: &Image, window: &Window) -> Value {
    let nodes = &mut twin.nodes;
    let taken = input.as_image(nodes, image);
    let padded = padded(nodes, taken, window.padding.into());
    let mean = nodes.add("AveragePool", &[&padded], sides(window));
    twin.given(mean, after(image, window, image.channels))
}

/// All rows of a sample as one: channel by channel for a linear op, because its weights are in that order in a file, and otherwise
/// row by row.
pub fn flatten(input: Value, twin: &mut Twin) -> Value {
    let by_channel = matches!(twin.next_op(), Some(Op::Linear { .. }));
    let nodes = &mut twin.nodes;
    let taken = match (by_channel, input.layout) {
        (true, Layout::Image(_)) => input.name,
        (true, _) if input.rows > 1 => {
            let rows = input.as_rows(nodes);
            nodes.transpose(&rows, &[0, 2, 1])
        }
        _ => input.as_rows(nodes),
    };
    let flat = nodes.add("Flatten", &[&taken], [integer("axis", 1)]);
    twin.given(flat, Layout::Rows)
}

/// The image that has a pixel for every place of a window.
pub fn after(image: &Image, window: &Window, channels: u32) -> Layout {
    // A valid graph's window has places; with a record of 16 KiB, their numbers always fit.
    let (down, across) = window.places(image).unwrap_or_default();
    Layout::Image(Image {
        height: down as u16,
        width: across as u16,
        channels,
    })
}

/// An image with `padding` pixels of zeros around it.
fn padded(nodes: &mut Nodes, image: String, padding: i64) -> String {
    if padding == 0 {
        return image;
    }
    let pads = nodes.list(&[0, 0, padding, padding, 0, 0, padding, padding]);
    nodes.add("Pad", &[&image, &pads], [])
}

/// The sides of a pool's window, and its steps.
fn sides(window: &Window) -> [AttributeProto; 2] {
    [
        integers("kernel_shape", &[i64::from(window.size); 2]),
        integers("strides", &[i64::from(window.stride); 2]),
    ]
}
