//! Scores are exact, whatever computes them, and are found again after a restart.

use super::super::inputs::RevealedDelta;
use super::*;
use crate::{state::Folder, test_lab::Lab};
use gotong_evaluation::{CheckedDevice, Flipping};
use gotong_protocol::TaskId;
use gotong_scoring::Reference;
use std::{future::pending, ops::Range};

pub const DIGEST: Hash = [1; 32];

pub fn inputs(lab: &Lab) -> RoundInputs {
    let entrants = lab.entrants.iter().map(|own| RevealedDelta {
        delta: Arc::new(own.delta.clone()),
        hash: own.hash(),
        weight: own.weight,
        is_proven: own.is_proven,
    });
    RoundInputs {
        task: TaskId(0),
        round: RoundId(0),
        digest: DIGEST,
        base: lab.base.clone(),
        samples: lab.samples.clone(),
        sample_count: lab.facts.samples,
        half_seed: lab.facts.half_seed,
        entrants: entrants.collect(),
    }
}

/// Keeps scores in `folder`, for as long as that exists.
fn kept_in(folder: &tempfile::TempDir) -> KeptScores {
    let folder = Folder::open(folder.path()).unwrap();
    KeptScores::new(folder, &Graph::mlp(&[2, 3]), &ShareTerms::default())
}

/// Keeps nothing, because its folder is gone.
fn nothing_kept() -> KeptScores {
    kept_in(&tempfile::tempdir().unwrap())
}

pub fn scorer(lab: &Lab, lie: Option<LieKind>) -> RoundScorer {
    let options = ScorerOptions {
        lie,
        ..ScorerOptions::default()
    };
    let graph = lab.facts.graph.clone();
    RoundScorer::new(graph, lab.facts.terms, options, nothing_kept())
}

/// A round that was scored keeps its table, by which its credits are published; others need none.
#[tokio::test]
async fn whether_there_is_a_score_is_known_after_a_restart() {
    let (lab, folder) = (Lab::small(), tempfile::tempdir().unwrap());
    let start = || {
        let options = ScorerOptions::default();
        let graph = lab.facts.graph.clone();
        RoundScorer::new(graph, lab.facts.terms, options, kept_in(&folder))
    };
    let mut scorer = start();
    assert!(!scorer.exact().has_score(&DIGEST));
    let fetched = async { Ok(inputs(&lab)) };
    let scored = scorer.score(&DIGEST, &[], fetched, pending()).await;
    assert!(scored.is_ok());
    for mut scorer in [scorer, start()] {
        assert!(scorer.exact().has_score(&DIGEST));
        assert!(!scorer.exact().has_score(&[2; 32]));
    }
}

#[tokio::test]
async fn an_exact_score_is_computed_once() {
    let lab = Lab::small();
    let mut scorer = scorer(&lab, None);
    assert_eq!(scorer.known(&DIGEST), None);
    // The facts are not asked for, and once the score is known neither are the inputs.
    let fetched = async { Ok(inputs(&lab)) };
    let scored = scorer
        .score(&DIGEST, &[], fetched, pending())
        .await
        .unwrap();
    let (round, table) = lab.score();
    assert_eq!((&scored.weights, &scored.table), (&round.weights, &table));
    assert_eq!(scored.summary, table.summary());
    assert_eq!(scorer.known(&DIGEST), Some(scored.clone()));
    assert_eq!(scorer.known(&[2; 32]), None);
    let again = scorer
        .score(&DIGEST, &[], pending(), pending())
        .await
        .unwrap();
    assert!(Arc::ptr_eq(&again, &scored));

    let facts = async { Ok(lab.facts.clone()) };
    let player = scorer.player(&scored, facts).await.unwrap();
    assert_eq!(player.summary(), lab.summary());
    let again = scorer.player(&scored, pending()).await.unwrap();
    assert!(Arc::ptr_eq(&again, &player));
}

/// All deltas of a round may take two gigabytes.
#[tokio::test]
async fn deltas_are_in_memory_once_and_no_longer_than_their_round() {
    let (lab, folder) = (Lab::small(), tempfile::tempdir().unwrap());
    let graph = lab.facts.graph.clone();
    let options = ScorerOptions::default();
    let mut scorer = RoundScorer::new(graph, lab.facts.terms, options, kept_in(&folder));
    let fetched = async { Ok(inputs(&lab)) };
    let scored = scorer.score(&DIGEST, &[], fetched, pending());
    let scored = scored.await.unwrap();
    let facts = async { Ok(lab.facts.clone()) };
    let player = scorer.player(&scored, facts).await.unwrap();
    let deltas = scored.inputs.entrants.iter();
    let deltas: Vec<_> = deltas.map(|own| Arc::downgrade(&own.delta)).collect();
    assert!(deltas.iter().all(|delta| delta.strong_count() == 2));
    drop((scored, player));
    assert!(deltas.iter().all(|delta| delta.strong_count() == 2));
    scorer.exact().forget();
    assert!(deltas.iter().all(|delta| delta.strong_count() == 0));
    // A fork brings the round back.
    assert_eq!(scorer.known(&DIGEST), None);
    assert!(scorer.exact().has_score(&DIGEST));
    let fetched = async { Ok(inputs(&lab)) };
    let again = scorer.score(&DIGEST, &[], fetched, pending());
    assert_eq!(again.await.unwrap().summary, lab.summary());
}

/// What a program says that is started with the files of an earlier one in `folder`. It cannot compute anything.
async fn said_after_restart(
    lab: &Lab,
    folder: &tempfile::TempDir,
    inputs: RoundInputs,
) -> Result<Arc<ScoredRound>, ReplicaError> {
    said_of_shown_after_restart(lab, folder, inputs, &[]).await
}

/// The same, if these tables are shown on chain.
async fn said_of_shown_after_restart(
    lab: &Lab,
    folder: &tempfile::TempDir,
    inputs: RoundInputs,
    shown: &[Hash],
) -> Result<Arc<ScoredRound>, ReplicaError> {
    let (graph, terms) = (lab.facts.graph.clone(), lab.facts.terms);
    let mut scorer = ExactScorer::new(graph, terms, Backend::Cpu, kept_in(folder));
    let halt = Halt::default();
    halt.tell();
    scorer.halted_by(halt);
    let digest = inputs.digest;
    scorer.score(&digest, shown, async { Ok(inputs) }).await
}

#[tokio::test]
async fn what_was_scored_is_not_scored_again_after_a_restart() {
    let lab = Lab::small();
    let folder = tempfile::tempdir().unwrap();
    let (graph, terms) = (lab.facts.graph.clone(), lab.facts.terms);
    let mut scorer = ExactScorer::new(graph, terms, Backend::Cpu, kept_in(&folder));
    let nothing = said_after_restart(&lab, &folder, inputs(&lab)).await;
    assert!(matches!(nothing, Err(ReplicaError::Score { .. })));
    // Two forks of a round.
    for digest in [DIGEST, [2; 32]] {
        let other = RoundInputs {
            digest,
            ..inputs(&lab)
        };
        let scored = scorer
            .score(&digest, &[], async { Ok(other) })
            .await
            .unwrap();
        let again = said_after_restart(&lab, &folder, (*scored.inputs).clone()).await;
        assert_eq!(again.unwrap(), scored);
    }
    assert!(said_after_restart(&lab, &folder, inputs(&lab))
        .await
        .is_ok());
    let third = RoundInputs {
        digest: [3; 32],
        ..inputs(&lab)
    };
    assert!(said_after_restart(&lab, &folder, third).await.is_err());
}

/// A device that is right except for one word in its answers to these calls.
fn flipping(wrong: Range<usize>) -> Flipping<Reference> {
    Flipping::new(Reference, wrong, |call| 7 * call)
}

fn scorer_on(lab: &Lab, backend: &Backend) -> ExactScorer {
    let (graph, terms) = (lab.facts.graph.clone(), lab.facts.terms);
    ExactScorer::new(graph, terms, backend.clone(), nothing_kept())
}

/// What `backend` scores.
async fn scored_on(lab: &Lab, backend: &Backend) -> TableSummary {
    let mut scorer = scorer_on(lab, backend);
    let fetched = async { Ok(inputs(lab)) };
    let scored = scorer.score(&DIGEST, &[], fetched).await.unwrap();
    scored.summary.clone()
}

#[tokio::test]
async fn a_device_that_flips_a_word_after_its_thousandth_call_costs_no_stake() {
    let (lab, rounds) = (Lab::small(), 20);
    let table = lab.summary();
    // Unchecked, a single wrong word makes another table, and a wrong table costs the stake.
    let graph = &lab.facts.graph;
    let samples = Samples::new(graph.inputs, graph.classes(), lab.samples.records()).unwrap();
    let believed = ScoredRound::compute(
        &mut flipping(0..usize::MAX),
        graph,
        &lab.facts.terms,
        &samples,
        Arc::new(inputs(&lab)),
    );
    assert_ne!(believed.unwrap().summary, table);
    for wrong in [1_000..usize::MAX, 1_000..1_001] {
        let device = CheckedDevice::new(Box::new(flipping(wrong)));
        let backend = Backend::Device(device);
        let mut on_device = 0;
        for round in 0..rounds {
            assert_eq!(scored_on(&lab, &backend).await, table, "round {round}");
            on_device += usize::from(backend.device().is_some());
        }
        assert!((1..rounds).contains(&on_device), "noticed after the call");
    }
}

#[tokio::test]
async fn a_device_that_was_found_wrong_is_used_by_no_task() {
    let lab = Lab::small();
    let backend = Backend::Device(CheckedDevice::new(Box::new(flipping(0..1))));
    let other = backend.clone();
    assert_eq!(scored_on(&lab, &backend).await, lab.summary());
    assert!(backend.device().is_none() && other.device().is_none());
}

#[tokio::test]
async fn what_a_device_computed_before_it_was_found_wrong_is_computed_again() {
    let (lab, folder) = (Lab::small(), tempfile::tempdir().unwrap());
    let device = CheckedDevice::new(Box::new(flipping(0..0)));
    let (graph, terms) = (lab.facts.graph.clone(), lab.facts.terms);
    let backend = Backend::Device(device.clone());
    let mut scorer = ExactScorer::new(graph, terms, backend, kept_in(&folder));
    let fetched = async { Ok(inputs(&lab)) };
    let first = scorer.score(&DIGEST, &[], fetched).await.unwrap();
    let facts = async { Ok(lab.facts.clone()) };
    let player = scorer.player(&first, facts).await.unwrap();
    assert!(first.by_device && scorer.known(&DIGEST).is_some());

    // In the round of another task.
    device.distrust(Mismatch::Parts);
    assert_eq!(scorer.known(&DIGEST), None);
    // It does not count after a restart without the device either.
    let kept = said_after_restart(&lab, &folder, inputs(&lab)).await;
    assert!(matches!(kept, Err(ReplicaError::Score { .. })));
    let fetched = async { Ok(inputs(&lab)) };
    let again = scorer.score(&DIGEST, &[], fetched).await.unwrap();
    assert_eq!((&again.table, again.by_device), (&first.table, false));
    assert_eq!(scorer.known(&DIGEST), Some(again.clone()));
    let facts = async { Ok(lab.facts.clone()) };
    let other = scorer.player(&again, facts).await.unwrap();
    assert!(Arc::ptr_eq(&other, &player), "of the same table");
    let kept = said_after_restart(&lab, &folder, inputs(&lab)).await;
    assert_eq!(kept.unwrap(), again);
}

#[tokio::test]
async fn a_table_that_is_shown_is_stood_for_while_the_processor_computes_it_again() {
    let (lab, folder) = (Lab::small(), tempfile::tempdir().unwrap());
    let device = CheckedDevice::new(Box::new(flipping(0..0)));
    let (graph, terms) = (lab.facts.graph.clone(), lab.facts.terms);
    let backend = Backend::Device(device.clone());
    let mut scorer = ExactScorer::new(graph, terms, backend, kept_in(&folder));
    let fetched = async { Ok(inputs(&lab)) };
    let first = scorer.score(&DIGEST, &[], fetched).await.unwrap();
    let facts = async { Ok(lab.facts.clone()) };
    let player = scorer.player(&first, facts).await.unwrap();
    let shown = [first.summary.root()];

    // The round cannot be computed now, but audits and disputes need an answer.
    device.distrust(Mismatch::Parts);
    let halt = Halt::default();
    halt.tell();
    scorer.halted_by(halt);
    // Another evaluation has the turn, and keeps it.
    let mut other = Shared::backend(Backend::Cpu, Halt::default());
    let samples = Samples::new(
        lab.facts.graph.inputs,
        lab.facts.graph.classes(),
        lab.samples.records(),
    );
    let (graph, base, samples) = (lab.facts.graph.clone(), lab.base.clone(), samples.unwrap());
    let other = tokio::task::spawn_blocking(move || {
        other.losses(&graph, &base, &samples).unwrap();
        other
    });
    let other = other.await.unwrap();
    let stands = scorer.score(&DIGEST, &shown, pending()).await.unwrap();
    assert!(Arc::ptr_eq(&stands, &first) && stands.by_device);
    assert_eq!(scorer.known(&DIGEST), None, "nobody is accused by it");
    assert_eq!(scorer.shown(&DIGEST, &shown), Some(first.clone()));
    assert_eq!(scorer.shown(&DIGEST, &[[9; 32]]), None);
    let plays = scorer.player(&stands, pending()).await.unwrap();
    assert!(Arc::ptr_eq(&plays, &player));
    // The same holds after a restart without the device.
    let after = said_of_shown_after_restart(&lab, &folder, inputs(&lab), &shown).await;
    assert_eq!(after.unwrap(), first);

    // The processor confirms it, and a caller that needs a confirmed score waits for that.
    drop(other);
    let confirmed = scorer.score(&DIGEST, &[], pending()).await.unwrap();
    assert_eq!(
        (&confirmed.table, confirmed.by_device),
        (&first.table, false)
    );
    assert_eq!(scorer.known(&DIGEST), Some(confirmed.clone()));
    let kept = said_after_restart(&lab, &folder, inputs(&lab)).await;
    assert_eq!(kept.unwrap(), confirmed);
    let plays = scorer.player(&confirmed, pending()).await.unwrap();
    assert!(Arc::ptr_eq(&plays, &player));
}

#[tokio::test]
async fn who_doubts_the_chain_doubts_its_device_first() {
    let lab = Lab::small();
    let backend = Backend::Device(CheckedDevice::new(Box::new(flipping(0..0))));
    let mut scorer = scorer_on(&lab, &backend);
    let right = scorer.compute(Arc::new(inputs(&lab))).await.unwrap();
    let stands = scorer.confirmed(right.clone()).await.unwrap();
    assert!(Arc::ptr_eq(&stands, &right) && backend.device().is_some());
    // None of the device's checks found this fault.
    let wrong = ScoredRound {
        summary: lab.liar(LieKind::Part).summary().clone(),
        ..(*right).clone()
    };
    let stands = scorer.confirmed(Arc::new(wrong)).await.unwrap();
    assert_eq!(stands.summary, right.summary);
    assert!(right.by_device && !stands.by_device);
    assert!(backend.device().is_none());
    assert_eq!(scorer.known(&DIGEST), Some(stands));
}

#[tokio::test]
async fn who_doubts_the_chain_doubts_what_was_computed_before_a_restart() {
    let (lab, folder) = (Lab::small(), tempfile::tempdir().unwrap());
    let mut table = lab.table();
    table.passes[0].median_norm += 1;
    let kept = kept_in(&folder);
    kept.save(KeptScore {
        inputs: DIGEST,
        weights: lab.base.clone(),
        table,
        by_device: false,
    });
    let (graph, terms) = (lab.facts.graph.clone(), lab.facts.terms);
    let mut scorer = ExactScorer::new(graph, terms, Backend::Cpu, kept);
    let fetched = async { Ok(inputs(&lab)) };
    let wrong = scorer.score(&DIGEST, &[], fetched).await.unwrap();
    assert_ne!(wrong.summary, lab.summary());
    let stands = scorer.confirmed(wrong).await.unwrap();
    assert_eq!(stands.summary, lab.summary());
    let again = said_after_restart(&lab, &folder, inputs(&lab)).await;
    assert_eq!(again.unwrap(), stands);
}

#[tokio::test]
async fn a_proven_account_and_another_seed_make_another_round() {
    let lab = Lab::small();
    let score = async |changed: RoundInputs| {
        let mut scorer = scorer(&lab, None);
        let fetched = async { Ok(changed) };
        let scored = scorer
            .score(&DIGEST, &[], fetched, pending())
            .await
            .unwrap();
        scored.summary.clone()
    };
    let own = score(inputs(&lab)).await;
    let mut proven = inputs(&lab);
    proven.entrants[0].is_proven = true;
    let mut other_seed = inputs(&lab);
    other_seed.half_seed = [4; 32];
    assert_ne!(score(other_seed).await, own);
    // Whether an account is proven is part of the records that the table is about, and decides which floor its delta has to reach.
    let mut scorer = scorer(&lab, None);
    let fetched = async { Ok(proven) };
    let scored = scorer
        .score(&DIGEST, &[], fetched, pending())
        .await
        .unwrap();
    assert!(scored.table.records[0].is_proven && !lab.table().records[0].is_proven);
}

#[tokio::test]
async fn a_score_that_is_not_of_the_facts_has_no_player() {
    let lab = Lab::small();
    let mut scorer = scorer(&lab, None);
    let fetched = async { Ok(inputs(&lab)) };
    let scored = scorer
        .score(&DIGEST, &[], fetched, pending())
        .await
        .unwrap();
    let mut facts = lab.facts.clone();
    facts.base_root = [0; 32];
    let refused = scorer.player(&scored, async { Ok(facts) }).await;
    assert!(matches!(refused, Err(ReplicaError::Player { .. })));
}
