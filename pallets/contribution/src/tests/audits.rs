//! Audits: attesters that did the work can answer them, and others cannot.

use super::lab::*;
use crate::{
    mock::*,
    rounds::{Draw, Round},
    Error, Event, HoldReason, Rounds, SlashReason,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use gotong_protocol::{bounds, AuditAnswer, Outcome, Phase, RoundId, SeatState, TaskId};
use gotong_scoring::{blake2_256, share::work::AuditedEntrant, Audited};

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);

/// A task with one contributor and this many attesters, who may attest now.
fn attesting(attesters: u8) -> Lab {
    let mut lab = Lab::default();
    register(1, attesters);
    lab.open();
    lab.play_to_attestation(TASK, 1);
    lab
}

fn staked(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Stake.into(), who)
}

/// How often `who` was slashed for its audits, according to these events.
fn slashes(who: &AccountId, events: &[Event<Test>]) -> usize {
    let slashed = Event::Slashed {
        who: who.clone(),
        amount: MissedAuditSlash::get(),
        reason: SlashReason::MissedAudit,
    };
    events.iter().filter(|event| **event == slashed).count()
}

#[test]
fn audits_are_answered_once_and_in_time() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(4);
        let score = lab.score(TASK);
        let sits = |who: &AccountId| current(TASK).seats.iter().any(|seat| seat.account == *who);
        let (drawn, others): (Vec<_>, Vec<_>) = (0..4).map(attester).partition(|who| sits(who));
        let who = &drawn[0];
        assert_noop!(
            send_answers(who, TASK, vec![]),
            Error::<Test>::NotInChallengePhase
        );
        let absent = drawn[2].clone();
        attest(TASK, |who| (*who != absent).then(|| score.clone()));
        let own = answers(who, TASK, &score);
        assert_eq!(own.len() as u32, bounds::AUDITS);
        assert_noop!(
            send_answers(&others[0], TASK, own.clone()),
            Error::<Test>::NotDrawn
        );
        assert_noop!(
            send_answers(&absent, TASK, own.clone()),
            Error::<Test>::SeatLost
        );
        for few in [0, 3] {
            assert_noop!(
                send_answers(who, TASK, own[..few].to_vec()),
                Error::<Test>::AuditsMissing
            );
        }
        assert_ok!(send_answers(who, TASK, own.clone()));
        let audited = Event::Audited {
            task: TASK,
            round: FIRST,
            who: who.clone(),
        };
        assert!(events().contains(&audited));
        assert_noop!(send_answers(who, TASK, own), Error::<Test>::AlreadyAudited);
        // The window is over, whether or not the hook has seen it.
        System::set_block_number(current(TASK).ends_at);
        assert_noop!(
            answer_audits(&drawn[1], TASK, &score),
            Error::<Test>::NotInChallengePhase
        );
    });
}

#[test]
fn answers_to_other_audits_are_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        lab.play_to_attestation(TASK, 2);
        Seed::set(1);
        let score = lab.play_to_challenge(TASK);
        let who = attester(0);
        let own = answers(&who, TASK, &score);
        let refused = |change: &dyn Fn(&mut Vec<AuditAnswer>), error: Error<Test>| {
            let mut other = own.clone();
            change(&mut other);
            assert_noop!(send_answers(&who, TASK, other), error);
        };
        // A seed that draws two different samples, and two different rows.
        let differs = |of: fn(&AuditAnswer) -> u32| {
            (1..own.len()).find(|other| of(&own[*other]) != of(&own[0]))
        };
        let by_sample = differs(|answer| answer.sample.as_ref().unwrap().work.index).unwrap();
        refused(&|all| all.swap(0, by_sample), Error::AuditOtherWork);
        let row = |answer: &AuditAnswer| answer.entrant.table.as_ref().unwrap().1.index;
        let by_row = differs(row).unwrap();
        refused(
            &|all| all[0].entrant = all[by_row].entrant.clone(),
            Error::AuditOtherWork,
        );
        refused(
            &|all| all[0].entrant.table = all[by_row].entrant.table.clone(),
            Error::AuditOtherTable,
        );
        refused(&|all| all[0].entrant.table = None, Error::AuditOtherTable);
        refused(
            &|all| all[0].entrant.rows[0].delta_hash[0] ^= 1,
            Error::AuditOtherWork,
        );
        refused(
            &|all| all[0].sample.as_mut().unwrap().losses[0] ^= 1,
            Error::AuditOtherWork,
        );
        refused(
            &|all| all[0].sample.as_mut().unwrap().table[0].tile[0] ^= 1,
            Error::AuditWorkDiffers,
        );
        refused(&|all| all[0].sample = None, Error::AuditWorkDiffers);
        assert_ok!(send_answers(&who, TASK, own));
    });
}

#[test]
fn each_seat_and_each_challenge_has_audits_of_its_own() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        assert_eq!(current(TASK).audit_seed, None);
        let summary = lab.play_to_challenge(TASK).table.summary();
        let seed = current(TASK).audit_seed.unwrap();
        let of = Audited {
            summary: &summary,
            samples: SAMPLES,
            entrants: 1,
        };
        let asked = |number, seed| {
            let account = attester(number).into();
            gotong_scoring::audits(&seed, &account, bounds::AUDITS, &of)
        };
        assert_ne!(asked(0, seed), asked(1, seed));
        // The next challenge draws again.
        let mut draw = Draw::default();
        draw.mix(&[1]);
        assert_ne!(asked(0, seed), asked(0, draw.seed(b"gotong:audits")));
    });
}

#[test]
fn a_copied_attestation_cannot_be_revealed_and_copied_work_not_be_audited() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let score = lab.score(TASK);
        let (honest, parrot, copier) = (attester(0), attester(1), attester(2));
        let work = own_work(&honest, &score);
        assert_ok!(commit_attestation(&honest, TASK, &score));
        let seen = current(TASK).seat_mut(&honest).unwrap().commitment.unwrap();
        assert_ok!(Contribution::commit_attestation(
            signed(&parrot),
            TASK,
            FIRST,
            seen,
            current(TASK).inputs(TASK, FIRST)
        ));
        // Somebody told it the table and the root before anybody had to show them.
        assert_ok!(commit_table(&copier, TASK, &score.table, &work));
        run_to_phase(TASK, Phase::AttestReveal);
        assert_ok!(reveal_attestation(&honest, TASK, &score));
        assert_noop!(
            reveal_table(&parrot, TASK, &score.table, &work),
            Error::<Test>::CommitmentMismatch
        );
        assert_ok!(reveal_table(&copier, TASK, &score.table, &work));
        run_to_phase(TASK, Phase::Challenge);
        let shown = answers(&honest, TASK, &score);
        assert_ok!(send_answers(&honest, TASK, shown.clone()));
        assert_noop!(
            send_answers(&copier, TASK, shown),
            Error::<Test>::AuditOtherWork
        );
        // Not even with all of the other attester's evaluations.
        assert_noop!(
            answer_audits(&copier, TASK, &score),
            Error::<Test>::AuditOtherWork
        );
        events();
        run_blocks(3);
        assert_eq!(slashes(&copier, &events()), 1);
        assert_eq!(staked(&copier), 300);
        let states = states(TASK, FIRST);
        assert_eq!(states[&honest], SeatState::Sitting);
        assert_eq!(states[&parrot], SeatState::Missed);
        assert_eq!(states[&copier], SeatState::Unaudited);
    });
}

/// Tries the answers of an attester with the work `own` and the table `truth` under this many seeds, and returns how often it is
/// caught.
fn caught(who: &AccountId, own: &Score, truth: &Score, trials: u32) -> u32 {
    let with_round = |change: &dyn Fn(&mut Round<AccountId>)| {
        Rounds::<Test>::mutate(TASK, FIRST, |round| change(round.as_mut().unwrap()));
    };
    let caught = |trial: &u32| {
        with_round(&|round| {
            round.audit_seed = Some(blake2_256(&[&trial.to_le_bytes()]));
            round.seat_mut(who).unwrap().audited = false;
        });
        // It has everything that others have shown of the table and, of its own work, what it committed to.
        let shown = answers(who, TASK, truth).into_iter();
        let mixed = shown.zip(answers(who, TASK, own)).map(|(mut shown, own)| {
            if let (Some(shown), Some(own)) = (&mut shown.sample, own.sample) {
                (shown.losses, shown.work) = (own.losses, own.work);
            }
            let AuditedEntrant { rows, work, .. } = own.entrant;
            (shown.entrant.rows, shown.entrant.work) = (rows, work);
            shown
        });
        match send_answers(who, TASK, mixed.collect()) {
            Ok(()) => false,
            Err(error) => {
                let differs = [Error::AuditWorkDiffers, Error::<Test>::AuditOtherTable];
                assert!(differs.map(Into::into).contains(&error), "{error:?}");
                true
            }
        }
    };
    (0..trials).filter(caught).count() as u32
}

/// An account that evaluated `m` of `n` samples is caught by `k` audits with a chance of
/// `1 - (m / n)^k`.
#[test]
fn the_lazy_are_caught_as_often_as_chance_says() {
    const TRIALS: u32 = 400;
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let truth = lab.score(TASK);
        let lazy = |evaluated: usize| {
            let mut own = truth.clone();
            let merge = own.table.merge.as_mut().unwrap();
            let pay = merge.pay.as_mut().unwrap();
            for losses in merge.on_a.iter_mut().chain(&mut pay.on_b) {
                losses[evaluated / 2..].fill(0);
            }
            own
        };
        let evaluated = [32, 48, 56];
        for (number, evaluated) in (0..).zip(evaluated) {
            let work = own_work(&attester(number), &lazy(evaluated));
            assert_ok!(commit_table(&attester(number), TASK, &truth.table, &work));
        }
        run_to_phase(TASK, Phase::AttestReveal);
        for (number, evaluated) in (0..).zip(evaluated) {
            let work = own_work(&attester(number), &lazy(evaluated));
            assert_ok!(reveal_table(&attester(number), TASK, &truth.table, &work));
        }
        run_to_phase(TASK, Phase::Challenge);
        for (number, evaluated) in (0..).zip(evaluated) {
            let caught = caught(&attester(number), &lazy(evaluated), &truth, TRIALS);
            let missed = (evaluated as f64 / f64::from(SAMPLES)).powi(bounds::AUDITS as i32);
            let expected = f64::from(TRIALS) * (1.0 - missed);
            // Three standard deviations are at most 30 of 400.
            assert!(
                (f64::from(caught) - expected).abs() < 30.0,
                "{caught} of {expected}"
            );
        }
    });
}

#[test]
fn work_on_other_weights_does_not_pass_for_the_table() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let truth = lab.score(TASK);
        let mut other = Lab::default();
        other.weights[22] = 3_000;
        other.delta(0);
        let wrong = other.score(TASK);
        assert_ne!(wrong.table.merge, truth.table.merge);
        let (pretender, mistaken) = (attester(1), attester(2));
        let work = own_work(&pretender, &wrong);
        assert_ok!(commit_attestation(&attester(0), TASK, &truth));
        assert_ok!(commit_table(&pretender, TASK, &truth.table, &work));
        assert_ok!(commit_attestation(&mistaken, TASK, &wrong));
        run_to_phase(TASK, Phase::AttestReveal);
        assert_ok!(reveal_attestation(&attester(0), TASK, &truth));
        assert_ok!(reveal_table(&pretender, TASK, &truth.table, &work));
        assert_ok!(reveal_attestation(&mistaken, TASK, &wrong));
        run_to_phase(TASK, Phase::Challenge);
        assert_eq!(caught(&pretender, &wrong, &truth, 1), 1);
        // An attester with a wrong table of its own has the work for it. Only a dispute can find that out.
        audit(TASK, |who| match *who == mistaken {
            true => Some(wrong.clone()),
            false => (*who == attester(0)).then(|| truth.clone()),
        });
        run_blocks(3);
        let round = Rounds::<Test>::get(TASK, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Disputed));
        assert_eq!(states(TASK, FIRST)[&pretender], SeatState::Unaudited);
    });
}

#[test]
fn who_answers_no_audits_is_put_out_slashed_once_and_not_paid() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let score = lab.play_to_challenge(TASK);
        let silent = attester(1);
        audit(TASK, |who| (*who != silent).then(|| score.clone()));
        let issuance = Balances::total_issuance();
        events();
        run_blocks(3);
        assert_eq!(slashes(&silent, &events()), 1);
        assert_eq!(staked(&silent), 300);
        assert_eq!(Balances::total_issuance(), issuance - 200);
        let round = Rounds::<Test>::get(TASK, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        let fees = round.settlement.unwrap().fees;
        for seat in &round.seats {
            assert_eq!(seat.fee > 0, seat.account != silent);
        }
        let paid: Balance = round.seats.iter().map(|seat| seat.fee).sum();
        assert_eq!(paid, fees);
    });
}
