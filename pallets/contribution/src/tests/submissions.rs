use super::lab::*;
use crate::{mock::*, Error, Event, HoldReason, SlashReason, Submissions};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use gotong_protocol::{Delta, Outcome, Phase, Roles, RoundId, TaskId};

fn deposit(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::CommitDeposit.into(), who)
}

#[test]
fn only_registered_contributors_with_stake_commit() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        let delta = lab.delta(0);
        register(1, 1);
        let mut terms = lab.terms();
        terms.minimum_contributor_stake = 600;
        assert_ok!(lab.open_with(terms, POOL));
        let id = TaskId(0);
        assert_noop!(
            commit(&account(50), id, &delta),
            Error::<Test>::NotRegistered
        );
        assert_noop!(commit(&attester(0), id, &delta), Error::<Test>::WrongRole);
        let who = contributor(0);
        assert_noop!(commit(&who, id, &delta), Error::<Test>::StakeTooLow);
        assert_ok!(Contribution::add_stake(signed(&who), 100));
        assert_ok!(commit(&who, id, &delta));
        assert_eq!(deposit(&who), 50);

        let leaver = contributor(1);
        assert_ok!(Contribution::register(
            signed(&leaver),
            Roles::CONTRIBUTOR,
            700
        ));
        assert_ok!(Contribution::unstake(signed(&leaver), 700));
        assert_noop!(commit(&leaver, id, &delta), Error::<Test>::StakeTooLow);
        assert_ok!(Contribution::register(signed(&sponsor()), Roles::BOTH, 700));
        assert_noop!(
            commit(&sponsor(), id, &delta),
            Error::<Test>::SponsorMayNotContribute
        );
    });
}

#[test]
fn commits_to_other_tasks_rounds_and_phases_are_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let who = contributor(0);
        let at = |task, round| Contribution::commit(signed(&who), task, round, [1; 32]);
        assert_noop!(at(TaskId(7), RoundId(0)), Error::<Test>::NoSuchTask);
        assert_noop!(at(id, RoundId(1)), Error::<Test>::RoundNotCurrent);
        assert_ok!(at(id, RoundId(0)));
        assert_noop!(at(id, RoundId(0)), Error::<Test>::AlreadyCommitted);
        run_to_phase(id, Phase::Reveal);
        assert_noop!(
            commit(&contributor(1), id, &lab.delta(1)),
            Error::<Test>::NotInCommitPhase
        );
    });
}

#[test]
fn a_commit_without_money_for_the_deposit_is_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let id = lab.open();
        let who = contributor(0);
        let all = ENDOWMENT - 20;
        assert_ok!(Contribution::register(
            signed(&who),
            Roles::CONTRIBUTOR,
            all
        ));
        assert_noop!(commit(&who, id, &[1]), Error::<Test>::FundsTooLow);
    });
}

#[test]
fn a_round_holds_so_many_submissions() {
    ExtBuilder::default().build_and_execute(|| {
        register(1, 0);
        let id = Lab::default().open();
        let mut round = current(id);
        round.commits = 1_024;
        crate::rounds::Rounds::<Test>::put(id, RoundId(0), &round);
        assert_noop!(
            commit(&contributor(0), id, &[1]),
            Error::<Test>::TooManySubmissions
        );
        round.commits = 0;
        crate::rounds::Rounds::<Test>::put(id, RoundId(0), &round);
    });
}

/// A round of longer deltas has fewer places, and half as many for newcomers.
#[test]
fn long_deltas_have_fewer_places() {
    ExtBuilder::default().build().execute_with(|| {
        register(1, 0);
        let id = Lab::default().open();
        crate::Tasks::<Test>::mutate_extant(id, |task| task.terms.delta_bytes = 192 << 10);
        let taken = |commits, newcomers| {
            crate::Rounds::<Test>::mutate(id, RoundId(0), |round| {
                let round = round.as_mut().unwrap();
                (round.commits, round.newcomers) = (commits, newcomers);
            });
        };
        let join = || commit(&contributor(0), id, &[1]);
        taken(341, 0);
        assert_noop!(join(), Error::<Test>::TooManySubmissions);
        taken(340, 170);
        assert_noop!(join(), Error::<Test>::TooManyNewcomers);
        taken(340, 169);
        assert_ok!(join());
    });
}

#[test]
fn a_delta_is_as_long_as_the_task_takes() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        let delta = lab.delta(0);
        register(1, 3);
        let mut terms = lab.terms();
        terms.delta_bytes = 4_096;
        assert_ok!(lab.open_with(terms, POOL));
        let (id, long) = (TaskId(0), vec![0; 4_097]);
        assert!(delta.len() <= 4_096);
        assert_ok!(commit(&contributor(0), id, &long));
        run_to_phase(id, Phase::Reveal);
        assert_noop!(
            reveal(&contributor(0), id, &long),
            Error::<Test>::DeltaTooLong
        );
    });
}

#[test]
fn the_weight_is_the_capped_stake() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let mut terms = lab.terms();
        terms.weight_cap = 3_000;
        assert_ok!(lab.open_with(terms, POOL));
        let id = TaskId(0);
        for (number, stake, weight) in [(0, 109, 10), (1, 3_000, 300), (2, 50_000, 300)] {
            let who = contributor(number);
            let origin = signed(&who);
            assert_ok!(Contribution::register(origin, Roles::CONTRIBUTOR, stake));
            assert_ok!(commit(&who, id, &[number]));
            let submission = Submissions::<Test>::get((id, RoundId(0)), who).unwrap();
            assert_eq!((submission.weight, submission.is_proven), (weight, false));
            assert_eq!(submission.index, u32::from(number));
        }
    });
}

#[test]
fn a_reveal_gives_the_deposit_back() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let delta = lab.delta(0);
        let who = contributor(0);
        assert_ok!(commit(&who, id, &delta));
        assert_noop!(reveal(&who, id, &delta), Error::<Test>::NotInRevealPhase);
        run_to_phase(id, Phase::Reveal);
        assert_noop!(
            reveal(&contributor(1), id, &delta),
            Error::<Test>::NoCommitment
        );
        assert_noop!(
            reveal(&who, id, &lab.delta(1)),
            Error::<Test>::CommitmentMismatch
        );
        let bytes = crate::DeltaBytes::try_from(delta.clone()).unwrap();
        let other_salt = [9; 32];
        assert_noop!(
            Contribution::reveal(signed(&who), id, RoundId(0), bytes.clone(), other_salt),
            Error::<Test>::CommitmentMismatch
        );
        assert_noop!(
            Contribution::reveal(signed(&who), id, RoundId(1), bytes, SALT),
            Error::<Test>::RoundNotCurrent
        );
        assert_ok!(reveal(&who, id, &delta));
        assert_eq!(deposit(&who), 0);
        assert_noop!(reveal(&who, id, &delta), Error::<Test>::AlreadyRevealed);
    });
}

#[test]
fn malformed_deltas_are_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(6, 3);
        let id = lab.open();
        let good = lab.delta(0);
        let mut trailing = good.clone();
        trailing.push(0);
        let truncated = good[..good.len() - 1].to_vec();
        let foreign = {
            use gotong_scoring::{Delta, Entry};
            let entry = Entry {
                position: 40_000,
                change: 1,
            };
            Delta::new(50_000, vec![entry]).unwrap().encode()
        };
        let bad = [trailing, truncated, foreign, vec![], vec![255; 65_536]];
        for (number, bytes) in bad.iter().enumerate() {
            assert_ok!(commit(&contributor(number as u8), id, bytes));
        }
        run_to_phase(id, Phase::Reveal);
        for (number, bytes) in bad.iter().enumerate() {
            assert_noop!(
                reveal(&contributor(number as u8), id, bytes),
                Error::<Test>::DeltaMalformed
            );
        }
    });
}

#[test]
fn a_plagiarised_delta_is_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let (author, copier) = (contributor(0), contributor(1));
        let delta = lab.delta(0);
        assert_ok!(commit(&author, id, &delta));
        // The copied commitment itself cannot be opened by another account.
        let theirs = Submissions::<Test>::get((id, RoundId(0)), &author)
            .unwrap()
            .commitment;
        assert_ok!(Contribution::commit(
            signed(&copier),
            id,
            RoundId(0),
            theirs
        ));
        run_to_phase(id, Phase::Reveal);
        assert_ok!(reveal(&author, id, &delta));
        assert_noop!(
            reveal(&copier, id, &delta),
            Error::<Test>::CommitmentMismatch
        );
    });
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let delta = lab.delta(0);
        assert_ok!(commit(&contributor(0), id, &delta));
        assert_ok!(commit(&contributor(1), id, &delta));
        run_to_phase(id, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), id, &delta));
        assert_noop!(
            reveal(&contributor(1), id, &delta),
            Error::<Test>::DeltaOfAnother
        );
    });
}

/// This holds even if the round in which it was first revealed came to nothing.
#[test]
fn a_delta_keeps_its_author_over_all_rounds_of_a_task() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let (id, other) = (lab.open(), lab.open());
        let (author, stranger) = (contributor(0), contributor(1));
        let delta = lab.delta(2);
        lab.submit(id, &[(author.clone(), delta.clone())]);
        assert_eq!(lab.finish(id).merge, None);
        for who in [&author, &stranger] {
            assert_ok!(commit(who, id, &delta));
        }
        run_to_phase(id, Phase::Reveal);
        assert_noop!(reveal(&stranger, id, &delta), Error::<Test>::DeltaOfAnother);
        assert_ok!(reveal(&author, id, &delta));
        assert_eq!(current(id).reveals, 1);
        // Another task is another matter.
        assert_ok!(commit(&stranger, other, &delta));
        run_to_phase(other, Phase::Reveal);
        assert_ok!(reveal(&stranger, other, &delta));
    });
}

#[test]
fn what_an_account_revealed_is_a_list_from_the_first_that_it_has_not_claimed() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let who = contributor(0);
        let list = || {
            let account = ledger(id, &who);
            let next = (0..3).map_while(|round| {
                let one = Submissions::<Test>::get((id, RoundId(round)), &who);
                one.map(|one| one.next)
            });
            (account.next, account.last, next.collect::<Vec<_>>())
        };
        assert_eq!(list(), (None, RoundId(0), vec![]));
        let first = lab.play(id, 2);
        assert_eq!(list(), (Some(RoundId(0)), RoundId(0), vec![None]));
        lab.play(id, 2);
        let linked = vec![Some(RoundId(1)), None];
        assert_eq!(list(), (Some(RoundId(0)), RoundId(1), linked.clone()));
        assert_ok!(claim(&who, id, RoundId(0), &first, 0));
        assert_eq!(list(), (Some(RoundId(1)), RoundId(1), linked));
    });
}

#[test]
fn an_unrevealed_commit_costs_the_deposit() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        for number in 0..2 {
            assert_ok!(commit(&contributor(number), id, &lab.delta(number)));
        }
        run_to_phase(id, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        run_blocks(3);
        assert_ok!(lab.publish(id));
        assert_ok!(reveal(&contributor(1), id, &lab.delta(1)));
        assert_eq!(current(id).reveals, 1);
        let issuance = Balances::total_issuance();
        run_to_phase(id, Phase::AttestCommit);
        assert_eq!(Balances::total_issuance(), issuance - 50);
        assert_eq!(Balances::free_balance(contributor(1)), ENDOWMENT - 500 - 50);
        assert!(events().contains(&Event::Slashed {
            who: contributor(1),
            amount: 50,
            reason: SlashReason::UnrevealedCommit,
        }));
    });
}

/// A crowd of new accounts leaves half of the places to those who have proved something.
#[test]
fn newcomers_do_not_take_all_places() {
    ExtBuilder::default().build().execute_with(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        crate::Rounds::<Test>::mutate(id, RoundId(0), |round| {
            if let Some(round) = round {
                round.newcomers = 511;
            }
        });
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        assert_noop!(
            commit(&contributor(1), id, &lab.delta(1)),
            Error::<Test>::TooManyNewcomers
        );
        let proven = crate::ledgers::Account {
            ledger: gotong_protocol::Ledger {
                sum: 1,
                ..Default::default()
            },
            ..Default::default()
        };
        crate::Ledgers::<Test>::insert(id, contributor(1), proven);
        assert_ok!(commit(&contributor(1), id, &lab.delta(1)));
    });
}

/// A delta that comes too late is not scored, but everybody can read it. So it still belongs to its author: nobody else can reveal
/// it in the next round.
#[test]
fn what_is_revealed_late_keeps_its_author() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 3);
        let id = lab.open();
        let (late, thief) = (contributor(1), contributor(2));
        let delta = lab.delta(1);
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        assert_ok!(commit(&late, id, &delta));
        // Nothing is revealed while others may still commit.
        assert_noop!(reveal(&late, id, &delta), Error::<Test>::NotInRevealPhase);
        run_to_phase(id, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        run_blocks(3);
        assert_ok!(lab.publish(id));
        events();
        assert_noop!(
            reveal(&late, id, &lab.delta(2)),
            Error::<Test>::CommitmentMismatch
        );
        assert_ok!(reveal(&late, id, &delta));
        let told = Event::RevealedLate {
            task: id,
            round: RoundId(0),
            who: late.clone(),
            delta_hash: Delta::hash_of(&delta),
        };
        assert_eq!(events(), [told]);
        assert_noop!(reveal(&late, id, &delta), Error::<Test>::RevealTooLate);
        assert_eq!(submission(id, RoundId(0), &late).revealed, None);
        assert_eq!(ledger(id, &late).next, None);
        run_to_phase(id, Phase::AttestCommit);
        lab.finish(id);
        // The deposit is lost, as for everybody who did not reveal in time.
        assert_eq!(submission(id, RoundId(0), &late).deposit, 0);
        for who in [&late, &thief] {
            assert_ok!(commit(who, id, &delta));
        }
        run_to_phase(id, Phase::Reveal);
        assert_noop!(reveal(&thief, id, &delta), Error::<Test>::DeltaOfAnother);
        assert_ok!(reveal(&late, id, &delta));
        assert_eq!(current(id).reveals, 1);
    });
}

/// So does one whose transaction comes after the phase, or after the round.
#[test]
fn the_author_is_kept_whenever_it_reveals() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 3);
        let id = lab.open();
        for number in 0..3 {
            assert_ok!(commit(&contributor(number), id, &lab.delta(number)));
        }
        run_to_phase(id, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        run_blocks(3);
        assert_ok!(lab.publish(id));
        run_to_phase(id, Phase::AttestCommit);
        assert_ok!(reveal(&contributor(1), id, &lab.delta(1)));
        lab.finish(id);
        assert_eq!(task(id).round, RoundId(1));
        let delta = lab.delta(2);
        let bytes: crate::DeltaBytes = delta.clone().try_into().unwrap();
        assert_ok!(Contribution::reveal(
            signed(&contributor(2)),
            id,
            RoundId(0),
            bytes,
            SALT
        ));
        for number in 1..3u8 {
            let hash = Delta::hash_of(&lab.delta(number));
            let author = crate::DeltaAuthors::<Test>::get(id, hash);
            assert_eq!(author, Some(contributor(number)));
        }
    });
}

#[test]
fn a_round_that_nobody_reveals_ends() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        run_to_phase(id, Phase::Reveal);
        run_blocks(3);
        // Half of the window is over, so no shard is needed, and nobody can make its sponsor need more time.
        assert_noop!(lab.publish(id), Error::<Test>::ShardTooEarly);
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        assert_eq!(current(id).reveals, 0);
        run_blocks(6);
        let round = crate::Rounds::<Test>::get(id, RoundId(0)).unwrap();
        assert_eq!(round.outcome, Some(Outcome::NoReveals));
        assert_eq!(task(id).round, RoundId(1));
        // Nobody saw the shard, and no bond is lost.
        assert_eq!(task(id).next_shard, 0);
        assert!(task(id).purse.bond > 0);
    });
}
