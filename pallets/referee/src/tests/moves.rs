//! Silence, bad moves, late moves and too many moves.

use super::lab::*;
use crate::{disputes::LONGEST_TRIAL, mock::*, Error, Event};
use codec::Encode;
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{bounds, dispute::Verdict, id::DisputeId};
use gotong_scoring::{
    graph::MAX_PARAMETERS,
    merkle::Branch,
    trial::{
        Accusation, Answer, Lie, Pick, ProvedReveal, Shown, Side, Statement, Tiles, Trial, Turn,
        Witness,
    },
    Node, WEIGHT_TILE,
};
use sp_runtime::{DispatchError, ModuleError};
use std::collections::BTreeSet;

/// Liars whose disputes go through every kind of statement.
fn long_disputes() -> Vec<Witness> {
    let lab = Lab::get();
    let lies = [
        word(Side::Merged, 3, 2, 1),
        word(Side::Plus(1), 5, 0, 1),
        Lie::Term {
            of: Side::Minus(0),
            position: 5_000,
            row: 1,
            by: 20_000,
        },
        Lie::Similar { row: 2, to: None },
    ];
    lies.into_iter().map(|lie| lab.liar(lie)).collect()
}

/// Plays `count` moves; gives back whether the dispute is still open.
fn play_moves(id: DisputeId, accused: &Witness, challenger: &Witness, count: u32) -> bool {
    for _ in 0..count {
        assert!(step(id, accused, challenger));
        if get(id).is_none() {
            return false;
        }
        next_block();
    }
    true
}

#[test]
fn who_stalls_loses_whenever_it_stalls() {
    let honest = Lab::get().honest();
    for liar in long_disputes() {
        let mut stalls = 0;
        loop {
            let mut over = false;
            execute(|| {
                let id = dispute(&liar, &honest);
                over = !play_moves(id, &liar, &honest, stalls);
                if over {
                    return;
                }
                let turn = get(id).unwrap().trial.turn();
                let deadline = get(id).unwrap().deadline;
                while System::block_number() < deadline {
                    next_block();
                    assert!(get(id).is_some());
                }
                next_block();
                match turn {
                    Turn::Accused => {
                        assert_eq!(verdict(id), Some(Verdict::Unanswered));
                        assert_convicted(&accused(), &challenger());
                    }
                    Turn::Challenger => {
                        assert_eq!(verdict(id), Some(Verdict::Abandoned));
                        assert_eq!(change(&accused()), 50);
                        assert_eq!(change(&challenger()), -101);
                    }
                }
            });
            if over {
                break;
            }
            stalls += 1;
        }
        assert!(stalls >= 5, "a dispute of {stalls} moves is no test");
    }
}

/// Everything that is like a good answer but is none.
fn bad_answers(good: &Answer, earlier: &[Answer]) -> Vec<Answer> {
    let mut bad = vec![
        Answer::Similar(vec![]),
        Answer::Similar(vec![u32::MAX; 5]),
        Answer::Dots(vec![]),
        Answer::Nodes(vec![]),
        Answer::SumNodes(vec![]),
        Answer::Tile(vec![]),
        Answer::Weights(vec![]),
        Answer::Header {
            losses: [vec![], vec![]],
            weights: [0; 32],
        },
        Answer::Word {
            record: None,
            inputs: None,
            before: None,
            weights: None,
            bias: None,
        },
    ];
    // Answers to other statements.
    bad.extend(earlier.iter().cloned());
    let mut changed = |change: &dyn Fn(&mut Answer) -> bool| {
        let mut answer = good.clone();
        if change(&mut answer) {
            bad.push(answer);
        }
    };
    // Cut short, too long, and with a bit turned.
    changed(&|answer| resize(answer, false));
    changed(&|answer| resize(answer, true));
    changed(&|answer| turn_a_bit(answer));
    bad.retain(|answer| answer != good);
    bad
}

fn resize(answer: &mut Answer, longer: bool) -> bool {
    fn of<T: Clone>(values: &mut Vec<T>, longer: bool) -> bool {
        match (longer, values.last().cloned()) {
            (true, Some(last)) => values.push(last),
            (false, Some(_)) => {
                values.pop();
            }
            (_, None) => return false,
        }
        true
    }
    fn of_tiles(tiles: &mut Option<Tiles>, longer: bool) -> bool {
        tiles
            .as_mut()
            .is_some_and(|tiles| of(&mut tiles.bytes, longer))
    }
    fn of_reveal(reveal: &mut ProvedReveal, longer: bool) -> bool {
        of(&mut reveal.siblings, longer)
    }
    match answer {
        Answer::Similar(rows) => of(rows, longer),
        Answer::Pair { dots, records } => of(dots, longer) || of_reveal(&mut records[0], longer),
        Answer::Dots(dots) => of(dots, longer),
        Answer::Dot([one, _]) => of(&mut one.bytes, longer),
        Answer::SumNodes(nodes) => of(nodes, longer),
        Answer::Nodes(nodes) => of(nodes, longer),
        Answer::Row { losses, .. } => of(&mut losses[1], longer),
        Answer::Header { losses, .. } => of(&mut losses[0], longer),
        Answer::Weights(tile) => of(tile, longer),
        Answer::Terms { terms, .. } => of(terms, longer),
        Answer::Term { chunk, .. } => of(&mut chunk.bytes, longer),
        Answer::Sample { nodes, .. } => of(nodes, longer),
        Answer::Tile(bytes) => of(bytes, longer),
        Answer::Word {
            record,
            inputs,
            weights,
            ..
        } => {
            record
                .as_mut()
                .is_some_and(|record| of(&mut record.bytes, longer))
                || of_tiles(inputs, longer)
                || of_tiles(weights, longer)
        }
    }
}

fn turn_a_bit(answer: &mut Answer) -> bool {
    match answer {
        Answer::Similar(rows) => rows[0] ^= 1,
        Answer::Pair { records, .. } => records[1].record.square_norm ^= 1,
        Answer::Dots(dots) => dots[0] ^= 1,
        Answer::Dot([_, other]) => other.bytes[0] ^= 1,
        Answer::SumNodes(nodes) => nodes[0].hash[0] ^= 1,
        Answer::Nodes(nodes) => nodes[0].hash[0] ^= 1,
        Answer::Row { record, .. } => record.record.weight ^= 1,
        Answer::Header { losses, .. } => losses[0][0] ^= 1,
        Answer::Weights(tile) => tile[0] ^= 1,
        Answer::Terms { base, .. } => base.bytes[0] ^= 1,
        Answer::Term { record, .. } => record.record.delta_root[0] ^= 1,
        Answer::Sample { last, .. } => last[0][0] ^= 1,
        Answer::Tile(bytes) => bytes[0] ^= 1,
        Answer::Word {
            record,
            inputs,
            weights,
            ..
        } => match (record, inputs, weights) {
            (Some(record), ..) => record.bytes[0] ^= 1,
            (_, Some(tiles), _) | (.., Some(tiles)) => tiles.bytes[0] ^= 1,
            _ => return false,
        },
    }
    true
}

fn name(error: DispatchError) -> &'static str {
    match error {
        DispatchError::Module(ModuleError {
            message: Some(name),
            ..
        }) => name,
        other => panic!("{other:?} is no error of the pallet"),
    }
}

#[test]
fn a_bad_answer_is_refused_by_name_and_changes_nothing() {
    let honest = Lab::get().honest();
    let (mut names, mut answered) = (BTreeSet::new(), BTreeSet::new());
    for liar in long_disputes() {
        execute(|| {
            let id = dispute(&liar, &honest);
            let mut earlier = vec![];
            while let Some(now) = get(id) {
                if now.trial.turn() == Turn::Accused {
                    let good = liar.answer(&now.trial).unwrap();
                    for bad in bad_answers(&good, &earlier) {
                        let before = state();
                        let error = answer(&accused(), id, bad).unwrap_err();
                        assert_eq!(state(), before);
                        names.insert(name(error));
                    }
                    answered.insert(good.encode()[0]);
                    earlier.push(good);
                }
                assert!(step(id, &liar, &honest));
            }
            assert!(verdict(id).unwrap().convicts());
        });
    }
    let expected = ["ForeignInput", "NotTheInside", "WrongMove", "WrongShape"];
    assert!(names.iter().eq(&expected), "{names:?}");
    // Every kind of answer but products over parts of the chunks: there are too few chunks.
    let missing: Vec<u8> = (0..14).filter(|kind| !answered.contains(kind)).collect();
    assert_eq!(missing, Answer::Dots(vec![]).encode()[..1]);
}

#[test]
fn who_gives_only_bad_answers_runs_out_of_time() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        let deadline = get(id).unwrap().deadline;
        while System::block_number() < deadline {
            next_block();
            let bad = Answer::Nodes(vec![]);
            assert_noop!(answer(&accused(), id, bad), Error::<Test>::WrongMove);
        }
        next_block();
        assert_eq!(verdict(id), Some(Verdict::Unanswered));
        assert_convicted(&accused(), &challenger());
    });
}

#[test]
fn an_answer_that_is_too_large_is_not_looked_at() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        let most = bounds::MAX_ANSWER_BYTES as usize;
        let around = Answer::Tile(vec![0; most]).encoded_size() - most;
        let fits = Answer::Tile(vec![0; most - around]);
        assert_eq!(fits.encoded_size(), most);
        assert_noop!(answer(&accused(), id, fits), Error::<Test>::WrongMove);
        let larger = Answer::Tile(vec![0; most - around + 1]);
        assert_noop!(
            answer(&accused(), id, larger),
            Error::<Test>::AnswerTooLarge
        );
    });
}

#[test]
fn a_bad_pick_is_refused_and_changes_nothing() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        assert_noop!(
            pick(&challenger(), id, Pick::Nth(0)),
            Error::<Test>::NotYourTurn
        );
        while get(id).unwrap().trial.turn() == Turn::Challenger || step(id, &liar, &honest) {
            let Some(now) = get(id) else { break };
            if now.trial.turn() == Turn::Accused {
                continue;
            }
            let bad = [
                Pick::Nth(u32::MAX),
                Pick::Sample {
                    of: Side::Plus(99),
                    sample: 0,
                },
                Pick::Sample {
                    of: Side::Base,
                    sample: u32::MAX,
                },
                Pick::Weights { of: Side::Base },
                Pick::Pair {
                    earlier: 1,
                    later: 1,
                },
            ];
            for bad in bad {
                let before = state();
                let error = name(pick(&challenger(), id, bad).unwrap_err());
                assert!(["NoSuchPlace", "WrongMove"].contains(&error), "{error}");
                assert_eq!(state(), before);
            }
            let good = liar.answer(&Trial {
                shown: None,
                ..now.trial.clone()
            });
            let again = good.unwrap_or(Answer::Nodes(vec![]));
            assert_noop!(answer(&accused(), id, again), Error::<Test>::NotYourTurn);
            assert!(step(id, &liar, &honest));
        }
        assert!(verdict(id).unwrap().convicts());
    });
}

/// Picks anything that can be picked.
fn any_pick(dice: &mut Dice, trial: &Trial) -> Pick {
    let mut sides = |of: [Side; 2], samples: usize| {
        let of = of[dice.below(2) as usize];
        match dice.below(3) {
            0 if of != Side::Base => Pick::Weights { of },
            _ => Pick::Sample {
                of,
                sample: dice.below(samples as u32),
            },
        }
    };
    match trial.shown.as_ref().unwrap() {
        Shown::Row { row, losses, .. } => {
            sides([Side::Minus(*row), Side::Plus(*row)], losses[0].len())
        }
        Shown::Header { losses, .. } => sides([Side::Base, Side::Merged], losses[0].len()),
        Shown::Similar(_) => {
            let later = 1 + dice.below(4);
            let earlier = dice.below(later);
            Pick::Pair { earlier, later }
        }
        Shown::Dots(shown) => Pick::Nth(dice.below(shown.len() as u32)),
        Shown::SumNodes(shown) => Pick::Nth(dice.below(shown.len() as u32)),
        Shown::Nodes(shown) => Pick::Nth(dice.below(shown.len() as u32)),
        Shown::Words(shown) => Pick::Nth(dice.below(shown.len() as u32)),
        Shown::Terms(shown) => Pick::Nth(dice.below(shown.len() as u32)),
    }
}

#[test]
fn who_doubts_at_random_loses_its_bond() {
    let honest = Lab::get().honest();
    let accusations = [Accusation::Similar, Accusation::Rows, Accusation::Header];
    for seed in 0..60 {
        execute(|| {
            let mut dice = Dice(seed);
            let issued = Balances::total_issuance();
            seat(ID, &[(accused(), &honest)]);
            let accusation = accusations[seed as usize % 3];
            assert_ok!(open(&challenger(), &accused(), accusation));
            let id = DisputeId(0);
            let mut refused = 0;
            while let Some(now) = get(id) {
                match now.trial.turn() {
                    Turn::Accused => assert!(step(id, &honest, &honest)),
                    Turn::Challenger => {
                        let chosen = any_pick(&mut dice, &now.trial);
                        refused += u32::from(pick(&challenger(), id, chosen).is_err());
                        assert!(refused < 100);
                    }
                }
            }
            assert_eq!(verdict(id), Some(Verdict::Upheld));
            // Half of 101, rounded down.
            assert_eq!(change(&accused()), 50);
            assert_eq!(change(&challenger()), -101);
            assert_eq!(Balances::total_issuance(), issued - 51);
        });
    }
}

#[test]
fn a_move_after_the_deadline_is_refused() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        let answered = liar.answer(&get(id).unwrap().trial).unwrap();
        let deadline = get(id).unwrap().deadline;
        assert_eq!(deadline, 1 + MoveBlocks::get());
        // The hook is late.
        System::set_block_number(deadline + 1);
        assert_noop!(
            answer(&accused(), id, answered.clone()),
            Error::<Test>::TooLate
        );
        System::set_block_number(deadline);
        assert_ok!(answer(&accused(), id, answered));
        let picked = honest.pick(&get(id).unwrap().trial).unwrap();
        let deadline = get(id).unwrap().deadline;
        assert_eq!(deadline, 1 + 2 * MoveBlocks::get());
        System::set_block_number(deadline + 1);
        assert_noop!(pick(&challenger(), id, picked), Error::<Test>::TooLate);
        System::set_block_number(deadline);
        assert_ok!(pick(&challenger(), id, picked));
        assert!(play(id, &liar, &honest).verdict.convicts());
    });
}

#[test]
fn full_blocks_do_not_count_for_a_move() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        run_full_blocks(3);
        let id = dispute(&liar, &honest);
        let opened_at = System::block_number();
        let told = |event: &Event<Test>| {
            let last = opened_at + MoveBlocks::get();
            matches!(event, Event::DisputeOpened { deadline, .. } if *deadline == last)
        };
        assert!(events().iter().any(told));
        // In the last moment, which lasts as long as blocks are full.
        for party in [accused(), challenger()] {
            run_blocks(MoveBlocks::get());
            run_full_blocks(50);
            let view = Referee::dispute(id).unwrap();
            let turn = match view.turn {
                Turn::Accused => accused(),
                Turn::Challenger => challenger(),
            };
            assert_eq!(turn, party);
            assert_eq!(view.opened_at, opened_at);
            assert_eq!(view.deadline, System::block_number());
            assert!(step(id, &liar, &honest));
        }
        // Silence loses right after.
        run_blocks(MoveBlocks::get());
        run_full_blocks(50);
        assert!(get(id).is_some());
        next_block();
        assert_eq!(verdict(id), Some(Verdict::Unanswered));
        let ended_at = verdict_of(id).unwrap().ended_at;
        assert_eq!(ended_at, System::block_number());
    });
}

#[test]
fn too_many_moves_lose_the_bond() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    for most in [2, 3] {
        execute(|| {
            MaxMoves::set(most);
            let id = dispute(&liar, &honest);
            assert!(!play_moves(id, &liar, &honest, most));
            assert_eq!(verdict(id), Some(Verdict::TooLong));
            assert_eq!(change(&accused()), 50);
            assert_eq!(change(&challenger()), -101);
            let closed = verdict_of(id).unwrap();
            assert_eq!(closed.answers + closed.picks, most);
            let last = events().pop().unwrap();
            assert!(matches!(last, Event::DisputeClosed { .. }), "{last:?}");
        });
    }
}

/// How many answers show a tree down to a leaf of it.
fn strides(leaves: u32) -> u32 {
    let (mut branch, mut strides) = (Branch::whole(Node::default(), leaves), 0);
    while !branch.is_leaf() {
        let shown = vec![Node::<()>::default(); branch.width() as usize];
        assert!(shown.len() <= 256);
        branch = branch.child(&shown, 0).unwrap();
        strides += 1;
    }
    strides
}

#[test]
fn no_honest_challenger_needs_more_moves_than_there_are() {
    let row = strides(bounds::MAX_SUBMISSIONS) + 1;
    let term = strides((MAX_PARAMETERS / WEIGHT_TILE) as u32) + 3;
    // However many tiles a trace has.
    let word = strides(u32::MAX) + 2;
    let answers = row + term.max(word);
    assert_eq!(answers + (answers - 1), LONGEST_TRIAL);
    assert!(LONGEST_TRIAL <= MaxMoves::get());
}

#[test]
fn a_step_ends_a_dispute_whatever_the_number_of_moves() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    let mut moves = 0;
    execute(|| {
        let id = dispute(&liar, &honest);
        let closed = play(id, &liar, &honest);
        moves = closed.answers + closed.picks;
    });
    execute(|| {
        MaxMoves::set(moves);
        let id = dispute(&liar, &honest);
        assert!(play(id, &liar, &honest).verdict.convicts());
    });
}

#[test]
fn statements_are_small_and_answers_fit() {
    // What a dispute shows is bounded by the bounds of a task; here, by much less.
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        let id = dispute(&liar, &honest);
        let closed = play(id, &liar, &honest);
        assert!(closed.bytes < 16 << 10, "{} bytes", closed.bytes);
        let answered = events().into_iter().filter_map(|event| match event {
            Event::Answered {
                statement, bytes, ..
            } => Some((statement, bytes)),
            _ => None,
        });
        let answered: Vec<(Statement, u32)> = answered.collect();
        assert_eq!(answered.len() as u32, closed.answers);
        let bytes: u32 = answered.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(bytes, closed.bytes);
    });
}
