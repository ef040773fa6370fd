//! Silence, bad moves, late moves and too many moves.

use super::lab::*;
use crate::{disputes::LONGEST_TRIAL, mock::*, Error, Event};
use codec::Encode;
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{bounds, dispute::Verdict, id::DisputeId};
use gotong_scoring::{
    graph::MAX_PARAMETERS,
    merkle::{Branch, Carry},
    share::{
        table::{RowSums, Stage, GRADIENT_TILE},
        trial::{
            stretches, Accusation, Answer, Lie, Model, PartOf, Pick, ProvedEntrant, Shown,
            Statement, Trial,
        },
        Half,
    },
    trial::{self as loss, backward, ProvedChunk, Side, Term, Tiles},
    Hash, Node, WEIGHT_TILE,
};
use sp_runtime::{DispatchError, ModuleError};
use std::collections::BTreeSet;

/// Liars whose disputes go through every kind of statement, each with its round.
fn long_disputes() -> Vec<(&'static Lab, Agent)> {
    let (lab, language) = (Lab::get(), Lab::language());
    let (position, by) = (5_000, 1);
    let of = Model::Merged;
    let entrants = 0..lab.facts.entrants;
    let terms = entrants.map(|entrant| Lie::Term {
        of,
        position,
        entrant,
        by,
    });
    let entrants = 0..lab.facts.entrants;
    let parts = entrants.map(|entrant| Lie::Part {
        of: PartOf {
            stage: Stage::Pay,
            entrant,
            group: 3,
        },
        by: 1_000,
    });
    let stage = Stage::Pass(1);
    // Late in the backward pass, about a word of the embedding, which two ops read.
    let stages = (language.last_op() + 1..200).rev();
    let words = stages.flat_map(|number| {
        (0..30).map(move |position| Lie::Backward {
            stage,
            group: 2,
            position,
            word: backward::Lie {
                sample: language.facts.group(stage, 2).unwrap()[0],
                stage: number,
                at: 0,
                by: 4_000,
                carries: true,
            },
        })
    });
    let wide = Lab::wide();
    let group = wide.facts.group(Stage::Pass(0), 0).unwrap();
    // The sums of the first layer are made last.
    let stages = (0..100).rev();
    let wide_words = stages.map(|number| Lie::Backward {
        stage: Stage::Pass(0),
        group: 0,
        position: 0,
        word: backward::Lie {
            sample: group[0],
            stage: number,
            at: 0,
            by: 4_000,
            carries: true,
        },
    });
    let large = Lab::large();
    let large_parts = (0..large.facts.entrants).map(|entrant| Lie::Part {
        of: PartOf {
            stage: Stage::Pass(0),
            entrant,
            group: 0,
        },
        by: 1_000,
    });
    let mut members = lab.table.passes[1].members.clone();
    let out = members.iter().position(|is| !*is).unwrap();
    let back = members.iter().position(|is| *is).unwrap();
    members.swap(out, back);
    vec![
        (lab, lab.first_liar(lab.words(Side::Merged, Half::A, 2)).1),
        (lab, lab.first_liar(lab.words(Side::Base, Half::B, 0)).1),
        (lab, lab.first_liar(terms).1),
        (lab, lab.first_liar(parts).1),
        (lab, lab.with_company(members)),
        (language, language.first_liar(words).1),
        (wide, wide.first_liar(wide_words).1),
        (large, large.first_liar(large_parts).1),
        (
            large,
            large.first_liar(large.words(Side::Base, Half::A, 4)).1,
        ),
    ]
}

/// Plays `count` moves; returns whether the dispute is still open.
fn play_moves(id: DisputeId, accused: &Agent, challenger: &Agent, count: u32) -> bool {
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
    let mut longest = 0;
    for (lab, liar) in long_disputes() {
        let honest = lab.honest();
        let mut stalls = 0;
        loop {
            let mut over = false;
            execute(|| {
                let id = dispute(&liar, &honest);
                over = !play_moves(id, &liar, &honest, stalls);
                if over {
                    return;
                }
                let awaits_answer = get(id).unwrap().trial.awaits_answer();
                let deadline = get(id).unwrap().deadline;
                while System::block_number() < deadline {
                    next_block();
                    assert!(get(id).is_some());
                }
                next_block();
                if awaits_answer {
                    assert_eq!(verdict(id), Some(Verdict::Unanswered));
                    assert_convicted(&accused(), &challenger());
                } else {
                    assert_eq!(verdict(id), Some(Verdict::Abandoned));
                    assert_eq!(change(&accused()), 50);
                    assert_eq!(change(&challenger()), -101);
                }
            });
            if over {
                break;
            }
            stalls += 1;
        }
        longest = longest.max(stalls);
    }
    assert!(longest >= 13, "disputes of {longest} moves are no test");
}

/// Everything that looks like a good answer but is not one.
fn bad_answers(good: &Answer, earlier: &[Answer]) -> Vec<Answer> {
    let mut bad = vec![
        Answer::RowNodes(vec![]),
        Answer::Products(vec![]),
        Answer::Roots(vec![]),
        Answer::Nodes(vec![]),
        Answer::GradientTile(vec![]),
        Answer::Weights(vec![]),
        Answer::Losses([vec![], vec![]]),
        Answer::Gradient(backward::Answer::Samples(vec![])),
        Answer::Gradient(backward::Answer::Readers(vec![])),
        Answer::Gradient(backward::Answer::Nodes(vec![])),
        Answer::Gradient(backward::Answer::Tile(vec![])),
        Answer::Gradient(backward::Answer::Word {
            record: None,
            inputs: vec![],
        }),
        Answer::Loss(loss::Answer::Nodes(vec![])),
        Answer::Loss(loss::Answer::Tile(vec![])),
        Answer::Loss(loss::Answer::Word {
            record: None,
            inputs: None,
            before: None,
            weights: None,
            bias: None,
        }),
    ];
    // Answers to other statements.
    bad.extend(earlier.iter().cloned());
    for change in [Change::Shorter, Change::Longer, Change::Bit] {
        for part in 0..PARTS {
            let mut answer = good.clone();
            if change.make(&mut answer, part) {
                bad.push(answer);
            }
        }
    }
    bad.retain(|answer| answer != good);
    bad
}

/// The most parts of an answer that can be changed separately.
const PARTS: usize = 6;

/// How a part of an answer is changed: it is cut short, made too long, or one of its bits is
/// flipped.
#[derive(Clone, Copy)]
enum Change {
    Shorter,
    Longer,
    Bit,
}

/// A value with a bit that can be flipped.
trait Bits: Clone {
    fn turn(&mut self);
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(impl Bits for $integer {
            fn turn(&mut self) {
                *self ^= 1;
            }
        })*
    };
}

integers!(u8, u32, i16, i64, i128);

impl Bits for Hash {
    fn turn(&mut self) {
        self[0] ^= 1;
    }
}

impl<C: Carry> Bits for Node<C> {
    fn turn(&mut self) {
        self.hash[0] ^= 1;
    }
}

impl Bits for Term {
    fn turn(&mut self) {
        self.value ^= 1;
    }
}

impl Change {
    /// Changes part number `part`. Returns whether it did: there is such a part, and it is not
    /// empty.
    fn make(self, answer: &mut Answer, part: usize) -> bool {
        match answer {
            Answer::RowNodes(nodes) => part == 0 && self.of(nodes),
            Answer::Row { own, last } => match (part, last) {
                (0, _) => self.of(&mut own.proof.siblings),
                (1, _) => self.of_entrant(&mut own.entrant),
                (2, Some(last)) => self.of(&mut last.proof.siblings),
                (3, Some(last)) => self.of_entrant(&mut last.entrant),
                (4, last) => last.take().is_some(),
                _ => false,
            },
            Answer::Part {
                entrant,
                gradient,
                siblings,
                products,
            } => match part {
                0 => self.of_entrant(entrant),
                1 => self.of(siblings),
                2 if matches!(self, Self::Bit) => {
                    gradient.turn();
                    true
                }
                // An answer that leads to a different part is judged, not refused.
                3 if !matches!(self, Self::Bit) => self.of(products),
                _ => false,
            },
            Answer::Products(products) => part == 0 && self.of(products),
            Answer::Product {
                chunk,
                words,
                siblings,
            } => match part {
                0 => self.of_chunk(chunk),
                1 => self.of(words),
                2 => self.of(siblings),
                _ => false,
            },
            Answer::Roots(roots) => part == 0 && self.of(roots),
            Answer::Nodes(nodes) => part == 0 && self.of(nodes),
            Answer::GradientTile(words) => part == 0 && self.of(words),
            Answer::Gradient(answer) => self.of_gradient(answer, part),
            Answer::Weights(tile) => part == 0 && self.of(tile),
            Answer::Terms { base, terms } => match part {
                0 => self.of_tiles(base),
                1 => self.of(&mut base.siblings),
                2 if !matches!(self, Self::Bit) => self.of(terms),
                _ => false,
            },
            Answer::Term { entrant, chunk } => match part {
                0 => self.of_entrant(entrant),
                1 => self.of_chunk(chunk),
                _ => false,
            },
            Answer::Losses(losses) => losses.get_mut(part).is_some_and(|losses| self.of(losses)),
            Answer::Loss(answer) => self.of_loss(answer, part),
        }
    }

    fn of<T: Bits>(self, values: &mut Vec<T>) -> bool {
        let Some(last) = values.last_mut() else {
            return false;
        };
        match self {
            Self::Bit => last.turn(),
            Self::Longer => {
                let last = last.clone();
                values.push(last);
            }
            Self::Shorter => {
                values.pop();
            }
        }
        true
    }

    fn of_entrant(self, proved: &mut ProvedEntrant) -> bool {
        match self {
            Self::Bit => {
                proved.record.weight.turn();
                true
            }
            _ => self.of(&mut proved.siblings),
        }
    }

    fn of_chunk(self, chunk: &mut ProvedChunk) -> bool {
        self.of(&mut chunk.bytes)
    }

    fn of_tiles(self, tiles: &mut Tiles) -> bool {
        self.of(&mut tiles.bytes)
    }

    fn of_gradient(self, answer: &mut backward::Answer, part: usize) -> bool {
        match answer {
            backward::Answer::Samples(added) | backward::Answer::Readers(added) => {
                part == 0 && self.of(added)
            }
            backward::Answer::Sums {
                nodes,
                sum,
                exponent,
            } => match (part, exponent) {
                (0, _) => self.of(nodes),
                (1, _) => self.of_tiles(sum),
                (2, Some(exponent)) => self.of_tiles(exponent),
                (3, exponent) => exponent.take().is_some(),
                _ => false,
            },
            backward::Answer::Nodes(nodes) => part == 0 && self.of(nodes),
            backward::Answer::Tile(bytes) => part == 0 && self.of(bytes),
            backward::Answer::Word { record, inputs } => match (part, record) {
                (0, Some(record)) => self.of(&mut record.bytes),
                (1, Some(record)) => self.of(&mut record.siblings),
                (2, _) => inputs.first_mut().is_some_and(|tiles| self.of_tiles(tiles)),
                (3, _) => inputs.last_mut().is_some_and(|tiles| self.of_tiles(tiles)),
                (4, _) => inputs.pop().is_some(),
                _ => false,
            },
        }
    }

    fn of_loss(self, answer: &mut loss::Answer, part: usize) -> bool {
        match answer {
            loss::Answer::Nodes(nodes) => part == 0 && self.of(nodes),
            loss::Answer::Sample { nodes, last } => match part {
                0 => self.of(nodes),
                1 => self.of(last),
                _ => false,
            },
            loss::Answer::Tile(bytes) => part == 0 && self.of(bytes),
            loss::Answer::Word {
                record,
                inputs,
                before,
                weights,
                bias,
            } => match (part, record) {
                (0, Some(record)) => self.of(&mut record.bytes),
                (1, Some(record)) => self.of(&mut record.siblings),
                (2..6, _) => {
                    let tiles = [inputs, before, weights, bias].into_iter().nth(part - 2);
                    let tiles = tiles.and_then(Option::as_mut);
                    tiles.is_some_and(|tiles| self.of_tiles(tiles))
                }
                _ => false,
            },
        }
    }
}

/// The kind of answer, and, for answers about a word, which of them.
fn kind(answer: &Answer) -> (u8, Option<u8>) {
    let bytes = answer.encode();
    let within = matches!(answer, Answer::Gradient(_) | Answer::Loss(_));
    (bytes[0], within.then(|| bytes[1]))
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
    let (mut names, mut answered) = (BTreeSet::new(), BTreeSet::new());
    let mut refused = 0;
    for (lab, liar) in long_disputes() {
        let honest = lab.honest();
        execute(|| {
            let id = dispute(&liar, &honest);
            let mut earlier = vec![];
            while let Some(now) = get(id) {
                if now.trial.awaits_answer() {
                    let good = liar.answer(&now.trial).unwrap();
                    for bad in bad_answers(&good, &earlier) {
                        let before = state();
                        let taken = answer(&accused(), id, bad.clone());
                        let Err(error) = taken else {
                            panic!("{bad:?} is as good as {good:?}");
                        };
                        assert_eq!(state(), before);
                        names.insert(name(error));
                        refused += 1;
                    }
                    answered.insert(kind(&good));
                    earlier.push(good);
                }
                assert!(step(id, &liar, &honest));
            }
            assert!(verdict(id).unwrap().convicts());
        });
    }
    assert!(refused > 500, "{refused}");
    let expected = ["ForeignInput", "NotTheInside", "WrongMove", "WrongShape"];
    assert!(names.iter().eq(&expected), "{names:?}");
    // Every kind of answer.
    let of_gradient = kind(&Answer::Gradient(backward::Answer::Samples(vec![]))).0;
    let of_loss = kind(&Answer::Loss(loss::Answer::Nodes(vec![]))).0;
    let all = (0..14).flat_map(|kind| match kind {
        _ if kind == of_gradient => (0..6).map(|within| (kind, Some(within))).collect(),
        _ if kind == of_loss => (0..4).map(|within| (kind, Some(within))).collect(),
        _ => vec![(kind, None)],
    });
    let missing: Vec<_> = all.filter(|kind| !answered.contains(kind)).collect();
    assert_eq!(missing, []);
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
        let tile = |bytes| Answer::Loss(loss::Answer::Tile(vec![0; bytes]));
        let around = tile(most).encoded_size() - most;
        let fits = tile(most - around);
        assert_eq!(fits.encoded_size(), most);
        assert_noop!(answer(&accused(), id, fits), Error::<Test>::WrongMove);
        let larger = tile(most - around + 1);
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
        while let Some(now) = get(id) {
            if now.trial.awaits_answer() {
                assert!(step(id, &liar, &honest));
                continue;
            }
            let bad = [
                Pick::Nth(u32::MAX),
                Pick::Sample {
                    of: Side::Merged,
                    nth: 99,
                },
                Pick::Sample {
                    of: Side::Base,
                    nth: u32::MAX,
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
    let mut nth = |count: usize| Pick::Nth(dice.below(count as u32));
    match trial.shown.as_ref().unwrap() {
        Shown::RowNodes(shown) => nth(shown.len()),
        Shown::Parts(shown) => nth(shown.len()),
        Shown::Products(shown) => nth(shown.len()),
        Shown::Roots(shown) => nth(shown.len()),
        Shown::Nodes(shown) => nth(shown.len()),
        Shown::GradientTile(shown) => nth(shown.len()),
        Shown::Gradient(backward::Shown::Contributions(shown)) => nth(shown.len()),
        Shown::Gradient(backward::Shown::Nodes(shown)) => nth(shown.len()),
        Shown::Gradient(backward::Shown::Words(shown)) => nth(shown.len()),
        Shown::Weights(shown) => nth(shown.len()),
        Shown::Terms(shown) => nth(shown.len()),
        Shown::Losses([shown, _]) => Pick::Sample {
            of: [Side::Base, Side::Merged][dice.below(2) as usize],
            nth: dice.below(shown.len() as u32),
        },
        Shown::Loss(loss::Shown::Nodes(shown)) => nth(shown.len()),
        Shown::Loss(loss::Shown::Words(shown)) => nth(shown.len()),
    }
}

#[test]
fn who_doubts_at_random_loses_its_bond() {
    for lab in [Lab::get(), Lab::language()] {
        let honest = lab.honest();
        let pass = Stage::Pass(1);
        let accusations = [
            ROWS,
            Accusation::Rows(Stage::Pay),
            Accusation::Row(pass, 1),
            GRADIENTS,
            Accusation::Gradients(Stage::Pay),
            Accusation::Weights(Model::Midpoint(1)),
            Accusation::Weights(Model::Merged),
            LOSSES,
            Accusation::Losses(Half::B),
        ];
        for seed in 0..90 {
            execute(|| {
                let mut dice = Dice(seed);
                let issued = Balances::total_issuance();
                seat(ID, &[(accused(), &honest)]);
                let accusation = accusations[seed as usize % accusations.len()];
                assert_ok!(open(&challenger(), &accused(), accusation));
                let id = DisputeId(0);
                while let Some(now) = get(id) {
                    if now.trial.awaits_answer() {
                        assert!(step(id, &honest, &honest));
                    } else {
                        let chosen = any_pick(&mut dice, &now.trial);
                        assert_ok!(pick(&challenger(), id, chosen));
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
        let now = get(id).unwrap();
        let picked = honest.pick(&now.table, &now.trial).unwrap();
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
        // At the last moment, which lasts as long as blocks are full.
        for party in [accused(), challenger()] {
            run_blocks(MoveBlocks::get());
            run_full_blocks(50);
            let view = Referee::dispute(id).unwrap();
            assert_eq!(view.awaits_answer, party == accused());
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

/// The number of answers that show a tree down to one of its leaves.
fn strides<C: Carry>(leaves: u32) -> u32 {
    let (mut branch, mut strides) = (Branch::whole(Node::default(), leaves), 0);
    while !branch.is_leaf() {
        let shown = vec![Node::<C>::default(); branch.width() as usize];
        assert!(shown.len() <= 256);
        branch = branch.child(&shown, 0).unwrap();
        strides += 1;
    }
    strides
}

/// The number of answers that show a product of this many tiles down to one of them.
fn products(mut tiles: u32) -> u32 {
    let mut answers = 0;
    while tiles > 1 {
        tiles = stretches(0, tiles).map(|(_, tiles)| tiles).max().unwrap();
        answers += 1;
    }
    answers
}

#[test]
fn no_honest_challenger_needs_more_moves_than_there_are() {
    let tiles = |tile: usize| MAX_PARAMETERS.div_ceil(tile) as u32;
    // The row, and a tile. The first products are shown together with what the part was made of.
    let row = strides::<RowSums>(bounds::MAX_SUBMISSIONS) + 1 + products(tiles(GRADIENT_TILE)) + 1;
    // A tile, a weight and a term.
    let term = strides::<()>(tiles(WEIGHT_TILE)) + 3;
    // However many tiles a trace has; a tile, and a word.
    let word = strides::<()>(u32::MAX) + 2;
    let loss = 1 + word;
    // The roots, a tile, what samples add, what ops add.
    let gradient = 1 + strides::<()>(tiles(GRADIENT_TILE)) + 3 + word;
    let answers = [row, term, loss, gradient].into_iter().max().unwrap();
    assert_eq!((answers, answers), (13, gradient));
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
    // The bounds of a task limit what a dispute shows. Here, the limit is much lower.
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
