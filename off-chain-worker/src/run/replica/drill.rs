//! A scorer that lies, for drills.

use super::{
    inputs::RoundInputs,
    player::RoundPlayer,
    scorer::{other_facts, ExactScorer, ScoredRound},
    ReplicaError,
};
use gotong_evaluation::LieKind;
use gotong_protocol::{Hash, RoundFacts};
use std::{future::Future, sync::Arc};

/// Asks the exact scorer, and changes its result.
pub(super) struct DrillScorer {
    exact: ExactScorer,
    lie: LieKind,
    /// The last result.
    said: Option<Said>,
}

struct Said {
    scored: Arc<ScoredRound>,
    /// Plays for the lie; none if the round offers nothing to lie about, so that the result is the truth.
    liar: Option<Arc<RoundPlayer>>,
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
        shown: &[Hash],
        inputs: impl Future<Output = Result<RoundInputs, ReplicaError>> + Send,
        facts: impl Future<Output = Result<RoundFacts, ReplicaError>> + Send,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let honest = self.exact.score(digest, shown, inputs).await?;
        let (facts, lie, of) = (facts.await?, self.lie, honest.clone());
        let mut evaluator = self.exact.evaluator();
        let liar = tokio::task::spawn_blocking(move || {
            let player = of.player(facts)?;
            Ok(lie.player(&player, of.inputs.samples.records(), &mut evaluator))
        })
        .await?
        .map_err(other_facts(honest.inputs.round))?;
        let (task, round) = (honest.inputs.task, honest.inputs.round);
        let said = match liar {
            None => {
                tracing::warn!(%task, %round, "the round has nothing to lie about");
                Said {
                    scored: honest,
                    liar: None,
                }
            }
            Some((liar, told)) => {
                tracing::warn!(%task, %round, "asked for a lie about {lie:?}, lies: {told:?}");
                let scored = ScoredRound {
                    inputs: honest.inputs.clone(),
                    weights: honest.weights.clone(),
                    table: liar.table().clone(),
                    summary: liar.summary().clone(),
                    by_device: honest.by_device,
                };
                Said {
                    scored: Arc::new(scored),
                    liar: Some(Arc::new(RoundPlayer::new(liar))),
                }
            }
        };
        let scored = said.scored.clone();
        self.said = Some(said);
        Ok(scored)
    }

    pub async fn player(
        &mut self,
        scored: &Arc<ScoredRound>,
        facts: impl Future<Output = Result<RoundFacts, ReplicaError>> + Send,
    ) -> Result<Arc<RoundPlayer>, ReplicaError> {
        let said = self.said.as_ref();
        let said = said.filter(|said| said.scored.is_of(&scored.inputs.digest));
        match said.and_then(|said| said.liar.clone()) {
            Some(liar) => Ok(liar),
            None => self.exact.player(scored, facts).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scorer::tests::{inputs, scorer, DIGEST};
    use super::*;
    use crate::test_lab::Lab;
    use clap::ValueEnum;
    use std::future::pending;

    #[tokio::test]
    async fn a_drill_says_something_else_than_the_exact_scorer_that_it_wraps() {
        let lab = Lab::small();
        for kind in LieKind::value_variants() {
            let mut drill = scorer(&lab, Some(*kind));
            let (fetched, facts) = (async { Ok(inputs(&lab)) }, async { Ok(lab.facts.clone()) });
            let lied = drill.score(&DIGEST, &[], fetched, facts).await.unwrap();
            assert_ne!(lied.summary, lab.summary(), "{kind:?}");
            assert_eq!(lied.summary, *lab.liar(*kind).summary());
            assert_eq!(drill.known(&DIGEST), Some(lied.clone()));
            let player = drill.player(&lied, pending()).await.unwrap();
            assert_eq!(player.summary(), lied.summary);
            // A replay gets the truth.
            let exact = drill.exact().score(&DIGEST, &[], pending()).await.unwrap();
            assert_eq!(exact.summary, lab.summary());
        }
    }
}
