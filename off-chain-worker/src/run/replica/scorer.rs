//! Scores rounds, and defends the scores in disputes. In drills, a wrapper changes the exact scorer's results.

use super::{
    drill::DrillScorer,
    inputs::RoundInputs,
    kept::{KeptScore, KeptScores},
    player::RoundPlayer,
    worker::Job,
    ReplicaError,
};
use gotong_evaluation::{Backend, Halt, LieKind, Mismatch, Shared};
use gotong_protocol::{Graph, Hash, RoundFacts, RoundId, ShareTerms, TableSummary};
use gotong_scoring::{
    gradient::Differentiator,
    share::{
        share_table,
        trial::{Player, PlayerError},
    },
    Evaluator, Samples, ScoreError, ShareTable,
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

/// How a worker scores rounds.
#[derive(Clone, Debug, Default)]
pub struct ScorerOptions {
    /// The backend that evaluates.
    pub backend: Backend,
    /// What it lies about, in drills.
    pub lie: Option<LieKind>,
}

/// A round's result, with everything that it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredRound {
    /// What was scored.
    pub inputs: Arc<RoundInputs>,
    /// Master weights after the round.
    pub weights: Vec<i16>,
    /// Its table.
    pub table: ShareTable,
    /// The summary that is attested: the table's own, except in a drill.
    pub summary: TableSummary,
    /// Whether a device took part. It may be found wrong later.
    pub by_device: bool,
}

impl ScoredRound {
    /// Computes the result with `evaluator`: the processor, or a device, which agrees with the processor unless it is faulty.
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

    /// The player that answers and picks in disputes about the table.
    pub(super) fn player(&self, facts: RoundFacts) -> Result<Player, PlayerError> {
        let RoundInputs {
            base,
            samples,
            entrants,
            ..
        } = &*self.inputs;
        let deltas = entrants.iter().map(|own| own.delta.clone());
        let (base, samples) = (base.clone(), samples.clone());
        Player::new(facts, base, samples, deltas, self.table.clone())
    }
}

/// Scores the rounds of a task.
pub(super) enum RoundScorer {
    Exact(ExactScorer),
    Drill(DrillScorer),
}

impl RoundScorer {
    /// Scores are stored in `kept`, and looked up there.
    pub fn new(graph: Graph, terms: ShareTerms, options: ScorerOptions, kept: KeptScores) -> Self {
        let exact = ExactScorer::new(graph, terms, options.backend, kept);
        match options.lie {
            None => Self::Exact(exact),
            Some(lie) => Self::Drill(DrillScorer::new(exact, lie)),
        }
    }

    /// The exact scorer, with which a replay checks the chain.
    pub fn exact(&mut self) -> &mut ExactScorer {
        match self {
            Self::Exact(exact) => exact,
            Self::Drill(drill) => drill.exact(),
        }
    }

    /// The result for the inputs with this digest, if they were the last.
    pub fn known(&self, digest: &Hash) -> Option<Arc<ScoredRound>> {
        match self {
            Self::Exact(exact) => exact.known(digest),
            Self::Drill(drill) => drill.known(digest),
        }
    }

    /// The result for the inputs with this digest, if its table is `shown` on chain, even if it came from a device that was found
    /// wrong since. It serves only to answer audits and disputes.
    pub fn shown(&self, digest: &Hash, shown: &[Hash]) -> Option<Arc<ScoredRound>> {
        match self {
            Self::Exact(exact) => exact.shown(digest, shown),
            Self::Drill(drill) => drill.known(digest),
        }
    }

    /// The score to attest, or the one that is `shown` ([`ExactScorer::score`]). `inputs`, which have the digest `digest`, are
    /// fetched only if the score is not known, and `facts` only if a lie is needed that the chain would accept.
    pub async fn score(
        &mut self,
        digest: &Hash,
        shown: &[Hash],
        inputs: impl Future<Output = Result<RoundInputs, ReplicaError>> + Send,
        facts: impl Future<Output = Result<RoundFacts, ReplicaError>> + Send,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        match self {
            Self::Exact(exact) => exact.score(digest, shown, inputs).await,
            Self::Drill(drill) => drill.score(digest, shown, inputs, facts).await,
        }
    }

    /// The player that defends `scored`, the last result, in disputes.
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

/// Computes the scores of rounds from their inputs, and remembers the last one, even after a restart.
pub(super) struct ExactScorer {
    graph: Graph,
    terms: ShareTerms,
    backend: Backend,
    /// Stops computations.
    halt: Halt,
    kept: KeptScores,
    last: Option<Arc<ScoredRound>>,
    /// Whether the last score was found on disk. A device may have computed it.
    is_restored: bool,
    /// The player that defends a score, with the digest of the score's inputs.
    player: Option<(Hash, Arc<RoundPlayer>)>,
    /// The digest of inputs whose score was shown but no longer counts, and the processor's job that recomputes it.
    again: Option<(Hash, Job<Result<ScoredRound, ReplicaError>>)>,
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
            again: None,
        }
    }

    /// From now on, `halt` stops computations.
    pub fn halted_by(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// Whether computations should stop.
    pub fn is_halted(&self) -> bool {
        self.halt.is_told()
    }

    /// The evaluator of models. It takes turns with all other evaluations of this process.
    pub fn evaluator(&self) -> Shared<Backend> {
        Shared::backend(self.backend.clone(), self.halt.clone())
    }

    pub fn known(&self, digest: &Hash) -> Option<Arc<ScoredRound>> {
        let last = self.last.as_ref();
        let last = last.filter(|last| last.is_of(digest) && self.counts(last.by_device));
        last.cloned()
    }

    /// Drops the last score and the player that defends it: their round is over, and its deltas may take gigabytes. The score on
    /// disk stays there, in case a fork brings the round back.
    pub fn forget(&mut self) {
        self.last = None;
        self.is_restored = false;
        self.player = None;
        self.again = None;
    }

    /// Whether the inputs with this digest were scored, also before a restart, or are being scored again.
    pub fn has_score(&self, digest: &Hash) -> bool {
        let again = self.again.as_ref();
        self.last.as_ref().is_some_and(|last| last.is_of(digest))
            || again.is_some_and(|(of, _)| of == digest)
            || self.kept.load(digest).is_some()
    }

    /// A device's result counts as long as that device is in use and trusted. Otherwise it is computed again.
    fn counts(&self, by_device: bool) -> bool {
        !by_device || self.backend.device().is_some()
    }

    /// The result for these inputs, whether it counts or not, if its table is among the `shown` ones.
    pub fn shown(&self, digest: &Hash, shown: &[Hash]) -> Option<Arc<ScoredRound>> {
        let last = self.last.as_ref();
        let last = last.filter(|last| last.is_of(digest) && shown.contains(&last.summary.root()));
        last.cloned()
    }

    /// Scores the inputs. `shown` has the roots of the tables that somebody stands for on chain. If a device's result no longer
    /// counts but its table is among those, audits and disputes about it cannot wait. So it is returned all the same, although it
    /// is not [`Self::known`], and the processor recomputes the round in the background.
    pub async fn score(
        &mut self,
        digest: &Hash,
        shown: &[Hash],
        inputs: impl Future<Output = Result<RoundInputs, ReplicaError>> + Send,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        self.again.take_if(|(of, _)| *of != *digest);
        self.take_in(digest, Duration::ZERO).await;
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        if let Some(shown) = self.shown(digest, shown) {
            self.compute_again(&shown.inputs);
            return Ok(shown);
        }
        // The processor may be computing it already.
        self.take_in(digest, Duration::MAX).await;
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let inputs = Arc::new(inputs.await?);
        let kept = self.kept.load(&inputs.digest);
        let Some(scored) = kept.map(|kept| ScoredRound::restored(inputs.clone(), kept)) else {
            return self.compute(inputs).await;
        };
        let counts = self.counts(scored.by_device);
        if !counts && !shown.contains(&scored.summary.root()) {
            return self.compute(inputs).await;
        }
        let (task, round) = (inputs.task, inputs.round);
        tracing::info!(%task, %round, "resuming with the score that was computed before");
        let scored = Arc::new(scored);
        self.last = Some(scored.clone());
        self.is_restored = true;
        if !counts {
            self.compute_again(&inputs);
        }
        Ok(scored)
    }

    /// Begins to recompute these inputs on the processor, unless that is under way already.
    fn compute_again(&mut self, inputs: &Arc<RoundInputs>) {
        let digest = inputs.digest;
        if self.again.as_ref().is_some_and(|(of, _)| *of == digest) {
            return;
        }
        tracing::warn!(
            task = %inputs.task, round = %inputs.round,
            "the table that was shown came from a device that is no longer trusted: this worker still defends it, and recomputes it"
        );
        let halt = Halt::default();
        let computed = self.attempt(inputs.clone(), Backend::Cpu, halt.clone());
        self.again = Some((digest, Job::start(halt, computed)));
    }

    /// Takes in the processor's recomputation of these inputs, if that ends within `patience`.
    async fn take_in(&mut self, digest: &Hash, patience: Duration) {
        let Some((_, job)) = self.again.as_mut().filter(|(of, _)| *of == *digest) else {
            return;
        };
        let Some(ended) = job.ended(patience).await else {
            return;
        };
        self.again = None;
        match ended {
            Ok(Ok(exact)) => {
                let was_right = self.shown(digest, &[exact.summary.root()]).is_some();
                if !was_right {
                    tracing::error!(
                        "the table that was shown is wrong, because a device computed wrongly"
                    );
                }
                self.remember(exact);
            }
            Ok(Err(error)) => tracing::error!("{error}"),
            Err(error) => tracing::error!("the evaluation was aborted: {error}"),
        }
    }

    /// Checks a score that the chain contradicts. Before the chain is doubted, a score that a device computed, or that dates from
    /// before a restart, is recomputed on the processor.
    pub async fn confirmed(
        &mut self,
        scored: Arc<ScoredRound>,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        let device = self.backend.device();
        if device.is_none() && !self.is_restored {
            return Ok(scored);
        }
        let halt = self.halt.clone();
        let exact = self.attempt(scored.inputs.clone(), Backend::Cpu, halt);
        let exact = exact.await?;
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
        if self
            .shown(&scored.inputs.digest, &[scored.summary.root()])
            .is_none()
        {
            // The player defends another table.
            self.player = None;
        }
        let scored = Arc::new(scored);
        self.last = Some(scored.clone());
        scored
    }

    /// Scores these inputs. If a device takes part and is found wrong, the whole round is computed again.
    async fn compute(
        &mut self,
        inputs: Arc<RoundInputs>,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        let (task, round, started) = (inputs.task, inputs.round, Instant::now());
        let had_device = self.backend.device().is_some();
        let (backend, halt) = (self.backend.clone(), self.halt.clone());
        let attempt = self.attempt(inputs.clone(), backend, halt.clone());
        let mut scored = attempt.await;
        if had_device && self.backend.device().is_none() {
            scored = self.attempt(inputs, Backend::Cpu, halt).await;
        }
        let scored = self.remember(scored?);
        tracing::info!(%task, %round, "scored in {:.2?}", started.elapsed());
        Ok(scored)
    }

    fn attempt(
        &self,
        inputs: Arc<RoundInputs>,
        backend: Backend,
        halt: Halt,
    ) -> impl Future<Output = Result<ScoredRound, ReplicaError>> + Send + 'static {
        let (graph, terms) = (self.graph.clone(), self.terms);
        async move {
            let round = inputs.round;
            let samples = {
                let records = graph.samples(inputs.samples.records());
                Samples::new(graph.inputs, graph.classes(), &records)
            };
            let samples = samples.map_err(|source| ReplicaError::Samples { round, source })?;
            let by_device = backend.device().is_some();
            let mut evaluator = Shared::backend(backend, halt);
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
pub(in crate::run) mod tests;
