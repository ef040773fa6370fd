//! Evidence about every kind of step, about liars, and in files that were tampered with.

use super::*;
use crate::{test_lab::Lab, LieKind};
use clap::ValueEnum;
use gotong_scoring::{HoldOut, Reference};
use proptest::prelude::*;
use proptest::sample::Index;

const TASK: TaskId = TaskId(2);
const ROUND: RoundId = RoundId(7);

fn walk(player: &mut Player, step: &str) -> Result<Evidence, EvidenceError> {
    let step = step.parse().unwrap();
    Evidence::walk((TASK, ROUND), player, &mut Reference, step)
}

/// A dispute: its accusation and its moves, until it is decided or somebody has no move.
fn play(lab: &Lab, accused: &mut Player, challenger: &mut Player) -> (Accusation, Vec<Move>) {
    let (facts, table) = (&lab.facts, accused.summary().clone());
    let accusation = challenger.accuse(&table).unwrap();
    let mut trial = Trial::open(facts, &table, accusation).unwrap();
    let mut moves = Vec::new();
    loop {
        let answer = accused.answer(&mut Reference, &trial).unwrap();
        let ruling = trial.answer(facts, &table, &answer);
        moves.push(Move::Answer(Box::new(answer)));
        let Ok(Ruling::Continues(shown)) = ruling else {
            return (accusation, moves);
        };
        let Some(pick) = challenger.pick(&mut Reference, &table, &shown) else {
            return (accusation, moves);
        };
        trial = shown.pick(facts, &table, &pick).unwrap();
        moves.push(Move::Pick(pick));
    }
}

fn replay(
    lab: &Lab,
    accused: &mut Player,
    challenger: &mut Player,
) -> Result<Evidence, EvidenceError> {
    let (accusation, moves) = play(lab, accused, challenger);
    let table = accused.summary().clone();
    let id = (TASK, ROUND, DisputeId(3));
    Evidence::replay(id, lab.facts.clone(), table, accusation, moves)
}

/// The lies that lead to a step: if no samples add up to a gradient's word, the accused has nothing to show.
fn told_lies() -> impl Iterator<Item = LieKind> {
    let kinds = LieKind::value_variants().iter().copied();
    kinds.filter(|kind| *kind != LieKind::Gradient)
}

/// The number of a sample in the first group of the first pass, and the number of one that is not in it.
fn samples(lab: &Lab) -> (u32, u32) {
    let group = lab
        .facts
        .group(gotong_scoring::share::Stage::Pass(0), 0)
        .unwrap();
    let other = (0..lab.facts.samples).find(|sample| !group.contains(sample));
    (group[0], other.unwrap())
}

#[test]
fn every_kind_of_step_of_an_honest_table_is_right() {
    let lab = Lab::small();
    let (mut player, (sample, _)) = (lab.honest(), samples(&lab));
    let steps = [
        ("rows:pass=0", Finding::RightIfParts),
        ("row:pass=0:entrant=2", Finding::RightIfParts),
        ("row:pass=1:entrant=2", Finding::Right),
        ("row:pay:entrant=0", Finding::RightIfParts),
        ("part:pay:entrant=1:group=3", Finding::RightIfParts),
        ("product:pass=0:entrant=2:group=15:tile=0", Finding::Right),
        ("gradients:pay", Finding::RightIfParts),
        ("gradients:pass=1:group=2", Finding::RightIfParts),
        ("gradient:pass=0:group=0:position=40", Finding::RightIfParts),
        (
            "contribution:pass=0:group=0:position=40:sample=SAMPLE",
            Finding::RightIfParts,
        ),
        (
            "backward:pass=0:group=0:sample=SAMPLE:op=1:at=4",
            Finding::Right,
        ),
        ("weights:midpoint=1", Finding::RightIfParts),
        ("weight:merged:position=3", Finding::RightIfParts),
        ("weight:midpoint=0:position=9", Finding::RightIfParts),
        ("term:merged:position=3:entrant=1", Finding::Right),
        ("term:midpoint=0:position=3:entrant=2", Finding::Right),
        ("losses:a", Finding::RightIfParts),
        ("losses:b", Finding::RightIfParts),
        ("sample:base:sample=4", Finding::RightIfParts),
        ("sample:merged:sample=0", Finding::RightIfParts),
        ("word:base:sample=4:op=0:at=2", Finding::Right),
        ("word:merged:sample=3:op=1:at=4", Finding::Right),
    ];
    for (step, finding) in steps {
        let step = step.replace("SAMPLE", &sample.to_string());
        let evidence = walk(&mut player, &step);
        let evidence = evidence.unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(evidence.check(), Ok(finding), "{step}");
        let read = Evidence::from_bytes(&evidence.to_bytes());
        assert_eq!(read.as_ref(), Ok(&evidence), "{step}");
        assert_eq!(StepName::of(&evidence.statement).to_string(), step);
        let is_bound = step.starts_with("row:") || step.starts_with("losses");
        assert_eq!(evidence.is_bound(), is_bound, "{step}");
    }
    let last = lab.facts.graph.ops.len() - 1;
    let loss = walk(&mut player, &format!("word:merged:sample=3:op={last}:at=0"));
    assert_eq!(loss.unwrap().check(), Ok(Finding::Right));
}

#[test]
fn a_step_on_a_drawn_sample_is_checked_without_the_pool() {
    let lab = Lab::small().drawn();
    let step = "word:base:sample=4:op=0:at=2";
    let evidence = walk(&mut lab.honest(), step).unwrap();
    assert_eq!(evidence.check(), Ok(Finding::Right));
    // The same sample, as if another seed had drawn it.
    let mut other = evidence.clone();
    if let HoldOut::Drawn { seed, .. } = &mut other.facts.hold_out {
        seed[0] ^= 1;
    }
    assert!(other.check().is_err());
    let mut liar = lab.liar(LieKind::Loss);
    let found = replay(&lab, &mut liar, &mut lab.honest()).unwrap().check();
    assert!(matches!(found, Ok(Finding::Wrong(_))), "{found:?}");
}

#[test]
fn a_step_that_the_table_has_not_is_refused() {
    let lab = Lab::small();
    let (mut player, (sample, other)) = (lab.honest(), samples(&lab));
    for step in [
        "rows:pass=2",
        "row:pass=0:entrant=4",
        "part:pass=1:entrant=2:group=0",
        "part:pay:entrant=0:group=16",
        "product:pay:entrant=0:group=0:tile=1",
        "gradient:pay:group=0:position=999",
        &format!("contribution:pass=0:group=0:position=0:sample={other}"),
        &format!("backward:pass=0:group=0:sample={sample}:op=99:at=0"),
        "sample:merged:sample=64",
        "word:merged:sample=0:op=99:at=0",
        "word:merged:sample=0:op=0:at=99",
        "weight:merged:position=999",
        "weight:midpoint=2:position=0",
        "term:merged:position=0:entrant=4",
    ] {
        assert!(walk(&mut player, step).is_err(), "{step}");
    }
}

#[test]
fn the_moves_of_a_dispute_are_evidence_of_its_end() {
    let lab = Lab::small();
    let mut honest = lab.honest();
    for kind in told_lies() {
        let mut liar = lab.liar(kind);
        let evidence = replay(&lab, &mut liar, &mut honest).unwrap();
        let found = evidence.check().unwrap();
        let Finding::Wrong(step) = found else {
            panic!("{kind:?}: {found:?}");
        };
        let name = StepName::of_wrong(&step);
        assert_eq!(StepName::of(&evidence.statement), name);
        // Anyone with the liar's own computation can make the same evidence. The way to a word of a backward pass leads over the
        // wrong word of the gradient.
        if kind != LieKind::Backward {
            let made = walk(&mut liar, &name.to_string()).unwrap();
            assert_eq!(made.check(), Ok(found), "{kind:?}");
        }
        match replay(&lab, &mut honest, &mut liar) {
            Ok(upheld) => assert_eq!(upheld.check(), Ok(Finding::Right), "{kind:?}"),
            Err(error) => assert!(matches!(error, EvidenceError::Undecided(_)), "{kind:?}"),
        }
    }
}

#[test]
fn a_dispute_that_ends_in_silence_has_no_evidence() {
    let lab = Lab::small();
    let silent = replay(&lab, &mut lab.liar(LieKind::Gradient), &mut lab.honest());
    assert!(
        matches!(silent, Err(EvidenceError::Undecided(_))),
        "{silent:?}"
    );
}

#[test]
fn what_the_referee_refuses_is_passed_over() {
    let lab = Lab::small();
    let mut liar = lab.liar(LieKind::Loss);
    let (accusation, moves) = play(&lab, &mut liar, &mut lab.honest());
    let noise = [
        Move::Pick(Pick::Nth(99)),
        Move::Answer(Box::new(Answer::Products(vec![1]))),
    ];
    let noisy = moves
        .iter()
        .flat_map(|real| noise.iter().cloned().chain([real.clone()]));
    let replayed = |moves: Vec<Move>| {
        let (facts, table) = (lab.facts.clone(), liar.summary().clone());
        let id = (TASK, ROUND, DisputeId(3));
        Evidence::replay(id, facts, table, accusation, moves)
    };
    assert_eq!(replayed(noisy.collect()), replayed(moves.clone()));
    let cut = replayed(moves[..moves.len() - 1].to_vec());
    assert!(matches!(cut, Err(EvidenceError::Undecided(_))));
}

#[test]
fn golden_bytes() {
    let lab = Lab::small();
    let evidence = walk(&mut lab.honest(), "row:pay:entrant=0").unwrap();
    let bytes = evidence.to_bytes();
    // Version, task, round, no dispute.
    assert_eq!(bytes[..10], [VERSION, 2, 0, 0, 0, 7, 0, 0, 0, 0]);
    let evidence = replay(&lab, &mut lab.liar(LieKind::Loss), &mut lab.honest()).unwrap();
    let hashes = [bytes, evidence.to_bytes()].map(|bytes| hex::encode(blake2_256(&[&bytes])));
    let golden = [
        "4c6ce5b86622b2ff173e8233f868a37f5a3984808bf540476650d659e1d11fe1",
        "ea54f42054bb8702fc0789b25ab4dff66be52824576364c2d15b525d17ce11d2",
    ];
    assert_eq!(hashes, golden);
}

#[test]
fn any_changed_byte_is_refused() {
    let bytes = walk(&mut Lab::small().honest(), "word:merged:sample=3:op=1:at=4");
    let bytes = bytes.unwrap().to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let read = Evidence::from_bytes(&changed);
        assert_eq!(read, Err(EvidenceError::Damaged), "byte {at}");
        assert_eq!(
            Evidence::from_bytes(&bytes[..at]),
            Err(EvidenceError::Damaged)
        );
    }
    let mut later = bytes[..bytes.len() - SEAL_BYTES].to_vec();
    later[0] = VERSION + 1;
    later.extend(seal(&later));
    let read = Evidence::from_bytes(&later);
    assert_eq!(read, Err(EvidenceError::Version(VERSION + 1)));
}

/// The evidence with one byte of its encoding changed, sealed anew.
fn tampered(evidence: &Evidence, at: usize, by: u8) -> Option<Evidence> {
    let mut bytes = evidence.encode();
    bytes[at] ^= by;
    Evidence::decode_all(&mut &*bytes).ok()
}

/// Whether the party that shows the step chooses nothing that decides it: the table's root or the statement fixes it.
fn is_fixed(evidence: &Evidence) -> bool {
    let by_statement = matches!(
        StepName::of(&evidence.statement),
        StepName::Word { .. }
            | StepName::Term { .. }
            | StepName::Product { .. }
            | StepName::BackwardWord { .. }
    );
    by_statement || evidence.is_bound()
}

/// Within the same table, no change makes a right step wrong, or a wrong one right.
#[test]
fn evidence_that_was_tampered_with_says_nothing_else_of_the_same_step() {
    let lab = Lab::small();
    let (mut honest, (sample, _)) = (lab.honest(), samples(&lab));
    let right = [
        "row:pay:entrant=0",
        "row:pass=0:entrant=2",
        "losses:b",
        "sample:base:sample=4",
        "word:merged:sample=3:op=1:at=4",
        &format!("backward:pass=0:group=0:sample={sample}:op=1:at=4"),
        "weight:merged:position=3",
        "term:midpoint=0:position=3:entrant=0",
        "product:pay:entrant=0:group=0:tile=0",
    ];
    let right = right.map(|step| walk(&mut honest, step).unwrap());
    let wrong = told_lies();
    let wrong: Vec<_> = wrong
        .map(|kind| replay(&lab, &mut lab.liar(kind), &mut honest).unwrap())
        .collect();
    for evidence in right.into_iter().chain(wrong) {
        let found = evidence.check().unwrap();
        for at in 0..evidence.encode().len() {
            for by in [1, 0x80] {
                let Some(other) = tampered(&evidence, at, by) else {
                    continue;
                };
                let is_of_the_same = (&other.facts, &other.table, other.statement)
                    == (&evidence.facts, &evidence.table, evidence.statement);
                if !is_of_the_same || !is_fixed(&other) {
                    continue;
                }
                if let Ok(says) = other.check() {
                    assert_eq!(says, found, "byte {at} of {:?}", evidence.statement);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_file_is_read_and_checked_without_panic(
        noise in prop::collection::vec(any::<(Index, u8)>(), 1..8), step in 0..4usize,
    ) {
        let step = [
            "losses:a",
            "row:pass=0:entrant=1",
            "word:merged:sample=3:op=1:at=4",
            "gradient:pay:group=0:position=40",
        ][step];
        let evidence = walk(&mut Lab::small().honest(), step).unwrap();
        let mut bytes = evidence.encode();
        for (at, byte) in noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(other) = Evidence::decode_all(&mut &*bytes) {
            let _ = other.check();
        }
    }
}
