//! The share rule against cheap attacks and bad input, with the reference, on a model of 51 parameters that learns to
//! tell three kinds of samples apart.

#![allow(clippy::unwrap_used)]

use gotong_scoring::{
    gradient::Differentiator,
    share::{entry_weight, share_round, Entrant, Ledger, ShareRound, ShareTerms, PROVEN_TIMES},
    Delta, Entry, Evaluator, Graph, Reference, Samples, ScoreError,
};

const INPUTS: u32 = 16;
const CLASSES: u32 = 3;
const STAKE: u32 = 1_000;
const SEED: [u8; 32] = [7; 32];

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

    fn within(&mut self, most: i64) -> i64 {
        self.below(2 * most as u64 + 1) as i64 - most
    }
}

fn graph() -> Graph {
    Graph::mlp(&[INPUTS, CLASSES])
}

/// Samples whose kind shows in which inputs are large, most of the time.
fn samples(count: usize, seed: u64) -> Samples {
    let mut random = Random(seed);
    let mut bytes = Vec::new();
    for _ in 0..count {
        let kind = random.below(CLASSES.into()) as u32;
        for input in 0..INPUTS {
            let large = if input % CLASSES == kind { 90 } else { 0 };
            bytes.push(large + random.below(160) as u8);
        }
        bytes.push(kind as u8);
    }
    Samples::new(INPUTS, CLASSES, &bytes).unwrap()
}

fn gradient(base: &[i16], samples: &Samples) -> Vec<i64> {
    let mut found = vec![0i64; base.len()];
    let whole = 0..samples.len();
    let mut add = |_: usize, gradient: &[i64]| found = gradient.to_vec();
    Reference
        .gradients(&graph(), base, samples, &[whole], &mut add)
        .unwrap();
    found
}

/// The largest change is `most`.
fn scaled(direction: &[i64], most: i64) -> Vec<i32> {
    let peak = direction.iter().map(|way| way.abs()).max().unwrap().max(1);
    let change = direction
        .iter()
        .map(|way| (i128::from(*way) * i128::from(most) / i128::from(peak)) as i32);
    change.collect()
}

/// What somebody learns from its own samples.
fn honest(base: &[i16], seed: u64) -> Delta {
    let own = samples(200, 1_000 + seed);
    let mut downhill: Vec<i64> = gradient(base, &own).iter().map(|way| -way).collect();
    // A unit does more to biases than to weights: otherwise biases would be all that is learned.
    let weights = downhill.len() - CLASSES as usize;
    downhill[weights..].fill(0);
    Delta::compress(&scaled(&downhill, 12_000), 1_000)
}

fn opposite(delta: &Delta) -> Delta {
    let entries = delta.entries().iter().map(|entry| Entry {
        position: entry.position,
        change: -entry.change,
    });
    Delta::new(delta.parameters(), entries.collect()).unwrap()
}

fn base() -> Vec<i16> {
    let mut random = Random(5);
    let weights = (0..graph().parameters()).map(|_| random.within(800) as i16);
    weights.collect()
}

/// Four honest contributors.
fn four(base: &[i16]) -> Vec<Delta> {
    (0..4).map(|index| honest(base, index)).collect()
}

/// A delta, its stake, and whether its account has proved something.
type Submitted<'a> = (&'a Delta, u32, bool);

fn entrants<'a>(submitted: &[Submitted<'a>]) -> Vec<Entrant<'a>> {
    let entrant = |(delta, stake, is_proven): &Submitted<'a>| Entrant {
        delta,
        weight: entry_weight(*stake, *is_proven),
        is_proven: *is_proven,
    };
    submitted.iter().map(entrant).collect()
}

fn play(base: &[i16], exam: &Samples, submitted: &[Submitted]) -> ShareRound {
    let (graph, terms) = (graph(), ShareTerms::default());
    let entrants = entrants(submitted);
    let played = share_round(&mut Reference, &graph, base, exam, &SEED, &entrants, &terms).unwrap();
    assert_eq!(sum(&played, 0..submitted.len()), played.gain);
    assert_eq!(played.merged_pass.is_none(), played.weights == base);
    played
}

/// What these rows were credited together.
fn sum(played: &ShareRound, rows: std::ops::Range<usize>) -> i64 {
    let credits = played.credits[rows].iter().flatten();
    credits.map(|credit| credit.credit).sum()
}

/// What these rows are paid together if it was their first round.
fn paid(played: &ShareRound, rows: std::ops::Range<usize>) -> u64 {
    let doubt = ShareTerms::default().doubt_q8;
    let credits = played.credits[rows].iter().flatten();
    credits
        .map(|credit| Ledger::default().add(credit, doubt))
        .sum()
}

/// All with full stake, and new.
fn new(deltas: &[Delta]) -> Vec<Submitted<'_>> {
    deltas.iter().map(|delta| (delta, STAKE, false)).collect()
}

#[test]
fn honest_work_is_paid() {
    let (base, exam) = (base(), samples(400, 1));
    let played = play(&base, &exam, &new(&four(&base)));
    assert!(played.gain > 0);
    assert!(paid(&played, 0..4) * 10 > played.gain as u64 * 7);
}

#[test]
fn whispers_void_nothing() {
    let (base, exam) = (base(), samples(400, 1));
    let alone = play(&base, &exam, &new(&four(&base)));
    for stake in [1, STAKE] {
        let mut deltas = four(&base);
        deltas.extend((0..5).map(|index| {
            let entry = Entry {
                position: 7 * index,
                change: 1,
            };
            Delta::new(base.len() as u32, vec![entry]).unwrap()
        }));
        let mut submitted = new(&deltas);
        for whisper in &mut submitted[4..] {
            whisper.1 = stake;
        }
        let played = play(&base, &exam, &submitted);
        let whispers = paid(&played, 4..9);
        assert!(whispers * 100 <= paid(&played, 0..4), "{whispers}");
        assert!(paid(&played, 0..4) * 100 >= paid(&alone, 0..4) * 95);
    }
}

#[test]
fn a_poison_and_its_cure_earn_nothing() {
    let (base, exam) = (base(), samples(800, 1));
    let alone = play(&base, &exam, &new(&four(&base)));
    // A direction that neither helps nor harms at the base: both ways along it are harmful, and the way back is worth a lot.
    let uphill = gradient(&base, &samples(200, 99));
    let mut random = Random(11);
    let drawn: Vec<i64> = uphill.iter().map(|_| random.within(1_000)).collect();
    let product = |a: &[i64], b: &[i64]| -> i128 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| i128::from(*a) * i128::from(*b)).sum()
    };
    let (along, square) = (product(&drawn, &uphill), product(&uphill, &uphill));
    let pairs = drawn.iter().zip(&uphill);
    let sideways: Vec<i64> = pairs
        .map(|(drawn, uphill)| drawn - (i128::from(*uphill) * along / square) as i64)
        .collect();
    let poison = Delta::compress(&scaled(&sideways, 30_000), 1_000);
    let cure = opposite(&Delta::compress(&scaled(&sideways, 12_000), 1_000));
    for poisons in [1, 3] {
        let mut deltas = four(&base);
        deltas.extend(vec![poison.clone(); poisons]);
        deltas.push(cure.clone());
        let attackers = 4..deltas.len();
        for cure_stake in [100, 300, STAKE] {
            let mut submitted = new(&deltas);
            submitted[attackers.end - 1].1 = cure_stake;
            let played = play(&base, &exam, &submitted);
            let earned = paid(&played, attackers.clone());
            assert!(earned * 50 <= paid(&played, 0..4), "{earned}");
            // If luck lets the cure in, it thins the merge out by its weight, and no more.
            let honest_stake = 4 * u64::from(STAKE);
            let kept = paid(&played, 0..4) * (honest_stake + u64::from(cure_stake));
            assert!(kept >= paid(&alone, 0..4) * honest_stake);
        }
    }
}

/// The sum of all positive credits.
fn positive(played: &ShareRound) -> i64 {
    let credits = played.credits.iter().flatten();
    credits.map(|credit| credit.credit.max(0)).sum()
}

/// An attacker with most of the stake sends a step that is far too long, and brakes it with another account: without the brake the
/// merge would overshoot. The twin is not paid for what the brake takes back.
#[test]
fn a_twin_is_not_paid_for_what_its_brake_takes_back() {
    let (base, exam) = (base(), samples(800, 3));
    let step = |seed: u64, most| {
        let own = samples(200, 1_000 + seed);
        let mut downhill: Vec<i64> = gradient(&base, &own).iter().map(|way| -way).collect();
        let weights = downhill.len() - CLASSES as usize;
        downhill[weights..].fill(0);
        Delta::compress(&scaled(&downhill, most), 1_000)
    };
    let hands: Vec<Delta> = (0..4).map(|seed| step(seed, 800)).collect();
    let twin = step(9, 24_000);
    let brake = opposite(&twin);
    let mut submitted: Vec<Submitted> = hands.iter().map(|hand| (hand, 100, true)).collect();
    submitted.extend([(&twin, 330, true), (&brake, 270, true)]);
    let played = play(&base, &exam, &submitted);
    assert!(
        positive(&played) <= 2 * played.gain.max(0),
        "{} of {}",
        positive(&played),
        played.gain
    );
}

/// A crowd that does more harm than the brake does not keep it from being dropped.
#[test]
fn a_crowd_does_not_hide_a_brake() {
    let (base, exam) = (base(), samples(200, 3));
    let hands = four(&base);
    let twin = honest(&base, 20);
    let brake = Delta::new(
        twin.parameters(),
        (twin.entries().iter())
            .map(|entry| Entry {
                position: entry.position,
                change: (-i32::from(entry.change) / 2) as i16,
            })
            .collect(),
    )
    .unwrap();
    let decoys: Vec<Delta> = (0..130)
        .map(|seed| opposite(&honest(&base, 30 + seed)))
        .collect();
    let mut submitted: Vec<Submitted> = hands.iter().map(|hand| (hand, STAKE, true)).collect();
    submitted.extend([(&twin, STAKE, true), (&brake, STAKE, true)]);
    submitted.extend(decoys.iter().map(|decoy| (decoy, 1, false)));
    let played = play(&base, &exam, &submitted);
    assert!(played.merged_pass.is_some() && played.credits[4].is_some());
    assert_eq!(played.credits[5], None);
    assert!(positive(&played) <= played.gain * 11 / 10);
}

#[test]
fn a_split_earns_what_the_whole_earns() {
    let (base, exam) = (base(), samples(400, 1));
    let mut deltas = four(&base);
    deltas.push(honest(&base, 9));
    let whole = play(&base, &exam, &new(&deltas));
    let mut submitted = new(&deltas);
    submitted.truncate(4);
    submitted.extend(vec![(&deltas[4], STAKE / 10, false); 10]);
    let split = play(&base, &exam, &submitted);
    assert_eq!(split.weights, whole.weights);
    let (pieces, whole) = (sum(&split, 4..14), sum(&whole, 4..5));
    assert!((pieces - whole).abs() <= 20, "{pieces} of {whole}");
    let (pieces, whole) = (
        paid(&split, 4..14),
        paid(&play(&base, &exam, &new(&deltas)), 4..5),
    );
    assert!(pieces * 100 > whole * 95 && pieces * 100 < whole * 105);
}

#[test]
fn equal_deltas_share_equally() {
    let (base, exam) = (base(), samples(400, 1));
    let delta = honest(&base, 0);
    let played = play(
        &base,
        &exam,
        &[(&delta, STAKE, false), (&delta, STAKE, false)],
    );
    let credits: Vec<i64> = (0..2).map(|row| sum(&played, row..row + 1)).collect();
    assert!(played.gain > 0 && (credits[0] - credits[1]).abs() <= 2);
}

#[test]
fn a_crowd_of_newcomers_does_not_thin_out_proved_work() {
    let (base, exam) = (base(), samples(400, 1));
    let honest = four(&base);
    let mut random = Random(3);
    let noise: Vec<Delta> = (0..40)
        .map(|_| {
            let change: Vec<i32> = base.iter().map(|_| random.within(12_000) as i32).collect();
            Delta::compress(&change, 1_000)
        })
        .collect();
    let proven = honest.iter().map(|delta| (delta, STAKE, true));
    let mut submitted: Vec<Submitted> = proven.collect();
    let alone = play(&base, &exam, &submitted);
    submitted.extend(new(&noise));
    let crowded = play(&base, &exam, &submitted);
    assert!(crowded.gain * 100 >= alone.gain * 80);
    assert!(paid(&crowded, 4..44) * 20 <= paid(&crowded, 0..4));
    assert_eq!(entrants(&submitted)[0].weight, PROVEN_TIMES * STAKE);
}

#[test]
fn a_round_of_one_is_a_round() {
    let (base, exam) = (base(), samples(400, 1));
    let delta = honest(&base, 0);
    let played = play(&base, &exam, &[(&delta, 1, false)]);
    assert_eq!(played.merged_pass, Some(0));
    assert_eq!(sum(&played, 0..1), played.gain);
}

#[test]
fn where_all_do_harm_nothing_is_merged() {
    let (base, exam) = (base(), samples(400, 1));
    let harm: Vec<Delta> = four(&base).iter().map(opposite).collect();
    let played = play(&base, &exam, &new(&harm));
    assert_eq!((played.merged_pass, played.gain), (None, 0));
    assert!(played.credits.iter().all(Option::is_none));
}

#[test]
fn an_exam_may_be_small_or_large() {
    let base = base();
    let deltas = four(&base);
    for count in [2, 3] {
        let played = play(&base, &samples(count, 1), &new(&deltas));
        assert!(played.passes.is_empty() && played.merged_pass.is_none());
    }
    for count in [4, 5, 64, 4_096] {
        play(&base, &samples(count, 1), &new(&deltas));
    }
    let played = play(&base, &samples(4_096, 1), &new(&deltas));
    assert_eq!(played.credits.iter().flatten().count(), 4);
    let refused = share_round(
        &mut Reference,
        &graph(),
        &base,
        &samples(1, 1),
        &SEED,
        &entrants(&new(&deltas)),
        &ShareTerms::default(),
    );
    assert_eq!(refused, Err(ScoreError::TooFewSamples));
}

#[test]
fn extremes_are_defined() {
    let exam = samples(100, 1);
    let full = |sign: fn(usize) -> i16| {
        let entries = (0..graph().parameters()).map(|at| Entry {
            position: at as u32,
            change: 32_767 * sign(at),
        });
        Delta::new(graph().parameters() as u32, entries.collect()).unwrap()
    };
    let saturating = [
        full(|_| 1),
        full(|_| -1),
        full(|at| if at % 2 == 0 { 1 } else { -1 }),
    ];
    let count = graph().parameters();
    for base in [vec![32_512; count], vec![-32_512; count], vec![0; count]] {
        let mut deltas = saturating.to_vec();
        deltas.push(Delta::compress(&scaled(&gradient(&base, &exam), -1), 1_000));
        deltas.retain(|delta| !delta.entries().is_empty());
        for stake in [1, u32::MAX] {
            let submitted: Vec<Submitted> = deltas
                .iter()
                .map(|delta| (delta, stake, stake > 1))
                .collect();
            let played = play(&base, &exam, &submitted);
            let before = Reference.losses(&graph(), &base, &exam).unwrap();
            assert_eq!(before.len(), exam.len());
            assert!(played
                .weights
                .iter()
                .all(|weight| weight.unsigned_abs() <= 32_512));
        }
    }
}

#[test]
fn an_empty_delta_is_refused() {
    let base = base();
    let empty = Delta::compress(&vec![0; base.len()], 1_000);
    let refused = share_round(
        &mut Reference,
        &graph(),
        &base,
        &samples(100, 1),
        &SEED,
        &entrants(&[(&empty, STAKE, false)]),
        &ShareTerms::default(),
    );
    assert_eq!(refused, Err(ScoreError::WrongDelta { reveal: 0 }));
}
