use super::{BurnEvaluator, FastCpu};
use gotong_scoring::{EvalError, Evaluator, Graph, Samples};
use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc,
};
use tokio::sync::Mutex;

/// The evaluator that a user chose.
#[derive(Clone, Debug, Default)]
pub enum Machine {
    /// All cores of the processor.
    #[default]
    Cpu,
    /// A device of Burn.
    Device(Box<BurnEvaluator>),
}

impl Evaluator for Machine {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        match self {
            Self::Cpu => FastCpu.losses(graph, weights, samples),
            Self::Device(device) => device.losses(graph, weights, samples),
        }
    }
}

/// Tells an evaluation that nobody waits for it any more.
#[derive(Clone, Debug, Default)]
pub struct Halt(Arc<AtomicBool>);

impl Halt {
    pub fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Held while a model is evaluated. Who has waited longest is next.
static TURN: Mutex<()> = Mutex::const_new(());

/// A machine that evaluations share: one model is evaluated at a time, and they take turns, so that a round of a
/// thousand models holds up another one by no more than one of them. It halts between two models.
#[derive(Clone, Debug)]
pub struct Shared<E> {
    evaluator: E,
    halt: Halt,
}

impl<E> Shared<E> {
    pub fn new(evaluator: E, halt: Halt) -> Self {
        Self { evaluator, halt }
    }
}

impl<E: Evaluator> Evaluator for Shared<E> {
    /// Blocks, and so is for threads that may.
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        let _turn = TURN.blocking_lock();
        if self.halt.is_told() {
            return Err(EvalError::Device("it was told to halt".into()));
        }
        self.evaluator.losses(graph, weights, samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::AtomicUsize,
        thread::{sleep, spawn},
        time::Duration,
    };

    /// Takes its time, and counts.
    #[derive(Clone, Default)]
    struct Slow(Arc<AtomicUsize>);

    impl Evaluator for Slow {
        fn losses(&mut self, _: &Graph, _: &[i16], _: &Samples) -> Result<Vec<u32>, EvalError> {
            sleep(Duration::from_millis(5));
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        }
    }

    /// Evaluates so many models.
    fn evaluate(evaluator: &Slow, halt: &Halt, models: usize) -> Result<(), EvalError> {
        let mut shared = Shared::new(evaluator.clone(), halt.clone());
        let graph = Graph::mlp(&[2, 2]);
        let samples = Samples::new(2, 2, &[0; 3]).unwrap();
        (0..models).try_for_each(|_| shared.losses(&graph, &[], &samples).map(drop))
    }

    #[test]
    fn a_long_evaluation_holds_up_another_by_a_model_and_halts_when_told() {
        let (long, short, halt) = (Slow::default(), Slow::default(), Halt::default());
        let (evaluator, told) = (long.clone(), halt.clone());
        let running = spawn(move || evaluate(&evaluator, &told, usize::MAX));
        while long.0.load(Ordering::Relaxed) == 0 {
            sleep(Duration::from_millis(1));
        }
        let before = long.0.load(Ordering::Relaxed);
        evaluate(&short, &Halt::default(), 3).unwrap();
        let meanwhile = long.0.load(Ordering::Relaxed) - before;
        assert!(meanwhile <= 30, "{meanwhile} models for 3");
        halt.tell();
        assert!(running.join().unwrap().is_err());
    }
}
