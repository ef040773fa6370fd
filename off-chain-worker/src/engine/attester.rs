//! When an attester evaluates, commits, reveals and answers audits.

mod version_5;

pub use version_5::AttesterVersion5;

use codec::{Decode, Encode};
use gotong_protocol::{attestation_commitment, Hash, Phase, RoundId, TableSummary, TaskId};

/// One account's seat in the rounds of one task: evaluates, commits, reveals and answers its audits,
/// once a round. A round may draw it at any time that it draws seats anew.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Attester {
    task: TaskId,
    account: [u8; 32],
    /// The last ones that were evaluated: of every round, one for every fork that gave it other inputs. Whichever fork the
    /// chain goes on with, what was committed there can be shown.
    works: Vec<Evaluated>,
    /// The last block that took a commitment to one of `works`, as far as known.
    committed_at: Option<u32>,
}

/// Evaluated rounds that are kept: a fork may take some of them back.
const KEPT: usize = 8;

/// A round that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Evaluated {
    /// The round.
    pub round: RoundId,
    /// Digest of what was evaluated.
    pub inputs: Hash,
    /// Root of the weights that the round started from.
    pub base_root: Hash,
    /// The share table, as it is shown to the chain.
    pub table: TableSummary,
    /// Root over the account's own work.
    pub work_root: Hash,
    /// Hides the table until it is revealed. Whoever evaluates the same inputs again has to find the same one.
    pub salt: Hash,
    /// Whether a device had a part in it. Once that was found wrong, it counts no more.
    pub by_device: bool,
    /// Whether a commitment to it was sent. The chain may have taken it, and then nothing but this table can be revealed.
    pub is_sent: bool,
}

/// What the chain says, as far as an attester cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttesterSnapshot {
    /// The block at which this is true.
    pub block: u32,
    /// The task's last round.
    pub round: RoundId,
    /// The phase of that round.
    pub phase: Phase,
    /// Digest of what the round's score depends on; a fork may change it.
    pub inputs: Hash,
    /// The account's own seat. There are none before the first draw, and a later one may add it.
    pub seat: Option<Seat>,
    /// Whether the audits of the challenge are drawn, so that they can be answered.
    pub are_audits_drawn: bool,
    /// Whether what a device had a part in counts.
    pub is_device_trusted: bool,
}

/// How far the chain knows the account's attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// Drawn, and nothing committed yet.
    Drawn,
    /// Committed to a table.
    Committed,
    /// Stands for a table, and has audits to answer.
    Revealed,
    /// Stands for a table, and has answered its audits.
    Audited,
    /// Has lost the seat: there is nothing more to do in the round.
    Out,
}

/// What an attester wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttesterCommand {
    /// Evaluate the round.
    Evaluate {
        /// The round.
        round: RoundId,
    },
    /// Send the commitment.
    Commit {
        /// The round.
        round: RoundId,
        /// Binds the account to its table and its work.
        commitment: Hash,
        /// Digest of what the table is about: on a fork that gives the round other inputs the chain does not take it.
        inputs: Hash,
    },
    /// Send the table that was committed.
    Reveal {
        /// The round.
        round: RoundId,
        /// The summary of the table.
        table: Box<TableSummary>,
        /// Root over the account's own work.
        work_root: Hash,
        /// What hid the table.
        salt: Hash,
    },
    /// Show the work that the chain's audits ask for.
    AnswerAudits {
        /// The round.
        round: RoundId,
    },
}

impl Attester {
    /// An attester that has done nothing yet.
    pub fn new(task: TaskId, account: [u8; 32]) -> Self {
        Self {
            task,
            account,
            works: Vec::new(),
            committed_at: None,
        }
    }

    /// What to do now, by what the chain says; nothing means to wait.
    pub fn on_block(&self, now: &AttesterSnapshot) -> Option<AttesterCommand> {
        // What another fork made of the round would be a wrong table in this one.
        let fits = |work: &&Evaluated| {
            let counts = !work.by_device || now.is_device_trusted;
            work.round == now.round && work.inputs == now.inputs && counts
        };
        let work = self.works.iter().find(fits);
        match (now.phase, now.seat?) {
            // The snapshot is older than our commitment.
            (Phase::AttestCommit, Seat::Drawn) if self.committed_at >= Some(now.block) => None,
            (Phase::AttestCommit, Seat::Drawn) => match work {
                Some(work) => Some(AttesterCommand::Commit {
                    round: now.round,
                    commitment: self.commitment(work),
                    inputs: work.inputs,
                }),
                // Also if a later round was evaluated already: a fork took it back, and the seat in this one has its duty.
                None => Some(AttesterCommand::Evaluate { round: now.round }),
            },
            (Phase::AttestReveal, Seat::Committed) => match work {
                Some(work) => Some(AttesterCommand::Reveal {
                    round: now.round,
                    table: Box::new(work.table.clone()),
                    work_root: work.work_root,
                    salt: work.salt,
                }),
                // The disk with it is lost. The chain takes nothing but what was committed, so that nothing wrong is revealed.
                None if self.table(&now.inputs).is_none() => {
                    Some(AttesterCommand::Evaluate { round: now.round })
                }
                // What a device computed that was found wrong: to be silent costs less.
                None => None,
            },
            // Needs no memory: the work is computed again where it is lost.
            (Phase::Challenge, Seat::Revealed) if now.are_audits_drawn => {
                Some(AttesterCommand::AnswerAudits { round: now.round })
            }
            _ => None,
        }
    }

    /// The table that was computed from what has this digest.
    pub fn table(&self, inputs: &Hash) -> Option<&TableSummary> {
        let mut works = self.works.iter();
        let found = works.find(|work| work.inputs == *inputs)?;
        Some(&found.table)
    }

    fn commitment(&self, work: &Evaluated) -> Hash {
        attestation_commitment(
            self.task,
            work.round,
            &self.account,
            &work.table.claim(&work.base_root),
            &work.work_root,
            &work.salt,
        )
    }

    /// An evaluation has ended, for which the last block asked. One that may be committed already is never replaced; what counts
    /// no more is.
    pub fn on_evaluated(&mut self, work: Evaluated) {
        let is_same =
            |known: &&mut Evaluated| (known.round, known.inputs) == (work.round, work.inputs);
        match self.works.iter_mut().find(is_same) {
            None => {
                self.works.push(work);
                if self.works.len() > KEPT {
                    // The oldest, but none that may have to be revealed as long as there is another.
                    let mut old = self.works.iter().take(KEPT);
                    let unsent = old.position(|work| !work.is_sent);
                    self.works.remove(unsent.unwrap_or(0));
                }
            }
            Some(known) if known.by_device && !work.by_device => *known = work,
            Some(_) => {}
        }
    }

    /// The processor has computed `table` from what has this digest. If a device had computed the same, that counts from now on,
    /// whatever becomes of the device.
    pub fn on_confirmed(&mut self, inputs: &Hash, table: &TableSummary) {
        for work in &mut self.works {
            if work.inputs == *inputs && work.table == *table {
                work.by_device = false;
            }
        }
    }

    /// What has this digest was computed for a task or a round that a node made up: it is neither committed nor revealed. What was
    /// sent already was proved then, and a node that makes up that it was not cannot keep it from its reveal.
    pub fn on_disproved(&mut self, inputs: &Hash) {
        self.works
            .retain(|work| work.is_sent || work.inputs != *inputs);
    }

    /// This process has computed `table` from what has this digest. Another one, of an earlier run or of another node, was computed
    /// for a task that a node made up: it is forgotten, unless it was sent.
    pub fn on_computed(&mut self, inputs: &Hash, table: &TableSummary) {
        self.works
            .retain(|work| work.is_sent || work.inputs != *inputs || work.table == *table);
    }

    /// A commitment to what has this digest is about to be sent.
    pub fn on_sent(&mut self, inputs: &Hash) {
        for work in &mut self.works {
            work.is_sent |= work.inputs == *inputs;
        }
    }

    /// Block `block` took a commitment.
    pub fn on_committed(&mut self, block: u32) {
        self.committed_at = self.committed_at.max(Some(block));
    }

    /// Another node is asked from now on. The one before may have made up the block that took a commitment; what it is too late or
    /// too early for, the chain refuses.
    pub fn on_other_node(&mut self) {
        self.committed_at = None;
    }
}

#[cfg(test)]
mod tests;
