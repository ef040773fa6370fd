//! When an attester evaluates, commits, reveals and answers audits.

mod version_5;

pub use version_5::AttesterVersion5;

use codec::{Decode, Encode};
use gotong_protocol::{attestation_commitment, Hash, Phase, RoundId, TableSummary, TaskId};

/// One account's seat in the rounds of one task: it evaluates, commits, reveals and answers its audits, once a round. A round may
/// draw it whenever it draws seats anew.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Attester {
    task: TaskId,
    account: [u8; 32],
    /// The evaluations of the last rounds, one for each fork that gave a round other inputs. So whichever fork the chain continues
    /// on, what was committed there can be shown.
    works: Vec<Evaluated>,
    /// The last block that took a commitment to one of `works`, as far as is known.
    committed_at: Option<u32>,
}

/// How many evaluated rounds are kept, because a fork may undo some of them.
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
    /// Hides the table until it is revealed. Evaluating the same inputs again has to give the same salt.
    pub salt: Hash,
    /// Whether a device had a part in it. If that device is later found wrong, it no longer counts.
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
    /// Whether the audits of the challenge have been drawn, so that they can be answered.
    pub are_audits_drawn: bool,
    /// Whether results that a device had a part in count.
    pub is_device_trusted: bool,
}

/// How much of the account's attestation the chain knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// Drawn, and nothing committed yet.
    Drawn,
    /// Committed to a table.
    Committed,
    /// The table is revealed, and there are audits to answer.
    Revealed,
    /// The table is revealed, and its audits are answered.
    Audited,
    /// The seat is lost, and there is nothing more to do in the round.
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
        /// Digest of what the table was computed from. On a fork that gives the round other inputs, the chain refuses it.
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
        /// The salt that hid the table.
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

    /// What to do now, given what the chain says. `None` means to wait.
    pub fn on_block(&self, now: &AttesterSnapshot) -> Option<AttesterCommand> {
        // A table that another fork's inputs led to would be wrong here.
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
                // This holds even if a later round was evaluated already: a fork has undone that, and the seat in this round has
                // its duty.
                None => Some(AttesterCommand::Evaluate { round: now.round }),
            },
            (Phase::AttestReveal, Seat::Committed) => match work {
                Some(work) => Some(AttesterCommand::Reveal {
                    round: now.round,
                    table: Box::new(work.table.clone()),
                    work_root: work.work_root,
                    salt: work.salt,
                }),
                // The work was lost together with the disk. The chain accepts only what was committed, so nothing wrong can be
                // revealed.
                None if self.table(&now.inputs).is_none() => {
                    Some(AttesterCommand::Evaluate { round: now.round })
                }
                // A device that was found wrong computed it: staying silent costs less.
                None => None,
            },
            // This needs no memory: if the work is lost, it is computed again.
            (Phase::Challenge, Seat::Revealed) if now.are_audits_drawn => {
                Some(AttesterCommand::AnswerAudits { round: now.round })
            }
            _ => None,
        }
    }

    /// The table that was computed from the inputs with this digest.
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

    /// Takes in an evaluation that has ended, which the last block asked for. It never replaces one that may be committed already,
    /// but it does replace one that no longer counts.
    pub fn on_evaluated(&mut self, work: Evaluated) {
        let is_same =
            |known: &&mut Evaluated| (known.round, known.inputs) == (work.round, work.inputs);
        match self.works.iter_mut().find(is_same) {
            None => {
                self.works.push(work);
                if self.works.len() > KEPT {
                    // Removes the oldest, but none that may have to be revealed, as long as there is another.
                    let mut old = self.works.iter().take(KEPT);
                    let unsent = old.position(|work| !work.is_sent);
                    self.works.remove(unsent.unwrap_or(0));
                }
            }
            Some(known) if known.by_device && !work.by_device => *known = work,
            Some(_) => {}
        }
    }

    /// The processor has computed `table` from the inputs with this digest. If a device had computed the same, that result counts
    /// from now on, whatever becomes of the device.
    pub fn on_confirmed(&mut self, inputs: &Hash, table: &TableSummary) {
        for work in &mut self.works {
            if work.inputs == *inputs && work.table == *table {
                work.by_device = false;
            }
        }
    }

    /// The inputs with this digest belonged to a task or a round that a node made up, so what was computed from them is neither
    /// committed nor revealed. What was already sent had been proved by then, and a node that now denies it cannot prevent its
    /// reveal.
    pub fn on_disproved(&mut self, inputs: &Hash) {
        self.works
            .retain(|work| work.is_sent || work.inputs != *inputs);
    }

    /// This process has computed `table` from the inputs with this digest. If another table for them exists, from an earlier run or
    /// another node, it was computed for a task that a node made up. It is forgotten, unless it was sent.
    pub fn on_computed(&mut self, inputs: &Hash, table: &TableSummary) {
        self.works
            .retain(|work| work.is_sent || work.inputs != *inputs || work.table == *table);
    }

    /// A commitment to the result for the inputs with this digest is about to be sent.
    pub fn on_sent(&mut self, inputs: &Hash) {
        for work in &mut self.works {
            work.is_sent |= work.inputs == *inputs;
        }
    }

    /// Block `block` took a commitment.
    pub fn on_committed(&mut self, block: u32) {
        self.committed_at = self.committed_at.max(Some(block));
    }

    /// From now on another node is asked. The previous one may have made up the block that took a commitment. The chain refuses
    /// whatever comes too early or too late.
    pub fn on_other_node(&mut self) {
        self.committed_at = None;
    }
}

#[cfg(test)]
mod tests;
