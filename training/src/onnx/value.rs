//! What an op gives, in the shape that the operators of ONNX take it in.

use gotong_scoring::{Image, Window};

use super::nodes::{integer, Nodes};

/// What an op gives, in real units: `rows` of `width` values for the machine.
#[derive(Clone)]
pub struct Value {
    /// The output of a node.
    pub name: String,
    /// How its values lie.
    pub layout: Layout,
    /// Rows that the machine has for a sample.
    pub rows: u32,
    /// Length of a row.
    pub width: u32,
}

/// How values lie. The first side is always the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[batch, rows, width]`, or `[batch, width]` for one row.
    Rows,
    /// `[batch, channels, lines, columns]`.
    Image(Image),
    /// An image as before, in which the pixels of each place of the window have yet to be laid out in a row: a convolution does not
    /// need that.
    Windows(Image, Window),
    /// `[batch, heads, rows, width / heads]` with this many heads.
    Heads(u32),
}

impl Value {
    /// The value as `[batch, rows, width]`, or `[batch, width]` for one row.
    pub fn as_rows(&self, nodes: &mut Nodes) -> String {
        match &self.layout {
            Layout::Rows => self.name.clone(),
            Layout::Image(_) => {
                let last = nodes.transpose(&self.name, &[0, 2, 3, 1]);
                self.in_rows(nodes, &last)
            }
            Layout::Heads(_) => {
                let by_row = nodes.transpose(&self.name, &[0, 2, 1, 3]);
                self.in_rows(nodes, &by_row)
            }
            Layout::Windows(image, window) => {
                let last = nodes.transpose(&self.name, &[0, 2, 3, 1]);
                let shape = [0, image.pixels().into(), image.channels.into()];
                let rows = nodes.reshape(&last, &shape);
                // Padding takes a row of zeros after the pixels.
                let pads = nodes.list(&[0, 0, 0, 0, 1, 0]);
                let padded = nodes.add("Pad", &[&rows, &pads], []);
                let table = window.table(image);
                let table: Vec<i64> = table.into_iter().map(i64::from).collect();
                let table = nodes.list(&table);
                let laid = nodes.add("Gather", &[&padded, &table], [integer("axis", 1)]);
                self.in_rows(nodes, &laid)
            }
        }
    }

    /// Values that already lie row after row, in the shape of rows.
    fn in_rows(&self, nodes: &mut Nodes, name: &str) -> String {
        let (rows, width) = (self.rows.into(), self.width.into());
        match self.rows {
            1 => nodes.reshape(name, &[0, width]),
            _ => nodes.reshape(name, &[0, rows, width]),
        }
    }

    /// The value as `[batch, channels, lines, columns]` of this image.
    pub fn as_image(&self, nodes: &mut Nodes, image: &Image) -> String {
        if self.layout == Layout::Image(*image) {
            return self.name.clone();
        }
        let rows = self.as_rows(nodes);
        let (lines, columns) = (image.height.into(), image.width.into());
        let last = nodes.reshape(&rows, &[0, lines, columns, image.channels.into()]);
        nodes.transpose(&last, &[0, 3, 1, 2])
    }

    /// The value as `[batch, heads, rows, width / heads]` with `heads` heads.
    pub fn as_heads(&self, nodes: &mut Nodes, heads: u32) -> String {
        if self.layout == Layout::Heads(heads) {
            return self.name.clone();
        }
        let rows = self.as_rows(nodes);
        let of_head = self.width / heads.max(1);
        let shape = [0, self.rows.into(), heads.into(), of_head.into()];
        let by_row = nodes.reshape(&rows, &shape);
        nodes.transpose(&by_row, &[0, 2, 1, 3])
    }

    /// Its name and layout, for an operator that takes every value on its own.
    pub fn pointwise(&self, nodes: &mut Nodes) -> (String, Layout) {
        match self.layout {
            Layout::Windows(..) => (self.as_rows(nodes), Layout::Rows),
            layout => (self.name.clone(), layout),
        }
    }
}
