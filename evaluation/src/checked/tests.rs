//! A device that goes wrong is found out.

use super::super::{
    after::{After, Happening},
    test_lab::Lab,
    Backend, BurnEvaluator, Flipping, Halt, Shared,
};
use super::*;
use burn::tensor::Device;
use gotong_scoring::Reference;
use std::{
    sync::{
        atomic::AtomicUsize,
        mpsc::{channel, Receiver, Sender},
    },
    thread::spawn,
};

/// A model, and what it is evaluated on.
struct Round {
    graph: Graph,
    weights: Vec<i16>,
    samples: Samples,
}

impl Round {
    fn new() -> Self {
        let lab = Lab::small();
        let graph = lab.facts.graph;
        let records = lab.samples.records();
        Self {
            samples: Samples::new(graph.inputs, graph.classes(), records).unwrap(),
            graph,
            weights: lab.base,
        }
    }

    fn losses(&self, evaluator: &mut impl Evaluator) -> Result<Vec<u32>, EvalError> {
        evaluator.losses(&self.graph, &self.weights, &self.samples)
    }

    /// The gradients of four groups.
    fn gradients(
        &self,
        differentiator: &mut impl Differentiator,
    ) -> Result<Vec<(usize, Vec<i64>)>, EvalError> {
        let groups: Vec<_> = (0..4).map(|group| 16 * group..16 * (group + 1)).collect();
        let mut all = Vec::new();
        differentiator.gradients(
            &self.graph,
            &self.weights,
            &self.samples,
            &groups,
            &mut |group, gradient| all.push((group, gradient.to_vec())),
        )?;
        Ok(all)
    }
}

fn checked(evaluator: impl DeviceEvaluator + 'static) -> CheckedDevice {
    CheckedDevice {
        pause: Duration::ZERO,
        ..CheckedDevice::new(Box::new(evaluator))
    }
}

#[test]
fn an_honest_device_is_trusted_and_its_answers_are_the_references() {
    let round = Round::new();
    let mut device = checked(Flipping::new(Reference, 0..0, |_| 0));
    assert_eq!(round.losses(&mut device), round.losses(&mut Reference));
    assert_eq!(
        round.gradients(&mut device),
        round.gradients(&mut Reference)
    );
    assert!(device.is_trusted());
}

/// A word is flipped once, in each call that a question takes, or again and again.
#[test]
fn one_flipped_word_is_noticed_wherever_it_is() {
    let round = Round::new();
    let places: [fn(usize) -> usize; 3] = [|_| 0, |_| 17, |call| 5 * call];
    for place in places {
        for call in 0..2 {
            let mut device = checked(Flipping::new(Reference, call..call + 1, place));
            assert!(round.losses(&mut device).is_err(), "call {call}");
            assert!(!device.is_trusted());
        }
        // Four groups of three calls.
        let once = (0..12).map(|call| call..call + 1);
        let ever = (0..4).map(|group| 3 * group..usize::MAX);
        for wrong in once.chain(ever) {
            let device = checked(Flipping::new(Reference, wrong.clone(), place));
            assert!(round.gradients(&mut device.clone()).is_err(), "{wrong:?}");
            assert!(!device.is_trusted());
        }
    }
}

/// Wrong in the same way, however often it is called.
#[derive(Debug)]
struct Skewed;

impl Evaluator for Skewed {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        let losses = Reference.losses(graph, weights, samples)?;
        Ok(losses.into_iter().map(|loss| loss ^ 1).collect())
    }
}

impl Differentiator for Skewed {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        Reference.gradients(graph, weights, samples, groups, &mut |group, gradient| {
            let twice: Vec<i64> = gradient.iter().map(|value| 2 * value).collect();
            see(group, &twice);
        })
    }
}

impl DeviceEvaluator for Skewed {
    fn take_fewer(&mut self) {}
}

#[test]
fn what_is_wrong_in_the_same_way_twice_the_processor_notices() {
    let round = Round::new();
    let why = |mismatch: Mismatch| EvalError::Device(mismatch.to_string());
    let mut device = checked(Skewed);
    assert_eq!(round.losses(&mut device), Err(why(Mismatch::Losses)));
    assert!(!device.is_trusted());
    let mut device = checked(Skewed);
    assert_eq!(round.gradients(&mut device), Err(why(Mismatch::Gradient)));
    assert!(!device.is_trusted());
}

/// Panics while it has failures left, and counts its calls.
#[derive(Debug)]
struct Failing {
    failures: usize,
    asked: Arc<AtomicUsize>,
    made_fewer: Arc<AtomicUsize>,
}

impl Failing {
    fn device(failures: usize) -> (After<Self>, [Arc<AtomicUsize>; 2]) {
        let (asked, made_fewer) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let counted = [asked.clone(), made_fewer.clone()];
        let device = Self {
            failures,
            asked,
            made_fewer,
        };
        (After(device), counted)
    }
}

impl Happening for Failing {
    fn happen(&mut self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(left) = self.failures.checked_sub(1) {
            self.failures = left;
            panic!("out of memory");
        }
    }

    fn take_fewer(&mut self) {
        self.made_fewer.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_device_that_fails_is_asked_again_with_fewer_samples_at_once() {
    let round = Round::new();
    let (device, [asked, made_fewer]) = Failing::device(3);
    let mut device = checked(device);
    assert_eq!(
        round.gradients(&mut device),
        round.gradients(&mut Reference)
    );
    assert!(device.is_trusted(), "a failure is no wrong answer");
    let counts = [&asked, &made_fewer].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [3 + 12, 2]);
}

#[test]
fn the_processor_answers_for_a_device_that_goes_on_failing() {
    let round = Round::new();
    let (device, [asked, made_fewer]) = Failing::device(usize::MAX);
    let mut device = checked(device);
    assert_eq!(
        round.gradients(&mut device),
        round.gradients(&mut Reference)
    );
    assert_eq!(round.losses(&mut device), round.losses(&mut Reference));
    assert!(device.is_trusted());
    // After that it was left alone.
    let counts = [&asked, &made_fewer].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [ATTEMPTS as usize, 2]);
}

/// Answers this many calls, and then never again.
#[derive(Debug)]
struct Hanging {
    calls: usize,
}

impl Happening for Hanging {
    fn happen(&mut self) {
        match self.calls.checked_sub(1) {
            Some(left) => self.calls = left,
            None => loop {
                std::thread::park();
            },
        }
    }
}

#[test]
fn a_device_that_hangs_is_given_up_and_the_processor_goes_on() {
    let round = Round::new();
    let silence = EvalError::Device(Mismatch::Silence.to_string());
    // It hangs in the losses, and in the second group of the gradients.
    for calls in [2, 2 + 3] {
        let mut device = CheckedDevice {
            patience: Duration::from_secs(1),
            ..checked(After(Hanging { calls }))
        };
        assert_eq!(round.losses(&mut device), round.losses(&mut Reference));
        match calls {
            2 => assert_eq!(round.losses(&mut device), Err(silence.clone())),
            _ => assert_eq!(round.gradients(&mut device), Err(silence.clone())),
        }
        assert!(!device.is_trusted());
        // A caller that was waiting for the device does not wait for its answer.
        assert!(round.losses(&mut device).is_err());
        let mut backend = Backend::Device(device);
        assert!(backend.device().is_none());
        assert_eq!(round.losses(&mut backend), round.losses(&mut Reference));
        assert_eq!(
            round.gradients(&mut backend),
            round.gradients(&mut Reference)
        );
    }
}

#[test]
fn a_device_has_ten_times_as_long_as_all_cores_and_at_least_a_minute() {
    let device = checked(After(Hanging { calls: 0 }));
    let took = Duration::from_secs(2);
    let work = |samples, threads| Work { samples, threads };
    let limit = device.limit(took, work(16, 1), work(1_600, 1));
    assert_eq!(limit, Duration::from_secs(2_000));
    // The few samples left most of the cores idle.
    let limit = device.limit(took, work(16, 1), work(1_600, 8));
    assert_eq!(limit, Duration::from_secs(250));
    assert_eq!(device.limit(took, work(16, 1), work(32, 1)), PATIENCE);
    let all = work(usize::MAX, 1);
    assert_eq!(device.limit(Duration::MAX, work(0, 1), all), Duration::MAX);
}

#[test]
fn a_few_rows_keep_one_thread_busy_and_many_keep_all() {
    let graph = Round::new().graph;
    let threads = |samples| FastCpu::threads_for_losses(&graph, samples).unwrap();
    assert_eq!((threads(0), threads(SPOT)), (1, 1), "one block");
    assert_eq!(threads(1 << 20), rayon::current_num_threads());
    let threads = |samples| FastCpu::threads_for_gradient(&graph, samples).unwrap();
    assert_eq!((threads(0), threads(1)), (1, 1));
    assert_eq!(threads(1 << 20), rayon::current_num_threads());
}

/// Tells that it was called, and answers once nothing holds it back any more.
#[derive(Debug)]
struct Kept {
    asked: Sender<()>,
    kept: Receiver<()>,
}

impl Happening for Kept {
    fn happen(&mut self) {
        let _ = self.asked.send(());
        let _ = self.kept.recv();
    }
}

#[test]
fn who_waits_for_a_device_lets_others_evaluate() {
    const SOON: Duration = Duration::from_secs(30);
    let ((asked, was_asked), (keep, kept)) = (channel(), channel());
    let device = checked(After(Kept { asked, kept }));
    let waiting = spawn(move || {
        let mut shared = Shared::backend(Backend::Device(device), Halt::default());
        Round::new().losses(&mut shared)
    });
    was_asked.recv_timeout(SOON).unwrap();
    let (tell, told) = channel();
    spawn(move || {
        let mut other = Shared::backend(Backend::Cpu, Halt::default());
        let losses = Round::new().losses(&mut other);
        // It keeps its turn only while it evaluates.
        drop(other);
        tell.send(losses).unwrap();
    });
    let done = told.recv_timeout(SOON);
    drop(keep);
    let exact = Round::new().losses(&mut Reference);
    assert_eq!(done.unwrap(), exact);
    assert_eq!(waiting.join().unwrap(), exact);
}

#[test]
fn fewer_samples_at_once_give_the_same() {
    let round = Round::new();
    let mut burn = BurnEvaluator::new(&Device::flex());
    // Down to one sample.
    (0..32).for_each(|_| burn.take_fewer());
    assert_eq!(round.losses(&mut burn), round.losses(&mut Reference));
    assert_eq!(round.gradients(&mut burn), round.gradients(&mut Reference));
}

#[test]
fn what_does_not_fit_together_is_no_failure_of_the_device() {
    let round = Round::new();
    let (device, [asked, _]) = Failing::device(0);
    let refused = checked(device).losses(&round.graph, &round.weights[1..], &round.samples);
    assert!(matches!(refused, Err(EvalError::WrongParameters { .. })));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}
