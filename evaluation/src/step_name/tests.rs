//! Names are read as they are written.

use super::*;
use proptest::prelude::*;

fn any_stage() -> impl Strategy<Value = Stage> {
    prop_oneof![Just(Stage::Pay), any::<u8>().prop_map(Stage::Pass)]
}

fn any_model() -> impl Strategy<Value = Model> {
    prop_oneof![Just(Model::Merged), any::<u8>().prop_map(Model::Midpoint)]
}

fn any_step() -> impl Strategy<Value = StepName> {
    let side = prop_oneof![Just(Side::Base), Just(Side::Merged)];
    let half = prop_oneof![Just(Half::A), Just(Half::B)];
    let numbers = any::<([u32; 3], Option<u32>, u64)>();
    let places = (any_stage(), any_model(), side, half);
    (0..18usize, places, numbers).prop_map(
        |(kind, (stage, model, side, half), ([a, b, c], reader, at))| {
            let of = PartOf {
                stage,
                entrant: a,
                group: b,
            };
            let (group, sample, position) = (b, a, c);
            match kind {
                0 => StepName::Rows(stage),
                1 => StepName::Row { stage, entrant: a },
                2 => StepName::Part(of),
                3 => StepName::Products(of),
                4 => StepName::Product { of, tile: c },
                5 => StepName::Gradients(stage),
                6 => StepName::GradientTiles { stage, group },
                7 => StepName::Gradient {
                    stage,
                    group,
                    position,
                },
                8 => StepName::Contribution {
                    stage,
                    group,
                    position,
                    sample,
                    reader,
                },
                9 => StepName::BackwardTrace {
                    stage,
                    group,
                    sample,
                },
                10 => StepName::BackwardWord {
                    stage,
                    group,
                    sample,
                    op: c,
                    at,
                },
                11 => StepName::Weights(model),
                12 => StepName::Weight {
                    of: model,
                    position,
                },
                13 => StepName::Term {
                    of: model,
                    position,
                    entrant: a,
                },
                14 => StepName::Losses(half),
                15 => StepName::Sample { of: side, sample },
                16 => StepName::Trace { of: side, sample },
                _ => StepName::Word {
                    of: side,
                    sample,
                    op: b,
                    at: c,
                },
            }
        },
    )
}

proptest! {
    #[test]
    fn names_are_read_as_they_are_written(step in any_step()) {
        prop_assert_eq!(step.to_string().parse(), Ok(step));
    }

    #[test]
    fn any_text_is_read_without_panic(text in "[a-z=:0-9]{0,40}") {
        if let Ok(step) = text.parse::<StepName>() {
            prop_assert_eq!(step.to_string().parse(), Ok(step));
        }
    }
}

#[test]
fn what_is_no_step_is_refused_with_examples() {
    for wrong in [
        "",
        "row",
        "row:pass=x:entrant=1",
        "row:pass=256:entrant=1",
        "word:merged:3:2:7",
        "word:both:sample=3:op=2:at=7",
        "losses:c",
    ] {
        let error = wrong.parse::<StepName>().unwrap_err();
        assert!(error.to_string().contains("word:merged:sample=3:op=2:at=7"));
    }
}

#[test]
fn the_examples_are_steps_and_have_words() {
    let examples = NotAStep(String::new()).to_string();
    let (_, examples) = examples.split_once("write ").unwrap();
    let examples: Vec<&str> = examples.split([',', ' ']).collect();
    let steps = examples.iter().filter(|text| text.contains(':'));
    let steps: Vec<StepName> = steps.map(|text| text.parse().unwrap()).collect();
    assert_eq!(steps.len(), 10);
    assert_eq!(
        steps[0].in_words(),
        "the row of delta 2 in pass 0",
        "{}",
        steps[0]
    );
    assert_eq!(
        steps[9].in_words(),
        "word 7 of op 2 on sample 3 by the merged model"
    );
}
