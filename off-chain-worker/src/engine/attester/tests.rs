use super::*;
use gotong_scoring::{
    share::table::{Fall, MergeSummary},
    SumNode,
};
use proptest::prelude::*;

const TASK: TaskId = TaskId(1);
const ACCOUNT: [u8; 32] = [9; 32];

const BASE: Hash = [6; 32];

/// A table with nothing in it, different for each byte.
fn table(byte: u8) -> TableSummary {
    let mut table = TableSummary {
        passes: Vec::new().into(),
        merge: None,
    };
    if byte > 0 {
        let mut merge = merge();
        merge.weights = [byte; 32];
        table.merge = Some(merge);
    }
    table
}

fn merge() -> MergeSummary {
    let node = SumNode::default();
    MergeSummary {
        weights: [0; 32],
        on_a: Fall {
            before: node,
            after: node,
            standard_error: 0,
        },
        pay: None,
    }
}

fn evaluated(round: RoundId, inputs: Hash, byte: u8) -> Evaluated {
    Evaluated {
        round,
        inputs,
        base_root: BASE,
        table: table(byte),
        work_root: [byte; 32],
        salt: [byte; 32],
        by_device: false,
        is_sent: false,
    }
}

#[test]
fn golden_bytes() {
    let mut engine = Attester::new(TASK, ACCOUNT);
    engine.on_evaluated(evaluated(RoundId(3), [4; 32], 0));
    engine.on_committed(7);
    let expected = [
        vec![1, 0, 0, 0],
        ACCOUNT.to_vec(),
        vec![4, 3, 0, 0, 0],
        vec![4; 32],
        BASE.to_vec(),
        // No passes, no merge.
        vec![0, 0],
        vec![0; 64],
        // Not by a device, and not sent; then the block of a commitment.
        vec![0, 0, 1, 7, 0, 0, 0],
    ]
    .concat();
    assert_eq!(engine.encode(), expected);
    assert_eq!(Attester::decode(&mut &*expected), Ok(engine));
}

#[test]
fn what_a_node_made_up_is_forgotten_and_evaluated_again() {
    let mut engine = Attester::new(TASK, ACCOUNT);
    let now = AttesterSnapshot {
        block: 1,
        round: RoundId(0),
        phase: Phase::AttestCommit,
        inputs: [0; 32],
        seat: Some(Seat::Drawn),
        are_audits_drawn: false,
        is_device_trusted: true,
    };
    engine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
    engine.on_evaluated(evaluated(RoundId(0), [8; 32], 2));
    engine.on_disproved(&[0; 32]);
    assert_eq!(engine.table(&[8; 32]), Some(&table(2)), "another fork's");
    let evaluate = AttesterCommand::Evaluate { round: RoundId(0) };
    assert_eq!(engine.on_block(&now), Some(evaluate));
    // The same inputs, in the task as it really is.
    engine.on_evaluated(evaluated(RoundId(0), [0; 32], 3));
    assert_eq!(engine.table(&[0; 32]), Some(&table(3)));
}

/// A node claimed that a block far in the future had taken the commitment, and passed nothing on.
#[test]
fn a_block_that_a_node_made_up_does_not_keep_it_from_its_commitment() {
    let (mut engine, mut now) = committed();
    engine.on_committed(u32::MAX);
    now.block = 9;
    assert_eq!(engine.on_block(&now), None);
    engine.on_other_node();
    assert!(
        matches!(engine.on_block(&now), Some(AttesterCommand::Commit { .. })),
        "what it computed is still there"
    );
}

/// A node made up a task, proved nothing, and went away before anything was sent.
#[test]
fn what_was_computed_for_another_task_does_not_cost_the_seat() {
    let (engine, mut now) = committed();
    now.block = 9;
    let evaluate = Some(AttesterCommand::Evaluate { round: RoundId(0) });
    let mut other = engine.clone();
    other.on_computed(&[0; 32], &table(2));
    assert_eq!(other.on_block(&now), evaluate);
    other.on_evaluated(evaluated(RoundId(0), [0; 32], 2));
    assert_eq!(other.table(&[0; 32]), Some(&table(2)));
    // The same table, another round's, and what may have to be revealed all stay.
    let mut same = engine.clone();
    same.on_computed(&[0; 32], &table(1));
    same.on_computed(&[8; 32], &table(2));
    assert_eq!(same, engine);
    let mut sent = engine;
    sent.on_sent(&[0; 32]);
    sent.on_computed(&[0; 32], &table(2));
    assert_eq!(sent.table(&[0; 32]), Some(&table(1)));
}

/// After a commitment, a node claims with a wrong proof, or for rounds that it made up, that there is none. An account that does
/// not reveal loses stake.
#[test]
fn no_node_makes_an_attester_forget_what_it_has_sent() {
    let mut engine = Attester::new(TASK, ACCOUNT);
    engine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
    engine.on_sent(&[0; 32]);
    engine.on_disproved(&[0; 32]);
    for made_up in 1..=2 * KEPT as u8 {
        engine.on_evaluated(evaluated(RoundId(0), [made_up; 32], made_up));
        assert!(engine.table(&[made_up; 32]).is_some(), "{made_up}");
    }
    let now = AttesterSnapshot {
        block: 9,
        round: RoundId(0),
        phase: Phase::AttestReveal,
        inputs: [0; 32],
        seat: Some(Seat::Committed),
        are_audits_drawn: false,
        is_device_trusted: true,
    };
    let reveal = engine.on_block(&now);
    assert!(
        matches!(&reveal, Some(AttesterCommand::Reveal { salt, .. }) if *salt == [1; 32]),
        "{reveal:?}"
    );
    // If all were sent, the oldest one goes, and not the one that was just computed.
    for made_up in 100..=100 + KEPT as u8 {
        engine.on_evaluated(evaluated(RoundId(0), [made_up; 32], made_up));
        engine.on_sent(&[made_up; 32]);
        assert!(engine.table(&[made_up; 32]).is_some(), "{made_up}");
    }
    assert_eq!(engine.table(&[0; 32]), None);
}

#[test]
fn a_table_is_committed_with_its_claim_and_survives_a_restart() {
    let mut engine = Attester::new(TASK, ACCOUNT);
    engine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
    let mut now = AttesterSnapshot {
        block: 1,
        round: RoundId(0),
        phase: Phase::AttestCommit,
        inputs: [0; 32],
        seat: Some(Seat::Drawn),
        are_audits_drawn: false,
        is_device_trusted: true,
    };
    let claim = table(1).claim(&BASE);
    let (work_root, salt) = ([1; 32], [1; 32]);
    let commitment = attestation_commitment(TASK, RoundId(0), &ACCOUNT, &claim, &work_root, &salt);
    let commit = AttesterCommand::Commit {
        round: RoundId(0),
        commitment,
        inputs: [0; 32],
    };
    assert_eq!(engine.on_block(&now), Some(commit));
    let engine = Attester::decode(&mut &*engine.encode()).unwrap();
    (now.phase, now.seat) = (Phase::AttestReveal, Some(Seat::Committed));
    let reveal = AttesterCommand::Reveal {
        round: RoundId(0),
        table: Box::new(table(1)),
        work_root,
        salt,
    };
    assert_eq!(engine.on_block(&now), Some(reveal));
}

/// The round as the chain has it now, and how much of it the attester may not know yet.
#[derive(Clone, Debug)]
struct Chain {
    now: AttesterSnapshot,
    commitment: Option<Hash>,
    /// Whether a draw is under way.
    draws: bool,
}

impl Chain {
    /// Ends the draw or the phase. An attester that did not do its duty loses its seat. Then the round draws seats anew or
    /// continues; after Challenge, the next one begins.
    fn move_on(&mut self, redraws: bool) {
        let now = &mut self.now;
        if self.draws {
            self.draws = false;
            match now.phase {
                Phase::Challenge => now.are_audits_drawn = true,
                _ => now.seat = now.seat.or(Some(Seat::Drawn)),
            }
            return;
        }
        let missed = match now.phase {
            Phase::AttestCommit => Seat::Drawn,
            Phase::AttestReveal => Seat::Committed,
            _ => Seat::Revealed,
        };
        now.seat = now
            .seat
            .map(|seat| if seat == missed { Seat::Out } else { seat });
        now.are_audits_drawn = false;
        now.phase = match now.phase {
            _ if redraws => Phase::AttestCommit,
            Phase::AttestCommit => Phase::AttestReveal,
            Phase::AttestReveal => Phase::Challenge,
            _ => {
                now.round = now.round.next().unwrap();
                now.inputs = [2 * now.round.0 as u8; 32];
                now.seat = None;
                self.commitment = None;
                Phase::AttestCommit
            }
        };
        self.draws = now.phase != Phase::AttestReveal;
    }

    /// The chain continues from before the commitment and with other inputs, and so does not take it.
    fn fork(&mut self) {
        let now = &mut self.now;
        if now.phase == Phase::Challenge || now.seat == Some(Seat::Out) {
            return;
        }
        now.inputs = now.inputs.map(|byte| byte ^ 1);
        now.phase = Phase::AttestCommit;
        self.draws &= now.seat.is_none();
        self.commitment = None;
        now.seat = now.seat.map(|_| Seat::Drawn);
    }
}

proptest! {
    /// For each step: whether the chain hears of the command, whether the engine hears of the block, whether the process restarts,
    /// whether the phase moves on, whether the round draws seats anew, whether a fork changes the round's inputs, and whether the
    /// disk is lost.
    #[test]
    fn commits_once_and_reveals_what_it_committed_if_it_is_right(
        steps in prop::collection::vec(
            (any::<[bool; 5]>(), prop::bool::weighted(0.1), prop::bool::weighted(0.1)), 1..100,
        ),
        drawn_at_once: bool,
    ) {
        let mut engine = Attester::new(TASK, ACCOUNT);
        let now = AttesterSnapshot {
            block: 1,
            round: RoundId(0),
            phase: Phase::AttestCommit,
            inputs: [0; 32],
            seat: drawn_at_once.then_some(Seat::Drawn),
            are_audits_drawn: false,
            is_device_trusted: true,
        };
        let mut chain = Chain { now, commitment: None, draws: !drawn_at_once };
        // All evaluations, and those that are on disk.
        let (mut evaluations, mut kept) = (Vec::<(RoundId, Hash)>::new(), Vec::new());
        for ([executes, hears_back, restarts, moves_on, redraws], forks, loses) in steps {
            if loses {
                engine = Attester::new(TASK, ACCOUNT);
                kept.clear();
            }
            if restarts {
                engine = Attester::decode(&mut &*engine.encode()).unwrap();
            }
            if forks {
                chain.fork();
            }
            let command = engine.on_block(&chain.now);
            prop_assert_eq!(&command, &engine.on_block(&chain.now), "not repeatable");
            let now = &mut chain.now;
            now.block += 1;
            match command.filter(|_| executes) {
                Some(AttesterCommand::Evaluate { round }) => {
                    let known = (round, now.inputs);
                    prop_assert!(!kept.contains(&known), "evaluated twice");
                    kept.push(known);
                    // The table and the salt follow from the inputs.
                    let before = evaluations.iter().position(|one| *one == known);
                    let at = before.unwrap_or(evaluations.len());
                    if before.is_none() {
                        evaluations.push(known);
                    }
                    engine.on_evaluated(evaluated(round, now.inputs, at as u8 + 1));
                }
                Some(AttesterCommand::Commit { commitment, inputs, .. }) => {
                    prop_assert_eq!(inputs, now.inputs, "refused");
                    prop_assert_eq!(chain.commitment.replace(commitment), None, "twice");
                    now.seat = Some(Seat::Committed);
                    if hears_back {
                        engine.on_committed(now.block);
                    }
                }
                Some(AttesterCommand::Reveal { round, table, work_root, salt }) => {
                    let (of, inputs) = evaluations[usize::from(salt[0]) - 1];
                    prop_assert_eq!((of, inputs), (round, now.inputs), "a wrong table");
                    prop_assert_eq!(now.phase, Phase::AttestReveal);
                    prop_assert_eq!(now.seat, Some(Seat::Committed));
                    let opened = attestation_commitment(
                        TASK, round, &ACCOUNT, &table.claim(&BASE), &work_root, &salt,
                    );
                    prop_assert_eq!(chain.commitment, Some(opened), "refused");
                    now.seat = Some(Seat::Revealed);
                }
                Some(AttesterCommand::AnswerAudits { round }) => {
                    prop_assert_eq!((round, now.phase), (now.round, Phase::Challenge));
                    prop_assert!(now.are_audits_drawn, "answered before they are drawn");
                    prop_assert_eq!(now.seat, Some(Seat::Revealed), "answered twice");
                    now.seat = Some(Seat::Audited);
                }
                None => {}
            }
            if moves_on {
                chain.move_on(redraws);
            }
        }
    }
}

#[test]
fn who_has_no_seat_waits() {
    let engine = Attester::new(TASK, ACCOUNT);
    let now = AttesterSnapshot {
        block: 1,
        round: RoundId(0),
        phase: Phase::AttestCommit,
        inputs: [0; 32],
        seat: None,
        are_audits_drawn: false,
        is_device_trusted: true,
    };
    assert_eq!(engine.on_block(&now), None);
}

#[test]
fn who_sits_already_does_not_commit_when_seats_are_drawn_anew() {
    let mut engine = Attester::new(TASK, ACCOUNT);
    engine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
    for seat in [Seat::Committed, Seat::Revealed, Seat::Audited, Seat::Out] {
        let now = AttesterSnapshot {
            block: 9,
            round: RoundId(0),
            phase: Phase::AttestCommit,
            inputs: [0; 32],
            seat: Some(seat),
            are_audits_drawn: false,
            is_device_trusted: true,
        };
        assert_eq!(engine.on_block(&now), None, "{seat:?}");
    }
}

#[test]
fn audits_are_answered_without_memory() {
    let engine = Attester::new(TASK, ACCOUNT);
    let mut now = AttesterSnapshot {
        block: 9,
        round: RoundId(3),
        phase: Phase::Challenge,
        inputs: [0; 32],
        seat: Some(Seat::Revealed),
        are_audits_drawn: false,
        is_device_trusted: true,
    };
    assert_eq!(engine.on_block(&now), None, "they are not drawn yet");
    now.are_audits_drawn = true;
    let answer = Some(AttesterCommand::AnswerAudits { round: RoundId(3) });
    assert_eq!(engine.on_block(&now), answer);
    now.seat = Some(Seat::Audited);
    assert_eq!(engine.on_block(&now), None);
}

/// A round that was committed to in block 2 of a fork with the inputs 0.
fn committed() -> (Attester, AttesterSnapshot) {
    let mut engine = Attester::new(TASK, ACCOUNT);
    let now = AttesterSnapshot {
        block: 1,
        round: RoundId(0),
        phase: Phase::AttestCommit,
        inputs: [0; 32],
        seat: Some(Seat::Drawn),
        are_audits_drawn: false,
        is_device_trusted: true,
    };
    engine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
    let command = engine.on_block(&now);
    assert!(matches!(command, Some(AttesterCommand::Commit { .. })));
    engine.on_committed(2);
    (engine, now)
}

#[test]
fn a_fork_that_undoes_the_commitment_and_changes_the_inputs_is_evaluated_and_committed_anew() {
    let (mut engine, mut now) = committed();
    let before = engine.on_block(&now);
    assert_eq!(before, None, "the snapshot is older than the commitment");
    now.inputs = [1; 32];
    now.block = 3;
    let again = Some(AttesterCommand::Evaluate { round: RoundId(0) });
    assert_eq!(engine.on_block(&now), again);
    engine.on_evaluated(evaluated(RoundId(0), [1; 32], 2));
    let Some(AttesterCommand::Commit { commitment, .. }) = engine.on_block(&now) else {
        panic!("not committed anew");
    };
    assert_eq!(commitment, engine.commitment(&engine.works[1]));
    assert_eq!(engine.table(&[0; 32]), Some(&table(1)));
    assert_eq!(engine.table(&[1; 32]), Some(&table(2)));
    assert_eq!(engine.table(&[2; 32]), None);
}

/// A device computed the work, which may or may not be committed to, and was then found wrong.
#[test]
fn what_a_device_computed_that_was_found_wrong_is_neither_committed_nor_revealed() {
    let by_device = |byte| Evaluated {
        by_device: true,
        ..evaluated(RoundId(0), [0; 32], byte)
    };
    let (_, mut now) = committed();
    let evaluate = Some(AttesterCommand::Evaluate { round: RoundId(0) });
    let commits = |engine: &mut Attester, now: &AttesterSnapshot, byte| {
        let expected = engine.commitment(&evaluated(RoundId(0), [0; 32], byte));
        match engine.on_block(now) {
            Some(AttesterCommand::Commit { commitment, .. }) => commitment == expected,
            _ => false,
        }
    };
    let mut engine = Attester::new(TASK, ACCOUNT);
    engine.on_evaluated(by_device(1));
    assert!(commits(&mut engine, &now, 1));
    now.is_device_trusted = false;
    assert_eq!(engine.on_block(&now), evaluate);
    // The processor computes the same table, or another one.
    let mut same = engine.clone();
    same.on_confirmed(&[0; 32], &table(1));
    assert!(commits(&mut same, &now, 1));
    let mut other = engine.clone();
    other.on_confirmed(&[0; 32], &table(2));
    assert_eq!(other.on_block(&now), evaluate);
    other.on_evaluated(evaluated(RoundId(0), [0; 32], 2));
    assert!(commits(&mut other, &now, 2));

    engine.on_committed(2);
    assert_eq!(engine.on_block(&now), None, "an old snapshot");
    (now.phase, now.seat, now.block) = (Phase::AttestReveal, Some(Seat::Committed), 9);
    engine.on_confirmed(&[0; 32], &table(2));
    assert_eq!(engine.on_block(&now), None, "to be silent costs less");
    engine.on_confirmed(&[0; 32], &table(1));
    assert!(matches!(
        engine.on_block(&now),
        Some(AttesterCommand::Reveal { .. })
    ));
}

#[test]
fn only_the_table_of_the_fork_that_the_chain_is_on_is_revealed() {
    let (mut engine, mut now) = committed();
    now.block = 9;
    now.seat = Some(Seat::Committed);
    now.phase = Phase::AttestReveal;
    let salt = |command| match command {
        Some(AttesterCommand::Reveal { salt, .. }) => Some(salt),
        _ => None,
    };
    now.inputs = [1; 32];
    let evaluate = Some(AttesterCommand::Evaluate { round: RoundId(0) });
    assert_eq!(engine.on_block(&now), evaluate, "none of another fork");
    engine.on_evaluated(evaluated(RoundId(0), [1; 32], 2));
    assert_eq!(salt(engine.on_block(&now)), Some([2; 32]));
    now.inputs = [0; 32];
    assert_eq!(salt(engine.on_block(&now)), Some([1; 32]), "and back");
}

/// The disk was lost after the commitment. Not revealing would cost 50 GTG.
#[test]
fn whoever_lost_what_it_committed_evaluates_again_and_reveals() {
    let (kept, mut now) = committed();
    let mut engine = Attester::new(TASK, ACCOUNT);
    now.seat = Some(Seat::Committed);
    assert_eq!(engine.on_block(&now), None, "nothing is due yet");
    now.phase = Phase::AttestReveal;
    let evaluate = Some(AttesterCommand::Evaluate { round: RoundId(0) });
    assert_eq!(engine.on_block(&now), evaluate);
    engine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
    let reveal = engine.on_block(&now);
    assert!(matches!(reveal, Some(AttesterCommand::Reveal { .. })));
    assert_eq!(reveal, kept.on_block(&now));
    // An attester that has lost its seat, or that already shows a table, has nothing to evaluate.
    let engine = Attester::new(TASK, ACCOUNT);
    for seat in [Seat::Drawn, Seat::Revealed, Seat::Audited, Seat::Out] {
        now.seat = Some(seat);
        assert_eq!(engine.on_block(&now), None, "{seat:?}");
    }
}

/// On one fork, round 0 ended and round 1 was committed to. Another fork undid both, and there the account has a seat in a round 0
/// with other deltas. It loses stake if it does not commit to it.
#[test]
fn a_fork_that_takes_a_whole_round_back_has_its_seat_served() {
    let (mut engine, mut now) = committed();
    engine.on_evaluated(evaluated(RoundId(1), [2; 32], 2));
    engine.on_committed(7);
    now.block = 7;
    assert_eq!(engine.on_block(&now), None, "an old snapshot");
    let mut engine = Attester::decode(&mut &*engine.encode()).unwrap();
    now.block = 8;
    let salt = |command| match command {
        Some(AttesterCommand::Reveal { salt, .. }) => Some(salt),
        _ => None,
    };
    // The same deltas as on the first fork, or other ones.
    for (inputs, byte) in [([0; 32], 1), ([1; 32], 3)] {
        (now.inputs, now.phase, now.seat) = (inputs, Phase::AttestCommit, Some(Seat::Drawn));
        if byte == 3 {
            let evaluate = Some(AttesterCommand::Evaluate { round: RoundId(0) });
            assert_eq!(engine.on_block(&now), evaluate);
            engine.on_evaluated(evaluated(RoundId(0), inputs, byte));
        }
        let commitment = engine.commitment(&evaluated(RoundId(0), inputs, byte));
        let commit = Some(AttesterCommand::Commit {
            round: RoundId(0),
            commitment,
            inputs,
        });
        assert_eq!(engine.on_block(&now), commit);
        (now.phase, now.seat) = (Phase::AttestReveal, Some(Seat::Committed));
        assert_eq!(salt(engine.on_block(&now)), Some([byte; 32]));
    }
    // Now the first fork is back.
    (now.round, now.inputs) = (RoundId(1), [2; 32]);
    assert_eq!(salt(engine.on_block(&now)), Some([2; 32]));
}

#[test]
fn only_the_last_rounds_are_kept() {
    let mut engine = Attester::new(TASK, ACCOUNT);
    for round in 0..20u8 {
        engine.on_evaluated(evaluated(RoundId(round.into()), [round; 32], round));
    }
    assert_eq!(engine.works.len(), KEPT);
    assert_eq!(engine.table(&[19; 32]), Some(&table(19)));
    assert_eq!(engine.table(&[11; 32]), None);
}
