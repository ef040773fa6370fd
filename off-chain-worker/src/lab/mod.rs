//! Rounds of a task without a chain, in one process: real training, deltas, scoring, merges and ledgers, for any number of hands.
//! It serves experiments for which a network of real processes is too slow.

mod law;

pub use law::{Estimate, Law};

use std::{panic::resume_unwind, sync::atomic::AtomicBool, thread::scope, time::Instant};

use burn::tensor::Device;
use codec::{Decode, Encode};
use gotong_evaluation::FastCpu;
use gotong_scoring::{
    blake2_256,
    share::{entry_weight, share_round, Entrant, EntryWeights, Ledger, ScoreError, ShareTerms},
    Delta, Graph, Hash, Samples,
};
use gotong_training::{
    add_residual, compress, data::Labelled, initial_weights, residual_decay, train_from, Memory,
    Span, Start, Supervisor, Trained, TrainingError, TrainingOptions,
};
use rand::{rngs::StdRng, seq::index, SeedableRng};
use rayon::ThreadPoolBuilder;

/// What an experiment runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// The model.
    pub graph: Graph,
    /// Contributors, each with its own part of the data, and all with the same stake.
    pub hands: usize,
    /// Rounds of the task.
    pub rounds: u32,
    /// How many samples score a round.
    pub exam: usize,
    /// How a hand trains.
    pub options: TrainingOptions,
    /// Parameters to keep in a delta, in thousandths.
    pub keep_permille: u32,
    /// Longest encoded delta.
    pub delta_bytes: u32,
    /// What the mean of the deltas is multiplied by in the merge, in Q8.
    pub outer_rate_q8: u16,
    /// Whether optimizers forget everything after each round.
    pub forgets: bool,
    /// The seed of all randomness.
    pub seed: u64,
}

/// What the hands learn from, and what they are examined on.
pub struct Material {
    /// The samples that are divided among the hands.
    pub training: Labelled,
    /// The samples that a round's exam is drawn from.
    pub exams: Samples,
    /// Where to train.
    pub device: Device,
}

/// Why an experiment cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There are more hands than samples.
    #[error("{hands} hands cannot share {samples} samples: choose fewer")]
    TooManyHands {
        /// How many hands.
        hands: usize,
        /// How many samples to train on.
        samples: usize,
    },
    /// A round's exam is larger than what it is drawn from.
    #[error("there are only {samples} samples for exams: choose at most that many")]
    TooFewExams {
        /// How many samples there are for exams.
        samples: usize,
    },
    /// A hand cannot train.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// A round cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// No hand has learned anything.
    #[error(
        "no contributor has changed a weight: train for more steps, or with a higher learning rate"
    )]
    NothingLearned,
}

/// How far an experiment has come. It can be encoded, stored, and continued later.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Rounds {
    round: u32,
    weights: Vec<i16>,
    hands: Vec<Hand>,
}

/// What a contributor keeps from one round to the next.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
struct Hand {
    residual: Vec<i32>,
    memory: Option<Memory>,
    ledger: Ledger,
}

/// The result of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How many deltas were merged.
    pub merged: usize,
    /// What they gained on the half that pays, in bits per sample.
    pub gain: f64,
    /// How many companies were tried.
    pub companies: usize,
    /// The mean size of a delta, in bytes.
    pub delta_bytes: usize,
    /// How many seconds the round takes a hand that trains and scores on one core of its own: the mean training time, plus the
    /// scoring time.
    pub hand_seconds: f64,
}

impl Experiment {
    /// Checks that there are enough samples.
    ///
    /// # Errors
    /// [`LabError::TooManyHands`], [`LabError::TooFewExams`].
    pub fn check(&self, material: &Material) -> Result<(), LabError> {
        let (hands, samples) = (self.hands, material.training.len());
        if hands > samples {
            return Err(LabError::TooManyHands { hands, samples });
        }
        let samples = material.exams.len();
        if self.exam > samples {
            return Err(LabError::TooFewExams { samples });
        }
        Ok(())
    }
}

impl Rounds {
    /// The state before the first round, with random weights.
    pub fn new(experiment: &Experiment) -> Self {
        let weights = initial_weights(&experiment.graph, experiment.seed);
        Self::starting_from(weights, experiment)
    }

    /// The same with given master weights, as many as the model has parameters.
    pub fn starting_from(weights: Vec<i16>, experiment: &Experiment) -> Self {
        Self {
            round: 0,
            weights,
            hands: vec![Hand::default(); experiment.hands],
        }
    }

    /// How many rounds were played.
    pub fn played(&self) -> u32 {
        self.round
    }

    /// The master weights after them.
    pub fn weights(&self) -> &[i16] {
        &self.weights
    }

    /// What each hand has proved, in Q16 bits summed over samples.
    pub fn proved(&self) -> impl Iterator<Item = u64> + '_ {
        self.hands.iter().map(|hand| hand.ledger.proved)
    }

    /// Plays the next round of `experiment`, which has to be the one that this was made for. If that fails, nothing has changed.
    ///
    /// # Errors
    /// A hand that cannot train; a round that cannot be scored; `stop` was set.
    pub fn play(
        &mut self,
        experiment: &Experiment,
        material: &Material,
        stop: &AtomicBool,
    ) -> Result<Outcome, LabError> {
        experiment.check(material)?;
        let made = self.train_all(experiment, material, stop)?;
        let terms = ShareTerms {
            outer_rate_q8: experiment.outer_rate_q8,
            ..ShareTerms::default()
        };
        // A hand that has learned nothing sits the round out.
        let entered: Vec<usize> = (0..made.len())
            .filter(|number| made[*number].delta.is_some())
            .collect();
        let is_proven = |number: &usize| self.hands[*number].ledger.is_proven(terms.doubt_q8);
        let mut weights = EntryWeights::default();
        for number in &entered {
            let is_proven = is_proven(number);
            weights.add(entry_weight(STAKE, is_proven), is_proven);
        }
        let entrants: Vec<Entrant> = entered
            .iter()
            .filter_map(|number| {
                let is_proven = is_proven(number);
                Some(Entrant {
                    delta: made[*number].delta.as_ref()?,
                    weight: weights.limited(entry_weight(STAKE, is_proven), is_proven),
                    is_proven,
                })
            })
            .collect();
        if entrants.is_empty() {
            return Err(LabError::NothingLearned);
        }
        let exam = exam(experiment, material, self.round);
        let seed = seed_of(experiment, self.round, "halves");
        let (graph, base) = (&experiment.graph, &self.weights);
        let scoring = Instant::now();
        let scored = share_round(&mut FastCpu, graph, base, &exam, &seed, &entrants, &terms)?;
        // All cores took part, so their time is counted together.
        let scoring = scoring.elapsed().as_secs_f64() * rayon::current_num_threads() as f64;
        let training: f64 = made.iter().map(|made| made.seconds).sum();
        let bytes: usize = made.iter().map(|made| made.bytes).sum();
        let outcome = Outcome {
            merged: scored.credits.iter().flatten().count(),
            gain: scored.gain as f64 / 65_536.0 / (exam.len() / 2).max(1) as f64,
            companies: scored.passes.len(),
            delta_bytes: bytes / entrants.len(),
            hand_seconds: training / made.len() as f64 + scoring,
        };
        for (number, credit) in entered.iter().zip(&scored.credits) {
            if let Some(credit) = credit {
                self.hands[*number].ledger.add(credit, terms.doubt_q8);
            }
        }
        for (hand, made) in self.hands.iter_mut().zip(made) {
            hand.residual = made.residual;
            hand.memory = made.memory.filter(|_| !experiment.forgets);
        }
        self.weights = scored.weights;
        self.round += 1;
        Ok(outcome)
    }

    /// What all hands make in a round. On the processor each hand takes a core, and as many hands work at a time as there are
    /// cores; on a GPU they take turns.
    fn train_all(
        &self,
        experiment: &Experiment,
        material: &Material,
        stop: &AtomicBool,
    ) -> Result<Vec<Made>, LabError> {
        let train = |number: usize| {
            let hand = &self.hands[number];
            self.train(number, hand, experiment, material, stop)
        };
        let hands = self.hands.len();
        if material.device != Device::flex() {
            return (0..hands).map(train).collect();
        }
        let cores = rayon::current_num_threads().min(hands.max(1));
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).build();
        let pools: Result<Vec<_>, _> = (0..cores).map(pool).collect();
        let pools = pools.map_err(|error| TrainingError::Device(error.to_string()))?;
        let by_core: Vec<Result<Vec<Made>, LabError>> = scope(|scope| {
            let train = &train;
            let threads: Vec<_> = pools
                .iter()
                .enumerate()
                .map(|(core, pool)| {
                    let own = (core..hands).step_by(cores);
                    scope.spawn(move || pool.install(|| own.map(train).collect()))
                })
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|made| made.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        let mut by_core: Vec<_> = by_core
            .into_iter()
            .map(|made| Ok(made?.into_iter()))
            .collect::<Result<_, LabError>>()?;
        let next = |hand: usize| by_core[hand % cores].next();
        Ok((0..hands).filter_map(next).collect())
    }

    /// What one hand makes in a round.
    fn train(
        &self,
        number: usize,
        hand: &Hand,
        experiment: &Experiment,
        material: &Material,
        stop: &AtomicBool,
    ) -> Result<Made, LabError> {
        let started = Instant::now();
        let data = material.training.part(number, experiment.hands);
        let span = Span::of_round(self.round, experiment.rounds);
        let [a, b, c, d, e, f, g, h, ..] = seed_of(experiment, self.round, &number.to_string());
        let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let config = experiment.options.config(&experiment.graph, span, seed);
        let start = Start {
            graph: &experiment.graph,
            master: &self.weights,
            memory: hand.memory.as_ref(),
            checkpoint: None,
        };
        let supervisor = Supervisor {
            progress: &mut |_| {},
            checkpoints: None,
            stop,
            deadline: None,
            most_steps: None,
        };
        let Trained { mut change, memory } =
            train_from(start, &data, &config, &material.device, supervisor)?;
        let decay = residual_decay(
            &experiment.graph,
            experiment.keep_permille,
            experiment.delta_bytes,
        );
        add_residual(&mut change, &hand.residual, decay);
        let compressed = compress(&change, experiment.keep_permille, experiment.delta_bytes);
        let (delta, bytes) =
            compressed.map_or((None, 0), |(delta, bytes)| (Some(delta), bytes.len()));
        Ok(Made {
            residual: match &delta {
                Some(delta) => delta.residual(&change),
                None => change,
            },
            delta,
            bytes,
            memory,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

/// The stake of every hand.
const STAKE: u32 = 100;

/// What a hand made in a round.
struct Made {
    delta: Option<Delta>,
    bytes: usize,
    residual: Vec<i32>,
    memory: Option<Memory>,
    /// How long that took.
    seconds: f64,
}

/// The samples of a round, drawn from all exam samples.
fn exam(experiment: &Experiment, material: &Material, round: u32) -> Samples {
    let all = &material.exams;
    let mut random = StdRng::from_seed(seed_of(experiment, round, "exam"));
    let drawn = index::sample(&mut random, all.len(), experiment.exam);
    let drawn: Vec<u32> = drawn.into_iter().map(|sample| sample as u32).collect();
    all.select(&drawn)
}

/// The seed for one use of chance in a round.
fn seed_of(experiment: &Experiment, round: u32, used_for: &str) -> Hash {
    blake2_256(&[
        b"gotong:lab",
        &experiment.seed.to_le_bytes(),
        &round.to_le_bytes(),
        used_for.as_bytes(),
    ])
}

#[cfg(test)]
mod tests;
