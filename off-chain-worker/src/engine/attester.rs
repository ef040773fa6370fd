use codec::{Decode, Encode};
use gotong_protocol::{attestation_commitment, Hash, Opening, Phase, RoundId, TaskId};

/// One account's seat in the rounds of one task: evaluates, commits, reveals and answers its audits,
/// once a round. A round may draw it at any time that it draws seats anew.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Attester {
    task: TaskId,
    account: [u8; 32],
    work: Option<Evaluated>,
    /// Block that took the commitment to `work`, as far as known.
    committed_at: Option<u32>,
}

/// A round that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Evaluated {
    pub round: RoundId,
    /// Digest of what was evaluated.
    pub inputs: Hash,
    /// The score table, as it is shown to the chain.
    pub opening: Opening,
    /// Root over the account's own work.
    pub work_root: Hash,
    /// Hides the table until it is revealed.
    pub salt: Hash,
}

/// What the chain says, as far as an attester cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttesterSnapshot {
    /// Block of which this is true.
    pub block: u32,
    /// The task's last round.
    pub round: RoundId,
    pub phase: Phase,
    /// Digest of what the round's score depends on; a fork may change it.
    pub inputs: Hash,
    /// The account's own seat.
    pub seat: Option<Seat>,
}

/// How far the chain knows the account's attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    Drawn,
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
    Evaluate { round: RoundId },
    /// Send the commitment.
    Commit { round: RoundId, commitment: Hash },
    /// Send the table that was committed.
    Reveal {
        round: RoundId,
        opening: Box<Opening>,
        work_root: Hash,
        salt: Hash,
    },
    /// Show the work that the chain's audits ask for.
    AnswerAudits { round: RoundId },
}

impl Attester {
    pub fn new(task: TaskId, account: [u8; 32]) -> Self {
        Self {
            task,
            account,
            work: None,
            committed_at: None,
        }
    }

    /// Takes in what the chain says, and answers what to do now; nothing means to wait.
    pub fn on_block(&mut self, now: &AttesterSnapshot) -> Option<AttesterCommand> {
        if self
            .work
            .as_ref()
            .is_some_and(|work| work.round < now.round)
        {
            self.work = None;
            self.committed_at = None;
        }
        let work = self.work.as_ref().filter(|work| work.round == now.round);
        match (now.phase, now.seat?) {
            (Phase::AttestCommit, Seat::Drawn) => match work {
                Some(work) if work.inputs == now.inputs => {
                    // The snapshot may be older than our commitment.
                    let is_news = self.committed_at.is_none_or(|at| now.block > at);
                    is_news.then(|| AttesterCommand::Commit {
                        round: now.round,
                        commitment: self.commitment(work),
                    })
                }
                _ if self.is_stale(now) => None,
                _ => Some(AttesterCommand::Evaluate { round: now.round }),
            },
            (Phase::AttestReveal, Seat::Committed) => work.map(|work| AttesterCommand::Reveal {
                round: now.round,
                opening: Box::new(work.opening.clone()),
                work_root: work.work_root,
                salt: work.salt,
            }),
            // Needs no memory: the work is computed again where it is lost.
            (Phase::Challenge, Seat::Revealed) => {
                Some(AttesterCommand::AnswerAudits { round: now.round })
            }
            _ => None,
        }
    }

    /// Whether the snapshot is of a round before the one worked on.
    fn is_stale(&self, now: &AttesterSnapshot) -> bool {
        self.work
            .as_ref()
            .is_some_and(|work| work.round > now.round)
    }

    fn commitment(&self, work: &Evaluated) -> Hash {
        attestation_commitment(
            self.task,
            work.round,
            &self.account,
            &work.opening.claim(),
            &work.work_root,
            &work.salt,
        )
    }

    /// An evaluation has ended. Work that may be committed already is never replaced.
    pub fn on_evaluated(&mut self, work: Evaluated) {
        let replaces = match &self.work {
            None => true,
            Some(old) => {
                old.round < work.round
                    || (old.round == work.round
                        && old.inputs != work.inputs
                        && self.committed_at.is_none())
            }
        };
        if replaces {
            self.work = Some(work);
            self.committed_at = None;
        }
    }

    /// Block `block` took the commitment of `round`.
    pub fn on_committed(&mut self, round: RoundId, block: u32) {
        if self.work.as_ref().is_some_and(|work| work.round == round) {
            self.committed_at = Some(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::{Header, SumNode};
    use proptest::prelude::*;

    const TASK: TaskId = TaskId(1);
    const ACCOUNT: [u8; 32] = [9; 32];

    fn opening(byte: u8) -> Opening {
        let header = Header {
            samples: 2,
            base: SumNode::default(),
            merged: SumNode::default(),
            gain: 1,
            gain_se: 0,
            paid_gain: 1,
            master_root: [byte; 32],
            similar_root: [byte; 32],
        };
        Opening {
            header,
            rows: SumNode::default(),
        }
    }

    fn evaluated(round: RoundId, inputs: Hash, byte: u8) -> Evaluated {
        Evaluated {
            round,
            inputs,
            opening: opening(byte),
            work_root: [byte; 32],
            salt: [byte; 32],
        }
    }

    proptest! {
        /// Each step: does the chain hear of the command, does the machine hear of the block,
        /// does the process restart, does the phase move on; and at the end of Challenge, does the
        /// round draw seats anew. Who did not do its duty then is out of its seat, and who had none
        /// may have got one.
        #[test]
        fn commits_once_and_reveals_what_it_committed(
            steps in prop::collection::vec(any::<(bool, bool, bool, bool, bool)>(), 1..100),
            drawn_at_once: bool,
        ) {
            let mut machine = Attester::new(TASK, ACCOUNT);
            let mut now = AttesterSnapshot {
                block: 1,
                round: RoundId(0),
                phase: Phase::AttestCommit,
                inputs: [0; 32],
                seat: drawn_at_once.then_some(Seat::Drawn),
            };
            let (mut commitment, mut evaluations) = (None, 0u8);
            for (executes, hears_back, restarts, moves_on, redraws) in steps {
                if restarts {
                    machine = Attester::decode(&mut &*machine.encode()).unwrap();
                }
                let command = machine.on_block(&now);
                prop_assert_eq!(&command, &machine.on_block(&now), "not repeatable");
                now.block += 1;
                match command.filter(|_| executes) {
                    Some(AttesterCommand::Evaluate { round }) => {
                        evaluations = evaluations.wrapping_add(1);
                        machine.on_evaluated(evaluated(round, now.inputs, evaluations));
                    }
                    Some(AttesterCommand::Commit { round, commitment: sent }) => {
                        prop_assert_eq!(commitment.replace(sent), None, "committed twice");
                        now.seat = Some(Seat::Committed);
                        if hears_back {
                            machine.on_committed(round, now.block);
                        }
                    }
                    Some(AttesterCommand::Reveal { round, opening, work_root, salt }) => {
                        let opened = attestation_commitment(
                            TASK, round, &ACCOUNT, &opening.claim(), &work_root, &salt,
                        );
                        prop_assert_eq!(commitment, Some(opened), "revealed another table");
                        prop_assert_eq!(now.phase, Phase::AttestReveal);
                        prop_assert_eq!(now.seat, Some(Seat::Committed));
                        now.seat = Some(Seat::Revealed);
                    }
                    Some(AttesterCommand::AnswerAudits { round }) => {
                        prop_assert_eq!((round, now.phase), (now.round, Phase::Challenge));
                        prop_assert_eq!(now.seat, Some(Seat::Revealed), "answered twice");
                        now.seat = Some(Seat::Audited);
                    }
                    None => {}
                }
                if moves_on {
                    now.phase = match (now.phase, now.seat) {
                        (Phase::AttestCommit, seat) => {
                            now.seat = seat.map(|seat| match seat {
                                Seat::Drawn => Seat::Out,
                                stands => stands,
                            });
                            Phase::AttestReveal
                        }
                        (Phase::AttestReveal, seat) => {
                            now.seat = seat.map(|seat| match seat {
                                Seat::Committed => Seat::Out,
                                stands => stands,
                            });
                            Phase::Challenge
                        }
                        (_, seat) if redraws => {
                            now.seat = match seat {
                                None => Some(Seat::Drawn),
                                Some(Seat::Revealed) => Some(Seat::Out),
                                stands => stands,
                            };
                            Phase::AttestCommit
                        }
                        _ => {
                            now.round = now.round.next().unwrap();
                            now.inputs = [now.round.0 as u8; 32];
                            now.seat = Some(Seat::Drawn);
                            commitment = None;
                            Phase::AttestCommit
                        }
                    };
                }
            }
        }
    }

    #[test]
    fn who_has_no_seat_waits() {
        let mut machine = Attester::new(TASK, ACCOUNT);
        let now = AttesterSnapshot {
            block: 1,
            round: RoundId(0),
            phase: Phase::AttestCommit,
            inputs: [0; 32],
            seat: None,
        };
        assert_eq!(machine.on_block(&now), None);
    }

    #[test]
    fn who_sits_already_does_not_commit_when_seats_are_drawn_anew() {
        let mut machine = Attester::new(TASK, ACCOUNT);
        machine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
        for seat in [Seat::Committed, Seat::Revealed, Seat::Audited, Seat::Out] {
            let now = AttesterSnapshot {
                block: 9,
                round: RoundId(0),
                phase: Phase::AttestCommit,
                inputs: [0; 32],
                seat: Some(seat),
            };
            assert_eq!(machine.on_block(&now), None, "{seat:?}");
        }
    }

    #[test]
    fn audits_are_answered_without_memory() {
        let mut machine = Attester::new(TASK, ACCOUNT);
        let mut now = AttesterSnapshot {
            block: 9,
            round: RoundId(3),
            phase: Phase::Challenge,
            inputs: [0; 32],
            seat: Some(Seat::Revealed),
        };
        let answer = Some(AttesterCommand::AnswerAudits { round: RoundId(3) });
        assert_eq!(machine.on_block(&now), answer);
        now.seat = Some(Seat::Audited);
        assert_eq!(machine.on_block(&now), None);
    }

    #[test]
    fn a_fork_that_changes_the_inputs_is_evaluated_again_until_committed() {
        let mut machine = Attester::new(TASK, ACCOUNT);
        let mut now = AttesterSnapshot {
            block: 1,
            round: RoundId(0),
            phase: Phase::AttestCommit,
            inputs: [0; 32],
            seat: Some(Seat::Drawn),
        };
        machine.on_evaluated(evaluated(RoundId(0), [0; 32], 1));
        now.inputs = [1; 32];
        let again = Some(AttesterCommand::Evaluate { round: RoundId(0) });
        assert_eq!(machine.on_block(&now), again);
        machine.on_evaluated(evaluated(RoundId(0), [1; 32], 2));
        assert!(matches!(
            machine.on_block(&now),
            Some(AttesterCommand::Commit { .. })
        ));
        machine.on_committed(RoundId(0), 2);
        machine.on_evaluated(evaluated(RoundId(0), [2; 32], 3));
        now.seat = Some(Seat::Committed);
        now.phase = Phase::AttestReveal;
        assert!(
            matches!(machine.on_block(&now), Some(AttesterCommand::Reveal { salt, .. }) if salt == [2; 32])
        );
    }
}
