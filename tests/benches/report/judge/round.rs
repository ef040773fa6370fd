//! The rounds that are scored and disputed here: everything that their parties have.

use super::{CONTRIBUTORS, REPEATS, SAMPLES};
use crate::worker::{median, rounded};
use anyhow::{Context, Result};
use gotong_evaluation::FastCpu;
use gotong_scoring::{
    gradient::{Differentiator, MAX_GROUP},
    shard_root,
    share::{
        entrants_tree, entry_weight, share_round, share_table, trial::Player, Entrant, ShareRound,
        Stage,
    },
    work_root, Delta, EntrantRecord, Entry, Graph, Hash, HoldOut, MasterWeights, RoundFacts,
    Samples, ShareTable, ShareTerms,
};
use gotong_training::{data::FashionMnist, initial_weights, train, TrainingConfig};
use serde_json::{Map, Value};
use std::{hint::black_box, sync::atomic::AtomicBool, time::Instant};

/// A made-up delta changes one in this many parameters.
const SPARSITY: usize = 10;
/// The most by which a made-up delta changes all inputs of a unit together, so that no loss falls to zero.
const LONGEST_STEP: u32 = 1 << 21;
/// The most by which the first of them changes one input.
const MOST_CHANGE: u32 = 4_000;

/// Everything that the parties of a round have.
pub struct Round {
    facts: RoundFacts,
    base: Vec<i16>,
    records: Vec<u8>,
    samples: Samples,
    deltas: Vec<Delta>,
    hashes: Vec<Hash>,
}

impl Round {
    fn new(graph: Graph, base: Vec<i16>, records: Vec<u8>, deltas: Vec<Delta>) -> Result<Self> {
        let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
        let key = [7; 32];
        let root = shard_root(&key, graph.inputs as usize + 1, &records)?;
        let hash = |delta: &Delta| Delta::hash_of(&delta.encode());
        let hashes: Vec<Hash> = deltas.iter().map(hash).collect();
        let entrants: Vec<EntrantRecord> = entrants(&deltas)
            .iter()
            .zip(&hashes)
            .map(|(entrant, hash)| EntrantRecord::of(*hash, entrant))
            .collect();
        let facts = RoundFacts {
            terms: ShareTerms::default(),
            base_root: MasterWeights::new(base.clone())?.root(),
            hold_out: HoldOut::Sealed { key, root },
            samples: u32::try_from(samples.len())?,
            half_seed: [9; 32],
            entrants_root: entrants_tree(&entrants).root().hash,
            entrants: u32::try_from(entrants.len())?,
            graph,
        };
        Ok(Self {
            facts,
            base,
            records,
            samples,
            deltas,
            hashes,
        })
    }

    /// The first round of the demo: its model, its samples, and deltas as its contributors train them.
    pub fn of_the_demo() -> Result<Self> {
        let set = FashionMnist::load(&FashionMnist::directory())?;
        let graph = Graph::mlp(&[784, 128, 10]);
        let base = initial_weights(&graph, 1);
        let (device, stop) = (burn::tensor::Device::flex(), AtomicBool::new(false));
        let deltas = (0..CONTRIBUTORS).map(|part| {
            let config = TrainingConfig {
                seed: part.into(),
                ..TrainingConfig::default()
            };
            let data = set.train.part(part as usize, CONTRIBUTORS as usize);
            let change = train(&graph, &base, &data, &config, &device, &mut |_| {}, &stop)?;
            anyhow::Ok(Delta::compress(&change, 100))
        });
        let deltas = deltas.collect::<Result<_>>()?;
        let records = set.test.slice(0..SAMPLES as usize).records();
        Self::new(graph, base, records, deltas)
    }

    /// A round of an untrained MLP on made-up samples, whose brighter bytes tell the class. Its deltas go down the gradient.
    pub fn made_up(layers: &[u32], samples: u32, deltas: u32) -> Result<Self> {
        let graph = Graph::mlp(layers);
        let base = initial_weights(&graph, 1);
        let (inputs, classes) = (graph.inputs, graph.classes());
        let records = (0..samples).flat_map(|sample| {
            let label = sample % classes;
            let byte = move |input: u32| {
                let noise = (sample.wrapping_mul(31) ^ input.wrapping_mul(7)) % 128;
                let light = if input % classes == label { 127 } else { 0 };
                (noise + light) as u8
            };
            (0..inputs).map(byte).chain([label as u8])
        });
        let records: Vec<u8> = records.collect();
        let samples = Samples::new(inputs, classes, &records)?;
        let some = 0..samples.len().min(MAX_GROUP);
        let mut gradient = Vec::new();
        let see = &mut |_, words: &[i64]| gradient = words.to_vec();
        FastCpu.gradients(&graph, &base, &samples, &[some], see)?;
        let size = (LONGEST_STEP / inputs).min(MOST_CHANGE) as i16;
        let deltas = (0..deltas as usize).map(|number| down(&gradient, size, number));
        let deltas = deltas.collect::<Result<_>>()?;
        Self::new(graph, base, records, deltas)
    }

    /// Parameters of the model.
    pub fn parameters(&self) -> u32 {
        self.base.len() as u32
    }

    /// The first sample of a stage's group.
    pub fn sample(&self, stage: Stage, group: u32) -> Result<u32> {
        let samples = self.facts.group(stage, group);
        let first = samples.and_then(|samples| samples.first().copied());
        first.context("the group has samples")
    }

    /// The round without commitments.
    fn score(&self) -> Result<ShareRound> {
        let (facts, entrants) = (&self.facts, entrants(&self.deltas));
        Ok(share_round(
            &mut FastCpu,
            &facts.graph,
            &self.base,
            &self.samples,
            &facts.half_seed,
            &entrants,
            &facts.terms,
        )?)
    }

    /// The round's table.
    fn table(&self) -> Result<ShareTable> {
        let (facts, entrants) = (&self.facts, entrants(&self.deltas));
        let (_, table) = share_table(
            &mut FastCpu,
            &facts.graph,
            &self.base,
            &self.samples,
            &facts.half_seed,
            &entrants,
            &self.hashes,
            &facts.terms,
        )?;
        Ok(table)
    }

    /// A party that defends the round's table.
    pub fn honest(&self) -> Result<Player> {
        Ok(Player::new(
            self.facts.clone(),
            self.base.clone(),
            self.records.clone(),
            self.deltas.clone(),
            self.table()?,
        )?)
    }

    /// The time of a round's commitments (roots of gradients, weights, rows, losses, deltas, and of the attester's own work),
    /// divided by the time of everything else that scores it.
    pub fn overhead(&self, suffix: &str, report: &mut Map<String, Value>) -> Result<()> {
        let mut seconds = [const { Vec::new() }; 3];
        for _ in 0..REPEATS {
            let start = Instant::now();
            black_box(self.score()?);
            let score = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let table = self.table()?;
            black_box((table.summary(), work_root(&[1; 32], &table)));
            let all = start.elapsed().as_secs_f64();
            for (seconds, value) in seconds.iter_mut().zip([score, all, all - score]) {
                seconds.push(value);
            }
        }
        let [score, all, commitments] = seconds.map(median);
        for (name, value) in [
            ("overhead", commitments / score),
            ("round_ms", all * 1e3),
            ("commitments_ms", commitments * 1e3),
        ] {
            report.insert(format!("attester_{name}{suffix}"), rounded(value));
        }
        Ok(())
    }
}

/// The deltas, as those of newcomers with the same stake.
fn entrants(deltas: &[Delta]) -> Vec<Entrant<'_>> {
    let is_proven = false;
    let entrants = deltas.iter().map(|delta| Entrant {
        delta,
        weight: entry_weight(100, is_proven),
        is_proven,
    });
    entrants.collect()
}

/// A delta that goes down a gradient by about `size` at one in [`SPARSITY`] parameters. No two numbers give the same delta.
fn down(gradient: &[i64], size: i16, number: usize) -> Result<Delta> {
    let size = size + i16::try_from(number / SPARSITY)?;
    let all = (0u32..).zip(gradient);
    let entries = all.skip(number % SPARSITY).step_by(SPARSITY);
    let entries = entries.map(|(position, slope)| Entry {
        position,
        change: if *slope > 0 { -size } else { size },
    });
    let parameters = u32::try_from(gradient.len())?;
    Ok(Delta::new(parameters, entries.collect())?)
}
