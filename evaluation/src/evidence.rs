//! Evidence about one step of a share table: what leads from the table to the step, and what the step was made of. It is checked
//! with the referee's own rules, without a model, a data set or a chain.

use super::StepName;
use codec::{Decode, DecodeAll, Encode};
use gotong_protocol::{
    bounds::{MAX_SHARD_SAMPLES, MAX_SUBMISSIONS},
    id::DisputeId,
    Hash, RoundFacts, RoundId, TableSummary, TaskId,
};
use gotong_scoring::{
    blake2_256,
    gradient::Differentiator,
    share::trial::{Accusation, Answer, Pick, Player, Ruling, Statement, Step, Trial},
    trial::Refusal,
    GraphError,
};

/// Evidence about one step.
///
/// The root of a table fixes its summary, and with it the rows, gradients, weights and losses. What they are made of (products,
/// terms, traces) is not fixed by it, but by the party that shows it: an attester in a dispute, which the chain knows, or a party
/// that made the evidence about its own table.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    /// The task of the table.
    pub task: TaskId,
    /// The round of that task.
    pub round: RoundId,
    /// The dispute in which it was shown; none if a party made it about its own table.
    pub dispute: Option<DisputeId>,
    /// What the chain knows of the round.
    pub facts: RoundFacts,
    /// The table.
    pub table: TableSummary,
    /// The step.
    pub statement: Statement,
    /// What is doubted first.
    pub accusation: Accusation,
    /// What leads to the step: the answers, and for each the part that is doubted next.
    pub path: Vec<(Answer, Pick)>,
    /// What the step was made of.
    pub answer: Answer,
}

/// Why there is no evidence about a step, or why it is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The table ends before the step; the last step on the way is named.
    #[error("the table has no such step: nothing leads on from {0}")]
    NoSuchStep(String),
    /// The referee refuses a move.
    #[error("{at}: {refusal}")]
    Refused {
        /// The step at which it is made.
        at: String,
        /// Why.
        refusal: Refusal,
    },
    /// The way to the step ends early, with a step that is right.
    #[error("{0}: the table ends here and is right")]
    Upheld(String),
    /// The way to the step ends early, with a step that is wrong.
    #[error("{0}: the table is wrong before it reaches the step")]
    WrongBefore(String),
    /// The moves lead elsewhere.
    #[error("the evidence leads to {found}, but claims to be about {claimed}")]
    OtherStep {
        /// The step that they lead to.
        found: String,
        /// The step that the evidence claims to be about.
        claimed: String,
    },
    /// The moves of a dispute end before its last step.
    #[error("the moves do not decide the dispute: they end at {0}")]
    Undecided(String),
    /// The graph is not valid.
    #[error("the chain cannot have such a model: {0}")]
    Graph(#[from] GraphError),
    /// The terms are out of bounds, or there are more samples or deltas than a round can have.
    #[error("no task can have the round's terms or sizes")]
    Facts,
    /// The summary does not add up to one table.
    #[error("the table contradicts itself, so no chain accepts it")]
    Inconsistent,
    /// The file does not decode, or its seal is broken.
    #[error("the file is damaged, or is not evidence")]
    Damaged,
    /// The first byte of the file is not that of this version.
    #[error("the evidence has version {0}, which this program cannot read")]
    Version(u8),
}

/// What evidence shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The step is what its inputs make, and the chain has the roots of these inputs.
    Right,
    /// The step is not what its inputs make.
    Wrong(Step),
    /// The step is what its parts make, and these can be examined further.
    RightIfParts,
}

/// A move of a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// The accused shows what a step is made of.
    Answer(Box<Answer>),
    /// The challenger doubts a part of it.
    Pick(Pick),
}

/// The first byte of a file.
const VERSION: u8 = 4;
const SEAL_BYTES: usize = 32;

impl Evidence {
    /// Evidence that `player` gives about a step of the table that it defends.
    pub fn walk(
        (task, round): (TaskId, RoundId),
        player: &mut Player,
        evaluator: &mut impl Differentiator,
        step: StepName,
    ) -> Result<Self, EvidenceError> {
        let (facts, table) = (player.facts().clone(), player.summary().clone());
        let nothing = |at: String| EvidenceError::NoSuchStep(at);
        let accusation = step.accusation(&facts);
        let accusation = accusation.ok_or_else(|| nothing("the table".into()))?;
        let mut trial = open(&facts, &table, accusation)?;
        let mut path = Vec::new();
        loop {
            let here = StepName::of(&trial.statement);
            let at = here.to_string();
            let answer = player.answer(evaluator, &trial);
            let answer = answer.ok_or_else(|| nothing(at.clone()))?;
            if here == step {
                return Ok(Self {
                    task,
                    round,
                    dispute: None,
                    facts,
                    table,
                    statement: trial.statement,
                    accusation,
                    path,
                    answer,
                });
            }
            let answered = go_on(&trial, &facts, &table, &answer)?;
            let pick = step.pick(&answered, &facts, &table);
            let pick = pick.ok_or_else(|| nothing(at.clone()))?;
            trial = answered
                .pick(&facts, &table, &pick)
                .map_err(|refusal| EvidenceError::Refused { at, refusal })?;
            path.push((answer, pick));
        }
    }

    /// Evidence about the step that decided a dispute, from its moves in order. Moves that the referee refuses are skipped, as they
    /// were when they were made.
    pub fn replay(
        (task, round, dispute): (TaskId, RoundId, DisputeId),
        facts: RoundFacts,
        table: TableSummary,
        accusation: Accusation,
        moves: impl IntoIterator<Item = Move>,
    ) -> Result<Self, EvidenceError> {
        let mut trial = open(&facts, &table, accusation)?;
        let (mut path, mut shown) = (Vec::new(), None);
        for next in moves {
            match (trial.awaits_answer(), next) {
                (true, Move::Answer(answer)) => match trial.answer(&facts, &table, &answer) {
                    Ok(Ruling::Continues(next)) => {
                        trial = next;
                        shown = Some(*answer);
                    }
                    Ok(Ruling::Upheld | Ruling::Refuted(_)) => {
                        return Ok(Self {
                            task,
                            round,
                            dispute: Some(dispute),
                            facts,
                            table,
                            statement: trial.statement,
                            accusation,
                            path,
                            answer: *answer,
                        })
                    }
                    Err(_) => {}
                },
                (false, Move::Pick(pick)) => {
                    if let Ok(next) = trial.pick(&facts, &table, &pick) {
                        trial = next;
                        path.extend(shown.take().map(|answer| (answer, pick)));
                    }
                }
                _ => {}
            }
        }
        Err(EvidenceError::Undecided(name(&trial)))
    }

    /// What the evidence shows about the table with the root [`Self::table_root`].
    pub fn check(&self) -> Result<Finding, EvidenceError> {
        let (facts, table) = (&self.facts, &self.table);
        facts.graph.validate()?;
        let is_possible = facts.terms.are_valid()
            && facts.samples <= MAX_SHARD_SAMPLES
            && facts.entrants <= MAX_SUBMISSIONS;
        if !is_possible {
            return Err(EvidenceError::Facts);
        }
        if !facts.allow(table) {
            return Err(EvidenceError::Inconsistent);
        }
        let mut trial = open(facts, table, self.accusation)?;
        for (answer, pick) in &self.path {
            let at = name(&trial);
            trial = go_on(&trial, facts, table, answer)?
                .pick(facts, table, pick)
                .map_err(|refusal| EvidenceError::Refused { at, refusal })?;
        }
        if trial.statement != self.statement {
            return Err(EvidenceError::OtherStep {
                found: name(&trial),
                claimed: StepName::of(&self.statement).to_string(),
            });
        }
        match trial.answer(facts, table, &self.answer) {
            Ok(Ruling::Upheld) => Ok(Finding::Right),
            Ok(Ruling::Refuted(step)) => Ok(Finding::Wrong(step)),
            Ok(Ruling::Continues(_)) => Ok(Finding::RightIfParts),
            Err(refusal) => Err(EvidenceError::Refused {
                at: name(&trial),
                refusal,
            }),
        }
    }

    /// Whether the table's root fixes everything that decides the step. If it does not, a wrong step is the fault of the party that
    /// showed it, and of nobody else who attested the table.
    pub fn is_bound(&self) -> bool {
        matches!(self.statement, Statement::Row { .. } | Statement::Losses(_))
    }

    /// Root of the table that it is about.
    pub fn table_root(&self) -> Hash {
        self.table.root()
    }

    /// What is written to a file: the version, the SCALE encoding, and a hash of both.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = (VERSION, self).encode();
        bytes.extend(seal(&bytes));
        bytes
    }

    /// Reads what [`Self::to_bytes`] returned.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let (body, sealed) = bytes
            .split_last_chunk::<SEAL_BYTES>()
            .ok_or(EvidenceError::Damaged)?;
        let (version, evidence) = body.split_first().ok_or(EvidenceError::Damaged)?;
        if seal(body) != *sealed {
            return Err(EvidenceError::Damaged);
        }
        if *version != VERSION {
            return Err(EvidenceError::Version(*version));
        }
        Self::decode_all(&mut &*evidence).map_err(|_| EvidenceError::Damaged)
    }
}

fn seal(body: &[u8]) -> Hash {
    blake2_256(&[b"gotong:evidence", body])
}

/// The name of what a trial is about.
fn name(trial: &Trial) -> String {
    StepName::of(&trial.statement).to_string()
}

fn open(
    facts: &RoundFacts,
    table: &TableSummary,
    accusation: Accusation,
) -> Result<Trial, EvidenceError> {
    let at = || "the table".into();
    Trial::open(facts, table, accusation)
        .map_err(|refusal| EvidenceError::Refused { at: at(), refusal })
}

/// The trial after an answer that does not decide it.
fn go_on(
    trial: &Trial,
    facts: &RoundFacts,
    table: &TableSummary,
    answer: &Answer,
) -> Result<Trial, EvidenceError> {
    let at = || name(trial);
    match trial.answer(facts, table, answer) {
        Ok(Ruling::Continues(next)) => Ok(next),
        Ok(Ruling::Upheld) => Err(EvidenceError::Upheld(at())),
        Ok(Ruling::Refuted(_)) => Err(EvidenceError::WrongBefore(at())),
        Err(refusal) => Err(EvidenceError::Refused { at: at(), refusal }),
    }
}

#[cfg(test)]
mod tests;
