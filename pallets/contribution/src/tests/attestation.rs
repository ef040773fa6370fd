use super::lab::*;
use crate::{
    attestation::{draw_one, Attestation},
    mock::*,
    rounds::Round,
    Attesters, Candidates, Error, Event, Rounds, SlashReason,
};
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{Outcome, Phase, Roles, RoundId, SeatState};
use gotong_scoring::{blake2_256, share::table::Row, MasterWeights};

fn outcome_of_first(id: gotong_protocol::TaskId) -> Option<Outcome> {
    Rounds::<Test>::get(id, RoundId(0)).unwrap().outcome
}

#[test]
fn sponsor_and_committers_are_not_drawn() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(0, 2);
        for who in [contributor(0), contributor(1), sponsor()] {
            register_attester(&who, Roles::BOTH, 50_000);
        }
        let id = lab.open();
        lab.play_to_attestation(id, 2);
        let seats = current(id).seats;
        let mut drawn: Vec<_> = seats.iter().map(|seat| seat.account.clone()).collect();
        drawn.sort();
        assert_eq!(drawn, [attester(0), attester(1)]);
    });
}

#[test]
fn the_task_s_least_stake_is_asked_of_attesters() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        assert_ok!(Contribution::add_stake(signed(&attester(1)), 1_000));
        let mut terms = lab.terms();
        terms.minimum_attester_stake = 1_500;
        (terms.seats, terms.quorum) = (1, 1);
        assert_ok!(lab.open_with(terms, POOL));
        let id = gotong_protocol::TaskId(0);
        lab.play_to_attestation(id, 1);
        assert_eq!(current(id).seats.len(), 1);
        assert_eq!(current(id).seats[0].account, attester(1));
    });
}

#[test]
fn the_draw_follows_the_stake() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        register(0, 10);
        assert_ok!(Contribution::add_stake(signed(&attester(4)), 4_500));
        let mut terms = lab.terms();
        (terms.seats, terms.quorum) = (1, 1);
        assert_ok!(lab.open_with(terms, POOL));
        let task = task(gotong_protocol::TaskId(0));
        let registry = Attesters::<Test>::get();
        // 5,000 of 9,500 staked: about 526 of 1,000.
        let hits = (0..1_000u32)
            .filter(|seed| {
                let id = gotong_protocol::TaskId(0);
                let mut round = current(id);
                let seed = blake2_256(&[&seed.to_le_bytes()]);
                Attesters::<Test>::put(registry.clone());
                Candidates::<Test>::insert(id, Attestation::<Test>::candidates(id, &task, &round));
                Attestation::<Test>::draw(id, &task, &mut round, &seed);
                round.seats[0].account == attester(4)
            })
            .count();
        Attesters::<Test>::put(registry);
        assert!((470..580).contains(&hits), "{hits}");
    });
}

/// How many of the 12,000 seats of 4,000 draws go to the first `own` accounts, if the accounts have these stakes.
fn seats_of_first(own: usize, stakes: &[Balance]) -> usize {
    let drawn = |number: u32| {
        let seed = blake2_256(&[&number.to_le_bytes()]);
        let mut left: Vec<_> = stakes.iter().copied().enumerate().collect();
        let in_order = (0..3).filter_map(|seat| draw_one(&seed, seat, &mut left));
        in_order.filter(|(who, _)| *who < own).count()
    };
    (0..4_000).map(drawn).sum()
}

/// Fees are the same for each seat, so these are shares of fees, too.
#[test]
fn seats_follow_the_stake_and_more_accounts_have_no_more_than_that() {
    let others = [100; 100];
    let beside = |stake: Balance| [&[stake][..], &others[..]].concat();
    // A stake of 9.1 %, in one account: 8.4 % of the seats, and a seat in a quarter of all rounds. Split by stake, it would have 21
    // % of all fees.
    let whole = seats_of_first(1, &beside(1_000));
    assert!((880..1_130).contains(&whole), "{whole}");
    // Split among ten accounts: 9.1 %.
    let split = seats_of_first(10, &[100; 110]);
    assert!((960..1_220).contains(&split), "{split}");
    // Half of all stake, in one account: at most one seat of three. Split by stake, it would have 86 % of all fees.
    let whole = seats_of_first(1, &beside(10_000));
    assert!((3_400..3_620).contains(&whole), "{whole}");
    // Split among a hundred accounts: half of the seats.
    let split = seats_of_first(100, &[100; 200]);
    assert!((5_780..6_220).contains(&split), "{split}");
}

/// A signed commitment would be valid on another fork, too, although it opens to a table of the fork that it was made on.
#[test]
fn a_commitment_about_other_inputs_is_not_taken() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let (who, round) = (attester(0), task(id).round);
        let seen = current(id).inputs(id, round);
        let forks: [fn(&mut Round<AccountId>); 4] = [
            |round| round.base_root = [9; 32],
            |round| round.seed = Some([9; 32]),
            |round| round.entrants_root = Some([9; 32]),
            |round| round.shard.as_mut().unwrap().root = [9; 32],
        ];
        for fork in forks {
            let before = current(id);
            let mut forked = before.clone();
            fork(&mut forked);
            Rounds::<Test>::insert(id, round, forked);
            assert_noop!(
                Contribution::commit_attestation(signed(&who), id, round, [1; 32], seen),
                Error::<Test>::OtherInputs
            );
            Rounds::<Test>::insert(id, round, before);
        }
        assert_ok!(commit_attestation(&who, id, &lab.score(id)));
    });
}

#[test]
fn only_the_drawn_attest_each_once_in_its_phase() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let score = lab.score(id);
        let who = attester(0);
        assert_noop!(
            commit_attestation(&account(50), id, &score),
            Error::<Test>::NotDrawn
        );
        assert_noop!(
            reveal_attestation(&who, id, &score),
            Error::<Test>::NotInAttestRevealPhase
        );
        assert_ok!(commit_attestation(&who, id, &score));
        assert_noop!(
            commit_attestation(&who, id, &score),
            Error::<Test>::AlreadyAttested
        );
        assert_ok!(commit_attestation(&attester(1), id, &score));
        run_to_phase(id, Phase::AttestReveal);
        assert_noop!(
            commit_attestation(&attester(2), id, &score),
            Error::<Test>::NotInAttestCommitPhase
        );
        assert_noop!(
            reveal_attestation(&attester(2), id, &score),
            Error::<Test>::SeatLost
        );
        assert_noop!(
            reveal_attestation(&account(50), id, &score),
            Error::<Test>::NotDrawn
        );
        assert_noop!(
            reveal_attestation(&who, id, &bent(&score)),
            Error::<Test>::CommitmentMismatch
        );
        let (round, table) = (RoundId(0), Box::new(score.table.summary()));
        assert_noop!(
            Contribution::reveal_attestation(signed(&who), id, round, table, [0; 32], SALT),
            Error::<Test>::CommitmentMismatch
        );
        assert_ok!(reveal_attestation(&who, id, &score));
        assert_noop!(
            reveal_attestation(&who, id, &score),
            Error::<Test>::TableAlreadyRevealed
        );
    });
}

#[test]
fn a_claim_that_contradicts_itself_is_refused() {
    // More than there are seats.
    [0, 5].into_iter().for_each(contradictions_are_refused);
}

/// Five contradictions, from number `from` on.
fn contradictions_are_refused(from: usize) {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 5);
        let mut terms = lab.terms();
        (terms.seats, terms.quorum) = (5, 4);
        assert_ok!(lab.open_with(terms, POOL));
        let id = gotong_protocol::TaskId(0);
        lab.play_to_attestation(id, 1);
        let score = lab.score(id);
        assert!(score
            .table
            .merge
            .as_ref()
            .is_some_and(|merge| merge.pay.is_some()));
        let bend = |change: fn(&mut Score)| {
            let mut score = score.clone();
            change(&mut score);
            score
        };
        let contradictions = [
            bend(|score| score.table.passes[0].median_norm += 1),
            // Somebody left who was not bad.
            bend(|score| score.table.passes[0].last_dropped = Some(0)),
            bend(|score| score.table.passes.clear()),
            bend(|score| {
                let pass = score.table.passes[0].clone();
                score.table.passes.push(pass);
            }),
            bend(|score| score.table.passes[0].members = vec![false]),
            bend(|score| score.table.merge = None),
            // The gain is large enough, but nothing is merged; or the other way round.
            bend(|score| score.table.merge.as_mut().unwrap().pay = None),
            bend(|score| {
                let merge = score.table.merge.as_mut().unwrap();
                merge.on_a.reverse();
            }),
            // It is bad, but merged.
            bend(|score| {
                let hash = score.table.records[0].delta_hash;
                score.table.passes[0].rows[0] = Row {
                    delta_hash: hash,
                    parts: vec![-1; 16].into(),
                };
            }),
        ];
        let contradictions = &contradictions[from..contradictions.len().min(from + 5)];
        for (number, bent) in (0..).zip(contradictions) {
            assert_ok!(commit_attestation(&attester(number), id, bent));
        }
        run_to_phase(id, Phase::AttestReveal);
        for (number, bent) in (0..).zip(contradictions) {
            assert_noop!(
                reveal_attestation(&attester(number), id, bent),
                Error::<Test>::ClaimInconsistent
            );
            // The commitment covers the whole claim, not only its root.
            assert_noop!(
                reveal_attestation(&attester(number), id, &score),
                Error::<Test>::CommitmentMismatch
            );
        }
    });
}

#[test]
fn who_does_not_attest_is_slashed_once() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 6);
        let mut terms = lab.terms();
        (terms.seats, terms.quorum) = (6, 4);
        assert_ok!(lab.open_with(terms, POOL));
        let id = gotong_protocol::TaskId(0);
        lab.play_to_attestation(id, 1);
        let score = lab.score(id);
        for number in 0..5 {
            assert_ok!(commit_attestation(&attester(number), id, &score));
        }
        run_to_phase(id, Phase::AttestReveal);
        for number in 0..4 {
            assert_ok!(reveal_attestation(&attester(number), id, &score));
        }
        run_to_phase(id, Phase::Challenge);
        let slashed = |number, amount, reason| Event::Slashed {
            who: attester(number),
            amount,
            reason,
        };
        let slashes = events()
            .into_iter()
            .filter(|event| matches!(event, Event::Slashed { .. }));
        let withheld = slashed(4, MissedAuditSlash::get(), SlashReason::WithheldTable);
        let missed = slashed(5, 30, SlashReason::MissedAttestation);
        assert_eq!(slashes.collect::<Vec<_>>(), [missed, withheld]);
        for number in 0..4 {
            assert_ok!(answer_audits(&attester(number), id, &score));
        }
        run_blocks(3);
        // The fee is split over those who revealed.
        let round = Rounds::<Test>::get(id, RoundId(0)).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        for seat in &round.seats {
            let missed = [attester(4), attester(5)].contains(&seat.account);
            assert_eq!(seat.state == SeatState::Missed, missed);
        }
        let fees: Vec<_> = round.seats.iter().filter(|seat| seat.fee > 0).collect();
        assert_eq!(fees.len(), 4);
    });
}

#[test]
fn where_too_few_commit_nobody_is_slashed() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let score = lab.score(id);
        let quorum = lab.terms().quorum;
        for number in 0..quorum - 1 {
            assert_ok!(commit_attestation(&attester(number), id, &score));
        }
        events();
        run_blocks(lab.terms().windows.attest_blocks);
        // Nobody else can be drawn, so anybody may be drawn again, whether they committed or not.
        assert!(current(id).is_unattended());
        let is_harm = |event: &Event<Test>| {
            matches!(event, Event::Slashed { .. } | Event::OfferSuspended { .. })
        };
        assert!(!events().iter().any(is_harm));
    });
}

#[test]
fn too_few_reveals_leave_a_round_unattested() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        let score = lab.score(id);
        assert_ok!(commit_attestation(&attester(0), id, &score));
        assert_ok!(commit_attestation(&attester(1), id, &score));
        run_to_phase(id, Phase::AttestReveal);
        assert_ok!(reveal_attestation(&attester(0), id, &score));
        run_blocks(4);
        assert_eq!(outcome_of_first(id), Some(Outcome::Unattested));
        assert_eq!(task(id).purse.pool, POOL);
    });
}

#[test]
fn claims_that_differ_and_stand_pay_nobody_whatever_the_majority() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 2);
        let truth = lab.score(id);
        let scores = [truth.clone(), truth.clone(), bent(&truth)];
        for (number, score) in (0..).zip(&scores) {
            assert_ok!(commit_attestation(&attester(number), id, score));
        }
        run_to_phase(id, Phase::AttestReveal);
        for (number, score) in (0..).zip(&scores) {
            assert_ok!(reveal_attestation(&attester(number), id, score));
        }
        run_to_phase(id, Phase::Challenge);
        for (number, score) in (0..).zip(&scores) {
            assert_ok!(answer_audits(&attester(number), id, score));
        }
        let issuance = Balances::total_issuance();
        run_blocks(3);
        assert_eq!(outcome_of_first(id), Some(Outcome::Disputed));
        assert_eq!(Balances::total_issuance(), issuance);
        assert_eq!(task(id).purse.pool, POOL);
        // The task continues from its present weights.
        assert_eq!(task(id).round, RoundId(1));
        let base = MasterWeights::new(lab.weights.clone()).unwrap().root();
        assert_eq!(current(id).base_root, base);
        // The round credits nobody, so it is claimed without a proof.
        assert_noop!(
            claim(&contributor(0), id, RoundId(0), &truth.table, 0),
            Error::<Test>::ProofInvalid
        );
    });
}
