//! Whole rounds on a small task that can be learnt: four patterns under noise.

#![allow(clippy::unwrap_used)]

use gotong_scoring::merge::{MAX_REVEALS, MAX_WEIGHT};
use gotong_scoring::{
    predict, score_round, Delta, EvalError, Evaluator, Graph, MasterWeights, Reference, Reveal,
    RoundScore, Row, Rules, Samples, ScoreError, Standing, WeightsError,
};

const INPUTS: usize = 64;
const CLASSES: usize = 4;
const RULES: Rules = Rules {
    admit_floor_q8: 256,
    gain_floor_q8: 512,
    central_difference: 4,
};

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

    /// What a perceptron learns from samples, as a reveal: towards the label, away from what was
    /// predicted instead.
    fn learn(&mut self, weights: &[i16], count: usize, weight: u32) -> Reveal {
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
        reveal(Delta::compress(&change, 400), weight)
    }

    /// The same changes in other places.
    fn permuted(&mut self, honest: &Reveal) -> Reveal {
        let mut change: Vec<i32> = vec![0; honest.delta.parameters() as usize];
        for entry in honest.delta.entries() {
            change[entry.position as usize] = entry.change.into();
        }
        self.random.shuffle(&mut change);
        reveal(Delta::compress(&change, 1000), honest.weight)
    }

    fn score(&self, base: &[i16], samples: &Samples, reveals: &[Reveal]) -> RoundScore {
        score_round(&mut Reference, &self.graph, base, samples, reveals, &RULES).unwrap()
    }
}

fn reveal(delta: Delta, weight: u32) -> Reveal {
    Reveal {
        hash: Delta::hash_of(&delta.encode()),
        weight,
        delta,
    }
}

#[test]
fn honest_work_is_paid_and_noise_is_not() {
    let (mut honest_share, mut noise_share, mut noise_phi) = (0, 0, 0);
    let mut harms = Vec::new();
    for seed in 1..=4 {
        let mut task = Task::new(seed);
        let mut base = task.base();
        for _ in 0..4 {
            let mut reveals: Vec<Reveal> = (0..4).map(|_| task.learn(&base, 100, 1000)).collect();
            reveals.push(task.permuted(&reveals[0]));
            let samples = task.samples(300);
            let score = task.score(&base, &samples, &reveals);
            check_consistency(&task.graph, &base, &samples, &score);
            assert!(score.table.header.paid_gain > 0);
            let (noise, honest) = score.table.rows.split_last().unwrap();
            assert!(honest
                .iter()
                .all(|row| row.standing != Standing::BelowFloor));
            honest_share += honest.iter().map(|row| row.share).sum::<u64>();
            noise_share += noise.share;
            noise_phi += noise.phi;
            harms.push(noise.phi <= 0);
            base = score.merged;
        }
    }
    assert!(noise_phi < 0, "{noise_phi}");
    assert!(4 * harms.iter().filter(|harm| **harm).count() >= 3 * harms.len());
    assert!(
        6 * noise_share < honest_share / 4,
        "{noise_share} of {honest_share}"
    );
}

fn check_consistency(graph: &Graph, base: &[i16], samples: &Samples, score: &RoundScore) {
    let (header, rows) = (&score.table.header, &score.table.rows);
    let losses = |weights: &[i16]| Reference.losses(graph, weights, samples).unwrap();
    assert_eq!(score.evaluations.base, losses(base));
    for (row, sides) in rows.iter().zip(&score.evaluations.sides) {
        assert_eq!(row.similar_to().is_none(), sides.is_some());
    }
    assert_eq!(
        i128::from(header.gain),
        header.base.sum as i128 - header.merged.sum as i128
    );
    let root = MasterWeights::new(score.merged.clone()).unwrap().root();
    assert_eq!(header.master_root, root);
    if header.paid_gain == 0 {
        assert_eq!(score.merged, base);
    } else {
        assert_eq!(score.evaluations.merged, losses(&score.merged));
        assert_eq!(header.paid_gain as i64, header.gain);
    }
    let claim = score.table.claim();
    let mut sum = 0;
    for (index, row) in rows.iter().enumerate() {
        let proved = score
            .table
            .prove_share(index)
            .unwrap()
            .verify(&claim)
            .unwrap();
        assert_eq!((proved.prefix, proved.share), (sum, row.share));
        let is_admitted = row.standing == Standing::Admitted;
        assert_eq!(row.share, if is_admitted { row.phi as u64 } else { 0 });
        sum += u128::from(row.share);
    }
    assert_eq!(claim.shares_sum, sum);
}

#[test]
fn a_copy_under_another_name_gains_nothing() {
    for seed in 1..=4 {
        let mut task = Task::new(seed);
        let base = task.base();
        let (mine, other) = (task.learn(&base, 20, 1000), task.learn(&base, 20, 1000));
        let samples = task.samples(300);
        let whole = task.score(&base, &samples, &[mine.clone(), other.clone()]);
        let half = Reveal {
            weight: 500,
            ..mine
        };
        let split = task.score(&base, &samples, &[half.clone(), half, other]);
        assert_eq!(split.table.rows[1].standing, Standing::Similar { to: 0 });
        assert!(whole.table.rows[0].share > 0);
        assert_eq!(split.table.rows[1].share, 0);
        assert!(split.table.rows[0].share <= whole.table.rows[0].share);
    }
}

#[test]
fn the_order_of_dissimilar_reveals_does_not_matter() {
    let mut task = Task::new(2);
    let base = task.base();
    let mut reveals: Vec<Reveal> = (1..=5)
        .map(|n| task.learn(&base, 5 * n, 100 * n as u32))
        .collect();
    let samples = task.samples(100);
    let first = task.score(&base, &samples, &reveals);
    let similar = |row: &Row| row.similar_to().is_some();
    assert!(!first.table.rows.iter().any(similar));
    for _ in 0..4 {
        task.random.shuffle(&mut reveals);
        let again = task.score(&base, &samples, &reveals);
        assert_eq!(again.merged, first.merged);
        assert_eq!(again.table.header, first.table.header);
        assert_eq!(again.table.shares_sum(), first.table.shares_sum());
        for row in &first.table.rows {
            assert!(again.table.rows.contains(row));
        }
    }
}

#[test]
fn a_round_that_gains_nothing_merges_nothing() {
    let mut task = Task::new(3);
    let base = task.base();
    let honest = task.learn(&base, 50, 1000);
    let mut change = vec![0; base.len()];
    for entry in honest.delta.entries() {
        change[entry.position as usize] = -i32::from(entry.change);
    }
    let harmful = reveal(Delta::compress(&change, 1000), 1000);
    let samples = task.samples(100);
    let score = task.score(&base, &samples, &[harmful]);
    check_consistency(&task.graph, &base, &samples, &score);
    assert_eq!(score.table.rows[0].standing, Standing::BelowFloor);
    assert_eq!(
        (score.table.header.gain, score.table.header.paid_gain),
        (0, 0)
    );

    // Admitted, but under the floor of the joint gain.
    let rules = Rules {
        gain_floor_q8: u16::MAX,
        ..RULES
    };
    let score = score_round(
        &mut Reference,
        &task.graph,
        &base,
        &samples,
        &[honest],
        &rules,
    )
    .unwrap();
    check_consistency(&task.graph, &base, &samples, &score);
    assert_eq!(score.table.rows[0].standing, Standing::Admitted);
    assert!(score.table.header.gain > 0);
    assert_eq!(score.table.header.paid_gain, 0);
}

#[test]
fn a_round_is_golden() {
    let mut task = Task::new(7);
    let base = task.base();
    let mut reveals: Vec<Reveal> = (0..3).map(|_| task.learn(&base, 30, 1000)).collect();
    reveals.push(reveals[1].clone());
    reveals.push(task.permuted(&reveals[2]));
    let samples = task.samples(50);
    let score = task.score(&base, &samples, &reveals);
    let claim = score.table.claim();
    let roots = [
        (
            claim.table_root,
            "5ede9270e6b49e7b1cc7faaae2542a0a305c0113ca4491713cff5f0df8dddfe1",
        ),
        (
            claim.master_root,
            "e9922e42939ed8865524a0b1d7113c731ab70cb05b69200210a06cc00c5ca883",
        ),
    ];
    for (root, expected) in roots {
        assert_eq!(hex::encode(root), expected);
    }
}

#[test]
fn what_cannot_be_scored_is_named() {
    let mut task = Task::new(1);
    let (base, samples) = (task.base(), task.samples(10));
    let good = task.learn(&base, 10, 1);
    let score = |base: &[i16], samples: &Samples, reveals: &[Reveal], rules: &Rules| {
        score_round(&mut Reference, &task.graph, base, samples, reveals, rules).map(|_| ())
    };
    let one = std::slice::from_ref(&good);
    assert_eq!(score(&base, &samples, one, &RULES), Ok(()));
    assert_eq!(
        score(&base, &samples, &[], &RULES),
        Err(ScoreError::NoReveals)
    );
    let many = vec![good.clone(); MAX_REVEALS + 1];
    assert_eq!(
        score(&base, &samples, &many, &RULES),
        Err(ScoreError::TooManyReveals)
    );
    for weight in [0, MAX_WEIGHT + 1] {
        let light = Reveal {
            weight,
            ..good.clone()
        };
        let error = Err(ScoreError::WeightOutOfBounds { reveal: 1 });
        assert_eq!(
            score(&base, &samples, &[good.clone(), light], &RULES),
            error
        );
    }
    for change in [vec![0; base.len()], vec![1; base.len() - 1]] {
        let other = reveal(Delta::compress(&change, 1000), 1);
        let error = Err(ScoreError::WrongDelta { reveal: 0 });
        assert_eq!(score(&base, &samples, &[other], &RULES), error);
    }
    let one_sample = Samples::new(INPUTS as u32, 1, &[0; INPUTS + 1]).unwrap();
    assert_eq!(
        score(&base, &one_sample, one, &RULES),
        Err(ScoreError::TooFewSamples)
    );
    let rules = Rules {
        central_difference: 0,
        ..RULES
    };
    assert_eq!(
        score(&base, &samples, one, &rules),
        Err(ScoreError::ZeroCentralDifference)
    );
    let mut wild = base.clone();
    wild[3] = i16::MAX;
    let error = Err(WeightsError::OutOfBounds { index: 3 }.into());
    assert_eq!(score(&wild, &samples, one, &RULES), error);
    assert!(matches!(
        score(&base[1..], &samples, one, &RULES),
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

#[test]
fn an_evaluator_that_loses_samples_is_caught() {
    let mut task = Task::new(1);
    let (base, samples) = (task.base(), task.samples(10));
    let reveals = [task.learn(&base, 10, 1)];
    let error = EvalError::WrongCount {
        expected: 10,
        found: 9,
    };
    assert_eq!(
        score_round(&mut Short, &task.graph, &base, &samples, &reveals, &RULES),
        Err(error.into())
    );
}
