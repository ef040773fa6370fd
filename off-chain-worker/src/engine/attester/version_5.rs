//! An attester as files of state version 5 kept it.

use super::{Attester, Evaluated};
use codec::Decode;
use gotong_protocol::{Hash, RoundId, TableSummary, TaskId};

/// An [`Attester`] whose tables do not say whether they were sent.
#[derive(Decode)]
pub struct AttesterVersion5 {
    task: TaskId,
    account: [u8; 32],
    /// All evaluations of the last round.
    works: Vec<EvaluatedVersion5>,
    committed_at: Option<u32>,
}

#[derive(Decode)]
struct EvaluatedVersion5 {
    round: RoundId,
    inputs: Hash,
    base_root: Hash,
    table: TableSummary,
    work_root: Hash,
    salt: Hash,
    by_device: bool,
}

impl From<AttesterVersion5> for Attester {
    fn from(kept: AttesterVersion5) -> Self {
        Self {
            task: kept.task,
            account: kept.account,
            works: kept.works.into_iter().map(Evaluated::from).collect(),
            committed_at: kept.committed_at,
        }
    }
}

impl From<EvaluatedVersion5> for Evaluated {
    fn from(kept: EvaluatedVersion5) -> Self {
        Self {
            round: kept.round,
            inputs: kept.inputs,
            base_root: kept.base_root,
            table: kept.table,
            work_root: kept.work_root,
            salt: kept.salt,
            by_device: kept.by_device,
            // It may have been sent, because the program may have ended before it heard that a block took the commitment. If it was
            // sent and is forgotten, it can never be revealed. If it was not sent and is kept, that can also cost a seat, but only
            // if a node made up the task, and only in this one round.
            is_sent: true,
        }
    }
}
