//! What evaluates models: the processor or a device, and how evaluations take turns on it.

use super::{CheckedDevice, FastCpu};
use gotong_scoring::{gradient::Differentiator, EvalError, Evaluator, Graph, Samples};
use std::{
    ops::Range,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    time::{Duration, Instant},
};

/// The evaluator that a user chose.
#[derive(Clone, Debug, Default)]
pub enum Backend {
    /// All cores of the processor.
    #[default]
    Cpu,
    /// A device until it is found wrong, and from then on the processor.
    Device(CheckedDevice),
}

impl Backend {
    /// The device that evaluates; none if the processor does.
    pub fn device(&self) -> Option<&CheckedDevice> {
        match self {
            Self::Device(device) if device.is_trusted() => Some(device),
            _ => None,
        }
    }

    /// The same backend, but it gives up `turn` while it waits for a device.
    fn in_turns(self, turn: &Turn) -> Self {
        match self {
            Self::Cpu => Self::Cpu,
            Self::Device(device) => Self::Device(device.in_turns(turn.clone())),
        }
    }
}

impl Evaluator for Backend {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        match self {
            Self::Device(device) if device.is_trusted() => device.losses(graph, weights, samples),
            _ => FastCpu.losses(graph, weights, samples),
        }
    }
}

impl Differentiator for Backend {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        match self {
            Self::Device(device) if device.is_trusted() => {
                device.gradients(graph, weights, samples, groups, see)
            }
            _ => FastCpu.gradients(graph, weights, samples, groups, see),
        }
    }
}

/// Tells an evaluation that nobody is waiting for it any more.
#[derive(Clone, Debug, Default)]
pub struct Halt(Arc<AtomicBool>);

impl Halt {
    /// Asks the evaluation to halt.
    pub fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Held by the one evaluation in this process that has the turn. An evaluation that has waited for long is next, whereas a mutex of
/// the standard library may give the turn to the same one again and again.
static PROCESSOR: async_lock::Mutex<()> = async_lock::Mutex::new(());
/// How long to keep the turn: long enough for all models of a light round.
const KEPT: Duration = Duration::from_secs(10);

/// The turn itself. Dropping it gives it up.
#[derive(Debug)]
struct Held {
    _processor: async_lock::MutexGuard<'static, ()>,
    since: Instant,
}

impl Held {
    /// Waits for the turn.
    fn wait() -> Self {
        Self {
            _processor: PROCESSOR.lock_blocking(),
            since: Instant::now(),
        }
    }
}

/// One evaluation's turn on the processor, which it may or may not have. Clones belong to the same evaluation.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    kept: Duration,
    held: Arc<Mutex<Option<Held>>>,
}

impl Turn {
    fn new() -> Self {
        Self {
            kept: KEPT,
            held: Arc::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn, unless the evaluation already has it and has not had it for long. Blocks, so only call it on a thread
    /// that may block.
    pub fn take(&self) {
        let mut held = self.held();
        held.take_if(|held| held.since.elapsed() >= self.kept);
        held.get_or_insert_with(Held::wait);
    }

    /// Gives up the turn, so that others may evaluate.
    pub fn let_go(&self) {
        *self.held() = None;
    }
}

/// A backend that evaluations share. They take turns, of some seconds or of one model, so that a round that takes hours holds up a
/// light one by no more than one of its models. It halts between two models. A gradient takes a turn as a model's losses do. An
/// evaluation that waits for a device has no turn.
#[derive(Debug)]
pub struct Shared<E> {
    evaluator: E,
    halt: Halt,
    turn: Turn,
}

impl<E> Shared<E> {
    /// Evaluates by `evaluator`, in turn with all others of this process, until `halt` is told.
    pub fn new(evaluator: E, halt: Halt) -> Self {
        Self {
            evaluator,
            halt,
            turn: Turn::new(),
        }
    }
}

impl Shared<Backend> {
    /// Evaluates by `backend`, in turn with all others of this process except while it waits for a device, until `halt` is told.
    pub fn backend(backend: Backend, halt: Halt) -> Self {
        let turn = Turn::new();
        Self {
            evaluator: backend.in_turns(&turn),
            halt,
            turn,
        }
    }
}

impl<E> Shared<E> {
    /// The evaluator, once it has its turn. Blocks, so only call it on a thread that may block.
    fn in_turn(&mut self) -> Result<&mut E, EvalError> {
        self.turn.take();
        if self.halt.is_told() {
            return Err(EvalError::Device("it was told to halt".into()));
        }
        Ok(&mut self.evaluator)
    }
}

impl<E: Evaluator> Evaluator for Shared<E> {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        self.in_turn()?.losses(graph, weights, samples)
    }
}

impl<E: Differentiator> Differentiator for Shared<E> {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        let evaluator = self.in_turn()?;
        evaluator.gradients(graph, weights, samples, groups, see)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::after::{After, Happening},
        *,
    };
    use std::{
        sync::atomic::AtomicUsize,
        thread::{spawn, yield_now},
    };

    /// Counts its calls.
    #[derive(Clone, Debug, Default)]
    struct Counting(Arc<AtomicUsize>);

    impl Happening for Counting {
        fn happen(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Evaluates and differentiates `models` models, each in two turns of its own.
    fn evaluate(evaluator: &Counting, halt: &Halt, models: usize) -> Result<(), EvalError> {
        let mut shared = Shared::new(After(evaluator.clone()), halt.clone());
        shared.turn.kept = Duration::ZERO;
        let graph = Graph::mlp(&[2, 2]);
        let weights = vec![0; graph.parameters()];
        let samples = Samples::new(2, 2, &[0; 3]).unwrap();
        (0..models).try_for_each(|_| {
            shared.losses(&graph, &weights, &samples)?;
            shared.gradients(&graph, &weights, &samples, &[], &mut |_, _| ())
        })
    }

    #[test]
    fn a_light_evaluation_has_its_turns_beside_an_endless_one_which_halts_when_told() {
        let (endless, light, halt) = (Counting::default(), Counting::default(), Halt::default());
        let (evaluator, told) = (endless.clone(), halt.clone());
        let running = spawn(move || evaluate(&evaluator, &told, usize::MAX));
        while endless.0.load(Ordering::Relaxed) == 0 {
            yield_now();
        }
        evaluate(&light, &Halt::default(), 3).unwrap();
        assert_eq!(light.0.load(Ordering::Relaxed), 6);
        assert!(!running.is_finished());
        halt.tell();
        assert!(running.join().unwrap().is_err());
    }
}
