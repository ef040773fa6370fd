//! Who says what rounds score, and answers for it in disputes: the exact scorer, or in drills a wrapper that changes
//! what that one says.

use super::{drill::DrillScorer, inputs::RoundInputs, ReplicaError};
use crate::evaluation::{Backend, Halt, LieKind, Shared};
use gotong_protocol::{Graph, Hash, RoundId, Rules};
use gotong_scoring::{
    score_round,
    trial::{Case, Witness, WitnessError},
    RoundScore, Samples,
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

/// A round's score, with all that it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredRound {
    /// What was scored.
    pub inputs: Arc<RoundInputs>,
    /// The score.
    pub score: RoundScore,
}

impl ScoredRound {
    pub(super) fn is_of(&self, digest: &Hash) -> bool {
        self.inputs.digest == *digest
    }

    /// What answers and picks in disputes about the score.
    fn witness(&self, case: Case) -> Result<Witness, WitnessError> {
        let RoundInputs {
            base,
            samples,
            reveals,
            ..
        } = &*self.inputs;
        let (base, samples, reveals) = (base.clone(), samples.clone(), reveals.clone());
        Witness::new(case, base, samples, reveals, self.score.clone())
    }
}

/// Who says what the rounds of a task score.
pub(super) enum RoundScorer {
    Exact(ExactScorer),
    Drill(DrillScorer),
}

impl RoundScorer {
    pub fn new(graph: Graph, rules: Rules, options: ScorerOptions) -> Self {
        let exact = ExactScorer::new(graph, rules, options.backend);
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

    /// The score to attest. `inputs`, whose digest is `digest`, are fetched only if the score is not known, and `case`
    /// only if a lie has to be one that the chain would take.
    pub async fn score(
        &mut self,
        digest: &Hash,
        inputs: impl Future<Output = Result<RoundInputs, ReplicaError>> + Send,
        case: impl Future<Output = Result<Case, ReplicaError>> + Send,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        match self {
            Self::Exact(exact) => exact.score(digest, inputs).await,
            Self::Drill(drill) => drill.score(digest, inputs, case).await,
        }
    }

    /// What answers in disputes for `scored`, which is what was said last.
    pub async fn witness(
        &mut self,
        scored: &Arc<ScoredRound>,
        case: impl Future<Output = Result<Case, ReplicaError>> + Send,
    ) -> Result<Arc<Witness>, ReplicaError> {
        match self {
            Self::Exact(exact) => exact.witness(scored, case).await,
            Self::Drill(drill) => drill.witness(scored, case).await,
        }
    }
}

/// Computes what rounds score from their inputs, and remembers the last.
pub(super) struct ExactScorer {
    graph: Graph,
    rules: Rules,
    backend: Backend,
    /// Ends what is computed.
    halt: Halt,
    last: Option<Arc<ScoredRound>>,
    /// What answers for a score, with the digest of the score's inputs.
    witness: Option<(Hash, Arc<Witness>)>,
}

impl ExactScorer {
    pub fn new(graph: Graph, rules: Rules, backend: Backend) -> Self {
        Self {
            graph,
            rules,
            backend,
            halt: Halt::default(),
            last: None,
            witness: None,
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
        self.last.clone().filter(|last| last.is_of(digest))
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
        let round = inputs.round;
        let records = self.graph.samples(inputs.samples.records());
        let samples = Samples::new(self.graph.inputs, self.graph.classes(), &records)
            .map_err(|source| ReplicaError::Samples { round, source })?;
        let (graph, rules, mut evaluator) = (self.graph.clone(), self.rules, self.evaluator());
        let (of, started) = (inputs.clone(), Instant::now());
        let score = tokio::task::spawn_blocking(move || {
            let (base, reveals) = (&of.base, &of.reveals);
            score_round(&mut evaluator, &graph, base, &samples, reveals, &rules)
        })
        .await?
        .map_err(|source| ReplicaError::Score { round, source })?;
        tracing::info!(task = %inputs.task, %round, "scored in {:.2?}", started.elapsed());
        let scored = Arc::new(ScoredRound { inputs, score });
        self.last = Some(scored.clone());
        Ok(scored)
    }

    pub async fn witness(
        &mut self,
        scored: &Arc<ScoredRound>,
        case: impl Future<Output = Result<Case, ReplicaError>> + Send,
    ) -> Result<Arc<Witness>, ReplicaError> {
        let is_known = |(digest, _): &&(Hash, _)| scored.is_of(digest);
        if let Some((_, known)) = self.witness.as_ref().filter(is_known) {
            return Ok(known.clone());
        }
        let (case, of) = (case.await?, scored.clone());
        let witness = tokio::task::spawn_blocking(move || of.witness(case));
        let witness = Arc::new(witness.await?.map_err(other_case(scored.inputs.round))?);
        self.witness = Some((scored.inputs.digest, witness.clone()));
        Ok(witness)
    }
}

pub(super) fn other_case(round: RoundId) -> impl FnOnce(WitnessError) -> ReplicaError {
    move |source| ReplicaError::Witness { round, source }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::evaluation::lab::Lab;
    use gotong_protocol::TaskId;
    use std::future::pending;

    pub const DIGEST: Hash = [1; 32];

    pub fn inputs(lab: &Lab) -> RoundInputs {
        RoundInputs {
            task: TaskId(0),
            round: RoundId(0),
            digest: DIGEST,
            base: lab.base.clone(),
            samples: lab.samples.clone(),
            reveals: lab.reveals.clone(),
        }
    }

    pub fn scorer(lab: &Lab, lie: Option<LieKind>) -> RoundScorer {
        let options = ScorerOptions {
            lie,
            ..ScorerOptions::default()
        };
        RoundScorer::new(lab.case.graph.clone(), lab.case.rules, options)
    }

    #[tokio::test]
    async fn an_exact_score_is_computed_once() {
        let lab = Lab::small();
        let mut scorer = scorer(&lab, None);
        assert_eq!(scorer.known(&DIGEST), None);
        // The case is not asked for, and once the score is known neither are the inputs.
        let fetched = async { Ok(inputs(&lab)) };
        let scored = scorer.score(&DIGEST, fetched, pending()).await.unwrap();
        assert_eq!(scored.score, lab.score());
        assert_eq!(scorer.known(&DIGEST), Some(scored.clone()));
        assert_eq!(scorer.known(&[2; 32]), None);
        let again = scorer.score(&DIGEST, pending(), pending()).await.unwrap();
        assert!(Arc::ptr_eq(&again, &scored));

        let case = async { Ok(lab.case.clone()) };
        let witness = scorer.witness(&scored, case).await.unwrap();
        assert_eq!(*witness.score(), lab.score());
        let again = scorer.witness(&scored, pending()).await.unwrap();
        assert!(Arc::ptr_eq(&again, &witness));
    }

    #[tokio::test]
    async fn a_score_that_is_not_of_the_case_has_no_witness() {
        let lab = Lab::small();
        let mut scorer = scorer(&lab, None);
        let fetched = async { Ok(inputs(&lab)) };
        let scored = scorer.score(&DIGEST, fetched, pending()).await.unwrap();
        let mut case = lab.case.clone();
        case.base_root = [0; 32];
        let refused = scorer.witness(&scored, async { Ok(case) }).await;
        assert!(matches!(refused, Err(ReplicaError::Witness { .. })));
    }
}
