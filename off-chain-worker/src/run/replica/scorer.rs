//! Who says what rounds score, and answers for it in disputes: the exact scorer, or in drills a wrapper that changes
//! what that one says.

use super::{
    drill::DrillScorer,
    inputs::RoundInputs,
    kept::{KeptScore, KeptScores},
    player::RoundPlayer,
    worker::Job,
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
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

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
        let deltas = entrants.iter().map(|own| own.delta.clone());
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

    /// What was said of the inputs with this digest and is `shown` on chain, be it by a device that was found wrong: it answers
    /// audits and disputes, and nothing else.
    pub fn shown(&self, digest: &Hash, shown: &[Hash]) -> Option<Arc<ScoredRound>> {
        match self {
            Self::Exact(exact) => exact.shown(digest, shown),
            Self::Drill(drill) => drill.known(digest),
        }
    }

    /// The score to attest, or the one that is `shown` ([`ExactScorer::score`]). `inputs`, whose digest is `digest`, are
    /// fetched only if the score is not known, and `facts` only if a lie has to be one that the chain would take.
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
    /// The inputs of a score that is shown and counts no more, which the processor computes again beside it.
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

    /// From now on `halt` ends what is computed.
    pub fn halted_by(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// Whether what is computed is to end.
    pub fn is_halted(&self) -> bool {
        self.halt.is_told()
    }

    /// What evaluates models, in turn with all else that this process evaluates.
    pub fn evaluator(&self) -> Shared<Backend> {
        Shared::backend(self.backend.clone(), self.halt.clone())
    }

    pub fn known(&self, digest: &Hash) -> Option<Arc<ScoredRound>> {
        let last = self.last.as_ref();
        let last = last.filter(|last| last.is_of(digest) && self.counts(last.by_device));
        last.cloned()
    }

    /// Lets go of what was scored last, and of what answers for it: their round is over, and its deltas may take gigabytes. What is
    /// on disk stays there, should a fork bring the round back.
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

    /// What a device computed counts as long as the device is trusted. After that, and without it, it is computed again.
    fn counts(&self, by_device: bool) -> bool {
        !by_device || self.backend.device().is_some()
    }

    /// What was said of these inputs, if its table is one of those that are `shown`, whether it counts or not.
    pub fn shown(&self, digest: &Hash, shown: &[Hash]) -> Option<Arc<ScoredRound>> {
        let last = self.last.as_ref();
        let last = last.filter(|last| last.is_of(digest) && shown.contains(&last.summary.root()));
        last.cloned()
    }

    /// What the inputs come to. `shown` are the roots of the tables for which somebody stands on chain. If what a device had
    /// computed counts no more, and is one of them, then there are audits and disputes to answer, which do not wait: it is
    /// given, though not [`Self::known`], and the processor computes the round again beside that.
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
        // It may be under way.
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
        tracing::info!(%task, %round, "resuming with what was scored before");
        let scored = Arc::new(scored);
        self.last = Some(scored.clone());
        self.is_restored = true;
        if !counts {
            self.compute_again(&inputs);
        }
        Ok(scored)
    }

    /// Begins to compute these inputs on the processor, unless that is under way.
    fn compute_again(&mut self, inputs: &Arc<RoundInputs>) {
        let digest = inputs.digest;
        if self.again.as_ref().is_some_and(|(of, _)| *of == digest) {
            return;
        }
        tracing::warn!(
            task = %inputs.task, round = %inputs.round,
            "a device that is no longer trusted computed the table that was shown: this worker still stands for it, and recomputes it"
        );
        let halt = Halt::default();
        let computed = self.attempt(inputs.clone(), Backend::Cpu, halt.clone());
        self.again = Some((digest, Job::start(halt, computed)));
    }

    /// Takes in what the processor has computed again of these inputs, if that ends within `patience`.
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
                    tracing::error!("the table that was shown is wrong: a device computed it");
                }
                self.remember(exact);
            }
            Ok(Err(error)) => tracing::error!("{error}"),
            Err(error) => tracing::error!("the evaluation was aborted: {error}"),
        }
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
            // It answers for another table.
            self.player = None;
        }
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
