//! The real court: the contribution pallet holds the rounds and the stakes. From the opening of a
//! task on, everybody follows the protocol, except for the liars.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
mod chain;
#[cfg(feature = "runtime-benchmarks")]
pub use chain::{new_chain, Real};

use super::lab::{entrants_of, Agent};
use crate::NextDispute;
use chain::*;
use codec::Encode;
use core::convert::Infallible;
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{
    attestation_commitment, bounds, dispute::Verdict, id::DisputeId, submission_commitment,
    ClaimItem, Court, Delta, EntrantRecord, Graph, Hash, HoldOutTerms, Outcome, Phase, Roles,
    RoundFacts, RoundId, SeatState, ShareTerms, TableSummary, TaskId, TaskName, TaskTerms, Windows,
};
use gotong_scoring::{
    audits, blake2_256, pool_tree, shard_root, shards_root,
    share::{
        share_table,
        trial::{Accusation, Lie, Model, PartOf, Player, Step},
        Half, Stage,
    },
    trial::{backward, Side},
    work_root, AuditAnswer, Audited, Entry, HoldOut, MasterWeights, Reference, RoundSamples,
    Samples, Tree,
};
use pallet_contribution::{rounds::Round, Error as CourtError, Event as CourtEvent};

const TASK: TaskId = TaskId(0);
const ROUND: RoundId = RoundId(0);
const SALT: Hash = [7; 32];
const KEY: Hash = [8; 32];
const SAMPLES: u32 = bounds::MIN_SAMPLES;
const CONTRIBUTORS: u8 = 3;
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

/// Random pixels and a label: one sample in eight is of class 0.
fn record(number: u32) -> [u8; 5] {
    let [a, b, c, d, ..] = blake2_256(&[&number.to_le_bytes()]);
    [a, b, c, d, u8::from(!number.is_multiple_of(8))]
}

fn records() -> Vec<u8> {
    (0..SAMPLES).flat_map(record).collect()
}

fn shard() -> Hash {
    shard_root(&KEY, 5, &records()).unwrap()
}

/// Delta number `number`: two improve the model, the third harms it.
fn delta(number: u8) -> Delta {
    let (position, change) = [(22, 4_000), (21, -4_000), (21, 4_000)][usize::from(number)];
    Delta::new(23, vec![Entry { position, change }]).unwrap()
}

fn sealed() -> HoldOutTerms {
    HoldOutTerms::Sealed {
        root: shards_root(&[shard(), [9; 32]]),
        shards: 2,
        samples: SAMPLES,
    }
}

/// The records of a pool: more than those of a shard.
fn pool() -> Vec<[u8; 5]> {
    (0..16 * SAMPLES + 3).map(record).collect()
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
        work_fee: 0,
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
        delta_bytes: 64 << 10,
        share: ShareTerms::default(),
        hold_out,
        recipe: [0; 32],
        recipe_bytes: 0,
    }
}

fn round() -> Round<AccountId> {
    pallet_contribution::Rounds::<Real>::get(TASK, ROUND).unwrap()
}

fn outcome() -> Option<Outcome> {
    round().outcome
}

/// Runs into a phase, and until the draw that it begins with is decided.
fn run_to(phase: Phase) {
    for _ in 0..400 {
        let round = round();
        if round.phase == phase && round.draw.is_none() {
            return;
        }
        next_block();
    }
    panic!("never came to {phase:?}");
}

/// The seats that were not lost.
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

/// Opens a task with shards and this many registered attesters, and plays its first round until seats are drawn.
fn play_to_attestation(attesters: u8) {
    play_on(sealed(), attesters);
}

fn play_on(hold_out: HoldOutTerms, attesters: u8) {
    let pool = 20_000;
    let weights = MasterWeights::new(base()).unwrap().to_bytes();
    for number in 0..CONTRIBUTORS {
        let who = signed(&contributor(number));
        assert_ok!(Contribution::register(who, Roles::CONTRIBUTOR, 500));
    }
    for number in 0..attesters {
        let who = signed(&attester(number));
        assert_ok!(Contribution::register(who.clone(), Roles::ATTESTER, STAKE));
        let tasks = vec![TASK].try_into().unwrap();
        assert_ok!(Contribution::offer(who, u8::MAX, u64::MAX, true, tasks));
    }
    assert_ok!(Contribution::open_task(
        signed(&sponsor()),
        Box::new(terms(hold_out)),
        graph().encode().try_into().unwrap(),
        weights.try_into().unwrap(),
        Default::default(),
        pool,
    ));
    for number in 0..CONTRIBUTORS {
        let who = contributor(number);
        let hash = Delta::hash_of(&delta(number).encode());
        let commitment = submission_commitment(TASK, ROUND, who.as_ref(), &hash, &SALT);
        assert_ok!(Contribution::commit(signed(&who), TASK, ROUND, commitment));
    }
    run_to(Phase::Reveal);
    for number in 0..CONTRIBUTORS {
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
    }
    run_to(Phase::AttestCommit);
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

/// The records of the entrants, as the chain keeps them.
fn entrants() -> Vec<EntrantRecord> {
    let submissions = Contribution::submissions(TASK, ROUND, 0).items.into_iter();
    let revealed = submissions.filter_map(|submission| submission.revealed);
    revealed.map(|revealed| revealed.record).collect()
}

/// A party that computes the round from what the chain knows and everybody can have.
fn honest() -> Agent {
    honest_on(Contribution::facts(TASK, ROUND).unwrap())
}

fn honest_on(facts: RoundFacts) -> Agent {
    Agent::new(player(facts))
}

fn player(facts: RoundFacts) -> Player {
    let held = samples(&facts.hold_out);
    let set = Samples::new(4, 2, held.records()).unwrap();
    let (records, deltas) = (entrants(), (0..CONTRIBUTORS).map(delta).collect::<Vec<_>>());
    let (_, table) = share_table(
        &mut Reference,
        &facts.graph,
        &base(),
        &set,
        &facts.half_seed,
        &entrants_of(&records, &deltas),
        &records
            .iter()
            .map(|record| record.delta_hash)
            .collect::<Vec<_>>(),
        &facts.terms,
    )
    .unwrap();
    assert_eq!(table.records, records);
    Player::new(facts, base(), held, deltas, table).unwrap()
}

fn lying(lie: Lie) -> Agent {
    let honest = player(Contribution::facts(TASK, ROUND).unwrap());
    Agent::new(Player::lying(honest, &mut Reference, lie).expect("something comes of it"))
}

/// The lie that a sample's loss after the merge is lower than it is.
fn flattering() -> Lie {
    Lie::Word {
        of: Side::Merged,
        sample: Contribution::facts(TASK, ROUND)
            .and_then(|facts| facts.sample(Half::B, 1))
            .unwrap(),
        op: graph().ops.len() as u32 - 1,
        at: 0,
        by: -999,
        carries: true,
    }
}

/// The table of `who`, if it can be disputed.
fn table_of(who: &AccountId) -> Option<TableSummary> {
    <Contribution as Court<AccountId>>::disputable(TASK, ROUND, who)
}

/// Whether the round settled on this agent's table.
fn is_settled_on(agent: &Agent) -> bool {
    let claim = agent.summary().claim(&agent.facts().base_root);
    round().settlement.unwrap().claim == claim
}

/// Everybody who has a seat and has not committed yet commits and reveals; the first `liars` of them attest the liar's table.
fn attest(honest: &Agent, liar: &Agent, liars: usize) -> Vec<AccountId> {
    let seats = round().seats.into_iter();
    let seats = seats.filter(|seat| seat.sits() && seat.commitment.is_none());
    let fresh: Vec<AccountId> = seats.map(|seat| seat.account).collect();
    let parts = || {
        let part = |(number, who)| (who, if number < liars { liar } else { honest });
        fresh.iter().enumerate().map(part)
    };
    let account = |who: &AccountId| -> [u8; 32] { who.clone().into() };
    for (who, part) in parts() {
        let work = work_root(&account(who), &part.table());
        let claim = part.summary().claim(&round().base_root);
        let commitment = attestation_commitment(TASK, ROUND, &account(who), &claim, &work, &SALT);
        let (who, inputs) = (signed(who), round().inputs(TASK, ROUND));
        assert_ok!(Contribution::commit_attestation(
            who, TASK, ROUND, commitment, inputs
        ));
    }
    run_to(Phase::AttestReveal);
    for (who, part) in parts() {
        let work = work_root(&account(who), &part.table());
        let (who, table) = (signed(who), Box::new(part.summary().clone()));
        assert_ok!(Contribution::reveal_attestation(
            who, TASK, ROUND, table, work, SALT
        ));
    }
    run_to(Phase::Challenge);
    let seed = round().audit_seed.unwrap();
    for (who, part) in parts() {
        let of = Audited {
            summary: part.summary(),
            samples: SAMPLES,
            entrants: CONTRIBUTORS.into(),
        };
        let asked = audits(&seed, &account(who), bounds::AUDITS, &of);
        let answers: Vec<AuditAnswer> = asked
            .iter()
            .map(|audit| AuditAnswer::of(audit, &account(who), &part.table()).unwrap())
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

fn accuse(who: &AccountId, part: &Agent, accused: &AccountId) -> DisputeId {
    let id = NextDispute::<Real>::get();
    let accusation = part.accuse(&table_of(accused).unwrap()).unwrap();
    assert_ok!(Referee::open(
        signed(who),
        TASK,
        ROUND,
        accused.clone(),
        accusation
    ));
    id
}

/// Plays a dispute to its end, one move in each block. A party that relies on samples other than the chain's is refused, and then
/// stays silent.
fn play(id: DisputeId, accused: &Agent, challenger: &Agent) -> Verdict {
    let may_be_refused = accused.facts() != challenger.facts();
    play_moves(id, accused, challenger, may_be_refused)
}

/// The same, for an accused that may have no answer that is accepted.
fn play_out(id: DisputeId, accused: &Agent, challenger: &Agent) -> Verdict {
    play_moves(id, accused, challenger, true)
}

fn play_moves(id: DisputeId, accused: &Agent, challenger: &Agent, may_be_refused: bool) -> Verdict {
    while let Some(now) = Referee::dispute(id) {
        if now.awaits_answer {
            if let Some(answer) = accused.answer(&now.trial) {
                let who = signed(&now.accused);
                let taken = Referee::answer(who, id, Box::new(answer));
                assert!(taken.is_ok() || may_be_refused, "{taken:?}");
            }
        } else if let Some(pick) = challenger.pick(&now.table, &now.trial) {
            assert_ok!(Referee::pick(signed(&now.challenger), id, pick));
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
        assert!(is_settled_on(&honest));
        let fee_of = |who: &AccountId| {
            let seats = round().seats.into_iter();
            seats
                .filter(|seat| seat.account == *who)
                .map(|seat| seat.fee)
                .sum::<Balance>()
        };
        assert_eq!(fee_of(&seats[0]), 0);
        // To the last planck.
        let [one, other] = [fee_of(&seats[1]), fee_of(&seats[2])];
        assert!(one > 0 && one.abs_diff(other) <= 1);
        assert_eq!(one + other, round().settlement.unwrap().fees);
        // What the round owes is paid by the honest table.
        let item = ClaimItem {
            task: TASK,
            round: ROUND,
            proof: honest.table().prove_credit(0),
        };
        let before = change(&contributor(0));
        let claimed = Contribution::claim(signed(&contributor(0)), vec![item].try_into().unwrap());
        assert_ok!(claimed);
        assert!(change(&contributor(0)) > before);
    });
}

#[test]
fn who_lies_about_drawn_samples_is_convicted() {
    // The second layer, because its weights are zeros; the last op reads the sample.
    let ops = graph().ops.len() as u32;
    for op in ops - 3..ops {
        execute(|| {
            play_on(drawn(), 6);
            let facts = Contribution::facts(TASK, ROUND).unwrap();
            let lie = Lie::Word {
                of: Side::Merged,
                sample: facts.sample(Half::B, 5).unwrap(),
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
                Verdict::Refuted(Step::Loss(step))
                    if step.op == op && Some(step.sample) == facts.sample(Half::B, 5)
            );
            assert!(is_found, "{verdict:?}");
            run_to_end();
            assert_eq!(outcome(), Some(Outcome::Settled));
            assert!(is_settled_on(&honest));
        });
    }
}

/// One of every kind of lie about a table, each told to a chain that has the round.
#[test]
fn every_kind_of_lie_is_convicted_and_the_round_settles() {
    let (stage, group, entrant, position) = (Stage::Pay, 2, 0, 22);
    let of = PartOf {
        stage,
        entrant,
        group,
    };
    let model = Model::Merged;
    let backward = |sample| Lie::Backward {
        stage,
        group,
        position,
        word: backward::Lie {
            sample,
            // The logits.
            stage: graph().ops.len() as u32 - 2,
            at: 0,
            by: 400,
            carries: true,
        },
    };
    let lies = |facts: &RoundFacts| {
        [
            Lie::Part { of, by: 1 << 10 },
            Lie::Gradient {
                stage,
                group,
                position,
                by: 1,
            },
            backward(facts.group(stage, group).unwrap()[0]),
            Lie::Weight {
                of: model,
                position,
                by: 1,
            },
            Lie::Term {
                of: model,
                position,
                entrant,
                by: 1,
            },
            flattering(),
            Lie::Losses { half: Half::A },
        ]
    };
    for hold_out in [sealed(), drawn()] {
        for number in 0..7 {
            execute(|| {
                play_on(hold_out, 6);
                let lie = lies(&Contribution::facts(TASK, ROUND).unwrap())[number];
                let (honest, liar) = (honest(), lying(lie));
                let seats = attest(&honest, &liar, 1);
                let of_the_honest = accuse(&outsider(), &honest, &seats[0]);
                let verdict = play_out(of_the_honest, &liar, &honest);
                assert!(verdict.convicts(), "{lie:?}: {verdict:?}");
                assert_eq!(seat_state(&seats[0]), SeatState::Convicted);
                run_to_end();
                assert_eq!(outcome(), Some(Outcome::Settled), "{lie:?}");
                assert!(is_settled_on(&honest));
            });
        }
    }
}

/// A table that is right for samples that were not drawn: those of the luckier seed.
#[test]
fn who_scores_other_samples_of_the_pool_is_convicted() {
    execute(|| {
        play_on(drawn(), 6);
        let honest = honest();
        let mut facts = honest.facts();
        if let HoldOut::Drawn { seed, .. } = &mut facts.hold_out {
            seed[0] ^= 1;
        }
        let lucky = honest_on(facts);
        assert_ne!(lucky.summary(), honest.summary());
        let seats = attest(&honest, &lucky, 1);
        let of_the_lucky = accuse(&outsider(), &honest, &seats[0]);
        let of_the_honest = accuse(&account(51), &lucky, &seats[1]);
        // A challenger that compares an honest table with other samples finds nothing wrong.
        assert_eq!(play(of_the_honest, &honest, &lucky), Verdict::Upheld);
        // An attester that defends them has no record to show that leads to its losses.
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
        assert!(is_settled_on(&honest));
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
        // Everybody moves at the last moment.
        while let Some(now) = Referee::dispute(id) {
            if now.deadline == System::block_number() {
                if now.awaits_answer {
                    let answer = Box::new(honest.answer(&now.trial).unwrap());
                    assert_ok!(Referee::answer(signed(&seats[0]), id, answer));
                } else {
                    let pick = liar.pick(&now.table, &now.trial).unwrap();
                    assert_ok!(Referee::pick(signed(&outsider()), id, pick));
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
        // The window is over, so the round ends at once.
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
            let rows = Accusation::Rows(Stage::Pass(0));
            Referee::open(signed(&outsider()), TASK, ROUND, accused.clone(), rows)
        };
        let not = || crate::Error::<Real>::NotDisputable;
        assert_noop!(open(&sitting()[0]), not());
        let seats = attest(&honest, &liar, 1);
        // An account without a seat has no table.
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
            let rows = Accusation::Rows(Stage::Pass(0));
            assert_ok!(Referee::open(friend, TASK, ROUND, seats[1].clone(), rows));
        }
        let refused = Referee::open(
            signed(&outsider()),
            TASK,
            ROUND,
            seats[0].clone(),
            Accusation::Losses(Half::B),
        );
        assert_noop!(refused, crate::Error::<Real>::TooManyDisputes);
        let window = round().ends_at;
        while System::block_number() < window - 1 {
            next_block();
            for id in (0..u32::from(most)).map(DisputeId) {
                let Some(now) = Referee::dispute(id) else {
                    continue;
                };
                if now.deadline == System::block_number() && now.awaits_answer {
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
        assert!(is_settled_on(&honest));
    });
}
