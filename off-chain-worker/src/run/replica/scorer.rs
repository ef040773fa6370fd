//! Who says what rounds score, and answers for it in disputes: the exact scorer, or in drills a wrapper that changes
//! what that one says.

use super::{
    drill::DrillScorer,
    inputs::RoundInputs,
    kept::{KeptScore, KeptScores},
    player::RoundPlayer,
    ReplicaError,
};
use crate::evaluation::{Backend, Halt, LieKind, Mismatch, Shared};
use gotong_protocol::{Graph, Hash, RoundFacts, RoundId, ShareTerms, TableSummary};
use gotong_scoring::{
    gradient::Differentiator,
    share::{
        share_table,
        trial::{Player, PlayerError},
    },
    Evaluator, Samples, ScoreError, ShareTable,
};
use std::{future::Future, sync::Arc, time::Instant};

/// How a worker scores rounds.
#[derive(Clone, Debug, Default)]
pub struct ScorerOptions {
    /// What evaluates.
    pub backend: Backend,
    /// What it lies about, in drills.
    pub lie: Option<LieKind>,
}

/// What a round comes to, with all that it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredRound {
    /// What was scored.
    pub inputs: Arc<RoundInputs>,
    /// Master weights after the round.
    pub weights: Vec<i16>,
    /// Its table.
    pub table: ShareTable,
    /// The summary that is attested: that of the table, but for a drill.
    pub summary: TableSummary,
    /// Whether a device had a part in it, which may be found wrong later.
    pub by_device: bool,
}

impl ScoredRound {
    /// What the processor computes, or what it would if `evaluator` is right.
    fn compute(
        evaluator: &mut (impl Evaluator + Differentiator),
        graph: &Graph,
        terms: &ShareTerms,
        samples: &Samples,
        inputs: Arc<RoundInputs>,
    ) -> Result<Self, ScoreError> {
        let entrants: Vec<_> = inputs.entrants.iter().map(|own| own.entrant()).collect();
        let hashes: Vec<Hash> = inputs.entrants.iter().map(|own| own.hash).collect();
        let (round, table) = share_table(
            evaluator,
            graph,
            &inputs.base,
            samples,
            &inputs.half_seed,
            &entrants,
            &hashes,
            terms,
        )?;
        Ok(Self {
            inputs,
            weights: round.weights,
            summary: table.summary(),
            table,
            by_device: false,
        })
    }

    fn restored(inputs: Arc<RoundInputs>, kept: KeptScore) -> Self {
        Self {
            inputs,
            weights: kept.weights,
            summary: kept.table.summary(),
            table: kept.table,
            by_device: kept.by_device,
        }
    }

    fn to_keep(&self) -> KeptScore {
        KeptScore {
            inputs: self.inputs.digest,
            weights: self.weights.clone(),
            table: self.table.clone(),
            by_device: self.by_device,
        }
    }

    pub(super) fn is_of(&self, digest: &Hash) -> bool {
        self.inputs.digest == *digest
    }

    /// What answers and picks in disputes about the table.
    pub(super) fn player(&self, facts: RoundFacts) -> Result<Player, PlayerError> {
        let RoundInputs {
            base,
            samples,
            entrants,
            ..
        } = &*self.inputs;
        let deltas = entrants.iter().map(|own| own.delta.clone()).collect();
        let (base, samples) = (base.clone(), samples.clone());
        Player::new(facts, base, samples, deltas, self.table.clone())
    }
}

/// Who says what the rounds of a task score.
pub(super) enum RoundScorer {
    Exact(ExactScorer),
    Drill(DrillScorer),
}

impl RoundScorer {
    /// What is scored is kept in `kept`, and found there.
    pub fn new(graph: Graph, terms: ShareTerms, options: ScorerOptions, kept: KeptScores) -> Self {
        let exact = ExactScorer::new(graph, terms, options.backend, kept);
        match options.lie {
            None => Self::Exact(exact),
            Some(lie) => Self::Drill(DrillScorer::new(exact, lie)),
        }
    }

    /// The truth, which is what a replay compares the chain with.
    pub fn exact(&mut self) -> &mut ExactScorer {
        match self {
            Self::Exact(exact) => exact,
            Self::Drill(drill) => drill.exact(),
        }
    }

    /// What was said of the inputs with this digest, if they were the last.
    pub fn known(&self, digest: &Hash) -> Option<Arc<ScoredRound>> {
        match self {
            Self::Exact(exact) => exact.known(digest),
            Self::Drill(drill) => drill.known(digest),
        }
    }

    /// The score to attest. `inputs`, whose digest is `digest`, are fetched only if the score is not known, and `facts`
    /// only if a lie has to be one that the chain would take.
    pub async fn score(
        &mut self,
        digest: &Hash,
        inputs: impl Future<Output = Result<RoundInputs, ReplicaError>> + Send,
        facts: impl Future<Output = Result<RoundFacts, ReplicaError>> + Send,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        match self {
            Self::Exact(exact) => exact.score(digest, inputs).await,
            Self::Drill(drill) => drill.score(digest, inputs, facts).await,
        }
    }

    /// What answers in disputes for `scored`, which is what was said last.
    pub async fn player(
        &mut self,
        scored: &Arc<ScoredRound>,
        facts: impl Future<Output = Result<RoundFacts, ReplicaError>> + Send,
    ) -> Result<Arc<RoundPlayer>, ReplicaError> {
        match self {
            Self::Exact(exact) => exact.player(scored, facts).await,
            Self::Drill(drill) => drill.player(scored, facts).await,
        }
    }
}

/// Computes what rounds score from their inputs, and remembers the last, also after a restart.
pub(super) struct ExactScorer {
    graph: Graph,
    terms: ShareTerms,
    backend: Backend,
    /// Ends what is computed.
    halt: Halt,
    kept: KeptScores,
    last: Option<Arc<ScoredRound>>,
    /// Whether the last was found on disk, and perhaps computed by a device.
    is_restored: bool,
    /// What answers for a score, with the digest of the score's inputs.
    player: Option<(Hash, Arc<RoundPlayer>)>,
}

impl ExactScorer {
    pub fn new(graph: Graph, terms: ShareTerms, backend: Backend, kept: KeptScores) -> Self {
        Self {
            graph,
            terms,
            backend,
            halt: Halt::default(),
            kept,
            last: None,
            is_restored: false,
            player: None,
        }
    }

    /// From now on `halt` ends what is computed.
    pub fn halted_by(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// What evaluates models, in turn with all else that this process evaluates.
    pub fn evaluator(&self) -> Shared<Backend> {
        Shared::new(self.backend.clone(), self.halt.clone())
    }

    pub fn known(&self, digest: &Hash) -> Option<Arc<ScoredRound>> {
        let last = self.last.as_ref();
        let last = last.filter(|last| last.is_of(digest) && self.counts(last.by_device));
        last.cloned()
    }

    /// What a device computed counts as long as the device is trusted. After that, and without it, it is computed again.
    fn counts(&self, by_device: bool) -> bool {
        !by_device || self.backend.device().is_some()
    }

    pub async fn score(
        &mut self,
        digest: &Hash,
        inputs: impl Future<Output = Result<RoundInputs, ReplicaError>> + Send,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let inputs = Arc::new(inputs.await?);
        let kept = self.kept.load(&inputs.digest);
        let Some(kept) = kept.filter(|kept| self.counts(kept.by_device)) else {
            return self.compute(inputs).await;
        };
        let (task, round) = (inputs.task, inputs.round);
        tracing::info!(%task, %round, "goes on with what was scored before");
        let scored = Arc::new(ScoredRound::restored(inputs, kept));
        self.last = Some(scored.clone());
        self.is_restored = true;
        Ok(scored)
    }

    /// What stands of a score that the chain contradicts: who doubts the chain doubts first what its own device computed, or
    /// what was computed before a restart, and computes the round again on the processor.
    pub async fn confirmed(
        &mut self,
        scored: Arc<ScoredRound>,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        let device = self.backend.device();
        if device.is_none() && !self.is_restored {
            return Ok(scored);
        }
        let exact = self.attempt(scored.inputs.clone(), Backend::Cpu).await?;
        if exact.summary == scored.summary {
            return Ok(scored);
        }
        if let Some(device) = device {
            device.distrust(Mismatch::Table);
        }
        Ok(self.remember(exact))
    }

    fn remember(&mut self, scored: ScoredRound) -> Arc<ScoredRound> {
        self.kept.save(scored.to_keep());
        self.is_restored = false;
        // It answers for what was said before.
        self.player = None;
        let scored = Arc::new(scored);
        self.last = Some(scored.clone());
        scored
    }

    /// What these inputs come to. A round in which a device had a part that was then found wrong is computed again in full.
    async fn compute(
        &mut self,
        inputs: Arc<RoundInputs>,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        let (task, round, started) = (inputs.task, inputs.round, Instant::now());
        let had_device = self.backend.device().is_some();
        let backend = self.backend.clone();
        let mut scored = self.attempt(inputs.clone(), backend).await;
        if had_device && self.backend.device().is_none() {
            scored = self.attempt(inputs, Backend::Cpu).await;
        }
        let scored = self.remember(scored?);
        tracing::info!(%task, %round, "scored in {:.2?}", started.elapsed());
        Ok(scored)
    }

    async fn attempt(
        &self,
        inputs: Arc<RoundInputs>,
        backend: Backend,
    ) -> Result<ScoredRound, ReplicaError> {
        let round = inputs.round;
        let records = self.graph.samples(inputs.samples.records());
        let samples = Samples::new(self.graph.inputs, self.graph.classes(), &records)
            .map_err(|source| ReplicaError::Samples { round, source })?;
        let (graph, terms) = (self.graph.clone(), self.terms);
        let by_device = backend.device().is_some();
        let mut evaluator = Shared::new(backend, self.halt.clone());
        let scored = tokio::task::spawn_blocking(move || {
            ScoredRound::compute(&mut evaluator, &graph, &terms, &samples, inputs)
        })
        .await?
        .map_err(|source| ReplicaError::Score { round, source })?;
        Ok(ScoredRound {
            by_device,
            ..scored
        })
    }

    pub async fn player(
        &mut self,
        scored: &Arc<ScoredRound>,
        facts: impl Future<Output = Result<RoundFacts, ReplicaError>> + Send,
    ) -> Result<Arc<RoundPlayer>, ReplicaError> {
        let is_known = |(digest, _): &&(Hash, _)| scored.is_of(digest);
        if let Some((_, known)) = self.player.as_ref().filter(is_known) {
            return Ok(known.clone());
        }
        let (facts, of) = (facts.await?, scored.clone());
        let player = tokio::task::spawn_blocking(move || of.player(facts));
        let player = player.await?.map_err(other_facts(scored.inputs.round))?;
        let player = Arc::new(RoundPlayer::new(player));
        self.player = Some((scored.inputs.digest, player.clone()));
        Ok(player)
    }
}

pub(super) fn other_facts(round: RoundId) -> impl FnOnce(PlayerError) -> ReplicaError {
    move |source| ReplicaError::Player { round, source }
}

#[cfg(test)]
pub(in crate::run) mod tests {
    use super::super::inputs::RevealedDelta;
    use super::*;
    use crate::{
        evaluation::{lab::Lab, CheckedDevice, Flipping},
        state::Folder,
    };
    use gotong_protocol::TaskId;
    use gotong_scoring::Reference;
    use std::{future::pending, ops::Range};

    pub const DIGEST: Hash = [1; 32];

    pub fn inputs(lab: &Lab) -> RoundInputs {
        let entrants = lab.entrants.iter().map(|own| RevealedDelta {
            delta: own.delta.clone(),
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

    /// Scores that go the way of their folder.
    fn kept_in(folder: &tempfile::TempDir) -> KeptScores {
        let folder = Folder::open(folder.path()).unwrap();
        KeptScores::new(folder, &Graph::mlp(&[2, 3]), &ShareTerms::default())
    }

    /// In a folder that is gone.
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

    #[tokio::test]
    async fn an_exact_score_is_computed_once() {
        let lab = Lab::small();
        let mut scorer = scorer(&lab, None);
        assert_eq!(scorer.known(&DIGEST), None);
        // The facts are not asked for, and once the score is known neither are the inputs.
        let fetched = async { Ok(inputs(&lab)) };
        let scored = scorer.score(&DIGEST, fetched, pending()).await.unwrap();
        let (round, table) = lab.score();
        assert_eq!((&scored.weights, &scored.table), (&round.weights, &table));
        assert_eq!(scored.summary, table.summary());
        assert_eq!(scorer.known(&DIGEST), Some(scored.clone()));
        assert_eq!(scorer.known(&[2; 32]), None);
        let again = scorer.score(&DIGEST, pending(), pending()).await.unwrap();
        assert!(Arc::ptr_eq(&again, &scored));

        let facts = async { Ok(lab.facts.clone()) };
        let player = scorer.player(&scored, facts).await.unwrap();
        assert_eq!(player.summary(), lab.summary());
        let again = scorer.player(&scored, pending()).await.unwrap();
        assert!(Arc::ptr_eq(&again, &player));
    }

    /// What a program says that is started on what the one before left in `folder`. It cannot compute anything.
    async fn said_after_restart(
        lab: &Lab,
        folder: &tempfile::TempDir,
        inputs: RoundInputs,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        let (graph, terms) = (lab.facts.graph.clone(), lab.facts.terms);
        let mut scorer = ExactScorer::new(graph, terms, Backend::Cpu, kept_in(folder));
        let halt = Halt::default();
        halt.tell();
        scorer.halted_by(halt);
        let digest = inputs.digest;
        scorer.score(&digest, async { Ok(inputs) }).await
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
            let scored = scorer.score(&digest, async { Ok(other) }).await.unwrap();
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

    /// A device that is right, but for one word in the answers to these calls.
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
        let scored = scorer.score(&DIGEST, fetched).await.unwrap();
        scored.summary.clone()
    }

    #[tokio::test]
    async fn a_device_that_flips_a_word_after_its_thousandth_call_costs_no_stake() {
        let (lab, rounds) = (Lab::small(), 20);
        let table = lab.summary();
        // It would: a single word makes another table, and a wrong table costs the stake.
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
        let first = scorer.score(&DIGEST, fetched).await.unwrap();
        let facts = async { Ok(lab.facts.clone()) };
        let player = scorer.player(&first, facts).await.unwrap();
        assert!(first.by_device && scorer.known(&DIGEST).is_some());

        // In the round of another task.
        device.distrust(Mismatch::Parts);
        assert_eq!(scorer.known(&DIGEST), None);
        // Nor does it count after a restart without the device.
        let kept = said_after_restart(&lab, &folder, inputs(&lab)).await;
        assert!(matches!(kept, Err(ReplicaError::Score { .. })));
        let fetched = async { Ok(inputs(&lab)) };
        let again = scorer.score(&DIGEST, fetched).await.unwrap();
        assert_eq!((&again.table, again.by_device), (&first.table, false));
        assert_eq!(scorer.known(&DIGEST), Some(again.clone()));
        let facts = async { Ok(lab.facts.clone()) };
        let other = scorer.player(&again, facts).await.unwrap();
        assert!(!Arc::ptr_eq(&other, &player));
        let kept = said_after_restart(&lab, &folder, inputs(&lab)).await;
        assert_eq!(kept.unwrap(), again);
    }

    #[tokio::test]
    async fn who_doubts_the_chain_doubts_its_device_first() {
        let lab = Lab::small();
        let backend = Backend::Device(CheckedDevice::new(Box::new(flipping(0..0))));
        let mut scorer = scorer_on(&lab, &backend);
        let right = scorer.compute(Arc::new(inputs(&lab))).await.unwrap();
        let stands = scorer.confirmed(right.clone()).await.unwrap();
        assert!(Arc::ptr_eq(&stands, &right) && backend.device().is_some());
        // What no check of the device found.
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
        let wrong = scorer.score(&DIGEST, fetched).await.unwrap();
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
            let scored = scorer.score(&DIGEST, fetched, pending()).await.unwrap();
            scored.summary.clone()
        };
        let own = score(inputs(&lab)).await;
        let mut proven = inputs(&lab);
        proven.entrants[0].is_proven = true;
        let mut other_seed = inputs(&lab);
        other_seed.half_seed = [4; 32];
        assert_ne!(score(other_seed).await, own);
        // Whether it is proven is in the records, which the table is about, and decides by which floor it is bad.
        let mut scorer = scorer(&lab, None);
        let fetched = async { Ok(proven) };
        let scored = scorer.score(&DIGEST, fetched, pending()).await.unwrap();
        assert!(scored.table.records[0].is_proven && !lab.table().records[0].is_proven);
    }

    #[tokio::test]
    async fn a_score_that_is_not_of_the_facts_has_no_player() {
        let lab = Lab::small();
        let mut scorer = scorer(&lab, None);
        let fetched = async { Ok(inputs(&lab)) };
        let scored = scorer.score(&DIGEST, fetched, pending()).await.unwrap();
        let mut facts = lab.facts.clone();
        facts.base_root = [0; 32];
        let refused = scorer.player(&scored, async { Ok(facts) }).await;
        assert!(matches!(refused, Err(ReplicaError::Player { .. })));
    }
}
