//! The exact machine on a CPU: samples in parallel, integer vectors within a sample.

use gotong_scoring::{
    arith::clamp_i8,
    evaluator,
    machine::{
        cross_entropy, embed, requant, residual, share, share_bits, squared_relu, total, Norm,
        Tensor,
    },
    weights::view,
    EvalError, Evaluator, Flow, Graph, Image, Kind, Op, Samples, Width, Window,
};
use rayon::prelude::*;
use std::ops::Range;

use super::{
    kernel::{self, run, Kernel, Out, Panels, Part, Rows, Work},
    Traced,
};

/// Rows that are evaluated together, about: their activations stay in the second cache.
const BLOCK_ROWS: usize = 48;

/// Evaluates on all cores, as fast as integer vectors go.
#[derive(Clone, Copy, Debug, Default)]
pub struct FastCpu;

impl FastCpu {
    /// Logits of every sample in 1/64 log2 units: of all its tokens, one after another.
    ///
    /// # Errors
    /// A graph that is not valid; weights or samples that do not fit it.
    pub fn logits(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<i16>>, EvalError> {
        evaluate(graph, weights, samples, Block::logits)
    }

    /// The class with the largest logit of every sample, of its last token; of equal ones the
    /// lowest: as `gotong_scoring::predict`.
    ///
    /// # Errors
    /// As [`FastCpu::logits`].
    pub fn predict(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u8>, EvalError> {
        let logits = self.logits(graph, weights, samples)?;
        let classes = graph.classes() as usize;
        let last = |row: &Vec<i16>| evaluator::largest(&row[row.len().saturating_sub(classes)..]);
        Ok(logits.iter().map(last).collect())
    }
}

impl Evaluator for FastCpu {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        evaluate(graph, weights, samples, |block| block.losses.clone())
    }
}

impl Traced for FastCpu {
    fn tensors(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<Tensor>>, EvalError> {
        evaluator::check(graph, weights, samples)?;
        let plan = Plan {
            is_whole: true,
            ..Plan::new(graph, weights)?
        };
        let mut block = Block::default();
        let of_sample = |(pixels, label): (&[u8], u8)| {
            let mut tensors = Vec::new();
            block.start(pixels, &[label]);
            let each = |block: &Block, flow: &Flow| tensors.push(block.tensor(flow));
            run(Evaluation {
                plan: &plan,
                block: &mut block,
                each,
            })?;
            Ok(tensors)
        };
        samples.iter().map(of_sample).collect()
    }
}

/// Runs all ops on every block of samples, then `finish`, which gives something for each of them;
/// gives all of that, in order.
fn evaluate<T: Send>(
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
    finish: impl Fn(&Block) -> Vec<T> + Sync,
) -> Result<Vec<T>, EvalError> {
    evaluator::check(graph, weights, samples)?;
    let plan = Plan::new(graph, weights)?;
    let size = BLOCK_ROWS.div_ceil(plan.most_rows).max(1);
    let blocks = samples
        .pixels()
        .par_chunks(size * samples.inputs())
        .zip(samples.labels().par_chunks(size));
    let given: Result<Vec<Vec<T>>, EvalError> = blocks
        .map_init(Block::default, |block, (pixels, labels)| {
            block.start(pixels, labels);
            run(Evaluation {
                plan: &plan,
                block,
                each: |_: &Block, _: &Flow| (),
            })?;
            Ok(finish(block))
        })
        .collect();
    Ok(given?.into_iter().flatten().collect())
}

/// A graph prepared for evaluation.
struct Plan {
    steps: Vec<Step>,
    /// What every op gives.
    flows: Vec<Flow>,
    /// Of the ops that later ones refer to.
    is_kept: Vec<bool>,
    /// Of one sample.
    most_rows: usize,
    /// Whether scores are computed that no softmax reads.
    is_whole: bool,
}

/// An op, prepared once for all blocks.
enum Step {
    Embed {
        /// Of the tokens `[vocab, width]`, then of their places.
        rows: Vec<i16>,
        width: usize,
        shift: u8,
    },
    RmsNorm {
        width: usize,
        unit_bits: u8,
    },
    Linear {
        inputs: usize,
        outputs: usize,
        panels: Panels,
    },
    Requant {
        shift_in: u8,
        multiplier: u8,
        shift_out: u8,
        width: Width,
    },
    Relu,
    SquaredRelu,
    Scores {
        heads: usize,
        head_width: usize,
    },
    Softmax {
        heads: usize,
        /// The share of a score that is so far below the largest; of all others it is 0.
        shares: Vec<i16>,
    },
    Mix {
        from: usize,
        heads: usize,
        head_width: usize,
    },
    Residual {
        from: usize,
    },
    CrossEntropy {
        classes: usize,
    },
    Total,
    Im2col {
        copies: Vec<Copied>,
        /// Values of the image.
        taken: usize,
    },
    MaxPool(Places),
    SumPool(Places),
    Flatten,
}

/// Consecutive values of an image and where they go, of one sample.
struct Copied {
    from: u32,
    to: u32,
    length: u32,
}

/// What a pool takes of one sample. Where its places are is found each time: a table of them would be
/// as long as all that they take.
struct Places {
    image: Image,
    window: Window,
    places: u32,
}

impl Plan {
    fn new(graph: &Graph, weights: &[i16]) -> Result<Self, EvalError> {
        let flows = graph.flows()?;
        let mut is_kept = vec![false; graph.ops.len()];
        for op in &graph.ops {
            if let Op::Residual { from } | Op::Mix { from, .. } = op {
                is_kept[*from as usize] = true;
            }
        }
        let ops = graph.ops.iter().zip(graph.parameters_read());
        Ok(Self {
            steps: ops
                .map(|(op, read)| Step::new(op, &weights[read]))
                .collect(),
            most_rows: flows
                .iter()
                .map(|flow| flow.tokens as usize)
                .max()
                .unwrap_or(1),
            flows,
            is_kept,
            is_whole: false,
        })
    }
}

impl Step {
    /// Of an op and the weights that it reads.
    fn new(op: &Op, weights: &[i16]) -> Self {
        match *op {
            Op::Embed { width, shift, .. } => Self::Embed {
                rows: weights.to_vec(),
                width: width as usize,
                shift,
            },
            Op::RmsNorm { width, unit_bits } => Self::RmsNorm {
                width: width as usize,
                unit_bits,
            },
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => {
                let (rows, biases) = weights.split_at((inputs * outputs) as usize);
                let biases = biases.iter().map(|bias| i32::from(*bias) << bias_shift);
                Self::linear(inputs as usize, rows, biases.collect())
            }
            Op::Unembed { vocab, width } => {
                Self::linear(width as usize, weights, vec![0; vocab as usize])
            }
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => Self::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            },
            Op::Relu => Self::Relu,
            Op::SquaredRelu => Self::SquaredRelu,
            Op::Scores { heads, head_width } => Self::Scores {
                heads: heads as usize,
                head_width: head_width as usize,
            },
            Op::Softmax { heads, tokens } => Self::Softmax {
                heads: heads as usize,
                shares: (0..)
                    .map(|distance| share(distance, share_bits(tokens)))
                    .take_while(|share| *share > 0)
                    .collect(),
            },
            Op::Mix {
                from,
                heads,
                head_width,
            } => Self::Mix {
                from: from as usize,
                heads: heads as usize,
                head_width: head_width as usize,
            },
            Op::Residual { from } => Self::Residual {
                from: from as usize,
            },
            Op::CrossEntropy { classes } => Self::CrossEntropy {
                classes: classes as usize,
            },
            Op::Total { .. } => Self::Total,
            Op::Im2col { image, window } => Self::Im2col {
                copies: Copied::all(&image, &window),
                taken: image.values() as usize,
            },
            Op::MaxPool { image, window } => Self::MaxPool(Places::of(&image, &window)),
            Op::SumPool { image, window } => Self::SumPool(Places::of(&image, &window)),
            Op::Flatten => Self::Flatten,
        }
    }

    fn linear(inputs: usize, weights: &[i16], biases: Vec<i32>) -> Self {
        let views: Vec<i8> = weights.iter().copied().map(view).collect();
        let outputs = biases.len();
        Self::Linear {
            inputs,
            outputs,
            panels: run(PackColumns {
                inputs,
                views: &views,
                first: &biases,
            }),
        }
    }
}

impl Copied {
    /// What an im2col copies; the rest of what it gives is zeros.
    fn all(image: &Image, window: &Window) -> Vec<Self> {
        let mut copies: Vec<Self> = Vec::new();
        let (down, across) = window.places(image).unwrap_or((0, 0));
        for place in 0..down * across {
            for nth in 0..window.pixels() {
                let Some(pixel) = window.pixel(image, place, nth) else {
                    continue;
                };
                let from = pixel * image.channels;
                let to = (place * window.pixels() + nth) * image.channels;
                match copies.last_mut() {
                    Some(last)
                        if (last.from + last.length, last.to + last.length) == (from, to) =>
                    {
                        last.length += image.channels;
                    }
                    _ => copies.push(Self {
                        from,
                        to,
                        length: image.channels,
                    }),
                }
            }
        }
        copies
    }
}

impl Places {
    fn of(image: &Image, window: &Window) -> Self {
        let (down, across) = window.places(image).unwrap_or((0, 0));
        Self {
            image: *image,
            window: *window,
            places: down * across,
        }
    }

    /// Adds up the pixels of every place of all samples, channel by channel, in what is given for it;
    /// `start` is what that has first, of a place with padding or without.
    #[inline(always)]
    fn fold<T: Clone>(
        &self,
        images: &[i8],
        given: &mut [T],
        start: impl Fn(bool) -> T,
        add: impl Fn(&mut T, i8),
    ) {
        let (image, window) = (&self.image, &self.window);
        let (channels, whole) = (image.channels as usize, window.pixels() as usize);
        let line_length = usize::from(image.width) * channels;
        let samples = images.chunks_exact(image.values() as usize);
        for (values, given) in samples.zip(given.chunks_exact_mut(self.places as usize * channels))
        {
            for (place, given) in (0..self.places).zip(given.chunks_exact_mut(channels)) {
                // There are no others than these places.
                let [lines, columns] = window.cut(image, place).unwrap_or([0..0, 0..0]);
                given.fill(start(lines.len() * columns.len() < whole));
                for line in lines {
                    let line = &values[line as usize * line_length..][..line_length];
                    let columns =
                        columns.start as usize * channels..columns.end as usize * channels;
                    for pixel in line[columns].chunks_exact(channels) {
                        for (given, value) in given.iter_mut().zip(pixel) {
                            add(given, *value);
                        }
                    }
                }
            }
        }
    }
}

/// Packs the weights of a linear op.
struct PackColumns<'a> {
    inputs: usize,
    /// `[outputs, inputs]`.
    views: &'a [i8],
    first: &'a [i32],
}

impl Work for PackColumns<'_> {
    type Output = Panels;

    #[inline(always)]
    fn run<K: Kernel>(self) -> Panels {
        let mut panels = Panels::default();
        let rows = self.views.chunks_exact(self.inputs);
        panels.pack_activations::<K>(self.inputs, rows.zip(self.first.iter().copied()));
        panels
    }
}

/// Some samples on their way through the ops. A vector holds what the last op of its kind gave, row
/// after row, and is used again by the next block.
#[derive(Default)]
struct Block {
    /// Bytes of a sample, without its label.
    inputs: usize,
    samples: usize,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    narrow: Vec<i8>,
    /// What `narrow` was before, while it is made anew.
    taken: Vec<i8>,
    wide: Vec<i16>,
    shares: Vec<i16>,
    sums: Sums,
    losses: Vec<u32>,
    left: Rows,
    right: Panels,
    /// By op, what it gave, if a later one takes it.
    kept: Vec<Kept>,
}

/// Accumulators: runs of `length`, each `stride` from the one before it.
#[derive(Default)]
struct Sums {
    values: Vec<i32>,
    length: usize,
    stride: usize,
}

#[derive(Clone, Default)]
struct Kept {
    narrow: Vec<i8>,
    wide: Vec<i16>,
}

impl Sums {
    fn reset(&mut self, runs: usize, length: usize, stride: usize) {
        self.values.resize(runs * stride, 0);
        (self.length, self.stride) = (length, stride);
    }

    /// Where the sums of one head go, of these rows.
    #[inline(always)]
    fn of_head(&mut self, rows: Range<usize>, head: usize, heads: usize) -> Out<'_> {
        let stride = heads * self.stride;
        let own = rows.start * stride + head * self.stride..rows.end * stride;
        Out {
            sums: &mut self.values[own],
            stride,
        }
    }

    #[inline(always)]
    fn runs(&self) -> impl Iterator<Item = &[i32]> {
        self.values
            .chunks_exact(self.stride)
            .map(|run| &run[..self.length])
    }
}

impl Block {
    fn start(&mut self, pixels: &[u8], labels: &[u8]) {
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

    fn keep(&mut self, op: usize, flow: &Flow) {
        let kept = &mut self.kept[op];
        match flow.kind {
            Kind::Narrow => kept.narrow.clone_from(&self.narrow),
            _ => kept.wide.clone_from(&self.wide),
        }
    }

    /// What the last op gave, on all samples.
    fn tensor(&self, flow: &Flow) -> Tensor {
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
    fn logits(&self) -> Vec<Vec<i16>> {
        let of_sample = self.wide.len() / self.samples;
        self.wide
            .chunks_exact(of_sample)
            .map(<[i16]>::to_vec)
            .collect()
    }

    /// The label of every row, if there are so many rows of a sample.
    fn labels(&self, rows: usize) -> impl Iterator<Item = u8> + '_ {
        let samples = self.pixels.chunks_exact(self.inputs).zip(&self.labels);
        samples.flat_map(move |(pixels, label)| {
            // The last `rows` bytes of the record.
            let before = &pixels[self.inputs + 1 - rows..];
            before.iter().copied().chain([*label])
        })
    }
}

/// All ops on one block; `each` sees it after every op.
struct Evaluation<'a, F> {
    plan: &'a Plan,
    block: &'a mut Block,
    each: F,
}

impl<F: FnMut(&Block, &Flow)> Work for Evaluation<'_, F> {
    type Output = Result<(), EvalError>;

    #[inline(always)]
    fn run<K: Kernel>(mut self) -> Self::Output {
        let (plan, block) = (self.plan, self.block);
        block.kept.resize_with(plan.steps.len(), Kept::default);
        for (at, (step, flow)) in plan.steps.iter().zip(&plan.flows).enumerate() {
            step.run::<K>(block, flow, plan.is_whole)?;
            if plan.is_kept[at] {
                block.keep(at, flow);
            }
            (self.each)(block, flow);
        }
        Ok(())
    }
}

impl Step {
    /// `flow` is what it gives.
    #[inline(always)]
    fn run<K: Kernel>(&self, block: &mut Block, flow: &Flow, whole: bool) -> Result<(), EvalError> {
        let tokens = flow.tokens as usize;
        let rows = block.samples * tokens;
        match *self {
            Self::Embed {
                rows: ref weights,
                width,
                shift,
            } => {
                let places = &weights[weights.len() - tokens * width..];
                block.wide.clear();
                for sample in block.pixels.chunks_exact(tokens) {
                    for (token, place) in sample.iter().zip(places.chunks_exact(width)) {
                        let token = &weights[usize::from(*token) * width..][..width];
                        let pairs = token.iter().zip(place);
                        block.wide.extend(pairs.map(|(a, b)| embed(*a, *b, shift)));
                    }
                }
            }
            Self::RmsNorm { width, unit_bits } => {
                block.narrow.resize(rows * width, 0);
                let given = block.narrow.chunks_exact_mut(width);
                for (given, row) in given.zip(block.wide.chunks_exact(width)) {
                    let norm = Norm::of(row, unit_bits);
                    for (given, h) in given.iter_mut().zip(row) {
                        *given = norm.apply(*h);
                    }
                }
            }
            Self::Linear {
                inputs,
                outputs,
                ref panels,
            } => {
                let activations = block.narrow.chunks_exact(inputs);
                block.left.pack_activations::<K>(inputs, activations);
                let stride = panels.columns();
                block.sums.reset(rows, outputs, stride);
                let sums = &mut block.sums.values;
                kernel::activations::<K>(&block.left, panels, Part::All, Out { sums, stride });
            }
            Self::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => {
                let requant = |sum: &i32| requant(*sum, shift_in, multiplier, shift_out);
                let values = rows * flow.width as usize;
                match width {
                    Width::Narrow => {
                        block.narrow.resize(values, 0);
                        let given = block.narrow.chunks_exact_mut(block.sums.length);
                        for (given, run) in given.zip(block.sums.runs()) {
                            for (given, sum) in given.iter_mut().zip(run) {
                                *given = clamp_i8(requant(sum).into());
                            }
                        }
                    }
                    Width::Wide => {
                        block.wide.resize(values, 0);
                        let given = block.wide.chunks_exact_mut(block.sums.length);
                        for (given, run) in given.zip(block.sums.runs()) {
                            for (given, sum) in given.iter_mut().zip(run) {
                                *given = requant(sum);
                            }
                        }
                    }
                }
            }
            Self::Relu => block.narrow.iter_mut().for_each(|x| *x = (*x).max(0)),
            Self::SquaredRelu => {
                let values = block.narrow.iter_mut();
                values.for_each(|x| *x = squared_relu(*x));
            }
            Self::Scores { heads, head_width } => {
                let all = heads * head_width;
                let stride = tokens.next_multiple_of(kernel::COLUMNS);
                block.sums.reset(rows * heads, tokens, stride);
                let part = if whole {
                    Part::All
                } else {
                    Part::CausalColumns
                };
                for (sample, values) in block.narrow.chunks_exact(tokens * 3 * all).enumerate() {
                    for head in 0..heads {
                        let of = |part: usize| {
                            let rows = values.chunks_exact(3 * all);
                            rows.map(move |row| {
                                &row[part * all + head * head_width..][..head_width]
                            })
                        };
                        block.left.pack_activations::<K>(head_width, of(0));
                        let keys = of(1).map(|key| (key, 0));
                        block.right.pack_activations::<K>(head_width, keys);
                        let out =
                            block
                                .sums
                                .of_head(sample * tokens..(sample + 1) * tokens, head, heads);
                        kernel::activations::<K>(&block.left, &block.right, part, out);
                    }
                }
            }
            Self::Softmax { heads, ref shares } => {
                block.shares.resize(block.wide.len(), 0);
                let given = block.shares.chunks_exact_mut(tokens);
                for (at, (given, z)) in given.zip(block.wide.chunks_exact(tokens)).enumerate() {
                    let seen = at / heads % tokens + 1;
                    let (given, later) = given.split_at_mut(seen);
                    let z = &z[..seen];
                    let most = z.iter().fold(i16::MIN, |most, z| most.max(*z));
                    for (given, z) in given.iter_mut().zip(z) {
                        let distance = (i32::from(most) - i32::from(*z)) as usize;
                        *given = shares.get(distance).copied().unwrap_or(0);
                    }
                    later.fill(0);
                }
            }
            Self::Mix {
                from,
                heads,
                head_width,
            } => {
                let all = heads * head_width;
                let stride = head_width.next_multiple_of(kernel::COLUMNS);
                block.sums.reset(rows * heads, head_width, stride);
                let part = if whole { Part::All } else { Part::CausalHalves };
                let shares = block.shares.chunks_exact(tokens * tokens * heads);
                let values = block.kept[from].narrow.chunks_exact(tokens * 3 * all);
                for (sample, (shares, values)) in shares.zip(values).enumerate() {
                    for head in 0..heads {
                        let rows = shares.chunks_exact(tokens * heads);
                        let rows = rows.map(|row| &row[head * tokens..][..tokens]);
                        block.left.pack_halves(tokens, rows);
                        let values = values.chunks_exact(3 * all);
                        let values =
                            values.map(|row| &row[2 * all + head * head_width..][..head_width]);
                        block.right.pack_columns(head_width, values);
                        let out =
                            block
                                .sums
                                .of_head(sample * tokens..(sample + 1) * tokens, head, heads);
                        kernel::halves::<K>(&block.left, &block.right, part, out);
                    }
                }
                let sums = block.sums.values.chunks_exact_mut(stride);
                for (sums, shares) in sums.zip(block.shares.chunks_exact(tokens)) {
                    // At most 2^17.
                    let shares = shares.iter().map(|share| i32::from(*share));
                    let mean = Mean::of(shares.fold(0, i32::wrapping_add));
                    sums[..head_width]
                        .iter_mut()
                        .for_each(|sum| *sum = mean.apply(*sum));
                }
            }
            Self::Residual { from } => {
                for (h, earlier) in block.wide.iter_mut().zip(&block.kept[from].wide) {
                    *h = residual(*h, *earlier);
                }
            }
            Self::CrossEntropy { classes } => {
                let mut losses = std::mem::take(&mut block.losses);
                losses.clear();
                for (z, label) in block.wide.chunks_exact(classes).zip(block.labels(tokens)) {
                    losses.push(cross_entropy(z, label).ok_or(EvalError::WrongOperand)?);
                }
                block.losses = losses;
            }
            Self::Total => {
                let of_sample = block.losses.len() / block.samples;
                let losses = block.losses.chunks_exact(of_sample).map(total);
                block.losses = losses.collect();
            }
            Self::Im2col { ref copies, taken } => {
                std::mem::swap(&mut block.narrow, &mut block.taken);
                block.narrow.clear();
                block.narrow.resize(rows * flow.width as usize, 0);
                let given = block.narrow.chunks_exact_mut(tokens * flow.width as usize);
                for (image, given) in block.taken.chunks_exact(taken).zip(given) {
                    for copied in copies {
                        let (from, to) = (copied.from as usize, copied.to as usize);
                        let length = copied.length as usize;
                        given[to..to + length].copy_from_slice(&image[from..from + length]);
                    }
                }
            }
            Self::MaxPool(ref places) => {
                std::mem::swap(&mut block.narrow, &mut block.taken);
                block.narrow.resize(rows * flow.width as usize, 0);
                // Padding is 0.
                let start = |is_padded| if is_padded { 0 } else { i8::MIN };
                let most = |most: &mut i8, value: i8| *most = value.max(*most);
                places.fold(&block.taken, &mut block.narrow, start, most);
            }
            Self::SumPool(ref places) => {
                let width = flow.width as usize;
                block.sums.reset(rows, width, width);
                let add = |sum: &mut i32, value: i8| *sum += i32::from(value);
                places.fold(&block.narrow, &mut block.sums.values, |_| 0, add);
            }
            Self::Flatten => {}
        }
        Ok(())
    }
}

/// The mean of `gotong_scoring::machine::mean`, of a sum of products and the sum `n` of the shares,
/// without a division. With `m = 2^47/n + 1`, rounded down, `x * m / 2^47` is `x / n`, both rounded down:
/// `m * n` is at most `n <= 2^17` above `2^47`, and `x < 2^30`. `x` is below `2^12 * n`, so that the
/// product fits 64 bits.
struct Mean {
    n: i32,
    multiplier: u64,
}

impl Mean {
    #[inline(always)]
    fn of(n: i32) -> Self {
        // A softmax gives at least one share that is not zero.
        let multiplier = (1 << 47) / n.max(1) as u64 + 1;
        Self { n, multiplier }
    }

    #[inline(always)]
    fn apply(&self, sum: i32) -> i32 {
        let positive = sum.wrapping_add(self.n.wrapping_mul(128));
        let x = positive.wrapping_mul(16).wrapping_add(self.n / 2);
        let mean = (x as u64).wrapping_mul(self.multiplier) >> 47;
        (mean as i32).wrapping_sub(2048)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::machine::mean;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mean_is_the_machines(pairs in proptest::collection::vec((0i16..=128, -127i8..=127), 1..=1024)) {
            let (shares, values): (Vec<i16>, Vec<i8>) = pairs.into_iter().unzip();
            let n: i32 = shares.iter().map(|share| i32::from(*share)).sum();
            prop_assume!(n > 0);
            let terms = shares.iter().zip(&values);
            let sum = terms.map(|(share, value)| i32::from(*share) * i32::from(*value)).sum();
            prop_assert_eq!(Mean::of(n).apply(sum), mean(&shares, values.iter().copied()));
        }
    }

    #[test]
    fn a_mean_is_the_machines_at_its_ends() {
        for n in [1, 2, 3, 127, 128, 1 << 14, (1 << 17) - 1, 1 << 17] {
            for value in [-127i32, -1, 0, 1, 127] {
                for sum in [value * n, (value * n).saturating_sub(1).max(-127 * n)] {
                    let exact = (i64::from(sum) + 128 * i64::from(n)) * 16 + i64::from(n / 2);
                    let exact = exact / i64::from(n) - 2048;
                    assert_eq!(i64::from(Mean::of(n).apply(sum)), exact, "{sum} of {n}");
                }
            }
        }
    }
}
