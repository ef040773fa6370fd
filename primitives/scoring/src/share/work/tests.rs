//! The lazy are caught, nobody copies work, and malformed answers are refused.

use super::*;
use crate::share::fixture::Fixture;
use proptest::prelude::*;

const ACCOUNT: [u8; 32] = [1; 32];

/// A round that merges something, after more than one pass.
fn merging() -> Fixture {
    let fixture = Fixture::mlp(&[6, 5, 3], 130, 9, 16);
    assert!(fixture.table.pay().is_some() && fixture.table.passes.len() > 1);
    fixture
}

fn of<'a>(fixture: &Fixture, summary: &'a TableSummary) -> Audited<'a> {
    Audited {
        summary,
        samples: fixture.facts.samples,
        entrants: fixture.facts.entrants,
    }
}

#[test]
fn own_work_answers_every_audit() {
    let all_bad = (0..).map(|seed| Fixture::mlp(&[5, 4, 3], 40, 5, 5 * seed + 4));
    let gains_too_little = (0..).map(|seed| Fixture::mlp(&[5, 4, 3], 8, 5, seed));
    let tables = [
        merging(),
        Fixture::mlp(&[6, 5, 3], 41, 9, 16),
        Fixture::mlp(&[5, 4, 3], 2, 3, 1),
        all_bad
            .into_iter()
            .find(|fixture| fixture.table.merge.is_none())
            .unwrap(),
        gains_too_little
            .into_iter()
            .find(|fixture| {
                fixture
                    .table
                    .merge
                    .as_ref()
                    .is_some_and(|merge| merge.pay.is_none())
            })
            .unwrap(),
    ];
    for (fixture, halves) in tables.iter().zip([2, 2, 0, 0, 1]) {
        let (table, summary) = (&fixture.table, fixture.table.summary());
        let (of, root) = (of(fixture, &summary), work_root(&ACCOUNT, table));
        let samples = halves * (fixture.facts.samples / 2);
        let stages: Vec<Option<Stage>> = match of.stages().count() {
            0 => alloc::vec![None],
            _ => of.stages().map(Some).collect(),
        };
        for sample in 0..samples.max(1) {
            for entrant in 0..fixture.facts.entrants {
                let stage = stages[(sample + entrant) as usize % stages.len()];
                let audit = Audit {
                    sample,
                    entrant,
                    stage,
                };
                let answer = AuditAnswer::of(&audit, &ACCOUNT, table).unwrap();
                assert_eq!(answer.sample.is_some(), samples > 0);
                assert_eq!(answer.verify(&audit, &ACCOUNT, &of, &root), Ok(()));
            }
        }
        for audit in audits(&[3; 32], &ACCOUNT, 20, &of) {
            let answer = AuditAnswer::of(&audit, &ACCOUNT, table).unwrap();
            assert_eq!(answer.verify(&audit, &ACCOUNT, &of, &root), Ok(()));
        }
        let (entrant, stage) = (0, stages[0]);
        let nobody = Audit {
            sample: 0,
            entrant: fixture.facts.entrants,
            stage,
        };
        assert_eq!(AuditAnswer::of(&nobody, &ACCOUNT, table), None);
        let beyond = Audit {
            sample: samples,
            entrant,
            stage,
        };
        assert_eq!(
            AuditAnswer::of(&beyond, &ACCOUNT, table).is_none(),
            samples > 0
        );
        let never = Audit {
            sample: 0,
            entrant,
            stage: Some(Stage::Pass(8)),
        };
        assert_eq!(AuditAnswer::of(&never, &ACCOUNT, table), None);
    }
}

#[test]
fn the_work_of_another_answers_nothing() {
    let fixture = merging();
    let (summary, copier) = (fixture.table.summary(), [2; 32]);
    let audit = Audit {
        sample: 20,
        entrant: 0,
        stage: Some(Stage::Pay),
    };
    // The copier shows the root of another, and all that the other published.
    let copied = work_root(&ACCOUNT, &fixture.table);
    for author in [ACCOUNT, copier] {
        let answer = AuditAnswer::of(&audit, &author, &fixture.table).unwrap();
        let verdict = answer.verify(&audit, &copier, &of(&fixture, &summary), &copied);
        assert_eq!(verdict, Err(AuditError::OtherWork));
    }
}

#[test]
fn an_answer_to_another_audit_is_refused() {
    let fixture = merging();
    let summary = fixture.table.summary();
    let (of, root) = (of(&fixture, &summary), work_root(&ACCOUNT, &fixture.table));
    let asked = Audit {
        sample: 20,
        entrant: 0,
        stage: Some(Stage::Pay),
    };
    let others = [
        (
            Audit {
                sample: 21,
                ..asked
            },
            AuditError::OtherWork,
        ),
        (
            Audit {
                entrant: 1,
                ..asked
            },
            AuditError::OtherWork,
        ),
        (
            Audit {
                stage: Some(Stage::Pass(0)),
                ..asked
            },
            AuditError::OtherTable,
        ),
    ];
    for (other, error) in others {
        let answer = AuditAnswer::of(&other, &ACCOUNT, &fixture.table).unwrap();
        assert_eq!(answer.verify(&asked, &ACCOUNT, &of, &root), Err(error));
    }
    let answer = AuditAnswer::of(&asked, &ACCOUNT, &fixture.table).unwrap();
    let nothing = AuditAnswer {
        sample: None,
        ..answer.clone()
    };
    assert_eq!(
        nothing.verify(&asked, &ACCOUNT, &of, &root),
        Err(AuditError::WorkDiffers)
    );
    let mut nothing = answer;
    nothing.entrant.table = None;
    assert_eq!(
        nothing.verify(&asked, &ACCOUNT, &of, &root),
        Err(AuditError::OtherTable)
    );
}

/// The table of an account that computed some losses and some rows, and made up the others.
fn lazy(table: &ShareTable, samples: usize, entrants: usize) -> ShareTable {
    let mut own = table.clone();
    let merge = own.merge.as_mut().unwrap();
    let pay = merge.pay.as_mut().unwrap();
    for losses in merge.on_a.iter_mut().chain(&mut pay.on_b) {
        losses[samples..].fill(0);
    }
    let stages = own.passes.iter_mut().map(|pass| &mut pass.rows);
    for rows in stages.chain([&mut pay.rows]) {
        rows[entrants..].fill(Row {
            delta_hash: [9; 32],
            ..Row::default()
        });
    }
    own
}

#[test]
fn the_lazy_are_caught_as_often_as_chance_says() {
    const TRIALS: u32 = 2_000;
    let fixture = Fixture::mlp(&[6, 5, 3], 40, 9, 16);
    let (truth, summary) = (&fixture.table, fixture.table.summary());
    let of = of(&fixture, &summary);
    for (samples, entrants, count) in [(20, 7, 2), (16, 9, 3), (10, 5, 1), (19, 8, 8)] {
        let own = lazy(truth, samples, entrants);
        let root = work_root(&ACCOUNT, &own);
        // It opens the work that it committed to, and the table that it got elsewhere.
        let passes = |audit: &Audit| {
            let mut answer = AuditAnswer::of(audit, &ACCOUNT, truth).unwrap();
            let mine = AuditAnswer::of(audit, &ACCOUNT, &own).unwrap();
            (answer.entrant.rows, answer.entrant.work) = (mine.entrant.rows, mine.entrant.work);
            if let (Some(shown), Some(mine)) = (&mut answer.sample, mine.sample) {
                (shown.losses, shown.work) = (mine.losses, mine.work);
            }
            answer.verify(audit, &ACCOUNT, &of, &root).is_ok()
        };
        let stage = Some(Stage::Pay);
        let of_sample = (0..40).map(|sample| {
            passes(&Audit {
                sample,
                entrant: 0,
                stage,
            })
        });
        let of_entrant = (0..9).map(|entrant| {
            passes(&Audit {
                sample: 0,
                entrant,
                stage,
            })
        });
        let (of_sample, of_entrant): (Vec<bool>, Vec<bool>) =
            (of_sample.collect(), of_entrant.collect());
        let caught = (0..TRIALS).filter(|trial| {
            let seed = blake2_256(&[&trial.to_le_bytes()]);
            let drawn = audits(&seed, &ACCOUNT, count, &of);
            drawn.iter().any(|audit| {
                !of_sample[audit.sample as usize] || !of_entrant[audit.entrant as usize]
            })
        });
        let rate = caught.count() as f64 / f64::from(TRIALS);
        let computed = samples as f64 / 20.0 * entrants as f64 / 9.0;
        let expected = 1.0 - computed.powi(count as i32);
        assert!((rate - expected).abs() < 0.04, "{rate} of {expected}");
    }
}

#[test]
fn audits_are_drawn_for_each_account_and_within_bounds() {
    let fixture = merging();
    let summary = fixture.table.summary();
    let (seed, of) = ([5; 32], of(&fixture, &summary));
    let own = audits(&seed, &ACCOUNT, 200, &of);
    assert_eq!(own.len(), 200);
    assert!(own
        .iter()
        .all(|audit| audit.sample < 130 && audit.entrant < 9));
    assert!(own.iter().any(|audit| audit.sample >= 65));
    for stage in of.stages() {
        assert!(own.iter().any(|audit| audit.stage == Some(stage)));
    }
    assert_ne!(own, audits(&seed, &[2; 32], 200, &of));
    assert_ne!(own, audits(&[6; 32], &ACCOUNT, 200, &of));
    assert_eq!(
        audits(&seed, &ACCOUNT, 4, &Audited { entrants: 0, ..of }),
        []
    );
}

#[test]
fn answers_are_golden() {
    let fixture = merging();
    let audit = Audit {
        sample: 20,
        entrant: 3,
        stage: Some(Stage::Pay),
    };
    let answer = AuditAnswer::of(&audit, &ACCOUNT, &fixture.table).unwrap();
    let bits = |bytes: &[u8]| hex::encode(&blake2_256(&[bytes])[..8]);
    let root = work_root(&ACCOUNT, &fixture.table);
    let found = [
        bits(&answer.encode()),
        bits(&root),
        hex::encode(audit.encode()),
    ];
    assert_eq!(
        found,
        [
            "40c4b1dbaf7f3b43",
            "8b4e35cf90d27650",
            "14000000030000000101"
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn any_byte_of_an_answer_matters(
        sample in 0..40u32, entrant in 0..9u32, pass: Option<bool>,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 40),
    ) {
        let fixture = Fixture::mlp(&[6, 5, 3], 40, 9, 16);
        let summary = fixture.table.summary();
        let (of, root) = (of(&fixture, &summary), work_root(&ACCOUNT, &fixture.table));
        let stage = Some(pass.map_or(Stage::Pay, |last| Stage::Pass(u8::from(last))));
        let audit = Audit { sample, entrant, stage };
        let answer = AuditAnswer::of(&audit, &ACCOUNT, &fixture.table).unwrap();
        for (at, by) in changes {
            let mut bytes = answer.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            if let Ok(other) = AuditAnswer::decode(&mut &*bytes) {
                prop_assert!(other.verify(&audit, &ACCOUNT, &of, &root).is_err());
            }
        }
    }
}
