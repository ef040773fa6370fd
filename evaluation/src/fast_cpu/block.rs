//! Some samples on their way through the ops.

use std::ops::Range;

use gotong_scoring::{machine::Tensor, Flow, Kind};

use super::kernel::{Out, Panels, Rows};

/// Some samples on their way through the ops. Each vector holds what the last op of its kind gave,
/// row after row; the next block reuses its memory.
#[derive(Default)]
pub(super) struct Block {
    /// Bytes of a sample, without its label.
    pub inputs: usize,
    pub samples: usize,
    pub pixels: Vec<u8>,
    pub labels: Vec<u8>,
    pub narrow: Vec<i8>,
    /// The previous `narrow`, while an op makes a new one from it.
    pub taken: Vec<i8>,
    pub wide: Vec<i16>,
    pub shares: Vec<i16>,
    pub sums: Sums,
    pub losses: Vec<u32>,
    /// Operands of the current product.
    pub left: Rows,
    pub right: Panels,
    /// By op, what it gave, until no later op and no backward pass takes it.
    pub kept: Vec<Kept>,
}

/// The shape of what an op gives on a block: `rows` of `width` values, `tokens` of them for a sample.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub tokens: usize,
    pub rows: usize,
    pub width: usize,
}

/// Accumulators: runs of `length`, each `stride` after the one before it.
#[derive(Default)]
pub(super) struct Sums {
    pub values: Vec<i32>,
    pub length: usize,
    pub stride: usize,
}

/// What an op gave, kept for a later one or for the backward pass.
#[derive(Clone, Default)]
pub(super) struct Kept {
    pub narrow: Vec<i8>,
    pub wide: Vec<i16>,
    pub shares: Vec<i16>,
    /// The sums without their padding.
    pub sums: Vec<i32>,
}

impl Shape {
    pub fn of(flow: &Flow, samples: usize) -> Self {
        let tokens = flow.tokens as usize;
        Self {
            tokens,
            rows: samples * tokens,
            width: flow.width as usize,
        }
    }
}

impl Sums {
    /// Makes room for this many runs; the op is to write the values.
    pub fn reset(&mut self, runs: usize, length: usize, stride: usize) {
        self.values.resize(runs * stride, 0);
        (self.length, self.stride) = (length, stride);
    }

    /// Where the sums of one head go, in these rows.
    #[inline(always)]
    pub fn of_head(&mut self, rows: Range<usize>, head: usize, heads: usize) -> Out<'_> {
        let stride = heads * self.stride;
        let own = rows.start * stride + head * self.stride..rows.end * stride;
        Out {
            sums: &mut self.values[own],
            stride,
        }
    }

    /// The runs without their padding.
    #[inline(always)]
    pub fn runs(&self) -> impl Iterator<Item = &[i32]> {
        self.values
            .chunks_exact(self.stride)
            .map(|run| &run[..self.length])
    }
}

impl Block {
    /// Begins with these samples.
    pub fn start(&mut self, pixels: &[u8], labels: &[u8]) {
        self.samples = labels.len();
        self.inputs = pixels.len() / labels.len();
        self.pixels.clear();
        self.pixels.extend_from_slice(pixels);
        self.labels.clear();
        self.labels.extend_from_slice(labels);
        self.narrow.clear();
        self.narrow
            .extend(pixels.iter().map(|byte| (byte >> 1) as i8));
    }

    /// Keeps what op number `op` gave.
    pub fn keep(&mut self, op: usize, flow: &Flow) {
        let kept = &mut self.kept[op];
        match flow.kind {
            Kind::Narrow => kept.narrow.clone_from(&self.narrow),
            Kind::Wide => kept.wide.clone_from(&self.wide),
            Kind::Shares => kept.shares.clone_from(&self.shares),
            Kind::Acc => {
                kept.sums.clear();
                for run in self.sums.runs() {
                    kept.sums.extend_from_slice(run);
                }
            }
            Kind::Loss => {}
        }
    }

    /// What the last op gave on all samples.
    pub fn tensor(&self, flow: &Flow) -> Tensor {
        match flow.kind {
            Kind::Narrow => Tensor::Narrow(self.narrow.clone()),
            Kind::Acc => Tensor::Acc(self.sums.runs().flatten().copied().collect()),
            Kind::Wide => Tensor::Wide(self.wide.clone()),
            Kind::Shares => Tensor::Shares(self.shares.clone()),
            Kind::Loss => match self.losses[..] {
                [loss] => Tensor::Loss(loss),
                ref losses => Tensor::Losses(losses.to_vec()),
            },
        }
    }

    /// Each sample's logits.
    pub fn logits(&self) -> Vec<Vec<i16>> {
        let of_sample = self.wide.len() / self.samples;
        self.wide
            .chunks_exact(of_sample)
            .map(<[i16]>::to_vec)
            .collect()
    }

    /// The label of every row, where a sample has `rows` of them.
    pub fn labels(&self, rows: usize) -> impl Iterator<Item = u8> + '_ {
        let samples = self.pixels.chunks_exact(self.inputs).zip(&self.labels);
        samples.flat_map(move |(pixels, label)| {
            // The last `rows` bytes of the record.
            let before = &pixels[self.inputs + 1 - rows..];
            before.iter().copied().chain([*label])
        })
    }
}
