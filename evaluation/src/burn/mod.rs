//! The exact machine on any device that Burn knows.
//!
//! A matrix product runs in f32 on integer-valued tensors, with at most [`CHUNK`] products to a sum: 127 * 127 * 1024 < 2^24, so
//! that f32 holds every partial sum exactly, whatever the order of the additions. Everything else is i32. No shift is by 32 or
//! more, because there devices differ.
//!
//! Each family of ops has a file, as in `gotong_scoring::op`. There an op is a struct with its parameters
//! on the device, and its `forward` turns what the op before gave into what this op gives. `backward` turns the
//! adjoint of that into the adjoint of what it took.

mod activation;
mod adjoint;
mod arith;
mod attention;
mod batch;
mod embed;
mod gradient;
mod image;
mod linear;
mod loss;
mod norm;
mod prepared;
mod requant;
mod residual;

use burn::tensor::Device;
use gotong_scoring::{evaluator, machine, EvalError, Evaluator, Flow, Graph, Kind, Samples};

use super::{DeviceEvaluator, Traced};
use arith::{read, Tables};
use batch::{Batch, Context};
use gotong_panics::caught;
use prepared::PreparedOp;

/// Most products in one f32 sum.
const CHUNK: usize = 1024;
/// Most samples on the device at a time.
const BATCH: usize = 4096;
/// Approximate number of values of the largest tensor, unless the device has too little memory.
const BATCH_VALUES: u64 = 1 << 24;

/// Evaluates on a device of Burn.
#[derive(Clone, Debug)]
pub struct BurnEvaluator {
    device: Device,
    tables: Tables,
    /// Approximate number of values of the largest tensor.
    batch_values: u64,
}

impl BurnEvaluator {
    /// Puts the machine's tables on the device.
    pub fn new(device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let tables = Tables::new(&device);
        Self {
            device,
            tables,
            batch_values: BATCH_VALUES,
        }
    }

    /// Logits of every sample in 1/64 log2 units: those of all its tokens, one after another.
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
        caught(
            || self.run(graph, weights, samples, each),
            EvalError::Device,
        )
    }

    /// Like [`BurnEvaluator::batches`], for a graph, weights and samples that fit together.
    fn run(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        mut each: impl FnMut(Batch) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        check_labels(graph, samples.labels())?;
        let flows = graph.flows()?;
        let ops = self.prepared(graph, weights);
        let all = flows.iter().map(Flow::values).chain([graph.inputs.into()]);
        let most = all.max().unwrap_or(1).max(1);
        let live = graph.memory()?.values.max(1);
        // All tensors that are live at one time may have four times as many values, which take 256 MiB.
        let size = (self.batch_values / most).min(4 * self.batch_values / live);
        let size = (size as usize).clamp(1, BATCH);
        let inputs = samples.inputs();
        let pixels = samples.pixels().chunks(size * inputs);
        for (pixels, labels) in pixels.zip(samples.labels().chunks(size)) {
            each(Batch {
                samples: labels.len(),
                pixels,
                labels,
                graph,
                ops: &ops,
                flows: &flows,
                evaluator: self,
            })?;
        }
        Ok(())
    }

    /// All ops with their parameters on the device.
    fn prepared(&self, graph: &Graph, weights: &[i16]) -> Vec<PreparedOp> {
        let ops = graph.ops.iter().zip(graph.parameters_read());
        ops.map(|(op, read)| PreparedOp::new(op, &weights[read], &self.device))
            .collect()
    }
}

/// Refuses labels that are not classes.
fn check_labels(graph: &Graph, labels: &[u8]) -> Result<(), EvalError> {
    let classes = graph.classes();
    match labels.iter().any(|&label| u32::from(label) >= classes) {
        true => Err(EvalError::WrongOperand),
        false => Ok(()),
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
            // Never negative if the device is right; if it is not, any wrong value will do.
            losses.extend(values.into_iter().map(|loss| loss as u32));
            Ok(())
        })?;
        Ok(losses)
    }
}

impl DeviceEvaluator for BurnEvaluator {
    fn take_fewer(&mut self) {
        self.batch_values = (self.batch_values / 2).max(1);
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

/// What an op gave on one sample. The smallest narrow or wide value is never right: it stands for every value that is out of
/// bounds.
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
