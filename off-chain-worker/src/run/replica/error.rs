//! Why replicas fail.

use crate::{chain::ChainError, run::pools::PoolError, state::StateError};
use gotong_evaluation::Difference;
use gotong_protocol::{RoundId, TaskId};
use gotong_scoring::{
    share::trial::PlayerError, DeltaError, EvalError, SamplesError, ScoreError, WeightsError,
};
use std::str::Utf8Error;

/// Why a task cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The chain could not be asked, or refused something.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The replica's own files cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The round has not started, or the chain has forgotten it.
    #[error("the chain does not know round {round} of task {task}")]
    NoRound {
        /// The task.
        task: TaskId,
        /// The round.
        round: RoundId,
    },
    /// The chain settled a round on something other than what is computed here.
    #[error("THE CHAIN IS WRONG about task {task}, round {round}: {difference}")]
    Differs {
        /// The task.
        task: TaskId,
        /// The round.
        round: RoundId,
        /// The first difference.
        difference: Difference,
    },
    /// The samples cannot be drawn.
    #[error("task {task}: {source}")]
    Pool {
        /// The task.
        task: TaskId,
        /// Why not.
        source: PoolError,
    },
    /// The records are not samples of the model.
    #[error("the samples of round {round} cannot be read: {source}")]
    Samples {
        /// The round.
        round: RoundId,
        /// Why not.
        source: SamplesError,
    },
    /// A revealed delta does not decode.
    #[error("a delta of round {round} cannot be read: {source}")]
    Delta {
        /// The round.
        round: RoundId,
        /// Why not.
        source: DeltaError,
    },
    /// The task's first weights do not decode.
    #[error("the first weights cannot be read: {0}")]
    Weights(#[from] WeightsError),
    /// The task's recipe is not text.
    #[error("the recipe of task {task} is not text ({source}), so it cannot be used: ask its sponsor how its data is made")]
    Recipe {
        /// The task.
        task: TaskId,
        /// Where it stops being text.
        source: Utf8Error,
    },
    /// The round cannot be scored.
    #[error("round {round} cannot be scored: {source}")]
    Score {
        /// The round.
        round: RoundId,
        /// Why not.
        source: ScoreError,
    },
    /// The score does not fit what the chain knows about the round.
    #[error("the score of round {round} does not fit the facts by which the chain judges disputes: {source}")]
    Player {
        /// The round.
        round: RoundId,
        /// What does not fit.
        source: PlayerError,
    },
    /// A folder for the replica could not be made.
    #[error("cannot create a temporary folder: {0}")]
    Temporary(std::io::Error),
    /// A computing thread panicked, or the program is ending.
    #[error("the evaluation was aborted: {0}")]
    Aborted(#[from] tokio::task::JoinError),
}

impl ReplicaError {
    /// Whether trying again cannot help. A full disk may get room again, and a device may work again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Chain(ChainError::Incompatible(_)) => true,
            Self::Chain(_) | Self::NoRound { .. } | Self::Aborted(_) | Self::Temporary(_) => false,
            Self::State(error) => !error.may_pass(),
            Self::Pool { source, .. } => !matches!(source, PoolError::Io { .. }),
            Self::Score { source, .. } => !matches!(source, ScoreError::Eval(EvalError::Device(_))),
            _ => true,
        }
    }
}
