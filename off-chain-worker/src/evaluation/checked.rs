//! A device whose answers are checked before anybody relies on them.
//!
//! A self-test at the start says nothing of what a device does hours later. So the device computes everything twice, the
//! second time with other samples in the same places: losses in another order, and a gradient as the sum of the gradients of
//! two parts. A word that is flipped in either is noticed, wherever it is, unless both are wrong in the same way. That is what
//! a device does that computes wrongly and not by chance: the processor looks for it, in a few samples of every model and in
//! one gradient of every stage. Which ones, nobody knows before.

use super::{self_test::gradient, FastCpu};
use crate::panics::caught;
use gotong_scoring::{
    evaluator::check,
    gradient::{check_groups, Differentiator},
    EvalError, Evaluator, Graph, Samples,
};
use rand::{rngs::StdRng, seq::index, Rng, SeedableRng};
use std::{
    fmt::Debug,
    ops::Range,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, PoisonError,
    },
    thread::sleep,
    time::{Duration, Instant},
};

/// What evaluates on a device.
pub trait DeviceEvaluator: Evaluator + Differentiator + Debug + Send {
    /// From now on has about half as many samples on the device at once: it may have too little memory.
    fn take_fewer(&mut self);
}

/// A device whose answers are checked. Its clones are the same device: one that was found wrong is wrong for all.
#[derive(Clone, Debug)]
pub struct CheckedDevice {
    device: Arc<Mutex<Device>>,
    is_wrong: Arc<AtomicBool>,
    /// The time between the first failure and the second try.
    pause: Duration,
}

#[derive(Debug)]
struct Device {
    evaluator: Box<dyn DeviceEvaluator>,
    /// Until when it is left alone, because it failed again and again.
    rests_until: Option<Instant>,
}

/// How a device was found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Losses, from one order of samples to another.
    #[error("the losses of the same samples in another order are others")]
    Order,
    /// A gradient and its parts.
    #[error("a gradient is not the sum of those of its parts")]
    Parts,
    /// Losses of a few samples.
    #[error("the processor computes other losses")]
    Losses,
    /// A gradient.
    #[error("the processor computes another gradient")]
    Gradient,
    /// The table of a round.
    #[error("the processor computes another table")]
    Table,
}

/// Why there is no answer.
enum Fault {
    /// It is wrong.
    Wrong(Mismatch),
    /// The device could not compute it.
    Failed(String),
}

impl From<EvalError> for Fault {
    fn from(error: EvalError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Samples of a model whose losses the processor computes, too.
const SPOT: usize = 16;
/// How often a device is asked that fails.
const ATTEMPTS: u32 = 4;
/// How long it is then left alone.
const REST: Duration = Duration::from_secs(600);

impl CheckedDevice {
    /// Relies on this device until it is found wrong.
    pub fn new(evaluator: Box<dyn DeviceEvaluator>) -> Self {
        let rests_until = None;
        Self {
            device: Arc::new(Mutex::new(Device {
                evaluator,
                rests_until,
            })),
            is_wrong: Arc::default(),
            pause: Duration::from_secs(1),
        }
    }

    /// Whether it was never found wrong.
    pub fn is_trusted(&self) -> bool {
        !self.is_wrong.load(Ordering::Relaxed)
    }

    /// It was found wrong: nobody relies on it any more in this process. The user is told, once.
    pub fn distrust(&self, why: Mismatch) {
        if !self.is_wrong.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "THE DEVICE COMPUTES WRONGLY: {why}. Nothing of it is used; from now on the processor evaluates, and what was under \
                 way begins anew there. Leave `--device` out from the next start on, and see what `gotong doctor` says of the device"
            );
        }
    }

    /// What the device answers. If it fails it is asked again after a pause, then with fewer samples at once; none if that
    /// does not help either, and then it is left alone for a while.
    ///
    /// # Errors
    /// That it is wrong.
    fn ask<T>(
        &self,
        question: impl Fn(&mut dyn DeviceEvaluator) -> Result<T, Fault>,
    ) -> Result<Option<T>, EvalError> {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        if device
            .rests_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Ok(None);
        }
        for attempt in 1..=ATTEMPTS {
            let asked = caught(|| question(device.evaluator.as_mut()), Fault::Failed);
            match asked {
                Ok(answer) => return Ok(Some(answer)),
                Err(Fault::Wrong(why)) => {
                    self.distrust(why);
                    return Err(EvalError::Device(why.to_string()));
                }
                Err(Fault::Failed(why)) if attempt < ATTEMPTS => {
                    let pause = self.pause.saturating_mul(1 << (attempt - 1));
                    let mut how = "";
                    if attempt > 1 {
                        device.evaluator.take_fewer();
                        how = ", with fewer samples at once";
                    }
                    tracing::warn!("{why}; asking it again in {pause:?}{how}");
                    sleep(pause);
                }
                Err(Fault::Failed(why)) => tracing::error!(
                    "{why}. It failed {ATTEMPTS} times: the processor evaluates for the next {REST:?}. If the device has too little \
                     memory, end what else uses it; if it goes on failing, leave `--device` out"
                ),
            }
        }
        device.rests_until = Some(Instant::now() + REST);
        Ok(None)
    }
}

impl Evaluator for CheckedDevice {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        check(graph, weights, samples)?;
        match self.ask(|device| checked_losses(device, graph, weights, samples))? {
            Some(losses) => Ok(losses),
            None => FastCpu.losses(graph, weights, samples),
        }
    }
}

impl Differentiator for CheckedDevice {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        check(graph, weights, samples)?;
        check_groups(groups, samples.len())?;
        let spot = StdRng::from_os_rng().random_range(0..groups.len().max(1));
        for (number, group) in groups.iter().enumerate() {
            let members: Vec<u32> = group.clone().map(|sample| sample as u32).collect();
            let own = samples.select(&members);
            let asked = self.ask(|device| {
                let given = checked_gradient(device, graph, weights, &own)?;
                if number == spot && given != gradient(&mut FastCpu, graph, weights, &own)? {
                    return Err(Fault::Wrong(Mismatch::Gradient));
                }
                Ok(given)
            });
            match asked? {
                Some(given) => see(number, &given),
                None => see(number, &gradient(&mut FastCpu, graph, weights, &own)?),
            }
        }
        Ok(())
    }
}

/// The losses that a device gives in one order and in another, and that are the processor's where that looks.
fn checked_losses(
    device: &mut dyn DeviceEvaluator,
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
) -> Result<Vec<u32>, Fault> {
    let mut random = StdRng::from_os_rng();
    let given = device.losses(graph, weights, samples)?;
    let order = turned(samples.len(), &mut random);
    let again = device.losses(graph, weights, &samples.select(&order))?;
    if given.len() != samples.len() || picked(&given, &order) != again {
        return Err(Fault::Wrong(Mismatch::Order));
    }
    let few = index::sample(&mut random, samples.len(), SPOT.min(samples.len()));
    let few: Vec<u32> = few.into_iter().map(|sample| sample as u32).collect();
    let exact = FastCpu.losses(graph, weights, &samples.select(&few))?;
    match picked(&given, &few) == exact {
        true => Ok(given),
        false => Err(Fault::Wrong(Mismatch::Losses)),
    }
}

/// The gradient of all samples that a device gives, if it is the sum of those of two parts. They are computed apart, so that the
/// weights come to the device three times.
fn checked_gradient(
    device: &mut dyn DeviceEvaluator,
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
) -> Result<Vec<i64>, Fault> {
    let given = gradient(device, graph, weights, samples)?;
    let order = turned(samples.len(), &mut StdRng::from_os_rng());
    let mut sum = vec![0i64; weights.len()];
    for part in order.chunks(order.len().div_ceil(2).max(1)) {
        let of_part = gradient(device, graph, weights, &samples.select(part))?;
        for (sum, value) in sum.iter_mut().zip(of_part) {
            *sum = sum.wrapping_add(value);
        }
    }
    match given == sum {
        true => Ok(given),
        false => Err(Fault::Wrong(Mismatch::Parts)),
    }
}

/// So many numbers in an order that begins anywhere but at 0: each has another place.
fn turned(count: usize, random: &mut StdRng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    if count > 1 {
        order.rotate_left(random.random_range(1..count));
    }
    order
}

/// Those of these numbers.
fn picked(losses: &[u32], numbers: &[u32]) -> Vec<u32> {
    let picked = numbers.iter().map(|at| losses.get(*at as usize).copied());
    picked.flatten().collect()
}

#[cfg(test)]
mod tests;
