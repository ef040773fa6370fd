//! Several disputes at a time: of the same table, of the same round, of several rounds.

use super::lab::*;
use crate::{mock::*, weights::SubstrateWeight, Deadlines, Event, UnexpectedKind, WeightInfo};
use frame_support::{assert_ok, traits::Get};
use gotong_protocol::{dispute::Verdict, id::DisputeId, RoundId, TaskId};
use gotong_scoring::{share::Half, trial::Side};

/// Another seat, and another challenger.
fn other() -> AccountId {
    account(3)
}

fn second() -> AccountId {
    account(4)
}

fn verdict_events() -> Vec<(DisputeId, Verdict, Balance)> {
    let closed = events().into_iter().filter_map(|event| match event {
        Event::DisputeClosed {
            dispute,
            verdict,
            reward,
            ..
        } => Some((dispute, verdict, reward)),
        _ => None,
    });
    closed.collect()
}

#[test]
fn two_liars_of_a_round_are_convicted_by_turns() {
    let lab = Lab::get();
    let (honest, one) = (lab.honest(), lab.a_liar());
    let two = lab.try_lie(lab.off_by_one(Side::Base, Half::B)).unwrap();
    execute(|| {
        seat(ID, &[(accused(), &one), (other(), &two)]);
        let first = accuse(&challenger(), &honest, &accused());
        let then = accuse(&challenger(), &honest, &other());
        loop {
            let open = [(first, &one), (then, &two)];
            let mut open = open
                .into_iter()
                .filter(|(id, _)| get(*id).is_some())
                .peekable();
            if open.peek().is_none() {
                break;
            }
            for (id, liar) in open {
                assert!(step(id, liar, &honest));
            }
            next_block();
        }
        for id in [first, then] {
            assert!(matches!(verdict(id), Some(Verdict::Refuted(_))));
        }
        assert_eq!(change(&challenger()), 2 * REWARD);
        for liar in [accused(), other()] {
            assert_eq!(change(&liar), -(STAKE as i128));
        }
    });
}

#[test]
fn the_first_conviction_makes_the_others_moot() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &liar), (other(), &honest)]);
        let slow = accuse(&challenger(), &honest, &accused());
        let quick = accuse(&second(), &honest, &accused());
        // A dispute about another table continues.
        assert_ok!(open(&account(5), &other(), ROWS));
        events();
        let closed = play_alone(quick, &liar, &honest);
        assert_convicted(&accused(), &second());
        assert_eq!(verdict(slow), Some(Verdict::Moot));
        assert_eq!(change(&challenger()), 0);
        let told = [(quick, closed.verdict, STAKE / 2), (slow, Verdict::Moot, 0)];
        assert_eq!(verdict_events(), told);
        assert_eq!(open_disputes(), 1);
        assert!(get(DisputeId(2)).is_some());
        let deadlines: Vec<_> = Deadlines::<Test>::get()
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        assert_eq!(deadlines, [DisputeId(2)]);
    });
}

#[test]
fn who_loses_a_dispute_leaves_the_others_of_the_table_on() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &liar)]);
        // Somebody who is wrong about a liar: it accuses the rows, which are right.
        assert_ok!(open(&second(), &accused(), ROWS));
        let id = accuse(&challenger(), &honest, &accused());
        let wrong = DisputeId(0);
        while get(wrong).is_some() {
            // The liar answers. Its rows are honest, so nobody finds anything to pick.
            if !step(wrong, &liar, &honest) {
                break;
            }
        }
        let closed = play_alone(id, &liar, &honest);
        assert!(matches!(closed.verdict, Verdict::Refuted(_)));
        assert_eq!(verdict(wrong), Some(Verdict::Moot));

        let fresh = (TASK, RoundId(2));
        seat(fresh, &[(other(), &liar)]);
        let in_fresh = |who: &AccountId, accusation| {
            let who = signed(who);
            assert_ok!(Referee::open(who, TASK, RoundId(2), other(), accusation));
        };
        in_fresh(&second(), ROWS);
        in_fresh(&account(5), LOSSES);
        let (wrong, right) = (DisputeId(2), DisputeId(3));
        assert!(step(wrong, &liar, &honest));
        let mut last = 0;
        while get(wrong).is_some() {
            // The challenger of the rows is silent from here on.
            if get(right).is_some_and(|dispute| dispute.deadline == System::block_number()) {
                assert!(step(right, &liar, &honest));
                last = System::block_number();
            }
            next_block();
        }
        assert_eq!(verdict(wrong), Some(Verdict::Abandoned));
        assert!(last > 0 && get(right).is_some());
        let closed = play_alone(right, &liar, &honest);
        assert!(matches!(closed.verdict, Verdict::Refuted(_)));
    });
}

#[test]
fn the_window_of_a_full_round_stays_open() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &liar), (other(), &honest)]);
        let most = MaxDisputesPerRound::get();
        let end = System::block_number() + WINDOW;
        // The crowd keeps the honest challenger out, until the window would be over.
        for number in 0..most as u8 {
            assert_ok!(open(&account(20 + number), &other(), GRADIENTS));
        }
        while System::block_number() < end {
            for number in 0..most {
                if get(DisputeId(number)).is_some_and(|now| now.deadline == System::block_number())
                {
                    step(DisputeId(number), &honest, &liar);
                }
            }
            next_block();
        }
        assert!(open(&challenger(), &accused(), LOSSES).is_err());
        assert_eq!(open_disputes() as u32, most);
        next_block();
        let freed = System::block_number();
        assert_eq!(open_disputes() as u32, most - MaxTimeOutsPerBlock::get());
        assert_eq!(Rounds::get()[&ID].window_ends, freed + MoveBlocks::get());
        let id = accuse(&challenger(), &honest, &accused());
        assert!(play_alone(id, &liar, &honest).verdict.convicts());
        assert_eq!(change(&challenger()), REWARD);
    });
}

#[test]
fn the_window_of_a_round_with_room_does_not() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &honest)]);
        let end = Rounds::get()[&ID].window_ends;
        for number in 0..MaxDisputesPerRound::get() as u8 - 1 {
            assert_ok!(open(&account(20 + number), &accused(), LOSSES));
        }
        for number in 0..MaxDisputesPerRound::get() - 1 {
            play_alone(DisputeId(number), &honest, &liar);
        }
        assert_eq!(open_disputes(), 0);
        assert_eq!(Rounds::get()[&ID].window_ends, end);
    });
}

#[test]
fn a_full_house_times_out_over_several_blocks() {
    let honest = Lab::get().honest();
    execute(|| {
        let (most, rounds) = (MaxDisputesPerRound::get(), MaxLiveRounds::get());
        for round in 0..rounds {
            let tables: Vec<_> = (0..most as u8)
                .map(|seat| (account(30 + seat), &honest))
                .collect();
            seat((TASK, RoundId(round)), &tables);
            for (number, (who, _)) in (10..).zip(&tables) {
                let challenger = signed(&account(number));
                let opened = Referee::open(challenger, TASK, RoundId(round), who.clone(), ROWS);
                assert_ok!(opened);
            }
        }
        let mut open = most * rounds;
        assert_eq!(Deadlines::<Test>::get().len() as u32, open);
        assert!(Deadlines::<Test>::get().is_full());
        run_blocks(MoveBlocks::get());
        let look = SubstrateWeight::<Test>::look();
        let each = SubstrateWeight::<Test>::end(1);
        let at_once = MaxTimeOutsPerBlock::get();
        while open > 0 {
            assert_eq!(next_block(), look + each * u64::from(at_once));
            open -= at_once;
            assert_eq!(Deadlines::<Test>::get().len() as u32, open);
            check();
        }
        assert_eq!(next_block(), look);
        assert!(System::block_number() <= 1 + crate::LongestDispute::<Test>::get());
    });
}

#[test]
fn a_time_out_costs_as_many_ends_as_there_are() {
    let honest = Lab::get().honest();
    execute(|| {
        seat(ID, &[(accused(), &honest)]);
        for number in 0..7 {
            assert_ok!(open(&account(20 + number), &accused(), ROWS));
        }
        run_blocks(MoveBlocks::get());
        // Silence in one dispute is a conviction, and ends all of them.
        let (look, end) = (
            SubstrateWeight::<Test>::look(),
            SubstrateWeight::<Test>::end(7),
        );
        assert_eq!(next_block(), look + end);
        assert_eq!(verdict(DisputeId(0)), Some(Verdict::Unanswered));
        for number in 1..7 {
            assert_eq!(verdict(DisputeId(number)), Some(Verdict::Moot));
        }
        assert_convicted(&accused(), &account(20));
    });
}

#[test]
fn rounds_are_nothing_to_each_other() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let rounds = [ID, (TASK, RoundId(2)), (TaskId(9), ROUND)];
        for id in rounds {
            seat(id, &[(accused(), &liar)]);
        }
        for (task, round) in rounds {
            let opened = Referee::open(signed(&challenger()), task, round, accused(), LOSSES);
            assert_ok!(opened);
        }
        let closed = play_alone(DisputeId(1), &liar, &honest);
        assert!(closed.verdict.convicts());
        for (id, seen) in Rounds::get() {
            let convicted = id == rounds[1];
            assert_eq!(seen.tables.contains_key(&accused()), !convicted);
            assert_eq!(seen.open_disputes, u32::from(!convicted));
        }
        for id in [DisputeId(0), DisputeId(2)] {
            assert_eq!(get(id).unwrap().bond, bond_of(1));
            assert!(play_alone(id, &liar, &honest).verdict.convicts());
        }
        assert_eq!(change(&challenger()), 3 * REWARD);
    });
}

#[test]
fn a_deadline_without_a_dispute_is_told_and_removed() {
    execute(|| {
        let missing = DisputeId(77);
        Deadlines::<Test>::mutate(|deadlines| deadlines.try_push((missing, 1)).unwrap());
        assert_eq!(
            next_block(),
            SubstrateWeight::<Test>::look() + SubstrateWeight::<Test>::end(0)
        );
        let kind = UnexpectedKind::DisputeMissing(missing);
        assert_eq!(events(), [Event::Unexpected { kind }]);
        assert_eq!(Deadlines::<Test>::get().len(), 0);
    });
}
