//! The real court: the contribution pallet holds the rounds and the stakes. From the opening of a
//! task on, everybody follows the protocol, but for those who lie.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
mod chain;
#[cfg(feature = "runtime-benchmarks")]
pub use chain::{new_chain, Real};

use crate::NextDispute;
use chain::*;
use codec::Encode;
use core::convert::Infallible;
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{
    attestation_commitment, bounds, dispute::Verdict, id::DisputeId, submission_commitment,
    ClaimItem, Delta, Graph, Hash, HoldOutTerms, Outcome, Phase, Roles, RoundId, Rules, SeatState,
    TaskId, TaskName, TaskTerms, Windows,
};
use gotong_scoring::{
    audits, pool_tree, score_round, shard_root, shards_root,
    trial::{Accusation, Case, Lie, Side, Step, Turn, Witness},
    work_root, AuditAnswer, Entry, HoldOut, MasterWeights, Reference, Reveal, RoundSamples,
    Samples, Tree,
};
use pallet_contribution::{rounds::Round, Error as CourtError, Event as CourtEvent};

const TASK: TaskId = TaskId(0);
const ROUND: RoundId = RoundId(0);
const SALT: Hash = [7; 32];
const KEY: Hash = [8; 32];
const SAMPLES: u32 = 8;
const SEATS: u8 = 3;
const CHALLENGE_BLOCKS: u32 = 8;
const STAKE: Balance = 501;

fn sponsor() -> AccountId {
    account(1)
}

fn contributor(number: u8) -> AccountId {
    account(10 + number)
}

fn attester(number: u8) -> AccountId {
    account(30 + number)
}

/// Somebody without a seat.
fn outsider() -> AccountId {
    account(50)
}

fn graph() -> Graph {
    Graph::mlp(&[4, 3, 2])
}

fn base() -> Vec<i16> {
    vec![0; graph().parameters()]
}

fn records() -> Vec<u8> {
    let record = |sample: u32| {
        let pixel = (sample * 17) as u8;
        // Every fourth sample is of class 0.
        [
            pixel,
            200,
            3,
            pixel / 2,
            u8::from(!sample.is_multiple_of(4)),
        ]
    };
    (0..SAMPLES).flat_map(record).collect()
}

fn shard() -> Hash {
    shard_root(&KEY, 5, &records()).unwrap()
}

/// Delta number `number`: the first improves the model, the second harms it.
fn delta(number: u8) -> Delta {
    let (position, change) = [(22, 4_000), (21, 4_000)][usize::from(number)];
    Delta::new(23, vec![Entry { position, change }]).unwrap()
}

fn sealed() -> HoldOutTerms {
    HoldOutTerms::Sealed {
        root: shards_root(&[shard(), [9; 32]]),
        shards: 2,
        samples: SAMPLES,
    }
}

/// The records of a pool: more than those of a shard, and others.
fn pool() -> Vec<[u8; 5]> {
    let record = |number: u8| {
        [
            number,
            100,
            3,
            number / 2,
            u8::from(!number.is_multiple_of(4)),
        ]
    };
    (0..16 * SAMPLES as u8 + 3).map(record).collect()
}

fn drawn() -> HoldOutTerms {
    HoldOutTerms::Drawn {
        salt: KEY,
        root: pool_tree(&KEY, pool()).root().hash,
        records: pool().len() as u32,
        samples: SAMPLES,
        rounds: 1,
    }
}

fn terms(hold_out: HoldOutTerms) -> TaskTerms<Balance> {
    TaskTerms {
        name: TaskName::new("tiny").unwrap(),
        price_per_millibit: 100,
        cap_per_round: 10_000,
        attester_fee_permille: 100,
        windows: Windows {
            commit_blocks: 5,
            reveal_blocks: 6,
            attest_blocks: 4,
            challenge_blocks: CHALLENGE_BLOCKS,
        },
        seats: SEATS,
        quorum: 2,
        minimum_contributor_stake: 0,
        minimum_attester_stake: 0,
        weight_cap: 10_000,
        rules: Rules {
            admit_floor_q8: 0,
            gain_floor_q8: 0,
            central_difference: 1,
        },
        hold_out,
    }
}

fn round() -> Round<AccountId> {
    pallet_contribution::Rounds::<Real>::get(TASK, ROUND).unwrap()
}

fn outcome() -> Option<Outcome> {
    round().outcome
}

fn run_to(phase: Phase) {
    for _ in 0..400 {
        if round().phase == phase {
            return;
        }
        next_block();
    }
    panic!("never came to {phase:?}");
}

/// Seats that were not put out.
fn sitting() -> Vec<AccountId> {
    let seats = round().seats.into_iter().filter(|seat| seat.sits());
    seats.map(|seat| seat.account).collect()
}

fn seat_state(who: &AccountId) -> SeatState {
    let mut seats = round().seats.into_iter();
    seats.find(|seat| seat.account == *who).unwrap().state
}

fn change(who: &AccountId) -> i128 {
    System::account(who).data.free as i128 + System::account(who).data.reserved as i128
        - ENDOWMENT as i128
}

/// Opens a task of shards with so many registered attesters, and plays its first round until seats are
/// drawn.
fn play_to_attestation(attesters: u8) {
    play_on(sealed(), attesters);
}

fn play_on(hold_out: HoldOutTerms, attesters: u8) {
    let pool = 20_000;
    let weights = MasterWeights::new(base()).unwrap().to_bytes();
    for number in 0..2 {
        let who = signed(&contributor(number));
        assert_ok!(Contribution::register(who, Roles::CONTRIBUTOR, 500));
    }
    for number in 0..attesters {
        let who = signed(&attester(number));
        assert_ok!(Contribution::register(who, Roles::ATTESTER, STAKE));
    }
    assert_ok!(Contribution::open_task(
        signed(&sponsor()),
        terms(hold_out),
        graph().encode().try_into().unwrap(),
        weights.try_into().unwrap(),
        pool,
    ));
    for number in 0..2 {
        let who = contributor(number);
        let hash = Delta::hash_of(&delta(number).encode());
        let commitment = submission_commitment(TASK, ROUND, who.as_ref(), &hash, &SALT);
        assert_ok!(Contribution::commit(signed(&who), TASK, ROUND, commitment));
    }
    run_to(Phase::Reveal);
    for number in 0..2 {
        let bytes = delta(number).encode().try_into().unwrap();
        let who = signed(&contributor(number));
        assert_ok!(Contribution::reveal(who, TASK, ROUND, bytes, SALT));
    }
    if hold_out.is_sealed() {
        assert_ok!(Contribution::publish_shard(
            signed(&sponsor()),
            TASK,
            ROUND,
            KEY,
            records().try_into().unwrap(),
            Tree::of([shard(), [9; 32]]).prove(0).unwrap(),
        ));
        return run_to(Phase::AttestCommit);
    }
    while round().sample_seed.is_none() {
        next_block();
    }
}

/// The samples of a round, as everybody can have them.
fn samples(hold_out: &HoldOut) -> RoundSamples {
    match hold_out {
        HoldOut::Sealed { .. } => records().into(),
        HoldOut::Drawn { seed, .. } => {
            let read = |place| Ok::<_, Infallible>(pool()[place as usize].to_vec());
            RoundSamples::drawn(&pool_tree(&KEY, pool()), seed, SAMPLES, read).unwrap()
        }
    }
}

fn reveals() -> Vec<Reveal> {
    let submissions = Contribution::submissions(TASK, ROUND).into_iter();
    let reveal = |(number, submission): (u8, gotong_protocol::view::SubmissionView<_, _, _>)| {
        let delta = delta(number);
        Reveal {
            hash: Delta::hash_of(&delta.encode()),
            weight: submission.weight,
            delta,
        }
    };
    (0..).zip(submissions).map(reveal).collect()
}

/// Who computes the round from what the chain knows and what everybody can have.
fn honest() -> Witness {
    honest_on(Contribution::case(TASK, ROUND).unwrap())
}

fn honest_on(case: Case) -> Witness {
    let held_out = samples(&case.hold_out);
    let set = Samples::new(4, 2, held_out.records()).unwrap();
    let (graph, rules) = (&case.graph, &case.rules);
    let score = score_round(&mut Reference, graph, &base(), &set, &reveals(), rules).unwrap();
    Witness::new(case, base(), held_out, reveals(), score).unwrap()
}

fn lying(lie: Lie) -> Witness {
    let case = Contribution::case(TASK, ROUND).unwrap();
    let held_out = samples(&case.hold_out);
    Witness::lying(case, base(), held_out, reveals(), &mut Reference, lie).unwrap()
}

/// The lie that a sample's loss is less after the merge than it is.
fn flattering() -> Lie {
    Lie::Word {
        of: Side::Merged,
        sample: 1,
        op: graph().ops.len() as u32 - 1,
        at: 0,
        by: -999,
        carries: true,
    }
}

/// Everybody who has a seat and has not committed yet commits and reveals; the first `liars` of
/// them stand for the liar's table.
fn attest(honest: &Witness, liar: &Witness, liars: usize) -> Vec<AccountId> {
    let seats = round().seats.into_iter();
    let seats = seats.filter(|seat| seat.sits() && seat.commitment.is_none());
    let fresh: Vec<AccountId> = seats.map(|seat| seat.account).collect();
    let parts = || {
        let part = |(number, who)| (who, if number < liars { liar } else { honest });
        fresh.iter().enumerate().map(part)
    };
    for (who, part) in parts() {
        let score = part.score();
        let work = work_root(who.as_ref(), &score.evaluations);
        let claim = score.table.claim();
        let commitment = attestation_commitment(TASK, ROUND, who.as_ref(), &claim, &work, &SALT);
        let who = signed(who);
        assert_ok!(Contribution::commit_attestation(
            who, TASK, ROUND, commitment
        ));
    }
    run_to(Phase::AttestReveal);
    for (who, part) in parts() {
        let score = part.score();
        let work = work_root(who.as_ref(), &score.evaluations);
        let (who, opening) = (signed(who), score.table.opening());
        assert_ok!(Contribution::reveal_attestation(
            who, TASK, ROUND, opening, work, SALT
        ));
    }
    run_to(Phase::Challenge);
    let seed = round().audit_seed.unwrap();
    for (who, part) in parts() {
        let score = part.score();
        let asked = audits(&seed, who.as_ref(), bounds::AUDITS, SAMPLES, 2);
        let answers: Vec<AuditAnswer> = asked
            .iter()
            .map(|audit| {
                AuditAnswer::of(audit, who.as_ref(), &score.table, &score.evaluations).unwrap()
            })
            .collect();
        let answers = answers.try_into().unwrap();
        assert_ok!(Contribution::answer_audits(
            signed(who),
            TASK,
            ROUND,
            answers
        ));
    }
    fresh
}

fn accuse(who: &AccountId, part: &Witness, accused: &AccountId) -> DisputeId {
    let id = NextDispute::<Real>::get();
    let seats = round().seats;
    let seat = seats.iter().find(|seat| seat.account == *accused).unwrap();
    let accusation = part.accuse(&seat.table().unwrap().opening).unwrap();
    assert_ok!(Referee::open(
        signed(who),
        TASK,
        ROUND,
        accused.clone(),
        accusation
    ));
    id
}

/// Plays a dispute to its end, a move a block.
fn play(id: DisputeId, accused: &Witness, challenger: &Witness) -> Verdict {
    while let Some(now) = Referee::dispute(id) {
        match now.turn {
            Turn::Accused => {
                if let Some(answer) = accused.answer(&now.trial) {
                    let who = signed(&now.accused);
                    let taken = Referee::answer(who, id, Box::new(answer));
                    // Who stands on other samples than the chain's is refused, and then silent.
                    let is_foreign = accused.case() != challenger.case();
                    assert!(taken.is_ok() || is_foreign, "{taken:?}");
                }
            }
            Turn::Challenger => {
                if let Some(pick) = challenger.pick(&now.trial) {
                    assert_ok!(Referee::pick(signed(&now.challenger), id, pick));
                }
            }
        }
        next_block();
    }
    let verdicts = Referee::verdicts().into_iter();
    verdicts
        .rev()
        .find(|closed| closed.id == id)
        .unwrap()
        .verdict
}

fn run_to_end() {
    run_to(Phase::Ended);
}

/// The number of events of the court that are like this.
fn court_events(is: impl Fn(&CourtEvent<Real>) -> bool) -> usize {
    let events = System::read_events_for_pallet::<CourtEvent<Real>>();
    events.iter().filter(|event| is(event)).count()
}

#[test]
fn a_liar_is_convicted_and_the_round_settles_on_what_is_right() {
    execute(|| {
        play_to_attestation(6);
        let (honest, liar) = (honest(), lying(flattering()));
        let seats = attest(&honest, &liar, 1);
        let issued = Balances::total_issuance();
        // A seat disputes its neighbour.
        let id = accuse(&seats[1], &honest, &seats[0]);
        assert_eq!(round().open_disputes, 1);
        assert!(matches!(play(id, &liar, &honest), Verdict::Refuted(_)));
        assert_eq!(seat_state(&seats[0]), SeatState::Convicted);
        assert_eq!(Contribution::stake(seats[0].clone()), None);
        assert_eq!(change(&seats[0]), -(STAKE as i128));
        assert_eq!(change(&seats[1]), STAKE as i128 / 2);
        assert_eq!(Balances::total_issuance(), issued - STAKE.div_ceil(2));

        run_to_end();
        assert_eq!(outcome(), Some(Outcome::Settled));
        assert_eq!(
            round().settlement.unwrap().claim,
            honest.score().table.claim()
        );
        let fee_of = |who: &AccountId| {
            let seats = round().seats.into_iter();
            seats
                .filter(|seat| seat.account == *who)
                .map(|seat| seat.fee)
                .sum::<Balance>()
        };
        assert_eq!(fee_of(&seats[0]), 0);
        assert!(fee_of(&seats[1]) > 0 && fee_of(&seats[1]) == fee_of(&seats[2]));
        // What the round owes is paid by the honest table.
        let item = ClaimItem {
            task: TASK,
            round: ROUND,
            proof: honest.score().table.prove_share(0).unwrap(),
        };
        let before = change(&contributor(0));
        let claimed = Contribution::claim(signed(&contributor(0)), vec![item].try_into().unwrap());
        assert_ok!(claimed);
        assert!(change(&contributor(0)) > before);
    });
}

#[test]
fn who_lies_about_drawn_samples_is_convicted() {
    // The second layer, for its weights are zeros; the last op reads the sample.
    let ops = graph().ops.len() as u32;
    for op in ops - 3..ops {
        execute(|| {
            play_on(drawn(), 6);
            let lie = Lie::Word {
                of: Side::Plus(0),
                sample: 5,
                op,
                at: 0,
                by: 0x0014_0141,
                carries: true,
            };
            let (honest, liar) = (honest(), lying(lie));
            let seats = attest(&honest, &liar, 1);
            let id = accuse(&seats[1], &honest, &seats[0]);
            let verdict = play(id, &liar, &honest);
            let is_found = matches!(
                verdict,
                Verdict::Refuted(Step::Word { op: found, sample: 5, .. }) if found == op
            );
            assert!(is_found, "{verdict:?}");
            run_to_end();
            assert_eq!(outcome(), Some(Outcome::Settled));
            let settled = round().settlement.unwrap().claim;
            assert_eq!(settled, honest.score().table.claim());
        });
    }
}

/// A table that is right for samples that were not drawn: those of the luckier seed.
#[test]
fn who_scores_other_samples_of_the_pool_is_convicted() {
    execute(|| {
        play_on(drawn(), 6);
        let honest = honest();
        let mut case = honest.case().clone();
        if let HoldOut::Drawn { seed, .. } = &mut case.hold_out {
            seed[0] ^= 1;
        }
        let lucky = honest_on(case);
        assert_ne!(lucky.score(), honest.score());
        let seats = attest(&honest, &lucky, 1);
        let of_the_lucky = accuse(&outsider(), &honest, &seats[0]);
        let of_the_honest = accuse(&account(51), &lucky, &seats[1]);
        // Who holds other samples against an honest table finds nothing that is wrong.
        assert_eq!(play(of_the_honest, &honest, &lucky), Verdict::Upheld);
        // Who stands for them has no record to show that makes its losses.
        assert_eq!(play(of_the_lucky, &lucky, &honest), Verdict::Unanswered);
        assert_eq!(seat_state(&seats[0]), SeatState::Convicted);
        run_to_end();
        assert_eq!(outcome(), Some(Outcome::Settled));
    });
}

#[test]
fn one_honest_seat_beats_a_majority_and_seats_are_drawn_anew() {
    execute(|| {
        play_to_attestation(8);
        let (honest, liar) = (honest(), lying(flattering()));
        let seats = attest(&honest, &liar, 2);
        for accused in &seats[..2] {
            let id = accuse(&seats[2], &honest, accused);
            assert!(matches!(play(id, &liar, &honest), Verdict::Refuted(_)));
            assert_eq!(seat_state(accused), SeatState::Convicted);
        }
        assert_eq!(change(&seats[2]), 2 * (STAKE as i128 / 2));
        assert_eq!(outcome(), None);
        run_to(Phase::AttestCommit);
        assert_eq!(round().redraws, 1);
        assert!(!sitting().contains(&seats[0]) && sitting().contains(&seats[2]));
        assert_eq!(sitting().len(), usize::from(SEATS));
        // One of the new seats lies again.
        let fresh = attest(&honest, &liar, 1);
        assert_eq!(fresh.len(), 2);
        let id = accuse(&outsider(), &honest, &fresh[0]);
        assert!(matches!(play(id, &liar, &honest), Verdict::Refuted(_)));
        run_to_end();
        assert_eq!(outcome(), Some(Outcome::Settled));
        assert_eq!(
            round().settlement.unwrap().claim,
            honest.score().table.claim()
        );
    });
}

#[test]
fn if_all_seats_lie_an_outsider_convicts_them() {
    execute(|| {
        play_to_attestation(3);
        let (honest, liar) = (honest(), lying(flattering()));
        let seats = attest(&honest, &liar, 3);
        let ids: Vec<DisputeId> = seats
            .iter()
            .map(|accused| accuse(&outsider(), &honest, accused))
            .collect();
        for id in ids {
            assert!(play(id, &liar, &honest).convicts());
        }
        run_to_end();
        // Nobody was left to be drawn, and nobody paid for a lie.
        assert_eq!(outcome(), Some(Outcome::Unattested));
        assert_eq!(change(&outsider()), 3 * (STAKE as i128 / 2));
        assert_eq!(
            court_events(|event| matches!(event, CourtEvent::FeePaid { .. })),
            0
        );
    });
}

#[test]
fn a_round_waits_for_a_dispute_that_the_honest_win() {
    execute(|| {
        play_to_attestation(6);
        let (honest, liar) = (honest(), lying(flattering()));
        let seats = attest(&honest, &liar, 0);
        let started = round().phase_started_at;
        let id = accuse(&outsider(), &liar, &seats[0]);
        let issued = Balances::total_issuance();
        // Everybody moves in the last moment.
        while let Some(now) = Referee::dispute(id) {
            if now.deadline == System::block_number() {
                match now.turn {
                    Turn::Accused => {
                        let answer = Box::new(honest.answer(&now.trial).unwrap());
                        assert_ok!(Referee::answer(signed(&seats[0]), id, answer));
                    }
                    Turn::Challenger => {
                        let pick = liar.pick(&now.trial).unwrap();
                        assert_ok!(Referee::pick(signed(&outsider()), id, pick));
                    }
                }
            }
            if Referee::dispute(id).is_some() {
                assert_eq!(round().phase, Phase::Challenge);
            }
            next_block();
        }
        assert!(System::block_number() > started + CHALLENGE_BLOCKS);
        assert_eq!(
            Balances::total_issuance(),
            issued - DisputeBond::get().div_ceil(2)
        );
        let verdicts = Referee::verdicts();
        assert_eq!(verdicts.last().unwrap().verdict, Verdict::Upheld);
        // The window is over, so that the round is too, at once.
        next_block();
        assert_eq!(outcome(), Some(Outcome::Settled));
        assert_eq!(seat_state(&seats[0]), SeatState::Sitting);
        let bond = DisputeBond::get() as i128;
        assert_eq!(change(&outsider()), -bond);
        assert!(change(&seats[0]) >= bond / 2);
    });
}

#[test]
fn silence_is_a_conviction_too_and_the_others_disputes_are_moot() {
    execute(|| {
        play_to_attestation(6);
        let (honest, liar) = (honest(), lying(flattering()));
        let seats = attest(&honest, &liar, 1);
        let first = accuse(&seats[1], &honest, &seats[0]);
        let then = accuse(&outsider(), &honest, &seats[0]);
        assert_eq!(round().open_disputes, 2);
        while Referee::dispute(first).is_some() {
            next_block();
        }
        assert_eq!(Referee::dispute(then), None);
        let verdicts: Vec<Verdict> = Referee::verdicts()
            .iter()
            .map(|over| over.verdict)
            .collect();
        assert_eq!(verdicts, [Verdict::Unanswered, Verdict::Moot]);
        assert_eq!(change(&outsider()), 0);
        assert_eq!(change(&seats[1]), STAKE as i128 / 2);
        run_to_end();
        assert_eq!(outcome(), Some(Outcome::Settled));
    });
}

#[test]
fn stake_that_is_leaving_is_slashed_too() {
    execute(|| {
        play_to_attestation(6);
        let (honest, liar) = (honest(), lying(flattering()));
        let seats = attest(&honest, &liar, 1);
        assert_ok!(Contribution::unstake(signed(&seats[0]), STAKE));
        let id = accuse(&outsider(), &honest, &seats[0]);
        assert!(play(id, &liar, &honest).convicts());
        assert_eq!(change(&seats[0]), -(STAKE as i128));
        assert_eq!(change(&outsider()), STAKE as i128 / 2);
        let withdrawn = Contribution::withdraw(signed(&seats[0]));
        assert_noop!(withdrawn, CourtError::<Real>::NotRegistered);
    });
}

#[test]
fn tables_are_disputed_in_their_window_only() {
    execute(|| {
        play_to_attestation(6);
        let (honest, liar) = (honest(), lying(flattering()));
        let open = |accused: &AccountId| {
            let header = Accusation::Header;
            Referee::open(signed(&outsider()), TASK, ROUND, accused.clone(), header)
        };
        let not = || crate::Error::<Real>::NotDisputable;
        assert_noop!(open(&sitting()[0]), not());
        let seats = attest(&honest, &liar, 1);
        // Who has no seat has no table.
        assert_noop!(open(&sponsor()), not());
        // Two tables that differ, and nobody disputes them.
        run_to_end();
        assert_eq!(outcome(), Some(Outcome::Disputed));
        assert_noop!(open(&seats[0]), not());
    });
}

#[test]
fn a_full_round_gives_who_was_kept_out_the_time_for_a_move() {
    execute(|| {
        play_to_attestation(6);
        let (honest, liar) = (honest(), lying(flattering()));
        let seats = attest(&honest, &liar, 1);
        // Friends of the liar fill the round with disputes of an honest seat.
        let most = MaxDisputesPerRound::get() as u8;
        for number in 0..most {
            let friend = signed(&account(51 + number));
            let rows = Accusation::Rows;
            assert_ok!(Referee::open(friend, TASK, ROUND, seats[1].clone(), rows));
        }
        let refused = Referee::open(
            signed(&outsider()),
            TASK,
            ROUND,
            seats[0].clone(),
            Accusation::Header,
        );
        assert_noop!(refused, crate::Error::<Real>::TooManyDisputes);
        let window = round().ends_at;
        while System::block_number() < window - 1 {
            next_block();
            for id in (0..u32::from(most)).map(DisputeId) {
                let Some(now) = Referee::dispute(id) else {
                    continue;
                };
                if now.deadline == System::block_number() && now.turn == Turn::Accused {
                    let answer = Box::new(honest.answer(&now.trial).unwrap());
                    assert_ok!(Referee::answer(signed(&seats[1]), id, answer));
                }
            }
        }
        while round().open_disputes == u32::from(most) {
            next_block();
        }
        let freed = System::block_number();
        assert!(freed >= window);
        assert_eq!(round().ends_at, freed + MoveBlocks::get());
        assert!(court_events(|event| matches!(event, CourtEvent::ChallengeExtended { .. })) > 0);
        let id = accuse(&outsider(), &honest, &seats[0]);
        assert!(play(id, &liar, &honest).convicts());
        run_to_end();
        assert_eq!(outcome(), Some(Outcome::Settled));
        assert_eq!(
            round().settlement.unwrap().claim,
            honest.score().table.claim()
        );
    });
}
