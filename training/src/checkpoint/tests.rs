use super::super::{
    data::Labelled,
    initial_weights,
    optimizer::Moments,
    test_model::{small_transformer, text},
    train_from, Start, Step, Supervisor, Trained,
};
use super::*;
use gotong_scoring::Graph;
use std::sync::atomic::{AtomicBool, Ordering};

/// A training whose data are shuffled more than once.
struct Case {
    graph: Graph,
    data: Labelled,
    config: TrainingConfig,
    memory: Option<Memory>,
    device: Device,
}

/// The result of a training.
struct Ran {
    trained: Result<Trained, TrainingError>,
    checkpoints: Vec<Checkpoint>,
    steps: Vec<Step>,
}

impl Case {
    fn momentum() -> Self {
        let data = Labelled {
            inputs: 6,
            pixels: (0..6 * 40).map(|at| (at * at % 251) as u8).collect(),
            labels: (0..40).map(|at| (at % 3) as u8).collect(),
        };
        Self::new(Graph::mlp(&[6, 8, 3]), data, None)
    }

    fn muon(memory: Option<Memory>) -> Self {
        Self::new(small_transformer(), text(40, 0), memory)
    }

    /// Muon that has trained before.
    fn muon_again() -> Self {
        let before = Self::muon(None).run(None, None).trained.unwrap();
        Self::muon(before.memory)
    }

    fn new(graph: Graph, data: Labelled, memory: Option<Memory>) -> Self {
        let config = TrainingConfig {
            steps: 23,
            batch: 3,
            seed: 5,
            ..TrainingConfig::of(&graph)
        };
        Self {
            graph,
            data,
            config,
            memory,
            device: Device::flex(),
        }
    }

    /// Trains from a checkpoint, if there is one, and keeps one after every update, until the update `last`.
    fn run(&self, checkpoint: Option<&Checkpoint>, last: Option<usize>) -> Ran {
        self.run_every(Duration::ZERO, checkpoint, last)
    }

    fn run_every(
        &self,
        every: Duration,
        checkpoint: Option<&Checkpoint>,
        last: Option<usize>,
    ) -> Ran {
        let (mut checkpoints, mut steps) = (Vec::new(), Vec::new());
        let stop = AtomicBool::new(false);
        let mut keep = |checkpoint: Checkpoint| {
            stop.fetch_or(Some(checkpoint.step()) == last, Ordering::Relaxed);
            checkpoints.push(checkpoint);
        };
        let master = initial_weights(&self.graph, 1);
        let start = Start {
            graph: &self.graph,
            master: &master,
            memory: self.memory.as_ref(),
            checkpoint,
        };
        let supervisor = Supervisor {
            progress: &mut |step| steps.push(step),
            checkpoints: Some(CheckpointSink {
                every,
                keep: &mut keep,
            }),
            stop: &stop,
            deadline: None,
            most_steps: None,
        };
        let trained = train_from(start, &self.data, &self.config, &self.device, supervisor);
        Ran {
            trained,
            checkpoints,
            steps,
        }
    }

    /// The checkpoint after the update `step`, written and read again.
    fn checkpoint(&self, step: usize) -> Checkpoint {
        let mut ran = self.run(None, Some(step));
        assert_eq!(ran.trained.unwrap_err(), TrainingError::Stopped);
        let checkpoint = ran.checkpoints.pop().unwrap();
        assert_eq!(checkpoint.step(), step);
        Checkpoint::decode(&mut &checkpoint.encode()[..]).unwrap()
    }
}

/// A training that is interrupted after some updates gives the same result as one that was never interrupted.
fn assert_goes_on(case: &Case, interrupted: &[usize]) {
    let whole = case.run_every(Duration::MAX, None, None);
    let trained = whole.trained.unwrap();
    assert_eq!(whole.checkpoints, []);
    for &interrupted in interrupted {
        let checkpoint = case.checkpoint(interrupted);
        let went_on = case.run(Some(&checkpoint), None);
        let again = went_on.trained.unwrap();
        assert_eq!(again.change, trained.change, "from {interrupted}");
        assert_eq!(again.memory, trained.memory, "from {interrupted}");
        // Nothing is done twice.
        let steps = went_on.checkpoints.iter().map(Checkpoint::step);
        assert!(steps.eq(interrupted + 1..23));
        let begins = Step {
            step: interrupted,
            of: 23,
            loss: None,
        };
        assert_eq!(went_on.steps[0], begins);
        assert!(went_on.steps[1..].iter().all(|step| step.loss.is_some()));
    }
}

#[test]
fn a_training_goes_on_to_the_same_bits() {
    for case in [Case::muon(None), Case::muon_again(), Case::momentum()] {
        assert_goes_on(&case, &[1, 9, 10, 22]);
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn a_training_on_a_graphics_device_goes_on_to_the_same_bits() {
    let device = super::super::DeviceChoice::Wgpu.open().unwrap();
    let case = Case::muon(None);
    assert_goes_on(&Case { device, ..case }, &[12]);
}

#[test]
fn a_training_may_be_interrupted_again_and_again() {
    let case = Case::muon_again();
    let mut checkpoint = case.checkpoint(4);
    for last in [5, 13] {
        checkpoint = case
            .run(Some(&checkpoint), Some(last))
            .checkpoints
            .pop()
            .unwrap();
        assert_eq!(checkpoint.step(), last);
    }
    let change = |checkpoint| case.run(checkpoint, None).trained.unwrap().change;
    assert_eq!(change(Some(&checkpoint)), change(None));
}

#[test]
fn a_foreign_or_damaged_checkpoint_counts_as_none() {
    let (muon, momentum) = (Case::muon(None), Case::momentum());
    let [of_muon, of_momentum] = [&muon, &momentum].map(|case| case.checkpoint(7));
    let spoiled = |checkpoint: &Checkpoint, spoil: &dyn Fn(&mut Checkpoint)| {
        let mut checkpoint = checkpoint.clone();
        spoil(&mut checkpoint);
        checkpoint
    };
    let of_both: [&dyn Fn(&mut Checkpoint); 16] = [
        &|checkpoint| checkpoint.step = 0,
        &|checkpoint| checkpoint.step = 23,
        &|checkpoint| checkpoint.step = u32::MAX,
        &|checkpoint| checkpoint.of = 22,
        &|checkpoint| checkpoint.masters.clear(),
        &|checkpoint| checkpoint.masters.push(Vec::new()),
        &|checkpoint| checkpoint.masters[1].push(0.0),
        &|checkpoint| checkpoint.masters[0][3] = f32::NAN,
        &|checkpoint| checkpoint.masters[0][3] = f32::NEG_INFINITY,
        &|checkpoint| checkpoint.masters[0][3] = 1e9,
        &|checkpoint| checkpoint.optimizer = Memory::default(),
        &|checkpoint| checkpoint.optimizer.updates = 0,
        &|checkpoint| checkpoint.optimizer.tensors.truncate(1),
        &|checkpoint| velocity(checkpoint)[0] = f32::INFINITY,
        &|checkpoint| velocity(checkpoint).clear(),
        &|checkpoint| checkpoint.optimizer.tensors.reverse(),
    ];
    let of_muon_alone: [&dyn Fn(&mut Checkpoint); 2] = [
        &|checkpoint| means(checkpoint)[1][0] = -1.0,
        &|checkpoint| means(checkpoint)[0].clear(),
    ];
    for (case, own, other) in [
        (&muon, &of_muon, &of_momentum),
        (&momentum, &of_momentum, &of_muon),
    ] {
        let change = case.run(None, None).trained.unwrap().change;
        let with_foreign_memory = |checkpoint: &mut Checkpoint| {
            checkpoint.optimizer = other.optimizer.clone();
        };
        let mut all = vec![other.clone(), spoiled(own, &with_foreign_memory)];
        all.extend(of_both.map(|spoil| spoiled(own, spoil)));
        if own == &of_muon {
            all.extend(of_muon_alone.map(|spoil| spoiled(own, spoil)));
        }
        for (at, checkpoint) in all.iter().enumerate() {
            let ran = case.run_every(Duration::MAX, Some(checkpoint), None);
            assert_eq!(ran.steps[0].step, 10, "{at} goes on");
            assert_eq!(ran.trained.unwrap().change, change, "{at}");
        }
    }
}

/// The first velocity that is remembered.
fn velocity(checkpoint: &mut Checkpoint) -> &mut Vec<f32> {
    let mut tensors = checkpoint.optimizer.tensors.iter_mut();
    let velocity = tensors.find_map(|moments| match moments {
        Moments::Velocity(velocity) => Some(velocity),
        Moments::Means(_) => None,
    });
    velocity.unwrap()
}

/// The first means that are remembered.
fn means(checkpoint: &mut Checkpoint) -> &mut [Vec<f32>; 2] {
    let mut tensors = checkpoint.optimizer.tensors.iter_mut();
    let means = tensors.find_map(|moments| match moments {
        Moments::Means(means) => Some(means),
        Moments::Velocity(_) => None,
    });
    means.unwrap()
}

#[test]
fn keeping_checkpoints_takes_little_of_the_time() {
    let [short, long] = [20, 1_000].map(Duration::from_millis);
    assert_eq!(pause(long, Duration::ZERO), long);
    assert_eq!(pause(long, short), long);
    assert_eq!(pause(long, 3 * short), 60 * short);
    assert_eq!(pause(long, Duration::MAX), Duration::MAX);
    assert_eq!(pause(Duration::ZERO, long), Duration::ZERO);
}

#[test]
fn golden_bytes() {
    let velocity = Moments::Velocity(vec![-2.0]);
    let means = Moments::Means([vec![1.0], vec![]]);
    let checkpoint = Checkpoint {
        step: 3,
        masters: vec![vec![1.0], vec![]],
        optimizer: Memory {
            updates: 5,
            tensors: vec![velocity, means],
        },
        of: 7,
    };
    let masters = [8, 4, 0, 0, 128, 63, 0];
    let memory = [5, 0, 0, 0, 8, 0, 4, 0, 0, 0, 192, 1, 4, 0, 0, 128, 63, 0];
    assert_eq!(
        checkpoint.encode(),
        [&[3, 0, 0, 0][..], &masters, &memory, &[7, 0, 0, 0]].concat()
    );
}
