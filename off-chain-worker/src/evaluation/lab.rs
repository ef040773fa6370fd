//! A small round for tests.

use super::LieKind;
use gotong_protocol::{Opening, Rules};
use gotong_scoring::{
    draw, median_norm, pool_tree, reveals_tree, score_round, shard_root,
    trial::{Case, Witness},
    Delta, Entry, Graph, HoldOut, MasterWeights, Reference, Reveal, RevealRecord, RoundSamples,
    RoundScore, Samples,
};
use std::convert::Infallible;

/// What the parties of a round have.
#[derive(Clone)]
pub struct Lab {
    pub case: Case,
    pub base: Vec<i16>,
    pub samples: RoundSamples,
    pub reveals: Vec<Reveal>,
}

impl Lab {
    /// 6 inputs, 5 hidden, 3 classes; 5 samples; 3 deltas, of which the last is like the second.
    pub fn small() -> Self {
        let graph = Graph::mlp(&[6, 5, 3]);
        let parameters = graph.parameters() as u32;
        let noise = |at: u32, bound: u32| (at.wrapping_mul(2_654_435_761) >> 12) % bound;
        let base: Vec<i16> = (0..parameters)
            .map(|at| noise(at, 8001) as i16 - 4000)
            .collect();
        let samples = 5;
        let record = |sample: u32| {
            let pixels = (0..graph.inputs).map(move |at| noise(1 + 31 * sample + at, 256) as u8);
            pixels.chain([(sample % 3) as u8])
        };
        let records: Vec<u8> = (0..samples).flat_map(record).collect();
        let reveal = |seed: u32, weight: u32, first: i16| {
            let entries = (0..parameters).filter(|at| *at == 0 || noise(seed + at, 3) == 0);
            let entries = entries.map(|position| Entry {
                position,
                change: match position {
                    0 => first,
                    _ if noise(seed * 7 + position, 2) == 0 => 900,
                    _ => -900,
                },
            });
            let delta = Delta::new(parameters, entries.collect()).unwrap();
            Reveal {
                hash: Delta::hash_of(&delta.encode()),
                weight,
                delta,
            }
        };
        let reveals = vec![
            reveal(100, 10, 900),
            reveal(9000, 20, 900),
            reveal(9000, 15, -900),
        ];
        let key = [7; 32];
        let root = shard_root(&key, graph.inputs as usize + 1, &records).unwrap();
        let mut lab = Self {
            case: Case {
                rules: Rules {
                    admit_floor_q8: 0,
                    gain_floor_q8: 0,
                    central_difference: 1,
                },
                base_root: MasterWeights::new(base.clone()).unwrap().root(),
                hold_out: HoldOut::Sealed { key, root },
                samples,
                reveals_root: [0; 32],
                reveals: 0,
                median_norm: 0,
                graph,
            },
            base,
            samples: records.into(),
            reveals,
        };
        lab.keep_reveals(3);
        lab
    }

    /// The same round with its samples drawn from a pool, which has them where the seed draws them.
    pub fn drawn(self) -> Self {
        let (salt, seed, records) = ([8; 32], [9; 32], 16 * self.case.samples);
        let length = self.case.graph.inputs as usize + 1;
        let mut pool = vec![vec![0; length]; records as usize];
        for (sample, record) in (0..).zip(self.samples.records().chunks(length)) {
            let place = draw(&seed, sample, self.case.samples, records).unwrap();
            pool[place as usize] = record.to_vec();
        }
        let tree = pool_tree(&salt, &pool);
        let read = |place| Ok::<_, Infallible>(pool[place as usize].clone());
        let samples = RoundSamples::drawn(&tree, &seed, self.case.samples, read).unwrap();
        let mut lab = Self { samples, ..self };
        lab.case.hold_out = HoldOut::Drawn {
            salt,
            root: tree.root().hash,
            records,
            seed,
        };
        lab
    }

    /// Leaves only the first so many deltas.
    pub fn keep_reveals(&mut self, count: usize) {
        self.reveals.truncate(count);
        let records: Vec<RevealRecord> = self
            .reveals
            .iter()
            .map(|reveal| RevealRecord::of(reveal.hash, &reveal.delta, reveal.weight))
            .collect();
        self.case.reveals_root = reveals_tree(&records).root().hash;
        self.case.reveals = records.len() as u32;
        self.case.median_norm = median_norm(&records);
    }

    pub fn score(&self) -> RoundScore {
        let graph = &self.case.graph;
        let samples = Samples::new(graph.inputs, graph.classes(), self.samples.records()).unwrap();
        let (base, reveals, rules) = (&self.base, &self.reveals, &self.case.rules);
        score_round(&mut Reference, graph, base, &samples, reveals, rules).unwrap()
    }

    pub fn opening(&self) -> Opening {
        self.score().table.opening()
    }

    pub fn honest(&self) -> Witness {
        let (base, samples) = (self.base.clone(), self.samples.clone());
        let reveals = self.reveals.clone();
        Witness::new(self.case.clone(), base, samples, reveals, self.score()).unwrap()
    }

    pub fn liar(&self, kind: LieKind) -> Witness {
        let (base, samples, reveals) = (&self.base, &self.samples, &self.reveals);
        let score = self.score();
        let lied = kind.witness(&self.case, base, samples, reveals, &score, &mut Reference);
        let lied = lied.unwrap();
        lied.unwrap_or_else(|| panic!("the round has no lie of the kind {kind:?}"))
    }
}
