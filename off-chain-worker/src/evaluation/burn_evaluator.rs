//! The exact machine on any device that Burn knows.
//!
//! A matrix product runs in f32 on integer-valued tensors, at most [`CHUNK`] products to a sum:
//! 127 * 127 * 1024 < 2^24, so that every partial sum is an integer that f32 holds exactly,
//! whatever the order of the additions. All else is i32.

use burn::tensor::{DType, Device, Int, IntDType, Tensor, TensorData};
use gotong_scoring::{
    evaluator,
    lut::{EXP2, LOG2},
    weights::view,
    EvalError, Evaluator, Graph, Op, Reference, Samples, Width,
};

/// Most products in one f32 sum.
const CHUNK: usize = 1024;
/// Samples on the device at a time.
const BATCH: usize = 4096;

/// Evaluates on a device of Burn.
#[derive(Clone, Debug)]
pub struct BurnEvaluator {
    device: Device,
    exp2: Tensor<1, Int>,
    log2: Tensor<1, Int>,
}

impl BurnEvaluator {
    /// Puts the machine's tables on the device.
    pub fn new(device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let table = |values: &[u16]| int(values.iter().map(|&v| v.into()).collect(), &device);
        Self {
            exp2: table(&EXP2),
            log2: table(&LOG2),
            device,
        }
    }

    /// Logits of every sample in 1/64 log2 units, `[samples, classes]`.
    ///
    /// # Errors
    /// A graph that is not valid; weights or samples that do not fit it; a device that fails.
    pub fn logits(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<i16>>, EvalError> {
        let classes = graph.classes() as usize;
        let values = self.batches(graph, weights, samples, |logits, _| logits.reshape([-1]))?;
        let logits = values.chunks_exact(classes.max(1));
        Ok(logits
            .map(|row| row.iter().map(|&z| z as i16).collect())
            .collect())
    }

    /// Evaluates batch by batch, and reads back what `finish` makes of logits and labels.
    fn batches(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        finish: impl Fn(Tensor<2, Int>, Tensor<1, Int>) -> Tensor<1, Int>,
    ) -> Result<Vec<i32>, EvalError> {
        evaluator::check(graph, weights, samples)?;
        let classes = graph.classes();
        if samples
            .labels()
            .iter()
            .any(|&label| u32::from(label) >= classes)
        {
            return Err(EvalError::WrongOperand);
        }
        let inputs = samples.inputs();
        let steps = self.steps(graph, weights);
        let mut read = Vec::with_capacity(samples.len());
        let pixels = samples.pixels().chunks(BATCH * inputs);
        for (pixels, labels) in pixels.zip(samples.labels().chunks(BATCH)) {
            let pixels = int(
                pixels.iter().map(|&p| (p >> 1).into()).collect(),
                &self.device,
            );
            let input = pixels.reshape([labels.len(), inputs]);
            let logits = steps.iter().fold(input, |values, step| step.run(values));
            let labels = int(labels.iter().map(|&l| l.into()).collect(), &self.device);
            let values = finish(logits, labels).try_into_vec_as::<i32>();
            read.extend(values.map_err(|error| EvalError::Device(error.to_string()))?);
        }
        Ok(read)
    }

    fn steps(&self, graph: &Graph, weights: &[i16]) -> Vec<Step> {
        let mut rest = weights;
        let step = |op: &Op| match *op {
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => {
                let (inputs, outputs) = (inputs as usize, outputs as usize);
                let (own, others) = rest.split_at(outputs * (inputs + 1));
                rest = others;
                let (rows, biases) = own.split_at(outputs * inputs);
                let views = rows.iter().map(|&w| f32::from(view(w))).collect();
                let views = TensorData::new::<f32, _>(views, [outputs, inputs]);
                let views = Tensor::<2>::from_data(views, (&self.device, DType::F32));
                let shifted = biases.iter().map(|&b| i32::from(b) << bias_shift);
                Some(Step::Linear {
                    chunks: views.transpose().split(CHUNK, 0),
                    biases: Box::new(int(shifted.collect(), &self.device).unsqueeze()),
                })
            }
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => Some(Step::Requant {
                shift_in: shift_in.into(),
                multiplier: multiplier.into(),
                shift_out: shift_out.into(),
                bound: match width {
                    Width::Narrow => 127,
                    Width::Wide => 32_767,
                },
            }),
            Op::Relu => Some(Step::Relu),
            // The loss; and what is left to the reference.
            _ => None,
        };
        graph.ops.iter().filter_map(step).collect()
    }

    /// Loss in Q16 bits, `[samples]`, of logits `[samples, classes]`: as
    /// `gotong_scoring::machine::cross_entropy`.
    fn cross_entropy(&self, logits: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1, Int> {
        let [samples, classes] = logits.dims();
        let most = logits.clone().max_dim(1);
        let own = logits.clone().gather(1, labels.unsqueeze_dim(1));
        let down = (most.clone() - own).mul_scalar(1024);

        let distance = (most - logits).reshape([samples * classes]);
        let mantissa = self
            .exp2
            .clone()
            .select(0, distance.clone().bitwise_and_scalar(63));
        // A Q14 term is zero once it is shifted by 15; shifts of 32 and more are not defined.
        let shift = distance.bitwise_right_shift_scalar(6).clamp_max(15);
        let terms = mantissa.bitwise_right_shift(shift);
        let sum = terms.reshape([samples, classes]).sum_dim(1);

        // 2^14 <= sum <= 2^22: its logarithm's whole part is 14 and one for each power passed.
        let passed = (15..=22).map(|bit| sum.clone().greater_equal_elem(1 << bit).int());
        let above = passed.fold(sum.zeros_like(), |above, power| {
            above + power.cast(IntDType::I32)
        });
        let tail = sum
            .bitwise_right_shift(above.clone().add_scalar(4))
            .bitwise_and_scalar(1023);
        let tail = self.log2.clone().select(0, tail.reshape([samples]));
        let log2 = above.mul_scalar(1 << 16).reshape([samples]) + tail;
        log2 + down.reshape([samples])
    }
}

impl Evaluator for BurnEvaluator {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        // The ops of transformers are the reference's for now, exact and slow.
        if !graph.is_mlp() {
            return Reference.losses(graph, weights, samples);
        }
        let losses = self.batches(graph, weights, samples, |logits, labels| {
            self.cross_entropy(logits, labels)
        })?;
        // Non-negative when the device is right; when it is not, any wrong value will do.
        Ok(losses.into_iter().map(|loss| loss as u32).collect())
    }
}

/// An op with its parameters on the device.
enum Step {
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
}

impl Step {
    /// From and to `[samples, length]`.
    fn run(&self, values: Tensor<2, Int>) -> Tensor<2, Int> {
        match self {
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
                let t = rs(values, shift_in).clamp(-32_767, 32_767);
                rs(t.mul_scalar(multiplier), shift_out).clamp(-bound, bound)
            }
            Self::Relu => values.clamp_min(0),
        }
    }
}

/// `gotong_scoring::arith::rs` on tensors, for shifts up to 31: adding the highest dropped bit
/// after the shift rounds without overflow.
fn rs(a: Tensor<2, Int>, shift: i32) -> Tensor<2, Int> {
    if shift == 0 {
        return a;
    }
    let half = a
        .clone()
        .bitwise_right_shift_scalar(shift - 1)
        .bitwise_and_scalar(1);
    a.bitwise_right_shift_scalar(shift) + half
}

fn int(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::I32))
}
