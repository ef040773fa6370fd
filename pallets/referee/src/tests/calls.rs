//! Every error of every call; [`super::moves`] has the refusals of moves in all their forms.

use super::lab::*;
use crate::{mock::*, Deadlines, Error, Event, NextDispute};
use codec::{Decode, Encode};
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{dispute::Verdict, id::DisputeId, RoundId, TaskId};
use gotong_scoring::trial::{Accusation, Answer, Pick, Side, Step, Turn};
use sp_runtime::DispatchError;

const ROWS: Accusation = Accusation::Rows;

fn seated() {
    seat(ID, &[(accused(), &Lab::get().honest())]);
}

#[test]
fn nobody_disputes_its_own_table() {
    execute(|| {
        seated();
        assert_noop!(open(&accused(), &accused(), ROWS), Error::<Test>::OwnTable);
    });
}

#[test]
fn only_a_table_in_its_window_is_disputed() {
    execute(|| {
        seated();
        let not = Error::<Test>::NotDisputable;
        assert_noop!(open(&challenger(), &account(3), ROWS), not);
        for (task, round) in [(TaskId(9), ROUND), (TASK, RoundId(9))] {
            let opened = Referee::open(signed(&challenger()), task, round, accused(), ROWS);
            assert_noop!(opened, Error::<Test>::NotDisputable);
        }
        run_blocks(WINDOW - 1);
        assert_ok!(open(&challenger(), &accused(), ROWS));
        next_block();
        let late = open(&account(3), &accused(), ROWS);
        assert_noop!(late, Error::<Test>::NotDisputable);
    });
}

#[test]
fn a_dispute_needs_a_case() {
    execute(|| {
        seated();
        let case = Rounds::get()[&ID].case.clone();
        with_round(ID, |round| round.case = None);
        assert_noop!(open(&challenger(), &accused(), ROWS), Error::<Test>::NoCase);
        with_round(ID, |round| round.case = case);
        let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
        let id = accuse(&challenger(), &liar, &accused());
        let moves = |without: &dyn Fn()| {
            let case = Rounds::get()[&ID].case.clone();
            with_round(ID, |round| round.case = None);
            without();
            with_round(ID, |round| round.case = case);
        };
        let answered = honest.answer(&get(id).unwrap().trial).unwrap();
        moves(&|| {
            let refused = answer(&accused(), id, answered.clone());
            assert_noop!(refused, Error::<Test>::NoCase);
        });
        assert_ok!(answer(&accused(), id, answered.clone()));
        moves(&|| {
            let refused = pick(&challenger(), id, Pick::Nth(0));
            assert_noop!(refused, Error::<Test>::NoCase);
        });
    });
}

#[test]
fn nobody_disputes_a_table_twice_at_a_time() {
    execute(|| {
        seated();
        let liar = Lab::get().a_liar();
        let id = accuse(&challenger(), &liar, &accused());
        for accusation in [Accusation::Similar, ROWS, Accusation::Header] {
            let again = open(&challenger(), &accused(), accusation);
            assert_noop!(again, Error::<Test>::AlreadyDisputed);
        }
        assert_ok!(open(&account(3), &accused(), ROWS));
        play_alone(id, &Lab::get().honest(), &liar);
        assert_ok!(open(&challenger(), &accused(), ROWS));
    });
}

#[test]
fn a_round_and_the_chain_have_room_for_so_many() {
    execute(|| {
        seated();
        for number in 0..MaxDisputesPerRound::get() as u8 {
            assert_ok!(open(&account(10 + number), &accused(), ROWS));
        }
        let more = open(&challenger(), &accused(), ROWS);
        assert_noop!(more, Error::<Test>::TooManyDisputes);
    });
    new_chain().execute_with(|| {
        seated();
        Deadlines::<Test>::mutate(|deadlines| {
            for other in 0..MaxDisputesPerRound::get() * MaxLiveRounds::get() {
                deadlines.try_push((DisputeId(1_000 + other), 99)).unwrap();
            }
        });
        let more = open(&challenger(), &accused(), ROWS);
        assert_noop!(more, Error::<Test>::TooManyDisputes);
    });
}

#[test]
fn ids_run_out() {
    execute(|| {
        seated();
        NextDispute::<Test>::put(DisputeId(u32::MAX));
        assert_noop!(
            open(&challenger(), &accused(), ROWS),
            Error::<Test>::OutOfIds
        );
    });
}

#[test]
fn only_the_parties_move_and_only_in_a_dispute_that_is_open() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        let shown = || liar.answer(&get(id).unwrap().trial).unwrap();
        let other = DisputeId(1);
        let none = Error::<Test>::NoSuchDispute;
        assert_noop!(answer(&accused(), other, shown()), none);
        let none = Error::<Test>::NoSuchDispute;
        assert_noop!(pick(&challenger(), other, Pick::Nth(0)), none);
        for who in [challenger(), account(3)] {
            let refused = answer(&who, id, shown());
            assert_noop!(refused, Error::<Test>::NotAccused);
        }
        assert_ok!(answer(&accused(), id, shown()));
        let picked = honest.pick(&get(id).unwrap().trial).unwrap();
        for who in [accused(), account(3)] {
            let refused = pick(&who, id, picked);
            assert_noop!(refused, Error::<Test>::NotChallenger);
        }
        play(id, &liar, &honest);
        let over = pick(&challenger(), id, picked);
        assert_noop!(over, Error::<Test>::NoSuchDispute);
    });
}

#[test]
fn calls_are_signed() {
    execute(|| {
        seated();
        let bad = DispatchError::BadOrigin;
        let none = RuntimeOrigin::none();
        assert_noop!(Referee::open(none, TASK, ROUND, accused(), ROWS), bad);
        let (root, shown) = (RuntimeOrigin::root(), Box::new(Answer::Nodes(vec![])));
        assert_noop!(Referee::answer(root, DisputeId(0), shown), bad);
        let none = RuntimeOrigin::none();
        assert_noop!(Referee::pick(none, DisputeId(0), Pick::Nth(0)), bad);
    });
}

/// Malformed bytes are no call at all.
#[test]
fn what_is_no_answer_does_not_decode() {
    let honest = Lab::get().honest();
    execute(|| {
        seated();
        let id = accuse(&challenger(), &Lab::get().a_liar(), &accused());
        let shown = honest.answer(&get(id).unwrap().trial).unwrap();
        let call = RuntimeCall::Referee(crate::Call::answer {
            dispute: id,
            answer: Box::new(shown),
        });
        let bytes = call.encode();
        assert_eq!(RuntimeCall::decode(&mut &bytes[..]), Ok(call));
        for end in 0..bytes.len() {
            assert!(RuntimeCall::decode(&mut &bytes[..end]).is_err());
        }
        // A length that no bytes follow.
        for kind in 0..=u8::MAX {
            let bytes = [&bytes[..6], &[kind, 0xfe, 0xff, 0xff, 0xff]].concat();
            assert!(RuntimeCall::decode(&mut &bytes[..]).is_err(), "{kind}");
        }
    });
}

#[test]
fn events_tell_all_of_a_dispute() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        let opened = Event::DisputeOpened {
            dispute: id,
            task: TASK,
            round: ROUND,
            accused: accused(),
            challenger: challenger(),
            bond: bond_of(1),
            accusation: Accusation::Header,
            deadline: 1 + MoveBlocks::get(),
        };
        assert_eq!(events(), [opened]);
        let (mut answers, mut bytes) = (0, 0);
        while let Some(now) = get(id) {
            let (turn, statement) = (now.trial.turn(), now.trial.statement);
            let length = liar
                .answer(&now.trial)
                .map(|shown| shown.encoded_size() as u32);
            let picked = honest.pick(&now.trial);
            next_block();
            assert!(step(id, &liar, &honest));
            let deadline = System::block_number() + MoveBlocks::get();
            let mut told = events();
            let moved = told.remove(0);
            match turn {
                Turn::Accused => {
                    let length = length.unwrap();
                    let shown = Event::Answered {
                        dispute: id,
                        statement,
                        bytes: length,
                    };
                    assert_eq!(moved, shown);
                    (answers, bytes) = (answers + 1, bytes + length);
                }
                Turn::Challenger => {
                    let pick = picked.unwrap();
                    let dispute = id;
                    assert_eq!(
                        moved,
                        Event::Picked {
                            dispute,
                            pick,
                            deadline
                        }
                    );
                }
            }
            let over = get(id).is_none().then(|| Event::DisputeClosed {
                dispute: id,
                task: TASK,
                round: ROUND,
                accused: accused(),
                challenger: challenger(),
                verdict: verdict(id).unwrap(),
                reward: STAKE / 2,
                answers,
                bytes,
            });
            assert_eq!(told, Vec::from_iter(over));
        }
        assert!(answers > 3);
        let Some(Verdict::Refuted(Step::Word { of, sample, .. })) = verdict(id) else {
            panic!("no word was refuted");
        };
        assert_eq!((of, sample), (Side::Merged, 2));
    });
}
