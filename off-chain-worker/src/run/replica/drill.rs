//! A scorer that lies, for drills.

use super::{
    inputs::RoundInputs,
    scorer::{other_case, ExactScorer, ScoredRound},
    ReplicaError,
};
use crate::evaluation::LieKind;
use gotong_protocol::Hash;
use gotong_scoring::trial::{Case, Witness};
use std::{future::Future, sync::Arc};

/// Asks the exact scorer, and changes what it says.
pub(super) struct DrillScorer {
    exact: ExactScorer,
    lie: LieKind,
    /// What was said last.
    said: Option<Said>,
}

struct Said {
    scored: Arc<ScoredRound>,
    /// What answers for the lie; none if the round had no such lie, and the truth was said.
    liar: Option<Arc<Witness>>,
}

impl DrillScorer {
    pub fn new(exact: ExactScorer, lie: LieKind) -> Self {
        Self {
            exact,
            lie,
            said: None,
        }
    }

    pub fn exact(&mut self) -> &mut ExactScorer {
        &mut self.exact
    }

    pub fn known(&self, digest: &Hash) -> Option<Arc<ScoredRound>> {
        let said = self.said.as_ref().filter(|said| said.scored.is_of(digest));
        said.map(|said| said.scored.clone())
    }

    pub async fn score(
        &mut self,
        digest: &Hash,
        inputs: impl Future<Output = Result<RoundInputs, ReplicaError>> + Send,
        case: impl Future<Output = Result<Case, ReplicaError>> + Send,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let honest = self.exact.score(digest, inputs).await?;
        let (case, lie, of) = (case.await?, self.lie, honest.clone());
        let mut evaluator = self.exact.evaluator();
        let liar = tokio::task::spawn_blocking(move || {
            let ScoredRound { inputs, score } = &*of;
            let (base, samples, reveals) = (&inputs.base, &inputs.samples, &inputs.reveals);
            lie.witness(&case, base, samples, reveals, score, &mut evaluator)
        })
        .await?
        .map_err(other_case(honest.inputs.round))?;
        let said = match liar {
            None => {
                let RoundInputs { task, round, .. } = &*honest.inputs;
                tracing::warn!(%task, %round, "the round has no lie about {lie:?}");
                Said {
                    scored: honest,
                    liar: None,
                }
            }
            Some(liar) => Said {
                scored: Arc::new(ScoredRound {
                    inputs: honest.inputs.clone(),
                    score: liar.score().clone(),
                }),
                liar: Some(Arc::new(liar)),
            },
        };
        let scored = said.scored.clone();
        self.said = Some(said);
        Ok(scored)
    }

    pub async fn witness(
        &mut self,
        scored: &Arc<ScoredRound>,
        case: impl Future<Output = Result<Case, ReplicaError>> + Send,
    ) -> Result<Arc<Witness>, ReplicaError> {
        let said = self.said.as_ref();
        let said = said.filter(|said| said.scored.is_of(&scored.inputs.digest));
        match said.and_then(|said| said.liar.clone()) {
            Some(liar) => Ok(liar),
            None => self.exact.witness(scored, case).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scorer::tests::{inputs, scorer, DIGEST};
    use super::*;
    use crate::evaluation::lab::Lab;
    use std::future::pending;

    #[tokio::test]
    async fn a_drill_says_something_else_than_the_exact_scorer_that_it_wraps() {
        let lab = Lab::small();
        let mut drill = scorer(&lab, Some(LieKind::Share));
        let (fetched, case) = (async { Ok(inputs(&lab)) }, async { Ok(lab.case.clone()) });
        let lied = drill.score(&DIGEST, fetched, case).await.unwrap();
        assert_eq!(lied.score, *lab.liar(LieKind::Share).score());
        assert_eq!(drill.known(&DIGEST), Some(lied.clone()));
        let witness = drill.witness(&lied, pending()).await.unwrap();
        assert_eq!(*witness.score(), lied.score);
        // A replay is told the truth.
        let exact = drill.exact().score(&DIGEST, pending()).await.unwrap();
        assert_eq!(exact.score, lab.score());
    }

    #[tokio::test]
    async fn a_round_without_such_a_lie_is_told_as_it_is() {
        let mut lab = Lab::small();
        lab.keep_reveals(1);
        let mut drill = scorer(&lab, Some(LieKind::Similar));
        let (fetched, case) = (async { Ok(inputs(&lab)) }, async { Ok(lab.case.clone()) });
        let said = drill.score(&DIGEST, fetched, case).await.unwrap();
        assert_eq!(said.score, lab.score());
        let case = async { Ok(lab.case.clone()) };
        let witness = drill.witness(&said, case).await.unwrap();
        assert_eq!(*witness.score(), lab.score());
    }
}
