//! Whoever stands for a wrong table is convicted by anybody who computes the right one, and nobody
//! convicts who stands for the right one.

use super::lab::*;
use crate::mock::*;
use gotong_protocol::dispute::Verdict;
use gotong_scoring::{
    trial::{Lie, Side, Step, Witness},
    RoundScore, Standing,
};

fn honest() -> Witness {
    Lab::get().honest()
}

/// Those who lie about a word, each with its name.
fn word_liars() -> Vec<(String, Witness)> {
    let mut lies = Vec::new();
    for of in [Side::Base, Side::Merged, Side::Minus(1), Side::Plus(4)] {
        // The second step of the first op, which its value is.
        lies.push(word(of, 5, 0, 1));
        for op in 1..=last_op() {
            lies.push(word(of, 3, op, 0));
        }
        lies.push(off_by_one(of));
    }
    named(lies)
}

fn merge_liars() -> Vec<(String, Witness)> {
    let mut lies = Vec::new();
    for of in [Side::Merged, Side::Minus(0), Side::Plus(1)] {
        for position in [5_000, 10_500] {
            let by = 20_000;
            lies.push(Lie::Weight { of, position, by });
            lies.push(Lie::Term {
                of,
                position,
                row: 1,
                by,
            });
        }
    }
    named(lies)
}

fn similarity_liars() -> Vec<(String, Witness)> {
    named(vec![
        Lie::Similar { row: 2, to: None },
        Lie::Similar {
            row: 4,
            to: Some(1),
        },
    ])
}

fn named(lies: Vec<Lie>) -> Vec<(String, Witness)> {
    let witness = |lie| (format!("{lie:?}"), Lab::get().liar(lie));
    lies.into_iter().map(witness).collect()
}

/// Those who change the table, and know no reason for it.
fn forgers() -> Vec<(&'static str, Witness)> {
    type Forgery = fn(&mut RoundScore);
    let forgeries: [(&str, Forgery); 16] = [
        ("gain", |score| score.table.header.gain += 1),
        ("gain_se", |score| score.table.header.gain_se += 1),
        ("paid_gain", |score| score.table.header.paid_gain += 1),
        ("master_root", |score| {
            score.table.header.master_root[0] ^= 1
        }),
        ("base sum", |score| score.table.header.base.sum += 1),
        ("merged hash", |score| {
            score.table.header.merged.hash[31] ^= 1
        }),
        ("similar_root", |score| {
            score.table.header.similar_root[0] ^= 1
        }),
        ("phi", |score| score.table.rows[1].phi += 1),
        ("standard_error", |score| {
            score.table.rows[1].standard_error += 1
        }),
        ("share", |score| score.table.rows[1].share += 1),
        ("share of the similar", |score| {
            score.table.rows[2].share += 1
        }),
        ("weight", |score| score.table.rows[0].weight += 1),
        ("clip", |score| score.table.rows[0].clip_q16 ^= 1),
        ("delta hash", |score| score.table.rows[3].delta_hash[0] ^= 1),
        ("losses of a row", |score| {
            score.table.rows[3].plus.hash[0] ^= 1
        }),
        ("standing", |score| {
            let row = &mut score.table.rows[1];
            row.standing = match row.standing {
                Standing::Admitted => Standing::BelowFloor,
                _ => Standing::Admitted,
            };
        }),
    ];
    forgeries
        .into_iter()
        .map(|(what, forgery)| (what, Lab::get().standing_for(forgery)))
        .collect()
}

#[test]
fn the_round_of_the_tests_has_everything() {
    let table = Lab::get().score().table;
    assert!(table.header.paid_gain > 0);
    let standings: Vec<Standing> = table.rows.iter().map(|row| row.standing).collect();
    assert_eq!(standings[2], Standing::Similar { to: 1 });
    for standing in [Standing::Admitted, Standing::BelowFloor] {
        assert!(standings.contains(&standing), "{standings:?}");
    }
    assert_eq!(honest().accuse(&table.opening()), None);
}

fn is_convicted(what: &str, liar: &Witness) -> Verdict {
    let mut verdict = None;
    execute(|| {
        let issued = Balances::total_issuance();
        let honest = honest();
        let id = dispute(liar, &honest);
        let closed = play(id, liar, &honest);
        assert!(closed.verdict.convicts(), "{what}: {:?}", closed.verdict);
        assert_eq!(closed.reward as i128, REWARD);
        assert_convicted(&accused(), &challenger());
        // Half of the stake is burned.
        assert_eq!(Balances::total_issuance(), issued - (STAKE - STAKE / 2));
        let moves = closed.answers + closed.picks;
        assert!(2 * moves <= MaxMoves::get(), "{what}: {moves} moves");
        verdict = Some(closed.verdict);
    });
    verdict.unwrap()
}

#[test]
fn who_lies_about_a_word_is_convicted_of_it() {
    for (what, liar) in word_liars() {
        let verdict = is_convicted(&what, &liar);
        assert!(
            matches!(verdict, Verdict::Refuted(Step::Word { .. })),
            "{what}: {verdict:?}"
        );
    }
}

#[test]
fn who_lies_about_a_merge_is_convicted_of_it() {
    for (what, liar) in merge_liars() {
        let verdict = is_convicted(&what, &liar);
        let expected = |step| matches!(step, Step::Weight { .. } | Step::Term { .. });
        assert!(
            matches!(verdict, Verdict::Refuted(step) if expected(step)),
            "{what}: {verdict:?}"
        );
    }
}

#[test]
fn who_lies_about_similarity_is_convicted_of_it() {
    for (what, liar) in similarity_liars() {
        is_convicted(&what, &liar);
    }
}

#[test]
fn who_forges_a_table_is_convicted() {
    for (what, liar) in forgers() {
        is_convicted(what, &liar);
    }
}

/// All that was the accused above now challenge somebody honest.
#[test]
fn nobody_honest_is_convicted() {
    let words = word_liars().into_iter().step_by(5);
    let all = words
        .chain(merge_liars().into_iter().step_by(3))
        .chain(similarity_liars());
    let forgers = forgers().into_iter();
    for (what, liar) in all.chain(forgers.map(|(what, liar)| (what.into(), liar))) {
        execute(|| {
            let honest = honest();
            let id = dispute(&honest, &liar);
            let closed = play(id, &honest, &liar);
            assert!(
                matches!(closed.verdict, Verdict::Upheld | Verdict::Abandoned),
                "{what}: {:?}",
                closed.verdict
            );
            assert!(Rounds::get()[&ID].tables.contains_key(&accused()));
            assert_eq!(change(&accused()), bond_of(1) as i128 / 2);
            assert_eq!(change(&challenger()), -(bond_of(1) as i128));
        });
    }
}
