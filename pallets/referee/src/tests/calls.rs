//! Every error of every call; [`super::moves`] has the refusals of moves in all their forms.

use super::lab::*;
use crate::{mock::*, Deadlines, Error, Event, NextDispute};
use codec::{Decode, Encode};
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{dispute::Verdict, id::DisputeId, RoundId, TaskId};
use gotong_scoring::{
    share::{
        trial::{Accusation, Answer, Model, Pick, Step},
        Half, Stage,
    },
    trial::Side,
};
use sp_runtime::DispatchError;

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
fn what_a_table_does_not_have_is_not_disputed() {
    execute(|| {
        seated();
        let lab = Lab::get();
        let passes = lab.table.passes.len() as u8;
        let missing = [
            Accusation::Rows(Stage::Pass(passes)),
            Accusation::Row(Stage::Pass(0), lab.facts.entrants),
            Accusation::Row(Stage::Pass(u8::MAX), 0),
            Accusation::Gradients(Stage::Pass(passes)),
            Accusation::Weights(Model::Midpoint(passes)),
        ];
        for accusation in missing {
            let refused = open(&challenger(), &accused(), accusation);
            assert_noop!(refused, Error::<Test>::NoSuchPlace);
        }
        // In a round that pays nobody.
        with_round(ID, |round| {
            let table = round.tables.get_mut(&accused()).unwrap();
            table.merge.as_mut().unwrap().pay = None;
        });
        for accusation in [
            Accusation::Rows(Stage::Pay),
            Accusation::Row(Stage::Pay, 0),
            Accusation::Gradients(Stage::Pay),
            Accusation::Losses(Half::B),
        ] {
            let refused = open(&challenger(), &accused(), accusation);
            assert_noop!(refused, Error::<Test>::NoSuchPlace);
        }
        // In one that merges nothing.
        with_round(ID, |round| {
            round.tables.get_mut(&accused()).unwrap().merge = None
        });
        for accusation in [Accusation::Weights(Model::Merged), LOSSES] {
            let refused = open(&challenger(), &accused(), accusation);
            assert_noop!(refused, Error::<Test>::NoSuchPlace);
        }
    });
}

#[test]
fn a_dispute_needs_facts() {
    execute(|| {
        seated();
        let facts = Rounds::get()[&ID].facts.clone();
        with_round(ID, |round| round.facts = None);
        assert_noop!(
            open(&challenger(), &accused(), ROWS),
            Error::<Test>::NoFacts
        );
        with_round(ID, |round| round.facts = facts);
        let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
        let id = accuse(&challenger(), &liar, &accused());
        let moves = |without: &dyn Fn()| {
            let facts = Rounds::get()[&ID].facts.clone();
            with_round(ID, |round| round.facts = None);
            without();
            with_round(ID, |round| round.facts = facts);
        };
        let answered = honest.answer(&get(id).unwrap().trial).unwrap();
        moves(&|| {
            let refused = answer(&accused(), id, answered.clone());
            assert_noop!(refused, Error::<Test>::NoFacts);
        });
        assert_ok!(answer(&accused(), id, answered.clone()));
        moves(&|| {
            let refused = pick(&challenger(), id, Pick::Nth(0));
            assert_noop!(refused, Error::<Test>::NoFacts);
        });
    });
}

#[test]
fn nobody_disputes_a_table_twice_at_a_time() {
    execute(|| {
        seated();
        let liar = Lab::get().a_liar();
        let id = accuse(&challenger(), &liar, &accused());
        for accusation in [GRADIENTS, ROWS, LOSSES] {
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
        let now = get(id).unwrap();
        let picked = honest.pick(&now.table, &now.trial).unwrap();
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

/// Malformed bytes do not decode as a call.
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
            accusation: LOSSES,
            deadline: 1 + MoveBlocks::get(),
        };
        assert_eq!(events(), [opened]);
        let (mut answers, mut bytes) = (0, 0);
        while let Some(now) = get(id) {
            let (awaits_answer, statement) = (now.trial.awaits_answer(), now.trial.statement);
            let length = liar
                .answer(&now.trial)
                .map(|shown| shown.encoded_size() as u32);
            let picked = honest.pick(&now.table, &now.trial);
            next_block();
            assert!(step(id, &liar, &honest));
            let deadline = System::block_number() + MoveBlocks::get();
            let mut told = events();
            let moved = told.remove(0);
            if awaits_answer {
                let length = length.unwrap();
                let shown = Event::Answered {
                    dispute: id,
                    statement,
                    bytes: length,
                };
                assert_eq!(moved, shown);
                (answers, bytes) = (answers + 1, bytes + length);
            } else {
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
        let Some(Verdict::Refuted(Step::Loss(step))) = verdict(id) else {
            panic!("no word was refuted");
        };
        let sample = Lab::get().facts.sample(Half::A, 2);
        assert_eq!((step.of, Some(step.sample)), (Side::Merged, sample));
    });
}
