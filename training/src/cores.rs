//! Gradients on all cores.

use std::{panic::resume_unwind, thread::scope};

use burn::{
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Device, Tensor},
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{batch::Batch, model::Network, TrainingError};

/// What computes the gradients of an update. On the processor every core takes a part of the batch, since
/// most of what Burn does there runs on one core; a GPU takes all of it, from this thread.
pub(super) struct Cores(Vec<ThreadPool>);

impl Cores {
    /// The cores for batches of `size` samples on `device`: at most as many as the pool that this runs in has threads, or else all
    /// cores.
    pub fn of(device: &Device, size: usize) -> Result<Self, TrainingError> {
        match *device == Device::flex() {
            true => Self::new(rayon::current_num_threads().min(size)),
            false => Self::new(1),
        }
    }

    pub fn new(count: usize) -> Result<Self, TrainingError> {
        if count < 2 {
            return Ok(Self(Vec::new()));
        }
        // One thread each, so that Burn does not divide its work once more.
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).build();
        let pools: Result<_, _> = (0..count).map(pool).collect();
        let failed = |error: rayon::ThreadPoolBuildError| TrainingError::Device(error.to_string());
        pools.map(Self).map_err(failed)
    }

    /// Mean loss of these samples, and its gradients; `batch` loads a part of the samples.
    pub fn gradients(
        &self,
        network: &Network,
        samples: &[usize],
        batch: impl Fn(&[usize]) -> Batch + Sync,
    ) -> (Tensor<1>, GradientsParams) {
        let of_part = |part: &[usize]| {
            let own = network.detached();
            let share = part.len() as f64 / samples.len() as f64;
            let loss = own.loss(batch(part)).mul_scalar(share);
            let gradients = GradientsParams::from_grads(loss.backward(), &own);
            (loss.inner(), gradients)
        };
        if self.0.is_empty() {
            return of_part(samples);
        }
        let parts = samples.chunks(samples.len().div_ceil(self.0.len()));
        let computed: Vec<_> = scope(|scope| {
            let of_part = &of_part;
            let parts = self.0.iter().zip(parts);
            let threads: Vec<_> = parts
                .map(|(pool, part)| scope.spawn(move || pool.install(|| of_part(part))))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|part| part.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        let mut sum = GradientsAccumulator::new();
        let mut losses = Vec::new();
        for (loss, gradients) in computed {
            sum.accumulate(network, gradients);
            losses.push(loss);
        }
        (Tensor::cat(losses, 0).sum(), sum.grads())
    }
}
