//! Any round, recomputed.

use super::{Replica, ReplicaError, RoundPlayer, ScoredRound, ScorerOptions};
use crate::{
    chain::{Client, Moment},
    run::{Pools, WorkerDirs},
    state::Folder,
};
use gotong_protocol::{
    view::{RoundView, TaskView},
    RoundId,
};
use std::sync::Arc;

/// A round of any age, recomputed from the chain alone, and from the pool if there is one.
pub struct Recomputed {
    /// The round, as the chain knows it.
    pub round: RoundView,
    replica: Replica,
    /// Where the replica is kept meanwhile.
    _folder: tempfile::TempDir,
}

impl Recomputed {
    /// Rebuilds `task` from its opening up to `round`, and reports each round as it is replayed.
    pub async fn open(
        client: &Client,
        now: &Moment,
        pools: &Pools,
        task: &TaskView,
        round: RoundId,
        scoring: ScorerOptions,
        report: impl FnMut(RoundId),
    ) -> Result<Self, ReplicaError> {
        let folder = tempfile::tempdir().map_err(ReplicaError::Temporary)?;
        let dirs = WorkerDirs {
            folder: Folder::open(folder.path())?,
            pools: pools.clone(),
        };
        let replica = Replica::open(client, now, &dirs, task).await?;
        let mut replica = replica.scored_by(scoring);
        replica.advance_to(client, now, round, report).await?;
        let round = replica.view(now, round).await?;
        Ok(Self {
            round,
            replica,
            _folder: folder,
        })
    }

    /// The result of scoring the round.
    pub async fn score(
        &mut self,
        client: &Client,
        now: &Moment,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        self.replica.score(client, now, &self.round).await
    }

    /// The player that defends the score.
    pub async fn player(
        &mut self,
        client: &Client,
        now: &Moment,
    ) -> Result<Arc<RoundPlayer>, ReplicaError> {
        self.replica.player(client, now, &self.round).await
    }
}
