//! Small rounds for tests: honest deltas, poisons, cures and noise, from a seed.

use super::company::{Company, Entrant};
use super::record::{entrants_tree, EntrantRecord};
use super::trial::{Player, RoundFacts};
use super::{share_table, ShareRound, ShareTable, ShareTerms};
use crate::gradient::Differentiator;
use crate::shard::shard_root;
use crate::{Delta, Entry, Graph, Hash, HoldOut, MasterWeights, Reference, RoundSamples, Samples};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

/// A small random number generator, so that a round follows from a seed.
pub struct Dice(Cell<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// SplitMix64.
    pub fn roll(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&self, bound: u32) -> u32 {
        (self.roll() % u64::from(bound.max(1))) as u32
    }
}

/// Everything about a round.
#[derive(Clone)]
pub struct Fixture {
    seed: u64,
    pub facts: RoundFacts,
    pub base: Vec<i16>,
    pub held: RoundSamples,
    pub samples: Samples,
    pub deltas: Vec<Delta>,
    pub hashes: Vec<Hash>,
    /// Stake weight of each entrant, and whether it is proven.
    pub stakes: Vec<(u32, bool)>,
    pub round: ShareRound,
    pub table: ShareTable,
}

impl core::fmt::Debug for Fixture {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (facts, passes) = (&self.facts, self.table.passes.len());
        let merged = self.round.merged_pass;
        write!(
            f,
            "{} samples, {} entrants, {passes} passes, merged {merged:?}, seed {}, {:?}",
            facts.samples, facts.entrants, self.seed, facts.graph.ops
        )
    }
}

impl Fixture {
    pub fn mlp(layers: &[u32], samples: u32, entrants: u32, seed: u64) -> Self {
        Self::of(Graph::mlp(layers), samples, entrants, seed)
    }

    pub fn of(graph: Graph, samples: u32, entrants: u32, seed: u64) -> Self {
        let dice = Dice::new(seed);
        let parameters = graph.parameters();
        let base: Vec<i16> = (0..parameters)
            .map(|_| (dice.below(6001) as i32 - 3000) as i16)
            .collect();
        let bytes = graph.vocab().unwrap_or(256);
        let records: Vec<u8> = (0..samples)
            .flat_map(|_| {
                let mut record: Vec<u8> =
                    (0..graph.inputs).map(|_| dice.below(bytes) as u8).collect();
                record.push(dice.below(graph.classes()) as u8);
                record
            })
            .collect();
        let labelled = Samples::new(graph.inputs, graph.classes(), &records).unwrap();
        let mut gradient = Vec::new();
        let all = 0..labelled.len();
        Reference
            .gradients(&graph, &base, &labelled, &[all], &mut |_, words| {
                gradient = words.to_vec()
            })
            .unwrap();
        let deltas: Vec<Delta> = (0..entrants)
            .map(|_| any_delta(&dice, &gradient, seed % 5 == 4))
            .collect();
        let hashes: Vec<Hash> = deltas
            .iter()
            .map(|delta| Delta::hash_of(&delta.encode()))
            .collect();
        let stakes: Vec<(u32, bool)> = (0..entrants)
            .map(|_| (1 + dice.below(1000), dice.below(2) == 0))
            .collect();
        let terms = ShareTerms {
            newcomer_floor_q8: 1 << 8,
            proven_floor_q8: (seed / 7 % 2) as u16 * 128,
            gain_floor_q8: (seed % 2) as u16 * 128,
            doubt_q8: 2 << 8,
            outer_rate_q8: [256, 128, 512, 333, 201][(seed / 3 % 5) as usize],
        };
        let (key, half_seed) = ([7; 32], [seed as u8; 32]);
        let record_len = graph.inputs as usize + 1;
        let entrants_of = entrants_of(&deltas, &stakes);
        let proofs: Vec<EntrantRecord> = entrants_of
            .iter()
            .zip(&hashes)
            .map(|(entrant, hash)| EntrantRecord::of(*hash, entrant))
            .collect();
        let (round, table) = share_table(
            &mut Reference,
            &graph,
            &base,
            &labelled,
            &half_seed,
            &entrants_of,
            &hashes,
            &terms,
        )
        .unwrap();
        let facts = RoundFacts {
            terms,
            base_root: MasterWeights::new(base.clone()).unwrap().root(),
            hold_out: HoldOut::Sealed {
                key,
                root: shard_root(&key, record_len, &records).unwrap(),
            },
            samples,
            half_seed,
            entrants_root: entrants_tree(&proofs).root().hash,
            entrants,
            graph,
        };
        Self {
            seed,
            facts,
            base,
            held: records.into(),
            samples: labelled,
            deltas,
            hashes,
            stakes,
            round,
            table,
        }
    }

    pub fn entrants(&self) -> Vec<Entrant<'_>> {
        entrants_of(&self.deltas, &self.stakes)
    }

    /// A party that defends a table of this round.
    pub fn player(&self, table: ShareTable) -> Player {
        let (facts, base) = (self.facts.clone(), self.base.clone());
        Player::new(facts, base, self.held.clone(), self.deltas.clone(), table).unwrap()
    }

    pub fn honest(&self) -> Player {
        self.player(self.table.clone())
    }

    /// The company of these members.
    pub fn company(&self, members: Vec<bool>) -> Company {
        Company::of(members, &self.entrants(), &self.facts.terms)
    }
}

fn entrants_of<'a>(deltas: &'a [Delta], stakes: &[(u32, bool)]) -> Vec<Entrant<'a>> {
    let entrants = deltas.iter().zip(stakes);
    let entrant = |(delta, (weight, is_proven)): (&'a Delta, &(u32, bool))| Entrant {
        delta,
        weight: *weight,
        is_proven: *is_proven,
    };
    entrants.map(entrant).collect()
}

/// A delta down the gradient, up it, or anywhere; only up it if all are to be bad.
fn any_delta(dice: &Dice, gradient: &[i64], is_bad: bool) -> Delta {
    let kind = if is_bad { 9 } else { dice.below(10) };
    let size = [600, 900, 1500][dice.below(3) as usize];
    let change = |slope: i64| match kind {
        0..=5 => -slope.signum() * size,
        6 | 9 => slope.signum() * size,
        _ => [-size, size][dice.below(2) as usize],
    };
    let entries = (0u32..).zip(gradient).filter_map(|(position, slope)| {
        let change = change(*slope) as i16;
        (change != 0 && dice.below(3) > 0).then_some(Entry { position, change })
    });
    let mut entries: Vec<Entry> = entries.collect();
    if entries.is_empty() {
        entries = vec![Entry {
            position: 0,
            change: size as i16,
        }];
    }
    Delta::new(gradient.len() as u32, entries).unwrap()
}
