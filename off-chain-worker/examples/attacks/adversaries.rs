//! Attackers, each a small program. Each sees what a real one sees ([`RoundView`]).

use std::sync::Arc;

use anyhow::Result;
use gotong_evaluation::FastCpu;
use gotong_protocol::bounds::MAX_DELTA_BYTES;
use gotong_scoring::{
    arith::MASTER_BOUND, gradient::Differentiator, merge::OUTER_RATE_ONE, share::groups, Delta,
    Entry,
};
use gotong_training::{add_residual, noise_change, residual_decay};
use rand::Rng;

use crate::world::{samples, RoundView, KEPT, STAKE};

/// Numbers of the trainings and draws of attackers; those of honest contributors are lower.
const OWN: u64 = 10_000;

/// A delta that an account commits to.
pub struct Submission {
    /// The account that commits to it.
    pub account: String,
    /// Its stake.
    pub stake: u32,
    /// The delta.
    pub delta: Delta,
}

impl Submission {
    fn new(account: impl Into<String>, stake: u32, delta: Delta) -> Self {
        Self {
            account: account.into(),
            stake,
            delta,
        }
    }
}

/// An attacker that wants to be paid for nothing, or to do harm.
pub trait Adversary {
    /// What its accounts commit to in a round.
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>>;
}

/// Nobody attacks.
pub struct Nobody;

impl Adversary for Nobody {
    fn submit(&mut self, _: &RoundView) -> Result<Vec<Submission>> {
        Ok(Vec::new())
    }
}

/// Trains as honest contributors do, and then does something else with what it learned. Unmodified, it is one more honest
/// contributor, with which the attacks are compared.
#[derive(Clone)]
pub struct Hand {
    /// The stake of all its accounts together.
    stake: u32,
    /// Its delta is this many times as long as an honest one.
    times: f64,
    /// The number of accounts that hand it in; each after the first leaves out one word.
    accounts: usize,
    /// The contributor whose images it trains on.
    part: usize,
    residual: Vec<i32>,
}

impl Default for Hand {
    fn default() -> Self {
        Self {
            stake: STAKE,
            times: 1.0,
            accounts: 1,
            part: 0,
            residual: Vec::new(),
        }
    }
}

impl Hand {
    /// With this stake, over all its accounts together; its delta is `times` times as long as an honest one.
    pub fn new(stake: u32, times: f64, accounts: usize) -> Self {
        Self {
            stake,
            times,
            accounts,
            ..Self::default()
        }
    }

    /// An honest contributor that trains on the images of this contributor.
    pub fn beside(part: usize) -> Self {
        Self {
            part,
            ..Self::default()
        }
    }

    /// What it would hand in if it were honest.
    fn delta(&mut self, view: &RoundView) -> Result<Delta> {
        let change = view.change(self.part, OWN + self.part as u64)?;
        let mut change = Arc::unwrap_or_clone(change);
        let decay = residual_decay(&view.world.graph, KEPT, MAX_DELTA_BYTES);
        add_residual(&mut change, &self.residual, decay);
        let delta = Delta::compress(&change, KEPT);
        self.residual = delta.residual(&change);
        Ok(delta)
    }
}

impl Adversary for Hand {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let delta = times(&self.delta(view)?, self.times)?;
        let stake = self.stake / self.accounts as u32;
        (0..self.accounts)
            .map(|piece| {
                // Identical bytes are refused.
                let delta = if piece == 0 {
                    delta.clone()
                } else {
                    without(&delta, piece)?
                };
                let account = format!("hand {} {piece}", self.part);
                Ok(Submission::new(account, stake, delta))
            })
            .collect()
    }
}

/// Several attackers.
pub struct Together(pub Vec<Box<dyn Adversary>>);

impl Adversary for Together {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let each = self.0.iter_mut().map(|one| one.submit(view));
        Ok(each
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

/// Noise that looks like honest deltas: their values in random places.
pub struct Noise {
    /// Accounts.
    pub accounts: usize,
    /// Whether they are new ones in every round.
    pub fresh: bool,
}

impl Adversary for Noise {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let seed: u64 = view.random(OWN).random();
        let noise = |index: usize| {
            let like = &view.sealed()[index % view.sealed().len()];
            let change = noise_change(view.base.len(), seed ^ index as u64, &dense(like));
            let round = if self.fresh { view.round } else { 0 };
            let account = format!("noise {index} {round}");
            Submission::new(account, STAKE, Delta::compress(&change, KEPT))
        };
        Ok((0..self.accounts).map(noise).collect())
    }
}

/// Deltas of one unit: they would clip everybody else's delta to nothing.
pub struct Whispers {
    /// Accounts.
    pub accounts: usize,
    /// Stake of each.
    pub stake: u32,
}

impl Adversary for Whispers {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let mut random = view.random(OWN);
        let mut whisper = |index| {
            let position = random.random_range(0..view.base.len() as u32);
            let entry = Entry {
                position,
                change: 1,
            };
            let delta = Delta::new(view.base.len() as u32, vec![entry])?;
            Ok(Submission::new(
                format!("whisper {index}"),
                self.stake,
                delta,
            ))
        };
        (0..self.accounts).map(&mut whisper).collect()
    }
}

/// Poisons that push the model to where it is bad, and a cure that is worth a lot there.
pub struct PoisonAndCure {
    /// Poisons.
    pub poisons: usize,
    /// Stake of each.
    pub stake: u32,
    /// Stake of the cure; with 0, no cure is handed in.
    pub cure: u32,
}

/// How much of a poison is the harmful direction, and how much is noise that makes poisons differ.
const HARM: f64 = 0.83;
const NOISE: f64 = 0.56;

impl Adversary for PoisonAndCure {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let poison = f64::from(self.stake) * self.poisons as f64;
        let all = view.honest_weight as f64 + poison + f64::from(self.cure);
        // How far the poisons move the midpoint.
        let rate = f64::from(view.setting.outer_rate_q8) / f64::from(OUTER_RATE_ONE);
        let harmful = harmful(view, rate * poison * HARM / (2.0 * all))?;
        let mut random = view.random(OWN + 1);
        let mut submissions = Vec::new();
        for index in 0..self.poisons {
            let noise: Vec<f64> = (0..harmful.len())
                .map(|_| random.random_range(-1.0..1.0))
                .collect();
            let noise = scaled(noise, view.usual_norm());
            let mixed = harmful.iter().zip(noise);
            let change = mixed.map(|(harm, noise)| HARM * harm + NOISE * noise);
            let delta = compress(change);
            submissions.push(Submission::new(
                format!("poison {index}"),
                self.stake,
                delta,
            ));
        }
        if self.cure > 0 {
            let delta = compress(harmful.iter().map(|harm| -harm));
            submissions.push(Submission::new("cure", self.cure, delta));
        }
        Ok(submissions)
    }
}

/// Two accounts that together do what an honest contributor does; one of them adds harm that the other undoes.
#[derive(Default)]
pub struct Pair(Hand);

impl Adversary for Pair {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let (own, harm) = (dense(&self.0.delta(view)?), harmful(view, 0.3)?);
        let mixed = |sign: f64| {
            let both = own.iter().zip(&harm);
            let change: Vec<i32> = both
                .map(|(own, harm)| (f64::from(*own) + sign * harm).round() as i32)
                .collect();
            Delta::compress(&change, 2 * KEPT)
        };
        Ok(vec![
            Submission::new("pair 0", STAKE, mixed(1.0)),
            Submission::new("pair 1", STAKE, mixed(-1.0)),
        ])
    }
}

/// A step in the honest direction that is far too long, the twin, and a brake, the opposite step. Without the brake the merge goes
/// too far, so both would seem worth merging.
pub struct TwinAndBrake {
    /// Stake of the twin.
    pub twin: u32,
    /// Stake of the brake, a new account in every round: one that has done harm is no more than a newcomer either. If it is 0,
    /// there is no brake.
    pub brake: u32,
    /// The twin is this many times as long as an honest delta.
    pub times: f64,
    /// Accounts with little stake that do more harm than the brake, to hide it.
    pub decoys: usize,
    /// Rounds of the attack. After them the twin is honest, and nobody else is there.
    pub rounds: usize,
    /// Makes the honest delta.
    pub hand: Hand,
}

impl TwinAndBrake {
    /// Attacks in every round, without decoys.
    pub fn new(twin: u32, brake: u32, times: f64) -> Self {
        Self {
            twin,
            brake,
            times,
            decoys: 0,
            rounds: usize::MAX,
            hand: Hand::default(),
        }
    }
}

/// Length of the brake as a part of the twin's: not much shorter, so that it does not lower the median of norms.
const BRAKE: f64 = 0.999;

impl Adversary for TwinAndBrake {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let honest = self.hand.delta(view)?;
        if view.round >= self.rounds {
            return Ok(vec![Submission::new("twin", self.twin, honest)]);
        }
        let twin = times(&honest, self.times)?;
        let mut submissions = vec![Submission::new("twin", self.twin, twin)];
        if self.brake > 0 {
            let brake = times(&honest, -BRAKE * self.times)?;
            let account = format!("brake {}", view.round);
            submissions.push(Submission::new(account, self.brake, brake));
        }
        let opposite = times(&honest, -self.times)?;
        for index in 0..self.decoys {
            // Identical bytes are refused.
            let decoy = without(&opposite, index)?;
            submissions.push(Submission::new(format!("decoy {index}"), 1, decoy));
        }
        Ok(submissions)
    }
}

/// Hands in what the first honest contributor hands in, with noise. It assumes that the delta can be seen in time.
pub struct Copier {
    /// Length of the noise, as a part of the delta's.
    pub noise: f64,
}

impl Adversary for Copier {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let victim = dense(&view.sealed()[0]);
        let delta = if self.noise > 0.0 {
            let seed = view.random(OWN).random();
            let noise = noise_change(victim.len(), seed, &victim).into_iter();
            let mixed = victim.iter().zip(noise);
            let change: Vec<i32> = mixed
                .map(|(own, noise)| own + (f64::from(noise) * self.noise).round() as i32)
                .collect();
            Delta::compress(&change, 2 * KEPT)
        } else {
            // All except one word: identical bytes are refused.
            without(&view.sealed()[0], 1)?
        };
        Ok(vec![Submission::new("copy", STAKE, delta)])
    }
}

/// Good and harmful rounds in turn.
#[derive(Default)]
pub struct Alternating {
    /// Whether it does nothing instead of harm.
    pub is_harmless: bool,
    hand: Hand,
}

impl Alternating {
    /// Only the good rounds.
    pub fn harmless() -> Self {
        Self {
            is_harmless: true,
            ..Self::default()
        }
    }
}

impl Adversary for Alternating {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let delta = self.hand.delta(view)?;
        let delta = match (view.round % 2, self.is_harmless) {
            (0, _) => delta,
            (_, true) => return Ok(Vec::new()),
            (_, false) => times(&delta, -1.0)?,
        };
        Ok(vec![Submission::new("alternating", STAKE, delta)])
    }
}

/// A stranger that commits what an honest contributor revealed in a round that merged nothing. It depends on the chain to fail:
/// without such a round, it takes the bytes of the round before.
pub struct Recommit {
    /// Whether it changes a word; unchanged bytes are refused.
    pub is_altered: bool,
    /// Whether it waits for a round that merged nothing.
    pub waits: bool,
}

impl Adversary for Recommit {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let Some(past) = view.past else {
            return Ok(Vec::new());
        };
        let [before, after] = &past.weights;
        if self.waits && before != after {
            return Ok(Vec::new());
        }
        let Some((_, delta)) = past.revealed.first() else {
            return Ok(Vec::new());
        };
        let delta = if self.is_altered {
            without(delta, view.round)?
        } else {
            delta.clone()
        };
        Ok(vec![Submission::new("stranger", STAKE, delta)])
    }
}

/// Pushes on in the direction of the last merge, which everybody can see, without training.
pub struct Momentum;

impl Adversary for Momentum {
    fn submit(&mut self, view: &RoundView) -> Result<Vec<Submission>> {
        let Some(past) = view.past else {
            return Ok(Vec::new());
        };
        let [before, after] = &past.weights;
        let moved = before.iter().zip(after);
        let change: Vec<f64> = moved
            .map(|(before, after)| f64::from(*after) - f64::from(*before))
            .collect();
        if change.iter().all(|change| *change == 0.0) {
            return Ok(Vec::new());
        }
        let delta = compress(scaled(change, view.usual_norm()).into_iter());
        Ok(vec![Submission::new("momentum", STAKE, delta)])
    }
}

/// Number of images from which an attacker takes a gradient, and number of steps that it takes along it.
const IMAGES: usize = 512;
const CLIMBS: usize = 8;

/// The direction, as long as an honest delta, that does the most harm where `part` of it has moved the model; its opposite does the
/// most good there.
fn harmful(view: &RoundView, part: f64) -> Result<Vec<f64>> {
    let mut random = view.random(OWN + 2);
    let all = view.world.training.len();
    let start = random.random_range(0..all - IMAGES);
    let images = view.world.training.slice(start..start + IMAGES);
    let images = samples(&view.world.graph, &images)?;
    let norm = view.usual_norm();
    let start = (0..view.base.len()).map(|_| random.random_range(-1.0..1.0));
    let mut direction = scaled(start.collect(), norm);
    for _ in 0..CLIMBS {
        let moved = view.base.iter().zip(&direction);
        let bound = f64::from(MASTER_BOUND);
        let there: Vec<i16> = moved
            .map(|(base, way)| (f64::from(*base) + part * way).clamp(-bound, bound) as i16)
            .collect();
        let mut uphill = vec![0.0; there.len()];
        let mut add = |_: usize, gradient: &[i64]| {
            for (uphill, gradient) in uphill.iter_mut().zip(gradient) {
                *uphill += *gradient as f64;
            }
        };
        let groups: Vec<_> = groups(images.len()).collect();
        FastCpu.gradients(&view.world.graph, &there, &images, &groups, &mut add)?;
        let (uphill, before) = (scaled(uphill, 1.0), scaled(direction, 0.5));
        let both = uphill.iter().zip(before).map(|(up, before)| up + before);
        direction = scaled(both.collect(), norm);
    }
    Ok(direction)
}

/// The direction at this length.
fn scaled(direction: Vec<f64>, norm: f64) -> Vec<f64> {
    let square: f64 = direction.iter().map(|value| value * value).sum();
    let by = norm / square.sqrt().max(f64::MIN_POSITIVE);
    direction.into_iter().map(|value| value * by).collect()
}

fn compress(change: impl Iterator<Item = f64>) -> Delta {
    let change: Vec<i32> = change.map(|value| value.round() as i32).collect();
    Delta::compress(&change, KEPT)
}

/// Every parameter's change.
fn dense(delta: &Delta) -> Vec<i32> {
    let mut change = vec![0; delta.parameters() as usize];
    for entry in delta.entries() {
        change[entry.position as usize] = entry.change.into();
    }
    change
}

/// The delta `by` times as long; changes that round to nothing are left out.
fn times(delta: &Delta, by: f64) -> Result<Delta> {
    let entries = delta.entries().iter().map(|entry| Entry {
        position: entry.position,
        change: (f64::from(entry.change) * by)
            .round()
            .clamp(-32_767.0, 32_767.0) as i16,
    });
    let entries = entries.filter(|entry| entry.change != 0).collect();
    Ok(Delta::new(delta.parameters(), entries)?)
}

/// The delta without one of its words.
fn without(delta: &Delta, word: usize) -> Result<Delta> {
    let mut entries = delta.entries().to_vec();
    if entries.len() > 1 {
        entries.remove(word % entries.len());
    }
    Ok(Delta::new(delta.parameters(), entries)?)
}
