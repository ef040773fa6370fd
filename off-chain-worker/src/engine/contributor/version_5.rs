//! A contributor as files of state version 5 kept it.

use super::{Contributor, OwnDelta, PreparedDelta};
use codec::Decode;
use gotong_protocol::{RoundId, TaskId};

/// A [`Contributor`] with the delta of a single round.
#[derive(Decode)]
pub struct ContributorVersion5 {
    task: TaskId,
    account: [u8; 32],
    prepared: Option<PreparedDelta>,
    /// The block that took the commitment to `prepared`, as far as is known.
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
