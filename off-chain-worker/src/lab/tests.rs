use super::*;
use crate::test_model::{small_transformer, text};
use gotong_training::data::Labelled;

/// Samples whose label follows from their first two bytes.
fn labelled(samples: usize, shift: usize) -> Labelled {
    let byte = |at: usize| ((at + shift) * 7919 % 251) as u8;
    let pixels: Vec<u8> = (0..6 * samples).map(byte).collect();
    let label = |sample: &[u8]| u8::from(sample[0] > sample[1]) + u8::from(sample[0] > 125);
    Labelled {
        inputs: 6,
        labels: pixels.chunks(6).map(label).collect(),
        pixels,
    }
}

fn material() -> Material {
    Material {
        training: labelled(600, 0),
        exams: Samples::new(6, 3, &labelled(300, 10_007).records()).unwrap(),
        device: Device::flex(),
    }
}

fn experiment(hands: usize) -> Experiment {
    Experiment {
        graph: Graph::mlp(&[6, 16, 3]),
        hands,
        rounds: 4,
        exam: 120,
        options: TrainingOptions {
            steps: Some(30),
            batch: Some(16),
            learning_rate: None,
        },
        keep_permille: 300,
        delta_bytes: 64 << 10,
        outer_rate_q8: 384,
        forgets: false,
        seed: 5,
    }
}

/// A small language model, and its material.
fn of_text() -> (Experiment, Material) {
    let experiment = Experiment {
        graph: small_transformer(),
        keep_permille: 1000,
        ..experiment(2)
    };
    let material = Material {
        training: text(60, 0),
        exams: Samples::new(6, 5, &text(200, 1).records()).unwrap(),
        device: Device::flex(),
    };
    (experiment, material)
}

fn played(experiment: &Experiment, material: &Material) -> Rounds {
    let mut rounds = Rounds::new(experiment);
    for _ in 0..experiment.rounds {
        rounds
            .play(experiment, material, &AtomicBool::new(false))
            .unwrap();
    }
    rounds
}

#[test]
fn hands_learn_together_and_prove_it() {
    let experiment = experiment(3);
    let (mut rounds, material) = (Rounds::new(&experiment), material());
    let mut gain = 0.0;
    for round in 0..experiment.rounds {
        assert_eq!(rounds.played(), round);
        let outcome = rounds
            .play(&experiment, &material, &AtomicBool::new(false))
            .unwrap();
        assert!(outcome.merged <= 3 && outcome.delta_bytes > 0);
        gain += outcome.gain;
    }
    assert!(gain > 0.3, "{gain}");
    assert!(rounds.proved().sum::<u64>() > 0);
}

/// Hands that work in parallel, each on a core, make the same as when they work one after another
/// on one core.
#[test]
fn hands_side_by_side_make_what_they_make_one_by_one() {
    let (mut experiment, material) = of_text();
    (experiment.hands, experiment.rounds) = (5, 2);
    let played = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| played(&experiment, &material))
    };
    let one_by_one = played(1);
    assert_eq!(played(2), one_by_one);
    assert_eq!(played(3), one_by_one);
}

#[test]
fn what_was_kept_goes_on_as_if_nothing_had_happened() {
    let (experiment, material) = of_text();
    let mut rounds = Rounds::new(&experiment);
    let stop = AtomicBool::new(false);
    for _ in 0..experiment.rounds {
        rounds = Rounds::decode(&mut &rounds.encode()[..]).unwrap();
        rounds.play(&experiment, &material, &stop).unwrap();
    }
    assert_eq!(rounds, played(&experiment, &material));
    let other = Experiment {
        seed: 6,
        ..experiment
    };
    assert_ne!(
        rounds,
        played(&other, &material),
        "chance comes from the seed"
    );
}

#[test]
fn a_hand_remembers_unless_it_is_told_to_forget() {
    let (experiment, material) = of_text();
    let rounds = |forgets: bool, rounds: u32| {
        let experiment = Experiment {
            forgets,
            ..experiment.clone()
        };
        let (mut played, stop) = (Rounds::new(&experiment), AtomicBool::new(false));
        for _ in 0..rounds {
            played.play(&experiment, &material, &stop).unwrap();
        }
        played
    };
    let remembers = |rounds: &Rounds| rounds.hands.iter().all(|hand| hand.memory.is_some());
    let [with, without] = [false, true].map(|forgets| rounds(forgets, 1));
    assert!(remembers(&with) && !remembers(&without));
    // This holds whether or not a round merges anything, because what deltas leave out follows from
    // what was trained.
    let left_out = |rounds: &Rounds| -> Vec<Vec<i32>> {
        rounds
            .hands
            .iter()
            .map(|hand| hand.residual.clone())
            .collect()
    };
    assert_eq!(left_out(&with), left_out(&without));
    assert_ne!(left_out(&rounds(false, 2)), left_out(&rounds(true, 2)));
}

#[test]
fn what_cannot_be_run_is_refused_and_changes_nothing() {
    let mut rounds = Rounds::new(&experiment(2));
    let before = rounds.clone();
    let stop = AtomicBool::new(false);
    let mut refused = |experiment: Experiment| {
        let error = rounds.play(&experiment, &material(), &stop).unwrap_err();
        assert_eq!(rounds, before);
        error
    };
    let too_large = Experiment {
        exam: 301,
        ..experiment(2)
    };
    assert!(matches!(
        refused(too_large),
        LabError::TooFewExams { samples: 300 }
    ));
    assert!(matches!(
        refused(experiment(601)),
        LabError::TooManyHands {
            hands: 601,
            samples: 600
        }
    ));
    let idle = Experiment {
        options: TrainingOptions {
            learning_rate: Some(1e-12),
            ..experiment(2).options
        },
        ..experiment(2)
    };
    assert!(matches!(refused(idle), LabError::NothingLearned));
    let misfit = Experiment {
        graph: Graph::mlp(&[5, 16, 3]),
        ..experiment(2)
    };
    assert!(matches!(refused(misfit), LabError::Training(_)));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(
        rounds.play(&experiment(2), &material(), &stop),
        Err(LabError::Training(TrainingError::Stopped))
    ));
}
