//! A task without a chain: honest contributors that train, rounds scored and credited by the real code, a ledger for each account,
//! and an attacker.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{atomic::AtomicBool, Arc, Mutex},
};

use anyhow::Result;
use burn::tensor::Device;
use gotong_evaluation::FastCpu;
use gotong_protocol::bounds::MAX_DELTA_BYTES;
use gotong_scoring::{
    blake2_256,
    share::{
        entry_weight, halves, share_round, Entrant, EntryWeights, Ledger, ShareRound, ShareTerms,
    },
    Delta, Evaluator, Graph, Hash, Samples,
};
use gotong_training::{
    add_residual,
    data::{FashionMnist, Labelled, Use},
    initial_weights, residual_decay, train, TrainingConfig,
};
use rand::{rngs::StdRng, seq::SliceRandom, SeedableRng};
use rayon::prelude::*;

use crate::adversaries::{Adversary, Submission};

/// Stake of an honest contributor.
pub const STAKE: u32 = 1_000;
/// Changed parameters per thousand.
pub const KEPT: u32 = 100;
/// The highest number of honest contributors whose trainings are kept past the first round.
const MOST_KEPT: usize = 100;
/// Trainings of a contributor when all rounds start from the same weights.
const TRAININGS_THAT_STAND: usize = 3;

/// How many honest contributors there are, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Honest contributors, each with its own part of the training images.
    pub honest: usize,
    /// Rounds.
    pub rounds: usize,
    /// Updates of a contributor in a round.
    pub steps: usize,
    /// Samples of an update.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
    /// Updates on all images before the first round, and their learning rate.
    pub warm: Option<(usize, f64)>,
    /// Whether the honest contributors have proved something before the first round.
    pub known: bool,
    /// Whether every round starts from the same weights, so that the result of one round does not affect the next by luck.
    pub stands: bool,
    /// The factor by which the mean of the deltas is multiplied in the merge, Q8.
    pub outer_rate_q8: u16,
    /// Samples of a round's exam: half of them decide, and half pay.
    pub exam: usize,
    /// Rounds that fail after the reveals, as if the sponsor had not opened its shard: nobody is credited.
    pub failed: &'static [usize],
}

/// A training: its part of the images, and its seed.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// Which part, and of how many.
    pub part: (usize, usize),
    /// Seed of the order of the images.
    pub seed: u64,
}

/// Images, the model, and trainings that were done before.
pub struct World {
    /// The model.
    pub graph: Graph,
    /// The images that everybody can train on.
    pub training: Labelled,
    /// All randomness comes from it.
    pub seed: u64,
    exams: Labelled,
    report: Samples,
    changes: Mutex<HashMap<Hash, Arc<Vec<i32>>>>,
}

/// A round that is over: public bytes.
pub struct Past {
    /// What was revealed, and by whom.
    pub revealed: Vec<(String, Delta)>,
    /// The weights before and after it; equal if nothing was merged.
    pub weights: [Vec<i16>; 2],
}

/// What an account that commits in a round can see.
pub struct RoundView<'a> {
    /// Images, the model, and a computer to train on.
    pub world: &'a World,
    /// How the honest contributors train.
    pub setting: &'a Setting,
    /// The round's number.
    pub round: usize,
    /// The weights before it.
    pub base: &'a [i16],
    /// The round before.
    pub past: Option<&'a Past>,
    /// Weight of all honest deltas together.
    pub honest_weight: u64,
    honest: &'a [Delta],
}

/// The result of all rounds.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Paid to all honest contributors together, in thousandths of a bit per sample.
    pub honest_paid: f64,
    /// Paid to all attackers together.
    pub attackers_paid: f64,
    /// Rounds that merged something.
    pub merged: usize,
    /// Companies that were tried, in all rounds.
    pub passes: usize,
    /// Part of the honest deltas that was merged, and of the attackers'.
    pub kept: [f64; 2],
    /// Deltas that the chain refuses: somebody else revealed those bytes.
    pub refused: usize,
    /// Part of the held-out images that the last model classifies correctly.
    pub accuracy: f64,
    /// Largest difference between a round's credits and its gain, measured anew.
    pub credit_sum_error: u64,
}

impl Outcome {
    /// Books a round with the deltas of these accounts.
    fn add(&mut self, accounts: &[Account], played: &ShareRound) {
        self.passes += played.passes.len();
        self.merged += usize::from(played.merged_pass.is_some());
        for is_honest in [true, false] {
            let own = accounts.iter().zip(&played.credits);
            let merged =
                own.filter(|(account, credit)| account.is_honest == is_honest && credit.is_some());
            self.kept[usize::from(!is_honest)] += merged.count() as f64;
        }
    }
}

/// An account that made a delta.
struct Account {
    name: String,
    is_honest: bool,
    /// Its own weight.
    weight: u32,
    is_proven: bool,
}

/// All that revealed in a round, with the weight that the chain gives them: newcomers together weigh only a part of what the proven
/// weigh.
fn entrants<'a>(deltas: &'a [Delta], accounts: &[Account]) -> Vec<Entrant<'a>> {
    let mut weights = EntryWeights::default();
    for account in accounts {
        weights.add(account.weight, account.is_proven);
    }
    let entrant = |(delta, account): (&'a Delta, &Account)| Entrant {
        delta,
        weight: weights.limited(account.weight, account.is_proven),
        is_proven: account.is_proven,
    };
    deltas.iter().zip(accounts).map(entrant).collect()
}

impl RoundView<'_> {
    /// The deltas that the honest contributors committed to in this round. Nobody can see them; an attack that uses them assumes
    /// that it can.
    pub fn sealed(&self) -> &[Delta] {
        self.honest
    }

    /// How long an honest delta is at this stage. An attacker trains one to know it.
    pub fn usual_norm(&self) -> f64 {
        let mut norms: Vec<u64> = self.honest.iter().map(Delta::norm).collect();
        norms.sort_unstable();
        norms[norms.len() / 2] as f64
    }

    /// Randomness for one use in this round.
    pub fn random(&self, used_for: u64) -> StdRng {
        StdRng::seed_from_u64(self.number(used_for))
    }

    /// What a training on a part of the images changes.
    pub fn change(&self, part: usize, used_for: u64) -> Result<Arc<Vec<i32>>> {
        let training = Training {
            part: (part % self.setting.honest, self.setting.honest),
            seed: self.number(used_for),
        };
        self.world.change(self.base, self.setting, training)
    }

    fn number(&self, used_for: u64) -> u64 {
        (self.world.seed * 1_000 + self.round as u64) * 1_000_000 + used_for
    }
}

impl World {
    /// Reads the images.
    pub fn load(seed: u64) -> Result<Self> {
        let set = FashionMnist::load(&FashionMnist::directory())?;
        let graph = Graph::mlp(&[784, 128, 10]);
        let test = set.test.len();
        let (exams, report) = (set.test.slice(0..8_000), set.test.slice(8_000..test));
        Ok(Self {
            report: samples(&graph, &report)?,
            training: set.part(Use::Training),
            changes: Mutex::default(),
            exams,
            graph,
            seed,
        })
    }

    /// Forgets all trainings.
    pub fn forget(&self) {
        self.changes().clear();
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Arc<Vec<i32>>>> {
        self.changes
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What a training from `base` changes. It is not done twice.
    fn change(&self, base: &[i16], setting: &Setting, own: Training) -> Result<Arc<Vec<i32>>> {
        let config = TrainingConfig {
            steps: setting.steps,
            batch: setting.batch,
            learning_rate: setting.rate,
            seed: own.seed,
            ..TrainingConfig::of(&self.graph)
        };
        let bytes: Vec<u8> = base
            .iter()
            .flat_map(|weight| weight.to_le_bytes())
            .collect();
        let key = blake2_256(&[&bytes, format!("{config:?} {:?}", own.part).as_bytes()]);
        if let Some(known) = self.changes().get(&key) {
            return Ok(known.clone());
        }
        let data = self.training.part(own.part.0, own.part.1);
        let found = Arc::new(change(&self.graph, base, &data, &config)?);
        self.changes().insert(key, found.clone());
        Ok(found)
    }

    /// The weights that the first round starts from.
    fn first(&self, setting: &Setting) -> Result<Vec<i16>> {
        let base = initial_weights(&self.graph, self.seed);
        let Some((steps, rate)) = setting.warm else {
            return Ok(base);
        };
        let warm = Setting {
            steps,
            rate,
            ..setting.clone()
        };
        let training = Training {
            part: (0, 1),
            seed: self.seed,
        };
        let change = self.change(&base, &warm, training)?;
        let moved = base.iter().zip(change.iter());
        // A change leads from one master weight to another.
        Ok(moved
            .map(|(weight, change)| (i32::from(*weight) + change) as i16)
            .collect())
    }

    /// Samples of a round's exam, and the seed of its halves.
    fn exam(&self, round: usize, samples_drawn: usize) -> Result<(Samples, Hash)> {
        let mut random = StdRng::seed_from_u64(self.seed * 7_919 + round as u64);
        let mut order: Vec<u32> = (0..self.exams.len() as u32).collect();
        order.shuffle(&mut random);
        let all = samples(&self.graph, &self.exams)?;
        let seed = blake2_256(&[b"attacks", &self.seed.to_le_bytes(), &round.to_le_bytes()]);
        Ok((all.select(&order[..samples_drawn]), seed))
    }

    /// Plays all rounds of the honest contributors and an attacker.
    pub fn play(&self, setting: &Setting, attacker: &mut dyn Adversary) -> Result<Outcome> {
        let terms = ShareTerms {
            outer_rate_q8: setting.outer_rate_q8,
            ..ShareTerms::default()
        };
        let mut base = self.first(setting)?;
        let mut residuals = vec![vec![0i32; base.len()]; setting.honest];
        let mut ledgers: BTreeMap<String, Ledger> = BTreeMap::new();
        let mut authors: HashMap<Hash, String> = HashMap::new();
        let mut past = None;
        let (mut outcome, mut submitted) = (Outcome::default(), [0usize; 2]);
        for round in 0..setting.rounds {
            if round > 0 && setting.honest > MOST_KEPT {
                self.forget();
            }
            let honest = self.honest(setting, round, &base, &mut residuals)?;
            let is_proven = |name: &str, is_honest: bool| {
                let proven = |ledger: &Ledger| ledger.is_proven(terms.doubt_q8);
                is_honest && setting.known || ledgers.get(name).is_some_and(proven)
            };
            let honest_weight = (0..setting.honest)
                .map(|index| entry_weight(STAKE, is_proven(&honest_name(index), true)))
                .map(u64::from);
            let view = RoundView {
                world: self,
                setting,
                round,
                base: &base,
                past: past.as_ref(),
                honest_weight: honest_weight.sum(),
                honest: &honest,
            };
            let attackers = attacker.submit(&view)?;
            let own = honest.into_iter().enumerate().map(|(index, delta)| {
                let submission = Submission {
                    account: honest_name(index),
                    stake: STAKE,
                    delta,
                };
                (true, submission)
            });
            let all = own.chain(attackers.into_iter().map(|submission| (false, submission)));
            let (mut accounts, mut deltas) = (Vec::new(), Vec::new());
            for (is_honest, submission) in all {
                let hash = Delta::hash_of(&submission.delta.encode());
                let author = authors.entry(hash).or_insert(submission.account.clone());
                submitted[usize::from(!is_honest)] += 1;
                if *author != submission.account {
                    outcome.refused += 1;
                    continue;
                }
                let is_proven = is_proven(&submission.account, is_honest);
                accounts.push(Account {
                    name: submission.account,
                    is_honest,
                    weight: entry_weight(submission.stake, is_proven),
                    is_proven,
                });
                deltas.push(submission.delta);
            }
            let entrants = entrants(&deltas, &accounts);
            if setting.failed.contains(&round) {
                let names = accounts.into_iter().map(|account| account.name);
                past = Some(Past {
                    revealed: names.zip(deltas).collect(),
                    weights: [base.clone(), base.clone()],
                });
                continue;
            }
            let (exam, seed) = self.exam(round, setting.exam)?;
            let played = share_round(
                &mut FastCpu,
                &self.graph,
                &base,
                &exam,
                &seed,
                &entrants,
                &terms,
            )?;
            let error = self.credit_sum_error(&base, &exam, &seed, &played)?;
            outcome.credit_sum_error = outcome.credit_sum_error.max(error);
            outcome.add(&accounts, &played);
            for (account, credit) in accounts.iter().zip(&played.credits) {
                if let Some(credit) = credit {
                    let ledger = ledgers.entry(account.name.clone()).or_default();
                    ledger.add(credit, terms.doubt_q8);
                }
            }
            let names = accounts.into_iter().map(|account| account.name);
            past = Some(Past {
                revealed: names.zip(deltas).collect(),
                weights: [base.clone(), played.weights.clone()],
            });
            if setting.stands {
                residuals.iter_mut().for_each(|left_out| left_out.fill(0));
            } else {
                base = played.weights;
            }
        }
        for (kept, submitted) in outcome.kept.iter_mut().zip(submitted) {
            *kept /= submitted.max(1) as f64;
        }
        for (name, ledger) in &ledgers {
            // Thousandths of a bit per sample of B.
            let paid = ledger.proved as f64 / 65_536.0 / (setting.exam / 2) as f64 * 1_000.0;
            if is_honest(name) {
                outcome.honest_paid += paid;
            } else {
                outcome.attackers_paid += paid;
            }
        }
        outcome.accuracy = self.accuracy(&base)?;
        Ok(outcome)
    }

    /// The honest deltas of a round. What they leave out is sent later.
    fn honest(
        &self,
        setting: &Setting,
        round: usize,
        base: &[i16],
        residuals: &mut [Vec<i32>],
    ) -> Result<Vec<Delta>> {
        // From the same weights, a few trainings are enough for all rounds: only the exams differ.
        let drawn = if setting.stands {
            round % TRAININGS_THAT_STAND
        } else {
            round
        };
        let delta = |(index, residual): (usize, &mut Vec<i32>)| {
            let training = Training {
                part: (index, setting.honest),
                seed: (self.seed * 1_000 + drawn as u64) * 1_000_000 + index as u64,
            };
            let mut change = self.change(base, setting, training)?.to_vec();
            add_residual(
                &mut change,
                residual,
                residual_decay(&self.graph, KEPT, MAX_DELTA_BYTES),
            );
            let delta = Delta::compress(&change, KEPT);
            *residual = delta.residual(&change);
            Ok(delta)
        };
        residuals.par_iter_mut().enumerate().map(delta).collect()
    }

    /// How far the credits of a round are from what it gained on B.
    fn credit_sum_error(
        &self,
        base: &[i16],
        exam: &Samples,
        seed: &Hash,
        played: &ShareRound,
    ) -> Result<u64> {
        let [_, b] = halves(seed, exam.len() as u32).map(|half| exam.select(&half));
        let sum = |weights: &[i16]| -> Result<i64> {
            let losses = FastCpu.losses(&self.graph, weights, &b)?;
            Ok(losses.iter().map(|loss| i64::from(*loss)).sum())
        };
        let gain = sum(base)? - sum(&played.weights)?;
        let credits = played.credits.iter().flatten();
        let credited: i64 = credits.map(|credit| credit.credit).sum();
        Ok(credited.abs_diff(gain))
    }

    fn accuracy(&self, weights: &[i16]) -> Result<f64> {
        let predicted = FastCpu.predict(&self.graph, weights, &self.report)?;
        let pairs = predicted.iter().zip(self.report.labels());
        let right = pairs.filter(|(found, label)| found == label).count();
        Ok(right as f64 / self.report.len() as f64)
    }
}

fn honest_name(index: usize) -> String {
    format!("honest {index}")
}

fn is_honest(name: &str) -> bool {
    name.starts_with("honest ")
}

/// What a training from `base` on the processor changes.
pub fn change(
    graph: &Graph,
    base: &[i16],
    data: &Labelled,
    config: &TrainingConfig,
) -> Result<Vec<i32>> {
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    Ok(train(
        graph,
        base,
        data,
        config,
        &device,
        &mut |_| {},
        &stop,
    )?)
}

/// The samples as the machine takes them.
pub fn samples(graph: &Graph, set: &Labelled) -> Result<Samples> {
    Ok(Samples::new(graph.inputs, graph.classes(), &set.records())?)
}
