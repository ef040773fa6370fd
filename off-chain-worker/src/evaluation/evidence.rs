//! Evidence of one step of a score table: what leads from the table to the step, and what the step
//! was made of. It is checked with the referee's own rules, without a model, a data set or a chain.

use super::StepName;
use codec::{Decode, DecodeAll, Encode};
use gotong_protocol::{id::DisputeId, Hash, RoundId, TaskId};
use gotong_scoring::{
    blake2_256,
    trial::{
        Accusation, Answer, Case, Pick, Refusal, Ruling, Statement, Step, Trial, Turn, Witness,
    },
    GraphError, Opening,
};

/// Evidence of one step.
///
/// The root of a table fixes the header, the rows and the losses. What is below a loss (weights,
/// traces, products of deltas) is not fixed by it, but by who shows it: an attester in a dispute,
/// which the chain knows, or whoever made the evidence of a table of its own.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    /// The task of the table.
    pub task: TaskId,
    /// The round of that task.
    pub round: RoundId,
    /// The dispute in which it was shown; none if it was made by somebody for their own table.
    pub dispute: Option<DisputeId>,
    /// What the chain knows of the round.
    pub case: Case,
    /// The table.
    pub opening: Opening,
    /// The step.
    pub statement: Statement,
    /// What is doubted first.
    pub accusation: Accusation,
    /// What leads on to the step: the answers, and of each the part that is doubted next.
    pub path: Vec<(Answer, Pick)>,
    /// What the step was made of.
    pub answer: Answer,
}

/// Why there is no evidence of a step, or why it is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The table ends before the step; named is the last step on the way.
    #[error("the table has no such step: there is no way on from {0}")]
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
    #[error("{0}: the table ends here, and is right")]
    Upheld(String),
    /// The way to the step ends early, with a step that is wrong.
    #[error("{0}: the table is wrong before it comes to the step")]
    WrongBefore(String),
    /// The moves lead elsewhere.
    #[error("the evidence leads to {found}, and is said to be of {claimed}")]
    OtherStep {
        /// The step that they lead to.
        found: String,
        /// The step that the evidence is said to be of.
        claimed: String,
    },
    /// The moves of a dispute end before its last step.
    #[error("the moves do not decide the dispute: they end with {0}")]
    Undecided(String),
    /// The graph is not valid.
    #[error("the model cannot be one of the chain: {0}")]
    Graph(#[from] GraphError),
    /// The rules of the merge cannot be used.
    #[error("the rules cannot be those of a task")]
    Rules,
    /// The opening does not add up to one table.
    #[error("the table contradicts itself, and no chain takes it")]
    Inconsistent,
    /// The file does not decode, or its seal is broken.
    #[error("the file is damaged, or is no evidence")]
    Damaged,
    /// The first byte of the file is not that of this version.
    #[error("the evidence is of version {0}, which this program cannot read")]
    Version(u8),
}

/// What evidence shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The step is what its inputs make, and they are what the chain has the roots of.
    Right,
    /// The step is not what its inputs make.
    Wrong(Step),
    /// The step is what its parts make, which can be gone into further.
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
const VERSION: u8 = 2;
const SEAL_BYTES: usize = 32;

impl Evidence {
    /// Evidence that `witness` gives of a step of the table that it stands for.
    pub fn walk(
        task: TaskId,
        round: RoundId,
        witness: &Witness,
        step: StepName,
    ) -> Result<Self, EvidenceError> {
        let (case, opening) = (witness.case(), witness.score().table.opening());
        let accusation = step.accusation();
        let mut trial = Trial::open(&opening, case, accusation);
        let mut path = Vec::new();
        loop {
            let at = StepName::of(&trial.statement);
            let answer = witness.answer(&trial);
            let answer = answer.ok_or_else(|| EvidenceError::NoSuchStep(at.clone()))?;
            if step.is(&trial.statement) {
                return Ok(Self {
                    task,
                    round,
                    dispute: None,
                    case: case.clone(),
                    opening,
                    statement: trial.statement,
                    accusation,
                    path,
                    answer,
                });
            }
            let answered = go_on(&trial, case, &opening, &answer)?;
            let pick = step.pick(&answered, case);
            let pick = pick.ok_or_else(|| EvidenceError::NoSuchStep(at.clone()))?;
            trial = answered
                .pick(case, &pick)
                .map_err(|refusal| EvidenceError::Refused { at, refusal })?;
            path.push((answer, pick));
        }
    }

    /// Evidence of the step that decided a dispute, from its moves in their order. What the referee
    /// refuses is passed over, as it was when it was tried.
    pub fn replay(
        (task, round, dispute): (TaskId, RoundId, DisputeId),
        case: Case,
        opening: Opening,
        accusation: Accusation,
        moves: impl IntoIterator<Item = Move>,
    ) -> Result<Self, EvidenceError> {
        let mut trial = Trial::open(&opening, &case, accusation);
        let (mut path, mut shown) = (Vec::new(), None);
        for next in moves {
            match (trial.turn(), next) {
                (Turn::Accused, Move::Answer(answer)) => {
                    match trial.answer(&case, &opening, &answer) {
                        Ok(Ruling::Continues(next)) => {
                            trial = next;
                            shown = Some(*answer);
                        }
                        Ok(Ruling::Upheld | Ruling::Refuted(_)) => {
                            return Ok(Self {
                                task,
                                round,
                                dispute: Some(dispute),
                                case,
                                opening,
                                statement: trial.statement,
                                accusation,
                                path,
                                answer: *answer,
                            })
                        }
                        Err(_) => {}
                    }
                }
                (Turn::Challenger, Move::Pick(pick)) => {
                    if let Ok(next) = trial.pick(&case, &pick) {
                        trial = next;
                        path.extend(shown.take().map(|answer| (answer, pick)));
                    }
                }
                _ => {}
            }
        }
        Err(EvidenceError::Undecided(StepName::of(&trial.statement)))
    }

    /// What the evidence shows of the table with the root `opening.table_root()`.
    pub fn check(&self) -> Result<Finding, EvidenceError> {
        let case = &self.case;
        case.graph.validate()?;
        if case.rules.central_difference == 0 {
            return Err(EvidenceError::Rules);
        }
        let floor = case.rules.gain_floor_q8;
        if !self
            .opening
            .is_consistent(case.samples, &case.base_root, floor)
        {
            return Err(EvidenceError::Inconsistent);
        }
        let mut trial = Trial::open(&self.opening, case, self.accusation);
        for (answer, pick) in &self.path {
            let at = StepName::of(&trial.statement);
            trial = go_on(&trial, case, &self.opening, answer)?
                .pick(case, pick)
                .map_err(|refusal| EvidenceError::Refused { at, refusal })?;
        }
        if trial.statement != self.statement {
            return Err(EvidenceError::OtherStep {
                found: StepName::of(&trial.statement),
                claimed: StepName::of(&self.statement),
            });
        }
        match trial.answer(case, &self.opening, &self.answer) {
            Ok(Ruling::Upheld) => Ok(Finding::Right),
            Ok(Ruling::Refuted(step)) => Ok(Finding::Wrong(step)),
            Ok(Ruling::Continues(_)) => Ok(Finding::RightIfParts),
            Err(refusal) => Err(EvidenceError::Refused {
                at: StepName::of(&trial.statement),
                refusal,
            }),
        }
    }

    /// Whether the table's root fixes all that decides the step. If it does not, a wrong step is that
    /// of whoever showed it, and of nobody else who stands for the table.
    pub fn is_bound(&self) -> bool {
        let header = &self.opening.header;
        match (&self.statement, &self.answer) {
            (Statement::Similar | Statement::Rows(_), _) => true,
            // The weights of the merge are the new ones where something is paid, and else decide
            // nothing.
            (Statement::Header, Answer::Header { weights, .. }) => {
                header.paid_gain == 0 || *weights == header.master_root
            }
            _ => false,
        }
    }

    /// Root of the table that it is about.
    pub fn table_root(&self) -> Hash {
        self.opening.table_root()
    }

    /// What is written to a file: the version, the SCALE encoding, and a hash of both.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = (VERSION, self).encode();
        bytes.extend(seal(&bytes));
        bytes
    }

    /// Reads what [`Self::to_bytes`] gave.
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

/// The trial after an answer that does not decide it.
fn go_on(
    trial: &Trial,
    case: &Case,
    opening: &Opening,
    answer: &Answer,
) -> Result<Trial, EvidenceError> {
    let at = || StepName::of(&trial.statement);
    match trial.answer(case, opening, answer) {
        Ok(Ruling::Continues(next)) => Ok(next),
        Ok(Ruling::Upheld) => Err(EvidenceError::Upheld(at())),
        Ok(Ruling::Refuted(_)) => Err(EvidenceError::WrongBefore(at())),
        Err(refusal) => Err(EvidenceError::Refused { at: at(), refusal }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{lab::Lab, LieKind};
    use clap::ValueEnum;
    use gotong_scoring::{trial::Side, HoldOut, Standing};
    use proptest::prelude::*;
    use proptest::sample::Index;

    const TASK: TaskId = TaskId(2);
    const ROUND: RoundId = RoundId(7);

    fn walk(witness: &Witness, step: &str) -> Result<Evidence, EvidenceError> {
        Evidence::walk(TASK, ROUND, witness, step.parse().unwrap())
    }

    /// A dispute: its accusation and its moves, until it is decided or the challenger has nothing to
    /// pick.
    fn play(lab: &Lab, accused: &Witness, challenger: &Witness) -> (Accusation, Vec<Move>) {
        let opening = accused.score().table.opening();
        let accusation = challenger.accuse(&opening).unwrap();
        let mut trial = Trial::open(&opening, &lab.case, accusation);
        let mut moves = Vec::new();
        loop {
            let answer = accused.answer(&trial).unwrap();
            let ruling = trial.answer(&lab.case, &opening, &answer).unwrap();
            moves.push(Move::Answer(Box::new(answer)));
            let Ruling::Continues(shown) = ruling else {
                return (accusation, moves);
            };
            let Some(pick) = challenger.pick(&shown) else {
                return (accusation, moves);
            };
            trial = shown.pick(&lab.case, &pick).unwrap();
            moves.push(Move::Pick(pick));
        }
    }

    fn replay(
        lab: &Lab,
        accused: &Witness,
        challenger: &Witness,
    ) -> Result<Evidence, EvidenceError> {
        let (accusation, moves) = play(lab, accused, challenger);
        let opening = accused.score().table.opening();
        let id = (TASK, ROUND, DisputeId(3));
        Evidence::replay(id, lab.case.clone(), opening, accusation, moves)
    }

    #[test]
    fn every_kind_of_step_of_an_honest_table_is_right() {
        let witness = Lab::small().honest();
        let steps = [
            ("similar", Finding::RightIfParts),
            ("pair:0:1", Finding::RightIfParts),
            ("dot:0:1:chunk=0", Finding::Right),
            ("row:0", Finding::RightIfParts),
            ("header", Finding::RightIfParts),
            ("weight:merged:position=3", Finding::RightIfParts),
            ("weight:minus=0:position=9", Finding::RightIfParts),
            ("term:merged:position=3:row=1", Finding::Right),
            ("term:plus=0:position=3:row=0", Finding::Right),
            ("sample:base:sample=4", Finding::RightIfParts),
            ("sample:merged:sample=0", Finding::RightIfParts),
            ("word:base:sample=4:op=0:at=2", Finding::Right),
            ("word:merged:sample=3:op=1:at=4", Finding::Right),
            ("word:plus=1:sample=1:op=2:at=0", Finding::Right),
        ];
        for (step, finding) in steps {
            let evidence = walk(&witness, step).unwrap_or_else(|error| panic!("{step}: {error}"));
            assert_eq!(evidence.check(), Ok(finding), "{step}");
            let read = Evidence::from_bytes(&evidence.to_bytes());
            assert_eq!(read.as_ref(), Ok(&evidence), "{step}");
            let name = StepName::of(&evidence.statement);
            assert_eq!(name, step);
            let is_bound = ["similar", "row:0", "header"].contains(&step);
            assert_eq!(evidence.is_bound(), is_bound, "{step}");
        }
        let last = witness.case().graph.ops.len() - 1;
        let loss = walk(&witness, &format!("word:merged:sample=3:op={last}:at=0"));
        assert_eq!(loss.unwrap().check(), Ok(Finding::Right));
    }

    #[test]
    fn a_step_on_a_drawn_sample_is_checked_without_the_pool() {
        let lab = Lab::small().drawn();
        let step = "word:base:sample=4:op=0:at=2";
        let evidence = walk(&lab.honest(), step).unwrap();
        assert_eq!(evidence.check(), Ok(Finding::Right));
        // The same sample, as if another seed had drawn it.
        let mut other = evidence.clone();
        if let HoldOut::Drawn { seed, .. } = &mut other.case.hold_out {
            seed[0] ^= 1;
        }
        assert!(other.check().is_err());
        let liar = lab.liar(LieKind::Loss);
        let found = replay(&lab, &liar, &lab.honest()).unwrap().check();
        assert!(matches!(found, Ok(Finding::Wrong(_))), "{found:?}");
    }

    #[test]
    fn a_step_that_the_table_has_not_is_refused() {
        let witness = Lab::small().honest();
        for step in [
            "row:3",
            "sample:merged:sample=5",
            "sample:minus=3:sample=0",
            "word:merged:sample=0:op=99:at=0",
            "word:merged:sample=0:op=0:at=99",
            "weight:merged:position=999",
            "weight:base:position=0",
            "term:merged:position=0:row=3",
            "dot:0:1:chunk=1",
            "pair:1:0",
        ] {
            assert!(walk(&witness, step).is_err(), "{step}");
        }
    }

    #[test]
    fn the_moves_of_a_dispute_are_evidence_of_its_end() {
        let lab = Lab::small();
        let honest = lab.honest();
        for kind in LieKind::value_variants() {
            let liar = lab.liar(*kind);
            let evidence = replay(&lab, &liar, &honest).unwrap();
            let found = evidence.check().unwrap();
            let Finding::Wrong(step) = found else {
                panic!("{kind:?}: {found:?}");
            };
            let name = StepName::of_wrong(&step).to_string();
            assert_eq!(StepName::of(&evidence.statement), name);
            // Whoever has the liar's own computation can make the same evidence.
            let mut made = walk(&liar, &name).unwrap();
            made.dispute = evidence.dispute;
            assert_eq!(made.check(), Ok(found));
            match replay(&lab, &honest, &liar) {
                Ok(upheld) => assert_eq!(upheld.check(), Ok(Finding::Right), "{kind:?}"),
                Err(error) => assert!(matches!(error, EvidenceError::Undecided(_)), "{kind:?}"),
            }
        }
    }

    #[test]
    fn what_the_referee_refuses_is_passed_over() {
        let lab = Lab::small();
        let (liar, honest) = (lab.liar(LieKind::Loss), lab.honest());
        let (accusation, moves) = play(&lab, &liar, &honest);
        let noise = [
            Move::Pick(Pick::Nth(99)),
            Move::Answer(Box::new(Answer::Dots(vec![1]))),
        ];
        let noisy = moves
            .iter()
            .flat_map(|real| noise.iter().cloned().chain([real.clone()]));
        let replayed = |moves: Vec<Move>| {
            let (case, opening) = (lab.case.clone(), liar.score().table.opening());
            let id = (TASK, ROUND, DisputeId(3));
            Evidence::replay(id, case, opening, accusation, moves)
        };
        assert_eq!(replayed(noisy.collect()), replayed(moves.clone()));
        let cut = replayed(moves[..moves.len() - 1].to_vec());
        assert!(matches!(cut, Err(EvidenceError::Undecided(_))));
    }

    #[test]
    fn golden_bytes() {
        let evidence = walk(&Lab::small().honest(), "header").unwrap();
        let bytes = evidence.to_bytes();
        // Version, task, round, no dispute.
        assert_eq!(bytes[..10], [VERSION, 2, 0, 0, 0, 7, 0, 0, 0, 0]);
        let expected = "c5d6410f79d06d857637cc164c205832361c68699c0cadd315858c18abf91a80";
        assert_eq!(hex::encode(blake2_256(&[&bytes])), expected);
        let lab = Lab::small();
        let evidence = replay(&lab, &lab.liar(LieKind::Loss), &lab.honest()).unwrap();
        let expected = "d6e0fe5b2858f48facea3b0f34e96592007be26c23af3fea521543a5fd766b68";
        let hash = blake2_256(&[&evidence.to_bytes()]);
        assert_eq!(hex::encode(hash), expected);
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let bytes = walk(&Lab::small().honest(), "word:merged:sample=3:op=1:at=4");
        let bytes = bytes.unwrap().to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let read = Evidence::from_bytes(&changed);
            assert_eq!(read, Err(EvidenceError::Damaged), "byte {at}");
            assert_eq!(
                Evidence::from_bytes(&bytes[..at]),
                Err(EvidenceError::Damaged)
            );
        }
        let mut later = bytes[..bytes.len() - SEAL_BYTES].to_vec();
        later[0] = VERSION + 1;
        later.extend(seal(&later));
        let read = Evidence::from_bytes(&later);
        assert_eq!(read, Err(EvidenceError::Version(VERSION + 1)));
    }

    /// The evidence with one byte of its encoding changed, sealed anew.
    fn tampered(evidence: &Evidence, at: usize, by: u8) -> Option<Evidence> {
        let mut bytes = evidence.encode();
        bytes[at] ^= by;
        Evidence::decode_all(&mut &*bytes).ok()
    }

    /// Whether nothing that decides the step is chosen by who shows it: the table's root or the
    /// statement fixes it.
    fn is_fixed(evidence: &Evidence) -> bool {
        let by_statement = match evidence.statement {
            Statement::Word { .. } | Statement::Term { .. } => true,
            Statement::Dots { chunks, .. } => chunks == 1,
            _ => false,
        };
        by_statement || evidence.is_bound()
    }

    /// Of the same table, nothing changed makes a right step wrong, or a wrong one right.
    #[test]
    fn evidence_that_was_tampered_with_says_nothing_else_of_the_same_step() {
        let lab = Lab::small();
        let honest = lab.honest();
        let right = [
            "header",
            "row:0",
            "similar",
            "sample:base:sample=4",
            "word:merged:sample=3:op=1:at=4",
            "weight:merged:position=3",
            "term:plus=0:position=3:row=0",
            "dot:0:1:chunk=0",
        ];
        let right = right.map(|step| walk(&honest, step).unwrap());
        let wrong = LieKind::value_variants().iter();
        let wrong = wrong.map(|kind| replay(&lab, &lab.liar(*kind), &honest).unwrap());
        for evidence in right.into_iter().chain(wrong) {
            let found = evidence.check().unwrap();
            for at in 0..evidence.encode().len() {
                for by in [1, 0x80] {
                    let Some(other) = tampered(&evidence, at, by) else {
                        continue;
                    };
                    let is_of_the_same = (&other.case, &other.opening, other.statement)
                        == (&evidence.case, &evidence.opening, evidence.statement);
                    if !is_of_the_same || !is_fixed(&other) {
                        continue;
                    }
                    if let Ok(says) = other.check() {
                        assert_eq!(says, found, "byte {at} of {:?}", evidence.statement);
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_file_is_read_and_checked_without_panic(
            noise in prop::collection::vec(any::<(Index, u8)>(), 1..8), step in 0..4usize,
        ) {
            let step = ["header", "row:1", "word:merged:sample=3:op=1:at=4", "similar"][step];
            let evidence = walk(&Lab::small().honest(), step).unwrap();
            let mut bytes = evidence.encode();
            for (at, byte) in noise {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(other) = Evidence::decode_all(&mut &*bytes) {
                let _ = other.check();
            }
        }
    }

    #[test]
    fn the_lab_has_rows_of_every_standing_that_matters() {
        let rows = Lab::small().score().table.rows;
        assert!(rows.iter().any(|row| row.standing == Standing::Admitted));
        assert!(rows[2].similar_to() == Some(1), "{:?}", rows[2].standing);
        let side = Side::Minus(2);
        let of_similar = StepName::Sample {
            of: side,
            sample: 0,
        };
        let error = Evidence::walk(TASK, ROUND, &Lab::small().honest(), of_similar);
        assert!(matches!(error, Err(EvidenceError::Upheld(_))));
    }
}
