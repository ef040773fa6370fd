//! A device whose answers are checked before anybody relies on them.
//!
//! A self-test at the start says nothing about what a device does hours later. So the device computes everything twice, the second
//! time with other samples in the same places: losses in another order, and a gradient as the sum of the gradients of two parts. A
//! word that is flipped in either is noticed, wherever it is, unless both are wrong in the same way. A device that is wrong
//! systematically, not by chance, does that: the processor looks for it in a few samples of every model and in one gradient of
//! every stage, and nobody knows beforehand which ones. The time that this takes the processor determines how long the device may
//! take: one that hangs is given up. While it is waited for, others have their turn on the processor.

use super::{
    backend::Turn,
    device_thread::{DeviceThread, NoAnswer},
    self_test::gradient,
    FastCpu,
};
use gotong_panics::caught;
use gotong_scoring::{
    evaluator::check,
    gradient::{check_groups, Differentiator},
    EvalError, Evaluator, Graph, Samples,
};
use rand::{rngs::StdRng, seq::index, Rng, SeedableRng};
use std::{
    error::Error,
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
    /// From now on, put about half as many samples on the device at once: it may have too little memory.
    fn take_fewer(&mut self);
}

/// Records that a device was found wrong, so that it is not trusted again after a restart.
pub trait DistrustRecord: Debug + Send + Sync {
    /// Records how the device was found wrong.
    ///
    /// # Errors
    /// The record cannot be written.
    fn found_wrong(&self, why: Mismatch) -> Result<(), Box<dyn Error>>;
}

/// A device whose answers are checked. Its clones are the same device: one that was found wrong is wrong for all.
#[derive(Clone, Debug)]
pub struct CheckedDevice {
    device: Arc<Mutex<Device>>,
    is_wrong: Arc<AtomicBool>,
    /// The time between the first failure and the second try.
    pause: Duration,
    /// The minimum time to wait for an answer.
    patience: Duration,
    /// The caller's turn on the processor, if it takes turns with others.
    turn: Option<Turn>,
    /// Where to record that the device was found wrong.
    record: Option<Arc<dyn DistrustRecord>>,
}

#[derive(Debug)]
struct Device {
    thread: DeviceThread,
    /// The time until which the device is left alone, because it failed again and again.
    rests_until: Option<Instant>,
}

/// How a device was found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Losses that differ between two orders of the samples.
    #[error("the same samples in another order have different losses")]
    Order,
    /// A gradient that is not the sum of its parts.
    #[error("a gradient is not the sum of its parts' gradients")]
    Parts,
    /// Losses of a few samples, which the processor checked.
    #[error("the processor computes different losses")]
    Losses,
    /// A gradient that the processor checked.
    #[error("the processor computes a different gradient")]
    Gradient,
    /// The table of a round.
    #[error("the processor computes a different table")]
    Table,
    /// No answer for a long time.
    #[error("it does not answer, although the processor would have done so long ago")]
    Silence,
}

/// Why the device gave no usable answer.
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

/// Samples of a model whose losses the processor also computes.
const SPOT: usize = 16;
/// How often a failing device is asked.
const ATTEMPTS: u32 = 4;
/// How long it is left alone after that.
const REST: Duration = Duration::from_secs(600);
/// A device that takes this many times as long as all cores of the processor is of no use, or hangs.
const TOO_SLOW: u32 = 10;
/// The minimum time to wait for an answer: a driver compiles its kernels when they are first needed.
const PATIENCE: Duration = Duration::from_secs(60);

impl CheckedDevice {
    /// Relies on this device until it is found wrong.
    pub fn new(evaluator: Box<dyn DeviceEvaluator>) -> Self {
        let rests_until = None;
        Self {
            device: Arc::new(Mutex::new(Device {
                thread: DeviceThread::start(evaluator),
                rests_until,
            })),
            is_wrong: Arc::default(),
            pause: Duration::from_secs(1),
            patience: PATIENCE,
            turn: None,
            record: None,
        }
    }

    /// The same device, which records in `record` if it is found wrong.
    pub fn recorded_in(self, record: impl DistrustRecord + 'static) -> Self {
        Self {
            record: Some(Arc::new(record)),
            ..self
        }
    }

    /// The same device, for an evaluation that gives up its turn on the processor while it waits for an answer.
    pub(super) fn in_turns(self, turn: Turn) -> Self {
        Self {
            turn: Some(turn),
            ..self
        }
    }

    /// The processor, used in turn.
    fn processor(&self) -> FastCpu {
        if let Some(turn) = &self.turn {
            turn.take();
        }
        FastCpu
    }

    /// Whether it was never found wrong.
    pub fn is_trusted(&self) -> bool {
        !self.is_wrong.load(Ordering::Relaxed)
    }

    /// The device was found wrong. From now on nobody relies on it in this process, nor after a restart if it has a record. The
    /// user is told once.
    pub fn distrust(&self, why: Mismatch) {
        if !self.is_wrong.swap(true, Ordering::Relaxed) {
            let recorded = self.record.as_ref().map(|record| record.found_wrong(why));
            if let Some(Err(error)) = recorded {
                tracing::error!(
                    "cannot record that the device is wrong. Leave `--device` out next time; otherwise the device will be trusted again: {error}"
                );
            }
            let what = match why {
                Mismatch::Silence => "THE DEVICE HANGS and is abandoned",
                _ => "THE DEVICE COMPUTES WRONGLY",
            };
            tracing::error!(
                "{what}: {why}. Its results are discarded. From now on the processor evaluates, even after a restart; it \
                 repeats what was under way or not used yet. See what `gotong doctor` says about the device"
            );
        }
    }

    /// The device's answer. If the device fails, it is asked again after a pause, and then with fewer samples at once. None if that
    /// does not help either; then it is left alone for a while.
    ///
    /// # Errors
    /// The device is wrong, or has not answered within `limit`.
    fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl Fn(&mut dyn DeviceEvaluator) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<Option<T>, EvalError> {
        // The device may take long to answer.
        if let Some(turn) = &self.turn {
            turn.let_go();
        }
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        if device
            .rests_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Ok(None);
        }
        let question = Arc::new(question);
        for attempt in 1..=ATTEMPTS {
            if !self.is_trusted() {
                // The device was given up while this waited for its turn.
                return Err(EvalError::Device("the program gave up on it".into()));
            }
            let (asked, has_fewer) = (question.clone(), attempt > 2);
            let answered = device.thread.ask(limit, move |device| {
                if has_fewer {
                    device.take_fewer();
                }
                caught(|| asked(device), Fault::Failed)
            });
            let answered = answered.unwrap_or_else(|none| match none {
                NoAnswer::Late => Err(Fault::Wrong(Mismatch::Silence)),
                NoAnswer::Gone => Err(Fault::Failed("its thread has ended".into())),
            });
            match answered {
                Ok(answer) => return Ok(Some(answer)),
                Err(Fault::Wrong(why)) => return Err(self.found_wrong(why)),
                Err(Fault::Failed(why)) if attempt < ATTEMPTS => {
                    let pause = self.pause.saturating_mul(1 << (attempt - 1));
                    let how = match attempt {
                        1 => "",
                        _ => ", with fewer samples at once",
                    };
                    tracing::warn!("{why}; trying the device again in {pause:?}{how}");
                    sleep(pause);
                }
                Err(Fault::Failed(why)) => tracing::error!(
                    "{why}. The device failed {ATTEMPTS} times, so the processor evaluates for the next {REST:?}. If the \
                     device has too little memory, stop other programs that use it; if it keeps failing, leave `--device` out"
                ),
            }
        }
        device.rests_until = Some(Instant::now() + REST);
        Ok(None)
    }

    fn found_wrong(&self, why: Mismatch) -> EvalError {
        self.distrust(why);
        EvalError::Device(why.to_string())
    }

    /// Longest wait for the device to do `all`, given that the processor took `took` for what was `done`.
    fn limit(&self, took: Duration, done: Work, all: Work) -> Duration {
        let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        // What one thread would take.
        let more = all.samples.saturating_mul(done.threads);
        let of_all = took.saturating_mul(whole(more).saturating_mul(TOO_SLOW));
        let fewer = done.samples.saturating_mul(all.threads);
        (of_all / whole(fewer).max(1)).max(self.patience)
    }
}

/// What the processor has to do.
#[derive(Clone, Copy, Debug)]
struct Work {
    samples: usize,
    /// How many threads do it: a few samples do not keep all of them busy.
    threads: usize,
}

impl Evaluator for CheckedDevice {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        check(graph, weights, samples)?;
        let few = index::sample(
            &mut StdRng::from_os_rng(),
            samples.len(),
            SPOT.min(samples.len()),
        );
        let few: Vec<u32> = few.into_iter().map(|sample| sample as u32).collect();
        let mut processor = self.processor();
        let started = Instant::now();
        let exact = processor.losses(graph, weights, &samples.select(&few))?;
        let took = started.elapsed();
        let work = |samples| {
            let threads = FastCpu::threads_for_losses(graph, samples)?;
            Ok::<_, EvalError>(Work { samples, threads })
        };
        let limit = self.limit(took, work(few.len())?, work(samples.len())?);
        let model = Model::new(graph, weights);
        let all = samples.clone();
        match self.ask(limit, move |device| checked_losses(device, &model, &all))? {
            Some(losses) if picked(&losses, &few) == exact => Ok(losses),
            Some(_) => Err(self.found_wrong(Mismatch::Losses)),
            None => self.processor().losses(graph, weights, samples),
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
        let part = |group: &Range<usize>| {
            let members: Vec<u32> = group.clone().map(|sample| sample as u32).collect();
            samples.select(&members)
        };
        let spot = StdRng::from_os_rng().random_range(0..groups.len().max(1));
        let Some(of_spot) = groups.get(spot).map(part) else {
            return Ok(());
        };
        let mut processor = self.processor();
        let started = Instant::now();
        let exact = gradient(&mut processor, graph, weights, &of_spot)?;
        let took = started.elapsed();
        let work = |samples| {
            let threads = FastCpu::threads_for_gradient(graph, samples)?;
            Ok::<_, EvalError>(Work { samples, threads })
        };
        let model = Model::new(graph, weights);
        for (number, group) in groups.iter().enumerate() {
            let limit = self.limit(took, work(of_spot.len())?, work(group.len())?);
            let (own, of) = (part(group), model.clone());
            match self.ask(limit, move |device| checked_gradient(device, &of, &own))? {
                Some(given) if number == spot && given != exact => {
                    return Err(self.found_wrong(Mismatch::Gradient));
                }
                Some(given) => see(number, &given),
                None if number == spot => see(number, &exact),
                None => see(
                    number,
                    &gradient(&mut self.processor(), graph, weights, &part(group))?,
                ),
            }
        }
        Ok(())
    }
}

/// What a device evaluates. It is shared with the device's thread, which may outlive the caller.
#[derive(Clone)]
struct Model {
    graph: Arc<Graph>,
    weights: Arc<[i16]>,
}

impl Model {
    fn new(graph: &Graph, weights: &[i16]) -> Self {
        Self {
            graph: Arc::new(graph.clone()),
            weights: weights.into(),
        }
    }

    fn losses(
        &self,
        device: &mut dyn DeviceEvaluator,
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        device.losses(&self.graph, &self.weights, samples)
    }

    fn gradient(
        &self,
        device: &mut dyn DeviceEvaluator,
        samples: &Samples,
    ) -> Result<Vec<i64>, EvalError> {
        gradient(device, &self.graph, &self.weights, samples)
    }
}

/// The losses that a device gives in one order and in another.
fn checked_losses(
    device: &mut dyn DeviceEvaluator,
    model: &Model,
    samples: &Samples,
) -> Result<Vec<u32>, Fault> {
    let given = model.losses(device, samples)?;
    let order = turned(samples.len(), &mut StdRng::from_os_rng());
    let again = model.losses(device, &samples.select(&order))?;
    match given.len() == samples.len() && picked(&given, &order) == again {
        true => Ok(given),
        false => Err(Fault::Wrong(Mismatch::Order)),
    }
}

/// The gradient of all samples as a device gives it, if it is the sum of the gradients of two parts. They are computed separately,
/// so the weights are sent to the device three times.
fn checked_gradient(
    device: &mut dyn DeviceEvaluator,
    model: &Model,
    samples: &Samples,
) -> Result<Vec<i64>, Fault> {
    let given = model.gradient(device, samples)?;
    let order = turned(samples.len(), &mut StdRng::from_os_rng());
    let mut sum = vec![0i64; model.weights.len()];
    for part in order.chunks(order.len().div_ceil(2).max(1)) {
        let of_part = model.gradient(device, &samples.select(part))?;
        for (sum, value) in sum.iter_mut().zip(of_part) {
            *sum = sum.wrapping_add(value);
        }
    }
    match given == sum {
        true => Ok(given),
        false => Err(Fault::Wrong(Mismatch::Parts)),
    }
}

/// The numbers below `count`, in an order that begins anywhere but at 0: each number changes its place.
fn turned(count: usize, random: &mut StdRng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    if count > 1 {
        order.rotate_left(random.random_range(1..count));
    }
    order
}

/// The losses with these numbers.
fn picked(losses: &[u32], numbers: &[u32]) -> Vec<u32> {
    let picked = numbers.iter().map(|at| losses.get(*at as usize).copied());
    picked.flatten().collect()
}

#[cfg(test)]
mod tests;
