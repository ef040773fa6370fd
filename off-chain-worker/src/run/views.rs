//! What a chain may answer, for tests.

use super::tasks::TaskViews;
use crate::{chain::ChainError, test_lab::Lab};
use codec::Encode;
use gotong_protocol::{
    id::DisputeId,
    pay::WHOLE_Q32,
    view::{
        DisputeView, LedgerView, Page, RevealedView, RoundView, SeatView, SubmissionView, TaskView,
    },
    EntrantRecord, Graph, HoldOutTerms, Outcome, Phase, RoundId, SeatState, ShareTerms,
    TableSummary, TaskId, TaskName, TaskState, TaskTerms, Windows,
};
use gotong_scoring::{
    share::{
        trial::{Accusation, Statement, Trial},
        Ledger, Stage,
    },
    ShareTable,
};
use std::{cell::Cell, collections::BTreeSet, ops::Range};

/// Root of the weights that the round starts from.
pub const BASE: gotong_protocol::Hash = [5; 32];

/// A round that nobody has attested yet.
pub fn round() -> RoundView {
    RoundView {
        task: TaskId(1),
        round: RoundId(2),
        phase: Phase::AttestCommit,
        phase_started_at: 3,
        started_at: 3,
        ends_at: 4,
        commits: 2,
        reveals: 2,
        base_root: BASE,
        shard: None,
        seed: None,
        seats: Vec::new(),
        redraws: 0,
        audit_seed: None,
        open_disputes: 0,
        outcome: None,
        claim: None,
        rate_q32: WHOLE_Q32,
        fees: 0,
        pot: 0,
        paid: 0,
        released: 0,
        claims: 0,
        expires_at: None,
        awaits_attesters: false,
    }
}

/// A seat whose attester defends, or defended, a table.
pub fn seat(account: u8, state: SeatState, table: Option<TableSummary>) -> SeatView {
    SeatView {
        account: [account; 32],
        stake: 1,
        state,
        committed: true,
        claim: table.as_ref().map(|table| table.claim(&BASE)),
        table,
        work_root: None,
        audited: true,
        fee: 0,
    }
}

/// A round that settled on a table, with more than enough set aside.
pub fn settled(table: &ShareTable) -> RoundView {
    RoundView {
        phase: Phase::Ended,
        outcome: Some(Outcome::Settled),
        claim: Some(table.summary().claim(&BASE)),
        reveals: table.records.len() as u32,
        pot: 1 << 100,
        ..round()
    }
}

/// A dispute about the round, in which account 1 has to answer account 2.
pub fn dispute() -> DisputeView {
    DisputeView {
        id: DisputeId(5),
        task: TaskId(1),
        round: RoundId(2),
        accused: [1; 32],
        challenger: [2; 32],
        bond: 0,
        accusation: Accusation::Gradients(Stage::Pay),
        table: Lab::small().summary(),
        trial: Trial {
            statement: Statement::Gradients(Stage::Pay),
            shown: None,
        },
        awaits_answer: true,
        opened_at: 1,
        deadline: 101,
        answers: 0,
        picks: 0,
        bytes: 0,
    }
}

/// A submission by the account whose bytes are all equal to its place in the order of commits.
pub fn submission(index: u32, is_revealed: bool) -> SubmissionView {
    let record = EntrantRecord {
        delta_hash: [index as u8; 32],
        delta_root: [0; 32],
        weight: 10 + index,
        square_norm: 1,
        is_proven: false,
    };
    SubmissionView {
        account: [index as u8; 32],
        index,
        weight: record.weight,
        is_proven: false,
        revealed: is_revealed.then_some(RevealedView {
            record,
            bytes: 1,
            at: 9,
        }),
        credit: None,
        claimed: None,
    }
}

/// A task that pays 0.01 GTG per millibit on exams of 64 samples, a tenth of it to attesters.
pub fn task() -> TaskView {
    let graph = Graph::mlp(&[6, 5, 3]);
    TaskView {
        id: TaskId(1),
        sponsor: [9; 32],
        terms: TaskTerms {
            name: TaskName::new("clothes").unwrap(),
            price_per_millibit: 10_000_000_000,
            cap_per_round: 50_000_000_000_000,
            attester_fee_permille: 100,
            work_fee: 0,
            windows: Windows {
                commit_blocks: 60,
                reveal_blocks: 20,
                attest_blocks: 30,
                challenge_blocks: 20,
            },
            seats: 3,
            quorum: 2,
            minimum_contributor_stake: 0,
            minimum_attester_stake: 0,
            weight_cap: 1,
            delta_bytes: 64 << 10,
            share: ShareTerms::default(),
            hold_out: HoldOutTerms::Sealed {
                root: [8; 32],
                shards: 10,
                samples: 64,
            },
            recipe: [0; 32],
            recipe_bytes: 0,
        },
        state: TaskState::Running,
        parameters: graph.parameters() as u32,
        graph,
        master_root: BASE,
        opened_at: 1,
        round: RoundId(2),
        next_shard: 3,
        pool: 0,
        bond: 0,
        reserved: 0,
        paid: 0,
        expires_at: Some(100_801),
    }
}

/// A task with this number whose rounds have come to `round`.
pub fn task_at(id: u32, round: u32) -> TaskView {
    TaskView {
        id: TaskId(id),
        round: RoundId(round),
        ..task()
    }
}

/// A ledger in which nothing is proved yet.
pub fn ledger(task: TaskId, next: Option<RoundId>) -> LedgerView {
    LedgerView {
        ledger: Ledger::default(),
        task,
        doubt: 0,
        paid: 0,
        open: 0,
        next,
        is_proven: false,
    }
}

/// A chain with many tasks that are over, and a few that are not. It counts the requests that it
/// gets.
pub struct OldChain {
    /// The last tasks that were opened.
    live: Vec<TaskId>,
    /// The tasks in which the requesting account has claims.
    pub claims: BTreeSet<TaskId>,
    requests: Cell<usize>,
    bytes: Cell<usize>,
}

impl OldChain {
    /// A chain with these live tasks.
    pub fn with(live: Range<u32>) -> Self {
        Self {
            live: live.map(TaskId).collect(),
            claims: BTreeSet::new(),
            requests: Cell::default(),
            bytes: Cell::default(),
        }
    }

    /// A page of ledgers, as the chain answers it.
    pub fn ledgers_from(&self, start: TaskId) -> Result<Page<LedgerView, TaskId>, ChainError> {
        let end = self.live.last().map_or(0, |last| last.0 + 1);
        let ledger_in = |task: TaskId| {
            let has_claims = self.claims.contains(&task);
            has_claims.then(|| ledger(task, Some(RoundId(1))))
        };
        Ok(self.answer(Page::of((start.0..end).map(TaskId), ledger_in)))
    }

    /// Restarts the count from 0.
    pub fn forget_requests(&self) {
        self.requests.set(0);
        self.bytes.set(0);
    }

    /// How many requests were answered.
    pub fn requests(&self) -> usize {
        self.requests.get()
    }

    /// How many bytes all answers had together.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    fn answer<T: Encode>(&self, answer: T) -> T {
        self.requests.set(self.requests.get() + 1);
        self.bytes.set(self.bytes.get() + answer.encoded_size());
        answer
    }
}

impl TaskViews for OldChain {
    async fn live_tasks(&self) -> Result<Vec<TaskId>, ChainError> {
        Ok(self.answer(self.live.clone()))
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskView>, ChainError> {
        Ok(self.answer(Some(task_at(id.0, 0))))
    }
}
