//! Parties that try to win by something other than being right.

use super::lab::*;
use crate::{mock::*, Error, LongestDispute};
use frame_support::{assert_noop, assert_ok, traits::Get};
use gotong_protocol::{dispute::Verdict, id::DisputeId};
use gotong_scoring::{
    share::{trial::Pick, Half},
    trial::Side,
};

/// The other account of a liar.
fn friend() -> AccountId {
    account(9)
}

/// A chain in which `number` accounts defend the same wrong table.
fn seat_many(number: u8, liar: &Agent) -> Vec<AccountId> {
    let seats: Vec<AccountId> = (30..30 + number).map(account).collect();
    let tables: Vec<_> = seats.iter().map(|who| (who.clone(), liar)).collect();
    seat(ID, &tables);
    seats
}

#[test]
fn one_honest_challenger_convicts_every_colluder() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let colluders = seat_many(7, &liar);
        let ids: Vec<DisputeId> = colluders
            .iter()
            .map(|who| accuse(&challenger(), &honest, who))
            .collect();
        // All disputes continue at the same time.
        while let Some(now) = ids.iter().find_map(|id| get(*id)) {
            let awaits_answer = now.trial.awaits_answer();
            for id in &ids {
                assert_eq!(get(*id).unwrap().trial.awaits_answer(), awaits_answer);
                assert!(step(*id, &liar, &honest));
            }
            next_block();
        }
        assert_eq!(change(&challenger()), 7 * REWARD);
        for who in &colluders {
            assert_eq!(change(who), -(STAKE as i128));
        }
        assert!(Rounds::get()[&ID].tables.is_empty());
    });
}

#[test]
fn colluders_who_crowd_a_round_pay_for_it_and_fall_all_the_same() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let colluders = seat_many(3, &liar);
        // All room but one place is taken by disputes of one colluder, by its friends.
        let most = MaxDisputesPerRound::get() as u8;
        for number in 0..most - 1 {
            assert_ok!(open(&account(10 + number), &colluders[0], ROWS));
        }
        for who in &colluders {
            let id = accuse(&challenger(), &honest, who);
            assert_eq!(get(id).unwrap().bond, bond_of(open_disputes()));
            assert!(play_alone(id, &liar, &honest).verdict.convicts());
        }
        assert_eq!(change(&challenger()), 3 * REWARD);
        assert_eq!(open_disputes(), 0);
    });
}

#[test]
fn a_liar_who_accuses_itself_loses_half_at_least() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    // It loses by silence, or by a step.
    for silent in [true, false] {
        execute(|| {
            let issued = Balances::total_issuance();
            seat(ID, &[(accused(), &liar)]);
            let own = open(&accused(), &accused(), LOSSES);
            assert_noop!(own, Error::<Test>::OwnTable);
            let id = accuse(&friend(), &honest, &accused());
            // An honest challenger is there, but slower.
            let moot = accuse(&challenger(), &honest, &accused());
            if silent {
                time_out(id);
            } else {
                play_alone(id, &liar, &honest);
            }
            assert!(verdict(id).unwrap().convicts());
            assert_eq!(verdict(moot), Some(Verdict::Moot));
            let both = change(&accused()) + change(&friend());
            assert_eq!(both, REWARD - STAKE as i128);
            assert!(2 * both <= -(STAKE as i128));
            assert_eq!(Balances::total_issuance(), issued - STAKE.div_ceil(2));
            assert_eq!(change(&challenger()), 0);
        });
    }
}

#[test]
fn a_friend_who_loses_on_purpose_saves_nobody() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &liar)]);
        // It doubts something that is right, and loses a bond. Half of the bond goes to the liar.
        assert_ok!(open(&friend(), &accused(), ROWS));
        let lost = play_alone(DisputeId(0), &liar, &honest);
        assert_eq!(lost.verdict, Verdict::Abandoned);
        let both = change(&accused()) + change(&friend());
        assert_eq!(both, -(bond_of(1).div_ceil(2) as i128));
        // That is not a judgement about the table.
        with_round(ID, |round| {
            round.window_ends = System::block_number() + WINDOW
        });
        let id = accuse(&challenger(), &honest, &accused());
        assert!(play_alone(id, &liar, &honest).verdict.convicts());
        assert_eq!(change(&challenger()), REWARD);
    });
}

/// A lying challenger wants the round to last: it moves in the last block, every time.
#[test]
fn delay_is_bounded_and_costs_a_bond() {
    let lab = Lab::get();
    let honest = lab.honest();
    let (_, of_first_op) = lab.first_liar(lab.words(Side::Base, Half::B, 0));
    for liar in [lab.a_liar(), of_first_op] {
        execute(|| {
            let issued = Balances::total_issuance();
            let start = System::block_number();
            let id = dispute(&honest, &liar);
            while let Some(now) = get(id) {
                let last = System::block_number() == now.deadline;
                if last || now.trial.awaits_answer() {
                    assert!(step(id, &honest, &liar));
                }
                next_block();
            }
            assert_eq!(verdict(id), Some(Verdict::Upheld));
            let lasted = System::block_number() - start;
            let closed = verdict_of(id).unwrap();
            assert!(
                lasted <= (closed.picks + 1) * (MoveBlocks::get() + 1),
                "{lasted}"
            );
            assert!(lasted <= LongestDispute::<Test>::get());
            assert_eq!(change(&challenger()), -(bond_of(1) as i128));
            assert_eq!(change(&accused()), bond_of(1) as i128 / 2);
            let burned = bond_of(1).div_ceil(2);
            assert_eq!(Balances::total_issuance(), issued - burned);
        });
    }
}

/// It opens one dispute after another, as long as it can pay and the window lasts.
#[test]
fn delay_by_many_disputes_ends_with_the_window() {
    let honest = Lab::get().honest();
    execute(|| {
        seat(ID, &[(accused(), &honest)]);
        let end = System::block_number() + WINDOW;
        let (mut last, mut spent) = (DisputeId(0), 0);
        while open(&challenger(), &accused(), GRADIENTS).is_ok() {
            last = DisputeId(crate::NextDispute::<Test>::get().0 - 1);
            spent += get(last).unwrap().bond;
            assert!(step(last, &honest, &honest));
            time_out(last);
        }
        assert!(System::block_number() >= end);
        assert!(last.0 > 0);
        assert_eq!(verdict(last), Some(Verdict::Abandoned));
        assert!(System::block_number() <= end + MoveBlocks::get() + 1);
        assert_eq!(change(&challenger()), -(spent as i128));
        let refused = open(&challenger(), &accused(), GRADIENTS);
        assert_noop!(refused, Error::<Test>::NotDisputable);
    });
}

/// Only the accused of a dispute can answer, whatever others send.
#[test]
fn nobody_else_answers_or_picks_in_a_dispute() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &liar), (friend(), &liar)]);
        let id = accuse(&challenger(), &honest, &accused());
        let right = liar.answer(&get(id).unwrap().trial).unwrap();
        // An attester with the same table has no say.
        assert_noop!(answer(&friend(), id, right), Error::<Test>::NotAccused);
        assert!(step(id, &liar, &honest));
        // Neither does a friend of the liar, who would pick what is right.
        let picked = Pick::Sample {
            of: Side::Merged,
            nth: 0,
        };
        assert_noop!(pick(&friend(), id, picked), Error::<Test>::NotChallenger);
        assert_noop!(pick(&accused(), id, picked), Error::<Test>::NotChallenger);
        assert!(play_alone(id, &liar, &honest).verdict.convicts());
    });
}

/// An attester that was convicted is not disputed again, because its stake is gone.
#[test]
fn nobody_is_convicted_twice() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        play_alone(id, &liar, &honest);
        let again = open(&account(3), &accused(), LOSSES);
        assert_noop!(again, Error::<Test>::NotDisputable);
        assert_convicted(&accused(), &challenger());
    });
}
