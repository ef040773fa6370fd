//! Anybody who computes the right table convicts an attester that defends a wrong one, and nobody can convict an attester that
//! defends the right one.

use super::lab::*;
use crate::{disputes::LONGEST_TRIAL, mock::*};
use frame_support::assert_ok;
use gotong_protocol::{dispute::Verdict, TableSummary};
use gotong_scoring::{
    share::{
        company::weighted_median,
        table::{PassSummary, ShareTable, Stage},
        trial::{Answer, Lie, Model, PartOf, Statement, Step, Trial},
        Half,
    },
    trial::{backward, Side},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

fn honest() -> Agent {
    Lab::get().honest()
}

fn labs() -> [&'static Lab; 2] {
    [Lab::get(), Lab::language()]
}

/// The stages of a round that a test covers.
const STAGES: [Stage; 3] = [Stage::Pass(0), Stage::Pass(1), Stage::Pay];
const MODELS: [Model; 3] = [Model::Midpoint(0), Model::Midpoint(1), Model::Merged];
/// The stages that are tried. Lies about later ones change nothing in either round.
const STAGES_OF_ALL: u32 = 200;
const HALVES: [Half; 2] = [Half::A, Half::B];

/// A member of the company of a stage.
fn member(lab: &Lab, stage: Stage) -> u32 {
    let pass = match stage {
        Stage::Pass(number) => usize::from(number),
        Stage::Pay => usize::from(lab.table.summary().candidate().unwrap()),
    };
    let mut members = lab.table.passes[pass].members.iter();
    members.position(|is| *is).unwrap() as u32
}

/// A liar, and the lie.
type Liar = (Lie, Agent);

fn word_liars(lab: &Lab) -> Vec<Liar> {
    let mut liars = Vec::new();
    for of in [Side::Base, Side::Merged] {
        for half in HALVES {
            for op in 0..=lab.last_op() {
                liars.push(lab.first_liar(lab.words(of, half, op)));
            }
            liars.push(lab.first_liar([lab.off_by_one(of, half)]));
        }
    }
    liars
}

fn merge_liars(lab: &Lab) -> Vec<Liar> {
    let last = lab.facts.graph.parameters() as u32 - 1;
    let mut liars = Vec::new();
    for of in MODELS {
        for position in [0, last / 2, last] {
            let (weight, by) = (
                Lie::Weight {
                    of,
                    position,
                    by: 1,
                },
                1,
            );
            let entrants = 0..lab.facts.entrants;
            let terms = entrants.map(|entrant| Lie::Term {
                of,
                position,
                entrant,
                by,
            });
            liars.extend([lab.first_liar([weight]), lab.first_liar(terms)]);
        }
    }
    liars
}

fn part_liars(lab: &Lab) -> Vec<Liar> {
    let mut liars = Vec::new();
    for stage in STAGES {
        for group in [0, 7, 15] {
            let entrant = member(lab, stage);
            let of = PartOf {
                stage,
                entrant,
                group,
            };
            let lies = (1..30).flat_map(|by| [by, -by].map(|by| Lie::Part { of, by }));
            liars.push(lab.first_liar(lies));
        }
    }
    liars
}

fn gradient_liars(lab: &Lab) -> Vec<Liar> {
    let last = lab.facts.graph.parameters() as u32 - 1;
    let mut liars = Vec::new();
    for stage in STAGES {
        for (group, position) in [(0, last), (7, last / 2), (15, 0)] {
            liars.push(lab.first_liar([Lie::Gradient {
                stage,
                group,
                position,
                by: 1,
            }]));
        }
    }
    liars
}

/// One liar for every stage of a sample's forward and backward pass from which a word of a gradient follows.
fn backward_liars(lab: &Lab) -> Vec<Liar> {
    // The first and the last of what each op reads.
    let read = lab.facts.graph.parameters_read();
    let read = read.filter(|read| !read.is_empty()).map(|read| {
        let ends = read.end.saturating_sub(5).max(read.start)..read.end;
        let both = (read.start..read.end.min(read.start + 3)).chain(ends);
        both.map(|position| position as u32).collect::<Vec<u32>>()
    });
    let positions: BTreeSet<u32> = read.flatten().collect();
    let mut liars = Vec::new();
    for stage in 0..STAGES_OF_ALL {
        let of = STAGES[stage as usize % 3];
        let group = stage % 16;
        let sample = lab.facts.group(of, group).unwrap()[0];
        let lie = |at, position| Lie::Backward {
            stage: of,
            group,
            position,
            word: backward::Lie {
                sample,
                stage,
                at,
                by: 4_000,
                carries: true,
            },
        };
        let positions = positions.iter().rev();
        let mut lies = positions.flat_map(|position| (0..2).map(move |at| (at, *position)));
        liars.extend(lies.find_map(|(at, position)| {
            let lie = lie(at, position);
            Some((lie, lab.try_lie(lie)?))
        }));
    }
    liars
}

fn error_liars(lab: &Lab) -> Vec<Liar> {
    HALVES
        .map(|half| lab.first_liar([Lie::Losses { half }]))
        .into()
}

/// Liars who keep a member that should have left, or drop one that should have stayed.
fn membership_liars(lab: &Lab) -> Vec<(String, Agent)> {
    let right = &lab.table.passes[1].members;
    let of = |is: bool| (0..right.len()).filter(move |at| right[*at] == is);
    let swaps = of(false).flat_map(|out| of(true).map(move |member| (out, member)));
    let swaps = swaps.map(|(out, member)| {
        let mut members = right.clone();
        members.swap(out, member);
        let liar = lab.with_company(members);
        (format!("{member} dropped and {out} kept"), liar)
    });
    swaps.collect()
}

/// Liars who change a number of their table without any computation behind it.
fn forgers() -> Vec<(&'static str, Agent)> {
    type Forgery = fn(&mut ShareTable);
    let forgeries: [(&str, Forgery); 18] = [
        ("a midpoint", |table| table.passes[0].midpoint[0] ^= 1),
        ("a later midpoint", |table| {
            table.passes[1].midpoint[31] ^= 1
        }),
        ("a gradient", |table| table.passes[0].gradients[3][0] ^= 1),
        ("a later gradient", |table| {
            table.passes[1].gradients[15][0] ^= 1
        }),
        ("a part", |table| edit_part(table, 0, 1)),
        ("a later part", |table| edit_part(table, 1, -1)),
        ("parts that even out", |table| {
            edit_parts(table, 0, |parts| {
                parts[1] += 1_000;
                parts[2] -= 1_000;
            })
        }),
        ("a delta", |table| {
            table.passes[0].rows[1].delta_hash[0] ^= 1
        }),
        ("a part too few", |table| {
            edit_parts(table, 0, |parts| {
                let last = parts.pop().unwrap();
                *parts.last_mut().unwrap() += last;
            })
        }),
        ("parts of nobody", |table| {
            let pass = &mut table.passes[1];
            let out = pass.members.iter().position(|is| !*is).unwrap();
            pass.rows[out].parts = vec![1 << 20; 16].into();
        }),
        ("the merge", |table| merge(table).weights[0] ^= 1),
        ("a loss on A", |table| merge(table).on_a[1][3] -= 1),
        ("a loss of the base on A", |table| {
            merge(table).on_a[0][3] += 1
        }),
        ("a loss on B", |table| pay(table).on_b[1][2] -= 1),
        ("losses that even out", |table| {
            let losses = &mut pay(table).on_b[0];
            (losses[4], losses[5]) = (losses[4] + 9, losses[5] - 9);
        }),
        ("a gradient of the pay", |table| {
            pay(table).gradients[5][0] ^= 1
        }),
        ("a part of the pay", |table| {
            let mut rows = pay(table).rows.iter_mut();
            let row = rows.find(|row| !row.parts.is_empty()).unwrap();
            let mut parts = row.parts.to_vec();
            parts[9] += 1;
            row.parts = parts.into();
        }),
        ("parts of the pay for nobody", |table| {
            let mut rows = pay(table).rows.iter_mut();
            let row = rows.find(|row| row.parts.is_empty()).unwrap();
            row.parts = vec![1 << 20; 16].into();
        }),
    ];
    forgeries
        .into_iter()
        .map(|(what, forgery)| (what, Lab::get().standing_for(forgery)))
        .collect()
}

/// Changes the parts of a member's row.
fn edit_parts(table: &mut ShareTable, pass: usize, change: impl FnOnce(&mut Vec<i64>)) {
    let mut rows = table.passes[pass].rows.iter_mut();
    let row = rows.find(|row| !row.parts.is_empty()).unwrap();
    let mut parts = row.parts.to_vec();
    change(&mut parts);
    row.parts = parts.into();
}

fn edit_part(table: &mut ShareTable, pass: usize, by: i64) {
    edit_parts(table, pass, |parts| parts[2] += by);
}

/// Liars who put a number into their summary that their own table does not have.
fn summary_forgers() -> Vec<(&'static str, Agent)> {
    type Forgery = fn(&mut TableSummary);
    let forgeries: [(&str, Forgery); 11] = [
        ("the hash of rows", |summary| {
            of_pass(summary, 0, |pass| pass.rows.hash[0] ^= 1)
        }),
        ("the sum of values", |summary| {
            of_pass(summary, 1, |pass| pass.rows.sum.value -= 1)
        }),
        ("the sum of magnitudes", |summary| {
            of_pass(summary, 0, |pass| pass.rows.sum.magnitude += 1)
        }),
        ("the weight of a company", |summary| {
            of_pass(summary, 0, |pass| {
                pass.rows.sum.weight -= 1;
                pass.rows.sum.below = pass.rows.sum.below.saturating_sub(1);
            })
        }),
        ("a median, and sums that fit it", |summary| {
            of_pass(summary, 0, |pass| {
                pass.median_norm -= 1;
                pass.rows.sum.below = 0;
                pass.rows.sum.upto = pass.rows.sum.weight;
            })
        }),
        ("who was dropped last", |summary| {
            of_pass(summary, 0, |pass| {
                let last = pass.last_dropped.unwrap();
                pass.last_dropped = Some(if last == 0 { 1 } else { last - 1 });
            })
        }),
        ("the sum of losses on A", |summary| {
            let merge = summary.merge.as_mut().unwrap();
            merge.on_a.after.sum -= 1;
        }),
        ("the hash of losses on B", |summary| {
            let pay = summary.merge.as_mut().unwrap().pay.as_mut();
            pay.unwrap().on_b.before.hash[7] ^= 1;
        }),
        ("the error of the losses on A", |summary| {
            let merge = summary.merge.as_mut().unwrap();
            merge.on_a.standard_error = 0;
        }),
        ("the rows of the pay", |summary| {
            let pay = summary.merge.as_mut().unwrap().pay.as_mut();
            pay.unwrap().rows.sum.magnitude += 7;
        }),
        ("the gradients of the pay", |summary| {
            let pay = summary.merge.as_mut().unwrap().pay.as_mut();
            pay.unwrap().gradients[1] ^= 1;
        }),
    ];
    forgeries
        .into_iter()
        .map(|(what, forgery)| (what, Lab::get().forging(forgery)))
        .collect()
}

fn of_pass(summary: &mut TableSummary, number: usize, change: impl FnOnce(&mut PassSummary)) {
    let mut passes = summary.passes.to_vec();
    change(&mut passes[number]);
    summary.passes = passes.into();
}

#[test]
fn the_rounds_of_the_tests_have_everything() {
    for lab in labs() {
        let (table, summary) = (&lab.table, lab.table.summary());
        assert!(lab.facts.allow(&summary));
        assert!(table.passes.len() > 2);
        let pay = table.merge.as_ref().unwrap().pay.as_ref().unwrap();
        let merged = pay.rows.iter().filter(|row| !row.parts.is_empty()).count();
        assert!((2..table.records.len()).contains(&merged));
        // Some are clipped.
        let norms = table.records.iter().map(|record| (record.norm(), 1));
        let norms: Vec<_> = norms.collect();
        let median = weighted_median(norms.clone());
        assert!(norms.iter().any(|(norm, _)| *norm > median));
        assert!(table.records.iter().any(|record| record.is_proven));
        assert!(table.records.iter().any(|record| !record.is_proven));
        assert_eq!(lab.honest().accuse(&summary), None);
    }
}

fn is_convicted(what: &str, lab: &Lab, liar: &Agent) -> Verdict {
    let mut verdict = None;
    execute(|| {
        let issued = Balances::total_issuance();
        let honest = lab.honest();
        let id = dispute(liar, &honest);
        let closed = play(id, liar, &honest);
        assert!(closed.verdict.convicts(), "{what}: {:?}", closed.verdict);
        assert_eq!(closed.reward as i128, REWARD);
        assert_convicted(&accused(), &challenger());
        // Half of the stake is burned.
        assert_eq!(Balances::total_issuance(), issued - (STAKE - STAKE / 2));
        let moves = closed.answers + closed.picks;
        assert!(moves <= LONGEST_TRIAL, "{what}: {moves} moves");
        verdict = Some(closed.verdict);
    });
    verdict.unwrap()
}

/// Plays all of these liars' disputes; returns how many there are.
fn are_convicted(
    liars: impl Fn(&Lab) -> Vec<Liar>,
    is_expected: impl Fn(&Lie, &Verdict) -> bool,
) -> usize {
    let mut convicted = 0;
    for lab in labs() {
        for (lie, liar) in liars(lab) {
            let what = format!("{lie:?}");
            let verdict = is_convicted(&what, lab, &liar);
            assert!(is_expected(&lie, &verdict), "{what}: {verdict:?}");
            convicted += 1;
        }
    }
    convicted
}

#[test]
fn who_lies_about_a_word_is_convicted_of_it() {
    let is_of_op = |lie: &Lie, verdict: &Verdict| match (lie, verdict) {
        (Lie::Word { op, at, .. }, Verdict::Refuted(Step::Loss(step))) => {
            (*op, *at) == (step.op, step.at)
        }
        _ => false,
    };
    assert!(are_convicted(word_liars, is_of_op) > 4 * 20);
}

#[test]
fn who_lies_about_a_merge_is_convicted_of_it() {
    let is_of_weight = |lie: &Lie, verdict: &Verdict| match (lie, verdict) {
        (Lie::Weight { of, position, .. }, Verdict::Refuted(step)) => {
            matches!(step, Step::Weight { of: found, position: place, .. }
                if (found, place) == (of, position))
        }
        (
            Lie::Term {
                position, entrant, ..
            },
            Verdict::Refuted(step),
        ) => {
            matches!(step, Step::Term { position: place, entrant: found, .. }
                if (place, found) == (position, entrant))
        }
        _ => false,
    };
    assert_eq!(are_convicted(merge_liars, is_of_weight), 2 * 18);
}

#[test]
fn who_lies_about_a_part_of_a_row_is_convicted_of_it() {
    let is_of_part = |lie: &Lie, verdict: &Verdict| match (lie, verdict) {
        (Lie::Part { of, .. }, Verdict::Refuted(Step::Product { of: found, .. })) => of == found,
        _ => false,
    };
    assert_eq!(are_convicted(part_liars, is_of_part), 2 * 9);
}

#[test]
fn who_lies_about_a_word_of_a_gradient_has_no_answer() {
    let is_silent = |_: &Lie, verdict: &Verdict| *verdict == Verdict::Unanswered;
    assert_eq!(are_convicted(gradient_liars, is_silent), 2 * 9);
}

/// It says that one sample adds the missing amount. No computation leads to that.
#[test]
fn who_invents_what_a_sample_adds_is_convicted_of_it() {
    for lab in labs() {
        for (lie, liar) in gradient_liars(lab) {
            execute(|| {
                let honest = lab.honest();
                let id = dispute(&liar, &honest);
                while let Some(now) = get(id) {
                    if now.trial.awaits_answer() {
                        let shown = inventing(&honest, now.trial.clone());
                        let shown = shown.or_else(|| liar.answer(&now.trial));
                        assert_ok!(answer(&accused(), id, shown.unwrap()));
                    } else {
                        assert!(step(id, &liar, &honest));
                    }
                    next_block();
                }
                let Some(Verdict::Refuted(Step::Gradient { stage, group, step })) = verdict(id)
                else {
                    panic!("{lie:?}: {:?}", verdict(id));
                };
                let backward::Step::Contribution {
                    position,
                    claimed,
                    found,
                    ..
                } = step
                else {
                    panic!("{lie:?}: {step:?}");
                };
                let by = claimed - found;
                let found = Lie::Gradient {
                    stage,
                    group,
                    position,
                    by,
                };
                assert_eq!(found, lie);
                assert_convicted(&accused(), &challenger());
            });
        }
    }
}

/// What an honest party would show for a word of a gradient that is one less, with one more for the first sample.
fn inventing(honest: &Agent, mut trial: Trial) -> Option<Answer> {
    let Statement::Gradient { word, .. } = &mut trial.statement else {
        return None;
    };
    let is_of_all = match word {
        backward::Statement::Gradient { value, .. } => {
            *value -= 1;
            true
        }
        backward::Statement::Sample { value, .. } | backward::Statement::Reader { value, .. } => {
            *value -= 1;
            false
        }
        _ => return None,
    };
    let mut shown = honest.answer(&trial)?;
    match &mut shown {
        Answer::Gradient(backward::Answer::Samples(added)) if is_of_all => added[0] += 1,
        // What two ops that read it add.
        Answer::Gradient(backward::Answer::Readers(added)) => added[0] += 1,
        _ => {}
    }
    Some(shown)
}

#[test]
fn who_lies_about_a_word_on_its_way_back_is_convicted_of_it() {
    let is_of_word = |lie: &Lie, verdict: &Verdict| match (lie, verdict) {
        (Lie::Backward { word, .. }, Verdict::Refuted(Step::Gradient { step, .. })) => {
            matches!(step, backward::Step::Word { sample, stage, at, .. }
                if (*sample, *stage, *at) == (word.sample, word.stage, word.at))
        }
        _ => false,
    };
    // Words of the backward pass, not only those of the forward pass before it.
    let back = Cell::new(0);
    let liars = |lab: &Lab| {
        let liars = backward_liars(lab);
        let last = lab.last_op();
        let is_back =
            |(lie, _): &&Liar| matches!(lie, Lie::Backward { word, .. } if word.stage > last);
        back.set(back.get() + liars.iter().filter(is_back).count());
        liars
    };
    assert!(are_convicted(liars, is_of_word) > 120);
    assert!(back.get() > 100, "{}", back.get());
}

#[test]
fn who_lies_about_a_standard_error_is_convicted_of_it() {
    let is_of_half = |lie: &Lie, verdict: &Verdict| match lie {
        Lie::Losses { half } => *verdict == Verdict::Refuted(Step::Losses(*half)),
        _ => false,
    };
    assert_eq!(are_convicted(error_liars, is_of_half), 4);
}

#[test]
fn who_lies_about_the_company_is_convicted_of_it() {
    for lab in labs() {
        for (what, liar) in membership_liars(lab) {
            let verdict = is_convicted(&what, lab, &liar);
            let is_of_row = matches!(verdict, Verdict::Refuted(Step::Row(Stage::Pass(0), _)));
            assert!(is_of_row, "{what}: {verdict:?}");
        }
    }
}

#[test]
fn who_forges_a_table_is_convicted() {
    let verdicts = forgers().into_iter().chain(summary_forgers());
    let verdicts = verdicts.map(|(what, liar)| (what, is_convicted(what, Lab::get(), &liar)));
    let verdicts: BTreeMap<_, _> = verdicts.collect();
    assert_eq!(verdicts.len(), 18 + 11);
    // The pieces of a part make a different part; a row has too much or too little in it.
    for what in [
        "a part",
        "a later part",
        "parts that even out",
        "a part of the pay",
    ] {
        let of_part = matches!(verdicts[what], Verdict::Refuted(Step::Part(_)));
        assert!(of_part, "{what}: {:?}", verdicts[what]);
    }
    for what in [
        "a delta",
        "a part too few",
        "parts of nobody",
        "parts of the pay for nobody",
    ] {
        let of_row = matches!(verdicts[what], Verdict::Refuted(Step::Row(..)));
        assert!(of_row, "{what}: {:?}", verdicts[what]);
    }
}

/// All parties that were accused above now challenge an honest one.
#[test]
fn nobody_honest_is_convicted() {
    let lab = Lab::get();
    let liars = [
        word_liars(lab).into_iter().step_by(5).collect(),
        merge_liars(lab).into_iter().step_by(3).collect(),
        part_liars(lab),
        gradient_liars(lab),
        backward_liars(lab).into_iter().step_by(3).collect(),
        error_liars(lab),
    ];
    let liars = liars.into_iter().flat_map(|liars: Vec<Liar>| liars);
    let named = liars.map(|(lie, liar)| (format!("{lie:?}"), liar));
    let forgers = forgers()
        .into_iter()
        .map(|(what, liar)| (what.into(), liar));
    let all = named.chain(membership_liars(lab)).chain(forgers);
    let mut lost = 0;
    for (what, liar) in all {
        // Parties that only forged a number of their summary have everything else right.
        if liar.accuse(honest().summary()).is_none() {
            continue;
        }
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
        lost += 1;
    }
    assert!(lost > 50, "{lost}");
}
