//! A contributor as it was kept in files of state version 5.

use super::{Contributor, OwnDelta, PreparedDelta};
use codec::Decode;
use gotong_protocol::{RoundId, TaskId};

/// A [`Contributor`] with the delta of one round alone.
#[derive(Decode)]
pub struct ContributorVersion5 {
    task: TaskId,
    account: [u8; 32],
    prepared: Option<PreparedDelta>,
    /// Block that took the commitment to `prepared`, as far as known.
    committed_at: Option<u32>,
    residual_of: Option<RoundId>,
}

impl From<ContributorVersion5> for Contributor {
    fn from(kept: ContributorVersion5) -> Self {
        let committed_at = kept.committed_at;
        let own = kept.prepared.map(|prepared| OwnDelta {
            prepared,
            committed_at,
        });
        Self {
            task: kept.task,
            account: kept.account,
            deltas: own.into_iter().collect(),
            residual_of: kept.residual_of,
        }
    }
}
