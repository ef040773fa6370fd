use crate::{chain::ChainError, evaluation::Difference, run::pools::PoolError, state::StateError};
use gotong_protocol::{RoundId, TaskId};
use gotong_scoring::{trial::WitnessError, DeltaError, SamplesError, ScoreError, WeightsError};

/// Why a task cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("there is no task {0}")]
    NoTask(TaskId),
    #[error("the chain knows nothing of round {round} of task {task}")]
    NoRound { task: TaskId, round: RoundId },
    #[error("THE CHAIN IS WRONG about task {task}, round {round}: {difference}")]
    Differs {
        task: TaskId,
        round: RoundId,
        difference: Difference,
    },
    #[error("task {task}: {source}")]
    Pool { task: TaskId, source: PoolError },
    #[error("the samples of round {round} cannot be read: {source}")]
    Samples {
        round: RoundId,
        source: SamplesError,
    },
    #[error("a delta of round {round} cannot be read: {source}")]
    Delta { round: RoundId, source: DeltaError },
    #[error("the first weights cannot be read: {0}")]
    Weights(#[from] WeightsError),
    #[error("round {round} cannot be scored: {source}")]
    Score { round: RoundId, source: ScoreError },
    #[error("round {round} is not what the chain judges disputes by: {source}")]
    Witness {
        round: RoundId,
        source: WitnessError,
    },
    #[error("no temporary folder: {0}")]
    Temporary(std::io::Error),
    #[error("the evaluation was aborted: {0}")]
    Aborted(#[from] tokio::task::JoinError),
}

impl ReplicaError {
    /// Whether trying again cannot help. A disk that is full may have room again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Chain(ChainError::Incompatible(_)) => true,
            Self::Chain(_) | Self::NoRound { .. } | Self::Aborted(_) | Self::Temporary(_) => false,
            Self::State(error) => !matches!(error, StateError::Io { .. }),
            Self::Pool { source, .. } => !matches!(source, PoolError::Io { .. }),
            _ => true,
        }
    }
}
