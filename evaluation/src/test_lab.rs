//! A small round for tests, here and in the worker.

use gotong_evaluation::LieKind;
use gotong_protocol::{EntrantRecord, RoundFacts, ShareTerms, TableSummary};
use gotong_scoring::{
    draw,
    gradient::Differentiator,
    pool_tree, shard_root,
    share::{company::Entrant, entrants_tree, share_table, trial::Player, ShareRound},
    Delta, Entry, Graph, HoldOut, MasterWeights, Reference, RoundSamples, Samples, ShareTable,
};
use std::convert::Infallible;

/// What the parties of a round have.
#[derive(Clone)]
pub struct Lab {
    /// What the chain knows about the round.
    pub facts: RoundFacts,
    /// The weights before the round.
    pub base: Vec<i16>,
    /// What scores the round.
    pub samples: RoundSamples,
    /// Its deltas.
    pub entrants: Vec<LabEntrant>,
}

/// A delta of the round.
#[derive(Clone)]
pub struct LabEntrant {
    /// The change.
    pub delta: Delta,
    /// Its weight in the merge.
    pub weight: u32,
    /// Whether its author has proved skill before.
    pub is_proven: bool,
}

/// Where a delta of the round leads.
#[derive(Clone, Copy)]
enum Direction {
    Down,
    Up,
}

impl Lab {
    /// 6 inputs, 5 hidden, 3 classes; 64 samples; 4 deltas, of which the third makes the loss worse and is dropped, so that
    /// the second of two passes is merged.
    pub fn small() -> Self {
        let graph = Graph::mlp(&[6, 5, 3]);
        let parameters = graph.parameters() as u32;
        let noise = |at: u32, bound: u32| (at.wrapping_mul(2_654_435_761) >> 12) % bound;
        let base: Vec<i16> = (0..parameters)
            .map(|at| (noise(at, 48_001) as i32 - 24_000) as i16)
            .collect();
        let samples = 64;
        let record = |sample: u32| {
            let class = sample % 3;
            // Two inputs per class are bright.
            let pixels = (0..graph.inputs).map(move |at| {
                let dark = noise(1 + 31 * sample + at, 96) as u8;
                dark + 160 * u8::from(at / 2 == class)
            });
            pixels.chain([class as u8])
        };
        let records: Vec<u8> = (0..samples).flat_map(record).collect();
        let gradient = gradient(&graph, &base, &records);
        let entrant = |seed: u32, weight: u32, is_proven: bool, direction: Direction| {
            let size = match direction {
                Direction::Down => -900,
                Direction::Up => 1500,
            };
            let entries = (0u32..).zip(&gradient).filter_map(|(position, slope)| {
                let change = size * slope.signum() as i16;
                let is_kept = change != 0 && noise(seed + 7 * position, 3) > 0;
                is_kept.then_some(Entry { position, change })
            });
            LabEntrant {
                delta: Delta::new(parameters, entries.collect()).unwrap(),
                weight,
                is_proven,
            }
        };
        let entrants = vec![
            entrant(100, 10, false, Direction::Down),
            entrant(9000, 20, true, Direction::Down),
            entrant(500, 15, false, Direction::Up),
            entrant(70, 30, true, Direction::Down),
        ];
        let key = [7; 32];
        let root = shard_root(&key, graph.inputs as usize + 1, &records).unwrap();
        let mut lab = Self {
            facts: RoundFacts {
                terms: ShareTerms::default(),
                base_root: MasterWeights::new(base.clone()).unwrap().root(),
                hold_out: HoldOut::Sealed { key, root },
                samples,
                half_seed: [3; 32],
                entrants_root: [0; 32],
                entrants: 0,
                graph,
            },
            base,
            samples: records.into(),
            entrants,
        };
        lab.keep_entrants(4);
        lab
    }

    /// The same round with its samples drawn from a pool, which has them where the seed draws them.
    pub fn drawn(self) -> Self {
        let (salt, seed, records) = ([8; 32], [9; 32], 16 * self.facts.samples);
        let length = self.facts.graph.inputs as usize + 1;
        let mut pool = vec![vec![0; length]; records as usize];
        for (sample, record) in (0..).zip(self.samples.records().chunks(length)) {
            let place = draw(&seed, sample, self.facts.samples, records).unwrap();
            pool[place as usize] = record.to_vec();
        }
        let tree = pool_tree(&salt, &pool);
        let read = |place| Ok::<_, Infallible>(pool[place as usize].clone());
        let samples = RoundSamples::drawn(&tree, &seed, self.facts.samples, read).unwrap();
        let mut lab = Self { samples, ..self };
        lab.facts.hold_out = HoldOut::Drawn {
            salt,
            root: tree.root().hash,
            records,
            seed,
        };
        lab
    }

    /// Keeps only the first `count` deltas.
    pub fn keep_entrants(&mut self, count: usize) {
        self.entrants.truncate(count);
        self.facts.entrants_root = entrants_tree(&self.records()).root().hash;
        self.facts.entrants = self.entrants.len() as u32;
    }

    /// Keeps only the delta that makes the loss worse, so that nothing is merged.
    pub fn harmful(mut self) -> Self {
        self.entrants.swap(0, 2);
        self.keep_entrants(1);
        self
    }

    /// The identities of the round's deltas.
    pub fn records(&self) -> Vec<EntrantRecord> {
        let hashes = self.entrants.iter().map(LabEntrant::hash);
        let records = hashes.zip(self.entrants());
        records
            .map(|(hash, entrant)| EntrantRecord::of(hash, &entrant))
            .collect()
    }

    fn entrants(&self) -> Vec<Entrant<'_>> {
        self.entrants.iter().map(LabEntrant::entrant).collect()
    }

    /// The result of the round, and its table.
    pub fn score(&self) -> (ShareRound, ShareTable) {
        let hashes: Vec<_> = self.entrants.iter().map(LabEntrant::hash).collect();
        let graph = &self.facts.graph;
        let samples = Samples::new(graph.inputs, graph.classes(), self.samples.records()).unwrap();
        let (seed, terms) = (&self.facts.half_seed, &self.facts.terms);
        share_table(
            &mut Reference,
            graph,
            &self.base,
            &samples,
            seed,
            &self.entrants(),
            &hashes,
            terms,
        )
        .unwrap()
    }

    /// Its table.
    pub fn table(&self) -> ShareTable {
        self.score().1
    }

    /// The summary of its table.
    pub fn summary(&self) -> TableSummary {
        self.table().summary()
    }

    /// A party with the right table.
    pub fn honest(&self) -> Player {
        let (base, samples) = (self.base.clone(), self.samples.clone());
        let deltas = self.entrants.iter().map(|entrant| entrant.delta.clone());
        Player::new(self.facts.clone(), base, samples, deltas, self.table()).unwrap()
    }

    /// A party that tells this lie.
    pub fn liar(&self, kind: LieKind) -> Player {
        let liar = kind.player(&self.honest(), self.samples.records(), &mut Reference);
        let (liar, _) = liar.unwrap_or_else(|| panic!("the round has no lie: {kind:?}"));
        liar
    }
}

impl LabEntrant {
    /// The hash of the delta.
    pub fn hash(&self) -> gotong_protocol::Hash {
        Delta::hash_of(&self.delta.encode())
    }

    fn entrant(&self) -> Entrant<'_> {
        Entrant {
            delta: &self.delta,
            weight: self.weight,
            is_proven: self.is_proven,
        }
    }
}

fn gradient(graph: &Graph, base: &[i16], records: &[u8]) -> Vec<i64> {
    let samples = Samples::new(graph.inputs, graph.classes(), records).unwrap();
    let (all, mut gradient) = (0..samples.len(), Vec::new());
    Reference
        .gradients(graph, base, &samples, &[all], &mut |_, words| {
            gradient = words.to_vec();
        })
        .unwrap();
    gradient
}

#[test]
fn the_lab_drops_a_harmful_delta_and_merges_the_others() {
    let lab = Lab::small();
    let summary = lab.summary();
    assert!(lab.facts.allow(&summary));
    assert_eq!(summary.passes.len(), 2);
    assert_eq!(summary.candidate(), Some(1));
    assert_eq!(summary.passes[0].last_dropped, Some(2));
    assert_eq!(summary.passes[1].members.count(), 3);
    assert!(summary.pay().is_some());
    assert!(lab.harmful().summary().pay().is_none());
}
