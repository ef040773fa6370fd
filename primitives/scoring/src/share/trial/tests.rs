//! Liars are convicted, honest parties never are.

use super::*;
use crate::gradient::Differentiator;
use crate::merge::Merge;
use crate::merkle::{Branch, Carry, Node, Proof};
use crate::share::company::worth;
use crate::share::fixture::{Dice, Fixture};
use crate::share::record::EntrantRecord;
use crate::share::round::{root, rows as values_into_rows};
use crate::share::table::{gradient_tree, Row, RowSums, ShareTable, TablePass};
use crate::share::{groups, share_table, GROUPS};
use crate::trial::{backward, Layout, ProvedChunk, Refusal, Side, Term, Tiles};
use crate::{Cnn, Convolution, Graph, Image, Pool, Reference, Transformer, Window};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// How a trial ended.
#[derive(Debug, PartialEq)]
enum End {
    Convicted(Step),
    /// The accused had no acceptable answer.
    Silent(Refusal),
    Upheld,
    /// The challenger doubted what cannot be doubted, or found nothing more to doubt.
    Dropped,
}

impl End {
    fn is_conviction(&self) -> bool {
        matches!(self, Self::Convicted(_) | Self::Silent(_))
    }
}

/// Plays a trial about `summary` to its end; returns how it ended, and how many answers it took.
fn play(
    facts: &RoundFacts,
    summary: &TableSummary,
    [accused, challenger]: [&mut Player; 2],
    accusation: Accusation,
) -> (End, u32) {
    match Trial::open(facts, summary, accusation) {
        Ok(trial) => play_on(facts, summary, [accused, challenger], trial),
        Err(_) => (End::Dropped, 0),
    }
}

fn play_on(
    facts: &RoundFacts,
    summary: &TableSummary,
    [accused, challenger]: [&mut Player; 2],
    mut trial: Trial,
) -> (End, u32) {
    let mut answers = 0;
    loop {
        assert!(trial.encoded_size() <= Trial::max_encoded_len());
        assert_eq!(Trial::decode(&mut &trial.encode()[..]), Ok(trial.clone()));
        if !trial.awaits_answer() {
            let Some(pick) = challenger.pick(&mut Reference, summary, &trial) else {
                return (End::Dropped, answers);
            };
            match trial.pick(facts, summary, &pick) {
                Ok(next) => trial = next,
                Err(_) => return (End::Dropped, answers),
            }
            continue;
        }
        let Some(answer) = accused.answer(&mut Reference, &trial) else {
            return (End::Silent(Refusal::NoSuchPlace), answers);
        };
        answers += 1;
        match trial.answer(facts, summary, &answer) {
            Ok(Ruling::Continues(next)) => trial = next,
            Ok(Ruling::Upheld) => return (End::Upheld, answers),
            Ok(Ruling::Refuted(step)) => return (End::Convicted(step), answers),
            Err(refusal) => return (End::Silent(refusal), answers),
        }
    }
}

/// Whether the liar's summary is refused by the chain, or it is convicted of it; and the liar wins nothing against the
/// honest table. `Ok(false)` if the two summaries are equal.
fn is_convicted(
    fixture: &Fixture,
    liar: &mut Player,
    summary: &TableSummary,
) -> Result<bool, TestCaseError> {
    let (facts, mut honest) = (&fixture.facts, fixture.honest());
    if summary == honest.summary() {
        return Ok(false);
    }
    if !facts.allow(summary) {
        return Ok(true);
    }
    let accusation = honest.accuse(summary);
    prop_assert!(accusation.is_some(), "nothing to doubt");
    let accusation = accusation.unwrap();
    let (end, answers) = play(facts, summary, [liar, &mut honest], accusation);
    prop_assert!(end.is_conviction(), "{:?}: {:?}", accusation, end);
    prop_assert!(answers <= 12, "{:?}: {} answers", accusation, answers);
    if let Some(accusation) = liar.accuse(honest.summary()) {
        let (end, _) = play(
            facts,
            fixture.honest().summary(),
            [&mut honest, liar],
            accusation,
        );
        prop_assert!(!end.is_conviction(), "{:?}: {:?}", accusation, end);
    }
    Ok(true)
}

fn any_fixture() -> impl Strategy<Value = Fixture> {
    let small = (1u32..30, 1u32..16, 2u32..6).prop_map(|(i, h, c)| Graph::mlp(&[i, h, c]));
    // Several tiles and chunks.
    let large = (300u32..400, 8u32..16).prop_map(|(i, h)| Graph::mlp(&[i, h, 3]));
    let graphs = prop_oneof![6 => small, 1 => large, 1 => Just(language()), 1 => Just(images())];
    (graphs, 2u32..70, 1u32..12, any::<u64>())
        .prop_map(|(graph, samples, entrants, seed)| Fixture::of(graph, samples, entrants, seed))
}

fn language() -> Graph {
    Graph::transformer(&Transformer {
        vocab: 5,
        tokens: 4,
        width: 6,
        heads: 2,
        hidden: 7,
        layers: 1,
        tied: true,
    })
}

fn images() -> Graph {
    let window = Window {
        size: 3,
        stride: 1,
        padding: 1,
    };
    Graph::cnn(&Cnn {
        image: Image {
            height: 6,
            width: 5,
            channels: 1,
        },
        convolutions: vec![Convolution {
            channels: 4,
            window,
            pool: Pool::Max(2),
        }],
        hidden: vec![7],
        classes: 3,
    })
}

/// A round in which something is merged, after more than one pass.
fn rich() -> Fixture {
    let seeds = (0..200).map(|seed| Fixture::mlp(&[9, 8, 4], 50, 11, seed));
    let mut rich = seeds
        .filter(|fixture| fixture.table.passes.len() > 2 && fixture.round.merged_pass.is_some());
    rich.next().unwrap()
}

/// The table of a party that claims a different company from pass `from` on, and computes everything else from it.
fn with_company(
    fixture: &Fixture,
    from: usize,
    members: Vec<bool>,
    median: Option<u64>,
) -> ShareTable {
    let mut table = fixture.table.clone();
    let mut company = fixture.company(members);
    if let Some(median) = median {
        company.median_norm = median;
    }
    let (facts, entrants) = (&fixture.facts, fixture.entrants());
    let [a, _] = crate::share::halves(&facts.half_seed, facts.samples);
    let a = fixture.samples.select(&a);
    let parts = company.values(&mut Reference, &facts.graph, &fixture.base, &a, &entrants);
    let midpoint = Merge::new(&fixture.base, &company.parts(&entrants)).midpoint();
    let mut gradients = Vec::new();
    let groups: Vec<_> = groups(a.len()).collect();
    Reference
        .gradients(&facts.graph, &midpoint, &a, &groups, &mut |_, words| {
            gradients.push(gradient_tree(words).root().hash)
        })
        .unwrap();
    let old = table.passes[from].clone();
    table.passes[from] = TablePass {
        members: company.members.clone(),
        median_norm: company.median_norm,
        last_dropped: old.last_dropped,
        midpoint: root(&midpoint),
        gradients,
        rows: values_into_rows(&parts.unwrap(), &fixture.hashes),
    };
    table
}

#[test]
fn every_edit_of_a_table_is_convicted() {
    let fixture = rich();
    type Edit = fn(&mut ShareTable, usize);
    let edits: &[(&str, Edit)] = &[
        ("a part", |table, row| table.edit_part(0, row, 1)),
        ("a part of a later pass", |table, row| {
            table.edit_part(1, row, -1)
        }),
        ("a large part", |table, row| {
            table.edit_part(0, row, 1 << 45)
        }),
        ("a delta", |table, row| {
            table.passes[0].rows[row].delta_hash[0] ^= 1
        }),
        ("a part too few", |table, row| {
            let parts = table.passes[0].rows[row].parts.to_vec();
            table.passes[0].rows[row].parts = parts[1..].to_vec().into();
        }),
        ("a row without parts", |table, row| {
            table.passes[1].rows[row].parts = Vec::new().into()
        }),
        ("parts of nobody", |table, row| {
            table.passes[2].rows[row].parts = vec![3; 16].into()
        }),
        ("a median", |table, _| table.passes[0].median_norm += 1),
        ("a smaller median", |table, _| {
            table.passes[1].median_norm -= 1
        }),
        ("the last dropped", |table, row| {
            table.passes[0].last_dropped = Some(row as u32)
        }),
        ("the last dropped later", |table, row| {
            table.passes[1].last_dropped = Some(row as u32)
        }),
        ("a member too few", |table, row| {
            table.passes[1].members[row] ^= true
        }),
        ("another member", |table, _| {
            let pass = &mut table.passes[1];
            let out = pass.members.iter().position(|is| *is).unwrap();
            let back = pass.members.iter().position(|is| !*is).unwrap();
            pass.members.swap(out, back);
        }),
        ("a midpoint", |table, _| table.passes[1].midpoint[0] ^= 1),
        ("a gradient", |table, _| {
            table.passes[1].gradients[3][0] ^= 1
        }),
        ("a gradient of the pay", |table, _| {
            pay(table).gradients[0][0] ^= 1
        }),
        ("a part of the pay", |table, row| {
            let parts = &mut pay(table).rows[row].parts;
            let mut changed = parts.to_vec();
            if let Some(part) = changed.first_mut() {
                *part += 1000;
            }
            *parts = changed.into();
        }),
        ("a row of the pay", |table, row| {
            pay(table).rows[row] = Row::default()
        }),
        ("parts of the pay for nobody", |table, row| {
            pay(table).rows[row].parts = vec![1 << 20; 16].into()
        }),
        ("the merge", |table, _| merge(table).weights[0] ^= 1),
        ("a loss on A", |table, _| merge(table).on_a[1][3] -= 1),
        ("a loss of the base on A", |table, _| {
            merge(table).on_a[0][3] += 1
        }),
        ("a loss on B", |table, _| pay(table).on_b[1][2] -= 1),
        ("a pass too few", |table, _| {
            table.passes.pop();
        }),
        ("no pay", |table, _| merge(table).pay = None),
        ("no merge", |table, _| table.merge = None),
    ];
    let mut convicted = 0;
    for (what, edit) in edits {
        for row in 0..fixture.deltas.len() {
            let mut table = fixture.table.clone();
            edit(&mut table, row);
            let mut liar = fixture.player(table);
            let summary = liar.summary().clone();
            match is_convicted(&fixture, &mut liar, &summary) {
                Ok(is) => convicted += u32::from(is),
                Err(error) => panic!("{what} of {row}: {error}"),
            }
        }
    }
    assert!(convicted > 200, "{convicted}");
}

#[test]
fn a_round_merged_at_another_outer_rate_is_convicted() {
    let fixture = rich();
    let right = fixture.facts.terms.outer_rate_q8;
    for rate in [right / 2, right - 1, right + 1, 2 * right] {
        let mut facts = fixture.facts.clone();
        facts.terms.outer_rate_q8 = rate;
        let (_, table) = share_table(
            &mut Reference,
            &facts.graph,
            &fixture.base,
            &fixture.samples,
            &facts.half_seed,
            &fixture.entrants(),
            &fixture.hashes,
            &facts.terms,
        )
        .unwrap();
        let (base, held) = (fixture.base.clone(), fixture.held.clone());
        let mut liar = Player::new(facts, base, held, fixture.deltas.clone(), table).unwrap();
        let summary = liar.summary().clone();
        assert!(is_convicted(&fixture, &mut liar, &summary).unwrap());

        // One of its numbers in the honest table.
        let mixes: [fn(&mut ShareTable, &ShareTable); 3] = [
            |table, other| table.passes[0].midpoint = other.passes[0].midpoint,
            |table, other| table.passes[0].rows = other.passes[0].rows.clone(),
            |table, other| {
                if let (Some(own), Some(other)) = (&mut table.merge, &other.merge) {
                    own.weights = other.weights;
                }
            },
        ];
        for mix in mixes {
            let mut mixed = fixture.table.clone();
            mix(&mut mixed, &liar.table);
            let mut liar = fixture.player(mixed);
            let summary = liar.summary().clone();
            assert!(is_convicted(&fixture, &mut liar, &summary).unwrap());
        }
    }
}

impl ShareTable {
    fn edit_part(&mut self, pass: usize, row: usize, by: i64) {
        let parts = &mut self.passes[pass].rows[row].parts;
        let mut changed = parts.to_vec();
        if let Some(part) = changed.get_mut(2) {
            *part += by;
        }
        *parts = changed.into();
    }
}

fn merge(table: &mut ShareTable) -> &mut crate::share::table::TableMerge {
    table.merge.as_mut().unwrap()
}

fn pay(table: &mut ShareTable) -> &mut crate::share::table::TablePay {
    merge(table).pay.as_mut().unwrap()
}

/// Everything else is computed correctly from a wrong company: it is the company that gets the accused convicted.
#[test]
fn a_company_that_was_chosen_wrongly_is_convicted() {
    let fixture = rich();
    let right = &fixture.table.passes[1].members;
    let outs: Vec<usize> = (0..right.len()).filter(|at| !right[*at]).collect();
    let ins: Vec<usize> = (0..right.len()).filter(|at| right[*at]).collect();
    let mut tried = 0;
    for (out, back) in outs
        .iter()
        .flat_map(|out| ins.iter().map(move |back| (*out, *back)))
    {
        let mut members = right.clone();
        members.swap(out, back);
        for last in [None, Some(back as u32), Some(out as u32)] {
            let mut table = with_company(&fixture, 1, members.clone(), None);
            table.passes[0].last_dropped = last.or(table.passes[0].last_dropped);
            let mut liar = fixture.player(table);
            let summary = liar.summary().clone();
            let (facts, mut honest) = (&fixture.facts, fixture.honest());
            let accusation = honest.accuse(liar.summary()).unwrap();
            assert!(matches!(accusation, Accusation::Row(Stage::Pass(0), _)));
            let (end, answers) = play(facts, &summary, [&mut liar, &mut honest], accusation);
            assert!(matches!(end, End::Convicted(Step::Row(..))), "{end:?}");
            assert_eq!(answers, 1);
            tried += 1;
        }
    }
    assert!(tried > 5, "{tried}");
}

/// A wrong median, with everything that follows from it, and with sums at the root that would fit it.
#[test]
fn a_wrong_median_is_convicted() {
    let fixture = rich();
    let right = fixture.table.passes[0].median_norm;
    let (facts, mut honest) = (&fixture.facts, fixture.honest());
    let norms = fixture.table.records.iter().map(EntrantRecord::norm);
    for median in norms
        .chain([1, right - 1, right + 1])
        .filter(|norm| *norm != right)
    {
        let table = with_company(&fixture, 0, vec![true; fixture.deltas.len()], Some(median));
        let mut liar = fixture.player(table);
        assert!(!facts.allow(liar.summary()));
        // Sums that would fit.
        let mut summary = liar.summary().clone();
        let mut passes = summary.passes.to_vec();
        let sums = &mut passes[0].rows.sum;
        (sums.below, sums.upto) = (0, sums.weight);
        sums.bad = fixture.table.summary().passes[0].rows.sum.bad;
        summary.passes = passes.into();
        if !facts.allow(&summary) {
            continue;
        }
        let accusation = honest.accuse(&summary).unwrap();
        assert_eq!(accusation, Accusation::Rows(Stage::Pass(0)));
        let (end, _) = play(facts, &summary, [&mut liar, &mut honest], accusation);
        assert!(end.is_conviction(), "{end:?}");
    }
}

/// A liar who misstates the weight of one row can make all values follow from it: that row is doubted before any other.
#[test]
fn a_false_weight_is_doubted_before_what_follows_from_it() {
    let fixture = rich();
    let (facts, mut honest) = (&fixture.facts, fixture.honest());
    let stage = Stage::Pass(0);
    let tree = fixture.table.rows_tree(stage).unwrap();
    let mut rows = tree.nodes(0, 0, fixture.deltas.len() as u32);
    // Values that follow, and the weight that they follow from.
    rows[0].hash[0] ^= 1;
    let last = rows.len() - 1;
    rows[last].sum.weight += 64;
    rows[last].sum.upto += 64;
    let sums = rows.iter().map(|row| row.sum).reduce(Carry::join).unwrap();
    let mut summary = fixture.honest().summary().clone();
    let mut passes = summary.passes.to_vec();
    passes[0].rows.sum = sums;
    summary.passes = passes.into();
    let accusation = honest.accuse(&summary).unwrap();
    assert_eq!(accusation, Accusation::Rows(stage));
    let mut trial = Trial::open(facts, &summary, accusation).unwrap();
    trial.shown = Some(Shown::RowNodes(rows));
    let pick = honest.pick(&mut Reference, &summary, &trial);
    assert_eq!(pick, Some(Pick::Nth(last as u32)));
    // No row has this weight: whatever the accused shows of it, it is convicted.
    let trial = trial.pick(facts, &summary, &pick.unwrap()).unwrap();
    let mut accused = fixture.honest();
    let (end, _) = play_on(facts, &summary, [&mut accused, &mut honest], trial);
    assert!(end.is_conviction(), "{end:?}");
}

/// Every kind of lie, told in many places, ends at its own step.
#[test]
fn deep_lies_are_convicted() {
    let fixture = rich();
    let (facts, dice) = (&fixture.facts, Dice::new(5));
    let mut told = [0; 8];
    for _ in 0..30 {
        let position = dice.below(fixture.base.len() as u32);
        let number = dice.below(fixture.table.passes.len() as u32) as u8;
        let members = &fixture.table.passes[usize::from(number)].members;
        let entrant = members.iter().position(|is| *is).unwrap() as u32;
        let (pass, group) = (Stage::Pass(number), dice.below(16));
        let of = [Model::Midpoint(number), Model::Merged][dice.below(2) as usize];
        let mut lies = vec![
            Lie::Weight {
                of,
                position,
                by: 1,
            },
            Lie::Term {
                of,
                position,
                entrant,
                by: 1,
            },
        ];
        for stage in [pass, Stage::Pay] {
            let of = PartOf {
                stage,
                entrant,
                group,
            };
            let by = 1 + i64::from(dice.below(40));
            lies.push(Lie::Part {
                of,
                by: if dice.below(2) == 0 { by } else { -by },
            });
            lies.push(Lie::Gradient {
                stage,
                group,
                position,
                by: 1,
            });
            let samples = facts.group(stage, group).unwrap();
            let op = dice.below(facts.graph.ops.len() as u32 - 1);
            let word = backward::Lie {
                sample: samples[dice.below(samples.len() as u32) as usize],
                stage: op,
                at: dice
                    .below(Layout::of(&facts.graph).op(op).unwrap().words)
                    .into(),
                by: 4000,
                carries: true,
            };
            let positions = (0..6).map(|_| dice.below(fixture.base.len() as u32));
            lies.extend(positions.map(|position| Lie::Backward {
                stage,
                group,
                position,
                word,
            }));
        }
        for half in [Half::A, Half::B] {
            for of in [Side::Base, Side::Merged] {
                let op = dice.below(facts.graph.ops.len() as u32);
                lies.push(Lie::Word {
                    of,
                    sample: facts
                        .sample(half, dice.below(half.count(facts.samples)))
                        .unwrap(),
                    op,
                    at: dice.below(Layout::of(&facts.graph).op(op).unwrap().words),
                    by: 400,
                    carries: true,
                });
            }
            lies.push(Lie::Losses { half });
        }
        for lie in lies {
            let Some(mut liar) = Player::lying(fixture.honest(), &mut Reference, lie) else {
                continue;
            };
            let end = end_of(&fixture, &mut liar);
            let (kind, is_step) = match lie {
                Lie::Part { of, .. } => (
                    0,
                    matches!(end, End::Convicted(Step::Product { of: found, .. }) if found == of),
                ),
                Lie::Gradient { .. } => (1, end == End::Silent(Refusal::NotTheInside)),
                Lie::Backward { .. } => (2, matches!(end, End::Convicted(Step::Gradient { .. }))),
                Lie::Weight {
                    of: Model::Merged, ..
                } => (3, matches!(end, End::Convicted(Step::Weight { .. }))),
                Lie::Weight { .. } => (4, matches!(end, End::Convicted(Step::Weight { .. }))),
                Lie::Term { .. } => (5, matches!(end, End::Convicted(Step::Term { .. }))),
                Lie::Word { .. } => (6, matches!(end, End::Convicted(Step::Loss(_)))),
                Lie::Losses { half } => (7, end == End::Convicted(Step::Losses(half))),
            };
            assert!(is_step, "{lie:?}: {end:?}");
            told[kind] += 1;
        }
    }
    assert!(told.iter().all(|count| *count > 5), "{told:?}");
}

#[test]
fn a_lie_about_nothing_is_no_lie() {
    let fixture = rich();
    let lying = |lie| Player::lying(fixture.honest(), &mut Reference, lie);
    let parameters = fixture.base.len() as u32;
    let nobody = PartOf {
        stage: Stage::Pass(0),
        entrant: fixture.facts.entrants,
        group: 0,
    };
    let out = fixture.table.passes[1]
        .members
        .iter()
        .position(|is| !*is)
        .unwrap() as u32;
    let dropped = PartOf {
        stage: Stage::Pass(1),
        entrant: out,
        group: 0,
    };
    let group = GROUPS as u32;
    let no_group = PartOf {
        group,
        entrant: 0,
        ..nobody
    };
    let of = Model::Midpoint(1);
    let nothing = [
        Lie::Part { of: nobody, by: 9 },
        Lie::Part { of: dropped, by: 9 },
        Lie::Part {
            of: no_group,
            by: 9,
        },
        Lie::Part {
            of: PartOf {
                entrant: 0,
                ..nobody
            },
            by: 0,
        },
        Lie::Gradient {
            stage: Stage::Pay,
            group,
            position: 0,
            by: 1,
        },
        Lie::Gradient {
            stage: Stage::Pay,
            group: 0,
            position: parameters,
            by: 1,
        },
        Lie::Weight {
            of: Model::Midpoint(8),
            position: 0,
            by: 1,
        },
        Lie::Weight {
            of,
            position: parameters,
            by: 1,
        },
        Lie::Term {
            of,
            position: 0,
            entrant: out,
            by: 1,
        },
        Lie::Word {
            of: Side::Base,
            sample: fixture.facts.samples,
            op: 0,
            at: 0,
            by: 1,
            carries: true,
        },
    ];
    for lie in nothing {
        assert!(lying(lie).is_none(), "{lie:?}");
    }
    // In a round that merges nothing there is less to lie about.
    let nothing_merged = Fixture::mlp(&[5, 4, 3], 2, 3, 1);
    for lie in [
        Lie::Losses { half: Half::A },
        Lie::Weight {
            of: Model::Merged,
            position: 0,
            by: 1,
        },
    ] {
        assert!(Player::lying(nothing_merged.honest(), &mut Reference, lie).is_none());
    }
}

/// A product and a gradient of more tiles than one answer shows.
#[test]
fn lies_about_a_large_model_are_convicted() {
    let fixture = Fixture::mlp(&[1999, 70, 3], 4, 3, 1);
    assert!(fixture.base.len() > 256 * 512);
    let (stage, group) = (Stage::Pass(0), 1);
    for position in [0, 700, 70_001, fixture.base.len() as u32 - 1] {
        let lie = Lie::Gradient {
            stage,
            group,
            position,
            by: 1,
        };
        let mut liar = Player::lying(fixture.honest(), &mut Reference, lie).unwrap();
        assert_eq!(
            end_of(&fixture, &mut liar),
            End::Silent(Refusal::NotTheInside)
        );
        let entrant = (fixture.table.passes[0].members.iter())
            .position(|is| *is)
            .unwrap() as u32;
        let of = PartOf {
            stage,
            entrant,
            group,
        };
        let mut liar = fixture.honest();
        let tile = position / 512;
        liar.overlay.product = Some((of, tile, 1 << 62));
        let products = liar.all_products(&mut Reference, of).unwrap();
        let record = &fixture.table.records[entrant as usize];
        let summary = fixture.table.summary();
        let factor = fixture.facts.factor(summary.passes[0].median_norm, record);
        let weight = summary.passes[0].rows.sum.weight;
        let part = worth(products.into_iter().sum(), record.weight, factor, weight);
        let honest = fixture.table.passes[0].rows[entrant as usize].parts[group as usize];
        assert_ne!(part, honest);
        // Starts at the part: the whole row is another matter.
        let trial = Trial::awaiting(Statement::Part { of, part });
        let players = [&mut liar, &mut fixture.honest()];
        let (end, answers) = play_on(&fixture.facts, &summary, players, trial);
        let is_tile =
            matches!(end, End::Convicted(Step::Product { tile: found, .. }) if found == tile);
        assert!(is_tile && (2..=3).contains(&answers), "{end:?}");
    }
}

/// How the trial of a liar ends.
fn end_of(fixture: &Fixture, liar: &mut Player) -> End {
    let (summary, mut honest) = (liar.summary().clone(), fixture.honest());
    assert!(fixture.facts.allow(&summary));
    let accusation = honest.accuse(&summary).unwrap();
    let players = [liar, &mut honest];
    let (end, answers) = play(&fixture.facts, &summary, players, accusation);
    assert!(answers <= 12);
    end
}

/// What a dispute asks for twice is computed once.
#[test]
fn the_last_gradient_is_kept() {
    struct Counting(u32);
    impl crate::gradient::Differentiator for Counting {
        fn gradients(
            &mut self,
            graph: &Graph,
            weights: &[i16],
            samples: &crate::Samples,
            groups: &[core::ops::Range<usize>],
            see: &mut dyn FnMut(usize, &[i64]),
        ) -> Result<(), crate::EvalError> {
            self.0 += 1;
            Reference.gradients(graph, weights, samples, groups, see)
        }
    }
    let fixture = rich();
    let (mut player, mut counting) = (fixture.honest(), Counting(0));
    for (stage, group, computed) in [
        (Stage::Pay, 3, 1),
        (Stage::Pay, 3, 1),
        (Stage::Pay, 4, 2),
        (Stage::Pass(0), 4, 3),
    ] {
        let words = player.gradient(&mut counting, stage, group).unwrap();
        assert_eq!(counting.0, computed);
        let (_, roots) = fixture.table.measured(stage).unwrap();
        assert_eq!(gradient_tree(&words).root().hash, roots[group as usize]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// A single bit of the summary is wrong, in any of its numbers.
    #[test]
    fn a_changed_summary_is_refused_or_convicted(fixture in any_fixture(), bits in proptest::collection::vec(any::<Index>(), 60)) {
        let mut honest = fixture.honest();
        for bit in bits {
            let mut bytes = honest.summary().encode();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(summary) = TableSummary::decode(&mut &bytes[..]) {
                prop_assert!(is_convicted(&fixture, &mut honest, &summary)?);
            }
        }
    }

    /// A single bit of a row is wrong, and all roots follow from it.
    #[test]
    fn a_changed_row_is_refused_or_convicted(
        fixture in any_fixture(), picks in proptest::collection::vec((any::<Index>(), any::<Index>(), any::<Index>()), 12)
    ) {
        for (stage, row, bit) in picks {
            let mut table = fixture.table.clone();
            let stage = stage.index(table.passes.len() + 1);
            let rows = match table.passes.get_mut(stage) {
                Some(pass) => &mut pass.rows,
                None if fixture.round.merged_pass.is_some() => &mut pay(&mut table).rows,
                None => continue,
            };
            let row = row.index(rows.len());
            let mut bytes = rows[row].encode();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = Row::decode(&mut &bytes[..]) else { continue };
            rows[row] = changed;
            let mut liar = fixture.player(table);
            let summary = liar.summary().clone();
            prop_assert!(is_convicted(&fixture, &mut liar, &summary)?);
        }
    }

    /// An honest party answers every doubt, however absurd, and is never convicted. No other answer is accepted as right.
    #[test]
    fn the_honest_are_never_convicted(fixture in any_fixture(), seed in any::<u64>(), bit in any::<Index>()) {
        let (facts, mut honest, dice) = (&fixture.facts, fixture.honest(), Dice::new(seed));
        let summary = &honest.summary().clone();
        for accusation in accusations(facts, summary, &dice) {
            let mut trial = Trial::open(facts, summary, accusation).unwrap();
            loop {
                let answer = honest.answer(&mut Reference, &trial).expect("an answer to everything");
                prop_assert_eq!(Answer::decode(&mut &answer.encode()[..]), Ok(answer.clone()));
                let mut bytes = answer.encode();
                let at = bit.index(bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
                if let Ok(changed) = Answer::decode(&mut &bytes[..]) {
                    let ruling = trial.answer(facts, summary, &changed);
                    prop_assert!(ruling != Ok(Ruling::Upheld) || changed == answer);
                }
                match trial.answer(facts, summary, &answer) {
                    Ok(Ruling::Continues(next)) => trial = any_pick(facts, summary, &next, &dice),
                    Ok(Ruling::Upheld) => break,
                    other => prop_assert!(false, "{:?}: {:?}", trial.statement, other),
                }
            }
        }
    }
}

/// Every kind of accusation that can be made.
fn accusations(facts: &RoundFacts, summary: &TableSummary, dice: &Dice) -> Vec<Accusation> {
    let passes = (0..summary.passes.len() as u8).map(Stage::Pass);
    let stages = passes.chain(summary.pay().map(|_| Stage::Pay));
    let mut all: Vec<Accusation> = stages
        .flat_map(|stage| {
            [
                Accusation::Rows(stage),
                Accusation::Row(stage, dice.below(facts.entrants)),
                Accusation::Gradients(stage),
            ]
        })
        .collect();
    let passes = 0..summary.passes.len() as u8;
    all.extend(passes.map(|pass| Accusation::Weights(Model::Midpoint(pass))));
    if summary.merge.is_some() {
        all.extend([
            Accusation::Weights(Model::Merged),
            Accusation::Losses(Half::A),
        ]);
    }
    all.extend(summary.pay().map(|_| Accusation::Losses(Half::B)));
    all
}

#[test]
fn answers_are_golden() {
    let mut fixtures = (0..).map(|seed| Fixture::mlp(&[60, 40, 4], 50, 11, seed));
    let fixture = fixtures.find(|fixture| fixture.round.merged_pass.is_some());
    let fixture = fixture.unwrap();
    let (facts, mut honest) = (&fixture.facts, fixture.honest());
    let summary = honest.summary().clone();
    // The first answer of each kind, by the number of the kind.
    let mut kinds: Vec<Option<Vec<u8>>> = vec![None; 14];
    for accusation in accusations(facts, &summary, &Dice::new(0)) {
        let mut trial = Trial::open(facts, &summary, accusation).unwrap();
        loop {
            let answer = honest.answer(&mut Reference, &trial).unwrap();
            let kind = usize::from(answer.encode()[0]);
            kinds[kind].get_or_insert(answer.encode());
            let Ok(Ruling::Continues(next)) = trial.answer(facts, &summary, &answer) else {
                break;
            };
            trial = any_pick(facts, &summary, &next, &Dice::new(1));
        }
    }
    // For a model this small there is only one stretch of products.
    kinds[3].get_or_insert(Answer::Products(vec![1, -2]).encode());
    let all: Vec<Vec<u8>> = kinds.into_iter().map(Option::unwrap).collect();
    let bits = |bytes: &[u8]| hex::encode(&crate::blake2_256(&[bytes])[..8]);
    let found = [
        bits(&all.concat()),
        bits(&summary.encode()),
        bits(&facts.encode()),
    ];
    assert_eq!(
        found,
        ["27c1b1fe6193fd03", "7c7b823c51983275", "54b1460c9d24bc1c"]
    );
}

/// A random pick that is accepted.
fn any_pick(facts: &RoundFacts, summary: &TableSummary, trial: &Trial, dice: &Dice) -> Trial {
    for bound in (0..2000).map(|tries| 1 + 300 / (1 + tries / 10)) {
        let nth = dice.below(bound);
        let of = [Side::Base, Side::Merged][dice.below(2) as usize];
        let pick = match dice.below(2) {
            0 => Pick::Nth(nth),
            _ => Pick::Sample { of, nth },
        };
        if let Ok(next) = trial.pick(facts, summary, &pick) {
            return next;
        }
    }
    panic!("nothing to pick of {trial:?}");
}

/// At a million parameters, 1,024 entrants and 4,096 samples no answer passes 40 KB and no trial 12 answers.
#[test]
fn answers_are_small_and_few() {
    const PARAMETERS: u32 = 1_000_000;
    const ENTRANTS: u32 = 1024;
    fn strides<C: crate::merkle::Carry>(leaves: u32) -> (u32, u32) {
        let (mut branch, mut count, mut widest) =
            (Branch::whole(Node::<C>::default(), leaves), 0, 0);
        while !branch.is_leaf() {
            let width = branch.width();
            branch = branch
                .child(&vec![Node::default(); width as usize], 0)
                .unwrap();
            (count, widest) = (count + 1, widest.max(width));
        }
        (count, widest)
    }
    let hashes = |count: usize| vec![[0; 32]; count];
    let entrant = || ProvedEntrant {
        record: EntrantRecord {
            delta_hash: [0; 32],
            delta_root: [0; 32],
            weight: 1,
            square_norm: 1,
            is_proven: true,
        },
        siblings: hashes(10),
    };
    let row = || ProvedRow {
        row: Row {
            delta_hash: [0; 32],
            parts: vec![0; 16].into(),
        },
        proof: Proof {
            index: 0,
            leaves: ENTRANTS,
            siblings: vec![Node::default(); 10],
        },
        entrant: entrant(),
    };
    // A chunk of a delta that changes every parameter.
    let chunk = || ProvedChunk {
        bytes: vec![0; 4096 * 3 / 8 + 16],
        siblings: hashes(8),
    };
    let (row_strides, _) = strides::<RowSums>(ENTRANTS);
    // The most that are shown at once; more entrants are shown in two steps.
    let row_width = (1..=ENTRANTS)
        .map(|entrants| strides::<RowSums>(entrants).1)
        .max()
        .unwrap();
    let (tile_strides, tile_width) = strides::<()>(PARAMETERS.div_ceil(512));
    let answers = [
        Answer::RowNodes(vec![Node::default(); row_width as usize]),
        Answer::Row {
            own: row(),
            last: Some(row()),
        },
        Answer::Part {
            entrant: entrant(),
            gradient: [0; 32],
            siblings: hashes(4),
            products: vec![0; 256],
        },
        Answer::Products(vec![0; 256]),
        Answer::Product {
            chunk: chunk(),
            words: vec![0; 512],
            siblings: hashes(11),
        },
        Answer::Roots(hashes(16)),
        Answer::Nodes(vec![Node::default(); tile_width as usize]),
        Answer::GradientTile(vec![0; 512]),
        Answer::Weights(vec![0; 512]),
        Answer::Terms {
            base: Tiles {
                bytes: vec![0; 1024],
                siblings: hashes(11),
            },
            terms: vec![Term::default(); ENTRANTS as usize],
        },
        Answer::Term {
            entrant: entrant(),
            chunk: chunk(),
        },
        Answer::Losses([vec![0; 2048], vec![0; 2048]]),
    ];
    let largest = answers.iter().map(Answer::encoded_size).max();
    assert!(largest.unwrap() <= 20_000, "{largest:?}");
    assert_eq!((row_strides, tile_strides), (2, 2));
    // Rows, row, part, products twice; weights, a tile, a weight, a term; losses, a sample, a trace of up to 2^24 tiles, a
    // tile, a word; gradients, their tiles, a tile, a word and the seven answers that it takes at most.
    let answers = [
        row_strides + 4,
        tile_strides + 3,
        1 + 1 + 3 + 1 + 1,
        1 + tile_strides + 1 + 7,
    ];
    assert!(answers.iter().all(|count| *count <= 12), "{answers:?}");
}
