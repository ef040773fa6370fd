//! Whole rounds on a small task that can be learnt: four patterns under noise.

#![allow(clippy::unwrap_used)]

use gotong_scoring::merge::{MAX_REVEALS, MAX_WEIGHT};
use gotong_scoring::{
    blake2_256,
    gradient::Differentiator,
    predict,
    share::{halves, share_round, share_table, Entrant, ShareRound},
    work_root, Delta, EvalError, Evaluator, Graph, Hash, MasterWeights, Reference, Samples,
    ScoreError, ShareTable, ShareTerms, WeightsError,
};

const INPUTS: usize = 64;
const CLASSES: usize = 4;
const SEED: Hash = [7; 32];

/// A multiplicative generator: enough for test data.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

struct Task {
    graph: Graph,
    patterns: Vec<bool>,
    random: Random,
}

impl Task {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let patterns = (0..INPUTS * CLASSES)
            .map(|_| random.below(2) == 1)
            .collect();
        Self {
            graph: Graph::mlp(&[INPUTS as u32, CLASSES as u32]),
            patterns,
            random,
        }
    }

    fn samples(&mut self, count: usize) -> Samples {
        let mut records = Vec::new();
        for _ in 0..count {
            let label = self.random.below(CLASSES as u64) as usize;
            for bright in &self.patterns[label * INPUTS..][..INPUTS] {
                let level = if *bright { 60 } else { 0 };
                records.push(level + self.random.below(190) as u8);
            }
            records.push(label as u8);
        }
        Samples::new(INPUTS as u32, CLASSES as u32, &records).unwrap()
    }

    fn base(&self) -> Vec<i16> {
        vec![0; self.graph.parameters()]
    }

    /// What a perceptron learns from samples: towards the label, away from what was predicted instead.
    fn learn(&mut self, weights: &[i16], count: usize) -> Delta {
        let samples = self.samples(count);
        let predicted = predict(&self.graph, weights, &samples).unwrap();
        let mut change = vec![0i32; self.graph.parameters()];
        for ((pixels, label), predicted) in samples.iter().zip(predicted) {
            for (class, sign) in [(label, 1), (predicted, -1)] {
                let row = &mut change[usize::from(class) * INPUTS..][..INPUTS];
                for (change, byte) in row.iter_mut().zip(pixels) {
                    *change += sign * (i32::from(*byte) - 125) * 8;
                }
            }
        }
        Delta::compress(&change, 400)
    }

    /// The same changes in other places.
    fn permuted(&mut self, honest: &Delta) -> Delta {
        let mut change: Vec<i32> = vec![0; honest.parameters() as usize];
        for entry in honest.entries() {
            change[entry.position as usize] = entry.change.into();
        }
        self.random.shuffle(&mut change);
        Delta::compress(&change, 1000)
    }

    fn play(&self, base: &[i16], samples: &Samples, deltas: &[Delta]) -> (ShareRound, ShareTable) {
        let hashes: Vec<Hash> = deltas.iter().map(|d| Delta::hash_of(&d.encode())).collect();
        let (entrants, terms) = (entrants(deltas, 1000), ShareTerms::default());
        let graph = &self.graph;
        share_table(
            &mut Reference,
            graph,
            base,
            samples,
            &SEED,
            &entrants,
            &hashes,
            &terms,
        )
        .unwrap()
    }
}

fn entrants(deltas: &[Delta], weight: u32) -> Vec<Entrant<'_>> {
    let entrant = |delta| Entrant {
        delta,
        weight,
        is_proven: false,
    };
    deltas.iter().map(entrant).collect()
}

/// Rounds with four honest contributors and one that sends noise: each learns from the model so
/// far.
#[test]
fn honest_work_is_credited_and_noise_is_not() {
    let (mut honest_credit, mut noise_credit, mut noise_merged) = (0, 0, 0);
    for seed in 1..=4 {
        let mut task = Task::new(seed);
        let mut base = task.base();
        for _ in 0..4 {
            let mut deltas: Vec<Delta> = (0..4).map(|_| task.learn(&base, 100)).collect();
            deltas.push(task.permuted(&deltas[0]));
            let samples = task.samples(600);
            let (round, table) = task.play(&base, &samples, &deltas);
            check_consistency(&task.graph, &base, &samples, &round, &table);
            assert!(round.gain > 0);
            let credit = |index: usize| round.credits[index].map_or(0, |credit| credit.credit);
            honest_credit += (0..4).map(credit).sum::<i64>();
            noise_credit += credit(4);
            noise_merged += u32::from(round.credits[4].is_some());
            base = round.weights;
        }
    }
    assert!(noise_merged <= 4, "{noise_merged} of 16");
    assert!(
        20 * noise_credit < honest_credit,
        "{noise_credit} of {honest_credit}"
    );
}

/// The gain is what the model gained on B, and every credit for it is proved.
fn check_consistency(
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    round: &ShareRound,
    table: &ShareTable,
) {
    let base_root = MasterWeights::new(base.to_vec()).unwrap().root();
    let (summary, root) = (
        table.summary(),
        MasterWeights::new(round.weights.clone()).unwrap().root(),
    );
    let [_, b] = halves(&SEED, samples.len() as u32);
    let b = samples.select(&b);
    let loss = |weights: &[i16]| -> i64 {
        let losses = Reference.losses(graph, weights, &b).unwrap();
        losses.into_iter().map(i64::from).sum()
    };
    assert_eq!(round.gain, loss(base) - loss(&round.weights));
    let claim = summary.claim(&base_root);
    assert_eq!(claim.master_root, root);
    assert_eq!(
        claim.merged.map(|merged| merged.gain),
        round.merged_pass.map(|_| round.gain)
    );
    let (mut sum, mut positive) = (0, 0);
    for (index, credit) in (0u32..).zip(&round.credits) {
        let Some(proof) = table.prove_credit(index) else {
            assert_eq!((claim.merged, *credit), (None, None));
            continue;
        };
        let proved = proof.verify(&claim).unwrap();
        assert_eq!(
            (proved.index, proved.credit),
            (index, credit.unwrap_or_default())
        );
        sum += proved.credit.credit;
        positive += proved.credit.credit.max(0) as u64;
    }
    assert_eq!(sum, round.gain);
    assert!(positive <= claim.merged.map_or(0, |merged| merged.most_credits));
}

#[test]
fn the_order_of_entrants_does_not_matter() {
    let mut task = Task::new(2);
    let base = task.base();
    let mut deltas: Vec<Delta> = (1..=5).map(|n| task.learn(&base, 5 * n)).collect();
    let samples = task.samples(200);
    let (first, _) = task.play(&base, &samples, &deltas);
    assert!(first.merged_pass.is_some());
    let parts_of = |round: &ShareRound, deltas: &[Delta], delta: &Delta| {
        let index = deltas.iter().position(|own| own == delta).unwrap();
        round.paid_parts[index].clone()
    };
    let all = deltas.clone();
    for _ in 0..4 {
        task.random.shuffle(&mut deltas);
        let (again, _) = task.play(&base, &samples, &deltas);
        assert_eq!((again.gain, &again.weights), (first.gain, &first.weights));
        for delta in &all {
            assert_eq!(
                parts_of(&again, &deltas, delta),
                parts_of(&first, &all, delta)
            );
        }
    }
}

#[test]
fn a_round_that_gains_nothing_merges_nothing() {
    let mut task = Task::new(3);
    let base = task.base();
    let honest = task.learn(&base, 50);
    let mut change = vec![0; base.len()];
    for entry in honest.entries() {
        change[entry.position as usize] = -i32::from(entry.change);
    }
    let harmful = Delta::compress(&change, 1000);
    let samples = task.samples(100);
    let (round, table) = task.play(&base, &samples, &[harmful]);
    check_consistency(&task.graph, &base, &samples, &round, &table);
    assert_eq!((round.merged_pass, round.gain), (None, 0));
    assert_eq!((table.merge, round.weights), (None, base));
}

#[test]
fn a_round_is_golden() {
    let mut task = Task::new(7);
    let base = task.base();
    let mut deltas: Vec<Delta> = (0..3).map(|_| task.learn(&base, 30)).collect();
    deltas.push(deltas[1].clone());
    deltas.push(task.permuted(&deltas[2]));
    let samples = task.samples(50);
    let (round, table) = task.play(&base, &samples, &deltas);
    assert!(round.merged_pass.is_some());
    let claim = table
        .summary()
        .claim(&MasterWeights::new(base).unwrap().root());
    let bits = |hash: Hash| hex::encode(&blake2_256(&[&hash])[..8]);
    let found = [
        bits(claim.table_root),
        bits(claim.master_root),
        bits(work_root(&[1; 32], &table)),
    ];
    assert_eq!(
        found,
        ["3911c6ac99177ad5", "01d83772f49e955c", "a3477f4aa97236a0"]
    );
}

#[test]
fn what_cannot_be_scored_is_named() {
    let mut task = Task::new(1);
    let (base, samples) = (task.base(), task.samples(10));
    let good = task.learn(&base, 10);
    let terms = ShareTerms::default();
    let play = |base: &[i16], samples: &Samples, entrants: &[Entrant]| {
        let graph = &task.graph;
        let round = share_round(
            &mut Reference,
            graph,
            base,
            samples,
            &SEED,
            entrants,
            &terms,
        );
        round.map(|_| ())
    };
    let one = [good.clone()];
    let one = entrants(&one, 1);
    assert_eq!(play(&base, &samples, &one), Ok(()));
    assert_eq!(play(&base, &samples, &[]), Err(ScoreError::NoReveals));
    let many = vec![good.clone(); MAX_REVEALS + 1];
    let many = entrants(&many, 1);
    assert_eq!(
        play(&base, &samples, &many),
        Err(ScoreError::TooManyReveals)
    );
    for weight in [0, MAX_WEIGHT + 1] {
        let two = [one[0], Entrant { weight, ..one[0] }];
        let error = Err(ScoreError::WeightOutOfBounds { reveal: 1 });
        assert_eq!(play(&base, &samples, &two), error);
    }
    for change in [vec![0; base.len()], vec![1; base.len() - 1]] {
        let other = [Delta::compress(&change, 1000)];
        let error = Err(ScoreError::WrongDelta { reveal: 0 });
        assert_eq!(play(&base, &samples, &entrants(&other, 1)), error);
    }
    let one_sample = Samples::new(INPUTS as u32, 1, &[0; INPUTS + 1]).unwrap();
    assert_eq!(
        play(&base, &one_sample, &one),
        Err(ScoreError::TooFewSamples)
    );
    let mut wild = base.clone();
    wild[3] = i16::MAX;
    let error = Err(WeightsError::OutOfBounds { index: 3 }.into());
    assert_eq!(play(&wild, &samples, &one), error);
    assert!(matches!(
        play(&base[1..], &samples, &one),
        Err(ScoreError::Eval(_))
    ));
}

/// Gives one loss too few.
struct Short;

impl Evaluator for Short {
    fn losses(&mut self, _: &Graph, _: &[i16], samples: &Samples) -> Result<Vec<u32>, EvalError> {
        Ok(vec![0; samples.len() - 1])
    }
}

impl Differentiator for Short {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[core::ops::Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        Reference.gradients(graph, weights, samples, groups, see)
    }
}

#[test]
fn an_evaluator_that_loses_samples_is_caught() {
    let mut task = Task::new(1);
    let (base, samples) = (task.base(), task.samples(100));
    let deltas = [task.learn(&base, 100)];
    let error = EvalError::WrongCount {
        expected: 50,
        found: 49,
    };
    let (entrants, terms) = (entrants(&deltas, 1), ShareTerms::default());
    let graph = &task.graph;
    let round = share_round(&mut Short, graph, &base, &samples, &SEED, &entrants, &terms);
    assert_eq!(round, Err(error.into()));
}
