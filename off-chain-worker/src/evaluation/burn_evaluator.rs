//! The exact machine on any device that Burn knows.
//!
//! A matrix product runs in f32 on integer-valued tensors, at most [`CHUNK`] products to a sum:
//! 127 * 127 * 1024 < 2^24, so that every partial sum is an integer that f32 holds exactly,
//! whatever the order of the additions. All else is i32. No shift is by 32 or more, where devices
//! differ.

use burn::tensor::{Bool, DType, Device, Int, IntDType, Tensor, TensorData};
use gotong_scoring::{
    evaluator,
    lut::{EXP2, LOG2, RSQRT},
    machine::{self, share_bits, MOST_OF_A_TOKEN},
    weights::view,
    EvalError, Evaluator, Flow, Graph, Image, Kind, Op, Samples, Width, Window,
};
use std::panic::{catch_unwind, AssertUnwindSafe};

use super::Traced;

/// Most products in one f32 sum.
const CHUNK: usize = 1024;
/// Samples on the device at a time, at most.
const BATCH: usize = 4096;
/// Values of one tensor, about.
const BATCH_VALUES: u64 = 1 << 24;

/// Evaluates on a device of Burn.
#[derive(Clone, Debug)]
pub struct BurnEvaluator {
    device: Device,
    tables: Tables,
}

/// The machine's tables, on the device.
#[derive(Clone, Debug)]
struct Tables {
    exp2: Tensor<1, Int>,
    log2: Tensor<1, Int>,
    rsqrt: Tensor<1, Int>,
}

impl BurnEvaluator {
    /// Puts the machine's tables on the device.
    pub fn new(device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let table = |values: &[u16]| int(values.iter().map(|&v| v.into()).collect(), &device);
        let tables = Tables {
            exp2: table(&EXP2),
            log2: table(&LOG2),
            rsqrt: table(&RSQRT),
        };
        Self { device, tables }
    }

    /// Logits of every sample in 1/64 log2 units: of all its tokens, one after another.
    ///
    /// # Errors
    /// A graph that is not valid; weights or samples that do not fit it; a device that fails.
    pub fn logits(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<i16>>, EvalError> {
        let mut logits = Vec::with_capacity(samples.len());
        self.batches(graph, weights, samples, |batch| {
            let mut last_wide = None;
            batch.run(|flow, values| {
                if flow.kind == Kind::Wide {
                    last_wide = Some(values.clone());
                }
                Ok(())
            })?;
            if let Some(last) = last_wide {
                let values = read(last)?;
                let rows = values.chunks_exact((values.len() / batch.samples).max(1));
                logits.extend(rows.map(|row| row.iter().map(|&z| z as i16).collect::<Vec<_>>()));
            }
            Ok(())
        })?;
        Ok(logits)
    }

    /// Calls `each` with every batch of samples. All that happens on the device happens here.
    fn batches(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        each: impl FnMut(Batch) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        evaluator::check(graph, weights, samples)?;
        caught(|| self.run(graph, weights, samples, each), failure)
    }

    /// As [`BurnEvaluator::batches`], of what fits together.
    fn run(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        mut each: impl FnMut(Batch) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let classes = graph.classes();
        if samples
            .labels()
            .iter()
            .any(|&label| u32::from(label) >= classes)
        {
            return Err(EvalError::WrongOperand);
        }
        let flows = graph.flows()?;
        let ops = graph.ops.iter().zip(graph.parameters_read());
        let steps: Vec<Step> = ops
            .map(|(op, read)| Step::new(op, &weights[read], &self.device))
            .collect();
        let values = |flow: &Flow| u64::from(flow.tokens) * u64::from(flow.width);
        let all = flows.iter().map(values).chain([graph.inputs.into()]);
        let most = all.max().unwrap_or(1).max(1);
        let size = ((BATCH_VALUES / most) as usize).clamp(1, BATCH);
        let inputs = samples.inputs();
        let pixels = samples.pixels().chunks(size * inputs);
        for (pixels, labels) in pixels.zip(samples.labels().chunks(size)) {
            each(Batch {
                samples: labels.len(),
                pixels,
                labels,
                steps: &steps,
                flows: &flows,
                is_text: graph.vocab().is_some(),
                evaluator: self,
            })?;
        }
        Ok(())
    }
}

impl Evaluator for BurnEvaluator {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        let mut losses = Vec::with_capacity(samples.len());
        self.batches(graph, weights, samples, |batch| {
            let values = read(batch.run(|_, _| Ok(()))?)?;
            // Non-negative when the device is right; when it is not, any wrong value will do.
            losses.extend(values.into_iter().map(|loss| loss as u32));
            Ok(())
        })?;
        Ok(losses)
    }
}

impl Traced for BurnEvaluator {
    fn tensors(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<machine::Tensor>>, EvalError> {
        let mut tensors = Vec::with_capacity(samples.len());
        self.batches(graph, weights, samples, |batch| {
            let first = tensors.len();
            tensors.resize(first + batch.samples, Vec::new());
            batch.run(|flow, values| {
                let values = read(values.clone())?;
                let rows = values.chunks_exact((values.len() / batch.samples).max(1));
                for (tensors, row) in tensors[first..].iter_mut().zip(rows) {
                    tensors.push(tensor(flow.kind, row));
                }
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(tensors)
    }
}

/// Some samples, and what is to be done with them.
struct Batch<'a> {
    samples: usize,
    pixels: &'a [u8],
    labels: &'a [u8],
    steps: &'a [Step],
    flows: &'a [Flow],
    /// Whether the bytes are tokens.
    is_text: bool,
    evaluator: &'a BurnEvaluator,
}

impl Batch<'_> {
    /// Runs all ops; `each` sees what every one of them gives, `[samples * tokens, width]`. Gives what
    /// the last one does.
    fn run(
        &self,
        mut each: impl FnMut(&Flow, &Tensor<2, Int>) -> Result<(), EvalError>,
    ) -> Result<Tensor<2, Int>, EvalError> {
        let inputs = self.pixels.len() / self.samples;
        let down = if self.is_text { 0 } else { 1 };
        let first = self.pixels.iter().map(|byte| (byte >> down).into());
        let first = int(first.collect(), &self.evaluator.device);
        let mut values = first.reshape([self.samples, inputs]);
        // What later ops refer to.
        let mut kept: Vec<Option<Tensor<2, Int>>> = vec![None; self.steps.len()];
        for (at, (step, flow)) in self.steps.iter().zip(self.flows).enumerate() {
            values = step.run(values, &kept, self, flow);
            let is_kept = |step: &Step| matches!(step, Step::Residual { from } | Step::Mix { from, .. } if *from == at);
            if self.steps[at..].iter().any(is_kept) {
                kept[at] = Some(values.clone());
            }
            each(flow, &values)?;
        }
        Ok(values)
    }

    /// The label of every row, `[samples * tokens, 1]`.
    fn labels(&self, tokens: usize) -> Tensor<2, Int> {
        let inputs = self.pixels.len() / self.samples;
        let samples = self.pixels.chunks_exact(inputs).zip(self.labels);
        let labels = samples.flat_map(|(pixels, label)| {
            // The last bytes of the record.
            let before = &pixels[inputs + 1 - tokens..];
            before.iter().chain([label]).map(|&label| label.into())
        });
        int(labels.collect(), &self.evaluator.device).unsqueeze_dim(1)
    }
}

/// An op with its parameters on the device.
enum Step {
    Embed {
        /// `[vocab, width]`.
        of_tokens: Box<Tensor<2, Int>>,
        /// `[1, tokens, width]`.
        of_places: Box<Tensor<3, Int>>,
        shift: i32,
    },
    RmsNorm {
        unit_bits: i32,
    },
    Linear {
        /// Int8 views, transposed and cut along the inputs: each `[at most CHUNK, outputs]`.
        chunks: Vec<Tensor<2>>,
        /// Shifted biases, `[1, outputs]`.
        biases: Box<Tensor<2, Int>>,
    },
    Requant {
        shift_in: i32,
        multiplier: i32,
        shift_out: i32,
        bound: i32,
    },
    Relu,
    SquaredRelu,
    Scores {
        heads: usize,
        head_width: usize,
    },
    Softmax {
        heads: usize,
    },
    Mix {
        from: usize,
        heads: usize,
        head_width: usize,
    },
    Residual {
        from: usize,
    },
    CrossEntropy,
    Total,
    Im2col(Places),
    MaxPool(Places),
    SumPool(Places),
    Flatten,
}

/// The places of a window over an image.
struct Places {
    image: Image,
    window: Window,
    /// Their number.
    all: u32,
}

impl Places {
    fn of(image: &Image, window: &Window) -> Self {
        let (down, across) = window.places(image).unwrap_or((0, 0));
        Self {
            image: *image,
            window: *window,
            all: down * across,
        }
    }

    /// The images with a pixel of zeros after their last, `[samples, pixels + 1, channels]`.
    fn padded(&self, values: Tensor<2, Int>, samples: usize) -> Tensor<3, Int> {
        let channels = self.image.channels as usize;
        let images = values.reshape([samples, self.image.pixels() as usize, channels]);
        let padding = Tensor::zeros([samples, 1, channels], (&images.device(), DType::I32));
        Tensor::cat(vec![images, padding], 1)
    }

    /// The pixels of every place, one after another: `[samples, places * size * size, channels]`.
    fn take(&self, values: Tensor<2, Int>, samples: usize) -> Tensor<3, Int> {
        let padded = self.padded(values, samples);
        let pixels = self.window.table(&self.image).into_iter();
        let pixels = int(pixels.map(|pixel| pixel as i32).collect(), &padded.device());
        padded.select(1, pixels)
    }

    /// What `join` makes of the pixels of every place, channel by channel: `[samples * places, channels]`.
    /// One pixel of all places after another: all at once could be two thousand times what a pool gives.
    fn fold(
        &self,
        values: Tensor<2, Int>,
        samples: usize,
        join: fn(Tensor<3, Int>, Tensor<3, Int>) -> Tensor<3, Int>,
    ) -> Tensor<2, Int> {
        let padded = self.padded(values, samples);
        let take = |nth| {
            let pixel = |place| self.window.pixel(&self.image, place, nth);
            let or_padding = |place| pixel(place).unwrap_or(self.image.pixels()) as i32;
            let pixels = (0..self.all).map(or_padding).collect();
            padded.clone().select(1, int(pixels, &padded.device()))
        };
        let joined = (1..self.window.pixels()).fold(take(0), |all, nth| join(all, take(nth)));
        joined.reshape([samples * self.all as usize, self.image.channels as usize])
    }
}

impl Step {
    /// Of an op and the weights that it reads.
    fn new(op: &Op, weights: &[i16], device: &Device) -> Self {
        match *op {
            Op::Embed {
                tokens,
                width,
                shift,
                ..
            } => {
                let (tokens, width) = (tokens as usize, width as usize);
                let rows = int(weights.iter().map(|&w| w.into()).collect(), device);
                let rows: Tensor<2, Int> = rows.reshape([weights.len() / width, width]);
                let vocab = weights.len() / width - tokens;
                let of_places = rows.clone().slice_dim(0, vocab..vocab + tokens);
                Self::Embed {
                    of_tokens: Box::new(rows.slice_dim(0, 0..vocab)),
                    of_places: Box::new(of_places.unsqueeze_dim(0)),
                    shift: shift.into(),
                }
            }
            Op::RmsNorm { unit_bits, .. } => Self::RmsNorm {
                unit_bits: unit_bits.into(),
            },
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => {
                let (rows, biases) = weights.split_at((inputs * outputs) as usize);
                let biases = biases.iter().map(|&b| i32::from(b) << bias_shift);
                Self::linear(inputs as usize, rows, biases.collect(), device)
            }
            Op::Unembed { vocab, width } => {
                Self::linear(width as usize, weights, vec![0; vocab as usize], device)
            }
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => Self::Requant {
                shift_in: shift_in.into(),
                multiplier: multiplier.into(),
                shift_out: shift_out.into(),
                bound: match width {
                    Width::Narrow => 127,
                    Width::Wide => 32_767,
                },
            },
            Op::Relu => Self::Relu,
            Op::SquaredRelu => Self::SquaredRelu,
            Op::Scores { heads, head_width } => Self::Scores {
                heads: heads as usize,
                head_width: head_width as usize,
            },
            Op::Softmax { heads, .. } => Self::Softmax {
                heads: heads as usize,
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
            Op::CrossEntropy { .. } => Self::CrossEntropy,
            Op::Total { .. } => Self::Total,
            Op::Im2col { image, window } => Self::Im2col(Places::of(&image, &window)),
            Op::MaxPool { image, window } => Self::MaxPool(Places::of(&image, &window)),
            Op::SumPool { image, window } => Self::SumPool(Places::of(&image, &window)),
            Op::Flatten => Self::Flatten,
        }
    }

    fn linear(inputs: usize, weights: &[i16], biases: Vec<i32>, device: &Device) -> Self {
        let views = weights.iter().map(|&w| f32::from(view(w))).collect();
        let views = TensorData::new::<f32, _>(views, [biases.len(), inputs]);
        let views = Tensor::<2>::from_data(views, (device, DType::F32));
        Self::Linear {
            chunks: views.transpose().split(CHUNK, 0),
            biases: Box::new(int(biases, device).unsqueeze()),
        }
    }

    /// From `[samples * tokens, length]` to what `flow` says.
    fn run(
        &self,
        values: Tensor<2, Int>,
        kept: &[Option<Tensor<2, Int>>],
        batch: &Batch,
        flow: &Flow,
    ) -> Tensor<2, Int> {
        let (samples, tokens) = (batch.samples, flow.tokens as usize);
        let tables = &batch.evaluator.tables;
        let earlier = |from: usize| kept[from].clone().unwrap_or_else(|| values.zeros_like());
        match self {
            Self::Embed {
                of_tokens,
                of_places,
                shift,
            } => {
                let width = flow.width as usize;
                let rows = of_tokens
                    .clone()
                    .select(0, values.reshape([samples * tokens]));
                let sums = rows.reshape([samples, tokens, width]) + (**of_places).clone();
                rs(sums.reshape([samples * tokens, width]), *shift).clamp(-32_767, 32_767)
            }
            Self::RmsNorm { unit_bits } => norm(values, *unit_bits, tables),
            Self::Linear { chunks, biases } => {
                let values = values.float().split(CHUNK, 1);
                values
                    .into_iter()
                    .zip(chunks)
                    .fold(biases.as_ref().clone(), |sums, (values, views)| {
                        sums + values.matmul(views.clone()).cast(IntDType::I32)
                    })
            }
            &Self::Requant {
                shift_in,
                multiplier,
                shift_out,
                bound,
            } => {
                let t = rs(values, shift_in);
                if multiplier == 1 << shift_out {
                    return t.clamp(-bound, bound);
                }
                let t = t.clamp(-32_767, 32_767);
                rs(t.mul_scalar(multiplier), shift_out).clamp(-bound, bound)
            }
            Self::Relu => values.clamp_min(0),
            Self::SquaredRelu => {
                let u = values.clamp_min(0);
                rs(u.clone() * u, 7)
            }
            &Self::Scores { heads, head_width } => {
                let part = |part| part_of(&values, part, tokens, heads, head_width);
                let products = part(0).matmul(part(1).swap_dims(2, 3));
                rows_of_heads(products.cast(IntDType::I32))
            }
            &Self::Softmax { heads } => {
                let z = values.reshape([samples, tokens, heads, tokens]);
                // No token takes in a later one.
                let later = Tensor::<2, Bool>::tril_mask([tokens, tokens], 0, &z.device());
                let later = later.reshape([1, tokens, 1, tokens]).expand(z.dims());
                // Below every score.
                let z = z.mask_fill(later.clone(), -32_768);
                let distance = z.clone().max_dim(3) - z;
                let down = 14 - share_bits(flow.tokens) as i32;
                let shares = exp2(distance.reshape([-1]), tables);
                let shares = rs(shares, down).reshape([samples, tokens, heads, tokens]);
                shares
                    .mask_fill(later, 0)
                    .reshape([samples * tokens, heads * tokens])
            }
            &Self::Mix {
                from,
                heads,
                head_width,
            } => {
                let shares = values.clone().reshape([samples, tokens, heads, tokens]);
                let shares = shares.swap_dims(1, 2);
                let values = part_of(&earlier(from), 2, tokens, heads, head_width);
                // At most 2^17 * 127 < 2^24.
                let sums = shares.clone().float().matmul(values).cast(IntDType::I32);
                let n = shares.sum_dim(3);
                let above = (sums + n.clone().mul_scalar(128)).mul_scalar(16);
                let rounded = above + n.clone().bitwise_right_shift_scalar(1);
                rows_of_heads(rounded.div(n.expand([samples, heads, tokens, head_width])))
                    .sub_scalar(2048)
            }
            Self::Residual { from } => (values.clone() + earlier(*from)).clamp(-32_767, 32_767),
            Self::CrossEntropy => cross_entropy(values, batch.labels(tokens), tables),
            Self::Total => {
                let limited = values.clamp_max(MOST_OF_A_TOKEN as i32);
                limited.reshape([samples as i64, -1]).sum_dim(1)
            }
            Self::Im2col(places) => {
                let rows = [samples * tokens, flow.width as usize];
                places.take(values, samples).reshape(rows)
            }
            Self::MaxPool(places) => places.fold(values, samples, Tensor::max_pair),
            Self::SumPool(places) => places.fold(values, samples, |sums, more| sums + more),
            Self::Flatten => values.reshape([samples, flow.width as usize]),
        }
    }
}

/// Queries, keys or values (`part` 0, 1 or 2) of `[samples * tokens, 3 * heads * head_width]`:
/// `[samples, heads, tokens, head_width]` in f32.
fn part_of(
    values: &Tensor<2, Int>,
    part: usize,
    tokens: usize,
    heads: usize,
    head_width: usize,
) -> Tensor<4> {
    let [rows, _] = values.dims();
    let all = heads * head_width;
    let own = values
        .clone()
        .slice([0..rows, part * all..(part + 1) * all]);
    let own = own.reshape([rows / tokens, tokens, heads, head_width]);
    own.swap_dims(1, 2).float()
}

/// `[samples, heads, tokens, length]` as `[samples * tokens, heads * length]`.
fn rows_of_heads(values: Tensor<4, Int>) -> Tensor<2, Int> {
    let [samples, heads, tokens, length] = values.dims();
    let rows = values.swap_dims(1, 2);
    rows.reshape([samples * tokens, heads * length])
}

/// As `gotong_scoring::machine::Norm`, of every row.
fn norm(h: Tensor<2, Int>, unit_bits: i32, tables: &Tables) -> Tensor<2, Int> {
    let [rows, width] = h.dims();
    let most = h.clone().abs().max_dim(1);
    // The rows are shifted up until the largest magnitude has 15 bits.
    let is_below = (0..15).map(|bits| count(most.clone().lower_elem(1 << bits)));
    let up = is_below.fold(most.zeros_like(), |up, more| up + more);
    let g = h * most.ones_like().bitwise_left_shift(up);

    let log_width = width.next_power_of_two().ilog2() as i32;
    let s = log_width + log_width % 2;
    let sum = rs(g.clone() * g.clone(), s).sum_dim(1);
    // Half of its logarithm, rounded down.
    let passed = (1..=15).map(|half| count(sum.clone().greater_equal_elem(1 << (2 * half))));
    let e = passed.fold(sum.zeros_like(), |e, more| e + more);
    let down = e.clone().mul_scalar(2).sub_scalar(6).clamp_min(0);
    let at = sum.bitwise_right_shift(down).sub_scalar(64).clamp(0, 191);
    // A row of zeros stays one, whatever it is multiplied with.
    let reciprocal = tables.rsqrt.clone().select(0, at.reshape([rows]));

    let t = rs(g * reciprocal.reshape([rows, 1]), 15);
    let root_of_width = ((width as u64) << 16).isqrt() as i32;
    let scaled = t.mul_scalar(root_of_width);
    // At least 1.
    let down = e.add_scalar(8 + s / 2 - unit_bits).expand([rows, width]);
    let half = scaled
        .clone()
        .bitwise_right_shift(down.clone().sub_scalar(1))
        .bitwise_and_scalar(1);
    (scaled.bitwise_right_shift(down) + half).clamp(-127, 127)
}

/// Loss in Q16 bits, `[rows, 1]`, of logits `[rows, classes]`: as
/// `gotong_scoring::machine::cross_entropy`.
fn cross_entropy(
    logits: Tensor<2, Int>,
    labels: Tensor<2, Int>,
    tables: &Tables,
) -> Tensor<2, Int> {
    let [rows, classes] = logits.dims();
    let most = logits.clone().max_dim(1);
    let own = logits.clone().gather(1, labels);
    let down = (most.clone() - own).mul_scalar(1024);
    let terms = exp2((most - logits).reshape([rows * classes]), tables);
    let sum = terms.reshape([rows, classes]).sum_dim(1);

    // 2^14 <= sum <= 2^22: its logarithm's whole part is 14 and one for each power passed.
    let passed = (15..=22).map(|bit| count(sum.clone().greater_equal_elem(1 << bit)));
    let above = passed.fold(sum.zeros_like(), |above, more| above + more);
    let tail = sum
        .bitwise_right_shift(above.clone().add_scalar(4))
        .bitwise_and_scalar(1023);
    let tail = tables.log2.clone().select(0, tail.reshape([rows]));
    above.mul_scalar(1 << 16) + tail.reshape([rows, 1]) + down
}

/// `2^(-distance/64)` in Q14, cut off; as `gotong_scoring::machine::exp2_q14`.
fn exp2(distance: Tensor<1, Int>, tables: &Tables) -> Tensor<1, Int> {
    let at = distance.clone().bitwise_and_scalar(63);
    // It is zero once it is shifted by 15.
    let shift = distance.bitwise_right_shift_scalar(6).clamp_max(15);
    tables.exp2.clone().select(0, at).bitwise_right_shift(shift)
}

/// 1 where it holds, else 0.
fn count(holds: Tensor<2, Bool>) -> Tensor<2, Int> {
    holds.int().cast(IntDType::I32)
}

/// `gotong_scoring::arith::rs` on tensors, for shifts up to 31. What is added before the last shift cannot
/// overflow.
fn rs<const D: usize>(a: Tensor<D, Int>, shift: i32) -> Tensor<D, Int> {
    match shift {
        0 => a,
        1 => a.clone().bitwise_right_shift_scalar(1) + a.bitwise_and_scalar(1),
        _ => {
            let twice = a.bitwise_right_shift_scalar(shift - 1);
            twice.add_scalar(1).bitwise_right_shift_scalar(1)
        }
    }
}

fn int(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::I32))
}

fn read(values: Tensor<2, Int>) -> Result<Vec<i32>, EvalError> {
    let values = values.try_into_vec_as::<i32>();
    values.map_err(|error| failure(error.to_string()))
}

/// That the device failed, and what to do.
fn failure(what: String) -> EvalError {
    EvalError::Device(format!(
        "{what}; evaluate without `--device`, on the processor"
    ))
}

/// Does `work`, and makes an error of a panic, which is how Burn says that a device fails.
pub(super) fn caught<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().map(|words| words.to_string());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(failed(words.unwrap_or_else(|| "it panicked".to_owned())))
    })
}

/// What an op gave on one sample. Of what is narrow or wide the least is never right, and stands for all that
/// is out of bounds.
fn tensor(kind: Kind, values: &[i32]) -> machine::Tensor {
    use machine::Tensor::{Acc, Loss, Losses, Narrow, Shares, Wide};
    let narrow = |&x: &i32| i8::try_from(x).unwrap_or(i8::MIN);
    let wide = |&x: &i32| i16::try_from(x).unwrap_or(i16::MIN);
    match (kind, values) {
        (Kind::Narrow, _) => Narrow(values.iter().map(narrow).collect()),
        (Kind::Acc, _) => Acc(values.to_vec()),
        (Kind::Wide, _) => Wide(values.iter().map(wide).collect()),
        (Kind::Shares, _) => Shares(values.iter().map(wide).collect()),
        (Kind::Loss, &[loss]) => Loss(loss as u32),
        (Kind::Loss, _) => Losses(values.iter().map(|&loss| loss as u32).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_equals_the_machine() {
        let edges = [i32::MIN, -32_768, -3, -2, -1, 0, 1, 2, 3, 1 << 20, i32::MAX];
        let tensor = int(edges.to_vec(), &Device::flex());
        for shift in 0..=31 {
            let found = rs(tensor.clone(), shift).try_into_vec_as::<i32>().unwrap();
            let expected = edges.map(|a| gotong_scoring::arith::rs(a, shift as u32));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_device_that_panics_has_failed() {
        let words = "out of memory".to_owned();
        let result: Result<(), EvalError> = caught(|| std::panic::panic_any(words), failure);
        let error = result.unwrap_err().to_string();
        let expected =
            "the device failed: out of memory; evaluate without `--device`, on the processor";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_large_pool_is_right() {
        let image = Image {
            height: 3,
            width: 40,
            channels: 2,
        };
        let window = Window {
            size: 40,
            stride: 3,
            padding: 39,
        };
        let values: Vec<i32> = (0..2 * 240).map(|at| at * 37 % 255 - 127).collect();
        let places = Places::of(&image, &window);
        let found = int(values.clone(), &Device::flex()).reshape([240, 2]);
        let found = read(places.fold(found, 2, |sums, more| sums + more)).unwrap();
        let expected = values.chunks(240).flat_map(|values| {
            let sum = move |place, channel| {
                let inside = window.inside(&image, place);
                inside.map(|at| values[at as usize * 2 + channel]).sum()
            };
            (0..places.all).flat_map(move |place| [sum(place, 0), sum(place, 1)])
        });
        assert_eq!(found, expected.collect::<Vec<i32>>());
    }
}
